//! Tags of groups.

use serde::Deserialize;
use serde_json::{Value, json};

use super::groups::tag_json;
use super::{Filter, PAGE_DEFAULT, PAGE_MAX, Paging, paged};
use crate::autoscaling::{group_not_found, validation};
use crate::error::ApiError;
use crate::state::{GroupTag, State};
use crate::world::World;

/// Tags of one group. <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html>
const TAGS_MAX: usize = 50;

/// A tag as it is put in; with a new group the resource is not named.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireTag {
    resource_id: Option<String>,
    key: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    propagate_at_launch: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct PutTags {
    #[serde(default)]
    tags: Vec<WireTag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct DescribeTags {
    #[serde(default)]
    filters: Vec<Filter>,
    #[serde(flatten)]
    paging: Paging,
}

impl WireTag {
    pub(super) fn into_tag(self) -> (String, GroupTag) {
        let tag = GroupTag {
            value: self.value,
            propagate_at_launch: self.propagate_at_launch,
        };
        (self.key, tag)
    }

    fn group(&self) -> Result<&str, ApiError> {
        self.resource_id
            .as_deref()
            .ok_or_else(|| validation("ResourceId is required."))
    }
}

impl World {
    pub(in crate::api) fn put_group_tags(&mut self, input: PutTags) -> Result<Value, ApiError> {
        for tag in &input.tags {
            let group = tag.group()?;
            let known = self.state.groups.get(group).ok_or_else(group_not_found)?;
            if !known.tags.contains_key(&tag.key) && known.tags.len() >= TAGS_MAX {
                return Err(ApiError::new(
                    "LimitExceeded",
                    format!("An Auto Scaling group can have at most {TAGS_MAX} tags."),
                    400,
                ));
            }
        }
        for tag in input.tags {
            let group = tag.group()?.to_owned();
            let (key, tag) = tag.into_tag();
            if let Some(known) = self.state.groups.get_mut(&group) {
                known.tags.insert(key, tag);
            }
        }
        Ok(json!({}))
    }

    pub(in crate::api) fn delete_group_tags(&mut self, input: &PutTags) -> Result<Value, ApiError> {
        for tag in &input.tags {
            let group = tag.group()?;
            let known = self
                .state
                .groups
                .get_mut(group)
                .ok_or_else(group_not_found)?;
            known.tags.remove(&tag.key);
        }
        Ok(json!({}))
    }

    pub(in crate::api) fn describe_group_tags(
        &self,
        state: &State,
        input: &DescribeTags,
    ) -> Result<Value, ApiError> {
        for filter in &input.filters {
            if !matches!(
                filter.name.as_str(),
                "auto-scaling-group" | "key" | "value" | "propagate-at-launch"
            ) {
                return Err(validation(format!(
                    "Filter type {} is not correct. Allowed Filter types are: auto-scaling-group key propagate-at-launch value",
                    filter.name
                )));
            }
        }
        let mut entries = Vec::new();
        for (name, group) in &state.groups {
            for (key, tag) in &group.tags {
                let shows = |filter: &Filter| {
                    let propagates = if tag.propagate_at_launch {
                        "true"
                    } else {
                        "false"
                    };
                    let text = match filter.name.as_str() {
                        "auto-scaling-group" => name.as_str(),
                        "key" => key.as_str(),
                        "value" => tag.value.as_str(),
                        _ => propagates,
                    };
                    filter.values.iter().any(|it| it == text)
                };
                if input.filters.iter().all(shows) {
                    entries.push((format!("{name}/{key}"), tag_json(name, key, tag)));
                }
            }
        }
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        paged(&entries, &input.paging, (PAGE_DEFAULT, PAGE_MAX), "Tags")
    }
}
