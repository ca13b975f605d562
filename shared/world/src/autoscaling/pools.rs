//! Which pool a launch takes.

use std::collections::BTreeMap;

use model::strategy::Market;

use super::texts::LaunchFailure;
use crate::ec2::{InstancePoolKey, vcpus_of};
use crate::state::{Allocation, Group, MachineState};
use crate::world::World;

/// A type that a group may launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) instance_type: String,
    pub(super) weight: u32,
    pub(super) weighted: bool,
}

/// What a group may launch, and how.
#[derive(Debug, Clone)]
pub(super) struct Menu {
    pub(super) candidates: Vec<Candidate>,
    pub(super) on_demand_base: u32,
    pub(super) on_demand_percent: u32,
    pub(super) on_demand: Allocation,
    pub(super) spot: Allocation,
    pub(super) is_mixed: bool,
}

impl Menu {
    /// How much of a capacity is on-demand: the base, and the percentage of what is above it, rounded up.
    pub(super) fn on_demand_share(&self, capacity: u32) -> u32 {
        let base = self.on_demand_base.min(capacity);
        let above = u64::from(capacity - base) * u64::from(self.on_demand_percent);
        base.saturating_add(u32::try_from(above.div_ceil(100)).unwrap_or(u32::MAX))
            .min(capacity)
    }
}

/// A pool that could take one more instance.
#[derive(Debug, Clone)]
struct Open {
    order: usize,
    free: u32,
    price: u64,
}

impl World {
    pub(super) fn menu_of(&self, group: &Group) -> Menu {
        let template = self.state.launch_templates.get(&group.launch.template);
        let own_type = template.map_or("", |it| it.instance_type.as_str());
        let candidate = |instance_type: &str, weight: Option<u32>| Candidate {
            instance_type: instance_type.to_owned(),
            weight: weight.unwrap_or(1).max(1),
            weighted: weight.is_some(),
        };
        let Some(mixed) = &group.launch.mixed else {
            let is_spot = template.is_some_and(|it| it.market == Market::Spot);
            return Menu {
                candidates: vec![candidate(own_type, None)],
                on_demand_base: 0,
                on_demand_percent: if is_spot { 0 } else { 100 },
                on_demand: Allocation::Prioritized,
                spot: Allocation::LowestPrice,
                is_mixed: false,
            };
        };
        let candidates: Vec<Candidate> = if mixed.overrides.is_empty() {
            vec![candidate(own_type, None)]
        } else {
            mixed
                .overrides
                .iter()
                .map(|it| candidate(&it.instance_type, it.weighted_capacity))
                .collect()
        };
        Menu {
            candidates,
            on_demand_base: mixed.distribution.on_demand_base_capacity,
            on_demand_percent: mixed.distribution.on_demand_percentage_above_base_capacity,
            on_demand: mixed.distribution.on_demand_allocation,
            spot: mixed.distribution.spot_allocation,
            is_mixed: true,
        }
    }

    /// The vCPUs of a market that the quota leaves; `None` has no bound.
    pub(super) fn vcpus_left(&self, market: Market) -> Option<(u32, u32)> {
        let max = match market {
            Market::Spot => self.config.ec2.spot_vcpus_max,
            Market::OnDemand | Market::Unknown => self.config.ec2.on_demand_vcpus_max,
        }?;
        let used: u32 = self
            .state
            .instances
            .values()
            .filter(|it| {
                it.market == market
                    && matches!(it.state, MachineState::Pending | MachineState::Running)
            })
            .map(|it| vcpus_of(&it.instance_type))
            .sum();
        Some((max.saturating_sub(used), max))
    }

    /// The pool of a zone that a launch takes, as the place of its type in the menu.
    pub(super) fn choose_pool(
        &self,
        menu: &Menu,
        zone: &str,
        market: Market,
        vcpus_left: Option<(u32, u32)>,
    ) -> Result<usize, LaunchFailure> {
        let mut open = Vec::new();
        let mut quota = None;
        for (order, candidate) in menu.candidates.iter().enumerate() {
            let key = InstancePoolKey::new(&candidate.instance_type, zone, market);
            let pool = self.instance_pools.get(&key);
            let free = pool.and_then(|it| it.free()).unwrap_or(u32::MAX);
            if pool.is_some_and(|it| it.free() == Some(0)) {
                continue;
            }
            if let Some((left, max)) = vcpus_left
                && vcpus_of(&candidate.instance_type) > left
            {
                quota = Some(max);
                continue;
            }
            let price = pool
                .and_then(|it| it.price_micros_per_hour)
                .unwrap_or(u64::MAX);
            open.push(Open { order, free, price });
        }
        let allocation = match market {
            Market::Spot => menu.spot,
            Market::OnDemand | Market::Unknown => menu.on_demand,
        };
        match (best(&open, allocation), quota) {
            (Some(best), _) => Ok(best.order),
            (None, Some(vcpus_max)) => Err(LaunchFailure::Quota { vcpus_max }),
            (None, None) => Err(self.no_capacity(menu, zone, market)),
        }
    }

    fn no_capacity(&self, menu: &Menu, zone: &str, market: Market) -> LaunchFailure {
        let first_type = menu
            .candidates
            .first()
            .map(|it| it.instance_type.clone())
            .unwrap_or_default();
        let others = self
            .config
            .zones
            .iter()
            .map(ToString::to_string)
            .filter(|other| {
                other != zone
                    && self
                        .instance_pools
                        .get(&InstancePoolKey::new(&first_type, other, market))
                        .is_none_or(|it| it.free() != Some(0))
            })
            .collect();
        LaunchFailure::NoCapacity { first_type, others }
    }
}

/// The best of the pools that have room, by an allocation strategy. Ties go to the order of the types.
fn best(open: &[Open], allocation: Allocation) -> Option<&Open> {
    let most = open.iter().map(|it| it.free).max().unwrap_or(0);
    let roomy = |it: &&Open| u64::from(it.free) * 2 >= u64::from(most);
    match allocation {
        Allocation::CapacityOptimized => open
            .iter()
            .min_by_key(|it| (std::cmp::Reverse(it.free), it.order)),
        Allocation::CapacityOptimizedPrioritized => {
            open.iter().filter(roomy).min_by_key(|it| it.order)
        }
        Allocation::PriceCapacityOptimized => open
            .iter()
            .filter(roomy)
            .min_by_key(|it| (it.price, it.order)),
        Allocation::LowestPrice => open.iter().min_by_key(|it| (it.price, it.order)),
        Allocation::Prioritized => open.iter().min_by_key(|it| it.order),
    }
}

/// The zones in the order in which a launch tries them: the least of the group first.
pub(super) fn zones_by_need(order: &[String], counts: &BTreeMap<String, u32>) -> Vec<String> {
    let mut zones: Vec<(u32, usize, &String)> = order
        .iter()
        .enumerate()
        .map(|(index, zone)| (counts.get(zone).copied().unwrap_or(0), index, zone))
        .collect();
    zones.sort();
    zones.into_iter().map(|(_, _, zone)| zone.clone()).collect()
}
