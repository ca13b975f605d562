//! `ecs:UpdateContainerInstancesState`.

use serde_json::json;

use crate::small_aws::{Aws, Fault, arn};
use crate::support::{World, activate, drain, raise};

#[tokio::test]
async fn a_write_holds_a_cluster_instances_and_a_status() {
    let aws = Aws::with(2, "ACTIVE");
    let steps = vec![drain("i-0", 0), drain("i-1", 0)];
    assert_eq!(aws.act(steps).await, ["done", "done"]);
    let instances = json!([arn("i-0"), arn("i-1")]);
    assert_eq!(
        aws.asked(),
        [
            (
                "DescribeContainerInstances".to_owned(),
                json!({"cluster": "demo", "containerInstances": instances})
            ),
            (
                "UpdateContainerInstancesState".to_owned(),
                json!({"cluster": "demo", "containerInstances": instances, "status": "DRAINING"})
            ),
        ]
    );
    let steps = vec![activate("i-0")];
    assert_eq!(aws.act(steps).await, ["done"]);
    let (operation, input) = aws.asked().pop().unwrap();
    assert_eq!(operation, "UpdateContainerInstancesState");
    let want = json!({"cluster": "demo", "containerInstances": [arn("i-0")], "status": "ACTIVE"});
    assert_eq!(input, want);
}

#[tokio::test]
async fn ten_of_a_kind_are_written_together_and_the_order_is_kept() {
    let aws = Aws::with(13, "ACTIVE");
    aws.instance("i-12", |it| it.status = "DRAINING".to_owned());
    let mut steps: Vec<_> = (0..12).map(|n| drain(&format!("i-{n}"), 0)).collect();
    steps.push(activate("i-12"));
    steps.push(raise(13, 14));
    assert_eq!(aws.act(steps).await, ["done"; 14]);
    assert_eq!(
        aws.operations(),
        [
            "DescribeContainerInstances",
            "UpdateContainerInstancesState",
            "DescribeContainerInstances",
            "UpdateContainerInstancesState",
            "DescribeContainerInstances",
            "UpdateContainerInstancesState",
            "DescribeAutoScalingGroups",
            "SetDesiredCapacity",
        ]
    );
}

/// What becomes of draining `i-0`, on which so many tasks were seen.
async fn check_drain(tasks: u32, change: impl FnOnce(&Aws<World>), want: &str) {
    let aws = Aws::with(1, "ACTIVE");
    change(&aws);
    assert_eq!(aws.act(vec![drain("i-0", tasks)]).await, [want]);
    let written = aws
        .operations()
        .iter()
        .any(|it| it == "UpdateContainerInstancesState");
    assert_eq!(written, want == "done");
}

#[tokio::test]
async fn an_instance_is_drained_only_with_the_tasks_that_were_seen() {
    let daemon = ("agent-1", "agent", "RUNNING", true);
    let app = ("app-1", "app", "RUNNING", true);
    let stopping = ("app-2", "app", "STOPPING", false);
    let gone = ("app-3", "app", "STOPPED", false);
    let tasks = |tasks: &'static [_]| {
        move |aws: &Aws<World>| aws.instance("i-0", |it| it.tasks = tasks.to_vec())
    };
    let found = |words: &str| format!("precondition failed: found {words}");
    let of = |id: &str| format!("task `arn:aws:ecs:us-west-2:111122223333:task/demo/{id}`");
    check_drain(0, |_| {}, "done").await;
    check_drain(
        0,
        move |aws| aws.instance("i-0", |it| it.tasks = vec![daemon, gone]),
        "done",
    )
    .await;
    check_drain(
        0,
        move |aws| aws.instance("i-0", |it| it.tasks = vec![daemon, app]),
        &found(&format!("{} RUNNING", of("app-1"))),
    )
    .await;
    check_drain(
        0,
        move |aws| aws.instance("i-0", |it| it.tasks = vec![stopping]),
        &found(&format!("{} STOPPING", of("app-2"))),
    )
    .await;
    check_drain(
        0,
        move |aws| aws.instance("i-0", |it| it.tasks = vec![app, stopping]),
        &found(&format!("2 tasks: {} RUNNING and 1 more", of("app-1"))),
    )
    .await;
    // One that is to run and one that stops: ECS counts one, the plan saw both.
    check_drain(
        2,
        move |aws| aws.instance("i-0", |it| it.tasks = vec![app, stopping]),
        "done",
    )
    .await;
    check_drain(1, tasks(&[]), &found("no task")).await;
    check_drain(
        1,
        move |aws| aws.instance("i-0", |it| it.tasks = vec![app, daemon]),
        "done",
    )
    .await;
    // Placed between the look and the step: nobody has found room elsewhere for it.
    let placed = ("batch-1", "batch", "PENDING", true);
    check_drain(
        1,
        move |aws| aws.instance("i-0", |it| it.tasks = vec![app, daemon, placed]),
        &found(&format!("2 tasks: {} RUNNING and 1 more", of("app-1"))),
    )
    .await;
}

