//! Making, changing and deleting groups.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::hooks::HookSpec;
use super::tags::WireTag;
use crate::GroupSpec;
use crate::autoscaling::{group_not_found, validation};
use crate::error::ApiError;
use crate::state::{
    Allocation, Distribution, Group, LaunchOverride, LaunchSpec, MixedInstances, Process,
};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct CreateGroup {
    auto_scaling_group_name: String,
    min_size: u32,
    max_size: u32,
    #[serde(default)]
    tags: Vec<WireTag>,
    #[serde(default)]
    lifecycle_hook_specification_list: Vec<HookSpec>,
    #[serde(flatten)]
    rest: Changes,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct UpdateGroup {
    auto_scaling_group_name: String,
    min_size: Option<u32>,
    max_size: Option<u32>,
    #[serde(flatten)]
    rest: Changes,
}

/// What both making and changing a group take.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Changes {
    desired_capacity: Option<u32>,
    launch_template: Option<TemplateName>,
    mixed_instances_policy: Option<Mixed>,
    availability_zones: Option<Vec<String>>,
    #[serde(rename = "VPCZoneIdentifier")]
    subnets: Option<String>,
    default_cooldown: Option<u32>,
    default_instance_warmup: Option<u32>,
    health_check_grace_period: Option<u32>,
    new_instances_protected_from_scale_in: Option<bool>,
    capacity_rebalance: Option<bool>,
    termination_policies: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TemplateName {
    launch_template_name: Option<String>,
    launch_template_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mixed {
    launch_template: Option<MixedTemplate>,
    instances_distribution: Option<WireDistribution>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MixedTemplate {
    launch_template_specification: Option<TemplateName>,
    #[serde(default)]
    overrides: Vec<WireOverride>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireOverride {
    instance_type: Option<String>,
    weighted_capacity: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireDistribution {
    on_demand_allocation_strategy: Option<String>,
    on_demand_base_capacity: Option<u32>,
    on_demand_percentage_above_base_capacity: Option<u32>,
    spot_allocation_strategy: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct DeleteGroup {
    auto_scaling_group_name: String,
    #[serde(default)]
    force_delete: bool,
}

impl World {
    pub(in crate::api) fn create_group(&mut self, input: CreateGroup) -> Result<Value, ApiError> {
        let name = input.auto_scaling_group_name;
        if self.state.groups.contains_key(&name) {
            return Err(ApiError::new(
                "AlreadyExists",
                format!(
                    "AutoScalingGroup by this name already exists - A group with the name {name} already exists"
                ),
                400,
            ));
        }
        let Some(launch) = self.launch_of(&input.rest)? else {
            return Err(validation(
                "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy \
                 parameter.",
            ));
        };
        let desired = input.rest.desired_capacity.unwrap_or(input.min_size);
        check_sizes(input.min_size, desired, input.max_size)?;
        if self.zones_of_request(&input.rest)?.is_none() {
            return Err(validation(
                "At least one Availability Zone or VPC Subnet is required.",
            ));
        }
        let hooks = input
            .lifecycle_hook_specification_list
            .into_iter()
            .map(HookSpec::into_hook)
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        let spec = GroupSpec::new(&name, launch, input.min_size, desired, input.max_size);
        self.declare_auto_scaling_group(spec);
        if let Some(group) = self.state.groups.get_mut(&name) {
            group.tags = input.tags.into_iter().map(WireTag::into_tag).collect();
        }
        for (hook, spec) in hooks {
            self.put_lifecycle_hook(&name, &hook, spec)?;
        }
        self.apply_changes(&name, input.rest)?;
        Ok(json!({}))
    }

    pub(in crate::api) fn update_group(&mut self, input: UpdateGroup) -> Result<Value, ApiError> {
        let name = input.auto_scaling_group_name;
        let known = self.state.groups.get(&name).ok_or_else(group_not_found)?;
        let min = input.min_size.unwrap_or(known.min_size);
        let max = input.max_size.unwrap_or(known.max_size);
        let before = known.desired_capacity;
        // New bounds move a desired capacity that nobody names.
        let desired = match input.rest.desired_capacity {
            Some(desired) => desired,
            None => before.min(max).max(min),
        };
        check_sizes(min, desired, max)?;
        if let Some(launch) = self.launch_of(&input.rest)?
            && let Some(group) = self.state.groups.get_mut(&name)
        {
            group.launch = launch;
        }
        if let Some(group) = self.state.groups.get_mut(&name) {
            group.min_size = min;
            group.max_size = max;
        }
        let why = format!(
            "a user request update of AutoScalingGroup constraints to min: {min}, max: {max}, desired: {desired}"
        );
        self.change_group_desired(&name, desired, &why);
        self.apply_changes(&name, input.rest)?;
        self.group_look_soon(&name);
        Ok(json!({}))
    }

    pub(in crate::api) fn delete_group(&mut self, input: &DeleteGroup) -> Result<Value, ApiError> {
        let name = &input.auto_scaling_group_name;
        let group = self
            .state
            .groups
            .get_mut(name)
            .ok_or_else(group_not_found)?;
        if !group.instances.is_empty() && !input.force_delete {
            return Err(ApiError::new(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the \
                 group.",
                400,
            ));
        }
        let policies: Vec<String> = group.policies.keys().cloned().collect();
        group.deleting = true;
        group.min_size = 0;
        group.desired_capacity = 0;
        group.suspended_processes.clear();
        for policy in policies {
            self.delete_scaling_policy(name, &policy);
        }
        self.give_up_waits(name);
        self.group_look_soon(name);
        Ok(json!({}))
    }

    fn template_named(&self, named: &TemplateName) -> Result<String, ApiError> {
        let missing = |what: String| {
            validation(format!(
                "You must use a valid fully-formed launch template. The specified launch template, with template {what}, does not \
                 exist."
            ))
        };
        let templates = &self.state.launch_templates;
        match (&named.launch_template_name, &named.launch_template_id) {
            (Some(name), _) if templates.contains_key(name) => Ok(name.clone()),
            (Some(name), _) => Err(missing(format!("name {name}"))),
            (None, Some(id)) => templates
                .iter()
                .find(|(_, it)| it.id == *id)
                .map(|(name, _)| name.clone())
                .ok_or_else(|| missing(format!("ID {id}"))),
            (None, None) => Err(validation(
                "Valid requests must contain either launchTemplateId or LaunchTemplateName",
            )),
        }
    }

    /// What a request wants launched, if it says so.
    fn launch_of(&self, input: &Changes) -> Result<Option<LaunchSpec>, ApiError> {
        if let Some(named) = &input.launch_template {
            let template = self.template_named(named)?;
            return Ok(Some(LaunchSpec {
                template,
                mixed: None,
            }));
        }
        let Some(mixed) = &input.mixed_instances_policy else {
            return Ok(None);
        };
        let named = mixed
            .launch_template
            .as_ref()
            .and_then(|it| it.launch_template_specification.as_ref())
            .ok_or_else(|| validation("Valid requests must contain a launch template."))?;
        let template = self.template_named(named)?;
        let overrides = mixed
            .launch_template
            .iter()
            .flat_map(|it| &it.overrides)
            .map(override_of)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Some(LaunchSpec {
            template,
            mixed: Some(MixedInstances {
                overrides,
                distribution: distribution_of(mixed.instances_distribution.as_ref())?,
            }),
        }))
    }

    /// The zones that a request names, by themselves or by their subnets.
    fn zones_of_request(&self, input: &Changes) -> Result<Option<Vec<String>>, ApiError> {
        let zones: Vec<String> = self.config.zones.iter().map(ToString::to_string).collect();
        if let Some(subnets) = input.subnets.as_ref().filter(|it| !it.is_empty()) {
            let of = |subnet: &str| {
                zones
                    .iter()
                    .find(|zone| self.subnet_id(zone) == subnet)
                    .cloned()
                    .ok_or_else(|| validation(format!("The subnet ID '{subnet}' does not exist")))
            };
            return subnets
                .split(',')
                .map(|it| of(it.trim()))
                .collect::<Result<Vec<_>, _>>()
                .map(Some);
        }
        let Some(named) = input
            .availability_zones
            .as_ref()
            .filter(|it| !it.is_empty())
        else {
            return Ok(None);
        };
        match named.iter().find(|it| !zones.contains(it)) {
            Some(strange) => Err(validation(format!(
                "Invalid Availability Zone: [{strange}]"
            ))),
            None => Ok(Some(named.clone())),
        }
    }

    fn apply_changes(&mut self, name: &str, input: Changes) -> Result<(), ApiError> {
        let zones = self.zones_of_request(&input)?;
        let group: &mut Group = self
            .state
            .groups
            .get_mut(name)
            .ok_or_else(group_not_found)?;
        set(&mut group.zones, zones);
        set(&mut group.default_cooldown_secs, input.default_cooldown);
        set(
            &mut group.health_check_grace_period_secs,
            input.health_check_grace_period,
        );
        set(
            &mut group.new_instances_protected_from_scale_in,
            input.new_instances_protected_from_scale_in,
        );
        set(&mut group.capacity_rebalance, input.capacity_rebalance);
        set(&mut group.termination_policies, input.termination_policies);
        if input.default_instance_warmup.is_some() {
            group.default_instance_warmup_secs = input.default_instance_warmup;
        }
        Ok(())
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn check_sizes(min: u32, desired: u32, max: u32) -> Result<(), ApiError> {
    if min > max {
        return Err(validation(format!(
            "Max bound, {max}, must be greater than or equal to min bound, {min}"
        )));
    }
    if desired < min || desired > max {
        return Err(validation(format!(
            "Desired capacity:{desired} must be between the specified min size:{min} and max size:{max}"
        )));
    }
    Ok(())
}

fn override_of(input: &WireOverride) -> Result<LaunchOverride, ApiError> {
    let instance_type = input
        .instance_type
        .clone()
        .ok_or_else(|| validation("this world takes overrides with an InstanceType only"))?;
    let weight = |text: &String| {
        text.parse::<u32>()
            .ok()
            // <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LaunchTemplateOverrides.html>
            .filter(|it| (1..=999).contains(it))
            .ok_or_else(|| {
                validation(format!(
                    "the weighted capacity {text:?} is not from 1 to 999"
                ))
            })
    };
    let weighted_capacity = input.weighted_capacity.as_ref().map(weight).transpose()?;
    Ok(LaunchOverride {
        instance_type,
        weighted_capacity,
    })
}

fn distribution_of(input: Option<&WireDistribution>) -> Result<Distribution, ApiError> {
    let mut distribution = Distribution::default();
    let Some(input) = input else {
        return Ok(distribution);
    };
    let allocation = |word: &String, allowed: &[Allocation]| {
        Allocation::parse(word)
            .filter(|it| allowed.contains(it))
            .ok_or_else(|| validation(format!("Invalid allocation strategy: {word}")))
    };
    if let Some(word) = &input.on_demand_allocation_strategy {
        distribution.on_demand_allocation =
            allocation(word, &[Allocation::Prioritized, Allocation::LowestPrice])?;
    }
    if let Some(word) = &input.spot_allocation_strategy {
        let allowed = [
            Allocation::CapacityOptimized,
            Allocation::CapacityOptimizedPrioritized,
            Allocation::PriceCapacityOptimized,
            Allocation::LowestPrice,
        ];
        distribution.spot_allocation = allocation(word, &allowed)?;
    }
    set(
        &mut distribution.on_demand_base_capacity,
        input.on_demand_base_capacity,
    );
    if let Some(percent) = input.on_demand_percentage_above_base_capacity {
        if percent > 100 {
            return Err(validation(
                "OnDemandPercentageAboveBaseCapacity must be between 0 and 100",
            ));
        }
        distribution.on_demand_percentage_above_base_capacity = percent;
    }
    Ok(distribution)
}

/// The processes that a request names; none means all.
pub(super) fn processes_of(names: &[String]) -> Result<Vec<Process>, ApiError> {
    if names.is_empty() {
        return Ok(Process::ALL.to_vec());
    }
    let of = |name: &String| {
        Process::parse(name).ok_or_else(|| {
            validation(format!(
                "Invalid Scaling Process: {name} is not a valid process type"
            ))
        })
    };
    names.iter().map(of).collect()
}
