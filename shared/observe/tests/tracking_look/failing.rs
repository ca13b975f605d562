//! Calls that fail: each leaves a gap where it belongs, and nothing else is lost.

use std::time::Duration;

use model::snapshot::{GapCause, Scope, Standby};
use model::tracking::{Reading, TargetName, TrackingSnapshot};
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::{Eye, clusters, error, fleet, gaps, services};

/// A pair with an alarm's metric beside its CPU, and an answer to everything.
fn answer(operation: &str, input: &Value) -> Value {
    let scene = Scene::tracked(1)
        .paired()
        .tag("ballast:target-alarm", "backlog")
        .tag("ballast:target-value", "10")
        .tag("ballast:target-measures", "per-task")
        .tag("ballast:forecast", "true");
    match operation {
        "DescribeAlarms" => json!({"MetricAlarms": [{
            "AlarmName": "backlog", "Namespace": "Jobs", "MetricName": "backlog", "Statistic": "Maximum", "Period": 60,
        }]}),
        "DescribeServices" => {
            let mut answer = scene.answer(operation, input);
            let services = answer["services"].as_array_mut().unwrap();
            for service in services
                .iter_mut()
                .filter(|it| it["serviceName"] == "web-0")
            {
                // Tasks are missing, so that the groups under it are of interest.
                service["runningCount"] = json!(2);
                service["capacityProviderStrategy"] =
                    json!([{"capacityProvider": "spot", "base": 0, "weight": 1}]);
            }
            answer
        }
        "DescribeCapacityProviders" => json!({"capacityProviders": [{
            "name": "spot", "autoScalingGroupProvider": {
                "autoScalingGroupArn": "arn:aws:autoscaling:us-west-2:111122223333:autoScalingGroup:1:autoScalingGroupName/spot",
            },
        }], "failures": []}),
        "DescribeAutoScalingGroups" => json!({"AutoScalingGroups": [{
            "AutoScalingGroupName": "spot", "MinSize": 0, "MaxSize": 7, "DesiredCapacity": 5, "DefaultCooldown": 300,
            "AvailabilityZones": ["us-west-2a"], "HealthCheckType": "EC2", "CreatedTime": "2026-01-01T00:00:00Z",
        }]}),
        _ => scene.answer(operation, input),
    }
}

/// Every operation, with the place of the gap that its failure leaves in a look at the pair's services and in one at everything.
const OPERATIONS: [(&str, &str, &str); 8] = [
    ("ListClusters", "", "snapshot"),
    ("ListServices", "", "snapshot"),
    ("DescribeServices", "passed over web-0", "passed over web-0"),
    ("DescribeAlarms", "web-0", "web-0"),
    ("GetMetricData", "web-0", "web-0"),
    ("DescribeScalableTargets", "web-0", "web-0"),
    ("DescribeCapacityProviders", "web-0", "web-0"),
    ("DescribeAutoScalingGroups", "web-0", "web-0"),
];

async fn seen(scope: &Scope, operation: &'static str, code: &'static str) -> TrackingSnapshot {
    let eye = Eye::on(move |name, input| {
        if name == operation {
            error(code, "no")
        } else {
            answer(name, input)
        }
    })
    .await;
    eye.look(scope).await
}

#[tokio::test]
async fn a_look_without_failures_has_no_gaps() {
    for scope in [services(&["web-0"]), clusters(&[])] {
        let snapshot = seen(&scope, "none", "none").await;
        assert_eq!(gaps(&snapshot), []);
        let fleet = fleet(&snapshot, "web-0");
        let group = fleet.groups.values().next().unwrap();
        assert_eq!((group.desired_capacity, group.max_size), (5, 7));
        assert!(matches!(fleet.standby, Some(Standby::Present(_))));
        assert_eq!(
            fleet.primary.scaled_by_application_auto_scaling,
            Some(false)
        );
    }
}

