//! What a load is expected to come to, by its own recent peak and by the same time of earlier days.
//!
//! The forecast starts from the newest load, or from the largest of the last seconds that the policy names: its recent peak. It lets that
//! grow by what the load grew by at the same time of the days before. Like is compared with like. The newest load grows as means of
//! [`FORECAST_MINUTES`] minutes did; a peak grows as peaks did: the largest minute of as long ahead, over the largest of as long before.
//!
//! Guaranteed: it is never less than what it starts from, nor than the newest load, so that it only raises, and keeps from lowering. A
//! period that is missing, or incomplete, takes nothing away from a peak: what there is of it is a lower bound. So is a day's peak ahead of
//! which minutes are missing: such a day counts where it tells of more than the others do. Where no day tells, the recent peak stands
//! alone: less information is no fewer tasks.
//!
//! Assumed: a day has 24 hours.
//!
//! Absent: the days' own peaks in tasks. What the days tell is growth alone, so that a service that has doubled since is forecast as
//! well as before.

use jiff::Timestamp;
use model::Seconds;
use model::tracking::{FORECAST_DAYS, FORECAST_MINUTES, ForecastFrom, Pace};

use super::load::{Load, div_ceil};
use super::pace::{History, Loads};

const MINUTE: Seconds = Seconds(60);

const DAY: Seconds = Seconds(86_400);

/// At most, it lets a load grow by so many thousandths of it: a day on which the load began from almost nothing says little of others.
const GROWTH_MAX_MILLI: i128 = 1_000;

/// The newest load, by what there is of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newest {
    /// The newest value's period.
    pub(super) at: Timestamp,
    /// The load of the tasks alone that served throughout the period, in thousandths of a task, and when that began.
    pub(super) level: (i64, Timestamp),
}

/// What is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    /// By how many thousandths of it a load grows; `None` where no day tells.
    growth_milli: Option<i128>,
    /// What the newest load and the recent peak let expect, in thousandths of a task, by the tasks alone that served throughout.
    pub(super) milli: i128,
    /// What the newest load alone does, without them.
    pub(super) newest_milli: i128,
    /// The periods of the recent peak, newest first.
    pub(super) peaks: Vec<Load>,
    /// What it comes from; `None` where nothing is forecast.
    pub(super) from: Option<ForecastFrom>,
}

impl Expected {
    /// What a load lets expect, in thousandths of a task.
    pub(super) fn grown(&self, load: i64) -> i128 {
        let load = i128::from(load.max(0));
        load + load * self.growth_milli.unwrap_or(0) / 1_000
    }
}

/// What is to be expected of a load. `known` are the periods that are over, oldest first.
pub(super) fn expected(
    history: &History<'_>,
    known: &[Load],
    newest: Newest,
    pace: &Pace,
) -> Expected {
    let period = history.recent.period;
    let last_minute = minute_of(newest.at, period);
    let growth_milli = (pace.forecast)
        .then(|| growth_milli(history.season, last_minute, pace))
        .flatten();
    let mut peak = newest.level;
    let mut peaks = Vec::new();
    if pace.forecast && Seconds::ZERO < pace.forecast_peak {
        let from = pace.forecast_peak.before(period.after(newest.at));
        let is_peak = |it: &Load| {
            let can_be_used = history.peaks_from.is_none_or(|from| from <= it.at);
            from < period.after(it.at) && can_be_used
        };
        for load in known.iter().rev().take_while(|it| is_peak(it)) {
            if peak.0 < load.serving_milli_tasks {
                peak = (load.serving_milli_tasks, load.at);
            }
            peaks.push(*load);
        }
    }
    let tells = growth_milli.is_some() || !peaks.is_empty();
    let mut expected = Expected {
        growth_milli,
        milli: 0,
        newest_milli: 0,
        peaks,
        from: tells.then(|| ForecastFrom {
            peak_milli_tasks: peak.0,
            peak_at: peak.1,
            growth_milli: growth_milli.and_then(|it| u32::try_from(it).ok()),
        }),
    };
    expected.milli = expected.grown(peak.0);
    expected.newest_milli = expected.grown(newest.level.0);
    expected
}

/// The last minute of a period, begun on the minute.
fn minute_of(at: Timestamp, period: Seconds) -> Timestamp {
    let last = period.min(MINUTE).before(period.after(at));
    let second = last.as_second();
    let begun = second.saturating_sub(second.rem_euclid(MINUTE.0));
    Timestamp::from_second(begun).unwrap_or(last)
}

/// By how many thousandths of it the load grew at this time of the days before, from when a task that is asked for serves; a fall counts as
/// none. `None` where no day tells. A peak ahead of which minutes are missing counts where it raises the mean: it was no less.
fn growth_milli(season: Loads<'_>, newest: Timestamp, pace: &Pace) -> Option<i128> {
    let start_up = whole_minutes(pace.start_up).max(1);
    let is_peak = Seconds::ZERO < pace.forecast_peak;
    let length = whole_minutes(pace.forecast_peak).max(FORECAST_MINUTES);
    let (mut sum, mut days) = (0_i128, 0_i128);
    let mut at_least = Vec::new();
    for day in 1..=FORECAST_DAYS {
        let newest = Seconds(DAY.0.saturating_mul(day)).before(newest);
        let then = season.minutes(newest, 1_i64.saturating_sub(length), length);
        let ahead = season.minutes(newest, start_up, length);
        let of = |it: &Minutes| if is_peak { it.most } else { it.sum };
        let from = of(&then);
        if !then.are_whole || from <= 0 {
            continue;
        }
        let growth = ((of(&ahead) - from) * 1_000 / from).clamp(0, GROWTH_MAX_MILLI);
        if ahead.are_whole {
            sum += growth;
            days += 1;
        } else if is_peak && growth > 0 {
            at_least.push(growth);
        }
    }
    at_least.sort_unstable();
    for growth in at_least.into_iter().rev() {
        if sum <= growth * days {
            sum += growth;
            days += 1;
        }
    }
    (days > 0).then(|| sum / days)
}

/// Minutes for seconds, rounded up.
fn whole_minutes(seconds: Seconds) -> i64 {
    let minutes = div_ceil(i128::from(seconds.0), i128::from(MINUTE.0));
    i64::try_from(minutes).unwrap_or(i64::MAX)
}

/// Minutes of a day.
#[derive(Debug, Clone, Copy)]
struct Minutes {
    /// Their loads added up.
    sum: i128,
    /// The largest of them.
    most: i128,
    /// Whether each of them is known, and complete. Otherwise the others are lower bounds.
    are_whole: bool,
}

impl Loads<'_> {
    /// The loads of so many minutes, the first so many minutes after a time.
    fn minutes(&self, at: Timestamp, first: i64, length: i64) -> Minutes {
        let mut minute = Seconds(MINUTE.0.saturating_mul(first)).after(at);
        let begun = self.loads.partition_point(|it| it.at <= minute);
        let mut periods = self.loads.iter().skip(begun.saturating_sub(1)).peekable();
        let mut minutes = Minutes {
            sum: 0,
            most: 0,
            are_whole: true,
        };
        for _ in 0..length {
            let is_over = |it: &&Load| self.period.after(it.at) <= minute;
            while periods.next_if(is_over).is_some() {}
            let load = periods.peek().filter(|it| it.at <= minute);
            let milli = load.map_or(0, |it| i128::from(it.milli_tasks.max(0)));
            minutes.are_whole &= load.is_some_and(|it| it.is_complete);
            minutes.sum += milli;
            minutes.most = minutes.most.max(milli);
            minute = MINUTE.after(minute);
        }
        minutes
    }
}
