//! Reading services: by name, and every service of a cluster.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::list_clusters::ListClustersOutput;
use aws_sdk_ecs::operation::list_services::ListServicesOutput;
use aws_sdk_ecs::types::{self as ecs, ServiceField};
use calls::RateBucket;
use model::snapshot::{Gap, GapCause, Service};
use model::{ClusterName, ServiceKey};

use crate::limits::{
    DESCRIBE_SERVICES_MAX, LIST_CLUSTERS_PAGE, LIST_SERVICES_PAGE, SERVICE_NAME_CHARACTERS_MAX,
};
use crate::look::{Look, MISSING, of_failure, unreadable};
use crate::read_service;

const DESCRIBE_SERVICES: &str = "ecs:DescribeServices";
const LIST_CLUSTERS: &str = "ecs:ListClusters";
const LIST_SERVICES: &str = "ecs:ListServices";

/// What became of reading a service.
#[derive(Debug)]
pub(crate) enum Read<T = Box<Found>> {
    /// It was read.
    Found(T),
    /// AWS says that it does not exist.
    NotFound,
    /// It could not be read.
    Unread(Gap),
}

/// A service that was read.
#[derive(Debug)]
pub(crate) struct Found {
    /// The service.
    pub(crate) service: Service,
    /// What its lines of capacity are.
    pub(crate) capacity: Capacity,
}

/// What says where a service's tasks may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capacity {
    /// A capacity provider strategy.
    Strategy,
    /// A launch type, or nothing.
    LaunchType,
}

/// Services by what became of reading them.
pub(crate) type Reads = BTreeMap<ServiceKey, Read>;

/// Reads these services, as far as they have not been read, and adds them to `reads`. Every key is in `reads` afterwards.
pub(crate) async fn read(look: &mut Look<'_>, keys: &BTreeSet<ServiceKey>, reads: &mut Reads) {
    let mut by_cluster: BTreeMap<&ClusterName, Vec<&ServiceKey>> = BTreeMap::new();
    for key in keys {
        if reads.contains_key(key) {
            continue;
        }
        if could_exist(key) {
            by_cluster.entry(&key.cluster).or_default().push(key);
        } else {
            // One name that AWS refuses would fail the whole batch.
            reads.insert(key.clone(), Read::NotFound);
        }
    }
    for (cluster, keys) in by_cluster {
        for batch in keys.chunks(DESCRIBE_SERVICES_MAX) {
            read_batch(look, cluster, batch, reads).await;
        }
    }
}

/// Whether AWS could have made a service of this name.
pub(crate) fn could_exist(key: &ServiceKey) -> bool {
    let name = key.service.as_str();
    name.len() <= SERVICE_NAME_CHARACTERS_MAX
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

async fn read_batch(
    look: &mut Look<'_>,
    cluster: &ClusterName,
    batch: &[&ServiceKey],
    reads: &mut Reads,
) {
    let ecs = &look.observer.ecs;
    let of_batch = describe(look, ecs, cluster, batch, |key, service| {
        Ok(Box::new(Found {
            service: read_service::service(key, service)?,
            capacity: if service.capacity_provider_strategy().is_empty() {
                Capacity::LaunchType
            } else {
                Capacity::Strategy
            },
        }))
    });
    reads.extend(of_batch.await);
}

/// Describes at most [`DESCRIBE_SERVICES_MAX`] services of a cluster. Every key is in the answer; `found` reads a service, or says in
/// words what it lacks.
pub(crate) async fn describe<O, T>(
    look: &mut Look<'_, O>,
    ecs: &Client,
    cluster: &ClusterName,
    batch: &[&ServiceKey],
    found: impl Fn(&ServiceKey, &ecs::Service) -> Result<T, String>,
) -> BTreeMap<ServiceKey, Read<T>> {
    let mut reads = BTreeMap::new();
    let names: Vec<String> = batch.iter().map(|key| key.service.to_string()).collect();
    let about = match batch {
        [one] => one.to_string(),
        _ => cluster.to_string(),
    };
    let request = ecs
        .describe_services()
        .cluster(cluster.as_str())
        .set_services(Some(names))
        .include(ServiceField::Tags)
        .send();
    let answer = look
        .call(RateBucket::ServiceRead, DESCRIBE_SERVICES, &about, request)
        .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(gap) => {
            for key in batch {
                reads.insert((*key).clone(), Read::Unread(gap.clone()));
            }
            return reads;
        }
    };
    let asked = |name: &str| batch.iter().find(|key| key.service.as_str() == name);
    for failure in answer.failures() {
        // The ARN ends with the name, whether or not it names the cluster.
        let arn = failure.arn().unwrap_or_default();
        let Some(key) = asked(arn.rsplit('/').next().unwrap_or(arn)) else {
            continue;
        };
        let read = if failure.reason() == Some(MISSING) {
            Read::NotFound
        } else {
            let what = format!("service `{}`", key.service);
            Read::Unread(of_failure(
                DESCRIBE_SERVICES,
                &key.to_string(),
                &what,
                failure,
            ))
        };
        reads.insert((*key).clone(), read);
    }
    for service in answer.services() {
        let Some(key) = service.service_name().and_then(asked) else {
            continue;
        };
        let read = match found(key, service) {
            Ok(read) => Read::Found(read),
            Err(fault) => Read::Unread(unreadable(DESCRIBE_SERVICES, &key.to_string(), &fault)),
        };
        reads.insert((*key).clone(), read);
    }
    for key in batch {
        reads.entry((*key).clone()).or_insert_with(|| {
            let detail = "the answer has neither the service nor a failure for it";
            Read::Unread(unreadable(DESCRIBE_SERVICES, &key.to_string(), detail))
        });
    }
    reads
}

