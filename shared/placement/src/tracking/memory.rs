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

/// Whether a service that is found at 0 is so by this write. A count of 0 that was taken as given is nobody's wish to run. A raise from 0
/// that may never have happened leaves Ballast's own 0.
pub(crate) const fn is_own_zero(wrote: &Write) -> bool {
    let is_lowering = wrote.to == 0 && wrote.from != 0;
    let is_unsure_raise = wrote.from == 0 && wrote.to != 0 && !wrote.confirmed;
    is_lowering || is_unsure_raise
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

/// Where Ballast does not write, everybody else may: there is nothing to compare with. Only that it set the service to 0 itself stays, while
/// the service is found so: forgotten, the service would count as switched off from then on.
pub(crate) fn forget_writes(memory: &mut TrackingMemory, found: u32) {
    memory.wrote = memory.wrote.filter(|it| found == 0 && is_own_zero(it));
    memory.foreign = None;
    memory.turn = None;
    memory.raised = None;
}
