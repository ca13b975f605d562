//! Which tasks on an instance that departs will not be moved in time, and why: a prediction.
//!
//! | asked in this order | then |
//! |---|---|
//! | the instance's agent is disconnected | it cannot be told to stop a task |
//! | the task has no service | ECS does not move it |
//! | the service may neither start a task more nor run one less | ECS can begin with neither |
//! | with what was started already it runs more than its minimum | so many tasks stop |
//! | there is room elsewhere for the replacement | it moves |
//! | otherwise, where every instance of the cluster was read | there is no room |
//! | the replacements run first, and so many at a time take longer than what is left | they are too slow |
//! | the stop timeout is longer than what is left | it is cut short; or ECS had its chance, and has not moved it |
//!
//! A task that is told to stop counts no more: what its service may run less is less by it. So where Ballast stops a task that is stuck,
//! another may be stuck for it.
//!
//! Of an instance that stays the second and the third are asked too, where its tasks were read: a warning ahead of time, and nothing that is
//! counted or acted on. The others depend on when it goes, and on what goes with it.
//!
//! What may stop and what is free is shared by all instances that depart: the one with the earliest deadline
//! takes first, ties by id.
//!
//! Assumed: a service's counts are those of the moment, and its deployment is not under way. Instances that are launched meanwhile come
//! too late for a warning, and are seen at the next look.
//!
//! Absent: a warning about instances that stay and whose tasks a look does not read, which are most of them: those of groups that ask for no
//! drain by choice.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::{CapacityService, InstanceTask};
use model::drain::{StuckReason, StuckTasks};
use model::ids::{ClusterName, InstanceId};
use model::snapshot::TaskStatus;
use model::{Seconds, ServiceName, TaskArn};

use super::case::{Case, GroupCase, Indexes};
use super::room::{Proof, Room};
use super::stop::ECS_CHANCE;
use crate::capacity::demand;
use crate::capacity::fit::requests_of;
use crate::capacity::index::Index;

/// How long a replacement takes from its start until ECS counts it as running and healthy: the default of `ballast:start-up-secs`.
pub(crate) const START_UP: Seconds = Seconds(60);

/// A task that will not be moved in time.
#[derive(Debug, Clone)]
pub(crate) struct Stuck<'a> {
    pub(crate) task: &'a InstanceTask,
    pub(crate) why: StuckReason,
}

/// What a service still lets ECS do without room elsewhere.
#[derive(Debug, Clone, Copy)]
struct Slack {
    /// How many tasks it may run less, those counted that start.
    shed: u32,
    /// Whether ECS may neither start one more nor run one less.
    is_none: bool,
    /// How many tasks are replaced at a time; at least one.
    surge: u32,
    /// How many of its tasks on what departs are replaced before those that are asked about now.
    replaced: u32,
}

/// What is left until an instance goes.
#[derive(Debug, Clone, Copy)]
struct Left {
    deadline: Timestamp,
    /// How many replacements can start one after the other.
    rounds: u32,
}

/// Of each service, how many of its tasks on what departs ECS counts as running and are told to stop.
type Stopping<'a> = BTreeMap<(&'a ClusterName, &'a ServiceName), u32>;

/// Says of each instance that departs which of its tasks will not be moved in time.
pub(crate) fn predict<'a>(
    groups: &mut [GroupCase<'a>],
    rooms: &mut BTreeMap<&'a ClusterName, Room<'a>>,
    indexes: &Indexes<'a>,
    now: Timestamp,
) {
    let mut order: Vec<(Timestamp, &InstanceId, usize, usize)> = Vec::new();
    let mut stopping: Stopping<'_> = BTreeMap::new();
    for (group, of) in groups.iter().enumerate() {
        for (number, case) in of.cases.iter().enumerate().filter(|(_, it)| it.departs()) {
            let deadline = case.deadline.unwrap_or(Timestamp::MAX);
            order.push((deadline, case.id(), group, number));
            count_stopping(case, &mut stopping);
        }
    }
    order.sort();
    for case in groups.iter_mut().flat_map(|it| &mut it.cases) {
        if !case.departs() && case.gone.is_none() {
            case.immovable = immovable(case, indexes, &stopping);
        }
    }
    let mut slacks = BTreeMap::new();
    for (_, _, group, number) in order {
        let Some(case) = groups
            .get_mut(group)
            .and_then(|it| it.cases.get_mut(number))
        else {
            continue;
        };
        let room = case
            .cluster
            .and_then(|it| rooms.get_mut(&it.capacity.cluster));
        let index = case
            .cluster
            .and_then(|it| indexes.get(&it.capacity.cluster));
        if let (Some(room), Some(index)) = (room, index) {
            case.stuck = of_case(case, room, index, &mut slacks, &stopping, now);
        }
    }
}

