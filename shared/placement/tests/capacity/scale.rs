//! A cluster as large as AWS allows: a plan, with every instance accounted for.

use model::capacity::{Constraint, Placement};

use super::scene::{Scene, accounted, needs};

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
