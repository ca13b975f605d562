//! The figures: what the users of the service felt, and what the on-demand tasks cost.
//!
//! They are taken from the truth of the world, not from what its API answers. Tasks and task time are the world's own accounts;
//! what is added here is the time from a warning until the service was whole again, looked at whenever something changes.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use model::{ServiceKey, Timestamp};
use serde::Serialize;
use world::{State, Task, World};

/// The stop codes of a task that Spot takes: the word of today, and the older one.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html>
const SPOT_STOP_CODES: [&str; 2] = ["SpotInterruption", "TerminationNotice"];

/// The figures of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Figures {
    /// The fewest tasks that served at one time, both services together. An interrupted task serves until it ends.
    pub(crate) lowest_running: u32,
    /// Tasks below the desired count, times the seconds that they were missing.
    pub(crate) below_desired_task_secs: u64,
    /// The time of standby tasks, in minutes, rounded up.
    pub(crate) on_demand_task_minutes: u64,
    /// From a warning until as many tasks as desired served and were to go on: the longest of these, in seconds. `None` where
    /// that was not reached, or nothing was interrupted.
    pub(crate) warning_to_cover_secs: Option<u64>,
    /// How many tasks Spot took.
    pub(crate) interrupted: u32,
}

/// Watches a world while it runs.
#[derive(Debug)]
pub(crate) struct Meter {
    primary: ServiceKey,
    standby: ServiceKey,
    uncovered_since: Option<Timestamp>,
    longest_cover: Option<SignedDuration>,
    interrupted: BTreeSet<String>,
}

/// The pair at one time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The primary's desired count.
    pub(crate) desired: u32,
    /// The primary's tasks that serve and are to go on. Those on an instance that Spot takes are not.
    pub(crate) primary_ready: u32,
    /// The standby's desired count.
    pub(crate) standby_desired: u32,
    /// The standby's tasks that serve and are to go on.
    pub(crate) standby_ready: u32,
}

impl Meter {
    pub(crate) const fn new(primary: ServiceKey, standby: ServiceKey) -> Self {
        Self {
            primary,
            standby,
            uncovered_since: None,
            longest_cover: None,
            interrupted: BTreeSet::new(),
        }
    }

    /// The two services.
    pub(crate) const fn pair(&self) -> (&ServiceKey, &ServiceKey) {
        (&self.primary, &self.standby)
    }

    /// Looks at what is so now.
    pub(crate) fn look(&mut self, world: &World) -> Seen {
        let state = world.state();
        let doomed = doomed(state);
        let seen = self.seen(state, &doomed);
        for task in state
            .tasks_of(&self.primary)
            .filter(|task| doomed.contains(task.id()))
        {
            if self.interrupted.insert(task.arn.clone()) {
                self.uncovered_since = self.uncovered_since.or(Some(world.now()));
            }
        }
        for task in state
            .tasks_of(&self.primary)
            .filter(|task| is_interrupted(task))
        {
            if self.interrupted.insert(task.arn.clone()) {
                self.uncovered_since = self.uncovered_since.or(task.stopping_at);
            }
        }
        if seen.primary_ready + seen.standby_ready >= seen.desired
            && let Some(since) = self.uncovered_since.take()
        {
            let took = world.now().duration_since(since);
            self.longest_cover = Some(self.longest_cover.map_or(took, |longest| longest.max(took)));
        }
        seen
    }

    fn seen(&self, state: &State, doomed: &BTreeSet<&str>) -> Seen {
        let desired = |key: &ServiceKey| state.services.get(key).map_or(0, |it| it.desired_count);
        let ready = |key: &ServiceKey| {
            let tasks = state
                .tasks_of(key)
                .filter(|task| task.serves() && task.desired_running)
                .filter(|task| !doomed.contains(task.id()));
            u32::try_from(tasks.count()).unwrap_or(u32::MAX)
        };
        Seen {
            desired: desired(&self.primary),
            primary_ready: ready(&self.primary),
            standby_desired: desired(&self.standby),
            standby_ready: ready(&self.standby),
        }
    }

    /// The figures until now, since the world's accounts began.
    pub(crate) fn figures(&self, world: &World) -> Figures {
        let of = |key: &ServiceKey| world.account(key).unwrap_or_default();
        let pair = of(&self.primary);
        let covered = self
            .longest_cover
            .filter(|_| self.uncovered_since.is_none());
        Figures {
            lowest_running: pair.serving_min,
            below_desired_task_secs: pair.below_desired_task_millis.div_ceil(1_000),
            on_demand_task_minutes: of(&self.standby).on_demand_task_millis.div_ceil(60_000),
            warning_to_cover_secs: covered.and_then(|took| u64::try_from(took.as_secs()).ok()),
            interrupted: u32::try_from(self.interrupted.len()).unwrap_or(u32::MAX),
        }
    }
}

/// The ids of the tasks on instances that Spot has warned.
fn doomed(state: &State) -> BTreeSet<&str> {
    let instances = state.container_instances.values();
    instances
        .filter(|it| {
            let machine = state.instances.get(&it.ec2_instance_id);
            machine.is_some_and(|machine| machine.interrupted_at.is_some())
        })
        .flat_map(|it| it.tasks.iter().map(String::as_str))
        .collect()
}

fn is_interrupted(task: &Task) -> bool {
    task.stop_code
        .is_some_and(|code| SPOT_STOP_CODES.contains(&code))
}
