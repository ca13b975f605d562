//! Draining container instances and taking that back: `ecs:UpdateContainerInstancesState`.

use aws_sdk_ecs::operation::update_container_instances_state::UpdateContainerInstancesStateOutput;
use aws_sdk_ecs::types::ContainerInstanceStatus;
use calls::{Failure, RateBucket, one_line};
use model::capacity::CapacityAction;
use model::outcome::OutcomeResult;
use model::snapshot::GapCause;
use model::{ClusterName, ContainerInstanceArn, InstanceId};

use crate::capacity::instances::{Found, Instance, reread};
use crate::capacity::occupied::{self, Occupied, in_words};
use crate::capacity::{Hand, UPDATE_CONTAINER_INSTANCES_STATE, failed, precondition};
use crate::may_have_been_applied;
use crate::reread::MISSING;

/// The statuses, as ECS writes them.
pub(crate) const ACTIVE: &str = "ACTIVE";
pub(crate) const DRAINING: &str = "DRAINING";

/// The reasons of a failure by which ECS says that the instance is gone.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html>
const GONE_REASONS: [&str; 2] = [MISSING, "INACTIVE"];

/// The code by which ECS says that the cluster is gone, and those by which it refuses a call.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerInstancesState.html>
const GONE_CODE: &str = "ClusterNotFoundException";
const REFUSAL_CODES: [&str; 2] = ["ClientException", "InvalidParameterException"];

/// A step that sets a container instance's status.
#[derive(Debug)]
pub(crate) struct Change {
    cluster: ClusterName,
    container_instance: ContainerInstanceArn,
    instance: InstanceId,
    to: To,
}

/// What an instance is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    /// DRAINING, where so many non-daemon tasks were seen.
    Draining { tasks: u32 },
    /// ACTIVE.
    Active,
}

impl To {
    const fn before(self) -> &'static str {
        match self {
            Self::Draining { .. } => ACTIVE,
            Self::Active => DRAINING,
        }
    }

    const fn after(self) -> &'static str {
        match self {
            Self::Draining { .. } => DRAINING,
            Self::Active => ACTIVE,
        }
    }
}

impl Change {
    pub(crate) fn of(action: &CapacityAction) -> Option<Self> {
        let (cluster, container_instance, instance, to) = match action {
            CapacityAction::Drain {
                cluster,
                container_instance,
                instance,
                tasks,
            } => {
                let to = To::Draining { tasks: *tasks };
                (cluster, container_instance, instance, to)
            }
            CapacityAction::Activate {
                cluster,
                container_instance,
                instance,
            } => (cluster, container_instance, instance, To::Active),
            CapacityAction::SetDesiredCapacity { .. } | CapacityAction::Terminate { .. } => {
                return None;
            }
        };
        Some(Self {
            cluster: cluster.clone(),
            container_instance: container_instance.clone(),
            instance: instance.clone(),
            to,
        })
    }

    /// Whether one call can set both.
    pub(crate) fn goes_with(&self, other: &Self) -> bool {
        self.cluster == other.cluster && self.to.after() == other.to.after()
    }

    /// The instance, if its status is what the plan saw; the outcome, if not. An instance that is ACTIVE again needs nothing; one that
    /// somebody else has drained is not taken for one of Ballast's.
    fn judge<'a>(&self, found: &'a Found) -> Result<&'a Instance, OutcomeResult> {
        if self.to == To::Active && found.with_status(ACTIVE, &self.instance).is_ok() {
            return Err(OutcomeResult::AlreadySo);
        }
        found.with_status(self.to.before(), &self.instance)
    }

    /// Whether the instance's tasks must be counted to tell whether they are what the plan saw. ECS's own count has daemons in it: with
    /// more than the plan saw there may be a task that was placed since, and that nobody has found room elsewhere for; with fewer it may
    /// leave out tasks that are told to stop.
    fn must_be_counted(&self, found: &Instance) -> bool {
        match self.to {
            To::Active => false,
            To::Draining { tasks: 0 } => !found.is_surely_empty(),
            To::Draining { tasks } => i64::from(found.tasks_counted) != i64::from(tasks),
        }
    }

    /// Whether the tasks that were counted are as many as the plan saw; the outcome, if not.
    fn judge_tasks(&self, occupied: &Occupied) -> Result<(), OutcomeResult> {
        let To::Draining { tasks } = self.to else {
            return Ok(());
        };
        let holders = occupied.of(&self.container_instance)?;
        if u32::try_from(holders.len()) == Ok(tasks) {
            return Ok(());
        }
        let found = match holders.len() {
            0 | 1 => in_words(holders),
            many => format!("{many} tasks: {}", in_words(holders)),
        };
        Err(precondition(found))
    }
}

