//! Which tasks hold an instance at the moment of writing.
//!
//! The lists of an instance's tasks hold daemons' too, which stay on it to the end, and tasks that stopped within about the last hour.
//! A task is a daemon's if its service has DAEMON scheduling, or if its definition is a daemon task definition.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{DesiredStatus, SchedulingStrategy, Task};
use calls::{RateBucket, one_line};
use model::outcome::OutcomeResult;
use model::snapshot::{Gap, GapCause};
use model::{ClusterName, ContainerInstanceArn};

use crate::hand::Hand;
use crate::reread::{SERVICES_PER_READ_MAX, unread};
use crate::tasks::{self, Described, STOPPED, TASKS_PER_READ_MAX};

const LIST_TASKS: &str = "ecs:ListTasks";
const DESCRIBE_SERVICES: &str = "ecs:DescribeServices";

/// The most tasks of a page of ListTasks.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html>
const LIST_TASKS_PAGE: i32 = 100;

/// How many pages of one instance's tasks are read. An instance runs far fewer than a page; the pages are those of tasks that have
/// stopped lately.
const PAGES_MAX: u32 = 10;

/// How ECS names the group of a service's tasks, and the ARN of a daemon task definition.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html>
const GROUP_PREFIX: &str = "service:";
const DAEMON_TASK_DEFINITION: &str = ":daemon-task-definition/";

/// A task that is no daemon's and holds an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    arn: String,
    last_status: String,
}

/// The tasks that hold each of some instances, or why they are not known.
#[derive(Debug, Default)]
pub(crate) struct Occupied(BTreeMap<ContainerInstanceArn, Result<Vec<Holder>, Gap>>);

impl Occupied {
    /// The tasks that hold an instance; the outcome of its step, where they are not known. An instance that was not asked about was
    /// proven to be empty.
    pub(crate) fn of(&self, arn: &ContainerInstanceArn) -> Result<&[Holder], OutcomeResult> {
        match self.0.get(arn) {
            Some(Ok(holders)) => Ok(holders),
            Some(Err(gap)) => Err(unread(gap)),
            None => Ok(&[]),
        }
    }
}

/// What holds an instance, in words.
pub(crate) fn in_words(holders: &[Holder]) -> String {
    match holders {
        [] => "no task".to_owned(),
        [first, rest @ ..] => {
            let more = match rest.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("task `{}` {}{more}", first.arn, first.last_status)
        }
    }
}

/// Finds out what holds these instances of a cluster.
pub(crate) async fn read(
    hand: &Hand<'_>,
    cluster: &ClusterName,
    instances: &[&ContainerInstanceArn],
) -> Occupied {
    let mut occupied = Occupied::default();
    let mut listed: BTreeMap<String, &ContainerInstanceArn> = BTreeMap::new();
    for instance in instances {
        let mut arns = BTreeSet::new();
        // Tasks that are told to stop in between are in both lists rather than in none.
        let mut result = list(hand, cluster, instance, DesiredStatus::Running, &mut arns).await;
        if result.is_ok() {
            result = list(hand, cluster, instance, DesiredStatus::Stopped, &mut arns).await;
        }
        match result {
            Ok(()) => {
                listed.extend(arns.into_iter().map(|arn| (arn, *instance)));
                occupied.0.insert((*instance).clone(), Ok(Vec::new()));
            }
            Err(gap) => {
                occupied.0.insert((*instance).clone(), Err(gap));
            }
        }
    }
    let mut tasks: Vec<(&ContainerInstanceArn, Task)> = Vec::new();
    let arns: Vec<(&String, &&ContainerInstanceArn)> = listed.iter().collect();
    for batch in arns.chunks(TASKS_PER_READ_MAX) {
        describe(hand, cluster, batch, &mut tasks, &mut occupied).await;
    }
    let services: BTreeSet<&str> = tasks.iter().filter_map(|(_, task)| service(task)).collect();
    let daemons = daemons(hand, cluster, &services).await;
    for (instance, task) in &tasks {
        let is_daemon = match service(task).map(|name| (name, daemons.get(name))) {
            _ if is_daemons(task) => Ok(true),
            Some((_, Some(known))) => known.clone(),
            Some((_, None)) | None => Ok(false),
        };
        let Some(holders) = occupied.0.get_mut(*instance) else {
            continue;
        };
        match (is_daemon, holders) {
            (Ok(false), Ok(holders)) => holders.push(Holder {
                arn: one_line(task.task_arn().unwrap_or_default()),
                last_status: one_line(task.last_status().unwrap_or("UNKNOWN")),
            }),
            (Err(gap), holders) => *holders = Err(gap),
            (Ok(_), _) => {}
        }
    }
    occupied
}

