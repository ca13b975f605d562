//! Scenes in words: one service `demo/web`, its standby where it has one, what was measured, what is remembered. The times are minutes or
//! seconds before the scene's time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expect_test::Expect;
use jiff::Timestamp;
use model::Seconds;
use model::capacity::Consent;
use model::memory::{Recall, Write};
use model::outcome::{Outcome, OutcomeResult};
use model::policy::Installation;
use model::snapshot::{
    Controller, Deployment, Gap, GapCause, ProviderShare, Scheduling, Service, ServiceStatus,
    Standby,
};
use model::strategy::{Market, StrategyItem};
use model::tracking::{
    Bounds, Fleet, Measures, Pace, Part, Point, Reading, Series, Target, TargetName, TrackingKey,
    TrackingMemory, TrackingPolicy, TrackingSnapshot,
};
use model::trigger::Hints;
use placement::tracking::{TrackingDecision, decide, settle};

/// The time of the first look: 2026-03-01T12:00:30Z. The newest minute that is over began at 11:59.
pub(crate) const fn start() -> Timestamp {
    Timestamp::constant(1_772_366_430, 0)
}

/// How many minutes are measured.
const MINUTES: i64 = 120;

pub(crate) fn key() -> TrackingKey {
    TrackingKey("demo/web".parse().unwrap())
}

pub(crate) fn gap(operation: &str) -> Gap {
    Gap {
        operation: operation.to_owned(),
        resource: "demo/web".to_owned(),
        cause: GapCause::Throttled,
        detail: "ThrottlingException: Rate exceeded".to_owned(),
    }
}

pub(crate) fn share(provider: &str, market: Market) -> ProviderShare {
    ProviderShare {
        item: StrategyItem {
            provider: provider.parse().unwrap(),
            base: 0,
            weight: 1,
        },
        market,
    }
}

/// A service at rest on Fargate Spot.
pub(crate) fn service(name: &str, count: u32) -> Service {
    Service {
        key: format!("demo/{name}").parse().unwrap(),
        status: ServiceStatus::Active,
        created_at: None,
        desired_count: count,
        running_count: count,
        pending_count: 0,
        task_definition: "arn:aws:ecs:us-west-2:111122223333:task-definition/web:1"
            .parse()
            .unwrap(),
        capacity: vec![share("FARGATE_SPOT", Market::Spot)],
        scheduling: Scheduling::Replica,
        controller: Controller::Ecs,
        deployments: vec![deployment(1, true, false)],
        tags: BTreeMap::new(),
        tasks: Vec::new(),
        all_to_run_read: false,
        stop_timeout: None,
        scaled_by_application_auto_scaling: Some(false),
        not_placed: Vec::new(),
    }
}

pub(crate) fn deployment(number: u32, is_primary: bool, in_progress: bool) -> Deployment {
    Deployment {
        id: format!("ecs-svc/{number:019}").parse().unwrap(),
        is_primary,
        in_progress,
    }
}

/// A target of so much for each task, or of the whole fleet.
pub(crate) fn target(value: i64, measures: Measures) -> Target {
    Target {
        value_milli: value * 1_000,
        measures,
        alarm: None,
    }
}

/// Everything that a decision depends on.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) snapshot: TrackingSnapshot,
    pub(crate) memories: BTreeMap<TrackingKey, Recall<TrackingMemory>>,
    pub(crate) now: Timestamp,
}

impl Scene {
    /// A service of so many tasks, 1 to 40 of them allowed, without a target.
    pub(crate) fn new(count: u32) -> Self {
        let policy = TrackingPolicy {
            consent: Consent::Act,
            targets: BTreeMap::new(),
            bounds: Bounds {
                min_tasks: 1,
                max_tasks: 40,
            },
            windows: Vec::new(),
            time_zone: "UTC".to_owned(),
            pace: Pace::default(),
            foreign_hold: Seconds(3_600),
            metric_resolution: Seconds(60),
            paused: false,
        };
        let fleet = Fleet {
            primary: service("web", count),
            standby: None,
            policy: Ok(policy),
            readings: BTreeMap::new(),
            task_counts: Vec::new(),
            season_task_counts: Vec::new(),
            resolution: Seconds(60),
            groups: BTreeMap::new(),
            gaps: Vec::new(),
        };
        let mut scene = Self {
            snapshot: TrackingSnapshot {
                taken_at: start(),
                fleets: BTreeMap::from([(key(), fleet)]),
                passed_over: BTreeMap::new(),
                gaps: Vec::new(),
            },
            memories: BTreeMap::new(),
            now: start(),
        };
        scene.count(Part::Primary, i64::from(count));
        scene
    }

