//! Which events concern cluster-scaler, and what is looked at because of them.

use std::collections::BTreeSet;

use model::ClusterName;
use model::snapshot::Scope;
use model::strategy::{FARGATE, FARGATE_SPOT};
use model::trigger::{PlacementFailure, TaskChange, TriggerKind};

use crate::capacity::Capacity;
use crate::coalesce::NAMES_SHOWN_MAX;
use crate::duty::{About, Concern, Interest, OTHER_FUNCTION};
use crate::record::Triggers;

/// How ECS begins the reason of a placement failure for lack of something on instances, such as `RESOURCE:MEMORY`.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html>
const RESOURCE: &str = "RESOURCE:";

/// The reason of a placement failure on Fargate, whose capacity is nobody's group.
const RESOURCE_FARGATE: &str = "RESOURCE:FARGATE";

impl Interest for Capacity {
    /// A cluster is looked at as a whole: its providers share tasks.
    type Named = ClusterName;

    fn concern(kind: &TriggerKind) -> Concern<ClusterName> {
        let cluster = match kind {
            TriggerKind::Ignored(why) => return Concern::Nothing(why.as_str()),
            TriggerKind::Scheduled => None,
            TriggerKind::TaskInterrupted(task) | TriggerKind::TaskStopped(task) => {
                if is_on_fargate(task) {
                    return Concern::Nothing(OTHER_FUNCTION);
                }
                Some(&task.cluster)
            }
            TriggerKind::PlacementFailed(failure) => {
                if is_about_fargate(failure) {
                    return Concern::Nothing(OTHER_FUNCTION);
                }
                Some(&failure.service.cluster)
            }
            TriggerKind::ServiceSteady(change) | TriggerKind::ServiceChanged(change) => {
                Some(&change.service.cluster)
            }
            TriggerKind::InstanceChanged(change) => Some(&change.cluster),
            // Which cluster a group is for is seen, not told.
            TriggerKind::LaunchSucceeded(_)
            | TriggerKind::LaunchFailed(_)
            | TriggerKind::InstanceTerminated(_) => None,
            TriggerKind::AlarmChanged(alarm) => alarm.cluster.as_ref(),
            TriggerKind::InstanceNoticed(_) | TriggerKind::InstanceTerminating(_) => {
                return Concern::Nothing(OTHER_FUNCTION);
            }
        };
        let about = cluster.map_or(About::Everything, |it| About::one(it.clone()));
        Concern::Look(about)
    }

    fn is_hint(kind: &TriggerKind) -> bool {
        match kind {
            TriggerKind::PlacementFailed(failure) => failure.reason.starts_with(RESOURCE),
            TriggerKind::LaunchFailed(_) => true,
            TriggerKind::TaskInterrupted(_)
            | TriggerKind::TaskStopped(_)
            | TriggerKind::ServiceSteady(_)
            | TriggerKind::ServiceChanged(_)
            | TriggerKind::InstanceChanged(_)
            | TriggerKind::LaunchSucceeded(_)
            | TriggerKind::InstanceTerminated(_)
            | TriggerKind::InstanceNoticed(_)
            | TriggerKind::InstanceTerminating(_)
            | TriggerKind::AlarmChanged(_)
            | TriggerKind::Scheduled
            | TriggerKind::Ignored(_) => false,
        }
    }

    fn scope(
        named: BTreeSet<ClusterName>,
        everything: bool,
        installed: &[ClusterName],
    ) -> Option<Scope> {
        if everything {
            Some(Scope::Clusters(installed.to_vec()))
        } else if named.is_empty() {
            None
        } else {
            Some(Scope::Clusters(named.into_iter().collect()))
        }
    }

    fn enter(triggers: &mut Triggers, named: &BTreeSet<ClusterName>) {
        triggers.clusters_count = named.len();
        triggers.clusters = named.iter().take(NAMES_SHOWN_MAX).cloned().collect();
    }
}

/// Whether a task certainly takes no room on an instance. One with a launch type has no provider, and may.
fn is_on_fargate(task: &TaskChange) -> bool {
    let provider = task.provider.as_ref();
    provider.is_some_and(|it| is_fargate(it.as_str()))
}

/// Whether a placement failure certainly says nothing about instances.
fn is_about_fargate(failure: &PlacementFailure) -> bool {
    let providers = &failure.providers;
    failure.reason == RESOURCE_FARGATE
        || (!providers.is_empty() && providers.iter().all(|it| is_fargate(it.as_str())))
}

