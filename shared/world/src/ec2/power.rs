//! Instances that a person, or EC2 itself, stops, starts and ends.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Stop_Start.html>

use super::life::pool_of;
use crate::state::MachineState;
use crate::world::World;

impl World {
    /// Stops an instance that runs. What runs on it ends at once. A group takes it for unhealthy some time later, and replaces it.
    ///
    /// Returns whether there is such an instance.
    pub fn stop_instance(&mut self, id: &str) -> bool {
        let state = self.state.instances.get(id).map(|it| it.state);
        if state != Some(MachineState::Running) {
            return false;
        }
        self.timeline
            .note(self.now, format!("instance {id} is stopped"));
        self.machine_stops(id);
        true
    }

    /// Starts an instance that is stopped. What it registered with ECS before is taken up again.
    ///
    /// Returns whether there is such an instance.
    pub fn start_instance_again(&mut self, id: &str) -> bool {
        let Some(instance) = self
            .state
            .instances
            .get_mut(id)
            .filter(|it| it.state == MachineState::Stopped)
        else {
            return false;
        };
        instance.state = MachineState::Pending;
        instance.stopped_at = None;
        instance.interrupted_at = None;
        instance.reclaim = None;
        instance.booted_at = None;
        instance.starts += 1;
        instance.step += 1;
        let key = pool_of(instance);
        let pool = self.instance_pools.entry(key).or_default();
        pool.kept.insert(id.to_owned());
        self.timeline
            .note(self.now, format!("instance {id} is started again"));
        self.machine_changed(id);
        self.plan_machine_step(id);
        true
    }

    /// Ends an instance as EC2's TerminateInstances does: no lifecycle hook runs, and its group notices only some time later.
    ///
    /// Returns whether there is such an instance that was not ending yet.
    pub fn end_instance(&mut self, id: &str) -> bool {
        let instance = self.state.instances.get(id);
        if instance.is_none_or(|it| it.state.is_ending()) {
            return false;
        }
        self.timeline.note(
            self.now,
            format!("instance {id} is terminated by a person, past its group"),
        );
        self.machine_ends(id);
        self.group_notices(id);
        true
    }

    /// A machine begins to stop. Its bill ends, and what runs on it does.
    pub(crate) fn machine_stops(&mut self, id: &str) {
        let Some(instance) = self
            .state
            .instances
            .get_mut(id)
            .filter(|it| it.state == MachineState::Running)
        else {
            return;
        };
        instance.state = MachineState::Stopping;
        instance.step += 1;
        let key = pool_of(instance);
        if let Some(pool) = self.instance_pools.get_mut(&key) {
            pool.kept.remove(id);
            pool.reclaimed.remove(id);
        }
        self.machine_changed(id);
        self.ecs_instance_stops(id);
        self.bill_so_far(id);
        self.plan_machine_step(id);
    }

    /// A machine is stopped.
    pub(super) fn machine_stopped(&mut self, id: &str) {
        let now = self.now;
        if let Some(instance) = self.state.instances.get_mut(id) {
            instance.state = MachineState::Stopped;
            instance.stopped_at = Some(now);
        }
        self.machine_changed(id);
        self.group_notices(id);
    }
}
