//! Instances that take no new tasks, and instances that go.

use model::snapshot::{Scheduling, TaskStatus};
use model::strategy::Market;
use serde_json::json;
use world::{
    BinpackBy, CapacityProvider, Constraint, ContainerInstanceStatus, InstancePoolKey, Lifecycle,
    Operation, PlaceStrategy, TaskDefinition,
};

use crate::stage::{
    arn_under, books_agree, call, instances, key, live, running, service, service_with, small,
    spread, with_large, with_types,
};

fn set_state(world: &mut world::World, arn: &str, status: &str) {
    let input = json!({ "cluster": "shop", "containerInstances": [arn], "status": status });
    let answer = call(world, Operation::UpdateContainerInstancesState, input);
    assert_eq!(answer["failures"], json!([]));
}

#[test]
fn a_drained_instance_keeps_the_service_whole() {
    let mut world = with_large(3);
    let web = service(&mut world, "web", small("web"), 6);
    world.advance_secs(120);
    assert_eq!(spread(&world, &web), [2, 2, 2]);
    world.begin_accounts();
    let arn = arn_under(&world, &web);
    set_state(&mut world, &arn, "DRAINING");
    world.advance_secs(120);
    assert_eq!(spread(&world, &web), [3, 3]);
    assert_eq!(running(&world, &web), 6);
    // 100 % stay healthy: replacements run before what they replace is stopped.
    assert_eq!(world.account(&web).unwrap().serving_min, 6);
    books_agree(&world);
    // It can come back, and gets what is new.
    set_state(&mut world, &arn, "ACTIVE");
    world.set_desired_count(&web, 9).unwrap();
    world.advance_secs(60);
    assert_eq!(spread(&world, &web), [3, 3, 3]);
}

#[test]
fn without_a_surplus_draining_waits_and_below_the_minimum_it_stops_first() {
    for (minimum, maximum, moved) in [(100, 100, false), (50, 100, true)] {
        let mut world = with_large(2);
        let web = service_with(&mut world, "web", small("web"), 4, |mut it| {
            it.minimum_healthy_percent = minimum;
            it.maximum_percent = maximum;
            it
        });
        world.advance_secs(120);
        let arn = arn_under(&world, &web);
        set_state(&mut world, &arn, "DRAINING");
        world.advance_secs(180);
        let on_it = instances(&world)
            .into_iter()
            .find(|it| it.arn == arn)
            .unwrap()
            .tasks
            .len();
        assert_eq!(on_it == 0, moved, "{minimum} to {maximum} %");
        assert_eq!(running(&world, &web), 4);
    }
}

#[test]
fn daemons_stop_last_and_standalone_tasks_stay() {
    let mut world = with_large(2);
    let agent = service_with(&mut world, "agent", small("agent"), 0, |mut it| {
        it.scheduling = Scheduling::Daemon;
        it
    });
    world.add_task_definition_of(small("batch")).unwrap();
    world.advance_secs(60);
    let input = json!({ "cluster": "shop", "taskDefinition": "batch" });
    let ran = call(&mut world, Operation::RunTask, input);
    let task = ran["tasks"][0]["taskArn"].as_str().unwrap().to_owned();
    let arn = ran["tasks"][0]["containerInstanceArn"]
        .as_str()
        .unwrap()
        .to_owned();
    world.advance_secs(60);
    set_state(&mut world, &arn, "DRAINING");
    world.advance_secs(600);
    assert_eq!(
        live(&world, &agent).len(),
        2,
        "the standalone task holds up the daemon"
    );
    let input = json!({ "cluster": "shop", "task": task });
    call(&mut world, Operation::StopTask, input);
    world.advance_secs(120);
    assert_eq!(live(&world, &agent).len(), 1);
    let drained = instances(&world)
        .into_iter()
        .find(|it| it.arn == arn)
        .unwrap();
    assert!(drained.tasks.is_empty());
    books_agree(&world);
}

