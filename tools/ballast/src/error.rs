//! What can go wrong on the command line.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use placement::strategy::StrategyFault;

use crate::commands::split::ItemFault;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The strategy cannot be used.
    #[error("the strategy breaks {} of ECS's rules", .faults.len())]
    Strategy { faults: Vec<StrategyFault> },
    /// Lines of the strategy cannot be read.
    #[error("{} of the strategy's lines cannot be read", .faults.len())]
    StrategyUnread { faults: Vec<ItemFault> },
    /// An argument cannot be used.
    #[error("{0}")]
    Argument(String),
    /// Event files cannot be read or hold unusable events; each line is one fault.
    #[error("{unusable} of {files} event files cannot be used in full")]
    Events {
        files: usize,
        unusable: usize,
        faults: Vec<String>,
    },
    /// Files whose plans a function would end in an error; the failures were shown with them.
    #[error("a function would fail for {0} of the event files")]
    Plans(usize),
    /// Nothing can be asked without credentials.
    #[error("{missing}{hint}")]
    Credentials {
        missing: bootstrap::NoCredentials,
        /// What else is worth saying, or nothing.
        hint: &'static str,
    },
    /// A call failed; the text is one line.
    #[error("{0}")]
    Call(model::snapshot::Gap),
    /// No call was answered.
    #[error(transparent)]
    Blind(observe::Blind),
    /// A file or a stream.
    #[error("{what}")]
    Io { what: String, source: io::Error },
    /// Standard output.
    #[error("standard output cannot be written")]
    Output(#[source] io::Error),
    /// A result that cannot be written as JSON.
    #[error("the result cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The lab cannot go on.
    #[error("{0}")]
    Lab(String),
    /// The function's process failed; its last lines follow.
    #[error("{what}")]
    Function { what: String, lines: Vec<String> },
    /// What the lab is there to show did not come true.
    #[error("{0}")]
    NotKept(String),
    /// Ctrl-c, or a request to end.
    #[error("interrupted")]
    Interrupted,
    /// A file that is missing.
    #[error("`{}` does not exist: {remedy}", .path.display())]
    Missing { path: PathBuf, remedy: String },
}

impl CliError {
    /// 2 for what the caller gave, 1 for what went wrong.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Strategy { .. }
            | Self::StrategyUnread { .. }
            | Self::Argument(_)
            | Self::Events { .. } => 2,
            // What a shell reports for a process that SIGINT ended.
            Self::Interrupted => 130,
            Self::Plans(_)
            | Self::Credentials { .. }
            | Self::Call(_)
            | Self::Blind(_)
            | Self::Io { .. }
            | Self::Output(_)
            | Self::Json(_)
            | Self::Lab(_)
            | Self::Function { .. }
            | Self::NotKept(_)
            | Self::Missing { .. } => 1,
        }
    }

    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(source) if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The message with its causes on the first line, then one line for each single fault.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![one_line(self)];
        match self {
            Self::Strategy { faults } => lines.extend(faults.iter().map(ToString::to_string)),
            Self::StrategyUnread { faults } => lines.extend(faults.iter().map(ToString::to_string)),
            Self::Events { faults, .. } => lines.extend(faults.iter().cloned()),
            Self::Function { lines: last, .. } => lines.extend(last.iter().cloned()),
            Self::Argument(_)
            | Self::Lab(_)
            | Self::NotKept(_)
            | Self::Interrupted
            | Self::Plans(_)
            | Self::Credentials { .. }
            | Self::Call(_)
            | Self::Blind(_)
            | Self::Io { .. }
            | Self::Output(_)
            | Self::Json(_)
            | Self::Missing { .. } => {}
        }
        lines
    }
}

/// An error with its causes, on one line.
pub(crate) fn one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        line.push_str(": ");
        line.push_str(&source.to_string());
        cause = source.source();
    }
    line
}
