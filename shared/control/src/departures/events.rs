//! Which events concern instance-drain, and what is looked at because of them.

use std::collections::BTreeSet;

use model::drain::DrainKey;
use model::snapshot::Scope;
use model::trigger::{ContainerInstanceChange, Ignored, MachineState, Notice, TriggerKind};
use model::{ClusterName, InstanceId};

use crate::coalesce::NAMES_SHOWN_MAX;
use crate::departures::Departures;
use crate::duty::{About, Concern, Interest, OTHER_FUNCTION};
use crate::record::Triggers;

/// Why an instance's event leads to no look: it is on its way in, or stays.
const INSTANCE_NOT_LEAVING: &str = "instance_not_leaving";

/// ECS's word for a container instance that takes tasks. With any other it is on its way in or out.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerInstance.html>
const ACTIVE: &str = "ACTIVE";

/// ECS's words for a container instance that takes no more tasks.
const AFTER_ACTIVE: [&str; 3] = ["DRAINING", "DEREGISTERING", "INACTIVE"];

/// The last version of a container instance that may be its registration. ECS numbers an instance's changes from 1
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_container_instance_events.html>), and the first of them may be lost: an
/// instance that was warned before it registered is to be drained at once. The rule in `infra/` lets through as many.
const REGISTRATION_VERSION_MAX: u64 = 5;

impl Interest for Departures {
    /// An instance; of what went wrong also its group.
    type Named = DrainKey;

    fn concern(kind: &TriggerKind) -> Concern<DrainKey> {
        let why = match kind {
            TriggerKind::Ignored(why) => return Concern::Nothing(why.as_str()),
            TriggerKind::Scheduled => return Concern::Look(About::Everything),
            TriggerKind::InstanceNoticed(noticed) => not_worth_a_look(&noticed.notice),
            TriggerKind::InstanceChanged(change) => is_not_leaving(change),
            TriggerKind::InstanceTerminating(_) => None,
            TriggerKind::TaskInterrupted(_)
            | TriggerKind::TaskStopped(_)
            | TriggerKind::PlacementFailed(_)
            | TriggerKind::ServiceSteady(_)
            | TriggerKind::ServiceChanged(_)
            | TriggerKind::LaunchSucceeded(_)
            | TriggerKind::LaunchFailed(_)
            | TriggerKind::InstanceTerminated(_)
            | TriggerKind::AlarmChanged(_) => Some(OTHER_FUNCTION),
        };
        if let Some(why) = why {
            return Concern::Nothing(why);
        }
        let instances: BTreeSet<DrainKey> = kind.instances().cloned().map(named).collect();
        if instances.is_empty() {
            return Concern::Nothing(Ignored::NamesNoInstance.as_str());
        }
        Concern::Look(About::Named(instances))
    }

    fn is_hint(kind: &TriggerKind) -> bool {
        match kind {
            TriggerKind::InstanceNoticed(_) | TriggerKind::InstanceTerminating(_) => true,
            TriggerKind::TaskInterrupted(_)
            | TriggerKind::TaskStopped(_)
            | TriggerKind::PlacementFailed(_)
            | TriggerKind::ServiceSteady(_)
            | TriggerKind::ServiceChanged(_)
            | TriggerKind::InstanceChanged(_)
            | TriggerKind::LaunchSucceeded(_)
            | TriggerKind::LaunchFailed(_)
            | TriggerKind::InstanceTerminated(_)
            | TriggerKind::AlarmChanged(_)
            | TriggerKind::Scheduled
            | TriggerKind::Ignored(_) => false,
        }
    }

    fn scope(
        named: BTreeSet<DrainKey>,
        everything: bool,
        installed: &[ClusterName],
    ) -> Option<Scope> {
        if everything {
            Some(Scope::Clusters(installed.to_vec()))
        } else if named.is_empty() {
            None
        } else {
            Some(scope_of(named))
        }
    }

