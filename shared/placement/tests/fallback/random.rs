//! Random states: tasks in every status with odd times, memories that Ballast wrote and memories that it never would, faults of every
//! kind on either service, gaps and reports.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use model::Seconds;
use model::ServiceKey;
use model::memory::{ForeignEdit, Level, PairMemory, Recall, Watch, Write};
use model::policy::{Installation, PairPolicy};
use model::snapshot::{
    Controller, Health, Pair, PassedOver, Scheduling, Service, ServiceStatus, Snapshot, Standby,
    Task, TaskStatus,
};
use model::strategy::Market;
use model::trigger::Hints;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use crate::reports::{AboutWhat, failure, of, on_instances, reports, settle_on_instances};
use crate::scene::{Scene, add, deployment, gap, key, now, share};

/// A look and everything that it depends on.
#[derive(Debug, Clone)]
pub(crate) struct Situation {
    pub(crate) snapshot: Snapshot,
    pub(crate) installation: Installation,
    pub(crate) memories: BTreeMap<ServiceKey, Recall>,
    pub(crate) hints: Hints,
    /// The reports that are about Spot's capacity: the primary and the time, known from how they were made.
    pub(crate) spot_reports: Vec<(ServiceKey, Option<Timestamp>)>,
    /// The reports that instances have no room, likewise.
    pub(crate) room_reports: Vec<(ServiceKey, Option<Timestamp>)>,
    /// Whether the memories are such as Ballast writes.
    pub(crate) orderly: bool,
}

/// Times around every limit of the rules, with and without a fraction of a second; some in the future, some absurd.
pub(crate) fn time() -> impl Strategy<Value = Timestamp> {
    let secs = select(vec![
        0, 1, 5, 10, 29, 30, 31, 50, 59, 60, 61, 90, 119, 120, 121, 179, 180, 181, 299, 300, 301,
        599, 600, 601, 899, 900, 901, 3_599, 3_600, 3_601, 9_000,
    ]);
    let usual = (secs, select(vec![0, 0, 0, 1, 500, 999]))
        .prop_map(|(secs, ms)| now() - SignedDuration::from_millis(secs * 1_000 + ms));
    let future = prop_oneof![0_i64..4_000, select(vec![1_i64, 10, 29, 30, 31])]
        .prop_map(|secs| now() + SignedDuration::from_secs(secs));
    let absurd = select(vec![Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH]);
    prop_oneof![30 => usual, 2 => future, 1 => absurd]
}

fn status() -> impl Strategy<Value = TaskStatus> {
    select(vec![
        TaskStatus::Provisioning,
        TaskStatus::Pending,
        TaskStatus::Activating,
        TaskStatus::Running,
        TaskStatus::Running,
        TaskStatus::Running,
        TaskStatus::Deactivating,
        TaskStatus::Stopping,
        TaskStatus::Deprovisioning,
        TaskStatus::Stopped,
        TaskStatus::Unknown,
    ])
}

type TaskParts = (
    TaskStatus,
    bool,
    Health,
    bool,
    [Option<Timestamp>; 4],
    Option<i64>,
);

fn task_parts() -> impl Strategy<Value = TaskParts> {
    let health = select(vec![
        Health::Unknown,
        Health::Healthy,
        Health::Healthy,
        Health::Unhealthy,
    ]);
    let times = (
        weighted(0.9, time()),
        weighted(0.3, time()),
        weighted(0.8, time()),
        weighted(0.2, time()),
    );
    (
        status(),
        any::<bool>(),
        health,
        any::<bool>(),
        times.prop_map(|(a, b, c, d)| [a, b, c, d]),
        weighted(0.5, select(vec![0_i64, 4_999, 12_000, 12_001, 39_500])),
    )
}

fn apply(task: &mut Task, parts: &TaskParts) {
    let (last_status, to_run, health, interrupted, times, took) = *parts;
    let [created_at, started_at, stopping_at, stopped_at] = times;
    task.last_status = last_status;
    task.desired_running = to_run;
    task.health = health;
    task.interrupted = interrupted && !to_run;
    task.created_at = created_at;
    // Mostly plausible start-up times, so that there is something to wait for.
    task.started_at = match (created_at, took) {
        (Some(created), Some(took_ms)) => created
            .saturating_add(SignedDuration::from_millis(took_ms))
            .ok(),
        _ => started_at,
    };
    task.stopping_at = stopping_at;
    task.stopped_at = stopped_at;
}

