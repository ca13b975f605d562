//! Alarms: both forms say the same, and what the metrics agree on is what is named.

use std::collections::{BTreeMap, BTreeSet};

use model::trigger::{AlarmChange, Trigger, TriggerKind};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::samples;

fn read(event: &Value) -> Result<Trigger, String> {
    trigger::parse(event)
        .items
        .remove(0)
        .read
        .map_err(|error| error.to_string())
}

fn alarm(event: &Value) -> AlarmChange {
    let kind = read(event).unwrap().kind;
    let TriggerKind::AlarmChanged(change) = kind else {
        panic!("{} is no alarm", kind.as_str());
    };
    change
}

/// The event as the call that the same alarm makes.
fn as_call(event: &Value) -> Value {
    json!({
        "source": event["source"],
        "alarmArn": event["resources"][0],
        "accountId": event["account"],
        "time": "2026-03-14T09:26:53.000+0000",
        "region": event["region"],
        "alarmData": event["detail"],
    })
}

#[test]
fn every_alarm_reads_the_same_as_an_event_and_as_a_call() {
    let mut count = 0;
    for (name, event) in samples::all_json() {
        if event["detail-type"] != "CloudWatch Alarm State Change" || !event["detail"].is_object() {
            continue;
        }
        count += 1;
        match (read(&event), read(&as_call(&event))) {
            (Ok(one), Ok(mut other)) => {
                assert_eq!(other.envelope.id, None, "{name}");
                other.envelope.id.clone_from(&one.envelope.id);
                assert_eq!(one, other, "{name}");
            }
            (Err(one), Err(other)) => {
                let tail = |text: &str| text.split_once(": `").map(|it| it.1.to_owned()).unwrap();
                let other = tail(&other).replace("alarmData", "detail");
                assert_eq!(tail(&one), other, "{name}");
            }
            (one, other) => panic!("{name}: {one:?} is not {other:?}"),
        }
    }
    assert!(count >= 20, "{count}");
}

/// What is not needed may be absent in a call; what it has of the envelope is kept.
#[test]
fn a_call_without_account_region_and_time_is_read() {
    let call = json!({"source": "aws.cloudwatch", "alarmData": {"alarmName": "a b", "state": {"value": "ALARM"}}});
    let trigger = read(&call).unwrap();
    assert_eq!(
        trigger.envelope.detail_type,
        "CloudWatch Alarm State Change"
    );
    assert_eq!(trigger.envelope.account, None);
    assert_eq!(trigger.envelope.time, None);
    assert_eq!(alarm(&call).alarm.as_str(), "a b");

    // Somebody else's payload with the same field is not an alarm's call.
    let other = json!({"source": "custom", "alarmData": {}});
    assert_eq!(read(&other).unwrap().kind.as_str(), "ignored");
}

#[test]
fn bounds_on_metrics_and_dimensions_hold() {
    let mut event =
        samples::one("aws.cloudwatch--cloudwatch-alarm-state-change--reservation-high.json");
    let metric = event["detail"]["configuration"]["metrics"][0].clone();
    event["detail"]["configuration"]["metrics"] = Value::from(vec![metric; 10_000]);
    let read = alarm(&event);
    assert_eq!(read.metrics.len(), trigger::ALARM_METRICS_MAX);
    assert_eq!(read.provider.unwrap().as_str(), "EC2");

    let many: serde_json::Map<String, Value> = (0..10_000)
        .map(|n| {
            (
                format!("d{n:05}{}", "n".repeat(1_000)),
                Value::from("v".repeat(10_000)),
            )
        })
        .collect();
    event["detail"]["configuration"]["metrics"] =
        json!([{"metricStat": {"metric": {"namespace": "x".repeat(10_000), "dimensions": many}}}]);
    let [metric] = alarm(&event).metrics.try_into().unwrap();
    assert_eq!(metric.dimensions.len(), trigger::DIMENSIONS_MAX);
    assert_eq!(metric.namespace.len(), 256);
    assert!(
        metric
            .dimensions
            .iter()
            .all(|(name, value)| name.len() == 256 && value.len() == 256)
    );
}

/// Dimensions as they occur: those that name something of ours, in few values, and others.
fn dimensions() -> impl Strategy<Value = BTreeMap<&'static str, &'static str>> {
    let name = select(vec![
        "ClusterName",
        "CapacityProviderName",
        "AutoScalingGroupName",
        "ServiceName",
        "QueueName",
    ]);
    btree_map(name, select(vec!["one", "two"]), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A name is the alarm's when the metrics that have its dimension have it in one value only; services are all named.
    #[test]
    fn what_the_metrics_agree_on_is_named(all in vec(dimensions(), 0..4)) {
        let metrics: Vec<Value> = all
            .iter()
            .map(|it| json!({"metricStat": {"metric": {"namespace": "n", "name": "m", "dimensions": it}}}))
            .chain([json!({"id": "e1", "expression": "SUM(METRICS())"})])
            .collect();
        let event = json!({
            "source": "aws.cloudwatch",
            "detail-type": "CloudWatch Alarm State Change",
            "detail": {"alarmName": "a", "state": {"value": "OK"}, "configuration": {"metrics": metrics}},
        });
        let read = alarm(&event);

        let every = |wanted: &[&str]| -> BTreeSet<String> {
            let mut found: BTreeSet<String> = BTreeSet::new();
            for metric in &all {
                let parts: Vec<&str> = wanted.iter().filter_map(|name| metric.get(name).copied()).collect();
                if parts.len() == wanted.len() {
                    found.insert(parts.join("/"));
                }
            }
            found
        };
        let values = |name: &str| {
            let found = every(&[name]);
            if found.len() == 1 { found.into_iter().next() } else { None }
        };
        prop_assert_eq!(read.cluster.map(String::from), values("ClusterName"));
        prop_assert_eq!(read.provider.map(String::from), values("CapacityProviderName"));
        prop_assert_eq!(read.group.map(String::from), values("AutoScalingGroupName"));
        let services: BTreeSet<String> = read.services.into_iter().map(String::from).collect();
        prop_assert_eq!(services, every(&["ClusterName", "ServiceName"]));
        let kept: Vec<BTreeMap<String, String>> = read.metrics.into_iter().map(|it| it.dimensions).collect();
        let given: Vec<BTreeMap<String, String>> = all
            .iter()
            .map(|it| it.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
            .collect();
        prop_assert_eq!(kept, given);
    }
}
