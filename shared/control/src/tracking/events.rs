//! Which events concern service-scaler, and what is looked at because of them.
//!
//! An alarm says *look*, and where. What it found, and whether it still is so, the metrics tell: an alarm that persists, that lacks data or
//! that was defined anew leads to the same look as the schedule.

use std::collections::BTreeSet;

use model::snapshot::Scope;
use model::trigger::{AlarmChange, AlarmState, TriggerKind};
use model::{ClusterName, ServiceKey};

use crate::coalesce::NAMES_SHOWN_MAX;
use crate::duty::{About, Concern, Interest, OTHER_FUNCTION};
use crate::pairs::SERVICES_PER_LOOK_MAX;
use crate::record::Triggers;
use crate::tracking::Tracking;

/// Why an alarm that names no service leads to no look: it has nothing to compare, and which metric that is about only the schedule's
/// look could tell.
const ALARM_WITHOUT_DATA: &str = "alarm_without_data";

impl Interest for Tracking {
    type Named = ServiceKey;

    fn concern(kind: &TriggerKind) -> Concern<ServiceKey> {
        match kind {
            TriggerKind::Ignored(why) => Concern::Nothing(why.as_str()),
            TriggerKind::Scheduled => Concern::Look(About::Everything),
            TriggerKind::AlarmChanged(alarm) => of_alarm(alarm),
            TriggerKind::TaskInterrupted(_)
            | TriggerKind::TaskStopped(_)
            | TriggerKind::PlacementFailed(_)
            | TriggerKind::ServiceSteady(_)
            | TriggerKind::ServiceChanged(_)
            | TriggerKind::InstanceChanged(_)
            | TriggerKind::LaunchSucceeded(_)
            | TriggerKind::LaunchFailed(_)
            | TriggerKind::InstanceTerminated(_)
            | TriggerKind::InstanceNoticed(_)
            | TriggerKind::InstanceTerminating(_) => Concern::Nothing(OTHER_FUNCTION),
        }
    }

    fn is_hint(_kind: &TriggerKind) -> bool {
        false
    }

    fn scope(
        named: BTreeSet<ServiceKey>,
        everything: bool,
        installed: &[ClusterName],
    ) -> Option<Scope> {
        if everything {
            return Some(Scope::Clusters(installed.to_vec()));
        }
        // An alarm may watch services of several clusters.
        let is_ours = |it: &ServiceKey| installed.is_empty() || installed.contains(&it.cluster);
        let named: BTreeSet<ServiceKey> = named.into_iter().filter(is_ours).collect();
        if named.is_empty() {
            None
        } else if named.len() > SERVICES_PER_LOOK_MAX {
            let clusters: BTreeSet<ClusterName> = named.into_iter().map(|it| it.cluster).collect();
            Some(Scope::Clusters(clusters.into_iter().collect()))
        } else {
            Some(Scope::Services(named))
        }
    }

    fn enter(triggers: &mut Triggers, named: &BTreeSet<ServiceKey>) {
        triggers.services_count = Some(named.len());
        triggers.services = Some(named.iter().take(NAMES_SHOWN_MAX).cloned().collect());
    }
}

/// What an alarm asks to be looked at: the services that its metrics are about, else everything, because any service may follow what it
/// watches. An alarm on capacity is another function's.
fn of_alarm(alarm: &AlarmChange) -> Concern<ServiceKey> {
    let services: BTreeSet<ServiceKey> = alarm.metrics.iter().filter_map(service).collect();
    let services = if services.is_empty() {
        alarm.service.iter().cloned().collect()
    } else {
        services
    };
    if !services.is_empty() {
        return Concern::Look(About::Named(services));
    }
    if alarm.provider.is_some() || alarm.group.is_some() || alarm.cluster.is_some() {
        return Concern::Nothing(OTHER_FUNCTION);
    }
    match alarm.state {
        AlarmState::Alarm | AlarmState::Ok | AlarmState::Other => Concern::Look(About::Everything),
        AlarmState::InsufficientData => Concern::Nothing(ALARM_WITHOUT_DATA),
    }
}

