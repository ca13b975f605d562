//! What Amazon EC2 Auto Scaling sends to a queue or a topic itself: the notifications of a lifecycle hook that has a target of its
//! own, and a test when it gets one. They are no events of EventBridge: the fields of an event's detail stand alone, with `Service`,
//! `Time` and `AccountId` in the place of an envelope.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/prepare-for-lifecycle-notifications.html>
//!
//! A notification is given the source of the events of Auto Scaling, and as detail-type that of the event that says the same, else its
//! own name. It has no Region. Those about launches and terminations that a group sends to a topic are somebody else's.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-sns-notifications.html>

use model::trigger::{Envelope, Ignored, Trigger, TriggerKind};
use serde_json::{Map, Value};

use crate::envelope;
use crate::error::TriggerError;
use crate::event::{Detail, Event};
use crate::lifecycle_action::{self, DETAIL_TYPE, LAUNCHING, NOTIFICATION, TERMINATING, TEST};
use crate::text::{TYPE_CHARS_MAX, cut};

/// What every notification says it is from.
const SERVICE: &str = "AWS Auto Scaling";

/// Reads a notification; nothing when the payload is none.
pub(crate) fn read(fields: &Map<String, Value>) -> Option<Result<Trigger, TriggerError>> {
    if fields.contains_key("source") {
        return None;
    }
    let detail = Detail { fields };
    if lifecycle_action::is_test(&detail) {
        let kind = TriggerKind::Ignored(Ignored::TestNotification);
        let envelope = envelope(&detail, TEST);
        return Some(Ok(Trigger { envelope, kind }));
    }
    if detail.text("Service") != Some(SERVICE) {
        return None;
    }
    let name = detail
        .text("LifecycleTransition")
        .or_else(|| detail.text("Event"))?;
    let ignored = |why| {
        let kind = TriggerKind::Ignored(why);
        let envelope = envelope(&detail, name);
        Some(Ok(Trigger { envelope, kind }))
    };
    match name {
        TERMINATING => Some(terminating(&detail)),
        LAUNCHING => ignored(Ignored::LaunchLifecycleAction),
        _ => ignored(Ignored::NotOurs),
    }
}

fn terminating(detail: &Detail<'_>) -> Result<Trigger, TriggerError> {
    let envelope = envelope(detail, DETAIL_TYPE);
    let event = Event {
        envelope: &envelope,
        fields: detail.fields,
    };
    let kind = lifecycle_action::action(&event, detail, &NOTIFICATION)?;
    Ok(Trigger { envelope, kind })
}

fn envelope(detail: &Detail<'_>, detail_type: &str) -> Envelope {
    Envelope {
        source: "aws.autoscaling".to_owned(),
        detail_type: cut(detail_type, TYPE_CHARS_MAX),
        id: None,
        account: detail.text("AccountId").and_then(|text| text.parse().ok()),
        region: None,
        time: detail.fields.get("Time").and_then(envelope::time),
    }
}
