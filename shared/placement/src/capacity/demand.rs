//! Which tasks need room on a provider's instances, beyond those that have it.
//!
//! Three kinds of tasks do:
//!
//! - *waiting*: ECS has made them for the provider and put them nowhere yet;
//! - *missing*: a service should run them and ECS has not even made them, for without managed scaling it makes no task that it cannot
//!   place. The services' strategies say whose they are. A task on an instance that is going away counts as missing already: another
//!   will take its place;
//! - *headroom*: a service's tag asks for room for so many tasks more.
//!
//! Tasks with a launch type occupy room and move nothing; daemons are reserved with each instance. Standalone tasks count once ECS has
//! made them.
//!
//! While a deployment runs, ECS may start tasks of the newest one beside the old ones, as far as the service's maximum percent allows:
//! these are missing as well. Which of a service's tasks are of the newest deployment is told by their task definition; after a forced
//! deployment of the same one, nothing tells them apart, and all count as new.
//!
//! Where not everything could be seen, ECS's own counts of a service's tasks stand against counting one as missing that merely was not
//! seen.

use std::collections::BTreeMap;

use model::capacity::{
    CapacityService, ClusterCapacity, DeploymentTarget, InstanceTask, Resources, TaskShape,
};
use model::snapshot::{Scheduling, ServiceStatus, TaskStatus};
use model::strategy::StrategyItem;
use model::{CapacityProviderName, TaskDefinitionArn};

use super::index::Index;
use crate::strategy;

/// What a provider's tasks need.
#[derive(Debug, Clone, Default)]
pub(crate) struct Demand<'a> {
    /// Tasks that are alike, by service and task definition.
    pub(crate) requests: Vec<Request<'a>>,
    /// Whether a strategy that is in use places tasks on the provider.
    pub(crate) is_in_use: bool,
}

/// Tasks that are alike and need room.
#[derive(Debug, Clone)]
pub(crate) struct Request<'a> {
    /// Their service; standalone tasks have none.
    pub(crate) service: Option<&'a CapacityService>,
    /// What they run.
    pub(crate) task_definition: &'a TaskDefinitionArn,
    /// What a task definition asks of an instance; `None` where it could not be read.
    pub(crate) shape: Option<&'a TaskShape>,
    /// What one of them takes.
    pub(crate) needs: Resources,
    /// How many ECS has made.
    pub(crate) waiting: u32,
    /// How many ECS has not made yet.
    pub(crate) missing: u32,
    /// How many are to find room on top.
    pub(crate) headroom: u32,
}

impl Request<'_> {
    /// How many tasks.
    pub(crate) const fn count(&self) -> u32 {
        self.waiting
            .saturating_add(self.missing)
            .saturating_add(self.headroom)
    }

    /// `service/<name>`, or `family/<name>` for standalone tasks.
    pub(crate) fn whose(&self) -> String {
        match self.service {
            Some(service) => format!("service/{}", service.name),
            None => format!("family/{}", family(self.task_definition)),
        }
    }
}

/// The family of a task definition: `arn:…:task-definition/<family>:<revision>`.
pub(crate) fn family(task_definition: &TaskDefinitionArn) -> &str {
    let text = task_definition.as_str();
    let name = text.rsplit('/').next().unwrap_or(text);
    name.split(':').next().unwrap_or(name)
}

impl Demand<'_> {
    /// A sum over the requests.
    pub(crate) fn sum(&self, of: impl Fn(&Request<'_>) -> u32) -> u32 {
        self.requests
            .iter()
            .fold(0, |sum: u32, request| sum.saturating_add(of(request)))
    }
}

/// Tasks with the same key are alike.
type Key<'a> = (Option<&'a str>, &'a TaskDefinitionArn, Resources);

/// The requests of all providers, in the making.
struct Gathering<'a> {
    cluster: &'a ClusterCapacity,
    requests: BTreeMap<&'a CapacityProviderName, BTreeMap<Key<'a>, Request<'a>>>,
}

