//! AWS reads to a snapshot.
//!
//! Guaranteed: [`Observer::look`] only reads. Every call goes through the budget and the deadline of `calls`; a call that fails, that
//! is not made, or that is answered in part leaves a gap where it belongs, and never stops the look: at a pair, at a service that
//! was passed over as unread, or at the snapshot where a list could not be read to its end. Every page and batch is bounded
//! (`limits.rs`). One cluster is read to its end before the next, and each minute begins with another one. Every service that was
//! asked about is in a pair or passed over; a look at whole clusters leaves out those that carry none of Ballast's tags. A pair is
//! read once, however many of its services were asked about.
//!
//! Assumed: what is read one after the other belongs together. ECS answers from eventually consistent copies, so that no order of
//! reading could give more; the services come first and their tasks right after, and [`Snapshot::taken_at`] is the time of the
//! first answer: everything seen is at least as young.
//!
//! Absent: any meaning. Which tasks count, and what a gap forbids, is decided in `placement`. The primary's own scaling is not asked
//! for (`None`), as it changes no decision; the standby's is.

pub mod capacity;
mod details;
pub mod drain;
mod instances;
mod limits;
mod look;
mod markets;
mod pairs;
mod read_service;
mod read_task;
mod scaling;
mod services;
mod task_definitions;
mod tasks;
pub mod tracking;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use calls::{AwsClock, Budget, Deadline};
use model::snapshot::{Gap, Pair, PassedOver, Scope, Snapshot};
use model::{ClusterName, Seconds, ServiceKey, Timestamp};

use crate::look::Look;
use crate::pairs::Untagged;
use crate::services::{Read, Reads};

pub use crate::capacity::CapacityObserver;
pub use crate::drain::DrainObserver;
pub use crate::tracking::TrackingObserver;

/// Looks at AWS. One per process: it keeps what never changes in AWS between looks.
#[derive(Debug)]
pub struct Observer {
    ecs: aws_sdk_ecs::Client,
    application_autoscaling: aws_sdk_applicationautoscaling::Client,
    autoscaling: aws_sdk_autoscaling::Client,
    budget: Arc<Budget>,
    clock: AwsClock,
    task_definitions: task_definitions::Kept<Seconds>,
}

/// Nothing was seen: no call was answered with a time, so that not even the time is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("AWS gave no answer: {}", first(gaps))]
pub struct Blind {
    /// What failed. Empty only when nothing was asked for.
    pub gaps: Vec<Gap>,
}

fn first(gaps: &[Gap]) -> String {
    gaps.first()
        .map_or_else(|| "nothing was asked for".to_owned(), Gap::to_string)
}

impl Observer {
    /// An observer over these clients. `clock` must be an interceptor of each of them.
    #[must_use]
    pub fn new(
        ecs: aws_sdk_ecs::Client,
        application_autoscaling: aws_sdk_applicationautoscaling::Client,
        autoscaling: aws_sdk_autoscaling::Client,
        budget: Arc<Budget>,
        clock: AwsClock,
    ) -> Self {
        Self {
            ecs,
            application_autoscaling,
            autoscaling,
            budget,
            clock,
            task_definitions: task_definitions::Kept::default(),
        }
    }

    /// Looks at the scope. The deadline should leave time to act on what is seen.
    ///
    /// # Errors
    /// [`Blind`] when no call was answered with a time: there is nothing to decide on. An error answer, such as a missing
    /// permission, is an answer: it gives a snapshot with gaps.
    pub async fn look(&self, scope: &Scope, deadline: Deadline) -> Result<Snapshot, Blind> {
        let mut look = Look::new(self, &self.clock, &self.budget, deadline);
        let seen = match scope {
            Scope::Services(keys) => Seen::services(&mut look, keys).await,
            Scope::Clusters(clusters) => Seen::clusters(&mut look, clusters).await,
            // Instances are not what a pair is looked at by.
            Scope::Departures { .. } => Seen::default(),
        };
        let Seen {
            pairs,
            passed_over,
            mut gaps,
        } = seen;

        let Some(taken_at) = look.taken_at() else {
            gaps.extend(unread(&passed_over));
            return Err(Blind { gaps });
        };
        let snapshot = Snapshot {
            taken_at,
            pairs,
            passed_over,
            gaps,
        };
        tracing::debug!(
            calls = look.calls(),
            pairs = snapshot.pairs.len(),
            passed_over = snapshot.passed_over.len(),
            gaps = snapshot.gaps.len(),
            "looked"
        );
        Ok(snapshot)
    }
}

/// The gaps of the services that were not read, each once.
fn unread(passed_over: &BTreeMap<ServiceKey, PassedOver>) -> BTreeSet<Gap> {
    passed_over
        .values()
        .filter_map(|why| why.gap().cloned())
        .collect()
}

/// What is in scope, as far as it was read.
#[derive(Debug, Default)]
struct Seen {
    pairs: BTreeMap<ServiceKey, Pair>,
    passed_over: BTreeMap<ServiceKey, PassedOver>,
    /// What could not be read and belongs to no single service.
    gaps: Vec<Gap>,
}

