//! The service scheduler: deployments, steady states, retries, launch rates, sick tasks, declared groups.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where its scenario is not what it says"
)]

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::ServiceKey;
use model::snapshot::{Controller, Health, Scheduling};
use model::strategy::{FARGATE, FARGATE_SPOT, Market};
use serde_json::{Value, json};
use world::{
    Config, Delivered, GroupProvider, Operation, PoolKey, SchedulerTimes, ServiceSpec, World, line,
};

fn key(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

fn world_with(config: Config, spec: ServiceSpec) -> World {
    let mut world = World::new(config);
    world
        .create_cluster_of(
            &spec.key.cluster,
            &[FARGATE, FARGATE_SPOT],
            vec![line(FARGATE, 0, 1).unwrap()],
        )
        .unwrap();
    world.create(spec).unwrap();
    world
}

fn spec(desired: u32) -> ServiceSpec {
    ServiceSpec::new(key("shop/web"), "web:1", desired)
}

fn named<'a>(events: &'a [Delivered], name: &str) -> Vec<&'a Value> {
    events
        .iter()
        .map(|it| &it.envelope)
        .filter(|it| it.pointer("/detail/eventName") == Some(&json!(name)))
        .collect()
}

fn serving(world: &World) -> usize {
    world
        .tasks_of(&key("shop/web"))
        .into_iter()
        .filter(|it| it.is_live() && it.serves())
        .count()
}

/// Rolls a service of ten tasks to a new task definition; the fewest serving and the most live tasks on the way.
fn roll(minimum: u32, maximum: u32) -> (usize, usize, World) {
    let mut spec = spec(10);
    spec.minimum_healthy_percent = minimum;
    spec.maximum_percent = maximum;
    let mut world = world_with(Config::new(4), spec);
    world.advance_secs(120);
    let input = json!({ "cluster": "shop", "service": "web", "taskDefinition": "web:2" });
    world.call(Operation::UpdateService, input).unwrap();
    let (mut fewest, mut most) = (usize::MAX, 0);
    for _ in 0..900 {
        world.advance_secs(1);
        fewest = fewest.min(serving(&world));
        most = most.max(world.live_tasks(&key("shop/web")).len());
    }
    (fewest, most, world)
}

fn task_definitions(world: &World) -> BTreeSet<String> {
    world
        .tasks_of(&key("shop/web"))
        .into_iter()
        .filter(|it| it.is_live())
        .map(|it| it.task_definition.clone())
        .collect()
}

#[test]
fn deployments_keep_between_minimum_and_maximum() {
    for (minimum, maximum, fewest, most) in [(100, 200, 10, 20), (50, 100, 5, 10), (75, 130, 8, 13)]
    {
        let (few, many, world) = roll(minimum, maximum);
        assert!(few >= fewest, "{minimum}/{maximum}: {few} served");
        assert!(many <= most, "{minimum}/{maximum}: {many} lived");
        let definitions = task_definitions(&world);
        assert_eq!(definitions.len(), 1, "{minimum}/{maximum}");
        assert!(definitions.iter().all(|it| it.ends_with("web:2")));
        let service = world.service(&key("shop/web")).unwrap();
        assert_eq!(service.deployments.len(), 1);
        assert!(service.deployments.iter().all(|it| it.completed));
    }
}

#[test]
fn with_no_room_between_minimum_and_maximum_nothing_is_deployed() {
    let (few, many, world) = roll(100, 100);
    assert_eq!((few, many), (10, 10));
    assert_eq!(
        world.service(&key("shop/web")).unwrap().deployments.len(),
        2
    );
    assert!(
        task_definitions(&world)
            .iter()
            .all(|it| it.ends_with("web:1"))
    );
}

#[test]
fn a_forced_change_of_strategy_moves_every_task() {
    let mut world = world_with(Config::new(4), spec(6));
    world.advance_secs(120);
    let input = json!({
        "cluster": "shop", "service": "web", "forceNewDeployment": true,
        "capacityProviderStrategy": [{ "capacityProvider": "FARGATE_SPOT", "weight": 1 }],
    });
    world.call(Operation::UpdateService, input).unwrap();
    world.advance_secs(300);
    let spot = world
        .tasks_of(&key("shop/web"))
        .into_iter()
        .filter(|it| it.is_live() && it.market == Market::Spot)
        .count();
    assert_eq!((spot, serving(&world)), (6, 6));
}

