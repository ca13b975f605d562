//! Holds of target tracking: services whose desired count is left as it is, and why.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AutoScalingGroupName, CapacityProviderName};
use crate::plan::Role;
use crate::settings::SettingFault;
use crate::snapshot::Gap;
use crate::tracking::bounds::BoundsInForce;
use crate::tracking::key::TrackingKey;
use crate::tracking::memory::Turn;
use crate::tracking::numbers::TrackingNumbers;
use crate::tracking::readings::Unfollowed;
use crate::tracking::target::TargetName;
use crate::units::Seconds;

/// A service whose desired count is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackingHold {
    /// The service that was looked at.
    pub subject: TrackingKey,
    /// Why, with what is particular to it.
    pub reason: TrackingHoldReason,
    /// The numbers of the service, where it was read and is opted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<TrackingNumbers>,
    /// When the reason ends by itself, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Why a desired count is left as it is. Every variant has a line in `docs/runbook.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum TrackingHoldReason {
    // At rest.
    /// The load needs as many tasks as are asked for, or so nearly that the tolerance covers the difference; or its forecast does.
    OnTarget {
        /// The tasks that the forecast needs, where the load now needs fewer than are asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forecast: Option<u32>,
    },
    /// The load needs fewer, and no fewer are allowed now; or none is allowed at all, and none is asked for.
    AtMinimum {
        /// The bounds.
        bounds: BoundsInForce,
    },

    // Waiting; `until` says for how long.
    /// Fewer tasks are needed, but not for the whole window yet.
    WaitingForWindow {
        /// The most that were needed within the window.
        needed_max: u32,
        /// The window.
        #[serde(rename = "window_secs")]
        window: Seconds,
    },
    /// Fewer tasks are needed now, but by the peak that the forecast starts from more will be.
    WaitingForPeak {
        /// What will be needed by the period of that peak which is in the way the longest.
        forecast: u32,
        /// The load of that period, every task that ran counted, in thousandths of a task.
        peak_milli_tasks: i64,
        /// When it began.
        peak_at: Timestamp,
        /// How far back the forecast looks for its peak.
        #[serde(rename = "forecast_peak_secs")]
        forecast_peak: Seconds,
    },
    /// Fewer tasks are needed now, but not every period of the window has a value, so that the most that was needed is not known.
    WindowIncomplete {
        /// The targets whose values are missing.
        targets: Vec<TargetName>,
        /// The window.
        #[serde(rename = "window_secs")]
        window: Seconds,
        /// How many of their values are no usable numbers.
        unusable: u32,
        /// How often there is to be a value, where that is more often than once a minute.
        #[serde(
            default,
            rename = "metric_resolution_secs",
            skip_serializing_if = "Option::is_none"
        )]
        resolution: Option<Seconds>,
    },
    /// The load needs more, and the last step, which went as far as one may, was a moment ago.
    WaitingToRaise {
        /// How many it needs.
        needed: u32,
    },
    /// The desired count would change its direction, and the last change was a short while ago.
    WaitingToTurn {
        /// The last change.
        turn: Turn,
        /// How long it keeps its direction at least.
        #[serde(rename = "turn_hold_secs")]
        turn_hold: Seconds,
    },
    /// Fewer tasks are needed, but tasks are on their way: what they take of the load is not known.
    TasksStarting,
    /// Ballast's own last write does not show in what AWS answers yet.
    OwnWriteNotVisible {
        /// The desired count found.
        found: u32,
        /// The desired count written.
        wrote: u32,
    },

    // Limits.
    /// The load needs more, and no more are allowed now.
    AtMaximum {
        /// How many it needs.
        needed: u32,
        /// The bounds.
        bounds: BoundsInForce,
    },
    /// The load needs more, and tasks that were asked for before have not been placed for long: asking for more places none.
    NowhereToPlace {
        /// How many it needs.
        needed: u32,
        /// How many tasks are missing.
        missing: u32,
        /// Since when.
        since: Timestamp,
        /// What is known of the reason.
        limits: Vec<PlacementLimit>,
    },
    /// Fewer are needed, but not even those run: tasks that cannot keep up may show less load than there is.
    NothingToSpare {
        /// How many it showed to need within the window.
        needed: u32,
    },

    // Vetoes.
    /// Fewer are needed, but a deployment runs.
    DeploymentRunning {
        /// Whose.
        service: Role,
    },
    /// Fewer are needed, but something about the service was not read.
    SnapshotIncomplete {
        /// What.
        gaps: Vec<Gap>,
    },
    /// The ledger did not answer: nothing is lowered, and a service at 0 is not raised, since it is not known who set it so.
    MemoryUnknown,
    /// No target has a value that is new enough.
    NoData {
        /// The targets.
        targets: Vec<TargetName>,
        /// Whether the desired count is the least that is allowed and every target measures the whole fleet, such as the length of a queue,
        /// which has no value while nobody uses it.
        #[serde(default, skip_serializing_if = "is_false")]
        may_be_idle: bool,
    },
    /// The targets that are known need fewer, but others have no value that is new enough.
    TargetsUnknown {
        /// Those others.
        targets: Vec<TargetName>,
    },
    /// Targets lead to no metric of this service, and the others need no more tasks.
    Unfollowed {
        /// They, with the reason of each.
        targets: Vec<Unfollowed>,
    },
    /// Fewer are needed, or allowed, but somebody else set the desired count a while ago.
    ForeignChange {
        /// The desired count found.
        found: u32,
        /// The desired count that Ballast had written.
        wrote: u32,
    },
    /// Somebody else set the desired count to 0: the service stays off until somebody sets it to something else.
    SwitchedOff {
        /// How many tasks its load needs now, where that is known and there is any. What a forecast adds is among the numbers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        needed: Option<u32>,
    },

    // Not looked after.
    /// Ballast only says what it would do.
    AdviceOnly {
        /// Why.
        why: AdviceReason,
        /// What it would do, or why it would do nothing: the line of the step or of the hold.
        would: String,
    },
    /// Its tag `ballast:paused` is `true`.
    Paused,
    /// Its tags cannot be used.
    PolicyFaults {
        /// Each fault.
        faults: Vec<SettingFault>,
    },
    /// It is the standby of another service, whose desired count is spot-fallback's.
    IsStandby,
    /// It runs one task on each instance: it has no desired count to set.
    IsDaemon,
    /// It is being deleted, or was.
    NotActive {
        /// Its status.
        status: String,
    },
    /// It does not carry the tag `ballast:service-scaler`.
    NotOptedIn,
    /// AWS says that it does not exist.
    NotFound,
    /// It could not be read, so that it is not known whether it is opted in.
    Unread {
        /// What failed.
        gap: Gap,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_false(it: &bool) -> bool {
    !*it
}

/// Why Ballast only says what it would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdviceReason {
    /// The service's tag says `advise`.
    Tag,
    /// Application Auto Scaling scales the service; or did by its last answer, and does not answer now.
    ApplicationAutoScaling,
    /// Application Auto Scaling does not answer, and it is not remembered that it does not scale the service.
    ScalableTargetsUnknown,
}

