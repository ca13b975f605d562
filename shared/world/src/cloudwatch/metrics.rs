//! Metrics: datapoints of a minute each.

use std::collections::BTreeMap;

use crate::state::{Datapoint, MetricKey};
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

impl Datapoint {
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
