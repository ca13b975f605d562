//! The workshop's own milestones of an interruption: when each came, and what the instance took with it.
//!
//! They are taken from the truth of the world, not from what its API answers.

use std::collections::{BTreeMap, BTreeSet};

use model::snapshot::TaskStatus;
use model::{ServiceKey, Timestamp};
use world::{State, TargetState, Task, World};

use crate::lab::drain::leavers::Leavers;

/// What the service's own log says when all is well.
const STEADY: &str = "has reached a steady state.";

/// The milestones of one run, in whole seconds since the warning; `None` where one did not come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Milestones {
    /// The instance is DRAINING.
    pub(crate) draining: Option<u64>,
    /// A group is asked for an instance more.
    pub(crate) raised: Option<u64>,
    /// A new instance has registered.
    pub(crate) registered: Option<u64>,
    /// The first target of its tasks drains.
    pub(crate) first_target_drains: Option<u64>,
    /// As many new tasks as it had are placed on other instances.
    pub(crate) replacements_started: Option<u64>,
    /// As many tasks as desired are RUNNING elsewhere.
    pub(crate) running: Option<u64>,
    /// As many tasks as desired serve elsewhere: they are RUNNING, and healthy in their target group.
    pub(crate) replaced: Option<u64>,
    /// The instance is gone from its cluster.
    pub(crate) gone: Option<u64>,
    /// None of its targets is left.
    pub(crate) targets_gone: Option<u64>,
    /// The service says that it is steady.
    pub(crate) steady: Option<u64>,
    /// The fewest tasks that served at one time.
    pub(crate) lowest_serving: u32,
    /// Tasks below the desired count, times the seconds that they were missing.
    pub(crate) below_desired_task_secs: u64,
    /// Tasks that the instance took with it while they served.
    pub(crate) cut_serving: usize,
    /// Tasks that it took with it on their way out: their targets drained, or they had not ended yet.
    pub(crate) cut_leaving: usize,
}

/// Watches a world from the warning on.
#[derive(Debug)]
pub(crate) struct Watch {
    service: ServiceKey,
    standby: Option<ServiceKey>,
    instance: String,
    warned_at: Timestamp,
    /// The tasks that were on the instance.
    old: BTreeSet<String>,
    /// Every task of the service before the warning.
    known: BTreeSet<String>,
    /// The desired capacity of each group before it.
    desired: BTreeMap<String, u32>,
    /// How many tasks on the instance served at the last look.
    serving: usize,
    leavers: Leavers,
    found: Milestones,
}

impl Watch {
    /// A watch that begins at the instant of the warning.
    pub(crate) fn new(
        world: &World,
        service: &ServiceKey,
        standby: Option<&ServiceKey>,
        instance: &str,
    ) -> Self {
        let mut watch = Self {
            service: service.clone(),
            standby: standby.cloned(),
            instance: instance.to_owned(),
            warned_at: world.now(),
            old: BTreeSet::new(),
            known: BTreeSet::new(),
            desired: BTreeMap::new(),
            serving: 0,
            leavers: Leavers::default(),
            found: Milestones::default(),
        };
        watch.known = watch.tasks(world.state()).map(id).collect();
        let groups = world.state().groups.iter();
        watch.desired = groups
            .map(|(name, group)| (name.clone(), group.desired_capacity))
            .collect();
        watch.old = watch.remember_tasks(world);
        let _before = watch.leavers.since_last(world);
        watch
    }

    /// The tasks of the service, and of its standby.
    fn tasks<'a>(&'a self, state: &'a State) -> impl Iterator<Item = &'a Task> {
        let services = [Some(&self.service), self.standby.as_ref()];
        services
            .into_iter()
            .flatten()
            .flat_map(|key| state.tasks_of(key))
    }

