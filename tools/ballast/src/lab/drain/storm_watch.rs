//! What became of each instance in a storm, from the truth of the world.

use std::collections::BTreeMap;

use model::{ServiceKey, Timestamp};
use world::{Lifecycle, World};

use crate::lab::drain::leavers::Leavers;
use crate::lab::drain::storm_stage::Struck;

/// The milliseconds between two times; 0 where the second is the earlier.
fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

/// One instance that goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Going {
    /// Whether Spot warned it; otherwise its group terminates it.
    is_warned: bool,
    /// When it was DRAINING.
    draining_at: Option<Timestamp>,
    /// When no task was left on it.
    empty_at: Option<Timestamp>,
    /// When its lifecycle action was over.
    let_go_at: Option<Timestamp>,
    /// When it left its cluster.
    left_at: Option<Timestamp>,
    /// The tasks that ended with it.
    cut_off: usize,
    /// The tasks on it that served, at the last look.
    serving: usize,
}

/// Watches a world from the storm on.
#[derive(Debug)]
pub(super) struct StormWatch {
    struck_at: Timestamp,
    services: Vec<ServiceKey>,
    going: BTreeMap<String, Going>,
    leavers: Leavers,
}

/// How the times of many things are spread, in milliseconds. `None` for no thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spread {
    pub(super) median: u64,
    pub(super) p99: u64,
    pub(super) max: u64,
}

impl Spread {
    /// By nearest rank.
    pub(super) fn of(mut millis: Vec<u64>) -> Option<Self> {
        millis.sort_unstable();
        let rank = |percent: usize| {
            let rank = (millis.len() * percent).div_ceil(100).max(1);
            millis.get(rank - 1).copied()
        };
        Some(Self {
            median: rank(50)?,
            p99: rank(99)?,
            max: rank(100)?,
        })
    }
}

/// An instance that went with tasks on it. Times are in milliseconds since the storm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) instance: String,
    /// Whether Spot warned it; otherwise its group terminated it.
    pub(super) is_warned: bool,
    /// When it was DRAINING.
    pub(super) draining: Option<u64>,
    /// When it went.
    pub(super) went: u64,
    /// The tasks on it.
    pub(super) tasks: usize,
    /// Those of them that served.
    pub(super) serving: usize,
}

impl StormFigures {
    /// The tasks that were cut off, and those of them that served.
    pub(super) fn cut_off(&self) -> (usize, usize) {
        let left = self.left_with_tasks.iter();
        left.fold((0, 0), |(tasks, serving), it| {
            (tasks + it.tasks, serving + it.serving)
        })
    }
}

/// The figures of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StormFigures {
    pub(super) warned: usize,
    pub(super) terminated: usize,
    /// From what was said of an instance, a warning or a lifecycle action, to its DRAINING.
    pub(super) age_at_action: Option<Spread>,
    /// From the warning to DRAINING, of those that were.
    pub(super) to_draining: Option<Spread>,
    /// From the warning until the last task was replaced and had ended, of those that went empty.
    pub(super) to_empty: Option<Spread>,
    /// Warned instances that went without having been DRAINING.
    pub(super) too_late: usize,
    /// The instances that went with tasks on them, in the order of their ids.
    pub(super) left_with_tasks: Vec<Left>,
    /// Lifecycle actions that were completed, of those instances that their group terminates, before the hook's timeout.
    pub(super) completed: usize,
    /// From the lifecycle action until it was over.
    pub(super) to_completed: Option<Spread>,
    /// Tasks below the desired count, times the seconds that they were missing.
    pub(super) below_desired_task_secs: u64,
}

impl StormWatch {
    pub(super) fn new(struck_at: Timestamp, services: Vec<ServiceKey>, struck: &Struck) -> Self {
        let going = |id: &String, is_warned, serving| {
            let going = Going {
                is_warned,
                serving,
                ..Going::default()
            };
            (id.clone(), going)
        };
        let warned = struck.warned.iter().map(|id| going(id, true, 0));
        let terminated = struck.terminated.iter();
        let terminated = terminated.map(|(id, serving)| going(id, false, *serving));
        Self {
            struck_at,
            services,
            going: warned.chain(terminated).collect(),
            leavers: Leavers::default(),
        }
    }

