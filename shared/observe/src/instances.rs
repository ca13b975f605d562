//! The status of the container instances that tasks on Spot are on: an instance that drains takes its tasks with it.

use std::collections::{BTreeMap, BTreeSet};

use calls::RateBucket;
use model::capacity::ContainerInstanceStatus;
use model::snapshot::{Gap, Service, Task};
use model::strategy::{FARGATE_SPOT, Market};
use model::{ClusterName, ContainerInstanceArn};

use crate::capacity::read_instance;
use crate::limits::DESCRIBE_CONTAINER_INSTANCES_MAX;
use crate::look::{Look, MISSING, of_failure, unreadable};

const DESCRIBE_CONTAINER_INSTANCES: &str = "ecs:DescribeContainerInstances";

/// Container instances by what was read of them. One that is gone by now is not among them.
pub(crate) type Statuses = BTreeMap<ContainerInstanceArn, Result<ContainerInstanceStatus, Gap>>;

/// The instance of a task that is to run on Spot instances. Fargate has none, and with a launch type the market is not known.
pub(crate) fn on_spot<'a>(service: &Service, task: &'a Task) -> Option<&'a ContainerInstanceArn> {
    let provider = task.provider.as_ref()?;
    let is_spot = service.capacity.iter().any(|share| {
        share.item.provider == *provider
            && share.market == Market::Spot
            && provider.as_str() != FARGATE_SPOT
    });
    task.instance
        .as_ref()
        .filter(|_| is_spot && task.desired_running)
}

/// Reads the statuses of these instances.
pub(crate) async fn read(
    look: &mut Look<'_>,
    instances: &BTreeMap<ClusterName, BTreeSet<ContainerInstanceArn>>,
) -> Statuses {
    let mut statuses = Statuses::new();
    for (cluster, arns) in instances {
        let arns: Vec<&ContainerInstanceArn> = arns.iter().collect();
        for batch in arns.chunks(DESCRIBE_CONTAINER_INSTANCES_MAX) {
            statuses.extend(describe(look, cluster, batch).await);
        }
    }
    statuses
}

/// Describes at most [`DESCRIBE_CONTAINER_INSTANCES_MAX`] instances of a cluster.
async fn describe(
    look: &mut Look<'_>,
    cluster: &ClusterName,
    batch: &[&ContainerInstanceArn],
) -> Statuses {
    let operation = DESCRIBE_CONTAINER_INSTANCES;
    let about = cluster.as_str();
    let request = look
        .observer
        .ecs
        .describe_container_instances()
        .cluster(about)
        .set_container_instances(Some(batch.iter().map(ToString::to_string).collect()))
        .send();
    let bucket = RateBucket::ClusterResourceRead;
    let answer = match look.call(bucket, operation, about, request).await {
        Ok(answer) => answer,
        Err(gap) => {
            let each = batch.iter().map(|arn| ((*arn).clone(), Err(gap.clone())));
            return each.collect();
        }
    };
    let mut statuses = Statuses::new();
    let mut open: BTreeMap<&str, &ContainerInstanceArn> =
        batch.iter().map(|arn| (arn.as_str(), *arn)).collect();
    for instance in answer.container_instances() {
        let arn = instance.container_instance_arn().unwrap_or_default();
        if let Some(arn) = open.remove(arn) {
            statuses.insert(arn.clone(), Ok(read_instance::status(instance.status())));
        }
    }
    for failure in answer.failures() {
        let text = failure.arn().unwrap_or_default();
        let Some(arn) = open.remove(text) else {
            continue;
        };
        // An instance that was deregistered between the two calls is gone, and its tasks with it: the next look sees them gone.
        if failure.reason() != Some(MISSING) {
            let what = format!("container instance `{text}`");
            let gap = of_failure(operation, about, &what, failure);
            statuses.insert(arn.clone(), Err(gap));
        }
    }
    for (text, arn) in open {
        let detail =
            format!("container instance `{text}`: the answer has neither it nor a failure for it");
        statuses.insert(arn.clone(), Err(unreadable(operation, about, &detail)));
    }
    statuses
}
