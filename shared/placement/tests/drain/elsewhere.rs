//! Instances that something is remembered of in another place than the one that they are in: before they registered, or of a group that
//! they have left.

use expect_test::expect;
use model::InstanceId;
use model::capacity::{ContainerInstanceStatus, Lifecycle};
use model::drain::{
    CauseKind, Departure, DrainKey, DrainMemory, InstancePassedOver, LookedInstance, OwnDrain,
    Whereabouts,
};
use model::memory::Recall;
use model::trigger::{MachineState, Notice};

use crate::planted::found;
use crate::random::{groupless, leave_group};
use crate::scene::{Scene, check, gap};

pub(crate) fn reasons(scene: &Scene) -> Vec<&'static str> {
    let plan = scene.decide().plan;
    plan.steps.iter().map(|it| it.reason.as_str()).collect()
}

pub(crate) fn alone(id: &InstanceId) -> DrainKey {
    DrainKey::Instance {
        instance: id.clone(),
    }
}

/// An event named an instance that is in no group and registered nowhere, where `demo` is opted in.
pub(crate) fn unregistered() -> (Scene, InstanceId) {
    let mut scene = Scene::new();
    scene.groupless();
    scene.snapshot.is_full = false;
    let id: InstanceId = "i-9".parse().unwrap();
    let why = InstancePassedOver::NotRegistered;
    scene.snapshot.passed_over.insert(id.clone(), why);
    (scene, id)
}

/// It has registered in `demo`.
pub(crate) fn registers(scene: &mut Scene, id: &InstanceId) {
    scene.snapshot.passed_over.clear();
    scene.snapshot.is_full = true;
    let looked = LookedInstance {
        id: id.clone(),
        instance_type: None,
        zone: None,
        member: None,
        registered: None,
        tasks_counted: None,
    };
    scene.groupless().instances.insert(id.clone(), looked);
    scene.register(id);
}