#[test]
fn a_steady_service_says_so_again_and_again() {
    let mut config = Config::new(4);
    config.scheduler.steady_state_every_secs = 600;
    let mut world = world_with(config, spec(2));
    world.advance_secs(3_600);
    let events = world.take_due_events();
    assert_eq!(named(&events, "SERVICE_STEADY_STATE").len(), 6);
    assert_eq!(named(&events, "SERVICE_DEPLOYMENT_IN_PROGRESS").len(), 1);
    assert_eq!(named(&events, "SERVICE_DEPLOYMENT_COMPLETED").len(), 1);
}

#[test]
fn the_wait_after_a_failure_doubles_and_ends_with_an_update() {
    let spec = spec(1).on(vec![line(FARGATE_SPOT, 0, 1).unwrap()]);
    let mut world = world_with(Config::new(4), spec);
    world.set_capacity_everywhere(FARGATE_SPOT, world.now(), 0);
    world.advance_secs(200);
    let start = world.config().start;
    let at = |events: &[Delivered]| -> Vec<i64> {
        let mut secs: Vec<i64> = named(events, "SERVICE_TASK_PLACEMENT_FAILURE")
            .into_iter()
            .map(|it| {
                let created = it
                    .pointer("/detail/createdAt")
                    .and_then(Value::as_str)
                    .unwrap();
                created
                    .parse::<Timestamp>()
                    .unwrap()
                    .duration_since(start)
                    .as_secs()
            })
            .collect();
        secs.sort_unstable();
        secs
    };
    assert_eq!(at(&world.take_due_events()), [1, 11, 31, 71, 131, 191]);
    // 191 + 60 would be the next one; an update does not wait for it.
    world.set_desired_count(&key("shop/web"), 2).unwrap();
    world.advance_secs(5);
    assert_eq!(at(&world.take_due_events()), [201]);
}

#[test]
fn placement_failures_can_be_reported_sparsely() {
    let mut config = Config::new(4);
    config.scheduler.placement_failure_every_secs = 6 * 3_600;
    let spec = spec(1).on(vec![line(FARGATE_SPOT, 0, 1).unwrap()]);
    let mut world = world_with(config, spec);
    world.set_capacity_everywhere(FARGATE_SPOT, world.now(), 0);
    world.advance_secs(3_600);
    let events = world.take_due_events();
    assert_eq!(named(&events, "SERVICE_TASK_PLACEMENT_FAILURE").len(), 1);
}

#[test]
fn fargate_launches_twenty_a_second_after_the_first_hundred() {
    let mut world = world_with(Config::new(4), spec(300));
    let tasks = |world: &World| world.live_tasks(&key("shop/web")).len();
    world.advance_secs(1);
    assert_eq!(tasks(&world), 100);
    world.advance_secs(5);
    assert_eq!(tasks(&world), 200);
    world.advance_secs(60);
    assert_eq!(tasks(&world), 300);
}

#[test]
fn a_sick_task_is_replaced_before_it_is_stopped() {
    let mut world = world_with(Config::new(4), spec(3));
    world.advance_secs(120);
    let sick = world
        .live_tasks(&key("shop/web"))
        .into_iter()
        .next()
        .unwrap();
    assert!(world.set_health(&sick, Health::Unhealthy));
    world.advance_secs(2);
    assert_eq!(world.live_tasks(&key("shop/web")).len(), 4);
    assert_eq!(serving(&world), 2);
    world.advance_secs(120);
    assert_eq!(serving(&world), 3);
    assert!(!world.live_tasks(&key("shop/web")).contains(&sick));
}

#[test]
fn the_replacement_of_a_sick_base_task_is_the_base() {
    let strategy = vec![
        line(FARGATE, 1, 1).unwrap(),
        line(FARGATE_SPOT, 0, 4).unwrap(),
    ];
    let mut world = world_with(Config::new(4), spec(1).on(strategy));
    world.advance_secs(120);
    let sick = world.live_tasks(&key("shop/web")).into_iter().next();
    assert!(world.set_health(&sick.unwrap(), Health::Unhealthy));
    world.advance_secs(300);
    let tasks = world.tasks_of(&key("shop/web"));
    let providers = tasks
        .into_iter()
        .filter(|it| it.is_live())
        .map(|it| it.provider.as_deref());
    assert_eq!(providers.collect::<Vec<_>>(), [Some(FARGATE)]);
}

#[test]
fn tasks_are_spread_over_the_zones_with_room() {
    let mut world = world_with(Config::new(4), spec(0));
    world.set_capacity(PoolKey::new(FARGATE, "us-west-2b"), world.now(), 1);
    world.set_desired_count(&key("shop/web"), 9).unwrap();
    world.advance_secs(120);
    let in_zone = |zone: &str| {
        let tasks = world.tasks_of(&key("shop/web"));
        tasks
            .into_iter()
            .filter(|it| it.is_live() && it.zone == zone)
            .count()
    };
    assert_eq!(
        [
            in_zone("us-west-2a"),
            in_zone("us-west-2b"),
            in_zone("us-west-2c")
        ],
        [4, 1, 4]
    );
}

