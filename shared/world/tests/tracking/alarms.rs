//! Alarms on services' metrics and on expressions, and what they tell whom.

use serde_json::{Value, json};
use world::load::LoadCurve;
use world::{
    Alarm, AlarmActions, AlarmState, Comparison, MetricKey, Operation, Stat, Watched, World,
};

use crate::stage::{Stage, call, details, pair, refused, unhurried};

const FUNCTION: &str = "arn:aws:lambda:us-west-2:111122223333:function:service-scaler:live";
const STATE_CHANGE: &str = "CloudWatch Alarm State Change";
const CONFIGURATION_CHANGE: &str = "CloudWatch Alarm Configuration Change";

fn state(world: &World, name: &str) -> AlarmState {
    world.state().alarms[name].status.state
}

fn cpu(stage: &Stage, period_secs: u32) -> Watched {
    let dimensions = [
        ("ClusterName", stage.web.cluster.as_str()),
        ("ServiceName", stage.web.service.as_str()),
    ];
    let key = MetricKey::new("AWS/ECS", "CPUUtilization", &dimensions);
    Watched::metric(key, Stat::parse("Average").unwrap(), period_secs)
}

#[test]
fn three_of_three_minutes_and_the_transition_alone_is_told_to_rules_and_to_the_function() {
    let curve = LoadCurve::step(50, 190, 5, 600);
    let mut stage = pair(unhurried(1), 2, 0).loaded(curve);
    let alarm = Alarm::new("web-high", cpu(&stage, 60), Comparison::GreaterThan, 80_000);
    stage
        .world
        .put_alarm(alarm.takes(3, 3).acts(AlarmActions::always(FUNCTION)));
    stage.world.advance_secs(8 * 60);
    assert_eq!(state(&stage.world, "web-high"), AlarmState::Ok);
    // The third minute of 95 % ends at 8:00, and is published at 8:50.
    stage.world.advance_secs(55);
    assert_eq!(state(&stage.world, "web-high"), AlarmState::Ok);
    stage.world.advance_secs(10);
    assert_eq!(state(&stage.world, "web-high"), AlarmState::Alarm);
    stage.world.advance_secs(1_800);
    let arrived = stage.world.take_due_events();
    let told = details(&arrived, STATE_CHANGE);
    let states: Vec<&str> = told
        .iter()
        .map(|it| it["state"]["value"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["OK", "ALARM"]);
    let calls: Vec<&Value> = arrived
        .iter()
        .filter(|it| it.called.as_deref() == Some(FUNCTION))
        .map(|it| &it.envelope)
        .collect();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[1]["alarmData"], told[1]);
    assert_eq!(calls[1]["source"], "aws.cloudwatch");
    assert_eq!(calls[1]["accountId"], "111122223333");
    assert_eq!(calls[1]["region"], "us-west-2");
    assert_eq!(
        calls[1]["alarmArn"],
        "arn:aws:cloudwatch:us-west-2:111122223333:alarm:web-high"
    );
    assert_eq!(calls[1]["time"], told[1]["state"]["timestamp"]);
    let fields: Vec<&String> = calls[1].as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        [
            "accountId",
            "alarmArn",
            "alarmData",
            "region",
            "source",
            "time"
        ]
    );
    // What goes by rules calls nobody itself.
    assert!(
        arrived
            .iter()
            .all(|it| it.called.is_none() != it.envelope.get("alarmData").is_some())
    );
}

#[test]
fn actions_belong_to_a_state_and_may_be_switched_off() {
    let mut world = World::new(unhurried(1));
    let watched = || {
        Watched::metric(
            MetricKey::new("N", "m", &[]),
            Stat::parse("Sum").unwrap(),
            60,
        )
    };
    let only_alarm = AlarmActions {
        alarm: vec![
            FUNCTION.to_owned(),
            "arn:aws:sns:us-west-2:111122223333:people".to_owned(),
        ],
        ..AlarmActions::default()
    };
    let off = AlarmActions {
        enabled: false,
        ..AlarmActions::always(FUNCTION)
    };
    for (name, actions) in [("on", only_alarm), ("off", off)] {
        let alarm = Alarm::new(name, watched(), Comparison::GreaterThan, 10_000);
        world.put_alarm(alarm.acts(actions));
    }
    for value in [5_000, 20_000, 5_000] {
        world.put_metric("N", "m", &[], value);
        world.advance_secs(60);
    }
    world.advance_secs(5);
    let arrived = world.take_due_events();
    assert_eq!(details(&arrived, STATE_CHANGE).len(), 6);
    let called: Vec<&Value> = arrived
        .iter()
        .filter(|it| it.called.is_some())
        .map(|it| &it.envelope["alarmData"])
        .collect();
    assert_eq!(called.len(), 1);
    assert_eq!(
        (&called[0]["alarmName"], &called[0]["state"]["value"]),
        (&json!("on"), &json!("ALARM"))
    );
}

