//! What was observed of instances that are going away, at one time, with its gaps named.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::capacity::{ClusterCapacity, ContainerInstance, Group, InstanceTask, Lifecycle};
use crate::drain::key::DrainKey;
use crate::drain::policy::DrainPolicy;
use crate::ids::{
    AutoScalingGroupName, AvailabilityZone, ClusterName, ContainerInstanceArn, InstanceId,
    InstanceType, LifecycleHookName, TaskDefinitionArn,
};
use crate::settings::SettingFault;
use crate::snapshot::Gap;
use crate::units::Seconds;

/// One consistent-as-possible look at instances that are going away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainSnapshot {
    /// The time of AWS's first answer: everything seen is at least as young.
    pub taken_at: Timestamp,
    /// Whether everything in scope was looked at, and not only what events named.
    pub is_full: bool,
    /// The groups that are opted in, and the clusters that are for their instances in no group: of a full look all of them, else
    /// those of the instances that were named. Written as a list, in the order of their keys.
    #[serde(with = "by_key")]
    pub groups: BTreeMap<DrainKey, DrainGroup>,
    /// The clusters that these instances are registered in.
    pub clusters: BTreeMap<ClusterName, DrainCluster>,
    /// The instances that an event named and that are not looked after. Of a full look none.
    pub passed_over: BTreeMap<InstanceId, InstancePassedOver>,
    /// Of a full look: where Auto Scaling has the container instances that are DRAINING and in nothing that is opted in. One that is not here
    /// was not asked about.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outside: BTreeMap<InstanceId, Whereabouts>,
    /// Of a full look: the clusters of which every container instance is known, also where none of them matters. What was registered in one of
    /// them, and was not seen, is not registered any more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub searched: BTreeSet<ClusterName>,
    /// What could not be observed and belongs to no single group or cluster. While this is not empty, some of either may be missing.
    pub gaps: Vec<Gap>,
}

/// JSON's maps have text keys only, and a [`DrainKey`] is an object: groups are written as a list; each has its key.
mod by_key {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{DrainGroup, DrainKey};

