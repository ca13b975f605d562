//! What is on instances that are going away: tasks, their services and task definitions.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::DesiredStatus;
use model::capacity::Resources;
use model::drain::DrainCluster;
use model::snapshot::{Gap, GapCause};
use model::{ContainerInstanceArn, Seconds, ServiceKey, TaskArn, TaskDefinitionArn};

use crate::capacity::clusters::Opened;
use crate::capacity::definition::{self, Definitions};
use crate::capacity::tasks::{self, List, SeenTasks, ToRun};
use crate::capacity::{contents, services};
use crate::drain::Look;
use crate::drain::clusters::Searched;
use crate::limits::{CLUSTER_LIST_SPARE_PAGES, PAGES_MAX, STOPPING_INSTANCES_MAX, TASKS_PER_PAGE};

/// How long the tasks of a definition may take to stop.
pub(crate) type StopTimeouts = BTreeMap<TaskDefinitionArn, Seconds>;

/// Reads the tasks on these instances of a cluster, and what they belong to.
pub(crate) async fn read(
    look: &mut Look<'_>,
    searched: &mut Searched,
    wanted: BTreeSet<ContainerInstanceArn>,
) -> StopTimeouts {
    let mut seen = SeenTasks::new();
    let mut read = wanted;
    read_to_run(look, searched, &mut read, &mut seen).await;
    let opened = &mut searched.opened;
    let mut definitions = Definitions::new();
    definition::read(look, &contents::of_tasks(&seen), &mut definitions).await;
    contents::size(&mut seen, &definitions);

    read_stopping(look, opened, &mut read, &mut seen).await;
    definition::read(look, &contents::of_tasks(&seen), &mut definitions).await;
    contents::size(&mut seen, &definitions);

    let tasks = seen.into_values().map(|it| it.task);
    let is_wanted =
        |arn: &Option<ContainerInstanceArn>| arn.as_ref().is_some_and(|arn| read.contains(arn));
    opened.capacity.tasks = tasks.filter(|it| is_wanted(&it.instance)).collect();
    read_services(look, opened).await;
    let of_services = contents::of_services(&opened.capacity);
    definition::read(look, &of_services, &mut definitions).await;
    contents::mark_daemons(&mut opened.capacity);
    let stop_timeouts = definitions
        .iter()
        .filter_map(|(arn, read)| Some((arn.clone(), read.as_ref().ok()?.stop_timeout)))
        .collect();
    contents::keep_definitions(&mut opened.capacity, definitions);
    searched.tasks_read = read;
    stop_timeouts
}

/// Reads the tasks that are to run, instance by instance, or those of the whole cluster where that takes fewer calls. What is left in
/// `read` are the instances of which all were read.
async fn read_to_run(
    look: &mut Look<'_>,
    searched: &mut Searched,
    read: &mut BTreeSet<ContainerInstanceArn>,
    seen: &mut SeenTasks,
) {
    let counted = read
        .iter()
        .filter_map(|arn| searched.tasks_counted.get(arn));
    let counted: usize = counted.filter_map(|it| usize::try_from(*it).ok()).sum();
    let one_by_one = read.len().saturating_add(counted.div_ceil(TASKS_PER_PAGE));
    let in_cluster = searched.about.as_ref().map(|it| it.tasks);
    let in_cluster = in_cluster.and_then(|it| usize::try_from(it).ok());
    // A page of the list, and its description.
    let at_once = in_cluster.map(|it| it.div_ceil(TASKS_PER_PAGE).max(1).saturating_mul(2));
    let opened = &mut searched.opened;
    if at_once.is_some_and(|at_once| at_once < one_by_one) {
        let is_whole = list_cluster(look, opened, &TO_RUN, seen).await;
        if !is_whole {
            read.clear();
        }
    } else {
        let instances: Vec<ContainerInstanceArn> = read.iter().cloned().collect();
        let unread = list_each(look, opened, &TO_RUN, &instances, seen).await;
        read.retain(|it| !unread.contains(it));
    }
}

/// Reads the tasks that are told to stop and are not gone, on instances of which more is taken than the tasks that were seen take.
async fn read_stopping(
    look: &mut Look<'_>,
    opened: &mut Opened,
    read: &mut BTreeSet<ContainerInstanceArn>,
    seen: &mut SeenTasks,
) {
    let instances = tasks::unexplained(&opened.capacity, seen, |it| read.contains(&it.arn));
    if instances.len() > STOPPING_INSTANCES_MAX {
        let is_whole = list_cluster(look, opened, &STOPPING, seen).await;
        if !is_whole {
            read.retain(|it| !instances.contains(it));
        }
    } else {
        let unread = list_each(look, opened, &STOPPING, &instances, seen).await;
        read.retain(|it| !unread.contains(it));
    }
}

