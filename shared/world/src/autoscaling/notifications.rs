//! What a lifecycle hook says straight to a queue or a topic, beside its event.
//!
//! The queue gets a JSON text that is no EventBridge envelope. When a hook is pointed at a target, a test notification comes
//! first.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/prepare-for-lifecycle-notifications.html>

use serde_json::{Value, json};

use crate::events::iso;
use crate::world::World;

/// What Auto Scaling calls itself in these messages.
const SERVICE: &str = "AWS Auto Scaling";

/// What the test notification says instead of a transition.
const TEST: &str = "autoscaling:TEST_NOTIFICATION";

impl World {
    /// A hook was pointed at a target: the target is told, so that its owner sees whether it works.
    pub(super) fn send_test_notification(&mut self, group: &str, hook: &str, target: &str) {
        let number = self.now.as_millisecond().unsigned_abs();
        let subject = format!("{group}/{hook}");
        let request = self.dice.uuid("test notification", &subject, number);
        let body = json!({
            "AccountId": self.config.account,
            "RequestId": request,
            "AutoScalingGroupARN": self.group_arn(group),
            "AutoScalingGroupName": group,
            "Service": SERVICE,
            "Event": TEST,
            "Time": iso(self.now),
        });
        self.send_message(target, &body, &request);
    }

    /// A hook holds an instance: its target gets what the event's detail says, without the envelope.
    pub(super) fn send_hook_message(&mut self, target: &str, mut detail: Value, token: &str) {
        let request = self.dice.uuid("hook message", token, 0);
        if let Some(fields) = detail.as_object_mut() {
            fields.insert("AccountId".to_owned(), json!(self.config.account));
            fields.insert("RequestId".to_owned(), json!(request));
            fields.insert("Service".to_owned(), json!(SERVICE));
            fields.insert("Time".to_owned(), iso(self.now));
        }
        self.send_message(target, &detail, &request);
    }
}
