//! Alarms: each minute they look, and where their state changes they say so and act.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::judge::{EXTRA_PERIODS, judge};
use crate::autoscaling::PolicyTrigger;
use crate::state::{Alarm, AlarmState, Comparison};
use crate::world::{Happening, World};

/// Times of alarms in texts and events.
fn alarm_time(at: Timestamp) -> String {
    // AWS writes milliseconds and a numeric offset, such as `2026-03-02T09:00:00.000+0000`.
    let text = at.to_string();
    let (seconds, fraction) = text
        .trim_end_matches('Z')
        .split_once('.')
        .unwrap_or((text.trim_end_matches('Z'), ""));
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    format!("{seconds}.{millis}+0000")
}

/// Thousandths as a decimal, such as `80.0`.
fn decimal(milli: i64) -> String {
    let sign = if milli < 0 { "-" } else { "" };
    let (whole, rest) = (milli.unsigned_abs() / 1_000, milli.unsigned_abs() % 1_000);
    let fraction = format!("{rest:03}");
    let fraction = fraction.trim_end_matches('0');
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    format!("{sign}{whole}.{fraction}")
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

    /// Makes an alarm, or changes what one of that name looks at. A new one has insufficient data; an old one keeps its state until
    /// it looks next.
    pub fn put_alarm(&mut self, mut alarm: Alarm) {
        alarm.configured_at = self.now;
        match self.state.alarms.get(&alarm.name) {
            Some(old) => {
                alarm.state = old.state;
                alarm.state_reason.clone_from(&old.state_reason);
                alarm.state_reason_data.clone_from(&old.state_reason_data);
                alarm.state_updated_at = old.state_updated_at;
                alarm.changes = old.changes;
            }
            None => {
                alarm.state = AlarmState::InsufficientData;
                "Unchecked: Initial alarm creation".clone_into(&mut alarm.state_reason);
                alarm.state_reason_data = None;
                alarm.state_updated_at = self.now;
            }
        }
        self.state.alarms.insert(alarm.name.clone(), alarm);
        self.plan_evaluation();
    }

    /// Removes an alarm. Whether there was one is the answer.
    pub fn delete_alarm(&mut self, name: &str) -> bool {
        self.state.alarms.remove(name).is_some()
    }

    /// The alarms look at the next full minute, and every minute from then on, as long as there are any.
    fn plan_evaluation(&mut self) {
        if self.alarms_look_at.is_some_and(|it| it > self.now) {
            return;
        }
        let minute = self.now.as_second().div_euclid(60) + 1;
        let at = Timestamp::from_second(minute.saturating_mul(60)).unwrap_or(Timestamp::MAX);
        self.alarms_look_at = Some(at);
        self.plan(at, Happening::EvaluateAlarms);
    }

    pub(crate) fn evaluate_alarms(&mut self) {
        if self.alarms_look_at != Some(self.now) || self.state.alarms.is_empty() {
            return;
        }
        let names: Vec<String> = self.state.alarms.keys().cloned().collect();
        for name in names {
            self.evaluate_alarm(&name);
        }
        self.plan_evaluation();
    }

    fn evaluate_alarm(&mut self, name: &str) {
        let Some(alarm) = self.state.alarms.get(name) else {
            return;
        };
        let minute = self.now.as_second().div_euclid(60);
        let minutes = i64::from(alarm.period_secs / 60).max(1);
        // A period is aligned to its own length, and the one that goes on is not looked at.
        let end = minute.div_euclid(minutes) * minutes;
        let values: Vec<Option<i64>> = (1..=i64::from(alarm.evaluation_periods + EXTRA_PERIODS))
            .map(|back| {
                let from = end - back * minutes;
                self.metric_value(&alarm.metric, alarm.statistic, from, minutes)
            })
            .collect();
        let newest = values.iter().flatten().next().copied();
        let state = judge(alarm, &values).unwrap_or(alarm.state);
        if state != alarm.state {
            let reason = reason_of(alarm, state, &values);
            let data = json!({
                "version": "1.0",
                "queryDate": alarm_time(self.now),
                "statistic": alarm.statistic.as_str(),
                "period": alarm.period_secs,
                "recentDatapoints": values
                    .iter()
                    .take(usize::try_from(alarm.evaluation_periods).unwrap_or(usize::MAX))
                    .rev()
                    .flatten()
                    .map(|it| super::value_of(*it))
                    .collect::<Vec<_>>(),
                "threshold": super::value_of(alarm.threshold_milli),
            });
            self.change_alarm(name, state, reason, Some(data.to_string()));
        }
        if let Some(value) = newest {
            self.act_on_alarm(name, value);
        }
    }

    /// Sets an alarm's state by hand, until it looks next. Whether there is such an alarm is the answer.
    pub fn set_alarm_state(&mut self, name: &str, state: AlarmState, reason: &str) -> bool {
        let Some(alarm) = self.state.alarms.get(name) else {
            return false;
        };
        let value = alarm.threshold_milli;
        if alarm.state != state {
            self.change_alarm(name, state, reason.to_owned(), None);
            self.act_on_alarm(name, value);
        }
        true
    }

    /// The scaling policies among the actions of the alarm's state.
    fn act_on_alarm(&mut self, name: &str, value_milli: i64) {
        let Some(alarm) = self.state.alarms.get(name).filter(|it| it.actions_enabled) else {
            return;
        };
        let actions = match alarm.state {
            AlarmState::Ok => &alarm.ok_actions,
            AlarmState::Alarm => &alarm.alarm_actions,
            AlarmState::InsufficientData => &alarm.insufficient_data_actions,
        };
        let policies: Vec<String> = actions
            .iter()
            .filter(|it| it.contains(":scalingPolicy:"))
            .cloned()
            .collect();
        let trigger = PolicyTrigger {
            alarm: name.to_owned(),
            threshold_milli: alarm.threshold_milli,
            value_milli,
        };
        for policy in policies {
            self.run_policy(&policy, &trigger);
        }
    }

    fn change_alarm(
        &mut self,
        name: &str,
        state: AlarmState,
        reason: String,
        data: Option<String>,
    ) {
        let now = self.now;
        let Some(alarm) = self.state.alarms.get_mut(name) else {
            return;
        };
        let before = state_json(alarm);
        alarm.state = state;
        alarm.state_reason = reason;
        alarm.state_reason_data = data;
        alarm.state_updated_at = now;
        alarm.changes += 1;
        let changes = alarm.changes;
        let detail = json!({
            "alarmName": name,
            "state": state_json(alarm),
            "previousState": before,
            "configuration": configuration_json(alarm),
        });
        self.timeline
            .note(now, format!("alarm {name} is {}", state.as_str()));
        let arn = self.alarm_arn(name);
        self.send(
            "aws.cloudwatch",
            "CloudWatch Alarm State Change",
            std::slice::from_ref(&arn),
            detail,
            &arn,
            changes,
        );
    }
}