fn is_daemons(task: &Task) -> bool {
    task.task_definition_arn()
        .is_some_and(|arn| arn.contains(DAEMON_TASK_DEFINITION))
}

/// The service that a task belongs to.
fn service(task: &Task) -> Option<&str> {
    task.group()?.strip_prefix(GROUP_PREFIX)
}

async fn list(
    hand: &Hand<'_>,
    cluster: &ClusterName,
    instance: &ContainerInstanceArn,
    desired: DesiredStatus,
    arns: &mut BTreeSet<String>,
) -> Result<(), Gap> {
    let mut token = None;
    for _ in 0..PAGES_MAX {
        let request = hand
            .ecs
            .list_tasks()
            .cluster(cluster.as_str())
            .container_instance(instance.as_str())
            .desired_status(desired.clone())
            .max_results(LIST_TASKS_PAGE)
            .set_next_token(token)
            .send();
        let bucket = RateBucket::ClusterResourceRead;
        let page = hand
            .caller
            .call(bucket, LIST_TASKS, instance.as_str(), request)
            .await?;
        arns.extend(page.task_arns.unwrap_or_default());
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(());
        }
    }
    Err(Gap {
        operation: LIST_TASKS.to_owned(),
        resource: instance.to_string(),
        cause: GapCause::Other,
        detail: format!("the list goes on after {PAGES_MAX} pages"),
    })
}

/// Describes tasks and keeps those that are not gone. What cannot be described leaves its instance unknown.
async fn describe<'a>(
    hand: &Hand<'_>,
    cluster: &ClusterName,
    batch: &[(&String, &&'a ContainerInstanceArn)],
    tasks: &mut Vec<(&'a ContainerInstanceArn, Task)>,
    occupied: &mut Occupied,
) {
    let arns: Vec<&str> = batch.iter().map(|(arn, _)| arn.as_str()).collect();
    let found = tasks::describe(hand, cluster, &arns).await;
    for ((_, instance), found) in batch.iter().zip(found) {
        match found {
            Described::Task(task) if task.last_status() == Some(STOPPED) => {}
            Described::Task(task) => tasks.push((**instance, *task)),
            // A task that ECS has forgotten is gone.
            Described::Missing => {}
            Described::Unread(gap) => {
                occupied.0.insert((**instance).clone(), Err(gap));
            }
        }
    }
}

/// Which of these services have DAEMON scheduling. A service that does not exist any more is not in the answer.
async fn daemons(
    hand: &Hand<'_>,
    cluster: &ClusterName,
    services: &BTreeSet<&str>,
) -> BTreeMap<String, Result<bool, Gap>> {
    let services: Vec<&str> = services.iter().copied().collect();
    let mut daemons = BTreeMap::new();
    for batch in services.chunks(SERVICES_PER_READ_MAX) {
        let request = hand
            .ecs
            .describe_services()
            .cluster(cluster.as_str())
            .set_services(Some(batch.iter().map(|it| (*it).to_owned()).collect()))
            .send();
        let bucket = RateBucket::ServiceRead;
        let answer = hand
            .caller
            .call(bucket, DESCRIBE_SERVICES, cluster.as_str(), request)
            .await;
        match answer {
            Ok(answer) => daemons.extend(answer.services().iter().filter_map(|it| {
                let is_daemon = it.scheduling_strategy() == Some(&SchedulingStrategy::Daemon);
                Some((it.service_name()?.to_owned(), Ok(is_daemon)))
            })),
            Err(failure) => {
                for name in batch {
                    daemons.insert((*name).to_owned(), Err(failure.gap.clone()));
                }
            }
        }
    }
    daemons
}
