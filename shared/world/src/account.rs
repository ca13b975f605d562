//! What the world cost its users: tasks that were missing, and task time that was paid.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::ServiceKey;
use model::policy::TAG_STANDBY;

use crate::life::{is_on_demand, since};
use crate::state::Task;
use crate::world::World;

/// The account of one service, from [`World::begin_accounts`] (or the service's making) until now.
///
/// *Serving* is a RUNNING task that is not UNHEALTHY; an interrupted task serves until it leaves RUNNING. Where a service's tag
/// `ballast:standby` names a standby, the standby's serving tasks count for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// The service's desired count now.
    pub desired: u32,
    /// The serving tasks now, of the pair.
    pub serving: u32,
    /// The fewest serving tasks seen, of the pair.
    pub serving_min: u32,
    /// Since when at least the desired count serves; `None` while fewer do.
    pub whole_since: Option<Timestamp>,
    /// The sum over time of the tasks that were missing from the desired count, in task-milliseconds.
    pub below_desired_task_millis: u64,
    /// Time that on-demand tasks of the service itself took a slot, in task-milliseconds.
    pub on_demand_task_millis: u64,
    /// Time that Spot tasks of the service itself took a slot, in task-milliseconds.
    pub spot_task_millis: u64,
}

impl Account {
    /// Tasks below desired × seconds, rounded down.
    #[must_use]
    pub const fn below_desired_task_secs(&self) -> u64 {
        self.below_desired_task_millis / 1_000
    }

    /// On-demand task-seconds, rounded down.
    #[must_use]
    pub const fn on_demand_task_secs(&self) -> u64 {
        self.on_demand_task_millis / 1_000
    }

    /// Spot task-seconds, rounded down.
    #[must_use]
    pub const fn spot_task_secs(&self) -> u64 {
        self.spot_task_millis / 1_000
    }
}

/// What one task adds to its service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Part {
    serving: u32,
    on_demand: u32,
    spot: u32,
}

impl Part {
    fn of(task: &Task) -> Self {
        let on_demand = is_on_demand(task.market);
        Self {
            serving: u32::from(task.serves()),
            on_demand: u32::from(task.holds_slot && on_demand),
            spot: u32::from(task.holds_slot && !on_demand),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Line {
    settled_at: Option<Timestamp>,
    own: Part,
    standby: Option<ServiceKey>,
    account: Account,
}

/// The accounts of all services.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    lines: BTreeMap<ServiceKey, Line>,
    parts: BTreeMap<String, Part>,
    primary_of: BTreeMap<ServiceKey, ServiceKey>,
}

impl Accounts {
    fn pair_serving(&self, line: &Line) -> u32 {
        let standby = line.standby.as_ref().and_then(|it| self.lines.get(it));
        line.own.serving + standby.map_or(0, |it| it.own.serving)
    }

    /// Counts the time since the last change, with what was so until now.
    fn settle(&mut self, key: &ServiceKey, now: Timestamp) {
        let Some(line) = self.lines.get(key) else {
            return;
        };
        let account = self.settled(line, now);
        if let Some(line) = self.lines.get_mut(key) {
            line.account = account;
            line.settled_at = Some(now);
        }
    }

    fn settled(&self, line: &Line, now: Timestamp) -> Account {
        let passed = line.settled_at.map_or(0, |at| since(at, now));
        let passed = u64::try_from(passed).unwrap_or(0);
        let mut account = line.account;
        account.serving = self.pair_serving(line);
        account.serving_min = account.serving_min.min(account.serving);
        let below = account.desired.saturating_sub(account.serving);
        account.whole_since = (below == 0).then(|| account.whole_since.unwrap_or(now));
        account.below_desired_task_millis += u64::from(below) * passed;
        account.on_demand_task_millis += u64::from(line.own.on_demand) * passed;
        account.spot_task_millis += u64::from(line.own.spot) * passed;
        account
    }

    /// Settles a service, and the primary that it stands by for.
    fn settle_both(&mut self, key: &ServiceKey, now: Timestamp) {
        self.settle(key, now);
        if let Some(primary) = self.primary_of.get(key).cloned() {
            self.settle(&primary, now);
        }
    }
}

impl World {
    /// Keeps the account after a task changed.
    pub(crate) fn account_task(&mut self, id: &str) {
        let Some(task) = self.state.tasks.get(id) else {
            return;
        };
        let new = Part::of(task);
        let old = self.accounts.parts.get(id).copied().unwrap_or_default();
        if new == old {
            return;
        }
        let Some(key) = task.service.clone() else {
            return;
        };
        self.accounts.settle_both(&key, self.now);
        if let Some(line) = self.accounts.lines.get_mut(&key) {
            let own = &mut line.own;
            own.serving = own.serving + new.serving - old.serving;
            own.on_demand = own.on_demand + new.on_demand - old.on_demand;
            own.spot = own.spot + new.spot - old.spot;
        }
        if new == Part::default() {
            self.accounts.parts.remove(id);
        } else {
            self.accounts.parts.insert(id.to_owned(), new);
        }
        self.accounts.settle_both(&key, self.now);
        if new.serving != old.serving {
            self.note_serving(&key);
        }
    }

    /// Keeps the account after a service was made, or its desired count or its tags changed.
    pub(crate) fn account_service(&mut self, key: &ServiceKey) {
        let Some(service) = self.state.services.get(key) else {
            return;
        };
        let desired = service.desired_count;
        let standby = service
            .tags
            .get(TAG_STANDBY.name)
            .and_then(|it| it.parse().ok())
            .map(|it| ServiceKey::new(key.cluster.clone(), it));
        self.accounts.settle_both(key, self.now);
        let line = self.accounts.lines.entry(key.clone()).or_default();
        line.settled_at = Some(self.now);
        line.account.desired = desired;
        if let Some(standby) = standby {
            line.standby = Some(standby.clone());
            self.accounts.primary_of.insert(standby, key.clone());
        } else if let Some(before) = line.standby.take() {
            self.accounts.primary_of.remove(&before);
        }
        self.accounts.settle_both(key, self.now);
    }

    /// Tells the timeline when a service gets below its desired count, and when it is back.
    fn note_serving(&mut self, key: &ServiceKey) {
        let primary = self.accounts.primary_of.get(key).unwrap_or(key).clone();
        let Some(line) = self.accounts.lines.get(&primary) else {
            return;
        };
        let (serving, desired) = (line.account.serving, line.account.desired);
        self.timeline.serving(self.now, &primary, serving, desired);
    }

    /// The account of a service, until now.
    #[must_use]
    pub fn account(&self, key: &ServiceKey) -> Option<Account> {
        let line = self.accounts.lines.get(key)?;
        Some(self.accounts.settled(line, self.now))
    }

    /// Begins all accounts anew: what was missing and paid until now is forgotten.
    pub fn begin_accounts(&mut self) {
        let now = self.now;
        self.begin_instance_accounts();
        let keys: Vec<ServiceKey> = self.accounts.lines.keys().cloned().collect();
        for key in &keys {
            self.accounts.settle(key, now);
        }
        for line in self.accounts.lines.values_mut() {
            let account = line.account;
            line.account = Account {
                desired: account.desired,
                serving: account.serving,
                serving_min: account.serving,
                whole_since: account.whole_since,
                ..Account::default()
            };
        }
    }
}
