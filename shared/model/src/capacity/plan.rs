//! Plans for EC2 capacity: what to change, from what, to what, why.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::capacity::hold::{CapacityHold, Veto};
use crate::capacity::key::{CapacitySubject, ProviderKey};
use crate::capacity::memory::DrainReason;
use crate::capacity::unplaced::Unplaced;
use crate::ids::{AutoScalingGroupName, ClusterName, ContainerInstanceArn, InstanceId};
use crate::plan::Plan;
use crate::units::{Counted, Seconds};

/// What was decided about EC2 capacity.
pub type CapacityPlan = Plan<CapacityStep, CapacityHold>;

/// One change, complete: nothing is left to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityStep {
    /// What it is about.
    #[serde(flatten)]
    pub subject: CapacitySubject,
    /// What to do.
    pub action: CapacityAction,
    /// Why, with the numbers.
    pub reason: CapacityStepReason,
}

/// What a step does. Absolute values; what was seen is the precondition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum CapacityAction {
    /// Set a group's desired capacity, if it still is what was seen. Only ever upwards: going down is [`Self::Terminate`].
    SetDesiredCapacity {
        /// The group.
        group: AutoScalingGroupName,
        /// The desired capacity that was seen.
        from: u32,
        /// The desired capacity that is wanted.
        to: u32,
    },
    /// Set an ACTIVE container instance to DRAINING, if it still is ACTIVE and runs no other number of non-daemon tasks.
    Drain {
        /// The cluster.
        cluster: ClusterName,
        /// The container instance.
        container_instance: ContainerInstanceArn,
        /// Its EC2 instance.
        instance: InstanceId,
        /// How many non-daemon tasks were seen on it.
        tasks: u32,
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
    /// Terminate an instance through its group and lower the group's desired capacity in the same call, if it still is DRAINING,
    /// runs no non-daemon task, and the group's desired capacity was `desired_capacity` before the first such step of the plan.
    Terminate {
        /// The cluster.
        cluster: ClusterName,
        /// The group.
        group: AutoScalingGroupName,
        /// The container instance.
        container_instance: ContainerInstanceArn,
        /// Its EC2 instance.
        instance: InstanceId,
        /// The group's desired capacity that was seen, before any step of this plan.
        desired_capacity: u32,
    },
}

impl fmt::Display for CapacityAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetDesiredCapacity { group, from, to } => {
                write!(
                    f,
                    "set the desired capacity of `{group}` from {from} to {to}"
                )
            }
            Self::Drain {
                instance, tasks: 0, ..
            } => write!(f, "set `{instance}`, which is empty, to DRAINING"),
            Self::Drain {
                instance, tasks, ..
            } => write!(
                f,
                "set `{instance}` with its {} to DRAINING",
                Counted(*tasks, "task")
            ),
            Self::Activate { instance, .. } => write!(f, "set `{instance}` to ACTIVE again"),
            Self::Terminate {
                group, instance, ..
            } => {
                write!(
                    f,
                    "terminate `{instance}` and lower the desired capacity of `{group}` by it"
                )
            }
        }
    }
}

/// A provider's numbers. Everything is a count of instances unless its name says otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderNumbers {
    /// Non-daemon tasks on its instances that are to run.
    pub tasks_placed: u32,
    /// Tasks that ECS has made for it and not placed (PROVISIONING, PENDING).
    pub tasks_waiting: u32,
    /// Tasks that its services lack: desired, and not even made.
    pub tasks_missing: u32,
    /// Tasks that headroom asks room for on top.
    pub tasks_headroom: u32,
    /// Of the waiting, missing and headroom tasks, those that fit no instance that the group can have.
    pub tasks_unplaceable: u32,
    /// InService instances: *N* of the reservation.
    pub running: u32,
    /// Of these, those with at least one non-daemon task.
    pub used: u32,
    /// Instances on their way in: asked for and not begun, pending in the group, or in service and not registered yet; not those that are overdue.
    pub launching: u32,
    /// Instances that Ballast drains for scale-in.
    pub draining: u32,
    /// Instances that are overdue, or whose agent has been gone for too long: they count for nothing.
    pub lost: u32,
    /// Instances that the tasks need, whether they can be launched now or not: *M* of the reservation.
    pub needed: u32,
    /// No packing of the tasks needs fewer.
    pub needed_lower_bound: u32,
    /// 100 × M ÷ N, rounded down; 100 where both are 0, 200 where only N is. In percent.
    pub reservation_percent: u32,
    /// The target, in percent.
    pub target_capacity_percent: u32,
    /// What the group would be asked for without its limits, and if every pool could be launched from.
    pub wanted: u32,
    /// What the group is asked for now.
    pub desired: u32,
    /// The group's minimum.
    pub min: u32,
    /// The group's maximum.
    pub max: u32,
}

