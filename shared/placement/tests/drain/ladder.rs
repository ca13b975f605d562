//! The ladder: what is done about an instance, by where it is in its life as a container instance.

use expect_test::expect;
use model::Seconds;
use model::capacity::ContainerInstanceStatus;
use model::trigger::{MachineState, Notice};

use crate::scene::{Scene, check, key};

#[test]
fn what_is_warned_is_drained_and_the_others_stay() {
    let (mut scene, ids) = Scene::web(3);
    scene.daemon(&ids[0]);
    scene.warned(&ids[0], 5);
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` leaving: set `i-1` to DRAINING, because EC2 warned at 2026-03-01T11:59:55Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 1 of daemons
        hold `group spot` departing: instances leave (instances: 3 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 1 left, of which 0 stuck)
        hold `group spot` `i-2` `i-3` staying: they stay
    "#]],
    );
}

#[test]
fn every_cause_that_is_certain_drains() {
    let (mut scene, ids) = Scene::web(5);
    let action = "terminate".to_owned();
    scene.said(
        &ids[0],
        8,
        Notice::CapacityReservationInterruption { action },
    );
    scene.terminating(&ids[1], 30);
    scene.disconnected(&ids[2], 20);
    let state = MachineState::Stopped;
    scene.said(&ids[2], 10, Notice::StateChanged { state });
    let starts_at = Some(scene.ago(-600));
    let code = "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED".to_owned();
    scene.said(
        &ids[3],
        3_600,
        Notice::Maintenance {
            code,
            health_event: None,
            starts_at,
            is_over: false,
        },
    );
    let action = "hibernate".to_owned();
    scene.said(&ids[4], 0, Notice::SpotInterruption { action });
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` leaving: set `i-1` to DRAINING, because EC2 warned at 2026-03-01T11:59:52Z that its Capacity Reservation takes it back, and it goes at 2026-03-01T12:01:52Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
            step `group spot` `i-4` leaving: set `i-4` to DRAINING, because AWS Health announced `AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED` for 2026-03-01T12:10:00Z, and it goes at 2026-03-01T12:10:00Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
            step `group spot` `i-2` leaving: set `i-2` to DRAINING, because its group has been terminating it since 2026-03-01T11:59:30Z, and it goes at 2026-03-01T12:14:30Z at the latest; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
            step `group spot` `i-3` leaving: set `i-3` to DRAINING, because EC2 said at 2026-03-01T11:59:50Z that it stops, and when it goes is not known; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: the agent is disconnected and cannot stop them
            step `group spot` `i-5` leaving: set `i-5` to DRAINING, because EC2 warned at 2026-03-01T12:00:00Z of its Spot interruption (`hibernate`), and when it goes is not known; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
            hold `group spot` departing: instances leave (instances: 5 looked at, 5 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 5 left, of which 5 stuck)
            hold `group spot` `i-2` hook `ballast-instance-drain` waiting_for_tasks: tasks are waited for; the action times out at 2026-03-01T12:04:30Z and may wait until 2026-03-01T12:14:30Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
        "#]],
    );
}

#[test]
fn the_earliest_deadline_comes_first_and_ties_go_by_id() {
    let (mut scene, ids) = Scene::web(4);
    scene.warned(&ids[3], 30);
    scene.warned(&ids[2], 5);
    scene.warned(&ids[1], 30);
    scene.terminating(&ids[0], 100);
    let plan = scene.decide().plan;
    let order: Vec<String> = plan
        .steps
        .iter()
        .map(|it| placement_of(&it.action.to_string()))
        .collect();
    assert_eq!(order, ["i-2", "i-4", "i-3", "i-1"]);
}

/// The instance in an action's text.
fn placement_of(text: &str) -> String {
    text.split('`').nth(1).unwrap().to_owned()
}

