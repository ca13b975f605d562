//! Making, deleting and setting alarms.

use serde::Deserialize;
use serde_json::{Value, json};

use super::queries::{WireQuery, period_secs, read_all, stat_of};
use super::{Milli, WireDimension, dimensions_of, invalid, word_of};
use crate::cloudwatch::Queries;
use crate::error::ApiError;
use crate::state::{
    Alarm, AlarmActions, AlarmState, Comparison, MetricKey, MissingData, QuerySource, Statistic,
    Watched,
};
use crate::world::World;

/// Metrics in the expression of an alarm.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create-alarm-on-metric-math-expression.html>
const METRICS_MAX: usize = 10;
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
    period: Option<i64>,
    evaluation_periods: u32,
    datapoints_to_alarm: Option<u32>,
    threshold: Option<Milli>,
    comparison_operator: String,
    treat_missing_data: Option<String>,
    extended_statistic: Option<String>,
    #[serde(default)]
    metrics: Vec<WireQuery>,
    threshold_metric_id: Option<String>,
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

impl PutAlarm {
    /// What the alarm watches: one metric, or the one query whose data are returned.
    fn watched(&self) -> Result<Watched, ApiError> {
        if !self.metrics.is_empty() {
            return self.math();
        }
        let (Some(name), Some(namespace), Some(period)) =
            (&self.metric_name, &self.namespace, self.period)
        else {
            return Err(invalid(
                "MetricName, Namespace and Period are required where there are no Metrics",
            ));
        };
        let stat = match (&self.statistic, &self.extended_statistic) {
            (Some(word), None) => word_of(word, "statistic", Statistic::parse)?.into(),
            (None, Some(word)) => stat_of(word)?,
            (None, None) | (Some(_), Some(_)) => {
                return Err(invalid(
                    "Exactly one of Statistic and ExtendedStatistic must be specified",
                ));
            }
        };
        let metric = MetricKey {
            namespace: namespace.clone(),
            name: name.clone(),
            dimensions: dimensions_of(&self.dimensions),
        };
        Ok(Watched::metric(metric, stat, period_secs(period)?))
    }

    fn math(&self) -> Result<Watched, ApiError> {
        let single = [&self.metric_name, &self.namespace, &self.statistic];
        if single.iter().any(|it| it.is_some()) || self.period.is_some() {
            return Err(invalid(
                "MetricName, Namespace, Statistic, Dimensions and Period must not be specified together with Metrics",
            ));
        }
        let queries = read_all(&self.metrics)?;
        let watched = queries.iter().filter(|it| it.return_data).count();
        let mut periods: Vec<u32> = Vec::new();
        for query in &queries {
            if let QuerySource::Metric(stat) = &query.source {
                periods.push(stat.period_secs);
            }
        }
        let metrics = periods.len();
        periods.dedup();
        if watched != 1 || metrics > METRICS_MAX || periods.len() > 1 {
            return Err(invalid(format!(
                "Invalid metrics list: exactly one query must return data, there must be at most {METRICS_MAX} metrics, and all must have \
                 the same period"
            )));
        }
        Queries::read(&queries).map_err(|why| invalid(format!("Invalid metrics list: {why}")))?;
        Ok(Watched::Math(queries))
    }
}

impl World {
    pub(in crate::api) fn put_metric_alarm(&mut self, input: PutAlarm) -> Result<Value, ApiError> {
        let watched = input.watched()?;
        let Some(threshold) = input
            .threshold
            .filter(|_| input.threshold_metric_id.is_none())
        else {
            return Err(invalid(
                "this world takes alarms with a fixed Threshold only",
            ));
        };
        let datapoints = input
            .datapoints_to_alarm
            .unwrap_or(input.evaluation_periods);
        if datapoints < 1 || datapoints > input.evaluation_periods {
            return Err(invalid(
                "DatapointsToAlarm must be from 1 to EvaluationPeriods",
            ));
        }
        if input
            .evaluation_periods
            .saturating_mul(watched.period_secs())
            > EVALUATED_SECS_MAX
        {
            return Err(invalid(
                "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).",
            ));
        }
        if self.state.composite_alarms.contains_key(&input.alarm_name) {
            return Err(invalid(format!(
                "An alarm of another type with the name {} already exists",
                input.alarm_name
            )));
        }
        let missing = input.treat_missing_data.as_deref().unwrap_or("missing");
        let comparison = word_of(
            &input.comparison_operator,
            "comparisonOperator",
            Comparison::parse,
        )?;
        let alarm = Alarm::new(&input.alarm_name, watched, comparison, threshold.0);
        self.put_alarm(Alarm {
            description: input.alarm_description,
            evaluation_periods: input.evaluation_periods,
            datapoints_to_alarm: datapoints,
            missing_data: word_of(missing, "treatMissingData", MissingData::parse)?,
            actions: AlarmActions {
                enabled: input.actions_enabled.unwrap_or(true),
                alarm: input.alarm_actions,
                ok: input.ok_actions,
                insufficient_data: input.insufficient_data_actions,
            },
            ..alarm
        });
        Ok(json!({}))
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
        let names = &input.alarm_names;
        let composites = names
            .iter()
            .filter(|it| self.state.composite_alarms.contains_key(*it));
        if composites.count() > 1 {
            return Err(invalid(
                "No more than one composite alarm can be deleted in one call",
            ));
        }
        for name in names {
            // One whose composite alarm goes as well is not held by it.
            let over = self.composites_over(name).into_iter();
            let held: Vec<String> = over.filter(|it| !names.contains(it)).collect();
            if !held.is_empty() {
                return Err(invalid(format!(
                    "Cannot delete {name} as there are composite alarm(s) depending on it: [{}]",
                    held.join(", ")
                )));
            }
        }
        // If one of several is missing, none is deleted.
        if let [_, _, ..] = names.as_slice()
            && names.iter().any(|it| self.any_alarm(it).is_none())
        {
            return Err(ApiError::new(
                "ResourceNotFound",
                "One or more alarms do not exist",
                404,
            ));
        }
        for name in names {
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
}
