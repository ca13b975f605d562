//! What a look costs.

use expect_test::{Expect, expect};
use model::snapshot::Scope;
use serde_json::{Value, json};

use crate::scene::{self, group, instance, instance_arn, member, task, task_arn, with};
use crate::support::{Eye, clusters, instances};

/// How often each operation is asked for in a second look, when task definitions are known.
async fn check(
    script: impl Fn(&str, &Value) -> Value + Send + Sync + 'static,
    scope: Scope,
    want: Expect,
) {
    let eye = Eye::on(script).await;
    eye.look(&scope).await;
    eye.counts();
    eye.look(&scope).await;
    want.assert_eq(&eye.counts());
}

/// A group of 1,000 instances, each with a task; those up to `leaving` are DRAINING and wait in a hook.
fn large(operation: &str, input: &Value, leaving: usize) -> Value {
    const SIZE: usize = 1_000;
    let page = |all: Vec<String>, list: &str| {
        let begin: usize = input["nextToken"]
            .as_str()
            .map_or(0, |it| it.parse().unwrap());
        let end = (begin + 100).min(all.len());
        let mut answer = json!({list: all[begin..end]});
        if end < all.len() {
            answer["nextToken"] = json!(end.to_string());
        }
        answer
    };
    let state = |index: usize| {
        if index < leaving {
            "Terminating:Wait"
        } else {
            "InService"
        }
    };
    let index_of = |arn: &Value| -> usize {
        let id = arn.as_str().unwrap().rsplit(['/', '-']).next().unwrap();
        id.parse().unwrap()
    };
    match operation {
        "DescribeAutoScalingInstances" => {
            let of = |id: String| {
                let index = index_of(&json!(id));
                with(member(&id, "web"), &json!({"LifecycleState": state(index)}))
            };
            let asked = scene::lines(input, "InstanceIds").into_iter();
            json!({"AutoScalingInstances": asked.map(of).collect::<Vec<_>>()})
        }
        "DescribeAutoScalingGroups" => {
            let template = group()["Instances"][0].clone();
            let of = |index: usize| {
                let own =
                    json!({"InstanceId": format!("i-{index}"), "LifecycleState": state(index)});
                with(template.clone(), &own)
            };
            let all: Vec<Value> = (0..SIZE).map(of).collect();
            json!({"AutoScalingGroups": [with(group(), &json!({"Instances": all}))]})
        }
        "DescribeScalingActivities" => {
            let begin: usize = input["NextToken"]
                .as_str()
                .map_or(0, |it| it.parse().unwrap());
            let end = (begin + 100).min(leaving);
            let of = |index: usize| {
                let own = json!({"Description": format!("Terminating EC2 instance: i-{index}")});
                with(scene::activities()[0].clone(), &own)
            };
            let all: Vec<Value> = (begin..end).map(of).collect();
            json!({"Activities": all, "NextToken": end.to_string()})
        }
        "DescribeClusters" => {
            let own = json!({"registeredContainerInstancesCount": SIZE, "runningTasksCount": SIZE});
            json!({"clusters": [with(scene::cluster(), &own)]})
        }
        "ListContainerInstances" => {
            let found = (0..SIZE).filter(|index| match input["filter"].as_str() {
                Some(filter) => filter.contains(&format!("'i-{index}'")),
                None => true,
            });
            let arns = found.map(|index| instance_arn(&index.to_string()));
            page(arns.collect(), "containerInstanceArns")
        }
        "DescribeContainerInstances" => {
            let asked = input["containerInstances"].as_array().unwrap();
            let of = |arn: &Value| {
                let index = index_of(arn);
                let status = if index < leaving {
                    "DRAINING"
                } else {
                    "ACTIVE"
                };
                let own = json!({"status": status});
                with(
                    instance(&index.to_string(), 2048 - 256, 1900 - 512, 1),
                    &own,
                )
            };
            json!({"containerInstances": asked.iter().map(of).collect::<Vec<_>>()})
        }
        "ListTasks" => {
            let found = (0..SIZE).filter(|index| match input["containerInstance"].as_str() {
                Some(arn) => arn == instance_arn(&index.to_string()),
                None => true,
            });
            let arns = found.map(|index| task_arn(&format!("api-{index}")));
            page(arns.collect(), "taskArns")
        }
        "DescribeTasks" => {
            let asked = input["tasks"].as_array().unwrap();
            let of = |arn: &Value| {
                let index = index_of(arn).to_string();
                task(&format!("api-{index}"), "api", &index)
            };
            json!({"tasks": asked.iter().map(of).collect::<Vec<_>>()})
        }
        _ => scene::answer(operation, input),
    }
}

fn named(count: usize) -> Scope {
    instances((0..count).map(|index| format!("i-{index}")))
}

