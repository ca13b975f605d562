//! After acting: what to remember, given what became of each step of one group.
//!
//! Guaranteed: an instance that may be DRAINING by Ballast's hand is remembered as such, and one that certainly is not is not; a
//! heartbeat, and a completed action, are remembered only when AWS has accepted them, so that a lost answer costs one call more and never
//! a wait.
//!
//! | became of it | drain | taken back | heartbeat, completion |
//! |---|---|---|---|
//! | done | confirmed | the drain is forgotten, the reversal remembered | remembered |
//! | already so | the instance is gone, or was DRAINING when ECS refused: as before, but why it leaves | as done | a completion is: the action is over |
//! | certainly did not | as before | the reversal is forgotten | as before |
//! | not certain | stays announced | both stay remembered | as before |

use jiff::Timestamp;
use model::drain::{
    CauseKind, Departure, DepartureCause, DrainAction, DrainMemory, DrainStep, DrainStepReason,
    OwnDrain, Reversal,
};
use model::ids::InstanceId;
use model::outcome::{Outcome, OutcomeResult};

use super::causes::{MAINTENANCE_OVER, set, set_later};
use super::said::{change_maintenance, choose_maintenance, last_said, maintenance_of};
use crate::fallback::foreign::READ_LAG;

/// What to remember of a group after its steps were carried out, or were not.
///
/// `before` is what was recalled, `planned` what was announced before acting. `outcomes` are those of this group's steps; the order does
/// not matter. What was carried out without an announcement is remembered as well: `before` and `planned` are what was found afterwards then, and what
/// another invocation has remembered since stays.
#[must_use]
pub fn settle(
    before: &DrainMemory,
    planned: &DrainMemory,
    outcomes: &[Outcome<DrainStep>],
    now: Timestamp,
) -> DrainMemory {
    let mut memory = planned.clone();
    for outcome in outcomes {
        let effect = outcome.took_effect();
        let is_so_already = outcome.result == OutcomeResult::AlreadySo;
        match &outcome.step.action {
            DrainAction::Drain {
                cluster, instance, ..
            } => {
                if effect == Some(false) || is_so_already {
                    own_drain_as_before(&mut memory, before, instance);
                    if is_so_already {
                        let departure = memory.departures.entry(instance.clone()).or_default();
                        departure.draining_since.get_or_insert(now);
                        if let Some(why) = why(&outcome.step.reason) {
                            remember(departure, why, now);
                        }
                    }
                } else {
                    let is_done = effect == Some(true);
                    drained(&mut memory, &outcome.step, instance, is_done, now);
                    if let Some(departure) = memory.departures.get_mut(instance) {
                        departure.drained_in = Some(cluster.clone());
                    }
                }
            }
            DrainAction::Activate { instance, .. } => match effect {
                Some(true) => activated(&mut memory, &outcome.step, instance, now),
                Some(false) => reversal_as_before(&mut memory, before, instance),
                None => {}
            },
            DrainAction::RecordHeartbeat { instance, .. } => {
                if effect == Some(true) && !is_so_already {
                    let departure = memory.departures.entry(instance.clone()).or_default();
                    departure.heartbeat_at = departure.heartbeat_at.max(Some(now));
                }
            }
            DrainAction::CompleteLifecycleAction { instance, .. } => {
                if effect == Some(true) {
                    let departure = memory.departures.entry(instance.clone()).or_default();
                    departure.completed_at = departure.completed_at.max(Some(now));
                }
            }
            DrainAction::StopTask { .. } => {}
        }
    }
    memory
}

/// The instance is DRAINING by Ballast's hand, or may be.
fn drained(
    memory: &mut DrainMemory,
    step: &DrainStep,
    instance: &InstanceId,
    is_done: bool,
    now: Timestamp,
) {
    let Some(why) = why(&step.reason) else {
        return;
    };
    let departure = memory.departures.entry(instance.clone()).or_default();
    remember(departure, why, now);
    // What was drained before an answer of AWS could be as old as that took tasks again since.
    if departure
        .own_drain
        .is_some_and(|it| READ_LAG.after(it.at) < now)
    {
        departure.end_own_drain();
    }
    let own = departure.own_drain.get_or_insert(OwnDrain {
        at: now,
        cause: why.kind(),
        confirmed: false,
    });
    own.confirmed |= is_done;
}

