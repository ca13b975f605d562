//! Many triggers become one look.
//!
//! Guaranteed: the result depends on the set of triggers only, not on their order or on how often each was delivered (counts
//! aside). A trigger of another account, another Region or a cluster outside the installation adds nothing but a count.
//!
//! Absent: any decision. A trigger says where to look; a hint says how soon; neither says what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use calls::one_line;
use model::snapshot::Scope;
use model::trigger::{Envelope, Hints, PlacementFailure, Trigger, TriggerKind};
use model::{AccountId, ClusterName, EventId, RegionName, ServiceKey, Timestamp};
use trigger::Invocation;

use crate::record::{BatchItemFailure, EVENT_IDS_SHOWN_MAX, TriggerFault, Triggers};

/// The most services that one look names singly. With more, their clusters are looked at whole, which costs fewer calls: a named
/// service costs two `ListTasks` calls either way, and a sweep finds the services by `ListServices` pages of 100
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html>) instead of by name.
pub const SERVICES_PER_LOOK_MAX: usize = 200;

/// The most faults of triggers that a record shows.
const FAULTS_SHOWN_MAX: usize = 20;

/// The most services that a record's trigger part lists.
const SERVICES_SHOWN_MAX: usize = 100;

/// Where the function runs and what it may look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Home {
    /// The function's account; `None` where it is not known, then every account's events are taken.
    pub account: Option<AccountId>,
    /// The function's Region; `None` where it is not known, then every Region's events are taken.
    pub region: Option<RegionName>,
    /// The clusters that the installation is for; empty means every cluster.
    pub clusters: Vec<ClusterName>,
}

/// Why a trigger that was understood leads to no look. `trigger` has its own reasons beside these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outside {
    Account,
    Region,
    Cluster,
    StandaloneTask,
}

impl Outside {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "other_account",
            Self::Region => "other_region",
            Self::Cluster => "other_cluster",
            Self::StandaloneTask => "standalone_task",
        }
    }
}

/// What the triggers of one invocation come to.
#[derive(Debug)]
pub struct Coalesced {
    /// What to look at; `None` when no trigger asks for a look.
    pub scope: Option<Scope>,
    /// How soon.
    pub hints: Hints,
    /// What the record says about the triggers. The age is added when AWS's time is known.
    pub triggers: Triggers,
    /// The time of the oldest event that was looked into.
    pub oldest: Option<Timestamp>,
    /// For an SQS batch: the messages that cannot be used.
    pub batch_item_failures: Option<Vec<BatchItemFailure>>,
    /// The first malformed event that cannot be handed back to a queue by itself, with the number of them.
    pub malformed: Option<(u32, String)>,
}

/// Joins the triggers of one invocation.
#[must_use]
pub fn coalesce(invocation: &Invocation, home: &Home) -> Coalesced {
    let mut gathering = Gathering::default();
    for item in &invocation.items {
        gathering.triggers.received += 1;
        match &item.read {
            Ok(trigger) => gathering.take(trigger, home),
            Err(error) => {
                let fault = TriggerFault {
                    message: item.message.clone(),
                    kind: error.as_str().to_owned(),
                    error: one_line(&chain(error)),
                };
                gathering.fault(fault, invocation.is_batch);
            }
        }
    }
    gathering.finish(home, invocation.is_batch)
}

/// What tells placement failures apart: everything but their time.
type FailureKey = (ServiceKey, String, Vec<String>);

#[derive(Default)]
struct Gathering {
    triggers: Triggers,
    services: BTreeSet<ServiceKey>,
    event_ids: BTreeSet<EventId>,
    failures: BTreeMap<FailureKey, (Option<Timestamp>, PlacementFailure)>,
    oldest: Option<Timestamp>,
    unusable: Vec<BatchItemFailure>,
    malformed: Option<(u32, String)>,
}

