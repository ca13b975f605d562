//! How many instances: every rule about a group's size, and every reason to leave it.

use expect_test::expect;
use model::Seconds;
use model::capacity::hold::Veto;
use model::capacity::{
    CapacityAction, CapacityHoldReason, Drain, DrainReason, GroupTypes, ManagedScaling,
    ProviderPassedOver, Stall, TypeChoice,
};

use super::scene::{Scene, ago, arn, check, gap, key, needs, now, text};

/// One group of `t3.small` (three tasks each), target 100 %, and a service with so many tasks desired.
pub(crate) fn scene(desired: u32) -> Scene {
    let mut scene = Scene::new();
    scene.types("ec2", "t3.small");
    scene.service("web", desired, "ec2=0/1");
    scene
}

/// What the provider's group is set to; `None` where it is held.
#[track_caller]
pub(crate) fn raised(scene: &Scene, provider: &str) -> Option<u32> {
    let decision = scene.decide();
    super::scene::accounted(scene, &decision);
    let steps = decision.plan.steps.iter();
    let mut raises = steps
        .filter(|step| *step.provider() == key(provider))
        .filter_map(|step| match &step.action {
            CapacityAction::SetDesiredCapacity { to, .. } => Some(*to),
            CapacityAction::Drain { .. }
            | CapacityAction::Activate { .. }
            | CapacityAction::Terminate { .. } => None,
        });
    let raise = raises.next();
    assert_eq!(raises.next(), None, "{}", text(&decision));
    raise
}

/// The plan worked: the same look with the group at what was planned has no further raise.
#[track_caller]
fn settles(mut scene: Scene, provider: &str) {
    if let Some(to) = raised(&scene, provider) {
        scene.group(provider).desired_capacity = to;
        assert_eq!(raised(&scene, provider), None);
    }
}

