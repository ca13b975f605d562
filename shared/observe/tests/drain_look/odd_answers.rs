//! Answers that AWS may give and seldom does.

use model::capacity::{ContainerInstanceStatus, Lifecycle};
use model::drain::{DrainSnapshot, HookResult, InstancePassedOver, LookedInstance};
use serde_json::{Value, json};

use crate::scene::{self, group, instance, instance_arn, member, task, with};
use crate::support::{Eye, clusters, error, instances, of_group};

fn looked<'a>(snapshot: &'a DrainSnapshot, id: &str) -> &'a LookedInstance {
    &snapshot.groups[&of_group("web")].instances[&id.parse().unwrap()]
}

/// The scene, where this operation has another answer.
async fn eye(
    operation: &'static str,
    answer: impl Fn(&Value) -> Value + Send + Sync + 'static,
) -> Eye {
    Eye::on(move |name, input| {
        if name == operation {
            answer(input)
        } else {
            scene::answer(name, input)
        }
    })
    .await
}

#[tokio::test]
async fn words_that_nobody_knows_yet_are_unknown() {
    let eye = Eye::on(|operation, input| match operation {
        "DescribeAutoScalingGroups" => {
            let mut group = group();
            group["Instances"][0]["LifecycleState"] = json!("Teleporting");
            group["Instances"][0]["HealthStatus"] = json!("Fine");
            json!({"AutoScalingGroups": [group]})
        }
        "DescribeContainerInstances" => {
            let odd = with(instance("1", 0, 0, 1), &json!({"status": "DREAMING"}));
            json!({"containerInstances": [odd]})
        }
        _ => scene::answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&instances(["i-1"])).await;
    let looked = looked(&snapshot, "i-1");
    let member = looked.member.as_ref().unwrap();
    assert_eq!(member.lifecycle, Lifecycle::Unknown);
    assert!(!member.is_healthy && !member.waits_in_hook);
    let (_, container) = snapshot.container(looked).unwrap();
    assert_eq!(container.status, ContainerInstanceStatus::Unknown);
}

#[tokio::test]
async fn hooks_of_other_kinds_are_left_out_and_a_nameless_one_is_a_gap() {
    let eye = eye("DescribeLifecycleHooks", |_| {
        let mut hooks = scene::hooks();
        hooks[0]["DefaultResult"] = json!("MAYBE");
        hooks[1]["LifecycleTransition"] = json!("autoscaling:EC2_INSTANCE_DREAMING");
        json!({"LifecycleHooks": hooks})
    })
    .await;
    let snapshot = eye.look(&clusters(&[])).await;
    let group = &snapshot.groups[&of_group("web")];
    let hooks: Vec<_> = group.hooks.values().collect();
    assert_eq!(hooks.len(), 1);
    assert_eq!(hooks[0].default_result, HookResult::Abandon);
    assert!(group.hooks_read && group.gaps.is_empty());

    let eye = self::eye("DescribeLifecycleHooks", |_| {
        let mut hooks = scene::hooks();
        hooks[0]["LifecycleHookName"] = json!("");
        json!({"LifecycleHooks": hooks})
    })
    .await;
    let snapshot = eye.look(&clusters(&[])).await;
    let group = &snapshot.groups[&of_group("web")];
    assert!(!group.hooks_read && group.hooks.is_empty());
    assert_eq!(group.gaps.len(), 1, "{:?}", group.gaps);
}

#[tokio::test]
async fn a_group_that_is_deleted_between_two_calls_leaves_its_instances_to_their_cluster() {
    let eye = eye(
        "DescribeAutoScalingGroups",
        |_| json!({"AutoScalingGroups": []}),
    )
    .await;
    let snapshot = eye.look(&instances(["i-1"])).await;
    let why = &snapshot.passed_over[&"i-1".parse().unwrap()];
    let want = InstancePassedOver::NotOptedIn {
        group: None,
        cluster: Some("demo".parse().unwrap()),
    };
    assert_eq!(*why, want);
}

#[tokio::test]
async fn a_group_that_is_deleted_before_its_hooks_are_read_keeps_a_gap() {
    let eye = eye("DescribeLifecycleHooks", |_| {
        error("ValidationError", "AutoScalingGroup name not found - null")
    })
    .await;
    let snapshot = eye.look(&instances(["i-1"])).await;
    let group = &snapshot.groups[&of_group("web")];
    assert!(!group.hooks_read);
    assert_eq!(group.gaps.len(), 1);
    assert!(snapshot.tasks(looked(&snapshot, "i-1")).is_some());
}

#[tokio::test]
async fn an_instance_that_has_left_its_group_since_is_taken_as_it_was() {
    let eye = eye("DescribeAutoScalingGroups", |_| {
        let mut group = group();
        group["Instances"] = json!([]);
        json!({"AutoScalingGroups": [group]})
    })
    .await;
    let snapshot = eye.look(&instances(["i-1"])).await;
    let looked = looked(&snapshot, "i-1");
    assert!(looked.member.as_ref().unwrap().waits_in_hook);
    assert!(looked.registered.is_some());
}

#[tokio::test]
async fn an_instance_that_registers_between_two_calls_is_seen() {
    // The query does not find the second one yet, the list of all does.
    let eye = eye("ListContainerInstances", |input| {
        let second = input["filter"].is_null();
        let arns = [Some(instance_arn("1")), second.then(|| instance_arn("2"))];
        json!({"containerInstanceArns": arns.into_iter().flatten().collect::<Vec<_>>()})
    })
    .await;
    let snapshot = eye.look(&instances(["i-1", "i-2"])).await;
    assert!(looked(&snapshot, "i-2").registered.is_some());
    assert_eq!(snapshot.tasks(looked(&snapshot, "i-2")), None);
}

#[tokio::test]
async fn an_instance_that_is_deregistered_between_two_calls_is_not_registered() {
    let eye = eye("DescribeContainerInstances", |input| {
        let asked = input["containerInstances"].as_array().unwrap();
        let gone = asked
            .iter()
            .map(|arn| json!({"arn": arn, "reason": "MISSING"}));
        json!({"containerInstances": [], "failures": gone.collect::<Vec<_>>()})
    })
    .await;
    let snapshot = eye.look(&instances(["i-1"])).await;
    let looked = looked(&snapshot, "i-1");
    assert!(looked.registered.is_none());
    assert_eq!(snapshot.tasks(looked), Some(vec![]));
    assert!(snapshot.groups[&of_group("web")].gaps.is_empty());
}

#[tokio::test]
async fn of_two_registrations_the_one_with_a_connected_agent_counts() {
    let eye = Eye::on(|operation, input| match operation {
        "ListContainerInstances" => {
            json!({"containerInstanceArns": [instance_arn("1"), instance_arn("1b")]})
        }
        "DescribeContainerInstances" => {
            let lost = with(
                instance("1b", 0, 0, 0),
                &json!({"ec2InstanceId": "i-1", "agentConnected": false, "registeredAt": 1_772_442_000.0}),
            );
            json!({"containerInstances": [lost, instance("1", 0, 0, 0)]})
        }
        "ListTasks" => json!({"taskArns": []}),
        _ => scene::answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&instances(["i-1"])).await;
    let (_, arn) = looked(&snapshot, "i-1").registered.clone().unwrap();
    assert_eq!(arn.id(), "1");
}

#[tokio::test]
async fn an_id_that_auto_scaling_would_refuse_spoils_no_other() {
    let long = "i-0123456789abcdef0123456789";
    let eye = Eye::on(move |operation, input| {
        let asked = scene::lines(input, "InstanceIds");
        if operation == "DescribeAutoScalingInstances" && asked.iter().any(|it| it == long) {
            return error(
                "ValidationError",
                "Member must have length less than or equal to 19",
            );
        }
        scene::answer(operation, input)
    })
    .await;
    let snapshot = eye.look(&instances(["i-1", long])).await;
    assert!(looked(&snapshot, "i-1").registered.is_some());
    let why = &snapshot.passed_over[&long.parse().unwrap()];
    assert_eq!(*why, InstancePassedOver::NotFound);
    // It alone is no reason to see nothing.
    let snapshot = eye.look(&instances([long])).await;
    assert_eq!(snapshot.passed_over.len(), 1);
}

#[tokio::test]
async fn managed_instances_are_left_to_aws() {
    let eye = Eye::on(|operation, input| match operation {
        "DescribeAutoScalingInstances" => json!({"AutoScalingInstances": []}),
        "DescribeAutoScalingGroups" => json!({"AutoScalingGroups": []}),
        "DescribeClusters" => {
            let tags = json!([{"key": "ballast:instance-drain", "value": "act"}]);
            json!({"clusters": [with(scene::cluster(), &json!({"tags": tags}))]})
        }
        "DescribeCapacityProviders" => {
            json!({"capacityProviders": [{"name": "web", "managedInstancesProvider": {}}]})
        }
        _ => scene::answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&instances(["i-1"])).await;
    assert!(snapshot.groups.is_empty());
    assert_eq!(snapshot.passed_over.len(), 1);
    let snapshot = eye.look(&clusters(&[])).await;
    let group = snapshot.groups.values().next().unwrap();
    assert!(group.instances.is_empty());
}

#[tokio::test]
async fn faulty_tags_are_kept_with_their_faults() {
    let eye = eye("DescribeAutoScalingGroups", |_| {
        let tags = json!([{"Key": "ballast:instance-drain", "Value": "perhaps"}]);
        json!({"AutoScalingGroups": [with(group(), &json!({"Tags": tags}))]})
    })
    .await;
    for scope in [instances(["i-1"]), clusters(&[])] {
        let snapshot = eye.look(&scope).await;
        let policy = &snapshot.groups[&of_group("web")].policy;
        assert_eq!(policy.as_ref().unwrap_err().len(), 1);
    }
}

#[tokio::test]
async fn a_task_that_stops_is_looked_for_where_more_is_taken_than_others_explain() {
    let eye = Eye::on(|operation, input| match operation {
        "DescribeContainerInstances" => {
            let held = instance("1", 2048 - 576, 1900 - 1152, 2);
            json!({"containerInstances": [held]})
        }
        "ListTasks" if input["desiredStatus"] == "STOPPED" => {
            json!({"taskArns": [scene::task_arn("api-9")]})
        }
        "DescribeTasks" if input["tasks"][0] == scene::task_arn("api-9") => {
            let stopping = json!({"desiredStatus": "STOPPED", "lastStatus": "STOPPING"});
            json!({"tasks": [with(task("api-9", "api", "1"), &stopping)]})
        }
        _ => scene::answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&instances(["i-1"])).await;
    let tasks = snapshot.tasks(looked(&snapshot, "i-1")).unwrap();
    let tasks: Vec<(&str, bool)> = tasks
        .iter()
        .map(|it| (it.arn.id(), it.desired_running))
        .collect();
    assert_eq!(
        tasks,
        [("agent-1", true), ("api-1", true), ("api-9", false)]
    );
}

#[tokio::test]
async fn a_member_without_a_readable_group_is_unread() {
    let eye = eye("DescribeAutoScalingInstances", |_| {
        let odd = with(member("i-1", "web"), &json!({"AutoScalingGroupName": ""}));
        json!({"AutoScalingInstances": [odd]})
    })
    .await;
    let snapshot = eye.look(&instances(["i-1"])).await;
    let why = &snapshot.passed_over[&"i-1".parse().unwrap()];
    assert!(matches!(why, InstancePassedOver::Unread { .. }), "{why:?}");
}

#[tokio::test]
async fn an_instance_of_a_cluster_whose_tags_are_not_known_is_unread() {
    let eye = Eye::on(|operation, input| match operation {
        "DescribeAutoScalingInstances" => json!({"AutoScalingInstances": []}),
        "DescribeClusters" => error("ServerException", "no"),
        _ => scene::answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&instances(["i-1"])).await;
    let why = &snapshot.passed_over[&"i-1".parse().unwrap()];
    let InstancePassedOver::Unread { gap } = why else {
        panic!("{why:?}");
    };
    assert_eq!(gap.operation, "ecs:DescribeClusters");
}

/// The instances whose tasks are read in a look at everything, where the group has these tags besides and the cluster so many tasks.
async fn check_by_choice(tags: &[(&str, &str)], tasks: u32, want: &[&str]) {
    let mut group = group();
    for (key, value) in tags {
        let tag = json!({"Key": key, "Value": value});
        group["Tags"].as_array_mut().unwrap().push(tag);
    }
    group["Instances"][0]["LifecycleState"] = json!("InService");
    let eye = Eye::on(move |operation, input| match operation {
        "DescribeAutoScalingGroups" => json!({"AutoScalingGroups": [group]}),
        "DescribeClusters" => {
            let tasks = json!({"runningTasksCount": tasks});
            json!({"clusters": [with(scene::cluster(), &tasks)]})
        }
        _ => scene::answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&clusters(&[])).await;
    let cluster = snapshot.clusters.values().next().unwrap();
    let read: Vec<&str> = cluster.tasks_read.iter().map(|it| it.id()).collect();
    assert_eq!(read, want, "{tags:?}");
    let activities = eye.counts().contains("DescribeScalingActivities");
    assert_eq!(activities, !tags.is_empty(), "{tags:?}");
}

#[tokio::test]
async fn what_may_be_drained_by_choice_is_read_with_its_tasks_where_these_are_few() {
    // The first one is DRAINING.
    check_by_choice(&[], 4, &["1"]).await;
    let rebalance = [("ballast:drain-on-rebalance", "true")];
    check_by_choice(&rebalance, 4, &["1", "2"]).await;
    check_by_choice(&rebalance, 1_001, &["1"]).await;
    check_by_choice(&[("ballast:drain-on-lost-agent", "true")], 4, &["1", "2"]).await;
}

#[tokio::test]
async fn whether_ecs_raises_the_group_is_told_by_its_provider() {
    for (status, is_enabled) in [("ENABLED", true), ("DISABLED", false)] {
        let eye = Eye::on(move |operation, input| match operation {
            "DescribeCapacityProviders" => {
                let mut provider = scene::provider();
                provider["autoScalingGroupProvider"]["managedScaling"]["status"] = json!(status);
                json!({"capacityProviders": [provider], "failures": []})
            }
            _ => scene::answer(operation, input),
        })
        .await;
        let snapshot = eye.look(&clusters(&["demo"])).await;
        let groups = snapshot.groups.values();
        let managed: Vec<bool> = groups.map(|it| it.managed_scaling).collect();
        assert_eq!(managed, [is_enabled], "{status}");
    }
}

#[tokio::test]
async fn clusters_are_asked_one_after_the_other_until_all_are_found() {
    let eye = Eye::on(|operation, input| match operation {
        "DescribeClusters" => {
            let named = |name: &str, instances: u32| {
                let own =
                    json!({"clusterName": name, "registeredContainerInstancesCount": instances});
                with(scene::cluster(), &own)
            };
            let all = [
                named("a", 300),
                named("b", 0),
                named("demo", 300),
                named("z", 300),
            ];
            json!({"clusters": all})
        }
        "ListContainerInstances" if input["cluster"] != "demo" => {
            json!({"containerInstanceArns": []})
        }
        _ => scene::answer(operation, input),
    })
    .await
    .of_clusters(&["a", "b", "demo", "z"]);
    let snapshot = eye.look(&instances(["i-1"])).await;
    assert!(looked(&snapshot, "i-1").registered.is_some());
    let asked: Vec<Value> = eye
        .asked()
        .into_iter()
        .filter(|(operation, _)| operation == "ListContainerInstances")
        .map(|(_, input)| input["cluster"].clone())
        .collect();
    assert_eq!(asked, ["a", "demo"]);
    let cluster = snapshot.clusters.values().next().unwrap();
    assert!(!cluster.has_every_instance);
}

#[tokio::test]
async fn of_many_instances_the_groups_are_found_by_their_tag() {
    let ids = (1..=60).map(|index| format!("i-{index}"));
    let eye = Eye::on(scene::answer).await;
    let snapshot = eye.look(&instances(ids)).await;
    let seen: Vec<&str> = snapshot.groups[&of_group("web")]
        .instances
        .keys()
        .map(|it| it.as_str())
        .collect();
    assert_eq!(seen, ["i-1", "i-2"]);
    let asked: Vec<usize> = eye
        .asked()
        .into_iter()
        .filter(|(operation, _)| operation == "DescribeAutoScalingInstances")
        .map(|(_, input)| scene::lines(&input, "InstanceIds").len())
        .collect();
    assert_eq!(asked, [50, 8]);
    let why = |id: &str| snapshot.passed_over[&id.parse().unwrap()].clone();
    let other = InstancePassedOver::NotOptedIn {
        group: Some("other".parse().unwrap()),
        cluster: None,
    };
    assert_eq!(why("i-9"), other);
    assert_eq!(why("i-60"), InstancePassedOver::NotFound);
    assert_eq!(snapshot.passed_over.len(), 58);
}
