//! A random state with something changed: its plan carried out, less known about it, a target more.

use jiff::Timestamp;
use model::Seconds;
use model::memory::Recall;
use model::outcome::{Outcome, OutcomeResult};
use model::snapshot::Standby;
use model::tracking::{Measures, Part, Point, Reading, Series, Target, TargetName, TrackingMemory};
use placement::tracking::settle;

use crate::scene::{Scene, gap};

/// The plan was carried out, each step with this result, and is remembered; what ECS answers shows it.
pub(crate) fn carried_out(scene: &Scene, result: &OutcomeResult, shows: bool) -> Scene {
    let mut after = scene.clone();
    let decision = scene.decide();
    for (key, planned) in &decision.memories {
        let before = match scene.memories.get(key) {
            Some(Recall::Known(memory)) => memory.clone(),
            Some(Recall::Unknown) | None => TrackingMemory::default(),
        };
        let of_subject = decision.plan.steps.iter().filter(|it| it.subject == *key);
        let outcomes: Vec<_> = of_subject
            .map(|step| Outcome {
                step: step.clone(),
                result: result.clone(),
            })
            .collect();
        let settled = settle(&before, planned, &outcomes, scene.now);
        after.memories.insert(key.clone(), Recall::Known(settled));
    }
    if shows {
        for step in &decision.plan.steps {
            let (_, to) = step.counts();
            let primary = &mut after
                .snapshot
                .fleets
                .get_mut(&step.subject)
                .unwrap()
                .primary;
            primary.desired_count = to;
            // ECS takes pending tasks first, and starts the others a moment later.
            primary.running_count = primary.running_count.min(to);
            primary.pending_count = to - primary.running_count;
        }
    }
    after
}

fn series(scene: &mut Scene) -> Vec<&mut Series> {
    let fleets = scene.snapshot.fleets.values_mut();
    let all = fleets.flat_map(|fleet| {
        let readings = fleet.readings.values_mut();
        let recent = readings.flat_map(|it| match it {
            Reading::Read { recent, .. } => recent.iter_mut(),
            Reading::Unusable { .. } | Reading::Unread => [].iter_mut(),
        });
        recent.chain(&mut fleet.task_counts)
    });
    all.collect()
}

/// What was read of the days before.
fn seasons(scene: &mut Scene) -> Vec<&mut Series> {
    let fleets = scene.snapshot.fleets.values_mut();
    let all = fleets.flat_map(|fleet| {
        let readings = fleet.readings.values_mut();
        let seasons = readings.flat_map(|it| match it {
            Reading::Read { season, .. } => season.iter_mut(),
            Reading::Unusable { .. } | Reading::Unread => [].iter_mut(),
        });
        seasons.chain(&mut fleet.season_task_counts)
    });
    all.collect()
}

/// Of no target a day was read: the others tell.
fn lose_a_day(scene: &mut Scene, pick: usize) {
    let day = 1 + i64::try_from(pick % 3).unwrap();
    let then = scene.now.as_second() - 86_400 * day;
    for it in seasons(scene) {
        it.points
            .retain(|it| (it.at.as_second() - then).abs() > 43_200);
    }
}

/// Of no target a minute of a day was measured.
fn lose_a_minute_of_a_day(scene: &mut Scene, pick: usize) {
    let mut all = seasons(scene);
    let points = all.first().map_or(&[][..], |it| &it.points);
    if let Some(lost) = points.get(pick % points.len().max(1)).copied() {
        for it in &mut all {
            it.points.retain(|it| it.at != lost.at);
        }
    }
}

/// The same, with three days that were steady until this time of the day and are from then on so many percent of that. Tasks start so
/// slowly that a forecast from any value that is new enough looks across it.
pub(crate) fn growing(scene: &Scene, percent: i64) -> Scene {
    let mut growing = scene.clone();
    let second = scene.now.as_second();
    let now = second - second.rem_euclid(60);
    let flat = |part: Part, then: i64, ahead: i64| {
        let points = (1..=3_i64).rev().flat_map(|day| {
            (-60..90_i64).map(move |minute| Point {
                at: Timestamp::from_second(now - 86_400 * day + 60 * minute).unwrap(),
                value_milli: if minute < 0 { then } else { ahead },
            })
        });
        crate::scene::series(part, points.collect())
    };
    for fleet in growing.snapshot.fleets.values_mut() {
        if let Ok(policy) = &mut fleet.policy {
            policy.pace.start_up = Seconds(1_800);
        }
        fleet.season_task_counts = vec![flat(Part::Primary, 10_000, 10_000)];
        for reading in fleet.readings.values_mut() {
            if let Reading::Read { recent, season } = reading {
                let is_fleet = recent.iter().any(|it| it.part == Part::Fleet);
                let part = if is_fleet { Part::Fleet } else { Part::Primary };
                *season = vec![flat(part, 60_000, 600 * percent)];
            }
        }
    }
    growing
}

