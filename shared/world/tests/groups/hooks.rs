//! Lifecycle hooks hold instances.

use serde_json::json;
use world::{GLOBAL_TIMEOUT_MAX_SECS, Hook, HookResult, Lifecycle, Operation, Transition, World};

use crate::stage::{GROUP, SETTLE_SECS, call, details, group, in_service, instances, spot};

const HOOK: &str = "drain";

fn hook(transition: Transition, secs: u32, result: HookResult) -> Hook {
    Hook {
        heartbeat_timeout_secs: secs,
        default_result: result,
        notification_metadata: Some("what".to_owned()),
        ..Hook::new(transition)
    }
}

/// A group of two whose terminations wait for a hook, and one of them that does.
fn waiting(secs: u32, result: HookResult) -> (World, String) {
    let mut world = spot(2, 10);
    world.advance_secs(SETTLE_SECS);
    let hook = hook(Transition::Terminating, secs, result);
    world.put_lifecycle_hook(GROUP, HOOK, hook).unwrap();
    world.take_due_events();
    world.set_desired_capacity(GROUP, 1).unwrap();
    world.advance_secs(10);
    let held = instances(&world, Lifecycle::TerminatingWait);
    assert_eq!(held.len(), 1);
    let id = held[0].id.clone();
    (world, id)
}

#[test]
fn a_termination_waits_until_its_action_is_completed() {
    let (mut world, id) = waiting(600, HookResult::Continue);
    let events = world.take_due_events();
    let told = details(&events, "EC2 Instance-terminate Lifecycle Action");
    assert_eq!(told.len(), 1);
    let told = &told[0];
    assert_eq!(told["EC2InstanceId"], id.as_str());
    assert_eq!(told["LifecycleHookName"], HOOK);
    assert_eq!(
        told["LifecycleTransition"],
        "autoscaling:EC2_INSTANCE_TERMINATING"
    );
    assert_eq!(told["NotificationMetadata"], "what");
    let token = told["LifecycleActionToken"].as_str().unwrap();

    world.advance_secs(500);
    assert_eq!(instances(&world, Lifecycle::TerminatingWait).len(), 1);
    world
        .complete_lifecycle_action(GROUP, HOOK, None, Some(token), HookResult::Continue)
        .unwrap();
    assert_eq!(instances(&world, Lifecycle::TerminatingProceed).len(), 1);
    world.advance_secs(SETTLE_SECS);
    assert_eq!(
        world.state().instances[&id].lifecycle_state,
        Lifecycle::Terminated
    );
    assert_eq!(group(&world).instances.len(), 1);

    let again = world.complete_lifecycle_action(GROUP, HOOK, Some(&id), None, HookResult::Continue);
    let error = again.unwrap_err();
    assert_eq!(error.code, "ValidationError");
    assert_eq!(
        error.message,
        format!("No active Lifecycle Action found with instance ID {id}")
    );
}

#[test]
fn a_hook_ends_by_itself_and_a_heartbeat_puts_that_off() {
    let (mut world, id) = waiting(60, HookResult::Continue);
    world.advance_secs(40);
    world
        .record_lifecycle_heartbeat(GROUP, HOOK, Some(&id), None)
        .unwrap();
    world.advance_secs(50);
    assert_eq!(instances(&world, Lifecycle::TerminatingWait).len(), 1);
    world.advance_secs(20);
    assert_eq!(instances(&world, Lifecycle::TerminatingWait).len(), 0);
}

#[test]
fn heartbeats_do_not_last_forever() {
    let hook = hook(Transition::Terminating, 30, HookResult::Abandon);
    assert_eq!(hook.global_timeout_secs(), 3_000);
    let hook = Hook::new(Transition::Terminating);
    assert_eq!(hook.global_timeout_secs(), GLOBAL_TIMEOUT_MAX_SECS);

    let (mut world, id) = waiting(30, HookResult::Abandon);
    let mut beats = 0;
    while world
        .record_lifecycle_heartbeat(GROUP, HOOK, Some(&id), None)
        .is_ok()
    {
        beats += 1;
        world.advance_secs(20);
    }
    // 3,000 s in steps of 20, less the seconds before the first.
    assert!((145..=150).contains(&beats), "{beats}");
}

#[test]
fn an_instance_comes_into_service_after_its_hooks() {
    let mut world = spot(0, 10);
    for name in ["one", "two"] {
        let hook = hook(Transition::Launching, 600, HookResult::Abandon);
        world.put_lifecycle_hook(GROUP, name, hook).unwrap();
    }
    world.set_desired_capacity(GROUP, 1).unwrap();
    world.advance_secs(60);
    let id = instances(&world, Lifecycle::PendingWait)[0].id.clone();
    world
        .complete_lifecycle_action(GROUP, "one", Some(&id), None, HookResult::Continue)
        .unwrap();
    assert_eq!(in_service(&world).len(), 0);
    world
        .complete_lifecycle_action(GROUP, "two", Some(&id), None, HookResult::Continue)
        .unwrap();
    assert_eq!(in_service(&world), [id]);
}

#[test]
fn an_abandoned_launch_is_terminated_and_tried_again() {
    let mut world = spot(0, 10);
    let hook = hook(Transition::Launching, 120, HookResult::Abandon);
    world.put_lifecycle_hook(GROUP, HOOK, hook).unwrap();
    world.set_desired_capacity(GROUP, 1).unwrap();
    world.advance_secs(60);
    let first = instances(&world, Lifecycle::PendingWait)[0].id.clone();
    world.advance_secs(200);
    assert!(
        world.state().instances[&first]
            .lifecycle_state
            .is_terminating()
    );
    let second = instances(&world, Lifecycle::PendingWait);
    assert_eq!(second.len(), 1);
    assert_ne!(second[0].id, first);
}

#[test]
fn a_hook_does_not_delay_spot() {
    let mut world = spot(1, 10);
    world.advance_secs(SETTLE_SECS);
    let hook = hook(Transition::Terminating, 3_600, HookResult::Continue);
    world.put_lifecycle_hook(GROUP, HOOK, hook).unwrap();
    let id = in_service(&world)[0].clone();
    assert!(world.interrupt_instance(&id));
    assert!(!world.interrupt_instance(&id));
    world.advance_secs(120);
    assert!(world.state().instances[&id].ended_at.is_some());
    world.advance_secs(SETTLE_SECS);
    assert_eq!(
        world.state().instances[&id].lifecycle_state,
        Lifecycle::Terminated
    );
    assert_eq!(in_service(&world).len(), 1);
}

#[test]
fn a_group_that_is_deleted_by_force_waits_for_no_hook() {
    let (mut world, id) = waiting(3_600, HookResult::Continue);
    let input = json!({"AutoScalingGroupName": GROUP, "ForceDelete": true});
    call(&mut world, Operation::DeleteAutoScalingGroup, input);
    world.advance_secs(SETTLE_SECS);
    assert!(world.state().groups.is_empty());
    assert_eq!(
        world.state().instances[&id].lifecycle_state,
        Lifecycle::Terminated
    );
}
