//! Reading the tasks of services.
//!
//! ListTasks tells a service's tasks by their *desired* status: RUNNING includes tasks on their way, STOPPED those that are still
//! up and those that stopped within about the last hour; PENDING gives nothing
//! (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html>). RUNNING is listed first, so that a task that is
//! told to stop in between is in both lists rather than in none.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::operation::describe_tasks::DescribeTasksOutput;
use aws_sdk_ecs::types::DesiredStatus;
use calls::RateBucket;
use model::snapshot::{Gap, Service, ServiceStatus, Task};
use model::{ClusterName, ServiceKey, TaskArn};

use crate::limits::{
    CLUSTER_LIST_SERVICES_MIN, CLUSTER_LIST_SPARE_PAGES, CLUSTER_LIST_TASKS_PER_SERVICE_MAX,
    DESCRIBE_TASKS_MAX, LIST_TASKS_PAGE, PAGES_MAX, TASKS_PER_PAGE,
};
use crate::look::{Look, MISSING, Pages, of_failure, unreadable};
use crate::read_task;

const LIST_TASKS: &str = "ecs:ListTasks";
const DESCRIBE_TASKS: &str = "ecs:DescribeTasks";

/// Both lists, in the order in which they are asked for.
const BOTH_LISTS: [DesiredStatus; 2] = [DesiredStatus::Running, DesiredStatus::Stopped];

/// A primary and its standby.
const SERVICES_OF_A_PAIR: usize = 2;

/// The tasks of services, and what could not be read of them.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    by_service: BTreeMap<ServiceKey, BTreeMap<TaskArn, Task>>,
    gaps: BTreeMap<ServiceKey, BTreeSet<Gap>>,
    /// The services of which a task that is to run may be missing here.
    to_run_unread: BTreeSet<ServiceKey>,
}

impl Tasks {
    /// The tasks that were read of a service, by ARN.
    pub(crate) fn of(&self, key: &ServiceKey) -> Vec<Task> {
        let tasks = self.by_service.get(key);
        tasks
            .into_iter()
            .flat_map(BTreeMap::values)
            .cloned()
            .collect()
    }

    /// What could not be read of a service's tasks.
    pub(crate) fn gaps(&self, key: &ServiceKey) -> impl Iterator<Item = &Gap> {
        self.gaps.get(key).into_iter().flatten()
    }

    fn keep(&mut self, key: &ServiceKey, task: Task) {
        let tasks = self.by_service.entry(key.clone()).or_default();
        tasks.insert(task.arn.clone(), task);
    }

    /// Whether every task of the service that is to run was read.
    pub(crate) fn all_to_run_read(&self, key: &ServiceKey) -> bool {
        !self.to_run_unread.contains(key)
    }

    /// Notes a gap; `to_run` says whether it may hide a task that is to run.
    fn leave_gap(&mut self, key: &ServiceKey, gap: Gap, to_run: bool) {
        self.gaps.entry(key.clone()).or_default().insert(gap);
        if to_run {
            self.to_run_unread.insert(key.clone());
        }
    }
}

/// How a listed task is known until it is described.
#[derive(Debug, Clone, Copy)]
struct Listed<'a> {
    /// The service that it belongs to; `None` after a list of the whole cluster.
    owner: Option<&'a ServiceKey>,
    /// Whether it is to run.
    to_run: bool,
}

/// Which lists of a service's tasks are needed. A standby's stopped tasks tell nothing that is needed, and a standby at 0 that runs nothing
/// has none to list: most standbys, most of the time.
fn lists_of(service: &Service, is_standby: bool) -> &'static [DesiredStatus] {
    let counts = [
        service.desired_count,
        service.running_count,
        service.pending_count,
    ];
    match (is_standby, counts) {
        (true, [0, 0, 0]) => &[],
        (true, _) => &[DesiredStatus::Running],
        (false, _) => &BOTH_LISTS,
    }
}

/// Reads the tasks of these services, of which `standbys` are standbys. `running_in_cluster` is how many tasks each cluster's services
/// run and start, where every service of the cluster was read.
pub(crate) async fn read(
    look: &mut Look<'_>,
    services: &BTreeMap<&ServiceKey, &Service>,
    standbys: &BTreeSet<&ServiceKey>,
    running_in_cluster: &BTreeMap<ClusterName, usize>,
) -> Tasks {
    let mut by_cluster: BTreeMap<&ClusterName, Vec<&ServiceKey>> = BTreeMap::new();
    for (key, service) in services {
        // A deleted service has no tasks, and ListTasks refuses to name it.
        if service.status != ServiceStatus::Inactive {
            by_cluster.entry(&key.cluster).or_default().push(key);
        }
    }
    let mut tasks = Tasks::default();
    for (cluster, keys) in by_cluster {
        let running = running_in_cluster.get(cluster).copied();
        let lists_of = |key: &ServiceKey| {
            let service = services.get(key);
            service.map_or(&BOTH_LISTS[..], |it| lists_of(it, standbys.contains(key)))
        };
        read_cluster(look, cluster, &keys, running, lists_of, &mut tasks).await;
    }
    tasks
}

