//! Which instances are going away, and what is on them: a look for instance-drain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calls::{AwsClock, Budget, Deadline};
use model::ClusterName;
use model::drain::DrainSnapshot;
use model::snapshot::Scope;

use crate::Blind;
use crate::capacity::Eyes;
use crate::capacity::definition::Definition;
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

    fn clusters(&self) -> &BTreeSet<ClusterName> {
        &self.clusters
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
        let mut gaps = Vec::new();
        crate::services::clusters(&mut look, &self.ecs, &mut gaps).await;
        let Some(taken_at) = look.taken_at() else {
            return Err(Blind { gaps });
        };
        Ok(DrainSnapshot {
            taken_at,
            is_full: matches!(scope, Scope::Clusters(_)),
            groups: BTreeMap::new(),
            clusters: BTreeMap::new(),
            passed_over: BTreeMap::new(),
            gaps,
        })
    }
}
