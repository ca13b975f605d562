//! What the instances of a group cost: their time, from when a machine runs until it begins to shut down.

use jiff::Timestamp;
use model::strategy::Market;

use crate::life::since;
use crate::world::World;

/// The account of one group, from [`World::begin_accounts`] (or the world's start) until now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InstanceAccount {
    /// The instances that are paid for now.
    pub instances: u32,
    /// Time of on-demand instances, in instance-milliseconds.
    pub on_demand_instance_millis: u64,
    /// Time of Spot instances, in instance-milliseconds.
    pub spot_instance_millis: u64,
    /// When an instance was last added to those that are paid for, or left them.
    pub changed_at: Option<Timestamp>,
}

impl InstanceAccount {
    /// On-demand instance-seconds, rounded down.
    #[must_use]
    pub const fn on_demand_instance_secs(&self) -> u64 {
        self.on_demand_instance_millis / 1_000
    }

    /// Spot instance-seconds, rounded down.
    #[must_use]
    pub const fn spot_instance_secs(&self) -> u64 {
        self.spot_instance_millis / 1_000
    }

    const fn add(&mut self, market: Market, millis: u64) {
        match market {
            Market::Spot => self.spot_instance_millis += millis,
            Market::OnDemand | Market::Unknown => self.on_demand_instance_millis += millis,
        }
    }
}

impl World {
    /// The account of a group's instances, until now. A group that nobody knows has an empty one.
    #[must_use]
    pub fn instance_account(&self, group: &str) -> InstanceAccount {
        let ended = self.instance_bills.get(group).copied();
        let mut account = ended.unwrap_or_default();
        let own = self.state.instances.values();
        for instance in own.filter(|it| it.group == group && it.ended_at.is_none()) {
            let Some(from) = instance.running_at else {
                continue;
            };
            account.instances += 1;
            account.changed_at = account.changed_at.max(Some(from));
            account.add(instance.market, self.billed_millis(from, self.now));
        }
        account
    }

    fn billed_millis(&self, from: Timestamp, until: Timestamp) -> u64 {
        let from = self.accounts_begun_at.map_or(from, |it| it.max(from));
        u64::try_from(since(from, until)).unwrap_or(0)
    }

    /// An instance begins to shut down: its bill ends.
    pub(crate) fn bill_instance(&mut self, id: &str) {
        let Some(instance) = self.state.instances.get(id) else {
            return;
        };
        let Some(from) = instance.running_at else {
            return;
        };
        let millis = self.billed_millis(from, self.now);
        let (group, market) = (instance.group.clone(), instance.market);
        let bill = self.instance_bills.entry(group).or_default();
        bill.add(market, millis);
        bill.changed_at = Some(self.now);
    }

    /// Begins the accounts of all groups anew.
    pub(crate) fn begin_instance_accounts(&mut self) {
        self.instance_bills.clear();
        self.accounts_begun_at = Some(self.now);
    }
}
