//! The size of a group that may be touched: more, fewer, or as it is.
//!
//! Everything is in units of the group's desired capacity. Instances that Ballast drains are in it until they end, and count as gone.

use jiff::Timestamp;
use model::capacity::hold::Veto;
use model::capacity::{
    CapacityAction, CapacityHoldReason, CapacityWrite, ProviderMemory, Unplaceable,
};

use super::case::{Case, Removal};
use super::instances::{self, Instances};
use super::scale_out::{self, Size};
use super::{history, placing, strays, within};

/// What fewer instances wait for.
struct Delay {
    wanted_max: u32,
    until: Option<Timestamp>,
}

/// Decides about the size of the group and about its instances. The memory becomes the one to announce; `None` where there is none.
pub(crate) fn choose(
    case: &Case<'_>,
    mut memory: Option<&mut ProviderMemory>,
) -> (Size, Instances) {
    let drained = case.numbers.draining;
    let there = case.group.desired_capacity.saturating_sub(drained);
    let goal = within(case, case.asked);
    if there < goal {
        let lacking = goal - there;
        // One that drains and is of no use to the tasks that lack room does not stand in for a new one.
        let again = u32::try_from(case.needed_again.len()).unwrap_or(u32::MAX);
        let back = lacking.saturating_sub(case.opened).max(again);
        let back = back.min(lacking).min(drained);
        let removal = if back > 0 {
            Removal::Reactivate { instances: back }
        } else {
            Removal::Enough
        };
        let decided = instances::decide(case, &removal, memory.as_deref_mut());
        let still_draining = drained.saturating_sub(decided.taken_back());
        let size = match lacking - back {
            0 => enough(case, true),
            buy => {
                let empty = ProviderMemory::default();
                let known = memory.as_deref().unwrap_or(&empty);
                scale_out::decide(case, known, buy, still_draining)
            }
        };
        announce(case, &size, memory);
        return (size, decided);
    }
    if goal == there {
        let decided = instances::decide(case, &Removal::Enough, memory);
        let size = scaling_in(&decided).unwrap_or_else(|| enough(case, false));
        return (first_of_all(case, size), decided);
    }
    let Some(known) = memory.as_deref() else {
        let decided = instances::decide(case, &Removal::Enough, None);
        let reason = CapacityHoldReason::ScaleInVetoed {
            vetoes: if decided.vetoes.is_empty() {
                vec![Veto::MemoryUnavailable]
            } else {
                decided.vetoes.clone()
            },
        };
        return (first_of_all(case, Size::Stay(reason, None)), decided);
    };
    let (removal, delay) = surplus(case, known, goal, there);
    let decided = instances::decide(case, &removal, memory);
    let size = too_many(case, &decided, delay);
    (first_of_all(case, size), decided)
}

/// A raise is remembered before it is carried out; see [`super::settle`].
fn announce(case: &Case<'_>, size: &Size, memory: Option<&mut ProviderMemory>) {
    let (Size::Raise(step), Some(memory)) = (size, memory) else {
        return;
    };
    if let CapacityAction::SetDesiredCapacity { from, to, .. } = step.action {
        memory.wrote = Some(CapacityWrite {
            from,
            to,
            at: case.look.now,
            confirmed: false,
        });
        if case.opened > 0 {
            strays::note_raise(memory, case.strays.is_some(), case.look.now);
        }
    }
}

/// How many of the `there` instances that do not drain are more than wanted; or what that waits for.
fn surplus(
    case: &Case<'_>,
    memory: &ProviderMemory,
    least: u32,
    there: u32,
) -> (Removal, Option<Delay>) {
    let wanted_max = within(case, history::wanted_max(memory)).max(least);
    let until = history::unwanted_from(memory, there, case.policy.scale_in_delay);
    if wanted_max < there && until.is_some_and(|until| until <= case.look.now) {
        // What the group was asked for and has not launched is nothing that could be removed.
        let real = there.saturating_sub(case.room.unborn);
        let removal = Removal::Surplus {
            instances: real.saturating_sub(wanted_max),
            wanted_max,
        };
        return (removal, None);
    }
    (Removal::Waiting, Some(Delay { wanted_max, until }))
}