#[test]
fn a_lost_instance_takes_its_tasks_with_it() {
    let mut world = with_large(2);
    let web = service(&mut world, "web", small("web"), 4);
    world.advance_secs(120);
    let arn = arn_under(&world, &web);
    let machine = instances(&world)
        .into_iter()
        .find(|it| it.arn == arn)
        .unwrap()
        .ec2_instance_id
        .clone();
    // Without managed draining nothing waits: the machine ends, and its tasks with it.
    let provider = CapacityProvider::over("big").without_managed_draining();
    world.declare_capacity_provider("big", provider);
    world.terminate_instance_in_group(&machine, false).unwrap();
    world.advance_secs(1);
    assert_eq!(running(&world, &web), 2);
    let lost = world.tasks_of(&web);
    let lost = lost
        .iter()
        .find(|it| it.last_status == TaskStatus::Stopped)
        .unwrap();
    let reason = format!("Host EC2 (instance {machine}) terminated.");
    assert_eq!(lost.stopped_reason.as_deref(), Some(reason.as_str()));
    // The group replaces the machine, and the service its tasks at once on what is left.
    world.advance_secs(300);
    assert_eq!(running(&world, &web), 4);
    assert_eq!(instances(&world).len(), 2);
    books_agree(&world);
}

#[test]
fn managed_draining_holds_up_the_termination() {
    let mut world = with_large(2);
    let web = service(&mut world, "web", small("web"), 4);
    world.advance_secs(120);
    world.begin_accounts();
    let arn = arn_under(&world, &web);
    let of = |world: &world::World| {
        let found = instances(world).into_iter().find(|it| it.arn == arn);
        found.map(|it| (it.ec2_instance_id.clone(), it.status))
    };
    let (machine, _) = of(&world).unwrap();
    world.terminate_instance_in_group(&machine, true).unwrap();
    assert_eq!(of(&world).unwrap().1, ContainerInstanceStatus::Draining);
    let lifecycle = world.state().instances[&machine].lifecycle_state;
    assert_eq!(lifecycle, Lifecycle::TerminatingWait);
    world.advance_secs(120);
    assert_eq!(of(&world), None, "it is drained, and gone");
    assert_eq!(world.account(&web).unwrap().serving_min, 4);
    assert_eq!(running(&world, &web), 4);
}

#[test]
fn managed_draining_waits_for_a_standalone_task_with_heartbeats() {
    let mut world = with_large(1);
    world.add_task_definition_of(small("batch")).unwrap();
    let input = json!({ "cluster": "shop", "taskDefinition": "batch" });
    let ran = call(&mut world, Operation::RunTask, input);
    world.advance_secs(60);
    let machine = instances(&world)[0].ec2_instance_id.clone();
    world.terminate_instance_in_group(&machine, true).unwrap();
    world.advance_secs(3 * 3_600);
    assert_eq!(instances(&world).len(), 1, "the heartbeat is renewed");
    let input = json!({ "cluster": "shop", "task": ran["tasks"][0]["taskArn"] });
    call(&mut world, Operation::StopTask, input);
    world.advance_secs(120);
    assert_eq!(instances(&world).len(), 0);
}

#[test]
fn managed_termination_protection_follows_the_tasks() {
    let provider = CapacityProvider::over("big")
        .scaled_at(100)
        .with_termination_protection();
    let mut world = with_types(&["m5.large"], 2, provider);
    let distinct = vec![Constraint::DistinctInstance];
    let web = service_with(&mut world, "web", small("web"), 1, |mut it| {
        it.placement_constraints = distinct;
        it
    });
    world.advance_secs(60);
    let protected = |world: &world::World| -> Vec<bool> {
        let machines = world.state().instances.values();
        let mut all: Vec<bool> = machines.map(|it| it.protected_from_scale_in).collect();
        all.sort_unstable();
        all
    };
    // The group protects what it launches; ECS ends that where no task is.
    assert_eq!(protected(&world), [false, true]);
    // The group shrinks, and only the empty instance goes.
    world.advance_secs(1_800);
    assert_eq!(running(&world, &web), 1);
    assert_eq!(instances(&world).len(), 1);
}

