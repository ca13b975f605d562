//! From an event to the functions, as `infra/template.yaml` has it: the rules' own patterns, then the queue with its batches.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use model::Timestamp;
use serde_json::{Value, json};
use world::pattern::Pattern;

use crate::error::CliError;
use crate::lab::function::Name;

/// The patterns of the template's rules, by the rule's name. A test beside the template keeps the two alike.
const PATTERNS: &str = include_str!("../../../../infra/patterns.json");

/// The queue's batching window in `infra/template.yaml`, in seconds.
const BATCHING_WINDOW_SECS: i64 = 1;
/// The queue's batch size in `infra/template.yaml`, in messages.
const BATCH_SIZE: usize = 1_000;
/// What becomes of a message that a function could not deal with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Retries {
    /// The queue's visibility timeout in `infra/template.yaml`, in seconds.
    visibility_timeout_secs: i64,
    /// How often a message is received before it goes to the dead-letter queue, in `infra/template.yaml`.
    receives_max: u32,
}

/// What a function's queue has in `infra/template.yaml`.
const fn retries(of: Name) -> Retries {
    match of {
        Name::SpotFallback | Name::ClusterScaler | Name::ServiceScaler => Retries {
            visibility_timeout_secs: 190,
            receives_max: 3,
        },
        Name::InstanceDrain => Retries {
            visibility_timeout_secs: 35,
            receives_max: 10,
        },
    }
}

/// Whose queues a rule of `infra/template.yaml` puts an event into. Empty for a rule that nobody knows.
fn targets(rule: &str) -> &'static [Name] {
    match rule {
        "SpotInterruptionRule" => &[Name::SpotFallback],
        "ServiceActionRule" => &[Name::SpotFallback, Name::ClusterScaler],
        "ContainerInstanceRule" => &[Name::ClusterScaler, Name::InstanceDrain],
        "AutoScalingRule" | "CapacityAlarmRule" => &[Name::ClusterScaler],
        "InstanceWarningRule" | "InstanceStateRule" | "MaintenanceRule" | "LifecycleActionRule" => {
            &[Name::InstanceDrain]
        }
        "ServiceAlarmRule" => &[Name::ServiceScaler],
        _ => &[],
    }
}

/// The rules.
#[derive(Debug)]
pub(crate) struct Rules {
    patterns: Vec<(&'static [Name], Pattern)>,
}

impl Rules {
    /// The template's rules.
    pub(crate) fn of_the_template() -> Result<Self, CliError> {
        let texts: BTreeMap<String, Value> = serde_json::from_str(PATTERNS)?;
        let mut patterns = Vec::new();
        for (name, text) in texts {
            let pattern = Pattern::parse(&text).map_err(|error| {
                CliError::Lab(format!("the rule `{name}` cannot be used: {error}"))
            })?;
            patterns.push((targets(&name), pattern));
        }
        Ok(Self { patterns })
    }

    /// Whose queues the event comes into: once for each rule that lets it through.
    pub(crate) fn matching(&self, event: &Value) -> Vec<Name> {
        self.patterns
            .iter()
            .filter(|(_, pattern)| pattern.matches(event))
            .flat_map(|(targets, _)| targets.iter().copied())
            .collect()
    }
}

/// A message of the queue.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    body: String,
    receives: u32,
}

/// The queue between the rules and one function.
#[derive(Debug)]
pub(crate) struct Queue {
    retries: Retries,
    /// By the time from which a message can be received.
    waiting: BTreeMap<(Timestamp, u64), Message>,
    sent: u64,
    /// How many messages the dead-letter queue got.
    pub(crate) dead: u64,
}

impl Queue {
    /// The empty queue of a function.
    pub(crate) const fn of(function: Name) -> Self {
        Self {
            retries: retries(function),
            waiting: BTreeMap::new(),
            sent: 0,
            dead: 0,
        }
    }

    /// Puts an event into the queue; the batch that takes it starts when the batching window is over.
    pub(crate) fn send(&mut self, event: &Value, at: Timestamp) {
        self.sent += 1;
        let message = Message {
            id: format!("00000000-0000-4000-a000-{:012x}", self.sent),
            body: event.to_string(),
            receives: 0,
        };
        self.waiting
            .insert((later(at, BATCHING_WINDOW_SECS), self.sent), message);
    }

