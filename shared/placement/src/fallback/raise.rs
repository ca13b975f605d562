//! More is missing than the standby covers: raise it now, or wait?
//!
//! Waiting is right while it costs nothing (the tasks that go still serve, and Spot may replace them in time) and while the deficit
//! may be none of Spot's doing (a deployment, a scale-out in progress). It is wrong as soon as ECS says that Spot has no capacity, as
//! soon as a standby task started at the next look would be late, and for what has been missing for a while whatever the cause.
//!
//! Evidence reaches as far as it goes: a report of a shortage, a near deadline and reports of no room that go on and on cover everything that
//! is missing, because Spot is then known to be short. Everything else adds up, each missing task once: tasks that leave with their instances
//! and that ECS cannot or does not replace, tasks that Spot took lately and that were not replaced, tasks that do not start, and what has
//! lasted the settle time; the last three without the tasks that still serve, of which their own deadline or their instance tells. The sum does
//! not depend on what the standby covers already, so that a raise that was carried out leaves nothing to do.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::Seconds;
use model::memory::{Level, PairMemory};
use model::plan::{Evidence, HoldReason, StepReason};
use model::policy::PairPolicy;

use super::{Case, count, history, hold, instances, start_up, step};
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

/// Tasks that leave with their instances and that ECS cannot or does not replace.
struct Draining {
    tasks: u32,
    no_room_at: Option<Timestamp>,
    not_replaced_since: Option<Timestamp>,
}

/// What speaks for raising without a report about Spot itself and without a deadline.
struct Weight {
    draining: Draining,
    taken: u32,
    overdue: u32,
    lasted: Option<Level>,
    reach: u32,
}

/// Adds the evidence up, as it is at `now`.
///
/// Tasks that became missing within the settle time are not among those that have lasted it, so that both count. Of the older ones it is
/// not known whether they are; the larger of the two sums is certain.
fn weigh(case: &Case<'_>, memory: Option<&PairMemory>, now: Timestamp) -> Weight {
    let (primary, policy) = (&case.look.pair.primary, case.policy);
    let gone = count::gone(case.counts);
    // Without a settle time, what is missing has lasted long enough, whether or not it could be remembered.
    let at_once = (policy.settle == Seconds::ZERO).then_some(Level {
        tasks: case.counts.deficit,
        at: now,
    });
    let lasted = memory.and_then(|memory| history::lasted(memory, policy.settle, now));
    let lasted = lasted
        .filter(|level| level.tasks >= case.counts.deficit)
        .or(at_once)
        .or(lasted);
    let taken = count::taken_lately(primary, SPOT_TOOK_TTL, now);
    let overdue = count::overdue(primary, policy, None, now);
    let window = policy.settle.min(SPOT_TOOK_TTL);
    let taken_fresh = count::taken_lately(primary, window, now).min(taken);
    let overdue_fresh = count::overdue(primary, policy, Some(policy.settle), now);
    let lasted_and_fresh = lasted
        .map_or(0, |level| level.tasks)
        .saturating_add(taken_fresh)
        .saturating_add(overdue_fresh);
    let draining = draining(case, memory, now);
    let of_gone = gone.min(lasted_and_fresh.max(taken.saturating_add(overdue)));
    Weight {
        taken: taken.min(gone),
        overdue: overdue.min(gone),
        lasted,
        reach: of_gone.saturating_add(draining.tasks),
        draining,
    }
}

/// The tasks that leave with their instances, as far as the cause of the drain is told: ECS says that it has no room for a replacement,
/// or has started none for a while.
fn draining(case: &Case<'_>, memory: Option<&PairMemory>, now: Timestamp) -> Draining {
    let since = memory.and_then(|memory| instances::not_replaced_since(case, memory));
    let not_replaced_since = since.filter(|since| instances::REPLACEMENT_LAG.after(*since) <= now);
    let no_room_at = instances::no_room_at(case.look);
    let is_told = no_room_at.is_some() || not_replaced_since.is_some();
    let tasks = count::not_replaced(&case.look.pair.primary, case.counts);
    Draining {
        tasks: if is_told { tasks } else { 0 },
        no_room_at,
        not_replaced_since,
    }
}

