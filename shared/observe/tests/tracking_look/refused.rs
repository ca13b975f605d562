//! Queries of alarms that CloudWatch refuses: they take no other with them, and are found once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use model::tracking::{Reading, TargetName, TrackingSnapshot, UnusableMetric};
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::{Eye, clusters, error, fleet, gaps, services};

const SERVICES: usize = 200;

fn scene() -> Scene {
    Scene::tracked(SERVICES)
        .without_cpu()
        .tag("ballast:target-alarm", "any")
        .tag("ballast:target-value", "10")
        .tag("ballast:target-measures", "per-task")
}

/// Two hundred services with an alarm each, `watched-0` and so on, in one cluster. Those of `odd` hold an expression that CloudWatch
/// refuses, until they are mended.
fn answer(odd: &[usize], is_mended: bool, operation: &str, input: &Value) -> Value {
    match operation {
        "DescribeAlarms" => {
            let asked = input["AlarmNames"].as_array().unwrap().iter();
            let alarms = asked.map(|name| {
                let number: usize = name.as_str().unwrap()["watched-".len()..].parse().unwrap();
                let is_odd = odd.contains(&number) && !is_mended;
                let metric = json!({"Namespace": "Jobs", "MetricName": format!("waiting-{number}")});
                json!({"AlarmName": name, "Metrics": [
                    {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": false},
                    {"Id": "e", "Expression": if is_odd { "refused(m)" } else { "m * 2" }, "ReturnData": true},
                ]})
            });
            json!({"MetricAlarms": alarms.collect::<Vec<_>>()})
        }
        "DescribeServices" => {
            let mut answer = scene().answer(operation, input);
            for service in answer["services"].as_array_mut().unwrap() {
                let name = service["serviceName"].as_str().unwrap();
                let alarm = name.replace("web-", "watched-");
                let tags = service["tags"].as_array_mut().unwrap().iter_mut();
                let mut tags = tags.filter(|it| it["key"] == "ballast:target-alarm");
                tags.next().unwrap()["value"] = json!(alarm);
            }
            answer
        }
        "GetMetricData" if input.to_string().contains("refused") => {
            error("ValidationError", "Error in expression: refused")
        }
        _ => scene().answer(operation, input),
    }
}

/// An eye on them, and what mends the alarms.
async fn eye(odd: &'static [usize]) -> (Eye, Arc<AtomicBool>) {
    let is_mended = Arc::new(AtomicBool::new(false));
    let mended = Arc::clone(&is_mended);
    let eye = Eye::on(move |operation, input| {
        answer(odd, mended.load(Ordering::Relaxed), operation, input)
    });
    (eye.await, is_mended)
}

/// How many calls of GetMetricData a look takes, and of which services the target cannot be followed for CloudWatch's refusal.
async fn look(eye: &Eye) -> (usize, BTreeSet<String>) {
    let snapshot = eye.look(&clusters(&["demo"])).await;
    assert_eq!(gaps(&snapshot), []);
    assert_eq!(snapshot.fleets.len(), SERVICES);
    let calls = eye.asked().into_iter();
    (
        calls.filter(|it| it.0 == "GetMetricData").count(),
        refused(&snapshot),
    )
}

fn refused(snapshot: &TrackingSnapshot) -> BTreeSet<String> {
    let mut refused = BTreeSet::new();
    for (key, fleet) in &snapshot.fleets {
        match &fleet.readings[&TargetName::Alarm] {
            Reading::Read { recent, .. } => assert_eq!(recent.len(), 1, "{key}"),
            Reading::Unusable {
                why: UnusableMetric::QueryRefused { detail, .. },
            } => {
                assert_eq!(detail, "ValidationError: Error in expression: refused");
                refused.insert(key.0.service.to_string());
            }
            other @ (Reading::Unusable { .. } | Reading::Unread) => panic!("{key}: {other:?}"),
        }
    }
    refused
}

fn names(numbers: &[usize]) -> BTreeSet<String> {
    numbers.iter().map(|it| format!("web-{it}")).collect()
}

/// One of two hundred: the task counts, the call that is refused, and twice 8 halves until it is found. Later looks leave it out and say
/// the same, until the alarm is defined anew.
#[tokio::test]
async fn one_that_is_refused_is_found_in_halves_and_left_out_from_then_on() {
    let (eye, is_mended) = eye(&[7]).await;
    assert_eq!(look(&eye).await, (2 + 16, names(&[7])));
    for _ in 0..3 {
        assert_eq!(look(&eye).await, (2, names(&[7])));
    }
    is_mended.store(true, Ordering::Relaxed);
    assert_eq!(look(&eye).await, (2, names(&[])));
}

#[tokio::test]
async fn several_that_are_refused_are_found_each() {
    let (eye, _) = eye(&[0, 1, 99, 100, 199]).await;
    let (calls, refused) = look(&eye).await;
    assert_eq!(refused, names(&[0, 1, 99, 100, 199]));
    assert!(calls <= 2 + 5 * 16, "{calls}");
    assert_eq!(look(&eye).await, (2, refused));
}

/// Where nothing can be known of a target, its earlier days are not asked for either: the three days' calls are for the task counts.
#[tokio::test]
async fn of_a_target_that_is_refused_no_earlier_day_is_read() {
    let eye = Eye::on(|operation, input| match operation {
        "DescribeServices" => {
            let mut answer = answer(&[0], false, operation, input);
            for service in answer["services"].as_array_mut().unwrap() {
                let forecast = json!({"key": "ballast:forecast", "value": "true"});
                service["tags"].as_array_mut().unwrap().push(forecast);
            }
            answer
        }
        _ => answer(&[0], false, operation, input),
    })
    .await;
    let snapshot = eye.look(&services(&["web-0"])).await;
    assert_eq!(gaps(&snapshot), []);
    let fleet = fleet(&snapshot, "web-0");
    assert_eq!(fleet.season_task_counts.len(), 1);
    // The recent task counts, the alarm's refusal, and three days.
    let mut asked = eye.asked();
    asked.retain(|it| it.0 == "GetMetricData");
    assert_eq!(asked.len(), 5, "{asked:?}");
    let refused = asked
        .iter()
        .filter(|it| it.1.to_string().contains("refused"));
    assert_eq!(refused.count(), 1);
}

/// Who else scales is known before anything is asked of CloudWatch: without it nothing may be done with what was measured.
#[tokio::test]
async fn who_else_scales_is_asked_first() {
    let (eye, _) = eye(&[7]).await;
    eye.look(&clusters(&["demo"])).await;
    let asked = eye.asked();
    let place = |name: &str| asked.iter().position(|it| it.0 == name).unwrap();
    let last_target = asked
        .iter()
        .rposition(|it| it.0 == "DescribeScalableTargets");
    let first = place("GetMetricData").min(place("DescribeAlarms"));
    assert!(last_target.unwrap() < first, "{asked:?}");
}
