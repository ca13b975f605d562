//! What a look at instances that are going away says to the loop.

use std::collections::BTreeSet;

use model::InstanceId;
use model::capacity::{ContainerInstanceStatus, Lifecycle};
use model::drain::{DrainKey, DrainSnapshot, InstancePassedOver, LookedInstance, Whereabouts};
use model::snapshot::{Gap, GapCause, Scope};
use model::trigger::{Hints, Notice};

use crate::departures::events::named;
use crate::record::Seen;
use crate::trouble::Trouble;

/// What is remembered of: the groups, the clusters for their instances in no group, and instances that are registered nowhere, or were so
/// a moment ago.
pub(super) fn keys(snapshot: &DrainSnapshot) -> BTreeSet<DrainKey> {
    snapshot.remembered_of()
}

/// The instances that are registered nowhere: they have no step, and what was said of them no step needs. Of those that registered a moment ago it
/// is needed: their cluster has it copied, and drains them for it.
pub(super) fn keys_beside(snapshot: &DrainSnapshot) -> BTreeSet<DrainKey> {
    let passed_over = snapshot.passed_over.iter();
    let unregistered = passed_over.filter(|(_, why)| **why == InstancePassedOver::NotRegistered);
    unregistered.map(|(id, _)| named(id.clone())).collect()
}

/// Everything that could not be observed, each once.
pub(super) fn gaps(snapshot: &DrainSnapshot) -> BTreeSet<Gap> {
    let of_groups = snapshot.groups.values().flat_map(|it| &it.gaps);
    let of_clusters = snapshot.clusters.values().flat_map(|it| &it.capacity.gaps);
    let unread = snapshot
        .passed_over
        .values()
        .filter_map(InstancePassedOver::gap);
    let outside = snapshot.outside.values().filter_map(not_told);
    snapshot
        .gaps
        .iter()
        .chain(of_groups)
        .chain(of_clusters)
        .chain(unread)
        .chain(outside)
        .cloned()
        .chain(not_recalled(snapshot))
        .collect()
}

/// What was said of more instances before they registered than one look reads.
fn not_recalled(snapshot: &DrainSnapshot) -> Option<Gap> {
    let more = snapshot.new_beyond_bound();
    (more > 0).then(|| Gap {
        operation: "dynamodb:BatchGetItem".to_owned(),
        resource: "*".to_owned(),
        cause: GapCause::BudgetSpent,
        detail: format!(
            "not sent for {more} instances that have just registered: one look takes {}",
            DrainSnapshot::NEW_MAX
        ),
    })
}

/// The instances that events warned of, and that a look at everything did not show: they may register where a cluster is opted in, and nobody
/// can read again what was said of them.
pub(super) fn unseen(snapshot: &DrainSnapshot, hints: &Hints) -> BTreeSet<DrainKey> {
    let may_register = snapshot.groups.values().any(|it| it.group.is_none());
    if !snapshot.is_full || !may_register {
        return BTreeSet::new();
    }
    let is_seen = |id: &InstanceId| {
        let mut groups = snapshot.groups.values();
        groups.any(|it| it.instances.contains_key(id))
    };
    let notices = hints.notices.iter();
    let unseen = notices.filter(|it| is_remembered_alone(&it.notice) && !is_seen(&it.instance));
    unseen.map(|it| named(it.instance.clone())).collect()
}

/// Whether what was said is remembered of an instance that is registered nowhere: that it certainly leaves.
const fn is_remembered_alone(notice: &Notice) -> bool {
    match notice {
        Notice::SpotInterruption { .. }
        | Notice::CapacityReservationInterruption { .. }
        | Notice::Maintenance { .. } => true,
        Notice::Rebalance | Notice::StateChanged { .. } => false,
    }
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
        if why.gap().is_some() {
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

    use super::*;
    use crate::coalesce::Message;
    use crate::duty::About;
    use model::Timestamp;
    use model::capacity::{ClusterCapacity, Consent, ContainerInstance, Resources};
    use model::drain::{DrainCluster, DrainGroup, DrainPolicy};

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
            in_warm_pool: BTreeSet::new(),
            managed_draining: false,
            managed_scaling: false,
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

    /// What was said of them before is asked for of those that registered last.
    #[test]
    fn more_new_instances_than_one_look_asks_for_are_a_gap() {
        let mut snapshot = snapshot();
        let mut west = snapshot.groups[&group_key("b")].clone();
        west.key = DrainKey::Cluster {
            cluster: "west".parse().unwrap(),
        };
        let template = west.instances.values().next().unwrap().clone();
        west.instances.clear();
        let name: model::ClusterName = "west".parse().unwrap();
        let capacity = &mut snapshot.clusters.get_mut(&name).unwrap().capacity;
        for number in 0..1_002_i64 {
            let id: InstanceId = format!("i-{number:017x}").parse().unwrap();
            let arn: model::ContainerInstanceArn =
                format!("arn:aws:ecs:us-west-2:111122223333:container-instance/west/{number:032x}")
                    .parse()
                    .unwrap();
            let container = container(&arn, &id, number - 600);
            capacity.instances.insert(arn.clone(), container);
            let looked = LookedInstance {
                id: id.clone(),
                registered: Some(("west".parse().unwrap(), arn)),
                ..template.clone()
            };
            west.instances.insert(id, looked);
        }
        snapshot.groups.insert(west.key.clone(), west);
        let is_asked = |snapshot: &DrainSnapshot, number: i64| {
            let id = format!("i-{number:017x}").parse().unwrap();
            keys(snapshot).contains(&named(id))
        };
        // The first registered 600 s ago, and is not new.
        let asked = [0, 1, 2, 1_001].map(|it| is_asked(&snapshot, it));
        assert_eq!(asked, [false, false, true, true]);
        let gaps = gaps(&snapshot);
        let gap = gaps.first().unwrap();
        assert_eq!((gaps.len(), gap.cause), (1, GapCause::BudgetSpent));
        assert!(gap.detail.contains("for 1 instances"), "{gap}");
    }

    fn container(
        arn: &model::ContainerInstanceArn,
        id: &InstanceId,
        registered_second: i64,
    ) -> ContainerInstance {
        let nothing = Resources::ZERO;
        ContainerInstance {
            arn: arn.clone(),
            ec2_instance: Some(id.clone()),
            provider: None,
            status: ContainerInstanceStatus::Active,
            agent_connected: true,
            agent_version: None,
            registered_at: Timestamp::from_second(registered_second).ok(),
            registered: nothing,
            remaining: nothing,
            host_ports: BTreeSet::new(),
            attributes: BTreeMap::new(),
            instance_type: None,
            zone: None,
            is_impaired: false,
        }
    }

    /// The digest is of the snapshot's JSON, whose maps need text keys.
    #[test]
    fn a_snapshot_can_be_written_and_reads_back_as_it_was() {
        let text = serde_json::to_string(&snapshot()).unwrap();
        let read: DrainSnapshot = serde_json::from_str(&text).unwrap();
        assert_eq!(read, snapshot());
    }
}
