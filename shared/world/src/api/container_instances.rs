//! Container instances and their attributes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::clusters::with_token;
use super::limits::{
    DESCRIBE_CONTAINER_INSTANCES_MAX, LIST_PAGE_MAX, UPDATE_INSTANCES_STATE_MAX, failure, page,
    page_size,
};
use super::wire::{cluster_name, epoch, tags_to_wire};
use crate::ecs::{Facts, Query, departed};
use crate::error::ApiError;
use crate::state::{ContainerInstance, ContainerInstanceStatus, State};
use crate::world::World;
use model::ClusterName;

/// Custom attributes of one container instance.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html>
const ATTRIBUTES_MAX: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListInstances {
    cluster: Option<String>,
    filter: Option<String>,
    status: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeInstances {
    cluster: Option<String>,
    #[serde(default)]
    container_instances: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateInstancesState {
    cluster: Option<String>,
    #[serde(default)]
    container_instances: Vec<String>,
    status: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeregisterInstance {
    cluster: Option<String>,
    container_instance: String,
    force: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListAttributes {
    cluster: Option<String>,
    target_type: String,
    attribute_name: Option<String>,
    attribute_value: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttributeInput {
    name: String,
    value: Option<String>,
    target_type: Option<String>,
    target_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PutAttributes {
    cluster: Option<String>,
    attributes: Vec<AttributeInput>,
}

fn status_of(text: &str) -> Result<ContainerInstanceStatus, ApiError> {
    ContainerInstanceStatus::parse(text).ok_or_else(|| {
        ApiError::invalid_parameter(format!("{text} is not a container instance status."))
    })
}

fn known_cluster(state: &State, text: Option<&str>) -> Result<ClusterName, ApiError> {
    let cluster = cluster_name(text)?;
    if state.clusters.contains_key(&cluster) {
        Ok(cluster)
    } else {
        Err(ApiError::cluster_not_found())
    }
}

/// How many names a call may have.
fn check_count(names: &[String], max: usize) -> Result<(), ApiError> {
    if names.is_empty() {
        return Err(ApiError::invalid_parameter(
            "Container instances cannot be empty.",
        ));
    }
    if names.len() > max {
        return Err(ApiError::invalid_parameter(format!(
            "instanceIds can have at most {max} items."
        )));
    }
    Ok(())
}

impl World {
    pub(super) fn list_container_instances(
        &self,
        state: &State,
        input: &ListInstances,
    ) -> Result<Value, ApiError> {
        let cluster = known_cluster(state, input.cluster.as_deref())?;
        let size = page_size(input.max_results, LIST_PAGE_MAX, LIST_PAGE_MAX)?;
        let query = input.filter.as_deref().map(Query::parse).transpose();
        let query =
            query.map_err(|it| ApiError::invalid_parameter(format!("Invalid filter: {it}")))?;
        let status = input.status.as_deref().map(status_of).transpose()?;
        let wanted = state.container_instances.iter().filter(|(_, instance)| {
            instance.cluster == cluster
                && status.is_none_or(|it| instance.status == it)
                && query
                    .as_ref()
                    .is_none_or(|it| it.holds(&Facts { state, instance }))
        });
        let arns = wanted.map(|(id, it)| (id.as_str(), &it.arn));
        let (items, next) = page(arns, input.next_token.as_deref(), size)?;
        Ok(with_token(json!({ "containerInstanceArns": items }), next))
    }

    pub(super) fn describe_container_instances(
        &self,
        state: &State,
        input: &DescribeInstances,
    ) -> Result<Value, ApiError> {
        let cluster = known_cluster(state, input.cluster.as_deref())?;
        check_count(&input.container_instances, DESCRIBE_CONTAINER_INSTANCES_MAX)?;
        let includes = |what: &str| input.include.iter().any(|it| it == what);
        let (tags, health) = (includes("TAGS"), includes("CONTAINER_INSTANCE_HEALTH"));
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for text in &input.container_instances {
            let known = self.container_instance_named(state, &cluster, text);
            match known.or_else(|| departed(state, &cluster, text, self.now)) {
                Some(instance) => {
                    found.push(self.full_instance_json(state, instance, tags, health));
                }
                None => failures.push(failure(&self.instance_arn(&cluster, text), "MISSING")),
            }
        }
        Ok(json!({ "containerInstances": found, "failures": failures }))
    }

    fn full_instance_json(
        &self,
        state: &State,
        instance: &ContainerInstance,
        tags: bool,
        health: bool,
    ) -> Value {
        let mut json = self.container_instance_json(state, instance, epoch);
        let Some(fields) = json.as_object_mut() else {
            return json;
        };
        if tags {
            fields.insert("tags".to_owned(), json!(tags_to_wire(&instance.tags)));
        }
        if health {
            let status = if instance.healthy { "OK" } else { "IMPAIRED" };
            let detail = json!([{ "type": "CONTAINER_RUNTIME", "status": status }]);
            let value = json!({ "overallStatus": status, "details": detail });
            fields.insert("healthStatus".to_owned(), value);
        }
        json
    }

    fn instance_arn(&self, cluster: &ClusterName, text: &str) -> String {
        let id = text.rsplit('/').next().unwrap_or(text);
        format!(
            "arn:aws:ecs:{}:{}:container-instance/{cluster}/{id}",
            self.config.region, self.config.account
        )
    }

    pub(super) fn update_container_instances_state(
        &mut self,
        input: &UpdateInstancesState,
    ) -> Result<Value, ApiError> {
        let cluster = known_cluster(&self.state, input.cluster.as_deref())?;
        check_count(&input.container_instances, UPDATE_INSTANCES_STATE_MAX)?;
        let drain = match status_of(&input.status)? {
            ContainerInstanceStatus::Active => false,
            ContainerInstanceStatus::Draining => true,
            ContainerInstanceStatus::Registering
            | ContainerInstanceStatus::Deregistering
            | ContainerInstanceStatus::Inactive => {
                return Err(ApiError::invalid_parameter(
                    "Container instance status should be one of [ACTIVE,DRAINING]",
                ));
            }
        };
        let (mut changed, mut failures) = (Vec::new(), Vec::new());
        for text in &input.container_instances {
            let found = self.container_instance_named(&self.state, &cluster, text);
            let Some((id, status)) = found.map(|it| (it.id().to_owned(), it.status)) else {
                let left = departed(&self.state, &cluster, text, self.now).is_some();
                let reason = if left { "INACTIVE" } else { "MISSING" };
                failures.push(failure(&self.instance_arn(&cluster, text), reason));
                continue;
            };
            match (status, drain) {
                (ContainerInstanceStatus::Active, true) => self.drain_instance(&id),
                (ContainerInstanceStatus::Draining, false) => self.undrain_instance(&id),
                (ContainerInstanceStatus::Active, false)
                | (ContainerInstanceStatus::Draining, true) => {}
                (
                    ContainerInstanceStatus::Registering
                    | ContainerInstanceStatus::Deregistering
                    | ContainerInstanceStatus::Inactive,
                    true | false,
                ) => {
                    failures.push(failure(&self.instance_arn(&cluster, text), "INACTIVE"));
                    continue;
                }
            }
            if let Some(instance) = self.state.container_instances.get(&id) {
                changed.push(self.container_instance_json(&self.state, instance, epoch));
            }
        }
        Ok(json!({ "containerInstances": changed, "failures": failures }))
    }

    pub(super) fn deregister_container_instance(
        &mut self,
        input: &DeregisterInstance,
    ) -> Result<Value, ApiError> {
        let cluster = known_cluster(&self.state, input.cluster.as_deref())?;
        let missing = || ApiError::invalid_parameter("Referenced container instance not found.");
        let found = self.container_instance_named(&self.state, &cluster, &input.container_instance);
        let instance = found.ok_or_else(missing)?;
        let busy = instance.tasks_in(&self.state).any(|it| it.desired_running);
        if busy && input.force != Some(true) {
            return Err(ApiError::invalid_parameter(
                "Found running tasks on the instance.",
            ));
        }
        let id = instance.id().to_owned();
        let gone = self.deregister(&id).ok_or_else(missing)?;
        let json = self.container_instance_json(&self.state, &gone, epoch);
        Ok(json!({ "containerInstance": json }))
    }

    pub(super) fn list_attributes(
        &self,
        state: &State,
        input: &ListAttributes,
    ) -> Result<Value, ApiError> {
        let cluster = known_cluster(state, input.cluster.as_deref())?;
        if input.target_type != "container-instance" {
            return Err(ApiError::invalid_parameter(
                "The specified target type is not valid.",
            ));
        }
        let size = page_size(input.max_results, LIST_PAGE_MAX, LIST_PAGE_MAX)?;
        let mut all: BTreeMap<String, Value> = BTreeMap::new();
        for instance in state.container_instances.values() {
            if instance.cluster != cluster {
                continue;
            }
            for (name, value) in &instance.attributes {
                let asked = |wanted: &Option<String>, have: Option<&str>| {
                    wanted.as_deref().is_none_or(|it| have == Some(it))
                };
                if asked(&input.attribute_name, Some(name.as_str()))
                    && asked(&input.attribute_value, value.as_deref())
                {
                    let key = format!("{} {name}", instance.arn);
                    all.insert(key, attribute_json(instance, name, value.as_deref()));
                }
            }
        }
        let entries = all.iter().map(|(key, value)| (key.as_str(), value));
        let (items, next) = page(entries, input.next_token.as_deref(), size)?;
        Ok(with_token(json!({ "attributes": items }), next))
    }

    pub(super) fn put_attributes(&mut self, input: &PutAttributes) -> Result<Value, ApiError> {
        let cluster = known_cluster(&self.state, input.cluster.as_deref())?;
        let mut ids = Vec::new();
        for attribute in &input.attributes {
            if attribute.name.is_empty() || attribute.name.starts_with("ecs.") {
                return Err(ApiError::invalid_parameter(format!(
                    "The attribute name '{}' is not valid.",
                    attribute.name
                )));
            }
            let kind = attribute.target_type.as_deref();
            if !matches!(kind, None | Some("container-instance")) {
                return Err(ApiError::invalid_parameter(
                    "The specified target type is not valid.",
                ));
            }
            let target = attribute.target_id.as_deref().unwrap_or_default();
            let found = self.container_instance_named(&self.state, &cluster, target);
            let instance = found.ok_or_else(ApiError::target_not_found)?;
            let custom = instance.attributes.keys();
            let own = custom.filter(|it| !it.contains("ecs.") && **it != attribute.name);
            if own.count() >= ATTRIBUTES_MAX {
                return Err(ApiError::new(
                    "AttributeLimitExceededException",
                    "You can apply up to 10 custom attributes for each resource.",
                    400,
                ));
            }
            ids.push(instance.id().to_owned());
        }
        let mut done = Vec::new();
        for (attribute, id) in input.attributes.iter().zip(ids) {
            if let Some(instance) = self.state.container_instances.get_mut(&id) {
                let name = attribute.name.clone();
                instance.attributes.insert(name, attribute.value.clone());
                done.push(attribute_json(
                    instance,
                    &attribute.name,
                    attribute.value.as_deref(),
                ));
                let cluster = instance.cluster.clone();
                self.look_at_daemons(&cluster);
                self.seats_soon(&cluster);
            }
        }
        Ok(json!({ "attributes": done }))
    }
}

fn attribute_json(instance: &ContainerInstance, name: &str, value: Option<&str>) -> Value {
    let mut json = json!({ "name": name, "targetId": instance.arn });
    if let (Some(value), Some(fields)) = (value, json.as_object_mut()) {
        fields.insert("value".to_owned(), json!(value));
    }
    json
}
