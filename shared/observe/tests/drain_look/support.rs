//! An observer of departures over an endpoint on loopback.

use std::sync::Arc;

use calls::{AwsClock, Budget, Deadline};
use model::ClusterName;
use model::drain::{DrainKey, DrainSnapshot};
use model::snapshot::Scope;
use observe::{Blind, DrainObserver};

use crate::endpoint::client;
use crate::endpoint::eye::{self, Looks};

pub(crate) use crate::endpoint::error;
pub(crate) use crate::endpoint::eye::clusters;

pub(crate) type Eye = eye::Eye<DrainObserver>;

impl Looks for DrainObserver {
    type Snapshot = DrainSnapshot;

    fn at(url: &str, budget: Arc<Budget>, clock: AwsClock) -> Self {
        Self::new(
            client!(aws_sdk_ecs, url, clock),
            client!(aws_sdk_autoscaling, url, clock),
            budget,
            clock,
        )
    }

    fn of_clusters(self, clusters: impl Iterator<Item = ClusterName>) -> Self {
        self.of_clusters(clusters)
    }

    async fn look(&self, scope: &Scope, deadline: Deadline) -> Result<DrainSnapshot, Blind> {
        self.look(scope, deadline).await
    }
}

/// The scope of these instances.
pub(crate) fn instances<T: AsRef<str>>(ids: impl IntoIterator<Item = T>) -> Scope {
    Scope::Departures {
        draining: std::collections::BTreeSet::new(),
        instances: ids
            .into_iter()
            .map(|it| it.as_ref().parse().unwrap())
            .collect(),
        groups: std::collections::BTreeSet::new(),
    }
}

/// The scope of these instances, of which it was said only that they drain.
pub(crate) fn draining<T: AsRef<str>>(ids: impl IntoIterator<Item = T>) -> Scope {
    match instances(ids) {
        Scope::Departures {
            instances, groups, ..
        } => Scope::Departures {
            instances: std::collections::BTreeSet::new(),
            draining: instances,
            groups,
        },
        other @ (Scope::Clusters(_) | Scope::Services(_)) => other,
    }
}

/// The scope of all instances of this group, or of this cluster.
pub(crate) fn whole(key: DrainKey) -> Scope {
    Scope::Departures {
        draining: std::collections::BTreeSet::new(),
        instances: std::collections::BTreeSet::new(),
        groups: [key].into(),
    }
}

pub(crate) fn of_group(name: &str) -> DrainKey {
    DrainKey::Group {
        group: name.parse().unwrap(),
    }
}

pub(crate) fn of_cluster(name: &str) -> DrainKey {
    DrainKey::Cluster {
        cluster: name.parse().unwrap(),
    }
}