    pub(super) fn serialize<S: Serializer>(
        groups: &BTreeMap<DrainKey, DrainGroup>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(groups.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<DrainKey, DrainGroup>, D::Error> {
        let groups = Vec::<DrainGroup>::deserialize(deserializer)?;
        Ok(groups.into_iter().map(|it| (it.key.clone(), it)).collect())
    }
}

impl DrainSnapshot {
    /// How long after it registered an instance in no group is new: what was said of it before may be remembered of it alone.
    pub const NEW_FOR: Seconds = Seconds(600);
    /// Of how many new instances it is asked what was said of them before they registered.
    pub const NEW_MAX: usize = 1_000;

    /// Whose memories the look is decided with: the groups, and single instances that are, or lately were, registered nowhere.
    #[must_use]
    pub fn remembered_of(&self) -> BTreeSet<DrainKey> {
        let passed_over = self.passed_over.iter();
        let unregistered = passed_over
            .filter(|(_, why)| **why == InstancePassedOver::NotRegistered)
            .map(|(id, _)| id);
        let new = self.new_instances();
        let alone = unregistered.chain(new.into_iter().take(Self::NEW_MAX));
        let alone = alone.map(|id| DrainKey::Instance {
            instance: id.clone(),
        });
        self.groups.keys().cloned().chain(alone).collect()
    }

    /// How many instances are new, and so many that what was said of them before they registered is not asked for.
    #[must_use]
    pub fn new_beyond_bound(&self) -> usize {
        self.new_instances().len().saturating_sub(Self::NEW_MAX)
    }

    /// The instances in no group that are new in their clusters, those first that registered last: a look has most likely not shown them before.
    fn new_instances(&self) -> Vec<&InstanceId> {
        let of_clusters = self.groups.values().filter(|it| it.group.is_none());
        let new = of_clusters
            .flat_map(|it| it.instances.values())
            .filter(|it| self.is_new(it));
        let registered_at = |it: &LookedInstance| self.container(it)?.1.registered_at;
        let mut new: Vec<_> = new.map(|it| (Reverse(registered_at(it)), &it.id)).collect();
        new.sort();
        new.into_iter().map(|(_, id)| id).collect()
    }

    fn is_new(&self, instance: &LookedInstance) -> bool {
        let registered_at = self.container(instance).map(|(_, it)| it.registered_at);
        registered_at.is_some_and(|at| at.is_none_or(|at| self.taken_at < Self::NEW_FOR.after(at)))
    }

    /// Where an instance is registered, and as what.
    #[must_use]
    pub fn container(
        &self,
        instance: &LookedInstance,
    ) -> Option<(&DrainCluster, &ContainerInstance)> {
        let (cluster, arn) = instance.registered.as_ref()?;
        let cluster = self.clusters.get(cluster)?;
        Some((cluster, cluster.capacity.instances.get(arn)?))
    }

    /// The tasks on an instance that are not STOPPED, in the order of their ARNs. `None`: they were not read. Of an instance that is
    /// not registered there are none.
    #[must_use]
    pub fn tasks(&self, instance: &LookedInstance) -> Option<Vec<&InstanceTask>> {
        let Some((cluster, arn)) = &instance.registered else {
            return Some(Vec::new());
        };
        let cluster = self.clusters.get(cluster)?;
        if !cluster.tasks_read.contains(arn) {
            return None;
        }
        let of_instance = |task: &&InstanceTask| task.instance.as_ref() == Some(arn);
        Some(cluster.capacity.tasks.iter().filter(of_instance).collect())
    }
}

/// Where Auto Scaling has an instance that is in nothing that is opted in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Whereabouts {
    /// In no group of this account and Region, and in no warm pool.
    InNoGroup,
    /// In a group, or in its warm pool.
    InGroup {
        /// Which.
        group: AutoScalingGroupName,
        /// Where it is in its life there.
        lifecycle: Lifecycle,
    },
    /// AWS did not tell.
    Unread {
        /// Why.
        gap: Gap,
    },
}

/// Why an instance that an event named is not looked after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum InstancePassedOver {
    /// Its group, or its cluster where it is in no group, does not carry `ballast:instance-drain`.
    NotOptedIn {
        /// Its group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<AutoScalingGroupName>,
        /// The cluster that it is registered in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cluster: Option<ClusterName>,
    },
    /// It is in no Auto Scaling group of this account and Region, and registered in no cluster that Ballast looks after: another
    /// cluster's, no container instance, or gone.
    NotFound,
    /// As [`Self::NotFound`], but a cluster in scope is opted in for its instances in no group: it may register there yet.
    NotRegistered,
    /// An event told that it drains or is gone, and nothing is to be done about that now: it waits in no lifecycle hook, and its group lets no
    /// task be stopped. The schedule's look sees the rest.
    LeftToSchedule {
        /// Its group.
        group: AutoScalingGroupName,
    },
    /// It could not be found out whose it is.
    Unread {
        /// What failed.
        gap: Gap,
    },
}

impl InstancePassedOver {
    /// What failed, where it could not be read.
    #[must_use]
    pub const fn gap(&self) -> Option<&Gap> {
        match self {
            Self::Unread { gap } => Some(gap),
            Self::NotOptedIn { .. }
            | Self::NotFound
            | Self::NotRegistered
            | Self::LeftToSchedule { .. } => None,
        }
    }
}

