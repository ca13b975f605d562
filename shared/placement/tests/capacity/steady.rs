//! No look undoes what the one before did: what is drained is not taken back, and what was bought is not bought again.

use model::capacity::{
    CapacityAction, CapacityStepReason, Consent, ContainerInstanceStatus, DesiredCapacityType,
    Drain, DrainReason, HostPort, ManagedScaling, Protocol, Resources,
};
use model::{InstanceId, Seconds};

use super::laws::carried_out;
use super::picture::picture;
use super::scene::{Scene, ago, gap, needs};

/// What one task of the service takes.
const LARGE: Resources = Resources {
    cpu_units: 512,
    memory_mib: 1_700,
    gpus: 0,
    network_interfaces: 0,
};

/// A group that is larger than wanted may shrink at once.
fn scene(types: &str) -> Scene {
    let mut scene = Scene::new();
    scene.types("ec2", types);
    let policy = scene.policy("ec2");
    policy.scale_in_delay = Seconds(0);
    policy.minimum_age = Seconds(0);
    policy.disruption_percent = 100;
    scene.watched("ec2", 3_600, 0);
    // Nothing is about zones here.
    let group = scene.group("ec2");
    group.suspended_processes.insert("AZRebalance".to_owned());
    scene
}

/// The same beside a large Spot group that may be emptied.
fn beside_spot() -> Scene {
    let mut scene = scene("t3.small");
    scene.types("spot", "t3.small");
    let policy = scene.policy("spot");
    policy.scale_in_delay = Seconds(0);
    policy.minimum_age = Seconds(0);
    policy.disruption_percent = 100;
    policy.consolidate = true;
    scene.watched("spot", 3_600, 0);
    let group = scene.group("spot");
    group.max_size = 200;
    group.suspended_processes.insert("AZRebalance".to_owned());
    scene
}

/// The steps of the looks, each plan carried out before the next look, until there are none.
fn looks(mut scene: Scene) -> Vec<String> {
    let mut looks = Vec::new();
    loop {
        let decision = scene.decide();
        let steps = picture(&decision.plan);
        let steps = &steps[..decision.plan.steps.len()];
        if steps.is_empty() || looks.len() == 8 {
            return looks;
        }
        looks.push(steps.join("; "));
        scene = carried_out(&scene, &decision);
    }
}

#[track_caller]
fn check(scene: Scene, expected: &[&str]) {
    assert_eq!(looks(scene), expected);
}

/// Draining by Ballast's hand, since half a minute.
fn draining(scene: &mut Scene, id: &InstanceId) {
    scene.container(id).status = ContainerInstanceStatus::Draining;
    let drain = Drain {
        at: ago(30),
        reason: DrainReason::Empty,
    };
    scene.memory("ec2").drains.insert(id.clone(), drain);
}

/// Two tasks lie on the large instance or on both small ones. At 80 % one instance too many is wanted in the first case and two in the
/// second, so that the large one may not go, although three are one more than wanted.
#[test]
fn of_instances_of_several_sizes_one_goes_without_which_no_more_are_wanted() {
    let mut it = scene("t3.small m5.large");
    it.policy("ec2").target_capacity_percent = Some(80);
    it.service("web", 2, "ec2=0/1");
    it.shape("web").needs = LARGE;
    it.instance("ec2", "m5.large");
    it.instances("ec2", "t3.small", 2);
    check(it, &["drain 2: scale_in, budget 3", "terminate 2: drained"]);
}

/// The same where tasks are moved: packed together they need the large instances.
#[test]
fn no_instance_is_emptied_without_which_more_are_wanted() {
    let mut it = scene("t3.small m5.large");
    it.policy("ec2").target_capacity_percent = Some(80);
    it.policy("ec2").consolidate = true;
    it.service("web", 4, "ec2=0/1");
    it.shape("web").needs = LARGE;
    for instance_type in ["m5.large", "t3.small", "t3.small", "m5.large"] {
        let id = it.instance("ec2", instance_type);
        it.task("web", &id);
    }
    // Two tasks that nobody moves keep the first.
    it.shape("job").needs = Resources {
        memory_mib: 256,
        ..LARGE
    };
    let first = it.cluster().instances.values().next().unwrap();
    let first = first.ec2_instance.clone().unwrap();
    it.tasks("job", &first, 2);
    check(it, &["drain 3: scale_in, budget 4"]);
}

