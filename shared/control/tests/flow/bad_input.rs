//! What goes wrong at AWS: the record says which call failed and why, the rest goes on, and the invocation fails.

use std::time::Duration;

use calls::Deadline;
use model::outcome::OutcomeResult;
use model::policy::Mode;
use model::snapshot::GapCause;
use serde_json::json;
use world::{Fault, FaultRule, Operation};

use crate::stage::{batch, interruption, invoked, schedule};
use crate::workshop::{Stage, dry_out, in_drought, with};

/// With this fault: the failure's name, the failed call and its cause, and where the standby ends.
async fn check(operation: Operation, fault: Fault, want: (&str, &str, &str), standby: u32) {
    let stage = in_drought().await;
    stage.fault(FaultRule::always(operation, fault));
    let handled = stage.handle(Mode::Act, &interruption()).await;
    let record = &handled.record;
    let (error_type, call, cause) = want;
    let failure = handled
        .failure
        .unwrap_or_else(|| panic!("{operation:?}: {record:#?}"));
    assert_eq!(failure.as_str(), error_type, "{operation:?}: {failure}");
    assert_eq!(record.failures[0].error_type, error_type);
    let in_gaps = record
        .gaps
        .iter()
        .any(|gap| gap.operation == call && gap.cause.as_str() == cause);
    let in_outcomes = record.outcomes.iter().any(|it| {
        matches!(&it.result, OutcomeResult::Failed { operation, cause: found, .. }
            if operation == call && found.as_str() == cause)
    });
    assert!(in_gaps || in_outcomes, "{operation:?}: {record:#?}");
    assert!(failure.to_string().contains(call), "{failure}");
    assert_eq!(stage.desired(&stage.cast.standby), standby, "{operation:?}");
}

#[tokio::test]
async fn a_missing_permission_is_named_and_the_rest_goes_on() {
    let denied = Fault::AccessDenied;
    check(
        Operation::DescribeServices,
        denied,
        ("LookIncomplete", "ecs:DescribeServices", "access_denied"),
        0,
    )
    .await;
    // Without the standby's scaling, raising goes on; without the primary's tasks, nobody knows what is missing.
    check(
        Operation::DescribeScalableTargets,
        denied,
        (
            "LookIncomplete",
            "application-autoscaling:DescribeScalableTargets",
            "access_denied",
        ),
        7,
    )
    .await;
    check(
        Operation::UpdateService,
        denied,
        ("StepFailed", "ecs:UpdateService", "access_denied"),
        0,
    )
    .await;
}

#[tokio::test]
async fn throttling_that_does_not_end_is_named() {
    let want = ("StepFailed", "ecs:UpdateService", "throttled");
    check(Operation::UpdateService, Fault::Throttle, want, 0).await;
}

#[tokio::test]
async fn throttling_that_ends_is_waited_for() {
    let stage = in_drought().await;
    stage.fault(FaultRule::times(
        Operation::UpdateService,
        Fault::Throttle,
        2,
    ));
    let handled = stage.handle(Mode::Act, &interruption()).await;
    assert_eq!(handled.failure, None);
    assert_eq!(handled.record.outcomes[0].result, OutcomeResult::Done);
    assert_eq!(handled.record.calls.get("ECS:UpdateService"), Some(&3));
}

#[tokio::test]
async fn an_answer_that_was_lost_is_healed_by_looking() {
    let stage = in_drought().await;
    stage.fault(FaultRule::always(
        Operation::UpdateService,
        Fault::ResponseLost,
    ));
    let handled = stage.handle(Mode::Act, &interruption()).await;
    assert_eq!(handled.failure, None);
    assert_eq!(handled.record.outcomes[0].result, OutcomeResult::AlreadySo);
    assert_eq!(handled.record.ledger.confirmed, 1);
    assert_eq!(stage.desired(&stage.cast.standby), 7);
}

#[tokio::test]
async fn a_deleted_cluster_fails_and_the_others_are_looked_after() {
    let stage = in_drought().await;
    let mut gone = interruption();
    let text = gone
        .to_string()
        .replace("container-demo", "deleted-cluster");
    gone = serde_json::from_str(&text).unwrap();
    let payload = batch([gone.to_string(), interruption().to_string()]);
    let handled = stage.handle(Mode::Act, &payload).await;
    let failure = handled.failure.unwrap();
    assert_eq!(failure.as_str(), "LookIncomplete");
    let gap = &handled.record.gaps[0];
    assert_eq!(gap.cause, GapCause::NotFound);
    assert!(
        gap.to_string().contains("ClusterNotFoundException"),
        "{gap}"
    );
    assert_eq!(stage.desired(&stage.cast.standby), 7);
}

#[tokio::test]
async fn a_service_that_is_not_in_this_region_is_a_hold() {
    let stage = in_drought().await;
    let text = interruption()
        .to_string()
        .replace("service:web", "service:elsewhere");
    let handled = stage
        .handle(Mode::Act, &serde_json::from_str(&text).unwrap())
        .await;
    assert_eq!(handled.failure, None);
    let texts: Vec<&str> = handled
        .record
        .plan
        .holds
        .iter()
        .map(|it| it.text.as_str())
        .collect();
    assert_eq!(
        texts,
        ["hold `container-demo/elsewhere` not_found: there is no such service"]
    );
    assert_eq!(stage.updates(), 0);
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_gives_a_record_too() {
    let stage = in_drought().await;
    let controller = stage.controller(Mode::Act);
    let world = stage.face.shutdown().await.unwrap();
    drop(world);
    let handled = controller.handle(&interruption(), &invoked()).await;
    assert_eq!(handled.failure.unwrap().as_str(), "LookIncomplete");
    assert_eq!(handled.record.snapshot, None);
    assert_eq!(handled.record.gaps[0].cause, GapCause::Unreachable);
}

#[tokio::test]
async fn without_time_nothing_is_started_and_the_record_says_so() {
    let stage = in_drought().await;
    let controller = stage.controller(Mode::Act);
    let mut late = invoked();
    late.deadline = Deadline::after(Duration::ZERO);
    let handled = controller.handle(&interruption(), &late).await;
    assert_eq!(handled.failure.unwrap().as_str(), "LookIncomplete");
    assert_eq!(handled.record.gaps[0].cause, GapCause::OutOfTime);
    assert_eq!(stage.updates(), 0);
}

#[tokio::test]
async fn a_service_without_the_opt_in_is_never_written() {
    for lost in ["ballast:standby", "ballast:standby-of"] {
        let stage: Stage = with(|world| {
            let key = if lost == "ballast:standby" {
                "web"
            } else {
                "web-standby"
            };
            let service =
                format!("arn:aws:ecs:us-west-2:111122223333:service/container-demo/{key}");
            world
                .call(
                    Operation::UntagResource,
                    json!({"resourceArn": service, "tagKeys": [lost]}),
                )
                .unwrap();
            dry_out(world);
        })
        .await;
        for payload in [interruption(), schedule()] {
            let handled = stage.handle(Mode::Act, &payload).await;
            assert_eq!(handled.failure, None, "{lost}");
            assert_eq!(handled.record.plan.steps, [], "{lost}");
        }
        assert_eq!(stage.updates(), 0, "{lost}");
    }
}
