//! How the capacity of providers is bought.
//!
//! A provider over an Auto Scaling group buys Spot when the group's mixed-instances policy leaves any instance above the base to
//! Spot. A group without such a policy is taken for on-demand: that its launch template itself asks for Spot
//! (`InstanceMarketOptions`) could only be told by EC2's API, which Ballast does not call. A provider of managed instances tells its
//! market itself.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::DescribeAutoScalingGroupsOutput;
use aws_sdk_autoscaling::types::{AutoScalingGroup, InstancesDistribution, TargetCapacityType};
use aws_sdk_ecs::operation::describe_capacity_providers::DescribeCapacityProvidersOutput;
use aws_sdk_ecs::types::{AutoScalingGroupProvider, CapacityOptionType, CapacityProvider};
use calls::RateBucket;
use model::snapshot::{Gap, GapCause};
use model::strategy::Market;
use model::{AutoScalingGroupName, CapacityProviderName, ClusterName};

use crate::limits::{
    DESCRIBE_AUTO_SCALING_GROUPS_MAX, DESCRIBE_CAPACITY_PROVIDERS_MAX, ON_DEMAND_PERCENTAGE_DEFAULT,
};
use crate::look::{Look, MISSING, of_failure, unreadable};

pub(crate) const DESCRIBE_CAPACITY_PROVIDERS: &str = "ecs:DescribeCapacityProviders";
pub(crate) const DESCRIBE_AUTO_SCALING_GROUPS: &str = "autoscaling:DescribeAutoScalingGroups";

/// A provider, as a service of a cluster names it. Providers of managed instances belong to one cluster.
pub(crate) type ProviderKey = (ClusterName, CapacityProviderName);

/// How each provider's capacity is bought, or why that is not known.
pub(crate) type Markets = BTreeMap<ProviderKey, Result<Market, Gap>>;

/// Finds out the markets of these providers. Every one is in the answer.
pub(crate) async fn read(look: &mut Look<'_>, providers: &BTreeSet<ProviderKey>) -> Markets {
    let mut markets = Markets::new();
    let mut groups: BTreeMap<AutoScalingGroupName, Vec<ProviderKey>> = BTreeMap::new();
    let mut by_cluster: BTreeMap<&ClusterName, Vec<&CapacityProviderName>> = BTreeMap::new();
    for (cluster, provider) in providers {
        by_cluster.entry(cluster).or_default().push(provider);
    }
    for (cluster, names) in by_cluster {
        for batch in names.chunks(DESCRIBE_CAPACITY_PROVIDERS_MAX) {
            let found = describe_providers(look, cluster, batch).await;
            for (provider, found) in found {
                let key = (cluster.clone(), provider);
                match found {
                    Found::Market(market) => _ = markets.insert(key, market),
                    Found::Group(group) => groups.entry(group).or_default().push(key),
                }
            }
        }
    }
    let names: Vec<&AutoScalingGroupName> = groups.keys().collect();
    let mut of_groups = BTreeMap::new();
    for batch in names.chunks(DESCRIBE_AUTO_SCALING_GROUPS_MAX) {
        of_groups.extend(describe_groups(look, batch).await);
    }
    for (group, keys) in groups {
        let market = of_groups
            .get(&group)
            .cloned()
            .unwrap_or(Ok(Market::Unknown));
        markets.extend(keys.into_iter().map(|key| (key, market.clone())));
    }
    markets
}

/// What a provider's description tells.
pub(crate) enum Found {
    /// Its market, or why that is not known.
    Market(Result<Market, Gap>),
    /// The group that tells its market.
    Group(AutoScalingGroupName),
}

async fn describe_providers(
    look: &mut Look<'_>,
    cluster: &ClusterName,
    batch: &[&CapacityProviderName],
) -> BTreeMap<CapacityProviderName, Found> {
    let ecs = &look.observer.ecs;
    let described = describe(look, ecs, cluster, batch).await.into_iter();
    described
        .map(|(name, read)| match read {
            Ok(provider) => (name, of_provider(&provider)),
            Err(gap) => (name, Found::Market(Err(gap))),
        })
        .collect()
}

/// Describes at most [`DESCRIBE_CAPACITY_PROVIDERS_MAX`] providers of a cluster. Every one is in the answer.
pub(crate) async fn describe<O>(
    look: &mut Look<'_, O>,
    ecs: &aws_sdk_ecs::Client,
    cluster: &ClusterName,
    batch: &[&CapacityProviderName],
) -> BTreeMap<CapacityProviderName, Result<CapacityProvider, Gap>> {
    let operation = DESCRIBE_CAPACITY_PROVIDERS;
    let names: Vec<String> = batch.iter().map(ToString::to_string).collect();
    let mut found = BTreeMap::new();
    let about = cluster.as_str();
    let send = |token| {
        ecs.describe_capacity_providers()
            .cluster(about)
            .set_capacity_providers(Some(names.clone()))
            .set_next_token(token)
            .send()
    };
    let take = |page: DescribeCapacityProvidersOutput| {
        for failure in page.failures() {
            let text = failure.arn().unwrap_or_default();
            if let Ok(name) = CapacityProviderName::from_arn_or_name(text) {
                let what = format!("capacity provider `{name}`");
                let gap = of_failure(operation, about, &what, failure);
                found.insert(name, Err(gap));
            }
        }
        for provider in page.capacity_providers.unwrap_or_default() {
            if let Some(name) = provider.name().and_then(|name| name.parse().ok()) {
                found.insert(name, Ok(provider));
            }
        }
        page.next_token
    };
    let bucket = RateBucket::CapacityProviderRead;
    let read = look.pages(bucket, operation, about, send, take).await;
    let rest = read.err();
    for name in batch {
        found.entry((*name).clone()).or_insert_with(|| {
            let detail = format!(
                "capacity provider `{name}`: the answer has neither it nor a failure for it"
            );
            let gap = rest
                .clone()
                .unwrap_or_else(|| unreadable(operation, cluster.as_str(), &detail));
            Err(gap)
        });
    }
    found
}

