//! The tasks of a cluster that are on instances, or wait for one.
//!
//! ListTasks can be asked for a launch type, and ECS does not say whether a task of a capacity provider counts for one: every task that
//! is to run is described, and Fargate's are dropped. Tasks that are told to stop are in a list of their own, among all that stopped
//! within about an hour (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html>); that list is read only where
//! an instance holds more than its other tasks explain.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::DesiredStatus;
use calls::RateBucket;
use model::capacity::{ClusterCapacity, ContainerInstance, Resources};
use model::snapshot::TaskStatus;
use model::{ContainerInstanceArn, TaskArn};

use crate::capacity::clusters::Opened;
use crate::capacity::read_task::{self, Seen};
use crate::capacity::{Eyes, Look};
use crate::limits::{
    CLUSTER_LIST_SPARE_PAGES, DESCRIBE_TASKS_MAX, LIST_TASKS_PAGE, PAGES_MAX,
    STOPPING_INSTANCES_MAX,
};
use crate::look::{MISSING, Pages, of_failure, unreadable};

const LIST_TASKS: &str = "ecs:ListTasks";
const DESCRIBE_TASKS: &str = "ecs:DescribeTasks";

/// Tasks by ARN.
pub(crate) type SeenTasks = BTreeMap<TaskArn, Seen>;

/// Reads every task of the cluster that is to run. `false`: some may be missing, and a gap says why.
pub(crate) async fn read(look: &mut Look<'_>, opened: &mut Opened, seen: &mut SeenTasks) -> bool {
    let gaps_before = opened.capacity.gaps.len();
    let list = List {
        desired: DesiredStatus::Running,
        instance: None,
        pages_max: PAGES_MAX,
    };
    let mut arns = BTreeSet::new();
    list.read(look, opened, &mut arns).await;
    describe(look, opened, &arns, ToRun::Yes, seen).await;
    opened.capacity.gaps.len() == gaps_before
}

/// Reads the tasks that are told to stop and still hold what they reserved.
pub(crate) async fn read_stopping(look: &mut Look<'_>, opened: &mut Opened, seen: &mut SeenTasks) {
    let capacity = &opened.capacity;
    let unexplained = unexplained(capacity, seen, |it| is_managed(capacity, it));
    let mut arns = BTreeSet::new();
    if unexplained.len() > STOPPING_INSTANCES_MAX {
        let list = List {
            desired: DesiredStatus::Stopped,
            instance: None,
            pages_max: CLUSTER_LIST_SPARE_PAGES,
        };
        list.read(look, opened, &mut arns).await;
    } else {
        for instance in unexplained {
            let list = List {
                desired: DesiredStatus::Stopped,
                instance: Some(instance),
                pages_max: CLUSTER_LIST_SPARE_PAGES,
            };
            list.read(look, opened, &mut arns).await;
        }
    }
    arns.retain(|arn| {
        let known: Result<TaskArn, _> = arn.parse();
        !known.is_ok_and(|arn| seen.contains_key(&arn))
    });
    describe(look, opened, &arns, ToRun::No, seen).await;
}

/// Whether an instance is of an opted-in provider's group. The group tells which are a provider's: an instance that registered before
/// the provider was associated with the cluster names none, and is drained all the same.
fn is_managed(capacity: &ClusterCapacity, instance: &ContainerInstance) -> bool {
    let mut groups = capacity.providers.values().map(|it| &it.group);
    let names_one = instance
        .provider
        .as_ref()
        .is_some_and(|provider| capacity.providers.contains_key(provider));
    let id = instance.ec2_instance.as_ref();
    names_one || id.is_some_and(|id| groups.any(|group| group.instances.contains_key(id)))
}

/// Those of the wanted instances of which more is taken than the tasks that were seen on them take.
pub(crate) fn unexplained(
    capacity: &ClusterCapacity,
    seen: &SeenTasks,
    is_wanted: impl Fn(&ContainerInstance) -> bool,
) -> Vec<ContainerInstanceArn> {
    let mut explained: BTreeMap<&ContainerInstanceArn, Resources> = BTreeMap::new();
    for task in seen.values().map(|it| &it.task) {
        if let Some(instance) = &task.instance {
            let sum = explained.entry(instance).or_insert(Resources::ZERO);
            *sum = sum.saturating_add(&task.needs);
        }
    }
    let wanted = capacity.instances.values().filter(|it| is_wanted(it));
    wanted
        .filter(|it| {
            let taken = it.registered.saturating_sub(&it.remaining);
            let explained = explained.get(&it.arn).unwrap_or(&Resources::ZERO);
            !taken.fits(explained)
        })
        .map(|it| it.arn.clone())
        .collect()
}

