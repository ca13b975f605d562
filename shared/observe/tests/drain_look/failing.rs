//! Calls that fail: each leaves a gap where it belongs, and nothing else is lost.

use std::time::Duration;

use model::drain::{DrainSnapshot, InstancePassedOver};
use model::snapshot::{Gap, GapCause, Scope};
use serde_json::json;

use crate::scene;
use crate::support::{Eye, clusters, error, instances};

/// Where a gap is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Place {
    Snapshot,
    PassedOver,
    Cluster,
    Group,
}

/// Every gap of a snapshot, with its place.
fn gaps(snapshot: &DrainSnapshot) -> Vec<(Place, Gap)> {
    let mut gaps = Vec::new();
    gaps.extend(snapshot.gaps.iter().map(|it| (Place::Snapshot, it.clone())));
    for why in snapshot.passed_over.values() {
        if let InstancePassedOver::Unread { gap } = why {
            gaps.push((Place::PassedOver, gap.clone()));
        }
    }
    for cluster in snapshot.clusters.values() {
        let of_cluster = cluster.capacity.gaps.iter();
        gaps.extend(of_cluster.map(|it| (Place::Cluster, it.clone())));
    }
    for group in snapshot.groups.values() {
        gaps.extend(group.gaps.iter().map(|it| (Place::Group, it.clone())));
    }
    gaps
}

use Place::{Cluster, Group, PassedOver, Snapshot};

/// Every operation of a look at `i-1` and `i-7`, which is in no group, and of one at everything, with the places of its gaps.
const OPERATIONS: [(&str, &[Place], &[Place]); 12] = [
    (
        "DescribeAutoScalingInstances",
        &[PassedOver, PassedOver],
        &[],
    ),
    ("DescribeAutoScalingGroups", &[PassedOver], &[Snapshot]),
    ("DescribeLifecycleHooks", &[Group], &[Group]),
    ("DescribeScalingActivities", &[Group], &[Group]),
    ("ListClusters", &[Snapshot], &[Snapshot]),
    ("DescribeClusters", &[Snapshot], &[Snapshot]),
    ("DescribeCapacityProviders", &[Cluster], &[Cluster]),
    ("ListContainerInstances", &[PassedOver, Group], &[Group]),
    ("DescribeContainerInstances", &[PassedOver, Group], &[Group]),
    ("ListTasks", &[Cluster], &[Cluster]),
    ("DescribeTasks", &[Cluster], &[Cluster]),
    ("DescribeServices", &[Cluster], &[Cluster]),
];

async fn check(fault: &'static str, cause: GapCause) {
    for (operation, of_named, of_all) in OPERATIONS {
        let scopes: [(Scope, &[Place]); 2] = [
            (instances(["i-1", "i-7"]), of_named),
            (clusters(&[]), of_all),
        ];
        for (scope, want) in scopes {
            let eye = Eye::on(move |name, input| {
                if name == operation {
                    error(fault, "no")
                } else {
                    scene::answer(name, input)
                }
            })
            .await;
            let snapshot = eye.look(&scope).await;
            let gaps = gaps(&snapshot);
            let places: Vec<Place> = gaps.iter().map(|(place, _)| *place).collect();
            assert_eq!(places, want, "{operation} {scope:?}: {gaps:#?}");
            for (_, gap) in gaps {
                assert_eq!(gap.cause, cause, "{operation}: {gap}");
                assert!(gap.operation.ends_with(operation), "{operation}: {gap}");
            }
        }
    }
}

#[tokio::test]
async fn a_missing_permission_leaves_a_gap_where_it_belongs() {
    check("AccessDeniedException", GapCause::AccessDenied).await;
}

#[tokio::test]
async fn throttling_leaves_a_gap_where_it_belongs() {
    check("ThrottlingException", GapCause::Throttled).await;
}

#[tokio::test]
async fn a_query_that_ecs_refuses_leaves_a_gap() {
    let eye = Eye::on(|operation, input| {
        if operation == "ListContainerInstances" && !input["filter"].is_null() {
            error("InvalidParameterException", "The filter is invalid.")
        } else {
            scene::answer(operation, input)
        }
    })
    .await;
    let snapshot = eye.look(&instances(["i-1"])).await;
    let gaps = gaps(&snapshot);
    assert_eq!(gaps.len(), 1, "{gaps:#?}");
    assert_eq!(gaps[0].0, Group);
    // What Auto Scaling tells of it is known all the same.
    let group = snapshot.groups.values().next().unwrap();
    assert!(group.hooks_read);
    let looked = group.instances.values().next().unwrap();
    assert!(looked.member.as_ref().unwrap().waits_in_hook);
}

#[tokio::test]
async fn tasks_that_could_not_be_read_are_not_taken_for_none() {
    for operation in ["ListTasks", "DescribeTasks"] {
        let eye = Eye::on(move |name, input| {
            if name == operation {
                error("ServerException", "no")
            } else {
                scene::answer(name, input)
            }
        })
        .await;
        for scope in [instances(["i-1"]), clusters(&[])] {
            let snapshot = eye.look(&scope).await;
            let group = snapshot.groups.values().next().unwrap();
            let looked = &group.instances[&"i-1".parse().unwrap()];
            assert_eq!(snapshot.tasks(looked), None, "{operation} {scope:?}");
            assert_eq!(looked.tasks_counted, Some(2));
        }
    }
}

#[tokio::test]
async fn without_time_there_is_nothing_to_decide_on() {
    let eye = Eye::on(scene::answer).await;
    for scope in [instances(["i-1"]), clusters(&[])] {
        let blind = eye.try_look(&scope, Duration::ZERO).await.unwrap_err();
        assert!(!blind.gaps.is_empty(), "{scope:?}");
        let is_over = |it: &Gap| it.cause == GapCause::OutOfTime;
        assert!(blind.gaps.iter().all(is_over), "{:?}", blind.gaps);
    }
    let nothing = instances([""; 0]);
    let blind = eye.try_look(&nothing, Duration::from_secs(9)).await;
    assert_eq!(blind.unwrap_err().gaps, []);
}

#[tokio::test]
async fn a_list_that_breaks_off_leaves_what_it_had() {
    for operation in ["DescribeAutoScalingGroups", "ListContainerInstances"] {
        let eye = Eye::on(move |name, input| {
            if name != operation {
                return scene::answer(name, input);
            }
            let token = if name.starts_with("List") {
                "nextToken"
            } else {
                "NextToken"
            };
            if input[token].is_null() {
                scene::with(scene::answer(name, input), &json!({token: "2"}))
            } else {
                error("ThrottlingException", "no")
            }
        })
        .await;
        let snapshot = eye.look(&clusters(&[])).await;
        let group = snapshot.groups.values().next().unwrap();
        let registered = group.instances.values();
        assert!(registered.into_iter().all(|it| it.registered.is_some()));
        let gaps = gaps(&snapshot);
        assert_eq!(gaps.len(), 1, "{operation}: {gaps:#?}");
        let every = snapshot.clusters.values().all(|it| it.has_every_instance);
        assert_eq!(every, operation == "DescribeAutoScalingGroups");
    }
}
