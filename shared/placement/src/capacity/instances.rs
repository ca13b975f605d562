//! Every instance of a managed provider's group is in exactly one step or one hold.
//!
//! Instances that are left alone for the same reason share a hold, with their ids in order. Its end, where it has one, is that of the
//! instance whose reason ends first.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::hold::Veto;
use model::capacity::{
    CapacityAction, CapacityHold, CapacityHoldReason, CapacityStep, CapacityStepReason,
    CapacitySubject, CapacityWrite, ContainerInstanceStatus, Drain, DrainReason, ProviderKey,
    ProviderMemory,
};
use model::ids::InstanceId;
use model::memory::Recall;

use super::drains::{Draining, End};
use super::room::is_of_provider;
use super::scale_in::{Health, Kept, Pick};
use super::vetoes::Circumstances;
use super::{Case, Look, Member, MemberState, Removal, drains, scale_in, vetoes};

/// What becomes of a provider's instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Instances {
    /// First those that add, then the terminations, then the drains.
    pub(crate) steps: Vec<CapacityStep>,
    /// Everything that is left alone, one hold a reason.
    pub(crate) holds: Vec<CapacityHold>,
    /// What forbids removing anything now.
    pub(crate) vetoes: Vec<Veto>,
    /// How many instances are on their way out by Ballast's hand, those included that begin to drain at this look.
    pub(crate) removing: u32,
}

impl Instances {
    /// How many instances that drain are set to ACTIVE, for whatever reason.
    pub(crate) fn taken_back(&self) -> u32 {
        let is_back = |it: &&CapacityStep| matches!(it.action, CapacityAction::Activate { .. });
        let back = self.steps.iter().filter(is_back).count();
        u32::try_from(back).unwrap_or(u32::MAX)
    }
}

/// Decides about every instance of the group. The memory becomes the one to announce: what begins to drain is in it, and the desired
/// capacity that the terminations lead to.
pub(crate) fn decide(
    case: &Case<'_>,
    removal: &Removal,
    memory: Option<&mut ProviderMemory>,
) -> Instances {
    let vetoes = vetoes::vetoes(&circumstances(case));
    let may_drain = vetoes.is_empty();
    let mut decided = Instances {
        vetoes,
        ..Instances::default()
    };
    let mut kept: BTreeMap<&InstanceId, Kept> = BTreeMap::new();
    let mut ended = Vec::new();
    for (it, end) in drains::decide(case, removal, &decided.vetoes) {
        let (is_removed, step) = match end {
            End::NeededAgain => (false, activate(case, &it, needed_again(it.drain))),
            End::TimedOut => (false, activate(case, &it, timed_out(case, it.drain))),
            End::Forbidden => (
                false,
                activate(case, &it, may_not_end(&it, &decided.vetoes)),
            ),
            End::Terminate => (true, terminate(case, &it)),
            End::Stay(reason) => {
                kept.insert(it.member.id, (reason, None));
                decided.removing += 1;
                continue;
            }
        };
        decided.removing += u32::from(is_removed);
        if is_removed {
            ended.push(step);
        } else {
            decided.steps.push(step);
        }
    }
    let ends = u32::try_from(ended.len()).unwrap_or(u32::MAX);
    decided.steps.append(&mut ended);
    let under_way = case.members.iter();
    for member in under_way.filter(|it| drains::is_under_way(case.look, it)) {
        kept.insert(member.id, (CapacityHoldReason::Draining, None));
        decided.removing += 1;
    }
    if let Removal::Surplus {
        instances,
        wanted_max,
    } = removal
        && may_drain
        // With one that is taken back its tasks stay where they are: what is wanted then, the next look tells.
        && decided.taken_back() == 0
    {
        let choice = scale_in::choose(case, *instances, ends);
        kept.extend(choice.kept);
        for pick in choice.picks {
            decided.steps.extend(begin(case, &pick, *wanted_max));
            decided.removing += 1;
        }
    }
    decided.holds = holds(case, removal, &decided.steps, kept);
    if let Some(memory) = memory {
        drains::forget(memory, case.look, case.index);
        announce(memory, case, &decided.steps);
    }
    decided
}

/// The holds of the instances that are in no step.
fn holds(
    case: &Case<'_>,
    removal: &Removal,
    steps: &[CapacityStep],
    mut kept: BTreeMap<&InstanceId, Kept>,
) -> Vec<CapacityHold> {
    let in_steps: BTreeSet<&InstanceId> =
        steps.iter().filter_map(|it| subject(&it.action)).collect();
    let mut holds = Holds::default();
    for member in &case.members {
        if in_steps.contains(member.id) {
            continue;
        }
        let own = kept.remove(member.id);
        holds.add(
            member.id,
            own.unwrap_or_else(|| (by_state(case, member, removal), None)),
        );
    }
    holds.finish(&case.look.provider.key)
}

