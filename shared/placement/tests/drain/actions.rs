//! Waits in a lifecycle hook: heartbeats, and CONTINUE.

use expect_test::expect;
use model::Seconds;
use model::capacity::{ContainerInstanceStatus, Lifecycle};
use model::trigger::{MachineState, Notice};

use crate::scene::{Scene, check, gap, hook};

/// One instance that waits since 120 s, is DRAINING since 100 s and holds a task; the hook's timeout is 300 s.
fn waits() -> (Scene, Vec<model::InstanceId>) {
    let (mut scene, ids) = Scene::web(2);
    scene.terminating(&ids[0], 120);
    scene.draining(&ids[0], 100);
    (scene, ids)
}

#[test]
fn while_a_task_is_left_it_waits() {
    let (scene, _) = waits();
    check(
        &scene,
        &expect![[r#"
            hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 100 s; 0 may leave; tasks: 1 left, of which 0 stuck)
            hold `group spot` `i-1` draining: DRAINING since 2026-03-01T11:58:20Z by somebody else's hand; its group has been terminating it since 2026-03-01T11:58:00Z, and it goes at 2026-03-01T12:13:00Z at the latest; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            hold `group spot` `i-2` staying: they stay
            hold `group spot` `i-1` hook `ballast-instance-drain` waiting_for_tasks: tasks are waited for; the action times out at 2026-03-01T12:03:00Z and may wait until 2026-03-01T12:13:00Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        "#]],
    );
}

#[test]
fn it_is_kept_waiting_before_it_times_out() {
    let (mut scene, _) = waits();
    scene.later(29);
    assert!(scene.decide().plan.steps.is_empty());
    scene.later(1);
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` hook `ballast-instance-drain` tasks_left: keep `i-1` waiting in the hook `ballast-instance-drain`, because the action times out at 2026-03-01T12:03:00Z and may wait until 2026-03-01T12:13:00Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 130 s; 0 may leave; tasks: 1 left, of which 0 stuck)
            hold `group spot` `i-1` draining: DRAINING since 2026-03-01T11:58:20Z by somebody else's hand; its group has been terminating it since 2026-03-01T11:58:00Z, and it goes at 2026-03-01T12:13:00Z at the latest; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            hold `group spot` `i-2` staying: they stay
        "#]],
    );
    scene.act();
    check(
        &scene,
        &expect![[r#"
            hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 130 s; 0 may leave; tasks: 1 left, of which 0 stuck)
            hold `group spot` `i-1` draining: DRAINING since 2026-03-01T11:58:20Z by somebody else's hand; its group has been terminating it since 2026-03-01T11:58:00Z, and it goes at 2026-03-01T12:13:00Z at the latest; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            hold `group spot` `i-2` staying: they stay
            hold `group spot` `i-1` hook `ballast-instance-drain` waiting_for_tasks: tasks are waited for; the action times out at 2026-03-01T12:05:30Z and may wait until 2026-03-01T12:13:00Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        "#]],
    );
}

#[test]
fn without_a_task_but_daemons_it_goes_on() {
    let (mut scene, ids) = waits();
    scene.empty(&ids[0]);
    scene.daemon(&ids[0]);
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` hook `ballast-instance-drain` drained: let `i-1` go on from the hook `ballast-instance-drain` (CONTINUE), because its group has been terminating it since 2026-03-01T11:58:00Z, and no task is left on it but 1 of daemons
        hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 1 draining and 1 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 100 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` drained: DRAINING since 2026-03-01T11:58:20Z, and no task is left on it but daemons'; its group has been terminating it since 2026-03-01T11:58:00Z
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
}

/// Its tasks were read, and are read again before it goes on.
#[test]
fn a_gap_elsewhere_or_no_ledger_keeps_no_empty_instance_waiting() {
    for change in [
        (|scene| scene.snapshot.is_full = false) as fn(&mut Scene),
        |scene| scene.forget(),
        |scene| scene.snapshot.gaps = vec![gap("ecs:ListClusters")],
        |scene| scene.group("spot").gaps = vec![gap("autoscaling:DescribeScalingActivities")],
        |scene| scene.cluster().capacity.gaps = vec![gap("ecs:DescribeServices")],
    ] {
        let (mut scene, ids) = waits();
        change(&mut scene);
        assert!(!scene.decide().plan.to_string().contains("CONTINUE"));
        scene.empty(&ids[0]);
        let plan = scene.decide().plan.to_string();
        assert!(plan.contains(" drained: let `i-1` go on"), "{plan}");
        scene.cluster().tasks_read.clear();
        let plan = scene.decide().plan.to_string();
        assert!(!plan.contains("CONTINUE"), "not read: {plan}");
    }
}

#[test]
fn a_task_that_is_stopping_is_waited_for() {
    let (mut scene, _) = waits();
    scene.capacity().tasks[0].desired_running = false;
    check(
        &scene,
        &expect![[r#"
            hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 100 s; 0 may leave; tasks: 1 left, of which 0 stuck)
            hold `group spot` `i-1` draining: DRAINING since 2026-03-01T11:58:20Z by somebody else's hand; its group has been terminating it since 2026-03-01T11:58:00Z, and it goes at 2026-03-01T12:13:00Z at the latest; 1 task left: 0 of services, 0 standalone, 1 stopping; 0 of daemons
            hold `group spot` `i-2` staying: they stay
            hold `group spot` `i-1` hook `ballast-instance-drain` waiting_for_tasks: tasks are waited for; the action times out at 2026-03-01T12:03:00Z and may wait until 2026-03-01T12:13:00Z; 1 task left: 0 of services, 0 standalone, 1 stopping; 0 of daemons
        "#]],
    );
}

#[test]
fn one_that_is_active_and_empty_is_drained_before_it_goes_on() {
    let (mut scene, ids) = Scene::web(1);
    scene.terminating(&ids[0], 10);
    scene.empty(&ids[0]);
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` leaving: set `i-1` to DRAINING, because its group has been terminating it since 2026-03-01T11:59:50Z, and it goes at 2026-03-01T12:14:50Z at the latest; 0 tasks left: 0 of services, 0 standalone, 0 stopping; 0 of daemons
            hold `group spot` departing: instances leave (instances: 1 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
            hold `group spot` `i-1` hook `ballast-instance-drain` waiting_for_tasks: tasks are waited for; the action times out at 2026-03-01T12:04:50Z and may wait until 2026-03-01T12:14:50Z; 0 tasks left: 0 of services, 0 standalone, 0 stopping; 0 of daemons
        "#]],
    );
    scene.act();
    scene.later(1);
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` hook `ballast-instance-drain` drained: let `i-1` go on from the hook `ballast-instance-drain` (CONTINUE), because its group has been terminating it since 2026-03-01T11:59:50Z, and no task is left on it but 0 of daemons
        hold `group spot` departing: instances leave (instances: 1 looked at, 1 leaving, of which 1 draining and 1 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 1 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` drained: DRAINING since 2026-03-01T12:00:00Z, and no task is left on it but daemons'; its group has been terminating it since 2026-03-01T11:59:50Z
    "#]],
    );
}

