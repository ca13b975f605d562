//! The same time of earlier days.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model::tracking::{Reading, TargetName};
use serde_json::Value;

use crate::scene::{NOW, Scene, metrics, secs, value};
use crate::support::{Eye, error, fleet, gaps, services, values};

const DAY: i64 = 86_400;

fn scene() -> Scene {
    Scene::tracked(1)
        .tag("ballast:forecast", "true")
        .tag("ballast:metric-resolution-secs", "20")
}

/// The value of each day is its number, counted back from today; of the count of tasks 12, three for each of 4 tasks.
fn of_day(query: &Value, at: i64) -> f64 {
    let days = (NOW - at).div_euclid(DAY) + i64::from((NOW - at).rem_euclid(DAY) > DAY / 2);
    match query["MetricStat"]["Stat"].as_str() {
        Some("SampleCount") => 12.0,
        _ => f64::from(i32::try_from(days).unwrap()),
    }
}

fn answer(operation: &str, input: &Value) -> Value {
    match operation {
        "GetMetricData" if secs(&input["EndTime"]) < NOW => {
            metrics(input, |query, at| Some(of_day(query, at)))
        }
        _ => scene().answer(operation, input),
    }
}

#[tokio::test]
async fn three_days_are_read_about_this_time_of_day() {
    let eye = Eye::on(answer).await;
    let snapshot = eye.look(&services(&["web-0"])).await;
    assert_eq!(gaps(&snapshot), []);
    let fleet = fleet(&snapshot, "web-0");
    let Reading::Read { season, recent } = &fleet.readings[&TargetName::Cpu] else {
        panic!("{:?}", fleet.readings);
    };
    assert_eq!(recent[0].period.0, 20);
    let [cpu] = season.as_slice() else {
        panic!("{season:?}");
    };
    // From 10 minutes before to 45 after, in periods that are kept for so long.
    assert_eq!(
        (cpu.period.0, cpu.points.len(), cpu.is_complete),
        (60, 3 * 55, true)
    );
    assert_eq!(cpu.points[0].at.as_second(), NOW - 3 * DAY - 600);
    assert_eq!(cpu.points[164].at.as_second(), NOW - DAY + 44 * 60);
    assert!(cpu.points.is_sorted_by(|a, b| a.at < b.at));
    let days = values(cpu);
    assert!(days[..55].iter().all(|it| *it == 3_000), "{days:?}");
    assert!(days[110..].iter().all(|it| *it == 1_000), "{days:?}");
    // 12 samples of a minute, of 20 seconds each, are 4 tasks.
    let [tasks] = fleet.season_task_counts.as_slice() else {
        panic!("{:?}", fleet.season_task_counts);
    };
    assert!(values(tasks).iter().all(|it| *it == 4_000));
    assert!(eye.counts().contains("4 GetMetricData"));
}

#[tokio::test]
async fn for_a_peak_the_look_goes_farther_back_and_ahead() {
    let with_peak = |secs: &str| scene().tag("ballast:forecast-peak-secs", secs);
    let secs = Arc::new(AtomicI64::new(0));
    let of_eye = Arc::clone(&secs);
    let eye = Eye::on(move |operation, input| match operation {
        "DescribeServices" => {
            let secs = of_eye.load(Ordering::Relaxed).to_string();
            with_peak(&secs).answer(operation, input)
        }
        _ => answer(operation, input),
    })
    .await;
    // The number of minutes of a day, when the first is, and how far back the recent values go.
    for (peak_secs, minutes, before_secs, recent_secs) in [
        (0, 55, 600, 2_700),
        (300, 65, 900, 2_700),
        // Half an hour more than the peak, which is longer than the window.
        (3_600, 175, 4_200, 5_400),
    ] {
        secs.store(peak_secs, Ordering::Relaxed);
        let snapshot = eye.look(&services(&["web-0"])).await;
        assert_eq!(gaps(&snapshot), []);
        let fleet = fleet(&snapshot, "web-0");
        let Reading::Read { season, recent } = &fleet.readings[&TargetName::Cpu] else {
            panic!("{:?}", fleet.readings);
        };
        let first = season[0].points[0].at.as_second();
        assert_eq!(season[0].points.len(), 3 * minutes, "{peak_secs}");
        assert_eq!(first, NOW - 3 * DAY - before_secs, "{peak_secs}");
        assert_eq!(recent[0].points[0].at.as_second(), NOW - recent_secs);
        // What was read for another peak is read anew, in as many calls.
        let counts = eye.counts();
        assert!(counts.contains("4 GetMetricData"), "{counts}");
    }
}

