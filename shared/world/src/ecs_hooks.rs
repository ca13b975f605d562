//! What a container instance does when something happens to its EC2 instance.

use jiff::Timestamp;

use crate::world::World;

impl World {
    /// An instance is up: its ECS agent starts.
    #[expect(clippy::unused_self, reason = "the instance runs no agent yet")]
    pub(crate) const fn ecs_instance_booted(&mut self, _instance_id: &str) {}

    /// An instance shuts down, and everything on it with it.
    #[expect(clippy::unused_self, reason = "the instance runs no agent yet")]
    pub(crate) const fn ecs_instance_gone(&mut self, _instance_id: &str) {}

    /// Spot takes an instance at a time.
    #[expect(clippy::unused_self, reason = "the instance runs no agent yet")]
    pub(crate) const fn ecs_instance_going(&mut self, _instance_id: &str, _deadline: Timestamp) {}
}
