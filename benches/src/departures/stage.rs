//! The world that instances leave: one group of Spot instances with two tasks each, of which eight fit on one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::drain::policy::{LIFECYCLE_HOOK_DEFAULT, TAG_AGENT_DRAINS, TAG_INSTANCE_DRAIN};
use model::{ClusterName, ServiceKey};
use world::{
    ApiError, CapacityProvider, Config, GroupSpec, Hook, HookResult, LaunchSpec, ServiceSpec,
    TaskDefinition, Transition, World, line,
};

/// The group, and the provider over it.
pub(super) const GROUP: &str = "workers";
/// How many tasks each instance has.
pub(super) const TASKS_ON_AN_INSTANCE: usize = 2;
/// How many tasks a service has at most.
const TASKS_OF_A_SERVICE: usize = 500;
/// The heartbeat timeout of the group's hook, in seconds.
const HEARTBEAT_SECS: u32 = 300;

/// What the world's timeline says of an instance that is set to DRAINING, after its id.
const DRAINING: &str = " is DRAINING";

/// What is different from world to world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene {
    pub(super) seed: u64,
    /// How many instances the group has. It may have twice as many.
    pub(super) instances: usize,
    /// How many of a thousand warnings never reach EventBridge.
    pub(super) lost_per_mille: u32,
    /// Whether the agents drain their instances themselves, and a tag says so.
    pub(super) agents_drain: bool,
}

/// A world in which everything runs.
pub(super) fn open(scene: Scene) -> Result<World, ApiError> {
    let mut config = Config::new(scene.seed);
    config.delivery.silent = true;
    config.spot_instance_draining = scene.agents_drain;
    config.ec2.signals.warnings_lost_per_mille = scene.lost_per_mille;
    let mut world = World::new(config);
    let cluster: ClusterName = "leaving".parse().map_err(ApiError::invalid_parameter)?;
    let count = u32::try_from(scene.instances).map_err(ApiError::invalid_parameter)?;
    let launch = LaunchSpec::spot(GROUP, &["m5.large"]);
    let mut group =
        GroupSpec::new(GROUP, launch, 0, count, count * 2).tag(TAG_INSTANCE_DRAIN.name, "act");
    if scene.agents_drain {
        group = group.tag(TAG_AGENT_DRAINS.name, "true");
    }
    world.declare_auto_scaling_group(group);
    let hook = Hook {
        heartbeat_timeout_secs: HEARTBEAT_SECS,
        default_result: HookResult::Continue,
        ..Hook::new(Transition::Terminating)
    };
    world.put_lifecycle_hook(GROUP, LIFECYCLE_HOOK_DEFAULT, hook)?;
    let mut provider = CapacityProvider::over(GROUP).without_managed_draining();
    provider.managed_scaling.enabled = false;
    world.declare_capacity_provider(GROUP, provider);
    world.create_cluster_of(&cluster, &[GROUP], vec![line(GROUP, 0, 1)?])?;
    world.advance_secs(300);
    let mut missing = scene.instances * TASKS_ON_AN_INSTANCE;
    let mut number = 0;
    while missing > 0 {
        let tasks = missing.min(TASKS_OF_A_SERVICE);
        let key: ServiceKey = format!("{cluster}/web-{number}")
            .parse()
            .map_err(ApiError::invalid_parameter)?;
        let definition = TaskDefinition::on_instances(key.service.as_str(), 256, 512);
        let definition = world.add_task_definition_of(definition)?;
        let tasks_asked = u32::try_from(tasks).map_err(ApiError::invalid_parameter)?;
        world.create(ServiceSpec::new(key, &definition, tasks_asked))?;
        missing -= tasks;
        number += 1;
    }
    world.advance_secs(600);
    drop(world.take_due_events());
    world.config_mut().delivery.silent = false;
    Ok(world)
}

/// Instances that Spot takes, as they were when they were warned.
#[derive(Debug)]
pub(super) struct Warned {
    pub(super) at: Timestamp,
    /// The EC2 instances' ids.
    pub(super) ids: Vec<String>,
    /// The container instances' ids.
    containers: BTreeSet<String>,
    /// How many tasks ran on them.
    pub(super) tasks: usize,
}

impl Warned {
    /// Lets Spot take so many instances of the group at this instant.
    pub(super) fn by(world: &mut World, count: usize) -> Self {
        world.begin_accounts();
        let at = world.now();
        let ids = world.interrupt_group(GROUP, count);
        let state = world.state();
        let containers: BTreeSet<String> = ids
            .iter()
            .filter_map(|id| state.container_instance_of.get(id))
            .cloned()
            .collect();
        let of_them = |id: &&String| containers.contains(*id);
        let tasks = state.tasks.values().filter(|it| {
            it.is_live()
                && it
                    .container_instance
                    .as_ref()
                    .filter(|id| of_them(id))
                    .is_some()
        });
        let tasks = tasks.count();
        Self {
            at,
            ids,
            containers,
            tasks,
        }
    }

    /// How long after the warning each instance was first set to DRAINING, in milliseconds; `None` for one that was not.
    pub(super) fn draining_after_ms(&self, world: &World) -> Vec<Option<u64>> {
        let mut after: BTreeMap<&str, u64> = BTreeMap::new();
        for entry in world.timeline().entries() {
            if let Some(id) = entry.text.strip_suffix(DRAINING) {
                after.entry(id).or_insert_with(|| self.since_ms(entry.at));
            }
        }
        let ids = self.ids.iter();
        ids.map(|id| after.get(id.as_str()).copied()).collect()
    }

    /// How long after the warning there was a task in service for each that the instances had, on another instance, in milliseconds;
    /// `None` for one that there is none for.
    pub(super) fn replaced_after_ms(&self, world: &World) -> Vec<Option<u64>> {
        let tasks = world.state().tasks.values();
        let mut started: Vec<u64> = tasks
            .filter(|it| it.created_at >= self.at)
            .filter(|it| {
                let on = it.container_instance.as_ref();
                on.is_some_and(|id| !self.containers.contains(id))
            })
            .filter_map(|it| Some(self.since_ms(it.started_at?)))
            .collect();
        started.sort_unstable();
        let started = started.into_iter().map(Some);
        let none = std::iter::repeat(None);
        started.chain(none).take(self.tasks).collect()
    }

    fn since_ms(&self, at: Timestamp) -> u64 {
        u64::try_from(at.duration_since(self.at).as_millis()).unwrap_or(0)
    }
}

/// How many tasks are to serve, the fewest that did since the accounts were begun, and the tasks below desired × seconds.
pub(super) fn served(world: &World) -> (u64, u64, u64) {
    let mut sums = (0, 0, 0);
    for account in world.accounts().values() {
        sums.0 += u64::from(account.desired);
        sums.1 += u64::from(account.serving_min);
        sums.2 += account.below_desired_task_secs();
    }
    sums
}