#[tokio::test]
async fn an_instance_of_another_status_is_left_alone() {
    let found = |words: &str| format!("precondition failed: found {words}");
    let status = |status: &'static str| {
        move |aws: &Aws<World>| aws.instance("i-0", |it| it.status = status.to_owned())
    };
    // Somebody else has drained it since: it is not taken for one of Ballast's.
    check_drain(0, status("DRAINING"), &found("status DRAINING")).await;
    check_drain(0, status("REGISTERING"), &found("status REGISTERING")).await;

    let aws = Aws::with(1, "ACTIVE");
    assert_eq!(aws.act(vec![activate("i-0")]).await, ["already so"]);
    aws.instance("i-0", |it| it.status = "DEREGISTERING".to_owned());
    let results = aws.act(vec![activate("i-0")]).await;
    assert_eq!(results, [found("status DEREGISTERING")]);
}

#[tokio::test]
async fn each_line_of_failures_is_an_outcome() {
    let aws = Aws::with(3, "ACTIVE");
    aws.change(|world| {
        world.refused.insert("i-0".to_owned(), "INACTIVE");
        world.refused.insert("i-1".to_owned(), "ODD");
    });
    let steps = vec![drain("i-0", 0), drain("i-1", 0), drain("i-2", 0)];
    assert_eq!(
        aws.act(steps).await,
        [
            "precondition failed: found a container instance that is INACTIVE",
            "`ecs:UpdateContainerInstancesState` failed: other (ODD)",
            "done",
        ]
    );
}

#[tokio::test]
async fn a_refused_call_is_sent_again_for_one_instance_after_the_other() {
    let aws = Aws::with(3, "ACTIVE");
    let refusal = Fault::Error("InvalidParameterException", "one is bad");
    let twice = vec![refusal.clone(), refusal];
    aws.fails("UpdateContainerInstancesState", twice);
    let steps = vec![drain("i-0", 0), drain("i-1", 0), drain("i-2", 0)];
    let refused =
        "refused: ecs:UpdateContainerInstancesState: InvalidParameterException: one is bad";
    assert_eq!(aws.act(steps).await, [refused, "done", "done"]);
    let writes = aws.operations();
    let writes = writes
        .iter()
        .filter(|it| *it == "UpdateContainerInstancesState");
    assert_eq!(writes.count(), 4);
}

#[tokio::test]
async fn a_lost_answer_is_looked_for() {
    for (fault, want) in [
        (Fault::LostAfter, "already so"),
        (
            Fault::LostBefore,
            "`ecs:UpdateContainerInstancesState` failed: unreachable (response error: unhandled error: Error)",
        ),
        (
            Fault::Error("ClusterNotFoundException", "Cluster not found."),
            "precondition failed: found ClusterNotFoundException: Cluster not found.",
        ),
        (
            Fault::Error("ThrottlingException", "Rate exceeded"),
            "`ecs:UpdateContainerInstancesState` failed: throttled (ThrottlingException: Rate exceeded)",
        ),
    ] {
        let aws = Aws::with(2, "ACTIVE");
        aws.fails("UpdateContainerInstancesState", vec![fault]);
        let steps = vec![drain("i-0", 0), drain("i-1", 0)];
        assert_eq!(aws.act(steps).await, [want, want]);
    }
}
