//! Look after look, a minute apart: what one look remembers, the next one goes by.

use model::memory::Recall;
use model::snapshot::Standby;
use model::tracking::{Measures, Part, Point, Span, TargetName};
use model::{Seconds, Timestamp};

use super::scene::{Scene, deployment, key, target};

/// A service that is looked at five seconds after the end of each minute.
struct Minutes {
    scene: Scene,
    target: TargetName,
}

impl Minutes {
    /// Of so many tasks at the target, for two hours.
    fn new(target_name: TargetName, tasks: u32) -> Self {
        let mut scene = Scene::new(tasks);
        scene.bounds(1, 100);
        let value = if target_name == TargetName::Cpu {
            60
        } else {
            100
        };
        scene.track(target_name, target(value, Measures::PerTask));
        let mut minutes = Self {
            scene,
            target: target_name,
        };
        let part = minutes.part();
        let scene = &mut minutes.scene;
        scene.flat(target_name, part, value * 1_000);
        minutes
    }

    fn part(&self) -> Part {
        match self.target {
            TargetName::Requests => Part::Fleet,
            TargetName::Cpu | TargetName::Memory | TargetName::Alarm => Part::Primary,
        }
    }

    /// The look after a minute for which so many tasks were counted at this value, and at which so many run. What it does shows at the
    /// next one. Returns the desired count after it.
    fn look(&mut self, counted: i64, value_milli: i64, running: u32) -> u32 {
        let part = self.part();
        self.scene.later(60);
        let minute = self.scene.minute(0);
        self.scene.primary().running_count = running;
        put(self.scene.counts(Part::Primary), minute, counted * 1_000);
        put(self.scene.points(self.target, part), minute, value_milli);
        self.scene.act();
        self.scene.primary().running_count = running;
        self.scene.primary().desired_count
    }
}

/// Adds a value, in the place of the one that is there.
fn put(points: &mut Vec<Point>, at: Timestamp, value_milli: i64) {
    points.retain(|it| it.at < at);
    points.push(Point { at, value_milli });
}

/// Forty tasks served forty tasks' load; a template set two, and the others stopped before the look.
#[test]
fn what_somebody_took_away_a_minute_ago_is_given_back_in_one_step() {
    for target in [TargetName::Cpu, TargetName::Requests] {
        let mut it = Minutes::new(target, 40);
        let value = if target == TargetName::Cpu {
            60_000
        } else {
            100_000
        };
        for _ in 0..3 {
            assert_eq!(it.look(40, value, 40), 40);
        }
        it.scene.primary().desired_count = 2;
        let raised = it.look(40, value, 2);
        assert_eq!(raised, 40, "{target}");
    }
}

/// Somebody had raised ten tasks to forty, which were enough, and a template undoes it.
#[test]
fn what_somebody_added_and_took_away_is_needed_all_the_same() {
    let mut it = Minutes::new(TargetName::Cpu, 10);
    it.look(10, 45_000, 10);
    it.scene.primary().desired_count = 40;
    for _ in 0..3 {
        assert_eq!(it.look(40, 45_000, 40), 40);
    }
    it.scene.primary().desired_count = 10;
    assert_eq!(it.look(40, 45_000, 10), 20, "as far as one step goes");
}

/// Thirty become thirteen, then twenty-six for a minute's burst, and thirteen again: the minute in which half of them stopped is no load.
#[test]
fn a_second_lowering_raises_nothing_either() {
    let mut it = Minutes::new(TargetName::Cpu, 26);
    let scene = &mut it.scene;
    scene.pace().scale_in_window = Seconds(120);
    let seven_minutes_ago = scene.ago(420);
    let left = model::memory::Level {
        tasks: 13,
        at: seven_minutes_ago,
    };
    scene.memory().there = Some(model::tracking::There {
        tasks: 26,
        fell: Some(left),
    });
    let load = |tasks: i64| 11 * 60_000 / tasks;
    let mut lowered = 26;
    for _ in 0..10 {
        lowered = it.look(26, load(26), 26);
        if lowered < 26 {
            break;
        }
    }
    assert!(lowered < 20, "{lowered}");
    // A third of the minute on 26, the rest on what was left; CloudWatch counts all that ran in it.
    let mixed = (load(26) + 2 * load(lowered.into())) / 3;
    assert_eq!(it.look(26, mixed, lowered), lowered);
    assert_eq!(
        it.look(lowered.into(), load(lowered.into()), lowered),
        lowered
    );
}

