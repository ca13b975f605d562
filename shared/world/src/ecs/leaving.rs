//! Container instances that leave: deregistered by a person, or gone with their machine.

use model::snapshot::TaskStatus;

use crate::state::{ContainerInstance, ContainerInstanceStatus};
use crate::world::{Happening, World};

impl World {
    /// The machine is gone: its tasks end at once, and the container instance is deregistered.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deregister_container_instance.html>
    pub(crate) fn lose_container_instance(&mut self, ec2_instance_id: &str) {
        let Some(id) = self.state.container_instance_of.remove(ec2_instance_id) else {
            return;
        };
        let reason = format!("Host EC2 (instance {ec2_instance_id}) terminated.");
        self.leave(&id, &reason);
    }

    /// Takes an instance out of its cluster, with or without the tasks that it has.
    pub(crate) fn deregister(&mut self, id: &str) -> Option<ContainerInstance> {
        let instance = self.state.container_instances.get(id)?;
        let machine = instance.ec2_instance_id.clone();
        self.state.container_instance_of.remove(&machine);
        self.leave(id, "Container instance was deregistered.")
    }

    fn leave(&mut self, id: &str, reason: &str) -> Option<ContainerInstance> {
        let instance = self.state.container_instances.get_mut(id)?;
        instance.status = ContainerInstanceStatus::Inactive;
        instance.agent_connected = false;
        let (machine, cluster) = (instance.ec2_instance_id.clone(), instance.cluster.clone());
        let tasks: Vec<String> = instance.tasks.iter().cloned().collect();
        self.timeline.note(
            self.now,
            format!("{machine} left {cluster} with {} tasks", tasks.len()),
        );
        self.container_instance_changed(id);
        for task in tasks {
            self.lose_task(&task, reason);
        }
        self.held_steps.remove(id);
        let gone = self.state.container_instances.remove(id);
        self.keep_departed(id, gone.as_ref());
        self.look_at_daemons(&cluster);
        gone
    }

    /// A task ends at once, with its host.
    pub(super) fn lose_task(&mut self, id: &str, reason: &str) {
        let now = self.now;
        let Some(task) = self.state.tasks.get_mut(id) else {
            return;
        };
        task.desired_running = false;
        task.last_status = TaskStatus::Stopped;
        task.stopping_at.get_or_insert(now);
        task.stopped_at = Some(now);
        task.stopped_reason.get_or_insert_with(|| reason.to_owned());
        task.holds_slot = false;
        task.step += 1;
        let service = task.service.clone();
        self.vacate(id);
        self.end_targets(id);
        self.task_changed(id);
        let kept = i64::from(self.config.stop.kept_secs) * 1_000;
        self.plan_in(kept, Happening::Forget { id: id.to_owned() });
        if let Some(service) = service {
            self.look_soon(&service);
        }
    }
}
