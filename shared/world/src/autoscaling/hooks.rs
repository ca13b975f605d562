//! Lifecycle hooks: an instance waits until each of its group's hooks is completed, or its time is over.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks-overview.html>

use super::GroupDue;
use super::desired::{group_not_found, validation};
use crate::error::ApiError;
use crate::pool::later;
use crate::state::{
    ActivityStatus, Hook, HookResult, HookWait, Lifecycle, MachineState, Transition,
};
use crate::world::{Happening, World};

/// Hooks of one group.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html>
pub(crate) const HOOKS_MAX: usize = 50;

impl World {
    /// Puts a lifecycle hook into a group.
    ///
    /// # Errors
    /// `ValidationError` where there is no such group, and `LimitExceeded` where it has too many.
    pub fn put_lifecycle_hook(
        &mut self,
        group: &str,
        name: &str,
        hook: Hook,
    ) -> Result<(), ApiError> {
        let known = self
            .state
            .groups
            .get_mut(group)
            .ok_or_else(group_not_found)?;
        if !known.hooks.contains_key(name) && known.hooks.len() >= HOOKS_MAX {
            return Err(ApiError::new(
                "LimitExceeded",
                format!("You have already reached your limit of {HOOKS_MAX} lifecycle hooks."),
                400,
            ));
        }
        let target = hook.notification_target.clone();
        known.hooks.insert(name.to_owned(), hook);
        if let Some(target) = target {
            self.send_test_notification(group, name, &target);
        }
        Ok(())
    }

    /// Begins the waits of an instance for the hooks of its group. Whether there are any is the answer.
    pub(super) fn begin_waits(&mut self, id: &str, transition: Transition) -> bool {
        let now = self.now;
        let dice = self.dice;
        let Some(instance) = self.state.instances.get_mut(id) else {
            return false;
        };
        let name = instance.group.clone();
        let Some(group) = self.state.groups.get(&name) else {
            return false;
        };
        // A group that is deleted with its instances runs no hooks.
        // <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html>
        if group.deleting {
            return false;
        }
        let hooks: Vec<(String, Hook)> = group
            .hooks
            .iter()
            .filter(|(_, it)| it.transition == transition)
            .map(|(name, it)| (name.clone(), it.clone()))
            .collect();
        if hooks.is_empty() {
            return false;
        }
        instance.lifecycle_state = match transition {
            Transition::Launching => Lifecycle::PendingWait,
            Transition::Terminating if instance.lifecycle_state.is_warmed() => {
                Lifecycle::WarmedTerminatingWait
            }
            Transition::Terminating => Lifecycle::TerminatingWait,
        };
        let after = |secs: u32| later(now, i64::from(secs) * 1_000);
        instance.waits = hooks
            .iter()
            .map(|(hook, it)| HookWait {
                hook: hook.clone(),
                token: dice.uuid(
                    "lifecycle action",
                    &format!("{id}/{hook}"),
                    transition as u64,
                ),
                until: after(it.heartbeat_timeout_secs),
                ends_at: after(it.global_timeout_secs()),
            })
            .collect();
        let waits = instance.waits.clone();
        let activity = instance.activity.clone();
        self.set_activity(&name, &activity, ActivityStatus::MidLifecycleAction, None);
        for (wait, (hook, it)) in waits.iter().zip(hooks) {
            self.send_hook_event(id, &name, (&hook, &it), &wait.token);
            self.plan_timeout(id, wait);
        }
        true
    }

    fn plan_timeout(&mut self, id: &str, wait: &HookWait) {
        self.plan(
            wait.until,
            Happening::Group(GroupDue::HookTimeout {
                instance: id.to_owned(),
                token: wait.token.clone(),
            }),
        );
    }

    pub(super) fn hook_timeout(&mut self, id: &str, token: &str) {
        let now = self.now;
        let Some(instance) = self.state.instances.get(id) else {
            return;
        };
        // A heartbeat has planned a later one.
        let Some(wait) = instance
            .waits
            .iter()
            .find(|it| it.token == token && it.until <= now)
        else {
            return;
        };
        let result = self
            .state
            .groups
            .get(&instance.group)
            .and_then(|it| it.hooks.get(&wait.hook))
            .map_or(HookResult::Abandon, |it| it.default_result);
        let name = wait.hook.clone();
        self.timeline.note(
            now,
            format!(
                "hook {name} of instance {id} has waited long enough: {}",
                result.as_str()
            ),
        );
        self.end_wait(id, &name, result);
    }

