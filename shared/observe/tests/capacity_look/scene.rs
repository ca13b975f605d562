//! A small cluster at rest: one provider over a Spot group of two instances, with a service, a daemon, a waiting task and one on Fargate.

use expect_test::expect;
use serde_json::{Value, json};

use crate::show::show;
use crate::support::{Eye, clusters};

const ACCOUNT: &str = "arn:aws:ecs:us-west-2:111122223333";

pub(crate) fn task_arn(id: &str) -> String {
    format!("{ACCOUNT}:task/demo/{id}")
}

pub(crate) fn instance_arn(id: &str) -> String {
    format!("{ACCOUNT}:container-instance/demo/{id}")
}

fn definition_arn(name: &str) -> String {
    format!("{ACCOUNT}:task-definition/{name}:1")
}

/// `value` with these fields in place of its own.
pub(crate) fn with(mut value: Value, fields: &Value) -> Value {
    for (name, field) in fields.as_object().unwrap() {
        value[name] = field.clone();
    }
    value
}

/// An answer to an operation of the scene.
pub(crate) fn answer(operation: &str, input: &Value) -> Value {
    match operation {
        "ListClusters" => json!({"clusterArns": [format!("{ACCOUNT}:cluster/demo")]}),
        "DescribeClusters" => json!({"clusters": [cluster()], "failures": []}),
        "DescribeCapacityProviders" => json!({"capacityProviders": [provider()], "failures": []}),
        "DescribeAutoScalingGroups" => json!({"AutoScalingGroups": [group()]}),
        "DescribeScalingActivities" => json!({"Activities": activities()}),
        "DescribePolicies" => json!({"ScalingPolicies": []}),
        "DescribeScheduledActions" => json!({"ScheduledUpdateGroupActions": []}),
        "ListContainerInstances" => {
            json!({"containerInstanceArns": [instance_arn("1"), instance_arn("2")]})
        }
        "DescribeContainerInstances" => chosen(
            input,
            "containerInstances",
            "containerInstanceArn",
            instances(),
        ),
        "ListTasks" if input["desiredStatus"] == "STOPPED" => json!({"taskArns": []}),
        "ListTasks" => {
            let arns: Vec<Value> = tasks().iter().map(|it| it["taskArn"].clone()).collect();
            json!({"taskArns": arns})
        }
        "DescribeTasks" => chosen(input, "tasks", "taskArn", tasks()),
        "ListServices" => {
            let arn = |name: &str| format!("{ACCOUNT}:service/demo/{name}");
            json!({"serviceArns": [arn("agent"), arn("api"), arn("front")]})
        }
        "DescribeServices" => chosen(input, "services", "serviceName", services()),
        "DescribeTaskDefinition" => json!({"taskDefinition": definition(input)}),
        "GetTaskProtection" => {
            let asked = input["tasks"].as_array().unwrap().iter();
            let protected: Vec<Value> = asked
                .map(|arn| json!({"taskArn": arn, "protectionEnabled": false}))
                .collect();
            json!({"protectedTasks": protected, "failures": []})
        }
        other => panic!("nobody asks for {other}"),
    }
}

/// Those of `all` that the input asks for by `key`.
fn chosen(input: &Value, list: &str, key: &str, all: Vec<Value>) -> Value {
    let asked = input[list].as_array().unwrap();
    let found: Vec<Value> = all
        .into_iter()
        .filter(|it| asked.contains(&it[key]))
        .collect();
    json!({list: found, "failures": []})
}

pub(crate) fn cluster() -> Value {
    json!({
        "clusterArn": format!("{ACCOUNT}:cluster/demo"), "clusterName": "demo", "status": "ACTIVE",
        "capacityProviders": ["FARGATE", "FARGATE_SPOT", "web"],
        "defaultCapacityProviderStrategy": [{"capacityProvider": "web", "base": 0, "weight": 1}],
    })
}

