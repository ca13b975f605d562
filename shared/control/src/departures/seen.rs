//! What a look at instances that are going away says to the loop.

use std::collections::BTreeSet;

use model::capacity::{ContainerInstanceStatus, Lifecycle};
use model::drain::{DrainKey, DrainSnapshot, InstancePassedOver, LookedInstance, Whereabouts};
use model::snapshot::{Gap, Scope};

use crate::departures::events::named;
use crate::record::Seen;
use crate::trouble::Trouble;

/// What is remembered of: the groups, the clusters for their instances in no group, and instances that are registered nowhere, or were so
/// a moment ago.
pub(super) fn keys(snapshot: &DrainSnapshot) -> BTreeSet<DrainKey> {
    snapshot.remembered_of()
}

/// Everything that could not be observed, each once.
pub(super) fn gaps(snapshot: &DrainSnapshot) -> BTreeSet<Gap> {
    let of_groups = snapshot.groups.values().flat_map(|it| &it.gaps);
    let of_clusters = snapshot.clusters.values().flat_map(|it| &it.capacity.gaps);
    let unread = snapshot.passed_over.values().filter_map(unread);
    let outside = snapshot.outside.values().filter_map(not_told);
    snapshot
        .gaps
        .iter()
        .chain(of_groups)
        .chain(of_clusters)
        .chain(unread)
        .chain(outside)
        .cloned()
        .collect()
}

/// How much was seen.
pub(super) fn counted(snapshot: &DrainSnapshot) -> Seen {
    let instances = || {
        snapshot
            .groups
            .values()
            .flat_map(|it| it.instances.values())
    };
    let tasks = snapshot.clusters.values().map(|it| it.capacity.tasks.len());
    Seen {
        groups: Some(snapshot.groups.len()),
        instances: Some(instances().count()),
        terminating_or_draining: Some(
            instances()
                .filter(|it| is_terminating_or_draining(snapshot, it))
                .count(),
        ),
        tasks: Some(tasks.sum()),
        passed_over: snapshot.passed_over.len(),
        ..Seen::default()
    }
}

/// Whether AWS itself shows that the instance is on its way out. What events said is not in a snapshot.
fn is_terminating_or_draining(snapshot: &DrainSnapshot, instance: &LookedInstance) -> bool {
    let member = instance.member.as_ref();
    let is_terminating = member.is_some_and(|it| it.lifecycle == Lifecycle::Terminating);
    let container = snapshot.container(instance);
    is_terminating
        || container.is_some_and(|(_, it)| it.status == ContainerInstanceStatus::Draining)
}

/// The instances that could not be found out about, and these subjects. What else could not be read of a group (its hooks, its activities,
/// tasks, services) is no reason to have an event come again: why its instances leave is remembered, and the next look makes it good.
pub(super) fn trouble(
    snapshot: &DrainSnapshot,
    subjects: &BTreeSet<DrainKey>,
) -> Trouble<DrainKey> {
    let mut trouble = Trouble {
        concerned: subjects.clone(),
        beyond: !snapshot.gaps.is_empty(),
        ..Trouble::default()
    };
    // An instance that is registered nowhere, as far as was seen, may be registered where it was not.
    let of_clusters = snapshot.clusters.values().flat_map(|it| &it.capacity.gaps);
    let is_blurred = snapshot.gaps.iter().chain(of_clusters).any(hides_instances);
    for (key, group) in &snapshot.groups {
        let is_blurred = is_blurred || group.gaps.iter().any(hides_instances);
        for (id, instance) in &group.instances {
            let name = named(id.clone());
            if is_blurred && instance.registered.is_none() {
                trouble.concerned.insert(name.clone());
            }
            trouble.seen.insert(name.clone());
            trouble.belongs_to.insert(name, key.clone());
        }
    }
    for (id, why) in &snapshot.passed_over {
        let name = named(id.clone());
        trouble.seen.insert(name.clone());
        if unread(why).is_some() {
            trouble.concerned.insert(name);
        }
    }
    trouble
}

/// The reads by which instances are found in clusters.
const FINDS_INSTANCES: [&str; 4] = [
    "ecs:ListClusters",
    "ecs:DescribeClusters",
    "ecs:ListContainerInstances",
    "ecs:DescribeContainerInstances",
];

/// Whether an instance that was not found may be behind what could not be read.
fn hides_instances(gap: &Gap) -> bool {
    FINDS_INSTANCES.contains(&gap.operation.as_str())
}

