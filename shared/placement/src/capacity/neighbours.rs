//! Who else decides about the group's size? They are named and not fought.
//!
//! A look at one cluster does not tell with which other clusters the provider is associated; one at several does. So that is remembered
//! until a look shows that it is over, or none has shown it for a while.
//!
//! Absent: clusters that no look of this installation covers.

use std::collections::BTreeSet;

use model::capacity::hold::Neighbour;
use model::capacity::{Provider, ProviderMemory};
use model::snapshot::Gap;
use model::{ClusterName, Seconds};

use super::case::Look;

/// How long an association with another cluster is remembered that no look has shown since: three of the longest intervals between looks
/// at everything.
pub const OTHER_CLUSTERS_TTL: Seconds = Seconds(900);
/// How many other clusters are remembered.
pub const OTHER_CLUSTERS_MAX: usize = 20;

/// Brings what is remembered of the provider's other clusters up to date.
pub(crate) fn note(memory: &mut ProviderMemory, look: &Look<'_>) {
    let seen = &look.provider.other_clusters;
    // A cluster that was looked at and does not have the provider has it no more.
    let is_over = |cluster: &ClusterName| look.snapshot.clusters.contains_key(cluster);
    memory
        .other_clusters
        .retain(|cluster, at| !is_over(cluster) && look.now < OTHER_CLUSTERS_TTL.after(*at));
    let seen = seen.iter().map(|cluster| (cluster.clone(), look.now));
    memory.other_clusters.extend(seen);
    while memory.other_clusters.len() > OTHER_CLUSTERS_MAX {
        memory.other_clusters.pop_last();
    }
}

/// Everybody else who sizes the group, or would stand in the way of removing its instances; empty where there is nobody.
pub(crate) fn neighbours(provider: &Provider, memory: &ProviderMemory) -> Vec<Neighbour> {
    let group = &provider.group;
    let mut found = Vec::new();
    if provider.managed_scaling.is_some_and(|it| it.enabled) {
        found.push(Neighbour::ManagedScaling);
    }
    if provider.managed_termination_protection {
        found.push(Neighbour::ManagedTerminationProtection);
    }
    found.extend(
        group
            .scaling_policies
            .iter()
            .map(|name| Neighbour::ScalingPolicy { name: name.clone() }),
    );
    found.extend(
        group
            .scheduled_actions
            .iter()
            .map(|name| Neighbour::ScheduledAction { name: name.clone() }),
    );
    if group.has_warm_pool {
        found.push(Neighbour::WarmPool);
    }
    let remembered = memory.other_clusters.keys();
    let clusters: BTreeSet<&ClusterName> =
        provider.other_clusters.iter().chain(remembered).collect();
    found.extend(clusters.into_iter().map(|name| Neighbour::OtherCluster {
        name: name.to_string(),
    }));
    found
}

/// The calls that tell who else sizes a group.
const TELL: [&str; 2] = [
    "autoscaling:DescribePolicies",
    "autoscaling:DescribeScheduledActions",
];

/// What could not be seen of those who may size the group: a policy that was not seen is no policy that is not there.
pub(crate) fn unseen(provider: &Provider) -> Vec<Gap> {
    let tells = |gap: &&Gap| TELL.contains(&gap.operation.as_str());
    provider.gaps.iter().filter(tells).cloned().collect()
}
