//! The operations on container instances, capacity providers and protection: limits, pages, partial failures, errors.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use world::{Config, GroupSpec, LaunchSpec, Operation, World};

use crate::stage::{call, instances, live, service, small, with_large};

fn check(world: &mut World, operation: Operation, input: Value, want: &Expect) {
    let got = match world.call(operation, input) {
        Ok(answer) => serde_json::to_string(&answer).unwrap(),
        Err(error) => format!("{} {error}", error.http_status),
    };
    want.assert_eq(&got);
}

#[test]
fn instances_are_listed_by_query_status_and_page() {
    let mut world = with_large(5);
    let list = |world: &mut World, more: Value| {
        let mut input = json!({ "cluster": "shop" });
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        call(world, Operation::ListContainerInstances, input)
    };
    let count = |answer: &Value| answer["containerInstanceArns"].as_array().unwrap().len();
    assert_eq!(count(&list(&mut world, json!({}))), 5);
    let machine = instances(&world)[2].ec2_instance_id.clone();
    let filter = format!("ec2InstanceId=='{machine}'");
    let answer = list(&mut world, json!({ "filter": filter }));
    assert_eq!(
        answer["containerInstanceArns"],
        json!([instances(&world)[2].arn])
    );
    let first = list(&mut world, json!({ "maxResults": 3 }));
    assert_eq!(count(&first), 3);
    let rest = list(
        &mut world,
        json!({ "maxResults": 3, "nextToken": first["nextToken"] }),
    );
    assert_eq!(count(&rest), 2);
    let arn = instances(&world)[0].arn.clone();
    let input = json!({ "cluster": "shop", "containerInstances": [arn], "status": "DRAINING" });
    call(&mut world, Operation::UpdateContainerInstancesState, input);
    assert_eq!(count(&list(&mut world, json!({ "status": "DRAINING" }))), 1);
    assert_eq!(count(&list(&mut world, json!({ "status": "ACTIVE" }))), 4);
    let filter = "attribute:ecs.instance-type =~ m5.* and runningTasksCount == 0";
    assert_eq!(count(&list(&mut world, json!({ "filter": filter }))), 5);
    check(
        &mut world,
        Operation::ListContainerInstances,
        json!({ "cluster": "shop", "filter": "nonsense" }),
        &expect![
            "400 InvalidParameterException: Invalid filter: `nonsense` is not a cluster query: an attribute or a known field is missing at character 0"
        ],
    );
}

#[test]
fn instances_are_described_with_what_is_asked_for() {
    let mut world = with_large(1);
    service(&mut world, "web", small("web"), 3);
    world.advance_secs(60);
    let arn = instances(&world)[0].arn.clone();
    let input = json!({
        "cluster": "shop", "containerInstances": [arn, "nope"], "include": ["TAGS", "CONTAINER_INSTANCE_HEALTH"],
    });
    let answer = call(&mut world, Operation::DescribeContainerInstances, input);
    let instance = &answer["containerInstances"][0];
    assert_eq!(instance["runningTasksCount"], 3);
    assert_eq!(instance["status"], "ACTIVE");
    assert_eq!(instance["agentConnected"], true);
    assert_eq!(instance["capacityProviderName"], "big");
    assert_eq!(instance["healthStatus"]["overallStatus"], "OK");
    assert_eq!(
        instance["remainingResources"][0]["integerValue"],
        2_048 - 3 * 256
    );
    assert_eq!(
        instance["remainingResources"][2]["stringSetValue"],
        json!(["22", "2375", "2376", "51678", "51679"])
    );
    let missing = "arn:aws:ecs:us-west-2:111122223333:container-instance/shop/nope";
    assert_eq!(
        answer["failures"],
        json!([{ "arn": missing, "reason": "MISSING" }])
    );
    let many: Vec<String> = (0..101).map(|it| format!("{it}")).collect();
    check(
        &mut world,
        Operation::DescribeContainerInstances,
        json!({ "cluster": "shop", "containerInstances": many }),
        &expect!["400 InvalidParameterException: instanceIds can have at most 100 items."],
    );
    check(
        &mut world,
        Operation::UpdateContainerInstancesState,
        json!({ "cluster": "shop", "containerInstances": many[..11], "status": "DRAINING" }),
        &expect!["400 InvalidParameterException: instanceIds can have at most 10 items."],
    );
    check(
        &mut world,
        Operation::UpdateContainerInstancesState,
        json!({ "cluster": "shop", "containerInstances": ["nope"], "status": "DRAINING" }),
        &expect![[
            r#"{"containerInstances":[],"failures":[{"arn":"arn:aws:ecs:us-west-2:111122223333:container-instance/shop/nope","reason":"MISSING"}]}"#
        ]],
    );
    check(
        &mut world,
        Operation::UpdateContainerInstancesState,
        json!({ "cluster": "shop", "containerInstances": [arn], "status": "INACTIVE" }),
        &expect![
            "400 InvalidParameterException: Container instance status should be one of [ACTIVE,DRAINING]"
        ],
    );
    check(
        &mut world,
        Operation::DeregisterContainerInstance,
        json!({ "cluster": "shop", "containerInstance": arn }),
        &expect!["400 InvalidParameterException: Found running tasks on the instance."],
    );
    let input = json!({ "cluster": "shop", "containerInstance": arn, "force": true });
    let answer = call(&mut world, Operation::DeregisterContainerInstance, input);
    assert_eq!(answer["containerInstance"]["status"], "INACTIVE");
    assert!(instances(&world).is_empty());
}

