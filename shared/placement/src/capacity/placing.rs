//! Tasks that packing finds room for and ECS does not place.
//!
//! ECS knows more of an instance than it tells. Where it says that it could not place a service's tasks, or tasks have waited for 5
//! minutes, although instances that were there all that time have room for them, more instances are no answer and none is on its way:
//! somebody must look.

use jiff::Timestamp;
use model::Seconds;
use model::capacity::CapacityHoldReason;

use super::case::{Case, MemberState};
use super::demand::Request;

/// How long a task may wait for room that is there. ECS places waiting tasks within a minute or two; the number is ours.
const PLACED_WITHIN: Seconds = Seconds(300);
/// For how long a failure to place a task is recent. ECS tries again at growing intervals, up to 15 minutes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html>
const FAILURE_TTL: Seconds = Seconds(900);

/// Why a group that is large enough leaves tasks without a place all the same.
pub(crate) fn not_placed(case: &Case<'_>) -> Option<CapacityHoldReason> {
    if case.numbers.launching > 0 || case.tasks_without_room > 0 {
        return None;
    }
    let active = case.members.iter();
    let newest = active
        .filter(|it| it.state == MemberState::Active)
        .filter_map(|it| it.container?.registered_at)
        .max();
    let since = |request: &&Request<'_>| {
        let since = unplaced_since(case, request)?;
        // What registered since then may take them at once.
        newest.is_none_or(|at| at < since).then_some((
            since,
            request.whose(),
            request.waiting,
            request.missing,
        ))
    };
    let (since, whose, waiting, missing) = case
        .demand
        .requests
        .iter()
        .filter_map(|it| since(&it))
        .min()?;
    Some(CapacityHoldReason::NotPlaced {
        whose,
        tasks: waiting.saturating_add(missing),
        since,
    })
}

/// Since when ECS is known not to place tasks of the request that are to run.
fn unplaced_since(case: &Case<'_>, request: &Request<'_>) -> Option<Timestamp> {
    let now = case.look.now;
    if request.waiting == 0 && request.missing == 0 {
        return None;
    }
    let waiting = case.look.cluster.tasks.iter().filter(|task| {
        let service = request.service.map(|it| &it.name);
        task.instance.is_none()
            && task.desired_running
            && task.provider.as_ref() == Some(&case.look.provider.key.provider)
            && task.service.as_ref() == service
            && task.task_definition == *request.task_definition
    });
    let waits = waiting
        .filter_map(|task| task.created_at)
        .min()
        .filter(|at| PLACED_WITHIN.after(*at) <= now);
    let failed = request.service.and_then(|service| {
        let reported = case.look.hints.placement_failures.iter();
        let reported = reported
            .filter(|(_, it)| {
                it.service.cluster == case.look.cluster.cluster
                    && it.service.service == service.name
            })
            .map(|(at, _)| at.unwrap_or(now));
        let failed_at = reported.chain(service.placement_failed_at).max()?;
        (now < FAILURE_TTL.after(failed_at)).then_some(failed_at)
    });
    waits.into_iter().chain(failed).min()
}
