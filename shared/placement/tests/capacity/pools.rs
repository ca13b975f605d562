//! Launches that fail: what AWS's words mean, which pools are left out, and for how long.

use expect_test::expect;
use model::Seconds;
use model::capacity::CapacityHoldReason;
use model::strategy::Market;
use placement::capacity::pools::LaunchCause;

use super::scene::{Scene, ago, check, key, needs, now};
use super::size::raised;

/// AWS's words for a Spot pool without capacity.
const NO_SPOT: &str = "Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity due to your request \
    configuration. Please adjust your request and try again. Launching EC2 instance failed.";

/// AWS's words for an on-demand pool without capacity.
fn no_capacity(instance_type: &str, zone: &str) -> String {
    format!(
        "We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested ({zone}). Our system \
         will be working on provisioning additional capacity. Launching EC2 instance failed."
    )
}

/// A Spot group of two types, and a service with tasks that want four instances of the smaller one.
fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.types("spot", "m5.large m5.xlarge");
    scene.service("web", 32, "spot=0/1");
    scene
}

#[test]
fn causes_are_told_by_the_text() {
    for (text, cause) in [
        (NO_SPOT, LaunchCause::InsufficientCapacity),
        (
            &no_capacity("m5.large", "us-west-2a"),
            LaunchCause::InsufficientCapacity,
        ),
        (
            "There is no Spot capacity available that matches your request. Launching EC2 instance failed.",
            LaunchCause::InsufficientCapacity,
        ),
        (
            "Your Spot request price of 0.01 is lower than the minimum required Spot request fulfillment price of 0.02.",
            LaunchCause::PriceTooLow,
        ),
        (
            "MaxSpotInstanceCountExceeded - Max spot instance count exceeded. Launching EC2 instance failed.",
            LaunchCause::Quota,
        ),
        (
            "You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket.",
            LaunchCause::Quota,
        ),
        (
            "Your requested instance type (m5.large) is not supported in your requested Availability Zone (us-west-2d).",
            LaunchCause::NotOffered,
        ),
        (
            "There are not enough free addresses in subnet 'subnet-1' to satisfy the requested number of instances. \
             InsufficientFreeAddressesInSubnet",
            LaunchCause::NoFreeAddress,
        ),
        (
            "You are not authorized to use launch template: lt-1. Launching EC2 instance failed.",
            LaunchCause::Configuration,
        ),
        (
            "The security group 'sg-1' does not exist. Launching EC2 instance failed.",
            LaunchCause::Configuration,
        ),
        (
            "Client.InternalError: Client error on launch",
            LaunchCause::Configuration,
        ),
        ("A word that nobody knows", LaunchCause::Other),
        ("", LaunchCause::Other),
    ] {
        assert_eq!(LaunchCause::of(text), cause, "{text}");
    }
}

/// The pools that are remembered, with how often each failed.
fn pools(scene: &Scene) -> Vec<(String, u32)> {
    let memory = &scene.decide().memories[&key("spot")];
    let pools = memory.pools.iter();
    pools.map(|(pool, it)| (pool.clone(), it.times)).collect()
}

#[test]
fn a_failure_speaks_of_what_it_names() {
    for (text, pool) in [
        (
            no_capacity("m5.large", "us-west-2a"),
            Some("m5.large/us-west-2a/Spot"),
        ),
        (
            no_capacity("m5.large", "us-west-2z"),
            Some("m5.large/*/Spot"),
        ),
        (
            no_capacity("r5.large", "us-west-2b"),
            Some("*/us-west-2b/Spot"),
        ),
        (NO_SPOT.to_owned(), Some("*/*/Spot")),
        (
            "VcpuLimitExceeded: m5.large in us-west-2a".to_owned(),
            Some("*/*/Spot"),
        ),
        ("Invalid IAM instance profile".to_owned(), None),
        // What stands first in the group is not what was asked for.
        (
            "We currently do not have sufficient m5.xlarge capacity in the Availability Zone you requested (us-west-2c). You can \
             currently get m5.xlarge capacity by not specifying an Availability Zone in your request or choosing us-west-2a, \
             us-west-2b. Launching EC2 instance failed."
                .to_owned(),
            Some("m5.xlarge/us-west-2c/Spot"),
        ),
        (
            "Your requested instance type (m5.large) is not supported in your requested Availability Zone (us-west-2b). Please retry \
             your request by not specifying an Availability Zone or choosing us-west-2a."
                .to_owned(),
            Some("m5.large/us-west-2b/Spot"),
        ),
        (
            "InsufficientInstanceCapacity in us-west-2b, not in us-west-2a".to_owned(),
            Some("*/us-west-2b/Spot"),
        ),
    ] {
        let mut scene = scene();
        scene.failed("spot", 10, &text);
        let expected: Vec<(String, u32)> = pool.iter().map(|it| ((*it).to_owned(), 1)).collect();
        assert_eq!(pools(&scene), expected, "{text}");
    }
}

