//! The look at instances that events named, and at all instances of single groups.

use std::collections::{BTreeMap, BTreeSet};

use model::drain::{DrainGroup, DrainKey, InstancePassedOver, LookedInstance};
use model::snapshot::Gap;
use model::{AutoScalingGroupName, ClusterName, InstanceId};

use crate::drain::clusters::{self, Searched};
use crate::drain::groups::{self, Described};
use crate::drain::membership::{self, Member, Members};
use crate::drain::pools::{self, Pool};
use crate::drain::search::{self, Unsearched};
use crate::drain::{Extent, Look, Seen, stops_tasks, strays};
use crate::limits::{DESCRIBE_AUTO_SCALING_INSTANCES_MAX, INSTANCES_ASKED_MAX};
use crate::look::unreadable;

/// What is asked about.
#[derive(Debug, Default)]
struct Asked {
    instances: BTreeSet<InstanceId>,
    /// Those of them of which it was said only that they drain or are gone.
    draining: BTreeSet<InstanceId>,
    groups: BTreeSet<AutoScalingGroupName>,
    clusters: BTreeSet<ClusterName>,
}

/// Looks at these instances, and at all instances of these groups; at those that drain only where something waits for them.
pub(crate) async fn look(
    look: &mut Look<'_>,
    instances: &BTreeSet<InstanceId>,
    draining: &BTreeSet<InstanceId>,
    groups: &BTreeSet<DrainKey>,
) -> Seen {
    let mut seen = Seen::default();
    let asked = Asked::new(instances, draining, groups);
    let (members, every) = members_of(look, &asked, &mut seen).await;
    let in_no_group = place(look, members, &asked.groups, &mut seen).await;
    read_pools(look, &asked.groups, &mut seen).await;
    leave_to_schedule(&asked, &mut seen);
    let mut wanted = in_no_group.clone();
    wanted.extend(seen.looked().map(|it| it.id.clone()));
    if wanted.is_empty() && asked.clusters.is_empty() {
        return seen;
    }
    let installed = clusters::installed(look, &mut seen.gaps).await;
    seen.clusters = clusters::read(look, &installed, &mut seen.gaps).await;
    let unsearched = search::find(look, &mut seen.clusters, &wanted).await;
    let in_no_group = match every {
        Some(every) => look_into_pools(look, in_no_group, &every, &asked, &mut seen).await,
        None => in_no_group,
    };
    read_providers(look, &wanted, &asked.clusters, &mut seen).await;
    place_in_clusters(&in_no_group, &unsearched, &mut seen);
    if !look.observer.clusters.is_empty() {
        search::register(seen.groups.values_mut(), &seen.clusters);
        seen.prove_ours();
    }
    for cluster in &asked.clusters {
        read_cluster(look, cluster, &asked.instances, &mut seen).await;
    }
    search::leave_gaps(seen.groups.values_mut(), &unsearched);
    seen.complete(look, Extent::Named).await;
    seen
}

impl Asked {
    /// Takes the question apart. Of the instances that drain as many are looked at as there is room for beside the others; the rest goes
    /// without a word: the schedule's look sees them.
    fn new(
        instances: &BTreeSet<InstanceId>,
        draining: &BTreeSet<InstanceId>,
        groups: &BTreeSet<DrainKey>,
    ) -> Self {
        let mut asked = Self {
            instances: instances.clone(),
            ..Self::default()
        };
        for key in groups {
            match key {
                DrainKey::Group { group } => _ = asked.groups.insert(group.clone()),
                DrainKey::Cluster { cluster } => _ = asked.clusters.insert(cluster.clone()),
                DrainKey::Instance { instance } => _ = asked.instances.insert(instance.clone()),
            }
        }
        let left = INSTANCES_ASKED_MAX.saturating_sub(asked.instances.len());
        let draining = draining.difference(&asked.instances);
        asked.draining = draining.take(left).cloned().collect();
        asked.instances.extend(asked.draining.iter().cloned());
        asked
    }
}