fn levels(length: usize) -> impl Strategy<Value = Vec<Level>> {
    vec((0_u32..12, time()), 0..length).prop_map(|levels| {
        let level = |(tasks, at)| Level { tasks, at };
        levels.into_iter().map(level).collect()
    })
}

/// Levels whose tasks and times both rise; within the watch.
fn staircase(watch: Option<Watch>, mut levels: Vec<Level>) -> Vec<Level> {
    let Some(watch) = watch else {
        return Vec::new();
    };
    levels.retain(|it| it.tasks > 0 && watch.since <= it.at && it.at <= watch.until);
    levels.sort_by_key(|it| it.at);
    let mut rising: Vec<Level> = Vec::new();
    for level in levels {
        if rising
            .last()
            .is_none_or(|last| last.tasks < level.tasks && last.at < level.at)
        {
            rising.push(level);
        }
    }
    rising
}

fn write() -> impl Strategy<Value = Write> {
    let from_time = prop_oneof![time(), Just(now())];
    (0_u32..7, 0_u32..7, from_time, any::<bool>()).prop_map(|(from, to, at, confirmed)| Write {
        from,
        to,
        at,
        confirmed,
    })
}

fn foreign() -> impl Strategy<Value = ForeignEdit> {
    (0_u32..7, 0_u32..7, time()).prop_map(|(found, wrote, noticed_at)| ForeignEdit {
        found,
        wrote,
        noticed_at,
    })
}

/// A memory, and whether it is one that Ballast may have written.
fn memory() -> impl Strategy<Value = (PairMemory, bool)> {
    let watch = (time(), time()).prop_map(|(a, b)| Watch {
        since: a.min(b),
        until: a.max(b),
    });
    let parts = (
        weighted(0.8, watch),
        levels(8),
        levels(8),
        weighted(0.4, write()),
        weighted(0.3, foreign()),
        weighted(0.3, time()),
        weighted(0.3, (1_u32..6, time())),
    );
    (parts, weighted(0.1, (levels(60), levels(60)))).prop_map(|(parts, weird)| {
        let (watched, deficits, needs, wrote, foreign, spot_shortage_at, not_replaced) = parts;
        let orderly = weird.is_none();
        let (deficits, needs) = weird.unwrap_or_else(|| {
            let deficits = staircase(watched, deficits);
            // Needs fall: a staircase read from its end.
            let mut needs = staircase(watched, needs);
            let tasks: Vec<u32> = needs.iter().rev().map(|it| it.tasks).collect();
            for (need, tasks) in needs.iter_mut().zip(tasks) {
                need.tasks = tasks;
            }
            (deficits, needs)
        });
        let memory = PairMemory {
            watched,
            deficits,
            needs,
            wrote,
            foreign: foreign.filter(|_| wrote.is_some()),
            spot_shortage_at,
            not_replaced: not_replaced.map(|(tasks, at)| Level { tasks, at }),
        };
        (memory, orderly)
    })
}

/// Everything that may be wrong with a service of a pair, by number; none of it with the higher numbers.
fn break_something(pair: &mut Pair, what: u32) {
    let Standby::Present(standby) = &mut pair.standby else {
        return;
    };
    let primary = &mut pair.primary;
    let other = "arn:aws:ecs:us-west-2:111122223333:task-definition/web:8";
    match what {
        0 => primary.status = ServiceStatus::Draining,
        1 => standby.status = ServiceStatus::Inactive,
        2 => primary.scheduling = Scheduling::Daemon,
        3 => standby.scheduling = Scheduling::Daemon,
        4 => primary.controller = Controller::CodeDeploy,
        5 => standby.controller = Controller::External,
        6 => standby.tags.clear(),
        7 => {
            _ = standby
                .tags
                .insert("ballast:standby".to_owned(), "x".to_owned())
        }
        8 => standby
            .capacity
            .push(share("FARGATE_SPOT=0/1", Market::Spot)),
        9 => standby.task_definition = other.parse().unwrap(),
        10 => standby.scaled_by_application_auto_scaling = Some(true),
        11 => {
            _ = primary
                .tags
                .insert("ballast:paused".to_owned(), "true".to_owned())
        }
        12 => {
            _ = primary
                .tags
                .insert("ballast:paused".to_owned(), "1".to_owned())
        }
        13 => pair.standby = Standby::Missing,
        14 => pair.standby = Standby::Unknown,
        17 => standby.created_at = None,
        18 => standby.created_at = Some(now()),
        19 => standby.created_at = Some(crate::scene::ago(60)),
        15 => standby.scaled_by_application_auto_scaling = None,
        16 => standby
            .capacity
            .push(share("FARGATE_SPOT=0/0", Market::Spot)),
        _ => {}
    }
}

