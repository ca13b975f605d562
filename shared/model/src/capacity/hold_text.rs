//! Holds of EC2 capacity as an operator reads them: one line each.

use std::fmt;

use crate::capacity::hold::{CapacityHold, CapacityHoldReason};
use crate::strategy::Market;
use crate::units::Counted;

impl CapacityHoldReason {
    /// Every stable name, in the order of the variants.
    pub const NAMES: [&'static str; 46] = [
        "right_size",
        "launching",
        "waiting_for_scale_in_delay",
        "scaling_in",
        "scale_in_vetoed",
        "nothing_removable",
        "at_maximum",
        "unplaceable",
        "no_pool_left",
        "launches_fail",
        "not_placed",
        "launched_of_no_use",
        "instances_do_not_register",
        "neighbours",
        "foreign_change",
        "own_write_not_visible",
        "advice_only",
        "paused",
        "policy_faults",
        "weighted_capacity",
        "group_deleting",
        "launch_suspended",
        "snapshot_incomplete",
        "not_opted_in",
        "managed_instances",
        "group_not_found",
        "unread",
        "in_use",
        "spare",
        "instance_launching",
        "too_young",
        "protected_tasks",
        "standalone_tasks",
        "scale_in_protected",
        "tasks_fit_nowhere_else",
        "needed_for_spread",
        "needed_for_zone_balance",
        "disruption_budget_spent",
        "draining",
        "drained_by_somebody_else",
        "leaving",
        "not_registered",
        "not_of_provider",
        "agent_disconnected",
        "out_of_service",
        "provider_held",
    ];

    /// A stable name, for metrics and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::RightSize => "right_size",
            Self::Launching => "launching",
            Self::WaitingForScaleInDelay { .. } => "waiting_for_scale_in_delay",
            Self::ScalingIn { .. } => "scaling_in",
            Self::ScaleInVetoed { .. } => "scale_in_vetoed",
            Self::NothingRemovable { .. } => "nothing_removable",
            Self::AtMaximum { .. } => "at_maximum",
            Self::Unplaceable => "unplaceable",
            Self::NoPoolLeft { .. } => "no_pool_left",
            Self::LaunchesFail { .. } => "launches_fail",
            Self::NotPlaced { .. } => "not_placed",
            Self::LaunchedOfNoUse { .. } => "launched_of_no_use",
            Self::InstancesDoNotRegister { .. } => "instances_do_not_register",
            Self::Neighbours { .. } => "neighbours",
            Self::ForeignChange { .. } => "foreign_change",
            Self::OwnWriteNotVisible { .. } => "own_write_not_visible",
            Self::AdviceOnly { .. } => "advice_only",
            Self::Paused => "paused",
            Self::PolicyFaults { .. } => "policy_faults",
            Self::WeightedCapacity => "weighted_capacity",
            Self::GroupDeleting => "group_deleting",
            Self::LaunchSuspended => "launch_suspended",
            Self::SnapshotIncomplete { .. } => "snapshot_incomplete",
            Self::NotOptedIn => "not_opted_in",
            Self::ManagedInstances => "managed_instances",
            Self::GroupNotFound { .. } => "group_not_found",
            Self::Unread { .. } => "unread",
            Self::InUse => "in_use",
            Self::Spare => "spare",
            Self::InstanceLaunching => "instance_launching",
            Self::TooYoung { .. } => "too_young",
            Self::ProtectedTasks => "protected_tasks",
            Self::StandaloneTasks => "standalone_tasks",
            Self::ScaleInProtected => "scale_in_protected",
            Self::TasksFitNowhereElse => "tasks_fit_nowhere_else",
            Self::NeededForSpread => "needed_for_spread",
            Self::NeededForZoneBalance => "needed_for_zone_balance",
            Self::DisruptionBudgetSpent { .. } => "disruption_budget_spent",
            Self::Draining => "draining",
            Self::DrainedBySomebodyElse => "drained_by_somebody_else",
            Self::Leaving => "leaving",
            Self::NotRegistered => "not_registered",
            Self::NotOfProvider => "not_of_provider",
            Self::AgentDisconnected => "agent_disconnected",
            Self::OutOfService => "out_of_service",
            Self::ProviderHeld => "provider_held",
        }
    }
}

