//! Agents that are not connected: nothing of what happens on their instances is told, and nothing that ECS wants is done there,
//! until they are connected again.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_container_instance_events.html>

use model::snapshot::TaskStatus;

use crate::state::{MachineState, Task};
use crate::world::{Happening, World};

/// From an agent's return to the first that it tells or does, in milliseconds.
const CATCHES_UP_MS: i64 = 100;

impl World {
    /// Says whether an agent is connected, as a person or a fault does. Returns whether there is such a container instance.
    pub fn set_agent_connected(&mut self, ec2_instance_id: &str, connected: bool) -> bool {
        let known = self.state.container_instance_of.get(ec2_instance_id);
        let Some(id) = known.cloned() else {
            return false;
        };
        self.connect_agent(&id, connected)
    }

    fn connect_agent(&mut self, id: &str, connected: bool) -> bool {
        let Some(instance) = self.state.container_instances.get_mut(id) else {
            return false;
        };
        instance.agent_changes += 1;
        if instance.agent_connected == connected {
            return true;
        }
        instance.agent_connected = connected;
        let (cluster, machine) = (instance.cluster.clone(), instance.ec2_instance_id.clone());
        self.container_instance_changed(id);
        if connected {
            self.catch_up(id, &machine);
        }
        self.look_at_daemons(&cluster);
        self.seats_soon(&cluster);
        true
    }

    /// An agent is back: what was held up goes on, and an interruption that it has missed is acted upon.
    fn catch_up(&mut self, id: &str, machine: &str) {
        for (task, step) in self.held_steps.remove(id).unwrap_or_default() {
            self.plan_in(CATCHES_UP_MS, Happening::TaskStep { id: task, step });
        }
        self.ecs_agent_asks(machine);
    }

    /// Whether the agent of a task's instance is connected. A task without an instance has no such agent.
    fn has_agent(&self, task: &Task) -> bool {
        let instance = task
            .container_instance
            .as_ref()
            .and_then(|it| self.state.container_instances.get(it));
        instance.is_none_or(|it| it.agent_connected)
    }

    /// Puts a step aside that needs an agent which is not connected. Returns whether it was put aside.
    pub(crate) fn hold_step(&mut self, id: &str, step: u64) -> bool {
        let Some(task) = self.state.tasks.get(id) else {
            return false;
        };
        let needs_agent = match task.last_status {
            TaskStatus::Provisioning
            | TaskStatus::Pending
            | TaskStatus::Activating
            | TaskStatus::Deactivating
            | TaskStatus::Stopping => true,
            // Deregistering targets is ECS's own work.
            TaskStatus::Running => task.targets.is_empty(),
            // What is left is the network interface, which is not the agent's.
            TaskStatus::Deprovisioning | TaskStatus::Stopped | TaskStatus::Unknown => false,
        };
        let Some(instance) = task.container_instance.clone() else {
            return false;
        };
        if !needs_agent || self.has_agent(task) {
            return false;
        }
        let drained = task.last_status == TaskStatus::Deactivating;
        let held = self.held_steps.entry(instance).or_default();
        held.insert((id.to_owned(), step));
        if drained {
            // The load balancer is done, whether or not the agent can be told.
            self.end_targets(id);
        }
        true
    }

    /// Plans an agent's next chance to lose its connection, where it has any.
    pub(crate) fn plan_agent_flap(&mut self, id: &str, number: u64) {
        let flaps = self.config.agent_flaps;
        if flaps.per_mille == 0 {
            return;
        }
        let wait = self
            .dice
            .millis(flaps.every, "agent flap comes", id, number);
        let happening = Happening::AgentFlaps {
            id: id.to_owned(),
            number,
        };
        self.plan_in(wait.max(1), happening);
    }

    /// An agent loses its connection, or is lucky this time.
    pub(crate) fn agent_flaps(&mut self, id: &str, number: u64) {
        let flaps = self.config.agent_flaps;
        let Some(instance) = self.state.container_instances.get(id) else {
            return;
        };
        let was_connected = instance.agent_connected;
        if was_connected && self.dice.happens(flaps.per_mille, "agent flap", id, number) {
            self.connect_agent(id, false);
            let lasts = self
                .dice
                .millis(flaps.lasts, "agent flap lasts", id, number);
            let instance = self.state.container_instances.get(id);
            let change = instance.map_or(0, |it| it.agent_changes);
            let id = id.to_owned();
            self.plan_in(lasts, Happening::AgentReturns { id, change });
        }
        self.plan_agent_flap(id, number + 1);
    }

    /// An agent has its connection back, unless somebody has decided about it since.
    pub(crate) fn agent_returns(&mut self, id: &str, change: u64) {
        let instance = self.state.container_instances.get(id);
        let machine = instance.and_then(|it| self.state.instances.get(&it.ec2_instance_id));
        let is_up = machine.is_some_and(|it| it.state == MachineState::Running);
        if is_up && instance.is_some_and(|it| it.agent_changes == change) {
            self.connect_agent(id, true);
        }
    }
}
