//! Drains that are taken back.

use expect_test::expect;
use model::InstanceId;
use model::capacity::{ContainerInstanceStatus, Lifecycle};
use model::drain::CauseKind;
use model::trigger::{MachineState, Notice};

use crate::laws::audited;
use crate::scene::{Scene, check, gap};

fn reasons(scene: &Scene) -> Vec<&'static str> {
    let plan = scene.decide().plan;
    plan.steps.iter().map(|it| it.reason.as_str()).collect()
}

fn draining(scene: &Scene) -> Vec<String> {
    let instances = scene.snapshot.clusters.values();
    let instances = instances.flat_map(|it| it.capacity.instances.values());
    let draining = instances.filter(|it| it.status == ContainerInstanceStatus::Draining);
    draining
        .filter_map(|it| it.ec2_instance.as_ref().map(ToString::to_string))
        .collect()
}

/// Two instances, the first drained for a warning that never came true, so many seconds ago.
fn warned(secs: i64) -> (Scene, Vec<InstanceId>) {
    let (mut scene, ids) = Scene::web(2);
    scene.warned(&ids[0], 0);
    scene.act();
    scene.later(secs);
    (scene, ids)
}

#[test]
fn an_interruption_that_did_not_come() {
    let (mut scene, _) = warned(299);
    assert!(reasons(&scene).is_empty());
    scene.later(1);
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` cause_gone: set `i-1` to ACTIVE again, because Ballast drained it at 2026-03-01T12:00:00Z for `spot_interruption`, and it stays: its agent is connected, 180 s and more after EC2 was to take it
        hold `group spot` departing: instances leave (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 300 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.act();
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` `i-2` staying: they stay
    "#]],
    );
}

#[test]
fn a_group_that_took_the_instance_back() {
    let (mut scene, ids) = Scene::web(1);
    scene.terminating(&ids[0], 5);
    scene.act();
    scene.later(60);
    assert!(reasons(&scene).is_empty());
    let member = scene.member(&ids[0]);
    member.lifecycle = Lifecycle::InService;
    member.waits_in_hook = false;
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` cause_gone: set `i-1` to ACTIVE again, because Ballast drained it at 2026-03-01T12:00:00Z for `terminating`, and it stays: its group has it in service
        hold `group spot` departing: instances leave (instances: 1 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 60 s; 0 may leave; tasks: 0 left, of which 0 stuck)
    "#]],
    );
}

#[test]
fn a_group_that_does_not_have_the_instance_any_more() {
    let (mut scene, ids) = Scene::web(1);
    scene.terminating(&ids[0], 5);
    scene.act();
    // However long it waited in the hook.
    scene.later(700);
    scene.act();
    scene.looked(&ids[0]).member = None;
    scene.later(100);
    scene.act();
    scene.later(599);
    assert!(reasons(&scene).is_empty());
    scene.later(1);
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` cause_gone: set `i-1` to ACTIVE again, because Ballast drained it at 2026-03-01T12:00:00Z for `terminating`, and it stays: it has been in no group for 600 s and more
        hold `group spot` departing: instances leave (instances: 1 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 1400 s; 0 may leave; tasks: 0 left, of which 0 stuck)
    "#]],
    );
}

