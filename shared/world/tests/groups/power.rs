//! Instances that are stopped, started, ended and detached by hand.

use serde_json::json;
use world::{Hook, Lifecycle, MachineState, Operation, Transition, World};

use crate::stage::{GROUP, SETTLE_SECS, call, details, group, in_service, refused, spot};

fn fleet() -> (World, String) {
    let mut world = spot(2, 10);
    world.advance_secs(SETTLE_SECS);
    let id = in_service(&world)[0].clone();
    world.take_due_events();
    (world, id)
}

/// The states that an instance is said to have, in the order of their arrival.
fn states(world: &mut World, id: &str) -> Vec<String> {
    details(
        &world.take_due_events(),
        "EC2 Instance State-change Notification",
    )
    .into_iter()
    .filter(|it| it["instance-id"] == id)
    .map(|it| it["state"].as_str().unwrap().to_owned())
    .collect()
}

#[test]
fn an_instance_in_no_group_stops_and_starts() {
    let (mut world, id) = fleet();
    world.detach_instance(&id, true).unwrap();
    assert_eq!(group(&world).desired_capacity, 1);
    assert_eq!(
        world.state().instances[&id].lifecycle_state,
        Lifecycle::Detached
    );
    let input = json!({ "InstanceIds": [id] });
    let read = call(&mut world, Operation::DescribeAutoScalingInstances, input);
    assert_eq!(read["AutoScalingInstances"], json!([]));

    assert!(world.stop_instance(&id));
    assert!(!world.stop_instance(&id));
    world.advance_secs(120);
    assert_eq!(states(&mut world, &id), ["stopping", "stopped"]);
    let spent = world.instance_account(GROUP);
    assert_eq!(spent.instances, 1);
    world.advance_secs(1_000);
    // A stopped instance costs nothing, and nobody replaces or ends it.
    let later = world.instance_account(GROUP);
    let other = 1_000 * 1_000;
    assert_eq!(
        later.spot_instance_millis,
        spent.spot_instance_millis + other
    );
    assert_eq!(world.state().instances[&id].state, MachineState::Stopped);

    assert!(world.start_instance_again(&id));
    assert!(!world.start_instance_again(&id));
    world.advance_secs(120);
    assert_eq!(states(&mut world, &id), ["pending", "running"]);
    assert_eq!(
        world.state().instances[&id].lifecycle_state,
        Lifecycle::Detached
    );
    assert_eq!(world.instance_account(GROUP).instances, 2);
    assert!(world.end_instance(&id));
    assert!(!world.end_instance(&id));
    world.advance_secs(120);
    assert_eq!(states(&mut world, &id), ["shutting-down", "terminated"]);
    assert_eq!(in_service(&world).len(), 1);
}

#[test]
fn a_group_replaces_what_is_stopped_and_its_hooks_run() {
    let (mut world, id) = fleet();
    let hook = Hook::new(Transition::Terminating);
    world.put_lifecycle_hook(GROUP, "drain", hook).unwrap();
    assert!(world.stop_instance(&id));
    world.advance_secs(SETTLE_SECS);
    let instance = &world.state().instances[&id];
    assert_eq!(instance.lifecycle_state, Lifecycle::TerminatingWait);
    assert!(!instance.healthy);
    assert_eq!(instance.state, MachineState::Stopped);
    let told = details(
        &world.take_due_events(),
        "EC2 Instance-terminate Lifecycle Action",
    );
    assert_eq!(told[0]["EC2InstanceId"], id.as_str());
    let now = in_service(&world);
    assert_eq!(now.len(), 2);
    assert!(!now.contains(&id));
    let cause = &group(&world).activities;
    assert!(
        cause
            .iter()
            .any(|it| it.cause.contains("terminated or stopped"))
    );
    world
        .complete_lifecycle_action(GROUP, "drain", Some(&id), None, world::HookResult::Continue)
        .unwrap();
    world.advance_secs(SETTLE_SECS);
    assert_eq!(states(&mut world, &id), ["shutting-down", "terminated"]);
}

#[test]
fn a_person_ends_an_instance_past_its_group() {
    let (mut world, id) = fleet();
    let hook = Hook::new(Transition::Terminating);
    world.put_lifecycle_hook(GROUP, "drain", hook).unwrap();
    assert!(world.end_instance(&id));
    world.advance_secs(SETTLE_SECS);
    let kind = "EC2 Instance-terminate Lifecycle Action";
    assert_eq!(details(&world.take_due_events(), kind).len(), 0);
    assert_eq!(
        world.state().instances[&id].lifecycle_state,
        Lifecycle::Terminated
    );
    assert_eq!(in_service(&world).len(), 2);
}

#[test]
fn what_left_its_group_is_not_the_groups_any_more() {
    let (mut world, id) = fleet();
    world.detach_instance(&id, false).unwrap();
    let error = world.detach_instance(&id, false).unwrap_err();
    assert_eq!(error.code, "ValidationError");
    let input = json!({ "InstanceId": id, "ShouldDecrementDesiredCapacity": false });
    let operation = Operation::TerminateInstanceInAutoScalingGroup;
    let (code, message) = refused(&mut world, operation, input);
    assert_eq!(code, "ValidationError");
    assert!(message.contains("No managed instance found"), "{message}");
    world.advance_secs(SETTLE_SECS);
    // The group made up for it, and it lives on.
    assert_eq!(in_service(&world).len(), 2);
    assert_eq!(world.state().instances[&id].state, MachineState::Running);

    let input = json!({ "AutoScalingGroupName": GROUP, "MinSize": 2 });
    call(&mut world, Operation::UpdateAutoScalingGroup, input);
    let other = in_service(&world)[0].clone();
    let error = world.detach_instance(&other, true).unwrap_err();
    assert!(
        error.message.contains("will violate group's min size"),
        "{error}"
    );
}

#[test]
fn one_that_was_warned_and_started_anew_is_not_taken() {
    let (mut world, id) = fleet();
    world.detach_instance(&id, true).unwrap();
    assert!(world.interrupt_instance(&id));
    assert!(world.stop_instance(&id));
    world.advance_secs(90);
    assert_eq!(world.state().instances[&id].state, MachineState::Stopped);
    assert!(world.start_instance_again(&id));
    world.advance_secs(SETTLE_SECS);
    assert_eq!(world.state().instances[&id].state, MachineState::Running);
}
