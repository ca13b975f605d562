//! Whose desired count is it? Ballast is the only writer of a service that says `act`; a change by somebody else is seen.
//!
//! ECS has no conditional update and no version on a service, so the last write is remembered and compared
//! (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html>).
//!
//! Unlike the standby of a pair, a tracked service is not left alone after somebody else's change: a load that needs more gets it; one
//! that is past does not, where fewer were asked for. It is not lowered for a time. Whoever sets it to 0 wants it off, and it stays off.

use jiff::Timestamp;
use model::Seconds;
use model::memory::{ForeignEdit, Write};
use model::tracking::{TrackingHoldReason, TrackingMemory};

use super::Verdict;
use super::case::Case;
use super::memory::is_own_zero;
use crate::fallback::foreign::READ_LAG;

/// How long Ballast's own last write may take to show. ECS promises only that its answers become consistent
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>); the number is ours, and longer than the function's
/// timeout, after which the invocation that announced a write cannot write any more.
pub const OWN_WRITE_SHOWS_WITHIN: Seconds = Seconds(60);

/// Compares the desired count with the last write, and keeps the memory of it. Returns what the service comes to, where that is decided by
/// it.
pub(crate) fn check(case: &mut Case<'_>) -> Option<Verdict> {
    let (found, now) = (case.desired(), case.now);
    let Some(memory) = case.memory.as_mut() else {
        // Who set it to 0 is not known.
        return (found == 0).then_some(Verdict::hold(TrackingHoldReason::MemoryUnknown));
    };
    let created_at = case.fleet.primary.created_at;
    let last_possible = |it: &Write| OWN_WRITE_SHOWS_WITHIN.after(it.at);
    let is_of_a_former = |it: &Write| created_at.is_some_and(|at| READ_LAG.after(it.at) < at);
    if memory.wrote.as_ref().is_some_and(is_of_a_former) {
        // The service that was written to is gone; this one has its name.
        *memory = TrackingMemory {
            scaled_by_application_auto_scaling: memory.scaled_by_application_auto_scaling,
            miscount: memory.miscount.take(),
            empty: memory.empty,
            there: memory.there,
            standby_there: memory.standby_there,
            levels: std::mem::take(&mut memory.levels),
            standby_levels: std::mem::take(&mut memory.standby_levels),
            ..TrackingMemory::default()
        };
    }
    if let Some(wrote) = memory.wrote {
        let until = last_possible(&wrote);
        if found != wrote.to && found == wrote.from && now < until {
            let reason = TrackingHoldReason::OwnWriteNotVisible {
                found,
                wrote: wrote.to,
            };
            return Some(Verdict::Hold(reason, Some(until)));
        }
    }
    compare(memory, found, case.policy.foreign_hold, now);
    let is_off = found == 0 && !memory.wrote.as_ref().is_some_and(is_own_zero);
    is_off.then(|| {
        let under_load = case.needs().filter(|(_, need)| need.load_milli_tasks > 0);
        let needed = under_load.map(|(_, need)| need.needed).max();
        Verdict::hold(TrackingHoldReason::SwitchedOff { needed })
    })
}

/// Notes whose count it is.
///
/// At the first sight of a service its desired count is taken as given. A write that was announced and never confirmed may or may not have
/// happened: both counts are then Ballast's own. Any other count is somebody else's, for the policy's time; then it is taken as given.
/// Setting it back to what Ballast wrote ends that at once.
fn compare(memory: &mut TrackingMemory, found: u32, foreign_hold: Seconds, now: Timestamp) {
    let given = Write {
        from: found,
        to: found,
        at: now,
        confirmed: true,
    };
    let Some(wrote) = memory.wrote else {
        memory.wrote = Some(given);
        memory.foreign = None;
        return;
    };
    let is_over = |it: &ForeignEdit| foreign_hold.after(it.noticed_at) <= now;
    let shows = found == wrote.to;
    if shows || (found == wrote.from && !wrote.confirmed) {
        let confirmed = wrote.confirmed || shows;
        memory.wrote = Some(Write { confirmed, ..wrote });
        // A raise after somebody else's change does not end it; its undoing does.
        let is_undone = |it: &ForeignEdit| shows && wrote.at < it.noticed_at;
        let lasts = |it: &ForeignEdit| !is_over(it) && !is_undone(it);
        memory.foreign = memory.foreign.filter(lasts);
        return;
    }
    let known = memory.foreign.filter(|it| it.found == found);
    let edit = known.unwrap_or(ForeignEdit {
        found,
        wrote: wrote.to,
        noticed_at: now,
    });
    if is_over(&edit) {
        memory.wrote = Some(given);
        memory.foreign = None;
    } else {
        memory.foreign = Some(edit);
    }
}

/// Somebody else's change that keeps the desired count from becoming less than what was found, and until when.
pub(crate) fn in_force(case: &Case<'_>) -> Option<(u32, Verdict)> {
    let edit = case.memory.as_ref()?.foreign?;
    let reason = TrackingHoldReason::ForeignChange {
        found: edit.found,
        wrote: edit.wrote,
    };
    let until = case.policy.foreign_hold.after(edit.noticed_at);
    Some((edit.found, Verdict::Hold(reason, Some(until))))
}
