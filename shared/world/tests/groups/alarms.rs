//! Alarms look at metrics each minute, and scale groups.

use expect_test::expect;
use serde_json::json;
use world::{
    Adjustment, AlarmState, GroupSpec, LaunchSpec, MetricKey, Operation, PolicyKind, Process,
    SimpleScaling, Step, StepScaling, TargetTracking, World,
};

use crate::stage::{GROUP, call, details, group, in_service, spot, with};

const NAMESPACE: &str = "AWS/ECS/ManagedScaling";
const METRIC: &str = "CapacityProviderReservation";
const DIMENSIONS: [(&str, &str); 2] = [("CapacityProviderName", "EC2"), ("ClusterName", "shop")];

/// Lets minutes pass, in each of which the metric has a value.
fn minutes(world: &mut World, count: u32, value_milli: i64) {
    for _ in 0..count {
        world.advance_secs(30);
        world.put_metric(NAMESPACE, METRIC, &DIMENSIONS, value_milli);
        world.advance_secs(30);
    }
}

fn tracked(target_milli: i64, change: fn(&mut TargetTracking)) -> World {
    let mut world = spot(2, 20);
    world.advance_secs(600);
    let metric = MetricKey::new(NAMESPACE, METRIC, &DIMENSIONS);
    let mut tracking = TargetTracking::of_managed_scaling(metric, target_milli, 300);
    change(&mut tracking);
    world
        .put_scaling_policy(GROUP, "managed", PolicyKind::TargetTracking(tracking))
        .unwrap();
    world
}

fn desired(world: &World) -> u32 {
    group(world).desired_capacity
}

#[test]
fn target_tracking_scales_out_after_a_minute_and_then_waits_for_the_warm_up() {
    let mut world = tracked(100_000, |_| {});
    minutes(&mut world, 1, 100_000);
    assert_eq!(desired(&world), 2);
    minutes(&mut world, 1, 200_000);
    // 2 instances at 200 %.
    assert_eq!(desired(&world), 4);
    minutes(&mut world, 5, 300_000);
    assert_eq!(desired(&world), 4);
    minutes(&mut world, 2, 300_000);
    assert_eq!(desired(&world), 12);
    expect!["At 2026-03-02T09:12:00Z a monitor alarm ALARM in state ALARM triggered policy managed changing the desired capacity from 2 to 4."]
        .assert_eq(&{
            let alarm = world.state().alarms.keys().next().unwrap().clone();
            let activity = group(&world)
                .activities
                .iter()
                .find(|it| it.cause.contains("from 2 to 4"))
                .unwrap();
            let first = activity.cause.split("  ").next().unwrap().to_owned();
            first.replace(&alarm, "ALARM")
        });
}

#[test]
fn target_tracking_scales_in_after_fifteen_quiet_minutes_and_by_half_at_most() {
    let mut world = tracked(100_000, |_| {});
    world.set_desired_capacity(GROUP, 12).unwrap();
    world.advance_secs(600);
    minutes(&mut world, 14, 10_000);
    assert_eq!(desired(&world), 12);
    minutes(&mut world, 1, 10_000);
    assert_eq!(desired(&world), 6);
    // The action repeats each minute while the alarm lasts.
    minutes(&mut world, 1, 20_000);
    assert_eq!(desired(&world), 3);
    minutes(&mut world, 1, 40_000);
    assert_eq!(desired(&world), 2);
    minutes(&mut world, 5, 100_000);
    assert_eq!(desired(&world), 2);
}

#[test]
fn target_tracking_may_be_told_not_to_scale_in() {
    let mut world = tracked(100_000, |it| it.disable_scale_in = true);
    minutes(&mut world, 30, 10_000);
    assert_eq!(desired(&world), 2);
}

#[test]
fn a_group_without_instances_leaves_zero() {
    let mut world = tracked(100_000, |_| {});
    world.set_desired_capacity(GROUP, 0).unwrap();
    world.advance_secs(600);
    minutes(&mut world, 2, 200_000);
    assert_eq!(desired(&world), 2);
}

#[test]
fn suspended_alarm_notifications_scale_nothing() {
    let mut world = tracked(100_000, |_| {});
    let suspend = json!({
        "AutoScalingGroupName": GROUP, "ScalingProcesses": [Process::AlarmNotification.as_str()],
    });
    call(&mut world, Operation::SuspendProcesses, suspend);
    minutes(&mut world, 5, 200_000);
    assert_eq!(desired(&world), 2);
}