pub(crate) fn provider() -> Value {
    json!({
        "capacityProviderArn": format!("{ACCOUNT}:capacity-provider/web"), "name": "web", "status": "ACTIVE",
        "autoScalingGroupProvider": {
            "autoScalingGroupArn":
                "arn:aws:autoscaling:us-west-2:111122223333:autoScalingGroup:1:autoScalingGroupName/web group",
            "managedScaling": {"status": "DISABLED", "targetCapacity": 80, "instanceWarmupPeriod": 60},
            "managedTerminationProtection": "DISABLED", "managedDraining": "ENABLED",
        },
    })
}

pub(crate) fn group() -> Value {
    let line = |name: &str| json!({"InstanceType": name});
    let instance = |id: &str, zone: &str| {
        json!({
            "InstanceId": id, "InstanceType": "t3.small", "AvailabilityZone": zone, "LifecycleState": "InService",
            "HealthStatus": "Healthy", "ProtectedFromScaleIn": false,
        })
    };
    json!({
        "AutoScalingGroupName": "web group", "MinSize": 1, "MaxSize": 9, "DesiredCapacity": 2,
        "AvailabilityZones": ["us-west-2a", "us-west-2b"],
        "MixedInstancesPolicy": {
            "LaunchTemplate": {"Overrides": [line("t3.small"), line("t3a.small")]},
            "InstancesDistribution": {"OnDemandBaseCapacity": 0, "OnDemandPercentageAboveBaseCapacity": 0},
        },
        "Instances": [instance("i-1", "us-west-2a"), instance("i-2", "us-west-2b")],
        "NewInstancesProtectedFromScaleIn": false,
        "Tags": [{"Key": "ballast:cluster-scaler", "Value": "act"}, {"Key": "Name", "Value": "web"}],
    })
}

fn activities() -> Value {
    json!([
        {
            "ActivityId": "a-3", "AutoScalingGroupName": "web group", "StartTime": "2026-03-02T08:50:00Z",
            "Description": "Launching a new EC2 instance.  Status Reason: Could not launch Spot Instances.",
            "StatusCode": "Failed", "StatusMessage": "Could not launch Spot Instances.",
            "Details": r#"{"Subnet ID":"subnet-1","Availability Zone":"us-west-2a"}"#,
        },
        {
            "ActivityId": "a-2", "AutoScalingGroupName": "web group", "StartTime": "2026-03-02T08:40:00Z",
            "Description": "Launching a new EC2 instance: i-2", "StatusCode": "Successful",
        },
        {
            "ActivityId": "a-1", "AutoScalingGroupName": "web group", "StartTime": "2026-03-02T07:59:59Z",
            "Description": "Launching a new EC2 instance: i-1", "StatusCode": "Successful",
        },
    ])
}

pub(crate) fn instance(id: &str, zone: &str, cpu_left: i32, memory_left: i32) -> Value {
    let number =
        |name: &str, value: i32| json!({"name": name, "type": "INTEGER", "integerValue": value});
    let ports = json!({"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22", "51678"]});
    json!({
        "containerInstanceArn": instance_arn(id), "ec2InstanceId": format!("i-{id}"), "capacityProviderName": "web",
        "status": "ACTIVE", "agentConnected": true, "registeredAt": 1_772_441_000.5,
        "registeredResources": [number("CPU", 2048), number("MEMORY", 1900), ports],
        "remainingResources": [number("CPU", cpu_left), number("MEMORY", memory_left), ports],
        "attributes": [
            {"name": "ecs.instance-type", "value": "t3.small"},
            {"name": "ecs.availability-zone", "value": zone},
            {"name": "ecs.capability.task-eni"},
        ],
    })
}

/// Instance 1 holds two tasks of `api` and one of `agent`, instance 2 one of `agent`.
fn instances() -> Vec<Value> {
    vec![
        instance("1", "us-west-2a", 2048 - 576, 1900 - 1152),
        instance("2", "us-west-2b", 2048 - 64, 1900 - 128),
    ]
}

