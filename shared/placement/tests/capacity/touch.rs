//! May the group be touched? Neighbours, advice, the pause, and changes by somebody else.

use expect_test::expect;
use model::capacity::hold::Neighbour;
use model::capacity::{
    CapacityHoldReason, CapacityWrite, Consent, DesiredCapacityType, Drain, DrainReason,
    ManagedScaling,
};
use model::settings::SettingFault;
use model::{ClusterName, Timestamp};
use placement::capacity::neighbours::OTHER_CLUSTERS_TTL;

use super::scene::{Scene, ago, check, gap, key, now};
use super::size::{raised, scene};

#[test]
fn a_desired_capacity_that_counts_no_instances_is_left_alone() {
    let mut scene = scene(2);
    assert_eq!(raised(&scene, "ec2"), Some(1));
    scene.group("ec2").desired_capacity_type = DesiredCapacityType::Other {
        name: "vcpu".to_owned(),
    };
    assert_eq!(scene.held("ec2"), CapacityHoldReason::WeightedCapacity);
}

#[test]
fn neighbours_are_named_and_the_numbers_are_still_there() {
    let mut scene = scene(4);
    let provider = scene.provider("ec2");
    provider.managed_scaling = Some(ManagedScaling {
        enabled: true,
        target_capacity_percent: None,
        minimum_scaling_step_size: None,
        maximum_scaling_step_size: None,
        instance_warmup_period: None,
    });
    provider.managed_termination_protection = true;
    provider.other_clusters.insert("other".parse().unwrap());
    provider.group.scaling_policies.insert("cpu".to_owned());
    provider.group.scheduled_actions.insert("night".to_owned());
    provider.group.has_warm_pool = true;
    let all = vec![
        Neighbour::ManagedScaling,
        Neighbour::ManagedTerminationProtection,
        Neighbour::ScalingPolicy {
            name: "cpu".to_owned(),
        },
        Neighbour::ScheduledAction {
            name: "night".to_owned(),
        },
        Neighbour::WarmPool,
        Neighbour::OtherCluster {
            name: "other".to_owned(),
        },
    ];
    let CapacityHoldReason::Neighbours {
        neighbours,
        advice,
        held,
    } = scene.held("ec2")
    else {
        panic!("{}", scene.decide().plan);
    };
    assert_eq!(neighbours, all);
    // What would be done without them is said.
    assert_eq!(advice, ["set the desired capacity of `ec2` from 0 to 2"],);
    assert_eq!(held, None);
    assert_eq!(scene.numbers("ec2").wanted, 2);
    // What the others did is taken as given once they have gone.
    let memory = &scene.decide().memories[&key("ec2")];
    assert_eq!(memory.wrote, None);
}