impl Gathering {
    fn take(&mut self, trigger: &Trigger, home: &Home) {
        count(&mut self.triggers.kinds, trigger.kind.as_str());
        if let Some(id) = &trigger.envelope.id {
            self.event_ids.insert(id.clone());
        }
        if let Some(outside) = outside(trigger, home) {
            count(&mut self.triggers.ignored, outside.as_str());
            return;
        }
        match &trigger.kind {
            TriggerKind::Ignored(why) => {
                count(&mut self.triggers.ignored, why.as_str());
                return;
            }
            TriggerKind::Scheduled => self.triggers.is_sweep = true,
            TriggerKind::TaskInterrupted(task) | TriggerKind::TaskStopped(task) => {
                let Some(service) = &task.service else {
                    count(&mut self.triggers.ignored, Outside::StandaloneTask.as_str());
                    return;
                };
                self.services.insert(service.clone());
            }
            TriggerKind::PlacementFailed(failure) => {
                self.services.insert(failure.service.clone());
                self.hint(&trigger.envelope, failure);
            }
            TriggerKind::ServiceSteady(change) | TriggerKind::ServiceChanged(change) => {
                self.services.insert(change.service.clone());
            }
        }
        if let Some(time) = trigger.envelope.time {
            self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
        }
    }

    /// Equal failures are kept once, with the latest time: that is what tells how fresh the evidence is.
    fn hint(&mut self, envelope: &Envelope, failure: &PlacementFailure) {
        let key = (
            failure.service.clone(),
            failure.reason.clone(),
            failure.providers.iter().map(ToString::to_string).collect(),
        );
        let kept = self
            .failures
            .entry(key)
            .or_insert_with(|| (envelope.time, failure.clone()));
        kept.0 = kept.0.max(envelope.time);
    }

    fn fault(&mut self, fault: TriggerFault, is_batch: bool) {
        self.triggers.faults_count += 1;
        match &fault.message {
            Some(message) if is_batch => self.unusable.push(BatchItemFailure {
                item_identifier: message.clone(),
            }),
            Some(_) | None => {
                let (times, _) = self
                    .malformed
                    .get_or_insert_with(|| (0, fault.error.clone()));
                *times += 1;
            }
        }
        if self.triggers.faults.len() < FAULTS_SHOWN_MAX {
            self.triggers.faults.push(fault);
        }
    }

    fn finish(self, home: &Home, is_batch: bool) -> Coalesced {
        let Self {
            mut triggers,
            services,
            event_ids,
            failures,
            oldest,
            unusable,
            malformed,
        } = self;
        triggers.services_count = services.len();
        triggers.services = services.iter().take(SERVICES_SHOWN_MAX).cloned().collect();
        triggers.event_ids = event_ids.into_iter().take(EVENT_IDS_SHOWN_MAX).collect();
        let scope = if triggers.is_sweep {
            Some(Scope::Clusters(home.clusters.clone()))
        } else if services.is_empty() {
            None
        } else if services.len() > SERVICES_PER_LOOK_MAX {
            let clusters: BTreeSet<ClusterName> = services
                .into_iter()
                .map(|service| service.cluster)
                .collect();
            Some(Scope::Clusters(clusters.into_iter().collect()))
        } else {
            Some(Scope::Services(services))
        };
        Coalesced {
            scope,
            hints: Hints {
                placement_failures: failures.into_values().collect(),
            },
            triggers,
            oldest,
            batch_item_failures: is_batch.then_some(unusable),
            malformed,
        }
    }
}

fn outside(trigger: &Trigger, home: &Home) -> Option<Outside> {
    let differs = |mine: Option<&str>, theirs: Option<&str>| matches!((mine, theirs), (Some(mine), Some(theirs)) if mine != theirs);
    let Envelope {
        account, region, ..
    } = &trigger.envelope;
    if differs(
        home.account.as_ref().map(AccountId::as_str),
        account.as_ref().map(AccountId::as_str),
    ) {
        return Some(Outside::Account);
    }
    if differs(
        home.region.as_ref().map(RegionName::as_str),
        region.as_ref().map(RegionName::as_str),
    ) {
        return Some(Outside::Region);
    }
    let cluster = trigger.kind.cluster()?;
    (!home.clusters.is_empty() && !home.clusters.contains(cluster)).then_some(Outside::Cluster)
}

/// An error and its sources, joined by colons. An error of `trigger` never holds the event's content.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

fn count(counts: &mut BTreeMap<String, u32>, name: &str) {
    *counts.entry(name.to_owned()).or_default() += 1;
}
