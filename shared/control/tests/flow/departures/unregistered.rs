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

use super::stage::{DRAINS, GROUP, Handled, REBALANCE, Scene, Stage, about};
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

/// A recommendation is no reason to remember an instance that is registered nowhere; the hold says what is remembered of it all the same.
#[tokio::test]
async fn the_hold_of_an_instance_that_is_registered_nowhere_tells_what_is_remembered_of_it() {
    let (stage, new) = with_a_new_instance().await;
    let recommended = about(REBALANCE, &new, stage.now());
    let handled = stage.handle(Mode::Act, &recommended).await;
    assert_eq!(held(&handled, "not_found"), 1, "{handled:#?}");
    stage.handle(Mode::Act, &stage.warning(&new)).await;
    let handled = stage.handle(Mode::Act, &recommended).await;
    assert_eq!(handled.failure, None);
    assert_eq!(held(&handled, "not_registered"), 1, "{handled:#?}");
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

/// What one process makes of a payload while this DynamoDB runs, which says of what it refuses that it is kept all the same, or is not.
async fn beside(
    stage: &Stage,
    payload: &Value,
    listener: &TcpListener,
    refuses: impl Fn(usize, usize, &str) -> Option<&'static str>,
    is_kept: bool,
) -> Handled {
    let handling = Box::pin(stage.handle(Mode::Act, payload));
    let keeping = Box::pin(keep_items(listener, refuses, is_kept, |_| true));
    tokio::select! {
        handled = handling => handled,
        () = keeping => panic!("the ledger went away"),
    }
}

/// Whether a key of the ledger is of an instance that belongs to nothing that is opted in.
fn is_alone(key: &str) -> bool {
    key.contains(":instance/")
}

/// What is remembered of instances that are perhaps nobody's, and the drain of what leaves, do not wait for one another: the ledger answers about
/// the former, also a read, only after the drain, and is asked for the first of them before it is told what became of the drain.
#[tokio::test]
async fn foreign_warnings_hold_up_no_drain_and_wait_for_none() {
    let (stage, listener) = Box::pin(over_dynamodb()).await;
    let leaving = stage.in_service().swap_remove(0);
    let mut events = foreign(&stage, 10);
    events.push(stage.warning(&leaving));
    let payload = batch(events.iter().map(ToString::to_string));
    // Of each request whether it is a write, and whether it is about instances that belong to nothing.
    let log: RefCell<Vec<(bool, bool)>> = RefCell::default();
    let keep = |_, write: usize, key: &str| {
        let mut log = log.borrow_mut();
        log.push((write > 0, is_alone(key)));
        let announced = log.contains(&(true, false));
        assert!(announced || !is_alone(key), "the drain waits for `{key}`");
        None
    };
    let drains = || stage.writes().get(DRAINS).copied().unwrap_or(0);
    let may_answer = |key: &str| !is_alone(key) || drains() > 0;
    let handling = Box::pin(stage.handle(Mode::Act, &payload));
    let keeping = Box::pin(keep_items(&listener, keep, false, may_answer));
    let handled = tokio::select! {
        handled = handling => handled,
        () = keeping => panic!("the ledger went away"),
    };
    assert_eq!(handled.failure, None);
    let drained = format!("set `{leaving}` to DRAINING: done");
    assert_eq!(acted(&handled), [drained]);
    assert_eq!(held(&handled, "not_registered"), 10, "{handled:#?}");
    // The group, and then the ten.
    assert_eq!(handled.record.ledger.recalled, 1 + 10);
    let log = log.into_inner();
    // The drain is announced; what became of it is told after that of the others has begun.
    let begun = [(false, false), (true, false), (false, true)];
    assert_eq!(log.get(..3), Some(&begun[..]), "{log:?}");
    let counted = |it: (bool, bool)| log.iter().filter(|of| **of == it).count();
    assert_eq!(counted((true, false)), 2);
    assert_eq!(counted((true, true)), 10);
    assert_eq!((counted((false, false)), counted((false, true))), (1, 1));
}

/// What another invocation remembers meanwhile is read again, and nothing is looked at again for it: where that one said the same, it is left so.
async fn check_contended(is_kept: bool, writes: usize) {
    const CONFLICT: &str = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    let (stage, listener) = Box::pin(over_dynamodb()).await;
    let leaving = stage.in_service().swap_remove(0);
    let mut events = foreign(&stage, 1);
    events.push(stage.warning(&leaving));
    let payload = batch(events.iter().map(ToString::to_string));
    let of_it: RefCell<usize> = RefCell::default();
    let refuse = |_, write: usize, key: &str| {
        let is_its = write > 0 && is_alone(key);
        let mut of_it = of_it.borrow_mut();
        *of_it += usize::from(is_its);
        (is_its && *of_it == 1).then_some(CONFLICT)
    };
    let handled = Box::pin(beside(&stage, &payload, &listener, refuse, is_kept)).await;
    assert_eq!(handled.failure, None);
    assert_eq!(handled.record.batch_item_failures.as_deref(), Some(&[][..]));
    assert_eq!(handled.record.looked_again.len(), 0);
    assert_eq!(handled.record.ledger.conflicts, 1);
    assert_eq!(of_it.into_inner(), writes);
}

#[tokio::test]
async fn what_another_invocation_remembers_of_a_foreign_instance_costs_no_other_look() {
    Box::pin(check_contended(true, 1)).await;
    Box::pin(check_contended(false, 2)).await;
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
    let handled = Box::pin(beside(&stage, &payload, &listener, refuse, false)).await;
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
