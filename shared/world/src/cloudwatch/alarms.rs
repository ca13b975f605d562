//! Alarms on metrics: each minute they look, and where their state changes they say so and act.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::judge::{EXTRA_PERIODS, judge};
use super::notify::{AnyAlarm, alarm_time};
use super::query::{Queries, Window, line_of, milli_of};
use crate::autoscaling::PolicyTrigger;
use crate::state::{Alarm, AlarmState, AlarmStatus, Comparison, Watched};
use crate::world::{Happening, World};

/// From one look of the alarms to the next, in seconds.
const EVERY_SECS: i64 = 60;
/// The same, of alarms whose period is shorter than a minute.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html>
const EVERY_SECS_HIGH_RESOLUTION: i64 = 10;

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
    /// Makes an alarm, or changes what one of that name looks at. A new one has insufficient data; an old one keeps its state until
    /// it looks next.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>
    pub fn put_alarm(&mut self, mut alarm: Alarm) {
        let before = self.state.alarms.get(&alarm.name).cloned();
        alarm.status = written(before.as_ref().map(|it| &it.status), self.now);
        self.state.alarms.insert(alarm.name.clone(), alarm.clone());
        let operation = if before.is_some() { "update" } else { "create" };
        let before = before.as_ref().map(AnyAlarm::Metric);
        self.tell_configuration(operation, AnyAlarm::Metric(&alarm), before);
        self.plan_evaluation();
    }

    /// Removes an alarm of either kind. Whether there was one is the answer.
    pub fn delete_alarm(&mut self, name: &str) -> bool {
        if let Some(mut alarm) = self.state.alarms.remove(name) {
            alarm.status.changes += 1;
            self.tell_configuration("delete", AnyAlarm::Metric(&alarm), None);
            return true;
        }
        if let Some(mut alarm) = self.state.composite_alarms.remove(name) {
            alarm.status.changes += 1;
            self.tell_configuration("delete", AnyAlarm::Composite(&alarm), None);
            return true;
        }
        false
    }

    /// The alarms look at the next full minute, and every minute from then on, as long as there are any; at every ten seconds, where
    /// one of them has a shorter period.
    fn plan_evaluation(&mut self) {
        let is_short = |it: &Alarm| i64::from(it.watched.period_secs()) < EVERY_SECS;
        let every = if self.state.alarms.values().any(is_short) {
            EVERY_SECS_HIGH_RESOLUTION
        } else {
            EVERY_SECS
        };
        let next = (self.now.as_second().div_euclid(every) + 1).saturating_mul(every);
        let at = Timestamp::from_second(next).unwrap_or(Timestamp::MAX);
        if self
            .alarms_look_at
            .is_some_and(|it| it > self.now && it <= at)
        {
            return;
        }
        self.alarms_look_at = Some(at);
        self.plan(at, Happening::EvaluateAlarms);
    }

    pub(crate) fn evaluate_alarms(&mut self) {
        if self.alarms_look_at != Some(self.now) || self.state.alarms.is_empty() {
            return;
        }
        let is_minute = self.now.as_second().rem_euclid(EVERY_SECS) == 0;
        let due = |it: &&Alarm| is_minute || i64::from(it.watched.period_secs()) < EVERY_SECS;
        let alarms = self.state.alarms.values().filter(due);
        let names: Vec<String> = alarms.map(|it| it.name.clone()).collect();
        for name in names {
            self.evaluate_alarm(&name);
        }
        self.plan_evaluation();
    }

    /// The values of the periods that an alarm looks at, in thousandths, newest first.
    fn values_of(&self, alarm: &Alarm) -> Vec<Option<i64>> {
        let period = i64::from(alarm.watched.period_secs());
        // A period is aligned to its own length, and the one that goes on is not looked at.
        let end = self.now.as_second().div_euclid(period) * period;
        let periods = i64::from(alarm.evaluation_periods.saturating_add(EXTRA_PERIODS));
        let window = Window {
            now_secs: self.now.as_second(),
            from_secs: end - periods.saturating_mul(period),
            to_secs: end,
        };
        let line = match &alarm.watched {
            Watched::Metric(stat) => Some(line_of(&self.state, stat, window)),
            // An expression that cannot be evaluated has no values; the API refuses it before.
            Watched::Math(queries) => Queries::read(queries)
                .and_then(|it| it.evaluate(&self.state, window))
                .ok()
                .into_iter()
                .flatten()
                .find(|it| it.return_data)
                .and_then(|it| it.lines.into_iter().next()),
        };
        let at = |back: i64| {
            let line = line.as_ref()?;
            line.points
                .get(&(end - back * period))
                .copied()
                .map(milli_of)
        };
        (1..=periods).map(at).collect()
    }

    fn evaluate_alarm(&mut self, name: &str) {
        let Some(alarm) = self.state.alarms.get(name) else {
            return;
        };
        let values = self.values_of(alarm);
        let newest = values.iter().flatten().next().copied();
        let state = judge(alarm, &values).unwrap_or(alarm.status.state);
        if state != alarm.status.state {
            let reason = reason_of(alarm, state, &values);
            let data = reason_data(alarm, self.now, &values);
            self.change_alarm(name, state, reason, Some(data.to_string()));
        }
        if let Some(value) = newest {
            self.act_on_alarm(name, value);
        }
    }

    /// Sets an alarm's state by hand, until it looks next; a composite one's, until one of its alarms changes. Whether there is such an
    /// alarm is the answer.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html>
    pub fn set_alarm_state(&mut self, name: &str, state: AlarmState, reason: &str) -> bool {
        let Some(alarm) = self.any_alarm(name) else {
            return false;
        };
        if alarm.status().state == state {
            return true;
        }
        let value = self.state.alarms.get(name).map(|it| it.threshold_milli);
        self.change_alarm(name, state, reason.to_owned(), None);
        if let Some(value) = value {
            self.act_on_alarm(name, value);
        }
        true
    }

    /// The scaling policies among the actions of the alarm's state. They act for as long as it lasts.
    fn act_on_alarm(&mut self, name: &str, value_milli: i64) {
        let Some(alarm) = self.state.alarms.get(name) else {
            return;
        };
        let actions = alarm.actions.of(alarm.status.state).iter();
        let policies: Vec<String> = actions
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
        self.set_status(name, state, reason, data);
        self.evaluate_composites_over(name, &mut Vec::new());
    }

    /// Writes an alarm's new state, and tells it.
    pub(super) fn set_status(
        &mut self,
        name: &str,
        state: AlarmState,
        reason: String,
        data: Option<String>,
    ) {
        let now = self.now;
        let metric = self.state.alarms.get_mut(name).map(|it| &mut it.status);
        let composites = &mut self.state.composite_alarms;
        let status = metric.or_else(|| composites.get_mut(name).map(|it| &mut it.status));
        let Some(status) = status else {
            return;
        };
        let before = status.clone();
        *status = AlarmStatus {
            state,
            reason,
            reason_data: data,
            updated_at: now,
            configured_at: before.configured_at,
            changes: before.changes + 1,
        };
        self.tell_state(name, &before);
    }
}

