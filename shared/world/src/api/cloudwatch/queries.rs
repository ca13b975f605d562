//! Queries as they come over the wire, of GetMetricData and of alarms on expressions.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{WireDimension, dimensions_json, dimensions_of, invalid};
use crate::error::ApiError;
use crate::state::{MetricKey, MetricQuery, MetricStat, QuerySource, Stat};

/// Periods shorter than a minute.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html>
const SHORT_PERIODS_SECS: [i64; 5] = [1, 5, 10, 20, 30];
/// The longest expression, in characters.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html>
const EXPRESSION_CHARS_MAX: usize = 2_048;

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireQuery {
    id: String,
    metric_stat: Option<WireStat>,
    expression: Option<String>,
    label: Option<String>,
    return_data: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireStat {
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

/// A period that CloudWatch takes, in seconds.
pub(super) fn period_secs(period: i64) -> Result<u32, ApiError> {
    let is_long = period >= 60 && period % 60 == 0;
    u32::try_from(period)
        .ok()
        .filter(|_| is_long || SHORT_PERIODS_SECS.contains(&period))
        .ok_or_else(|| {
            invalid("The value for parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
        })
}

pub(super) fn stat_of(word: &str) -> Result<Stat, ApiError> {
    Stat::parse(word).ok_or_else(|| {
        invalid(format!(
            "The value {word} for parameter MetricDataQueries.MetricStat.Stat is not supported."
        ))
    })
}

impl WireQuery {
    pub(super) fn read(&self) -> Result<MetricQuery, ApiError> {
        let source = match (&self.metric_stat, &self.expression) {
            (Some(stat), None) => QuerySource::Metric(MetricStat {
                metric: MetricKey {
                    namespace: stat.metric.namespace.clone(),
                    name: stat.metric.metric_name.clone(),
                    dimensions: dimensions_of(&stat.metric.dimensions),
                },
                stat: stat_of(&stat.stat)?,
                period_secs: period_secs(stat.period)?,
            }),
            (None, Some(text)) if text.chars().count() <= EXPRESSION_CHARS_MAX => {
                QuerySource::Expression(text.clone())
            }
            (None, Some(_)) => {
                return Err(invalid(format!(
                    "The parameter Expression must be at most {EXPRESSION_CHARS_MAX} characters long."
                )));
            }
            (None, None) | (Some(_), Some(_)) => {
                return Err(invalid(format!(
                    "Exactly one of the parameters MetricStat and Expression must be specified in the query {}.",
                    self.id
                )));
            }
        };
        Ok(MetricQuery {
            id: self.id.clone(),
            source,
            label: self.label.clone(),
            return_data: self.return_data.unwrap_or(true),
        })
    }
}

pub(super) fn read_all(queries: &[WireQuery]) -> Result<Vec<MetricQuery>, ApiError> {
    queries.iter().map(WireQuery::read).collect()
}

/// A query as alarms show it.
pub(super) fn query_json(query: &MetricQuery) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("Id", json!(query.id));
    match &query.source {
        QuerySource::Metric(stat) => {
            let metric = json!({
                "Namespace": stat.metric.namespace,
                "MetricName": stat.metric.name,
                "Dimensions": dimensions_json(&stat.metric.dimensions),
            });
            let stat = json!({
                "Metric": metric, "Period": stat.period_secs, "Stat": stat.stat.to_string(),
            });
            put("MetricStat", stat);
        }
        QuerySource::Expression(text) => {
            put("Expression", json!(text));
        }
    }
    if let Some(label) = &query.label {
        put("Label", json!(label));
    }
    put("ReturnData", json!(query.return_data));
    Value::Object(fields)
}
