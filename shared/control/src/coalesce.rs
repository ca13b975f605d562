//! Many triggers become one look.
//!
//! Guaranteed: the result depends on the set of triggers only, not on their order or on how often each was delivered (counts
//! aside). A trigger of another account, another Region or a cluster outside the installation adds nothing but a count, and so does
//! one of a kind that another function is for, and one that names nothing right after a look at everything, where a duty keeps its looks
//! apart.
//!
//! Absent: any decision. A trigger says where to look; a hint says how soon; neither says what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use calls::one_line;
use model::snapshot::Scope;
use model::trigger::{
    Envelope, GroupActivity, Hints, LaunchFailure, LifecycleAction, Notice, NoticeHint,
    PlacementFailure, Trigger, TriggerKind,
};
use model::{
    AutoScalingGroupName, AvailabilityZone, EventId, InstanceId, MessageId, ServiceKey, Timestamp,
};
use trigger::Invocation;

use crate::duty::{About, Concern, Interest};
use crate::home::{Home, LOOKED_LATELY, looked_lately, outside};
use crate::record::{BatchItemFailure, EVENT_IDS_SHOWN_MAX, TriggerFault, Triggers};

/// The most faults of triggers that a record shows.
const FAULTS_SHOWN_MAX: usize = 10;

/// The most names of one kind that a record's trigger part lists. It comes before what was done, within the fields that Logs Insights
/// finds.
pub(crate) const NAMES_SHOWN_MAX: usize = 20;

/// What the triggers of one invocation come to.
#[derive(Debug)]
pub struct Coalesced<N> {
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
    /// For an SQS batch: the messages that led to a look.
    pub messages: Vec<Message<N>>,
    /// The first malformed event that cannot be handed back to a queue by itself, with the number of them.
    pub malformed: Option<(u32, String)>,
}

/// A message of an SQS batch that asks for a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<N> {
    /// Its id. `None`: it has none, and cannot go back to the queue by itself.
    pub id: Option<MessageId>,
    /// What it asks to be looked at.
    pub about: About<N>,
}

