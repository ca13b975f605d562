//! Alarms that name no service, and the heartbeat of looks that have gaps.

use model::policy::Mode;
use model::{Seconds, Timestamp};
use serde_json::{Value, json};
use world::{Fault, FaultRule, Operation};

use super::stage::{Handled, Scene};
use crate::stage::{batch, held, invoked, sample, schedule};

/// A composite alarm's own call at this time.
fn call(at: Timestamp) -> Value {
    let mut call = sample("aws.cloudwatch--unknown--alarm-direct-tracked-composite.json");
    call["time"] = json!(at.to_string());
    call
}

/// Why nothing was looked at.
fn ignored(handled: &Handled, reason: &str) -> u32 {
    let ignored = &handled.record.triggers.ignored;
    ignored.get(reason).copied().unwrap_or(0)
}

/// A hundred alarms ring with one rise of the load, each by a call of its own: one look, whose calls are counted, and another one twenty
/// seconds later. Beside it the schedule looks whenever it comes.
#[tokio::test]
async fn alarms_that_name_no_service_look_once_in_twenty_seconds() {
    let stage = Scene::default().open().await;
    let process = stage.controller(Mode::Act);
    let invoked = invoked();
    let (mut looks, mut ignored_count) = (0, 0);
    for _ in 0..100 {
        let before = stage.total_calls();
        let handled = process.handle(&call(stage.now()), &invoked).await;
        assert_eq!(handled.failure, None);
        looks += usize::from(handled.record.snapshot.is_some());
        ignored_count += ignored(&handled, "looked_lately");
        let is_asked = stage.total_calls() > before;
        assert_eq!(is_asked, handled.record.snapshot.is_some());
    }
    assert_eq!((looks, ignored_count), (1, 99));
    let happened = stage.now();
    stage.advance_secs(20);
    // A call that comes late tells of nothing that has not been seen.
    let late = process.handle(&call(happened), &invoked).await;
    assert_eq!(ignored(&late, "looked_lately"), 1);
    let handled = process.handle(&call(stage.now()), &invoked).await;
    assert!(handled.record.snapshot.is_some(), "{:?}", handled.record);
    for _ in 0..3 {
        let handled = process.handle(&schedule(), &invoked).await;
        assert!(handled.record.snapshot.is_some() && handled.swept);
    }
    // Another process has not looked.
    let handled = stage.handle(Mode::Act, &call(stage.now())).await;
    assert!(handled.record.snapshot.is_some());
}

/// Messages of a queue that lead to no look do not go back to it, and beside an alarm that names a service only that one is looked at.
#[tokio::test]
async fn what_is_left_to_the_schedule_is_done() {
    let stage = Scene::default().open().await;
    let process = stage.controller(Mode::Act);
    let invoked = invoked();
    process.handle(&schedule(), &invoked).await;
    let calls = || call(Seconds(5).after(stage.now())).to_string();
    let handled = process.handle(&batch([calls(), calls()]), &invoked).await;
    assert_eq!(ignored(&handled, "looked_lately"), 2);
    assert_eq!(handled.record.batch_item_failures, Some(Vec::new()));
    assert!(handled.record.snapshot.is_none());
    let name = "aws.cloudwatch--cloudwatch-alarm-state-change--tracked-cpu-ok.json";
    let of_service = sample(name).to_string().replace("container-demo", "demo");
    let handled = process
        .handle(&batch([calls(), of_service]), &invoked)
        .await;
    assert_eq!(ignored(&handled, "looked_lately"), 1);
    let seen = handled.record.snapshot.unwrap().seen;
    assert_eq!(seen.services, Some(1));
}

/// Something about a service cannot be read, for good. The message of an alarm that names no service goes back to the queue once; when it comes
/// again everything has been looked at since it was sent, so that it becomes no dead letter.
#[tokio::test]
async fn a_service_with_a_gap_for_good_makes_no_dead_letters_of_alarms_that_name_none() {
    let stage = Scene::steady(6).open().await;
    let rule = FaultRule::times(
        Operation::DescribeScalableTargets,
        Fault::ServerError,
        10_000,
    );
    stage.fault(rule);
    let process = stage.controller(Mode::Act);
    let invoked = invoked();
    for alarm in 0..3 {
        let message = batch([call(stage.now()).to_string()]);
        let mut went_back = Vec::new();
        for _ in 0..3 {
            let handled = process.handle(&message, &invoked).await;
            let failures = handled.record.batch_item_failures.as_ref().unwrap().len();
            let is_look = handled.record.snapshot.is_some();
            assert_eq!(is_look, ignored(&handled, "looked_lately") == 0);
            went_back.push((is_look, failures));
            // The queue's visibility timeout.
            stage.advance_secs(60);
        }
        assert_eq!(went_back, [(true, 1), (false, 0), (false, 0)], "{alarm}");
    }
}

/// Gaps ring the errors' alarm. The heartbeat goes on while a service can be followed, and stops where none can.
#[tokio::test]
async fn gaps_alone_are_a_heartbeat_while_a_service_is_followed() {
    for (operation, swept) in [
        (Operation::DescribeScalableTargets, true),
        (Operation::GetMetricData, false),
    ] {
        let stage = Scene::steady(6).open().await;
        let handled = stage.sweep_for(2).await;
        assert!(handled.swept && handled.failure.is_none());
        stage.fault(FaultRule::times(operation, Fault::ServerError, 1_000));
        let handled = stage.sweep_for(1).await;
        let failure = handled.failure.as_ref().unwrap();
        assert_eq!(failure.as_str(), "LookIncomplete", "{operation:?}");
        assert_eq!(handled.swept, swept, "{operation:?}");
        let not_followed = ["snapshot_incomplete", "no_data", "targets_unknown"];
        let held = not_followed.map(|it| held(&handled, it));
        assert_eq!(held.iter().sum::<usize>(), usize::from(!swept));
    }
}
