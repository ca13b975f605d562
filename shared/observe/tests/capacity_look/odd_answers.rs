//! Answers that no simulation gives: halves of answers, failures in a good answer, words of next year.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::scene::{self, cluster, group, instance_arn, provider, service, task_arn, with};
use crate::show::show;
use crate::support::{Eye, clusters};

/// The lines of a look's snapshot that hold one of these words.
async fn check(
    script: impl Fn(&str, &Value) -> Option<Value> + Send + Sync + 'static,
    words: &[&str],
    want: Expect,
) {
    let eye = Eye::on(move |name, input| {
        script(name, input).unwrap_or_else(|| scene::answer(name, input))
    })
    .await;
    let text = show(&eye.look(&clusters(&["demo"])).await);
    let lines = text
        .lines()
        .filter(|line| words.iter().any(|word| line.contains(word)));
    // A golden text loses the indentation that all of its lines share.
    let lines: Vec<&str> = lines.map(str::trim_start).collect();
    want.assert_eq(&lines.join("\n"));
}

#[tokio::test]
async fn failures_in_a_good_answer_leave_gaps() {
    check(
        |operation, input| {
            let mut answer = scene::answer(operation, input);
            let failure = |arn: String, reason: &str| json!([{"arn": arn, "reason": reason, "detail": "words"}]);
            match operation {
                "DescribeContainerInstances" => {
                    answer["containerInstances"].as_array_mut().unwrap().pop();
                    answer["failures"] = failure(instance_arn("2"), "ODD");
                }
                "DescribeTasks" => {
                    answer["tasks"].as_array_mut().unwrap().swap_remove(2);
                    answer["failures"] = failure(task_arn("api-1"), "MISSING");
                }
                "DescribeServices" => {
                    answer["services"].as_array_mut().unwrap().remove(0);
                    answer["failures"] = failure("agent".to_owned(), "ODD");
                }
                _ => {}
            }
            Some(answer)
        },
        &["gap", "instance 2", "task api-1", "service {\"name\":\"agent"],
        expect![[r#"
              gap `ecs:DescribeContainerInstances` for `demo`: other (container instance `arn:aws:ecs:us-west-2:111122223333:container-instance/demo/2`: ODD: words)
              gap `ecs:DescribeServices` for `demo/agent`: other (service `agent`: ODD: words)
              gap `ecs:DescribeTasks` for `demo`: not_found (task `arn:aws:ecs:us-west-2:111122223333:task/demo/api-1`: MISSING: words)"#]],
    )
    .await;
}

#[tokio::test]
async fn halves_of_answers_leave_gaps() {
    check(
        |operation, _| match operation {
            "DescribeClusters" => Some(json!({"clusters": [with(cluster(), &json!({
                "capacityProviders": ["web", "absent", ""],
            }))]})),
            "DescribeContainerInstances" => Some(json!({"containerInstances": []})),
            "DescribeTasks" => Some(json!({"tasks": []})),
            "DescribeServices" => Some(json!({"services": [
                service("api", &json!({"desiredCount": -1})),
                service("front", &json!({})),
            ]})),
            "DescribeTaskDefinition" => Some(json!({})),
            _ => None,
        },
        &["gap", "passed over"],
        expect![[r#"
            gap `ecs:DescribeClusters` for `demo`: unreachable (a capacity provider name is empty)
            gap `ecs:DescribeContainerInstances` for `demo`: unreachable (container instance `arn:aws:ecs:us-west-2:111122223333:container-instance/demo/1`: the answer has neither it nor a failure for it)
            gap `ecs:DescribeContainerInstances` for `demo`: unreachable (container instance `arn:aws:ecs:us-west-2:111122223333:container-instance/demo/2`: the answer has neither it nor a failure for it)
            gap `ecs:DescribeServices` for `demo/agent`: unreachable (the answer has neither the service nor a failure for it)
            gap `ecs:DescribeServices` for `demo/api`: unreachable (`desiredCount` is -1)
            gap `ecs:DescribeTaskDefinition` for `arn:aws:ecs:us-west-2:111122223333:task-definition/front:1`: unreachable (the answer has no task definition)
            gap `ecs:DescribeTasks` for `demo`: unreachable (task `arn:aws:ecs:us-west-2:111122223333:task/demo/agent-1`: the answer has neither it nor a failure for it)
            gap `ecs:DescribeTasks` for `demo`: unreachable (task `arn:aws:ecs:us-west-2:111122223333:task/demo/agent-2`: the answer has neither it nor a failure for it)
            gap `ecs:DescribeTasks` for `demo`: unreachable (task `arn:aws:ecs:us-west-2:111122223333:task/demo/api-1`: the answer has neither it nor a failure for it)
            gap `ecs:DescribeTasks` for `demo`: unreachable (task `arn:aws:ecs:us-west-2:111122223333:task/demo/api-2`: the answer has neither it nor a failure for it)
            gap `ecs:DescribeTasks` for `demo`: unreachable (task `arn:aws:ecs:us-west-2:111122223333:task/demo/api-3`: the answer has neither it nor a failure for it)
            gap `ecs:DescribeTasks` for `demo`: unreachable (task `arn:aws:ecs:us-west-2:111122223333:task/demo/fargate`: the answer has neither it nor a failure for it)
            passed over demo/absent: {"why":"unread","gap":{"operation":"ecs:DescribeCapacityProviders","resource":"demo","cause":"unreachable","detail":"capacity provider `absent`: the answer has neither it nor a failure for it"}}"#]],
    )
    .await;
}

#[tokio::test]
async fn a_cluster_that_is_gone_or_not_told_of() {
    check(
        |operation, _| {
            (operation == "DescribeClusters").then(|| {
                let arn = "arn:aws:ecs:us-west-2:111122223333:cluster/demo";
                json!({"clusters": [], "failures": [{"arn": arn, "reason": "MISSING"}]})
            })
        },
        &[""],
        expect![[r#"
            at 2026-03-02T09:00:00Z
            gap `ecs:DescribeClusters` for `demo`: not_found (cluster `demo`: MISSING)"#]],
    )
    .await;
    check(
        |operation, _| {
            let inactive = with(cluster(), &json!({"status": "INACTIVE"}));
            (operation == "DescribeClusters").then(|| json!({"clusters": [inactive]}))
        },
        &[""],
        expect!["at 2026-03-02T09:00:00Z"],
    )
    .await;
    check(
        |operation, _| (operation == "DescribeClusters").then(|| json!({})),
        &[""],
        expect![[r#"
            at 2026-03-02T09:00:00Z
            gap `ecs:DescribeClusters` for `demo`: unreachable (the answer has neither the cluster nor a failure for it)"#]],
    )
    .await;
}

#[tokio::test]
async fn providers_that_are_not_looked_after_say_why() {
    check(
        |operation, _| match operation {
            "DescribeClusters" => {
                let names =
                    json!({"capacityProviders": ["gone", "managed", "none", "plain", "web"]});
                Some(json!({"clusters": [with(cluster(), &names)]}))
            }
            "DescribeCapacityProviders" => {
                let over = |name: &str, group: &str| {
                    let over = json!({"autoScalingGroupArn": group});
                    with(
                        provider(),
                        &json!({"name": name, "autoScalingGroupProvider": over}),
                    )
                };
                let managed = json!({"infrastructureRoleArn": "r", "instanceLaunchTemplate": {
                    "ec2InstanceProfileArn": "p", "networkConfiguration": {"subnets": []},
                }});
                Some(json!({"capacityProviders": [
                    over("gone", "gone"),
                    {"name": "managed", "managedInstancesProvider": managed},
                    {"name": "none"},
                    over("plain", "plain"),
                    provider(),
                ]}))
            }
            "DescribeAutoScalingGroups" => {
                let plain = json!({"AutoScalingGroupName": "plain", "Tags": []});
                Some(json!({"AutoScalingGroups": [group(), with(group(), &plain)]}))
            }
            _ => None,
        },
        &["passed over", "gap", "  provider"],
        expect![[r#"
            provider demo/web: managed scaling {"enabled":false,"target_capacity_percent":80,"minimum_scaling_step_size":null,"maximum_scaling_step_size":null,"instance_warmup_period_secs":60}, termination protection false, draining true; also in []
            passed over demo/gone: {"why":"group_not_found","group":"gone"}
            passed over demo/managed: {"why":"managed_instances"}
            passed over demo/none: {"why":"unread","gap":{"operation":"ecs:DescribeCapacityProviders","resource":"demo/none","cause":"unreachable","detail":"the provider is neither over an Auto Scaling group nor over Managed Instances"}}
            passed over demo/plain: {"why":"not_opted_in"}"#]],
    )
    .await;
}

/// What is seen of the scene's group with these fields in place of its own.
async fn check_group(fields: Value, want: Expect) {
    check(
        move |operation, _| match operation {
            "DescribeAutoScalingGroups" => {
                let mut group = group();
                for (name, field) in fields.as_object().unwrap() {
                    if field.is_null() {
                        group.as_object_mut().unwrap().remove(name);
                    } else {
                        group[name] = field.clone();
                    }
                }
                Some(json!({"AutoScalingGroups": [group]}))
            }
            "DescribeLaunchConfigurations" => Some(json!({"LaunchConfigurations": [
                {"LaunchConfigurationName": "old", "InstanceType": "m5.large", "SpotPrice": "0.1"},
            ]})),
            _ => None,
        },
        &[
            "    group ",
            "    counts ",
            "gap",
            "warm",
            "deleting",
            "suspended",
            "\"id\":\"i-",
            "faults",
            "passed",
        ],
        want,
    )
    .await;
}

#[tokio::test]
async fn groups_of_every_kind_are_read() {
    check_group(json!({"MinSize": -1}), expect![[r#"passed over demo/web: {"why":"unread","gap":{"operation":"autoscaling:DescribeAutoScalingGroups","resource":"web group","cause":"unreachable","detail":"`MinSize` is -1"}}"#]]).await;
    let template = json!({"LaunchTemplateId": "lt-1"});
    check_group(
        json!({
            "MixedInstancesPolicy": null, "LaunchTemplate": template, "Instances": [], "DesiredCapacityType": "units",
        }),
        expect![[r#"
            provider demo/web: managed scaling {"enabled":false,"target_capacity_percent":80,"minimum_scaling_step_size":null,"maximum_scaling_step_size":null,"instance_warmup_period_secs":60}, termination protection false, draining true; also in []
            group web group: 2 of 1 to 9 in us-west-2a, us-west-2b; {"types":"in_launch_template"} on-demand; 2 tags"#]],
    )
    .await;
    let tags = json!([
        {"Key": "ballast:cluster-scaler", "Value": "advise"},
        {"Key": "ballast:instance-types", "Value": "c7g.large, m7g.large"},
    ]);
    check_group(
        json!({
            "MixedInstancesPolicy": null, "LaunchTemplate": template, "Instances": [], "Tags": tags,
            "WarmPoolConfiguration": {"MinSize": 1}, "Status": "Delete in progress",
            "SuspendedProcesses": [{"ProcessName": "Terminate"}],
        }),
        expect![[r#"
            provider demo/web: managed scaling {"enabled":false,"target_capacity_percent":80,"minimum_scaling_step_size":null,"maximum_scaling_step_size":null,"instance_warmup_period_secs":60}, termination protection false, draining true; also in []
            group web group: 2 of 1 to 9 in us-west-2a, us-west-2b; {"types":"listed","choices":[{"instance_type":"c7g.large"},{"instance_type":"m7g.large"}]} on-demand; 2 tags
            warm pool
            deleting
            suspended Terminate"#]],
    )
    .await;
    check_group(
        json!({"MixedInstancesPolicy": null, "LaunchConfigurationName": "old", "Instances": []}),
        expect![[r#"
            provider demo/web: managed scaling {"enabled":false,"target_capacity_percent":80,"minimum_scaling_step_size":null,"maximum_scaling_step_size":null,"instance_warmup_period_secs":60}, termination protection false, draining true; also in []
            group web group: 2 of 1 to 9 in us-west-2a, us-west-2b; {"types":"listed","choices":[{"instance_type":"m5.large"}]} Spot; 2 tags"#]],
    )
    .await;
    check_group(
        json!({"MixedInstancesPolicy": null, "LaunchConfigurationName": "lost", "Instances": []}),
        expect![[r#"
            provider demo/web: managed scaling {"enabled":false,"target_capacity_percent":80,"minimum_scaling_step_size":null,"maximum_scaling_step_size":null,"instance_warmup_period_secs":60}, termination protection false, draining true; also in []
            group web group: 2 of 1 to 9 in us-west-2a, us-west-2b; {"types":"in_launch_template"} unknown; 2 tags
            gap `autoscaling:DescribeLaunchConfigurations` for `lost`: not_found (the answer does not have the launch configuration)"#]],
    )
    .await;
    let weighted = json!({
        "LaunchTemplate": {"Overrides": [
            {"InstanceType": "m5.large", "WeightedCapacity": "2"},
            {"InstanceType": "m5.xlarge", "WeightedCapacity": "many"},
        ]},
        "InstancesDistribution": {"OnDemandBaseCapacity": 1, "OnDemandPercentageAboveBaseCapacity": 0},
    });
    check_group(
        json!({"MixedInstancesPolicy": weighted, "Instances": []}),
        expect![[r#"
            provider demo/web: managed scaling {"enabled":false,"target_capacity_percent":80,"minimum_scaling_step_size":null,"maximum_scaling_step_size":null,"instance_warmup_period_secs":60}, termination protection false, draining true; also in []
            group web group: 2 of 1 to 9 in us-west-2a, us-west-2b; {"types":"listed","choices":[{"instance_type":"m5.large","weighted_capacity":2}]} unknown; 2 tags
            gap `autoscaling:DescribeAutoScalingGroups` for `web group`: unreachable (`WeightedCapacity` is "many")"#]],
    )
    .await;
}

#[test]
fn a_group_may_ask_for_attributes_in_place_of_types() {
    let by_requirements = json!({"LaunchTemplate": {"Overrides": [
        {"InstanceRequirements": {"VCpuCount": {"Min": 2}, "MemoryMiB": {"Min": 2048}}},
    ]}});
    let fields = json!({
        "MixedInstancesPolicy": by_requirements, "Instances": [], "DesiredCapacityType": "memory-mib",
    });
    let check = check_group(
        fields,
        expect![[r#"
            provider demo/web: managed scaling {"enabled":false,"target_capacity_percent":80,"minimum_scaling_step_size":null,"maximum_scaling_step_size":null,"instance_warmup_period_secs":60}, termination protection false, draining true; also in []
            group web group: 2 of 1 to 9 in us-west-2a, us-west-2b; {"types":"by_requirements"} on-demand; 2 tags
            counts {"type":"other","name":"memory-mib"}"#]],
    );
    // What the SDK reads requirements with needs more stack than a test has, as long as it is not optimized.
    let thread = std::thread::Builder::new().stack_size(8 << 20);
    let done = thread.spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(check);
    });
    done.unwrap().join().unwrap();
}

#[tokio::test]
async fn instances_of_every_state_are_read() {
    let states = [
        "Pending:Wait",
        "Standby",
        "Terminating:Proceed",
        "Detaching",
        "Warmed:Stopped",
        "Quarantined",
        "StateOfNextYear",
    ];
    let instances: Vec<Value> = states
        .iter()
        .enumerate()
        .map(|(n, state)| {
            json!({
                "InstanceId": format!("i-{n}"), "AvailabilityZone": "us-west-2a", "LifecycleState": state,
                "HealthStatus": "Unhealthy", "ProtectedFromScaleIn": true,
            })
        })
        .chain([json!({"InstanceId": "", "AvailabilityZone": "us-west-2a"})])
        .collect();
    check_group(json!({"Instances": instances}), expect![[r#"
        provider demo/web: managed scaling {"enabled":false,"target_capacity_percent":80,"minimum_scaling_step_size":null,"maximum_scaling_step_size":null,"instance_warmup_period_secs":60}, termination protection false, draining true; also in []
        group web group: 2 of 1 to 9 in us-west-2a, us-west-2b; {"types":"listed","choices":[{"instance_type":"t3.small"},{"instance_type":"t3a.small"}]} Spot; 2 tags
        {"id":"i-0","instance_type":null,"zone":"us-west-2a","lifecycle":"pending","is_healthy":false,"protected_from_scale_in":true,"launched_at":null}
        {"id":"i-1","instance_type":null,"zone":"us-west-2a","lifecycle":"standby","is_healthy":false,"protected_from_scale_in":true,"launched_at":null}
        {"id":"i-2","instance_type":null,"zone":"us-west-2a","lifecycle":"terminating","is_healthy":false,"protected_from_scale_in":true,"launched_at":"2026-03-02T08:40:00Z"}
        {"id":"i-3","instance_type":null,"zone":"us-west-2a","lifecycle":"detaching","is_healthy":false,"protected_from_scale_in":true,"launched_at":null}
        {"id":"i-4","instance_type":null,"zone":"us-west-2a","lifecycle":"warmed","is_healthy":false,"protected_from_scale_in":true,"launched_at":null}
        {"id":"i-5","instance_type":null,"zone":"us-west-2a","lifecycle":"unknown","is_healthy":false,"protected_from_scale_in":true,"launched_at":null}
        {"id":"i-6","instance_type":null,"zone":"us-west-2a","lifecycle":"unknown","is_healthy":false,"protected_from_scale_in":true,"launched_at":null}
        gap `autoscaling:DescribeAutoScalingGroups` for `web group`: unreachable (a instance id is empty)"#]]).await;
}
