//! Capacity Rebalancing: a group replaces Spot instances that are at risk before Spot takes them.
//!
//! On a recommendation it launches a replacement, beyond its maximum if it must, and terminates the old instance through its
//! hooks once the replacement is in service. On a warning it does not wait for the replacement.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-capacity-rebalancing.html>

use model::strategy::Market;

use super::pools::zones_by_need;
use crate::pool::later;
use crate::state::{Group, Instance, Lifecycle, MachineState, Process};
use crate::world::World;

/// By how much of its desired capacity a group may exceed its maximum meanwhile, in percent; by one instance at least.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-capacity-rebalancing.html>
const SURPLUS_PERCENT: u32 = 10;

impl World {
    /// Turns Capacity Rebalancing of a group on or off. Returns whether there is such a group.
    pub fn set_capacity_rebalance(&mut self, group: &str, rebalances: bool) -> bool {
        let known = self.state.groups.get_mut(group);
        let is_there = known.is_some_and(|it| {
            it.capacity_rebalance = rebalances;
            true
        });
        self.group_look_soon(group);
        is_there
    }

    /// Spot recommends to replace an instance.
    pub(crate) fn group_hears_recommendation(&mut self, id: &str) {
        if let Some(group) = self.rebalancing_group_of(id) {
            self.group_look_soon(&group);
        }
    }

    /// Spot warns an instance: its hooks begin, and its replacement is launched at once.
    pub(crate) fn group_hears_warning(&mut self, id: &str) {
        let Some(group) = self.rebalancing_group_of(id) else {
            return;
        };
        let Some(known) = self.state.groups.get(&group) else {
            return;
        };
        if known.is_suspended(Process::Terminate) {
            return;
        }
        let at = self.at_text();
        self.take_out(
            id,
            format!(
                "At {at} an instance was taken out of service in response to an EC2 Spot Instance interruption notice."
            ),
        );
    }

    /// The group with Capacity Rebalancing that an instance is in service of.
    fn rebalancing_group_of(&self, id: &str) -> Option<String> {
        let instance = self.state.instances.get(id)?;
        let group = self.state.groups.get(&instance.group)?;
        let acts = group.capacity_rebalance
            && !group.deleting
            && instance.lifecycle_state == Lifecycle::InService;
        acts.then(|| group.name.clone())
    }

    /// Part of a group's look: what was replaced goes, and what is at risk gets a replacement.
    pub(super) fn replace_at_risk(&mut self, name: &str) {
        self.end_replacements(name);
        let Some(group) = self.state.groups.get(name) else {
            return;
        };
        if !group.capacity_rebalance
            || group.deleting
            || [Process::Launch, Process::Terminate]
                .into_iter()
                .any(|it| group.is_suspended(it))
        {
            return;
        }
        // A group that lacks capacity scales out first.
        let have: u32 = self.counted(group).map(|it| it.weight).sum();
        if have < group.desired_capacity {
            return;
        }
        let at_risk: Vec<String> = self.at_risk(group).map(|it| it.id.clone()).collect();
        for old in at_risk {
            if !self.launch_replacement(name, &old) {
                let wait = i64::from(self.config.ec2.retry_first_secs) * 1_000;
                let again = later(self.now, wait);
                self.group_look_at(name, again);
                return;
            }
        }
    }

    /// The instances in service that Spot recommends to replace, and that may be and are not yet.
    fn at_risk<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Instance> {
        self.counted(group).filter(|it| {
            it.rebalance_recommended_at.is_some()
                && it.lifecycle_state == Lifecycle::InService
                && it.state == MachineState::Running
                && !it.protected_from_scale_in
                && !group.replacing.values().any(|old| *old == it.id)
        })
    }

    /// Whether a replacement is on its way in for an instance that is still there: nothing is too much meanwhile.
    pub(super) fn is_replacing(&self, name: &str) -> bool {
        let Some(group) = self.state.groups.get(name) else {
            return false;
        };
        let counts = |id: &String| {
            let instance = self.state.instances.get(id);
            instance.is_some_and(|it| it.lifecycle_state.counts())
        };
        let mut pairs = group.replacing.iter();
        pairs.any(|(new, old)| counts(new) && counts(old))
    }

    /// Takes out what has a replacement in service, and forgets replacements that came to nothing or are no longer needed.
    fn end_replacements(&mut self, name: &str) {
        let Some(group) = self.state.groups.get(name) else {
            return;
        };
        let state_of = |id: &String| self.state.instances.get(id).map(|it| it.lifecycle_state);
        let over: Vec<(String, Option<String>)> = group
            .replacing
            .iter()
            .filter_map(|(new, old)| {
                let old_counts = state_of(old).is_some_and(Lifecycle::counts);
                match state_of(new) {
                    Some(Lifecycle::InService) => {
                        Some((new.clone(), old_counts.then(|| old.clone())))
                    }
                    Some(new_state) if new_state.counts() && old_counts => None,
                    Some(_) | None => Some((new.clone(), None)),
                }
            })
            .collect();
        for (new, old) in over {
            if let Some(group) = self.state.groups.get_mut(name) {
                group.replacing.remove(&new);
            }
            let Some(old) = old else {
                continue;
            };
            let at = self.at_text();
            self.timeline.note(
                self.now,
                format!("group {name} terminates instance {old}, which {new} replaces"),
            );
            self.take_out(
                &old,
                format!(
                    "At {at} an instance was taken out of service in response to an EC2 instance rebalance recommendation."
                ),
            );
        }
    }

    /// Launches the replacement of an instance, if the group has room for a surplus and a pool has room. Whether it did is the
    /// answer.
    fn launch_replacement(&mut self, name: &str, old: &str) -> bool {
        let Some(group) = self.state.groups.get(name) else {
            return false;
        };
        let have: u32 = self.counted(group).map(|it| it.weight).sum();
        let surplus = (group.desired_capacity.saturating_mul(SURPLUS_PERCENT) / 100).max(1);
        let menu = self.menu_of(group);
        let left = self.vcpus_left(Market::Spot);
        // As if the old one were gone, so that no zone has too many afterwards.
        let mut counts = self.zones_of(group);
        let leaves = self.state.instances.get(old);
        if let Some(count) = leaves.and_then(|it| counts.get_mut(&it.zone)) {
            *count = count.saturating_sub(1);
        }
        let zones = zones_by_need(&group.zones, &counts);
        let found = zones.into_iter().find_map(|zone| {
            let order = self.choose_pool(&menu, &zone, Market::Spot, left).ok()?;
            let candidate = menu.candidates.get(order)?.clone();
            let fits =
                have.saturating_add(candidate.weight) <= group.max_size.saturating_add(surplus);
            fits.then_some((zone, candidate))
        });
        let Some((zone, candidate)) = found else {
            return false;
        };
        let at = self.at_text();
        let cause = format!(
            "At {at} an instance was launched in response to an EC2 instance rebalance recommendation."
        );
        let (market, into) = (Market::Spot, Lifecycle::Pending);
        let new = self.start_instance(name, &candidate, &zone, market, into, cause);
        self.timeline.note(
            self.now,
            format!("group {name} launches instance {new} in {zone}, to replace {old}"),
        );
        if let Some(group) = self.state.groups.get_mut(name) {
            group.replacing.insert(new, old.to_owned());
        }
        true
    }
}