    /// One hook of an instance is over.
    fn end_wait(&mut self, id: &str, hook: &str, result: HookResult) {
        let Some(instance) = self.state.instances.get_mut(id) else {
            return;
        };
        instance.waits.retain(|it| it.hook != hook);
        let is_launch = instance.lifecycle_state == Lifecycle::PendingWait;
        match result {
            HookResult::Continue if !instance.waits.is_empty() => {}
            HookResult::Continue if is_launch => {
                instance.lifecycle_state = Lifecycle::PendingProceed;
                self.instance_in_service(id);
            }
            HookResult::Abandon if is_launch => {
                let at = self.at_text();
                let cause = format!(
                    "At {at} an instance was taken out of service in response to a launch lifecycle action result of ABANDON."
                );
                self.take_out(id, cause);
            }
            HookResult::Continue | HookResult::Abandon => {
                instance.waits.clear();
                instance.lifecycle_state = if instance.lifecycle_state.is_warmed() {
                    Lifecycle::WarmedTerminatingProceed
                } else {
                    Lifecycle::TerminatingProceed
                };
                if instance.state == MachineState::Terminated {
                    self.instance_out(id);
                } else {
                    self.machine_ends(id);
                }
            }
        }
    }

    /// A group that is deleted with its instances waits for none of its hooks.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html>
    pub(crate) fn give_up_waits(&mut self, group: &str) {
        let Some(known) = self.state.groups.get(group) else {
            return;
        };
        let waiting: Vec<(String, String)> = known
            .instances
            .iter()
            .filter_map(|id| self.state.instances.get(id))
            .filter_map(|it| Some((it.id.clone(), it.waits.first()?.hook.clone())))
            .collect();
        for (id, hook) in waiting {
            self.end_wait(&id, &hook, HookResult::Abandon);
        }
    }

    /// The instance and the wait that a caller means, by instance or by token.
    fn find_wait(
        &self,
        group: &str,
        hook: &str,
        instance: Option<&str>,
        token: Option<&str>,
    ) -> Result<(String, HookWait), ApiError> {
        let known = self.state.groups.get(group).ok_or_else(group_not_found)?;
        let of = |id: &String| {
            let waits = &self.state.instances.get(id)?.waits;
            let wait = waits
                .iter()
                .find(|it| it.hook == hook && token.is_none_or(|token| it.token == token))?;
            Some((id.clone(), wait.clone()))
        };
        let missing = || {
            let what = match (instance, token) {
                (Some(id), _) => format!("instance ID {id}"),
                (None, Some(token)) => format!("token {token}"),
                (None, None) => "neither an instance ID nor a token".to_owned(),
            };
            validation(format!("No active Lifecycle Action found with {what}"))
        };
        if instance.is_none() && token.is_none() {
            return Err(missing());
        }
        let pool = known.warm_pool.iter().flat_map(|it| &it.instances);
        known
            .instances
            .iter()
            .chain(pool)
            .filter(|id| instance.is_none_or(|wanted| wanted == id.as_str()))
            .find_map(of)
            .ok_or_else(missing)
    }

    /// Ends the wait of an instance for a hook. One of instance and token names it.
    ///
    /// # Errors
    /// `ValidationError` where nothing waits so.
    pub fn complete_lifecycle_action(
        &mut self,
        group: &str,
        hook: &str,
        instance: Option<&str>,
        token: Option<&str>,
        result: HookResult,
    ) -> Result<(), ApiError> {
        let (id, wait) = self.find_wait(group, hook, instance, token)?;
        self.end_wait(&id, &wait.hook, result);
        Ok(())
    }

    /// Lets the wait of an instance for a hook last another heartbeat timeout from now, up to its longest time.
    ///
    /// # Errors
    /// `ValidationError` where nothing waits so.
    pub fn record_lifecycle_heartbeat(
        &mut self,
        group: &str,
        hook: &str,
        instance: Option<&str>,
        token: Option<&str>,
    ) -> Result<(), ApiError> {
        let (id, mut wait) = self.find_wait(group, hook, instance, token)?;
        let timeout = self
            .state
            .groups
            .get(group)
            .and_then(|it| it.hooks.get(hook))
            .map_or(0, |it| it.heartbeat_timeout_secs);
        wait.until = later(self.now, i64::from(timeout) * 1_000).min(wait.ends_at);
        self.plan_timeout(&id, &wait);
        let waits = self.state.instances.get_mut(&id).map(|it| &mut it.waits);
        if let Some(old) = waits.and_then(|it| it.iter_mut().find(|it| it.token == wait.token)) {
            *old = wait;
        }
        Ok(())
    }
}
