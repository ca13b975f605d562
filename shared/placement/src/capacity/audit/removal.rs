//! What must be so before an instance is drained or terminated.

use std::collections::{BTreeMap, BTreeSet};

use model::capacity::{
    CapacityAction, CapacityService, CapacityStep, ContainerInstance, ContainerInstanceStatus,
    InstanceTask, Lifecycle, Resources,
};
use model::ids::{ContainerInstanceArn, InstanceId, ServiceName};
use model::snapshot::TaskStatus;

use super::{Begun, Findings, Ground};

/// How many of a hundred instances may be unhealthy.
const UNHEALTHY_PERCENT_MAX: u64 = 20;

/// How many looks in a row may be missing before what was wanted meanwhile is not known.
const LOOKS_MISSED_MAX: i64 = 3;

/// How a provider stands before anything of the plan is done, counted once.
pub(super) struct Standing<'a> {
    /// The instances in service.
    in_service: u64,
    /// Of these, those that certainly are not healthy.
    unhealthy: u64,
    /// Of the instances in service, those that are not healthy or are DRAINING.
    disturbed: u64,
    /// The instances that Ballast drains already.
    under_way: u64,
    /// The services that are being deployed and have to do with the provider.
    deployed: Vec<&'a ServiceName>,
    /// What each ACTIVE instance has left that nothing of the plan has drained yet, that of tasks that end there included.
    free: BTreeMap<&'a ContainerInstanceArn, Resources>,
    /// What the plan has to move so far.
    moved: Resources,
}

impl<'a> Standing<'a> {
    pub(super) fn of(ground: &Ground<'a>) -> Self {
        let group = &ground.provider.group;
        let containers = ground.containers();
        let is_here = |it: &ContainerInstance| {
            let instance = it.ec2_instance.as_ref();
            instance.is_some_and(|it| group.instances.contains_key(it))
        };
        let is_draining = |it: &ContainerInstance| it.status == ContainerInstanceStatus::Draining;
        let mut standing = Self {
            in_service: 0,
            unhealthy: 0,
            disturbed: 0,
            under_way: 0,
            deployed: ground.deployed(is_here),
            free: BTreeMap::new(),
            moved: Resources::ZERO,
        };
        let drains = ground.memory().map(|it| &it.drains);
        for (id, instance) in &group.instances {
            let container = containers.get(id).copied();
            let drains_now = container.is_some_and(is_draining);
            let is_ours = drains.is_some_and(|it| it.contains_key(id));
            standing.under_way += u64::from(drains_now && is_ours);
            if instance.lifecycle == Lifecycle::InService {
                let is_unhealthy = !instance.is_healthy || ground.is_lost(id, container);
                standing.in_service += 1;
                standing.unhealthy += u64::from(is_unhealthy);
                standing.disturbed += u64::from(is_unhealthy || drains_now);
            }
            if let Some(container) = container.filter(|it| !is_draining(it)) {
                let tasks = ground.tasks_on(&container.arn).into_iter();
                let ends = tasks.filter(|task| !task.desired_running);
                let free = ends.fold(container.remaining, |sum, task| {
                    sum.saturating_add(&task.needs)
                });
                standing.free.insert(&container.arn, free);
            }
        }
        standing
    }
}

