//! An instance's life as a machine, step by step, and its interruption.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>

use jiff::Timestamp;
use model::strategy::Market;
use serde_json::json;

use super::{Ec2Due, InstancePool, InstancePoolKey};
use crate::autoscaling::GroupDue;
use crate::pool::later;
use crate::state::{Instance, MachineState};
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
    fn plan_machine_step(&mut self, id: &str) {
        let times = self.config.ec2;
        let Some(instance) = self.state.instances.get(id) else {
            return;
        };
        let (range, purpose) = match instance.state {
            MachineState::Pending => (times.launch, "instance launch"),
            MachineState::ShuttingDown => (times.shut_down, "instance shut down"),
            MachineState::Running | MachineState::Terminated => return,
        };
        let step = instance.step;
        let millis = self.dice.millis(range, purpose, id, 0);
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
                self.machine_changed(id);
                let fails = times.boot_failures_per_mille;
                if !self.dice.happens(fails, "boot fails", id, 0) {
                    let millis = self.dice.millis(times.boot, "boot", id, 0);
                    self.plan_in(millis, Happening::Ec2(Ec2Due::Boot { id: id.to_owned() }));
                }
                self.instance_runs(id);
            }
            MachineState::ShuttingDown => {
                instance.state = MachineState::Terminated;
                let is_out = instance.lifecycle_state.is_terminating();
                self.machine_changed(id);
                if is_out {
                    self.instance_out(id);
                }
                let kept = i64::from(times.kept_secs) * 1_000;
                self.plan_in(kept, Happening::Ec2(Ec2Due::Forget { id: id.to_owned() }));
            }
            MachineState::Running | MachineState::Terminated => {}
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
            .filter(|it| matches!(it.state, MachineState::Pending | MachineState::Running))
        else {
            return;
        };
        instance.state = MachineState::ShuttingDown;
        instance.ended_at = Some(now);
        instance.step += 1;
        let key = pool_of(instance);
        if let Some(pool) = self.instance_pools.get_mut(&key) {
            pool.kept.remove(id);
            pool.reclaimed.remove(id);
        }
        self.machine_changed(id);
        self.ecs_instance_gone(id);
        self.plan_machine_step(id);
    }

    /// Interrupts an instance as Spot does, whatever the pool's capacity: the warning now, the end after the notice.
    ///
    /// Returns whether there is such an instance that is Spot, runs, and was not warned yet.
    pub fn interrupt_instance(&mut self, id: &str) -> bool {
        let notice = i64::from(self.config.ec2.notice_secs) * 1_000;
        let deadline = later(self.now, notice);
        let Some(instance) = self.state.instances.get_mut(id) else {
            return false;
        };
        let is_there = matches!(
            instance.state,
            MachineState::Pending | MachineState::Running
        );
        if instance.market != Market::Spot || !is_there || instance.interrupted_at.is_some() {
            return false;
        }
        instance.interrupted_at = Some(deadline);
        let key = pool_of(instance);
        if let Some(pool) = self.instance_pools.get_mut(&key) {
            pool.kept.remove(id);
            pool.reclaimed.insert(id.to_owned());
        }
        self.timeline.note(
            self.now,
            format!("Spot takes back instance {id} of {key}, it gets its warning"),
        );
        let arn = format!(
            "arn:aws:ec2:{}:instance/{id}",
            self.state
                .instances
                .get(id)
                .map_or("", |it| it.zone.as_str())
        );
        self.send(
            "aws.ec2",
            "EC2 Spot Instance Interruption Warning",
            &[arn],
            json!({ "instance-id": id, "instance-action": "terminate" }),
            id,
            0,
        );
        self.ecs_instance_going(id, deadline);
        self.plan(
            deadline,
            Happening::Ec2(Ec2Due::NoticeEnds { id: id.to_owned() }),
        );
        true
    }

    /// Spot takes the machine; its group notices some time later.
    pub(super) fn instance_notice_ends(&mut self, id: &str) {
        self.machine_ends(id);
        let wait = i64::from(self.config.ec2.health_check_secs) * 1_000;
        let is_in = self
            .state
            .instances
            .get(id)
            .is_some_and(|it| !it.lifecycle_state.is_terminating());
        if is_in {
            self.plan_in(
                wait,
                Happening::Group(GroupDue::NoticeGone {
                    instance: id.to_owned(),
                }),
            );
        }
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
    fn machine_changed(&mut self, id: &str) {
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
fn pool_of(instance: &Instance) -> InstancePoolKey {
    InstancePoolKey::new(&instance.instance_type, &instance.zone, instance.market)
}