/// Leaves out the instances of groups of which it was said only that they drain, where nothing waits for them: they are in no hook, and none
/// of their tasks may be stopped.
fn leave_to_schedule(asked: &Asked, seen: &mut Seen) {
    let passed_over = &mut seen.passed_over;
    seen.groups.retain(|_, of| {
        let Some(group) = of.group.as_ref().map(|it| it.name.clone()) else {
            return true;
        };
        let is_named = asked.groups.contains(&group);
        if is_named || stops_tasks(of) {
            return true;
        }
        of.instances.retain(|id, instance| {
            let waits = instance.member.as_ref().is_some_and(|it| it.waits_in_hook);
            let is_left = asked.draining.contains(id) && !waits;
            if is_left {
                let group = group.clone();
                passed_over.insert(id.clone(), InstancePassedOver::LeftToSchedule { group });
            }
            !is_left
        });
        !of.instances.is_empty()
    });
}

/// The warm pools, where all groups were listed.
#[derive(Debug)]
struct EveryPool {
    /// Those of the groups that are opted in.
    of_opted_in: Vec<Pool>,
    /// Those of the others.
    of_others: Vec<Pool>,
}

/// Finds out the groups of the instances. Where one call does not tell those of all, the groups that are opted in are listed first, which are
/// few, and the others are asked about by their ids; of very many all groups are listed. Those that are in a listed group are put into it; the
/// answer is the others, and the warm pools that they may be in: `None` where they were asked about by their ids.
async fn members_of(
    look: &mut Look<'_>,
    asked: &Asked,
    seen: &mut Seen,
) -> (Members, Option<EveryPool>) {
    let mut open = asked.instances.clone();
    if open.len() <= DESCRIBE_AUTO_SCALING_INSTANCES_MAX {
        return (membership::read(look, &open).await, None);
    }
    if open.len() <= INSTANCES_ASKED_MAX {
        let (opted_in, pools) = groups::opted_in(look, &mut seen.gaps).await;
        put_into(opted_in, &mut open, asked, seen);
        seen.pools.extend(pools);
        return (membership::read(look, &open).await, None);
    }
    let every = groups::every(look, &open).await;
    put_into(every.opted_in, &mut open, asked, seen);
    seen.pools.extend(every.pools.iter().cloned());
    open.retain(|id| !every.others.contains_key(id));
    seen.passed_over.extend(every.others);
    let rest = every.rest;
    seen.gaps.extend(rest.clone());
    let of_rest = || rest.clone().map_or(Ok(None), Err);
    let members = open.into_iter().map(|id| (id, of_rest())).collect();
    let pools = EveryPool {
        of_opted_in: every.pools,
        of_others: every.other_pools,
    };
    (members, Some(pools))
}

/// Reads the warm pools of the groups that were named themselves.
async fn read_pools(
    look: &mut Look<'_>,
    groups_named: &BTreeSet<AutoScalingGroupName>,
    seen: &mut Seen,
) {
    let mut pools = std::mem::take(&mut seen.pools);
    pools.retain(|it| groups_named.contains(&it.group));
    pools.sort_by(|a, b| a.group.cmp(&b.group));
    // One of which an instance was found by its id was described twice.
    pools.dedup_by(|a, b| a.group == b.group);
    // Where the others are matters to a look at everything only.
    _ = pools::join(look, &mut seen.groups, pools).await;
}

/// No list of groups shows a warm pool: instances in no listed group may be in one. Those of the groups that are opted in are read first, until
/// every instance is found: one may wait in a hook on its way out. Then, where instances are left that a cluster would look after, the pools of
/// the other groups, or these instances are asked about by their ids where that takes no more calls. What may be in a pool that was not read
/// is unread. The answer is the instances in no group.
async fn look_into_pools(
    look: &mut Look<'_>,
    mut in_no_group: BTreeSet<InstanceId>,
    every: &EveryPool,
    asked: &Asked,
    seen: &mut Seen,
) -> BTreeSet<InstanceId> {
    let (mut members, unread) = pools::find(look, &every.of_opted_in, &mut in_no_group).await;
    if let Some(gap) = unread {
        let unread = std::mem::take(&mut in_no_group).into_iter();
        members.extend(unread.map(|id| (id, Err(gap.clone()))));
    }
    let places = search::places(&seen.clusters);
    let is_opted_in =
        |it: &ClusterName| (seen.clusters.get(it)).is_some_and(|it| it.group().is_some());
    let would_be_its = |id: &InstanceId| places.get(id).is_some_and(|(it, _)| is_opted_in(it));
    let (mut strays, mut others): (BTreeSet<InstanceId>, BTreeSet<InstanceId>) =
        in_no_group.into_iter().partition(would_be_its);
    let calls_by_id = strays.len().div_ceil(DESCRIBE_AUTO_SCALING_INSTANCES_MAX);
    if every.of_others.is_empty() {
        others.append(&mut strays);
    } else if calls_by_id <= pools::pages(&every.of_others) {
        members.extend(membership::read(look, &strays).await);
    } else {
        let (found, unread) = pools::find(look, &every.of_others, &mut strays).await;
        members.extend(found);
        let of_unread = || unread.clone().map_or(Ok(None), Err);
        members.extend(strays.into_iter().map(|id| (id, of_unread())));
    }
    others.extend(place(look, members, &asked.groups, seen).await);
    others
}

