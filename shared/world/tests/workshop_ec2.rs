//! The workshop's chapters on EC2 under ECS's own managed scaling: its tables come out.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where its scenario is not what it says"
)]

use std::collections::BTreeMap;

use model::snapshot::TaskStatus;
use world::{Config, ScaledBy, WorkshopEc2, World};

/// The workshop, with its instances warm: five minutes after they are in service.
fn workshop(seed: u64, scaled_by: ScaledBy) -> (World, WorkshopEc2) {
    let mut world = World::new(Config::new(seed));
    let names = world.add_workshop_ec2(scaled_by).unwrap();
    world.advance_secs(600);
    (world, names)
}

/// For each provider: the running tasks of each of its container instances, the fewest first.
fn table(world: &World) -> BTreeMap<String, Vec<u32>> {
    let mut table: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for instance in world.state().container_instances.values() {
        let (running, _) = instance.counts(world.state());
        let provider = instance.provider.clone().unwrap();
        table.entry(provider).or_default().push(running);
    }
    for counts in table.values_mut() {
        counts.sort_unstable();
    }
    table
}

/// How many instances, how many of them with tasks, and how many tasks.
fn shape(world: &World, provider: &str) -> (usize, usize, u32) {
    let counts = table(world).remove(provider).unwrap_or_default();
    let used = counts.iter().filter(|it| **it > 0).count();
    (counts.len(), used, counts.iter().sum())
}

fn running(world: &World, names: &WorkshopEc2) -> usize {
    let tasks = world.tasks_of(&names.service);
    tasks
        .into_iter()
        .filter(|it| it.last_status == TaskStatus::Running && it.desired_running)
        .count()
}

#[test]
fn one_task_and_two_instances_of_each_provider() {
    let (world, names) = workshop(1, ScaledBy::Ecs);
    assert_eq!(shape(&world, names.on_demand), (2, 1, 1));
    assert_eq!(shape(&world, names.spot), (2, 0, 0));
}

#[test]
fn ten_tasks_on_one_group() {
    for seed in 0..5 {
        let (mut world, names) = workshop(seed, ScaledBy::Ecs);
        let strategy = vec![world::line(names.on_demand, 1, 1).unwrap()];
        let key: model::ServiceKey = "container-demo/first".parse().unwrap();
        world.set_desired_count(&names.service, 0).unwrap();
        world.advance_secs(60);
        let spec = world::ServiceSpec::new(key.clone(), "ecsdemo-capacityproviders-ec2", 10);
        world.create(spec.on(strategy)).unwrap();
        world.advance_secs(20);
        // Two instances hold three tasks each, and four tasks wait.
        let waiting = world.tasks_of(&key);
        let waiting = waiting.into_iter().filter(|it| it.waits_for_instance);
        assert_eq!(waiting.count(), 4, "seed {seed}");
        world.advance_secs(400);
        let (instances, _, tasks) = shape(&world, names.on_demand);
        assert_eq!((instances, tasks), (5, 10), "seed {seed}");

        // And back: the group shrinks to what one task at 80 % asks for.
        world.set_desired_count(&key, 1).unwrap();
        world.advance_secs(3_600);
        assert_eq!(shape(&world, names.on_demand), (2, 1, 1), "seed {seed}");
    }
}

#[test]
fn forty_tasks_on_both_groups() {
    for seed in 0..5 {
        let (mut world, names) = workshop(seed, ScaledBy::Ecs);
        world.set_desired_count(&names.service, 40).unwrap();
        world.advance_secs(420);
        assert_eq!(running(&world, &names), 40, "seed {seed}");
        // Nine tasks on three of four `t3.small`, thirty-one on four of five `*.large`.
        assert_eq!(shape(&world, names.on_demand), (4, 3, 9), "seed {seed}");
        assert_eq!(shape(&world, names.spot), (5, 4, 31), "seed {seed}");
        let counts = table(&world);
        assert_eq!(counts[names.on_demand], [0, 3, 3, 3], "seed {seed}");
    }
}

#[test]
fn the_metric_is_the_documented_one() {
    let (mut world, names) = workshop(1, ScaledBy::Ecs);
    let last = |world: &World, provider: &str| {
        let dimensions = [
            ("CapacityProviderName", provider),
            ("ClusterName", "container-demo"),
        ];
        let key = world::MetricKey::new(
            "AWS/ECS/ManagedScaling",
            "CapacityProviderReservation",
            &dimensions,
        );
        world.state().metrics[&key].last().unwrap().sum_milli
    };
    // One of two instances is in use; none of two.
    assert_eq!(last(&world, names.on_demand), 50_000);
    assert_eq!(last(&world, names.spot), 0);
    world.set_desired_count(&names.service, 40).unwrap();
    world.advance_secs(61);
    // Three tasks wait for a third `t3.small`, fifteen for two `*.large`.
    assert_eq!(last(&world, names.on_demand), 150_000);
    assert_eq!(last(&world, names.spot), 200_000);
}

#[test]
fn without_managed_scaling_nothing_waits_and_nothing_grows() {
    let (mut world, names) = workshop(1, ScaledBy::Ballast);
    world.take_due_events();
    world.set_desired_count(&names.service, 40).unwrap();
    world.advance_secs(600);
    assert_eq!(running(&world, &names), 6 + 16);
    assert_eq!(world.live_tasks(&names.service).len(), 22);
    let failures: Vec<serde_json::Value> = world
        .take_due_events()
        .into_iter()
        .map(|it| it.envelope)
        .filter(|it| it["detail"]["eventName"] == "SERVICE_TASK_PLACEMENT_FAILURE")
        .collect();
    let about = |provider: &str| {
        let arn = world.provider_arn(provider);
        let mut all = failures.iter();
        all.find(|it| it["detail"]["capacityProviderArns"][0] == arn.as_str())
            .unwrap()["detail"]
            .clone()
    };
    for provider in [names.on_demand, names.spot] {
        let detail = about(provider);
        assert_eq!(
            detail["reason"],
            if provider == "EC2" {
                "RESOURCE:MEMORY"
            } else {
                "RESOURCE:CPU"
            }
        );
        assert_eq!(detail["containerInstanceArns"].as_array().unwrap().len(), 2);
    }
    // Room is found as soon as there is some.
    world.set_desired_capacity(names.on_demand, 4).unwrap();
    world.set_desired_capacity(names.spot, 5).unwrap();
    world.advance_secs(180);
    assert_eq!(running(&world, &names), 40);
}

#[test]
fn accounts_of_instances_and_of_being_whole() {
    let (mut world, names) = workshop(1, ScaledBy::Ecs);
    world.begin_accounts();
    let begun = world.now();
    world.advance_secs(100);
    let small = world.instance_account(names.on_demand);
    assert_eq!(small.instances, 2);
    assert_eq!(small.on_demand_instance_secs(), 200);
    assert_eq!(small.spot_instance_millis, 0);
    assert_eq!(world.instance_account(names.spot).spot_instance_secs(), 200);
    world.set_desired_count(&names.service, 40).unwrap();
    world.advance_secs(1);
    assert_eq!(world.account(&names.service).unwrap().whole_since, None);
    world.advance_secs(419);
    let whole = world.account(&names.service).unwrap().whole_since.unwrap();
    let took = whole.duration_since(begun).as_secs() - 100;
    // A minute for the datapoint, then launch, boot and start.
    assert!((60..300).contains(&took), "{took} s");
}
