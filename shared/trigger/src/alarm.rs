//! A CloudWatch alarm's change of state, in both forms in which it reaches a function.
//!
//! `CloudWatch Alarm State Change` is an event of EventBridge, with the alarm in `detail`. An alarm whose action is a function calls
//! it with the same alarm in `alarmData`, `accountId` in the place of `account`, and no id and no detail-type: the second form of
//! an envelope. It goes by the event's detail-type.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html>,
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html>
//!
//! Only changes are sent: an alarm that stays in its state says nothing more.

use std::collections::{BTreeMap, BTreeSet};

use model::trigger::{AlarmChange, AlarmMetric, AlarmState, TriggerKind};
use model::{AlarmName, AutoScalingGroupName, ClusterName, ServiceKey};
use serde_json::{Map, Value};

use crate::arn;
use crate::error::{Problem, TriggerError};
use crate::event::{Detail, Event};
use crate::text::{METRIC_CHARS_MAX, cut, is_plain_name};

/// Where the events and the calls are from.
pub(crate) const SOURCE: &str = "aws.cloudwatch";

/// The events' detail-type, lent to the calls.
pub(crate) const DETAIL_TYPE: &str = "CloudWatch Alarm State Change";

/// The most entries of an alarm's `metrics` that are read: a bound, far above what an alarm has.
pub const ALARM_METRICS_MAX: usize = 64;

/// The most dimensions of a metric that are read: the most that it can have.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Metric.html>
pub const DIMENSIONS_MAX: usize = 30;

/// Whether the payload is an alarm's own call, which has no detail-type.
pub(crate) fn is_call(source: &str, fields: &Map<String, Value>) -> bool {
    source == SOURCE && !fields.contains_key("detail-type") && fields.contains_key("alarmData")
}

/// The names of what is needed, with the path of either form.
struct Place {
    alarm: &'static str,
    name: &'static str,
    state: &'static str,
}

const DETAIL: Place = Place {
    alarm: "detail",
    name: "detail.alarmName",
    state: "detail.state.value",
};

const ALARM_DATA: Place = Place {
    alarm: "alarmData",
    name: "alarmData.alarmName",
    state: "alarmData.state.value",
};

/// Reads an alarm's change. Its reason, its description and what it measured are not read.
pub(crate) fn state_change(event: &Event<'_>) -> Result<TriggerKind, TriggerError> {
    // An event with the call's field for the alarm has been published.
    let is_data = event.fields.contains_key("alarmData") && !event.fields.contains_key("detail");
    let place = if is_data { &ALARM_DATA } else { &DETAIL };
    let alarm = event.object(place.alarm)?;
    let name = name(event, place, &alarm)?;
    let Some(now) = state(&alarm, "state") else {
        let found = alarm.fields.get("state").and_then(|it| it.get("value"));
        return Err(event.unusable(place.state, Problem::with(found, "a text")));
    };
    let configuration = alarm.fields.get("configuration");
    let dimensions = dimensions(configuration);
    Ok(TriggerKind::AlarmChanged(AlarmChange {
        alarm: name,
        state: now,
        previous: state(&alarm, "previousState"),
        metrics: metrics(configuration).map(metric).collect(),
        cluster: the_one(dimensions.iter().filter_map(cluster)),
        provider: the_one(
            dimensions
                .iter()
                .filter_map(|it| arn::provider(it.get("CapacityProviderName")?)),
        ),
        group: the_one(dimensions.iter().filter_map(group)),
        services: dimensions.iter().filter_map(service).collect(),
        is_composite: configuration
            .and_then(|it| it.get("alarmRule"))
            .is_some_and(Value::is_string),
    }))
}

fn name(event: &Event<'_>, place: &Place, alarm: &Detail<'_>) -> Result<AlarmName, TriggerError> {
    let Some(text) = alarm.text("alarmName") else {
        let problem = Problem::with(alarm.fields.get("alarmName"), "a text");
        return Err(event.unusable(place.name, problem));
    };
    text.parse()
        .ok()
        .filter(|_| is_plain_name(text))
        .ok_or_else(|| event.unusable(place.name, Problem::NotAPlainName))
}

/// The state in a field; nothing when it is absent or no text.
fn state(alarm: &Detail<'_>, field: &str) -> Option<AlarmState> {
    Some(match alarm.fields.get(field)?.get("value")?.as_str()? {
        "OK" => AlarmState::Ok,
        "ALARM" => AlarmState::Alarm,
        "INSUFFICIENT_DATA" => AlarmState::InsufficientData,
        _ => AlarmState::Other,
    })
}

/// The metrics that the alarm watches. An entry that is an expression over others has none of its own.
fn metrics(configuration: Option<&Value>) -> impl Iterator<Item = &Map<String, Value>> {
    configuration
        .and_then(|it| it.get("metrics"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .take(ALARM_METRICS_MAX)
        .filter_map(|query| query.get("metricStat")?.get("metric")?.as_object())
}

fn metric(fields: &Map<String, Value>) -> AlarmMetric {
    let short = |text: &str| cut(text, METRIC_CHARS_MAX);
    let text = |field| {
        short(
            fields
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default(),
        )
    };
    AlarmMetric {
        namespace: text("namespace"),
        name: text("name"),
        dimensions: dimensions_of(fields)
            .into_iter()
            .map(|(name, value)| (short(name), short(value)))
            .collect(),
    }
}

type Dimensions<'a> = BTreeMap<&'a str, &'a str>;

/// The dimensions of each metric.
fn dimensions(configuration: Option<&Value>) -> Vec<Dimensions<'_>> {
    metrics(configuration).map(dimensions_of).collect()
}

fn dimensions_of(fields: &Map<String, Value>) -> Dimensions<'_> {
    fields
        .get("dimensions")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .take(DIMENSIONS_MAX)
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .collect()
}

fn cluster(dimensions: &Dimensions<'_>) -> Option<ClusterName> {
    dimensions.get("ClusterName").copied().and_then(arn::named)
}

fn service(dimensions: &Dimensions<'_>) -> Option<ServiceKey> {
    let service = dimensions
        .get("ServiceName")
        .copied()
        .and_then(arn::named)?;
    Some(ServiceKey::new(cluster(dimensions)?, service))
}

fn group(dimensions: &Dimensions<'_>) -> Option<AutoScalingGroupName> {
    dimensions
        .get("AutoScalingGroupName")
        .filter(|text| is_plain_name(text))?
        .parse()
        .ok()
}

/// What all of them agree on; nothing when there is none, or more than one.
fn the_one<T: Ord>(named: impl Iterator<Item = T>) -> Option<T> {
    let mut distinct: BTreeSet<T> = named.collect();
    let one = distinct.pop_first();
    one.filter(|_| distinct.is_empty())
}

#[cfg(test)]
mod tests {
    use super::the_one;

    #[test]
    fn only_what_all_agree_on_is_the_one() {
        assert_eq!(the_one(["a", "a", "a"].into_iter()), Some("a"));
        assert_eq!(the_one(["a", "b", "a"].into_iter()), None);
        assert_eq!(the_one(std::iter::empty::<&str>()), None);
    }
}
