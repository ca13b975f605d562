//! RunTask.

use serde_json::json;
use world::{CapacityProvider, Operation, TaskDefinition};

use crate::stage::{call, instances, small, with_large, with_types};

#[test]
fn tasks_run_where_they_fit_and_the_others_are_failures() {
    let mut world = with_large(1);
    world.add_task_definition_of(small("batch")).unwrap();
    let input = json!({
        "cluster": "shop", "taskDefinition": "batch", "count": 10, "startedBy": "nightly",
    });
    let answer = call(&mut world, Operation::RunTask, input);
    assert_eq!(answer["tasks"].as_array().unwrap().len(), 8);
    let task = &answer["tasks"][0];
    assert_eq!(task["group"], "family:batch");
    assert_eq!(task["startedBy"], "nightly");
    assert_eq!(task["capacityProviderName"], "big");
    let failure = json!({ "arn": instances(&world)[0].arn, "reason": "RESOURCE:CPU" });
    assert_eq!(answer["failures"], json!([failure, failure]));
    world.advance_secs(60);
    let (running, pending) = instances(&world)[0].counts(world.state());
    assert_eq!((running, pending), (8, 0));
    for (filter, count) in [
        (json!({ "cluster": "shop", "startedBy": "nightly" }), 8),
        (json!({ "cluster": "shop", "family": "batch" }), 8),
        (
            json!({ "cluster": "shop", "containerInstance": instances(&world)[0].arn }),
            8,
        ),
        (json!({ "cluster": "shop", "launchType": "FARGATE" }), 0),
    ] {
        let listed = call(&mut world, Operation::ListTasks, filter.clone());
        assert_eq!(
            listed["taskArns"].as_array().unwrap().len(),
            count,
            "{filter}"
        );
    }
}

#[test]
fn a_task_that_must_wait_waits_only_under_managed_scaling() {
    let provider = CapacityProvider::over("big").scaled_at(100);
    let mut world = with_types(&["m5.large"], 0, provider);
    world.add_task_definition_of(small("batch")).unwrap();
    let input = json!({ "cluster": "shop", "taskDefinition": "batch" });
    let answer = call(&mut world, Operation::RunTask, input.clone());
    assert_eq!(answer["tasks"][0]["lastStatus"], "PROVISIONING");
    assert!(answer["tasks"][0].get("containerInstanceArn").is_none());
    world.advance_secs(300);
    let listed = call(
        &mut world,
        Operation::DescribeTasks,
        json!({
            "cluster": "shop", "tasks": [answer["tasks"][0]["taskArn"]],
        }),
    );
    assert_eq!(listed["tasks"][0]["lastStatus"], "RUNNING");

    let mut world = with_large(0);
    let answer = call(&mut world, Operation::RunTask, input);
    assert_eq!(answer["tasks"], json!([]));
    assert_eq!(answer["failures"][0]["reason"], "RESOURCE:CPU");
    let input = json!({ "cluster": "shop", "taskDefinition": "batch", "launchType": "EC2" });
    let error = world.call(Operation::RunTask, input).unwrap_err();
    assert_eq!(
        error.message,
        "No Container Instances were found in your cluster."
    );
}

#[test]
fn overrides_change_what_a_task_reserves() {
    let mut world = with_large(1);
    world
        .add_task_definition_of(TaskDefinition::on_instances("batch", 256, 512))
        .unwrap();
    let run = |world: &mut world::World, overrides: serde_json::Value| {
        let input = json!({ "cluster": "shop", "taskDefinition": "batch", "overrides": overrides });
        let task = call(world, Operation::RunTask, input)["tasks"][0].clone();
        (task["cpu"].clone(), task["memory"].clone())
    };
    let mut check = |overrides, cpu: &str, memory: &str| {
        assert_eq!(run(&mut world, overrides), (json!(cpu), json!(memory)));
    };
    check(json!({}), "256", "512");
    check(json!({ "cpu": "512", "memory": "1024" }), "512", "1024");
    let container = json!([{ "name": "app", "cpu": 128, "memory": 300, "memoryReservation": 200 }]);
    check(json!({ "containerOverrides": container }), "128", "200");
}

#[test]
fn a_group_of_tasks_is_kept_apart() {
    let mut world = with_large(3);
    world.add_task_definition_of(small("batch")).unwrap();
    let input = json!({
        "cluster": "shop", "taskDefinition": "batch", "count": 4, "group": "apart",
        "placementConstraints": [{ "type": "distinctInstance" }],
    });
    let answer = call(&mut world, Operation::RunTask, input);
    assert_eq!(answer["tasks"].as_array().unwrap().len(), 3);
    let reasons: Vec<&str> = answer["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["reason"].as_str().unwrap())
        .collect();
    assert_eq!(
        reasons,
        ["distinctInstance placement constraint unsatisfied."; 3]
    );
}
