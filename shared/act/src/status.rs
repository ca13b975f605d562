//! Setting container instances to DRAINING or ACTIVE: `ecs:UpdateContainerInstancesState`, whoever asks for it.

use aws_sdk_ecs::operation::update_container_instances_state::UpdateContainerInstancesStateOutput;
use aws_sdk_ecs::types::ContainerInstanceStatus;
use calls::{Failure, RateBucket, one_line};
use model::outcome::OutcomeResult;
use model::snapshot::GapCause;
use model::{ClusterName, ContainerInstanceArn};

use crate::hand::{Hand, failed, precondition};
use crate::instances::{Found, reread};
use crate::may_have_been_applied;
use crate::reread::MISSING;

/// The name of the write that drains an instance or takes that back, as IAM knows it.
pub const UPDATE_CONTAINER_INSTANCES_STATE: &str = "ecs:UpdateContainerInstancesState";

/// The most container instances of one `UpdateContainerInstancesState`.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerInstancesState.html>
pub(crate) const INSTANCES_PER_WRITE_MAX: usize = 10;

/// The statuses, as ECS writes them.
pub(crate) const ACTIVE: &str = "ACTIVE";
pub(crate) const DRAINING: &str = "DRAINING";
pub(crate) const INACTIVE: &str = "INACTIVE";

/// The reasons of a failure by which ECS says that the instance is gone.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html>
const GONE_REASONS: [&str; 2] = [MISSING, INACTIVE];

/// The code by which ECS says that the cluster is gone, and those by which it refuses a call.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerInstancesState.html>
const GONE_CODE: &str = "ClusterNotFoundException";
const REFUSAL_CODES: [&str; 2] = ["ClientException", "InvalidParameterException"];

/// What became of one container instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is known.
    Known(OutcomeResult),
    /// ECS says that the container instance is gone, by this reason.
    Gone(String),
    /// No answer tells, so that it was read again.
    Unanswered {
        /// What it is now.
        found: Found,
        /// What the call came to.
        failed: OutcomeResult,
    },
}

impl Written {
    /// The outcome for a step that wants the instance to be there and to have this status.
    pub(crate) fn of_one_that_stays(self, status: &str) -> OutcomeResult {
        match self {
            Self::Known(result) => result,
            Self::Gone(reason) => precondition(format!("a container instance that is {reason}")),
            Self::Unanswered { found, failed } => {
                if found.status() == Some(status) {
                    OutcomeResult::AlreadySo
                } else {
                    failed
                }
            }
        }
    }
}

/// Sets these instances of a cluster, at most [`INSTANCES_PER_WRITE_MAX`], to a status with one call; one by one where that is refused.
pub(crate) async fn set(
    hand: &Hand<'_>,
    cluster: &ClusterName,
    status: &str,
    arns: &[&ContainerInstanceArn],
) -> Vec<Written> {
    if arns.is_empty() {
        return Vec::new();
    }
    let failure = match update(hand, cluster, status, arns).await {
        Ok(results) => return results,
        Err(failure) => failure,
    };
    if !is_refusal(&failure) || arns.len() == 1 {
        return after(hand, cluster, arns, failure).await;
    }
    let mut results = Vec::with_capacity(arns.len());
    for arn in arns {
        let alone = [*arn];
        let result = match update(hand, cluster, status, &alone).await {
            Ok(result) => result,
            Err(failure) => after(hand, cluster, &alone, failure).await,
        };
        results.extend(result);
    }
    results
}

async fn update(
    hand: &Hand<'_>,
    cluster: &ClusterName,
    status: &str,
    arns: &[&ContainerInstanceArn],
) -> Result<Vec<Written>, Box<Failure>> {
    if hand.is_over() {
        return Ok(vec![Written::Known(OutcomeResult::OutOfTime); arns.len()]);
    }
    let request = hand
        .ecs
        .update_container_instances_state()
        .cluster(cluster.as_str())
        .set_container_instances(Some(arns.iter().map(ToString::to_string).collect()))
        .status(ContainerInstanceStatus::from(status))
        .send();
    let answer = hand
        .caller
        .call(
            RateBucket::ClusterResourceModify,
            UPDATE_CONTAINER_INSTANCES_STATE,
            cluster.as_str(),
            request,
        )
        .await
        .map_err(Box::new)?;
    Ok(arns
        .iter()
        .map(|it| result_of(it, status, &answer))
        .collect())
}

/// What an answer says of one instance: it is among the instances, or among the `failures[]`.
fn result_of(
    arn: &ContainerInstanceArn,
    wanted: &str,
    answer: &UpdateContainerInstancesStateOutput,
) -> Written {
    let arn = arn.as_str();
    let failed = |detail: &str| {
        Written::Known(OutcomeResult::Failed {
            operation: UPDATE_CONTAINER_INSTANCES_STATE.to_owned(),
            cause: GapCause::Other,
            detail: one_line(detail),
        })
    };
    let mut written = answer.container_instances().iter();
    if let Some(written) = written.find(|it| it.container_instance_arn() == Some(arn)) {
        return match written.status() {
            Some(status) if status != wanted => failed(&format!(
                "ECS answered with status {status} instead of {wanted}"
            )),
            Some(_) | None => Written::Known(OutcomeResult::Done),
        };
    }
    let mut failures = answer.failures().iter();
    let Some(failure) = failures.find(|it| it.arn() == Some(arn)) else {
        return failed("ECS did not answer for it");
    };
    let reason = failure.reason().unwrap_or("no reason");
    if GONE_REASONS.contains(&reason) {
        return Written::Gone(reason.to_owned());
    }
    let detail = failure.detail().unwrap_or_default();
    failed(format!("{reason} {detail}").trim())
}

fn is_refusal(failure: &Failure) -> bool {
    let code = failure.code.as_deref();
    code.is_some_and(|code| REFUSAL_CODES.contains(&code))
}

/// What a failed call comes to. If it may have been applied, the instances are read again.
async fn after(
    hand: &Hand<'_>,
    cluster: &ClusterName,
    arns: &[&ContainerInstanceArn],
    failure: Box<Failure>,
) -> Vec<Written> {
    let failure = *failure;
    let all = |result: OutcomeResult| vec![Written::Known(result); arns.len()];
    if !failure.sent {
        return all(OutcomeResult::OutOfTime);
    }
    if failure.code.as_deref() == Some(GONE_CODE) {
        return all(precondition(failure.gap.detail));
    }
    if is_refusal(&failure) {
        let detail = format!("{UPDATE_CONTAINER_INSTANCES_STATE}: {}", failure.gap.detail);
        return all(OutcomeResult::Refused { detail });
    }
    if !may_have_been_applied(failure.gap.cause) {
        return all(failed(failure));
    }
    let found = reread(hand, cluster, arns).await;
    let failed = failed(failure);
    arns.iter()
        .map(|arn| Written::Unanswered {
            found: found.of(arn),
            failed: failed.clone(),
        })
        .collect()
}
