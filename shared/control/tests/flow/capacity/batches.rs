//! SQS batches, an event storm, an alarm's own call.

use model::policy::Mode;
use serde_json::{Value, json};

use super::stage::Scene;
use crate::stage::{acted, batch, sample};

/// How many messages a batch of the queue has at most.
const BATCH_MAX: usize = 5_000;

#[tokio::test]
async fn a_batch_of_everything_leads_to_one_look_and_two_messages_go_back() {
    let stage = Scene::default().open().await;
    stage.set_tasks(7);
    let payload = sample("aws.sqs--batch--cluster-scaler.json");
    let handled = stage.handle(Mode::Act, &payload).await;
    assert_eq!(handled.failure, None);
    let triggers = &handled.record.triggers;
    assert_eq!((triggers.received, triggers.faults_count), (11, 2));
    let kinds = serde_json::to_value(&triggers.kinds).unwrap();
    let want = json!({
        "alarm_changed": 2, "instance_changed": 1, "instance_terminated": 1, "instance_terminating": 1,
        "launch_failed": 2, "placement_failed": 1, "scheduled": 1,
    });
    assert_eq!(kinds, want);
    let ignored = serde_json::to_value(&triggers.ignored).unwrap();
    assert_eq!(ignored, json!({"other_function": 1}));
    assert_eq!(acted(&handled).len(), 1);
    let result = serde_json::to_value(handled.answer().unwrap()).unwrap();
    let want = json!([
        {"itemIdentifier": "f7e51908-cb59-48ca-a851-8d04c36cea0d"},
        {"itemIdentifier": "f0d97077-4c32-4824-ad36-d0ce07974496"},
    ]);
    assert_eq!(result["batchItemFailures"], want);
    assert_eq!(stage.desired(), 3);
    let looks = stage.face.calls()["ecs:ListContainerInstances"];
    assert_eq!(looks, 1);
}

/// Every instance of a large cluster tells of its change.
#[tokio::test]
async fn a_storm_of_instance_events_leads_to_one_look_a_batch() {
    let stage = Scene::default().open().await;
    stage.set_tasks(7);
    let event = sample("aws.ecs--ecs-container-instance-state-change--task-placed.json");
    let events: Vec<String> = (0..15_000)
        .map(|number| {
            let mut event = event.clone();
            let arn = format!(
                "arn:aws:ecs:us-west-2:111122223333:container-instance/container-demo/{number:032x}"
            );
            event["id"] = format!("00000000-0000-0000-0000-{number:012}").into();
            event["resources"] = json!([arn]);
            event["detail"]["containerInstanceArn"] = arn.into();
            event["detail"]["ec2InstanceId"] = format!("i-{number:017x}").into();
            event.to_string()
        })
        .collect();
    for (number, messages) in events.chunks(BATCH_MAX).enumerate() {
        let before: u64 = stage.face.calls().values().sum();
        let handled = stage
            .handle(Mode::Act, &batch(messages.iter().cloned()))
            .await;
        assert_eq!(handled.failure, None);
        let triggers = &handled.record.triggers;
        assert_eq!(triggers.received, 5_000);
        assert_eq!(triggers.kinds.get("instance_changed"), Some(&5_000));
        assert_eq!(triggers.clusters_count, 1);
        assert_eq!(acted(&handled).len(), usize::from(number == 0));
        let calls = stage.face.calls().values().sum::<u64>() - before;
        assert!(calls <= 16, "{calls} calls: {:?}", stage.face.calls());
        assert_eq!(handled.record.calls.values().sum::<u64>(), calls);
        let result = serde_json::to_value(handled.answer().unwrap()).unwrap();
        assert_eq!(result["batchItemFailures"], json!([]));
    }
    assert_eq!(stage.desired(), 3);
    assert_eq!(stage.writes().values().sum::<u64>(), 1);
}

/// How many calls an event leads to while a task has no room, and the desired capacity afterwards.
async fn after(event: Value) -> (u64, u32) {
    let stage = Scene::default().open().await;
    stage.set_tasks(7);
    let handled = stage.handle(Mode::Act, &event).await;
    assert_eq!(handled.failure, None);
    (stage.face.calls().values().sum(), stage.desired())
}

#[tokio::test]
async fn events_that_are_for_others_lead_to_no_call() {
    for name in [
        "aws.autoscaling--ec2-instance-launch-lifecycle-action--wait.json",
        "aws.autoscaling--ec2-instance-terminate-lifecycle-action--wait.json",
        "aws.ec2--ec2-spot-instance-interruption-warning--terminate.json",
        "aws.ecs--ecs-task-state-change--spot-interruption.json",
        "aws.ecs--ecs-service-action--placement-failure-fargate-spot.json",
    ] {
        assert_eq!(after(sample(name)).await, (0, 2), "{name}");
    }
}

#[tokio::test]
async fn every_reason_to_look_comes_to_the_same() {
    for name in [
        "aws.cloudwatch--unknown--alarm-direct.json",
        "aws.cloudwatch--unknown--alarm-direct-reservation.json",
        "aws.cloudwatch--unknown--alarm-direct-composite.json",
        "aws.cloudwatch--unknown--alarm-direct-metric-math.json",
        "aws.cloudwatch--cloudwatch-alarm-state-change--reservation-high.json",
        "aws.cloudwatch--cloudwatch-alarm-state-change--reservation-ok.json",
        "aws.cloudwatch--cloudwatch-alarm-state-change--group.json",
        "aws.autoscaling--ec2-instance-launch-successful--spot-group.json",
        "aws.autoscaling--ec2-instance-launch-unsuccessful--insufficient-instance-capacity.json",
        "aws.autoscaling--ec2-instance-terminate-successful--spot-interruption.json",
        "aws.ecs--ecs-container-instance-state-change--draining.json",
        "aws.ecs--ecs-service-action--placement-failure-memory.json",
        "aws.ecs--ecs-task-state-change--spot-interruption-ec2-provider.json",
        "aws.scheduler--scheduled-event--every-minute.json",
    ] {
        let (calls, desired) = after(sample(name)).await;
        assert!((10..=16).contains(&calls), "{name}: {calls} calls");
        assert_eq!(desired, 3, "{name}");
    }
}

/// A failed launch is remembered of the group that it names, and of no other.
#[tokio::test]
async fn a_failed_launch_is_a_hint_for_its_group_alone() {
    let failed =
        "aws.autoscaling--ec2-instance-launch-unsuccessful--insufficient-instance-capacity.json";
    let stage = Scene::default().open().await;
    stage.set_tasks(7);
    let handled = stage.handle(Mode::Observe, &sample(failed)).await;
    assert_eq!(handled.record.plan.steps.len(), 1);
    assert!(stage.memory().await.pools.is_empty());
    let mut of_this_group = sample(failed);
    of_this_group["detail"]["AutoScalingGroupName"] = super::stage::GROUP.into();
    of_this_group["time"] = stage.now().to_string().into();
    of_this_group["detail"]["EndTime"] = stage.now().to_string().into();
    let handled = stage.handle(Mode::Observe, &of_this_group).await;
    // The group has other zones.
    assert_eq!(handled.record.plan.steps.len(), 1);
    let pools: Vec<String> = stage.memory().await.pools.into_keys().collect();
    assert_eq!(pools, ["t3.small/us-west-2a/on-demand"]);
}
