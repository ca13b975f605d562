//! The figures of a chapter: how soon the tasks ran, what the instances cost, and how soon they were gone again.
//!
//! They are taken from the truth of the world, not from what its API answers.

use std::collections::BTreeMap;

use model::{ServiceKey, Timestamp};
use serde::Serialize;
use world::World;

/// The figures of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Ec2Figures {
    /// From the order for many tasks until the last of them ran. `None` where that was not reached.
    pub(crate) last_task_secs: Option<u64>,
    /// Tasks below the desired count, times the seconds that they were missing.
    pub(crate) below_desired_task_secs: u64,
    /// The most instances at one time.
    pub(crate) instances_max: u32,
    /// The time of on-demand instances, in seconds.
    pub(crate) on_demand_instance_secs: u64,
    /// The time of Spot instances, in seconds.
    pub(crate) spot_instance_secs: u64,
    /// From the order for one task until no group had more instances than at the beginning. `None` where that was not reached.
    pub(crate) scaled_back_secs: Option<u64>,
}

/// Watches the groups of a world while it runs.
#[derive(Debug)]
pub(crate) struct Watch {
    service: ServiceKey,
    /// The groups, with how many instances each began with.
    groups: BTreeMap<&'static str, u32>,
    instances_max: u32,
    last_task_secs: Option<u64>,
}

impl Watch {
    /// A watch that begins now.
    pub(crate) fn new(
        world: &World,
        service: ServiceKey,
        groups: impl Iterator<Item = &'static str>,
    ) -> Self {
        let instances = |group| world.instance_account(group).instances;
        Self {
            service,
            groups: groups.map(|group| (group, instances(group))).collect(),
            instances_max: 0,
            last_task_secs: None,
        }
    }

    /// Looks at what is so now.
    pub(crate) fn look(&mut self, world: &World) {
        let groups = self.groups.keys();
        let now: u32 = groups
            .map(|group| world.instance_account(group).instances)
            .sum();
        self.instances_max = self.instances_max.max(now);
    }

    /// Notes, before tasks are taken away again, how long the last of them took since `begun`.
    pub(crate) fn tasks_are_there(&mut self, world: &World, begun: Timestamp) {
        let whole = world.account(&self.service).and_then(|it| it.whole_since);
        self.last_task_secs = whole.and_then(|at| since(begun, at));
    }

    /// The figures until now; `back` is when tasks were taken away.
    pub(crate) fn figures(&self, world: &World, back: Timestamp) -> Ec2Figures {
        let mut figures = Ec2Figures {
            last_task_secs: self.last_task_secs,
            below_desired_task_secs: world
                .account(&self.service)
                .map_or(0, |it| it.below_desired_task_millis.div_ceil(1_000)),
            instances_max: self.instances_max,
            scaled_back_secs: Some(0),
            ..Ec2Figures::default()
        };
        for (group, at_first) in &self.groups {
            let account = world.instance_account(group);
            figures.on_demand_instance_secs += account.on_demand_instance_secs();
            figures.spot_instance_secs += account.spot_instance_secs();
            let changed = account.changed_at.map_or(Some(0), |at| since(back, at));
            let is_back = account.instances <= *at_first;
            // A group that nobody touched since is back at once.
            let took = is_back.then(|| changed.unwrap_or(0));
            figures.scaled_back_secs = figures
                .scaled_back_secs
                .zip(took)
                .map(|(longest, took)| longest.max(took));
        }
        figures
    }
}

/// Whole seconds; `None` where `at` is before `begun`.
fn since(begun: Timestamp, at: Timestamp) -> Option<u64> {
    u64::try_from(at.duration_since(begun).as_secs()).ok()
}
