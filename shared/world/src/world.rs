//! The world itself: its clock, its agenda, and what happens next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use model::snapshot::{Health, TaskStatus};
use model::strategy::Market;
use model::{ClusterName, ServiceKey};

use crate::account::Accounts;
use crate::api::Gate;
use crate::autoscaling::GroupDue;
use crate::config::Config;
use crate::delivery::Outbox;
use crate::dice::Dice;
use crate::ec2::{BillKey, Ec2Due, InstancePools};
use crate::ecs::Asked;
use crate::life::short;
use crate::load::{Loads, Publication};
use crate::pool::{Bucket, Pool, PoolKey, Pools, later};
use crate::state::{GroupProvider, State};
use crate::timeline::Timeline;

/// Something that will happen at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happening {
    /// A task takes the next step of its life, if it has not taken another one since.
    TaskStep { id: String, step: u64 },
    /// The notice of an interrupted task ends.
    NoticeEnds { id: String },
    /// A stopped task can no longer be read.
    Forget { id: String },
    /// A pool's capacity changes.
    Capacity { pool: PoolKey, capacity: u32 },
    /// The scheduler looks at a service.
    Look { service: ServiceKey },
    /// A container instance becomes ACTIVE.
    InstanceRegistered { id: String },
    /// A load balancer's checks change what it says of a target, if nothing else has since.
    TargetJudged {
        task: String,
        group: String,
        change: u64,
    },
    /// An agent may lose its connection.
    AgentFlaps { id: String, number: u64 },
    /// An agent has its connection back, if nobody has decided about it since.
    AgentReturns { id: String, change: u64 },
    /// Whoever waits for room on a cluster's instances is looked at.
    Seats { cluster: ClusterName },
    /// A task has waited in PROVISIONING for too long.
    WaitEnds { id: String },
    /// A task's protection may be over.
    ProtectionEnds { id: String },
    /// ECS renews the heartbeat of an instance that drains.
    DrainingHeartbeat { instance: String },
    /// A provider's minute under managed scaling, if it has not changed since.
    ManagedScaling { provider: String, change: u64 },
    /// A service that is still steady says so again.
    SteadyAgain {
        service: ServiceKey,
        since: Timestamp,
    },
    /// Something of an EC2 instance.
    Ec2(Ec2Due),
    /// Something of an Auto Scaling group.
    Group(GroupDue),
    /// The alarms look at their metrics.
    EvaluateAlarms,
    /// The load on services is looked at.
    LoadLook,
    /// A datapoint can be read from now on.
    Published(Box<Publication>),
}

/// A simulated AWS account in one Region. A clone goes its own way from here on, with the same luck.
#[derive(Debug, Clone)]
pub struct World {
    pub(crate) config: Config,
    pub(crate) dice: Dice,
    pub(crate) now: Timestamp,
    pub(crate) state: State,
    pub(crate) pools: Pools,
    pub(crate) instance_pools: InstancePools,
    pub(crate) launches: BTreeMap<String, Bucket>,
    /// The cluster that the user data of a group's instances name.
    pub(crate) group_clusters: BTreeMap<String, ClusterName>,
    /// The tasks that wait in PROVISIONING for an instance, the oldest first.
    pub(crate) waiting: BTreeMap<ClusterName, BTreeSet<(Timestamp, String)>>,
    /// What tasks of RunTask that wait were asked for.
    pub(crate) run_specs: BTreeMap<String, Asked>,
    /// The steps of tasks that wait for the agent of their container instance, with the count that they were planned for.
    pub(crate) held_steps: BTreeMap<String, BTreeSet<(String, u64)>>,
    /// How many tasks RunTask ever made.
    pub(crate) runs_made: u64,
    /// What instances had cost when the accounts were begun anew.
    pub(crate) bills_at_begin: BTreeMap<BillKey, i64>,
    /// When an instance of each group last ended.
    pub(crate) instance_ended_at: BTreeMap<String, Timestamp>,
    /// The clusters where a look at whoever waits is due.
    pub(crate) seats_due: BTreeSet<ClusterName>,
    agenda: BTreeMap<(Timestamp, u64), Happening>,
    agenda_made: u64,
    pub(crate) outbox: Outbox,
    pub(crate) gate: Gate,
    pub(crate) accounts: Accounts,
    pub(crate) timeline: Timeline,
    past: VecDeque<(Timestamp, State)>,
    capacity_changes: u64,
    /// For how long instances ran that can no longer be read, in milliseconds.
    pub(crate) billed: BTreeMap<BillKey, i64>,
    /// When the alarms look next.
    pub(crate) alarms_look_at: Option<Timestamp>,
    /// The loads on services.
    pub(crate) loads: Loads,
}

