//! From an event to the functions, as `infra/template.yaml` has it: the rules' own patterns, and how each function's queue is set.

use std::collections::BTreeMap;

use serde_json::Value;
use world::pattern::Pattern;
use world::queue::QueueSettings;

use crate::error::CliError;
use crate::lab::function::Name;

/// The patterns of the template's rules, by the rule's name. A test beside the template keeps the two alike.
const PATTERNS: &str = include_str!("../../../../infra/patterns.json");

/// The queue's batching window in `infra/template.yaml`, in seconds.
const BATCHING_WINDOW_SECS: i64 = 1;
/// The queue's batch size in `infra/template.yaml`, in messages.
const BATCH_SIZE: usize = 1_000;

/// What a function's queue has in `infra/template.yaml`.
pub(crate) const fn queue_settings(of: Name) -> QueueSettings {
    let (visibility_timeout_secs, receives_max) = match of {
        Name::SpotFallback | Name::ClusterScaler | Name::ServiceScaler => (190, 3),
        Name::InstanceDrain => (35, 10),
    };
    QueueSettings {
        batching_window_secs: BATCHING_WINDOW_SECS,
        batch_size: BATCH_SIZE,
        visibility_timeout_secs,
        receives_max,
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

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use serde_json::json;
    use world::queue::Queue;

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
            let QueueSettings {
                visibility_timeout_secs,
                receives_max,
                ..
            } = queue_settings(name);
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

    /// A warning is worth something for two minutes: it comes back within them.
    #[test]
    fn a_warning_that_failed_comes_back_while_it_is_worth_something() {
        let mut queue = Queue::new(queue_settings(Name::InstanceDrain));
        queue.send(&json!({"n": 1}), at(0));
        let mut received = Vec::new();
        while let Some(next) = queue.next_at() {
            let batch = queue.receive(next);
            received.push(next.as_second());
            queue.put_back(batch, next);
        }
        assert_eq!(received, (0..10).map(|n| 1 + 35 * n).collect::<Vec<_>>());
        assert_eq!(queue.dead_letter_count(), 1);
    }
}