#[tokio::test]
async fn nothing_that_is_opted_in() {
    check(
        scene::answer,
        instances(["i-9"]),
        expect![[r#"
        1 DescribeAutoScalingGroups
        1 DescribeAutoScalingInstances
    "#]],
    )
    .await;
    let none = |operation: &str, input: &Value| match operation {
        "DescribeAutoScalingGroups" => json!({"AutoScalingGroups": []}),
        _ => scene::answer(operation, input),
    };
    check(
        none,
        clusters(&[]),
        expect![[r#"
        1 DescribeAutoScalingGroups
        1 DescribeClusters
        1 ListClusters
    "#]],
    )
    .await;
}

#[tokio::test]
async fn an_instance_of_a_small_cluster() {
    check(
        scene::answer,
        instances(["i-2"]),
        expect![[r#"
        1 DescribeAutoScalingGroups
        1 DescribeAutoScalingInstances
        1 DescribeCapacityProviders
        1 DescribeClusters
        2 DescribeContainerInstances
        1 DescribeServices
        1 DescribeTasks
        1 ListClusters
        2 ListContainerInstances
        1 ListTasks
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_small_cluster() {
    check(
        scene::answer,
        clusters(&[]),
        expect![[r#"
        1 DescribeAutoScalingGroups
        1 DescribeCapacityProviders
        1 DescribeClusters
        1 DescribeContainerInstances
        1 DescribeLifecycleHooks
        1 DescribeScalingActivities
        1 DescribeServices
        1 DescribeTasks
        1 ListClusters
        1 ListContainerInstances
        1 ListTasks
    "#]],
    )
    .await;
}

#[tokio::test]
async fn one_instance_of_1000() {
    check(
        |name, input| large(name, input, 0),
        named(1),
        expect![[r#"
        1 DescribeAutoScalingGroups
        1 DescribeAutoScalingInstances
        1 DescribeCapacityProviders
        1 DescribeClusters
        1 DescribeContainerInstances
        1 DescribeServices
        1 DescribeTasks
        1 ListClusters
        1 ListContainerInstances
        1 ListTasks
    "#]],
    )
    .await;
}

#[tokio::test]
async fn ten_instances_of_1000() {
    check(
        |name, input| large(name, input, 0),
        named(10),
        expect![[r#"
        1 DescribeAutoScalingGroups
        1 DescribeAutoScalingInstances
        1 DescribeCapacityProviders
        1 DescribeClusters
        1 DescribeContainerInstances
        1 DescribeServices
        1 DescribeTasks
        1 ListClusters
        1 ListContainerInstances
        10 ListTasks
    "#]],
    )
    .await;
}

#[tokio::test]
async fn three_hundred_instances_of_1000() {
    check(
        |name, input| large(name, input, 0),
        named(300),
        expect![[r#"
            1 DescribeAutoScalingGroups
            1 DescribeCapacityProviders
            1 DescribeClusters
            3 DescribeContainerInstances
            1 ListClusters
            6 ListContainerInstances
        "#]],
    )
    .await;
}

#[tokio::test]
async fn all_of_1000() {
    check(
        |name, input| large(name, input, 0),
        named(1_000),
        expect![[r#"
            1 DescribeAutoScalingGroups
            1 DescribeCapacityProviders
            1 DescribeClusters
            10 DescribeContainerInstances
            1 ListClusters
            10 ListContainerInstances
        "#]],
    )
    .await;
}

#[tokio::test]
async fn everything_at_rest() {
    check(
        |name, input| large(name, input, 0),
        clusters(&[]),
        expect![[r#"
            1 DescribeAutoScalingGroups
            1 DescribeCapacityProviders
            1 DescribeClusters
            10 DescribeContainerInstances
            1 DescribeLifecycleHooks
            1 ListClusters
            10 ListContainerInstances
        "#]],
    )
    .await;
}

#[tokio::test]
async fn everything_while_10_of_1000_leave() {
    check(
        |name, input| large(name, input, 10),
        clusters(&[]),
        expect![[r#"
            1 DescribeAutoScalingGroups
            1 DescribeCapacityProviders
            1 DescribeClusters
            10 DescribeContainerInstances
            1 DescribeLifecycleHooks
            1 DescribeScalingActivities
            1 DescribeServices
            1 DescribeTasks
            1 ListClusters
            10 ListContainerInstances
            10 ListTasks
        "#]],
    )
    .await;
}

#[tokio::test]
async fn everything_while_300_of_1000_leave() {
    check(
        |name, input| large(name, input, 300),
        clusters(&[]),
        expect![[r#"
            1 DescribeAutoScalingGroups
            1 DescribeCapacityProviders
            1 DescribeClusters
            10 DescribeContainerInstances
            1 DescribeLifecycleHooks
            3 DescribeScalingActivities
            1 DescribeServices
            10 DescribeTasks
            1 ListClusters
            10 ListContainerInstances
            10 ListTasks
        "#]],
    )
    .await;
}
