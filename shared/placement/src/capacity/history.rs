//! How lately how many instances were wanted?
//!
//! A staircase answers exactly, with a few numbers instead of every look: "*n* instances were wanted as late as *t*". More covers the
//! lower steps; steps older than the scale-in delay fall away. It holds only while the provider is watched without a longer break: what
//! was wanted in a break is not known, so after one the watch starts again.
//!
//! Bounded: at most [`STEPS_MAX`] steps. Where there would be more, the two that lie closest together in time become one, on the careful
//! side: so many count as wanted more recently than they were.

use jiff::Timestamp;
use model::Seconds;
use model::capacity::ProviderMemory;
use model::memory::{Level, Watch};
use model::policy::Installation;

use super::foreign::READ_LAG;
use crate::fallback::history::INTERVALS_MISSED_MAX;

/// The most steps of the staircase.
pub const STEPS_MAX: usize = 32;

/// What a look adds.
pub(crate) struct Seen {
    /// How many instances are wanted.
    pub(crate) wanted: u32,
    /// Whether everything could be seen. If not, at least so many are wanted, and the provider was not watched.
    pub(crate) is_complete: bool,
    /// The scale-in delay.
    pub(crate) delay: Seconds,
    /// When.
    pub(crate) now: Timestamp,
}

/// Adds a look to the memory.
pub(crate) fn note(memory: &mut ProviderMemory, seen: &Seen, installation: &Installation) {
    let break_max = Seconds(
        installation
            .schedule_interval
            .0
            .saturating_mul(INTERVALS_MISSED_MAX),
    );
    // Two invocations may overlap: the one that looked first may remember last.
    let unbroken = memory.watched.filter(|watch| {
        watch.until <= READ_LAG.after(seen.now) && seen.now <= break_max.after(watch.until)
    });
    // What is remembered never goes back in time.
    let now = unbroken.map_or(seen.now, |watch| watch.until.max(seen.now));
    if unbroken.is_none() {
        memory.watched = None;
        memory.wanted.clear();
    }
    if !seen.is_complete && unbroken.is_none() {
        return;
    }
    let forgotten = forget(&mut memory.wanted, seen.delay, seen.now);
    add(&mut memory.wanted, seen.wanted, now);
    if !seen.is_complete {
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
}

/// Drops what fell out of the delay. Returns the time of the latest step that did: the watch counts only from there, should the delay be
/// made longer.
fn forget(wanted: &mut Vec<Level>, delay: Seconds, now: Timestamp) -> Option<Timestamp> {
    let is_old = |level: &Level| delay.after(level.at) <= now;
    let old = wanted.iter().filter(|level| is_old(level));
    let forgotten = old.map(|level| level.at).max();
    wanted.retain(|level| !is_old(level));
    forgotten
}

fn add(wanted: &mut Vec<Level>, instances: u32, now: Timestamp) {
    wanted.retain(|level| level.tasks > instances);
    // Fewer at the very time of more say nothing of their own.
    if wanted.last().is_none_or(|level| level.at < now) {
        wanted.push(Level {
            tasks: instances,
            at: now,
        });
    }
    while wanted.len() > STEPS_MAX
        && let Some(index) = closest(wanted)
    {
        let later = wanted.remove(index + 1);
        if let Some(level) = wanted.get_mut(index) {
            level.at = later.at;
        }
    }
}

/// The step whose successor is closest in time; the first of several.
fn closest(levels: &[Level]) -> Option<usize> {
    levels
        .windows(2)
        .enumerate()
        .filter_map(|(index, pair)| match pair {
            [a, b] => Some((b.at.duration_since(a.at), index)),
            _ => None,
        })
        .min()
        .map(|(_, index)| index)
}

/// The most instances that were wanted within the delay, as far as it was watched. 0 where nothing is remembered.
pub(crate) fn wanted_max(memory: &ProviderMemory) -> u32 {
    memory
        .wanted
        .iter()
        .map(|level| level.tasks)
        .max()
        .unwrap_or(0)
}

/// The moment from which on, if no more are wanted than now, fewer than `instances` will have been wanted for the whole delay. `None`
/// where nothing is watched.
pub(crate) fn unwanted_from(
    memory: &ProviderMemory,
    instances: u32,
    delay: Seconds,
) -> Option<Timestamp> {
    let watched = memory.watched?;
    let last_wanted = memory
        .wanted
        .iter()
        .filter(|level| level.tasks >= instances)
        .map(|level| level.at)
        .max();
    let from = last_wanted.map_or(watched.since, |at| at.max(watched.since));
    Some(delay.after(from))
}