#[test]
fn an_instance_that_was_warned_before_it_registered_is_drained_as_soon_as_it_is() {
    let (mut scene, id) = unregistered();
    scene.warned(&id, 20);
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves
        hold `cluster demo` watching: no instance that was looked at leaves
        hold `instance i-9` `i-9` not_registered: EC2 warned at 2026-03-01T11:59:40Z of its Spot interruption (`terminate`); it is not registered in the cluster, and is waited for until 2026-03-01T12:04:40Z
    "#]],
    );
    scene.act();
    scene.later(45);
    registers(&mut scene, &id);
    check(
        &scene,
        &expect![[r#"
        step `cluster demo` `i-9` leaving: set `i-9` to DRAINING, because EC2 warned at 2026-03-01T11:59:40Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:40Z; 0 tasks left: 0 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` watching: no instance that was looked at leaves (instances: 0 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `cluster demo` departing: instances leave (instances: 1 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
    "#]],
    );
    scene.act();
    assert!(reasons(&scene).is_empty());
    // It came to nothing: the drain is Ballast's own.
    scene.later(235);
    assert_eq!(reasons(&scene), ["cause_gone"]);
    scene.act();
    scene.later(1);
    assert!(reasons(&scene).is_empty());
}

#[test]
fn what_is_not_registered_is_remembered_until_its_warning_is_over() {
    let (mut scene, id) = unregistered();
    scene.warned(&id, 0);
    scene.act();
    let remembered = |scene: &Scene| scene.decide().memories[&alone(&id)].clone();
    scene.later(299);
    assert_eq!(remembered(&scene).departures.len(), 1);
    scene.later(1);
    assert_eq!(remembered(&scene), DrainMemory::default());
    let plan = scene.decide().plan;
    let hold = plan
        .holds
        .iter()
        .find(|it| *it.key() == alone(&id))
        .unwrap();
    assert_eq!(hold.reason.as_str(), "not_found");
}

#[test]
fn only_what_certainly_leaves_is_remembered_of_what_is_not_registered() {
    let state = |state| Notice::StateChanged { state };
    let maintenance = |scene: &Scene, is_over| Notice::Maintenance {
        code: "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED".to_owned(),
        health_event: None,
        starts_at: Some(scene.ago(-90_000)),
        is_over,
    };
    let scene = Scene::new();
    let (announced, over) = (maintenance(&scene, false), maintenance(&scene, true));
    let action = "terminate".to_owned();
    let interruption = Notice::CapacityReservationInterruption { action };
    for (notices, is_remembered) in [
        (vec![interruption.clone()], true),
        (vec![announced.clone()], true),
        (vec![announced, over], false),
        (vec![Notice::Rebalance], false),
        (vec![state(MachineState::Stopping)], false),
        (vec![interruption, state(MachineState::Terminated)], false),
    ] {
        let (mut scene, id) = unregistered();
        for notice in notices.clone() {
            scene.said(&id, 0, notice);
        }
        let memory = &scene.decide().memories[&alone(&id)];
        let has_cause = |it: &Departure| !it.causes.is_empty();
        let is_known = memory.departures.values().any(has_cause);
        assert_eq!(is_known, is_remembered, "{notices:?}");
        let mut not_found = scene.clone();
        let why = InstancePassedOver::NotFound;
        not_found.snapshot.passed_over.insert(id.clone(), why);
        assert!(!not_found.decide().memories.contains_key(&alone(&id)));
        scene.memories.insert(alone(&id), Recall::Unknown);
        assert!(!scene.decide().memories.contains_key(&alone(&id)));
    }
}

/// An instance that Ballast drained because its group terminated it, 60 s ago, and that its group let go then.
pub(crate) fn drained(scene: &mut Scene, id: &InstanceId) {
    scene.terminating(id, 5);
    scene.act();
    scene.later(60);
    let member = scene.member(id);
    member.lifecycle = Lifecycle::InService;
    member.waits_in_hook = false;
}

/// It is in no group.
pub(crate) fn detach(scene: &mut Scene, id: &InstanceId) -> LookedInstance {
    let place = Whereabouts::InNoGroup;
    scene.snapshot.outside.insert(id.clone(), place);
    let group = scene.group("spot");
    group.group.as_mut().unwrap().instances.remove(id);
    group.instances.remove(id).unwrap()
}

#[test]
fn what_left_its_group_for_nothing_that_is_opted_in_is_taken_back() {
    let (mut scene, ids) = Scene::web(2);
    drained(&mut scene, &ids[0]);
    detach(&mut scene, &ids[0]);
    check(
        &scene,
        &expect![[r#"
        hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 60 s; 0 may leave; tasks: 1 left, of which 0 stuck)
        hold `group spot` `i-1` draining: DRAINING since 2026-03-01T12:00:00Z by Ballast's hand; its group has been terminating it since 2026-03-01T11:59:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.act();
    scene.later(599);
    assert!(reasons(&scene).is_empty());
    scene.later(1);
    let mut named = scene.clone();
    named.snapshot.is_full = false;
    assert!(reasons(&named).is_empty());
    for change in [
        (|scene, id| scene.container(id).agent_connected = false) as fn(&mut Scene, &InstanceId),
        |scene, _| scene.snapshot.gaps = vec![gap("autoscaling:DescribeAutoScalingGroups")],
        |scene, _| scene.cluster().capacity.gaps = vec![gap("ecs:DescribeTasks")],
        |scene, _| scene.forget(),
        |scene, id| scene.warned(id, 10),
        |scene, id| scene.departure(id).own_drain = None,
        |scene, id| scene.departure(id).left_at = None,
        |scene, _| scene.snapshot.outside.clear(),
        |scene, id| scene.container(id).ec2_instance = None,
    ] {
        let mut changed = scene.clone();
        change(&mut changed, &ids[0]);
        assert!(reasons(&changed).is_empty());
    }
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` cause_gone: set `i-1` to ACTIVE again, because Ballast drained it at 2026-03-01T12:00:00Z for `terminating`, and it stays: it has been in no group for 600 s and more
        hold `group spot` departing: instances leave (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 660 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.act();
    assert!(reasons(&scene).is_empty());
    scene.later(60);
    scene.act();
    assert!(!scene.memory().departures.contains_key(&ids[0]));
}

/// Somebody else took the drain back of an instance that has left its group: who drains it then is not Ballast.
#[test]
fn what_somebody_else_took_back_of_what_left_its_group_is_theirs() {
    let check = |seen_after_secs: i64, is_whole: bool, wanted: &[&str]| {
        let (mut scene, ids) = Scene::web(2);
        scene.terminating(&ids[0], 5);
        scene.act();
        detach(&mut scene, &ids[0]);
        scene.later(seen_after_secs);
        scene.container(&ids[0]).status = ContainerInstanceStatus::Active;
        if !is_whole {
            scene.snapshot.gaps = vec![gap("ecs:DescribeTasks")];
        }
        scene.act();
        scene.snapshot.gaps.clear();
        scene.later(30);
        scene.container(&ids[0]).status = ContainerInstanceStatus::Draining;
        scene.act();
        scene.later(600);
        let text = format!("{seen_after_secs} s, {is_whole}");
        assert_eq!(reasons(&scene), wanted, "{text}");
        let is_kept = scene.memory().departures.contains_key(&ids[0]);
        assert_eq!(is_kept, !wanted.is_empty(), "{text}");
    };
    check(30, true, &[]);
    check(30, false, &[]);
    check(700, true, &[]);
    // The answer may be older than the drain.
    check(29, true, &["cause_gone"]);
}

/// Its group may have let it go because it ends.
#[test]
fn what_left_its_group_is_not_taken_back_at_once_whatever_it_was_drained_for_and_how_long_ago() {
    for (left_secs, wanted) in [(0, &[][..]), (599, &[]), (600, &["cause_gone"])] {
        let (mut scene, ids) = Scene::web(2);
        scene.draining(&ids[0], 5_000);
        scene.departure(&ids[0]).own_drain = Some(OwnDrain {
            at: scene.ago(5_000),
            cause: CauseKind::SpotInterruption,
            confirmed: true,
        });
        assert_eq!(reasons(&scene), ["cause_gone"]);
        let step = scene.decide().plan.steps.remove(0);
        detach(&mut scene, &ids[0]);
        let tags = &mut scene.group("spot").group.as_mut().unwrap().tags;
        tags.insert("ballast:instance-drain".to_owned(), "act".to_owned());
        if left_secs > 0 {
            scene.act();
            scene.later(left_secs);
        }
        assert_eq!(reasons(&scene), wanted, "{left_secs}");
        let laws: Vec<&str> = found(&scene, vec![step]).iter().map(|it| it.law).collect();
        assert_eq!(laws.is_empty(), !wanted.is_empty(), "{laws:?}");
    }
}

/// Only what is in no group, or in service in one, takes tasks again.
#[test]
fn what_left_its_group_is_taken_back_where_auto_scaling_keeps_it() {
    let in_group = |lifecycle| Whereabouts::InGroup {
        group: "not-ours".parse().unwrap(),
        lifecycle,
    };
    let unread = Whereabouts::Unread {
        gap: gap("autoscaling:DescribeAutoScalingInstances"),
    };
    for (place, wanted) in [
        (Whereabouts::InNoGroup, &["cause_gone"][..]),
        (in_group(Lifecycle::InService), &["cause_gone"]),
        (in_group(Lifecycle::Pending), &[]),
        (in_group(Lifecycle::Standby), &[]),
        (in_group(Lifecycle::Terminating), &[]),
        (in_group(Lifecycle::Detaching), &[]),
        (in_group(Lifecycle::Warmed), &[]),
        (in_group(Lifecycle::Unknown), &[]),
        (unread, &[]),
    ] {
        let (mut scene, ids) = Scene::web(2);
        let tags = &mut scene.group("spot").group.as_mut().unwrap().tags;
        tags.insert("ballast:instance-drain".to_owned(), "act".to_owned());
        drained(&mut scene, &ids[0]);
        detach(&mut scene, &ids[0]);
        let mut settled = scene.clone();
        settled.act();
        settled.later(600);
        let [step] = &settled.decide().plan.steps[..] else {
            panic!("{place:?}");
        };
        let places = &mut scene.snapshot.outside;
        places.insert(ids[0].clone(), place.clone());
        for _ in 0..3 {
            scene.act();
            scene.later(600);
            scene.act();
        }
        let is_active = scene.container(&ids[0]).status == ContainerInstanceStatus::Active;
        assert_eq!(is_active, !wanted.is_empty(), "{place:?}");
        settled.snapshot.outside = scene.snapshot.outside.clone();
        assert_eq!(reasons(&settled), wanted, "{place:?}");
        let laws = found(&settled, vec![step.clone()]);
        assert_eq!(laws.is_empty(), !wanted.is_empty(), "{place:?}: {laws:?}");
    }
}

/// From when on it is out of its group for good counts, and what AWS does not tell for once is as it was.
#[test]
fn the_time_since_it_left_begins_anew_when_it_is_on_its_way_again() {
    let check = |place: Whereabouts, wanted: &[&str]| {
        let (mut scene, ids) = Scene::web(2);
        drained(&mut scene, &ids[0]);
        detach(&mut scene, &ids[0]);
        scene.act();
        scene.later(500);
        let places = scene.snapshot.outside.clone();
        scene.snapshot.outside = [(ids[0].clone(), place.clone())].into();
        scene.act();
        scene.later(60);
        scene.snapshot.outside = places;
        scene.act();
        scene.later(40);
        assert_eq!(reasons(&scene), wanted, "{place:?}");
    };
    let lifecycle = Lifecycle::Terminating;
    let group: model::AutoScalingGroupName = "not-ours".parse().unwrap();
    check(Whereabouts::InNoGroup, &["cause_gone"]);
    let gap = gap("autoscaling:DescribeAutoScalingInstances");
    check(Whereabouts::Unread { gap }, &["cause_gone"]);
    check(Whereabouts::InGroup { group, lifecycle }, &[]);
}

/// The cluster is not looked at while nothing of the group is in it.
#[test]
fn a_drain_is_not_forgotten_while_nobody_looks_at_the_cluster() {
    let check = |change: fn(&mut Scene), age_secs: i64, wanted: bool| {
        let (mut scene, ids) = Scene::web(1);
        drained(&mut scene, &ids[0]);
        detach(&mut scene, &ids[0]);
        let whole = scene.snapshot.clone();
        scene.snapshot.clusters.clear();
        scene.snapshot.outside.clear();
        change(&mut scene);
        scene.later(age_secs);
        scene.act();
        let is_known = scene.memory().departures.contains_key(&ids[0]);
        assert_eq!(is_known, wanted, "{age_secs}");
        scene.snapshot = whole;
        scene.snapshot.taken_at = scene.now;
        scene.act();
        scene.later(600);
        assert_eq!(reasons(&scene) == ["cause_gone"], wanted, "{age_secs}");
    };
    check(|it| it.snapshot.searched.clear(), 60, true);
    check(|it| it.snapshot.searched.clear(), 86_400, true);
    check(|it| it.snapshot.searched.clear(), 8 * 86_400, false);
    // It was read whole, and the instance is not in it.
    check(|_| {}, 60, false);
}

#[test]
fn the_tag_of_the_group_that_it_has_left_stops_no_task() {
    let (mut scene, ids) = Scene::web(2);
    scene.policy().stop_tasks = true;
    scene.service("web", 0).maximum_percent = 100;
    drained(&mut scene, &ids[0]);
    scene.warned(&ids[0], 70);
    assert_eq!(reasons(&scene), ["last_moment"]);
    detach(&mut scene, &ids[0]);
    assert!(reasons(&scene).is_empty());
}

#[test]
fn what_was_moved_to_another_group_is_taken_back_there() {
    let (mut scene, ids) = Scene::web(2);
    drained(&mut scene, &ids[0]);
    let looked = detach(&mut scene, &ids[0]);
    scene
        .group("other")
        .instances
        .insert(ids[0].clone(), looked);
    check(
        &scene,
        &expect![[r#"
        step `group other` `i-1` cause_gone: set `i-1` to ACTIVE again, because Ballast drained it at 2026-03-01T12:00:00Z for `terminating`, and it stays: its group has it in service
        hold `group other` departing: instances leave (instances: 1 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 60 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` watching: no instance that was looked at leaves (instances: 1 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.act();
    scene.later(60);
    scene.act();
    assert!(reasons(&scene).is_empty());
    assert!(!scene.memory().departures.contains_key(&ids[0]));
    // What somebody drains now is theirs.
    scene.container(&ids[0]).status = ContainerInstanceStatus::Draining;
    assert!(reasons(&scene).is_empty());
}

#[test]
fn maintenance_moves_with_the_instance() {
    let (mut scene, ids) = Scene::web(2);
    let notice = Notice::Maintenance {
        code: "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED".to_owned(),
        health_event: None,
        starts_at: Some(scene.ago(-1_000)),
        is_over: false,
    };
    scene.said(&ids[0], 5, notice);
    scene.act();
    leave_group(&mut scene, &ids[0]);
    scene.later(60);
    scene.act();
    let Some(Recall::Known(memory)) = scene.memories.get(&groupless()) else {
        panic!("nothing is remembered of the cluster");
    };
    let departure = &memory.departures[&ids[0]];
    assert_eq!(departure.own_drain.unwrap().cause, CauseKind::Maintenance);
    assert!(reasons(&scene).is_empty(), "it still comes");
    scene.act();
    assert!(
        !scene.memory().departures.contains_key(&ids[0]),
        "once it is known there"
    );
    scene.later(4_540);
    assert_eq!(reasons(&scene), ["cause_gone"]);
}
