//! The API: what it refuses, and how it says so.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where its scenario is not what it says"
)]

use expect_test::{Expect, expect};
use model::strategy::Market;
use serde_json::{Value, json};
use world::{Config, GroupProvider, Operation, World};

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

/// Makes each call in a world of its own, and shows the answers or errors, a line each.
fn check_all(calls: &[(Operation, Value)], want: &Expect) {
    let mut lines = String::new();
    for (operation, input) in calls {
        let answer = match world().call(*operation, input.clone()) {
            Ok(answer) => answer.to_string(),
            Err(error) => format!("{} {error}", error.http_status),
        };
        lines.push_str(&format!("{}: {answer}\n", operation.name()));
    }
    want.assert_eq(&lines);
}

#[test]
fn names_and_values_that_are_wrong() {
    use Operation::{DeleteService, DescribeServices, DescribeTasks, ListTasks, UpdateService};
    let update = |field: &str, value: Value| {
        let mut input = json!({"cluster": "container-demo", "service": "web"});
        input[field] = value;
        (UpdateService, input)
    };
    let strategy = json!([{"capacityProvider": "FARGATE", "weight": 1}]);
    check_all(
        &[
            (
                DescribeServices,
                json!({"cluster": "nope", "services": ["web"]}),
            ),
            (UpdateService, json!({"cluster": "nope", "service": "web"})),
            update("service", json!("nope")),
            (
                ListTasks,
                json!({"cluster": "container-demo", "serviceName": "nope"}),
            ),
            update("desiredCount", json!(-1)),
            update("desiredCount", json!(5_001)),
            update("desiredCount", json!("many")),
            update("capacityProviderStrategy", strategy),
            (
                DeleteService,
                json!({"cluster": "container-demo", "service": "web"}),
            ),
            (
                DescribeServices,
                json!({"cluster": "container-demo", "services": ["nope"]}),
            ),
            (
                DescribeTasks,
                json!({"cluster": "container-demo", "tasks": ["0123456789abcdef0123456789abcdef"]}),
            ),
        ],
        &expect![[r#"
            DescribeServices: 400 ClusterNotFoundException: Cluster not found.
            UpdateService: 400 ClusterNotFoundException: Cluster not found.
            UpdateService: 400 ServiceNotFoundException: Service not found.
            ListTasks: 400 ServiceNotFoundException: Service not found.
            UpdateService: 400 InvalidParameterException: The desired count must be between 0 and 5000.
            UpdateService: 400 InvalidParameterException: The desired count must be between 0 and 5000.
            UpdateService: 400 SerializationException: invalid type: string "many", expected i64
            UpdateService: 400 InvalidParameterException: When switching from launch type to capacity provider strategy on an existing service, or making a change to a capacity provider strategy on a service that is already using one, you must force a new deployment.
            DeleteService: 400 InvalidParameterException: The service cannot be stopped while it is scaled above 0.
            DescribeServices: {"failures":[{"arn":"arn:aws:ecs:us-west-2:111122223333:service/container-demo/nope","reason":"MISSING"}],"services":[]}
            DescribeTasks: {"failures":[{"arn":"arn:aws:ecs:us-west-2:111122223333:task/container-demo/0123456789abcdef0123456789abcdef","reason":"MISSING"}],"tasks":[]}
        "#]],
    );
}

#[test]
fn limits_are_those_of_ecs() {
    use Operation::{DescribeServices, DescribeTasks, ListTasks};
    let services: Vec<String> = (0..11).map(|it| format!("s{it}")).collect();
    let tasks: Vec<String> = (0..101).map(|it| format!("{it:032}")).collect();
    check_all(
        &[
            (
                DescribeServices,
                json!({"cluster": "container-demo", "services": services}),
            ),
            (
                DescribeTasks,
                json!({"cluster": "container-demo", "tasks": tasks}),
            ),
            (
                ListTasks,
                json!({"cluster": "container-demo", "startedBy": "x", "family": "web"}),
            ),
            (
                ListTasks,
                json!({"cluster": "container-demo", "maxResults": 101}),
            ),
            (
                ListTasks,
                json!({"cluster": "container-demo", "nextToken": "zz"}),
            ),
        ],
        &expect![[r#"
            DescribeServices: 400 InvalidParameterException: Services cannot have more than 10 elements.
            DescribeTasks: 400 InvalidParameterException: Tasks cannot have more than 100 elements.
            ListTasks: 400 InvalidParameterException: Arguments are not valid: startedBy must be the only filter.
            ListTasks: 400 InvalidParameterException: maxResults must be between 1 and 100, inclusive.
            ListTasks: 400 InvalidParameterException: Invalid token
        "#]],
    );
}

#[test]
fn a_deleted_service_is_no_longer_active() {
    let world = &mut world();
    let web = json!({"cluster": "container-demo", "service": "web", "force": true});
    let answer = world.call(Operation::DeleteService, web.clone()).unwrap();
    assert_eq!(answer["service"]["status"], "DRAINING");
    check(
        world,
        Operation::UpdateService,
        web,
        &expect!["400 ServiceNotActiveException: Service was not ACTIVE."],
    );
    world.advance_secs(300);
    let input = json!({"cluster": "container-demo", "services": ["web"]});
    let answer = world.call(Operation::DescribeServices, input).unwrap();
    assert_eq!(answer["services"][0]["status"], "INACTIVE");
    let listed = world
        .call(
            Operation::ListServices,
            json!({"cluster": "container-demo"}),
        )
        .unwrap();
    assert_eq!(listed["serviceArns"].as_array().unwrap().len(), 1);
}

#[test]
fn strategies_that_break_a_rule_are_refused() {
    let world = &mut world();
    world.declare_group(
        "EC2Spot",
        GroupProvider {
            group: "ecs-spot".to_owned(),
            market: Market::Spot,
            instance_types: vec!["m5.large".to_owned()],
        },
    );
    let mut put = |strategy: Value, want: Expect| {
        let input = json!({
            "cluster": "container-demo",
            "capacityProviders": ["FARGATE", "FARGATE_SPOT", "EC2Spot"],
            "defaultCapacityProviderStrategy": strategy,
        });
        check(world, Operation::PutClusterCapacityProviders, input, &want);
    };
    put(
        json!([{"capacityProvider": "FARGATE"}]),
        expect![
            "400 InvalidParameterException: A capacity provider strategy must contain at least one capacity provider with a weight greater than 0."
        ],
    );
    put(
        json!([{"capacityProvider": "FARGATE", "base": 1, "weight": 1}, {"capacityProvider": "FARGATE_SPOT", "base": 1, "weight": 1}]),
        expect![
            "400 InvalidParameterException: Only one capacity provider in a capacity provider strategy can have a base value defined."
        ],
    );
    put(
        json!([{"capacityProvider": "FARGATE", "weight": 1}, {"capacityProvider": "EC2Spot", "weight": 1}]),
        expect![
            "400 InvalidParameterException: A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate providers. Specify one or the other and try again."
        ],
    );
    put(
        json!([{"capacityProvider": "other", "weight": 1}]),
        expect![
            "400 InvalidParameterException: The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster: other. Associate the capacity provider with the cluster and try again."
        ],
    );
    put(
        json!([{"capacityProvider": "FARGATE", "weight": 1001}]),
        expect![
            "400 InvalidParameterException: The weight must be between 0 and 1000 and the base between 0 and 100000."
        ],
    );
}

#[test]
fn providers_are_replaced_as_a_whole_and_those_in_use_stay() {
    let world = &mut world();
    let input = json!({
        "cluster": "container-demo",
        "capacityProviders": ["FARGATE"],
        "defaultCapacityProviderStrategy": [],
    });
    check(
        world,
        Operation::PutClusterCapacityProviders,
        input,
        &expect![
            "400 ResourceInUseException: The capacity provider FARGATE_SPOT is in use by a service or a task and cannot be removed from the cluster."
        ],
    );
    let input = json!({
        "cluster": "container-demo",
        "capacityProviders": ["FARGATE_SPOT", "FARGATE"],
        "defaultCapacityProviderStrategy": [],
    });
    let answer = world
        .call(Operation::PutClusterCapacityProviders, input)
        .unwrap();
    assert_eq!(
        answer["cluster"]["capacityProviders"],
        json!(["FARGATE_SPOT", "FARGATE"])
    );
    assert_eq!(
        answer["cluster"]["defaultCapacityProviderStrategy"],
        json!([])
    );
}
