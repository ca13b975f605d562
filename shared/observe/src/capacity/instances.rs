//! The container instances of a cluster.

use std::collections::BTreeSet;

use aws_sdk_ecs::operation::list_container_instances::ListContainerInstancesOutput;
use aws_sdk_ecs::types::ContainerInstanceField;
use calls::RateBucket;
use model::capacity::ClusterCapacity;

use crate::capacity::{Look, read_instance};
use crate::limits::{DESCRIBE_CONTAINER_INSTANCES_MAX, LIST_CONTAINER_INSTANCES_PAGE};
use crate::look::{MISSING, of_failure, unreadable};

const LIST_CONTAINER_INSTANCES: &str = "ecs:ListContainerInstances";
const DESCRIBE_CONTAINER_INSTANCES: &str = "ecs:DescribeContainerInstances";

/// Reads every container instance of a cluster. Without a status ListContainerInstances lists all but INACTIVE ones.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListContainerInstances.html>
pub(crate) async fn read(look: &mut Look<'_>, cluster: &mut ClusterCapacity) {
    let about = cluster.cluster.to_string();
    let ecs = &look.observer.ecs;
    let send = |token| {
        ecs.list_container_instances()
            .cluster(&about)
            .max_results(LIST_CONTAINER_INSTANCES_PAGE)
            .set_next_token(token)
            .send()
    };
    let mut arns = BTreeSet::new();
    let take = |page: ListContainerInstancesOutput| {
        arns.extend(page.container_instance_arns.unwrap_or_default());
        page.next_token
    };
    let bucket = RateBucket::ClusterResourceRead;
    let read = look.pages(bucket, LIST_CONTAINER_INSTANCES, &about, send, take);
    let rest = read.await.err();
    cluster.gaps.extend(rest);
    describe(look, cluster, &arns).await;
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

async fn describe(look: &mut Look<'_>, cluster: &mut ClusterCapacity, arns: &BTreeSet<String>) {
    let arns: Vec<&String> = arns.iter().collect();
    for batch in arns.chunks(DESCRIBE_CONTAINER_INSTANCES_MAX) {
        describe_batch(look, cluster, batch).await;
    }
}

async fn describe_batch(look: &mut Look<'_>, cluster: &mut ClusterCapacity, batch: &[&String]) {
    let operation = DESCRIBE_CONTAINER_INSTANCES;
    let about = cluster.cluster.to_string();
    let request = look
        .observer
        .ecs
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
            Ok(instance) => _ = cluster.instances.insert(instance.arn.clone(), instance),
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