fn tags() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let number = |name, numbers: Vec<u32>| {
        weighted(0.3, select(numbers)).prop_map(move |it| it.map(|it| (name, it.to_string())))
    };
    (
        number("ballast:standby-max", vec![0, 1, 2, 3, 9]),
        number("ballast:hold-down-secs", vec![60, 120, 300, 900]),
        number("ballast:settle-secs", vec![0, 30, 60, 300]),
        number("ballast:start-grace-secs", vec![10, 60, 600]),
        number("ballast:start-up-secs", vec![1, 5, 20, 600]),
        number("ballast:margin-secs", vec![0, 5, 120]),
        number("ballast:foreign-hold-secs", vec![60, 300, 604_800]),
    )
        .prop_map(|(a, b, c, d, e, f, g)| [a, b, c, d, e, f, g].into_iter().flatten().collect())
}

fn deployments() -> impl Strategy<Value = Vec<bool>> {
    prop_oneof![8 => Just(vec![false]), 1 => Just(vec![true]), 1 => Just(vec![false, true])]
}

fn pair() -> impl Strategy<Value = Pair> {
    let counts = (0_u32..7, 0_u32..7, 0_u32..6, 0_u32..6);
    // Some looks find nothing but ready tasks and tasks that got their warning a moment ago.
    let leaving = weighted(0.5, vec(0_i64..60, 1..4));
    let odd_tasks = prop_oneof![1 => Just(0_usize..1), 2 => Just(0_usize..6)];
    let services = (
        odd_tasks.prop_flat_map(|size| vec(task_parts(), size)),
        vec(task_parts(), 0..3),
        deployments(),
        deployments(),
        select(vec![
            None,
            Some(30),
            Some(60),
            Some(120),
            Some(120),
            Some(3_600),
        ]),
    );
    let about = (
        tags(),
        0_u32..48,
        weighted(0.15, select(vec!["ecs:DescribeTasks", "ecs:ListTasks"])),
        (proptest::bool::ANY, 0_u32..8, 0_u32..3),
        weighted(0.4, on_instances()),
    );
    let parts = (counts, leaving, services, about);
    parts.prop_map(
        |(counts, leaving, services, (tags, broken, hole, own_counts, instances))| {
            let (desired, standby_desired, ready, standby_ready) = counts;
            let (tasks, standby_tasks, rolls, standby_rolls, stop_timeout) = services;
            let fill = |service: &mut Service, ready: u32, tasks: &[TaskParts], rolls: &[bool]| {
                add(service, ready, |_| {});
                for parts in tasks {
                    add(service, 1, |task| apply(task, parts));
                }
                let deployments = rolls.iter().zip(["1", "2"]);
                service.deployments = deployments
                    .map(|(rolls, id)| deployment(id, *rolls))
                    .collect();
            };
            let mut pair = Scene::desired(desired)
                .primary(|it| fill(it, ready, &tasks, &rolls))
                .leaving(leaving)
                .on_standby(|it| {
                    it.desired_count = standby_desired;
                    fill(it, standby_ready, &standby_tasks, &standby_rolls);
                })
                .pair;
            pair.primary.stop_timeout = stop_timeout.map(Seconds);
            if let Some((draining, lines)) = instances {
                settle_on_instances(&mut pair.primary, &draining, lines);
            }
            for (name, value) in tags {
                pair.primary.tags.insert(name.to_owned(), value);
            }
            break_something(&mut pair, broken);
            pair.policy = PairPolicy::from_tags(&pair.primary.tags).unwrap();
            let (hides_tasks, running, pending) = own_counts;
            pair.primary.all_to_run_read = hole.is_none() || !hides_tasks;
            pair.primary.running_count = running;
            pair.primary.pending_count = pending;
            pair.gaps = hole
                .map(|it| gap(it, "container-demo/web"))
                .into_iter()
                .collect();
            pair
        },
    )
}