/// Lists every cluster of the account and Region, as far as it can be done.
pub(crate) async fn clusters<O>(
    look: &mut Look<'_, O>,
    ecs: &Client,
    gaps: &mut Vec<Gap>,
) -> BTreeSet<ClusterName> {
    let mut clusters = BTreeSet::new();
    let send = |token| {
        ecs.list_clusters()
            .max_results(LIST_CLUSTERS_PAGE)
            .set_next_token(token)
            .send()
    };
    let take = |page: ListClustersOutput| {
        for arn in page.cluster_arns() {
            match ClusterName::from_arn_or_name(arn) {
                Ok(cluster) => _ = clusters.insert(cluster),
                Err(error) => gaps.push(unreadable(LIST_CLUSTERS, "*", &error.to_string())),
            }
        }
        page.next_token
    };
    let read = look
        .pages(RateBucket::ClusterRead, LIST_CLUSTERS, "*", send, take)
        .await;
    gaps.extend(read.err());
    clusters
}

/// Lists every service of a cluster, as far as it can be done.
pub(crate) async fn of_cluster<O>(
    look: &mut Look<'_, O>,
    ecs: &Client,
    cluster: &ClusterName,
    gaps: &mut Vec<Gap>,
) -> BTreeSet<ServiceKey> {
    let about = cluster.as_str();
    let mut keys = BTreeSet::new();
    let send = |token| {
        ecs.list_services()
            .cluster(about)
            .max_results(LIST_SERVICES_PAGE)
            .set_next_token(token)
            .send()
    };
    let take = |page: ListServicesOutput| {
        for arn in page.service_arns() {
            match ServiceKey::from_service_arn(arn, Some(cluster)) {
                Ok(key) => _ = keys.insert(ServiceKey::new(cluster.clone(), key.service)),
                Err(error) => gaps.push(unreadable(LIST_SERVICES, about, &error.to_string())),
            }
        }
        page.next_token
    };
    let read = look
        .pages(RateBucket::ServiceRead, LIST_SERVICES, about, send, take)
        .await;
    gaps.extend(read.err());
    keys
}

/// The gap of the clusters that no time was left for.
pub(crate) fn not_listed(first: &ClusterName, clusters: usize) -> Gap {
    Gap {
        operation: LIST_SERVICES.to_owned(),
        resource: first.to_string(),
        cause: GapCause::OutOfTime,
        detail: format!(
            "not sent for this and {} further clusters",
            clusters.saturating_sub(1)
        ),
    }
}
