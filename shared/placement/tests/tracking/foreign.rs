//! Somebody else sets the desired count.

use expect_test::expect;
use model::Seconds;
use model::capacity::Consent;
use model::memory::{ForeignEdit, Recall};
use model::tracking::{Measures, Part, ScheduledBounds, TargetName};

use super::scene::{Scene, check, key, target, text};

#[test]
fn at_first_sight_what_is_found_is_taken_as_given() {
    let scene = Scene::cpu(20, 30);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 12, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
    let decision = scene.decide();
    let wrote = decision.memories[&key()].wrote.unwrap();
    assert_eq!((wrote.from, wrote.to), (20, 12));
}

#[test]
fn a_change_by_somebody_else_is_not_lowered_for_an_hour() {
    let mut scene = Scene::cpu(20, 30);
    scene.wrote(8, 11, 600, true);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` foreign_change: fewer are needed or allowed, but somebody else set the desired count to 20 after Ballast's 11 (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40), until 2026-03-01T13:00:30Z
    "#]],
    );
    scene.act();
    scene.later(3_599);
    assert!(scene.decide().plan.steps.is_empty());
    scene.later(1);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 12, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T12:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

/// A deployment set it from 40 to 2, and the newest value is of a minute with 40 tasks.
#[test]
fn what_somebody_took_away_is_given_back_in_one_step() {
    let mut scene = Scene::cpu(40, 60);
    scene.primary().desired_count = 2;
    scene.wrote(36, 40, 600, true);
    let text = text(&scene.decide());
    assert!(
        text.contains(
            "scale_out: set the desired count of `demo/web` from 2 to 40, because `cpu` needs 40"
        ),
        "{text}"
    );
}

#[test]
fn a_load_that_needs_more_is_served_all_the_same() {
    // Somebody lowered from 12 to 10.
    let mut scene = Scene::cpu(10, 80);
    scene.wrote(10, 12, 600, true);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 14, because `cpu` needs 14 (desired 10, running 10, pending 0; standby running 0; cpu 14 (load 13.334 tasks at 2026-03-01T11:59:00Z, at most 14 in the window); allowed 1 to 40)
    "#]],
    );
    scene.act();
    // The load is gone; the count goes back to what was found, and no lower.
    scene.later(3_000);
    scene.flat(TargetName::Cpu, Part::Primary, 20_000);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 14 to 10, because for 300 s no target needed more than 4, and the tolerance above it is kept (desired 14, running 14, pending 0; standby running 0; cpu 4 (load 3.334 tasks at 2026-03-01T12:49:00Z, at most 4 in the window); allowed 1 to 40)
    "#]],
    );
    scene.act();
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` foreign_change: fewer are needed or allowed, but somebody else set the desired count to 10 after Ballast's 12 (desired 10, running 10, pending 0; standby running 0; cpu 4 (load 3.334 tasks at 2026-03-01T12:49:00Z, at most 4 in the window); allowed 1 to 40), until 2026-03-01T13:00:30Z
    "#]],
    );
}

#[test]
fn a_maximum_above_what_a_template_set_is_kept_to() {
    // A template set 40 to 10, and the load needs 40: they were given back.
    let mut scene = Scene::cpu(40, 60);
    scene.wrote(36, 40, 600, true);
    scene.primary().desired_count = 10;
    scene.act();
    assert_eq!(scene.primary().desired_count, 40);
    let foreign = scene.memory().foreign.unwrap();
    assert_eq!((foreign.found, foreign.wrote), (10, 40));
    // The owner allows 20, which is more than anybody else asked for.
    scene.later(60);
    scene.bounds(1, 20);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` above_maximum: set the desired count of `demo/web` from 40 to 20, because allowed are 1 to 20 (desired 40, running 40, pending 0; standby running 0; cpu 40 (load 40.000 tasks at 2026-03-01T12:00:00Z, at most 40 in the window); allowed 1 to 20)
    "#]],
    );
}

#[test]
fn a_schedules_maximum_above_what_somebody_set_is_kept_to() {
    let mut scene = Scene::cpu(40, 60);
    let windows = "daily 12:01-13:00 max=20";
    scene.policy().windows = ScheduledBounds::parse_all(windows).unwrap();
    scene.wrote(36, 40, 600, true);
    scene.primary().desired_count = 10;
    scene.act();
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 40, running 40, pending 0; standby running 0; cpu 40 (load 40.000 tasks at 2026-03-01T11:59:00Z, at most 40 in the window); allowed 1 to 40)
    "#]],
    );
    scene.later(60);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` above_maximum: set the desired count of `demo/web` from 40 to 20, because allowed are 1 to 20 by the schedule (desired 40, running 40, pending 0; standby running 0; cpu 40 (load 40.000 tasks at 2026-03-01T12:00:00Z, at most 40 in the window); allowed 1 to 20 by the schedule)
    "#]],
    );
}

