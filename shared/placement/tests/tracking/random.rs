//! Random states: tracked services in every state that one can be in, with loads of every shape, series with holes, what is remembered of
//! them, gaps and policies.
//!
//! A state is read off a tape of numbers: a shorter tape and smaller numbers make a simpler state, so that a failing one shrinks.

use jiff::Timestamp;
use model::Seconds;
use model::capacity::Consent;
use model::memory::{ForeignEdit, Level, Recall, Write};
use model::snapshot::{NotPlaced, PassedOver, Scheduling, Service, ServiceStatus, Standby};
use model::strategy::Market;
use model::tracking::{
    Bounds, Direction, Fleet, GroupLimit, Measures, Miscount, ScheduledBounds, Span, Target,
    TargetName, There, TrackingKey, TrackingMemory, TrackingPolicy, Turn,
};
use proptest::prelude::*;

use crate::random_metrics::{Metrics, spoil};
use crate::scene::{Scene, deployment, gap, share};

/// Numbers to choose by; 0 once they are used up.
#[derive(Debug)]
pub(crate) struct Tape {
    numbers: std::vec::IntoIter<u16>,
}

impl Tape {
    fn new(numbers: Vec<u16>) -> Self {
        Self {
            numbers: numbers.into_iter(),
        }
    }

    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        usize::from(self.numbers.next().unwrap_or(0)) % sides
    }

    /// Rare: once in so many times, and never once the tape is used up.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.roll(times) == times - 1
    }

    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.roll(choices.len())]
    }
}

/// A look at up to three tracked services and everything that it depends on.
pub(crate) fn situation() -> impl Strategy<Value = Scene> {
    prop::collection::vec(any::<u16>(), 0..500).prop_map(|numbers| {
        let mut tape = Tape::new(numbers);
        let mut scene = Scene::new(10);
        let template = scene.fleet().clone();
        scene.snapshot.fleets.clear();
        scene.memories.clear();
        // A look is at any second of the minute.
        scene.now = Seconds(tape.of(&[0, 29, 1, -30, 12])).after(scene.now);
        scene.snapshot.taken_at = scene.now;
        let count = tape.of(&[1, 1, 2, 3]);
        for name in ["web", "api", "jobs"].into_iter().take(count) {
            service(&mut scene, &template, name, &mut tape);
        }
        passed_over(&mut scene, &mut tape);
        scene
    })
}

/// A look at one service that is looked after, opted in and on nobody else's hand, at rest but for its load: what it comes to depends on
/// the metrics alone.
pub(crate) fn at_rest() -> impl Strategy<Value = Scene> {
    situation().prop_map(|mut scene| {
        let key = scene.snapshot.fleets.keys().next().unwrap().clone();
        scene.snapshot.fleets.retain(|it, _| *it == key);
        scene.memories.clear();
        scene.snapshot.gaps.clear();
        scene.snapshot.passed_over.clear();
        let fleet = scene.fleet();
        fleet.gaps.clear();
        fleet.groups.clear();
        let primary = &mut fleet.primary;
        let desired = primary.desired_count.max(1);
        primary.desired_count = desired;
        primary.running_count = desired;
        primary.pending_count = 0;
        primary.status = ServiceStatus::Active;
        primary.scheduling = Scheduling::Replica;
        primary.scaled_by_application_auto_scaling = Some(false);
        primary.deployments = vec![deployment(1, true, false)];
        primary.not_placed.clear();
        primary.tags.clear();
        let tag = ("ballast:service-scaler".to_owned(), "act".to_owned());
        primary.tags.extend([tag]);
        fleet.policy = Ok(TrackingPolicy {
            consent: Consent::Act,
            paused: false,
            ..fleet.policy.clone().unwrap_or_else(|_| policy())
        });
        if let Some(Standby::Present(standby)) = &mut fleet.standby {
            standby.pending_count = 0;
        }
        scene
    })
}

