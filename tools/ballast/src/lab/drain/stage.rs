//! Worlds in which Spot takes an instance with three tasks behind a load balancer.

use model::capacity::policy::{
    TAG_CLUSTER_SCALER, TAG_CONSOLIDATE, TAG_INSTANCE_TYPES, TAG_TARGET_CAPACITY_PERCENT,
};
use model::drain::policy::{LIFECYCLE_HOOK_DEFAULT, TAG_INSTANCE_DRAIN};
use model::policy::{TAG_STANDBY, TAG_STANDBY_OF};
use model::strategy::Market;
use model::{ClusterName, ServiceKey, Timestamp};
use world::{
    ApiError, CapacityProvider, Config, GroupSpec, Hook, HookResult, InstancePoolKey, LaunchSpec,
    ManagedScaling, ServiceSpec, TargetGroup, TaskDefinition, Transition, World,
};

use crate::error::CliError;
use crate::lab::ec2::chapter::settle;

/// The type of every instance: its memory has room for three of the service's tasks.
const INSTANCE_TYPE: &str = "t3.small";
/// The service's tasks.
pub(crate) const TASKS: u32 = 9;
/// The tasks on a full instance.
pub(crate) const TASKS_PER_INSTANCE: usize = 3;
/// The deregistration delay of the workshop's target group, in seconds.
pub(crate) const DEREGISTRATION_DELAY_SECS: u32 = 90;
/// The stop timeout of its tasks, in seconds: with the deregistration delay it fits into Spot's notice, which the default of 30 s does
/// not.
pub(crate) const STOP_TIMEOUT_SECS: u32 = 20;
/// The health checks in a row that make one of its targets healthy.
const HEALTHY_AFTER: u32 = 2;
/// The heartbeat timeout of the hook in `infra/examples/workshop-ec2`, in seconds.
pub(super) const HOOK_TIMEOUT_SECS: u32 = 300;
/// Instances of one zone that Spot has while it is not short.
const PLENTY: u32 = 100;
/// The Spot group and its provider.
pub(super) const SPOT: &str = "EC2Spot";
/// The on-demand group and its provider.
pub(super) const ON_DEMAND: &str = "EC2";

/// Who drains instances that go away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DrainedBy {
    /// The functions: ECS drains nothing by itself.
    Ballast,
    /// ECS: managed draining, and the agents on Spot's warning.
    Ecs,
    /// Nobody.
    Nobody,
}

/// Where the tasks of an instance that goes find room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// On an instance more than the tasks need.
    Free,
    /// Nowhere: Spot has no other instance until it returns. The service has a standby on the on-demand group.
    Standby,
    /// Nowhere that is there, and Spot has other instances.
    Spot,
}

impl Room {
    /// Whether the groups are scaled: there is not an instance more than the tasks need.
    pub(crate) const fn is_scaled(self) -> bool {
        match self {
            Self::Free => false,
            Self::Standby | Self::Spot => true,
        }
    }
}

/// What a chapter's world is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The service's minimum healthy percent.
    pub(crate) minimum_healthy_percent: u32,
    /// Where the tasks find room.
    pub(crate) room: Room,
}

/// A world in its steady state, and what is in it.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) service: ServiceKey,
    pub(crate) standby: Option<ServiceKey>,
}

/// The world before the warning.
pub(crate) fn stage(seed: u64, terms: Terms, by: DrainedBy) -> Result<Stage, CliError> {
    let mut config = Config::new(seed);
    config.spot_instance_draining = by == DrainedBy::Ecs;
    let mut world = World::new(config);
    let (service, standby) = set_up(&mut world, terms, by)
        .map_err(|error| CliError::Lab(format!("the service on EC2 cannot be set up: {error}")))?;
    settle(&mut world);
    if serving(&world, &service) < TASKS {
        return Err(CliError::Lab(
            "the service did not reach its steady state".to_owned(),
        ));
    }
    Ok(Stage {
        world,
        service,
        standby,
    })
}

fn serving(world: &World, service: &ServiceKey) -> u32 {
    world.account(service).map_or(0, |it| it.serving)
}

/// A group of instances of one type, and its provider.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owned<'a> {
    pub(super) name: &'static str,
    pub(super) market: Market,
    pub(super) instance_type: &'a str,
    pub(super) instances: u32,
    pub(super) instances_max: u32,
}

