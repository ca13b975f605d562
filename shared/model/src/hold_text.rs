//! Holds as an operator reads them: one line each.

use std::fmt;

use crate::hold::{Hold, HoldReason};

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
            Self::WaitingForReplacements { counts, draining } => write!(
                f,
                "{draining} tasks are on Spot instances that drain, and still serve while ECS may replace them ({counts})"
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
