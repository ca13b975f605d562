//! The group's own hold.

use expect_test::expect;
use model::capacity::Consent;
use model::drain::InstancePassedOver;
use model::settings::SettingFault;

use crate::scene::{Scene, check, gap, hook};

/// Two instances, one of which waits in the hook and was warned.
fn leaving() -> Scene {
    let (mut scene, ids) = Scene::web(2);
    scene.terminating(&ids[0], 10);
    scene.warned(&ids[0], 5);
    scene
}

#[test]
fn nothing_leaves() {
    let (scene, _) = Scene::web(2);
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` `i-2` staying: they stay
    "#]],
    );
}

#[test]
fn of_single_instances_there_are_no_numbers() {
    let mut scene = leaving();
    scene.snapshot.is_full = false;
    let holds = scene.decide().plan.holds;
    assert!(holds.iter().all(|it| it.numbers.is_none()));
    scene.snapshot.is_full = true;
    let holds = scene.decide().plan.holds;
    assert_eq!(holds.iter().filter(|it| it.numbers.is_some()).count(), 1);
}

#[test]
fn tags_that_cannot_be_used_leave_the_group_alone() {
    let mut scene = leaving();
    let fault = SettingFault {
        name: "ballast:stop-tasks".to_owned(),
        value: "maybe".to_owned(),
        allowed: "`true` or `false`".to_owned(),
    };
    scene.group("spot").policy = Err(vec![fault]);
    check(
        &scene,
        &expect![[r#"
            hold `group spot` policy_faults: the tags cannot be used: `ballast:stop-tasks` is `maybe`: `true` or `false` is allowed; what would be done with every tag at its default: step `group spot` `i-1` leaving: set `i-1` to DRAINING, because EC2 warned at 2026-03-01T11:59:55Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; hold `group spot` `i-1` hook `ballast-instance-drain` waiting_for_tasks: tasks are waited for; the action times out at 2026-03-01T12:04:50Z and may wait until 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons (instances: 2 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 1 left, of which 0 stuck)
            hold `group spot` `i-1` `i-2` group_held: the group is left alone as a whole
            hold `group spot` `i-1` hook `ballast-instance-drain` group_held: the group is left alone as a whole
        "#]],
    );
}

/// What events said is not lost meanwhile.
#[test]
fn a_paused_group_is_left_alone_and_remembered() {
    let mut scene = leaving();
    scene.policy().paused = true;
    check(
        &scene,
        &expect![[r#"
            hold `group spot` paused: the tag `ballast:paused` is `true`; what would be done without it: step `group spot` `i-1` leaving: set `i-1` to DRAINING, because EC2 warned at 2026-03-01T11:59:55Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; hold `group spot` `i-1` hook `ballast-instance-drain` waiting_for_tasks: tasks are waited for; the action times out at 2026-03-01T12:04:50Z and may wait until 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons (instances: 2 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 1 left, of which 0 stuck)
            hold `group spot` `i-1` `i-2` group_held: the group is left alone as a whole
            hold `group spot` `i-1` hook `ballast-instance-drain` group_held: the group is left alone as a whole
        "#]],
    );
    scene.act();
    scene.policy().paused = false;
    scene.later(30);
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` leaving: set `i-1` to DRAINING, because EC2 warned at 2026-03-01T11:59:55Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 1 left, of which 0 stuck)
        hold `group spot` `i-2` staying: they stay
        hold `group spot` `i-1` hook `ballast-instance-drain` waiting_for_tasks: tasks are waited for; the action times out at 2026-03-01T12:04:50Z and may wait until 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
    "#]],
    );
}

