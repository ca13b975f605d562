//! What lifecycle hooks say straight to a queue, and several hooks at once.

use std::collections::BTreeMap;

use expect_test::expect;
use serde_json::{Value, json};
use world::{
    Config, GroupSpec, Hook, HookResult, LaunchSpec, Lifecycle, Message, Operation, Transition,
    World,
};

use crate::stage::{GROUP, SETTLE_SECS, call, details, in_service, instances, refused, spot, with};

const QUEUE: &str = "arn:aws:sqs:us-west-2:111122223333:hooks";
const ROLE: &str = "arn:aws:iam::111122223333:role/hooks";

fn put(world: &mut World, name: &str, more: Value) {
    let mut input = json!({
        "AutoScalingGroupName": GROUP,
        "LifecycleHookName": name,
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
    });
    let more = more.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(more);
    call(world, Operation::PutLifecycleHook, input);
}

fn body(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A group of two whose hook `drain` has the queue for a target, and what the queue got so far.
fn pointed_at_queue() -> (World, Vec<Message>) {
    let mut world = spot(2, 10);
    world.advance_secs(SETTLE_SECS);
    put(
        &mut world,
        "drain",
        json!({ "NotificationTargetARN": QUEUE, "RoleARN": ROLE, "NotificationMetadata": "team-a" }),
    );
    world.advance_secs(5);
    let messages = world.take_due_messages();
    (world, messages)
}

#[test]
fn a_target_gets_a_test_when_a_hook_is_pointed_at_it() {
    let (_, tests) = pointed_at_queue();
    assert_eq!(tests.len(), 1);
    assert_eq!(tests[0].target, QUEUE);
    let mut said = body(&tests[0].body);
    let arn = said.as_object_mut().unwrap().remove("AutoScalingGroupARN");
    assert!(
        arn.unwrap()
            .as_str()
            .unwrap()
            .ends_with("autoScalingGroupName/workers")
    );
    expect![[r#"
        {
          "AccountId": "111122223333",
          "AutoScalingGroupName": "workers",
          "Event": "autoscaling:TEST_NOTIFICATION",
          "RequestId": "fa7aff26-1a98-4ce1-8c5f-04bb3fe9c5db",
          "Service": "AWS Auto Scaling",
          "Time": "2026-03-02T09:05:00.03Z"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&said).unwrap());
}

#[test]
fn a_target_gets_each_action_without_an_envelope() {
    let (mut world, _) = pointed_at_queue();
    world.take_due_events();
    world.set_desired_capacity(GROUP, 1).unwrap();
    world.advance_secs(10);
    let messages = world.take_due_messages();
    assert_eq!(messages.len(), 1);
    let said = body(&messages[0].body);
    let kind = "EC2 Instance-terminate Lifecycle Action";
    let event = details(&world.take_due_events(), kind).remove(0);
    for field in [
        "LifecycleActionToken",
        "AutoScalingGroupName",
        "LifecycleHookName",
        "EC2InstanceId",
        "LifecycleTransition",
        "NotificationMetadata",
        "Origin",
        "Destination",
    ] {
        assert_eq!(said[field], event[field], "{field}");
    }
    assert_eq!(said["Service"], "AWS Auto Scaling");
    assert_eq!(said["AccountId"], "111122223333");
    assert!(said.get("detail-type").is_none());

    let record = messages[0].record();
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(record["awsRegion"], "us-west-2");
    assert_eq!(record["body"].as_str().unwrap(), messages[0].body);
}

#[test]
fn a_target_is_read_and_taken_away() {
    let (mut world, _) = pointed_at_queue();
    let hooks = call(
        &mut world,
        Operation::DescribeLifecycleHooks,
        json!({ "AutoScalingGroupName": GROUP }),
    );
    assert_eq!(hooks["LifecycleHooks"][0]["NotificationTargetARN"], QUEUE);
    assert_eq!(hooks["LifecycleHooks"][0]["RoleARN"], ROLE);
    // An empty text takes the target away, and nothing more is said.
    put(&mut world, "drain", json!({ "NotificationTargetARN": "" }));
    world.advance_secs(5);
    assert_eq!(world.take_due_messages(), []);
    let hooks = call(
        &mut world,
        Operation::DescribeLifecycleHooks,
        json!({ "AutoScalingGroupName": GROUP }),
    );
    assert!(
        hooks["LifecycleHooks"][0]
            .get("NotificationTargetARN")
            .is_none()
    );
}

#[test]
fn a_queue_may_give_a_message_twice_and_loses_none() {
    let mut config = Config::new(11);
    config.delivery.lost_per_mille = 1_000;
    config.delivery.duplicate_per_mille = 1_000;
    let mut world = World::new(config);
    let launch = LaunchSpec::spot("workers", &["m5.large"]);
    world.declare_auto_scaling_group(GroupSpec::new(GROUP, launch, 0, 1, 2));
    world.advance_secs(SETTLE_SECS);
    put(
        &mut world,
        "drain",
        json!({ "NotificationTargetARN": QUEUE }),
    );
    assert!(world.next_event_at().is_some());
    world.advance_secs(5);
    let messages = world.take_due_messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].id, messages[1].id);
    assert_eq!(messages[0].body, messages[1].body);
}

