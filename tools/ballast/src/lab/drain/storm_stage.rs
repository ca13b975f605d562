//! The world of a storm: a large Spot group, an on-demand group beside it, and services whose tasks have room elsewhere.

use model::strategy::Market;
use model::{ClusterName, ServiceKey};
use world::{ApiError, Config, ServiceSpec, TaskDefinition, World};

use crate::cli::StormArgs;
use crate::error::CliError;
use crate::lab::drain::stage::{DrainedBy, ON_DEMAND, Owned, SPOT, add_group, parse};

/// The type of every instance: it has room for eight tasks.
const INSTANCE_TYPE: &str = "m5.large";
/// The services on each group. Each has as many tasks as the group has instances, and ECS spreads them: one on each.
const SERVICES_PER_GROUP: usize = 2;
/// From the first launches until every instance is registered, in seconds.
const REGISTERED_SECS: u32 = 300;
/// From the services' making until everything is steady, in seconds.
const STEADY_SECS: u32 = 600;

/// A world in its steady state, and its services.
#[derive(Debug)]
pub(super) struct StormStage {
    pub(super) world: World,
    pub(super) services: Vec<ServiceKey>,
}

/// The world before the storm.
pub(super) fn stage(seed: u64, storm: StormArgs, by: DrainedBy) -> Result<StormStage, CliError> {
    let mut config = Config::new(seed);
    config.spot_instance_draining = by == DrainedBy::Ecs;
    config.ec2.signals.warnings_lost_per_mille = storm.lost_per_mille;
    config.ec2.signals.warnings_late_per_mille = storm.late_per_mille;
    let mut world = World::new(config);
    let services = set_up(&mut world, storm, by)
        .map_err(|error| CliError::Lab(format!("the storm's groups cannot be set up: {error}")))?;
    world.advance_secs(STEADY_SECS);
    drop(world.take_due_events());
    drop(world.timeline_mut().take());
    world.begin_accounts();
    let is_whole = |key| {
        world
            .account(key)
            .is_some_and(|it| it.serving >= it.desired)
    };
    if !services.iter().all(is_whole) {
        return Err(CliError::Lab(
            "the services did not reach their steady state".to_owned(),
        ));
    }
    Ok(StormStage { world, services })
}

fn set_up(world: &mut World, storm: StormArgs, by: DrainedBy) -> Result<Vec<ServiceKey>, ApiError> {
    let cluster: ClusterName = parse("container-demo")?;
    let spot = Owned {
        name: SPOT,
        market: Market::Spot,
        instance_type: INSTANCE_TYPE,
        instances: storm.instances,
        instances_max: storm.instances.saturating_mul(2),
    };
    let on_demand = Owned {
        name: ON_DEMAND,
        market: Market::OnDemand,
        instances: storm.terminated.saturating_mul(2),
        instances_max: storm.terminated.saturating_mul(4),
        ..spot
    };
    for group in [spot, on_demand] {
        add_group(world, group, by, false)?;
    }
    let lines = vec![world::line(SPOT, 0, 1)?];
    world.create_cluster_of(&cluster, &[SPOT, ON_DEMAND], lines)?;
    // Tasks that come before the instances would all be on the first few.
    world.advance_secs(REGISTERED_SECS);
    let mut services = Vec::new();
    for (group, instances) in [(SPOT, spot.instances), (ON_DEMAND, on_demand.instances)] {
        for _ in 0..SERVICES_PER_GROUP {
            let name = format!("web-{}", services.len());
            let definition = TaskDefinition::on_instances(&name, 256, 512);
            let definition = world.add_task_definition_of(definition)?;
            let key: ServiceKey = parse(&format!("{cluster}/{name}"))?;
            let spec = ServiceSpec::new(key.clone(), &definition, instances);
            world.create(spec.on(vec![world::line(group, 0, 1)?]))?;
            services.push(key);
        }
    }
    Ok(services)
}

/// What went away at one instant.
#[derive(Debug)]
pub(super) struct Struck {
    /// The Spot instances that were warned.
    pub(super) warned: Vec<String>,
    /// The on-demand instances that their group terminates, with the tasks that were on them. They wait in the group's hook where it has
    /// one; otherwise they are gone with this instant.
    pub(super) terminated: Vec<(String, usize)>,
}

/// The storm: Spot warns instances, and the other group terminates some, all at this instant.
pub(super) fn strike(world: &mut World, storm: StormArgs) -> Result<Struck, CliError> {
    let wanted = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    let warned = world.interrupt_group(SPOT, wanted(storm.warned));
    let group = world.state().groups.get(ON_DEMAND);
    let members = group.into_iter().flat_map(|it| it.instances.iter());
    let terminated: Vec<(String, usize)> = members
        .take(wanted(storm.terminated))
        .map(|id| (id.clone(), tasks_on(world, id)))
        .collect();
    for (id, _) in &terminated {
        world
            .terminate_instance_in_group(id, true)
            .map_err(|error| CliError::Lab(format!("`{id}` cannot be terminated: {error}")))?;
    }
    Ok(Struck { warned, terminated })
}

/// The tasks on an instance.
fn tasks_on(world: &World, instance: &str) -> usize {
    let state = world.state();
    let registered = state.container_instance_of.get(instance);
    let registered = registered.and_then(|it| state.container_instances.get(it));
    registered.map_or(0, |it| it.tasks.len())
}
