//! Clusters and capacity providers.

use model::ClusterName;
use model::snapshot::TaskStatus;
use model::strategy::{FARGATE, FARGATE_SPOT, Market, StrategyItem};
use serde::Deserialize;
use serde_json::{Value, json};

use super::limits::{
    DESCRIBE_CLUSTERS_MAX, LIST_PAGE_MAX, STRATEGY_PROVIDERS_MAX, failure, page, page_size,
};
use super::wire::{StrategyLine, Tag, cluster_name, tags_from_wire, tags_to_wire};
use crate::error::ApiError;
use crate::state::{Capacity, Cluster, State};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateCluster {
    cluster_name: Option<String>,
    #[serde(default)]
    capacity_providers: Vec<String>,
    #[serde(default)]
    default_capacity_provider_strategy: Vec<StrategyLine>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutProviders {
    cluster: Option<String>,
    capacity_providers: Vec<String>,
    default_capacity_provider_strategy: Vec<StrategyLine>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeClusters {
    #[serde(default)]
    clusters: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListPage {
    max_results: Option<i64>,
    next_token: Option<String>,
}

impl World {
    pub(super) fn create_cluster(&mut self, input: CreateCluster) -> Result<Value, ApiError> {
        let name = cluster_name(input.cluster_name.as_deref())?;
        if !self.state.clusters.contains_key(&name) {
            self.check_providers(&input.capacity_providers)?;
            let strategy = self.strategy(
                &input.default_capacity_provider_strategy,
                &input.capacity_providers,
            )?;
            self.state.clusters.insert(
                name.clone(),
                Cluster {
                    providers: input.capacity_providers,
                    default_strategy: strategy,
                    tags: tags_from_wire(input.tags),
                },
            );
            self.providers_changed(&name, &[]);
        }
        // Making a cluster that is there already answers with the one that is there.
        Ok(json!({ "cluster": self.cluster_json(&self.state, &name, true) }))
    }

    /// Makes a cluster, typed.
    ///
    /// # Errors
    /// When a provider does not exist, or the strategy breaks a rule.
    pub fn create_cluster_of(
        &mut self,
        name: &ClusterName,
        providers: &[&str],
        default_strategy: Vec<StrategyItem>,
    ) -> Result<(), ApiError> {
        self.create_cluster(CreateCluster {
            cluster_name: Some(name.to_string()),
            capacity_providers: providers.iter().map(|it| (*it).to_owned()).collect(),
            default_capacity_provider_strategy: default_strategy.iter().map(Into::into).collect(),
            tags: Vec::new(),
        })
        .map(drop)
    }

    /// Replaces all providers and the whole default strategy.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutClusterCapacityProviders.html>
    pub(super) fn put_providers(&mut self, input: PutProviders) -> Result<Value, ApiError> {
        let name = cluster_name(input.cluster.as_deref())?;
        if !self.state.clusters.contains_key(&name) {
            return Err(ApiError::cluster_not_found());
        }
        self.check_providers(&input.capacity_providers)?;
        let default_strategy = self.strategy(
            &input.default_capacity_provider_strategy,
            &input.capacity_providers,
        )?;
        if let Some(used) = self.provider_in_use(&name, &input.capacity_providers) {
            return Err(ApiError::new(
                "ResourceInUseException",
                format!(
                    "The capacity provider {used} is in use by a service or a task and cannot be removed from the cluster."
                ),
                400,
            ));
        }
        if let Some(cluster) = self.state.clusters.get_mut(&name) {
            cluster.default_strategy = default_strategy;
            let before = std::mem::replace(&mut cluster.providers, input.capacity_providers);
            self.providers_changed(&name, &before);
        }
        Ok(json!({ "cluster": self.cluster_json(&self.state, &name, true) }))
    }

    /// A cluster's providers are new: those that came or went, and the instances, are told.
    fn providers_changed(&mut self, name: &ClusterName, before: &[String]) {
        let Some(cluster) = self.state.clusters.get(name) else {
            return;
        };
        let now = cluster.providers.iter();
        let came = now.filter(|it| !before.contains(it));
        let went = before.iter().filter(|it| !cluster.providers.contains(it));
        let changed: Vec<String> = came.chain(went).cloned().collect();
        self.reassign_instances(name);
        for provider in changed {
            self.provider_changed(&provider);
        }
    }

    /// A provider of the cluster that would go although something uses it.
    fn provider_in_use(&self, name: &ClusterName, kept: &[String]) -> Option<String> {
        let cluster = self.state.clusters.get(name)?;
        let gone = |provider: &str| {
            cluster.providers.iter().any(|it| it == provider)
                && !kept.iter().any(|it| it == provider)
        };
        let by_service = self
            .state
            .services
            .iter()
            .filter(|(key, service)| key.cluster == *name && service.status == "ACTIVE")
            .flat_map(|(_, service)| &service.deployments)
            .flat_map(|it| match &it.capacity {
                Capacity::Strategy(items) => items.as_slice(),
                Capacity::LaunchType(_) => &[],
            })
            .map(|it| it.provider.as_str());
        let by_task = self
            .state
            .tasks
            .values()
            .filter(|it| it.cluster == *name && it.last_status != TaskStatus::Stopped)
            .filter_map(|it| it.provider.as_deref());
        by_service
            .chain(by_task)
            .find(|it| gone(it))
            .map(str::to_owned)
    }

    fn check_providers(&self, names: &[String]) -> Result<(), ApiError> {
        match names.iter().find(|it| !self.provider_exists(it)) {
            Some(missing) => Err(ApiError::invalid_parameter(format!(
                "The specified capacity provider '{missing}' is not in an ACTIVE state or was not found. Specify a valid capacity \
                 provider and try again."
            ))),
            None => Ok(()),
        }
    }

    fn provider_exists(&self, name: &str) -> bool {
        name == FARGATE
            || name == FARGATE_SPOT
            || self.state.providers.contains_key(name)
            || self.state.group_providers.contains_key(name)
    }

    /// Reads a strategy and checks it against the documented rules, for a cluster with these providers.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html>
    pub(crate) fn strategy(
        &self,
        lines: &[StrategyLine],
        associated: &[String],
    ) -> Result<Vec<StrategyItem>, ApiError> {
        let refuse = |text: String| Err(ApiError::invalid_parameter(text));
        if lines.len() > STRATEGY_PROVIDERS_MAX {
            return refuse(format!(
                "A capacity provider strategy can contain a maximum of {STRATEGY_PROVIDERS_MAX} capacity providers."
            ));
        }
        let mut items = Vec::new();
        for line in lines {
            if !associated.contains(&line.capacity_provider) {
                return refuse(format!(
                    "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the \
                     cluster: {}. Associate the capacity provider with the cluster and try again.",
                    line.capacity_provider
                ));
            }
            if !(0..=1_000).contains(&line.weight) || !(0..=100_000).contains(&line.base) {
                return refuse(
                    "The weight must be between 0 and 1000 and the base between 0 and 100000."
                        .to_owned(),
                );
            }
            items.push(StrategyItem {
                provider: line
                    .capacity_provider
                    .parse()
                    .map_err(ApiError::invalid_parameter)?,
                base: u32::try_from(line.base).map_err(ApiError::invalid_parameter)?,
                weight: u32::try_from(line.weight).map_err(ApiError::invalid_parameter)?,
            });
        }
        if items.iter().filter(|it| it.base > 0).count() > 1 {
            return refuse(
                "Only one capacity provider in a capacity provider strategy can have a base value defined.".to_owned(),
            );
        }
        if !items.is_empty() && items.iter().all(|it| it.weight == 0) {
            return refuse(
                "A capacity provider strategy must contain at least one capacity provider with a weight greater than 0.".to_owned(),
            );
        }
        let fargate = |it: &StrategyItem| it.provider.as_str().starts_with("FARGATE");
        if items.iter().any(fargate) && !items.iter().all(fargate) {
            return refuse(
                "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate \
                 providers. Specify one or the other and try again."
                    .to_owned(),
            );
        }
        Ok(items)
    }

    pub(super) fn describe_clusters(
        &self,
        state: &State,
        input: &DescribeClusters,
    ) -> Result<Value, ApiError> {
        if input.clusters.len() > DESCRIBE_CLUSTERS_MAX {
            return Err(ApiError::invalid_parameter(format!(
                "Clusters cannot have more than {DESCRIBE_CLUSTERS_MAX} elements."
            )));
        }
        let asked = if input.clusters.is_empty() {
            vec!["default".to_owned()]
        } else {
            input.clusters.clone()
        };
        let includes = |what: &str| input.include.iter().any(|it| it == what);
        let (with_tags, with_statistics) = (includes("TAGS"), includes("STATISTICS"));
        let (mut clusters, mut failures) = (Vec::new(), Vec::new());
        for text in asked {
            let name = cluster_name(Some(&text))?;
            if state.clusters.contains_key(&name) {
                let mut json = self.cluster_json(state, &name, with_tags);
                if let Some(fields) = json.as_object_mut().filter(|_| with_statistics) {
                    fields.insert("statistics".to_owned(), statistics(state, &name));
                }
                clusters.push(json);
            } else {
                failures.push(failure(&self.cluster_arn(&name), "MISSING"));
            }
        }
        Ok(json!({ "clusters": clusters, "failures": failures }))
    }

    pub(super) fn list_clusters(&self, state: &State, input: &ListPage) -> Result<Value, ApiError> {
        let size = page_size(input.max_results, LIST_PAGE_MAX, LIST_PAGE_MAX)?;
        let arns = state
            .clusters
            .keys()
            .map(|it| (it.as_str(), self.cluster_arn(it)));
        let (items, next) = page(arns, input.next_token.as_deref(), size)?;
        Ok(with_token(json!({ "clusterArns": items }), next))
    }

    fn cluster_json(&self, state: &State, name: &ClusterName, with_tags: bool) -> Value {
        let Some(cluster) = state.clusters.get(name) else {
            return Value::Null;
        };
        let tasks = |statuses: &[TaskStatus]| {
            state
                .tasks
                .values()
                .filter(|it| it.cluster == *name && statuses.contains(&it.last_status))
                .count()
        };
        let active = state
            .services
            .iter()
            .filter(|(key, it)| key.cluster == *name && it.status == "ACTIVE")
            .count();
        let instances = state.container_instances.values();
        let registered = instances.filter(|it| it.cluster == *name).count();
        let strategy: Vec<StrategyLine> = cluster.default_strategy.iter().map(Into::into).collect();
        json!({
            "clusterArn": self.cluster_arn(name),
            "clusterName": name,
            "status": "ACTIVE",
            "registeredContainerInstancesCount": registered,
            "runningTasksCount": tasks(&[TaskStatus::Running]),
            "pendingTasksCount": tasks(&[TaskStatus::Provisioning, TaskStatus::Pending, TaskStatus::Activating]),
            "activeServicesCount": active,
            "statistics": [],
            "tags": if with_tags { tags_to_wire(&cluster.tags) } else { Vec::new() },
            "settings": [],
            "capacityProviders": cluster.providers,
            "defaultCapacityProviderStrategy": strategy,
        })
    }

    /// Whether a provider's capacity is Spot, for tests of what was never used.
    #[must_use]
    pub fn is_spot(&self, provider: &str) -> bool {
        self.market_of(provider) == Market::Spot
    }
}

/// How many tasks and services of each launch type a cluster has. Counts are texts.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Cluster.html>
fn statistics(state: &State, name: &ClusterName) -> Value {
    let tasks = |launch_type: &str, statuses: &[TaskStatus]| {
        let all = state.tasks.values().filter(|it| it.cluster == *name);
        all.filter(|it| it.launch_type == launch_type && statuses.contains(&it.last_status))
            .count()
    };
    let services = |is_fargate: bool, status: &str| {
        let own = state
            .services
            .iter()
            .filter(|(key, _)| key.cluster == *name);
        own.filter(|(_, it)| it.status == status)
            .filter_map(|(_, it)| it.deployments.first())
            .filter(|it| runs_on_fargate(&it.capacity) == is_fargate)
            .count()
    };
    let pending = [
        TaskStatus::Provisioning,
        TaskStatus::Pending,
        TaskStatus::Activating,
    ];
    let counts = [
        ("runningEC2TasksCount", tasks("EC2", &[TaskStatus::Running])),
        (
            "runningFargateTasksCount",
            tasks(FARGATE, &[TaskStatus::Running]),
        ),
        ("pendingEC2TasksCount", tasks("EC2", &pending)),
        ("pendingFargateTasksCount", tasks(FARGATE, &pending)),
        ("activeEC2ServiceCount", services(false, "ACTIVE")),
        ("activeFargateServiceCount", services(true, "ACTIVE")),
        ("drainingEC2ServiceCount", services(false, "DRAINING")),
        ("drainingFargateServiceCount", services(true, "DRAINING")),
    ];
    let one = |(name, count): (&str, usize)| json!({ "name": name, "value": count.to_string() });
    counts.into_iter().map(one).collect()
}

fn runs_on_fargate(capacity: &Capacity) -> bool {
    match capacity {
        Capacity::Strategy(items) => items
            .first()
            .is_some_and(|it| it.provider.as_str().starts_with(FARGATE)),
        Capacity::LaunchType(launch_type) => launch_type == FARGATE,
    }
}

/// An answer with the token of its next page, if there is one.
pub(super) fn with_token(mut answer: Value, next: Option<String>) -> Value {
    if let (Some(token), Some(fields)) = (next, answer.as_object_mut()) {
        fields.insert("nextToken".to_owned(), Value::String(token));
    }
    answer
}
