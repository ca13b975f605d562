//! Which instances are going away, and what is on them: a look for instance-drain.
//!
//! Guaranteed: [`DrainObserver::look`] only reads, and every guarantee of the crate holds. Every instance that was named is in an opted-in
//! group or cluster, or passed over with the reason. What fails leaves a gap where it belongs: at the group, at the cluster, or at the
//! snapshot; an instance whose group could not be found out is passed over as unread. An instance that was not found in a cluster, while a
//! call that might have found it failed, leaves that call's gap at its group. `tasks_read` names an instance only if every task on it was
//! read; one that is DEPROVISIONING and has given back what it held counts for gone.
//!
//! Per look at what events named: one DescribeAutoScalingInstances for up to 50 instances, one DescribeAutoScalingGroups for each 50 of
//! their groups, and nothing more where none is opted in and all are in groups. Of more instances the groups that carry the tag are listed
//! first, in pages of 100, and only the instances that are in none of them are asked about, 50 in a call; of more than 1,000
//! instances all groups are listed, and none is asked about. Those in no listed group may be in a warm pool: one DescribeWarmPool for each 50 instances in the pools of groups
//! that are opted in, until all are found, and for those that are left and registered in a cluster that is opted in the same of the other groups, or one DescribeAutoScalingInstances for each 50 where
//! that is no more; and one DescribeAutoScalingGroups for each 50 groups that they turn out to be in. An instance of a group of which events told only that it drains or is gone costs nothing more, unless it waits in a hook or its group's tag lets tasks be stopped. Where an instance may be looked
//! after: ListClusters if no clusters are configured, one DescribeClusters for each 100; in each cluster with container instances, until
//! all are found, one ListContainerInstances for each 50 instances, or one for each page of the cluster where that is less; one
//! DescribeContainerInstances for each 100 that are found. For each cluster with one of them a DescribeCapacityProviders, and with at most
//! 200 container instances one ListContainerInstances and DescribeContainerInstances for each 100 of all. For each group with an instance
//! on its way out one DescribeLifecycleHooks, if its hooks are not known (see below), and one DescribeScalingActivities for each 100 activities until it is known since when. The
//! tasks of each instance are read where at most 50 are named; else of those that are on their way out, and of those that drain where the
//! group's tag lets tasks be stopped: one ListTasks for each instance, or the list of the whole cluster where that is less, one DescribeTasks
//! for each 100 and one DescribeServices for each 10 services. Tasks that are told to stop are listed where more of an instance is taken than its other tasks explain. A task definition is
//! read once by a process.
//!
//! Per look at everything: DescribeAutoScalingGroups in pages of 100 with the tag as filter, DescribeLaunchConfigurations for each 50 that
//! these name, one DescribeWarmPool for each 50 instances of their warm pools, at most 20 or one pool's, ListClusters if no clusters are configured, one DescribeClusters for each 100. Where nothing is opted in, nothing more. Else
//! one DescribeCapacityProviders for each cluster in scope with container instances, one ListContainerInstances and
//! DescribeContainerInstances for each 100 of them: the clusters that are opted in, or have a provider over an opted-in group, come first; the
//! others follow until every instance of the groups is found. For an opted-in cluster one DescribeAutoScalingInstances for each 50 of its instances that
//! are in no opted-in group. For each 50 of at most 200 other container instances that are DRAINING in the clusters that were read, and in nothing
//! that is opted in, one more: Ballast may have drained them before they left. One DescribeLifecycleHooks for each group whose hooks this process has not read for up to 300 s, or of which an
//! instance waits in a hook while Ballast's is not known; DescribeScalingActivities for those with an instance on its way
//! out, and those that ask for drains by choice. Tasks, as above, of instances that drain, are on their way out, or have lost their agent;
//! of a group that asks for drains by choice of all, where the cluster has at most 1,000 tasks.
//!
//! Assumed: as in the crate. A group's hooks are what they were up to 300 s ago. Where an instance is in its group is told by the group's description; one that this lacks, and that
//! DescribeAutoScalingInstances had a moment before, has just left it and is taken as it was. A cluster in which ECS counts no container
//! instance holds none that matters: one that is REGISTERING is seen in the next look. A task takes something of its instance until it is
//! gone.
//!
//! Where the installation looks after some clusters alone, a group that points to none of them is left out of a look at everything, unless one
//! of its instances waits in a hook: it is marked as not proven to be ours then.
//!
//! Of a warm pool what is on its way out is an instance of its group; of what waits there until it is needed it is known that it is there. A pool that was not read leaves a gap at its
//! group, or, where events named more than 1,000 instances, those unread that may be in it.
//!
//! Absent: any
//! meaning, as in the crate. EC2's API is not called: that EC2 takes an instance is told by events alone. How many network
//! interfaces are free on an instance whose tasks were not read is not known: as many as it has tasks are taken off. ECS Managed Instances
//! are AWS's own to drain, and left out. Of up to 50 instances that events named, the types and the market of a group with a launch
//! configuration are not known.

