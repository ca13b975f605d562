//! Tasks that Ballast stops itself, where the tag `ballast:stop-tasks` says so: those that nobody else would stop in time for their stop
//! timeout, so that they end as they are meant to instead of being cut off with the instance.
//!
//! A task that ECS does not move is stopped in the last look that is early enough. Any other one is too, but only after ECS has had its
//! chance for [`ECS_CHANCE`].
//!
//! Guaranteed: a task is stopped only on an instance that certainly leaves, is DRAINING, has a deadline to come and a connected agent; no
//! daemon's; at most [`STOPS_MAX`] a look, those whose last moment is first.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::InstanceTask;
use model::drain::{DrainAction, DrainStepReason, StuckReason};
use model::ids::InstanceId;
use model::{Seconds, TaskArn};

use super::case::{Case, GroupCase, Standing};
use super::stuck;

/// How much earlier than its stop timeout asks for a task is told to stop: the agent learns of it a moment later. The number is ours.
pub const STOP_LAG: Seconds = Seconds(5);
/// How long ECS is given to move a task that it can move, once the instance is DRAINING. The number is ours.
pub const ECS_CHANCE: Seconds = Seconds(30);
/// How many tasks are stopped in one look at most. `StopTask` takes one task a call, at a sustained rate of 40 a second.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>
pub const STOPS_MAX: usize = 100;

/// A task to stop.
pub(crate) struct Stop<'a> {
    pub(crate) task: &'a InstanceTask,
    pub(crate) instance: &'a InstanceId,
    /// When it must be told at the latest.
    pub(crate) latest: Timestamp,
    pub(crate) action: DrainAction,
    pub(crate) reason: DrainStepReason,
}

/// The tasks to stop: of the groups that act together, and of each group that asks for advice as if it were alone.
pub(crate) fn choose<'a>(groups: &[GroupCase<'a>]) -> BTreeMap<usize, Vec<Stop<'a>>> {
    let mut acting: Vec<(usize, Stop<'a>)> = Vec::new();
    let mut chosen: BTreeMap<usize, Vec<Stop<'a>>> = BTreeMap::new();
    for (number, group) in groups.iter().enumerate() {
        let of_group = group.cases.iter().flat_map(|it| of_case(group, it));
        match group.standing {
            Standing::Held => {}
            Standing::Act => acting.extend(of_group.map(|it| (number, it))),
            Standing::Advise => {
                let mut stops: Vec<Stop<'a>> = of_group.collect();
                stops.sort_by_key(|it| (it.latest, &it.task.arn));
                stops.truncate(STOPS_MAX);
                chosen.insert(number, stops);
            }
        }
    }
    acting.sort_by_key(|(_, it)| (it.latest, &it.task.arn));
    for (number, stop) in acting.into_iter().take(STOPS_MAX) {
        chosen.entry(number).or_default().push(stop);
    }
    chosen
}

/// The ARNs of the tasks.
pub(crate) fn arns<'s>(stops: &'s [Stop<'_>]) -> BTreeSet<&'s TaskArn> {
    stops.iter().map(|it| &it.task.arn).collect()
}

/// The tasks of an instance that must be stopped now.
fn of_case<'a>(group: &GroupCase<'a>, case: &Case<'a>) -> Vec<Stop<'a>> {
    let look = group.look;
    let (Some(deadline), Some(_)) = (case.deadline, &case.why) else {
        return Vec::new();
    };
    // What has left the group does not carry its tag any more.
    let may_stop = group.policy.stop_tasks
        && !case.is_detached
        && case.gone.is_none()
        && case.is_draining()
        && case.is_connected()
        && look.now < deadline;
    if !may_stop {
        return Vec::new();
    }
    let next_look_at = look.next_look_at();
    let draining_since = case.departure.draining_since.unwrap_or(look.now);
    let had_its_chance = ECS_CHANCE.after(draining_since) <= look.now;
    let of = |task: &'a InstanceTask| {
        let stop_timeout = case.stop_timeout(task);
        let latest = STOP_LAG.before(stop_timeout.before(deadline));
        let stuck = case.stuck.iter().find(|it| it.task.arn == task.arn);
        let (is_left_alone, why) = match stuck.map(|it| &it.why) {
            Some(
                why @ (StuckReason::Standalone
                | StuckReason::NoSurge { .. }
                | StuckReason::NoRoom { .. }),
            ) => (true, why.clone()),
            Some(
                why @ (StuckReason::TooSlow { .. }
                | StuckReason::StopTooLong { .. }
                | StuckReason::AgentDisconnected
                | StuckReason::NotMoved { .. }),
            ) => (false, why.clone()),
            None => (false, StuckReason::NotMoved { draining_since }),
        };
        if next_look_at <= latest || !(is_left_alone || had_its_chance) {
            return None;
        }
        let container = case.container()?;
        Some(Stop {
            task,
            instance: case.id(),
            latest,
            action: DrainAction::StopTask {
                cluster: case.cluster?.capacity.cluster.clone(),
                task: task.arn.clone(),
                container_instance: container.arn.clone(),
                instance: case.id().clone(),
            },
            reason: DrainStepReason::LastMoment {
                whose: stuck::whose(task),
                why,
                deadline,
                stop_timeout,
                next_look_at,
            },
        })
    };
    case.running().filter_map(of).collect()
}