/// Which tasks are listed.
struct Kind {
    to_run: ToRun,
    /// How many pages of a whole cluster's list are read.
    pages_max: u32,
}

const TO_RUN: Kind = Kind {
    to_run: ToRun::Yes,
    pages_max: PAGES_MAX,
};

/// Everything that stopped within about an hour is in that list.
const STOPPING: Kind = Kind {
    to_run: ToRun::No,
    pages_max: CLUSTER_LIST_SPARE_PAGES,
};

impl Kind {
    fn list(&self, instance: Option<ContainerInstanceArn>) -> List {
        List {
            desired: match self.to_run {
                ToRun::Yes => DesiredStatus::Running,
                ToRun::No => DesiredStatus::Stopped,
            },
            instance,
            pages_max: self.pages_max,
        }
    }
}

/// Reads the tasks of the whole cluster. `false`: some may be missing.
async fn list_cluster(
    look: &mut Look<'_>,
    opened: &mut Opened,
    kind: &Kind,
    seen: &mut SeenTasks,
) -> bool {
    let mut arns = BTreeSet::new();
    let is_whole = kind.list(None).read(look, opened, &mut arns).await;
    retain_unseen(&mut arns, seen);
    let unread = tasks::describe(look, opened, &arns, kind.to_run, seen).await;
    is_whole && unread.is_empty()
}

/// Reads the tasks of these instances. The answer is the instances of which some may be missing.
async fn list_each(
    look: &mut Look<'_>,
    opened: &mut Opened,
    kind: &Kind,
    instances: &[ContainerInstanceArn],
    seen: &mut SeenTasks,
) -> BTreeSet<ContainerInstanceArn> {
    let mut unread = BTreeSet::new();
    let mut all = BTreeSet::new();
    let mut of_each: Vec<(&ContainerInstanceArn, BTreeSet<String>)> = Vec::new();
    for instance in instances {
        let mut arns = BTreeSet::new();
        let list = kind.list(Some(instance.clone()));
        if !list.read(look, opened, &mut arns).await {
            opened.capacity.gaps.pop_if(|gap| is_of_none(gap));
            unread.insert(instance.clone());
        }
        all.extend(arns.iter().cloned());
        of_each.push((instance, arns));
    }
    retain_unseen(&mut all, seen);
    let tasks_unread = tasks::describe(look, opened, &all, kind.to_run, seen).await;
    let missing = of_each
        .into_iter()
        .filter(|(_, arns)| !arns.is_disjoint(&tasks_unread));
    unread.extend(missing.map(|(instance, _)| instance.clone()));
    unread
}

/// What ECS answers where the instance that is named does not exist: an instance that goes away may have gone since it was listed. That is
/// no gap; what was on it counts as unread, and the next look does not see it any more.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html>
const INVALID_PARAMETER: &str = "InvalidParameterException";

/// Whether the list is that of an instance that there is not.
fn is_of_none(gap: &Gap) -> bool {
    gap.cause == GapCause::Other && gap.detail.starts_with(INVALID_PARAMETER)
}

/// A task that was told to stop between two lists is in both.
fn retain_unseen(arns: &mut BTreeSet<String>, seen: &SeenTasks) {
    arns.retain(|arn| {
        let known: Result<TaskArn, _> = arn.parse();
        !known.is_ok_and(|arn| seen.contains_key(&arn))
    });
}

/// Reads the services of the tasks.
async fn read_services(look: &mut Look<'_>, opened: &mut Opened) {
    let capacity = &opened.capacity;
    let names = capacity.tasks.iter().filter_map(|it| it.service.as_ref());
    let keys: BTreeSet<ServiceKey> = names
        .map(|name| ServiceKey::new(capacity.cluster.clone(), name.clone()))
        .collect();
    services::describe(look, opened, &keys).await;
}

/// What a cluster is in the snapshot.
pub(crate) fn finish(searched: Searched, stop_timeouts: StopTimeouts) -> DrainCluster {
    let Searched {
        opened,
        has_every_instance,
        tasks_counted,
        tasks_read,
        ..
    } = searched;
    let mut capacity = opened.capacity;
    contents::take_interfaces(&mut capacity);
    // Of the tasks on other instances it is not known which have an interface of their own: no more is taken for free than is free if all
    // have one.
    for (arn, instance) in &mut capacity.instances {
        if !tasks_read.contains(arn) {
            let network_interfaces = tasks_counted.get(arn).copied().unwrap_or(0);
            let taken = Resources {
                network_interfaces,
                ..Resources::ZERO
            };
            instance.remaining = instance.remaining.saturating_sub(&taken);
        }
    }
    // One call that fails may be asked for again and fail again.
    let gaps: BTreeSet<Gap> = capacity.gaps.drain(..).collect();
    capacity.gaps.extend(gaps);
    DrainCluster {
        capacity,
        has_every_instance,
        tasks_read,
        stop_timeouts,
    }
}
