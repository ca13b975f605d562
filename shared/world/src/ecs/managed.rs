//! What ECS itself does with the group under a capacity provider: managed scaling, managed termination protection and managed
//! draining.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-scaling-behavior.html>
//!
//! Guaranteed: CapacityProviderReservation is 100 × M / N, once a minute, where N are the group's running instances and M those that
//! are needed; 100 where both are 0, and 200 where only N is. While tasks wait, M is N and what the largest group of waiting tasks
//! needs more; otherwise M are the instances with a task that is no daemon's. A target tracking policy on the group follows it.
//!
//! Assumed: waiting tasks are packed without the room that running and launching instances still have, as the documentation has it;
//! tasks of one group are those with the same needs and the same `distinctInstance`. Where all waiting tasks are too large for the
//! smallest type, nothing waits as far as M is concerned.

use std::collections::BTreeMap;

use super::placement::Constraint;
use super::resources::{Needs, Resources};
use super::shapes::InstanceShape;
use crate::state::{
    CapacityProvider, ContainerInstance, GroupTag, Hook, HookResult, Lifecycle, MachineState,
    MetricKey, PolicyKind, TargetTracking, Transition,
};
use crate::world::{Happening, World};

/// The lifecycle hook that ECS puts on a group whose instances it drains.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-instance-draining.html>
pub const MANAGED_DRAINING_HOOK: &str = "ecs-managed-draining-termination-hook";

/// The tag that ECS puts on a group that it scales.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-auto-scaling.html>
const MANAGED_TAG: &str = "AmazonECSManaged";

/// The namespace and name of the metric.
const NAMESPACE: &str = "AWS/ECS/ManagedScaling";
const METRIC: &str = "CapacityProviderReservation";

/// One datapoint a minute, in milliseconds.
const EVERY_MS: i64 = 60_000;

impl World {
    /// Makes a capacity provider over a declared Auto Scaling group, typed.
    pub fn declare_capacity_provider(&mut self, name: &str, provider: CapacityProvider) {
        let before = self.state.group_providers.get(name);
        let changes = before.map_or(0, |it| it.scaling_changes);
        let provider = CapacityProvider {
            scaling_changes: changes,
            ..provider
        };
        self.state.group_providers.insert(name.to_owned(), provider);
        self.provider_changed(name);
    }

    /// After a provider was made or changed: its group gets the tag, the hook and the policy that belong to it, or loses them.
    pub(crate) fn provider_changed(&mut self, name: &str) {
        let now = self.now;
        let Some(provider) = self.state.group_providers.get_mut(name) else {
            return;
        };
        provider.scaling_changes += 1;
        let (change, provider) = (provider.scaling_changes, provider.clone());
        let cluster = self.cluster_with(name);
        self.put_draining_hook(&provider);
        let Some(group) = self.state.groups.get_mut(&provider.group) else {
            return;
        };
        let policy = format!("ECSManagedAutoScalingPolicy-{name}");
        let scaled = provider.managed_scaling.enabled;
        if scaled {
            let tag = GroupTag {
                value: String::new(),
                propagate_at_launch: true,
            };
            group.tags.insert(MANAGED_TAG.to_owned(), tag);
        }
        self.delete_scaling_policy(&provider.group, &policy);
        if let (true, Some(cluster)) = (scaled, cluster) {
            let kind = PolicyKind::TargetTracking(tracking(name, &cluster, &provider));
            // The group is there: its tag was set just now.
            let _arn = self.put_scaling_policy(&provider.group, &policy, kind);
            let at = crate::pool::later(now, EVERY_MS);
            let provider = name.to_owned();
            self.plan(at, Happening::ManagedScaling { provider, change });
        }
    }

    fn put_draining_hook(&mut self, provider: &CapacityProvider) {
        let Some(group) = self.state.groups.get_mut(&provider.group) else {
            return;
        };
        if provider.managed_draining {
            let hook = Hook {
                default_result: HookResult::Continue,
                ..Hook::new(Transition::Terminating)
            };
            group.hooks.insert(MANAGED_DRAINING_HOOK.to_owned(), hook);
        } else {
            group.hooks.remove(MANAGED_DRAINING_HOOK);
        }
    }

    /// The cluster that has a provider.
    fn cluster_with(&self, provider: &str) -> Option<String> {
        let mut clusters = self.state.clusters.iter();
        clusters
            .find(|(_, it)| it.providers.iter().any(|name| name == provider))
            .map(|(name, _)| name.to_string())
    }

    /// The minute of a provider under managed scaling: its metric is published.
    pub(crate) fn managed_scaling(&mut self, name: &str, change: u64) {
        let provider = self.state.group_providers.get(name);
        let Some(provider) = provider.filter(|it| it.scaling_changes == change).cloned() else {
            return;
        };
        if let Some(cluster) = self.cluster_with(name) {
            let value = self.reservation_milli(name, &provider);
            let dimensions = [
                ("CapacityProviderName", name),
                ("ClusterName", cluster.as_str()),
            ];
            self.put_metric(NAMESPACE, METRIC, &dimensions, value);
        }
        let provider = name.to_owned();
        self.plan_in(EVERY_MS, Happening::ManagedScaling { provider, change });
    }