/// Puts instances into the groups that they are in, and takes them off what is `open`.
fn put_into(
    groups: BTreeMap<DrainKey, DrainGroup>,
    open: &mut BTreeSet<InstanceId>,
    asked: &Asked,
    seen: &mut Seen,
) {
    for (key, mut group) in groups {
        let of_group = group.group.as_ref();
        let is_named = of_group.is_some_and(|it| asked.groups.contains(&it.name));
        group.instances.retain(|id, _| open.remove(id) || is_named);
        if is_named || !group.instances.is_empty() {
            seen.groups.insert(key, group);
        }
    }
}

/// Puts the instances into their groups. The answer is the instances in no group.
async fn place(
    look: &mut Look<'_>,
    members: Members,
    groups_named: &BTreeSet<AutoScalingGroupName>,
    seen: &mut Seen,
) -> BTreeSet<InstanceId> {
    let mut in_no_group = BTreeSet::new();
    let mut by_group: BTreeMap<AutoScalingGroupName, Vec<Member>> = BTreeMap::new();
    for (id, read) in members {
        match read {
            Ok(Some(member)) => by_group
                .entry(member.group.clone())
                .or_default()
                .push(member),
            Ok(None) => _ = in_no_group.insert(id),
            Err(gap) => {
                let unread = InstancePassedOver::Unread { gap };
                seen.passed_over.insert(id, unread);
            }
        }
    }
    let read: BTreeSet<&AutoScalingGroupName> = seen
        .groups
        .values()
        .filter_map(|it| it.group.as_ref())
        .map(|it| &it.name)
        .collect();
    let named = groups_named.iter().filter(|it| !read.contains(it));
    let names = by_group.keys().chain(named).cloned().collect();
    for (name, found) in groups::named(look, &names).await {
        let members = by_group.remove(&name).unwrap_or_default();
        let ids = members.iter().map(|it| it.instance.id.clone());
        let why = match found {
            Ok(Described::OptedIn(mut group, pool)) => {
                seen.pools.extend(pool);
                if !groups_named.contains(&name) {
                    retain(&mut group, members);
                }
                match seen.groups.get_mut(&group.key) {
                    Some(read) => read.instances.append(&mut group.instances),
                    None => _ = seen.groups.insert(group.key.clone(), *group),
                }
                continue;
            }
            Ok(Described::NotFound) => {
                in_no_group.extend(ids);
                continue;
            }
            Ok(Described::NotOptedIn) => InstancePassedOver::NotOptedIn {
                group: Some(name.clone()),
                cluster: None,
            },
            Err(gap) => {
                if groups_named.contains(&name) {
                    seen.gaps.push(gap.clone());
                }
                InstancePassedOver::Unread { gap }
            }
        };
        seen.passed_over.extend(ids.map(|id| (id, why.clone())));
    }
    in_no_group
}

/// Keeps the instances that were named. One that the group's own description lacks left it between the two calls.
fn retain(group: &mut DrainGroup, members: Vec<Member>) {
    let mut all = std::mem::take(&mut group.instances);
    for member in members {
        let id = member.instance.id.clone();
        let instance = all.remove(&id).unwrap_or(member.instance);
        group.instances.insert(id, instance);
    }
}

/// Reads the providers of the clusters in which instances were found that may be looked after.
async fn read_providers(
    look: &mut Look<'_>,
    wanted: &BTreeSet<InstanceId>,
    clusters_named: &BTreeSet<ClusterName>,
    seen: &mut Seen,
) {
    let places = search::places(&seen.clusters);
    let in_groups: BTreeSet<InstanceId> = seen.looked().map(|it| it.id.clone()).collect();
    for (cluster, searched) in &mut seen.clusters {
        let mut of_cluster = places
            .iter()
            .filter(|(id, (of, _))| of == cluster && wanted.contains(*id))
            .map(|(id, _)| id);
        let is_opted_in = searched.group().is_some();
        let concerns = if is_opted_in {
            clusters_named.contains(cluster) || of_cluster.next().is_some()
        } else {
            of_cluster.any(|id| in_groups.contains(id))
        };
        if concerns {
            clusters::read_providers(look, searched, &mut seen.groups).await;
        }
    }
}

