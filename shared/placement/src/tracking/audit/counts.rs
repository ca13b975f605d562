//! Whether the tasks that were counted can have run.

use jiff::Timestamp;
use model::Seconds;
use model::memory::{Level, Recall};
use model::snapshot::{Service, Standby};
use model::tracking::{Measures, Part, TargetName};

use super::Ground;

/// So many counts in a row must be too large.
const IN_A_ROW: usize = 3;

/// The newest of them ended so long ago at most, in seconds, and at least the second number.
const ENDED_SECS: (i64, i64) = (360, 60);

/// How long after it was seen it lasts, in seconds.
const KEPT_SECS: i64 = 600;

/// How long what was asked for before may still be counted, in seconds.
const LATELY_SECS: i64 = 4_200;

impl Ground<'_> {
    /// Until when more tasks were counted than ran, by what is remembered, and for as long as that lasts.
    pub(super) fn counted_wrong_until(&self) -> Option<Timestamp> {
        match self.recall {
            Some(Recall::Known(memory)) => {
                let at = memory.miscount.as_ref()?.at;
                Some(Seconds(KEPT_SECS).after(at))
            }
            Some(Recall::Unknown) | None => None,
        }
    }

    /// Whether a target is of each task while two and a half times as many tasks are counted as can have run, or were when its newest
    /// period began.
    pub(super) fn is_miscounted(&self, name: TargetName, newest: Option<Timestamp>) -> bool {
        let target = self.policy.targets.get(&name);
        let of_each_task = target.is_some_and(|it| it.measures == Measures::PerTask);
        let seen_before = match self.recall {
            Some(Recall::Known(memory)) => memory.miscount.as_ref(),
            Some(Recall::Unknown) | None => None,
        };
        let resolution = self.fleet.resolution;
        let lasts = seen_before.is_some_and(|it| {
            let began_before = newest.is_some_and(|at| Seconds::between(it.at, at).0 < KEPT_SECS);
            let is_said = !self.has_passed(it.at, KEPT_SECS);
            it.resolution == resolution && (is_said || began_before)
        });
        if of_each_task && lasts {
            return true;
        }
        let remembered = match self.recall {
            Some(Recall::Unknown) => return false,
            Some(Recall::Known(memory)) => {
                let lately = |at, tasks| (!self.has_passed(at, LATELY_SECS)).then_some(tasks);
                [
                    memory.wrote.map(|it| it.to),
                    memory.wrote.and_then(|it| lately(it.at, it.from)),
                    self.most_of_lately(&memory.levels),
                    memory
                        .foreign
                        .and_then(|it| lately(it.noticed_at, it.found)),
                ]
            }
            None => [None; 4],
        };
        let before = remembered.into_iter().flatten().max().unwrap_or(0);
        let primary = there(&self.fleet.primary).max(before.into());
        let standby = match &self.fleet.standby {
            Some(Standby::Present(standby)) => there(standby).max(primary),
            Some(Standby::Missing | Standby::Unknown) | None => 0,
        };
        let parts = [(Part::Primary, primary), (Part::Standby, standby)];
        let mut parts = parts.into_iter().filter(|it| it.1 > 0);
        of_each_task && parts.any(|(part, most)| self.shows_more(part, most))
    }

    /// The most of the counts that were asked for within the last minutes: each until the next one was found.
    fn most_of_lately(&self, levels: &[Level]) -> Option<u32> {
        let mut most = levels.last().map(|it| it.tasks);
        for pair in levels.windows(2) {
            if let [level, next] = pair
                && !self.has_passed(next.at, LATELY_SECS)
            {
                most = most.max(Some(level.tasks));
            }
        }
        most
    }

    fn shows_more(&self, part: Part, most: u64) -> bool {
        let series = self.fleet.task_counts.iter().find(|it| it.part == part);
        let Some(series) = series else { return false };
        let (oldest, newest) = ENDED_SECS;
        let ended_secs = |at| Seconds::between(series.period.after(at), self.now).0;
        let ended = series.points.iter().rev();
        let mut latest = ended.filter(|it| ended_secs(it.at) >= newest).peekable();
        let is_late = latest.peek().is_none_or(|it| ended_secs(it.at) > oldest);
        let is_more = |value: i64| i128::from(value) * 2 >= i128::from(most) * 5 * 1_000;
        let counts: Vec<bool> = latest
            .take(IN_A_ROW)
            .map(|it| is_more(it.value_milli))
            .collect();
        !is_late && counts.len() == IN_A_ROW && counts.iter().all(|it| *it)
    }
}

/// The tasks of a service that run, or may soon.
fn there(service: &Service) -> u64 {
    let there = u64::from(service.running_count) + u64::from(service.pending_count);
    there.max(service.desired_count.into())
}
