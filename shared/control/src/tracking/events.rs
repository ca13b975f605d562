//! Which events concern service-scaler, and what is looked at because of them.
//!
//! An alarm says *look*, and where. What it found, and whether it still is so, the metrics tell: an alarm that persists, that lacks data or
//! that was defined anew leads to the same look as the schedule.

use std::collections::BTreeSet;

use model::snapshot::Scope;
use model::trigger::{AlarmChange, AlarmMetric, AlarmState, TriggerKind};
use model::{ClusterName, Seconds, ServiceKey};

use crate::duty::{About, Concern, Interest, OTHER_FUNCTION};
use crate::record::Triggers;
use crate::services;
use crate::tracking::Tracking;

/// Why an alarm that names no service leads to no look: it has nothing to compare, and which metric that is about only the schedule's
/// look could tell.
const ALARM_WITHOUT_DATA: &str = "alarm_without_data";

/// Why an alarm that names no service leads to no look: it is not in ALARM. To raise desired counts is urgent; to lower them is not, and
/// the schedule does it.
const ALARM_NOT_IN_ALARM: &str = "alarm_not_in_alarm";

/// How far looks at everything lie apart that alarms lead to. CloudWatch publishes no metric of ECS or of a load balancer more often
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html>), and bills every metric that a look asks for:
/// of a hundred alarms that ring with one rise of the load, each by a call of its own, the first is enough.
const ALARM_LOOKS_APART: Seconds = Seconds(20);

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

    const LOOKS_APART: Option<Seconds> = Some(ALARM_LOOKS_APART);

    fn is_hint(_kind: &TriggerKind) -> bool {
        false
    }

    fn scope(
        named: BTreeSet<ServiceKey>,
        everything: bool,
        installed: &[ClusterName],
    ) -> Option<Scope> {
        services::scope(named, everything, installed)
    }

    fn enter(triggers: &mut Triggers, named: &BTreeSet<ServiceKey>) {
        services::enter(triggers, named);
    }
}

/// What an alarm asks to be looked at: the services that its metrics are about, else everything, because any service may follow what it
/// watches, also where it names a cluster alone. An alarm on capacity alone is another function's.
fn of_alarm(alarm: &AlarmChange) -> Concern<ServiceKey> {
    if !alarm.services.is_empty() {
        return Concern::Look(About::Named(alarm.services.clone()));
    }
    if is_about_capacity(alarm) {
        return Concern::Nothing(OTHER_FUNCTION);
    }
    match alarm.state {
        AlarmState::Alarm => Concern::Look(About::Everything),
        AlarmState::Ok | AlarmState::Other => Concern::Nothing(ALARM_NOT_IN_ALARM),
        AlarmState::InsufficientData => Concern::Nothing(ALARM_WITHOUT_DATA),
    }
}

