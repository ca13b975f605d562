//! What of a cluster is asked for again and again, indexed once for all its providers.

use std::collections::{BTreeMap, BTreeSet};

use model::capacity::{
    ClusterCapacity, ContainerInstance, ContainerInstanceStatus, InstanceTask, Lifecycle,
};
use model::snapshot::TaskStatus;
use model::{ContainerInstanceArn, InstanceId, ServiceName};

/// A cluster, indexed.
#[derive(Clone)]
pub(crate) struct Index<'a> {
    pub(crate) cluster: &'a ClusterCapacity,
    /// The container instance of each EC2 instance.
    by_ec2: BTreeMap<&'a InstanceId, &'a ContainerInstance>,
    /// The tasks on each container instance that are not STOPPED, daemons included.
    tasks_on: BTreeMap<&'a ContainerInstanceArn, Vec<&'a InstanceTask>>,
    /// The tasks of each service that are to run, daemons left out.
    tasks_of: BTreeMap<&'a ServiceName, Vec<&'a InstanceTask>>,
    /// The container instances whose tasks are about to go.
    departing: BTreeSet<&'a ContainerInstanceArn>,
}

impl<'a> Index<'a> {
    /// Indexes a cluster. Those `activated` are ACTIVE, whatever they still read.
    pub(crate) fn new(cluster: &'a ClusterCapacity, activated: &BTreeSet<&InstanceId>) -> Self {
        let mut by_ec2: BTreeMap<&InstanceId, &ContainerInstance> = BTreeMap::new();
        for container in cluster.instances.values() {
            let Some(id) = &container.ec2_instance else {
                continue;
            };
            // An agent that lost its state registers its instance anew; the old container instance stays for a while.
            let held = by_ec2.entry(id).or_insert(container);
            if liveness(container) > liveness(held) {
                *held = container;
            }
        }
        let mut tasks_on: BTreeMap<&ContainerInstanceArn, Vec<&InstanceTask>> = BTreeMap::new();
        let mut tasks_of: BTreeMap<&ServiceName, Vec<&InstanceTask>> = BTreeMap::new();
        for task in cluster.tasks.iter().filter(|task| !is_over(task)) {
            if let Some(instance) = &task.instance {
                tasks_on.entry(instance).or_default().push(task);
            }
            if let Some(service) = task
                .service
                .as_ref()
                .filter(|_| task.desired_running && !task.is_daemon)
            {
                tasks_of.entry(service).or_default().push(task);
            }
        }
        let mut departing: BTreeSet<&ContainerInstanceArn> = cluster
            .instances
            .values()
            .filter(|it| is_going(it.status) && !is_back(it, activated))
            .map(|it| &it.arn)
            .collect();
        for provider in cluster.providers.values() {
            for instance in provider.group.instances.values() {
                if instance.lifecycle == Lifecycle::Terminating
                    && let Some(container) = by_ec2.get(&instance.id)
                {
                    departing.insert(&container.arn);
                }
            }
        }
        Self {
            cluster,
            by_ec2,
            tasks_on,
            tasks_of,
            departing,
        }
    }

    /// The same cluster once the tasks of these container instances are about to go as well.
    pub(crate) fn with_departing(
        &self,
        containers: impl IntoIterator<Item = &'a ContainerInstance>,
    ) -> Self {
        let mut index = self.clone();
        index
            .departing
            .extend(containers.into_iter().map(|it| &it.arn));
        index
    }

    /// The container instance of an EC2 instance.
    pub(crate) fn container(&self, id: &InstanceId) -> Option<&'a ContainerInstance> {
        self.by_ec2.get(id).copied()
    }

    /// The tasks on a container instance that are not STOPPED, daemons included.
    pub(crate) fn tasks_on(&self, container: &ContainerInstance) -> &[&'a InstanceTask] {
        self.tasks_on.get(&container.arn).map_or(&[], Vec::as_slice)
    }

    /// How many tasks are RUNNING on a container instance, daemons included.
    pub(crate) fn running_on(&self, container: &ContainerInstance) -> u32 {
        let tasks = self.tasks_on(container).iter();
        let running = tasks.filter(|task| task.last_status == TaskStatus::Running);
        u32::try_from(running.count()).unwrap_or(u32::MAX)
    }

    /// The tasks of a service that are to run.
    pub(crate) fn tasks_of(&self, service: &ServiceName) -> &[&'a InstanceTask] {
        self.tasks_of.get(service).map_or(&[], Vec::as_slice)
    }

    /// Whether the task is to run on, where it is or where it will be put. One on an instance that is going away is not: another takes
    /// its place.
    pub(crate) fn stays(&self, task: &InstanceTask) -> bool {
        task.instance
            .as_ref()
            .is_none_or(|instance| !self.departing.contains(instance))
    }
}

/// Whether a task takes nothing any more.
fn is_over(task: &InstanceTask) -> bool {
    task.last_status == TaskStatus::Stopped
}

fn is_back(container: &ContainerInstance, activated: &BTreeSet<&InstanceId>) -> bool {
    let is_activated = |id| activated.contains(id);
    container.status == ContainerInstanceStatus::Draining
        && container.ec2_instance.as_ref().is_some_and(is_activated)
}

const fn is_going(status: ContainerInstanceStatus) -> bool {
    match status {
        ContainerInstanceStatus::Draining
        | ContainerInstanceStatus::Deregistering
        | ContainerInstanceStatus::Inactive => true,
        ContainerInstanceStatus::Registering
        | ContainerInstanceStatus::Active
        | ContainerInstanceStatus::RegistrationFailed
        | ContainerInstanceStatus::Unknown => false,
    }
}

/// What tells the container instance that is in use from one that an EC2 instance has left behind.
fn liveness(container: &ContainerInstance) -> impl Ord + use<> {
    let in_use = match container.status {
        ContainerInstanceStatus::Active | ContainerInstanceStatus::Draining => 2,
        ContainerInstanceStatus::Registering | ContainerInstanceStatus::Unknown => 1,
        ContainerInstanceStatus::Deregistering
        | ContainerInstanceStatus::RegistrationFailed
        | ContainerInstanceStatus::Inactive => 0,
    };
    (
        in_use,
        container.agent_connected,
        container.registered_at,
        container.arn.clone(),
    )
}
