//! How lately how many instances were wanted?
//!
//! A falling staircase answers exactly (`staircase.rs`): "*n* instances were wanted as late as *t*". Steps older than the scale-in
//! delay fall away.

use jiff::Timestamp;
use model::Seconds;
use model::capacity::ProviderMemory;
use model::memory::Watch;
use model::policy::Installation;

use crate::staircase;

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
    let unbroken = staircase::unbroken(memory.watched, installation, seen.now);
    // What is remembered never goes back in time.
    let now = unbroken.map_or(seen.now, |watch| watch.until.max(seen.now));
    if unbroken.is_none() {
        memory.watched = None;
        memory.wanted.clear();
    }
    if !seen.is_complete && unbroken.is_none() {
        return;
    }
    let forgotten = staircase::forget(&mut memory.wanted, seen.delay, seen.now);
    staircase::add(&mut memory.wanted, seen.wanted, now);
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

/// The most instances that were wanted within the delay, as far as it was watched. 0 where nothing is remembered.
pub(crate) fn wanted_max(memory: &ProviderMemory) -> u32 {
    staircase::most(&memory.wanted)
}

/// The moment from which on, if no more are wanted than now, fewer than `instances` will have been wanted for the whole delay. `None`
/// where nothing is watched.
pub(crate) fn unwanted_from(
    memory: &ProviderMemory,
    instances: u32,
    delay: Seconds,
) -> Option<Timestamp> {
    staircase::below_from(&memory.wanted, memory.watched, instances, delay)
}
