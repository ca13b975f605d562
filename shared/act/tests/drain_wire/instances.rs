//! `ecs:UpdateContainerInstancesState`.

use serde_json::json;

use crate::small_aws::{Aws, Fault, arn};
use crate::support::{World, activate, drain, drain_in};

const UPDATE: &str = "UpdateContainerInstancesState";
const MEMBERS: &str = "DescribeAutoScalingInstances";
const DESCRIBE: &str = "DescribeContainerInstances";

#[tokio::test]
async fn a_drain_is_one_call_without_a_look_before_it() {
    let aws = Aws::with(2, "ACTIVE");
    let steps = vec![drain("i-0"), drain("i-1")];
    assert_eq!(aws.act(steps).await, ["done", "done"]);
    let instances = json!([arn("i-0"), arn("i-1")]);
    let input = json!({"cluster": "demo", "containerInstances": instances, "status": "DRAINING"});
    assert_eq!(aws.asked(), [(UPDATE.to_owned(), input)]);
}

#[tokio::test]
async fn ten_are_drained_with_one_call() {
    let aws = Aws::with(25, "ACTIVE");
    let steps: Vec<_> = (0..25).map(|n| drain(&format!("i-{n}"))).collect();
    assert_eq!(aws.act(steps).await, ["done"; 25]);
    let asked = aws.asked();
    let sizes: Vec<usize> = asked
        .iter()
        .map(|(operation, input)| {
            assert_eq!(operation, UPDATE);
            input["containerInstances"].as_array().unwrap().len()
        })
        .collect();
    assert_eq!(sizes, [10, 10, 5]);
}

#[tokio::test]
async fn drains_of_clusters_that_alternate_fill_the_calls() {
    let aws = Aws::with(24, "ACTIVE");
    let cluster = |n| if n % 2 == 0 { "even" } else { "odd" };
    let steps = (0..24).map(|n| drain_in(cluster(n), &format!("i-{n}")));
    assert_eq!(aws.act(steps.collect()).await, ["done"; 24]);
    let asked = aws.asked();
    let calls: Vec<_> = asked
        .iter()
        .map(|(_, input)| {
            let instances = input["containerInstances"].as_array().unwrap();
            (
                input["cluster"].as_str().unwrap(),
                &instances[0],
                instances.len(),
            )
        })
        .collect();
    let first = |n| json!(arn(&format!("i-{n}")));
    assert_eq!(
        calls,
        [
            ("even", &first(0), 10),
            ("odd", &first(1), 10),
            ("even", &first(20), 2),
            ("odd", &first(21), 2),
        ]
    );
}

#[tokio::test]
async fn each_line_of_failures_is_an_outcome_and_one_that_is_gone_is_drained() {
    let aws = Aws::with(4, "ACTIVE");
    aws.instance("i-1", |it| it.status = "INACTIVE".to_owned());
    aws.change(|world| {
        world.instances.remove("i-0");
        world.failures.insert("i-1".to_owned(), "INACTIVE");
        world.failures.insert("i-2".to_owned(), "ODD");
    });
    let steps = (0..4).map(|n| drain(&format!("i-{n}")));
    assert_eq!(
        aws.act(steps.collect()).await,
        [
            "already so",
            "already so",
            "`ecs:UpdateContainerInstancesState` failed: other (ODD)",
            "done",
        ]
    );
}

#[tokio::test]
async fn one_that_still_registers_is_not_taken_for_one_that_is_gone() {
    // ECS may call it INACTIVE, in an answer that says which it means.
    let aws = Aws::with(2, "ACTIVE");
    aws.instance("i-0", |it| it.status = "REGISTRATION_FAILED".to_owned());
    aws.change(|world| world.failures.insert("i-0".to_owned(), "INACTIVE"));
    let found = "precondition failed: found status REGISTRATION_FAILED";
    assert_eq!(
        aws.act(vec![drain("i-0"), drain("i-1")]).await,
        [found, "done"]
    );
    assert_eq!(aws.operations(), [UPDATE, DESCRIBE]);
}

#[tokio::test]
async fn a_call_that_is_refused_for_one_is_sent_again_for_each() {
    let aws = Aws::with(4, "ACTIVE");
    aws.instance("i-2", |it| it.status = "REGISTERING".to_owned());
    let steps: Vec<_> = (0..4).map(|n| drain(&format!("i-{n}"))).collect();
    let registers = "precondition failed: found status REGISTERING";
    assert_eq!(aws.act(steps).await, ["done", "done", registers, "done"]);
    let asked = aws.asked();
    let operations: Vec<&str> = asked.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(
        operations,
        [UPDATE, UPDATE, UPDATE, UPDATE, UPDATE, DESCRIBE]
    );
    // Only the one that was refused again is looked at.
    let input = json!({"cluster": "demo", "containerInstances": [arn("i-2")]});
    assert_eq!(asked[5].1, input);
}

