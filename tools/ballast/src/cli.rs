//! The arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use model::ClusterName;

use crate::lab::function::Name;

/// Keeps Amazon ECS services on Spot at their desired count: look, replay, and try it on this computer.
#[derive(Debug, Parser)]
#[command(name = "ballast", version, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Split(SplitArgs),
    Status(StatusArgs),
    Replay(ReplayArgs),
    Lab(LabArgs),
}

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Tables for people.
    Table,
    /// One JSON document.
    Json,
}

/// Show where a capacity provider strategy puts the tasks of a service, or every rule that it breaks.
#[derive(Debug, Args)]
pub(crate) struct SplitArgs {
    /// A line of the strategy: `FARGATE=1/4` (base 1, weight 4), `FARGATE,base=1,weight=4`, or as the AWS CLI writes it,
    /// `capacityProvider=FARGATE,base=1,weight=4`
    #[arg(value_name = "PROVIDER", required = true)]
    pub(crate) items: Vec<String>,
    /// The service's desired count
    #[arg(long, value_name = "COUNT")]
    pub(crate) tasks: u32,
    /// Where the tasks are now, one number for each line: shows which are added or removed
    #[arg(long, value_name = "COUNT,…", value_delimiter = ',')]
    pub(crate) from: Option<Vec<u32>>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

/// Which AWS, or which world, to ask.
#[derive(Debug, Clone, Args)]
pub(crate) struct Endpoint {
    /// Ask this address instead of AWS, such as a world that `ballast lab --hold` keeps open
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    pub(crate) endpoint_url: Option<String>,
    /// The Region; else `AWS_DEFAULT_REGION`, else with an endpoint's address `us-west-2`
    #[arg(long, value_name = "REGION", env = "AWS_REGION")]
    pub(crate) region: Option<String>,
}

/// Show a cluster's tasks by capacity provider, its pairs of primary and standby, and its container instances.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The cluster
    #[arg(long, value_name = "CLUSTER")]
    pub(crate) cluster: ClusterName,
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
    /// How to write the result
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

/// Show what event files mean to Ballast and, with `--plan` or `--endpoint-url`, what it would do about them. Writes nothing.
///
/// A file is planned by each function that looks because of it, with a decision record of each. Each plans by itself, with an empty
/// ledger: what the function remembers of earlier looks (how long tasks have been missing, what was needed lately, of which instances
/// it was warned, who wrote last) is not read.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Files with one event each: an EventBridge envelope, or an SQS batch of such
    #[arg(value_name = "EVENT", required = true)]
    pub(crate) events: Vec<PathBuf>,
    /// Look at AWS, with the credentials of the environment, and show the plan of each function that the event makes look
    #[arg(long)]
    pub(crate) plan: bool,
    /// Plan with this function alone, whatever the event is; can be given several times
    #[arg(long = "function", value_name = "FUNCTION", value_enum)]
    pub(crate) functions: Vec<Name>,
    #[command(flatten)]
    pub(crate) endpoint: Endpoint,
    /// How to write the result
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

/// What happens in the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Spot runs dry at once, and returns
    Workshop,
    /// Spot comes and goes every few minutes
    DroughtFlap,
    /// The workshop, with events lost, late, twice and out of order
    Lossy,
    /// The workshop, while the API throttles, fails and answers from the past
    Throttled,
    /// The workshop's chapters on EC2: tasks come to groups of instances, and go; beside them ECS's managed scaling
    WorkshopEc2,
    /// Spot has no instances for a service on EC2: both functions at work, one for the tasks and one for their instances
    Ec2Drought,
    /// Spot takes an instance with three tasks behind a load balancer: the workshop's milestones, with and without headroom
    WorkshopInterruption,
    /// Spot warns many instances of a large group at once, while another group terminates some of its own
    InterruptionStorm,
    /// A day of traffic on a pair, with a shortage of Spot in its middle; writes a picture of it
    Tracking,
}

/// What the function may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LabMode {
    /// Plan and record; write nothing
    Observe,
    /// Plan, record and write
    Act,
}

/// How large `interruption-storm` is, and what becomes of its warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub(crate) struct StormArgs {
    /// interruption-storm: the instances of the Spot group
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..=5_000))]
    pub(crate) instances: u32,
    /// interruption-storm: how many of them Spot warns at once
    #[arg(long, value_name = "COUNT", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub(crate) warned: u32,
    /// interruption-storm: how many of its instances the on-demand group, twice as large, terminates at the same time
    #[arg(long, value_name = "COUNT", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=500))]
    pub(crate) terminated: u32,
    /// interruption-storm: how many of a thousand warnings never come
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub(crate) lost_per_mille: u32,
    /// interruption-storm: how many of a thousand warnings come 5 to 90 seconds late
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub(crate) late_per_mille: u32,
}