#[test]
fn a_failure_counts_once_however_often_it_is_told() {
    let mut scene = scene();
    scene.failed("spot", 20, NO_SPOT);
    scene.failed("spot", 15, NO_SPOT);
    scene.reported("spot", 12, NO_SPOT);
    scene.reported("other", 12, NO_SPOT);
    assert_eq!(pools(&scene), [("*/*/Spot".to_owned(), 1)]);
    let memory = scene.decide().memories.remove(&key("spot")).unwrap();
    *scene.memory("spot") = memory.clone();
    assert_eq!(scene.decide().memories[&key("spot")].pools, memory.pools);
}

#[test]
fn each_failure_in_a_row_doubles_the_time_up_to_half_an_hour() {
    let mut scene = scene();
    let mut times = Vec::new();
    for secs_ago in [1_400, 1_100, 800, 500, 200, 0] {
        scene.failed("spot", secs_ago, NO_SPOT);
        let memory = &scene.decide().memories[&key("spot")];
        let failure = &memory.pools["*/*/Spot"];
        assert_eq!(failure.at, ago(secs_ago));
        times.push(Seconds::between(failure.at, failure.until).0);
    }
    for (time, middle) in times.iter().zip([180, 360, 720, 1_440, 1_800, 1_800]) {
        let (low, high) = (middle * 85 / 100, middle * 115 / 100);
        assert!((low..=high).contains(time), "{times:?}");
    }
}

#[test]
fn a_failure_long_ago_is_the_first_again() {
    let mut scene = scene();
    scene.failed("spot", 7_200, NO_SPOT);
    assert_eq!(pools(&scene), []);
}

#[test]
fn a_launch_out_of_the_pool_opens_it_again() {
    let mut scene = scene();
    scene.failed("spot", 100, &no_capacity("m5.large", "us-west-2b"));
    assert_eq!(pools(&scene).len(), 1);
    let id = scene.pending("spot", "m5.large");
    scene.member(&id).zone = "us-west-2a".parse().unwrap();
    assert_eq!(pools(&scene).len(), 1);
    scene.member(&id).zone = "us-west-2b".parse().unwrap();
    assert_eq!(pools(&scene), []);
}

#[test]
fn a_pool_that_failed_is_left_out_of_what_may_be_launched() {
    let mut scene = scene();
    assert_eq!(scene.numbers("spot").needed, 4);
    for zone in ["us-west-2a", "us-west-2b", "us-west-2c"] {
        scene.failed("spot", 10, &no_capacity("m5.large", zone));
    }
    // Sixteen of them fit on the larger type.
    assert_eq!(scene.numbers("spot").needed, 2);
}

