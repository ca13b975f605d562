//! The lifecycle action by which an instance waits in Ballast's hook: wait on, or let it go.
//!
//! | asked in this order | then |
//! |---|---|
//! | the hooks could not be read | nothing: AWS's own timeout ends the wait |
//! | the group has no hook of Ballast's | nothing: the wait is its owner's |
//! | Ballast completed it less than [`GOES_ON_WITHIN`] ago | nothing: the group goes on |
//! | the instance is DRAINING or INACTIVE, and no task is left on it but daemons' | CONTINUE, if that is still so then |
//! | the instance is gone, or was not registered and will not be | CONTINUE: there is nothing to wait for |
//! | the deadline is reached | CONTINUE, whatever is left |
//! | half of its timeout is over, or it would time out before the look after next | a heartbeat |
//! | otherwise | wait |
//!
//! Guaranteed: no action is completed while a task may be left on the instance that anybody waits for, before its deadline; no heartbeat
//! is sent after it.
//!
//! Assumed: nobody else extends or completes the hook that the tag names, but for another installation that looks after other clusters. Where
//! a group may be that one's, because nothing of it is registered in a cluster of this one, only the deadline ends a wait here, and that
//! the instance was registered when it was looked at before.
//!
//! Absent: `ABANDON`, which ends the group's other hooks. <https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html>

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::drain::{
    DrainAction, DrainHoldReason, DrainKey, DrainStepReason, LifecycleHook, TaskCounts,
};
use model::{Seconds, TaskArn};

use super::case::{Case, GroupCase, Place, Waiting};
use super::causes::REGISTERS_WITHIN;
use super::numbers::counts;
use super::{Verdict, stuck};

/// How long a group may take to go on after an action was completed; one that has not gone on by then is completed again. The number is
/// ours.
pub const GOES_ON_WITHIN: Seconds = Seconds(300);

/// What is done about the action by which an instance waits; `None` where it does not wait.
pub(crate) fn verdict(
    group: &GroupCase<'_>,
    case: &Case<'_>,
    stopped: &BTreeSet<&TaskArn>,
) -> Option<Verdict> {
    let waiting = case.waiting?;
    if !group.of.hooks_read {
        return Some(Verdict::hold(DrainHoldReason::HooksUnread));
    }
    let Some((hook, deadline)) = waiting.own else {
        let hooks = group.of.hooks.keys().cloned().collect();
        return Some(Verdict::hold(DrainHoldReason::HookOfSomebodyElse { hooks }));
    };
    let now = group.look.now;
    if let Some(at) = case.departure.completed_at {
        let until = GOES_ON_WITHIN.after(at);
        if now < until {
            let reason = DrainHoldReason::Completed { at };
            return Some(Verdict::Hold(reason, Some(until)));
        }
    }
    if let Some((reason, is_empty)) = over(group, case, waiting, deadline, stopped) {
        let empty = is_empty.then(|| case.instance.registered.clone()).flatten();
        let action = DrainAction::CompleteLifecycleAction {
            group: group_name(group)?,
            hook: hook.name.clone(),
            instance: case.id().clone(),
            empty,
        };
        // What may be done already comes after everything that is not.
        let is_again = case.departure.completed_at.is_some();
        let urgency = if is_again { Timestamp::MAX } else { deadline };
        return Some(Verdict::Step(action, reason, urgency));
    }
    wait(group, case, waiting, (hook, deadline), stopped)
}

fn group_name(group: &GroupCase<'_>) -> Option<model::AutoScalingGroupName> {
    match &group.of.key {
        DrainKey::Group { group } => Some(group.clone()),
        DrainKey::Cluster { .. } | DrainKey::Instance { .. } => None,
    }
}

