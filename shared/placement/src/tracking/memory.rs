//! What is remembered of Ballast's own writes.

use jiff::Timestamp;
use model::memory::Write;
use model::tracking::{Direction, TrackingMemory, Turn};

/// A change is about to be made: it is announced in the ledger before.
pub(crate) fn announce(memory: &mut TrackingMemory, from: u32, to: u32, now: Timestamp) {
    memory.wrote = Some(Write {
        from,
        to,
        at: now,
        confirmed: false,
    });
    memory.turn = Some(turned(memory.turn, from, to, now));
}

/// The last change, now that there is one more.
pub(crate) fn turned(before: Option<Turn>, from: u32, to: u32, now: Timestamp) -> Turn {
    let direction = if to > from {
        Direction::Out
    } else {
        Direction::In
    };
    let since = before
        .filter(|turn| turn.direction == direction)
        .map_or(now, |turn| turn.since);
    Turn {
        direction,
        since,
        at: now,
    }
}

/// Where Ballast does not write, everybody else may: there is nothing to compare with.
pub(crate) fn forget_writes(memory: &mut TrackingMemory) {
    memory.wrote = None;
    memory.foreign = None;
    memory.turn = None;
}
