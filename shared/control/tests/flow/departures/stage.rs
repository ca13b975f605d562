//! A world with a group of Spot instances that is opted in, and controllers over it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use act::DrainActor;
use calls::{AwsClock, Budget, CallCount};
use control::{Controller, Departures, Duty, HandledOf};
use ledger::{Ledger, MemoryLedger};
use model::drain::{DrainKey, DrainMemory};
use model::duty::PlannedStep;
use model::outcome::OutcomeResult;
use model::policy::{Installation, Mode};
use model::{InstanceId, ServiceKey, Timestamp};
use observe::DrainObserver;
use serde_json::{Value, json};
use world::face::{Face, FaceOptions, serve};
use world::{
    CapacityProvider, Config, ContainerInstanceStatus, FaultRule, GroupSpec, Hook, HookResult,
    LaunchSpec, Lifecycle, Operation, ServiceSpec, TaskDefinition, Transition, World, line,
};

use crate::stage::{autoscaling, ecs, invoked, schedule};

/// The group, and the provider over it.
pub(crate) const GROUP: &str = "workers";

/// The hook that Ballast completes where no tag names another.
pub(crate) const HOOK: &str = model::drain::policy::LIFECYCLE_HOOK_DEFAULT;

/// Every write that instance-drain can send.
pub(crate) const WRITES: [&str; 4] = [
    "ecs:UpdateContainerInstancesState",
    "ecs:StopTask",
    "autoscaling:RecordLifecycleActionHeartbeat",
    "autoscaling:CompleteLifecycleAction",
];

/// The writes that change which instances take tasks.
pub(crate) const DRAINS: &str = WRITES[0];

pub(crate) type Handled = HandledOf<Departures>;

pub(crate) struct Stage {
    pub(crate) face: Face,
    pub(crate) service: ServiceKey,
    pub(crate) ledger: Arc<Ledger>,
}

/// What a stage opens with: a group of Spot instances, each with room for three tasks, and one service on it.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) tasks: u32,
    pub(crate) instances: u32,
    pub(crate) tags: Vec<(&'static str, &'static str)>,
    /// The heartbeat timeout of the group's hook, in seconds; `None`: it has no hook.
    pub(crate) hook_secs: Option<u32>,
    /// Whether no event is sent.
    pub(crate) is_silent: bool,
    /// How long each call takes.
    pub(crate) api_latency_ms: u32,
}

impl Default for Scene {
    /// Six tasks on three instances: what is on one finds room on the others.
    fn default() -> Self {
        Self {
            tasks: 6,
            instances: 3,
            tags: vec![("ballast:instance-drain", "act")],
            hook_secs: Some(300),
            is_silent: false,
            api_latency_ms: 30,
        }
    }
}

impl Scene {
    /// The same, with one more tag, or another value of one.
    pub(crate) fn tag(mut self, key: &'static str, value: &'static str) -> Self {
        self.tags.retain(|(name, _)| *name != key);
        self.tags.push((key, value));
        self
    }

    /// Opens when everything has settled.
    pub(crate) async fn open(self) -> Stage {
        self.open_after(900).await
    }

    /// Opens so many seconds after everything was made.
    pub(crate) async fn open_after(self, secs: u32) -> Stage {
        let mut config = Config::new(7);
        config.delivery.silent = self.is_silent;
        config.api_latency_ms = self.api_latency_ms;
        config.spot_instance_draining = false;
        let mut world = World::new(config);
        let launch = LaunchSpec::spot(GROUP, &["t3.small"]);
        let spec = GroupSpec::new(GROUP, launch, 0, self.instances, self.instances + 10);
        let spec = self
            .tags
            .iter()
            .fold(spec, |spec, (key, value)| spec.tag(key, value));
        world.declare_auto_scaling_group(spec);
        if let Some(secs) = self.hook_secs {
            let hook = Hook {
                heartbeat_timeout_secs: secs,
                default_result: HookResult::Continue,
                ..Hook::new(Transition::Terminating)
            };
            world.put_lifecycle_hook(GROUP, HOOK, hook).unwrap();
        }
        let provider = CapacityProvider::over(GROUP).without_managed_draining();
        world.declare_capacity_provider(GROUP, provider);
        let service: ServiceKey = "container-demo/web".parse().unwrap();
        let strategy = vec![line(GROUP, 0, 1).unwrap()];
        world
            .create_cluster_of(&service.cluster, &[GROUP], strategy)
            .unwrap();
        let definition = TaskDefinition::on_instances("web", 256, 512);
        let definition = world.add_task_definition_of(definition).unwrap();
        let spec = ServiceSpec::new(service.clone(), &definition, self.tasks);
        world.create(spec).unwrap();
        world.advance_secs(secs);
        world.take_due_events();
        Stage::over(world, service).await
    }
}

