//! Making, changing and deleting services.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::ServiceKey;
use model::plan::Action;
use model::snapshot::{Controller, Scheduling};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::limits::DESIRED_COUNT_MAX;
use super::wire::{
    PlacementLine, StrategyLine, Tag, cluster_name, constraints, service_key, strategy,
    tags_from_wire,
};
use crate::error::ApiError;
use crate::spec::ServiceSpec;
use crate::state::{Capacity, Deployment, LoadBalancer, MetricConfiguration, Service};
use crate::world::World;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeploymentConfiguration {
    maximum_percent: Option<u32>,
    minimum_healthy_percent: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Monitoring {
    #[serde(default)]
    metric_configurations: Vec<MetricConfigurationInput>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetricConfigurationInput {
    metric_names: Vec<String>,
    resolution_seconds: u32,
}

#[derive(Debug, Deserialize)]
struct ControllerInput {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateService {
    cluster: Option<String>,
    service_name: String,
    task_definition: Option<String>,
    #[serde(default)]
    load_balancers: Vec<LoadBalancer>,
    health_check_grace_period_seconds: Option<u32>,
    desired_count: Option<i64>,
    launch_type: Option<String>,
    #[serde(default)]
    capacity_provider_strategy: Vec<StrategyLine>,
    #[serde(default, deserialize_with = "or_default")]
    deployment_configuration: DeploymentConfiguration,
    #[serde(default)]
    placement_constraints: Vec<PlacementLine>,
    #[serde(default)]
    placement_strategy: Vec<PlacementLine>,
    scheduling_strategy: Option<String>,
    deployment_controller: Option<ControllerInput>,
    monitoring: Option<Monitoring>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateService {
    cluster: Option<String>,
    service: String,
    desired_count: Option<i64>,
    task_definition: Option<String>,
    capacity_provider_strategy: Option<Vec<StrategyLine>>,
    #[serde(default, deserialize_with = "or_default")]
    deployment_configuration: DeploymentConfiguration,
    #[serde(default, deserialize_with = "or_default")]
    force_new_deployment: bool,
    placement_constraints: Option<Vec<PlacementLine>>,
    placement_strategy: Option<Vec<PlacementLine>>,
    load_balancers: Option<Vec<LoadBalancer>>,
    health_check_grace_period_seconds: Option<u32>,
    monitoring: Option<Monitoring>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteService {
    cluster: Option<String>,
    service: String,
    #[serde(default, deserialize_with = "or_default")]
    force: bool,
}

/// A `null` is as good as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn desired_count(asked: i64) -> Result<u32, ApiError> {
    u32::try_from(asked)
        .ok()
        .filter(|_| asked <= DESIRED_COUNT_MAX)
        .ok_or_else(|| {
            ApiError::invalid_parameter(format!(
                "The desired count must be between 0 and {DESIRED_COUNT_MAX}."
            ))
        })
}

/// The metrics whose resolution a service may choose, and the resolutions.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_MetricConfiguration.html>
fn monitoring(input: Monitoring) -> Result<Vec<MetricConfiguration>, ApiError> {
    let known = ["CPUUtilization", "MemoryUtilization"];
    let configurations = input.metric_configurations.into_iter().map(|it| {
        let is_known = it.metric_names.iter().all(|name| known.contains(&name.as_str()));
        if it.metric_names.is_empty() || !is_known {
            return Err(ApiError::invalid_parameter(
                "The metric names of a monitoring configuration must be CPUUtilization or MemoryUtilization.",
            ));
        }
        if ![20, 60].contains(&it.resolution_seconds) {
            return Err(ApiError::invalid_parameter(
                "The resolution of a monitoring configuration must be 20 or 60 seconds.",
            ));
        }
        Ok(MetricConfiguration {
            metric_names: it.metric_names,
            resolution_secs: it.resolution_seconds,
        })
    });
    configurations.collect()
}

fn scheduling(text: Option<&str>) -> Result<Scheduling, ApiError> {
    match text {
        None | Some("REPLICA") => Ok(Scheduling::Replica),
        Some("DAEMON") => Ok(Scheduling::Daemon),
        Some(other) => Err(ApiError::invalid_parameter(format!(
            "{other} is not a scheduling strategy."
        ))),
    }
}

fn controller(text: Option<&str>) -> Result<Controller, ApiError> {
    match text {
        None | Some("ECS") => Ok(Controller::Ecs),
        Some("CODE_DEPLOY") => Ok(Controller::CodeDeploy),
        Some("EXTERNAL") => Ok(Controller::External),
        Some(other) => Err(ApiError::invalid_parameter(format!(
            "{other} is not a deployment controller type."
        ))),
    }
}

impl World {
    pub(super) fn create_service(&mut self, input: CreateService) -> Result<Value, ApiError> {
        let cluster = cluster_name(input.cluster.as_deref())?;
        let key = service_key(&cluster, &input.service_name)?;
        let associated = self
            .state
            .clusters
            .get(&cluster)
            .ok_or_else(ApiError::cluster_not_found)?
            .providers
            .clone();
        let items = self.strategy(&input.capacity_provider_strategy, &associated)?;
        let capacity = match (input.launch_type, items.is_empty()) {
            (Some(_), false) => {
                return Err(ApiError::invalid_parameter(
                    "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
                ));
            }
            (Some(launch_type), true) => Some(Capacity::LaunchType(launch_type)),
            (None, false) => Some(Capacity::Strategy(items)),
            (None, true) => None,
        };
        let spec = ServiceSpec {
            key: key.clone(),
            task_definition: input.task_definition.unwrap_or_default(),
            desired_count: desired_count(input.desired_count.unwrap_or(0))?,
            capacity,
            tags: tags_from_wire(input.tags),
            minimum_healthy_percent: input
                .deployment_configuration
                .minimum_healthy_percent
                .unwrap_or(100),
            maximum_percent: input
                .deployment_configuration
                .maximum_percent
                .unwrap_or(200),
            load_balancers: input.load_balancers,
            health_check_grace_period_secs: input.health_check_grace_period_seconds,
            placement_constraints: constraints(&input.placement_constraints)?,
            placement_strategy: strategy(&input.placement_strategy)?,
            scheduling: scheduling(input.scheduling_strategy.as_deref())?,
            controller: controller(
                input
                    .deployment_controller
                    .as_ref()
                    .map(|it| it.kind.as_str()),
            )?,
            monitoring: monitoring(input.monitoring.unwrap_or_default())?,
        };
        self.create(spec)?;
        Ok(json!({ "service": self.service_json(&self.state, &key, true) }))
    }

    /// Makes a service, typed.
    ///
    /// # Errors
    /// When there is no such cluster, an ACTIVE service of that name exists, or nothing says where its tasks run.
    pub fn create(&mut self, spec: ServiceSpec) -> Result<(), ApiError> {
        let key = spec.key;
        let cluster = self
            .state
            .clusters
            .get(&key.cluster)
            .ok_or_else(ApiError::cluster_not_found)?;
        let before = self.state.services.get(&key);
        if before.is_some_and(|it| it.status != "INACTIVE") {
            return Err(ApiError::invalid_parameter(
                "Creation of service was not idempotent.",
            ));
        }
        let external = spec.controller == Controller::External;
        if spec.task_definition.is_empty() && !external {
            return Err(ApiError::invalid_parameter(
                "TaskDefinition can not be blank.",
            ));
        }
        let capacity = match spec.capacity {
            Some(capacity) => capacity,
            None if cluster.default_strategy.is_empty() => Capacity::LaunchType("EC2".to_owned()),
            None => Capacity::Strategy(cluster.default_strategy.clone()),
        };
        let (tasks_made, entries_made) =
            before.map_or((0, 0), |it| (it.tasks_made, it.entries_made));
        let service = Service {
            status: "ACTIVE",
            created_at: self.now,
            desired_count: spec.desired_count,
            scheduling: spec.scheduling,
            controller: spec.controller,
            minimum_healthy_percent: spec.minimum_healthy_percent,
            maximum_percent: spec.maximum_percent,
            load_balancers: spec.load_balancers,
            health_check_grace_period_secs: spec.health_check_grace_period_secs,
            placement_constraints: spec.placement_constraints,
            placement_strategy: spec.placement_strategy,
            monitoring: spec.monitoring,
            tags: spec.tags,
            deployments: Vec::new(),
            tasks: before.map_or_else(BTreeSet::new, |it| it.tasks.clone()),
            events: VecDeque::new(),
            tasks_made,
            entries_made,
            counted: BTreeMap::new(),
            backoff: BTreeMap::new(),
            steady_since: None,
            look_at: None,
        };
        self.state.services.insert(key.clone(), service);
        self.account_service(&key);
        let task_definition = self.use_task_definition(&spec.task_definition);
        self.deploy(&key, task_definition, capacity);
        Ok(())
    }

    /// Begins a new deployment.
    fn deploy(&mut self, key: &ServiceKey, task_definition: String, capacity: Capacity) {
        let number = self.next_entry(key);
        let mut rng = self.dice.rng("deployment", &key.to_string(), number);
        let digits: String = (0..18).map(|_| rng.digit(10)).collect();
        let id = format!("ecs-svc/1{digits}");
        let deployment = Deployment {
            id: id.clone(),
            task_definition,
            capacity,
            created_at: self.now,
            updated_at: self.now,
            completed: false,
        };
        if let Some(service) = self.state.services.get_mut(key) {
            service.deployments.insert(0, deployment);
            service.backoff.clear();
            service.steady_since = None;
        }
        self.send_deployment_event(
            key,
            &id,
            "SERVICE_DEPLOYMENT_IN_PROGRESS",
            &format!("ECS deployment {id} in progress."),
        );
        self.look_soon(key);
    }

    pub(super) fn update_service(&mut self, input: UpdateService) -> Result<Value, ApiError> {
        let cluster = cluster_name(input.cluster.as_deref())?;
        let key = service_key(&cluster, &input.service)?;
        self.check_active(&key)?;
        let count = input.desired_count.map(desired_count).transpose()?;
        let deployment = self.changed_deployment(&key, &input)?;
        let constraints = input.placement_constraints.as_deref().map(constraints);
        let strategy = input.placement_strategy.as_deref().map(strategy);
        let (constraints, strategy) = (constraints.transpose()?, strategy.transpose()?);
        let monitoring = input.monitoring.map(monitoring).transpose()?;
        if let Some(service) = self.state.services.get_mut(&key) {
            if let Some(monitoring) = monitoring {
                service.monitoring = monitoring;
            }
            if let Some(constraints) = constraints {
                service.placement_constraints = constraints;
            }
            if let Some(strategy) = strategy {
                service.placement_strategy = strategy;
            }
            if let Some(balancers) = input.load_balancers {
                service.load_balancers = balancers;
            }
            if let Some(secs) = input.health_check_grace_period_seconds {
                service.health_check_grace_period_secs = Some(secs);
            }
            let percent = input.deployment_configuration;
            if let Some(minimum) = percent.minimum_healthy_percent {
                service.minimum_healthy_percent = minimum;
            }
            if let Some(maximum) = percent.maximum_percent {
                service.maximum_percent = maximum;
            }
        }
        if let Some(count) = count {
            self.change_desired(&key, count);
        }
        if let Some((task_definition, capacity)) = deployment {
            let task_definition = self.use_task_definition(&task_definition);
            self.deploy(&key, task_definition, capacity);
        }
        self.look_soon(&key);
        Ok(json!({ "service": self.service_json(&self.state, &key, true) }))
    }

    /// What an update deploys: nothing, or a task definition and a capacity.
    fn changed_deployment(
        &self,
        key: &ServiceKey,
        input: &UpdateService,
    ) -> Result<Option<(String, Capacity)>, ApiError> {
        let Some(service) = self.state.services.get(key) else {
            return Ok(None);
        };
        let Some(current) = service.deployments.first() else {
            return Ok(None);
        };
        let mut capacity = current.capacity.clone();
        if let Some(lines) = &input.capacity_provider_strategy {
            let associated = self
                .state
                .clusters
                .get(&key.cluster)
                .map(|it| it.providers.clone())
                .unwrap_or_default();
            let items = self.strategy(lines, &associated)?;
            if Capacity::Strategy(items.clone()) != capacity {
                if !input.force_new_deployment {
                    return Err(ApiError::invalid_parameter(
                        "When switching from launch type to capacity provider strategy on an existing service, or making a change \
                         to a capacity provider strategy on a service that is already using one, you must force a new deployment.",
                    ));
                }
                capacity = Capacity::Strategy(items);
            }
        }
        let task_definition = input.task_definition.as_deref().map_or_else(
            || current.task_definition.clone(),
            |it| self.task_definition_arn(&self.state, it),
        );
        let balancers = input.load_balancers.as_ref();
        let changes = task_definition != current.task_definition
            || balancers.is_some_and(|it| *it != service.load_balancers);
        if !changes && !input.force_new_deployment {
            return Ok(None);
        }
        if service.controller == Controller::CodeDeploy {
            return Err(ApiError::invalid_parameter(
                "Unable to update task definition on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger \
                 a new deployment.",
            ));
        }
        Ok(Some((task_definition, capacity)))
    }

    fn check_active(&self, key: &ServiceKey) -> Result<(), ApiError> {
        if !self.state.clusters.contains_key(&key.cluster) {
            return Err(ApiError::cluster_not_found());
        }
        let service = self
            .state
            .services
            .get(key)
            .ok_or_else(ApiError::service_not_found)?;
        if service.status == "ACTIVE" {
            Ok(())
        } else {
            Err(ApiError::service_not_active())
        }
    }

    fn change_desired(&mut self, key: &ServiceKey, count: u32) {
        let Some(service) = self.state.services.get_mut(key) else {
            return;
        };
        // An update ends the waiting after failures to place.
        service.backoff.clear();
        let before = std::mem::replace(&mut service.desired_count, count);
        if before != count {
            self.timeline.note(
                self.now,
                format!("desired count of {key} goes from {before} to {count}"),
            );
        }
        self.account_service(key);
    }

    /// Sets a desired count, typed, without rates, faults or latency.
    ///
    /// # Errors
    /// As `UpdateService`.
    pub fn set_desired_count(&mut self, key: &ServiceKey, count: u32) -> Result<(), ApiError> {
        self.check_active(key)?;
        let count = desired_count(i64::from(count))?;
        self.change_desired(key, count);
        self.look_soon(key);
        Ok(())
    }

    /// Does what a plan's step says, without rates, faults or latency. Its precondition is not checked here: AWS has no conditional
    /// update either.
    ///
    /// # Errors
    /// As `UpdateService`.
    pub fn apply(&mut self, action: &Action) -> Result<(), ApiError> {
        match action {
            Action::SetDesiredCount { service, to, .. } => self.set_desired_count(service, *to),
        }
    }

    pub(super) fn delete_service(&mut self, input: &DeleteService) -> Result<Value, ApiError> {
        let cluster = cluster_name(input.cluster.as_deref())?;
        let key = service_key(&cluster, &input.service)?;
        self.check_active(&key)?;
        if let Some(service) = self.state.services.get_mut(&key) {
            if service.desired_count > 0 && !input.force {
                return Err(ApiError::invalid_parameter(
                    "The service cannot be stopped while it is scaled above 0.",
                ));
            }
            service.status = "DRAINING";
        }
        self.change_desired(&key, 0);
        self.timeline.note(self.now, format!("{key} is deleted"));
        self.look_soon(&key);
        Ok(json!({ "service": self.service_json(&self.state, &key, true) }))
    }
}
