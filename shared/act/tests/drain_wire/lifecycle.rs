//! `autoscaling:RecordLifecycleActionHeartbeat` and `autoscaling:CompleteLifecycleAction`.

use serde_json::json;

use crate::small_aws::{Aws, Fault, arn};
use crate::support::{World, complete, heartbeat};

const HEARTBEAT: &str = "RecordLifecycleActionHeartbeat";
const COMPLETE: &str = "CompleteLifecycleAction";

#[tokio::test]
async fn a_heartbeat_holds_a_group_a_hook_and_an_instance() {
    let aws = Aws::with(1, "DRAINING");
    assert_eq!(aws.act(vec![heartbeat("i-0")]).await, ["done"]);
    let input = json!({
        "AutoScalingGroupName": "web group", "LifecycleHookName": "ballast-instance-drain", "InstanceId": "i-0",
    });
    assert_eq!(aws.asked(), [(HEARTBEAT.to_owned(), input)]);
}

#[tokio::test]
async fn a_completion_holds_the_same_and_continue() {
    let aws = Aws::with(2, "DRAINING");
    let steps = vec![complete("i-0", false), complete("i-1", true)];
    assert_eq!(aws.act(steps).await, ["done", "done"]);
    let input = |instance: &str| {
        json!({
            "AutoScalingGroupName": "web group", "LifecycleHookName": "ballast-instance-drain", "InstanceId": instance,
            "LifecycleActionResult": "CONTINUE",
        })
    };
    // The one that is completed whatever runs there is not looked at.
    let look = json!({"cluster": "demo", "containerInstances": [arn("i-1")]});
    assert_eq!(
        aws.asked(),
        [
            ("DescribeContainerInstances".to_owned(), look),
            (COMPLETE.to_owned(), input("i-0")),
            (COMPLETE.to_owned(), input("i-1")),
        ]
    );
}

#[tokio::test]
async fn ten_instances_are_looked_at_together() {
    let aws = Aws::with(11, "DRAINING");
    let steps: Vec<_> = (0..11).map(|n| complete(&format!("i-{n}"), true)).collect();
    assert_eq!(aws.act(steps).await, ["done"; 11]);
    let mut want = vec!["DescribeContainerInstances"];
    want.extend([COMPLETE; 10]);
    want.extend(["DescribeContainerInstances", COMPLETE]);
    assert_eq!(aws.operations(), want);
}

/// What becomes of letting `i-0` go without tasks.
async fn check(change: impl FnOnce(&Aws<World>), want: &str) {
    let aws = Aws::with(1, "DRAINING");
    change(&aws);
    assert_eq!(aws.act(vec![complete("i-0", true)]).await, [want]);
    let sent = aws.operations().iter().any(|it| it == COMPLETE);
    assert_eq!(sent, want == "done", "{want}");
}

#[tokio::test]
async fn an_action_is_completed_only_where_no_task_is_left() {
    check(|_| {}, "done").await;
    let daemon = |aws: &Aws<World>| aws.task("agent-0", "agent", "RUNNING", true);
    check(daemon, "done").await;
    let stopped = |aws: &Aws<World>| {
        aws.task("agent-0", "agent", "RUNNING", true);
        aws.task("app-0", "app", "STOPPED", false);
    };
    check(stopped, "done").await;
    let of = "task `arn:aws:ecs:us-west-2:111122223333:task/demo/app-0`";
    // Found again: the plan saw none.
    for (last_status, is_wanted) in [("RUNNING", true), ("PENDING", true), ("STOPPING", false)] {
        let again = |aws: &Aws<World>| aws.task("app-0", "app", last_status, is_wanted);
        let found = format!("precondition failed: found {of} {last_status}");
        check(again, &found).await;
    }
    let gone = |aws: &Aws<World>| aws.change(|world| world.instances.clear());
    check(gone, "done").await;
    let inactive = |aws: &Aws<World>| aws.instance("i-0", |it| it.status = "INACTIVE".to_owned());
    check(inactive, "done").await;
    let another = |aws: &Aws<World>| aws.instance("i-0", |it| it.ec2 = "i-9".to_owned());
    check(another, "precondition failed: found the EC2 instance `i-9`").await;
}

#[tokio::test]
async fn what_cannot_be_read_is_not_completed() {
    for operation in [
        "DescribeContainerInstances",
        "ListTasks",
        "DescribeTasks",
        "DescribeServices",
    ] {
        let fails = |aws: &Aws<World>| {
            aws.task("agent-0", "agent", "RUNNING", true);
            aws.fails(operation, vec![Fault::Error("AccessDeniedException", "no")]);
        };
        let want = format!("`ecs:{operation}` failed: access_denied (AccessDeniedException: no)");
        check(fails, &want).await;
    }
}

#[tokio::test]
async fn an_action_that_is_over_needs_nothing() {
    let aws = Aws::with(2, "DRAINING");
    aws.change(|world| world.waiting.clear());
    let steps = vec![
        heartbeat("i-0"),
        complete("i-0", true),
        complete("i-1", false),
        heartbeat("i-7"),
        complete("i-7", false),
    ];
    assert_eq!(aws.act(steps).await, ["already so"; 5]);
}

/// What becomes of both writes when they fail so.
async fn check_fault(fault: Fault, want: impl Fn(&str) -> String) {
    let aws = Aws::with(1, "DRAINING");
    aws.fails(HEARTBEAT, vec![fault.clone()]);
    aws.fails(COMPLETE, vec![fault]);
    let results = aws
        .act(vec![heartbeat("i-0"), complete("i-0", false)])
        .await;
    let name = |operation: &str| want(&format!("autoscaling:{operation}"));
    assert_eq!(results, [name(HEARTBEAT), name(COMPLETE)]);
}

#[tokio::test]
async fn what_a_failed_call_comes_to() {
    let failed = |why: &'static str| move |operation: &str| format!("`{operation}` failed: {why}");
    check_fault(Fault::LostBefore, failed("unreachable (HTTP status 502)")).await;
    check_fault(Fault::LostAfter, failed("unreachable (HTTP status 502)")).await;
    check_fault(
        Fault::Error("Throttling", "Rate exceeded"),
        failed("throttled (Throttling: Rate exceeded)"),
    )
    .await;
    check_fault(
        Fault::Error("ResourceContention", "later"),
        failed("other (ResourceContention: later)"),
    )
    .await;
    // The client itself sends a request again whose answer was lost.
    let over = "No active Lifecycle Action found with instance ID i-0";
    let unknown = "Instance Id not found - No managed instance found for instance ID: i-0";
    check_fault(Fault::Error("ValidationError", unknown), |_| {
        "already so".to_owned()
    })
    .await;
    check_fault(Fault::RefusedAfter("ValidationError", over), |_| {
        "already so".to_owned()
    })
    .await;
    check_fault(
        Fault::Error("ValidationError", "AutoScalingGroup name not found - null"),
        |_| {
            "precondition failed: found ValidationError: AutoScalingGroup name not found - null"
                .to_owned()
        },
    )
    .await;
    check_fault(Fault::Error("ValidationError", "odd"), |operation| {
        format!("refused: {operation}: ValidationError: odd")
    })
    .await;
}
