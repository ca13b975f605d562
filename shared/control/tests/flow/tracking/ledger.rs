//! What happens without the ledger, and with an answer that was lost.

use world::{Fault, FaultRule, Operation};

use super::stage::Scene;
use crate::ledger::lose;
use crate::stage::{acted, held};

#[tokio::test]
async fn without_its_table_the_count_is_raised_and_the_invocation_fails() {
    let mut stage = Scene::default().open().await;
    stage.sweep_for(2).await;
    lose(&mut stage).await;
    for _ in 0..15 {
        let handled = stage.sweep_for(1).await;
        let failure = handled.failure.as_ref().unwrap();
        assert_eq!(failure.as_str(), "LedgerUnavailable");
    }
    assert!(
        (12..=13).contains(&stage.desired().0),
        "{:?}",
        stage.desired()
    );
}

#[tokio::test]
async fn without_its_table_nothing_is_lowered_and_with_it_again_it_is() {
    let mut stage = Scene::falling_to(3).open().await;
    stage.sweep_for(2).await;
    let ledger = lose(&mut stage).await;
    for _ in 0..15 {
        let handled = stage.sweep_for(1).await;
        assert_eq!(handled.failure.unwrap().as_str(), "LedgerUnavailable");
        assert_eq!(handled.record.plan.steps, []);
    }
    assert_eq!((stage.desired(), stage.writes().len()), ((6, 0), 0));
    stage.ledger = ledger;
    let handled = stage.sweep_for(10).await;
    assert_eq!(handled.failure, None);
    assert!((3..=4).contains(&stage.desired().0));
}

/// The answer to the write is lost, and so are the looks for what became of it: the next invocation sees it, takes it for its own, and
/// goes on.
#[tokio::test]
async fn a_write_whose_answer_was_lost_is_not_taken_for_somebody_elses() {
    for fault in [Fault::ResponseLost, Fault::ServerError, Fault::Throttle] {
        let stage = Scene::default().open().await;
        stage.fault(FaultRule::times(Operation::UpdateService, fault, 3));
        for _ in 0..20 {
            let handled = stage.sweep_for(1).await;
            assert_eq!(held(&handled, "foreign_change"), 0, "{fault:?}");
        }
        assert!((12..=13).contains(&stage.desired().0), "{fault:?}");
        assert_eq!(stage.memory().await.foreign, None, "{fault:?}");
        let handled = stage.sweep_for(1).await;
        assert_eq!(acted(&handled), [""; 0], "{fault:?}");
    }
}
