//! The operations, as callers see them.

use expect_test::{expect, expect_file};
use serde_json::{Value, json};
use world::{Config, GroupSpec, LaunchSpec, Operation, World};

use crate::stage::{GROUP, SETTLE_SECS, call, group, in_service, refused, spot};

fn describe(world: &mut World, input: Value) -> Vec<Value> {
    let answer = call(world, Operation::DescribeAutoScalingGroups, input);
    answer["AutoScalingGroups"].as_array().unwrap().clone()
}

#[test]
fn a_group_is_described_completely() {
    let mut world = spot(1, 10);
    call(
        &mut world,
        Operation::CreateOrUpdateTags,
        json!({"Tags": [{
            "ResourceId": GROUP, "ResourceType": "auto-scaling-group", "Key": "ballast:cluster-scaler",
            "Value": "act", "PropagateAtLaunch": false,
        }]}),
    );
    call(
        &mut world,
        Operation::SuspendProcesses,
        json!({"AutoScalingGroupName": GROUP, "ScalingProcesses": ["AZRebalance"]}),
    );
    world.advance_secs(SETTLE_SECS);
    let groups = describe(&mut world, json!({"AutoScalingGroupNames": [GROUP]}));
    let mut shown = groups[0].clone();
    for field in ["AutoScalingGroupARN", "VPCZoneIdentifier"] {
        assert!(shown.as_object_mut().unwrap().remove(field).is_some());
    }
    let id = in_service(&world)[0].clone();
    let template = world.state().launch_templates["workers"].id.clone();
    let text = serde_json::to_string_pretty(&shown)
        .unwrap()
        .replace(&id, "INSTANCE")
        .replace(&template, "TEMPLATE");
    expect_file!["golden/group.json"].assert_eq(&format!("{text}\n"));
}

#[test]
fn groups_are_found_by_their_tags_and_page_by_page() {
    let mut world = World::new(Config::new(1));
    for (name, value) in [("a", "act"), ("b", "advise"), ("c", "act")] {
        let launch = LaunchSpec::spot("t", &["m5.large"]);
        let spec = GroupSpec::new(name, launch, 0, 0, 1).tag("ballast:cluster-scaler", value);
        world.declare_auto_scaling_group(spec);
    }
    let launch = LaunchSpec::template("t");
    world.declare_auto_scaling_group(GroupSpec::new("d", launch, 0, 0, 1));
    let names = |groups: &[Value]| -> String {
        groups
            .iter()
            .map(|it| it["AutoScalingGroupName"].as_str().unwrap())
            .collect()
    };
    let mut check = |filters: Value, wanted: &str| {
        let groups = describe(&mut world, json!({ "Filters": filters }));
        assert_eq!(names(&groups), wanted, "{filters}");
    };
    check(json!([]), "abcd");
    check(
        json!([{"Name": "tag-key", "Values": ["ballast:cluster-scaler"]}]),
        "abc",
    );
    check(
        json!([{"Name": "tag:ballast:cluster-scaler", "Values": ["act", "x"]}]),
        "ac",
    );
    check(json!([{"Name": "tag-value", "Values": ["advise"]}]), "b");
    check(
        json!([{"Name": "tag-key", "Values": ["ballast:cluster-scaler"]}, {"Name": "tag-value", "Values": ["y"]}]),
        "",
    );
    let (code, message) = refused(
        &mut world,
        Operation::DescribeAutoScalingGroups,
        json!({"Filters": [{"Name": "name", "Values": ["a"]}]}),
    );
    assert_eq!(code, "ValidationError");
    assert!(
        message.contains("Filter type name is not correct"),
        "{message}"
    );

    let page = call(
        &mut world,
        Operation::DescribeAutoScalingGroups,
        json!({"MaxRecords": 3}),
    );
    let token = page["NextToken"].clone();
    let rest = describe(&mut world, json!({"MaxRecords": 3, "NextToken": token}));
    assert_eq!(names(&rest), "d");
    let tags = call(
        &mut world,
        Operation::DescribeTags,
        json!({"Filters": [{"Name": "value", "Values": ["act"]}]}),
    );
    assert_eq!(tags["Tags"].as_array().unwrap().len(), 2);
}

