//! How many tasks would have served the load exactly at the target, period by period?
//!
//! The load of a period is counted in thousandths of a task. A metric for each task gives its value times the tasks that ran, over the
//! target; a metric of the whole fleet gives its value over the target. The parts of a pair add up: what the standby serves is load too.
//!
//! A load is *complete* where every task that ran is in it. One that is not is a lower bound: it may raise, and never lowers. ECS
//! publishes nothing for a service without tasks, so that a part without a value is 0 where no task of it ran. A metric for each task has
//! no load in a period in which no task was counted: its count is as late as a value may be.
//!
//! Guaranteed: nothing overflows; every load is rounded up; a negative value counts as 0; a value twice in a period counts as the larger.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::Seconds;
use model::snapshot::Standby;
use model::tracking::readings::{Part, Point, Series};
use model::tracking::{Fleet, Measures, Target};

use super::case;
use super::pace::Loads;

/// A value is new enough for so long after its period has ended, and for [`FRESH_PERIODS`] periods at least. CloudWatch has most values
/// within three minutes; the number is ours.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/viewing-cloudwatch-metrics.html>
pub const FRESH_FOR: Seconds = Seconds(300);

/// A value of a long period is new enough for so many periods.
pub const FRESH_PERIODS: i64 = 3;

/// The load of one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// When the period began.
    pub at: Timestamp,
    /// So many thousandths of a task would have served it exactly at the target. Not negative.
    pub milli_tasks: i64,
    /// Whether every task that ran is in it. One that is not complete is a lower bound.
    pub is_complete: bool,
}

/// A target's load over time, with the length of its periods.
#[derive(Debug, Clone, Default)]
pub(crate) struct Summed {
    period: Seconds,
    loads: Vec<Load>,
}

impl Summed {
    /// As the core asks about it.
    pub(crate) fn as_loads(&self) -> Loads<'_> {
        Loads {
            period: self.period,
            loads: &self.loads,
        }
    }
}

/// How old the values are: whether what runs now says anything about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// Minutes to hours.
    Recent,
    /// A day or more.
    DaysAgo,
}

/// Adds up a target's load.
pub(crate) fn of_target(
    fleet: &Fleet,
    target: &Target,
    series: &[Series],
    task_counts: &[Series],
    age: Age,
    now: Timestamp,
) -> Summed {
    let period = series.iter().map(|it| it.period).min().unwrap_or_default();
    if period <= Seconds::ZERO || target.value_milli <= 0 {
        return Summed::default();
    }
    let counts = Counts {
        fleet,
        series: task_counts,
        age,
    };
    let parts: Vec<Values> = series.iter().map(|it| Values::new(it, now)).collect();
    let is_all_given = series.iter().all(|it| it.is_complete);
    let is_there = |at: &Timestamp| match target.measures {
        Measures::Total => true,
        // How many tasks run now says nothing of a moment ago: after a step it would be taken for more load, or for less.
        Measures::PerTask => counts.are_known(*at, period),
    };
    let times = parts.iter().flat_map(|it| it.by_time.keys().copied());
    let times: BTreeSet<Timestamp> = times.filter(is_there).collect();
    let expected = expected(target.measures, &parts);
    let loads = times.into_iter().map(|at| {
        let nothing = Share {
            product: 0,
            is_complete: is_all_given,
        };
        let sum = expected.iter().fold(nothing, |sum, part| {
            let values = parts.iter().filter(|it| it.part == *part);
            let value = values.filter_map(|it| it.at(at)).max();
            sum.and(share(&counts, *part, value, target.measures, at, period))
        });
        // Thousandths of the unit, times thousandths of a task, over thousandths of the unit for each task.
        let milli = div_ceil(sum.product, i128::from(target.value_milli));
        Load {
            at,
            milli_tasks: i64::try_from(milli).unwrap_or(i64::MAX),
            is_complete: sum.is_complete,
        }
    });
    Summed {
        period,
        loads: loads.collect(),
    }
}

/// The parts that a load is made of. A metric that is read for each service is expected of both.
fn expected(measures: Measures, parts: &[Values]) -> Vec<Part> {
    let is_fleet = parts.iter().all(|it| it.part == Part::Fleet);
    match measures {
        Measures::Total => vec![Part::Fleet],
        Measures::PerTask if is_fleet => vec![Part::Fleet],
        Measures::PerTask => vec![Part::Primary, Part::Standby],
    }
}

/// What one part adds to a load, times the target.
#[derive(Debug, Clone, Copy)]
struct Share {
    product: i128,
    is_complete: bool,
}

impl Share {
    const fn and(self, other: Self) -> Self {
        Self {
            product: self.product.saturating_add(other.product),
            is_complete: self.is_complete && other.is_complete,
        }
    }
}

fn share(
    counts: &Counts<'_>,
    part: Part,
    value: Option<i64>,
    measures: Measures,
    at: Timestamp,
    period: Seconds,
) -> Share {
    let nothing = |is_complete| Share {
        product: 0,
        is_complete,
    };
    let Some(value) = value else {
        // Without a value nothing is known, unless no task ran that could have had one.
        return nothing(!counts.ran(part, at, period));
    };
    let (tasks, is_complete) = match measures {
        Measures::Total => (1_000, true),
        Measures::PerTask => counts.at_least(part, at, period),
    };
    Share {
        product: i128::from(value.max(0)).saturating_mul(i128::from(tasks.max(0))),
        is_complete,
    }
}

