//! Times of CloudWatch: ISO 8601 inside the world and in Query, seconds since 1970 in JSON and CBOR.

use jiff::Timestamp;
use serde_json::Value;

use crate::api::{Milli, epoch};

/// Whether a field of CloudWatch's shapes holds a time, or a list of times.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html>
pub(super) fn is_time(name: &str) -> bool {
    matches!(
        name,
        "StartTime"
            | "EndTime"
            | "Timestamp"
            | "Timestamps"
            | "AlarmConfigurationUpdatedTimestamp"
            | "StateUpdatedTimestamp"
            | "StateTransitionedTimestamp"
    )
}

/// Seconds since 1970, with milliseconds at most, as ISO 8601.
pub(super) fn from_epoch(seconds: &Value) -> Option<Value> {
    let Value::Number(number) = seconds else {
        return None;
    };
    let millis = Milli::parse(&number.to_string())?.0;
    let at = Timestamp::from_millisecond(millis).ok()?;
    Some(Value::String(at.to_string()))
}

/// ISO 8601 as seconds since 1970.
pub(super) fn to_epoch(text: &str) -> Option<Value> {
    text.parse().ok().map(epoch)
}

/// An input of JSON, with its times as the world has them.
pub(super) fn read(value: Value) -> Value {
    each(value, &|it| from_epoch(it))
}

/// An answer as JSON has it.
pub(super) fn write(value: Value) -> Value {
    each(value, &|it| it.as_str().and_then(to_epoch))
}

fn each(value: Value, change: &impl Fn(&Value) -> Option<Value>) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(|it| each(it, change)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let value = if is_time(&name) {
                    time(value, change)
                } else {
                    each(value, change)
                };
                (name, value)
            })
            .collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

/// A time, or a list of times. What is no time stays as it is.
fn time(value: Value, change: &impl Fn(&Value) -> Option<Value>) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(|it| time(it, change)).collect(),
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Object(_)) => change(&other).unwrap_or(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_go_both_ways_and_other_fields_stay() {
        let inside = json!({
            "Id": "2026-03-02T09:00:00Z",
            "MetricDataResults": [{"Timestamps": ["2026-03-02T09:00:00Z"], "Values": [1.5]}],
        });
        let outside = json!({
            "Id": "2026-03-02T09:00:00Z",
            "MetricDataResults": [{"Timestamps": [1_772_442_000.0], "Values": [1.5]}],
        });
        assert_eq!(write(inside.clone()), outside);
        assert_eq!(read(outside), inside);
    }
}
