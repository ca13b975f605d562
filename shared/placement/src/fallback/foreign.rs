//! Whose desired count is it? Ballast is the standby's only writer; a change by somebody else is seen and left alone.
//!
//! ECS has no conditional update and no version on a service, so the last write is remembered and compared
//! (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html>).

use jiff::Timestamp;
use model::Seconds;
use model::memory::{ForeignEdit, PairMemory, Write};
use model::plan::HoldReason;
use model::policy::PairPolicy;
use model::snapshot::Service;

/// How long an announced write may take to show, in seconds. ECS promises only that its answers become consistent
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>); the number is ours, and is the function's timeout in
/// `infra/template.yaml`, after which the invocation that announced a write cannot write any more.
pub const READ_LAG: Seconds = Seconds(30);

/// Compares the standby's desired count with the last write, and keeps the memory of it.
///
/// A write of a moment ago that does not show may be under way in another invocation, which announced it and has not written yet, or
/// AWS's answer may be older than the write: either way it is waited for. Later, a write that was announced and never confirmed may or
/// may not have happened: both counts are then our own. A write that shows is confirmed. A
/// count that is neither is somebody else's; it is left alone for the policy's time and then taken as given, with a new watch. Setting it back to what
/// Ballast wrote ends the hold at once.
///
/// A standby that was made after the last write could still have reached it is a new service: nothing was written to it yet.
///
/// Returns the reason to leave the standby alone, and until when.
pub(crate) fn check(
    memory: &mut PairMemory,
    standby: &Service,
    policy: &PairPolicy,
    now: Timestamp,
) -> Option<(HoldReason, Timestamp)> {
    let wrote = memory.wrote?;
    let last_possible = READ_LAG.after(wrote.at);
    if standby
        .created_at
        .is_some_and(|created| last_possible < created)
    {
        // The service that was written to is gone. What its primary lacked and needed stays true.
        memory.wrote = None;
        memory.foreign = None;
        return None;
    }
    let found = standby.desired_count;
    if found != wrote.to && found == wrote.from && now < last_possible {
        let reason = HoldReason::OwnWriteNotVisible {
            found,
            wrote: wrote.to,
        };
        return Some((reason, last_possible));
    }
    if found == wrote.to || (found == wrote.from && !wrote.confirmed) {
        memory.foreign = None;
        memory.wrote = Some(Write {
            confirmed: wrote.confirmed || found == wrote.to,
            ..wrote
        });
        return None;
    }
    let edit = memory
        .foreign
        .filter(|edit| edit.found == found)
        .unwrap_or(ForeignEdit {
            found,
            wrote: wrote.to,
            noticed_at: now,
        });
    let until = policy.foreign_hold.after(edit.noticed_at);
    if now < until {
        memory.foreign = Some(edit);
        let reason = HoldReason::ForeignEdit {
            found,
            wrote: edit.wrote,
            noticed_at: edit.noticed_at,
        };
        return Some((reason, until));
    }
    *memory = PairMemory {
        wrote: Some(Write {
            from: found,
            to: found,
            at: now,
            confirmed: true,
        }),
        ..PairMemory::default()
    };
    None
}
