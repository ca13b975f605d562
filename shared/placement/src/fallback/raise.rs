//! More is missing than the standby covers: raise it now, or wait?
//!
//! Waiting is right while it costs nothing (the tasks that go still serve, and Spot may replace them in time) and while the deficit
//! may be none of Spot's doing (a deployment, a scale-out in progress). It is wrong as soon as ECS says that Spot has no capacity, as
//! soon as a standby task started at the next look would be late, and for what has been missing for a while whatever the cause.
//!
//! Evidence reaches as far as it goes: a report of a shortage and a near deadline cover everything that is missing, because Spot is then
//! known to be short; tasks that Spot took a while ago cover their own number; what has lasted covers what has lasted, without the tasks
//! that still serve: their own deadline says when they are due.

use jiff::Timestamp;
use model::Seconds;
use model::memory::{Level, PairMemory};
use model::plan::{Counts, Evidence, HoldReason, StepReason};

use super::{Case, count, history, hold, start_up, step};
use crate::Verdict;

/// How long after its warning an interrupted task that has gone is evidence of a Spot shortage.
pub const SPOT_TOOK_TTL: Seconds = Seconds(300);

/// The leaving tasks and the moment up to which nothing is lost by waiting for their replacements.
struct Leaving {
    first_deadline: Timestamp,
    start_up: Seconds,
    /// `first_deadline − start-up − one schedule interval − margin`: a look later than this may have no later look in time.
    latest_moment: Timestamp,
}

/// Decides how far to raise now. `target` is above the standby's desired count and within its cap.
pub(crate) fn decide(case: &Case<'_>, target: u32, memory: Option<&PairMemory>) -> Verdict {
    let now = case.look.now;
    let Counts {
        deficit,
        leaving,
        standby_desired,
        ..
    } = case.counts;
    // What is missing already, and does not serve any more.
    let gone = deficit.saturating_sub(leaving);
    let leaving_tasks = leaving_tasks(case);
    let due = leaving_tasks
        .as_ref()
        .filter(|leaving| leaving.latest_moment <= now);
    let shortage = match memory {
        Some(memory) => memory.spot_shortage_at,
        None => history::reported(case.look).max(),
    };
    let taken = count::taken_lately(&case.look.pair.primary, SPOT_TOOK_TTL, now).min(gone);
    let lasted = memory.and_then(|memory| history::lasted(memory, case.policy.settle, now));
    // Without a settle time, what is missing has lasted long enough, whether or not it could be remembered.
    let at_once = (case.policy.settle == Seconds::ZERO).then_some(Level {
        tasks: deficit,
        at: now,
    });
    let lasted_most = lasted
        .filter(|level| level.tasks >= deficit)
        .or(at_once)
        .or(lasted);

    // How far each kind of evidence reaches, the strongest first; the first that reaches furthest is named.
    let reaches = [
        shortage.map(|reported_at| (target, Evidence::SpotShortage { reported_at })),
        due.map(|leaving| {
            let evidence = Evidence::DeadlineNear {
                first_deadline: leaving.first_deadline,
                latest_moment: leaving.latest_moment,
                start_up: leaving.start_up,
            };
            (target, evidence)
        }),
        Some((taken, Evidence::SpotTookTasks { tasks: taken })),
        lasted_most.map(|level| {
            let evidence = Evidence::Persisted {
                since: level.at,
                settle: case.policy.settle,
            };
            (level.tasks.min(gone), evidence)
        }),
    ];
    let mut best: Option<(u32, Evidence)> = None;
    for (reach, evidence) in reaches.into_iter().flatten() {
        let to = reach.min(target);
        if to > best.as_ref().map_or(standby_desired, |(best, _)| *best) {
            best = Some((to, evidence));
        }
    }
    if let Some((to, evidence)) = best {
        let reason = StepReason::Cover {
            counts: case.counts,
            evidence,
        };
        return step(case, to, reason);
    }
    wait(case, gone, leaving_tasks.as_ref(), memory)
}

/// Nothing may be raised yet: why, and until when.
fn wait(
    case: &Case<'_>,
    gone: u32,
    leaving: Option<&Leaving>,
    memory: Option<&PairMemory>,
) -> Verdict {
    let counts = case.counts;
    if let Some(leaving) = leaving.filter(|_| gone <= counts.standby_desired) {
        let reason = HoldReason::WaitingForDeadline {
            counts,
            first_deadline: leaving.first_deadline,
            start_up: leaving.start_up,
        };
        return hold(case.look, reason, Some(leaving.latest_moment));
    }
    let Some(memory) = memory else {
        return hold(case.look, HoldReason::MemoryUnavailable { counts }, None);
    };
    // The first step above what the standby covers is the first that can be covered.
    let since = memory
        .deficits
        .iter()
        .find(|level| level.tasks > counts.standby_desired)
        .map_or(case.look.now, |level| level.at);
    let settled_at = case.policy.settle.after(since);
    let until = leaving.map_or(settled_at, |leaving| settled_at.min(leaving.latest_moment));
    let reason = HoldReason::WaitingToSettle {
        counts,
        settle: case.policy.settle,
    };
    hold(case.look, reason, Some(until))
}

fn leaving_tasks(case: &Case<'_>) -> Option<Leaving> {
    let primary = &case.look.pair.primary;
    let first_deadline = count::first_deadline(primary, case.look.now)?;
    let start_up = start_up::start_up(primary, case.standby, case.policy);
    let lead = Seconds(
        start_up
            .0
            .saturating_add(case.look.installation.schedule_interval.0)
            .saturating_add(case.policy.margin.0),
    );
    Some(Leaving {
        first_deadline,
        start_up,
        latest_moment: lead.before(first_deadline),
    })
}
