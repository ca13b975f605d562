//! What is counted: the tasks on an instance, and a group's numbers.

use std::collections::BTreeSet;

use model::drain::{DepartureNumbers, DrainHoldReason, TaskCounts};
use model::{Seconds, TaskArn};

use super::Verdict;
use super::case::{Case, GroupCase};

/// The tasks on an instance; `None` where they were not read.
pub(crate) fn counts(case: &Case<'_>) -> Option<TaskCounts> {
    let tasks = case.tasks.as_ref()?;
    let mut counts = TaskCounts::default();
    for task in tasks {
        let count = match (task.is_daemon, task.desired_running, &task.service) {
            (true, _, _) => &mut counts.daemon,
            (false, false, _) => &mut counts.stopping,
            (false, true, Some(_)) => &mut counts.service,
            (false, true, None) => &mut counts.standalone,
        };
        *count = count.saturating_add(1);
    }
    Some(counts)
}

/// A group's numbers, from its instances and what was decided about each.
pub(crate) fn of_group(
    group: &GroupCase<'_>,
    verdicts: &[Verdict],
    stopped: &BTreeSet<&TaskArn>,
) -> DepartureNumbers {
    let mut numbers = DepartureNumbers {
        oldest_drain: Some(Seconds(0)),
        ..DepartureNumbers::default()
    };
    let add = |to: &mut u32, count: u32| *to = to.saturating_add(count);
    for (case, verdict) in group.cases.iter().zip(verdicts) {
        add(&mut numbers.looked_at, 1);
        let counts = counts(case);
        if case.is_draining() && case.gone.is_none() {
            add(&mut numbers.draining_any, 1);
            let since = case.departure.draining_since.unwrap_or(group.look.now);
            let drained_for = Seconds::between(since, group.look.now);
            // Without the ledger nothing tells since when.
            let known = group.before.and(numbers.oldest_drain);
            numbers.oldest_drain = known.map(|it| it.max(drained_for));
        }
        if case.gone.is_some() {
            continue;
        }
        if case.why.is_none() {
            let may_leave = !case.departure.causes.is_empty();
            add(&mut numbers.perhaps, u32::from(may_leave));
            continue;
        }
        add(&mut numbers.leaving, 1);
        if case.is_draining() {
            add(&mut numbers.draining, 1);
            let is_drained = counts.is_some_and(|it| it.left() == 0);
            add(&mut numbers.drained, u32::from(is_drained));
        }
        match verdict {
            Verdict::Hold(DrainHoldReason::NotRegistered { .. }, _) => {
                add(&mut numbers.not_registered, 1);
            }
            Verdict::Hold(DrainHoldReason::TooLate { .. }, _) => add(&mut numbers.too_late, 1),
            Verdict::Hold(..) | Verdict::Step(..) => {}
        }
        add(&mut numbers.tasks_left, counts.map_or(0, |it| it.left()));
        let stuck = u32::try_from(case.stuck_but(stopped).count()).unwrap_or(u32::MAX);
        add(&mut numbers.tasks_stuck, stuck);
    }
    numbers
}
