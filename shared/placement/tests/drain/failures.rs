//! Failures of other tools that this one must not repeat. The letters are those of the project's list of them.

use expect_test::expect;
use model::drain::{DrainHoldReason, DrainSubject};
use model::trigger::{MachineState, Notice};
use model::{InstanceId, Seconds};

use crate::scene::{Scene, check, hook, key};

fn reasons(scene: &Scene) -> Vec<&'static str> {
    let plan = scene.decide().plan;
    plan.steps.iter().map(|it| it.reason.as_str()).collect()
}

/// Why the instance is held.
#[track_caller]
fn held(scene: &Scene, id: &InstanceId) -> DrainHoldReason {
    let plan = scene.decide().plan;
    let hold = plan.holds.iter().find(|it| {
        matches!(&it.subject, DrainSubject::Instances { instances, .. } if instances.contains(id))
    });
    hold.unwrap().reason.clone()
}

/// The event came before the instance had registered, and was dropped: the instance was killed with its tasks.
#[test]
fn f8_an_event_before_the_registration_is_kept_until_the_deadline() {
    let mut scene = Scene::new();
    scene.service("web", 0);
    let id = scene.starting("spot");
    scene.warned(&id, 10);
    scene.act();
    scene.later(60);
    scene.act();
    scene.later(30);
    scene.register(&id);
    scene.task("web", &id);
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` leaving: set `i-1` to DRAINING, because EC2 warned at 2026-03-01T11:59:50Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:50Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
        hold `group spot` departing: instances leave (instances: 1 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 1 left, of which 1 stuck)
    "#]],
    );
}

/// The same for an instance that its group terminates while it boots.
#[test]
fn f8_a_wait_in_a_hook_is_drained_when_the_instance_registers() {
    let mut scene = Scene::new();
    scene.service("web", 0);
    let id = scene.starting("spot");
    scene.terminating(&id, 10);
    assert!(reasons(&scene).is_empty());
    scene.act();
    scene.later(220);
    assert_eq!(reasons(&scene), ["tasks_left"]);
    scene.act();
    scene.register(&id);
    scene.task("web", &id);
    assert_eq!(reasons(&scene), ["leaving"]);
}

/// An event for an instance that had gone already ended in a crash loop, and its hook waited to time out.
#[test]
fn f9_an_event_for_what_is_gone_lets_the_hook_go_on() {
    let (mut scene, ids) = Scene::web(1);
    scene.terminating(&ids[0], 20);
    scene.act();
    scene.later(60);
    scene.deregister(&ids[0]);
    let state = MachineState::Terminated;
    scene.said(&ids[0], 5, Notice::StateChanged { state });
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` hook `ballast-instance-drain` nothing_to_wait_for: let `i-1` go on from the hook `ballast-instance-drain` (CONTINUE), because there is nothing to wait for: EC2 said at 2026-03-01T12:00:55Z that it ends
            hold `group spot` departing: instances leave (instances: 1 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
            hold `group spot` `i-1` gone: it is gone: EC2 said at 2026-03-01T12:00:55Z that it ends
        "#]],
    );
}

/// The action was completed before the tasks had finished.
#[test]
fn f10_the_hook_goes_on_without_tasks_or_at_its_deadline_only() {
    let (mut scene, ids) = Scene::web(1);
    scene.terminating(&ids[0], 0);
    scene.act();
    let mut completed = false;
    for _ in 0..100 {
        scene.later(9);
        let decision = scene.decide();
        let reached = Seconds::between(crate::scene::start(), scene.now) >= Seconds(900);
        completed = decision.plan.steps.iter().any(|it| {
            matches!(
                it.action,
                model::drain::DrainAction::CompleteLifecycleAction { .. }
            )
        });
        assert_eq!(completed, reached);
        scene.act();
    }
    assert!(completed);
}

/// Retries outlived the hook, and its answer "no active action" was an error each time.
#[test]
fn f11_after_its_deadline_a_wait_is_neither_extended_nor_asked_for_at_each_look() {
    let (mut scene, ids) = Scene::web(1);
    scene.terminating(&ids[0], 1_000);
    scene.draining(&ids[0], 990);
    let mut completions = 0;
    for _ in 0..180 {
        for reason in reasons(&scene) {
            assert_eq!(reason, "deadline_reached");
            completions += 1;
        }
        scene.act();
        // The group is slow to show it.
        scene.member(&ids[0]).waits_in_hook = true;
        scene.later(5);
    }
    assert_eq!(completions, 3, "once in 300 s");
}

/// Ten recommendations for each interruption: endless thrashing, and what was cordoned stayed so.
#[test]
fn f14_recommendations_move_no_more_than_the_budget_and_what_they_moved_comes_back() {
    let (mut scene, ids) = Scene::web(10);
    for id in &ids {
        scene.said(id, 5, Notice::Rebalance);
    }
    assert!(reasons(&scene).is_empty(), "the default is to do nothing");
    scene.group("spot").group.as_mut().unwrap().max_size = 20;
    scene.policy().drain_on_rebalance = true;
    scene.raised();
    let (mut drains, mut again) = (0, 0);
    for _ in 0..200 {
        for reason in reasons(&scene) {
            match reason {
                "selective" => drains += 1,
                "cause_gone" => again += 1,
                other => panic!("{other}"),
            }
        }
        scene.act();
        for id in &ids {
            scene.said(id, 5, Notice::Rebalance);
        }
        let draining: Vec<&InstanceId> = ids
            .iter()
            .filter(|id| {
                let status = scene.clone().container(id).status;
                status == model::capacity::ContainerInstanceStatus::Draining
            })
            .collect();
        assert!(draining.len() <= 1, "ten percent of ten");
        for id in draining {
            // ECS moves what is on it.
            scene.empty(id);
        }
        scene.later(60);
    }
    // It is recommended again and again: each drain lasts an hour, and no instance is drained twice.
    assert_eq!((drains, again), (4, 3));
    scene.hints.notices.clear();
    scene.later(3_600);
    assert_eq!(reasons(&scene), ["cause_gone"]);
}

