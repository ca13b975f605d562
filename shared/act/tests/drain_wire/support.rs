//! A small AWS: container instances, their tasks and the lifecycle actions that they wait in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use act::DrainActor;
use calls::{Budget, Deadline};
use model::Seconds;
use model::Timestamp;
use model::drain::{
    DepartureCause, DrainAction, DrainKey, DrainStep, DrainStepReason, DrainSubject, StuckReason,
};
use model::policy::Mode;
use serde_json::{Value, json};

use crate::small_aws::{Aws, Small, Talk, arn, autoscaling, ecs, ids, task_arn};

/// A container instance. Its id is that of its EC2 instance, unless it has been replaced.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) status: String,
    pub(crate) ec2: String,
}

/// A task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) instance: &'static str,
    pub(crate) service: &'static str,
    pub(crate) last_status: &'static str,
    pub(crate) is_wanted: bool,
}

/// The state of the small AWS.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) instances: BTreeMap<String, Instance>,
    pub(crate) tasks: Vec<Task>,
    /// The instances that wait in a lifecycle action.
    pub(crate) waiting: BTreeSet<String>,
    /// Where instances are in the life of their group; the others are in none.
    pub(crate) members: BTreeMap<String, &'static str>,
    /// `failures[]` of UpdateContainerInstancesState, by instance.
    pub(crate) failures: BTreeMap<String, &'static str>,
    talk: Talk,
}

impl Aws<World> {
    /// So many container instances `i-0`, `i-1` and so on, without tasks; each waits in a lifecycle action.
    pub(crate) fn with(instances: usize, status: &str) -> Self {
        let ids: Vec<String> = (0..instances).map(|n| format!("i-{n}")).collect();
        let instance = |id: &String| {
            let instance = Instance {
                status: status.to_owned(),
                ec2: id.clone(),
            };
            (id.clone(), instance)
        };
        Self::of(World {
            instances: ids.iter().map(instance).collect(),
            waiting: ids.iter().cloned().collect(),
            ..World::default()
        })
    }

    /// The same with a task on `i-0`.
    pub(crate) fn with_task(last_status: &'static str, is_wanted: bool) -> Self {
        let aws = Self::with(1, "DRAINING");
        aws.task("t-0", "app", last_status, is_wanted);
        aws
    }

    pub(crate) fn instance(&self, id: &str, change: impl FnOnce(&mut Instance)) {
        self.change(|world| change(world.instances.get_mut(id).unwrap()));
    }

    /// Puts a task on `i-0`.
    pub(crate) fn task(
        &self,
        id: &str,
        service: &'static str,
        last_status: &'static str,
        is_wanted: bool,
    ) {
        let task = Task {
            id: id.to_owned(),
            instance: "i-0",
            service,
            last_status,
            is_wanted,
        };
        self.change(|world| world.tasks.push(task));
    }

    /// Acts, and says in words what became of each step.
    pub(crate) async fn act(&self, steps: Vec<DrainStep>) -> Vec<String> {
        self.act_within(Mode::Act, 100, steps, Duration::from_secs(30))
            .await
    }

    pub(crate) async fn act_within(
        &self,
        mode: Mode,
        share_percent: u32,
        steps: Vec<DrainStep>,
        time: Duration,
    ) -> Vec<String> {
        let url = self.listen().await;
        let budget = Arc::new(Budget::new(share_percent));
        let actor = DrainActor::new(ecs(&url), autoscaling(&url), budget, mode);
        let outcomes = actor.act(steps.clone(), Deadline::after(time)).await;
        let taken: Vec<DrainStep> = outcomes.iter().map(|it| it.step.clone()).collect();
        assert_eq!(taken, steps, "one outcome per step, in their order");
        outcomes.iter().map(|it| it.result.to_string()).collect()
    }
}

impl World {
    fn task_json(task: &Task) -> Value {
        json!({
            "taskArn": task_arn(&task.id), "containerInstanceArn": arn(task.instance),
            "group": format!("service:{}", task.service), "lastStatus": task.last_status,
            "desiredStatus": if task.is_wanted { "RUNNING" } else { "STOPPED" },
        })
    }

