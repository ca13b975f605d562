//! A small AWS: one group, its container instances and their tasks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use act::CapacityActor;
use calls::{Budget, Deadline};
use model::Seconds;
use model::capacity::{
    CapacityAction, CapacityStep, CapacityStepReason, CapacitySubject, DrainReason,
};
use model::policy::Mode;
use serde_json::{Value, json};

use crate::small_aws::{Aws, Small, Talk, arn, autoscaling, ecs, ids, task_arn};

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
    /// `failures[]` of UpdateContainerInstancesState, by instance.
    pub(crate) refused: BTreeMap<String, &'static str>,
    talk: Talk,
}

impl Aws<World> {
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
        Self::of(World {
            tag: Some("act"),
            desired_capacity_type: None,
            desired: i64::try_from(instances).unwrap(),
            min: 1,
            max: 20,
            instances: (0..instances).map(instance).collect(),
            refused: BTreeMap::new(),
            talk: Talk::default(),
        })
    }

    pub(crate) fn instance(&self, id: &str, change: impl FnOnce(&mut Instance)) {
        self.change(|world| change(world.instances.get_mut(id).unwrap()));
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
        let url = self.listen().await;
        let budget = Arc::new(Budget::new(share_percent));
        let (ecs, autoscaling) = (ecs(&url), autoscaling(&url));
        let actor = CapacityActor::new(ecs, autoscaling, budget, mode);
        let outcomes = actor.act(steps.clone(), Deadline::after(time)).await;
        let taken: Vec<CapacityStep> = outcomes.iter().map(|it| it.step.clone()).collect();
        assert_eq!(taken, steps, "one outcome per step, in their order");
        outcomes.iter().map(|it| it.result.to_string()).collect()
    }
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

impl Small for World {
    fn talk(&mut self) -> &mut Talk {
        &mut self.talk
    }

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
}

impl World {
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