#[test]
fn advice_is_what_would_be_done() {
    let mut scene = leaving();
    scene.policy().consent = Consent::Advise;
    check(
        &scene,
        &expect![[r#"
            hold `group spot` advice_only: the tag asks for advice only: step `group spot` `i-1` leaving: set `i-1` to DRAINING, because EC2 warned at 2026-03-01T11:59:55Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons (instances: 2 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 1 left, of which 0 stuck)
            hold `group spot` `i-1` `i-2` group_held: the group is left alone as a whole
            hold `group spot` `i-1` hook `ballast-instance-drain` group_held: the group is left alone as a whole
        "#]],
    );
    let memory = scene.decide().memories.into_values().next().unwrap();
    assert!(memory.departures.values().all(|it| it.own_drain.is_none()));
}

#[test]
fn advice_is_short() {
    let (mut scene, ids) = Scene::web(25);
    scene.policy().consent = Consent::Advise;
    for id in &ids {
        scene.warned(id, 5);
    }
    let text = scene.decide().plan.holds[0].to_string();
    assert!(text.contains("; and 5 more"), "{text}");
}

#[test]
fn gaps_are_named_once() {
    let mut scene = leaving();
    scene.snapshot.gaps = vec![gap("ecs:ListClusters")];
    scene.group("spot").gaps = vec![gap("autoscaling:DescribeScalingActivities")];
    scene.cluster().capacity.gaps = vec![gap("ecs:DescribeTasks"), gap("ecs:ListClusters")];
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` leaving: set `i-1` to DRAINING, because EC2 warned at 2026-03-01T11:59:55Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` snapshot_incomplete: not everything could be observed: `autoscaling:DescribeScalingActivities` for `demo`: throttled (ThrottlingException: Rate exceeded); `ecs:DescribeTasks` for `demo`: throttled (ThrottlingException: Rate exceeded); `ecs:ListClusters` for `demo`: throttled (ThrottlingException: Rate exceeded)
        hold `group spot` `i-2` staying: they stay
        hold `group spot` `i-1` hook `ballast-instance-drain` waiting_for_tasks: tasks are waited for; the action times out at 2026-03-01T12:04:50Z and may wait until 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
    "#]],
    );
}

#[test]
fn a_hook_that_is_missing_is_said_in_a_look_at_everything() {
    let mut scene = leaving();
    let theirs = hook("backup", 600);
    scene.group("spot").hooks = [(theirs.name.clone(), theirs)].into();
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` leaving: set `i-1` to DRAINING, because EC2 warned at 2026-03-01T11:59:55Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` hook_missing: the group has no terminating hook `ballast-instance-drain`: what it terminates by itself does not wait for its tasks; its hooks: backup (instances: 2 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 1 left, of which 0 stuck)
        hold `group spot` `i-2` staying: they stay
        hold `group spot` `i-1` hook `ballast-instance-drain` hook_of_somebody_else: it waits in a hook that is not Ballast's: backup
    "#]],
    );
    let mut managed = scene.clone();
    managed.group("spot").managed_draining = true;
    let missing = |scene: &Scene| {
        let holds = scene.decide().plan.holds;
        holds.iter().any(|it| it.reason.as_str() == "hook_missing")
    };
    assert!(missing(&scene) && !missing(&managed));
    scene.snapshot.is_full = false;
    assert!(!missing(&scene));
}

#[test]
fn a_hook_that_a_lost_event_would_cost_is_said() {
    let mut scene = leaving();
    let short = hook("ballast-instance-drain", 149);
    scene.group("spot").hooks = [(short.name.clone(), short)].into();
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` leaving: set `i-1` to DRAINING, because EC2 warned at 2026-03-01T11:59:55Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            step `group spot` `i-1` hook `ballast-instance-drain` tasks_left: keep `i-1` waiting in the hook `ballast-instance-drain`, because the action times out at 2026-03-01T12:02:19Z and may wait until 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            hold `group spot` hook_too_short: the hook `ballast-instance-drain` times out after 149 s; to outlast a lost event it needs 150 s (instances: 2 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 1 left, of which 0 stuck)
            hold `group spot` `i-2` staying: they stay
        "#]],
    );
}

#[test]
fn what_was_named_and_is_not_looked_after_is_held_by_itself() {
    let mut scene = Scene::new();
    scene.snapshot.is_full = false;
    scene.snapshot.groups.clear();
    let over = &mut scene.snapshot.passed_over;
    let id = |it: &str| it.parse().unwrap();
    over.insert(
        id("i-a"),
        InstancePassedOver::NotOptedIn {
            group: Some("other".parse().unwrap()),
            cluster: None,
        },
    );
    over.insert(
        id("i-b"),
        InstancePassedOver::NotOptedIn {
            group: None,
            cluster: Some("demo".parse().unwrap()),
        },
    );
    over.insert(id("i-c"), InstancePassedOver::NotFound);
    over.insert(
        id("i-d"),
        InstancePassedOver::Unread {
            gap: gap("autoscaling:DescribeAutoScalingInstances"),
        },
    );
    over.insert(
        id("i-e"),
        InstancePassedOver::LeftToSchedule {
            group: "spot".parse().unwrap(),
        },
    );
    check(
        &scene,
        &expect![[r#"
            hold `instance i-a` `i-a` not_opted_in: the group `other` does not carry the tag `ballast:instance-drain`
            hold `instance i-b` `i-b` not_opted_in: it is in no group, and the cluster `demo` does not carry the tag `ballast:instance-drain`
            hold `instance i-c` `i-c` not_found: it is in no Auto Scaling group and registered in no cluster that Ballast looks after
            hold `instance i-d` `i-d` unread: it could not be found out whose it is: `autoscaling:DescribeAutoScalingInstances` for `demo`: throttled (ThrottlingException: Rate exceeded)
            hold `instance i-e` `i-e` left_to_schedule: it drains or is gone, and nothing waits for that: it is in no lifecycle hook of the group `spot`; the schedule's look sees what is left
        "#]],
    );
    assert!(scene.decide().memories.is_empty());
}
