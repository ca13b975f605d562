//! What every step of an act on instances shares: the clients, the time that is left, and the outcomes that it may have.

use calls::{Caller, Failure};
use model::outcome::OutcomeResult;

use crate::START_TIME_MIN;

/// What writes and reads for one act.
#[derive(Debug)]
pub(crate) struct Hand<'a> {
    pub(crate) ecs: &'a aws_sdk_ecs::Client,
    pub(crate) autoscaling: &'a aws_sdk_autoscaling::Client,
    pub(crate) caller: Caller,
}

impl Hand<'_> {
    /// Whether too little time is left to start anything.
    pub(crate) fn is_over(&self) -> bool {
        self.caller.deadline().remaining() < START_TIME_MIN
    }
}

/// The outcome of a step of which something was found that the plan had not seen.
pub(crate) fn precondition(found: impl Into<String>) -> OutcomeResult {
    OutcomeResult::PreconditionFailed {
        found: found.into(),
    }
}

/// The outcome of a write that failed and was surely not applied, or of which nothing more can be found out.
pub(crate) fn failed(failure: Failure) -> OutcomeResult {
    OutcomeResult::Failed {
        operation: failure.gap.operation,
        cause: failure.gap.cause,
        detail: failure.gap.detail,
    }
}
