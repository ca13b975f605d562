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

/// A metric of a provider.
#[derive(Debug, Clone, Copy)]
pub struct ProviderMetric {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: MeasuredUnit,
    /// What it measures, one sentence.
    pub meaning: &'static str,
    /// Its value.
    pub value: fn(&ProviderNumbers) -> u32,
}

/// The metrics of a provider, in the order of the documentation. The dimensions and the first metric have the names that ECS's managed
/// scaling gives them, so that a dashboard or an alarm needs another namespace only.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html>
pub const PROVIDER_METRICS: [ProviderMetric; 6] = [
    ProviderMetric {
        name: "CapacityProviderReservation",
        unit: MeasuredUnit::Percent,
        meaning: "100 × the instances needed ÷ those running, in percent; 100 where both are 0, 200 where only the latter are.",
        value: |it| it.reservation_percent,
    },
    ProviderMetric {
        name: "InstancesNeeded",
        unit: MeasuredUnit::Count,
        meaning: "The instances that the tasks need.",
        value: |it| it.needed,
    },
    ProviderMetric {
        name: "InstancesRunning",
        unit: MeasuredUnit::Count,
        meaning: "The group's instances that are InService.",
        value: |it| it.running,
    },
    ProviderMetric {
        name: "InstancesLaunching",
        unit: MeasuredUnit::Count,
        meaning: "The instances on their way: asked for and not begun, pending in the group, or not registered in the cluster yet.",
        value: |it| it.launching,
    },
    ProviderMetric {
        name: "InstancesDraining",
        unit: MeasuredUnit::Count,
        meaning: "The instances that Ballast drains for scale-in.",
        value: |it| it.draining,
    },
    ProviderMetric {
        name: "TasksUnplaceable",
        unit: MeasuredUnit::Count,
        meaning: "The tasks that fit no instance that the group can have.",
        value: |it| it.tasks_unplaceable,
    },
];

/// A provider's numbers as metrics. There are as many as opted-in providers.
fn measured(key: &ProviderKey, numbers: &ProviderNumbers) -> Measured {
    Measured {
        dimensions: vec![
            ("ClusterName", key.cluster.to_string()),
            ("CapacityProviderName", key.provider.to_string()),
        ],
        values: PROVIDER_METRICS
            .iter()
            .map(|metric| MeasuredValue {
                name: metric.name,
                unit: metric.unit,
                value: u64::from((metric.value)(numbers)),
            })
            .collect(),
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
            | Self::LaunchesFail { .. }
            | Self::NotPlaced { .. }
            | Self::LaunchedOfNoUse { .. }
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
            | Self::NothingRemovable { .. }
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
            | Self::NeededForZoneBalance
            | Self::DisruptionBudgetSpent { .. }
            | Self::Draining
            | Self::DrainedBySomebodyElse
            | Self::Leaving
            | Self::NotRegistered
            | Self::NotOfProvider
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
    fn a_providers_metrics_are_its_numbers() {
        let numbers = ProviderNumbers {
            reservation_percent: 75,
            needed: 3,
            running: 4,
            launching: 5,
            draining: 6,
            tasks_unplaceable: 7,
            ..ProviderNumbers::default()
        };
        let measured = measured(&"demo/large".parse().unwrap(), &numbers);
        let dimensions: Vec<String> = measured
            .dimensions
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            dimensions,
            ["ClusterName=demo", "CapacityProviderName=large"]
        );
        let values: Vec<String> = measured
            .values
            .iter()
            .map(|it| format!("{}={} {}", it.name, it.value, it.unit.as_str()))
            .collect();
        let want = [
            "CapacityProviderReservation=75 Percent",
            "InstancesNeeded=3 Count",
            "InstancesRunning=4 Count",
            "InstancesLaunching=5 Count",
            "InstancesDraining=6 Count",
            "TasksUnplaceable=7 Count",
        ];
        assert_eq!(values, want);
    }

    #[test]
    fn a_service_and_a_provider_of_one_name_have_an_item_each() {
        let provider: ProviderKey = "demo/web".parse().unwrap();
        let service: crate::ServiceKey = "demo/web".parse().unwrap();
        assert_ne!(provider.ledger_key(), service.ledger_key());
    }
}
