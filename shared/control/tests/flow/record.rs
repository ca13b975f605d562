//! The decision record, as an operator reads it.

use control::{Durations, Record};
use expect_test::{ExpectFile, expect_file};
use model::duty::{PlannedHold, PlannedStep};
use model::policy::Mode;

use crate::stage::{interruption, sample};
use crate::workshop::{at_rest, in_drought};

/// The record in lines, with this host's times and the digest taken out.
pub(crate) fn check<S: PlannedStep, H: PlannedHold>(record: &Record<S, H>, want: &ExpectFile) {
    let mut record = record.clone();
    record.durations_ms = Durations::default();
    if let Some(look) = &mut record.snapshot {
        assert_eq!(look.digest.len(), 64);
        look.digest = "sha256".to_owned();
    }
    let text = serde_json::to_string_pretty(&record).unwrap();
    want.assert_eq(&format!("{text}\n"));
}

#[tokio::test]
async fn a_step() {
    let stage = in_drought().await;
    let handled = stage.handle(Mode::Act, &interruption()).await;
    check(&handled.record, &expect_file!["golden/step.json"]);
}

#[tokio::test]
async fn a_hold() {
    let stage = at_rest().await;
    let handled = stage.handle(Mode::Observe, &interruption()).await;
    check(&handled.record, &expect_file!["golden/hold.json"]);
}

#[tokio::test]
async fn a_malformed_event() {
    let stage = at_rest().await;
    let event = sample("aws.ecs--ecs-task-state-change--malformed-without-task-arn.json");
    let handled = stage.handle(Mode::Observe, &event).await;
    check(
        &handled.record,
        &expect_file!["golden/malformed_event.json"],
    );
}

#[tokio::test]
async fn equal_looks_have_equal_digests() {
    let mut digests = Vec::new();
    for _ in 0..2 {
        let stage = at_rest().await;
        let handled = stage.handle(Mode::Observe, &interruption()).await;
        digests.push(handled.record.snapshot.unwrap().digest);
    }
    let stage = in_drought().await;
    let handled = stage.handle(Mode::Observe, &interruption()).await;
    let other = handled.record.snapshot.unwrap().digest;
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], other);
}

#[tokio::test]
async fn a_record_is_read_back_as_it_was_written() {
    let stage = in_drought().await;
    let handled = stage.handle(Mode::Act, &interruption()).await;
    let line = handled.record.line();
    assert_eq!(
        serde_json::from_str::<Record>(&line).unwrap(),
        handled.record
    );
}