    /// That a container instance drains, that a task on it stopped meanwhile, and that it is gone. In a storm these are nine of ten events.
    fn is_slight(kind: &TriggerKind) -> bool {
        matches!(kind, TriggerKind::InstanceChanged(change) if AFTER_ACTIVE.contains(&change.status.as_str()))
    }

    fn scope_with_slight(
        named: BTreeSet<DrainKey>,
        slight: BTreeSet<DrainKey>,
        everything: bool,
        installed: &[ClusterName],
    ) -> Option<Scope> {
        match Self::scope(named, everything, installed) {
            Some(Scope::Departures {
                instances, groups, ..
            }) => Some(Scope::Departures {
                instances,
                draining: slight.iter().filter_map(instance).cloned().collect(),
                groups,
            }),
            None if !slight.is_empty() => Some(Scope::Departures {
                instances: BTreeSet::new(),
                draining: slight.iter().filter_map(instance).cloned().collect(),
                groups: BTreeSet::new(),
            }),
            scope => scope,
        }
    }

    fn enter(triggers: &mut Triggers, named: &BTreeSet<DrainKey>) {
        triggers.instances_count = named.len();
        let instances = named.iter().filter_map(instance);
        triggers.instances = instances.take(NAMES_SHOWN_MAX).cloned().collect();
    }
}

/// An instance, as events name it.
pub(super) fn named(instance: InstanceId) -> DrainKey {
    DrainKey::Instance { instance }
}

/// The instance that is named.
fn instance(key: &DrainKey) -> Option<&InstanceId> {
    match key {
        DrainKey::Instance { instance } => Some(instance),
        DrainKey::Group { .. } | DrainKey::Cluster { .. } => None,
    }
}

/// The look that shows these instances, and every instance of these groups.
pub(super) fn scope_of(named: BTreeSet<DrainKey>) -> Scope {
    let (instances, groups): (BTreeSet<DrainKey>, BTreeSet<DrainKey>) =
        named.into_iter().partition(|it| instance(it).is_some());
    Scope::Departures {
        instances: instances.iter().filter_map(instance).cloned().collect(),
        draining: BTreeSet::new(),
        groups,
    }
}

/// Why what was said about an instance leads to no look.
fn not_worth_a_look(notice: &Notice) -> Option<&'static str> {
    match notice {
        Notice::SpotInterruption { .. }
        | Notice::CapacityReservationInterruption { .. }
        | Notice::Rebalance
        | Notice::Maintenance { .. } => None,
        Notice::StateChanged { state } => match state {
            MachineState::Stopping
            | MachineState::Stopped
            | MachineState::ShuttingDown
            | MachineState::Terminated => None,
            MachineState::Pending | MachineState::Running | MachineState::Other => {
                Some(INSTANCE_NOT_LEAVING)
            }
        },
    }
}

