//! What holds for every group, whatever is done to it.

use std::collections::BTreeSet;

use model::strategy::Market;
use proptest::prelude::*;
use serde_json::json;
use world::{
    Config, GroupSpec, Hook, HookResult, InstancePoolKey, LaunchSpec, Lifecycle, MachineState,
    Operation, Transition, World,
};

use crate::stage::{GROUP, ZONES};

const TYPES: [&str; 2] = ["m5.large", "m5a.large"];

/// Something that is done to the world.
#[derive(Debug, Clone)]
enum Deed {
    Wait(u32),
    Desired(u32),
    Capacity(usize, usize, u32),
    Interrupt(usize),
    Sicken(usize),
    Terminate(usize, bool),
    Protect(usize, bool),
    Suspend(bool),
    Complete(usize, bool),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => (1_u32..400).prop_map(Deed::Wait),
        2 => (0_u32..12).prop_map(Deed::Desired),
        1 => (0_usize..3, 0_usize..2, 0_u32..8).prop_map(|(zone, kind, n)| Deed::Capacity(zone, kind, n)),
        1 => (0_usize..20).prop_map(Deed::Interrupt),
        1 => (0_usize..20).prop_map(Deed::Sicken),
        1 => (0_usize..20, any::<bool>()).prop_map(|(n, less)| Deed::Terminate(n, less)),
        1 => (0_usize..20, any::<bool>()).prop_map(|(n, on)| Deed::Protect(n, on)),
        1 => any::<bool>().prop_map(Deed::Suspend),
        1 => (0_usize..20, any::<bool>()).prop_map(|(n, good)| Deed::Complete(n, good)),
    ]
}

fn nth(world: &World, index: usize) -> Option<String> {
    let ids: Vec<&String> = world.state().groups[GROUP].instances.iter().collect();
    ids.get(index % ids.len().max(1)).map(|it| (*it).clone())
}

fn act(world: &mut World, deed: &Deed) {
    match deed {
        Deed::Wait(secs) => world.advance_secs(*secs),
        Deed::Desired(count) => {
            // Beyond the bounds it is refused, which is fine.
            let _refused = world.set_desired_capacity(GROUP, *count);
        }
        Deed::Capacity(zone, kind, capacity) => {
            let pool = InstancePoolKey::new(TYPES[*kind], ZONES[*zone], Market::Spot);
            let now = world.now();
            world.set_instance_capacity(pool, now, *capacity);
        }
        Deed::Interrupt(index) => {
            if let Some(id) = nth(world, *index) {
                world.interrupt_instance(&id);
            }
        }
        Deed::Sicken(index) => {
            if let Some(id) = nth(world, *index) {
                world.set_group_instance_health(&id, false);
            }
        }
        Deed::Terminate(index, decrement) => {
            if let Some(id) = nth(world, *index) {
                let _refused = world.terminate_instance_in_group(&id, *decrement);
            }
        }
        Deed::Protect(index, on) => {
            if let Some(id) = nth(world, *index) {
                let input = json!({
                    "AutoScalingGroupName": GROUP, "InstanceIds": [id], "ProtectedFromScaleIn": on,
                });
                world.call(Operation::SetInstanceProtection, input).unwrap();
            }
        }
        Deed::Suspend(on) => {
            let operation = if *on {
                Operation::SuspendProcesses
            } else {
                Operation::ResumeProcesses
            };
            let input = json!({"AutoScalingGroupName": GROUP});
            world.call(operation, input).unwrap();
        }
        Deed::Complete(index, good) => {
            if let Some(id) = nth(world, *index) {
                let result = if *good {
                    HookResult::Continue
                } else {
                    HookResult::Abandon
                };
                let _none =
                    world.complete_lifecycle_action(GROUP, "drain", Some(&id), None, result);
            }
        }
    }
}

fn world(seed: u64, hook: bool) -> World {
    let mut config = Config::new(seed);
    // Between the look at the ids and a call that names them, no instance may go.
    config.api_latency_ms = 0;
    let mut world = World::new(config);
    let mut launch = LaunchSpec::spot("workers", &TYPES);
    launch
        .mixed
        .as_mut()
        .unwrap()
        .distribution
        .on_demand_percentage_above_base_capacity = 25;
    world.declare_auto_scaling_group(GroupSpec::new(GROUP, launch, 1, 4, 10));
    if hook {
        let mut hook = Hook::new(Transition::Terminating);
        hook.heartbeat_timeout_secs = 120;
        world.put_lifecycle_hook(GROUP, "drain", hook).unwrap();
    }
    world
}

