//! May Ballast act, or only say what it would do?

use model::capacity::Consent;
use model::tracking::hold::AdviceReason;
use model::tracking::{Fleet, TrackingHoldReason, TrackingPolicy};

use super::Verdict;

/// Why Ballast only says what it would do; `None` where it may act.
///
/// Application Auto Scaling and Ballast would undo each other's changes; its scalable target was there first and is left to it.
/// <https://docs.aws.amazon.com/autoscaling/application/userguide/services-that-can-integrate-ecs.html>
pub(crate) fn only(fleet: &Fleet, policy: &TrackingPolicy) -> Option<AdviceReason> {
    match policy.consent {
        Consent::Advise => Some(AdviceReason::Tag),
        Consent::Act if fleet.primary.scaled_by_application_auto_scaling == Some(true) => {
            Some(AdviceReason::ApplicationAutoScaling)
        }
        Consent::Act => None,
    }
}

/// What it would come to, as a hold. The numbers stand in the hold itself, so that the line has none.
pub(crate) fn given(why: AdviceReason, fleet: &Fleet, verdict: &Verdict) -> Verdict {
    let would = match verdict {
        Verdict::Step(to, reason) => format!(
            "{}: {}, because {reason}",
            reason.as_str(),
            super::set(fleet, *to)
        ),
        Verdict::Hold(reason, _) => format!("{}: {reason}", reason.as_str()),
    };
    let until = match verdict {
        Verdict::Step(..) => None,
        Verdict::Hold(_, until) => *until,
    };
    Verdict::Hold(TrackingHoldReason::AdviceOnly { why, would }, until)
}
