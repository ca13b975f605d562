//! A second opinion on a plan for EC2 capacity.
//!
//! Guaranteed: it shares no code with the rules. It reads the snapshot anew, asks of each step what must never be, and says every law
//! that a step breaks. A step that is named here is not carried out.
//!
//! Assumed: where a law needs an estimate, such as whether tasks fit elsewhere, it asks for what is necessary and not for what suffices: a
//! plan of the rules never breaks it.
//!
//! Absent: whether a plan is good, or complete. A step that is merely useless passes.

mod removal;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::{
    CapacityAction, CapacityPlan, CapacitySnapshot, CapacityStep, CapacitySubject, ClusterCapacity,
    Consent, ContainerInstance, ContainerInstanceStatus, DesiredCapacityType, Group, GroupPolicy,
    GroupTypes, InstanceTask, Provider, ProviderKey, ProviderMemory,
};
use model::ids::{ClusterName, ContainerInstanceArn, InstanceId};
use model::memory::Recall;
use model::policy::Installation;
use model::snapshot::TaskStatus;

use crate::audit::{Findings, Violation};
use removal::Standing;

/// How long a write may be under way, in seconds: the function's timeout.
const WRITE_SECS_MAX: i64 = 30;

/// The most instances of one step, where nobody says.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ManagedScaling.html>
const STEP_MAX_DEFAULT: u32 = 10_000;

/// Every law that [`audit`] checks, by name.
pub const LAWS: [&str; 20] = [
    "opt_in",
    "sizable",
    "one_writer",
    "precondition",
    "within_limits",
    "step_limit",
    "only_upwards",
    "one_direction",
    "suspended",
    "only_own_drains",
    "complete_before_removing",
    "no_deployment",
    "enough_healthy",
    "unwanted_for_the_delay",
    "old_enough",
    "no_task_lost",
    "room_elsewhere",
    "protected",
    "disruption_budget",
    "one_step_per_subject",
];

/// Checks every step of a plan. An empty answer means that the plan may be carried out.
#[must_use]
pub fn audit(
    plan: &CapacityPlan,
    snapshot: &CapacitySnapshot,
    installation: &Installation,
    memories: &BTreeMap<ProviderKey, Recall<ProviderMemory>>,
    now: Timestamp,
) -> Vec<Violation> {
    let tasks = snapshot
        .clusters
        .iter()
        .map(|(name, cluster)| (name, tasks_by_instance(cluster)));
    let tasks: BTreeMap<&ClusterName, TasksByInstance<'_>> = tasks.collect();
    let nothing = BTreeMap::new();
    let mut standings: BTreeMap<&ProviderKey, Standing<'_>> = BTreeMap::new();
    let mut violations = Vec::new();
    let mut written: BTreeSet<(&ProviderKey, Option<&InstanceId>)> = BTreeSet::new();
    let mut begun: BTreeMap<&ProviderKey, Begun<'_>> = BTreeMap::new();
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
        check_subject(step, &mut found);
        let Some((cluster, provider)) = provider_of(snapshot, key) else {
            found.add("opt_in", format!("`{key}` is not looked after"));
            continue;
        };
        let Some(policy) = check_opt_in(provider, &mut found) else {
            continue;
        };
        check_sizable(&provider.group, &mut found);
        let sizes = !matches!(step.action, CapacityAction::Activate { .. });
        // What leaves the size as it is needs to know nothing of it.
        let recall = memories.get(key).filter(|_| sizes);
        check_writer(provider, policy, recall, now, &mut found);
        let ground = Ground {
            snapshot,
            installation,
            cluster,
            provider,
            policy,
            recall: memories.get(key),
            tasks: tasks.get(&cluster.cluster).unwrap_or(&nothing),
            now,
        };
        let begun = begun.entry(key).or_default();
        begun.count(&step.action, &mut found);
        match &step.action {
            CapacityAction::SetDesiredCapacity { .. } => ground.check_raise(step, &mut found),
            CapacityAction::Activate { .. } => ground.check_activate(step, &mut found),
            CapacityAction::Drain { .. } => {
                let standing = standings
                    .entry(key)
                    .or_insert_with(|| Standing::of(&ground));
                ground.check_drain(step, begun, standing, &mut found);
            }
            CapacityAction::Terminate { .. } => {
                let standing = standings
                    .entry(key)
                    .or_insert_with(|| Standing::of(&ground));
                ground.check_terminate(step, begun.ends, standing, &mut found);
            }
        }
    }
    violations
}

/// The steps of a plan about one provider, up to the one that is being checked.
#[derive(Debug, Default)]
struct Begun<'p> {
    raises: bool,
    ends: u32,
    drains: BTreeSet<&'p ContainerInstanceArn>,
}

