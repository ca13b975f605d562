//! Task scale-in protection.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateTaskProtection.html>

use serde::Deserialize;
use serde_json::{Value, json};

use super::limits::{GET_TASK_PROTECTION_MAX, UPDATE_TASK_PROTECTION_MAX, failure};
use super::wire::{cluster_name, epoch};
use crate::ecs::PROTECTION_MINUTES_DEFAULT;
use crate::error::ApiError;
use crate::state::{State, Task};
use crate::world::World;
use model::ClusterName;

/// The longest protection, in minutes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateTaskProtection.html>
const PROTECTION_MINUTES_MAX: i64 = 2_880;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateProtection {
    cluster: Option<String>,
    #[serde(default)]
    tasks: Vec<String>,
    protection_enabled: bool,
    expires_in_minutes: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct GetProtection {
    cluster: Option<String>,
    #[serde(default)]
    tasks: Vec<String>,
}

impl World {
    pub(super) fn update_task_protection(
        &mut self,
        input: &UpdateProtection,
    ) -> Result<Value, ApiError> {
        let cluster = self.protected_cluster(&self.state, input.cluster.as_deref())?;
        if input.tasks.is_empty() || input.tasks.len() > UPDATE_TASK_PROTECTION_MAX {
            return Err(ApiError::invalid_parameter(format!(
                "Tasks must have between 1 and {UPDATE_TASK_PROTECTION_MAX} elements."
            )));
        }
        let minutes = match input.expires_in_minutes {
            Some(minutes) if !(1..=PROTECTION_MINUTES_MAX).contains(&minutes) => {
                return Err(ApiError::invalid_parameter(format!(
                    "expiresInMinutes must be between 1 and {PROTECTION_MINUTES_MAX}."
                )));
            }
            Some(minutes) => u32::try_from(minutes).unwrap_or(PROTECTION_MINUTES_DEFAULT),
            None => PROTECTION_MINUTES_DEFAULT,
        };
        let minutes = input.protection_enabled.then_some(minutes);
        let (mut protected, mut failures) = (Vec::new(), Vec::new());
        for text in &input.tasks {
            let Some(id) = self.task_id_in(&self.state, &cluster, text) else {
                failures.push(failure(&self.task_arn_of(&cluster, text), "MISSING"));
                continue;
            };
            if !self.protect_task(&id, minutes) {
                failures.push(failure(&self.task_arn_of(&cluster, text), "TASK_NOT_VALID"));
                continue;
            }
            let task = self.state.tasks.get(&id);
            protected.extend(task.map(|it| self.protection_json(it)));
        }
        Ok(json!({ "protectedTasks": protected, "failures": failures }))
    }

    pub(super) fn get_task_protection(
        &self,
        state: &State,
        input: &GetProtection,
    ) -> Result<Value, ApiError> {
        let cluster = self.protected_cluster(state, input.cluster.as_deref())?;
        if input.tasks.len() > GET_TASK_PROTECTION_MAX {
            return Err(ApiError::invalid_parameter(format!(
                "Tasks cannot have more than {GET_TASK_PROTECTION_MAX} elements."
            )));
        }
        let asked: Vec<String> = if input.tasks.is_empty() {
            let service_tasks = state
                .tasks
                .iter()
                .filter(|(_, it)| it.cluster == cluster && it.service.is_some() && it.is_live());
            service_tasks.map(|(id, _)| id.clone()).collect()
        } else {
            input.tasks.clone()
        };
        let (mut protected, mut failures) = (Vec::new(), Vec::new());
        for text in &asked {
            let id = self.task_id_in(state, &cluster, text);
            match id.and_then(|it| state.tasks.get(&it)) {
                Some(task) if task.service.is_some() => protected.push(self.protection_json(task)),
                Some(task) => failures.push(failure(&task.arn, "TASK_NOT_VALID")),
                None => failures.push(failure(&self.task_arn_of(&cluster, text), "MISSING")),
            }
        }
        Ok(json!({ "protectedTasks": protected, "failures": failures }))
    }

    fn protected_cluster(
        &self,
        state: &State,
        text: Option<&str>,
    ) -> Result<ClusterName, ApiError> {
        let cluster = cluster_name(text)?;
        if state.clusters.contains_key(&cluster) {
            Ok(cluster)
        } else {
            Err(ApiError::cluster_not_found())
        }
    }

    fn task_id_in(&self, state: &State, cluster: &ClusterName, text: &str) -> Option<String> {
        let id = text.rsplit('/').next().unwrap_or(text);
        let task = state.tasks.get(id).filter(|it| it.cluster == *cluster)?;
        Some(task.id().to_owned())
    }

    fn task_arn_of(&self, cluster: &ClusterName, text: &str) -> String {
        let id = text.rsplit('/').next().unwrap_or(text);
        format!(
            "arn:aws:ecs:{}:{}:task/{cluster}/{id}",
            self.config.region, self.config.account
        )
    }

    fn protection_json(&self, task: &Task) -> Value {
        match task.protected_until.filter(|_| task.is_protected(self.now)) {
            Some(until) => json!({
                "taskArn": task.arn, "protectionEnabled": true, "expirationDate": epoch(until),
            }),
            None => json!({ "taskArn": task.arn, "protectionEnabled": false }),
        }
    }
}
