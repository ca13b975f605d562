//! Container instances as they can be read.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerInstance.html>

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::ClusterName;
use model::snapshot::TaskStatus;

use super::group::words;
use super::{State, Task};
use crate::ecs::Resources;

words! {
    /// Where a container instance is in its life.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-life-cycle.html>
    ContainerInstanceStatus {
        /// Its agent has just begun.
        Registering = "REGISTERING",
        /// It takes tasks.
        Active = "ACTIVE",
        /// It takes no new tasks.
        Draining = "DRAINING",
        /// It leaves its cluster.
        Deregistering = "DEREGISTERING",
        /// It has left its cluster.
        Inactive = "INACTIVE",
    }
}

/// A container instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerInstance {
    /// Its ARN.
    pub arn: String,
    /// The cluster that it is registered with.
    pub cluster: ClusterName,
    /// The EC2 instance.
    pub ec2_instance_id: String,
    /// Such as `m5.large`.
    pub instance_type: String,
    /// Its zone.
    pub zone: String,
    /// The capacity provider over its group, if there is one in its cluster.
    pub provider: Option<String>,
    /// Where it is in its life.
    pub status: ContainerInstanceStatus,
    /// Whether its agent is connected.
    pub agent_connected: bool,
    /// Whether its health checks say OK; otherwise they say IMPAIRED.
    pub healthy: bool,
    /// What it had when it was empty.
    pub registered: Resources,
    /// What is left.
    pub remaining: Resources,
    /// Its attributes: ECS's own and custom ones. Not all have a value.
    pub attributes: BTreeMap<String, Option<String>>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The ids of the tasks that hold resources on it.
    pub tasks: BTreeSet<String>,
    /// When it registered.
    pub registered_at: Timestamp,
    /// Grows by one with every change.
    pub version: u64,
    /// When it was set to DRAINING.
    pub draining_since: Option<Timestamp>,
    /// How often somebody decided whether its agent is connected.
    pub(crate) agent_changes: u64,
}

impl ContainerInstance {
    /// The id: the last part of the ARN.
    #[must_use]
    pub fn id(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or(&self.arn)
    }

    /// Whether new tasks may be placed here.
    #[must_use]
    pub fn takes_tasks(&self) -> bool {
        self.status == ContainerInstanceStatus::Active && self.agent_connected
    }

    /// The tasks that hold resources here, in the order of their ids.
    pub fn tasks_in<'a>(&'a self, state: &'a State) -> impl Iterator<Item = &'a Task> {
        self.tasks.iter().filter_map(|id| state.tasks.get(id))
    }

    /// The tasks that hold resources here and belong to no daemon.
    pub fn work_in<'a>(&'a self, state: &'a State) -> impl Iterator<Item = &'a Task> {
        self.tasks_in(state).filter(|it| !it.daemon)
    }

    /// How many tasks run here, and how many are on their way there, as ECS counts them.
    #[must_use]
    pub fn counts(&self, state: &State) -> (u32, u32) {
        self.tasks_in(state)
            .fold((0, 0), |(running, pending), task| match task.last_status {
                TaskStatus::Running => (running + 1, pending),
                TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating => {
                    (running, pending + 1)
                }
                TaskStatus::Deactivating
                | TaskStatus::Stopping
                | TaskStatus::Deprovisioning
                | TaskStatus::Stopped
                | TaskStatus::Unknown => (running, pending),
            })
    }
}
