//! A pair on EC2 while Spot has no instances: spot-fallback lends on-demand tasks, and cluster-scaler the instances that they need.

use model::policy::{TAG_STANDBY, TAG_STANDBY_OF};
use model::strategy::{Market, StrategyItem};
use model::{ServiceKey, Timestamp};
use world::{
    ApiError, Config, InstancePoolKey, SPOT_TYPES, ScaledBy, ServiceSpec, TaskDefinition, World,
};

use crate::error::CliError;
use crate::lab::ec2::chapter::settle;

/// What the scenario plays on.
pub(crate) const STAGE: &str = "cluster container-demo; providers EC2 (t3.small, on-demand) and EC2Spot (ten *.large types, Spot), each 0 to 10 instances, target 80 %;\n\
     service web, 20 tasks at EC2 1/1, EC2Spot 0/4; standby web-standby on EC2. Without Ballast, ECS's managed scaling sizes both groups";

/// The service's tasks: five on EC2, fifteen on EC2Spot.
const TASKS: u32 = 20;
/// The instances that they need at the target, on each group.
const INSTANCES: u32 = 3;
/// Instances of one type and zone that Spot has while it is not short.
const PLENTY: u32 = 100;

/// The pair's world, in its steady state.
pub(crate) fn stage(
    seed: u64,
    scaled_by: ScaledBy,
) -> Result<(World, ServiceKey, ServiceKey), CliError> {
    let mut world = World::new(Config::new(seed));
    let (primary, standby) = set_up(&mut world, scaled_by)
        .map_err(|error| CliError::Lab(format!("the pair on EC2 cannot be set up: {error}")))?;
    settle(&mut world);
    Ok((world, primary, standby))
}

fn set_up(world: &mut World, scaled_by: ScaledBy) -> Result<(ServiceKey, ServiceKey), ApiError> {
    let names = world.add_workshop_ec2_groups(scaled_by)?;
    let key = |name: &str| {
        let text = format!("{}/{name}", names.cluster);
        text.parse::<ServiceKey>()
            .map_err(ApiError::invalid_parameter)
    };
    let (primary, standby) = (key("web")?, key("web-standby")?);
    let definition = world.add_task_definition_of(TaskDefinition::on_instances("web", 256, 512))?;
    let strategy: Vec<StrategyItem> = vec![
        world::line(names.on_demand, 1, 1)?,
        world::line(names.spot, 0, 4)?,
    ];
    for group in [names.on_demand, names.spot] {
        world.set_desired_capacity(group, INSTANCES)?;
    }
    let web = ServiceSpec::new(primary.clone(), &definition, TASKS).on(strategy);
    world.create(web.tag(TAG_STANDBY.name, standby.service.as_str()))?;
    let spare = ServiceSpec::new(standby.clone(), &definition, 0).on(vec![world::line(
        names.on_demand,
        0,
        1,
    )?]);
    world.create(spare.tag(TAG_STANDBY_OF.name, primary.service.as_str()))?;
    Ok((primary, standby))
}

/// Spot has no instances of any of the group's types in any zone, from one time to another.
pub(crate) fn write(world: &mut World, drought_at: Timestamp, return_at: Timestamp) {
    let zones = world.config().zones.clone();
    for zone in &zones {
        for instance_type in SPOT_TYPES {
            let pool = || InstancePoolKey::new(instance_type, zone.as_str(), Market::Spot);
            world.set_instance_capacity(pool(), drought_at, 0);
            world.set_instance_capacity(pool(), return_at, PLENTY);
        }
    }
}
