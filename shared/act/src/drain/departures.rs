//! Setting instances that leave to DRAINING: `ecs:UpdateContainerInstancesState`.

use model::outcome::OutcomeResult;
use model::{ClusterName, ContainerInstanceArn};

use crate::drain::{Results, batches};
use crate::hand::{Hand, precondition};
use crate::instances::{Found, Instances, reread};
use crate::status::{ACTIVE, DRAINING, INACTIVE, Written, set};

/// A step that sets an instance that leaves to DRAINING.
#[derive(Debug)]
pub(crate) struct Departing {
    pub(crate) cluster: ClusterName,
    pub(crate) container_instance: ContainerInstanceArn,
}

/// Sets these instances to DRAINING, ten of a cluster with one call.
pub(crate) async fn write(hand: &Hand<'_>, departures: Vec<Departing>) -> Vec<OutcomeResult> {
    let mut results = Results::of(departures.len());
    for (places, batch) in batches(departures, |it| &it.cluster) {
        if hand.is_over() {
            break;
        }
        results.set(&places, drain(hand, &batch).await);
    }
    results.0
}

/// Drains instances of one cluster.
async fn drain(hand: &Hand<'_>, departures: &[Departing]) -> Vec<OutcomeResult> {
    let Some(first) = departures.first() else {
        return Vec::new();
    };
    let arns: Vec<&ContainerInstanceArn> =
        departures.iter().map(|it| &it.container_instance).collect();
    let written = set(hand, &first.cluster, DRAINING, &arns).await;
    let results: Vec<Answer> = written.into_iter().map(Answer::of).collect();
    let doubtful: Vec<&ContainerInstanceArn> = arns
        .iter()
        .zip(&results)
        .filter(|(_, result)| matches!(result, Answer::Doubtful(_)))
        .map(|(arn, _)| *arn)
        .collect();
    let found = if doubtful.is_empty() {
        Instances::default()
    } else {
        reread(hand, &first.cluster, &doubtful).await
    };
    arns.iter()
        .zip(results)
        .map(|(arn, result)| match result {
            Answer::Clear(result) => result,
            Answer::Doubtful(result) => of_a_doubtful_one(&found.of(arn), result),
        })
        .collect()
}

/// What an answer says of an instance that is to give its tasks up.
#[derive(Debug)]
enum Answer {
    /// This became of it.
    Clear(OutcomeResult),
    /// This, unless the instance shows something else.
    Doubtful(OutcomeResult),
}

impl Answer {
    fn of(written: Written) -> Self {
        match written {
            Written::Known(refused @ OutcomeResult::Refused { .. }) => Self::Doubtful(refused),
            Written::Known(result) => Self::Clear(result),
            // One that is gone has given its tasks up. One that still registers may be called by the same word.
            Written::Gone(reason) if reason == INACTIVE => Self::Doubtful(OutcomeResult::AlreadySo),
            Written::Gone(_) => Self::Clear(OutcomeResult::AlreadySo),
            // The call that lost its answer did it, or nothing was left to do: what is answered is `done` in both cases.
            Written::Unanswered { found, .. } if found.status() == Some(DRAINING) => {
                Self::Clear(OutcomeResult::Done)
            }
            Written::Unanswered { found, .. } if found.is_leaving() => {
                Self::Clear(OutcomeResult::AlreadySo)
            }
            Written::Unanswered { found: _, failed } => Self::Clear(failed),
        }
    }
}

/// The outcome for an instance that ECS did not drain: what it is tells more than the answer. One that still registers cannot be drained
/// yet.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerInstancesState.html>
fn of_a_doubtful_one(found: &Found, answer: OutcomeResult) -> OutcomeResult {
    if found.is_leaving() {
        return OutcomeResult::AlreadySo;
    }
    match found.status() {
        Some(status) if status != ACTIVE => precondition(format!("status {status}")),
        Some(_) | None => answer,
    }
}
