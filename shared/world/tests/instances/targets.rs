//! Tasks behind a load balancer: when they count as healthy, and what they wait for before they stop.

use std::fmt::Write;

use expect_test::expect;
use jiff::Timestamp;
use model::ServiceKey;
use model::snapshot::{Health, TaskStatus};
use serde_json::json;
use world::{
    CapacityProvider, Config, GroupSpec, LaunchSpec, LoadBalancer, Operation, ServiceSpec,
    TargetGroup, TargetState, Task, World, line,
};

use crate::stage::{
    arn_under, books_agree, call, instances, key, live, running, service_with, small, with_large,
};

/// Four Spot instances with room for three tasks each, and nine tasks behind a load balancer whose targets drain for 90 s and are
/// healthy after two checks. Nobody but the test drains an instance.
fn workshop(minimum_healthy_percent: u32) -> (World, ServiceKey) {
    let mut config = Config::new(11);
    config.spot_instance_draining = false;
    let mut world = World::new(config);
    let launch = LaunchSpec::spot("spot", &["t3.small"]);
    world.declare_auto_scaling_group(GroupSpec::new("spot", launch, 0, 4, 10));
    let provider = CapacityProvider::over("spot").without_managed_draining();
    world.declare_capacity_provider("spot", provider);
    let cluster = "shop".parse().unwrap();
    let strategy = vec![line("spot", 0, 1).unwrap()];
    world
        .create_cluster_of(&cluster, &["spot"], strategy)
        .unwrap();
    world.advance_secs(180);
    let group = TargetGroup::new("web")
        .with_deregistration_delay_secs(90)
        .healthy_after(2);
    let group = world.declare_target_group(group);
    let web = service_with(&mut world, "web", small("web"), 9, |mut it| {
        it.minimum_healthy_percent = minimum_healthy_percent;
        it.behind(&group)
    });
    world.advance_secs(240);
    assert_eq!(in_state(&world, &web, TargetState::Healthy).len(), 9);
    (world, web)
}

fn in_state<'a>(world: &'a World, key: &ServiceKey, state: TargetState) -> Vec<&'a Task> {
    let tasks = world.tasks_of(key).into_iter();
    tasks
        .filter(|it| it.targets.values().any(|target| target.state == state))
        .collect()
}

/// The instance with three tasks: its id, and its container instance's ARN.
fn full_one(world: &World) -> (String, String) {
    let all = instances(world);
    let full = all.iter().find(|it| it.tasks.len() == 3).unwrap();
    (full.ec2_instance_id.clone(), full.arn.clone())
}

fn warn_and_drain(world: &mut World) -> String {
    let (machine, arn) = full_one(world);
    assert!(world.interrupt_instance(&machine));
    let input = json!({ "cluster": "shop", "containerInstances": [arn], "status": "DRAINING" });
    call(world, Operation::UpdateContainerInstancesState, input);
    machine
}