    /// When the next batch is due.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.waiting.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next batch, if one is due: what has arrived by now goes along, up to the batch size.
    pub(crate) fn receive(&mut self, now: Timestamp) -> Vec<Message> {
        if self.next_at().is_none_or(|at| at > now) {
            return Vec::new();
        }
        // A message whose own window is still open goes along with the first, as SQS hands out whatever is there.
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
    pub(crate) fn put_back(&mut self, failed: Vec<Message>, now: Timestamp) {
        for message in failed {
            if message.receives >= self.retries.receives_max {
                self.dead += 1;
            } else {
                self.sent += 1;
                let visible = later(now, self.retries.visibility_timeout_secs);
                self.waiting.insert((visible, self.sent), message);
            }
        }
    }
}

fn later(at: Timestamp, secs: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(secs))
        .unwrap_or(Timestamp::MAX)
}

/// What Lambda hands to the function for a batch.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
pub(crate) fn batch_payload(batch: &[Message], to: Name, region: &str, account: &str) -> Value {
    let queue = to.as_str();
    let records: Vec<Value> = batch
        .iter()
        .map(|message| {
            json!({
                "messageId": message.id,
                "receiptHandle": format!("receipt-{}-{}", message.id, message.receives),
                "body": message.body,
                "attributes": { "ApproximateReceiveCount": message.receives.to_string() },
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": format!("arn:aws:sqs:{region}:{account}:{queue}"),
                "awsRegion": region,
            })
        })
        .collect();
    json!({ "Records": records })
}

