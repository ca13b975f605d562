//! The law of room: what is drained by choice has somewhere to go, and nothing stays behind on it.

use std::collections::BTreeMap;

use model::capacity::{CapacityService, ContainerInstance, ContainerInstanceStatus, InstanceTask};
use model::capacity::{Group, Resources};
use model::drain::{CauseKind, DrainCluster, DrainKey, GroupRaiser, LookedInstance, PoolRoom};
use model::ids::ClusterName;

use super::{Findings, Ground};

/// What the steps of a plan were promised so far.
#[derive(Debug, Default)]
pub(super) struct Promised {
    /// What moves to instances that are there.
    moved: BTreeMap<ClusterName, Resources>,
    /// How many instances are launched.
    launched: BTreeMap<DrainKey, u32>,
}

impl<'a> Ground<'a> {
    /// A drain by choice needs that its tasks were read, that for a recommendation none of them would stay, and room for those that move: of
    /// each on another instance, of all together, or on an instance that somebody launches before any of them is stopped.
    pub(super) fn check_room(
        &self,
        looked: &LookedInstance,
        kind: CauseKind,
        room: &PoolRoom,
        promised: &mut Promised,
        found: &mut Findings<'_>,
    ) {
        if looked.tasks_counted == Some(0) {
            return;
        }
        let id = &looked.id;
        let read = looked.registered.as_ref().and_then(|(name, arn)| {
            let cluster = self.snapshot.clusters.get(name)?;
            cluster.tasks_read.contains(arn).then_some((cluster, arn))
        });
        let Some((cluster, arn)) = read else {
            found.add(
                "room_elsewhere",
                format!("the tasks on `{id}` were not read"),
            );
            return;
        };
        let key = (&cluster.capacity.cluster, arn);
        let tasks = self.sources.tasks.get(&key).into_iter().flatten();
        let tasks = tasks.filter(|it| it.desired_running && !it.is_daemon);
        let (moving, staying): (Vec<&InstanceTask>, Vec<&InstanceTask>) =
            tasks.partition(|task| is_moved(cluster, task));
        if let Some(task) = staying.first().filter(|_| kind == CauseKind::Rebalance) {
            let detail = format!("ECS would not move `{}` off `{id}`", task.arn);
            found.add("room_elsewhere", detail);
        }
        match room {
            PoolRoom::Free { .. } => {
                self.check_free(looked, kind, cluster, &moving, promised, found);
            }
            PoolRoom::Launchable { raised_by, .. } => {
                self.check_raised(*raised_by, promised, found);
                check_replaced_first(cluster, &moving, found);
            }
        }
    }

    fn check_free(
        &self,
        looked: &LookedInstance,
        kind: CauseKind,
        cluster: &'a DrainCluster,
        moving: &[&InstanceTask],
        promised: &mut Promised,
        found: &mut Findings<'_>,
    ) {
        let pool = (looked.instance_type.as_ref(), looked.zone.as_ref());
        let sites: Vec<&ContainerInstance> = self.sites(cluster).collect();
        for task in moving {
            let mut others = sites.iter().filter(|it| {
                let same = (it.instance_type.as_ref(), it.zone.as_ref()) == pool;
                it.ec2_instance.as_ref() != Some(&looked.id)
                    && !(same && kind == CauseKind::Rebalance)
            });
            if !others.any(|it| task.needs.fits(&it.remaining)) {
                let detail = format!("no other instance has room for `{}`", task.arn);
                found.add("room_elsewhere", detail);
            }
        }
        let name = &cluster.capacity.cluster;
        let moved = promised.moved.entry(name.clone()).or_default();
        let needs = moving.iter().map(|it| it.needs);
        *moved = needs.fold(*moved, |sum, it| sum.saturating_add(&it));
        let free = sites.iter().map(|it| it.remaining);
        let free = free.fold(Resources::ZERO, |sum, it| sum.saturating_add(&it));
        let is_seen = moved.fits(&free) && cluster.has_every_instance;
        if !(moving.is_empty() || is_seen) {
            let detail = format!("{moved} are to move in `{name}`, and {free} are seen free");
            found.add("room_elsewhere", detail);
        }
    }

    /// The instances of a cluster that take tasks and that the plan does not drain.
    fn sites(&self, cluster: &'a DrainCluster) -> impl Iterator<Item = &'a ContainerInstance> {
        let instances = cluster.capacity.instances.values();
        instances.filter(|it| {
            let is_drained = it.ec2_instance.as_ref();
            let is_drained = is_drained.is_some_and(|it| self.sources.drained.contains(it));
            it.status == ContainerInstanceStatus::Active && it.agent_connected && !is_drained
        })
    }

    /// Somebody raises the group, by as many instances as are promised.
    fn check_raised(
        &self,
        raised_by: GroupRaiser,
        promised: &mut Promised,
        found: &mut Findings<'_>,
    ) {
        let key = &self.group.key;
        let launched = promised.launched.entry(key.clone()).or_default();
        *launched = launched.saturating_add(1);
        let is_raised = |group: &Group| match raised_by {
            GroupRaiser::ClusterScaler => {
                let tag = group.tags.get("ballast:cluster-scaler");
                tag.is_some_and(|it| it == "act")
            }
            GroupRaiser::ManagedScaling => self.group.managed_scaling,
        };
        let may = self.group.group.as_ref().is_some_and(|group| {
            let most = u64::from(group.desired_capacity) + u64::from(*launched);
            is_raised(group)
                && most <= u64::from(group.max_size)
                && !group.suspended_processes.contains("Launch")
        });
        if !may {
            let detail = format!("nobody launches {launched} instances for `{key}`");
            found.add("room_elsewhere", detail);
        }
    }
}

/// Whether ECS moves the task off an instance that drains.
fn is_moved(cluster: &DrainCluster, task: &InstanceTask) -> bool {
    let Some(name) = &task.service else {
        return false;
    };
    let service = cluster.capacity.services.get(name);
    service.is_none_or(|it| has_spare(it) || may_surge(it))
}

/// Whether more of the service is there than its minimum.
fn has_spare(service: &CapacityService) -> bool {
    let there = u64::from(service.running_count) + u64::from(service.pending_count);
    let least = u64::from(service.desired_count) * u64::from(service.minimum_healthy_percent);
    there > least.div_ceil(100)
}

/// Whether the service may run one more than it desires.
fn may_surge(service: &CapacityService) -> bool {
    let desired = u64::from(service.desired_count);
    desired * u64::from(service.maximum_percent) >= (desired + 1) * 100
}

/// No service of these tasks may run less than it desires before what replaces them is launched.
fn check_replaced_first(
    cluster: &DrainCluster,
    moving: &[&InstanceTask],
    found: &mut Findings<'_>,
) {
    for task in moving {
        let name = task.service.as_ref();
        let service = name.and_then(|it| cluster.capacity.services.get(it));
        let is_kept = service.is_some_and(|it| {
            let desired = u64::from(it.desired_count);
            let least = desired * u64::from(it.minimum_healthy_percent);
            least > desired.saturating_sub(1) * 100 && may_surge(it)
        });
        if !is_kept {
            let detail = format!("`{}` may stop before another task runs for it", task.arn);
            found.add("room_elsewhere", detail);
        }
    }
}
