//! Putting data in.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Milli, WireDimension, dimensions_of, invalid};
use crate::error::ApiError;
use crate::state::{Datapoint, MetricKey, Sample};
use crate::world::World;

/// Datums in one PutMetricData call.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>
const DATUMS_MAX: usize = 1_000;
/// Different values in one datum.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>
const VALUES_MAX: usize = 150;
/// How far before now, and after it, a datum's time may be, in seconds.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>
const BEFORE_SECS_MAX: i64 = 14 * 86_400;
const AFTER_SECS_MAX: i64 = 2 * 3_600;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct PutData {
    namespace: String,
    #[serde(default)]
    metric_data: Vec<Datum>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Datum {
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<WireDimension>,
    timestamp: Option<Timestamp>,
    value: Option<Number>,
    #[serde(default)]
    values: Vec<Number>,
    #[serde(default)]
    counts: Vec<Number>,
    statistic_values: Option<StatisticSet>,
    storage_resolution: Option<i64>,
}

/// A number, or the word for one that is none: `NaN`, `Infinity` or `-Infinity`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(Milli),
    Odd(String),
}

impl Number {
    fn read(&self, parameter: &str) -> Result<i64, ApiError> {
        match self {
            Self::Finite(milli) => Ok(milli.0),
            Self::Odd(text) => Err(ApiError::new(
                "InvalidParameterValue",
                format!("The value {text} for parameter MetricData.member.{parameter} is invalid."),
                400,
            )),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatisticSet {
    sample_count: Number,
    sum: Number,
    minimum: Number,
    maximum: Number,
}

/// How often a value counts; a count of less than one counts once.
fn count_of(count_milli: i64) -> u64 {
    u64::try_from(count_milli / 1_000).unwrap_or(0).max(1)
}

impl Datum {
    /// What it holds; `None` where it holds nothing.
    fn sample(&self) -> Result<Option<Sample>, ApiError> {
        if let Some(set) = &self.statistic_values {
            let part = |it: &Number, name: &str| it.read(&format!("StatisticValues.{name}"));
            return Ok(Some(Sample::of_set(Datapoint {
                count: count_of(part(&set.sample_count, "SampleCount")?),
                sum_milli: part(&set.sum, "Sum")?,
                min_milli: part(&set.minimum, "Minimum")?,
                max_milli: part(&set.maximum, "Maximum")?,
            })));
        }
        if let Some(value) = &self.value {
            return Ok(Some(Sample::of(value.read("Value")?, 1)));
        }
        if self.values.len() > VALUES_MAX {
            return Err(invalid(format!(
                "The collection MetricData.member.Values must not have a size greater than {VALUES_MAX}."
            )));
        }
        if !self.counts.is_empty() && self.counts.len() != self.values.len() {
            return Err(ApiError::new(
                "InvalidParameterValue",
                "The parameters MetricData.member.Values and MetricData.member.Counts must be of the same size.",
                400,
            ));
        }
        let mut counts = self.counts.iter();
        let mut all: Option<Sample> = None;
        for value in &self.values {
            let count = counts.next().map(|it| it.read("Counts")).transpose()?;
            let sample = Sample::of(value.read("Values")?, count.map_or(1, count_of));
            match &mut all {
                Some(all) => all.add(&sample),
                None => all = Some(sample),
            }
        }
        Ok(all)
    }

    /// When it is of, which must be from two weeks ago to in two hours.
    fn time(&self, now: Timestamp) -> Result<Timestamp, ApiError> {
        let at = self.timestamp.unwrap_or(now);
        let passed = now.as_second() - at.as_second();
        if passed > BEFORE_SECS_MAX || -passed > AFTER_SECS_MAX {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!(
                    "The parameter MetricData.member.Timestamp must specify a time within the past two weeks and the next two hours, not {at}."
                ),
                400,
            ));
        }
        Ok(at)
    }
}

impl World {
    pub(in crate::api) fn put_metric_data(&mut self, input: &PutData) -> Result<Value, ApiError> {
        if input.metric_data.len() > DATUMS_MAX {
            return Err(invalid(format!(
                "The collection MetricData must not have a size greater than {DATUMS_MAX}."
            )));
        }
        // All of them are good, or none is put in.
        let mut read = Vec::new();
        for datum in &input.metric_data {
            let Some(sample) = datum.sample()? else {
                return Err(ApiError::new(
                    "MissingParameter",
                    "At least one of the parameters must be specified: Value, Values, StatisticValues.",
                    400,
                ));
            };
            let key = MetricKey {
                namespace: input.namespace.clone(),
                name: datum.metric_name.clone(),
                dimensions: dimensions_of(&datum.dimensions),
            };
            let at = datum.time(self.now)?.as_second();
            read.push((key, at, datum.storage_resolution == Some(1), sample));
        }
        for (key, at_secs, is_high_resolution, sample) in &read {
            self.put_sample(key, *at_secs, *is_high_resolution, sample);
        }
        Ok(json!({}))
    }
}
