//! An observer of any kind over an endpoint on loopback.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use calls::{AwsClock, Budget, Deadline};
use model::ClusterName;
use model::snapshot::Scope;
use observe::Blind;
use serde_json::Value;

use super::{Asked, serve};

/// An observer, as far as a test must know it.
pub(crate) trait Looks: Sized {
    /// What it sees.
    type Snapshot;

    /// One with clients of this endpoint.
    fn at(url: &str, budget: Arc<Budget>, clock: AwsClock) -> Self;

    /// One that looks after these clusters alone.
    fn of_clusters(self, clusters: impl Iterator<Item = ClusterName>) -> Self;

    fn look(
        &self,
        scope: &Scope,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Self::Snapshot, Blind>>;
}

/// An observer of scripted answers, and what it asked.
pub(crate) struct Eye<O> {
    observer: O,
    asked: Asked,
}

impl<O: Looks> Eye<O> {
    /// An observer of what the script answers.
    pub(crate) async fn on(script: impl Fn(&str, &Value) -> Value + Send + Sync + 'static) -> Self {
        let asked = Asked::default();
        let url = serve(script, &asked).await;
        Self {
            asked,
            ..Self::at(&url)
        }
    }

    /// An observer of this endpoint. What it asks is not kept.
    pub(crate) fn at(url: &str) -> Self {
        Self {
            observer: O::at(url, Arc::new(Budget::new(100)), AwsClock::new()),
            asked: Asked::default(),
        }
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
    ) -> Result<O::Snapshot, Blind> {
        self.observer.look(scope, Deadline::after(within)).await
    }

    pub(crate) async fn look(&self, scope: &Scope) -> O::Snapshot {
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

/// The scope of these clusters.
pub(crate) fn clusters(names: &[&str]) -> Scope {
    Scope::Clusters(names.iter().map(|name| name.parse().unwrap()).collect())
}
