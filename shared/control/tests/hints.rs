//! What the notices of one invocation come to, for a function that takes every hint.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where its sample is not what it says"
)]

use std::collections::BTreeSet;

use control::{About, Coalesced, Concern, Home, Interest, Triggers, coalesce};
use expect_test::{Expect, expect};
use model::snapshot::Scope;
use model::trigger::TriggerKind;
use model::{ClusterName, Timestamp};
use serde_json::Value;

/// Takes everything that is not ignored, and every hint.
struct Everything;

impl Interest for Everything {
    type Named = ClusterName;

    fn concern(kind: &TriggerKind) -> Concern<ClusterName> {
        if let TriggerKind::Ignored(why) = kind {
            return Concern::Nothing(why.as_str());
        }
        Concern::Look(About::Everything)
    }

    fn is_hint(_kind: &TriggerKind) -> bool {
        true
    }

    fn scope(
        _named: BTreeSet<ClusterName>,
        everything: bool,
        installed: &[ClusterName],
    ) -> Option<Scope> {
        everything.then(|| Scope::Clusters(installed.to_vec()))
    }

    fn enter(_triggers: &mut Triggers, _named: &BTreeSet<ClusterName>) {}
}

fn sample(name: &str) -> Value {
    let path = format!("{}/../../events/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn coalesced(payload: &Value) -> Coalesced<ClusterName> {
    coalesce::<Everything>(&trigger::parse(payload), &Home::default())
}

/// The messages in one order and in the other come to the same.
fn check(mut batch: Value, want: &Expect) {
    let hints = coalesced(&batch).hints;
    let records = batch.get_mut("Records").and_then(Value::as_array_mut);
    records.unwrap().reverse();
    assert_eq!(hints, coalesced(&batch).hints);
    let at = |at: Option<Timestamp>| at.map_or_else(|| "no time".to_owned(), |at| at.to_string());
    let mut lines = Vec::new();
    for hint in &hints.notices {
        let notice = serde_json::to_string(&hint.notice).unwrap();
        lines.push(format!("{} {}: {notice}", at(hint.at), hint.instance));
    }
    for (time, action) in &hints.lifecycle_actions {
        let (instance, group, hook) = (&action.instance, &action.group, &action.hook);
        lines.push(format!("{} {instance}: {hook} of {group}", at(*time)));
    }
    want.assert_eq(&(lines.join("\n") + "\n"));
}

/// A warning that came twice is one hint; what was said besides about the same instance is another.
#[test]
fn each_notice_of_each_instance_is_a_hint_once() {
    let batch = sample("aws.sqs--batch--instance-drain.json");
    let want = expect![[r#"
        2026-03-14T09:26:53Z i-003eca7a4146f661d: {"notice":"maintenance","code":"AWS_EC2_INSTANCE_STOP_SCHEDULED","health_event":"f24314cd-b200-4e12-9082-e2a12fd15ca9","starts_at":"2026-03-28T15:10:09Z","is_over":false}
        2026-03-14T09:26:53Z i-00e4c2dcda4d564a6: {"notice":"capacity_reservation_interruption","action":"terminate"}
        2026-03-14T09:26:53Z i-0d1ed5a6a44f25630: {"notice":"maintenance","code":"AWS_EC2_INSTANCE_STOP_SCHEDULED","health_event":"f24314cd-b200-4e12-9082-e2a12fd15ca9","starts_at":"2026-03-28T15:10:09Z","is_over":false}
        2026-03-14T09:26:53Z i-4740ae6347b0172c0: {"notice":"spot_interruption","action":"terminate"}
        2026-03-14T09:20:00Z i-4740ae6347b0172c0: {"notice":"rebalance"}
        2026-03-14T09:28:55Z i-4740ae6347b0172c0: {"notice":"state_changed","state":"terminated"}
        2026-03-14T09:26:53Z i-f3a8506b: {"notice":"maintenance","code":"AWS_EC2_INSTANCE_STOP_SCHEDULED","health_event":"f24314cd-b200-4e12-9082-e2a12fd15ca9","starts_at":"2026-03-28T15:10:09Z","is_over":false}
        2026-03-14T09:26:53.49Z i-02aafada135f51832: drain of container-demo-EC2Spot
        2026-03-14T09:26:53Z i-0ffefe18b61121c77: drain of container-demo-EC2Spot
    "#]];
    check(batch, &want);
}

/// The action that a queue got twice, by a topic and by itself, is one.
#[test]
fn each_lifecycle_action_is_a_hint_once() {
    let batch = sample("aws.sqs--batch--lifecycle-notifications.json");
    let want = expect![[r#"
        2026-03-14T09:26:53.49Z i-02aafada135f51832: drain of container-demo-EC2Spot
    "#]];
    check(batch, &want);
}

/// Of equal notices the latest time is kept, and none is earlier than any.
#[test]
fn the_latest_time_of_equal_notices_is_kept() {
    let warning = sample("aws.ec2--ec2-spot-instance-interruption-warning--terminate.json");
    let times: [Option<&str>; 4] = [
        Some("2026-03-14T09:26:53Z"),
        None,
        Some("2026-03-14T09:26:59Z"),
        Some("2026-03-14T09:26:40Z"),
    ];
    let records: Vec<Value> = times
        .into_iter()
        .map(|time| {
            let mut event = warning.clone();
            event["time"] = Value::from(time);
            serde_json::json!({ "body": event.to_string() })
        })
        .collect();
    let batch = serde_json::json!({ "Records": records });
    let want = expect![[r#"
        2026-03-14T09:26:59Z i-4740ae6347b0172c0: {"notice":"spot_interruption","action":"terminate"}
    "#]];
    check(batch, &want);
}
