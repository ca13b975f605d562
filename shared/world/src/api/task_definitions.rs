//! Task definitions: a family, a revision, and how long its one container may take to stop.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::state::{STOP_TIMEOUT_MAX_SECS, State, TaskDefinition};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegisterTaskDefinition {
    family: String,
    container_definitions: Vec<ContainerDefinition>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerDefinition {
    stop_timeout: Option<u32>,
    essential: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeTaskDefinition {
    task_definition: String,
}

impl World {
    pub(super) fn register_task_definition(
        &mut self,
        input: &RegisterTaskDefinition,
    ) -> Result<Value, ApiError> {
        if input.container_definitions.is_empty() {
            return Err(ApiError::client("Container list cannot be empty."));
        }
        // The first essential container to go takes the task with it.
        let timeouts = input
            .container_definitions
            .iter()
            .filter(|it| it.essential != Some(false))
            .map(|it| it.stop_timeout);
        let stop_timeout = timeouts.min_by_key(|it| it.unwrap_or(crate::STOP_TIMEOUT_DEFAULT_SECS));
        let arn = self.add_task_definition(&input.family, stop_timeout.flatten())?;
        Ok(json!({ "taskDefinition": self.task_definition_json(&self.state, &arn) }))
    }

    /// Registers the next revision of a family, typed, and gives its ARN.
    ///
    /// # Errors
    /// When the family has no name, or the stop timeout is longer than Fargate allows.
    pub fn add_task_definition(
        &mut self,
        family: &str,
        stop_timeout_secs: Option<u32>,
    ) -> Result<String, ApiError> {
        if family.is_empty() || family.contains([':', '/', ' ']) {
            return Err(ApiError::client("Invalid family name."));
        }
        if stop_timeout_secs.is_some_and(|it| it > STOP_TIMEOUT_MAX_SECS) {
            return Err(ApiError::client(format!(
                "The stopTimeout must be at most {STOP_TIMEOUT_MAX_SECS} seconds."
            )));
        }
        let revision = self.latest_revision(&self.state, family) + 1;
        let arn = self.arn_of(family, revision);
        self.state.task_definitions.insert(
            arn.clone(),
            TaskDefinition {
                family: family.to_owned(),
                revision,
                stop_timeout_secs,
            },
        );
        Ok(arn)
    }

    fn arn_of(&self, family: &str, revision: u32) -> String {
        format!(
            "arn:aws:ecs:{}:{}:task-definition/{family}:{revision}",
            self.config.region, self.config.account
        )
    }

    fn latest_revision(&self, state: &State, family: &str) -> u32 {
        state
            .task_definitions
            .values()
            .filter(|it| it.family == family)
            .map(|it| it.revision)
            .max()
            .unwrap_or(0)
    }

    /// The ARN that a text means: an ARN, `family:revision`, or a family's latest revision.
    pub(super) fn task_definition_arn(&self, state: &State, text: &str) -> String {
        if text.starts_with("arn:") {
            return text.to_owned();
        }
        match text.split_once(':') {
            Some((family, revision)) => self.arn_of(family, revision.parse().unwrap_or(0)),
            None => self.arn_of(text, self.latest_revision(state, text).max(1)),
        }
    }

    /// The ARN of a task definition that is about to be used. One that nobody registered is registered now, with the stop timeout of
    /// [`crate::Stop::stop_timeout_secs`], so that a scenario need not.
    pub(super) fn use_task_definition(&mut self, text: &str) -> String {
        let arn = self.task_definition_arn(&self.state, text);
        if !self.state.task_definitions.contains_key(&arn) {
            let name = arn.rsplit('/').next().unwrap_or(&arn);
            let (family, revision) = name.split_once(':').unwrap_or((name, "1"));
            let definition = TaskDefinition {
                family: family.to_owned(),
                revision: revision.parse().unwrap_or(1),
                stop_timeout_secs: Some(self.config.stop.stop_timeout_secs),
            };
            self.state.task_definitions.insert(arn.clone(), definition);
        }
        arn
    }

    pub(super) fn describe_task_definition(
        &self,
        state: &State,
        input: &DescribeTaskDefinition,
    ) -> Result<Value, ApiError> {
        let arn = self.task_definition_arn(state, &input.task_definition);
        if !state.task_definitions.contains_key(&arn) {
            return Err(ApiError::client("Unable to describe task definition."));
        }
        Ok(json!({ "taskDefinition": self.task_definition_json(state, &arn), "tags": [] }))
    }

    fn task_definition_json(&self, state: &State, arn: &str) -> Value {
        let Some(definition) = state.task_definitions.get(arn) else {
            return Value::Null;
        };
        let mut container = json!({
            "name": "app",
            "image": "public.ecr.aws/nginx/nginx:stable",
            "cpu": 0,
            "essential": true,
            "portMappings": [{ "containerPort": 80, "hostPort": 80, "protocol": "tcp" }],
            "environment": [],
            "mountPoints": [],
            "volumesFrom": [],
        });
        if let (Some(secs), Some(fields)) =
            (definition.stop_timeout_secs, container.as_object_mut())
        {
            fields.insert("stopTimeout".to_owned(), json!(secs));
        }
        json!({
            "taskDefinitionArn": arn,
            "family": definition.family,
            "revision": definition.revision,
            "status": "ACTIVE",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "compatibilities": ["EC2", "FARGATE"],
            "cpu": "256",
            "memory": "512",
            "volumes": [],
            "placementConstraints": [],
            "containerDefinitions": [container],
        })
    }
}
