//! Which instances of a group are on their way, which are lost, and whether launching helps at all.
//!
//! An instance counts as launching from its launch to its registration in the cluster, for the warm-up at the most: nothing is bought
//! twice. After that it is overdue and counts for nothing, as does one whose agent has been disconnected for longer than the grace.
//!
//! Where instances are launched and none registers, launching more of them does not help: nothing is launched for 5 minutes, then one
//! instance at a time, and each time that comes to nothing the pause doubles, up to an hour. As soon as one registers that was launched
//! no earlier than those, they are single losses and launching goes on.
//!
//! Assumed: while something of the cluster could not be read, an instance that seems not to be registered may be: it is on its way, and
//! never overdue.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::{
    ContainerInstance, ContainerInstanceStatus, GroupInstance, GroupPolicy, Lifecycle,
    ProviderMemory, Stall,
};
use model::{InstanceId, Seconds};

use super::case::{Look, Member, MemberState};
use super::index::Index;

/// The first pause after instances that did not register.
pub const PAUSE_MIN: Seconds = Seconds(300);
/// The longest pause.
pub const PAUSE_MAX: Seconds = Seconds(3_600);
/// How many instances are remembered as unregistered, and how many as disconnected.
pub const REMEMBERED_MAX: usize = 500;

/// Every instance of the group, in the order of their ids. What is remembered of them is brought up to date first.
pub(crate) fn members<'a>(
    look: &Look<'a>,
    policy: &GroupPolicy,
    warm_up: Seconds,
    index: &Index<'a>,
    memory: &mut ProviderMemory,
) -> Vec<Member<'a>> {
    let group = &look.provider.group;
    let mut unregistered = BTreeMap::new();
    let mut disconnected = BTreeMap::new();
    let mut drained = BTreeMap::new();
    let mut members = Vec::with_capacity(group.instances.len());
    for (id, instance) in &group.instances {
        let container = index.container(id).filter(|it| is_registered(it));
        let state = match instance.lifecycle {
            Lifecycle::Terminating => MemberState::Leaving,
            Lifecycle::Standby | Lifecycle::Warmed | Lifecycle::Detaching | Lifecycle::Unknown => {
                MemberState::OutOfService
            }
            Lifecycle::Pending | Lifecycle::InService => match container {
                None => {
                    let since = unregistered_since(instance, memory, look.now);
                    unregistered.insert(id.clone(), since);
                    let is_late = warm_up.after(since) <= look.now;
                    if is_late && look.cluster.gaps.is_empty() {
                        MemberState::Overdue
                    } else {
                        MemberState::Launching
                    }
                }
                Some(container) => {
                    let gone_since = (!container.agent_connected)
                        .then(|| *memory.disconnected.get(id).unwrap_or(&look.now));
                    if let Some(since) = gone_since {
                        disconnected.insert(id.clone(), since);
                    }
                    let state = registered(look, policy, container, id, gone_since, memory);
                    if state == MemberState::DrainedElsewhere {
                        let since = *memory.drained_elsewhere.get(id).unwrap_or(&look.now);
                        drained.insert(id.clone(), since);
                    }
                    state
                }
            },
        };
        let tasks = container.map_or(&[][..], |container| index.tasks_on(container));
        members.push(Member {
            id,
            instance,
            container,
            state,
            drained_since: drained.get(id).copied(),
            agent_away_since: disconnected.get(id).copied(),
            tasks: tasks.iter().copied().filter(|it| !it.is_daemon).collect(),
        });
    }
    memory.unregistered = bounded(&memory.unregistered, unregistered);
    memory.drained_elsewhere = bounded(&memory.drained_elsewhere, drained);
    memory.disconnected = bounded(&memory.disconnected, disconnected);
    members
}

/// Whether ECS counts it among the cluster's instances.
const fn is_registered(container: &ContainerInstance) -> bool {
    match container.status {
        ContainerInstanceStatus::Active | ContainerInstanceStatus::Draining => true,
        ContainerInstanceStatus::Registering
        | ContainerInstanceStatus::Deregistering
        | ContainerInstanceStatus::RegistrationFailed
        | ContainerInstanceStatus::Inactive
        | ContainerInstanceStatus::Unknown => false,
    }
}

