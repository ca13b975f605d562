//! Stopping tasks that nobody else would stop in time: `ecs:StopTask`.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::Task;
use calls::{Failure, RateBucket, one_line};
use model::drain::DrainStepReason;
use model::outcome::OutcomeResult;
use model::snapshot::GapCause;
use model::{ClusterName, ContainerInstanceArn, InstanceId, TaskArn};

use crate::drain::STOP_TASK;
use crate::hand::{Hand, failed, precondition};
use crate::may_have_been_applied;
use crate::reread::unread;
use crate::tasks::{self, Described, STOPPED, TASKS_PER_READ_MAX};

/// The longest reason, in characters. AWS's reference once named this limit, and names none now.
/// <https://docs.aws.amazon.com/sdk-for-ruby/v2/api/Aws/ECS/Types/StopTaskRequest.html>
const REASON_CHARACTERS_MAX: usize = 255;

/// The code by which ECS says that the cluster is gone, those by which it refuses a call, and the text of the refusal by which it says that
/// it does not know the task.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html>
const GONE_CODE: &str = "ClusterNotFoundException";
const REFUSAL_CODES: [&str; 2] = ["ClientException", "InvalidParameterException"];
const UNKNOWN_TASK_TEXT: &str = "referenced task was not found";

/// A step that stops a task.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) cluster: ClusterName,
    pub(crate) task: TaskArn,
    pub(crate) container_instance: ContainerInstanceArn,
    /// What ECS keeps as the reason.
    pub(crate) reason: String,
}

/// What whoever looks at the stopped task reads: that it was Ballast, and why. What may be long comes last.
pub(crate) fn reason(instance: &InstanceId, reason: &DrainStepReason) -> String {
    let text = if let DrainStepReason::LastMoment {
        whose,
        why,
        deadline,
        stop_timeout,
        next_look_at: _,
    } = reason
    {
        format!(
            "Ballast instance-drain: `{instance}` goes at {deadline:.0}, the stop timeout is {stop_timeout}, and nobody else would stop \
             this task in time: {} of `{whose}`",
            why.as_str()
        )
    } else {
        format!("Ballast instance-drain: `{instance}` goes, {reason}")
    };
    cut(&one_line(&text))
}

/// The text, cut to what ECS takes.
fn cut(text: &str) -> String {
    if text.chars().count() <= REASON_CHARACTERS_MAX {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(REASON_CHARACTERS_MAX - 1).collect();
    cut.push('…');
    cut
}

impl Stop {
    /// Whether the task is to be stopped; the outcome, if not.
    fn judge(&self, described: Option<&Described>) -> Result<(), OutcomeResult> {
        let task = match described {
            Some(Described::Task(task)) => task,
            Some(Described::Missing) => return Err(OutcomeResult::AlreadySo),
            Some(Described::Unread(gap)) => return Err(unread(gap)),
            None => return Err(OutcomeResult::OutOfTime),
        };
        if is_stopping(task) {
            return Err(OutcomeResult::AlreadySo);
        }
        match task.container_instance_arn() {
            Some(arn) if arn == self.container_instance.as_str() => Ok(()),
            Some(other) => Err(precondition(one_line(&format!(
                "the task on container instance `{other}`"
            )))),
            None => Err(precondition("the task on no container instance")),
        }
    }
}

/// Whether it is told to stop, or has stopped. What it is to be says so from the call to the end.
fn is_stopping(task: &Task) -> bool {
    task.desired_status() == Some(STOPPED) || task.last_status() == Some(STOPPED)
}

/// Stops tasks one after the other, a hundred after one look at them.
pub(crate) async fn write(hand: &Hand<'_>, stops: &[Stop]) -> Vec<OutcomeResult> {
    let mut results = Vec::with_capacity(stops.len());
    for batch in stops.chunks(TASKS_PER_READ_MAX) {
        let described = read(hand, batch).await;
        for stop in batch {
            results.push(if hand.is_over() {
                OutcomeResult::OutOfTime
            } else {
                match stop.judge(described.get(&stop.task)) {
                    Ok(()) => take(hand, stop).await,
                    Err(result) => result,
                }
            });
        }
    }
    results
}

/// What these tasks are, with one call for a cluster.
async fn read<'a>(hand: &Hand<'_>, stops: &'a [Stop]) -> BTreeMap<&'a TaskArn, Described> {
    let mut by_cluster: BTreeMap<&ClusterName, Vec<&TaskArn>> = BTreeMap::new();
    for stop in stops {
        by_cluster
            .entry(&stop.cluster)
            .or_default()
            .push(&stop.task);
    }
    let mut described = BTreeMap::new();
    for (cluster, tasks) in by_cluster {
        if hand.is_over() {
            break;
        }
        let arns: Vec<&str> = tasks.iter().map(|it| it.as_str()).collect();
        let found = tasks::describe(hand, cluster, &arns).await;
        described.extend(tasks.into_iter().zip(found));
    }
    described
}

async fn take(hand: &Hand<'_>, stop: &Stop) -> OutcomeResult {
    let request = hand
        .ecs
        .stop_task()
        .cluster(stop.cluster.as_str())
        .task(stop.task.as_str())
        .reason(&stop.reason)
        .send();
    let bucket = RateBucket::ClusterResourceModify;
    let answer = hand
        .caller
        .call(bucket, STOP_TASK, stop.task.as_str(), request)
        .await;
    match answer {
        Ok(answer) => match answer.task().and_then(Task::desired_status) {
            Some(desired) if desired != STOPPED => OutcomeResult::Failed {
                operation: STOP_TASK.to_owned(),
                cause: GapCause::Other,
                detail: one_line(&format!(
                    "ECS answered with desired status {desired} instead of {STOPPED}"
                )),
            },
            Some(_) | None => OutcomeResult::Done,
        },
        Err(failure) => after(hand, stop, failure).await,
    }
}

/// What a failed call comes to. If it may have been applied, the task tells.
async fn after(hand: &Hand<'_>, stop: &Stop, failure: Failure) -> OutcomeResult {
    if !failure.sent {
        return OutcomeResult::OutOfTime;
    }
    let code = failure.code.as_deref();
    if code == Some(GONE_CODE) {
        return precondition(failure.gap.detail);
    }
    if code.is_some_and(|code| REFUSAL_CODES.contains(&code)) {
        if failure.gap.detail.contains(UNKNOWN_TASK_TEXT) {
            return OutcomeResult::AlreadySo;
        }
        return OutcomeResult::Refused {
            detail: format!("{STOP_TASK}: {}", failure.gap.detail),
        };
    }
    if may_have_been_applied(failure.gap.cause) {
        let described = tasks::describe(hand, &stop.cluster, &[stop.task.as_str()]).await;
        let is_so = described.iter().all(|it| match it {
            Described::Task(task) => is_stopping(task),
            Described::Missing => true,
            Described::Unread(_) => false,
        });
        if is_so {
            return OutcomeResult::AlreadySo;
        }
    }
    failed(failure)
}
