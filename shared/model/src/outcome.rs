//! What became of each step.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::Step;
use crate::snapshot::GapCause;

/// One step and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome<S = Step> {
    /// The step.
    pub step: S,
    /// What became of it.
    pub result: OutcomeResult,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum OutcomeResult {
    /// AWS accepted it.
    Done,
    /// It was so already.
    AlreadySo,
    /// Nothing was written: the mode is `observe`.
    NotWritten,
    /// What the plan saw no longer holds; nothing was written.
    PreconditionFailed {
        /// What was found instead.
        found: String,
    },
    /// It may not be done; nothing was written.
    Refused {
        /// Who refused, and why: the audit, or AWS.
        detail: String,
    },
    /// The call failed.
    Failed {
        /// The call, such as `ecs:UpdateService`.
        operation: String,
        /// What kind of failure it was.
        cause: GapCause,
        /// The error as AWS or the network gave it, one line.
        detail: String,
    },
    /// The invocation's time, or its budget of calls, ran out before the step was started.
    OutOfTime,
}

impl OutcomeResult {
    /// A stable name, for metrics and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::AlreadySo => "already_so",
            Self::NotWritten => "not_written",
            Self::PreconditionFailed { .. } => "precondition_failed",
            Self::Refused { .. } => "refused",
            Self::Failed { .. } => "failed",
            Self::OutOfTime => "out_of_time",
        }
    }

    /// Whether the invocation must end in an error, so that it is tried again and is seen.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        match self {
            Self::Done | Self::AlreadySo | Self::NotWritten | Self::PreconditionFailed { .. } => {
                false
            }
            Self::Refused { .. } | Self::Failed { .. } | Self::OutOfTime => true,
        }
    }
}

impl fmt::Display for OutcomeResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::AlreadySo => f.write_str("already so"),
            Self::NotWritten => f.write_str("not written: the mode is `observe`"),
            Self::PreconditionFailed { found } => {
                write!(f, "precondition failed: found {found}")
            }
            Self::Refused { detail } => write!(f, "refused: {detail}"),
            Self::Failed {
                operation,
                cause,
                detail,
            } => write!(f, "`{operation}` failed: {} ({detail})", cause.as_str()),
            Self::OutOfTime => f.write_str("not started: out of time"),
        }
    }
}
