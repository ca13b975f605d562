//! What fits where: resources, constraints, strategies, daemons.

use serde_json::{Value, json};
use world::{
    BinpackBy, CapacityProvider, Constraint, Operation, PlaceStrategy, ServiceSpec, TaskDefinition,
    World,
};

use crate::stage::{
    books_agree, call, instances, key, live, of_type, running, service, service_with, small,
    spread, with_large, with_types,
};

fn placed(
    instances: u32,
    tasks: u32,
    change: impl FnOnce(ServiceSpec) -> ServiceSpec,
) -> Vec<usize> {
    let mut world = with_large(instances);
    let web = service_with(&mut world, "web", small("web"), tasks, change);
    world.advance_secs(60);
    books_agree(&world);
    spread(&world, &web)
}

fn strategy(lines: &[PlaceStrategy]) -> impl FnOnce(ServiceSpec) -> ServiceSpec {
    let lines = lines.to_vec();
    move |mut spec| {
        spec.placement_strategy = lines;
        spec
    }
}

fn constraint(constraint: Constraint) -> impl FnOnce(ServiceSpec) -> ServiceSpec {
    move |mut spec| {
        spec.placement_constraints = vec![constraint];
        spec
    }
}

#[test]
fn strategies() {
    let binpack = PlaceStrategy::Binpack(BinpackBy::Memory);
    let instance = PlaceStrategy::Spread("instanceId".to_owned());
    assert_eq!(placed(3, 6, |it| it), [2, 2, 2], "the default spreads");
    // Zones come before instances: two of the four share a zone, and its tasks.
    assert_eq!(placed(4, 8, |it| it), [1, 2, 2, 3]);
    assert_eq!(placed(4, 8, strategy(&[instance])), [2, 2, 2, 2]);
    assert_eq!(placed(4, 10, strategy(&[binpack])), [2, 8]);
    let packed_by_cpu = [PlaceStrategy::Binpack(BinpackBy::Cpu)];
    assert_eq!(placed(4, 17, strategy(&packed_by_cpu)), [1, 8, 8]);
    let random = placed(4, 12, strategy(&[PlaceStrategy::Random]));
    assert_eq!(random.iter().sum::<usize>(), 12);
    assert!(
        random.len() > 1,
        "twelve draws of four are not all the same"
    );
}

#[test]
fn zones_come_first_by_default() {
    // Four instances in three zones: two of them share one.
    let mut world = with_large(4);
    let web = service(&mut world, "web", small("web"), 6);
    world.advance_secs(60);
    let mut zones = std::collections::BTreeMap::new();
    for task in live(&world, &web) {
        *zones.entry(task.zone.clone()).or_insert(0) += 1;
    }
    assert_eq!(zones.into_values().collect::<Vec<i32>>(), [2, 2, 2]);
}

#[test]
fn constraints() {
    assert_eq!(
        placed(4, 6, constraint(Constraint::DistinctInstance)),
        [1, 1, 1, 1]
    );
    let none = Constraint::MemberOf("attribute:ecs.instance-type == c5.large".to_owned());
    assert_eq!(placed(2, 3, constraint(none)), [0; 0]);
    let zone = "attribute:ecs.availability-zone in [us-west-2a, us-west-2b]";
    let zone = Constraint::MemberOf(zone.to_owned());
    assert_eq!(placed(3, 4, constraint(zone)), [2, 2]);
}

/// Places tasks that cannot all be placed, and gives the reason of the failure.
fn refusal(world: &mut World, definition: TaskDefinition, desired: u32) -> Value {
    world.take_due_events();
    let web = service(world, "web", definition, desired);
    world.advance_secs(30);
    let events = world.take_due_events();
    let failure = of_type(&events, "ECS Service Action")
        .into_iter()
        .find(|it| it["detail"]["eventName"] == "SERVICE_TASK_PLACEMENT_FAILURE")
        .unwrap_or_else(|| panic!("{web} was placed"));
    let named = failure["detail"]["containerInstanceArns"]
        .as_array()
        .unwrap();
    assert_eq!(named.len(), instances(world).len());
    failure["detail"]["reason"].clone()
}

#[test]
fn each_lack_is_named() {
    let check = |definition: TaskDefinition, desired: u32, reason: &str| {
        let mut world = with_large(2);
        assert_eq!(refusal(&mut world, definition, desired), reason);
    };
    check(small("web"), 17, "RESOURCE:CPU");
    check(
        TaskDefinition::on_instances("web", 64, 4_000),
        3,
        "RESOURCE:MEMORY",
    );
    check(small("web").with_host_ports(&[80]), 3, "RESOURCE:PORTS");
    check(small("web").with_host_ports(&[51_678]), 1, "RESOURCE:PORTS");
    check(TaskDefinition::on_fargate("web", None), 5, "RESOURCE:ENI");
    let mut gpu = small("web");
    gpu.needs.gpus = 1;
    check(gpu, 1, "RESOURCE:GPU");
    let mut arm = small("web");
    let attribute = ("ecs.cpu-architecture".to_owned(), Some("arm64".to_owned()));
    arm.requires_attributes.push(attribute);
    check(arm, 1, "ATTRIBUTE");
    let mut member = small("web");
    member
        .placement_constraints
        .push("runningTasksCount > 0".to_owned());
    check(member, 1, "memberOf constraint unsatisfied.");
}

