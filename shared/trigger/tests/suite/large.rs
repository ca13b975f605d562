//! Payloads at and beyond every bound.

use serde_json::{Value, json};
use trigger::{RECORDS_MAX, TriggerError};

use crate::{render, samples};

const SPOT: &str = "aws.ecs--ecs-task-state-change--spot-interruption.json";

/// The largest event that EventBridge, SQS and an asynchronous invocation of Lambda carry.
const BODY_BYTES: usize = 1_048_576;

fn same_as_the_sample(event: &Value) {
    let want = render::invocation(&Ok(trigger::parse(&samples::one(SPOT))));
    assert_eq!(render::invocation(&Ok(trigger::parse(event))), want);
}

#[test]
fn a_megabyte_of_overrides_changes_nothing() {
    let mut event = samples::one(SPOT);
    event["detail"]["overrides"]["containerOverrides"][0]["environment"] =
        json!([{"name": "BLOB", "value": "x".repeat(BODY_BYTES)}]);
    same_as_the_sample(&event);
    let batch = json!({"Records": [{"messageId": "m-1", "body": event.to_string()}]});
    assert_eq!(
        trigger::parse(&batch).items[0]
            .read
            .as_ref()
            .unwrap()
            .kind
            .as_str(),
        "task_interrupted"
    );
}

#[test]
fn ten_thousand_attachments_change_nothing() {
    let mut event = samples::one(SPOT);
    let attachment = event["detail"]["attachments"][0].clone();
    event["detail"]["attachments"] = Value::from(vec![attachment; 10_000]);
    same_as_the_sample(&event);
}

/// One sample of each kind of event that keeps texts.
const KEPT: [&str; 7] = [
    SPOT,
    "aws.autoscaling--ec2-instance-launch-unsuccessful--unfulfillable-capacity.json",
    "aws.autoscaling--ec2-instance-terminate-lifecycle-action--to-warm-pool.json",
    "aws.cloudwatch--cloudwatch-alarm-state-change--metric-math.json",
    "aws.ec2--ec2-spot-instance-interruption-warning--stop.json",
    "aws.ecs--ecs-container-instance-state-change--registered.json",
    "aws.health--aws-health-event--closed.json",
];

#[test]
fn a_megabyte_in_any_field_is_bounded_in_what_is_kept() {
    for name in KEPT {
        any_field_is_bounded(&samples::one(name));
    }
}

fn any_field_is_bounded(sample: &Value) {
    let long = "x".repeat(BODY_BYTES);
    for field in sample["detail"].as_object().unwrap().keys() {
        let mut event = sample.clone();
        event["detail"][field.as_str()] = Value::from(long.as_str());
        let printed = crate::secrets::printed(&Ok(trigger::parse(&event)));
        assert!(printed.len() < 10_000, "{field}: {}", printed.len());
    }
    for field in sample.as_object().unwrap().keys() {
        let mut event = sample.clone();
        event[field.as_str()] = Value::from(long.as_str());
        let printed = crate::secrets::printed(&Ok(trigger::parse(&event)));
        assert!(printed.len() < 10_000, "{field}: {}", printed.len());
    }
}

#[test]
fn long_lists_are_bounded() {
    let mut event =
        samples::one("aws.ecs--ecs-service-action--placement-failure-fargate-spot.json");
    event["detail"]["capacityProviderArns"] = Value::from(vec!["FARGATE_SPOT"; 50_000]);
    event["detail"]["reason"] = Value::from("y".repeat(BODY_BYTES));
    let printed = crate::secrets::printed(&Ok(trigger::parse(&event)));
    assert!(printed.contains("FARGATE_SPOT"));
    assert!(printed.len() < 10_000, "{}", printed.len());

    let service = event["resources"][0].clone();
    let mut resources = vec![Value::Null; trigger::RESOURCES_MAX];
    resources.push(service);
    event["resources"] = Value::from(resources);
    let read = trigger::parse(&event);
    assert_eq!(
        read.items[0].read.as_ref().unwrap_err().as_str(),
        "field_unusable"
    );
}

/// Entities without end, in an event that no bus could carry.
#[test]
fn entities_are_bounded() {
    let mut event = samples::one("aws.health--aws-health-event--instance-stop-scheduled.json");
    let many: Vec<Value> = (0..trigger::ENTITIES_MAX + 7)
        .map(|n| json!({ "entityValue": format!("i-{n:017x}") }))
        .collect();
    event["detail"]["affectedEntities"] = Value::from(many);
    let read = trigger::parse(&event).items.remove(0).read.unwrap();
    assert_eq!(read.kind.instances().count(), trigger::ENTITIES_MAX);
}

/// Nested deeper than the JSON reader goes: an error, not a stack that overflows.
#[test]
fn deep_nesting_in_bytes_is_an_error() {
    for depth in [200, 100_000] {
        let list = "[".repeat(depth) + &"]".repeat(depth);
        let objects = "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
        for text in [&list, &objects] {
            let read = trigger::parse_bytes(text.as_bytes());
            assert!(matches!(read, Err(TriggerError::NotJson { .. })));
            let batch = json!({"Records": [{"messageId": "m-1", "body": text}]});
            let read = trigger::parse(&batch);
            assert_eq!(
                read.items[0].read.as_ref().unwrap_err().as_str(),
                "record_not_json"
            );
        }
    }
}

/// Nested as deep as the JSON reader goes, in a field that nobody reads.
#[test]
fn deep_nesting_in_a_field_that_is_not_read_changes_nothing() {
    let mut event = samples::one(SPOT);
    let deep = "[".repeat(120) + &"]".repeat(120);
    event["detail"]["overrides"] = serde_json::from_str(&deep).unwrap();
    same_as_the_sample(&event);
    assert!(trigger::parse_bytes(event.to_string().as_bytes()).is_ok());
}

/// A value made in memory may be deeper than the JSON reader goes.
#[test]
fn deep_values_are_not_walked() {
    let mut deep = Value::Null;
    for _ in 0..500 {
        deep = json!([deep]);
    }
    let mut event = samples::one(SPOT);
    event["detail"]["containers"] = deep.clone();
    same_as_the_sample(&event);
    assert_eq!(render::kind(&Ok(trigger::parse(&deep))), "error");
}

#[test]
fn messages_beyond_the_bound_fail_one_by_one() {
    let record = json!({"messageId": "m-1", "eventSource": "aws:sqs", "body": "{\"source\":\"aws.events\",\"detail-type\":\"Scheduled Event\"}"});
    let read = trigger::parse(&json!({"Records": vec![record; RECORDS_MAX + 2]}));
    assert!(read.is_batch);
    assert_eq!(read.items.len(), RECORDS_MAX + 2);
    assert!(read.items.iter().all(|item| item.message.is_some()));
    assert!(
        read.items[..RECORDS_MAX]
            .iter()
            .all(|item| item.read.is_ok())
    );
    for item in &read.items[RECORDS_MAX..] {
        assert_eq!(item.read.as_ref().unwrap_err().as_str(), "too_many_records");
    }
}