/// The values of one series.
struct Values {
    part: Part,
    period: Seconds,
    by_time: BTreeMap<Timestamp, i64>,
}

impl Values {
    /// Those of periods that are over; the larger of two of the same.
    fn new(series: &Series, now: Timestamp) -> Self {
        let mut by_time = BTreeMap::new();
        let is_over = |it: &&Point| series.period.after(it.at) <= now;
        for point in series.points.iter().filter(is_over) {
            let value = by_time.entry(point.at).or_insert(point.value_milli);
            *value = point.value_milli.max(*value);
        }
        Self {
            part: series.part,
            period: series.period,
            by_time,
        }
    }

    /// The value of the period that holds a time.
    fn at(&self, at: Timestamp) -> Option<i64> {
        let (begin, value) = self.by_time.range(..=at).next_back()?;
        (at < self.period.after(*begin)).then_some(*value)
    }
}

/// How many tasks ran.
struct Counts<'a> {
    fleet: &'a Fleet,
    series: &'a [Series],
    age: Age,
}

impl Counts<'_> {
    /// The tasks of a part in a period that are known to have run, in thousandths, and whether they are all.
    fn at_least(&self, part: Part, at: Timestamp, period: Seconds) -> (i64, bool) {
        match part {
            Part::Fleet => {
                let (primary, is_all) = self.at_least(Part::Primary, at, period);
                let (standby, is_all_of_standby) = self.at_least(Part::Standby, at, period);
                (primary.saturating_add(standby), is_all && is_all_of_standby)
            }
            Part::Primary | Part::Standby => self
                .tasks(part, at, period)
                .map_or((0, false), |tasks| (tasks, true)),
        }
    }

    /// The tasks of one service in a period, in thousandths. `None` where they were not counted and some may have run.
    fn tasks(&self, part: Part, at: Timestamp, period: Seconds) -> Option<i64> {
        if let Some(counted) = self.counted(part, at, period) {
            return Some(counted);
        }
        let ran_none = match self.age {
            Age::Recent => self.running(part) == Some(0),
            // A standby runs no task on most days; a service that had a value ran some.
            Age::DaysAgo => part == Part::Standby,
        };
        ran_none.then_some(0)
    }

    /// Whether any task of the fleet was counted in a period.
    fn are_known(&self, at: Timestamp, period: Seconds) -> bool {
        [Part::Primary, Part::Standby]
            .into_iter()
            .any(|part| self.counted(part, at, period).is_some())
    }

    /// The mean of the counts in a period, rounded up. A count's period that lies partly in it counts wholly.
    fn counted(&self, part: Part, at: Timestamp, period: Seconds) -> Option<i64> {
        let end = period.after(at);
        let series = self.series.iter().filter(|it| it.part == part);
        let (mut sum, mut number) = (0_i128, 0_i128);
        for series in series {
            let from = series
                .points
                .partition_point(|it| series.period.after(it.at) <= at);
            let points = series.points.iter().skip(from);
            for point in points.take_while(|it| it.at < end) {
                sum = sum.saturating_add(i128::from(point.value_milli.max(0)));
                number = number.saturating_add(1);
            }
        }
        (number > 0).then(|| i64::try_from(div_ceil(sum, number)).unwrap_or(i64::MAX))
    }

    /// The tasks of a part that run now; `None` where that was not read.
    fn running(&self, part: Part) -> Option<u32> {
        match part {
            Part::Primary => Some(self.fleet.primary.running_count),
            Part::Standby => match &self.fleet.standby {
                None | Some(Standby::Missing) => Some(0),
                Some(Standby::Present(service)) => Some(service.running_count),
                Some(Standby::Unknown) => None,
            },
            Part::Fleet => {
                let standby = case::standby(self.fleet).map_or(0, |it| it.running_count);
                Some(self.fleet.primary.running_count.saturating_add(standby))
            }
        }
    }

    /// Whether tasks of a part ran in a period, or may have, so that a value is missing.
    fn ran(&self, part: Part, at: Timestamp, period: Seconds) -> bool {
        let was_counted = || self.counted(part, at, period).is_some_and(|it| it > 0);
        match (part, self.age) {
            (Part::Fleet, _) => true,
            (Part::Primary | Part::Standby, Age::Recent) => {
                self.running(part) != Some(0) || was_counted()
            }
            (Part::Primary | Part::Standby, Age::DaysAgo) => was_counted(),
        }
    }
}

/// The quotient of two numbers that are not negative, rounded up.
pub(crate) const fn div_ceil(dividend: i128, divisor: i128) -> i128 {
    if divisor <= 0 {
        return 0;
    }
    let quotient = dividend / divisor;
    if dividend % divisor > 0 {
        quotient.saturating_add(1)
    } else {
        quotient
    }
}