/// Joins the triggers of one invocation, as far as they concern this duty.
#[must_use]
pub fn coalesce<I: Interest>(invocation: &Invocation, home: &Home) -> Coalesced<I::Named> {
    let mut gathering = Gathering::<I>::default();
    for item in &invocation.items {
        gathering.triggers.received += 1;
        match &item.read {
            Ok(trigger) => {
                let about = gathering.take(trigger, home);
                let id = item.message.clone();
                let message = about.map(|about| Message { id, about });
                gathering
                    .messages
                    .extend(message.filter(|_| invocation.is_batch));
            }
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

/// What tells failed launches apart: everything but their time.
type LaunchKey = (AutoScalingGroupName, Option<AvailabilityZone>, String);

/// What tells notices apart: everything but their time.
type NoticeKey = (InstanceId, Notice);

struct Gathering<I: Interest> {
    triggers: Triggers,
    named: BTreeSet<I::Named>,
    /// What slight events named.
    slight: BTreeSet<I::Named>,
    everything: bool,
    groups: BTreeSet<AutoScalingGroupName>,
    event_ids: BTreeSet<EventId>,
    failures: BTreeMap<FailureKey, (Option<Timestamp>, PlacementFailure)>,
    launches: BTreeMap<LaunchKey, Option<Timestamp>>,
    notices: BTreeMap<NoticeKey, Option<Timestamp>>,
    lifecycle_actions: BTreeMap<LifecycleAction, Option<Timestamp>>,
    oldest: Option<Timestamp>,
    unusable: Vec<BatchItemFailure>,
    messages: Vec<Message<I::Named>>,
    malformed: Option<(u32, String)>,
}

impl<I: Interest> Default for Gathering<I> {
    fn default() -> Self {
        Self {
            triggers: Triggers::default(),
            named: BTreeSet::new(),
            slight: BTreeSet::new(),
            everything: false,
            groups: BTreeSet::new(),
            event_ids: BTreeSet::new(),
            failures: BTreeMap::new(),
            launches: BTreeMap::new(),
            notices: BTreeMap::new(),
            lifecycle_actions: BTreeMap::new(),
            oldest: None,
            unusable: Vec::new(),
            messages: Vec::new(),
            malformed: None,
        }
    }
}

impl<I: Interest> Gathering<I> {
    /// Takes a trigger, and says what it asks to be looked at.
    fn take(&mut self, trigger: &Trigger, home: &Home) -> Option<About<I::Named>> {
        let Trigger { envelope, kind } = trigger;
        count(&mut self.triggers.kinds, kind.as_str());
        if let Some(id) = &envelope.id {
            self.event_ids.insert(id.clone());
        }
        if let Some(outside) = outside(trigger, home) {
            count(&mut self.triggers.ignored, outside.as_str());
            return None;
        }
        let about = match I::concern(kind) {
            Concern::Look(About::Everything) if looked_lately::<I>(trigger, home) => {
                count(&mut self.triggers.ignored, LOOKED_LATELY);
                return None;
            }
            Concern::Look(about) => about,
            Concern::Nothing(why) => {
                count(&mut self.triggers.ignored, why);
                return None;
            }
        };
        self.triggers.is_sweep |= matches!(kind, TriggerKind::Scheduled);
        if I::is_hint(kind) {
            self.hint(envelope, kind);
        }
        self.groups.extend(kind.group().cloned());
        match &about {
            About::Named(names) if I::is_slight(kind) => self.slight.extend(names.iter().cloned()),
            About::Named(names) => self.named.extend(names.iter().cloned()),
            About::Everything => self.everything = true,
        }
        if let Some(time) = envelope.time {
            self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
        }
        Some(about)
    }

    /// Equal hints are kept once, with the latest time: that is what tells how fresh the evidence is.
    fn hint(&mut self, envelope: &Envelope, kind: &TriggerKind) {
        match kind {
            TriggerKind::PlacementFailed(failure) => {
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
            TriggerKind::LaunchFailed(activity) => {
                let GroupActivity {
                    group,
                    zone,
                    status_message,
                    at,
                    ..
                } = activity;
                let key = (group.clone(), zone.clone(), status_message.clone());
                let kept = self.launches.entry(key).or_default();
                *kept = (*kept).max(at.or(envelope.time));
            }
            TriggerKind::InstanceNoticed(noticed) => {
                for (instance, notice) in noticed.of_each() {
                    let key = (instance.clone(), notice);
                    let kept = self.notices.entry(key).or_default();
                    *kept = (*kept).max(envelope.time);
                }
            }
            TriggerKind::InstanceTerminating(action) => {
                let kept = self.lifecycle_actions.entry(action.clone()).or_default();
                *kept = (*kept).max(envelope.time);
            }
            TriggerKind::TaskInterrupted(_)
            | TriggerKind::TaskStopped(_)
            | TriggerKind::ServiceSteady(_)
            | TriggerKind::ServiceChanged(_)
            | TriggerKind::InstanceChanged(_)
            | TriggerKind::LaunchSucceeded(_)
            | TriggerKind::InstanceTerminated(_)
            | TriggerKind::AlarmChanged(_)
            | TriggerKind::Scheduled
            | TriggerKind::Ignored(_) => {}
        }
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

    fn finish(self, home: &Home, is_batch: bool) -> Coalesced<I::Named> {
        let Self {
            mut triggers,
            named,
            mut slight,
            everything,
            groups,
            event_ids,
            failures,
            launches,
            notices,
            lifecycle_actions,
            oldest,
            unusable,
            messages,
            malformed,
        } = self;
        slight.retain(|it| !named.contains(it));
        I::enter(&mut triggers, &named.union(&slight).cloned().collect());
        triggers.groups = groups.into_iter().take(NAMES_SHOWN_MAX).collect();
        triggers.event_ids = event_ids.into_iter().take(EVENT_IDS_SHOWN_MAX).collect();
        let launch_failures = launches
            .into_iter()
            .map(|((group, zone, status_message), at)| LaunchFailure {
                group,
                zone,
                status_message,
                at,
            });
        let notices = notices
            .into_iter()
            .map(|((instance, notice), at)| NoticeHint {
                at,
                instance,
                notice,
            });
        let lifecycle_actions = lifecycle_actions
            .into_iter()
            .map(|(action, at)| (at, action));
        Coalesced {
            scope: I::scope_with_slight(named, slight, everything, &home.clusters),
            hints: Hints {
                placement_failures: failures.into_values().collect(),
                launch_failures: launch_failures.collect(),
                notices: notices.collect(),
                lifecycle_actions: lifecycle_actions.collect(),
            },
            triggers,
            oldest,
            batch_item_failures: is_batch.then_some(unusable),
            messages,
            malformed,
        }
    }
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

/// What triggers of these kinds come to, all of this time: for the tests of each function's own rows.
#[cfg(test)]
pub(crate) fn coalesce_kinds<I: Interest>(
    kinds: Vec<TriggerKind>,
    time: Option<Timestamp>,
    home: &Home,
) -> Coalesced<I::Named> {
    use model::trigger::{Envelope, Trigger};

    let items = kinds.into_iter().map(|kind| trigger::Item {
        message: None,
        read: Ok(Trigger {
            envelope: Envelope {
                source: String::new(),
                detail_type: String::new(),
                id: None,
                account: None,
                region: None,
                time,
            },
            kind,
        }),
    });
    let invocation = Invocation {
        items: items.collect(),
        is_batch: false,
    };
    coalesce::<I>(&invocation, home)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::pairs::Pairs;
    use crate::services::SERVICES_PER_LOOK_MAX;

    fn placement_failure(service: usize, cluster: &str, time: &str) -> Value {
        json!({
            "source": "aws.ecs",
            "detail-type": "ECS Service Action",
            "id": format!("{service:08}"),
            "time": time,
            "resources": [format!("arn:aws:ecs:us-west-2:111122223333:service/{cluster}/web-{service}")],
            "detail": {
                "eventType": "ERROR",
                "eventName": "SERVICE_TASK_PLACEMENT_FAILURE",
                "clusterArn": format!("arn:aws:ecs:us-west-2:111122223333:cluster/{cluster}"),
                "reason": "RESOURCE:FARGATE",
            }
        })
    }

    fn coalesced(events: &[Value], home: &Home) -> Coalesced<ServiceKey> {
        let records: Vec<Value> = events
            .iter()
            .map(|event| json!({"messageId": "m", "eventSource": "aws:sqs", "body": event.to_string()}))
            .collect();
        coalesce::<Pairs>(&trigger::parse(&json!({ "Records": records })), home)
    }

    /// The services that the record's trigger part lists.
    fn services(coalesced: &Coalesced<ServiceKey>) -> &[ServiceKey] {
        coalesced.triggers.services.as_deref().unwrap()
    }

    #[test]
    fn the_order_and_the_number_of_deliveries_do_not_matter() {
        let events: Vec<Value> = (0..10)
            .map(|n| placement_failure(n % 3, "demo", &format!("2026-03-02T09:00:{n:02}Z")))
            .collect();
        let mut twice_backwards = events.clone();
        twice_backwards.extend(events.clone());
        twice_backwards.reverse();
        let home = Home::default();
        let (once, again) = (
            coalesced(&events, &home),
            coalesced(&twice_backwards, &home),
        );
        assert_eq!(once.scope, again.scope);
        assert_eq!(once.hints, again.hints);
        assert_eq!(once.oldest, again.oldest);
        assert_eq!(once.triggers.services, again.triggers.services);

        // One hint for each service, with its latest time.
        let times: Vec<String> = once
            .hints
            .placement_failures
            .iter()
            .map(|(time, failure)| format!("{} {}", failure.service, time.unwrap()))
            .collect();
        assert_eq!(
            times,
            [
                "demo/web-0 2026-03-02T09:00:09Z",
                "demo/web-1 2026-03-02T09:00:07Z",
                "demo/web-2 2026-03-02T09:00:08Z"
            ]
        );
        assert_eq!(once.oldest, Some("2026-03-02T09:00:00Z".parse().unwrap()));
    }

    #[test]
    fn more_services_than_one_look_names_are_looked_at_by_cluster() {
        let home = Home::default();
        let events = |count: usize| -> Vec<Value> {
            (0..count)
                .map(|n| placement_failure(n, ["a", "b"][n % 2], "2026-03-02T09:00:00Z"))
                .collect()
        };
        let few = coalesced(&events(SERVICES_PER_LOOK_MAX), &home);
        assert!(
            matches!(&few.scope, Some(Scope::Services(keys)) if keys.len() == SERVICES_PER_LOOK_MAX)
        );
        let many = coalesced(&events(SERVICES_PER_LOOK_MAX + 1), &home);
        let clusters = ["a", "b"].map(|it| it.parse().unwrap()).to_vec();
        assert_eq!(many.scope, Some(Scope::Clusters(clusters)));
        assert!(!many.triggers.is_sweep);
        assert_eq!(services(&many).len(), NAMES_SHOWN_MAX);
        let count = many.triggers.services_count;
        assert_eq!(count, Some(SERVICES_PER_LOOK_MAX + 1));
    }

    #[test]
    fn a_schedule_beside_other_events_is_one_look_at_everything() {
        let schedule = json!({"source": "aws.events", "detail-type": "Scheduled Event"});
        let home = Home {
            clusters: vec!["demo".parse().unwrap()],
            ..Home::default()
        };
        let events = [
            placement_failure(1, "demo", "2026-03-02T09:00:00Z"),
            schedule,
            placement_failure(1, "elsewhere", "2026-03-02T09:00:00Z"),
        ];
        let both = coalesced(&events, &home);
        assert_eq!(both.scope, Some(Scope::Clusters(home.clusters.clone())));
        assert!(both.triggers.is_sweep);
        assert_eq!(both.hints.placement_failures.len(), 1, "the hint is kept");
        assert_eq!(both.triggers.ignored.get("other_cluster"), Some(&1));
        let services: BTreeSet<String> = services(&both).iter().map(ToString::to_string).collect();
        assert_eq!(services, BTreeSet::from(["demo/web-1".to_owned()]));
    }
}
