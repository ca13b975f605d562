//! Looks at the workshop's EC2 chapters in the simulated AWS, compared with what that knows of itself.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;
use model::capacity::{CapacitySnapshot, GroupTypes, Resources};
use model::snapshot::TaskStatus;
use model::strategy::Market;
use world::face::{Face, FaceOptions, serve};
use world::{Config, ScaledBy, World};

use crate::support::{Eye, clusters};

/// The workshop with its first instances, and this many tasks asked for some seconds ago.
async fn workshop(desired: u32, secs: u32) -> (Face, Eye) {
    let mut world = World::new(Config::new(7));
    let names = world.add_workshop_ec2(ScaledBy::Ballast).unwrap();
    world.advance_secs(600);
    world.set_desired_count(&names.service, desired).unwrap();
    world.advance_secs(secs);
    let face = serve(world, FaceOptions::default()).await.unwrap();
    let eye = Eye::at(&face.url());
    (face, eye)
}

async fn look(eye: &Eye) -> CapacitySnapshot {
    let snapshot = eye.look(&clusters(&["container-demo"])).await;
    assert_eq!(snapshot.gaps, []);
    for cluster in snapshot.clusters.values() {
        assert_eq!(cluster.gaps, []);
    }
    for (_, provider) in snapshot.providers() {
        assert_eq!(provider.gaps, [], "{}", provider.key);
    }
    snapshot
}

/// Compares what was seen with what the world knows.
fn agree(snapshot: &CapacitySnapshot, world: &World) {
    let cluster = &snapshot.clusters[&"container-demo".parse().unwrap()];
    let state = world.state();
    let left = |it: &world::Resources| Resources {
        cpu_units: it.cpu_units,
        memory_mib: it.memory_mib,
        gpus: it.gpus,
        network_interfaces: it.network_interfaces,
    };
    let known: BTreeMap<String, (Resources, Resources)> = state
        .container_instances
        .values()
        .map(|it| (it.arn.clone(), (left(&it.registered), left(&it.remaining))))
        .collect();
    let seen: BTreeMap<String, (Resources, Resources)> = cluster
        .instances
        .values()
        .map(|it| (it.arn.to_string(), (it.registered, it.remaining)))
        .collect();
    assert_eq!(seen, known);

    let live = state
        .tasks
        .values()
        .filter(|it| it.last_status < TaskStatus::Stopped);
    let known: BTreeSet<(String, bool)> = live
        .map(|it| (it.arn.to_string(), it.desired_running))
        .collect();
    let seen: BTreeSet<(String, bool)> = cluster
        .tasks
        .iter()
        .map(|it| (it.arn.to_string(), it.desired_running))
        .collect();
    assert_eq!(seen, known);

    for (_, provider) in snapshot.providers() {
        let (seen, known) = (&provider.group, &state.groups[provider.group.name.as_str()]);
        let sizes = (seen.min_size, seen.desired_capacity, seen.max_size);
        assert_eq!(
            sizes,
            (known.min_size, known.desired_capacity, known.max_size)
        );
        let members = state.instances.values().filter(|it| it.group == known.name);
        let known: BTreeSet<&str> = members.map(|it| it.id.as_str()).collect();
        let seen: BTreeSet<&str> = seen.instances.keys().map(|id| id.as_str()).collect();
        assert_eq!(seen, known);
    }
}

#[tokio::test]
async fn the_workshop_is_seen_as_it_is() {
    let (face, eye) = workshop(1, 0).await;
    let snapshot = look(&eye).await;
    face.with_world(|world| agree(&snapshot, world));
    let groups: BTreeMap<String, (Market, usize)> = snapshot
        .providers()
        .map(|(_, provider)| {
            let types = match &provider.group.types {
                GroupTypes::Listed { choices } => choices.len(),
                GroupTypes::InLaunchTemplate | GroupTypes::ByRequirements => 0,
            };
            (provider.key.to_string(), (provider.group.market, types))
        })
        .collect();
    let want = [
        ("container-demo/EC2".to_owned(), (Market::OnDemand, 1)),
        ("container-demo/EC2Spot".to_owned(), (Market::Spot, 10)),
    ];
    assert_eq!(groups, BTreeMap::from(want));
    for (_, provider) in snapshot.providers() {
        for instance in provider.group.instances.values() {
            assert!(instance.launched_at.is_some(), "{instance:?}");
        }
    }
    let calls: Vec<String> = face
        .calls()
        .into_iter()
        .map(|(operation, count)| format!("{count} {operation}"))
        .collect();
    expect!["1 autoscaling:DescribeAutoScalingGroups, 1 autoscaling:DescribePolicies, 2 autoscaling:DescribeScalingActivities, 1 autoscaling:DescribeScheduledActions, 1 ecs:DescribeCapacityProviders, 1 ecs:DescribeClusters, 1 ecs:DescribeContainerInstances, 1 ecs:DescribeServices, 1 ecs:DescribeTaskDefinition, 1 ecs:DescribeTasks, 1 ecs:ListClusters, 1 ecs:ListContainerInstances, 1 ecs:ListServices, 1 ecs:ListTasks"].assert_eq(&calls.join(", "));
}

#[tokio::test]
async fn tasks_that_wait_and_tasks_that_stop_are_seen() {
    let (face, eye) = workshop(40, 30).await;
    let snapshot = look(&eye).await;
    face.with_world(|world| agree(&snapshot, world));

    let service = "container-demo/ecsdemo-capacityproviders-ec2"
        .parse()
        .unwrap();
    face.with_world(|world| {
        world.set_desired_count(&service, 1).unwrap();
        world.advance_secs(10);
    });
    let snapshot = look(&eye).await;
    let stopping = |snapshot: &CapacitySnapshot| {
        let tasks = snapshot.clusters.values().flat_map(|it| &it.tasks);
        tasks.filter(|it| !it.desired_running).count()
    };
    assert!(stopping(&snapshot) > 0, "the scene has tasks that stop");
    face.with_world(|world| agree(&snapshot, world));
}