/// What is known of why tasks are not placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "limit", rename_all = "snake_case")]
pub enum PlacementLimit {
    /// ECS says that no container instance had room.
    NoInstanceHasRoom {
        /// When it said so last.
        at: Timestamp,
    },
    /// The group under a provider is as large as it may be.
    GroupAtMaximum {
        /// The provider.
        provider: CapacityProviderName,
        /// The group.
        group: AutoScalingGroupName,
        /// Its maximum size.
        max_size: u32,
    },
    /// The service is on Spot capacity alone, and no standby stands in for all that is missing.
    SpotOnly {
        /// The providers.
        providers: Vec<CapacityProviderName>,
        /// How many standby tasks run.
        standby_running: u32,
    },
}

impl TrackingHoldReason {
    /// Every name, in the order of the variants.
    pub const NAMES: [&'static str; 29] = [
        "on_target",
        "at_minimum",
        "waiting_for_window",
        "waiting_for_peak",
        "window_incomplete",
        "waiting_to_raise",
        "waiting_to_turn",
        "tasks_starting",
        "own_write_not_visible",
        "at_maximum",
        "nowhere_to_place",
        "nothing_to_spare",
        "deployment_running",
        "snapshot_incomplete",
        "memory_unknown",
        "no_data",
        "targets_unknown",
        "unfollowed",
        "foreign_change",
        "switched_off",
        "advice_only",
        "paused",
        "policy_faults",
        "is_standby",
        "is_daemon",
        "not_active",
        "not_opted_in",
        "not_found",
        "unread",
    ];

