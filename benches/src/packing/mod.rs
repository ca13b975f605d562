//! How well and how fast `placement::packing` packs.
//!
//! The instances and the prices are published data that is read where it lies, in `../shared/data` beside the workspace
//! (`BALLAST_SHARED` names another place). What is missing is said, and skipped.

mod catalog;
mod first_fit;
mod quality;
mod speed;
mod vbp;

use std::path::PathBuf;

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

/// Why published data could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Missing {
    /// It is not there, or cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not in the expected format.
    #[error("`{}` is not understood at `{at}`", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where.
        at: String,
    },
}

/// Measures, and gives the tables; what cannot be measured is said in its place.
pub(crate) fn run(options: Options, runs: usize) -> String {
    let said = |table: Result<String, Missing>| match table {
        Ok(table) => table,
        Err(missing) => {
            let why = std::error::Error::source(&missing).map(ToString::to_string);
            format!("Skipped: {missing}: {}.", why.unwrap_or_default())
        }
    };
    let quality = said(quality::run(
        options.packing_every,
        options.packing_iterations,
    ));
    let speed = said(speed::run(runs));
    format!("{quality}\n\n{speed}")
}

/// A file of the published data.
fn published(name: &str) -> PathBuf {
    let shared = std::env::var_os("BALLAST_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
        PathBuf::from,
    );
    shared.join("data").join(name)
}

/// Opens it and unpacks it on the way.
fn unpacked(path: &std::path::Path) -> Result<flate2::read::GzDecoder<std::fs::File>, Missing> {
    std::fs::File::open(path)
        .map(flate2::read::GzDecoder::new)
        .map_err(|source| Missing::Read {
            path: path.to_owned(),
            source,
        })
}

/// Hundredths, as a decimal number.
fn hundredths(number: u64) -> String {
    format!("{}.{:02}", number / 100, number % 100)
}
