//! Reading groups.

use std::collections::BTreeMap;

use model::strategy::Market;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::warm_pool::configuration_json;
use super::{Filter, Paging, paged};
use crate::api::limits::{AUTO_SCALING_GROUPS_PAGE_DEFAULT, AUTO_SCALING_GROUPS_PAGE_MAX};
use crate::autoscaling::validation;
use crate::error::ApiError;
use crate::state::{Group, GroupProvider, GroupTag, Instance, LaunchSpec, MixedInstances, State};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct DescribeGroups {
    #[serde(default)]
    auto_scaling_group_names: Vec<String>,
    #[serde(default)]
    filters: Vec<Filter>,
    include_instances: Option<bool>,
    #[serde(flatten)]
    paging: Paging,
}

impl World {
    pub(in crate::api) fn describe_groups(
        &self,
        state: &State,
        input: &DescribeGroups,
    ) -> Result<Value, ApiError> {
        for filter in &input.filters {
            check_filter(filter)?;
        }
        let names = &input.auto_scaling_group_names;
        let is_named = |name: &String| names.is_empty() || names.contains(name);
        let with_instances = input.include_instances.unwrap_or(true);
        let mut groups: BTreeMap<String, Value> = state
            .providers
            .values()
            .filter(|it| is_named(&it.group) && input.filters.is_empty())
            .map(|it| (it.group.clone(), self.slot_group(it)))
            .collect();
        for (name, group) in &state.groups {
            if is_named(name) && input.filters.iter().all(|it| matches_tags(it, &group.tags)) {
                groups.insert(name.clone(), self.group_json(state, group, with_instances));
            } else {
                groups.remove(name);
            }
        }
        let entries: Vec<(String, Value)> = groups.into_iter().collect();
        let sizes = (
            AUTO_SCALING_GROUPS_PAGE_DEFAULT,
            AUTO_SCALING_GROUPS_PAGE_MAX,
        );
        paged(&entries, &input.paging, sizes, "AutoScalingGroups")
    }

    fn group_json(&self, state: &State, group: &Group, with_instances: bool) -> Value {
        let instances: Vec<Value> = group
            .instances
            .iter()
            .filter(|_| with_instances)
            .filter_map(|id| state.instances.get(id))
            .map(|it| Value::Object(self.group_instance_json(state, it, "Healthy", "Unhealthy")))
            .collect();
        let subnets: Vec<String> = group.zones.iter().map(|it| self.subnet_id(it)).collect();
        let mut json = json!({
            "AutoScalingGroupName": group.name,
            "AutoScalingGroupARN": self.group_arn(&group.name),
            "MinSize": group.min_size,
            "MaxSize": group.max_size,
            "DesiredCapacity": group.desired_capacity,
            "DefaultCooldown": group.default_cooldown_secs,
            "AvailabilityZones": group.zones,
            "LoadBalancerNames": [],
            "TargetGroupARNs": [],
            "HealthCheckType": "EC2",
            "HealthCheckGracePeriod": group.health_check_grace_period_secs,
            "Instances": instances,
            "CreatedTime": group.created_at.to_string(),
            "SuspendedProcesses": group
                .suspended_processes
                .iter()
                .map(|(process, reason)| json!({
                    "ProcessName": process.as_str(),
                    "SuspensionReason": reason,
                }))
                .collect::<Vec<_>>(),
            "VPCZoneIdentifier": subnets.join(","),
            "EnabledMetrics": [],
            "Tags": group
                .tags
                .iter()
                .map(|(key, tag)| tag_json(&group.name, key, tag))
                .collect::<Vec<_>>(),
            "TerminationPolicies": group.termination_policies,
            "NewInstancesProtectedFromScaleIn": group.new_instances_protected_from_scale_in,
            "ServiceLinkedRoleARN": format!(
                "arn:aws:iam::{}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
                self.config.account
            ),
            "CapacityRebalance": group.capacity_rebalance,
            "TrafficSources": [],
        });
        if let Some(json) = json.as_object_mut() {
            if group.deleting {
                json.insert("Status".to_owned(), json!("Delete in progress"));
            }
            if let Some(secs) = group.default_instance_warmup_secs {
                json.insert("DefaultInstanceWarmup".to_owned(), json!(secs));
            }
            if let Some(pool) = &group.warm_pool {
                json.insert("WarmPoolConfiguration".to_owned(), configuration_json(pool));
                json.insert("WarmPoolSize".to_owned(), json!(pool.instances.len()));
            }
            let (name, launch) = launch_json(state, &group.launch);
            json.insert(name.to_owned(), launch);
        }
        json
    }

    /// An instance as groups and `DescribeAutoScalingInstances` have it; they differ in the words for its health.
    pub(super) fn group_instance_json(
        &self,
        state: &State,
        instance: &Instance,
        healthy: &str,
        unhealthy: &str,
    ) -> Map<String, Value> {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| {
            json.insert(name.to_owned(), value);
        };
        put("InstanceId", json!(instance.id));
        put("InstanceType", json!(instance.instance_type));
        put("AvailabilityZone", json!(instance.zone));
        put("LifecycleState", json!(instance.lifecycle_state.as_str()));
        let health = if instance.healthy { healthy } else { unhealthy };
        put("HealthStatus", json!(health));
        put(
            "LaunchTemplate",
            template_json(state, &instance.template, "1"),
        );
        put(
            "ProtectedFromScaleIn",
            json!(instance.protected_from_scale_in),
        );
        if instance.weighted {
            put("WeightedCapacity", json!(instance.weight.to_string()));
        }
        json
    }