impl Scene {
    /// Tasks that were told a moment ago and started fast.
    fn leaving(self, told_secs_ago: Option<Vec<i64>>) -> Self {
        let Some(told_secs_ago) = told_secs_ago else {
            return self;
        };
        let fast = self.ready_started_in(1, 12);
        let each = told_secs_ago.into_iter();
        each.fold(fast, |scene, secs| scene.interrupted(1, secs))
    }
}

/// Gives a pair its own names.
fn rename(pair: &mut Pair, cluster: &str, name: &str) {
    pair.primary.key = key(&format!("{cluster}/{name}"));
    let standby_name = format!("{name}-standby");
    pair.primary
        .tags
        .insert("ballast:standby".to_owned(), standby_name.clone());
    pair.policy = PairPolicy::from_tags(&pair.primary.tags).unwrap();
    if let Standby::Present(standby) = &mut pair.standby {
        standby.key = key(&format!("{cluster}/{standby_name}"));
        if let Some(of) = standby.tags.get_mut("ballast:standby-of") {
            name.clone_into(of);
        }
    }
}

pub(crate) fn situation() -> impl Strategy<Value = Situation> {
    let names = [
        ("container-demo", "web"),
        ("container-demo", "api"),
        ("other", "web"),
    ];
    let recalls = vec(weighted(0.9, weighted(0.9, memory())), 3);
    let shared_gap = weighted(
        0.1,
        select(vec!["*", "container-demo", "other", "container-demo/web"]),
    );
    let rest = (
        reports(),
        shared_gap,
        select(vec![60_i64, 60, 90, 300]),
        0_u32..20,
    );
    (vec(pair(), 1..4), recalls, rest).prop_map(move |(pairs, recalls, rest)| {
        let (reports, shared_gap, interval, shared_standby) = rest;
        let mut snapshot = Scene::desired(0).snapshot();
        snapshot.pairs.clear();
        let mut memories = BTreeMap::new();
        let mut orderly = true;
        for ((mut pair, recall), (cluster, name)) in pairs.into_iter().zip(recalls).zip(names) {
            rename(&mut pair, cluster, name);
            let key = pair.primary.key.clone();
            // A pair may be known, unknown to the ledger, or never have been seen.
            if let Some(recall) = recall {
                orderly &= recall.as_ref().is_none_or(|(_, orderly)| *orderly);
                let recall = recall.map_or(Recall::Unknown, |(memory, _)| Recall::Known(memory));
                memories.insert(key.clone(), recall);
            }
            snapshot.pairs.insert(key, pair);
        }
        if shared_standby == 0 {
            // Two primaries name one standby; its tag names one of them.
            let web = snapshot.pairs.get(&key("container-demo/web"));
            let standby = web.map(|web| web.standby.clone());
            if let Some(api) = snapshot.pairs.get_mut(&key("container-demo/api")) {
                let named = "web-standby".to_owned();
                api.primary.tags.insert("ballast:standby".to_owned(), named);
                api.policy = PairPolicy::from_tags(&api.primary.tags).unwrap();
                api.standby = standby.unwrap_or(Standby::Missing);
            }
        }
        snapshot
            .passed_over
            .insert(key("container-demo/zebra"), PassedOver::NotOptedIn);
        snapshot.gaps = shared_gap
            .map(|it| gap("ecs:ListServices", it))
            .into_iter()
            .collect();
        let placement_failures = reports
            .iter()
            .map(|(it, at, what)| (*at, failure(it, *what)));
        Situation {
            snapshot,
            installation: Installation {
                schedule_interval: Seconds(interval),
            },
            memories,
            hints: Hints {
                placement_failures: placement_failures.collect(),
                ..Hints::default()
            },
            spot_reports: of(&reports, AboutWhat::Spot),
            room_reports: of(&reports, AboutWhat::Room),
            orderly,
        }
    })
}
