//! For how long instances ran.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>

use std::collections::BTreeMap;

use model::strategy::Market;

use super::Ec2Due;
use crate::life::since;
use crate::state::Instance;
use crate::world::{Happening, World};

/// What is billed alike: the group's name, the instance type and the market.
pub type BillKey = (String, String, Market);

impl World {
    /// The milliseconds that all instances ever ran, forgotten ones included: from running to shutting down, as EC2 bills them.
    #[must_use]
    pub fn instance_millis(&self) -> BTreeMap<BillKey, i64> {
        let mut bill = self.billed.clone();
        for instance in self.state.instances.values() {
            *bill.entry(bill_key(instance)).or_insert(0) += self.ran_millis(instance);
        }
        bill
    }

    /// A machine is stopped: its bill ends, until it runs again.
    pub(super) fn bill_so_far(&mut self, id: &str) {
        self.bill_ends(id);
        let Some(instance) = self.state.instances.get(id) else {
            return;
        };
        let (key, millis) = (bill_key(instance), self.ran_millis(instance));
        *self.billed.entry(key).or_insert(0) += millis;
        if let Some(instance) = self.state.instances.get_mut(id) {
            instance.running_at = None;
        }
    }

    fn ran_millis(&self, instance: &Instance) -> i64 {
        instance
            .running_at
            .map_or(0, |from| since(from, instance.ended_at.unwrap_or(self.now)))
    }

    /// A terminated instance can no longer be read; what it cost stays known.
    pub(super) fn forget_instance(&mut self, id: &str) {
        // Its group still waits for a hook of it.
        if self
            .state
            .instances
            .get(id)
            .is_some_and(|it| !it.waits.is_empty())
        {
            let kept = i64::from(self.config.ec2.kept_secs) * 1_000;
            let id = id.to_owned();
            self.plan_in(kept, Happening::Ec2(Ec2Due::Forget { id }));
            return;
        }
        if let Some(instance) = self.state.instances.remove(id) {
            let millis = self.ran_millis(&instance);
            *self.billed.entry(bill_key(&instance)).or_insert(0) += millis;
        }
    }
}

fn bill_key(instance: &Instance) -> BillKey {
    (
        instance.group.clone(),
        instance.instance_type.clone(),
        instance.market,
    )
}
