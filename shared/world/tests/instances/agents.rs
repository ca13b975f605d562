//! Agents that lose their connection.

use model::snapshot::TaskStatus;
use serde_json::json;
use world::{
    CapacityProvider, Config, ContainerInstanceStatus, GroupSpec, LaunchSpec, Operation, RangeMs,
    TargetGroup, TargetState, World, line,
};

use crate::stage::{
    books_agree, call, instances, live, of_type, running, service, service_with, small, with_large,
};

fn machine_of(world: &World, task: &str) -> String {
    let id = world.state().tasks[task]
        .container_instance
        .clone()
        .unwrap();
    let instance = &world.state().container_instances[&id];
    instance.ec2_instance_id.clone()
}

#[test]
fn a_stop_waits_for_the_agent() {
    let mut world = with_large(2);
    let web = service(&mut world, "web", small("web"), 2);
    world.advance_secs(60);
    let task = live(&world, &web)[0].id().to_owned();
    let machine = machine_of(&world, &task);
    assert!(world.set_agent_connected(&machine, false));
    let input = json!({ "cluster": "shop", "task": task });
    call(&mut world, Operation::StopTask, input);
    world.advance_secs(600);
    let stopping = &world.state().tasks[&task];
    assert_eq!(stopping.last_status, TaskStatus::Running);
    assert!(!stopping.desired_running);
    // It is replaced where an agent is connected.
    assert_eq!(running(&world, &web), 2);
    books_agree(&world);
    world.set_agent_connected(&machine, true);
    world.advance_secs(60);
    assert_eq!(world.state().tasks[&task].last_status, TaskStatus::Stopped);
    books_agree(&world);
}

#[test]
fn a_start_waits_for_the_agent() {
    let mut world = with_large(1);
    let web = service(&mut world, "web", small("web"), 3);
    world.advance_secs(3);
    let machine = instances(&world)[0].ec2_instance_id.clone();
    world.set_agent_connected(&machine, false);
    // What was told before is still on its way.
    world.advance_secs(2);
    world.take_due_events();
    world.advance_secs(300);
    assert_eq!(live(&world, &web).len(), 3);
    assert_eq!(running(&world, &web), 0);
    let events = world.take_due_events();
    let told = of_type(&events, "ECS Task State Change");
    assert_eq!(told.len(), 0, "a disconnected agent tells nothing");
    world.set_agent_connected(&machine, true);
    world.advance_secs(30);
    assert_eq!(running(&world, &web), 3);
}

#[test]
fn a_load_balancer_needs_no_agent_but_sigterm_does() {
    let mut world = with_large(1);
    let group = TargetGroup::new("web").with_deregistration_delay_secs(20);
    let group = world.declare_target_group(group);
    let web = service_with(&mut world, "web", small("web"), 1, |it| it.behind(&group));
    world.advance_secs(60);
    let task = live(&world, &web)[0].id().to_owned();
    let machine = machine_of(&world, &task);
    world.set_agent_connected(&machine, false);
    world.set_desired_count(&web, 0).unwrap();
    world.advance_secs(10);
    let state = |world: &World| {
        let targets = &world.state().tasks[&task].targets;
        targets.values().next().unwrap().state
    };
    assert_eq!(state(&world), TargetState::Draining);
    world.advance_secs(60);
    let status = world.state().tasks[&task].last_status;
    assert_eq!(status, TaskStatus::Deactivating);
    assert_eq!(state(&world), TargetState::Gone);
    world.set_agent_connected(&machine, true);
    world.advance_secs(1);
    let status = world.state().tasks[&task].last_status;
    assert_eq!(status, TaskStatus::Stopping);
}

#[test]
fn an_agent_that_missed_the_warning_drains_when_it_is_back() {
    let mut world = World::new(Config::new(11));
    let launch = LaunchSpec::spot("spot", &["m5.large"]);
    world.declare_auto_scaling_group(GroupSpec::new("spot", launch, 0, 2, 10));
    let provider = CapacityProvider::over("spot").without_managed_draining();
    world.declare_capacity_provider("spot", provider);
    let cluster = "shop".parse().unwrap();
    let strategy = vec![line("spot", 0, 1).unwrap()];
    world
        .create_cluster_of(&cluster, &["spot"], strategy)
        .unwrap();
    world.advance_secs(180);
    let machine = instances(&world)[0].ec2_instance_id.clone();
    let status = |world: &World| {
        let all = instances(world);
        all.iter()
            .find(|it| it.ec2_instance_id == machine)
            .unwrap()
            .status
    };
    world.set_agent_connected(&machine, false);
    assert!(world.interrupt_instance(&machine));
    world.advance_secs(30);
    assert_eq!(status(&world), ContainerInstanceStatus::Active);
    world.set_agent_connected(&machine, true);
    world.advance_secs(30);
    assert_eq!(status(&world), ContainerInstanceStatus::Draining);
}

/// The seconds within an hour at which some agent is away, of two worlds with the same seed.
fn away(seed: u64) -> Vec<(u32, String)> {
    let mut config = Config::new(seed);
    config.agent_flaps.per_mille = 500;
    config.agent_flaps.every = RangeMs::new(300_000, 600_000);
    config.agent_flaps.lasts = RangeMs::new(10_000, 60_000);
    let mut world = World::new(config);
    let launch = LaunchSpec::on_demand("big", &["m5.large"]);
    world.declare_auto_scaling_group(GroupSpec::new("big", launch, 0, 4, 10));
    world.declare_capacity_provider("big", CapacityProvider::over("big"));
    let cluster = "shop".parse().unwrap();
    let strategy = vec![line("big", 0, 1).unwrap()];
    world
        .create_cluster_of(&cluster, &["big"], strategy)
        .unwrap();
    let web = service(&mut world, "web", small("web"), 8);
    let mut away = Vec::new();
    for second in 0..3_600 {
        world.advance_secs(1);
        let all = instances(&world);
        let gone = all.iter().filter(|it| !it.agent_connected);
        away.extend(gone.map(|it| (second, it.ec2_instance_id.clone())));
    }
    assert_eq!(running(&world, &web), 8, "a flap costs no task");
    books_agree(&world);
    away
}

#[test]
fn agents_flap_as_the_seed_says() {
    let first = away(3);
    assert_eq!(first, away(3));
    assert_ne!(first, away(4));
    // Four agents have about eight chances each, and take half of them for half a minute.
    let secs = first.len();
    assert!((150..1_200).contains(&secs), "{secs} s");
}