    /// The group of a provider that is a pool of task slots.
    fn slot_group(&self, group: &GroupProvider) -> Value {
        let name = &group.group;
        let percentage_above_base = match group.market {
            Market::Spot => 0,
            Market::OnDemand | Market::Unknown => 100,
        };
        json!({
            "AutoScalingGroupName": name,
            "AutoScalingGroupARN": self.group_arn(name),
            "MinSize": 0,
            "MaxSize": 10,
            "DesiredCapacity": 0,
            "DefaultCooldown": 300,
            "AvailabilityZones": self.config.zones,
            "HealthCheckType": "EC2",
            "CreatedTime": self.config.start.to_string(),
            "Instances": [],
            "MixedInstancesPolicy": {
                "LaunchTemplate": {
                    "LaunchTemplateSpecification": {
                        "LaunchTemplateName": name,
                        "Version": "$Latest",
                    },
                    "Overrides": group
                        .instance_types
                        .iter()
                        .map(|it| json!({ "InstanceType": it }))
                        .collect::<Vec<_>>(),
                },
                "InstancesDistribution": {
                    "OnDemandAllocationStrategy": "prioritized",
                    "OnDemandBaseCapacity": 0,
                    "OnDemandPercentageAboveBaseCapacity": percentage_above_base,
                    "SpotAllocationStrategy": "capacity-optimized",
                },
            },
        })
    }

    /// The ARN of a group.
    #[must_use]
    pub fn group_arn(&self, name: &str) -> String {
        format!(
            "arn:aws:autoscaling:{}:{}:autoScalingGroup:{}:autoScalingGroupName/{name}",
            self.config.region,
            self.config.account,
            self.dice.uuid("group", name, 0),
        )
    }
}

/// A tag as groups and `DescribeTags` have it.
pub(super) fn tag_json(group: &str, key: &str, tag: &GroupTag) -> Value {
    json!({
        "ResourceId": group,
        "ResourceType": "auto-scaling-group",
        "Key": key,
        "Value": tag.value,
        "PropagateAtLaunch": tag.propagate_at_launch,
    })
}

fn template_json(state: &State, name: &str, version: &str) -> Value {
    let id = state.launch_templates.get(name).map(|it| it.id.as_str());
    json!({
        "LaunchTemplateId": id,
        "LaunchTemplateName": name,
        "Version": version,
    })
}

/// What a group launches, under the name that it has in AWS's answer.
fn launch_json(state: &State, launch: &LaunchSpec) -> (&'static str, Value) {
    let template = template_json(state, &launch.template, "$Latest");
    match &launch.mixed {
        None => ("LaunchTemplate", template),
        Some(mixed) => ("MixedInstancesPolicy", mixed_json(template, mixed)),
    }
}

fn mixed_json(template: Value, mixed: &MixedInstances) -> Value {
    let distribution = &mixed.distribution;
    json!({
        "LaunchTemplate": {
            "LaunchTemplateSpecification": template,
            "Overrides": mixed
                .overrides
                .iter()
                .map(|it| match it.weighted_capacity {
                    // AWS has weights as texts.
                    Some(weight) => json!({
                        "InstanceType": it.instance_type,
                        "WeightedCapacity": weight.to_string(),
                    }),
                    None => json!({ "InstanceType": it.instance_type }),
                })
                .collect::<Vec<_>>(),
        },
        "InstancesDistribution": {
            "OnDemandAllocationStrategy": distribution.on_demand_allocation.as_str(),
            "OnDemandBaseCapacity": distribution.on_demand_base_capacity,
            "OnDemandPercentageAboveBaseCapacity": distribution.on_demand_percentage_above_base_capacity,
            "SpotAllocationStrategy": distribution.spot_allocation.as_str(),
        },
    })
}

fn check_filter(filter: &Filter) -> Result<(), ApiError> {
    let name = filter.name.as_str();
    if matches!(name, "tag-key" | "tag-value") || name.starts_with("tag:") {
        return Ok(());
    }
    Err(validation(format!(
        "Filter type {name} is not correct. Allowed Filter types are: tag-key tag-value tag:<key>"
    )))
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Filter.html>
fn matches_tags(filter: &Filter, tags: &BTreeMap<String, GroupTag>) -> bool {
    let wanted = |text: &String| filter.values.contains(text);
    match filter.name.as_str() {
        "tag-key" => tags.keys().any(wanted),
        "tag-value" => tags.values().any(|it| wanted(&it.value)),
        name => name
            .strip_prefix("tag:")
            .and_then(|key| tags.get(key))
            .is_some_and(|it| wanted(&it.value)),
    }
}
