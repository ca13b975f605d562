//! May Ballast act, or only say what it would do?

use model::capacity::Consent;
use model::tracking::hold::AdviceReason;
use model::tracking::{Fleet, TrackingHoldReason, TrackingMemory, TrackingPolicy};

use super::Verdict;

/// Why Ballast only says what it would do; `None` where it may act.
///
/// Application Auto Scaling and Ballast would undo each other's changes; its scalable target was there first and is left to it. While it
/// does not answer, its last answer counts: where none is remembered, not even a raise may be right.
/// <https://docs.aws.amazon.com/autoscaling/application/userguide/services-that-can-integrate-ecs.html>
pub(crate) fn only(
    fleet: &Fleet,
    policy: &TrackingPolicy,
    memory: Option<&TrackingMemory>,
) -> Option<AdviceReason> {
    match policy.consent {
        Consent::Advise => Some(AdviceReason::Tag),
        Consent::Act => {
            let last = || memory.and_then(|it| it.scaled_by_application_auto_scaling);
            let answer = fleet.primary.scaled_by_application_auto_scaling;
            match answer.or_else(last) {
                Some(false) => None,
                Some(true) => Some(AdviceReason::ApplicationAutoScaling),
                None => Some(AdviceReason::ScalableTargetsUnknown),
            }
        }
    }
}

/// Remembers whether Application Auto Scaling scales the service.
pub(crate) fn note(memory: &mut TrackingMemory, fleet: &Fleet) {
    let answer = fleet.primary.scaled_by_application_auto_scaling;
    memory.scaled_by_application_auto_scaling =
        answer.or(memory.scaled_by_application_auto_scaling);
}

/// Whether somebody else may set the desired count, so that there is nothing to compare it with.
pub(crate) const fn leaves_to_others(why: AdviceReason) -> bool {
    match why {
        AdviceReason::Tag | AdviceReason::ApplicationAutoScaling => true,
        AdviceReason::ScalableTargetsUnknown => false,
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