fn state_json(alarm: &Alarm) -> Value {
    let mut state = json!({
        "value": alarm.state.as_str(),
        "reason": alarm.state_reason,
        "timestamp": alarm_time(alarm.state_updated_at),
    });
    if let (Some(data), Some(state)) = (&alarm.state_reason_data, state.as_object_mut()) {
        state.insert("reasonData".to_owned(), json!(data));
    }
    state
}

/// What an alarm's event says of what it looks at.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html>
fn configuration_json(alarm: &Alarm) -> Value {
    let mut configuration = json!({
        "metrics": [{
            "id": "m1",
            "metricStat": {
                "metric": {
                    "namespace": alarm.metric.namespace,
                    "name": alarm.metric.name,
                    "dimensions": alarm.metric.dimensions,
                },
                "period": alarm.period_secs,
                "stat": alarm.statistic.as_str(),
            },
            "returnData": true,
        }],
    });
    if let (Some(text), Some(configuration)) = (&alarm.description, configuration.as_object_mut()) {
        configuration.insert("description".to_owned(), json!(text));
    }
    configuration
}

/// Why an alarm came to a state, in AWS's words.
fn reason_of(alarm: &Alarm, state: AlarmState, values: &[Option<i64>]) -> String {
    let periods = usize::try_from(alarm.evaluation_periods).unwrap_or(usize::MAX);
    let known: Vec<String> = values
        .iter()
        .flatten()
        .take(periods)
        .map(|it| decimal(*it))
        .collect();
    let threshold = decimal(alarm.threshold_milli);
    let comparison = match alarm.comparison {
        Comparison::GreaterThanOrEqual => "greater than or equal to",
        Comparison::GreaterThan => "greater than",
        Comparison::LessThan => "less than",
        Comparison::LessThanOrEqual => "less than or equal to",
    };
    let list = known.join(", ");
    match state {
        AlarmState::InsufficientData => {
            format!("Insufficient Data: {periods} datapoints were unknown.")
        }
        AlarmState::Alarm => format!(
            "Threshold Crossed: {} out of the last {periods} datapoints [{list}] were {comparison} the threshold ({threshold}) (minimum \
             {} datapoints for OK -> ALARM transition).",
            known.len(),
            alarm.datapoints_to_alarm
        ),
        AlarmState::Ok => format!(
            "Threshold Crossed: {} datapoints [{list}] were not {comparison} the threshold ({threshold}) (minimum 1 datapoint for \
             ALARM -> OK transition).",
            known.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_are_written_as_aws_does() {
        let at: Timestamp = "2026-03-02T09:00:00.25Z".parse().unwrap();
        assert_eq!(alarm_time(at), "2026-03-02T09:00:00.250+0000");
        let at: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        assert_eq!(alarm_time(at), "2026-03-02T09:00:00.000+0000");
        for (milli, text) in [
            (80_000, "80.0"),
            (-1_250, "-1.25"),
            (7, "0.007"),
            (0, "0.0"),
        ] {
            assert_eq!(decimal(milli), text);
        }
    }
}
