//! Reading services.

use model::ServiceKey;
use model::snapshot::{Scheduling, TaskStatus};
use serde::Deserialize;
use serde_json::{Value, json};

use super::clusters::with_token;
use super::limits::{
    DESCRIBE_SERVICES_MAX, LIST_PAGE_MAX, LIST_SERVICES_PAGE_DEFAULT, failure, page, page_size,
};
use super::wire::{StrategyLine, cluster_name, epoch, service_key, tags_to_wire};
use crate::ecs::{Constraint, PlaceStrategy};
use crate::error::ApiError;
use crate::operation::Operation;
use crate::state::{Capacity, Deployment, Service, State, Task};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeServices {
    cluster: Option<String>,
    #[serde(default)]
    services: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServices {
    cluster: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
    launch_type: Option<String>,
    scheduling_strategy: Option<String>,
}

/// Running and pending tasks, as ECS counts them: by last status alone.
fn counts<'a>(tasks: impl Iterator<Item = &'a Task>) -> (u32, u32) {
    tasks.fold((0, 0), |(running, pending), task| match task.last_status {
        TaskStatus::Running => (running + 1, pending),
        TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating => {
            (running, pending + 1)
        }
        TaskStatus::Deactivating
        | TaskStatus::Stopping
        | TaskStatus::Deprovisioning
        | TaskStatus::Stopped
        | TaskStatus::Unknown => (running, pending),
    })
}

const fn scheduling_word(scheduling: Scheduling) -> &'static str {
    match scheduling {
        Scheduling::Replica => "REPLICA",
        Scheduling::Daemon => "DAEMON",
    }
}

fn launch_type_of(service: &Service) -> Option<&str> {
    match service.deployments.first().map(|it| &it.capacity) {
        Some(Capacity::LaunchType(name)) => Some(name),
        Some(Capacity::Strategy(_)) | None => None,
    }
}

fn put_capacity(json: &mut Value, capacity: &Capacity) {
    let Some(fields) = json.as_object_mut() else {
        return;
    };
    match capacity {
        Capacity::Strategy(items) => {
            let lines: Vec<StrategyLine> = items.iter().map(Into::into).collect();
            fields.insert("capacityProviderStrategy".to_owned(), json!(lines));
            if items
                .iter()
                .all(|it| it.provider.as_str().starts_with("FARGATE"))
            {
                fields.insert("platformVersion".to_owned(), json!("LATEST"));
            }
        }
        Capacity::LaunchType(name) => {
            fields.insert("launchType".to_owned(), json!(name));
        }
    }
}

impl World {
    pub(super) fn describe_services(
        &self,
        state: &State,
        input: &DescribeServices,
    ) -> Result<Value, ApiError> {
        let cluster = cluster_name(input.cluster.as_deref())?;
        if input.services.is_empty() {
            return Err(ApiError::invalid_parameter("Services cannot be empty."));
        }
        if input.services.len() > DESCRIBE_SERVICES_MAX {
            return Err(ApiError::invalid_parameter(format!(
                "Services cannot have more than {DESCRIBE_SERVICES_MAX} elements."
            )));
        }
        if !state.clusters.contains_key(&cluster) {
            return Err(ApiError::cluster_not_found());
        }
        let with_tags = input.include.iter().any(|it| it == "TAGS");
        let (mut services, mut failures) = (Vec::new(), Vec::new());
        for text in &input.services {
            let key = service_key(&cluster, text)?;
            if state.services.contains_key(&key) && key.cluster == cluster {
                services.push(self.service_json(state, &key, with_tags));
            } else {
                failures.push(failure(&self.service_arn(&key), "MISSING"));
            }
        }
        Ok(json!({ "services": services, "failures": failures }))
    }

    pub(super) fn list_services(
        &self,
        state: &State,
        input: &ListServices,
    ) -> Result<Value, ApiError> {
        let cluster = cluster_name(input.cluster.as_deref())?;
        if !state.clusters.contains_key(&cluster) {
            return Err(ApiError::cluster_not_found());
        }
        let size = page_size(input.max_results, LIST_SERVICES_PAGE_DEFAULT, LIST_PAGE_MAX)?;
        let wanted = state.services.iter().filter(|(key, service)| {
            key.cluster == cluster
                && service.status != "INACTIVE"
                && input
                    .launch_type
                    .as_deref()
                    .is_none_or(|it| launch_type_of(service) == Some(it))
                && input
                    .scheduling_strategy
                    .as_deref()
                    .is_none_or(|it| scheduling_word(service.scheduling) == it)
        });
        let arns = wanted.map(|(key, _)| (key.service.as_str(), self.service_arn(key)));
        let (items, next) = page(arns, input.next_token.as_deref(), size)?;
        Ok(with_token(json!({ "serviceArns": items }), next))
    }

