//! Capacity providers over Auto Scaling groups: made, changed, deleted, read.

use std::collections::BTreeMap;

use model::strategy::{FARGATE, FARGATE_SPOT};
use serde::Deserialize;
use serde_json::{Value, json};

use super::clusters::with_token;
use super::limits::{
    CAPACITY_PROVIDERS_PAGE_MAX, DESCRIBE_CAPACITY_PROVIDERS_MAX, failure, page, page_size,
};
use super::wire::{Tag, tags_from_wire, tags_to_wire};
use crate::error::ApiError;
use crate::state::{CapacityProvider, ManagedScaling, State};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateProvider {
    name: String,
    auto_scaling_group_provider: Option<OverGroup>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateProvider {
    name: String,
    auto_scaling_group_provider: Option<OverGroup>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteProvider {
    capacity_provider: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OverGroup {
    auto_scaling_group_arn: Option<String>,
    managed_scaling: Option<Scaling>,
    managed_termination_protection: Option<String>,
    managed_draining: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scaling {
    status: Option<String>,
    target_capacity: Option<u32>,
    minimum_scaling_step_size: Option<u32>,
    maximum_scaling_step_size: Option<u32>,
    instance_warmup_period: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeProviders {
    #[serde(default)]
    capacity_providers: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

fn is_enabled(text: &str) -> Result<bool, ApiError> {
    match text {
        "ENABLED" => Ok(true),
        "DISABLED" => Ok(false),
        other => Err(ApiError::invalid_parameter(format!(
            "{other} is neither ENABLED nor DISABLED."
        ))),
    }
}

const fn enabled_word(it: bool) -> &'static str {
    if it { "ENABLED" } else { "DISABLED" }
}

/// A number within its documented bounds.
fn within(name: &str, value: u32, min: u32, max: u32) -> Result<u32, ApiError> {
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(ApiError::invalid_parameter(format!(
            "{name} must be between {min} and {max}."
        )))
    }
}

impl Scaling {
    /// These settings over the ones that were there.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ManagedScaling.html>
    fn over(&self, before: ManagedScaling) -> Result<ManagedScaling, ApiError> {
        let or = |name: &str, value: Option<u32>, old: u32, min: u32| {
            value.map_or(Ok(old), |it| within(name, it, min, 10_000))
        };
        Ok(ManagedScaling {
            enabled: match self.status.as_deref() {
                Some(status) => is_enabled(status)?,
                None => before.enabled,
            },
            target_capacity_percent: match self.target_capacity {
                Some(target) => within("targetCapacity", target, 1, 100)?,
                None => before.target_capacity_percent,
            },
            minimum_step_size: or(
                "minimumScalingStepSize",
                self.minimum_scaling_step_size,
                before.minimum_step_size,
                1,
            )?,
            maximum_step_size: or(
                "maximumScalingStepSize",
                self.maximum_scaling_step_size,
                before.maximum_step_size,
                1,
            )?,
            instance_warmup_secs: or(
                "instanceWarmupPeriod",
                self.instance_warmup_period,
                before.instance_warmup_secs,
                0,
            )?,
        })
    }
}

impl OverGroup {
    fn over(&self, before: CapacityProvider) -> Result<CapacityProvider, ApiError> {
        let flag = |text: &Option<String>, old: bool| text.as_deref().map_or(Ok(old), is_enabled);
        Ok(CapacityProvider {
            managed_scaling: match &self.managed_scaling {
                Some(scaling) => scaling.over(before.managed_scaling)?,
                None => before.managed_scaling,
            },
            managed_termination_protection: flag(
                &self.managed_termination_protection,
                before.managed_termination_protection,
            )?,
            managed_draining: flag(&self.managed_draining, before.managed_draining)?,
            ..before
        })
    }
}

/// A group's name, from its ARN or as it is.
fn group_name(text: &str) -> &str {
    text.rsplit_once("autoScalingGroupName/")
        .map_or(text, |(_, name)| name)
}

impl World {
    pub(super) fn create_capacity_provider(
        &mut self,
        input: CreateProvider,
    ) -> Result<Value, ApiError> {
        let name = input.name;
        let lower = name.to_ascii_lowercase();
        if ["aws", "ecs", "fargate"]
            .iter()
            .any(|it| lower.starts_with(it))
        {
            return Err(ApiError::invalid_parameter(format!(
                "The specified capacity provider name '{name}' is not valid: it cannot be prefixed with \"aws\", \"ecs\", or \"fargate\"."
            )));
        }
        name.parse::<model::CapacityProviderName>()
            .map_err(ApiError::invalid_parameter)?;
        let known = self.state.group_providers.get(&name);
        if known.is_some_and(|it| it.status == "ACTIVE") || self.state.providers.contains_key(&name)
        {
            return Err(ApiError::invalid_parameter(format!(
                "The specified capacity provider already exists. To change the configuration of an existing capacity provider, update \
                 the capacity provider: {name}"
            )));
        }
        let over = input.auto_scaling_group_provider.ok_or_else(|| {
            ApiError::invalid_parameter(
                "The capacity provider must have an Auto Scaling group provider.",
            )
        })?;
        let arn = over.auto_scaling_group_arn.as_deref().unwrap_or_default();
        let group = group_name(arn);
        let missing = || {
            ApiError::invalid_parameter(format!(
                "The specified Auto Scaling group ARN is not valid or was not found: {arn}"
            ))
        };
        self.state.groups.get(group).ok_or_else(missing)?;
        let used = |it: &CapacityProvider| it.group == group && it.status == "ACTIVE";
        if self.state.group_providers.values().any(used) {
            return Err(ApiError::invalid_parameter(format!(
                "The specified Auto Scaling group is already being used by another capacity provider: {group}"
            )));
        }
        let provider = CapacityProvider {
            tags: tags_from_wire(input.tags),
            ..over.over(CapacityProvider::over(group))?
        };
        self.check_protection(&provider)?;
        self.declare_capacity_provider(&name, provider);
        Ok(json!({ "capacityProvider": self.group_provider_json(&self.state, &name) }))
    }

    /// Managed termination protection needs managed scaling, and a group that protects its new instances.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AutoScalingGroupProvider.html>
    fn check_protection(&self, provider: &CapacityProvider) -> Result<(), ApiError> {
        if !provider.managed_termination_protection {
            return Ok(());
        }
        let protects = self
            .state
            .groups
            .get(&provider.group)
            .is_some_and(|it| it.new_instances_protected_from_scale_in);
        if provider.managed_scaling.enabled && protects {
            return Ok(());
        }
        Err(ApiError::invalid_parameter(
            "The managed termination protection setting for the capacity provider is invalid. To enable managed termination \
             protection for a capacity provider, managed scaling must be enabled and the Auto Scaling group must have instance \
             protection from scale in enabled.",
        ))
    }

    pub(super) fn update_capacity_provider(
        &mut self,
        input: &UpdateProvider,
    ) -> Result<Value, ApiError> {
        let name = provider_name(&input.name);
        let before = self.active_provider(name)?.clone();
        let mut changed = match &input.auto_scaling_group_provider {
            Some(over) => over.over(before)?,
            None => before,
        };
        self.check_protection(&changed)?;
        changed.update_status = Some("UPDATE_COMPLETE");
        self.declare_capacity_provider(name, changed);
        Ok(json!({ "capacityProvider": self.group_provider_json(&self.state, name) }))
    }

    fn active_provider(&self, name: &str) -> Result<&CapacityProvider, ApiError> {
        let known = self.state.group_providers.get(name);
        known.filter(|it| it.status == "ACTIVE").ok_or_else(|| {
            ApiError::client(format!(
                "The specified capacity provider '{name}' was not found."
            ))
        })
    }

    pub(super) fn delete_capacity_provider(
        &mut self,
        input: &DeleteProvider,
    ) -> Result<Value, ApiError> {
        let name = provider_name(&input.capacity_provider).to_owned();
        self.active_provider(&name)?;
        let used = self
            .state
            .clusters
            .iter()
            .find(|(_, it)| it.providers.contains(&name));
        if let Some((cluster, _)) = used {
            return Err(ApiError::client(format!(
                "The specified capacity provider is in use and cannot be removed: it is associated with the cluster {cluster}."
            )));
        }
        if let Some(provider) = self.state.group_providers.get_mut(&name) {
            provider.managed_scaling.enabled = false;
            provider.managed_draining = false;
        }
        self.provider_changed(&name);
        if let Some(provider) = self.state.group_providers.get_mut(&name) {
            provider.status = "INACTIVE";
            provider.update_status = Some("DELETE_COMPLETE");
        }
        let json = self.group_provider_json(&self.state, &name);
        self.state.group_providers.remove(&name);
        Ok(json!({ "capacityProvider": json }))
    }

    pub(super) fn describe_capacity_providers(
        &self,
        state: &State,
        input: &DescribeProviders,
    ) -> Result<Value, ApiError> {
        if input.capacity_providers.len() > DESCRIBE_CAPACITY_PROVIDERS_MAX {
            return Err(ApiError::invalid_parameter(format!(
                "capacityProviders cannot have more than {DESCRIBE_CAPACITY_PROVIDERS_MAX} elements."
            )));
        }
        let mut all: BTreeMap<String, Value> = [FARGATE, FARGATE_SPOT]
            .into_iter()
            .map(|name| (name.to_owned(), self.provider_json(name, None)))
            .collect();
        for (name, declared) in &state.providers {
            all.insert(
                name.clone(),
                self.provider_json(name, Some(&declared.group)),
            );
        }
        let tags = input.include.iter().any(|it| it == "TAGS");
        for name in state.group_providers.keys() {
            let mut json = self.group_provider_json(state, name);
            if let Some(fields) = json.as_object_mut().filter(|_| !tags) {
                fields.insert("tags".to_owned(), json!([]));
            }
            all.insert(name.clone(), json);
        }
        let asked: Vec<String> = input
            .capacity_providers
            .iter()
            .map(|it| provider_name(it).to_owned())
            .collect();
        let failures: Vec<Value> = asked
            .iter()
            .filter(|it| !all.contains_key(*it))
            .map(|it| failure(&self.provider_arn(it), "MISSING"))
            .collect();
        let size = page_size(
            input.max_results,
            CAPACITY_PROVIDERS_PAGE_MAX,
            CAPACITY_PROVIDERS_PAGE_MAX,
        )?;
        let wanted = all
            .iter()
            .filter(|(name, _)| asked.is_empty() || asked.contains(name))
            .map(|(name, json)| (name.as_str(), json.clone()));
        let (items, next) = page(wanted, input.next_token.as_deref(), size)?;
        Ok(with_token(
            json!({ "capacityProviders": items, "failures": failures }),
            next,
        ))
    }

    fn provider_json(&self, name: &str, group: Option<&str>) -> Value {
        let mut provider = json!({
            "capacityProviderArn": self.provider_arn(name),
            "name": name,
            "status": "ACTIVE",
            "tags": [],
        });
        if let (Some(group), Some(fields)) = (group, provider.as_object_mut()) {
            fields.insert(
                "autoScalingGroupProvider".to_owned(),
                json!({
                    "autoScalingGroupArn": self.group_arn(group),
                    "managedScaling": { "status": "DISABLED" },
                    "managedTerminationProtection": "DISABLED",
                    "managedDraining": "DISABLED",
                }),
            );
        }
        provider
    }

    fn group_provider_json(&self, state: &State, name: &str) -> Value {
        let Some(provider) = state.group_providers.get(name) else {
            return Value::Null;
        };
        let scaling = provider.managed_scaling;
        let mut managed = json!({ "status": enabled_word(scaling.enabled) });
        if let Some(fields) = managed.as_object_mut() {
            for (name, value) in [
                ("targetCapacity", scaling.target_capacity_percent),
                ("minimumScalingStepSize", scaling.minimum_step_size),
                ("maximumScalingStepSize", scaling.maximum_step_size),
                ("instanceWarmupPeriod", scaling.instance_warmup_secs),
            ] {
                fields.insert(name.to_owned(), json!(value));
            }
        }
        let protection = enabled_word(provider.managed_termination_protection);
        let mut json = json!({
            "capacityProviderArn": self.provider_arn(name),
            "name": name,
            "status": provider.status,
            "autoScalingGroupProvider": {
                "autoScalingGroupArn": self.group_arn(&provider.group),
                "managedScaling": managed,
                "managedTerminationProtection": protection,
                "managedDraining": enabled_word(provider.managed_draining),
            },
            "tags": tags_to_wire(&provider.tags),
        });
        if let (Some(status), Some(fields)) = (provider.update_status, json.as_object_mut()) {
            fields.insert("updateStatus".to_owned(), json!(status));
        }
        json
    }
}

/// A provider's name, from its ARN or as it is.
fn provider_name(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}