impl fmt::Display for CapacityHoldReason {
    #[expect(
        clippy::too_many_lines,
        reason = "one text for each reason, in one list"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RightSize => f.write_str("the group has as many instances as are wanted"),
            Self::Launching => f.write_str("what is wanted is on its way"),
            Self::NothingRemovable { new_instances_protected } => {
                f.write_str("fewer instances are wanted, and each has a reason of its own to stay")?;
                if *new_instances_protected {
                    f.write_str("; the group protects every new instance from scale-in")?;
                }
                Ok(())
            }
            Self::Unplaceable => f.write_str("tasks fit no type that the group may launch: more instances would not help"),
            Self::Paused => f.write_str("the group's tag `ballast:paused` is `true`"),
            Self::WeightedCapacity => f.write_str("the group's desired capacity does not count instances (weights, or the type `vcpu` or `memory-mib`), which Ballast does not size"),
            Self::GroupDeleting => f.write_str("the group is being deleted"),
            Self::LaunchSuspended => f.write_str("more instances are wanted and the group's process `Launch` is suspended"),
            Self::NotOptedIn => f.write_str("the group does not carry the tag `ballast:cluster-scaler`"),
            Self::ManagedInstances => f.write_str("AWS sizes ECS Managed Instances itself"),
            Self::InUse => f.write_str("they hold tasks, or room that is wanted"),
            Self::Spare => f.write_str("they are empty, and are not to be removed now"),
            Self::InstanceLaunching => f.write_str("they are on their way in"),
            Self::ProtectedTasks => f.write_str("they hold tasks that are protected from scale-in, or of which that is not known"),
            Self::StandaloneTasks => f.write_str("they hold standalone tasks, which ECS does not move"),
            Self::ScaleInProtected => f.write_str("they are protected from scale-in, and not by Ballast"),
            Self::TasksFitNowhereElse => f.write_str("their tasks do not provably fit elsewhere"),
            Self::NeededForSpread => f.write_str("they keep a service's tasks spread over the zones, or its headroom"),
            Self::NeededForZoneBalance => f.write_str(
                "without one of them the group would balance its zones by itself and end an instance of its own choice",
            ),
            Self::Draining => f.write_str("they drain for scale-in: tasks are still on them, or they may not be ended now"),
            Self::DrainedBySomebodyElse => f.write_str("they are DRAINING, and not by Ballast"),
            Self::Leaving => f.write_str("they are on their way out of the group"),
            Self::NotRegistered => f.write_str("they are in service and have not registered in the cluster in time: look at their agents"),
            Self::NotOfProvider => f.write_str("they registered without the provider, or with another one: ECS places none of its tasks on them"),
            Self::AgentDisconnected => f.write_str("their agents have been disconnected for too long: they count for nothing"),
            Self::OutOfService => f.write_str("they are in the group's standby or warm pool, or detached: they count for nothing"),
            Self::ProviderHeld => f.write_str("the provider is not touched, and so are they not"),
            Self::WaitingForScaleInDelay { wanted_max, scale_in_delay } => write!(
                f,
                "fewer instances are wanted, but not yet for {scale_in_delay}: lately {wanted_max} were"
            ),
            Self::ScalingIn { removing } => write!(f, "fewer instances are wanted, and {removing} {} being removed", if *removing == 1 { "is" } else { "are" }),
            Self::ScaleInVetoed { vetoes } => {
                f.write_str("fewer instances are wanted, and none may be removed now: ")?;
                list(f, vetoes)
            }
            Self::AtMaximum { max, lost } => {
                write!(f, "more instances are wanted than the group's maximum of {max}")?;
                match lost {
                    0 => Ok(()),
                    lost => write!(f, ", and {lost} of its instances are lost: end them, and others take their place"),
                }
            }
            Self::NoPoolLeft { pools, market, closed } => {
                write!(f, "nothing can be launched now, of {}: ", Counted(*pools, "pool"))?;
                list(f, closed)?;
                match market {
                    Market::Spot => f.write_str("; services with a standby are covered by it"),
                    Market::OnDemand | Market::Unknown => Ok(()),
                }
            }
            Self::LaunchesFail { cause, text, since } => write!(
                f,
                "instances were asked for, and launches have failed since {since:.0} ({cause}): {}",
                text.trim_end()
            ),
            Self::NotPlaced { whose, tasks, since } => write!(
                f,
                "the group has room for {} of `{whose}`, and ECS has not placed them since {since:.0}",
                Counted(*tasks, "task")
            ),
            Self::LaunchedOfNoUse { instances, instance_type, whose, times } => {
                write!(f, "`{whose}` lacks room, and of what was launched for it {instances}")?;
                if let Some(instance_type) = instance_type {
                    write!(f, " (`{instance_type}`)")?;
                }
                write!(f, " cannot take its tasks, try {times}: one more is launched after a while")
            }
            Self::InstancesDoNotRegister { instances, times } => write!(
                f,
                "{} launched and not registered in the cluster, {} in a row: no more are launched for a while",
                Counted(*instances, "instance").were(),
                Counted(*times, "time")
            ),
            Self::Neighbours { neighbours, advice, held } => {
                f.write_str("somebody else decides about this group's size: ")?;
                list(f, neighbours)?;
                f.write_str("; without that ")?;
                counsel(f, advice, held.as_deref())
            }
            Self::ForeignChange { found, wrote } => write!(
                f,
                "somebody else changed the desired capacity from {wrote} to {found}"
            ),
            Self::OwnWriteNotVisible { found, wrote } => write!(
                f,
                "the desired capacity was set to {wrote} a moment ago and still reads {found}"
            ),
            Self::AdviceOnly { advice, held, neighbours } => {
                f.write_str("the group asks for advice only: ")?;
                counsel(f, advice, held.as_deref())?;
                if !neighbours.is_empty() {
                    f.write_str("; somebody else decides about this group's size: ")?;
                    list(f, neighbours)?;
                }
                Ok(())
            }
            Self::PolicyFaults { faults } => {
                f.write_str("the group's tags cannot be used: ")?;
                list(f, faults)
            }
            Self::SnapshotIncomplete { gaps } => {
                f.write_str("not enough could be seen: ")?;
                list(f, gaps)
            }
            Self::GroupNotFound { group } => write!(f, "its group `{group}` does not exist"),
            Self::Unread { gap } => write!(f, "it could not be read: {gap}"),
            Self::TooYoung { minimum_age } => write!(f, "they registered less than {minimum_age} ago"),
            Self::DisruptionBudgetSpent { budget } => {
                write!(f, "the disruption budget of {} at a time is used up", Counted(*budget, "instance"))
            }
        }
    }
}

/// What would be done, and why the size would stay as it is. What merely says that all is well is left out beside steps.
fn counsel(
    f: &mut fmt::Formatter<'_>,
    advice: &[String],
    held: Option<&CapacityHoldReason>,
) -> fmt::Result {
    let held = held.filter(|it| advice.is_empty() || it.leaves_unprotected());
    if advice.is_empty() {
        f.write_str("nothing would be done")?;
    } else {
        write!(f, "this would be done: {}", advice.join("; "))?;
    }
    held.iter().try_for_each(|it| write!(f, " ({it})"))
}

/// The items, parted by semicolons.
fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        let separator = if index == 0 { "" } else { "; " };
        write!(f, "{separator}{item}")?;
    }
    Ok(())
}

impl fmt::Display for CapacityHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject,
            reason,
            numbers,
            unplaced,
            until,
        } = self;
        write!(f, "hold {subject} {}: {reason}", reason.as_str())?;
        if let Some(numbers) = numbers {
            write!(f, " ({numbers})")?;
        }
        unplaced.iter().try_for_each(|it| write!(f, "; {it}"))?;
        until
            .iter()
            .try_for_each(|until| write!(f, "; until {until:.0}"))
    }
}
