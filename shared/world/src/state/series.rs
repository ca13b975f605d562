//! The datapoints of one metric, as long and as fine as CloudWatch keeps them.
//!
//! Every datapoint is added to its second (where it was stored at high resolution), to its minute, its five minutes and its hour;
//! each of these is kept for its own time. Percentiles need the values themselves, which are kept with seconds and minutes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::metric::{Datapoint, Stat, Statistic};

const MINUTE_SECS: i64 = 60;
const FIVE_MINUTES_SECS: i64 = 300;
const HOUR_SECS: i64 = 3_600;
const DAY_SECS: i64 = 86_400;

/// For how long datapoints of less than a minute are kept, in seconds.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
pub const SECONDS_KEPT_SECS: i64 = 3 * HOUR_SECS;
/// For how long datapoints of a minute are kept, in seconds.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
pub const MINUTES_KEPT_SECS: i64 = 15 * DAY_SECS;
/// For how long datapoints of five minutes are kept, in seconds.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
pub const FIVE_MINUTES_KEPT_SECS: i64 = 63 * DAY_SECS;
/// For how long datapoints of an hour are kept, in seconds.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
pub const HOURS_KEPT_SECS: i64 = 455 * DAY_SECS;

/// Billionths in a thousandth.
const NANO_IN_MILLI: i128 = 1_000_000;

/// The most different values that are kept for the percentiles of one time.
const VALUES_MAX: usize = 1_000;

/// What is known of one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The aggregate.
    pub(crate) datapoint: Datapoint,
    /// The values, in thousandths and in order, and how often each was there; `None` where not all of them are known.
    pub(crate) values: Option<Vec<(i64, u64)>>,
}

impl Sample {
    /// One value, so many times.
    pub(crate) fn of(value_milli: i64, count: u64) -> Self {
        let sum = i128::from(value_milli) * i128::from(count);
        Self {
            datapoint: Datapoint {
                count,
                sum_milli: i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX }),
                min_milli: value_milli,
                max_milli: value_milli,
            },
            values: Some(vec![(value_milli, count)]),
        }
    }

    /// Many values at once; `None` where there are none.
    pub(crate) fn of_all(values: impl IntoIterator<Item = i64>) -> Option<Self> {
        let samples = values.into_iter().map(|it| Self::of(it, 1));
        samples.reduce(|mut all, it| {
            all.add(&it);
            all
        })
    }

    /// A statistic set. Its values are known where all of them are the same.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>
    pub(crate) fn of_set(datapoint: Datapoint) -> Self {
        let is_one_value = datapoint.min_milli == datapoint.max_milli;
        Self {
            values: is_one_value.then(|| vec![(datapoint.min_milli, datapoint.count)]),
            datapoint,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.datapoint.add(&other.datapoint);
        self.values = match (self.values.take(), &other.values) {
            (Some(mut mine), Some(others)) => {
                for (value, count) in others {
                    match mine.binary_search_by_key(value, |it| it.0) {
                        Ok(index) => {
                            if let Some(known) = mine.get_mut(index) {
                                known.1 = known.1.saturating_add(*count);
                            }
                        }
                        Err(index) => mine.insert(index, (*value, *count)),
                    }
                }
                Some(mine).filter(|it| it.len() <= VALUES_MAX)
            }
            (Some(_) | None, Some(_) | None) => None,
        };
    }

    /// The value of a statistic, in thousandths; `None` for a percentile of values that are not known.
    pub(crate) fn value_milli(&self, stat: Stat) -> Option<i64> {
        match stat {
            Stat::Of(statistic) => Some(self.datapoint.value_milli(statistic)),
            Stat::Percentile { milli_percent } => {
                let values = self.values.as_ref()?;
                // The smallest value that at least so many of all are not above.
                let count = u128::from(self.datapoint.count);
                let rank = (count * u128::from(milli_percent)).div_ceil(100_000).max(1);
                let mut seen = 0_u128;
                let mut ranked = values.iter();
                let found = ranked.find(|(_, count)| {
                    seen += u128::from(*count);
                    seen >= rank
                });
                found.or(values.last()).map(|it| it.0)
            }
        }
    }
}

