//! What container instances are at the moment of writing.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{ContainerInstance, Resource};
use calls::{RateBucket, one_line};
use model::outcome::OutcomeResult;
use model::snapshot::{Gap, GapCause};
use model::{ClusterName, ContainerInstanceArn, InstanceId};

use crate::hand::{Hand, precondition};
use crate::reread::{MISSING, unread};
use crate::status::{DRAINING, INACTIVE};

const DESCRIBE_CONTAINER_INSTANCES: &str = "ecs:DescribeContainerInstances";

/// The statuses of a container instance that takes no more tasks and will not again, unless it is made ACTIVE.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerInstance.html>
const LEAVING: [&str; 3] = [DRAINING, "DEREGISTERING", INACTIVE];

/// A container instance, moments before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// ECS described it.
    Instance(Instance),
    /// ECS says that it does not exist.
    Missing,
    /// It could not be read.
    Unread(Gap),
}

/// What is compared with the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) status: String,
    /// The EC2 instance.
    pub(crate) ec2_instance: String,
    /// How many tasks ECS counts on it that run or wait, daemons' included.
    pub(crate) tasks_counted: i32,
    /// Whether all CPU and memory that it registered is free.
    pub(crate) is_free: bool,
}

impl Found {
    /// The instance, if it has this status and is the same EC2 instance still; the outcome, if not.
    pub(crate) fn with_status(
        &self,
        status: &str,
        ec2_instance: &InstanceId,
    ) -> Result<&Instance, OutcomeResult> {
        let instance = match self {
            Self::Instance(instance) => instance,
            Self::Missing => return Err(precondition("no such container instance")),
            Self::Unread(gap) => return Err(unread(gap)),
        };
        if instance.ec2_instance != ec2_instance.as_str() {
            let found = format!("the EC2 instance `{}`", instance.ec2_instance);
            return Err(precondition(found));
        }
        if instance.status == status {
            Ok(instance)
        } else {
            Err(precondition(format!("status {}", instance.status)))
        }
    }

    /// Whether it is told to give its tasks up, or is gone.
    pub(crate) fn is_leaving(&self) -> bool {
        match self {
            Self::Instance(instance) => LEAVING.contains(&instance.status.as_str()),
            Self::Missing => true,
            Self::Unread(_) => false,
        }
    }

    /// Its status, where it was read.
    pub(crate) fn status(&self) -> Option<&str> {
        match self {
            Self::Instance(instance) => Some(&instance.status),
            Self::Missing | Self::Unread(_) => None,
        }
    }
}

impl Instance {
    /// Whether ECS's own account proves that no task is on it, daemons' included, and none that is told to stop.
    pub(crate) const fn is_surely_empty(&self) -> bool {
        self.tasks_counted == 0 && self.is_free
    }
}

/// What was found of container instances.
#[derive(Debug, Default)]
pub(crate) struct Instances(BTreeMap<ContainerInstanceArn, Found>);

impl Instances {
    /// What was found of one.
    pub(crate) fn of(&self, arn: &ContainerInstanceArn) -> Found {
        self.0
            .get(arn)
            .cloned()
            .unwrap_or_else(|| unanswered(arn, "ECS did not answer for it"))
    }
}

/// Reads these instances of a cluster again with one call, at most 100.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeContainerInstances.html>
pub(crate) async fn reread(
    hand: &Hand<'_>,
    cluster: &ClusterName,
    arns: &[&ContainerInstanceArn],
) -> Instances {
    let request = hand
        .ecs
        .describe_container_instances()
        .cluster(cluster.as_str())
        .set_container_instances(Some(arns.iter().map(ToString::to_string).collect()))
        .send();
    let operation = DESCRIBE_CONTAINER_INSTANCES;
    let bucket = RateBucket::ClusterResourceRead;
    let answer = hand
        .caller
        .call(bucket, operation, cluster.as_str(), request)
        .await;
    let mut instances = Instances::default();
    match answer {
        Ok(answer) => {
            for arn in arns {
                let described = answer
                    .container_instances()
                    .iter()
                    .find(|it| it.container_instance_arn() == Some(arn.as_str()));
                let failure = answer
                    .failures()
                    .iter()
                    .find(|it| it.arn() == Some(arn.as_str()));
                let found = match (described, failure) {
                    (Some(described), _) => read(described),
                    (None, Some(failure)) if failure.reason() == Some(MISSING) => Found::Missing,
                    (None, Some(failure)) => {
                        let reason = failure.reason().unwrap_or("no reason");
                        let detail = failure.detail().unwrap_or_default();
                        unanswered(arn, &format!("{reason} {detail}"))
                    }
                    (None, None) => unanswered(arn, "ECS did not answer for it"),
                };
                instances.0.insert((*arn).clone(), found);
            }
        }
        Err(failure) => {
            for arn in arns {
                instances
                    .0
                    .insert((*arn).clone(), Found::Unread(failure.gap.clone()));
            }
        }
    }
    instances
}

fn unanswered(arn: &ContainerInstanceArn, detail: &str) -> Found {
    Found::Unread(Gap {
        operation: DESCRIBE_CONTAINER_INSTANCES.to_owned(),
        resource: arn.to_string(),
        cause: GapCause::Other,
        detail: one_line(detail.trim()),
    })
}

fn read(answer: &ContainerInstance) -> Found {
    let counted = answer
        .running_tasks_count()
        .saturating_add(answer.pending_tasks_count());
    Found::Instance(Instance {
        status: one_line(answer.status().unwrap_or("unknown")),
        ec2_instance: one_line(answer.ec2_instance_id().unwrap_or("unknown")),
        tasks_counted: counted,
        is_free: is_free(answer.registered_resources(), answer.remaining_resources()),
    })
}

/// Whether all CPU and memory is free; not where the answer does not tell.
fn is_free(registered: &[Resource], remaining: &[Resource]) -> bool {
    let of = |resources: &[Resource], name: &str| {
        let resource = resources.iter().find(|it| it.name() == Some(name));
        resource.map(Resource::integer_value)
    };
    ["CPU", "MEMORY"].into_iter().all(|name| {
        let registered = of(registered, name);
        registered.is_some() && registered == of(remaining, name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(cpu: i32, memory: i32) -> Vec<Resource> {
        let resource = |name: &str, value| {
            let resource = Resource::builder().name(name).integer_value(value);
            resource.build()
        };
        vec![resource("CPU", cpu), resource("MEMORY", memory)]
    }

    #[test]
    fn only_a_full_account_proves_that_nothing_is_held() {
        let registered = resources(2_048, 1_900);
        assert!(is_free(&registered, &resources(2_048, 1_900)));
        assert!(!is_free(&registered, &resources(2_048, 1_800)));
        assert!(!is_free(&registered, &resources(1_024, 1_900)));
        assert!(!is_free(&registered, &[]));
        assert!(!is_free(&[], &[]));
    }
}
