//! A world with a group of Spot instances that is opted in, for instance-drain.

use std::collections::BTreeSet;
use std::sync::Arc;

use act::DrainActor;
use control::{Departures, HandledOf};
use model::drain::DrainKey;
use model::strategy::Market;
use model::{InstanceId, ServiceKey, Timestamp};
use observe::DrainObserver;
use serde_json::{Value, json};
use world::{
    CapacityProvider, Config, ContainerInstanceStatus, GroupSpec, Hook, HookResult, LaunchSpec,
    Lifecycle, Operation, ServiceSpec, TaskDefinition, Transition, WarmPoolState, World, line,
};

use crate::stage::{Process, Staged};

/// The group, and the provider over it.
pub(crate) const GROUP: &str = "workers";

/// The hook that Ballast completes where no tag names another.
pub(crate) const HOOK: &str = model::drain::policy::LIFECYCLE_HOOK_DEFAULT;

/// The writes that change which instances take tasks.
pub(crate) const DRAINS: &str = "ecs:UpdateContainerInstancesState";

pub(crate) type Stage = crate::stage::Stage<Departures>;

pub(crate) type Handled = HandledOf<Departures>;

impl Staged for Departures {
    const FUNCTION: &'static str = "instance-drain";
    const WRITES: &'static [&'static str] = &[
        DRAINS,
        "ecs:StopTask",
        "autoscaling:RecordLifecycleActionHeartbeat",
        "autoscaling:CompleteLifecycleAction",
    ];
    /// The service on the group.
    type Cast = ServiceKey;

    fn subject(_service: &ServiceKey) -> DrainKey {
        group_key()
    }

    fn service(service: &ServiceKey) -> &ServiceKey {
        service
    }

    fn in_process(process: &Process) -> Self {
        let (ecs, autoscaling) = (process.ecs(), process.autoscaling());
        let budget = Arc::clone(&process.budget);
        Self {
            observer: DrainObserver::new(
                ecs.clone(),
                autoscaling.clone(),
                Arc::clone(&budget),
                process.clock.clone(),
            ),
            actor: DrainActor::new(ecs, autoscaling, budget, process.mode),
        }
    }
}

/// What a stage opens with: a group of Spot instances, each with room for three tasks, and one service on it.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) tasks: u32,
    pub(crate) instances: u32,
    pub(crate) tags: Vec<(&'static str, &'static str)>,
    /// The heartbeat timeout of the group's hook, in seconds; `None`: it has no hook.
    pub(crate) hook_secs: Option<u32>,
    /// How many tasks the service may have while it replaces some, in percent of its desired count.
    pub(crate) maximum_percent: u32,
    /// Whether no event is sent.
    pub(crate) is_silent: bool,
    /// How long each call takes.
    pub(crate) api_latency_ms: u32,
    /// How many instances the group's warm pool has, and what they do there; such a group buys on demand. `None`: it has no pool.
    pub(crate) pool: Option<(u32, WarmPoolState)>,
}

impl Default for Scene {
    /// Six tasks on three instances: what is on one finds room on the others.
    fn default() -> Self {
        Self {
            tasks: 6,
            instances: 3,
            tags: vec![("ballast:instance-drain", "act")],
            hook_secs: Some(300),
            maximum_percent: 200,
            is_silent: false,
            api_latency_ms: 30,
            pool: None,
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
        let launch = if self.pool.is_some() {
            world.declare_launch_template(GROUP, "t3.small", Market::OnDemand);
            LaunchSpec::template(GROUP)
        } else {
            LaunchSpec::spot(GROUP, &["t3.small"])
        };
        let spec = GroupSpec::new(GROUP, launch, 0, self.instances, self.instances + 10);
        let spec = self
            .tags
            .iter()
            .fold(spec, |spec, (key, value)| spec.tag(key, value));
        world.declare_auto_scaling_group(spec);
        if let Some((size, state)) = self.pool {
            world.put_warm_pool(GROUP, size, state).unwrap();
        }
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
        let mut spec = ServiceSpec::new(service.clone(), &definition, self.tasks);
        spec.maximum_percent = self.maximum_percent;
        world.create(spec).unwrap();
        world.advance_secs(secs);
        world.take_due_events();
        Stage::over(world, service).await
    }
}

impl Stage {
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
