//! What an Auto Scaling group did with an instance: `EC2 Instance Launch Successful`, `EC2 Instance Launch Unsuccessful`,
//! `EC2 Instance Terminate Successful` and `EC2 Instance Terminate Unsuccessful`. Their delivery is best effort.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html>
//!
//! A failure has no code, only a text. It is kept as it is, cut; what it means is for `placement` to say.

use model::trigger::{GroupActivity, TriggerKind};
use serde_json::Value;

use crate::arn;
use crate::envelope;
use crate::error::TriggerError;
use crate::event::Event;
use crate::text::{MESSAGE_CHARS_MAX, cut};

/// Reads a launch that went well.
pub(crate) fn launched(event: &Event<'_>) -> Result<TriggerKind, TriggerError> {
    activity(event).map(TriggerKind::LaunchSucceeded)
}

/// Reads a launch that failed.
pub(crate) fn launch_failed(event: &Event<'_>) -> Result<TriggerKind, TriggerError> {
    activity(event).map(TriggerKind::LaunchFailed)
}

/// Reads a termination, however it went.
pub(crate) fn terminated(event: &Event<'_>) -> Result<TriggerKind, TriggerError> {
    activity(event).map(TriggerKind::InstanceTerminated)
}

/// Only the group is needed: the instance of a failed launch is often an empty text, and the rest is what operators read.
fn activity(event: &Event<'_>) -> Result<GroupActivity, TriggerError> {
    let detail = event.detail()?;
    let message = |field| cut(detail.text(field).unwrap_or_default(), MESSAGE_CHARS_MAX);
    Ok(GroupActivity {
        group: event.group(&detail, "detail.AutoScalingGroupName")?,
        instance: detail.text("EC2InstanceId").and_then(arn::instance),
        zone: detail
            .fields
            .get("Details")
            .and_then(|details| details.get("Availability Zone"))
            .and_then(Value::as_str)
            .and_then(arn::named),
        status_message: message("StatusMessage"),
        cause: message("Cause"),
        activity: detail.text("ActivityId").and_then(arn::named),
        at: ["EndTime", "StartTime"]
            .into_iter()
            .find_map(|field| envelope::time(detail.fields.get(field)?)),
    })
}
