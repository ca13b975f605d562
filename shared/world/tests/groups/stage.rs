//! A world with a group, and what the tests look at.

use std::collections::BTreeMap;

use model::strategy::Market;
use serde_json::Value;
use world::{
    Config, Delivered, Group, GroupSpec, Instance, InstancePoolKey, LaunchSpec, Lifecycle,
    Operation, World,
};

pub(crate) const GROUP: &str = "workers";
pub(crate) const ZONES: [&str; 3] = ["us-west-2a", "us-west-2b", "us-west-2c"];

/// Long enough for a launch, a termination, or both one after the other.
pub(crate) const SETTLE_SECS: u32 = 300;

/// A group of Spot instances of two types.
pub(crate) fn spot(desired: u32, max: u32) -> World {
    let launch = LaunchSpec::spot("workers", &["m5.large", "m5a.large"]);
    with(GroupSpec::new(GROUP, launch, 0, desired, max))
}

pub(crate) fn with(spec: GroupSpec) -> World {
    let mut world = World::new(Config::new(11));
    world.declare_auto_scaling_group(spec);
    world
}

/// The same capacity in each zone of a type's Spot pool, from now on.
pub(crate) fn spot_capacity(world: &mut World, instance_type: &str, capacity: [u32; 3]) {
    for (zone, capacity) in ZONES.into_iter().zip(capacity) {
        let pool = InstancePoolKey::new(instance_type, zone, Market::Spot);
        let now = world.now();
        world.set_instance_capacity(pool, now, capacity);
    }
}

pub(crate) fn group(world: &World) -> &Group {
    &world.state().groups[GROUP]
}

/// The instances of the group that are in this state of its life-cycle.
pub(crate) fn instances(world: &World, state: Lifecycle) -> Vec<&Instance> {
    world
        .state()
        .instances
        .values()
        .filter(|it| it.lifecycle_state == state)
        .collect()
}

pub(crate) fn in_service(world: &World) -> Vec<String> {
    instances(world, Lifecycle::InService)
        .into_iter()
        .map(|it| it.id.clone())
        .collect()
}

/// How many instances in service there are of each type, zone and market.
pub(crate) fn spread(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for it in instances(world, Lifecycle::InService) {
        let market = if it.market == Market::Spot {
            "spot"
        } else {
            "on-demand"
        };
        let name = format!("{} {} {market}", it.instance_type, it.zone);
        *counts.entry(name).or_insert(0) += 1;
    }
    counts
}

pub(crate) fn lines(counts: &BTreeMap<String, usize>) -> String {
    counts
        .iter()
        .map(|(name, count)| format!("{name}: {count}\n"))
        .collect()
}

/// The details of the events of this type, in the order of their arrival.
pub(crate) fn details(events: &[Delivered], detail_type: &str) -> Vec<Value> {
    events
        .iter()
        .filter(|it| it.envelope["detail-type"] == detail_type)
        .map(|it| it.envelope["detail"].clone())
        .collect()
}

pub(crate) fn call(world: &mut World, operation: Operation, input: Value) -> Value {
    world
        .call(operation, input)
        .unwrap_or_else(|error| panic!("{}: {error}", operation.name()))
}

/// The code and the words of an error.
pub(crate) fn refused(world: &mut World, operation: Operation, input: Value) -> (String, String) {
    let error = world.call(operation, input).unwrap_err();
    (error.code.to_owned(), error.message)
}
