//! What DescribeTasks answers, as the model's task.

use aws_sdk_ecs::types::{self as ecs, HealthStatus};
use aws_smithy_types::DateTime;
use jiff::Unit;
use model::snapshot::{Health, Task, TaskStatus};
use model::{ServiceKey, Timestamp};

/// How ECS names the group of a service's tasks.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html>
const GROUP_PREFIX: &str = "service:";
/// The stop codes of an interruption: today's, and the one that older documentation gives.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html>
const INTERRUPTION_CODES: [&str; 2] = ["SpotInterruption", "TerminationNotice"];

/// Reads a task. Statuses that this version does not know are kept as unknown.
///
/// # Errors
/// What the answer lacks, in words.
pub(crate) fn task(answer: &ecs::Task) -> Result<Task, String> {
    let text = |error: model::IdError| error.to_string();
    let provider = answer.capacity_provider_name().map(str::parse);
    let zone = answer.availability_zone().map(str::parse);
    let instance = answer.container_instance_arn().map(str::parse);
    Ok(Task {
        arn: answer
            .task_arn()
            .unwrap_or_default()
            .parse()
            .map_err(text)?,
        last_status: last_status(answer.last_status()),
        // Everything that is not told to stop is to run.
        desired_running: answer.desired_status() != Some("STOPPED"),
        health: match answer.health_status() {
            Some(HealthStatus::Healthy) => Health::Healthy,
            Some(HealthStatus::Unhealthy) => Health::Unhealthy,
            _ => Health::Unknown,
        },
        provider: provider.transpose().map_err(text)?,
        task_definition: answer
            .task_definition_arn()
            .unwrap_or_default()
            .parse()
            .map_err(text)?,
        zone: zone.transpose().map_err(text)?,
        created_at: time(answer.created_at()),
        started_at: time(answer.started_at()),
        stopping_at: time(answer.stopping_at()),
        stopped_at: time(answer.stopped_at()),
        interrupted: interrupted(answer),
        instance: instance.transpose().map_err(text)?,
        instance_status: None,
    })
}

/// The service that a task belongs to, by its group; a standalone task has none.
pub(crate) fn owner(cluster: &model::ClusterName, answer: &ecs::Task) -> Option<ServiceKey> {
    let name = answer.group()?.strip_prefix(GROUP_PREFIX)?;
    Some(ServiceKey::new(cluster.clone(), name.parse().ok()?))
}

pub(crate) fn last_status(text: Option<&str>) -> TaskStatus {
    match text {
        Some("PROVISIONING") => TaskStatus::Provisioning,
        Some("PENDING") => TaskStatus::Pending,
        Some("ACTIVATING") => TaskStatus::Activating,
        Some("RUNNING") => TaskStatus::Running,
        Some("DEACTIVATING") => TaskStatus::Deactivating,
        Some("STOPPING") => TaskStatus::Stopping,
        Some("DEPROVISIONING") => TaskStatus::Deprovisioning,
        Some("STOPPED") => TaskStatus::Stopped,
        _ => TaskStatus::Unknown,
    }
}

/// ECS sends milliseconds, as a fraction of a second in binary: what is finer is noise.
pub(crate) fn time(time: Option<&DateTime>) -> Option<Timestamp> {
    let time = time?;
    let nanoseconds = i32::try_from(time.subsec_nanos()).ok()?;
    let noisy = Timestamp::new(time.secs(), nanoseconds).ok()?;
    noisy.round(Unit::Millisecond).ok()
}

/// Whether Spot took the task. Some interruptions were seen without a code
/// (<https://github.com/aws/containers-roadmap/issues/1565>): then the reason's words tell.
fn interrupted(answer: &ecs::Task) -> bool {
    match answer.stop_code() {
        Some(code) => INTERRUPTION_CODES.contains(&code.as_str()),
        None => {
            let reason = answer.stopped_reason().unwrap_or_default().to_lowercase();
            reason.contains("spot") && reason.contains("interrupt")
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::TaskStopCode;

    use super::*;

    fn answer() -> ecs::builders::TaskBuilder {
        ecs::Task::builder()
            .task_arn("arn:aws:ecs:us-west-2:111122223333:task/demo/1")
            .task_definition_arn("arn:aws:ecs:us-west-2:111122223333:task-definition/web:1")
    }

    #[test]
    fn interruptions_are_told_by_code_and_without_one_by_reason() {
        let spot = "Your Spot Task was interrupted.";
        for (code, reason, want) in [
            (Some("SpotInterruption"), None, true),
            (Some("TerminationNotice"), None, true),
            (Some("TerminationNotice"), Some("whatever"), true),
            (None, Some(spot), true),
            (Some("UserInitiated"), Some(spot), false),
            (Some("ServiceSchedulerInitiated"), None, false),
            (Some("CodeOfNextYear"), Some(spot), false),
            (
                None,
                Some("Scaling activity initiated by deployment"),
                false,
            ),
            (None, None, false),
        ] {
            let task = answer()
                .set_stop_code(code.map(TaskStopCode::from))
                .set_stopped_reason(reason.map(str::to_owned))
                .build();
            assert_eq!(
                super::task(&task).unwrap().interrupted,
                want,
                "{code:?} {reason:?}"
            );
        }
    }

    #[test]
    fn odd_answers_are_read_as_far_as_they_go() {
        let odd = answer()
            .last_status("HIBERNATING")
            .desired_status("PENDING")
            .health_status(HealthStatus::from("TIRED"))
            .group("service:web")
            .created_at(DateTime::from_secs_and_nanos(1_700_000_000, 250_000_000))
            .build();
        let read = task(&odd).unwrap();
        assert_eq!(read.last_status, TaskStatus::Unknown);
        assert!(read.desired_running);
        assert_eq!(read.health, Health::Unknown);
        assert_eq!(
            read.created_at,
            Some("2023-11-14T22:13:20.25Z".parse().unwrap())
        );
        let cluster = "demo".parse().unwrap();
        assert_eq!(owner(&cluster, &odd), Some("demo/web".parse().unwrap()));
        let standalone = answer().group("family:web").build();
        assert_eq!(owner(&cluster, &standalone), None);

        let nameless = ecs::Task::builder().build();
        assert_eq!(task(&nameless), Err("a task ARN is empty".to_owned()));
    }
}
