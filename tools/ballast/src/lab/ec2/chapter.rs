//! What each chapter of the workshop on EC2 does, and the tables that it prints.

use std::fmt;

use model::strategy::Market;
use world::{Config, ScaledBy, State, WorkshopEc2, World};

use crate::error::CliError;

/// From the first launches until instances have been in service for some minutes and the service is steady, in seconds.
const STEADY_SECS: u32 = 600;

/// How many tasks the service begins and ends with.
pub(crate) const FEW: u32 = 1;

/// A provider's row of the workshop's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The provider and its group.
    pub(crate) provider: &'static str,
    /// Its container instances.
    pub(crate) instances: usize,
    /// Those of them with running tasks.
    pub(crate) used: usize,
    /// The running tasks on them.
    pub(crate) tasks: u32,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            provider,
            instances,
            used,
            tasks,
        } = self;
        write!(
            f,
            "{provider} {tasks} tasks on {used} of {instances} instances"
        )
    }
}

/// A chapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chapter {
    /// What happens.
    pub(crate) title: &'static str,
    /// What it plays on.
    pub(crate) stage: &'static str,
    /// How many tasks there are to be between the beginning and the end.
    pub(crate) many: u32,
    /// The tables with one task.
    pub(crate) with_few: &'static [Shape],
    /// The tables with all tasks.
    pub(crate) with_many: &'static [Shape],
    groups: Groups,
}

/// Which groups there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Groups {
    OnDemand,
    Both,
}

const fn shape(provider: &'static str, instances: usize, used: usize, tasks: u32) -> Shape {
    Shape {
        provider,
        instances,
        used,
        tasks,
    }
}

/// The chapters, in the workshop's order. Desired capacities are ceil(100 x instances that are needed / 80).
pub(crate) const CHAPTERS: [Chapter; 2] = [
    Chapter {
        title: "Chapter 1: 1 to 10 tasks on one group, and back",
        stage: "provider EC2 (t3.small, on-demand, 0 to 10 instances, target 80 %); service of cpu 256 and memory 512 at EC2 1/1",
        many: 10,
        with_few: &[shape("EC2", 2, 1, 1)],
        with_many: &[shape("EC2", 5, 4, 10)],
        groups: Groups::OnDemand,
    },
    Chapter {
        title: "Chapter 2: 1 to 40 tasks on two groups, and back",
        stage: "providers EC2 (t3.small, on-demand) and EC2Spot (ten *.large types, Spot), each 0 to 10 instances, target 80 %;\n\
                service of cpu 256 and memory 512 at EC2 1/1, EC2Spot 0/4",
        many: 40,
        with_few: &[shape("EC2", 2, 1, 1), shape("EC2Spot", 2, 0, 0)],
        with_many: &[shape("EC2", 4, 3, 9), shape("EC2Spot", 5, 4, 31)],
        groups: Groups::Both,
    },
];

impl Chapter {
    /// The chapter's world, in the steady state that it begins with.
    pub(crate) fn stage(
        &self,
        seed: u64,
        scaled_by: ScaledBy,
    ) -> Result<(World, WorkshopEc2), CliError> {
        let mut world = World::new(Config::new(seed));
        let names = match self.groups {
            Groups::OnDemand => world.add_workshop_ec2_one_group(scaled_by),
            Groups::Both => world.add_workshop_ec2(scaled_by),
        };
        let names = names
            .map_err(|error| CliError::Lab(format!("the workshop cannot be set up: {error}")))?;
        settle(&mut world);
        Ok((world, names))
    }

    /// The chapter's groups, with how each is bought.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&'static str, Market)> {
        self.with_few.iter().map(|shape| {
            let market = match shape.provider {
                "EC2Spot" => Market::Spot,
                _ => Market::OnDemand,
            };
            (shape.provider, market)
        })
    }
}

/// Lets the world come to rest. What is sent and paid on the way there is no part of the scenario.
pub(crate) fn settle(world: &mut World) {
    world.advance_secs(STEADY_SECS);
    drop(world.take_due_events());
    drop(world.timeline_mut().take());
    world.begin_accounts();
}

/// What a provider's rows of the workshop's tables come to.
pub(crate) fn shape_of(state: &State, provider: &'static str) -> Shape {
    let instances = state.container_instances.values();
    let counts = instances
        .filter(|it| it.provider.as_deref() == Some(provider))
        .map(|it| it.counts(state).0);
    counts.fold(shape(provider, 0, 0, 0), |sum, running| Shape {
        instances: sum.instances + 1,
        used: sum.used + usize::from(running > 0),
        tasks: sum.tasks + running,
        ..sum
    })
}