fn is_fargate(provider: &str) -> bool {
    provider == FARGATE || provider == FARGATE_SPOT
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use model::snapshot::Scope;
    use model::trigger::{AlarmChange, AlarmState, GroupActivity};

    use super::*;
    use crate::coalesce::{Coalesced, coalesce_kinds};
    use crate::home::Home;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_772_442_000 + second).unwrap()
    }

    fn failure(reason: &str, provider: Option<&str>) -> TriggerKind {
        TriggerKind::PlacementFailed(PlacementFailure {
            service: "demo/web".parse().unwrap(),
            providers: provider.map(|it| it.parse().unwrap()).into_iter().collect(),
            reason: reason.to_owned(),
        })
    }

    fn launch_failed(zone: &str, ended: i64) -> TriggerKind {
        TriggerKind::LaunchFailed(GroupActivity {
            group: "large".parse().unwrap(),
            instance: None,
            zone: Some(zone.parse().unwrap()),
            status_message: "There is no Spot capacity available that matches your request."
                .to_owned(),
            cause: String::new(),
            activity: None,
            at: Some(at(ended)),
        })
    }

    fn alarm(cluster: Option<&str>) -> TriggerKind {
        TriggerKind::AlarmChanged(AlarmChange {
            alarm: "reserved".parse().unwrap(),
            state: AlarmState::Alarm,
            previous: None,
            metrics: vec![],
            cluster: cluster.map(|it| it.parse().unwrap()),
            provider: None,
            group: None,
            services: BTreeSet::new(),
            is_composite: cluster.is_none(),
        })
    }

    fn interrupted(provider: Option<&str>) -> TriggerKind {
        TriggerKind::TaskInterrupted(TaskChange {
            task: "arn:aws:ecs:us-west-2:111122223333:task/demo/0123456789abcdef0123456789abcdef"
                .parse()
                .unwrap(),
            cluster: "demo".parse().unwrap(),
            service: None,
            provider: provider.map(|it| it.parse().unwrap()),
            version: None,
            stopping_at: None,
        })
    }

    fn joined(kinds: Vec<TriggerKind>) -> Coalesced<ClusterName> {
        let home = Home {
            clusters: vec!["demo".parse().unwrap(), "other".parse().unwrap()],
            ..Home::default()
        };
        coalesce_kinds::<Capacity>(kinds, Some(at(100)), &home)
    }

    /// What one trigger leads to: the clusters looked at, or why there is no look.
    fn check(kind: TriggerKind, want: &str) {
        let text = format!("{kind:?}");
        let coalesced = joined(vec![kind]);
        let found = match coalesced.scope {
            Some(Scope::Clusters(clusters)) => {
                let names: Vec<&str> = clusters.iter().map(ClusterName::as_str).collect();
                names.join(" ")
            }
            Some(scope @ (Scope::Services(_) | Scope::Departures { .. })) => format!("{scope:?}"),
            None => format!("{:?}", coalesced.triggers.ignored),
        };
        assert_eq!(found, want, "{text}");
    }

    #[test]
    fn an_event_leads_to_a_look_at_its_cluster_or_at_everything() {
        let not_here = r#"{"other_function": 1}"#;
        check(TriggerKind::Scheduled, "demo other");
        check(failure("RESOURCE:MEMORY", None), "demo");
        check(failure("AGENT", Some("large")), "demo");
        check(failure("RESOURCE:FARGATE", None), not_here);
        check(failure("RESOURCE:CPU", Some("FARGATE_SPOT")), not_here);
        check(interrupted(None), "demo");
        check(interrupted(Some("large")), "demo");
        check(interrupted(Some("FARGATE_SPOT")), not_here);
        check(launch_failed("us-west-2a", 1), "demo other");
        check(alarm(Some("other")), "other");
        check(alarm(None), "demo other");
        check(alarm(Some("elsewhere")), r#"{"other_cluster": 1}"#);
    }

    #[test]
    fn only_what_tells_of_room_or_of_pools_is_a_hint() {
        let coalesced = joined(vec![
            failure("RESOURCE:MEMORY", None),
            failure("AGENT", None),
            launch_failed("us-west-2a", 3),
            launch_failed("us-west-2b", 5),
            launch_failed("us-west-2a", 9),
            launch_failed("us-west-2a", 4),
        ]);
        let reasons: Vec<&str> = coalesced
            .hints
            .placement_failures
            .iter()
            .map(|(_, it)| it.reason.as_str())
            .collect();
        assert_eq!(reasons, ["RESOURCE:MEMORY"]);
        // A pool's failure is kept once, with its latest time.
        let pools: Vec<(&str, Option<Timestamp>)> = coalesced
            .hints
            .launch_failures
            .iter()
            .map(|it| (it.zone.as_ref().unwrap().as_str(), it.at))
            .collect();
        let want = [("us-west-2a", Some(at(9))), ("us-west-2b", Some(at(5)))];
        assert_eq!(pools, want);
        let groups: Vec<String> = coalesced
            .triggers
            .groups
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(groups, ["large"]);
        assert!(!coalesced.triggers.is_sweep, "the schedule did not ask");
    }
}