/// What EventBridge hands to the function for the schedule rule.
pub(crate) fn schedule_payload(number: u64, now: Timestamp, region: &str, account: &str) -> Value {
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
pub(crate) fn failed_ids(answer: &Value) -> Vec<&str> {
    let failures = answer.get("batchItemFailures").and_then(Value::as_array);
    failures
        .into_iter()
        .flatten()
        .filter_map(|it| it.get("itemIdentifier").and_then(Value::as_str))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{driver, function};

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    #[test]
    fn the_seeds_event_passes_one_rule_and_a_users_stop_none() {
        let rules = Rules::of_the_template().unwrap();
        let mut event = json!({
            "source": "aws.ecs", "detail-type": "ECS Task State Change",
            "detail": { "desiredStatus": "STOPPED", "lastStatus": "RUNNING", "stopCode": "SpotInterruption",
                        "stoppedReason": "Your Spot Task was interrupted." },
        });
        assert_eq!(rules.matching(&event), [Name::SpotFallback]);
        event["detail"]["stopCode"] = json!("UserInitiated");
        event["detail"]["stoppedReason"] = json!("Task stopped by user");
        assert_eq!(rules.matching(&event), []);
        event["detail-type"] = json!("ECS Service Action");
        event["detail"] = json!({ "eventName": "SERVICE_TASK_PLACEMENT_FAILURE" });
        assert_eq!(
            rules.matching(&event),
            [Name::SpotFallback, Name::ClusterScaler]
        );
    }

    /// Every rule has the targets here that it has in the template.
    #[test]
    fn the_targets_are_those_of_the_template() {
        let template = include_str!("../../../../infra/template.yaml");
        let texts: BTreeMap<String, Value> = serde_json::from_str(PATTERNS).unwrap();
        assert!(!texts.is_empty());
        for rule in texts.keys() {
            let (_, rest) = template.split_once(&format!("\n  {rule}:\n")).unwrap();
            let block: Vec<&str> = rest
                .lines()
                .take_while(|line| line.is_empty() || line.starts_with("   "))
                .collect();
            let names = |queue: &str| block.iter().any(|it| it.contains(&format!("{queue}.Arn")));
            let mut want = Vec::new();
            if names("SpotFallbackQueue") {
                want.push(Name::SpotFallback);
            }
            if names("ClusterScalerQueue") {
                want.push(Name::ClusterScaler);
            }
            if names("InstanceDrainQueue") {
                want.push(Name::InstanceDrain);
            }
            if names("ServiceScalerQueue") {
                want.push(Name::ServiceScaler);
            }
            assert!(!want.is_empty(), "{rule}: {block:?}");
            assert_eq!(targets(rule), want, "{rule}");
        }
    }

    /// What this file, the driver and the function's process take from the template is what the template says.
    #[test]
    fn the_numbers_are_those_of_the_template() {
        let template = include_str!("../../../../infra/template.yaml");
        for line in [
            format!("BatchSize: {BATCH_SIZE}"),
            format!("MaximumBatchingWindowInSeconds: {BATCHING_WINDOW_SECS}"),
            format!("MemorySize: {}", Name::SpotFallback.memory_mib()),
            format!("MemorySize: {}", Name::ClusterScaler.memory_mib()),
            format!("MemorySize: {}", Name::InstanceDrain.memory_mib()),
            format!("MemorySize: {}", Name::ServiceScaler.memory_mib()),
            format!("Timeout: {}", function::TIMEOUT.as_secs()),
            format!("MaximumRetryAttempts: {}", driver::SCHEDULE_RETRIES_MAX),
            format!(
                "ScheduleExpression: rate({} minute)",
                driver::SCHEDULE_INTERVAL_SECS / 60
            ),
            format!(
                "BALLAST_SCHEDULE_INTERVAL_SECS: \"{}\"",
                driver::SCHEDULE_INTERVAL_SECS
            ),
        ] {
            let found = template.lines().any(|it| it.trim() == line);
            assert!(found, "the template has no line `{line}`");
        }
    }

    /// Each function's queue tries again as its block in the template has it.
    #[test]
    fn the_queues_are_those_of_the_template() {
        let template = include_str!("../../../../infra/template.yaml");
        for (name, resource) in [
            (Name::SpotFallback, "SpotFallbackQueue"),
            (Name::ClusterScaler, "ClusterScalerQueue"),
            (Name::InstanceDrain, "InstanceDrainQueue"),
            (Name::ServiceScaler, "ServiceScalerQueue"),
        ] {
            let (_, rest) = template.split_once(&format!("\n  {resource}:\n")).unwrap();
            let block: Vec<&str> = rest
                .lines()
                .take_while(|line| line.is_empty() || line.starts_with("   "))
                .map(str::trim)
                .collect();
            let Retries {
                visibility_timeout_secs,
                receives_max,
            } = retries(name);
            for line in [
                format!("VisibilityTimeout: {visibility_timeout_secs}"),
                format!("maxReceiveCount: {receives_max}"),
            ] {
                assert!(block.contains(&line.as_str()), "{resource}: {line}");
            }
        }
    }

    /// The driver counts no dead letter for a look of the schedule's that failed, and neither does Lambda.
    #[test]
    fn a_failed_look_of_the_schedules_leaves_no_dead_letter() {
        let template = include_str!("../../../../infra/template.yaml");
        let (_, rest) = template.split_once("EventInvokeConfig:\n").unwrap();
        let block: Vec<&str> = rest
            .lines()
            .take_while(|line| line.starts_with("        "))
            .map(str::trim)
            .collect();
        let retries = format!("MaximumRetryAttempts: {}", driver::SCHEDULE_RETRIES_MAX);
        assert!(block.contains(&retries.as_str()), "{block:?}");
        assert!(!block.contains(&"OnFailure:"), "{block:?}");
    }

    #[test]
    fn a_batch_waits_for_its_window_and_a_failed_message_comes_three_times() {
        let mut queue = Queue::of(Name::ClusterScaler);
        queue.send(&json!({"n": 1}), at(100));
        queue.send(&json!({"n": 2}), at(101));
        assert_eq!(queue.next_at(), Some(at(101)));
        assert!(queue.receive(at(100)).is_empty());
        let first = queue.receive(at(101));
        assert_eq!(first.len(), 2);
        let payload = batch_payload(&first, Name::ClusterScaler, "us-west-2", "111122223333");
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
        assert_eq!((queue.next_at(), queue.dead), (None, 1));
    }

    /// A warning is worth something for two minutes: it comes back within them.
    #[test]
    fn a_warning_that_failed_comes_back_while_it_is_worth_something() {
        let mut queue = Queue::of(Name::InstanceDrain);
        queue.send(&json!({"n": 1}), at(0));
        let mut received = Vec::new();
        while let Some(next) = queue.next_at() {
            let batch = queue.receive(next);
            received.push(next.as_second());
            queue.put_back(batch, next);
        }
        assert_eq!(received, (0..10).map(|n| 1 + 35 * n).collect::<Vec<_>>());
        assert_eq!(queue.dead, 1);
    }
}
