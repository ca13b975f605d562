//! What the oracle counts by: loads over maps of seconds.

use std::collections::{BTreeMap, BTreeSet};

use model::memory::Recall;
use model::snapshot::Standby;
use model::tracking::{Fleet, Measures, Part, Series, Target, TrackingMemory, TrackingPolicy};

/// What served in a period, in thousandths of a task.
#[derive(Debug, Clone, Copy)]
struct Served {
    /// Every task counted.
    all: u128,
    /// Those that started lately left out.
    warm: u128,
    is_whole: bool,
}

/// By the second at which the period begins.
type Loads = BTreeMap<i64, Served>;

pub(crate) const fn up(dividend: u128, divisor: u128) -> u128 {
    dividend.div_ceil(divisor)
}

/// A series as seconds and values.
pub(crate) fn by_second(series: &Series) -> BTreeMap<i64, u128> {
    let points = series.points.iter();
    points
        .map(|it| {
            let value = u128::try_from(it.value_milli.max(0)).unwrap();
            (it.at.as_second(), value)
        })
        .collect()
}

/// The values of parts: of each second that a period begins at, the value and the second at which the period ends.
struct Values(BTreeMap<Part, BTreeMap<i64, (u128, i64)>>);

impl Values {
    fn new(series: &[Series], now: i64) -> Self {
        let mut values: BTreeMap<Part, BTreeMap<i64, (u128, i64)>> = BTreeMap::new();
        for it in series {
            let ended = by_second(it)
                .into_iter()
                .map(|(begin, value)| (begin, (value, begin + it.period.0)))
                .filter(|(_, (_, end))| *end <= now);
            values.entry(it.part).or_default().extend(ended);
        }
        Self(values)
    }

    fn seconds(&self) -> BTreeSet<i64> {
        let parts = self.0.values();
        parts.flat_map(|it| it.keys().copied()).collect()
    }

    fn of(&self, part: Part, at: i64) -> Option<u128> {
        let (_, (value, end)) = self.0.get(&part)?.range(..=at).next_back()?;
        (at < *end).then_some(*value)
    }
}

pub(crate) struct Fleets<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) policy: &'a TrackingPolicy,
    pub(crate) now: i64,
    /// What began before is no peak of a metric of each task: more were counted than ran.
    pub(crate) counted_wrong_until: Option<i64>,
    /// From when to when looks found no task of the primary nor of the standby.
    pub(crate) empty: Option<(i64, i64)>,
    /// When looks found fewer tasks of the primary, and of the standby, that run or are asked for.
    pub(crate) fewer: [Option<(i64, u32)>; 2],
    /// Whether the target is of requests.
    pub(crate) of_requests: bool,
    /// From when on how many were asked for, with what this look finds.
    pub(crate) levels: Vec<(i64, u32)>,
    /// The same of the standby.
    pub(crate) standby_levels: Vec<(i64, u32)>,
}

