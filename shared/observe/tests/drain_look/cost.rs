//! What a look costs.

use expect_test::{Expect, expect};
use model::snapshot::Scope;
use serde_json::{Value, json};

use crate::scene::{self, group, instance, instance_arn, member, task, task_arn, with};
use crate::support::{Eye, clusters, draining, instances};

/// How often each operation is asked for in a second look, when task definitions and hooks are known.
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

/// How many instances the large group has, and tasks the large cluster.
const SIZE: usize = 1_000;

/// The number that an id or an ARN ends with.
fn index_of(text: &Value) -> usize {
    let text = text.as_str().unwrap();
    text.rsplit(['/', '-']).next().unwrap().parse().unwrap()
}

/// A page of 100 of a list.
fn page(input: &Value, list: &str, token: &str, all: &[Value]) -> Value {
    let begin: usize = input[token].as_str().map_or(0, |it| it.parse().unwrap());
    let end = (begin + 100).min(all.len());
    let mut answer = json!({list: all[begin..end]});
    if end < all.len() {
        answer[token] = json!(end.to_string());
    }
    answer
}

/// A group of 1,000 instances, each with a task; those up to `leaving` are DRAINING and wait in a hook.
fn large(operation: &str, input: &Value, leaving: usize) -> Value {
    let state = |index: usize| {
        if index < leaving {
            "Terminating:Wait"
        } else {
            "InService"
        }
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
            let of = |index: usize| {
                let own = json!({"Description": format!("Terminating EC2 instance: i-{index}")});
                with(scene::activities()[0].clone(), &own)
            };
            let all: Vec<Value> = (0..leaving).map(of).collect();
            page(input, "Activities", "NextToken", &all)
        }
        _ => large_cluster(operation, input, leaving),
    }
}

