//! A group's look at itself: what it lacks, what it has too much of, what is out of balance.

use std::collections::BTreeMap;

use crate::pool::later;
use crate::state::{Group, Instance, Process};
use crate::world::World;

impl World {
    /// The capacity of a group that counts against the desired one: what is on its way in, or in service.
    #[must_use]
    pub fn group_capacity(&self, group: &str) -> u32 {
        self.state
            .groups
            .get(group)
            .map_or(0, |it| self.counted(it).map(|it| it.weight).sum())
    }

    /// The instances of a group that count, in the order of their ids.
    pub(super) fn counted<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Instance> {
        group
            .instances
            .iter()
            .filter_map(|id| self.state.instances.get(id))
            .filter(|it| it.lifecycle_state.counts())
    }

    /// How much of a group is in each of its zones.
    pub(super) fn zones_of(&self, group: &Group) -> BTreeMap<String, u32> {
        let mut zones: BTreeMap<String, u32> =
            group.zones.iter().map(|it| (it.clone(), 0)).collect();
        for instance in self.counted(group) {
            *zones.entry(instance.zone.clone()).or_insert(0) += 1;
        }
        zones
    }

    pub(super) fn group_look(&mut self, name: &str) {
        let now = self.now;
        let Some(group) = self.state.groups.get_mut(name) else {
            return;
        };
        // A look that was planned for later, before an earlier one was.
        if group.look_at != Some(now) {
            return;
        }
        group.look_at = None;
        if group.deleting && group.instances.is_empty() {
            self.state.groups.remove(name);
            return;
        }
        self.check_health(name);
        self.replace_unhealthy(name);
        self.replace_at_risk(name);
        let Some(group) = self.state.groups.get(name) else {
            return;
        };
        let have: u32 = self.counted(group).map(|it| it.weight).sum();
        let wanted = group.desired_capacity;
        if have < wanted {
            self.grow(name, have, wanted);
        } else if have > wanted && !self.is_rebalancing(name) && !self.is_replacing(name) {
            self.shrink(name, have, wanted);
        } else if have == wanted {
            if let Some(group) = self.state.groups.get_mut(name) {
                group.launch_failures = 0;
                group.cause.clear();
            }
            self.balance_zones(name);
        }
    }

    /// Whether an instance that only balances the zones is on its way in: what it replaces stays until it is there.
    fn is_rebalancing(&self, name: &str) -> bool {
        self.state.groups.get(name).is_some_and(|group| {
            group.rebalancing.as_ref().is_some_and(|id| {
                self.state
                    .instances
                    .get(id)
                    .is_some_and(|it| it.lifecycle_state.is_pending())
            })
        })
    }

    /// Takes out of service what is unhealthy, unless a process that it needs is suspended.
    fn replace_unhealthy(&mut self, name: &str) {
        let Some(group) = self.state.groups.get(name) else {
            return;
        };
        if group.is_suspended(Process::ReplaceUnhealthy) || group.is_suspended(Process::Terminate) {
            return;
        }
        let unhealthy: Vec<(String, bool)> = self
            .counted(group)
            .filter(|it| !it.healthy)
            .map(|it| {
                let is_gone = it.state.is_ending() || it.state.is_off();
                (it.id.clone(), is_gone)
            })
            .collect();
        for (id, is_gone) in unhealthy {
            let check = if is_gone {
                "an EC2 health check indicating it has been terminated or stopped"
            } else {
                "a health check indicating it is unhealthy"
            };
            let at = self.at_text();
            self.take_out(
                &id,
                format!("At {at} an instance was taken out of service in response to {check}."),
            );
        }
    }

    /// Some time after an instance went, its group notices.
    pub(super) fn notice_gone(&mut self, id: &str) {
        if let Some(instance) = self.state.instances.get(id) {
            let name = instance.group.clone();
            self.group_look_soon(&name);
        }
    }

    /// The regular health check: what is gone for some time is unhealthy.
    fn check_health(&mut self, name: &str) {
        let now = self.now;
        let wait = i64::from(self.config.ec2.health_check_secs) * 1_000;
        let Some(group) = self.state.groups.get(name) else {
            return;
        };
        if group.is_suspended(Process::HealthCheck) {
            return;
        }
        for id in &group.instances {
            if let Some(instance) = self.state.instances.get_mut(id)
                && instance
                    .ended_at
                    .or(instance.stopped_at)
                    .is_some_and(|it| later(it, wait) <= now)
            {
                instance.healthy = false;
            }
        }
    }

    /// Says that an instance is unhealthy, or healthy again, as SetInstanceHealth and the health checks do. Returns whether there is
    /// such an instance.
    pub fn set_group_instance_health(&mut self, id: &str, healthy: bool) -> bool {
        let Some(instance) = self.state.instances.get_mut(id) else {
            return false;
        };
        instance.healthy = healthy;
        let group = instance.group.clone();
        self.group_look_soon(&group);
        true
    }

    /// Where one zone has at least two instances more than another that has room, launches one there; the next look terminates one
    /// of the fullest zone. The group may exceed its maximum by a tenth, or one, meanwhile.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-benefits.html>
    fn balance_zones(&mut self, name: &str) {
        let Some(group) = self.state.groups.get(name) else {
            return;
        };
        let is_busy = self
            .counted(group)
            .any(|it| it.lifecycle_state.is_pending());
        if is_busy
            || group.deleting
            || [Process::AzRebalance, Process::Launch, Process::Terminate]
                .into_iter()
                .any(|it| group.is_suspended(it))
        {
            return;
        }
        let zones = self.zones_of(group);
        let most = zones.values().copied().max().unwrap_or(0);
        // What will go for it: the oldest of the fullest zones. With all of them protected, nothing could.
        let leaves = self
            .counted(group)
            .filter(|it| zones.get(&it.zone) == Some(&most) && !it.protected_from_scale_in)
            .min_by_key(|it| it.launched_at);
        let poor: Vec<String> = group
            .zones
            .iter()
            .filter(|it| zones.get(*it).is_some_and(|count| count + 2 <= most))
            .cloned()
            .collect();
        let Some(market) = leaves.map(|it| it.market).filter(|_| !poor.is_empty()) else {
            return;
        };
        let full: Vec<&str> = zones
            .iter()
            .filter(|(_, count)| **count == most)
            .map(|(zone, _)| zone.as_str())
            .collect();
        let at = self.at_text();
        let cause = format!(
            "At {at} an instance was launched to rebalance the group: availability zone {} has more instances than availability \
             zone {}.",
            full.join(", "),
            poor.join(", ")
        );
        if !self.launch_to_balance(name, &poor, market, cause) {
            let again = later(self.now, i64::from(self.config.ec2.retry_max_secs) * 1_000);
            self.group_look_at(name, again);
        }
    }
}
