//! Room that ECS does not use: what does not count as room, and what is said where packing and ECS disagree.

use model::ServiceKey;
use model::capacity::{CapacityHoldReason, Constraint};
use model::trigger::PlacementFailure;

use super::scene::{Scene, ago, text};
use super::size::{raised, scene};

/// One empty instance, and three tasks that wait for it.
fn waits(provider: &str) -> Scene {
    let mut scene = Scene::new();
    scene.types(provider, "t3.small");
    scene.service("web", 3, &format!("{provider}=0/1"));
    scene.instance(provider, "t3.small");
    scene.waiting("web", provider, 3);
    scene
}

fn only_instance(scene: &mut Scene) -> model::InstanceId {
    scene.group("ec2").instances.keys().next().unwrap().clone()
}

fn not_placed(scene: &Scene) -> bool {
    matches!(
        scene.held("ec2"),
        CapacityHoldReason::NotPlaced { tasks: 3, .. }
    )
}

#[test]
fn tasks_that_ecs_could_not_place_are_said() {
    let key: ServiceKey = "demo/web".parse().unwrap();
    for (reported, secs, said) in [
        (true, 60, true),
        (false, 60, true),
        (false, 1_000, false),
        (true, 1_000, false),
    ] {
        let mut scene = waits("ec2");
        assert_eq!(scene.held("ec2"), CapacityHoldReason::RightSize);
        if reported {
            let failure = PlacementFailure {
                service: key.clone(),
                providers: Vec::new(),
                reason: "RESOURCE:PORTS".to_owned(),
            };
            scene
                .hints
                .placement_failures
                .push((Some(ago(secs)), failure));
        } else {
            let service = scene.cluster().services.values_mut().next().unwrap();
            service.placement_failed_at = Some(ago(secs));
        }
        assert_eq!(
            not_placed(&scene),
            said,
            "{reported} {secs}: {}",
            text(&scene.decide())
        );
    }
}

#[test]
fn tasks_that_wait_for_long_though_there_is_room_are_said() {
    let mut scene = waits("ec2");
    for task in &mut scene.cluster().tasks {
        task.created_at = Some(ago(400));
    }
    assert!(not_placed(&scene));
    assert!(scene.held("ec2").leaves_unprotected());
    // The room has only just come.
    let id = only_instance(&mut scene);
    scene.container(&id).registered_at = Some(ago(10));
    assert_eq!(scene.held("ec2"), CapacityHoldReason::RightSize);
}

#[test]
fn an_instance_whose_agent_stays_away_is_no_room() {
    let mut scene = waits("ec2");
    let id = only_instance(&mut scene);
    scene.container(&id).agent_connected = false;
    assert_eq!(raised(&scene, "ec2"), None, "an agent that connects anew");
    scene.memory("ec2").disconnected.insert(id, ago(61));
    assert_eq!(raised(&scene, "ec2"), Some(2));
}

#[test]
fn an_instance_of_no_or_another_provider_is_no_room_for_its_tasks() {
    for provider in [None, Some("other".parse().unwrap())] {
        let mut scene = waits("ec2");
        let id = only_instance(&mut scene);
        scene.container(&id).provider = provider;
        assert_eq!(raised(&scene, "ec2"), Some(2));
        assert!(text(&scene.decide()).contains("not_of_provider"));
    }
}

#[test]
fn the_number_of_running_tasks_is_that_of_the_instance() {
    let mut scene = scene(0);
    scene.service("alone", 1, "ec2=0/1").constraints = vec![Constraint::MemberOf {
        expression: "runningTasksCount == 0".to_owned(),
    }];
    let id = scene.instance("ec2", "t3.small");
    scene.waiting("alone", "ec2", 1);
    assert_eq!(raised(&scene, "ec2"), None);
    scene.task("web", &id);
    assert_eq!(raised(&scene, "ec2"), Some(2));
}

#[test]
fn what_is_not_known_of_an_instance_that_is_there_is_no_room() {
    for (version, to) in [
        (Some("1.82.0"), None),
        (Some("1.10.0"), Some(2)),
        (None, Some(2)),
    ] {
        let mut scene = waits("ec2");
        let service = scene.cluster().services.values_mut().next().unwrap();
        service.constraints = vec![Constraint::MemberOf {
            expression: "agentVersion >= 1.50.0".to_owned(),
        }];
        let id = only_instance(&mut scene);
        scene.container(&id).agent_version = version.map(str::to_owned);
        assert_eq!(raised(&scene, "ec2"), to, "{version:?}");
    }
}

#[test]
fn a_count_that_nobody_can_run_is_not_placed_one_by_one() {
    let mut scene = scene(i32::MAX.unsigned_abs());
    scene.group("ec2").max_size = 3;
    let service = scene.cluster().services.values_mut().next().unwrap();
    service.placement = vec![model::capacity::Placement::Spread {
        field: "attribute:ecs.availability-zone".to_owned(),
    }];
    scene.shape("web").needs = model::capacity::Resources::default();
    assert_eq!(raised(&scene, "ec2"), Some(1));
    let numbers = scene.numbers("ec2");
    assert_eq!(numbers.tasks_unplaceable, i32::MAX.unsigned_abs() - 20_000);
}
