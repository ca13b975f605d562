//! What a decision about departures is about.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{AutoScalingGroupName, ClusterName, InstanceId, LifecycleHookName, TaskArn};

/// Whose instances: what carries the tag, and what something is remembered of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum DrainKey {
    /// The instances of an Auto Scaling group.
    Group {
        /// The group.
        group: AutoScalingGroupName,
    },
    /// The container instances of a cluster that are in no Auto Scaling group.
    Cluster {
        /// The cluster.
        cluster: ClusterName,
    },
    /// One instance that an event named and that is none of Ballast's. Something is remembered of it only where it may register in a cluster
    /// that is opted in: why it leaves.
    Instance {
        /// The instance.
        instance: InstanceId,
    },
}

impl fmt::Display for DrainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group { group } => write!(f, "group {group}"),
            Self::Cluster { cluster } => write!(f, "cluster {cluster}"),
            Self::Instance { instance } => write!(f, "instance {instance}"),
        }
    }
}

/// What a step or a hold is about.
///
/// Of what was looked at, every group, every instance and every lifecycle action of Ballast's hook is the subject of exactly one step
/// or hold. Instances that are left alone for the same reason share one hold. A task that is stopped is the subject of its step; the
/// others are counted with their instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "subject", rename_all = "snake_case")]
pub enum DrainSubject {
    /// The group, or the cluster, itself.
    Group {
        /// Which.
        key: DrainKey,
    },
    /// Instances, in the order of their ids; never empty.
    Instances {
        /// Whose they are.
        key: DrainKey,
        /// The instances.
        instances: Vec<InstanceId>,
    },
    /// The lifecycle action by which an instance waits.
    LifecycleAction {
        /// Whose instance.
        key: DrainKey,
        /// The instance.
        instance: InstanceId,
        /// The hook.
        hook: LifecycleHookName,
    },
    /// A task on an instance.
    Task {
        /// Whose instance.
        key: DrainKey,
        /// The instance.
        instance: InstanceId,
        /// The task.
        task: TaskArn,
    },
}

impl DrainSubject {
    /// Whose it is.
    #[must_use]
    pub const fn key(&self) -> &DrainKey {
        match self {
            Self::Group { key }
            | Self::Instances { key, .. }
            | Self::LifecycleAction { key, .. }
            | Self::Task { key, .. } => key,
        }
    }
}

/// How many instances a line of text names; the rest is counted.
const INSTANCES_SHOWN_MAX: usize = 5;

impl fmt::Display for DrainSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group { key } => write!(f, "`{key}`"),
            Self::Instances { key, instances } => {
                write!(f, "`{key}`")?;
                for instance in instances.iter().take(INSTANCES_SHOWN_MAX) {
                    write!(f, " `{instance}`")?;
                }
                match instances.len().saturating_sub(INSTANCES_SHOWN_MAX) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::LifecycleAction {
                key,
                instance,
                hook,
            } => write!(f, "`{key}` `{instance}` hook `{hook}`"),
            Self::Task {
                key,
                instance,
                task,
            } => write!(f, "`{key}` `{instance}` task `{task}`"),
        }
    }
}