    fn set_status(&mut self, input: &Value) -> Value {
        let ids = ids(input, "containerInstances");
        assert!((1..=10).contains(&ids.len()), "{input}");
        let registers = |id: &String| {
            let instance = self.instances.get(id);
            instance.is_some_and(|it| it.status == "REGISTERING")
        };
        if ids.iter().any(registers) {
            return json!({"__type": "InvalidParameterException", "message": "one is not ACTIVE"});
        }
        let (mut written, mut failures) = (Vec::new(), Vec::new());
        for id in ids {
            let known = self.instances.get_mut(&id);
            let reason = match (self.failures.get(&id), &known) {
                (Some(reason), _) => Some(*reason),
                (None, None) => Some("MISSING"),
                (None, Some(_)) => None,
            };
            if let Some(reason) = reason {
                failures.push(json!({"arn": arn(&id), "reason": reason}));
                continue;
            }
            let status = input["status"].as_str().unwrap();
            status.clone_into(&mut known.unwrap().status);
            written.push(json!({"containerInstanceArn": arn(&id), "status": status}));
        }
        json!({"containerInstances": written, "failures": failures})
    }

    fn describe_instances(&self, input: &Value) -> Value {
        let (mut described, mut failures) = (Vec::new(), Vec::new());
        for id in ids(input, "containerInstances") {
            let Some(instance) = self.instances.get(&id) else {
                failures.push(json!({"arn": arn(&id), "reason": "MISSING"}));
                continue;
            };
            let on_it: Vec<&Task> = self.tasks.iter().filter(|it| it.instance == id).collect();
            let live = on_it
                .iter()
                .filter(|it| it.last_status != "STOPPED")
                .count();
            let resource = |name: &str, left: usize| json!({"name": name, "type": "INTEGER", "integerValue": left});
            described.push(json!({
                "containerInstanceArn": arn(&id), "ec2InstanceId": instance.ec2, "status": instance.status,
                "runningTasksCount": on_it.iter().filter(|it| it.is_wanted).count(), "pendingTasksCount": 0,
                "registeredResources": [resource("CPU", 2048), resource("MEMORY", 1900)],
                "remainingResources": [resource("CPU", 2048 - 64 * live), resource("MEMORY", 1900 - 64 * live)],
            }));
        }
        json!({"containerInstances": described, "failures": failures})
    }

    fn describe_tasks(&self, input: &Value) -> Value {
        let (mut described, mut failures) = (Vec::new(), Vec::new());
        for id in ids(input, "tasks") {
            match self.tasks.iter().find(|it| it.id == id) {
                Some(task) => described.push(Self::task_json(task)),
                None => failures.push(json!({"arn": task_arn(&id), "reason": "MISSING"})),
            }
        }
        assert!(described.len() + failures.len() <= 100, "{input}");
        json!({"tasks": described, "failures": failures})
    }

    fn stop(&mut self, input: &Value) -> Value {
        let arn = input["task"].as_str().unwrap();
        let Some(task) = self.tasks.iter_mut().find(|it| task_arn(&it.id) == arn) else {
            let message = "The referenced task was not found.";
            return json!({"__type": "InvalidParameterException", "message": message});
        };
        task.is_wanted = false;
        json!({"task": Self::task_json(task)})
    }

    fn lifecycle(&mut self, input: &Value, is_end: bool) -> Value {
        let id = input["InstanceId"].as_str().unwrap();
        let is_active = if is_end {
            self.waiting.remove(id)
        } else {
            self.waiting.contains(id)
        };
        if is_active {
            return json!({});
        }
        let message = format!("No active Lifecycle Action found with instance ID {id}");
        json!({"__type": "ValidationError", "message": message})
    }
}

impl Small for World {
    fn talk(&mut self) -> &mut Talk {
        &mut self.talk
    }

