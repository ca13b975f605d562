//! Fewer tasks: only with everything known, only to what was needed for the whole of the window, and not soon after a raise.

use jiff::Timestamp;
use model::Seconds;
use model::plan::Role;
use model::tracking::{
    Direction, Measures, Target, TargetName, TrackingHoldReason, TrackingStepReason,
};

use super::case::{Case, Tracked};
use super::pace::{Lower, Need, Waits};
use super::{Verdict, foreign, placeable};

/// More tasks are asked for than are allowed: it becomes what is allowed, or fewer where fewer are needed. What somebody else set is kept
/// from a maximum too: a maximum that leaves as many takes nothing of it, and is kept to at once; one that does not waits.
pub(crate) fn above_maximum(case: &Case<'_>) -> Option<Verdict> {
    let most = case.bounds.bounds.max_tasks;
    if case.desired() <= most {
        return None;
    }
    match decide(case) {
        step @ Verdict::Step(to, _) if to <= most => return Some(step),
        Verdict::Step(..) | Verdict::Hold(..) => {}
    }
    let vetoed = unseen(case).or_else(|| deployment(case)).or_else(|| {
        let foreign = foreign::in_force(case).filter(|(found, _)| most < *found);
        foreign.map(|(_, hold)| hold)
    });
    Some(vetoed.unwrap_or_else(|| {
        let reason = TrackingStepReason::AboveMaximum {
            bounds: case.bounds,
        };
        Verdict::Step(most, reason)
    }))
}

/// No target needs more; whether all need fewer, and whether that may be followed.
pub(crate) fn decide(case: &Case<'_>) -> Verdict {
    if case.desired() == 0 && case.bounds.bounds.max_tasks == 0 {
        // Nothing is measured of a service without tasks, and nothing need be: it is to run none.
        let bounds = case.bounds;
        return Verdict::hold(TrackingHoldReason::AtMinimum { bounds });
    }
    if let Some(hold) = not_known(case) {
        return hold;
    }
    let mut to = 0;
    let mut not_until: Option<(Timestamp, Waits)> = None;
    let mut forecast = None;
    let mut incomplete = Vec::new();
    for target in &case.targets {
        match target.need.as_ref().map(|it| lower(case, it)) {
            Some(Lower::To(count)) => to = to.max(count),
            Some(Lower::NotUntil(at, waits)) => not_until = not_until.max(Some((at, waits))),
            Some(Lower::NotKnown) => incomplete.push(target),
            Some(Lower::NotByForecast(needed)) => forecast = forecast.max(Some(needed)),
            Some(Lower::No) | None => {
                return Verdict::hold(TrackingHoldReason::OnTarget { forecast: None });
            }
        }
    }
    if forecast.is_some() {
        return Verdict::hold(TrackingHoldReason::OnTarget { forecast });
    }
    let bounds = case.bounds;
    let to = to.max(bounds.bounds.min_tasks);
    if case.desired() <= bounds.bounds.min_tasks {
        return Verdict::hold(TrackingHoldReason::AtMinimum { bounds });
    }
    unseen(case)
        .or_else(|| window_incomplete(case, &incomplete))
        .or_else(|| not_until.map(|(until, waits)| waiting(case, until, waits)))
        .or_else(|| deployment(case))
        .or_else(|| turning(case))
        .or_else(|| starting(case))
        .unwrap_or_else(|| lowered(case, to))
}

/// As far as somebody else's change and the tasks that run let it.
fn lowered(case: &Case<'_>, to: u32) -> Verdict {
    let foreign = foreign::in_force(case);
    let to = foreign.as_ref().map_or(to, |(found, _)| to.max(*found));
    if let Some((_, hold)) = foreign.filter(|_| case.desired() <= to) {
        return hold;
    }
    nothing_to_spare(case, to).unwrap_or_else(|| {
        let needed_max = most(case, Need::window_max);
        let reason = TrackingStepReason::ScaleIn {
            needed_max,
            forecast: Some(most(case, Need::needed_max)).filter(|it| needed_max < *it),
            window: case.policy.pace.scale_in_window,
        };
        Verdict::Step(to, reason)
    })
}

fn lower(case: &Case<'_>, need: &Need) -> Lower {
    let turn = case.memory.as_ref().and_then(|it| it.turn);
    need.lower(case.desired(), turn, &case.policy.pace)
}

