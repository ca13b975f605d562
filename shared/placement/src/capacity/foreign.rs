//! Whose desired capacity is it? Ballast is the only writer of a group that says `act`; a change by somebody else is seen and left alone.
//!
//! Auto Scaling has no conditional write of the desired capacity, so the last one is remembered and compared
//! (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetDesiredCapacity.html>).

use jiff::Timestamp;
use model::Seconds;
use model::capacity::{CapacityHoldReason, CapacityWrite, Group, GroupPolicy, ProviderMemory};
use model::memory::ForeignEdit;

/// How long a write may take to show: the function's timeout, after which the invocation that announced it cannot write any more. Ours,
/// as for spot-fallback.
pub const READ_LAG: Seconds = crate::fallback::foreign::READ_LAG;

/// Compares the group's desired capacity with the last write, and keeps the memory of it.
///
/// At the first sight of a group its desired capacity is taken as given. A write of a moment ago that does not show is waited for; later,
/// whatever may have come of a write that was never confirmed is our own. Auto Scaling itself moves a desired capacity that is outside of
/// new limits to the nearest limit: that is nobody's decision about the size. Anything else is somebody else's: it is left alone for the
/// policy's time and then taken as given, with a new watch.
///
/// Returns the reason to leave the group alone, and until when.
pub(crate) fn check(
    memory: &mut ProviderMemory,
    group: &Group,
    policy: &GroupPolicy,
    now: Timestamp,
) -> Option<(CapacityHoldReason, Timestamp)> {
    let found = group.desired_capacity;
    let accepted = CapacityWrite {
        from: found,
        to: found,
        at: now,
        confirmed: true,
    };
    let Some(wrote) = memory.wrote else {
        memory.wrote = Some(accepted);
        memory.foreign = None;
        return None;
    };
    let last_possible = READ_LAG.after(wrote.at);
    // Several terminations lower it one after the other.
    let is_on_the_way = CapacityWrite {
        confirmed: false,
        ..wrote
    }
    .explains(found);
    if found != wrote.to && is_on_the_way && now < last_possible {
        let reason = CapacityHoldReason::OwnWriteNotVisible {
            found,
            wrote: wrote.to,
        };
        return Some((reason, last_possible));
    }
    if wrote.explains(found) {
        memory.foreign = None;
        // What has come of a write that was never confirmed is known now; it explains nothing else from here on.
        let shows = CapacityWrite {
            confirmed: true,
            ..wrote
        };
        memory.wrote = Some(if found == wrote.to { shows } else { accepted });
        return None;
    }
    let is_raised_minimum = found == group.min_size && wrote.to < found;
    let is_lowered_maximum = found == group.max_size && found < wrote.to;
    if is_raised_minimum || is_lowered_maximum {
        memory.foreign = None;
        memory.wrote = Some(accepted);
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
        let reason = CapacityHoldReason::ForeignChange {
            found,
            wrote: edit.wrote,
        };
        return Some((reason, until));
    }
    memory.wrote = Some(accepted);
    memory.foreign = None;
    memory.watched = None;
    memory.wanted.clear();
    None
}
