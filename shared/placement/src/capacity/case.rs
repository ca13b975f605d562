//! Everything that a decision about one provider may depend on, counted once.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::capacity::hold::ClosedPools;
use model::capacity::{
    CapacitySnapshot, ClusterCapacity, ContainerInstance, Drain, Group, GroupInstance, GroupPolicy,
    InstanceTask, Provider, ProviderMemory, ProviderNumbers, Unplaced,
};
use model::memory::Recall;
use model::policy::Installation;
use model::snapshot::Gap;
use model::strategy::Market;
use model::trigger::Hints;
use model::{InstanceId, Seconds};

use super::demand::Demand;
use super::fit::Ground;
use super::index::Index;
use super::pools::LaunchesFail;
use super::room::{Room, is_counted};
use super::settings::Settings;
use super::strays::{Newcomers, Strays};

/// What was seen, remembered and reported that concerns one provider.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    /// The whole snapshot, for the gaps that concern more than one cluster.
    pub(crate) snapshot: &'a CapacitySnapshot,
    /// The provider's cluster.
    pub(crate) cluster: &'a ClusterCapacity,
    /// The provider.
    pub(crate) provider: &'a Provider,
    /// What the installation adds.
    pub(crate) installation: &'a Installation,
    /// What could be recalled of the provider.
    pub(crate) recall: &'a Recall<ProviderMemory>,
    /// What the triggers reported.
    pub(crate) hints: &'a Hints,
    /// AWS's own time.
    pub(crate) now: Timestamp,
}

impl Look<'_> {
    /// What could not be observed that the provider's instances and tasks may depend on. While there is something, nothing is removed.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        let gaps = [&self.snapshot.gaps, &self.cluster.gaps, &self.provider.gaps];
        gaps.into_iter().flatten().cloned().collect()
    }

    /// Whether nothing of the cluster's tasks and services is missing.
    pub(crate) fn is_cluster_complete(&self) -> bool {
        self.snapshot.gaps.is_empty() && self.cluster.gaps.is_empty()
    }

    /// Whether nothing is missing.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_cluster_complete() && self.provider.gaps.is_empty()
    }
}

impl Case<'_> {
    /// The instances on their way in. What the group was asked for and does not get, because its launches fail, is not: it may stay
    /// away for as long as Spot is short, and must not keep the group from shrinking meanwhile.
    pub(crate) fn on_their_way(&self) -> u32 {
        if self.retry_at.is_some() || self.launches_fail.is_some() {
            self.numbers.launching.saturating_sub(self.room.unborn)
        } else {
            self.numbers.launching
        }
    }
}

/// A provider that may be sized, with its instances, its demand and its numbers.
pub(crate) struct Case<'a> {
    pub(crate) look: &'a Look<'a>,
    pub(crate) policy: &'a GroupPolicy,
    /// What of the policy follows the provider's own settings.
    pub(crate) settings: Settings,
    pub(crate) group: &'a Group,
    /// The cluster, indexed.
    pub(crate) index: &'a Index<'a>,
    /// Every instance of the group, in the order of their ids.
    pub(crate) members: Vec<Member<'a>>,
    /// The tasks that need room.
    pub(crate) demand: &'a Demand<'a>,
    /// Where tasks may find room.
    pub(crate) room: Room<'a>,
    /// The names of the types that the group may launch, for texts.
    pub(crate) type_names: String,
    /// When the first pool that is left out is tried again; `None` where none is left out.
    pub(crate) retry_at: Option<Timestamp>,
    /// The pools that are left out, by what made their launches fail.
    pub(crate) closed: Vec<ClosedPools>,
    /// That the group's latest launch failed, whatever the cause.
    pub(crate) launches_fail: Option<LaunchesFail>,
    /// How many instances did not register, where none that was launched since did.
    pub(crate) unregistered: u32,
    /// The numbers; `wanted` is what the group is asked for without its limits, in units of its desired capacity: instances that are
    /// lost, or drained by somebody else, are on top of what the tasks need.
    pub(crate) numbers: ProviderNumbers,
    /// The same as `wanted`, but for the instances that nothing can be launched for now.
    pub(crate) asked: u32,
    /// What fits nowhere.
    pub(crate) unplaced: Vec<Unplaced>,
    /// The tasks that find room neither on ACTIVE instances nor on those on their way; headroom included.
    pub(crate) tasks_without_room: u32,
    /// The instances draining by Ballast's hand that the tasks need again, by packing.
    pub(crate) needed_again: BTreeSet<&'a InstanceId>,
    /// What was asked for earlier and may have come to nothing.
    pub(crate) newcomers: Newcomers<'a>,
    /// What was launched for tasks that lack room and is of no use to them.
    pub(crate) strays: Option<Strays>,
    /// The new instances that tasks need beyond what is there and what was asked for.
    pub(crate) opened: u32,
}

