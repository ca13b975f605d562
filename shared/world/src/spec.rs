//! What a service is made from.

use std::collections::BTreeMap;

use model::policy::{TAG_STANDBY, TAG_STANDBY_OF};
use model::snapshot::{Controller, Scheduling};
use model::strategy::{FARGATE, FARGATE_SPOT, StrategyItem};
use model::{CapacityProviderName, ClusterName, ServiceKey};

use crate::ecs::{Constraint, PlaceStrategy};
use crate::error::ApiError;
use crate::state::{Capacity, LoadBalancer, MetricConfiguration};
use crate::world::World;

/// What a service is made from, typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    /// Cluster and name.
    pub key: ServiceKey,
    /// `family:revision`, a family, or an ARN.
    pub task_definition: String,
    /// The tasks asked for.
    pub desired_count: u32,
    /// Where they run; `None` takes the cluster's default strategy.
    pub capacity: Option<Capacity>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// In percent of the desired count.
    pub minimum_healthy_percent: u32,
    /// In percent of the desired count.
    pub maximum_percent: u32,
    /// What is in front of it.
    pub load_balancers: Vec<LoadBalancer>,
    /// For how long after a task's start the scheduler ignores that its health checks fail, in seconds.
    pub health_check_grace_period_secs: Option<u32>,
    /// Where its tasks may be placed.
    pub placement_constraints: Vec<Constraint>,
    /// Where its tasks are rather placed.
    pub placement_strategy: Vec<PlaceStrategy>,
    /// `REPLICA` or `DAEMON`.
    pub scheduling: Scheduling,
    /// Who deploys it.
    pub controller: Controller,
    /// At which resolution ECS publishes its metrics, where not by the minute.
    pub monitoring: Vec<MetricConfiguration>,
}

impl ServiceSpec {
    /// A replica service that ECS deploys, on the cluster's default strategy, with 100 and 200 percent.
    #[must_use]
    pub fn new(key: ServiceKey, task_definition: &str, desired_count: u32) -> Self {
        Self {
            key,
            task_definition: task_definition.to_owned(),
            desired_count,
            capacity: None,
            tags: BTreeMap::new(),
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            load_balancers: Vec::new(),
            health_check_grace_period_secs: None,
            placement_constraints: Vec::new(),
            placement_strategy: Vec::new(),
            scheduling: Scheduling::Replica,
            controller: Controller::Ecs,
            monitoring: Vec::new(),
        }
    }

    /// The same, on another strategy.
    #[must_use]
    pub fn on(mut self, strategy: Vec<StrategyItem>) -> Self {
        self.capacity = Some(Capacity::Strategy(strategy));
        self
    }

    /// The same, behind one more target group, by ARN.
    #[must_use]
    pub fn behind(mut self, target_group_arn: &str) -> Self {
        self.load_balancers
            .push(LoadBalancer::over(target_group_arn));
        self
    }

    /// The same, with one more tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }
}

impl World {
    /// The workshop: the cluster `container-demo` at FARGATE 1/1 : FARGATE_SPOT 0/4, the service `web` of 10 tasks, and its
    /// standby `web-standby` on FARGATE at 0 tasks, with the tags that opt both in.
    ///
    /// # Errors
    /// Never, unless these names are taken already.
    pub fn add_workshop(&mut self) -> Result<(ServiceKey, ServiceKey), ApiError> {
        let cluster: ClusterName = id("container-demo")?;
        self.create_cluster_of(
            &cluster,
            &[FARGATE, FARGATE_SPOT],
            vec![line(FARGATE, 1, 1)?, line(FARGATE_SPOT, 0, 4)?],
        )?;
        let web = ServiceKey::new(cluster.clone(), id("web")?);
        let standby = ServiceKey::new(cluster, id("web-standby")?);
        self.create(
            ServiceSpec::new(web.clone(), "web:1", 10)
                .tag(TAG_STANDBY.name, standby.service.as_str()),
        )?;
        self.create(
            ServiceSpec::new(standby.clone(), "web:1", 0)
                .on(vec![line(FARGATE, 0, 1)?])
                .tag(TAG_STANDBY_OF.name, web.service.as_str()),
        )?;
        Ok((web, standby))
    }
}

/// A line of a strategy.
///
/// # Errors
/// When the provider's name is not one.
pub fn line(provider: &str, base: u32, weight: u32) -> Result<StrategyItem, ApiError> {
    let provider: CapacityProviderName = id(provider)?;
    Ok(StrategyItem {
        provider,
        base,
        weight,
    })
}

pub(crate) fn id<T: std::str::FromStr>(text: &str) -> Result<T, ApiError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(ApiError::invalid_parameter)
}
