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
    Bounds, Direction, Fleet, GroupLimit, Measures, Part, Point, Reading, ScheduledBounds, Series,
    Target, TargetName, TrackingKey, TrackingMemory, TrackingPolicy, Turn, UnusableMetric,
};
use proptest::prelude::*;

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
    fn roll(&mut self, sides: usize) -> usize {
        usize::from(self.numbers.next().unwrap_or(0)) % sides
    }

    /// Rare: once in so many times, and never once the tape is used up.
    fn one_in(&mut self, times: usize) -> bool {
        self.roll(times) == times - 1
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
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
    policy.pace.forecast = tape.one_in(3);
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
        ]);
        policy.windows = ScheduledBounds::parse_all(text).unwrap();
        policy.time_zone = tape
            .of(&["UTC", "Europe/Berlin", "Asia/Kolkata"])
            .to_owned();
    }
}

/// A load, by the minute, in thousandths of a task, and the tasks that served it.
struct Metrics {
    now: Timestamp,
    /// The end of the newest minute.
    end: Timestamp,
    /// The newest first.
    loads: Vec<i64>,
    period: i64,
}

const MINUTES: usize = 25;

impl Metrics {
    fn new(now: Timestamp, fleet: &Fleet, tape: &mut Tape) -> Self {
        let second = now.as_second();
        let late = tape.of(&[0, 60, 120, 60, 240, 300]);
        let end = Timestamp::from_second(second - second.rem_euclid(60) - late).unwrap();
        let desired = i64::from(fleet.primary.desired_count.max(1));
        let level =
            desired * tape.of(&[1_000, 500, 1_050, 900, 700, 1_500, 850, 990, 3_000, 0, 100]);
        let other = desired * tape.of(&[1_000, 500, 800, 1_200, 2_000, 0]);
        let at = 1 + tape.roll(MINUTES - 1);
        let shape = tape.roll(5);
        let loads = (0..MINUTES).map(|back| match shape {
            0 => level,
            1 if back >= at => other,
            2 if back == at => other,
            3 => level + i64::try_from(back).unwrap() * (other - level) / 24,
            4 => level + i64::try_from(tape.roll(401)).unwrap() * desired - 200 * desired,
            _ => level,
        });
        Self {
            now,
            end,
            loads: loads.collect(),
            period: tape.of(&[60, 60, 60, 20]),
        }
    }

    fn points(&self, period: i64, value: impl Fn(i64) -> i64) -> Vec<Point> {
        let total = i64::try_from(self.loads.len()).unwrap() * 60 / period;
        let points = (1..=total).rev().map(|back| Point {
            at: Seconds(back * period).before(self.end),
            value_milli: value(self.loads[usize::try_from((back * period - 1) / 60).unwrap()]),
        });
        points.collect()
    }

    fn series(&self, part: Part, period: i64, value: impl Fn(i64) -> i64) -> Series {
        Series {
            part,
            period: Seconds(period),
            points: self.points(period, value),
            unusable: 0,
            is_complete: true,
        }
    }

    fn write(&self, fleet: &mut Fleet, tape: &mut Tape) {
        let running = |fleet: &Fleet| {
            let standby = match &fleet.standby {
                Some(Standby::Present(it)) => it.running_count,
                Some(Standby::Missing | Standby::Unknown) | None => 0,
            };
            let primary = fleet.primary.running_count;
            (i64::from(primary), i64::from(standby))
        };
        let (primary, standby) = running(fleet);
        for (part, count) in [(Part::Primary, primary), (Part::Standby, standby)] {
            if count > 0 && !tape.one_in(10) {
                let counts = self.series(part, self.period, |_| count * 1_000);
                fleet.task_counts.push(counts);
            }
        }
        let all = (primary + standby).max(1);
        let which = tape.of(&[1, 1, 1, 4, 8, 5, 3, 15, 2]);
        let policy = fleet.policy.as_mut().unwrap();
        policy.targets.clear();
        let names = [
            TargetName::Cpu,
            TargetName::Memory,
            TargetName::Requests,
            TargetName::Alarm,
        ];
        for (bit, name) in names.into_iter().enumerate() {
            if which & (1 << bit) == 0 {
                continue;
            }
            let value_milli = tape.of(&[60_000, 1_000, 70_123, 100_000]);
            let is_total = name == TargetName::Alarm && tape.roll(2) == 0;
            let measures = if is_total {
                Measures::Total
            } else {
                Measures::PerTask
            };
            let of = tape.of(&[1_000, 1_000, 500, 950]);
            let value = |load: i64| {
                let times = if is_total { 1_000 } else { all * 1_000 };
                i64::try_from(
                    i128::from(load) * i128::from(of * value_milli) / i128::from(times) / 1_000,
                )
                .unwrap()
            };
            let mut recent = Vec::new();
            if matches!(name, TargetName::Cpu | TargetName::Memory) {
                for (part, count) in [(Part::Primary, primary), (Part::Standby, standby)] {
                    if count > 0 {
                        recent.push(self.series(part, self.period, value));
                    }
                }
            } else {
                let period = if name == TargetName::Alarm {
                    tape.of(&[60, 300, 20])
                } else {
                    60
                };
                recent.push(self.series(Part::Fleet, period, value));
            }
            let season = if tape.roll(3) == 0 {
                Vec::new()
            } else {
                self.season(&recent, tape)
            };
            let target = Target {
                value_milli,
                measures,
                alarm: None,
            };
            policy.targets.insert(name, target);
            fleet
                .readings
                .insert(name, Reading::Read { recent, season });
        }
        fleet.season_task_counts = self.season(&fleet.task_counts, tape);
    }

