//! How long containers may take to stop.

use model::snapshot::TaskStatus;
use serde_json::json;
use world::{Operation, RangeMs, TaskDefinition, World};

use crate::stage::{call, live, service, small, with_large};

/// Seconds from StopTask until a task of a definition no longer stops: from SIGTERM to the end of its containers, which would take
/// ten minutes each.
fn stops_within(definition: TaskDefinition) -> i64 {
    let mut world = with_large(1);
    world.config_mut().stop.stopping = RangeMs::new(600_000, 600_000);
    let web = service(&mut world, "web", definition, 1);
    world.advance_secs(60);
    let id = live(&world, &web)[0].id().to_owned();
    stop(&mut world, &id);
    let reached = |world: &mut World, status: TaskStatus| {
        while world.state().tasks[&id].last_status < status {
            world.advance_secs(1);
        }
        world.now()
    };
    let term = reached(&mut world, TaskStatus::Stopping);
    let killed = reached(&mut world, TaskStatus::Deprovisioning);
    let secs = killed.duration_since(term).as_secs();
    assert!(secs < 600, "it stopped by itself");
    secs
}

fn stop(world: &mut World, id: &str) {
    let input = json!({ "cluster": "shop", "task": id });
    let answer = call(world, Operation::StopTask, input);
    assert_eq!(answer["task"]["stoppedReason"], "Task stopped by user");
}

#[test]
fn sigkill_comes_after_the_stop_timeout() {
    assert_eq!(stops_within(small("web")), 30, "AWS's default");
    assert_eq!(stops_within(small("web").with_stop_timeout_secs(5)), 5);
    // There is no maximum on EC2.
    assert_eq!(stops_within(small("web").with_stop_timeout_secs(300)), 300);
}

#[test]
fn the_container_that_may_take_longest_decides() {
    let mut world = with_large(1);
    let container = |name: &str, timeout: Option<u32>| {
        let mut it = json!({ "name": name, "image": "image", "memory": 128 });
        if let Some(secs) = timeout {
            it["stopTimeout"] = json!(secs);
        }
        it
    };
    let containers = [container("front", Some(180)), container("side", None)];
    let input = json!({ "family": "two", "containerDefinitions": containers });
    let made = call(&mut world, Operation::RegisterTaskDefinition, input);
    let arn = made["taskDefinition"]["taskDefinitionArn"]
        .as_str()
        .unwrap();
    let input = json!({ "taskDefinition": arn });
    let told = call(&mut world, Operation::DescribeTaskDefinition, input);
    let containers = &told["taskDefinition"]["containerDefinitions"];
    assert_eq!(containers[0]["stopTimeout"], 180);
    assert_eq!(containers[1].get("stopTimeout"), None);
    let definition = &world.state().task_definitions[arn];
    assert_eq!(definition.longest_stop_timeout_secs(), 180);
    // It serves until the first of its essential containers has gone.
    assert_eq!(definition.stop_timeout_secs(), 30);
    assert_eq!(stops_within(definition.clone()), 180);
}

#[test]
fn fargate_has_a_maximum() {
    let mut world = with_large(1);
    let container = json!({ "name": "app", "image": "image", "stopTimeout": 121 });
    let mut input = json!({ "family": "web", "containerDefinitions": [container], "cpu": "256", "memory": "512" });
    call(&mut world, Operation::RegisterTaskDefinition, input.clone());
    input["requiresCompatibilities"] = json!(["FARGATE"]);
    let error = world
        .call(Operation::RegisterTaskDefinition, input)
        .unwrap_err();
    assert_eq!(error.code, "ClientException");
}
