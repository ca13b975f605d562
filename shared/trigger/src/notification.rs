//! Amazon EC2 Auto Scaling's test notification, sent to a queue or topic once when a lifecycle hook is pointed at it. It is no
//! event of EventBridge and has no source.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/prepare-for-lifecycle-notifications.html>

use model::trigger::{Envelope, Ignored, Trigger, TriggerKind};
use serde_json::{Map, Value};

use crate::envelope;

/// What the notification calls itself.
const TEST: &str = "autoscaling:TEST_NOTIFICATION";

/// The trigger for a test notification. It is given the source of the events of Auto Scaling and its own name as detail-type.
pub(crate) fn test(fields: &Map<String, Value>) -> Option<Trigger> {
    let is_test = ["Event", "LifecycleTransition"]
        .iter()
        .any(|field| fields.get(*field).and_then(Value::as_str) == Some(TEST));
    if !is_test || fields.contains_key("source") {
        return None;
    }
    Some(Trigger {
        envelope: Envelope {
            source: "aws.autoscaling".to_owned(),
            detail_type: TEST.to_owned(),
            id: None,
            account: fields
                .get("AccountId")
                .and_then(Value::as_str)
                .and_then(|text| text.parse().ok()),
            region: None,
            time: fields.get("Time").and_then(envelope::time),
        },
        kind: TriggerKind::Ignored(Ignored::TestNotification),
    })
}
