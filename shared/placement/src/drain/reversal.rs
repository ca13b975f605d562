//! Taking a drain back: Ballast drained the instance, what for is gone, and the instance stays.
//!
//! Guaranteed: only a drain of Ballast's own is taken back, only with a memory and a look that left no gap about the instance, and only
//! while no other certain cause is there. An instance that is on its way out of its group is never set to ACTIVE.
//!
//! A drain by choice is taken back after [`REBALANCE_OVER`], whether or not EC2 repeats its recommendation; and as soon as it has lasted for
//! `ballast:departure-timeout-secs` with tasks left: ECS does not move them, and an instance that may stay is of more use with its tasks and room for more. One that is older than
//! [`OWN_FOR`] is not taken back, but for that of an instance that may have been away since: one that EC2 stopped comes back whenever its owner
//! starts it, and one that its group let go may come back from a warm pool.
//!
//! An instance that has left its group for another one, or for a cluster that is opted in, is looked after there; one that has left it for
//! nothing that is opted in is looked after by the group that it has left. Its drain is taken back once it has been in no group, or in service in
//! another one, for [`DETACHED_FOR`]: not while it waits in a warm pool.
//!
//! A drain that was taken back is remembered for [`REVERSED_FOR`]: meanwhile the instance is not drained by choice again.

use jiff::Timestamp;
use model::Seconds;
use model::capacity::Lifecycle;
use model::drain::{CauseKind, DepartureCause, DrainAction, DrainStepReason, TaskCounts};

use super::Verdict;
use super::case::{Case, GroupCase, Place};
use super::causes::{DETACHED_FOR, MAINTENANCE_OVER, REBALANCE_OVER, WARNING_OVER};
use super::numbers::counts;

/// How long an instance whose drain was taken back is not drained by choice. The number is ours.
pub const REVERSED_FOR: Seconds = Seconds(21_600);

/// How long Ballast's drain is taken for its own: one for maintenance lasts a week, by the longest lead, and an hour. Who set an instance to
/// DRAINING that takes tasks in between does not show for ever. The number is ours.
pub const OWN_FOR: Seconds = Seconds(691_200);

/// The step that takes Ballast's drain of the instance back, where that is due.
pub(crate) fn verdict(group: &GroupCase<'_>, case: &Case<'_>) -> Option<Verdict> {
    let own = case.departure.own_drain?;
    let Place::Draining(container) = case.place else {
        return None;
    };
    let now = group.look.now;
    let lead = group.policy.maintenance_lead;
    let is_over = match case.departure.cause(own.cause) {
        None => true,
        // AWS moved it.
        Some(DepartureCause::Maintenance { starts_at, .. }) => now < lead.before(*starts_at),
        // However often it is recommended again.
        Some(_) if own.cause.is_certain() => false,
        Some(_) => REBALANCE_OVER.after(own.at) <= now || is_stuck(group, case).is_some(),
    };
    // Its group may have let it go because it ends.
    let left_at = case.departure.left_at;
    let has_just_left = case.is_detached && left_at.is_none_or(|at| now < DETACHED_FOR.after(at));
    let is_known = comes_back(own.cause) || now < OWN_FOR.after(own.at);
    let stays = match case.lifecycle() {
        None | Some(Lifecycle::InService) => true,
        Some(
            Lifecycle::Pending
            | Lifecycle::Standby
            | Lifecycle::Terminating
            | Lifecycle::Detaching
            | Lifecycle::Warmed
            | Lifecycle::Unknown,
        ) => false,
    };
    let may_act = group.is_certain() && container.agent_connected && case.gone.is_none();
    if !(is_over && is_known && !has_just_left && stays && may_act && case.why.is_none()) {
        return None;
    }
    let action = DrainAction::Activate {
        cluster: case.cluster?.capacity.cluster.clone(),
        container_instance: container.arn.clone(),
        instance: case.id().clone(),
    };
    let reason = DrainStepReason::CauseGone {
        drained_at: own.at,
        cause: own.cause,
        shown_by: shown_by(own.cause, group, case),
    };
    Some(Verdict::Step(action, reason, own.at))
}

/// Whether the instance may have been away all the time since it was drained: EC2 stopped it, or hibernated it, or its group put it into a warm
/// pool. What EC2 terminated is not registered any more.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-warm-pools.html>
const fn comes_back(cause: CauseKind) -> bool {
    match cause {
        CauseKind::SpotInterruption | CauseKind::Stopping | CauseKind::Terminating => true,
        CauseKind::CapacityReservationInterruption
        | CauseKind::Maintenance
        | CauseKind::Rebalance
        | CauseKind::AgentLost => false,
    }
}

/// What is left on an instance after the longest that a drain normally takes.
fn is_stuck(group: &GroupCase<'_>, case: &Case<'_>) -> Option<TaskCounts> {
    let since = case.departure.draining_since?;
    let is_late = group.policy.departure_timeout.after(since) <= group.look.now;
    counts(case).filter(|it| is_late && it.left() > 0)
}

/// What shows that it stays, or that it is of no use to let it go.
fn shown_by(cause: CauseKind, group: &GroupCase<'_>, case: &Case<'_>) -> String {
    match cause {
        CauseKind::SpotInterruption | CauseKind::CapacityReservationInterruption => {
            format!("its agent is connected, {WARNING_OVER} and more after EC2 was to take it")
        }
        CauseKind::Terminating => match case.lifecycle() {
            None => format!("it has been in no group for {DETACHED_FOR} and more"),
            Some(_) => "its group has it in service".to_owned(),
        },
        CauseKind::Stopping | CauseKind::AgentLost => "its agent is connected".to_owned(),
        CauseKind::Maintenance => match case.departure.cause(cause) {
            Some(moved) => format!("AWS moved the maintenance to {:.0}", moved.at()),
            None => format!(
                "AWS Health says that the maintenance is over, or it was to begin {MAINTENANCE_OVER} ago and more"
            ),
        },
        CauseKind::Rebalance => match is_stuck(group, case) {
            Some(tasks) if case.departure.cause(cause).is_some() => format!(
                "EC2 has only recommended to rebalance it, and after {} it is not empty: {tasks}",
                group.policy.departure_timeout
            ),
            Some(_) | None => {
                format!("nothing has followed EC2's recommendation for {REBALANCE_OVER}")
            }
        },
    }
}

/// When the instance's drain was lately taken back.
pub(crate) fn reversed_at(group: &GroupCase<'_>, case: &Case<'_>) -> Option<Timestamp> {
    let reversal = group.before?.reversed.get(case.id())?;
    (group.look.now < REVERSED_FOR.after(reversal.at)).then_some(reversal.at)
}