impl World {
    /// A world in which nothing has happened yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            dice: Dice::new(config.seed),
            now: config.start,
            state: State::default(),
            pools: Pools::new(),
            instance_pools: InstancePools::new(),
            launches: BTreeMap::new(),
            group_clusters: BTreeMap::new(),
            waiting: BTreeMap::new(),
            run_specs: BTreeMap::new(),
            held_steps: BTreeMap::new(),
            runs_made: 0,
            bills_at_begin: BTreeMap::new(),
            instance_ended_at: BTreeMap::new(),
            seats_due: BTreeSet::new(),
            agenda: BTreeMap::new(),
            agenda_made: 0,
            outbox: Outbox::default(),
            gate: Gate::default(),
            accounts: Accounts::default(),
            timeline: Timeline::default(),
            past: VecDeque::new(),
            capacity_changes: 0,
            billed: BTreeMap::new(),
            alarms_look_at: None,
            loads: Loads::default(),
            config,
        }
    }

    /// The time in the world.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// How the world was set up.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The faults, the delivery and the latency may be changed while the world runs. The seed, the start and the ids may not: a
    /// change of theirs has no effect on what exists already.
    pub const fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// The truth: what the API would answer if it were never late and never wrong.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The pools that were declared or used.
    #[must_use]
    pub const fn pools(&self) -> &BTreeMap<PoolKey, Pool> {
        &self.pools
    }

    /// When something happens next: a change in the world, or the delivery of an event.
    #[must_use]
    pub fn next_event_at(&self) -> Option<Timestamp> {
        let happening = self.agenda.keys().next().map(|(at, _)| *at);
        match (happening, self.outbox.next_at()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Lets time pass until `at`, with everything that happens on the way. A time in the past changes nothing.
    pub fn advance_to(&mut self, at: Timestamp) {
        while let Some((&(due, number), _)) = self.agenda.first_key_value() {
            if due > at {
                break;
            }
            let Some(happening) = self.agenda.remove(&(due, number)) else {
                break;
            };
            self.remember_past(due);
            self.now = self.now.max(due);
            self.happen(happening);
        }
        self.remember_past(at);
        self.now = self.now.max(at);
    }

    /// Lets so many seconds pass.
    pub fn advance_secs(&mut self, secs: u32) {
        self.advance_to(later(self.now, i64::from(secs) * 1_000));
    }

    /// Keeps what was so until now, for reads from the past. Only a world with stale reads pays for it.
    fn remember_past(&mut self, next: Timestamp) {
        let Some(age) = self.config.faults.stale_age else {
            return;
        };
        if next <= self.now || self.config.faults.stale_per_mille == 0 {
            return;
        }
        self.past.push_back((self.now, self.state.clone()));
        let horizon = later(next, -i64::from(age.max.max(age.min)));
        // The newest state from before the horizon is still needed: it was the truth at the horizon.
        while self.past.get(1).is_some_and(|(at, _)| *at <= horizon) {
            self.past.pop_front();
        }
    }

    /// What was so at a time: the newest known state that is not younger.
    pub(crate) fn state_at(&self, at: Timestamp) -> &State {
        self.past
            .iter()
            .rev()
            .find(|(known, _)| *known <= at)
            .or(self.past.front())
            .map_or(&self.state, |(_, state)| state)
    }

    pub(crate) fn plan(&mut self, at: Timestamp, happening: Happening) {
        self.agenda_made += 1;
        self.agenda.insert((at, self.agenda_made), happening);
    }

    pub(crate) fn plan_in(&mut self, millis: i64, happening: Happening) {
        self.plan(later(self.now, millis), happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::TaskStep { id, step } => self.task_step(&id, step),
            Happening::NoticeEnds { id } => self.notice_ends(&id),
            Happening::Forget { id } => self.forget(&id),
            Happening::Capacity { pool, capacity } => self.change_capacity(&pool, capacity),
            Happening::Look { service } => self.look(&service),
            Happening::InstanceRegistered { id } => self.instance_registered(&id),
            Happening::TargetJudged {
                task,
                group,
                change,
            } => self.target_judged(&task, &group, change),
            Happening::AgentFlaps { id, number } => self.agent_flaps(&id, number),
            Happening::AgentReturns { id, change } => self.agent_returns(&id, change),
            Happening::Seats { cluster } => self.seats(&cluster),
            Happening::WaitEnds { id } => self.wait_ends(&id),
            Happening::ProtectionEnds { id } => self.protection_ends(&id),
            Happening::DrainingHeartbeat { instance } => self.draining_heartbeat(&instance),
            Happening::ManagedScaling { provider, change } => {
                self.managed_scaling(&provider, change);
            }
            Happening::SteadyAgain { service, since } => self.steady_again(&service, since),
            Happening::Ec2(due) => self.ec2_happens(due),
            Happening::Group(due) => self.group_happens(due),
            Happening::EvaluateAlarms => self.evaluate_alarms(),
            Happening::LoadLook => self.look_at_load(),
            Happening::Published(publication) => self.published(&publication),
        }
    }

    fn forget(&mut self, id: &str) {
        self.run_specs.remove(id);
        let service = self.state.tasks.remove(id).and_then(|it| it.service);
        if let Some(service) = service.and_then(|it| self.state.services.get_mut(&it)) {
            service.tasks.remove(id);
        }
    }

    /// Declares a capacity provider over an Auto Scaling group: a pool of task slots in each zone, empty until
    /// [`World::set_capacity`] fills it.
    pub fn declare_group(&mut self, provider: &str, group: GroupProvider) {
        for zone in self.config.zones.clone() {
            self.pools
                .entry(PoolKey::new(provider, zone.as_str()))
                .or_default()
                .capacity = Some(0);
        }
        self.state.providers.insert(provider.to_owned(), group);
    }

    /// Sets how many tasks a pool can hold, from a time on. Where it then holds more, and is Spot, tasks are interrupted.
    pub fn set_capacity(&mut self, pool: PoolKey, at: Timestamp, capacity: u32) {
        self.plan(at.max(self.now), Happening::Capacity { pool, capacity });
        if at <= self.now {
            self.advance_to(self.now);
        }
    }

    /// Sets how many tasks a provider can hold in all zones together, spread evenly, from a time on.
    pub fn set_capacity_everywhere(&mut self, provider: &str, at: Timestamp, capacity: u32) {
        let zones = self.config.zones.clone();
        let count = u32::try_from(zones.len()).unwrap_or(u32::MAX).max(1);
        for (index, zone) in (0_u32..).zip(&zones) {
            let share = capacity / count + u32::from(index < capacity % count);
            self.set_capacity(PoolKey::new(provider, zone.as_str()), at, share);
        }
    }

    fn change_capacity(&mut self, key: &PoolKey, capacity: u32) {
        let market = self.market_of(&key.provider);
        let pool = self.pools.entry(key.clone()).or_default();
        pool.capacity = Some(capacity);
        let excess = pool.excess();
        let mut holders: Vec<String> = pool.kept.iter().cloned().collect();
        self.timeline.note(
            self.now,
            format!("capacity of {key} becomes {capacity} tasks"),
        );
        self.capacity_changes += 1;
        if market != Market::Spot || excess == 0 {
            return;
        }
        let mut rng = self
            .dice
            .rng("reclaim", &key.to_string(), self.capacity_changes);
        rng.shuffle(&mut holders);
        holders.truncate(excess);
        self.reclaim_all(key, &holders);
    }

    fn reclaim_all(&mut self, key: &PoolKey, ids: &[String]) {
        let mut names: Vec<&str> = ids.iter().map(|it| short(it)).take(10).collect();
        if ids.len() > names.len() {
            names.push("...");
        }
        self.timeline.note(
            self.now,
            format!(
                "Spot takes back {} tasks of {key}, they get their warning: {}",
                ids.len(),
                names.join(", ")
            ),
        );
        for id in ids {
            self.reclaim(key, id);
        }
    }

    /// Interrupts a task as Spot does, whatever the pool's capacity: event and SIGTERM now, the end after the notice.
    ///
    /// Returns whether there is such a task that holds Spot capacity.
    pub fn interrupt(&mut self, task_id: &str) -> bool {
        let Some(task) = self.state.tasks.get(task_id) else {
            return false;
        };
        if task.market != Market::Spot || !task.holds_slot || task.reclaimed {
            return false;
        }
        let key = self.pool_of(task);
        self.reclaim_all(&key, &[task_id.to_owned()]);
        true
    }

    /// Sets what a task's health checks say. Returns whether there is such a task.
    pub fn set_health(&mut self, task_id: &str, health: Health) -> bool {
        let Some(task) = self.state.tasks.get_mut(task_id) else {
            return false;
        };
        if task.last_status == TaskStatus::Stopped || task.health == health {
            return task.health == health;
        }
        task.health = health;
        let service = task.service.clone();
        self.task_changed(task_id);
        if let Some(service) = service {
            self.look_soon(&service);
        }
        true
    }

    /// How a provider's capacity is bought.
    #[must_use]
    pub fn market_of(&self, provider: &str) -> Market {
        match provider {
            model::strategy::FARGATE_SPOT => Market::Spot,
            name => match self.state.providers.get(name) {
                Some(declared) => declared.market,
                None => self.market_of_group(name),
            },
        }
    }

    /// How the group under a provider buys.
    fn market_of_group(&self, provider: &str) -> Market {
        let provider = self.state.group_providers.get(provider);
        let Some(group) = provider.and_then(|it| self.state.groups.get(&it.group)) else {
            return Market::OnDemand;
        };
        match &group.launch.mixed {
            Some(mixed) => {
                let distribution = &mixed.distribution;
                if distribution.on_demand_percentage_above_base_capacity < 100 {
                    Market::Spot
                } else {
                    Market::OnDemand
                }
            }
            None => self
                .state
                .launch_templates
                .get(&group.launch.template)
                .map_or(Market::OnDemand, |it| it.market),
        }
    }

    /// The ids of the live tasks of a service: those that are to run.
    #[must_use]
    pub fn live_tasks(&self, key: &ServiceKey) -> BTreeSet<String> {
        self.state
            .tasks_of(key)
            .filter(|it| it.is_live())
            .map(|it| it.id().to_owned())
            .collect()
    }
}