#[test]
fn at_its_deadline_it_goes_on_whatever_is_left() {
    let (mut scene, _) = waits();
    scene.policy().departure_timeout = Seconds(200);
    scene.later(79);
    assert!(
        scene
            .decide()
            .plan
            .steps
            .iter()
            .all(|it| it.reason.as_str() == "tasks_left")
    );
    scene.later(1);
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` hook `ballast-instance-drain` deadline_reached: let `i-1` go on from the hook `ballast-instance-drain` (CONTINUE), because the longest wait was over at 2026-03-01T12:01:20Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: ECS could move them, and has not since 2026-03-01T11:58:20Z
            hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 180 s; 0 may leave; tasks: 1 left, of which 1 stuck)
            hold `group spot` `i-1` draining: DRAINING since 2026-03-01T11:58:20Z by somebody else's hand; its group has been terminating it since 2026-03-01T11:58:00Z, and it goes at 2026-03-01T12:01:20Z at the latest; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: ECS could move them, and has not since 2026-03-01T11:58:20Z
            hold `group spot` `i-2` staying: they stay
        "#]],
    );
}

#[test]
fn the_hooks_own_limit_and_a_warning_are_deadlines_too() {
    let (mut scene, ids) = waits();
    let mut short = hook("ballast-instance-drain", 300);
    short.global_timeout = Seconds(400);
    scene.group("spot").hooks = [(short.name.clone(), short)].into();
    scene.later(280);
    let step = scene.decide().plan.steps.remove(0);
    assert_eq!(step.reason.as_str(), "deadline_reached");
    let (mut scene, _) = waits();
    scene.warned(&ids[0], 121);
    let step = scene.decide().plan.steps.remove(0);
    assert_eq!(step.reason.as_str(), "deadline_reached");
}

#[test]
fn tasks_that_were_not_read_are_not_gone() {
    let (mut scene, ids) = waits();
    scene.empty(&ids[0]);
    scene.cluster().tasks_read.clear();
    check(
        &scene,
        &expect![[r#"
            hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 100 s; 0 may leave; tasks: 0 left, of which 0 stuck)
            hold `group spot` `i-1` draining: DRAINING since 2026-03-01T11:58:20Z by somebody else's hand; its group has been terminating it since 2026-03-01T11:58:00Z, and it goes at 2026-03-01T12:13:00Z at the latest; its tasks were not read
            hold `group spot` `i-2` staying: they stay
            hold `group spot` `i-1` hook `ballast-instance-drain` waiting_for_tasks: tasks are waited for; the action times out at 2026-03-01T12:03:00Z and may wait until 2026-03-01T12:13:00Z; its tasks were not read
        "#]],
    );
}

#[test]
fn what_was_registered_and_is_no_more_is_not_waited_for() {
    let (mut scene, ids) = waits();
    scene.deregister(&ids[0]);
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` hook `ballast-instance-drain` nothing_to_wait_for: let `i-1` go on from the hook `ballast-instance-drain` (CONTINUE), because there is nothing to wait for: it was registered, and is no more
        hold `group spot` departing: instances leave (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` gone: it is gone: it was registered, and is no more
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
}

#[test]
fn what_ec2_has_ended_is_not_waited_for() {
    let (mut scene, ids) = waits();
    scene.container(&ids[0]).agent_connected = false;
    let state = MachineState::ShuttingDown;
    scene.said(&ids[0], 3, Notice::StateChanged { state });
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` hook `ballast-instance-drain` nothing_to_wait_for: let `i-1` go on from the hook `ballast-instance-drain` (CONTINUE), because there is nothing to wait for: EC2 said at 2026-03-01T11:59:57Z that it ends
            hold `group spot` departing: instances leave (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
            hold `group spot` `i-1` gone: it is gone: EC2 said at 2026-03-01T11:59:57Z that it ends
            hold `group spot` `i-2` staying: they stay
        "#]],
    );
}

/// The event alone proves nothing.
#[test]
fn what_ec2_is_said_to_have_ended_and_is_connected_is_waited_for() {
    let (mut scene, ids) = waits();
    let state = MachineState::Terminated;
    scene.said(&ids[0], 3, Notice::StateChanged { state });
    assert!(scene.decide().plan.steps.is_empty());
}

#[test]
fn what_has_not_registered_is_waited_for_as_long_as_registering_takes() {
    let mut scene = Scene::new();
    let id = scene.starting("spot");
    scene.terminating(&id, 100);
    check(
        &scene,
        &expect![[r#"
        hold `group spot` departing: instances leave (instances: 1 looked at, 1 leaving, of which 0 draining and 0 drained, 1 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` not_registered: its group has been terminating it since 2026-03-01T11:58:20Z; it is not registered in the cluster, and is waited for until 2026-03-01T12:03:20Z
        hold `group spot` `i-1` hook `ballast-instance-drain` waiting_for_tasks: tasks are waited for; the action times out at 2026-03-01T12:03:20Z and may wait until 2026-03-01T12:13:20Z; 0 tasks left: 0 of services, 0 standalone, 0 stopping; 0 of daemons
    "#]],
    );
    scene.later(200);
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` hook `ballast-instance-drain` nothing_to_wait_for: let `i-1` go on from the hook `ballast-instance-drain` (CONTINUE), because there is nothing to wait for: it had not registered by 2026-03-01T12:03:20Z
        hold `group spot` departing: instances leave (instances: 1 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` gone: it is gone: it had not registered by 2026-03-01T12:03:20Z
    "#]],
    );
}

#[test]
fn a_look_at_what_an_event_named_proves_nobody_unregistered() {
    // The instance may be registered in a cluster that another installation looks after; the look at everything leaves such groups out.
    let mut scene = Scene::new();
    let id = scene.starting("spot");
    scene.terminating(&id, 1_000);
    scene.member(&id).is_healthy = false;
    scene.snapshot.is_full = false;
    let plan = scene.decide().plan;
    let reasons: Vec<&str> = plan.steps.iter().map(|it| it.reason.as_str()).collect();
    assert!(!reasons.contains(&"nothing_to_wait_for"), "{reasons:?}");
}

#[test]
fn what_may_be_another_installations_goes_at_its_deadline_or_where_it_was_registered() {
    let (mut scene, ids) = waits();
    let starting = scene.starting("spot");
    scene.terminating(&starting, 400);
    scene.member(&starting).is_healthy = false;
    scene.group("spot").is_proven_ours = false;
    for id in &ids {
        scene.deregister(id);
    }
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-5` hook `ballast-instance-drain` tasks_left: keep `i-5` waiting in the hook `ballast-instance-drain`, because the action times out at 2026-03-01T11:58:20Z and may wait until 2026-03-01T12:08:20Z; 0 tasks left: 0 of services, 0 standalone, 0 stopping; 0 of daemons
        step `group spot` `i-1` hook `ballast-instance-drain` nothing_to_wait_for: let `i-1` go on from the hook `ballast-instance-drain` (CONTINUE), because there is nothing to wait for: it was registered, and is no more
        hold `group spot` departing: instances leave (instances: 3 looked at, 1 leaving, of which 0 draining and 0 drained, 1 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` gone: it is gone: it was registered, and is no more
        hold `group spot` `i-2` staying: they stay
        hold `group spot` `i-5` not_registered: its group has been terminating it since 2026-03-01T11:53:20Z; it is not registered in the cluster, and is waited for until 2026-03-01T11:58:20Z
    "#]],
    );
    scene.later(500);
    assert_eq!(reasons(&scene), ["deadline_reached", "nothing_to_wait_for"]);
}

#[test]
fn what_has_not_registered_and_is_unhealthy_is_not_waited_for() {
    let mut scene = Scene::new();
    let id = scene.starting("spot");
    scene.terminating(&id, 10);
    scene.member(&id).is_healthy = false;
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` hook `ballast-instance-drain` nothing_to_wait_for: let `i-1` go on from the hook `ballast-instance-drain` (CONTINUE), because there is nothing to wait for: it is not registered, and its group takes it for unhealthy
            hold `group spot` departing: instances leave (instances: 1 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
            hold `group spot` `i-1` gone: it is gone: it is not registered, and its group takes it for unhealthy
        "#]],
    );
}

/// It may be registered in the cluster that was not read.
#[test]
fn with_a_gap_not_registered_proves_nothing() {
    let (mut scene, ids) = waits();
    scene.deregister(&ids[0]);
    scene.later(600);
    scene.cluster().capacity.gaps = vec![gap("ecs:ListContainerInstances")];
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` hook `ballast-instance-drain` tasks_left: keep `i-1` waiting in the hook `ballast-instance-drain`, because the action times out at 2026-03-01T12:03:00Z and may wait until 2026-03-01T12:13:00Z; 0 tasks left: 0 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` snapshot_incomplete: not everything could be observed: `ecs:ListContainerInstances` for `demo`: throttled (ThrottlingException: Rate exceeded)
        hold `group spot` `i-1` not_registered: its group has been terminating it since 2026-03-01T11:58:00Z; it is not registered in the cluster, and is waited for until 2026-03-01T12:03:00Z
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.later(300);
    let step = scene.decide().plan.steps.remove(0);
    assert_eq!(step.reason.as_str(), "deadline_reached");
}

#[test]
fn what_is_inactive_goes_on() {
    let (mut scene, ids) = waits();
    scene.container(&ids[0]).status = ContainerInstanceStatus::Inactive;
    let reasons: Vec<&str> = reasons(&scene);
    assert_eq!(reasons, ["nothing_to_wait_for"]);
    scene.empty(&ids[0]);
    assert_eq!(super::actions::reasons(&scene), ["drained"]);
}

fn reasons(scene: &Scene) -> Vec<&'static str> {
    let plan = scene.decide().plan;
    plan.steps.iter().map(|it| it.reason.as_str()).collect()
}

#[test]
fn the_hook_of_somebody_else_is_theirs() {
    let (mut scene, _) = waits();
    let theirs = hook("ecs-managed-draining-termination-hook", 3_600);
    scene.group("spot").hooks = [(theirs.name.clone(), theirs)].into();
    check(
        &scene,
        &expect![[r#"
        hold `group spot` hook_missing: the group has no terminating hook `ballast-instance-drain`: what it terminates by itself does not wait for its tasks; its hooks: ecs-managed-draining-termination-hook (instances: 2 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 100 s; 0 may leave; tasks: 1 left, of which 0 stuck)
        hold `group spot` `i-1` draining: DRAINING since 2026-03-01T11:58:20Z by somebody else's hand; its group has been terminating it since 2026-03-01T11:58:00Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` `i-2` staying: they stay
        hold `group spot` `i-1` hook `ballast-instance-drain` hook_of_somebody_else: it waits in a hook that is not Ballast's: ecs-managed-draining-termination-hook
    "#]],
    );
    scene.group("spot").hooks_read = false;
    scene.group("spot").hooks.clear();
    check(
        &scene,
        &expect![[r#"
        hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 100 s; 0 may leave; tasks: 1 left, of which 0 stuck)
        hold `group spot` `i-1` draining: DRAINING since 2026-03-01T11:58:20Z by somebody else's hand; its group has been terminating it since 2026-03-01T11:58:00Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` `i-2` staying: they stay
        hold `group spot` `i-1` hook `ballast-instance-drain` hooks_unread: the group's hooks could not be read
    "#]],
    );
}

#[test]
fn the_tag_names_the_hook() {
    let (mut scene, ids) = waits();
    scene.empty(&ids[0]);
    let ours = hook("our-hook", 300);
    scene.group("spot").hooks.insert(ours.name.clone(), ours);
    scene.policy().lifecycle_hook = "our-hook".parse().unwrap();
    let text = scene.decide().plan.steps[0].to_string();
    assert!(text.contains("from the hook `our-hook`"), "{text}");
}

#[test]
fn what_was_completed_a_moment_ago_is_not_completed_again() {
    let (mut scene, ids) = waits();
    scene.empty(&ids[0]);
    scene.act();
    scene.member(&ids[0]).waits_in_hook = true;
    scene.later(299);
    check(
        &scene,
        &expect![[r#"
            hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 1 draining and 1 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 399 s; 0 may leave; tasks: 0 left, of which 0 stuck)
            hold `group spot` `i-1` drained: DRAINING since 2026-03-01T11:58:20Z, and no task is left on it but daemons'; its group has been terminating it since 2026-03-01T11:58:00Z
            hold `group spot` `i-2` staying: they stay
            hold `group spot` `i-1` hook `ballast-instance-drain` completed: Ballast completed the action at 2026-03-01T12:00:00Z, and the group is given time to go on until 2026-03-01T12:05:00Z
        "#]],
    );
    scene.later(1);
    assert_eq!(reasons(&scene), ["drained"]);
}

/// Neither AWS nor the ledger tells since when it waits.
#[test]
fn a_wait_of_unknown_age_is_prolonged_at_each_look() {
    let (mut scene, ids) = waits();
    scene.forget();
    scene.member(&ids[0]).terminating_since = None;
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` hook `ballast-instance-drain` tasks_left: keep `i-1` waiting in the hook `ballast-instance-drain`, because the action times out at 2026-03-01T12:00:00Z and may wait until 2026-03-01T12:15:00Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, for how long is not known; 0 may leave; tasks: 1 left, of which 0 stuck)
            hold `group spot` `i-1` draining: DRAINING, since when is not known, and whose hand is not known; its group has been terminating it since 2026-03-01T12:00:00Z, and it goes at 2026-03-01T12:15:00Z at the latest; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            hold `group spot` `i-2` staying: they stay
        "#]],
    );
    scene.said_to_wait(&ids[0], 100);
    assert!(reasons(&scene).is_empty(), "the event tells");
}

#[test]
fn a_wait_that_no_activity_tells_of_is_as_old_as_its_first_sight() {
    let (mut scene, ids) = waits();
    scene.member(&ids[0]).terminating_since = None;
    scene.said_to_wait(&ids[0], 50);
    scene.act();
    scene.later(849);
    assert_eq!(reasons(&scene), ["tasks_left"]);
    scene.later(1);
    assert_eq!(reasons(&scene), ["deadline_reached"]);
    scene.member(&ids[0]).lifecycle = Lifecycle::InService;
    scene.member(&ids[0]).waits_in_hook = false;
    assert!(reasons(&scene).is_empty());
}

#[test]
fn a_short_hook_is_not_extended_twice_at_once() {
    let (mut scene, _) = waits();
    let short = hook("ballast-instance-drain", 60);
    scene.group("spot").hooks = [(short.name.clone(), short)].into();
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` hook `ballast-instance-drain` tasks_left: keep `i-1` waiting in the hook `ballast-instance-drain`, because the action times out at 2026-03-01T11:59:00Z and may wait until 2026-03-01T12:13:00Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            hold `group spot` hook_too_short: the hook `ballast-instance-drain` times out after 60 s; to outlast a lost event it needs 150 s (instances: 2 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 100 s; 0 may leave; tasks: 1 left, of which 0 stuck)
            hold `group spot` `i-1` draining: DRAINING since 2026-03-01T11:58:20Z by somebody else's hand; its group has been terminating it since 2026-03-01T11:58:00Z, and it goes at 2026-03-01T12:13:00Z at the latest; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            hold `group spot` `i-2` staying: they stay
        "#]],
    );
    scene.act();
    assert!(reasons(&scene).is_empty());
    scene.later(15);
    assert_eq!(reasons(&scene), ["tasks_left"]);
}

/// Whoever EC2 has ended may be another cluster's, connected, which was not read.
#[test]
fn with_a_gap_nothing_is_gone() {
    let (mut scene, ids) = waits();
    scene.deregister(&ids[0]);
    let state = MachineState::Terminated;
    scene.said(&ids[0], 3, Notice::StateChanged { state });
    assert_eq!(reasons(&scene), ["nothing_to_wait_for"]);
    scene.cluster().capacity.gaps = vec![gap("ecs:ListContainerInstances")];
    assert!(reasons(&scene).is_empty());
    scene.later(780);
    assert_eq!(reasons(&scene), ["deadline_reached"]);
}

/// EC2 was to take it and did not; half a minute later its group terminates it: it waits for its tasks like any other.
#[test]
fn a_warning_that_came_to_nothing_ends_no_later_wait() {
    let (mut scene, ids) = Scene::web(2);
    scene.warned(&ids[0], 160);
    scene.terminating(&ids[0], 10);
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` leaving: set `i-1` to DRAINING, because its group has been terminating it since 2026-03-01T11:59:50Z, and it goes at 2026-03-01T12:14:50Z at the latest; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 1 left, of which 0 stuck)
        hold `group spot` `i-2` staying: they stay
        hold `group spot` `i-1` hook `ballast-instance-drain` waiting_for_tasks: tasks are waited for; the action times out at 2026-03-01T12:04:50Z and may wait until 2026-03-01T12:14:50Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
    "#]],
    );
    // It began to wait before.
    scene.terminating(&ids[0], 50);
    assert!(reasons(&scene).contains(&"deadline_reached"));
}