/// Reads the tasks of services of one cluster: first those that are to run, which decide what is missing, and then the others.
async fn read_cluster(
    look: &mut Look<'_>,
    cluster: &ClusterName,
    keys: &[&ServiceKey],
    running: Option<usize>,
    lists_of: impl Fn(&ServiceKey) -> &'static [DesiredStatus],
    tasks: &mut Tasks,
) {
    let mut pages_max = whole_cluster_pages_max(keys.len(), running);
    let mut listed = BTreeMap::new();
    let mut described: BTreeSet<String> = BTreeSet::new();
    for desired in &BOTH_LISTS {
        if let Some(max) = pages_max {
            let list = List {
                cluster,
                owner: None,
                desired,
                keys,
                pages_max: max,
            };
            let mut of_cluster = BTreeMap::new();
            if list.read(look, &mut of_cluster, tasks).await {
                listed.append(&mut of_cluster);
            } else {
                // What other tasks fill the list is of no interest: the services are asked about one by one.
                pages_max = None;
            }
        }
        if pages_max.is_none() {
            for key in keys.iter().filter(|key| lists_of(key).contains(desired)) {
                let list = List {
                    cluster,
                    owner: Some(*key),
                    desired,
                    keys: &[*key],
                    pages_max: PAGES_MAX,
                };
                list.read(look, &mut listed, tasks).await;
            }
        }
        listed.retain(|arn, _| !described.contains(arn));
        // The tasks of one pair are described together, which saves a call.
        if keys.len() > SERVICES_OF_A_PAIR || *desired == DesiredStatus::Stopped {
            describe(look, cluster, keys, &listed, tasks).await;
            described.extend(std::mem::take(&mut listed).into_keys());
        }
    }
}

/// How many pages a list of the whole cluster may have. `None`: its services are listed one by one.
fn whole_cluster_pages_max(services: usize, running: Option<usize>) -> Option<u32> {
    let few_enough = services.saturating_mul(CLUSTER_LIST_TASKS_PER_SERVICE_MAX);
    if services < CLUSTER_LIST_SERVICES_MIN || running.is_some_and(|it| it > few_enough) {
        return None;
    }
    // A list of each service would be at least as many calls.
    let expected = running.map_or(services, |it| it.div_ceil(TASKS_PER_PAGE));
    let expected = u32::try_from(expected).unwrap_or(PAGES_MAX);
    Some(
        expected
            .saturating_add(CLUSTER_LIST_SPARE_PAGES)
            .min(PAGES_MAX),
    )
}

/// The list of a service's tasks, or of the whole cluster's, with one desired status.
struct List<'a, 'k> {
    cluster: &'k ClusterName,
    /// The service; `None` for the whole cluster.
    owner: Option<&'a ServiceKey>,
    desired: &'k DesiredStatus,
    /// The services whose tasks may be in the list.
    keys: &'k [&'a ServiceKey],
    /// How many pages are read.
    pages_max: u32,
}

impl<'a> List<'a, '_> {
    /// Reads the list. What cannot be listed is a gap of each of the services. `false`: it goes on after the most pages.
    async fn read(
        &self,
        look: &mut Look<'_>,
        listed: &mut BTreeMap<String, Listed<'a>>,
        tasks: &mut Tasks,
    ) -> bool {
        let owner = self.owner;
        let about = owner.map_or_else(|| self.cluster.to_string(), ToString::to_string);
        let to_run = *self.desired == DesiredStatus::Running;
        let mut pages = Pages::default();
        loop {
            let request = look
                .observer
                .ecs
                .list_tasks()
                .cluster(self.cluster.as_str())
                .set_service_name(owner.map(|key| key.service.to_string()))
                .desired_status(self.desired.clone())
                .max_results(LIST_TASKS_PAGE)
                .set_next_token(pages.token())
                .send();
            let page = look
                .call(RateBucket::ClusterResourceRead, LIST_TASKS, &about, request)
                .await;
            let turned = page.and_then(|page| {
                for arn in page.task_arns.unwrap_or_default() {
                    listed.entry(arn).or_insert(Listed { owner, to_run });
                }
                pages.turn(LIST_TASKS, &about, page.next_token)
            });
            match turned {
                Ok(true) if pages.turned() >= self.pages_max => return false,
                Ok(true) => {}
                Ok(false) => return true,
                Err(gap) => {
                    for key in self.keys {
                        tasks.leave_gap(key, gap.clone(), to_run);
                    }
                    return true;
                }
            }
        }
    }
}

