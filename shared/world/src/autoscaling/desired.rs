//! The desired capacity of a group.

use crate::error::ApiError;
use crate::events::iso_secs;
use crate::world::World;

/// `ValidationError`: what EC2 Auto Scaling says of every input that it does not take.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/CommonErrors.html>
pub(crate) fn validation(message: impl std::fmt::Display) -> ApiError {
    ApiError::new("ValidationError", message, 400)
}

/// There is no such group.
pub(crate) fn group_not_found() -> ApiError {
    validation("AutoScalingGroup name not found - null")
}

impl World {
    /// Sets a group's desired capacity, as a person or a function does.
    ///
    /// # Errors
    /// `ValidationError` where there is no such group, or the number is outside its bounds.
    pub fn set_desired_capacity(&mut self, group: &str, capacity: u32) -> Result<(), ApiError> {
        let known = self.state.groups.get(group).ok_or_else(group_not_found)?;
        if capacity > known.max_size {
            return Err(validation(format!(
                "New SetDesiredCapacity value {capacity} is above max value {} for the AutoScalingGroup.",
                known.max_size
            )));
        }
        if capacity < known.min_size {
            return Err(validation(format!(
                "New SetDesiredCapacity value {capacity} is below min value {} for the AutoScalingGroup.",
                known.min_size
            )));
        }
        self.change_group_desired(
            group,
            capacity,
            "a user request explicitly set group desired capacity",
        );
        Ok(())
    }

    /// Changes the desired capacity, clamped to the bounds, and says why. Whether it changed is the answer.
    pub(crate) fn change_group_desired(&mut self, group: &str, capacity: u32, why: &str) -> bool {
        let now = self.now;
        let Some(known) = self.state.groups.get_mut(group) else {
            return false;
        };
        let before = known.desired_capacity;
        // A minimum above the maximum is refused wherever bounds are set.
        let capacity = capacity.min(known.max_size).max(known.min_size);
        if capacity == before {
            return false;
        }
        known.desired_capacity = capacity;
        known.cause = format!(
            "At {} {why} changing the desired capacity from {before} to {capacity}.",
            iso_secs(now)
        );
        // Whoever asks anew gets an attempt at once.
        known.launch_after = None;
        known.launch_failures = 0;
        self.timeline.note(
            now,
            format!("group {group} is to have {capacity} instances, not {before}: {why}"),
        );
        self.group_look_soon(group);
        true
    }

    /// A group looks at itself a moment from now.
    pub(crate) fn group_look_soon(&mut self, group: &str) {
        let at = crate::pool::later(self.now, i64::from(self.config.ec2.reaction_ms));
        self.group_look_at(group, at);
    }

    /// A group looks at itself at a time, unless it does so earlier.
    pub(crate) fn group_look_at(&mut self, group: &str, at: jiff::Timestamp) {
        let Some(known) = self.state.groups.get_mut(group) else {
            return;
        };
        if known.look_at.is_some_and(|planned| planned <= at) {
            return;
        }
        known.look_at = Some(at);
        self.plan(
            at,
            crate::world::Happening::Group(super::GroupDue::Look {
                group: group.to_owned(),
            }),
        );
    }
}
