//! Reading scaling activities.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{PAGE_MAX, Paging, paged};
use crate::autoscaling::group_not_found;
use crate::error::ApiError;
use crate::state::{Activity, State};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct DescribeActivities {
    #[serde(default)]
    activity_ids: Vec<String>,
    auto_scaling_group_name: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

impl World {
    pub(in crate::api) fn describe_activities(
        &self,
        state: &State,
        input: &DescribeActivities,
    ) -> Result<Value, ApiError> {
        let named = input.auto_scaling_group_name.as_deref();
        if named.is_some_and(|it| !state.groups.contains_key(it)) {
            return Err(group_not_found());
        }
        let mut entries: Vec<(String, Value)> = Vec::new();
        for (name, group) in &state.groups {
            if named.is_some_and(|it| it != name) {
                continue;
            }
            for activity in &group.activities {
                if input.activity_ids.is_empty() || input.activity_ids.contains(&activity.id) {
                    // The newest comes first.
                    let age = i64::MAX - activity.started_at.as_millisecond();
                    let number = u64::MAX - activity.number;
                    let key = format!("{age:020}/{name}/{number:020}");
                    entries.push((key, self.activity_json(name, activity)));
                }
            }
        }
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        paged(&entries, &input.paging, (PAGE_MAX, PAGE_MAX), "Activities")
    }

    /// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Activity.html>
    pub(super) fn activity_json(&self, group: &str, activity: &Activity) -> Value {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| {
            json.insert(name.to_owned(), value);
        };
        put("ActivityId", json!(activity.id));
        put("AutoScalingGroupName", json!(group));
        put("AutoScalingGroupARN", json!(self.group_arn(group)));
        put("Description", json!(activity.description));
        put("Cause", json!(activity.cause));
        put("StartTime", json!(activity.started_at.to_string()));
        if let Some(at) = activity.ended_at {
            put("EndTime", json!(at.to_string()));
        }
        put("StatusCode", json!(activity.status.as_str()));
        if let Some(message) = &activity.status_message {
            put("StatusMessage", json!(message));
        }
        put("Progress", json!(activity.progress));
        // A JSON text.
        put(
            "Details",
            json!(self.activity_details(activity).to_string()),
        );
        Value::Object(json)
    }
}
