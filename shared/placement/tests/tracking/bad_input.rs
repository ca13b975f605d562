//! What CloudWatch, tags and alarms get wrong: a hold with its reason, and the count unchanged.

use expect_test::expect;
use model::Seconds;
use model::settings::SettingFault;
use model::tracking::{Measures, Part, Point, Reading, TargetName, TrackingPolicy, UnusableMetric};

use super::scene::{Scene, check, gap, series, target};

/// Twenty tasks at half of the target: with whole data they would become twelve.
fn low() -> Scene {
    Scene::cpu(20, 30)
}

#[test]
fn a_value_that_is_no_number_is_a_missing_one() {
    let mut scene = low();
    scene.points(TargetName::Cpu, Part::Primary).remove(116);
    scene.recent(TargetName::Cpu)[0].unusable = 1;
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` window_incomplete: the load needs fewer now, but not every period of the last 300 s is known of: cpu (1 value is no usable number) (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_metric_without_a_number_at_all_is_unknown() {
    let mut scene = low();
    scene.recent(TargetName::Cpu)[0].points.clear();
    scene.recent(TargetName::Cpu)[0].unusable = 120;
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` no_data: no value is new enough of: cpu (desired 20, running 20, pending 0; standby running 0; cpu unknown (no value that is new enough); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_gap_in_the_window_keeps_the_count() {
    let mut scene = low();
    let points = scene.points(TargetName::Cpu, Part::Primary);
    points.drain(116..117);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` window_incomplete: the load needs fewer now, but not every period of the last 300 s is known of: cpu (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z); allowed 1 to 40)
    "#]],
    );
}

/// A queue that nobody uses has no value: at the least that is allowed nobody is to be woken for that.
#[test]
fn without_a_value_a_service_at_its_minimum_is_protected_where_all_targets_are_totals() {
    let without_data = |desired, name, measures| {
        let mut scene = Scene::cpu(desired, 30);
        scene.policy().targets.clear();
        scene.track(name, target(5, measures));
        scene.fleet().readings.clear();
        let recent = vec![series(Part::Fleet, Vec::new())];
        let season = Vec::new();
        scene
            .fleet()
            .readings
            .insert(name, Reading::Read { recent, season });
        scene
    };
    for (desired, name, measures, want) in [
        (1, TargetName::Alarm, Measures::Total, false),
        (2, TargetName::Alarm, Measures::Total, true),
        (1, TargetName::Alarm, Measures::PerTask, true),
        (1, TargetName::Requests, Measures::PerTask, true),
    ] {
        let scene = without_data(desired, name, measures);
        let hold = &scene.decide().plan.holds[0];
        assert_eq!(hold.reason.as_str(), "no_data", "{hold}");
        assert_eq!(hold.reason.leaves_unprotected(), want, "{hold}");
    }
    check(
        &without_data(1, TargetName::Alarm, Measures::Total),
        &expect![[r#"
            hold `demo/web` no_data: no value is new enough of: alarm, as of a queue that nobody uses, and no fewer are allowed (desired 1, running 1, pending 0; standby running 0; alarm unknown (no value that is new enough); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn a_gap_before_the_window_says_nothing() {
    let mut scene = low();
    let points = scene.points(TargetName::Cpu, Part::Primary);
    points.drain(110..113);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 12, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn late_values_are_waited_for_five_minutes() {
    let mut scene = low();
    let points = scene.points(TargetName::Cpu, Part::Primary);
    points.truncate(116);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 12, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:55:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
    let mut scene = low();
    let points = scene.points(TargetName::Cpu, Part::Primary);
    points.truncate(115);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` no_data: no value is new enough of: cpu (desired 20, running 20, pending 0; standby running 0; cpu unknown (no value that is new enough); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn where_values_stop_coming_the_window_does_not_shrink() {
    // Two low values at the end, then none for four minutes: within the 300 s before, 19 tasks were needed.
    let mut scene = low();
    scene.newest(TargetName::Cpu, Part::Primary, &[57_000, 30_000, 30_000]);
    scene.now = Seconds(210).after(scene.now);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` waiting_for_window: the load needs fewer, and within 300 s it needed up to 19 (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 19 in the window); allowed 1 to 40), until 2026-03-01T12:07:00Z
    "#]],
    );
}

#[test]
fn of_a_value_twice_the_larger_counts() {
    let mut scene = low();
    let points = scene.points(TargetName::Cpu, Part::Primary);
    let last = *points.last().unwrap();
    points.push(Point {
        value_milli: 90_000,
        ..last
    });
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 20 to 30, because `cpu` needs 30 (desired 20, running 20, pending 0; standby running 0; cpu 30 (load 30.000 tasks at 2026-03-01T11:59:00Z, at most 30 in the window); allowed 1 to 40)
    "#]],
    );
    scene.points(TargetName::Cpu, Part::Primary).swap(119, 120);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 20 to 30, because `cpu` needs 30 (desired 20, running 20, pending 0; standby running 0; cpu 30 (load 30.000 tasks at 2026-03-01T11:59:00Z, at most 30 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_period_that_is_not_over_is_not_looked_at() {
    let mut scene = low();
    let at = scene.minute(-1);
    for at in [at, Seconds(600).after(at)] {
        scene.points(TargetName::Cpu, Part::Primary).push(Point {
            at,
            value_milli: 100_000,
        });
    }
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 12, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_metric_that_does_not_exist_has_no_values() {
    let mut scene = Scene::new(10);
    scene.track(TargetName::Alarm, target(5, Measures::Total));
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` no_data: no value is new enough of: alarm (desired 10, running 10, pending 0; standby running 0; alarm unknown (no value that is new enough); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn one_target_without_values_keeps_the_count_and_lets_others_raise() {
    let mut scene = low();
    scene.track(TargetName::Alarm, target(5, Measures::Total));
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` targets_unknown: what is known needs no more, but no value is new enough of: alarm (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); alarm unknown (no value that is new enough); allowed 1 to 40)
    "#]],
    );
    scene.flat(TargetName::Cpu, Part::Primary, 75_000);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 20 to 25, because `cpu` needs 25 (desired 20, running 20, pending 0; standby running 0; cpu 25 (load 25.000 tasks at 2026-03-01T11:59:00Z, at most 25 in the window); alarm unknown (no value that is new enough); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn an_alarm_of_another_service_is_not_followed() {
    let mut scene = low();
    scene.track(TargetName::Alarm, target(5, Measures::PerTask));
    let why = UnusableMetric::AlarmOfAnotherService {
        alarm: "orders-backlog".parse().unwrap(),
        service: "demo/orders".parse().unwrap(),
    };
    scene
        .fleet()
        .readings
        .insert(TargetName::Alarm, Reading::Unusable { why });
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` unfollowed: `alarm`: the alarm `orders-backlog` watches the service `demo/orders` (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn what_cloudwatch_did_not_answer_is_said_with_its_reason() {
    let mut scene = low();
    scene
        .fleet()
        .readings
        .insert(TargetName::Cpu, Reading::Unread);
    scene.fleet().gaps.push(gap("cloudwatch:GetMetricData"));
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` snapshot_incomplete: the load may need fewer, but not everything could be observed: `cloudwatch:GetMetricData` for `demo/web`: throttled (ThrottlingException: Rate exceeded) (desired 20, running 20, pending 0; standby running 0; cpu unknown (no value that is new enough); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn what_cloudwatch_answered_in_part_lowers_nothing() {
    let mut scene = low();
    scene.recent(TargetName::Cpu)[0].is_complete = false;
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` window_incomplete: the load needs fewer now, but not every period of the last 300 s is known of: cpu (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z); allowed 1 to 40)
    "#]],
    );
}

fn with_tags(tags: &[(&str, &str)]) -> Scene {
    let mut scene = low();
    let tags = tags
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let policy: Result<TrackingPolicy, Vec<SettingFault>> =
        TrackingPolicy::from_tags(&tags).unwrap();
    scene.fleet().policy = policy;
    scene
}

#[test]
fn a_target_of_nothing_is_a_fault() {
    let scene = with_tags(&[
        ("ballast:service-scaler", "act"),
        ("ballast:target-cpu-percent", "0"),
        ("ballast:max-tasks", "40"),
    ]);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` policy_faults: the tags cannot be used: `ballast:target-cpu-percent` is `0`: a number from 1 to 100, with up to three decimals is allowed
    "#]],
    );
}

#[test]
fn a_minimum_above_the_maximum_is_a_fault() {
    let scene = with_tags(&[
        ("ballast:service-scaler", "act"),
        ("ballast:target-cpu-percent", "60"),
        ("ballast:min-tasks", "9"),
        ("ballast:max-tasks", "8"),
    ]);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` policy_faults: the tags cannot be used: `ballast:max-tasks` is `8`: a whole number from 1 to 5000, at least `ballast:min-tasks` is allowed
    "#]],
    );
}

#[test]
fn values_as_large_as_there_are_and_negative_ones_overflow_nothing() {
    let mut scene = low();
    scene.flat(TargetName::Cpu, Part::Primary, i64::MAX);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 20 to 40, because `cpu` needs 4294967295, and no more are allowed (desired 20, running 20, pending 0; standby running 0; cpu 4294967295 (load 3074457345618258.603 tasks at 2026-03-01T11:59:00Z, at most 4294967295 in the window); allowed 1 to 40)
    "#]],
    );
    scene.count(Part::Primary, 9_000_000_000_000_000);
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` unfollowed: `cpu`: CloudWatch counts 4294967295 tasks of `demo/web`, of which no more than 20 can have run: does `ballast:metric-resolution-secs` say how often ECS publishes? (desired 20, running 20, pending 0; standby running 0; allowed 1 to 40)
        "#]],
    );
    let mut scene = low();
    scene.flat(TargetName::Cpu, Part::Primary, i64::MIN);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 1, because for 300 s no target needed more than 1, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 1 (load 0.000 tasks at 2026-03-01T11:59:00Z, at most 1 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn without_a_count_of_tasks_a_value_for_each_task_is_not_there_yet() {
    let mut scene = low();
    scene.counts(Part::Primary).truncate(118);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 12, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:57:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
    scene.counts(Part::Primary).truncate(110);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` no_data: no value is new enough of: cpu (desired 20, running 20, pending 0; standby running 0; cpu unknown (no value that is new enough); allowed 1 to 40)
    "#]],
    );
}

/// The newest minute is at 90 % and its tasks are not counted yet: by the twenty that run it needs 30, and nothing is lowered. Nothing is raised
/// by it either.
#[test]
fn a_value_whose_tasks_are_not_counted_yet_keeps_from_lowering() {
    let mut scene = low();
    scene.counts(Part::Primary).pop();
    scene.newest(TargetName::Cpu, Part::Primary, &[90_000]);
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` window_incomplete: the load needs fewer now, but not every period of the last 300 s is known of: cpu (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:58:00Z, at most 30 in the window); allowed 1 to 40)
        "#]],
    );
    // By the twenty that run it is 20 x 33 / 60 = 11, and 12.32 with the tolerance.
    scene.newest(TargetName::Cpu, Part::Primary, &[33_000]);
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 13, because for 300 s no target needed more than 11, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:58:00Z, at most 11 in the window); allowed 1 to 40)
        "#]],
    );
    scene.newest(TargetName::Cpu, Part::Primary, &[32_000]);
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 12, because for 300 s no target needed more than 11, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:58:00Z, at most 11 in the window); allowed 1 to 40)
        "#]],
    );
    // More ran when they were counted last than do now.
    scene.counts(Part::Primary).last_mut().unwrap().value_milli = 21_000;
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 13, because for 300 s no target needed more than 12, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:58:00Z, 10.500 with tasks that just started or stopped, at most 12 in the window); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn a_series_of_no_period_is_no_series() {
    let mut scene = low();
    let mut empty = series(Part::Primary, Vec::new());
    empty.period = Seconds::ZERO;
    *scene.recent(TargetName::Cpu) = vec![empty];
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` no_data: no value is new enough of: cpu (desired 20, running 20, pending 0; standby running 0; cpu unknown (no value that is new enough); allowed 1 to 40)
    "#]],
    );
}
