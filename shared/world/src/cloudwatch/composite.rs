//! Composite alarms: their state follows from other alarms' at once.

use jiff::Timestamp;
use serde_json::json;

use super::alarms::written;
use super::notify::{AnyAlarm, alarm_time};
use super::rule::Rule;
use crate::error::ApiError;
use crate::state::{AlarmState, CompositeAlarm};
use crate::world::World;

/// Alarms in one rule.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html>
const ALARMS_MAX: usize = 100;

/// A time in the text of a composite alarm's reason, such as `Monday 02 March, 2026 09:00:00 UTC`.
fn long_time(at: Timestamp) -> String {
    at.strftime("%A %d %B, %Y %H:%M:%S UTC").to_string()
}

fn invalid(message: impl std::fmt::Display) -> ApiError {
    ApiError::new("ValidationError", message, 400)
}

impl World {
    /// Makes a composite alarm, or changes one of that name. A new one has insufficient data, and is evaluated at once; an old one
    /// keeps its state until then.
    ///
    /// # Errors
    /// `ValidationError` where the rule cannot be read, or names an alarm that is not there, and where an alarm on a metric has the name.
    pub fn put_composite_alarm(&mut self, mut alarm: CompositeAlarm) -> Result<(), ApiError> {
        let rule = Rule::parse(&alarm.rule).map_err(invalid)?;
        let named = rule.alarms();
        if named.len() > ALARMS_MAX {
            return Err(invalid(format!(
                "AlarmRule must not contain more than {ALARMS_MAX} alarms"
            )));
        }
        let unknown = named
            .iter()
            .filter(|it| **it != alarm.name && self.any_alarm(it).is_none());
        let unknown: Vec<&str> = unknown.copied().collect();
        if !unknown.is_empty() {
            return Err(invalid(format!(
                "Could not save the composite alarm as alarms [{}] in the alarm rule do not exist",
                unknown.join(", ")
            )));
        }
        if self.state.alarms.contains_key(&alarm.name) {
            return Err(invalid(format!(
                "An alarm of another type with the name {} already exists",
                alarm.name
            )));
        }
        let before = self.state.composite_alarms.get(&alarm.name).cloned();
        alarm.status = written(before.as_ref().map(|it| &it.status), self.now);
        let name = alarm.name.clone();
        self.state
            .composite_alarms
            .insert(name.clone(), alarm.clone());
        let operation = if before.is_some() { "update" } else { "create" };
        let before = before.as_ref().map(AnyAlarm::Composite);
        self.tell_configuration(operation, AnyAlarm::Composite(&alarm), before);
        self.evaluate_composite(&name, None, &mut vec![name.clone()]);
        Ok(())
    }

    /// The composite alarms whose rules name an alarm.
    pub(crate) fn composites_over(&self, name: &str) -> Vec<String> {
        let composites = self.state.composite_alarms.values();
        let over = composites
            .filter(|it| Rule::parse(&it.rule).is_ok_and(|rule| rule.alarms().contains(&name)));
        over.map(|it| it.name.clone()).collect()
    }

    /// After an alarm's state has changed: the composite alarms over it. One that is on the way here already is left alone, so that a
    /// cycle ends.
    pub(super) fn evaluate_composites_over(&mut self, name: &str, path: &mut Vec<String>) {
        for composite in self.composites_over(name) {
            if path.contains(&composite) {
                continue;
            }
            path.push(composite.clone());
            self.evaluate_composite(&composite, Some(name), path);
            path.pop();
        }
    }

    fn evaluate_composite(&mut self, name: &str, cause: Option<&str>, path: &mut Vec<String>) {
        let Some(alarm) = self.state.composite_alarms.get(name) else {
            return;
        };
        let Ok(rule) = Rule::parse(&alarm.rule) else {
            return;
        };
        let state_of = |it: &str| self.any_alarm(it).map(|it| it.status().state);
        let state = if rule.is_true(&state_of) {
            AlarmState::Alarm
        } else {
            AlarmState::Ok
        };
        if state == alarm.status.state {
            return;
        }
        let reason = match cause {
            Some(cause) => format!(
                "{} transitioned to {} at {}",
                self.alarm_arn(cause),
                state_of(cause)
                    .unwrap_or(AlarmState::InsufficientData)
                    .as_str(),
                long_time(self.now)
            ),
            None => format!(
                "{} was created and its alarm rule evaluates to {}",
                self.alarm_arn(name),
                state.as_str()
            ),
        };
        let triggering: Vec<_> = rule
            .alarms()
            .into_iter()
            .filter_map(|it| {
                let status = self.any_alarm(it)?.status();
                Some(json!({
                    "arn": self.alarm_arn(it),
                    "state": {
                        "value": status.state.as_str(),
                        "timestamp": alarm_time(status.updated_at),
                    },
                }))
            })
            .collect();
        let data = json!({ "triggeringAlarms": triggering }).to_string();
        self.set_status(name, state, reason, Some(data));
        self.evaluate_composites_over(name, path);
    }
}