/// Puts the instances in no group into the clusters that they are registered in, where these are opted in.
fn place_in_clusters(in_no_group: &BTreeSet<InstanceId>, unsearched: &Unsearched, seen: &mut Seen) {
    let places = search::places(&seen.clusters);
    let may_register = seen.clusters.values().any(|it| it.group().is_some());
    for id in in_no_group {
        let searched = places.get(id).and_then(|(cluster, arn)| {
            let searched = seen.clusters.get(cluster)?;
            Some((
                cluster,
                searched,
                searched.opened.capacity.instances.get(arn)?,
            ))
        });
        let why = match searched {
            None => match unsearched.get(id).and_then(BTreeSet::first) {
                Some(gap) => InstancePassedOver::Unread { gap: gap.clone() },
                None if may_register => InstancePassedOver::NotRegistered,
                None => InstancePassedOver::NotFound,
            },
            Some((cluster, searched, _)) if searched.about.is_none() => {
                InstancePassedOver::Unread {
                    gap: undescribed(cluster, &seen.gaps),
                }
            }
            Some((cluster, searched, instance)) => match searched.group() {
                Some(group) if !strays::is_managed(searched, instance) => {
                    let group = seen.groups.entry(group.key.clone()).or_insert(group);
                    group.instances.insert(id.clone(), strays::looked(id));
                    continue;
                }
                Some(_) | None => InstancePassedOver::NotOptedIn {
                    group: None,
                    cluster: Some(cluster.clone()),
                },
            },
        };
        seen.passed_over.insert(id.clone(), why);
    }
}

/// Why a cluster's tags are not known.
fn undescribed(cluster: &ClusterName, gaps: &[Gap]) -> Gap {
    let operation = crate::capacity::clusters::DESCRIBE_CLUSTERS;
    let of_clusters = gaps.iter().filter(|it| it.operation == operation);
    let is_its = |it: &&Gap| it.resource == cluster.as_str() || it.resource == "*";
    let gap = of_clusters.into_iter().find(is_its).cloned();
    gap.unwrap_or_else(|| {
        let detail = "the cluster's tags were not read";
        unreadable(operation, cluster.as_str(), detail)
    })
}

/// Reads all instances of a cluster that are in no group, where it is opted in.
async fn read_cluster(
    look: &mut Look<'_>,
    cluster: &ClusterName,
    instances_named: &BTreeSet<InstanceId>,
    seen: &mut Seen,
) {
    let Some(searched) = seen.clusters.get_mut(cluster) else {
        return;
    };
    let Some(group) = searched.group() else {
        return;
    };
    let gaps_before = searched.opened.capacity.gaps.len();
    if !searched.has_every_instance {
        search::read_every(look, searched).await;
    }
    let in_groups: BTreeSet<InstanceId> = members(&seen.groups)
        .chain(instances_named)
        .cloned()
        .collect();
    let group = seen.groups.entry(group.key.clone()).or_insert(group);
    group.gaps.extend(gaps_since(searched, gaps_before));
    // Where the others are matters to a look at everything only.
    _ = strays::read(look, searched, &in_groups, group).await;
}

fn gaps_since(searched: &Searched, gaps_before: usize) -> Vec<Gap> {
    let gaps = searched.opened.capacity.gaps.get(gaps_before..);
    gaps.unwrap_or_default().to_vec()
}

/// The instances of the opted-in groups, those included that are not looked at.
fn members(groups: &BTreeMap<DrainKey, DrainGroup>) -> impl Iterator<Item = &InstanceId> {
    let groups = groups.values().filter_map(|it| it.group.as_ref());
    groups.flat_map(|it| it.instances.keys())
}

impl Seen {
    /// The instances that are looked at.
    pub(crate) fn looked(&self) -> impl Iterator<Item = &LookedInstance> {
        self.groups.values().flat_map(|it| it.instances.values())
    }
}