#[test]
fn an_agent_that_is_not_connected_takes_nothing() {
    let mut world = with_large(1);
    let machine = instances(&world)[0].ec2_instance_id.clone();
    assert!(world.set_agent_connected(&machine, false));
    assert_eq!(refusal(&mut world, small("web"), 1), "AGENT");
    assert!(world.set_agent_connected(&machine, true));
    world.advance_secs(60);
    assert_eq!(running(&world, &key("shop/web")), 1);
}

#[test]
fn trunking_makes_room_for_network_interfaces() {
    let mut config = world::Config::new(3);
    config.awsvpc_trunking = true;
    let mut world = World::new(config);
    let launch = world::LaunchSpec::on_demand("big", &["m5.large"]);
    world.declare_auto_scaling_group(world::GroupSpec::new("big", launch, 0, 1, 1));
    world.join_cluster("big", &"shop".parse().unwrap());
    world
        .create_cluster_of(&"shop".parse().unwrap(), &[], Vec::new())
        .unwrap();
    world.advance_secs(180);
    assert_eq!(instances(&world)[0].provider, None);
    assert!(
        instances(&world)[0]
            .attributes
            .contains_key("ecs.awsvpc-trunk-id")
    );
    // The launch type finds instances of any provider, and of none.
    let web = service(
        &mut world,
        "web",
        TaskDefinition::on_fargate("web", None),
        8,
    );
    world.advance_secs(60);
    assert_eq!(running(&world, &web), 8);
    assert!(live(&world, &web).iter().all(|it| it.provider.is_none()));
}

#[test]
fn daemons_are_on_every_instance_and_come_first() {
    let mut world = with_large(3);
    let agent = service_with(&mut world, "agent", small("agent"), 0, |mut it| {
        it.scheduling = model::snapshot::Scheduling::Daemon;
        it
    });
    let web = service(&mut world, "web", small("web"), 30);
    world.advance_secs(60);
    assert_eq!(spread(&world, &agent), [1, 1, 1]);
    assert_eq!(spread(&world, &web), [7, 7, 7]);
    assert_eq!(world.service(&agent).unwrap().desired_count, 3);
    // A new instance gets its daemon before the tasks that waited for it.
    world.set_desired_capacity("big", 4).unwrap();
    world.advance_secs(180);
    assert_eq!(spread(&world, &agent), [1, 1, 1, 1]);
    assert_eq!(spread(&world, &web), [7, 7, 7, 7]);
    assert_eq!(world.service(&agent).unwrap().desired_count, 4);
    books_agree(&world);
}

#[test]
fn events_follow_what_is_placed() {
    let mut world = with_large(1);
    world.take_due_events();
    service(&mut world, "web", small("web"), 2);
    world.advance_secs(60);
    let events = world.take_due_events();
    let changes = of_type(&events, "ECS Container Instance State Change");
    let mut seen: Vec<(u64, Vec<i64>)> = changes
        .iter()
        .map(|it| {
            let detail = &it["detail"];
            let remaining = detail["remainingResources"].as_array().unwrap();
            let numbers = remaining.iter().take(2);
            let numbers = numbers.map(|it| it["integerValue"].as_i64().unwrap());
            (detail["version"].as_u64().unwrap(), numbers.collect())
        })
        .collect();
    seen.sort();
    let left: Vec<Vec<i64>> = seen.into_iter().map(|(_, left)| left).collect();
    assert_eq!(left, [[1_792, 7_088], [1_536, 6_576]]);
    let task = of_type(&events, "ECS Task State Change")[0];
    assert_eq!(task["detail"]["launchType"], "EC2");
    assert_eq!(task["detail"]["capacityProviderName"], "big");
    assert_eq!(
        task["detail"]["containerInstanceArn"],
        instances(&world)[0].arn.as_str()
    );
    assert_eq!(task["detail"]["cpu"], "256");
}

#[test]
fn smallest_type_decides_what_managed_scaling_sees() {
    // A task that does not fit the smallest type is excluded: it waits, and nothing grows.
    let provider = CapacityProvider::over("big").scaled_at(100);
    let mut world = with_types(&["t3.small", "m5.large"], 0, provider);
    let huge = service(
        &mut world,
        "huge",
        TaskDefinition::on_instances("huge", 256, 4_000),
        2,
    );
    world.advance_secs(600);
    assert_eq!(live(&world, &huge).len(), 2);
    assert_eq!(running(&world, &huge), 0);
    assert_eq!(world.state().groups["big"].desired_capacity, 0);
    // One that fits grows the group from zero.
    let web = service(&mut world, "web", small("web"), 1);
    world.advance_secs(300);
    assert_eq!(running(&world, &web), 1);
    // And what has waited for too long ends, with a code that says so.
    world.advance_secs(1_800);
    let tasks = world.tasks_of(&huge);
    let ended = tasks
        .iter()
        .filter(|it| it.stop_code == Some("TaskFailedToStart"));
    assert!(ended.count() >= 2);
}

#[test]
fn at_most_five_hundred_tasks_wait() {
    let provider = CapacityProvider::over("big").scaled_at(100);
    let mut world = with_types(&["m5.large"], 0, provider);
    call(
        &mut world,
        Operation::UpdateCapacityProvider,
        json!({"name": "big", "autoScalingGroupProvider": {"managedScaling": {"maximumScalingStepSize": 1}}}),
    );
    let web = service(&mut world, "web", small("web"), 600);
    world.advance_secs(30);
    assert_eq!(live(&world, &web).len(), 500);
}
