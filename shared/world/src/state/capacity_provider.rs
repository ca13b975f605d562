//! Capacity providers over Auto Scaling groups.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AutoScalingGroupProvider.html>

use std::collections::BTreeMap;

/// A capacity provider over an Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapacityProvider {
    /// The group's name.
    pub group: String,
    /// ECS's own scaling of the group.
    pub managed_scaling: ManagedScaling,
    /// Whether ECS protects instances with tasks from the group's scale-in.
    pub managed_termination_protection: bool,
    /// Whether ECS drains instances that the group or Spot takes.
    pub managed_draining: bool,
    /// `ACTIVE` or `INACTIVE`.
    pub status: &'static str,
    /// Such as `UPDATE_COMPLETE`.
    pub update_status: Option<&'static str>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Counts the changes of its managed scaling: what was planned for an older count does not happen.
    pub(crate) scaling_changes: u64,
}

/// ECS's own scaling of a group.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ManagedScaling.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManagedScaling {
    /// Whether it is on.
    pub enabled: bool,
    /// How much of the group is to be in use, in percent.
    pub target_capacity_percent: u32,
    /// The fewest instances that a step adds.
    pub minimum_step_size: u32,
    /// The most instances that a step adds.
    pub maximum_step_size: u32,
    /// How long a new instance counts as warming up, in seconds.
    pub instance_warmup_secs: u32,
}

impl ManagedScaling {
    /// Switched off, with AWS's defaults.
    pub const DISABLED: Self = Self {
        enabled: false,
        target_capacity_percent: 100,
        minimum_step_size: 1,
        maximum_step_size: 10_000,
        instance_warmup_secs: 300,
    };

    /// Switched on, with a target in percent and AWS's other defaults.
    #[must_use]
    pub const fn at(target_capacity_percent: u32) -> Self {
        Self {
            enabled: true,
            target_capacity_percent,
            ..Self::DISABLED
        }
    }
}

impl CapacityProvider {
    /// A provider over a group, with AWS's defaults: nothing is managed but draining.
    #[must_use]
    pub fn over(group: &str) -> Self {
        Self {
            group: group.to_owned(),
            managed_scaling: ManagedScaling::DISABLED,
            managed_termination_protection: false,
            managed_draining: true,
            status: "ACTIVE",
            update_status: None,
            tags: BTreeMap::new(),
            scaling_changes: 0,
        }
    }

    /// The same, with managed scaling at a target in percent.
    #[must_use]
    pub const fn scaled_at(mut self, target_capacity_percent: u32) -> Self {
        self.managed_scaling = ManagedScaling::at(target_capacity_percent);
        self
    }

    /// The same, without managed draining.
    #[must_use]
    pub const fn without_managed_draining(mut self) -> Self {
        self.managed_draining = false;
        self
    }

    /// The same, with managed termination protection.
    #[must_use]
    pub const fn with_termination_protection(mut self) -> Self {
        self.managed_termination_protection = true;
        self
    }
}
