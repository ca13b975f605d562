//! What the loop, the ledger and the record need of the nouns of departures.

use serde::{Deserialize, Serialize};

use crate::drain::hold::DrainHold;
use crate::drain::key::{DrainKey, DrainSubject};
use crate::drain::memory::DrainMemory;
use crate::drain::numbers::DepartureNumbers;
use crate::drain::plan::{DrainAction, DrainStep};
use crate::duty::{
    Measured, MeasuredUnit, MeasuredValue, Memory, PlannedHold, PlannedStep, SubjectKey,
};

impl SubjectKey for DrainKey {
    type Memory = DrainMemory;

    /// A group, a cluster and an instance may share a name; the prefixes keep their items apart from one another's and from those of
    /// other functions.
    fn ledger_key(&self) -> String {
        match self {
            Self::Group { group } => format!("instance-drain:group/{group}"),
            Self::Cluster { cluster } => format!("instance-drain:cluster/{cluster}"),
            Self::Instance { instance } => format!("instance-drain:instance/{instance}"),
        }
    }
}

impl Memory for DrainMemory {}

/// What an outcome of instance-drain is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainTarget {
    /// The instance, its lifecycle action, or a task on it.
    #[serde(flatten)]
    pub subject: DrainSubject,
}

impl PlannedStep for DrainStep {
    type Key = DrainKey;
    type Target = DrainTarget;

    fn subject(&self) -> &DrainKey {
        self.key()
    }

    fn reason_name(&self) -> &'static str {
        self.reason.as_str()
    }

    fn action_text(&self) -> String {
        self.action.to_string()
    }

    fn operation(&self) -> &'static str {
        match self.action {
            DrainAction::Drain { .. } | DrainAction::Activate { .. } => {
                "ecs:UpdateContainerInstancesState"
            }
            DrainAction::StopTask { .. } => "ecs:StopTask",
            DrainAction::RecordHeartbeat { .. } => "autoscaling:RecordLifecycleActionHeartbeat",
            DrainAction::CompleteLifecycleAction { .. } => "autoscaling:CompleteLifecycleAction",
        }
    }

    fn target(&self) -> DrainTarget {
        DrainTarget {
            subject: self.subject.clone(),
        }
    }
}

impl PlannedHold for DrainHold {
    type Key = DrainKey;

    const QUIET: &'static [&'static str] = &[
        "not_found",
        "not_opted_in",
        "left_to_schedule",
        "staying",
        "group_held",
        "agent_disconnected",
        "rebalance_not_asked",
        "gone",
        "watching",
    ];

    fn subject(&self) -> &DrainKey {
        self.key()
    }

    fn reason_name(&self) -> &'static str {
        self.reason.as_str()
    }

    fn leaves_unprotected(&self) -> bool {
        self.reason.leaves_unprotected()
    }

    fn measured(&self) -> Option<Measured> {
        measured(self.key(), self.numbers.as_ref()?)
    }
}

/// A metric of a group's departures.
#[derive(Debug, Clone, Copy)]
pub struct DepartureMetric {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: MeasuredUnit,
    /// What it measures, one sentence.
    pub meaning: &'static str,
    /// Its value; `None` where it is not known, and nothing is published.
    pub value: fn(&DepartureNumbers) -> Option<u64>,
}

/// The metrics of a group's departures, in the order of the documentation. Published of looks at everything only: a look at single
/// instances counts these alone.
pub const DEPARTURE_METRICS: [DepartureMetric; 7] = [
    DepartureMetric {
        name: "InstancesLeaving",
        unit: MeasuredUnit::Count,
        meaning: "The instances that are certainly going away.",
        value: |it| Some(u64::from(it.leaving)),
    },
    DepartureMetric {
        name: "InstancesDrainingNow",
        unit: MeasuredUnit::Count,
        meaning: "The instances that are DRAINING, by whoever's hand.",
        value: |it| Some(u64::from(it.draining_any)),
    },
    DepartureMetric {
        name: "OldestDrainSeconds",
        unit: MeasuredUnit::Seconds,
        meaning: "How long the instance that has been DRAINING longest has been seen so, in seconds; nothing is published while the ledger does not tell.",
        value: |it| u64::try_from(it.oldest_drain?.0).ok(),
    },
    DepartureMetric {
        name: "InstancesMayLeave",
        unit: MeasuredUnit::Count,
        meaning: "The instances that may leave: rebalance recommendations, lost agents, and maintenance that is not near yet.",
        value: |it| Some(u64::from(it.perhaps)),
    },
    DepartureMetric {
        name: "InstancesTooLate",
        unit: MeasuredUnit::Count,
        meaning: "The instances that went before they were DRAINING.",
        value: |it| Some(u64::from(it.too_late)),
    },
    DepartureMetric {
        name: "TasksLeft",
        unit: MeasuredUnit::Count,
        meaning: "The tasks left on instances that are going away, daemons' left out.",
        value: |it| Some(u64::from(it.tasks_left)),
    },
    DepartureMetric {
        name: "TasksStuck",
        unit: MeasuredUnit::Count,
        meaning: "Of these, the tasks that ECS will not move in time.",
        value: |it| Some(u64::from(it.tasks_stuck)),
    },
];

/// A group's numbers as metrics. There are as many as opted-in groups and clusters.
fn measured(key: &DrainKey, numbers: &DepartureNumbers) -> Option<Measured> {
    let dimension = match key {
        DrainKey::Group { group } => ("AutoScalingGroupName", group.to_string()),
        DrainKey::Cluster { cluster } => ("ClusterName", cluster.to_string()),
        DrainKey::Instance { .. } => return None,
    };
    Some(Measured {
        dimensions: vec![dimension],
        values: DEPARTURE_METRICS
            .iter()
            .filter_map(|metric| {
                let value = (metric.value)(numbers)?;
                Some(MeasuredValue {
                    name: metric.name,
                    unit: metric.unit,
                    value,
                })
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drain::hold::DrainHoldReason;

    #[test]
    fn a_reason_that_may_be_left_out_exists() {
        for name in DrainHold::QUIET {
            assert!(DrainHoldReason::NAMES.contains(name), "{name}");
        }
    }

    #[test]
    fn a_number_that_is_not_known_is_not_published() {
        let key = DrainKey::Group {
            group: "workers".parse().unwrap(),
        };
        let names = |numbers: &DepartureNumbers| -> Vec<&'static str> {
            let measured = measured(&key, numbers).unwrap();
            measured.values.iter().map(|it| it.name).collect()
        };
        let unknown = DepartureNumbers::default();
        let known = DepartureNumbers {
            oldest_drain: Some(crate::units::Seconds(0)),
            ..unknown
        };
        assert!(names(&known).contains(&"OldestDrainSeconds"));
        assert!(!names(&unknown).contains(&"OldestDrainSeconds"));
        assert_eq!(names(&unknown).len(), DEPARTURE_METRICS.len() - 1);
    }

    #[test]
    fn no_two_subjects_share_a_ledger_key() {
        let keys = [
            DrainKey::Group {
                group: "i-0123456789abcdef0".parse().unwrap(),
            },
            DrainKey::Cluster {
                cluster: "i-0123456789abcdef0".parse().unwrap(),
            },
            DrainKey::Instance {
                instance: "i-0123456789abcdef0".parse().unwrap(),
            },
        ];
        let names: std::collections::BTreeSet<String> =
            keys.iter().map(SubjectKey::ledger_key).collect();
        assert_eq!(names.len(), keys.len());
        assert!(names.iter().all(|it| it.starts_with("instance-drain:")));
    }
}
