//! Tags of clusters and services.

use std::collections::BTreeMap;

use model::{ClusterName, ServiceKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{Tag, tags_from_wire, tags_to_wire};
use crate::error::ApiError;
use crate::state::State;
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagResource {
    resource_arn: String,
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UntagResource {
    resource_arn: String,
    tag_keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTags {
    resource_arn: String,
}

/// What an ARN names.
enum Tagged {
    Cluster(ClusterName),
    Service(ServiceKey),
}

impl Tagged {
    fn read(arn: &str) -> Result<Self, ApiError> {
        if let Ok(key) = ServiceKey::from_service_arn(arn, None) {
            return Ok(Self::Service(key));
        }
        arn.starts_with("arn:")
            .then(|| ClusterName::from_arn_or_name(arn).ok())
            .flatten()
            .map(Self::Cluster)
            .ok_or_else(|| {
                ApiError::invalid_parameter("Invalid identifier: unsupported resource type.")
            })
    }

    fn of<'a>(&self, state: &'a State) -> Result<&'a BTreeMap<String, String>, ApiError> {
        match self {
            Self::Cluster(name) => state
                .clusters
                .get(name)
                .map(|it| &it.tags)
                .ok_or_else(ApiError::cluster_not_found),
            Self::Service(key) => state
                .services
                .get(key)
                .map(|it| &it.tags)
                .ok_or_else(ApiError::service_not_found),
        }
    }
}

impl World {
    fn change_tags(
        &mut self,
        arn: &str,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<Value, ApiError> {
        match Tagged::read(arn)? {
            Tagged::Cluster(name) => {
                let cluster = self.state.clusters.get_mut(&name);
                change(&mut cluster.ok_or_else(ApiError::cluster_not_found)?.tags);
            }
            Tagged::Service(key) => {
                let service = self.state.services.get_mut(&key);
                change(&mut service.ok_or_else(ApiError::service_not_found)?.tags);
                self.account_service(&key);
            }
        }
        Ok(json!({}))
    }

    pub(super) fn tag_resource(&mut self, input: TagResource) -> Result<Value, ApiError> {
        let tags = tags_from_wire(input.tags);
        self.change_tags(&input.resource_arn, |it| it.extend(tags))
    }

    pub(super) fn untag_resource(&mut self, input: &UntagResource) -> Result<Value, ApiError> {
        self.change_tags(&input.resource_arn, |it| {
            it.retain(|key, _| !input.tag_keys.contains(key));
        })
    }

    pub(super) fn list_tags(&self, state: &State, input: &ListTags) -> Result<Value, ApiError> {
        let tags = Tagged::read(&input.resource_arn)?.of(state)?;
        Ok(json!({ "tags": tags_to_wire(tags) }))
    }
}
