//! Which services are tracked, and what serves beside them.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types as ecs;
use model::policy::{TAG_STANDBY, TAG_STANDBY_OF};
use model::settings::Setting;
use model::snapshot::{PassedOver, Service, Standby};
use model::tracking::policy::TAG_SERVICE_SCALER;
use model::tracking::{Fleet, TrackingKey, TrackingPolicy};
use model::{ClusterName, ServiceKey};

use crate::limits::DESCRIBE_SERVICES_MAX;
use crate::pairs::Untagged;
use crate::read_service;
use crate::services::{self, Read};
use crate::tracking::limits::MINUTE;
use crate::tracking::{Look, Seen, Tracked};

/// A service that was read.
#[derive(Debug)]
pub(crate) struct Found {
    service: Service,
    /// The target groups that its tasks register with, as CloudWatch names them: `targetgroup/<name>/<id>`.
    target_groups: BTreeSet<String>,
}

/// Services by what became of reading them.
pub(crate) type Reads = BTreeMap<ServiceKey, Read<Found>>;

/// Reads these services, as far as they have not been read, and adds them to `reads`. Every key is in `reads` afterwards.
pub(crate) async fn read(look: &mut Look<'_>, keys: &BTreeSet<ServiceKey>, reads: &mut Reads) {
    let ecs = &look.observer.ecs;
    let mut by_cluster: BTreeMap<&ClusterName, Vec<&ServiceKey>> = BTreeMap::new();
    for key in keys {
        if reads.contains_key(key) {
            continue;
        }
        if services::could_exist(key) {
            by_cluster.entry(&key.cluster).or_default().push(key);
        } else {
            reads.insert(key.clone(), Read::NotFound);
        }
    }
    for (cluster, keys) in by_cluster {
        for batch in keys.chunks(DESCRIBE_SERVICES_MAX) {
            let described = services::describe(look, ecs, cluster, batch, |key, answer| {
                Ok(Found {
                    service: read_service::service(key, answer)?,
                    target_groups: target_groups(answer),
                })
            });
            reads.extend(described.await);
        }
    }
}

/// The distinct target groups of a service, of its task sets too. ECS's own blue/green deployments shift the traffic between two groups, of
/// which the description does not tell the one that has it.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AdvancedConfiguration.html>
fn target_groups(answer: &ecs::Service) -> BTreeSet<String> {
    let of_task_sets = answer.task_sets().iter().flat_map(|it| it.load_balancers());
    let balancers = answer.load_balancers().iter().chain(of_task_sets);
    balancers
        .flat_map(|it| {
            let advanced = it.advanced_configuration();
            let alternate = advanced.and_then(|it| it.alternate_target_group_arn());
            [it.target_group_arn(), alternate]
        })
        .filter_map(|arn| {
            // `arn:…:targetgroup/<name>/<id>`; a Classic Load Balancer has no target group.
            let (_, name) = arn?.split_once(":targetgroup/")?;
            Some(format!("targetgroup/{name}"))
        })
        .collect()
}

/// The services that belong to `subjects` and must be read too: the standby of a tracked service, and the primary of a standby.
pub(crate) fn partners(subjects: &BTreeSet<ServiceKey>, reads: &Reads) -> BTreeSet<ServiceKey> {
    let partner = |key: &ServiceKey| {
        let service = &found(reads, key)?.service;
        let is_tracked = service.tags.contains_key(TAG_SERVICE_SCALER.name);
        let standby = is_tracked
            .then(|| named_by(service, &TAG_STANDBY))
            .flatten();
        standby.or_else(|| named_by(service, &TAG_STANDBY_OF))
    };
    subjects.iter().filter_map(partner).collect()
}

/// Joins services to fleets. Every subject is in a fleet or passed over, or carries no tag of the function and is left out.
pub(crate) fn join(
    subjects: &BTreeSet<ServiceKey>,
    mut reads: Reads,
    untagged: Untagged,
    seen: &mut Seen,
) {
    let mut accounted: BTreeSet<ServiceKey> = BTreeSet::new();
    let tracked: BTreeSet<ServiceKey> = subjects
        .iter()
        .flat_map(|key| [Some(key.clone()), primary_of(&reads, key)])
        .flatten()
        .filter(|key| found(&reads, key).is_some_and(is_tracked))
        .collect();
    for key in tracked {
        if let Some((tracked, standby)) = fleet(&key, &mut reads) {
            accounted.extend(standby);
            accounted.insert(key.clone());
            seen.tracked.insert(TrackingKey(key), tracked);
        }
    }
    for key in subjects {
        if accounted.contains(key) {
            continue;
        }
        let why = match reads.get(key) {
            Some(Read::NotFound) => PassedOver::NotFound,
            Some(Read::Unread(gap)) => PassedOver::Unread { gap: gap.clone() },
            Some(Read::Found(_)) | None => match untagged {
                Untagged::PassedOver => PassedOver::NotOptedIn,
                Untagged::LeftOut => continue,
            },
        };
        seen.passed_over.insert(key.clone(), why);
    }
}

fn is_tracked(found: &Found) -> bool {
    found.service.tags.contains_key(TAG_SERVICE_SCALER.name)
}

/// The primary of a standby, where each names the other.
fn primary_of(reads: &Reads, key: &ServiceKey) -> Option<ServiceKey> {
    let primary = named_by(&found(reads, key)?.service, &TAG_STANDBY_OF)?;
    let names = named_by(&found(reads, &primary)?.service, &TAG_STANDBY)?;
    (names == *key).then_some(primary)
}

/// The fleet of a tracked service, without what is measured, and its standby's key where its tag names one.
fn fleet(key: &ServiceKey, reads: &mut Reads) -> Option<(Tracked, Option<ServiceKey>)> {
    let tags = &found(reads, key)?.service.tags;
    let policy = TrackingPolicy::from_tags(tags)?;
    let is_paired = tags.contains_key(TAG_STANDBY.name);
    let standby_key = named_by(&found(reads, key)?.service, &TAG_STANDBY);
    let mut gaps = Vec::new();
    let standby = is_paired.then(|| match standby_key.as_ref().and_then(|it| reads.get(it)) {
        Some(Read::Found(found)) => Standby::Present(Box::new(found.service.clone())),
        Some(Read::NotFound) => Standby::Missing,
        Some(Read::Unread(gap)) => {
            gaps.push(gap.clone());
            Standby::Unknown
        }
        None => Standby::Unknown,
    });
    let found = found(reads, key)?;
    let resolution = policy.as_ref().map_or(MINUTE, |it| it.metric_resolution);
    let tracked = Tracked {
        target_groups: found.target_groups.clone(),
        fleet: Fleet {
            primary: found.service.clone(),
            standby,
            policy,
            readings: BTreeMap::new(),
            task_counts: Vec::new(),
            season_task_counts: Vec::new(),
            resolution,
            groups: BTreeMap::new(),
            gaps,
        },
    };
    Some((tracked, standby_key))
}

fn found<'a>(reads: &'a Reads, key: &ServiceKey) -> Option<&'a Found> {
    match reads.get(key)? {
        Read::Found(found) => Some(found),
        Read::NotFound | Read::Unread(_) => None,
    }
}

/// The service in the same cluster that a tag names.
fn named_by(service: &Service, tag: &Setting) -> Option<ServiceKey> {
    let name = service.tags.get(tag.name)?.parse().ok()?;
    Some(ServiceKey::new(service.key.cluster.clone(), name))
}
