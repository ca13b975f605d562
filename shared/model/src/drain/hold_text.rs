//! Holds of departures as an operator reads them: one line each.

use std::fmt;

use jiff::Timestamp;

use crate::drain::cause::CauseKind;
use crate::drain::hold::DrainHoldReason;
use crate::drain::plan_text::{goes_at, tasks as tasks_left};
use crate::units::{Counted, Seconds};

/// The items, parted by semicolons; `none` where there are none.
fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T], none: &str) -> fmt::Result {
    if items.is_empty() {
        return f.write_str(none);
    }
    for (index, item) in items.iter().enumerate() {
        let separator = if index == 0 { "" } else { "; " };
        write!(f, "{separator}{item}")?;
    }
    Ok(())
}

/// What is not done meanwhile, if anything.
fn left_undone(f: &mut fmt::Formatter<'_>, when: &str, advice: &[String]) -> fmt::Result {
    if advice.is_empty() {
        return Ok(());
    }
    write!(f, "; what would be done {when}: ")?;
    list(f, advice, "nothing")
}

/// By whose hand an instance is DRAINING, and since when.
fn drained_by(
    f: &mut fmt::Formatter<'_>,
    by_ballast: Option<bool>,
    since: Option<Timestamp>,
) -> fmt::Result {
    f.write_str("DRAINING")?;
    match since {
        Some(since) => write!(f, " since {since:.0}")?,
        None => f.write_str(", since when is not known,")?,
    }
    f.write_str(match by_ballast {
        Some(true) => " by Ballast's hand",
        Some(false) => " by somebody else's hand",
        None => " and whose hand is not known",
    })
}