/// A group of one whose termination waits for so many hooks, its instance, and the token of each hook.
fn waiting(results: &[(&str, HookResult)]) -> (World, String, BTreeMap<String, String>) {
    let launch = LaunchSpec::spot("workers", &["m5.large"]);
    let mut world = with(GroupSpec::new(GROUP, launch, 0, 1, 2));
    world.advance_secs(SETTLE_SECS);
    for (name, result) in results {
        let hook = Hook {
            heartbeat_timeout_secs: 60,
            default_result: *result,
            ..Hook::new(Transition::Terminating)
        };
        world.put_lifecycle_hook(GROUP, name, hook).unwrap();
    }
    world.take_due_events();
    let id = in_service(&world)[0].clone();
    world.set_desired_capacity(GROUP, 0).unwrap();
    world.advance_secs(10);
    let kind = "EC2 Instance-terminate Lifecycle Action";
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let tokens = details(&world.take_due_events(), kind)
        .iter()
        .map(|it| {
            (
                text(&it["LifecycleHookName"]),
                text(&it["LifecycleActionToken"]),
            )
        })
        .collect();
    (world, id, tokens)
}

fn is_waiting(world: &World) -> bool {
    !instances(world, Lifecycle::TerminatingWait).is_empty()
}

#[test]
fn all_hooks_must_be_completed_each_by_its_own_token() {
    let (mut world, id, tokens) = waiting(&[
        ("drain", HookResult::Continue),
        ("logs", HookResult::Continue),
    ]);
    assert_eq!(tokens.len(), 2);
    let complete = |hook: &str, token: &str| {
        json!({
            "AutoScalingGroupName": GROUP, "LifecycleHookName": hook, "LifecycleActionToken": token,
            "LifecycleActionResult": "CONTINUE",
        })
    };
    // The token of another hook does not do.
    let operation = Operation::CompleteLifecycleAction;
    let wrong = complete("drain", &tokens["logs"]);
    let (code, message) = refused(&mut world, operation, wrong);
    assert_eq!(code, "ValidationError");
    assert_eq!(
        message,
        format!(
            "No active Lifecycle Action found with token {}",
            tokens["logs"]
        )
    );
    call(&mut world, operation, complete("drain", &tokens["drain"]));
    assert!(is_waiting(&world));
    // It is over: neither token nor instance finds it again, and a heartbeat comes too late.
    let (_, message) = refused(&mut world, operation, complete("drain", &tokens["drain"]));
    assert!(message.starts_with("No active Lifecycle Action found with token"));
    let beat =
        json!({ "AutoScalingGroupName": GROUP, "LifecycleHookName": "drain", "InstanceId": id });
    let operation = Operation::RecordLifecycleActionHeartbeat;
    let (code, message) = refused(&mut world, operation, beat);
    assert_eq!(code, "ValidationError");
    assert_eq!(
        message,
        format!("No active Lifecycle Action found with instance ID {id}")
    );
    let beat =
        json!({ "AutoScalingGroupName": GROUP, "LifecycleHookName": "logs", "InstanceId": id });
    call(&mut world, operation, beat);
    world
        .complete_lifecycle_action(GROUP, "logs", Some(&id), None, HookResult::Continue)
        .unwrap();
    assert!(!is_waiting(&world));
}

#[test]
fn an_abandoned_hook_skips_the_others() {
    for (first, waits_on) in [(HookResult::Continue, true), (HookResult::Abandon, false)] {
        let (mut world, id, _) = waiting(&[("drain", first), ("logs", HookResult::Continue)]);
        world
            .record_lifecycle_heartbeat(GROUP, "logs", Some(&id), None)
            .unwrap();
        // The first hook times out after its 60 s, the other one was renewed some seconds later.
        world.advance_secs(53);
        assert_eq!(is_waiting(&world), waits_on, "{first:?}");
        world.advance_secs(20);
        assert!(!is_waiting(&world));
    }
}

#[test]
fn a_termination_that_goes_on_names_its_instance() {
    let (mut world, id, _) = waiting(&[("drain", HookResult::Continue)]);
    let read = |world: &mut World| {
        let input = json!({ "AutoScalingGroupName": GROUP, "MaxRecords": 1 });
        let answer = call(world, Operation::DescribeScalingActivities, input);
        answer["Activities"][0].clone()
    };
    let going = read(&mut world);
    assert_eq!(
        going["Description"],
        format!("Terminating EC2 instance: {id}")
    );
    assert_eq!(going["StatusCode"], "MidLifecycleAction");
    assert_eq!(going["StartTime"], "2026-03-02T09:05:02Z");
    assert!(going.get("EndTime").is_none());
    world.advance_secs(SETTLE_SECS);
    let over = read(&mut world);
    assert_eq!(over["ActivityId"], going["ActivityId"]);
    assert_eq!(over["StatusCode"], "Successful");
    assert!(over.get("EndTime").is_some());
}