impl Stage {
    pub(crate) async fn over(world: World, service: ServiceKey) -> Self {
        Self {
            face: serve(world, FaceOptions::default()).await.unwrap(),
            service,
            ledger: Arc::new(Ledger::Memory(MemoryLedger::new())),
        }
    }

    /// Another process of the function; all share the stage's ledger.
    pub(crate) fn controller(&self, mode: Mode) -> Controller<Departures> {
        let (clock, calls) = (AwsClock::new(), CallCount::new());
        let url = self.face.url();
        let ecs = ecs(&url, &clock, &calls);
        let autoscaling = autoscaling(&url, &clock, &calls);
        let budget = Arc::new(Budget::new(100));
        Controller {
            function: "instance-drain",
            region: Some("us-west-2".parse().unwrap()),
            clusters: Vec::new(),
            installation: Installation::default(),
            duty: Departures {
                observer: DrainObserver::new(
                    ecs.clone(),
                    autoscaling.clone(),
                    Arc::clone(&budget),
                    clock.clone(),
                ),
                actor: DrainActor::new(ecs, autoscaling, budget, mode),
            },
            decide: Departures::DECIDE,
            ledger: Arc::clone(&self.ledger),
            clock,
            calls,
            look_again_after: Duration::ZERO,
        }
    }

    /// What one fresh process of the function makes of a payload.
    pub(crate) async fn handle(&self, mode: Mode, payload: &Value) -> Handled {
        self.controller(mode).handle(payload, &invoked()).await
    }

    /// What one fresh process of the function makes of the schedule's event.
    pub(crate) async fn sweep(&self) -> Handled {
        self.handle(Mode::Act, &schedule()).await
    }

    /// So many minutes pass, with a sweep at the end of each, none of which fails. Gives the steps that were carried out.
    pub(crate) async fn sweep_for(&self, minutes: u32) -> Vec<String> {
        let mut acts = Vec::new();
        for _ in 0..minutes {
            self.advance_secs(60);
            let handled = self.sweep().await;
            assert_eq!(handled.failure, None);
            acts.extend(acted(&handled));
        }
        acts
    }

    pub(crate) fn advance_secs(&self, secs: u32) {
        self.face.with_world(|world| world.advance_secs(secs));
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.face.with_world(|world| world.now())
    }

    /// The group's instances in service, the one with the most tasks first.
    pub(crate) fn in_service(&self) -> Vec<InstanceId> {
        self.face.with_world(|world| {
            let state = world.state();
            let tasks_on = |id: &str| {
                let containers = &mut state.container_instances.values();
                let container = containers.find(|it| it.ec2_instance_id == id);
                container.map_or(0, |it| it.tasks.len())
            };
            let mut ids: Vec<&String> = state.groups[GROUP]
                .instances
                .iter()
                .filter(|id| state.instances[*id].lifecycle_state == Lifecycle::InService)
                .collect();
            ids.sort_by_key(|id| std::cmp::Reverse(tasks_on(id)));
            ids.into_iter().map(|id| id.parse().unwrap()).collect()
        })
    }

    /// EC2 takes an instance back. The warning is made by hand ([`Self::warning`]).
    pub(crate) fn interrupt(&self, instance: &InstanceId) {
        let begun = self
            .face
            .with_world(|world| world.interrupt_instance(instance.as_str()));
        assert!(begun, "{instance}");
    }

    /// EC2's warning about an instance, as it is now.
    pub(crate) fn warning(&self, instance: &InstanceId) -> Value {
        self.warning_at(instance, self.now())
    }

    /// EC2's warning about an instance, of this time.
    pub(crate) fn warning_at(&self, instance: &InstanceId, at: Timestamp) -> Value {
        about(WARNING, instance, at)
    }

    /// The group terminates an instance, and keeps its desired capacity.
    pub(crate) fn terminate(&self, instance: &InstanceId) {
        let input = json!({
            "InstanceId": instance,
            "ShouldDecrementDesiredCapacity": false,
        });
        self.call(Operation::TerminateInstanceInAutoScalingGroup, &input);
    }

    /// A call of somebody else's.
    pub(crate) fn call(&self, operation: Operation, input: &Value) {
        let called = self
            .face
            .with_world(|world| world.call(operation, input.clone()));
        called.unwrap();
    }

    /// The events of this type that have come since this was last asked.
    pub(crate) fn events(&self, detail_type: &str) -> Vec<Value> {
        let events = self.face.with_world(World::take_due_events);
        let mut envelopes: Vec<Value> = events.into_iter().map(|it| it.envelope).collect();
        envelopes.retain(|it| it["detail-type"] == detail_type);
        envelopes
    }