    fn answer(&mut self, operation: &str, input: &Value) -> Value {
        match operation {
            "UpdateContainerInstancesState" => self.set_status(input),
            "DescribeContainerInstances" => self.describe_instances(input),
            "DescribeTasks" => self.describe_tasks(input),
            "StopTask" => self.stop(input),
            "RecordLifecycleActionHeartbeat" => self.lifecycle(input, false),
            "CompleteLifecycleAction" => self.lifecycle(input, true),
            "DescribeAutoScalingInstances" => {
                let input = input.as_object().unwrap();
                let asked = input.iter().filter(|it| it.0.starts_with("InstanceIds."));
                let asked: Vec<&Value> = asked.map(|it| it.1).collect();
                assert!((1..=50).contains(&asked.len()), "{input:?}");
                let found = asked.iter().filter_map(|id| {
                    let state = self.members.get(id.as_str().unwrap())?;
                    let group = "web group";
                    Some(json!({"InstanceId": id, "AutoScalingGroupName": group, "LifecycleState": state}))
                });
                json!({"AutoScalingInstances": found.collect::<Vec<_>>()})
            }
            "ListTasks" => {
                let on = input["containerInstance"].as_str().unwrap();
                let is_wanted = input["desiredStatus"] == "RUNNING";
                let tasks = self.tasks.iter().filter(|it| it.is_wanted == is_wanted);
                let arns = tasks.filter(|it| arn(it.instance) == on);
                json!({"taskArns": arns.map(|it| task_arn(&it.id)).collect::<Vec<_>>()})
            }
            "DescribeServices" => {
                let names = input["services"].as_array().unwrap().iter();
                let services = names.map(|name| {
                    let strategy = if name == "agent" { "DAEMON" } else { "REPLICA" };
                    json!({"serviceName": name, "schedulingStrategy": strategy})
                });
                json!({"services": services.collect::<Vec<_>>()})
            }
            other => panic!("nobody asks for {other}"),
        }
    }
}

pub(crate) fn at(time: &str) -> Timestamp {
    format!("2026-11-22T{time}Z").parse().unwrap()
}

fn group() -> DrainKey {
    DrainKey::Group {
        group: "web group".parse().unwrap(),
    }
}

/// A step on an instance of the group, because of a Spot interruption, unless the action has a reason of its own.
pub(crate) fn step(instance: &str, action: DrainAction) -> DrainStep {
    DrainStep {
        subject: DrainSubject::Instances {
            key: group(),
            instances: vec![instance.parse().unwrap()],
        },
        action,
        reason: DrainStepReason::Leaving {
            why: DepartureCause::SpotInterruption {
                warned_at: at("10:00:00"),
                action: "terminate".to_owned(),
            },
            deadline: Some(at("10:02:00")),
            tasks: None,
            stuck: Vec::new(),
            budget_left: None,
        },
    }
}

/// Drains an instance of a cluster.
pub(crate) fn drain_in(cluster: &str, instance: &str) -> DrainStep {
    let action = DrainAction::Drain {
        cluster: cluster.parse().unwrap(),
        container_instance: arn(instance).parse().unwrap(),
        instance: instance.parse().unwrap(),
    };
    step(instance, action)
}

pub(crate) fn drain(instance: &str) -> DrainStep {
    drain_in("demo", instance)
}

pub(crate) fn activate(instance: &str) -> DrainStep {
    let action = DrainAction::Activate {
        cluster: "demo".parse().unwrap(),
        container_instance: arn(instance).parse().unwrap(),
        instance: instance.parse().unwrap(),
    };
    step(instance, action)
}

/// Stops a task on `i-0`.
pub(crate) fn stop(task: &str) -> DrainStep {
    let action = DrainAction::StopTask {
        cluster: "demo".parse().unwrap(),
        task: task_arn(task).parse().unwrap(),
        container_instance: arn("i-0").parse().unwrap(),
        instance: "i-0".parse().unwrap(),
    };
    DrainStep {
        reason: DrainStepReason::LastMoment {
            whose: "service/app".to_owned(),
            why: StuckReason::NoRoom { room_tasks: 0 },
            deadline: at("10:02:00"),
            stop_timeout: Seconds(30),
            next_look_at: at("10:01:45"),
        },
        ..step("i-0", action)
    }
}

pub(crate) fn heartbeat(instance: &str) -> DrainStep {
    let action = DrainAction::RecordHeartbeat {
        group: "web group".parse().unwrap(),
        hook: "ballast-instance-drain".parse().unwrap(),
        instance: instance.parse().unwrap(),
    };
    step(instance, action)
}

/// Lets an instance go: only without tasks, or whatever runs there.
pub(crate) fn complete(instance: &str, must_be_empty: bool) -> DrainStep {
    let action = DrainAction::CompleteLifecycleAction {
        group: "web group".parse().unwrap(),
        hook: "ballast-instance-drain".parse().unwrap(),
        instance: instance.parse().unwrap(),
        empty: must_be_empty.then(|| ("demo".parse().unwrap(), arn(instance).parse().unwrap())),
    };
    step(instance, action)
}
