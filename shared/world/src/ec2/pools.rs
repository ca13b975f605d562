//! Pools of instances: how many a type, zone and market can hold, and who holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use model::strategy::Market;

/// An instance type in a zone, bought one way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstancePoolKey {
    /// Such as `m5.large`.
    pub instance_type: String,
    /// The zone's name.
    pub zone: String,
    /// How it is bought.
    pub market: Market,
}

impl InstancePoolKey {
    /// Joins the names.
    #[must_use]
    pub fn new(instance_type: &str, zone: &str, market: Market) -> Self {
        Self {
            instance_type: instance_type.to_owned(),
            zone: zone.to_owned(),
            market,
        }
    }
}

impl fmt::Display for InstancePoolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let market = match self.market {
            Market::Spot => "Spot",
            Market::OnDemand | Market::Unknown => "on-demand",
        };
        write!(f, "{} in {} ({market})", self.instance_type, self.zone)
    }
}

/// One pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstancePool {
    /// How many instances it can hold; `None` has no bound.
    pub capacity: Option<u32>,
    /// The price, in millionths of a dollar per hour. It only orders pools.
    pub price_micros_per_hour: Option<u64>,
    /// The ids of the instances that hold a place and keep it.
    pub kept: BTreeSet<String>,
    /// The ids of the instances that were warned.
    pub reclaimed: BTreeSet<String>,
    /// How often its capacity changed.
    pub(crate) changes: u64,
}

impl InstancePool {
    /// How many more instances fit; `None` has no bound.
    #[must_use]
    pub fn free(&self) -> Option<u32> {
        let held = u32::try_from(self.kept.len()).unwrap_or(u32::MAX);
        self.capacity.map(|it| it.saturating_sub(held))
    }

    /// How many instances must go.
    pub(crate) fn excess(&self) -> usize {
        self.capacity.map_or(0, |it| {
            self.kept
                .len()
                .saturating_sub(usize::try_from(it).unwrap_or(usize::MAX))
        })
    }
}

/// The pools, by key.
pub(crate) type InstancePools = BTreeMap<InstancePoolKey, InstancePool>;
