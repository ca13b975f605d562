//! Drains by choice: rebalance recommendations and lost agents.

use expect_test::expect;
use model::InstanceId;
use model::capacity::{Activity, GroupTypes, Lifecycle, TypeChoice};
use model::trigger::Notice;

use crate::scene::{Scene, check, gap};

fn reasons(scene: &Scene) -> Vec<&'static str> {
    let plan = scene.decide().plan;
    plan.steps.iter().map(|it| it.reason.as_str()).collect()
}

/// Why the instance is held.
#[track_caller]
fn held(scene: &Scene, id: &InstanceId) -> &'static str {
    let plan = scene.decide().plan;
    let hold = plan.holds.iter().find(|it| {
        matches!(&it.subject, model::drain::DrainSubject::Instances { instances, .. } if instances.contains(id))
    });
    hold.unwrap().reason.as_str()
}

/// Two instances in two zones, the first recommended to be rebalanced, and the tag that asks for a drain.
fn recommended() -> (Scene, Vec<InstanceId>) {
    let (mut scene, ids) = Scene::web(2);
    scene.policy().drain_on_rebalance = true;
    scene.said(&ids[0], 10, Notice::Rebalance);
    (scene, ids)
}

#[test]
fn without_the_tag_a_recommendation_is_recorded() {
    let (mut scene, _) = recommended();
    scene.policy().drain_on_rebalance = false;
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` rebalance_not_asked: EC2 recommended at 2026-03-01T11:59:50Z to rebalance it, and the tag `ballast:drain-on-rebalance` is not `true`
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
}

#[test]
fn with_the_tag_and_room_in_another_pool_it_is_drained() {
    let (mut scene, _) = recommended();
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` selective: set `i-1` to DRAINING, because EC2 recommended at 2026-03-01T11:59:50Z to rebalance it; there is room for 1 task of it elsewhere; the disruption budget allows 1; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` departing: instances leave (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.act();
    scene.later(60);
    check(
        &scene,
        &expect![[r#"
        hold `group spot` departing: instances leave (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 60 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` draining: DRAINING since 2026-03-01T12:00:00Z by Ballast's hand; EC2 recommended at 2026-03-01T11:59:50Z to rebalance it; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
}

#[test]
fn room_in_the_same_pool_does_not_count() {
    let (mut scene, ids) = recommended();
    scene.raised();
    scene.fill(&ids[1]);
    scene.instance("spot");
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` selective: set `i-1` to DRAINING, because EC2 recommended at 2026-03-01T11:59:50Z to rebalance it; cluster-scaler raises the group, which may launch from 1 other pool in which no launch failed lately, and may grow by 7 more than what leaves or drains already waits for; the disruption budget allows 1; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            hold `group spot` departing: instances leave (instances: 3 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
            hold `group spot` `i-2` `i-5` staying: they stay
        "#]],
    );
    scene.group("spot").group.as_mut().unwrap().max_size = 3;
    check(
        &scene,
        &expect![[r#"
            hold `group spot` watching: no instance that was looked at leaves (instances: 3 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
            hold `group spot` `i-1` no_other_pool: EC2 recommended at 2026-03-01T11:59:50Z to rebalance it; its tasks find no room in another pool: the instances that stay have no room for all of them, and the group launches nothing, or is at its maximum with what already waits for a launch
            hold `group spot` `i-2` `i-5` staying: they stay
        "#]],
    );
}

#[test]
fn a_pool_that_failed_lately_is_no_other_pool() {
    let (mut scene, ids) = recommended();
    scene.raised();
    scene.fill(&ids[1]);
    let started_at = scene.ago(599);
    let group = scene.group("spot").group.as_mut().unwrap();
    group.activities.push(Activity {
        id: "activity-1".to_owned(),
        started_at,
        status: "Failed".to_owned(),
        status_message: "Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity due to your request configuration.".to_owned(),
        description: "Launching a new EC2 instance.".to_owned(),
        zone: Some("us-west-2b".parse().unwrap()),
    });
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` no_other_pool: EC2 recommended at 2026-03-01T11:59:50Z to rebalance it; its tasks find no room in another pool: the instances that stay have no room for all of them, and the group has no other pool from which no launch failed lately
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    let group = scene.group("spot").group.as_mut().unwrap();
    group.types = GroupTypes::Listed {
        choices: ["m5.large", "m6i.large"]
            .map(|it| TypeChoice {
                instance_type: it.parse().unwrap(),
                weighted_capacity: None,
            })
            .into(),
    };
    assert_eq!(reasons(&scene), ["selective"], "another type in its zone");
    let group = scene.group("spot").group.as_mut().unwrap();
    group.suspended_processes.insert("Launch".to_owned());
    assert_eq!(held(&scene, &ids[0]), "no_other_pool");
    scene.later(1);
    assert_eq!(held(&scene, &ids[0]), "no_other_pool");
}