/// Targets that lead nowhere, or without a value that is new enough: what is known needs no more, and that is all.
fn not_known(case: &Case<'_>) -> Option<Verdict> {
    if !case.unfollowed.is_empty() {
        return Some(Verdict::hold(TrackingHoldReason::Unfollowed {
            targets: case.unfollowed.clone(),
        }));
    }
    let targets = case.unknown();
    if targets.is_empty() {
        return None;
    }
    let is_unread = case.targets.iter().any(|it| it.is_unread);
    Some(Verdict::hold(if is_unread && !case.gaps.is_empty() {
        TrackingHoldReason::SnapshotIncomplete {
            gaps: case.gaps.clone(),
        }
    } else if targets.len() == case.targets.len() {
        TrackingHoldReason::NoData {
            targets,
            may_be_idle: !is_unread && may_be_idle(case),
        }
    } else {
        TrackingHoldReason::TargetsUnknown { targets }
    }))
}

/// Whether no value may mean no load: nothing could be lowered, and every target measures the whole fleet. SQS publishes nothing of a queue
/// that nobody has called for six hours.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html>
fn may_be_idle(case: &Case<'_>) -> bool {
    let is_total = |it: &Target| match it.measures {
        Measures::Total => true,
        Measures::PerTask => false,
    };
    case.desired() <= case.bounds.bounds.min_tasks && case.policy.targets.values().all(is_total)
}

/// What was remembered, and what was observed, must be whole.
fn unseen(case: &Case<'_>) -> Option<Verdict> {
    if case.memory.is_none() {
        return Some(Verdict::hold(TrackingHoldReason::MemoryUnknown));
    }
    if case.gaps.is_empty() {
        return None;
    }
    Some(Verdict::hold(TrackingHoldReason::SnapshotIncomplete {
        gaps: case.gaps.clone(),
    }))
}

fn window_incomplete(case: &Case<'_>, incomplete: &[&Tracked]) -> Option<Verdict> {
    if incomplete.is_empty() {
        return None;
    }
    let targets: Vec<TargetName> = incomplete.iter().map(|it| it.name).collect();
    let unusable = incomplete.iter().map(|it| it.unusable);
    let resolution = case.fleet.resolution;
    let follows_tasks = |it: &TargetName| match it {
        TargetName::Cpu | TargetName::Memory => true,
        TargetName::Requests | TargetName::Alarm => false,
    };
    let is_often = resolution < Seconds(60) && targets.iter().any(follows_tasks);
    Some(Verdict::hold(TrackingHoldReason::WindowIncomplete {
        targets,
        window: case.policy.pace.scale_in_window,
        unusable: unusable.fold(0, u32::saturating_add),
        resolution: is_often.then_some(resolution),
    }))
}

/// More was needed, or will be: what lasts the longest is said.
fn waiting(case: &Case<'_>, until: Timestamp, waits: Waits) -> Verdict {
    let pace = &case.policy.pace;
    let reason = match waits {
        Waits::Window => TrackingHoldReason::WaitingForWindow {
            needed_max: most(case, Need::window_max),
            window: pace.scale_in_window,
        },
        Waits::Peak {
            at,
            load_milli_tasks,
            needed,
        } => TrackingHoldReason::WaitingForPeak {
            forecast: needed,
            peak_milli_tasks: load_milli_tasks,
            peak_at: at,
            forecast_peak: pace.forecast_peak,
        },
    };
    Verdict::Hold(reason, Some(until))
}

/// While an older deployment's tasks are replaced, the count is more than what serves.
fn deployment(case: &Case<'_>) -> Option<Verdict> {
    let runs = case.fleet.primary.deployment_running();
    runs.then(|| {
        Verdict::hold(TrackingHoldReason::DeploymentRunning {
            service: Role::Primary,
        })
    })
}

/// A raise is kept for a time.
fn turning(case: &Case<'_>) -> Option<Verdict> {
    let turn = case.memory.as_ref()?.turn?;
    let turn_hold = case.policy.pace.turn_hold;
    let until = turn_hold.after(turn.at);
    let holds = turn.direction == Direction::Out && case.now < until;
    holds.then(|| {
        let reason = TrackingHoldReason::WaitingToTurn { turn, turn_hold };
        Verdict::Hold(reason, Some(until))
    })
}

/// Tasks on their way have not taken their share of the load yet. Those that do not come take none.
fn starting(case: &Case<'_>) -> Option<Verdict> {
    let are = placeable::on_their_way(case) != (0, 0);
    are.then_some(Verdict::hold(TrackingHoldReason::TasksStarting))
}

/// Tasks that cannot keep up show no more load than they can take: the fewer that are asked for must run at least.
fn nothing_to_spare(case: &Case<'_>, to: u32) -> Option<Verdict> {
    let numbers = &case.numbers;
    let run = numbers.running.saturating_add(numbers.standby_running);
    (run < to).then_some(Verdict::hold(TrackingHoldReason::NothingToSpare {
        needed: to,
    }))
}

/// The most of what is known of the targets' needs.
fn most(case: &Case<'_>, of: impl Fn(&Need) -> Option<u32>) -> u32 {
    let needs = case.needs().filter_map(|(_, need)| of(need));
    needs.max().unwrap_or(0)
}
