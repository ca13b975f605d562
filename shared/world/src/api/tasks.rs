//! Tasks.

use std::collections::BTreeMap;

use model::{ClusterName, ServiceKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::clusters::with_token;
use super::limits::{DESCRIBE_TASKS_MAX, LIST_PAGE_MAX, failure, page, page_size};
use super::wire::{cluster_name, epoch, service_key};
use crate::error::ApiError;
use crate::state::{State, Task};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTasks {
    cluster: Option<String>,
    service_name: Option<String>,
    family: Option<String>,
    started_by: Option<String>,
    container_instance: Option<String>,
    desired_status: Option<String>,
    launch_type: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeTasks {
    cluster: Option<String>,
    #[serde(default)]
    tasks: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StopTask {
    cluster: Option<String>,
    task: String,
    reason: Option<String>,
}

fn id_of(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

fn family_of(task: &Task) -> &str {
    let name = task
        .task_definition
        .rsplit('/')
        .next()
        .unwrap_or(&task.task_definition);
    name.split(':').next().unwrap_or(name)
}

/// Which tasks a caller wants.
struct Filter<'a> {
    input: &'a ListTasks,
    cluster: ClusterName,
    service: Option<ServiceKey>,
    /// The id of the container instance.
    container_instance: Option<String>,
    /// `None` wants none at all.
    desired_running: Option<bool>,
}

impl<'a> Filter<'a> {
    fn read(state: &State, input: &'a ListTasks) -> Result<Self, ApiError> {
        let cluster = cluster_name(input.cluster.as_deref())?;
        if !state.clusters.contains_key(&cluster) {
            return Err(ApiError::cluster_not_found());
        }
        let others = input.service_name.is_some()
            || input.family.is_some()
            || input.container_instance.is_some();
        if input.started_by.is_some() && others {
            return Err(ApiError::invalid_parameter(
                "Arguments are not valid: startedBy must be the only filter.",
            ));
        }
        let service = match &input.service_name {
            Some(name) => {
                let key = service_key(&cluster, name)?;
                if !state.services.contains_key(&key) {
                    return Err(ApiError::service_not_found());
                }
                Some(key)
            }
            None => None,
        };
        let desired_running = match input.desired_status.as_deref() {
            None | Some("RUNNING") => Some(true),
            Some("STOPPED") => Some(false),
            // ECS never sets a task's desired status to PENDING, so that this lists nothing.
            Some("PENDING") => None,
            Some(other) => {
                return Err(ApiError::invalid_parameter(format!(
                    "{other} is not a desired status."
                )));
            }
        };
        let container_instance = match &input.container_instance {
            Some(text) => {
                let id = id_of(text).to_owned();
                let known = state.container_instances.get(&id);
                if known.is_none_or(|it| it.cluster != cluster) {
                    return Err(ApiError::invalid_parameter(
                        "The referenced container instance was not found.",
                    ));
                }
                Some(id)
            }
            None => None,
        };
        Ok(Self {
            input,
            cluster,
            service,
            container_instance,
            desired_running,
        })
    }

    fn wants(&self, task: &Task) -> bool {
        let input = self.input;
        let is = |asked: &Option<String>, have: &str| asked.as_ref().is_none_or(|it| it == have);
        task.cluster == self.cluster
            && Some(task.desired_running) == self.desired_running
            && self
                .service
                .as_ref()
                .is_none_or(|it| task.service.as_ref() == Some(it))
            && is(&input.family, family_of(task))
            && is(&input.started_by, &task.deployment)
            && is(&input.launch_type, &task.launch_type)
            && self
                .container_instance
                .as_ref()
                .is_none_or(|it| task.container_instance.as_ref() == Some(it))
    }
}

impl World {
    pub(super) fn list_tasks(&self, state: &State, input: &ListTasks) -> Result<Value, ApiError> {
        let filter = Filter::read(state, input)?;
        let size = page_size(input.max_results, LIST_PAGE_MAX, LIST_PAGE_MAX)?;
        let token = input.next_token.as_deref();
        let entry = |(id, task): (&'_ String, &Task)| (id.clone(), task.arn.clone());
        let wanted: BTreeMap<String, String> = match &filter.service {
            Some(key) => state
                .services
                .get(key)
                .into_iter()
                .flat_map(|it| &it.tasks)
                .filter_map(|id| state.tasks.get_key_value(id))
                .filter(|(_, task)| filter.wants(task))
                .map(entry)
                .collect(),
            None => state
                .tasks
                .iter()
                .filter(|(_, task)| filter.wants(task))
                .map(entry)
                .collect(),
        };
        let (items, next) = page(
            wanted.iter().map(|(id, arn)| (id.as_str(), arn)),
            token,
            size,
        )?;
        Ok(with_token(json!({ "taskArns": items }), next))
    }

    pub(super) fn describe_tasks(
        &self,
        state: &State,
        input: &DescribeTasks,
    ) -> Result<Value, ApiError> {
        let cluster = cluster_name(input.cluster.as_deref())?;
        if input.tasks.is_empty() {
            return Err(ApiError::invalid_parameter("Tasks cannot be empty."));
        }
        if input.tasks.len() > DESCRIBE_TASKS_MAX {
            return Err(ApiError::invalid_parameter(format!(
                "Tasks cannot have more than {DESCRIBE_TASKS_MAX} elements."
            )));
        }
        if !state.clusters.contains_key(&cluster) {
            return Err(ApiError::cluster_not_found());
        }
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for text in &input.tasks {
            let id = id_of(text);
            match state.tasks.get(id).filter(|it| it.cluster == cluster) {
                Some(task) => {
                    let mut json = self.task_json(task, epoch);
                    json.insert("attributes".to_owned(), json!([]));
                    json.insert("tags".to_owned(), json!([]));
                    tasks.push(Value::Object(json));
                }
                None => {
                    let arn = format!(
                        "arn:aws:ecs:{}:{}:task/{cluster}/{id}",
                        self.config.region, self.config.account
                    );
                    failures.push(failure(&arn, "MISSING"));
                }
            }
        }
        Ok(json!({ "tasks": tasks, "failures": failures }))
    }

    pub(super) fn stop_task_call(&mut self, input: &StopTask) -> Result<Value, ApiError> {
        let cluster = cluster_name(input.cluster.as_deref())?;
        if !self.state.clusters.contains_key(&cluster) {
            return Err(ApiError::cluster_not_found());
        }
        let id = id_of(&input.task).to_owned();
        let missing = || ApiError::invalid_parameter("The referenced task was not found.");
        if self
            .state
            .tasks
            .get(&id)
            .is_none_or(|it| it.cluster != cluster)
        {
            return Err(missing());
        }
        let reason = input
            .reason
            .clone()
            .unwrap_or_else(|| "Task stopped by user".to_owned());
        self.stop_task(&id, "UserInitiated", reason);
        let task = self.state.tasks.get(&id).ok_or_else(missing)?;
        Ok(json!({ "task": self.task_json(task, epoch) }))
    }
}
