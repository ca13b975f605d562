//! Holds: what of the EC2 capacity is left alone, and why.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::capacity::key::{CapacitySubject, ProviderKey};
use crate::capacity::plan::ProviderNumbers;
use crate::capacity::unplaced::Unplaced;
use crate::ids::{InstanceType, ServiceName};
use crate::settings::SettingFault;
use crate::snapshot::Gap;
use crate::strategy::Market;
use crate::units::{Counted, Seconds};

/// Something that is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityHold {
    /// What was looked at.
    #[serde(flatten)]
    pub subject: CapacitySubject,
    /// Why, with the numbers.
    pub reason: CapacityHoldReason,
    /// A provider's numbers, also where it is left alone: what would be done, and what is published. `None` for instances, and for
    /// a provider of which not enough was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<ProviderNumbers>,
    /// What fits nowhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unplaced: Vec<Unplaced>,
    /// When the reason ends by itself, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Who else decides about a group's size.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "snake_case")]
pub enum Neighbour {
    /// The provider's managed scaling is ENABLED.
    ManagedScaling,
    /// The provider's managed termination protection is ENABLED.
    ManagedTerminationProtection,
    /// A dynamic or predictive scaling policy is on the group.
    ScalingPolicy {
        /// Its name.
        name: String,
    },
    /// A scheduled action is on the group.
    ScheduledAction {
        /// Its name.
        name: String,
    },
    /// The group keeps a warm pool.
    WarmPool,
    /// The provider is also associated with another cluster.
    OtherCluster {
        /// The cluster.
        name: String,
    },
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ManagedScaling => f.write_str("ECS managed scaling is ENABLED"),
            Self::ManagedTerminationProtection => {
                f.write_str("managed termination protection is ENABLED")
            }
            Self::ScalingPolicy { name } => write!(f, "the group has the scaling policy `{name}`"),
            Self::ScheduledAction { name } => {
                write!(f, "the group has the scheduled action `{name}`")
            }
            Self::WarmPool => f.write_str("the group keeps a warm pool"),
            Self::OtherCluster { name } => write!(
                f,
                "the provider is associated with the cluster `{name}` too"
            ),
        }
    }
}

/// What forbids removing an instance, or any instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "veto", rename_all = "snake_case")]
pub enum Veto {
    /// The group is at its minimum.
    MinimumSize {
        /// The minimum.
        min: u32,
    },
    /// A process of the group is suspended.
    SuspendedProcess {
        /// Its name.
        name: String,
    },
    /// A service that lives there is being deployed.
    Deployment {
        /// The service.
        service: ServiceName,
    },
    /// A service's tag `ballast:headroom-tasks` cannot be used: how much room is to be kept is not known.
    HeadroomUnknown {
        /// The service.
        service: ServiceName,
        /// What is wrong with the tag.
        faults: Vec<SettingFault>,
    },
    /// Too many instances are not healthy.
    Unhealthy {
        /// How many are not.
        unhealthy: u32,
        /// Of how many.
        of: u32,
        /// How many of a hundred may be.
        allowed_percent: u32,
    },
    /// Not everything could be observed.
    Incomplete {
        /// What could not.
        gaps: Vec<Gap>,
    },
    /// What was remembered is not known.
    MemoryUnavailable,
    /// Tasks have no room: nothing is removed meanwhile.
    TasksWithoutRoom {
        /// How many.
        tasks: u32,
    },
    /// Instances are on their way in: nothing is removed before it shows whether they are needed.
    Launching {
        /// How many.
        launching: u32,
    },
}

impl fmt::Display for Veto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinimumSize { min } => write!(f, "the group is at its minimum of {min}"),
            Self::SuspendedProcess { name } => {
                write!(f, "the group's process `{name}` is suspended")
            }
            Self::Deployment { service } => write!(f, "`{service}` is being deployed"),
            Self::HeadroomUnknown { service, faults } => {
                write!(f, "how much headroom `{service}` asks for is not known:")?;
                faults.iter().try_for_each(|fault| write!(f, " {fault}"))
            }
            Self::Unhealthy {
                unhealthy,
                of,
                allowed_percent,
            } => write!(
                f,
                "{unhealthy} of {} not healthy, more than {allowed_percent} %",
                Counted(*of, "instance").are()
            ),
            Self::Incomplete { gaps } => {
                f.write_str("not everything could be seen:")?;
                gaps.iter().try_for_each(|gap| write!(f, " {gap}"))
            }
            Self::MemoryUnavailable => f.write_str("what was remembered could not be read"),
            Self::TasksWithoutRoom { tasks } => {
                write!(f, "there is no room for {}", Counted(*tasks, "task"))
            }
            Self::Launching { launching } => {
                write!(f, "{} on the way", Counted(*launching, "instance").are())
            }
        }
    }
}

