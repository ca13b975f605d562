//! What must outlive an invocation about a provider and cannot be observed from AWS.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::capacity::resources::Resources;
use crate::ids::{ClusterName, InstanceId, InstanceType};
use crate::memory::{ForeignEdit, Level, Watch};

/// What is remembered of one provider. The empty memory is that of a provider never seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderMemory {
    /// The desired capacity that Ballast last left the group with.
    #[serde(default)]
    pub wrote: Option<CapacityWrite>,
    /// A change of the desired capacity by somebody else, while it is left alone. Counts are instances.
    #[serde(default)]
    pub foreign: Option<ForeignEdit>,
    /// The stretch of time in which the provider was looked at again and again without a longer break.
    #[serde(default)]
    pub watched: Option<Watch>,
    /// How lately how many instances were wanted: `tasks` holds instances here, strictly falling, `at` strictly rising. Bounded.
    #[serde(default)]
    pub wanted: Vec<Level>,
    /// The instances that Ballast set to DRAINING for scale-in, and has neither terminated nor set to ACTIVE again. Bounded.
    #[serde(default)]
    pub drains: BTreeMap<InstanceId, Drain>,
    /// The instances that Ballast was to empty and set to ACTIVE again before they were, and when: they are left alone for a while.
    /// Bounded.
    #[serde(default)]
    pub stuck: BTreeMap<InstanceId, Timestamp>,
    /// The instances that Ballast set to ACTIVE again a moment ago, and when: one that still reads DRAINING is nobody else's. Bounded.
    #[serde(default)]
    pub activated: BTreeMap<InstanceId, Timestamp>,
    /// Since when an instance has been seen DRAINING by somebody else's hand, without a break. Bounded.
    #[serde(default)]
    pub drained_elsewhere: BTreeMap<InstanceId, Timestamp>,
    /// Since when an instance's agent has been seen disconnected, without a break. Bounded.
    #[serde(default)]
    pub disconnected: BTreeMap<InstanceId, Timestamp>,
    /// Since when an instance of the group has been seen that is not registered in the cluster. Bounded.
    #[serde(default)]
    pub unregistered: BTreeMap<InstanceId, Timestamp>,
    /// How often in a row instances were launched that did not register, and until when no more are launched for them.
    #[serde(default)]
    pub stalled: Option<Stall>,
    /// The other clusters that the provider is associated with, and when that was seen last: a look at one cluster does not see them.
    /// Bounded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other_clusters: BTreeMap<ClusterName, Timestamp>,
    /// That instances were asked for because tasks fit on none that was there or on its way, until nothing more is needed.
    #[serde(default)]
    pub sought: Option<Sought>,
    /// The pools that lately had no capacity, by `type/zone/market`. `*` stands for a type or a zone that AWS did not name. Bounded.
    #[serde(default)]
    pub pools: BTreeMap<String, PoolFailure>,
    /// What instances of a type registered in this cluster, as last seen. Bounded.
    #[serde(default)]
    pub types: BTreeMap<InstanceType, LearnedType>,
}

impl ProviderMemory {
    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A desired capacity that Ballast asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityWrite {
    /// The desired capacity that was seen before.
    pub from: u32,
    /// The desired capacity that was asked for.
    pub to: u32,
    /// When.
    pub at: Timestamp,
    /// Whether AWS accepted it. While this is `false` anything from `from` to `to` may have come of it.
    pub confirmed: bool,
}

impl CapacityWrite {
    /// Whether a desired capacity can come of this write.
    #[must_use]
    pub const fn explains(&self, found: u32) -> bool {
        if self.confirmed {
            return found == self.to;
        }
        let (low, high) = if self.from < self.to {
            (self.from, self.to)
        } else {
            (self.to, self.from)
        };
        low <= found && found <= high
    }
}

/// An instance that Ballast drains for scale-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// When it was set to DRAINING.
    pub at: Timestamp,
    /// Why.
    pub reason: DrainReason,
}

/// Why an instance is drained for scale-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainReason {
    /// No task was on it but daemons'.
    Empty,
    /// Its tasks fit elsewhere.
    Consolidation,
}

/// Launches that came to nothing usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// How often in a row.
    pub times: u32,
    /// Until when nothing more is launched in their place.
    pub until: Timestamp,
}

/// Instances that were asked for because tasks fit on none that was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sought {
    /// When the first of them was asked for: what came in since and takes no task stands for one of them.
    pub since: Timestamp,
    /// How often something was asked for.
    pub times: u32,
    /// Until when nothing more is asked for in place of those that take no task.
    pub until: Timestamp,
}

/// A pool that had no capacity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolFailure {
    /// The latest failure.
    pub at: Timestamp,
    /// How often in a row.
    pub times: u32,
    /// Until when the pool is left out.
    pub until: Timestamp,
    /// What kind of failure it was: a stable name, see `placement::capacity::pools`.
    pub cause: String,
    /// The scaling activity that was counted last, so that it is counted once.
    #[serde(default)]
    pub activity: Option<String>,
}

/// What an instance of a type registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedType {
    /// Everything that it registered.
    pub registered: Resources,
    /// Its operating system and CPU architecture and whatever else every instance of the provider had as attributes.
    #[serde(default)]
    pub attributes: BTreeMap<String, Option<String>>,
    /// When it was seen last.
    pub seen_at: Timestamp,
}
