//! Answers that are not whole, not numbers or not in order.

use model::snapshot::GapCause;
use model::tracking::{Part, Reading, TargetName, UnusableMetric};
use serde_json::{Value, json};

use crate::scene::{NOW, Scene, metrics, points, result, value};
use crate::support::{Eye, error, fleet, gaps, recent, services, values};

/// A look at one service by its CPU, with this in place of CloudWatch's answer.
async fn seen(
    answer: impl Fn(&Value) -> Value + Send + Sync + 'static,
) -> model::tracking::TrackingSnapshot {
    let scene = Scene::tracked(1);
    let eye = Eye::on(move |operation, input| match operation {
        "GetMetricData" => answer(input),
        _ => scene.answer(operation, input),
    })
    .await;
    eye.look(&services(&["web-0"])).await
}

#[tokio::test]
async fn the_window_and_half_an_hour_are_seen_oldest_first() {
    let snapshot = seen(|input| metrics(input, |query, at| Some(value(query, at)))).await;
    assert_eq!(gaps(&snapshot), []);
    let fleet = fleet(&snapshot, "web-0");
    let [cpu] = recent(fleet, TargetName::Cpu) else {
        panic!("{:?}", fleet.readings);
    };
    assert_eq!((cpu.part, cpu.period.0), (Part::Primary, 60));
    assert!(cpu.is_complete);
    // The window of 15 minutes and half an hour more; the endpoint's time is a full hour.
    assert_eq!(cpu.points.len(), 45);
    assert_eq!(cpu.points[44].at.as_second(), NOW - 60);
    assert_eq!(cpu.points[44].value_milli, 59_500);
    assert!(cpu.points.is_sorted_by_key(|it| it.at));
    let [tasks] = fleet.task_counts.as_slice() else {
        panic!("{:?}", fleet.task_counts);
    };
    assert!(values(tasks).iter().all(|it| *it == 4_000));
}

#[tokio::test]
async fn what_is_no_number_is_left_out_and_counted() {
    let odd = |query: &Value, at: i64| match (NOW - at) / 60 {
        1 => Some(f64::NAN),
        2 => Some(f64::INFINITY),
        3 => Some(-1e300),
        _ => Some(value(query, at)),
    };
    let snapshot = seen(move |input| metrics(input, odd)).await;
    let cpu = &recent(fleet(&snapshot, "web-0"), TargetName::Cpu)[0];
    assert_eq!((cpu.points.len(), cpu.unusable), (42, 3));
    assert_eq!(cpu.points[41].at.as_second(), NOW - 240);
}

#[tokio::test]
async fn values_that_cloudwatch_dropped_are_counted() {
    let dropped = |input: &Value| {
        let mut answer = metrics(input, |query, at| Some(value(query, at)));
        answer["MetricDataResults"][1]["Messages"] = json!([
            {"Code": "ArithmeticError", "Value": "One or more data-points have been dropped"},
        ]);
        answer
    };
    let snapshot = seen(dropped).await;
    assert_eq!(gaps(&snapshot), []);
    let cpu = &recent(fleet(&snapshot, "web-0"), TargetName::Cpu)[0];
    assert_eq!((cpu.unusable, cpu.is_complete), (1, true));
}

#[tokio::test]
async fn gaps_duplicates_and_a_metric_without_values() {
    // Every other minute, in the wrong order, and the newest twice: the one that comes last counts.
    let odd = |input: &Value| {
        let queries = input["MetricDataQueries"].as_array().unwrap();
        let results = queries.iter().map(|query| {
            let is_count = query["MetricStat"]["Stat"] == "SampleCount";
            let of = |query: &Value, at: i64| {
                ((at / 60) % 2 == 0 && !is_count).then(|| value(query, at))
            };
            let mut points = points(query, input, of);
            points.reverse();
            if let Some((at, value)) = points.last().copied() {
                points.push((at, value + 1.0));
            }
            result(query, &points)
        });
        json!({"MetricDataResults": results.collect::<Vec<_>>()})
    };
    let snapshot = seen(odd).await;
    assert_eq!(gaps(&snapshot), []);
    let fleet = fleet(&snapshot, "web-0");
    let cpu = &recent(fleet, TargetName::Cpu)[0];
    assert_eq!(cpu.points.len(), 22);
    assert_eq!(cpu.points[21].value_milli, 59_500);
    assert!(cpu.points.is_sorted_by(|a, b| a.at < b.at));
    assert!(fleet.task_counts[0].points.is_empty() && fleet.task_counts[0].is_complete);
}

/// Three pages, the newest values on the first.
fn paged(input: &Value, last: &Value) -> Value {
    let page = match input["NextToken"].as_str() {
        None => 0,
        Some(token) => token.parse::<usize>().unwrap(),
    };
    let queries = input["MetricDataQueries"].as_array().unwrap();
    let results = queries.iter().map(|query| {
        let points = points(query, input, |query, at| Some(value(query, at)));
        let mut result = result(query, &points[page * 15..(page + 1) * 15]);
        if page < 2 {
            result["StatusCode"] = json!("PartialData");
        }
        result
    });
    let mut answer = json!({"MetricDataResults": results.collect::<Vec<_>>()});
    if page < 2 {
        answer["NextToken"] = json!((page + 1).to_string());
    } else if last.is_object() {
        return last.clone();
    }
    answer
}

