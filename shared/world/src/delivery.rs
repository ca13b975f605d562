//! How events travel: at least once, perhaps late, perhaps in another order, and from best-effort sources perhaps never.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::config::Delivery;
use crate::dice::Dice;
use crate::pool::later;

/// The sources whose events EventBridge gets for certain.
/// <https://docs.aws.amazon.com/eventbridge/latest/ref/event-delivery-level.html>
pub const GUARANTEED_SOURCES: [&str; 2] = ["aws.ecs", "aws.cloudwatch"];

/// An event that arrives.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    /// When it arrives.
    pub at: Timestamp,
    /// The complete envelope; of an alarm's own call its payload.
    pub envelope: Value,
    /// The ARN of the function that an alarm calls itself; `None` for an event of EventBridge, which goes where rules send it.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html>
    pub called: Option<String>,
}

/// What is sent, and to whom.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) payload: Value,
    /// The ARN of a function that is called without a rule.
    pub(crate) called: Option<String>,
}

/// A message of Auto Scaling that arrives at the queue or topic of a lifecycle hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it arrives.
    pub at: Timestamp,
    /// A UUID; copies of a message have the same.
    pub id: String,
    /// The ARN of the queue or topic.
    pub target: String,
    /// The JSON text.
    pub body: String,
}

impl Message {
    /// The message as a record of the event that Lambda makes of a batch of a queue's messages: `{"Records": [...]}`.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
    #[must_use]
    pub fn record(&self) -> Value {
        let region = self.target.split(':').nth(3).unwrap_or_default();
        json!({
            "messageId": self.id,
            "receiptHandle": format!("{}-receipt", self.id),
            "body": self.body,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": self.sent_at.as_millisecond().to_string(),
                "SenderId": "AIDAJ6EXAMPLE4SENDERID",
                "ApproximateFirstReceiveTimestamp": self.at.as_millisecond().to_string(),
            },
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": self.target,
            "awsRegion": region,
        })
    }
}

/// The events on their way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outbox {
    on_the_way: BTreeMap<(Timestamp, u64), Sent>,
    messages: BTreeMap<(Timestamp, u64), Message>,
    sent: u64,
    deliveries: u64,
}

impl Outbox {
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        let event = self.on_the_way.keys().next().map(|(at, _)| *at);
        let message = self.messages.keys().next().map(|(at, _)| *at);
        event.into_iter().chain(message).min()
    }

    /// The number of the next event, for its id.
    pub(crate) const fn next_number(&self) -> u64 {
        self.sent + 1
    }

    /// Sends an event. `id` must be the event's own, so that its fate depends on nothing else.
    pub(crate) fn send(
        &mut self,
        sent: Sent,
        id: &str,
        now: Timestamp,
        lateness_ms: i64,
        rules: &Delivery,
        dice: Dice,
    ) {
        self.sent += 1;
        let source = sent.payload.get("source").and_then(Value::as_str);
        let source = source.unwrap_or("");
        let may_be_lost = rules.lose_guaranteed || !GUARANTEED_SOURCES.contains(&source);
        if may_be_lost && dice.happens(rules.lost_per_mille, "event lost", id, 0) {
            return;
        }
        let copies = 1 + u64::from(dice.happens(rules.duplicate_per_mille, "event twice", id, 0));
        for copy in 0..copies {
            let mut delay = dice.millis(rules.delay, "event delay", id, copy);
            if dice.happens(rules.late_per_mille, "event late", id, copy) {
                delay += dice.millis(rules.late, "event lateness", id, copy);
            }
            let swap = dice.happens(rules.swap_per_mille, "event swap", id, copy);
            self.put(later(now, delay + lateness_ms), sent.clone(), swap);
        }
    }

    /// Sends a message to a queue, which loses none: it comes at least once.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues-at-least-once-delivery.html>
    pub(crate) fn send_message(&mut self, message: &Message, rules: &Delivery, dice: Dice) {
        let id = message.id.as_str();
        let copies = 1 + u64::from(dice.happens(rules.duplicate_per_mille, "message twice", id, 0));
        for copy in 0..copies {
            let mut delay = dice.millis(rules.delay, "message delay", id, copy);
            if dice.happens(rules.late_per_mille, "message late", id, copy) {
                delay += dice.millis(rules.late, "message lateness", id, copy);
            }
            let at = later(message.sent_at, delay);
            self.deliveries += 1;
            let copied = Message {
                at,
                ..message.clone()
            };
            self.messages.insert((at, self.deliveries), copied);
        }
    }

    /// Takes the messages that have arrived by `now`.
    pub(crate) fn take_due_messages(&mut self, now: Timestamp) -> Vec<Message> {
        let mut due = Vec::new();
        while let Some(entry) = self.messages.first_entry() {
            if entry.key().0 > now {
                break;
            }
            due.push(entry.remove());
        }
        due
    }

    fn put(&mut self, at: Timestamp, sent: Sent, swap: bool) {
        self.deliveries += 1;
        let last = self.on_the_way.last_entry().filter(|_| swap);
        // Where the two change places, this one comes when the last one would have, and the other way round.
        let sent = match last {
            Some(mut last) => last.insert(sent),
            None => sent,
        };
        self.on_the_way.insert((at, self.deliveries), sent);
    }

    /// Takes what has arrived by `now`.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Vec<Delivered> {
        let mut due = Vec::new();
        while let Some(entry) = self.on_the_way.first_entry() {
            let at = entry.key().0;
            if at > now {
                break;
            }
            let sent = entry.remove();
            due.push(Delivered {
                at,
                envelope: sent.payload,
                called: sent.called,
            });
        }
        due
    }
}
