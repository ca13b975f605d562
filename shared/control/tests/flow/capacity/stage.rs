//! A world with a group of EC2 instances under a capacity provider, and controllers over it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use act::CapacityActor;
use calls::{AwsClock, Budget, CallCount};
use control::{Capacity, Controller, Duty, HandledOf};
use ledger::{Ledger, MemoryLedger, Version};
use model::capacity::{ProviderKey, ProviderMemory};
use model::duty::PlannedStep;
use model::outcome::OutcomeResult;
use model::policy::{Installation, Mode};
use model::strategy::Market;
use model::{ServiceKey, Timestamp};
use observe::CapacityObserver;
use serde_json::{Value, json};
use world::face::{Face, FaceOptions, serve};
use world::{
    CapacityProvider, Config, ContainerInstanceStatus, FaultRule, Group, GroupSpec, LaunchSpec,
    Operation, ServiceSpec, TaskDefinition, World, line,
};

use crate::stage::{autoscaling, ecs, invoked, schedule};

/// The group, and the provider over it.
pub(crate) const GROUP: &str = "workers";

/// What a service's tasks take: three find room on a `t3.small`.
const TASK_CPU_UNITS: u32 = 256;
const TASK_MEMORY_MIB: u32 = 512;

/// Every write that cluster-scaler can send.
pub(crate) const WRITES: [&str; 3] = [
    act::capacity::SET_DESIRED_CAPACITY,
    act::capacity::UPDATE_CONTAINER_INSTANCES_STATE,
    act::capacity::TERMINATE_INSTANCE,
];

pub(crate) type Handled = HandledOf<Capacity>;

pub(crate) struct Stage {
    pub(crate) face: Face,
    pub(crate) service: ServiceKey,
    pub(crate) provider: ProviderKey,
    pub(crate) ledger: Arc<Ledger>,
}

/// What a stage opens with: a group of `t3.small` and one service on it.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) seed: u64,
    pub(crate) tasks: u32,
    pub(crate) instances: u32,
    pub(crate) max_size: u32,
    pub(crate) tags: Vec<(&'static str, &'static str)>,
    pub(crate) provider: CapacityProvider,
    /// Whether no event is sent.
    pub(crate) is_silent: bool,
    /// How long each call takes.
    pub(crate) api_latency_ms: u32,
}

impl Default for Scene {
    /// Six tasks on two instances, which are full. The group may have ten.
    fn default() -> Self {
        Self {
            seed: 7,
            tasks: 6,
            instances: 2,
            max_size: 10,
            tags: vec![
                ("ballast:cluster-scaler", "act"),
                ("ballast:instance-types", "t3.small"),
            ],
            provider: CapacityProvider::over(GROUP).without_managed_draining(),
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
        let mut config = Config::new(self.seed);
        config.delivery.silent = self.is_silent;
        config.api_latency_ms = self.api_latency_ms;
        let mut world = World::new(config);
        world.declare_launch_template(GROUP, "t3.small", Market::OnDemand);
        let launch = LaunchSpec::template(GROUP);
        let spec = GroupSpec::new(GROUP, launch, 0, self.instances, self.max_size);
        let spec = self
            .tags
            .iter()
            .fold(spec, |spec, (key, value)| spec.tag(key, value));
        world.declare_auto_scaling_group(spec);
        world.declare_capacity_provider(GROUP, self.provider);
        let service: ServiceKey = "container-demo/web".parse().unwrap();
        let strategy = vec![line(GROUP, 0, 1).unwrap()];
        world
            .create_cluster_of(&service.cluster, &[GROUP], strategy)
            .unwrap();
        add_service(&mut world, &service, TASK_MEMORY_MIB, self.tasks);
        world.advance_secs(900);
        world.take_due_events();
        Stage::over(world, service, GROUP).await
    }
}

/// A service on the cluster's default strategy, with its own task definition.
pub(crate) fn add_service(world: &mut World, key: &ServiceKey, memory_mib: u32, tasks: u32) {
    let family = key.service.as_str();
    let definition = TaskDefinition::on_instances(family, TASK_CPU_UNITS, memory_mib);
    let definition = world.add_task_definition_of(definition).unwrap();
    let spec = ServiceSpec::new(key.clone(), &definition, tasks);
    world.create(spec).unwrap();
}

impl Stage {
    pub(crate) async fn over(world: World, service: ServiceKey, provider: &str) -> Self {
        let face = serve(world, FaceOptions::default()).await.unwrap();
        Self {
            provider: ProviderKey::new(service.cluster.clone(), provider.parse().unwrap()),
            face,
            service,
            ledger: Arc::new(Ledger::Memory(MemoryLedger::new())),
        }
    }

