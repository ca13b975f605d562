//! Holds: what of the departures is left alone, and why.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::drain::cause::DepartureCause;
use crate::drain::key::{DrainKey, DrainSubject};
use crate::drain::numbers::{DepartureNumbers, TaskCounts};
use crate::drain::stuck::StuckTasks;
use crate::ids::{AutoScalingGroupName, ClusterName, LifecycleHookName};
use crate::settings::SettingFault;
use crate::snapshot::Gap;
use crate::units::Seconds;

/// Something that is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainHold {
    /// What was looked at.
    #[serde(flatten)]
    pub subject: DrainSubject,
    /// Why, with the numbers.
    pub reason: DrainHoldReason,
    /// A group's numbers: what is published. `None` for everything else, and for a group of which not enough was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<DepartureNumbers>,
    /// When the reason ends by itself, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Why something is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum DrainHoldReason {
    // Of a group.
    /// No instance that was looked at leaves.
    Watching {
        /// What ECS could not move if its instance left now, of instances whose tasks this look read: a warning ahead of time. At most
        /// [`Self::IMMOVABLE_MAX`].
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        immovable: Vec<StuckTasks>,
        /// How many more services and families there are of which the same is true.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: u32,
    },
    /// Instances leave; each has its own step or hold.
    Departing,
    /// The group's tags cannot be used.
    PolicyFaults {
        /// Everything that is wrong with them.
        faults: Vec<SettingFault>,
        /// What would be done with every tag at its default, one line each: what leaves meanwhile.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        advice: Vec<String>,
    },
    /// The tag `ballast:paused` is set.
    Paused {
        /// What would be done without it, one line each: what leaves meanwhile.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        advice: Vec<String>,
    },
    /// The tag asks for advice only.
    AdviceOnly {
        /// The steps that would be taken, one line each.
        advice: Vec<String>,
    },
    /// The group has no terminating hook of the name that Ballast completes: what the group terminates by itself leaves without waiting for
    /// its tasks.
    HookMissing {
        /// The name that is looked for.
        hook: LifecycleHookName,
        /// The terminating hooks that there are.
        others: Vec<LifecycleHookName>,
    },
    /// The hook times out sooner than two looks of the schedule are apart: a lost event would cost the wait.
    HookTooShort {
        /// The hook.
        hook: LifecycleHookName,
        /// Its heartbeat timeout.
        #[serde(rename = "heartbeat_timeout_secs")]
        heartbeat_timeout: Seconds,
        /// The least that is enough.
        #[serde(rename = "needed_secs")]
        needed: Seconds,
    },
    /// Something of the group could not be observed; what is certain is done all the same.
    SnapshotIncomplete {
        /// What is missing.
        gaps: Vec<Gap>,
    },

    // Of instances.
    /// They stay.
    Staying,
    /// It is DRAINING already; ECS moves its tasks.
    Draining {
        /// Why it leaves; `None` where it is not known to leave: somebody else drains it, cluster-scaler for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<DepartureCause>,
        /// Whether Ballast set it to DRAINING because it leaves; `None` where the ledger does not tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by_ballast: Option<bool>,
        /// Since when it has been seen so; `None` where the ledger does not tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        /// When it goes, where that is known.
        deadline: Option<Timestamp>,
        /// What is on it; `None` where its tasks were not read.
        tasks: Option<TaskCounts>,
        /// What ECS will not move in time.
        stuck: Vec<StuckTasks>,
    },
    /// It has been DRAINING for so long that its tasks will not move by themselves.
    DrainStuck {
        /// Since when.
        since: Timestamp,
        /// The longest that is normal.
        #[serde(rename = "departure_timeout_secs")]
        departure_timeout: Seconds,
        /// What is on it; `None` where its tasks were not read.
        tasks: Option<TaskCounts>,
        /// What ECS does not move.
        stuck: Vec<StuckTasks>,
    },
    /// It is DRAINING and no task is left on it but daemons'.
    Drained {
        /// Why it leaves; `None` where it is not known to leave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<DepartureCause>,
        /// Since when it has been seen DRAINING; `None` where the ledger does not tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    /// ECS drains the group's instances itself; Ballast does if ECS has not after a while.
    LeftToManagedDraining {
        /// Why it leaves.
        why: DepartureCause,
    },
    /// The tag says that the agent drains its instance itself; Ballast does if it has not after a while.
    LeftToAgent {
        /// Why it leaves.
        why: DepartureCause,
    },
    /// It leaves and is not registered in the cluster; it is drained as soon as it is.
    NotRegistered {
        /// Why it leaves.
        why: DepartureCause,
    },
    /// It is being registered, and cannot be drained yet.
    Registering {
        /// Why it leaves.
        why: DepartureCause,
    },
    /// EC2 took it, or will have, before this look: draining it moves nothing any more.
    TooLate {
        /// Why it left.
        why: DepartureCause,
        /// When it was to go.
        deadline: Timestamp,
        /// What was still on it, by what ECS says; `None` where its tasks were not read.
        tasks: Option<TaskCounts>,
    },
    /// It is gone: its group, its cluster or EC2 says so.
    Gone {
        /// What shows it, in words.
        shown_by: String,
    },
    /// EC2 recommends to rebalance it, and its owner has not asked for a drain in that case.
    RebalanceNotAsked {
        /// When EC2 said so.
        at: Timestamp,
    },
    /// It may leave, and Ballast lately took back a drain of it: what did not come then is not expected now.
    DrainedBefore {
        /// Why it may leave.
        why: DepartureCause,
        /// When that drain was taken back.
        reversed_at: Timestamp,
    },
    /// Ballast drained it, and somebody else set it to ACTIVE again: it is left to them until the cause is over.
    ActivatedBySomebodyElse {
        /// Why it leaves, or may.
        why: DepartureCause,
        /// When that was seen.
        at: Timestamp,
    },
    /// It may leave, its owner asked for a drain in that case, and its tasks find no room in another pool.
    NoOtherPool {
        /// Why it may leave.
        why: DepartureCause,
        /// What was tried, in words.
        tried: String,
    },
    /// It may leave, its owner asked for a drain in that case, and ECS would not move everything off it: a drain would not end.
    ImmovableTasks {
        /// Why it may leave.
        why: DepartureCause,
        /// What is on it; `None` where its tasks were not read.
        tasks: Option<TaskCounts>,
        /// What ECS would not move.
        immovable: Vec<StuckTasks>,
    },
    /// It may leave, and as many instances drain as the disruption budget allows.
    DisruptionBudgetSpent {
        /// Why it may leave.
        why: DepartureCause,
        /// How many may drain at a time.
        budget: u32,
        /// How many do, or are not healthy.
        spent: u32,
    },
    /// It may leave; what is decided by choice is decided in a look at everything that left no gap, with a memory.
    WaitsForFullLook {
        /// Why it may leave.
        why: DepartureCause,
    },
    /// AWS Health announced maintenance; it is drained shortly before that begins.
    MaintenancePlanned {
        /// AWS's own code.
        code: String,
        /// When it begins.
        starts_at: Timestamp,
    },
    /// Its agent is disconnected. That happens several times an hour in normal operation.
    AgentDisconnected {
        /// Since when it has been seen so.
        since: Timestamp,
    },
    /// Its agent has been disconnected for longer than the grace, and its owner has not asked for a drain in that case: ECS does not
    /// replace its tasks.
    AgentLost {
        /// Since when it has been seen so.
        since: Timestamp,
        /// What is on it; `None` where its tasks were not read.
        tasks: Option<TaskCounts>,
    },
    /// Its group is left alone as a whole: see the group's hold.
    GroupHeld,
    /// It, or its group, does not carry `ballast:instance-drain`.
    NotOptedIn {
        /// Its group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<AutoScalingGroupName>,
        /// The cluster that it is registered in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cluster: Option<ClusterName>,
    },
    /// It is in no group, and registered in no cluster that Ballast looks after.
    NotFound,
    /// An event told that it drains or is gone, and nothing waits for that.
    LeftToSchedule {
        /// Its group.
        group: AutoScalingGroupName,
    },
    /// It could not be found out whose it is.
    Unread {
        /// What failed.
        gap: Gap,
    },

    // Of lifecycle actions.
    /// Tasks are left, and the action is not to be extended yet.
    WaitingForTasks {
        /// What is on the instance; `None` where its tasks were not read.
        tasks: Option<TaskCounts>,
        /// What ECS will not move in time.
        stuck: Vec<StuckTasks>,
        /// When the action times out, at the earliest.
        times_out_at: Timestamp,
        /// Until when Ballast keeps it waiting.
        deadline: Timestamp,
    },
    /// Ballast completed it a moment ago, and the group has not gone on yet.
    Completed {
        /// When.
        at: Timestamp,
    },
    /// The instance waits, and in none of Ballast's hooks: its owner completes it.
    HookOfSomebodyElse {
        /// The group's terminating hooks.
        hooks: Vec<LifecycleHookName>,
    },
    /// The group's hooks could not be read.
    HooksUnread,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands the field over by reference"
)]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl DrainHoldReason {
    /// Of how many services and families a hold says that ECS could not move them.
    pub const IMMOVABLE_MAX: usize = 20;

    /// Every stable name.
    pub const NAMES: [&'static str; 37] = [
        "watching",
        "departing",
        "policy_faults",
        "paused",
        "advice_only",
        "hook_missing",
        "hook_too_short",
        "snapshot_incomplete",
        "staying",
        "draining",
        "drain_stuck",
        "drained",
        "left_to_managed_draining",
        "left_to_agent",
        "not_registered",
        "registering",
        "too_late",
        "gone",
        "rebalance_not_asked",
        "drained_before",
        "activated_by_somebody_else",
        "no_other_pool",
        "immovable_tasks",
        "disruption_budget_spent",
        "waits_for_full_look",
        "maintenance_planned",
        "agent_disconnected",
        "agent_lost",
        "group_held",
        "not_opted_in",
        "not_found",
        "left_to_schedule",
        "unread",
        "waiting_for_tasks",
        "completed",
        "hook_of_somebody_else",
        "hooks_unread",
    ];

    /// A stable name, for metrics and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Watching { .. } => "watching",
            Self::Departing => "departing",
            Self::PolicyFaults { .. } => "policy_faults",
            Self::Paused { .. } => "paused",
            Self::AdviceOnly { .. } => "advice_only",
            Self::HookMissing { .. } => "hook_missing",
            Self::HookTooShort { .. } => "hook_too_short",
            Self::SnapshotIncomplete { .. } => "snapshot_incomplete",
            Self::Staying => "staying",
            Self::Draining { .. } => "draining",
            Self::DrainStuck { .. } => "drain_stuck",
            Self::Drained { .. } => "drained",
            Self::LeftToManagedDraining { .. } => "left_to_managed_draining",
            Self::LeftToAgent { .. } => "left_to_agent",
            Self::NotRegistered { .. } => "not_registered",
            Self::Registering { .. } => "registering",
            Self::TooLate { .. } => "too_late",
            Self::Gone { .. } => "gone",
            Self::RebalanceNotAsked { .. } => "rebalance_not_asked",
            Self::DrainedBefore { .. } => "drained_before",
            Self::ActivatedBySomebodyElse { .. } => "activated_by_somebody_else",
            Self::NoOtherPool { .. } => "no_other_pool",
            Self::ImmovableTasks { .. } => "immovable_tasks",
            Self::DisruptionBudgetSpent { .. } => "disruption_budget_spent",
            Self::WaitsForFullLook { .. } => "waits_for_full_look",
            Self::MaintenancePlanned { .. } => "maintenance_planned",
            Self::AgentDisconnected { .. } => "agent_disconnected",
            Self::AgentLost { .. } => "agent_lost",
            Self::GroupHeld => "group_held",
            Self::NotOptedIn { .. } => "not_opted_in",
            Self::NotFound => "not_found",
            Self::LeftToSchedule { .. } => "left_to_schedule",
            Self::Unread { .. } => "unread",
            Self::WaitingForTasks { .. } => "waiting_for_tasks",
            Self::Completed { .. } => "completed",
            Self::HookOfSomebodyElse { .. } => "hook_of_somebody_else",
            Self::HooksUnread => "hooks_unread",
        }
    }

    /// Whether instances that are opted in are not looked after, or tasks will be cut off, for this reason.
    #[must_use]
    pub const fn leaves_unprotected(&self) -> bool {
        match self {
            Self::PolicyFaults { .. }
            | Self::HookMissing { .. }
            | Self::HookTooShort { .. }
            | Self::SnapshotIncomplete { .. }
            | Self::DrainStuck { .. }
            | Self::TooLate { .. }
            | Self::AgentLost { .. }
            | Self::Unread { .. }
            | Self::HooksUnread => true,
            Self::Draining { stuck, .. } | Self::WaitingForTasks { stuck, .. } => !stuck.is_empty(),
            Self::Watching { .. }
            | Self::Departing
            | Self::Paused { .. }
            | Self::AdviceOnly { .. }
            | Self::Staying
            | Self::Drained { .. }
            | Self::LeftToManagedDraining { .. }
            | Self::LeftToAgent { .. }
            | Self::NotRegistered { .. }
            | Self::Registering { .. }
            | Self::Gone { .. }
            | Self::RebalanceNotAsked { .. }
            | Self::DrainedBefore { .. }
            | Self::ActivatedBySomebodyElse { .. }
            | Self::NoOtherPool { .. }
            | Self::ImmovableTasks { .. }
            | Self::DisruptionBudgetSpent { .. }
            | Self::WaitsForFullLook { .. }
            | Self::MaintenancePlanned { .. }
            | Self::AgentDisconnected { .. }
            | Self::GroupHeld
            | Self::NotOptedIn { .. }
            | Self::NotFound
            | Self::LeftToSchedule { .. }
            | Self::Completed { .. }
            | Self::HookOfSomebodyElse { .. } => false,
        }
    }
}

impl DrainHold {
    /// Whose it is.
    #[must_use]
    pub const fn key(&self) -> &DrainKey {
        self.subject.key()
    }
}

impl fmt::Display for DrainHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject,
            reason,
            numbers,
            until,
        } = self;
        write!(f, "hold {subject} {}: {reason}", reason.as_str())?;
        if let Some(numbers) = numbers {
            write!(f, " ({numbers})")?;
        }
        if let Some(until) = until {
            write!(f, " until {until:.0}")?;
        }
        Ok(())
    }
}
