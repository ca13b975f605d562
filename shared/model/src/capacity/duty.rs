//! What the loop, the ledger and the record need of the nouns of EC2 capacity.

use serde::{Deserialize, Serialize};

use crate::capacity::hold::{CapacityHold, CapacityHoldReason};
use crate::capacity::key::{CapacitySubject, ProviderKey};
use crate::capacity::memory::ProviderMemory;
use crate::capacity::plan::{CapacityAction, CapacityStep, ProviderNumbers};
use crate::duty::{
    Measured, MeasuredUnit, MeasuredValue, Memory, PlannedHold, PlannedStep, SubjectKey,
};

impl SubjectKey for ProviderKey {
    type Memory = ProviderMemory;

    /// A service may have a provider's name; the prefix keeps their items apart.
    fn ledger_key(&self) -> String {
        format!("capacity-provider:{self}")
    }
}

impl Memory for ProviderMemory {}

/// What an outcome of cluster-scaler is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityTarget {
    /// The provider, or its instances.
    #[serde(flatten)]
    pub subject: CapacitySubject,
}

impl PlannedStep for CapacityStep {
    type Key = ProviderKey;
    type Target = CapacityTarget;

    fn subject(&self) -> &ProviderKey {
        self.provider()
    }

    fn reason_name(&self) -> &'static str {
        self.reason.as_str()
    }

    fn action_text(&self) -> String {
        self.action.to_string()
    }

    fn operation(&self) -> &'static str {
        match self.action {
            CapacityAction::SetDesiredCapacity { .. } => "autoscaling:SetDesiredCapacity",
            CapacityAction::Drain { .. } | CapacityAction::Activate { .. } => {
                "ecs:UpdateContainerInstancesState"
            }
            CapacityAction::Terminate { .. } => "autoscaling:TerminateInstanceInAutoScalingGroup",
        }
    }

    fn target(&self) -> CapacityTarget {
        CapacityTarget {
            subject: self.subject.clone(),
        }
    }

    fn measured(&self) -> Option<Measured> {
        Some(measured(self.provider(), self.numbers()?))
    }
}

impl PlannedHold for CapacityHold {
    type Key = ProviderKey;

    const QUIET: &'static [&'static str] = &[
        "not_opted_in",
        "managed_instances",
        "provider_held",
        "spare",
        "in_use",
        "instance_launching",
        "right_size",
    ];

    fn subject(&self) -> &ProviderKey {
        self.provider()
    }

    fn reason_name(&self) -> &'static str {
        self.reason.as_str()
    }

    fn leaves_unprotected(&self) -> bool {
        self.reason.leaves_unprotected()
    }

    fn measured(&self) -> Option<Measured> {
        Some(measured(self.provider(), self.numbers.as_ref()?))
    }
}

/// A provider's numbers as metrics. The dimensions and the first metric have the names that ECS's managed scaling gives them, so that
/// a dashboard or an alarm needs another namespace only. There are as many as opted-in providers.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html>
fn measured(key: &ProviderKey, numbers: &ProviderNumbers) -> Measured {
    let count = |name, value: u32| MeasuredValue {
        name,
        unit: MeasuredUnit::Count,
        value: u64::from(value),
    };
    Measured {
        dimensions: vec![
            ("ClusterName", key.cluster.to_string()),
            ("CapacityProviderName", key.provider.to_string()),
        ],
        values: vec![
            MeasuredValue {
                name: "CapacityProviderReservation",
                unit: MeasuredUnit::Percent,
                value: u64::from(numbers.reservation_percent),
            },
            count("InstancesNeeded", numbers.needed),
            count("InstancesRunning", numbers.running),
            count("InstancesLaunching", numbers.launching),
            count("InstancesDraining", numbers.draining),
            count("TasksUnplaceable", numbers.tasks_unplaceable),
        ],
    }
}

impl CapacityHoldReason {
    /// Whether a provider that is opted in is not looked after, or its tasks lack room that Ballast cannot give, for this reason.
    #[must_use]
    pub const fn leaves_unprotected(&self) -> bool {
        match self {
            Self::AtMaximum { .. }
            | Self::Unplaceable
            | Self::NoPoolLeft { .. }
            | Self::InstancesDoNotRegister { .. }
            | Self::Neighbours { .. }
            | Self::ForeignChange { .. }
            | Self::PolicyFaults { .. }
            | Self::WeightedCapacity
            | Self::GroupDeleting
            | Self::LaunchSuspended
            | Self::SnapshotIncomplete { .. }
            | Self::GroupNotFound { .. }
            | Self::Unread { .. } => true,
            Self::RightSize
            | Self::Launching
            | Self::WaitingForScaleInDelay { .. }
            | Self::ScalingIn { .. }
            | Self::ScaleInVetoed { .. }
            | Self::NothingRemovable
            | Self::OwnWriteNotVisible { .. }
            | Self::AdviceOnly { .. }
            | Self::Paused
            | Self::NotOptedIn
            | Self::ManagedInstances
            | Self::InUse
            | Self::Spare
            | Self::InstanceLaunching
            | Self::TooYoung { .. }
            | Self::ProtectedTasks
            | Self::StandaloneTasks
            | Self::ScaleInProtected
            | Self::TasksFitNowhereElse
            | Self::NeededForSpread
            | Self::DisruptionBudgetSpent { .. }
            | Self::Draining
            | Self::DrainedBySomebodyElse
            | Self::Leaving
            | Self::NotRegistered
            | Self::AgentDisconnected
            | Self::OutOfService
            | Self::ProviderHeld => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_may_be_left_out_exists() {
        for name in CapacityHold::QUIET {
            assert!(CapacityHoldReason::NAMES.contains(name), "{name}");
        }
    }

    #[test]
    fn a_service_and_a_provider_of_one_name_have_an_item_each() {
        let provider: ProviderKey = "demo/web".parse().unwrap();
        let service: crate::ServiceKey = "demo/web".parse().unwrap();
        assert_ne!(provider.ledger_key(), service.ledger_key());
    }
}