fn policy() -> TrackingPolicy {
    let mut policy = Scene::new(1).fleet().policy.clone().unwrap();
    let target = Target {
        value_milli: 60_000,
        measures: Measures::PerTask,
        alarm: None,
    };
    policy.targets.insert(TargetName::Cpu, target);
    policy
}

fn passed_over(scene: &mut Scene, tape: &mut Tape) {
    if tape.one_in(8) {
        let whys = [
            PassedOver::NotOptedIn,
            PassedOver::NotFound,
            PassedOver::Unread {
                gap: gap("ecs:DescribeServices"),
            },
        ];
        for (number, why) in whys.into_iter().enumerate() {
            let key = format!("demo/other-{number}").parse().unwrap();
            scene.snapshot.passed_over.insert(key, why);
        }
    }
    if tape.one_in(16) {
        let mut gap = gap("ecs:ListServices");
        "*".clone_into(&mut gap.resource);
        scene.snapshot.gaps.push(gap);
    }
}

fn service(scene: &mut Scene, template: &Fleet, name: &str, tape: &mut Tape) {
    let key = TrackingKey(format!("demo/{name}").parse().unwrap());
    let mut fleet = template.clone();
    fleet.primary.key = key.0.clone();
    fleet.policy = Ok(policy());
    fleet.task_counts.clear();
    counts(&mut fleet, tape);
    pace(&mut fleet, tape);
    standby(&mut fleet, name, tape);
    bounds(&mut fleet, tape);
    Metrics::new(scene.now, &fleet, tape).write(&mut fleet, tape);
    spoil(&mut fleet, tape);
    vetoes(&mut fleet, scene.now, tape);
    let memory = memory(&fleet, scene.now, tape);
    scene.snapshot.fleets.insert(key.clone(), fleet);
    if let Some(memory) = memory {
        scene.memories.insert(key, memory);
    }
}

fn counts(fleet: &mut Fleet, tape: &mut Tape) {
    let desired = tape.of(&[10, 10, 20, 5, 2, 1, 40, 3, 60, 0, 11, 30]);
    let primary = &mut fleet.primary;
    primary.desired_count = desired;
    primary.running_count = match tape.roll(8) {
        5 => desired.saturating_sub(2),
        6 => desired / 2,
        7 => desired + 1,
        _ => desired,
    };
    primary.pending_count = tape.of(&[0, 0, 0, 0, 0, 0, 0, 2]);
}

fn pace(fleet: &mut Fleet, tape: &mut Tape) {
    let policy = fleet.policy.as_mut().unwrap();
    policy.pace.tolerance_percent = tape.of(&[10, 12, 0, 50]);
    policy.pace.scale_in_window = Seconds(tape.of(&[300, 900, 60, 590]));
    policy.pace.turn_hold = Seconds(tape.of(&[300, 0, 900]));
    policy.pace.raise_max_percent = tape.of(&[100, 10, 50, 1_000]);
    policy.pace.start_up = Seconds(tape.of(&[60, 1, 120, 600]));
    policy.pace.warm_up = Seconds(tape.of(&[60, 0, 120, 45, 600]));
    policy.pace.forecast = tape.one_in(3);
    policy.pace.forecast_peak = Seconds(tape.of(&[0, 300, 600, 60, 450, 0, 3_600]));
    policy.foreign_hold = Seconds(tape.of(&[3_600, 60]));
}

fn standby(fleet: &mut Fleet, name: &str, tape: &mut Tape) {
    let mut other: Service = fleet.primary.clone();
    other.key = format!("demo/{name}-standby").parse().unwrap();
    let of = ("ballast:standby-of".to_owned(), name.to_owned());
    other.tags.extend([of]);
    let desired = fleet.primary.desired_count;
    other.desired_count = tape.of(&[0, 3, desired / 2, desired]);
    other.running_count = other.desired_count;
    other.pending_count = tape.of(&[0, 0, 0, 0, 0, 1]);
    fleet.standby = match tape.roll(12) {
        0..5 => None,
        10 => Some(Standby::Missing),
        11 => Some(Standby::Unknown),
        _ => Some(Standby::Present(Box::new(other))),
    };
}

