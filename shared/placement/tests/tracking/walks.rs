//! Long random walks: a small ECS and CloudWatch of their own under a load that drifts, jumps and falls, with Spot that runs short, metrics
//! that are lost, deployments, somebody else's hand, looks that see what was, a ledger that is silent and writes of which nobody knows what
//! became.
//!
//! At every look the audit finds nothing and everything is accounted for; a raise is kept for its time. When all is quiet and there is
//! room, the load is served within minutes, and no more is kept than the tolerance asks for.

use std::collections::VecDeque;

use jiff::Timestamp;
use model::Seconds;
use model::memory::Recall;
use model::outcome::{Outcome, OutcomeResult};
use model::snapshot::GapCause;
use model::tracking::{
    Direction, Part, Point, Reading, Series, TargetName, TrackingMemory, TrackingStep,
    TrackingStepReason,
};
use placement::tracking::{TrackingDecision, settle};
use proptest::prelude::*;

use crate::laws::{accounted, audited};
use crate::scene::{Scene, deployment, gap, key, text};

#[path = "../dice/mod.rs"]
mod dice;

use dice::Dice;

const TARGET_PERCENT: u64 = 60;
const TURN_HOLD_SECS: i64 = 300;
const FOREIGN_HOLD_SECS: i64 = 900;
const CHAOS_MINUTES: u64 = 180;
/// Longer than the hold after somebody else's change, the turn hold and the window together.
const CALM_MINUTES: u64 = 60;
/// Within so many minutes a load that stands still is served, where there is room. Tasks at 100 % show 5/3 of what they do at the target of
/// 60 %: from 1 to 50 tasks it takes eight such steps. The next one sees what a step did five minutes later: the tasks start, the two
/// periods that count them first say nothing of them by the warm-up, the third does, and is seen a minute after its end.
const SERVED_WITHIN_MINUTES: u64 = 8 * 5 + 3;
const MOST: u32 = 60;