impl fmt::Display for DrainHoldReason {
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each reason, side by side"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Watching { immovable, more } => {
                f.write_str("no instance that was looked at leaves")?;
                if immovable.is_empty() {
                    return Ok(());
                }
                f.write_str("; if one did, ECS could not move ")?;
                list(f, immovable, "nothing")?;
                if *more > 0 {
                    write!(f, "; and {more} more services or families")?;
                }
                Ok(())
            }
            Self::Departing => f.write_str("instances leave"),
            Self::PolicyFaults { faults, advice } => {
                f.write_str("the tags cannot be used: ")?;
                list(f, faults, "none is named")?;
                left_undone(f, "with every tag at its default", advice)
            }
            Self::Paused { advice } => {
                f.write_str("the tag `ballast:paused` is `true`")?;
                left_undone(f, "without it", advice)
            }
            Self::AdviceOnly { advice } => {
                f.write_str("the tag asks for advice only: ")?;
                list(f, advice, "nothing would be done")
            }
            Self::HookMissing { hook, others } => {
                write!(
                    f,
                    "the group has no terminating hook `{hook}`: what it terminates by itself does not wait for its tasks; its hooks: "
                )?;
                list(f, others, "none")
            }
            Self::HookTooShort {
                hook,
                heartbeat_timeout,
                needed: Seconds(needed),
            } => write!(
                f,
                "the hook `{hook}` times out after {heartbeat_timeout}; to outlast a lost event it needs {needed} s"
            ),
            Self::SnapshotIncomplete { gaps } => {
                f.write_str("not everything could be observed: ")?;
                list(f, gaps, "nothing is named")
            }
            Self::Staying => f.write_str("they stay"),
            Self::Draining {
                why,
                by_ballast,
                since,
                deadline,
                tasks,
                stuck,
            } => {
                drained_by(f, *by_ballast, *since)?;
                if let Some(why) = why {
                    write!(f, "; {why}")?;
                }
                if let Some(deadline) = *deadline {
                    goes_at(f, why.as_ref(), deadline)?;
                }
                tasks_left(f, tasks.as_ref(), stuck)
            }
            Self::DrainStuck {
                since,
                departure_timeout,
                tasks,
                stuck,
            } => {
                write!(
                    f,
                    "DRAINING since {since:.0}, longer than {departure_timeout}: its tasks do not move by themselves"
                )?;
                tasks_left(f, tasks.as_ref(), stuck)
            }
            Self::Drained { why, since } => {
                f.write_str("DRAINING")?;
                since.iter().try_for_each(|since| write!(f, " since {since:.0}"))?;
                f.write_str(", and no task is left on it but daemons'")?;
                why.iter().try_for_each(|why| write!(f, "; {why}"))
            }
            Self::LeftToManagedDraining { why } => {
                write!(f, "{why}; managed draining is on, and its drain is left to ECS")
            }
            Self::LeftToAgent { why } => write!(
                f,
                "{why}; by the tag `ballast:agent-drains` its drain is left to its agent"
            ),
            Self::NotRegistered { why } => write!(
                f,
                "{why}; it is not registered in the cluster, and is waited for"
            ),
            Self::Registering { why } => {
                write!(f, "{why}; it is being registered and cannot be drained yet")
            }
            Self::TooLate {
                why,
                deadline,
                tasks,
            } => {
                write!(
                    f,
                    "{why}; it was to go at {deadline:.0}, and draining it moves nothing any more"
                )?;
                tasks_left(f, tasks.as_ref(), &[])
            }
            Self::Gone { shown_by } => write!(f, "it is gone: {shown_by}"),
            Self::RebalanceNotAsked { at } => write!(
                f,
                "EC2 recommended at {at:.0} to rebalance it, and the tag `ballast:drain-on-rebalance` is not `true`"
            ),
            Self::DrainedBefore { why, reversed_at } => {
                write!(f, "{why}; a drain of it was taken back at {reversed_at:.0}, and it is not drained by choice")
            }
            Self::ActivatedBySomebodyElse { why, at } => {
                write!(f, "{why}; Ballast drained it for that, somebody set it to ACTIVE again, as was seen at {at:.0}, and it is left to them")
            }
            Self::NoOtherPool { why, tried } => {
                let place = match why.kind() {
                    CauseKind::AgentLost => "on another instance",
                    CauseKind::SpotInterruption
                    | CauseKind::CapacityReservationInterruption
                    | CauseKind::Terminating
                    | CauseKind::Stopping
                    | CauseKind::Maintenance
                    | CauseKind::Rebalance => "in another pool",
                };
                write!(f, "{why}; its tasks find no room {place}: {tried}")
            }
            Self::ImmovableTasks {
                why,
                tasks,
                immovable,
            } => {
                write!(f, "{why}; ECS would not move everything off it")?;
                tasks_left(f, tasks.as_ref(), immovable)
            }
            Self::DisruptionBudgetSpent { why, budget, spent } => write!(
                f,
                "{why}; {} may drain at a time, and {spent} drain or are not healthy",
                Counted(*budget, "instance")
            ),
            Self::WaitsForFullLook { why } => write!(
                f,
                "{why}; that is decided in a look at everything that leaves no gap, with the ledger"
            ),
            Self::MaintenancePlanned { code, starts_at } => {
                write!(f, "AWS Health announced `{code}` for {starts_at:.0}, and it is left alone")
            }
            Self::AgentDisconnected { since } => {
                write!(f, "the agent has been disconnected since {since:.0}")
            }
            Self::AgentLost { since, tasks } => {
                write!(
                    f,
                    "the agent has been disconnected since {since:.0}, longer than its grace: ECS does not replace what runs there, and the \
                     tag `ballast:drain-on-lost-agent` is not `true`"
                )?;
                tasks_left(f, tasks.as_ref(), &[])
            }
            Self::GroupHeld => f.write_str("the group is left alone as a whole"),
            Self::NotOptedIn { group, cluster } => match (group, cluster) {
                (Some(group), _) => write!(
                    f,
                    "the group `{group}` does not carry the tag `ballast:instance-drain`"
                ),
                (None, Some(cluster)) => write!(
                    f,
                    "it is in no group, and the cluster `{cluster}` does not carry the tag `ballast:instance-drain`"
                ),
                (None, None) => f.write_str("nothing that it belongs to carries the tag `ballast:instance-drain`"),
            },
            Self::NotFound => f.write_str(
                "it is in no Auto Scaling group and registered in no cluster that Ballast looks after",
            ),
            Self::LeftToSchedule { group } => write!(
                f,
                "it drains or is gone, and nothing waits for that: it is in no lifecycle hook of the group `{group}`; the schedule's look sees what is left"
            ),
            Self::Unread { gap } => write!(f, "it could not be found out whose it is: {gap}"),
            Self::WaitingForTasks {
                tasks,
                stuck,
                times_out_at,
                deadline,
            } => {
                write!(
                    f,
                    "tasks are waited for; the action times out at {times_out_at:.0} and may wait until {deadline:.0}"
                )?;
                tasks_left(f, tasks.as_ref(), stuck)
            }
            Self::Completed { at } => write!(
                f,
                "Ballast completed the action at {at:.0}, and the group is given time to go on"
            ),
            Self::HookOfSomebodyElse { hooks } => {
                f.write_str("it waits in a hook that is not Ballast's: ")?;
                list(f, hooks, "none is known")
            }
            Self::HooksUnread => f.write_str("the group's hooks could not be read"),
        }
    }
}