/// "Do not drain on rebalance" was ignored.
#[test]
fn f15_what_is_switched_off_appears_in_no_plan() {
    let notices = [
        Notice::Rebalance,
        Notice::StateChanged {
            state: MachineState::Stopping,
        },
        Notice::Maintenance {
            code: "AWS_EC2_INSTANCE_NETWORK_MAINTENANCE_SCHEDULED".to_owned(),
            health_event: None,
            starts_at: Some(crate::scene::start()),
            is_over: false,
        },
    ];
    for notice in notices {
        for full in [false, true] {
            let (mut scene, ids) = Scene::web(3);
            scene.snapshot.is_full = full;
            scene.disconnected(&ids[1], 1_000);
            scene.said(&ids[0], 5, notice.clone());
            assert!(reasons(&scene).is_empty(), "{notice:?}");
        }
    }
    let (mut scene, ids) = Scene::web(2);
    scene.task("batch", &ids[0]);
    scene.warned(&ids[0], 60);
    scene.draining(&ids[0], 60);
    assert!(reasons(&scene).is_empty(), "no task is stopped");
    scene.hints.notices.clear();
    scene.memories.clear();
    for id in &ids {
        scene.container(id).status = model::capacity::ContainerInstanceStatus::Active;
        scene.warned(id, 5);
    }
    scene.policy().paused = true;
    assert!(reasons(&scene).is_empty(), "nothing is drained");
}

/// The event was handled 39 s late, and the instance had been terminated already.
#[test]
fn f17_a_late_event_drains_no_ghost() {
    for secs in [120, 159, 299, 300, 3_600, 86_400] {
        let (mut scene, ids) = Scene::web(2);
        scene.warned(&ids[0], secs);
        assert!(reasons(&scene).is_empty());
        let name = held(&scene, &ids[0]).as_str();
        let want = if secs < 300 { "too_late" } else { "staying" };
        assert_eq!(name, want, "{secs}");
        scene.deregister(&ids[0]);
        assert!(reasons(&scene).is_empty());
    }
    let (mut scene, ids) = Scene::web(2);
    scene.warned(&ids[0], 39);
    scene.container(&ids[0]).agent_connected = false;
    let state = MachineState::ShuttingDown;
    scene.said(&ids[0], 20, Notice::StateChanged { state });
    assert_eq!(held(&scene, &ids[0]).as_str(), "gone");
}

/// Minimum healthy 100 % and maximum 100 %: such a drain never ends, and nobody said so.
#[test]
fn f20_a_drain_that_cannot_end_is_predicted() {
    let (mut scene, ids) = Scene::web(2);
    scene.service("web", 0).maximum_percent = 100;
    scene.warned(&ids[0], 5);
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` leaving: set `i-1` to DRAINING, because EC2 warned at 2026-03-01T11:59:55Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: minimum healthy 100 % and maximum 100 % let ECS neither stop one first nor start one first
        hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 1 left, of which 1 stuck)
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
}

/// A lost agent: its tasks were never started elsewhere.
#[test]
fn f21_an_agent_that_is_away_for_a_moment_is_nothing_and_one_that_is_lost_is_said() {
    let (mut scene, ids) = Scene::web(2);
    scene.container(&ids[0]).agent_connected = false;
    for _ in 0..5 {
        let name = held(&scene, &ids[0]).as_str();
        assert_eq!(name, "agent_disconnected");
        scene.act();
        scene.later(60);
    }
    assert_eq!(held(&scene, &ids[0]).as_str(), "agent_lost");
    assert!(held(&scene, &ids[0]).leaves_unprotected());
    // What departs finds no room there.
    scene.warned(&ids[1], 5);
    let text = scene.decide().plan.steps[0].to_string();
    assert!(text.contains("there is room for 0"), "{text}");
}

/// DRAINING for 48 hours.
#[test]
fn f22_a_drain_that_is_stuck_is_said_and_a_hook_ends_it() {
    let (mut scene, ids) = Scene::web(2);
    scene.draining(&ids[0], 172_800);
    let reason = held(&scene, &ids[0]);
    assert_eq!(reason.as_str(), "drain_stuck");
    assert!(reason.leaves_unprotected());
    let decision = scene.decide();
    let numbers = decision.plan.holds[0].numbers.unwrap();
    assert_eq!(numbers.oldest_drain, Some(Seconds(172_800)));
    let long = hook("ballast-instance-drain", 7_200);
    scene.group("spot").hooks = [(long.name.clone(), long)].into();
    scene.terminating(&ids[0], 900);
    assert_eq!(reasons(&scene), ["deadline_reached"]);
    assert!(decision.memories.contains_key(&key("spot")));
}
