//! The clusters in scope: their providers and their default strategy. Of all others that Ballast looks after, which providers they have.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{self as ecs, CapacityProviderStrategyItem, ClusterField};
use calls::RateBucket;
use model::capacity::{ClusterCapacity, Provider, ProviderKey, ProviderPassedOver};
use model::snapshot::{Gap, Scope};
use model::strategy::{FARGATE, FARGATE_SPOT, StrategyItem};
use model::{CapacityProviderName, ClusterName};

use crate::capacity::{Eyes, Look};
use crate::limits::DESCRIBE_CLUSTERS_MAX;
use crate::look::{MISSING, of_failure, unreadable};
use crate::read_service::{count, tags};

pub(crate) const DESCRIBE_CLUSTERS: &str = "ecs:DescribeClusters";

/// The status of a cluster that was deleted, and that ECS still remembers.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Cluster.html>
const INACTIVE: &str = "INACTIVE";

/// What a cluster's own description tells.
#[derive(Debug, Default)]
pub(crate) struct Head {
    /// The strategy of services and tasks that name none.
    pub(crate) default_strategy: Vec<StrategyItem>,
    /// The providers that are associated with it, Fargate's left out.
    pub(crate) providers: BTreeSet<CapacityProviderName>,
    /// Its tags, where they were asked for.
    pub(crate) tags: BTreeMap<String, String>,
    /// How many container instances are ACTIVE or DRAINING in it.
    pub(crate) instances: u32,
    /// How many tasks run or wait in it, Fargate's included.
    pub(crate) tasks: u32,
    /// What of it could not be read.
    pub(crate) gaps: Vec<Gap>,
}

/// A cluster that is read to its end.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The cluster.
    pub(crate) capacity: ClusterCapacity,
    /// Its providers over ECS Managed Instances.
    managed_instances: BTreeSet<CapacityProviderName>,
}

impl Opened {
    /// A cluster of which nothing was read but its head.
    pub(crate) fn new(
        cluster: ClusterName,
        head: Head,
        managed_instances: BTreeSet<CapacityProviderName>,
        providers: BTreeMap<CapacityProviderName, Provider>,
    ) -> Self {
        Self {
            managed_instances,
            capacity: ClusterCapacity {
                cluster,
                default_strategy: head.default_strategy,
                providers,
                instances: BTreeMap::new(),
                tasks: Vec::new(),
                services: BTreeMap::new(),
                task_definitions: BTreeMap::new(),
                gaps: head.gaps,
            },
        }
    }

    /// Notes which of its providers are over ECS Managed Instances.
    pub(crate) fn note_managed_instances(&mut self, providers: BTreeSet<CapacityProviderName>) {
        self.managed_instances = providers;
    }

    /// Whether a provider is over ECS Managed Instances.
    pub(crate) fn is_managed_instances(&self, provider: &CapacityProviderName) -> bool {
        self.managed_instances.contains(provider)
    }

    /// Whether a provider places tasks on the instances of an Auto Scaling group.
    pub(crate) fn on_instances(&self, provider: &CapacityProviderName) -> bool {
        !is_fargate(provider) && !self.managed_instances.contains(provider)
    }
}

/// What clusters' own descriptions tell.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    /// Of the clusters of the scope.
    pub(crate) of_scope: BTreeMap<ClusterName, Head>,
    /// Of all others that Ballast looks after: they may share a provider.
    pub(crate) of_others: BTreeMap<ClusterName, Head>,
}

/// Describes the clusters of the scope, and all others that Ballast looks after: no further call for a hundred.
pub(crate) async fn read(look: &mut Look<'_>, scope: &Scope, gaps: &mut Vec<Gap>) -> Heads {
    let named: BTreeSet<ClusterName> = match scope {
        Scope::Services(keys) => keys.iter().map(|key| key.cluster.clone()).collect(),
        Scope::Clusters(named) => named.iter().cloned().collect(),
        // Instances are not what a provider is looked at by.
        Scope::Departures { .. } => BTreeSet::new(),
    };
    let installed: BTreeSet<ClusterName> = if look.observer.clusters.is_empty() {
        let ecs = &look.observer.ecs;
        crate::services::clusters(look, ecs, gaps).await
    } else {
        look.observer.clusters.clone()
    };
    let in_scope = if named.is_empty() && matches!(scope, Scope::Clusters(_)) {
        installed.clone()
    } else {
        named
    };
    // Those of the scope come first, for what the invocation's time runs out for.
    let others = installed.difference(&in_scope);
    let names: Vec<ClusterName> = in_scope.iter().chain(others).cloned().collect();
    let mut heads = Heads::default();
    for batch in names.chunks(DESCRIBE_CLUSTERS_MAX) {
        describe(look, batch, &[], &in_scope, &mut heads, gaps).await;
    }
    heads
}

