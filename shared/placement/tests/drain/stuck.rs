//! Tasks that ECS will not move in time: the prediction.

use expect_test::expect;
use model::capacity::{Constraint, HostPort, Protocol, Resources};
use model::drain::{DrainHoldReason, DrainStepReason, StuckTasks};
use model::strategy::StrategyItem;

use crate::scene::{Scene, check, definition};

/// What of the tasks of the first instance, which is warned, is stuck: one line for each reason.
#[track_caller]
fn expect_stuck(scene: &mut Scene, expected: &[&str]) {
    let id = "i-1".parse().unwrap();
    scene.warned(&id, 5);
    let lines: Vec<String> = stuck(scene).iter().map(ToString::to_string).collect();
    assert_eq!(lines, expected);
}

fn stuck(scene: &Scene) -> Vec<StuckTasks> {
    let plan = scene.decide().plan;
    let mut all = Vec::new();
    for step in plan.steps {
        if let DrainStepReason::Leaving { stuck, .. } = step.reason {
            all.extend(stuck);
        }
    }
    for hold in plan.holds {
        if let DrainHoldReason::Draining { stuck, .. } = hold.reason {
            all.extend(stuck);
        }
    }
    all
}

/// What the holds of groups at rest say that ECS could not move, and of how much more they say it.
fn immovable(scene: &Scene) -> (Vec<String>, u32) {
    let mut lines = Vec::new();
    let mut unnamed = 0;
    for hold in scene.decide().plan.holds {
        assert!(!hold.reason.leaves_unprotected());
        if let DrainHoldReason::Watching { immovable, more } = hold.reason {
            lines.extend(immovable.iter().map(ToString::to_string));
            unnamed += more;
        }
    }
    (lines, unnamed)
}