/// Why the wait is over, and whether that is because no task is left.
fn over(
    group: &GroupCase<'_>,
    case: &Case<'_>,
    waiting: Waiting<'_>,
    deadline: Timestamp,
    stopped: &BTreeSet<&TaskArn>,
) -> Option<(DrainStepReason, bool)> {
    let now = group.look.now;
    let tasks = counts(case);
    let takes_none = matches!(case.place, Place::Draining(_) | Place::Gone("INACTIVE"));
    if let Some(tasks) = tasks.filter(|it| takes_none && it.left() == 0) {
        let reason = DrainStepReason::Drained {
            since: waiting.since,
            daemon_tasks: tasks.daemon,
        };
        return Some((reason, true));
    }
    if let Some(shown_by) = nothing_to_wait_for(group, case, waiting) {
        return Some((DrainStepReason::NothingToWaitFor { shown_by }, false));
    }
    (deadline <= now).then(|| {
        let reason = DrainStepReason::DeadlineReached {
            deadline,
            tasks,
            stuck: stuck::lines(case.stuck_but(stopped)),
        };
        (reason, false)
    })
}

fn nothing_to_wait_for(
    group: &GroupCase<'_>,
    case: &Case<'_>,
    waiting: Waiting<'_>,
) -> Option<String> {
    if let Some(shown_by) = &case.gone {
        return Some(shown_by.clone());
    }
    if case.place != Place::NotRegistered || !group.proves_unregistered() {
        return None;
    }
    if let Some(shown_by) = is_ill_unregistered(group, case) {
        return Some(shown_by);
    }
    let until = REGISTERS_WITHIN.after(waiting.since);
    (until <= group.look.now).then(|| format!("it had not registered by {until:.0}"))
}

/// What shows that an instance that is not registered never will be.
pub(crate) fn is_ill_unregistered(group: &GroupCase<'_>, case: &Case<'_>) -> Option<String> {
    let member = case.instance.member.as_ref();
    let is_ill = member.is_some_and(|it| !it.is_healthy);
    let is_certain = case.place == Place::NotRegistered && group.proves_unregistered();
    (is_ill && is_certain)
        .then(|| "it is not registered, and its group takes it for unhealthy".to_owned())
}

/// A heartbeat, where one is due, or nothing.
fn wait(
    group: &GroupCase<'_>,
    case: &Case<'_>,
    waiting: Waiting<'_>,
    (hook, deadline): (&LifecycleHook, Timestamp),
    stopped: &BTreeSet<&TaskArn>,
) -> Option<Verdict> {
    let look = group.look;
    let heartbeat_at = case.departure.heartbeat_at;
    // Since when it waits may not be known: then it may time out at any moment, until a heartbeat was sent.
    let known_since = waiting.is_since_known.then_some(waiting.since);
    let last = heartbeat_at.max(known_since);
    let times_out_at = last.map_or(look.now, |it| hook.heartbeat_timeout.after(it));
    let tasks: Option<TaskCounts> = counts(case);
    let stuck = stuck::lines(case.stuck_but(stopped));
    // One that was sent a moment ago is not sent again, however short the hook is.
    let again = Seconds(hook.heartbeat_timeout.0 / 4);
    let was_sent = heartbeat_at.is_some_and(|it| look.now < again.after(it));
    // With half of the timeout to come a missed look, or more waits than one look has time for, cost none.
    let half = Seconds(hook.heartbeat_timeout.0 / 2);
    let is_due = half.before(times_out_at) <= look.now || times_out_at <= look.look_after_next_at();
    if is_due && !was_sent {
        let action = DrainAction::RecordHeartbeat {
            group: group_name(group)?,
            hook: hook.name.clone(),
            instance: case.id().clone(),
        };
        let reason = DrainStepReason::TasksLeft {
            tasks,
            stuck,
            times_out_at,
            deadline,
        };
        return Some(Verdict::Step(action, reason, times_out_at));
    }
    Some(Verdict::hold(DrainHoldReason::WaitingForTasks {
        tasks,
        stuck,
        times_out_at,
        deadline,
    }))
}
