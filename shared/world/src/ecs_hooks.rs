//! What a container instance does when something happens to its EC2 instance.

use model::strategy::Market;

use crate::ec2::Ec2Due;
use crate::world::{Happening, World};

impl World {
    /// An instance is up: its ECS agent starts.
    pub(crate) fn ecs_instance_booted(&mut self, instance_id: &str) {
        // One that was stopped and started again is registered already: its agent takes up what it has.
        if self.state.container_instance_of.contains_key(instance_id) {
            self.set_agent_connected(instance_id, true);
        } else {
            self.register_container_instance(instance_id);
        }
    }

    /// An instance shuts down, and everything on it with it.
    pub(crate) fn ecs_instance_gone(&mut self, instance_id: &str) {
        self.bill_ends(instance_id);
        self.lose_container_instance(instance_id);
        self.let_go(instance_id);
    }

    /// An instance is stopped: its agent is gone, and what runs on it, but it stays registered.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ec2-instance-lifecycle.html>
    pub(crate) fn ecs_instance_stops(&mut self, instance_id: &str) {
        self.disconnect_stopped_instance(instance_id);
    }

    /// Spot warns an instance. Its agent, where it is told to, drains it. ECS's managed draining does as soon as it hears of the
    /// warning, which is so many milliseconds later, or never.
    pub(crate) fn ecs_instance_going(&mut self, instance_id: &str, heard_after_ms: Option<i64>) {
        if self.agent_drains_itself(instance_id) {
            let range = self.config.ec2.agent_drains_after;
            match self.dice.millis(range, "agent drains", instance_id, 0) {
                0 => self.ecs_agent_drains(instance_id),
                millis => {
                    let id = instance_id.to_owned();
                    self.plan_in(millis, Happening::Ec2(Ec2Due::AgentDrains { id }));
                }
            }
        }
        match heard_after_ms {
            None => {}
            Some(0) => self.ecs_managed_drains(instance_id),
            Some(millis) => {
                let id = instance_id.to_owned();
                self.plan_in(millis, Happening::Ec2(Ec2Due::ManagedDrains { id }));
            }
        }
    }

    /// Whether the agent of an instance is told to drain it when Spot warns.
    pub(crate) fn agent_drains_itself(&self, instance_id: &str) -> bool {
        let machine = self.state.instances.get(instance_id);
        let template = machine.and_then(|it| self.state.launch_templates.get(&it.template));
        template
            .and_then(|it| it.spot_instance_draining)
            .unwrap_or(self.config.spot_instance_draining)
    }

    /// An agent that is connected drains its own instance.
    pub(crate) fn ecs_agent_drains(&mut self, instance_id: &str) {
        let Some(id) = self.state.container_instance_of.get(instance_id).cloned() else {
            return;
        };
        let instance = self.state.container_instances.get(&id);
        if instance.is_some_and(|it| it.agent_connected) {
            self.drain_instance(&id);
        }
    }

    /// An agent that has just come up, or is connected again, asks whether its instance was warned while it could not.
    pub(crate) fn ecs_agent_asks(&mut self, instance_id: &str) {
        let machine = self.state.instances.get(instance_id);
        let warned = machine.is_some_and(|it| {
            it.interrupted_at.is_some() && it.market == Market::Spot && !it.state.is_ending()
        });
        if warned && self.agent_drains_itself(instance_id) {
            self.ecs_agent_drains(instance_id);
        }
    }

    /// ECS drains an instance that Spot takes, if its capacity provider is told to.
    pub(crate) fn ecs_managed_drains(&mut self, instance_id: &str) {
        let Some(id) = self.state.container_instance_of.get(instance_id).cloned() else {
            return;
        };
        if self.is_managed_draining(&id) {
            self.drain_instance(&id);
        }
    }

    /// An instance waits for the hooks of its termination.
    pub(crate) fn ecs_instance_waits(&mut self, instance_id: &str) {
        self.begin_managed_draining(instance_id);
    }
}