#[test]
fn one_that_is_not_there_yet_is_waited_for() {
    let mut scene = Scene::new();
    let unregistered = scene.starting("spot");
    scene.warned(&unregistered, 20);
    let registering = scene.instance("spot");
    scene.container(&registering).status = ContainerInstanceStatus::Registering;
    scene.warned(&registering, 20);
    scene.starting("spot");
    check(
        &scene,
        &expect![[r#"
        hold `group spot` departing: instances leave (instances: 3 looked at, 2 leaving, of which 0 draining and 0 drained, 1 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` not_registered: EC2 warned at 2026-03-01T11:59:40Z of its Spot interruption (`terminate`); it is not registered in the cluster, and is waited for until 2026-03-01T12:01:40Z
        hold `group spot` `i-2` registering: EC2 warned at 2026-03-01T11:59:40Z of its Spot interruption (`terminate`); it is being registered and cannot be drained yet
        hold `group spot` `i-3` staying: they stay
    "#]],
    );
}

#[test]
fn what_drains_is_left_to_ecs() {
    let (mut scene, ids) = Scene::web(3);
    scene.warned(&ids[0], 40);
    scene.act();
    scene.later(20);
    scene.draining(&ids[1], 100);
    scene.draining(&ids[2], 200);
    scene.empty(&ids[2]);
    scene.daemon(&ids[2]);
    check(
        &scene,
        &expect![[r#"
        hold `group spot` departing: instances leave (instances: 3 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 3 draining in all, the oldest for 200 s; 0 may leave; tasks: 1 left, of which 1 stuck)
        hold `group spot` `i-1` draining: DRAINING since 2026-03-01T12:00:00Z by Ballast's hand; EC2 warned at 2026-03-01T11:59:20Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:20Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
        hold `group spot` `i-2` draining: DRAINING since 2026-03-01T11:58:40Z by somebody else's hand; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
        hold `group spot` `i-3` drained: DRAINING since 2026-03-01T11:57:00Z, and no task is left on it but daemons'
    "#]],
    );
}

#[test]
fn after_its_deadline_a_warning_moves_nothing_any_more() {
    let (mut scene, ids) = Scene::web(1);
    scene.warned(&ids[0], 120);
    check(
        &scene,
        &expect![[r#"
            hold `group spot` departing: instances leave (instances: 1 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 1 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 1 left, of which 1 stuck)
            hold `group spot` `i-1` too_late: EC2 warned at 2026-03-01T11:58:00Z of its Spot interruption (`terminate`); it was to go at 2026-03-01T12:00:00Z, and draining it moves nothing any more; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        "#]],
    );
    scene.act();
    scene.later(180);
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves (instances: 1 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` staying: they stay
    "#]],
    );
    assert!(scene.decide().memories.values().all(|it| it.is_empty()));
}

/// It may come back, and ECS takes its tasks for running as long as nobody drains it.
#[test]
fn what_was_interrupted_by_a_stop_is_drained_when_it_has_stopped() {
    let (mut scene, ids) = Scene::web(2);
    let action = "stop".to_owned();
    scene.said(&ids[0], 300, Notice::SpotInterruption { action });
    assert!(scene.decide().plan.steps.is_empty());
    scene.disconnected(&ids[0], 5);
    let state = MachineState::Stopping;
    scene.said(&ids[0], 3, Notice::StateChanged { state });
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` leaving: set `i-1` to DRAINING, because EC2 said at 2026-03-01T11:59:57Z that it stops, and when it goes is not known; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: the agent is disconnected and cannot stop them
        hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 1 left, of which 1 stuck)
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
}

/// No event says that it has stopped, and the schedule alone looks.
#[test]
fn what_stays_registered_after_its_warning_ends_draining() {
    for (action, is_connected, drains) in [
        ("stop", true, true),
        ("stop", false, true),
        ("hibernate", false, true),
        ("terminate", false, true),
        ("terminate", true, false),
    ] {
        let (mut scene, ids) = Scene::web(2);
        let action = action.to_owned();
        scene.said(
            &ids[0],
            0,
            Notice::SpotInterruption {
                action: action.clone(),
            },
        );
        // The first drain is lost: an own look remembers the warning alone.
        let memory = scene.decide().memories;
        let causes = memory[&key("spot")].departures[&ids[0]].causes.clone();
        scene.departure(&ids[0]).causes = causes;
        scene.hints.notices.clear();
        scene.later(120);
        scene.container(&ids[0]).agent_connected = is_connected;
        let steps = scene.decide().plan.steps;
        assert_eq!(steps.len(), usize::from(drains), "{action} {is_connected}");
        if is_connected {
            continue;
        }
        scene.later(3_600);
        let steps = scene.decide().plan.steps;
        assert_eq!(steps.len(), 1, "{action}: an hour later as well");
        let text = scene.act();
        assert!(text.contains("when it goes is not known"), "{text}");
        scene.later(3_600);
        assert!(scene.decide().plan.steps.is_empty(), "{action}");
        scene.container(&ids[0]).agent_connected = true;
        let steps = scene.decide().plan.steps;
        assert_eq!(steps[0].reason.as_str(), "cause_gone", "it runs again");
    }
}

#[test]
fn what_ecs_deregisters_is_gone() {
    let (mut scene, ids) = Scene::web(3);
    scene.container(&ids[0]).status = ContainerInstanceStatus::Inactive;
    scene.container(&ids[1]).status = ContainerInstanceStatus::Deregistering;
    scene.warned(&ids[0], 5);
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves (instances: 3 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` gone: it is gone: its container instance is INACTIVE
        hold `group spot` `i-2` gone: it is gone: its container instance is DEREGISTERING
        hold `group spot` `i-3` staying: they stay
    "#]],
    );
}

#[test]
fn managed_draining_goes_first_for_a_moment() {
    let (mut scene, ids) = Scene::web(2);
    scene.group("spot").managed_draining = true;
    scene.warned(&ids[0], 9);
    scene.terminating(&ids[1], 5);
    check(
        &scene,
        &expect![[r#"
            hold `group spot` departing: instances leave (instances: 2 looked at, 2 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 2 left, of which 2 stuck)
            hold `group spot` `i-1` left_to_managed_draining: EC2 warned at 2026-03-01T11:59:51Z of its Spot interruption (`terminate`); managed draining is on, and its drain is left to ECS until 2026-03-01T12:00:01Z
            hold `group spot` `i-2` left_to_managed_draining: its group has been terminating it since 2026-03-01T11:59:55Z; managed draining is on, and its drain is left to ECS until 2026-03-01T12:00:05Z
            hold `group spot` `i-2` hook `ballast-instance-drain` waiting_for_tasks: tasks are waited for; the action times out at 2026-03-01T12:04:55Z and may wait until 2026-03-01T12:14:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
        "#]],
    );
    scene.later(5);
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` leaving: set `i-1` to DRAINING, because EC2 warned at 2026-03-01T11:59:51Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:51Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
            step `group spot` `i-2` leaving: set `i-2` to DRAINING, because its group has been terminating it since 2026-03-01T11:59:55Z, and it goes at 2026-03-01T12:14:55Z at the latest; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
            hold `group spot` departing: instances leave (instances: 2 looked at, 2 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 2 left, of which 2 stuck)
            hold `group spot` `i-2` hook `ballast-instance-drain` waiting_for_tasks: tasks are waited for; the action times out at 2026-03-01T12:04:55Z and may wait until 2026-03-01T12:14:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
        "#]],
    );
}

#[test]
fn an_agent_that_drains_itself_goes_first_for_a_moment() {
    let (mut scene, ids) = Scene::web(3);
    scene.policy().agent_drains = true;
    scene.warned(&ids[0], 9);
    scene.warned(&ids[1], 9);
    scene.container(&ids[1]).agent_connected = false;
    scene.terminating(&ids[2], 10);
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-2` leaving: set `i-2` to DRAINING, because EC2 warned at 2026-03-01T11:59:51Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:51Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: the agent is disconnected and cannot stop them
            step `group spot` `i-3` leaving: set `i-3` to DRAINING, because its group has been terminating it since 2026-03-01T11:59:50Z, and it goes at 2026-03-01T12:14:50Z at the latest; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
            hold `group spot` departing: instances leave (instances: 3 looked at, 3 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 3 left, of which 3 stuck)
            hold `group spot` `i-1` left_to_agent: EC2 warned at 2026-03-01T11:59:51Z of its Spot interruption (`terminate`); by the tag `ballast:agent-drains` its drain is left to its agent until 2026-03-01T12:00:01Z
            hold `group spot` `i-3` hook `ballast-instance-drain` waiting_for_tasks: tasks are waited for; the action times out at 2026-03-01T12:04:50Z and may wait until 2026-03-01T12:14:50Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
        "#]],
    );
}

#[test]
fn maintenance_is_drained_for_from_its_lead_on() {
    let (mut scene, ids) = Scene::web(1);
    let code = "AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED".to_owned();
    let starts_at = Some(scene.ago(-1_801));
    scene.said(
        &ids[0],
        100,
        Notice::Maintenance {
            code,
            health_event: None,
            starts_at,
            is_over: false,
        },
    );
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves (instances: 1 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` maintenance_planned: AWS Health announced `AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED` for 2026-03-01T12:30:01Z, and it is left alone until 2026-03-01T12:00:01Z
    "#]],
    );
    scene.act();
    scene.later(1);
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` leaving: set `i-1` to DRAINING, because AWS Health announced `AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED` for 2026-03-01T12:30:01Z, and it goes at 2026-03-01T12:30:01Z; the disruption budget allows 1; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            hold `group spot` departing: instances leave (instances: 1 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        "#]],
    );
}

#[test]
fn without_a_look_at_everything_without_a_memory_and_with_gaps_what_is_certain_is_done() {
    let (mut scene, ids) = Scene::web(2);
    scene.warned(&ids[0], 5);
    scene.snapshot.is_full = false;
    scene.forget();
    scene.group("spot").gaps = vec![crate::scene::gap("autoscaling:DescribeLifecycleHooks")];
    let decision = scene.decide();
    assert!(decision.memories.is_empty());
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` leaving: set `i-1` to DRAINING, because EC2 warned at 2026-03-01T11:59:55Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` snapshot_incomplete: not everything could be observed: `autoscaling:DescribeLifecycleHooks` for `demo`: throttled (ThrottlingException: Rate exceeded)
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
}

#[test]
fn an_instance_in_no_group_is_drained_as_well() {
    let (mut scene, ids) = Scene::web(1);
    let mut looked = scene.group("spot").instances.remove(&ids[0]).unwrap();
    looked.member = None;
    scene.groupless().instances.insert(ids[0].clone(), looked);
    scene.warned(&ids[0], 5);
    check(
        &scene,
        &expect![[r#"
        step `cluster demo` `i-1` leaving: set `i-1` to DRAINING, because EC2 warned at 2026-03-01T11:59:55Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
        hold `group spot` watching: no instance that was looked at leaves (instances: 0 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `cluster demo` departing: instances leave (instances: 1 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 1 left, of which 1 stuck)
    "#]],
    );
}

#[test]
fn a_drain_that_takes_too_long_is_said() {
    let (mut scene, ids) = Scene::web(1);
    scene.draining(&ids[0], 899);
    check(
        &scene,
        &expect![[r#"
        hold `group spot` departing: instances leave (instances: 1 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 899 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` draining: DRAINING since 2026-03-01T11:45:01Z by somebody else's hand; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
    "#]],
    );
    scene.later(1);
    check(
        &scene,
        &expect![[r#"
        hold `group spot` departing: instances leave (instances: 1 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 900 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` drain_stuck: DRAINING since 2026-03-01T11:45:01Z, longer than 900 s: its tasks do not move by themselves; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
    "#]],
    );
    scene.policy().departure_timeout = Seconds(7_200);
    let plan = scene.decide().plan;
    assert!(
        plan.holds
            .iter()
            .all(|it| it.reason.as_str() != "drain_stuck")
    );
}
