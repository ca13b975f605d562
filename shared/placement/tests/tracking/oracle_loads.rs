//! What the oracle counts by: loads over maps of seconds, the bounds of the week, and whether tasks find a place.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use model::snapshot::Standby;
use model::strategy::Market;
use model::tracking::{Fleet, Measures, Part, Series, Target, TrackingPolicy};

/// Second -> load in thousandths of a task, and whether all of it is known.
type Loads = BTreeMap<i64, (u128, bool)>;

pub(crate) const fn up(dividend: u128, divisor: u128) -> u128 {
    dividend.div_ceil(divisor)
}

/// A series as seconds and values.
fn by_second(series: &Series) -> BTreeMap<i64, u128> {
    let points = series.points.iter();
    points
        .map(|it| {
            let value = u128::try_from(it.value_milli.max(0)).unwrap();
            (it.at.as_second(), value)
        })
        .collect()
}

pub(crate) struct Fleets<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) policy: &'a TrackingPolicy,
    pub(crate) now: i64,
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
        let mut values: BTreeMap<Part, BTreeMap<i64, u128>> = BTreeMap::new();
        for it in series {
            values.entry(it.part).or_default().extend(by_second(it));
        }
        let whole = series.iter().all(|it| it.is_complete);
        let seconds: BTreeSet<i64> = values.values().flat_map(|it| it.keys().copied()).collect();
        for at in seconds.into_iter().filter(|it| it + period <= self.now) {
            let count = |part| Self::counted(counts, part, at, period);
            let tasks = |part| {
                let none_else = if days_ago {
                    part == Part::Standby
                } else {
                    self.runs(part) == Some(0)
                };
                count(part).or(none_else.then_some(0))
            };
            let value = |part| values.get(&part).and_then(|it| it.get(&at)).copied();
            let mut sum = 0;
            let mut is_whole = whole;
            let no_count = count(Part::Primary).is_none() && count(Part::Standby).is_none();
            let of_fleet = values.contains_key(&Part::Fleet);
            match (target.measures, of_fleet) {
                (Measures::Total, _) => sum = value(Part::Fleet).unwrap_or(0) * 1_000,
                (Measures::PerTask, _) if no_count => continue,
                (Measures::PerTask, true) => {
                    let of_both = [tasks(Part::Primary), tasks(Part::Standby)];
                    let known: u128 = of_both.iter().flatten().sum();
                    sum = value(Part::Fleet).unwrap_or(0) * known;
                    is_whole &= value(Part::Fleet).is_some() && !of_both.contains(&None);
                }
                (Measures::PerTask, false) => {
                    for part in [Part::Primary, Part::Standby] {
                        let ran = count(part).is_some_and(|it| it > 0)
                            || (!days_ago && self.runs(part) != Some(0));
                        match (value(part), tasks(part)) {
                            (Some(value), Some(tasks)) => sum += value * tasks,
                            (Some(_), None) => is_whole = false,
                            (None, _) => is_whole &= !ran,
                        }
                    }
                }
            }
            let load = up(sum, u128::try_from(target.value_milli).unwrap());
            loads.insert(at, (load.min(u128::try_from(i64::MAX).unwrap()), is_whole));
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
        let whole = loads.iter().filter(|(_, it)| it.1).map(|(at, _)| *at).max();
        let from = whole.unwrap_or(i64::MIN).max(fresh_from - period);
        let level = loads.range(from..).map(|(_, it)| it.0).max().unwrap();
        let growth = if self.policy.pace.forecast {
            self.growth(target, season, newest + period)
        } else {
            0
        };
        let expected = level + level * growth / 1_000;
        let mut greatest = Some(expected);
        let mut at = newest;
        while at == newest
            || at + period > self.now.min(newest + period) - self.policy.pace.scale_in_window.0
        {
            greatest = match (greatest, loads.get(&at)) {
                (Some(most), Some((load, true))) => Some(most.max(*load)),
                _ => None,
            };
            at -= period;
        }
        let least = u128::from(target.measures == Measures::PerTask);
        Says::Load {
            expected,
            greatest,
            least,
        }
    }

    /// What the same minutes of three days grew by, in thousandths.
    fn growth(&self, target: &Target, season: &[Series], end: i64) -> u128 {
        let loads = self.loads(target, season, &self.fleet.season_task_counts, true);
        let Some(period) = season.iter().map(|it| it.period.0).min() else {
            return 0;
        };
        let start_up = self.policy.pace.start_up.0.max(1);
        let start_up = start_up / 60 + i64::from(start_up % 60 > 0);
        let newest = (end - 1).div_euclid(60) * 60;
        let mut growths = Vec::new();
        for day in 1..=3 {
            let five = |first: i64| {
                let mut sum = 0;
                for minute in first..first + 5 {
                    let at = newest - day * 86_400 + minute * 60;
                    let (begin, (load, whole)) = loads.range(..=at).next_back()?;
                    if at >= begin + period || !whole {
                        return None;
                    }
                    sum += load;
                }
                Some(sum)
            };
            if let (Some(then), Some(ahead)) = (five(-4), five(start_up))
                && then > 0
            {
                growths.push((ahead.saturating_sub(then) * 1_000 / then).min(1_000));
            }
        }
        let count = u128::try_from(growths.len()).unwrap();
        growths
            .into_iter()
            .sum::<u128>()
            .checked_div(count)
            .unwrap_or(0)
    }

    /// The bounds of now, by the days on which windows begin.
    pub(crate) fn bounds(&self) -> (u32, u32) {
        let zone = TimeZone::get(&self.policy.time_zone).unwrap();
        let local = zone.to_datetime(Timestamp::from_second(self.now).unwrap());
        let always = self.policy.bounds;
        let mut holding = Vec::new();
        for window in &self.policy.windows {
            let holds = |date: Date| {
                let day = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap();
                let at = |minute: u16| date.at(0, 0, 0, 0) + i64::from(minute).minutes();
                let from = at(window.from_minute);
                let mut until = at(window.until_minute);
                if until <= from {
                    until += 1.day();
                }
                window.days[day] && from <= local && local < until
            };
            if holds(local.date()) || holds(local.date().yesterday().unwrap()) {
                holding.push((
                    window.min_tasks.unwrap_or(always.min_tasks),
                    window.max_tasks.unwrap_or(always.max_tasks),
                ));
            }
        }
        (
            holding
                .iter()
                .map(|it| it.0)
                .max()
                .unwrap_or(always.min_tasks),
            holding
                .iter()
                .map(|it| it.1)
                .max()
                .unwrap_or(always.max_tasks),
        )
    }

    /// Whether tasks that were asked for long ago are not placed, and why is known.
    pub(crate) fn has_nowhere_to_place(&self, since: Option<i64>) -> bool {
        let primary = &self.fleet.primary;
        let line = primary
            .not_placed
            .iter()
            .any(|it| self.now - 300 < it.at.as_second());
        let mut there = primary.running_count;
        if !line {
            there += primary.pending_count;
        }
        if let Some(Standby::Present(it)) = &self.fleet.standby {
            there += it.running_count + it.pending_count;
        }
        let gone = i64::from(primary.desired_count) - i64::from(there);
        let is_missing = gone * 10 > i64::from(primary.desired_count);
        let places: Vec<_> = primary
            .capacity
            .iter()
            .filter(|it| it.item.base + it.item.weight > 0)
            .collect();
        let all_full = !places.is_empty()
            && places.iter().all(|it| {
                let group = self.fleet.groups.get(&it.item.provider);
                group.is_some_and(|it| it.desired_capacity >= it.max_size)
            });
        let all_spot = !places.is_empty() && places.iter().all(|it| it.market == Market::Spot);
        is_missing && since.is_some_and(|it| self.now - it > 120) && (line || all_full || all_spot)
    }
}
