//! The services of a cluster whose tasks may run on its instances.

use std::collections::BTreeSet;

use model::ServiceKey;
use model::capacity::CapacityService;
use model::snapshot::ServiceStatus;

use crate::capacity::clusters::Opened;
use crate::capacity::{Eyes, Look, read_service};
use crate::limits::DESCRIBE_SERVICES_MAX;
use crate::services::{self as all_services, Read};

/// Reads the services of a cluster. Which of them run on EC2 only their description tells, so that each is described.
pub(crate) async fn read(look: &mut Look<'_>, opened: &mut Opened) {
    let ecs = &look.observer.ecs;
    let cluster = opened.capacity.cluster.clone();
    let keys = all_services::of_cluster(look, ecs, &cluster, &mut opened.capacity.gaps).await;
    describe(look, opened, &keys).await;
}

/// Describes these services of the cluster, and keeps those whose tasks may run on its instances.
pub(crate) async fn describe<O: Eyes>(
    look: &mut Look<'_, O>,
    opened: &mut Opened,
    keys: &BTreeSet<ServiceKey>,
) {
    let ecs = look.observer.ecs();
    let cluster = opened.capacity.cluster.clone();
    let keys: Vec<&ServiceKey> = keys.iter().collect();
    for batch in keys.chunks(DESCRIBE_SERVICES_MAX) {
        let reads = all_services::describe(look, ecs, &cluster, batch, |key, service| {
            read_service::service(key, service, |line| opened.on_instances(&line.provider))
        });
        for read in reads.await.into_values() {
            match read {
                Read::Found(Some(service)) => keep(opened, service),
                // It runs on Fargate, or it was deleted between the two calls.
                Read::Found(None) | Read::NotFound => {}
                Read::Unread(gap) => opened.capacity.gaps.push(gap),
            }
        }
    }
}

fn keep(opened: &mut Opened, service: CapacityService) {
    // A deleted service has no tasks and wants none.
    if service.status != ServiceStatus::Inactive {
        let services = &mut opened.capacity.services;
        services.insert(service.name.clone(), service);
    }
}