mod clusters;
mod contents;
mod full;
mod groups;
mod hooks;
mod known_hooks;
mod membership;
mod named;
mod outside;
mod pools;
mod search;
mod strays;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calls::{AwsClock, Budget, Deadline};
use model::capacity::{ContainerInstanceStatus, Lifecycle};
use model::drain::{DrainGroup, DrainKey, DrainSnapshot, InstancePassedOver, Whereabouts};
use model::snapshot::{Gap, Scope};
use model::{ClusterName, ContainerInstanceArn, InstanceId};

use crate::Blind;
use crate::capacity::Eyes;
use crate::capacity::definition::Definition;
use crate::drain::clusters::Searched;
use crate::drain::contents::StopTimeouts;
use crate::drain::known_hooks::KnownHooks;
use crate::drain::pools::Pool;
use crate::limits::{TASKS_BY_CHOICE_MAX, TASKS_OF_EACH_MAX};
use crate::task_definitions::Kept;

/// A look of a [`DrainObserver`].
type Look<'a> = crate::look::Look<'a, DrainObserver>;

/// Looks at instances that are going away. One per process: it keeps what never changes in AWS between looks.
#[derive(Debug)]
pub struct DrainObserver {
    ecs: aws_sdk_ecs::Client,
    autoscaling: aws_sdk_autoscaling::Client,
    budget: Arc<Budget>,
    clock: AwsClock,
    definitions: Kept<Arc<Definition>>,
    known_hooks: KnownHooks,
    /// The clusters that Ballast looks after; none stands for all.
    clusters: BTreeSet<ClusterName>,
}

impl Eyes for DrainObserver {
    fn ecs(&self) -> &aws_sdk_ecs::Client {
        &self.ecs
    }

    fn autoscaling(&self) -> &aws_sdk_autoscaling::Client {
        &self.autoscaling
    }

    fn definitions(&self) -> &Kept<Arc<Definition>> {
        &self.definitions
    }
}

impl DrainObserver {
    /// An observer over these clients. `clock` must be an interceptor of each of them.
    #[must_use]
    pub fn new(
        ecs: aws_sdk_ecs::Client,
        autoscaling: aws_sdk_autoscaling::Client,
        budget: Arc<Budget>,
        clock: AwsClock,
    ) -> Self {
        Self {
            ecs,
            autoscaling,
            budget,
            clock,
            definitions: Kept::default(),
            known_hooks: KnownHooks::default(),
            clusters: BTreeSet::new(),
        }
    }

    /// The observer, where Ballast looks after these clusters alone; none stands for all of the account and Region, which are listed in
    /// every look that needs them then.
    #[must_use]
    pub fn of_clusters(mut self, clusters: impl IntoIterator<Item = ClusterName>) -> Self {
        self.clusters = clusters.into_iter().collect();
        self
    }

