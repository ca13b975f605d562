//! Services whose desired count follows a metric, and what was measured: a look for service-scaler.
//!
//! Guaranteed: [`TrackingObserver::look`] only reads, and every guarantee of the crate holds. Every service that was asked about is in a
//! fleet or passed over; a standby is in its primary's fleet. What fails leaves a gap where it belongs: at the fleet, or at the snapshot.
//! A target without a series that was answered is unread, and has a gap, or is unusable, with the reason. Of a series that CloudWatch gave
//! in part the newest values are there, and it is marked. Tasks are counted throughout every period that is read of a metric that is for
//! each of them, however long it is (but not longer than CloudWatch keeps counts of less than a minute: three hours). Values are whole thousandths; what is no number is left out and counted. Of an
//! expression with `FILL` the periods are left out that ended less than three minutes ago: CloudWatch fills what is not published yet. An
//! alarm that watches no metric, or whose query gives several series, makes its target unusable.
//!
//! Per look: one DescribeServices for each 10 services, for all of a cluster after one ListServices for each 100; of paired services one
//! more for each 10 standbys that are not among them. Where none carries the tag `ballast:service-scaler`, nothing more. Else one
//! GetMetricData for each 500 queries or 100,800 values, and one more where periods are so long that more than three hours are read: two queries for each target on CPU or memory and service of the fleet, one of
//! which is the count of tasks that its targets share, one for a target on requests. Alarms that tags name are read 100 in a call, and what
//! they watch in calls of its own (where a name has no alarm, one more call asks for alarms on logs); an expression that speaks of all
//! metrics, or holds a text in quotes, in one for itself. A call that CloudWatch refuses for one of its queries is made again in halves, and the process leaves that query out for ten minutes. One
//! DescribeScalableTargets for each 50 fleets. Only for services on providers other than Fargate's whose tasks do not all run one
//! DescribeCapacityProviders for each 10 providers of a cluster, and one DescribeAutoScalingGroups for each 50 groups. For fleets that ask for a forecast three more GetMetricData in half an
//! hour, one for each day. No task is listed: ECS's counts are enough to follow a metric. Of a service that is paused, deleted, a standby,
//! a daemon, or whose tags have faults, no metric is read.
//!
//! Assumed: as in the crate. ECS publishes one sample of a metric for each RUNNING task in each period
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/viewing-cloudwatch-metrics.html>), every 60 seconds, or as often as the tag
//! `ballast:metric-resolution-secs` says: the description of a service does not tell it.
//!
//! Absent: any meaning, as in the crate. A metric that does not exist looks like one without values. The alarm's state is not read.

mod alarms;
mod ask;
mod batch;
mod groups;
mod limits;
mod question;
mod refusals;
mod season;
mod services;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use calls::{AwsClock, Budget, Deadline};
use model::snapshot::{Gap, PassedOver, Scope};
use model::tracking::{Fleet, Reading, TrackingKey, TrackingSnapshot, UnusableMetric};
use model::{AlarmName, ClusterName, ServiceKey, Timestamp};

use crate::Blind;
use crate::pairs::Untagged;
use crate::services as all_services;
use crate::tracking::ask::{Frame, Outcome};
use crate::tracking::question::{Question, Slot, ask_about, policy_in_force};
use crate::tracking::refusals::KnownRefusals;
use crate::tracking::season::KnownSeasons;

/// A look of a [`TrackingObserver`].
type Look<'a> = crate::look::Look<'a, TrackingObserver>;

/// Looks at tracked services. One per process: it keeps what was measured on earlier days, and what CloudWatch
/// refused, for a while.
#[derive(Debug)]
pub struct TrackingObserver {
    ecs: aws_sdk_ecs::Client,
    autoscaling: aws_sdk_autoscaling::Client,
    application_autoscaling: aws_sdk_applicationautoscaling::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
    budget: Arc<Budget>,
    clock: AwsClock,
    known_seasons: KnownSeasons,
    known_refusals: KnownRefusals,
    /// The clusters that Ballast looks after; none stands for all.
    clusters: BTreeSet<ClusterName>,
    /// AWS's time at the last look at everything.
    looked_at: Mutex<Option<Timestamp>>,
}

impl TrackingObserver {
    /// An observer over these clients. `clock` must be an interceptor of each of them.
    #[must_use]
    pub fn new(
        ecs: aws_sdk_ecs::Client,
        autoscaling: aws_sdk_autoscaling::Client,
        application_autoscaling: aws_sdk_applicationautoscaling::Client,
        cloudwatch: aws_sdk_cloudwatch::Client,
        budget: Arc<Budget>,
        clock: AwsClock,
    ) -> Self {
        Self {
            ecs,
            autoscaling,
            application_autoscaling,
            cloudwatch,
            budget,
            clock,
            known_seasons: KnownSeasons::default(),
            known_refusals: KnownRefusals::default(),
            clusters: BTreeSet::new(),
            looked_at: Mutex::default(),
        }
    }

