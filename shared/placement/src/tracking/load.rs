//! How many tasks would have served the load exactly at the target, period by period?
//!
//! The load of a period is counted in thousandths of a task. A metric for each task gives its value times the tasks that ran, over the
//! target; a metric of the whole fleet gives its value over the target. The parts of a pair add up: what the standby serves is load too.
//!
//! A load is *complete* where every task that ran is in it. One that is not is a lower bound: it may raise, and never lowers. Samples of a
//! task may come later than those of others: a count that is not settled, and smaller than the last settled one and than what runs, is
//! no more than a bound either, so that the period before it counts too. ECS
//! publishes nothing for a service without tasks, so that a part without a value is 0 where no task of it ran. A metric for each task has
//! no load in a period in which no task was counted: its count is as late as a value may be. What such a newest period may need is known all
//! the same, from the tasks that run or were counted last, and nothing is lowered further than to that. It does not keep from lowering
//! in any case: where counts always come after the values of a load balancer, nothing would ever be lowered. It does where a service that
//! runs tasks has no value in it either, once it is settled: with its counts it would be incomplete.
//!
//! Not every task that was counted served its share for the whole of a period: some had just started, some stopped within it. So a load has
//! two numbers. The one that lowering goes by counts every task that ran. The other, which raising goes by, counts those that served
//! throughout (`serving`).
//!
//! Guaranteed: nothing overflows; every load is rounded up; a negative value counts as 0; a value twice in a period counts as the larger.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::Seconds;
use model::snapshot::Standby;
use model::tracking::readings::{Part, Point, Series};
use model::tracking::{Fleet, Measures, Target};

use super::pace::{Loads, SETTLED_AFTER};
use super::serving::Serving;

/// The load of one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// When the period began.
    pub at: Timestamp,
    /// So many thousandths of a task would have served it exactly at the target, every task that ran counted. Not negative.
    pub milli_tasks: i64,
    /// The same, of the tasks alone that served throughout the period: no more than that, and not negative.
    pub serving_milli_tasks: i64,
    /// Whether every task that ran is in it. One that is not complete is a lower bound.
    pub is_complete: bool,
}

/// A target's load over time, with the length of its periods.
#[derive(Debug, Clone, Default)]
pub(crate) struct Summed {
    period: Seconds,
    loads: Vec<Load>,
    uncounted: Uncounted,
}

/// The periods after the newest load: they have values, and none of their tasks are counted yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uncounted {
    /// The most that one of them may need, in thousandths of a task. 0 where there is none.
    pub milli_tasks: i64,
    /// Whether those that are settled follow one another, and have a value of every part that runs tasks.
    pub is_complete: bool,
}

impl Default for Uncounted {
    fn default() -> Self {
        Self {
            milli_tasks: 0,
            is_complete: true,
        }
    }
}

