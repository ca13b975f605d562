//! Which tasks had run for the warm-up when a period began?
//!
//! How many did is told by what was counted before: the smallest count since the warm-up before the period began. ECS publishes nothing of a
//! service that runs no task (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html>), so that a minute without a
//! count may mean that there was none, or that its count is not there. Of a pair the other service tells: where that was counted, this one
//! had no task. Of a service on its own the looks do: whether any of them found it without one is remembered.
//!
//! Guaranteed: a count that is not there keeps nothing from being raised, unless one of these two says that no task ran.
//!
//! Absent: a service on its own whose tasks were all gone between two looks, or while the ledger did not answer.

use jiff::Timestamp;
use model::Seconds;
use model::snapshot::Standby;
use model::tracking::readings::Part;
use model::tracking::{Empty, Fleet, TrackingMemory};

use super::load::Counts;

const MINUTE: Seconds = Seconds(60);

/// From when on a task counts as warm.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WarmUp {
    /// How long it takes. Without any, every task is warm.
    pub(crate) length: Seconds,
    /// When no task of the fleet ran last, as far as that is remembered.
    pub(crate) empty: Option<Empty>,
}

/// Brings up to date when no task ran last.
pub(crate) fn note(memory: &mut TrackingMemory, fleet: &Fleet, now: Timestamp) {
    let of_standby = match &fleet.standby {
        None | Some(Standby::Missing) => Some(0),
        Some(Standby::Present(service)) => Some(service.running_count),
        Some(Standby::Unknown) => None,
    };
    let runs_none = fleet.primary.running_count == 0;
    let lasts = memory.empty.is_some_and(|it| it.until.is_none());
    match (runs_none, of_standby) {
        // Nobody knows.
        (true, None) => {}
        (true, Some(0)) if lasts => {}
        (true, Some(0)) => {
            memory.empty = Some(Empty {
                since: now,
                until: None,
            });
        }
        (true, Some(_)) | (false, _) => {
            if let Some(empty) = memory.empty.as_mut().filter(|_| lasts) {
                empty.until = Some(now);
            }
        }
    }
}

impl Counts<'_> {
    /// The smallest count of a service within the warm-up before a time, in thousandths; the largest number where none is known, or without
    /// a warm-up. A task is counted in the period in which it starts, at whatever second: it goes back to the last period that had ended
    /// when the warm-up began.
    pub(super) fn least_before(&self, part: Part, at: Timestamp) -> i64 {
        if self.warm_up.length <= Seconds::ZERO {
            return i64::MAX;
        }
        let period = self.series.iter().map(|it| it.period).max();
        let period = period.unwrap_or_default();
        let from = period.before(self.warm_up.length.before(at));
        if self.was_not_there(part, from, at) || self.was_empty(part, from, at, period) {
            return 0;
        }
        let counted = self.points(part, from, at).map(|(_, it)| it.value_milli);
        counted.min().map_or(i64::MAX, |least| least.max(0))
    }

    /// Whether a service ran no task at some time between two, although the other one of the pair did: one that was not counted for a minute,
    /// at the end of which the other was, ran none.
    fn was_not_there(&self, part: Part, from: Timestamp, until: Timestamp) -> bool {
        let other = match part {
            Part::Primary => Part::Standby,
            Part::Standby => Part::Primary,
            Part::Fleet => return false,
        };
        self.points(other, from, until).any(|(period, it)| {
            let end = period.after(it.at);
            let minute = period.max(MINUTE).before(end);
            self.points(part, minute, end).next().is_none()
        })
    }

    /// Whether a service ran no task at some time between two, because none of the fleet ran: it was found so, and was not counted for a
    /// minute of that.
    fn was_empty(&self, part: Part, from: Timestamp, until: Timestamp, period: Seconds) -> bool {
        let Some(empty) = self.warm_up.empty else {
            return false;
        };
        let minute = period.max(MINUTE);
        let ends = std::iter::successors(Some(minute.after(from)), |it| Some(minute.after(*it)));
        ends.take_while(|end| *end <= until).any(|end| {
            let begin = minute.before(end);
            let is_within = empty.since < end && empty.until.is_none_or(|it| begin < it);
            is_within && self.points(part, begin, end).next().is_none()
        })
    }
}
