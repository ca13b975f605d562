//! Metrics: datapoints of a minute each.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::state::{Datapoint, MetricKey, Statistic};
use crate::world::World;

/// How many minutes of a metric are kept. AWS keeps fifteen days at this resolution; a day is enough here.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html>
const MINUTES_KEPT: usize = 1_440;

impl World {
    /// Puts a value into a metric, at the world's time. The value is in thousandths.
    pub fn put_metric(
        &mut self,
        namespace: &str,
        name: &str,
        dimensions: &[(&str, &str)],
        value_milli: i64,
    ) {
        let key = MetricKey::new(namespace, name, dimensions);
        let minute = self.now.as_second().div_euclid(60);
        self.put_datapoint(key, minute, Datapoint::one(value_milli));
    }

    /// The value of a metric over some minutes, in thousandths; `None` where it has no datapoint there.
    pub(crate) fn metric_value(
        &self,
        metric: &MetricKey,
        statistic: Statistic,
        from_minute: i64,
        minutes: i64,
    ) -> Option<i64> {
        self.state
            .metrics
            .get(metric)?
            .range(from_minute..from_minute.saturating_add(minutes))
            .map(|(_, it)| *it)
            .reduce(|mut all, it| {
                all.add(&it);
                all
            })
            .map(|it| it.value_milli(statistic))
    }

    pub(crate) fn put_datapoint(&mut self, key: MetricKey, minute: i64, datapoint: Datapoint) {
        let minutes: &mut BTreeMap<i64, Datapoint> = self.state.metrics.entry(key).or_default();
        minutes
            .entry(minute)
            .and_modify(|it| it.add(&datapoint))
            .or_insert(datapoint);
        while minutes.len() > MINUTES_KEPT {
            minutes.pop_first();
        }
    }
}

/// Thousandths as a number of JSON.
pub(crate) fn value_of(milli: i64) -> Value {
    let sign = if milli < 0 { "-" } else { "" };
    let (whole, rest) = (milli.unsigned_abs() / 1_000, milli.unsigned_abs() % 1_000);
    // Through text, so that the value is the nearest one to the decimal.
    format!("{sign}{whole}.{rest:03}")
        .parse::<f64>()
        .ok()
        .and_then(serde_json::Number::from_f64)
        .map_or(Value::Null, Value::Number)
}

impl Datapoint {
    /// The value of a statistic, in thousandths; a mean is rounded down.
    #[must_use]
    pub fn value_milli(&self, statistic: Statistic) -> i64 {
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        match statistic {
            Statistic::Average => self.sum_milli.div_euclid(count.max(1)),
            Statistic::Sum => self.sum_milli,
            Statistic::Minimum => self.min_milli,
            Statistic::Maximum => self.max_milli,
            Statistic::SampleCount => count.saturating_mul(1_000),
        }
    }

    /// One value, in thousandths.
    #[must_use]
    pub const fn one(value_milli: i64) -> Self {
        Self {
            count: 1,
            sum_milli: value_milli,
            min_milli: value_milli,
            max_milli: value_milli,
        }
    }

    /// Adds what another one holds.
    pub(crate) fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum_milli = self.sum_milli.saturating_add(other.sum_milli);
        self.min_milli = self.min_milli.min(other.min_milli);
        self.max_milli = self.max_milli.max(other.max_milli);
    }
}
