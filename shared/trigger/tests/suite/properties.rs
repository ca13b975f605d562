//! Whatever comes in: no panic, one answer per event, and nothing said that should not be.

use std::sync::LazyLock;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::{render, samples, secrets};

static SAMPLES: LazyLock<Vec<Value>> =
    LazyLock::new(|| samples::all_json().into_values().collect());
static NEEDLES: LazyLock<Vec<String>> = LazyLock::new(secrets::needles);

/// The fields of a task's detail that are read. What is in any other must not matter.
const READ_OF_A_TASK: [&str; 10] = [
    "capacityProviderName",
    "clusterArn",
    "desiredStatus",
    "group",
    "lastStatus",
    "stopCode",
    "stoppedReason",
    "stoppingAt",
    "taskArn",
    "version",
];

/// The fields that are read of each detail-type, and the field of the envelope that they are in.
fn read_of(event: &Value) -> Option<(&'static str, &'static [&'static str])> {
    if event["alarmData"].is_object() {
        return Some(("alarmData", &READ_OF_AN_ALARM));
    }
    if !event["detail"].is_object() {
        return None;
    }
    let fields: &[&str] = match event["detail-type"].as_str()? {
        "ECS Task State Change" => &READ_OF_A_TASK,
        "ECS Container Instance State Change" => &READ_OF_AN_INSTANCE,
        "EC2 Instance Launch Successful"
        | "EC2 Instance Launch Unsuccessful"
        | "EC2 Instance Terminate Successful"
        | "EC2 Instance Terminate Unsuccessful" => &READ_OF_AN_ACTIVITY,
        "CloudWatch Alarm State Change" => &READ_OF_AN_ALARM,
        "EC2 Spot Instance Interruption Warning"
        | "EC2 Capacity Reservation Instance Interruption Warning"
        | "EC2 Interruptible Capacity Reservation Instance Interruption Warning" => {
            &["instance-action", "instance-id"]
        }
        "EC2 Instance Rebalance Recommendation" => &["instance-id"],
        "EC2 Instance State-change Notification" => &["instance-id", "state"],
        "EC2 Instance-terminate Lifecycle Action" => &READ_OF_A_LIFECYCLE_ACTION,
        "EC2 Instance-launch Lifecycle Action" => &["Event", "LifecycleTransition"],
        "AWS Health Event" => &READ_OF_A_HEALTH_EVENT,
        _ => return None,
    };
    Some(("detail", fields))
}

const READ_OF_AN_INSTANCE: [&str; 6] = [
    "agentConnected",
    "clusterArn",
    "containerInstanceArn",
    "ec2InstanceId",
    "status",
    "version",
];

const READ_OF_AN_ACTIVITY: [&str; 8] = [
    "ActivityId",
    "AutoScalingGroupName",
    "Cause",
    "Details",
    "EC2InstanceId",
    "EndTime",
    "StartTime",
    "StatusMessage",
];

const READ_OF_A_LIFECYCLE_ACTION: [&str; 8] = [
    "AutoScalingGroupName",
    "Destination",
    "EC2InstanceId",
    "Event",
    "LifecycleActionToken",
    "LifecycleHookName",
    "LifecycleTransition",
    "Origin",
];

const READ_OF_A_HEALTH_EVENT: [&str; 9] = [
    "affectedAccount",
    "affectedEntities",
    "eventArn",
    "eventRegion",
    "eventTypeCategory",
    "eventTypeCode",
    "service",
    "startTime",
    "statusCode",
];

const READ_OF_AN_ALARM: [&str; 4] = ["alarmName", "configuration", "previousState", "state"];

/// Names and texts that mean something here, so that arbitrary values get past the first checks.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(vec![
            "source", "detail-type", "detail", "resources", "Records", "body", "Message", "Event", "id", "time", "aws.ecs",
            "aws.events", "ECS Task State Change", "ECS Service Action", "ECS Deployment State Change", "Scheduled Event",
            "desiredStatus", "STOPPED", "taskArn", "clusterArn", "group", "service:web", "eventName", "reason",
            "SERVICE_TASK_PLACEMENT_FAILURE", "SERVICE_STEADY_STATE", "arn:aws:ecs:us-west-2:111122223333:task/container-demo/1",
            "arn:aws:ecs:us-west-2:111122223333:service/container-demo/web", "autoscaling:TEST_NOTIFICATION", "stopCode",
            "aws.autoscaling", "EC2 Instance Launch Unsuccessful", "AutoScalingGroupName", "EC2InstanceId", "StatusMessage", "Details",
            "Availability Zone", "i-1234567890abcdef0", "ECS Container Instance State Change", "containerInstanceArn",
            "arn:aws:ecs:us-west-2:111122223333:container-instance/container-demo/1", "aws.cloudwatch", "alarmData", "alarmName",
            "CloudWatch Alarm State Change", "state", "previousState", "value", "ALARM", "configuration", "metrics", "metricStat",
            "metric", "dimensions", "ClusterName", "alarmRule", "aws.ec2", "EC2 Spot Instance Interruption Warning",
            "EC2 Instance Rebalance Recommendation", "EC2 Instance State-change Notification", "instance-id", "instance-action",
            "EC2 Instance-terminate Lifecycle Action", "LifecycleHookName", "LifecycleTransition", "LifecycleActionToken", "Service",
            "AWS Auto Scaling", "autoscaling:EC2_INSTANCE_TERMINATING", "aws.health", "AWS Health Event", "service", "EC2",
            "eventTypeCategory", "scheduledChange", "affectedEntities", "entityValue", "status", "RESOLVED", "statusCode", "closed",
            "startTime", "Sat, 05 Jun 2016 15:10:09 GMT",
            "SpotInterruption", "capacityProviderArns", "arn:aws:ecs:::task/", "service:", "arn:", "\u{feff}", "stoppedReason",
        ]).prop_map(str::to_owned),
        1 => ".{0,12}",
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(word(), inner, 0..8).prop_map(Value::from_iter),
        ]
    })
}