#[test]
fn maintenance_that_was_called_off_and_maintenance_that_is_over() {
    let notice = |scene: &Scene, is_over| Notice::Maintenance {
        code: "AWS_EC2_INSTANCE_STOP_SCHEDULED".to_owned(),
        health_event: None,
        starts_at: Some(scene.ago(-600)),
        is_over,
    };
    let (mut scene, ids) = Scene::web(1);
    let planned = notice(&scene, false);
    scene.said(&ids[0], 5, planned);
    scene.act();
    scene.later(60);
    let mut called_off = scene.clone();
    let over = notice(&scene, true);
    called_off.said(&ids[0], 5, over);
    check(
        &called_off,
        &expect![[r#"
        step `group spot` `i-1` cause_gone: set `i-1` to ACTIVE again, because Ballast drained it at 2026-03-01T12:00:00Z for `maintenance`, and it stays: AWS Health says that the maintenance is over, or it was to begin 3600 s ago and more
        hold `group spot` departing: instances leave (instances: 1 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 60 s; 0 may leave; tasks: 0 left, of which 0 stuck)
    "#]],
    );
    scene.later(4_139);
    assert!(reasons(&scene).is_empty());
    scene.later(1);
    assert_eq!(reasons(&scene), ["cause_gone"]);
}

/// One event tells both, in whatever order it and the first one come.
#[test]
fn maintenance_that_is_over_for_one_of_two_instances() {
    let notice = |scene: &Scene, is_over| Notice::Maintenance {
        code: "AWS_EC2_INSTANCE_STOP_SCHEDULED".to_owned(),
        health_event: None,
        starts_at: Some(scene.ago(-600)),
        is_over,
    };
    let (mut scene, ids) = Scene::web(2);
    let planned = notice(&scene, false);
    for id in &ids {
        scene.said(id, 5, planned.clone());
    }
    scene.act();
    assert_eq!(draining(&scene), ["i-1", "i-2"]);
    scene.later(60);
    let over = notice(&scene, true);
    scene.said(&ids[0], 5, over);
    let again = notice(&scene, false);
    scene.said(&ids[1], 5, again);
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` cause_gone: set `i-1` to ACTIVE again, because Ballast drained it at 2026-03-01T12:00:00Z for `maintenance`, and it stays: AWS Health says that the maintenance is over, or it was to begin 3600 s ago and more
            hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 2 draining in all, the oldest for 60 s; 0 may leave; tasks: 1 left, of which 1 stuck)
            hold `group spot` `i-2` draining: DRAINING since 2026-03-01T12:00:00Z by Ballast's hand; AWS Health announced `AWS_EC2_INSTANCE_STOP_SCHEDULED` for 2026-03-01T12:11:00Z, and it goes at 2026-03-01T12:11:00Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
        "#]],
    );
    scene.act();
    scene.later(5);
    // The first event comes again.
    for id in &ids {
        scene.said(id, 70, planned.clone());
    }
    assert!(reasons(&scene).is_empty());
    assert_eq!(draining(&scene), ["i-2"]);
}

#[test]
fn an_instance_that_runs_again() {
    let (mut scene, ids) = Scene::web(1);
    scene.disconnected(&ids[0], 30);
    let state = MachineState::Stopping;
    scene.said(&ids[0], 20, Notice::StateChanged { state });
    scene.act();
    scene.later(60);
    assert!(reasons(&scene).is_empty());
    scene.container(&ids[0]).agent_connected = true;
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` cause_gone: set `i-1` to ACTIVE again, because Ballast drained it at 2026-03-01T12:00:00Z for `stopping`, and it stays: its agent is connected
        hold `group spot` departing: instances leave (instances: 1 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 60 s; 0 may leave; tasks: 0 left, of which 0 stuck)
    "#]],
    );
}

#[test]
fn only_where_nothing_speaks_against_it() {
    for change in [
        (|scene, _| scene.forget()) as fn(&mut Scene, &InstanceId),
        |scene, _| scene.snapshot.gaps = vec![gap("ecs:ListContainerInstances")],
        |scene, _| scene.group("spot").gaps = vec![gap("ecs:DescribeTasks")],
        |scene, _| scene.cluster().capacity.gaps = vec![gap("ecs:DescribeTasks")],
        |scene, id| scene.container(id).agent_connected = false,
        |scene, id| scene.member(id).lifecycle = Lifecycle::Standby,
        |scene, id| scene.terminating(id, 10),
        |scene, id| scene.warned(id, 10),
        |scene, _| scene.policy().paused = true,
        |scene, id| scene.departure(id).own_drain = None,
    ] {
        let (mut scene, ids) = warned(300);
        assert_eq!(reasons(&scene), ["cause_gone"]);
        change(&mut scene, &ids[0]);
        assert!(reasons(&scene).is_empty());
    }
}

#[test]
fn what_somebody_set_to_active_again_is_not_ballasts_any_more() {
    let (mut scene, ids) = warned(300);
    scene.container(&ids[0]).status = ContainerInstanceStatus::Active;
    scene.act();
    scene.container(&ids[0]).status = ContainerInstanceStatus::Draining;
    check(
        &scene,
        &expect![[r#"
        hold `group spot` departing: instances leave (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` draining: DRAINING since 2026-03-01T12:05:00Z by somebody else's hand; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
}

#[test]
fn a_drain_whose_answer_was_lost_is_taken_back_as_well() {
    let (mut scene, ids) = warned(300);
    let own = scene.departure(&ids[0]).own_drain.as_mut().unwrap();
    own.confirmed = false;
    assert_eq!(reasons(&scene), ["cause_gone"]);
}

/// What somebody else set to ACTIVE again after Ballast's drain for the notice, 60 s after it.
fn activated(notice: fn(&Scene) -> Notice) -> (Scene, Vec<InstanceId>) {
    let (mut scene, ids) = Scene::web(2);
    let policy = scene.policy();
    policy.drain_on_rebalance = true;
    let notice = notice(&scene);
    scene.said(&ids[0], 0, notice);
    scene.act();
    scene.container(&ids[0]).status = ContainerInstanceStatus::Active;
    scene.later(60);
    (scene, ids)
}

#[test]
fn what_may_stay_and_was_set_to_active_by_somebody_else_is_left_to_them() {
    let (mut scene, ids) = activated(|scene| Notice::Maintenance {
        code: "AWS_EC2_INSTANCE_STOP_SCHEDULED".to_owned(),
        health_event: None,
        starts_at: Some(scene.ago(-500)),
        is_over: false,
    });
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` activated_by_somebody_else: AWS Health announced `AWS_EC2_INSTANCE_STOP_SCHEDULED` for 2026-03-01T12:08:20Z; Ballast drained it for that, somebody set it to ACTIVE again, as was seen at 2026-03-01T12:01:00Z, and it is left to them
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.act();
    scene.later(4_039);
    assert!(reasons(&scene).is_empty());
    scene.act();
    let (mut again, _) = activated(|_| Notice::Rebalance);
    check(
        &again,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` activated_by_somebody_else: EC2 recommended at 2026-03-01T12:00:00Z to rebalance it; Ballast drained it for that, somebody set it to ACTIVE again, as was seen at 2026-03-01T12:01:00Z, and it is left to them
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    again.act();
    again.said(&ids[0], 0, Notice::Rebalance);
    assert!(reasons(&again).is_empty(), "the cause is renewed, not over");
    again.act();
    again.later(3_600);
    again.act();
    again.said(&ids[0], 0, Notice::Rebalance);
    assert_eq!(reasons(&again), ["selective"], "and now it was");
}

#[test]
fn what_goes_at_once_is_drained_again() {
    for notice in [
        (|_| Notice::SpotInterruption {
            action: "terminate".to_owned(),
        }) as fn(&Scene) -> Notice,
        |_| Notice::CapacityReservationInterruption {
            action: "terminate".to_owned(),
        },
    ] {
        let (scene, _) = activated(notice);
        assert_eq!(reasons(&scene), ["leaving"]);
    }
}

/// Ballast's own word, whose answer was lost, is nobody else's.
#[test]
fn what_ballast_may_have_set_to_active_itself_is_not_somebody_elses() {
    let (mut scene, ids) = activated(|_| Notice::Rebalance);
    let at = scene.ago(10);
    let reversal = model::drain::Reversal {
        at,
        cause: model::drain::CauseKind::Rebalance,
    };
    scene.memory().reversed.insert(ids[0].clone(), reversal);
    let memory = &scene.decide().memories[&crate::scene::key("spot")];
    assert_eq!(memory.departures[&ids[0]].activated, None);
}

#[test]
fn maintenance_that_aws_moved_to_later() {
    let (mut scene, ids) = Scene::web(1);
    let notice = |scene: &Scene, begins_in_secs: i64| Notice::Maintenance {
        code: "AWS_EC2_INSTANCE_STOP_SCHEDULED".to_owned(),
        health_event: None,
        starts_at: Some(scene.ago(-begins_in_secs)),
        is_over: false,
    };
    let planned = notice(&scene, 1_800);
    scene.said(&ids[0], 5, planned);
    assert!(scene.act().contains("leaving"));
    scene.later(60);
    let moved = notice(&scene, 1_801);
    scene.said(&ids[0], 5, moved);
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` cause_gone: set `i-1` to ACTIVE again, because Ballast drained it at 2026-03-01T12:00:00Z for `maintenance`, and it stays: AWS moved the maintenance to 2026-03-01T12:31:01Z
        hold `group spot` departing: instances leave (instances: 1 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 60 s; 1 may leave; tasks: 0 left, of which 0 stuck)
    "#]],
    );
    scene.act();
    assert!(reasons(&scene).is_empty());
    scene.later(1);
    assert_eq!(reasons(&scene), ["leaving"]);
}

/// Whoever set it to ACTIVE knew of another maintenance.
#[test]
fn what_was_set_to_active_is_drained_for_maintenance_that_aws_moves_or_announces() {
    let stop = "AWS_EC2_INSTANCE_STOP_SCHEDULED";
    let retirement = "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED";
    let notice = |scene: &Scene, code: &str, begins_in_secs: i64| Notice::Maintenance {
        code: code.to_owned(),
        health_event: None,
        starts_at: Some(scene.ago(-begins_in_secs)),
        is_over: false,
    };
    for (code, begins_in_secs, is_drained) in [
        // As it was announced first, 60 s ago.
        (stop, 440, false),
        (stop, 590, true),
        (retirement, 300, true),
        // The other one comes first.
        (retirement, 590, false),
    ] {
        let (mut scene, ids) = activated(|scene| Notice::Maintenance {
            code: "AWS_EC2_INSTANCE_STOP_SCHEDULED".to_owned(),
            health_event: None,
            starts_at: Some(scene.ago(-500)),
            is_over: false,
        });
        scene.act();
        assert!(reasons(&scene).is_empty());
        scene.later(1);
        let notice = notice(&scene, code, begins_in_secs - 1);
        scene.said(&ids[0], 0, notice);
        let drained = !reasons(&scene).is_empty();
        assert_eq!(drained, is_drained, "{code} in {begins_in_secs} s");
    }
}

/// EC2 may repeat it every few minutes, for ever.
#[test]
fn a_recommendation_that_is_repeated_keeps_no_drain() {
    let (mut scene, ids) = Scene::web(2);
    scene.policy().drain_on_rebalance = true;
    for round in 0..60 {
        scene.said(&ids[0], 0, Notice::Rebalance);
        let text = scene.act();
        assert_eq!(text.contains("step"), round == 0, "{text}");
        scene.empty(&ids[0]);
        scene.later(60);
    }
    scene.said(&ids[0], 0, Notice::Rebalance);
    assert_eq!(reasons(&scene), ["cause_gone"]);
    scene.act();
    scene.later(21_599);
    scene.said(&ids[0], 0, Notice::Rebalance);
    assert!(
        reasons(&scene).is_empty(),
        "taken back less than six hours ago"
    );
    scene.later(1);
    assert_eq!(reasons(&scene), ["selective"]);
}

#[test]
fn a_drain_of_long_ago_may_be_somebody_elses() {
    for (secs, wanted) in [(691_199, &["cause_gone"][..]), (691_200, &[])] {
        let (mut scene, ids) = warned(300);
        let at = scene.ago(secs);
        let own = scene.departure(&ids[0]).own_drain.as_mut().unwrap();
        own.at = at;
        own.cause = CauseKind::Maintenance;
        assert_eq!(reasons(&scene), wanted);
    }
}

/// What EC2 stopped or hibernated is started again when its owner wants it.
#[test]
fn an_instance_that_was_stopped_for_a_fortnight_is_taken_back() {
    for action in ["stop", "hibernate"] {
        let (mut scene, ids) = Scene::web(2);
        let action = action.to_owned();
        scene.said(&ids[0], 0, Notice::SpotInterruption { action });
        scene.act();
        scene.later(125);
        scene.container(&ids[0]).agent_connected = false;
        let state = MachineState::Stopped;
        scene.said(&ids[0], 5, Notice::StateChanged { state });
        scene.act();
        for _ in 0..14 {
            scene.later(86_400);
            assert_eq!(scene.act().matches("step ").count(), 0);
        }
        scene.container(&ids[0]).agent_connected = true;
        assert_eq!(reasons(&scene), ["cause_gone"]);
    }
}

/// An instance waits in a warm pool for as long as its group likes.
#[test]
fn an_instance_that_comes_back_from_a_warm_pool_after_a_fortnight_is_taken_back() {
    let (mut scene, ids) = Scene::web(2);
    scene.terminating(&ids[0], 5);
    scene.act();
    scene.later(60);
    scene.member(&ids[0]).lifecycle = Lifecycle::Warmed;
    scene.member(&ids[0]).waits_in_hook = false;
    scene.container(&ids[0]).agent_connected = false;
    for _ in 0..14 {
        scene.later(86_400);
        assert_eq!(scene.act().matches("step ").count(), 0);
    }
    scene.container(&ids[0]).agent_connected = true;
    assert!(reasons(&scene).is_empty());
    scene.member(&ids[0]).lifecycle = Lifecycle::InService;
    assert_eq!(reasons(&scene), ["cause_gone"]);
    let tags = &mut scene.group("spot").group.as_mut().unwrap().tags;
    tags.insert("ballast:instance-drain".to_owned(), "act".to_owned());
    assert_eq!(audited(&scene, &scene.decide().plan), []);
    scene.act();
    assert_eq!(
        scene.container(&ids[0]).status,
        ContainerInstanceStatus::Active
    );
}

/// A memory that an earlier version wrote does not say in which cluster the drain was.
#[test]
fn where_a_drain_is_is_learnt_from_the_instance() {
    let (mut scene, ids) = warned(60);
    scene.departure(&ids[0]).drained_in = None;
    scene.act();
    let cluster = scene.departure(&ids[0]).drained_in.clone();
    assert_eq!(cluster, Some("demo".parse().unwrap()));
    // What Ballast does not drain has no such place.
    assert!(!scene.memory().departures.contains_key(&ids[1]));
    let mut others = scene.clone();
    others.departure(&ids[0]).end_own_drain();
    others.act();
    assert_eq!(others.departure(&ids[0]).drained_in, None);
}
