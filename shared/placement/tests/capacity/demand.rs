//! Which tasks need room, and what they ask of an instance.

use std::collections::BTreeSet;

use expect_test::expect;
use model::capacity::{
    CapacityService, Constraint, ContainerInstanceStatus, Drain, DrainReason, HostPort, Placement,
    Protocol, Resources, Unplaceable, Unplaced,
};
use model::snapshot::{Scheduling, ServiceStatus};

use super::scene::{Scene, ago, check, definition, needs, strategy};

fn scene(desired: u32) -> Scene {
    let mut scene = Scene::new();
    scene.types("ec2", "t3.small");
    scene.service("web", desired, "ec2=0/1");
    scene
}

fn web(scene: &mut Scene) -> &mut CapacityService {
    let name = "web".parse().unwrap();
    scene.cluster().services.get_mut(&name).unwrap()
}

/// What of the provider `ec2` fits nowhere, from its step or its hold.
fn unplaced(scene: &Scene) -> Vec<Unplaced> {
    let decision = scene.decide();
    super::scene::accounted(scene, &decision);
    let mut unplaced = Vec::new();
    for step in &decision.plan.steps {
        if let model::capacity::CapacityStepReason::ScaleOut { unplaced: of, .. } = &step.reason {
            unplaced.extend(of.clone());
        }
    }
    unplaced.extend(
        decision
            .plan
            .holds
            .iter()
            .flat_map(|it| it.unplaced.clone()),
    );
    unplaced
}

#[test]
fn standalone_tasks_count_and_tasks_with_a_launch_type_only_occupy() {
    let mut scene = scene(0);
    scene.shape("batch").needs = needs(1_024, 900);
    scene.waiting("batch", "ec2", 4);
    let numbers = scene.numbers("ec2");
    assert_eq!((numbers.tasks_waiting, numbers.needed), (4, 2));
    for task in &mut scene.cluster().tasks {
        task.provider = None;
    }
    assert_eq!(scene.numbers("ec2").needed, 0);
    // One that occupies an instance leaves less room on it.
    let id = scene.instance("ec2", "t3.small");
    scene.task("batch", &id).provider = None;
    scene.service("web", 3, "ec2=0/1");
    let numbers = scene.numbers("ec2");
    assert_eq!(
        (numbers.used, numbers.tasks_missing, numbers.needed),
        (1, 3, 2)
    );
}

#[test]
fn a_service_that_is_not_active_or_has_a_launch_type_moves_nothing() {
    let mut scene = scene(9);
    web(&mut scene).status = ServiceStatus::Draining;
    assert_eq!(scene.numbers("ec2").needed, 0);
    let mut scene = self::scene(9);
    let service = web(&mut scene);
    service.strategy.clear();
    service.deployments[0].strategy.clear();
    assert_eq!(scene.numbers("ec2").needed, 0);
}

#[test]
fn what_is_missing_is_split_by_what_each_provider_has() {
    let mut scene = scene(0);
    scene.types("spot", "m5.large");
    scene.service("web", 11, "ec2=2/1 spot=0/2");
    let id = scene.instance("spot", "m5.large");
    scene.tasks("web", &id, 3);
    scene.waiting("web", "spot", 2);
    let (ec2, spot) = (scene.numbers("ec2"), scene.numbers("spot"));
    // 2 of the base and 3 of 9 on one, 6 of 9 on the other, which has 5.
    assert_eq!((ec2.tasks_missing, spot.tasks_missing), (5, 1));
    assert_eq!((spot.tasks_placed, spot.tasks_waiting), (3, 2));
}

/// A second deployment of `web:1` with another task definition, beside the tasks of the first.
fn deploy(scene: &mut Scene) {
    let new = definition("web2");
    scene.shape("web2").needs = super::scene::TASK;
    let service = web(scene);
    let mut deployment = service.deployments[0].clone();
    deployment.id = "ecs-svc/2".parse().unwrap();
    deployment.task_definition = new;
    deployment.in_progress = true;
    service.deployments[0].is_primary = false;
    service.deployments.insert(0, deployment);
}

#[test]
fn a_deployment_needs_room_beside_the_old_tasks() {
    for (maximum_percent, missing) in [(200, 3), (150, 1), (100, 0)] {
        let mut scene = scene(3);
        let id = scene.instance("ec2", "t3.small");
        scene.tasks("web", &id, 3);
        deploy(&mut scene);
        web(&mut scene).maximum_percent = maximum_percent;
        let numbers = scene.numbers("ec2");
        assert_eq!(numbers.tasks_missing, missing, "{maximum_percent}");
    }
}

#[test]
fn daemons_are_kept_on_each_instance_and_move_nothing() {
    let mut scene = scene(6);
    let daemon = scene.service("agent", 0, "");
    daemon.scheduling = Scheduling::Daemon;
    scene.shape("agent").needs = needs(128, 400);
    // 1,904 MiB less 400 take two tasks.
    assert_eq!(scene.numbers("ec2").needed, 3);
    let id = scene.instance("ec2", "t3.small");
    assert_eq!(scene.numbers("ec2").needed, 3);
    // One that is there has taken its part, and does not make the instance used.
    scene.task("agent", &id).is_daemon = true;
    let numbers = scene.numbers("ec2");
    assert_eq!(
        (numbers.used, numbers.needed, numbers.tasks_placed),
        (0, 3, 0)
    );
}