struct Walk {
    scene: Scene,
    dice: Dice,
    /// Whether the days before tell of growth, at each minute of as much.
    has_days: bool,
    /// In thousandths of a task at the target.
    load_milli: u64,
    /// The most tasks that Spot has room for.
    room: u32,
    /// Whether tasks without room stay pending, as on a capacity provider without instances.
    stay_pending: bool,
    /// How many minutes a deployment still takes.
    deploying: u64,
    /// Points that CloudWatch does not show yet.
    delayed: VecDeque<Vec<(Part, Point, Point)>>,
    desired_before: u32,
    /// The last raise for a load that Ballast knows of.
    raised_at: Option<Timestamp>,
    direction: Option<bool>,
    turns: u64,
    told: VecDeque<(Timestamp, u64, TrackingDecision)>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut scene = Scene::pair(10, 0, 60);
        let tags = &mut scene.primary().tags;
        tags.insert("ballast:service-scaler".to_owned(), "act".to_owned());
        scene.bounds(1, MOST);
        scene.policy().foreign_hold = Seconds(FOREIGN_HOLD_SECS);
        scene.pace().turn_hold = Seconds(TURN_HOLD_SECS);
        // A third each: no forecast, one from the newest load, one from the peak of a quarter of an hour. Every second forecast has days.
        let has_forecast = !seed.is_multiple_of(3);
        scene.pace().forecast = has_forecast;
        scene.pace().forecast_peak = Seconds(if seed % 3 == 2 { 900 } else { 0 });
        let has_days = has_forecast && (seed / 3).is_multiple_of(2);
        scene.memories.clear();
        Self {
            scene,
            dice: Dice(seed),
            has_days,
            load_milli: 10_000,
            room: MOST,
            stay_pending: false,
            deploying: 0,
            delayed: VecDeque::new(),
            desired_before: 10,
            raised_at: None,
            direction: None,
            turns: 0,
            told: VecDeque::new(),
        }
    }

    fn memory(&self) -> TrackingMemory {
        match self.scene.memories.get(&key()) {
            Some(Recall::Known(memory)) => memory.clone(),
            Some(Recall::Unknown) | None => TrackingMemory::default(),
        }
    }

    /// What load, Spot and people do of their own accord.
    fn happen(&mut self) {
        match self.dice.roll(24) {
            0 => self.load_milli = self.dice.roll(50_000),
            1 => self.load_milli = self.load_milli * 3 / 2,
            2 => self.load_milli /= 2,
            3..=12 => {
                let noise = self.dice.roll(2_001);
                self.load_milli = (self.load_milli + noise).saturating_sub(1_000);
            }
            13 => {
                self.room = u32::try_from(self.dice.roll(30)).unwrap();
                self.stay_pending = self.dice.one_in(3);
            }
            14 | 15 => self.room = MOST,
            16 if self.deploying == 0 => self.deploying = 1 + self.dice.roll(8),
            17 if self.dice.one_in(4) => {
                let count = u32::try_from(self.dice.roll(30)).unwrap();
                self.scene.primary().desired_count = count;
            }
            _ => {}
        }
        self.load_milli = self.load_milli.min(50_000);
    }

    /// One minute of ECS and CloudWatch. Tasks start within a minute; spot-fallback covers what has no room a minute later.
    fn pass(&mut self, is_quiet: bool) {
        let room = self.room;
        let primary = self.scene.primary();
        let desired = primary.desired_count;
        let grown = primary.running_count.saturating_add(primary.pending_count);
        primary.running_count = grown.min(room).min(desired);
        let most = if self.stay_pending {
            desired
        } else {
            desired.min(room)
        };
        primary.pending_count = most - primary.running_count;
        let missing = desired - primary.running_count - primary.pending_count;
        primary.deployments = vec![deployment(1, true, self.deploying > 0)];
        self.deploying = self.deploying.saturating_sub(1);
        let standby = self.scene.standby();
        standby.running_count = missing.min(standby.desired_count);
        standby.desired_count = missing;
        self.measure(is_quiet);
    }

    /// What the minute that ends now shows, and a minute later is seen.
    fn measure(&mut self, is_quiet: bool) {
        let parts = [
            (Part::Primary, self.scene.primary().running_count),
            (Part::Standby, self.scene.standby().running_count),
        ];
        let running = u64::from(parts[0].1 + parts[1].1);
        let at = Seconds(60).before(self.scene.now);
        let mut shown = Vec::new();
        if running > 0 && (is_quiet || !self.dice.one_in(25)) {
            let milli_percent = (self.load_milli * TARGET_PERCENT / running).min(100_000);
            for (part, count) in parts.into_iter().filter(|it| it.1 > 0) {
                let value_milli = i64::try_from(milli_percent).unwrap();
                let tasks = i64::from(count) * 1_000;
                shown.push((
                    part,
                    Point { at, value_milli },
                    Point {
                        at,
                        value_milli: tasks,
                    },
                ));
            }
        }
        self.delayed.push_back(shown);
        if self.delayed.len() > 1 {
            for (part, value, count) in self.delayed.pop_front().unwrap() {
                let Some(Reading::Read { recent, .. }) =
                    self.scene.fleet().readings.get_mut(&TargetName::Cpu)
                else {
                    panic!("the CPU is read");
                };
                push(recent, part, value);
                push(&mut self.scene.fleet().task_counts, part, count);
            }
        }
    }

    /// The days before, about this time: in each minute one percent of this one's more than in the one before it.
    fn days(&mut self) {
        let second = self.scene.now.as_second();
        let now = second - second.rem_euclid(60);
        let days = |per_minute: i64, base: i64| {
            let points = (1..=3_i64).rev().flat_map(|day| {
                (-22..=15_i64).map(move |minute| Point {
                    at: Timestamp::from_second(now - 86_400 * day + 60 * minute).unwrap(),
                    value_milli: base + per_minute * minute,
                })
            });
            vec![crate::scene::series(Part::Primary, points.collect())]
        };
        let fleet = self.scene.fleet();
        fleet.season_task_counts = days(0, 10_000);
        if let Some(Reading::Read { season, .. }) = fleet.readings.get_mut(&TargetName::Cpu) {
            *season = days(400, 40_000);
        }
    }

    /// By how many percent the days let a load grow, rounded up: six minutes, or those of the peak and one more.
    fn growth_percent(&mut self) -> u64 {
        match (self.has_days, self.scene.pace().forecast_peak.0) {
            (false, _) => 0,
            (true, 0) => 6,
            (true, _) => 16,
        }
    }

    /// A look, as the function's loop does it: what is decided is checked, done, and remembered.
    fn look(&mut self, is_quiet: bool) {
        let mut scene = self.scene.clone();
        let is_silent = !is_quiet && self.dice.one_in(10);
        if is_silent {
            scene.memories.insert(key(), Recall::Unknown);
        }
        if !is_quiet && self.dice.one_in(12) {
            scene.fleet().gaps.push(gap("cloudwatch:GetMetricData"));
        }
        if !is_quiet && self.dice.one_in(12) {
            // ECS answers what was before the last write.
            scene.primary().desired_count = self.desired_before;
        }
        let decision = scene.decide();
        let told = (scene.now, self.load_milli, decision.clone());
        self.told.push_back(told);
        if self.told.len() > 40 {
            self.told.pop_front();
        }
        accounted(&scene, &decision);
        let found = audited(&scene, &decision.plan);
        assert!(found.is_empty(), "{found:?}\n{}", self.story());
        let before = self.memory();
        let planned = decision.memories.get(&key()).cloned();
        let mut outcomes = Vec::new();
        for step in &decision.plan.steps {
            let result = self.act(step, is_quiet, is_silent);
            let step = step.clone();
            outcomes.push(Outcome { step, result });
        }
        let settled = match planned {
            Some(planned) => settle(&before, &planned, &outcomes, scene.now),
            None if self.dice.one_in(2) => settle(&before, &before, &outcomes, scene.now),
            None => before,
        };
        self.scene.memories.insert(key(), Recall::Known(settled));
    }

    fn act(&mut self, step: &TrackingStep, is_quiet: bool, is_silent: bool) -> OutcomeResult {
        let (from, to) = step.counts();
        if self.scene.primary().desired_count != from {
            return OutcomeResult::PreconditionFailed {
                found: self.scene.primary().desired_count.to_string(),
            };
        }
        let is_lost = !is_quiet && self.dice.one_in(8);
        if !is_lost || self.dice.one_in(2) {
            self.turn(step, is_silent);
            self.desired_before = from;
            let primary = self.scene.primary();
            primary.desired_count = to;
            let running = primary.running_count.min(to);
            primary.running_count = running;
            primary.pending_count = primary.pending_count.min(to - running);
        }
        if !is_lost {
            return OutcomeResult::Done;
        }
        OutcomeResult::Failed {
            operation: "ecs:UpdateService".to_owned(),
            cause: GapCause::Unreachable,
            detail: "no answer".to_owned(),
        }
    }

    /// A raise is kept for its time, where it is known; and what was lowered is raised again only for a load beyond the tolerance.
    fn turn(&mut self, step: &TrackingStep, is_silent: bool) {
        let now = self.scene.now;
        let (from, to) = step.counts();
        let is_out = to > from;
        if let TrackingStepReason::ScaleIn { .. } = &step.reason
            && let Some(at) = self.raised_at
        {
            let kept_secs = Seconds::between(at, now).0;
            assert!(
                kept_secs >= TURN_HOLD_SECS,
                "{kept_secs} s\n{}",
                self.story()
            );
        }
        if let TrackingStepReason::ScaleOut { .. } = &step.reason {
            self.raised_at = (!is_silent).then_some(now);
        }
        let was_in = self
            .scene
            .memory()
            .turn
            .is_some_and(|it| it.direction == Direction::In);
        if let TrackingStepReason::ScaleOut { needed, .. } = &step.reason
            && was_in
            && !is_silent
        {
            let tolerance = self.scene.pace().tolerance_percent;
            let band = from * (100 + tolerance);
            assert!(
                needed * 100 >= band,
                "{needed} from {from}\n{}",
                self.story()
            );
        }
        self.turns += u64::from(self.direction.is_some_and(|it| it != is_out));
        self.direction = Some(is_out);
    }

    fn minute(&mut self, is_quiet: bool) {
        if !is_quiet {
            self.happen();
        }
        self.scene.now = Seconds(60).after(self.scene.now);
        self.scene.snapshot.taken_at = self.scene.now;
        if self.has_days {
            self.days();
        }
        self.pass(is_quiet);
        self.look(is_quiet);
        if !is_quiet && self.dice.one_in(5) {
            // An alarm asks for a look of its own.
            let on_the_minute = self.scene.now;
            self.scene.now = Seconds(10).after(on_the_minute);
            self.look(is_quiet);
            self.scene.now = on_the_minute;
        }
    }

    /// The latest looks.
    fn story(&self) -> String {
        let looks = self.told.iter();
        looks
            .map(|(at, load, it)| format!("{at} load {load}: {}", text(it)))
            .collect()
    }

    /// Everything is well from here on, and the load stands still.
    fn calm(&mut self) {
        self.room = MOST;
        self.deploying = 0;
        if self.scene.primary().desired_count == 0 {
            self.scene.primary().desired_count = 1;
        }
        let needed = u32::try_from(self.load_milli.div_ceil(1_000))
            .unwrap()
            .max(1);
        for minute in 1..=CALM_MINUTES {
            self.minute(true);
            let desired = self.scene.primary().desired_count;
            // After a scale-in the tolerance covers a little more.
            let tolerance = self.scene.pace().tolerance_percent;
            let is_served = u64::from(desired) * 10 * u64::from(100 + tolerance) >= self.load_milli;
            let is_late = minute > SERVED_WITHIN_MINUTES;
            assert!(
                is_served || !is_late,
                "{desired} of {needed}\n{}",
                self.story()
            );
        }
        let desired = self.scene.primary().desired_count;
        let tolerance = u64::from(self.scene.pace().tolerance_percent);
        let grown = (self.load_milli * (100 + self.growth_percent())).div_ceil(100);
        let goal = (grown * (100 + tolerance))
            .div_ceil(100)
            .div_ceil(1_000)
            .max(1);
        let most = goal * 100 / (100 - tolerance) + 1;
        assert!(
            u64::from(desired) <= most,
            "{desired} for {needed}\n{}",
            self.story()
        );
        let before = self.turns;
        for _ in 0..30 {
            self.minute(true);
        }
        assert_eq!(self.turns, before, "{}", self.story());
        // Noise within the tolerance, of a load that stands still otherwise, turns it once at most.
        let load = self.load_milli;
        for _ in 0..60 {
            self.load_milli = load * (97 + self.dice.roll(7)) / 100;
            self.minute(true);
        }
        self.load_milli = load;
        assert!(self.turns <= before + 1, "{}", self.story());
    }
}

fn push(all: &mut Vec<Series>, part: Part, point: Point) {
    match all.iter_mut().find(|it| it.part == part) {
        Some(series) => series.points.push(point),
        None => all.push(crate::scene::series(part, vec![point])),
    }
    for it in all {
        let from = it.points.len().saturating_sub(20);
        it.points.drain(..from);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 64 + 1,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_load_is_served_and_nothing_flaps(seed in any::<u64>()) {
        let mut walk = Walk::new(seed);
        for _ in 0..2 {
            for _ in 0..CHAOS_MINUTES {
                walk.minute(false);
            }
            walk.calm();
        }
    }
}