#[tokio::test]
async fn each_call_that_fails_leaves_its_gap_where_it_belongs() {
    for (code, cause) in [
        ("AccessDeniedException", GapCause::AccessDenied),
        ("ThrottlingException", GapCause::Throttled),
        ("ServerException", GapCause::Other),
    ] {
        for (operation, of_named, of_all) in OPERATIONS {
            for (scope, want) in [(services(&["web-0"]), of_named), (clusters(&[]), of_all)] {
                let snapshot = seen(&scope, operation, code).await;
                let gaps = gaps(&snapshot);
                let places: Vec<&str> = gaps.iter().map(|(place, _)| place.as_str()).collect();
                let is_all_there = want.is_empty() == places.is_empty();
                let is_there = places.iter().all(|it| it.starts_with(want));
                assert!(is_all_there && is_there, "{operation} {code}: {gaps:?}");
                assert!(gaps.iter().all(|(_, it)| it.cause == cause), "{gaps:?}");
            }
        }
    }
}

#[tokio::test]
async fn throttled_metrics_leave_every_target_unread() {
    let snapshot = seen(
        &services(&["web-0"]),
        "GetMetricData",
        "ThrottlingException",
    )
    .await;
    let fleet = fleet(&snapshot, "web-0");
    for target in [TargetName::Cpu, TargetName::Alarm] {
        assert_eq!(fleet.readings[&target], Reading::Unread);
    }
    assert!(fleet.task_counts.is_empty());
}

#[tokio::test]
async fn alarms_that_could_not_be_read_leave_their_target_unread_and_the_others_read() {
    let snapshot = seen(
        &services(&["web-0"]),
        "DescribeAlarms",
        "ThrottlingException",
    )
    .await;
    let readings = &fleet(&snapshot, "web-0").readings;
    assert_eq!(readings[&TargetName::Alarm], Reading::Unread);
    assert!(matches!(readings[&TargetName::Cpu], Reading::Read { .. }));
}

#[tokio::test]
async fn whether_somebody_else_scales_is_not_known_where_it_was_not_read() {
    let snapshot = seen(&services(&["web-0"]), "DescribeScalableTargets", "no").await;
    let primary = &fleet(&snapshot, "web-0").primary;
    assert_eq!(primary.scaled_by_application_auto_scaling, None);
}

#[tokio::test]
async fn a_standby_that_does_not_exist_or_was_not_read_is_said_to_be_so() {
    for (reason, want) in [("MISSING", Standby::Missing), ("ODD", Standby::Unknown)] {
        let eye = Eye::on(move |operation, input| {
            let mut answer = answer(operation, input);
            if operation == "DescribeServices" {
                let services = answer["services"].as_array_mut().unwrap();
                let before = services.len();
                services.retain(|it| it["serviceName"] != "web-0-standby");
                if services.len() < before {
                    answer["failures"] = json!([{
                        "arn": "arn:aws:ecs:us-west-2:111122223333:service/demo/web-0-standby", "reason": reason,
                    }]);
                }
            }
            answer
        })
        .await;
        let snapshot = eye.look(&services(&["web-0"])).await;
        let fleet = fleet(&snapshot, "web-0");
        assert_eq!(fleet.standby, Some(want.clone()), "{reason}");
        assert_eq!(
            fleet.gaps.is_empty(),
            want == Standby::Missing,
            "{:?}",
            fleet.gaps
        );
        assert_eq!(fleet.task_counts.len(), 1);
    }
}

#[tokio::test]
async fn no_answer_at_all_is_blindness_and_no_time_is_a_gap() {
    let eye = Eye::at("http://127.0.0.1:1");
    let scope = services(&["web-0"]);
    let blind = eye.try_look(&scope, Duration::from_secs(5)).await;
    assert!(!blind.unwrap_err().gaps.is_empty());
    let eye = Eye::on(answer).await;
    let over = eye.try_look(&scope, Duration::ZERO).await;
    assert_eq!(over.unwrap_err().gaps[0].cause, GapCause::OutOfTime);
}