/// Puts `odd` at, or removes, one place of the value: `path` says at each level where to go.
fn mutate(value: &mut Value, path: &[Index], odd: Option<Value>) {
    let Some((here, below)) = path.split_first() else {
        *value = odd.unwrap_or_default();
        return;
    };
    match value {
        Value::Array(items) if !items.is_empty() => {
            let at = here.index(items.len());
            if below.is_empty() && odd.is_none() {
                items.remove(at);
            } else {
                mutate(&mut items[at], below, odd);
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            let name = fields
                .keys()
                .nth(here.index(fields.len()))
                .cloned()
                .unwrap();
            if below.is_empty() && odd.is_none() {
                fields.remove(&name);
            } else {
                mutate(&mut fields[name.as_str()], below, odd);
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            *value = odd.unwrap_or_default();
        }
    }
}

/// What must hold of any answer.
fn check(payload: &Value) -> Result<(), TestCaseError> {
    let read = trigger::parse(payload);
    let is_event = payload.get("source").is_some();
    match payload.get("Records").and_then(Value::as_array) {
        Some(records) if !is_event => prop_assert_eq!(read.items.len(), records.len()),
        _ => {
            prop_assert_eq!(read.items.len(), 1);
            prop_assert!(!read.is_batch);
        }
    }
    let printed = secrets::printed(&Ok(read));
    for needle in NEEDLES.iter() {
        prop_assert!(
            !printed.contains(needle.as_str()),
            "{} is in {}",
            needle,
            printed
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_value_is_read_or_refused(payload in json_value()) {
        check(&payload)?;
        check(&json!({ "Records": [{ "messageId": "m-1", "body": payload.to_string() }, payload] }))?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..256)) {
        let _ = secrets::printed(&trigger::parse_bytes(&bytes));
    }

    #[test]
    fn mutated_samples_are_read_or_refused(
        sample in any::<Index>(),
        mutations in vec((vec(any::<Index>(), 1..5), proptest::option::of(json_value())), 1..4),
    ) {
        let mut payload = sample.get(&SAMPLES[..]).clone();
        for (path, odd) in mutations {
            mutate(&mut payload, &path, odd);
        }
        check(&payload)?;
    }

    #[test]
    fn mutated_secrets_stay_unsaid(
        mutations in vec((vec(any::<Index>(), 1..4), proptest::option::of(json_value())), 1..6),
    ) {
        let mut payload = samples::one(secrets::FILE);
        for (path, odd) in mutations {
            mutate(&mut payload, &path, odd);
        }
        check(&payload)?;
    }

    /// What is not read does not matter.
    #[test]
    fn other_fields_change_nothing(sample in any::<Index>(), name in word(), odd in json_value()) {
        let events: Vec<_> = SAMPLES
            .iter()
            .filter_map(|event| Some((event, read_of(event)?)))
            .collect();
        let (event, (place, read)) = *sample.get(&events);
        let want = render::invocation(&Ok(trigger::parse(event)));
        let unread: Vec<_> = event[place]
            .as_object()
            .unwrap()
            .keys()
            .filter(|field| !read.contains(&field.as_str()))
            .cloned()
            .collect();
        let mut payload = event.clone();
        for field in unread {
            payload[place][field.as_str()] = odd.clone();
        }
        if !read.contains(&name.as_str()) {
            payload[place][name.as_str()] = odd;
        }
        prop_assert_eq!(render::invocation(&Ok(trigger::parse(&payload))), want);
    }

    /// A text in a field of the detail is never in an error, unless it is an ARN.
    #[test]
    fn errors_do_not_repeat_what_they_refuse(sample in any::<Index>(), field in any::<Index>(), tail in "[ -~]{0,300}") {
        let events: Vec<_> = SAMPLES
            .iter()
            .filter_map(|event| Some((event, read_of(event)?)))
            .collect();
        let (event, (place, read)) = *sample.get(&events);
        let field = *field.get(read);
        let odd = format!("hunter2 {tail}");
        for bare in [odd.clone(), odd.replace(' ', ""), format!("arn:{odd}"), format!("service:{odd}"), format!("arn:aws:ecs:us-west-2:111122223333:task/{odd}\n")] {
            let mut payload = event.clone();
            payload[place][field] = Value::from(bare.clone());
            for item in trigger::parse(&payload).items {
                if let Err(failure) = item.read {
                    let said = render::error(&failure);
                    prop_assert!(!said.contains("hunter2") || (bare.starts_with("arn:") && !bare.contains(' ')), "{}", said);
                    prop_assert!(said.len() < 1_000, "{}", said);
                    prop_assert!(!said.contains('\n'));
                }
            }
        }
    }

    /// A batch is its messages: each reads as it would alone, whatever stands beside it.
    #[test]
    fn a_batch_reads_as_its_messages(picks in vec(any::<Index>(), 0..12)) {
        let events: Vec<_> = SAMPLES.iter().filter(|event| event.get("Records").is_none() && event.is_object()).collect();
        let bodies: Vec<_> = picks.iter().map(|pick| pick.get(&events).to_string()).collect();
        let records: Vec<_> = bodies
            .iter()
            .enumerate()
            .map(|(at, body)| json!({"messageId": format!("m-{at}"), "eventSource": "aws:sqs", "body": body}))
            .collect();
        let batch = trigger::parse(&json!({ "Records": records }));
        prop_assert!(batch.is_batch);
        prop_assert_eq!(batch.items.len(), bodies.len());
        for (at, (item, body)) in batch.items.into_iter().zip(&bodies).enumerate() {
            prop_assert_eq!(item.message.as_ref().map(|id| id.to_string()), Some(format!("m-{at}")));
            let alone = trigger::parse_bytes(body.as_bytes()).unwrap().items.remove(0).read;
            match (item.read, alone) {
                (Ok(here), Ok(there)) => prop_assert_eq!(here, there),
                (Err(here), Err(there)) => prop_assert_eq!(render::error(&here), render::error(&there)),
                (here, there) => prop_assert!(false, "{:?} is not {:?}", here, there),
            }
        }
    }
}
