//! `autoscaling:SetDesiredCapacity`.

use std::time::Duration;

use model::policy::Mode;
use serde_json::json;

use crate::small_aws::{Aws, Fault};
use crate::support::{World, drain, raise, terminate};

#[tokio::test]
async fn a_write_holds_a_group_and_a_capacity_and_waits_for_no_cooldown() {
    let aws = Aws::with(2, "ACTIVE");
    assert_eq!(aws.act(vec![raise(2, 5)]).await, ["done"]);
    assert_eq!(
        aws.asked(),
        [
            (
                "DescribeAutoScalingGroups".to_owned(),
                json!({"AutoScalingGroupNames.member.1": "web group"})
            ),
            (
                "SetDesiredCapacity".to_owned(),
                json!({"AutoScalingGroupName": "web group", "DesiredCapacity": "5", "HonorCooldown": "false"})
            ),
        ]
    );
    assert_eq!(aws.change(|world| world.desired), 5);
}

/// What becomes of raising a group of 2 to 5, and whether the write was sent.
async fn check(change: impl FnOnce(&Aws<World>), want: &str, is_sent: bool) {
    let aws = Aws::with(2, "ACTIVE");
    change(&aws);
    assert_eq!(aws.act(vec![raise(2, 5)]).await, [want]);
    let operations = aws.operations();
    let sent = operations.iter().any(|it| it == "SetDesiredCapacity");
    assert_eq!(sent, is_sent, "{operations:?}");
}

fn fault(fault: Fault) -> impl FnOnce(&Aws<World>) {
    |aws| {
        aws.fails("SetDesiredCapacity", vec![fault]);
    }
}

#[tokio::test]
async fn what_was_not_seen_is_not_written() {
    let failed = |found: &str| format!("precondition failed: found {found}");
    check(
        |aws| aws.change(|world| world.desired = 3),
        &failed("desired capacity 3"),
        false,
    )
    .await;
    check(
        |aws| aws.change(|world| world.desired = 5),
        "already so",
        false,
    )
    .await;
    check(
        |aws| aws.change(|world| world.max = 4),
        &failed("maximum size 4"),
        false,
    )
    .await;
    check(
        |aws| aws.change(|world| world.tag = Some("advise")),
        &failed("tag `ballast:cluster-scaler` is `advise`"),
        false,
    )
    .await;
    check(
        |aws| aws.change(|world| world.desired_capacity_type = Some("vcpu")),
        &failed("desired capacity type `vcpu`"),
        false,
    )
    .await;
    check(
        |aws| aws.change(|world| world.desired_capacity_type = Some("units")),
        "done",
        true,
    )
    .await;
    check(
        |aws| {
            let denied = Fault::Error("AccessDenied", "no");
            aws.fails("DescribeAutoScalingGroups", vec![denied]);
        },
        "`autoscaling:DescribeAutoScalingGroups` failed: access_denied (AccessDenied: no)",
        false,
    )
    .await;
}

#[tokio::test]
async fn aws_own_refusals_are_told_apart() {
    let above = "New SetDesiredCapacity value 5 is above max value 4 for the AutoScalingGroup.";
    check(
        fault(Fault::Error("ValidationError", above)),
        &format!("precondition failed: found ValidationError: {above}"),
        true,
    )
    .await;
    check(
        fault(Fault::Error(
            "ValidationError",
            "1 validation error detected",
        )),
        "refused: autoscaling:SetDesiredCapacity: ValidationError: 1 validation error detected",
        true,
    )
    .await;
    for code in ["ScalingActivityInProgress", "ResourceContention"] {
        check(
            fault(Fault::Error(code, "later")),
            &format!("`autoscaling:SetDesiredCapacity` failed: other ({code}: later)"),
            true,
        )
        .await;
    }
    check(
        fault(Fault::Error("Throttling", "Rate exceeded")),
        "`autoscaling:SetDesiredCapacity` failed: throttled (Throttling: Rate exceeded)",
        true,
    )
    .await;
}

#[tokio::test]
async fn a_lost_answer_is_looked_for() {
    check(fault(Fault::LostAfter), "already so", true).await;
    check(
        fault(Fault::LostBefore),
        "`autoscaling:SetDesiredCapacity` failed: unreachable (HTTP status 502)",
        true,
    )
    .await;
}

#[tokio::test]
async fn observe_sends_nothing_and_without_time_or_budget_nothing_is_started() {
    let steps = || vec![raise(2, 5), drain("i-0", 0), terminate("i-1", 2)];
    let aws = Aws::with(2, "ACTIVE");
    let minute = Duration::from_secs(60);
    for result in aws.act_within(Mode::Observe, 100, steps(), minute).await {
        assert_eq!(result, "not written: the mode is `observe`");
    }
    for result in aws
        .act_within(Mode::Act, 100, steps(), Duration::ZERO)
        .await
    {
        assert_eq!(result, "not started: out of time");
    }
    assert_eq!(aws.operations(), Vec::<String>::new());
    // One percent of ECS's bucket is one call, and the next five seconds later.
    let short = Duration::from_secs(3);
    let drains = vec![drain("i-0", 1)];
    let results = aws.act_within(Mode::Act, 1, drains, short).await;
    assert_eq!(results, ["not started: out of time"]);
    assert!(
        !aws.operations()
            .contains(&"UpdateContainerInstancesState".to_owned())
    );
}