#[test]
fn on_demand_capacity_that_shrinks_interrupts_nothing() {
    let mut world = world_with(Config::new(4), spec(4));
    world.advance_secs(120);
    world.set_capacity_everywhere(FARGATE, world.now(), 0);
    world.advance_secs(600);
    assert_eq!(serving(&world), 4);
}

#[test]
fn services_that_ecs_does_not_schedule_get_no_tasks() {
    for (scheduling, controller) in [
        (Scheduling::Daemon, Controller::Ecs),
        (Scheduling::Replica, Controller::External),
    ] {
        let mut spec = spec(3);
        spec.scheduling = scheduling;
        spec.controller = controller;
        let mut world = world_with(Config::new(4), spec);
        world.advance_secs(600);
        assert_eq!(world.live_tasks(&key("shop/web")).len(), 0);
    }
}

#[test]
fn a_declared_spot_group_is_a_pool_like_any_other() {
    let mut world = world_with(Config::new(4), spec(0));
    world.declare_group(
        "EC2Spot",
        GroupProvider {
            group: "ecs-spot".to_owned(),
            market: Market::Spot,
            instance_types: vec!["m5.large".to_owned()],
        },
    );
    let input = json!({
        "cluster": "shop", "capacityProviders": ["FARGATE", "FARGATE_SPOT", "EC2Spot"],
        "defaultCapacityProviderStrategy": [{ "capacityProvider": "EC2Spot", "weight": 1 }],
    });
    world
        .call(Operation::PutClusterCapacityProviders, input)
        .unwrap();
    world
        .create(ServiceSpec::new(key("shop/batch"), "batch:1", 6))
        .unwrap();
    world.advance_secs(60);
    let events = world.take_due_events();
    let failures = named(&events, "SERVICE_TASK_PLACEMENT_FAILURE");
    assert!(
        failures
            .iter()
            .all(|it| it.pointer("/detail/reason") == Some(&json!("RESOURCE:CPU")))
    );
    assert!(!failures.is_empty());
    world.set_capacity_everywhere("EC2Spot", world.now(), 6);
    world.advance_secs(180);
    let account = world.account(&key("shop/batch")).unwrap();
    assert_eq!(account.serving, 6);
    world.set_capacity_everywhere("EC2Spot", world.now(), 3);
    world.advance_secs(180);
    assert_eq!(world.account(&key("shop/batch")).unwrap().serving, 3);
}

#[test]
fn the_scheduler_may_be_made_slow() {
    let mut config = Config::new(4);
    config.scheduler = SchedulerTimes {
        reaction_ms: 30_000,
        ..SchedulerTimes::default()
    };
    let mut world = world_with(config, spec(2));
    world.advance_secs(29);
    assert_eq!(world.live_tasks(&key("shop/web")).len(), 0);
    world.advance_secs(1);
    assert_eq!(world.live_tasks(&key("shop/web")).len(), 2);
}

#[test]
fn stopped_tasks_can_be_read_for_an_hour() {
    let mut world = world_with(Config::new(4), spec(1));
    world.advance_secs(120);
    world.set_desired_count(&key("shop/web"), 0).unwrap();
    world.advance_secs(120);
    assert_eq!(world.tasks_of(&key("shop/web")).len(), 1);
    world.advance_secs(3_500);
    let input = json!({ "cluster": "shop", "desiredStatus": "STOPPED" });
    let listed = world.call(Operation::ListTasks, input).unwrap();
    assert_eq!(
        listed
            .pointer("/taskArns")
            .and_then(Value::as_array)
            .map(Vec::len),
        Some(1)
    );
    world.advance_secs(120);
    assert_eq!(world.tasks_of(&key("shop/web")).len(), 0);
}

#[test]
fn a_stuck_task_stays_pending_until_it_is_stopped() {
    let mut config = Config::new(4);
    config.start_up.stuck_per_mille = 1_000;
    let mut world = world_with(config, spec(2));
    world.advance_secs(3_600);
    assert_eq!(serving(&world), 0);
    assert_eq!(world.live_tasks(&key("shop/web")).len(), 2);
    world.set_desired_count(&key("shop/web"), 0).unwrap();
    world.advance_secs(60);
    assert!(
        world
            .tasks_of(&key("shop/web"))
            .into_iter()
            .all(|it| it.stopped_at.is_some())
    );
}
