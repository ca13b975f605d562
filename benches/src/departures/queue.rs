//! From an event to instance-drain, as `infra/template.yaml` has it: the rules' own patterns, then the queue with its batches.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use world::pattern::Pattern;

use crate::Failure;

/// The patterns of the template's rules, by the rule's name.
const PATTERNS: &str = include_str!("../../../infra/patterns.json");

/// The rules whose events come into instance-drain's queue.
const RULES: [&str; 5] = [
    "ContainerInstanceRule",
    "InstanceStateRule",
    "InstanceWarningRule",
    "LifecycleActionRule",
    "MaintenanceRule",
];

/// The queue's batching window in the template, in seconds.
const BATCHING_WINDOW_SECS: i64 = 1;
/// The queue's batch size in the template, in messages.
const BATCH_SIZE: usize = 1_000;
/// The queue's visibility timeout in the template, in seconds.
const VISIBILITY_TIMEOUT_SECS: i64 = 35;
/// How often a message is received before it goes to the dead-letter queue, in the template.
const RECEIVES_MAX: u32 = 10;

/// The rules.
pub(super) struct Rules(Vec<Pattern>);

impl Rules {
    /// Those of the template that are for this function.
    pub(super) fn of_the_template() -> Result<Self, Failure> {
        let texts: BTreeMap<String, Value> =
            serde_json::from_str(PATTERNS).map_err(Failure::world)?;
        let parsed = RULES.iter().map(|name| match texts.get(*name) {
            Some(text) => Pattern::parse(text).map_err(Failure::world),
            None => Err(Failure::World(format!("no rule is called `{name}`"))),
        });
        Ok(Self(parsed.collect::<Result<_, _>>()?))
    }

    /// Whether the event comes into the queue.
    pub(super) fn let_through(&self, event: &Value) -> bool {
        self.0.iter().any(|it| it.matches(event))
    }
}

/// A message of the queue.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) id: String,
    body: String,
    /// When what it tells of happened, by the event itself.
    pub(super) happened_at: Option<Timestamp>,
    /// EventBridge's name for what it tells.
    pub(super) detail_type: String,
    receives: u32,
}

/// The queue between the rules and the function.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By the time from which a message can be received.
    waiting: BTreeMap<(Timestamp, u64), Message>,
    sent: u64,
    /// How many messages the dead-letter queue got.
    pub(super) dead: u64,
}

impl Queue {
    /// Puts an event into the queue; the batch that takes it starts when the batching window is over.
    pub(super) fn send(&mut self, event: &Value, at: Timestamp) {
        self.sent += 1;
        let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
        let message = Message {
            id: format!("00000000-0000-4000-a000-{:012x}", self.sent),
            body: event.to_string(),
            happened_at: text("time").parse().ok(),
            detail_type: text("detail-type").to_owned(),
            receives: 0,
        };
        let from = later(at, BATCHING_WINDOW_SECS);
        self.waiting.insert((from, self.sent), message);
    }

    /// When the next batch is due.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.waiting.keys().next().map(|(at, _)| *at)
    }

    /// How many messages can be received or wait for it.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes the next batch, if one is due: what has arrived by now goes along, up to the batch size.
    pub(super) fn receive(&mut self, now: Timestamp) -> Vec<Message> {
        if self.next_at().is_none_or(|at| at > now) {
            return Vec::new();
        }
        let arrived = later(now, BATCHING_WINDOW_SECS);
        let mut batch = Vec::new();
        while batch.len() < BATCH_SIZE {
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
    pub(super) fn put_back(&mut self, failed: Vec<Message>, now: Timestamp) {
        for message in failed {
            if message.receives >= RECEIVES_MAX {
                self.dead += 1;
            } else {
                self.sent += 1;
                let from = later(now, VISIBILITY_TIMEOUT_SECS);
                self.waiting.insert((from, self.sent), message);
            }
        }
    }
}

pub(super) fn later(at: Timestamp, secs: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(secs))
        .unwrap_or(Timestamp::MAX)
}

/// What Lambda hands to the function for a batch.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
pub(super) fn batch_payload(batch: &[Message]) -> Value {
    let records: Vec<Value> = batch
        .iter()
        .map(|message| {
            json!({
                "messageId": message.id,
                "body": message.body,
                "attributes": { "ApproximateReceiveCount": message.receives.to_string() },
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-west-2:111122223333:instance-drain",
                "awsRegion": "us-west-2",
            })
        })
        .collect();
    json!({ "Records": records })
}

/// What EventBridge hands to the function for the schedule rule.
pub(super) fn schedule_payload(now: Timestamp) -> Value {
    let seconds = Timestamp::from_second(now.as_second()).unwrap_or(now);
    json!({
        "version": "0",
        "id": "00000000-0000-4000-b000-000000000001",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "111122223333",
        "time": seconds.to_string(),
        "region": "us-west-2",
        "resources": ["arn:aws:events:us-west-2:111122223333:rule/ballast-schedule"],
        "detail": {},
    })
}