#[test]
fn activities_come_newest_first_and_page_by_page() {
    let mut world = spot(3, 10);
    world.advance_secs(SETTLE_SECS);
    world.set_desired_capacity(GROUP, 1).unwrap();
    world.advance_secs(SETTLE_SECS);
    let mut told = Vec::new();
    let mut token = Value::Null;
    loop {
        let page = call(
            &mut world,
            Operation::DescribeScalingActivities,
            json!({"AutoScalingGroupName": GROUP, "MaxRecords": 2, "NextToken": token}),
        );
        for it in page["Activities"].as_array().unwrap() {
            let what = it["Description"].as_str().unwrap().split(' ').next();
            told.push(format!(
                "{} {}",
                it["StartTime"].as_str().unwrap(),
                what.unwrap()
            ));
        }
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    expect![[r#"
        2026-03-02T09:05:02Z Terminating
        2026-03-02T09:05:02Z Terminating
        2026-03-02T09:00:02Z Launching
        2026-03-02T09:00:02Z Launching
        2026-03-02T09:00:02Z Launching"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn bounds_are_kept_and_said_in_awss_words() {
    let mut world = World::new(Config::new(1));
    let launch = LaunchSpec::spot("t", &["m5.large"]);
    world.declare_auto_scaling_group(GroupSpec::new(GROUP, launch, 1, 2, 4));
    world.advance_secs(SETTLE_SECS);
    let id = in_service(&world)[0].clone();
    let mut check = |operation: Operation, input: Value, code: &str, words: &str| {
        let (got, message) = refused(&mut world, operation, input);
        assert_eq!(got, code, "{message}");
        assert_eq!(message, words);
    };
    let set = |n: u32| json!({"AutoScalingGroupName": GROUP, "DesiredCapacity": n});
    check(
        Operation::SetDesiredCapacity,
        set(5),
        "ValidationError",
        "New SetDesiredCapacity value 5 is above max value 4 for the AutoScalingGroup.",
    );
    check(
        Operation::SetDesiredCapacity,
        set(0),
        "ValidationError",
        "New SetDesiredCapacity value 0 is below min value 1 for the AutoScalingGroup.",
    );
    check(
        Operation::SetDesiredCapacity,
        json!({"AutoScalingGroupName": "nobody", "DesiredCapacity": 1}),
        "ValidationError",
        "AutoScalingGroup name not found - null",
    );
    let end = |id: &str| json!({"InstanceId": id, "ShouldDecrementDesiredCapacity": true});
    check(
        Operation::TerminateInstanceInAutoScalingGroup,
        end("i-00000000000000000"),
        "ValidationError",
        "Instance Id not found - No managed instance found for instance ID i-00000000000000000",
    );
    let ended = call(
        &mut world,
        Operation::TerminateInstanceInAutoScalingGroup,
        end(&id),
    );
    let activity = ended["Activity"]["ActivityId"].as_str().unwrap().to_owned();
    assert_eq!(ended["Activity"]["StatusCode"], "InProgress");
    assert_eq!(group(&world).desired_capacity, 1);
    let (code, message) = refused(
        &mut world,
        Operation::TerminateInstanceInAutoScalingGroup,
        end(&id),
    );
    assert_eq!(code, "ScalingActivityInProgress");
    assert_eq!(
        message,
        format!("Scaling activity {activity} is in progress and blocks this action")
    );
    let other = in_service(&world)[0].clone();
    let (code, message) = refused(
        &mut world,
        Operation::TerminateInstanceInAutoScalingGroup,
        end(&other),
    );
    assert_eq!(code, "ValidationError");
    expect!["Currently, desiredSize equals minSize (1). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."]
        .assert_eq(&message);
    world.advance_secs(SETTLE_SECS);
    assert_eq!(in_service(&world), [other]);
}

fn creation(name: &str, template: &str) -> Value {
    json!({
        "AutoScalingGroupName": name,
        "MixedInstancesPolicy": {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateName": template, "Version": "$Latest"},
                "Overrides": [{"InstanceType": "m5.large", "WeightedCapacity": "2"}],
            },
            "InstancesDistribution": {"SpotAllocationStrategy": "price-capacity-optimized"},
        },
        "MinSize": 0, "MaxSize": 6, "DesiredCapacity": 2,
        "AvailabilityZones": ["us-west-2a"],
        "NewInstancesProtectedFromScaleIn": true,
        "Tags": [{"Key": "team", "Value": "x", "PropagateAtLaunch": true}],
        "LifecycleHookSpecificationList": [{
            "LifecycleHookName": "drain",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
            "HeartbeatTimeout": 60,
        }],
    })
}

#[test]
fn a_group_is_created_changed_and_read() {
    let mut world = World::new(Config::new(1));
    world.declare_launch_template("web", "m5.large", model::strategy::Market::OnDemand);
    let (code, message) = refused(
        &mut world,
        Operation::CreateAutoScalingGroup,
        creation(GROUP, "x"),
    );
    assert_eq!(code, "ValidationError");
    assert!(
        message.contains("with template name x, does not exist"),
        "{message}"
    );
    call(
        &mut world,
        Operation::CreateAutoScalingGroup,
        creation(GROUP, "web"),
    );
    let (code, _) = refused(
        &mut world,
        Operation::CreateAutoScalingGroup,
        creation(GROUP, "web"),
    );
    assert_eq!(code, "AlreadyExists");
    world.advance_secs(SETTLE_SECS);
    let ids = in_service(&world);
    assert_eq!(ids.len(), 1);
    let instance = &world.state().instances[&ids[0]];
    assert!(instance.protected_from_scale_in);
    assert_eq!(instance.tags["team"], "x");
    assert_eq!(instance.zone, "us-west-2a");

    let shown = call(
        &mut world,
        Operation::DescribeAutoScalingInstances,
        json!({"InstanceIds": ids}),
    );
    let shown = &shown["AutoScalingInstances"][0];
    assert_eq!(shown["AutoScalingGroupName"], GROUP);
    assert_eq!(shown["HealthStatus"], "HEALTHY");
    assert_eq!(shown["WeightedCapacity"], "2");
    let hooks = call(
        &mut world,
        Operation::DescribeLifecycleHooks,
        json!({"AutoScalingGroupName": GROUP}),
    );
    assert_eq!(hooks["LifecycleHooks"][0]["DefaultResult"], "ABANDON");
    assert_eq!(hooks["LifecycleHooks"][0]["GlobalTimeout"], 6_000);

    // A lower maximum takes the desired capacity with it.
    let update = json!({"AutoScalingGroupName": GROUP, "MaxSize": 1, "DefaultInstanceWarmup": 90});
    call(&mut world, Operation::UpdateAutoScalingGroup, update);
    assert_eq!(group(&world).desired_capacity, 1);
    assert_eq!(group(&world).default_instance_warmup_secs, Some(90));
    let (code, _) = refused(
        &mut world,
        Operation::UpdateAutoScalingGroup,
        json!({"AutoScalingGroupName": GROUP, "MinSize": 2}),
    );
    assert_eq!(code, "ValidationError");
}

#[test]
fn policies_are_put_and_read() {
    let mut world = spot(0, 10);
    let put = |name: &str, more: Value| {
        let mut input = json!({"AutoScalingGroupName": GROUP, "PolicyName": name});
        let more = more.as_object().unwrap().clone();
        input.as_object_mut().unwrap().extend(more);
        input
    };
    let tracking = put(
        "cpu",
        json!({
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingConfiguration": {
                "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
                "TargetValue": 60.5,
            },
        }),
    );
    let answer = call(&mut world, Operation::PutScalingPolicy, tracking);
    assert_eq!(answer["Alarms"].as_array().unwrap().len(), 2);
    let simple = put(
        "one-more",
        json!({"AdjustmentType": "ChangeInCapacity", "ScalingAdjustment": 1, "Cooldown": 60}),
    );
    call(&mut world, Operation::PutScalingPolicy, simple);
    let shown = call(
        &mut world,
        Operation::DescribePolicies,
        json!({"AutoScalingGroupName": GROUP}),
    );
    let policies = shown["ScalingPolicies"].as_array().unwrap();
    let kinds: Vec<&str> = policies
        .iter()
        .map(|it| it["PolicyType"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["TargetTrackingScaling", "SimpleScaling"]);
    assert_eq!(
        policies[0]["TargetTrackingConfiguration"],
        json!({
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            "TargetValue": 60.5, "DisableScaleIn": false,
        })
    );
    assert_eq!(policies[0]["Alarms"], answer["Alarms"]);
    for (more, words) in [
        (json!({}), "Invalid AdjustmentType"),
        (
            json!({"PolicyType": "StepScaling"}),
            "At least one StepAdjustment",
        ),
        (
            json!({"PolicyType": "TargetTrackingScaling"}),
            "TargetTrackingConfiguration is required",
        ),
        (
            json!({"PolicyType": "PredictiveScaling"}),
            "no policies of the type PredictiveScaling",
        ),
    ] {
        let (code, message) = refused(&mut world, Operation::PutScalingPolicy, put("x", more));
        assert_eq!(code, "ValidationError");
        assert!(message.contains(words), "{message}");
    }
}