/// What becomes of draining `i-0` and `i-1`, of which the second is DRAINING already, when the call fails so.
async fn check(faults: Vec<Fault>, want: [&str; 2]) {
    let aws = Aws::with(2, "ACTIVE");
    aws.instance("i-1", |it| it.status = "DRAINING".to_owned());
    aws.fails(UPDATE, faults.clone());
    let results = aws.act(vec![drain("i-0"), drain("i-1")]).await;
    assert_eq!(results, want, "{faults:?}");
}

#[tokio::test]
async fn what_a_failed_call_comes_to_is_told_by_the_instances() {
    // It may be this call's doing, so that it is remembered and can be taken back.
    check(vec![Fault::LostAfter], ["done", "done"]).await;
    let lost = "`ecs:UpdateContainerInstancesState` failed: unreachable (response error: unhandled error: Error)";
    check(vec![Fault::LostBefore], [lost, "done"]).await;
    let throttled = "`ecs:UpdateContainerInstancesState` failed: throttled (ThrottlingException: Rate exceeded)";
    let throttle = Fault::Error("ThrottlingException", "Rate exceeded");
    check(vec![throttle], [throttled, throttled]).await;
    let gone = "precondition failed: found ClusterNotFoundException: Cluster not found.";
    let no_cluster = Fault::Error("ClusterNotFoundException", "Cluster not found.");
    check(vec![no_cluster], [gone, gone]).await;
    let denied =
        "`ecs:UpdateContainerInstancesState` failed: access_denied (AccessDeniedException: no)";
    check(
        vec![Fault::Error("AccessDeniedException", "no")],
        [denied, denied],
    )
    .await;
    // Refused together and alone. The one that is DRAINING needs nothing; of the other ECS's words are all there is.
    let refusal = Fault::Error("ClientException", "odd");
    let refused = "refused: ecs:UpdateContainerInstancesState: ClientException: odd";
    check(vec![refusal; 3], [refused, "already so"]).await;
}

#[tokio::test]
async fn an_instance_that_is_gone_needs_no_second_answer() {
    let aws = Aws::with(1, "ACTIVE");
    aws.change(|world| world.instances.clear());
    aws.fails(UPDATE, vec![Fault::LostBefore]);
    assert_eq!(aws.act(vec![drain("i-0")]).await, ["already so"]);
}

/// What becomes of making `i-0` ACTIVE again.
async fn check_activation(change: impl FnOnce(&Aws<World>), want: &str) {
    let aws = Aws::with(1, "DRAINING");
    change(&aws);
    assert_eq!(aws.act(vec![activate("i-0")]).await, [want]);
    let written = aws.operations().iter().any(|it| it == UPDATE);
    assert_eq!(written, want == "done", "{want}");
}

#[tokio::test]
async fn an_instance_is_activated_only_where_it_is_draining_and_the_same() {
    check_activation(|_| {}, "done").await;
    let status = |status: &'static str| {
        move |aws: &Aws<World>| aws.instance("i-0", |it| it.status = status.to_owned())
    };
    check_activation(status("ACTIVE"), "already so").await;
    let found = |words: &str| format!("precondition failed: found {words}");
    check_activation(status("INACTIVE"), &found("status INACTIVE")).await;
    check_activation(
        |aws| aws.instance("i-0", |it| it.ec2 = "i-9".to_owned()),
        &found("the EC2 instance `i-9`"),
    )
    .await;
    check_activation(
        |aws| aws.change(|world| world.instances.clear()),
        &found("no such container instance"),
    )
    .await;
    let member = |state: &'static str| {
        move |aws: &Aws<World>| {
            aws.change(|world| _ = world.members.insert("i-0".to_owned(), state))
        }
    };
    check_activation(member("InService"), "done").await;
    for state in ["Terminating:Wait", "Standby", "Detaching"] {
        let want = found(&format!("{state} in group `web group`"));
        check_activation(member(state), &want).await;
    }
    let unread = |aws: &Aws<World>| {
        aws.fails(MEMBERS, vec![Fault::Error("AccessDenied", "no")]);
    };
    let failed =
        "`autoscaling:DescribeAutoScalingInstances` failed: access_denied (AccessDenied: no)";
    check_activation(unread, failed).await;
    let denied = |aws: &Aws<World>| {
        aws.fails(DESCRIBE, vec![Fault::Error("AccessDeniedException", "no")]);
    };
    let failed =
        "`ecs:DescribeContainerInstances` failed: access_denied (AccessDeniedException: no)";
    check_activation(denied, failed).await;
}

#[tokio::test]
async fn activations_are_read_and_written_together() {
    let aws = Aws::with(12, "DRAINING");
    let steps: Vec<_> = (0..12).map(|n| activate(&format!("i-{n}"))).collect();
    assert_eq!(aws.act(steps).await, ["done"; 12]);
    let asked = aws.asked();
    let operations: Vec<&str> = asked.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(operations, [MEMBERS, DESCRIBE, UPDATE, DESCRIBE, UPDATE]);
    let instances = json!([arn("i-10"), arn("i-11")]);
    let input = json!({"cluster": "demo", "containerInstances": instances, "status": "ACTIVE"});
    assert_eq!(asked[4].1, input);
}
