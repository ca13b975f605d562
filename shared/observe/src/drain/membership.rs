//! Which groups instances are in.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::operation::describe_auto_scaling_instances::DescribeAutoScalingInstancesOutput;
use aws_sdk_autoscaling::types::AutoScalingInstanceDetails;
use calls::RateBucket;
use model::capacity::Lifecycle;
use model::drain::{LookedInstance, Membership};
use model::snapshot::Gap;
use model::{AutoScalingGroupName, IdError, InstanceId};

use crate::capacity::read_group;
use crate::drain::Look;
use crate::limits::{
    AUTO_SCALING_INSTANCES_PAGE, DESCRIBE_AUTO_SCALING_INSTANCES_MAX, INSTANCE_ID_CHARACTERS_MAX,
};
use crate::look::unreadable;

pub(crate) const DESCRIBE_AUTO_SCALING_INSTANCES: &str = "autoscaling:DescribeAutoScalingInstances";

/// The states of an instance that waits in a hook on its way out, out of a group and out of its warm pool.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html>
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/warm-pool-instance-lifecycle.html>
const WAITING: [&str; 2] = ["Terminating:Wait", "Warmed:Terminating:Wait"];

/// What the states of an instance of a warm pool begin with on its way out.
const WARMED_TERMINATING: &str = "Warmed:Terminat";

/// Where an instance is in its life. One that leaves a warm pool is on its way out as any other: it waits in the same hooks.
pub(crate) fn lifecycle(state: &str) -> Lifecycle {
    if state.starts_with(WARMED_TERMINATING) {
        Lifecycle::Terminating
    } else {
        read_group::lifecycle(state)
    }
}

/// Whether an instance waits in a hook on its way out.
pub(crate) fn waits_in_hook(state: &str) -> bool {
    WAITING.contains(&state)
}

/// An instance in a group.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// The group.
    pub(crate) group: AutoScalingGroupName,
    /// The instance, and its place in the group.
    pub(crate) instance: LookedInstance,
}

/// Instances by their groups: `None` is in no group of the account and Region.
pub(crate) type Members = BTreeMap<InstanceId, Result<Option<Member>, Gap>>;

/// Finds out the groups of these instances. Every one is in the answer: AWS leaves out what is in no group, without a failure.
pub(crate) async fn read(look: &mut Look<'_>, ids: &BTreeSet<InstanceId>) -> Members {
    let (known, strange): (Vec<&InstanceId>, Vec<&InstanceId>) = ids
        .iter()
        .partition(|id| id.as_str().len() <= INSTANCE_ID_CHARACTERS_MAX);
    // One id that AWS refuses would fail the whole call.
    let mut members: Members = strange
        .into_iter()
        .map(|id| (id.clone(), Ok(None)))
        .collect();
    for batch in known.chunks(DESCRIBE_AUTO_SCALING_INSTANCES_MAX) {
        read_batch(look, batch, &mut members).await;
    }
    members
}

async fn read_batch(look: &mut Look<'_>, batch: &[&InstanceId], members: &mut Members) {
    let operation = DESCRIBE_AUTO_SCALING_INSTANCES;
    let autoscaling = &look.observer.autoscaling;
    let about = match batch {
        [one] => one.as_str(),
        _ => "*",
    };
    let ids: Vec<String> = batch.iter().map(ToString::to_string).collect();
    let send = |token| {
        autoscaling
            .describe_auto_scaling_instances()
            .set_instance_ids(Some(ids.clone()))
            .max_records(AUTO_SCALING_INSTANCES_PAGE)
            .set_next_token(token)
            .send()
    };
    let take = |page: DescribeAutoScalingInstancesOutput| {
        for answer in page.auto_scaling_instances() {
            let id = answer.instance_id().unwrap_or_default();
            let Some(id) = batch.iter().find(|it| it.as_str() == id) else {
                continue;
            };
            let read = member(id, answer).map_err(|fault| unreadable(operation, about, &fault));
            members.insert((*id).clone(), read.map(Some));
        }
        page.next_token
    };
    let bucket = RateBucket::AutoScaling;
    let rest = look.pages(bucket, operation, about, send, take).await.err();
    for id in batch {
        members
            .entry((*id).clone())
            .or_insert_with(|| rest.clone().map_or(Ok(None), Err));
    }
}

fn member(id: &InstanceId, answer: &AutoScalingInstanceDetails) -> Result<Member, String> {
    let text = |error: IdError| format!("instance `{id}`: {error}");
    let group = answer.auto_scaling_group_name().unwrap_or_default();
    let told = Told {
        instance_type: answer.instance_type(),
        zone: answer.availability_zone(),
        state: answer.lifecycle_state().unwrap_or_default(),
        health: answer.health_status(),
    };
    Ok(Member {
        group: group.parse().map_err(text)?,
        instance: told.instance(id.clone()).map_err(text)?,
    })
}

/// What Auto Scaling tells of an instance, whichever operation answers.
pub(crate) struct Told<'a> {
    pub(crate) instance_type: Option<&'a str>,
    pub(crate) zone: Option<&'a str>,
    pub(crate) state: &'a str,
    pub(crate) health: Option<&'a str>,
}

impl Told<'_> {
    pub(crate) fn instance(&self, id: InstanceId) -> Result<LookedInstance, IdError> {
        Ok(LookedInstance {
            id,
            instance_type: self.instance_type.map(str::parse).transpose()?,
            zone: self.zone.map(str::parse).transpose()?,
            member: Some(Membership {
                lifecycle: lifecycle(self.state),
                waits_in_hook: waits_in_hook(self.state),
                is_healthy: self.health.is_some_and(read_group::is_healthy),
                terminating_since: None,
            }),
            registered: None,
            tasks_counted: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a state's text comes to: where the instance is, and whether it waits in a hook on its way out.
    fn check(state: &str, want: (Lifecycle, bool)) {
        assert_eq!((lifecycle(state), waits_in_hook(state)), want, "{state}");
        let answer = AutoScalingInstanceDetails::builder()
            .auto_scaling_group_name("web")
            .lifecycle_state(state)
            .build();
        let id: InstanceId = "i-1".parse().unwrap();
        let read = member(&id, &answer).unwrap().instance.member.unwrap();
        assert_eq!((read.lifecycle, read.waits_in_hook), want, "{state}");
    }

    #[test]
    fn an_instance_waits_on_its_way_out_of_a_group_and_out_of_its_warm_pool() {
        check("InService", (Lifecycle::InService, false));
        check("Pending:Wait", (Lifecycle::Pending, false));
        check("Terminating", (Lifecycle::Terminating, false));
        check("Terminating:Wait", (Lifecycle::Terminating, true));
        check("Terminating:Proceed", (Lifecycle::Terminating, false));
        check("Terminated", (Lifecycle::Terminating, false));
        check("Warmed:Stopped", (Lifecycle::Warmed, false));
        check("Warmed:Pending:Wait", (Lifecycle::Warmed, false));
        check("Warmed:Terminating", (Lifecycle::Terminating, false));
        check("Warmed:Terminating:Wait", (Lifecycle::Terminating, true));
        check(
            "Warmed:Terminating:Proceed",
            (Lifecycle::Terminating, false),
        );
    }
}
