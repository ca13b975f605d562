//! A small cluster: the group `web` of two instances, of which the first is DRAINING and waits in a hook, the second runs a task; both
//! run a daemon. The group `other` is not opted in.

use serde_json::{Value, json};

const ACCOUNT: &str = "arn:aws:ecs:us-west-2:111122223333";

pub(crate) fn task_arn(id: &str) -> String {
    format!("{ACCOUNT}:task/demo/{id}")
}

pub(crate) fn instance_arn(id: &str) -> String {
    format!("{ACCOUNT}:container-instance/demo/{id}")
}

pub(crate) fn definition_arn(name: &str) -> String {
    format!("{ACCOUNT}:task-definition/{name}:1")
}

/// `value` with these fields in place of its own.
pub(crate) fn with(mut value: Value, fields: &Value) -> Value {
    for (name, field) in fields.as_object().unwrap() {
        value[name] = field.clone();
    }
    value
}

/// The lines of a list in a form's input, such as `InstanceIds.member.1`.
pub(crate) fn lines(input: &Value, list: &str) -> Vec<String> {
    (1..)
        .map_while(|index| input[format!("{list}.member.{index}")].as_str())
        .map(str::to_owned)
        .collect()
}

/// An answer to an operation of the scene.
pub(crate) fn answer(operation: &str, input: &Value) -> Value {
    match operation {
        "DescribeAutoScalingInstances" => {
            let asked = lines(input, "InstanceIds");
            let all = [
                member("i-1", "web"),
                member("i-2", "web"),
                member("i-9", "other"),
            ];
            let found = all.into_iter();
            let found = found.filter(|it| asked.iter().any(|id| it["InstanceId"] == id.as_str()));
            json!({"AutoScalingInstances": found.collect::<Vec<_>>()})
        }
        "DescribeAutoScalingGroups" => {
            let asked = lines(input, "AutoScalingGroupNames");
            let all = [group(), other()].into_iter();
            let found = all.filter(|it| {
                let name = it["AutoScalingGroupName"].as_str().unwrap();
                asked.iter().any(|it| it == name) || (asked.is_empty() && name == "web")
            });
            json!({"AutoScalingGroups": found.collect::<Vec<_>>()})
        }
        "DescribeLifecycleHooks" => json!({"LifecycleHooks": hooks()}),
        "DescribeScalingActivities" => json!({"Activities": activities()}),
        "ListClusters" => json!({"clusterArns": [format!("{ACCOUNT}:cluster/demo")]}),
        "DescribeClusters" => json!({"clusters": [cluster()], "failures": []}),
        "DescribeCapacityProviders" => json!({"capacityProviders": [provider()], "failures": []}),
        "ListContainerInstances" => {
            let found: Vec<String> = ["1", "2"]
                .into_iter()
                .filter(|id| match input["filter"].as_str() {
                    Some(filter) => filter.contains(&format!("'i-{id}'")),
                    None => true,
                })
                .map(instance_arn)
                .collect();
            json!({"containerInstanceArns": found})
        }
        "DescribeContainerInstances" => chosen(
            input,
            "containerInstances",
            "containerInstanceArn",
            instances(),
        ),
        "ListTasks" if input["desiredStatus"] == "STOPPED" => json!({"taskArns": []}),
        "ListTasks" => {
            let of = |it: &Value| {
                input["containerInstance"].is_null()
                    || it["containerInstanceArn"] == input["containerInstance"]
            };
            let arns: Vec<Value> = tasks()
                .iter()
                .filter(|it| of(it))
                .map(|it| it["taskArn"].clone())
                .collect();
            json!({"taskArns": arns})
        }
        "DescribeTasks" => chosen(input, "tasks", "taskArn", tasks()),
        "DescribeServices" => chosen(input, "services", "serviceName", services()),
        "DescribeTaskDefinition" => json!({"taskDefinition": definition(input)}),
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

fn state_of(id: &str) -> &'static str {
    if id == "i-1" {
        "Terminating:Wait"
    } else {
        "InService"
    }
}

pub(crate) fn member(id: &str, group: &str) -> Value {
    json!({
        "InstanceId": id, "InstanceType": "t3.small", "AutoScalingGroupName": group,
        "AvailabilityZone": "us-west-2a", "LifecycleState": state_of(id), "HealthStatus": "HEALTHY",
        "ProtectedFromScaleIn": false,
    })
}

pub(crate) fn group() -> Value {
    let instance = |id: &str| {
        json!({
            "InstanceId": id, "InstanceType": "t3.small", "AvailabilityZone": "us-west-2a",
            "LifecycleState": state_of(id), "HealthStatus": "Healthy", "ProtectedFromScaleIn": false,
        })
    };
    let line = |name: &str| json!({"InstanceType": name});
    json!({
        "AutoScalingGroupName": "web", "MinSize": 1, "MaxSize": 9, "DesiredCapacity": 2,
        "AvailabilityZones": ["us-west-2a", "us-west-2b"],
        "MixedInstancesPolicy": {
            "LaunchTemplate": {"Overrides": [line("t3.small"), line("t3a.small")]},
            "InstancesDistribution": {"OnDemandBaseCapacity": 0, "OnDemandPercentageAboveBaseCapacity": 0},
        },
        "Instances": [instance("i-1"), instance("i-2")],
        "NewInstancesProtectedFromScaleIn": false,
        "Tags": [{"Key": "ballast:instance-drain", "Value": "act"}, {"Key": "Name", "Value": "web"}],
    })
}

pub(crate) fn other() -> Value {
    with(
        group(),
        &json!({"AutoScalingGroupName": "other", "Instances": [], "Tags": []}),
    )
}

pub(crate) fn hooks() -> Value {
    json!([
        {
            "LifecycleHookName": "ballast-instance-drain", "AutoScalingGroupName": "web",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": 300,
            "GlobalTimeout": 30_000, "DefaultResult": "CONTINUE",
        },
        {
            "LifecycleHookName": "welcome", "AutoScalingGroupName": "web",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING", "HeartbeatTimeout": 300,
            "GlobalTimeout": 30_000, "DefaultResult": "ABANDON",
        },
    ])
}

pub(crate) fn activities() -> Value {
    json!([{
        "ActivityId": "a-1", "AutoScalingGroupName": "web", "StartTime": "2026-03-02T08:59:00Z",
        "Description": "Terminating EC2 instance: i-1 - Waiting For Terminate Lifecycle Action",
        "StatusCode": "MidLifecycleAction",
    }])
}

pub(crate) fn cluster() -> Value {
    json!({
        "clusterArn": format!("{ACCOUNT}:cluster/demo"), "clusterName": "demo", "status": "ACTIVE",
        "capacityProviders": ["FARGATE", "web"], "registeredContainerInstancesCount": 2,
        "runningTasksCount": 4, "pendingTasksCount": 0,
    })
}

pub(crate) fn provider() -> Value {
    json!({
        "capacityProviderArn": format!("{ACCOUNT}:capacity-provider/web"), "name": "web", "status": "ACTIVE",
        "autoScalingGroupProvider": {
            "autoScalingGroupArn":
                "arn:aws:autoscaling:us-west-2:111122223333:autoScalingGroup:1:autoScalingGroupName/web",
            "managedScaling": {"status": "DISABLED"},
            "managedTerminationProtection": "DISABLED", "managedDraining": "ENABLED",
        },
    })
}

pub(crate) fn instance(id: &str, cpu_left: i32, memory_left: i32, tasks: i32) -> Value {
    let number =
        |name: &str, value: i32| json!({"name": name, "type": "INTEGER", "integerValue": value});
    json!({
        "containerInstanceArn": instance_arn(id), "ec2InstanceId": format!("i-{id}"), "capacityProviderName": "web",
        "status": if id == "1" { "DRAINING" } else { "ACTIVE" }, "agentConnected": true,
        "registeredAt": 1_772_441_000.5, "runningTasksCount": tasks, "pendingTasksCount": 0,
        "registeredResources": [number("CPU", 2048), number("MEMORY", 1900)],
        "remainingResources": [number("CPU", cpu_left), number("MEMORY", memory_left)],
        "attributes": [
            {"name": "ecs.instance-type", "value": "t3.small"},
            {"name": "ecs.availability-zone", "value": "us-west-2a"},
        ],
    })
}

/// Each holds a task of `api` and one of `agent`.
fn instances() -> Vec<Value> {
    vec![
        instance("1", 2048 - 320, 1900 - 640, 2),
        instance("2", 2048 - 320, 1900 - 640, 2),
    ]
}

pub(crate) fn task(id: &str, service: &str, instance: &str) -> Value {
    json!({
        "taskArn": task_arn(id), "taskDefinitionArn": definition_arn(service),
        "group": format!("service:{service}"), "desiredStatus": "RUNNING", "lastStatus": "RUNNING",
        "capacityProviderName": "web", "createdAt": 1_772_442_000.25, "startedAt": 1_772_442_010.0,
        "containerInstanceArn": instance_arn(instance),
    })
}

pub(crate) fn tasks() -> Vec<Value> {
    vec![
        task("agent-1", "agent", "1"),
        task("agent-2", "agent", "2"),
        task("api-1", "api", "1"),
        task("api-2", "api", "2"),
    ]
}

fn services() -> Vec<Value> {
    let service = |name: &str, scheduling: &str| {
        json!({
            "serviceArn": format!("{ACCOUNT}:service/demo/{name}"), "serviceName": name, "status": "ACTIVE",
            "schedulingStrategy": scheduling, "desiredCount": 2, "runningCount": 2, "pendingCount": 0,
            "taskDefinition": definition_arn(name),
            "capacityProviderStrategy": [{"capacityProvider": "web", "base": 0, "weight": 1}],
            "deployments": [{
                "id": format!("ecs-svc/{name}"), "status": "PRIMARY", "rolloutState": "COMPLETED",
                "taskDefinition": definition_arn(name), "desiredCount": 2, "runningCount": 2, "pendingCount": 0,
            }],
        })
    };
    vec![service("agent", "DAEMON"), service("api", "REPLICA")]
}

pub(crate) fn definition(input: &Value) -> Value {
    let arn = input["taskDefinition"].as_str().unwrap();
    let (cpu, memory, stop_timeout) = if arn.contains("/agent:") {
        ("64", "128", json!(2))
    } else {
        ("256", "512", json!(120))
    };
    json!({
        "taskDefinitionArn": arn, "networkMode": "bridge", "cpu": cpu, "memory": memory,
        "containerDefinitions": [{"name": "app", "stopTimeout": stop_timeout}, {"name": "side", "stopTimeout": 2}],
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::show::show;
    use crate::support::{Eye, clusters, instances};

    #[tokio::test]
    async fn everything_that_matters_is_seen() {
        let eye = Eye::on(answer).await;
        let snapshot = eye.look(&clusters(&["demo"])).await;
        expect![[r#"
            everything at 2026-03-02T09:00:00Z
            group web
              Act
              2 of 1 to 9, {"types":"listed","choices":[{"instance_type":"t3.small"},{"instance_type":"t3a.small"}]}; Spot
              managed draining
              hook {"name":"ballast-instance-drain","heartbeat_timeout_secs":300,"global_timeout_secs":30000,"default_result":"CONTINUE"}
              i-1 "t3.small" "us-west-2a" {"lifecycle":"terminating","waits_in_hook":true,"is_healthy":true,"terminating_since":"2026-03-02T08:59:00Z"}, 1 in demo, 2 tasks of 2
              i-2 "t3.small" "us-west-2a" {"lifecycle":"in_service","waits_in_hook":false,"is_healthy":true,"terminating_since":null}, 2 in demo, tasks not read of 2
            cluster demo: every instance
              1 "i-1" Draining: 1728 CPU units, 1260 MiB, 2 network interfaces of 2048 CPU units, 1900 MiB, 2 network interfaces left
              2 "i-2" Active: 1728 CPU units, 1260 MiB of 2048 CPU units, 1900 MiB, 2 network interfaces left; tasks not read
              task agent-1 RUNNING to run on 1: 64 CPU units, 128 MiB; of "agent", a daemon
              task api-1 RUNNING to run on 1: 256 CPU units, 512 MiB; of "api"
              service agent: 2 of 2 running, 100 to 200 %
              service api: 2 of 2 running, 100 to 200 %
              definition arn:aws:ecs:us-west-2:111122223333:task-definition/agent:1: 64 CPU units, 128 MiB, stops in 2
              definition arn:aws:ecs:us-west-2:111122223333:task-definition/api:1: 256 CPU units, 512 MiB, stops in 120
            searched ["demo"]
        "#]].assert_eq(&show(&snapshot));
    }

    #[tokio::test]
    async fn what_was_named_is_seen() {
        let eye = Eye::on(answer).await;
        let snapshot = eye.look(&instances(["i-2", "i-7", "i-9"])).await;
        expect![[r#"
            named at 2026-03-02T09:00:00Z
            group web
              Act
              2 of 1 to 9, {"types":"listed","choices":[{"instance_type":"t3.small"},{"instance_type":"t3a.small"}]}; Spot
              managed draining
              hooks not read
              i-2 "t3.small" "us-west-2a" {"lifecycle":"in_service","waits_in_hook":false,"is_healthy":true,"terminating_since":null}, 2 in demo, 2 tasks of 2
            cluster demo: every instance
              1 "i-1" Draining: 1728 CPU units, 1260 MiB of 2048 CPU units, 1900 MiB, 2 network interfaces left; tasks not read
              2 "i-2" Active: 1728 CPU units, 1260 MiB, 2 network interfaces of 2048 CPU units, 1900 MiB, 2 network interfaces left
              task agent-2 RUNNING to run on 2: 64 CPU units, 128 MiB; of "agent", a daemon
              task api-2 RUNNING to run on 2: 256 CPU units, 512 MiB; of "api"
              service agent: 2 of 2 running, 100 to 200 %
              service api: 2 of 2 running, 100 to 200 %
              definition arn:aws:ecs:us-west-2:111122223333:task-definition/agent:1: 64 CPU units, 128 MiB, stops in 2
              definition arn:aws:ecs:us-west-2:111122223333:task-definition/api:1: 256 CPU units, 512 MiB, stops in 120
            passed over i-7: {"why":"not_found"}
            passed over i-9: {"why":"not_opted_in","group":"other"}
        "#]].assert_eq(&show(&snapshot));
        let queries: Vec<Value> = eye
            .asked()
            .into_iter()
            .filter(|(operation, _)| operation == "ListContainerInstances")
            .map(|(_, input)| input["filter"].clone())
            .collect();
        assert_eq!(
            queries,
            [json!("ec2InstanceId in ['i-2', 'i-7']"), Value::Null]
        );
    }
}
