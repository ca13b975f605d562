//! Holds: what is left alone, and why.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{CapacityProviderName, ServiceKey, ServiceName, TaskDefinitionArn};
use crate::plan::Counts;
use crate::settings::SettingFault;
use crate::snapshot::{Gap, PrimaryFault};
use crate::units::Seconds;

/// Something that is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The service that was looked at: the primary of a pair, or a service that is in none.
    pub subject: ServiceKey,
    /// Why, with the numbers.
    pub reason: HoldReason,
    /// When the reason ends by itself, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Which service of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The primary.
    Primary,
    /// The standby.
    Standby,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
        })
    }
}

/// Why something is left alone. Every variant has a line in `docs/runbook.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum HoldReason {
    // At rest.
    /// Nothing is missing and nothing is lent.
    AtRest {
        /// The numbers.
        counts: Counts,
    },
    /// Nothing is missing, but not everything is ready: what is not ready is on its way.
    Starting {
        /// The numbers.
        counts: Counts,
    },
    /// The standby covers exactly what is missing.
    Covered {
        /// The numbers.
        counts: Counts,
    },
    /// The standby was raised far enough, and not all of its tasks are ready: they start, or on-demand capacity is short too.
    Covering {
        /// The numbers.
        counts: Counts,
    },

    // Waiting; `until` says for how long.
    /// Only interrupted tasks are missing, and they still serve: raising now would gain nothing.
    WaitingForDeadline {
        /// The numbers.
        counts: Counts,
        /// When the first interrupted task ends.
        first_deadline: Timestamp,
        /// How long a task of this pair takes to start.
        #[serde(rename = "start_up_secs")]
        start_up: Seconds,
    },
    /// Only tasks on Spot instances that drain are missing, and they still serve: ECS may yet replace them, as it does where the drain is
    /// for scale-in.
    WaitingForReplacements {
        /// The numbers.
        counts: Counts,
        /// How many tasks are on Spot instances that drain and are not replaced.
        draining: u32,
    },
    /// The deficit has no evidence of a Spot shortage and has not lasted long enough.
    WaitingToSettle {
        /// The numbers.
        counts: Counts,
        /// The settle time.
        #[serde(rename = "settle_secs")]
        settle: Seconds,
    },
    /// Standby tasks may be unneeded, but not yet for the whole hold-down.
    WaitingForHoldDown {
        /// The numbers.
        counts: Counts,
        /// The most standby tasks that were needed within the hold-down, as far as it was watched.
        needed_max: u32,
        /// Since when the pair has been watched without a break. What was needed before that is not known.
        watched_since: Option<Timestamp>,
        /// The hold-down.
        #[serde(rename = "hold_down_secs")]
        hold_down: Seconds,
    },
    /// Ballast's own last write does not show in what AWS answers yet.
    OwnWriteNotVisible {
        /// The desired count found.
        found: u32,
        /// The desired count written.
        wrote: u32,
    },

    // Limits.
    /// The standby is at its cap, and more is missing.
    AtCap {
        /// The numbers.
        counts: Counts,
        /// The cap, in tasks.
        cap: u32,
    },
    /// Standby tasks are unneeded, but lowering the desired count now could stop ready tasks that are needed.
    NothingToSpare {
        /// The numbers.
        counts: Counts,
    },
    /// Standby tasks are unneeded, but an earlier give-back was written a moment ago, or ECS still stops tasks for it: which ones are
    /// left is not known.
    StandbySettling {
        /// The numbers.
        counts: Counts,
        /// The standby's tasks that are not told to stop yet.
        to_run: u32,
    },
    /// Standby tasks are unneeded, but a deployment runs.
    DeploymentRunning {
        /// The numbers.
        counts: Counts,
        /// Whose deployment.
        role: Role,
    },
    /// Not everything could be observed: nothing is given back, and only what is missing for certain is covered.
    SnapshotIncomplete {
        /// The numbers; tasks that could not be read are not counted as missing.
        counts: Counts,
        /// What is missing.
        gaps: Vec<Gap>,
    },
    /// What was remembered could not be read: nothing is given back, and a deficit without evidence cannot be seen to last.
    MemoryUnavailable {
        /// The numbers.
        counts: Counts,
    },

    // Refusals.
    /// `ballast:paused` is `true`.
    Paused,
    /// The primary's tags cannot be used.
    SettingsUnusable {
        /// Every fault.
        faults: Vec<SettingFault>,
    },
    /// The primary is not ACTIVE.
    PrimaryNotActive {
        /// Its status.
        status: String,
    },
    /// The primary, or the standby, is a DAEMON service: it has no desired count.
    Daemon {
        /// Which of the two.
        role: Role,
    },
    /// The primary, or the standby, is deployed by CodeDeploy or by an external controller.
    ForeignController {
        /// Which of the two.
        role: Role,
        /// Its controller.
        controller: String,
    },
    /// The standby that the tag names does not exist.
    StandbyMissing {
        /// Its name.
        standby: ServiceName,
    },
    /// The standby could not be read.
    StandbyUnread {
        /// What failed.
        gaps: Vec<Gap>,
    },
    /// The standby is not ACTIVE.
    StandbyNotActive {
        /// Its status.
        status: String,
    },
    /// The standby does not carry `ballast:standby-of` with the primary's name.
    StandbyNotTagged {
        /// What the tag says instead, if it is there.
        found: Option<String>,
    },
    /// The standby is the primary itself, or is a primary too.
    StandbyIsPrimary,
    /// The standby may place tasks on Spot itself.
    StandbyOnSpot {
        /// The provider.
        provider: CapacityProviderName,
    },
    /// The standby runs another task definition.
    TaskDefinitionDiffers {
        /// The primary's.
        primary: TaskDefinitionArn,
        /// The standby's.
        standby: TaskDefinitionArn,
    },
    /// Application Auto Scaling scales the standby.
    StandbyScaledByApplicationAutoScaling,
    /// Somebody else changed the standby's desired count after Ballast wrote it.
    ForeignEdit {
        /// The desired count found.
        found: u32,
        /// The desired count that Ballast had written.
        wrote: u32,
        /// When it was noticed.
        noticed_at: Timestamp,
    },

    // Not in a pair.
    /// The service carries none of Ballast's tags.
    NotOptedIn,
    /// AWS says that the service does not exist.
    NotFound,
    /// The service could not be read.
    Unread {
        /// What failed.
        gap: Gap,
    },
    /// The service carries `ballast:standby-of`, and the primary named there does not make it its standby.
    StandbyWithoutPrimary {
        /// What its tag says.
        primary: String,
        /// What is wrong with that primary.
        fault: PrimaryFault,
    },
}