fn count_stopping<'a>(case: &Case<'a>, stopping: &mut Stopping<'a>) {
    let Some(cluster) = case.cluster else { return };
    let tasks = case.tasks.iter().flatten();
    let told = tasks.filter(|it| !it.desired_running && it.last_status == TaskStatus::Running);
    for service in told.filter_map(|it| it.service.as_ref()) {
        let key = (&cluster.capacity.cluster, service);
        let count = stopping.entry(key).or_default();
        *count = count.saturating_add(1);
    }
}

/// The tasks on an instance that stays which ECS could not move if it left.
fn immovable<'a>(
    case: &Case<'a>,
    indexes: &Indexes<'a>,
    stopping: &Stopping<'a>,
) -> Vec<Stuck<'a>> {
    let cluster = case.cluster.map(|it| &it.capacity.cluster);
    let Some(index) = cluster.and_then(|it| indexes.get(it)) else {
        return Vec::new();
    };
    let of_task = |task: &'a InstanceTask| {
        let Some(name) = &task.service else {
            return Some(StuckReason::Standalone);
        };
        let service = index.cluster.services.get(name)?;
        let stopping = stopping.get(&(&index.cluster.cluster, name));
        let slack = slack(service, stopping.copied().unwrap_or_default());
        slack.is_none.then(|| no_surge(service))
    };
    case.running()
        .filter_map(|task| of_task(task).map(|why| Stuck { task, why }))
        .collect()
}

fn of_case<'a>(
    case: &Case<'a>,
    room: &mut Room<'a>,
    index: &Index<'a>,
    slacks: &mut BTreeMap<(&'a ClusterName, &'a ServiceName), Slack>,
    stopping: &Stopping<'a>,
    now: Timestamp,
) -> Vec<Stuck<'a>> {
    let mut stuck: Vec<Stuck<'a>> = Vec::new();
    if !case.is_connected() && case.container().is_some() {
        let all = case.running();
        let why = StuckReason::AgentDisconnected;
        return all
            .map(|task| Stuck {
                task,
                why: why.clone(),
            })
            .collect();
    }
    let mut of_services: BTreeMap<&ServiceName, Vec<&InstanceTask>> = BTreeMap::new();
    for task in case.running() {
        match &task.service {
            Some(service) => of_services.entry(service).or_default().push(task),
            None => stuck.push(Stuck {
                task,
                why: StuckReason::Standalone,
            }),
        }
    }
    for (name, tasks) in of_services {
        let Some(service) = index.cluster.services.get(name) else {
            continue;
        };
        let key = (&index.cluster.cluster, name);
        let stopping = stopping.get(&key).copied().unwrap_or_default();
        let slack = slacks
            .entry(key)
            .or_insert_with(|| slack(service, stopping));
        stuck.extend(of_service(
            service,
            &tasks,
            slack,
            room,
            index,
            left(case, now),
        ));
    }
    let known: BTreeSet<&TaskArn> = stuck.iter().map(|it| &it.task.arn).collect();
    let others = case.running().filter(|task| !known.contains(&task.arn));
    let cut: Vec<Stuck<'a>> = others
        .filter_map(|task| cut_short(case, task, now).map(|why| Stuck { task, why }))
        .collect();
    stuck.extend(cut);
    stuck
}

/// What is left until the instance goes, where that is known and to come.
fn left(case: &Case<'_>, now: Timestamp) -> Option<Left> {
    let deadline = case.deadline.filter(|it| now < *it)?;
    let rounds = Seconds::between(now, deadline).0 / START_UP.0;
    Some(Left {
        deadline,
        rounds: u32::try_from(rounds).unwrap_or(u32::MAX),
    })
}

/// Why a task that ECS can move does not end before its instance goes.
fn cut_short(case: &Case<'_>, task: &InstanceTask, now: Timestamp) -> Option<StuckReason> {
    let deadline = case.deadline?;
    let stop_timeout = case.stop_timeout(task);
    if stop_timeout.after(now) <= deadline {
        return None;
    }
    let draining_since = case.departure.draining_since.filter(|_| case.is_draining());
    let is_over = deadline <= now;
    match draining_since {
        Some(draining_since) if is_over || ECS_CHANCE.after(draining_since) <= now => {
            Some(StuckReason::NotMoved { draining_since })
        }
        // What was never DRAINING was never to be moved.
        None if is_over => None,
        Some(_) | None => Some(StuckReason::StopTooLong {
            stop_timeout,
            deadline,
        }),
    }
}