impl<'a> Ground<'a> {
    /// What must be so before anything is removed.
    fn check_removal(
        &self,
        instance: &InstanceId,
        standing: &Standing<'_>,
        found: &mut Findings<'_>,
    ) {
        let gaps = self.snapshot.gaps.len() + self.cluster.gaps.len() + self.provider.gaps.len();
        if gaps > 0 || self.memory().is_none() {
            let detail = format!("`{instance}` would be removed with {gaps} gaps in what was seen");
            found.add("complete_before_removing", detail);
        }
        // A fault that many instances have is not theirs.
        let (unhealthy, of) = (standing.unhealthy, standing.in_service);
        if unhealthy * 100 > of * UNHEALTHY_PERCENT_MAX {
            let detail = format!("{unhealthy} of {of} instances are not healthy");
            found.add("enough_healthy", detail);
        }
        for service in &standing.deployed {
            let detail =
                format!("`{service}` is being deployed, and `{instance}` would be removed");
            found.add("no_deployment", detail);
        }
        let group = &self.provider.group;
        if group.suspended_processes.contains("Terminate") {
            found.add(
                "suspended",
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

    /// The services that are being deployed and have to do with the provider.
    fn deployed(&self, is_here: impl Fn(&ContainerInstance) -> bool) -> Vec<&'a ServiceName> {
        let name = &self.provider.key.provider;
        let is_deployed = |service: &CapacityService| {
            service.deployments.len() > 1 || service.deployments.iter().any(|it| it.in_progress)
        };
        let lives_here = |service: &CapacityService| {
            let mut tasks = self.cluster.tasks.iter().filter(|task| {
                task.service.as_ref() == Some(&service.name)
                    && task.last_status != TaskStatus::Stopped
            });
            tasks.any(|task| {
                let on = task.instance.as_ref();
                let on = on.and_then(|it| self.cluster.instances.get(it));
                task.provider.as_ref() == Some(name) || on.is_some_and(&is_here)
            })
        };
        let is_placed_here = |service: &CapacityService| {
            let later = service.deployments.iter().flat_map(|it| &it.strategy);
            let mut items = service.strategy.iter().chain(later);
            items.any(|it| it.provider == *name)
        };
        let services = self.cluster.services.values();
        services
            .filter(|it| is_deployed(it) && (is_placed_here(it) || lives_here(it)))
            .map(|it| &it.name)
            .collect()
    }

    /// The container instance of each instance, where ECS counts it among the cluster's.
    fn containers(&self) -> BTreeMap<&'a InstanceId, &'a ContainerInstance> {
        let all = self.cluster.instances.values();
        let counted = all.filter(|it| match it.status {
            ContainerInstanceStatus::Active | ContainerInstanceStatus::Draining => true,
            ContainerInstanceStatus::Registering
            | ContainerInstanceStatus::Deregistering
            | ContainerInstanceStatus::RegistrationFailed
            | ContainerInstanceStatus::Inactive
            | ContainerInstanceStatus::Unknown => false,
        });
        counted
            .filter_map(|it| Some((it.ec2_instance.as_ref()?, it)))
            .collect()
    }

    /// How long an instance may take to register, in seconds: by the tag, else by the provider, but no less than 30 and no more than 3,600.
    fn warm_up(&self) -> i64 {
        if let Some(tagged) = self.policy.warm_up {
            return tagged.0;
        }
        let own = self.provider.managed_scaling.as_ref();
        let own = own.and_then(|it| it.instance_warmup_period);
        own.map_or(300, |it| it.0).clamp(30, 3_600)
    }

    /// Whether ECS says that it is impaired, or it certainly has been without its agent or a registration for too long.
    fn is_lost(&self, id: &InstanceId, container: Option<&ContainerInstance>) -> bool {
        let longer = |since: Option<&model::Timestamp>, secs: i64| {
            since.is_some_and(|it| self.now.as_second() - it.as_second() > secs)
        };
        let memory = self.memory();
        let Some(container) = container else {
            let since = memory.and_then(|it| it.unregistered.get(id));
            return longer(since, self.warm_up());
        };
        let since = memory.and_then(|it| it.disconnected.get(id));
        let is_gone = container.status == ContainerInstanceStatus::Active
            && !container.agent_connected
            && longer(since, self.policy.agent_grace.0);
        container.is_impaired || is_gone
    }

    /// The tasks on a container instance that are not daemons'.
    fn tasks_on(&self, container_instance: &ContainerInstanceArn) -> Vec<&'a InstanceTask> {
        let all = self.tasks.get(container_instance);
        all.into_iter()
            .flatten()
            .copied()
            .filter(|it| !it.is_daemon)
            .collect()
    }

    pub(super) fn check_drain(
        &self,
        step: &CapacityStep,
        begun: &Begun<'_>,
        standing: &mut Standing<'_>,
        found: &mut Findings<'_>,
    ) {
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
        let Some(container) = self.container(container_instance, instance, active, found) else {
            return;
        };
        self.check_removal(instance, standing, found);
        self.check_age(container, instance, found);
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
        Self::check_room(container_instance, &on_it, standing, found);
        self.check_budget(begun, standing, found);
        self.check_delay(begun, standing, found);
    }

    /// It has been there for the minimum age, as far as anybody can tell.
    fn check_age(
        &self,
        container: &ContainerInstance,
        instance: &InstanceId,
        found: &mut Findings<'_>,
    ) {
        let age = container
            .registered_at
            .map(|at| self.now.as_second() - at.as_second());
        let least = self.policy.minimum_age.0;
        if least > 0 && age.is_none_or(|age| age < least) {
            let detail = format!("`{instance}` registered less than {least} s ago");
            found.add("old_enough", detail);
        }
    }

    /// What is on the instances that this plan drains could be on the others: each task on one of them, and all of them together by their
    /// sums. That they can be packed so is the rules' own affair.
    fn check_room(
        container_instance: &ContainerInstanceArn,
        on_it: &[&InstanceTask],
        standing: &mut Standing<'_>,
        found: &mut Findings<'_>,
    ) {
        standing.free.remove(container_instance);
        let moved = on_it.iter().filter(|it| it.desired_running);
        let needs: BTreeSet<&Resources> = moved.clone().map(|it| &it.needs).collect();
        for one in needs {
            if !standing.free.values().any(|free| one.fits(free)) {
                let detail = format!("a task that needs {one} fits nowhere else");
                found.add("room_elsewhere", detail);
            }
        }
        let sum = |sum: Resources, it: &Resources| sum.saturating_add(it);
        standing.moved = moved.map(|it| &it.needs).fold(standing.moved, sum);
        let there = standing.free.values().fold(Resources::ZERO, sum);
        let moved = standing.moved;
        if !moved.fits(&there) {
            let detail = format!("{moved} would move, and elsewhere is room for {there}");
            found.add("room_elsewhere", detail);
        }
    }

    /// What drains, is not healthy or begins to drain stays within the share, and the group keeps its minimum.
    fn check_budget(&self, begun: &Begun<'_>, standing: &Standing<'_>, found: &mut Findings<'_>) {
        let group = &self.provider.group;
        let percent = u64::from(self.policy.disruption_percent);
        let share = (standing.in_service * percent).div_ceil(100);
        let drains = begun.draining();
        let disturbed = standing.disturbed;
        if disturbed + drains > share {
            let detail = format!("{drains} more would drain beside {disturbed}, and {share} may");
            found.add("disruption_budget", detail);
        }
        let gone = standing.under_way + drains;
        if u64::from(group.desired_capacity) < u64::from(group.min_size) + gone {
            let detail = format!(
                "{gone} fewer than {} is below {}",
                group.desired_capacity, group.min_size
            );
            found.add("within_limits", detail);
        }
    }

    /// The provider was watched for the whole delay, and never were more instances wanted than are left once everything that drains has
    /// ended.
    fn check_delay(&self, begun: &Begun<'_>, standing: &Standing<'_>, found: &mut Findings<'_>) {
        let Some(memory) = self.memory() else { return };
        let delay = self.policy.scale_in_delay.0;
        let now = self.now.as_second();
        let group = &self.provider.group;
        let interval = self.installation.schedule_interval.0;
        let break_secs_max = interval.saturating_mul(LOOKS_MISSED_MAX);
        let watched = memory.watched.is_some_and(|it| {
            now - it.since.as_second() >= delay && now - it.until.as_second() <= break_secs_max
        });
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
        let most = lately.map(|it| it.tasks).max().unwrap_or(0);
        let most = u64::from(most.min(group.max_size));
        let gone = standing.under_way + begun.draining();
        if most + gone > u64::from(group.desired_capacity) {
            let detail = format!(
                "{most} instances were wanted within {delay} s, and of {} {gone} would go",
                group.desired_capacity
            );
            found.add("unwanted_for_the_delay", detail);
        }
    }

    pub(super) fn check_terminate(
        &self,
        step: &CapacityStep,
        ends: u32,
        standing: &Standing<'_>,
        found: &mut Findings<'_>,
    ) {
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
        self.check_removal(instance, standing, found);
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