    /// Looks at the instances and groups that are named, or at everything in the clusters of the scope. The deadline should leave time
    /// to act on what is seen.
    ///
    /// # Errors
    /// [`Blind`] when no call was answered with a time: there is nothing to decide on. An error answer, such as a missing
    /// permission, is an answer: it gives a snapshot with gaps.
    pub async fn look(&self, scope: &Scope, deadline: Deadline) -> Result<DrainSnapshot, Blind> {
        let mut look = Look::new(self, &self.clock, &self.budget, deadline);
        let (is_full, seen) = match scope {
            Scope::Clusters(named) => (true, Box::pin(full::look(&mut look, named)).await),
            Scope::Departures {
                instances,
                draining,
                groups,
            } => (
                false,
                Box::pin(named::look(&mut look, instances, draining, groups)).await,
            ),
            // Services are not what an instance is looked at by.
            Scope::Services(_) => (false, Seen::default()),
        };
        let Seen {
            mut groups,
            pools: _,
            clusters,
            passed_over,
            outside,
            mut gaps,
            mut stop_timeouts,
        } = seen;
        for group in groups.values_mut() {
            // One call that fails may concern several of its instances.
            let gaps: BTreeSet<Gap> = group.gaps.drain(..).collect();
            group.gaps.extend(gaps);
        }
        let Some(taken_at) = look.taken_at() else {
            gaps.extend(unread(&passed_over));
            return Err(Blind { gaps });
        };
        let looked = groups.values().flat_map(|it| it.instances.values());
        let registered = looked.filter_map(|it| it.registered.as_ref());
        let mut of_interest: BTreeSet<ClusterName> =
            registered.map(|(cluster, _)| cluster.clone()).collect();
        of_interest.extend(outside::clusters(&clusters, &outside));
        let searched = outside::searched(&clusters, is_full);
        let clusters = clusters
            .into_iter()
            .filter(|(cluster, _)| of_interest.contains(cluster))
            .map(|(cluster, searched)| {
                let stop_timeouts = stop_timeouts.remove(&cluster).unwrap_or_default();
                (cluster, contents::finish(searched, stop_timeouts))
            })
            .collect();
        let snapshot = DrainSnapshot {
            taken_at,
            is_full,
            groups,
            clusters,
            passed_over,
            outside,
            searched,
            gaps,
        };
        tracing::debug!(
            calls = look.calls(),
            is_full,
            groups = snapshot.groups.len(),
            clusters = snapshot.clusters.len(),
            passed_over = snapshot.passed_over.len(),
            gaps = snapshot.gaps.len(),
            "looked"
        );
        Ok(snapshot)
    }
}

/// The gaps of the instances that were not read, each once.
fn unread(passed_over: &BTreeMap<InstanceId, InstancePassedOver>) -> BTreeSet<Gap> {
    let gaps = passed_over.values().filter_map(InstancePassedOver::gap);
    gaps.cloned().collect()
}

/// What of everything is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What events named.
    Named,
    /// All.
    Everything,
}

/// What is in scope, as far as it was read.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    groups: BTreeMap<DrainKey, DrainGroup>,
    /// The warm pools of groups that are opted in, as far as these were described and their pools not read.
    pools: Vec<Pool>,
    clusters: BTreeMap<ClusterName, Searched>,
    passed_over: BTreeMap<InstanceId, InstancePassedOver>,
    /// Where the instances are that drain and are in nothing that is opted in.
    outside: BTreeMap<InstanceId, Whereabouts>,
    /// What could not be read and belongs to no single group or cluster.
    gaps: Vec<Gap>,
    stop_timeouts: BTreeMap<ClusterName, StopTimeouts>,
}

