//! What AWS Health says again about several instances, when it is over for some of them.

use model::InstanceId;
use model::policy::Mode;
use serde_json::{Value, json};

use super::stage::{Scene, Stage};
use crate::stage::{acted, well_done};

fn arn(id: &str) -> String {
    let code = "AWS_EC2_INSTANCE_STOP_SCHEDULED";
    format!("arn:aws:health:us-west-2::event/EC2/{code}/{code}_{id}")
}

/// What AWS Health says now of instances that it stops so many seconds from now, each with its state.
fn stops(stage: &Stage, in_secs: i64, of_each: &[(&InstanceId, &str)]) -> Value {
    let entities = of_each.iter();
    let entities: Vec<Value> = entities
        .map(|(id, status)| json!({"entityValue": id, "status": status}))
        .collect();
    json!({
        "version": "0",
        "id": "8b0a6a1c-0000-4000-8000-000000000003",
        "detail-type": "AWS Health Event",
        "source": "aws.health",
        "account": "111122223333",
        "time": stage.now().to_string(),
        "region": "us-west-2",
        "resources": [],
        "detail": {
            "service": "EC2",
            "eventArn": arn("1"),
            "eventTypeCode": "AWS_EC2_INSTANCE_STOP_SCHEDULED",
            "eventTypeCategory": "scheduledChange",
            "startTime": model::Seconds(in_secs).after(stage.now()).to_string(),
            "statusCode": "open",
            "affectedEntities": entities,
        },
    })
}

/// Its owner stopped and started one of two instances: Ballast's drain of this one is taken back, and the other leaves.
#[tokio::test]
async fn what_is_resolved_while_another_is_not_is_taken_back() {
    let stage = Scene::default().open().await;
    let ids = stage.in_service();
    let (moved, other) = (&ids[0], &ids[1]);
    let first = stops(&stage, 540, &[(moved, "PENDING"), (other, "PENDING")]);
    let handled = stage.handle(Mode::Act, &first).await;
    assert_eq!(well_done(&handled), 2);
    assert_eq!(stage.draining(), [moved.clone(), other.clone()].into());

    stage.advance_secs(60);
    let again = stops(&stage, 480, &[(moved, "RESOLVED"), (other, "PENDING")]);
    stage.advance_secs(5);
    let active = format!("set `{moved}` to ACTIVE again: done");
    assert_eq!(acted(&stage.handle(Mode::Act, &again).await), [active]);
    // The first event comes once more: it is older.
    assert_eq!(acted(&stage.handle(Mode::Act, &first).await), [""; 0]);
    assert_eq!(stage.acted_in(3).await, [""; 0]);
    assert_eq!(stage.draining(), [other.clone()].into());
}

/// Long before it begins: nothing is drained for what is over.
#[tokio::test]
async fn what_is_resolved_before_its_drain_is_not_drained() {
    for is_reordered in [false, true] {
        let stage = Scene::default().open().await;
        let ids = stage.in_service();
        let (moved, other) = (&ids[0], &ids[1]);
        let first = stops(&stage, 7_200, &[(moved, "PENDING"), (other, "PENDING")]);
        stage.advance_secs(60);
        let again = stops(&stage, 7_140, &[(moved, "RESOLVED"), (other, "UNKNOWN")]);
        let mut events = [first, again];
        if is_reordered {
            events.reverse();
        }
        for event in &events {
            assert_eq!(acted(&stage.handle(Mode::Act, event).await), [""; 0]);
        }
        stage.advance_secs(5_400);
        assert_eq!(well_done(&stage.sweep().await), 1);
        assert_eq!(stage.draining(), [other.clone()].into());
    }
}

/// Two events of one kind name an instance. The first, which is over for it, is said again because of another instance: the second's maintenance comes.
#[tokio::test]
async fn what_another_event_announced_comes() {
    for is_closed in [false, true] {
        let stage = Scene::default().open().await;
        let ids = stage.in_service();
        let (again, other) = (&ids[0], &ids[1]);
        let mut second = stops(&stage, 7_200, &[(again, "PENDING")]);
        second["detail"]["eventArn"] = arn("2").into();
        stage.advance_secs(60);
        let mut first = stops(&stage, 86_400, &[(again, "RESOLVED"), (other, "PENDING")]);
        if is_closed {
            first["detail"]["statusCode"] = "closed".into();
        }
        for event in [&second, &first] {
            assert_eq!(acted(&stage.handle(Mode::Act, event).await), [""; 0]);
        }
        stage.advance_secs(5_400);
        assert_eq!(well_done(&stage.sweep().await), 1);
        assert_eq!(stage.draining(), [again.clone()].into());
    }
}
