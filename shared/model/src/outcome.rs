//! What became of each step.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::duty::PlannedStep;
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

impl<S: PlannedStep> Outcome<S> {
    /// Whether the step's write took effect; `None` where that is not certain.
    #[must_use]
    pub fn took_effect(&self) -> Option<bool> {
        match &self.result {
            OutcomeResult::Done | OutcomeResult::AlreadySo => Some(true),
            OutcomeResult::NotWritten
            | OutcomeResult::PreconditionFailed { .. }
            | OutcomeResult::Refused { .. }
            | OutcomeResult::OutOfTime => Some(false),
            // What was to be written could not be read again before, and the write was then never sent.
            OutcomeResult::Failed { operation, .. } if operation != self.step.operation() => {
                Some(false)
            }
            OutcomeResult::Failed { cause, .. } => match cause {
                GapCause::AccessDenied => Some(false),
                // The last attempt's error does not tell what became of the attempts before it.
                GapCause::Throttled
                | GapCause::NotFound
                | GapCause::BudgetSpent
                | GapCause::OutOfTime
                | GapCause::Unreachable
                | GapCause::Other => None,
            },
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Action, Counts, StepReason};
    use crate::units::Seconds;

    fn outcome(result: OutcomeResult) -> Outcome {
        let step = Step {
            subject: "demo/web".parse().unwrap(),
            action: Action::SetDesiredCount {
                service: "demo/web-standby".parse().unwrap(),
                from: 0,
                to: 3,
            },
            reason: StepReason::GiveBack {
                counts: Counts::default(),
                needed_max: 0,
                hold_down: Seconds(600),
            },
        };
        Outcome { step, result }
    }

    #[test]
    fn only_a_write_that_was_sent_may_have_taken_effect() {
        let failed = |operation: &str, cause| {
            outcome(OutcomeResult::Failed {
                operation: operation.to_owned(),
                cause,
                detail: "no answer".to_owned(),
            })
        };
        let lost = failed("ecs:UpdateService", GapCause::Unreachable);
        assert_eq!(lost.took_effect(), None);
        let never_sent = failed("ecs:DescribeServices", GapCause::Unreachable);
        assert_eq!(never_sent.took_effect(), Some(false));
        let denied = failed("ecs:UpdateService", GapCause::AccessDenied);
        assert_eq!(denied.took_effect(), Some(false));
        let so = outcome(OutcomeResult::AlreadySo);
        assert_eq!(so.took_effect(), Some(true));
    }
}
