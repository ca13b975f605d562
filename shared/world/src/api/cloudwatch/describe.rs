//! Reading alarms.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::queries::query_json;
use super::{dimensions_json, invalid, word_of};
use crate::api::limits::{page, page_size};
use crate::cloudwatch::{AnyAlarm, value_of};
use crate::error::ApiError;
use crate::state::{Alarm, AlarmState, MetricStat, Stat, State, Watched};
use crate::world::World;

/// Alarms on one page. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>
const PAGE_MAX: usize = 100;
/// Alarms on a page where the caller does not say.
const PAGE_DEFAULT: usize = 50;
/// Names in one call. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>
const NAMES_MAX: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct DescribeAlarms {
    #[serde(default)]
    alarm_names: Vec<String>,
    alarm_name_prefix: Option<String>,
    #[serde(default)]
    alarm_types: Vec<String>,
    state_value: Option<String>,
    action_prefix: Option<String>,
    max_records: Option<i64>,
    next_token: Option<String>,
}

impl DescribeAlarms {
    fn check(&self) -> Result<(), ApiError> {
        if self.alarm_names.len() > NAMES_MAX {
            return Err(invalid(format!(
                "The collection AlarmNames must not have a size greater than {NAMES_MAX}."
            )));
        }
        if self.alarm_name_prefix.is_some() && !self.alarm_names.is_empty() {
            return Err(invalid(
                "AlarmNamePrefix and AlarmNames must not be specified together",
            ));
        }
        match self
            .alarm_types
            .iter()
            .find(|it| !TYPES.contains(&it.as_str()))
        {
            Some(unknown) => Err(invalid(format!(
                "Value '{unknown}' at 'alarmTypes' failed to satisfy constraint: Member must satisfy enum value set: [CompositeAlarm, \
                 MetricAlarm, LogAlarm]"
            ))),
            None => Ok(()),
        }
    }

    /// Without a type, AWS leaves the composite alarms out.
    fn wants_type(&self, alarm: AnyAlarm<'_>) -> bool {
        let wants = |name: &str| self.alarm_types.iter().any(|it| it == name);
        match alarm {
            AnyAlarm::Metric(_) => self.alarm_types.is_empty() || wants("MetricAlarm"),
            AnyAlarm::Composite(_) => wants("CompositeAlarm"),
        }
    }

    fn wants(&self, alarm: AnyAlarm<'_>, state: Option<AlarmState>) -> bool {
        let starts = |it: &str, prefix: &Option<String>| {
            prefix
                .as_deref()
                .is_none_or(|prefix| it.starts_with(prefix))
        };
        let name = alarm.name();
        let named = self.alarm_names.is_empty() || self.alarm_names.iter().any(|it| it == name);
        let actions = &alarm.actions().alarm;
        let acts = self.action_prefix.is_none()
            || actions.iter().any(|it| starts(it, &self.action_prefix));
        self.wants_type(alarm)
            && named
            && acts
            && starts(name, &self.alarm_name_prefix)
            && state.is_none_or(|it| alarm.status().state == it)
    }
}

/// The types of alarms that AWS has.
const TYPES: [&str; 3] = ["CompositeAlarm", "MetricAlarm", "LogAlarm"];

impl World {
    pub(in crate::api) fn describe_alarms(
        &self,
        state: &State,
        input: &DescribeAlarms,
    ) -> Result<Value, ApiError> {
        input.check()?;
        let size = page_size(input.max_records, PAGE_DEFAULT, PAGE_MAX)
            .map_err(|it| invalid(it.message))?;
        let value = input
            .state_value
            .as_deref()
            .map(|it| word_of(it, "stateValue", AlarmState::parse))
            .transpose()?;
        let metric = state.alarms.values().map(AnyAlarm::Metric);
        let composite = state.composite_alarms.values().map(AnyAlarm::Composite);
        let mut alarms: Vec<AnyAlarm<'_>> = metric
            .chain(composite)
            .filter(|it| input.wants(*it, value))
            .collect();
        alarms.sort_by_key(|it| it.name());
        let (items, next) = page(
            alarms.into_iter().map(|it| (it.name(), it)),
            input.next_token.as_deref(),
            size,
        )
        .map_err(|it| ApiError::new("InvalidNextToken", it.message, 400))?;
        let (mut metric, mut composite) = (Vec::new(), Vec::new());
        for item in items {
            let json = Value::Object(self.alarm_json(item));
            match item {
                AnyAlarm::Metric(_) => metric.push(json),
                AnyAlarm::Composite(_) => composite.push(json),
            }
        }
        let mut answer = json!({ "MetricAlarms": metric, "CompositeAlarms": composite });
        if let (Some(token), Some(answer)) = (next, answer.as_object_mut()) {
            answer.insert("NextToken".to_owned(), Value::String(token));
        }
        Ok(answer)
    }

    fn alarm_json(&self, alarm: AnyAlarm<'_>) -> Map<String, Value> {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| {
            json.insert(name.to_owned(), value);
        };
        let (status, actions) = (alarm.status(), alarm.actions());
        put("AlarmName", json!(alarm.name()));
        put("AlarmArn", json!(self.alarm_arn(alarm.name())));
        put("AlarmDescription", json!(alarm.description()));
        let configured = json!(status.configured_at.to_string());
        put("AlarmConfigurationUpdatedTimestamp", configured);
        put("ActionsEnabled", json!(actions.enabled));
        put("OKActions", json!(actions.ok));
        put("AlarmActions", json!(actions.alarm));
        put("InsufficientDataActions", json!(actions.insufficient_data));
        put("StateValue", json!(status.state.as_str()));
        put("StateReason", json!(status.reason));
        put("StateReasonData", json!(status.reason_data));
        let since = json!(status.updated_at.to_string());
        put("StateUpdatedTimestamp", since.clone());
        put("StateTransitionedTimestamp", since);
        match alarm {
            AnyAlarm::Metric(it) => put_metric(it, put),
            AnyAlarm::Composite(it) => put("AlarmRule", json!(it.rule)),
        }
        json.retain(|_, value| !value.is_null());
        json
    }
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html>
fn put_metric(alarm: &Alarm, mut put: impl FnMut(&str, Value)) {
    match &alarm.watched {
        Watched::Metric(stat) => put_stat(stat, &mut put),
        Watched::Math(queries) => put("Metrics", queries.iter().map(query_json).collect()),
    }
    put("EvaluationPeriods", json!(alarm.evaluation_periods));
    put("DatapointsToAlarm", json!(alarm.datapoints_to_alarm));
    put("Threshold", value_of(alarm.threshold_milli));
    put("ComparisonOperator", json!(alarm.comparison.as_str()));
    put("TreatMissingData", json!(alarm.missing_data.as_str()));
}

fn put_stat(stat: &MetricStat, put: &mut impl FnMut(&str, Value)) {
    put("MetricName", json!(stat.metric.name));
    put("Namespace", json!(stat.metric.namespace));
    let name = match stat.stat {
        Stat::Of(_) => "Statistic",
        Stat::Percentile { .. } => "ExtendedStatistic",
    };
    put(name, json!(stat.stat.to_string()));
    put("Dimensions", dimensions_json(&stat.metric.dimensions));
    put("Period", json!(stat.period_secs));
}