pub(crate) fn task(id: &str, service: &str, instance: Option<&str>) -> Value {
    let mut task = json!({
        "taskArn": task_arn(id), "taskDefinitionArn": definition_arn(service),
        "group": format!("service:{service}"), "desiredStatus": "RUNNING", "lastStatus": "RUNNING",
        "capacityProviderName": "web", "createdAt": 1_772_442_000.25, "startedAt": 1_772_442_010.0,
    });
    match instance {
        Some(id) => task["containerInstanceArn"] = json!(instance_arn(id)),
        None => task["lastStatus"] = json!("PROVISIONING"),
    }
    task
}

fn tasks() -> Vec<Value> {
    let mut on_fargate = task("fargate", "front", None);
    on_fargate["capacityProviderName"] = json!("FARGATE_SPOT");
    vec![
        task("agent-1", "agent", Some("1")),
        task("agent-2", "agent", Some("2")),
        task("api-1", "api", Some("1")),
        task("api-2", "api", Some("1")),
        task("api-3", "api", None),
        on_fargate,
    ]
}

pub(crate) fn service(name: &str, fields: &Value) -> Value {
    let service = json!({
        "serviceArn": format!("{ACCOUNT}:service/demo/{name}"), "serviceName": name, "status": "ACTIVE",
        "desiredCount": 3, "runningCount": 2, "pendingCount": 1, "taskDefinition": definition_arn(name),
        "capacityProviderStrategy": [{"capacityProvider": "web", "base": 0, "weight": 1}],
        "deployments": [{
            "id": format!("ecs-svc/{name}"), "status": "PRIMARY", "rolloutState": "COMPLETED",
            "taskDefinition": definition_arn(name), "desiredCount": 3, "runningCount": 2, "pendingCount": 1,
        }],
    });
    with(service, fields)
}

fn services() -> Vec<Value> {
    let fargate = json!([{"capacityProvider": "FARGATE_SPOT", "base": 0, "weight": 1}]);
    vec![
        service("agent", &json!({"schedulingStrategy": "DAEMON"})),
        service(
            "api",
            &json!({
                "placementConstraints": [
                    {"type": "memberOf", "expression": "attribute:ecs.instance-type == t3.small"},
                ],
                "placementStrategy": [
                    {"type": "spread", "field": "attribute:ecs.availability-zone"},
                    {"type": "binpack", "field": "MEMORY"},
                ],
                "tags": [{"key": "ballast:headroom-tasks", "value": "2"}],
                "events": [
                    {"createdAt": 1_772_442_100.0, "message": "(service api) has reached a steady state."},
                    {"createdAt": 1_772_442_050.0, "message": "(service api) was unable to place a task because no container \
                        instance met all of its requirements. Reason: No Container Instances were found in your capacity provider."},
                ],
            }),
        ),
        service("front", &json!({"capacityProviderStrategy": fargate})),
    ]
}

pub(crate) fn definition(input: &Value) -> Value {
    let arn = input["taskDefinition"].as_str().unwrap();
    let (cpu, memory, mode) = if arn.contains("/agent:") {
        ("64", "128", "host")
    } else {
        ("256", "512", "awsvpc")
    };
    json!({
        "taskDefinitionArn": arn, "networkMode": mode, "cpu": cpu, "memory": memory,
        "containerDefinitions": [{"name": "app", "portMappings": [{"containerPort": 8125, "protocol": "udp"}]}],
        "requiresAttributes": [{"name": "ecs.capability.task-eni"}],
    })
}