    /// A service of so many tasks at so many percent of CPU for two hours, with a target of 60 %.
    pub(crate) fn cpu(count: u32, percent: i64) -> Self {
        let mut scene = Self::new(count);
        scene.track(TargetName::Cpu, target(60, Measures::PerTask));
        scene.flat(TargetName::Cpu, Part::Primary, percent * 1_000);
        scene
    }

    /// As [`Scene::cpu`], with a standby of so many tasks at the same CPU.
    pub(crate) fn pair(primary: u32, standby: u32, percent: i64) -> Self {
        let mut scene = Self::cpu(primary, percent);
        scene.fleet().standby = Some(Standby::Present(Box::new(service("web-standby", standby))));
        if standby > 0 {
            scene.count(Part::Standby, i64::from(standby));
            scene.flat(TargetName::Cpu, Part::Standby, percent * 1_000);
        }
        scene
    }

    pub(crate) fn fleet(&mut self) -> &mut Fleet {
        self.snapshot.fleets.values_mut().next().unwrap()
    }

    pub(crate) fn primary(&mut self) -> &mut Service {
        &mut self.fleet().primary
    }

    pub(crate) fn standby(&mut self) -> &mut Service {
        match self.fleet().standby.as_mut().unwrap() {
            Standby::Present(service) => service,
            other @ (Standby::Missing | Standby::Unknown) => panic!("the standby is {other:?}"),
        }
    }

    pub(crate) fn policy(&mut self) -> &mut TrackingPolicy {
        self.fleet().policy.as_mut().unwrap()
    }

    pub(crate) fn pace(&mut self) -> &mut Pace {
        &mut self.policy().pace
    }

    pub(crate) fn bounds(&mut self, min_tasks: u32, max_tasks: u32) {
        self.policy().bounds = Bounds {
            min_tasks,
            max_tasks,
        };
    }

    pub(crate) fn ago(&self, secs: i64) -> Timestamp {
        Seconds(secs).before(self.now)
    }

    /// When the minute that many minutes before the newest one began.
    pub(crate) fn minute(&self, back: i64) -> Timestamp {
        let second = self.now.as_second();
        let minute = second - second.rem_euclid(60) - 60 - 60 * back;
        Timestamp::from_second(minute).unwrap()
    }

    pub(crate) fn track(&mut self, name: TargetName, target: Target) {
        self.policy().targets.insert(name, target);
        let nothing = Reading::Read {
            recent: Vec::new(),
            season: Vec::new(),
        };
        self.fleet().readings.insert(name, nothing);
    }

    fn flat_points(&self, value_milli: i64) -> Vec<Point> {
        let minutes = (0..MINUTES).rev();
        minutes
            .map(|back| Point {
                at: self.minute(back),
                value_milli,
            })
            .collect()
    }

    /// So many tasks ran all the time, by CloudWatch's count.
    pub(crate) fn count(&mut self, part: Part, tasks: i64) {
        let points = self.flat_points(tasks * 1_000);
        let counts = &mut self.fleet().task_counts;
        counts.retain(|it| it.part != part);
        counts.push(series(part, points));
    }

    /// The target's metric had this value, in thousandths, all the time.
    pub(crate) fn flat(&mut self, name: TargetName, part: Part, value_milli: i64) {
        let points = self.flat_points(value_milli);
        let recent = self.recent(name);
        recent.retain(|it| it.part != part);
        recent.push(series(part, points));
    }

    pub(crate) fn recent(&mut self, name: TargetName) -> &mut Vec<Series> {
        match self.fleet().readings.get_mut(&name).unwrap() {
            Reading::Read { recent, .. } => recent,
            other @ (Reading::Unusable { .. } | Reading::Unread) => panic!("{name} is {other:?}"),
        }
    }

    pub(crate) fn points(&mut self, name: TargetName, part: Part) -> &mut Vec<Point> {
        let mut recent = self.recent(name).iter_mut();
        &mut recent.find(|it| it.part == part).unwrap().points
    }

    /// How many tasks of a part ran, by CloudWatch's count.
    pub(crate) fn counts(&mut self, part: Part) -> &mut Vec<Point> {
        let mut counts = self.fleet().task_counts.iter_mut();
        &mut counts.find(|it| it.part == part).unwrap().points
    }

    /// The newest values, newest last, in thousandths.
    pub(crate) fn newest(&mut self, name: TargetName, part: Part, values_milli: &[i64]) {
        let points = self.points(name, part);
        let from = points.len() - values_milli.len();
        for (point, value) in points[from..].iter_mut().zip(values_milli) {
            point.value_milli = *value;
        }
    }

