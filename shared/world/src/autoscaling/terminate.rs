//! Terminating instances: which, and how.

use model::strategy::Market;

use super::activity::{ActivityEvent, Begun};
use super::desired::validation;
use crate::error::ApiError;
use crate::state::{ActivityStatus, Group, Instance, Lifecycle, MachineState, Process, Transition};
use crate::world::World;

/// What a group says that may not terminate any of its instances.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-instance-protection.html>
const ALL_PROTECTED: &str = "Could not scale to desired capacity because all remaining instances are protected from scale in.";

impl World {
    /// Terminates what a group has too much of, as far as protection lets it.
    pub(super) fn shrink(&mut self, name: &str, have: u32, wanted: u32) {
        if self
            .state
            .groups
            .get(name)
            .is_none_or(|it| it.is_suspended(Process::Terminate))
        {
            return;
        }
        let mut have = have;
        let mut gone = 0_u32;
        while have > wanted {
            let Some((id, weight)) = self.victim(name, have - wanted) else {
                self.all_protected(name);
                break;
            };
            let cause = self.shrink_cause(name, &id, have, weight);
            have = have.saturating_sub(weight);
            gone += 1;
            self.take_out(&id, cause);
        }
        if gone > 0 {
            self.timeline.note(
                self.now,
                format!("group {name} terminates {gone} instances"),
            );
        }
    }

    fn shrink_cause(&self, name: &str, id: &str, have: u32, weight: u32) -> String {
        let at = self.at_text();
        let own = self
            .state
            .groups
            .get(name)
            .map_or("", |it| it.cause.as_str());
        let gap = if own.is_empty() { "" } else { "  " };
        format!(
            "{own}{gap}At {at} an instance was taken out of service in response to a difference between desired and actual capacity, \
             shrinking the capacity from {have} to {}.  At {at} instance {id} was selected for termination.",
            have.saturating_sub(weight)
        )
    }

    fn all_protected(&mut self, name: &str) {
        // Said once, until something else happened.
        let said = self.state.groups.get(name).is_some_and(|it| {
            it.activities
                .front()
                .is_some_and(|it| it.description == ALL_PROTECTED)
        });
        if said {
            return;
        }
        let cause = self
            .state
            .groups
            .get(name)
            .map_or_else(String::new, |it| it.cause.clone());
        let id = self.begin_activity(
            name,
            Begun {
                description: ALL_PROTECTED.to_owned(),
                cause,
                zone: None,
                instance: None,
            },
        );
        let text = Some(ALL_PROTECTED.to_owned());
        self.set_activity(name, &id, ActivityStatus::Failed, text);
    }

    /// The instance that the default termination policy takes, of those that weigh no more than what is too much.
    fn victim(&self, name: &str, too_much: u32) -> Option<(String, u32)> {
        let group = self.state.groups.get(name)?;
        let may_go = |it: &&Instance| {
            it.weight <= too_much && (!it.protected_from_scale_in || group.deleting)
        };
        let counts = self.zones_of(group);
        let zone_has = |zone: &str| counts.get(zone).copied().unwrap_or(0);
        let most = self
            .counted(group)
            .filter(may_go)
            .map(|it| zone_has(&it.zone))
            .max()?;
        let in_zone = |it: &&Instance| zone_has(&it.zone) == most;
        let surplus = self.market_with_surplus(group);
        self.counted(group)
            .filter(|it| may_go(it) && in_zone(it))
            .min_by(|one, other| {
                let key = |it: &Instance| {
                    let keeps = surplus.is_some_and(|market| it.market != market);
                    (keeps, it.launched_at)
                };
                let ids = || (&one.zone, &one.id).cmp(&(&other.zone, &other.id));
                key(one).cmp(&key(other)).then_with(ids)
            })
            .map(|it| (it.id.clone(), it.weight))
    }

    /// The market of which a group has more than its share.
    fn market_with_surplus(&self, group: &Group) -> Option<Market> {
        let share = self.menu_of(group).on_demand_share(group.desired_capacity);
        let of = |market: Market| -> u32 {
            self.counted(group)
                .filter(|it| it.market == market)
                .map(|it| it.weight)
                .sum()
        };
        let (on_demand, spot) = (of(Market::OnDemand), of(Market::Spot));
        if on_demand > share {
            Some(Market::OnDemand)
        } else if spot > group.desired_capacity.saturating_sub(share) {
            Some(Market::Spot)
        } else {
            None
        }
    }

