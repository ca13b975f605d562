//! What a world is made of, before anything happens in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{AccountId, AvailabilityZone, RegionName};

use crate::ec2::Ec2Times;
use crate::ecs::{InstanceShape, shapes};
use crate::faults::Faults;
use crate::load::Publishing;
use crate::operation::Category;

/// How a world is set up. [`Config::new`] gives one without any fault; change its public fields.
#[derive(Debug, Clone)]
pub struct Config {
    /// Every random choice follows from it: the same seed gives the same world.
    pub seed: u64,
    /// When the world begins.
    pub start: Timestamp,
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: RegionName,
    /// The zones that tasks are spread over, in order.
    pub zones: Vec<AvailabilityZone>,
    /// How long a task's start takes.
    pub start_up: StartUp,
    /// How long the start of a task on a container instance takes: its image is often there already.
    pub start_up_on_instance: StartUp,
    /// What instances register, by type.
    pub shapes: BTreeMap<String, InstanceShape>,
    /// Whether the account setting `awsvpcTrunking` is on: more network interfaces for tasks, on the types that have it.
    pub awsvpc_trunking: bool,
    /// Whether the agents drain their instance when Spot warns it (`ECS_ENABLE_SPOT_INSTANCE_DRAINING`), managed draining or not.
    pub spot_instance_draining: bool,
    /// How often ECS agents lose their connection, and for how long.
    pub agent_flaps: AgentFlaps,
    /// How long a task's stop takes.
    pub stop: Stop,
    /// What the service scheduler does, and when.
    pub scheduler: SchedulerTimes,
    /// How long instances take, and how many there may be.
    pub ec2: Ec2Times,
    /// Virtual time that each API call takes, in milliseconds.
    pub api_latency_ms: u32,
    /// Changes of burst and refill per second; a category that is not here has the documented ones.
    pub rates: BTreeMap<Category, (u32, u32)>,
    /// What goes wrong in the API.
    pub faults: Faults,
    /// What goes wrong between AWS and the functions.
    pub delivery: Delivery,
    /// How AWS's own metrics come to where they can be read.
    pub publishing: Publishing,
}

impl Config {
    /// A world without faults, in `us-west-2`, that begins on a Monday morning.
    ///
    /// # Panics
    /// Never: the ids and the time are constants that are valid.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "the constants are valid, and a test makes one"
    )]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            start: "2026-03-02T09:00:00Z".parse().expect("a time"),
            account: "111122223333".parse().expect("an account"),
            region: "us-west-2".parse().expect("a Region"),
            zones: ["us-west-2a", "us-west-2b", "us-west-2c"]
                .into_iter()
                .map(|it| it.parse().expect("a zone"))
                .collect(),
            start_up: StartUp::default(),
            start_up_on_instance: StartUp::on_instance(),
            shapes: shapes(),
            awsvpc_trunking: false,
            spot_instance_draining: true,
            agent_flaps: AgentFlaps::default(),
            stop: Stop::default(),
            scheduler: SchedulerTimes::default(),
            ec2: Ec2Times::default(),
            api_latency_ms: 30,
            rates: BTreeMap::new(),
            faults: Faults::default(),
            delivery: Delivery::default(),
            publishing: Publishing::default(),
        }
    }
}

/// A range of times, in milliseconds, both ends included; each draw is uniform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeMs {
    /// The shortest.
    pub min: u32,
    /// The longest; taken as `min` where it is smaller.
    pub max: u32,
}

impl RangeMs {
    /// Both ends, in milliseconds.
    #[must_use]
    pub const fn new(min: u32, max: u32) -> Self {
        Self { min, max }
    }
}

/// How long each step of a task's start takes. AWS publishes no numbers; together the defaults are 15 to 42 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartUp {
    /// In PROVISIONING: the network interface is made.
    pub provisioning: RangeMs,
    /// In PENDING: images are pulled, containers start.
    pub pending: RangeMs,
    /// In ACTIVATING: targets are registered.
    pub activating: RangeMs,
    /// How many of a thousand tasks never leave PENDING, until they are told to stop.
    pub stuck_per_mille: u32,
}

impl StartUp {
    /// On a container instance: together 6 to 16 seconds, as the workshop shows 13.
    #[must_use]
    pub const fn on_instance() -> Self {
        Self {
            provisioning: RangeMs::new(500, 1_500),
            pending: RangeMs::new(5_000, 12_000),
            activating: RangeMs::new(500, 2_500),
            stuck_per_mille: 0,
        }
    }
}

impl Default for StartUp {
    fn default() -> Self {
        Self {
            provisioning: RangeMs::new(5_000, 12_000),
            pending: RangeMs::new(9_000, 25_000),
            activating: RangeMs::new(1_000, 5_000),
            stuck_per_mille: 0,
        }
    }
}

