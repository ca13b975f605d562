//! The container instances of a cluster.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::operation::list_container_instances::ListContainerInstancesOutput;
use aws_sdk_ecs::types::ContainerInstanceField;
use calls::RateBucket;
use model::ContainerInstanceArn;
use model::capacity::ClusterCapacity;

use crate::capacity::{Eyes, Look, read_instance};
use crate::limits::{DESCRIBE_CONTAINER_INSTANCES_MAX, LIST_CONTAINER_INSTANCES_PAGE};
use crate::look::{MISSING, of_failure, unreadable};

pub(crate) const LIST_CONTAINER_INSTANCES: &str = "ecs:ListContainerInstances";
const DESCRIBE_CONTAINER_INSTANCES: &str = "ecs:DescribeContainerInstances";

/// How many tasks ECS counts on each instance that run or wait, daemons' included.
pub(crate) type TasksCounted = BTreeMap<ContainerInstanceArn, u32>;

/// Reads every container instance of a cluster.
pub(crate) async fn read(look: &mut Look<'_>, cluster: &mut ClusterCapacity) {
    let mut arns = BTreeSet::new();
    list(look, cluster, None, &mut arns).await;
    describe(look, cluster, &arns).await;
}

/// Lists the container instances that a query of the cluster query language finds, or all. Without a status ListContainerInstances
/// lists all but INACTIVE ones. What cannot be listed is a gap of the cluster, and the answer is `false`.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListContainerInstances.html>
pub(crate) async fn list<O: Eyes>(
    look: &mut Look<'_, O>,
    cluster: &mut ClusterCapacity,
    query: Option<&str>,
    arns: &mut BTreeSet<String>,
) -> bool {
    let about = cluster.cluster.to_string();
    let ecs = look.observer.ecs();
    let send = |token| {
        ecs.list_container_instances()
            .cluster(&about)
            .set_filter(query.map(str::to_owned))
            .max_results(LIST_CONTAINER_INSTANCES_PAGE)
            .set_next_token(token)
            .send()
    };
    let take = |page: ListContainerInstancesOutput| {
        arns.extend(page.container_instance_arns.unwrap_or_default());
        page.next_token
    };
    let bucket = RateBucket::ClusterResourceRead;
    let read = look.pages(bucket, LIST_CONTAINER_INSTANCES, &about, send, take);
    let rest = read.await.err();
    let is_whole = rest.is_none();
    cluster.gaps.extend(rest);
    is_whole
}

/// Describes those instances that tasks are on and that the list did not have: they registered in between.
pub(crate) async fn read_more(look: &mut Look<'_>, cluster: &mut ClusterCapacity) {
    let named = cluster
        .tasks
        .iter()
        .filter_map(|task| task.instance.as_ref());
    let unknown: BTreeSet<String> = named
        .filter(|arn| !cluster.instances.contains_key(*arn))
        .map(ToString::to_string)
        .collect();
    // Where the list broke off, most of them are unknown; the gap is there already.
    if unknown.len() <= DESCRIBE_CONTAINER_INSTANCES_MAX {
        describe(look, cluster, &unknown).await;
    }
}

/// Describes these container instances. What cannot be read is a gap of the cluster; one that is gone by now is left out.
pub(crate) async fn describe<O: Eyes>(
    look: &mut Look<'_, O>,
    cluster: &mut ClusterCapacity,
    arns: &BTreeSet<String>,
) -> TasksCounted {
    let arns: Vec<&String> = arns.iter().collect();
    let mut counted = TasksCounted::new();
    for batch in arns.chunks(DESCRIBE_CONTAINER_INSTANCES_MAX) {
        describe_batch(look, cluster, batch, &mut counted).await;
    }
    counted
}

async fn describe_batch<O: Eyes>(
    look: &mut Look<'_, O>,
    cluster: &mut ClusterCapacity,
    batch: &[&String],
    counted: &mut TasksCounted,
) {
    let operation = DESCRIBE_CONTAINER_INSTANCES;
    let about = cluster.cluster.to_string();
    let request = look
        .observer
        .ecs()
        .describe_container_instances()
        .cluster(&about)
        .set_container_instances(Some(batch.iter().map(|it| (*it).clone()).collect()))
        .include(ContainerInstanceField::ContainerInstanceHealth)
        .send();
    let bucket = RateBucket::ClusterResourceRead;
    let answer = match look.call(bucket, operation, &about, request).await {
        Ok(answer) => answer,
        Err(gap) => {
            cluster.gaps.push(gap);
            return;
        }
    };
    let mut open: BTreeSet<&str> = batch.iter().map(|it| it.as_str()).collect();
    for answer in answer.container_instances() {
        if !open.remove(answer.container_instance_arn().unwrap_or_default()) {
            continue;
        }
        match read_instance::instance(answer) {
            Ok(instance) => {
                let tasks = [answer.running_tasks_count(), answer.pending_tasks_count()];
                let tasks = tasks.map(|it| u32::try_from(it).unwrap_or(0));
                counted.insert(
                    instance.arn.clone(),
                    tasks.into_iter().fold(0, u32::saturating_add),
                );
                cluster.instances.insert(instance.arn.clone(), instance);
            }
            Err(fault) => cluster.gaps.push(unreadable(operation, &about, &fault)),
        }
    }
    for failure in answer.failures() {
        let arn = failure.arn().unwrap_or_default();
        // An instance that was deregistered between the two calls is gone.
        if open.remove(arn) && failure.reason() != Some(MISSING) {
            let what = format!("container instance `{arn}`");
            cluster
                .gaps
                .push(of_failure(operation, &about, &what, failure));
        }
    }
    for arn in open {
        let detail =
            format!("container instance `{arn}`: the answer has neither it nor a failure for it");
        cluster.gaps.push(unreadable(operation, &about, &detail));
    }
}
