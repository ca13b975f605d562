//! Alarms.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Milli, WireDimension, dimensions_json, dimensions_of, invalid, word_of};
use crate::api::limits::{page, page_size};
use crate::cloudwatch::value_of;
use crate::error::ApiError;
use crate::state::{Alarm, AlarmState, Comparison, MetricKey, MissingData, State, Statistic};
use crate::world::World;

/// Alarms on one page. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>
const PAGE_MAX: usize = 100;
/// Alarms on a page where the caller does not say.
const PAGE_DEFAULT: usize = 50;
/// Alarms in one DeleteAlarms call. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html>
const DELETE_MAX: usize = 100;
/// The longest time that an alarm may evaluate, in seconds, with periods of less than an hour.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>
const EVALUATED_SECS_MAX: u32 = 86_400;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct PutAlarm {
    alarm_name: String,
    alarm_description: Option<String>,
    actions_enabled: Option<bool>,
    #[serde(rename = "OKActions", default)]
    ok_actions: Vec<String>,
    #[serde(default)]
    alarm_actions: Vec<String>,
    #[serde(default)]
    insufficient_data_actions: Vec<String>,
    metric_name: Option<String>,
    namespace: Option<String>,
    statistic: Option<String>,
    #[serde(default)]
    dimensions: Vec<WireDimension>,
    period: Option<u32>,
    evaluation_periods: u32,
    datapoints_to_alarm: Option<u32>,
    threshold: Option<Milli>,
    comparison_operator: String,
    treat_missing_data: Option<String>,
}

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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct DeleteAlarms {
    #[serde(default)]
    alarm_names: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct SetState {
    alarm_name: String,
    state_value: String,
    state_reason: String,
}

impl World {
    pub(in crate::api) fn put_metric_alarm(&mut self, input: PutAlarm) -> Result<Value, ApiError> {
        let (Some(name), Some(namespace), Some(statistic), Some(period), Some(threshold)) = (
            input.metric_name,
            input.namespace,
            input.statistic,
            input.period,
            input.threshold,
        ) else {
            return Err(invalid(
                "this world takes alarms on one metric with a statistic and a fixed threshold only: MetricName, Namespace, \
                 Statistic, Period and Threshold are required",
            ));
        };
        if period < 60 || period % 60 != 0 {
            return Err(invalid("Period must be a multiple of 60 in this world"));
        }
        let datapoints = input
            .datapoints_to_alarm
            .unwrap_or(input.evaluation_periods);
        if datapoints < 1 || datapoints > input.evaluation_periods {
            return Err(invalid(
                "DatapointsToAlarm must be from 1 to EvaluationPeriods",
            ));
        }
        if input.evaluation_periods.saturating_mul(period) > EVALUATED_SECS_MAX {
            return Err(invalid(
                "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).",
            ));
        }
        let missing = input.treat_missing_data.as_deref().unwrap_or("missing");
        let now = self.now;
        self.put_alarm(Alarm {
            name: input.alarm_name,
            description: input.alarm_description,
            metric: MetricKey {
                namespace,
                name,
                dimensions: dimensions_of(&input.dimensions),
            },
            statistic: word_of(&statistic, "statistic", Statistic::parse)?,
            period_secs: period,
            evaluation_periods: input.evaluation_periods,
            datapoints_to_alarm: datapoints,
            threshold_milli: threshold.0,
            comparison: word_of(
                &input.comparison_operator,
                "comparisonOperator",
                Comparison::parse,
            )?,
            missing_data: word_of(missing, "treatMissingData", MissingData::parse)?,
            actions_enabled: input.actions_enabled.unwrap_or(true),
            alarm_actions: input.alarm_actions,
            ok_actions: input.ok_actions,
            insufficient_data_actions: input.insufficient_data_actions,
            state: AlarmState::InsufficientData,
            state_reason: String::new(),
            state_reason_data: None,
            state_updated_at: now,
            configured_at: now,
            changes: 0,
        });
        Ok(json!({}))
    }

    pub(in crate::api) fn describe_alarms(
        &self,
        state: &State,
        input: &DescribeAlarms,
    ) -> Result<Value, ApiError> {
        let size = page_size(input.max_records, PAGE_DEFAULT, PAGE_MAX)
            .map_err(|it| invalid(it.message))?;
        let value = input
            .state_value
            .as_deref()
            .map(|it| word_of(it, "stateValue", AlarmState::parse))
            .transpose()?;
        let starts = |it: &String, prefix: &Option<String>| {
            prefix
                .as_ref()
                .is_none_or(|prefix| it.starts_with(prefix.as_str()))
        };
        // Without a type, AWS leaves the other types out.
        let wants_metric_alarms =
            input.alarm_types.is_empty() || input.alarm_types.iter().any(|it| it == "MetricAlarm");
        let alarms = state.alarms.iter().filter(|(name, it)| {
            wants_metric_alarms
                && (input.alarm_names.is_empty() || input.alarm_names.contains(name))
                && starts(name, &input.alarm_name_prefix)
                && value.is_none_or(|value| it.state == value)
                && (input.action_prefix.is_none()
                    || it
                        .alarm_actions
                        .iter()
                        .any(|action| starts(action, &input.action_prefix)))
        });
        let (items, next) = page(
            alarms.map(|(name, it)| (name.as_str(), it)),
            input.next_token.as_deref(),
            size,
        )
        .map_err(|it| ApiError::new("InvalidNextToken", it.message, 400))?;
        let mut answer = json!({
            "MetricAlarms": items
                .into_iter()
                .map(|it| Value::Object(self.alarm_json(it)))
                .collect::<Vec<_>>(),
            "CompositeAlarms": [],
        });
        if let (Some(token), Some(answer)) = (next, answer.as_object_mut()) {
            answer.insert("NextToken".to_owned(), Value::String(token));
        }
        Ok(answer)
    }

    pub(in crate::api) fn delete_alarms(
        &mut self,
        input: &DeleteAlarms,
    ) -> Result<Value, ApiError> {
        if input.alarm_names.len() > DELETE_MAX {
            return Err(invalid(format!(
                "The collection AlarmNames must not have a size greater than {DELETE_MAX}."
            )));
        }
        // If one of several is missing, none is deleted.
        if let [_, _, ..] = input.alarm_names.as_slice()
            && input
                .alarm_names
                .iter()
                .any(|it| !self.state.alarms.contains_key(it))
        {
            return Err(ApiError::new(
                "ResourceNotFound",
                "One or more alarms do not exist",
                404,
            ));
        }
        for name in &input.alarm_names {
            self.delete_alarm(name);
        }
        Ok(json!({}))
    }

    pub(in crate::api) fn set_state(&mut self, input: &SetState) -> Result<Value, ApiError> {
        let state = word_of(&input.state_value, "stateValue", AlarmState::parse)?;
        if !self.set_alarm_state(&input.alarm_name, state, &input.state_reason) {
            return Err(ApiError::new("ResourceNotFound", "Unknown", 404));
        }
        Ok(json!({}))
    }

    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html>
    fn alarm_json(&self, alarm: &Alarm) -> Map<String, Value> {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| {
            json.insert(name.to_owned(), value);
        };
        put("AlarmName", json!(alarm.name));
        put("AlarmArn", json!(self.alarm_arn(&alarm.name)));
        if let Some(text) = &alarm.description {
            put("AlarmDescription", json!(text));
        }
        let configured = json!(alarm.configured_at.to_string());
        put("AlarmConfigurationUpdatedTimestamp", configured);
        put("ActionsEnabled", json!(alarm.actions_enabled));
        put("OKActions", json!(alarm.ok_actions));
        put("AlarmActions", json!(alarm.alarm_actions));
        put(
            "InsufficientDataActions",
            json!(alarm.insufficient_data_actions),
        );
        put("StateValue", json!(alarm.state.as_str()));
        put("StateReason", json!(alarm.state_reason));
        if let Some(data) = &alarm.state_reason_data {
            put("StateReasonData", json!(data));
        }
        let since = json!(alarm.state_updated_at.to_string());
        put("StateUpdatedTimestamp", since.clone());
        put("StateTransitionedTimestamp", since);
        put("MetricName", json!(alarm.metric.name));
        put("Namespace", json!(alarm.metric.namespace));
        put("Statistic", json!(alarm.statistic.as_str()));
        put("Dimensions", dimensions_json(&alarm.metric.dimensions));
        put("Period", json!(alarm.period_secs));
        put("EvaluationPeriods", json!(alarm.evaluation_periods));
        put("DatapointsToAlarm", json!(alarm.datapoints_to_alarm));
        put("Threshold", value_of(alarm.threshold_milli));
        put("ComparisonOperator", json!(alarm.comparison.as_str()));
        put("TreatMissingData", json!(alarm.missing_data.as_str()));
        json
    }
}
