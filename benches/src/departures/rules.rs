//! From an event to instance-drain, as `infra/template.yaml` has it: the rules' own patterns, and how its queue is set.

use std::collections::BTreeMap;

use serde_json::Value;
use world::pattern::Pattern;
use world::queue::QueueSettings;

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

/// What the queue has in the template.
pub(super) const QUEUE: QueueSettings = QueueSettings {
    batching_window_secs: 1,
    batch_size: 1_000,
    visibility_timeout_secs: 35,
    receives_max: 10,
};

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
