//! The clusters in which container instances are looked for.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::ClusterField;
use model::capacity::ProviderPassedOver;
use model::drain::{DrainGroup, DrainKey, DrainPolicy};
use model::snapshot::Gap;
use model::{AutoScalingGroupName, CapacityProviderName, ClusterName, ContainerInstanceArn};

use crate::capacity::clusters::{self, Head, Heads, Opened};
use crate::capacity::instances::TasksCounted;
use crate::capacity::providers;
use crate::drain::Look;
use crate::limits::DESCRIBE_CLUSTERS_MAX;

/// A cluster, as far as it was read.
#[derive(Debug)]
pub(crate) struct Searched {
    /// What was read of it.
    pub(crate) opened: Opened,
    /// What its own description tells; `None` where that could not be read.
    pub(crate) about: Option<About>,
    /// Whether every container instance was read.
    pub(crate) has_every_instance: bool,
    /// How many tasks ECS counts on each.
    pub(crate) tasks_counted: TasksCounted,
    /// The instances whose tasks were read.
    pub(crate) tasks_read: BTreeSet<ContainerInstanceArn>,
    /// The groups that its providers are over, once these were read.
    pub(crate) over: BTreeSet<AutoScalingGroupName>,
}

/// What a cluster's own description tells.
#[derive(Debug, Default)]
pub(crate) struct About {
    pub(crate) tags: BTreeMap<String, String>,
    /// How many container instances are ACTIVE or DRAINING in it.
    pub(crate) instances: u32,
    /// How many tasks run or wait in it, Fargate's included.
    pub(crate) tasks: u32,
    /// Its providers, Fargate's left out.
    providers: BTreeSet<CapacityProviderName>,
}

impl Searched {
    fn new(cluster: ClusterName, head: Option<Head>) -> Self {
        let (about, head) = match head {
            None => (None, Head::default()),
            Some(mut head) => {
                let about = About {
                    tags: std::mem::take(&mut head.tags),
                    instances: head.instances,
                    tasks: head.tasks,
                    providers: std::mem::take(&mut head.providers),
                };
                (Some(about), head)
            }
        };
        Self {
            opened: Opened::new(cluster, head, BTreeSet::new(), BTreeMap::new()),
            about,
            has_every_instance: false,
            tasks_counted: TasksCounted::new(),
            tasks_read: BTreeSet::new(),
            over: BTreeSet::new(),
        }
    }

    /// Whether it may hold container instances. ECS counts those that are ACTIVE or DRAINING.
    pub(crate) fn may_hold_instances(&self) -> bool {
        self.about.as_ref().is_none_or(|it| it.instances > 0)
    }

    /// What its tags want for its instances in no group. `None`: it is not opted in, or its tags were not read.
    pub(crate) fn group(&self) -> Option<DrainGroup> {
        let policy = DrainPolicy::from_tags(&self.about.as_ref()?.tags)?;
        let cluster = self.opened.capacity.cluster.clone();
        Some(DrainGroup {
            key: DrainKey::Cluster { cluster },
            policy,
            group: None,
            is_proven_ours: true,
            hooks: BTreeMap::new(),
            hooks_read: false,
            in_warm_pool: BTreeSet::new(),
            managed_draining: false,
            managed_scaling: false,
            instances: BTreeMap::new(),
            gaps: Vec::new(),
        })
    }
}

/// The clusters that Ballast looks after: those that it is told of, else all of the account and Region.
pub(crate) async fn installed(look: &mut Look<'_>, gaps: &mut Vec<Gap>) -> BTreeSet<ClusterName> {
    let observer = look.observer;
    if observer.clusters.is_empty() {
        crate::services::clusters(look, &observer.ecs, gaps).await
    } else {
        observer.clusters.clone()
    }
}

/// Describes these clusters. Those that do not exist are left out; those that could not be read are not.
pub(crate) async fn read(
    look: &mut Look<'_>,
    names: &BTreeSet<ClusterName>,
    gaps: &mut Vec<Gap>,
) -> BTreeMap<ClusterName, Searched> {
    let all: Vec<ClusterName> = names.iter().cloned().collect();
    let mut heads = Heads::default();
    let mut unread = BTreeSet::new();
    for batch in all.chunks(DESCRIBE_CLUSTERS_MAX) {
        let parts = [ClusterField::Tags];
        let of_batch = clusters::describe(look, batch, &parts, names, &mut heads, gaps);
        unread.append(&mut of_batch.await);
    }
    let read = heads.of_scope.into_iter();
    let read = read.map(|(cluster, head)| (cluster, Some(head)));
    let unread = unread.into_iter().map(|cluster| (cluster, None));
    read.chain(unread)
        .map(|(cluster, head)| (cluster.clone(), Searched::new(cluster, head)))
        .collect()
}

/// Reads the providers of a cluster: whose instances ECS drains itself, and which are over ECS Managed Instances. Where the cluster could
/// not be described, those that its instances name.
pub(crate) async fn read_providers(
    look: &mut Look<'_>,
    searched: &mut Searched,
    groups: &mut BTreeMap<DrainKey, DrainGroup>,
) {
    let capacity = &searched.opened.capacity;
    let of_cluster = searched.about.iter().flat_map(|it| &it.providers);
    let of_instances = capacity.instances.values();
    let of_instances = of_instances.filter_map(|it| it.provider.as_ref());
    let head = Head {
        providers: of_cluster.chain(of_instances).cloned().collect(),
        ..Head::default()
    };
    let cluster = capacity.cluster.clone();
    let mut passed_over = BTreeMap::new();
    let heads = BTreeMap::from([(cluster, head)]);
    for over in providers::read(look, &heads, &mut passed_over).await {
        searched.over.insert(over.group.clone());
        let group = groups.get_mut(&DrainKey::Group { group: over.group });
        if let Some(group) = group {
            group.managed_draining |= over.managed_draining;
            group.managed_scaling |= over.managed_scaling.is_some_and(|it| it.enabled);
        }
    }
    let mut managed_instances = BTreeSet::new();
    for (key, why) in passed_over {
        match why {
            ProviderPassedOver::ManagedInstances => _ = managed_instances.insert(key.provider),
            ProviderPassedOver::Unread { gap } => searched.opened.capacity.gaps.push(gap),
            ProviderPassedOver::NotOptedIn | ProviderPassedOver::GroupNotFound { .. } => {}
        }
    }
    searched.opened.note_managed_instances(managed_instances);
}
