//! Metrics: what is put into them.

use jiff::Timestamp;
use serde_json::Value;

use crate::state::{Datapoint, MetricKey, Sample, Series, Statistic};
use crate::world::World;

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
        self.put_metric_at(&key, self.now, false, &[value_milli]);
    }

    /// Puts values into a metric, at any time; they can be read at once. The values are in thousandths; each is a sample. Values at
    /// high resolution are kept by the second, others by the minute.
    pub fn put_metric_at(
        &mut self,
        key: &MetricKey,
        at: Timestamp,
        is_high_resolution: bool,
        values_milli: &[i64],
    ) {
        if let Some(sample) = Sample::of_all(values_milli.iter().copied()) {
            self.put_sample(key, at.as_second(), is_high_resolution, &sample);
        }
    }

    pub(crate) fn put_sample(
        &mut self,
        key: &MetricKey,
        at_secs: i64,
        is_high_resolution: bool,
        sample: &Sample,
    ) {
        let now_secs = self.now.as_second();
        if !self.state.metrics.contains_key(key) {
            self.state.metrics.insert(key.clone(), Series::default());
        }
        if let Some(series) = self.state.metrics.get_mut(key) {
            series.put(now_secs, at_secs, is_high_resolution, sample);
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

    /// Adds what another one holds.
    pub(crate) fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum_milli = self.sum_milli.saturating_add(other.sum_milli);
        self.min_milli = self.min_milli.min(other.min_milli);
        self.max_milli = self.max_milli.max(other.max_milli);
    }
}
