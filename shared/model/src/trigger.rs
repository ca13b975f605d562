//! Why an invocation happened. A trigger is a reason to look at something, never an instruction.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{
    AccountId, AlarmName, AutoScalingGroupName, AvailabilityZone, CapacityProviderName,
    ClusterName, ContainerInstanceArn, EventId, InstanceId, RegionName, ScalingActivityId,
    ServiceKey, TaskArn,
};
pub use crate::notice::{InstanceNotice, LifecycleAction, MachineState, Notice, NoticeHint};

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
    /// A container instance registered, became another state, or its agent connected or lost its connection. ECS also sends it for
    /// every task that starts or stops there.
    InstanceChanged(ContainerInstanceChange),
    /// An Auto Scaling group launched an instance.
    LaunchSucceeded(GroupActivity),
    /// An Auto Scaling group could not launch an instance.
    LaunchFailed(GroupActivity),
    /// An Auto Scaling group terminated an instance, or could not: either way what it holds has to be looked at again.
    InstanceTerminated(GroupActivity),
    /// EC2, or AWS Health, said something about instances that are going away or may be.
    InstanceNoticed(InstanceNotice),
    /// An instance of an Auto Scaling group waits in a lifecycle hook on its way out.
    InstanceTerminating(LifecycleAction),
    /// An alarm changed its state. One that stays in alarm says nothing more; the schedule carries on.
    AlarmChanged(AlarmChange),
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
            Self::InstanceChanged(_) => "instance_changed",
            Self::LaunchSucceeded(_) => "launch_succeeded",
            Self::LaunchFailed(_) => "launch_failed",
            Self::InstanceTerminated(_) => "instance_terminated",
            Self::InstanceNoticed(_) => "instance_noticed",
            Self::InstanceTerminating(_) => "instance_terminating",
            Self::AlarmChanged(_) => "alarm_changed",
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
            Self::InstanceChanged(change) => Some(&change.cluster),
            Self::AlarmChanged(alarm) => alarm.cluster.as_ref(),
            Self::LaunchSucceeded(_)
            | Self::LaunchFailed(_)
            | Self::InstanceTerminated(_)
            | Self::InstanceNoticed(_)
            | Self::InstanceTerminating(_)
            | Self::Scheduled
            | Self::Ignored(_) => None,
        }
    }

    /// The service to look at, where the event names one. A standalone task has none.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceKey> {
        match self {
            Self::TaskInterrupted(task) | Self::TaskStopped(task) => task.service.as_ref(),
            Self::PlacementFailed(failure) => Some(&failure.service),
            Self::ServiceSteady(change) | Self::ServiceChanged(change) => Some(&change.service),
            Self::AlarmChanged(alarm) => alarm.the_service(),
            Self::InstanceChanged(_)
            | Self::LaunchSucceeded(_)
            | Self::LaunchFailed(_)
            | Self::InstanceTerminated(_)
            | Self::InstanceNoticed(_)
            | Self::InstanceTerminating(_)
            | Self::Scheduled
            | Self::Ignored(_) => None,
        }
    }

    /// The Auto Scaling group that the event is about, where it names one.
    #[must_use]
    pub fn group(&self) -> Option<&AutoScalingGroupName> {
        match self {
            Self::LaunchSucceeded(activity)
            | Self::LaunchFailed(activity)
            | Self::InstanceTerminated(activity) => Some(&activity.group),
            Self::InstanceTerminating(action) => Some(&action.group),
            Self::AlarmChanged(alarm) => alarm.group.as_ref(),
            Self::TaskInterrupted(_)
            | Self::TaskStopped(_)
            | Self::PlacementFailed(_)
            | Self::ServiceSteady(_)
            | Self::ServiceChanged(_)
            | Self::InstanceChanged(_)
            | Self::InstanceNoticed(_)
            | Self::Scheduled
            | Self::Ignored(_) => None,
        }
    }

    /// The EC2 instances that the event names.
    pub fn instances(&self) -> impl Iterator<Item = &InstanceId> {
        let (several, one) = match self {
            Self::InstanceNoticed(notice) => {
                (Some(notice.instances.iter().chain(&notice.resolved)), None)
            }
            Self::InstanceTerminating(action) => (None, Some(&action.instance)),
            Self::InstanceChanged(change) => (None, change.ec2_instance.as_ref()),
            Self::LaunchSucceeded(activity)
            | Self::LaunchFailed(activity)
            | Self::InstanceTerminated(activity) => (None, activity.instance.as_ref()),
            Self::TaskInterrupted(_)
            | Self::TaskStopped(_)
            | Self::PlacementFailed(_)
            | Self::ServiceSteady(_)
            | Self::ServiceChanged(_)
            | Self::AlarmChanged(_)
            | Self::Scheduled
            | Self::Ignored(_) => (None, None),
        };
        several.into_iter().flatten().chain(one)
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

/// A container instance's change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerInstanceChange {
    /// The cluster that the container instance is in.
    pub cluster: ClusterName,
    /// The container instance.
    pub container_instance: ContainerInstanceArn,
    /// The EC2 instance that it is; one outside EC2 has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ec2_instance: Option<InstanceId>,
    /// ECS's own word, such as `ACTIVE` or `DRAINING`; cut at 128 characters, without control characters, empty where it was not said.
    pub status: String,
    /// Whether the agent is connected. It comes and goes several times an hour in normal operation
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_container_instance_events.html>).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_connected: Option<bool>,
    /// Grows by one with every change of the container instance; equal versions are duplicates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// What an Auto Scaling group did, or could not do, with one instance. What a failure's text means is decided in `placement`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupActivity {
    /// The group.
    pub group: AutoScalingGroupName,
    /// The instance; a launch that failed may have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
    /// The zone that it was, or was to be, in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<AvailabilityZone>,
    /// What went wrong, in Auto Scaling's own words; cut at 512 characters, without control characters, empty where nothing did.
    pub status_message: String,
    /// Why the group did it, in Auto Scaling's own words; cut at 512 characters, without control characters.
    pub cause: String,
    /// The scaling activity, as `DescribeScalingActivities` lists it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<ScalingActivityId>,
    /// When the activity ended, or began where its end was not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// An alarm's change of state, as an event or as the alarm's own call of the function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmChange {
    /// The alarm.
    pub alarm: AlarmName,
    /// The state that it is in now.
    pub state: AlarmState,
    /// The state that it was in before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<AlarmState>,
    /// The metrics that it watches; every one of a metric math expression, none of a composite alarm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<AlarmMetric>,
    /// The cluster that its metrics are about. None as well where they are about several: then no single one is to be looked at. So
    /// with the next two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// The capacity provider that its metrics are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<CapacityProviderName>,
    /// The Auto Scaling group that its metrics are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<AutoScalingGroupName>,
    /// The services that its metrics are about, where they name the cluster as well: an alarm of a pair may watch both of its services.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub services: BTreeSet<ServiceKey>,
    /// Whether it is made of other alarms, by a rule, and watches no metric itself.
    pub is_composite: bool,
}