impl Summed {
    /// As the core asks about it.
    pub(crate) fn as_loads(&self) -> Loads<'_> {
        Loads {
            period: self.period,
            loads: &self.loads,
        }
    }

    /// What of the periods after the newest load is known.
    pub(crate) const fn uncounted(&self) -> Uncounted {
        self.uncounted
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
    serving: Serving<'_>,
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
        serving,
        now,
    };
    let parts: Vec<Values> = series.iter().map(|it| Values::new(it, now)).collect();
    let is_all_given = series.iter().all(|it| it.is_complete);
    let is_there = |at: &Timestamp| match target.measures {
        Measures::Total => true,
        // How many tasks run now says nothing of a moment ago: after a step it would be taken for more load, or for less.
        Measures::PerTask => counts.are_known(*at, period),
    };
    let times = parts.iter().flat_map(|it| it.by_time.keys().copied());
    let (times, uncounted): (BTreeSet<Timestamp>, BTreeSet<Timestamp>) = times.partition(is_there);
    let expected = expected(target.measures, &parts);
    let newest = times.last().copied();
    let later = uncounted.into_iter().filter(|at| newest < Some(*at));
    let mut next = newest.map(|it| period.after(it));
    let uncounted = later.fold(Uncounted::default(), |known, at| {
        // A period without any value before one that has a value is a gap, whether or not its tasks are counted.
        let (mut product, mut is_complete) = (0_i128, next.is_none_or(|it| at <= it));
        next = Some(period.after(at));
        for part in &expected {
            let values = parts.iter().filter(|it| it.part == *part);
            let value = values.filter_map(|it| it.at(at)).max();
            let may_have_run = counts.may_have_run(*part);
            let times = i128::from(value.unwrap_or(0).max(0)).saturating_mul(may_have_run);
            product = product.saturating_add(times);
            is_complete &= value.is_some() || counts.running(*part) == Some(0);
        }
        let is_settled = period.after(at) <= SETTLED_AFTER.before(now);
        Uncounted {
            milli_tasks: known.milli_tasks.max(milli_tasks(product, target)),
            is_complete: known.is_complete && (is_complete || !is_settled),
        }
    });
    let loads = times.into_iter().map(|at| {
        let nothing = Share {
            product: 0,
            serving_product: 0,
            is_complete: is_all_given,
        };
        let sum = expected.iter().fold(nothing, |sum, part| {
            let values = parts.iter().filter(|it| it.part == *part);
            let value = values.filter_map(|it| it.at(at)).max();
            sum.and(share(&counts, *part, value, target.measures, at, period))
        });
        Load {
            at,
            milli_tasks: milli_tasks(sum.product, target),
            serving_milli_tasks: milli_tasks(sum.serving_product, target),
            is_complete: sum.is_complete,
        }
    });
    Summed {
        period,
        loads: loads.collect(),
        uncounted,
    }
}

/// Thousandths of the unit, times thousandths of a task, over thousandths of the unit for each task.
fn milli_tasks(product: i128, target: &Target) -> i64 {
    let milli = div_ceil(product, i128::from(target.value_milli));
    i64::try_from(milli).unwrap_or(i64::MAX)
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
    /// Of the tasks alone that served throughout the period.
    serving_product: i128,
    is_complete: bool,
}

impl Share {
    const fn and(self, other: Self) -> Self {
        Self {
            product: self.product.saturating_add(other.product),
            serving_product: self.serving_product.saturating_add(other.serving_product),
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
        serving_product: 0,
        is_complete,
    };
    let Some(value) = value else {
        // Without a value nothing is known, unless no task ran that could have had one.
        return nothing(!counts.ran(part, at, period));
    };
    let tasks = match measures {
        Measures::Total => Ran {
            tasks_milli: 1_000,
            serving_milli: 1_000,
            are_all: true,
        },
        Measures::PerTask => counts.at_least(part, at, period),
    };
    let times = |tasks: i64| i128::from(value.max(0)).saturating_mul(i128::from(tasks.max(0)));
    Share {
        product: times(tasks.tasks_milli),
        serving_product: times(tasks.serving_milli),
        is_complete: tasks.are_all,
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

/// The tasks that are known to have run in a period, in thousandths.
#[derive(Debug, Clone, Copy)]
struct Ran {
    tasks_milli: i64,
    /// Those of them that served throughout it.
    serving_milli: i64,
    are_all: bool,
}

/// How many tasks ran.
pub(super) struct Counts<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) series: &'a [Series],
    pub(super) age: Age,
    pub(super) serving: Serving<'a>,
    pub(super) now: Timestamp,
}

impl Counts<'_> {
    fn at_least(&self, part: Part, at: Timestamp, period: Seconds) -> Ran {
        match part {
            Part::Fleet => {
                let [primary, standby] = [Part::Primary, Part::Standby].map(|it| {
                    let ran = self.at_least(it, at, period);
                    let serving_milli = ran.serving_milli.min(self.asked_for(it, at, period));
                    Ran {
                        serving_milli,
                        ..ran
                    }
                });
                Ran {
                    tasks_milli: primary.tasks_milli.saturating_add(standby.tasks_milli),
                    serving_milli: primary.serving_milli.saturating_add(standby.serving_milli),
                    are_all: primary.are_all && standby.are_all,
                }
            }
            Part::Primary | Part::Standby => {
                let tasks = self.tasks(part, at, period);
                let tasks_milli = tasks.unwrap_or(0);
                Ran {
                    tasks_milli,
                    serving_milli: tasks_milli.min(self.served(part, at, period)),
                    are_all: tasks.is_some_and(|it| self.no_fewer(part, at, period, it) <= it),
                }
            }
        }
    }

