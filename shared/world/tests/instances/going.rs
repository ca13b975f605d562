//! Container instances whose machine is warned, stopped or gone: who drains them, and what can still be read.

use serde_json::{Value, json};
use world::{
    CapacityProvider, Config, ContainerInstance, ContainerInstanceStatus, GroupSpec, HookResult,
    LaunchSpec, Lifecycle, MANAGED_DRAINING_HOOK, Operation, RangeMs, World, line,
};

use crate::stage::{arn_under, books_agree, call, instances, live, running, service, small};

/// The cluster `shop` on so many Spot instances. `change` sets the world up.
fn spot_cluster(count: u32, managed_draining: bool, change: impl FnOnce(&mut Config)) -> World {
    let mut config = Config::new(11);
    change(&mut config);
    let mut world = World::new(config);
    let launch = LaunchSpec::spot("big", &["m5.large"]);
    let group = GroupSpec::new("big", launch, 0, count, 100);
    world.declare_auto_scaling_group(group);
    let mut provider = CapacityProvider::over("big");
    if !managed_draining {
        provider = provider.without_managed_draining();
    }
    world.declare_capacity_provider("big", provider);
    let strategy = vec![line("big", 0, 1).unwrap()];
    world
        .create_cluster_of(&"shop".parse().unwrap(), &["big"], strategy)
        .unwrap();
    world.advance_secs(180);
    assert_eq!(instances(&world).len(), usize::try_from(count).unwrap());
    world
}

fn first(world: &World) -> String {
    instances(world)[0].ec2_instance_id.clone()
}

fn of<'a>(world: &'a World, machine: &str) -> Option<&'a ContainerInstance> {
    let mut all = instances(world).into_iter();
    all.find(|it| it.ec2_instance_id == machine)
}

fn status(world: &World, machine: &str) -> Option<ContainerInstanceStatus> {
    of(world, machine).map(|it| it.status)
}

#[test]
fn the_agent_drains_its_instance_a_moment_after_the_warning() {
    let mut world = spot_cluster(40, false, |it| {
        it.ec2.agent_drains_after = RangeMs::new(1_000, 2_000);
        // The agent asks the machine: what EventBridge hears is nothing to it.
        it.ec2.signals.warnings_lost_per_mille = 1_000;
    });
    let taken = world.interrupt_group("big", 40);
    assert_eq!(taken.len(), 40);
    let draining = |world: &World| {
        let all = taken.iter();
        all.filter(|it| status(world, it) == Some(ContainerInstanceStatus::Draining))
            .count()
    };
    let started = world.now();
    let mut seen = Vec::new();
    for millis in [900, 1_500, 2_000] {
        world.advance_to(started + jiff::SignedDuration::from_millis(millis));
        seen.push(draining(&world));
    }
    assert_eq!((seen[0], seen[2]), (0, 40));
    assert!((5..=35).contains(&seen[1]), "{seen:?}");
}

#[test]
fn a_launch_template_says_whether_its_agents_drain() {
    for (template, managed, drains) in [
        (None, false, true),
        (Some(true), false, true),
        (Some(false), false, false),
        // Managed draining does not need the agent.
        (Some(false), true, true),
    ] {
        let mut world = spot_cluster(2, managed, |_| {});
        if let Some(flag) = template {
            assert!(world.set_spot_instance_draining("big", flag));
        }
        let id = first(&world);
        world.interrupt_instance(&id);
        let is_draining = status(&world, &id) == Some(ContainerInstanceStatus::Draining);
        assert_eq!(is_draining, drains, "{template:?} {managed}");
    }
    let mut world = World::new(Config::new(1));
    assert!(!world.set_spot_instance_draining("nobody", true));
}

#[test]
fn managed_draining_hears_of_a_warning_as_everybody_does() {
    for (lost, late, at_once, later) in [
        (0, 0, true, true),
        (0, 1_000, false, true),
        (1_000, 0, false, false),
    ] {
        let mut world = spot_cluster(2, true, |it| {
            it.spot_instance_draining = false;
            it.ec2.signals.warnings_lost_per_mille = lost;
            it.ec2.signals.warnings_late_per_mille = late;
            it.ec2.signals.warning_lateness = RangeMs::new(40_000, 40_000);
        });
        let id = first(&world);
        world.interrupt_instance(&id);
        let is_draining =
            |world: &World| status(world, &id) == Some(ContainerInstanceStatus::Draining);
        assert_eq!(is_draining(&world), at_once);
        world.advance_secs(41);
        assert_eq!(is_draining(&world), later);
        // Spot takes it in time whoever heard of it.
        world.advance_secs(80);
        assert!(of(&world, &id).is_none());
    }
}

