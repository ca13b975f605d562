//! What both histories are made of: a staircase of levels in time, and the watch that it holds for.
//!
//! A *falling* staircase answers "how much, as late as when" with a few numbers instead of every look: more covers the lower steps, and
//! what is older than the window falls away. It holds only while it is watched without a longer break: what happened in a break is not
//! known.
//!
//! Guaranteed: at most [`STEPS_MAX`] steps. Where there would be more, the two that lie closest together in time become one, on the
//! careful side: the higher level counts as recent as the lower one was.
//!
//! Absent: the rising staircase of deficits, which only one history needs; it shares [`closest`].

use jiff::Timestamp;
use model::Seconds;
use model::memory::{Level, Watch};
use model::policy::Installation;

use crate::fallback::foreign::READ_LAG;

/// The most steps of a staircase.
pub const STEPS_MAX: usize = 32;

/// How many schedule intervals may pass between two looks before the watch counts as broken: two lost looks are borne.
pub const INTERVALS_MISSED_MAX: i64 = 3;

/// The watch, if this look continues it.
///
/// Two invocations may overlap: the one that looked first may remember last, up to the function's timeout later, and finds a memory that
/// is ahead of its own look. That is no break. AWS's own times, in whole seconds and from hosts that differ a little, go back by less.
pub(crate) fn unbroken(
    watched: Option<Watch>,
    installation: &Installation,
    now: Timestamp,
) -> Option<Watch> {
    let interval = installation.schedule_interval.0;
    let break_max = Seconds(interval.saturating_mul(INTERVALS_MISSED_MAX));
    watched
        .filter(|watch| watch.until <= READ_LAG.after(now) && now <= break_max.after(watch.until))
}

/// Drops what fell out of the window. Returns the time of the latest step that did: what was so up to then is forgotten, so that the watch
/// counts only from there, should the window be made longer.
pub(crate) fn forget(
    falling: &mut Vec<Level>,
    window: Seconds,
    now: Timestamp,
) -> Option<Timestamp> {
    let is_old = |level: &Level| window.after(level.at) <= now;
    let old = falling.iter().filter(|level| is_old(level));
    let forgotten = old.map(|level| level.at).max();
    falling.retain(|level| !is_old(level));
    forgotten
}

/// Adds a level.
pub(crate) fn add(falling: &mut Vec<Level>, count: u32, now: Timestamp) {
    falling.retain(|level| level.tasks > count);
    // Less at the very time of more says nothing of its own.
    if falling.last().is_none_or(|level| level.at < now) {
        falling.push(Level {
            tasks: count,
            at: now,
        });
    }
    while falling.len() > STEPS_MAX
        && let Some(index) = closest(falling)
    {
        let later = falling.remove(index + 1);
        if let Some(level) = falling.get_mut(index) {
            // The higher level counts as recent as the lower one was.
            level.at = later.at;
        }
    }
}

/// The step whose successor is closest in time; the first of several.
pub(crate) fn closest(levels: &[Level]) -> Option<usize> {
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

/// The most within the window, as far as it was watched. 0 where nothing is remembered.
pub(crate) fn most(falling: &[Level]) -> u32 {
    falling.iter().map(|level| level.tasks).max().unwrap_or(0)
}

/// The moment from which on, if there is no more than now, less than `count` will have been for the whole window. `None` where nothing is
/// watched.
pub(crate) fn below_from(
    falling: &[Level],
    watched: Option<Watch>,
    count: u32,
    window: Seconds,
) -> Option<Timestamp> {
    let watched = watched?;
    let last = falling
        .iter()
        .filter(|level| level.tasks >= count)
        .map(|level| level.at)
        .max();
    let from = last.map_or(watched.since, |at| at.max(watched.since));
    Some(window.after(from))
}
