//! How a group launches, keeps, replaces and terminates instances.

use expect_test::expect;
use model::strategy::Market;
use world::{
    Allocation, GroupSpec, InstancePoolKey, LaunchOverride, LaunchSpec, Lifecycle, MachineState,
    Operation, Process,
};

use crate::stage::{
    GROUP, SETTLE_SECS, call, details, group, in_service, instances, lines, spot, spot_capacity,
    spread, with,
};
use serde_json::json;

#[test]
fn a_group_launches_what_is_desired_and_balances_its_zones() {
    let mut world = spot(7, 10);
    assert_eq!(group(&world).instances.len(), 0);
    world.advance_secs(5);
    assert_eq!(instances(&world, Lifecycle::Pending).len(), 7);
    world.advance_secs(SETTLE_SECS);
    expect![[r#"
        m5.large us-west-2a spot: 3
        m5.large us-west-2b spot: 2
        m5.large us-west-2c spot: 2
    "#]]
    .assert_eq(&lines(&spread(&world)));

    let events = world.take_due_events();
    let launched = details(&events, "EC2 Instance Launch Successful");
    assert_eq!(launched.len(), 7);
    let first = &launched[0];
    assert_eq!(first["AutoScalingGroupName"], GROUP);
    assert_eq!(first["StatusCode"], "InProgress");
    assert!(first["Details"]["Availability Zone"].is_string());
    let id = first["EC2InstanceId"].as_str().unwrap();
    assert_eq!(
        first["Description"],
        format!("Launching a new EC2 instance: {id}")
    );
    // Each machine tells that it is made and that it runs.
    let states = details(&events, "EC2 Instance State-change Notification");
    assert_eq!(states.len(), 14);
    assert!(group(&world).activities.iter().all(|it| it.progress == 100));
}

#[test]
fn an_activity_says_why() {
    let mut world = spot(0, 10);
    world.advance_secs(10);
    world.set_desired_capacity(GROUP, 1).unwrap();
    world.advance_secs(SETTLE_SECS);
    world.set_desired_capacity(GROUP, 0).unwrap();
    world.advance_secs(SETTLE_SECS);
    let id = instances(&world, Lifecycle::Terminated)[0].id.clone();
    let told: String = group(&world)
        .activities
        .iter()
        .map(|it| format!("{}\n  {}\n", it.description, it.cause))
        .collect();
    expect![[r#"
        Terminating EC2 instance: ID
          At 2026-03-02T09:05:10Z a user request explicitly set group desired capacity changing the desired capacity from 1 to 0.  At 2026-03-02T09:05:12Z an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from 1 to 0.  At 2026-03-02T09:05:12Z instance ID was selected for termination.
        Launching a new EC2 instance: ID
          At 2026-03-02T09:00:10Z a user request explicitly set group desired capacity changing the desired capacity from 0 to 1.  At 2026-03-02T09:00:12Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 1.
    "#]]
    .assert_eq(&told.replace(id.as_str(), "ID"));
    let ended = details(
        &world.take_due_events(),
        "EC2 Instance Terminate Successful",
    );
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0]["EC2InstanceId"], id.as_str());
}

#[test]
fn the_allocation_strategy_names_the_pool() {
    let check = |strategy: Allocation, wanted: &str| {
        let mut launch = LaunchSpec::spot("workers", &["m5.large", "m5a.large", "m4.large"]);
        launch.mixed.as_mut().unwrap().distribution.spot_allocation = strategy;
        let mut spec = GroupSpec::new(GROUP, launch, 0, 1, 10);
        spec.zones = vec!["us-west-2a".to_owned()];
        let mut world = with(spec);
        for (instance_type, capacity, price) in [
            ("m5.large", 50, 40_000),
            ("m5a.large", 90, 50_000),
            ("m4.large", 10, 30_000),
        ] {
            let pool = InstancePoolKey::new(instance_type, "us-west-2a", Market::Spot);
            world.set_instance_price(pool.clone(), price);
            let now = world.now();
            world.set_instance_capacity(pool, now, capacity);
        }
        world.advance_secs(SETTLE_SECS);
        let got = &instances(&world, Lifecycle::InService)[0].instance_type;
        assert_eq!(got, wanted, "{}", strategy.as_str());
    };
    check(Allocation::CapacityOptimized, "m5a.large");
    check(Allocation::CapacityOptimizedPrioritized, "m5.large");
    check(Allocation::PriceCapacityOptimized, "m5.large");
    check(Allocation::LowestPrice, "m4.large");
    check(Allocation::Prioritized, "m5.large");
}

#[test]
fn on_demand_comes_first_and_by_its_share() {
    let mut launch = LaunchSpec::spot("workers", &["m5.large"]);
    let distribution = &mut launch.mixed.as_mut().unwrap().distribution;
    distribution.on_demand_base_capacity = 2;
    distribution.on_demand_percentage_above_base_capacity = 25;
    let mut world = with(GroupSpec::new(GROUP, launch, 0, 1, 20));
    let markets = |world: &world::World| {
        let all = instances(world, Lifecycle::InService);
        let spot = all.iter().filter(|it| it.market == Market::Spot).count();
        (all.len() - spot, spot)
    };
    for (desired, wanted) in [
        (1, (1, 0)),
        (2, (2, 0)),
        (10, (4, 6)),
        (5, (3, 2)),
        (1, (1, 0)),
    ] {
        world.set_desired_capacity(GROUP, desired).unwrap();
        world.advance_secs(SETTLE_SECS);
        assert_eq!(markets(&world), wanted, "desired {desired}");
    }
}

#[test]
fn weights_count_as_capacity() {
    let mut launch = LaunchSpec::spot("workers", &[]);
    launch.mixed.as_mut().unwrap().overrides = vec![LaunchOverride {
        instance_type: "m5.xlarge".to_owned(),
        weighted_capacity: Some(4),
    }];
    let mut world = with(GroupSpec::new(GROUP, launch, 0, 10, 20));
    world.advance_secs(SETTLE_SECS);
    // Ten units are three instances of four.
    assert_eq!(in_service(&world).len(), 3);
    assert_eq!(world.group_capacity(GROUP), 12);
    // Nothing smaller than what is too much can go.
    world.set_desired_capacity(GROUP, 9).unwrap();
    world.advance_secs(SETTLE_SECS);
    assert_eq!(in_service(&world).len(), 3);
    world.set_desired_capacity(GROUP, 8).unwrap();
    world.advance_secs(SETTLE_SECS);
    assert_eq!(in_service(&world).len(), 2);
}

#[test]
fn protected_instances_stay_and_the_group_says_so() {
    let launch = LaunchSpec::spot("workers", &["m5.large"]);
    let mut world = with(GroupSpec::new(GROUP, launch, 0, 3, 10).protected());
    world.advance_secs(SETTLE_SECS);
    let ids = in_service(&world);
    let free = &ids[1];
    call(
        &mut world,
        Operation::SetInstanceProtection,
        json!({"AutoScalingGroupName": GROUP, "InstanceIds": [free], "ProtectedFromScaleIn": false}),
    );
    world.set_desired_capacity(GROUP, 1).unwrap();
    world.advance_secs(SETTLE_SECS);
    assert_eq!(in_service(&world), [ids[0].clone(), ids[2].clone()]);
    let last = group(&world).activities.front().unwrap();
    expect!["Could not scale to desired capacity because all remaining instances are protected from scale in."]
        .assert_eq(&last.description);

    // A request terminates it all the same, and nothing takes its place.
    call(
        &mut world,
        Operation::TerminateInstanceInAutoScalingGroup,
        json!({"InstanceId": ids[0], "ShouldDecrementDesiredCapacity": false}),
    );
    world.advance_secs(SETTLE_SECS);
    assert_eq!(in_service(&world), [ids[2].clone()]);
}

#[test]
fn the_fullest_zone_shrinks_first_and_then_the_oldest_goes() {
    let mut world = spot(4, 10);
    world.advance_secs(SETTLE_SECS);
    world.set_desired_capacity(GROUP, 3).unwrap();
    world.advance_secs(SETTLE_SECS);
    expect![[r#"
        m5.large us-west-2a spot: 1
        m5.large us-west-2b spot: 1
        m5.large us-west-2c spot: 1
    "#]]
    .assert_eq(&lines(&spread(&world)));
}

#[test]
fn an_unhealthy_instance_is_replaced() {
    let mut world = spot(2, 10);
    world.advance_secs(SETTLE_SECS);
    let sick = in_service(&world)[0].clone();
    assert!(world.set_group_instance_health(&sick, false));
    world.advance_secs(SETTLE_SECS);
    let now = in_service(&world);
    assert_eq!(now.len(), 2);
    assert!(!now.contains(&sick));
    expect!["At 2026-03-02T09:05:02Z an instance was launched in response to an unhealthy instance needing to be replaced."]
        .assert_eq(&group(&world).activities[0].cause);
}

#[test]
fn suspended_processes_do_nothing_until_they_are_resumed() {
    let mut world = spot(2, 10);
    world.advance_secs(SETTLE_SECS);
    let processes = |names: &[Process]| {
        let names: Vec<&str> = names.iter().map(|it| it.as_str()).collect();
        json!({"AutoScalingGroupName": GROUP, "ScalingProcesses": names})
    };
    let both = processes(&[Process::Launch, Process::Terminate]);
    call(&mut world, Operation::SuspendProcesses, both.clone());
    world.set_desired_capacity(GROUP, 5).unwrap();
    world.advance_secs(SETTLE_SECS);
    assert_eq!(in_service(&world).len(), 2);
    world.set_desired_capacity(GROUP, 1).unwrap();
    let sick = in_service(&world)[0].clone();
    world.set_group_instance_health(&sick, false);
    world.advance_secs(SETTLE_SECS);
    assert_eq!(in_service(&world).len(), 2);

    call(&mut world, Operation::ResumeProcesses, both);
    world.advance_secs(SETTLE_SECS);
    assert_eq!(in_service(&world).len(), 1);
    assert!(!in_service(&world).contains(&sick));
}

#[test]
fn spot_interrupts_instances_where_its_pool_shrinks() {
    let mut world = spot(6, 10);
    world.advance_secs(SETTLE_SECS);
    world.take_due_events();
    spot_capacity(&mut world, "m5.large", [1, 10, 10]);
    let warned: Vec<String> = world
        .state()
        .instances
        .values()
        .filter(|it| it.interrupted_at.is_some())
        .map(|it| it.id.clone())
        .collect();
    assert_eq!(warned.len(), 1);
    world.advance_secs(3);
    let warnings = details(
        &world.take_due_events(),
        "EC2 Spot Instance Interruption Warning",
    );
    assert_eq!(
        warnings,
        [json!({"instance-id": warned[0], "instance-action": "terminate"})]
    );
    // Until the notice ends, the instance runs and is in service.
    world.advance_secs(110);
    let instance = &world.state().instances[&warned[0]];
    assert_eq!(instance.state, MachineState::Running);
    assert_eq!(in_service(&world).len(), 6);
    world.advance_secs(10);
    let instance = &world.state().instances[&warned[0]];
    assert_eq!(instance.state, MachineState::ShuttingDown);
    world.advance_secs(SETTLE_SECS);
    // The other type has more room in that zone.
    expect![[r#"
        m5.large us-west-2a spot: 1
        m5.large us-west-2b spot: 2
        m5.large us-west-2c spot: 2
        m5a.large us-west-2a spot: 1
    "#]]
    .assert_eq(&lines(&spread(&world)));
}

#[test]
fn a_zone_that_came_back_is_filled_again() {
    let mut world = with(GroupSpec::new(
        GROUP,
        LaunchSpec::spot("workers", &["m5.large"]),
        0,
        6,
        10,
    ));
    spot_capacity(&mut world, "m5.large", [0, 10, 10]);
    world.advance_secs(SETTLE_SECS);
    assert_eq!(spread(&world).len(), 2);
    spot_capacity(&mut world, "m5.large", [10, 10, 10]);
    world.advance_secs(1_800);
    expect![[r#"
        m5.large us-west-2a spot: 2
        m5.large us-west-2b spot: 2
        m5.large us-west-2c spot: 2
    "#]]
    .assert_eq(&lines(&spread(&world)));
    assert_eq!(group(&world).desired_capacity, 6);
}

#[test]
fn a_group_that_is_deleted_takes_its_instances_with_it() {
    let launch = LaunchSpec::spot("workers", &["m5.large"]);
    let mut world = with(GroupSpec::new(GROUP, launch, 1, 2, 10).protected());
    world.advance_secs(SETTLE_SECS);
    let refused = world
        .call(
            Operation::DeleteAutoScalingGroup,
            json!({"AutoScalingGroupName": GROUP}),
        )
        .unwrap_err();
    assert_eq!(refused.code, "ResourceInUse");
    call(
        &mut world,
        Operation::DeleteAutoScalingGroup,
        json!({"AutoScalingGroupName": GROUP, "ForceDelete": true}),
    );
    world.advance_secs(SETTLE_SECS);
    assert!(world.state().groups.is_empty());
    assert_eq!(in_service(&world).len(), 0);
}

#[test]
fn a_scheduled_action_happens_once() {
    let mut world = spot(1, 10);
    world.advance_secs(10);
    let at = "2026-03-02T10:00:00Z";
    call(
        &mut world,
        Operation::PutScheduledUpdateGroupAction,
        json!({
            "AutoScalingGroupName": GROUP, "ScheduledActionName": "morning", "StartTime": at,
            "MinSize": 4, "DesiredCapacity": 5,
        }),
    );
    let shown = call(
        &mut world,
        Operation::DescribeScheduledActions,
        json!({"AutoScalingGroupName": GROUP}),
    );
    assert_eq!(shown["ScheduledUpdateGroupActions"][0]["StartTime"], at);
    world.advance_secs(3_590);
    assert_eq!(group(&world).desired_capacity, 5);
    assert_eq!(group(&world).min_size, 4);
    assert!(group(&world).scheduled_actions.is_empty());
}

#[test]
fn a_thousand_instances_come_at_once_and_each_is_told() {
    let mut world = spot(1_000, 1_000);
    world.advance_secs(SETTLE_SECS);
    assert_eq!(in_service(&world).len(), 1_000);
    let launched = details(&world.take_due_events(), "EC2 Instance Launch Successful");
    assert_eq!(launched.len(), 1_000);
    // What has ended is kept for a while only.
    world.set_desired_capacity(GROUP, 999).unwrap();
    world.advance_secs(SETTLE_SECS);
    assert_eq!(group(&world).activities.len(), world::ACTIVITIES_MAX);
}

#[test]
fn balancing_keeps_the_share_of_on_demand() {
    let mut launch = LaunchSpec::spot("workers", &["m5.large"]);
    let distribution = &mut launch.mixed.as_mut().unwrap().distribution;
    distribution.on_demand_percentage_above_base_capacity = 50;
    let mut world = with(GroupSpec::new(GROUP, launch, 0, 6, 12));
    for market in [Market::Spot, Market::OnDemand] {
        let pool = InstancePoolKey::new("m5.large", "us-west-2a", market);
        let now = world.now();
        world.set_instance_capacity(pool, now, 0);
    }
    world.advance_secs(SETTLE_SECS);
    assert!(!lines(&spread(&world)).contains("us-west-2a"));
    for market in [Market::Spot, Market::OnDemand] {
        let pool = InstancePoolKey::new("m5.large", "us-west-2a", market);
        let now = world.now();
        world.set_instance_capacity(pool, now, 9);
    }
    world.advance_secs(3_600);
    let by = |wanted: &dyn Fn(&world::Instance) -> bool| {
        instances(&world, Lifecycle::InService)
            .into_iter()
            .filter(|it| wanted(it))
            .count()
    };
    assert_eq!(by(&|it| it.zone == "us-west-2a"), 2);
    assert_eq!(by(&|it| it.market == Market::OnDemand), 3);
}
