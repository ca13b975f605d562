//! Every sample event, and what it may and may not bring about.

use std::path::PathBuf;

use model::outcome::OutcomeResult;
use model::policy::Mode;
use model::trigger::TriggerKind;

use crate::stage::{interruption, invoked, sample, schedule};
use crate::workshop::{at_rest, in_drought};

fn files() -> Vec<PathBuf> {
    let folder = format!("{}/../../events", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "json"))
        .collect();
    files.sort();
    files
}

/// What Lambda hands to the function: a file that is not JSON never gets that far.
fn payload(bytes: &[u8]) -> Option<serde_json::Value> {
    serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).ok()
}

#[tokio::test]
async fn every_sample_is_handled_and_writes_to_the_standby_only() {
    let mut handled_count = 0;
    for path in files() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(payload) = payload(&std::fs::read(&path).unwrap()) else {
            continue;
        };
        let stage = in_drought().await;
        let handled = stage.handle(Mode::Act, &payload).await;
        let record = &handled.record;
        handled_count += 1;

        let invocation = trigger::parse(&payload);
        let read = |item: &trigger::Item| item.read.as_ref().ok().map(|it| it.kind.clone());
        let malformed = invocation
            .items
            .iter()
            .filter(|it| it.read.is_err())
            .count();
        let asks_for_a_look = invocation
            .items
            .iter()
            .filter_map(read)
            .any(|kind| kind.service().is_some() || matches!(kind, TriggerKind::Scheduled));

        // Malformed: an error, or the message goes back to its queue.
        let handed_back = record.batch_item_failures.as_ref().map_or(0, Vec::len);
        let without_id = |it: &trigger::Item| it.read.is_err() && it.message.is_none();
        assert_eq!(
            record.batch_item_failures.is_some(),
            invocation.is_batch && !invocation.items.iter().any(without_id),
            "{name}"
        );
        let error_type = handled.failure.as_ref().map(control::Failure::as_str);
        if malformed > handed_back {
            assert_eq!(error_type, Some("MalformedEvent"), "{name}");
        } else {
            assert_ne!(error_type, Some("MalformedEvent"), "{name}");
        }
        assert_eq!(record.triggers.faults_count as usize, malformed, "{name}");

        // Ignored: not one call. Else at most the standby is raised, to what is missing.
        if record.snapshot.is_none() {
            assert_eq!(stage.total_calls(), 0, "{name}");
        } else {
            assert!(asks_for_a_look, "{name}");
        }
        assert_eq!(stage.desired(&stage.cast.primary), 10, "{name}");
        assert!(
            [0, 7].contains(&stage.desired(&stage.cast.standby)),
            "{name}"
        );
        assert_eq!(
            stage.updates(),
            u64::from(stage.desired(&stage.cast.standby) == 7),
            "{name}"
        );

        // Nothing of an event but names, ids and times is in the record.
        for secret in ["environment", "overrides", "SECRET", "password"] {
            assert!(!record.line().contains(secret), "{name}: {secret}");
        }
    }
    assert!(handled_count > 80, "{handled_count} samples were handled");
}

#[tokio::test]
async fn an_interruption_in_a_drought_raises_the_standby_once() {
    let stage = in_drought().await;
    let controller = stage.controller(Mode::Act);
    let first = controller.handle(&interruption(), &invoked()).await;
    assert_eq!(first.failure, None);
    let results: Vec<&OutcomeResult> = first.record.outcomes.iter().map(|it| &it.result).collect();
    assert_eq!(results, [&OutcomeResult::Done]);
    assert_eq!(stage.desired(&stage.cast.standby), 7);
    assert_eq!(first.record.ledger.confirmed, 1);

    // The same event again, and the schedule: nothing is left to do.
    for payload in [interruption(), schedule()] {
        let again = controller.handle(&payload, &invoked()).await;
        assert_eq!(again.failure, None);
        assert_eq!(again.record.outcomes, []);
    }
    assert_eq!(stage.updates(), 1);
}

#[tokio::test]
async fn the_schedule_alone_reaches_the_same() {
    let stage = in_drought().await;
    let handled = stage.handle(Mode::Act, &schedule()).await;
    assert_eq!(handled.failure, None);
    assert!(handled.record.triggers.is_sweep);
    assert_eq!(stage.desired(&stage.cast.standby), 7);
}

#[tokio::test]
async fn a_forged_event_costs_a_look_and_nothing_else() {
    let stage = at_rest().await;
    for name in [
        "aws.ecs--ecs-task-state-change--spot-interruption.json",
        "aws.ecs--ecs-service-action--placement-failure-fargate-spot.json",
        "aws.ecs--ecs-task-state-change--spot-interruption-termination-notice.json",
    ] {
        let handled = stage.handle(Mode::Act, &sample(name)).await;
        assert_eq!(handled.failure, None, "{name}");
        assert_eq!(handled.record.plan.steps, [], "{name}");
    }
    assert_eq!(stage.updates(), 0);
}

#[tokio::test]
async fn observe_plans_and_writes_nothing_and_remembers_no_write() {
    let stage = in_drought().await;
    for _ in 0..2 {
        let handled = stage.handle(Mode::Observe, &interruption()).await;
        assert_eq!(handled.failure, None);
        let results: Vec<&OutcomeResult> = handled
            .record
            .outcomes
            .iter()
            .map(|it| &it.result)
            .collect();
        assert_eq!(results, [&OutcomeResult::NotWritten]);
        assert_eq!(handled.record.ledger.confirmed, 0);
    }
    assert_eq!(stage.updates(), 0);
    assert_eq!(stage.desired(&stage.cast.standby), 0);
    // Nothing that was not written stands in the way of the first real write.
    let handled = stage.handle(Mode::Act, &interruption()).await;
    assert_eq!(handled.record.outcomes[0].result, OutcomeResult::Done);
    assert_eq!(stage.desired(&stage.cast.standby), 7);
}

#[tokio::test]
async fn events_from_elsewhere_are_counted_and_cost_nothing() {
    for (pointer, value, why) in [
        ("account", "999988887777", "other_account"),
        ("region", "eu-west-1", "other_region"),
    ] {
        let stage = in_drought().await;
        let mut event = interruption();
        event[pointer] = value.into();
        let handled = stage.handle(Mode::Act, &event).await;
        assert_eq!(handled.failure, None);
        assert_eq!(handled.record.triggers.ignored.get(why), Some(&1), "{why}");
        assert_eq!(stage.total_calls(), 0, "{why}");
    }

    let stage = in_drought().await;
    let mut controller = stage.controller(Mode::Act);
    controller.clusters = vec!["another".parse().unwrap()];
    let handled = controller.handle(&interruption(), &invoked()).await;
    assert_eq!(
        handled.record.triggers.ignored.get("other_cluster"),
        Some(&1)
    );
    assert_eq!(stage.total_calls(), 0);
}
