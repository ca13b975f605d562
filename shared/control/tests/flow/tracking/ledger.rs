//! What happens without the ledger, with an answer that was lost, and with what is remembered for long.

use ledger::{RENEWAL_SECS, Version};
use model::Seconds;
use model::tracking::{TrackingKey, TrackingMemory};
use world::{Fault, FaultRule, Operation};

use super::stage::Scene;
use crate::ledger::lose;
use crate::stage::{acted, held, invoked};

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

/// What nothing changes is written again a week after its last write, and not before: the table forgets what was not written for long.
#[tokio::test]
async fn what_nothing_changes_is_not_forgotten() {
    // It was raised, and since then nothing is to do.
    let stage = Scene::default().open().await;
    stage.sweep_for(15).await;
    let key = TrackingKey(stage.cast.primary.clone());
    let memory = stage.memory().await;
    assert_ne!(memory, TrackingMemory::default());
    for (age_secs, is_written) in [(RENEWAL_SECS - 60, false), (RENEWAL_SECS + 60, true)] {
        let (_, version) = stage.recall().await;
        let written_at = Seconds(-age_secs).after(stage.now());
        let deadline = invoked().deadline;
        let rewritten = stage
            .ledger
            .remember(&key, &memory, version, written_at, deadline);
        let version = rewritten.await.unwrap();
        let handled = stage.sweep().await;
        assert_eq!(handled.failure, None);
        assert_eq!(handled.record.ledger.remembered, usize::from(is_written));
        let (found, now) = stage.recall().await;
        assert_eq!(found.as_ref(), Some(&memory));
        assert_eq!(now > version, is_written, "{age_secs}");
        // It is young again.
        stage.sweep().await;
        assert_eq!(stage.recall().await.1, now);
    }
}

/// What says nothing is not worth a write.
#[tokio::test]
async fn an_empty_memory_is_not_written_again() {
    // Of a service whose tags cannot be used nothing is remembered: its minimum is above its maximum.
    let scene = Scene::steady(6).tag("ballast:min-tasks", "31");
    let stage = scene.open().await;
    let empty = TrackingMemory::default();
    let written_at = Seconds(-2 * RENEWAL_SECS).after(stage.now());
    let key = TrackingKey(stage.cast.primary.clone());
    let deadline = invoked().deadline;
    let written = stage
        .ledger
        .remember(&key, &empty, Version::NONE, written_at, deadline);
    written.await.unwrap();
    let handled = stage.sweep().await;
    assert_eq!(handled.record.ledger.remembered, 0);
    assert_eq!(stage.memory().await, empty);
}
