//! Plans for departures: what to do with an instance that is going away, and why.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::drain::cause::DepartureCause;
use crate::drain::hold::DrainHold;
use crate::drain::key::{DrainKey, DrainSubject};
use crate::drain::numbers::TaskCounts;
use crate::drain::stuck::{StuckReason, StuckTasks};
use crate::ids::{
    AutoScalingGroupName, ClusterName, ContainerInstanceArn, InstanceId, LifecycleHookName, TaskArn,
};
use crate::plan::Plan;
use crate::units::Seconds;

/// What was decided about departures.
pub type DrainPlan = Plan<DrainStep, DrainHold>;

/// One change, complete: nothing is left to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainStep {
    /// What it is about.
    #[serde(flatten)]
    pub subject: DrainSubject,
    /// What to do.
    pub action: DrainAction,
    /// Why, with the numbers.
    pub reason: DrainStepReason,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum DrainAction {
    /// Set an ACTIVE container instance to DRAINING, if it still is ACTIVE. One that is DRAINING, or gone, needs nothing.
    Drain {
        /// The cluster.
        cluster: ClusterName,
        /// The container instance.
        container_instance: ContainerInstanceArn,
        /// Its EC2 instance.
        instance: InstanceId,
    },
    /// Set a DRAINING container instance to ACTIVE again, if it still is DRAINING.
    Activate {
        /// The cluster.
        cluster: ClusterName,
        /// The container instance.
        container_instance: ContainerInstanceArn,
        /// Its EC2 instance.
        instance: InstanceId,
    },
    /// Stop a task, if it still is on the instance and is to run.
    StopTask {
        /// The cluster.
        cluster: ClusterName,
        /// The task.
        task: TaskArn,
        /// The container instance that it is on.
        container_instance: ContainerInstanceArn,
        /// Its EC2 instance.
        instance: InstanceId,
    },
    /// Keep an instance's lifecycle action waiting.
    RecordHeartbeat {
        /// The group.
        group: AutoScalingGroupName,
        /// The hook.
        hook: LifecycleHookName,
        /// The instance.
        instance: InstanceId,
    },
    /// Complete an instance's lifecycle action with `CONTINUE`. An action that is over needs nothing.
    CompleteLifecycleAction {
        /// The group.
        group: AutoScalingGroupName,
        /// The hook.
        hook: LifecycleHookName,
        /// The instance.
        instance: InstanceId,
        /// Where the instance is registered, if tasks were seen to be gone from it: no task but daemons' must be on it at the moment
        /// of writing. `None` where the action is completed whatever runs there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        empty: Option<(ClusterName, ContainerInstanceArn)>,
    },
}

/// Where the tasks of an instance that is drained by choice find room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "room", rename_all = "snake_case")]
pub enum PoolRoom {
    /// On ACTIVE instances of other pools, proved task by task.
    Free {
        /// How many of its tasks were placed.
        tasks: u32,
    },
    /// The group may launch from other pools, none of which has failed lately, is below its maximum, and is raised for tasks that wait; and
    /// ECS stops none of the tasks before their replacements run.
    Launchable {
        /// How many pools.
        pools: u32,
        /// How many instances the group is below its maximum, less those that what leaves or drains already waits for, this one included.
        below_max: u32,
        /// Who raises its desired capacity.
        raised_by: GroupRaiser,
    },
}

/// Who raises a group's desired capacity for tasks that find no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupRaiser {
    /// cluster-scaler: the group's tag `ballast:cluster-scaler` is `act`.
    ClusterScaler,
    /// ECS: managed scaling of a capacity provider over the group is ENABLED.
    ManagedScaling,
}

