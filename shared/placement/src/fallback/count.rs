//! Ready, starting, leaving, missing: how the tasks of a pair are counted.

use jiff::Timestamp;
use model::Seconds;
use model::plan::Counts;
use model::policy::PairPolicy;
use model::snapshot::{Health, Pair, STOP_TIMEOUT_DEFAULT, Service, Task, TaskStatus};

use super::instances;

/// How long after the warning Spot takes a task, in seconds.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html#fargate-capacity-providers-termination>
pub const SPOT_NOTICE: Seconds = Seconds(120);

/// Counts a pair.
///
/// Where not every task that is to run was read, those that were not are not taken for missing: ECS's own counts stand in for them, so
/// that the deficit is what is missing for certain. `runningCount` counts interrupted tasks until they leave RUNNING, so the certain
/// deficit may be smaller than the true one; the next complete look finds it.
#[must_use]
pub fn counts(pair: &Pair, standby: &Service, policy: &PairPolicy, now: Timestamp) -> Counts {
    let primary = &pair.primary;
    let mut ready = number(primary, |task| is_ready(task, primary));
    let mut starting = number(primary, |task| {
        is_starting(task, primary, policy.start_grace, now)
    });
    if !primary.all_to_run_read {
        let running_not_ready = number(primary, |task| {
            task.last_status == TaskStatus::Running && !is_ready(task, primary)
        });
        ready = ready.max(primary.running_count.saturating_sub(running_not_ready));
        starting = starting.max(primary.pending_count);
    }
    let told = number(primary, |task| {
        deadline(task, primary).is_some_and(|deadline| now < deadline)
    });
    let leaving = told.saturating_add(draining(primary));
    Counts {
        desired: primary.desired_count,
        ready,
        starting,
        leaving,
        deficit: primary
            .desired_count
            .saturating_sub(ready)
            .saturating_sub(starting),
        standby_desired: standby.desired_count,
        standby_ready: number(standby, |task| is_ready(task, standby)),
    }
}

/// A task serves and stays: RUNNING, to go on running, its health checks do not fail, and its instance does not drain.
#[must_use]
pub fn is_ready(task: &Task, service: &Service) -> bool {
    serves(task) && !instances::is_leaving(task, service)
}

fn serves(task: &Task) -> bool {
    task.desired_running
        && task.last_status == TaskStatus::Running
        && task.health != Health::Unhealthy
}

/// A task is on its way: to run, not yet RUNNING, and younger than the start grace. Without a known age it does not count, so that a
/// task that never starts is missed sooner rather than never. On an instance that drains it does not count either: ECS stops it.
#[must_use]
pub fn is_starting(task: &Task, service: &Service, start_grace: Seconds, now: Timestamp) -> bool {
    let young = task
        .created_at
        .is_some_and(|created| now < start_grace.after(created));
    let stays = task.desired_running && !instances::is_leaving(task, service);
    stays && is_on_its_way(task.last_status) && young
}

/// How many tasks serve on Spot instances that drain.
#[must_use]
pub fn draining(service: &Service) -> u32 {
    number(service, |task| {
        serves(task) && instances::is_leaving(task, service)
    })
}

/// How many tasks on Spot instances that drain no starting task replaces: the part of the deficit that these are. Tasks that Spot has told
/// to stop are replaced last.
#[must_use]
pub fn not_replaced(primary: &Service, counts: Counts) -> u32 {
    draining(primary).min(counts.deficit.saturating_sub(gone(counts)))
}

const fn is_on_its_way(status: TaskStatus) -> bool {
    match status {
        TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating => true,
        TaskStatus::Running
        | TaskStatus::Deactivating
        | TaskStatus::Stopping
        | TaskStatus::Deprovisioning
        | TaskStatus::Stopped
        | TaskStatus::Unknown => false,
    }
}

/// When an interrupted task that still serves will have ended: the notice after it was told to stop, or its stop timeout if that is
/// shorter, because SIGTERM comes with the warning and SIGKILL one stop timeout later.
///
/// `None` for a task that is not leaving, or whose warning time is unknown: such a task is not relied on.
#[must_use]
pub fn deadline(task: &Task, service: &Service) -> Option<Timestamp> {
    let serves = !task.desired_running
        && task.interrupted
        && task.last_status == TaskStatus::Running
        && task.health != Health::Unhealthy;
    let stop_timeout = service.stop_timeout.unwrap_or(STOP_TIMEOUT_DEFAULT);
    let told = task.stopping_at.filter(|_| serves)?;
    Some(SPOT_NOTICE.min(stop_timeout).after(told))
}