impl<'p> Begun<'p> {
    /// Adds a step. What is bought is not removed by the same plan.
    fn count(&mut self, action: &'p CapacityAction, found: &mut Findings<'_>) {
        match action {
            CapacityAction::SetDesiredCapacity { .. } => self.raises = true,
            CapacityAction::Activate { .. } => return,
            CapacityAction::Drain {
                container_instance, ..
            } => _ = self.drains.insert(container_instance),
            CapacityAction::Terminate { .. } => self.ends = self.ends.saturating_add(1),
        }
        if self.raises && (self.ends > 0 || !self.drains.is_empty()) {
            found.add(
                "one_direction",
                "the plan raises the group and removes from it".to_owned(),
            );
        }
    }

    fn draining(&self) -> u64 {
        self.drains.len() as u64
    }
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

/// What the step says that it is about is what it does something to.
fn check_subject(step: &CapacityStep, found: &mut Findings<'_>) {
    let key = step.subject.provider();
    let about: &[InstanceId] = match &step.subject {
        CapacitySubject::Provider { .. } => &[],
        CapacitySubject::Instances { instances, .. } => instances,
    };
    let is_about = about.first() == instance_of(&step.action) && about.len() <= 1;
    let in_cluster = match &step.action {
        CapacityAction::SetDesiredCapacity { .. } => true,
        CapacityAction::Drain { cluster, .. }
        | CapacityAction::Activate { cluster, .. }
        | CapacityAction::Terminate { cluster, .. } => *cluster == key.cluster,
    };
    if !is_about || !in_cluster {
        let detail = format!(
            "the step is about {}, and would {}",
            step.subject, step.action
        );
        found.add("precondition", detail);
    }
}

/// The group is one that can be sized: it stays, and each of its instances counts one.
fn check_sizable(group: &Group, found: &mut Findings<'_>) {
    if group.is_deleting {
        found.add("sizable", format!("`{}` is being deleted", group.name));
    }
    let choices = match &group.types {
        GroupTypes::Listed { choices } => choices.as_slice(),
        GroupTypes::InLaunchTemplate | GroupTypes::ByRequirements => &[],
    };
    let weights = choices.iter().filter_map(|it| it.weighted_capacity);
    let weights: BTreeSet<u32> = weights.collect();
    if weights.iter().any(|it| *it != 1)
        || group.desired_capacity_type != DesiredCapacityType::Units
    {
        let detail = format!(
            "the desired capacity of `{}` does not count instances",
            group.name
        );
        found.add("sizable", detail);
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
    let age_secs = now.as_second().saturating_sub(wrote.at.as_second());
    let between = wrote.from.min(wrote.to)..=wrote.from.max(wrote.to);
    if seen != wrote.to && between.contains(&seen) && age_secs < WRITE_SECS_MAX {
        let detail = format!(
            "`{}` is at {seen}, and {} was written {age_secs} s ago",
            group.name, wrote.to
        );
        found.add("one_writer", detail);
        return;
    }
    let ours = seen == wrote.to || (!wrote.confirmed && between.contains(&seen));
    // Auto Scaling itself moves a desired capacity into new limits.
    let moved =
        (seen == group.min_size && wrote.to < seen) || (seen == group.max_size && seen < wrote.to);
    let waited = memory.foreign.is_some_and(|edit| {
        edit.found == seen && now.as_second() - edit.noticed_at.as_second() >= policy.foreign_hold.0
    });
    if !ours && !moved && !waited {
        found.add(
            "one_writer",
            format!("`{}` is at {seen}, {} was written", group.name, wrote.to),
        );
    }
}

/// What one step is judged by.
struct Ground<'a> {
    snapshot: &'a CapacitySnapshot,
    installation: &'a Installation,
    cluster: &'a ClusterCapacity,
    provider: &'a Provider,
    policy: &'a GroupPolicy,
    recall: Option<&'a Recall<ProviderMemory>>,
    tasks: &'a TasksByInstance<'a>,
    now: Timestamp,
}

impl<'a> Ground<'a> {
    fn memory(&self) -> Option<&'a ProviderMemory> {
        self.recall.and_then(Recall::known)
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
        let own = self.provider.managed_scaling;
        let step_max = self.policy.step_max;
        let step_max = step_max.or_else(|| own?.maximum_scaling_step_size);
        let step_max = step_max.unwrap_or(STEP_MAX_DEFAULT).max(1);
        if to.saturating_sub(*from) > step_max {
            let detail = format!("from {from} to {to} is more than {step_max} at a time");
            found.add("step_limit", detail);
        }
        if seen.suspended_processes.contains("Launch") {
            let detail = format!("the process `Launch` of `{}` is suspended", seen.name);
            found.add("suspended", detail);
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
}
