//! Random problems, small and full of conflicts.

use std::collections::BTreeSet;

use model::capacity::{HostPort, Protocol, Resources};
use placement::packing::{
    Bin, DistinctKey, Eligibility, GroupId, Offer, Problem, Readiness, Spread, TaskGroup,
};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

/// How large a problem may get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) groups: usize,
    pub(crate) tasks_in_a_group: u32,
    pub(crate) bins: usize,
    pub(crate) offers: usize,
}

pub(crate) const SMALL: Bounds = Bounds {
    groups: 6,
    tasks_in_a_group: 7,
    bins: 4,
    offers: 4,
};

/// Small enough to try everything.
pub(crate) const TINY: Bounds = Bounds {
    groups: 3,
    tasks_in_a_group: 2,
    bins: 2,
    offers: 2,
};

pub(crate) fn problem(bounds: Bounds) -> impl Strategy<Value = Problem> {
    (
        vec(group(bounds.tasks_in_a_group), 0..=bounds.groups),
        vec(bin(), 0..=bounds.bins),
        vec(offer(), 0..=bounds.offers),
        prop_oneof![3 => Just(u32::MAX), 2 => 0_u32..5],
        vec(eligibility(bounds), 0..=2),
        vec(
            vec(0_u32..4, 0..4).prop_map(|placed| Spread { placed }),
            0..=2,
        ),
    )
        .prop_map(
            |(mut groups, bins, offers, new_bins_at_most, eligibilities, spreads)| {
                for (id, group) in (0..).zip(&mut groups) {
                    group.id = GroupId(id);
                }
                Problem {
                    groups,
                    bins,
                    offers,
                    new_bins_at_most,
                    zones: 3,
                    eligibilities,
                    spreads,
                }
            },
        )
}

fn group(tasks: u32) -> impl Strategy<Value = TaskGroup> {
    (
        0..=tasks,
        resources(5, 6),
        prop_oneof![4 => Just(BTreeSet::new()), 1 => ports()],
        prop_oneof![4 => Just(None), 1 => (0_u32..2).prop_map(|key| Some(DistinctKey(key)))],
        // Some point to nothing.
        proptest::option::weighted(0.3, 0_usize..3),
        proptest::option::weighted(0.3, 0_usize..3),
    )
        .prop_map(
            |(count, needs, host_ports, distinct_instance, spread, eligibility)| TaskGroup {
                id: GroupId(0),
                count,
                needs,
                host_ports,
                distinct_instance,
                spread,
                eligibility,
            },
        )
}

fn bin() -> impl Strategy<Value = Bin> {
    (
        0_usize..3,
        prop_oneof![
            Just(Readiness::Active),
            Just(Readiness::Launching),
            Just(Readiness::Draining)
        ],
        resources(9, 9),
        prop_oneof![3 => Just(BTreeSet::new()), 1 => ports()],
        btree_set((0_u32..2).prop_map(DistinctKey), 0..2),
    )
        .prop_map(
            |(zone, readiness, free, host_ports, distinct_instance)| Bin {
                zone,
                readiness,
                free,
                host_ports,
                distinct_instance,
            },
        )
}

fn offer() -> impl Strategy<Value = Offer> {
    (
        0_usize..4,
        resources(9, 9),
        prop_oneof![4 => Just(BTreeSet::new()), 1 => ports()],
        prop_oneof![Just(1_u64), 0_u64..9],
        prop_oneof![3 => Just(u32::MAX), 2 => 0_u32..3],
    )
        .prop_map(|(zone, room, host_ports, cost, at_most)| Offer {
            zone,
            room,
            host_ports,
            cost,
            at_most,
        })
}

fn eligibility(bounds: Bounds) -> impl Strategy<Value = Eligibility> {
    let set = |len: usize| btree_set(0..len + 2, 0..=len);
    (set(bounds.bins), set(bounds.offers)).prop_map(|(bins, offers)| Eligibility {
        bins: bins.into_iter().collect(),
        offers: offers.into_iter().collect(),
    })
}

fn resources(cpu: u32, memory: u32) -> impl Strategy<Value = Resources> {
    (
        0..=cpu,
        0..=memory,
        prop_oneof![4 => Just(0_u32), 1 => 0_u32..3],
        prop_oneof![3 => Just(0_u32), 1 => 0_u32..4],
    )
        .prop_map(
            |(cpu_units, memory_mib, gpus, network_interfaces)| Resources {
                cpu_units,
                memory_mib,
                gpus,
                network_interfaces,
            },
        )
}

fn ports() -> impl Strategy<Value = BTreeSet<HostPort>> {
    let port = (0_u16..2, any::<bool>()).prop_map(|(number, tcp)| HostPort {
        port: 80 + number,
        protocol: if tcp { Protocol::Tcp } else { Protocol::Udp },
    });
    btree_set(port, 1..3)
}
