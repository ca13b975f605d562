//! Container instances that take no new tasks: their service tasks are replaced and stopped, their daemons stop last.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html>

use super::managed::MANAGED_DRAINING_HOOK;
use crate::state::{ContainerInstanceStatus, HookResult, Task};
use crate::world::{Happening, World};

/// How often ECS renews the heartbeat of a lifecycle action, in milliseconds: half of the default timeout.
const HEARTBEAT_EVERY_MS: i64 = 1_800_000;

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
        let Some(instance) = self.state.container_instances.get(id) else {
            return;
        };
        if instance.status == ContainerInstanceStatus::Draining && instance.tasks.is_empty() {
            let machine = instance.ec2_instance_id.clone();
            self.let_go(&machine);
        }
    }

    /// Whether ECS drains an instance that its group or Spot takes.
    pub(crate) fn is_managed_draining(&self, id: &str) -> bool {
        let instance = self.state.container_instances.get(id);
        let provider = instance.and_then(|it| it.provider.as_ref());
        provider
            .and_then(|it| self.state.group_providers.get(it))
            .is_some_and(|it| it.managed_draining)
    }

    /// The hook of managed draining holds up a termination: the instance drains, and ECS renews the heartbeat meanwhile.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-instance-draining.html>
    pub(crate) fn begin_managed_draining(&mut self, ec2_instance_id: &str) {
        if !self.waits_for_draining(ec2_instance_id) {
            return;
        }
        let known = self.state.container_instance_of.get(ec2_instance_id);
        let Some(id) = known.cloned() else {
            self.let_go(ec2_instance_id);
            return;
        };
        self.drain_instance(&id);
        self.drained_further(&id);
        self.draining_heartbeat(ec2_instance_id);
    }

    /// ECS renews the heartbeat while an instance drains.
    pub(crate) fn draining_heartbeat(&mut self, ec2_instance_id: &str) {
        if !self.waits_for_draining(ec2_instance_id) {
            return;
        }
        let Some(group) = self.state.instances.get(ec2_instance_id) else {
            return;
        };
        let group = group.group.clone();
        let id = Some(ec2_instance_id);
        // Without a wait there is nothing to renew, and that was asked just now.
        let _renewed = self.record_lifecycle_heartbeat(&group, MANAGED_DRAINING_HOOK, id, None);
        let instance = ec2_instance_id.to_owned();
        self.plan_in(
            HEARTBEAT_EVERY_MS,
            Happening::DrainingHeartbeat { instance },
        );
    }

    fn waits_for_draining(&self, ec2_instance_id: &str) -> bool {
        let machine = self.state.instances.get(ec2_instance_id);
        machine.is_some_and(|it| it.waits.iter().any(|it| it.hook == MANAGED_DRAINING_HOOK))
    }

    /// An instance without tasks no longer holds up its termination.
    pub(crate) fn let_go(&mut self, ec2_instance_id: &str) {
        if !self.waits_for_draining(ec2_instance_id) {
            return;
        }
        let machine = self.state.instances.get(ec2_instance_id);
        let Some(group) = machine.map(|it| it.group.clone()) else {
            return;
        };
        let id = Some(ec2_instance_id);
        // The wait is there, so that this cannot fail.
        let _done = self.complete_lifecycle_action(
            &group,
            MANAGED_DRAINING_HOOK,
            id,
            None,
            HookResult::Continue,
        );
    }
}
