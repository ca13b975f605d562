//! Warm pools: how instances come into them, and leave them.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/warm-pool-instance-lifecycle.html>

use model::strategy::Market;

use super::desired::{group_not_found, validation};
use crate::error::ApiError;
use crate::state::{ActivityStatus, Instance, Lifecycle, WarmPool, WarmPoolState};
use crate::world::World;

impl World {
    /// Gives a group a warm pool of so many instances, or changes the one that it has: what it lacks is launched, and what it has too much
    /// of is terminated, the oldest first, through the group's hooks. What is in it already stays as it is.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutWarmPool.html>
    ///
    /// # Errors
    /// `ValidationError` where there is no such group, or where it has a mixed instances policy or buys Spot.
    pub fn put_warm_pool(
        &mut self,
        name: &str,
        min_size: u32,
        state: WarmPoolState,
    ) -> Result<(), ApiError> {
        let group = (self.state.groups.get_mut(name)).ok_or_else(group_not_found)?;
        let template = self.state.launch_templates.get(&group.launch.template);
        let is_on_demand = template.is_none_or(|it| it.market != Market::Spot);
        if group.launch.mixed.is_some() || !is_on_demand {
            return Err(validation(
                "You can't add a warm pool to an Auto Scaling group that has a mixed instances policy or requests Spot Instances.",
            ));
        }
        let before = group.warm_pool.take();
        group.warm_pool = Some(WarmPool {
            min_size,
            state,
            deleting: false,
            instances: before.map(|it| it.instances).unwrap_or_default(),
        });
        let there = self.warm(name);
        for number in there.len()..usize::try_from(min_size).unwrap_or(usize::MAX) {
            self.launch_into_pool(name, number);
        }
        let surplus = there
            .len()
            .saturating_sub(usize::try_from(min_size).unwrap_or(usize::MAX));
        self.leave_pool(there.into_iter().take(surplus));
        Ok(())
    }

    /// Deletes a group's warm pool: its instances are terminated through the group's hooks, and it is gone with the last of them.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteWarmPool.html>
    ///
    /// # Errors
    /// `ValidationError` where there is no such group, or where it has no warm pool.
    pub fn delete_warm_pool(&mut self, name: &str) -> Result<(), ApiError> {
        let group = (self.state.groups.get_mut(name)).ok_or_else(group_not_found)?;
        let missing = || validation(format!("No warm pool found for {name}"));
        let pool = group.warm_pool.as_mut().ok_or_else(missing)?;
        pool.deleting = true;
        pool.min_size = 0;
        if pool.instances.is_empty() {
            group.warm_pool = None;
        }
        let there = self.warm(name);
        self.leave_pool(there.into_iter());
        Ok(())
    }

    /// The instances of a group's warm pool that stay in it, the oldest first; ties go to the id.
    fn warm(&self, name: &str) -> Vec<String> {
        let pool = self
            .state
            .groups
            .get(name)
            .and_then(|it| it.warm_pool.as_ref());
        let ids = pool.into_iter().flat_map(|it| &it.instances);
        let instances = ids.filter_map(|id| self.state.instances.get(id));
        let mut staying: Vec<&Instance> = instances
            .filter(|it| !it.lifecycle_state.is_terminating())
            .collect();
        staying.sort_by_key(|it| (it.launched_at, &it.id));
        staying.into_iter().map(|it| it.id.clone()).collect()
    }

    /// Launches an instance into a group's warm pool, in one of its zones after the other. Without room nothing is launched.
    fn launch_into_pool(&mut self, name: &str, number: usize) {
        let market = Market::OnDemand;
        let Some(group) = self.state.groups.get(name) else {
            return;
        };
        let turn = number.checked_rem(group.zones.len()).unwrap_or(0);
        let Some(zone) = group.zones.get(turn).cloned() else {
            return;
        };
        let menu = self.menu_of(group);
        let order = self.choose_pool(&menu, &zone, market, self.vcpus_left(market));
        let Some(candidate) = order.ok().and_then(|it| menu.candidates.get(it)).cloned() else {
            return;
        };
        let at = self.at_text();
        let cause =
            format!("At {at} an instance was started in response to a warm pool that lacks one.");
        let into = Lifecycle::WarmedPending;
        let id = self.start_instance(name, &candidate, &zone, market, into, cause);
        self.timeline.note(
            self.now,
            format!("group {name} launches {id} into its warm pool"),
        );
    }

    fn leave_pool(&mut self, ids: impl Iterator<Item = String>) {
        for id in ids {
            let at = self.at_text();
            let cause = format!(
                "At {at} an instance was taken out of a warm pool in response to a user request."
            );
            self.timeline.note(
                self.now,
                format!("instance {id} is terminated, out of its warm pool"),
            );
            self.take_out(&id, cause);
        }
    }

    /// The machine of an instance that was launched into a warm pool runs: it goes on, or is stopped, as the pool has it.
    pub(crate) fn warm_instance_runs(&mut self, id: &str) {
        let Some(instance) = self.state.instances.get_mut(id) else {
            return;
        };
        let (name, activity) = (instance.group.clone(), instance.activity.clone());
        let pool = self
            .state
            .groups
            .get(&name)
            .and_then(|it| it.warm_pool.as_ref());
        let stops = pool.is_some_and(|it| it.state == WarmPoolState::Stopped);
        instance.lifecycle_state = if stops {
            Lifecycle::WarmedStopped
        } else {
            Lifecycle::WarmedRunning
        };
        self.set_activity(&name, &activity, ActivityStatus::Successful, None);
        if stops {
            self.machine_stops(id);
        }
    }

    /// An instance is gone out of the warm pool that it may have been in.
    pub(super) fn warm_instance_out(&mut self, name: &str, id: &str) {
        let Some(group) = self.state.groups.get_mut(name) else {
            return;
        };
        let Some(pool) = &mut group.warm_pool else {
            return;
        };
        pool.instances.remove(id);
        if pool.deleting && pool.instances.is_empty() {
            group.warm_pool = None;
        }
    }
}