impl Seen {
    /// Reads what belongs to the instances, once it is known where they are registered; what instances on their way out wait for comes
    /// first.
    async fn complete(&mut self, look: &mut Look<'_>, extent: Extent) {
        search::register(self.groups.values_mut(), &self.clusters);
        for group in self.groups.values_mut() {
            if !hooks::leaving(group).is_empty() {
                hooks::read(look, group).await;
                hooks::read_activities(look, group).await;
            }
        }
        for (cluster, wanted) in self.wanted(extent) {
            if let Some(searched) = self.clusters.get_mut(&cluster) {
                let stop_timeouts = Box::pin(contents::read(look, searched, wanted)).await;
                self.stop_timeouts.insert(cluster, stop_timeouts);
            }
        }
        match extent {
            Extent::Everything => {
                for group in self.groups.values_mut() {
                    if hooks::leaving(group).is_empty() {
                        hooks::read(look, group).await;
                        if drains_by_choice(group) {
                            hooks::read_activities(look, group).await;
                        }
                    }
                }
            }
            Extent::Named => {
                let registered = self.looked().filter_map(|it| it.registered.as_ref());
                let of_interest: BTreeSet<ClusterName> =
                    registered.map(|(cluster, _)| cluster.clone()).collect();
                for cluster in &of_interest {
                    if let Some(searched) = self.clusters.get_mut(cluster) {
                        search::read_every_of_few(look, searched).await;
                    }
                }
                // One may have registered in the meantime.
                search::register(self.groups.values_mut(), &self.clusters);
            }
        }
    }

    /// Finds out which groups point to a cluster that Ballast looks after: an instance of theirs is registered in one, or a provider of one
    /// is over them. The others may be another installation's.
    fn prove_ours(&mut self) {
        let clusters = &self.clusters;
        for (key, of) in &mut self.groups {
            if let DrainKey::Group { group } = key {
                let is_registered = of.instances.values().any(|it| it.registered.is_some());
                let is_provided = clusters.values().any(|it| it.over.contains(group));
                of.is_proven_ours = is_registered || is_provided;
            }
        }
    }

    /// The instances whose tasks are read, by cluster.
    fn wanted(&self, extent: Extent) -> BTreeMap<ClusterName, BTreeSet<ContainerInstanceArn>> {
        // In a storm those that are left to the schedule are many, and the others few at a time.
        let named = self.looked().count().saturating_add(self.passed_over.len());
        let of_each = extent == Extent::Named && named <= TASKS_OF_EACH_MAX;
        let mut wanted: BTreeMap<ClusterName, BTreeSet<ContainerInstanceArn>> = BTreeMap::new();
        for group in self.groups.values() {
            let by_choice = extent == Extent::Everything && drains_by_choice(group);
            // In a storm the tasks of instances that only drain decide nothing, unless they may be stopped: the schedule's look tells what is
            // left on them.
            let read_draining = extent == Extent::Everything || stops_tasks(group);
            for looked in group.instances.values() {
                let Some((cluster, arn)) = &looked.registered else {
                    continue;
                };
                let Some(searched) = self.clusters.get(cluster) else {
                    continue;
                };
                let Some(instance) = searched.opened.capacity.instances.get(arn) else {
                    continue;
                };
                let member = looked.member.as_ref();
                let leaves = member.is_some_and(|it| it.lifecycle == Lifecycle::Terminating);
                let few = searched.about.as_ref().map(|it| it.tasks);
                let few = few.is_some_and(|it| it <= TASKS_BY_CHOICE_MAX);
                let is_lost = extent == Extent::Everything && !instance.agent_connected;
                let drains = read_draining && instance.status == ContainerInstanceStatus::Draining;
                if of_each || drains || leaves || is_lost || (by_choice && few) {
                    let of_cluster = wanted.entry(cluster.clone()).or_default();
                    of_cluster.insert(arn.clone());
                }
            }
        }
        wanted
    }
}

/// Whether a group's owner lets Ballast stop tasks.
fn stops_tasks(group: &DrainGroup) -> bool {
    group.policy.as_ref().is_ok_and(|it| it.stop_tasks)
}

/// Whether a group's owner asks for drains of instances that may stay.
fn drains_by_choice(group: &DrainGroup) -> bool {
    let policy = group.policy.as_ref();
    policy.is_ok_and(|it| it.drain_on_rebalance || it.drain_on_lost_agent)
}
