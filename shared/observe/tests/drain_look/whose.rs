//! Whose a group or an instance is: this installation's, another one's, or nobody's that is known.

use model::drain::{DrainSnapshot, InstancePassedOver};
use model::snapshot::Scope;
use serde_json::{Value, json};

use crate::scene::{self, group, with};
use crate::support::{Eye, clusters, draining, error, instances, of_group};

/// The scene, in which `i-1` is in this state, beside an empty cluster `aside`. Only the clusters that are installed are looked after.
async fn eye(state: &'static str, installed: &[&str]) -> Eye {
    Eye::on(move |operation, input| match operation {
        "DescribeAutoScalingGroups" => {
            let mut group = group();
            group["Instances"][0]["LifecycleState"] = json!(state);
            json!({"AutoScalingGroups": [group]})
        }
        "DescribeAutoScalingInstances" => {
            let asked = scene::lines(input, "InstanceIds");
            let is_asked = asked.iter().any(|it| it == "i-1");
            let member = with(scene::member("i-1", "web"), &json!({"LifecycleState": state}));
            json!({"AutoScalingInstances": is_asked.then_some(member).into_iter().collect::<Vec<_>>()})
        }
        "DescribeClusters" => {
            let aside = json!({"clusterName": "aside", "capacityProviders": []});
            let all = [with(scene::cluster(), &aside), scene::cluster()];
            let asked = input["clusters"].as_array().unwrap();
            let of_asked = all.into_iter().filter(|it| asked.contains(&it["clusterName"]));
            json!({"clusters": of_asked.collect::<Vec<Value>>()})
        }
        "ListContainerInstances" if input["cluster"] == "aside" => {
            json!({"containerInstanceArns": []})
        }
        _ => scene::answer(operation, input),
    })
    .await
    .of_clusters(installed)
}

/// Whether the group is looked at, and if so whether it is proven to be ours.
fn seen(snapshot: &DrainSnapshot) -> Option<bool> {
    assert_eq!(snapshot.gaps, []);
    let group = snapshot.groups.get(&of_group("web"))?;
    assert_eq!(group.gaps, []);
    Some(group.is_proven_ours)
}

async fn check(state: &'static str, installed: &[&str], scope: Scope, want: Option<bool>) {
    let eye = eye(state, installed).await;
    let snapshot = eye.look(&scope).await;
    assert_eq!(seen(&snapshot), want, "{state} {installed:?} {scope:?}");
}

/// Nothing of the group is in the cluster `aside`: that its instances are not registered there says nothing about their tasks.
#[tokio::test]
async fn a_group_of_another_installations_cluster_is_left_to_it() {
    check("InService", &["aside"], clusters(&["aside"]), None).await;
    check(
        "InService",
        &["aside", "demo"],
        clusters(&["aside", "demo"]),
        Some(true),
    )
    .await;
    check("InService", &[], clusters(&[]), Some(true)).await;
}

/// If it is nobody else's, nobody lets the instance go.
#[tokio::test]
async fn a_group_of_which_an_instance_waits_is_kept_and_not_taken_for_ours() {
    for state in ["Terminating:Wait", "Warmed:Terminating:Wait"] {
        check(state, &["aside"], clusters(&["aside"]), Some(false)).await;
        check(state, &["demo"], clusters(&["demo"]), Some(true)).await;
        check(state, &["aside"], instances(["i-1"]), Some(false)).await;
        check(state, &["demo"], instances(["i-1"]), Some(true)).await;
    }
    let eye = eye("Terminating:Wait", &["aside"]).await;
    let snapshot = eye.look(&clusters(&["aside"])).await;
    let group = &snapshot.groups[&of_group("web")];
    assert!(group.hooks_read && !group.hooks.is_empty());
    let member = group.instances[&"i-1".parse().unwrap()].member.as_ref();
    assert!(member.unwrap().terminating_since.is_some());
}

/// What becomes of an instance in no group and in no cluster, where the cluster has these tags.
async fn check_nowhere(tags: Value, list: Value, want: &str) {
    let eye = Eye::on(move |operation, input| match operation {
        "DescribeClusters" => json!({"clusters": [with(scene::cluster(), &json!({"tags": tags}))]}),
        "ListContainerInstances" if input["filter"].is_string() => list.clone(),
        _ => scene::answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&instances(["i-7"])).await;
    let why = &snapshot.passed_over[&"i-7".parse().unwrap()];
    let name = match why {
        InstancePassedOver::NotFound => "not found",
        InstancePassedOver::NotRegistered => "not registered",
        InstancePassedOver::Unread { .. } => "unread",
        InstancePassedOver::NotOptedIn { .. } => "not opted in",
        InstancePassedOver::LeftToSchedule { .. } => "left to the schedule",
    };
    assert_eq!(name, want, "{why:?}");
}

#[tokio::test]
async fn an_instance_that_may_register_in_an_opted_in_cluster_is_said_to_be_so() {
    let opted_in = || json!([{"key": "ballast:instance-drain", "value": "act"}]);
    let none = || json!({"containerInstanceArns": []});
    check_nowhere(opted_in(), none(), "not registered").await;
    check_nowhere(json!([]), none(), "not found").await;
    let refused = error("ServerException", "no");
    check_nowhere(opted_in(), refused, "unread").await;
}

/// Which of both instances are looked at where events told only that they drain. `i-1` is in this state, and the group has these tags
/// besides.
async fn check_draining(state: &'static str, tags: Value, scope: Scope, want: &[&str]) {
    let eye = Eye::on(move |operation, input| match operation {
        "DescribeAutoScalingGroups" => {
            let mut group = group();
            group["Instances"][0]["LifecycleState"] = json!(state);
            let of_group = group["Tags"].as_array_mut().unwrap();
            of_group.extend(tags.as_array().unwrap().iter().cloned());
            json!({"AutoScalingGroups": [group]})
        }
        _ => scene::answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&scope).await;
    let group = snapshot.groups.get(&of_group("web"));
    let looked = group.into_iter().flat_map(|it| it.instances.keys());
    let looked: Vec<&str> = looked.map(|it| it.as_str()).collect();
    assert_eq!(looked, want, "{state} {scope:?}");
    let left = InstancePassedOver::LeftToSchedule {
        group: "web".parse().unwrap(),
    };
    assert!(snapshot.passed_over.values().all(|it| *it == left));
    assert_eq!(looked.len() + snapshot.passed_over.len(), 2);
    assert_eq!(snapshot.gaps, []);
}

#[tokio::test]
async fn an_instance_that_drains_is_looked_at_where_something_waits_for_it() {
    let both = || draining(["i-1", "i-2"]);
    let none = || json!([]);
    check_draining("Terminating:Wait", none(), both(), &["i-1"]).await;
    check_draining("Warmed:Terminating:Wait", none(), both(), &["i-1"]).await;
    check_draining("Terminating", none(), both(), &[]).await;
    check_draining("InService", none(), both(), &[]).await;
    let stop = || json!([{"Key": "ballast:stop-tasks", "Value": "true"}]);
    check_draining("InService", stop(), both(), &["i-1", "i-2"]).await;
    // What was warned as well is looked at in any case.
    let (
        Scope::Departures {
            draining, groups, ..
        },
        instances,
    ) = (both(), instances(["i-2"]))
    else {
        panic!("both are scopes of departures")
    };
    let Scope::Departures { instances, .. } = instances else {
        panic!("both are scopes of departures")
    };
    let warned = Scope::Departures {
        instances,
        draining,
        groups,
    };
    check_draining("InService", none(), warned, &["i-2"]).await;
}
