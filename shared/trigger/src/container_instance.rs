//! `ECS Container Instance State Change`: a container instance registered, began to drain, lost its agent's connection and so on.
//!
//! ECS sends it for each task that starts or stops there too, so it says that something changed, not what.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_container_instance_events.html>

use model::trigger::{ContainerInstanceChange, TriggerKind};
use model::{ClusterName, ContainerInstanceArn};
use serde_json::Value;

use crate::arn;
use crate::error::{Problem, TriggerError};
use crate::event::{Detail, Event};
use crate::text::{EVENT_NAME_CHARS_MAX, cut};

/// Reads a container instance's change. Attributes and resources are not read: an event may be old, and they are looked up.
pub(crate) fn state_change(event: &Event<'_>) -> Result<TriggerKind, TriggerError> {
    let detail = event.detail()?;
    let container_instance = instance_arn(event, &detail)?;
    let cluster = cluster(event, &detail, &container_instance)?;
    Ok(TriggerKind::InstanceChanged(ContainerInstanceChange {
        cluster,
        container_instance,
        ec2_instance: detail.text("ec2InstanceId").and_then(arn::instance),
        status: cut(
            detail.text("status").unwrap_or_default(),
            EVENT_NAME_CHARS_MAX,
        ),
        agent_connected: detail.fields.get("agentConnected").and_then(Value::as_bool),
        version: detail.fields.get("version").and_then(Value::as_u64),
    }))
}

/// The container instance's ARN, from the detail or from the resources.
fn instance_arn(
    event: &Event<'_>,
    detail: &Detail<'_>,
) -> Result<ContainerInstanceArn, TriggerError> {
    detail
        .text("containerInstanceArn")
        .into_iter()
        .chain(event.resources())
        .filter(|text| arn::container_instance_path(text).is_some())
        .find_map(|text| text.parse().ok())
        .ok_or_else(|| {
            let problem = match detail.fields.get("containerInstanceArn") {
                Some(Value::String(_)) => Problem::NotAContainerInstanceArn,
                other => Problem::with(other, "a text"),
            };
            event.unusable("detail.containerInstanceArn", problem)
        })
}

/// The cluster, from the detail or from the container instance's ARN.
fn cluster(
    event: &Event<'_>,
    detail: &Detail<'_>,
    container_instance: &ContainerInstanceArn,
) -> Result<ClusterName, TriggerError> {
    event.cluster(detail).or_else(|error| {
        arn::container_instance_path(container_instance.as_str())
            .and_then(arn::cluster_of_path)
            .ok_or(error)
    })
}
