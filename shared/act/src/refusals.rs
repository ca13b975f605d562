//! What EC2 Auto Scaling's refusals come to.

use calls::Failure;
use model::outcome::OutcomeResult;

use crate::hand::precondition;

/// The code by which EC2 Auto Scaling refuses an input, and what its messages hold where the group is no longer what it was.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/CommonErrors.html>
const VALIDATION_ERROR: &str = "ValidationError";
const CHANGED_TEXTS: [&str; 5] = [
    "above max value",
    "below min value",
    "min size constraint",
    "name not found",
    "Instance Id not found",
];

/// The codes by which EC2 Auto Scaling says that it does nothing now and may do it later.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetDesiredCapacity.html>
const LATER_CODES: [&str; 2] = ["ResourceContention", "ScalingActivityInProgress"];

/// What a failed write to a group comes to, where it was surely not applied.
pub(crate) fn refusal(failure: &Failure) -> Option<OutcomeResult> {
    if !failure.sent {
        return Some(OutcomeResult::OutOfTime);
    }
    let code = failure.code.as_deref()?;
    let gap = &failure.gap;
    if LATER_CODES.contains(&code) {
        return Some(OutcomeResult::Failed {
            operation: gap.operation.clone(),
            cause: gap.cause,
            detail: gap.detail.clone(),
        });
    }
    if code != VALIDATION_ERROR {
        return None;
    }
    let is_changed = CHANGED_TEXTS.iter().any(|text| gap.detail.contains(text));
    Some(if is_changed {
        precondition(gap.detail.clone())
    } else {
        OutcomeResult::Refused {
            detail: format!("{}: {}", gap.operation, gap.detail),
        }
    })
}
