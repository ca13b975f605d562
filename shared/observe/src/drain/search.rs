//! Where instances are registered.

use std::collections::{BTreeMap, BTreeSet};

use model::capacity::ContainerInstance;
use model::drain::DrainGroup;
use model::snapshot::Gap;
use model::{ClusterName, ContainerInstanceArn, InstanceId};

use crate::capacity::instances;
use crate::drain::Look;
use crate::drain::clusters::Searched;
use crate::limits::{EVERY_INSTANCE_MAX, INSTANCES_PER_PAGE, INSTANCES_PER_QUERY};

/// The instances that were not found, and might be where a call failed.
pub(crate) type Unsearched = BTreeMap<InstanceId, BTreeSet<Gap>>;

/// Looks for these instances in the clusters, one after the other, until all are found. The answer is what may have been missed.
pub(crate) async fn find(
    look: &mut Look<'_>,
    clusters: &mut BTreeMap<ClusterName, Searched>,
    wanted: &BTreeSet<InstanceId>,
) -> Unsearched {
    let mut unsearched = Unsearched::new();
    let mut open = wanted.clone();
    for searched in clusters.values_mut() {
        if open.is_empty() {
            break;
        }
        if !searched.may_hold_instances() {
            continue;
        }
        find_in(look, searched, &open, &mut unsearched).await;
        remove_found(searched, &mut open);
    }
    unsearched.retain(|id, _| open.contains(id));
    unsearched
}

/// Looks for instances in the whole of a cluster.
pub(crate) async fn find_in_every(
    look: &mut Look<'_>,
    searched: &mut Searched,
    open: &mut BTreeSet<InstanceId>,
    unsearched: &mut Unsearched,
) {
    let gaps_before = searched.opened.capacity.gaps.len();
    read_every(look, searched).await;
    remove_found(searched, open);
    note(searched, gaps_before, open.iter(), unsearched);
}

/// Takes off what is known to be registered in a cluster.
fn remove_found(searched: &Searched, open: &mut BTreeSet<InstanceId>) {
    for instance in searched.opened.capacity.instances.values() {
        if let Some(id) = &instance.ec2_instance {
            open.remove(id);
        }
    }
}

/// Looks for these instances in a cluster: by a query for each [`INSTANCES_PER_QUERY`], or in a list of all where that has fewer pages.
async fn find_in(
    look: &mut Look<'_>,
    searched: &mut Searched,
    wanted: &BTreeSet<InstanceId>,
    unsearched: &mut Unsearched,
) {
    let queries = wanted.len().div_ceil(INSTANCES_PER_QUERY);
    let registered = searched.about.as_ref().map(|it| it.instances);
    let registered = registered.and_then(|it| usize::try_from(it).ok());
    let gaps_before = searched.opened.capacity.gaps.len();
    if registered.is_some_and(|it| queries > it.div_ceil(INSTANCES_PER_PAGE)) {
        read_every(look, searched).await;
        note(searched, gaps_before, wanted, unsearched);
        return;
    }
    let mut arns = BTreeSet::new();
    let wanted: Vec<&InstanceId> = wanted.iter().collect();
    for batch in wanted.chunks(INSTANCES_PER_QUERY) {
        let gaps_before = searched.opened.capacity.gaps.len();
        let (cluster, query) = (&mut searched.opened.capacity, query(batch));
        instances::list(look, cluster, Some(&query), &mut arns).await;
        note(searched, gaps_before, batch.iter().copied(), unsearched);
    }
    let gaps_before = searched.opened.capacity.gaps.len();
    let cluster = &mut searched.opened.capacity;
    let counted = instances::describe(look, cluster, &arns).await;
    searched.tasks_counted.extend(counted);
    note(searched, gaps_before, wanted, unsearched);
}

/// Notes of these instances that they may have been missed, where reading left gaps.
fn note<'a>(
    searched: &Searched,
    gaps_before: usize,
    wanted: impl IntoIterator<Item = &'a InstanceId>,
    unsearched: &mut Unsearched,
) {
    let gaps = searched.opened.capacity.gaps.get(gaps_before..);
    let gaps = gaps.unwrap_or_default();
    if gaps.is_empty() {
        return;
    }
    for id in wanted {
        let of_instance = unsearched.entry(id.clone()).or_default();
        of_instance.extend(gaps.iter().cloned());
    }
}

