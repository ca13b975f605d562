//! Instances that leave their group and live on.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-detach-attach-instances.html>

use super::activity::Begun;
use super::desired::validation;
use crate::error::ApiError;
use crate::events::iso_secs;
use crate::state::{ActivityStatus, Lifecycle};
use crate::world::World;

impl World {
    /// Takes an instance out of its group, which replaces it unless its desired capacity is lowered in the same step. No lifecycle
    /// hook runs.
    ///
    /// # Errors
    /// `ValidationError` where there is no such instance in service, or the minimum would be violated.
    pub fn detach_instance(&mut self, id: &str, decrement: bool) -> Result<(), ApiError> {
        let missing = || {
            validation(format!(
                "The instance {id} is not part of an Auto Scaling group."
            ))
        };
        let instance = self
            .state
            .instances
            .get(id)
            .filter(|it| it.lifecycle_state == Lifecycle::InService)
            .ok_or_else(missing)?;
        let (name, weight, zone) = (
            instance.group.clone(),
            instance.weight,
            instance.zone.clone(),
        );
        let group = self.state.groups.get_mut(&name).ok_or_else(missing)?;
        if decrement {
            let wanted = group.desired_capacity.saturating_sub(weight);
            if wanted < group.min_size {
                return Err(validation(format!(
                    "Currently, desiredSize equals minSize ({}). Detaching instance without replacement will violate group's min \
                     size constraint.",
                    group.min_size
                )));
            }
            group.desired_capacity = wanted;
        }
        group.instances.remove(id);
        if let Some(instance) = self.state.instances.get_mut(id) {
            instance.lifecycle_state = Lifecycle::Detached;
        }
        let at = iso_secs(self.now);
        let cause = format!("At {at} instance {id} was detached in response to a user request.");
        self.timeline.note(
            self.now,
            format!("instance {id} leaves group {name}, and lives on"),
        );
        let activity = self.begin_activity(
            &name,
            Begun {
                description: format!("Detaching EC2 instance: {id}"),
                cause,
                zone: Some(zone),
                instance: Some(id.to_owned()),
            },
        );
        self.set_activity(&name, &activity, ActivityStatus::Successful, None);
        self.group_look_soon(&name);
        Ok(())
    }
}
