//! Container instances of Spot: which tasks leave with theirs, and what shows that Spot has no other.
//!
//! An interrupted Spot instance is set to DRAINING with its warning, by its agent, by ECS or by Ballast, and ends two minutes later. State
//! tells neither the warning nor its time, and an instance drains for other reasons too: `cluster-scaler` empties Spot instances whose
//! tasks fit elsewhere. What tells the two apart is what ECS does. Where there is room it starts a replacement within seconds, and what is
//! replaced is not missing. Where there is none it says so, or starts nothing, look after look.
//!
//! **Assumed:** the end is near from the first look on. A warning may have come a whole schedule interval before that look, so that the
//! latest responsible moment of such tasks has always passed. Only the doubt about the cause is a reason to wait.
//!
//! **Absent:** an instance whose agent has lost its connection. It may come back, and its tasks serve.

use jiff::Timestamp;
use model::Seconds;
use model::capacity::ContainerInstanceStatus;
use model::memory::{Level, PairMemory};
use model::snapshot::{Service, Task};
use model::strategy::{FARGATE_SPOT, Market};

use super::cause::{Cause, classify, classify_line};
use super::count::SPOT_NOTICE;
use super::{Case, Look, count};

/// How long ECS may take to start the first replacement for a task on an instance that drains, where there is room, in seconds. ECS
/// publishes no number; its scheduler starts tasks within a few seconds, and its answers may be older than that.
pub const REPLACEMENT_LAG: Seconds = Seconds(30);

/// How long ECS must have found no room, again and again, until it is no scale-out any more, in seconds. A group that is scaled out takes
/// one to three minutes.
pub const SHORT_FOR: Seconds = Seconds(240);

/// The longest time between two reports of one shortage, and from the last of them to now, in seconds.
pub const REPORTS_APART_MAX: Seconds = Seconds(180);

/// Whether a task leaves with its instance: it is on Spot, and the instance drains.
#[must_use]
pub fn is_leaving(task: &Task, service: &Service) -> bool {
    task.desired_running
        && task.instance_status == Some(ContainerInstanceStatus::Draining)
        && service.capacity.iter().any(|share| {
            share.market == Market::Spot && Some(&share.item.provider) == task.provider.as_ref()
        })
}

/// When ECS said that no instance has room for a task of the primary, oldest first: by event, or in the service's own log. A report
/// without a time, or from the future, counts as of now.
fn reports(look: &Look<'_>) -> Vec<Timestamp> {
    let (primary, now) = (&look.pair.primary, look.now);
    let of_primary = |failure: &model::trigger::PlacementFailure| {
        failure.service == primary.key && classify(failure, primary) == Cause::Ec2Resources
    };
    let events = look.hints.placement_failures.iter();
    let by_event = events
        .filter(|(_, failure)| of_primary(failure))
        .map(|(at, _)| at.unwrap_or(now));
    let by_log = primary
        .not_placed
        .iter()
        .filter(|line| classify_line(line) == Cause::Ec2Resources)
        .map(|line| line.at);
    let mut reports: Vec<Timestamp> = by_event.chain(by_log).map(|at| at.min(now)).collect();
    reports.sort_unstable();
    reports
}

/// The last report, if it can be about replacements for a task that an interruption takes: no older than the notice.
pub(crate) fn no_room_at(look: &Look<'_>) -> Option<Timestamp> {
    let last = reports(look).last().copied();
    last.filter(|at| look.now < SPOT_NOTICE.after(*at))
}

/// From when to when ECS has found no room for tasks of a service on Spot instances, where that still goes on and has lasted for longer
/// than a scale-out takes.
pub(crate) fn short(case: &Case<'_>) -> Option<(Timestamp, Timestamp)> {
    let primary = &case.look.pair.primary;
    let on_spot_instances = primary.capacity.iter().any(|share| {
        share.places_tasks()
            && share.market == Market::Spot
            && share.item.provider.as_str() != FARGATE_SPOT
    });
    if !on_spot_instances {
        return None;
    }
    let mut later = case.look.now;
    let mut since = None;
    let reports = reports(case.look);
    for at in reports.iter().rev() {
        if REPORTS_APART_MAX.after(*at) < later {
            break;
        }
        later = *at;
        since = Some(*at);
    }
    let (since, latest) = (since?, *reports.last()?);
    let long_enough = SHORT_FOR
        .max(case.policy.settle)
        .max(case.policy.start_grace);
    (long_enough.after(since) <= latest).then_some((since, latest))
}

/// Keeps since when ECS has replaced none of the tasks that leave with their instances. A replacement on its way, or fewer tasks to
/// replace, is progress: the time starts again.
pub(crate) fn note(memory: &mut PairMemory, case: &Case<'_>, now: Timestamp) {
    let tasks = count::not_replaced(&case.look.pair.primary, case.counts);
    if tasks == 0 || case.counts.starting > 0 {
        memory.not_replaced = None;
        return;
    }
    let still = memory.not_replaced.filter(|level| level.tasks <= tasks);
    let at = still.map_or(now, |level| level.at);
    memory.not_replaced = Some(Level { tasks, at });
}

/// Since when ECS has replaced none of them, as long as that is so now.
pub(crate) fn not_replaced_since(case: &Case<'_>, memory: &PairMemory) -> Option<Timestamp> {
    let level = memory.not_replaced?;
    (case.counts.starting == 0).then_some(level.at)
}
