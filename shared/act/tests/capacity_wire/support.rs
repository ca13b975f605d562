//! A small AWS on loopback: one group, its container instances and their tasks. It keeps what it was asked.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use act::CapacityActor;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use calls::{Budget, Deadline};
use model::Seconds;
use model::capacity::{
    CapacityAction, CapacityStep, CapacityStepReason, CapacitySubject, DrainReason,
};
use model::policy::Mode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// It is answered with this error, and changes nothing.
    Error(&'static str, &'static str),
    /// It is carried out, and its answer is lost.
    LostAfter,
    /// It is carried out, its answer is lost, and it is answered with this error when it is sent again.
    RefusedAfter(&'static str, &'static str),
    /// It is lost before it is carried out.
    LostBefore,
}

/// An instance of the group, and its container instance.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) lifecycle: &'static str,
    pub(crate) is_protected: bool,
    pub(crate) status: String,
    /// Tasks on it: id, service, last status, whether it is to run.
    pub(crate) tasks: Vec<(&'static str, &'static str, &'static str, bool)>,
}

/// The state of the small AWS.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) tag: Option<&'static str>,
    pub(crate) desired_capacity_type: Option<&'static str>,
    pub(crate) desired: i64,
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) instances: BTreeMap<String, Instance>,
    /// Faults by operation, the next one first.
    pub(crate) faults: BTreeMap<&'static str, Vec<Fault>>,
    /// `failures[]` of UpdateContainerInstancesState, by instance.
    pub(crate) refused: BTreeMap<String, &'static str>,
    asked: Vec<(String, Value)>,
}

/// A handle on the small AWS.
#[derive(Clone)]
pub(crate) struct Aws(Arc<Mutex<World>>);

impl Aws {
    /// A group of so many InService instances `i-0`, `i-1` and so on, with no task but a daemon's each.
    pub(crate) fn with(instances: usize, status: &str) -> Self {
        let instance = |n: usize| {
            let instance = Instance {
                lifecycle: "InService",
                is_protected: false,
                status: status.to_owned(),
                tasks: Vec::new(),
            };
            (format!("i-{n}"), instance)
        };
        Self(Arc::new(Mutex::new(World {
            tag: Some("act"),
            desired_capacity_type: None,
            desired: i64::try_from(instances).unwrap(),
            min: 1,
            max: 20,
            instances: (0..instances).map(instance).collect(),
            faults: BTreeMap::new(),
            refused: BTreeMap::new(),
            asked: Vec::new(),
        })))
    }

    /// Changes the state.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    pub(crate) fn instance(&self, id: &str, change: impl FnOnce(&mut Instance)) {
        self.change(|world| change(world.instances.get_mut(id).unwrap()));
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<(String, Value)> {
        self.change(|world| std::mem::take(&mut world.asked))
    }

    /// The names of what was asked since the last time.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.asked().into_iter().map(|it| it.0).collect()
    }

    /// Acts, and says in words what became of each step.
    pub(crate) async fn act(&self, steps: Vec<CapacityStep>) -> Vec<String> {
        let mode = Mode::Act;
        self.act_within(mode, 100, steps, Duration::from_secs(30))
            .await
    }

    pub(crate) async fn act_within(
        &self,
        mode: Mode,
        share_percent: u32,
        steps: Vec<CapacityStep>,
        time: Duration,
    ) -> Vec<String> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/", post(serve))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let budget = Arc::new(Budget::new(share_percent));
        let (ecs, autoscaling) = (ecs(&url), autoscaling(&url));
        let actor = CapacityActor::new(ecs, autoscaling, budget, mode);
        let outcomes = actor.act(steps.clone(), Deadline::after(time)).await;
        let taken: Vec<CapacityStep> = outcomes.iter().map(|it| it.step.clone()).collect();
        assert_eq!(taken, steps, "one outcome per step, in their order");
        outcomes.iter().map(|it| it.result.to_string()).collect()
    }
}

macro_rules! client {
    ($name:ident, $sdk:ident) => {
        pub(crate) fn $name(url: &str) -> $sdk::Client {
            use $sdk::config::retry::RetryConfig;
            use $sdk::config::{BehaviorVersion, Credentials, Region};
            $sdk::Client::from_conf(
                $sdk::Config::builder()
                    .behavior_version(BehaviorVersion::v2026_01_12())
                    .region(Region::new("us-west-2"))
                    .credentials_provider(Credentials::new("id", "key", None, None, "test"))
                    .http_client(aws_smithy_http_client::Builder::new().build_http())
                    .retry_config(RetryConfig::disabled())
                    .endpoint_url(url)
                    .build(),
            )
        }
    };
}
client!(ecs, aws_sdk_ecs);
client!(autoscaling, aws_sdk_autoscaling);

