//! Scheduled actions.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{PAGE_DEFAULT, PAGE_MAX, Paging, paged};
use crate::autoscaling::group_not_found;
use crate::error::ApiError;
use crate::state::{ScheduledAction, State};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct DescribeSchedules {
    auto_scaling_group_name: Option<String>,
    #[serde(default)]
    scheduled_action_names: Vec<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct PutSchedule {
    auto_scaling_group_name: String,
    scheduled_action_name: String,
    start_time: Option<Timestamp>,
    recurrence: Option<String>,
    min_size: Option<u32>,
    max_size: Option<u32>,
    desired_capacity: Option<u32>,
}

impl World {
    pub(in crate::api) fn put_schedule(&mut self, input: PutSchedule) -> Result<Value, ApiError> {
        let action = ScheduledAction {
            start_at: input.start_time,
            recurrence: input.recurrence,
            min_size: input.min_size,
            max_size: input.max_size,
            desired_capacity: input.desired_capacity,
        };
        self.put_scheduled_action(
            &input.auto_scaling_group_name,
            &input.scheduled_action_name,
            action,
        )?;
        Ok(json!({}))
    }

    pub(in crate::api) fn describe_schedules(
        &self,
        state: &State,
        input: &DescribeSchedules,
    ) -> Result<Value, ApiError> {
        let named = input.auto_scaling_group_name.as_deref();
        if named.is_some_and(|it| !state.groups.contains_key(it)) {
            return Err(group_not_found());
        }
        let names = &input.scheduled_action_names;
        let mut entries = Vec::new();
        for (group, known) in &state.groups {
            for (name, action) in &known.scheduled_actions {
                let is_wanted = named.is_none_or(|it| it == group)
                    && (names.is_empty() || names.contains(name));
                if is_wanted {
                    let json = self.schedule_json(group, name, action);
                    entries.push((format!("{group}/{name}"), Value::Object(json)));
                }
            }
        }
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        let sizes = (PAGE_DEFAULT, PAGE_MAX);
        paged(
            &entries,
            &input.paging,
            sizes,
            "ScheduledUpdateGroupActions",
        )
    }

    fn schedule_json(
        &self,
        group: &str,
        name: &str,
        action: &ScheduledAction,
    ) -> Map<String, Value> {
        let mut json = Map::new();
        let arn = format!(
            "arn:aws:autoscaling:{}:{}:scheduledUpdateGroupAction:{}:autoScalingGroupName/{group}:scheduledActionName/{name}",
            self.config.region,
            self.config.account,
            self.dice
                .uuid("scheduled action", &format!("{group}/{name}"), 0),
        );
        json.insert("AutoScalingGroupName".to_owned(), json!(group));
        json.insert("ScheduledActionName".to_owned(), json!(name));
        json.insert("ScheduledActionARN".to_owned(), json!(arn));
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                json.insert(name.to_owned(), value);
            }
        };
        let at = action.start_at.map(|it| json!(it.to_string()));
        put("StartTime", at.clone());
        put("Time", at);
        put("Recurrence", action.recurrence.as_ref().map(|it| json!(it)));
        put("MinSize", action.min_size.map(|it| json!(it)));
        put("MaxSize", action.max_size.map(|it| json!(it)));
        put(
            "DesiredCapacity",
            action.desired_capacity.map(|it| json!(it)),
        );
        json
    }
}