impl fmt::Display for ProviderNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tasks_placed,
            tasks_waiting,
            tasks_missing,
            tasks_headroom,
            tasks_unplaceable,
            running,
            used,
            launching,
            draining,
            lost,
            needed,
            needed_lower_bound,
            reservation_percent,
            target_capacity_percent,
            wanted,
            desired,
            min,
            max,
        } = self;
        write!(
            f,
            "tasks: {tasks_placed} placed, {tasks_waiting} waiting, {tasks_missing} missing, {tasks_headroom} headroom, \
             {tasks_unplaceable} unplaceable; instances: {running} running, {used} used, {launching} launching, {draining} draining, \
             {lost} lost; needed {needed} (at least {needed_lower_bound}), reservation {reservation_percent} %, target \
             {target_capacity_percent} %; wanted {wanted}, desired {desired} within {min} to {max}"
        )
    }
}

/// Why a step is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum CapacityStepReason {
    /// Tasks lack room, or the reservation is above its target.
    ScaleOut {
        /// The numbers.
        numbers: ProviderNumbers,
        /// What fits nowhere even so.
        unplaced: Vec<Unplaced>,
        /// How many instances Ballast drains and does not take back: until they end the desired capacity counts them, on top of those
        /// that are wanted.
        still_draining: u32,
        /// How far the group's maximum or the step limit kept the step below what is wanted, in instances.
        short_by: u32,
    },
    /// Tasks wait and what the group's types offer is not known: one instance tells.
    Learn {
        /// The numbers.
        numbers: ProviderNumbers,
        /// The types' names, as far as they are known.
        types: String,
    },
    /// It drains for scale-in and is needed again: cheaper and faster than a new one.
    NeededAgain {
        /// Since when it has been draining.
        draining_since: Timestamp,
    },
    /// It has drained for so long that its tasks will not move.
    DrainTimedOut {
        /// Since when it has been draining.
        draining_since: Timestamp,
        /// The longest drain.
        #[serde(rename = "drain_timeout_secs")]
        drain_timeout: Seconds,
    },
    /// It is empty and may not be terminated: it is paid for, and takes tasks at least.
    MayNotEnd {
        /// Since when it has been draining.
        draining_since: Timestamp,
        /// Whether somebody protected it from scale-in meanwhile. If not, the longest drain is over.
        protected_from_scale_in: bool,
        /// What forbids removing any instance of the group.
        vetoes: Vec<Veto>,
    },
    /// More instances than are wanted, for the whole scale-in delay.
    ScaleIn {
        /// What it holds: nothing, or tasks that fit elsewhere.
        drain: DrainReason,
        /// The most instances that were wanted within the delay.
        wanted_max: u32,
        /// The instances that the group is asked for.
        desired: u32,
        /// The scale-in delay.
        #[serde(rename = "scale_in_delay_secs")]
        scale_in_delay: Seconds,
        /// How many instances the disruption budget still allows to drain, this one included.
        budget_left: u32,
    },
    /// It is drained: no task is left on it but daemons'.
    Drained {
        /// Since when it has been draining.
        draining_since: Timestamp,
    },
}

impl CapacityStepReason {
    /// Every stable name.
    pub const NAMES: [&'static str; 7] = [
        "scale_out",
        "learn",
        "needed_again",
        "drain_timed_out",
        "may_not_end",
        "scale_in",
        "drained",
    ];