fn set_up(
    world: &mut World,
    terms: Terms,
    by: DrainedBy,
) -> Result<(ServiceKey, Option<ServiceKey>), ApiError> {
    let cluster: ClusterName = parse("container-demo")?;
    let spot = Owned {
        name: SPOT,
        market: Market::Spot,
        instance_type: INSTANCE_TYPE,
        instances: full_instances() + u32::from(!terms.room.is_scaled()),
        instances_max: 10,
    };
    let on_demand = Owned {
        name: ON_DEMAND,
        market: Market::OnDemand,
        instances: 0,
        ..spot
    };
    add_group(world, spot, by, terms.room.is_scaled())?;
    let mut providers = vec![SPOT];
    let has_standby = terms.room == Room::Standby;
    if has_standby {
        add_group(world, on_demand, by, true)?;
        providers.push(ON_DEMAND);
    }
    world.create_cluster_of(&cluster, &providers, vec![world::line(SPOT, 0, 1)?])?;
    let key = |name: &str| parse::<ServiceKey>(&format!("{cluster}/{name}"));
    let (service, standby) = (key("web")?, key("web-standby")?);
    let definition = TaskDefinition::on_instances("web", 256, 512);
    let definition = definition.with_stop_timeout_secs(STOP_TIMEOUT_SECS);
    let definition = world.add_task_definition_of(definition)?;
    let targets = TargetGroup::new("web")
        .with_deregistration_delay_secs(DEREGISTRATION_DELAY_SECS)
        .healthy_after(HEALTHY_AFTER);
    let targets = world.declare_target_group(targets);
    let mut web = ServiceSpec::new(service.clone(), &definition, TASKS)
        .on(vec![world::line(SPOT, 0, 1)?])
        .behind(&targets);
    web.minimum_healthy_percent = terms.minimum_healthy_percent;
    if !has_standby {
        world.create(web)?;
        return Ok((service, None));
    }
    world.create(web.tag(TAG_STANDBY.name, standby.service.as_str()))?;
    let spare = ServiceSpec::new(standby.clone(), &definition, 0)
        .on(vec![world::line(ON_DEMAND, 0, 1)?])
        .behind(&targets);
    world.create(spare.tag(TAG_STANDBY_OF.name, service.service.as_str()))?;
    Ok((service, Some(standby)))
}

/// Makes the group with its provider, its tags and its hook. What is scaled has as many instances as the tasks need, and none beyond.
pub(super) fn add_group(
    world: &mut World,
    group: Owned<'_>,
    by: DrainedBy,
    is_scaled: bool,
) -> Result<(), ApiError> {
    let name = group.name;
    let launch = match group.market {
        Market::Spot => LaunchSpec::spot(name, &[group.instance_type]),
        Market::OnDemand | Market::Unknown => LaunchSpec::on_demand(name, &[group.instance_type]),
    };
    let mut spec = GroupSpec::new(name, launch, 0, group.instances, group.instances_max);
    let is_ballasts = by == DrainedBy::Ballast;
    if is_ballasts {
        spec = spec.tag(TAG_INSTANCE_DRAIN.name, "act");
    }
    if is_ballasts && is_scaled {
        spec = spec
            .tag(TAG_CLUSTER_SCALER.name, "act")
            .tag(TAG_TARGET_CAPACITY_PERCENT.name, "100")
            .tag(TAG_CONSOLIDATE.name, "true")
            .tag(TAG_INSTANCE_TYPES.name, group.instance_type);
    }
    world.declare_auto_scaling_group(spec);
    if is_ballasts {
        let hook = Hook {
            heartbeat_timeout_secs: HOOK_TIMEOUT_SECS,
            default_result: HookResult::Continue,
            ..Hook::new(Transition::Terminating)
        };
        world.put_lifecycle_hook(name, LIFECYCLE_HOOK_DEFAULT, hook)?;
    }
    let mut provider = CapacityProvider::over(name);
    provider.managed_draining = by == DrainedBy::Ecs;
    if is_scaled && !is_ballasts {
        provider.managed_scaling = ManagedScaling::at(100);
    }
    world.declare_capacity_provider(name, provider);
    Ok(())
}

pub(super) fn parse<T: std::str::FromStr>(text: &str) -> Result<T, ApiError>
where
    T::Err: ToString,
{
    text.parse()
        .map_err(|error: T::Err| ApiError::invalid_parameter(error.to_string()))
}

/// The instances that the service's tasks fill.
pub(crate) fn full_instances() -> u32 {
    TASKS / u32::try_from(TASKS_PER_INSTANCE).unwrap_or(u32::MAX)
}

/// A Spot instance that is full, by its id: the one that is to be warned.
pub(crate) fn full_instance(world: &World) -> Option<String> {
    let state = world.state();
    let mut instances: Vec<_> = state
        .container_instances
        .values()
        .filter(|it| it.provider.as_deref() == Some(SPOT) && it.tasks.len() == TASKS_PER_INSTANCE)
        .collect();
    instances.sort_by(|a, b| a.ec2_instance_id.cmp(&b.ec2_instance_id));
    instances.first().map(|it| it.ec2_instance_id.clone())
}

/// Spot takes the instance. Where only a standby helps it has no other one for the service either, until it returns.
pub(crate) fn warn(world: &mut World, instance: &str, terms: Terms, return_at: Timestamp) {
    world.interrupt_instance(instance);
    match terms.room {
        Room::Free | Room::Spot => return,
        Room::Standby => {}
    }
    let now = world.now();
    for zone in world.config().zones.clone() {
        let pool = InstancePoolKey::new(INSTANCE_TYPE, zone.as_str(), Market::Spot);
        let kept = world
            .instance_pools()
            .get(&pool)
            .map_or(0, |it| it.kept.len());
        let kept = u32::try_from(kept).unwrap_or(u32::MAX);
        world.set_instance_capacity(pool.clone(), now, kept);
        world.set_instance_capacity(pool, return_at, PLENTY);
    }
}
