//! A world with a group of EC2 instances under a capacity provider, for cluster-scaler.

use std::sync::Arc;

use act::CapacityActor;
use control::{Capacity, HandledOf};
use model::ServiceKey;
use model::capacity::ProviderKey;
use model::strategy::Market;
use observe::CapacityObserver;
use serde_json::json;
use world::{
    CapacityProvider, Config, ContainerInstanceStatus, Group, GroupSpec, LaunchSpec, Operation,
    ServiceSpec, TaskDefinition, World, line,
};

use crate::stage::{Process, Staged};

/// The group, and the provider over it.
pub(crate) const GROUP: &str = "workers";

/// What a service's tasks take: three find room on a `t3.small`.
const TASK_CPU_UNITS: u32 = 256;
const TASK_MEMORY_MIB: u32 = 512;

pub(crate) type Stage = crate::stage::Stage<Capacity>;

pub(crate) type Handled = HandledOf<Capacity>;

/// A service and the provider that its tasks are on.
pub(crate) struct Cast {
    pub(crate) service: ServiceKey,
    pub(crate) provider: ProviderKey,
}

impl Staged for Capacity {
    const FUNCTION: &'static str = "cluster-scaler";
    const WRITES: &'static [&'static str] = &[
        act::capacity::SET_DESIRED_CAPACITY,
        act::capacity::UPDATE_CONTAINER_INSTANCES_STATE,
        act::capacity::TERMINATE_INSTANCE,
    ];
    type Cast = Cast;

    fn subject(cast: &Cast) -> ProviderKey {
        cast.provider.clone()
    }

    fn service(cast: &Cast) -> &ServiceKey {
        &cast.service
    }

    fn in_process(process: &Process) -> Self {
        let (ecs, autoscaling) = (process.ecs(), process.autoscaling());
        let budget = Arc::clone(&process.budget);
        Self {
            observer: CapacityObserver::new(
                ecs.clone(),
                autoscaling.clone(),
                Arc::clone(&budget),
                process.clock.clone(),
            ),
            actor: CapacityActor::new(ecs, autoscaling, budget, process.mode),
        }
    }
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
        Stage::under(world, service, GROUP).await
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
    /// A stage with this service, and the provider of this name.
    pub(crate) async fn under(world: World, service: ServiceKey, provider: &str) -> Self {
        let provider = ProviderKey::new(service.cluster.clone(), provider.parse().unwrap());
        Self::over(world, Cast { service, provider }).await
    }

    /// Somebody changes how many tasks the service is to have, and ECS has done what it can.
    pub(crate) fn set_tasks(&self, tasks: u32) {
        self.face.with_world(|world| {
            world.set_desired_count(&self.cast.service, tasks).unwrap();
            world.advance_secs(20);
        });
    }

    /// Somebody sets the group's desired capacity.
    pub(crate) fn set_desired_capacity(&self, capacity: u32) {
        let input = json!({"AutoScalingGroupName": GROUP, "DesiredCapacity": capacity});
        self.call(Operation::SetDesiredCapacity, &input);
    }

    /// The group, in truth.
    pub(crate) fn group<T>(&self, read: impl FnOnce(&Group) -> T) -> T {
        let name = self.cast.provider.provider.as_str();
        self.face
            .with_world(|world| read(&world.state().groups[name]))
    }

    pub(crate) fn desired(&self) -> u32 {
        self.group(|group| group.desired_capacity)
    }

    /// How many container instances of the provider are ACTIVE, and how many DRAINING.
    pub(crate) fn statuses(&self) -> (usize, usize) {
        let provider = self.cast.provider.provider.as_str();
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
}