    /// The observer, where Ballast looks after these clusters alone; none stands for all of the account and Region, which are listed in
    /// every look at everything then.
    #[must_use]
    pub fn of_clusters(mut self, clusters: impl IntoIterator<Item = ClusterName>) -> Self {
        self.clusters = clusters.into_iter().collect();
        self
    }

    /// AWS's time at this observer's last look at everything; `None` before the first.
    #[must_use]
    pub fn looked_at(&self) -> Option<Timestamp> {
        *self
            .looked_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps when everything was looked at.
    fn note_look(&self, scope: &Scope, taken_at: Timestamp) {
        let is_everything = match scope {
            Scope::Clusters(named) => {
                named.is_empty() || named.iter().cloned().collect::<BTreeSet<_>>() == self.clusters
            }
            Scope::Services(_) | Scope::Departures { .. } => false,
        };
        if is_everything {
            let mut looked_at = self
                .looked_at
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *looked_at = (*looked_at).max(Some(taken_at));
        }
    }

    /// Looks at the services that are named, or at every one of the clusters of the scope. The deadline should leave time to act on what
    /// is seen.
    ///
    /// # Errors
    /// [`Blind`] when no call was answered with a time: there is nothing to decide on. An error answer, such as a missing
    /// permission, is an answer: it gives a snapshot with gaps.
    pub async fn look(&self, scope: &Scope, deadline: Deadline) -> Result<TrackingSnapshot, Blind> {
        let mut look = Look::new(self, &self.clock, &self.budget, deadline);
        let mut seen = match scope {
            Scope::Services(keys) => Seen::services(&mut look, keys).await,
            Scope::Clusters(named) => Seen::clusters(&mut look, named).await,
            // Instances are not what a service is looked at by.
            Scope::Departures { .. } => Seen::default(),
        };
        let Some(taken_at) = look.taken_at() else {
            let mut gaps = seen.gaps;
            gaps.extend(crate::unread(&seen.passed_over));
            return Err(Blind { gaps });
        };
        self.note_look(scope, taken_at);
        Box::pin(seen.measure(&mut look)).await;
        let Seen {
            tracked,
            passed_over,
            gaps,
        } = seen;
        let fleets = tracked.into_iter().map(|(key, it)| (key, it.fleet));
        let snapshot = TrackingSnapshot {
            taken_at,
            fleets: fleets.collect(),
            passed_over,
            gaps,
        };
        tracing::debug!(
            calls = look.calls(),
            fleets = snapshot.fleets.len(),
            passed_over = snapshot.passed_over.len(),
            gaps = snapshot.gaps.len(),
            "looked"
        );
        Ok(snapshot)
    }
}

/// A fleet while it is read.
#[derive(Debug)]
pub(crate) struct Tracked {
    fleet: Fleet,
    /// The target groups of the primary, as CloudWatch names them.
    target_groups: BTreeSet<String>,
}

impl Tracked {
    /// Notes what could not be observed, once.
    fn note(&mut self, gap: &Gap) {
        if !self.fleet.gaps.contains(gap) {
            self.fleet.gaps.push(gap.clone());
        }
    }
}

/// What is in scope, as far as it was read.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    tracked: BTreeMap<TrackingKey, Tracked>,
    passed_over: BTreeMap<ServiceKey, PassedOver>,
    /// What could not be read and belongs to no single service.
    gaps: Vec<Gap>,
}

impl Seen {
    async fn services(look: &mut Look<'_>, keys: &BTreeSet<ServiceKey>) -> Self {
        let mut seen = Self::default();
        seen.read(look, keys, Untagged::PassedOver).await;
        seen
    }

    /// Reads every service of these clusters; of every cluster where none is named. With each minute of AWS's time another one is the
    /// first, so that where time runs out it is not the same ones for ever that are left out.
    async fn clusters(look: &mut Look<'_>, named: &[ClusterName]) -> Self {
        let mut seen = Self::default();
        let ecs = &look.observer.ecs;
        let clusters: BTreeSet<ClusterName> = if !named.is_empty() {
            named.iter().cloned().collect()
        } else if look.observer.clusters.is_empty() {
            all_services::clusters(look, ecs, &mut seen.gaps).await
        } else {
            look.observer.clusters.clone()
        };
        let mut clusters: Vec<ClusterName> = clusters.into_iter().collect();
        let first = crate::first_of(clusters.len(), look.now());
        clusters.rotate_left(first);
        let mut open = clusters.into_iter();
        while let Some(cluster) = open.next() {
            if look.is_over() {
                // One gap for all that is left, not one for each.
                let left = open.len().saturating_add(1);
                seen.gaps.push(all_services::not_listed(&cluster, left));
                break;
            }
            let keys = all_services::of_cluster(look, ecs, &cluster, &mut seen.gaps).await;
            seen.read(look, &keys, Untagged::LeftOut).await;
        }
        seen
    }

