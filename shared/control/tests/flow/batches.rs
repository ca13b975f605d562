//! SQS batches: many events, one look.

use model::policy::Mode;
use serde_json::json;
use world::{Fault, FaultRule, Operation};

use crate::stage::{batch, interruption, sample};
use crate::workshop::in_drought;

#[tokio::test]
async fn five_thousand_interruptions_of_one_service_cost_a_handful_of_calls() {
    let stage = in_drought().await;
    let events = (0..5_000).map(|index| {
        let mut event = interruption();
        let arn = format!("arn:aws:ecs:us-west-2:111122223333:task/container-demo/{index:032x}");
        event["id"] = format!("00000000-0000-0000-0000-{index:012}").into();
        event["detail"]["taskArn"] = arn.clone().into();
        event["resources"] = json!([arn]);
        event.to_string()
    });
    let handled = stage.handle(Mode::Act, &batch(events)).await;
    assert_eq!(handled.failure, None);
    let triggers = &handled.record.triggers;
    assert_eq!(triggers.received, 5_000);
    assert_eq!(triggers.kinds.get("task_interrupted"), Some(&5_000));
    assert_eq!(triggers.services_count, Some(1));
    assert_eq!(triggers.event_ids.len(), control::EVENT_IDS_SHOWN_MAX);
    assert_eq!(stage.desired(&stage.cast.standby), 7);
    assert_eq!(stage.updates(), 1);
    let calls = stage.total_calls();
    assert!(calls <= 15, "{calls} calls: {:?}", stage.face.calls());
    let counted: u64 = handled.record.calls.values().sum();
    assert_eq!(counted, calls, "the record counts every request");
}

#[tokio::test]
async fn malformed_messages_go_back_alone_and_the_others_are_handled() {
    let stage = in_drought().await;
    let payload = batch([
        interruption().to_string(),
        "not JSON".to_owned(),
        sample("aws.ecs--ecs-task-state-change--malformed-without-detail.json").to_string(),
    ]);
    let handled = stage.handle(Mode::Act, &payload).await;
    assert_eq!(handled.failure, None);
    let result = serde_json::to_value(&handled.record).unwrap();
    assert_eq!(
        result["batchItemFailures"],
        json!([{"itemIdentifier": "message-1"}, {"itemIdentifier": "message-2"}])
    );
    assert_eq!(stage.desired(&stage.cast.standby), 7);
}

#[tokio::test]
async fn a_malformed_message_without_an_id_fails_the_batch() {
    let stage = in_drought().await;
    let handled = stage
        .handle(
            Mode::Act,
            &json!({"Records": [{"eventSource": "aws:sqs", "body": "x"}]}),
        )
        .await;
    assert_eq!(handled.answer().unwrap_err().as_str(), "MalformedEvent");
}

#[tokio::test]
async fn a_good_batch_says_that_no_message_failed() {
    let stage = in_drought().await;
    let handled = stage
        .handle(Mode::Observe, &batch([interruption().to_string()]))
        .await;
    let result = serde_json::to_value(&handled.record).unwrap();
    assert_eq!(result["batchItemFailures"], json!([]));
    let alone = stage.handle(Mode::Observe, &interruption()).await;
    let result = serde_json::to_value(&alone.record).unwrap();
    assert_eq!(result.get("batchItemFailures"), None);
}

/// One broken pair must not bring every message of a batch back, and in the end to the dead-letter queue.
#[tokio::test]
async fn of_a_batch_only_the_messages_of_a_broken_pair_go_back() {
    let stage = in_drought().await;
    stage.fault(FaultRule::always(
        Operation::UpdateService,
        Fault::AccessDenied,
    ));
    let about = |service: &str| {
        let mut event = interruption();
        event["detail"]["group"] = format!("service:{service}").into();
        event.to_string()
    };
    let payload = batch([
        about("no-such-service"),
        about(stage.cast.primary.service.as_str()),
        about("no-such-service"),
        about(stage.cast.standby.service.as_str()),
    ]);
    let handled = stage.handle(Mode::Act, &payload).await;
    assert_eq!(handled.failure.as_ref().unwrap().as_str(), "StepFailed");
    assert_eq!(handled.record.failures[0].error_type, "StepFailed");
    let result = serde_json::to_value(handled.answer().unwrap()).unwrap();
    assert_eq!(
        result["batchItemFailures"],
        json!([{"itemIdentifier": "message-1"}, {"itemIdentifier": "message-3"}])
    );
    // What did not come in a batch fails as a whole.
    let alone = stage.handle(Mode::Act, &interruption()).await;
    assert_eq!(alone.answer().unwrap_err().as_str(), "StepFailed");
}

#[tokio::test]
async fn when_nothing_can_be_seen_every_message_goes_back() {
    let stage = in_drought().await;
    stage.fault(FaultRule::always(
        Operation::DescribeServices,
        Fault::AccessDenied,
    ));
    let payload = batch([interruption().to_string()]);
    let handled = stage.handle(Mode::Act, &payload).await;
    let result = serde_json::to_value(handled.answer().unwrap()).unwrap();
    assert_eq!(
        result["batchItemFailures"],
        json!([{"itemIdentifier": "message-0"}])
    );
}
