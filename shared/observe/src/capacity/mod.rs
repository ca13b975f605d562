//! What EC2 capacity there is, and what it is to carry: a look for cluster-scaler.
//!
//! Guaranteed: [`CapacityObserver::look`] only reads, and every guarantee of the crate holds. A cluster without an opted-in provider
//! costs a share of DescribeClusters, DescribeCapacityProviders and DescribeAutoScalingGroups; nothing more of it is read. What fails
//! leaves a gap where it belongs: at the provider, at the cluster, or at the snapshot. A group that AWS leaves out of its answer does
//! not exist, and is said to be so.
//!
//! Per look, at rest: DescribeClusters, DescribeCapacityProviders for each cluster with EC2 providers, DescribeAutoScalingGroups,
//! DescribePolicies and DescribeScheduledActions once each; for each cluster with an opted-in provider one ListServices, one
//! ListContainerInstances, one ListTasks, and a DescribeServices, DescribeContainerInstances and DescribeTasks for each 10, 100 and
//! 100; for each opted-in group one DescribeScalingActivities. Lists come in pages of 100. DescribeClusters is for every cluster that
//! Ballast looks after, 100 in a call, whatever the scope: so that a provider of two clusters is known to be shared. Where no clusters
//! are configured, each look lists them first. A task definition is read once by a process, a launch configuration in every look.
//!
//! Assumed: as in the crate. Instances are listed before tasks: a task that is placed in between is seen on its instance. An instance
//! that only a task names is described after all. Tasks that are told to stop are looked for only where ECS says that more of an
//! instance is taken than the tasks that are to run take: they hold what they reserved until they are gone.
//!
//! Assumed: ECS Managed Daemons run on Managed Instances only
//! (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateDaemon.html>), so that they are not listed. A task of one is
//! known by the ARN of its daemon task definition, wherever it runs.
//!
//! Absent: any meaning, as in the crate. EC2's API is not called: the type in a launch template is not known unless the group's
//! instances or its tag tell it, and a group without a mixed-instances policy and without a launch configuration is taken for
//! on-demand.

pub(crate) mod activities;
pub(crate) mod clusters;
pub(crate) mod contents;
pub(crate) mod definition;
pub(crate) mod groups;
pub(crate) mod instances;
mod needs;
mod neighbours;
mod protection;
pub(crate) mod providers;
pub(crate) mod read_group;
pub(crate) mod read_instance;
mod read_service;
pub(crate) mod read_task;
pub(crate) mod services;
pub(crate) mod tasks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calls::{AwsClock, Budget, Deadline};
use model::ClusterName;
use model::capacity::{CapacitySnapshot, ClusterCapacity, ProviderKey, ProviderPassedOver};
use model::snapshot::{Gap, Scope};

use crate::Blind;
use crate::capacity::definition::Definition;
use crate::task_definitions::Kept;

/// A look, of a [`CapacityObserver`] unless another is named.
type Look<'a, O = CapacityObserver> = crate::look::Look<'a, O>;

/// What looks at container instances read with.
pub(crate) trait Eyes {
    fn ecs(&self) -> &aws_sdk_ecs::Client;
    fn autoscaling(&self) -> &aws_sdk_autoscaling::Client;
    /// The task definitions that were read by this process.
    fn definitions(&self) -> &Kept<Arc<Definition>>;
}

impl Eyes for CapacityObserver {
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

/// Looks at EC2 capacity. One per process: it keeps what never changes in AWS between looks.
#[derive(Debug)]
pub struct CapacityObserver {
    ecs: aws_sdk_ecs::Client,
    autoscaling: aws_sdk_autoscaling::Client,
    budget: Arc<Budget>,
    clock: AwsClock,
    definitions: Kept<Arc<Definition>>,
    /// The clusters that Ballast looks after; none stands for all.
    clusters: BTreeSet<ClusterName>,
}

impl CapacityObserver {
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
            clusters: BTreeSet::new(),
        }
    }

    /// The observer, where Ballast looks after these clusters alone; none stands for all of the account and Region, which are listed in
    /// every look then. A provider that two of them share is known to be shared in a look at either.
    #[must_use]
    pub fn of_clusters(mut self, clusters: impl IntoIterator<Item = ClusterName>) -> Self {
        self.clusters = clusters.into_iter().collect();
        self
    }

    /// Looks at the clusters of the scope: at those that are named, at those of the services that are named, or at all. The deadline
    /// should leave time to act on what is seen.
    ///
    /// # Errors
    /// [`Blind`] when no call was answered with a time: there is nothing to decide on. An error answer, such as a missing
    /// permission, is an answer: it gives a snapshot with gaps.
    pub async fn look(&self, scope: &Scope, deadline: Deadline) -> Result<CapacitySnapshot, Blind> {
        let mut look = Look::new(self, &self.clock, &self.budget, deadline);
        let Seen {
            clusters,
            passed_over,
            mut gaps,
        } = Box::pin(Seen::look(&mut look, scope)).await;
        let Some(taken_at) = look.taken_at() else {
            let unread = passed_over.values().filter_map(ProviderPassedOver::gap);
            gaps.extend(unread.cloned());
            return Err(Blind { gaps });
        };
        let snapshot = CapacitySnapshot {
            taken_at,
            clusters,
            passed_over,
            gaps,
        };
        tracing::debug!(
            calls = look.calls(),
            clusters = snapshot.clusters.len(),
            passed_over = snapshot.passed_over.len(),
            gaps = snapshot.gaps.len(),
            "looked"
        );
        Ok(snapshot)
    }
}

/// What is in scope, as far as it was read.
#[derive(Debug, Default)]
struct Seen {
    clusters: BTreeMap<ClusterName, ClusterCapacity>,
    passed_over: BTreeMap<ProviderKey, ProviderPassedOver>,
    /// What could not be read and belongs to no single cluster.
    gaps: Vec<Gap>,
}

impl Seen {
    /// First which groups are opted in, then who else sizes them, then one cluster after the other to its end: a cluster that takes
    /// more time than there is blinds the look for those after it only. With each minute of AWS's time another one is the first.
    async fn look(look: &mut Look<'_>, scope: &Scope) -> Self {
        let mut seen = Self::default();
        let heads = clusters::read(look, scope, &mut seen.gaps).await;
        let over_groups = providers::read(look, &heads.of_scope, &mut seen.passed_over).await;
        let mut managed = groups::read(look, over_groups, &mut seen.passed_over).await;
        providers::note_other_clusters(&mut managed, &heads);
        neighbours::read(look, &mut managed).await;

        let mut clusters =
            clusters::with_providers(heads, managed, &seen.passed_over, &mut seen.gaps);
        let first = crate::first_of(clusters.len(), look.now());
        clusters.rotate_left(first);
        for mut opened in clusters {
            Box::pin(contents::read(look, &mut opened)).await;
            let cluster = opened.capacity;
            seen.clusters.insert(cluster.cluster.clone(), cluster);
        }
        seen
    }
}