impl Sample {
    /// The value of a statistic, in billionths: a mean is rounded to the nearest.
    pub(crate) fn value_nano(&self, stat: Stat) -> Option<i128> {
        match stat {
            Stat::Of(Statistic::Average) => {
                let sum = i128::from(self.datapoint.sum_milli).checked_mul(NANO_IN_MILLI)?;
                let count = i128::from(self.datapoint.count.max(1));
                Some((sum + count / 2).div_euclid(count))
            }
            Stat::Of(
                Statistic::Sum | Statistic::Minimum | Statistic::Maximum | Statistic::SampleCount,
            )
            | Stat::Percentile { .. } => Some(i128::from(self.value_milli(stat)?) * NANO_IN_MILLI),
        }
    }
}

type Tier = BTreeMap<i64, Sample>;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Tiers {
    seconds: Tier,
    minutes: Tier,
    five_minutes: Tier,
    hours: Tier,
}

/// The datapoints of one metric. Times are seconds since 1970. A clone is cheap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    tiers: Arc<Tiers>,
}

impl Series {
    /// The newest minute's datapoint.
    #[must_use]
    pub fn last(&self) -> Option<&Datapoint> {
        self.tiers
            .minutes
            .values()
            .next_back()
            .map(|it| &it.datapoint)
    }

    /// The datapoint of the minute of a time, in seconds since 1970.
    #[must_use]
    pub fn minute(&self, at_secs: i64) -> Option<&Datapoint> {
        let minute = floor(at_secs, MINUTE_SECS);
        self.tiers.minutes.get(&minute).map(|it| &it.datapoint)
    }

    /// The datapoints of the minutes that are kept, oldest first, with the second in which each begins.
    pub fn minutes(&self) -> impl Iterator<Item = (i64, &Datapoint)> {
        let minutes = self.tiers.minutes.iter();
        minutes.map(|(at, it)| (*at, &it.datapoint))
    }

    /// The minutes that are kept.
    #[must_use]
    pub fn minutes_count(&self) -> usize {
        self.tiers.minutes.len()
    }

    /// Adds what is known of a time. What is older than anything that is kept changes nothing.
    pub(crate) fn put(
        &mut self,
        now_secs: i64,
        at_secs: i64,
        is_high_resolution: bool,
        sample: &Sample,
    ) {
        let tiers = Arc::make_mut(&mut self.tiers);
        let without_values = Sample {
            datapoint: sample.datapoint,
            values: None,
        };
        if is_high_resolution {
            put(
                &mut tiers.seconds,
                at_secs,
                now_secs - SECONDS_KEPT_SECS,
                sample,
            );
        }
        for (tier, length, kept, sample) in [
            (&mut tiers.minutes, MINUTE_SECS, MINUTES_KEPT_SECS, sample),
            (
                &mut tiers.five_minutes,
                FIVE_MINUTES_SECS,
                FIVE_MINUTES_KEPT_SECS,
                &without_values,
            ),
            (
                &mut tiers.hours,
                HOUR_SECS,
                HOURS_KEPT_SECS,
                &without_values,
            ),
        ] {
            put(tier, floor(at_secs, length), now_secs - kept, sample);
        }
    }