    /// Another process of the function; all share the stage's ledger.
    pub(crate) fn controller(&self, mode: Mode) -> Controller<Capacity> {
        let (clock, calls) = (AwsClock::new(), CallCount::new());
        let url = self.face.url();
        let ecs = ecs(&url, &clock, &calls);
        let autoscaling = autoscaling(&url, &clock, &calls);
        let budget = Arc::new(Budget::new(100));
        Controller {
            function: "cluster-scaler",
            region: Some("us-west-2".parse().unwrap()),
            clusters: Vec::new(),
            installation: Installation::default(),
            duty: Capacity {
                observer: CapacityObserver::new(
                    ecs.clone(),
                    autoscaling.clone(),
                    Arc::clone(&budget),
                    clock.clone(),
                ),
                actor: CapacityActor::new(ecs, autoscaling, budget, mode),
            },
            decide: Capacity::DECIDE,
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

    /// So many minutes pass, with a sweep at the end of each. Gives the last.
    pub(crate) async fn sweep_for(&self, minutes: u32) -> Handled {
        for _ in 1..minutes {
            self.advance_secs(60);
            let handled = self.sweep().await;
            assert_eq!(handled.failure, None);
        }
        self.advance_secs(60);
        self.sweep().await
    }

    pub(crate) fn advance_secs(&self, secs: u32) {
        self.face.with_world(|world| world.advance_secs(secs));
    }

    /// Somebody changes how many tasks the service is to have, and ECS has done what it can.
    pub(crate) fn set_tasks(&self, tasks: u32) {
        self.face.with_world(|world| {
            world.set_desired_count(&self.service, tasks).unwrap();
            world.advance_secs(20);
        });
    }

    /// A call of somebody else's.
    pub(crate) fn call(&self, operation: Operation, input: &Value) {
        let called = self
            .face
            .with_world(|world| world.call(operation, input.clone()));
        called.unwrap();
    }

    /// Somebody sets the group's desired capacity.
    pub(crate) fn set_desired_capacity(&self, capacity: u32) {
        let input = json!({"AutoScalingGroupName": GROUP, "DesiredCapacity": capacity});
        self.call(Operation::SetDesiredCapacity, &input);
    }

    pub(crate) fn fault(&self, rule: FaultRule) {
        self.face
            .with_world(|world| world.config_mut().faults.rules.push(rule));
    }

    pub(crate) fn clear_faults(&self) {
        self.face
            .with_world(|world| world.config_mut().faults.rules.clear());
    }

    /// The group, in truth.
    pub(crate) fn group<T>(&self, read: impl FnOnce(&Group) -> T) -> T {
        let name = self.provider.provider.as_str();
        self.face
            .with_world(|world| read(&world.state().groups[name]))
    }

    pub(crate) fn desired(&self) -> u32 {
        self.group(|group| group.desired_capacity)
    }

    /// How many container instances of the provider are ACTIVE, and how many DRAINING.
    pub(crate) fn statuses(&self) -> (usize, usize) {
        let provider = self.provider.provider.as_str();
        self.face.with_world(|world| {
            let all = world.state().container_instances.values();
            let ours = all.filter(|it| it.provider.as_deref() == Some(provider));
            let (mut active, mut draining) = (0, 0);
            for it in ours {
                active += usize::from(it.status == ContainerInstanceStatus::Active);
                draining += usize::from(it.status == ContainerInstanceStatus::Draining);
            }
            (active, draining)
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

    /// What is remembered of the provider, with its version.
    pub(crate) async fn memory(&self) -> (ProviderMemory, Version) {
        let keys = [self.provider.clone()].into();
        let mut recalled = self.ledger.recall(&keys, invoked().deadline).await;
        recalled.known.remove(&self.provider).unwrap()
    }

    /// Makes this what is remembered.
    pub(crate) async fn remember(&self, memory: &ProviderMemory, version: Version) {
        let deadline = invoked().deadline;
        let (key, now) = (&self.provider, self.now());
        let written = self.ledger.remember(key, memory, version, now, deadline);
        written.await.unwrap();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.face.with_world(|world| world.now())
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

/// How many holds have this reason.
pub(crate) fn held(handled: &Handled, reason: &str) -> usize {
    let holds = &handled.record.plan.holds_by_reason;
    holds.get(reason).copied().unwrap_or(0)
}
