//! What EC2 says about one instance: `EC2 Spot Instance Interruption Warning`, `EC2 Capacity Reservation Instance Interruption
//! Warning`, `EC2 Instance Rebalance Recommendation` and `EC2 Instance State-change Notification`. Their delivery is best effort.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitor-interruptible-cr.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html>
//!
//! The instance is read from the detail only. The ARN in `resources` was seen with a zone in the place of the Region and without an
//! account, and one of these events has a text in the place of that list.

use std::collections::BTreeSet;

use model::InstanceId;
use model::trigger::{InstanceNotice, MachineState, Notice, TriggerKind};

use crate::error::{Problem, TriggerError};
use crate::event::{Detail, Event};
use crate::text::{EVENT_NAME_CHARS_MAX, cut};

/// Reads a warning that Spot takes the instance. An action that is not known, or none, does not make it less urgent.
pub(crate) fn spot_interruption(event: &Event<'_>) -> Result<TriggerKind, TriggerError> {
    let detail = event.detail()?;
    let instance = instance(event, &detail)?;
    let action = action(&detail);
    Ok(noticed(instance, Notice::SpotInterruption { action }))
}

/// Reads a warning that a Capacity Reservation is taken back.
pub(crate) fn capacity_reservation_interruption(
    event: &Event<'_>,
) -> Result<TriggerKind, TriggerError> {
    let detail = event.detail()?;
    let instance = instance(event, &detail)?;
    let action = action(&detail);
    let notice = Notice::CapacityReservationInterruption { action };
    Ok(noticed(instance, notice))
}

/// Reads the hint that an instance is at an elevated risk.
pub(crate) fn rebalance(event: &Event<'_>) -> Result<TriggerKind, TriggerError> {
    let instance = instance(event, &event.detail()?)?;
    Ok(noticed(instance, Notice::Rebalance))
}

/// Reads an instance's change of state.
pub(crate) fn state_change(event: &Event<'_>) -> Result<TriggerKind, TriggerError> {
    let detail = event.detail()?;
    let instance = instance(event, &detail)?;
    let Some(state) = detail.text("state") else {
        let problem = Problem::with(detail.fields.get("state"), "a text");
        return Err(event.unusable("detail.state", problem));
    };
    let state = match state {
        "pending" => MachineState::Pending,
        "running" => MachineState::Running,
        "stopping" => MachineState::Stopping,
        "stopped" => MachineState::Stopped,
        "shutting-down" => MachineState::ShuttingDown,
        "terminated" => MachineState::Terminated,
        _ => MachineState::Other,
    };
    Ok(noticed(instance, Notice::StateChanged { state }))
}

fn instance(event: &Event<'_>, detail: &Detail<'_>) -> Result<InstanceId, TriggerError> {
    event.instance(detail, "instance-id", "detail.instance-id")
}

fn action(detail: &Detail<'_>) -> String {
    cut(
        detail.text("instance-action").unwrap_or_default(),
        EVENT_NAME_CHARS_MAX,
    )
}

fn noticed(instance: InstanceId, notice: Notice) -> TriggerKind {
    TriggerKind::InstanceNoticed(InstanceNotice {
        instances: [instance].into(),
        resolved: BTreeSet::new(),
        notice,
    })
}