#[tokio::test]
async fn pages_are_joined() {
    let snapshot = seen(|input| paged(input, &Value::Null)).await;
    assert_eq!(gaps(&snapshot), []);
    let cpu = &recent(fleet(&snapshot, "web-0"), TargetName::Cpu)[0];
    assert_eq!((cpu.points.len(), cpu.is_complete), (45, true));
}

#[tokio::test]
async fn a_page_that_fails_leaves_what_the_others_said_and_a_gap() {
    let snapshot = seen(|input| paged(input, &error("InternalServiceFault", "no"))).await;
    let gaps = gaps(&snapshot);
    let [(place, gap)] = gaps.as_slice() else {
        panic!("{gaps:?}");
    };
    assert_eq!((place.as_str(), gap.cause), ("web-0", GapCause::Other));
    let cpu = &recent(fleet(&snapshot, "web-0"), TargetName::Cpu)[0];
    assert_eq!((cpu.points.len(), cpu.is_complete), (30, false));
    assert_eq!(cpu.points[29].at.as_second(), NOW - 60);
}

#[tokio::test]
async fn a_status_other_than_complete_is_a_gap() {
    for (status, cause) in [
        ("PartialData", GapCause::Other),
        ("InternalError", GapCause::Other),
        ("Forbidden", GapCause::AccessDenied),
        ("SomethingNew", GapCause::Other),
    ] {
        let snapshot = seen(move |input| {
            let mut answer = metrics(input, |query, at| Some(value(query, at)));
            answer["MetricDataResults"][1]["StatusCode"] = json!(status);
            answer
        })
        .await;
        let gaps = gaps(&snapshot);
        assert_eq!(gaps.len(), 1, "{status}: {gaps:?}");
        assert_eq!((gaps[0].0.as_str(), gaps[0].1.cause), ("web-0", cause));
        assert!(gaps[0].1.detail.contains(status), "{gaps:?}");
        let cpu = &recent(fleet(&snapshot, "web-0"), TargetName::Cpu)[0];
        assert!(!cpu.is_complete, "{status}");
    }
}

#[tokio::test]
async fn an_answer_without_a_result_leaves_the_target_unread() {
    let snapshot = seen(|_| json!({"MetricDataResults": []})).await;
    let gaps = gaps(&snapshot);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!(gaps[0].1.detail, "the answer has nothing of it");
    let fleet = fleet(&snapshot, "web-0");
    assert_eq!(fleet.readings[&TargetName::Cpu], Reading::Unread);
    assert!(fleet.task_counts.is_empty());
}

#[tokio::test]
async fn a_message_about_the_whole_call_is_a_gap() {
    let snapshot = seen(|input| {
        let mut answer = metrics(input, |query, at| Some(value(query, at)));
        answer["Messages"] = json!([{"Code": "MaxMetricsExceeded", "Value": "too many"}]);
        answer
    })
    .await;
    let gaps = gaps(&snapshot);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!(gaps[0].1.detail, "MaxMetricsExceeded: too many");
}

#[tokio::test]
async fn requests_are_counted_with_exactly_one_target_group() {
    let other =
        "arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/api/0123456789abcdef";
    let scene = |groups: Vec<Value>| {
        let scene = Scene::tracked(1).tag("ballast:target-requests-per-task-minute", "600");
        move |operation: &str, input: &Value| {
            let mut answer = scene.answer(operation, input);
            if operation == "DescribeServices" {
                answer["services"][0]["loadBalancers"] = json!(groups);
            }
            answer
        }
    };
    let group = |arn: &str| json!({"targetGroupArn": arn});
    // Traffic is shifted between the two, so that at any time one of them has no requests.
    let shifting = |arn: &str, alternate: &str| {
        let advanced = json!({"alternateTargetGroupArn": alternate});
        json!({"targetGroupArn": arn, "advancedConfiguration": advanced})
    };
    let one = crate::scene::TARGET_GROUP;
    for (groups, count) in [
        (vec![], 0),
        (vec![group(one), group(other)], 2),
        (vec![json!({"loadBalancerName": "classic"})], 0),
        (vec![shifting(one, other)], 2),
        (vec![group(one), shifting(one, other)], 2),
    ] {
        let eye = Eye::on(scene(groups)).await;
        let snapshot = eye.look(&services(&["web-0"])).await;
        assert_eq!(gaps(&snapshot), []);
        let why = UnusableMetric::TargetGroups { count };
        let readings = &fleet(&snapshot, "web-0").readings;
        assert_eq!(readings[&TargetName::Requests], Reading::Unusable { why });
        assert!(matches!(readings[&TargetName::Cpu], Reading::Read { .. }));
    }
    // Two ports of one target group are one target group.
    let eye = Eye::on(scene(vec![group(one), group(one)])).await;
    let snapshot = eye.look(&services(&["web-0"])).await;
    let requests = &recent(fleet(&snapshot, "web-0"), TargetName::Requests)[0];
    assert_eq!((requests.part, requests.points.len()), (Part::Fleet, 45));
    let asked = eye.asked();
    let (_, input) = asked.iter().find(|it| it.0 == "GetMetricData").unwrap();
    let queries = input["MetricDataQueries"].as_array().unwrap();
    let query = queries
        .iter()
        .find(|it| it.to_string().contains("ApplicationELB"));
    assert_eq!(
        query.unwrap()["MetricStat"],
        json!({
            "Metric": {
                "Namespace": "AWS/ApplicationELB", "MetricName": "RequestCountPerTarget",
                "Dimensions": [{"Name": "TargetGroup", "Value": "targetgroup/web/0123456789abcdef"}],
            },
            "Period": 60, "Stat": "Sum",
        })
    );
}