#[test]
fn a_registering_instance_cannot_drain() {
    let mut world = with_large(0);
    world.set_desired_capacity("big", 1).unwrap();
    while instances(&world).is_empty() {
        world.take_due_events();
        let next = world.next_event_at().unwrap();
        world.advance_to(next);
    }
    assert_eq!(instances(&world)[0].status.as_str(), "REGISTERING");
    world.config_mut().api_latency_ms = 0;
    let arn = instances(&world)[0].arn.clone();
    let input = json!({ "cluster": "shop", "containerInstances": [arn], "status": "DRAINING" });
    let answer = call(&mut world, Operation::UpdateContainerInstancesState, input);
    assert_eq!(answer["failures"][0]["reason"], "INACTIVE");
}

#[test]
fn attributes_are_set_and_listed() {
    let mut world = with_large(2);
    let arn = instances(&world)[0].arn.clone();
    let attribute = json!({ "name": "stack", "value": "blue", "targetType": "container-instance", "targetId": arn });
    let input = json!({ "cluster": "shop", "attributes": [attribute] });
    call(&mut world, Operation::PutAttributes, input);
    let list = |name: &str| json!({ "cluster": "shop", "targetType": "container-instance", "attributeName": name });
    let answer = call(&mut world, Operation::ListAttributes, list("stack"));
    let listed = json!([{ "name": "stack", "value": "blue", "targetId": arn }]);
    assert_eq!(answer["attributes"], listed);
    let answer = call(
        &mut world,
        Operation::ListAttributes,
        list("ecs.instance-type"),
    );
    assert_eq!(answer["attributes"].as_array().unwrap().len(), 2);
    let put = |name: &str, target: &str| json!({ "cluster": "shop", "attributes": [{ "name": name, "targetId": target }] });
    check(
        &mut world,
        Operation::PutAttributes,
        put("stack", "nope"),
        &expect!["400 TargetNotFoundException: The specified target wasn't found."],
    );
    check(
        &mut world,
        Operation::PutAttributes,
        put("ecs.instance-type", &arn),
        &expect![
            "400 InvalidParameterException: The attribute name 'ecs.instance-type' is not valid."
        ],
    );
}

/// A world with a group of no instances and a cluster, and the group's ARN.
fn with_group() -> (World, Value) {
    let mut world = World::new(Config::new(1));
    let launch = LaunchSpec::on_demand("web", &["m5.large"]);
    world.declare_auto_scaling_group(GroupSpec::new("web", launch, 0, 0, 10));
    let input = json!({ "clusterName": "shop" });
    call(&mut world, Operation::CreateCluster, input);
    let group = call(&mut world, Operation::DescribeAutoScalingGroups, json!({}));
    let arn = group["AutoScalingGroups"][0]["AutoScalingGroupARN"].clone();
    (world, arn)
}

/// The input of CreateCapacityProvider.
fn create(name: &str, arn: &Value, more: Value) -> Value {
    let mut over = json!({ "autoScalingGroupArn": arn });
    let fields = over.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    json!({ "name": name, "autoScalingGroupProvider": over })
}

#[test]
fn capacity_providers_that_cannot_be() {
    let (mut world, arn) = with_group();
    let wrong = |world: &mut World, input: Value, want: Expect| {
        check(world, Operation::CreateCapacityProvider, input, &want);
    };
    let protection = json!({ "managedTerminationProtection": "ENABLED" });
    wrong(
        &mut world,
        create("ecs-web", &arn, json!({})),
        expect![[
            r#"400 InvalidParameterException: The specified capacity provider name 'ecs-web' is not valid: it cannot be prefixed with "aws", "ecs", or "fargate"."#
        ]],
    );
    wrong(
        &mut world,
        create("web", &json!("nope"), json!({})),
        expect![
            "400 InvalidParameterException: The specified Auto Scaling group ARN is not valid or was not found: nope"
        ],
    );
    wrong(
        &mut world,
        create("web", &arn, protection),
        expect![
            "400 InvalidParameterException: The managed termination protection setting for the capacity provider is invalid. To enable managed termination protection for a capacity provider, managed scaling must be enabled and the Auto Scaling group must have instance protection from scale in enabled."
        ],
    );
    wrong(
        &mut world,
        create(
            "web",
            &arn,
            json!({ "managedScaling": { "targetCapacity": 101 } }),
        ),
        expect!["400 InvalidParameterException: targetCapacity must be between 1 and 100."],
    );
}

