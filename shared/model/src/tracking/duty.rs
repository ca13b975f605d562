//! What the loop, the ledger and the record need of the nouns of target tracking.

use crate::duty::{
    Measured, MeasuredUnit, MeasuredValue, Memory, PlannedHold, PlannedStep, ServiceTarget,
    SubjectKey,
};
use crate::plan::Action;
use crate::tracking::hold::TrackingHold;
use crate::tracking::key::TrackingKey;
use crate::tracking::memory::TrackingMemory;
use crate::tracking::numbers::TrackingNumbers;
use crate::tracking::plan::TrackingStep;

impl SubjectKey for TrackingKey {
    type Memory = TrackingMemory;

    /// A pair has the primary's own key; the prefix keeps their items apart.
    fn ledger_key(&self) -> String {
        format!("service-scaler:{self}")
    }
}

impl Memory for TrackingMemory {}

impl PlannedStep for TrackingStep {
    type Key = TrackingKey;
    type Target = ServiceTarget;

    fn subject(&self) -> &TrackingKey {
        &self.subject
    }

    fn reason_name(&self) -> &'static str {
        self.reason.as_str()
    }

    fn action_text(&self) -> String {
        self.action.to_string()
    }

    fn operation(&self) -> &'static str {
        match self.action {
            Action::SetDesiredCount { .. } => "ecs:UpdateService",
        }
    }

    fn target(&self) -> ServiceTarget {
        let Action::SetDesiredCount { service, .. } = &self.action;
        ServiceTarget {
            service: service.clone(),
        }
    }

    fn measured(&self) -> Option<Measured> {
        Some(measured(&self.subject, &self.numbers))
    }
}

impl PlannedHold for TrackingHold {
    type Key = TrackingKey;

    const QUIET: &'static [&'static str] =
        &["not_opted_in", "is_standby", "on_target", "at_minimum"];

    fn subject(&self) -> &TrackingKey {
        &self.subject
    }

    fn reason_name(&self) -> &'static str {
        self.reason.as_str()
    }

    fn leaves_unprotected(&self) -> bool {
        self.reason.leaves_unprotected()
    }

    fn measured(&self) -> Option<Measured> {
        Some(measured(&self.subject, self.numbers.as_ref()?))
    }
}

/// A metric of a tracked service.
#[derive(Debug, Clone, Copy)]
pub struct TrackingMetric {
    /// Its name.
    pub name: &'static str,
    /// What it measures, one sentence; its unit is always a count.
    pub meaning: &'static str,
    /// Its value; `None` where it is not known.
    pub value: fn(&TrackingNumbers) -> Option<u32>,
}

/// The metrics of a tracked service, in the order of the documentation.
pub const TRACKING_METRICS: [TrackingMetric; 6] = [
    TrackingMetric {
        name: "TasksNeeded",
        meaning: "The tasks that the load needs, by the target that needs the most; nothing is published while no target has a value.",
        value: |it| it.targets.iter().filter_map(|it| it.needed).max(),
    },
    TrackingMetric {
        name: "TasksDesired",
        meaning: "The desired count of the tracked service, before the decision.",
        value: |it| Some(it.desired),
    },
    TrackingMetric {
        name: "TasksRunning",
        meaning: "The tracked service's RUNNING tasks.",
        value: |it| Some(it.running),
    },
    TrackingMetric {
        name: "StandbyTasksRunning",
        meaning: "The RUNNING tasks of its standby, which serve the same load.",
        value: |it| Some(it.standby_running),
    },
    TrackingMetric {
        name: "TasksNotPlaced",
        meaning: "The tracked service's tasks that are asked for, and neither run nor are on their way.",
        value: |it| Some(it.missing()),
    },
    TrackingMetric {
        name: "TargetsUnknown",
        meaning: "The targets without a value that is new enough.",
        value: |it| u32::try_from(it.targets.iter().filter(|it| it.needed.is_none()).count()).ok(),
    },
];

/// A service's numbers as metrics. There are as many as opted-in services.
fn measured(key: &TrackingKey, numbers: &TrackingNumbers) -> Measured {
    Measured {
        dimensions: vec![
            ("ClusterName", key.0.cluster.to_string()),
            ("ServiceName", key.0.service.to_string()),
        ],
        values: TRACKING_METRICS
            .iter()
            .filter_map(|metric| {
                Some(MeasuredValue {
                    name: metric.name,
                    unit: MeasuredUnit::Count,
                    value: u64::from((metric.value)(numbers)?),
                })
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracking::hold::TrackingHoldReason;

    #[test]
    fn a_reason_that_may_be_left_out_exists() {
        for name in TrackingHold::QUIET {
            assert!(TrackingHoldReason::NAMES.contains(name), "{name}");
        }
    }

    #[test]
    fn a_pair_and_its_tracked_primary_have_an_item_each() {
        let service: crate::ServiceKey = "demo/web".parse().unwrap();
        let key = TrackingKey(service.clone());
        assert_ne!(key.ledger_key(), service.ledger_key());
        assert_eq!(key.to_string(), "demo/web");
    }

    #[test]
    fn a_number_that_is_not_known_is_not_published() {
        let measured = measured(
            &TrackingKey("demo/web".parse().unwrap()),
            &TrackingNumbers::default(),
        );
        let names: Vec<&str> = measured.values.iter().map(|it| it.name).collect();
        assert!(!names.contains(&"TasksNeeded"));
        assert_eq!(names.len(), TRACKING_METRICS.len() - 1);
    }
}