impl AlarmChange {
    /// The service that its metrics are about, where it is one.
    fn the_service(&self) -> Option<&ServiceKey> {
        let one = self.services.first();
        one.filter(|_| self.services.len() == 1)
    }
}

/// An alarm's state.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_StateUpdate.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// `OK`.
    Ok,
    /// `ALARM`.
    Alarm,
    /// `INSUFFICIENT_DATA`.
    InsufficientData,
    /// A state that CloudWatch did not have when this was written.
    Other,
}

impl AlarmState {
    /// A stable name, for records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Alarm => "alarm",
            Self::InsufficientData => "insufficient_data",
            Self::Other => "other",
        }
    }
}

/// A metric that an alarm watches. Its texts are cut at 256 characters, without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmMetric {
    /// Such as `AWS/ECS/ManagedScaling`.
    pub namespace: String,
    /// Such as `CapacityProviderReservation`.
    pub name: String,
    /// What the metric is about, such as `ClusterName` and `CapacityProviderName`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dimensions: BTreeMap<String, String>,
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
    /// An instance waits in a lifecycle hook on its way in: the group says so itself when it is launched.
    LaunchLifecycleAction,
    /// An event of AWS Health about something else than a scheduled change of EC2.
    NotAScheduledChange,
    /// A scheduled change of EC2 that names no instance.
    NamesNoInstance,
    /// A copy of an event of AWS Health, about another account or Region than the one that it was sent to.
    Elsewhere,
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
            Self::LaunchLifecycleAction => "launch_lifecycle_action",
            Self::NotAScheduledChange => "not_a_scheduled_change",
            Self::NamesNoInstance => "names_no_instance",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// What the triggers of one invocation add to what is observed: how soon something must be done, never what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hints {
    /// The placement failures that were reported, with the time that the event gave (or none).
    pub placement_failures: Vec<(Option<Timestamp>, PlacementFailure)>,
    /// The launches that were reported to have failed, each text of a group and zone once, with its latest time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub launch_failures: Vec<LaunchFailure>,
    /// What was said about instances, each notice about each instance once, with its latest time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<NoticeHint>,
    /// The instances that were reported to wait in a lifecycle hook, each action once, with the latest time that an event gave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lifecycle_actions: Vec<(Option<Timestamp>, LifecycleAction)>,
}

/// A launch that failed, as Auto Scaling reported it. What it is evidence of is decided in `placement`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchFailure {
    /// The group.
    pub group: AutoScalingGroupName,
    /// The zone, where the event names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<AvailabilityZone>,
    /// What went wrong, in Auto Scaling's own words.
    pub status_message: String,
    /// When the activity ended, else the event's own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}
