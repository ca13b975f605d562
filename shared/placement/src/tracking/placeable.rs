//! Are the tasks that were asked for before placed at all?
//!
//! AWS's target tracking raises the desired count of a service whose tasks nothing can place, on and on. Here a raise waits while tasks
//! are missing for [`MISSING_FOR`], more than [`MISSING_PERCENT_MAX`] of them, and there is evidence of why: it is then said, and asks for nothing that cannot be had. Tasks of the
//! standby that run in their place, or are on their way, are not missing: spot-fallback covers a raise as it covers anything else.

use jiff::Timestamp;
use model::Seconds;
use model::memory::Level;
use model::snapshot::{ProviderShare, Service};
use model::strategy::Market;
use model::tracking::TrackingHoldReason;
use model::tracking::hold::PlacementLimit;

use super::Verdict;
use super::case::Case;

/// For so long tasks may be missing before that says anything. ECS starts the tasks of a service within seconds where it has room, and
/// tries again and again where it has not; the number is ours.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html>
pub const MISSING_FOR: Seconds = Seconds(120);

/// So many percent of the tasks that are asked for may be missing all the same: a task that ends again and again, and that ECS starts
/// less and less often, says nothing of the room for others. The number is ours.
pub const MISSING_PERCENT_MAX: u64 = 10;

/// How long a line of the service's log, that no instance had room, counts.
pub const LOG_LINE_FOR: Seconds = Seconds(300);

/// Tasks may be on their way for so long without one more running; then they count as not placed. A task for which a capacity provider has
/// no instance stays PROVISIONING, and nothing in the service's log says so. ECS gives it up after ten to thirty minutes and makes
/// another; a task that has an instance runs within a few minutes. The number is ours; `ballast:start-up-secs` counts where it is longer.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-auto-scaling.html>
pub const PENDING_FOR: Seconds = Seconds(300);

/// Remembers since when tasks are on their way, and since when some are missing.
pub(crate) fn note(case: &mut Case<'_>) {
    let now = case.now;
    let primary = &case.fleet.primary;
    let standby = case.standby();
    if let Some(memory) = case.memory.as_mut() {
        memory.pending = waiting(memory.pending, primary, now);
        memory.standby_pending = standby.and_then(|it| waiting(memory.standby_pending, it, now));
    }
    let tasks = missing(case);
    let stuck_since = case.memory.as_ref().and_then(|it| it.pending);
    // Where more are missing than those, some are so from now on.
    let are_those = tasks <= case.fleet.primary.pending_count;
    let begun = stuck_since
        .filter(|it| are_those && is_stuck(case, Some(*it)))
        .map_or(now, |it| it.at);
    if let Some(memory) = case.memory.as_mut() {
        let since = memory.missing.map_or(begun, |it| it.at.min(now));
        memory.missing = (tasks > 0).then_some(Level { tasks, at: since });
    }
}

/// Since when tasks of a service are on their way without one more running.
fn waiting(before: Option<Level>, service: &Service, now: Timestamp) -> Option<Level> {
    let running = service.running_count;
    let goes_on = before.filter(|it| running <= it.tasks && it.at <= now);
    (service.pending_count > 0).then(|| Level {
        tasks: running,
        at: goes_on.map_or(now, |it| it.at),
    })
}

fn is_stuck(case: &Case<'_>, waiting: Option<Level>) -> bool {
    let pending_for = PENDING_FOR.max(case.policy.pace.start_up);
    waiting.is_some_and(|it| pending_for.after(it.at) <= case.now)
}

/// The tasks of the primary and of the standby that are on their way, those left out that have been for too long.
pub(crate) fn on_their_way(case: &Case<'_>) -> (u32, u32) {
    let memory = case.memory.as_ref();
    let unless_stuck = |pending: u32, waiting: Option<Level>| {
        if is_stuck(case, waiting) { 0 } else { pending }
    };
    let of_standby = case.standby().map_or(0, |it| it.pending_count);
    (
        unless_stuck(
            case.fleet.primary.pending_count,
            memory.and_then(|it| it.pending),
        ),
        unless_stuck(of_standby, memory.and_then(|it| it.standby_pending)),
    )
}

/// The tasks that are asked for and are not placed, those left out that the standby runs or starts. A task on its way counts as placed,
/// unless ECS says that no instance had room, or it has been on its way for too long.
fn missing(case: &Case<'_>) -> u32 {
    let primary = &case.fleet.primary;
    let (pending, standby_pending) = on_their_way(case);
    let on_their_way = match no_room(case) {
        None => pending,
        Some(_) => 0,
    };
    let standby = case.standby();
    let in_their_place = standby.map_or(0, |it| it.running_count.saturating_add(standby_pending));
    primary
        .desired_count
        .saturating_sub(primary.running_count)
        .saturating_sub(on_their_way)
        .saturating_sub(in_their_place)
}

/// When ECS said last that no container instance had room, where that is a short while ago.
fn no_room(case: &Case<'_>) -> Option<PlacementLimit> {
    let lines = case.fleet.primary.not_placed.iter().map(|it| it.at);
    let from = LOG_LINE_FOR.before(case.now);
    let at = lines.filter(|at| from < *at).max()?;
    Some(PlacementLimit::NoInstanceHasRoom { at })
}

/// The reason not to ask for more, where there is one.
pub(crate) fn limited(case: &Case<'_>, needed: u32) -> Option<Verdict> {
    let Level { tasks, at } = case.memory.as_ref()?.missing?;
    let is_little = u64::from(tasks) * 100 <= u64::from(case.desired()) * MISSING_PERCENT_MAX;
    if is_little || case.now <= MISSING_FOR.after(at) {
        return None;
    }
    let limits: Vec<PlacementLimit> = no_room(case)
        .into_iter()
        .chain(groups_at_maximum(case))
        .chain(spot_only(case))
        .collect();
    if limits.is_empty() {
        return None;
    }
    Some(Verdict::hold(TrackingHoldReason::NowhereToPlace {
        needed,
        missing: tasks,
        since: at,
        limits,
    }))
}

fn places<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a ProviderShare> + use<'a> {
    let capacity = case.fleet.primary.capacity.iter();
    capacity.filter(|it| it.places_tasks())
}

/// The groups, where every provider that takes tasks of the service is on one that is as large as it may be.
fn groups_at_maximum(case: &Case<'_>) -> Vec<PlacementLimit> {
    let full = places(case).map(|share| {
        let provider = &share.item.provider;
        let group = case.fleet.groups.get(provider)?;
        (group.desired_capacity >= group.max_size).then(|| PlacementLimit::GroupAtMaximum {
            provider: provider.clone(),
            group: group.group.clone(),
            max_size: group.max_size,
        })
    });
    full.collect::<Option<_>>().unwrap_or_default()
}

/// The providers, where all of them are Spot.
fn spot_only(case: &Case<'_>) -> Option<PlacementLimit> {
    let is_spot = |it: &ProviderShare| match it.market {
        Market::Spot => true,
        Market::OnDemand | Market::Unknown => false,
    };
    let providers: Vec<_> = places(case).map(|it| it.item.provider.clone()).collect();
    if providers.is_empty() || !places(case).all(is_spot) {
        return None;
    }
    Some(PlacementLimit::SpotOnly {
        providers,
        standby_running: case.numbers.standby_running,
    })
}