    async fn read(&mut self, look: &mut Look<'_>, keys: &BTreeSet<ServiceKey>, untagged: Untagged) {
        let mut reads = services::Reads::new();
        services::read(look, keys, &mut reads).await;
        // The primary of a standby that was asked about, and then the standby of that.
        for _ in 0..2 {
            let partners = services::partners(&reads.keys().cloned().collect(), &reads);
            services::read(look, &partners, &mut reads).await;
        }
        services::join(keys, reads, untagged, self);
    }

    /// Reads who else scales, and what was measured. Who else scales comes first: it costs one call for 50 services, and without it nothing may
    /// be done with what was measured. Of that the recent values come first: they tell whether more tasks are needed.
    async fn measure(&mut self, look: &mut Look<'_>) {
        self.scaled_by_others(look).await;
        let alarms = alarms::read(look, self).await;
        let mut questions = Vec::new();
        for (key, tracked) in &mut self.tracked {
            ask_about(key, tracked, &alarms, &mut questions);
        }
        if let Some(now) = look.now() {
            let outcomes = ask::ask(look, questions.clone(), Frame::UpTo(now)).await;
            for (question, outcome) in outcomes {
                self.enter(question, outcome);
            }
            self.close();
            season::read(look, self, &questions, now).await;
        }
        groups::read(look, self).await;
    }

    /// Enters recent values.
    fn enter(&mut self, question: Question, outcome: Outcome) {
        let Some(tracked) = self.tracked.get_mut(&question.key) else {
            return;
        };
        let answer = match outcome {
            Outcome::Answered(answer, gap) => {
                gap.iter().for_each(|gap| tracked.note(gap));
                answer
            }
            Outcome::Failed(gap) => return tracked.note(&gap),
            Outcome::Refused(detail) => return refuse(tracked, &question, &detail),
            Outcome::SeveralSeries => return several(tracked, &question),
        };
        let series = answer.series(question.slot.part(), question.period, question.scale);
        match question.slot {
            Slot::Tasks(_) => tracked.fleet.task_counts.push(series),
            Slot::Value(target, _) => {
                let reading = tracked
                    .fleet
                    .readings
                    .entry(target)
                    .or_insert(Reading::Read {
                        recent: Vec::new(),
                        season: Vec::new(),
                    });
                if let Reading::Read { recent, .. } = reading {
                    recent.push(series);
                }
            }
        }
    }

    /// A target of which nothing was answered is unread.
    fn close(&mut self) {
        for tracked in self.tracked.values_mut() {
            let fleet = &mut tracked.fleet;
            let Some(policy) = policy_in_force(fleet) else {
                continue;
            };
            for target in policy.targets.keys().copied().collect::<Vec<_>>() {
                fleet.readings.entry(target).or_insert(Reading::Unread);
            }
        }
    }

    /// Whether Application Auto Scaling scales the tracked services.
    async fn scaled_by_others(&mut self, look: &mut Look<'_>) {
        let client = &look.observer.application_autoscaling;
        let in_force = self
            .tracked
            .values()
            .filter(|it| policy_in_force(&it.fleet).is_some());
        let keys: BTreeSet<ServiceKey> = in_force.map(|it| it.fleet.primary.key.clone()).collect();
        let scaled = crate::scaling::read(look, client, &keys.iter().collect()).await;
        for tracked in self.tracked.values_mut() {
            match scaled.get(&tracked.fleet.primary.key) {
                Some(Ok(scaled)) => {
                    tracked.fleet.primary.scaled_by_application_auto_scaling = Some(*scaled);
                }
                Some(Err(gap)) => tracked.note(gap),
                None => {}
            }
        }
    }
}

/// Enters that CloudWatch refuses a query.
fn refuse(tracked: &mut Tracked, question: &Question, detail: &str) {
    let why = |alarm: &AlarmName| UnusableMetric::QueryRefused {
        alarm: alarm.clone(),
        detail: detail.chars().take(256).collect(),
    };
    cannot_be_used(tracked, question, why, detail);
}

/// Enters that a query gives several series, such as one of Metrics Insights with `GROUP BY`.
fn several(tracked: &mut Tracked, question: &Question) {
    let why = |alarm: &AlarmName| UnusableMetric::AlarmHasSeveralSeries {
        alarm: alarm.clone(),
    };
    cannot_be_used(tracked, question, why, "several series have one id");
}

/// Enters that a target cannot be followed by what its alarm defines. What the look itself asks for can always be used; if not, that is a
/// gap.
fn cannot_be_used(
    tracked: &mut Tracked,
    question: &Question,
    why: impl FnOnce(&AlarmName) -> UnusableMetric,
    detail: &str,
) {
    match (question.slot, &question.alarm) {
        (Slot::Value(target, _), Some(alarm)) => {
            let why = why(alarm);
            tracked
                .fleet
                .readings
                .insert(target, Reading::Unusable { why });
        }
        (Slot::Value(..) | Slot::Tasks(_), _) => {
            let gap = crate::look::unreadable(
                "cloudwatch:GetMetricData",
                &question.key.to_string(),
                detail,
            );
            tracked.note(&gap);
        }
    }
}