/// A service's CPU, as a query that is not returned.
fn service(key: &model::ServiceKey, id: &str, stat: &str) -> Value {
    json!({
        "Id": id, "ReturnData": false,
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/ECS", "MetricName": "CPUUtilization",
                "Dimensions": [
                    {"Name": "ClusterName", "Value": key.cluster.as_str()},
                    {"Name": "ServiceName", "Value": key.service.as_str()},
                ],
            },
            "Period": 60, "Stat": stat,
        },
    })
}

#[test]
fn an_alarm_on_an_expression_watches_the_one_that_is_returned() {
    let mut stage = pair(unhurried(1), 2, 2).loaded(LoadCurve::step(100, 380, 4, 600));
    let metrics = json!([
        {"Id": "fleet", "Label": "CPU of the pair", "Expression": "SUM([m1, m2]) / SUM([n1, n2])"},
        service(&stage.web, "m1", "Sum"), service(&stage.standby, "m2", "Sum"),
        service(&stage.web, "n1", "SampleCount"), service(&stage.standby, "n2", "SampleCount"),
    ]);
    let input = json!({
        "AlarmName": "pair-high", "Metrics": metrics, "EvaluationPeriods": 2, "Threshold": 80,
        "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": [FUNCTION],
    });
    call(&mut stage.world, Operation::PutMetricAlarm, input);
    stage.world.advance_secs(5 * 60);
    assert_eq!(state(&stage.world, "pair-high"), AlarmState::Ok);
    stage.world.advance_secs(3 * 60);
    assert_eq!(state(&stage.world, "pair-high"), AlarmState::Alarm);
    let shown = call(
        &mut stage.world,
        Operation::DescribeAlarms,
        json!({"AlarmNames": ["pair-high"]}),
    );
    let alarm = &shown["MetricAlarms"][0];
    assert_eq!(
        alarm["Metrics"],
        json!([
            {"Id": "fleet", "Label": "CPU of the pair", "Expression": "SUM([m1, m2]) / SUM([n1, n2])", "ReturnData": true},
            metrics[1], metrics[2], metrics[3], metrics[4],
        ])
    );
    for absent in [
        "MetricName",
        "Namespace",
        "Statistic",
        "Period",
        "Dimensions",
    ] {
        assert!(alarm.get(absent).is_none(), "{absent}");
    }
    stage.world.advance_secs(5);
    let told = details(&stage.world.take_due_events(), STATE_CHANGE);
    let configuration = &told.last().unwrap()["configuration"]["metrics"];
    assert_eq!(
        configuration[0]["expression"],
        "SUM([m1, m2]) / SUM([n1, n2])"
    );
    assert_eq!(configuration[0]["label"], "CPU of the pair");
    assert_eq!(
        configuration[2]["metricStat"]["metric"]["dimensions"]["ServiceName"],
        "web-standby"
    );
    let data: Value = serde_json::from_str(
        told.last().unwrap()["state"]["reasonData"]
            .as_str()
            .unwrap(),
    )
    .unwrap();
    assert_eq!(data["recentDatapoints"], json!([95.0, 95.0]));
    assert!(data.get("statistic").is_none());
}

#[test]
fn missing_data_are_taken_as_the_alarm_says() {
    let mut stage = pair(unhurried(1), 2, 0).loaded(LoadCurve::flat(50));
    for (name, treat) in [
        ("breaching", "breaching"),
        ("fine", "notBreaching"),
        ("kept", "ignore"),
        ("unknown", "missing"),
    ] {
        let mut input = alarm_input(name, "GreaterThanThreshold");
        input["Dimensions"] = json!([
            {"Name": "ClusterName", "Value": "shop"}, {"Name": "ServiceName", "Value": "web"},
        ]);
        input["TreatMissingData"] = json!(treat);
        call(&mut stage.world, Operation::PutMetricAlarm, input);
    }
    stage.world.advance_secs(300);
    for name in ["breaching", "fine", "kept", "unknown"] {
        assert_eq!(state(&stage.world, name), AlarmState::Ok, "{name}");
    }
    let now = stage.world.now();
    stage.world.set_capacity_everywhere("FARGATE_SPOT", now, 0);
    stage.world.advance_secs(1_200);
    for (name, wanted) in [
        ("breaching", AlarmState::Alarm),
        ("fine", AlarmState::Ok),
        ("kept", AlarmState::Ok),
        ("unknown", AlarmState::InsufficientData),
    ] {
        assert_eq!(state(&stage.world, name), wanted, "{name}");
    }
}

fn alarm_input(name: &str, comparison: &str) -> Value {
    json!({
        "AlarmName": name, "Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average",
        "Period": 60, "EvaluationPeriods": 3, "Threshold": 80, "ComparisonOperator": comparison,
    })
}