/// A step limit keeps the rest for the next look, and says so: what drains is on top of what is wanted until it ends.
#[test]
fn what_a_limit_leaves_is_bought_at_the_next_look_beside_what_drains() {
    let mut it = scene("t3.small m5.large");
    it.policy("ec2").step_max = Some(1);
    it.service("web", 4, "ec2=0/1");
    it.shape("web").needs = Resources {
        memory_mib: 3_000,
        ..LARGE
    };
    let small = it.instance("ec2", "t3.small");
    draining(&mut it, &small);
    let step = it.decide().plan.steps.remove(0);
    let CapacityStepReason::ScaleOut {
        still_draining,
        short_by,
        ..
    } = step.reason
    else {
        panic!("{step}");
    };
    assert_eq!((still_draining, short_by), (1, 1));
    let text = step.to_string();
    let said = "from 1 to 2, because 2 instances are wanted beside 1 that drains, 1 more than a limit allows now (";
    assert!(text.contains(said), "{text}");
    check(
        it,
        &["desired 1 to 2: scale_out", "desired 2 to 3: scale_out"],
    );
}

/// ECS put a task on an empty instance at the last moment, and it is taken back: it is let be for a while.
#[test]
fn what_is_taken_back_with_a_task_is_not_emptied_at_the_next_look() {
    let mut it = scene("t3.small");
    it.policy("ec2").consolidate = true;
    it.policy("ec2").scale_in_delay = Seconds(0);
    it.service("web", 4, "ec2=0/1");
    let ids = it.instances("ec2", "t3.small", 2);
    it.tasks("web", &ids[0], 3);
    it.task("web", &ids[1]);
    draining(&mut it, &ids[1]);
    let decision = it.decide();
    assert!(matches!(
        decision.plan.steps[0].action,
        CapacityAction::Activate { .. }
    ));
    let memory = decision.memories.into_values().next().unwrap();
    assert!(memory.stuck.contains_key(&ids[1]));
}

/// Both tasks lie on one large instance, and two small ones that nobody may remove hold them as well. Not both large ones may go, but one.
#[test]
fn where_not_all_may_go_fewer_go() {
    let mut it = scene("t3.small m5.large");
    it.policy("ec2").target_capacity_percent = Some(50);
    it.service("web", 2, "ec2=0/1");
    it.shape("web").needs = LARGE;
    it.instances("ec2", "m5.large", 2);
    for id in it.instances("ec2", "t3.small", 2) {
        it.member(&id).protected_from_scale_in = true;
    }
    check(it, &["drain 1: scale_in, budget 4", "terminate 1: drained"]);
}

/// Without any large one more are wanted than are left, and there are more of these than attempts: a small one goes.
#[test]
fn where_none_of_one_size_may_go_one_of_another_does() {
    let mut it = scene("t3.small m5.large");
    it.policy("ec2").target_capacity_percent = Some(80);
    it.policy("ec2").consolidate = true;
    it.policy("ec2").disruption_percent = 10;
    it.group("ec2").max_size = 100;
    let loads = [
        ("m5.large", 16, 3),
        ("m5.large", 24, 4),
        ("t3.small", 36, 1),
    ];
    let tasks = loads.iter().map(|(_, instances, tasks)| instances * tasks);
    it.service("web", tasks.sum(), "ec2=0/1");
    it.shape("web").needs = LARGE;
    for (instance_type, instances, tasks) in loads {
        for id in it.instances("ec2", instance_type, instances) {
            it.tasks("web", &id, tasks);
        }
    }
    let plan = it.decide().plan;
    let drained: Vec<&InstanceId> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            CapacityAction::Drain { instance, .. } => Some(instance),
            CapacityAction::SetDesiredCapacity { .. }
            | CapacityAction::Activate { .. }
            | CapacityAction::Terminate { .. } => None,
        })
        .collect();
    assert_eq!(drained.len(), plan.steps.len(), "{plan}");
    assert!(!drained.is_empty(), "{plan}");
    for id in drained {
        let small = it.member(id).instance_type.as_ref();
        assert_eq!(small.unwrap().as_str(), "t3.small");
    }
}