/// The same state with less known about it.
pub(crate) fn less(scene: &Scene, which: usize, picks: &[usize]) -> Scene {
    let mut less = scene.clone();
    match which {
        0 => less.snapshot.gaps.push(gap("ecs:ListClusters")),
        1 => {
            for fleet in less.snapshot.fleets.values_mut() {
                fleet.gaps.push(gap("cloudwatch:GetMetricData"));
            }
        }
        2 => {
            let keys = scene.snapshot.fleets.keys();
            less.memories = keys.map(|key| (key.clone(), Recall::Unknown)).collect();
        }
        3 => {
            for fleet in less.snapshot.fleets.values_mut() {
                fleet.primary.scaled_by_application_auto_scaling = None;
            }
        }
        4 => {
            for fleet in less.snapshot.fleets.values_mut() {
                let was = fleet.standby.take();
                fleet.standby = was.map(|_| Standby::Unknown);
            }
        }
        5 => {
            for it in series(&mut less) {
                it.is_complete = false;
            }
        }
        6 => {
            let fleets = less.snapshot.fleets.values_mut();
            for reading in fleets.flat_map(|it| it.readings.values_mut()).take(1) {
                *reading = Reading::Unread;
            }
        }
        7 => {
            let fleets = less.snapshot.fleets.values_mut();
            for (_, readings) in fleets.map(|it| ((), &mut it.readings)) {
                readings.pop_last();
            }
        }
        8 => lose_a_day(&mut less, picks[0]),
        9 => lose_a_minute_of_a_day(&mut less, picks[0]),
        _ => {
            let mut all = series(&mut less);
            for pick in picks {
                let count = all.len().max(1);
                if let Some(it) = all.get_mut(pick % count) {
                    let points = &mut it.points;
                    // The newest one stays. 20 tasks at 60 % in the newest minute and at 20 % in those before: while the newest value is late, 7 are
                    // enough by all that can be known. Of a newest count that is late see `laws::a_count_that_is_late_never_lowers`.
                    let others = points.len().saturating_sub(1);
                    if others > 0 {
                        points.remove(others - 1 - (pick / count) % others);
                    }
                }
            }
        }
    }
    less
}

/// The newest counts are late: the same state with them, as far as no more ran than run now or ran before, and without them.
pub(crate) fn late_counts(scene: &Scene) -> (Scene, Scene) {
    let (mut known, mut less) = (scene.clone(), scene.clone());
    for (key, fleet) in &mut known.snapshot.fleets {
        let running = |part| match (part, &fleet.standby) {
            (Part::Standby, Some(Standby::Present(it))) => it.running_count,
            (Part::Standby, _) => 0,
            (Part::Primary | Part::Fleet, _) => fleet.primary.running_count,
        };
        let runs: Vec<u32> = fleet
            .task_counts
            .iter()
            .map(|it| running(it.part))
            .collect();
        let ends = fleet.task_counts.iter().filter_map(|it| it.points.last());
        let Some(newest) = ends.map(|it| it.at).max() else {
            continue;
        };
        let late = &mut less.snapshot.fleets.get_mut(key).unwrap().task_counts;
        for ((series, less), running) in fleet.task_counts.iter_mut().zip(late).zip(runs) {
            less.points.retain(|it| it.at < newest);
            let before = less.points.last().map_or(0, |it| it.value_milli);
            let most = before.max(i64::from(running) * 1_000);
            for point in series.points.iter_mut().filter(|it| it.at >= newest) {
                point.value_milli = point.value_milli.min(most);
            }
        }
    }
    (known, less)
}

/// A target that needs some tasks, or of which nothing is known.
pub(crate) fn with_target(scene: &Scene, name: TargetName, tasks: i64) -> Scene {
    let mut more = scene.clone();
    let now = scene.now;
    for fleet in more.snapshot.fleets.values_mut() {
        let Ok(policy) = &mut fleet.policy else {
            continue;
        };
        if policy.targets.contains_key(&name) {
            continue;
        }
        let target = Target {
            value_milli: 1_000,
            measures: Measures::Total,
            alarm: None,
        };
        policy.targets.insert(name, target);
        let second = now.as_second();
        let points = (1..40).rev().map(|back| Point {
            at: Timestamp::from_second(second - second.rem_euclid(60) - back * 60).unwrap(),
            value_milli: tasks * 1_000,
        });
        let series = crate::scene::series(Part::Fleet, points.collect());
        let recent = if tasks == 3 { Vec::new() } else { vec![series] };
        let season = Vec::new();
        fleet
            .readings
            .insert(name, Reading::Read { recent, season });
    }
    more
}