/// What must hold at any time.
fn check(world: &World) {
    let group = &world.state().groups[GROUP];
    assert!((group.min_size..=group.max_size).contains(&group.desired_capacity));
    // Each instance of the group is known, and each that is known and not terminated belongs to it.
    let of_group: BTreeSet<&String> = group.instances.iter().collect();
    let alive: BTreeSet<&String> = world
        .state()
        .instances
        .iter()
        .filter(|(_, it)| it.lifecycle_state != Lifecycle::Terminated)
        .map(|(id, _)| id)
        .collect();
    assert_eq!(of_group, alive);
    // A place of a pool is held by exactly the machines that are there.
    let mut holders: Vec<&String> = Vec::new();
    for (key, pool) in world.instance_pools() {
        for id in pool.kept.iter().chain(&pool.reclaimed) {
            let instance = &world.state().instances[id];
            assert_eq!(instance.instance_type, key.instance_type);
            assert_eq!(instance.zone, key.zone);
            assert_eq!(instance.market, key.market);
            holders.push(id);
        }
        // More than there is room for is never kept.
        if key.market == Market::Spot {
            assert!(
                pool.capacity
                    .is_none_or(|it| pool.kept.len() <= it as usize)
            );
        }
    }
    holders.sort();
    let there: Vec<&String> = world
        .state()
        .instances
        .iter()
        .filter(|(_, it)| matches!(it.state, MachineState::Pending | MachineState::Running))
        .map(|(id, _)| id)
        .collect();
    assert_eq!(holders, there);
    for it in world.state().instances.values() {
        if it.lifecycle_state == Lifecycle::InService {
            assert!(it.running_at.is_some() && it.in_service_at >= it.running_at);
        }
        if it.lifecycle_state == Lifecycle::Terminated {
            assert_eq!(it.state, MachineState::Terminated);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_group_keeps_its_books_and_comes_to_what_is_desired(
        seed in any::<u64>(),
        hook in any::<bool>(),
        deeds in prop::collection::vec(deed(), 1..40),
    ) {
        let mut world = world(seed, hook);
        for deed in &deeds {
            act(&mut world, deed);
            check(&world);
        }
        // With everything allowed and room everywhere, it ends where it should.
        for zone in ZONES {
            for kind in TYPES {
                let now = world.now();
                world.set_instance_capacity(InstancePoolKey::new(kind, zone, Market::Spot), now, 50);
            }
        }
        let input = json!({"AutoScalingGroupName": GROUP});
        world.call(Operation::ResumeProcesses, input).unwrap();
        let ids: Vec<String> = world.state().groups[GROUP].instances.iter().cloned().collect();
        let input = json!({
            "AutoScalingGroupName": GROUP, "InstanceIds": ids, "ProtectedFromScaleIn": false,
        });
        world.call(Operation::SetInstanceProtection, input).unwrap();
        for _ in 0..40 {
            world.advance_secs(300);
            check(&world);
        }
        let group = &world.state().groups[GROUP];
        let mut zones = [0_usize; 3];
        for id in &group.instances {
            let it = &world.state().instances[id];
            prop_assert_eq!(it.lifecycle_state, Lifecycle::InService);
            zones[ZONES.iter().position(|zone| *zone == it.zone).unwrap()] += 1;
        }
        prop_assert_eq!(group.instances.len(), group.desired_capacity as usize);
        let (least, most) = (zones.iter().min().unwrap(), zones.iter().max().unwrap());
        prop_assert!(most - least <= 1, "{:?}", zones);
    }

    #[test]
    fn the_same_seed_and_deeds_give_the_same_world(
        seed in any::<u64>(),
        deeds in prop::collection::vec(deed(), 1..25),
    ) {
        let run = || {
            let mut world = world(seed, true);
            for deed in &deeds {
                act(&mut world, deed);
            }
            world.advance_secs(600);
            let events = world.take_due_events();
            (events, format!("{:?}", world.state().groups), format!("{:?}", world.state().instances))
        };
        prop_assert_eq!(run(), run());
    }
}
