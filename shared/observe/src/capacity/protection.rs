//! Which tasks are protected from being stopped.
//!
//! It matters only where instances with tasks may be drained: for groups that carry `ballast:consolidate`. The least used instances are
//! the ones that would be, so that their tasks are asked about first, and the rest stays unknown.

use std::collections::BTreeMap;

use aws_smithy_types::DateTime;
use calls::RateBucket;
use model::capacity::{ClusterCapacity, ContainerInstanceStatus, InstanceTask};
use model::{CapacityProviderName, ContainerInstanceArn, TaskArn, Timestamp};

use crate::capacity::Look;
use crate::limits::{GET_TASK_PROTECTION_MAX, PROTECTION_TASKS_MAX};
use crate::look::{MISSING, of_failure};
use crate::read_task::time;

const GET_TASK_PROTECTION: &str = "ecs:GetTaskProtection";

/// Fills in the protection of the tasks on the least used instances.
pub(crate) async fn read(look: &mut Look<'_>, cluster: &mut ClusterCapacity) {
    let arns: Vec<TaskArn> = of_interest(cluster);
    for batch in arns.chunks(GET_TASK_PROTECTION_MAX) {
        read_batch(look, cluster, batch).await;
    }
}

/// The services' tasks on the least used instances that could be drained, at most [`PROTECTION_TASKS_MAX`]. An instance is asked about as
/// a whole or not at all.
fn of_interest(cluster: &ClusterCapacity) -> Vec<TaskArn> {
    let consolidates = |provider: &CapacityProviderName| {
        let policy = cluster.providers.get(provider).map(|it| &it.policy);
        policy.is_some_and(|policy| policy.as_ref().is_ok_and(|it| it.consolidate))
    };
    let mut tasks: BTreeMap<&ContainerInstanceArn, Vec<&InstanceTask>> = BTreeMap::new();
    for task in cluster.tasks.iter().filter(|task| !task.is_daemon) {
        if let Some(instance) = &task.instance {
            tasks.entry(instance).or_default().push(task);
        }
    }
    let mut instances: Vec<(usize, Vec<&InstanceTask>)> = Vec::new();
    for (arn, tasks) in tasks {
        let instance = cluster.instances.get(arn);
        let is_candidate = instance.is_some_and(|it| {
            it.status == ContainerInstanceStatus::Active
                && it.provider.as_ref().is_some_and(consolidates)
        });
        if is_candidate {
            instances.push((tasks.len(), tasks));
        }
    }
    // The sort is stable: instances with as many tasks stay in the order of their ARNs.
    instances.sort_by_key(|(count, _)| *count);
    let mut asked = Vec::new();
    for (count, tasks) in instances {
        if asked.len().saturating_add(count) > PROTECTION_TASKS_MAX {
            break;
        }
        // Only the tasks of services can be protected.
        let of_services = tasks.into_iter().filter(|task| task.service.is_some());
        asked.extend(of_services.map(|task| task.arn.clone()));
    }
    asked
}

async fn read_batch(look: &mut Look<'_>, cluster: &mut ClusterCapacity, batch: &[TaskArn]) {
    let operation = GET_TASK_PROTECTION;
    let about = cluster.cluster.to_string();
    let request = look
        .observer
        .ecs
        .get_task_protection()
        .cluster(&about)
        .set_tasks(Some(batch.iter().map(ToString::to_string).collect()))
        .send();
    let bucket = RateBucket::TaskProtection;
    let answer = match look.call(bucket, operation, &about, request).await {
        Ok(answer) => answer,
        Err(gap) => {
            cluster.gaps.push(gap);
            return;
        }
    };
    let known: BTreeMap<&str, Option<Timestamp>> = answer
        .protected_tasks()
        .iter()
        .filter_map(|it| {
            let until = until(it.protection_enabled(), it.expiration_date());
            Some((it.task_arn()?, until))
        })
        .collect();
    for task in &mut cluster.tasks {
        if let Some(until) = known.get(task.arn.as_str()) {
            task.protected_until = Some(*until);
        }
    }
    for failure in answer.failures() {
        // A task that has stopped needs no protection any more; it stays unknown.
        if failure.reason() != Some(MISSING) {
            let what = format!("task `{}`", failure.arn().unwrap_or("?"));
            let gap = of_failure(operation, &about, &what, failure);
            cluster.gaps.push(gap);
        }
    }
}

/// Until when a task is protected. A protection without an end does not end in any time that matters.
fn until(enabled: bool, expires_at: Option<&DateTime>) -> Option<Timestamp> {
    enabled.then(|| time(expires_at).unwrap_or(Timestamp::MAX))
}
