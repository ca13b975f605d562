//! How long a task of a pair takes to start, measured from the pair's own tasks.

use model::Seconds;
use model::policy::PairPolicy;
use model::snapshot::{Service, Task};

/// Which share of the measured start-ups is covered: nine tenths.
pub const PERCENTILE: usize = 90;

/// The shortest start-up time that is counted with, whatever was measured.
pub const START_UP_MIN: Seconds = Seconds(5);

/// The longest start-up time that is counted with, whatever was measured: one task that waited for an image must not make every
/// wait look pointless for good.
pub const START_UP_MAX: Seconds = Seconds(600);

/// The start-up time to count with: the 90th percentile (nearest rank) of `startedAt − createdAt` over the tasks of both services
/// that ECS still lists, within bounds; the policy's default where no task tells it.
#[must_use]
pub fn start_up(primary: &Service, standby: &Service, policy: &PairPolicy) -> Seconds {
    let mut measured: Vec<Seconds> = primary
        .tasks
        .iter()
        .chain(&standby.tasks)
        .filter_map(took)
        .collect();
    measured.sort_unstable();
    let rank = (measured.len() * PERCENTILE).div_ceil(100);
    let high = rank.checked_sub(1).and_then(|index| measured.get(index));
    high.map_or(policy.start_up_default, |high| {
        (*high).clamp(START_UP_MIN, START_UP_MAX)
    })
}

/// From `createdAt` to `startedAt`, rounded up to whole seconds.
fn took(task: &Task) -> Option<Seconds> {
    let (created, started) = (task.created_at?, task.started_at?);
    let whole = Seconds::between(created, started);
    let rounded_up = if whole.after(created) < started {
        Seconds(whole.0.saturating_add(1))
    } else {
        whole
    };
    (created <= started).then_some(rounded_up)
}