/// Why a step is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum DrainStepReason {
    /// The instance is going away.
    Leaving {
        /// Why.
        why: DepartureCause,
        /// When it goes, where that is known.
        deadline: Option<Timestamp>,
        /// What is on it; `None` where its tasks were not read.
        tasks: Option<TaskCounts>,
        /// What ECS will not move in time.
        stuck: Vec<StuckTasks>,
        /// Where it goes only later, and is drained as the disruption budget allows (planned maintenance): how many instances that still
        /// allows to drain, this one included.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        budget_left: Option<u32>,
    },
    /// The instance may go away, its owner asked for a drain in that case, and its tasks find room in another pool.
    Selective {
        /// Why.
        why: DepartureCause,
        /// Where its tasks find room.
        room: PoolRoom,
        /// How many instances the disruption budget still allows to drain, this one included.
        budget_left: u32,
        /// What is on it; `None` where its tasks were not read.
        tasks: Option<TaskCounts>,
    },
    /// Ballast drained it, what for is gone, and the instance stays.
    CauseGone {
        /// When it was drained.
        drained_at: Timestamp,
        /// For what.
        cause: crate::drain::cause::CauseKind,
        /// What shows that it stays, in words.
        shown_by: String,
    },
    /// The task would not be stopped in time by anybody else.
    LastMoment {
        /// `service/<name>`, or `family/<name>`.
        whose: String,
        /// Why nobody else stops it.
        why: StuckReason,
        /// When the instance goes.
        deadline: Timestamp,
        /// Its stop timeout.
        #[serde(rename = "stop_timeout_secs")]
        stop_timeout: Seconds,
        /// When Ballast looks the next time at the latest: then it would be too late.
        next_look_at: Timestamp,
    },
    /// Tasks are left, and the action would time out.
    TasksLeft {
        /// What is on it; `None` where its tasks were not read.
        tasks: Option<TaskCounts>,
        /// What ECS will not move in time.
        stuck: Vec<StuckTasks>,
        /// When the action times out without the heartbeat, at the earliest.
        times_out_at: Timestamp,
        /// Until when Ballast keeps it waiting.
        deadline: Timestamp,
    },
    /// No task but daemons' is left.
    Drained {
        /// Since when the group has been terminating it.
        since: Timestamp,
        /// Daemons' tasks.
        daemon_tasks: u32,
    },
    /// Tasks are left, and the longest wait is over.
    DeadlineReached {
        /// The deadline.
        deadline: Timestamp,
        /// What is on it; `None` where its tasks were not read.
        tasks: Option<TaskCounts>,
        /// What ECS did not move.
        stuck: Vec<StuckTasks>,
    },
    /// The instance is registered in no cluster: it has no task to wait for, or it is gone already.
    NothingToWaitFor {
        /// What shows it, in words.
        shown_by: String,
    },
}

impl DrainStepReason {
    /// Every stable name.
    pub const NAMES: [&'static str; 8] = [
        "leaving",
        "selective",
        "cause_gone",
        "last_moment",
        "tasks_left",
        "drained",
        "deadline_reached",
        "nothing_to_wait_for",
    ];

    /// A stable name, for metrics and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Leaving { .. } => "leaving",
            Self::Selective { .. } => "selective",
            Self::CauseGone { .. } => "cause_gone",
            Self::LastMoment { .. } => "last_moment",
            Self::TasksLeft { .. } => "tasks_left",
            Self::Drained { .. } => "drained",
            Self::DeadlineReached { .. } => "deadline_reached",
            Self::NothingToWaitFor { .. } => "nothing_to_wait_for",
        }
    }
}

impl DrainStep {
    /// Whose instance it is.
    #[must_use]
    pub const fn key(&self) -> &DrainKey {
        self.subject.key()
    }

    /// Whether it is taken only where the ledger has announced it: what takes a drain back, what is done by choice, and what keeps to the
    /// disruption budget. An instance that leaves shortly is drained, waited for and finished whatever is remembered: doing that twice
    /// changes nothing.
    #[must_use]
    pub const fn needs_ledger(&self) -> bool {
        match (&self.action, &self.reason) {
            (DrainAction::Activate { .. }, _) => true,
            (
                DrainAction::Drain { .. },
                DrainStepReason::Selective { .. }
                | DrainStepReason::Leaving {
                    budget_left: Some(_),
                    ..
                },
            ) => true,
            (
                DrainAction::Drain { .. }
                | DrainAction::StopTask { .. }
                | DrainAction::RecordHeartbeat { .. }
                | DrainAction::CompleteLifecycleAction { .. },
                _,
            ) => false,
        }
    }
}
