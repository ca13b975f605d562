//! Reading instances, protecting them, and suspending processes.

use serde::Deserialize;
use serde_json::{Value, json};

use super::create::processes_of;
use super::{PAGE_DEFAULT, Paging, paged};
use crate::autoscaling::{group_not_found, validation};
use crate::error::ApiError;
use crate::events::iso_secs;
use crate::state::{Lifecycle, State};
use crate::world::World;

/// Instances in one DescribeAutoScalingInstances or SetInstanceProtection call.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetInstanceProtection.html>
const INSTANCES_MAX: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct DescribeInstances {
    #[serde(default)]
    instance_ids: Vec<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct SetProtection {
    auto_scaling_group_name: String,
    #[serde(default)]
    instance_ids: Vec<String>,
    protected_from_scale_in: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct Processes {
    auto_scaling_group_name: String,
    #[serde(default)]
    scaling_processes: Vec<String>,
}

fn check_count(ids: &[String]) -> Result<(), ApiError> {
    if ids.len() > INSTANCES_MAX {
        return Err(validation(format!(
            "{} validation error detected: Value at 'instanceIds' failed to satisfy constraint: Member must have length less than or \
             equal to {INSTANCES_MAX}",
            1
        )));
    }
    Ok(())
}

impl World {
    pub(in crate::api) fn describe_group_instances(
        &self,
        state: &State,
        input: &DescribeInstances,
    ) -> Result<Value, ApiError> {
        check_count(&input.instance_ids)?;
        let entries: Vec<(String, Value)> = state
            .instances
            .iter()
            .filter(|(id, it)| {
                !matches!(
                    it.lifecycle_state,
                    Lifecycle::Terminated | Lifecycle::Detached
                ) && (input.instance_ids.is_empty() || input.instance_ids.contains(id))
            })
            .map(|(id, it)| {
                let mut json = self.group_instance_json(state, it, "HEALTHY", "UNHEALTHY");
                json.insert("AutoScalingGroupName".to_owned(), json!(it.group));
                (id.clone(), Value::Object(json))
            })
            .collect();
        let sizes = (PAGE_DEFAULT, PAGE_DEFAULT);
        paged(&entries, &input.paging, sizes, "AutoScalingInstances")
    }

    pub(in crate::api) fn set_instance_protection(
        &mut self,
        input: &SetProtection,
    ) -> Result<Value, ApiError> {
        check_count(&input.instance_ids)?;
        let name = &input.auto_scaling_group_name;
        let group = self.state.groups.get(name).ok_or_else(group_not_found)?;
        if let Some(strange) = input
            .instance_ids
            .iter()
            .find(|it| !group.instances.contains(*it))
        {
            return Err(validation(format!(
                "The instance {strange} is not part of Auto Scaling group {name}."
            )));
        }
        for id in &input.instance_ids {
            if let Some(instance) = self.state.instances.get_mut(id) {
                instance.protected_from_scale_in = input.protected_from_scale_in;
            }
        }
        // What could not go before may go now.
        self.group_look_soon(name);
        Ok(json!({}))
    }

    pub(in crate::api) fn suspend_processes(
        &mut self,
        input: &Processes,
    ) -> Result<Value, ApiError> {
        let processes = processes_of(&input.scaling_processes)?;
        let reason = format!("User suspended at {}", iso_secs(self.now));
        let group = self
            .state
            .groups
            .get_mut(&input.auto_scaling_group_name)
            .ok_or_else(group_not_found)?;
        for process in processes {
            group
                .suspended_processes
                .entry(process)
                .or_insert_with(|| reason.clone());
        }
        Ok(json!({}))
    }

    pub(in crate::api) fn resume_processes(
        &mut self,
        input: &Processes,
    ) -> Result<Value, ApiError> {
        let processes = processes_of(&input.scaling_processes)?;
        let name = &input.auto_scaling_group_name;
        let group = self
            .state
            .groups
            .get_mut(name)
            .ok_or_else(group_not_found)?;
        for process in processes {
            group.suspended_processes.remove(&process);
        }
        self.group_look_soon(name);
        Ok(json!({}))
    }
}
