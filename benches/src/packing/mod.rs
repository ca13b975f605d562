//! How well and how fast `placement::packing` packs.
//!
//! The instances and the prices are published data that is read where it lies, in `../shared/data` beside the workspace
//! (`BALLAST_SHARED` names another place). What is missing is said, and skipped.

mod catalog;
mod first_fit;
mod quality;
mod speed;
mod vbp;

/// What to measure.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Options {
    /// Every how many-th published packing instance is packed; 1 packs all, which takes minutes.
    #[arg(long, default_value_t = 6)]
    packing_every: usize,
    /// How many iterations the search takes for each; without it as many as take about 100 ms.
    #[arg(long)]
    packing_iterations: Option<u32>,
}

/// Measures, and gives the tables; what cannot be measured is said in its place.
pub(crate) fn run(options: Options, runs: usize) -> String {
    let quality = quality::run(options.packing_every, options.packing_iterations)
        .unwrap_or_else(|missing| missing.skipped());
    let speed = speed::run(runs).unwrap_or_else(|missing| missing.skipped());
    format!("{quality}\n\n{speed}")
}

/// Hundredths, as a decimal number.
fn hundredths(number: u64) -> String {
    format!("{}.{:02}", number / 100, number % 100)
}