/// A list of tasks of a cluster.
pub(crate) struct List {
    pub(crate) desired: DesiredStatus,
    /// Only of this instance.
    pub(crate) instance: Option<ContainerInstanceArn>,
    /// How many pages are read.
    pub(crate) pages_max: u32,
}

impl List {
    /// Reads the list. What cannot be listed is a gap of the cluster, and the answer is `false`.
    pub(crate) async fn read<O: Eyes>(
        &self,
        look: &mut Look<'_, O>,
        opened: &mut Opened,
        arns: &mut BTreeSet<String>,
    ) -> bool {
        let about = opened.capacity.cluster.to_string();
        let mut pages = Pages::limited_to(self.pages_max);
        loop {
            let request = look
                .observer
                .ecs()
                .list_tasks()
                .cluster(&about)
                .set_container_instance(self.instance.as_ref().map(ToString::to_string))
                .desired_status(self.desired.clone())
                .max_results(LIST_TASKS_PAGE)
                .set_next_token(pages.token())
                .send();
            let page = look
                .call(RateBucket::ClusterResourceRead, LIST_TASKS, &about, request)
                .await;
            let turned = page.and_then(|page| {
                arns.extend(page.task_arns.unwrap_or_default());
                pages.turn(LIST_TASKS, &about, page.next_token)
            });
            match turned {
                Ok(true) => {}
                Ok(false) => return true,
                Err(gap) => {
                    opened.capacity.gaps.push(gap);
                    return false;
                }
            }
        }
    }
}

/// Whether tasks were listed as to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToRun {
    Yes,
    No,
}

/// Describes these tasks. Those that could not be read are gaps of the cluster, and the answer.
pub(crate) async fn describe<O: Eyes>(
    look: &mut Look<'_, O>,
    opened: &mut Opened,
    arns: &BTreeSet<String>,
    to_run: ToRun,
    seen: &mut SeenTasks,
) -> BTreeSet<String> {
    let arns: Vec<&String> = arns.iter().collect();
    let mut unread = BTreeSet::new();
    for batch in arns.chunks(DESCRIBE_TASKS_MAX) {
        unread.append(&mut describe_batch(look, opened, batch, to_run, seen).await);
    }
    unread
}

async fn describe_batch<O: Eyes>(
    look: &mut Look<'_, O>,
    opened: &mut Opened,
    batch: &[&String],
    to_run: ToRun,
    seen: &mut SeenTasks,
) -> BTreeSet<String> {
    let operation = DESCRIBE_TASKS;
    let cluster = opened.capacity.cluster.clone();
    let about = cluster.as_str();
    let request = look
        .observer
        .ecs()
        .describe_tasks()
        .cluster(about)
        .set_tasks(Some(batch.iter().map(|it| (*it).clone()).collect()))
        .send();
    let bucket = RateBucket::ClusterResourceRead;
    let answer = match look.call(bucket, operation, about, request).await {
        Ok(answer) => answer,
        Err(gap) => {
            opened.capacity.gaps.push(gap);
            return batch.iter().map(|it| (*it).clone()).collect();
        }
    };
    let mut unread = BTreeSet::new();
    let mut open: BTreeSet<&str> = batch.iter().map(|it| it.as_str()).collect();
    for answer in answer.tasks() {
        let arn = answer.task_arn().unwrap_or_default();
        if !open.remove(arn) {
            continue;
        }
        let read = read_task::task(&cluster, answer, |provider| opened.on_instances(provider));
        match read {
            // A task that is gone holds nothing.
            Ok(Some(read)) if read.task.last_status == TaskStatus::Stopped => {}
            Ok(Some(read)) => _ = seen.insert(read.task.arn.clone(), read),
            Ok(None) => {}
            Err(fault) => {
                let gap = unreadable(operation, about, &fault);
                opened.capacity.gaps.push(gap);
                unread.insert(arn.to_owned());
            }
        }
    }
    let gaps = &mut opened.capacity.gaps;
    for failure in answer.failures() {
        let arn = failure.arn().unwrap_or_default();
        // ECS forgets a stopped task after a while, and may do so between the two calls: there is nothing left to know.
        let is_gone = failure.reason() == Some(MISSING) && to_run == ToRun::No;
        if open.remove(arn) && !is_gone {
            let what = format!("task `{arn}`");
            gaps.push(of_failure(operation, about, &what, failure));
            unread.insert(arn.to_owned());
        }
    }
    for arn in open {
        let detail = format!("task `{arn}`: the answer has neither it nor a failure for it");
        gaps.push(unreadable(operation, about, &detail));
        unread.insert(arn.to_owned());
    }
    unread
}
