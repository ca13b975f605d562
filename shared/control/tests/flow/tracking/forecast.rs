//! The forecast: the days before raise ahead of a load, and a recent peak keeps what it needed for a while.

use expect_test::{Expect, expect};
use world::load::{History, LoadCurve};

use super::stage::{Handled, Scene, Stage};

/// The minute of the load's day with the first requests more.
const RISES_AT: u32 = 30;

/// A day like the three before it: a load for six tasks at the target doubles within six minutes, for an hour. Tasks are to be asked for
/// three minutes before they serve.
fn like_the_days_before() -> Scene {
    let rise = LoadCurve::ramp(360, 720, 7);
    let of_minute = |minute: usize| match minute {
        30..36 => rise.at(minute - 29),
        36..90 => 720,
        _ => 360,
    };
    let day = LoadCurve::per_minute((0..1_440).map(of_minute).collect());
    Scene {
        load: day.clone(),
        history: Some(History::days(day, 3)),
        ..Scene::default()
    }
    .tag("ballast:start-up-secs", "180")
}

/// A minute passes, and the schedule's sweep does its work. Gives what was decided, as an operator reads it.
async fn swept(stage: &Stage) -> String {
    let Handled {
        record, failure, ..
    } = stage.sweep_for(1).await;
    assert_eq!(failure, None, "{record:#?}");
    let steps = record.plan.steps.iter().map(|it| it.step.to_string());
    let holds = record.plan.holds.iter().map(|it| it.hold.to_string());
    let lines: Vec<String> = steps.chain(holds).collect();
    lines.join("\n")
}

/// What is decided in each minute until this one of the load's day.
async fn until(stage: &Stage, from_minute: u32, minute: u32) -> Vec<String> {
    let mut lines = Vec::new();
    for _ in from_minute..minute {
        lines.push(swept(stage).await);
    }
    lines
}

/// The first line that begins so.
fn check(lines: &[String], begins: &str, want: &Expect) {
    let line = lines.iter().find(|it| it.starts_with(begins));
    want.assert_eq(line.map_or("", String::as_str));
}

/// The first task more is asked for before the load comes, and each serves in time: no request finds tasks above their limit.
#[tokio::test]
async fn the_days_before_raise_ahead_of_the_load() {
    let scene = like_the_days_before().tag("ballast:forecast", "true");
    let minute = scene.lasted_minutes;
    let stage = scene.open().await;
    let lines = until(&stage, minute, RISES_AT).await;
    check(
        &lines,
        "step `demo/web` scale_out",
        &expect![
            "step `demo/web` scale_out: set the desired count of `demo/web` from 6 to 7, because the forecast of `cpu` needs 7 (desired 6, running 6, pending 0; standby running 0; cpu 6 (load 6.000 tasks at 2026-03-02T09:29:00Z, at most 6 in the window, forecast 7 (days grew 3.3 %)); allowed 2 to 30)"
        ],
    );
    assert_eq!(stage.desired(), (10, 0), "{lines:#?}");
    let lines = until(&stage, RISES_AT, RISES_AT + 30).await;
    assert_eq!(stage.over_limit_requests(), 0, "{lines:#?}");
    // While the load still rises the means of five minutes lag behind it, so that a little more than twice is expected.
    let (primary, standby) = stage.desired();
    assert!((12..=15).contains(&primary) && standby == 0, "{lines:#?}");
}

/// The same day without the forecast: nothing is raised before the load comes, and its first minutes find too few tasks.
#[tokio::test]
async fn without_a_forecast_the_first_minutes_find_too_few_tasks() {
    let scene = like_the_days_before();
    let minute = scene.lasted_minutes;
    let stage = scene.open().await;
    let lines = until(&stage, minute, RISES_AT).await;
    assert_eq!(stage.desired(), (6, 0), "{lines:#?}");
    let lines = until(&stage, RISES_AT, RISES_AT + 30).await;
    assert!(stage.over_limit_requests() > 0, "{lines:#?}");
}

/// Ten minutes of twice the load, on a day after three without. What its last minute, the 29th, needed is asked for a quarter of an hour
/// after it ended, and until the next value has come; then it is given back.
#[tokio::test]
async fn a_peak_keeps_what_it_needed_until_it_is_past() {
    let scene = Scene {
        load: LoadCurve::spike(360, 720, 20, 10, 1_440),
        history: Some(History::days(LoadCurve::flat(360), 3)),
        ..Scene::default()
    }
    .tag("ballast:forecast", "true")
    .tag("ballast:forecast-peak-secs", "900");
    let minute = scene.lasted_minutes;
    let stage = scene.open().await;
    let lines = until(&stage, minute, 45).await;
    assert_eq!(stage.desired(), (12, 0), "{lines:#?}");
    let waits = "hold `demo/web` waiting_for_peak";
    check(
        &lines,
        waits,
        &expect![
            "hold `demo/web` waiting_for_peak: the load needs fewer, and by the forecast the peak of 12.000 tasks at 2026-03-02T09:35:00Z, within the last 900 s, needs 12 (desired 12, running 12, pending 0; standby running 0; cpu 6 (load 6.000 tasks at 2026-03-02T09:36:00Z, at most 13 in the window, forecast 12 (peak 12.000 tasks at 2026-03-02T09:35:00Z, days grew 0.0 %)); allowed 2 to 30), until 2026-03-02T09:52:03Z"
        ],
    );
    let waited = lines.iter().rev().take_while(|it| it.starts_with(waits));
    assert_eq!(waited.count(), 14, "{lines:#?}");
    let lines = until(&stage, 45, 46).await;
    check(
        &lines,
        "step `demo/web` scale_in",
        &expect![
            "step `demo/web` scale_in: set the desired count of `demo/web` from 12 to 7, because for 300 s no target needed more than 6, and the tolerance above it is kept (desired 12, running 12, pending 0; standby running 0; cpu 6 (load 6.000 tasks at 2026-03-02T09:50:00Z, at most 6 in the window, forecast 6 (days grew 0.0 %)); allowed 2 to 30)"
        ],
    );
    let lines = until(&stage, 46, 60).await;
    assert_eq!(stage.desired(), (7, 0), "{lines:#?}");
}
