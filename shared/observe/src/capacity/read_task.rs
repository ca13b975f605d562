//! What DescribeTasks answers, as a task on an instance or waiting for one.

use aws_sdk_ecs::types::{self as ecs, LaunchType};
use model::capacity::InstanceTask;
use model::{CapacityProviderName, ClusterName, IdError};

use crate::capacity::definition::is_daemons;
use crate::capacity::needs::{self, Overrides};
use crate::read_task::{last_status, owner, time};

/// A task that was read.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The task. Its needs are what its own description tells, until its definition is known.
    pub(crate) task: InstanceTask,
    /// What it was given in place of its definition's.
    pub(crate) overrides: Overrides,
}

/// Reads a task. `None`: it is on no instance and waits for none; `on_instances` says which providers place tasks on instances.
///
/// # Errors
/// What the answer lacks, in words.
pub(crate) fn task(
    cluster: &ClusterName,
    answer: &ecs::Task,
    on_instances: impl Fn(&CapacityProviderName) -> bool,
) -> Result<Option<Seen>, String> {
    let text = |error: IdError| error.to_string();
    let provider = answer.capacity_provider_name().map(str::parse).transpose();
    let provider = provider.map_err(text)?;
    let instance = answer.container_instance_arn().map(str::parse).transpose();
    let instance = instance.map_err(text)?;
    let waits_for_one = match &provider {
        Some(provider) => on_instances(provider),
        None => answer.launch_type() == Some(&LaunchType::Ec2),
    };
    if instance.is_none() && !waits_for_one {
        return Ok(None);
    }
    let task_definition = answer.task_definition_arn().unwrap_or_default().parse();
    let task_definition = task_definition.map_err(text)?;
    Ok(Some(Seen {
        task: InstanceTask {
            arn: answer
                .task_arn()
                .unwrap_or_default()
                .parse()
                .map_err(text)?,
            instance,
            provider,
            service: owner(cluster, answer).map(|key| key.service),
            is_daemon: is_daemons(&task_definition),
            last_status: last_status(answer.last_status()),
            // Everything that is not told to stop is to run.
            desired_running: answer.desired_status() != Some("STOPPED"),
            task_definition,
            needs: needs::of_answer(answer),
            protected_until: None,
            created_at: time(answer.created_at()),
            started_at: time(answer.started_at()),
        },
        overrides: needs::overrides(answer.overrides())?,
    }))
}