    pub(crate) fn fault(&self, rule: FaultRule) {
        self.face
            .with_world(|world| world.config_mut().faults.rules.push(rule));
    }

    pub(crate) fn clear_faults(&self) {
        self.face
            .with_world(|world| world.config_mut().faults.rules.clear());
    }

    /// Where an instance is in its group's life-cycle. `None`: it is in no group any more.
    pub(crate) fn lifecycle(&self, instance: &InstanceId) -> Option<Lifecycle> {
        self.face.with_world(|world| {
            let state = world.state();
            let is_member = state.groups[GROUP].instances.contains(instance.as_str());
            is_member.then(|| state.instances[instance.as_str()].lifecycle_state)
        })
    }

    /// The status of an instance's container instance. `None`: it is not registered.
    pub(crate) fn status(&self, instance: &InstanceId) -> Option<ContainerInstanceStatus> {
        self.face.with_world(|world| {
            let mut all = world.state().container_instances.values();
            let of_instance = all.find(|it| it.ec2_instance_id == instance.as_str());
            of_instance.map(|it| it.status)
        })
    }

    /// The instances that are DRAINING.
    pub(crate) fn draining(&self) -> BTreeSet<InstanceId> {
        self.face.with_world(|world| {
            let all = world.state().container_instances.values();
            let draining = all.filter(|it| it.status == ContainerInstanceStatus::Draining);
            draining
                .map(|it| it.ec2_instance_id.parse().unwrap())
                .collect()
        })
    }

    /// How many tasks are on an instance.
    pub(crate) fn tasks_on(&self, instance: &InstanceId) -> usize {
        self.face.with_world(|world| {
            let mut all = world.state().container_instances.values();
            let of_instance = all.find(|it| it.ec2_instance_id == instance.as_str());
            of_instance.map_or(0, |it| it.tasks.len())
        })
    }

    /// How many tasks of the service serve.
    pub(crate) fn serving(&self) -> u32 {
        self.face
            .with_world(|world| world.account(&self.service).unwrap().serving)
    }

    /// How many writes AWS was asked for, by operation.
    pub(crate) fn writes(&self) -> BTreeMap<String, u64> {
        let mut calls = self.face.calls();
        calls.retain(|operation, _| WRITES.contains(&operation.as_str()));
        calls
    }

    pub(crate) fn total_calls(&self) -> u64 {
        self.face.calls().values().sum()
    }

    /// What is remembered of the group.
    pub(crate) async fn memory(&self) -> DrainMemory {
        let keys = [group_key()].into();
        let mut recalled = self.ledger.recall(&keys, invoked().deadline).await;
        recalled.known.remove(&group_key()).unwrap().0
    }
}

pub(crate) const WARNING: &str = "EC2 Spot Instance Interruption Warning";
pub(crate) const REBALANCE: &str = "EC2 Instance Rebalance Recommendation";
pub(crate) const TERMINATE_ACTION: &str = "EC2 Instance-terminate Lifecycle Action";

/// An event of EC2 about one instance.
pub(crate) fn about(detail_type: &str, instance: &InstanceId, at: Timestamp) -> Value {
    json!({
        "version": "0",
        "id": "8b0a6a1c-0000-4000-8000-000000000001",
        "detail-type": detail_type,
        "source": "aws.ec2",
        "account": "111122223333",
        "time": at.to_string(),
        "region": "us-west-2",
        "resources": [format!("arn:aws:ec2:us-west-2a:instance/{instance}")],
        "detail": {"instance-id": instance, "instance-action": "terminate"},
    })
}

pub(crate) fn group_key() -> DrainKey {
    DrainKey::Group {
        group: GROUP.parse().unwrap(),
    }
}

/// The steps of a plan and what became of them, one line each.
pub(crate) fn acted(handled: &Handled) -> Vec<String> {
    let record = &handled.record;
    assert_eq!(record.plan.steps.len(), record.outcomes.len());
    record
        .outcomes
        .iter()
        .map(|it| {
            let text = record.plan.steps[it.step].step.action_text();
            format!("{text}: {}", it.result)
        })
        .collect()
}

/// How many steps were carried out.
pub(crate) fn done(handled: &Handled) -> usize {
    let outcomes = handled.record.outcomes.iter();
    outcomes
        .filter(|it| it.result == OutcomeResult::Done)
        .count()
}

/// How many steps were carried out, in an invocation that did not fail.
pub(crate) fn well_done(handled: &Handled) -> usize {
    assert_eq!(handled.failure, None);
    done(handled)
}

/// How many holds have this reason.
pub(crate) fn held(handled: &Handled, reason: &str) -> usize {
    let holds = &handled.record.plan.holds_by_reason;
    holds.get(reason).copied().unwrap_or(0)
}
