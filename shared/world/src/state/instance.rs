//! EC2 instances, and the launch templates that they are made from.

use jiff::Timestamp;
use model::strategy::Market;

use super::group::words;
use super::hook::HookWait;
use crate::ec2::InterruptionAction;

/// A launch template, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchTemplate {
    /// `lt-` and seventeen hexadecimal digits.
    pub id: String,
    /// The instance type where a group names none.
    pub instance_type: String,
    /// How a group without a mixed instances policy buys.
    pub market: Market,
    /// Whether the ECS agents of its instances drain them when Spot warns (`ECS_ENABLE_SPOT_INSTANCE_DRAINING` in the user data);
    /// `None` is what [`crate::Config::spot_instance_draining`] says.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/spot-instance-draining-linux-container.html>
    pub spot_instance_draining: Option<bool>,
}

words! {
    /// Where an instance is in its group's life-cycle.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html>
    /// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/warm-pool-instance-lifecycle.html>
    Lifecycle {
        /// It is launched.
        Pending = "Pending",
        /// It waits for the hooks of its launch.
        PendingWait = "Pending:Wait",
        /// The hooks of its launch are over.
        PendingProceed = "Pending:Proceed",
        /// It counts.
        InService = "InService",
        /// It is about to be terminated.
        Terminating = "Terminating",
        /// It waits for the hooks of its termination.
        TerminatingWait = "Terminating:Wait",
        /// The hooks of its termination are over.
        TerminatingProceed = "Terminating:Proceed",
        /// It is gone.
        Terminated = "Terminated",
        /// It is taken out of its group.
        Detaching = "Detaching",
        /// It left its group, and lives on.
        Detached = "Detached",
        /// It is put aside.
        EnteringStandby = "EnteringStandby",
        /// It is put aside.
        Standby = "Standby",
        /// It is launched into the warm pool.
        WarmedPending = "Warmed:Pending",
        /// It is in the warm pool, and stopped.
        WarmedStopped = "Warmed:Stopped",
        /// It is in the warm pool, and runs.
        WarmedRunning = "Warmed:Running",
        /// It is about to be terminated, out of the warm pool.
        WarmedTerminating = "Warmed:Terminating",
        /// It waits for the hooks of its termination, out of the warm pool.
        WarmedTerminatingWait = "Warmed:Terminating:Wait",
        /// The hooks of its termination are over.
        WarmedTerminatingProceed = "Warmed:Terminating:Proceed",
    }
}

impl Lifecycle {
    /// On its way into service.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(
            self,
            Self::Pending | Self::PendingWait | Self::PendingProceed
        )
    }

    /// On its way out, or gone.
    #[must_use]
    pub const fn is_terminating(self) -> bool {
        matches!(
            self,
            Self::Terminating
                | Self::TerminatingWait
                | Self::TerminatingProceed
                | Self::Terminated
                | Self::WarmedTerminating
                | Self::WarmedTerminatingWait
                | Self::WarmedTerminatingProceed
        )
    }

    /// In the warm pool of its group, until it is gone.
    #[must_use]
    pub const fn is_warmed(self) -> bool {
        matches!(
            self,
            Self::WarmedPending
                | Self::WarmedStopped
                | Self::WarmedRunning
                | Self::WarmedTerminating
                | Self::WarmedTerminatingWait
                | Self::WarmedTerminatingProceed
        )
    }

    /// Counted against the group's desired capacity: on its way in, or in service.
    #[must_use]
    pub const fn counts(self) -> bool {
        self.is_pending() || matches!(self, Self::InService)
    }
}

words! {
    /// The state of the machine itself.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>
    MachineState {
        /// It is made.
        Pending = "pending",
        /// It runs, and is billed.
        Running = "running",
        /// It is about to be stopped.
        Stopping = "stopping",
        /// It is off, and can be started again.
        Stopped = "stopped",
        /// It is about to be gone.
        ShuttingDown = "shutting-down",
        /// It is gone.
        Terminated = "terminated",
    }
}

impl MachineState {
    /// Gone, or about to be.
    #[must_use]
    pub const fn is_ending(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }

    /// Stopped, or about to be.
    #[must_use]
    pub const fn is_off(self) -> bool {
        matches!(self, Self::Stopping | Self::Stopped)
    }
}

/// An EC2 instance of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `i-` and seventeen hexadecimal digits.
    pub id: String,
    /// The name of its group; it stays after the instance left the group.
    pub group: String,
    /// Such as `m5.large`.
    pub instance_type: String,
    /// Its zone.
    pub zone: String,
    /// How it is bought.
    pub market: Market,
    /// The launch template's name.
    pub template: String,
    /// Where it is in its group's life-cycle.
    pub lifecycle_state: Lifecycle,
    /// The state of the machine itself.
    pub state: MachineState,
    /// Whether its group takes it for healthy.
    pub healthy: bool,
    /// Whether its group may not choose it for a scale-in.
    pub protected_from_scale_in: bool,
    /// How much capacity it is.
    pub weight: u32,
    /// Whether the group names a weight, and shows it.
    pub weighted: bool,
    /// When its launch began.
    pub launched_at: Timestamp,
    /// When the machine ran.
    pub running_at: Option<Timestamp>,
    /// When what runs on it, such as the ECS agent, was up.
    pub booted_at: Option<Timestamp>,
    /// When it came into service.
    pub in_service_at: Option<Timestamp>,
    /// When it began to shut down: its bill ends here.
    pub ended_at: Option<Timestamp>,
    /// When it was last stopped, until it is started again.
    pub stopped_at: Option<Timestamp>,
    /// When EC2 takes it, once it has been warned.
    pub interrupted_at: Option<Timestamp>,
    /// When Spot first recommended to replace it.
    pub rebalance_recommended_at: Option<Timestamp>,
    /// Its tags, as its group propagated them.
    pub tags: std::collections::BTreeMap<String, String>,
    /// The hooks that it waits for.
    pub(crate) waits: Vec<HookWait>,
    /// The id of the activity that it is subject of.
    pub(crate) activity: String,
    /// Whether EC2 takes it back, warned or not yet, and what becomes of it then.
    pub(crate) reclaim: Option<InterruptionAction>,
    /// How often it was started again.
    pub(crate) starts: u64,
    /// Counts the steps of its life; a step that was planned for an older count does not happen.
    pub(crate) step: u64,
}

impl Instance {
    /// Whether the machine is there and to stay: not shut down, and not told to be.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.state, MachineState::Pending | MachineState::Running)
            && !self.lifecycle_state.is_terminating()
    }
}