#[test]
fn an_alarm_that_is_written_again_keeps_its_state_and_tells_what_has_changed() {
    let mut world = World::new(unhurried(1));
    let mut input = alarm_input("a", "GreaterThanThreshold");
    call(&mut world, Operation::PutMetricAlarm, input.clone());
    let by_hand = json!({"AlarmName": "a", "StateValue": "ALARM", "StateReason": "a test"});
    call(&mut world, Operation::SetAlarmState, by_hand);
    input["Threshold"] = json!(70);
    call(&mut world, Operation::PutMetricAlarm, input.clone());
    assert_eq!(state(&world, "a"), AlarmState::Alarm);
    call(
        &mut world,
        Operation::DeleteAlarms,
        json!({"AlarmNames": ["a"]}),
    );
    call(&mut world, Operation::PutMetricAlarm, input);
    assert_eq!(state(&world, "a"), AlarmState::InsufficientData);
    world.advance_secs(5);
    let told = details(&world.take_due_events(), CONFIGURATION_CHANGE);
    let mut lines: Vec<String> = told
        .iter()
        .map(|it| {
            format!(
                "{} in {} at {} from {}",
                it["operation"].as_str().unwrap(),
                it["state"]["value"].as_str().unwrap(),
                it["configuration"]["threshold"],
                it["previousConfiguration"]["threshold"]
            )
        })
        .collect();
    lines.sort();
    expect_test::expect![[r#"
        create in INSUFFICIENT_DATA at 70.0 from null
        create in INSUFFICIENT_DATA at 80.0 from null
        delete in ALARM at 70.0 from null
        update in ALARM at 70.0 from 80.0"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn alarms_shorter_than_a_minute_look_every_ten_seconds() {
    let mut world = World::new(unhurried(1));
    let key = MetricKey::new("N", "m", &[]);
    let watched = Watched::metric(key.clone(), Stat::parse("Average").unwrap(), 20);
    world.put_alarm(Alarm::new("fast", watched, Comparison::GreaterThan, 1_000).takes(2, 2));
    for _ in 0..3 {
        let now = world.now();
        world.put_metric_at(&key, now, true, &[5_000]);
        world.advance_secs(20);
    }
    assert_eq!(state(&world, "fast"), AlarmState::Alarm);
    let since = world.state().alarms["fast"].status.updated_at;
    assert_eq!(since.as_second() - world.config().start.as_second(), 40);
}

#[test]
fn alarms_that_cannot_be_are_refused() {
    let mut world = World::new(unhurried(1));
    let metric = |id: &str, period: u32, returned: bool| {
        json!({
            "Id": id, "ReturnData": returned,
            "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": period, "Stat": "Sum"},
        })
    };
    let math = |metrics: Value| {
        json!({
            "AlarmName": "a", "Metrics": metrics, "EvaluationPeriods": 1, "Threshold": 1,
            "ComparisonOperator": "GreaterThanThreshold",
        })
    };
    let with = |name: &str, value: Value| {
        let mut input = alarm_input("a", "GreaterThanThreshold");
        input[name] = value;
        input
    };
    let eleven: Vec<Value> = (0..11)
        .map(|it| metric(&format!("m{it}"), 60, it == 0))
        .collect();
    for (input, words) in [
        (
            math(json!([metric("m1", 60, true), metric("m2", 60, true)])),
            "exactly one query must return data",
        ),
        (
            math(json!([metric("m1", 60, false)])),
            "exactly one query must return data",
        ),
        (
            math(json!([metric("m1", 60, true), metric("m2", 300, false)])),
            "the same period",
        ),
        (math(json!(eleven)), "at most 10 metrics"),
        (
            math(json!([metric("m1", 60, false), {"Id": "e", "Expression": "m1 +"}])),
            "Invalid metrics list: Error in expression 'e'",
        ),
        (
            with("Metrics", json!([metric("m1", 60, true)])),
            "together with Metrics",
        ),
        (
            with("Statistic", Value::Null),
            "Exactly one of Statistic and ExtendedStatistic",
        ),
        (
            with("ExtendedStatistic", json!("p99")),
            "Exactly one of Statistic and ExtendedStatistic",
        ),
        (with("Threshold", Value::Null), "fixed Threshold"),
        (with("Period", json!(45)), "a multiple of 60"),
        (
            with("DatapointsToAlarm", json!(4)),
            "from 1 to EvaluationPeriods",
        ),
        (with("EvaluationPeriods", json!(2_000)), "more than a day"),
    ] {
        let said = refused(&mut world, Operation::PutMetricAlarm, input);
        assert!(said.starts_with("ValidationError: "), "{said}");
        assert!(said.contains(words), "{words}: {said}");
    }
}
