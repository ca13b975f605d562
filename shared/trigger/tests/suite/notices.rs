//! Notices about instances: where they are from does not matter, and only the detail names an instance.

use std::collections::BTreeSet;

use model::trigger::{Notice, Trigger, TriggerKind};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use crate::{render, samples};

fn read(event: &Value) -> Result<Trigger, String> {
    trigger::parse(event)
        .items
        .remove(0)
        .read
        .map_err(|error| error.to_string())
}

/// The samples of these detail-types with a detail.
fn of_detail_types(wanted: &[&str]) -> Vec<(String, Value)> {
    samples::all_json()
        .into_iter()
        .filter(|(_, event)| {
            wanted.iter().any(|it| event["detail-type"] == **it) && event["detail"].is_object()
        })
        .collect()
}

const NOTICES: [&str; 6] = [
    "AWS Health Event",
    "EC2 Capacity Reservation Instance Interruption Warning",
    "EC2 Instance Rebalance Recommendation",
    "EC2 Instance State-change Notification",
    "EC2 Interruptible Capacity Reservation Instance Interruption Warning",
    "EC2 Spot Instance Interruption Warning",
];

/// The notification that the hook of the same action sends by itself.
fn as_notification(event: &Value) -> Value {
    let mut fields: Map<String, Value> = event["detail"].as_object().unwrap().clone();
    fields.insert("Service".to_owned(), Value::from("AWS Auto Scaling"));
    fields.insert("Time".to_owned(), event["time"].clone());
    fields.insert("AccountId".to_owned(), event["account"].clone());
    Value::Object(fields)
}

/// A message of a queue that holds what a topic sent.
fn over_a_topic(message: &Value) -> Value {
    let body = json!({"Type": "Notification", "Message": message.to_string()}).to_string();
    json!({"Records": [{"messageId": "m-1", "eventSource": "aws:sqs", "body": body}]})
}

#[test]
fn every_lifecycle_action_reads_the_same_as_an_event_and_as_a_notification() {
    let mut count = 0;
    for (name, event) in of_detail_types(&["EC2 Instance-terminate Lifecycle Action"]) {
        let transition = &event["detail"]["LifecycleTransition"];
        if *transition != "autoscaling:EC2_INSTANCE_TERMINATING" {
            continue;
        }
        count += 1;
        let notification = as_notification(&event);
        match (read(&event), read(&notification)) {
            (Ok(one), Ok(mut other)) => {
                assert_eq!((other.envelope.id, other.envelope.region), (None, None));
                other.envelope.id = one.envelope.id.clone();
                other.envelope.region = one.envelope.region.clone();
                assert_eq!(one, other, "{name}");
            }
            (Err(one), Err(other)) => {
                let tail = |text: &str| text.split_once(": `").map(|it| it.1.to_owned()).unwrap();
                assert_eq!(tail(&one).replace("detail.", ""), tail(&other), "{name}");
            }
            (one, other) => panic!("{name}: {one:?} is not {other:?}"),
        }
        assert_eq!(read(&over_a_topic(&notification)), read(&notification));
    }
    assert!(count >= 8, "{count}");
}

/// The test notification in all of its forms: as an event, as a body, and over a topic.
#[test]
fn a_test_notification_is_ignored_in_every_form() {
    let names = [
        "aws.autoscaling--ec2-instance-launch-lifecycle-action--test-notification.json",
        "aws.autoscaling--ec2-instance-terminate-lifecycle-action--test-notification.json",
        "unknown--unknown--lifecycle-notification-test.json",
    ];
    for name in names {
        let event = samples::one(name);
        for form in [event.clone(), over_a_topic(&event)] {
            let kind = read(&form).unwrap().kind;
            assert_eq!(
                serde_json::to_value(&kind).unwrap(),
                json!({"kind": "ignored", "why": "test_notification"}),
                "{name}"
            );
        }
    }
}

