//! Holds of target tracking as an operator reads them: one line each.

use std::fmt;

use crate::tracking::hold::{AdviceReason, PlacementLimit, TrackingHold, TrackingHoldReason};
use crate::tracking::numbers::Thousandths;
use crate::tracking::readings::Unfollowed;
use crate::units::Counted;

/// The items, with a separator between them.
fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T], separator: &str) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

impl fmt::Display for AdviceReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tag => "the tag asks for advice only",
            Self::ApplicationAutoScaling => "Application Auto Scaling scales the service",
            Self::ScalableTargetsUnknown => {
                "Application Auto Scaling did not answer, and it is not remembered that it does not scale the service"
            }
        })
    }
}

impl fmt::Display for Unfollowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.target, self.why)
    }
}

impl fmt::Display for PlacementLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInstanceHasRoom { at } => {
                write!(f, "no container instance had room at {at:.0}")
            }
            Self::GroupAtMaximum {
                provider,
                group,
                max_size,
            } => write!(
                f,
                "the group `{group}` of the provider `{provider}` is at its maximum of {max_size}"
            ),
            Self::SpotOnly {
                providers,
                standby_running,
            } => {
                f.write_str("the service is on Spot alone (")?;
                list(f, providers, ", ")?;
                let tasks = Counted(*standby_running, "task");
                write!(f, "), with {tasks} of a standby running")
            }
        }
    }
}

impl fmt::Display for TrackingHoldReason {
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each reason, side by side"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnTarget { forecast: None } => f.write_str(
                "the load needs as many as are asked for, or the tolerance covers the difference",
            ),
            Self::OnTarget {
                forecast: Some(forecast),
            } => write!(
                f,
                "the load needs fewer now, and by what it grew on the days before it will need {forecast}, with every task counted"
            ),
            Self::AtMinimum { bounds } if bounds.bounds.max_tasks == 0 => {
                write!(f, "it is to run no task: allowed are {bounds}")
            }
            Self::AtMinimum { bounds } => {
                write!(
                    f,
                    "the load needs fewer, and allowed are {bounds}"
                )
            }
            Self::WaitingForWindow { needed_max, window } => write!(
                f,
                "the load needs fewer, and within {window} it needed up to {needed_max}"
            ),
            Self::WaitingForPeak {
                forecast,
                peak_milli_tasks,
                peak_at,
                forecast_peak,
            } => {
                let peak = Thousandths(*peak_milli_tasks);
                write!(
                    f,
                    "the load needs fewer, and by the forecast the peak of {peak} tasks at {peak_at:.0}, within the last {forecast_peak}, needs {forecast}"
                )
            }
            Self::WindowIncomplete {
                targets,
                window,
                unusable,
                resolution,
            } => {
                write!(
                    f,
                    "the load needs fewer now, but not every period of the last {window} is known of: "
                )?;
                list(f, targets, ", ")?;
                if *unusable > 0 {
                    let values = Counted(*unusable, "value").are();
                    write!(f, " ({values} no usable number)")?;
                }
                if let Some(secs) = resolution {
                    write!(f, ", of which `ballast:metric-resolution-secs` says that there is one every {secs}")?;
                }
                Ok(())
            }
            Self::WaitingToRaise { needed } => write!(
                f,
                "{needed} are needed, and the last step went as far as one may a moment ago"
            ),
            Self::WaitingToTurn { turn, turn_hold } => write!(
                f,
                "the last change was scale-{} at {:.0}, and a direction is kept for {turn_hold}",
                turn.direction, turn.at
            ),
            Self::TasksStarting => {
                f.write_str("the load needs fewer, and tasks are still on their way")
            }
            Self::OwnWriteNotVisible { found, wrote } => write!(
                f,
                "Ballast wrote the desired count {wrote}, and AWS still answers {found}"
            ),
            Self::AtMaximum { needed, bounds } => {
                write!(
                    f,
                    "{needed} are needed, and allowed are {bounds}"
                )
            }
            Self::NowhereToPlace {
                needed,
                missing,
                since,
                limits,
            } => {
                write!(
                    f,
                    "{needed} are needed, but {} that were asked for have not been placed since {since:.0}",
                    Counted(*missing, "task")
                )?;
                if limits.is_empty() {
                    return Ok(());
                }
                f.write_str(": ")?;
                list(f, limits, "; ")
            }
            Self::NothingToSpare { needed } => write!(
                f,
                "the load shows a need of {needed}, and not even so many run: tasks that cannot keep up may show too little"
            ),
            Self::DeploymentRunning { service } => {
                write!(
                    f,
                    "the load needs fewer, but a deployment of the {service} runs"
                )
            }
            Self::SnapshotIncomplete { gaps } => {
                f.write_str(
                    "the load may need fewer, but not everything could be observed: ",
                )?;
                list(f, gaps, "; ")
            }
            Self::MemoryUnknown => f.write_str(
                "the ledger did not answer: the desired count is not lowered, and not raised from 0",
            ),
            Self::NoData {
                targets,
                may_be_idle,
            } => {
                f.write_str("no value is new enough of: ")?;
                list(f, targets, ", ")?;
                if *may_be_idle {
                    f.write_str(", as of a queue that nobody uses, and no fewer are allowed")?;
                }
                Ok(())
            }
            Self::TargetsUnknown { targets } => {
                f.write_str(
                    "what is known needs no more, but no value is new enough of: ",
                )?;
                list(f, targets, ", ")
            }
            Self::Unfollowed { targets } => list(f, targets, "; "),
            Self::ForeignChange { found, wrote } => write!(
                f,
                "fewer are needed or allowed, but somebody else set the desired count to {found} after Ballast's {wrote}"
            ),
            Self::SwitchedOff { needed } => {
                f.write_str(
                    "somebody else set the desired count to 0: the service stays off until somebody sets it to something else",
                )?;
                match needed {
                    None => Ok(()),
                    Some(needed) => write!(f, "; its load needs {needed} now"),
                }
            }
            Self::AdviceOnly { why, would } => write!(f, "{why}; otherwise: {would}"),
            Self::Paused => f.write_str("the tag `ballast:paused` is `true`"),
            Self::PolicyFaults { faults } => {
                f.write_str("the tags cannot be used: ")?;
                list(f, faults, "; ")
            }
            Self::IsStandby => f.write_str(
                "it is the standby of another service: spot-fallback alone sets its desired count, and the primary is to be tracked",
            ),
            Self::IsDaemon => {
                f.write_str("it runs one task on each instance and has no desired count to set")
            }
            Self::NotActive { status } => write!(f, "its status is {status}"),
            Self::NotOptedIn => f.write_str("it does not carry the tag `ballast:service-scaler`"),
            Self::NotFound => f.write_str("AWS says that it does not exist"),
            Self::Unread { gap } => write!(f, "it could not be read: {gap}"),
        }
    }
}

impl fmt::Display for TrackingHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject,
            reason,
            numbers,
            until,
        } = self;
        write!(f, "hold `{subject}` {}: {reason}", reason.as_str())?;
        if let Some(numbers) = numbers {
            write!(f, " ({numbers})")?;
        }
        if let Some(until) = until {
            write!(f, ", until {until:.0}")?;
        }
        Ok(())
    }
}