/// The name of a provider's group, from its ARN.
pub(crate) fn group_name(
    provider: &str,
    group: &AutoScalingGroupProvider,
) -> Result<AutoScalingGroupName, Gap> {
    // `arn:…:autoScalingGroup:<uuid>:autoScalingGroupName/<name>`; a plain name is taken too.
    let arn = group.auto_scaling_group_arn();
    let name = arn
        .rsplit_once("autoScalingGroupName/")
        .map_or(arn, |(_, name)| name);
    name.parse().map_err(|error: model::IdError| {
        unreadable(DESCRIBE_CAPACITY_PROVIDERS, provider, &error.to_string())
    })
}

pub(crate) fn of_provider(provider: &CapacityProvider) -> Found {
    if let Some(group) = provider.auto_scaling_group_provider() {
        return match group_name(provider.name().unwrap_or("*"), group) {
            Ok(name) => Found::Group(name),
            Err(gap) => Found::Market(Err(gap)),
        };
    }
    let option = provider
        .managed_instances_provider()
        .and_then(|it| it.instance_launch_template())
        .and_then(|it| it.capacity_option_type());
    Found::Market(Ok(match option {
        Some(CapacityOptionType::OnDemand | CapacityOptionType::Reserved) => Market::OnDemand,
        Some(CapacityOptionType::Spot) => Market::Spot,
        // Managed instances are on-demand unless they are asked to be something else.
        // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_InstanceLaunchTemplate.html
        None if provider.managed_instances_provider().is_some() => Market::OnDemand,
        _ => Market::Unknown,
    }))
}

async fn describe_groups(
    look: &mut Look<'_>,
    batch: &[&AutoScalingGroupName],
) -> BTreeMap<AutoScalingGroupName, Result<Market, Gap>> {
    let autoscaling = &look.observer.autoscaling;
    let described = groups(look, autoscaling, batch).await.into_iter();
    described
        .map(|(name, read)| {
            let market = read.and_then(|group| match group {
                Some(group) => Ok(of_group(&group)),
                None => Err(Gap {
                    operation: DESCRIBE_AUTO_SCALING_GROUPS.to_owned(),
                    resource: name.to_string(),
                    cause: GapCause::NotFound,
                    detail: format!("{MISSING}: the answer does not have the group"),
                }),
            });
            (name, market)
        })
        .collect()
}

/// Describes at most [`DESCRIBE_AUTO_SCALING_GROUPS_MAX`] groups. Every one is in the answer: `None` does not exist, which AWS says by
/// leaving it out, without a failure.
pub(crate) async fn groups<O>(
    look: &mut Look<'_, O>,
    autoscaling: &aws_sdk_autoscaling::Client,
    batch: &[&AutoScalingGroupName],
) -> BTreeMap<AutoScalingGroupName, Result<Option<AutoScalingGroup>, Gap>> {
    let operation = DESCRIBE_AUTO_SCALING_GROUPS;
    let names: Vec<String> = batch.iter().map(ToString::to_string).collect();
    let about = match batch {
        [one] => one.as_str(),
        _ => "*",
    };
    let mut found = BTreeMap::new();
    let send = |token| {
        autoscaling
            .describe_auto_scaling_groups()
            .set_auto_scaling_group_names(Some(names.clone()))
            .set_next_token(token)
            .send()
    };
    let take = |page: DescribeAutoScalingGroupsOutput| {
        for group in page.auto_scaling_groups.unwrap_or_default() {
            let name = group.auto_scaling_group_name().map(str::parse);
            if let Some(Ok(name)) = name {
                found.insert(name, Ok(Some(group)));
            }
        }
        page.next_token
    };
    let bucket = RateBucket::AutoScaling;
    let read = look.pages(bucket, operation, about, send, take).await;
    let rest = read.err();
    for name in batch {
        found
            .entry((*name).clone())
            .or_insert_with(|| rest.clone().map_or(Ok(None), Err));
    }
    found
}

pub(crate) fn of_group(group: &AutoScalingGroup) -> Market {
    let distribution = group
        .mixed_instances_policy()
        .and_then(|policy| policy.instances_distribution());
    distribution.map_or(Market::OnDemand, of_distribution)
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstancesDistribution.html>
fn of_distribution(distribution: &InstancesDistribution) -> Market {
    let percentage = distribution.on_demand_percentage_above_base_capacity();
    if percentage.unwrap_or(ON_DEMAND_PERCENTAGE_DEFAULT) < 100 {
        return Market::Spot;
    }
    let interruptible = distribution
        .distribution_segments()
        .iter()
        .flat_map(|segment| segment.target_capacity_types())
        .any(|it| *it == TargetCapacityType::InterruptibleCapacityReservation);
    // Such a reservation can be taken back like Spot capacity.
    if interruptible {
        Market::Spot
    } else {
        Market::OnDemand
    }
}
