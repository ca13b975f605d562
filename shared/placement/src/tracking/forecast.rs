//! What a load is expected to come to, by its own recent peak and by the same time of earlier days.
//!
//! The forecast starts from the newest load, or from the largest of the last seconds that the policy names: its recent peak. It lets that
//! grow by what the load grew by at the same time of the days before. Like is compared with like. The newest load grows as means of
//! [`FORECAST_MINUTES`] minutes did; a peak grows as peaks did: the largest minute of as long ahead, over the largest of as long before.
//!
//! Guaranteed: it is never less than what it starts from, nor than the newest load, so that it only raises, and keeps from lowering. A
//! period that is missing, or incomplete, takes nothing away from a peak: what there is of it is a lower bound. Where no day tells, the
//! recent peak stands alone: less information is no fewer tasks.
//!
//! Assumed: a day has 24 hours.
//!
//! Absent: the days' own peaks in tasks. What the days tell is growth alone, so that a service that has doubled since is forecast as
//! well as before.

use jiff::Timestamp;
use model::Seconds;
use model::tracking::{ForecastFrom, Pace};

use super::load::{Load, div_ceil};
use super::pace::Loads;

const MINUTE: Seconds = Seconds(60);

const DAY: Seconds = Seconds(86_400);

/// The forecast looks at so many days back.
pub const FORECAST_DAYS: i64 = 3;

/// It compares the load of so many minutes before and after the start of a task; of as many as its peak is looked for in, where that is
/// more.
pub const FORECAST_MINUTES: i64 = 5;

/// At most, it lets a load grow by so many thousandths of it: a day on which the load began from almost nothing says little of others.
const GROWTH_MAX_MILLI: i128 = 1_000;

/// The newest load, by what there is of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newest {
    /// The newest value's period.
    pub(super) at: Timestamp,
    /// The load without the tasks that started lately, in thousandths of a task, and when its period began.
    pub(super) level: (i64, Timestamp),
    /// The load with every task that runs.
    pub(super) most_milli: i64,
}

/// What is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    /// The load in thousandths of a task, without the tasks that started lately.
    pub(super) milli: i128,
    /// What the newest load alone lets expect, every task counted.
    pub(super) newest_milli: i128,
    /// What the periods of the recent peak let expect, every task counted: the end of each, and the load. Newest first.
    pub(super) peaks: Vec<(Timestamp, i128)>,
    /// What it comes from; `None` where nothing is forecast.
    pub(super) from: Option<ForecastFrom>,
}

/// What is to be expected of a load. `known` are the periods that are over, oldest first.
pub(super) fn expected(
    season: Loads<'_>,
    (period, known): (Seconds, &[Load]),
    newest: Newest,
    pace: &Pace,
) -> Expected {
    let last_minute = minute_of(newest.at, period);
    let growth = (pace.forecast)
        .then(|| growth_milli(season, last_minute, pace))
        .flatten();
    let grown = |load: i64| {
        let load = i128::from(load.max(0));
        load + load * growth.unwrap_or(0) / 1_000
    };
    let mut peak = newest.level;
    let mut peaks = Vec::new();
    if pace.forecast && Seconds::ZERO < pace.forecast_peak {
        let from = pace.forecast_peak.before(period.after(newest.at));
        let latest = known.iter().rev();
        for load in latest.take_while(|it| from < period.after(it.at)) {
            if peak.0 < load.warm_milli_tasks {
                peak = (load.warm_milli_tasks, load.at);
            }
            peaks.push((period.after(load.at), grown(load.milli_tasks)));
        }
    }
    let tells = growth.is_some() || !peaks.is_empty();
    Expected {
        milli: grown(peak.0),
        newest_milli: grown(newest.most_milli),
        peaks,
        from: tells.then(|| ForecastFrom {
            peak_milli_tasks: peak.0,
            peak_at: peak.1,
            growth_milli: growth.and_then(|it| u32::try_from(it).ok()),
        }),
    }
}

/// The last minute of a period, begun on the minute.
fn minute_of(at: Timestamp, period: Seconds) -> Timestamp {
    let last = period.min(MINUTE).before(period.after(at));
    let second = last.as_second();
    let begun = second.saturating_sub(second.rem_euclid(MINUTE.0));
    Timestamp::from_second(begun).unwrap_or(last)
}

/// By how many thousandths of it the load grew at this time of the days before, from when a task that is asked for serves; a fall counts as
/// none. `None` where no day tells.
fn growth_milli(season: Loads<'_>, newest: Timestamp, pace: &Pace) -> Option<i128> {
    let start_up = whole_minutes(pace.start_up).max(1);
    let is_peak = Seconds::ZERO < pace.forecast_peak;
    let length = whole_minutes(pace.forecast_peak).max(FORECAST_MINUTES);
    let of_minutes = |at: Timestamp, first: i64| {
        let minutes = season.minutes(at, first, length)?;
        Some(if is_peak { minutes.most } else { minutes.sum })
    };
    let (mut sum, mut days) = (0_i128, 0_i128);
    for day in 1..=FORECAST_DAYS {
        let newest = Seconds(DAY.0.saturating_mul(day)).before(newest);
        let then = of_minutes(newest, 1_i64.saturating_sub(length));
        let ahead = of_minutes(newest, start_up);
        if let (Some(then @ 1..), Some(ahead)) = (then, ahead) {
            sum += ((ahead - then) * 1_000 / then).clamp(0, GROWTH_MAX_MILLI);
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

/// Minutes of a day, each of which is known.
#[derive(Debug, Clone, Copy, Default)]
struct Minutes {
    /// Their loads added up.
    sum: i128,
    /// The largest of them.
    most: i128,
}

impl Loads<'_> {
    /// The loads of so many minutes, the first so many minutes after a time. `None` where one is missing or incomplete.
    fn minutes(&self, at: Timestamp, first: i64, length: i64) -> Option<Minutes> {
        let mut minute = Seconds(MINUTE.0.saturating_mul(first)).after(at);
        let after = self.loads.partition_point(|it| it.at <= minute);
        let mut periods = self.loads.get(after.checked_sub(1)?..)?.iter().peekable();
        let mut minutes = Minutes::default();
        for _ in 0..length {
            let is_over = |it: &&Load| self.period.after(it.at) <= minute;
            while periods.next_if(is_over).is_some() {}
            let load = periods
                .peek()
                .filter(|it| it.at <= minute && it.is_complete)?;
            let milli = i128::from(load.milli_tasks.max(0));
            minutes.sum += milli;
            minutes.most = minutes.most.max(milli);
            minute = MINUTE.after(minute);
        }
        Some(minutes)
    }
}
