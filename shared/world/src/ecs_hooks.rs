//! What a container instance does when something happens to its EC2 instance.

use jiff::Timestamp;

use crate::world::World;

impl World {
    /// An instance is up: its ECS agent starts.
    pub(crate) fn ecs_instance_booted(&mut self, instance_id: &str) {
        self.register_container_instance(instance_id);
    }

    /// An instance shuts down, and everything on it with it.
    pub(crate) fn ecs_instance_gone(&mut self, instance_id: &str) {
        self.bill_ends(instance_id);
        self.lose_container_instance(instance_id);
    }

    /// Spot takes an instance at a time: it drains until then, if its agent or its capacity provider is told to.
    pub(crate) fn ecs_instance_going(&mut self, instance_id: &str, _deadline: Timestamp) {
        let Some(id) = self.state.container_instance_of.get(instance_id).cloned() else {
            return;
        };
        if self.config.spot_instance_draining || self.is_managed_draining(&id) {
            self.drain_instance(&id);
        }
    }

    /// An instance waits for the hooks of its termination.
    pub(crate) fn ecs_instance_waits(&mut self, instance_id: &str) {
        self.begin_managed_draining(instance_id);
    }
}
