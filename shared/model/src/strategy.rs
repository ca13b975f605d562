//! Capacity provider strategies, as AWS defines them.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html>

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::CapacityProviderName;

/// The name of the Fargate on-demand provider.
pub const FARGATE: &str = "FARGATE";
/// The name of the Fargate Spot provider.
pub const FARGATE_SPOT: &str = "FARGATE_SPOT";

/// One line of a capacity provider strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyItem {
    /// The provider's name.
    pub provider: CapacityProviderName,
    /// How many tasks, at the least, go to this provider. At most one line of a strategy has a base above 0.
    #[serde(default)]
    pub base: u32,
    /// The provider's share of the tasks above the base.
    #[serde(default)]
    pub weight: u32,
}

impl fmt::Display for StrategyItem {
    /// `FARGATE 1/1` is base 1, weight 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.provider, self.base, self.weight)
    }
}

/// Who owns the machines under a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderFamily {
    /// `FARGATE` and `FARGATE_SPOT`.
    Fargate,
    /// A provider over an EC2 Auto Scaling group.
    AutoScalingGroup,
    /// A provider over ECS Managed Instances.
    ManagedInstances,
}

/// How the capacity is bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Market {
    /// On-demand capacity only.
    OnDemand,
    /// At least a part is Spot capacity.
    Spot,
    /// It could not be found out.
    Unknown,
}

impl Market {
    /// The word for records and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Spot => "Spot",
            Self::Unknown => "unknown",
        }
    }
}