/// Nothing was seen of what was asked for.
pub(super) fn trouble_blind(scope: &Scope) -> Trouble<DrainKey> {
    match scope {
        // What waits for an instance that drains the schedule's look sees as well.
        Scope::Departures {
            instances,
            groups,
            draining: _,
        } => Trouble {
            concerned: instances
                .iter()
                .cloned()
                .map(named)
                .chain(groups.iter().cloned())
                .collect(),
            ..Trouble::default()
        },
        Scope::Clusters(_) | Scope::Services(_) => Trouble {
            beyond: true,
            ..Trouble::default()
        },
    }
}

fn unread(why: &InstancePassedOver) -> Option<&Gap> {
    match why {
        InstancePassedOver::Unread { gap } => Some(gap),
        InstancePassedOver::NotOptedIn { .. }
        | InstancePassedOver::NotFound
        | InstancePassedOver::NotRegistered
        | InstancePassedOver::LeftToSchedule { .. } => None,
    }
}

/// Where an instance is that drains and is in nothing that is opted in, AWS did not tell.
fn not_told(place: &Whereabouts) -> Option<&Gap> {
    match place {
        Whereabouts::Unread { gap } => Some(gap),
        Whereabouts::InNoGroup | Whereabouts::InGroup { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::Timestamp;
    use model::capacity::{ClusterCapacity, Consent};
    use model::drain::{DrainCluster, DrainGroup, DrainPolicy};
    use model::snapshot::GapCause;

    use super::*;
    use crate::coalesce::Message;
    use crate::duty::About;

    fn gap() -> Gap {
        gap_of("ecs:DescribeTasks")
    }

    fn gap_of(operation: &str) -> Gap {
        Gap {
            operation: operation.to_owned(),
            resource: "demo".to_owned(),
            cause: GapCause::Throttled,
            detail: "slow down".to_owned(),
        }
    }

    fn group_key(name: &str) -> DrainKey {
        DrainKey::Group {
            group: name.parse().unwrap(),
        }
    }

    /// Groups `a`, with the instance `i-0a` in the cluster `east` and `i-0b` in none, and `b`, with `i-0c` in the cluster `west`;
    /// `i-0d` is passed over.
    fn snapshot() -> DrainSnapshot {
        let instance = |id: &str, cluster: Option<&str>| LookedInstance {
            id: id.parse().unwrap(),
            instance_type: None,
            zone: None,
            member: None,
            registered: cluster.map(|cluster| {
                let arn = format!(
                    "arn:aws:ecs:us-west-2:111122223333:container-instance/{cluster}/{id:0>32}"
                );
                (cluster.parse().unwrap(), arn.parse().unwrap())
            }),
            tasks_counted: None,
        };
        let group = |name: &str, instances: Vec<LookedInstance>| DrainGroup {
            key: group_key(name),
            policy: Ok(DrainPolicy::with_defaults(Consent::Act)),
            group: None,
            is_proven_ours: true,
            hooks: BTreeMap::new(),
            hooks_read: false,
            managed_draining: false,
            instances: instances
                .into_iter()
                .map(|it| (it.id.clone(), it))
                .collect(),
            gaps: vec![],
        };
        let cluster = |name: &str| DrainCluster {
            capacity: ClusterCapacity {
                cluster: name.parse().unwrap(),
                default_strategy: vec![],
                providers: BTreeMap::new(),
                instances: BTreeMap::new(),
                tasks: vec![],
                services: BTreeMap::new(),
                task_definitions: BTreeMap::new(),
                gaps: vec![],
            },
            has_every_instance: false,
            tasks_read: BTreeSet::new(),
            stop_timeouts: BTreeMap::new(),
        };
        let groups = [
            group(
                "a",
                vec![instance("i-0a", Some("east")), instance("i-0b", None)],
            ),
            group("b", vec![instance("i-0c", Some("west"))]),
        ];
        DrainSnapshot {
            taken_at: Timestamp::UNIX_EPOCH,
            is_full: false,
            groups: groups.into_iter().map(|it| (it.key.clone(), it)).collect(),
            clusters: ["east", "west"]
                .map(|it| (it.parse().unwrap(), cluster(it)))
                .into(),
            passed_over: [("i-0d".parse().unwrap(), InstancePassedOver::NotFound)].into(),
            outside: BTreeMap::new(),
            searched: BTreeSet::new(),
            gaps: vec![],
        }
    }

    /// Which messages about the instances `i-0a` to `i-0e`, and about everything, go back to the queue.
    fn check(trouble: &Trouble<DrainKey>, want: &[&str]) {
        let names = ["i-0a", "i-0b", "i-0c", "i-0d", "i-0e"];
        let names = names.map(|it| (it, About::one(named(it.parse().unwrap()))));
        let messages = names.into_iter().chain([("all", About::Everything)]);
        let messages = messages.map(|(id, about)| Message {
            id: Some(id.parse().unwrap()),
            about,
        });
        let kept = trouble.messages(messages.collect()).unwrap();
        let ids: Vec<&str> = kept.iter().map(|it| it.item_identifier.as_str()).collect();
        assert_eq!(ids, want, "{trouble:?}");
    }

    fn with(change: impl FnOnce(&mut DrainSnapshot)) -> Trouble<DrainKey> {
        let mut snapshot = snapshot();
        change(&mut snapshot);
        trouble(&snapshot, &BTreeSet::new())
    }

    #[test]
    fn the_messages_of_the_instances_concerned_go_back() {
        check(&with(|_| {}), &[]);
        let ill = trouble(&snapshot(), &[group_key("b")].into());
        check(&ill, &["i-0c", "all"]);
        // What of a group or a cluster could not be read is made good by the next look, unless it hides an instance.
        let of_group =
            |gap: Gap| with(|it| it.groups.get_mut(&group_key("a")).unwrap().gaps.push(gap));
        let of_cluster = |gap: Gap| {
            let west = "west".parse().unwrap();
            with(|it| it.clusters.get_mut(&west).unwrap().capacity.gaps.push(gap))
        };
        for operation in [
            "autoscaling:DescribeLifecycleHooks",
            "autoscaling:DescribeScalingActivities",
            "ecs:DescribeCapacityProviders",
            "ecs:ListTasks",
            "ecs:DescribeTasks",
            "ecs:DescribeServices",
            "ecs:DescribeTaskDefinition",
        ] {
            check(&of_group(gap_of(operation)), &[]);
            check(&of_cluster(gap_of(operation)), &[]);
        }
        for operation in FINDS_INSTANCES {
            check(&of_group(gap_of(operation)), &["i-0b", "all"]);
            check(&of_cluster(gap_of(operation)), &["i-0b", "all"]);
        }
        // What was not seen may be behind what could not be read.
        let ill = with(|it| it.gaps.push(gap()));
        check(&ill, &["i-0e", "all"]);
        let ill = with(|it| {
            let unread = InstancePassedOver::Unread { gap: gap() };
            it.passed_over.insert("i-0d".parse().unwrap(), unread);
        });
        check(&ill, &["i-0d", "all"]);
    }

    #[test]
    fn a_look_that_sees_nothing_concerns_what_was_asked_for() {
        let asked = |instances: &[&str], groups: &[&str]| {
            trouble_blind(&Scope::Departures {
                draining: BTreeSet::new(),
                instances: instances.iter().map(|it| it.parse().unwrap()).collect(),
                groups: groups.iter().map(|it| group_key(it)).collect(),
            })
        };
        check(&asked(&["i-0a", "i-0e"], &[]), &["i-0a", "i-0e", "all"]);
        let everything = trouble_blind(&Scope::Clusters(vec![]));
        check(
            &everything,
            &["i-0a", "i-0b", "i-0c", "i-0d", "i-0e", "all"],
        );
        // A second look, at a group, that sees nothing: what the first saw in it is concerned.
        let mut both = with(|_| {});
        both.extend(asked(&[], &["a"]));
        check(&both, &["i-0a", "i-0b", "all"]);
    }

    #[test]
    fn a_gap_that_is_told_at_several_places_is_one_gap() {
        let mut snapshot = snapshot();
        let unread = InstancePassedOver::Unread { gap: gap() };
        snapshot.passed_over.insert("i-0d".parse().unwrap(), unread);
        snapshot.gaps.push(gap());
        snapshot
            .groups
            .get_mut(&group_key("a"))
            .unwrap()
            .gaps
            .push(gap());
        assert_eq!(gaps(&snapshot).len(), 1);
        let seen = counted(&snapshot);
        assert_eq!((seen.groups, seen.instances), (Some(2), Some(3)));
        assert_eq!(
            (seen.terminating_or_draining, seen.passed_over),
            (Some(0), 1)
        );
    }

    /// The digest is of the snapshot's JSON, whose maps need text keys.
    #[test]
    fn a_snapshot_can_be_written_and_reads_back_as_it_was() {
        let text = serde_json::to_string(&snapshot()).unwrap();
        let read: DrainSnapshot = serde_json::from_str(&text).unwrap();
        assert_eq!(read, snapshot());
    }
}