/// The service that a metric's dimensions name, as those of ECS's metrics do. A pair's alarm may watch both of its services.
fn service(metric: &model::trigger::AlarmMetric) -> Option<ServiceKey> {
    let value = |name: &str| metric.dimensions.get(name);
    let (cluster, service) = (value("ClusterName")?, value("ServiceName")?);
    Some(ServiceKey::new(
        cluster.parse().ok()?,
        service.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use model::trigger::{AlarmMetric, Envelope, Trigger};
    use trigger::{Invocation, Item};

    use super::*;
    use crate::coalesce::{Coalesced, Home, coalesce};

    fn metric(namespace: &str, dimensions: &[(&str, &str)]) -> AlarmMetric {
        AlarmMetric {
            namespace: namespace.to_owned(),
            name: "any".to_owned(),
            dimensions: dimensions
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    fn of_service(cluster: &str, service: &str) -> AlarmMetric {
        let dimensions = [("ClusterName", cluster), ("ServiceName", service)];
        metric("AWS/ECS", &dimensions)
    }

    fn alarm(state: AlarmState, metrics: Vec<AlarmMetric>) -> AlarmChange {
        let cluster = metrics
            .iter()
            .find_map(|it| it.dimensions.get("ClusterName"));
        AlarmChange {
            alarm: "web".parse().unwrap(),
            state,
            previous: None,
            cluster: cluster.map(|it| it.parse().unwrap()),
            provider: None,
            group: None,
            service: None,
            is_composite: metrics.is_empty(),
            metrics,
        }
    }

    fn joined(kinds: Vec<TriggerKind>, clusters: &[&str]) -> Coalesced<ServiceKey> {
        let items = kinds.into_iter().map(|kind| Item {
            message: None,
            read: Ok(Trigger {
                envelope: Envelope {
                    source: String::new(),
                    detail_type: String::new(),
                    id: None,
                    account: None,
                    region: None,
                    time: None,
                },
                kind,
            }),
        });
        let invocation = Invocation {
            is_batch: false,
            items: items.collect(),
        };
        let home = Home {
            clusters: clusters.iter().map(|it| it.parse().unwrap()).collect(),
            ..Home::default()
        };
        coalesce::<Tracking>(&invocation, &home)
    }

    /// What is looked at: `everything`, services, or why nothing is.
    fn check(kind: TriggerKind, clusters: &[&str], want: &str) {
        let joined = joined(vec![kind], clusters);
        let got = match &joined.scope {
            None => format!("{:?}", joined.triggers.ignored),
            Some(Scope::Clusters(_)) => "everything".to_owned(),
            Some(Scope::Services(keys)) => {
                let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
                keys.join(" ")
            }
            Some(scope @ Scope::Departures { .. }) => panic!("{scope:?}"),
        };
        assert_eq!(got, want);
        assert_eq!(joined.hints, model::trigger::Hints::default());
    }

    #[test]
    fn an_alarm_of_a_service_asks_for_that_service_in_any_state() {
        for state in [
            AlarmState::Ok,
            AlarmState::Alarm,
            AlarmState::InsufficientData,
            AlarmState::Other,
        ] {
            let alarm = alarm(state, vec![of_service("demo", "web")]);
            check(TriggerKind::AlarmChanged(alarm), &[], "demo/web");
        }
    }

    #[test]
    fn an_alarm_on_both_services_of_a_pair_asks_for_both() {
        let metrics = || {
            vec![
                of_service("demo", "web"),
                of_service("demo", "web-standby"),
                metric("AWS/SQS", &[("QueueName", "jobs")]),
            ]
        };
        let alarm = || TriggerKind::AlarmChanged(alarm(AlarmState::Alarm, metrics()));
        check(alarm(), &[], "demo/web demo/web-standby");
        check(alarm(), &["demo"], "demo/web demo/web-standby");
        check(alarm(), &["other"], r#"{"other_cluster": 1}"#);
    }

    #[test]
    fn services_of_other_installations_are_not_looked_at() {
        let mut several = alarm(
            AlarmState::Alarm,
            vec![of_service("demo", "web"), of_service("other", "api")],
        );
        several.cluster = None;
        let kind = || TriggerKind::AlarmChanged(several.clone());
        check(kind(), &[], "demo/web other/api");
        check(kind(), &["other"], "other/api");
        check(kind(), &["third"], "{}");
    }

    #[test]
    fn an_alarm_that_names_nothing_asks_for_everything_where_it_has_data() {
        for (state, want) in [
            (AlarmState::Alarm, "everything"),
            (AlarmState::Ok, "everything"),
            (AlarmState::InsufficientData, r#"{"alarm_without_data": 1}"#),
        ] {
            let composite = alarm(state, vec![]);
            check(TriggerKind::AlarmChanged(composite), &[], want);
            let queue = alarm(state, vec![metric("AWS/SQS", &[("QueueName", "jobs")])]);
            check(TriggerKind::AlarmChanged(queue), &[], want);
        }
    }

    #[test]
    fn what_is_about_capacity_is_another_functions() {
        let other = r#"{"other_function": 1}"#;
        let reservation = metric(
            "AWS/ECS/ManagedScaling",
            &[("ClusterName", "demo"), ("CapacityProviderName", "large")],
        );
        let mut capacity = alarm(AlarmState::Alarm, vec![reservation]);
        check(TriggerKind::AlarmChanged(capacity.clone()), &[], other);
        capacity.cluster = None;
        capacity.group = Some("large".parse().unwrap());
        check(TriggerKind::AlarmChanged(capacity), &[], other);
    }

    #[test]
    fn the_schedule_asks_for_everything_and_a_storm_of_alarms_is_one_look() {
        check(TriggerKind::Scheduled, &[], "everything");
        let alarms = |count: usize| {
            let kinds = (0..count).map(|number| {
                let metrics = vec![of_service("demo", &format!("web-{number}"))];
                TriggerKind::AlarmChanged(alarm(AlarmState::Alarm, metrics))
            });
            joined(kinds.collect(), &[])
        };
        let few = alarms(SERVICES_PER_LOOK_MAX);
        assert!(
            matches!(&few.scope, Some(Scope::Services(keys)) if keys.len() == SERVICES_PER_LOOK_MAX)
        );
        let many = alarms(SERVICES_PER_LOOK_MAX + 1);
        assert_eq!(
            many.scope,
            Some(Scope::Clusters(vec!["demo".parse().unwrap()]))
        );
        assert!(!many.triggers.is_sweep, "the schedule did not ask");
        assert_eq!(
            many.triggers.services_count,
            Some(SERVICES_PER_LOOK_MAX + 1)
        );
    }
}
