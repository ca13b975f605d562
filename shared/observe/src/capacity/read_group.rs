//! What DescribeAutoScalingGroups answers, as the model's group.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types::{
    self as autoscaling, AutoScalingGroup, InstancesDistribution, LaunchTemplateOverrides,
};
use calls::one_line;
use model::capacity::policy::TAG_CLUSTER_SCALER;
use model::capacity::{
    DesiredCapacityType, Group, GroupInstance, GroupTypes, Lifecycle, TypeChoice,
};
use model::strategy::Market;
use model::{AutoScalingGroupName, AvailabilityZone, IdError, InstanceId, InstanceType};

use crate::limits::ON_DEMAND_PERCENTAGE_DEFAULT;

/// The health status of an instance that is to stay.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Instance.html>
const HEALTHY: &str = "HEALTHY";

/// The desired capacity type that counts instances, and that none means.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AutoScalingGroup.html>
const UNITS: &str = "units";

/// What is needed of a launch configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LaunchConfiguration {
    instance_type: InstanceType,
    /// Whether it asks for Spot capacity.
    is_spot: bool,
}

/// What tells what a group is.
pub(crate) struct Source<'a> {
    pub(crate) name: &'a AutoScalingGroupName,
    pub(crate) group: &'a AutoScalingGroup,
    /// Its launch configuration, where it has one and that was read.
    pub(crate) configuration: Option<&'a LaunchConfiguration>,
    /// The types that its tag `ballast:instance-types` names.
    pub(crate) tagged_types: &'a [InstanceType],
}

/// A group's tags.
pub(crate) fn tags(group: &AutoScalingGroup) -> BTreeMap<String, String> {
    let tags = group.tags().iter().filter_map(|tag| {
        let value = tag.value().unwrap_or_default();
        Some((tag.key()?.to_owned(), value.to_owned()))
    });
    tags.collect()
}

/// Whether the group carries the tag that opts it in.
pub(crate) fn is_opted_in(group: &AutoScalingGroup) -> bool {
    let mut keys = group.tags().iter().filter_map(|tag| tag.key());
    keys.any(|key| key == TAG_CLUSTER_SCALER.name)
}

/// The launch configuration that tells a group's type and market; a mixed-instances policy or a launch template takes its place.
pub(crate) fn launch_configuration_name(group: &AutoScalingGroup) -> Option<&str> {
    if group.mixed_instances_policy().is_some() || group.launch_template().is_some() {
        return None;
    }
    group.launch_configuration_name()
}

/// Reads a launch configuration.
///
/// # Errors
/// What it lacks, in words.
pub(crate) fn launch_configuration(
    answer: &autoscaling::LaunchConfiguration,
) -> Result<LaunchConfiguration, String> {
    let instance_type: Result<_, IdError> = answer.instance_type().unwrap_or_default().parse();
    Ok(LaunchConfiguration {
        instance_type: instance_type.map_err(|error: IdError| error.to_string())?,
        is_spot: answer.spot_price().is_some_and(|price| !price.is_empty()),
    })
}

