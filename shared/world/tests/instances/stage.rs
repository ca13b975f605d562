//! A cluster `shop` with groups, and what tests ask of it.

use std::collections::BTreeMap;

use model::ServiceKey;
use model::snapshot::TaskStatus;
use serde_json::Value;
use world::{
    CapacityProvider, Config, ContainerInstance, Delivered, GroupSpec, LaunchSpec, Operation,
    ServiceSpec, Task, TaskDefinition, World, line,
};

pub(crate) fn key(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

/// A world with one provider `big` over a group of `m5.large`, so many of them, and the cluster `shop` on it.
pub(crate) fn with_large(instances: u32) -> World {
    with_types(&["m5.large"], instances, CapacityProvider::over("big"))
}

/// The same, of other types or with another provider.
pub(crate) fn with_types(types: &[&str], instances: u32, provider: CapacityProvider) -> World {
    let mut world = World::new(Config::new(11));
    let launch = LaunchSpec::on_demand("big", types);
    let mut group = GroupSpec::new("big", launch, 0, instances, 100);
    if provider.managed_termination_protection {
        group = group.protected();
    }
    world.declare_auto_scaling_group(group);
    world.declare_capacity_provider("big", provider);
    let cluster = "shop".parse().unwrap();
    let strategy = vec![line("big", 0, 1).unwrap()];
    world
        .create_cluster_of(&cluster, &["big"], strategy)
        .unwrap();
    world.advance_secs(180);
    assert_eq!(
        world.state().container_instances.len(),
        usize::try_from(instances).unwrap()
    );
    world
}

/// A service of the default strategy, with a task definition of its own.
pub(crate) fn service(
    world: &mut World,
    name: &str,
    definition: TaskDefinition,
    desired: u32,
) -> ServiceKey {
    service_with(world, name, definition, desired, |it| it)
}

pub(crate) fn service_with(
    world: &mut World,
    name: &str,
    definition: TaskDefinition,
    desired: u32,
    change: impl FnOnce(ServiceSpec) -> ServiceSpec,
) -> ServiceKey {
    let arn = world.add_task_definition_of(definition).unwrap();
    let key = key(&format!("shop/{name}"));
    let spec = change(ServiceSpec::new(key.clone(), &arn, desired));
    world.create(spec).unwrap();
    key
}

pub(crate) fn small(name: &str) -> TaskDefinition {
    TaskDefinition::on_instances(name, 256, 512)
}

/// The live tasks of a service on each instance that has any, the fewest first.
pub(crate) fn spread(world: &World, key: &ServiceKey) -> Vec<usize> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for task in live(world, key) {
        if let Some(instance) = &task.container_instance {
            *counts.entry(instance.clone()).or_default() += 1;
        }
    }
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable();
    counts
}

pub(crate) fn live<'a>(world: &'a World, key: &ServiceKey) -> Vec<&'a Task> {
    let tasks = world.tasks_of(key).into_iter();
    tasks.filter(|it| it.is_live()).collect()
}

pub(crate) fn running(world: &World, key: &ServiceKey) -> usize {
    let tasks = live(world, key).into_iter();
    tasks
        .filter(|it| it.last_status == TaskStatus::Running)
        .count()
}

pub(crate) fn instances(world: &World) -> Vec<&ContainerInstance> {
    world.state().container_instances.values().collect()
}

/// The ARN of the container instance that a live task of a service is on.
pub(crate) fn arn_under(world: &World, key: &ServiceKey) -> String {
    let id = live(world, key)[0].container_instance.clone().unwrap();
    world.state().container_instances[&id].arn.clone()
}

pub(crate) fn call(world: &mut World, operation: Operation, input: Value) -> Value {
    world
        .call(operation, input)
        .unwrap_or_else(|error| panic!("{}: {error}", operation.name()))
}

pub(crate) fn of_type<'a>(events: &'a [Delivered], detail_type: &str) -> Vec<&'a Value> {
    let all = events.iter().map(|it| &it.envelope);
    all.filter(|it| it["detail-type"] == detail_type).collect()
}

/// What every instance says that it has left is what its tasks leave.
pub(crate) fn books_agree(world: &World) {
    for instance in instances(world) {
        let mut cpu = 0;
        let mut memory = 0;
        let mut interfaces = 0;
        for task in instance.tasks_in(world.state()) {
            let gone = task.last_status >= TaskStatus::Deprovisioning;
            assert!(!gone, "{}: {}", instance.arn, task.arn);
            assert_eq!(task.container_instance.as_deref(), Some(instance.id()));
            cpu += task.needs.cpu_units;
            memory += task.needs.memory_mib;
            interfaces += task.needs.network_interfaces;
        }
        let (whole, left) = (&instance.registered, &instance.remaining);
        assert_eq!(whole.cpu_units, left.cpu_units + cpu, "{}", instance.arn);
        assert_eq!(
            whole.memory_mib,
            left.memory_mib + memory,
            "{}",
            instance.arn
        );
        assert_eq!(
            whole.network_interfaces,
            left.network_interfaces + interfaces
        );
    }
    for task in world.state().tasks.values() {
        let on = task.container_instance.as_ref();
        if let Some(id) = on.filter(|_| task.last_status < TaskStatus::Deprovisioning) {
            let instance = &world.state().container_instances[id];
            assert!(instance.tasks.contains(task.id()));
        }
    }
}