#[tokio::test]
async fn what_was_read_is_kept_and_a_target_that_is_new_is_read() {
    let tags = Arc::new(AtomicI64::new(0));
    let of_eye = Arc::clone(&tags);
    let eye = Eye::on(move |operation, input| match operation {
        "DescribeServices" if of_eye.load(Ordering::Relaxed) > 0 => scene()
            .tag("ballast:target-memory-percent", "70")
            .answer(operation, input),
        _ => answer(operation, input),
    })
    .await;
    let mut seen = Vec::new();
    for (is_new, get_metric_data) in [(0, 4), (0, 1), (1, 4), (1, 1)] {
        tags.store(is_new, Ordering::Relaxed);
        let snapshot = eye.look(&services(&["web-0"])).await;
        let counts = eye.counts();
        assert!(
            counts.contains(&format!("{get_metric_data} GetMetricData")),
            "{counts}"
        );
        seen.push(snapshot);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[2], seen[3]);
    assert_eq!(fleet(&seen[3], "web-0").readings.len(), 2);
}

#[tokio::test]
async fn days_that_were_not_read_leave_a_gap_and_are_asked_for_again() {
    let eye = Eye::on(move |operation, input| match operation {
        "GetMetricData" if secs(&input["EndTime"]) < NOW - DAY => error("Throttling", "no"),
        _ => answer(operation, input),
    })
    .await;
    for _ in 0..2 {
        let snapshot = eye.look(&services(&["web-0"])).await;
        let gaps = gaps(&snapshot);
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        let Reading::Read { season, .. } = &fleet(&snapshot, "web-0").readings[&TargetName::Cpu]
        else {
            panic!();
        };
        // The day that was read tells.
        assert_eq!((season[0].points.len(), season[0].is_complete), (55, true));
        assert!(eye.counts().contains("4 GetMetricData"));
    }
}

#[tokio::test]
async fn a_day_of_which_a_part_was_not_read_is_left_out_of_its_target_alone() {
    let eye = Eye::on(move |operation, input| match operation {
        "DescribeServices" => scene()
            .tag("ballast:target-memory-percent", "70")
            .answer(operation, input),
        "GetMetricData" => {
            let ends = secs(&input["EndTime"]);
            let mut answered = answer(operation, input);
            if NOW - 3 * DAY / 2 < ends && ends < NOW - DAY / 2 {
                // Yesterday: of the memory not all was given.
                let asked = input["MetricDataQueries"].as_array().unwrap().iter();
                let results = answered["MetricDataResults"].as_array_mut().unwrap();
                for (query, result) in asked.zip(results) {
                    if query["MetricStat"]["Metric"]["MetricName"] == "MemoryUtilization" {
                        result["StatusCode"] = "InternalError".into();
                    }
                }
            }
            answered
        }
        _ => answer(operation, input),
    })
    .await;
    for _ in 0..2 {
        let snapshot = eye.look(&services(&["web-0"])).await;
        assert_eq!(gaps(&snapshot).len(), 1, "{snapshot:?}");
        let fleet = fleet(&snapshot, "web-0");
        for (target, days) in [(TargetName::Cpu, 3), (TargetName::Memory, 2)] {
            let Reading::Read { season, .. } = &fleet.readings[&target] else {
                panic!("{:?}", fleet.readings);
            };
            assert_eq!(
                (season[0].points.len(), season[0].is_complete),
                (55 * days, true)
            );
        }
        assert_eq!(fleet.season_task_counts[0].points.len(), 3 * 55);
        assert!(eye.counts().contains("4 GetMetricData"));
    }
}

#[tokio::test]
async fn without_the_tag_no_earlier_day_is_read() {
    let eye = Eye::on(|operation, input| match operation {
        "GetMetricData" => metrics(input, |query, at| Some(value(query, at))),
        _ => Scene::tracked(1).answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&services(&["web-0"])).await;
    let fleet = fleet(&snapshot, "web-0");
    assert_eq!(fleet.season_task_counts, []);
    let asked = eye.asked().into_iter().filter(|it| it.0 == "GetMetricData");
    assert_eq!(asked.count(), 1);
    let text = serde_json::to_string(fleet).unwrap();
    assert!(!text.contains("season"), "{text}");
}