#[test]
fn capacity_providers_live_and_die() {
    let (mut world, arn) = with_group();
    let scaling = json!({ "managedScaling": { "status": "ENABLED", "targetCapacity": 80 } });
    check(
        &mut world,
        Operation::CreateCapacityProvider,
        create("web", &arn, scaling),
        &expect![[
            r#"{"capacityProvider":{"autoScalingGroupProvider":{"autoScalingGroupArn":"arn:aws:autoscaling:us-west-2:111122223333:autoScalingGroup:e060b80a-c5db-4e34-8c79-d06f287de4e0:autoScalingGroupName/web","managedDraining":"ENABLED","managedScaling":{"instanceWarmupPeriod":300,"maximumScalingStepSize":10000,"minimumScalingStepSize":1,"status":"ENABLED","targetCapacity":80},"managedTerminationProtection":"DISABLED"},"capacityProviderArn":"arn:aws:ecs:us-west-2:111122223333:capacity-provider/web","name":"web","status":"ACTIVE","tags":[]}}"#
        ]],
    );
    check(
        &mut world,
        Operation::CreateCapacityProvider,
        create("other", &arn, json!({})),
        &expect![
            "400 InvalidParameterException: The specified Auto Scaling group is already being used by another capacity provider: web"
        ],
    );
    let put = |providers: Value| json!({ "cluster": "shop", "capacityProviders": providers, "defaultCapacityProviderStrategy": [] });
    call(
        &mut world,
        Operation::PutClusterCapacityProviders,
        put(json!(["web"])),
    );
    // The group carries the hook, the tag and the policy of ECS now; without managed scaling the policy goes.
    let parts = |world: &World| {
        let group = &world.state().groups["web"];
        (
            group.hooks.len(),
            group.policies.len(),
            world.state().alarms.len(),
        )
    };
    assert_eq!(parts(&world), (1, 1, 2));
    assert!(
        world.state().groups["web"]
            .tags
            .contains_key("AmazonECSManaged")
    );
    let off = json!({ "name": "web", "autoScalingGroupProvider": {
        "managedScaling": { "status": "DISABLED" }, "managedDraining": "DISABLED",
    }});
    let answer = call(&mut world, Operation::UpdateCapacityProvider, off);
    assert_eq!(
        answer["capacityProvider"]["updateStatus"],
        "UPDATE_COMPLETE"
    );
    assert_eq!(parts(&world), (0, 0, 0));
    let delete = json!({ "capacityProvider": "web" });
    check(
        &mut world,
        Operation::DeleteCapacityProvider,
        delete.clone(),
        &expect![
            "400 ClientException: The specified capacity provider is in use and cannot be removed: it is associated with the cluster shop."
        ],
    );
    call(
        &mut world,
        Operation::PutClusterCapacityProviders,
        put(json!([])),
    );
    call(&mut world, Operation::DeleteCapacityProvider, delete);
    let named = json!({ "capacityProviders": ["web"] });
    let answer = call(&mut world, Operation::DescribeCapacityProviders, named);
    assert_eq!(answer["failures"][0]["reason"], "MISSING");
}

#[test]
fn protection_is_read_and_refused() {
    let mut world = with_large(1);
    let web = service(&mut world, "web", small("web"), 2);
    world.add_task_definition_of(small("batch")).unwrap();
    world.advance_secs(60);
    let input = json!({ "cluster": "shop", "taskDefinition": "batch" });
    let alone = call(&mut world, Operation::RunTask, input)["tasks"][0]["taskArn"].clone();
    let arn = live(&world, &web)[0].arn.clone();
    let input =
        json!({ "cluster": "shop", "tasks": [arn, alone, "nope"], "protectionEnabled": true });
    let answer = call(&mut world, Operation::UpdateTaskProtection, input);
    assert_eq!(answer["protectedTasks"][0]["protectionEnabled"], true);
    let reasons: Vec<&Value> = answer["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["reason"])
        .collect();
    assert_eq!(reasons, ["TASK_NOT_VALID", "MISSING"]);
    let answer = call(
        &mut world,
        Operation::GetTaskProtection,
        json!({ "cluster": "shop" }),
    );
    let on: Vec<bool> = answer["protectedTasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["protectionEnabled"] == true)
        .collect();
    assert_eq!(on.iter().filter(|it| **it).count(), 1);
    world.advance_secs(2 * 3_600 + 1);
    let answer = call(
        &mut world,
        Operation::GetTaskProtection,
        json!({ "cluster": "shop", "tasks": [arn] }),
    );
    assert_eq!(answer["protectedTasks"][0]["protectionEnabled"], false);
    check(
        &mut world,
        Operation::UpdateTaskProtection,
        json!({ "cluster": "shop", "tasks": [arn], "protectionEnabled": true, "expiresInMinutes": 2_881 }),
        &expect!["400 InvalidParameterException: expiresInMinutes must be between 1 and 2880."],
    );
}
