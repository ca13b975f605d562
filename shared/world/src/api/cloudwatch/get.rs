//! Getting data out: GetMetricData.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::invalid;
use super::queries::{WireQuery, read_all};
use crate::cloudwatch::math::Line;
use crate::cloudwatch::{Evaluated, Queries, Window};
use crate::error::ApiError;
use crate::state::{FIVE_MINUTES_KEPT_SECS, MINUTES_KEPT_SECS, MetricQuery, QuerySource, State};
use crate::world::World;

/// Queries in one call.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
const QUERIES_MAX: usize = 500;
/// Datapoints in one answer.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
const DATAPOINTS_MAX: usize = 100_800;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct GetData {
    #[serde(default)]
    metric_data_queries: Vec<WireQuery>,
    start_time: Timestamp,
    end_time: Timestamp,
    scan_by: Option<String>,
    max_datapoints: Option<i64>,
    next_token: Option<String>,
}

/// A series of the answer: which result it is of, its label, and its points in the order that was asked for.
struct Row {
    id: String,
    label: String,
    points: Vec<(i64, i128)>,
    has_dropped: bool,
}

impl GetData {
    fn newest_first(&self) -> Result<bool, ApiError> {
        match self.scan_by.as_deref() {
            None | Some("TimestampDescending") => Ok(true),
            Some("TimestampAscending") => Ok(false),
            Some(other) => Err(invalid(format!(
                "The value {other} for ScanBy is not valid."
            ))),
        }
    }

    fn datapoints_max(&self) -> Result<usize, ApiError> {
        let Some(asked) = self.max_datapoints else {
            return Ok(DATAPOINTS_MAX);
        };
        usize::try_from(asked)
            .ok()
            .filter(|it| (1..=DATAPOINTS_MAX).contains(it))
            .ok_or_else(|| {
                invalid(format!(
                    "The parameter MaxDatapoints must be from 1 to {DATAPOINTS_MAX}."
                ))
            })
    }

    /// How many points earlier pages held.
    fn given_before(&self) -> Result<usize, ApiError> {
        let Some(token) = &self.next_token else {
            return Ok(0);
        };
        token
            .strip_prefix("after-")
            .and_then(|it| it.parse().ok())
            .ok_or_else(|| ApiError::new("InvalidNextToken", "The token is invalid.", 400))
    }

    /// The start is rounded down: to a minute, the longer ago the more, and for a short period to that period.
    fn window(&self, now: Timestamp, queries: &[MetricQuery]) -> Window {
        let (now_secs, start) = (now.as_second(), self.start_time.as_second());
        let periods = queries.iter().filter_map(|it| match &it.source {
            QuerySource::Metric(stat) => Some(i64::from(stat.period_secs)),
            QuerySource::Expression(_) => None,
        });
        let shortest = periods.min().unwrap_or(60);
        let to = match now_secs - start {
            _ if shortest < 60 => shortest,
            age if age > FIVE_MINUTES_KEPT_SECS => 3_600,
            age if age > MINUTES_KEPT_SECS => 300,
            _ => 60,
        };
        Window {
            now_secs,
            from_secs: start.div_euclid(to) * to,
            to_secs: self.end_time.as_second(),
        }
    }
}

fn value_of(nano: i128) -> Value {
    let sign = if nano < 0 { "-" } else { "" };
    let (whole, rest) = (
        nano.unsigned_abs() / 1_000_000_000,
        nano.unsigned_abs() % 1_000_000_000,
    );
    // Through text, so that the value is the nearest one to the decimal.
    format!("{sign}{whole}.{rest:09}")
        .parse::<f64>()
        .ok()
        .and_then(serde_json::Number::from_f64)
        .map_or(Value::Null, Value::Number)
}

fn rows(evaluated: Vec<Evaluated>, newest_first: bool) -> Vec<Row> {
    let returned = evaluated.into_iter().filter(|it| it.return_data);
    returned
        .flat_map(|result| {
            let (id, has_dropped) = (result.id, result.has_dropped);
            result.lines.into_iter().map(move |line| {
                let Line { label, points, .. } = line;
                let mut points: Vec<(i64, i128)> = points.into_iter().collect();
                if newest_first {
                    points.reverse();
                }
                Row {
                    id: id.clone(),
                    label,
                    points,
                    has_dropped,
                }
            })
        })
        .collect()
}

impl Row {
    /// The result with some of its points, and whether more come later.
    fn json(&self, from: usize, to: usize) -> Value {
        let shown = self.points.get(from..to).unwrap_or(&[]);
        let at = |secs: i64| {
            Timestamp::from_second(secs)
                .unwrap_or(Timestamp::MIN)
                .to_string()
        };
        let is_complete = to >= self.points.len();
        let mut result = json!({
            "Id": self.id,
            "Label": self.label,
            "Timestamps": shown.iter().map(|it| at(it.0)).collect::<Vec<_>>(),
            "Values": shown.iter().map(|it| value_of(it.1)).collect::<Vec<_>>(),
            "StatusCode": if is_complete { "Complete" } else { "PartialData" },
        });
        if let Some(fields) = result.as_object_mut().filter(|_| self.has_dropped) {
            let message = json!([{
                "Code": "ArithmeticError",
                "Value": "One or more data-points have been dropped due to non-numeric values (NaN, -Infinite, +Infinite)",
            }]);
            fields.insert("Messages".to_owned(), message);
        }
        result
    }
}

/// The page after so many points: as many results as it reaches, and how many points it and those before it hold, where more come.
/// All results are on the only page of an answer that has no next one.
fn page(rows: &[Row], skip: usize, size: usize, is_only_page: bool) -> (Vec<Value>, Option<usize>) {
    let all: usize = rows.iter().map(|it| it.points.len()).sum();
    let end = skip.saturating_add(size).min(all);
    let mut before = 0;
    let mut results = Vec::new();
    for row in rows {
        let count = row.points.len();
        let from = skip.saturating_sub(before).min(count);
        let to = end.saturating_sub(before).min(count);
        before += count;
        // A result is on each page that has points of it; one without points is on the first.
        if to > from || is_only_page || (count == 0 && skip == 0) {
            results.push(row.json(from, to));
        }
    }
    (results, (end < all).then_some(end))
}

impl World {
    pub(in crate::api) fn get_metric_data(
        &self,
        state: &State,
        input: &GetData,
    ) -> Result<Value, ApiError> {
        if input.metric_data_queries.is_empty() {
            return Err(invalid("The parameter MetricDataQueries is required."));
        }
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
        let (newest_first, size) = (input.newest_first()?, input.datapoints_max()?);
        let skip = input.given_before()?;
        let queries = read_all(&input.metric_data_queries)?;
        let window = input.window(self.now, &queries);
        let evaluated = Queries::read(&queries)
            .and_then(|it| it.evaluate(state, window))
            .map_err(invalid)?;
        // There is no next page where anything is computed.
        let mut queries = queries.iter();
        let is_math = queries.any(|it| matches!(it.source, QuerySource::Expression(_)));
        let (results, next) = page(&rows(evaluated, newest_first), skip, size, is_math);
        let next = next.filter(|_| !is_math);
        let mut answer = json!({ "MetricDataResults": results, "Messages": [] });
        if let (Some(given), Some(answer)) = (next, answer.as_object_mut()) {
            answer.insert("NextToken".to_owned(), json!(format!("after-{given}")));
        }
        Ok(answer)
    }
}