#[test]
fn spot_takes_an_instance_and_its_tasks_are_elsewhere_in_time() {
    let mut world = world::World::new(world::Config::new(4));
    let names = world.add_workshop_ec2(world::ScaledBy::Ecs).unwrap();
    world.advance_secs(600);
    world.set_desired_count(&names.service, 20).unwrap();
    world.advance_secs(600);
    assert_eq!(running(&world, &names.service), 20);
    world.begin_accounts();
    let spot = world
        .state()
        .instances
        .values()
        .find(|it| {
            let on = world.state().container_instance_of.get(&it.id);
            let on = on.and_then(|it| world.state().container_instances.get(it));
            it.market == Market::Spot && on.is_some_and(|it| !it.tasks.is_empty())
        })
        .unwrap();
    let pool = InstancePoolKey::new(&spot.instance_type, &spot.zone, Market::Spot);
    let id = spot.id.clone();
    let now = world.now();
    world.set_instance_capacity(pool, now, 0);
    let container = world.state().container_instance_of[&id].clone();
    let status = world.state().container_instances[&container].status;
    assert_eq!(status, ContainerInstanceStatus::Draining);
    world.advance_secs(121);
    assert_eq!(running(&world, &names.service), 20);
    assert_eq!(world.account(&names.service).unwrap().serving_min, 20);
    assert!(!world.state().container_instances.contains_key(&container));
}

#[test]
fn protected_tasks_are_passed_over() {
    let mut world = with_large(2);
    let web = service(&mut world, "web", small("web"), 4);
    world.advance_secs(120);
    let arns: Vec<String> = live(&world, &web).iter().map(|it| it.arn.clone()).collect();
    let input = json!({ "cluster": "shop", "tasks": arns[..2], "protectionEnabled": true, "expiresInMinutes": 10 });
    let answer = call(&mut world, Operation::UpdateTaskProtection, input);
    assert_eq!(answer["protectedTasks"].as_array().unwrap().len(), 2);
    world.set_desired_count(&web, 0).unwrap();
    world.advance_secs(120);
    let left: Vec<String> = live(&world, &web).iter().map(|it| it.arn.clone()).collect();
    assert_eq!(left, arns[..2]);
    // Nor does a drain move them, until their protection is over.
    let arn = arn_under(&world, &web);
    set_state(&mut world, &arn, "DRAINING");
    world.advance_secs(300);
    assert_eq!(live(&world, &web).len(), 2);
    world.advance_secs(300);
    assert_eq!(live(&world, &web).len(), 0);
}

#[test]
fn a_packing_service_is_scaled_in_from_where_the_most_is_left() {
    let mut world = with_large(3);
    let web = service_with(&mut world, "web", small("web"), 18, |mut it| {
        it.placement_strategy = vec![PlaceStrategy::Binpack(BinpackBy::Cpu)];
        it
    });
    world.advance_secs(120);
    assert_eq!(spread(&world, &web), [2, 8, 8]);
    world.set_desired_count(&web, 15).unwrap();
    world.advance_secs(120);
    assert_eq!(spread(&world, &web), [7, 8]);
}

#[test]
fn a_deployment_on_instances_replaces_everything() {
    let mut world = with_large(2);
    let web = service(&mut world, "web", small("web"), 6);
    world.advance_secs(120);
    let next = TaskDefinition::on_instances("web", 128, 256);
    let arn = world.add_task_definition_of(next).unwrap();
    let input = json!({ "cluster": "shop", "service": "web", "taskDefinition": arn });
    call(&mut world, Operation::UpdateService, input);
    world.advance_secs(300);
    assert_eq!(running(&world, &key("shop/web")), 6);
    assert!(
        live(&world, &web)
            .iter()
            .all(|it| it.needs.cpu_units == 128)
    );
    assert_eq!(world.service(&web).unwrap().deployments.len(), 1);
    books_agree(&world);
}