#[test]
fn tasks_that_were_not_read_are_not_proved_to_fit() {
    let (mut scene, ids) = recommended();
    scene.raised();
    scene.cluster().tasks_read.clear();
    check(
        &scene,
        &expect![[r#"
            hold `group spot` watching: no instance that was looked at leaves (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
            hold `group spot` `i-1` no_other_pool: EC2 recommended at 2026-03-01T11:59:50Z to rebalance it; its tasks find no room in another pool: its tasks were not read
            hold `group spot` `i-2` staying: they stay
        "#]],
    );
    scene.empty(&ids[0]);
    scene.looked(&ids[0]).tasks_counted = Some(0);
    let text = scene.decide().plan.steps[0].to_string();
    assert!(text.contains("there is room for 0 tasks of it"), "{text}");
}

/// Ten percent of eleven are two.
#[test]
fn as_many_drain_as_the_budget_allows_and_the_oldest_first() {
    let (mut scene, ids) = Scene::web(11);
    scene.policy().drain_on_rebalance = true;
    for (number, id) in ids.iter().enumerate().take(4) {
        let secs = 10 + i64::try_from(number).unwrap();
        scene.said(id, secs, Notice::Rebalance);
    }
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-4` selective: set `i-4` to DRAINING, because EC2 recommended at 2026-03-01T11:59:47Z to rebalance it; there is room for 1 task of it elsewhere; the disruption budget allows 2; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            step `group spot` `i-3` selective: set `i-3` to DRAINING, because EC2 recommended at 2026-03-01T11:59:48Z to rebalance it; there is room for 1 task of it elsewhere; the disruption budget allows 1; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            hold `group spot` departing: instances leave (instances: 11 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 4 may leave; tasks: 0 left, of which 0 stuck)
            hold `group spot` `i-1` disruption_budget_spent: EC2 recommended at 2026-03-01T11:59:50Z to rebalance it; 2 instances may drain at a time, and 2 drain or are not healthy
            hold `group spot` `i-10` `i-11` `i-5` `i-6` `i-7` and 2 more staying: they stay
            hold `group spot` `i-2` disruption_budget_spent: EC2 recommended at 2026-03-01T11:59:49Z to rebalance it; 2 instances may drain at a time, and 2 drain or are not healthy
        "#]],
    );
}

/// AWS often announces maintenance for a whole rack at once.
#[test]
fn planned_maintenance_keeps_to_the_budget_until_it_is_near() {
    let (mut scene, ids) = Scene::web(4);
    for (id, begins_in_secs) in ids.iter().zip([1_000, 1_700, 1_500]) {
        let notice = Notice::Maintenance {
            code: "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED".to_owned(),
            health_event: None,
            starts_at: Some(scene.ago(-begins_in_secs)),
            is_over: false,
        };
        scene.said(id, 5, notice);
    }
    let mut named = scene.clone();
    named.snapshot.is_full = false;
    assert_eq!(held(&named, &ids[0]), "waits_for_full_look");
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` leaving: set `i-1` to DRAINING, because AWS Health announced `AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED` for 2026-03-01T12:16:40Z, and it goes at 2026-03-01T12:16:40Z; the disruption budget allows 1; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            hold `group spot` departing: instances leave (instances: 4 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 3 may leave; tasks: 0 left, of which 0 stuck)
            hold `group spot` `i-2` disruption_budget_spent: AWS Health announced `AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED` for 2026-03-01T12:28:20Z; 1 instance may drain at a time, and 1 drain or are not healthy until 2026-03-01T12:18:20Z
            hold `group spot` `i-3` disruption_budget_spent: AWS Health announced `AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED` for 2026-03-01T12:25:00Z; 1 instance may drain at a time, and 1 drain or are not healthy until 2026-03-01T12:15:00Z
            hold `group spot` `i-4` staying: they stay
        "#]],
    );
    assert!(
        scene.decide().plan.steps[0].needs_ledger(),
        "two might drain"
    );
    scene.act();
    scene.later(899);
    assert!(reasons(&scene).is_empty());
    scene.later(1);
    let plan = scene.decide().plan;
    let steps: Vec<String> = plan.steps.iter().map(|it| it.subject.to_string()).collect();
    assert_eq!(steps, ["`group spot` `i-3`"], "600 s before it begins");
    assert!(!plan.steps[0].needs_ledger());
    scene.forget();
    scene.snapshot.is_full = false;
    let notice = Notice::Maintenance {
        code: "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED".to_owned(),
        health_event: None,
        starts_at: Some(scene.ago(-600)),
        is_over: false,
    };
    scene.said(&ids[2], 5, notice);
    assert_eq!(reasons(&scene), ["leaving"]);
}

#[test]
fn what_drains_leaves_or_is_unhealthy_spends_the_budget() {
    for change in [
        (|scene, id| scene.draining(id, 60)) as fn(&mut Scene, &InstanceId),
        |scene, id| scene.warned(id, 10),
        |scene, id| scene.terminating(id, 10),
        |scene, id| scene.member(id).is_healthy = false,
    ] {
        let (mut scene, ids) = recommended();
        scene.instance("spot");
        change(&mut scene, &ids[1]);
        assert_eq!(held(&scene, &ids[0]), "disruption_budget_spent");
    }
}

/// Else it would spend twice, and another be drained at the next look.
#[test]
fn what_spends_the_budget_already_spends_no_more_of_it() {
    let (mut scene, ids) = recommended();
    scene.raised();
    scene.policy().disruption_percent = 100;
    scene.said(&ids[1], 5, Notice::Rebalance);
    scene.member(&ids[0]).is_healthy = false;
    assert_eq!(reasons(&scene), ["selective", "selective"]);
    scene.act();
    assert!(reasons(&scene).is_empty());
}

#[test]
fn a_choice_needs_a_look_at_everything_without_a_gap_and_a_memory() {
    for change in [
        (|scene| scene.snapshot.is_full = false) as fn(&mut Scene),
        |scene| scene.forget(),
        |scene| scene.snapshot.gaps = vec![gap("ecs:ListClusters")],
        |scene| scene.group("spot").gaps = vec![gap("ecs:DescribeTasks")],
        |scene| scene.cluster().capacity.gaps = vec![gap("ecs:DescribeTasks")],
    ] {
        let (mut scene, ids) = recommended();
        change(&mut scene);
        assert!(reasons(&scene).is_empty());
        assert_eq!(held(&scene, &ids[0]), "waits_for_full_look");
    }
    let (mut scene, _) = recommended();
    scene.snapshot.is_full = false;
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves
        hold `group spot` `i-1` waits_for_full_look: EC2 recommended at 2026-03-01T11:59:50Z to rebalance it; that is decided in a look at everything that leaves no gap, with the ledger
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
}

#[test]
fn an_instance_out_of_service_is_not_drained_by_choice() {
    let (mut scene, ids) = recommended();
    scene.member(&ids[0]).lifecycle = Lifecycle::Standby;
    assert_eq!(held(&scene, &ids[0]), "staying");
}

#[test]
fn a_recommendation_that_nothing_followed_is_over_and_not_repeated() {
    let (mut scene, ids) = recommended();
    scene.act();
    scene.empty(&ids[0]);
    scene.later(3_590);
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` cause_gone: set `i-1` to ACTIVE again, because Ballast drained it at 2026-03-01T12:00:00Z for `rebalance`, and it stays: nothing has followed EC2's recommendation for 3600 s
        hold `group spot` departing: instances leave (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 3590 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.act();
    scene.said(&ids[0], 0, Notice::Rebalance);
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` drained_before: EC2 recommended at 2026-03-01T12:59:50Z to rebalance it; a drain of it was taken back at 2026-03-01T12:59:50Z, and it is not drained by choice until 2026-03-01T18:59:50Z
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.act();
    scene.later(21_600);
    scene.said(&ids[0], 0, Notice::Rebalance);
    assert_eq!(reasons(&scene), ["selective"]);
}

#[test]
fn a_lost_agent_is_said_and_drained_where_that_is_asked_for() {
    let (mut scene, ids) = Scene::web(2);
    scene.disconnected(&ids[0], 299);
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` agent_disconnected: the agent has been disconnected since 2026-03-01T11:55:01Z
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.later(1);
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` agent_lost: the agent has been disconnected since 2026-03-01T11:55:01Z, longer than its grace: ECS does not replace what runs there, and the tag `ballast:drain-on-lost-agent` is not `true`; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.policy().drain_on_lost_agent = true;
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` selective: set `i-1` to DRAINING, because its agent has been disconnected since 2026-03-01T11:55:01Z; there is room for 1 task of it elsewhere; the disruption budget allows 1; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` departing: instances leave (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.act();
    scene.later(60);
    scene.container(&ids[0]).agent_connected = true;
    assert_eq!(reasons(&scene), ["cause_gone"]);
}

/// What a moment ago was set to DRAINING, and does not read so yet, is not drained again, and counts.
#[test]
fn a_drain_that_does_not_show_yet_counts() {
    let (mut scene, ids) = recommended();
    scene.raised();
    scene.act();
    let container = scene.container(&ids[0]);
    container.status = model::capacity::ContainerInstanceStatus::Active;
    scene.said(&ids[1], 10, Notice::Rebalance);
    assert_eq!(held(&scene, &ids[0]), "draining");
    assert_eq!(held(&scene, &ids[1]), "disruption_budget_spent");
    scene.later(59);
    assert_eq!(held(&scene, &ids[0]), "draining");
    scene.later(1);
    assert_eq!(held(&scene, &ids[0]), "activated_by_somebody_else");
    assert_eq!(reasons(&scene), ["selective"], "the budget is free again");
}