/// Describes the listed tasks of a cluster, and keeps those of `keys`.
async fn describe(
    look: &mut Look<'_>,
    cluster: &ClusterName,
    keys: &[&ServiceKey],
    listed: &BTreeMap<String, Listed<'_>>,
    tasks: &mut Tasks,
) {
    // Tasks of one service stay together, so that a call that fails is a gap of few services.
    let mut arns: Vec<(&String, &Listed<'_>)> = listed.iter().collect();
    arns.sort_by_key(|(arn, listed)| (listed.owner, *arn));
    for batch in arns.chunks(DESCRIBE_TASKS_MAX) {
        describe_batch(look, cluster, keys, batch, tasks).await;
    }
}

async fn describe_batch(
    look: &mut Look<'_>,
    cluster: &ClusterName,
    keys: &[&ServiceKey],
    batch: &[(&String, &Listed<'_>)],
    tasks: &mut Tasks,
) {
    let owners: BTreeSet<&ServiceKey> = batch.iter().filter_map(|(_, it)| it.owner).collect();
    let about = match owners.first() {
        Some(one) if owners.len() == 1 => one.to_string(),
        _ => cluster.to_string(),
    };
    let request = look
        .observer
        .ecs
        .describe_tasks()
        .cluster(cluster.as_str())
        .set_tasks(Some(batch.iter().map(|(arn, _)| (*arn).clone()).collect()))
        .send();
    let answer = look
        .call(
            RateBucket::ClusterResourceRead,
            DESCRIBE_TASKS,
            &about,
            request,
        )
        .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(gap) => {
            for (_, listed) in batch {
                for key in concerned(listed, keys) {
                    tasks.leave_gap(&key, gap.clone(), listed.to_run);
                }
            }
            return;
        }
    };
    keep_answer(cluster, keys, batch, &answer, tasks);
}

/// The services that a listed task may belong to: any of `keys`, while its owner is not known.
fn concerned(listed: &Listed<'_>, keys: &[&ServiceKey]) -> Vec<ServiceKey> {
    match listed.owner {
        Some(owner) => vec![owner.clone()],
        None => keys.iter().map(|key| (*key).clone()).collect(),
    }
}

/// Sorts an answer to its services. Every task of the batch is kept, belongs to none of `keys`, is gone, or leaves a gap.
fn keep_answer(
    cluster: &ClusterName,
    keys: &[&ServiceKey],
    batch: &[(&String, &Listed<'_>)],
    answer: &DescribeTasksOutput,
    tasks: &mut Tasks,
) {
    let mut open: BTreeMap<&str, &Listed<'_>> =
        batch.iter().map(|(arn, it)| (arn.as_str(), *it)).collect();
    for task in answer.tasks() {
        let Some(listed) = task.task_arn().and_then(|arn| open.remove(arn)) else {
            continue;
        };
        let by_group = || read_task::owner(cluster, task);
        let Some(owner) = listed.owner.cloned().or_else(by_group) else {
            continue;
        };
        if !keys.contains(&&owner) {
            continue;
        }
        match read_task::task(task) {
            Ok(task) => tasks.keep(&owner, task),
            Err(fault) => {
                tasks.leave_gap(
                    &owner,
                    unreadable(DESCRIBE_TASKS, &owner.to_string(), &fault),
                    listed.to_run,
                );
            }
        }
    }
    for failure in answer.failures() {
        let arn = failure.arn().unwrap_or_default();
        let Some(listed) = open.remove(arn) else {
            continue;
        };
        // ECS forgets a stopped task after a while, and may do so between the two calls: there is nothing left to know.
        if failure.reason() == Some(MISSING) && !listed.to_run {
            continue;
        }
        for key in concerned(listed, keys) {
            let (about, what) = (key.to_string(), format!("task `{arn}`"));
            let gap = of_failure(DESCRIBE_TASKS, &about, &what, failure);
            tasks.leave_gap(&key, gap, listed.to_run);
        }
    }
    for (arn, listed) in open {
        let detail = format!("task `{arn}`: the answer has neither it nor a failure for it");
        for key in concerned(listed, keys) {
            let gap = unreadable(DESCRIBE_TASKS, &key.to_string(), &detail);
            tasks.leave_gap(&key, gap, listed.to_run);
        }
    }
}
