//! An observer of tracked services over an endpoint on loopback.

use std::sync::Arc;

use calls::{AwsClock, Budget, Deadline};
use model::ClusterName;
use model::snapshot::{Gap, PassedOver, Scope};
use model::tracking::{Fleet, Reading, Series, TargetName, TrackingKey, TrackingSnapshot};
use observe::{Blind, TrackingObserver};

use crate::endpoint::client;
use crate::endpoint::eye::{self, Looks};

pub(crate) use crate::endpoint::error;
pub(crate) use crate::endpoint::eye::clusters;

pub(crate) type Eye = eye::Eye<TrackingObserver>;

impl Looks for TrackingObserver {
    type Snapshot = TrackingSnapshot;

    fn at(url: &str, budget: Arc<Budget>, clock: AwsClock) -> Self {
        Self::new(
            client!(aws_sdk_ecs, url, clock),
            client!(aws_sdk_autoscaling, url, clock),
            client!(aws_sdk_applicationautoscaling, url, clock),
            client!(aws_sdk_cloudwatch, url, clock),
            budget,
            clock,
        )
    }

    fn of_clusters(self, clusters: impl Iterator<Item = ClusterName>) -> Self {
        self.of_clusters(clusters)
    }

    async fn look(&self, scope: &Scope, deadline: Deadline) -> Result<TrackingSnapshot, Blind> {
        self.look(scope, deadline).await
    }
}

/// The scope of these services of the cluster `demo`.
pub(crate) fn services(names: &[&str]) -> Scope {
    let keys = names.iter().map(|it| format!("demo/{it}").parse().unwrap());
    Scope::Services(keys.collect())
}

/// A fleet of the cluster `demo`.
pub(crate) fn fleet<'a>(snapshot: &'a TrackingSnapshot, name: &str) -> &'a Fleet {
    let key = TrackingKey(format!("demo/{name}").parse().unwrap());
    &snapshot.fleets[&key]
}

/// What was read of a target lately.
pub(crate) fn recent(fleet: &Fleet, target: TargetName) -> &[Series] {
    match &fleet.readings[&target] {
        Reading::Read { recent, .. } => recent,
        other @ (Reading::Unusable { .. } | Reading::Unread) => panic!("{other:?}"),
    }
}

/// The values of a series, in thousandths.
pub(crate) fn values(series: &Series) -> Vec<i64> {
    series.points.iter().map(|it| it.value_milli).collect()
}

/// Every gap of a snapshot, with where it is.
pub(crate) fn gaps(snapshot: &TrackingSnapshot) -> Vec<(String, Gap)> {
    let of_snapshot = snapshot.gaps.iter().map(|it| ("snapshot".to_owned(), it));
    let of_fleets = snapshot.fleets.iter().flat_map(|(key, fleet)| {
        let gaps = fleet.gaps.iter();
        gaps.map(|it| (key.0.service.to_string(), it))
    });
    let unread = snapshot
        .passed_over
        .iter()
        .filter_map(|(key, why)| match why {
            PassedOver::Unread { gap } => Some((format!("passed over {}", key.service), gap)),
            PassedOver::NotOptedIn
            | PassedOver::NotFound
            | PassedOver::StandbyWithoutPrimary { .. } => None,
        });
    of_snapshot
        .chain(of_fleets)
        .chain(unread)
        .map(|(place, gap)| (place, gap.clone()))
        .collect()
}