    /// The periods from one second up to another that have data, by the second in which each begins. A period is aligned to its own
    /// length; only what lies between the two seconds counts for it.
    pub(crate) fn periods(
        &self,
        now_secs: i64,
        from_secs: i64,
        to_secs: i64,
        period_secs: i64,
    ) -> BTreeMap<i64, Sample> {
        let mut periods = BTreeMap::new();
        let mut collect = |tier: &Tier, from: i64, to: i64| {
            if from >= to {
                return;
            }
            for (at, sample) in tier.range(from..to) {
                periods
                    .entry(floor(*at, period_secs))
                    .and_modify(|it: &mut Sample| it.add(sample))
                    .or_insert_with(|| sample.clone());
            }
        };
        if period_secs < MINUTE_SECS {
            let kept = now_secs - SECONDS_KEPT_SECS;
            collect(&self.tiers.seconds, from_secs.max(kept), to_secs);
            return periods;
        }
        // What is older comes in coarser pieces only; the borders are full hours, so that no piece lies on one.
        let minutes_from = ceil(now_secs - MINUTES_KEPT_SECS, HOUR_SECS);
        let five_from = ceil(now_secs - FIVE_MINUTES_KEPT_SECS, HOUR_SECS);
        let hours_from = now_secs - HOURS_KEPT_SECS;
        collect(&self.tiers.minutes, from_secs.max(minutes_from), to_secs);
        if period_secs % FIVE_MINUTES_SECS == 0 {
            let (from, to) = (from_secs.max(five_from), to_secs.min(minutes_from));
            collect(&self.tiers.five_minutes, from, to);
        }
        if period_secs % HOUR_SECS == 0 {
            let (from, to) = (from_secs.max(hours_from), to_secs.min(five_from));
            collect(&self.tiers.hours, from, to);
        }
        periods
    }
}

fn floor(at_secs: i64, length_secs: i64) -> i64 {
    at_secs.div_euclid(length_secs) * length_secs
}

fn ceil(at_secs: i64, length_secs: i64) -> i64 {
    floor(at_secs + length_secs - 1, length_secs)
}

fn put(tier: &mut Tier, at_secs: i64, kept_from_secs: i64, sample: &Sample) {
    if at_secs < kept_from_secs {
        return;
    }
    tier.entry(at_secs)
        .and_modify(|it| it.add(sample))
        .or_insert_with(|| sample.clone());
    while tier
        .first_key_value()
        .is_some_and(|(at, _)| *at < kept_from_secs)
    {
        tier.pop_first();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000 * DAY_SECS;

    fn series(times: impl IntoIterator<Item = i64>, is_high_resolution: bool) -> Series {
        let mut series = Series::default();
        for at in times {
            series.put(NOW, at, is_high_resolution, &Sample::of(1_000, 1));
        }
        series
    }

    fn count(series: &Series, from: i64, period: i64) -> i64 {
        let periods = series.periods(NOW, from, NOW, period);
        periods
            .values()
            .map(|it| it.value_milli(Stat::Of(Statistic::SampleCount)).unwrap() / 1_000)
            .sum()
    }

    #[test]
    fn every_resolution_is_kept_for_its_time() {
        let hours = (0..460 * 24).map(|it| NOW - it * HOUR_SECS - 60);
        let series = series(hours, true);
        let days_of = |period: i64| count(&series, 0, period) / 24;
        assert_eq!(count(&series, 0, 20), 3);
        assert_eq!(days_of(60), 15);
        assert_eq!(days_of(120), 15);
        assert_eq!(days_of(300), 63);
        assert_eq!(days_of(3_600), 455);
        // Nothing is counted twice where one resolution ends and the next begins.
        assert_eq!(count(&series, NOW - 30 * DAY_SECS, 3_600), 30 * 24);
    }

    #[test]
    fn what_is_stored_by_the_minute_has_no_seconds() {
        let series = series([NOW - 60, NOW - 40, NOW - 20], false);
        assert_eq!(count(&series, 0, 20), 0);
        assert_eq!(count(&series, 0, 60), 3);
    }

    #[test]
    fn percentiles_are_values_that_were_there() {
        let mut sample = Sample::of_all((1..=100).map(|it| it * 10)).unwrap();
        let value = |sample: &Sample, text: &str| sample.value_milli(Stat::parse(text).unwrap());
        for (stat, wanted) in [
            ("p50", 500),
            ("p99", 990),
            ("p99.9", 1_000),
            ("p0", 10),
            ("p100", 1_000),
            ("Average", 505),
            ("Sum", 50_500),
            ("SampleCount", 100_000),
        ] {
            assert_eq!(value(&sample, stat), Some(wanted), "{stat}");
        }
        // A statistic set with different values hides which.
        sample.add(&Sample::of_set(Datapoint {
            count: 2,
            sum_milli: 3,
            min_milli: 1,
            max_milli: 2,
        }));
        assert_eq!(value(&sample, "p50"), None);
        assert_eq!(value(&sample, "Minimum"), Some(1));
    }
}
