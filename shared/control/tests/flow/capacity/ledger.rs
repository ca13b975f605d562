//! What happens without the ledger, and with an answer that was lost.

use std::sync::Arc;

use ::ledger::{Ledger, MemoryLedger};
use world::{Fault, FaultRule, Operation};

use super::stage::Scene;
use crate::ledger::lose;
use crate::stage::{acted, done, held};

#[tokio::test]
async fn without_its_table_the_group_is_raised_and_the_invocation_fails() {
    let mut stage = Scene::default().open().await;
    stage.sweep_for(2).await;
    lose(&mut stage).await;
    stage.set_tasks(7);
    for minute in 0..5 {
        let handled = stage.sweep_for(1).await;
        let failure = handled.failure.as_ref().unwrap();
        assert_eq!(failure.as_str(), "LedgerUnavailable");
        assert_eq!(done(&handled), usize::from(minute == 0));
    }
    assert_eq!((stage.desired(), stage.serving()), (3, 7));
}

#[tokio::test]
async fn without_its_table_nothing_is_removed_and_with_it_again_everything_is() {
    let mut stage = Scene::default().open().await;
    stage.sweep_for(2).await;
    let ledger = lose(&mut stage).await;
    stage.set_tasks(0);
    for _ in 0..15 {
        let handled = stage.sweep_for(1).await;
        assert_eq!(handled.failure.unwrap().as_str(), "LedgerUnavailable");
        assert_eq!(handled.record.plan.steps, []);
    }
    assert_eq!(stage.writes().len(), 0);
    stage.ledger = ledger;
    let handled = stage.sweep_for(20).await;
    assert_eq!(acted(&handled), [""; 0]);
    assert_eq!((stage.desired(), stage.statuses()), (0, (0, 0)));
}

/// An instance that was drained for scale-in, and nobody remembers by whom: it is neither terminated nor taken back.
#[tokio::test]
async fn what_a_lost_memory_drained_is_nobodys() {
    let mut stage = Scene::default().open().await;
    stage.sweep_for(2).await;
    stage.set_tasks(0);
    while stage.statuses() != (1, 1) {
        stage.sweep_for(1).await;
    }
    stage.ledger = Arc::new(Ledger::Memory(MemoryLedger::new()));
    let handled = stage.sweep_for(4).await;
    assert_eq!(held(&handled, "drained_by_somebody_else"), 1);
    assert!(
        !stage
            .writes()
            .contains_key(act::capacity::TERMINATE_INSTANCE)
    );
}

/// The answer to the write is lost, and so are the looks for what became of it: the next invocation sees it, and buys nothing twice.
#[tokio::test]
async fn a_raise_whose_answer_was_lost_is_not_made_twice() {
    let stage = Scene::default().open().await;
    stage.set_tasks(7);
    let lost = |times| FaultRule::times(Operation::SetDesiredCapacity, Fault::ResponseLost, times);
    stage.fault(lost(3));
    let handled = stage.sweep().await;
    assert_eq!(handled.failure, None, "what was lost is looked for");
    assert_eq!(acted(&handled).len(), 1);
    stage.clear_faults();
    let handled = stage.sweep_for(5).await;
    assert_eq!(acted(&handled), [""; 0]);
    assert_eq!((stage.desired(), stage.serving()), (3, 7));
}

#[tokio::test]
async fn a_termination_whose_answer_was_lost_removes_one_instance() {
    for fault in [Fault::ResponseLost, Fault::ServerError, Fault::Throttle] {
        let stage = Scene::default().open().await;
        stage.sweep_for(2).await;
        stage.set_tasks(0);
        while stage.statuses() != (1, 1) {
            stage.sweep_for(1).await;
        }
        let operation = Operation::TerminateInstanceInAutoScalingGroup;
        stage.fault(FaultRule::times(operation, fault, 3));
        stage.sweep_for(1).await;
        assert!(stage.desired() >= 1, "{fault:?}");
        assert!(stage.statuses().0 == 1, "{fault:?}");
        let handled = stage.sweep_for(15).await;
        assert_eq!(handled.failure, None, "{fault:?}");
        assert_eq!(acted(&handled), [""; 0], "{fault:?}");
        assert_eq!(
            (stage.desired(), stage.statuses()),
            (0, (0, 0)),
            "{fault:?}"
        );
    }
}