    /// The same times of three days, each minute some of today's newest.
    fn season(&self, recent: &[Series], tape: &mut Tape) -> Vec<Series> {
        let growth = tape.of(&[1_000, 1_300, 700, 4_000]);
        let lost = tape.roll(40);
        let of_part = recent.iter().map(|it| {
            let newest = it.points.last().map_or(0, |it| it.value_milli);
            let days = (1..=3).rev().flat_map(|day| {
                let middle = Seconds(day * 86_400).before(self.end);
                (-10..25).map(move |minute| Point {
                    at: Seconds(minute * 60).after(middle),
                    value_milli: if minute < 0 {
                        newest
                    } else {
                        newest / 1_000 * growth
                    },
                })
            });
            let mut points: Vec<Point> = days.collect();
            if lost > 20 {
                points.remove(lost);
            }
            Series {
                part: it.part,
                period: Seconds(60),
                points,
                unusable: 0,
                is_complete: true,
            }
        });
        of_part.collect()
    }
}

/// What can be wrong with what CloudWatch answers.
fn spoil(fleet: &mut Fleet, tape: &mut Tape) {
    let names: Vec<TargetName> = fleet.readings.keys().copied().collect();
    for name in names {
        let reading = fleet.readings.get_mut(&name).unwrap();
        let Reading::Read { recent, .. } = reading else {
            continue;
        };
        match tape.roll(24) {
            12 => recent.clear(),
            13 => {
                recent.truncate(1);
            }
            14 => spoil_points(recent, tape, |points, which| {
                points.remove(which);
            }),
            15 => spoil_points(recent, tape, |points, which| {
                points.truncate(points.len() - 1 - which.min(points.len() - 1) % 4);
            }),
            16 => spoil_points(recent, tape, |points, _| {
                let last = *points.last().unwrap();
                for ahead in 1..10 {
                    let at = Seconds(60 * ahead).after(last.at);
                    points.push(Point {
                        at,
                        value_milli: last.value_milli * 2,
                    });
                }
            }),
            17 => spoil_points(recent, tape, |points, which| {
                points[which].value_milli = -5_000
            }),
            18 => spoil_points(recent, tape, |points, which| {
                points[which].value_milli = i64::MAX / 1_000
            }),
            19 => recent.iter_mut().for_each(|it| it.is_complete = false),
            20 => recent.iter_mut().for_each(|it| it.unusable = 3),
            21 => {
                *reading = Reading::Unread;
                fleet.gaps.push(gap("cloudwatch:GetMetricData"));
            }
            22 => {
                *reading = Reading::Unusable {
                    why: UnusableMetric::TargetGroups { count: 2 },
                };
            }
            23 => {
                fleet.readings.remove(&name);
            }
            _ => {}
        }
    }
    if tape.one_in(12) {
        spoil_points(&mut fleet.task_counts, tape, |points, which| {
            points.drain(which..);
        });
    }
}

fn spoil_points(series: &mut [Series], tape: &mut Tape, change: impl Fn(&mut Vec<Point>, usize)) {
    if series.is_empty() {
        return;
    }
    let which = tape.roll(series.len());
    let points = &mut series[which].points;
    if !points.is_empty() {
        let back = tape.roll(points.len());
        let which = points.len() - 1 - back;
        change(points, which);
    }
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
    Some(Recall::Known(TrackingMemory {
        wrote,
        foreign,
        turn,
        raised: wrote.filter(|it| it.from < it.to).map(|it| Level {
            tasks: it.from,
            at: it.at,
        }),
        missing,
    }))
}
