//! Setting instances that leave to DRAINING: `ecs:UpdateContainerInstancesState`.

use model::outcome::OutcomeResult;
use model::{ClusterName, ContainerInstanceArn};

use crate::drain::{Results, batches};
use crate::hand::{Hand, precondition};
use crate::instances::{Found, reread};
use crate::status::{ACTIVE, DRAINING, Written, set};

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
    let results: Vec<OutcomeResult> = written.into_iter().map(of_one_that_leaves).collect();
    let refused: Vec<&ContainerInstanceArn> = arns
        .iter()
        .zip(&results)
        .filter(|(_, result)| matches!(result, OutcomeResult::Refused { .. }))
        .map(|(arn, _)| *arn)
        .collect();
    if refused.is_empty() {
        return results;
    }
    let found = reread(hand, &first.cluster, &refused).await;
    arns.iter()
        .zip(results)
        .map(|(arn, result)| match result {
            OutcomeResult::Refused { .. } => of_a_refused_one(&found.of(arn), result),
            OutcomeResult::Done
            | OutcomeResult::AlreadySo
            | OutcomeResult::NotWritten
            | OutcomeResult::PreconditionFailed { .. }
            | OutcomeResult::Failed { .. }
            | OutcomeResult::OutOfTime => result,
        })
        .collect()
}

/// The outcome for an instance that is to give its tasks up. One that is gone has.
fn of_one_that_leaves(written: Written) -> OutcomeResult {
    match written {
        Written::Known(result) => result,
        Written::Gone(_) => OutcomeResult::AlreadySo,
        Written::Unanswered { found, failed } => {
            if found.is_leaving() {
                OutcomeResult::AlreadySo
            } else {
                failed
            }
        }
    }
}

/// The outcome for an instance that ECS would not drain by itself: what it is tells more than the refusal. One that still registers
/// cannot be drained yet.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerInstancesState.html>
fn of_a_refused_one(found: &Found, refused: OutcomeResult) -> OutcomeResult {
    if found.is_leaving() {
        return OutcomeResult::AlreadySo;
    }
    match found.status() {
        Some(status) if status != ACTIVE => precondition(format!("status {status}")),
        Some(_) | None => refused,
    }
}
