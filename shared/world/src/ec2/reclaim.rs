//! EC2 takes instances back: one, or many at one instant.
//!
//! The warning is a courtesy, and may be lost or late ([`crate::SpotSignals`]); the end comes on time, whatever waits for it: a
//! lifecycle hook does not delay it.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-interruptions.html>

use jiff::Timestamp;
use model::strategy::Market;
use serde_json::json;

use super::life::pool_of;
use super::{Ec2Due, InstancePoolKey};
use crate::autoscaling::GroupDue;
use crate::pool::later;
use crate::state::{Instance, Lifecycle, MachineState};
use crate::world::{Happening, World};

/// How many instances the timeline names where many are taken at once.
const NAMED_MAX: usize = 10;

/// What becomes of an instance that Spot takes back. Those of Auto Scaling groups are terminated; the others are for instances
/// of persistent requests, which belong to no group.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/interruption-behavior.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InterruptionAction {
    /// It ends after its notice.
    Terminate,
    /// It is stopped after its notice.
    Stop,
    /// It hibernates at once: the warning comes with it, and not before it. Here it is stopped.
    Hibernate,
}

impl InterruptionAction {
    /// AWS's word, as the warning has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminate => "terminate",
            Self::Stop => "stop",
            Self::Hibernate => "hibernate",
        }
    }
}

impl World {
    /// Interrupts an instance as Spot does, whatever the pool's capacity: the warning now, the end after the notice. Where a
    /// rebalance recommendation comes first ([`crate::SpotSignals`]), that is now, and the warning later.
    ///
    /// Returns whether there is such an instance that is Spot, runs, and is not taken back already.
    pub fn interrupt_instance(&mut self, id: &str) -> bool {
        self.interrupt_instance_by(id, InterruptionAction::Terminate)
    }

    /// The same, with what becomes of the instance.
    pub fn interrupt_instance_by(&mut self, id: &str, action: InterruptionAction) -> bool {
        let Some(pool) = self.begin_reclaim(id, action) else {
            return false;
        };
        let (heard, text) = self.fate_of_warning(id);
        if let Some(millis) = self.recommendation_before(id) {
            self.timeline.note(
                self.now,
                format!(
                    "Spot will take back instance {id} of {pool}, and recommends to replace it"
                ),
            );
            self.send_recommendation(id);
            self.plan_in(millis, Happening::Ec2(Ec2Due::Warn { id: id.to_owned() }));
            return true;
        }
        self.timeline.note(
            self.now,
            format!("Spot takes back instance {id} of {pool}, {text}"),
        );
        self.send_warning(id, heard);
        true
    }

    /// Interrupts so many instances at this instant, and gives the ids of those that were Spot, ran, and were not taken back
    /// already.
    pub fn interrupt_instances(&mut self, ids: &[String]) -> Vec<String> {
        let taken: Vec<String> = ids
            .iter()
            .filter(|id| {
                self.begin_reclaim(id, InterruptionAction::Terminate)
                    .is_some()
            })
            .cloned()
            .collect();
        if taken.is_empty() {
            return taken;
        }
        let mut names: Vec<&str> = taken.iter().map(String::as_str).take(NAMED_MAX).collect();
        if taken.len() > names.len() {
            names.push("...");
        }
        let text = format!(
            "Spot takes back {} instances at once: {}",
            taken.len(),
            names.join(", ")
        );
        self.timeline.note(self.now, text);
        for id in &taken {
            match self.recommendation_before(id) {
                Some(millis) => {
                    self.send_recommendation(id);
                    self.plan_in(millis, Happening::Ec2(Ec2Due::Warn { id: id.clone() }));
                }
                None => {
                    let (heard, _) = self.fate_of_warning(id);
                    self.send_warning(id, heard);
                }
            }
        }
        taken
    }

    /// Interrupts so many of a group's Spot instances in service at this instant, drawn from the seed. Their ids are the answer.
    pub fn interrupt_group(&mut self, group: &str, count: usize) -> Vec<String> {
        let Some(known) = self.state.groups.get(group) else {
            return Vec::new();
        };
        let could = |it: &&Instance| {
            it.market == Market::Spot
                && it.lifecycle_state == Lifecycle::InService
                && it.state == MachineState::Running
                && it.reclaim.is_none()
        };
        let all = known.instances.iter();
        let mut ids: Vec<String> = all
            .filter_map(|id| self.state.instances.get(id))
            .filter(could)
            .map(|it| it.id.clone())
            .collect();
        let number = self.now.as_millisecond().unsigned_abs();
        self.dice.rng("storm", group, number).shuffle(&mut ids);
        ids.truncate(count);
        self.interrupt_instances(&ids)
    }

    /// Plans what [`World::interrupt_group`] does, for a time.
    pub fn interrupt_group_at(&mut self, group: &str, at: Timestamp, count: usize) {
        let due = Ec2Due::Storm {
            group: group.to_owned(),
            count,
        };
        self.plan(at.max(self.now), Happening::Ec2(due));
    }