    /// Looks at what is so now.
    pub(crate) fn look(&mut self, world: &World) {
        let state = world.state();
        let now = self.since(world.now());
        let desired = state.services.get(&self.service);
        let desired = desired.map_or(0, |it| usize::try_from(it.desired_count).unwrap_or(0));
        let elsewhere = || {
            self.tasks(state)
                .filter(|it| it.is_live() && !self.old.contains(it.id()))
        };
        let started = elsewhere()
            .filter(|it| !self.known.contains(it.id()) && it.container_instance.is_some());
        let started = started.count();
        let running = elsewhere().filter(|it| it.last_status == TaskStatus::Running);
        let running = running.count();
        let serving = elsewhere().filter(|it| it.serves()).count();
        let targets = || {
            let old = self.old.iter().filter_map(|id| state.tasks.get(id));
            old.flat_map(|it| it.targets.values())
        };
        let drains = targets().any(|it| it.state == TargetState::Draining);
        let gone = targets().all(|it| it.state == TargetState::Gone);
        let registered = state
            .container_instance_of
            .get(&self.instance)
            .and_then(|it| state.container_instances.get(it));
        let draining = registered.and_then(|it| it.draining_since);
        let instances = state.container_instances.values();
        let newest = instances.map(|it| it.registered_at).max();
        let newest = newest.filter(|at| *at > self.warned_at);
        let log = state.services.get(&self.service).map(|it| &it.events);
        let mut lines = log.into_iter().flatten();
        let steady = lines.find(|it| it.0 > self.warned_at && it.2.ends_with(STEADY));
        let steady = steady.map(|it| self.since(it.0));
        let were = [
            draining.map(|at| self.since(at)),
            self.is_raised(state).then_some(now),
            newest.map(|at| self.since(at)),
            drains.then_some(now),
            (started >= self.old.len()).then_some(now),
            (running >= desired).then_some(now),
            (serving >= desired).then_some(now),
            registered.is_none().then_some(now),
            gone.then_some(now),
            steady,
        ];
        let found = &mut self.found;
        let marks = [
            &mut found.draining,
            &mut found.raised,
            &mut found.registered,
            &mut found.first_target_drains,
            &mut found.replacements_started,
            &mut found.running,
            &mut found.replaced,
            &mut found.gone,
            &mut found.targets_gone,
            &mut found.steady,
        ];
        for (mark, at) in marks.into_iter().zip(were) {
            *mark = mark.or(at);
        }
        for leaver in self.leavers.since_last(world) {
            if leaver.instance == self.instance {
                self.found.cut_serving = self.serving.min(leaver.tasks);
                self.found.cut_leaving = leaver.tasks - self.found.cut_serving;
            }
        }
        let _left = self.remember_tasks(world);
    }

    /// Whether a group is asked for more than before the warning.
    fn is_raised(&self, state: &State) -> bool {
        let mut groups = state.groups.iter();
        groups.any(|(name, group)| {
            let before = self.desired.get(name).copied().unwrap_or(0);
            before < group.desired_capacity
        })
    }

    /// Notes how many tasks on the instance serve. The tasks on it are the answer.
    fn remember_tasks(&mut self, world: &World) -> BTreeSet<String> {
        let state = world.state();
        let on_it = state
            .container_instance_of
            .get(&self.instance)
            .and_then(|it| state.container_instances.get(it));
        let Some(on_it) = on_it else {
            return BTreeSet::new();
        };
        self.serving = on_it.tasks_in(state).filter(|it| it.serves()).count();
        on_it.tasks.clone()
    }

    /// The milestones until now.
    pub(crate) fn found(&self, world: &World) -> Milestones {
        let account = world.account(&self.service).unwrap_or_default();
        Milestones {
            lowest_serving: account.serving_min,
            below_desired_task_secs: account.below_desired_task_millis.div_ceil(1_000),
            ..self.found
        }
    }

    fn since(&self, at: Timestamp) -> u64 {
        u64::try_from(at.duration_since(self.warned_at).as_secs()).unwrap_or(0)
    }
}

fn id(task: &Task) -> String {
    task.id().to_owned()
}
