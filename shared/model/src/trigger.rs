//! Why an invocation happened. A trigger is a reason to look at something, never an instruction.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{
    AccountId, CapacityProviderName, ClusterName, EventId, RegionName, ServiceKey, TaskArn,
};

/// What an event's envelope said about the event itself. Anything but source and detail-type may have been absent or unreadable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// `source`, such as `aws.ecs`.
    pub source: String,
    /// `detail-type`, such as `ECS Task State Change`.
    pub detail_type: String,
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<EventId>,
    /// The account that the event is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The Region that the event is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionName>,
    /// When the event happened, by its own account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
}

/// One reason to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// The event's own data.
    pub envelope: Envelope,
    /// What happened.
    pub kind: TriggerKind,
}

/// What happened, as far as Ballast is concerned. A closed list: a new kind does not compile until every reader handles it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TriggerKind {
    /// A Spot task got its two-minute warning, or has ended because of one.
    TaskInterrupted(TaskChange),
    /// A task was stopped, or stopped, for another reason.
    TaskStopped(TaskChange),
    /// ECS could not place a task of a service.
    PlacementFailed(PlacementFailure),
    /// A service reached its steady state. Sent periodically; a wake-up, not proof.
    ServiceSteady(ServiceChange),
    /// Something else about a service that is worth a look (`event_name` says what).
    ServiceChanged(ServiceChange),
    /// The schedule: look at everything that is opted in.
    Scheduled,
    /// Not for Ballast, or not worth a look.
    Ignored(Ignored),
}

impl TriggerKind {
    /// A stable name, for metrics and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::TaskInterrupted(_) => "task_interrupted",
            Self::TaskStopped(_) => "task_stopped",
            Self::PlacementFailed(_) => "placement_failed",
            Self::ServiceSteady(_) => "service_steady",
            Self::ServiceChanged(_) => "service_changed",
            Self::Scheduled => "scheduled",
            Self::Ignored(_) => "ignored",
        }
    }

    /// The cluster to look at, where the event names one.
    #[must_use]
    pub fn cluster(&self) -> Option<&ClusterName> {
        match self {
            Self::TaskInterrupted(task) | Self::TaskStopped(task) => Some(&task.cluster),
            Self::PlacementFailed(failure) => Some(&failure.service.cluster),
            Self::ServiceSteady(change) | Self::ServiceChanged(change) => {
                Some(&change.service.cluster)
            }
            Self::Scheduled | Self::Ignored(_) => None,
        }
    }

    /// The service to look at, where the event names one. A standalone task has none.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceKey> {
        match self {
            Self::TaskInterrupted(task) | Self::TaskStopped(task) => task.service.as_ref(),
            Self::PlacementFailed(failure) => Some(&failure.service),
            Self::ServiceSteady(change) | Self::ServiceChanged(change) => Some(&change.service),
            Self::Scheduled | Self::Ignored(_) => None,
        }
    }
}

/// A task's change of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskChange {
    /// The task.
    pub task: TaskArn,
    /// The cluster that it is in.
    pub cluster: ClusterName,
    /// The service that it belongs to; a standalone task has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceKey>,
    /// The capacity provider that it runs on; a task with a launch type has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<CapacityProviderName>,
    /// Grows by one with every change of the task; equal versions are duplicates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// When the task was told to stop, where the event says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping_at: Option<Timestamp>,
}

/// A placement failure, as ECS reported it. What it is evidence of is decided in `placement`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementFailure {
    /// The service whose task could not be placed.
    pub service: ServiceKey,
    /// The providers that ECS named; empty where it named none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<CapacityProviderName>,
    /// ECS's own word for the reason, such as `RESOURCE:FARGATE`; cut at 256 characters, without control characters.
    pub reason: String,
}

/// An event about a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceChange {
    /// The service.
    pub service: ServiceKey,
    /// ECS's own name for the event, such as `SERVICE_STEADY_STATE`; cut at 128 characters, without control characters.
    pub event_name: String,
}

/// An event that needs no look, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Ignored {
    /// No row of the table is for this source and detail-type.
    NotOurs,
    /// A task's change that is neither a stop nor a start that matters.
    TaskNotStopping,
    /// A service event that says nothing about capacity.
    ServiceEventWithoutMeaning {
        /// ECS's own name for the event.
        event_name: String,
    },
    /// A test notification.
    TestNotification,
}

impl Ignored {
    /// A stable name, for metrics and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NotOurs => "not_ours",
            Self::TaskNotStopping => "task_not_stopping",
            Self::ServiceEventWithoutMeaning { .. } => "service_event_without_meaning",
            Self::TestNotification => "test_notification",
        }
    }
}

/// What the triggers of one invocation add to what is observed: how soon something must be done, never what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hints {
    /// The placement failures that were reported, with the time that the event gave (or none).
    pub placement_failures: Vec<(Option<Timestamp>, PlacementFailure)>,
}
