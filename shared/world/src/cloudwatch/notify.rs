//! What an alarm tells: events when its state or its configuration changes, and calls of functions.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html>

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::state::{
    Alarm, AlarmActions, AlarmStatus, CompositeAlarm, MetricQuery, MetricStat, QuerySource, Watched,
};
use crate::world::World;

/// Times of alarms in texts and events.
pub(super) fn alarm_time(at: Timestamp) -> String {
    // AWS writes milliseconds and a numeric offset, such as `2026-03-02T09:00:00.000+0000`.
    let text = at.to_string();
    let (seconds, fraction) = text
        .trim_end_matches('Z')
        .split_once('.')
        .unwrap_or((text.trim_end_matches('Z'), ""));
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    format!("{seconds}.{millis}+0000")
}

/// An alarm of either kind, as far as others hear of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AnyAlarm<'a> {
    Metric(&'a Alarm),
    Composite(&'a CompositeAlarm),
}

impl<'a> AnyAlarm<'a> {
    pub(crate) fn name(self) -> &'a str {
        match self {
            Self::Metric(it) => &it.name,
            Self::Composite(it) => &it.name,
        }
    }

    pub(crate) const fn status(self) -> &'a AlarmStatus {
        match self {
            Self::Metric(it) => &it.status,
            Self::Composite(it) => &it.status,
        }
    }

    pub(crate) const fn actions(self) -> &'a AlarmActions {
        match self {
            Self::Metric(it) => &it.actions,
            Self::Composite(it) => &it.actions,
        }
    }

    pub(crate) const fn description(self) -> Option<&'a String> {
        match self {
            Self::Metric(it) => it.description.as_ref(),
            Self::Composite(it) => it.description.as_ref(),
        }
    }

    /// What the events of its states say of what it looks at.
    fn configuration(self) -> Map<String, Value> {
        let mut fields = Map::new();
        match self {
            Self::Metric(it) => fields.insert("metrics".to_owned(), watched_json(&it.watched)),
            Self::Composite(it) => fields.insert("alarmRule".to_owned(), json!(it.rule)),
        };
        if let Some(text) = self.description() {
            fields.insert("description".to_owned(), json!(text));
        }
        fields
    }

    /// What the events of its configuration say.
    fn whole_configuration(self) -> Value {
        let mut fields = self.configuration();
        let actions = self.actions();
        for (name, value) in [
            ("alarmName", json!(self.name())),
            ("actionsEnabled", json!(actions.enabled)),
            ("timestamp", json!(alarm_time(self.status().configured_at))),
            ("okActions", json!(actions.ok)),
            ("alarmActions", json!(actions.alarm)),
            ("insufficientDataActions", json!(actions.insufficient_data)),
        ] {
            fields.insert(name.to_owned(), value);
        }
        if let Self::Metric(it) = self {
            for (name, value) in [
                ("evaluationPeriods", json!(it.evaluation_periods)),
                ("datapointsToAlarm", json!(it.datapoints_to_alarm)),
                ("threshold", super::value_of(it.threshold_milli)),
                ("comparisonOperator", json!(it.comparison.as_str())),
                ("treatMissingData", json!(it.missing_data.as_str())),
            ] {
                fields.insert(name.to_owned(), value);
            }
        }
        Value::Object(fields)
    }
}

fn stat_json(stat: &MetricStat) -> Value {
    json!({
        "metric": {
            "namespace": stat.metric.namespace,
            "name": stat.metric.name,
            "dimensions": stat.metric.dimensions,
        },
        "period": stat.period_secs,
        "stat": stat.stat.to_string(),
    })
}

fn query_json(query: &MetricQuery) -> Value {
    let mut fields = Map::new();
    fields.insert("id".to_owned(), json!(query.id));
    match &query.source {
        QuerySource::Metric(stat) => fields.insert("metricStat".to_owned(), stat_json(stat)),
        QuerySource::Expression(text) => fields.insert("expression".to_owned(), json!(text)),
    };
    if let Some(label) = &query.label {
        fields.insert("label".to_owned(), json!(label));
    }
    fields.insert("returnData".to_owned(), json!(query.return_data));
    Value::Object(fields)
}

