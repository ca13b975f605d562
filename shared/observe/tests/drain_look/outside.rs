//! Container instances that drain and are in nothing that is opted in, and which clusters were read whole.

use std::collections::BTreeSet;

use model::InstanceId;
use model::capacity::Lifecycle;
use model::drain::{DrainSnapshot, InstancePassedOver, Whereabouts};
use model::snapshot::Scope;
use serde_json::{Value, json};

use crate::scene::{self, instance, instance_arn, with};
use crate::support::{Eye, clusters, error, instances};

/// The scene with more container instances, `3` and so on, that are DRAINING and in no opted-in group. Auto Scaling says this of them, and the
/// cluster has these tags.
async fn eye(
    more: usize,
    of_them: impl Fn(&[String]) -> Value + Send + Sync + 'static,
    tags: Value,
) -> Eye {
    let arns = move || (1..more + 3).map(|it| instance_arn(&it.to_string()));
    Eye::on(move |operation, input| match operation {
        "DescribeAutoScalingInstances" => of_them(&scene::lines(input, "InstanceIds")),
        "DescribeClusters" => {
            let fields = json!({"registeredContainerInstancesCount": more + 2, "tags": tags});
            json!({"clusters": [with(scene::cluster(), &fields)]})
        }
        "ListContainerInstances" if input["filter"].is_null() => {
            json!({"containerInstanceArns": arns().collect::<Vec<_>>()})
        }
        "DescribeContainerInstances" => {
            let asked = input["containerInstances"].as_array().unwrap();
            let found = (1..more + 3).map(|number| {
                let id = number.to_string();
                let status = if number == 2 { "ACTIVE" } else { "DRAINING" };
                with(instance(&id, 2048, 1900, 0), &json!({"status": status}))
            });
            let found = found.filter(|it| asked.contains(&it["containerInstanceArn"]));
            json!({"containerInstances": found.collect::<Vec<_>>(), "failures": []})
        }
        _ => scene::answer(operation, input),
    })
    .await
}

fn opted_in() -> Value {
    json!([{"key": "ballast:instance-drain", "value": "act"}])
}