#[test]
fn that_no_pool_is_left_is_said() {
    let mut scene = scene();
    scene.failed("spot", 10, NO_SPOT);
    check(
        &scene,
        &expect![[r#"
            hold `demo/spot` no_pool_left: nothing can be launched now, of 6 pools: insufficient_capacity of `*/*/Spot`; services with a standby are covered by it (tasks: 0 placed, 0 waiting, 32 missing, 0 headroom, 32 unplaceable; instances: 0 running, 0 used, 0 launching, 0 draining, 0 lost; needed 4 (at least 4), reservation 200 %, target 100 %; wanted 4, desired 0 within 0 to 10); there is no room for 32 tasks of `service/web`: launches from every pool failed lately, the first is tried again at 2026-03-01T12:03:13Z; until 2026-03-01T12:03:13Z
        "#]],
    );
    // Also where the group was asked for more before.
    scene.group("spot").desired_capacity = 4;
    check(
        &scene,
        &expect![[r#"
            hold `demo/spot` no_pool_left: nothing can be launched now, of 6 pools: insufficient_capacity of `*/*/Spot`; services with a standby are covered by it (tasks: 0 placed, 0 waiting, 32 missing, 0 headroom, 0 unplaceable; instances: 0 running, 0 used, 4 launching, 0 draining, 0 lost; needed 4 (at least 0), reservation 200 %, target 100 %; wanted 4, desired 4 within 0 to 10); until 2026-03-01T12:03:13Z
        "#]],
    );
}

#[test]
fn nothing_more_is_asked_for_while_what_was_asked_for_fails() {
    let mut scene = scene();
    scene.group("spot").desired_capacity = 2;
    scene.failed("spot", 10, "A word that nobody knows");
    let held = scene.held("spot");
    assert_eq!(held.as_str(), "launches_fail");
    scene.group("spot").activities.clear();
    scene.failed("spot", 1_000, "A word that nobody knows");
    assert_eq!(scene.numbers("spot").wanted, 4);
    assert_eq!(scene.decide().plan.steps.len(), 1);
}

#[test]
fn a_group_whose_launches_fail_is_not_on_its_way() {
    let mut scene = scene();
    scene.group("spot").desired_capacity = 4;
    let text =
        "You are not authorized to use launch template: lt-1.\nLaunching EC2 instance failed.";
    scene.failed("spot", 400, text);
    scene.failed("spot", 100, text);
    check(
        &scene,
        &expect![[r#"
        hold `demo/spot` launches_fail: instances were asked for, and launches have failed since 2026-03-01T11:53:20Z (configuration): You are not authorized to use launch template: lt-1. Launching EC2 instance failed. (tasks: 0 placed, 0 waiting, 32 missing, 0 headroom, 0 unplaceable; instances: 0 running, 0 used, 4 launching, 0 draining, 0 lost; needed 4 (at least 0), reservation 200 %, target 100 %; wanted 4, desired 4 within 0 to 10)
    "#]],
    );
    assert!(scene.held("spot").leaves_unprotected());
    // Until one is launched.
    scene.pending("spot", "m5.large");
    scene.group("spot").desired_capacity = 4;
    assert_eq!(scene.held("spot"), CapacityHoldReason::Launching);
}

#[test]
fn why_no_pool_is_left_is_said() {
    let mut scene = scene();
    scene.group("spot").market = Market::OnDemand;
    scene.failed("spot", 200, &no_capacity("m5.large", "us-west-2a"));
    scene.failed("spot", 100, "VcpuLimitExceeded: m5.large in us-west-2a");
    check(
        &scene,
        &expect![[r#"
        hold `demo/spot` no_pool_left: nothing can be launched now, of 6 pools: quota of `*/*/on-demand` (tasks: 0 placed, 0 waiting, 32 missing, 0 headroom, 32 unplaceable; instances: 0 running, 0 used, 0 launching, 0 draining, 0 lost; needed 4 (at least 4), reservation 200 %, target 100 %; wanted 4, desired 0 within 0 to 10); there is no room for 32 tasks of `service/web`: launches from every pool failed lately, the first is tried again at 2026-03-01T12:01:27Z; until 2026-03-01T12:01:27Z
    "#]],
    );
}

#[test]
fn the_reservation_tells_what_is_needed_and_not_what_is_to_be_had() {
    let mut scene = scene();
    scene.failed("spot", 10, NO_SPOT);
    let numbers = scene.numbers("spot");
    assert_eq!((numbers.needed, numbers.running), (4, 0));
    assert_eq!((numbers.reservation_percent, numbers.wanted), (200, 4));
    let full = scene.instance("spot", "m5.large");
    scene.tasks("web", &full, 8);
    let numbers = scene.numbers("spot");
    assert_eq!((numbers.needed, numbers.running), (4, 1));
    assert_eq!((numbers.reservation_percent, numbers.wanted), (400, 4));
    assert_eq!(scene.held("spot").as_str(), "no_pool_left");
}

#[test]
fn what_only_a_closed_pool_takes_is_not_bought_from_the_others() {
    let mut scene = scene();
    for zone in ["us-west-2a", "us-west-2b", "us-west-2c"] {
        scene.failed("spot", 10, &no_capacity("m5.xlarge", zone));
    }
    scene.service("huge", 3, "spot=0/1");
    scene.shape("huge").needs = needs(3_000, 12_000);
    let numbers = scene.numbers("spot");
    // Four of the smaller type, which are bought, and three of the larger one, which are not.
    assert_eq!((numbers.needed, numbers.wanted), (7, 7));
    assert_eq!(raised(&scene, "spot"), Some(4));
}

#[test]
fn what_failed_is_tried_again_when_its_time_is_over() {
    let mut scene = scene();
    scene.failed("spot", 10, NO_SPOT);
    let mut memory = scene.decide().memories.remove(&key("spot")).unwrap();
    memory.wrote = None;
    for failure in memory.pools.values_mut() {
        failure.until = now();
    }
    *scene.memory("spot") = memory;
    assert_eq!(scene.decide().plan.steps.len(), 1);
}