fn watched_json(watched: &Watched) -> Value {
    match watched {
        Watched::Metric(stat) => {
            json!([{ "id": "m1", "metricStat": stat_json(stat), "returnData": true }])
        }
        Watched::Math(queries) => queries.iter().map(query_json).collect(),
    }
}

pub(super) fn state_json(status: &AlarmStatus) -> Value {
    let mut state = json!({
        "value": status.state.as_str(),
        "reason": status.reason,
        "timestamp": alarm_time(status.updated_at),
    });
    if let (Some(data), Some(state)) = (&status.reason_data, state.as_object_mut()) {
        state.insert("reasonData".to_owned(), json!(data));
    }
    state
}

impl World {
    /// An alarm's ARN.
    #[must_use]
    pub fn alarm_arn(&self, name: &str) -> String {
        format!(
            "arn:aws:cloudwatch:{}:{}:alarm:{name}",
            self.config.region, self.config.account
        )
    }

    /// An alarm of either kind.
    pub(crate) fn any_alarm(&self, name: &str) -> Option<AnyAlarm<'_>> {
        let metric = self.state.alarms.get(name).map(AnyAlarm::Metric);
        let composites = &self.state.composite_alarms;
        metric.or_else(|| composites.get(name).map(AnyAlarm::Composite))
    }

    /// Tells that an alarm's state has changed, and calls the functions among its actions.
    pub(super) fn tell_state(&mut self, name: &str, before: &AlarmStatus) {
        let Some(alarm) = self.any_alarm(name) else {
            return;
        };
        let status = alarm.status();
        let (state, changes, at) = (status.state, status.changes, status.updated_at);
        let data = json!({
            "alarmName": name,
            "state": state_json(status),
            "previousState": state_json(before),
            "configuration": alarm.configuration(),
        });
        let actions = alarm.actions().of(state).iter();
        let functions: Vec<String> = actions.filter(|it| is_function(it)).cloned().collect();
        self.timeline
            .note(self.now, format!("alarm {name} is {}", state.as_str()));
        let arn = self.alarm_arn(name);
        let call = json!({
            "source": "aws.cloudwatch",
            "alarmArn": arn,
            "accountId": self.config.account,
            "time": alarm_time(at),
            "region": self.config.region,
            "alarmData": data,
        });
        self.send_alarm_event("CloudWatch Alarm State Change", &arn, data, changes);
        for function in functions {
            let subject = format!("{function} by {arn}");
            self.call_function(&function, &subject, call.clone(), changes);
        }
    }

    /// Tells that an alarm was made, changed or deleted. `before` is what it was, and `deleted` what is no more.
    pub(super) fn tell_configuration(
        &mut self,
        operation: &str,
        alarm: AnyAlarm<'_>,
        before: Option<AnyAlarm<'_>>,
    ) {
        let status = alarm.status();
        let mut detail = json!({
            "alarmName": alarm.name(),
            "operation": operation,
            "state": { "value": status.state.as_str(), "timestamp": alarm_time(status.updated_at) },
            "configuration": alarm.whole_configuration(),
        });
        if let (Some(before), Some(detail)) = (before, detail.as_object_mut()) {
            let before = before.whole_configuration();
            detail.insert("previousConfiguration".to_owned(), before);
        }
        let (arn, changes) = (self.alarm_arn(alarm.name()), status.changes);
        self.send_alarm_event(
            "CloudWatch Alarm Configuration Change",
            &arn,
            detail,
            changes,
        );
    }

    fn send_alarm_event(&mut self, detail_type: &str, arn: &str, detail: Value, number: u64) {
        let resources = [arn.to_owned()];
        self.send(
            "aws.cloudwatch",
            detail_type,
            &resources,
            detail,
            arn,
            number,
        );
    }
}

/// Whether an action is a function, by its name, its version or its alias.
fn is_function(arn: &str) -> bool {
    arn.starts_with("arn:") && arn.contains(":lambda:") && arn.contains(":function:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_aws_does() {
        let at: Timestamp = "2026-03-02T09:00:00.25Z".parse().unwrap();
        assert_eq!(alarm_time(at), "2026-03-02T09:00:00.250+0000");
        let at: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        assert_eq!(alarm_time(at), "2026-03-02T09:00:00.000+0000");
    }
}
