//! Fewer tasks.

use expect_test::expect;
use model::Seconds;
use model::memory::Recall;
use model::tracking::{Direction, Measures, Part, TargetName, Turn};

use super::scene::{Scene, check, deployment, gap, key, target};

/// Twenty tasks at 30 %, half of the target.
fn low() -> Scene {
    Scene::cpu(20, 30)
}

#[test]
fn it_goes_to_what_was_needed_and_stops_short_by_the_tolerance() {
    check(
        &low(),
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 12, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn within_the_tolerance_it_stays() {
    // 20 tasks at 55 % would be 18.334 at 60 %: 21 with the tolerance of 12 %. A goal of 17 is the first that is 12 % below 20.
    check(
        &Scene::cpu(20, 55),
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 20, running 20, pending 0; standby running 0; cpu 19 (load 18.334 tasks at 2026-03-01T11:59:00Z, at most 19 in the window); allowed 1 to 40)
    "#]],
    );
    check(
        &Scene::cpu(20, 46),
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 20, running 20, pending 0; standby running 0; cpu 16 (load 15.334 tasks at 2026-03-01T11:59:00Z, at most 16 in the window); allowed 1 to 40)
    "#]],
    );
    check(
        &Scene::cpu(20, 45),
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 17, because for 300 s no target needed more than 15, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 15 (load 15.000 tasks at 2026-03-01T11:59:00Z, at most 15 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn the_highest_of_the_window_counts() {
    let mut scene = low();
    // 19 tasks were needed in the minute that ended at 11:57, which counts until that of 12:02 is settled.
    scene.newest(
        TargetName::Cpu,
        Part::Primary,
        &[57_000, 30_000, 30_000, 30_000],
    );
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` waiting_for_window: the load needs fewer, and within 300 s it needed up to 19 (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 19 in the window); allowed 1 to 40), until 2026-03-01T12:03:00Z
        "#]],
    );
    scene.later(149);
    assert!(scene.decide().plan.steps.is_empty());
    scene.later(1);
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 12, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T12:02:00Z, at most 10 in the window); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn of_several_targets_all_must_need_fewer() {
    let mut scene = low();
    scene.track(TargetName::Requests, target(100, Measures::Total));
    scene.flat(TargetName::Requests, Part::Fleet, 1_900_000);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); requests 19 (load 19.000 tasks at 2026-03-01T11:59:00Z, at most 19 in the window); allowed 1 to 40)
    "#]],
    );
    scene.flat(TargetName::Requests, Part::Fleet, 1_300_000);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 15, because for 300 s no target needed more than 13, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); requests 13 (load 13.000 tasks at 2026-03-01T11:59:00Z, at most 13 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_minimum_is_kept() {
    let mut scene = low();
    scene.bounds(14, 40);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 14, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 14 to 40)
    "#]],
    );
    scene.bounds(20, 40);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` at_minimum: the load needs fewer, and allowed are 20 to 40 (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 20 to 40)
    "#]],
    );
}

#[test]
fn above_the_maximum_it_is_lowered_whatever_the_metrics_say() {
    let mut scene = Scene::cpu(20, 90);
    scene.bounds(1, 15);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` above_maximum: set the desired count of `demo/web` from 20 to 15, because allowed are 1 to 15 (desired 20, running 20, pending 0; standby running 0; cpu 30 (load 30.000 tasks at 2026-03-01T11:59:00Z, at most 30 in the window); allowed 1 to 15)
    "#]],
    );
    scene.fleet().gaps.push(gap("cloudwatch:GetMetricData"));
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` snapshot_incomplete: the load may need fewer, but not everything could be observed: `cloudwatch:GetMetricData` for `demo/web`: throttled (ThrottlingException: Rate exceeded) (desired 20, running 20, pending 0; standby running 0; cpu 30 (load 30.000 tasks at 2026-03-01T11:59:00Z, at most 30 in the window); allowed 1 to 15)
    "#]],
    );
}

#[test]
fn a_period_that_just_ended_is_not_relied_on() {
    // The samples of the newest minute are not all there, so that it shows 30 % instead of 57 %.
    let mut scene = low();
    scene.pace().scale_in_window = Seconds(60);
    scene.newest(TargetName::Cpu, Part::Primary, &[57_000, 30_000]);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` waiting_for_window: the load needs fewer, and within 60 s it needed up to 19 (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 19 in the window); allowed 1 to 40), until 2026-03-01T12:01:00Z
    "#]],
    );
    // A minute after its end it counts.
    scene.later(29);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` waiting_for_window: the load needs fewer, and within 60 s it needed up to 19 (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 19 in the window); allowed 1 to 40), until 2026-03-01T12:01:00Z
    "#]],
    );
    scene.later(1);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 12, because for 60 s no target needed more than 10, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T12:00:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_period_that_just_ended_is_not_waited_for_and_may_show_more() {
    let mut scene = low();
    scene.fleet().standby = Scene::pair(1, 0, 60).fleet().standby.clone();
    scene.standby().running_count = 5;
    scene.count(Part::Standby, 5);
    scene.flat(TargetName::Cpu, Part::Standby, 30_000);
    scene.points(TargetName::Cpu, Part::Standby).pop();
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 14, because for 300 s no target needed more than 13, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 5; cpu 13 (load 12.500 tasks at 2026-03-01T11:59:00Z, at most 13 in the window); allowed 1 to 40)
    "#]],
    );
    // What is there of it needs more: 20 x 42 / 60 = 14, and 15.68 with the tolerance.
    scene.newest(TargetName::Cpu, Part::Primary, &[42_000]);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 16, because for 300 s no target needed more than 14, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 5; cpu 14 (load 14.000 tasks at 2026-03-01T11:59:00Z, at most 14 in the window); allowed 1 to 40)
    "#]],
    );
    scene.newest(TargetName::Cpu, Part::Primary, &[59_000]);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 20, running 20, pending 0; standby running 5; cpu 20 (load 19.667 tasks at 2026-03-01T11:59:00Z, at most 20 in the window); allowed 1 to 40)
    "#]],
    );
    // A minute that ended before the last one is waited for.
    let mut scene = low();
    let at = scene.minute(1);
    scene
        .points(TargetName::Cpu, Part::Primary)
        .retain(|it| it.at != at);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` window_incomplete: the load needs fewer now, but not every period of the last 300 s is known of: cpu (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn not_during_a_deployment() {
    let mut scene = low();
    scene.primary().deployments = vec![deployment(1, true, true)];
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` deployment_running: the load needs fewer, but a deployment of the primary runs (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn not_while_tasks_are_on_their_way() {
    let mut scene = low();
    scene.primary().running_count = 19;
    scene.primary().pending_count = 1;
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` tasks_starting: the load needs fewer, and tasks are still on their way (desired 20, running 19, pending 1; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn not_soon_after_a_raise() {
    let mut scene = low();
    let at = scene.ago(100);
    scene.wrote(18, 20, 100, true);
    scene.memory().turn = Some(Turn {
        direction: Direction::Out,
        since: at,
        at,
    });
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` waiting_to_turn: the last change was scale-out at 2026-03-01T11:58:50Z, and a direction is kept for 300 s (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40), until 2026-03-01T12:03:50Z
    "#]],
    );
    scene.later(500);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 12, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T12:07:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_second_scale_in_follows_at_once() {
    let mut scene = low();
    scene.act();
    scene.later(60);
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 12, running 12, pending 0; standby running 0; cpu 6 (load 6.000 tasks at 2026-03-01T12:00:00Z, 10.000 with tasks that just started or stopped, at most 10 in the window); allowed 1 to 40)
        "#]],
    );
    // 9.667 tasks with the tolerance are 11 of 12: after a raise that would be too little to turn for.
    scene.flat(TargetName::Cpu, Part::Primary, 29_000);
    scene.count(Part::Primary, 20);
    let turn = scene.memory().turn;
    scene.memory().turn = None;
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 12, running 12, pending 0; standby running 0; cpu 6 (load 5.800 tasks at 2026-03-01T12:00:00Z, 9.667 with tasks that just started or stopped, at most 10 in the window); allowed 1 to 40)
        "#]],
    );
    scene.memory().turn = turn;
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_in: set the desired count of `demo/web` from 12 to 11, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 12, running 12, pending 0; standby running 0; cpu 6 (load 5.800 tasks at 2026-03-01T12:00:00Z, 9.667 with tasks that just started or stopped, at most 10 in the window); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn not_with_a_gap_nor_without_the_ledger() {
    let mut scene = low();
    scene.fleet().gaps.push(gap("ecs:DescribeServices"));
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` snapshot_incomplete: the load may need fewer, but not everything could be observed: `ecs:DescribeServices` for `demo/web`: throttled (ThrottlingException: Rate exceeded) (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
    let mut scene = low();
    scene.primary().scaled_by_application_auto_scaling = None;
    scene.memory().scaled_by_application_auto_scaling = Some(false);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` snapshot_incomplete: the load may need fewer, but not everything could be observed: `application-autoscaling:DescribeScalableTargets` for `demo/web`: other (it is not known whether Application Auto Scaling scales the service) (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
    let mut scene = low();
    scene.memories.insert(key(), Recall::Unknown);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` memory_unknown: the ledger did not answer: the desired count is not lowered, and not raised from 0 (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn not_where_not_even_those_run_that_it_shows_to_need() {
    let mut scene = low();
    scene.primary().running_count = 9;
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` nothing_to_spare: the load shows a need of 12, and not even so many run: tasks that cannot keep up may show too little (desired 20, running 9, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
    scene.primary().running_count = 11;
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` nothing_to_spare: the load shows a need of 12, and not even so many run: tasks that cannot keep up may show too little (desired 20, running 11, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_metric_of_each_task_never_leads_to_none() {
    let mut scene = Scene::cpu(3, 0);
    scene.bounds(0, 40);
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_in: set the desired count of `demo/web` from 3 to 1, because for 300 s no target needed more than 1, and the tolerance above it is kept (desired 3, running 3, pending 0; standby running 0; cpu 1 (load 0.000 tasks at 2026-03-01T11:59:00Z, at most 1 in the window); allowed 1 to 40)
        "#]],
    );
    let mut scene = Scene::new(3);
    scene.bounds(0, 40);
    scene.track(TargetName::Requests, target(100, Measures::Total));
    scene.flat(TargetName::Requests, Part::Fleet, 0);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 3 to 0, because for 300 s no target needed more than 0, and the tolerance above it is kept (desired 3, running 3, pending 0; standby running 0; requests 0 (load 0.000 tasks at 2026-03-01T11:59:00Z, at most 0 in the window); allowed 0 to 40)
    "#]],
    );
}

#[test]
fn an_alarm_of_five_minutes_has_a_window_of_its_periods() {
    let mut scene = Scene::new(10);
    scene.track(TargetName::Alarm, target(100, Measures::Total));
    let end = scene.minute(-1);
    scene.flat(TargetName::Alarm, Part::Fleet, 0);
    let recent = scene.recent(TargetName::Alarm);
    recent[0].period = Seconds(300);
    recent[0].points = (1..=12)
        .rev()
        .map(|back| model::tracking::Point {
            at: Seconds(300 * back).before(end),
            value_milli: 500_000,
        })
        .collect();
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 10 to 6, because for 300 s no target needed more than 5, and the tolerance above it is kept (desired 10, running 10, pending 0; standby running 0; alarm 5 (load 5.000 tasks at 2026-03-01T11:55:00Z, at most 5 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_settled_minute_without_a_value_of_the_standby_lowers_nothing_counted_or_not() {
    // Of the last two minutes, one of which is settled, the standby that runs has no value.
    let mut scene = Scene::pair(20, 3, 10);
    assert_eq!(scene.decide().plan.steps.len(), 1);
    let settled = scene.minute(1);
    let of_standby = scene.points(TargetName::Cpu, Part::Standby);
    of_standby.retain(|it| it.at < settled);
    let counted = scene.decide().plan.holds;
    assert_eq!(counted[0].reason.as_str(), "window_incomplete");
    for part in [Part::Primary, Part::Standby] {
        scene.counts(part).retain(|it| it.at < settled);
    }
    let uncounted = scene.decide().plan.holds;
    assert_eq!(uncounted[0].reason.as_str(), "window_incomplete");
    // A standby that runs nothing has none to show.
    scene.standby().running_count = 0;
    scene.standby().desired_count = 0;
    assert_eq!(scene.decide().plan.steps.len(), 1);
}