#[test]
fn a_daemon_of_no_service_is_kept_room_for_as_well() {
    let mut scene = scene(6);
    scene.shape("resource").needs = needs(128, 400);
    let id = scene.instance("ec2", "t3.small");
    scene.task("resource", &id).is_daemon = true;
    assert_eq!(scene.numbers("ec2").needed, 3);
}

#[test]
fn each_on_an_instance_of_its_own() {
    let mut scene = scene(4);
    web(&mut scene).constraints = vec![Constraint::DistinctInstance];
    let ids = scene.instances("ec2", "t3.small", 2);
    scene.task("web", &ids[0]);
    let numbers = scene.numbers("ec2");
    assert_eq!((numbers.tasks_missing, numbers.needed), (3, 4));
}

#[test]
fn a_host_port_is_taken_once_on_an_instance() {
    let mut scene = scene(3);
    scene.shape("web").host_ports = BTreeSet::from([HostPort {
        protocol: Protocol::Tcp,
        port: 8_080,
    }]);
    assert_eq!(scene.numbers("ec2").needed, 3);
    scene.shape("web").host_ports = BTreeSet::from([HostPort {
        protocol: Protocol::Tcp,
        port: 22,
    }]);
    assert_eq!(
        unplaced(&scene)[0].why,
        Unplaceable::HostPortTaken {
            port: "22/tcp".to_owned()
        }
    );
}

#[test]
fn network_interfaces_limit_tasks_without_trunking() {
    let mut scene = scene(4);
    scene.shape("web").needs = Resources {
        network_interfaces: 1,
        ..needs(64, 64)
    };
    // A t3.small has three, one of them its own.
    assert_eq!(scene.numbers("ec2").needed, 2);
}

#[test]
fn a_constraint_that_nothing_meets_is_named() {
    for (expression, why) in [
        (
            "attribute:ecs.instance-type == m5.large",
            Unplaceable::ConstraintNotMet {
                constraint: "attribute:ecs.instance-type == m5.large".to_owned(),
            },
        ),
        (
            "task:group == service:web",
            Unplaceable::ConstraintUnsupported {
                constraint: "task:group == service:web".to_owned(),
                part: "task:group == service:web".to_owned(),
            },
        ),
    ] {
        let mut scene = scene(2);
        web(&mut scene).constraints = vec![Constraint::MemberOf {
            expression: expression.to_owned(),
        }];
        assert_eq!(
            unplaced(&scene),
            [Unplaced {
                whose: "service/web".to_owned(),
                tasks: 2,
                why,
            }]
        );
    }
}

