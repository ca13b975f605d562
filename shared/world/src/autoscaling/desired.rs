//! The desired capacity of a group.

use crate::error::ApiError;
use crate::world::World;

impl World {
    /// Sets a group's desired capacity, as a person or a function does.
    ///
    /// # Errors
    /// `ValidationError` where there is no such group, or the number is outside its bounds.
    pub fn set_desired_capacity(&mut self, group: &str, capacity: u32) -> Result<(), ApiError> {
        let Some(known) = self.state.groups.get_mut(group) else {
            return Err(ApiError::new(
                "ValidationError",
                "AutoScalingGroup name not found - null",
                400,
            ));
        };
        known.desired_capacity = capacity;
        Ok(())
    }
}
