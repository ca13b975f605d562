//! A cluster as large as AWS allows: a plan, with every instance accounted for, and none removed where something is not known.

use model::capacity::{CapacityAction, Constraint, Placement, ProviderMemory};
use model::snapshot::{Gap, GapCause};
use placement::capacity::CapacityDecision;

use super::scene::{Scene, accounted, ago, needs};

/// 5,000 instances with 10,000 tasks of 40 services, and 400 tasks that need room.
pub(crate) fn large(instances: u32) -> Scene {
    let mut scene = Scene::new();
    scene.types("ec2", "m5.large m5.xlarge");
    scene.group("ec2").max_size = 10_000;
    scene.policy("ec2").consolidate = true;
    let services = 40;
    for service in 0..services {
        let name = format!("s{service:02}");
        let tasks = instances * 2 / services;
        let made = scene.service(&name, tasks + 10, "ec2=0/1");
        if service % 4 == 1 {
            made.placement = vec![Placement::Spread {
                field: "attribute:ecs.availability-zone".to_owned(),
            }];
        }
        if service % 4 == 2 {
            made.constraints = vec![Constraint::DistinctInstance];
        }
        if service % 4 == 3 {
            made.constraints = vec![Constraint::MemberOf {
                expression: "attribute:ecs.instance-type =~ m5.*".to_owned(),
            }];
        }
        let shape = scene.shape(&name);
        shape.needs = needs(100 + service * 20, 200 + service * 30);
        for number in 0..10 {
            let name = format!("com.amazonaws.ecs.capability.docker-remote-api.1.{number}");
            shape.required_attributes.insert(name, None);
        }
    }
    for number in 0..instances {
        let id = scene.instance("ec2", "m5.large");
        let container = scene.container(&id);
        for number in 0..20 {
            let name = format!("com.amazonaws.ecs.capability.docker-remote-api.1.{number}");
            container.attributes.insert(name, None);
        }
        for task in [2 * number, 2 * number + 1] {
            scene.task(&format!("s{:02}", task % services), &id);
        }
    }
    scene
}

#[test]
fn five_thousand_instances() {
    let scene = large(5_000);
    let decision = scene.decide();
    accounted(&scene, &decision);
}

/// How many instances the decision drains or ends.
fn removed(decision: &CapacityDecision) -> usize {
    let steps = decision.plan.steps.iter();
    let removes = |action: &CapacityAction| match action {
        CapacityAction::Drain { .. } | CapacityAction::Terminate { .. } => true,
        CapacityAction::SetDesiredCapacity { .. } | CapacityAction::Activate { .. } => false,
    };
    steps.filter(|step| removes(&step.action)).count()
}

fn gap_of_a_look() -> Gap {
    Gap {
        operation: "ecs:DescribeTasks".to_owned(),
        resource: "demo".to_owned(),
        cause: GapCause::Throttled,
        detail: "ThrottlingException: Rate exceeded".to_owned(),
    }
}

/// A way to make what is known of the group doubtful.
type Damage = (&'static str, fn(&mut Scene));

#[test]
fn of_five_thousand_empty_instances_none_is_removed_where_something_is_not_known() {
    let empty = || {
        let mut scene = large(5_000);
        let cluster = scene.cluster();
        cluster.tasks.clear();
        cluster.services.clear();
        for container in cluster.instances.values_mut() {
            container.remaining = container.registered;
        }
        scene.watched("ec2", 3_600, 0);
        scene
    };
    let scene = empty();
    let decision = scene.decide();
    accounted(&scene, &decision);
    assert_eq!(
        removed(&decision),
        50,
        "as many as there is time for at one look"
    );
    let damages: [Damage; 8] = [
        ("a gap", |it| it.snapshot.gaps.push(gap_of_a_look())),
        ("the cluster's gap", |it| {
            it.cluster().gaps.push(gap_of_a_look());
        }),
        ("the provider's gap", |it| {
            it.provider("ec2").gaps.push(gap_of_a_look());
        }),
        ("no memory", |it| it.forget("ec2")),
        ("an empty memory", |it| {
            *it.memory("ec2") = ProviderMemory::default()
        }),
        ("a long break", |it| it.watched("ec2", 0, 0)),
        ("faults in the tags", |it| {
            it.provider("ec2").policy = Err(Vec::new());
        }),
        ("a third without an agent for long", |it| {
            let ids: Vec<_> = it.group("ec2").instances.keys().cloned().collect();
            for id in ids.iter().step_by(3) {
                it.container(id).agent_connected = false;
                it.memory("ec2").disconnected.insert(id.clone(), ago(900));
            }
        }),
    ];
    for (name, damage) in damages {
        let mut scene = empty();
        damage(&mut scene);
        let decision = scene.decide();
        accounted(&scene, &decision);
        assert_eq!(removed(&decision), 0, "{name}");
    }
}