/// What the service's limits leave.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html>
fn slack(service: &CapacityService, stopping: u32) -> Slack {
    let desired = u64::from(service.desired_count);
    let at_least = (desired * u64::from(service.minimum_healthy_percent)).div_ceil(100);
    let at_most = desired * u64::from(service.maximum_percent) / 100;
    let running = u64::from(service.running_count.saturating_sub(stopping));
    let there = running.saturating_add(u64::from(service.pending_count));
    Slack {
        shed: u32::try_from(there.saturating_sub(at_least)).unwrap_or(u32::MAX),
        is_none: there <= at_least && at_most <= desired,
        surge: u32::try_from(at_most.saturating_sub(desired).max(1)).unwrap_or(u32::MAX),
        replaced: 0,
    }
}

const fn no_surge(service: &CapacityService) -> StuckReason {
    StuckReason::NoSurge {
        minimum_healthy_percent: service.minimum_healthy_percent,
        maximum_percent: service.maximum_percent,
    }
}

/// The tasks of one service on one instance.
fn of_service<'a>(
    service: &'a CapacityService,
    tasks: &[&'a InstanceTask],
    slack: &mut Slack,
    room: &mut Room<'a>,
    index: &Index<'a>,
    left: Option<Left>,
) -> Vec<Stuck<'a>> {
    if slack.is_none {
        let why = no_surge(service);
        let all = tasks.iter().map(|task| Stuck {
            task,
            why: why.clone(),
        });
        return all.collect();
    }
    let shed = usize::try_from(slack.shed).unwrap_or(usize::MAX);
    let shed = shed.min(tasks.len());
    slack.shed = slack
        .shed
        .saturating_sub(u32::try_from(shed).unwrap_or(u32::MAX));
    let rest: Vec<&InstanceTask> = tasks.iter().copied().skip(shed).collect();
    if !room.is_known {
        return too_slow(rest, slack, left);
    }
    let mut room_tasks: u32 = 0;
    let mut without: Vec<&InstanceTask> = Vec::new();
    let mut with: Vec<&InstanceTask> = Vec::new();
    for request in requests_of(index, rest.iter().copied()) {
        let put = room.put(&request, Proof::Possible, |_| true);
        room_tasks = room_tasks.saturating_add(put.tasks);
        let alike = rest.iter().copied().filter(|task| {
            task.task_definition == *request.task_definition && task.needs == request.needs
        });
        let placed = usize::try_from(put.tasks).unwrap_or(usize::MAX);
        with.extend(alike.clone().take(placed));
        without.extend(alike.skip(placed));
    }
    let mut stuck: Vec<Stuck<'a>> = without
        .into_iter()
        .map(|task| Stuck {
            task,
            why: StuckReason::NoRoom { room_tasks },
        })
        .collect();
    stuck.extend(too_slow(with, slack, left));
    stuck
}

/// Those of a service's tasks with room elsewhere whose turn does not come before the instance goes.
fn too_slow<'a>(
    tasks: Vec<&'a InstanceTask>,
    slack: &mut Slack,
    left: Option<Left>,
) -> Vec<Stuck<'a>> {
    let count = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
    let before = slack.replaced;
    slack.replaced = before.saturating_add(count);
    let Some(Left { deadline, rounds }) = left else {
        return Vec::new();
    };
    let surge = slack.surge;
    let in_time = surge.saturating_mul(rounds).saturating_sub(before);
    let why = StuckReason::TooSlow {
        surge,
        start_up: START_UP,
        rounds,
        deadline,
    };
    let late = tasks
        .into_iter()
        .skip(usize::try_from(in_time).unwrap_or(usize::MAX));
    late.map(|task| Stuck {
        task,
        why: why.clone(),
    })
    .collect()
}

/// The tasks as an operator reads them: those of one service, or of one family, for one reason together.
pub(crate) fn lines<'s, 'a: 's>(stuck: impl Iterator<Item = &'s Stuck<'a>>) -> Vec<StuckTasks> {
    let mut counts: BTreeMap<(String, StuckReason), u32> = BTreeMap::new();
    for it in stuck {
        let count = counts.entry((whose(it.task), it.why.clone())).or_default();
        *count = count.saturating_add(1);
    }
    let lines = counts.into_iter();
    lines
        .map(|((whose, why), tasks)| StuckTasks { whose, tasks, why })
        .collect()
}

/// `service/<name>`, or `family/<name>` for standalone tasks.
pub(crate) fn whose(task: &InstanceTask) -> String {
    match &task.service {
        Some(service) => format!("service/{service}"),
        None => format!("family/{}", demand::family(&task.task_definition)),
    }
}
