//! What lies between a rule and a function: a queue of SQS, the batches that Lambda makes of its messages, and the schedule.
//!
//! Guaranteed: time is an argument; messages leave in the order in which they can be received. A batch starts when the first message's
//! batching window is over, and takes along what has arrived by then. A message that failed comes again after the visibility timeout,
//! as often as the queue allows, and counts as a dead letter then.
//!
//! Assumed: a message whose own window is still open goes along with the first, as SQS hands out whatever is there. One batch runs at a time.
//!
//! Absent: batches that end early because of their size in bytes, messages that come twice without a failure, and polls that find nothing.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// How a queue and its event source mapping are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSettings {
    /// `MaximumBatchingWindowInSeconds` of the event source mapping.
    pub batching_window_secs: i64,
    /// `BatchSize` of the event source mapping, in messages.
    pub batch_size: usize,
    /// `VisibilityTimeout` of the queue, in seconds.
    pub visibility_timeout_secs: i64,
    /// `maxReceiveCount` of the queue's redrive policy.
    pub receives_max: u32,
}

/// A message of a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedEvent {
    /// `messageId`.
    pub id: String,
    /// The event, which is the body.
    pub event: Value,
    /// How often it was received so far.
    receives: u32,
}

/// A queue between rules and one function.
#[derive(Debug, Clone)]
pub struct Queue {
    settings: QueueSettings,
    /// By the time from which a message can be received.
    waiting: BTreeMap<(Timestamp, u64), QueuedEvent>,
    sent: u64,
    dead: u64,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub const fn new(settings: QueueSettings) -> Self {
        Self {
            settings,
            waiting: BTreeMap::new(),
            sent: 0,
            dead: 0,
        }
    }

    /// Puts an event into the queue; the batch that takes it starts when the batching window is over.
    pub fn send(&mut self, event: &Value, at: Timestamp) {
        self.sent += 1;
        let message = QueuedEvent {
            id: format!("00000000-0000-4000-a000-{:012x}", self.sent),
            event: event.clone(),
            receives: 0,
        };
        let from = later(at, self.settings.batching_window_secs);
        self.waiting.insert((from, self.sent), message);
    }

    /// When the next batch is due.
    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        self.waiting.keys().next().map(|(at, _)| *at)
    }

    /// How many messages can be received, or wait for it.
    #[must_use]
    pub fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    /// How many messages the dead-letter queue got.
    #[must_use]
    pub const fn dead_letter_count(&self) -> u64 {
        self.dead
    }

    /// Takes the next batch, if one is due: what has arrived by now goes along, up to the batch size.
    pub fn receive(&mut self, now: Timestamp) -> Vec<QueuedEvent> {
        if self.next_at().is_none_or(|at| at > now) {
            return Vec::new();
        }
        let arrived = later(now, self.settings.batching_window_secs);
        let mut batch = Vec::new();
        while batch.len() < self.settings.batch_size {
            match self.waiting.first_entry() {
                Some(entry) if entry.key().0 <= arrived => {
                    let mut message = entry.remove();
                    message.receives += 1;
                    batch.push(message);
                }
                Some(_) | None => break,
            }
        }
        batch
    }

    /// Puts failed messages back until their visibility timeout is over, or into the dead-letter queue.
    pub fn put_back(&mut self, failed: Vec<QueuedEvent>, now: Timestamp) {
        for message in failed {
            if message.receives >= self.settings.receives_max {
                self.dead += 1;
            } else {
                self.sent += 1;
                let from = later(now, self.settings.visibility_timeout_secs);
                self.waiting.insert((from, self.sent), message);
            }
        }
    }
}

/// What Lambda hands to a function for a batch of its queue, which is called as the function is.
#[must_use]
pub fn batch_payload(batch: &[QueuedEvent], function: &str, region: &str, account: &str) -> Value {
    let record = |message: &QueuedEvent| {
        json!({
            "messageId": message.id,
            "receiptHandle": format!("receipt-{}-{}", message.id, message.receives),
            "body": message.event.to_string(),
            "attributes": { "ApproximateReceiveCount": message.receives.to_string() },
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:{region}:{account}:{function}"),
            "awsRegion": region,
        })
    };
    let records: Vec<Value> = batch.iter().map(record).collect();
    json!({ "Records": records })
}

/// What EventBridge hands to a function for a rule with a schedule, the time in whole seconds.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html>
#[must_use]
pub fn schedule_payload(number: u64, now: Timestamp, region: &str, account: &str) -> Value {
    let seconds = Timestamp::from_second(now.as_second()).unwrap_or(now);
    json!({
        "version": "0",
        "id": format!("00000000-0000-4000-b000-{number:012x}"),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": seconds.to_string(),
        "region": region,
        "resources": [format!("arn:aws:events:{region}:{account}:rule/ballast-schedule")],
        "detail": {},
    })
}

/// The ids of the messages that a batch's answer says have failed.
#[must_use]
pub fn failed_ids(answer: &Value) -> Vec<&str> {
    let failures = answer.get("batchItemFailures").and_then(Value::as_array);
    failures
        .into_iter()
        .flatten()
        .filter_map(|it| it.get("itemIdentifier").and_then(Value::as_str))
        .collect()
}

/// So many seconds later.
fn later(at: Timestamp, secs: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(secs))
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: QueueSettings = QueueSettings {
        batching_window_secs: 1,
        batch_size: 3,
        visibility_timeout_secs: 190,
        receives_max: 3,
    };

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    #[test]
    fn a_batch_waits_for_its_window_and_a_failed_message_comes_three_times() {
        let mut queue = Queue::new(SETTINGS);
        queue.send(&json!({"n": 1}), at(100));
        queue.send(&json!({"n": 2}), at(101));
        assert_eq!(queue.next_at(), Some(at(101)));
        assert!(queue.receive(at(100)).is_empty());
        let first = queue.receive(at(101));
        assert_eq!(first.len(), 2);
        let payload = batch_payload(&first, "cluster-scaler", "us-west-2", "111122223333");
        assert_eq!(payload["Records"][1]["body"], json!("{\"n\":2}"));
        assert_eq!(
            payload["Records"][0]["eventSourceARN"],
            "arn:aws:sqs:us-west-2:111122223333:cluster-scaler"
        );
        queue.put_back(first.into_iter().take(1).collect(), at(101));
        for receive in [291, 481] {
            assert_eq!(queue.next_at(), Some(at(receive)));
            let again = queue.receive(at(receive));
            assert_eq!(again.len(), 1);
            queue.put_back(again, at(receive));
        }
        assert_eq!((queue.next_at(), queue.dead_letter_count()), (None, 1));
    }

    #[test]
    fn a_batch_is_no_larger_than_it_may_be_and_the_rest_comes_next() {
        let mut queue = Queue::new(SETTINGS);
        for number in 0..5 {
            queue.send(&json!({ "n": number }), at(100));
        }
        let numbers = |batch: &[QueuedEvent]| -> Vec<Value> {
            batch.iter().map(|it| it.event["n"].clone()).collect()
        };
        assert_eq!(numbers(&queue.receive(at(101))), [0, 1, 2]);
        assert_eq!(queue.waiting_count(), 2);
        assert_eq!(numbers(&queue.receive(at(101))), [3, 4]);
        assert_eq!(queue.waiting_count(), 0);
    }

    #[test]
    fn what_an_answer_calls_failed_has_failed_and_nothing_else() {
        let answer = json!({"batchItemFailures": [{"itemIdentifier": "a"}, {"other": "b"}]});
        assert_eq!(failed_ids(&answer), ["a"]);
        assert!(failed_ids(&Value::Null).is_empty());
    }
}
