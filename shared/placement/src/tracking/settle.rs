//! After acting: what to remember, given what became of the step of one service.
//!
//! | became of it | last write | last change of direction |
//! |---|---|---|
//! | done, or already so | confirmed | remembered |
//! | certainly not written | as before | as before |
//! | not certain | stays announced | stays |

use jiff::Timestamp;
use model::memory::Write;
use model::outcome::Outcome;
use model::tracking::{TrackingMemory, TrackingStep};

use super::memory;

/// What to remember of a service after its step was carried out, or was not.
///
/// `before` is what was recalled, `planned` what was announced before acting; where nothing was announced both are what the ledger holds
/// now, and what was written is added to it.
#[must_use]
pub fn settle(
    before: &TrackingMemory,
    planned: &TrackingMemory,
    outcomes: &[Outcome<TrackingStep>],
    now: Timestamp,
) -> TrackingMemory {
    let mut settled = planned.clone();
    for outcome in outcomes {
        let (from, to) = outcome.step.counts();
        let effect = outcome.took_effect();
        if effect == Some(false) {
            settled.wrote = not_written(before, planned, from, now);
            settled.turn = before.turn;
            settled.raised = before.raised;
            continue;
        }
        let is_announced = |it: &Write| (it.from, it.to) == (from, to);
        if !settled.wrote.as_ref().is_some_and(is_announced) {
            memory::announce(&mut settled, &outcome.step, now);
        }
        if let Some(wrote) = &mut settled.wrote {
            wrote.confirmed |= effect == Some(true);
        }
    }
    settled
}

/// The write before this one. Where the count that the step was to change had been taken as given meanwhile, because nothing was
/// remembered before or somebody else's change was waited out, it stays so.
fn not_written(
    before: &TrackingMemory,
    planned: &TrackingMemory,
    found: u32,
    now: Timestamp,
) -> Option<Write> {
    let was_waited_out = before.foreign.is_some() && planned.foreign.is_none();
    let is_another = before.wrote.is_none_or(|it| it.to != found);
    if before.wrote.is_none() || (was_waited_out && is_another) {
        return Some(Write {
            from: found,
            to: found,
            at: now,
            confirmed: true,
        });
    }
    before.wrote
}