/// What a service's log has said since a time, the oldest first, in seconds since then and without random digits.
fn told_since(world: &World, key: &ServiceKey, since: Timestamp) -> String {
    let service = world.service(key).unwrap();
    let mut told = String::new();
    for (at, _, text) in service.events.iter().rev().filter(|it| it.0 >= since) {
        let secs = at.duration_since(since).as_secs();
        let text = text
            .split("targetgroup/web/")
            .map(|it| it.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
            .collect::<Vec<_>>()
            .join("targetgroup/web/...");
        writeln!(told, "{secs} s {text}").unwrap();
    }
    told
}

#[test]
fn the_workshops_interruption_with_headroom() {
    let (mut world, web) = workshop(50);
    world.begin_accounts();
    world.timeline_mut().take();
    let warned = world.now();
    let machine = warn_and_drain(&mut world);
    world.advance_secs(2);
    // Three are on their way out, and three on their way in, at once.
    assert_eq!(in_state(&world, &web, TargetState::Draining).len(), 3);
    assert_eq!(live(&world, &web).len(), 9);
    let leaving = in_state(&world, &web, TargetState::Draining);
    assert!(
        leaving
            .iter()
            .all(|it| it.last_status == TaskStatus::Deactivating && !it.desired_running)
    );
    world.advance_secs(18);
    assert_eq!(running(&world, &web), 9, "RUNNING after about 13 s");
    assert_eq!(in_state(&world, &web, TargetState::Initial).len(), 3);
    assert_eq!(world.account(&web).unwrap().serving, 6);
    world.advance_secs(60);
    assert_eq!(in_state(&world, &web, TargetState::Healthy).len(), 9);
    assert_eq!(in_state(&world, &web, TargetState::Draining).len(), 3);
    assert_eq!(world.account(&web).unwrap().serving, 9);
    world.advance_secs(13);
    assert_eq!(in_state(&world, &web, TargetState::Draining).len(), 0);
    world.advance_secs(27);
    let on_it = world.state().container_instance_of.get(&machine);
    assert_eq!(on_it, None, "Spot took it after two minutes");
    assert_eq!(world.account(&web).unwrap().serving_min, 6);
    books_agree(&world);
    expect![[r#"
        1 s (service web) has stopped 3 running tasks.
        1 s (service web) has started 3 tasks.
        1 s (service web) deregistered 3 targets in (target-group arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/web/...)
        1 s (service web) has begun draining connections on 3 tasks.
        12 s (service web) registered 1 targets in (target-group arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/web/...)
        13 s (service web) registered 1 targets in (target-group arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/web/...)
        15 s (service web) registered 1 targets in (target-group arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/web/...)
        92 s (service web) has reached a steady state.
    "#]]
    .assert_eq(&told_since(&world, &web, warned));
    let mut told = String::new();
    for entry in world.timeline().entries() {
        let secs = entry.at.duration_since(warned).as_secs();
        let text = entry.text.replace(&machine, "i-...");
        writeln!(told, "{secs} s {text}").unwrap();
    }
    expect![[r#"
        0 s Spot takes back instance i-... of t3.small in us-west-2b (Spot), it gets its warning
        0 s i-... is DRAINING
        1 s shop/web: 3 targets in web are draining
        1 s shop/web serves with 6 of 9 tasks
        12 s shop/web: 1 target in web is initial
        13 s shop/web: 1 target in web is initial
        15 s shop/web: 1 target in web is initial
        72 s shop/web: 1 target in web is healthy
        72 s shop/web serves with 7 of 9 tasks
        73 s shop/web: 1 target in web is healthy
        73 s shop/web serves with 8 of 9 tasks
        75 s shop/web: 1 target in web is healthy
        75 s shop/web serves with 9 of 9 tasks
        91 s shop/web: 3 targets in web are gone
        92 s shop/web is steady at 9 tasks
        120 s i-... left shop with 0 tasks
    "#]]
    .assert_eq(&told);
}

#[test]
fn at_100_percent_the_targets_are_deregistered_when_their_replacements_are_healthy() {
    let (mut world, web) = workshop(100);
    world.begin_accounts();
    warn_and_drain(&mut world);
    world.advance_secs(60);
    assert_eq!(running(&world, &web), 12);
    assert_eq!(in_state(&world, &web, TargetState::Draining).len(), 0);
    world.advance_secs(20);
    assert_eq!(in_state(&world, &web, TargetState::Draining).len(), 3);
    // The deregistration delay does not fit into the notice: the machine takes the tasks with it.
    world.advance_secs(41);
    assert_eq!(in_state(&world, &web, TargetState::Draining).len(), 0);
    let killed = world
        .tasks_of(&web)
        .into_iter()
        .filter(|it| it.last_status == TaskStatus::Stopped);
    assert_eq!(killed.count(), 3);
    assert_eq!(world.account(&web).unwrap().serving_min, 9);
    books_agree(&world);
}

/// Three tasks behind a load balancer on two instances.
fn three(change: impl FnOnce(ServiceSpec) -> ServiceSpec) -> (World, ServiceKey) {
    let mut world = with_large(2);
    let group = TargetGroup::new("web").healthy_after(2);
    let group = world.declare_target_group(group);
    let web = service_with(&mut world, "web", small("web"), 3, |it| {
        change(it.behind(&group))
    });
    (world, web)
}

#[test]
fn a_service_is_steady_when_its_targets_are_healthy_and_none_is_deregistered() {
    let (mut world, web) = three(|it| it);
    let steady = |world: &World| {
        let events = &world.service(&web).unwrap().events;
        let texts = events.iter().filter(|it| it.2.ends_with("steady state."));
        texts.count()
    };
    world.advance_secs(50);
    assert_eq!((running(&world, &web), steady(&world)), (3, 0));
    world.advance_secs(40);
    assert_eq!(steady(&world), 1);
    world.set_desired_count(&web, 2).unwrap();
    // The deregistration delay is AWS's default of 300 s.
    world.advance_secs(295);
    assert_eq!(in_state(&world, &web, TargetState::Draining).len(), 1);
    assert_eq!(steady(&world), 1);
    world.advance_secs(10);
    assert_eq!(in_state(&world, &web, TargetState::Gone).len(), 1);
    assert_eq!(steady(&world), 2);
}

#[test]
fn a_target_that_fails_its_checks_is_replaced_after_the_grace_period() {
    for (grace, gone_after) in [(None, 90), (Some(600), 600)] {
        let (mut world, web) = three(|mut it| {
            it.health_check_grace_period_secs = grace;
            it
        });
        world.advance_secs(90);
        let sick = live(&world, &web)[0].id().to_owned();
        let started = world.state().tasks[&sick].started_at.unwrap();
        assert!(world.set_target_answers(&sick, false));
        let mut stopped = None;
        for _ in 0..900 {
            world.advance_secs(1);
            let task = &world.state().tasks[&sick];
            if !task.desired_running {
                stopped.get_or_insert(world.now().duration_since(started).as_secs());
            }
        }
        // Without a grace period it takes two checks to fail, and then the start and two checks of its replacement.
        let stopped = stopped.unwrap();
        assert!(stopped >= gone_after, "{grace:?}: {stopped} s");
        assert!(stopped <= gone_after + 120, "{grace:?}: {stopped} s");
        let task = &world.state().tasks[&sick];
        let reason = task.stopped_reason.as_deref().unwrap();
        assert!(
            reason.starts_with("Task failed ELB health checks in (target-group arn:aws:"),
            "{reason}"
        );
        assert_eq!(in_state(&world, &web, TargetState::Healthy).len(), 3);
    }
}

#[test]
fn a_target_that_recovers_in_time_stays() {
    let (mut world, web) = three(|it| it);
    world.advance_secs(90);
    let task = live(&world, &web)[0].id().to_owned();
    // One check fails, the next one does not.
    world.set_target_answers(&task, false);
    world.advance_secs(35);
    world.set_target_answers(&task, true);
    world.advance_secs(600);
    assert!(world.state().tasks[&task].serves());
    assert_eq!(world.tasks_of(&web).len(), 3);
}

#[test]
fn the_grace_period_holds_for_container_health_checks_too() {
    let (mut world, web) = three(|mut it| {
        it.health_check_grace_period_secs = Some(300);
        it
    });
    world.advance_secs(90);
    let sick = live(&world, &web)[0].id().to_owned();
    world.set_health(&sick, Health::Unhealthy);
    world.advance_secs(120);
    assert!(world.state().tasks[&sick].is_live());
    world.advance_secs(240);
    assert!(!world.state().tasks[&sick].is_live());
}

#[test]
fn a_target_group_that_nobody_declared_is_healthy_at_once() {
    let mut world = with_large(2);
    let arn =
        "arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/web/0123456789abcdef";
    let web = service_with(&mut world, "web", small("web"), 3, |it| it.behind(arn));
    world.advance_secs(30);
    let tasks = live(&world, &web);
    assert!(tasks.iter().all(|it| it.serves() && it.targets.is_empty()));
    let id = tasks[0].id().to_owned();
    assert!(!world.set_target_answers(&id, false));
}

#[test]
fn a_stopped_task_drains_first_on_the_wire_as_well() {
    let (mut world, web) = three(|it| it);
    world.advance_secs(90);
    let task = live(&world, &web)[0].arn.clone();
    let input = json!({ "cluster": "shop", "task": task, "reason": "it will not fit in time" });
    let answer = call(&mut world, Operation::StopTask, input);
    let told = &answer["task"];
    assert_eq!(told["desiredStatus"], "STOPPED");
    assert_eq!(told["lastStatus"], "RUNNING");
    assert_eq!(told["stopCode"], "UserInitiated");
    assert_eq!(told["stoppedReason"], "it will not fit in time");
    assert!(told["stoppingAt"].is_number());
    // Once more is no error, and changes nothing.
    let input = json!({ "cluster": "shop", "task": task, "reason": "another" });
    let again = call(&mut world, Operation::StopTask, input);
    assert_eq!(again["task"]["stoppedReason"], "it will not fit in time");
    let status = |world: &mut World| {
        let input = json!({ "cluster": "shop", "tasks": [task] });
        let answer = call(world, Operation::DescribeTasks, input);
        answer["tasks"][0]["lastStatus"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for (secs, expected) in [(1, "DEACTIVATING"), (298, "DEACTIVATING"), (60, "STOPPED")] {
        world.advance_secs(secs);
        assert_eq!(status(&mut world), expected);
    }
    assert_eq!(in_state(&world, &web, TargetState::Healthy).len(), 3);
}

#[test]
fn load_balancers_and_grace_periods_come_back_as_they_were_given() {
    let mut world = with_large(1);
    let group = world.declare_target_group(TargetGroup::new("web"));
    world.add_task_definition_of(small("web")).unwrap();
    let balancer =
        json!({ "targetGroupArn": group, "containerName": "front", "containerPort": 8080 });
    let input = json!({
        "cluster": "shop", "serviceName": "web", "taskDefinition": "web", "desiredCount": 1,
        "loadBalancers": [balancer], "healthCheckGracePeriodSeconds": 45,
    });
    let made = call(&mut world, Operation::CreateService, input);
    assert_eq!(made["service"]["loadBalancers"], json!([balancer]));
    assert_eq!(made["service"]["healthCheckGracePeriodSeconds"], 45);
    let input = json!({ "cluster": "shop", "service": "web", "healthCheckGracePeriodSeconds": 60 });
    call(&mut world, Operation::UpdateService, input);
    let describe = |world: &mut World| {
        let input = json!({ "cluster": "shop", "services": ["web"] });
        call(world, Operation::DescribeServices, input)["services"][0].clone()
    };
    let told = describe(&mut world);
    assert_eq!(told["healthCheckGracePeriodSeconds"], 60);
    assert_eq!(told["deployments"].as_array().unwrap().len(), 1);
    // Other load balancers are a new deployment.
    let input = json!({ "cluster": "shop", "service": "web", "loadBalancers": [] });
    call(&mut world, Operation::UpdateService, input);
    let told = describe(&mut world);
    assert_eq!(told["loadBalancers"], json!([]));
    assert_eq!(told["deployments"].as_array().unwrap().len(), 2);
    let typed = world.service(&key("shop/web")).unwrap();
    assert_eq!(typed.load_balancers, Vec::<LoadBalancer>::new());
}

#[test]
fn an_instance_without_room_elsewhere_keeps_its_targets() {
    let mut world = with_large(1);
    let group = world.declare_target_group(TargetGroup::new("web").healthy_after(2));
    let web = service_with(&mut world, "web", small("web"), 3, |it| it.behind(&group));
    world.advance_secs(90);
    let arn = arn_under(&world, &web);
    let input = json!({ "cluster": "shop", "containerInstances": [arn], "status": "DRAINING" });
    call(&mut world, Operation::UpdateContainerInstancesState, input);
    world.advance_secs(300);
    assert_eq!(in_state(&world, &web, TargetState::Healthy).len(), 3);
    assert_eq!(world.account(&web).unwrap().serving, 3);
}
