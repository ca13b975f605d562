//! An instance that waits in a lifecycle hook of its Auto Scaling group, in both forms in which it is said.
//!
//! `EC2 Instance-terminate Lifecycle Action` is an event of EventBridge, with the action in `detail`. A hook that has a target of its
//! own sends the same fields to a queue or to a topic, without an envelope (`notification`). Both are best effort, and a hook
//! may send both.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html>,
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/prepare-for-lifecycle-notifications.html>

use model::LifecycleHookName;
use model::trigger::{Ignored, LifecycleAction, TriggerKind};

use crate::error::{Problem, TriggerError};
use crate::event::{Detail, Event};
use crate::text::{EVENT_NAME_CHARS_MAX, cut, is_hook_name};

/// The events' detail-type, lent to the notifications.
pub(crate) const DETAIL_TYPE: &str = "EC2 Instance-terminate Lifecycle Action";

/// What a test calls itself.
pub(crate) const TEST: &str = "autoscaling:TEST_NOTIFICATION";

/// The transition of an instance on its way out.
pub(crate) const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";

/// The transition of an instance on its way in.
pub(crate) const LAUNCHING: &str = "autoscaling:EC2_INSTANCE_LAUNCHING";

/// How long a token is. A call with another one is refused, and one without a token goes by the instance.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html>
const TOKEN_CHARS: usize = 36;

/// The paths of what is needed, in either form.
pub(crate) struct Place {
    group: &'static str,
    hook: &'static str,
    instance: &'static str,
}

/// In an event.
const DETAIL: Place = Place {
    group: "detail.AutoScalingGroupName",
    hook: "detail.LifecycleHookName",
    instance: "detail.EC2InstanceId",
};

/// In a notification.
pub(crate) const NOTIFICATION: Place = Place {
    group: "AutoScalingGroupName",
    hook: "LifecycleHookName",
    instance: "EC2InstanceId",
};

/// Reads the event of an instance on its way out.
pub(crate) fn terminating(event: &Event<'_>) -> Result<TriggerKind, TriggerError> {
    let detail = event.detail()?;
    if is_test(&detail) {
        return Ok(TriggerKind::Ignored(Ignored::TestNotification));
    }
    if detail.text("LifecycleTransition") == Some(LAUNCHING) {
        return Ok(TriggerKind::Ignored(Ignored::LaunchLifecycleAction));
    }
    action(event, &detail, &DETAIL)
}

/// Reads the event of an instance on its way in. Nothing of it is needed.
pub(crate) fn launching(event: &Event<'_>) -> Result<TriggerKind, TriggerError> {
    let why = if is_test(&event.detail()?) {
        Ignored::TestNotification
    } else {
        Ignored::LaunchLifecycleAction
    };
    Ok(TriggerKind::Ignored(why))
}

/// Whether the fields are those of a test.
pub(crate) fn is_test(fields: &Detail<'_>) -> bool {
    ["Event", "LifecycleTransition"]
        .into_iter()
        .any(|field| fields.text(field) == Some(TEST))
}

/// Reads the action. The group, the hook and the instance are what every call about it needs.
pub(crate) fn action(
    event: &Event<'_>,
    fields: &Detail<'_>,
    place: &Place,
) -> Result<TriggerKind, TriggerError> {
    let text = |field| {
        let text = fields.text(field).filter(|text| !text.trim().is_empty())?;
        Some(cut(text, EVENT_NAME_CHARS_MAX))
    };
    Ok(TriggerKind::InstanceTerminating(LifecycleAction {
        group: event.group(fields, place.group)?,
        hook: hook(event, fields, place)?,
        instance: event.instance(fields, "EC2InstanceId", place.instance)?,
        token: fields
            .text("LifecycleActionToken")
            .filter(|text| is_token(text))
            .map(str::to_owned),
        origin: text("Origin"),
        destination: text("Destination"),
    }))
}

fn hook(
    event: &Event<'_>,
    fields: &Detail<'_>,
    place: &Place,
) -> Result<LifecycleHookName, TriggerError> {
    let Some(text) = fields.text("LifecycleHookName") else {
        let problem = Problem::with(fields.fields.get("LifecycleHookName"), "a text");
        return Err(event.unusable(place.hook, problem));
    };
    text.parse()
        .ok()
        .filter(|_| is_hook_name(text))
        .ok_or_else(|| event.unusable(place.hook, Problem::NotAHookName))
}

fn is_token(text: &str) -> bool {
    text.len() == TOKEN_CHARS && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::is_token;

    #[test]
    fn tokens_have_the_length_that_the_calls_want() {
        assert!(is_token("87654321-4321-4321-4321-210987654321"));
        assert!(is_token("71514b9d-6a40-4b26-8523-05e7eEXAMPLE"));
        for text in ["", "my-token", &"a".repeat(37), &"a ".repeat(18)] {
            assert!(!is_token(text), "{text}");
        }
    }
}
