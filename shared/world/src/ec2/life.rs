//! An instance's life as a machine, step by step.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>

use jiff::Timestamp;
use model::strategy::Market;
use serde_json::json;

use super::{Ec2Due, InstancePool, InstancePoolKey};
use crate::state::{Instance, Lifecycle, MachineState};
use crate::world::{Happening, World};

impl World {
    /// The pools of instances that were declared or used.
    #[must_use]
    pub const fn instance_pools(
        &self,
    ) -> &std::collections::BTreeMap<InstancePoolKey, InstancePool> {
        &self.instance_pools
    }

    /// Sets how many instances a pool can hold, from a time on. Where it then holds more, and is Spot, instances are interrupted.
    pub fn set_instance_capacity(&mut self, pool: InstancePoolKey, at: Timestamp, capacity: u32) {
        let due = Ec2Due::Capacity { pool, capacity };
        self.plan(at.max(self.now), Happening::Ec2(due));
        if at <= self.now {
            self.advance_to(self.now);
        }
    }

    /// Sets what an instance of a pool costs, in millionths of a dollar per hour. It only orders the pools.
    pub fn set_instance_price(&mut self, pool: InstancePoolKey, price_micros_per_hour: u64) {
        self.instance_pools
            .entry(pool)
            .or_default()
            .price_micros_per_hour = Some(price_micros_per_hour);
    }

    /// A machine is made: it takes a place of its pool.
    pub(crate) fn instance_launched(&mut self, id: &str) {
        let Some(instance) = self.state.instances.get(id) else {
            return;
        };
        let key = pool_of(instance);
        self.instance_pools
            .entry(key)
            .or_default()
            .kept
            .insert(id.to_owned());
        self.machine_changed(id);
        self.plan_machine_step(id);
    }

    /// Plans the next step of a machine's life.
    pub(super) fn plan_machine_step(&mut self, id: &str) {
        let times = self.config.ec2;
        let Some(instance) = self.state.instances.get(id) else {
            return;
        };
        let (range, purpose) = match instance.state {
            MachineState::Pending => (times.launch, "instance launch"),
            MachineState::ShuttingDown => (times.shut_down, "instance shut down"),
            MachineState::Stopping => (times.shut_down, "instance stop"),
            MachineState::Running | MachineState::Stopped | MachineState::Terminated => return,
        };
        let step = instance.step;
        let millis = self.dice.millis(range, purpose, id, instance.starts);
        self.plan_in(
            millis,
            Happening::Ec2(Ec2Due::Step {
                id: id.to_owned(),
                step,
            }),
        );
    }

    /// A machine takes the next step of its life, unless it has taken another one since this one was planned.
    pub(super) fn machine_step(&mut self, id: &str, step: u64) {
        let now = self.now;
        let times = self.config.ec2;
        let Some(instance) = self
            .state
            .instances
            .get_mut(id)
            .filter(|it| it.step == step)
        else {
            return;
        };
        instance.step += 1;
        match instance.state {
            MachineState::Pending => {
                instance.state = MachineState::Running;
                instance.running_at = Some(now);
                let starts = instance.starts;
                let is_new = instance.lifecycle_state.is_pending();
                let is_for_pool = instance.lifecycle_state == Lifecycle::WarmedPending;
                self.machine_changed(id);
                let fails = times.boot_failures_per_mille;
                if !self.dice.happens(fails, "boot fails", id, starts) {
                    let millis = self.dice.millis(times.boot, "boot", id, starts);
                    self.plan_in(millis, Happening::Ec2(Ec2Due::Boot { id: id.to_owned() }));
                }
                if is_new {
                    self.plan_false_recommendation(id);
                    self.instance_runs(id);
                }
                if is_for_pool {
                    self.warm_instance_runs(id);
                }
            }
            MachineState::Stopping => self.machine_stopped(id),
            MachineState::ShuttingDown => {
                instance.state = MachineState::Terminated;
                // A hook that waits for its result goes on waiting, although there is nothing left to wait for.
                let is_out = instance.lifecycle_state.is_terminating() && instance.waits.is_empty();
                self.machine_changed(id);
                if is_out {
                    self.instance_out(id);
                }
                let kept = i64::from(times.kept_secs) * 1_000;
                self.plan_in(kept, Happening::Ec2(Ec2Due::Forget { id: id.to_owned() }));
            }
            MachineState::Running | MachineState::Stopped | MachineState::Terminated => {}
        }
    }

    /// What runs on a machine is up, if the machine still runs.
    pub(super) fn machine_boots(&mut self, id: &str) {
        let now = self.now;
        let Some(instance) = self
            .state
            .instances
            .get_mut(id)
            .filter(|it| it.state == MachineState::Running)
        else {
            return;
        };
        instance.booted_at = Some(now);
        self.ecs_instance_booted(id);
    }

    /// A machine begins to shut down, if it does not yet. What runs on it ends.
    pub(crate) fn machine_ends(&mut self, id: &str) {
        let now = self.now;
        let Some(instance) = self
            .state
            .instances
            .get_mut(id)
            .filter(|it| !it.state.is_ending())
        else {
            return;
        };
        let has_agent = !instance.state.is_off();
        instance.state = MachineState::ShuttingDown;
        instance.ended_at = Some(now);
        instance.step += 1;
        let key = pool_of(instance);
        if let Some(pool) = self.instance_pools.get_mut(&key) {
            pool.kept.remove(id);
            pool.reclaimed.remove(id);
        }
        self.machine_changed(id);
        // Nobody deregisters an instance that was stopped: its agent is not there to do it.
        // <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterContainerInstance.html>
        if has_agent {
            self.ecs_instance_gone(id);
        }
        self.plan_machine_step(id);
    }

    pub(super) fn change_instance_capacity(&mut self, key: &InstancePoolKey, capacity: u32) {
        let pool = self.instance_pools.entry(key.clone()).or_default();
        pool.capacity = Some(capacity);
        pool.changes += 1;
        let changes = pool.changes;
        let excess = pool.excess();
        let mut holders: Vec<String> = pool.kept.iter().cloned().collect();
        self.timeline.note(
            self.now,
            format!("capacity of {key} becomes {capacity} instances"),
        );
        if key.market != Market::Spot || excess == 0 {
            return;
        }
        let mut rng = self.dice.rng("reclaim", &key.to_string(), changes);
        rng.shuffle(&mut holders);
        for id in holders.iter().take(excess) {
            self.interrupt_instance(id);
        }
    }

    /// After every change of a machine's state: its event.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html>
    pub(super) fn machine_changed(&mut self, id: &str) {
        let Some(instance) = self.state.instances.get(id) else {
            return;
        };
        let (state, step) = (instance.state.as_str(), instance.step);
        let arn = self.ec2_instance_arn(id);
        self.send(
            "aws.ec2",
            "EC2 Instance State-change Notification",
            &[arn],
            json!({ "instance-id": id, "state": state }),
            &format!("{id}/{state}"),
            step,
        );
    }
}

/// The pool that an instance is from.
pub(super) fn pool_of(instance: &Instance) -> InstancePoolKey {
    InstancePoolKey::new(&instance.instance_type, &instance.zone, instance.market)
}
