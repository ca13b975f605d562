//! More tasks.

use expect_test::expect;
use model::Seconds;
use model::memory::Recall;
use model::tracking::{Direction, Measures, Part, ScheduledBounds, TargetName, Turn};

use super::scene::{Scene, check, deployment, gap, key, target};

#[test]
fn it_follows_the_load_in_proportion_and_rounded_up() {
    // 10 tasks at 78 % would be 13 at 60 %; at 80 % they would be 13.334.
    check(
        &Scene::cpu(10, 78),
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 13, because `cpu` needs 13 (desired 10, running 10, pending 0; standby running 0; cpu 13 (load 13.000 tasks at 2026-03-01T11:59:00Z, at most 13 in the window); allowed 1 to 40)
    "#]],
    );
    check(
        &Scene::cpu(10, 80),
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 14, because `cpu` needs 14 (desired 10, running 10, pending 0; standby running 0; cpu 14 (load 13.334 tasks at 2026-03-01T11:59:00Z, at most 14 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn on_the_target_nothing_is_done() {
    check(
        &Scene::cpu(10, 60),
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
    check(
        &Scene::cpu(10, 56),
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 0; cpu 10 (load 9.334 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn one_minute_is_enough() {
    let mut scene = Scene::cpu(10, 60);
    scene.newest(TargetName::Cpu, Part::Primary, &[72_000]);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 12, because `cpu` needs 12 (desired 10, running 10, pending 0; standby running 0; cpu 12 (load 12.000 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn of_several_targets_any_raises() {
    let mut scene = Scene::cpu(10, 30);
    scene.track(TargetName::Requests, target(100, Measures::Total));
    scene.flat(TargetName::Requests, Part::Fleet, 1_150_000);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 12, because `requests` needs 12 (desired 10, running 10, pending 0; standby running 0; cpu 5 (load 5.000 tasks at 2026-03-01T11:59:00Z, at most 5 in the window); requests 12 (load 11.500 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn one_step_goes_no_further_than_it_may() {
    let mut scene = Scene::new(10);
    scene.track(TargetName::Requests, target(100, Measures::Total));
    scene.flat(TargetName::Requests, Part::Fleet, 3_500_000);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 20, because `requests` needs 35, and one step goes no further (desired 10, running 10, pending 0; standby running 0; requests 35 (load 35.000 tasks at 2026-03-01T11:59:00Z, at most 35 in the window); allowed 1 to 40)
    "#]],
    );
    scene.act();
    scene.later(10);
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` waiting_to_raise: 35 are needed, and the last step went as far as one may a moment ago (desired 20, running 20, pending 0; standby running 0; requests 35 (load 35.000 tasks at 2026-03-01T11:59:00Z, at most 35 in the window); allowed 1 to 40), until 2026-03-01T12:01:00Z
        "#]],
    );
    scene.later(50);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 20 to 35, because `requests` needs 35 (desired 20, running 20, pending 0; standby running 0; requests 35 (load 35.000 tasks at 2026-03-01T12:00:00Z, at most 35 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn several_raises_within_a_moment_go_no_further_than_one_step() {
    // 8 to 11 twenty seconds ago: 16 is as far as a step from 8 may go, whoever asks again.
    let mut scene = Scene::new(11);
    let at = scene.ago(20);
    scene.wrote(8, 11, 20, true);
    scene.memory().raised = Some(model::memory::Level { tasks: 8, at });
    scene.track(TargetName::Requests, target(100, Measures::Total));
    scene.flat(TargetName::Requests, Part::Fleet, 3_500_000);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 11 to 16, because `requests` needs 35, and one step goes no further (desired 11, running 11, pending 0; standby running 0; requests 35 (load 35.000 tasks at 2026-03-01T11:59:00Z, at most 35 in the window); allowed 1 to 40)
    "#]],
    );
    scene.act();
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` waiting_to_raise: 35 are needed, and the last step went as far as one may a moment ago (desired 16, running 16, pending 0; standby running 0; requests 35 (load 35.000 tasks at 2026-03-01T11:59:00Z, at most 35 in the window); allowed 1 to 40), until 2026-03-01T12:00:40Z
        "#]],
    );
    scene.later(10);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 16 to 32, because `requests` needs 35, and one step goes no further (desired 16, running 16, pending 0; standby running 0; requests 35 (load 35.000 tasks at 2026-03-01T11:59:00Z, at most 35 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn three_raises_within_a_moment_go_no_further_than_one_step() {
    let mut scene = Scene::new(8);
    scene.track(TargetName::Requests, target(100, Measures::Total));
    let mut asked = Vec::new();
    // The load grows from look to look, ten seconds apart, and each raise shows at once.
    for tasks in [9, 12, 14, 35, 35] {
        scene.flat(TargetName::Requests, Part::Fleet, tasks * 100_000);
        scene.act();
        asked.push(scene.primary().desired_count);
        scene.later(if tasks == 14 { 9 } else { 10 });
    }
    // 8 and 8 more, until 30 s after the first of them; then a step from 16.
    assert_eq!(asked, [9, 12, 14, 16, 32]);
}

#[test]
fn four_tasks_are_always_allowed() {
    let mut scene = Scene::new(1);
    scene.track(TargetName::Requests, target(100, Measures::Total));
    scene.flat(TargetName::Requests, Part::Fleet, 3_500_000);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 1 to 5, because `requests` needs 35, and one step goes no further (desired 1, running 1, pending 0; standby running 0; requests 35 (load 35.000 tasks at 2026-03-01T11:59:00Z, at most 35 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn no_more_than_allowed() {
    let mut scene = Scene::cpu(10, 80);
    scene.bounds(1, 12);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 12, because `cpu` needs 14, and no more are allowed (desired 10, running 10, pending 0; standby running 0; cpu 14 (load 13.334 tasks at 2026-03-01T11:59:00Z, at most 14 in the window); allowed 1 to 12)
    "#]],
    );
    scene.bounds(1, 10);
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` at_maximum: 14 are needed, and allowed are 1 to 10 (desired 10, running 10, pending 0; standby running 0; cpu 14 (load 13.334 tasks at 2026-03-01T11:59:00Z, at most 14 in the window); allowed 1 to 10)
        "#]],
    );
}

#[test]
fn below_the_minimum_it_is_raised_whatever_the_metrics_say() {
    let mut scene = Scene::cpu(2, 10);
    scene.bounds(6, 40);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` below_minimum: set the desired count of `demo/web` from 2 to 6, because allowed are 6 to 40 (desired 2, running 2, pending 0; standby running 0; cpu 1 (load 0.334 tasks at 2026-03-01T11:59:00Z, at most 1 in the window); allowed 6 to 40)
    "#]],
    );
    scene.recent(TargetName::Cpu).clear();
    check(
        &scene,
        &expect![[r#"
        step `demo/web` below_minimum: set the desired count of `demo/web` from 2 to 6, because allowed are 6 to 40 (desired 2, running 2, pending 0; standby running 0; cpu unknown (no value that is new enough); allowed 6 to 40)
    "#]],
    );
}

#[test]
fn below_the_minimum_a_load_that_needs_more_gets_it() {
    let mut scene = Scene::cpu(4, 100);
    scene.bounds(6, 40);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` below_minimum: set the desired count of `demo/web` from 4 to 7, because allowed are 6 to 40 (desired 4, running 4, pending 0; standby running 0; cpu 7 (load 6.667 tasks at 2026-03-01T11:59:00Z, at most 7 in the window); allowed 6 to 40)
    "#]],
    );
}

#[test]
fn a_window_of_the_schedule_has_bounds_of_its_own() {
    let mut scene = Scene::cpu(2, 40);
    let windows = "sun 12:00-13:00 min=5";
    scene.policy().windows = model::tracking::ScheduledBounds::parse_all(windows).unwrap();
    check(
        &scene,
        &expect![[r#"
        step `demo/web` below_minimum: set the desired count of `demo/web` from 2 to 5, because allowed are 5 to 40 by the schedule (desired 2, running 2, pending 0; standby running 0; cpu 2 (load 1.334 tasks at 2026-03-01T11:59:00Z, at most 2 in the window); allowed 5 to 40 by the schedule)
    "#]],
    );
}

#[test]
fn neither_a_deployment_nor_a_gap_nor_a_silent_ledger_stops_a_raise() {
    let mut scene = Scene::cpu(10, 80);
    scene.primary().deployments = vec![deployment(1, false, false), deployment(2, true, true)];
    scene.fleet().gaps.push(gap("ecs:DescribeServices"));
    scene.memories.insert(key(), Recall::Unknown);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 14, because `cpu` needs 14 (desired 10, running 10, pending 0; standby running 0; cpu 14 (load 13.334 tasks at 2026-03-01T11:59:00Z, at most 14 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn after_a_scale_in_only_a_load_beyond_the_tolerance_turns() {
    let mut scene = Scene::cpu(10, 64);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 11, because `cpu` needs 11 (desired 10, running 10, pending 0; standby running 0; cpu 11 (load 10.667 tasks at 2026-03-01T11:59:00Z, at most 11 in the window); allowed 1 to 40)
    "#]],
    );
    let at = scene.ago(3_600);
    scene.memory().turn = Some(Turn {
        direction: Direction::In,
        since: at,
        at,
    });
    scene.wrote(12, 10, 3_600, true);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 0; cpu 11 (load 10.667 tasks at 2026-03-01T11:59:00Z, at most 11 in the window); allowed 1 to 40)
    "#]],
    );
    // 11.2 tasks are what ten serve and twelve percent above; 11.3 are more.
    scene.flat(TargetName::Cpu, Part::Primary, 67_200);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 0; cpu 12 (load 11.200 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
    scene.flat(TargetName::Cpu, Part::Primary, 67_800);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 12, because `cpu` needs 12 (desired 10, running 10, pending 0; standby running 0; cpu 12 (load 11.300 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn from_none_one_value_is_enough() {
    let mut scene = Scene::new(0);
    scene.bounds(0, 40);
    scene.wrote(1, 0, 3_600, true);
    scene.track(TargetName::Requests, target(100, Measures::Total));
    scene.flat(TargetName::Requests, Part::Fleet, 0);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 0, running 0, pending 0; standby running 0; requests 0 (load 0.000 tasks at 2026-03-01T11:59:00Z, at most 0 in the window); allowed 0 to 40)
    "#]],
    );
    scene.newest(TargetName::Requests, Part::Fleet, &[5_000]);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 0 to 1, because `requests` needs 1 (desired 0, running 0, pending 0; standby running 0; requests 1 (load 0.050 tasks at 2026-03-01T11:59:00Z, at most 1 in the window); allowed 0 to 40)
    "#]],
    );
}

#[test]
fn metrics_of_twenty_seconds_are_seen_at_once() {
    let mut scene = Scene::new(10);
    scene.track(TargetName::Requests, target(100, Measures::Total));
    scene.flat(TargetName::Requests, Part::Fleet, 1_000_000);
    let end = scene.minute(-1);
    let recent = scene.recent(TargetName::Requests);
    recent[0].period = Seconds(20);
    recent[0].points = (1..=120)
        .rev()
        .map(|back| model::tracking::Point {
            at: Seconds(20 * back).before(end),
            value_milli: if back <= 1 { 1_600_000 } else { 1_000_000 },
        })
        .collect();
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 16, because `requests` needs 16 (desired 10, running 10, pending 0; standby running 0; requests 16 (load 16.000 tasks at 2026-03-01T11:59:40Z, at most 16 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_schedule_to_none_ends() {
    let night = |from: &str, until: &str| {
        let text = format!("daily {from}-{until} max=0");
        ScheduledBounds::parse_all(&text).unwrap()
    };
    // It is noon. Ten are lowered to none, whatever the load.
    let mut scene = Scene::cpu(10, 60);
    scene.bounds(0, 40);
    scene.policy().windows = night("11:00", "13:00");
    check(
        &scene,
        &expect![[r#"
        step `demo/web` above_maximum: set the desired count of `demo/web` from 10 to 0, because allowed are 0 to 0 by the schedule (desired 10, running 10, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 0 to 0 by the schedule)
    "#]],
    );
    // Nothing is measured then, and nothing is missing.
    scene.act();
    scene.primary().running_count = 0;
    scene.later(3_000);
    scene.points(TargetName::Cpu, Part::Primary).clear();
    scene.counts(Part::Primary).clear();
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` at_minimum: it is to run no task: allowed are 0 to 0 by the schedule (desired 0, running 0, pending 0; standby running 0; cpu unknown (no value that is new enough); allowed 0 to 0 by the schedule)
    "#]],
    );
    let hold = scene.decide().plan.holds.remove(0);
    assert!(!hold.reason.leaves_unprotected());
    // Afterwards one task shows what it is asked.
    scene.policy().windows = night("10:00", "11:00");
    check(
        &scene,
        &expect![[r#"
        step `demo/web` below_minimum: set the desired count of `demo/web` from 0 to 1, because allowed are 1 to 40 (desired 0, running 0, pending 0; standby running 0; cpu unknown (no value that is new enough); allowed 1 to 40)
    "#]],
    );
    // A queue is measured without one.
    scene.policy().targets.clear();
    scene.track(TargetName::Alarm, target(100, Measures::Total));
    scene.flat(TargetName::Alarm, Part::Fleet, 0);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 0, running 0, pending 0; standby running 0; alarm 0 (load 0.000 tasks at 2026-03-01T12:49:00Z, at most 0 in the window); allowed 0 to 40)
    "#]],
    );
}