#[test]
fn a_constraint_that_cannot_be_read_is_named() {
    let mut scene = scene(2);
    web(&mut scene).constraints = vec![
        Constraint::MemberOf {
            expression: "attribute:".to_owned(),
        },
        Constraint::DistinctInstance,
    ];
    check(
        &scene,
        &expect![[r#"
            hold `demo/ec2` unplaceable: tasks fit no type that the group may launch: more instances would not help (tasks: 0 placed, 0 waiting, 2 missing, 0 headroom, 2 unplaceable; instances: 0 running, 0 used, 0 launching, 0 draining, 0 lost; needed 0 (at least 0), reservation 100 %, target 100 %; wanted 0, desired 0 within 0 to 10); there is no room for 2 tasks of `service/web`: `attribute:` cannot be decided because of `character 1: expected an attribute's name (1 to 128 letters, digits and signs of `-_./\`), found `attribute:``
        "#]],
    );
    web(&mut scene).constraints = vec![Constraint::Other {
        name: "besideTheSea".to_owned(),
    }];
    check(
        &scene,
        &expect![[r#"
            hold `demo/ec2` unplaceable: tasks fit no type that the group may launch: more instances would not help (tasks: 0 placed, 0 waiting, 2 missing, 0 headroom, 2 unplaceable; instances: 0 running, 0 used, 0 launching, 0 draining, 0 lost; needed 0 (at least 0), reservation 100 %, target 100 %; wanted 0, desired 0 within 0 to 10); there is no room for 2 tasks of `service/web`: `besideTheSea` cannot be decided because of `besideTheSea`
        "#]],
    );
}

#[test]
fn only_instances_that_a_constraint_allows_have_room() {
    let mut scene = scene(2);
    web(&mut scene).constraints = vec![Constraint::MemberOf {
        expression: "attribute:stack == prod".to_owned(),
    }];
    let ids = scene.instances("ec2", "t3.small", 2);
    // None of the group has it, and so will the next instance not.
    assert_eq!(unplaced(&scene).len(), 1);
    let prod = ("stack".to_owned(), Some("prod".to_owned()));
    scene.container(&ids[1]).attributes.extend([prod]);
    assert_eq!(unplaced(&scene), []);
    assert_eq!(scene.numbers("ec2").needed, 1);
    // Some have it: whether the next one will is not known, and one has to be launched to find out.
    scene.service("web", 5, "ec2=0/1").constraints = vec![Constraint::MemberOf {
        expression: "attribute:stack == prod".to_owned(),
    }];
    assert_eq!(scene.numbers("ec2").needed, 2);
}

#[test]
fn an_agent_that_is_too_old_has_no_room() {
    let mut scene = scene(1);
    scene.instance("ec2", "t3.small");
    web(&mut scene).constraints = vec![Constraint::MemberOf {
        expression: "agentVersion >= 1.82.0".to_owned(),
    }];
    assert_eq!(scene.numbers("ec2").needed, 1);
    assert_eq!(scene.numbers("ec2").wanted, 1);
    let container = scene.cluster().instances.values_mut().next().unwrap();
    container.agent_version = Some("1.81.9".to_owned());
    // Another one is launched, or it is said why none is.
    let (wanted, unplaced) = (scene.numbers("ec2").wanted, unplaced(&scene).len());
    assert!(wanted == 2 || unplaced == 1, "{wanted} {unplaced}");
}

#[test]
fn a_required_attribute_is_a_constraint() {
    let mut scene = scene(2);
    let attribute = "com.amazonaws.ecs.capability.docker-remote-api.1.19";
    let required = &mut scene.shape("web").required_attributes;
    required.insert(attribute.to_owned(), None);
    // What an agent is able to do is known once there is one.
    assert_eq!(scene.numbers("ec2").needed, 1);
    scene.instance("ec2", "t3.small");
    assert_eq!(
        unplaced(&scene)[0].why,
        Unplaceable::ConstraintNotMet {
            constraint: attribute.to_owned()
        }
    );
}

#[test]
fn a_spread_is_a_preference() {
    let mut scene = scene(6);
    web(&mut scene).placement = vec![Placement::Spread {
        field: "attribute:ecs.availability-zone".to_owned(),
    }];
    assert_eq!(scene.numbers("ec2").needed, 2);
}

#[test]
fn without_its_task_definition_a_service_is_sized_by_its_tasks() {
    let mut scene = scene(6);
    let id = scene.instance("ec2", "t3.small");
    scene.tasks("web", &id, 3);
    scene.cluster().task_definitions.clear();
    assert_eq!(scene.numbers("ec2").needed, 2);
    scene.cluster().tasks.clear();
    assert_eq!(scene.numbers("ec2").tasks_missing, 0);
}

#[test]
fn the_default_strategy_alone_warms_nothing_at_a_full_target() {
    let mut scene = scene(0);
    scene.cluster().default_strategy = strategy("ec2=1/1");
    assert_eq!(scene.numbers("ec2").wanted, 0);
}

#[test]
fn what_was_not_seen_is_there_and_what_is_to_stop_is_not() {
    let mut scene = Scene::new();
    scene.types("ec2", "t3.small");
    scene.service("web", 6, "ec2=0/1");
    let id = scene.instance("ec2", "t3.small");
    scene.tasks("web", &id, 2);
    scene.task("web", &id).desired_running = false;
    assert_eq!(scene.numbers("ec2").tasks_missing, 4);
    // ECS counts all three, and one that was not read.
    scene
        .snapshot
        .gaps
        .push(crate::scene::gap("ecs:DescribeTasks"));
    assert_eq!(scene.numbers("ec2").tasks_missing, 4);
    let service = scene.cluster().services.values_mut().next().unwrap();
    service.running_count += 1;
    assert_eq!(scene.numbers("ec2").tasks_missing, 3);
}

/// They would be taken back one a look, and the task would wait.
#[test]
fn drains_of_no_use_to_what_waits_are_not_taken_back_instead_of_buying() {
    let mut scene = Scene::new();
    scene.types("ec2", "t3.small m5.xlarge");
    scene.service("web", 3, "ec2=0/1");
    let used = scene.instance("ec2", "t3.small");
    scene.tasks("web", &used, 3);
    for drained in scene.instances("ec2", "t3.small", 3) {
        scene.container(&drained).status = ContainerInstanceStatus::Draining;
        let drain = Drain {
            at: ago(60),
            reason: DrainReason::Empty,
        };
        scene.memory("ec2").drains.insert(drained, drain);
    }
    scene.shape("big").needs = needs(256, 8_000);
    scene.waiting("big", "ec2", 1);
    assert_eq!(
        crate::picture::picture(&scene.decide().plan)[0],
        "desired 4 to 5: scale_out"
    );
    // A small one beside it is put on one that drains.
    scene.waiting("web", "ec2", 1);
    let plan = scene.decide().plan;
    let expected = ["activate 5: needed_again", "desired 4 to 5: scale_out"];
    assert_eq!(crate::picture::picture(&plan)[..2], expected);
}