    /// Looks at what is so now.
    pub(super) fn look(&mut self, world: &World) {
        let (state, now) = (world.state(), world.now());
        for leaver in self.leavers.since_last(world) {
            if let Some(going) = self.going.get_mut(&leaver.instance) {
                going.left_at = Some(leaver.at);
                going.cut_off = leaver.tasks;
                // Its last task may have ended since the last look.
                if leaver.tasks == 0 && going.draining_at.is_some() {
                    going.empty_at.get_or_insert(leaver.at);
                }
            }
        }
        for (id, going) in &mut self.going {
            let machine = state.instances.get(id);
            let waits = machine.is_some_and(|it| it.lifecycle_state == Lifecycle::TerminatingWait);
            let is_going = machine.is_none_or(|it| it.lifecycle_state.is_terminating());
            if !going.is_warned && is_going && !waits {
                going.let_go_at.get_or_insert(now);
            }
            let registered = state
                .container_instance_of
                .get(id)
                .and_then(|it| state.container_instances.get(it));
            let Some(registered) = registered else {
                continue;
            };
            going.draining_at = going.draining_at.or(registered.draining_since);
            going.serving = registered.tasks_in(state).filter(|it| it.serves()).count();
            if registered.tasks.is_empty() && going.draining_at.is_some() {
                going.empty_at.get_or_insert(now);
            }
        }
    }

    /// The figures until now.
    pub(super) fn figures(&self, world: &World, hook_timeout_secs: u64) -> StormFigures {
        let of = |is_warned: bool| {
            self.going
                .values()
                .filter(move |it| it.is_warned == is_warned)
        };
        let spread = |times: &mut dyn Iterator<Item = Option<Timestamp>>| {
            let millis = times.flatten().map(|at| millis_between(self.struck_at, at));
            Spread::of(millis.collect())
        };
        let left_with_tasks = self.going.iter().filter_map(|(id, it)| {
            let went = millis_between(self.struck_at, it.left_at?);
            let draining = it.draining_at.map(|at| millis_between(self.struck_at, at));
            (it.cut_off > 0).then(|| Left {
                instance: id.clone(),
                is_warned: it.is_warned,
                draining,
                went,
                tasks: it.cut_off,
                serving: it.serving.min(it.cut_off),
            })
        });
        let in_time = of(false).filter_map(|it| it.let_go_at);
        let in_time =
            in_time.filter(|at| millis_between(self.struck_at, *at) < hook_timeout_secs * 1_000);
        let accounts = self.services.iter().filter_map(|it| world.account(it));
        let missing: u64 = accounts.map(|it| it.below_desired_task_millis).sum();
        StormFigures {
            warned: of(true).count(),
            terminated: of(false).count(),
            age_at_action: spread(&mut self.going.values().map(|it| it.draining_at)),
            to_draining: spread(&mut of(true).map(|it| it.draining_at)),
            to_empty: spread(&mut of(true).map(|it| it.empty_at)),
            too_late: of(true)
                .filter(|it| it.left_at.is_some() && it.draining_at.is_none())
                .count(),
            left_with_tasks: left_with_tasks.collect(),
            completed: in_time.count(),
            to_completed: spread(&mut of(false).map(|it| it.let_go_at)),
            below_desired_task_secs: missing.div_ceil(1_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_by_nearest_rank() {
        assert_eq!(Spread::of(Vec::new()), None);
        let one = Spread::of(vec![7]).unwrap();
        assert_eq!((one.median, one.p99, one.max), (7, 7, 7));
        let many = Spread::of((1..=200).rev().collect()).unwrap();
        assert_eq!((many.median, many.p99, many.max), (100, 198, 200));
    }
}