/// The task that did not move in time stays where it is, and one instance more is needed for it.
#[test]
fn at_a_look_that_takes_one_back_none_begins_to_drain() {
    let mut it = scene("t3.small");
    it.policy("ec2").target_capacity_percent = Some(50);
    it.service("web", 2, "ec2=0/1");
    let ids = it.instances("ec2", "t3.small", 4);
    it.task("web", &ids[0]);
    it.task("web", &ids[1]);
    it.container(&ids[1]).status = ContainerInstanceStatus::Draining;
    let drain = Drain {
        at: ago(3_600),
        reason: DrainReason::Empty,
    };
    it.memory("ec2").drains.insert(ids[1].clone(), drain);
    check(it, &["activate 2: drain_timed_out"]);
}

/// The task that ECS starts in the place of the one that is alone on a Spot instance goes to the other provider, by the strategy, and that
/// is full.
fn of_two_providers() -> Scene {
    let mut it = beside_spot();
    it.service("web", 4, "ec2=1/1 spot=0/1");
    let full = it.instance("ec2", "t3.small");
    it.task("web", &full);
    it.shape("job").needs = Resources {
        memory_mib: 1_200,
        ..LARGE
    };
    it.task("job", &full);
    let fuller = it.instance("spot", "t3.small");
    it.tasks("web", &fuller, 2);
    let emptier = it.instance("spot", "t3.small");
    it.task("web", &emptier);
    it
}

/// What keeps the other provider from being raised.
const CANNOT_GROW: [fn(&mut Scene); 13] = [
    |it| it.group("ec2").max_size = 1,
    |it| it.policy("ec2").consent = Consent::Advise,
    |it| it.policy("ec2").paused = true,
    |it| it.provider("ec2").policy = Err(Vec::new()),
    |it| it.group("ec2").is_deleting = true,
    |it| {
        it.group("ec2").desired_capacity_type = DesiredCapacityType::Other {
            name: "vcpu".to_owned(),
        };
    },
    |it| {
        let processes = &mut it.group("ec2").suspended_processes;
        processes.insert("Launch".to_owned());
    },
    |it| it.group("ec2").has_warm_pool = true,
    |it| it.provider("ec2").managed_termination_protection = true,
    |it| {
        let policies = &mut it.group("ec2").scaling_policies;
        policies.insert("by-hand".to_owned());
    },
    |it| {
        let actions = &mut it.group("ec2").scheduled_actions;
        actions.insert("at-night".to_owned());
    },
    |it| {
        let clusters = &mut it.provider("ec2").other_clusters;
        clusters.insert("other".parse().unwrap());
    },
    |it| {
        let gap = gap("autoscaling:DescribePolicies");
        it.provider("ec2").gaps.push(gap);
    },
];

/// The other provider is raised for the task. Where it cannot be, nothing is emptied.
#[test]
fn what_may_go_to_another_provider_goes_only_where_that_can_grow() {
    check(
        of_two_providers(),
        &["drain 7: scale_in, budget 2", "desired 1 to 2: scale_out"],
    );
    for cannot_grow in CANNOT_GROW {
        let mut scene = of_two_providers();
        cannot_grow(&mut scene);
        check(scene.clone(), &[]);
        // Where the strategy wants the task on Spot again, the other provider does not matter.
        scene.service("web", 3, "ec2=1/0 spot=0/1").running_count = 4;
        assert_eq!(looks(scene)[0], "drain 7: scale_in, budget 2");
    }
    let mut unseen = of_two_providers();
    unseen.cluster().providers.remove(&"ec2".parse().unwrap());
    check(unseen, &[]);
}

/// ECS's own managed scaling raises a group whatever its tags say, and one with a warm pool.
#[test]
fn managed_scaling_raises_another_provider_as_well() {
    for (enabled, expected) in [(true, Some("drain 7: scale_in, budget 2")), (false, None)] {
        let mut scene = of_two_providers();
        scene.policy("ec2").consent = Consent::Advise;
        scene.group("ec2").has_warm_pool = true;
        scene.provider("ec2").managed_scaling = Some(ManagedScaling {
            enabled,
            target_capacity_percent: Some(100),
            minimum_scaling_step_size: None,
            maximum_scaling_step_size: None,
            instance_warmup_period: None,
        });
        assert_eq!(looks(scene).first().map(String::as_str), expected);
    }
}