/// Why a container instance's change leads to no look. ECS reports every task that starts or stops there as well, and every agent that
/// is disconnected for a moment: whose agent stays away the schedule sees.
fn is_not_leaving(change: &ContainerInstanceChange) -> Option<&'static str> {
    let is_new = change
        .version
        .is_some_and(|it| it <= REGISTRATION_VERSION_MAX);
    (change.status == ACTIVE && !is_new).then_some(INSTANCE_NOT_LEAVING)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use model::Timestamp;
    use model::trigger::{GroupActivity, InstanceNotice, LifecycleAction};

    use super::*;
    use crate::coalesce::{Coalesced, coalesce_kinds};
    use crate::home::Home;

    const INSTANCE: &str = "i-0123456789abcdef0";

    fn noticed(notice: Notice) -> TriggerKind {
        TriggerKind::InstanceNoticed(InstanceNotice {
            instances: [INSTANCE.parse().unwrap()].into(),
            resolved: BTreeSet::new(),
            notice,
        })
    }

    fn changed(
        status: &str,
        agent_connected: Option<bool>,
        version: Option<u64>,
        instance: Option<&str>,
    ) -> TriggerKind {
        let container_instance = "arn:aws:ecs:us-west-2:111122223333:container-instance/demo/0123456789abcdef0123456789abcdef";
        TriggerKind::InstanceChanged(ContainerInstanceChange {
            cluster: "demo".parse().unwrap(),
            container_instance: container_instance.parse().unwrap(),
            ec2_instance: instance.map(|it| it.parse().unwrap()),
            status: status.to_owned(),
            agent_connected,
            version,
        })
    }

    fn activity(instance: Option<&str>) -> GroupActivity {
        GroupActivity {
            group: "workers".parse().unwrap(),
            instance: instance.map(|it| it.parse().unwrap()),
            zone: None,
            status_message: String::new(),
            cause: String::new(),
            activity: None,
            at: None,
        }
    }

    fn terminating() -> TriggerKind {
        TriggerKind::InstanceTerminating(LifecycleAction {
            group: "workers".parse().unwrap(),
            hook: "ballast-instance-drain".parse().unwrap(),
            instance: INSTANCE.parse().unwrap(),
            token: None,
            origin: None,
            destination: None,
        })
    }

    fn joined(kinds: Vec<TriggerKind>) -> Coalesced<DrainKey> {
        let home = Home {
            clusters: vec!["demo".parse().unwrap(), "other".parse().unwrap()],
            ..Home::default()
        };
        coalesce_kinds::<Departures>(kinds, Some(Timestamp::UNIX_EPOCH), &home)
    }

    /// What one trigger leads to: what is looked at, or why there is no look.
    fn check(kind: TriggerKind, want: &str) {
        let text = format!("{kind:?}");
        let coalesced = joined(vec![kind]);
        let mut found = String::new();
        match coalesced.scope {
            Some(Scope::Clusters(clusters)) => {
                let names: Vec<&str> = clusters.iter().map(ClusterName::as_str).collect();
                found.push_str(&names.join(" "));
            }
            Some(Scope::Departures {
                instances,
                draining,
                groups,
            }) => {
                let names: Vec<&str> = instances.iter().map(InstanceId::as_str).collect();
                found.push_str(&names.join(" "));
                for id in &draining {
                    write!(found, "slightly {id}").unwrap();
                }
                assert!(groups.is_empty(), "{text}");
            }
            Some(scope @ Scope::Services(_)) => panic!("{text}: {scope:?}"),
            None => write!(found, "{:?}", coalesced.triggers.ignored).unwrap(),
        }
        assert_eq!(found, want, "{text}");
    }

    #[test]
    fn an_event_leads_to_a_look_at_the_instances_that_it_names() {
        let stays = r#"{"instance_not_leaving": 1}"#;
        let unnamed = r#"{"names_no_instance": 1}"#;
        let action = String::new;
        check(TriggerKind::Scheduled, "demo other");
        check(
            noticed(Notice::SpotInterruption { action: action() }),
            INSTANCE,
        );
        let reservation = Notice::CapacityReservationInterruption { action: action() };
        check(noticed(reservation), INSTANCE);
        check(noticed(Notice::Rebalance), INSTANCE);
        let maintenance = |is_over| Notice::Maintenance {
            code: "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED".to_owned(),
            health_event: None,
            starts_at: None,
            is_over,
        };
        check(noticed(maintenance(false)), INSTANCE);
        check(noticed(maintenance(true)), INSTANCE);
        for (state, want) in [
            (MachineState::Pending, stays),
            (MachineState::Running, stays),
            (MachineState::Stopping, INSTANCE),
            (MachineState::Stopped, INSTANCE),
            (MachineState::ShuttingDown, INSTANCE),
            (MachineState::Terminated, INSTANCE),
            (MachineState::Other, stays),
        ] {
            check(noticed(Notice::StateChanged { state }), want);
        }
        check(terminating(), INSTANCE);
        for activity in [activity(Some(INSTANCE)), activity(None)] {
            let elsewhere = r#"{"other_function": 1}"#;
            check(TriggerKind::InstanceTerminated(activity.clone()), elsewhere);
            check(TriggerKind::LaunchSucceeded(activity), elsewhere);
        }

        let here = Some(INSTANCE);
        check(changed("ACTIVE", Some(true), Some(1), here), INSTANCE);
        check(changed("ACTIVE", Some(true), Some(5), here), INSTANCE);
        check(changed("ACTIVE", Some(true), Some(6), here), stays);
        check(changed("ACTIVE", Some(true), None, here), stays);
        check(changed("ACTIVE", None, Some(9), here), stays);
        check(changed("ACTIVE", Some(false), Some(9), here), stays);
        for status in ["DRAINING", "DEREGISTERING", "INACTIVE"] {
            let slightly = format!("slightly {INSTANCE}");
            check(changed(status, Some(true), Some(9), here), &slightly);
            check(changed(status, None, None, here), &slightly);
        }
        check(changed("REGISTERING", Some(true), Some(9), here), INSTANCE);
        check(changed("REGISTERING", None, None, here), INSTANCE);
        check(changed("DRAINING", Some(true), Some(9), None), unnamed);
    }

    /// What the rule lets through is looked at, and what is looked at is let through.
    #[test]
    fn the_rule_of_the_installation_lets_through_what_leads_to_a_look() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/patterns.json");
        let patterns: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let rule = world::pattern::Pattern::parse(&patterns["ContainerInstanceRule"]).unwrap();
        let statuses = [
            "ACTIVE",
            "DRAINING",
            "DEREGISTERING",
            "INACTIVE",
            "REGISTERING",
            "REGISTRATION_FAILED",
        ];
        let mut looked_at = 0;
        for status in statuses {
            for (version, agent_connected) in (0..12).flat_map(|it| [(it, false), (it, true)]) {
                let event = serde_json::json!({
                    "source": "aws.ecs",
                    "detail-type": "ECS Container Instance State Change",
                    "detail": {"status": status, "version": version, "agentConnected": agent_connected},
                });
                let kind = changed(status, Some(agent_connected), Some(version), Some(INSTANCE));
                let is_looked_at = matches!(Departures::concern(&kind), Concern::Look(_));
                assert_eq!(rule.matches(&event), is_looked_at, "{event}");
                looked_at += usize::from(is_looked_at);
            }
        }
        assert_eq!(looked_at, 5 * 24 + 12);
    }

    #[test]
    fn only_what_is_said_about_instances_is_a_hint() {
        let coalesced = joined(vec![
            noticed(Notice::Rebalance),
            terminating(),
            TriggerKind::InstanceTerminated(activity(Some("i-0a"))),
            changed("DRAINING", None, None, Some("i-0b")),
        ]);
        assert_eq!(coalesced.hints.notices.len(), 1);
        assert_eq!(coalesced.hints.lifecycle_actions.len(), 1);
        assert_eq!(coalesced.hints.launch_failures, []);
        let triggers = &coalesced.triggers;
        let names: Vec<&str> = triggers.instances.iter().map(InstanceId::as_str).collect();
        assert_eq!(names, [INSTANCE, "i-0b"]);
        assert_eq!(triggers.instances_count, 2);
        assert_eq!(triggers.groups.len(), 1);
    }

    #[test]
    fn however_many_instances_are_named_they_alone_are_looked_at() {
        let all: BTreeSet<InstanceId> = (0..5_000)
            .map(|n| format!("i-{n:017x}").parse().unwrap())
            .collect();
        let many = joined(vec![TriggerKind::InstanceNoticed(InstanceNotice {
            instances: all.clone(),
            resolved: BTreeSet::new(),
            notice: Notice::Rebalance,
        })]);
        assert!(
            matches!(&many.scope, Some(Scope::Departures { instances, .. }) if *instances == all)
        );
        assert_eq!(many.hints.notices.len(), all.len());
        assert_eq!(many.triggers.instances_count, all.len());
        assert_eq!(many.triggers.instances.len(), NAMES_SHOWN_MAX);
    }
}
