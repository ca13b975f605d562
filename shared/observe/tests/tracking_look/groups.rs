//! When the groups under services are read: where tasks do not all run, and what that costs.

use expect_test::{Expect, expect};
use model::tracking::GroupLimit;
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::{Eye, clusters, gaps};

/// What ECS counts of each service, and the provider that it is on.
#[derive(Debug, Clone, Copy)]
struct Counted {
    desired: u32,
    running: u32,
    pending: u32,
    provider: &'static str,
}

impl Counted {
    /// Four tasks are asked for and run, on the provider `ec2` over a group.
    const AT_REST: Self = Self {
        desired: 4,
        running: 4,
        pending: 0,
        provider: "ec2",
    };

    fn answer(self, scene: &Scene, operation: &str, input: &Value) -> Value {
        match operation {
            "DescribeServices" => {
                let mut answer = scene.answer(operation, input);
                for service in answer["services"].as_array_mut().unwrap() {
                    service["desiredCount"] = json!(self.desired);
                    service["runningCount"] = json!(self.running);
                    service["pendingCount"] = json!(self.pending);
                    service["capacityProviderStrategy"] =
                        json!([{"capacityProvider": self.provider, "base": 0, "weight": 1}]);
                }
                answer
            }
            "DescribeCapacityProviders" => json!({"capacityProviders": [{
                "name": "ec2", "autoScalingGroupProvider": {
                    "autoScalingGroupArn": "arn:aws:autoscaling:us-west-2:111122223333:autoScalingGroup:1:autoScalingGroupName/web-ec2",
                },
            }], "failures": []}),
            "DescribeAutoScalingGroups" => json!({"AutoScalingGroups": [{
                "AutoScalingGroupName": "web-ec2", "MinSize": 0, "MaxSize": 5, "DesiredCapacity": 5, "DefaultCooldown": 300,
                "AvailabilityZones": ["us-west-2a"], "HealthCheckType": "EC2", "CreatedTime": "2026-01-01T00:00:00Z",
            }]}),
            _ => scene.answer(operation, input),
        }
    }
}

/// Looks at three services with these counts: what is known of the group under each, and what it cost.
async fn check(counted: Counted, want: Expect) {
    let scene = Scene::tracked(3);
    let eye = Eye::on(move |operation, input| counted.answer(&scene, operation, input)).await;
    let snapshot = eye.look(&clusters(&["demo"])).await;
    assert_eq!(gaps(&snapshot), []);
    let limits: Vec<Option<&GroupLimit>> = snapshot
        .fleets
        .values()
        .map(|it| it.groups.values().next())
        .collect();
    assert!(limits.iter().all(|it| *it == limits[0]), "{limits:?}");
    let limit = limits[0].map_or("not read".to_owned(), |it| {
        format!(
            "`{}` at {} of {}",
            it.group, it.desired_capacity, it.max_size
        )
    });
    want.assert_eq(&format!("{limit}\n{}", eye.counts()));
}

/// A task for which a provider has no instance is PROVISIONING, and no line of the service's log says so: that the group under it is as large as it may be is
/// all the evidence there is.
#[tokio::test]
async fn tasks_that_are_pending_without_a_line_in_the_log() {
    let counted = Counted {
        running: 1,
        pending: 3,
        ..Counted::AT_REST
    };
    check(
        counted,
        expect![[r#"
            `web-ec2` at 5 of 5
            1 DescribeAutoScalingGroups
            1 DescribeCapacityProviders
            1 DescribeScalableTargets
            1 DescribeServices
            1 GetMetricData
            1 ListServices
        "#]],
    )
    .await;
}

#[tokio::test]
async fn tasks_that_are_missing() {
    let counted = Counted {
        running: 1,
        ..Counted::AT_REST
    };
    check(
        counted,
        expect![[r#"
            `web-ec2` at 5 of 5
            1 DescribeAutoScalingGroups
            1 DescribeCapacityProviders
            1 DescribeScalableTargets
            1 DescribeServices
            1 GetMetricData
            1 ListServices
        "#]],
    )
    .await;
}

#[tokio::test]
async fn tasks_that_all_run_cost_no_call() {
    check(
        Counted::AT_REST,
        expect![[r#"
            not read
            1 DescribeScalableTargets
            1 DescribeServices
            1 GetMetricData
            1 ListServices
        "#]],
    )
    .await;
}

#[tokio::test]
async fn tasks_that_are_pending_on_fargate_cost_no_call() {
    let counted = Counted {
        running: 1,
        pending: 3,
        provider: "FARGATE_SPOT",
        ..Counted::AT_REST
    };
    check(
        counted,
        expect![[r#"
            not read
            1 DescribeScalableTargets
            1 DescribeServices
            1 GetMetricData
            1 ListServices
        "#]],
    )
    .await;
}
