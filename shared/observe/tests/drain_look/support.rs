//! An observer of departures over an endpoint on loopback.

use std::sync::Arc;
use std::time::Duration;

use calls::{AwsClock, Budget, Deadline};
use model::drain::{DrainKey, DrainSnapshot};
use model::snapshot::Scope;
use observe::{Blind, DrainObserver};
use serde_json::Value;

use crate::endpoint::{self, Asked, client};

pub(crate) use crate::endpoint::error;

/// An observer of scripted answers, and what it asked.
pub(crate) struct Eye {
    observer: DrainObserver,
    asked: Asked,
}

impl Eye {
    /// An observer of what the script answers.
    pub(crate) async fn on(script: impl Fn(&str, &Value) -> Value + Send + Sync + 'static) -> Self {
        let asked = Asked::default();
        let url = endpoint::serve(script, &asked).await;
        Self {
            asked,
            ..Self::at(&url)
        }
    }

    /// An observer of this endpoint. What it asks is not kept.
    pub(crate) fn at(url: &str) -> Self {
        let clock = AwsClock::new();
        let observer = DrainObserver::new(
            client!(aws_sdk_ecs, url, clock),
            client!(aws_sdk_autoscaling, url, clock),
            Arc::new(Budget::new(100)),
            clock,
        );
        let asked = Asked::default();
        Self { observer, asked }
    }

    /// The eye, where Ballast looks after these clusters alone.
    pub(crate) fn of_clusters(self, names: &[&str]) -> Self {
        let names = names.iter().map(|name| name.parse().unwrap());
        Self {
            observer: self.observer.of_clusters(names),
            asked: self.asked,
        }
    }

    pub(crate) async fn try_look(
        &self,
        scope: &Scope,
        within: Duration,
    ) -> Result<DrainSnapshot, Blind> {
        self.observer.look(scope, Deadline::after(within)).await
    }

    pub(crate) async fn look(&self, scope: &Scope) -> DrainSnapshot {
        let within = Duration::from_secs(120);
        self.try_look(scope, within).await.unwrap()
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<(String, Value)> {
        self.asked.take()
    }

    /// How often each operation was asked for since the last time, in words.
    pub(crate) fn counts(&self) -> String {
        self.asked.counts()
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

/// The scope of these clusters.
pub(crate) fn clusters(names: &[&str]) -> Scope {
    Scope::Clusters(names.iter().map(|name| name.parse().unwrap()).collect())
}