impl HoldReason {
    /// A stable name, for metrics, records and the runbook.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::AtRest { .. } => "at_rest",
            Self::Starting { .. } => "starting",
            Self::Covered { .. } => "covered",
            Self::Covering { .. } => "covering",
            Self::WaitingForDeadline { .. } => "waiting_for_deadline",
            Self::WaitingForReplacements { .. } => "waiting_for_replacements",
            Self::WaitingToSettle { .. } => "waiting_to_settle",
            Self::WaitingForHoldDown { .. } => "waiting_for_hold_down",
            Self::OwnWriteNotVisible { .. } => "own_write_not_visible",
            Self::AtCap { .. } => "at_cap",
            Self::NothingToSpare { .. } => "nothing_to_spare",
            Self::StandbySettling { .. } => "standby_settling",
            Self::DeploymentRunning { .. } => "deployment_running",
            Self::SnapshotIncomplete { .. } => "snapshot_incomplete",
            Self::MemoryUnavailable { .. } => "memory_unavailable",
            Self::Paused => "paused",
            Self::SettingsUnusable { .. } => "settings_unusable",
            Self::PrimaryNotActive { .. } => "primary_not_active",
            Self::Daemon { .. } => "daemon",
            Self::ForeignController { .. } => "foreign_controller",
            Self::StandbyMissing { .. } => "standby_missing",
            Self::StandbyUnread { .. } => "standby_unread",
            Self::StandbyNotActive { .. } => "standby_not_active",
            Self::StandbyNotTagged { .. } => "standby_not_tagged",
            Self::StandbyIsPrimary => "standby_is_primary",
            Self::StandbyOnSpot { .. } => "standby_on_spot",
            Self::TaskDefinitionDiffers { .. } => "task_definition_differs",
            Self::StandbyScaledByApplicationAutoScaling => {
                "standby_scaled_by_application_auto_scaling"
            }
            Self::ForeignEdit { .. } => "foreign_edit",
            Self::NotOptedIn => "not_opted_in",
            Self::NotFound => "not_found",
            Self::Unread { .. } => "unread",
            Self::StandbyWithoutPrimary { .. } => "standby_without_primary",
        }
    }

    /// Whether a pair that asked for protection has none, or not enough, for this reason: refusals, and the cap. A paused pair has what
    /// its owner wanted.
    #[must_use]
    pub const fn leaves_unprotected(&self) -> bool {
        match self {
            Self::AtCap { .. }
            | Self::SettingsUnusable { .. }
            | Self::PrimaryNotActive { .. }
            | Self::Daemon { .. }
            | Self::ForeignController { .. }
            | Self::StandbyMissing { .. }
            | Self::StandbyUnread { .. }
            | Self::StandbyNotActive { .. }
            | Self::StandbyNotTagged { .. }
            | Self::StandbyIsPrimary
            | Self::StandbyOnSpot { .. }
            | Self::TaskDefinitionDiffers { .. }
            | Self::StandbyScaledByApplicationAutoScaling
            | Self::ForeignEdit { .. }
            | Self::StandbyWithoutPrimary { .. } => true,
            Self::AtRest { .. }
            | Self::Starting { .. }
            | Self::Covered { .. }
            | Self::Covering { .. }
            | Self::WaitingForDeadline { .. }
            | Self::WaitingForReplacements { .. }
            | Self::WaitingToSettle { .. }
            | Self::WaitingForHoldDown { .. }
            | Self::OwnWriteNotVisible { .. }
            | Self::NothingToSpare { .. }
            | Self::StandbySettling { .. }
            | Self::DeploymentRunning { .. }
            | Self::SnapshotIncomplete { .. }
            | Self::MemoryUnavailable { .. }
            | Self::Paused
            | Self::NotOptedIn
            | Self::NotFound
            | Self::Unread { .. } => false,
        }
    }

    /// Every name that [`Self::as_str`] gives, in the order of the runbook.
    pub const NAMES: [&'static str; 33] = [
        "at_rest",
        "starting",
        "covered",
        "covering",
        "waiting_for_deadline",
        "waiting_for_replacements",
        "waiting_to_settle",
        "waiting_for_hold_down",
        "own_write_not_visible",
        "at_cap",
        "nothing_to_spare",
        "standby_settling",
        "deployment_running",
        "snapshot_incomplete",
        "memory_unavailable",
        "paused",
        "settings_unusable",
        "primary_not_active",
        "daemon",
        "foreign_controller",
        "standby_missing",
        "standby_unread",
        "standby_not_active",
        "standby_not_tagged",
        "standby_is_primary",
        "standby_on_spot",
        "task_definition_differs",
        "standby_scaled_by_application_auto_scaling",
        "foreign_edit",
        "not_opted_in",
        "not_found",
        "unread",
        "standby_without_primary",
    ];
}