#[test]
fn a_group_at_rest_names_what_no_drain_could_move() {
    let (mut scene, ids) = Scene::web(2);
    scene.task("once", &ids[1]);
    scene.daemon(&ids[0]);
    scene.service("api", 0).maximum_percent = 100;
    scene.task("api", &ids[0]);
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves; if one did, ECS could not move 1 task of `family/once`: standalone, ECS does not move them; 1 task of `service/api`: minimum healthy 100 % and maximum 100 % let ECS neither stop one first nor start one first (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` `i-2` staying: they stay
    "#]],
    );
    // Tasks that a look does not read are not warned of.
    scene.cluster().tasks_read.clear();
    assert_eq!(immovable(&scene), (vec![], 0));
}

/// The same limits as when it leaves: 51 % of two tasks are two, and 149 % of them are two.
#[test]
fn a_service_that_may_shed_or_surge_is_not_warned_of() {
    let (mut scene, _) = Scene::web(2);
    for (minimum, maximum, is_named) in [
        (100, 100, true),
        (51, 149, true),
        (50, 100, false),
        (100, 150, false),
        (0, 100, false),
    ] {
        let service = scene.service("web", 0);
        service.minimum_healthy_percent = minimum;
        service.maximum_percent = maximum;
        assert_eq!(
            !immovable(&scene).0.is_empty(),
            is_named,
            "{minimum} {maximum}"
        );
    }
}

#[test]
fn of_many_services_that_no_drain_could_move_the_first_are_named() {
    let (mut scene, ids) = Scene::web(1);
    for number in 10..33 {
        let name = format!("fixed-{number}");
        scene.service(&name, 0).maximum_percent = 100;
        scene.task(&name, &ids[0]);
    }
    let (lines, more) = immovable(&scene);
    assert_eq!((lines.len(), more), (20, 3));
    assert!(scene.decide().plan.holds.iter().any(|it| {
        let text = it.to_string();
        text.contains("; and 3 more services or families")
    }));
}

#[test]
fn with_room_elsewhere_nothing_is_stuck() {
    let (mut scene, _) = Scene::web(2);
    expect_stuck(&mut scene, &[]);
}

#[test]
fn without_room_the_replacements_cannot_run_first() {
    let (mut scene, ids) = Scene::web(2);
    scene.task("web", &ids[0]);
    scene.container(&ids[1]).remaining = Resources {
        cpu_units: 511,
        memory_mib: 1_024,
        ..Resources::ZERO
    };
    expect_stuck(
        &mut scene,
        &["1 task of `service/web`: their replacements must run first, and there is room for 1"],
    );
}

#[test]
fn what_may_stop_first_needs_no_room() {
    let (mut scene, ids) = Scene::web(2);
    scene.fill(&ids[1]);
    scene.service("web", 0).minimum_healthy_percent = 50;
    expect_stuck(&mut scene, &[]);
    scene.task("web", &ids[0]);
    scene.service("web", 0).minimum_healthy_percent = 67;
    let lines = stuck(&scene);
    assert_eq!(lines.len(), 1, "3 × 67 % is 3 tasks");
}

#[test]
fn what_was_started_already_needs_no_room() {
    let (mut scene, ids) = Scene::web(2);
    scene.fill(&ids[1]);
    scene.service("web", 0).pending_count = 1;
    expect_stuck(&mut scene, &[]);
    // The replacement of one that is stopping is not that of the other.
    scene.task("web", &ids[0]).desired_running = false;
    assert_eq!(scene.service("web", 0).desired_count, 3);
    assert_eq!(stuck(&scene).len(), 1);
}

/// Two tasks, and one replacement that runs already: of the two one may stop.
#[test]
fn a_replacement_counts_once() {
    let (mut scene, ids) = Scene::web(2);
    scene.task("web", &ids[0]);
    scene.fill(&ids[1]);
    let service = scene.service("web", 0);
    service.desired_count = 2;
    expect_stuck(
        &mut scene,
        &["1 task of `service/web`: their replacements must run first, and there is room for 0"],
    );
}

#[test]
fn where_not_every_instance_was_read_there_may_be_room() {
    let (mut scene, ids) = Scene::web(2);
    scene.fill(&ids[1]);
    scene.cluster().has_every_instance = false;
    expect_stuck(&mut scene, &[]);
}

#[test]
fn only_an_instance_that_stays_and_takes_tasks_has_room() {
    for change in [
        (|scene, id| scene.warned(id, 1)) as fn(&mut Scene, &model::InstanceId),
        |scene, id| scene.draining(id, 60),
        |scene, id| scene.disconnected(id, 10),
        |scene, id| scene.terminating(id, 10),
        |scene, _| scene.service("web", 0).constraints = vec![Constraint::DistinctInstance],
        |scene, _| {
            let expression = "attribute:disk == fast".to_owned();
            scene.service("web", 0).constraints = vec![Constraint::MemberOf { expression }];
        },
        |scene, _| {
            scene.service("web", 0).strategy = vec![StrategyItem {
                provider: "other".parse().unwrap(),
                base: 0,
                weight: 1,
            }];
        },
        |scene, id| {
            let port = HostPort {
                protocol: Protocol::Tcp,
                port: 80,
            };
            scene.container(id).host_ports.insert(port);
            let shapes = &mut scene.capacity().task_definitions;
            shapes.get_mut(&definition("web")).unwrap().host_ports = [port].into();
        },
    ] {
        let (mut scene, ids) = Scene::web(2);
        scene.warned(&ids[0], 5);
        change(&mut scene, &ids[1]);
        let lines: Vec<String> = stuck(&scene).iter().map(ToString::to_string).collect();
        assert!(
            lines.iter().any(|it| it.contains("there is room for 0")),
            "{lines:?}"
        );
    }
}

/// The one with the earlier deadline gets the room.
#[test]
fn room_is_given_once() {
    let (mut scene, ids) = Scene::web(3);
    scene.container(&ids[2]).remaining = Resources {
        cpu_units: 256,
        memory_mib: 512,
        ..Resources::ZERO
    };
    scene.warned(&ids[0], 5);
    scene.warned(&ids[1], 6);
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-2` leaving: set `i-2` to DRAINING, because EC2 warned at 2026-03-01T11:59:54Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:54Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        step `group spot` `i-1` leaving: set `i-1` to DRAINING, because EC2 warned at 2026-03-01T11:59:55Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:55Z; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: their replacements must run first, and there is room for 0
        hold `group spot` departing: instances leave (instances: 3 looked at, 2 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 0 may leave; tasks: 2 left, of which 1 stuck)
        hold `group spot` `i-3` staying: they stay
    "#]],
    );
}

