//! What tasks are at the moment of writing.

use aws_sdk_ecs::types::Task;
use calls::{RateBucket, one_line};
use model::ClusterName;
use model::snapshot::{Gap, GapCause};

use crate::hand::Hand;
use crate::reread::MISSING;

const DESCRIBE_TASKS: &str = "ecs:DescribeTasks";

/// The most tasks of one DescribeTasks.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html>
pub(crate) const TASKS_PER_READ_MAX: usize = 100;

/// The status of a task that is gone, and what a task is to be that is told to stop.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html>
pub(crate) const STOPPED: &str = "STOPPED";

/// What ECS says of a task.
#[derive(Debug)]
pub(crate) enum Described {
    /// It knows it.
    Task(Box<Task>),
    /// It does not know it, or not any more: a stopped task is forgotten after about an hour.
    Missing,
    /// It could not be read.
    Unread(Gap),
}

/// Describes these tasks of a cluster, at most [`TASKS_PER_READ_MAX`]: one answer for each, in their order.
pub(crate) async fn describe(
    hand: &Hand<'_>,
    cluster: &ClusterName,
    arns: &[&str],
) -> Vec<Described> {
    if arns.is_empty() {
        return Vec::new();
    }
    let request = hand
        .ecs
        .describe_tasks()
        .cluster(cluster.as_str())
        .set_tasks(Some(arns.iter().map(ToString::to_string).collect()))
        .send();
    let bucket = RateBucket::ClusterResourceRead;
    let answer = hand
        .caller
        .call(bucket, DESCRIBE_TASKS, cluster.as_str(), request)
        .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => {
            return arns
                .iter()
                .map(|_| Described::Unread(failure.gap.clone()))
                .collect();
        }
    };
    let mut described = answer.tasks.unwrap_or_default();
    let failures = answer.failures.unwrap_or_default();
    let of = |arn: &&str| {
        if let Some(at) = described.iter().position(|it| it.task_arn() == Some(*arn)) {
            return Described::Task(Box::new(described.swap_remove(at)));
        }
        let failure = failures.iter().find(|it| it.arn() == Some(*arn));
        let reason = failure.map_or("ECS did not answer for it", |it| {
            it.reason().unwrap_or("no reason")
        });
        if reason == MISSING {
            return Described::Missing;
        }
        Described::Unread(Gap {
            operation: DESCRIBE_TASKS.to_owned(),
            resource: (*arn).to_owned(),
            cause: GapCause::Other,
            detail: one_line(reason),
        })
    };
    arns.iter().map(of).collect()
}