impl Fleets<'_> {
    /// The tasks of the primary, or of the standby, that run now; `None` where nobody knows.
    pub(crate) fn runs(&self, part: Part) -> Option<u32> {
        if part == Part::Primary {
            return Some(self.fleet.primary.running_count);
        }
        match &self.fleet.standby {
            None | Some(Standby::Missing) => Some(0),
            Some(Standby::Present(it)) => Some(it.running_count),
            Some(Standby::Unknown) => None,
        }
    }

    /// Thousandths of tasks that were counted in `[at, at + period)`.
    fn counted(counts: &[Series], part: Part, at: i64, period: i64) -> Option<u128> {
        let mut all = Vec::new();
        for series in counts.iter().filter(|it| it.part == part) {
            for (begin, value) in by_second(series) {
                if begin < at + period && at < begin + series.period.0 {
                    all.push(value);
                }
            }
        }
        let count = u128::try_from(all.len()).unwrap();
        (count > 0).then(|| up(all.into_iter().sum(), count))
    }

    /// Thousandths of tasks in a period, and whether all that ran are counted; `None` where nobody knows.
    fn tasks(
        &self,
        counts: &[Series],
        part: Part,
        (at, period): (i64, i64),
        days_ago: bool,
    ) -> Option<(u128, bool)> {
        let count = Self::counted(counts, part, at, period);
        if days_ago {
            let none_else = part == Part::Standby;
            return count.or(none_else.then_some(0)).map(|it| (it, true));
        }
        let none_else = self.runs(part) == Some(0);
        let known = count.or(none_else.then_some(0))?;
        let lacks = self.in_part(counts, part, (at, period), known);
        Some((known, lacks.is_none()))
    }

    fn loads(
        &self,
        target: &Target,
        series: &[Series],
        counts: &[Series],
        days_ago: bool,
    ) -> Loads {
        let mut loads = Loads::new();
        let Some(period) = series.iter().map(|it| it.period.0).min() else {
            return loads;
        };
        let values = Values::new(series, self.now);
        let whole = series.iter().all(|it| it.is_complete);
        for at in values.seconds() {
            let count = |part| Self::counted(counts, part, at, period);
            let tasks = |part| self.tasks(counts, part, (at, period), days_ago);
            let warm = |part, tasks| match days_ago {
                true => tasks,
                false => self.served(counts, part, (at, period), tasks),
            };
            // Not every sample may be there.
            let value = |part| values.of(part, at);
            let (mut all, mut started) = (0, 0);
            let mut is_whole = whole;
            let both = [Part::Primary, Part::Standby];
            let no_count = both.iter().all(|it| count(*it).is_none());
            match (target.measures, values.0.contains_key(&Part::Fleet)) {
                (Measures::Total, _) => {
                    all = value(Part::Fleet).unwrap_or(0) * 1_000;
                    started = all;
                }
                (Measures::PerTask, _) if no_count => continue,
                (Measures::PerTask, true) => {
                    let shown = value(Part::Fleet).unwrap_or(0);
                    for part in both {
                        let (known, are_all) = tasks(part).unwrap_or((0, false));
                        let asked = self.asked_for(part, at, period, days_ago);
                        all += shown * known;
                        started += shown * warm(part, known).min(asked);
                        is_whole &= are_all;
                    }
                    is_whole &= value(Part::Fleet).is_some();
                }
                (Measures::PerTask, false) => {
                    for part in both {
                        let ran = count(part).is_some_and(|it| it > 0)
                            || (!days_ago && self.runs(part) != Some(0));
                        match (value(part), tasks(part)) {
                            (Some(value), Some((tasks, are_all))) => {
                                all += value * tasks;
                                started += value * warm(part, tasks);
                                is_whole &= are_all;
                            }
                            (Some(_), None) => is_whole = false,
                            (None, _) => is_whole &= !ran,
                        }
                    }
                }
            }
            let load = |sum: u128| {
                let load = up(sum, u128::try_from(target.value_milli).unwrap());
                load.min(u128::try_from(i64::MAX).unwrap())
            };
            let (all, warm) = (load(all), load(started));
            let served = Served {
                all,
                warm,
                is_whole,
            };
            loads.insert(at, served);
        }
        loads
    }
}

/// What one target asks for.
#[derive(Debug)]
pub(crate) enum Says {
    /// Nothing is known.
    Unknown,
    /// The load that is expected, and the greatest of the window where all of it is known.
    Load {
        expected: u128,
        /// The same from the newest load alone.
        soon: u128,
        /// When the first of the periods began that the newest load is of.
        since: i64,
        greatest: Option<u128>,
        least: u128,
    },
}