#[tokio::test]
async fn everything_that_matters_is_seen() {
    let eye = Eye::on(answer).await;
    let snapshot = eye.look(&clusters(&["demo"])).await;
    expect![[r#"
        at 2026-03-02T09:00:00Z
        cluster demo: web 0/1
          provider demo/web: managed scaling {"enabled":false,"target_capacity_percent":80,"minimum_scaling_step_size":null,"maximum_scaling_step_size":null,"instance_warmup_period_secs":60}, termination protection false, draining true; also in []
            Act
            group web group: 2 of 1 to 9 in us-west-2a, us-west-2b; {"types":"listed","choices":[{"instance_type":"t3.small"},{"instance_type":"t3a.small"}]} Spot; 2 tags
            {"id":"i-1","instance_type":"t3.small","zone":"us-west-2a","lifecycle":"in_service","is_healthy":true,"protected_from_scale_in":false,"launched_at":null}
            {"id":"i-2","instance_type":"t3.small","zone":"us-west-2b","lifecycle":"in_service","is_healthy":true,"protected_from_scale_in":false,"launched_at":"2026-03-02T08:40:00Z"}
            activity {"id":"a-3","started_at":"2026-03-02T08:50:00Z","status":"Failed","status_message":"Could not launch Spot Instances.","description":"Launching a new EC2 instance.  Status Reason: Could not launch Spot Instances.","zone":"us-west-2a"}
          instance 1 "i-1" of "web" Active: 1472 CPU units, 748 MiB of 2048 CPU units, 1900 MiB, 2 network interfaces left; ports 22/tcp, 51678/tcp; "t3.small" in "us-west-2a"
          instance 2 "i-2" of "web" Active: 1984 CPU units, 1772 MiB, 2 network interfaces of 2048 CPU units, 1900 MiB, 2 network interfaces left; ports 22/tcp, 51678/tcp; "t3.small" in "us-west-2b"
          task agent-1 RUNNING to run on 1: 64 CPU units, 128 MiB; of "agent", a daemon; protected None
          task agent-2 RUNNING to run on 2: 64 CPU units, 128 MiB; of "agent", a daemon; protected None
          task api-1 RUNNING to run on 1: 256 CPU units, 512 MiB, 1 network interfaces; of "api"; protected None
          task api-2 RUNNING to run on 1: 256 CPU units, 512 MiB, 1 network interfaces; of "api"; protected None
          task api-3 PROVISIONING to run on nothing: 256 CPU units, 512 MiB, 1 network interfaces; of "api"; protected None
          service {"name":"agent","status":"ACTIVE","scheduling":"DAEMON","desired_count":3,"running_count":2,"pending_count":1,"strategy":[{"provider":"web","base":0,"weight":1}],"deployments":[{"id":"ecs-svc/agent","is_primary":true,"in_progress":false,"task_definition":"arn:aws:ecs:us-west-2:111122223333:task-definition/agent:1","desired_count":3,"strategy":[{"provider":"web","base":0,"weight":1}]}],"constraints":[],"placement":[],"minimum_healthy_percent":100,"maximum_percent":200,"headroom_tasks":{"Ok":0},"placement_failed_at":null}
          service {"name":"api","status":"ACTIVE","scheduling":"REPLICA","desired_count":3,"running_count":2,"pending_count":1,"strategy":[{"provider":"web","base":0,"weight":1}],"deployments":[{"id":"ecs-svc/api","is_primary":true,"in_progress":false,"task_definition":"arn:aws:ecs:us-west-2:111122223333:task-definition/api:1","desired_count":3,"strategy":[{"provider":"web","base":0,"weight":1}]}],"constraints":[{"type":"member_of","expression":"attribute:ecs.instance-type == t3.small"}],"placement":[{"type":"spread","field":"attribute:ecs.availability-zone"},{"type":"binpack","field":"memory"}],"minimum_healthy_percent":100,"maximum_percent":200,"headroom_tasks":{"Ok":2},"placement_failed_at":"2026-03-02T09:00:50Z"}
          definition arn:aws:ecs:us-west-2:111122223333:task-definition/agent:1 {"needs":{"cpu_units":64,"memory_mib":128,"gpus":0,"network_interfaces":0},"host_ports":[{"protocol":"udp","port":8125}],"constraints":[],"required_attributes":{"ecs.capability.task-eni":null}}
          definition arn:aws:ecs:us-west-2:111122223333:task-definition/api:1 {"needs":{"cpu_units":256,"memory_mib":512,"gpus":0,"network_interfaces":1},"host_ports":[],"constraints":[],"required_attributes":{"ecs.capability.task-eni":null}}
    "#]].assert_eq(&show(&snapshot));
}
