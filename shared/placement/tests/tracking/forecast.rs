//! The forecast: from the newest load or its recent peak, by the days before. The examples of `docs/calculations.md`, section "The
//! forecast", are among them.

use expect_test::expect;
use model::Seconds;
use model::tracking::{Measures, Part, Point, Reading, Series, TargetName};

use super::scene::{Scene, check, series, start, target};

fn season(scene: &mut Scene) -> &mut Vec<Series> {
    match scene.fleet().readings.get_mut(&TargetName::Requests) {
        Some(Reading::Read { season, .. }) => season,
        _ => panic!("the requests were read"),
    }
}

/// 20 tasks of load now; three days, of which the first rose from 100 to 130 in all of its minutes, the second fell from 100 to 90, and of
/// the third a minute is missing.
fn growing() -> Scene {
    let mut scene = Scene::new(20);
    scene.now = Seconds(3 * 3_600).after(start());
    scene.snapshot.taken_at = scene.now;
    scene.count(Part::Primary, 20);
    scene.track(TargetName::Requests, target(100, Measures::Total));
    scene.flat(TargetName::Requests, Part::Fleet, 2_000_000);
    scene.pace().start_up = Seconds(120);
    scene.pace().forecast = true;
    let mut points = Vec::new();
    for (day, then, ahead) in [(3, 100, 200), (2, 100, 90), (1, 100, 130)] {
        for minute in -4..=6_i64 {
            if (day, minute) == (3, -2) {
                continue;
            }
            let at = Seconds(-86_400 * day).after(scene.minute(-minute));
            let value = if minute <= 0 { then } else { ahead };
            points.push(Point {
                at,
                value_milli: value * 1_000,
            });
        }
    }
    *season(&mut scene) = vec![series(Part::Fleet, points)];
    scene
}