/// Somebody else's payload with the same fields is no notification.
#[test]
fn only_auto_scaling_sends_its_notifications() {
    let mut event = samples::one("unknown--unknown--lifecycle-notification-terminating.json");
    event["Service"] = Value::from("Another");
    assert!(read(&event).unwrap_err().contains("not an event"));
    event["source"] = Value::from("custom");
    event["Service"] = Value::from("AWS Auto Scaling");
    assert_eq!(read(&event).unwrap().kind.as_str(), "ignored");
}

/// Ids and texts that stand where an instance's id may stand.
fn entity() -> impl Strategy<Value = &'static str> {
    select(vec![
        "i-0a",
        "i-0b",
        "i-0c",
        "i-f3a8506b",
        "i-1234567890abcdef0",
        "h-0123456789abcdef0",
        "arn:aws:ec2:us-west-2b:instance/i-0d",
        "i-0e | us-west-2b",
        "i-",
        "",
    ])
}

fn is_instance(text: &str) -> bool {
    text.strip_prefix("i-")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// `resources` may hold anything: what it names never counts.
    #[test]
    fn resources_name_no_instance(
        sample in any::<Index>(),
        named in vec(prop_oneof![
            Just("arn:aws:ec2:us-west-2:111122223333:instance/i-0123456789abcdef0"),
            Just("arn:aws:ec2:us-west-2b:instance/i-0123456789abcdef0"),
            Just("i-0123456789abcdef0"),
        ], 0..4),
        is_list in any::<bool>(),
    ) {
        let events = of_detail_types(&NOTICES);
        let (name, event) = sample.get(&events);
        let want = render::invocation(&Ok(trigger::parse(event)));
        let mut other = event.clone();
        other["resources"] = if is_list { json!(named) } else { json!(named.join(" ")) };
        prop_assert_eq!(render::invocation(&Ok(trigger::parse(&other))), want, "{}", name);
    }

    /// The instances of a scheduled change: those that something is left to do about, and beside them those for which it is over; else
    /// all, and then it is over for each.
    #[test]
    fn entities_are_the_instances_of_a_scheduled_change(
        entities in vec((entity(), select(vec!["PENDING", "RESOLVED", "UNKNOWN", ""])), 0..8),
        status in select(vec!["open", "upcoming", "closed"]),
    ) {
        let listed: Vec<Value> = entities
            .iter()
            .map(|(value, status)| match *status {
                "" => json!({"entityValue": value}),
                status => json!({"entityValue": value, "status": status}),
            })
            .collect();
        let mut event = samples::one("aws.health--aws-health-event--instance-stop-scheduled.json");
        event["detail"]["affectedEntities"] = Value::from(listed);
        event["detail"]["statusCode"] = Value::from(status);
        let kind = read(&event).unwrap().kind;

        let all: BTreeSet<&str> = entities.iter().map(|it| it.0).filter(|it| is_instance(it)).collect();
        let to_do: BTreeSet<&str> = entities
            .iter()
            .filter(|it| it.1 != "RESOLVED")
            .map(|it| it.0)
            .filter(|it| is_instance(it))
            .collect();
        let is_over = status == "closed" || to_do.is_empty();
        if let TriggerKind::InstanceNoticed(noticed) = &kind {
            let said = matches!(noticed.notice, Notice::Maintenance { is_over: true, .. });
            prop_assert_eq!(said, is_over);
            let open: BTreeSet<&str> = noticed.instances.iter().map(|it| it.as_str()).collect();
            let resolved: BTreeSet<&str> = noticed.resolved.iter().map(|it| it.as_str()).collect();
            let want = if is_over { BTreeSet::new() } else { &all - &to_do };
            prop_assert_eq!(resolved, want);
            prop_assert_eq!(open, if is_over { all } else { to_do });
        } else {
            prop_assert_eq!(kind.as_str(), "ignored");
            prop_assert!(all.is_empty());
        }
    }
}