/// Instances that share a tag: those of an Auto Scaling group, or those of a cluster that are in no group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainGroup {
    /// Which.
    pub key: DrainKey,
    /// The tags, read; or everything that is wrong with them.
    pub policy: Result<DrainPolicy, Vec<SettingFault>>,
    /// The Auto Scaling group; `None` for the instances in no group.
    pub group: Option<Group>,
    /// Whether its instances are known to be of the clusters that this installation looks after: it looks after all of them, an
    /// instance of the group is registered in one, or a capacity provider of one is over the group. Else another installation may look
    /// after them: that an instance is registered nowhere proves nothing then.
    #[serde(default = "proven")]
    pub is_proven_ours: bool,
    /// The group's hooks for instances on their way out (`autoscaling:EC2_INSTANCE_TERMINATING`), by name. Read only where an
    /// instance of the group is on its way out, or in a full look; else empty and [`Self::hooks_read`] is `false`.
    pub hooks: BTreeMap<LifecycleHookName, LifecycleHook>,
    /// Whether the hooks were read.
    pub hooks_read: bool,
    /// Whether ECS drains the group's instances itself: managed draining of a capacity provider over it.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-instance-draining.html>
    pub managed_draining: bool,
    /// Whether ECS raises the group's desired capacity itself: managed scaling of a capacity provider over it.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ManagedScaling.html>
    #[serde(default)]
    pub managed_scaling: bool,
    /// The instances: of a full look all, else those that were named. Of those in its warm pool the ones on their way out of it.
    pub instances: BTreeMap<InstanceId, LookedInstance>,
    /// The instances that wait in its warm pool until they are needed, where that was read: nothing is done about them, and they are not gone.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub in_warm_pool: BTreeSet<InstanceId>,
    /// What could not be observed about them. While this is not empty, nothing is taken back or drained by choice.
    pub gaps: Vec<Gap>,
}

/// Of a group about which nothing else was written.
const fn proven() -> bool {
    true
}

/// A lifecycle hook for instances on their way out.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleHook {
    /// Its name.
    pub name: LifecycleHookName,
    /// How long an action waits for a heartbeat or its completion.
    #[serde(rename = "heartbeat_timeout_secs")]
    pub heartbeat_timeout: Seconds,
    /// How long an action can be kept waiting altogether: at most 48 hours or 100 times the heartbeat timeout, whichever is shorter.
    #[serde(rename = "global_timeout_secs")]
    pub global_timeout: Seconds,
    /// What becomes of an action that nobody completes.
    pub default_result: HookResult,
}

/// What becomes of a lifecycle action. An instance on its way out is terminated with either; `ABANDON` stops the other hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HookResult {
    /// Go on.
    Continue,
    /// Go on and run no other hook.
    Abandon,
}

/// An instance that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedInstance {
    /// Its id.
    pub id: InstanceId,
    /// Its type, where it is known.
    pub instance_type: Option<InstanceType>,
    /// Its zone, where it is known.
    pub zone: Option<AvailabilityZone>,
    /// Its place in its group; `None` where it is in none, any more or at all.
    pub member: Option<Membership>,
    /// Where it is registered; `None` where it is not, yet or any more.
    pub registered: Option<(ClusterName, ContainerInstanceArn)>,
    /// How many tasks ECS counts on it that run or wait, daemons' included. `None` where it is not registered.
    pub tasks_counted: Option<u32>,
}

/// An instance's place in its group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
    /// Whether it waits in a lifecycle hook on its way out: `Terminating:Wait`, or `Warmed:Terminating:Wait`.
    pub waits_in_hook: bool,
    /// Whether the group takes it for healthy.
    pub is_healthy: bool,
    /// When the group began to terminate it, where a scaling activity tells it.
    pub terminating_since: Option<Timestamp>,
}

/// A cluster that instances are registered in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainCluster {
    /// What was read of it. `instances` holds those that were looked at and, where [`Self::has_every_instance`], all others as well;
    /// `tasks` those on the instances of [`Self::tasks_read`]; `services` and `task_definitions` those of these tasks; `providers`
    /// is empty.
    pub capacity: ClusterCapacity,
    /// Whether every container instance of the cluster was read, so that what is free elsewhere is known.
    pub has_every_instance: bool,
    /// The instances whose tasks were read, those that are told to stop included.
    pub tasks_read: BTreeSet<ContainerInstanceArn>,
    /// The longest stop timeout of the containers of these task definitions; 30 s where one sets none.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definition_timeout>
    pub stop_timeouts: BTreeMap<TaskDefinitionArn, Seconds>,
}