impl Weight {
    /// What is named for raising to `to`: the evidence that says most about the cause.
    fn evidence(&self, to: u32, policy: &PairPolicy) -> Option<Evidence> {
        let (taken, overdue) = (self.taken, self.overdue);
        let draining = &self.draining;
        if draining.tasks > 0 {
            return Some(Evidence::SpotInstancesDraining {
                tasks: draining.tasks,
                others: to.saturating_sub(draining.tasks),
                no_room_at: draining.no_room_at,
                not_replaced_since: draining.not_replaced_since,
            });
        }
        if taken > 0 {
            return Some(Evidence::SpotTookTasks {
                tasks: taken,
                others: to.saturating_sub(taken),
            });
        }
        if overdue > 0 {
            return Some(Evidence::Overdue {
                tasks: overdue,
                others: to.saturating_sub(overdue),
                start_grace: policy.start_grace,
            });
        }
        self.lasted.map(|level| Evidence::Persisted {
            since: level.at,
            settle: policy.settle,
        })
    }
}

/// Decides how far to raise now. `target` is above the standby's desired count and within its cap.
pub(crate) fn decide(case: &Case<'_>, target: u32, memory: Option<&PairMemory>) -> Verdict {
    let now = case.look.now;
    let leaving_tasks = leaving_tasks(case);
    let due = leaving_tasks
        .as_ref()
        .filter(|leaving| leaving.latest_moment <= now);
    let shortage = match memory {
        Some(memory) => memory.spot_shortage_at,
        None => history::reported(case.look).max(),
    };
    let weight = weigh(case, memory, now);
    let (to, evidence) = if let Some(reported_at) = shortage {
        (target, Some(Evidence::SpotShortage { reported_at }))
    } else if let Some(leaving) = due {
        let evidence = Evidence::DeadlineNear {
            first_deadline: leaving.first_deadline,
            latest_moment: leaving.latest_moment,
            start_up: leaving.start_up,
        };
        (target, Some(evidence))
    } else if let Some((since, latest)) = instances::short(case) {
        (target, Some(Evidence::SpotInstancesShort { since, latest }))
    } else {
        let to = weight.reach.min(target);
        (to, weight.evidence(to, case.policy))
    };
    match evidence {
        Some(evidence) if to > case.counts.standby_desired => {
            let reason = StepReason::Cover {
                counts: case.counts,
                evidence,
            };
            step(case, to, reason)
        }
        _ => wait(case, leaving_tasks.as_ref(), memory),
    }
}

/// Nothing may be raised yet: why, and until when.
fn wait(case: &Case<'_>, leaving: Option<&Leaving>, memory: Option<&PairMemory>) -> Verdict {
    let counts = case.counts;
    if let Some(leaving) = leaving.filter(|_| count::gone(counts) <= counts.standby_desired) {
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
    let settled_at = settled_at(case, memory);
    let until = leaving.map_or(settled_at, |leaving| settled_at.min(leaving.latest_moment));
    let draining = count::not_replaced(&case.look.pair.primary, counts);
    if draining > 0 && count::gone(counts) <= counts.standby_desired {
        let since = instances::not_replaced_since(case, memory);
        let until = since.map(|since| instances::REPLACEMENT_LAG.after(since));
        let reason = HoldReason::WaitingForReplacements { counts, draining };
        return hold(case.look, reason, until);
    }
    let reason = HoldReason::WaitingToSettle {
        counts,
        settle: case.policy.settle,
    };
    hold(case.look, reason, Some(until))
}

/// The first moment at which, if nothing changes, the evidence reaches further than the standby does: something has lasted by then, or a
/// task is overdue.
fn settled_at(case: &Case<'_>, memory: &PairMemory) -> Timestamp {
    let now = case.look.now;
    let settle = case.policy.settle;
    let lasts = memory.deficits.iter().map(|level| settle.after(level.at));
    let tasks = case.look.pair.primary.tasks.iter();
    let overdue = tasks.filter_map(|task| count::overdue_at(task, case.policy));
    let not_replaced = instances::not_replaced_since(case, memory);
    let told = not_replaced.map(|since| instances::REPLACEMENT_LAG.after(since));
    let moments = lasts.chain(overdue).chain(told);
    let moments: BTreeSet<Timestamp> = moments.filter(|at| *at > now).collect();
    moments
        .into_iter()
        .find(|at| weigh(case, Some(memory), *at).reach > case.counts.standby_desired)
        .unwrap_or_else(|| settle.after(now))
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
