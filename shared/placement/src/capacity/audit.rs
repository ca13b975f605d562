//! A second opinion on a plan for EC2 capacity.
//!
//! Guaranteed: it shares no code with the rules. It reads the snapshot anew, asks of each step what must never be, and says every law
//! that a step breaks. A step that is named here is not carried out.
//!
//! Absent: whether a plan is good, or complete. A step that is merely useless passes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::{
    CapacityAction, CapacityPlan, CapacitySnapshot, CapacityStep, ClusterCapacity, Consent,
    ContainerInstance, ContainerInstanceStatus, GroupPolicy, InstanceTask, Lifecycle, Provider,
    ProviderKey, ProviderMemory,
};
use model::ids::{ClusterName, ContainerInstanceArn, InstanceId};
use model::memory::Recall;
use model::policy::Installation;
use model::snapshot::TaskStatus;

use crate::audit::Violation;

/// Every law that [`audit`] checks, by name.
pub const LAWS: [&str; 12] = [
    "opt_in",
    "one_writer",
    "precondition",
    "within_limits",
    "only_upwards",
    "only_own_drains",
    "complete_before_removing",
    "unwanted_for_the_delay",
    "no_task_lost",
    "protected",
    "disruption_budget",
    "one_step_per_subject",
];

/// Checks every step of a plan. An empty answer means that the plan may be carried out.
#[must_use]
pub fn audit(
    plan: &CapacityPlan,
    snapshot: &CapacitySnapshot,
    _installation: &Installation,
    memories: &BTreeMap<ProviderKey, Recall<ProviderMemory>>,
    now: Timestamp,
) -> Vec<Violation> {
    let tasks = snapshot
        .clusters
        .iter()
        .map(|(name, cluster)| (name, tasks_by_instance(cluster)));
    let tasks: BTreeMap<&ClusterName, TasksByInstance<'_>> = tasks.collect();
    let mut violations = Vec::new();
    let mut written: BTreeSet<(&ProviderKey, Option<&InstanceId>)> = BTreeSet::new();
    let mut terminated: BTreeMap<&ProviderKey, u32> = BTreeMap::new();
    let mut drained: BTreeMap<&ProviderKey, u32> = BTreeMap::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let mut found = Findings {
            index,
            violations: &mut violations,
        };
        let key = step.subject.provider();
        if !written.insert((key, instance_of(&step.action))) {
            found.add(
                "one_step_per_subject",
                format!("`{key}` has two such steps"),
            );
        }
        let Some((cluster, provider)) = provider_of(snapshot, key) else {
            found.add("opt_in", format!("`{key}` is not looked after"));
            continue;
        };
        let Some(policy) = check_opt_in(provider, &mut found) else {
            continue;
        };
        check_writer(provider, policy, memories.get(key), now, &mut found);
        let ground = Ground {
            snapshot,
            cluster,
            provider,
            policy,
            recall: memories.get(key),
            tasks: tasks.get(&cluster.cluster),
            now,
        };
        match &step.action {
            CapacityAction::SetDesiredCapacity { .. } => ground.check_raise(step, &mut found),
            CapacityAction::Activate { .. } => ground.check_activate(step, &mut found),
            CapacityAction::Drain { .. } => {
                let drains = drained.entry(key).or_default();
                *drains += 1;
                ground.check_drain(step, *drains, &mut found);
            }
            CapacityAction::Terminate { .. } => {
                let ends = terminated.entry(key).or_default();
                *ends += 1;
                ground.check_terminate(step, *ends, &mut found);
            }
        }
    }
    violations
}

type TasksByInstance<'a> = BTreeMap<&'a ContainerInstanceArn, Vec<&'a InstanceTask>>;

fn tasks_by_instance(cluster: &ClusterCapacity) -> TasksByInstance<'_> {
    let mut by_instance: TasksByInstance<'_> = BTreeMap::new();
    for task in &cluster.tasks {
        if let Some(arn) = &task.instance
            && task.last_status != TaskStatus::Stopped
        {
            by_instance.entry(arn).or_default().push(task);
        }
    }
    by_instance
}

