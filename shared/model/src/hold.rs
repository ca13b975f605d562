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

    /// The names of the reasons for which a pair that asked for protection has none, or not enough: refusals, and the cap. A paused
    /// pair has what its owner wanted.
    pub const UNPROTECTED: [&'static str; 15] = [
        "at_cap",
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
        "standby_without_primary",
    ];

    /// Every name that [`Self::as_str`] gives, in the order of the runbook.
    pub const NAMES: [&'static str; 32] = [
        "at_rest",
        "starting",
        "covered",
        "covering",
        "waiting_for_deadline",
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

impl fmt::Display for HoldReason {
    #[expect(
        clippy::too_many_lines,
        reason = "one text for each reason, in one list"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtRest { counts } => {
                write!(f, "nothing is missing and nothing is lent ({counts})")
            }
            Self::Starting { counts } => write!(f, "what is missing is on its way ({counts})"),
            Self::Covering { counts } => write!(
                f,
                "the standby was raised far enough; {} of its tasks are not ready yet ({counts})",
                counts.standby_desired.saturating_sub(counts.standby_ready)
            ),
            Self::Covered { counts } => write!(f, "the standby covers what is missing ({counts})"),
            Self::WaitingForDeadline {
                counts,
                first_deadline,
                start_up,
            } => write!(
                f,
                "interrupted tasks serve until {first_deadline:.0} and a task starts in {start_up}: raising now gains nothing ({counts})"
            ),
            Self::WaitingToSettle { counts, settle } => write!(
                f,
                "a deficit without sign of a Spot shortage must last {settle} ({counts})"
            ),
            Self::WaitingForHoldDown {
                counts,
                needed_max,
                watched_since,
                hold_down,
            } => {
                let rule = "standby tasks are given back once unneeded for";
                write!(f, "{rule} {hold_down} without a break; ")?;
                match watched_since {
                    Some(since) if *needed_max < counts.standby_desired => {
                        write!(
                            f,
                            "the pair has been watched only since {since:.0}, and up to {needed_max} were needed ({counts})"
                        )
                    }
                    _ => write!(f, "lately up to {needed_max} were needed ({counts})"),
                }
            }
            Self::OwnWriteNotVisible { found, wrote } => write!(
                f,
                "the standby's desired count was set to {wrote} a moment ago and still reads {found}"
            ),
            Self::AtCap { counts, cap } => {
                write!(f, "the standby is at its cap of {cap} ({counts})")
            }
            Self::NothingToSpare { counts } => write!(
                f,
                "lowering the standby now could stop ready tasks that are needed ({counts})"
            ),
            Self::StandbySettling { counts, to_run } => write!(
                f,
                "an earlier give-back settles: {to_run} standby tasks are not told to stop ({counts})"
            ),
            Self::DeploymentRunning { counts, role } => {
                write!(f, "a deployment of the {role} is running ({counts})")
            }
            Self::SnapshotIncomplete { counts, gaps } => {
                write!(
                    f,
                    "something could not be observed: nothing is given back, and only what is missing for certain is covered \
                     ({counts}): "
                )?;
                list(f, gaps)
            }
            Self::MemoryUnavailable { counts } => write!(
                f,
                "the ledger cannot be read: nothing is given back, and only evidence of a Spot shortage raises the standby ({counts})"
            ),
            Self::Paused => f.write_str("`ballast:paused` is `true`"),
            Self::SettingsUnusable { faults } => list(f, faults),
            Self::PrimaryNotActive { status } => write!(f, "the primary is {status}"),
            Self::Daemon { role } => {
                write!(
                    f,
                    "the {role} is a DAEMON service, which has no desired count"
                )
            }
            Self::ForeignController { role, controller } => {
                write!(f, "the {role} is deployed by {controller}, not by ECS")
            }
            Self::StandbyMissing { standby } => {
                write!(f, "there is no service `{standby}` in the cluster")
            }
            Self::StandbyUnread { gaps } => {
                f.write_str("the standby could not be read: ")?;
                list(f, gaps)
            }
            Self::StandbyNotActive { status } => write!(f, "the standby is {status}"),
            Self::StandbyNotTagged { found: None } => {
                f.write_str("the standby does not carry the tag `ballast:standby-of`")
            }
            Self::StandbyNotTagged { found: Some(found) } => write!(
                f,
                "the standby's tag `ballast:standby-of` names `{found}`, not this primary"
            ),
            Self::StandbyIsPrimary => f.write_str("the standby is itself a primary"),
            Self::StandbyOnSpot { provider } => {
                write!(
                    f,
                    "the standby may place tasks on Spot itself, by `{provider}`"
                )
            }
            Self::TaskDefinitionDiffers { primary, standby } => {
                write!(f, "the primary runs `{primary}`, the standby `{standby}`")
            }
            Self::StandbyScaledByApplicationAutoScaling => {
                f.write_str("Application Auto Scaling scales the standby")
            }
            Self::ForeignEdit {
                found,
                wrote,
                noticed_at,
            } => write!(
                f,
                "somebody else set the standby's desired count to {found} (Ballast had written {wrote}), noticed at {noticed_at:.0}"
            ),
            Self::NotOptedIn => f.write_str("the service carries none of Ballast's tags"),
            Self::NotFound => f.write_str("there is no such service"),
            Self::Unread { gap } => write!(f, "{gap}"),
            Self::StandbyWithoutPrimary { primary, fault } => {
                write!(f, "the tag `ballast:standby-of` names `{primary}`, {fault}")
            }
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject,
            reason,
            until,
        } = self;
        write!(f, "hold `{subject}` {}", reason.as_str())?;
        if let Some(until) = until {
            write!(f, " until {until:.0}")?;
        }
        write!(f, ": {reason}")
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str("; ")?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}