    /// A service as the API has it.
    pub(super) fn service_json(&self, state: &State, key: &ServiceKey, with_tags: bool) -> Value {
        let Some(service) = state.services.get(key) else {
            return Value::Null;
        };
        let (running, pending) = counts(state.tasks_of(key));
        let deployments: Vec<Value> = service
            .deployments
            .iter()
            .enumerate()
            .map(|(index, it)| self.deployment_json(state, key, service, index, it))
            .collect();
        let events: Vec<Value> = service
            .events
            .iter()
            .map(|(at, id, text)| json!({ "id": id, "createdAt": epoch(*at), "message": text }))
            .collect();
        let mut json = json!({
            "serviceArn": self.service_arn(key),
            "serviceName": key.service,
            "clusterArn": self.cluster_arn(&key.cluster),
            "loadBalancers": service.load_balancers,
            "serviceRegistries": [],
            "status": service.status,
            "desiredCount": service.desired_count,
            "runningCount": running,
            "pendingCount": pending,
            "deploymentConfiguration": {
                "maximumPercent": service.maximum_percent,
                "minimumHealthyPercent": service.minimum_healthy_percent,
            },
            "deployments": deployments,
            "events": events,
            "createdAt": epoch(service.created_at),
            "placementConstraints": service
                .placement_constraints
                .iter()
                .map(Constraint::to_wire)
                .collect::<Vec<_>>(),
            "placementStrategy": service
                .placement_strategy
                .iter()
                .map(PlaceStrategy::to_wire)
                .collect::<Vec<_>>(),
            "schedulingStrategy": scheduling_word(service.scheduling),
            "deploymentController": { "type": service.controller.as_str() },
            "enableECSManagedTags": false,
            "propagateTags": "NONE",
            "enableExecuteCommand": false,
            "availabilityZoneRebalancing": "DISABLED",
        });
        if let Some(primary) = service.deployments.first() {
            put_capacity(&mut json, &primary.capacity);
            if let Some(fields) = json.as_object_mut() {
                fields.insert("taskDefinition".to_owned(), json!(primary.task_definition));
            }
        }
        let grace = service.health_check_grace_period_secs;
        // A service behind a load balancer shows the default as well.
        let grace = grace.or((!service.load_balancers.is_empty()).then_some(0));
        if let (Some(secs), Some(fields)) = (grace, json.as_object_mut()) {
            fields.insert("healthCheckGracePeriodSeconds".to_owned(), json!(secs));
        }
        if let Some(fields) = json.as_object_mut().filter(|_| with_tags) {
            fields.insert("tags".to_owned(), json!(tags_to_wire(&service.tags)));
        }
        json
    }

    fn deployment_json(
        &self,
        state: &State,
        key: &ServiceKey,
        service: &Service,
        index: usize,
        deployment: &Deployment,
    ) -> Value {
        let own = || {
            state
                .tasks_of(key)
                .filter(|it| it.deployment == deployment.id)
        };
        let (running, pending) = counts(own());
        let live = own().filter(|it| it.is_live()).count();
        let primary = index == 0;
        let (rollout, reason) = if deployment.completed {
            ("COMPLETED", "completed.")
        } else {
            ("IN_PROGRESS", "in progress.")
        };
        let mut json = json!({
            "id": deployment.id,
            "status": if primary { "PRIMARY" } else { "ACTIVE" },
            "taskDefinition": deployment.task_definition,
            "desiredCount": if primary { json!(service.desired_count) } else { json!(live) },
            "runningCount": running,
            "pendingCount": pending,
            "failedTasks": 0,
            "createdAt": epoch(deployment.created_at),
            "updatedAt": epoch(deployment.updated_at),
            "rolloutState": rollout,
            "rolloutStateReason": format!("ECS deployment {} {reason}", deployment.id),
        });
        put_capacity(&mut json, &deployment.capacity);
        json
    }
}

/// The operations that answer with a list of items and `failures`: the list, and what names an item of it.
const PARTIAL: [(Operation, &str, &str); 9] = [
    (Operation::DescribeServices, "services", "serviceArn"),
    (Operation::DescribeTasks, "tasks", "taskArn"),
    (Operation::DescribeClusters, "clusters", "clusterArn"),
    (
        Operation::DescribeCapacityProviders,
        "capacityProviders",
        "capacityProviderArn",
    ),
    (
        Operation::DescribeContainerInstances,
        "containerInstances",
        "containerInstanceArn",
    ),
    (
        Operation::UpdateContainerInstancesState,
        "containerInstances",
        "containerInstanceArn",
    ),
    (Operation::RunTask, "tasks", "taskArn"),
    (Operation::UpdateTaskProtection, "protectedTasks", "taskArn"),
    (Operation::GetTaskProtection, "protectedTasks", "taskArn"),
];

/// The answer of an operation on a list whose last item could not be read.
pub(super) fn with_last_item_missing(
    operation: Operation,
    input: &Value,
    mut answer: Value,
) -> Value {
    if operation == Operation::GetMetricData {
        return with_last_result_failed(answer);
    }
    let Some((_, list, arn)) = PARTIAL.iter().find(|it| it.0 == operation).copied() else {
        return answer;
    };
    let item = answer
        .get_mut(list)
        .and_then(Value::as_array_mut)
        .and_then(Vec::pop);
    let asked = input
        .get(list)
        .and_then(Value::as_array)
        .and_then(|it| it.last())
        .and_then(Value::as_str);
    let name = item
        .as_ref()
        .and_then(|it| it.get(arn))
        .and_then(Value::as_str)
        .or(asked)
        .unwrap_or_default()
        .to_owned();
    if let Some(failures) = answer
        .get_mut("failures")
        .and_then(Value::as_array_mut)
        .filter(|_| item.is_some())
    {
        failures.push(failure(&name, "MISSING"));
    }
    answer
}

/// The last result of GetMetricData has an error of its own, and no values.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataResult.html>
fn with_last_result_failed(mut answer: Value) -> Value {
    let results = answer
        .get_mut("MetricDataResults")
        .and_then(Value::as_array_mut);
    if let Some(last) = results
        .and_then(|it| it.last_mut())
        .and_then(Value::as_object_mut)
    {
        last.insert("Timestamps".to_owned(), json!([]));
        last.insert("Values".to_owned(), json!([]));
        last.insert("StatusCode".to_owned(), json!("InternalError"));
    }
    answer
}
