//! What `make bench` measures: start-up of each function beside a hello-world function, a storm of events, deciding, a
//! look at 5,000 instances, and packing.
//!
//! It prints tables and never fails by a time: machines differ and are noisy. The figures that were taken are in
//! `docs/measurements.md`, with the machine.

mod decide;
mod packing;
mod scale;
mod start_up;
mod storm;

use std::path::PathBuf;

use clap::Parser;

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
    #[command(flatten)]
    packing: packing::Options,
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
    let Arguments {
        binaries,
        runs,
        packing,
    } = Arguments::parse();
    println!("{}\n", start_up::run(&binaries, runs).await?);
    println!("{}\n", storm::run(&binaries, runs).await?);
    println!("{}\n", decide::run(runs)?);
    println!(
        "{}\n",
        scale::run(&binaries, runs.min(scale::RUNS_MAX)).await?
    );
    println!("{}", packing::run(packing, runs));
    Ok(())
}
