//! Which of the tasks that were counted the oracle takes to have served: second by second, and count by count.

use model::snapshot::Standby;
use model::tracking::{Part, Series};

use crate::oracle_loads::{Fleets, by_second, up};

impl Fleets<'_> {
    /// Thousandths of the tasks counted in a period that had started long enough before, and were there afterwards.
    pub(crate) fn served(
        &self,
        counts: &[Series],
        part: Part,
        (at, period): (i64, i64),
        tasks: u128,
    ) -> u128 {
        let warm = self.warm(counts, part, at, tasks);
        warm.min(self.stayed(counts, part, at, period))
    }

    /// Thousandths of the tasks counted in a period that were there throughout the warm-up before it, and in the period before that, second
    /// by second; between two seconds at which a count begins or ends nothing changes.
    fn warm(&self, counts: &[Series], part: Part, at: i64, tasks: u128) -> u128 {
        let warm_up = self.policy.pace.warm_up.0;
        if warm_up == 0 {
            return tasks;
        }
        let since = at - warm_up - counts.iter().map(|it| it.period.0).max().unwrap_or(0);
        let spans = |part: Part| -> Vec<(i64, i64, u128)> {
            let of_part = counts.iter().filter(|it| it.part == part);
            let spans = of_part.flat_map(|series| {
                let points = series.points.iter();
                points.map(|it| {
                    let (begin, value) = (it.at.as_second(), it.value_milli.max(0));
                    let value = u128::try_from(value).unwrap();
                    (begin, begin + series.period.0, value)
                })
            });
            spans.collect()
        };
        // A count is of one service.
        let other = match part {
            Part::Primary => Part::Standby,
            Part::Standby | Part::Fleet => Part::Primary,
        };
        let (own, beside) = (spans(part), spans(other));
        let mut least = tasks;
        for second in since..at {
            let holds = |it: &&(i64, i64, u128)| it.0 <= second && second < it.1;
            if let Some(ran) = own.iter().filter(holds).map(|it| it.2).min() {
                least = least.min(ran);
            }
            // The other ran, and of this one there is nothing in the minute that ends with it.
            for (begin, end, _) in beside.iter().filter(holds) {
                let minute = end - (end - begin).max(60);
                let is_there = own.iter().any(|it| it.0 < *end && minute < it.1);
                if !is_there {
                    least = 0;
                }
            }
        }
        if self.found_none(&own, since, at, counts) {
            least = 0;
        }
        least
    }

    /// Whether looks found no task at all, while for a minute none of this service was counted: a minute that ends where a period may.
    fn found_none(
        &self,
        own: &[(i64, i64, u128)],
        since: i64,
        until: i64,
        counts: &[Series],
    ) -> bool {
        let Some((from, to)) = self.empty else {
            return false;
        };
        let longest = counts.iter().map(|it| it.period.0).max().unwrap_or(0);
        let ends = (since + 1..=until).filter(|it| it % longest.max(1) == 0);
        ends.into_iter().any(|end| {
            let slot = end - longest.max(60)..end;
            let is_counted = |second: i64| own.iter().any(|it| it.0 <= second && second < it.1);
            let is_empty = |second: i64| from <= second && second < to;
            slot.clone().any(is_empty) && !slot.clone().any(is_counted)
        })
    }

    /// Thousandths of the tasks counted in a period and at the next count too; after the last one those count that run or are asked for.
    fn stayed(&self, counts: &[Series], part: Part, at: i64, period: i64) -> u128 {
        let mut all = Vec::new();
        for series in counts.iter().filter(|it| it.part == part) {
            let values: Vec<(i64, u128)> = by_second(series).into_iter().collect();
            for (index, (begin, value)) in values.iter().enumerate() {
                let span = (*begin, begin + series.period.0);
                let next = match values.get(index + 1) {
                    Some((begin, value)) => {
                        let young = (*begin, series.period.0);
                        let more = self.in_part(counts, part, young, *value);
                        more.unwrap_or(*value)
                    }
                    None => self.remaining(part, span),
                };
                if *begin < at + period && at < begin + series.period.0 {
                    all.push(next.min(*value));
                }
            }
        }
        let number = u128::try_from(all.len()).unwrap();
        if number == 0 {
            return u128::MAX;
        }
        up(all.into_iter().sum(), number)
    }

    /// No more than were asked for: of requests.
    pub(crate) fn asked_for(&self, part: Part, at: i64, period: i64, days_ago: bool) -> u128 {
        let Some((asked, running)) = self.asks(part).filter(|_| self.of_requests && !days_ago)
        else {
            return u128::MAX;
        };
        let levels = match part {
            Part::Primary => &self.levels,
            Part::Standby | Part::Fleet => &self.standby_levels,
        };
        let since = at - self.policy.pace.warm_up.0;
        let mut least = None;
        for second in since..at + period {
            let begun = levels.iter().rev().find(|it| it.0 <= second);
            if let Some(level) = begun.or(levels.first()) {
                least = Some(least.unwrap_or(u32::MAX).min(level.1));
            }
        }
        if levels.len() == 1 && levels[0].0 >= self.now {
            least = None;
        }
        let deploys = match (part, &self.fleet.standby) {
            (Part::Standby, Some(Standby::Present(it))) => it.deployment_running(),
            _ => self.fleet.primary.deployment_running(),
        };
        let unknown = if deploys { asked } else { asked.max(running) };
        u128::from(least.unwrap_or(unknown)) * 1_000
    }

    /// What remains after the newest count: nobody knows, unless its period is one in which tasks became fewer.
    fn remaining(&self, part: Part, (begin, end): (i64, i64)) -> u128 {
        let fewer = match part {
            Part::Primary => self.fewer[0],
            Part::Standby => self.fewer[1],
            Part::Fleet => None,
        };
        match (fewer, self.asks(part)) {
            (Some((at, left)), Some(_)) if at - 90 < end && begin < at + 30 => {
                u128::from(left) * 1_000
            }
            (Some(_) | None, _) => u128::MAX,
        }
    }

    /// The tasks that are asked for, and that run; `None` where nobody knows, or there is no such service.
    fn asks(&self, part: Part) -> Option<(u32, u32)> {
        let service = match (part, &self.fleet.standby) {
            (Part::Primary, _) => &self.fleet.primary,
            (Part::Standby, Some(Standby::Present(it))) => it,
            (Part::Standby | Part::Fleet, _) => return None,
        };
        Some((service.desired_count, service.running_count))
    }

    /// Of a period that ended less than a minute ago, or goes on, or one of whose counts does, what its count will become at least, where
    /// that is more: every task that runs, unless the last older count has fewer.
    pub(crate) fn in_part(
        &self,
        counts: &[Series],
        part: Part,
        (at, period): (i64, i64),
        counted: u128,
    ) -> Option<u128> {
        let (mut before, mut newest_end) = (0, at + period);
        for series in counts.iter().filter(|it| it.part == part) {
            let (length, values) = (series.period.0, by_second(series));
            let old = self.now - 60 - length;
            let last = values.range(..=old).next_back().map_or(0, |it| *it.1);
            before = before.max(last);
            // The last count that this period touches.
            if let Some((begin, _)) = values.range(at - length + 1..at + period).next_back() {
                newest_end = newest_end.max(begin + length);
            }
        }
        let runs = self.runs(part);
        let runs = runs.map_or(u128::MAX, |it| u128::from(it) * 1_000);
        let (is_young, at_least) = (newest_end > self.now - 60, before.min(runs));
        (is_young && counted < at_least).then_some(at_least)
    }
}
