//! The figures of a chapter: how soon the tasks ran, what the instances cost, and how soon they were gone again.
//!
//! They are taken from the truth of the world, not from what its API answers.

use std::collections::{BTreeMap, BTreeSet};

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
    /// How many instances were launched.
    pub(crate) launched: usize,
    /// The time of on-demand instances, in seconds.
    pub(crate) on_demand_instance_secs: u64,
    /// The time of Spot instances, in seconds.
    pub(crate) spot_instance_secs: u64,
    /// From the order for one task until every group had, for the first time, no more instances than at the beginning. `None` where that
    /// was not reached.
    pub(crate) scaled_back_secs: Option<u64>,
}

/// Watches the groups of a world while it runs.
#[derive(Debug)]
pub(crate) struct Watch {
    service: ServiceKey,
    /// The groups, with how many instances each began with.
    groups: BTreeMap<&'static str, u32>,
    /// The instances that were there at the beginning.
    first: BTreeSet<String>,
    /// The instances since.
    launched: BTreeSet<String>,
    instances_max: u32,
    last_task_secs: Option<u64>,
    /// When tasks were taken away.
    back: Option<Timestamp>,
    /// When each group had no more instances than at the beginning, for the first time since then.
    back_at: BTreeMap<&'static str, Timestamp>,
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
            first: world.state().instances.keys().cloned().collect(),
            launched: BTreeSet::new(),
            instances_max: 0,
            last_task_secs: None,
            back: None,
            back_at: BTreeMap::new(),
        }
    }

    /// Looks at what is so now.
    pub(crate) fn look(&mut self, world: &World) {
        let mut sum = 0;
        for (group, at_first) in &self.groups {
            let instances = world.instance_account(group).instances;
            sum += instances;
            if self.back.is_some() && instances <= *at_first {
                self.back_at.entry(group).or_insert(world.now());
            }
        }
        self.instances_max = self.instances_max.max(sum);
        let instances = world.state().instances.keys();
        for id in instances.filter(|id| !self.first.contains(*id)) {
            if !self.launched.contains(id) {
                self.launched.insert(id.clone());
            }
        }
    }

    /// Notes, as tasks are taken away again, how long the last of them took since `begun`.
    pub(crate) fn tasks_go(&mut self, world: &World, begun: Timestamp) {
        let whole = world.account(&self.service).and_then(|it| it.whole_since);
        self.last_task_secs = whole.and_then(|at| since(begun, at));
        self.back = Some(world.now());
    }

    /// The figures until now.
    pub(crate) fn figures(&self, world: &World) -> Ec2Figures {
        let mut figures = Ec2Figures {
            last_task_secs: self.last_task_secs,
            below_desired_task_secs: world
                .account(&self.service)
                .map_or(0, |it| it.below_desired_task_millis.div_ceil(1_000)),
            instances_max: self.instances_max,
            launched: self.launched.len(),
            scaled_back_secs: Some(0),
            ..Ec2Figures::default()
        };
        for group in self.groups.keys() {
            let account = world.instance_account(group);
            figures.on_demand_instance_secs += account.on_demand_instance_secs();
            figures.spot_instance_secs += account.spot_instance_secs();
            let at = self.back.zip(self.back_at.get(group));
            let took = at.and_then(|(back, at)| since(back, *at));
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
