//! Composite alarms, and reading alarms of both kinds.

use serde_json::{Value, json};
use world::{
    Alarm, AlarmActions, AlarmState, Comparison, CompositeAlarm, MetricKey, Operation, Stat,
    Watched, World,
};

use crate::stage::{call, details, refused, unhurried};

const FUNCTION: &str = "arn:aws:lambda:us-west-2:111122223333:function:service-scaler";

/// A world with the alarms `high` and `deploying`, both OK.
fn world() -> World {
    let mut world = World::new(unhurried(9));
    for name in ["high", "deploying"] {
        let metric = MetricKey::new("N", name, &[]);
        let watched = Watched::metric(metric, Stat::parse("Sum").unwrap(), 60);
        world.put_alarm(Alarm::new(name, watched, Comparison::GreaterThan, 1_000));
        world.set_alarm_state(name, AlarmState::Ok, "a test");
    }
    world
}

fn state(world: &World, name: &str) -> AlarmState {
    world.state().composite_alarms[name].status.state
}

#[test]
fn it_follows_its_alarms_at_once_and_calls_its_function() {
    let mut world = world();
    let rule =
        "ALARM(high) AND NOT ALARM(\"arn:aws:cloudwatch:us-west-2:111122223333:alarm:deploying\")";
    let mut alarm = CompositeAlarm::new("act", rule);
    alarm.actions = AlarmActions::always(FUNCTION);
    world.put_composite_alarm(alarm).unwrap();
    assert_eq!(state(&world, "act"), AlarmState::Ok);
    for (name, to, wanted) in [
        ("high", AlarmState::Alarm, AlarmState::Alarm),
        ("deploying", AlarmState::Alarm, AlarmState::Ok),
        ("deploying", AlarmState::InsufficientData, AlarmState::Alarm),
        ("high", AlarmState::Ok, AlarmState::Ok),
    ] {
        world.set_alarm_state(name, to, "a test");
        assert_eq!(state(&world, "act"), wanted, "{name} is {}", to.as_str());
    }
    world.advance_secs(5);
    let arrived = world.take_due_events();
    let calls: Vec<&Value> = arrived
        .iter()
        .filter(|it| it.called.as_deref() == Some(FUNCTION))
        .map(|it| &it.envelope["alarmData"])
        .collect();
    assert_eq!(calls.len(), 5);
    let told: Vec<Value> = details(&arrived, "CloudWatch Alarm State Change")
        .into_iter()
        .filter(|it| it["alarmName"] == "act")
        .collect();
    assert_eq!(told.len(), 5);
    let first = told
        .iter()
        .find(|it| it["previousState"]["value"] == "INSUFFICIENT_DATA")
        .unwrap();
    expect_test::expect!["arn:aws:cloudwatch:us-west-2:111122223333:alarm:act was created and its alarm rule evaluates to OK"]
        .assert_eq(first["state"]["reason"].as_str().unwrap());
    let second = told
        .iter()
        .find(|it| it["state"]["value"] == "ALARM")
        .unwrap();
    assert_eq!(second["configuration"], json!({"alarmRule": rule}));
    expect_test::expect!["arn:aws:cloudwatch:us-west-2:111122223333:alarm:high transitioned to ALARM at Monday 02 March, 2026 09:00:00 UTC"]
        .assert_eq(second["state"]["reason"].as_str().unwrap());
    let data: Value =
        serde_json::from_str(second["state"]["reasonData"].as_str().unwrap()).unwrap();
    let triggering: Vec<(&str, &str)> = data["triggeringAlarms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            (
                it["arn"].as_str().unwrap().rsplit(':').next().unwrap(),
                it["state"]["value"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(triggering, [("high", "ALARM"), ("deploying", "OK")]);
}

#[test]
fn one_may_stand_on_another_and_a_cycle_ends() {
    let mut world = world();
    let put = |world: &mut World, name: &str, rule: &str| {
        world
            .put_composite_alarm(CompositeAlarm::new(name, rule))
            .unwrap();
    };
    put(&mut world, "one", "ALARM(high)");
    put(&mut world, "two", "NOT ALARM(one)");
    assert_eq!(state(&world, "two"), AlarmState::Alarm);
    world.set_alarm_state("high", AlarmState::Alarm, "a test");
    assert_eq!(
        (state(&world, "one"), state(&world, "two")),
        (AlarmState::Alarm, AlarmState::Ok)
    );
    put(&mut world, "one", "ALARM(high) OR ALARM(two)");
    put(&mut world, "self", "NOT ALARM(self)");
    world.set_alarm_state("high", AlarmState::Ok, "a test");
    world.advance_secs(120);
}

#[test]
fn it_is_read_where_its_type_is_asked_for_and_pages_go_by_name() {
    let mut world = world();
    for name in ["a", "z"] {
        let rule =
            json!({"AlarmName": name, "AlarmRule": "ALARM(high)", "AlarmDescription": "both"});
        call(&mut world, Operation::PutCompositeAlarm, rule);
    }
    let names = |answer: &Value| -> Vec<String> {
        ["MetricAlarms", "CompositeAlarms"]
            .iter()
            .flat_map(|list| answer[list].as_array().unwrap())
            .map(|it| it["AlarmName"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut ask = |input: Value| call(&mut world, Operation::DescribeAlarms, input);
    let both = json!(["MetricAlarm", "CompositeAlarm"]);
    assert_eq!(names(&ask(json!({}))), ["deploying", "high"]);
    assert_eq!(
        names(&ask(json!({"AlarmTypes": ["CompositeAlarm"]}))),
        ["a", "z"]
    );
    assert_eq!(
        names(&ask(
            json!({"AlarmTypes": both, "AlarmNames": ["z", "high", "nobody"]})
        )),
        ["high", "z"]
    );
    assert_eq!(
        names(&ask(json!({"AlarmTypes": both, "AlarmNamePrefix": "d"}))),
        ["deploying"]
    );
    assert_eq!(
        names(&ask(json!({"AlarmTypes": both, "StateValue": "ALARM"}))),
        [""; 0]
    );
    let first = ask(json!({"AlarmTypes": both, "MaxRecords": 3}));
    assert_eq!(names(&first), ["deploying", "high", "a"]);
    let second = ask(json!({"AlarmTypes": both, "MaxRecords": 3, "NextToken": first["NextToken"]}));
    assert_eq!(names(&second), ["z"]);
    let alarm = &second["CompositeAlarms"][0];
    assert_eq!(alarm["AlarmRule"], "ALARM(high)");
    assert_eq!(alarm["AlarmDescription"], "both");
    assert_eq!(alarm["StateValue"], "OK");
    assert_eq!(alarm["ActionsEnabled"], true);
    for (input, words) in [
        (json!({"AlarmTypes": ["Log"]}), "enum value set"),
        (
            json!({"AlarmNames": ["a"], "AlarmNamePrefix": "a"}),
            "together",
        ),
        (json!({"AlarmNames": vec!["a"; 101]}), "greater than 100"),
    ] {
        let said = refused(&mut world, Operation::DescribeAlarms, input);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let mut world = world();
    call(
        &mut world,
        Operation::PutCompositeAlarm,
        json!({"AlarmName": "c", "AlarmRule": "ALARM(high)"}),
    );
    call(
        &mut world,
        Operation::PutCompositeAlarm,
        json!({"AlarmName": "d", "AlarmRule": "FALSE"}),
    );
    for (name, rule, words) in [
        (
            "x",
            "ALARM(nobody) OR OK(nothing)",
            "as alarms [nobody, nothing] in the alarm rule do not exist",
        ),
        ("x", "ALARM high", "AlarmRule must not contain 'high' there"),
        (
            "high",
            "TRUE",
            "another type with the name high already exists",
        ),
    ] {
        let input = json!({"AlarmName": name, "AlarmRule": rule});
        let said = refused(&mut world, Operation::PutCompositeAlarm, input);
        assert!(said.contains(words), "{said}");
    }
    let metric = json!({
        "AlarmName": "c", "Namespace": "N", "MetricName": "m", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold",
    });
    let said = refused(&mut world, Operation::PutMetricAlarm, metric);
    assert!(said.contains("another type"), "{said}");
    // An alarm that another one stands on stays, unless both go.
    let delete = |names: &[&str]| json!({"AlarmNames": names});
    let said = refused(&mut world, Operation::DeleteAlarms, delete(&["high"]));
    assert!(said.contains("depending on it: [c]"), "{said}");
    let said = refused(&mut world, Operation::DeleteAlarms, delete(&["c", "d"]));
    assert!(said.contains("more than one composite alarm"), "{said}");
    call(&mut world, Operation::DeleteAlarms, delete(&["c", "high"]));
    assert_eq!(
        world.state().alarms.len() + world.state().composite_alarms.len(),
        2
    );
}