/// `web` may go to another provider that cannot grow, `api` may not. Spot has `webs` and two instances with one task each, and others that
/// nobody removes with room for all of these.
fn of_two_services(webs: u32) -> Scene {
    let mut it = beside_spot();
    it.group("ec2").max_size = 1;
    let receivers = webs / 2 + 1;
    it.service("web", 3 + webs + receivers, "ec2=1/1 spot=0/1");
    it.service("api", 2, "spot=0/1");
    let full = it.instance("ec2", "t3.small");
    it.tasks("web", &full, 3);
    for id in it.instances("spot", "t3.small", webs) {
        it.task("web", &id);
    }
    for id in it.instances("spot", "t3.small", 2) {
        it.task("api", &id);
    }
    for id in it.instances("spot", "t3.small", receivers) {
        it.task("web", &id);
        it.member(&id).protected_from_scale_in = true;
    }
    it
}

/// More instances may not be emptied than there are attempts, and stand before those that may.
#[test]
fn what_has_no_room_on_another_provider_keeps_nothing_else() {
    check(
        of_two_services(40),
        &["drain 85: scale_in, budget 50; drain 86: scale_in, budget 49"],
    );
    // The same where the budget lets only a few be chosen in an attempt; an empty one stands for itself.
    let mut scene = of_two_services(30);
    scene.policy("spot").disruption_percent = 10;
    scene.instance("spot", "t3.small");
    let first =
        "drain 101: scale_in, budget 5; drain 65: scale_in, budget 4; drain 66: scale_in, budget 3";
    check(scene, &[first, "terminate 101: drained"]);
}

const PORT: HostPort = HostPort {
    protocol: Protocol::Tcp,
    port: 80,
};

/// Each instance that packing is asked about in vain costs one of 96 packings, and the two of `web` are in the way at first.
#[test]
fn packing_is_asked_so_often_at_one_look_and_then_nothing_goes() {
    let scene = |bound: u32| {
        let mut it = of_two_services(2);
        it.service("bound", bound, "spot=0/1");
        let shape = it.shape("bound");
        shape.needs = needs(16, 32);
        shape.host_ports.insert(PORT);
        for id in it.instances("spot", "t3.small", bound) {
            it.task("bound", &id);
        }
        for container in it.cluster().instances.values_mut() {
            container.host_ports.insert(PORT);
        }
        it
    };
    check(
        scene(20),
        &["drain 9: scale_in, budget 26; drain 10: scale_in, budget 25"],
    );
    check(scene(31), &[]);
}

/// Of each service the only task would go to a provider that cannot grow, one service after the other, until no attempt is left: what is
/// empty goes all the same.
#[test]
fn what_is_empty_goes_where_nothing_else_may() {
    for services in [8, 17, 30] {
        let mut it = beside_spot();
        it.group("ec2").max_size = 1;
        it.policy("spot").disruption_percent = 10;
        let full = it.instance("ec2", "t3.small");
        it.service("base", 3, "ec2=0/1");
        it.tasks("base", &full, 3);
        for number in 0..services {
            let name = format!("web-{number}");
            it.service(&name, 1, "ec2=1/1 spot=0/1");
            let id = it.instance("spot", "t3.small");
            it.task(&name, &id);
        }
        it.service("api", services, "spot=0/1");
        for id in it.instances("spot", "t3.small", services) {
            it.task("api", &id);
            it.member(&id).protected_from_scale_in = true;
        }
        it.instances("spot", "t3.small", 2);
        let looks = looks(it);
        let terminated = looks.iter().filter(|it| it.contains("terminate")).count();
        assert!(terminated > 0, "{services}: {looks:?}");
        let drained: usize = looks.iter().map(|it| it.matches("drain ").count()).sum();
        assert_eq!(drained, 2, "{services}: {looks:?}");
    }
}
