//! The API: its pages, its rates, its faults and its stale reads.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where its scenario is not what it says"
)]

use expect_test::{Expect, expect};
use model::strategy::Market;
use serde_json::{Value, json};
use world::{Category, Config, Fault, FaultRule, GroupProvider, Operation, RangeMs, World};

fn world() -> World {
    let mut world = World::new(Config::new(1));
    world.add_workshop().unwrap();
    world.advance_secs(120);
    world
}

/// Calls, and shows the answer or the error.
fn check(world: &mut World, operation: Operation, input: Value, want: &Expect) {
    let got = match world.call(operation, input) {
        Ok(answer) => serde_json::to_string(&answer).unwrap(),
        Err(error) => format!("{} {error}", error.http_status),
    };
    want.assert_eq(&got);
}

#[test]
fn lists_come_in_pages_and_pending_tasks_are_never_listed() {
    let world = &mut world();
    let (mut token, mut arns, mut pages) = (Value::Null, Vec::new(), 0);
    loop {
        let input = json!({"cluster": "container-demo", "serviceName": "web", "maxResults": 4, "nextToken": token});
        let answer = world.call(Operation::ListTasks, input).unwrap();
        arns.extend(answer["taskArns"].as_array().unwrap().clone());
        pages += 1;
        token = answer["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!((arns.len(), pages), (10, 3));
    arns.dedup();
    assert_eq!(arns.len(), 10);
    let input = json!({"cluster": "container-demo", "desiredStatus": "PENDING"});
    check(
        world,
        Operation::ListTasks,
        input,
        &expect![[r#"{"taskArns":[]}"#]],
    );

    for number in 0..13 {
        let input = json!({
            "cluster": "container-demo", "serviceName": format!("s{number:02}"), "taskDefinition": "t:1", "desiredCount": 0,
        });
        world.call(Operation::CreateService, input).unwrap();
    }
    let answer = world
        .call(
            Operation::ListServices,
            json!({"cluster": "container-demo"}),
        )
        .unwrap();
    assert_eq!(answer["serviceArns"].as_array().unwrap().len(), 10);
    assert!(answer["nextToken"].is_string());
}

#[test]
fn a_bucket_has_its_burst_and_its_refill() {
    let mut config = Config::new(1);
    config.api_latency_ms = 0;
    let mut world = World::new(config);
    world.add_workshop().unwrap();
    let input = json!({"cluster": "container-demo", "service": "web-standby", "desiredCount": 0});
    let calls = |world: &mut World, number: usize| {
        (0..number)
            .filter(|_| world.call(Operation::UpdateService, input.clone()).is_ok())
            .count()
    };
    assert_eq!(calls(&mut world, 60), 50, "the burst of Service modify");
    world.advance_secs(2);
    assert_eq!(calls(&mut world, 60), 10, "five come back each second");
    let error = world.call(Operation::DeleteService, json!({})).unwrap_err();
    assert_eq!(error.code, "ThrottlingException");
    world.call(Operation::ListClusters, json!({})).unwrap();
    assert_eq!(world.calls()[&Operation::UpdateService].calls, 120);
    assert_eq!(Category::ServiceModify.burst(), 50);
}

#[test]
fn faults_happen_to_the_operation_they_are_for() {
    let world = &mut world();
    let services = json!({"cluster": "container-demo", "services": ["web", "web-standby"]});
    let mut with = |fault: Fault, input: &Value, operation: Operation| {
        world.config_mut().faults.rules = vec![FaultRule::times(operation, fault, 1)];
        let answer = world.call(operation, input.clone());
        // It was for one call only.
        world
            .call(Operation::DescribeServices, services.clone())
            .unwrap();
        answer
    };
    let read = Operation::DescribeServices;
    assert_eq!(
        with(Fault::Throttle, &services, read).unwrap_err().code,
        "ThrottlingException"
    );
    assert_eq!(
        with(Fault::ServerError, &services, read)
            .unwrap_err()
            .http_status,
        500
    );
    let denied = with(Fault::AccessDenied, &services, read).unwrap_err();
    assert_eq!(denied.code, "AccessDeniedException");
    assert!(denied.message.contains("ecs:DescribeServices"), "{denied}");
    let partial = with(Fault::PartialFailure, &services, read).unwrap();
    assert_eq!(partial["services"].as_array().unwrap().len(), 1);
    assert_eq!(
        partial["failures"],
        json!([{"arn": "arn:aws:ecs:us-west-2:111122223333:service/container-demo/web-standby", "reason": "MISSING"}])
    );
    let write = json!({"cluster": "container-demo", "service": "web-standby", "desiredCount": 4});
    let lost = with(Fault::ResponseLost, &write, Operation::UpdateService).unwrap_err();
    assert!(lost.response_lost);
    let answer = world.call(read, services.clone()).unwrap();
    assert_eq!(answer["services"][1]["desiredCount"], 4, "it was applied");
}

#[test]
fn a_fault_may_be_about_one_resource_and_for_a_time() {
    let world = &mut world();
    let from = world.now();
    let until = from + jiff::SignedDuration::from_secs(60);
    world.config_mut().faults.rules = vec![FaultRule {
        about: Some("web-standby".to_owned()),
        during: Some((from, until)),
        ..FaultRule::always(Operation::DescribeServices, Fault::ServerError)
    }];
    let ask = |world: &mut World, name: &str| {
        let input = json!({"cluster": "container-demo", "services": [name]});
        world.call(Operation::DescribeServices, input).is_ok()
    };
    assert!(ask(world, "web"));
    assert!(!ask(world, "web-standby"));
    world.advance_secs(61);
    assert!(ask(world, "web-standby"));
}

#[test]
fn a_stale_read_answers_with_what_was() {
    let mut config = Config::new(1);
    config.faults.stale_per_mille = 1_000;
    config.faults.stale_age = Some(RangeMs::new(10_000, 10_000));
    let mut world = World::new(config);
    let (_, standby) = world.add_workshop().unwrap();
    world.advance_secs(60);
    world.set_desired_count(&standby, 5).unwrap();
    let desired = |world: &mut World| {
        let input = json!({"cluster": "container-demo", "services": ["web-standby"]});
        let answer = world.call(Operation::DescribeServices, input).unwrap();
        answer["services"][0]["desiredCount"].as_u64().unwrap()
    };
    world.advance_secs(5);
    assert_eq!(
        desired(&mut world),
        0,
        "five seconds later the answer is ten seconds old"
    );
    world.advance_secs(6);
    assert_eq!(desired(&mut world), 5);
}

#[test]
fn times_are_seconds_with_milliseconds() {
    let world = &mut world();
    let listed = world
        .call(
            Operation::ListTasks,
            json!({"cluster": "container-demo", "serviceName": "web"}),
        )
        .unwrap();
    let input = json!({"cluster": "container-demo", "tasks": listed["taskArns"]});
    let answer = world.call(Operation::DescribeTasks, input).unwrap();
    let task = &answer["tasks"][0];
    let (created, started) = (
        task["createdAt"].as_f64().unwrap(),
        task["startedAt"].as_f64().unwrap(),
    );
    assert!(
        (1_772_442_001.0..1_772_442_002.0).contains(&created),
        "{created}"
    );
    assert!(
        started > created + 14.0 && started < created + 43.0,
        "{started}"
    );
    assert_eq!(task["lastStatus"], "RUNNING");
    assert_eq!(task["version"], 4);
}

#[test]
fn tags_targets_and_groups_can_be_read() {
    let world = &mut world();
    let arn = "arn:aws:ecs:us-west-2:111122223333:service/container-demo/web";
    let tags = json!({"resourceArn": arn, "tags": [{"key": "team", "value": "shop"}]});
    world.call(Operation::TagResource, tags).unwrap();
    check(
        world,
        Operation::ListTagsForResource,
        json!({"resourceArn": arn}),
        &expect![[
            r#"{"tags":[{"key":"ballast:standby","value":"web-standby"},{"key":"team","value":"shop"}]}"#
        ]],
    );
    let untag = json!({"resourceArn": arn, "tagKeys": ["team"]});
    world.call(Operation::UntagResource, untag).unwrap();
    check(
        world,
        Operation::ListTagsForResource,
        json!({"resourceArn": arn}),
        &expect![[r#"{"tags":[{"key":"ballast:standby","value":"web-standby"}]}"#]],
    );

    let target = json!({
        "ServiceNamespace": "ecs", "ResourceId": "service/container-demo/web", "ScalableDimension": "ecs:service:DesiredCount",
        "MinCapacity": 1, "MaxCapacity": 20,
    });
    world
        .call(Operation::RegisterScalableTarget, target)
        .unwrap();
    let answer = world
        .call(
            Operation::DescribeScalableTargets,
            json!({"ServiceNamespace": "ecs"}),
        )
        .unwrap();
    assert_eq!(answer["ScalableTargets"][0]["MaxCapacity"], 20);
    check(
        world,
        Operation::DescribeScalableTargets,
        json!({"ServiceNamespace": "dynamodb"}),
        &expect!["400 ValidationException: Unsupported service namespace: dynamodb"],
    );

    world.declare_group(
        "EC2Spot",
        GroupProvider {
            group: "ecs-spot".to_owned(),
            market: Market::Spot,
            instance_types: vec!["m5.large".to_owned(), "m5d.large".to_owned()],
        },
    );
    let answer = world
        .call(
            Operation::DescribeAutoScalingGroups,
            json!({"AutoScalingGroupNames": ["ecs-spot"]}),
        )
        .unwrap();
    let policy = &answer["AutoScalingGroups"][0]["MixedInstancesPolicy"];
    assert_eq!(
        policy["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"],
        0
    );
    let answer = world
        .call(
            Operation::DescribeCapacityProviders,
            json!({"capacityProviders": ["EC2Spot", "nope"]}),
        )
        .unwrap();
    assert_eq!(answer["capacityProviders"][0]["name"], "EC2Spot");
    assert_eq!(answer["failures"][0]["reason"], "MISSING");
}