#[test]
fn a_forecast() {
    // Growth: 30 % and 0, on average 15 %: 20 x 1.15 = 23.
    check(
        &growing(),
        &expect![[r#"
            step `demo/web` scale_out: set the desired count of `demo/web` from 20 to 23, because the forecast of `requests` needs 23 (desired 20, running 20, pending 0; standby running 0; requests 20 (load 20.000 tasks at 2026-03-01T14:59:00Z, at most 20 in the window, forecast 23 (days grew 15.0 %)); allowed 1 to 40)
        "#]],
    );
    let mut scene = growing();
    scene.pace().forecast = false;
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 20, running 20, pending 0; standby running 0; requests 20 (load 20.000 tasks at 2026-03-01T14:59:00Z, at most 20 in the window); allowed 1 to 40)
    "#]],
    );
    // Without any whole day nothing is expected.
    let mut scene = growing();
    season(&mut scene)[0]
        .points
        .retain(|it| it.at.as_second() % 3_600 != 60);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 20, running 20, pending 0; standby running 0; requests 20 (load 20.000 tasks at 2026-03-01T14:59:00Z, at most 20 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_forecast_keeps_from_lowering() {
    // 10 tasks of load; with the growth of 15 % 11.5, and 12.88 with the tolerance: 13 of 20.
    let mut scene = growing();
    scene.flat(TargetName::Requests, Part::Fleet, 1_000_000);
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 13, because for 300 s no target needed more than 10, the forecast needs 12 with every task counted, and the tolerance above that is kept (desired 20, running 20, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T14:59:00Z, at most 10 in the window, forecast 12 (days grew 15.0 %)); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn what_the_days_alone_keep_is_said() {
    // 20 tasks of load are 23 of 27 with the tolerance, which would turn; with the growth of 15 % they are 26.
    let mut scene = growing();
    desired(&mut scene, 27);
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` on_target: the load needs fewer now, and by what it grew on the days before it will need 23, with every task counted (desired 27, running 27, pending 0; standby running 0; requests 20 (load 20.000 tasks at 2026-03-01T14:59:00Z, at most 20 in the window, forecast 23 (days grew 15.0 %)); allowed 1 to 40)
        "#]],
    );
}

/// A load of 10 tasks at 14:59 that was 14.2 eight minutes before; the forecast looks a quarter of an hour back. Of the days before the
/// one rose from a largest minute of 100 to one of 118, the other fell, and of the third a minute is missing. In the middle none of them
/// grew.
fn peak() -> Scene {
    let mut scene = growing();
    scene.flat(TargetName::Requests, Part::Fleet, 1_000_000);
    scene.at_minute(TargetName::Requests, Part::Fleet, 8, 1_420_000);
    scene.pace().forecast_peak = Seconds(900);
    let mut points = Vec::new();
    for (day, then, ahead) in [(3, 100, 200), (2, 100, 90), (1, 100, 118)] {
        for minute in -14..=16_i64 {
            if (day, minute) == (3, -13) {
                continue;
            }
            let value = match minute {
                -9 => then,
                12 => ahead,
                _ => 50,
            };
            points.push(Point {
                at: Seconds(-86_400 * day).after(scene.minute(-minute)),
                value_milli: value * 1_000,
            });
        }
    }
    *season(&mut scene) = vec![series(Part::Fleet, points)];
    scene
}

fn desired(scene: &mut Scene, count: u32) {
    scene.primary().desired_count = count;
    scene.primary().running_count = count;
}

#[test]
fn a_recent_peak_grows_as_the_days_peaks_did() {
    // 18 % and 0, on average 9 %: 14.2 x 1.09 = 15.478.
    let mut scene = peak();
    desired(&mut scene, 12);
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_out: set the desired count of `demo/web` from 12 to 16, because the forecast of `requests` needs 16 (desired 12, running 12, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T14:59:00Z, at most 10 in the window, forecast 16 (peak 14.200 tasks at 2026-03-01T14:51:00Z, days grew 9.0 %)); allowed 1 to 40)
        "#]],
    );
    // From the newest load: means of five minutes, which did not grow.
    scene.pace().forecast_peak = Seconds::ZERO;
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 12, running 12, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T14:59:00Z, at most 10 in the window, forecast 10 (days grew 0.0 %)); allowed 1 to 40)
        "#]],
    );
    // A peak of nine minutes ago is none of the last eight.
    scene.pace().forecast_peak = Seconds(480);
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 12, running 12, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T14:59:00Z, at most 10 in the window, forecast 10 (days grew 0.0 %)); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn it_is_not_lowered_below_the_peak_and_goes_on_when_that_is_past() {
    // 15.478 and the tolerance are 17.34: 18 is too near to 20 to turn for. 10 of load alone would be 12.
    let mut scene = peak();
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` waiting_for_peak: the load needs fewer, and by the forecast the peak of 14.200 tasks at 2026-03-01T14:51:00Z, within the last 900 s, needs 16 (desired 20, running 20, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T14:59:00Z, at most 10 in the window, forecast 16 (peak 14.200 tasks at 2026-03-01T14:51:00Z, days grew 9.0 %)); allowed 1 to 40), until 2026-03-01T15:07:30Z
        "#]],
    );
    desired(&mut scene, 30);
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_in: set the desired count of `demo/web` from 30 to 18, because for 300 s no target needed more than 10, the forecast needs 16 with every task counted, and the tolerance above that is kept (desired 30, running 30, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T14:59:00Z, at most 10 in the window, forecast 16 (peak 14.200 tasks at 2026-03-01T14:51:00Z, days grew 9.0 %)); allowed 1 to 40)
        "#]],
    );
    // The peak's minute ended at 14:52, and newer values come half a minute late: until 15:07:30 it counts. The days tell no more.
    let mut scene = peak();
    desired(&mut scene, 18);
    scene.later(6 * 60);
    season(&mut scene).clear();
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` waiting_for_peak: the load needs fewer, and by the forecast the peak of 14.200 tasks at 2026-03-01T14:51:00Z, within the last 900 s, needs 15 (desired 18, running 18, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T15:05:00Z, at most 10 in the window, forecast 15 (peak 14.200 tasks at 2026-03-01T14:51:00Z, no day tells)); allowed 1 to 40), until 2026-03-01T15:07:30Z
        "#]],
    );
    scene.later(60);
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_in: set the desired count of `demo/web` from 18 to 12, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 18, running 18, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T15:06:00Z, at most 10 in the window, forecast 10 (no day tells)); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn of_several_targets_the_most_that_one_needed_and_that_another_will_need_are_said() {
    let at_cpu = |percent: i64| {
        let mut scene = peak();
        desired(&mut scene, 30);
        scene.count(Part::Primary, 30);
        scene.track(TargetName::Cpu, target(60, Measures::PerTask));
        scene.flat(TargetName::Cpu, Part::Primary, percent * 1_000);
        scene
    };
    // 15 tasks for the CPU; the peak of the requests needs 16.
    check(
        &at_cpu(30),
        &expect![[r#"
            step `demo/web` scale_in: set the desired count of `demo/web` from 30 to 18, because for 300 s no target needed more than 15, the forecast needs 16 with every task counted, and the tolerance above that is kept (desired 30, running 30, pending 0; standby running 0; cpu 15 (load 15.000 tasks at 2026-03-01T14:59:00Z, at most 15 in the window, forecast 15 (no day tells)); requests 10 (load 10.000 tasks at 2026-03-01T14:59:00Z, at most 10 in the window, forecast 16 (peak 14.200 tasks at 2026-03-01T14:51:00Z, days grew 9.0 %)); allowed 1 to 40)
        "#]],
    );
    // 17 for the CPU are more than any forecast.
    check(
        &at_cpu(34),
        &expect![[r#"
            step `demo/web` scale_in: set the desired count of `demo/web` from 30 to 20, because for 300 s no target needed more than 17, and the tolerance above it is kept (desired 30, running 30, pending 0; standby running 0; cpu 17 (load 17.000 tasks at 2026-03-01T14:59:00Z, at most 17 in the window, forecast 17 (no day tells)); requests 10 (load 10.000 tasks at 2026-03-01T14:59:00Z, at most 10 in the window, forecast 16 (peak 14.200 tasks at 2026-03-01T14:51:00Z, days grew 9.0 %)); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn where_no_day_tells_the_peak_stands_alone() {
    let mut scene = peak();
    desired(&mut scene, 12);
    season(&mut scene).clear();
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_out: set the desired count of `demo/web` from 12 to 15, because the forecast of `requests` needs 15 (desired 12, running 12, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T14:59:00Z, at most 10 in the window, forecast 15 (peak 14.200 tasks at 2026-03-01T14:51:00Z, no day tells)); allowed 1 to 40)
        "#]],
    );
    // No forecast, no peak.
    scene.pace().forecast = false;
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 12, running 12, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T14:59:00Z, at most 10 in the window); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn what_there_is_of_a_peak_raises_and_what_is_missing_does_not() {
    // CPU of ten tasks: at 85 % eight minutes ago, 60 % now. Of the standby, which ran then as now, there is no value: a lower bound.
    let mut scene = Scene::pair(10, 2, 60);
    scene.pace().forecast = true;
    scene.pace().forecast_peak = Seconds(900);
    scene.pace().warm_up = Seconds::ZERO;
    let eight = scene.minute(8);
    scene.at_minute(TargetName::Cpu, Part::Primary, 8, 85_000);
    let of_standby = scene.points(TargetName::Cpu, Part::Standby);
    of_standby.retain(|it| it.at != eight);
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 15, because the forecast of `cpu` needs 15 (desired 10, running 10, pending 0; standby running 2; cpu 12 (load 12.000 tasks at 2026-03-01T11:59:00Z, at most 12 in the window, forecast 15 (peak 14.167 tasks at 2026-03-01T11:51:00Z, no day tells)); allowed 1 to 40)
        "#]],
    );
    // Without any value at that time nothing is said of it.
    scene
        .points(TargetName::Cpu, Part::Primary)
        .retain(|it| it.at != eight);
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 12, because `cpu` needs 12 (desired 10, running 10, pending 0; standby running 2; cpu 12 (load 12.000 tasks at 2026-03-01T11:59:00Z, at most 12 in the window, forecast 12 (no day tells)); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn tasks_that_had_just_started_are_no_part_of_a_peak() {
    // Eight minutes ago six more ran for two minutes, at 60 % each: what they booted with raises nothing, and keeps from lowering.
    let mut scene = Scene::cpu(10, 60);
    scene.pace().forecast = true;
    scene.pace().forecast_peak = Seconds(900);
    let (from, to) = (scene.minute(9), scene.minute(8));
    let counts = scene.counts(Part::Primary);
    let them = counts.iter_mut().filter(|it| from <= it.at && it.at <= to);
    them.for_each(|it| it.value_milli = 16_000);
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window, forecast 10 (no day tells)); allowed 1 to 40)
        "#]],
    );
    desired(&mut scene, 30);
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_in: set the desired count of `demo/web` from 30 to 18, because for 300 s no target needed more than 10, the forecast needs 16 with every task counted, and the tolerance above that is kept (desired 30, running 30, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window, forecast 10 (no day tells)); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn a_day_that_was_not_read_is_left_out_and_the_others_tell() {
    let mut scene = peak();
    desired(&mut scene, 12);
    let yesterday = Seconds(86_400).before(scene.now);
    let half_a_day = Seconds(43_200).before(yesterday);
    // Of the others one fell, and one lacks a minute of the peak then.
    season(&mut scene)[0].points.retain(|it| it.at < half_a_day);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 12 to 15, because the forecast of `requests` needs 15 (desired 12, running 12, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T14:59:00Z, at most 10 in the window, forecast 15 (peak 14.200 tasks at 2026-03-01T14:51:00Z, days grew 0.0 %)); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_peak_ahead_with_a_hole_counts_where_it_tells_of_more() {
    // Yesterday a minute ahead is missing that is not the largest: 18 % are as many as they were. Of two days ago, which fell, nothing.
    let mut scene = peak();
    desired(&mut scene, 12);
    let hole = Seconds(86_400).before(scene.minute(-5));
    season(&mut scene)[0].points.retain(|it| it.at != hole);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 12 to 16, because the forecast of `requests` needs 16 (desired 12, running 12, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T14:59:00Z, at most 10 in the window, forecast 16 (peak 14.200 tasks at 2026-03-01T14:51:00Z, days grew 9.0 %)); allowed 1 to 40)
    "#]],
    );
    // Without its largest minute it says less than the day that fell, which says 0.
    let largest = Seconds(86_400).before(scene.minute(-12));
    season(&mut scene)[0].points.retain(|it| it.at != largest);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 12 to 15, because the forecast of `requests` needs 15 (desired 12, running 12, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T14:59:00Z, at most 10 in the window, forecast 15 (peak 14.200 tasks at 2026-03-01T14:51:00Z, days grew 0.0 %)); allowed 1 to 40)
    "#]],
    );
    // Means of minutes are no lower bounds.
    let mut scene = growing();
    let hole = Seconds(86_400).before(scene.minute(-5));
    season(&mut scene)[0].points.retain(|it| it.at != hole);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 20, running 20, pending 0; standby running 0; requests 20 (load 20.000 tasks at 2026-03-01T14:59:00Z, at most 20 in the window, forecast 20 (days grew 0.0 %)); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn what_is_not_counted_yet_grows_too() {
    // The days grew by half. In the newest minute the load doubled to 20 tasks: 20 x 1.5 x 1.12 = 33.6, whether it is counted yet or not.
    let mut scene = Scene::cpu(60, 10);
    scene.newest(TargetName::Cpu, Part::Primary, &[20_000]);
    scene.pace().forecast = true;
    scene.pace().start_up = Seconds(120);
    scene.bounds(1, 100);
    let of_days = |then: i64, ahead: i64| {
        let minutes = (1..=3_i64).rev().flat_map(|day| {
            (-10..10_i64).map(move |minute| (day, minute, if minute <= 0 { then } else { ahead }))
        });
        let points = minutes.map(|(day, minute, value_milli)| Point {
            at: Seconds(-86_400 * day).after(scene.minute(-minute)),
            value_milli,
        });
        vec![series(Part::Primary, points.collect())]
    };
    let (counts, values) = (of_days(10_000, 10_000), of_days(40_000, 60_000));
    scene.fleet().season_task_counts = counts;
    if let Some(Reading::Read { season, .. }) = scene.fleet().readings.get_mut(&TargetName::Cpu) {
        *season = values;
    }
    let to = |scene: &Scene| scene.decide().plan.steps[0].counts();
    // The newest minute counted, it is not settled.
    assert_eq!(to(&scene), (60, 34), "{}", scene.decide().plan);
    scene.counts(Part::Primary).pop();
    // A minute earlier the days grew as much: the step is ahead of both.
    assert_eq!(to(&scene), (60, 34), "{}", scene.decide().plan);
}

#[test]
fn a_peak_is_past_when_a_whole_period_has_taken_its_place() {
    // Periods of five minutes, a peak of seven: the one that ended at 11:55 counts until 12:05 has ended, and is seen 30 s later.
    let mut scene = Scene::new(20);
    scene.track(TargetName::Alarm, target(100, Measures::Total));
    scene.flat(TargetName::Alarm, Part::Fleet, 1_000_000);
    let recent = &mut scene.recent(TargetName::Alarm)[0];
    recent.period = Seconds(300);
    recent.points.retain(|it| it.at.as_second() % 300 == 0);
    let count = recent.points.len();
    recent.points[count - 2].value_milli = 1_700_000;
    scene.pace().forecast = true;
    scene.pace().forecast_peak = Seconds(420);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` waiting_for_peak: the load needs fewer, and by the forecast the peak of 17.000 tasks at 2026-03-01T11:50:00Z, within the last 420 s, needs 17 (desired 20, running 20, pending 0; standby running 0; alarm 10 (load 10.000 tasks at 2026-03-01T11:55:00Z, at most 17 in the window, forecast 17 (peak 17.000 tasks at 2026-03-01T11:50:00Z, no day tells)); allowed 1 to 40), until 2026-03-01T12:05:30Z
    "#]],
    );
    scene.later(240);
    assert_eq!(scene.decide().plan.steps, []);
    scene.later(60);
    assert_eq!(scene.decide().plan.steps.len(), 1);
}

/// A load with a peak every tenth minute, a quarter of an hour long looked back: the count is the peak's, and changes no more.
#[test]
fn a_peak_that_comes_again_is_waited_for() {
    for (forecast_peak, want) in [(900, 0), (0, 11)] {
        let mut scene = Scene::new(14);
        scene.track(TargetName::Requests, target(100, Measures::Total));
        scene.flat(TargetName::Requests, Part::Fleet, 1_000_000);
        scene.pace().forecast = true;
        scene.pace().forecast_peak = Seconds(forecast_peak);
        scene.pace().turn_hold = Seconds(60);
        scene.pace().scale_in_window = Seconds(120);
        let end = scene.minute(0).as_second();
        for point in scene.points(TargetName::Requests, Part::Fleet) {
            if (end - point.at.as_second()) % 600 == 540 {
                point.value_milli = 1_400_000;
            }
        }
        let mut changes = 0;
        for minute in 1..=60 {
            scene.later(60);
            let value = if minute % 10 == 1 {
                1_400_000
            } else {
                1_000_000
            };
            scene.newest(TargetName::Requests, Part::Fleet, &[value]);
            changes += scene.decide().plan.steps.len();
            scene.act();
        }
        assert_eq!(changes, want, "{forecast_peak}");
    }
}