#[test]
fn a_maximum_below_what_somebody_set_waits() {
    // The load needs all 30 that somebody set.
    let mut scene = Scene::cpu(30, 60);
    scene.wrote(18, 20, 600, true);
    scene.bounds(1, 25);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` foreign_change: fewer are needed or allowed, but somebody else set the desired count to 30 after Ballast's 20 (desired 30, running 30, pending 0; standby running 0; cpu 30 (load 30.000 tasks at 2026-03-01T11:59:00Z, at most 30 in the window); allowed 1 to 25), until 2026-03-01T13:00:30Z
    "#]],
    );
    scene.act();
    scene.later(3_600);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` above_maximum: set the desired count of `demo/web` from 30 to 25, because allowed are 1 to 25 (desired 30, running 30, pending 0; standby running 0; cpu 30 (load 30.000 tasks at 2026-03-01T12:59:00Z, at most 30 in the window); allowed 1 to 25)
    "#]],
    );
    // Somebody set 20, and Ballast raised it since: 20 are left, and no fewer.
    let mut raised = Scene::cpu(30, 60);
    raised.wrote(20, 30, 600, true);
    let noticed_at = raised.ago(1_200);
    raised.memory().foreign = Some(ForeignEdit {
        found: 20,
        wrote: 10,
        noticed_at,
    });
    raised.bounds(1, 19);
    check(
        &raised,
        &expect![[r#"
        hold `demo/web` foreign_change: fewer are needed or allowed, but somebody else set the desired count to 20 after Ballast's 10 (desired 30, running 30, pending 0; standby running 0; cpu 30 (load 30.000 tasks at 2026-03-01T11:59:00Z, at most 30 in the window); allowed 1 to 19), until 2026-03-01T12:40:30Z
    "#]],
    );
    raised.bounds(1, 20);
    check(
        &raised,
        &expect![[r#"
        step `demo/web` above_maximum: set the desired count of `demo/web` from 30 to 20, because allowed are 1 to 20 (desired 30, running 30, pending 0; standby running 0; cpu 30 (load 30.000 tasks at 2026-03-01T11:59:00Z, at most 30 in the window); allowed 1 to 20)
    "#]],
    );
}

#[test]
fn undoing_it_ends_the_hold_at_once() {
    let mut scene = Scene::cpu(20, 30);
    scene.wrote(18, 20, 1_200, true);
    scene.primary().desired_count = 25;
    scene.primary().running_count = 25;
    scene.act();
    assert!(scene.memory().foreign.is_some());
    scene.later(60);
    scene.primary().desired_count = 20;
    scene.primary().running_count = 20;
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 12, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T12:00:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn who_sets_it_to_none_wants_it_off() {
    let mut scene = Scene::cpu(0, 90);
    scene.wrote(8, 11, 600, true);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` switched_off: somebody else set the desired count to 0: the service stays off until somebody sets it to something else (desired 0, running 0, pending 0; standby running 0; cpu 1 (load 0.000 tasks at 2026-03-01T11:59:00Z, at most 1 in the window); allowed 1 to 40)
    "#]],
    );
    scene.act();
    // After any time, and with a minimum.
    scene.later(86_400);
    scene.bounds(3, 40);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` switched_off: somebody else set the desired count to 0: the service stays off until somebody sets it to something else (desired 0, running 0, pending 0; standby running 0; cpu 1 (load 0.000 tasks at 2026-03-02T11:59:00Z, at most 1 in the window); allowed 3 to 40)
    "#]],
    );
    // At first sight too.
    scene.memories.clear();
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` switched_off: somebody else set the desired count to 0: the service stays off until somebody sets it to something else (desired 0, running 0, pending 0; standby running 0; cpu 1 (load 0.000 tasks at 2026-03-02T11:59:00Z, at most 1 in the window); allowed 3 to 40)
    "#]],
    );
    scene.act();
    scene.later(86_400);
    assert!(scene.decide().plan.steps.is_empty());
}

#[test]
fn without_the_ledger_it_is_not_known_who_set_it_to_none() {
    let mut scene = Scene::cpu(0, 90);
    scene.memories.insert(key(), Recall::Unknown);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` memory_unknown: the ledger did not answer: the desired count is not lowered, and not raised from 0 (desired 0, running 0, pending 0; standby running 0; cpu 1 (load 0.000 tasks at 2026-03-01T11:59:00Z, at most 1 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn ballasts_own_none_is_raised_to_the_minimum() {
    let mut scene = Scene::cpu(0, 0);
    scene.wrote(2, 0, 3_600, true);
    scene.bounds(2, 40);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` below_minimum: set the desired count of `demo/web` from 0 to 2, because allowed are 2 to 40 (desired 0, running 0, pending 0; standby running 0; cpu 1 (load 0.000 tasks at 2026-03-01T11:59:00Z, at most 1 in the window); allowed 2 to 40)
    "#]],
    );
    // The raise did not happen, and it is not certain why.
    scene.wrote(0, 2, 61, false);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` below_minimum: set the desired count of `demo/web` from 0 to 2, because allowed are 2 to 40 (desired 0, running 0, pending 0; standby running 0; cpu 1 (load 0.000 tasks at 2026-03-01T11:59:00Z, at most 1 in the window); allowed 2 to 40)
    "#]],
    );
}

#[test]
fn a_write_that_may_not_have_happened_makes_no_none_ballasts_own() {
    let mut scene = Scene::cpu(0, 90);
    scene.wrote(8, 7, 600, false);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` switched_off: somebody else set the desired count to 0: the service stays off until somebody sets it to something else (desired 0, running 0, pending 0; standby running 0; cpu 1 (load 0.000 tasks at 2026-03-01T11:59:00Z, at most 1 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn an_own_write_that_does_not_show_is_waited_for() {
    let mut scene = Scene::cpu(10, 80);
    scene.wrote(10, 14, 59, false);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` own_write_not_visible: Ballast wrote the desired count 14, and AWS still answers 10 (desired 10, running 10, pending 0; standby running 0; cpu 14 (load 13.334 tasks at 2026-03-01T11:59:00Z, at most 14 in the window); allowed 1 to 40), until 2026-03-01T12:00:31Z
    "#]],
    );
    scene.later(1);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 14, because `cpu` needs 14 (desired 10, running 10, pending 0; standby running 0; cpu 14 (load 13.334 tasks at 2026-03-01T11:59:00Z, at most 14 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_confirmed_write_that_was_undone_is_somebody_elses_change() {
    let mut scene = Scene::cpu(20, 30);
    scene.wrote(20, 11, 61, true);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` foreign_change: fewer are needed or allowed, but somebody else set the desired count to 20 after Ballast's 11 (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40), until 2026-03-01T13:00:30Z
    "#]],
    );
}

#[test]
fn a_service_that_was_made_again_is_a_new_one() {
    let mut scene = Scene::cpu(20, 30);
    scene.wrote(8, 11, 600, true);
    scene.primary().created_at = Some(scene.ago(500));
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 12, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
    let at = Seconds(30).after(scene.ago(600));
    scene.primary().created_at = Some(at);
    assert!(text(&scene.decide()).contains("foreign_change"));
}

/// A service that Ballast set to 0 an hour ago, with a queue that needs so many tasks.
fn own_zero(tasks: i64) -> Scene {
    let mut scene = Scene::new(0);
    scene.bounds(0, 40);
    scene.wrote(3, 0, 3_600, true);
    scene.track(TargetName::Alarm, target(100, Measures::Total));
    scene.flat(TargetName::Alarm, Part::Fleet, tasks * 100_000);
    scene
}

#[test]
fn a_look_that_gives_advice_does_not_forget_whose_0_it_is() {
    let mut scene = own_zero(0);
    scene.policy().consent = Consent::Advise;
    scene.act();
    scene.later(60);
    scene.act();
    scene.policy().consent = Consent::Act;
    scene.primary().scaled_by_application_auto_scaling = Some(true);
    scene.later(60);
    scene.act();
    scene.primary().scaled_by_application_auto_scaling = Some(false);
    scene.newest(TargetName::Alarm, Part::Fleet, &[200_000]);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 0 to 2, because `alarm` needs 2 (desired 0, running 0, pending 0; standby running 0; alarm 2 (load 2.000 tasks at 2026-03-01T12:01:00Z, at most 2 in the window); allowed 0 to 40)
    "#]],
    );
}

#[test]
fn a_0_that_somebody_set_meanwhile_is_theirs() {
    let mut scene = own_zero(2);
    scene.policy().consent = Consent::Advise;
    scene.primary().desired_count = 5;
    scene.act();
    scene.primary().desired_count = 0;
    scene.policy().consent = Consent::Act;
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` switched_off: somebody else set the desired count to 0: the service stays off until somebody sets it to something else; its load needs 2 now (desired 0, running 0, pending 0; standby running 0; alarm 2 (load 2.000 tasks at 2026-03-01T11:59:00Z, at most 2 in the window); allowed 0 to 40)
        "#]],
    );
}

#[test]
fn what_is_switched_off_says_what_its_load_needs() {
    let mut scene = own_zero(0);
    scene.wrote(3, 3, 3_600, true);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` switched_off: somebody else set the desired count to 0: the service stays off until somebody sets it to something else (desired 0, running 0, pending 0; standby running 0; alarm 0 (load 0.000 tasks at 2026-03-01T11:59:00Z, at most 0 in the window); allowed 0 to 40)
    "#]],
    );
    scene.newest(TargetName::Alarm, Part::Fleet, &[1_250_000]);
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` switched_off: somebody else set the desired count to 0: the service stays off until somebody sets it to something else; its load needs 13 now (desired 0, running 0, pending 0; standby running 0; alarm 13 (load 12.500 tasks at 2026-03-01T11:59:00Z, at most 13 in the window); allowed 0 to 40)
        "#]],
    );
}

#[test]
fn what_is_switched_off_says_what_a_forecast_adds_beside_it() {
    // 12.5 tasks of load now, 28 ten minutes ago.
    let mut scene = own_zero(0);
    scene.wrote(3, 3, 3_600, true);
    scene.at_minute(TargetName::Alarm, Part::Fleet, 10, 2_800_000);
    scene.newest(TargetName::Alarm, Part::Fleet, &[1_250_000]);
    scene.pace().forecast = true;
    scene.pace().forecast_peak = Seconds(900);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` switched_off: somebody else set the desired count to 0: the service stays off until somebody sets it to something else; its load needs 13 now (desired 0, running 0, pending 0; standby running 0; alarm 13 (load 12.500 tasks at 2026-03-01T11:59:00Z, at most 13 in the window, forecast 28 (peak 28.000 tasks at 2026-03-01T11:49:00Z, no day tells)); allowed 0 to 40)
    "#]],
    );
    // A peak alone is no load.
    scene.newest(TargetName::Alarm, Part::Fleet, &[0]);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` switched_off: somebody else set the desired count to 0: the service stays off until somebody sets it to something else (desired 0, running 0, pending 0; standby running 0; alarm 0 (load 0.000 tasks at 2026-03-01T11:59:00Z, at most 0 in the window, forecast 28 (peak 28.000 tasks at 2026-03-01T11:49:00Z, no day tells)); allowed 0 to 40)
    "#]],
    );
}

#[test]
fn a_persons_lowering_is_not_undone_for_a_load_that_is_past() {
    // 28 tasks of load fifty minutes ago, 5 now; a person sets 30 to 10.
    let mut scene = Scene::new(10);
    scene.track(TargetName::Requests, target(100, Measures::Total));
    scene.flat(TargetName::Requests, Part::Fleet, 500_000);
    scene.at_minute(TargetName::Requests, Part::Fleet, 50, 2_800_000);
    scene.pace().forecast = true;
    scene.pace().forecast_peak = Seconds(3_600);
    scene.wrote(28, 30, 1_800, true);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` waiting_for_peak: the load needs fewer, and by the forecast the peak of 28.000 tasks at 2026-03-01T11:09:00Z, within the last 3600 s, needs 28 (desired 10, running 10, pending 0; standby running 0; requests 5 (load 5.000 tasks at 2026-03-01T11:59:00Z, at most 5 in the window, forecast 28 (peak 28.000 tasks at 2026-03-01T11:09:00Z, no day tells)); allowed 1 to 40), until 2026-03-01T12:10:30Z
    "#]],
    );
    // What the newest load needs it gets.
    let mut busy = scene.clone();
    busy.newest(TargetName::Requests, Part::Fleet, &[1_200_000]);
    check(
        &busy,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 12, because `requests` needs 12 (desired 10, running 10, pending 0; standby running 0; requests 12 (load 12.000 tasks at 2026-03-01T11:59:00Z, at most 12 in the window, forecast 28 (peak 28.000 tasks at 2026-03-01T11:09:00Z, no day tells)); allowed 1 to 40)
    "#]],
    );
    // A count that somebody raised is no wish for fewer.
    scene.wrote(8, 9, 1_800, true);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 20, because the forecast of `requests` needs 28, and one step goes no further (desired 10, running 10, pending 0; standby running 0; requests 5 (load 5.000 tasks at 2026-03-01T11:59:00Z, at most 5 in the window, forecast 28 (peak 28.000 tasks at 2026-03-01T11:09:00Z, no day tells)); allowed 1 to 40)
    "#]],
    );
}