/// Describes at most [`DESCRIBE_CLUSTERS_MAX`] clusters, with these parts of them. The answer is those that could not be read.
pub(crate) async fn describe<O: Eyes>(
    look: &mut Look<'_, O>,
    batch: &[ClusterName],
    parts: &[ClusterField],
    in_scope: &BTreeSet<ClusterName>,
    heads: &mut Heads,
    gaps: &mut Vec<Gap>,
) -> BTreeSet<ClusterName> {
    let about = match batch {
        [one] => one.as_str(),
        _ => "*",
    };
    let request = look
        .observer
        .ecs()
        .describe_clusters()
        .set_clusters(Some(batch.iter().map(ToString::to_string).collect()))
        .set_include((!parts.is_empty()).then(|| parts.to_vec()))
        .send();
    let answer = look
        .call(RateBucket::ClusterRead, DESCRIBE_CLUSTERS, about, request)
        .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(gap) => {
            gaps.push(gap);
            return batch.iter().cloned().collect();
        }
    };
    let mut open: BTreeSet<&ClusterName> = batch.iter().collect();
    let mut unread = BTreeSet::new();
    for cluster in answer.clusters() {
        let name = cluster.cluster_name().unwrap_or_default();
        let Some(name) = batch.iter().find(|it| it.as_str() == name) else {
            continue;
        };
        open.remove(name);
        // A cluster that was deleted holds nothing.
        if cluster.status() == Some(INACTIVE) {
            continue;
        }
        let head = head(name, cluster);
        if in_scope.contains(name) {
            heads.of_scope.insert(name.clone(), head);
        } else {
            heads.of_others.insert(name.clone(), head);
        }
    }
    for failure in answer.failures() {
        let arn = failure.arn().unwrap_or_default();
        let Some(name) = ClusterName::from_arn_or_name(arn)
            .ok()
            .and_then(|name| open.take(&name))
        else {
            continue;
        };
        let exists = failure.reason() != Some(MISSING);
        // One that is not looked at and does not exist shares nothing.
        if !exists && !in_scope.contains(name) {
            continue;
        }
        if exists {
            unread.insert(name.clone());
        }
        let what = format!("cluster `{name}`");
        gaps.push(of_failure(DESCRIBE_CLUSTERS, name.as_str(), &what, failure));
    }
    for name in open {
        let detail = "the answer has neither the cluster nor a failure for it";
        gaps.push(unreadable(DESCRIBE_CLUSTERS, name.as_str(), detail));
        unread.insert(name.clone());
    }
    unread
}

fn head(name: &ClusterName, cluster: &ecs::Cluster) -> Head {
    let gap = |fault: &str| unreadable(DESCRIBE_CLUSTERS, name.as_str(), fault);
    let tasks = [cluster.running_tasks_count(), cluster.pending_tasks_count()];
    let number = |number| u32::try_from(number).unwrap_or(0);
    let mut head = Head {
        tags: tags(cluster.tags()),
        instances: number(cluster.registered_container_instances_count()),
        tasks: tasks.into_iter().map(number).fold(0, u32::saturating_add),
        ..Head::default()
    };
    for provider in cluster.capacity_providers() {
        match CapacityProviderName::from_arn_or_name(provider) {
            Ok(provider) if is_fargate(&provider) => {}
            Ok(provider) => _ = head.providers.insert(provider),
            Err(error) => head.gaps.push(gap(&error.to_string())),
        }
    }
    match strategy(cluster.default_capacity_provider_strategy()) {
        Ok(strategy) => head.default_strategy = strategy,
        Err(fault) => head.gaps.push(gap(&fault)),
    }
    head
}

/// Whether a provider is one of Fargate's two.
fn is_fargate(provider: &CapacityProviderName) -> bool {
    [FARGATE, FARGATE_SPOT].contains(&provider.as_str())
}

/// Reads a capacity provider strategy.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn strategy(
    lines: &[CapacityProviderStrategyItem],
) -> Result<Vec<StrategyItem>, String> {
    lines
        .iter()
        .map(|line| {
            let provider = CapacityProviderName::from_arn_or_name(line.capacity_provider());
            Ok(StrategyItem {
                provider: provider.map_err(|error| error.to_string())?,
                base: count("base", line.base())?,
                weight: count("weight", line.weight())?,
            })
        })
        .collect()
}

/// The clusters that hold an opted-in provider, in the order of their names. What could not be read of the others goes to `gaps`:
/// they may hold one.
pub(crate) fn with_providers(
    heads: Heads,
    managed: BTreeMap<ProviderKey, Provider>,
    passed_over: &BTreeMap<ProviderKey, ProviderPassedOver>,
    gaps: &mut Vec<Gap>,
) -> Vec<Opened> {
    let is_managed_instances = |cluster: &ClusterName, provider: &CapacityProviderName| {
        let key = ProviderKey::new(cluster.clone(), provider.clone());
        passed_over.get(&key) == Some(&ProviderPassedOver::ManagedInstances)
    };
    let mut by_cluster: BTreeMap<ClusterName, BTreeMap<CapacityProviderName, Provider>> =
        BTreeMap::new();
    for (key, provider) in managed {
        let of_cluster = by_cluster.entry(key.cluster).or_default();
        of_cluster.insert(key.provider, provider);
    }
    gaps.extend(heads.of_others.into_values().flat_map(|head| head.gaps));
    let mut opened = Vec::new();
    for (cluster, mut head) in heads.of_scope {
        let Some(providers) = by_cluster.remove(&cluster) else {
            gaps.extend(head.gaps);
            continue;
        };
        let mut managed_instances = std::mem::take(&mut head.providers);
        managed_instances.retain(|it| is_managed_instances(&cluster, it));
        opened.push(Opened::new(cluster, head, managed_instances, providers));
    }
    opened
}