    /// An instance in an interruptible capacity reservation is taken back by the reservation's owner: it is warned, and ends after
    /// its notice. ECS and Auto Scaling do nothing on that warning.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/interruptible-capacity-reservations.html>
    ///
    /// Returns whether there is such an instance that is on-demand, runs, and is not taken back already.
    pub fn interrupt_reserved_instance(&mut self, id: &str) -> bool {
        let deadline = later(self.now, self.notice_ms());
        let Some(instance) = self.state.instances.get_mut(id) else {
            return false;
        };
        let is_there = instance.state == MachineState::Running && instance.reclaim.is_none();
        if instance.market == Market::Spot || !is_there {
            return false;
        }
        instance.reclaim = Some(InterruptionAction::Terminate);
        instance.interrupted_at = Some(deadline);
        let text =
            format!("the capacity reservation takes back instance {id}, it gets its warning");
        self.timeline.note(self.now, text);
        let arn = self.ec2_instance_arn(id);
        self.send(
            "aws.ec2",
            "EC2 Capacity Reservation Instance Interruption Warning",
            &[arn],
            json!({ "instance-id": id, "instance-action": "terminate" }),
            id,
            2,
        );
        let id = id.to_owned();
        self.plan(deadline, Happening::Ec2(Ec2Due::NoticeEnds { id }));
        true
    }

    fn notice_ms(&self) -> i64 {
        i64::from(self.config.ec2.notice_secs) * 1_000
    }

    /// Decides that Spot takes an instance: it loses its place in its pool. The pool is the answer, `None` where it cannot be taken.
    fn begin_reclaim(&mut self, id: &str, action: InterruptionAction) -> Option<InstancePoolKey> {
        let instance = self.state.instances.get_mut(id)?;
        let is_there = matches!(
            instance.state,
            MachineState::Pending | MachineState::Running
        );
        if instance.market != Market::Spot || !is_there || instance.reclaim.is_some() {
            return None;
        }
        instance.reclaim = Some(action);
        let key = pool_of(instance);
        if let Some(pool) = self.instance_pools.get_mut(&key) {
            pool.kept.remove(id);
            pool.reclaimed.insert(id.to_owned());
        }
        Some(key)
    }

    /// The warning of an instance whose rebalance recommendation came before.
    pub(super) fn warn_instance(&mut self, id: &str) {
        if self
            .state
            .instances
            .get(id)
            .is_none_or(|it| it.state.is_ending() || it.state.is_off())
        {
            return;
        }
        let (heard, text) = self.fate_of_warning(id);
        self.timeline
            .note(self.now, format!("Spot takes back instance {id}, {text}"));
        self.send_warning(id, heard);
    }

    /// How many milliseconds later than an event EventBridge hears of the warning, `None` for never; and the words for it.
    fn fate_of_warning(&self, id: &str) -> (Option<i64>, String) {
        let signals = self.config.ec2.signals;
        let dice = self.dice;
        if dice.happens(signals.warnings_lost_per_mille, "warning lost", id, 0) {
            return (None, "its warning is lost".to_owned());
        }
        if dice.happens(signals.warnings_late_per_mille, "warning late", id, 0) {
            let millis = dice.millis(signals.warning_lateness, "warning lateness", id, 0);
            let text = format!("its warning is {} s late", millis / 1_000);
            return (Some(millis), text);
        }
        (Some(0), "it gets its warning".to_owned())
    }

    /// Warns an instance, and takes it after its notice.
    fn send_warning(&mut self, id: &str, heard: Option<i64>) {
        let Some(instance) = self.state.instances.get_mut(id) else {
            return;
        };
        let action = instance.reclaim.unwrap_or(InterruptionAction::Terminate);
        let notice = match action {
            InterruptionAction::Terminate | InterruptionAction::Stop => {
                i64::from(self.config.ec2.notice_secs) * 1_000
            }
            InterruptionAction::Hibernate => 0,
        };
        let deadline = later(self.now, notice);
        instance.interrupted_at = Some(deadline);
        // The zone stands where a Region belongs, and there is no account: as real warnings have it.
        let arn = format!("arn:aws:ec2:{}:instance/{id}", instance.zone);
        if let Some(lateness) = heard {
            self.send_late(
                "aws.ec2",
                "EC2 Spot Instance Interruption Warning",
                &[arn],
                json!({ "instance-id": id, "instance-action": action.as_str() }),
                (id, 0),
                lateness,
            );
        }
        self.ecs_instance_going(id, heard);
        if heard.is_some() {
            self.group_hears_warning(id);
        }
        let id = id.to_owned();
        self.plan(deadline, Happening::Ec2(Ec2Due::NoticeEnds { id }));
    }

    /// EC2 takes the machine; its group notices some time later.
    pub(super) fn instance_notice_ends(&mut self, id: &str) {
        let now = self.now;
        let instance = self.state.instances.get(id);
        // One that was stopped and started again meanwhile is no longer the one that was warned.
        let warned = instance.filter(|it| it.interrupted_at.is_some_and(|at| at <= now));
        match warned.and_then(|it| it.reclaim) {
            Some(InterruptionAction::Stop | InterruptionAction::Hibernate) => {
                self.machine_stops(id);
            }
            Some(InterruptionAction::Terminate) => {
                self.machine_ends(id);
                self.group_notices(id);
            }
            None => {}
        }
    }

    /// The group of an instance that went by itself notices, at its next health check.
    pub(super) fn group_notices(&mut self, id: &str) {
        let wait = i64::from(self.config.ec2.health_check_secs) * 1_000;
        let is_in = self
            .state
            .instances
            .get(id)
            .is_some_and(|it| !it.lifecycle_state.is_terminating());
        if is_in {
            let instance = id.to_owned();
            self.plan_in(wait, Happening::Group(GroupDue::NoticeGone { instance }));
        }
    }
}