    /// A stable name, for metrics and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::OnTarget { .. } => "on_target",
            Self::AtMinimum { .. } => "at_minimum",
            Self::WaitingForWindow { .. } => "waiting_for_window",
            Self::WaitingForPeak { .. } => "waiting_for_peak",
            Self::WindowIncomplete { .. } => "window_incomplete",
            Self::WaitingToRaise { .. } => "waiting_to_raise",
            Self::WaitingToTurn { .. } => "waiting_to_turn",
            Self::TasksStarting => "tasks_starting",
            Self::OwnWriteNotVisible { .. } => "own_write_not_visible",
            Self::AtMaximum { .. } => "at_maximum",
            Self::NowhereToPlace { .. } => "nowhere_to_place",
            Self::NothingToSpare { .. } => "nothing_to_spare",
            Self::DeploymentRunning { .. } => "deployment_running",
            Self::SnapshotIncomplete { .. } => "snapshot_incomplete",
            Self::MemoryUnknown => "memory_unknown",
            Self::NoData { .. } => "no_data",
            Self::TargetsUnknown { .. } => "targets_unknown",
            Self::Unfollowed { .. } => "unfollowed",
            Self::ForeignChange { .. } => "foreign_change",
            Self::SwitchedOff { .. } => "switched_off",
            Self::AdviceOnly { .. } => "advice_only",
            Self::Paused => "paused",
            Self::PolicyFaults { .. } => "policy_faults",
            Self::IsStandby => "is_standby",
            Self::IsDaemon => "is_daemon",
            Self::NotActive { .. } => "not_active",
            Self::NotOptedIn => "not_opted_in",
            Self::NotFound => "not_found",
            Self::Unread { .. } => "unread",
        }
    }

    /// Whether a service that asked to be tracked is not, or has not the tasks that its load needs, for this reason.
    #[must_use]
    pub const fn leaves_unprotected(&self) -> bool {
        match self {
            Self::AtMaximum { .. }
            | Self::NowhereToPlace { .. }
            | Self::SnapshotIncomplete { .. }
            | Self::NoData {
                may_be_idle: false, ..
            }
            | Self::TargetsUnknown { .. }
            | Self::Unfollowed { .. }
            | Self::PolicyFaults { .. }
            | Self::IsStandby
            | Self::IsDaemon
            | Self::AdviceOnly {
                why: AdviceReason::ScalableTargetsUnknown,
                ..
            }
            | Self::Unread { .. } => true,
            Self::OnTarget { .. }
            | Self::AtMinimum { .. }
            | Self::WaitingForWindow { .. }
            | Self::WaitingForPeak { .. }
            | Self::WindowIncomplete { .. }
            | Self::WaitingToRaise { .. }
            | Self::WaitingToTurn { .. }
            | Self::TasksStarting
            | Self::OwnWriteNotVisible { .. }
            | Self::NothingToSpare { .. }
            | Self::DeploymentRunning { .. }
            | Self::MemoryUnknown
            | Self::NoData {
                may_be_idle: true, ..
            }
            | Self::ForeignChange { .. }
            | Self::SwitchedOff { .. }
            | Self::AdviceOnly {
                why: AdviceReason::Tag | AdviceReason::ApplicationAutoScaling,
                ..
            }
            | Self::Paused
            | Self::NotActive { .. }
            | Self::NotOptedIn
            | Self::NotFound => false,
        }
    }
}