/// Whether the alarm is about capacity providers and Auto Scaling groups alone. A metric of something else beside theirs may be what a service
/// follows, such as a queue's length for each instance of a group.
fn is_about_capacity(alarm: &AlarmChange) -> bool {
    let names_any = |metric: &AlarmMetric, names: &[&str]| {
        names.iter().any(|it| metric.dimensions.contains_key(*it))
    };
    let of_capacity = ["CapacityProviderName", "AutoScalingGroupName"];
    let is_of_capacity = |it: &AlarmMetric| names_any(it, &of_capacity);
    let is_beside = |it: &AlarmMetric| is_of_capacity(it) || names_any(it, &["ClusterName"]);
    alarm.metrics.iter().any(is_of_capacity) && alarm.metrics.iter().all(is_beside)
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;
    use crate::coalesce::{Coalesced, coalesce_kinds};
    use crate::home::Home;
    use crate::services::SERVICES_PER_LOOK_MAX;

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

    fn service(metric: &AlarmMetric) -> Option<ServiceKey> {
        let value = |name: &str| metric.dimensions.get(name);
        let (cluster, service) = (value("ClusterName")?, value("ServiceName")?);
        let (cluster, service) = (cluster.parse().unwrap(), service.parse().unwrap());
        Some(ServiceKey::new(cluster, service))
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
            services: metrics.iter().filter_map(service).collect(),
            is_composite: metrics.is_empty(),
            metrics,
        }
    }

    fn joined(kinds: Vec<TriggerKind>, clusters: &[&str]) -> Coalesced<ServiceKey> {
        let home = Home {
            clusters: clusters.iter().map(|it| it.parse().unwrap()).collect(),
            ..Home::default()
        };
        coalesce_kinds::<Tracking>(kinds, None, &home)
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
    fn an_alarm_that_names_no_service_asks_for_everything_where_it_is_in_alarm() {
        let of_cluster = || metric("AWS/ECS", &[("ClusterName", "demo")]);
        for (state, want) in [
            (AlarmState::Alarm, "everything"),
            (AlarmState::Ok, r#"{"alarm_not_in_alarm": 1}"#),
            (AlarmState::Other, r#"{"alarm_not_in_alarm": 1}"#),
            (AlarmState::InsufficientData, r#"{"alarm_without_data": 1}"#),
        ] {
            for metrics in [
                vec![],
                vec![metric("AWS/SQS", &[("QueueName", "jobs")])],
                vec![of_cluster()],
                vec![of_cluster(), metric("AWS/SQS", &[("QueueName", "jobs")])],
            ] {
                let alarm = TriggerKind::AlarmChanged(alarm(state, metrics));
                check(alarm, &[], want);
            }
        }
        let elsewhere = alarm(AlarmState::Alarm, vec![of_cluster()]);
        check(
            TriggerKind::AlarmChanged(elsewhere),
            &["other"],
            r#"{"other_cluster": 1}"#,
        );
    }

    #[test]
    fn alarms_that_name_no_service_lead_to_looks_that_lie_apart() {
        let looked_at = Timestamp::from_second(1_772_442_000).unwrap();
        let after = |secs| Seconds(secs).after(looked_at);
        let named = || vec![of_service("demo", "web")];
        let of = |metrics| TriggerKind::AlarmChanged(alarm(AlarmState::Alarm, metrics));
        for (kind, looked_at, time, is_look) in [
            (of(vec![]), Some(looked_at), Some(after(-3_600)), false),
            (of(vec![]), Some(looked_at), Some(after(19)), false),
            (of(vec![]), Some(looked_at), Some(after(20)), true),
            (of(vec![]), Some(looked_at), None, true),
            (of(vec![]), None, Some(after(0)), true),
            (of(named()), Some(looked_at), Some(after(0)), true),
            (
                TriggerKind::Scheduled,
                Some(looked_at),
                Some(after(0)),
                true,
            ),
        ] {
            let home = Home {
                looked_at,
                ..Home::default()
            };
            let joined = coalesce_kinds::<Tracking>(vec![kind.clone()], time, &home);
            assert_eq!(joined.scope.is_some(), is_look, "{kind:?} {time:?}");
            let lately = joined.triggers.ignored.get("looked_lately");
            assert_eq!(lately.is_none(), is_look, "{kind:?} {time:?}");
            assert_eq!(joined.oldest.is_some(), is_look && time.is_some());
        }
    }

    #[test]
    fn what_is_about_capacity_is_another_functions() {
        let other = r#"{"other_function": 1}"#;
        let reservation = |provider: &str| {
            let dimensions = [("ClusterName", "demo"), ("CapacityProviderName", provider)];
            metric("AWS/ECS/ManagedScaling", &dimensions)
        };
        let of = |metrics| TriggerKind::AlarmChanged(alarm(AlarmState::Alarm, metrics));
        check(of(vec![reservation("large")]), &[], other);
        // Which of the two it is about is not told, and it is still about capacity.
        let both = || vec![reservation("large"), reservation("small")];
        check(of(both()), &[], other);
        check(
            of([both(), vec![metric("AWS/ECS", &[("ClusterName", "demo")])]].concat()),
            &[],
            other,
        );
        let group = || metric("AWS/AutoScaling", &[("AutoScalingGroupName", "large")]);
        check(of(vec![group()]), &[], other);
        // A queue's length for each instance is what a service may follow.
        let queue = metric("AWS/SQS", &[("QueueName", "jobs")]);
        check(of(vec![queue.clone(), group()]), &[], "everything");
        check(of([both(), vec![queue]].concat()), &[], "everything");
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
