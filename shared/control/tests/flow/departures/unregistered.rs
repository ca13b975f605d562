//! Instances in no group that are warned before they register, and among them many that never will.

use std::cell::RefCell;
use std::sync::Arc;

use ::ledger::{DynamoDbLedger, Ledger};
use model::InstanceId;
use model::drain::DrainKey;
use model::policy::Mode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use world::{ContainerInstanceStatus, Operation};

use super::stage::{DRAINS, GROUP, Handled, Scene, Stage};
use crate::ledger::{keep_items, listen};
use crate::stage::{acted, batch, dynamodb, held, invoked, schedule};

/// The cluster's tags let its instances in no group be drained.
pub(super) fn opt_in(stage: &Stage) {
    stage.face.with_world(|world| {
        let arn = world.cluster_arn(&stage.cast.cluster);
        let tags = json!([{"key": "ballast:instance-drain", "value": "act"}]);
        let input = json!({"resourceArn": arn, "tags": tags});
        world.call(Operation::TagResource, input).unwrap();
    });
}

/// Warnings of so many instances that are in no group and registered nowhere.
pub(super) fn foreign(stage: &Stage, count: u32) -> Vec<Value> {
    let ids = (0..count).map(|it| format!("i-0f{it:015x}").parse().unwrap());
    ids.map(|id: InstanceId| stage.warning(&id)).collect()
}

/// Of how many instances that are registered nowhere something is remembered.
pub(super) async fn remembered(stage: &Stage, events: &[Value]) -> usize {
    let ids = events
        .iter()
        .map(|it| it["detail"]["instance-id"].as_str().unwrap());
    let keys = ids.map(|id| DrainKey::Instance {
        instance: id.parse().unwrap(),
    });
    let keys = keys.collect();
    let recalled = stage.ledger.recall(&keys, invoked().deadline).await;
    let known = recalled.known.values();
    known.filter(|(memory, _)| !memory.is_empty()).count()
}

/// A cluster that is opted in for its instances in no group, and an instance in none that was launched a moment ago.
async fn with_a_new_instance() -> (Stage, InstanceId) {
    let scene = Scene {
        tags: vec![],
        hook_secs: None,
        ..Scene::default()
    };
    let stage = scene.open().await;
    opt_in(&stage);
    let id = stage.face.with_world(|world| {
        let before = world.state().groups[GROUP].instances.clone();
        world.set_desired_capacity(GROUP, 4).unwrap();
        loop {
            world.advance_secs(1);
            let members = world.state().groups[GROUP].instances.clone();
            let new = members.into_iter().find(|it| !before.contains(it));
            if let Some(new) = new
                && world.detach_instance(&new, true).is_ok()
            {
                return new;
            }
        }
    });
    (stage, id.parse().unwrap())
}

#[tokio::test]
async fn a_warning_that_comes_before_the_instance_registers_is_remembered_and_the_schedule_drains_it()
 {
    let (stage, new) = with_a_new_instance().await;
    assert_eq!(stage.status(&new), None);
    let handled = stage.handle(Mode::Act, &stage.warning(&new)).await;
    assert_eq!(handled.failure, None);
    assert_eq!(held(&handled, "not_registered"), 1, "{handled:#?}");
    let mut waited = 0;
    while stage.status(&new) != Some(ContainerInstanceStatus::Active) {
        stage.advance_secs(1);
        waited += 1;
    }
    assert!((1..110).contains(&waited), "{waited}");
    let handled = stage.sweep().await;
    assert_eq!(handled.failure, None);
    assert_eq!(acted(&handled), [format!("set `{new}` to DRAINING: done")]);
    let draining = Some(ContainerInstanceStatus::Draining);
    assert_eq!(stage.status(&new), draining);
    assert_eq!(stage.acted_in(1).await, [""; 0]);
}

/// Nobody warned of it: it stays, and nothing is remembered of it.
#[tokio::test]
async fn an_instance_that_registers_without_a_warning_stays() {
    let (stage, new) = with_a_new_instance().await;
    stage.advance_secs(60);
    assert_eq!(stage.acted_in(3).await, [""; 0]);
    assert_eq!(stage.status(&new), Some(ContainerInstanceStatus::Active));
}

/// The schedule's message is in the same batch, so that everything is looked at: what that does not show is looked at by name.
#[tokio::test]
async fn a_warning_that_comes_with_the_schedule_is_remembered() {
    let (stage, new) = with_a_new_instance().await;
    let events = [stage.warning(&new).to_string(), schedule().to_string()];
    let handled = stage.handle(Mode::Act, &batch(events)).await;
    assert_eq!(handled.failure, None);
    assert_eq!(held(&handled, "not_registered"), 1, "{handled:#?}");
    assert_eq!(handled.record.looked_again.len(), 1);
    stage.advance_secs(100);
    assert_eq!(stage.status(&new), Some(ContainerInstanceStatus::Active));
    let handled = stage.sweep().await;
    assert_eq!(acted(&handled), [format!("set `{new}` to DRAINING: done")]);
}

