//! What each instance must keep for daemons: services with DAEMON scheduling, and ECS's daemon resources, of which only tasks are seen.

use std::collections::{BTreeMap, BTreeSet};

use model::capacity::{
    CapacityService, ContainerInstance, HostPort, InstanceTask, Resources, TaskShape,
};
use model::snapshot::{Scheduling, ServiceStatus};
use model::{ServiceName, TaskDefinitionArn};

use super::case::Member;
use super::eligible::{Allowed, Rules};
use super::index::Index;
use crate::query::FutureInstance;

/// Daemons of one kind: one on each instance that they may be on.
#[derive(Debug)]
struct Daemon<'a> {
    /// `None`: of a daemon resource.
    service: Option<&'a ServiceName>,
    task_definition: &'a TaskDefinitionArn,
    needs: Resources,
    host_ports: Option<&'a BTreeSet<HostPort>>,
    rules: Rules<'a>,
}

/// The daemons of a cluster.
#[derive(Debug)]
pub(crate) struct Daemons<'a> {
    daemons: Vec<Daemon<'a>>,
}

/// What is kept for daemons.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) needs: Resources,
    pub(crate) host_ports: BTreeSet<HostPort>,
}

impl<'a> Daemons<'a> {
    /// The DAEMON services of the cluster, and the daemons without a service that are on the provider's instances.
    pub(crate) fn new(index: &Index<'a>, members: &[Member<'a>]) -> Self {
        let cluster = index.cluster;
        let shape = |of: &TaskDefinitionArn| cluster.task_definitions.get(of);
        let mut daemons: Vec<Daemon<'a>> = Vec::new();
        let services = cluster.services.values().filter(|it| is_daemon(it));
        for service in services {
            let newest = service.deployments.iter().find(|it| it.is_primary);
            let Some(deployment) = newest.or(service.deployments.first()) else {
                continue;
            };
            let Some(shape) = shape(&deployment.task_definition) else {
                continue;
            };
            daemons.push(Daemon {
                service: Some(&service.name),
                task_definition: &deployment.task_definition,
                needs: shape.needs,
                host_ports: Some(&shape.host_ports),
                rules: Rules::new(Some(service), Some(shape)),
            });
        }
        let mut others: BTreeMap<&TaskDefinitionArn, &InstanceTask> = BTreeMap::new();
        for container in members.iter().filter_map(|member| member.container) {
            let tasks = index.tasks_on(container).iter().copied();
            for task in tasks.filter(|task| task.is_daemon && task.desired_running) {
                let service = task.service.as_ref();
                if service.is_none_or(|service| !cluster.services.contains_key(service)) {
                    others.entry(&task.task_definition).or_insert(task);
                }
            }
        }
        daemons.extend(others.into_values().map(|task| {
            let shape: Option<&TaskShape> = shape(&task.task_definition);
            Daemon {
                service: task.service.as_ref(),
                task_definition: &task.task_definition,
                needs: task.needs,
                host_ports: shape.map(|it| &it.host_ports),
                rules: Rules::new(None, shape),
            }
        }));
        Self { daemons }
    }

    /// What daemons that are not on the instance yet will take of it.
    pub(crate) fn missing_on(
        &self,
        container: &ContainerInstance,
        tasks: &[&InstanceTask],
        running: u32,
    ) -> Kept {
        let is_there = |daemon: &Daemon<'_>| {
            tasks.iter().any(|task| {
                task.is_daemon
                    && match daemon.service {
                        Some(service) => task.service.as_ref() == Some(service),
                        None => task.task_definition == *daemon.task_definition,
                    }
            })
        };
        self.kept(|daemon| {
            !is_there(daemon) && daemon.rules.allow(container, running) == Allowed::Yes
        })
    }

    /// What daemons will take of an instance that does not exist yet.
    pub(crate) fn on_future(&self, future: &FutureInstance, has_siblings: bool) -> Kept {
        self.kept(|daemon| daemon.rules.allow_future(future, has_siblings) == Allowed::Yes)
    }

    fn kept(&self, is_kept: impl Fn(&Daemon<'_>) -> bool) -> Kept {
        let mut kept = Kept::default();
        for daemon in self.daemons.iter().filter(|daemon| is_kept(daemon)) {
            kept.needs = kept.needs.saturating_add(&daemon.needs);
            kept.host_ports
                .extend(daemon.host_ports.into_iter().flatten().copied());
        }
        kept
    }
}

fn is_daemon(service: &CapacityService) -> bool {
    service.scheduling == Scheduling::Daemon && service.status == ServiceStatus::Active
}
