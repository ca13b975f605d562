//! Plans of several kinds of steps: their order, their bounds, and nothing else.

use std::time::Duration;

use model::drain::DrainStep;
use model::policy::Mode;

use crate::small_aws::Aws;
use crate::support::{World, activate, complete, drain, heartbeat, stop};

/// A plan with a step of every kind, on instances that each suits.
fn plan() -> (Aws<World>, Vec<DrainStep>) {
    let aws = Aws::with(4, "ACTIVE");
    aws.task("t-0", "app", "RUNNING", true);
    aws.instance("i-3", |it| it.status = "DRAINING".to_owned());
    let steps = vec![
        drain("i-0"),
        drain("i-1"),
        stop("t-0"),
        heartbeat("i-0"),
        complete("i-1", false),
        complete("i-2", true),
        activate("i-3"),
        drain("i-2"),
    ];
    (aws, steps)
}

#[tokio::test]
async fn the_order_of_the_steps_is_kept() {
    let (aws, steps) = plan();
    assert_eq!(aws.act(steps).await, ["done"; 8]);
    assert_eq!(
        aws.operations(),
        [
            "UpdateContainerInstancesState",
            "DescribeTasks",
            "StopTask",
            "RecordLifecycleActionHeartbeat",
            "DescribeContainerInstances",
            "CompleteLifecycleAction",
            "CompleteLifecycleAction",
            "DescribeAutoScalingInstances",
            "DescribeContainerInstances",
            "UpdateContainerInstancesState",
            "UpdateContainerInstancesState",
        ]
    );
}

#[tokio::test]
async fn to_observe_is_to_ask_nothing() {
    let (aws, steps) = plan();
    let time = Duration::from_secs(30);
    let results = aws.act_within(Mode::Observe, 100, steps, time).await;
    assert_eq!(results, ["not written: the mode is `observe`"; 8]);
    assert!(aws.asked().is_empty());
}

#[tokio::test]
async fn nothing_is_started_without_time() {
    let (aws, steps) = plan();
    let time = Duration::from_millis(400);
    let results = aws.act_within(Mode::Act, 100, steps, time).await;
    assert_eq!(results, ["not started: out of time"; 8]);
    assert!(aws.asked().is_empty());
}

#[tokio::test]
async fn nothing_is_started_beyond_the_budget() {
    // One percent is one call of a bucket of ECS's at once, and the next is free only after the deadline. Auto Scaling's has a share of its
    // own.
    let aws = Aws::with(25, "ACTIVE");
    let mut steps: Vec<_> = (0..25).map(|n| drain(&format!("i-{n}"))).collect();
    steps.extend([heartbeat("i-0"), complete("i-0", false)]);
    let time = Duration::from_secs(1);
    let results = aws.act_within(Mode::Act, 1, steps, time).await;
    let later = "not started: out of time";
    let mut want = vec!["done"; 10];
    want.extend([later; 15]);
    want.extend(["done", "done"]);
    assert_eq!(results, want);
    assert_eq!(
        aws.operations(),
        [
            "UpdateContainerInstancesState",
            "RecordLifecycleActionHeartbeat",
            "CompleteLifecycleAction"
        ]
    );
}

#[tokio::test]
async fn a_plan_without_steps_asks_nothing() {
    let aws = Aws::with(1, "ACTIVE");
    assert!(aws.act(Vec::new()).await.is_empty());
    assert!(aws.asked().is_empty());
}
