//! What the loop, the ledger and the record need of a function's nouns, whichever function it is.
//!
//! Every function has a *subject*: what it remembers something of, and decides about. spot-fallback's is a pair, by its primary's key.
//! A plan's steps and holds belong to a subject each; a subject may have several of both.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::hold::Hold;
use crate::ids::ServiceKey;
use crate::memory::PairMemory;
use crate::plan::{Action, Step};

/// What identifies a subject.
///
/// `Display` is what people read, `cluster/service` for a pair.
pub trait SubjectKey: Clone + Ord + fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// What is remembered of the subject.
    type Memory: Memory;

    /// What the ledger calls the subject. No two subjects have the same text, whichever function they belong to: one table serves
    /// all functions.
    fn ledger_key(&self) -> String;
}

/// What is remembered of a subject. The default is the memory of a subject that was never seen.
pub trait Memory:
    Clone + Default + PartialEq + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

/// A step of a plan: one change, complete.
///
/// `Display` is the line that an operator reads.
pub trait PlannedStep:
    Clone + Eq + fmt::Debug + fmt::Display + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// What identifies the subject.
    type Key: SubjectKey;

    /// What the record says a step is about, beside its index: an object whose fields stand in the outcome.
    type Target: Clone + Eq + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The subject whose memory the step belongs to.
    fn subject(&self) -> &Self::Key;

    /// The stable name of its reason, for metrics and records.
    fn reason_name(&self) -> &'static str;

    /// What is done, without the reason.
    fn action_text(&self) -> String;

    /// The AWS call that writes it, as IAM knows it, such as `ecs:UpdateService`. A call of another name that fails comes before the
    /// write, which was then never sent.
    fn operation(&self) -> &'static str;

    /// What it is about.
    fn target(&self) -> Self::Target;

    /// The numbers of its subject, for metrics of that subject alone.
    fn measured(&self) -> Option<Measured> {
        None
    }
}

/// A hold of a plan: something that is left alone.
///
/// `Display` is the line that an operator reads.
pub trait PlannedHold:
    Clone + Eq + fmt::Debug + fmt::Display + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// What identifies the subject.
    type Key: SubjectKey;

    /// The names of the reasons that say that all is well, the least interesting first: what a record that is too long leaves out
    /// first.
    const QUIET: &'static [&'static str];

    /// The subject that is left alone, or to which belongs what is left alone.
    fn subject(&self) -> &Self::Key;

    /// The stable name of its reason, for metrics and records.
    fn reason_name(&self) -> &'static str;

    /// Whether a subject that asked for Ballast's help has none, or not enough, for this reason.
    fn leaves_unprotected(&self) -> bool;

    /// The numbers of its subject, for metrics of that subject alone.
    fn measured(&self) -> Option<Measured> {
        None
    }
}

/// Numbers of one subject, for metrics whose dimensions name it.
///
/// AWS bills each metric of each combination of dimensions. A function that gives them says in its documentation what bounds their
/// number; at most one step or hold of a subject gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The dimensions, by AWS's own names where it has them: `ClusterName` and `CapacityProviderName`, at most 30.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
    pub dimensions: Vec<(&'static str, String)>,
    /// The metrics, at most 100.
    pub values: Vec<MeasuredValue>,
}

/// One number of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeasuredValue {
    /// The metric's name.
    pub name: &'static str,
    /// Its unit.
    pub unit: MeasuredUnit,
    /// Its value.
    pub value: u64,
}

/// A unit, as CloudWatch knows it.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeasuredUnit {
    /// `Count`.
    Count,
    /// `Percent`.
    Percent,
    /// `Seconds`.
    Seconds,
}

impl MeasuredUnit {
    /// CloudWatch's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Percent => "Percent",
            Self::Seconds => "Seconds",
        }
    }
}

impl SubjectKey for ServiceKey {
    type Memory = PairMemory;

    /// `cluster/service`: the key of every table since the first version.
    fn ledger_key(&self) -> String {
        self.to_string()
    }
}

impl Memory for PairMemory {}

/// What an outcome of spot-fallback is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct ServiceTarget {
    /// The service whose desired count was to change.
    pub service: ServiceKey,
}

impl PlannedStep for Step {
    type Key = ServiceKey;
    type Target = ServiceTarget;

    fn subject(&self) -> &ServiceKey {
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
}

impl PlannedHold for Hold {
    type Key = ServiceKey;

    const QUIET: &'static [&'static str] = &["not_opted_in", "at_rest", "covered"];

    fn subject(&self) -> &ServiceKey {
        &self.subject
    }

    fn reason_name(&self) -> &'static str {
        self.reason.as_str()
    }

    fn leaves_unprotected(&self) -> bool {
        self.reason.leaves_unprotected()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hold::HoldReason;

    #[test]
    fn a_reason_that_may_be_left_out_exists() {
        for name in Hold::QUIET {
            assert!(HoldReason::NAMES.contains(name), "{name}");
        }
    }
}
