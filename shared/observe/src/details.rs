//! What a pair needs beyond its services: tasks, markets, the instances that tasks on Spot are on, scaling and stop timeouts.

use std::collections::{BTreeMap, BTreeSet};

use model::snapshot::{Gap, Pair, Service, Standby, TaskStatus};
use model::strategy::Market;
use model::{ClusterName, ContainerInstanceArn, ServiceKey, TaskDefinitionArn};

use crate::instances;
use crate::look::Look;
use crate::markets::{self, Markets, ProviderKey};
use crate::scaling;
use crate::services::{Capacity, Read, Reads};
use crate::task_definitions;
use crate::tasks;

/// Fills in the pairs, in the order of urgency: what is read last is what the invocation's time runs out for first.
pub(crate) async fn fill(
    look: &mut Look<'_>,
    pairs: &mut BTreeMap<ServiceKey, Pair>,
    reads: &Reads,
    running_in_cluster: &BTreeMap<ClusterName, usize>,
) {
    let services: BTreeMap<&ServiceKey, &Service> = pairs
        .values()
        .flat_map(services_of)
        .map(|service| (&service.key, service))
        .collect();
    let standbys: BTreeSet<&ServiceKey> = pairs
        .values()
        .filter_map(|pair| standby_of(pair).map(|standby| &standby.key))
        .collect();
    let providers = services
        .values()
        .flat_map(|service| open_providers(service, reads))
        .collect();

    let tasks = tasks::read(look, &services, &standbys, running_in_cluster).await;
    let markets = markets::read(look, &providers).await;
    let client = &look.observer.application_autoscaling;
    let scaled = scaling::read(look, client, &standbys).await;

    for pair in pairs.values_mut() {
        let mut gaps: BTreeSet<Gap> = pair.gaps.drain(..).collect();
        let standby = match &mut pair.standby {
            Standby::Present(standby) => Some(standby.as_mut()),
            Standby::Missing | Standby::Unknown => None,
        };
        for service in [Some(&mut pair.primary), standby].into_iter().flatten() {
            service.tasks = tasks.of(&service.key);
            service.all_to_run_read = tasks.all_to_run_read(&service.key);
            gaps.extend(tasks.gaps(&service.key).cloned());
            gaps.extend(fill_markets(service, &markets));
            service.scaled_by_application_auto_scaling = match scaled.get(&service.key) {
                Some(Ok(scaled)) => Some(*scaled),
                Some(Err(gap)) => {
                    gaps.insert(gap.clone());
                    None
                }
                None => None,
            };
        }
        pair.gaps = gaps.into_iter().collect();
    }
    fill_instances(look, pairs).await;
    fill_stop_timeouts(look, pairs).await;
}

/// Reads the status of the instances that primaries' tasks on Spot are on. Nobody else's matters: a pair on Fargate costs no call.
async fn fill_instances(look: &mut Look<'_>, pairs: &mut BTreeMap<ServiceKey, Pair>) {
    let mut wanted: BTreeMap<ClusterName, BTreeSet<ContainerInstanceArn>> = BTreeMap::new();
    for primary in pairs.values().map(|pair| &pair.primary) {
        let of_tasks = primary.tasks.iter();
        let of_tasks: Vec<_> = of_tasks
            .filter_map(|task| instances::on_spot(primary, task))
            .collect();
        if !of_tasks.is_empty() {
            let of_cluster = wanted.entry(primary.key.cluster.clone()).or_default();
            of_cluster.extend(of_tasks.into_iter().cloned());
        }
    }
    let statuses = instances::read(look, &wanted).await;
    for pair in pairs.values_mut() {
        let mut gaps = BTreeSet::new();
        let mut tasks = std::mem::take(&mut pair.primary.tasks);
        for task in &mut tasks {
            let instance = instances::on_spot(&pair.primary, task);
            match instance.and_then(|instance| statuses.get(instance)) {
                Some(Ok(status)) => task.instance_status = Some(*status),
                Some(Err(gap)) => _ = gaps.insert(gap.clone()),
                None => {}
            }
        }
        pair.primary.tasks = tasks;
        pair.gaps.extend(gaps);
    }
}

fn standby_of(pair: &Pair) -> Option<&Service> {
    match &pair.standby {
        Standby::Present(standby) => Some(standby),
        Standby::Missing | Standby::Unknown => None,
    }
}

fn services_of(pair: &Pair) -> impl Iterator<Item = &Service> {
    std::iter::once(&pair.primary).chain(standby_of(pair))
}

/// The providers of a service whose market its name does not tell. A launch type is no provider, even where a provider has the
/// same name.
fn open_providers(service: &Service, reads: &Reads) -> Vec<ProviderKey> {
    let by_strategy = matches!(
        reads.get(&service.key),
        Some(Read::Found(found)) if found.capacity == Capacity::Strategy
    );
    let open = service
        .capacity
        .iter()
        .filter(|share| by_strategy && share.market == Market::Unknown)
        .map(|share| (service.key.cluster.clone(), share.item.provider.clone()));
    open.collect()
}

/// Fills in the markets of a service's providers; the answer is what could not be found out.
fn fill_markets(service: &mut Service, markets: &Markets) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for share in &mut service.capacity {
        let key = (service.key.cluster.clone(), share.item.provider.clone());
        if share.market != Market::Unknown {
            continue;
        }
        match markets.get(&key) {
            Some(Ok(market)) => share.market = *market,
            Some(Err(gap)) => gaps.push(gap.clone()),
            None => {}
        }
    }
    gaps
}

/// Reads the stop timeouts of those primaries from which Spot is taking tasks now. Nobody else's matters, and a look at thousands
/// of pairs must not read as many task definitions.
async fn fill_stop_timeouts(look: &mut Look<'_>, pairs: &mut BTreeMap<ServiceKey, Pair>) {
    let wanted: BTreeSet<TaskDefinitionArn> = pairs
        .values()
        .map(|pair| &pair.primary)
        .filter(|primary| is_losing_tasks(primary))
        .map(|primary| primary.task_definition.clone())
        .filter(|arn| arn.as_str().starts_with("arn:"))
        .collect();
    let stop_timeouts = task_definitions::read(look, &wanted).await;
    for pair in pairs.values_mut() {
        match stop_timeouts.get(&pair.primary.task_definition) {
            Some(Ok(stop_timeout)) => pair.primary.stop_timeout = Some(*stop_timeout),
            Some(Err(gap)) if is_losing_tasks(&pair.primary) => pair.gaps.push(gap.clone()),
            Some(Err(_)) | None => {}
        }
    }
}

fn is_losing_tasks(service: &Service) -> bool {
    service.tasks.iter().any(|task| {
        task.interrupted && !task.desired_running && task.last_status != TaskStatus::Stopped
    })
}