fn bounds(fleet: &mut Fleet, tape: &mut Tape) {
    let (min_tasks, max_tasks) = tape.of(&[(1, 40), (1, 40), (0, 40), (5, 25), (12, 12), (0, 1)]);
    let policy = fleet.policy.as_mut().unwrap();
    policy.bounds = Bounds {
        min_tasks,
        max_tasks,
    };
    if tape.one_in(5) {
        // The scene's time is a Sunday noon.
        let text = tape.of(&[
            "sun 11:00-13:00 min=15 max=60",
            "sat 22:00-13:00 max=8 min=0",
            "daily 12:00-12:00 max=50 / sun 12:01-12:02 max=12 min=12",
            "mon-sat 00:00-24:00 min=40",
            "sun 11:30-13:00 max=0 min=0",
        ]);
        policy.windows = ScheduledBounds::parse_all(text).unwrap();
        policy.time_zone = tape
            .of(&["UTC", "Europe/Berlin", "Asia/Kolkata"])
            .to_owned();
    }
}

/// Since when tasks are on their way.
fn waiting(fleet: &Fleet, now: Timestamp, tape: &mut Tape) -> Option<Level> {
    let running = fleet.primary.running_count;
    (tape.roll(3) == 2).then(|| Level {
        tasks: tape.of(&[running, running + 2, running.saturating_sub(1)]),
        at: Seconds(tape.of(&[600, 300, 299, 30])).before(now),
    })
}

/// What speaks against touching it, lowering it or raising it.
fn vetoes(fleet: &mut Fleet, now: Timestamp, tape: &mut Tape) {
    let primary = &mut fleet.primary;
    let mut consent = "act";
    match tape.roll(40) {
        28 => {
            consent = "advise";
            fleet.policy.as_mut().unwrap().consent = Consent::Advise;
        }
        29 => {
            primary
                .tags
                .insert("ballast:paused".to_owned(), "true".to_owned());
            fleet.policy.as_mut().unwrap().paused = true;
        }
        30 => fleet.policy = Err(Vec::new()),
        31 => {
            primary
                .tags
                .insert("ballast:standby-of".to_owned(), "main".to_owned());
        }
        32 => primary.status = ServiceStatus::Draining,
        33 => primary.scheduling = Scheduling::Daemon,
        34 => primary.scaled_by_application_auto_scaling = Some(true),
        35 => primary.scaled_by_application_auto_scaling = None,
        36 | 37 => primary.deployments = vec![deployment(1, true, true)],
        38 => primary.deployments = vec![deployment(1, false, false), deployment(2, true, false)],
        39 => fleet.gaps.push(gap("cloudwatch:GetMetricData")),
        _ => {}
    }
    primary
        .tags
        .insert("ballast:service-scaler".to_owned(), consent.to_owned());
    match tape.roll(12) {
        6 => primary.capacity = vec![share("FARGATE", Market::OnDemand)],
        7 | 8 => {
            primary.capacity = vec![share("ec2", Market::Unknown)];
            let limit = GroupLimit {
                group: "fleet".parse().unwrap(),
                desired_capacity: 5,
                max_size: tape.of(&[5, 6]),
            };
            fleet.groups.insert("ec2".parse().unwrap(), limit);
        }
        9 | 10 => {
            let at = Seconds(tape.of(&[299, 300, 10, 301])).before(now);
            let text = "no instance had room".to_owned();
            primary.not_placed = vec![NotPlaced { at, text }];
            primary.capacity = vec![share("ec2", Market::OnDemand)];
        }
        _ => {}
    }
    if tape.one_in(10) {
        let ago = tape.of(&[10, 86_400, 45]);
        primary.created_at = Some(Seconds(ago).before(now));
    }
}

