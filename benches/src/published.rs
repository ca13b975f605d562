//! Published data, read where it lies: in `../shared/data` beside the workspace, or where `BALLAST_SHARED` says. It is never copied.

use std::path::{Path, PathBuf};

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

impl Missing {
    /// What stands in the place of a table that cannot be made.
    pub(crate) fn skipped(&self) -> String {
        let why = std::error::Error::source(self).map(ToString::to_string);
        format!("Skipped: {self}: {}.", why.unwrap_or_default())
    }
}

/// A file of the published data.
pub(crate) fn published(name: &str) -> PathBuf {
    let shared = std::env::var_os("BALLAST_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
        PathBuf::from,
    );
    shared.join("data").join(name)
}

/// Opens it and unpacks it on the way.
pub(crate) fn unpacked(path: &Path) -> Result<flate2::read::GzDecoder<std::fs::File>, Missing> {
    std::fs::File::open(path)
        .map(flate2::read::GzDecoder::new)
        .map_err(|source| Missing::Read {
            path: path.to_owned(),
            source,
        })
}
