//! The look at everything: every group and cluster that is opted in, with all their instances.

use std::collections::{BTreeMap, BTreeSet};

use model::drain::DrainKey;
use model::snapshot::{Gap, GapCause};
use model::{ClusterName, InstanceId};

use crate::drain::clusters::{self, Searched};
use crate::drain::membership::Members;
use crate::drain::search::{self, Unsearched};
use crate::drain::{Extent, Look, Seen, groups, hooks, outside, pools, strays};

/// Looks at the instances of every opted-in group, and at those in no group of these clusters where they are opted in; of all clusters
/// where none is named.
pub(crate) async fn look(look: &mut Look<'_>, named: &[ClusterName]) -> Seen {
    let mut seen = Seen::default();
    let (groups, pools) = groups::opted_in(look, &mut seen.gaps).await;
    seen.groups = groups;
    let waiting = pools::join(look, &mut seen.groups, pools).await;
    let in_scope: BTreeSet<ClusterName> = if named.is_empty() {
        clusters::installed(look, &mut seen.gaps).await
    } else {
        named.iter().cloned().collect()
    };
    seen.clusters = clusters::read(look, &in_scope, &mut seen.gaps).await;
    for cluster in &in_scope {
        let group = seen.clusters.get(cluster).and_then(Searched::group);
        if let Some(group) = group {
            seen.groups.insert(group.key.clone(), group);
        }
    }
    if seen.groups.is_empty() {
        return seen;
    }
    let unsearched = search_all(look, &in_scope, &mut seen).await;
    let mut members = read_strays(look, &mut seen).await;
    members.extend(waiting);
    seen.outside = outside::read(look, &seen, members).await;
    search::register(seen.groups.values_mut(), &seen.clusters);
    search::leave_gaps(seen.groups.values_mut(), &unsearched);
    if !look.observer.clusters.is_empty() {
        seen.prove_ours();
        leave_to_others(&mut seen);
    }
    seen.complete(look, Extent::Everything).await;
    seen
}

/// Leaves out the groups that point to none of these clusters. They carry the tag for an installation that looks after other clusters,
/// where their instances are registered. One of which an instance waits in a hook is kept: if it is nobody else's, nobody lets that go.
fn leave_to_others(seen: &mut Seen) {
    let all_known = seen.gaps.is_empty() && seen.clusters.values().all(|it| it.about.is_some());
    seen.groups.retain(|_, group| {
        !all_known || !group.gaps.is_empty() || group.is_proven_ours || hooks::waits(group)
    });
}

/// Reads all instances of the clusters in scope, until every instance of the groups is found, and in any case of every cluster that is opted in
/// or has a provider over an opted-in group: what such a group has let go may drain there. The answer is what may have been missed.
async fn search_all(
    look: &mut Look<'_>,
    in_scope: &BTreeSet<ClusterName>,
    seen: &mut Seen,
) -> Unsearched {
    for cluster in in_scope {
        if let Some(searched) = seen.clusters.get_mut(cluster)
            && searched.may_hold_instances()
        {
            clusters::read_providers(look, searched, &mut seen.groups).await;
        }
    }
    let mut open: BTreeSet<InstanceId> = seen.looked().map(|it| it.id.clone()).collect();
    let mut unsearched = Unsearched::new();
    let order = order(look, in_scope, seen);
    for (index, (cluster, is_related)) in order.iter().enumerate() {
        let Some(searched) = seen.clusters.get_mut(cluster) else {
            continue;
        };
        let key = DrainKey::Cluster {
            cluster: cluster.clone(),
        };
        let group = seen.groups.get_mut(&key);
        if !searched.may_hold_instances() || (open.is_empty() && !is_related) {
            continue;
        }
        if look.is_over() {
            // One gap for all that is left, not one for each.
            let gap = not_listed(cluster, order.len().saturating_sub(index));
            for id in &open {
                let of_instance = unsearched.entry(id.clone()).or_default();
                of_instance.insert(gap.clone());
            }
            seen.gaps.push(gap);
            break;
        }
        let gaps_before = searched.opened.capacity.gaps.len();
        search::find_in_every(look, searched, &mut open, &mut unsearched).await;
        if let Some(group) = group {
            let gaps = searched.opened.capacity.gaps.get(gaps_before..);
            group.gaps.extend(gaps.unwrap_or_default().iter().cloned());
        }
    }
    unsearched
}

/// The clusters in scope, and whether they are opted in or have a provider over an opted-in group: those first. With each minute of AWS's time
/// another one is the first of its kind.
fn order(
    look: &Look<'_>,
    in_scope: &BTreeSet<ClusterName>,
    seen: &Seen,
) -> Vec<(ClusterName, bool)> {
    let mut order: Vec<ClusterName> = in_scope.iter().cloned().collect();
    let first = crate::first_of(order.len(), look.now());
    order.rotate_left(first);
    let is_related = |cluster: &ClusterName| {
        let Some(searched) = seen.clusters.get(cluster) else {
            return false;
        };
        let mut over = searched.over.iter();
        let key = DrainKey::Cluster {
            cluster: cluster.clone(),
        };
        seen.groups.contains_key(&key)
            || over.any(|group| {
                let group = group.clone();
                seen.groups.contains_key(&DrainKey::Group { group })
            })
    };
    let with_relation = order.into_iter().map(|cluster| {
        let is_related = is_related(&cluster);
        (cluster, is_related)
    });
    let mut order: Vec<(ClusterName, bool)> = with_relation.collect();
    order.sort_by_key(|(_, is_related)| !is_related);
    order
}

/// The gap of the clusters that no time was left for.
fn not_listed(first: &ClusterName, clusters: usize) -> Gap {
    Gap {
        operation: crate::capacity::instances::LIST_CONTAINER_INSTANCES.to_owned(),
        resource: first.to_string(),
        cause: GapCause::OutOfTime,
        detail: format!(
            "not sent for this and {} further clusters",
            clusters.saturating_sub(1)
        ),
    }
}

/// The instances of the groups' warm pools, as far as these were read.
fn of_pools(seen: &Seen) -> impl Iterator<Item = &InstanceId> {
    let groups = seen.groups.values().filter(|it| it.group.is_some());
    groups.flat_map(|it| it.instances.keys().chain(&it.in_warm_pool))
}

/// Reads which instances of the opted-in clusters are in no group. The answer is the groups of the others.
async fn read_strays(look: &mut Look<'_>, seen: &mut Seen) -> Members {
    let of_groups = seen.groups.values().filter_map(|it| it.group.as_ref());
    let listed = of_groups.flat_map(|it| it.instances.keys());
    let known: BTreeSet<InstanceId> = listed.chain(of_pools(seen)).cloned().collect();
    let clusters: &BTreeMap<ClusterName, Searched> = &seen.clusters;
    let mut members = Members::new();
    for (key, group) in &mut seen.groups {
        if let DrainKey::Cluster { cluster } = key
            && let Some(searched) = clusters.get(cluster)
        {
            members.extend(strays::read(look, searched, &known, group).await);
        }
    }
    members
}