/// The status of an alarm that was written just now.
pub(super) fn written(before: Option<&AlarmStatus>, now: Timestamp) -> AlarmStatus {
    match before {
        Some(before) => AlarmStatus {
            configured_at: now,
            changes: before.changes + 1,
            ..before.clone()
        },
        None => AlarmStatus {
            changes: 1,
            ..AlarmStatus::new(now)
        },
    }
}

/// Why an alarm came to a state, for machines.
fn reason_data(alarm: &Alarm, now: Timestamp, values: &[Option<i64>]) -> Value {
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("version", json!("1.0"));
    put("queryDate", json!(alarm_time(now)));
    if let Watched::Metric(stat) = &alarm.watched {
        put("statistic", json!(stat.stat.to_string()));
    }
    put("period", json!(alarm.watched.period_secs()));
    let periods = usize::try_from(alarm.evaluation_periods).unwrap_or(usize::MAX);
    // The newest that are there, oldest first.
    let known = values.iter().flatten().take(periods);
    let mut recent: Vec<Value> = known.map(|it| super::value_of(*it)).collect();
    recent.reverse();
    put("recentDatapoints", json!(recent));
    put("threshold", super::value_of(alarm.threshold_milli));
    Value::Object(data)
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
    fn numbers_are_written_as_aws_does() {
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
