//! The instances that Ballast drains for scale-in: terminate, take back, or wait?
//!
//! | asked in this order | then |
//! |---|---|
//! | somebody else may be sizing the group, and tasks need it | ACTIVE: that changes no size |
//! | the provider is not touched | it stays DRAINING |
//! | it is needed again | ACTIVE: cheaper and faster than a new one |
//! | a task has not moved for the whole drain timeout | ACTIVE |
//! | no task is left on it but daemons', and it was protected from scale-in meanwhile | ACTIVE |
//! | no task is left on it but daemons', and nothing forbids it | terminated, with the desired capacity lowered in the same call |
//! | something has forbidden it for the whole drain timeout | ACTIVE: it is paid for, and takes tasks at least |
//! | otherwise | it stays DRAINING |
//!
//! An instance that was announced to be set to DRAINING and does not read so yet counts as draining for [`READ_LAG`], and is left alone.
//!
//! One that Ballast set to ACTIVE again counts as ACTIVE for as long, whatever it still reads: nothing is bought in its place.
//!
//! An instance that was to be emptied and is ACTIVE again is left alone for [`STUCK_FOR`]: what did not come out will hardly do so a
//! moment later, and would only move tasks to and fro.
//!
//! Of several, those are taken back first that the waiting tasks were put on by packing, then those with the most tasks, for these need
//! not move then; then the one drained last, which has lost the least; then by id.
//!
//! Guaranteed: an instance that is DRAINING and not by Ballast is neither terminated nor set to ACTIVE; the desired capacity is never
//! lowered below the group's minimum. Taking back needs no complete look: it only adds.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::Seconds;
use model::capacity::hold::Veto;
use model::capacity::{
    CapacityHoldReason, ContainerInstance, ContainerInstanceStatus, Drain, Lifecycle, ProviderKey,
    ProviderMemory,
};
use model::ids::{ClusterName, InstanceId};
use model::memory::Recall;

use super::index::Index;
use super::scale_in::REMOVALS_MAX;
use super::{Case, Look, Member, MemberState, Removal};
use crate::fallback::foreign::READ_LAG;

/// How long an instance is left alone that was to be emptied and was not. The number is ours.
pub const STUCK_FOR: Seconds = Seconds(3_600);

/// What becomes of an instance that Ballast drains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It is set to ACTIVE: it is needed again.
    NeededAgain,
    /// It is set to ACTIVE: its tasks do not move.
    TimedOut,
    /// It is set to ACTIVE: it is empty, and may not be terminated.
    Forbidden,
    /// It is terminated.
    Terminate,
    /// It stays as it is.
    Stay(CapacityHoldReason),
}

/// An instance that Ballast drains, with its container instance.
pub(crate) struct Draining<'c, 'a> {
    pub(crate) member: &'c Member<'a>,
    pub(crate) container: &'a ContainerInstance,
    pub(crate) drain: Drain,
}

/// Those of the provider, in the order of their ids.
fn draining<'c, 'a>(case: &'c Case<'a>) -> Vec<Draining<'c, 'a>> {
    let of = |member: &'c Member<'a>| match (member.state, member.container) {
        (MemberState::Draining(drain), Some(container)) => Some(Draining {
            member,
            container,
            drain,
        }),
        (
            MemberState::Draining(_)
            | MemberState::Active
            | MemberState::Launching
            | MemberState::Overdue
            | MemberState::Disconnected
            | MemberState::DrainedElsewhere
            | MemberState::Leaving
            | MemberState::OutOfService,
            _,
        ) => None,
    };
    case.members.iter().filter_map(of).collect()
}

/// Decides about each instance that Ballast drains, in the order in which steps are to be taken, and then in the order of the ids.
pub(crate) fn decide<'c, 'a>(
    case: &'c Case<'a>,
    removal: &Removal,
    vetoes: &[Veto],
) -> Vec<(Draining<'c, 'a>, End)> {
    let again = match removal {
        Removal::Reactivate { instances } | Removal::Held { again: instances } => {
            usize::try_from(*instances).unwrap_or(usize::MAX)
        }
        Removal::Enough | Removal::Waiting | Removal::Surplus { .. } => 0,
    };
    let mut all = draining(case);
    all.sort_by(|a, b| {
        let rank = |it: &Draining<'_, '_>| {
            let is_spared = !case.needed_again.contains(it.member.id);
            let tasks = std::cmp::Reverse(it.member.tasks.len());
            (is_spared, tasks, std::cmp::Reverse(it.drain.at))
        };
        rank(a)
            .cmp(&rank(b))
            .then_with(|| a.member.id.cmp(b.member.id))
    });
    let rest = all.split_off(again.min(all.len()));
    let mut ends: Vec<_> = all.into_iter().map(|it| (it, End::NeededAgain)).collect();
    let mut rest = rest;
    rest.sort_by(|a, b| a.member.id.cmp(b.member.id));
    // How far the desired capacity may still be lowered.
    let mut above_minimum = case
        .group
        .desired_capacity
        .saturating_sub(case.group.min_size);
    let mut terminated = 0;
    for it in rest {
        let end = match removal {
            Removal::Held { .. } => End::Stay(CapacityHoldReason::Draining),
            Removal::Reactivate { .. }
            | Removal::Enough
            | Removal::Waiting
            | Removal::Surplus { .. } => end(case, &it, vetoes, above_minimum),
        };
        let end = match end {
            End::Terminate if terminated == REMOVALS_MAX => End::Stay(CapacityHoldReason::Draining),
            End::Terminate => {
                terminated += 1;
                above_minimum = above_minimum.saturating_sub(1);
                End::Terminate
            }
            End::NeededAgain | End::TimedOut | End::Forbidden | End::Stay(_) => end,
        };
        ends.push((it, end));
    }
    ends
}

