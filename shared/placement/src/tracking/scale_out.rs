//! More tasks: at once, in proportion to the load, as far as one step and the bounds let it.
//!
//! Neither a deployment, nor a gap, nor a ledger that does not answer stops a raise.

use model::Seconds;
use model::memory::Level;
use model::tracking::plan::Cap;
use model::tracking::{TargetName, TrackingHoldReason, TrackingStepReason};

use super::case::Case;
use super::pace::Need;
use super::{Verdict, placeable};

/// For so long the raises that follow one another go no further together than one step. Shorter than the schedule's interval, so that each
/// look may go a step further.
pub const STEP_PAUSE: Seconds = Seconds(30);

/// So many tasks one step may always add; as the Horizontal Pod Autoscaler has it.
/// <https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#default-behavior>
pub const STEP_TASKS_MIN: u32 = 4;

/// Fewer tasks are asked for than are allowed: as many are asked for as are allowed at the least, or as the load needs.
pub(crate) fn below_minimum(case: &Case<'_>) -> Option<Verdict> {
    let (desired, bounds) = (case.desired(), case.bounds.bounds);
    let least = bounds.min_tasks.min(bounds.max_tasks);
    if desired >= least {
        return None;
    }
    let needed = most_wanted(case).map_or(0, |(_, needed)| needed);
    let to = needed
        .min(step_limit(case))
        .min(bounds.max_tasks)
        .max(least);
    let reason = TrackingStepReason::BelowMinimum {
        bounds: case.bounds,
    };
    Some(Verdict::Step(to, reason))
}

/// A target's load needs more tasks than are asked for, by so much that the desired count follows.
pub(crate) fn decide(case: &Case<'_>) -> Option<Verdict> {
    let (desired, bounds) = (case.desired(), case.bounds.bounds);
    let (target, needed) = most_wanted(case)?;
    if needed <= desired {
        return None;
    }
    if bounds.max_tasks < desired {
        // More than allowed are asked for, and more than that are needed: it becomes what is allowed.
        return None;
    }
    if bounds.max_tasks == desired {
        return Some(Verdict::hold(TrackingHoldReason::AtMaximum {
            needed,
            bounds: case.bounds,
        }));
    }
    if let Some(hold) = placeable::limited(case, needed) {
        return Some(hold);
    }
    let limit = step_limit(case);
    if limit <= desired {
        let until = begun(case).map(|it| STEP_PAUSE.after(it.at));
        let reason = TrackingHoldReason::WaitingToRaise { needed };
        return Some(Verdict::Hold(reason, until));
    }
    let to = needed.min(limit).min(bounds.max_tasks);
    let capped_by = if to == needed {
        None
    } else if to == bounds.max_tasks {
        Some(Cap::Maximum)
    } else {
        Some(Cap::Step)
    };
    let is_forecast = case
        .needs()
        .find(|(name, _)| *name == target)
        .is_some_and(|(_, need)| need.needed < needed);
    let reason = TrackingStepReason::ScaleOut {
        target,
        needed,
        is_forecast,
        capped_by,
    };
    Some(Verdict::Step(to, reason))
}

/// The target that asks for the most, of equal ones the first by name, and how many tasks it asks for. Only those count whose load goes far
/// enough for the desired count to follow. Where somebody else asked for fewer, a load that is past is no reason to ask for more.
fn most_wanted(case: &Case<'_>) -> Option<(TargetName, u32)> {
    let turn = case.memory.as_ref().and_then(|it| it.turn);
    let foreign = case.memory.as_ref().and_then(|it| it.foreign);
    let was_lowered = foreign.is_some_and(|it| it.found < it.wrote);
    let raise = |need: &Need| {
        let (desired, pace) = (case.desired(), &case.policy.pace);
        if was_lowered {
            need.raise_by_newest(desired, turn, pace)
        } else {
            need.raise(desired, turn, pace)
        }
    };
    let wanted = case
        .needs()
        .filter_map(|(name, need)| Some((name, raise(need)?)));
    wanted.reduce(|most, it| if it.1 > most.1 { it } else { most })
}

/// From how many tasks the raises of the last moments began, where the last of them shows.
fn begun(case: &Case<'_>) -> Option<Level> {
    let memory = case.memory.as_ref()?;
    let begun = memory.raised?;
    let shows = memory.wrote.is_some_and(|it| it.to == case.desired());
    let is_recent = case.now < STEP_PAUSE.after(begun.at);
    (shows && is_recent && begun.tasks < case.desired()).then_some(begun)
}

/// How far a raise may go now.
fn step_limit(case: &Case<'_>) -> u32 {
    let base = begun(case).map_or(case.desired(), |it| it.tasks);
    // What somebody else took away is given back at once.
    let foreign = case.memory.as_ref().and_then(|it| it.foreign);
    let base = foreign.map_or(base, |it| it.wrote.max(base));
    let percent = u64::from(case.policy.pace.raise_max_percent);
    let share = u64::from(base).saturating_mul(percent) / 100;
    let share = u32::try_from(share).unwrap_or(u32::MAX);
    base.saturating_add(share.max(STEP_TASKS_MIN))
}