impl<'a> Gathering<'a> {
    fn request(
        &mut self,
        provider: &'a CapacityProviderName,
        service: Option<&'a CapacityService>,
        task_definition: &'a TaskDefinitionArn,
        needs: Resources,
    ) -> &mut Request<'a> {
        let cluster = self.cluster;
        let key = (
            service.map(|service| service.name.as_str()),
            task_definition,
            needs,
        );
        self.requests
            .entry(provider)
            .or_default()
            .entry(key)
            .or_insert_with(|| Request {
                service,
                task_definition,
                shape: cluster.task_definitions.get(task_definition),
                needs,
                waiting: 0,
                missing: 0,
                headroom: 0,
            })
    }
}

/// What the tasks of a cluster need of each provider. `is_complete` says whether everything of the cluster could be seen.
pub(crate) fn of_cluster<'a>(
    index: &Index<'a>,
    is_complete: bool,
) -> BTreeMap<&'a CapacityProviderName, Demand<'a>> {
    let cluster = index.cluster;
    let mut gathering = Gathering {
        cluster,
        requests: BTreeMap::new(),
    };
    for task in cluster.tasks.iter().filter(|task| is_waiting(task)) {
        if let Some(provider) = &task.provider {
            let service = task
                .service
                .as_ref()
                .and_then(|it| cluster.services.get(it));
            let request = gathering.request(provider, service, &task.task_definition, task.needs);
            request.waiting = request.waiting.saturating_add(1);
        }
    }
    for service in cluster.services.values().filter(|it| is_placed(it)) {
        of_service(&mut gathering, index, service, is_complete);
    }
    let mut demands: BTreeMap<&CapacityProviderName, Demand<'_>> = BTreeMap::new();
    for (provider, requests) in gathering.requests {
        let requests = requests.into_values().filter(|it| it.count() > 0);
        demands.entry(provider).or_default().requests = requests.collect();
    }
    let in_use = cluster
        .services
        .values()
        .filter(|it| is_placed(it) && it.desired_count > 0)
        .map(newest_strategy)
        .chain([cluster.default_strategy.as_slice()])
        .flatten()
        .filter(|item| item.weight > 0 || item.base > 0);
    for item in in_use {
        demands.entry(&item.provider).or_default().is_in_use = true;
    }
    demands
}

/// Whether ECS has made the task and put it nowhere yet.
fn is_waiting(task: &InstanceTask) -> bool {
    task.instance.is_none()
        && task.desired_running
        && !task.is_daemon
        && task.last_status != TaskStatus::Stopped
}

/// Whether ECS places the service's tasks by a strategy.
fn is_placed(service: &CapacityService) -> bool {
    service.status == ServiceStatus::Active
        && service.scheduling == Scheduling::Replica
        && !newest_strategy(service).is_empty()
}

fn newest(service: &CapacityService) -> Option<&DeploymentTarget> {
    let primary = service.deployments.iter().find(|it| it.is_primary);
    primary.or(service.deployments.first())
}

/// The strategy that new tasks of the service are placed by; empty with a launch type.
fn newest_strategy(service: &CapacityService) -> &[StrategyItem] {
    newest(service)
        .map(|deployment| deployment.strategy.as_slice())
        .filter(|strategy| !strategy.is_empty())
        .unwrap_or(&service.strategy)
}

