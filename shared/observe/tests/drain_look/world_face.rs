//! Looks at the simulated AWS, compared with what that knows of itself.

use std::collections::BTreeSet;

use expect_test::expect;
use model::drain::{DrainKey, DrainSnapshot, InstancePassedOver};
use model::snapshot::{Gap, TaskStatus};
use model::strategy::Market;
use model::{ClusterName, ServiceKey};
use serde_json::json;
use world::face::{Face, FaceOptions, serve};
use world::{
    Api, CapacityProvider, Config, Fault, FaultRule, GroupSpec, Hook, LaunchSpec, Operation,
    ServiceSpec, TaskDefinition, Transition, World, line,
};

use crate::show::show;
use crate::support::{Eye, clusters, instances, of_cluster, of_group, whole};

const HOOK: &str = "ballast-instance-drain";

fn call(world: &mut World, api: Api, operation: &str, input: serde_json::Value) {
    let operation = Operation::find(api, operation).unwrap();
    world.call(operation, input).unwrap();
}

/// The cluster `demo`: the group `spot` of 3 instances is opted in and has Ballast's hook, the group `other` of 2 is not. A service of 6
/// tasks.
fn small() -> World {
    small_with(HOOK)
}

/// The same, with a hook of this name.
fn small_with(hook_name: &str) -> World {
    let mut world = World::new(Config::new(7));
    let cluster: ClusterName = "demo".parse().unwrap();
    for (name, size, tags) in [
        ("other", 2, &[][..]),
        ("spot", 3, &[("ballast:instance-drain", "act")][..]),
    ] {
        world.declare_launch_template(name, "m5.large", Market::Spot);
        let mut group = GroupSpec::new(name, LaunchSpec::template(name), 0, size, 9);
        for (key, value) in tags {
            group = group.tag(key, value);
        }
        world.declare_auto_scaling_group(group);
        let mut provider = CapacityProvider::over(name);
        provider.managed_scaling.enabled = false;
        provider.managed_draining = false;
        world.declare_capacity_provider(name, provider);
    }
    let hook = Hook {
        heartbeat_timeout_secs: 300,
        ..Hook::new(Transition::Terminating)
    };
    world.put_lifecycle_hook("spot", hook_name, hook).unwrap();
    let strategy = vec![line("spot", 0, 1).unwrap()];
    world
        .create_cluster_of(&cluster, &["other", "spot"], strategy)
        .unwrap();
    let definition = TaskDefinition::on_instances("api", 256, 512);
    let definition = world.add_task_definition_of(definition).unwrap();
    world.advance_secs(300);
    let key = ServiceKey::new(cluster, "api".parse().unwrap());
    world.create(ServiceSpec::new(key, &definition, 6)).unwrap();
    world.advance_secs(300);
    world
}

async fn on(world: World) -> (Face, Eye) {
    let face = serve(world, FaceOptions::default()).await.unwrap();
    let eye = Eye::at(&face.url());
    (face, eye)
}

/// The instances of a group, in the order of their ids.
fn members(world: &World, group: &str) -> Vec<String> {
    let of_group = world.state().instances.values();
    let of_group = of_group.filter(|it| it.group == group);
    let ids: BTreeSet<String> = of_group.map(|it| it.id.clone()).collect();
    ids.into_iter().collect()
}

fn gaps(snapshot: &DrainSnapshot) -> Vec<&Gap> {
    let of_groups = snapshot.groups.values().flat_map(|it| &it.gaps);
    let of_clusters = snapshot.clusters.values();
    let of_clusters = of_clusters.flat_map(|it| &it.capacity.gaps);
    snapshot
        .gaps
        .iter()
        .chain(of_groups)
        .chain(of_clusters)
        .collect()
}

/// Compares what was seen of the looked-at instances with what the world knows.
fn agree(snapshot: &DrainSnapshot, world: &World) {
    assert!(gaps(snapshot).is_empty(), "{:?}", gaps(snapshot));
    let state = world.state();
    for group in snapshot.groups.values() {
        for looked in group.instances.values() {
            let id = looked.id.as_str();
            let known = state.container_instance_of.get(id);
            let registered = looked.registered.as_ref().map(|(_, arn)| arn.id());
            assert_eq!(registered, known.map(String::as_str), "{id}");
            let Some(tasks) = snapshot.tasks(looked) else {
                continue;
            };
            let seen: BTreeSet<String> = tasks.iter().map(|it| it.arn.to_string()).collect();
            // A task that is DEPROVISIONING has given back what it held, and may be seen or not.
            let before = |status: TaskStatus| {
                let of_instance = state.tasks.values().filter(move |it| {
                    it.last_status < status
                        && it.container_instance.as_deref() == registered
                        && known.is_some()
                });
                of_instance
                    .map(|it| it.arn.to_string())
                    .collect::<BTreeSet<String>>()
            };
            assert!(
                seen.is_superset(&before(TaskStatus::Deprovisioning)),
                "{id}"
            );
            assert!(seen.is_subset(&before(TaskStatus::Stopped)), "{id}");
        }
    }
}

