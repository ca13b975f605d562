//! Scheduled actions: new bounds or a new desired capacity at a time.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-scheduled-scaling.html>

use super::GroupDue;
use super::desired::{group_not_found, validation};
use crate::error::ApiError;
use crate::state::{Process, ScheduledAction};
use crate::world::{Happening, World};

impl World {
    /// Puts a scheduled action into a group.
    ///
    /// # Errors
    /// `ValidationError` where there is no such group, or the start is in the past.
    pub fn put_scheduled_action(
        &mut self,
        group: &str,
        name: &str,
        action: ScheduledAction,
    ) -> Result<(), ApiError> {
        let now = self.now;
        let known = self
            .state
            .groups
            .get_mut(group)
            .ok_or_else(group_not_found)?;
        let start_at = action.start_at;
        if start_at.is_some_and(|it| it < now) {
            return Err(validation("Given start time is in the past"));
        }
        known.scheduled_actions.insert(name.to_owned(), action);
        if let Some(at) = start_at {
            self.plan(
                at,
                Happening::Group(GroupDue::Scheduled {
                    group: group.to_owned(),
                    action: name.to_owned(),
                }),
            );
        }
        Ok(())
    }

    pub(super) fn scheduled_action(&mut self, group: &str, name: &str) {
        let now = self.now;
        let Some(known) = self.state.groups.get_mut(group) else {
            return;
        };
        let due = |it: &ScheduledAction| it.start_at == Some(now);
        let Some(action) = known
            .scheduled_actions
            .get(name)
            .filter(|it| due(it))
            .cloned()
        else {
            return;
        };
        // An action that does not recur is gone when it is due, whether it may act or not.
        if action.recurrence.is_none() {
            known.scheduled_actions.remove(name);
        }
        if known.is_suspended(Process::ScheduledActions) {
            return;
        }
        let min = action.min_size.unwrap_or(known.min_size);
        let max = action.max_size.unwrap_or(known.max_size);
        if min <= max {
            known.min_size = min;
            known.max_size = max;
        }
        let wanted = action.desired_capacity.unwrap_or(known.desired_capacity);
        self.change_group_desired(
            group,
            wanted,
            &format!("a scheduled action `{name}` update of AutoScalingGroup constraints"),
        );
    }
}