/// Pools that are left out for the same cause. A pool is an instance type in a zone on a market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedPools {
    /// A stable name, see `placement::capacity::pools`.
    pub cause: String,
    /// How many names of pools: one with a `*` stands for every type, or every zone.
    pub count: u32,
    /// The first of them, as `type/zone/market`.
    pub pools: Vec<String>,
}

impl fmt::Display for ClosedPools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of", self.cause)?;
        for (index, pool) in self.pools.iter().enumerate() {
            let separator = if index == 0 { " " } else { ", " };
            write!(f, "{separator}`{pool}`")?;
        }
        let named = u32::try_from(self.pools.len()).unwrap_or(u32::MAX);
        match self.count.saturating_sub(named) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Why something is left alone. Every variant has a line in `docs/runbook.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum CapacityHoldReason {
    // A provider at rest, or on its way.
    /// The group has as many instances as are wanted.
    RightSize,
    /// What is wanted is on its way: instances launch and register.
    Launching,
    /// More instances than are wanted, not yet for the whole scale-in delay.
    WaitingForScaleInDelay {
        /// The most instances that were wanted within the delay, as far as it was watched.
        wanted_max: u32,
        /// The delay.
        #[serde(rename = "scale_in_delay_secs")]
        scale_in_delay: Seconds,
    },
    /// More instances than are wanted; instances drain or end.
    ScalingIn {
        /// How many instances are being removed.
        removing: u32,
    },
    /// More instances than are wanted, and none may be removed now.
    ScaleInVetoed {
        /// Why not; never empty.
        vetoes: Vec<Veto>,
    },
    /// More instances than are wanted, and each of them has a reason of its own to stay: see the holds of the instances.
    NothingRemovable {
        /// Whether the group protects every new instance from scale-in.
        new_instances_protected: bool,
    },
    /// More are wanted than the group's maximum.
    AtMaximum {
        /// The maximum.
        max: u32,
        /// How many of its instances are lost: the group counts them, they hold no new task, and Ballast does not remove them.
        #[serde(default)]
        lost: u32,
    },
    /// Tasks fit no type that the group may launch: more instances would not help.
    Unplaceable,
    /// Launches from every pool of the group lately failed, so that nothing more is asked for. Tasks on Spot reach their standby, if
    /// their service has one.
    NoPoolLeft {
        /// How many pools are left out.
        pools: u32,
        /// How the group's capacity is bought.
        market: Market,
        /// By what made the launches fail.
        closed: Vec<ClosedPools>,
    },
    /// Instances were asked for, and the group's latest launch failed: nothing more is asked for meanwhile.
    LaunchesFail {
        /// What made it fail: a stable name, see `placement::capacity::pools`.
        cause: String,
        /// AWS's own words.
        text: String,
        /// When the first launch failed after the last that did not.
        since: Timestamp,
    },
    /// The group has room for tasks, and ECS does not place them.
    NotPlaced {
        /// Whose tasks; the first of these.
        whose: String,
        /// How many.
        tasks: u32,
        /// Since when they wait, or when ECS said that it could not place them.
        since: Timestamp,
    },
    /// Instances were launched for tasks, and the tasks cannot be put on them: no more are launched for a while.
    LaunchedOfNoUse {
        /// How many.
        instances: u32,
        /// The type of the first, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance_type: Option<InstanceType>,
        /// Whose tasks they were launched for; the first of these.
        whose: String,
        /// How often something was launched for them.
        times: u32,
    },
    /// Instances were launched and do not register: no more are launched for a while.
    InstancesDoNotRegister {
        /// How many.
        instances: u32,
        /// How often in a row.
        times: u32,
    },

    // Somebody else's, or forbidden.
    /// Somebody else decides about this group's size.
    Neighbours {
        /// Who; never empty.
        neighbours: Vec<Neighbour>,
        /// What would be done without them; empty: nothing.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        advice: Vec<String>,
        /// Why the size would stay as it is without them, where it would.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<Box<Self>>,
    },
    /// Somebody else changed the desired capacity.
    ForeignChange {
        /// What was found.
        found: u32,
        /// What Ballast had left.
        wrote: u32,
    },
    /// Ballast's own last write does not show yet.
    OwnWriteNotVisible {
        /// What was found.
        found: u32,
        /// What was written.
        wrote: u32,
    },
    /// The group's tag asks for advice only: the numbers say what would be done.
    AdviceOnly {
        /// What would be done; empty: nothing.
        advice: Vec<String>,
        /// Why the size would stay as it is, where it would.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<Box<Self>>,
        /// Who else decides about the group's size: with the tag `act` Ballast would leave it to them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        neighbours: Vec<Neighbour>,
    },
    /// The group's tag `ballast:paused` is `true`.
    Paused,
    /// The group's tags cannot be used.
    PolicyFaults {
        /// Every fault.
        faults: Vec<SettingFault>,
    },
    /// The group's desired capacity does not count instances: they have weights, or its type is `vcpu` or `memory-mib`.
    WeightedCapacity,
    /// The group is being deleted.
    GroupDeleting,
    /// The group's process `Launch` is suspended, and more instances are wanted.
    LaunchSuspended,
    /// Not enough could be seen to decide.
    SnapshotIncomplete {
        /// What could not.
        gaps: Vec<Gap>,
    },
    /// The group does not carry `ballast:cluster-scaler`.
    NotOptedIn,
    /// AWS sizes ECS Managed Instances itself.
    ManagedInstances,
    /// AWS says that the provider's group does not exist.
    GroupNotFound {
        /// The group.
        group: String,
    },
    /// The provider or its group could not be read.
    Unread {
        /// What failed.
        gap: Gap,
    },

    // Instances.
    /// They hold tasks, or room that is wanted.
    InUse,
    /// They are empty, and nothing is to be removed now, or others are removed first: see the provider.
    Spare,
    /// They are on their way in.
    InstanceLaunching,
    /// They registered too lately to be removed.
    TooYoung {
        /// The least age.
        #[serde(rename = "minimum_age_secs")]
        minimum_age: Seconds,
    },
    /// They hold tasks that are protected, or of which it is not known.
    ProtectedTasks,
    /// They hold standalone tasks, which ECS does not move.
    StandaloneTasks,
    /// They are protected from scale-in, and not by Ballast.
    ScaleInProtected,
    /// Their tasks do not provably fit elsewhere.
    TasksFitNowhereElse,
    /// They keep a service's tasks spread over zones, or its headroom.
    NeededForSpread,
    /// Without one of them the group would balance its zones, and end an instance of its own choice.
    NeededForZoneBalance,
    /// The disruption budget is used up.
    DisruptionBudgetSpent {
        /// How many instances may drain at a time.
        budget: u32,
    },
    /// They drain for scale-in: tasks are still on them, or something forbids ending them now.
    Draining,
    /// They are DRAINING, and not by Ballast.
    DrainedBySomebodyElse,
    /// They are on their way out of the group.
    Leaving,
    /// They are in service and have not registered in the cluster in time.
    NotRegistered,
    /// They registered without the provider, or with another one: ECS places none of its tasks on them.
    NotOfProvider,
    /// Their agent has been disconnected for too long: they count for nothing.
    AgentDisconnected,
    /// They are in the group's standby, warm pool or detached: they count for nothing.
    OutOfService,
    /// The provider is not touched, and so are they not.
    ProviderHeld,
}

impl CapacityHold {
    /// The provider that it is about.
    #[must_use]
    pub const fn provider(&self) -> &ProviderKey {
        self.subject.provider()
    }

    /// A hold about a provider, with its numbers.
    #[must_use]
    pub const fn of_provider(
        provider: ProviderKey,
        reason: CapacityHoldReason,
        numbers: Option<ProviderNumbers>,
        unplaced: Vec<Unplaced>,
        until: Option<Timestamp>,
    ) -> Self {
        Self {
            subject: CapacitySubject::Provider { provider },
            reason,
            numbers,
            unplaced,
            until,
        }
    }
}
