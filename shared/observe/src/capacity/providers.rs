//! The capacity providers of the clusters: over which group each is, and what ECS itself does with it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{
    CapacityProvider, ManagedDraining, ManagedScalingStatus, ManagedTerminationProtection,
};
use model::capacity::{ManagedScaling, Provider, ProviderKey, ProviderPassedOver};
use model::snapshot::Gap;
use model::{AutoScalingGroupName, CapacityProviderName, ClusterName, Seconds};

use crate::capacity::clusters::{Head, Heads};
use crate::capacity::{Eyes, Look};
use crate::limits::DESCRIBE_CAPACITY_PROVIDERS_MAX;
use crate::look::unreadable;
use crate::markets::{self, DESCRIBE_CAPACITY_PROVIDERS};

/// A provider over an Auto Scaling group.
#[derive(Debug)]
pub(crate) struct OverGroup {
    /// Cluster and name.
    pub(crate) key: ProviderKey,
    /// Its group.
    pub(crate) group: AutoScalingGroupName,
    /// ECS's own managed scaling.
    pub(crate) managed_scaling: Option<ManagedScaling>,
    /// Whether ECS sets scale-in protection on instances with tasks.
    pub(crate) managed_termination_protection: bool,
    /// Whether ECS drains instances that are going away.
    pub(crate) managed_draining: bool,
}

/// Describes the providers of these clusters. The answer has those over Auto Scaling groups; the others are passed over.
pub(crate) async fn read<O: Eyes>(
    look: &mut Look<'_, O>,
    heads: &BTreeMap<ClusterName, Head>,
    passed_over: &mut BTreeMap<ProviderKey, ProviderPassedOver>,
) -> Vec<OverGroup> {
    let ecs = look.observer.ecs();
    let mut over_groups = Vec::new();
    for (cluster, head) in heads {
        let names: Vec<&CapacityProviderName> = head.providers.iter().collect();
        for batch in names.chunks(DESCRIBE_CAPACITY_PROVIDERS_MAX) {
            let described = markets::describe(look, ecs, cluster, batch).await;
            for (name, read) in described {
                // What was not asked for is not the cluster's.
                if !head.providers.contains(&name) {
                    continue;
                }
                let key = ProviderKey::new(cluster.clone(), name);
                match read.and_then(|provider| over_group(&key, &provider)) {
                    Ok(Some(over)) => over_groups.push(over),
                    Ok(None) => {
                        passed_over.insert(key, ProviderPassedOver::ManagedInstances);
                    }
                    Err(gap) => {
                        passed_over.insert(key, ProviderPassedOver::Unread { gap });
                    }
                }
            }
        }
    }
    over_groups
}

/// Reads a provider. `None`: it is over ECS Managed Instances.
fn over_group(key: &ProviderKey, provider: &CapacityProvider) -> Result<Option<OverGroup>, Gap> {
    let gap = |fault: &str| unreadable(DESCRIBE_CAPACITY_PROVIDERS, &key.to_string(), fault);
    let Some(of_group) = provider.auto_scaling_group_provider() else {
        return match provider.managed_instances_provider() {
            Some(_) => Ok(None),
            None => Err(gap(
                "the provider is neither over an Auto Scaling group nor over Managed Instances",
            )),
        };
    };
    let group = markets::group_name(&key.to_string(), of_group)?;
    let number = |number: Option<i32>| number.and_then(|it| u32::try_from(it).ok());
    let managed_scaling = of_group.managed_scaling().map(|scaling| ManagedScaling {
        enabled: scaling.status() == Some(&ManagedScalingStatus::Enabled),
        target_capacity_percent: number(scaling.target_capacity()),
        minimum_scaling_step_size: number(scaling.minimum_scaling_step_size()),
        maximum_scaling_step_size: number(scaling.maximum_scaling_step_size()),
        instance_warmup_period: scaling
            .instance_warmup_period()
            .map(|secs| Seconds(i64::from(secs))),
    });
    Ok(Some(OverGroup {
        key: key.clone(),
        group,
        managed_scaling,
        managed_termination_protection: of_group.managed_termination_protection()
            == Some(&ManagedTerminationProtection::Enabled),
        managed_draining: of_group.managed_draining() == Some(&ManagedDraining::Enabled),
    }))
}

/// Notes for each provider the other clusters that it is associated with: a provider over a group has one name in the whole Region.
pub(crate) fn note_other_clusters(managed: &mut BTreeMap<ProviderKey, Provider>, heads: &Heads) {
    for (key, provider) in managed {
        let heads = heads.of_scope.iter().chain(&heads.of_others);
        let others = heads.filter(|(cluster, head)| {
            **cluster != key.cluster && head.providers.contains(&key.provider)
        });
        provider.other_clusters = others
            .map(|(cluster, _)| cluster.clone())
            .collect::<BTreeSet<_>>();
    }
}