#[test]
fn managed_draining_drains_what_capacity_rebalancing_replaces() {
    let mut world = spot_cluster(3, true, |_| {});
    world.set_capacity_rebalance("big", true);
    let web = service(&mut world, "web", small("web"), 6);
    world.advance_secs(120);
    world.begin_accounts();
    let id = first(&world);
    // ECS itself does nothing on the recommendation.
    assert!(world.recommend_rebalance(&id));
    world.advance_secs(10);
    assert_eq!(status(&world, &id), Some(ContainerInstanceStatus::Active));
    let mut drained = false;
    for _ in 0..600 {
        world.advance_secs(1);
        let state = world.state().instances[&id].lifecycle_state;
        let is_draining = status(&world, &id) == Some(ContainerInstanceStatus::Draining);
        drained |= is_draining && state == Lifecycle::TerminatingWait;
    }
    assert!(drained);
    assert!(of(&world, &id).is_none());
    assert_eq!(running(&world, &web), 6);
    assert_eq!(world.account(&web).unwrap().serving_min, 6);
    books_agree(&world);
}

#[test]
fn an_agent_that_comes_up_after_the_warning_drains_at_once() {
    let mut world = spot_cluster(1, false, |it| {
        it.ec2.boot = RangeMs::new(60_000, 60_000);
    });
    world.set_desired_capacity("big", 2).unwrap();
    world.advance_secs(50);
    let known = first(&world);
    let mut all = world.state().instances.keys();
    let new = all.find(|it| **it != known).unwrap().clone();
    assert!(world.interrupt_instance(&new));
    assert!(of(&world, &new).is_none());
    world.advance_secs(60);
    assert_eq!(
        status(&world, &new),
        Some(ContainerInstanceStatus::Draining)
    );
}

#[test]
fn a_stopped_machine_stays_registered_without_an_agent() {
    let mut world = spot_cluster(2, false, |_| {});
    let web = service(&mut world, "web", small("web"), 4);
    world.advance_secs(120);
    let id = first(&world);
    world.detach_instance(&id, true).unwrap();
    let arn = of(&world, &id).unwrap().arn.clone();
    assert!(world.stop_instance(&id));
    let instance = of(&world, &id).unwrap();
    assert_eq!(instance.status, ContainerInstanceStatus::Active);
    assert!(!instance.agent_connected);
    assert!(instance.tasks.is_empty());
    let lost: Vec<_> = world
        .state()
        .tasks
        .values()
        .filter(|it| !it.is_live())
        .collect();
    assert_eq!(lost.len(), 2);
    assert_eq!(
        lost[0].stopped_reason.as_deref(),
        Some(format!("Host EC2 (instance {id}) stopped.").as_str())
    );
    // Its tasks run elsewhere, and it is the same container instance when it is back.
    world.advance_secs(120);
    assert_eq!(live(&world, &web).len(), 4);
    assert!(world.start_instance_again(&id));
    world.advance_secs(180);
    let instance = of(&world, &id).unwrap();
    assert!(instance.agent_connected);
    assert_eq!(instance.arn, arn);

    // One that is ended while it is stopped is deregistered by nobody.
    world.stop_instance(&id);
    world.advance_secs(120);
    world.end_instance(&id);
    world.advance_secs(600);
    assert!(!of(&world, &id).unwrap().agent_connected);
    books_agree(&world);
}

/// What DescribeContainerInstances says of one: its status, or why there is none.
fn described(world: &mut World, arn: &str) -> String {
    let input = json!({ "cluster": "shop", "containerInstances": [arn] });
    let answer = call(world, Operation::DescribeContainerInstances, input);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    text(&answer["containerInstances"][0]["status"])
        .or_else(|| text(&answer["failures"][0]["reason"]))
        .unwrap()
}

#[test]
fn one_that_left_is_inactive_for_an_hour_and_then_missing() {
    let mut world = spot_cluster(2, false, |_| {});
    let id = first(&world);
    let arn = of(&world, &id).unwrap().arn.clone();
    assert_eq!(described(&mut world, &arn), "ACTIVE");
    world.end_instance(&id);
    world.advance_secs(60);
    assert_eq!(described(&mut world, &arn), "INACTIVE");
    let list = json!({ "cluster": "shop", "filter": format!("ec2InstanceId == '{id}'") });
    let listed = call(&mut world, Operation::ListContainerInstances, list);
    assert_eq!(listed["containerInstanceArns"], json!([]));
    let drain =
        |arn: &str| json!({ "cluster": "shop", "containerInstances": [arn], "status": "DRAINING" });
    let operation = Operation::UpdateContainerInstancesState;
    let answer = call(&mut world, operation, drain(&arn));
    assert_eq!(answer["failures"][0]["reason"], "INACTIVE");
    world.advance_secs(3_600);
    assert_eq!(described(&mut world, &arn), "MISSING");
    let answer = call(&mut world, operation, drain(&arn));
    assert_eq!(answer["failures"][0]["reason"], "MISSING");
}

