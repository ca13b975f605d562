//! Changing how many instances a group has.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::autoscaling::{group_not_found, in_progress};
use crate::error::ApiError;
use crate::pool::later;
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct SetDesired {
    auto_scaling_group_name: String,
    desired_capacity: u32,
    #[serde(default)]
    honor_cooldown: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct TerminateInstance {
    instance_id: String,
    should_decrement_desired_capacity: bool,
}

impl World {
    pub(in crate::api) fn set_desired(&mut self, input: &SetDesired) -> Result<Value, ApiError> {
        let name = &input.auto_scaling_group_name;
        let group = self.state.groups.get(name).ok_or_else(group_not_found)?;
        let cooldown = i64::from(group.default_cooldown_secs) * 1_000;
        let is_cooling = group
            .scaled_at
            .is_some_and(|it| later(it, cooldown) > self.now);
        if input.honor_cooldown && is_cooling {
            let last = group.activities.front().map_or("", |it| it.id.as_str());
            return Err(in_progress(last));
        }
        self.set_desired_capacity(name, input.desired_capacity)?;
        Ok(json!({}))
    }

    pub(in crate::api) fn terminate_instance(
        &mut self,
        input: &TerminateInstance,
    ) -> Result<Value, ApiError> {
        let id = &input.instance_id;
        let activity =
            self.terminate_instance_in_group(id, input.should_decrement_desired_capacity)?;
        let group = self
            .state
            .instances
            .get(id)
            .map_or("", |it| it.group.as_str());
        let shown = self
            .state
            .groups
            .get(group)
            .and_then(|it| it.activities.iter().find(|it| it.id == activity))
            .map(|it| self.activity_json(group, it));
        Ok(json!({ "Activity": shown }))
    }
}
