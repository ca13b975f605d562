//! An observer of EC2 capacity over an endpoint on loopback.

use std::sync::Arc;

use calls::{AwsClock, Budget, Deadline};
use model::ClusterName;
use model::capacity::CapacitySnapshot;
use model::snapshot::Scope;
use observe::{Blind, CapacityObserver};

use crate::endpoint::client;
use crate::endpoint::eye::{self, Looks};

pub(crate) use crate::endpoint::error;
pub(crate) use crate::endpoint::eye::clusters;

pub(crate) type Eye = eye::Eye<CapacityObserver>;

impl Looks for CapacityObserver {
    type Snapshot = CapacitySnapshot;

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

    async fn look(&self, scope: &Scope, deadline: Deadline) -> Result<CapacitySnapshot, Blind> {
        self.look(scope, deadline).await
    }
}