    /// Takes an instance out of service: its termination begins. The activity's id is the answer; `None` if it was on its way out
    /// already.
    pub(super) fn take_out(&mut self, id: &str, cause: String) -> Option<String> {
        let instance = self
            .state
            .instances
            .get_mut(id)
            .filter(|it| !it.lifecycle_state.is_terminating())?;
        let state = instance.lifecycle_state;
        let was_pending = state.is_pending() || state == Lifecycle::WarmedPending;
        let before = instance.activity.clone();
        let (terminating, from) = if state.is_warmed() {
            (Lifecycle::WarmedTerminating, " from warm pool")
        } else {
            (Lifecycle::Terminating, "")
        };
        instance.lifecycle_state = terminating;
        instance.waits.clear();
        // One that is stopped can still pass its hooks.
        let is_there = instance.state == MachineState::Running || instance.state.is_off();
        let is_gone = matches!(instance.state, MachineState::Terminated);
        let (group, zone) = (instance.group.clone(), instance.zone.clone());
        if was_pending {
            self.set_activity(&group, &before, ActivityStatus::Cancelled, None);
        }
        let activity = self.begin_activity(
            &group,
            Begun {
                description: format!("Terminating EC2 instance{from}: {id}"),
                cause,
                zone: Some(zone),
                instance: Some(id.to_owned()),
            },
        );
        if let Some(instance) = self.state.instances.get_mut(id) {
            instance.activity.clone_from(&activity);
        }
        if is_gone {
            self.instance_out(id);
        } else if !(is_there && self.begin_waits(id, Transition::Terminating)) {
            self.machine_ends(id);
        } else {
            self.ecs_instance_waits(id);
        }
        self.group_look_soon(&group);
        Some(activity)
    }

    /// The machine of an instance that was on its way out is gone.
    pub(crate) fn instance_out(&mut self, id: &str) {
        let Some(instance) = self.state.instances.get_mut(id) else {
            return;
        };
        instance.lifecycle_state = Lifecycle::Terminated;
        instance.waits.clear();
        let (name, activity) = (instance.group.clone(), instance.activity.clone());
        if let Some(group) = self.state.groups.get_mut(&name) {
            group.instances.remove(id);
        }
        self.warm_instance_out(&name, id);
        self.set_activity(&name, &activity, ActivityStatus::Successful, None);
        self.send_activity(&name, &activity, ActivityEvent::Terminated);
        self.group_look_soon(&name);
    }

    /// Terminates an instance of a group, with the desired capacity lowered in the same step or not, as
    /// `TerminateInstanceInAutoScalingGroup` does. The activity's id is the answer. Protection from scale-in does not stop it.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html>
    ///
    /// # Errors
    /// `ValidationError` where there is no such instance, or the minimum would be violated; `ScalingActivityInProgress` where it is
    /// on its way out already.
    pub fn terminate_instance_in_group(
        &mut self,
        id: &str,
        decrement: bool,
    ) -> Result<String, ApiError> {
        let missing = || {
            validation(format!(
                "Instance Id not found - No managed instance found for instance ID {id}"
            ))
        };
        let instance = self
            .state
            .instances
            .get(id)
            .filter(|it| {
                !matches!(
                    it.lifecycle_state,
                    Lifecycle::Terminated | Lifecycle::Detached
                )
            })
            .ok_or_else(missing)?;
        let (name, weight) = (instance.group.clone(), instance.weight);
        let counted = instance.lifecycle_state.counts();
        if instance.lifecycle_state.is_warmed() {
            return Err(validation(format!(
                "The instance {id} is in a warm pool: this operation cannot be called on it."
            )));
        }
        if instance.lifecycle_state.is_terminating() {
            return Err(in_progress(&instance.activity));
        }
        let group = self.state.groups.get_mut(&name).ok_or_else(missing)?;
        let have = group.desired_capacity;
        let at = crate::events::iso_secs(self.now);
        let mut shrinking = String::new();
        if decrement && counted {
            let wanted = have.saturating_sub(weight);
            if wanted < group.min_size {
                return Err(validation(format!(
                    "Currently, desiredSize equals minSize ({}). Terminating instance without replacement will violate group's min \
                     size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.",
                    group.min_size
                )));
            }
            group.desired_capacity = wanted;
            shrinking = format!(", shrinking the capacity from {have} to {wanted}");
        }
        self.timeline.note(
            self.now,
            format!("instance {id} of group {name} is terminated by request{shrinking}"),
        );
        let cause = format!(
            "At {at} instance {id} was taken out of service in response to a user request{shrinking}."
        );
        self.take_out(id, cause).ok_or_else(missing)
    }
}

/// Something that blocks a request is going on.
pub(crate) fn in_progress(activity: &str) -> ApiError {
    ApiError::new(
        "ScalingActivityInProgress",
        format!("Scaling activity {activity} is in progress and blocks this action"),
        400,
    )
}
