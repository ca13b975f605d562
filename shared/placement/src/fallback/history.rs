//! How long has how much been missing, and how lately was how much needed?
//!
//! Two staircases answer both questions exactly, with a few numbers instead of every look:
//!
//! - `deficits`: "at least *n* tasks have been missing since *t*". A smaller deficit cuts the higher steps off.
//! - `needs`: "*n* standby tasks were needed as late as *t*". A larger need covers the lower steps; steps older than the hold-down
//!   fall away.
//!
//! Both hold only while the pair is watched without a longer break: what happened in a break is not known, so after one the watch
//! starts again.
//!
//! Bounded: a staircase keeps at most [`STEPS_MAX`] steps. Where it would grow beyond, the two steps that lie closest together in time
//! become one, on the careful side: a deficit counts as younger, a need as more recent, than it was.

use jiff::Timestamp;
use model::Seconds;
use model::memory::{Level, PairMemory, Watch};
use model::trigger::{Hints, PlacementFailure};

use super::cause::{Cause, classify};
use super::{Case, Look, instances};
use crate::staircase;

pub use crate::staircase::{INTERVALS_MISSED_MAX, STEPS_MAX};

/// How long a reported lack of Spot capacity counts as evidence. ECS may keep quiet about further failures for hours, so this is
/// long. It is forgotten as soon as everything is ready; while replacements merely start, Spot may fail them too.
pub const SPOT_SHORTAGE_TTL: Seconds = Seconds(900);

/// Adds this look to the memory.
pub(crate) fn note(memory: &mut PairMemory, case: &Case<'_>) {
    let Look {
        installation, now, ..
    } = *case.look;
    memory.spot_shortage_at = spot_shortage_at(case, memory.spot_shortage_at);
    let all_read = case.look.pair.primary.all_to_run_read;
    let at_rest = case.counts.deficit == 0 && case.need == 0 && case.counts.standby_desired == 0;
    if at_rest && all_read {
        memory.watched = None;
        memory.deficits.clear();
        memory.needs.clear();
        memory.not_replaced = None;
        return;
    }
    let unbroken = staircase::unbroken(memory.watched, installation, now);
    // What is remembered never goes back in time.
    let looked_at = now;
    let now = unbroken.map_or(now, |watch| watch.until.max(now));
    if unbroken.is_none() {
        memory.watched = None;
        memory.deficits.clear();
        memory.needs.clear();
        memory.not_replaced = None;
    }
    if !all_read && (case.need == 0 || unbroken.is_none()) {
        // What is missing and needed is not known: at this look the pair was not watched.
        return;
    }
    let hold_down = case.policy.hold_down;
    let needs = &mut memory.needs;
    let forgotten = staircase::forget(needs, hold_down, looked_at);
    staircase::add(needs, case.need, now);
    if !all_read {
        // So much was needed for certain, perhaps more: no watch, but nothing to give back soon either.
        if let (Some(watch), Some(forgotten)) = (memory.watched.as_mut(), forgotten) {
            watch.since = watch.since.max(forgotten);
        }
        return;
    }
    let since = unbroken.map_or(now, |watch| watch.since);
    memory.watched = Some(Watch {
        since: forgotten.map_or(since, |at| at.max(since)),
        until: now,
    });
    note_deficit(&mut memory.deficits, case.counts.deficit, now);
    instances::note(memory, case, now);
}

/// The latest time at which ECS reported that Spot has no capacity for this primary, while that still counts.
fn spot_shortage_at(case: &Case<'_>, remembered: Option<Timestamp>) -> Option<Timestamp> {
    let now = case.look.now;
    let all_ready = case.counts.desired <= case.counts.ready;
    if all_ready && case.look.pair.primary.all_to_run_read {
        return None;
    }
    let remembered = remembered.filter(|at| now < SPOT_SHORTAGE_TTL.after(*at));
    reported(case.look).chain(remembered).max()
}

/// The Spot shortages that the triggers of this invocation report for the pair and that still count. An event without a time, or from
/// the future, counts as of now; one that comes too late proves nothing any more.
pub(crate) fn reported<'a>(look: &'a Look<'a>) -> impl Iterator<Item = Timestamp> + 'a {
    let Look {
        hints:
            Hints {
                placement_failures,
                launch_failures: _,
                notices: _,
                lifecycle_actions: _,
            },
        now,
        pair,
        ..
    } = *look;
    let primary = &pair.primary;
    let of_spot = move |failure: &PlacementFailure| {
        failure.service == primary.key && classify(failure, primary) == Cause::SpotCapacity
    };
    placement_failures
        .iter()
        .filter(move |(_, failure)| of_spot(failure))
        .map(move |(time, _)| time.unwrap_or(now).min(now))
        .filter(move |at| now < SPOT_SHORTAGE_TTL.after(*at))
}

fn note_deficit(deficits: &mut Vec<Level>, deficit: u32, now: Timestamp) {
    // The lowest step that is too high now tells since when this deficit has been exceeded.
    let since = deficits
        .iter()
        .find(|level| level.tasks >= deficit)
        .map_or(now, |level| level.at);
    // A lower step that is no older says nothing of its own.
    deficits.retain(|level| level.tasks < deficit && level.at < since);
    if deficit > 0 {
        deficits.push(Level {
            tasks: deficit,
            at: since,
        });
    }
    while deficits.len() > STEPS_MAX
        && let Some(index) = staircase::closest(deficits)
    {
        // Without the lower step, its tasks count as missing only since the next step: younger than they are.
        deficits.remove(index);
    }
}

/// The deficit that has lasted for the whole settle time, and since when; `None` where none has.
pub(crate) fn lasted(memory: &PairMemory, settle: Seconds, now: Timestamp) -> Option<Level> {
    memory
        .deficits
        .iter()
        .rev()
        .find(|level| settle.after(level.at) <= now)
        .copied()
}

/// The most standby tasks that were needed within the hold-down, as far as it was watched.
pub(crate) fn needed_max(memory: &PairMemory) -> u32 {
    staircase::most(&memory.needs)
}

/// The moment from which on, if nothing more is needed than now, fewer than `tasks` will have been needed for the whole hold-down.
/// `None` where nothing is watched.
pub(crate) fn unneeded_from(
    memory: &PairMemory,
    tasks: u32,
    hold_down: Seconds,
) -> Option<Timestamp> {
    staircase::below_from(&memory.needs, memory.watched, tasks, hold_down)
}