fn instance_of(action: &CapacityAction) -> Option<&InstanceId> {
    match action {
        CapacityAction::SetDesiredCapacity { .. } => None,
        CapacityAction::Drain { instance, .. }
        | CapacityAction::Activate { instance, .. }
        | CapacityAction::Terminate { instance, .. } => Some(instance),
    }
}

fn provider_of<'a>(
    snapshot: &'a CapacitySnapshot,
    key: &ProviderKey,
) -> Option<(&'a ClusterCapacity, &'a Provider)> {
    let cluster = snapshot.clusters.get(&key.cluster)?;
    Some((cluster, cluster.providers.get(&key.provider)?))
}

struct Findings<'a> {
    index: usize,
    violations: &'a mut Vec<Violation>,
}

impl Findings<'_> {
    fn add(&mut self, law: &'static str, detail: String) {
        self.violations.push(Violation {
            step: self.index,
            law,
            detail,
        });
    }
}

/// The group's own tag says `act`, and nothing of its tags is at fault.
fn check_opt_in<'a>(provider: &'a Provider, found: &mut Findings<'_>) -> Option<&'a GroupPolicy> {
    let group = &provider.group;
    let tag = group.tags.get("ballast:cluster-scaler").map(String::as_str);
    let paused = group
        .tags
        .get("ballast:paused")
        .is_some_and(|it| it != "false");
    if tag != Some("act") || paused {
        found.add(
            "opt_in",
            format!("the tags of `{}` do not let it be changed", group.name),
        );
    }
    match &provider.policy {
        Ok(policy) if policy.consent == Consent::Act && !policy.paused => Some(policy),
        Ok(_) | Err(_) => {
            found.add(
                "opt_in",
                format!("`{}` has no policy to act by", group.name),
            );
            None
        }
    }
}

/// Nobody else decides about the group's size, and its desired capacity is as Ballast left it.
fn check_writer(
    provider: &Provider,
    policy: &GroupPolicy,
    recall: Option<&Recall<ProviderMemory>>,
    now: Timestamp,
    found: &mut Findings<'_>,
) {
    let group = &provider.group;
    let is_managed = provider.managed_scaling.is_some_and(|it| it.enabled);
    let others = is_managed
        || provider.managed_termination_protection
        || !group.scaling_policies.is_empty()
        || !group.scheduled_actions.is_empty()
        || !provider.other_clusters.is_empty()
        || group.has_warm_pool;
    if others {
        found.add(
            "one_writer",
            format!("somebody else decides about the size of `{}`", group.name),
        );
    }
    let Some(Recall::Known(memory)) = recall else {
        return;
    };
    let Some(wrote) = memory.wrote else { return };
    let seen = group.desired_capacity;
    let ours = if wrote.confirmed {
        seen == wrote.to
    } else {
        (seen >= wrote.from.min(wrote.to)) && (seen <= wrote.from.max(wrote.to))
    };
    // A read may be half a minute older than the write.
    let may_be_stale = now.as_second() - wrote.at.as_second() <= 30;
    let waited = memory.foreign.is_some_and(|edit| {
        edit.found == seen && now.as_second() - edit.noticed_at.as_second() >= policy.foreign_hold.0
    });
    if !ours && !waited && !may_be_stale {
        found.add(
            "one_writer",
            format!("`{}` is at {seen}, {} was written", group.name, wrote.to),
        );
    }
}

/// What one step is judged by.
struct Ground<'a> {
    snapshot: &'a CapacitySnapshot,
    cluster: &'a ClusterCapacity,
    provider: &'a Provider,
    policy: &'a GroupPolicy,
    recall: Option<&'a Recall<ProviderMemory>>,
    tasks: Option<&'a TasksByInstance<'a>>,
    now: Timestamp,
}

