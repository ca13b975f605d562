//! A pair is one fleet: what the standby serves is load too, and its desired count is nobody's affair here.

use expect_test::expect;
use model::snapshot::Standby;
use model::tracking::{Measures, Part, TargetName};

use super::scene::{Scene, check, target, text};

/// Ten tasks are asked for; Spot has four of them, and the standby runs the six others.
fn covered(percent: i64) -> Scene {
    let mut scene = Scene::pair(10, 6, percent);
    scene.primary().running_count = 4;
    scene.count(Part::Primary, 4);
    scene
}

#[test]
fn the_desired_count_follows_the_load_and_not_what_the_standby_covers() {
    // Ten tasks at 57 % are 9.5 at 60 %, wherever they run.
    check(
        &covered(57),
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 4, pending 0; standby running 6; cpu 10 (load 9.500 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
    check(
        &Scene::pair(10, 0, 57),
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 0; cpu 10 (load 9.500 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn under_more_load_the_primary_is_asked_for_more_though_spot_is_short() {
    let mut scene = covered(75);
    let at = scene.ago(1_800);
    scene.memory().missing = Some(model::memory::Level { tasks: 6, at });
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 13, because `cpu` needs 13 (desired 10, running 4, pending 0; standby running 6; cpu 13 (load 12.500 tasks at 2026-03-01T11:59:00Z, at most 13 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn under_less_load_the_primary_is_lowered_though_spot_is_short() {
    check(
        &covered(30),
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 10 to 6, because for 300 s no target needed more than 5, and the tolerance above it is kept (desired 10, running 4, pending 0; standby running 6; cpu 5 (load 5.000 tasks at 2026-03-01T11:59:00Z, at most 5 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn once_spot_is_back_both_run_and_nothing_goes_up_or_down() {
    let mut scene = covered(57);
    // All ten run again, and the standby's six still do: the same load, shared by sixteen.
    scene.primary().running_count = 10;
    let shared = [35_625; 3];
    scene.newest(TargetName::Cpu, Part::Primary, &shared);
    scene.newest(TargetName::Cpu, Part::Standby, &shared);
    for point in scene.counts(Part::Primary).iter_mut().rev().take(3) {
        point.value_milli = 10_000;
    }
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 6; cpu 10 (load 9.500 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
    for _ in 0..20 {
        scene.later(60);
        let decision = scene.decide();
        assert!(decision.plan.steps.is_empty(), "{}", text(&decision));
        scene.act();
    }
    // The standby is given back; ECS publishes nothing for it any more.
    scene.standby().desired_count = 0;
    scene.standby().running_count = 0;
    scene.newest(TargetName::Cpu, Part::Primary, &[57_000; 3]);
    let gone = |points: &mut Vec<_>| points.truncate(points.len() - 3);
    gone(scene.points(TargetName::Cpu, Part::Standby));
    gone(scene.counts(Part::Standby));
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 0; cpu 10 (load 9.500 tasks at 2026-03-01T12:19:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_standby_whose_values_are_missing_may_raise_and_never_lowers() {
    let mut scene = covered(30);
    let values = scene.points(TargetName::Cpu, Part::Standby);
    values.truncate(values.len() - 2);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` window_incomplete: the load needs fewer now, but not every period of the last 300 s is known of: cpu (desired 10, running 4, pending 0; standby running 6; cpu 5 (load 5.000 tasks at 2026-03-01T11:59:00Z); allowed 1 to 40)
    "#]],
    );
    let mut scene = covered(30);
    scene.points(TargetName::Cpu, Part::Standby).pop();
    scene.newest(TargetName::Cpu, Part::Primary, &[100_000, 280_000]);
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 19, because `cpu` needs 19 (desired 10, running 4, pending 0; standby running 6; cpu 19 (load 18.667 tasks at 2026-03-01T11:59:00Z, at most 19 in the window); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn a_standby_that_was_not_read_lowers_nothing() {
    let mut scene = Scene::pair(20, 0, 30);
    scene.fleet().standby = Some(Standby::Unknown);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` snapshot_incomplete: the load may need fewer, but not everything could be observed: `ecs:DescribeServices` for `demo/web`: other (the standby was not read) (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z); allowed 1 to 40)
    "#]],
    );
    scene.fleet().standby = Some(Standby::Missing);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 12, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_standby_that_starts_tasks_lowers_nothing() {
    let mut scene = covered(30);
    scene.standby().pending_count = 1;
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` tasks_starting: the load needs fewer, and tasks are still on their way (desired 10, running 4, pending 0; standby running 6; cpu 5 (load 5.000 tasks at 2026-03-01T11:59:00Z, at most 5 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_metric_for_each_task_of_the_fleet_counts_both() {
    let mut scene = covered(57);
    scene.policy().targets.clear();
    scene.fleet().readings.clear();
    scene.track(TargetName::Requests, target(600, Measures::PerTask));
    scene.flat(TargetName::Requests, Part::Fleet, 720_000);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 12, because `requests` needs 12 (desired 10, running 4, pending 0; standby running 6; requests 12 (load 12.000 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
}

/// Spot runs short, and the first task of the standby has not been counted yet: four tasks at twice their target are eight.
#[test]
fn tasks_of_the_standby_that_were_not_counted_yet_hide_no_load() {
    let mut scene = Scene::pair(4, 0, 60);
    scene.standby().desired_count = 1;
    scene.standby().running_count = 1;
    scene.track(TargetName::Alarm, target(100, Measures::PerTask));
    scene.flat(TargetName::Alarm, Part::Fleet, 200_000);
    let text = text(&scene.decide());
    assert!(
        text.contains(
            "scale_out: set the desired count of `demo/web` from 4 to 8, because `alarm` needs 8"
        ),
        "{text}"
    );
}
