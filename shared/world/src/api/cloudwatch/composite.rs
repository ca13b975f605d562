//! Making composite alarms.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html>

use serde::Deserialize;
use serde_json::{Value, json};

use super::invalid;
use crate::error::ApiError;
use crate::state::{AlarmActions, CompositeAlarm};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct PutComposite {
    alarm_name: String,
    alarm_rule: String,
    alarm_description: Option<String>,
    actions_enabled: Option<bool>,
    #[serde(rename = "OKActions", default)]
    ok_actions: Vec<String>,
    #[serde(default)]
    alarm_actions: Vec<String>,
    #[serde(default)]
    insufficient_data_actions: Vec<String>,
    actions_suppressor: Option<String>,
}

impl World {
    pub(in crate::api) fn put_composite(&mut self, input: PutComposite) -> Result<Value, ApiError> {
        if input.actions_suppressor.is_some() {
            return Err(invalid(
                "this world suppresses no actions: ActionsSuppressor must not be there",
            ));
        }
        let alarm = CompositeAlarm::new(&input.alarm_name, &input.alarm_rule);
        self.put_composite_alarm(CompositeAlarm {
            description: input.alarm_description,
            actions: AlarmActions {
                enabled: input.actions_enabled.unwrap_or(true),
                alarm: input.alarm_actions,
                ok: input.ok_actions,
                insufficient_data: input.insufficient_data_actions,
            },
            ..alarm
        })?;
        Ok(json!({}))
    }
}