#[test]
fn the_largest_raise_comes_first() {
    let mut scene = scene(4);
    scene.types("spot", "m5.large");
    scene.service("big", 40, "spot=0/1");
    check(
        &scene,
        &expect![[r#"
            step `demo/spot` scale_out: set the desired capacity of `spot` from 0 to 5, because 5 instances are wanted (tasks: 0 placed, 0 waiting, 40 missing, 0 headroom, 0 unplaceable; instances: 0 running, 0 used, 0 launching, 0 draining, 0 lost; needed 5 (at least 5), reservation 200 %, target 100 %; wanted 5, desired 0 within 0 to 10)
            step `demo/ec2` scale_out: set the desired capacity of `ec2` from 0 to 2, because 2 instances are wanted (tasks: 0 placed, 0 waiting, 4 missing, 0 headroom, 0 unplaceable; instances: 0 running, 0 used, 0 launching, 0 draining, 0 lost; needed 2 (at least 2), reservation 200 %, target 100 %; wanted 2, desired 0 within 0 to 10)
        "#]],
    );
}

#[test]
fn the_maximum_is_kept_and_said() {
    let mut scene = scene(20);
    scene.group("ec2").max_size = 4;
    check(
        &scene,
        &expect![[r#"
            step `demo/ec2` scale_out: set the desired capacity of `ec2` from 0 to 4, because 7 instances are wanted, 3 more than a limit allows now (tasks: 0 placed, 0 waiting, 20 missing, 0 headroom, 8 unplaceable; instances: 0 running, 0 used, 0 launching, 0 draining, 0 lost; needed 7 (at least 7), reservation 200 %, target 100 %; wanted 7, desired 0 within 0 to 4); there is no room for 8 tasks of `service/web`: the group is at its maximum of 4
        "#]],
    );
    scene.group("ec2").desired_capacity = 4;
    check(
        &scene,
        &expect![[r#"
            hold `demo/ec2` at_maximum: more instances are wanted than the group's maximum of 4 (tasks: 0 placed, 0 waiting, 20 missing, 0 headroom, 8 unplaceable; instances: 0 running, 0 used, 4 launching, 0 draining, 0 lost; needed 7 (at least 3), reservation 200 %, target 100 %; wanted 7, desired 4 within 0 to 4); there is no room for 8 tasks of `service/web`: the group is at its maximum of 4
        "#]],
    );
}

#[test]
fn steps_have_limits() {
    for (min, max, to) in [
        (None, None, 4),
        (Some(6), None, 6),
        (None, Some(2), 2),
        (Some(20), None, 10),
    ] {
        let mut scene = scene(12);
        scene.policy("ec2").step_min = min;
        scene.policy("ec2").step_max = max;
        assert_eq!(raised(&scene, "ec2"), Some(to), "{min:?} {max:?}");
    }
}

#[test]
fn what_no_tag_says_is_the_providers_own() {
    let mut scene = scene(12);
    scene.provider("ec2").managed_scaling = Some(ManagedScaling {
        enabled: false,
        target_capacity_percent: Some(50),
        minimum_scaling_step_size: Some(1),
        maximum_scaling_step_size: Some(5),
        instance_warmup_period: None,
    });
    assert_eq!(scene.numbers("ec2").wanted, 8);
    assert_eq!(raised(&scene, "ec2"), Some(5));
    scene.policy("ec2").target_capacity_percent = Some(100);
    assert_eq!(scene.numbers("ec2").wanted, 4);
}

#[test]
fn a_second_scale_out_does_not_wait_for_the_first() {
    let mut scene = scene(12);
    scene.pending("ec2", "t3.small");
    scene.pending("ec2", "t3.small");
    assert_eq!(raised(&scene, "ec2"), Some(4));
    settles(scene, "ec2");
}

#[test]
fn an_instance_on_its_way_offers_what_its_real_type_does() {
    let mut scene = scene(12);
    scene.pending("ec2", "m5.large");
    // Eight tasks on the one that launches, four on two new ones.
    assert_eq!(raised(&scene, "ec2"), Some(3));
}

#[test]
fn the_smallest_type_that_takes_the_task_is_assumed() {
    let mut scene = scene(8);
    scene.types("ec2", "m5.large t3.small");
    assert_eq!(scene.numbers("ec2").needed, 3);
    scene.shape("web").needs = needs(256, 4_000);
    assert_eq!(scene.numbers("ec2").needed, 8);
}

#[test]
fn headroom_is_room_for_whole_tasks() {
    let mut scene = scene(3);
    let id = scene.instance("ec2", "t3.small");
    scene.tasks("web", &id, 3);
    assert_eq!(raised(&scene, "ec2"), None);
    let name = "web".parse().unwrap();
    scene
        .cluster()
        .services
        .get_mut(&name)
        .unwrap()
        .headroom_tasks = Ok(4);
    let numbers = scene.numbers("ec2");
    assert_eq!((numbers.tasks_headroom, numbers.needed), (4, 3));
    assert_eq!(raised(&scene, "ec2"), Some(3));
}

#[test]
fn an_idle_provider_goes_to_its_minimum_and_a_warm_one_does_not() {
    let mut scene = scene(0);
    assert_eq!(scene.numbers("ec2").wanted, 0);
    scene.policy("ec2").target_capacity_percent = Some(80);
    assert_eq!(scene.numbers("ec2").wanted, 0, "no strategy is in use");
    scene.cluster().default_strategy = super::scene::strategy("ec2=0/1");
    assert_eq!(scene.numbers("ec2").wanted, 2);
    scene.cluster().default_strategy = super::scene::strategy("ec2=0/0");
    assert_eq!(scene.numbers("ec2").wanted, 0);
}

#[test]
fn a_task_larger_than_every_type_is_named() {
    let mut scene = scene(2);
    scene.shape("web").needs = needs(256, 9_000);
    check(
        &scene,
        &expect![[r#"
            hold `demo/ec2` unplaceable: tasks fit no type that the group may launch: more instances would not help (tasks: 0 placed, 0 waiting, 2 missing, 0 headroom, 2 unplaceable; instances: 0 running, 0 used, 0 launching, 0 draining, 0 lost; needed 0 (at least 0), reservation 100 %, target 100 %; wanted 0, desired 0 within 0 to 10); there is no room for 2 tasks of `service/web`: one needs 9000 MiB of memory, and the most that there is is 1904, on `t3.small`
        "#]],
    );
}

#[test]
fn a_type_that_nobody_knows_is_learned_from_one_instance() {
    let mut scene = scene(2);
    scene.types("ec2", "z99.large");
    check(
        &scene,
        &expect![[r#"
            step `demo/ec2` learn: set the desired capacity of `ec2` from 0 to 1, because tasks wait and what the types offer is not known (z99.large): one instance tells (tasks: 0 placed, 0 waiting, 2 missing, 0 headroom, 2 unplaceable; instances: 0 running, 0 used, 0 launching, 0 draining, 0 lost; needed 1 (at least 1), reservation 200 %, target 100 %; wanted 1, desired 0 within 0 to 10)
        "#]],
    );
    scene.group("ec2").desired_capacity = 1;
    assert_eq!(scene.held("ec2"), CapacityHoldReason::Launching);
}

#[test]
fn without_any_name_of_a_type_one_instance_tells_too() {
    for types in [GroupTypes::InLaunchTemplate, GroupTypes::ByRequirements] {
        let mut scene = scene(7);
        scene.group("ec2").types = types;
        assert_eq!(raised(&scene, "ec2"), Some(1));
        scene.instance("ec2", "t3.small");
        assert_eq!(raised(&scene, "ec2"), Some(3));
    }
}

#[test]
fn what_a_type_registered_is_remembered() {
    let mut scene = scene(3);
    let id = scene.instance("ec2", "t3.small");
    scene.container(&id).registered = needs(2_048, 700);
    scene.container(&id).remaining = needs(2_048, 700);
    // One task fits where the table promises three.
    assert_eq!(raised(&scene, "ec2"), Some(3));
    let memory = scene.decide().memories.remove(&key("ec2")).unwrap();
    scene.group("ec2").instances.clear();
    scene.group("ec2").desired_capacity = 0;
    scene.cluster().instances.clear();
    *scene.memory("ec2") = memory;
    scene.memory("ec2").wrote = None;
    assert_eq!(raised(&scene, "ec2"), Some(3));
}

#[test]
fn weights_are_refused() {
    let mut scene = scene(2);
    let choice = |weighted_capacity| GroupTypes::Listed {
        choices: vec![TypeChoice {
            instance_type: "t3.small".parse().unwrap(),
            weighted_capacity,
        }],
    };
    scene.group("ec2").types = choice(Some(2));
    assert_eq!(scene.held("ec2"), CapacityHoldReason::WeightedCapacity);
    scene.group("ec2").types = choice(Some(1));
    assert_eq!(raised(&scene, "ec2"), Some(1));
}

#[test]
fn launch_suspended_is_a_reason_only_where_more_is_wanted() {
    let mut scene = scene(2);
    scene
        .group("ec2")
        .suspended_processes
        .insert("Launch".to_owned());
    assert_eq!(scene.held("ec2"), CapacityHoldReason::LaunchSuspended);
    let id = scene.instance("ec2", "t3.small");
    scene.tasks("web", &id, 2);
    assert_eq!(scene.held("ec2"), CapacityHoldReason::RightSize);
}

#[test]
fn without_a_memory_it_is_raised_and_nothing_removed() {
    let mut scene = scene(6);
    scene.forget("ec2");
    assert_eq!(raised(&scene, "ec2"), Some(2));
    assert!(scene.decide().memories.is_empty());
    scene.instances("ec2", "t3.small", 4);
    let vetoes = vec![Veto::MemoryUnavailable];
    assert_eq!(
        scene.held("ec2"),
        CapacityHoldReason::ScaleInVetoed { vetoes }
    );
}

#[test]
fn fewer_are_wanted_for_the_whole_delay_first() {
    let mut scene = scene(3);
    let ids = scene.instances("ec2", "t3.small", 3);
    scene.tasks("web", &ids[0], 3);
    scene.watched("ec2", 200, 2);
    check(
        &scene,
        &expect![[r#"
            hold `demo/ec2` waiting_for_scale_in_delay: fewer instances are wanted, but not yet for 300 s: lately 2 were (tasks: 3 placed, 0 waiting, 0 missing, 0 headroom, 0 unplaceable; instances: 3 running, 1 used, 0 launching, 0 draining, 0 lost; needed 1 (at least 1), reservation 33 %, target 100 %; wanted 1, desired 3 within 0 to 10); until 2026-03-01T12:01:40Z
            hold `demo/ec2` `i-00000000000000001` in_use: they hold tasks, or room that is wanted
            hold `demo/ec2` `i-00000000000000002` `i-00000000000000003` spare: they are empty, and are not to be removed now
        "#]],
    );
}

#[test]
fn what_is_not_seen_is_not_bought() {
    let mut scene = scene(6);
    let name = "web".parse().unwrap();
    scene
        .cluster()
        .services
        .get_mut(&name)
        .unwrap()
        .running_count = 6;
    scene.instances("ec2", "t3.small", 2);
    scene.cluster().gaps.push(gap("ecs:ListTasks"));
    let held = scene.held("ec2");
    assert!(
        matches!(held, CapacityHoldReason::WaitingForScaleInDelay { .. }),
        "{held:?}"
    );
    scene.group("ec2").min_size = 2;
    let gaps = vec![gap("ecs:ListTasks")];
    assert_eq!(
        scene.held("ec2"),
        CapacityHoldReason::SnapshotIncomplete { gaps }
    );
}

#[test]
fn instances_that_are_not_seen_may_be_there() {
    let mut scene = scene(6);
    let name = "web".parse().unwrap();
    scene
        .cluster()
        .services
        .get_mut(&name)
        .unwrap()
        .running_count = 6;
    scene.instances("ec2", "t3.small", 2);
    scene.cluster().instances.clear();
    scene
        .cluster()
        .gaps
        .push(gap("ecs:DescribeContainerInstances"));
    assert_eq!(raised(&scene, "ec2"), None);
    scene.cluster().gaps.clear();
    assert_eq!(scene.numbers("ec2").lost, 2);
}

#[test]
fn a_drained_instance_is_taken_back_before_one_is_bought() {
    let mut scene = scene(9);
    let ids = scene.instances("ec2", "t3.small", 2);
    scene.tasks("web", &ids[0], 3);
    scene.container(&ids[1]).status = model::capacity::ContainerInstanceStatus::Draining;
    let drain = Drain {
        at: ago(30),
        reason: DrainReason::Empty,
    };
    scene.memory("ec2").drains.insert(ids[1].clone(), drain);
    check(
        &scene,
        &expect![[r#"
            step `demo/ec2` `i-00000000000000002` needed_again: set `i-00000000000000002` to ACTIVE again, because it has been draining since 2026-03-01T11:59:30Z and is needed again
            step `demo/ec2` scale_out: set the desired capacity of `ec2` from 2 to 3, because 3 instances are wanted (tasks: 3 placed, 0 waiting, 6 missing, 0 headroom, 0 unplaceable; instances: 2 running, 1 used, 0 launching, 1 draining, 0 lost; needed 3 (at least 2), reservation 150 %, target 100 %; wanted 3, desired 2 within 0 to 10)
            hold `demo/ec2` `i-00000000000000001` in_use: they hold tasks, or room that is wanted
        "#]],
    );
}

#[test]
fn the_tasks_of_an_instance_that_somebody_drains_find_room_before_they_leave() {
    let mut scene = scene(6);
    let ids = scene.instances("ec2", "t3.small", 2);
    for id in &ids {
        scene.tasks("web", id, 3);
    }
    scene.container(&ids[1]).status = model::capacity::ContainerInstanceStatus::Draining;
    let numbers = scene.numbers("ec2");
    assert_eq!((numbers.tasks_placed, numbers.tasks_missing), (3, 3));
    assert_eq!(raised(&scene, "ec2"), Some(3));
    settles(scene, "ec2");
}

#[test]
fn instances_that_do_not_register_stop_the_launches_for_a_while() {
    let mut scene = scene(6);
    for _ in 0..2 {
        let id = scene.pending("ec2", "t3.small");
        scene.member(&id).launched_at = Some(ago(600));
    }
    check(
        &scene,
        &expect![[r#"
            hold `demo/ec2` instances_do_not_register: 2 instances were launched and not registered in the cluster, 1 time in a row: no more are launched for a while (tasks: 0 placed, 0 waiting, 6 missing, 0 headroom, 0 unplaceable; instances: 0 running, 0 used, 0 launching, 0 draining, 2 lost; needed 2 (at least 2), reservation 200 %, target 100 %; wanted 4, desired 2 within 0 to 10); until 2026-03-01T12:05:00Z
            hold `demo/ec2` `i-00000000000000001` `i-00000000000000002` not_registered: they are in service and have not registered in the cluster in time: look at their agents
        "#]],
    );
    let memory = scene.decide().memories.remove(&key("ec2")).unwrap();
    let stall = Stall {
        times: 1,
        until: Seconds(300).after(now()),
    };
    assert_eq!(memory.stalled, Some(stall));
    // After the pause one is tried.
    *scene.memory("ec2") = memory;
    scene.memory("ec2").stalled = Some(Stall {
        until: ago(1),
        times: 1,
    });
    assert_eq!(raised(&scene, "ec2"), Some(3));
}

#[test]
fn each_attempt_that_comes_to_nothing_doubles_the_pause() {
    let mut scene = scene(6);
    scene.memory("ec2").stalled = Some(Stall {
        until: ago(400),
        times: 3,
    });
    for launched in [2_000, 330] {
        let id = scene.pending("ec2", "t3.small");
        scene.member(&id).launched_at = Some(ago(launched));
    }
    let memory = &scene.decide().memories[&key("ec2")];
    let stall = Stall {
        times: 4,
        until: Seconds(2_400).after(now()),
    };
    assert_eq!(memory.stalled, Some(stall));
}

#[test]
fn one_that_registers_shows_that_launches_help() {
    let mut scene = scene(6);
    let late = scene.pending("ec2", "t3.small");
    scene.member(&late).launched_at = Some(ago(500));
    let id = scene.instance("ec2", "t3.small");
    scene.container(&id).registered_at = Some(ago(400));
    let numbers = scene.numbers("ec2");
    assert_eq!((numbers.lost, numbers.wanted), (1, 3));
    assert_eq!(raised(&scene, "ec2"), Some(3));
}

#[test]
fn an_agent_that_is_gone_for_a_moment_costs_nothing() {
    let mut scene = scene(3);
    let id = scene.instance("ec2", "t3.small");
    scene.tasks("web", &id, 3);
    scene.container(&id).agent_connected = false;
    assert_eq!(scene.held("ec2"), CapacityHoldReason::RightSize);
    let memory = scene.decide().memories.remove(&key("ec2")).unwrap();
    assert_eq!(memory.disconnected[&id], now());
    scene.memory("ec2").disconnected.insert(id, ago(300));
    let numbers = scene.numbers("ec2");
    // Its tasks still count as placed, and the instance is one of those that are wanted.
    assert_eq!((numbers.lost, numbers.needed, numbers.wanted), (1, 0, 1));
}

#[test]
fn what_is_passed_over_is_said() {
    let mut scene = Scene::new();
    for (name, why) in [
        ("a", ProviderPassedOver::NotOptedIn),
        ("b", ProviderPassedOver::ManagedInstances),
        (
            "c",
            ProviderPassedOver::GroupNotFound {
                group: "gone".to_owned(),
            },
        ),
        (
            "d",
            ProviderPassedOver::Unread {
                gap: gap("autoscaling:DescribeAutoScalingGroups"),
            },
        ),
    ] {
        scene.snapshot.passed_over.insert(key(name), why);
    }
    check(
        &scene,
        &expect![[r#"
        hold `demo/a` not_opted_in: the group does not carry the tag `ballast:cluster-scaler`
        hold `demo/b` managed_instances: AWS sizes ECS Managed Instances itself
        hold `demo/c` group_not_found: its group `gone` does not exist
        hold `demo/d` unread: it could not be read: `autoscaling:DescribeAutoScalingGroups` for `demo`: throttled (ThrottlingException: Rate exceeded)
    "#]],
    );
}

#[test]
fn an_old_container_instance_of_the_same_instance_is_not_taken_for_it() {
    let mut scene = scene(3);
    let id = scene.instance("ec2", "t3.small");
    scene.tasks("web", &id, 3);
    let mut old = scene.container(&id).clone();
    old.arn = format!("{}-old", arn(&id)).parse().unwrap();
    old.agent_connected = false;
    old.registered_at = Some(now());
    scene.cluster().instances.insert(old.arn.clone(), old);
    let numbers = scene.numbers("ec2");
    assert_eq!((numbers.used, numbers.running), (1, 1));
}

#[test]
fn what_was_asked_for_a_larger_type_is_not_asked_for_again() {
    let mut scene = Scene::new();
    scene.types("ec2", "t3.small m5.large");
    scene.service("web", 3, "ec2=0/1");
    scene.shape("web").needs = crate::scene::needs(128, 3_000);
    assert_eq!(scene.numbers("ec2").wanted, 2);
    // The group has begun to launch nothing of it.
    scene.group("ec2").desired_capacity = 2;
    let numbers = scene.numbers("ec2");
    assert_eq!((numbers.wanted, numbers.launching), (2, 2));
    assert_eq!(
        scene.held("ec2"),
        model::capacity::CapacityHoldReason::Launching
    );
}
