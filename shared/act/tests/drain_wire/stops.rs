//! `ecs:StopTask`.

use model::drain::{DrainStepReason, StuckReason};
use serde_json::json;

use crate::small_aws::{Aws, Fault, task_arn};
use crate::support::{World, stop};

#[tokio::test]
async fn a_stop_holds_a_cluster_a_task_and_why() {
    let aws = Aws::with_task("RUNNING", true);
    assert_eq!(aws.act(vec![stop("t-0")]).await, ["done"]);
    let reason = "Ballast instance-drain: `i-0` goes at 2026-11-22T10:02:00Z, the stop timeout is 30 s, and nobody else would stop \
                  this task in time: no_room of `service/app`";
    assert_eq!(
        aws.asked(),
        [
            (
                "DescribeTasks".to_owned(),
                json!({"cluster": "demo", "tasks": [task_arn("t-0")]})
            ),
            (
                "StopTask".to_owned(),
                json!({"cluster": "demo", "task": task_arn("t-0"), "reason": reason})
            ),
        ]
    );
}

#[tokio::test]
async fn the_reason_is_one_line_that_ecs_takes() {
    let aws = Aws::with_task("RUNNING", true);
    let mut step = stop("t-0");
    let DrainStepReason::LastMoment { whose, why, .. } = &mut step.reason else {
        panic!("{step:?}");
    };
    *whose = format!("family/a\nb{}", "c".repeat(1_000));
    *why = StuckReason::Standalone;
    assert_eq!(aws.act(vec![step]).await, ["done"]);
    let (_, input) = aws.asked().pop().unwrap();
    let reason = input["reason"].as_str().unwrap();
    assert_eq!(reason.chars().count(), 255);
    assert!(
        reason.starts_with("Ballast instance-drain: `i-0` goes at "),
        "{reason}"
    );
    assert!(reason.contains("standalone of `family/a bccc"), "{reason}");
    assert!(reason.ends_with("cc…"), "{reason}");
}

#[tokio::test]
async fn a_hundred_tasks_are_read_with_one_call_and_stopped_one_by_one() {
    let aws = Aws::with(1, "DRAINING");
    let ids: Vec<String> = (0..101).map(|n| format!("t-{n}")).collect();
    for id in &ids {
        aws.task(id, "app", "RUNNING", true);
    }
    let results = aws.act(ids.iter().map(|id| stop(id)).collect()).await;
    assert!(results.iter().all(|it| it == "done"), "{results:?}");
    let operations = aws.operations();
    let at: Vec<usize> = operations
        .iter()
        .enumerate()
        .filter(|(_, it)| *it == "DescribeTasks")
        .map(|(at, _)| at)
        .collect();
    assert_eq!((at, operations.len()), (vec![0, 101], 103));
}

/// What becomes of stopping a task, and whether it was asked for.
async fn check(change: impl FnOnce(&Aws<World>), want: &str, is_sent: bool) {
    let aws = Aws::with_task("RUNNING", true);
    change(&aws);
    assert_eq!(aws.act(vec![stop("t-0")]).await, [want]);
    let sent = aws.operations().iter().any(|it| it == "StopTask");
    assert_eq!(sent, is_sent, "{want}");
}

#[tokio::test]
async fn a_task_is_stopped_only_where_it_still_is_to_run_on_the_instance() {
    for last_status in ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"] {
        let starts = |aws: &Aws<World>| {
            aws.change(|world| world.tasks[0].last_status = last_status);
        };
        check(starts, "done", true).await;
    }
    for last_status in [
        "RUNNING",
        "DEACTIVATING",
        "STOPPING",
        "DEPROVISIONING",
        "STOPPED",
    ] {
        let stops = |aws: &Aws<World>| {
            aws.change(|world| {
                world.tasks[0].last_status = last_status;
                world.tasks[0].is_wanted = false;
            });
        };
        check(stops, "already so", false).await;
    }
    let forgotten = |aws: &Aws<World>| aws.change(|world| world.tasks.clear());
    check(forgotten, "already so", false).await;
    let elsewhere = |aws: &Aws<World>| aws.change(|world| world.tasks[0].instance = "i-7");
    let found = "precondition failed: found the task on container instance \
                 `arn:aws:ecs:us-west-2:111122223333:container-instance/demo/i-7`";
    check(elsewhere, found, false).await;
    let denied = |aws: &Aws<World>| {
        aws.fails(
            "DescribeTasks",
            vec![Fault::Error("AccessDeniedException", "no")],
        );
    };
    let failed = "`ecs:DescribeTasks` failed: access_denied (AccessDeniedException: no)";
    check(denied, failed, false).await;
}

#[tokio::test]
async fn what_a_failed_call_comes_to_is_told_by_the_task() {
    let fails = |fault: Fault| move |aws: &Aws<World>| aws.fails("StopTask", vec![fault]);
    check(fails(Fault::LostAfter), "already so", true).await;
    let lost = "`ecs:StopTask` failed: unreachable (response error: unhandled error: Error)";
    check(fails(Fault::LostBefore), lost, true).await;
    let throttled = "`ecs:StopTask` failed: throttled (ThrottlingException: Rate exceeded)";
    let throttle = Fault::Error("ThrottlingException", "Rate exceeded");
    check(fails(throttle), throttled, true).await;
    let unknown = Fault::Error(
        "InvalidParameterException",
        "The referenced task was not found.",
    );
    check(fails(unknown), "already so", true).await;
    let odd = Fault::Error("InvalidParameterException", "Invalid reason.");
    let refused = "refused: ecs:StopTask: InvalidParameterException: Invalid reason.";
    check(fails(odd), refused, true).await;
    let no_cluster = Fault::Error("ClusterNotFoundException", "Cluster not found.");
    let gone = "precondition failed: found ClusterNotFoundException: Cluster not found.";
    check(fails(no_cluster), gone, true).await;
}