/// A query of the cluster query language for these instances.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html>
fn query(ids: &[&InstanceId]) -> String {
    match ids {
        [one] => format!("ec2InstanceId == '{one}'"),
        _ => {
            let ids: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
            format!("ec2InstanceId in [{}]", ids.join(", "))
        }
    }
}

/// Reads every container instance of a cluster, as far as it was not read before.
pub(crate) async fn read_every(look: &mut Look<'_>, searched: &mut Searched) {
    let cluster = &mut searched.opened.capacity;
    let gaps_before = cluster.gaps.len();
    let mut arns = BTreeSet::new();
    instances::list(look, cluster, None, &mut arns).await;
    arns.retain(|arn| {
        let known: Result<ContainerInstanceArn, _> = arn.parse();
        !known.is_ok_and(|arn| cluster.instances.contains_key(&arn))
    });
    let counted = instances::describe(look, cluster, &arns).await;
    searched.has_every_instance = cluster.gaps.len() == gaps_before;
    searched.tasks_counted.extend(counted);
}

/// Reads every container instance of a cluster that has few of them.
pub(crate) async fn read_every_of_few(look: &mut Look<'_>, searched: &mut Searched) {
    let registered = searched.about.as_ref().map(|it| it.instances);
    if !searched.has_every_instance && registered.is_some_and(|it| it <= EVERY_INSTANCE_MAX) {
        read_every(look, searched).await;
    }
}

/// Where instances are registered.
pub(crate) type Places = BTreeMap<InstanceId, (ClusterName, ContainerInstanceArn)>;

/// Where each instance is registered. An agent that lost its state registers its instance anew: the one whose agent is connected counts,
/// and of several the one that registered last.
pub(crate) fn places(clusters: &BTreeMap<ClusterName, Searched>) -> Places {
    let rank = |it: &ContainerInstance| (it.agent_connected, it.registered_at, it.arn.clone());
    let mut best: BTreeMap<&InstanceId, (&ClusterName, &ContainerInstance)> = BTreeMap::new();
    for (cluster, searched) in clusters {
        for instance in searched.opened.capacity.instances.values() {
            let Some(id) = &instance.ec2_instance else {
                continue;
            };
            let other = best.get(id);
            if other.is_none_or(|(_, other)| rank(instance) > rank(other)) {
                best.insert(id, (cluster, instance));
            }
        }
    }
    best.into_iter()
        .map(|(id, (cluster, it))| (id.clone(), (cluster.clone(), it.arn.clone())))
        .collect()
}

/// Fills in where the instances of the groups are registered, as far as that is known.
pub(crate) fn register<'a>(
    groups: impl IntoIterator<Item = &'a mut DrainGroup>,
    clusters: &BTreeMap<ClusterName, Searched>,
) {
    let places = places(clusters);
    for looked in groups.into_iter().flat_map(|it| it.instances.values_mut()) {
        let Some((cluster, arn)) = places.get(&looked.id) else {
            continue;
        };
        let Some(searched) = clusters.get(cluster) else {
            continue;
        };
        looked.registered = Some((cluster.clone(), arn.clone()));
        looked.tasks_counted = searched.tasks_counted.get(arn).copied();
        if let Some(instance) = searched.opened.capacity.instances.get(arn) {
            let (instance_type, zone) = (&instance.instance_type, &instance.zone);
            looked.instance_type = looked.instance_type.take().or(instance_type.clone());
            looked.zone = looked.zone.take().or(zone.clone());
        }
    }
}

/// Leaves the gaps of instances that were not found at their groups.
pub(crate) fn leave_gaps<'a>(
    groups: impl IntoIterator<Item = &'a mut DrainGroup>,
    unsearched: &Unsearched,
) {
    for group in groups {
        let missing = group
            .instances
            .values()
            .filter(|it| it.registered.is_none());
        let gaps: BTreeSet<Gap> = missing
            .filter_map(|it| unsearched.get(&it.id))
            .flatten()
            .cloned()
            .collect();
        group.gaps.extend(gaps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instance_is_asked_for_by_name_and_several_by_a_list() {
        let ids: Vec<InstanceId> = ["i-1", "i-2"].map(|id| id.parse().unwrap()).to_vec();
        let ids: Vec<&InstanceId> = ids.iter().collect();
        assert_eq!(query(&ids[..1]), "ec2InstanceId == 'i-1'");
        assert_eq!(query(&ids), "ec2InstanceId in ['i-1', 'i-2']");
    }
}
