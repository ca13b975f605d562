//! Can the group be sized at all?

use model::capacity::{CapacityHoldReason, GroupPolicy, GroupTypes, Provider};

/// The policy, or the reason why the group cannot be sized.
pub(crate) fn sizable(provider: &Provider) -> Result<&GroupPolicy, CapacityHoldReason> {
    let policy = match &provider.policy {
        Ok(policy) => policy,
        Err(faults) => {
            return Err(CapacityHoldReason::PolicyFaults {
                faults: faults.clone(),
            });
        }
    };
    if provider.group.is_deleting {
        return Err(CapacityHoldReason::GroupDeleting);
    }
    let is_weighted = match &provider.group.types {
        // A weight of 1 counts instances, as none does.
        GroupTypes::Listed { choices } => choices
            .iter()
            .any(|choice| choice.weighted_capacity.is_some_and(|weight| weight != 1)),
        GroupTypes::InLaunchTemplate | GroupTypes::ByRequirements => false,
    };
    if is_weighted || !provider.group.desired_capacity_type.counts_instances() {
        return Err(CapacityHoldReason::WeightedCapacity);
    }
    Ok(policy)
}
