//! `autoscaling:TerminateInstanceInAutoScalingGroup`.

use serde_json::json;

use crate::small_aws::{Aws, Fault, arn};
use crate::support::{World, terminate};

#[tokio::test]
async fn a_write_holds_an_instance_and_lowers_the_desired_capacity() {
    let aws = Aws::with(3, "DRAINING");
    assert_eq!(aws.act(vec![terminate("i-1", 3)]).await, ["done"]);
    assert_eq!(
        aws.asked(),
        [
            (
                "DescribeContainerInstances".to_owned(),
                json!({"cluster": "demo", "containerInstances": [arn("i-1")]})
            ),
            (
                "DescribeAutoScalingGroups".to_owned(),
                json!({"AutoScalingGroupNames.member.1": "web group"})
            ),
            (
                "TerminateInstanceInAutoScalingGroup".to_owned(),
                json!({"InstanceId": "i-1", "ShouldDecrementDesiredCapacity": "true"})
            ),
        ]
    );
    assert_eq!(aws.change(|world| world.desired), 2);
}

#[tokio::test]
async fn the_capacity_is_compared_before_the_first_of_a_plan_only() {
    // Twelve in two reads: what the second finds is the first ten's doing.
    let aws = Aws::with(15, "DRAINING");
    let steps = |desired| -> Vec<_> {
        (0..12)
            .map(|n| terminate(&format!("i-{n}"), desired))
            .collect()
    };
    assert_eq!(aws.act(steps(15)).await, ["done"; 12]);
    assert_eq!(aws.change(|world| world.desired), 3);

    let aws = Aws::with(15, "DRAINING");
    let found = "precondition failed: found desired capacity 15";
    assert_eq!(aws.act(steps(14)).await, [found; 12]);
    assert_eq!(aws.change(|world| world.desired), 15);
}

#[tokio::test]
async fn the_minimum_ends_a_row_of_terminations() {
    let aws = Aws::with(4, "DRAINING");
    aws.change(|world| world.min = 2);
    let steps: Vec<_> = (0..3).map(|n| terminate(&format!("i-{n}"), 4)).collect();
    let found = "precondition failed: found minimum size 2";
    assert_eq!(aws.act(steps).await, ["done", "done", found]);
}

/// What becomes of terminating `i-0` of three.
async fn check(change: impl FnOnce(&Aws<World>), want: &str) {
    let aws = Aws::with(3, "DRAINING");
    change(&aws);
    assert_eq!(aws.act(vec![terminate("i-0", 3)]).await, [want]);
    let written = aws
        .operations()
        .iter()
        .any(|it| it == "TerminateInstanceInAutoScalingGroup");
    assert_eq!(written, want == "done", "{want}");
}

#[tokio::test]
async fn an_instance_is_terminated_only_when_it_is_drained_and_empty() {
    let found = |words: &str| format!("precondition failed: found {words}");
    let tasks = |tasks: Vec<_>| move |aws: &Aws<World>| aws.instance("i-0", |it| it.tasks = tasks);
    let daemon = ("agent-1", "agent", "RUNNING", true);
    check(tasks(vec![daemon]), "done").await;
    let stopped = ("app-1", "app", "STOPPED", false);
    check(tasks(vec![daemon, stopped]), "done").await;
    let of = |id: &str| format!("task `arn:aws:ecs:us-west-2:111122223333:task/demo/{id}`");
    for status in ["DEACTIVATING", "STOPPING", "DEPROVISIONING"] {
        let leaving = ("app-1", "app", status, false);
        let want = found(&format!("{} {status}", of("app-1")));
        check(tasks(vec![daemon, leaving]), &want).await;
    }
    let came_back = ("app-1", "app", "PENDING", true);
    let want = found(&format!("{} PENDING", of("app-1")));
    check(tasks(vec![came_back]), &want).await;

    let active = |aws: &Aws<World>| aws.instance("i-0", |it| it.status = "ACTIVE".to_owned());
    check(active, &found("status ACTIVE")).await;
    let terminating =
        |aws: &Aws<World>| aws.instance("i-0", |it| it.lifecycle = "Terminating:Wait");
    check(terminating, &found("life-cycle state Terminating:Wait")).await;
    let protected = |aws: &Aws<World>| aws.instance("i-0", |it| it.is_protected = true);
    check(protected, &found("protection from scale-in")).await;
    let untagged = |aws: &Aws<World>| aws.change(|world| world.tag = None);
    check(untagged, &found("no tag `ballast:cluster-scaler`")).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_not_terminated() {
    for (operation, want) in [
        (
            "DescribeContainerInstances",
            "`ecs:DescribeContainerInstances`",
        ),
        (
            "DescribeAutoScalingGroups",
            "`autoscaling:DescribeAutoScalingGroups`",
        ),
        ("ListTasks", "`ecs:ListTasks`"),
        ("DescribeTasks", "`ecs:DescribeTasks`"),
        ("DescribeServices", "`ecs:DescribeServices`"),
    ] {
        let fails = |aws: &Aws<World>| {
            aws.instance("i-0", |it| {
                it.tasks = vec![("agent-1", "agent", "RUNNING", true)]
            });
            let denied = Fault::Error("AccessDeniedException", "no");
            aws.fails(operation, vec![denied]);
        };
        let want = format!("{want} failed: access_denied (AccessDeniedException: no)");
        check(fails, &want).await;
    }
}

#[tokio::test]
async fn a_lost_answer_is_looked_for_and_counted() {
    let lost = |fault| {
        let aws = Aws::with(5, "DRAINING");
        aws.fails("TerminateInstanceInAutoScalingGroup", vec![fault]);
        aws
    };
    let steps = || vec![terminate("i-0", 5), terminate("i-1", 5)];
    let aws = lost(Fault::LostAfter);
    assert_eq!(aws.act(steps()).await, ["already so", "done"]);
    assert_eq!(aws.change(|world| world.desired), 3);

    let aws = lost(Fault::LostBefore);
    let failed =
        "`autoscaling:TerminateInstanceInAutoScalingGroup` failed: unreachable (HTTP status 502)";
    assert_eq!(aws.act(steps()).await, [failed, "done"]);
    assert_eq!(aws.change(|world| world.desired), 4);

    // The client itself sends a request again whose answer was lost.
    let aws = lost(Fault::RefusedAfter("ScalingActivityInProgress", "later"));
    assert_eq!(aws.act(steps()).await, ["already so", "done"]);
    assert_eq!(aws.change(|world| world.desired), 3);
    let aws = lost(Fault::Error("ScalingActivityInProgress", "later"));
    let failed = "`autoscaling:TerminateInstanceInAutoScalingGroup` failed: other (ScalingActivityInProgress: later)";
    assert_eq!(aws.act(steps()).await, [failed, "done"]);
    assert_eq!(aws.change(|world| world.desired), 4);

    let minimum = "Currently, desiredSize equals minSize (5). Terminating instance without replacement will violate group's min size \
                   constraint.";
    let aws = lost(Fault::Error("ValidationError", minimum));
    let found = format!("precondition failed: found ValidationError: {minimum}");
    assert_eq!(aws.act(steps()).await, [found.as_str(), "done"]);
}