/// What an instance was drained for.
const fn why(reason: &DrainStepReason) -> Option<&DepartureCause> {
    match reason {
        DrainStepReason::Leaving { why, .. } | DrainStepReason::Selective { why, .. } => Some(why),
        DrainStepReason::CauseGone { .. }
        | DrainStepReason::LastMoment { .. }
        | DrainStepReason::TasksLeft { .. }
        | DrainStepReason::Drained { .. }
        | DrainStepReason::DeadlineReached { .. }
        | DrainStepReason::NothingToWaitFor { .. } => None,
    }
}

/// Remembers why an instance leaves, which nobody can read again. Of two announcements the later counts; of what lasts, its begin; of several
/// maintenances each, unless it was called off meanwhile.
fn remember(departure: &mut Departure, why: &DepartureCause, now: Timestamp) {
    match why.kind() {
        CauseKind::Terminating | CauseKind::AgentLost => {
            if departure.cause(why.kind()).is_none() {
                set(departure, why.clone());
            }
        }
        CauseKind::SpotInterruption
        | CauseKind::CapacityReservationInterruption
        | CauseKind::Stopping
        | CauseKind::Rebalance => set_later(departure, why.clone()),
        CauseKind::Maintenance => remember_maintenance(departure, why, now),
    }
}

/// What was spoken of and is not known any more was called off.
fn remember_maintenance(departure: &mut Departure, why: &DepartureCause, now: Timestamp) {
    let Some((key, starts_at)) = maintenance_of(why) else {
        return;
    };
    let is_spoken_of = last_said(departure, &key).is_some();
    change_maintenance(departure, |all| {
        let known = all.keys().find(|it| it.may_be(&key)).cloned();
        match known.and_then(|it| all.remove_entry(&it)) {
            Some((known, at)) => {
                let has_event = key.health_event.is_some();
                let key = if has_event { key } else { known };
                all.insert(key, at.max(starts_at));
            }
            None if is_spoken_of => {}
            None => _ = all.insert(key, starts_at),
        }
    });
    choose_maintenance(departure, None, MAINTENANCE_OVER, now);
}

/// The instance takes tasks again.
fn activated(memory: &mut DrainMemory, step: &DrainStep, instance: &InstanceId, now: Timestamp) {
    if let Some(departure) = memory.departures.get_mut(instance) {
        departure.end_own_drain();
        departure.draining_since = None;
        if *departure == Departure::default() {
            memory.departures.remove(instance);
        }
    }
    if let DrainStepReason::CauseGone { cause, .. } = &step.reason {
        let cause = *cause;
        let reversal = Reversal { at: now, cause };
        memory.reversed.entry(instance.clone()).or_insert(reversal);
    }
}

fn own_drain_as_before(memory: &mut DrainMemory, before: &DrainMemory, instance: &InstanceId) {
    let of_before = before.departures.get(instance);
    if let Some(departure) = memory.departures.get_mut(instance) {
        departure.own_drain = of_before.and_then(|it| it.own_drain);
        departure.drained_in = of_before.and_then(|it| it.drained_in.clone());
        departure.left_at = of_before.and_then(|it| it.left_at);
        if *departure == Departure::default() {
            memory.departures.remove(instance);
        }
    }
}

fn reversal_as_before(memory: &mut DrainMemory, before: &DrainMemory, instance: &InstanceId) {
    match before.reversed.get(instance) {
        Some(reversal) => {
            memory.reversed.insert(instance.clone(), *reversal);
        }
        None => {
            memory.reversed.remove(instance);
        }
    }
}