/// Why an instance stays that has no reason of its own.
fn by_state(case: &Case<'_>, member: &Member<'_>, removal: &Removal) -> CapacityHoldReason {
    match (removal, member.state) {
        (_, MemberState::Draining(_)) => CapacityHoldReason::Draining,
        (Removal::Held { .. }, _) => CapacityHoldReason::ProviderHeld,
        (_, MemberState::Active) if !is_of_provider(case.look.provider, member) => {
            CapacityHoldReason::NotOfProvider
        }
        (_, MemberState::Active) if member.is_used() => CapacityHoldReason::InUse,
        (_, MemberState::Active) => CapacityHoldReason::Spare,
        (_, MemberState::Launching) => CapacityHoldReason::InstanceLaunching,
        (_, MemberState::Overdue) => CapacityHoldReason::NotRegistered,
        (_, MemberState::Disconnected) => CapacityHoldReason::AgentDisconnected,
        (_, MemberState::DrainedElsewhere) => CapacityHoldReason::DrainedBySomebodyElse,
        (_, MemberState::Leaving) => CapacityHoldReason::Leaving,
        (_, MemberState::OutOfService) => CapacityHoldReason::OutOfService,
    }
}

/// The instance that a step is about; `None` where it is about the group.
const fn subject(action: &CapacityAction) -> Option<&InstanceId> {
    match action {
        CapacityAction::Drain { instance, .. }
        | CapacityAction::Activate { instance, .. }
        | CapacityAction::Terminate { instance, .. } => Some(instance),
        CapacityAction::SetDesiredCapacity { .. } => None,
    }
}

/// What a provider's instances are held for where nothing is known of it but that it is not touched: its policy cannot be used, or too
/// little could be seen. Those that Ballast drains stay so.
pub(crate) fn held(look: &Look<'_>) -> Vec<CapacityHold> {
    let provider = look.provider;
    let drains = look.recall.known().map(|it| &it.drains);
    let containers = look.cluster.instances.values();
    let mut draining: Vec<&InstanceId> = containers
        .filter(|it| it.status == ContainerInstanceStatus::Draining)
        .filter_map(|it| it.ec2_instance.as_ref())
        .filter(|id| drains.is_some_and(|it| it.contains_key(*id)))
        .collect();
    draining.sort();
    let mut holds = Holds::default();
    for id in provider.group.instances.keys() {
        let reason = if draining.binary_search(&id).is_ok() {
            CapacityHoldReason::Draining
        } else {
            CapacityHoldReason::ProviderHeld
        };
        holds.add(id, (reason, None));
    }
    holds.finish(&provider.key)
}

fn circumstances<'c>(case: &'c Case<'_>) -> Circumstances<'c> {
    let Health {
        instances,
        unhealthy,
        draining: _,
    } = scale_in::health(&case.members);
    Circumstances {
        provider: case.look.provider,
        cluster: case.look.cluster,
        shared_gaps: &case.look.snapshot.gaps,
        is_memory_known: match case.look.recall {
            Recall::Known(_) => true,
            Recall::Unknown => false,
        },
        instances,
        unhealthy,
        tasks_without_room: case.tasks_without_room,
        launching: case.on_their_way(),
    }
}

fn step(
    case: &Case<'_>,
    instance: &InstanceId,
    action: CapacityAction,
    reason: CapacityStepReason,
) -> CapacityStep {
    CapacityStep {
        subject: CapacitySubject::Instances {
            provider: case.look.provider.key.clone(),
            instances: vec![instance.clone()],
        },
        action,
        reason,
    }
}

fn activate(case: &Case<'_>, it: &Draining<'_, '_>, reason: CapacityStepReason) -> CapacityStep {
    let action = CapacityAction::Activate {
        cluster: case.look.cluster.cluster.clone(),
        container_instance: it.container.arn.clone(),
        instance: it.member.id.clone(),
    };
    step(case, it.member.id, action, reason)
}

const fn needed_again(drain: Drain) -> CapacityStepReason {
    CapacityStepReason::NeededAgain {
        draining_since: drain.at,
    }
}

const fn timed_out(case: &Case<'_>, drain: Drain) -> CapacityStepReason {
    CapacityStepReason::DrainTimedOut {
        draining_since: drain.at,
        drain_timeout: case.policy.drain_timeout,
    }
}