impl<'a> Case<'a> {
    /// What its tasks may be packed on.
    pub(crate) fn ground(&self) -> Ground<'_, 'a> {
        Ground {
            index: self.index,
            room: &self.room,
            retry_at: self.retry_at,
            type_names: &self.type_names,
            keeps_spread: true,
            as_if_open: false,
        }
    }
}

/// An instance of the group.
#[derive(Clone)]
pub(crate) struct Member<'a> {
    pub(crate) id: &'a InstanceId,
    pub(crate) instance: &'a GroupInstance,
    /// Its container instance; `None` while it is not registered.
    pub(crate) container: Option<&'a ContainerInstance>,
    pub(crate) state: MemberState,
    /// Since when it has been seen DRAINING by somebody else's hand, without a break.
    pub(crate) drained_since: Option<Timestamp>,
    /// Since when its agent has been seen disconnected, without a break.
    pub(crate) agent_away_since: Option<Timestamp>,
    /// Its non-daemon tasks that are not STOPPED, those that are to stop included, in the order of their ARNs.
    pub(crate) tasks: Vec<&'a InstanceTask>,
}

/// What an instance is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberState {
    /// Registered and ACTIVE. Its agent may be disconnected, not yet for too long.
    Active,
    /// On its way in: pending in the group, or in service and not registered, not for too long.
    Launching,
    /// Not registered for longer than the warm-up: counts for nothing.
    Overdue,
    /// ACTIVE, and its agent has been disconnected for longer than the grace: counts for nothing.
    Disconnected,
    /// DRAINING for scale-in, by Ballast.
    Draining(Drain),
    /// DRAINING, and not by Ballast, or it is not known by whom.
    DrainedElsewhere,
    /// On its way out of the group.
    Leaving,
    /// In the group's standby or warm pool, detached, or in a state that is not known.
    OutOfService,
}

impl MemberState {
    /// Whether it takes tasks, now or soon, without anything being done.
    pub(crate) const fn is_usable(self) -> bool {
        match self {
            Self::Active | Self::Launching => true,
            Self::Overdue
            | Self::Disconnected
            | Self::Draining(_)
            | Self::DrainedElsewhere
            | Self::Leaving
            | Self::OutOfService => false,
        }
    }

    /// Whether it counts for nothing although the group counts it.
    pub(crate) const fn is_lost(self) -> bool {
        match self {
            Self::Overdue | Self::Disconnected => true,
            Self::Active
            | Self::Launching
            | Self::Draining(_)
            | Self::DrainedElsewhere
            | Self::Leaving
            | Self::OutOfService => false,
        }
    }

    /// Whether its tasks are about to go: ECS starts others in their place, elsewhere.
    pub(crate) const fn is_departing(self) -> bool {
        match self {
            Self::Draining(_) | Self::DrainedElsewhere | Self::Leaving => true,
            Self::Active
            | Self::Launching
            | Self::Overdue
            | Self::Disconnected
            | Self::OutOfService => false,
        }
    }
}

/// How long after it began to drain an instance of Spot may still be about to end by an interruption: it ends two minutes after its notice,
/// and its group sees that at a health check. The third minute is ours.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>
const INTERRUPTED_WITHIN: Seconds = Seconds(180);

impl Member<'_> {
    /// Whether the instance is most likely interrupted, so that its group replaces it within minutes. Its tasks lack room all the same.
    pub(crate) fn is_interrupted(&self, market: Market, now: Timestamp) -> bool {
        let may_be_spot = match market {
            Market::Spot | Market::Unknown => true,
            Market::OnDemand => false,
        };
        let is_recent = |since| now < INTERRUPTED_WITHIN.after(since);
        may_be_spot
            && self.state == MemberState::DrainedElsewhere
            && is_counted(self.instance.lifecycle)
            && self.drained_since.is_some_and(is_recent)
    }

    /// Whether at least one task is on it that is not a daemon's.
    pub(crate) fn is_used(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// Whether at least one standalone task is on it, which ECS does not move.
    pub(crate) fn has_standalone_task(&self) -> bool {
        self.tasks.iter().any(|task| task.service.is_none())
    }
}

/// What may happen to the instances of a provider at this look. The step or hold about the provider itself is decided with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Removal {
    /// The provider's size is not touched: every instance is held as [`model::capacity::CapacityHoldReason::ProviderHeld`], and drains
    /// wait.
    Held {
        /// So many of the instances that Ballast drains become ACTIVE again all the same: that changes no size.
        again: u32,
    },
    /// More is needed: so many of the instances that Ballast drains become ACTIVE again, those of [`Case::needed_again`] first. Never
    /// more than there are. The rest of the drains goes on.
    Reactivate {
        /// How many.
        instances: u32,
    },
    /// The group is not larger than wanted, once the drains that are under way have ended. Nothing more begins to drain.
    Enough,
    /// Larger than wanted, not yet for the whole delay. Nothing more begins to drain.
    Waiting,
    /// Larger than wanted for the whole delay: so many may begin to drain, unless something forbids it.
    Surplus {
        /// How many more than those that drain already.
        instances: u32,
        /// The most instances that were wanted within the delay.
        wanted_max: u32,
    },
}