impl Source<'_> {
    /// Reads the group. What of it cannot be read without making the rest useless goes to `faults`.
    ///
    /// # Errors
    /// What it lacks, in words.
    pub(crate) fn read(
        &self,
        tags: BTreeMap<String, String>,
        faults: &mut Vec<String>,
    ) -> Result<Group, String> {
        let group = self.group;
        let mut zones = BTreeSet::new();
        for zone in group.availability_zones() {
            match zone.parse::<AvailabilityZone>() {
                Ok(zone) => _ = zones.insert(zone),
                Err(error) => faults.push(error.to_string()),
            }
        }
        let mut instances = BTreeMap::new();
        for answer in group.instances() {
            match instance(answer) {
                Ok(instance) => _ = instances.insert(instance.id.clone(), instance),
                Err(fault) => faults.push(fault),
            }
        }
        let suspended = group.suspended_processes().iter();
        Ok(Group {
            name: self.name.clone(),
            min_size: size("MinSize", group.min_size())?,
            max_size: size("MaxSize", group.max_size())?,
            desired_capacity: size("DesiredCapacity", group.desired_capacity())?,
            desired_capacity_type: match group.desired_capacity_type() {
                None | Some("" | UNITS) => DesiredCapacityType::Units,
                Some(name) => DesiredCapacityType::Other {
                    name: one_line(name),
                },
            },
            zones,
            types: self.types(faults),
            market: self.market(),
            instances,
            suspended_processes: suspended
                .filter_map(|it| it.process_name().map(str::to_owned))
                .collect(),
            new_instances_protected: group
                .new_instances_protected_from_scale_in()
                .unwrap_or(false),
            scaling_policies: BTreeSet::new(),
            scheduled_actions: BTreeSet::new(),
            has_warm_pool: group.warm_pool_configuration().is_some(),
            // The status is there only while the group is being deleted.
            is_deleting: group.status().is_some(),
            activities: Vec::new(),
            tags,
        })
    }

    /// The types that the group may launch.
    fn types(&self, faults: &mut Vec<String>) -> GroupTypes {
        let template = self
            .group
            .mixed_instances_policy()
            .and_then(|policy| policy.launch_template());
        let overrides = template.map_or(&[][..], |template| template.overrides());
        if overrides
            .iter()
            .any(|it| it.instance_requirements().is_some())
        {
            return GroupTypes::ByRequirements;
        }
        let mut choices = Vec::new();
        for line in overrides {
            match choice(line) {
                Ok(Some(choice)) => choices.push(choice),
                // A line that only names another launch template: its type is in there.
                Ok(None) => {}
                Err(fault) => faults.push(fault),
            }
        }
        let of_type = |instance_type: &InstanceType| TypeChoice {
            instance_type: instance_type.clone(),
            weighted_capacity: None,
        };
        if choices.is_empty() {
            let configured = self.configuration.map(|it| &it.instance_type);
            choices.extend(configured.map(of_type));
        }
        if choices.is_empty() {
            choices.extend(self.tagged_types.iter().map(of_type));
        }
        if choices.is_empty() {
            GroupTypes::InLaunchTemplate
        } else {
            GroupTypes::Listed { choices }
        }
    }

    fn market(&self) -> Market {
        if let Some(policy) = self.group.mixed_instances_policy() {
            return policy
                .instances_distribution()
                .map_or(Market::OnDemand, of_distribution);
        }
        match self.configuration {
            Some(configuration) if configuration.is_spot => Market::Spot,
            Some(_) => Market::OnDemand,
            // The launch configuration was not read.
            None if launch_configuration_name(self.group).is_some() => Market::Unknown,
            None => Market::OnDemand,
        }
    }
}

/// How a mixed-instances policy buys: all on-demand, all Spot, or a part of each.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstancesDistribution.html>
fn of_distribution(distribution: &InstancesDistribution) -> Market {
    let base = distribution.on_demand_base_capacity().unwrap_or(0);
    let percentage = distribution
        .on_demand_percentage_above_base_capacity()
        .unwrap_or(ON_DEMAND_PERCENTAGE_DEFAULT);
    match (base, percentage) {
        (_, 100..) => Market::OnDemand,
        (..=0, ..=0) => Market::Spot,
        _ => Market::Unknown,
    }
}

/// Reads a line of the overrides; `None` where it names no type.
fn choice(line: &LaunchTemplateOverrides) -> Result<Option<TypeChoice>, String> {
    let Some(instance_type) = line.instance_type() else {
        return Ok(None);
    };
    let instance_type = instance_type.parse();
    let weight = line.weighted_capacity().map(|text| {
        text.parse()
            .map_err(|_| format!("`WeightedCapacity` is {text:?}"))
    });
    Ok(Some(TypeChoice {
        instance_type: instance_type.map_err(|error: IdError| error.to_string())?,
        weighted_capacity: weight.transpose()?,
    }))
}

fn instance(answer: &autoscaling::Instance) -> Result<GroupInstance, String> {
    let text = |error: IdError| error.to_string();
    let id: InstanceId = answer
        .instance_id()
        .unwrap_or_default()
        .parse()
        .map_err(text)?;
    let instance_type = answer.instance_type().map(str::parse).transpose();
    let zone = answer.availability_zone().unwrap_or_default().parse();
    Ok(GroupInstance {
        id,
        instance_type: instance_type.map_err(text)?,
        zone: zone.map_err(text)?,
        lifecycle: answer
            .lifecycle_state()
            .map_or(Lifecycle::Unknown, |it| lifecycle(it.as_str())),
        is_healthy: answer.health_status().is_some_and(is_healthy),
        protected_from_scale_in: answer.protected_from_scale_in().unwrap_or(false),
        launched_at: None,
    })
}

/// Whether a health status is that of an instance that is to stay.
pub(crate) fn is_healthy(health: &str) -> bool {
    health.eq_ignore_ascii_case(HEALTHY)
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html>
pub(crate) fn lifecycle(state: &str) -> Lifecycle {
    match state {
        "Pending" | "Pending:Wait" | "Pending:Proceed" => Lifecycle::Pending,
        "InService" => Lifecycle::InService,
        "EnteringStandby" | "Standby" => Lifecycle::Standby,
        "Detaching" | "Detached" => Lifecycle::Detaching,
        word if word.starts_with("Warmed:") => Lifecycle::Warmed,
        word if word.starts_with("Terminat") => Lifecycle::Terminating,
        _ => Lifecycle::Unknown,
    }
}

fn size(name: &str, number: Option<i32>) -> Result<u32, String> {
    let number = number.ok_or_else(|| format!("`{name}` is missing"))?;
    crate::read_service::count(name, number)
}