    /// The counts of a service whose periods lie at least partly between two times, each with the length of its period.
    pub(super) fn points(
        &self,
        part: Part,
        from: Timestamp,
        until: Timestamp,
    ) -> impl Iterator<Item = (Seconds, &Point)> {
        let series = self.series.iter().filter(move |it| it.part == part);
        series.flat_map(move |series| {
            let first = series
                .points
                .partition_point(|it| series.period.after(it.at) <= from);
            let points = series.points.iter().skip(first);
            let within = points.take_while(move |it| it.at < until);
            within.map(|it| (series.period, it))
        })
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

    /// No fewer tasks than so many, in thousandths, will have been counted in a period once it is settled: those that were counted in the
    /// last settled one and run now, as far as that was read, where that is more than `counted`.
    pub(super) fn no_fewer(&self, part: Part, at: Timestamp, period: Seconds, counted: i64) -> i64 {
        match self.age {
            Age::Recent => {}
            Age::DaysAgo => return counted,
        }
        // A count's period may be longer than that of the value.
        let mut counts = self.points(part, at, period.after(at));
        if self.is_settled(at, period) && counts.all(|(length, it)| self.is_settled(it.at, length))
        {
            return counted;
        }
        let of_part = self.series.iter().filter(|it| it.part == part);
        let settled = of_part.filter_map(|series| {
            let mut points = series.points.iter().rev();
            let last = points.find(|it| self.is_settled(it.at, series.period))?;
            Some(last.value_milli)
        });
        let running = self.running(part);
        let running = running.map_or(i64::MAX, |it| i64::from(it) * 1_000);
        settled.max().unwrap_or(0).min(running).max(counted)
    }

    /// Whether a period ended so long ago that nothing of it is to come any more.
    fn is_settled(&self, at: Timestamp, period: Seconds) -> bool {
        period.after(at) <= SETTLED_AFTER.before(self.now)
    }

    /// Whether any task of the fleet was counted in a period.
    fn are_known(&self, at: Timestamp, period: Seconds) -> bool {
        [Part::Primary, Part::Standby]
            .into_iter()
            .any(|part| self.counted(part, at, period).is_some())
    }

    /// The tasks of a part that may have run lately, in thousandths: those that run, or those that were counted last where that is more.
    fn may_have_run(&self, part: Part) -> i128 {
        if part == Part::Fleet {
            let primary = self.may_have_run(Part::Primary);
            return primary.saturating_add(self.may_have_run(Part::Standby));
        }
        let of_part = self.series.iter().filter(|it| it.part == part);
        let last = of_part
            .filter_map(|it| it.points.last())
            .map(|it| it.value_milli);
        let running = i128::from(self.running(part).unwrap_or(0)) * 1_000;
        last.max().map_or(running, |it| running.max(it.into()))
    }

    /// The mean of the counts in a period, rounded up. A count's period that lies partly in it counts wholly.
    fn counted(&self, part: Part, at: Timestamp, period: Seconds) -> Option<i64> {
        let (mut sum, mut number) = (0_i128, 0_i128);
        for (_, point) in self.points(part, at, period.after(at)) {
            sum = sum.saturating_add(i128::from(point.value_milli.max(0)));
            number = number.saturating_add(1);
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
                let primary = self.running(Part::Primary)?;
                Some(primary.saturating_add(self.running(Part::Standby)?))
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