fn memory(fleet: &Fleet, now: Timestamp, tape: &mut Tape) -> Option<Recall<TrackingMemory>> {
    match tape.roll(10) {
        8 => return None,
        9 => return Some(Recall::Unknown),
        _ => {}
    }
    let desired = fleet.primary.desired_count;
    let ago = |secs: i64| Seconds(secs).before(now);
    let at = ago(tape.of(&[3_600, 300, 59, 60, 20, 29, 30, 100_000]));
    let other = tape.of(&[desired + 2, desired.saturating_sub(3), desired / 2, 0, 7]);
    let (from, to) = match tape.roll(8) {
        0..5 => (other, desired),
        5 => (desired, other),
        6 => (other + 1, other),
        _ => (desired, desired),
    };
    let confirmed = !tape.one_in(3);
    let wrote = (!tape.one_in(8)).then_some(Write {
        from,
        to,
        at,
        confirmed,
    });
    let turn = (tape.roll(4) > 0).then(|| {
        let at = ago(tape.of(&[3_600, 60, 299, 300, 900, 0]));
        Turn {
            direction: tape.of(&[Direction::In, Direction::Out]),
            since: at,
            at,
        }
    });
    let foreign = tape.one_in(6).then(|| ForeignEdit {
        found: tape.of(&[desired, desired / 2, desired + 5]),
        wrote: to,
        noticed_at: ago(tape.of(&[600, 59, 60, 3_599, 3_600])),
    });
    let missing = (tape.roll(3) == 0).then(|| Level {
        tasks: 1,
        at: ago(tape.of(&[600, 120, 121, 10])),
    });
    let pending = [0, 1].map(|_| waiting(fleet, now, tape));
    let miscount = tape.one_in(20).then(|| Miscount {
        at: ago(tape.of(&[300, 10, 599, 600, 1_300])),
        resolution: Seconds(tape.of(&[60, 20])),
        service: fleet.primary.key.clone(),
        counted: 30,
        at_most: 10,
    });
    let there = [0, 1].map(|_| there(desired, now, tape));
    let empty = tape.one_in(6).then(|| span(now, tape));
    Some(Recall::Known(TrackingMemory {
        miscount,
        empty,
        there: there[0],
        standby_there: there[1],
        levels: levels([other, desired], now, tape),
        standby_levels: levels([other, 0], now, tape),
        pending: pending[0],
        standby_pending: pending[1],
        wrote,
        foreign,
        turn,
        raised: wrote.filter(|it| it.from < it.to).map(|it| Level {
            tasks: it.from,
            at: it.at,
        }),
        missing,
        scaled_by_application_auto_scaling: tape.of(&[Some(false), None, Some(true)]),
    }))
}

/// When something was so, and may be still.
fn span(now: Timestamp, tape: &mut Tape) -> Span {
    let ago = |secs: i64| Seconds(secs).before(now);
    let until = tape.of(&[60, 0, 119, 120, 181, 600]);
    Span {
        since: ago(until + tape.of(&[600, 60, 30])),
        until: (!tape.one_in(4)).then(|| ago(until)),
    }
}

/// The desired counts of before, the last of them the present one.
fn levels([before, desired]: [u32; 2], now: Timestamp, tape: &mut Tape) -> Vec<Level> {
    let levels = [
        (before, tape.of(&[3_600, 1_200, 720])),
        (tape.of(&[0, 3, 12, 40]), tape.of(&[601, 600, 599, 300])),
        (desired, tape.of(&[240, 181, 120, 60, 10])),
    ];
    let levels = levels.map(|(tasks, secs)| Level {
        tasks,
        at: Seconds(secs).before(now),
    });
    levels.into_iter().skip(tape.of(&[3, 2, 1, 0])).collect()
}

/// The tasks of before, and when they became fewer.
fn there(desired: u32, now: Timestamp, tape: &mut Tape) -> Option<There> {
    tape.one_in(2).then(|| There {
        tasks: tape.of(&[desired, 0, 40]),
        fell: (!tape.one_in(4)).then(|| Level {
            tasks: tape.of(&[0, desired, 12]),
            at: Seconds(tape.of(&[10, 60, 89, 90, 120, 600])).before(now),
        }),
    })
}
