//! More instances are needed than the group has: raise its desired capacity now?
//!
//! Nothing is raised while the group's `Launch` process is suspended, while launched instances do not register, and while the group has
//! not even launched what it was asked for and its launches fail: asking for more would only be more to get rid of later.

use jiff::Timestamp;
use model::capacity::{
    CapacityAction, CapacityHoldReason, CapacityStep, CapacityStepReason, CapacitySubject,
    ProviderMemory, Unplaceable,
};

use super::case::Case;

/// The process that launches instances.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html>
pub(crate) const LAUNCH: &str = "Launch";

/// What becomes of the group's size.
pub(crate) enum Size {
    Raise(Box<CapacityStep>),
    Stay(CapacityHoldReason, Option<Timestamp>),
}

/// Decides about `buy` more instances than the group is asked for, while `still_draining` of those it counts are on their way out.
pub(crate) fn decide(
    case: &Case<'_>,
    memory: &ProviderMemory,
    buy: u32,
    still_draining: u32,
) -> Size {
    let now = case.look.now;
    let group = case.group;
    if group.suspended_processes.contains(LAUNCH) {
        return Size::Stay(CapacityHoldReason::LaunchSuspended, None);
    }
    let stalled = memory.stalled.filter(|_| case.unregistered > 0);
    if let Some(stall) = stalled.filter(|stall| now < stall.until) {
        let reason = CapacityHoldReason::InstancesDoNotRegister {
            instances: case.unregistered,
            times: stall.times,
        };
        return Size::Stay(reason, Some(stall.until));
    }
    if stalled.is_some() && case.numbers.launching > 0 {
        // The one that is to tell is on its way.
        return Size::Stay(CapacityHoldReason::Launching, None);
    }
    if case.room.all_closed {
        return Size::Stay(no_pool_left(case), case.retry_at);
    }
    if let Some(reason) = launches_fail(case) {
        return Size::Stay(reason, case.retry_at);
    }
    if case.room.unborn > 0 && case.retry_at.is_some() {
        return Size::Stay(CapacityHoldReason::Launching, case.retry_at);
    }
    let step_max = if stalled.is_some() {
        // One tells whether instances register again.
        1
    } else {
        case.settings.step_max
    };
    let step = buy.max(case.settings.step_min).min(step_max);
    let to = group
        .desired_capacity
        .saturating_add(step)
        .min(group.max_size);
    if to <= group.desired_capacity {
        // The maximum has been reached, or lowered below what the group has: going down is not for a scale-out.
        let max = group.max_size;
        let lost = case.numbers.lost;
        return Size::Stay(CapacityHoldReason::AtMaximum { max, lost }, None);
    }
    let reason = match unknown_types(case) {
        // Nothing else can be said of the size before the first instance has told.
        Some(types) if group.desired_capacity == 0 => CapacityStepReason::Learn {
            numbers: case.numbers,
            types: types.clone(),
        },
        Some(_) | None => CapacityStepReason::ScaleOut {
            numbers: case.numbers,
            unplaced: case.unplaced.clone(),
            still_draining,
            short_by: case.asked.saturating_add(still_draining).saturating_sub(to),
        },
    };
    Size::Raise(Box::new(raise(case, to, reason)))
}

/// That nothing can be launched now, and why.
pub(crate) fn no_pool_left(case: &Case<'_>) -> CapacityHoldReason {
    CapacityHoldReason::NoPoolLeft {
        pools: case.room.closed,
        market: case.group.market,
        closed: case.closed.clone(),
    }
}

/// That the group was asked for more than it has launched and its latest launch failed; `None` where that is not so.
pub(crate) fn launches_fail(case: &Case<'_>) -> Option<CapacityHoldReason> {
    let failure = case.launches_fail.as_ref()?;
    (case.room.unborn > 0).then(|| CapacityHoldReason::LaunchesFail {
        cause: failure.cause.as_str().to_owned(),
        text: failure.text.clone(),
        since: failure.since,
    })
}

/// The names of the types where tasks wait and of no type is known what it offers.
fn unknown_types<'c>(case: &'c Case<'_>) -> Option<&'c String> {
    case.unplaced.iter().find_map(|it| match &it.why {
        Unplaceable::TypesUnknown { types } => Some(types),
        Unplaceable::TooLarge { .. }
        | Unplaceable::ConstraintNotMet { .. }
        | Unplaceable::ConstraintUnsupported { .. }
        | Unplaceable::NoPoolLeft { .. }
        | Unplaceable::HostPortTaken { .. }
        | Unplaceable::GroupAtMaximum { .. } => None,
    })
}

fn raise(case: &Case<'_>, to: u32, reason: CapacityStepReason) -> CapacityStep {
    CapacityStep {
        subject: CapacitySubject::Provider {
            provider: case.look.provider.key.clone(),
        },
        action: CapacityAction::SetDesiredCapacity {
            group: case.group.name.clone(),
            from: case.group.desired_capacity,
            to,
        },
        reason,
    }
}