/// Sets container instances of one cluster to one status.
pub(crate) async fn write(hand: &Hand<'_>, changes: &[Change]) -> Vec<OutcomeResult> {
    let Some(first) = changes.first() else {
        return Vec::new();
    };
    let arns: Vec<&ContainerInstanceArn> =
        changes.iter().map(|it| &it.container_instance).collect();
    let found = reread(hand, &first.cluster, &arns).await;
    let found: Vec<Found> = arns.iter().map(|arn| found.of(arn)).collect();
    let mut judged: Vec<Result<&Instance, OutcomeResult>> = changes
        .iter()
        .zip(&found)
        .map(|(change, found)| change.judge(found))
        .collect();
    let counted: Vec<&Change> = changes
        .iter()
        .zip(&judged)
        .filter(|(change, judged)| {
            judged
                .as_ref()
                .is_ok_and(|found| change.must_be_counted(found))
        })
        .map(|(change, _)| change)
        .collect();
    let to_count: Vec<&ContainerInstanceArn> =
        counted.iter().map(|it| &it.container_instance).collect();
    let occupied = occupied::read(hand, &first.cluster, &to_count).await;
    for (change, judged) in changes.iter().zip(&mut judged) {
        if to_count.contains(&&change.container_instance)
            && judged.is_ok()
            && let Err(result) = change.judge_tasks(&occupied)
        {
            *judged = Err(result);
        }
    }
    let open: Vec<&Change> = changes
        .iter()
        .zip(&judged)
        .filter(|(_, judged)| judged.is_ok())
        .map(|(change, _)| change)
        .collect();
    let mut written = set(hand, &open).await.into_iter();
    judged
        .into_iter()
        .map(|judged| match judged {
            Ok(_) => written.next().unwrap_or(OutcomeResult::OutOfTime),
            Err(result) => result,
        })
        .collect()
}

/// Sets these instances with one call; one by one where that is refused.
async fn set(hand: &Hand<'_>, changes: &[&Change]) -> Vec<OutcomeResult> {
    if changes.is_empty() {
        return Vec::new();
    }
    let failure = match update(hand, changes).await {
        Ok(results) => return results,
        Err(failure) => failure,
    };
    if !is_refusal(&failure) || changes.len() == 1 {
        return after(hand, changes, failure).await;
    }
    let mut results = Vec::with_capacity(changes.len());
    for change in changes {
        let alone = [*change];
        let result = match update(hand, &alone).await {
            Ok(result) => result,
            Err(failure) => after(hand, &alone, failure).await,
        };
        results.extend(result);
    }
    results
}

async fn update(hand: &Hand<'_>, changes: &[&Change]) -> Result<Vec<OutcomeResult>, Box<Failure>> {
    let Some(first) = changes.first() else {
        return Ok(Vec::new());
    };
    if hand.is_over() {
        return Ok(vec![OutcomeResult::OutOfTime; changes.len()]);
    }
    let arns = changes.iter().map(|it| it.container_instance.to_string());
    let request = hand
        .ecs
        .update_container_instances_state()
        .cluster(first.cluster.as_str())
        .set_container_instances(Some(arns.collect()))
        .status(ContainerInstanceStatus::from(first.to.after()))
        .send();
    let answer = hand
        .caller
        .call(
            RateBucket::ClusterResourceModify,
            UPDATE_CONTAINER_INSTANCES_STATE,
            first.cluster.as_str(),
            request,
        )
        .await
        .map_err(Box::new)?;
    Ok(changes.iter().map(|it| result_of(it, &answer)).collect())
}

/// What an answer says of one instance: it is among the instances, or among the `failures[]`.
fn result_of(change: &Change, answer: &UpdateContainerInstancesStateOutput) -> OutcomeResult {
    let arn = change.container_instance.as_str();
    let mut written = answer.container_instances().iter();
    if let Some(written) = written.find(|it| it.container_instance_arn() == Some(arn)) {
        return match written.status() {
            Some(status) if status != change.to.after() => OutcomeResult::Failed {
                operation: UPDATE_CONTAINER_INSTANCES_STATE.to_owned(),
                cause: GapCause::Other,
                detail: one_line(&format!(
                    "ECS answered with status {status} instead of {}",
                    change.to.after()
                )),
            },
            Some(_) | None => OutcomeResult::Done,
        };
    }
    let mut failures = answer.failures().iter();
    let Some(failure) = failures.find(|it| it.arn() == Some(arn)) else {
        return OutcomeResult::Failed {
            operation: UPDATE_CONTAINER_INSTANCES_STATE.to_owned(),
            cause: GapCause::Other,
            detail: "ECS did not answer for it".to_owned(),
        };
    };
    let reason = failure.reason().unwrap_or("no reason");
    if GONE_REASONS.contains(&reason) {
        return precondition(format!("a container instance that is {reason}"));
    }
    let detail = failure.detail().unwrap_or_default();
    OutcomeResult::Failed {
        operation: UPDATE_CONTAINER_INSTANCES_STATE.to_owned(),
        cause: GapCause::Other,
        detail: one_line(format!("{reason} {detail}").trim()),
    }
}

fn is_refusal(failure: &Failure) -> bool {
    let code = failure.code.as_deref();
    code.is_some_and(|code| REFUSAL_CODES.contains(&code))
}

/// What a failed call comes to. If it may have been applied, the instances tell.
async fn after(hand: &Hand<'_>, changes: &[&Change], failure: Box<Failure>) -> Vec<OutcomeResult> {
    let failure = *failure;
    let all = |result: OutcomeResult| vec![result; changes.len()];
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
    let Some(first) = changes.first() else {
        return Vec::new();
    };
    let arns: Vec<&ContainerInstanceArn> =
        changes.iter().map(|it| &it.container_instance).collect();
    let found = reread(hand, &first.cluster, &arns).await;
    let failed = failed(failure);
    changes
        .iter()
        .map(|change| {
            let found = found.of(&change.container_instance);
            if found.status() == Some(change.to.after()) {
                OutcomeResult::AlreadySo
            } else {
                failed.clone()
            }
        })
        .collect()
}