/// ECS agents that lose their connection for a while. AWS says that this happens several times per hour as a part of normal
/// operation, and publishes no numbers. The default has none.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_container_instance_events.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentFlaps {
    /// How many of a thousand chances are taken. It is read when an instance registers: 0 gives that instance no chance ever.
    pub per_mille: u32,
    /// From one chance of an agent to the next.
    pub every: RangeMs,
    /// How long it is away.
    pub lasts: RangeMs,
}

impl Default for AgentFlaps {
    fn default() -> Self {
        Self {
            per_mille: 0,
            every: RangeMs::new(600_000, 1_200_000),
            lasts: RangeMs::new(5_000, 120_000),
        }
    }
}

/// How long each step of a task's stop takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// From the warning to the end of an interrupted Spot task, in seconds.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html>
    pub notice_secs: u32,
    /// The stop timeout of task definitions that are used without having been registered, in seconds. The default lets a container
    /// use the whole notice; AWS's own default is 30.
    pub stop_timeout_secs: u32,
    /// In DEACTIVATING, for a service with target groups that nobody declared. With declared ones it is their deregistration delay.
    pub deactivating_with_targets: RangeMs,
    /// In DEACTIVATING, for a service without target groups, and at least with a delay of 0.
    pub deactivating: RangeMs,
    /// In STOPPING: from SIGTERM to the end of the containers, unless their stop timeout ends them earlier.
    pub stopping: RangeMs,
    /// In DEPROVISIONING: the network interface is given back.
    pub deprovisioning: RangeMs,
    /// How long a stopped task can still be read, in seconds.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html>
    pub kept_secs: u32,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            notice_secs: 120,
            stop_timeout_secs: 120,
            deactivating_with_targets: RangeMs::new(30_000, 30_000),
            deactivating: RangeMs::new(200, 1_000),
            stopping: RangeMs::new(1_000, 30_000),
            deprovisioning: RangeMs::new(5_000, 15_000),
            kept_secs: 3_600,
        }
    }
}

/// When the service scheduler acts. AWS publishes no numbers but the launch rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchedulerTimes {
    /// From a change to the scheduler's reaction, in milliseconds.
    pub reaction_ms: u32,
    /// The first wait after a task could not be placed, in seconds. Each further failure doubles it.
    pub retry_first_secs: u32,
    /// The longest wait, in seconds.
    pub retry_max_secs: u32,
    /// How often a service in its steady state says so again, in seconds.
    pub steady_state_every_secs: u32,
    /// The shortest time between two placement failure events of one service and provider, in seconds; 0 reports each attempt.
    pub placement_failure_every_secs: u32,
    /// How long a task waits in PROVISIONING for an instance before it is stopped. AWS gives it 10 to 30 minutes.
    pub provisioning_timeout: RangeMs,
    /// How many Fargate tasks may be launched at once, for on-demand and for Spot each.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/throttling.html>
    pub launch_burst: u32,
    /// How many Fargate task launches come back in each second.
    pub launch_refill_per_sec: u32,
}

impl Default for SchedulerTimes {
    fn default() -> Self {
        Self {
            reaction_ms: 1_000,
            retry_first_secs: 10,
            retry_max_secs: 60,
            steady_state_every_secs: 6 * 3_600,
            placement_failure_every_secs: 0,
            provisioning_timeout: RangeMs::new(600_000, 1_800_000),
            launch_burst: 100,
            launch_refill_per_sec: 20,
        }
    }
}

/// How events travel from AWS to a target. The default delivers each event once, a second later.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// No events at all, for simulations that read none. Events that nobody takes are kept forever otherwise.
    pub silent: bool,
    /// How long an event takes.
    pub delay: RangeMs,
    /// How many of a thousand events come twice.
    pub duplicate_per_mille: u32,
    /// How many of a thousand deliveries come late.
    pub late_per_mille: u32,
    /// By how much a late delivery is late, in addition.
    pub late: RangeMs,
    /// How many of a thousand events of best-effort sources are lost.
    pub lost_per_mille: u32,
    /// Whether events of sources with guaranteed delivery, such as ECS, are lost as well.
    pub lose_guaranteed: bool,
    /// How many of a thousand deliveries swap their places with the one before.
    pub swap_per_mille: u32,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            silent: false,
            delay: RangeMs::new(500, 1_500),
            duplicate_per_mille: 0,
            late_per_mille: 0,
            late: RangeMs::new(5_000, 600_000),
            lost_per_mille: 0,
            lose_guaranteed: false,
            swap_per_mille: 0,
        }
    }
}