fn scaling_in(decided: &Instances) -> Option<Size> {
    (decided.removing > 0).then_some(Size::Stay(
        CapacityHoldReason::ScalingIn {
            removing: decided.removing,
        },
        None,
    ))
}

/// Why a group that is larger than wanted stays as it is.
fn too_many(case: &Case<'_>, decided: &Instances, delay: Option<Delay>) -> Size {
    if let Some(size) = scaling_in(decided) {
        return size;
    }
    match delay {
        Some(Delay { wanted_max, until }) => Size::Stay(
            CapacityHoldReason::WaitingForScaleInDelay {
                wanted_max,
                scale_in_delay: case.policy.scale_in_delay,
            },
            until,
        ),
        None if decided.vetoes.is_empty() => {
            let reason = CapacityHoldReason::NothingRemovable {
                new_instances_protected: case.group.new_instances_protected,
            };
            Size::Stay(reason, None)
        }
        None => Size::Stay(
            CapacityHoldReason::ScaleInVetoed {
                vetoes: decided.vetoes.clone(),
            },
            None,
        ),
    }
}

/// That tasks fit nowhere is said before anything about a size that is not too small.
fn first_of_all(case: &Case<'_>, otherwise: Size) -> Size {
    unplaceable(case).unwrap_or(otherwise)
}

/// Tasks fit nowhere, nothing can be launched, or the group is as large as it may be.
fn unplaceable(case: &Case<'_>) -> Option<Size> {
    let whys = || case.unplaced.iter().map(|it| &it.why);
    let by_kind = |is: fn(&Unplaceable) -> bool| whys().filter(|why| is(why)).count();
    let unknown = by_kind(|why| matches!(why, Unplaceable::TypesUnknown { .. }));
    let without_pool = by_kind(|why| matches!(why, Unplaceable::NoPoolLeft { .. }));
    let at_maximum = by_kind(|why| matches!(why, Unplaceable::GroupAtMaximum { .. }));
    let others = case.unplaced.len() - unknown - without_pool - at_maximum;
    // An instance on its way will tell what its type offers.
    let is_learning = unknown > 0 && case.numbers.launching > 0;
    if others > 0 || (unknown > 0 && !is_learning) {
        return Some(Size::Stay(CapacityHoldReason::Unplaceable, None));
    }
    if without_pool > 0 || (case.room.all_closed && case.room.unborn > 0) {
        return Some(Size::Stay(scale_out::no_pool_left(case), case.retry_at));
    }
    if let Some(strays) = case.strays.as_ref().filter(|_| case.look.is_complete()) {
        let reason = CapacityHoldReason::LaunchedOfNoUse {
            instances: strays.instances,
            instance_type: strays.instance_type.clone(),
            whose: strays.whose.clone(),
            times: strays.times,
        };
        return Some(Size::Stay(reason, Some(strays.until)));
    }
    let max = case.group.max_size;
    let lacks_room = at_maximum > 0 || case.tasks_without_room > 0;
    // More than the maximum for the target alone, or to be warm, is nothing that tasks wait for: the numbers say it.
    let is_larger = case.asked > max && lacks_room;
    let lost = case.numbers.lost;
    is_larger.then_some(Size::Stay(
        CapacityHoldReason::AtMaximum { max, lost },
        None,
    ))
}

/// Why a group stays as it is that is neither too large nor too small.
fn enough(case: &Case<'_>, comes_back: bool) -> Size {
    if let Some(size) = unplaceable(case) {
        return size;
    }
    if let Some(reason) = scale_out::launches_fail(case) {
        return Size::Stay(reason, case.retry_at);
    }
    if let Some(reason) = placing::not_placed(case).filter(|_| case.look.is_complete()) {
        return Size::Stay(reason, None);
    }
    let gaps = case.look.gaps();
    let reason = if comes_back || case.numbers.launching > 0 {
        CapacityHoldReason::Launching
    } else if gaps.is_empty() {
        CapacityHoldReason::RightSize
    } else {
        CapacityHoldReason::SnapshotIncomplete { gaps }
    };
    Size::Stay(reason, None)
}