impl<'a> Ground<'a> {
    fn memory(&self) -> Option<&'a ProviderMemory> {
        match self.recall {
            Some(Recall::Known(memory)) => Some(memory),
            Some(Recall::Unknown) | None => None,
        }
    }

    fn check_raise(&self, step: &CapacityStep, found: &mut Findings<'_>) {
        let CapacityAction::SetDesiredCapacity { group, from, to } = &step.action else {
            return;
        };
        let seen = &self.provider.group;
        if *group != seen.name || *from != seen.desired_capacity {
            let detail = format!(
                "`{group}` was seen at {}, the step says {from}",
                seen.desired_capacity
            );
            found.add("precondition", detail);
        }
        if to <= from {
            found.add(
                "only_upwards",
                format!("`{group}` would go from {from} to {to}"),
            );
        }
        if *to > seen.max_size || *to < seen.min_size {
            let detail = format!("{to} is not within {} to {}", seen.min_size, seen.max_size);
            found.add("within_limits", detail);
        }
    }

    /// The container instance that a step is about, if it is the group's and has the status that the step counts on.
    fn container(
        &self,
        container_instance: &ContainerInstanceArn,
        instance: &InstanceId,
        status: ContainerInstanceStatus,
        found: &mut Findings<'_>,
    ) -> Option<&'a ContainerInstance> {
        let container = self.cluster.instances.get(container_instance);
        let Some(container) = container.filter(|it| it.ec2_instance.as_ref() == Some(instance))
        else {
            found.add(
                "precondition",
                format!("`{container_instance}` is not `{instance}`"),
            );
            return None;
        };
        if !self.provider.group.instances.contains_key(instance) {
            found.add(
                "opt_in",
                format!("`{instance}` is not in `{}`", self.provider.group.name),
            );
        }
        if container.status != status {
            let detail = format!("`{instance}` was seen as {:?}", container.status);
            found.add("precondition", detail);
        }
        Some(container)
    }

    fn check_activate(&self, step: &CapacityStep, found: &mut Findings<'_>) {
        let CapacityAction::Activate {
            container_instance,
            instance,
            ..
        } = &step.action
        else {
            return;
        };
        _ = self.container(
            container_instance,
            instance,
            ContainerInstanceStatus::Draining,
            found,
        );
        self.check_own_drain(instance, found);
    }

    fn check_own_drain(&self, instance: &InstanceId, found: &mut Findings<'_>) {
        let is_ours = self
            .memory()
            .is_some_and(|it| it.drains.contains_key(instance));
        if !is_ours {
            found.add(
                "only_own_drains",
                format!("Ballast is not known to drain `{instance}`"),
            );
        }
    }

    /// What must be so before anything is removed.
    fn check_removal(&self, instance: &InstanceId, found: &mut Findings<'_>) {
        let gaps = self.snapshot.gaps.len() + self.cluster.gaps.len() + self.provider.gaps.len();
        if gaps > 0 || self.memory().is_none() {
            let detail = format!("`{instance}` would be removed with {gaps} gaps in what was seen");
            found.add("complete_before_removing", detail);
        }
        let group = &self.provider.group;
        if group.suspended_processes.contains("Terminate") {
            found.add(
                "protected",
                format!("the process `Terminate` of `{}` is suspended", group.name),
            );
        }
        let Some(member) = group.instances.get(instance) else {
            return;
        };
        if member.protected_from_scale_in {
            found.add(
                "protected",
                format!("`{instance}` is protected from scale-in"),
            );
        }
        if member.lifecycle != Lifecycle::InService {
            found.add("precondition", format!("`{instance}` is not in service"));
        }
    }

    fn tasks_on(&self, container_instance: &ContainerInstanceArn) -> Vec<&'a InstanceTask> {
        let all = self.tasks.and_then(|it| it.get(container_instance));
        all.into_iter()
            .flatten()
            .copied()
            .filter(|it| !it.is_daemon)
            .collect()
    }

    fn check_drain(&self, step: &CapacityStep, drains: u32, found: &mut Findings<'_>) {
        let CapacityAction::Drain {
            container_instance,
            instance,
            tasks,
            ..
        } = &step.action
        else {
            return;
        };
        let active = ContainerInstanceStatus::Active;
        if self
            .container(container_instance, instance, active, found)
            .is_none()
        {
            return;
        }
        self.check_removal(instance, found);
        let on_it = self.tasks_on(container_instance);
        if u32::try_from(on_it.len()) != Ok(*tasks) {
            let detail = format!(
                "`{instance}` was seen with {} tasks, the step says {tasks}",
                on_it.len()
            );
            found.add("precondition", detail);
        }
        if !on_it.is_empty() && !self.policy.consolidate {
            found.add(
                "no_task_lost",
                format!("`{instance}` holds {} tasks", on_it.len()),
            );
        }
        for task in &on_it {
            let is_free = task
                .protected_until
                .is_some_and(|it| it.is_none_or(|until| until <= self.now));
            if task.service.is_none() || !is_free {
                let detail = format!("`{}` on `{instance}` may not be moved", task.arn);
                found.add("no_task_lost", detail);
            }
        }
        self.check_budget(drains, found);
        self.check_delay(found);
    }

    /// What drains by Ballast already and what begins to stays within the share, and the group keeps its minimum.
    fn check_budget(&self, drains: u32, found: &mut Findings<'_>) {
        let group = &self.provider.group;
        let in_service = group
            .instances
            .values()
            .filter(|it| it.lifecycle == Lifecycle::InService);
        let in_service: BTreeSet<&InstanceId> = in_service.map(|it| &it.id).collect();
        let share =
            (in_service.len() as u64 * u64::from(self.policy.disruption_percent)).div_ceil(100);
        let under_way = self.cluster.instances.values().filter(|it| {
            let is_here = it
                .ec2_instance
                .as_ref()
                .is_some_and(|id| in_service.contains(id));
            is_here && it.status == ContainerInstanceStatus::Draining
        });
        let under_way = under_way.count() as u64;
        if under_way + u64::from(drains) > share {
            let detail = format!("{drains} more would drain beside {under_way}, and {share} may");
            found.add("disruption_budget", detail);
        }
        if u64::from(group.desired_capacity) < u64::from(group.min_size) + u64::from(drains) {
            let detail = format!(
                "{drains} fewer than {} is below {}",
                group.desired_capacity, group.min_size
            );
            found.add("within_limits", detail);
        }
    }

    /// The provider was watched for the whole delay, and never were as many instances wanted as the group is asked for.
    fn check_delay(&self, found: &mut Findings<'_>) {
        let Some(memory) = self.memory() else { return };
        let delay = self.policy.scale_in_delay.0;
        let now = self.now.as_second();
        let desired = self.provider.group.desired_capacity;
        let watched = memory
            .watched
            .is_some_and(|it| now - it.since.as_second() >= delay);
        if delay > 0 && !watched {
            found.add(
                "unwanted_for_the_delay",
                format!("it was not watched for {delay} s"),
            );
        }
        let lately = memory
            .wanted
            .iter()
            .filter(|it| now - it.at.as_second() < delay);
        if let Some(most) = lately.map(|it| it.tasks).max()
            && most >= desired
        {
            let detail = format!("{most} of {desired} instances were wanted within {delay} s");
            found.add("unwanted_for_the_delay", detail);
        }
    }

    fn check_terminate(&self, step: &CapacityStep, ends: u32, found: &mut Findings<'_>) {
        let CapacityAction::Terminate {
            group,
            container_instance,
            instance,
            desired_capacity,
            ..
        } = &step.action
        else {
            return;
        };
        let draining = ContainerInstanceStatus::Draining;
        if self
            .container(container_instance, instance, draining, found)
            .is_none()
        {
            return;
        }
        self.check_removal(instance, found);
        self.check_own_drain(instance, found);
        let seen = &self.provider.group;
        if *group != seen.name || *desired_capacity != seen.desired_capacity {
            let detail = format!(
                "`{group}` was seen at {}, the step says {desired_capacity}",
                seen.desired_capacity
            );
            found.add("precondition", detail);
        }
        if u64::from(seen.desired_capacity) < u64::from(seen.min_size) + u64::from(ends) {
            let detail = format!(
                "{ends} fewer than {} is below {}",
                seen.desired_capacity, seen.min_size
            );
            found.add("within_limits", detail);
        }
        let on_it = self.tasks_on(container_instance);
        if !on_it.is_empty() {
            found.add(
                "no_task_lost",
                format!("`{instance}` still holds {} tasks", on_it.len()),
            );
        }
    }
}