#[test]
fn advice_is_what_would_be_done() {
    let mut scene = scene(10);
    scene.policy("ec2").consent = Consent::Advise;
    scene.group("ec2").scaling_policies.insert("cpu".to_owned());
    let drained = scene.instance("ec2", "t3.small");
    scene.container(&drained).status = model::capacity::ContainerInstanceStatus::Draining;
    let drain = Drain {
        at: ago(30),
        reason: DrainReason::Empty,
    };
    scene.memory("ec2").drains.insert(drained, drain);
    check(
        &scene,
        &expect![[r#"
            hold `demo/ec2` advice_only: the group asks for advice only: this would be done: set `i-00000000000000001` to ACTIVE again; set the desired capacity of `ec2` from 1 to 4; somebody else decides about this group's size: the group has the scaling policy `cpu` (tasks: 0 placed, 0 waiting, 10 missing, 0 headroom, 0 unplaceable; instances: 1 running, 0 used, 0 launching, 1 draining, 0 lost; needed 4 (at least 3), reservation 400 %, target 100 %; wanted 4, desired 1 within 0 to 10)
            hold `demo/ec2` `i-00000000000000001` draining: they drain for scale-in: tasks are still on them, or they may not be ended now
        "#]],
    );
}

#[test]
fn advice_says_why_nothing_would_be_done() {
    let mut scene = scene(10);
    scene.policy("ec2").consent = Consent::Advise;
    let suspended = &mut scene.group("ec2").suspended_processes;
    suspended.insert("Launch".to_owned());
    check(
        &scene,
        &expect![[r#"
        hold `demo/ec2` advice_only: the group asks for advice only: nothing would be done (more instances are wanted and the group's process `Launch` is suspended) (tasks: 0 placed, 0 waiting, 10 missing, 0 headroom, 0 unplaceable; instances: 0 running, 0 used, 0 launching, 0 draining, 0 lost; needed 4 (at least 4), reservation 200 %, target 100 %; wanted 4, desired 0 within 0 to 10)
    "#]],
    );
    // Also to those who wait for somebody else to go.
    scene.policy("ec2").consent = Consent::Act;
    scene.group("ec2").has_warm_pool = true;
    check(
        &scene,
        &expect![[r#"
        hold `demo/ec2` neighbours: somebody else decides about this group's size: the group keeps a warm pool; without that nothing would be done (more instances are wanted and the group's process `Launch` is suspended) (tasks: 0 placed, 0 waiting, 10 missing, 0 headroom, 0 unplaceable; instances: 0 running, 0 used, 0 launching, 0 draining, 0 lost; needed 4 (at least 4), reservation 200 %, target 100 %; wanted 4, desired 0 within 0 to 10)
    "#]],
    );
}

#[test]
fn another_cluster_is_remembered_when_a_look_does_not_see_it() {
    let mut scene = scene(10);
    let other: ClusterName = "other".parse().unwrap();
    let others = &mut scene.provider("ec2").other_clusters;
    others.insert(other.clone());
    let memory = scene.decide().memories.remove(&key("ec2")).unwrap();
    assert_eq!(memory.other_clusters, [(other.clone(), now())].into());
    scene.provider("ec2").other_clusters.clear();
    *scene.memory("ec2") = memory;
    let is_held = |scene: &Scene| {
        let plan = scene.decide().plan.to_string();
        plan.contains("the provider is associated with the cluster `other` too")
    };
    assert!(is_held(&scene));
    // For a while.
    let remembered = &mut scene.memory("ec2").other_clusters;
    remembered.insert(other.clone(), ago(OTHER_CLUSTERS_TTL.0));
    assert!(!is_held(&scene));
    // A look that sees the other cluster without the provider ends it at once.
    let remembered = &mut scene.memory("ec2").other_clusters;
    remembered.insert(other.clone(), now());
    assert!(is_held(&scene));
    let mut empty = scene.cluster().clone();
    empty.cluster = other.clone();
    empty.providers.clear();
    empty.services.clear();
    scene.snapshot.clusters.insert(other, empty);
    assert!(!is_held(&scene));
}

#[test]
fn paused_is_paused() {
    let mut scene = scene(10);
    scene.policy("ec2").paused = true;
    assert_eq!(scene.held("ec2"), CapacityHoldReason::Paused);
}

fn wrote(from: u32, to: u32, at: Timestamp, confirmed: bool) -> CapacityWrite {
    CapacityWrite {
        from,
        to,
        at,
        confirmed,
    }
}

#[test]
fn somebody_elses_change_is_left_alone_and_then_accepted() {
    let mut scene = scene(10);
    scene.group("ec2").desired_capacity = 1;
    scene.memory("ec2").wrote = Some(wrote(2, 3, ago(600), true));
    check(
        &scene,
        &expect![[r#"
            hold `demo/ec2` foreign_change: somebody else changed the desired capacity from 3 to 1 (tasks: 0 placed, 0 waiting, 10 missing, 0 headroom, 0 unplaceable; instances: 0 running, 0 used, 1 launching, 0 draining, 0 lost; needed 4 (at least 3), reservation 200 %, target 100 %; wanted 4, desired 1 within 0 to 10); until 2026-03-01T13:00:00Z
        "#]],
    );
    let mut memory = scene.decide().memories.remove(&key("ec2")).unwrap();
    let noticed = memory.foreign.as_mut().unwrap();
    noticed.noticed_at = ago(3_600);
    *scene.memory("ec2") = memory;
    assert_eq!(raised(&scene, "ec2"), Some(4));
}

#[test]
fn an_own_write_is_waited_for_and_one_that_was_never_confirmed_may_have_happened() {
    let mut scene = scene(10);
    scene.group("ec2").desired_capacity = 2;
    scene.memory("ec2").wrote = Some(wrote(2, 4, ago(10), false));
    let lag = CapacityHoldReason::OwnWriteNotVisible { found: 2, wrote: 4 };
    assert_eq!(scene.held("ec2"), lag);
    for found in [2, 3, 4] {
        scene.group("ec2").desired_capacity = found;
        scene.memory("ec2").wrote = Some(wrote(2, 4, ago(60), false));
        let expected = (found < 4).then_some(4);
        assert_eq!(raised(&scene, "ec2"), expected, "{found}");
    }
}

#[test]
fn a_desired_capacity_that_new_limits_moved_is_nobodys() {
    let mut scene = scene(10);
    scene.group("ec2").desired_capacity = 3;
    scene.group("ec2").min_size = 3;
    scene.memory("ec2").wrote = Some(wrote(1, 1, ago(600), true));
    assert_eq!(raised(&scene, "ec2"), Some(4));
}

#[test]
fn at_first_sight_what_is_found_is_accepted() {
    let mut scene = scene(3);
    let id = scene.instance("ec2", "t3.small");
    scene.tasks("web", &id, 3);
    let memory = &scene.decide().memories[&key("ec2")];
    assert_eq!(memory.wrote, Some(wrote(1, 1, now(), true)));
}

#[test]
fn a_raise_is_remembered_before_it_is_carried_out() {
    let memory = &scene(3).decide().memories[&key("ec2")];
    assert_eq!(memory.wrote, Some(wrote(0, 1, now(), false)));
}

#[test]
fn a_group_that_is_deleted_or_has_faults_is_left_alone() {
    let mut scene = scene(2);
    scene.instance("ec2", "t3.small");
    scene.group("ec2").is_deleting = true;
    assert_eq!(scene.held("ec2"), CapacityHoldReason::GroupDeleting);
    scene.provider("ec2").policy = Err(vec![SettingFault {
        name: "ballast:target-capacity-percent".to_owned(),
        value: "0".to_owned(),
        allowed: "a whole number from 1 to 100".to_owned(),
    }]);
    check(
        &scene,
        &expect![[r#"
        hold `demo/ec2` policy_faults: the group's tags cannot be used: `ballast:target-capacity-percent` is `0`: a whole number from 1 to 100 is allowed
        hold `demo/ec2` `i-00000000000000001` provider_held: the provider is not touched, and so are they not
    "#]],
    );
}

/// Law: it is not known that nobody else sizes the group.
#[test]
fn who_was_not_seen_may_size_the_group() {
    for (operation, expected) in [
        ("autoscaling:DescribePolicies", None),
        ("autoscaling:DescribeScheduledActions", None),
        ("autoscaling:DescribeScalingActivities", Some(4)),
    ] {
        let mut scene = scene(10);
        scene.provider("ec2").gaps.push(gap(operation));
        assert_eq!(raised(&scene, "ec2"), expected, "{operation}");
        if expected.is_none() {
            let gaps = vec![gap(operation)];
            let incomplete = CapacityHoldReason::SnapshotIncomplete { gaps };
            assert_eq!(scene.held("ec2"), incomplete);
        }
    }
}

/// No scale-out goes down, whatever the limits say.
#[test]
fn limits_that_contradict_each_other_lower_nothing() {
    let mut scene = scene(12);
    let group = scene.group("ec2");
    (group.min_size, group.max_size) = (5, 2);
    group.desired_capacity = 3;
    assert_eq!(
        scene.held("ec2"),
        CapacityHoldReason::AtMaximum { max: 2, lost: 0 }
    );
}

/// A write that was never confirmed explains one change, and not every later one in its range.
#[test]
fn a_write_that_was_never_confirmed_is_replaced_by_what_came_of_it() {
    let mut scene = scene(30);
    scene.group("ec2").desired_capacity = 5;
    scene.policy("ec2").paused = false;
    scene.memory("ec2").wrote = Some(wrote(3, 10, ago(60), false));
    scene.group("ec2").max_size = 5;
    let memory = scene.decide().memories.remove(&key("ec2")).unwrap();
    assert_eq!(memory.wrote, Some(wrote(5, 5, now(), true)));
    *scene.memory("ec2") = memory;
    scene.group("ec2").max_size = 20;
    scene.group("ec2").desired_capacity = 8;
    let foreign = CapacityHoldReason::ForeignChange { found: 8, wrote: 5 };
    assert_eq!(scene.held("ec2"), foreign);
}

/// Nobody is to be called for an instance that would only be warm.
#[test]
fn a_maximum_that_no_task_feels_is_the_right_size() {
    let mut scene = scene(0);
    scene.group("ec2").max_size = 0;
    scene.policy("ec2").target_capacity_percent = Some(80);
    scene.cluster().default_strategy = super::scene::strategy("ec2=0/1");
    assert_eq!(scene.numbers("ec2").wanted, 2);
    assert_eq!(scene.held("ec2"), CapacityHoldReason::RightSize);
    scene.service("web", 1, "ec2=0/1");
    let at_maximum = matches!(scene.held("ec2"), CapacityHoldReason::AtMaximum { .. });
    assert!(at_maximum, "a task waits");
}

/// Lost instances fill the group up to its maximum, and nobody but an operator removes them.
#[test]
fn a_maximum_that_lost_instances_fill_says_so() {
    let mut scene = scene(9);
    scene.group("ec2").max_size = 3;
    for id in scene.instances("ec2", "t3.small", 3).iter().take(2) {
        scene.container(id).agent_connected = false;
        scene
            .memory("ec2")
            .disconnected
            .insert(id.clone(), ago(3_600));
    }
    let held = scene.held("ec2");
    assert_eq!(held, CapacityHoldReason::AtMaximum { max: 3, lost: 2 });
    assert!(
        held.to_string().contains("2 of its instances are lost"),
        "{held}"
    );
}
