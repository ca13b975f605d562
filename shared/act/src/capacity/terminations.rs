//! Terminating instances through their group: `autoscaling:TerminateInstanceInAutoScalingGroup`.

use std::collections::BTreeMap;

use calls::RateBucket;
use model::capacity::CapacityAction;
use model::outcome::OutcomeResult;
use model::{AutoScalingGroupName, ClusterName, ContainerInstanceArn, InstanceId};

use crate::capacity::TERMINATE_INSTANCE;
use crate::capacity::groups::{self, Group};
use crate::hand::{Hand, failed, precondition};
use crate::instances::{self, Instance};
use crate::may_have_been_applied;
use crate::occupied::{self, Occupied, in_words};
use crate::refusals::refusal;
use crate::status::DRAINING;

/// The state of an instance that may be terminated.
const IN_SERVICE: &str = "InService";

/// A step that terminates an instance.
#[derive(Debug)]
pub(crate) struct Termination {
    pub(crate) cluster: ClusterName,
    group: AutoScalingGroupName,
    container_instance: ContainerInstanceArn,
    instance: InstanceId,
    desired_capacity: u32,
}

/// What this act has terminated, by group.
#[derive(Debug, Default)]
pub(crate) struct Terminated(BTreeMap<AutoScalingGroupName, Count>);

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// How many terminations took effect: the desired capacity is lower by so many.
    instances: i32,
    /// Whether the desired capacity has been compared with the plan, and nothing since has made it doubtful.
    is_sure: bool,
}

impl Termination {
    pub(crate) fn of(action: &CapacityAction) -> Option<Self> {
        match action {
            CapacityAction::Terminate {
                cluster,
                group,
                container_instance,
                instance,
                desired_capacity,
            } => Some(Self {
                cluster: cluster.clone(),
                group: group.clone(),
                container_instance: container_instance.clone(),
                instance: instance.clone(),
                desired_capacity: *desired_capacity,
            }),
            CapacityAction::SetDesiredCapacity { .. }
            | CapacityAction::Drain { .. }
            | CapacityAction::Activate { .. } => None,
        }
    }

    /// Whether the group allows it; the outcome, if not. The desired capacity is compared before the first termination only: what comes
    /// after is this plan's own doing, which may not show yet.
    fn judge_group(&self, group: &Group, count: Count) -> Result<(), OutcomeResult> {
        let Ok(seen) = i32::try_from(self.desired_capacity) else {
            return Err(OutcomeResult::Refused {
                detail: format!(
                    "{} is more than EC2 Auto Scaling can count",
                    self.desired_capacity
                ),
            });
        };
        let expected = seen.saturating_sub(count.instances);
        if !count.is_sure && group.desired_capacity != expected {
            return Err(precondition(format!(
                "desired capacity {}",
                group.desired_capacity
            )));
        }
        if expected <= group.min_size {
            return Err(precondition(format!("minimum size {}", group.min_size)));
        }
        let Some(member) = group.instances.get(&self.instance) else {
            return Err(precondition("an instance that is not in the group"));
        };
        if member.lifecycle != IN_SERVICE {
            return Err(precondition(format!(
                "life-cycle state {}",
                member.lifecycle
            )));
        }
        if member.is_protected {
            return Err(precondition("protection from scale-in"));
        }
        Ok(())
    }
}

/// Terminates instances of one cluster, one after the other.
pub(crate) async fn write(
    hand: &Hand<'_>,
    terminations: &[Termination],
    terminated: &mut Terminated,
) -> Vec<OutcomeResult> {
    let Some(first) = terminations.first() else {
        return Vec::new();
    };
    let arns: Vec<&ContainerInstanceArn> = terminations
        .iter()
        .map(|it| &it.container_instance)
        .collect();
    let found = instances::reread(hand, &first.cluster, &arns).await;
    let mut judged: Vec<Result<(), OutcomeResult>> = Vec::with_capacity(terminations.len());
    let mut to_count = Vec::new();
    for termination in terminations {
        let found = found.of(&termination.container_instance);
        let drained = found.with_status(DRAINING, &termination.instance);
        if drained
            .as_ref()
            .is_ok_and(|it| !Instance::is_surely_empty(it))
        {
            to_count.push(&termination.container_instance);
        }
        judged.push(drained.map(|_| ()));
    }
    let occupied = occupied::read(hand, &first.cluster, &to_count).await;
    let mut groups = groups::reread(hand, terminations.iter().map(|it| &it.group)).await;
    let mut results = Vec::with_capacity(terminations.len());
    for (termination, judged) in terminations.iter().zip(judged) {
        let name = &termination.group;
        let mut count = terminated.0.get(name).copied().unwrap_or_default();
        let result = match judged.and_then(|()| is_empty(termination, &occupied)) {
            Ok(()) => take(hand, termination, &mut groups, &mut count).await,
            Err(result) => result,
        };
        terminated.0.insert(name.clone(), count);
        results.push(result);
    }
    results
}

/// Whether no task but daemons' holds the instance; the outcome, if one does.
fn is_empty(termination: &Termination, occupied: &Occupied) -> Result<(), OutcomeResult> {
    match occupied.of(&termination.container_instance)? {
        [] => Ok(()),
        holders => Err(precondition(in_words(holders))),
    }
}

async fn take(
    hand: &Hand<'_>,
    termination: &Termination,
    groups: &mut groups::Groups,
    count: &mut Count,
) -> OutcomeResult {
    if hand.is_over() {
        return OutcomeResult::OutOfTime;
    }
    let found = groups.of(&termination.group);
    let judged = found
        .may_be_changed()
        .and_then(|group| termination.judge_group(group, *count));
    if let Err(result) = judged {
        return result;
    }
    count.is_sure = true;
    let request = hand
        .autoscaling
        .terminate_instance_in_auto_scaling_group()
        .instance_id(termination.instance.as_str())
        .should_decrement_desired_capacity(true)
        .send();
    let answer = hand
        .caller
        .call(
            RateBucket::AutoScaling,
            TERMINATE_INSTANCE,
            termination.instance.as_str(),
            request,
        )
        .await;
    let failure = match answer {
        Ok(_activity) => {
            count.instances = count.instances.saturating_add(1);
            return OutcomeResult::Done;
        }
        Err(failure) => failure,
    };
    match refusal(&failure) {
        // A request that the SDK sends again after its answer was lost finds the instance on its way out.
        Some(OutcomeResult::Failed { .. }) | None => {}
        Some(result) => return result,
    }
    if may_have_been_applied(failure.gap.cause) {
        groups.update(groups::reread(hand, std::iter::once(&termination.group)).await);
        let found = groups.of(&termination.group);
        // Before the call it was InService: whatever has taken it out since, it needs no second call.
        let is_gone = found.group().is_some_and(|group| {
            let member = group.instances.get(&termination.instance);
            member.is_none_or(groups::Member::is_leaving)
        });
        if is_gone {
            count.instances = count.instances.saturating_add(1);
            return OutcomeResult::AlreadySo;
        }
        // It may yet be applied: the next termination compares the desired capacity anew.
        count.is_sure = false;
    }
    failed(failure)
}
