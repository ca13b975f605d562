//! What a plan says to an operator.

use std::fmt;

use jiff::Timestamp;

use crate::drain::cause::DepartureCause;
use crate::drain::numbers::TaskCounts;
use crate::drain::plan::{DrainAction, DrainStep, DrainStepReason, GroupRaiser, PoolRoom};
use crate::drain::stuck::StuckTasks;
use crate::units::Counted;

impl fmt::Display for DrainAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drain { instance, .. } => write!(f, "set `{instance}` to DRAINING"),
            Self::Activate { instance, .. } => write!(f, "set `{instance}` to ACTIVE again"),
            Self::StopTask { task, instance, .. } => {
                write!(f, "stop the task `{task}` on `{instance}`")
            }
            Self::RecordHeartbeat { hook, instance, .. } => {
                write!(f, "keep `{instance}` waiting in the hook `{hook}`")
            }
            Self::CompleteLifecycleAction { hook, instance, .. } => {
                write!(
                    f,
                    "let `{instance}` go on from the hook `{hook}` (CONTINUE)"
                )
            }
        }
    }
}

impl fmt::Display for PoolRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free { tasks } => {
                write!(
                    f,
                    "there is room for {} of it elsewhere",
                    Counted(*tasks, "task")
                )
            }
            Self::Launchable {
                pools,
                below_max,
                raised_by,
            } => write!(
                f,
                "{raised_by} raises the group, which may launch from {} in which no launch failed lately, and may grow by {below_max} more than what leaves or drains already waits for",
                Counted(*pools, "other pool")
            ),
        }
    }
}

impl fmt::Display for GroupRaiser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClusterScaler => f.write_str("cluster-scaler"),
            Self::ManagedScaling => f.write_str("ECS managed scaling"),
        }
    }
}

/// What is left on an instance, and what of it ECS will not move.
pub(crate) fn tasks(
    f: &mut fmt::Formatter<'_>,
    tasks: Option<&TaskCounts>,
    stuck: &[StuckTasks],
) -> fmt::Result {
    match tasks {
        Some(tasks) => write!(f, "; {tasks}")?,
        None => f.write_str("; its tasks were not read")?,
    }
    stuck.iter().try_for_each(|it| write!(f, "; {it}"))
}

/// When an instance goes. Only a cause that tells it itself is as exact as that: a group terminates earlier, once it may.
pub(crate) fn goes_at(
    f: &mut fmt::Formatter<'_>,
    why: Option<&DepartureCause>,
    deadline: Timestamp,
) -> fmt::Result {
    let is_exact = why.and_then(DepartureCause::deadline) == Some(deadline);
    let latest = if is_exact { "" } else { " at the latest" };
    write!(f, ", and it goes at {deadline:.0}{latest}")
}

impl fmt::Display for DrainStepReason {
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each reason, side by side"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaving {
                why,
                deadline,
                tasks: left,
                stuck,
                budget_left,
            } => {
                write!(f, "{why}")?;
                match *deadline {
                    Some(deadline) => goes_at(f, Some(why), deadline)?,
                    None => f.write_str(", and when it goes is not known")?,
                }
                if let Some(budget_left) = budget_left {
                    write!(f, "; the disruption budget allows {budget_left}")?;
                }
                tasks(f, left.as_ref(), stuck)
            }
            Self::Selective {
                why,
                room,
                budget_left,
                tasks: left,
            } => {
                write!(
                    f,
                    "{why}; {room}; the disruption budget allows {budget_left}"
                )?;
                tasks(f, left.as_ref(), &[])
            }
            Self::CauseGone {
                drained_at,
                cause,
                shown_by,
            } => write!(
                f,
                "Ballast drained it at {drained_at:.0} for `{}`, and it stays: {shown_by}",
                cause.as_str()
            ),
            Self::LastMoment {
                whose,
                why,
                deadline,
                stop_timeout,
                next_look_at,
            } => write!(
                f,
                "of `{whose}`: {why}; its stop timeout is {stop_timeout}, the instance goes at {deadline:.0}, and the next look may come \
                 as late as {next_look_at:.0}"
            ),
            Self::TasksLeft {
                tasks: left,
                stuck,
                times_out_at,
                deadline,
            } => {
                write!(
                    f,
                    "the action times out at {times_out_at:.0} and may wait until {deadline:.0}"
                )?;
                tasks(f, left.as_ref(), stuck)
            }
            Self::Drained {
                since,
                daemon_tasks,
            } => write!(
                f,
                "its group has been terminating it since {since:.0}, and no task is left on it but {daemon_tasks} of daemons"
            ),
            Self::DeadlineReached {
                deadline,
                tasks: left,
                stuck,
            } => {
                write!(f, "the longest wait was over at {deadline:.0}")?;
                tasks(f, left.as_ref(), stuck)
            }
            Self::NothingToWaitFor { shown_by } => {
                write!(f, "there is nothing to wait for: {shown_by}")
            }
        }
    }
}

impl fmt::Display for DrainStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject,
            action,
            reason,
        } = self;
        write!(
            f,
            "step {subject} {}: {action}, because {reason}",
            reason.as_str()
        )
    }
}
