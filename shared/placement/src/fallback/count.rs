//! Ready, starting, leaving, missing: how the tasks of a pair are counted.

use jiff::Timestamp;
use model::Seconds;
use model::plan::Counts;
use model::policy::PairPolicy;
use model::snapshot::{Health, Pair, Service, Task, TaskStatus};

/// How long after the warning Spot takes a task, in seconds.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html#fargate-capacity-providers-termination>
pub const SPOT_NOTICE: Seconds = Seconds(120);

/// How long a container may take to stop where its definition does not say, in seconds.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>
pub const STOP_TIMEOUT_DEFAULT: Seconds = Seconds(30);

/// Counts a pair.
///
/// Where not every task that is to run was read, those that were not are not taken for missing: ECS's own counts stand in for them, so
/// that the deficit is what is missing for certain. `runningCount` counts interrupted tasks until they leave RUNNING, so the certain
/// deficit may be smaller than the true one; the next complete look finds it.
#[must_use]
pub fn counts(pair: &Pair, standby: &Service, policy: &PairPolicy, now: Timestamp) -> Counts {
    let primary = &pair.primary;
    let mut ready = number(primary, is_ready);
    let mut starting = number(primary, |task| is_starting(task, policy.start_grace, now));
    if !primary.all_to_run_read {
        let running_not_ready = number(primary, |task| {
            task.last_status == TaskStatus::Running && !is_ready(task)
        });
        ready = ready.max(primary.running_count.saturating_sub(running_not_ready));
        starting = starting.max(primary.pending_count);
    }
    let leaving = number(primary, |task| {
        deadline(task, primary).is_some_and(|deadline| now < deadline)
    });
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
        standby_ready: number(standby, is_ready),
    }
}

/// A task serves: RUNNING, to go on running, and its health checks do not fail.
#[must_use]
pub fn is_ready(task: &Task) -> bool {
    task.desired_running
        && task.last_status == TaskStatus::Running
        && task.health != Health::Unhealthy
}

/// A task is on its way: to run, not yet RUNNING, and younger than the start grace. Without a known age it does not count, so that a
/// task that never starts is missed sooner rather than never.
#[must_use]
pub fn is_starting(task: &Task, start_grace: Seconds, now: Timestamp) -> bool {
    let on_its_way = match task.last_status {
        TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating => true,
        TaskStatus::Running
        | TaskStatus::Deactivating
        | TaskStatus::Stopping
        | TaskStatus::Deprovisioning
        | TaskStatus::Stopped
        | TaskStatus::Unknown => false,
    };
    let young = task
        .created_at
        .is_some_and(|created| now < start_grace.after(created));
    task.desired_running && on_its_way && young
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

/// How many tasks Spot took within `window` and that do not serve any more.
#[must_use]
pub fn taken_lately(primary: &Service, window: Seconds, now: Timestamp) -> u32 {
    number(primary, |task| {
        let still_serves = deadline(task, primary).is_some_and(|deadline| now < deadline);
        let told = task.stopping_at.or(task.stopped_at);
        task.interrupted
            && !task.desired_running
            && !still_serves
            && told.is_some_and(|told| now < window.after(told))
    })
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
