//! CloudWatch metrics and alarms as they can be read.
//!
//! Values are integers in thousandths: the world is the same on every machine, and adds up exactly.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::group::words;

/// What a metric is known by.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricKey {
    /// Such as `AWS/ECS/ManagedScaling`.
    pub namespace: String,
    /// Such as `CapacityProviderReservation`.
    pub name: String,
    /// The dimensions, by name.
    pub dimensions: BTreeMap<String, String>,
}

impl MetricKey {
    /// Joins them.
    #[must_use]
    pub fn new(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions: dimensions
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }
}

/// The datapoints of one minute, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datapoint {
    /// How many.
    pub count: u64,
    /// All together.
    pub sum_milli: i64,
    /// The smallest.
    pub min_milli: i64,
    /// The largest.
    pub max_milli: i64,
}

words! {
    /// How datapoints are put together.
    Statistic {
        /// The mean.
        Average = "Average",
        /// The sum.
        Sum = "Sum",
        /// The smallest.
        Minimum = "Minimum",
        /// The largest.
        Maximum = "Maximum",
        /// How many.
        SampleCount = "SampleCount",
    }
}

words! {
    /// When a datapoint breaches an alarm's threshold.
    Comparison {
        /// At or above it.
        GreaterThanOrEqual = "GreaterThanOrEqualToThreshold",
        /// Above it.
        GreaterThan = "GreaterThanThreshold",
        /// Below it.
        LessThan = "LessThanThreshold",
        /// At or below it.
        LessThanOrEqual = "LessThanOrEqualToThreshold",
    }
}

words! {
    /// What a period without data is.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>
    MissingData {
        /// Bad.
        Breaching = "breaching",
        /// Good.
        NotBreaching = "notBreaching",
        /// The state stays.
        Ignore = "ignore",
        /// Nothing; without any data the alarm has insufficient data.
        Missing = "missing",
    }
}

words! {
    /// The state of an alarm.
    AlarmState {
        /// All is well.
        Ok = "OK",
        /// The threshold is breached.
        Alarm = "ALARM",
        /// Nobody knows.
        InsufficientData = "INSUFFICIENT_DATA",
    }
}

/// An alarm on one metric with a fixed threshold.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// A text for people.
    pub description: Option<String>,
    /// What it looks at.
    pub metric: MetricKey,
    /// How a period's datapoints are put together.
    pub statistic: Statistic,
    /// The length of a period, in seconds: a multiple of 60.
    pub period_secs: u32,
    /// How many periods it looks at (N).
    pub evaluation_periods: u32,
    /// How many of them must breach (M).
    pub datapoints_to_alarm: u32,
    /// The threshold, in thousandths.
    pub threshold_milli: i64,
    /// When a datapoint breaches it.
    pub comparison: Comparison,
    /// What a period without data is.
    pub missing_data: MissingData,
    /// Whether its actions happen.
    pub actions_enabled: bool,
    /// The ARNs of what happens in ALARM.
    pub alarm_actions: Vec<String>,
    /// The ARNs of what happens in OK.
    pub ok_actions: Vec<String>,
    /// The ARNs of what happens in INSUFFICIENT_DATA.
    pub insufficient_data_actions: Vec<String>,
    /// Where it is.
    pub state: AlarmState,
    /// Why.
    pub state_reason: String,
    /// Why, for machines: a JSON text.
    pub state_reason_data: Option<String>,
    /// Since when.
    pub state_updated_at: Timestamp,
    /// When it was last written.
    pub configured_at: Timestamp,
    /// How many states it ever had.
    pub(crate) changes: u64,
}