impl Seen {
    async fn services(look: &mut Look<'_>, keys: &BTreeSet<ServiceKey>) -> Self {
        let mut seen = Self::default();
        let mut reads = Reads::new();
        services::read(look, keys, &mut reads).await;
        let running = BTreeMap::new();
        seen.complete(look, keys, reads, Untagged::PassedOver, &running)
            .await;
        seen
    }

    /// Reads every service of these clusters; of every cluster where none is named. One cluster is read to its end before the next:
    /// a cluster that takes more time than there is blinds the look for those after it only. With each minute of AWS's time another
    /// one is the first, so that they are not the same ones for ever.
    async fn clusters(look: &mut Look<'_>, named: &[ClusterName]) -> Self {
        let mut seen = Self::default();
        let clusters: BTreeSet<ClusterName> = if named.is_empty() {
            let ecs = &look.observer.ecs;
            services::clusters(look, ecs, &mut seen.gaps).await
        } else {
            named.iter().cloned().collect()
        };
        let mut clusters: Vec<ClusterName> = clusters.into_iter().collect();
        let first = first_of(clusters.len(), look.now());
        clusters.rotate_left(first);
        let mut open = clusters.into_iter();
        while let Some(cluster) = open.next() {
            if look.is_over() {
                // One gap for all that is left, not one for each.
                let left = open.len().saturating_add(1);
                seen.gaps.push(services::not_listed(&cluster, left));
                break;
            }
            let ecs = &look.observer.ecs;
            let keys = services::of_cluster(look, ecs, &cluster, &mut seen.gaps).await;
            let mut reads = Reads::new();
            services::read(look, &keys, &mut reads).await;
            let running = keys.iter().map(|key| running(reads.get(key))).sum();
            let running = BTreeMap::from([(cluster, running)]);
            seen.complete(look, &keys, reads, Untagged::LeftOut, &running)
                .await;
        }
        seen
    }

    /// Joins services that were read to pairs, with everything that a pair needs. `running_in_cluster` is how many tasks the services
    /// of a cluster run and start, where all of them were read.
    async fn complete(
        &mut self,
        look: &mut Look<'_>,
        subjects: &BTreeSet<ServiceKey>,
        mut reads: Reads,
        untagged: Untagged,
        running_in_cluster: &BTreeMap<ClusterName, usize>,
    ) {
        let partners = pairs::partners(subjects, &reads);
        services::read(look, &partners, &mut reads).await;
        let (mut pairs, passed_over) = pairs::join(subjects, &reads, untagged);
        details::fill(look, &mut pairs, &reads, running_in_cluster).await;
        self.pairs.append(&mut pairs);
        self.passed_over.extend(passed_over);
    }
}

/// Which of so many clusters is read first. The first where no call was answered yet.
fn first_of(clusters: usize, now: Option<Timestamp>) -> usize {
    let minutes = now.map_or(0, |now| now.as_second().div_euclid(60));
    usize::try_from(minutes)
        .unwrap_or(0)
        .checked_rem(clusters)
        .unwrap_or(0)
}

/// Begins these with another part of so many with each minute of AWS's time, so that a look that takes one part comes to all of them.
fn turn<T>(all: &mut [T], part: usize, now: Option<Timestamp>) {
    let parts = all.len().div_ceil(part.max(1));
    all.rotate_left(first_of(parts, now).saturating_mul(part));
}

/// How many tasks a service runs and starts, by ECS's own count.
fn running(read: Option<&Read>) -> usize {
    match read {
        Some(Read::Found(found)) => {
            let tasks = found
                .service
                .running_count
                .saturating_add(found.service.pending_count);
            usize::try_from(tasks).unwrap_or(usize::MAX)
        }
        Some(Read::NotFound | Read::Unread(_)) | None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_the_first_in_its_turn() {
        let first = |minutes: i64| {
            let mut all: Vec<usize> = (0..250).collect();
            let now = Timestamp::from_second(1_772_442_000 + 60 * minutes).ok();
            turn(&mut all, 100, now);
            all[0]
        };
        let turns: BTreeSet<usize> = (0..3).map(first).collect();
        assert_eq!(turns, [0, 100, 200].into());
        let mut few = [1, 2, 3];
        turn(&mut few, 3, Timestamp::from_second(60).ok());
        assert_eq!(few, [1, 2, 3]);
    }

    #[test]
    fn every_cluster_is_the_first_in_its_turn() {
        let minute = |minutes: i64| Timestamp::from_second(1_772_442_000 + 60 * minutes).ok();
        let turns: BTreeSet<usize> = (0..7).map(|it| first_of(7, minute(it))).collect();
        assert_eq!(turns, (0..7).collect());
        assert_eq!(first_of(7, minute(3)), first_of(7, minute(10)));
        assert_eq!(first_of(1, minute(3)), 0);
        assert_eq!(first_of(0, minute(3)), 0);
        assert_eq!(first_of(7, None), 0);
    }
}