/// A rolling deployment in two batches: the old tasks of each stop within a minute.
#[test]
fn a_deployment_in_batches_raises_nothing() {
    let mut it = Minutes::new(TargetName::Cpu, 10);
    it.scene.primary().deployments = vec![deployment(1, false, false), deployment(2, true, true)];
    let batch = [(10, 60, 10), (15, 40, 15), (15, 40, 15), (15, 50, 10)];
    for (minute, (counted, percent, running)) in batch.into_iter().cycle().take(12).enumerate() {
        let asked = it.look(counted, percent * 1_000, running);
        assert_eq!(asked, 10, "minute {minute}");
    }
}

/// Ten are asked 150 requests each where 100 is the target, and 15 still are: 15 are followed by 23 at the third look.
#[test]
fn requests_of_tasks_that_were_raised_count_after_their_warm_up() {
    let mut it = Minutes::new(TargetName::Requests, 10);
    it.look(10, 100_000, 10);
    assert_eq!(it.look(10, 150_000, 10), 15);
    // Counted from the minute that they were asked for in.
    assert_eq!(it.look(15, 150_000, 15), 15);
    assert_eq!(it.look(15, 150_000, 15), 15);
    assert_eq!(it.look(15, 150_000, 15), 23);
}

/// Nothing tells what was asked for: all that run count, as for any raise that rests on no memory.
#[test]
fn without_a_ledger_requests_count_for_all_that_run() {
    let mut it = Minutes::new(TargetName::Requests, 40);
    it.look(40, 100_000, 40);
    it.scene.primary().desired_count = 2;
    it.scene.memories.insert(key(), Recall::Unknown);
    assert!(it.look(40, 100_000, 40) > 2);
    // But not those that a deployment may run beside.
    let mut it = Minutes::new(TargetName::Requests, 10);
    it.scene.primary().deployments = vec![deployment(1, false, false), deployment(2, true, true)];
    it.scene.memories.insert(key(), Recall::Unknown);
    assert_eq!(it.look(20, 100_000, 20), 10);
}

/// Ten tasks boot at 100 % after none ran. Those that were counted first may have started in the last second of their period: what
/// raises begins a warm-up after its end.
#[test]
fn a_service_from_none_is_warm_a_warm_up_after_its_first_period() {
    for (warm_up, period, first_warm) in [
        (60, 20, 80),
        (120, 20, 140),
        (90, 60, 180),
        (30, 60, 120),
        (60, 60, 120),
    ] {
        let begins = |number: i64| number * period;
        let warm = (1..40)
            .map(begins)
            .find(|begin| raises(*begin, warm_up, period));
        assert_eq!(
            warm,
            Some(first_warm),
            "warm-up {warm_up}, periods of {period}"
        );
    }
}

/// Whether the period that begins so long after the first one raises.
fn raises(newest: i64, warm_up: i64, period: i64) -> bool {
    let mut scene = Scene::new(10);
    scene.pace().warm_up = Seconds(warm_up);
    scene.track(TargetName::Cpu, target(60, Measures::PerTask));
    scene.policy().metric_resolution = Seconds(period);
    scene.fleet().resolution = Seconds(period);
    let first = scene.minute(0);
    let at = |number| Seconds(number * period).after(first);
    let points = |value_milli| {
        let of = |number| Point {
            at: at(number),
            value_milli,
        };
        (0..=newest / period).map(of).collect::<Vec<_>>()
    };
    let of = |value_milli| {
        let mut series = super::scene::series(Part::Primary, points(value_milli));
        series.period = Seconds(period);
        series
    };
    scene.fleet().task_counts = vec![of(10_000)];
    scene.recent(TargetName::Cpu).push(of(100_000));
    scene.memory().empty = Some(Span {
        since: Seconds(7_200).before(first),
        until: Some(Seconds(30).after(first)),
    });
    scene.now = Seconds(newest + period + 5).after(first);
    scene.snapshot.taken_at = scene.now;
    scene.fleet().standby = None::<Standby>;
    !scene.decide().plan.steps.is_empty()
}
