//! The table of the events that are ours. Reading it is reading what the functions listen to.

use model::trigger::TriggerKind;

use crate::error::TriggerError;
use crate::event::Event;
use crate::{
    alarm, container_instance, deployment, group_activity, health, instance_notice,
    lifecycle_action, schedule, service_action, task,
};

/// Reads an event of one row.
type Read = fn(&Event<'_>) -> Result<TriggerKind, TriggerError>;

struct Row {
    source: &'static str,
    detail_type: &'static str,
    read: Read,
}

const TABLE: [Row; 19] = [
    Row {
        source: "aws.ecs",
        detail_type: "ECS Task State Change",
        read: task::state_change,
    },
    Row {
        source: "aws.ecs",
        detail_type: "ECS Service Action",
        read: service_action::action,
    },
    Row {
        source: "aws.ecs",
        detail_type: "ECS Deployment State Change",
        read: deployment::state_change,
    },
    Row {
        source: "aws.ecs",
        detail_type: "ECS Container Instance State Change",
        read: container_instance::state_change,
    },
    Row {
        source: "aws.autoscaling",
        detail_type: "EC2 Instance Launch Successful",
        read: group_activity::launched,
    },
    Row {
        source: "aws.autoscaling",
        detail_type: "EC2 Instance Launch Unsuccessful",
        read: group_activity::launch_failed,
    },
    Row {
        source: "aws.autoscaling",
        detail_type: "EC2 Instance Terminate Successful",
        read: group_activity::terminated,
    },
    Row {
        source: "aws.autoscaling",
        detail_type: "EC2 Instance Terminate Unsuccessful",
        read: group_activity::terminated,
    },
    // A notification of the lifecycle hook itself is read as this event.
    Row {
        source: "aws.autoscaling",
        detail_type: lifecycle_action::DETAIL_TYPE,
        read: lifecycle_action::terminating,
    },
    Row {
        source: "aws.autoscaling",
        detail_type: "EC2 Instance-launch Lifecycle Action",
        read: lifecycle_action::launching,
    },
    Row {
        source: "aws.ec2",
        detail_type: "EC2 Spot Instance Interruption Warning",
        read: instance_notice::spot_interruption,
    },
    // Two names of it were published.
    Row {
        source: "aws.ec2",
        detail_type: "EC2 Capacity Reservation Instance Interruption Warning",
        read: instance_notice::capacity_reservation_interruption,
    },
    Row {
        source: "aws.ec2",
        detail_type: "EC2 Interruptible Capacity Reservation Instance Interruption Warning",
        read: instance_notice::capacity_reservation_interruption,
    },
    Row {
        source: "aws.ec2",
        detail_type: "EC2 Instance Rebalance Recommendation",
        read: instance_notice::rebalance,
    },
    Row {
        source: "aws.ec2",
        detail_type: "EC2 Instance State-change Notification",
        read: instance_notice::state_change,
    },
    Row {
        source: "aws.health",
        detail_type: "AWS Health Event",
        read: health::event,
    },
    // An alarm's own call of a function is read as this event.
    Row {
        source: alarm::SOURCE,
        detail_type: alarm::DETAIL_TYPE,
        read: alarm::state_change,
    },
    Row {
        source: "aws.events",
        detail_type: "Scheduled Event",
        read: schedule::scheduled,
    },
    Row {
        source: "aws.scheduler",
        detail_type: "Scheduled Event",
        read: schedule::scheduled,
    },
];

/// The source and detail-type of every event that is ours. The rules in `infra/` are held against it.
pub fn table() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.iter().map(|row| (row.source, row.detail_type))
}

/// What reads an event, where it is ours.
pub(crate) fn row(source: &str, detail_type: &str) -> Option<Read> {
    TABLE
        .iter()
        .find(|row| row.source == source && row.detail_type == detail_type)
        .map(|row| row.read)
}

/// Whether any event of this source is ours.
pub(crate) fn has_source(source: &str) -> bool {
    TABLE.iter().any(|row| row.source == source)
}