fn end(case: &Case<'_>, it: &Draining<'_, '_>, vetoes: &[Veto], above_minimum: u32) -> End {
    let instance = it.member.instance;
    let timed_out = case.policy.drain_timeout.after(it.drain.at) <= case.look.now;
    if it.member.is_used() {
        return if timed_out {
            End::TimedOut
        } else {
            End::Stay(CapacityHoldReason::Draining)
        };
    }
    if instance.protected_from_scale_in {
        return End::Forbidden;
    }
    let may_end = vetoes.is_empty() && above_minimum > 0;
    if may_end && instance.lifecycle == Lifecycle::InService {
        End::Terminate
    } else if timed_out {
        End::Forbidden
    } else {
        End::Stay(CapacityHoldReason::Draining)
    }
}

/// Drops what is remembered of drains that have come to an end without Ballast's doing, and of instances that were left alone for
/// long enough.
///
/// An instance that was to be set to DRAINING and reads ACTIVE is forgotten only after [`READ_LAG`]: until then AWS's answer may be older
/// than the write, or the write may still be under way. What could not be seen is not forgotten.
pub(crate) fn forget(memory: &mut ProviderMemory, look: &Look<'_>, index: &Index<'_>) {
    let group = &look.provider.group.instances;
    // An agent that registered its instance anew has left another container instance behind, which may read ACTIVE for ever.
    let is_active = |id: &InstanceId| {
        let status = index.container(id).map(|it| it.status);
        status == Some(ContainerInstanceStatus::Active)
    };
    let is_over =
        |id: &InstanceId, drain: &Drain| is_active(id) && READ_LAG.after(drain.at) <= look.now;
    let is_complete = look.is_complete();
    memory
        .drains
        .retain(|id, drain| (group.contains_key(id) || !is_complete) && !is_over(id, drain));
    memory
        .activated
        .retain(|_, at| look.now < READ_LAG.after(*at));
    memory
        .stuck
        .retain(|id, at| group.contains_key(id) && is_stuck(*at, look.now));
}

/// Whether an instance that reads ACTIVE was announced to be set to DRAINING so lately that the write may be under way in another
/// invocation, or not show yet: it counts as draining, and no other one is drained in its place.
pub(crate) fn is_under_way(look: &Look<'_>, member: &Member<'_>) -> bool {
    let known = look.recall.known();
    let drain = known.and_then(|it| it.drains.get(member.id));
    let is_late = |drain: &Drain| READ_LAG.after(drain.at) <= look.now;
    member.state == MemberState::Active && drain.is_some_and(|it| !is_late(it))
}

/// The instances of the cluster that Ballast set to ACTIVE so lately that they may still read DRAINING.
pub(crate) fn activated<'m>(
    memories: &'m BTreeMap<ProviderKey, Recall<ProviderMemory>>,
    cluster: &ClusterName,
    now: Timestamp,
) -> BTreeSet<&'m InstanceId> {
    let of_cluster = memories.iter().filter(|(key, _)| key.cluster == *cluster);
    let known = of_cluster.filter_map(|(_, recall)| recall.known());
    let lately = |memory: &'m ProviderMemory| {
        let all = memory.activated.iter();
        all.filter(|(id, at)| now < READ_LAG.after(**at) && !memory.drains.contains_key(*id))
    };
    known.flat_map(lately).map(|(id, _)| id).collect()
}

/// Whether an instance that was set to ACTIVE again at a time, before it was empty, is still to be left alone.
pub(crate) fn is_stuck(active_since: Timestamp, now: Timestamp) -> bool {
    now < STUCK_FOR.after(active_since)
}