fn registered(
    look: &Look<'_>,
    policy: &GroupPolicy,
    container: &ContainerInstance,
    id: &InstanceId,
    gone_since: Option<Timestamp>,
    memory: &ProviderMemory,
) -> MemberState {
    if container.status == ContainerInstanceStatus::Draining {
        return match memory.drains.get(id) {
            Some(drain) => MemberState::Draining(*drain),
            // Ballast set it to ACTIVE a moment ago.
            None if memory.activated.contains_key(id) => MemberState::Active,
            None => MemberState::DrainedElsewhere,
        };
    }
    match gone_since {
        Some(since) if policy.agent_grace.after(since) <= look.now => MemberState::Disconnected,
        Some(_) | None => MemberState::Active,
    }
}

/// Since when the instance has been without a registration.
fn unregistered_since(
    instance: &GroupInstance,
    memory: &ProviderMemory,
    now: Timestamp,
) -> Timestamp {
    if let Some(since) = memory.unregistered.get(&instance.id) {
        return (*since).min(now);
    }
    let Some(launched_at) = instance.launched_at else {
        return now;
    };
    // An instance that was there at the last look, and not without a registration, has lost it since.
    let last_look = memory.watched.map(|watch| watch.until);
    last_look
        .map_or(launched_at, |at| at.max(launched_at))
        .min(now)
}

/// At most [`REMEMBERED_MAX`] entries: those that were remembered already, then by id.
fn bounded(
    before: &BTreeMap<InstanceId, Timestamp>,
    mut after: BTreeMap<InstanceId, Timestamp>,
) -> BTreeMap<InstanceId, Timestamp> {
    if after.len() > REMEMBERED_MAX {
        let mut ids: Vec<&InstanceId> = after.keys().collect();
        ids.sort_by_key(|id| (!before.contains_key(*id), *id));
        let kept: BTreeSet<InstanceId> = ids.into_iter().take(REMEMBERED_MAX).cloned().collect();
        after.retain(|id, _| kept.contains(id));
    }
    after
}

/// How long nothing is launched after so many times in a row.
pub(crate) fn pause(times: u32) -> Seconds {
    let doublings = times.saturating_sub(1).min(10);
    Seconds((PAUSE_MIN.0 << doublings).min(PAUSE_MAX.0))
}

/// Notes whether launching helps. Returns how many instances did not register, and none of those launched since did.
pub(crate) fn note_stall(
    memory: &mut ProviderMemory,
    members: &[Member<'_>],
    warm_up: Seconds,
    now: Timestamp,
) -> u32 {
    let late: Vec<Timestamp> = members
        .iter()
        .filter(|member| member.state == MemberState::Overdue)
        .map(|member| *memory.unregistered.get(member.id).unwrap_or(&now))
        .collect();
    let first_since = late.iter().min().copied();
    let launches_help = |since: Timestamp| {
        members.iter().any(|member| {
            member
                .container
                .and_then(|container| container.registered_at)
                .is_some_and(|at| since <= at)
        })
    };
    let (Some(first_since), Some(last_since)) = (first_since, late.iter().max()) else {
        let is_over = memory.stalled.is_some_and(|stall| {
            let began_at = pause(stall.times).before(stall.until);
            launches_help(began_at) || PAUSE_MAX.after(stall.until) <= now
        });
        if is_over {
            memory.stalled = None;
        }
        return 0;
    };
    if launches_help(first_since) {
        memory.stalled = None;
        return 0;
    }
    memory.stalled = Some(match memory.stalled {
        None => stall(1, now),
        // Those that were launched before the pause and became overdue in it are no further attempt.
        Some(before) if before.until < warm_up.after(*last_since) && before.until <= now => {
            stall(before.times.saturating_add(1), now)
        }
        Some(before) => before,
    });
    u32::try_from(late.len()).unwrap_or(u32::MAX)
}

fn stall(times: u32, now: Timestamp) -> Stall {
    Stall {
        times,
        until: pause(times).after(now),
    }
}
