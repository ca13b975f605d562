//! The Auto Scaling groups under services whose tasks do not all run: how far each is from its maximum.

use std::collections::{BTreeMap, BTreeSet};

use model::snapshot::{Gap, GapCause, Service};
use model::strategy::{FARGATE, FARGATE_SPOT};
use model::tracking::{Fleet, GroupLimit, TrackingKey};
use model::{AutoScalingGroupName, CapacityProviderName, ClusterName};

use crate::limits::{DESCRIBE_AUTO_SCALING_GROUPS_MAX, DESCRIBE_CAPACITY_PROVIDERS_MAX};
use crate::look::{MISSING, unreadable};
use crate::markets::{self, DESCRIBE_AUTO_SCALING_GROUPS, Found, ProviderKey};
use crate::read_service::count;
use crate::tracking::question::policy_in_force;
use crate::tracking::{Look, Seen};

/// A provider's group and its market, or why they are not known. `None`: no group is under it.
type OfProvider = Result<Option<(GroupLimit, model::strategy::Market)>, Gap>;

/// Reads the groups under the services whose tasks do not all run.
pub(crate) async fn read(look: &mut Look<'_>, seen: &mut Seen) {
    let mut wanted: BTreeMap<ClusterName, BTreeSet<CapacityProviderName>> = BTreeMap::new();
    for (key, tracked) in &seen.tracked {
        if lacks_tasks(&tracked.fleet) {
            let of_cluster = wanted.entry(key.0.cluster.clone()).or_default();
            of_cluster.extend(providers(&tracked.fleet.primary).cloned());
        }
    }
    wanted.retain(|_, names| !names.is_empty());
    let found = describe(look, &wanted).await;
    for (key, tracked) in &mut seen.tracked {
        if lacks_tasks(&tracked.fleet) {
            enter(key, &mut tracked.fleet, &found);
        }
    }
}

/// Whether tasks are asked for that do not run. One that is pending may wait for an instance, which nothing in the service's log says.
fn lacks_tasks(fleet: &Fleet) -> bool {
    let primary = &fleet.primary;
    let is_short = primary.desired_count > primary.running_count || primary.pending_count > 0;
    policy_in_force(fleet).is_some() && is_short
}

/// The providers of a service that may be over groups.
fn providers(service: &Service) -> impl Iterator<Item = &CapacityProviderName> {
    // A launch type is no provider.
    const LAUNCH_TYPES: [&str; 3] = ["EC2", "EXTERNAL", "MANAGED_INSTANCES"];
    let names = service.capacity.iter().map(|it| &it.item.provider);
    names.filter(|it| {
        let name = it.as_str();
        name != FARGATE && name != FARGATE_SPOT && !LAUNCH_TYPES.contains(&name)
    })
}

async fn describe(
    look: &mut Look<'_>,
    wanted: &BTreeMap<ClusterName, BTreeSet<CapacityProviderName>>,
) -> BTreeMap<ProviderKey, OfProvider> {
    let (ecs, autoscaling) = (&look.observer.ecs, &look.observer.autoscaling);
    let mut found: BTreeMap<ProviderKey, OfProvider> = BTreeMap::new();
    let mut over: BTreeMap<AutoScalingGroupName, Vec<ProviderKey>> = BTreeMap::new();
    for (cluster, names) in wanted {
        let names: Vec<&CapacityProviderName> = names.iter().collect();
        for batch in names.chunks(DESCRIBE_CAPACITY_PROVIDERS_MAX) {
            for (name, read) in markets::describe(look, ecs, cluster, batch).await {
                let key = (cluster.clone(), name);
                match read.map(|provider| markets::of_provider(&provider)) {
                    Ok(Found::Group(group)) => over.entry(group).or_default().push(key),
                    // It is not over a group.
                    Ok(Found::Market(Ok(_))) => _ = found.insert(key, Ok(None)),
                    Ok(Found::Market(Err(gap))) | Err(gap) => _ = found.insert(key, Err(gap)),
                }
            }
        }
    }
    let names: Vec<&AutoScalingGroupName> = over.keys().collect();
    for batch in names.chunks(DESCRIBE_AUTO_SCALING_GROUPS_MAX) {
        for (name, read) in markets::groups(look, autoscaling, batch).await {
            let read = read.and_then(|group| {
                let group = group.ok_or_else(|| missing(&name))?;
                let number = |what: &str, number: Option<i32>| {
                    let number = number.ok_or_else(|| format!("`{what}` is missing"));
                    let number = number.and_then(|it| count(what, it));
                    let gap = |fault: String| {
                        unreadable(DESCRIBE_AUTO_SCALING_GROUPS, name.as_str(), &fault)
                    };
                    number.map_err(gap)
                };
                let limit = GroupLimit {
                    group: name.clone(),
                    desired_capacity: number("DesiredCapacity", group.desired_capacity())?,
                    max_size: number("MaxSize", group.max_size())?,
                };
                Ok(Some((limit, markets::of_group(&group))))
            });
            for key in over.get(&name).into_iter().flatten() {
                found.insert(key.clone(), read.clone());
            }
        }
    }
    found
}

fn missing(name: &AutoScalingGroupName) -> Gap {
    Gap {
        operation: DESCRIBE_AUTO_SCALING_GROUPS.to_owned(),
        resource: name.to_string(),
        cause: GapCause::NotFound,
        detail: format!("{MISSING}: the answer does not have the group"),
    }
}

fn enter(key: &TrackingKey, fleet: &mut Fleet, found: &BTreeMap<ProviderKey, OfProvider>) {
    let cluster = &key.0.cluster;
    for line in &mut fleet.primary.capacity {
        let name = &line.item.provider;
        match found.get(&(cluster.clone(), name.clone())) {
            Some(Ok(Some((limit, market)))) => {
                line.market = *market;
                fleet.groups.insert(name.clone(), limit.clone());
            }
            Some(Err(gap)) if !fleet.gaps.contains(gap) => fleet.gaps.push(gap.clone()),
            Some(Ok(None) | Err(_)) | None => {}
        }
    }
}