/// Which traffic `tracking` plays, and where its picture goes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct TrackingArgs {
    /// tracking: counts of requests, a line `minute,requests` or `period,count` for each minute, also packed as .gz; by default
    /// those of WorldCup98 in `data/workloads` of the folder that `BALLAST_SHARED` names, or of a folder `shared` beside the current
    /// one or one above it; where there are none, a day by a formula
    #[arg(long, value_name = "FILE")]
    pub(crate) load: Option<PathBuf>,
    /// tracking: the day of the file, where its lines have times; by default 1998-06-24 of WorldCup98, and of other files the last
    #[arg(long, value_name = "DATE")]
    pub(crate) day: Option<String>,
    /// tracking: how many hours of the day are played
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(2..=24))]
    pub(crate) hours: u32,
    /// tracking: the tag `ballast:warm-up-secs` of the service; by default it has none
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=600))]
    pub(crate) warm_up_secs: Option<u32>,
    /// tracking: write the picture here, as SVG
    #[arg(long, value_name = "FILE", default_value = "tracking.svg")]
    pub(crate) picture: PathBuf,
}

/// Run the real functions against a simulated AWS on this computer, through a shortage of Spot capacity or a wave of tasks.
///
/// The world's clock runs as fast as the functions answer. In mode act it exits with 1 when the scenario did not show what it is there for;
/// in mode observe the world is left to itself, and that is no error.
///
/// `workshop-ec2`: groups of instances under cluster-scaler, 1 to 10 to 1 tasks on one group and 1 to 40 to 1 tasks on two, beside ECS's
/// managed scaling in a world with the same seed; its tables must be the workshop's. `ec2-drought`: a service of 20 tasks on such groups
/// and its standby, under both functions. `workshop-interruption`: a Spot instance with three of nine tasks gets its warning, with
/// headroom and without, under instance-drain, then with a standby under all three functions, then with other Spot instances to be had under
/// instance-drain and cluster-scaler; beside it ECS's own draining, and none.
/// `interruption-storm`: a share of a large group is warned at once, under instance-drain. `tracking`: a day's requests come to a service on
/// Fargate Spot and its standby, under service-scaler and spot-fallback; beside them the same day with fixed counts. The others: the world has a cluster `container-demo` with a service `web` of 10 tasks at FARGATE 1/1 : FARGATE_SPOT 0/4 and its standby
/// `web-standby`; tasks must not fall below the desired count, and the standby must go back to 0.
#[derive(Debug, Args)]
pub(crate) struct LabArgs {
    /// What happens
    #[arg(value_enum, default_value_t = Scenario::Workshop)]
    pub(crate) scenario: Scenario,
    /// Every random choice of the world follows from it
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How long Spot is short, or the many tasks are there, in minutes of the world; by default 20, and 180 with `tracking`
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(5..=600))]
    minutes: Option<u32>,
    /// What the function may do
    #[arg(long, value_enum, default_value_t = LabMode::Act)]
    pub(crate) mode: LabMode,
    /// Write the decision records here, one JSON line each
    #[arg(long, value_name = "FILE")]
    pub(crate) records: Option<PathBuf>,
    /// The folder of the functions' binaries; by default the one that `ballast` is in
    #[arg(long, value_name = "DIR")]
    pub(crate) binaries: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) storm: StormArgs,
    #[command(flatten)]
    pub(crate) tracking: TrackingArgs,
    /// Afterwards keep the world open for the AWS CLI, on the host's clock, until ctrl-c
    #[arg(long)]
    pub(crate) hold: bool,
}

impl LabArgs {
    /// How long Spot is short, or the many tasks are there, in minutes of the world.
    pub(crate) fn minutes(&self) -> u32 {
        let usual = match self.scenario {
            Scenario::Tracking => 180,
            Scenario::Workshop
            | Scenario::DroughtFlap
            | Scenario::Lossy
            | Scenario::Throttled
            | Scenario::WorkshopEc2
            | Scenario::Ec2Drought
            | Scenario::WorkshopInterruption
            | Scenario::InterruptionStorm => 20,
        };
        self.minutes.unwrap_or(usual)
    }
}
