//! What happens without the ledger.

use std::sync::Arc;

use ::ledger::{DynamoDbLedger, Ledger};
use model::policy::Mode;

use super::stage::{Scene, group_key};
use crate::ledger::{away_for, contended_for, lose, outrun};
use crate::stage::{acted, batch, done, dynamodb, invoked, well_done};

#[tokio::test]
async fn without_its_table_what_leaves_is_drained_and_finished_and_the_invocation_fails() {
    let mut stage = Scene::default().open().await;
    lose(&mut stage).await;
    let leaving = stage.in_service().swap_remove(0);
    stage.terminate(&leaving);
    let handled = stage.handle(Mode::Act, &stage.warning(&leaving)).await;
    assert_eq!(
        handled.failure.as_ref().unwrap().as_str(),
        "LedgerUnavailable"
    );
    assert_eq!(
        acted(&handled),
        [format!("set `{leaving}` to DRAINING: done")]
    );
    let mut finished = 0;
    for _ in 0..3 {
        stage.advance_secs(60);
        let handled = stage.sweep().await;
        assert_eq!(
            handled.failure.as_ref().unwrap().as_str(),
            "LedgerUnavailable"
        );
        finished += done(&handled);
    }
    assert_eq!((finished, stage.serving()), (1, 6));
}

/// The warned instance was never taken: the drain is taken back, but not while nobody remembers whose it was.
#[tokio::test]
async fn without_its_table_no_drain_is_taken_back() {
    let mut stage = Scene::default().open().await;
    let spared = stage.in_service().swap_remove(0);
    let handled = stage.handle(Mode::Act, &stage.warning(&spared)).await;
    assert_eq!(well_done(&handled), 1);
    stage.advance_secs(400);
    let ledger = lose(&mut stage).await;
    let handled = stage.sweep().await;
    assert_eq!(
        handled.failure.as_ref().unwrap().as_str(),
        "LedgerUnavailable"
    );
    assert_eq!((done(&handled), stage.draining().len()), (0, 1));
    stage.ledger = ledger;
    let handled = stage.sweep().await;
    assert_eq!(handled.failure, None);
    assert_eq!(
        acted(&handled),
        [format!("set `{spared}` to ACTIVE again: done")]
    );
}

/// The ledger comes back within the invocation: the drain is remembered with its cause, which nobody could read again.
#[tokio::test]
async fn a_drain_that_could_not_be_announced_is_remembered_afterwards() {
    let mut stage = Scene::default().open().await;
    let client = dynamodb(&away_for(1).await);
    stage.ledger = Arc::new(Ledger::DynamoDb(DynamoDbLedger::new(client, "pairs")));
    let leaving = stage.in_service().swap_remove(0);
    let handled = stage.handle(Mode::Act, &stage.warning(&leaving)).await;
    assert_eq!(
        handled.failure.as_ref().unwrap().as_str(),
        "LedgerUnavailable"
    );
    assert_eq!((done(&handled), handled.record.ledger.confirmed), (1, 1));
    let departure = stage.memory().await.departures.remove(&leaving).unwrap();
    assert_eq!(departure.causes.len(), 1);
    assert!(departure.own_drain.is_some_and(|it| it.confirmed));
}

/// What becomes of a warned instance while so many writes to the ledger come too late: it is drained once and at once. Gives how the
/// invocation failed, whether its message comes again, and whether the drain is known for Ballast's own.
async fn check_contended(conflicts: usize, want: (Option<&str>, bool, bool)) {
    let mut stage = Box::pin(Scene::default().open()).await;
    let client = dynamodb(&contended_for(conflicts).await);
    stage.ledger = Arc::new(Ledger::DynamoDb(DynamoDbLedger::new(client, "pairs")));
    let leaving = stage.in_service().swap_remove(0);
    let payload = batch([stage.warning(&leaving).to_string()]);
    let handled = Box::pin(stage.handle(Mode::Act, &payload)).await;
    assert_eq!(
        acted(&handled),
        [format!("set `{leaving}` to DRAINING: done")]
    );
    assert_eq!(stage.draining(), [leaving.clone()].into());
    assert_eq!(handled.record.ledger.conflicts, conflicts);
    let failure = handled.failure.as_ref().map(control::Failure::as_str);
    let failures = handled.record.batch_item_failures.as_ref().unwrap();
    let gaps: Vec<String> = handled
        .record
        .gaps
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(failure.is_some(), gaps.len() == 1, "{gaps:?}");
    let keys = [group_key()].into();
    let mut recalled = stage.ledger.recall(&keys, invoked().deadline).await;
    let memory = recalled.known.remove(&group_key()).unwrap_or_default().0;
    let departure = memory.departures.get(&leaving);
    let is_own = departure.is_some_and(|it| it.own_drain.is_some());
    assert_eq!((failure, failures.len() == 1, is_own), want, "{conflicts}");
}

/// The announcement and then the late writes, at most three, come too late; after them the second round's and the third's.
#[tokio::test]
async fn a_drain_that_cannot_be_remembered_for_others_is_told_and_its_warning_comes_again() {
    Box::pin(check_contended(0, (None, false, true))).await;
    Box::pin(check_contended(1, (None, false, true))).await;
    Box::pin(check_contended(3, (None, false, true))).await;
    let failure = Some("LedgerUnavailable");
    Box::pin(check_contended(4, (failure, true, false))).await;
    Box::pin(check_contended(6, (failure, true, false))).await;
}

/// Another invocation remembers the same drain first: nothing is to be added, and nothing is wrong.
#[tokio::test]
async fn a_drain_that_another_invocation_remembers_already_is_no_trouble() {
    let mut stage = Box::pin(Scene::default().open()).await;
    let client = dynamodb(&outrun().await);
    stage.ledger = Arc::new(Ledger::DynamoDb(DynamoDbLedger::new(client, "pairs")));
    let leaving = stage.in_service().swap_remove(0);
    let payload = batch([stage.warning(&leaving).to_string()]);
    let handled = Box::pin(stage.handle(Mode::Act, &payload)).await;
    assert_eq!(handled.failure, None);
    assert_eq!(handled.record.ledger.conflicts, 1);
    assert_eq!(handled.record.batch_item_failures.as_deref(), Some(&[][..]));
    assert_eq!(done(&handled), 1);
    let departure = stage.memory().await.departures.remove(&leaving).unwrap();
    assert!(departure.own_drain.is_some());
}
