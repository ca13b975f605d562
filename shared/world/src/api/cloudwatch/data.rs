//! Putting data in, and getting it out.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Milli, WireDimension, dimensions_of, invalid, word_of};
use crate::cloudwatch::value_of;
use crate::error::ApiError;
use crate::state::{Datapoint, MetricKey, State, Statistic};
use crate::world::World;

/// Queries in one GetMetricData call, and datums in one PutMetricData call.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
const QUERIES_MAX: usize = 500;
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>
const DATUMS_MAX: usize = 1_000;

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
    value: Option<Milli>,
    #[serde(default)]
    values: Vec<Milli>,
    #[serde(default)]
    counts: Vec<Milli>,
    statistic_values: Option<StatisticSet>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatisticSet {
    sample_count: Milli,
    sum: Milli,
    minimum: Milli,
    maximum: Milli,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct GetData {
    #[serde(default)]
    metric_data_queries: Vec<DataQuery>,
    start_time: Timestamp,
    end_time: Timestamp,
    scan_by: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DataQuery {
    id: String,
    metric_stat: Option<MetricStat>,
    label: Option<String>,
    return_data: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricStat {
    metric: WireMetric,
    period: i64,
    stat: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireMetric {
    namespace: String,
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<WireDimension>,
}

/// How often a value counts; a count of less than one counts once.
fn count_of(count: Milli) -> u64 {
    u64::try_from(count.0 / 1_000).unwrap_or(0).max(1)
}

impl Datum {
    fn datapoints(&self) -> Vec<Datapoint> {
        if let Some(set) = &self.statistic_values {
            return vec![Datapoint {
                count: count_of(set.sample_count),
                sum_milli: set.sum.0,
                min_milli: set.minimum.0,
                max_milli: set.maximum.0,
            }];
        }
        if let Some(value) = self.value {
            return vec![Datapoint::one(value.0)];
        }
        let counts = self.counts.iter().copied().map(count_of);
        self.values
            .iter()
            .zip(counts.chain(std::iter::repeat(1)))
            .map(|(value, count)| Datapoint {
                count,
                sum_milli: value
                    .0
                    .saturating_mul(i64::try_from(count).unwrap_or(i64::MAX)),
                ..Datapoint::one(value.0)
            })
            .collect()
    }
}

impl World {
    pub(in crate::api) fn put_metric_data(&mut self, input: &PutData) -> Result<Value, ApiError> {
        if input.metric_data.len() > DATUMS_MAX {
            return Err(invalid(format!(
                "The collection MetricData must not have a size greater than {DATUMS_MAX}."
            )));
        }
        for datum in &input.metric_data {
            let points = datum.datapoints();
            if points.is_empty() {
                return Err(ApiError::new(
                    "MissingParameter",
                    "At least one of the parameters must be specified: Value, Values, StatisticValues.",
                    400,
                ));
            }
            let key = MetricKey {
                namespace: input.namespace.clone(),
                name: datum.metric_name.clone(),
                dimensions: dimensions_of(&datum.dimensions),
            };
            let at = datum.timestamp.unwrap_or(self.now);
            let minute = at.as_second().div_euclid(60);
            for point in points {
                self.put_datapoint(key.clone(), minute, point);
            }
        }
        Ok(json!({}))
    }

    /// The answer has all data: there are no pages, because a world keeps a day only.
    pub(in crate::api) fn get_metric_data(
        &self,
        state: &State,
        input: &GetData,
    ) -> Result<Value, ApiError> {
        if input.metric_data_queries.len() > QUERIES_MAX {
            return Err(invalid(format!(
                "The collection MetricDataQueries must not have a size greater than {QUERIES_MAX}."
            )));
        }
        if input.start_time >= input.end_time {
            return Err(invalid(
                "The parameter StartTime must be less than the parameter EndTime.",
            ));
        }
        let newest_first = match input.scan_by.as_deref() {
            None | Some("TimestampDescending") => true,
            Some("TimestampAscending") => false,
            Some(other) => {
                return Err(invalid(format!(
                    "The value {other} for ScanBy is not valid."
                )));
            }
        };
        let results = input
            .metric_data_queries
            .iter()
            .filter(|it| it.return_data != Some(false))
            .map(|it| data_result(state, it, input, newest_first))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(json!({ "MetricDataResults": results, "Messages": [] }))
    }
}

fn data_result(
    state: &State,
    query: &DataQuery,
    input: &GetData,
    newest_first: bool,
) -> Result<Value, ApiError> {
    let Some(stat) = &query.metric_stat else {
        return Err(invalid(format!(
            "this world answers queries with a MetricStat only, and `{}` has none",
            query.id
        )));
    };
    let statistic = word_of(&stat.stat, "stat", Statistic::parse)?;
    if stat.period < 60 || stat.period % 60 != 0 {
        return Err(invalid(
            "The parameter Period must be a multiple of 60 in this world.",
        ));
    }
    let key = MetricKey {
        namespace: stat.metric.namespace.clone(),
        name: stat.metric.metric_name.clone(),
        dimensions: dimensions_of(&stat.metric.dimensions),
    };
    let length = stat.period / 60;
    let minutes = input.start_time.as_second().div_euclid(60)
        ..input
            .end_time
            .as_second()
            .div_euclid(60)
            .max(input.start_time.as_second().div_euclid(60));
    let mut periods = std::collections::BTreeMap::<i64, Datapoint>::new();
    for (minute, point) in state
        .metrics
        .get(&key)
        .into_iter()
        .flat_map(|it| it.range(minutes.clone()))
    {
        periods
            .entry(minute.div_euclid(length) * length)
            .and_modify(|it| it.add(point))
            .or_insert(*point);
    }
    let mut points: Vec<(String, Value)> = periods
        .iter()
        .map(|(minute, it)| {
            let at = Timestamp::from_second(minute.saturating_mul(60)).unwrap_or(Timestamp::MIN);
            (at.to_string(), value_of(it.value_milli(statistic)))
        })
        .collect();
    if newest_first {
        points.reverse();
    }
    let (timestamps, values): (Vec<String>, Vec<Value>) = points.into_iter().unzip();
    Ok(json!({
        "Id": query.id,
        "Label": query.label.as_deref().unwrap_or(&stat.metric.metric_name),
        "Timestamps": timestamps,
        "Values": values,
        "StatusCode": "Complete",
    }))
}
