//! Which messages of a batch go back to their queue.

use model::InstanceId;
use model::policy::Mode;
use world::{Fault, FaultRule, Operation};

use super::stage::{Scene, Stage, TERMINATE_ACTION};
use crate::stage::{batch, done, schedule};

/// The messages that go back to the queue.
async fn kept(stage: &Stage, events: &[serde_json::Value]) -> Vec<String> {
    let bodies = events.iter().map(ToString::to_string);
    let handled = stage.handle(Mode::Act, &batch(bodies)).await;
    let kept = handled.record.batch_item_failures.unwrap();
    kept.iter()
        .map(|it| it.item_identifier.to_string())
        .collect()
}

fn warnings(stage: &Stage, instances: &[InstanceId]) -> Vec<serde_json::Value> {
    let mut events: Vec<serde_json::Value> = instances.iter().map(|it| stage.warning(it)).collect();
    events.push(schedule());
    events
}

#[tokio::test]
async fn of_a_batch_only_what_failed_goes_back() {
    let stage = Scene::default().open().await;
    let all = stage.in_service();
    assert_eq!(all.len(), 3);
    // ECS answers that one of three is MISSING: it is gone, and nothing is to be done about it.
    let rule = FaultRule::times(
        Operation::UpdateContainerInstancesState,
        Fault::PartialFailure,
        1,
    );
    stage.fault(rule);
    let bodies = warnings(&stage, &all);
    let bodies = bodies.iter().map(ToString::to_string);
    let handled = stage.handle(Mode::Act, &batch(bodies)).await;
    stage.clear_faults();
    let results = handled.record.outcomes_by_result.clone();
    let want = [("already_so".to_owned(), 1), ("done".to_owned(), 2)];
    assert_eq!(results, want.into());
    assert_eq!(handled.record.batch_item_failures.as_deref(), Some(&[][..]));

    let stage = Scene::default().open().await;
    let all = stage.in_service();
    let denied = FaultRule::always(
        Operation::UpdateContainerInstancesState,
        Fault::AccessDenied,
    );
    stage.fault(denied);
    let events = warnings(&stage, &all[..2]);
    assert_eq!(
        kept(&stage, &events).await,
        ["message-0", "message-1", "message-2"]
    );
    stage.clear_faults();
    let again = kept(&stage, &events).await;
    assert_eq!((again, stage.draining().len()), (vec![], 2));
}

/// A hook's action that cannot be completed concerns its instance and no other.
#[tokio::test]
async fn an_action_that_fails_holds_up_no_other_instance() {
    let stage = Scene::default().open().await;
    let all = stage.in_service();
    let (waiting, warned) = (&all[2], &all[0]);
    stage.terminate(waiting);
    stage.advance_secs(5);
    let mut events = stage.events(TERMINATE_ACTION);
    let handled = stage.handle(Mode::Act, &events[0]).await;
    assert_eq!(done(&handled), 1);
    stage.advance_secs(60);
    let refused = FaultRule::always(Operation::CompleteLifecycleAction, Fault::AccessDenied);
    stage.fault(refused);
    events.push(stage.warning(warned));
    assert_eq!(kept(&stage, &events).await, ["message-0"]);
    assert!(stage.draining().contains(warned));
    stage.clear_faults();
    assert_eq!(kept(&stage, &events).await, [""; 0]);
}

/// An instance that could not be read has its message come again; one whose tasks or hooks could not be read has not.
#[tokio::test]
async fn what_could_not_be_seen_goes_back() {
    let stage = Scene::default().open().await;
    let all = stage.in_service();
    stage.fault(FaultRule::always(
        Operation::DescribeAutoScalingInstances,
        Fault::AccessDenied,
    ));
    let unknown: InstanceId = "i-0ffffffffffffffff".parse().unwrap();
    let events = [stage.warning(&all[0]), stage.warning(&unknown)];
    assert_eq!(kept(&stage, &events).await, ["message-0", "message-1"]);
    stage.clear_faults();
    stage.fault(FaultRule::always(
        Operation::DescribeTasks,
        Fault::AccessDenied,
    ));
    assert_eq!(kept(&stage, &events).await, [""; 0]);
    // The drain needs no tasks.
    assert_eq!(stage.draining(), [all[0].clone()].into());
    let hooks = FaultRule::always(Operation::DescribeLifecycleHooks, Fault::AccessDenied);
    stage.fault(hooks);
    stage.terminate(&all[1]);
    stage.advance_secs(5);
    let events = stage.events(TERMINATE_ACTION);
    assert_eq!(kept(&stage, &events).await, [""; 0]);
    assert!(stage.draining().contains(&all[1]));
    stage.fault(FaultRule::always(
        Operation::ListContainerInstances,
        Fault::AccessDenied,
    ));
    assert_eq!(kept(&stage, &events).await, ["message-0"]);
}
