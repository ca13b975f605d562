//! What is remembered of Ballast's own writes.

use jiff::Timestamp;
use model::memory::{Level, Write};
use model::tracking::{Direction, TrackingMemory, TrackingStep, TrackingStepReason, Turn};

use super::scale_out::STEP_PAUSE;

/// A change is about to be made: it is announced in the ledger before.
pub(crate) fn announce(memory: &mut TrackingMemory, step: &TrackingStep, now: Timestamp) {
    let (from, to) = step.counts();
    memory.wrote = Some(Write {
        from,
        to,
        at: now,
        confirmed: false,
    });
    if from < to {
        let begun = memory.raised.filter(|it| now < STEP_PAUSE.after(it.at));
        let begins = Level {
            tasks: from,
            at: now,
        };
        memory.raised = Some(begun.unwrap_or(begins));
    }
    if follows_a_metric(&step.reason, to) {
        memory.turn = Some(turned(memory.turn, from, to, now));
    }
}

/// Whether the load is a reason of the change. Bounds that move have no direction to keep.
fn follows_a_metric(reason: &TrackingStepReason, to: u32) -> bool {
    match reason {
        TrackingStepReason::ScaleOut { .. } | TrackingStepReason::ScaleIn { .. } => true,
        TrackingStepReason::BelowMinimum { bounds } => bounds.bounds.min_tasks < to,
        TrackingStepReason::AboveMaximum { .. } => false,
    }
}

/// The last change, now that there is one more.
fn turned(before: Option<Turn>, from: u32, to: u32, now: Timestamp) -> Turn {
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
    memory.raised = None;
}