    /// The value of the minute that many minutes before the newest one, in thousandths.
    pub(crate) fn at_minute(&mut self, name: TargetName, part: Part, back: i64, value_milli: i64) {
        let at = self.minute(back);
        let mut points = self.points(name, part).iter_mut();
        points.find(|it| it.at == at).unwrap().value_milli = value_milli;
    }

    /// What is remembered.
    pub(crate) fn memory(&mut self) -> &mut TrackingMemory {
        let known = Recall::Known(TrackingMemory::default());
        match self.memories.entry(key()).or_insert(known) {
            Recall::Known(memory) => memory,
            Recall::Unknown => panic!("the ledger does not answer"),
        }
    }

    /// The last write, so long ago.
    pub(crate) fn wrote(&mut self, from: u32, to: u32, secs: i64, confirmed: bool) {
        let at = self.ago(secs);
        self.memory().wrote = Some(Write {
            from,
            to,
            at,
            confirmed,
        });
    }

    pub(crate) fn decide(&self) -> TrackingDecision {
        decide(
            &self.snapshot,
            &Installation::default(),
            &self.memories,
            &Hints::default(),
            self.now,
        )
    }

    /// The step is carried out and shows, and every task runs.
    pub(crate) fn act(&mut self) {
        let decision = self.decide();
        let mut memories = decision.memories;
        for step in decision.plan.steps {
            let (_, to) = step.counts();
            let fleet = self.snapshot.fleets.get_mut(&step.subject).unwrap();
            fleet.primary.desired_count = to;
            fleet.primary.running_count = to;
            if let Some(planned) = memories.get_mut(&step.subject) {
                let before = match self.memories.get(&step.subject) {
                    Some(Recall::Known(memory)) => memory.clone(),
                    Some(Recall::Unknown) | None => TrackingMemory::default(),
                };
                let outcome = Outcome {
                    step,
                    result: OutcomeResult::Done,
                };
                *planned = settle(&before, planned, &[outcome], self.now);
            }
        }
        for (key, memory) in memories {
            self.memories.insert(key, Recall::Known(memory));
        }
    }

    /// Time passes, and all that is measured goes on as it was.
    pub(crate) fn later(&mut self, secs: i64) {
        let before = self.minute(0);
        self.now = Seconds(secs).after(self.now);
        self.snapshot.taken_at = self.now;
        let passed = (self.minute(0).as_second() - before.as_second()) / 60;
        let fleet = self.fleet();
        let of_readings = fleet.readings.values_mut().flat_map(|it| match it {
            Reading::Read { recent, .. } => recent.iter_mut(),
            Reading::Unusable { .. } | Reading::Unread => [].iter_mut(),
        });
        for series in of_readings.chain(&mut fleet.task_counts) {
            for _ in 0..passed {
                let Some(last) = series.points.last().copied() else {
                    break;
                };
                series.points.push(Point {
                    at: series.period.after(last.at),
                    ..last
                });
            }
        }
    }
}

pub(crate) fn series(part: Part, points: Vec<Point>) -> Series {
    Series {
        part,
        period: Seconds(60),
        points,
        unusable: 0,
        is_complete: true,
    }
}

/// A plan as operators read it: steps, then holds, one a line.
pub(crate) fn text(decision: &TrackingDecision) -> String {
    let mut text = String::new();
    write!(text, "{}", decision.plan).unwrap();
    text
}

/// Compares the plan with what is expected of it, and checks that everything in scope is accounted for once, and that a plan that works
/// leaves nothing to do.
#[track_caller]
pub(crate) fn check(scene: &Scene, expected: &Expect) {
    let decision = scene.decide();
    let steps = decision.plan.steps.iter().map(|it| &it.subject);
    let mut seen: Vec<_> = steps
        .chain(decision.plan.holds.iter().map(|it| &it.subject))
        .map(|it| it.0.clone())
        .collect();
    seen.sort();
    let fleets = scene.snapshot.fleets.keys().map(|it| it.0.clone());
    let mut wanted: Vec<_> = fleets
        .chain(scene.snapshot.passed_over.keys().cloned())
        .collect();
    wanted.sort();
    assert_eq!(seen, wanted);
    expected.assert_eq(&text(&decision));
    let mut after = scene.clone();
    after.act();
    if !decision.memories.is_empty() {
        let again = after.decide();
        assert!(again.plan.steps.is_empty(), "{}", text(&again));
    }
}
