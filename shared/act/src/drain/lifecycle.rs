//! Lifecycle actions of instances that their group terminates: `autoscaling:RecordLifecycleActionHeartbeat` and
//! `autoscaling:CompleteLifecycleAction`.

use std::collections::BTreeMap;

use calls::{Failure, RateBucket};
use model::outcome::OutcomeResult;
use model::{
    AutoScalingGroupName, ClusterName, ContainerInstanceArn, InstanceId, LifecycleHookName,
};

use crate::drain::{COMPLETE_LIFECYCLE_ACTION, RECORD_HEARTBEAT};
use crate::hand::{Hand, failed, precondition};
use crate::instances::{self, Found};
use crate::occupied::{self, in_words};
use crate::refusals::refusal;
use crate::reread::unread;
use crate::status::INSTANCES_PER_WRITE_MAX;

/// How many actions are completed after one look at their instances. Each instance may take three calls, and the last is to be written
/// before what the first showed is old.
const ACTIONS_PER_READ_MAX: usize = INSTANCES_PER_WRITE_MAX;

/// How an action ends: the group goes on to terminate the instance. `ABANDON` would end other hooks' actions, too.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html>
const CONTINUE: &str = "CONTINUE";

/// The texts by which EC2 Auto Scaling says that no such action waits: it was completed, has timed out, or its instance is gone. The code
/// is that of every bad request.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/CommonErrors.html>
const OVER_TEXTS: [&str; 2] = ["No active Lifecycle Action found", "Instance Id not found"];

/// A step that keeps an action waiting.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    pub(crate) group: AutoScalingGroupName,
    pub(crate) hook: LifecycleHookName,
    pub(crate) instance: InstanceId,
}

/// A step that completes an action.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) group: AutoScalingGroupName,
    pub(crate) hook: LifecycleHookName,
    pub(crate) instance: InstanceId,
    /// The container instance that must be without tasks, if one must.
    pub(crate) empty: Option<(ClusterName, ContainerInstanceArn)>,
}

/// Keeps actions waiting, one after the other.
pub(crate) async fn record(hand: &Hand<'_>, heartbeats: &[Heartbeat]) -> Vec<OutcomeResult> {
    let mut results = Vec::with_capacity(heartbeats.len());
    for heartbeat in heartbeats {
        if hand.is_over() {
            results.push(OutcomeResult::OutOfTime);
            continue;
        }
        let instance = heartbeat.instance.as_str();
        let request = hand
            .autoscaling
            .record_lifecycle_action_heartbeat()
            .auto_scaling_group_name(heartbeat.group.as_str())
            .lifecycle_hook_name(heartbeat.hook.as_str())
            .instance_id(instance)
            .send();
        let bucket = RateBucket::AutoScaling;
        let answer = hand
            .caller
            .call(bucket, RECORD_HEARTBEAT, instance, request)
            .await;
        results.push(match answer {
            Ok(_empty) => OutcomeResult::Done,
            Err(failure) => after(failure),
        });
    }
    results
}

/// Completes actions, one after the other.
pub(crate) async fn complete(hand: &Hand<'_>, completions: &[Completion]) -> Vec<OutcomeResult> {
    let mut results = Vec::with_capacity(completions.len());
    for batch in completions.chunks(ACTIONS_PER_READ_MAX) {
        if hand.is_over() {
            results.extend(batch.iter().map(|_| OutcomeResult::OutOfTime));
            continue;
        }
        let judged = judge(hand, batch).await;
        for (completion, judged) in batch.iter().zip(judged) {
            results.push(match judged {
                _ if hand.is_over() => OutcomeResult::OutOfTime,
                Ok(()) => take(hand, completion).await,
                Err(result) => result,
            });
        }
    }
    results
}

async fn take(hand: &Hand<'_>, completion: &Completion) -> OutcomeResult {
    let instance = completion.instance.as_str();
    let request = hand
        .autoscaling
        .complete_lifecycle_action()
        .auto_scaling_group_name(completion.group.as_str())
        .lifecycle_hook_name(completion.hook.as_str())
        .instance_id(instance)
        .lifecycle_action_result(CONTINUE)
        .send();
    let bucket = RateBucket::AutoScaling;
    let answer = hand
        .caller
        .call(bucket, COMPLETE_LIFECYCLE_ACTION, instance, request)
        .await;
    match answer {
        Ok(_empty) => OutcomeResult::Done,
        Err(failure) => after(failure),
    }
}

/// What a failed call comes to.
fn after(failure: Failure) -> OutcomeResult {
    if OVER_TEXTS
        .iter()
        .any(|text| failure.gap.detail.contains(text))
    {
        return OutcomeResult::AlreadySo;
    }
    refusal(&failure).unwrap_or_else(|| failed(failure))
}

/// Whether each action may be completed; the outcome, if not.
async fn judge(hand: &Hand<'_>, completions: &[Completion]) -> Vec<Result<(), OutcomeResult>> {
    let mut by_cluster: BTreeMap<&ClusterName, Vec<(usize, &Completion, &ContainerInstanceArn)>> =
        BTreeMap::new();
    for (at, completion) in completions.iter().enumerate() {
        if let Some((cluster, container_instance)) = &completion.empty {
            let of_cluster = by_cluster.entry(cluster).or_default();
            of_cluster.push((at, completion, container_instance));
        }
    }
    let mut judged: Vec<Result<(), OutcomeResult>> = completions.iter().map(|_| Ok(())).collect();
    for (cluster, completions) in by_cluster {
        let arns: Vec<&ContainerInstanceArn> = completions.iter().map(|it| it.2).collect();
        let found = instances::reread(hand, cluster, &arns).await;
        let found: Vec<Result<bool, OutcomeResult>> = completions
            .iter()
            .map(|(_, completion, arn)| is_surely_empty(completion, &found.of(arn)))
            .collect();
        let to_count: Vec<&ContainerInstanceArn> = arns
            .iter()
            .zip(&found)
            .filter(|(_, found)| matches!(found, Ok(false)))
            .map(|(arn, _)| *arn)
            .collect();
        let occupied = occupied::read(hand, cluster, &to_count).await;
        for ((at, _, arn), found) in completions.into_iter().zip(found) {
            let result = found.and_then(|_| match occupied.of(arn)? {
                [] => Ok(()),
                holders => Err(precondition(in_words(holders))),
            });
            if let Some(slot) = judged.get_mut(at) {
                *slot = result;
            }
        }
    }
    judged
}

/// Whether ECS's own account proves that no task is on the instance; the outcome, if it is not known or is another instance. One that is
/// unknown to ECS has none.
fn is_surely_empty(completion: &Completion, found: &Found) -> Result<bool, OutcomeResult> {
    match found {
        Found::Instance(it) if it.ec2_instance != completion.instance.as_str() => Err(
            precondition(format!("the EC2 instance `{}`", it.ec2_instance)),
        ),
        Found::Instance(it) => Ok(it.is_surely_empty()),
        Found::Missing => Ok(true),
        Found::Unread(gap) => Err(unread(gap)),
    }
}