/// `i-3` in the group `other`, which is not opted in.
fn in_other(state: &'static str) -> impl Fn(&[String]) -> Value + Send + Sync + 'static {
    move |asked| {
        let member = with(
            scene::member("i-3", "other"),
            &json!({"LifecycleState": state}),
        );
        let is_asked = asked.iter().any(|it| it == "i-3");
        json!({"AutoScalingInstances": is_asked.then_some(member).into_iter().collect::<Vec<_>>()})
    }
}

fn place(snapshot: &DrainSnapshot) -> Option<&Whereabouts> {
    snapshot.outside.get(&"i-3".parse().unwrap())
}

/// The instances whose groups were asked about.
fn asked(eye: &Eye) -> Vec<String> {
    let all = eye.asked().into_iter();
    let asked = all.filter(|(operation, _)| operation == "DescribeAutoScalingInstances");
    asked
        .flat_map(|(_, input)| scene::lines(&input, "InstanceIds"))
        .collect()
}

#[tokio::test]
async fn where_an_instance_is_that_drains_outside_is_told() {
    let in_group = |lifecycle| Whereabouts::InGroup {
        group: "other".parse().unwrap(),
        lifecycle,
    };
    for (state, lifecycle) in [
        ("InService", Lifecycle::InService),
        ("Warmed:Stopped", Lifecycle::Warmed),
        ("Warmed:Running", Lifecycle::Warmed),
        ("Terminating:Wait", Lifecycle::Terminating),
        ("Warmed:Terminating:Wait", Lifecycle::Terminating),
        ("Standby", Lifecycle::Standby),
        ("Dreaming", Lifecycle::Unknown),
    ] {
        // In a cluster that is opted in the groups of all its instances are asked for.
        for (tags, wanted) in [(json!([]), &["i-3"]), (opted_in(), &["i-3"])] {
            let eye = eye(1, in_other(state), tags).await;
            let snapshot = eye.look(&clusters(&["demo"])).await;
            assert_eq!(place(&snapshot), Some(&in_group(lifecycle)), "{state}");
            assert_eq!(snapshot.outside.len(), 1, "{state}");
            assert_eq!(asked(&eye), wanted, "{state}");
            assert_eq!(snapshot.gaps, []);
        }
    }
    let nothing = |_: &[String]| json!({"AutoScalingInstances": []});
    let nowhere = eye(1, nothing, json!([])).await;
    let snapshot = nowhere.look(&clusters(&["demo"])).await;
    assert_eq!(place(&snapshot), Some(&Whereabouts::InNoGroup));
    let named = nowhere.look(&instances(["i-1"])).await;
    assert!(named.outside.is_empty() && named.searched.is_empty());
    // Where it is looked after itself, there is nothing to ask.
    let own = eye(1, nothing, opted_in()).await;
    let snapshot = own.look(&clusters(&["demo"])).await;
    assert!(snapshot.outside.is_empty());
    let refused = eye(1, |_| error("ServiceUnavailable", "no"), json!([])).await;
    let snapshot = refused.look(&clusters(&["demo"])).await;
    let unread = place(&snapshot);
    assert!(
        matches!(unread, Some(Whereabouts::Unread { .. })),
        "{unread:?}"
    );
    // It is no reason to leave others alone.
    assert_eq!(snapshot.gaps, []);
    assert!(snapshot.groups.values().all(|it| it.gaps.is_empty()));
}

/// Of very many not all are asked about in one look: four calls. The others are unread, and their clusters are in the snapshot all the same.
#[tokio::test]
async fn no_look_asks_about_more_than_two_hundred() {
    let nothing = |_: &[String]| json!({"AutoScalingInstances": []});
    let eye = eye(250, nothing, json!([])).await;
    let snapshot = eye.look(&clusters(&["demo"])).await;
    assert_eq!((asked(&eye).len(), snapshot.outside.len()), (200, 250));
    let gaps = snapshot.outside.values().filter_map(|it| match it {
        Whereabouts::Unread { gap } => Some(gap.detail.as_str()),
        Whereabouts::InNoGroup | Whereabouts::InGroup { .. } => None,
    });
    let detail =
        "not sent for 50 instances that drain in nothing that is opted in: one look asks about 200";
    assert_eq!(gaps.collect::<Vec<_>>(), [detail; 50]);
}

/// Which clusters are known whole, and which are in the snapshot, where the group has no instance. The cluster has these fields.
async fn check_searched(fields: Value, scope: Scope, searched: bool, seen: bool) {
    let text = format!("{fields} {scope:?}");
    let eye = Eye::on(move |operation, input| match operation {
        "DescribeAutoScalingGroups" => {
            let empty = json!({"Instances": [], "DesiredCapacity": 0});
            json!({"AutoScalingGroups": [with(scene::group(), &empty)]})
        }
        "DescribeAutoScalingInstances" => {
            let members = ["i-1", "i-2"].map(|it| scene::member(it, "other"));
            json!({"AutoScalingInstances": members})
        }
        "DescribeClusters" => {
            json!({"clusters": [with(scene::cluster(), &fields)]})
        }
        _ => scene::answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&scope).await;
    let demo: BTreeSet<model::ClusterName> = ["demo".parse().unwrap()].into();
    assert_eq!(snapshot.searched == demo, searched, "{text}");
    assert_eq!(snapshot.searched.is_empty(), !searched, "{text}");
    assert_eq!(snapshot.clusters.len(), usize::from(seen), "{text}");
    let outside: Vec<&str> = snapshot.outside.keys().map(|it| it.as_str()).collect();
    assert_eq!(outside, if seen { &["i-1"][..] } else { &[] }, "{text}");
}

#[tokio::test]
async fn a_cluster_is_known_whole_where_it_was_read_or_ecs_counts_nothing_in_it() {
    let demo = || clusters(&["demo"]);
    let empty = json!({"registeredContainerInstancesCount": 0});
    check_searched(empty, demo(), true, false).await;
    // Nothing that is looked after is in it, and no provider of it is over a group that is: it is not read.
    let unrelated = json!({"capacityProviders": ["FARGATE"]});
    check_searched(unrelated, demo(), false, false).await;
    // What drains in it keeps it in the snapshot: the group may have let it go.
    check_searched(json!({}), demo(), true, true).await;
    let opted_in = json!({"capacityProviders": ["FARGATE"], "tags": opted_in()});
    check_searched(opted_in, demo(), true, true).await;
}

/// What a list of groups showed before it broke off counts; of what it did not show nothing is known.
#[tokio::test]
async fn what_a_list_of_groups_showed_before_it_broke_off_counts() {
    let eye = Eye::on(|operation, input| match operation {
        "DescribeAutoScalingGroups" if input["NextToken"].is_null() => {
            json!({"AutoScalingGroups": [scene::group()], "NextToken": "2"})
        }
        "DescribeAutoScalingGroups" => error("ServiceUnavailable", "no"),
        _ => scene::answer(operation, input),
    })
    .await;
    let strange = (0..1_000).map(|it| format!("i-{it:017}"));
    let named = instances(strange.chain(["i-1".to_owned()]));
    let snapshot = eye.look(&named).await;
    let looked: Vec<&str> = snapshot
        .groups
        .values()
        .flat_map(|it| it.instances.keys().map(InstanceId::as_str))
        .collect();
    assert_eq!(looked, ["i-1"]);
    let is_unread = |it: &&InstancePassedOver| matches!(it, InstancePassedOver::Unread { .. });
    assert_eq!(
        snapshot.passed_over.values().filter(is_unread).count(),
        1_000
    );
}