/// The first moment at which one of the leaving tasks ends.
#[must_use]
pub fn first_deadline(primary: &Service, now: Timestamp) -> Option<Timestamp> {
    primary
        .tasks
        .iter()
        .filter_map(|task| deadline(task, primary))
        .filter(|deadline| now < *deadline)
        .min()
}

/// What is missing and does not serve any more: the deficit without the leaving tasks that no starting task replaces. A leaving task whose
/// replacement starts is not in the deficit, so it takes nothing off it.
#[must_use]
pub fn gone(counts: Counts) -> u32 {
    let only_leaving = counts.leaving.saturating_sub(counts.starting);
    counts.deficit.saturating_sub(only_leaving)
}

/// How many tasks Spot took within `window` that neither serve nor were replaced.
///
/// A task that is to run and was made since the first of them was told counts as a replacement, whatever its state: one that starts is not
/// missing, and one that does not start is [`overdue`] in time. As in [`gone`], the leaving tasks are replaced first.
#[must_use]
pub fn taken_lately(primary: &Service, window: Seconds, now: Timestamp) -> u32 {
    let told: Vec<Timestamp> = primary
        .tasks
        .iter()
        .filter_map(|task| taken_at(task, primary, now))
        .filter(|told| now < window.after(*told))
        .collect();
    let leaving: Vec<Timestamp> = primary
        .tasks
        .iter()
        .filter(|task| deadline(task, primary).is_some_and(|deadline| now < deadline))
        .filter_map(|task| task.stopping_at)
        .collect();
    let (for_leaving, for_told) = (
        made_since_first(primary, &leaving),
        made_since_first(primary, &told),
    );
    let not_of_leaving = for_leaving
        .max(for_told)
        .saturating_sub(for_leaving.min(length(&leaving)));
    let replaced = for_told.min(not_of_leaving);
    length(&told).saturating_sub(replaced)
}

/// How many tasks that are to run were made since the first of these moments.
fn made_since_first(primary: &Service, moments: &[Timestamp]) -> u32 {
    let Some(first) = moments.iter().min() else {
        return 0;
    };
    number(primary, |task| {
        task.desired_running && task.created_at.is_some_and(|created| *first <= created)
    })
}

fn length(moments: &[Timestamp]) -> u32 {
    u32::try_from(moments.len()).unwrap_or(u32::MAX)
}

/// When a task that Spot took and that does not serve any more was told to stop. One that is on its way out and does not say since when
/// counts as told now: it is not relied on to serve.
fn taken_at(task: &Task, primary: &Service, now: Timestamp) -> Option<Timestamp> {
    let still_serves = deadline(task, primary).is_some_and(|deadline| now < deadline);
    if !task.interrupted || task.desired_running || still_serves {
        return None;
    }
    let not_over = (task.last_status != TaskStatus::Stopped).then_some(now);
    task.stopping_at.or(task.stopped_at).or(not_over)
}

/// How many tasks have been on their way for longer than both the start grace and the settle time, and missing for less than `window`:
/// what a task has lasted while it counted as starting, it need not last again.
#[must_use]
pub fn overdue(
    primary: &Service,
    policy: &PairPolicy,
    window: Option<Seconds>,
    now: Timestamp,
) -> u32 {
    number(primary, |task| {
        let Some(due) = overdue_at(task, policy) else {
            return false;
        };
        let missing_since = task.created_at.map(|made| policy.start_grace.after(made));
        let counts = window.is_none_or(|window| {
            missing_since.is_some_and(|missing_since| now < window.after(missing_since))
        });
        due <= now && counts
    })
}

/// When a task that is still on its way becomes, or became, overdue.
#[must_use]
pub fn overdue_at(task: &Task, policy: &PairPolicy) -> Option<Timestamp> {
    let made = task
        .created_at
        .filter(|_| task.desired_running && is_on_its_way(task.last_status))?;
    Some(policy.start_grace.max(policy.settle).after(made))
}

/// How many tasks are not told to stop, whatever their state.
#[must_use]
pub fn to_run(service: &Service) -> u32 {
    number(service, |task| task.desired_running)
}

fn number(service: &Service, wanted: impl Fn(&Task) -> bool) -> u32 {
    let count = service.tasks.iter().filter(|task| wanted(task)).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
