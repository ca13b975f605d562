//! Launches that fail, in AWS's words, and what the group does then.

use expect_test::expect;
use model::strategy::Market;
use world::{ActivityStatus, GroupSpec, InstancePoolKey, LaunchSpec, World};

use crate::stage::{GROUP, SETTLE_SECS, details, group, in_service, spot, spot_capacity, with};

fn failures(world: &World) -> Vec<&world::Activity> {
    group(world)
        .activities
        .iter()
        .filter(|it| it.status == ActivityStatus::Failed)
        .collect()
}

fn first_message(world: &World) -> &str {
    let failed = failures(world);
    failed.last().unwrap().status_message.as_deref().unwrap()
}

#[test]
fn without_spot_capacity_a_group_tries_again_and_waits_longer() {
    let mut world = spot(0, 10);
    for instance_type in ["m5.large", "m5a.large"] {
        spot_capacity(&mut world, instance_type, [0, 0, 0]);
    }
    world.advance_secs(10);
    world.set_desired_capacity(GROUP, 2).unwrap();
    world.advance_secs(900);
    assert_eq!(in_service(&world).len(), 0);
    expect!["Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity due to your request configuration. Please adjust your request and try again. Launching EC2 instance failed."]
        .assert_eq(first_message(&world));
    // One activity for each zone and attempt; the attempts are 30, 60, 120, 240 and 300 s apart.
    let mut times: Vec<String> = failures(&world)
        .iter()
        .map(|it| it.started_at.to_string())
        .collect();
    assert_eq!(times.len() % 3, 0);
    times.reverse();
    times.dedup();
    expect![[r#"
        2026-03-02T09:00:12Z
        2026-03-02T09:00:42Z
        2026-03-02T09:01:42Z
        2026-03-02T09:03:42Z
        2026-03-02T09:07:42Z
        2026-03-02T09:12:42Z"#]]
    .assert_eq(&times.join("\n"));
    let events = world.take_due_events();
    let told = details(&events, "EC2 Instance Launch Unsuccessful");
    assert_eq!(told.len(), failures(&world).len());
    assert_eq!(told[0]["EC2InstanceId"], "");
    assert_eq!(told[0]["StatusCode"], "Failed");
    assert_eq!(told[0]["StatusMessage"], first_message(&world));

    // Capacity comes back: the next attempt takes it, and the waits begin anew.
    spot_capacity(&mut world, "m5a.large", [0, 5, 0]);
    world.advance_secs(SETTLE_SECS);
    assert_eq!(in_service(&world).len(), 2);
}

#[test]
fn a_new_desired_capacity_is_tried_at_once() {
    let mut world = with(GroupSpec::new(
        GROUP,
        LaunchSpec::spot("workers", &["m5.large"]),
        0,
        4,
        10,
    ));
    spot_capacity(&mut world, "m5.large", [0, 0, 0]);
    world.advance_secs(600);
    spot_capacity(&mut world, "m5.large", [9, 9, 9]);
    world.set_desired_capacity(GROUP, 5).unwrap();
    world.advance_secs(60);
    assert_eq!(in_service(&world).len(), 5);
}

#[test]
fn on_demand_failures_name_the_type_and_the_zone() {
    let launch = LaunchSpec::on_demand("workers", &["m5.large"]);
    let mut world = with(GroupSpec::new(GROUP, launch, 0, 1, 10));
    let pool = InstancePoolKey::new("m5.large", "us-west-2a", Market::OnDemand);
    let now = world.now();
    world.set_instance_capacity(pool, now, 0);
    world.advance_secs(SETTLE_SECS);
    // The next zone has room.
    assert_eq!(in_service(&world).len(), 1);
    expect!["Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient m5.large capacity in the Availability Zone you requested (us-west-2a). Our system will be working on provisioning additional capacity. You can currently get m5.large capacity by not specifying an Availability Zone in your request or choosing us-west-2b, us-west-2c. Launching EC2 instance failed."]
        .assert_eq(first_message(&world));
}

#[test]
fn quotas_of_vcpus_bind() {
    let mut world = spot(0, 10);
    world.config_mut().ec2.spot_vcpus_max = Some(6);
    world.set_desired_capacity(GROUP, 5).unwrap();
    world.advance_secs(SETTLE_SECS);
    assert_eq!(in_service(&world).len(), 3);
    expect!["Could not launch Spot Instances. MaxSpotInstanceCountExceeded - Max spot instance count exceeded. Launching EC2 instance failed."]
        .assert_eq(first_message(&world));

    let launch = LaunchSpec::on_demand("workers", &["m5.xlarge"]);
    let mut world = with(GroupSpec::new(GROUP, launch, 0, 3, 10));
    world.config_mut().ec2.on_demand_vcpus_max = Some(8);
    world.advance_secs(SETTLE_SECS);
    assert_eq!(in_service(&world).len(), 2);
    assert!(first_message(&world).contains("VcpuLimitExceeded - You have requested more vCPU capacity than your current vCPU limit of 8 allows"));
}

#[test]
fn spot_never_becomes_on_demand() {
    let mut launch = LaunchSpec::spot("workers", &["m5.large"]);
    launch
        .mixed
        .as_mut()
        .unwrap()
        .distribution
        .on_demand_base_capacity = 1;
    let mut world = with(GroupSpec::new(GROUP, launch, 0, 4, 10));
    spot_capacity(&mut world, "m5.large", [0, 0, 0]);
    world.advance_secs(3_600);
    assert_eq!(in_service(&world).len(), 1);
}
