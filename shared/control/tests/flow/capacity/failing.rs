//! Calls that fail: nothing is removed on what was seen, and raising goes on where it can.

use model::outcome::OutcomeResult;
use world::{Fault, FaultRule, Operation};

use super::stage::Scene;
use crate::stage::{acted, done, held};

/// Every read of a look.
const READS: [Operation; 13] = [
    Operation::ListClusters,
    Operation::DescribeClusters,
    Operation::DescribeCapacityProviders,
    Operation::DescribeAutoScalingGroups,
    Operation::DescribeScalingActivities,
    Operation::DescribePolicies,
    Operation::DescribeScheduledActions,
    Operation::ListContainerInstances,
    Operation::DescribeContainerInstances,
    Operation::ListTasks,
    Operation::DescribeTasks,
    Operation::ListServices,
    Operation::DescribeServices,
];

/// A look that fails in one place removes nothing, says which call it was, and removes what is to be when it fails no more.
async fn check_nothing_is_removed(operation: Operation, fault: Fault) {
    let stage = Scene::default().open().await;
    stage.sweep_for(2).await;
    // One instance is left without a task.
    stage.set_tasks(1);
    stage.fault(FaultRule::always(operation, fault));
    for _ in 0..7 {
        let handled = stage.sweep_for(1).await;
        let about = format!("{operation:?} {fault:?}");
        let failure = handled.failure.as_ref().unwrap();
        assert_eq!(failure.as_str(), "LookIncomplete", "{about}");
        assert!(failure.to_string().contains(operation.name()), "{failure}");
        assert_eq!(acted(&handled), [""; 0], "{about}");
    }
    assert_eq!(stage.writes().len(), 0, "{operation:?} {fault:?}");
    if fault == Fault::AccessDenied {
        stage.clear_faults();
        stage.sweep_for(8).await;
        assert_eq!(stage.desired(), 1, "{operation:?}");
    }
}

#[tokio::test]
async fn whatever_read_fails_nothing_is_removed() {
    for operation in READS {
        check_nothing_is_removed(operation, Fault::AccessDenied).await;
    }
}

#[tokio::test]
async fn whatever_read_is_throttled_nothing_is_removed() {
    for operation in READS {
        check_nothing_is_removed(operation, Fault::Throttle).await;
    }
}

/// What is seen suffices to see that a task has no room: the group is raised in spite of the gap, and the invocation fails all the same.
#[tokio::test]
async fn a_look_with_a_gap_raises() {
    for (operation, fault) in [
        (Operation::DescribeScalingActivities, Fault::AccessDenied),
        (Operation::DescribeTasks, Fault::PartialFailure),
    ] {
        let stage = Scene::default().open().await;
        stage.sweep_for(2).await;
        stage.set_tasks(7);
        stage.fault(FaultRule::always(operation, fault));
        let handled = stage.sweep().await;
        let failure = handled.failure.as_ref().unwrap();
        assert_eq!(failure.as_str(), "LookIncomplete", "{operation:?}");
        let raise = "set the desired capacity of `workers` from 2 to 3: done";
        assert_eq!(acted(&handled), [raise], "{operation:?}");
    }
}

/// Whether somebody else sizes the group is not known: it is left alone, and that is said.
#[tokio::test]
async fn a_look_that_cannot_see_who_else_sizes_the_group_leaves_it_alone() {
    for operation in [
        Operation::DescribePolicies,
        Operation::DescribeScheduledActions,
    ] {
        let stage = Scene::default().open().await;
        stage.sweep_for(2).await;
        stage.set_tasks(7);
        stage.fault(FaultRule::always(operation, Fault::AccessDenied));
        let handled = stage.sweep().await;
        let failure = handled.failure.as_ref().unwrap();
        assert_eq!(failure.as_str(), "LookIncomplete", "{operation:?}");
        assert_eq!(held(&handled, "snapshot_incomplete"), 1, "{operation:?}");
        assert_eq!((done(&handled), stage.desired()), (0, 2), "{operation:?}");
    }
}

#[tokio::test]
async fn a_throttled_write_is_made_later() {
    let stage = Scene::default().open().await;
    stage.sweep_for(2).await;
    stage.set_tasks(7);
    let operation = Operation::SetDesiredCapacity;
    stage.fault(FaultRule::times(operation, Fault::Throttle, 3));
    let handled = stage.sweep().await;
    assert_eq!(handled.failure.unwrap().as_str(), "StepFailed");
    let result = &handled.record.outcomes[0].result;
    assert!(matches!(result, OutcomeResult::Failed { .. }), "{result}");
    assert_eq!(stage.desired(), 2);
    let handled = stage.sweep().await;
    assert_eq!(held(&handled, "own_write_not_visible"), 1);
    let handled = stage.sweep_for(1).await;
    assert_eq!((done(&handled), stage.desired()), (1, 3));
}

#[tokio::test]
async fn a_write_that_is_not_allowed_is_tried_again_at_once() {
    let stage = Scene::default().open().await;
    stage.sweep_for(2).await;
    stage.set_tasks(7);
    let denied = FaultRule::times(Operation::SetDesiredCapacity, Fault::AccessDenied, 1);
    stage.fault(denied);
    let handled = stage.sweep().await;
    assert_eq!(handled.failure.unwrap().as_str(), "StepFailed");
    let handled = stage.sweep().await;
    assert_eq!(handled.failure, None);
    assert_eq!((done(&handled), stage.desired()), (1, 3));
}

#[tokio::test]
async fn a_drain_that_fails_is_no_drain() {
    for fault in [Fault::AccessDenied, Fault::ServerError, Fault::ResponseLost] {
        let stage = Scene::default().open().await;
        stage.sweep_for(2).await;
        stage.set_tasks(0);
        let operation = Operation::UpdateContainerInstancesState;
        stage.fault(FaultRule::times(operation, fault, 3));
        let mut minutes = 0;
        while stage.desired() > 0 {
            stage.sweep_for(1).await;
            minutes += 1;
            assert!(minutes < 40, "{fault:?}: {:?}", stage.statuses());
        }
        let memory = stage.memory().await;
        assert!(memory.drains.is_empty(), "{fault:?} {memory:?}");
    }
}