#[test]
fn instances_are_found_by_machine_and_status() {
    let mut world = spot_cluster(4, false, |_| {});
    let machines: Vec<String> = instances(&world)
        .into_iter()
        .map(|it| it.ec2_instance_id.clone())
        .collect();
    world.interrupt_instance(&machines[1]);
    let mut check = |filter: String, status: Value, wanted: &[usize]| {
        let input = json!({ "cluster": "shop", "filter": filter, "status": status });
        let answer = call(&mut world, Operation::ListContainerInstances, input);
        let mut arns: Vec<String> = wanted
            .iter()
            .map(|it| of(&world, &machines[*it]).unwrap().arn.clone())
            .collect();
        arns.sort();
        let found: Vec<&str> = answer["containerInstanceArns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.as_str().unwrap())
            .collect();
        assert_eq!(found, arns, "{filter} {status}");
    };
    let any = Value::Null;
    check(
        format!("ec2InstanceId == {}", machines[0]),
        any.clone(),
        &[0],
    );
    check(
        format!("ec2InstanceId=='{}'", machines[1]),
        any.clone(),
        &[1],
    );
    let listed = format!(
        "ec2InstanceId in [{}, '{}', i-00000000000000000]",
        machines[1], machines[2]
    );
    check(listed.clone(), any, &[1, 2]);
    check(listed.clone(), json!("ACTIVE"), &[2]);
    check(listed, json!("DRAINING"), &[1]);
}

#[test]
fn a_hook_of_managed_draining_ends_with_its_instance() {
    let mut world = spot_cluster(2, true, |_| {});
    world.add_task_definition_of(small("batch")).unwrap();
    let run = json!({ "cluster": "shop", "taskDefinition": "batch" });
    let ran = call(&mut world, Operation::RunTask, run);
    let arn = ran["tasks"][0]["containerInstanceArn"].as_str().unwrap();
    let id = instances(&world)
        .into_iter()
        .find(|it| it.arn == arn)
        .unwrap()
        .ec2_instance_id
        .clone();
    world.terminate_instance_in_group(&id, true).unwrap();
    // A standalone task holds it up, until Spot takes it.
    world.advance_secs(60);
    assert_eq!(
        world.state().instances[&id].lifecycle_state,
        Lifecycle::TerminatingWait
    );
    assert!(world.interrupt_instance(&id));
    world.advance_secs(120);
    assert_eq!(
        world.state().instances[&id].lifecycle_state,
        Lifecycle::TerminatingProceed
    );
    let again = world.complete_lifecycle_action(
        "big",
        MANAGED_DRAINING_HOOK,
        Some(&id),
        None,
        HookResult::Continue,
    );
    assert_eq!(again.unwrap_err().code, "ValidationError");
    world.advance_secs(120);
    assert_eq!(
        world.state().instances[&id].lifecycle_state,
        Lifecycle::Terminated
    );
}

#[test]
fn a_cluster_counts_what_it_has() {
    let mut world = spot_cluster(2, true, |_| {});
    let web = service(&mut world, "web", small("web"), 4);
    world.advance_secs(120);
    let arn = arn_under(&world, &web);
    let on_it = json!({ "cluster": "shop", "containerInstance": arn, "desiredStatus": "RUNNING" });
    let listed = call(&mut world, Operation::ListTasks, on_it);
    assert_eq!(listed["taskArns"].as_array().unwrap().len(), 2);
    let task = listed["taskArns"][0].clone();
    let stop = json!({ "cluster": "shop", "task": task, "reason": "in time" });
    call(&mut world, Operation::StopTask, stop);
    world.advance_secs(200);
    let gone = json!({ "cluster": "shop", "containerInstance": arn, "desiredStatus": "STOPPED" });
    let listed = call(&mut world, Operation::ListTasks, gone);
    assert_eq!(listed["taskArns"], json!([task]));

    let read = json!({ "clusters": ["shop"], "include": ["TAGS", "STATISTICS"] });
    let answer = call(&mut world, Operation::DescribeClusters, read);
    let cluster = &answer["clusters"][0];
    assert_eq!(cluster["registeredContainerInstancesCount"], 2);
    assert_eq!(cluster["runningTasksCount"], 4);
    let count = |name: &str| {
        let mut all = cluster["statistics"].as_array().unwrap().iter();
        let found = all.find(|it| it["name"] == name).unwrap();
        found["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(count("runningEC2TasksCount"), "4");
    assert_eq!(count("activeEC2ServiceCount"), "1");
    assert_eq!(count("runningFargateTasksCount"), "0");
    let plain = json!({ "clusters": ["shop"] });
    let answer = call(&mut world, Operation::DescribeClusters, plain);
    assert_eq!(answer["clusters"][0]["statistics"], json!([]));
}
