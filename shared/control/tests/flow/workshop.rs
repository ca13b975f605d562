//! The workshop's pair on a stage, at rest or in a Spot drought.

use std::sync::Arc;

use act::Actor;
use control::Pairs;
use model::ServiceKey;
use observe::Observer;
use world::{Config, World};

use crate::stage::{Process, Staged};

/// How long the drought has lasted when a stage opens: long enough that a standby task started later would be late.
const DROUGHT_SECS: u32 = 75;

pub(crate) type Stage = crate::stage::Stage<Pairs>;

/// A primary and its standby.
pub(crate) struct Pair {
    pub(crate) primary: ServiceKey,
    pub(crate) standby: ServiceKey,
}

impl Staged for Pairs {
    const FUNCTION: &'static str = "spot-fallback";
    const WRITES: &'static [&'static str] = &["ecs:UpdateService"];
    type Cast = Pair;

    fn subject(cast: &Pair) -> ServiceKey {
        cast.primary.clone()
    }

    fn service(cast: &Pair) -> &ServiceKey {
        &cast.primary
    }

    fn in_process(process: &Process) -> Self {
        let (ecs, budget) = (process.ecs(), Arc::clone(&process.budget));
        Self {
            observer: Observer::new(
                ecs.clone(),
                process.applicationautoscaling(),
                process.autoscaling(),
                Arc::clone(&budget),
                process.clock.clone(),
            ),
            actor: Actor::new(ecs, budget, process.mode),
        }
    }
}

/// The workshop at rest: ten tasks run, the standby has none.
pub(crate) async fn at_rest() -> Stage {
    with(|_| {}).await
}

/// The workshop in a drought: seven interrupted tasks end in less than a minute.
pub(crate) async fn in_drought() -> Stage {
    with(dry_out).await
}

/// Takes all Spot capacity away and lets the drought last.
pub(crate) fn dry_out(world: &mut World) {
    let now = world.now();
    world.set_capacity_everywhere("FARGATE_SPOT", now, 0);
    world.advance_secs(DROUGHT_SECS);
}

/// The workshop, after `work` was done to it.
pub(crate) async fn with(work: impl FnOnce(&mut World)) -> Stage {
    let mut world = World::new(Config::new(7));
    let (primary, standby) = world.add_workshop().unwrap();
    world.advance_secs(180);
    work(&mut world);
    Stage::over(world, Pair { primary, standby }).await
}

impl Stage {
    /// The desired count of a service, in truth.
    pub(crate) fn desired(&self, key: &ServiceKey) -> u32 {
        self.face
            .with_world(|world| world.service(key).map(|it| it.desired_count))
            .unwrap()
    }

    /// How many times ECS was asked to update a service.
    pub(crate) fn updates(&self) -> u64 {
        self.writes().values().sum()
    }
}