    /// CapacityProviderReservation, in thousandths of a percent.
    fn reservation_milli(&self, name: &str, provider: &CapacityProvider) -> i64 {
        let running = i64::from(self.running_instances(&provider.group));
        let needed = match self.instances_for_waiting(name, provider) {
            Some(more) => {
                let step = provider.managed_scaling;
                let least = step.minimum_step_size;
                running + i64::from(more.clamp(least, step.maximum_step_size.max(least)))
            }
            None => i64::from(self.working_instances(name)),
        };
        match (running, needed) {
            (0, 0) => 100_000,
            (0, _) => 200_000,
            (_, _) => 100_000 * needed / running,
        }
    }

    fn running_instances(&self, group: &str) -> u32 {
        let Some(group) = self.state.groups.get(group) else {
            return 0;
        };
        let running = group.instances.iter().filter(|id| {
            self.state.instances.get(*id).is_some_and(|it| {
                it.state == MachineState::Running && it.lifecycle_state == Lifecycle::InService
            })
        });
        u32::try_from(running.count()).unwrap_or(u32::MAX)
    }

    fn instances_of<'a>(
        &'a self,
        provider: &'a str,
    ) -> impl Iterator<Item = &'a ContainerInstance> {
        let all = self.state.container_instances.values();
        all.filter(move |it| it.provider.as_deref() == Some(provider))
    }

    /// The instances with a task that is no daemon's.
    fn working_instances(&self, provider: &str) -> u32 {
        let working = self
            .instances_of(provider)
            .filter(|it| it.work_in(&self.state).next().is_some());
        u32::try_from(working.count()).unwrap_or(u32::MAX)
    }

    /// How many instances the waiting tasks need: the most that any group of tasks alike needs. `None` where none waits.
    fn instances_for_waiting(&self, name: &str, provider: &CapacityProvider) -> Option<u32> {
        let mut alike: BTreeMap<(Needs, bool), u32> = BTreeMap::new();
        for (_, id) in self.waiting.values().flatten() {
            let Some(task) = self.state.tasks.get(id) else {
                continue;
            };
            if task.provider.as_deref() != Some(name) {
                continue;
            }
            let distinct = self
                .asked_by_task(id, task)
                .is_some_and(|it| it.constraints.contains(&Constraint::DistinctInstance));
            *alike.entry((task.needs.clone(), distinct)).or_default() += 1;
        }
        let shapes = self.shapes_of(&provider.group);
        let (smallest, largest) = (shapes.first()?, shapes.last()?);
        alike
            .iter()
            .filter_map(|((needs, distinct), tasks)| {
                let trunking = self.config.awsvpc_trunking;
                Resources::of(*smallest, trunking)
                    .lack(needs)
                    .is_none()
                    .then(|| {
                        let fit = if *distinct {
                            1
                        } else {
                            fit(Resources::of(*largest, trunking), needs)
                        };
                        tasks.div_ceil(fit)
                    })
            })
            .max()
    }

    /// The shapes of the types that a group may launch, from the smallest to the largest.
    fn shapes_of(&self, group: &str) -> Vec<InstanceShape> {
        let Some(group) = self.state.groups.get(group) else {
            return Vec::new();
        };
        let template = self.state.launch_templates.get(&group.launch.template);
        let overrides = group.launch.mixed.iter().flat_map(|it| &it.overrides);
        let mut types: Vec<&str> = overrides.map(|it| it.instance_type.as_str()).collect();
        if types.is_empty() {
            types.extend(template.map(|it| it.instance_type.as_str()));
        }
        let mut shapes: Vec<InstanceShape> = types
            .iter()
            .filter_map(|it| self.config.shapes.get(*it).copied())
            .collect();
        shapes.sort_by_key(|it| (it.cpu_units, it.memory_mib, it.network_interfaces, it.gpus));
        shapes
    }

    /// Under managed termination protection an instance is protected while it has a task that is no daemon's.
    pub(crate) fn protect_instance(&mut self, id: &str) {
        let Some(instance) = self.state.container_instances.get(id) else {
            return;
        };
        let provider = instance.provider.as_ref();
        let protects = provider
            .and_then(|it| self.state.group_providers.get(it))
            .is_some_and(|it| it.managed_termination_protection && it.managed_scaling.enabled);
        if !protects {
            return;
        }
        let works = instance.work_in(&self.state).next().is_some();
        if let Some(machine) = self.state.instances.get_mut(&instance.ec2_instance_id) {
            machine.protected_from_scale_in = works;
        }
    }
}

/// How many tasks alike fit on an empty instance; at least one, because the caller asked whether one fits.
fn fit(mut free: Resources, needs: &Needs) -> u32 {
    let mut count = 0;
    // Tasks that need nothing would fit for ever.
    while count < 1_000 && free.lack(needs).is_none() {
        free.take(needs);
        count += 1;
    }
    count.max(1)
}

/// The policy of managed scaling: less than half of the group is removed at once.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-scaling-behavior.html>
fn tracking(name: &str, cluster: &str, provider: &CapacityProvider) -> TargetTracking {
    let scaling = provider.managed_scaling;
    let dimensions = [("CapacityProviderName", name), ("ClusterName", cluster)];
    let metric = MetricKey::new(NAMESPACE, METRIC, &dimensions);
    let target_milli = i64::from(scaling.target_capacity_percent) * 1_000;
    TargetTracking {
        scale_in_max_percent: 49,
        ..TargetTracking::of_managed_scaling(metric, target_milli, scaling.instance_warmup_secs)
    }
}