#[tokio::test]
async fn an_instance_that_is_warned_is_seen_with_its_tasks() {
    let (face, eye) = on(small()).await;
    let ids = face.with_world(|world| members(world, "spot"));
    let snapshot = eye.look(&instances(&ids[..1])).await;
    face.with_world(|world| agree(&snapshot, world));
    expect![[r#"
        named at 2026-03-02T09:10:00Z
        group spot
          Act
          3 of 0 to 9, {"types":"in_launch_template"}; on-demand
          hooks not read
          i-5b9dccc55d9e89b31 "m5.large" "us-west-2a" {"lifecycle":"in_service","waits_in_hook":false,"is_healthy":true,"terminating_since":null}, 5853252107d494ba695fa58fc56dbe3f in demo, 2 tasks of 2
        cluster demo: every instance
          0093a25812447828666093eb9df71199 "i-f5daf29a3ea8f7483" Active: 2048 CPU units, 7600 MiB, 2 network interfaces of 2048 CPU units, 7600 MiB, 2 network interfaces left; tasks not read
          4af70951e8132d6b2adc1bae1f0bc792 "i-433ba7cf147e83b98" Active: 2048 CPU units, 7600 MiB, 2 network interfaces of 2048 CPU units, 7600 MiB, 2 network interfaces left; tasks not read
          5853252107d494ba695fa58fc56dbe3f "i-5b9dccc55d9e89b31" Active: 1536 CPU units, 6576 MiB, 2 network interfaces of 2048 CPU units, 7600 MiB, 2 network interfaces left
          9113f9af8bad0b829f2b1e18e26f650e "i-8d1f09264998b2183" Active: 1536 CPU units, 6576 MiB of 2048 CPU units, 7600 MiB, 2 network interfaces left; tasks not read
          c644a606ea7c1c89ca74f9717bf3e6fc "i-79fe65a169fae42c4" Active: 1536 CPU units, 6576 MiB of 2048 CPU units, 7600 MiB, 2 network interfaces left; tasks not read
          task b07924f0c53db5a33f8f066aeba24bc2 RUNNING to run on 5853252107d494ba695fa58fc56dbe3f: 256 CPU units, 512 MiB; of "api"
          task eb0c032a3a8f73da0a5de1812ed026a5 RUNNING to run on 5853252107d494ba695fa58fc56dbe3f: 256 CPU units, 512 MiB; of "api"
          service api: 6 of 6 running, 100 to 200 %
          definition arn:aws:ecs:us-west-2:111122223333:task-definition/api:1: 256 CPU units, 512 MiB, stops in 30
    "#]].assert_eq(&show(&snapshot));
    let calls: Vec<String> = face
        .calls()
        .into_iter()
        .map(|(operation, count)| format!("{count} {operation}"))
        .collect();
    expect!["1 autoscaling:DescribeAutoScalingGroups, 1 autoscaling:DescribeAutoScalingInstances, 1 ecs:DescribeCapacityProviders, 1 ecs:DescribeClusters, 2 ecs:DescribeContainerInstances, 1 ecs:DescribeServices, 1 ecs:DescribeTaskDefinition, 1 ecs:DescribeTasks, 1 ecs:ListClusters, 2 ecs:ListContainerInstances, 1 ecs:ListTasks"].assert_eq(&calls.join(", "));
}

#[tokio::test]
async fn an_instance_that_waits_in_a_hook_is_seen_with_the_hook_and_since_when() {
    let mut world = small();
    let ids = members(&world, "spot");
    world.terminate_instance_in_group(&ids[0], true).unwrap();
    world.advance_secs(30);
    let (face, eye) = on(world).await;
    let snapshot = eye.look(&clusters(&[])).await;
    face.with_world(|world| agree(&snapshot, world));
    expect![[r#"
        everything at 2026-03-02T09:10:30Z
        group spot
          Act
          2 of 0 to 9, {"types":"in_launch_template"}; on-demand
          hook {"name":"ballast-instance-drain","heartbeat_timeout_secs":300,"global_timeout_secs":30000,"default_result":"ABANDON"}
          i-5b9dccc55d9e89b31 "m5.large" "us-west-2a" {"lifecycle":"terminating","waits_in_hook":true,"is_healthy":true,"terminating_since":"2026-03-02T09:10:00Z"}, 5853252107d494ba695fa58fc56dbe3f in demo, 2 tasks of 2
          i-79fe65a169fae42c4 "m5.large" "us-west-2b" {"lifecycle":"in_service","waits_in_hook":false,"is_healthy":true,"terminating_since":null}, c644a606ea7c1c89ca74f9717bf3e6fc in demo, tasks not read of 2
          i-8d1f09264998b2183 "m5.large" "us-west-2c" {"lifecycle":"in_service","waits_in_hook":false,"is_healthy":true,"terminating_since":null}, 9113f9af8bad0b829f2b1e18e26f650e in demo, tasks not read of 2
        cluster demo: every instance
          0093a25812447828666093eb9df71199 "i-f5daf29a3ea8f7483" Active: 2048 CPU units, 7600 MiB, 2 network interfaces of 2048 CPU units, 7600 MiB, 2 network interfaces left; tasks not read
          4af70951e8132d6b2adc1bae1f0bc792 "i-433ba7cf147e83b98" Active: 2048 CPU units, 7600 MiB, 2 network interfaces of 2048 CPU units, 7600 MiB, 2 network interfaces left; tasks not read
          5853252107d494ba695fa58fc56dbe3f "i-5b9dccc55d9e89b31" Active: 1536 CPU units, 6576 MiB, 2 network interfaces of 2048 CPU units, 7600 MiB, 2 network interfaces left
          9113f9af8bad0b829f2b1e18e26f650e "i-8d1f09264998b2183" Active: 1536 CPU units, 6576 MiB of 2048 CPU units, 7600 MiB, 2 network interfaces left; tasks not read
          c644a606ea7c1c89ca74f9717bf3e6fc "i-79fe65a169fae42c4" Active: 1536 CPU units, 6576 MiB of 2048 CPU units, 7600 MiB, 2 network interfaces left; tasks not read
          task b07924f0c53db5a33f8f066aeba24bc2 RUNNING to run on 5853252107d494ba695fa58fc56dbe3f: 256 CPU units, 512 MiB; of "api"
          task eb0c032a3a8f73da0a5de1812ed026a5 RUNNING to run on 5853252107d494ba695fa58fc56dbe3f: 256 CPU units, 512 MiB; of "api"
          service api: 6 of 6 running, 100 to 200 %
          definition arn:aws:ecs:us-west-2:111122223333:task-definition/api:1: 256 CPU units, 512 MiB, stops in 30
        searched ["demo"]
    "#]].assert_eq(&show(&snapshot));
    let group = &snapshot.groups[&of_group("spot")];
    assert!(group.hooks_read);
    let member = group.instances[&ids[0].parse().unwrap()].member.clone();
    let since = member.unwrap().terminating_since.unwrap();
    assert_eq!(snapshot.taken_at.duration_since(since).as_secs(), 30);
    let named = eye.look(&instances(&ids)).await;
    face.with_world(|world| agree(&named, world));
    assert_eq!(named.groups[&of_group("spot")].hooks, group.hooks);
}

#[tokio::test]
async fn tasks_that_are_told_to_stop_are_seen_until_they_are_gone() {
    let mut world = small();
    let ids = members(&world, "spot");
    let container = world.state().container_instance_of[&ids[0]].clone();
    let input = json!({"cluster": "demo", "containerInstances": [container], "status": "DRAINING"});
    call(&mut world, Api::Ecs, "UpdateContainerInstancesState", input);
    let (face, eye) = on(world).await;
    let mut most_stopping = 0;
    for _ in 0..7 {
        face.with_world(|world| world.advance_secs(20));
        let snapshot = eye.look(&clusters(&["demo"])).await;
        face.with_world(|world| agree(&snapshot, world));
        let tasks = snapshot.clusters.values().flat_map(|it| &it.capacity.tasks);
        let stopping = tasks.filter(|it| !it.desired_running).count();
        most_stopping = most_stopping.max(stopping);
    }
    assert!(most_stopping > 0, "the scene has tasks that stop");
}

#[tokio::test]
async fn what_is_not_opted_in_or_unknown_is_passed_over() {
    let (face, eye) = on(small()).await;
    let other = face.with_world(|world| members(world, "other")[0].clone());
    let unknown = "i-0123456789abcdef0";
    let snapshot = eye.look(&instances([other.as_str(), unknown])).await;
    let why = |id: &str| snapshot.passed_over[&id.parse().unwrap()].clone();
    assert_eq!(
        why(&other),
        InstancePassedOver::NotOptedIn {
            group: Some("other".parse().unwrap()),
            cluster: None,
        }
    );
    assert_eq!(why(unknown), InstancePassedOver::NotFound);
    assert!(snapshot.groups.is_empty() && snapshot.clusters.is_empty());
    assert!(gaps(&snapshot).is_empty());
}

#[tokio::test]
async fn instances_in_no_group_are_looked_after_where_their_cluster_is_opted_in() {
    let mut world = small();
    let id = members(&world, "other")[0].clone();
    world.detach_instance(&id, true).unwrap();
    world.advance_secs(60);
    let (face, eye) = on(world).await;
    let scope = instances([id.as_str()]);
    let snapshot = eye.look(&scope).await;
    let why = snapshot.passed_over[&id.parse().unwrap()].clone();
    let not_opted_in = InstancePassedOver::NotOptedIn {
        group: None,
        cluster: Some("demo".parse().unwrap()),
    };
    assert_eq!(why, not_opted_in);

    face.with_world(|world| {
        let arn = world.cluster_arn(&"demo".parse().unwrap());
        let tags = json!([{"key": "ballast:instance-drain", "value": "advise"}]);
        let input = json!({"resourceArn": arn, "tags": tags});
        call(world, Api::Ecs, "TagResource", input);
    });
    let keys = [of_cluster("demo"), of_group("spot")];
    for (scope, want) in [
        (scope, &keys[..1]),
        (whole(of_cluster("demo")), &keys[..1]),
        (clusters(&[]), &keys[..]),
    ] {
        let snapshot = eye.look(&scope).await;
        face.with_world(|world| agree(&snapshot, world));
        let mut seen: Vec<&DrainKey> = snapshot.groups.keys().collect();
        seen.sort_unstable_by_key(|it| it.to_string());
        assert_eq!(seen, want.iter().collect::<Vec<_>>(), "{scope:?}");
        let ids = snapshot.groups[&of_cluster("demo")].instances.keys();
        let ids: Vec<&str> = ids.map(|it| it.as_str()).collect();
        assert_eq!(ids, [id.as_str()], "{scope:?}");
    }
}

#[tokio::test]
async fn an_instance_that_is_not_registered_yet_is_in_its_group() {
    let mut world = small();
    world.set_desired_capacity("spot", 4).unwrap();
    let before: BTreeSet<String> = members(&world, "spot").into_iter().collect();
    let new = loop {
        world.advance_secs(1);
        let new = members(&world, "spot").into_iter();
        if let Some(new) = new.into_iter().find(|it| !before.contains(it)) {
            break new;
        }
    };
    let (face, eye) = on(world).await;
    for is_registered in [false, true] {
        if is_registered {
            face.with_world(|world| {
                while !world.state().container_instance_of.contains_key(&new) {
                    world.advance_secs(1);
                }
            });
        }
        let snapshot = eye.look(&instances([new.as_str()])).await;
        face.with_world(|world| agree(&snapshot, world));
        let group = &snapshot.groups[&of_group("spot")];
        let looked = &group.instances[&new.parse().unwrap()];
        assert_eq!(looked.registered.is_some(), is_registered);
    }
}

#[tokio::test]
async fn a_whole_group_is_looked_at_by_its_key() {
    let (face, eye) = on(small()).await;
    let snapshot = eye.look(&whole(of_group("spot"))).await;
    face.with_world(|world| agree(&snapshot, world));
    assert_eq!(snapshot.groups[&of_group("spot")].instances.len(), 3);
    let snapshot = eye.look(&whole(of_group("other"))).await;
    assert!(snapshot.groups.is_empty());
}

/// What of so many named instances, the first of them of both groups, is looked at and why the others are not.
async fn many(eye: &Eye, of_groups: &[String]) -> BTreeSet<(String, usize)> {
    let strange = (0..1_000).map(|it| format!("i-{it:017}"));
    let ids: Vec<String> = of_groups.iter().cloned().chain(strange).collect();
    let snapshot = eye.look(&instances(&ids)).await;
    let mut all: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for why in snapshot.passed_over.values() {
        let why = why.gap().map_or_else(
            || format!("{why:?}"),
            |gap| format!("unread: {:?}", gap.cause),
        );
        *all.entry(why).or_default() += 1;
    }
    for (key, group) in &snapshot.groups {
        all.insert(key.to_string(), group.instances.len());
    }
    all.into_iter().collect()
}

/// Of more instances than are asked about by their ids all groups are listed, and tell whose they are. What a list that was not read to its
/// end does not show is unread.
#[tokio::test]
async fn the_groups_of_very_many_instances_are_listed() {
    let (face, eye) = on(small()).await;
    let of_groups = face.with_world(|world| {
        let (spot, other) = (members(world, "spot"), members(world, "other"));
        [&spot[..2], &other].concat()
    });
    let passed = |why: InstancePassedOver, count: usize| (format!("{why:?}"), count);
    let not_opted_in = InstancePassedOver::NotOptedIn {
        group: Some("other".parse().unwrap()),
        cluster: None,
    };
    let want = [
        passed(InstancePassedOver::NotFound, 1_000),
        passed(not_opted_in, 2),
        (of_group("spot").to_string(), 2),
    ];
    assert_eq!(many(&eye, &of_groups).await, want.into());
    let asked = face.calls();
    assert_eq!(asked.get("autoscaling:DescribeAutoScalingInstances"), None);
    let denied = FaultRule::always(Operation::DescribeAutoScalingGroups, Fault::AccessDenied);
    face.with_world(|world| world.config_mut().faults.rules.push(denied));
    let want = ("unread: AccessDenied".to_owned(), 1_004);
    assert_eq!(many(&eye, &of_groups).await, [want].into());
}

/// How often hooks were asked for.
fn hooks_asked(face: &Face) -> u64 {
    let calls = face.calls();
    let asked = calls.get("autoscaling:DescribeLifecycleHooks");
    asked.copied().unwrap_or(0)
}

#[tokio::test]
async fn hooks_are_asked_for_once_in_five_minutes_and_what_changes_is_seen_then() {
    let (face, eye) = on(small()).await;
    eye.look(&clusters(&[])).await;
    assert_eq!(hooks_asked(&face), 1);
    let of_hook = |snapshot: &DrainSnapshot| {
        let group = &snapshot.groups[&of_group("spot")];
        assert!(group.hooks_read);
        group.hooks.values().next().unwrap().heartbeat_timeout.0
    };
    face.with_world(|world| {
        let hook = Hook {
            heartbeat_timeout_secs: 600,
            ..Hook::new(Transition::Terminating)
        };
        world.put_lifecycle_hook("spot", HOOK, hook).unwrap();
    });
    assert_eq!(of_hook(&eye.look(&clusters(&[])).await), 300);
    for _ in 0..15 {
        face.with_world(|world| world.advance_secs(60));
        let snapshot = eye.look(&clusters(&[])).await;
        assert_eq!(gaps(&snapshot), Vec::<&Gap>::new());
    }
    assert_eq!(of_hook(&eye.look(&clusters(&[])).await), 600);
    assert!(
        (3..=4).contains(&hooks_asked(&face)),
        "{}",
        hooks_asked(&face)
    );
}

/// An instance waits while only somebody else's hook is known: Ballast's may be new.
#[tokio::test]
async fn a_hook_that_is_not_known_is_asked_for_where_an_instance_waits() {
    let (face, eye) = on(small_with("welcome")).await;
    eye.look(&clusters(&[])).await;
    let hook = || Hook::new(Transition::Terminating);
    let leaving = face.with_world(|world| {
        world.put_lifecycle_hook("spot", HOOK, hook()).unwrap();
        let leaving = members(world, "spot").swap_remove(0);
        let input = json!({"InstanceId": leaving, "ShouldDecrementDesiredCapacity": false});
        call(
            world,
            Api::AutoScaling,
            "TerminateInstanceInAutoScalingGroup",
            input,
        );
        leaving
    });
    for scope in [instances([&leaving]), clusters(&[])] {
        let snapshot = eye.look(&scope).await;
        let group = &snapshot.groups[&of_group("spot")];
        let names: Vec<&str> = group.hooks.keys().map(|it| it.as_str()).collect();
        assert_eq!(names, [HOOK, "welcome"]);
        assert!(
            group.instances[&leaving.parse().unwrap()]
                .member
                .as_ref()
                .unwrap()
                .waits_in_hook
        );
    }
    // Now it is known.
    assert_eq!(hooks_asked(&face), 2);
}