#[test]
fn the_alarms_of_a_policy_come_and_go_with_it() {
    let mut world = tracked(80_000, |_| {});
    let shown = call(&mut world, Operation::DescribeAlarms, json!({}));
    let told: Vec<String> = shown["MetricAlarms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            format!(
                "{} {} {} of {} at {}",
                it["ComparisonOperator"],
                it["Threshold"],
                it["DatapointsToAlarm"],
                it["EvaluationPeriods"],
                it["StateValue"]
            )
        })
        .collect();
    expect![[r#"
        "GreaterThanThreshold" 80.0 1 of 1 at "INSUFFICIENT_DATA"
        "LessThanThreshold" 80.0 15 of 15 at "INSUFFICIENT_DATA""#]]
    .assert_eq(&told.join("\n"));
    assert!(world.delete_scaling_policy(GROUP, "managed"));
    assert!(world.state().alarms.is_empty());
}

fn alarm(world: &mut World, name: &str, changes: serde_json::Value) {
    let mut input = json!({
        "AlarmName": name, "Namespace": "N", "MetricName": "m", "Statistic": "Average",
        "Period": 60, "EvaluationPeriods": 3, "DatapointsToAlarm": 2, "Threshold": 10,
        "ComparisonOperator": "GreaterThanThreshold",
    });
    let changes = changes.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(changes);
    call(world, Operation::PutMetricAlarm, input);
}

fn put(world: &mut World, value: f64) {
    let data = json!({"Namespace": "N", "MetricData": [{"MetricName": "m", "Value": value}]});
    call(world, Operation::PutMetricData, data);
    world.advance_secs(60);
}

fn state(world: &World, name: &str) -> AlarmState {
    world.state().alarms[name].status.state
}

#[test]
fn an_alarm_takes_two_of_three_and_tells_it_once() {
    let mut world = World::new(world::Config::new(3));
    alarm(&mut world, "hot", json!({"AlarmDescription": "too hot"}));
    assert_eq!(state(&world, "hot"), AlarmState::InsufficientData);
    put(&mut world, 5.0);
    assert_eq!(state(&world, "hot"), AlarmState::Ok);
    put(&mut world, 10.5);
    assert_eq!(state(&world, "hot"), AlarmState::Ok);
    put(&mut world, 10.0);
    assert_eq!(state(&world, "hot"), AlarmState::Ok);
    put(&mut world, 12.25);
    assert_eq!(state(&world, "hot"), AlarmState::Alarm);
    for _ in 0..5 {
        put(&mut world, 20.0);
    }
    world.advance_secs(5);
    let told = details(&world.take_due_events(), "CloudWatch Alarm State Change");
    assert_eq!(told.len(), 2);
    let event = &told[1];
    assert_eq!(event["alarmName"], "hot");
    assert_eq!(event["state"]["value"], "ALARM");
    assert_eq!(event["previousState"]["value"], "OK");
    assert_eq!(event["configuration"]["description"], "too hot");
    assert_eq!(
        event["configuration"]["metrics"][0]["metricStat"],
        json!({
            "metric": {"namespace": "N", "name": "m", "dimensions": {}}, "period": 60, "stat": "Average",
        })
    );
    expect!["Threshold Crossed: 3 out of the last 3 datapoints [12.25, 10.0, 10.5] were greater than the threshold (10.0) (minimum 2 datapoints for OK -> ALARM transition)."]
        .assert_eq(event["state"]["reason"].as_str().unwrap());
}

#[test]
fn a_state_that_was_set_by_hand_lasts_until_the_alarm_looks() {
    let mut world = World::new(world::Config::new(3));
    alarm(&mut world, "hot", json!({}));
    put(&mut world, 1.0);
    put(&mut world, 1.0);
    let set = json!({"AlarmName": "hot", "StateValue": "ALARM", "StateReason": "a test"});
    call(&mut world, Operation::SetAlarmState, set);
    assert_eq!(state(&world, "hot"), AlarmState::Alarm);
    world.advance_secs(60);
    assert_eq!(state(&world, "hot"), AlarmState::Ok);
    // Without data for long enough nobody knows.
    world.advance_secs(600);
    assert_eq!(state(&world, "hot"), AlarmState::InsufficientData);
    let delete = json!({"AlarmNames": ["hot"]});
    call(&mut world, Operation::DeleteAlarms, delete);
    assert!(world.state().alarms.is_empty());
}

#[test]
fn step_and_simple_policies_are_run_by_alarms() {
    let launch = LaunchSpec::spot("workers", &["m5.large"]);
    let mut world = with(GroupSpec::new(GROUP, launch, 0, 4, 20));
    world.advance_secs(600);
    let steps = StepScaling {
        adjustment: Adjustment::PercentChangeInCapacity,
        steps: vec![
            Step {
                from_milli: Some(0),
                to_milli: Some(10_000),
                by: 25,
            },
            Step {
                from_milli: Some(10_000),
                to_milli: None,
                by: 100,
            },
        ],
        instance_warmup_secs: 120,
    };
    let arn = world
        .put_scaling_policy(GROUP, "steps", PolicyKind::Step(steps))
        .unwrap();
    let one = json!({"AlarmActions": [arn], "EvaluationPeriods": 1, "DatapointsToAlarm": 1});
    alarm(&mut world, "out", one);
    put(&mut world, 15.0);
    assert_eq!(desired(&world), 5);
    // What warms up counts: the same step again adds nothing, a higher one does.
    put(&mut world, 15.0);
    assert_eq!(desired(&world), 5);
    put(&mut world, 25.0);
    assert_eq!(desired(&world), 8);

    let simple = SimpleScaling {
        adjustment: Adjustment::ChangeInCapacity,
        by: -3,
        cooldown_secs: Some(600),
    };
    let arn = world
        .put_scaling_policy(GROUP, "in", PolicyKind::Simple(simple))
        .unwrap();
    let low = json!({
        "AlarmActions": [arn], "EvaluationPeriods": 1, "DatapointsToAlarm": 1,
        "ComparisonOperator": "LessThanThreshold", "Threshold": 5,
    });
    alarm(&mut world, "in", low);
    for _ in 0..20 {
        put(&mut world, 1.0);
    }
    assert_eq!(desired(&world), 2);
    world.advance_secs(10);
    assert_eq!(in_service(&world).len(), 2);
}

#[test]
fn metric_data_comes_out_as_it_went_in() {
    let mut world = World::new(world::Config::new(3));
    for value in [1.5, 2.5] {
        let data = json!({
            "Namespace": "N",
            "MetricData": [{
                "MetricName": "m",
                "Dimensions": [{"Name": "d", "Value": "x"}],
                "Value": value,
                "Timestamp": "2026-03-02T09:00:30Z",
            }],
        });
        call(&mut world, Operation::PutMetricData, data);
    }
    let set = json!({
        "Namespace": "N",
        "MetricData": [{
            "MetricName": "m",
            "Dimensions": [{"Name": "d", "Value": "x"}],
            "StatisticValues": {"SampleCount": 4, "Sum": 20, "Minimum": 1, "Maximum": 9},
            "Timestamp": "2026-03-02T09:01:30Z",
        }],
    });
    call(&mut world, Operation::PutMetricData, set);
    let mut query = |period: u32, stat: &str| {
        let answer = call(
            &mut world,
            Operation::GetMetricData,
            json!({
                "MetricDataQueries": [{
                    "Id": "q",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": "N", "MetricName": "m", "Dimensions": [{"Name": "d", "Value": "x"}],
                        },
                        "Period": period, "Stat": stat,
                    },
                }],
                "StartTime": "2026-03-02T09:00:00Z", "EndTime": "2026-03-02T09:10:00Z",
                "ScanBy": "TimestampAscending",
            }),
        );
        answer["MetricDataResults"][0].clone()
    };
    let each = query(60, "Average");
    assert_eq!(
        each["Timestamps"],
        json!(["2026-03-02T09:00:00Z", "2026-03-02T09:01:00Z"])
    );
    assert_eq!(each["Values"], json!([2.0, 5.0]));
    assert_eq!(query(300, "Sum")["Values"], json!([24.0]));
    assert_eq!(query(300, "Maximum")["Values"], json!([9.0]));
    assert_eq!(query(300, "SampleCount")["Values"], json!([6.0]));
}