/// Nothing is looked at again where nobody's cluster is opted in.
#[tokio::test]
async fn a_warning_of_an_instance_that_nothing_shows_costs_nothing_more() {
    let stage = Scene::default().open().await;
    let mut events = foreign(&stage, 3);
    events.push(schedule());
    let bodies = events.iter().map(ToString::to_string);
    let handled = stage.handle(Mode::Act, &batch(bodies)).await;
    assert_eq!(handled.failure, None);
    assert_eq!(handled.record.looked_again.len(), 0);
    assert_eq!(handled.record.batch_item_failures.as_deref(), Some(&[][..]));
}

/// As many as one look names, and more.
#[tokio::test]
async fn of_a_thousand_warned_instances_that_are_registered_nowhere_none_is_forgotten() {
    for count in [1_000, 1_010] {
        let stage = Scene::default().open().await;
        opt_in(&stage);
        let events = foreign(&stage, count);
        let bodies = events.iter().map(ToString::to_string);
        let handled = stage.handle(Mode::Act, &batch(bodies)).await;
        assert_eq!(handled.failure, None);
        assert_eq!(remembered(&stage, &events).await, events.len());
        let failures = handled.record.batch_item_failures.as_deref();
        assert_eq!(failures, Some(&[][..]));
    }
}

/// A stage whose cluster is opted in, over a DynamoDB that does not run yet.
async fn over_dynamodb() -> (Stage, TcpListener) {
    let mut stage = Scene::default().open().await;
    opt_in(&stage);
    let (listener, url) = listen().await;
    let ledger = DynamoDbLedger::new(dynamodb(&url), "pairs");
    stage.ledger = Arc::new(Ledger::DynamoDb(ledger));
    (stage, listener)
}

/// What one process makes of a payload while this DynamoDB runs.
async fn beside(
    stage: &Stage,
    payload: &Value,
    listener: &TcpListener,
    refuses: impl Fn(usize, usize, &str) -> Option<&'static str>,
) -> Handled {
    let handling = Box::pin(stage.handle(Mode::Act, payload));
    let keeping = Box::pin(keep_items(listener, refuses, false));
    tokio::select! {
        handled = handling => handled,
        () = keeping => panic!("the ledger went away"),
    }
}

/// What is remembered of instances that are perhaps nobody's is written when what leaves is DRAINING.
#[tokio::test]
async fn foreign_warnings_hold_up_no_drain() {
    let (stage, listener) = Box::pin(over_dynamodb()).await;
    let leaving = stage.in_service().swap_remove(0);
    let mut events = foreign(&stage, 40);
    events.push(stage.warning(&leaving));
    let payload = batch(events.iter().map(ToString::to_string));
    let log: RefCell<Vec<(bool, u64)>> = RefCell::default();
    let keep = |_, write: usize, key: &str| {
        if write > 0 {
            let drains = stage.writes().get(DRAINS).copied().unwrap_or(0);
            log.borrow_mut().push((key.contains(":instance/"), drains));
        }
        None
    };
    let handled = Box::pin(beside(&stage, &payload, &listener, keep)).await;
    assert_eq!(handled.failure, None);
    assert_eq!(
        acted(&handled),
        [format!("set `{leaving}` to DRAINING: done")]
    );
    let log = log.into_inner();
    let first = log.first().copied();
    assert_eq!(first, Some((false, 0)), "the drain is announced: {log:?}");
    let foreign: Vec<u64> = log
        .iter()
        .filter(|(is_alone, _)| *is_alone)
        .map(|(_, drains)| *drains)
        .collect();
    assert_eq!(foreign, [1; 40]);
}

/// Those whose memory could not be written come again, and nothing else does.
#[tokio::test]
async fn a_foreign_warning_that_could_not_be_remembered_comes_again() {
    const AWAY: &str = "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException";
    let (stage, listener) = Box::pin(over_dynamodb()).await;
    let leaving = stage.in_service().swap_remove(0);
    let mut events = foreign(&stage, 2);
    events.push(stage.warning(&leaving));
    let payload = batch(events.iter().map(ToString::to_string));
    let refuse = |_, write: usize, key: &str| {
        let is_one = write > 0 && key.ends_with("0");
        is_one.then_some(AWAY)
    };
    let handled = Box::pin(beside(&stage, &payload, &listener, refuse)).await;
    let failure = handled.failure.as_ref().map(control::Failure::as_str);
    assert_eq!(failure, Some("LedgerUnavailable"));
    let failures = handled.record.batch_item_failures.as_ref().unwrap();
    let ids: Vec<&str> = failures
        .iter()
        .map(|it| it.item_identifier.as_str())
        .collect();
    assert_eq!(ids, ["message-0"]);
    assert_eq!(stage.draining(), [leaving].into());
}