#[test]
fn a_service_that_may_do_neither_is_stuck() {
    let (mut scene, ids) = Scene::web(2);
    scene.service("web", 0).maximum_percent = 100;
    expect_stuck(
        &mut scene,
        &[
            "1 task of `service/web`: minimum healthy 100 % and maximum 100 % let ECS neither stop one first nor start one first",
        ],
    );
    scene.service("web", 0).maximum_percent = 149;
    assert_eq!(stuck(&scene).len(), 1, "149 % of 2 is 2");
    scene.service("web", 0).maximum_percent = 150;
    assert!(stuck(&scene).is_empty(), "150 % of 2 is 3");
    let _unused = ids;
}

#[test]
fn the_other_reasons() {
    let (mut scene, ids) = Scene::web(3);
    scene.task("batch", &ids[0]);
    scene.daemon(&ids[0]);
    scene.stop_timeout("web", 121);
    expect_stuck(
        &mut scene,
        &[
            "1 task of `family/batch`: standalone, ECS does not move them",
            "1 task of `service/web`: the stop timeout of 121 s ends after 2026-03-01T12:01:55Z, when the instance goes",
        ],
    );
    scene.disconnected(&ids[0], 5);
    assert_eq!(
        stuck(&scene)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        [
            "1 task of `family/batch`: the agent is disconnected and cannot stop them",
            "1 task of `service/web`: the agent is disconnected and cannot stop them",
        ]
    );
}

/// Five tasks that are replaced one after the other, a minute each, and 115 s to go: the first is in time.
#[test]
fn replacements_that_start_one_after_the_other_take_too_long() {
    let (mut scene, ids) = Scene::web(2);
    for _ in 0..4 {
        scene.task("web", &ids[0]);
    }
    scene.container(&ids[1]).remaining = Resources {
        cpu_units: 16_384,
        memory_mib: 65_536,
        ..Resources::ZERO
    };
    // 117 % of 6 is 7.
    scene.service("web", 0).maximum_percent = 117;
    expect_stuck(
        &mut scene,
        &[
            "4 tasks of `service/web`: their replacements must run first, 1 at a time, and 60 s each time: until 2026-03-01T12:01:55Z there is time for 1 round",
        ],
    );
    // 134 % is 8: two at a time.
    scene.service("web", 0).maximum_percent = 134;
    assert_eq!(stuck(&scene)[0].tasks, 3);
    scene.service("web", 0).maximum_percent = 200;
    assert_eq!(stuck(&scene).len(), 0);
    // With room that is not known the time is.
    scene.service("web", 0).maximum_percent = 134;
    scene.cluster().has_every_instance = false;
    assert_eq!(stuck(&scene)[0].tasks, 3);
}

/// Two instances that go: the turns of the one with the later deadline come after those of the other.
#[test]
fn turns_are_taken_once() {
    let (mut scene, ids) = Scene::web(3);
    scene.service("web", 0).maximum_percent = 134;
    scene.warned(&ids[0], 6);
    expect_stuck(&mut scene, &[]);
    scene.hints.notices.clear();
    scene.warned(&ids[0], 6);
    scene.warned(&ids[1], 5);
    assert_eq!(
        stuck(&scene)
            .iter()
            .map(|it| (it.tasks, it.why.as_str()))
            .collect::<Vec<_>>(),
        [(1, "too_slow")]
    );
}

/// A stop timeout that was short enough all the time is not why a task is still there.
#[test]
fn what_had_its_chance_was_not_moved() {
    for (draining_secs, expected) in [(29, "stop_too_long"), (30, "not_moved")] {
        let (mut scene, ids) = Scene::web(2);
        scene.service("web", 0).minimum_healthy_percent = 50;
        scene.warned(&ids[0], 95);
        scene.draining(&ids[0], draining_secs);
        let whys: Vec<&str> = stuck(&scene).iter().map(|it| it.why.as_str()).collect();
        assert_eq!(whys, [expected]);
    }
}
