//! What is to be packed, on what.

use std::collections::BTreeSet;

use model::capacity::{HostPort, Resources};

use super::IndexSet;

/// Tasks that share one number may not share an instance: the tasks of a service under `distinctInstance`.
///
/// The caller numbers its services as it likes; two groups of one service carry the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DistinctKey(pub u32);

/// The caller's number of a group. It breaks ties, so that the order in which groups are listed does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// Tasks that are the same in everything that placing looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskGroup {
    /// Breaks ties; give each group its own.
    pub id: GroupId,
    /// How many tasks.
    pub count: u32,
    /// What one task needs.
    pub needs: Resources,
    /// The fixed host ports that one task takes.
    pub host_ports: BTreeSet<HostPort>,
    /// Set if the task may not share an instance with another of the same number.
    pub distinct_instance: Option<DistinctKey>,
    /// An index into [`Problem::spreads`]: tasks that prefer the zone where the fewest of them are. `None`: no preference.
    pub spread: Option<usize>,
    /// An index into [`Problem::eligibilities`]: the instances and offers that placement constraints allow. `None`: all of them.
    pub eligibility: Option<usize>,
}

/// How soon an instance takes tasks. Sooner is asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Readiness {
    /// The container instance is ACTIVE and its agent is connected.
    Active,
    /// It is launching, or launched and not registered yet.
    Launching,
    /// It is DRAINING for scale-in, and would be taken back before anything new is launched.
    Draining,
}

/// An instance that is there, or on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bin {
    /// The zone, a number below [`Problem::zones`].
    pub zone: usize,
    /// When it takes tasks.
    pub readiness: Readiness,
    /// What is left of it.
    pub free: Resources,
    /// The fixed host ports in use on it, by tasks, daemons and the agent.
    pub host_ports: BTreeSet<HostPort>,
    /// The numbers of which it already runs a task.
    pub distinct_instance: BTreeSet<DistinctKey>,
}

/// An instance type in a zone that may be launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The zone, a number below [`Problem::zones`].
    pub zone: usize,
    /// What a new instance has left for tasks, after its daemons.
    pub room: Resources,
    /// The fixed host ports that its daemons and its agent take.
    pub host_ports: BTreeSet<HostPort>,
    /// What one costs, in any unit that all offers of the problem share. Without prices give each 1: then the cost is the number
    /// of instances.
    pub cost: u64,
    /// How many may be launched.
    pub at_most: u32,
}

/// Which instances and offers a group may be put on: `memberOf` constraints, attributes and the capacity provider, worked out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Eligibility {
    /// Indexes into [`Problem::bins`].
    pub bins: IndexSet,
    /// Indexes into [`Problem::offers`].
    pub offers: IndexSet,
}

/// The tasks of a spread group that already run, by zone. A zone that is missing at the end has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spread {
    /// How many run in each zone.
    pub placed: Vec<u32>,
}

/// Everything that packing looks at.
///
/// An index that points to nothing is a constraint that allows nothing, and a spread without zones: never a panic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problem {
    /// What is to be placed.
    pub groups: Vec<TaskGroup>,
    /// The instances with free room. They are asked by their [`Readiness`], then in the order listed.
    pub bins: Vec<Bin>,
    /// What may be launched.
    pub offers: Vec<Offer>,
    /// How many new instances may be launched in all.
    pub new_bins_at_most: u32,
    /// How many zones there are.
    pub zones: usize,
    /// What [`TaskGroup::eligibility`] points into.
    pub eligibilities: Vec<Eligibility>,
    /// What [`TaskGroup::spread`] points into.
    pub spreads: Vec<Spread>,
}

impl Problem {
    /// Whether the group's constraints allow the instance. Its room is not looked at.
    #[must_use]
    pub fn allows_bin(&self, group: &TaskGroup, bin: usize) -> bool {
        match group.eligibility {
            None => true,
            Some(index) => self
                .eligibilities
                .get(index)
                .is_some_and(|eligibility| eligibility.bins.contains(bin)),
        }
    }

    /// Whether the group's constraints allow the offer. Its room is not looked at.
    #[must_use]
    pub fn allows_offer(&self, group: &TaskGroup, offer: usize) -> bool {
        match group.eligibility {
            None => true,
            Some(index) => self
                .eligibilities
                .get(index)
                .is_some_and(|eligibility| eligibility.offers.contains(offer)),
        }
    }
}
