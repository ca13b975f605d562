//! Calls that fail: each leaves a gap where it belongs, and nothing else is lost.

use std::time::Duration;

use model::capacity::{CapacitySnapshot, ProviderPassedOver};
use model::snapshot::{Gap, GapCause};
use serde_json::json;

use crate::scene;
use crate::support::{Eye, clusters, error};

/// Where a gap is.
#[derive(Debug, PartialEq)]
enum Place {
    Snapshot,
    PassedOver,
    Cluster,
    Provider,
}

/// Every gap of a snapshot, with its place.
fn gaps(snapshot: &CapacitySnapshot) -> Vec<(Place, Gap)> {
    let mut gaps = Vec::new();
    gaps.extend(snapshot.gaps.iter().map(|it| (Place::Snapshot, it.clone())));
    for why in snapshot.passed_over.values() {
        if let ProviderPassedOver::Unread { gap } = why {
            gaps.push((Place::PassedOver, gap.clone()));
        }
    }
    for cluster in snapshot.clusters.values() {
        gaps.extend(cluster.gaps.iter().map(|it| (Place::Cluster, it.clone())));
    }
    for (_, provider) in snapshot.providers() {
        gaps.extend(provider.gaps.iter().map(|it| (Place::Provider, it.clone())));
    }
    gaps
}

/// Every operation of a look at a cluster that consolidates, where its gap belongs, and how many gaps it leaves.
const OPERATIONS: [(&str, Place, usize); 16] = [
    ("ListClusters", Place::Snapshot, 1),
    ("DescribeClusters", Place::Snapshot, 1),
    ("DescribeCapacityProviders", Place::PassedOver, 1),
    ("DescribeAutoScalingGroups", Place::PassedOver, 1),
    ("DescribeScalingActivities", Place::Provider, 1),
    ("DescribePolicies", Place::Provider, 1),
    ("DescribeScheduledActions", Place::Provider, 1),
    ("DescribeLaunchConfigurations", Place::Provider, 1),
    ("ListContainerInstances", Place::Cluster, 1),
    ("DescribeContainerInstances", Place::Cluster, 1),
    ("ListTasks", Place::Cluster, 1),
    ("DescribeTasks", Place::Cluster, 1),
    ("ListServices", Place::Cluster, 1),
    ("DescribeServices", Place::Cluster, 1),
    // One for each task definition.
    ("DescribeTaskDefinition", Place::Cluster, 2),
    ("GetTaskProtection", Place::Cluster, 1),
];

/// The scene, with a launch configuration in place of the mixed-instances policy, and with `ballast:consolidate`.
fn answer(operation: &str, input: &serde_json::Value) -> serde_json::Value {
    match operation {
        "DescribeAutoScalingGroups" => {
            let mut group = scene::group();
            group
                .as_object_mut()
                .unwrap()
                .remove("MixedInstancesPolicy");
            group["LaunchConfigurationName"] = json!("old");
            let tag = json!({"Key": "ballast:consolidate", "Value": "true"});
            group["Tags"].as_array_mut().unwrap().push(tag);
            json!({"AutoScalingGroups": [group]})
        }
        "DescribeLaunchConfigurations" => json!({"LaunchConfigurations": [
            {"LaunchConfigurationName": "old", "InstanceType": "t3.small", "SpotPrice": "0.02"},
        ]}),
        _ => scene::answer(operation, input),
    }
}

#[tokio::test]
async fn every_call_that_fails_leaves_a_gap_where_it_belongs() {
    let all = Eye::on(answer).await.look(&clusters(&[])).await;
    assert_eq!(gaps(&all), []);
    for (failing, place, count) in &OPERATIONS {
        let failing = *failing;
        let eye = Eye::on(move |operation, input| {
            if operation == failing {
                error("AccessDeniedException", "User is not authorized")
            } else {
                answer(operation, input)
            }
        })
        .await;
        let snapshot = eye.look(&clusters(&[])).await;
        let asked = eye.asked();
        assert!(asked.iter().any(|(it, _)| it == failing), "{failing}");
        let gaps = gaps(&snapshot);
        assert_eq!(gaps.len(), *count, "{failing}: {gaps:?}");
        for (at, gap) in gaps {
            assert_eq!(at, *place, "{failing}");
            assert_eq!(gap.cause, GapCause::AccessDenied, "{failing}");
            assert!(gap.operation.ends_with(failing), "{failing}: {gap}");
        }
    }
}

#[tokio::test]
async fn every_list_without_an_end_is_ended_and_leaves_a_gap() {
    for (list, token, place) in [
        ("ListClusters", "nextToken", Place::Snapshot),
        ("DescribeCapacityProviders", "nextToken", Place::PassedOver),
        ("DescribeAutoScalingGroups", "NextToken", Place::PassedOver),
        ("DescribeLaunchConfigurations", "NextToken", Place::Provider),
        ("DescribePolicies", "NextToken", Place::Provider),
        ("DescribeScheduledActions", "NextToken", Place::Provider),
        ("ListContainerInstances", "nextToken", Place::Cluster),
        ("ListTasks", "nextToken", Place::Cluster),
        ("ListServices", "nextToken", Place::Cluster),
    ] {
        let eye = Eye::on(move |operation, input| {
            if operation == list {
                json!({token: "again"})
            } else {
                answer(operation, input)
            }
        })
        .await;
        let snapshot = eye.look(&clusters(&[])).await;
        let asked = eye.asked().into_iter().filter(|(it, _)| it == list).count();
        assert_eq!(asked, 2, "{list}");
        let gaps = gaps(&snapshot);
        let of_list = gaps.iter().filter(|(_, gap)| gap.operation.ends_with(list));
        let places: Vec<&Place> = of_list.map(|(place, _)| place).collect();
        assert_eq!(places, [&place], "{list}: {gaps:?}");
    }
}

#[tokio::test]
async fn a_long_list_of_activities_is_cut_and_is_no_gap() {
    let eye = Eye::on(|operation, input| match operation {
        "DescribeScalingActivities" => {
            let page = input["NextToken"]
                .as_str()
                .map_or(0, |it| it.parse().unwrap());
            json!({"NextToken": (page + 1).to_string(), "Activities": [{
                "ActivityId": format!("a-{page}"), "AutoScalingGroupName": "web group",
                "StartTime": "2026-03-02T08:59:00Z", "StatusCode": "Failed",
                "Description": "Launching a new EC2 instance.",
            }]})
        }
        _ => scene::answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&clusters(&["demo"])).await;
    assert_eq!(gaps(&snapshot), []);
    let (_, provider) = snapshot.providers().next().unwrap();
    assert_eq!(provider.group.activities.len(), 2);
}

#[tokio::test]
async fn without_time_nothing_is_asked_and_nothing_is_seen() {
    let eye = Eye::on(scene::answer).await.of_clusters(&["demo"]);
    let blind = eye.try_look(&clusters(&["demo"]), Duration::ZERO).await;
    let blind = blind.unwrap_err();
    assert_eq!(
        blind.to_string(),
        "AWS gave no answer: `ecs:DescribeClusters` for `demo`: out_of_time (not sent: the invocation's time ran out)"
    );
    assert_eq!(eye.asked(), []);
}