fn of_service<'a>(
    gathering: &mut Gathering<'a>,
    index: &Index<'a>,
    service: &'a CapacityService,
    is_complete: bool,
) {
    let tasks = index.tasks_of(&service.name);
    let Some(task_definition) = newest(service)
        .map(|deployment| &deployment.task_definition)
        .or_else(|| tasks.first().map(|task| &task.task_definition))
    else {
        return;
    };
    let shape = gathering.cluster.task_definitions.get(task_definition);
    let same = |task: &&&InstanceTask| task.task_definition == *task_definition;
    let Some(needs) = shape
        .map(|shape| shape.needs)
        .or_else(|| tasks.iter().find(same).map(|task| task.needs))
    else {
        return;
    };
    let items = newest_strategy(service);
    let staying: Vec<&InstanceTask> = tasks
        .iter()
        .copied()
        .filter(|task| index.stays(task))
        .collect();
    let unseen = if is_complete {
        0
    } else {
        unseen(service, gathering.cluster)
    };
    let missing = missing(service, tasks, &staying, task_definition, unseen);
    // ECS splits each deployment's tasks by themselves.
    let of_split = staying
        .iter()
        .filter(|task| !service.deployment_running() || task.task_definition == *task_definition);
    let mut counts: Vec<u32> = vec![0; items.len()];
    for task in of_split {
        let line = items
            .iter()
            .position(|item| task.provider.as_ref() == Some(&item.provider));
        if let Some(count) = line.and_then(|line| counts.get_mut(line)) {
            *count += 1;
        }
    }
    let mut add = |more: u32, field: for<'r> fn(&'r mut Request<'a>) -> &'r mut u32| {
        let after = split_more(items, &counts, more);
        for ((item, before), after) in items.iter().zip(&counts).zip(&after) {
            let more = after.saturating_sub(*before);
            if more > 0 {
                let request =
                    gathering.request(&item.provider, Some(service), task_definition, needs);
                let field = field(request);
                *field = field.saturating_add(more);
            }
        }
        counts = after;
    };
    add(missing, |request| &mut request.missing);
    // A tag that cannot be read asks for nothing.
    let headroom = service.headroom_tasks.as_ref().copied().unwrap_or(0);
    add(headroom, |request| &mut request.headroom);
}

fn split_more(items: &[StrategyItem], counts: &[u32], more: u32) -> Vec<u32> {
    let placed = counts
        .iter()
        .fold(0_u32, |sum, count| sum.saturating_add(*count));
    strategy::split_from(items, counts, placed.saturating_add(more))
}

/// How many tasks ECS will make that it has not made. So many that it has made were not seen.
fn missing(
    service: &CapacityService,
    tasks: &[&InstanceTask],
    staying: &[&InstanceTask],
    task_definition: &TaskDefinitionArn,
    unseen: u32,
) -> u32 {
    let desired = service.desired_count;
    let there = count(staying.len()).saturating_add(unseen);
    let lacking = desired.saturating_sub(there);
    if !service.deployment_running() {
        return lacking;
    }
    let of_newest = staying
        .iter()
        .filter(|task| task.task_definition == *task_definition);
    let of_newest = count(of_newest.count()).saturating_add(unseen);
    let to_replace = desired.saturating_sub(of_newest);
    // Rounded down. <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html>
    let at_most = u64::from(desired) * u64::from(service.maximum_percent) / 100;
    let there = count(tasks.len()).saturating_add(unseen);
    let allowed = at_most.saturating_sub(u64::from(there));
    lacking.max(to_replace.min(u32::try_from(allowed).unwrap_or(u32::MAX)))
}

/// How many of the tasks that ECS counts of the service are not among those that were seen. ECS counts those that are RUNNING, also while
/// they are to stop, and those on their way there.
fn unseen(service: &CapacityService, cluster: &ClusterCapacity) -> u32 {
    let is_counted = |task: &&InstanceTask| match task.last_status {
        TaskStatus::Provisioning
        | TaskStatus::Pending
        | TaskStatus::Activating
        | TaskStatus::Running
        | TaskStatus::Unknown => true,
        TaskStatus::Deactivating
        | TaskStatus::Stopping
        | TaskStatus::Deprovisioning
        | TaskStatus::Stopped => false,
    };
    let tasks = cluster.tasks.iter();
    let of_service = tasks.filter(|task| task.service.as_ref() == Some(&service.name));
    let seen = count(of_service.filter(is_counted).count());
    let counted = service.running_count.saturating_add(service.pending_count);
    counted.saturating_sub(seen)
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
