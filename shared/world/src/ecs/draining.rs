//! Container instances that take no new tasks: their service tasks are replaced and stopped, their daemons stop last.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html>

use crate::state::{ContainerInstanceStatus, Task};
use crate::world::World;

impl World {
    /// Whether a task's instance is DRAINING.
    pub(crate) fn is_on_draining(&self, task: &Task) -> bool {
        let instance = task
            .container_instance
            .as_ref()
            .and_then(|it| self.state.container_instances.get(it));
        instance.is_some_and(|it| it.status == ContainerInstanceStatus::Draining)
    }

    /// Sets an ACTIVE instance to DRAINING. Tasks that belong to no service stay.
    pub(crate) fn drain_instance(&mut self, id: &str) {
        let now = self.now;
        let Some(instance) = self.state.container_instances.get_mut(id) else {
            return;
        };
        if instance.status != ContainerInstanceStatus::Active {
            return;
        }
        instance.status = ContainerInstanceStatus::Draining;
        instance.draining_since = Some(now);
        let text = format!("{} is DRAINING", instance.ec2_instance_id);
        self.timeline.note(now, text);
        self.container_instance_changed(id);
        for key in self.services_on(id) {
            self.look_soon(&key);
        }
        self.drained_further(id);
    }

    /// Sets a DRAINING instance back to ACTIVE.
    pub(crate) fn undrain_instance(&mut self, id: &str) {
        let Some(instance) = self.state.container_instances.get_mut(id) else {
            return;
        };
        if instance.status != ContainerInstanceStatus::Draining {
            return;
        }
        instance.status = ContainerInstanceStatus::Active;
        instance.draining_since = None;
        let cluster = instance.cluster.clone();
        let text = format!("{} is ACTIVE again", instance.ec2_instance_id);
        self.timeline.note(self.now, text);
        self.container_instance_changed(id);
        for key in self.services_on(id) {
            self.look_soon(&key);
        }
        self.look_at_daemons(&cluster);
        self.seats_soon(&cluster);
    }

    /// A draining instance has a task less, or has just begun to drain.
    pub(crate) fn drained_further(&mut self, id: &str) {
        self.stop_daemons_of_drained(id);
        let drained = self.state.container_instances.get(id).is_some_and(|it| {
            it.status == ContainerInstanceStatus::Draining && it.tasks.is_empty()
        });
        if drained {
            self.finish_managed_draining(id);
        }
    }
}