pub(crate) fn arn(instance: &str) -> String {
    format!("arn:aws:ecs:us-west-2:111122223333:container-instance/demo/{instance}")
}

fn task_arn(id: &str) -> String {
    format!("arn:aws:ecs:us-west-2:111122223333:task/demo/{id}")
}

/// A step of the provider `demo/web`, whatever its reason.
pub(crate) fn step(action: CapacityAction) -> CapacityStep {
    CapacityStep {
        subject: CapacitySubject::Provider {
            provider: "demo/web".parse().unwrap(),
        },
        action,
        reason: CapacityStepReason::ScaleIn {
            drain: DrainReason::Empty,
            wanted_max: 1,
            desired: 2,
            scale_in_delay: Seconds(300),
            budget_left: 1,
        },
    }
}

pub(crate) fn raise(from: u32, to: u32) -> CapacityStep {
    step(CapacityAction::SetDesiredCapacity {
        group: "web group".parse().unwrap(),
        from,
        to,
    })
}

pub(crate) fn drain(instance: &str, tasks: u32) -> CapacityStep {
    step(CapacityAction::Drain {
        cluster: "demo".parse().unwrap(),
        container_instance: arn(instance).parse().unwrap(),
        instance: instance.parse().unwrap(),
        tasks,
    })
}

pub(crate) fn activate(instance: &str) -> CapacityStep {
    step(CapacityAction::Activate {
        cluster: "demo".parse().unwrap(),
        container_instance: arn(instance).parse().unwrap(),
        instance: instance.parse().unwrap(),
    })
}

pub(crate) fn terminate(instance: &str, desired_capacity: u32) -> CapacityStep {
    step(CapacityAction::Terminate {
        cluster: "demo".parse().unwrap(),
        group: "web group".parse().unwrap(),
        container_instance: arn(instance).parse().unwrap(),
        instance: instance.parse().unwrap(),
        desired_capacity,
    })
}

async fn serve(State(aws): State<Aws>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|it| it.to_str().ok());
    let (operation, input) = match target {
        Some(target) => {
            let operation = target.rsplit('.').next().unwrap().to_owned();
            (operation, serde_json::from_slice(&body).unwrap())
        }
        None => form(std::str::from_utf8(&body).unwrap()),
    };
    let mut world = aws.0.lock().unwrap();
    world.asked.push((operation.clone(), input.clone()));
    let faults = world.faults.get_mut(operation.as_str());
    let fault = faults.and_then(|it| (!it.is_empty()).then(|| it.remove(0)));
    let answer = match fault {
        Some(Fault::Error(code, message)) => json!({"__type": code, "message": message}),
        Some(Fault::RefusedAfter(code, message)) => {
            world.answer(&operation, &input);
            json!({"__type": code, "message": message})
        }
        Some(Fault::LostBefore) => return StatusCode::BAD_GATEWAY.into_response(),
        Some(Fault::LostAfter) => {
            world.answer(&operation, &input);
            return StatusCode::BAD_GATEWAY.into_response();
        }
        None => world.answer(&operation, &input),
    };
    let status = match answer.get("__type") {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    if target.is_some() {
        return (status, answer.to_string()).into_response();
    }
    let mut text = String::new();
    match answer.get("__type") {
        Some(code) => {
            let error = json!({"Code": code, "Message": answer["message"]});
            element(&mut text, "ErrorResponse", &json!({"Error": error}));
        }
        None => {
            let (outer, inner) = (format!("{operation}Response"), format!("{operation}Result"));
            element(&mut text, &outer, &json!({inner: answer}));
        }
    }
    (status, text).into_response()
}

/// The fields of a form, without the version.
fn form(body: &str) -> (String, Value) {
    let fields = body.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        (
            name.to_owned(),
            json!(value.replace("%20", " ").replace('+', " ")),
        )
    });
    let mut fields: serde_json::Map<String, Value> = fields.collect();
    fields.remove("Version").unwrap();
    let operation = fields.remove("Action").unwrap();
    (
        operation.as_str().unwrap().to_owned(),
        Value::Object(fields),
    )
}

/// A value as XML: the lines of a list are called `member`.
fn element(text: &mut String, name: &str, value: &Value) {
    write!(text, "<{name}>").unwrap();
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, it)| element(text, name, it)),
        Value::Array(lines) => lines.iter().for_each(|it| element(text, "member", it)),
        Value::String(it) => text.push_str(it),
        Value::Null | Value::Bool(_) | Value::Number(_) => write!(text, "{value}").unwrap(),
    }
    write!(text, "</{name}>").unwrap();
}

