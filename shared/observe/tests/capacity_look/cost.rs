//! What a look costs.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::scene::{self, cluster, group, instance, instance_arn, provider, task, task_arn, with};
use crate::support::{Eye, clusters, error};

/// How often each operation is asked for, in the first look and in the second.
async fn check(
    script: impl Fn(&str, &Value) -> Option<Value> + Send + Sync + 'static,
    first: Expect,
    second: Expect,
) {
    let eye = Eye::on(move |name, input| {
        script(name, input).unwrap_or_else(|| scene::answer(name, input))
    })
    .await;
    let scope = clusters(&["demo"]);
    eye.look(&scope).await;
    first.assert_eq(&eye.counts());
    eye.look(&scope).await;
    second.assert_eq(&eye.counts());
}

#[tokio::test]
async fn a_cluster_at_rest() {
    check(
        |_, _| None,
        expect![[r#"
            1 DescribeAutoScalingGroups
            1 DescribeCapacityProviders
            1 DescribeClusters
            1 DescribeContainerInstances
            1 DescribePolicies
            1 DescribeScalingActivities
            1 DescribeScheduledActions
            1 DescribeServices
            2 DescribeTaskDefinition
            1 DescribeTasks
            1 ListClusters
            1 ListContainerInstances
            1 ListServices
            1 ListTasks
        "#]],
        expect![[r#"
            1 DescribeAutoScalingGroups
            1 DescribeCapacityProviders
            1 DescribeClusters
            1 DescribeContainerInstances
            1 DescribePolicies
            1 DescribeScalingActivities
            1 DescribeScheduledActions
            1 DescribeServices
            1 DescribeTasks
            1 ListClusters
            1 ListContainerInstances
            1 ListServices
            1 ListTasks
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_cluster_without_an_opted_in_provider() {
    let script = |operation: &str, _: &Value| {
        let untagged = with(group(), &json!({"Tags": []}));
        (operation == "DescribeAutoScalingGroups").then(|| json!({"AutoScalingGroups": [untagged]}))
    };
    check(
        script,
        expect![[r#"
            1 DescribeAutoScalingGroups
            1 DescribeCapacityProviders
            1 DescribeClusters
            1 ListClusters
        "#]],
        expect![[r#"
            1 DescribeAutoScalingGroups
            1 DescribeCapacityProviders
            1 DescribeClusters
            1 ListClusters
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_cluster_on_fargate_alone() {
    let script = |operation: &str, _: &Value| {
        let fargate = with(cluster(), &json!({"capacityProviders": ["FARGATE"]}));
        (operation == "DescribeClusters").then(|| json!({"clusters": [fargate]}))
    };
    check(
        script,
        expect![[r#"
            1 DescribeClusters
            1 ListClusters
        "#]],
        expect![[r#"
            1 DescribeClusters
            1 ListClusters
        "#]],
    )
    .await;
}

#[tokio::test]
async fn protection_is_asked_for_only_where_instances_with_tasks_may_be_drained() {
    let tags = json!([
        {"Key": "ballast:cluster-scaler", "Value": "act"},
        {"Key": "ballast:consolidate", "Value": "true"},
    ]);
    let group = with(group(), &json!({"Tags": tags}));
    let eye = Eye::on(move |operation, input| match operation {
        "DescribeAutoScalingGroups" => json!({"AutoScalingGroups": [group]}),
        "GetTaskProtection" => json!({
            "protectedTasks": [
                {"taskArn": task_arn("api-1"), "protectionEnabled": true, "expirationDate": 1_772_449_200.0},
                {"taskArn": task_arn("api-2"), "protectionEnabled": false},
            ],
        }),
        _ => scene::answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&clusters(&["demo"])).await;
    let asked: Vec<Value> = eye
        .asked()
        .into_iter()
        .filter(|(operation, _)| operation == "GetTaskProtection")
        .map(|(_, input)| input)
        .collect();
    let want = json!({"cluster": "demo", "tasks": [task_arn("api-1"), task_arn("api-2")]});
    assert_eq!(asked, [want]);
    let known: Vec<String> = snapshot.clusters[&"demo".parse().unwrap()]
        .tasks
        .iter()
        .filter_map(|task| Some((task.arn.id(), task.protected_until?)))
        .map(|(id, until)| format!("{id} {until:?}"))
        .collect();
    assert_eq!(known, ["api-1 Some(2026-03-02T11:00:00Z)", "api-2 None"]);
}

#[tokio::test]
async fn tasks_that_stop_are_looked_for_where_more_is_taken_than_others_explain() {
    check_stopping(&json!("web")).await;
    // Registered before its provider was associated with the cluster.
    check_stopping(&Value::Null).await;
}

/// What is looked for where an instance of the group names this provider.
async fn check_stopping(provider: &Value) {
    // Instance 2 holds 256 CPU units and 512 MiB more than its daemon.
    let held = with(
        instance("2", "us-west-2b", 2048 - 320, 1900 - 640),
        &json!({"capacityProviderName": provider}),
    );
    let mut stopping = task("api-9", "api", Some("2"));
    stopping["desiredStatus"] = json!("STOPPED");
    stopping["lastStatus"] = json!("STOPPING");
    let mut gone = task("api-8", "api", Some("2"));
    gone["desiredStatus"] = json!("STOPPED");
    gone["lastStatus"] = json!("STOPPED");
    let eye = Eye::on(move |operation, input| match operation {
        "DescribeContainerInstances" => {
            let mut answer = scene::answer(operation, input);
            answer["containerInstances"][1] = held.clone();
            answer
        }
        "ListTasks" if input["desiredStatus"] == "STOPPED" => {
            json!({"taskArns": [task_arn("api-8"), task_arn("api-9")]})
        }
        "DescribeTasks" if input["tasks"][0] == task_arn("api-8") => {
            json!({"tasks": [gone, stopping], "failures": []})
        }
        _ => scene::answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&clusters(&["demo"])).await;
    let lists: Vec<Value> = eye
        .asked()
        .into_iter()
        .filter(|(operation, input)| {
            operation == "ListTasks" && input["desiredStatus"] == "STOPPED"
        })
        .map(|(_, input)| input["containerInstance"].clone())
        .collect();
    assert_eq!(lists, [json!(instance_arn("2"))]);
    let cluster = &snapshot.clusters[&"demo".parse().unwrap()];
    assert_eq!(cluster.gaps, []);
    let stopping: Vec<&str> = cluster
        .tasks
        .iter()
        .filter(|task| !task.desired_running)
        .map(|task| task.arn.id())
        .collect();
    assert_eq!(stopping, ["api-9"]);
}

/// Three clusters with a provider each; every page of policies but the last has a next one.
async fn check_policies(pages: usize, want: &[&str]) {
    let eye = Eye::on(move |operation, input| three_clusters(operation, input, pages)).await;
    let snapshot = eye.look(&clusters(&[])).await;
    for (_, provider) in snapshot.providers() {
        let group = &provider.group;
        let name = group.name.as_str();
        let want = if name == "one" { vec!["grow"] } else { vec![] };
        assert!(group.scaling_policies.iter().eq(&want), "{name}");
        assert_eq!(provider.gaps, [], "{name}");
    }
    let asked: Vec<String> = eye
        .asked()
        .into_iter()
        .filter(|(operation, _)| operation == "DescribePolicies")
        .map(|(_, input)| {
            input["AutoScalingGroupName"]
                .as_str()
                .unwrap_or("*")
                .to_owned()
        })
        .collect();
    assert_eq!(asked, want);
}

fn three_clusters(operation: &str, input: &Value, pages: usize) -> Value {
    let names = ["one", "three", "two"];
    match operation {
        "ListClusters" => json!({"clusterArns": names}),
        "DescribeClusters" => {
            let of = |name: &str| {
                with(
                    cluster(),
                    &json!({"clusterName": name, "capacityProviders": [name]}),
                )
            };
            json!({"clusters": names.map(of)})
        }
        "DescribeCapacityProviders" => {
            let name = &input["capacityProviders"][0];
            let over = json!({"autoScalingGroupArn": name});
            let own = json!({"name": name, "autoScalingGroupProvider": over});
            json!({"capacityProviders": [with(provider(), &own)]})
        }
        "DescribeAutoScalingGroups" => {
            let of = |name: &str| with(group(), &json!({"AutoScalingGroupName": name}));
            json!({"AutoScalingGroups": names.map(of)})
        }
        "DescribePolicies" => {
            let of_one =
                json!({"AutoScalingGroupName": "one", "PolicyName": "grow", "Enabled": true});
            match input["AutoScalingGroupName"].as_str() {
                Some("one") => json!({"ScalingPolicies": [of_one]}),
                Some(_) => json!({"ScalingPolicies": []}),
                None => {
                    let page = input["NextToken"]
                        .as_str()
                        .map_or(1, |it| it.parse().unwrap());
                    let other = json!({"AutoScalingGroupName": "somebody's", "PolicyName": "p"});
                    let mut answer = json!({"ScalingPolicies": [other, of_one]});
                    if page < pages {
                        answer["NextToken"] = json!((page + 1).to_string());
                    }
                    answer
                }
            }
        }
        "ListContainerInstances" => json!({"containerInstanceArns": []}),
        "ListTasks" => json!({"taskArns": []}),
        "ListServices" => json!({"serviceArns": []}),
        _ => scene::answer(operation, input),
    }
}

#[tokio::test]
async fn policies_of_all_groups_are_asked_for_at_once_unless_there_are_too_many() {
    check_policies(1, &["*"]).await;
    check_policies(3, &["*", "*", "*"]).await;
    check_policies(4, &["*", "*", "*", "one", "three", "two"]).await;
}

/// The clusters `demo` and `other` have the provider `web`, `third` has none, and `gone` does not exist.
fn shared_provider(operation: &str, input: &Value) -> Value {
    let named = |name: &str, providers: &[&str]| {
        with(
            cluster(),
            &json!({"clusterName": name, "capacityProviders": providers}),
        )
    };
    match operation {
        "ListClusters" => json!({"clusterArns": ["demo", "gone", "other", "third"]}),
        "DescribeClusters" => {
            let asked = input["clusters"].as_array().unwrap();
            let all = [
                named("demo", &["web"]),
                named("other", &["web"]),
                named("third", &["FARGATE"]),
            ];
            let found = all.into_iter();
            let found = found.filter(|it| asked.contains(&it["clusterName"]));
            let failures: &[Value] = if asked.contains(&json!("gone")) {
                &[
                    json!({"arn": "arn:aws:ecs:us-west-2:111122223333:cluster/gone", "reason": "MISSING"}),
                ]
            } else {
                &[]
            };
            json!({"clusters": found.collect::<Vec<_>>(), "failures": failures})
        }
        _ => scene::answer(operation, input),
    }
}

/// What a look at `demo` alone asks of clusters, and what it sees, where Ballast looks after these.
async fn check_shared(installed: &[&str], asked_want: &[Value], others_want: &[&str]) {
    let eye = Eye::on(shared_provider).await.of_clusters(installed);
    let snapshot = eye.look(&clusters(&["demo"])).await;
    assert_eq!(snapshot.gaps, []);
    let seen: Vec<&str> = snapshot.clusters.keys().map(|it| it.as_str()).collect();
    assert_eq!(seen, ["demo"]);
    let (_, provider) = snapshot.providers().next().unwrap();
    let others: Vec<&str> = provider
        .other_clusters
        .iter()
        .map(|it| it.as_str())
        .collect();
    assert_eq!(others, others_want);
    let asked = eye.asked().into_iter();
    let asked: Vec<Value> = asked
        .filter(|(operation, _)| operation.ends_with("Clusters"))
        .map(|(_, input)| input["clusters"].clone())
        .collect();
    assert_eq!(asked, asked_want);
}

#[tokio::test]
async fn a_shared_provider_is_known_in_a_look_at_one_of_its_clusters() {
    let listed = [Value::Null, json!(["demo", "gone", "other", "third"])];
    check_shared(&[], &listed, &["other"]).await;
    let configured = [json!(["demo", "other"])];
    check_shared(&["other", "demo"], &configured, &["other"]).await;
    // What Ballast is not told of it does not see.
    check_shared(&["demo"], &[json!(["demo"])], &[]).await;
}

#[tokio::test]
async fn what_other_clusters_do_not_tell_is_a_gap() {
    let eye = Eye::on(|operation, input| match operation {
        "ListClusters" => error("AccessDeniedException", "User is not authorized"),
        _ => shared_provider(operation, input),
    })
    .await;
    let snapshot = eye.look(&clusters(&["demo"])).await;
    assert_eq!(snapshot.clusters.len(), 1);
    let gaps: Vec<&str> = snapshot
        .gaps
        .iter()
        .map(|it| it.operation.as_str())
        .collect();
    assert_eq!(gaps, ["ecs:ListClusters"]);
}
