//! `ECS Task State Change`: a task was told to start or stop, or got a step further on its way.
//!
//! A task's interruption comes as several events, with growing `version`s: the warning first, while the task still runs, then one
//! for each further state. Each of them yields the same kind; they are counted once by the task's ARN, elsewhere.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html>

use model::trigger::{Ignored, TaskChange, TriggerKind};
use model::{ClusterName, ServiceKey, TaskArn};
use serde_json::Value;

use crate::arn;
use crate::envelope;
use crate::error::{Problem, TriggerError};
use crate::event::{Detail, Event};

/// The stop codes of an interruption: today's, and the one that older documentation gives.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html>
const INTERRUPTION_CODES: [&str; 2] = ["SpotInterruption", "TerminationNotice"];

/// The stop codes of every other stop. With one of these the reason's text is not looked at: a user may have written it.
const OTHER_CODES: [&str; 5] = [
    "TaskFailedToStart",
    "EssentialContainerExited",
    "UserInitiated",
    "ServiceSchedulerInitiated",
    "InfrastructureHealth",
];

/// The states on the way down, and the end of it.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html>
const STOPPING_STATES: [&str; 4] = ["DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"];

/// The most characters of a reason that are searched. AWS's own sentence has 31.
const REASON_CHARS_SEARCHED_MAX: usize = 1_024;

/// Reads a task's change. One that is not a stop is ignored before anything else of it is needed.
pub(crate) fn state_change(event: &Event<'_>) -> Result<TriggerKind, TriggerError> {
    let detail = event.detail()?;
    if !is_stop(event, &detail)? {
        return Ok(TriggerKind::Ignored(Ignored::TaskNotStopping));
    }
    let task = task_arn(event, &detail)?;
    let cluster = cluster(event, &detail, &task)?;
    let change = TaskChange {
        service: service(event, &detail, &cluster)?,
        task,
        cluster,
        provider: detail.text("capacityProviderName").and_then(arn::provider),
        version: detail.fields.get("version").and_then(Value::as_u64),
        stopping_at: detail.fields.get("stoppingAt").and_then(envelope::time),
    };
    Ok(if is_interruption(&detail) {
        TriggerKind::TaskInterrupted(change)
    } else {
        TriggerKind::TaskStopped(change)
    })
}

/// Whether the task is told to stop. Without a desired status the last status tells, where it can.
fn is_stop(event: &Event<'_>, detail: &Detail<'_>) -> Result<bool, TriggerError> {
    if let Some(desired) = detail.text("desiredStatus") {
        return Ok(desired == "STOPPED");
    }
    match detail.text("lastStatus") {
        Some(last) => Ok(STOPPING_STATES.contains(&last)),
        None => Err(event.unusable(
            "detail.desiredStatus",
            Problem::with(detail.fields.get("desiredStatus"), "a text"),
        )),
    }
}

/// Whether Spot took the task. Without a stop code that we know, the reason's text must say so: events without a code were seen.
/// <https://github.com/aws/containers-roadmap/issues/1565>
fn is_interruption(detail: &Detail<'_>) -> bool {
    if let Some(code) = detail.text("stopCode") {
        if INTERRUPTION_CODES.contains(&code) {
            return true;
        }
        if OTHER_CODES.contains(&code) {
            return false;
        }
    }
    let reason: String = detail
        .text("stoppedReason")
        .unwrap_or_default()
        .chars()
        .take(REASON_CHARS_SEARCHED_MAX)
        .collect::<String>()
        .to_ascii_lowercase();
    reason.contains("spot") && reason.contains("interrupt")
}

/// The task's ARN, from the detail or from the resources.
fn task_arn(event: &Event<'_>, detail: &Detail<'_>) -> Result<TaskArn, TriggerError> {
    detail
        .text("taskArn")
        .into_iter()
        .chain(event.resources())
        .filter(|text| arn::task_path(text).is_some())
        .find_map(|text| text.parse().ok())
        .ok_or_else(|| {
            let problem = match detail.fields.get("taskArn") {
                Some(Value::String(_)) => Problem::NotATaskArn,
                other => Problem::with(other, "a text"),
            };
            event.unusable("detail.taskArn", problem)
        })
}

/// The task's cluster, from the detail or from the task's ARN.
fn cluster(
    event: &Event<'_>,
    detail: &Detail<'_>,
    task: &TaskArn,
) -> Result<ClusterName, TriggerError> {
    event
        .cluster(detail)
        .or_else(|error| arn::cluster_of_task(task.as_str()).ok_or(error))
}

/// The service that started the task. Only the group names it; a task of another group, or of none, stands alone.
fn service(
    event: &Event<'_>,
    detail: &Detail<'_>,
    cluster: &ClusterName,
) -> Result<Option<ServiceKey>, TriggerError> {
    let Some(name) = detail
        .text("group")
        .and_then(|group| group.strip_prefix("service:"))
    else {
        return Ok(None);
    };
    if !arn::is_name(name) {
        return Err(event.unusable("detail.group", Problem::NotAName));
    }
    name.parse()
        .map(|service| Some(ServiceKey::new(cluster.clone(), service)))
        .map_err(|_| event.unusable("detail.group", Problem::NotAName))
}
