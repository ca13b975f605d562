//! What `make bench` measures: start-up of each function beside a hello-world function, a storm of events, deciding, a
//! look at 5,000 instances, packing, instances that go away, and target tracking.
//!
//! It prints tables and never fails by a time: machines differ and are noisy. The figures that were taken are in
//! `docs/measurements.md`, with the machine.

mod decide;
mod departures;
mod packing;
mod published;
mod scale;
mod start_up;
mod storm;
mod tracking;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures, and prints tables.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Where the binaries that are shipped were built: the functions and `hello-world`.
    #[arg(long)]
    binaries: PathBuf,
    /// How many times each thing is measured.
    #[arg(long, default_value_t = 21)]
    runs: usize,
    /// How many instances are warned at once, at most, where it is measured what becomes of them: 1, 100 or 1,000. All take
    /// twenty minutes, most of them spent waiting for the function's budget of calls.
    #[arg(long, default_value_t = 100)]
    departures_max: usize,
    /// Which part is measured. Without it all are, one after the other.
    #[arg(long)]
    only: Option<Part>,
    #[command(flatten)]
    packing: packing::Options,
}

/// What is measured, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Start-up, memory and size of the functions.
    StartUp,
    /// A storm of interrupted tasks.
    Storm,
    /// Deciding about pairs.
    Decide,
    /// A look at 5,000 instances.
    Scale,
    /// Deciding about instances that go away.
    DecideDepartures,
    /// Instances that go away, from the warning to the last task replaced.
    Departures,
    /// A storm of events about instances that go away.
    DepartureStorm,
    /// Packing.
    Packing,
    /// Target tracking on published loads.
    Tracking,
}

impl Part {
    /// The table of this part.
    async fn measure(self, arguments: &Arguments) -> Result<String, Failure> {
        let (binaries, runs) = (arguments.binaries.as_path(), arguments.runs);
        match self {
            Self::StartUp => start_up::run(binaries, runs).await,
            Self::Storm => storm::run(binaries, runs).await,
            Self::Decide => Ok(decide::run(runs)?),
            Self::Scale => scale::run(binaries, runs.min(scale::RUNS_MAX)).await,
            Self::DecideDepartures => Ok(departures::decide(runs)?),
            Self::Departures => departures::run(binaries, arguments.departures_max).await,
            Self::DepartureStorm => departures::storm(binaries).await,
            Self::Packing => Ok(packing::run(arguments.packing, runs)),
            Self::Tracking => Ok(tracking::run()),
        }
    }
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// A binary cannot be started or read.
    #[error("`{}` cannot be used (`make bench` builds it)", binary.display())]
    Start {
        binary: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The function did not answer as it should.
    #[error("the function did not answer: {0}")]
    Answer(String),
    /// The world could not be set up.
    #[error("the world could not be set up: {0}")]
    World(String),
    /// Listening, or reading a process's state.
    #[error("input or output failed")]
    Io(#[source] std::io::Error),
    /// A made-up id is not one.
    #[error("a made-up id is not one")]
    Id(#[from] model::IdError),
}

impl Failure {
    fn world(error: impl std::fmt::Debug) -> Self {
        Self::World(format!("{error:?}"))
    }
}

#[tokio::main(flavor = "current_thread")]
#[expect(
    clippy::print_stdout,
    reason = "the tables are what this program is for"
)]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    for part in Part::value_variants() {
        if arguments.only.is_none_or(|only| only == *part) {
            println!("{}\n", part.measure(&arguments).await?);
        }
    }
    Ok(())
}