impl Fleets<'_> {
    pub(crate) fn says(&self, target: &Target, recent: &[Series], season: &[Series]) -> Says {
        let loads = self.loads(target, recent, &self.fleet.task_counts, false);
        let Some(period) = recent.iter().map(|it| it.period.0).min() else {
            return Says::Unknown;
        };
        let fresh_from = self.now - (3 * period).max(300);
        let Some((&newest, _)) = loads.last_key_value() else {
            return Says::Unknown;
        };
        if newest + period < fresh_from {
            return Says::Unknown;
        }
        let whole = loads.iter().filter(|(_, it)| it.is_whole);
        let from = whole
            .map(|(at, _)| *at)
            .max()
            .unwrap_or(i64::MIN)
            .max(fresh_from - period);
        let latest: Vec<Served> = loads.range(from..).map(|(_, it)| *it).collect();
        let since = *loads.range(from..).next().unwrap().0;
        let level = latest.iter().map(|it| it.warm).max().unwrap();
        let most = latest.iter().map(|it| it.all).max().unwrap();
        let (mut growth, mut peak, mut peak_of_all) = (0, level, most);
        if self.policy.pace.forecast {
            growth = self.growth(target, season, newest + period);
            // What ended within so long before the newest ended; of what is missing nothing is said.
            let lately = newest + period - self.policy.pace.forecast_peak.0;
            let wrong_until = self.counted_wrong_until.unwrap_or(i64::MIN);
            let is_wrong = |at: i64| target.measures == Measures::PerTask && at < wrong_until;
            let past = loads.iter().filter(|(at, _)| **at + period > lately);
            for (_, it) in past.filter(|(at, _)| !is_wrong(**at)) {
                if self.policy.pace.forecast_peak.0 > 0 {
                    peak = peak.max(it.warm);
                    peak_of_all = peak_of_all.max(it.all);
                }
            }
        }
        let expected = peak + peak * growth / 1_000;
        let mut greatest = Some(peak_of_all + peak_of_all * growth / 1_000);
        let mut at = newest;
        // What ended within the last minute may change, and is not waited for.
        let settled_end = (0..)
            .map(|back| newest + period - back * period)
            .find(|end| *end <= self.now - 60)
            .unwrap();
        while at + period > settled_end - self.policy.pace.scale_in_window.0 {
            let is_settled = at + period <= settled_end;
            greatest = match (greatest, loads.get(&at)) {
                (Some(most), Some(it)) if it.is_whole || !is_settled => Some(most.max(it.all)),
                (most, None) if !is_settled => most,
                _ => None,
            };
            at -= period;
        }
        let least = u128::from(target.measures == Measures::PerTask);
        let uncounted = self.uncounted(target, recent, newest);
        Says::Load {
            expected,
            soon: level + level * growth / 1_000,
            since,
            greatest: greatest
                .filter(|_| !self.lacks_values(recent, newest, period))
                .map(|it| it.max(uncounted + uncounted * growth / 1_000)),
            least,
        }
    }

    /// Whether a period after the newest load is skipped, before one that ended a minute ago; or a service that runs tasks, or may, has no
    /// value in one of these, where the other has.
    fn lacks_values(&self, recent: &[Series], newest: i64, period: i64) -> bool {
        let values = Values::new(recent, self.now);
        let is_of_each = !values.0.contains_key(&Part::Fleet);
        let later = values.seconds().into_iter();
        let mut later = later.filter(|at| *at > newest && at + period <= self.now - 60);
        let mut last = newest;
        later.any(|at| {
            let skips = at > last + period;
            last = at;
            let mut both = [Part::Primary, Part::Standby].into_iter();
            let lacks = both.any(|it| values.of(it, at).is_none() && self.runs(it) != Some(0));
            skips || (is_of_each && lacks)
        })
    }

    /// The greatest load of the seconds at which values begin after the newest load, in thousandths of a task, if those served that run now, or
    /// those of the last count where they are more.
    fn uncounted(&self, target: &Target, recent: &[Series], newest: i64) -> u128 {
        let may_run = |part: Part| {
            let of_part = self.fleet.task_counts.iter().filter(|it| it.part == part);
            let last = of_part.filter_map(|it| by_second(it).pop_last());
            let run = u128::from(self.runs(part).unwrap_or(0)) * 1_000;
            last.map(|it| it.1).max().unwrap_or(0).max(run)
        };
        let values = Values::new(recent, self.now);
        let later = values.seconds().into_iter().filter(|at| *at > newest);
        let sums = later.map(|at| {
            let value = |part| values.of(part, at).unwrap_or(0);
            let (primary, standby) = (may_run(Part::Primary), may_run(Part::Standby));
            if values.0.contains_key(&Part::Fleet) {
                value(Part::Fleet) * (primary + standby)
            } else {
                value(Part::Primary) * primary + value(Part::Standby) * standby
            }
        });
        let sum = sums.max().unwrap_or(0);
        let load = up(sum, u128::try_from(target.value_milli).unwrap());
        load.min(u128::try_from(i64::MAX).unwrap())
    }

    /// What the same minutes of three days grew by, in thousandths: the sums of five of them, or the largest of as many as a peak is looked
    /// for in.
    fn growth(&self, target: &Target, season: &[Series], end: i64) -> u128 {
        let loads = self.loads(target, season, &self.fleet.season_task_counts, true);
        let Some(period) = season.iter().map(|it| it.period.0).min() else {
            return 0;
        };
        let start_up = self.policy.pace.start_up.0.max(1);
        let start_up = start_up / 60 + i64::from(start_up % 60 > 0);
        let newest = (end - 1).div_euclid(60) * 60;
        let peak = self.policy.pace.forecast_peak.0;
        let count = (peak / 60 + i64::from(peak % 60 > 0)).max(5);
        let (mut growths, mut no_less) = (Vec::new(), Vec::new());
        for day in 1..=3 {
            let some = |first: i64| {
                let (mut each, mut is_whole) = (Vec::new(), true);
                for minute in first..first + count {
                    let at = newest - day * 86_400 + minute * 60;
                    let held = loads.range(..=at).next_back();
                    match held.filter(|(begin, _)| at < *begin + period) {
                        Some((_, load)) => {
                            each.push(load.all);
                            is_whole &= load.is_whole;
                        }
                        None => is_whole = false,
                    }
                }
                let load: u128 = if peak > 0 {
                    each.into_iter().max().unwrap_or(0)
                } else {
                    each.into_iter().sum()
                };
                (load, is_whole)
            };
            let ((then, true), (ahead, is_whole)) = (some(1 - count), some(start_up)) else {
                continue;
            };
            let grew = ahead.saturating_sub(then) * 1_000;
            match grew.checked_div(then).map(|it| it.min(1_000)) {
                Some(grew) if is_whole => growths.push(grew),
                Some(grew) if peak > 0 && grew > 0 => no_less.push(grew),
                Some(_) | None => {}
            }
        }
        let mean = |all: &[u128]| {
            let sum: u128 = all.iter().sum();
            sum.checked_div(u128::try_from(all.len()).unwrap())
        };
        // Any of those that are no less may count, or not: what makes the most of it.
        let mut most = mean(&growths);
        for picked in 0..1_u32 << no_less.len() {
            let some = no_less.iter().enumerate();
            let some = some.filter(|(index, _)| picked & (1 << index) != 0);
            let all: Vec<u128> = growths
                .iter()
                .copied()
                .chain(some.map(|it| *it.1))
                .collect();
            most = most.max(mean(&all));
        }
        most.unwrap_or(0)
    }

    /// Whether what began then is of more tasks than ran, by what is remembered.
    pub(crate) fn was_wrong(
        &self,
        target: &Target,
        memory: &Recall<TrackingMemory>,
        began: i64,
    ) -> bool {
        let Recall::Known(memory) = memory else {
            return false;
        };
        let said = memory.miscount.iter();
        let mut of_this_tag = said.filter(|it| it.resolution == self.fleet.resolution);
        target.measures == Measures::PerTask
            && of_this_tag.any(|it| began < it.at.as_second() + 600)
    }

    /// Whether the last three counts that are a minute old show at least five tasks for each two that can have run.
    pub(crate) fn counts_too_many(&self, memory: &TrackingMemory) -> bool {
        let primary = &self.fleet.primary;
        let mut most = vec![
            primary.desired_count,
            primary.running_count + primary.pending_count,
        ];
        most.extend(memory.wrote.map(|it| it.to));
        let lately = [
            memory.wrote.map(|it| (it.at, it.from)),
            memory.foreign.map(|it| (it.noticed_at, it.found)),
        ];
        let lately = lately.into_iter().flatten();
        let lately = lately.filter(|it| self.now - it.0.as_second() < 4_200);
        most.extend(lately.map(|it| it.1));
        let levels = memory.levels.iter();
        let ended = memory.levels.iter().skip(1).map(|it| it.at.as_second());
        let ended = ended.chain([i64::MAX]);
        let lately = levels.zip(ended).filter(|it| self.now - 4_200 < it.1);
        most.extend(lately.map(|it| it.0.tasks));
        let shows = |part: Part, most: &[u32]| {
            let most = u128::from(*most.iter().max().unwrap());
            let series = self.fleet.task_counts.iter().find(|it| it.part == part);
            let Some(series) = series else { return false };
            let counts = by_second(series);
            let settled: Vec<_> = counts
                .range(..=self.now - 60 - series.period.0)
                .rev()
                .take(3)
                .collect();
            settled.len() == 3
                && *settled[0].0 + series.period.0 >= self.now - 360
                && settled.iter().all(|it| it.1 * 2 >= most * 5_000)
                && most > 0
        };
        let of_primary = shows(Part::Primary, &most);
        let of_standby = match &self.fleet.standby {
            Some(Standby::Present(it)) => {
                most.extend([it.desired_count, it.running_count + it.pending_count]);
                shows(Part::Standby, &most)
            }
            Some(Standby::Missing | Standby::Unknown) | None => false,
        };
        of_primary || of_standby
    }
}
