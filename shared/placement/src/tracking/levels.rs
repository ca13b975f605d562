//! Which desired counts a service had lately, by the looks at it.
//!
//! Guaranteed: nothing is written while the count stays as it is.
//!
//! Absent: a count that no look found, because it changed twice between two; and when somebody else changed it, but for the first look
//! that found it so.

use jiff::Timestamp;
use model::Seconds;
use model::memory::Level;
use model::snapshot::Standby;
use model::tracking::{Fleet, TrackingMemory};

/// So long ago a count may have ended and be remembered still: longer than the longest peak that a forecast starts from, of periods of a
/// minute that are new enough, with the longest warm-up before it.
const KEPT_FOR: Seconds = Seconds(4_800);

/// So many are kept at most: one a minute for half an hour.
const KEPT_MAX: usize = 30;

/// Notes the desired counts that a look found.
pub(crate) fn note(memory: &mut TrackingMemory, fleet: &Fleet, now: Timestamp) {
    let found = fleet.primary.desired_count;
    // Ballast's own write is as old as it is, and not as the first look that finds it.
    let own = memory.wrote.filter(|it| it.to == found).map(|it| it.at);
    let last = memory.levels.last().map(|it| it.at);
    let since = own.filter(|at| last.is_none_or(|last| last < *at));
    add(&mut memory.levels, found, since.unwrap_or(now), now);
    match &fleet.standby {
        Some(Standby::Present(standby)) => {
            add(&mut memory.standby_levels, standby.desired_count, now, now);
        }
        Some(Standby::Missing | Standby::Unknown) | None => {}
    }
}

/// Adds a count. What is too old goes when there is something new.
fn add(levels: &mut Vec<Level>, found: u32, since: Timestamp, now: Timestamp) {
    if levels.last().is_some_and(|it| it.tasks == found) {
        return;
    }
    levels.push(Level {
        tasks: found,
        at: since,
    });
    let oldest = KEPT_FOR.before(now);
    let ended = levels.iter().skip(1).filter(|it| it.at <= oldest).count();
    let too_many = levels.len().saturating_sub(KEPT_MAX);
    levels.drain(..ended.max(too_many));
}

/// The most tasks that were asked for since a time.
pub(crate) fn asked_since(memory: &TrackingMemory, from: Timestamp) -> Option<u32> {
    let levels = memory.levels.iter();
    levels_within(&memory.levels, levels, from).max()
}

/// The fewest tasks that were asked for between two times. Before the first count that is known as many as then.
pub(crate) fn least(levels: &[Level], from: Timestamp, until: Timestamp) -> Option<u32> {
    let begun = levels.iter().take(1);
    let later = levels.iter().skip(1).take_while(|it| it.at < until);
    levels_within(levels, begun.chain(later), from).min()
}

/// Those of some of the counts that had not ended by a time.
fn levels_within<'a>(
    levels: &'a [Level],
    some: impl Iterator<Item = &'a Level>,
    from: Timestamp,
) -> impl Iterator<Item = u32> {
    let ends = levels.iter().skip(1).map(|it| Some(it.at));
    let ends = ends.chain(std::iter::once(None));
    let lasts = move |end: &Option<Timestamp>| end.is_none_or(|end| from < end);
    some.zip(ends)
        .filter(move |(_, end)| lasts(end))
        .map(|(level, _)| level.tasks)
}