fn ids(input: &Value, list: &str) -> Vec<String> {
    let arns = input[list].as_array().unwrap().iter();
    arns.map(|arn| arn.as_str().unwrap().rsplit('/').next().unwrap().to_owned())
        .collect()
}

impl World {
    fn answer(&mut self, operation: &str, input: &Value) -> Value {
        match operation {
            "DescribeAutoScalingGroups" => json!({"AutoScalingGroups": [self.group()]}),
            "SetDesiredCapacity" => {
                self.desired = input["DesiredCapacity"].as_str().unwrap().parse().unwrap();
                json!({})
            }
            "TerminateInstanceInAutoScalingGroup" => {
                let id = input["InstanceId"].as_str().unwrap();
                self.instances.get_mut(id).unwrap().lifecycle = "Terminating";
                self.desired -= 1;
                json!({"Activity": {"ActivityId": "a", "StatusCode": "InProgress"}})
            }
            "DescribeContainerInstances" => {
                self.container_instances(&ids(input, "containerInstances"))
            }
            "UpdateContainerInstancesState" => {
                let (mut written, mut failures) = (Vec::new(), Vec::new());
                for id in ids(input, "containerInstances") {
                    if let Some(reason) = self.refused.get(&id) {
                        failures.push(json!({"arn": arn(&id), "reason": reason}));
                        continue;
                    }
                    let status = input["status"].as_str().unwrap();
                    self.instances.get_mut(&id).unwrap().status = status.to_owned();
                    written.push(json!({"containerInstanceArn": arn(&id), "status": status}));
                }
                json!({"containerInstances": written, "failures": failures})
            }
            "ListTasks" => {
                let id = input["containerInstance"].as_str().unwrap();
                let instance = &self.instances[id.rsplit('/').next().unwrap()];
                let is_wanted = input["desiredStatus"] == "RUNNING";
                let tasks = instance.tasks.iter().filter(|it| it.3 == is_wanted);
                let arns: Vec<String> = tasks.map(|it| task_arn(it.0)).collect();
                json!({"taskArns": arns})
            }
            "DescribeTasks" => {
                let asked = ids(input, "tasks");
                let all = self.instances.values().flat_map(|it| &it.tasks);
                let tasks: Vec<Value> = all
                    .filter(|it| asked.contains(&it.0.to_owned()))
                    .map(|(id, service, last_status, _)| {
                        json!({"taskArn": task_arn(id), "group": format!("service:{service}"), "lastStatus": last_status})
                    })
                    .collect();
                json!({"tasks": tasks})
            }
            "DescribeServices" => {
                let names = input["services"].as_array().unwrap().iter();
                let services: Vec<Value> = names
                    .map(|name| {
                        let is_daemon = name == "agent";
                        let strategy = if is_daemon { "DAEMON" } else { "REPLICA" };
                        json!({"serviceName": name, "schedulingStrategy": strategy})
                    })
                    .collect();
                json!({"services": services})
            }
            other => panic!("nobody asks for {other}"),
        }
    }

    fn group(&self) -> Value {
        let instances: Vec<Value> = self
            .instances
            .iter()
            .map(|(id, it)| {
                json!({
                    "InstanceId": id, "AvailabilityZone": "us-west-2a", "LifecycleState": it.lifecycle,
                    "HealthStatus": "Healthy", "ProtectedFromScaleIn": it.is_protected,
                })
            })
            .collect();
        let tags = self
            .tag
            .map(|value| json!({"Key": "ballast:cluster-scaler", "Value": value}));
        let mut group = json!({
            "AutoScalingGroupName": "web group", "MinSize": self.min, "MaxSize": self.max,
            "DesiredCapacity": self.desired, "Instances": instances, "Tags": tags.into_iter().collect::<Vec<_>>(),
        });
        if let Some(counts) = self.desired_capacity_type {
            group["DesiredCapacityType"] = json!(counts);
        }
        group
    }

    fn container_instances(&self, asked: &[String]) -> Value {
        let describe = |id: &String| {
            let instance = &self.instances[id];
            let live = instance.tasks.iter().filter(|it| it.2 != "STOPPED").count();
            let wanted = instance.tasks.iter().filter(|it| it.3).count();
            let resource = |name: &str, left: usize| json!({"name": name, "type": "INTEGER", "integerValue": left});
            json!({
                "containerInstanceArn": arn(id), "ec2InstanceId": id, "status": instance.status,
                "runningTasksCount": wanted, "pendingTasksCount": 0,
                "registeredResources": [resource("CPU", 2048), resource("MEMORY", 1900)],
                "remainingResources": [resource("CPU", 2048 - 64 * live), resource("MEMORY", 1900 - 64 * live)],
            })
        };
        json!({"containerInstances": asked.iter().map(describe).collect::<Vec<_>>()})
    }
}