fn may_not_end(it: &Draining<'_, '_>, vetoes: &[Veto]) -> CapacityStepReason {
    CapacityStepReason::MayNotEnd {
        draining_since: it.drain.at,
        protected_from_scale_in: it.member.instance.protected_from_scale_in,
        vetoes: vetoes.to_vec(),
    }
}

fn terminate(case: &Case<'_>, it: &Draining<'_, '_>) -> CapacityStep {
    let action = CapacityAction::Terminate {
        cluster: case.look.cluster.cluster.clone(),
        group: case.group.name.clone(),
        container_instance: it.container.arn.clone(),
        instance: it.member.id.clone(),
        desired_capacity: case.group.desired_capacity,
    };
    let reason = CapacityStepReason::Drained {
        draining_since: it.drain.at,
    };
    step(case, it.member.id, action, reason)
}

/// An instance that begins to drain. `None` where it is not registered, which no instance is that was picked.
fn begin(case: &Case<'_>, pick: &Pick<'_, '_>, wanted_max: u32) -> Option<CapacityStep> {
    let member = pick.member;
    let action = CapacityAction::Drain {
        cluster: case.look.cluster.cluster.clone(),
        container_instance: member.container?.arn.clone(),
        instance: member.id.clone(),
        tasks: u32::try_from(member.tasks.len()).unwrap_or(u32::MAX),
    };
    let reason = CapacityStepReason::ScaleIn {
        drain: pick.reason,
        wanted_max,
        desired: case.group.desired_capacity,
        scale_in_delay: case.policy.scale_in_delay,
        budget_left: pick.budget_left,
    };
    Some(step(case, member.id, action, reason))
}

/// Notes the steps in the memory before they are carried out. A drain that ends stays in it until it is known to have ended; see
/// [`super::settle`].
fn announce(memory: &mut ProviderMemory, case: &Case<'_>, steps: &[CapacityStep]) {
    let now = case.look.now;
    let mut lowered = 0_u32;
    for step in steps {
        match (&step.action, &step.reason) {
            (
                CapacityAction::Drain { instance, .. },
                CapacityStepReason::ScaleIn { drain: reason, .. },
            ) => {
                let drain = Drain {
                    at: now,
                    reason: *reason,
                };
                memory.drains.insert(instance.clone(), drain);
            }
            // Tasks were to move from it, and did not: they, or others, found no room.
            (CapacityAction::Activate { instance, .. }, _)
                if moves_tasks(case, memory, instance) =>
            {
                memory.stuck.insert(instance.clone(), now);
            }
            (CapacityAction::Terminate { .. }, _) => lowered = lowered.saturating_add(1),
            (
                CapacityAction::SetDesiredCapacity { .. }
                | CapacityAction::Drain { .. }
                | CapacityAction::Activate { .. },
                _,
            ) => {}
        }
    }
    if lowered > 0 {
        let from = case.group.desired_capacity;
        memory.wrote = Some(CapacityWrite {
            from,
            to: from.saturating_sub(lowered),
            at: now,
            confirmed: false,
        });
    }
}

/// Whether the drain was to move tasks: those that it began with, or one that ECS placed on an empty instance at the last moment.
fn moves_tasks(case: &Case<'_>, memory: &ProviderMemory, instance: &InstanceId) -> bool {
    let reason = memory.drains.get(instance).map(|it| it.reason);
    let mut members = case.members.iter();
    reason == Some(DrainReason::Consolidation)
        || members.any(|it| it.id == instance && it.is_used())
}

/// Holds of instances, one a reason.
#[derive(Default)]
struct Holds {
    by_reason: Vec<(CapacityHoldReason, Vec<InstanceId>, Option<Timestamp>)>,
}

impl Holds {
    /// Adds an instance; the ids come in their order.
    fn add(&mut self, id: &InstanceId, (reason, until): Kept) {
        match self.by_reason.iter_mut().find(|it| it.0 == reason) {
            Some((_, ids, first)) => {
                ids.push(id.clone());
                *first = match (*first, until) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (one, other) => one.or(other),
                };
            }
            None => self.by_reason.push((reason, vec![id.clone()], until)),
        }
    }

    fn finish(self, provider: &ProviderKey) -> Vec<CapacityHold> {
        let hold = |(reason, instances, until)| CapacityHold {
            subject: CapacitySubject::Instances {
                provider: provider.clone(),
                instances,
            },
            reason,
            numbers: None,
            unplaced: Vec::new(),
            until,
        };
        let mut holds: Vec<CapacityHold> = self.by_reason.into_iter().map(hold).collect();
        holds.sort_by(|a, b| a.subject.cmp(&b.subject));
        holds
    }
}