fn large_cluster(operation: &str, input: &Value, leaving: usize) -> Value {
    let of_all = |is_wanted: &dyn Fn(usize) -> bool, arn: &dyn Fn(usize) -> String| {
        let wanted = (0..SIZE).filter(|index| is_wanted(*index));
        wanted.map(|index| json!(arn(index))).collect::<Vec<_>>()
    };
    let asked = |list: &str, of: &dyn Fn(usize) -> Value| {
        let asked = input[list].as_array().unwrap().iter();
        let answers: Vec<Value> = asked.map(|arn| of(index_of(arn))).collect();
        json!({list: answers})
    };
    match operation {
        "DescribeClusters" => {
            let own = json!({"registeredContainerInstancesCount": SIZE, "runningTasksCount": SIZE});
            json!({"clusters": [with(scene::cluster(), &own)]})
        }
        "ListContainerInstances" => {
            let filter = input["filter"].as_str();
            let is_wanted = |index| filter.is_none_or(|it| it.contains(&format!("'i-{index}'")));
            let all = of_all(&is_wanted, &|index| instance_arn(&index.to_string()));
            page(input, "containerInstanceArns", "nextToken", &all)
        }
        "DescribeContainerInstances" => asked("containerInstances", &|index| {
            let status = if index < leaving {
                "DRAINING"
            } else {
                "ACTIVE"
            };
            let of_index = instance(&index.to_string(), 2048 - 256, 1900 - 512, 1);
            with(of_index, &json!({"status": status}))
        }),
        "ListTasks" => {
            let on = input["containerInstance"].as_str();
            let is_wanted =
                |index: usize| on.is_none_or(|it| it == instance_arn(&index.to_string()));
            let all = of_all(&is_wanted, &|index| task_arn(&format!("api-{index}")));
            page(input, "taskArns", "nextToken", &all)
        }
        "DescribeTasks" => asked("tasks", &|index| {
            task(&format!("api-{index}"), "api", &index.to_string())
        }),
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

/// In a storm each of these comes again and again: what is on them is left to the schedule's look.
#[tokio::test]
async fn three_hundred_that_drain_already() {
    let drain = |operation: &str, input: &Value| match operation {
        "DescribeAutoScalingGroups" => large(operation, input, 0),
        _ => large(operation, input, 300),
    };
    check(
        drain,
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
    let stop = move |operation: &str, input: &Value| {
        let mut answer = drain(operation, input);
        if operation == "DescribeAutoScalingGroups" {
            let tags = answer["AutoScalingGroups"][0]["Tags"].as_array_mut();
            tags.unwrap()
                .push(json!({"Key": "ballast:stop-tasks", "Value": "true"}));
        }
        answer
    };
    check(
        stop,
        named(300),
        expect![[r#"
            1 DescribeAutoScalingGroups
            1 DescribeCapacityProviders
            1 DescribeClusters
            3 DescribeContainerInstances
            1 DescribeServices
            10 DescribeTasks
            1 ListClusters
            6 ListContainerInstances
            10 ListTasks
        "#]],
    )
    .await;
}

/// Nine of ten events of a storm tell of these: nothing is asked of ECS.
#[tokio::test]
async fn three_hundred_of_which_only_ecs_tells_that_they_drain() {
    let drain = |operation: &str, input: &Value| match operation {
        "DescribeAutoScalingGroups" => large(operation, input, 0),
        _ => large(operation, input, 300),
    };
    let ids = || (0..300).map(|index| format!("i-{index}"));
    check(
        drain,
        draining(ids()),
        expect![[r#"
            1 DescribeAutoScalingGroups
        "#]],
    )
    .await;
}

/// A few that are warned among many that drain: what is on them can wait as well.
#[tokio::test]
async fn ten_that_are_warned_beside_three_hundred_that_drain() {
    let drain = |operation: &str, input: &Value| match operation {
        "DescribeAutoScalingGroups" => large(operation, input, 0),
        _ => large(operation, input, 300),
    };
    let (Scope::Departures { draining, .. }, Scope::Departures { instances, .. }) = (
        draining((10..310).map(|index| format!("i-{index}"))),
        named(10),
    ) else {
        panic!("both are scopes of departures")
    };
    let scope = Scope::Departures {
        instances,
        draining,
        groups: std::collections::BTreeSet::new(),
    };
    check(
        drain,
        scope,
        expect![[r#"
            1 DescribeAutoScalingGroups
            1 DescribeCapacityProviders
            1 DescribeClusters
            1 DescribeContainerInstances
            1 ListClusters
            1 ListContainerInstances
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

/// An event of AWS Health as long as one can be, about instances of 200 groups that are not opted in: two pages of all groups tell whose they are.
#[tokio::test]
async fn ten_thousand_of_other_groups() {
    let others = |operation: &str, input: &Value| {
        assert_eq!(operation, "DescribeAutoScalingGroups");
        let all = (0..200).map(|of: usize| {
            let template = group()["Instances"][0].clone();
            let ids = (of * 50..(of + 1) * 50).map(|index| format!("i-{index}"));
            let instances = ids.map(|id| with(template.clone(), &json!({"InstanceId": id})));
            let own = json!({
                "AutoScalingGroupName": format!("other-{of}"), "Tags": [],
                "Instances": instances.collect::<Vec<_>>(),
            });
            with(group(), &own)
        });
        page(
            input,
            "AutoScalingGroups",
            "NextToken",
            &all.collect::<Vec<_>>(),
        )
    };
    check(
        others,
        named(10_000),
        expect![[r#"
            2 DescribeAutoScalingGroups
        "#]],
    )
    .await;
}

/// Instances that are registered nowhere cost a list of the clusters, however many are named.
#[tokio::test]
async fn two_thousand_five_hundred_of_nobody() {
    check(
        |operation, input| large(operation, input, 0),
        instances((5_000..7_500).map(|index| format!("i-{index}"))),
        expect![[r#"
            1 DescribeAutoScalingGroups
            1 DescribeClusters
            10 DescribeContainerInstances
            1 ListClusters
            10 ListContainerInstances
        "#]],
    )
    .await;
}