    /// A stable name, for metrics and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::ScaleOut { .. } => "scale_out",
            Self::Learn { .. } => "learn",
            Self::NeededAgain { .. } => "needed_again",
            Self::DrainTimedOut { .. } => "drain_timed_out",
            Self::MayNotEnd { .. } => "may_not_end",
            Self::ScaleIn { .. } => "scale_in",
            Self::Drained { .. } => "drained",
        }
    }
}

fn may_not_end(
    f: &mut fmt::Formatter<'_>,
    draining_since: Timestamp,
    protected_from_scale_in: bool,
    vetoes: &[Veto],
) -> fmt::Result {
    write!(f, "it has been draining since {draining_since:.0}, and ")?;
    if protected_from_scale_in {
        return f.write_str("is protected from scale-in now");
    }
    if vetoes.is_empty() {
        return f.write_str("is not in service, or the group would fall below its minimum");
    }
    f.write_str("may not be terminated: ")?;
    for (index, veto) in vetoes.iter().enumerate() {
        let separator = if index == 0 { "" } else { "; " };
        write!(f, "{separator}{veto}")?;
    }
    Ok(())
}

impl fmt::Display for CapacityStepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScaleOut {
                numbers,
                unplaced,
                still_draining,
                short_by,
            } => {
                write!(f, "{} wanted", Counted(numbers.wanted, "instance").are())?;
                match still_draining {
                    0 => {}
                    1 => f.write_str(" beside 1 that drains")?,
                    more => write!(f, " beside {more} that drain")?,
                }
                if *short_by > 0 {
                    write!(f, ", {short_by} more than a limit allows now")?;
                }
                write!(f, " ({numbers})")?;
                unplaced.iter().try_for_each(|it| write!(f, "; {it}"))
            }
            Self::Learn { numbers, types } => write!(
                f,
                "tasks wait and what the types offer is not known ({types}): one instance tells ({numbers})"
            ),
            Self::NeededAgain { draining_since } => {
                write!(
                    f,
                    "it has been draining since {draining_since:.0} and is needed again"
                )
            }
            Self::DrainTimedOut {
                draining_since,
                drain_timeout,
            } => write!(
                f,
                "it has been draining since {draining_since:.0}, longer than {drain_timeout}, and its tasks have not moved"
            ),
            Self::MayNotEnd {
                draining_since,
                protected_from_scale_in,
                vetoes,
            } => may_not_end(f, *draining_since, *protected_from_scale_in, vetoes),
            Self::ScaleIn {
                drain,
                wanted_max,
                desired,
                scale_in_delay,
                budget_left,
            } => {
                let what = match drain {
                    DrainReason::Empty => "it is empty",
                    DrainReason::Consolidation => "its tasks fit elsewhere",
                };
                write!(
                    f,
                    "for {scale_in_delay} no more than {wanted_max} of {} wanted, and {what}; the disruption budget \
                     allows {budget_left}",
                    Counted(*desired, "instance").were()
                )
            }
            Self::Drained { draining_since } => {
                write!(
                    f,
                    "it has been draining since {draining_since:.0} and no task is left on it but daemons'"
                )
            }
        }
    }
}

impl CapacityStep {
    /// The provider that it is about.
    #[must_use]
    pub const fn provider(&self) -> &ProviderKey {
        self.subject.provider()
    }

    /// The provider's numbers, where the step is about the provider itself.
    #[must_use]
    pub const fn numbers(&self) -> Option<&ProviderNumbers> {
        match &self.reason {
            CapacityStepReason::ScaleOut { numbers, .. }
            | CapacityStepReason::Learn { numbers, .. } => Some(numbers),
            CapacityStepReason::NeededAgain { .. }
            | CapacityStepReason::DrainTimedOut { .. }
            | CapacityStepReason::MayNotEnd { .. }
            | CapacityStepReason::ScaleIn { .. }
            | CapacityStepReason::Drained { .. } => None,
        }
    }
}

impl fmt::Display for CapacityStep {
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
