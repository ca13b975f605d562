//! What the instances of a group cost: their time, from when a machine runs until it begins to shut down.

use jiff::Timestamp;
use model::strategy::Market;

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
}

impl World {
    /// The account of a group's instances, until now. A group that nobody knows has an empty one.
    #[must_use]
    pub fn instance_account(&self, group: &str) -> InstanceAccount {
        let mut account = InstanceAccount {
            changed_at: self.instance_ended_at.get(group).copied(),
            ..InstanceAccount::default()
        };
        let own = self.state.instances.values();
        for instance in own.filter(|it| it.group == group && it.ended_at.is_none()) {
            if instance.running_at.is_some() {
                account.instances += 1;
                account.changed_at = account.changed_at.max(instance.running_at);
            }
        }
        for (key, millis) in self.instance_millis() {
            let (of, _, market) = &key;
            if of != group {
                continue;
            }
            let before = self.bills_at_begin.get(&key).copied().unwrap_or(0);
            let millis = u64::try_from(millis - before).unwrap_or(0);
            match market {
                Market::Spot => account.spot_instance_millis += millis,
                Market::OnDemand | Market::Unknown => account.on_demand_instance_millis += millis,
            }
        }
        account
    }

    /// An instance begins to shut down: its bill ends.
    pub(crate) fn bill_ends(&mut self, id: &str) {
        let paid = self.state.instances.get(id);
        if let Some(instance) = paid.filter(|it| it.running_at.is_some()) {
            self.instance_ended_at
                .insert(instance.group.clone(), self.now);
        }
    }

    /// Begins the accounts of all groups anew.
    pub(crate) fn begin_instance_accounts(&mut self) {
        self.bills_at_begin = self.instance_millis();
    }
}
