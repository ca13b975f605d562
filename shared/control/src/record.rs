//! The decision record: everything that one invocation saw, decided and did, as one line of JSON.
//!
//! It is the function's result and a line of its log. Fields are only ever added; [`VERSION`] changes when one changes its meaning.
//! Nothing in it is taken from an event but ids, names and times: no raw event is logged or stored.

use std::collections::BTreeMap;

use model::duty::{PlannedHold, PlannedStep};
use model::outcome::{Outcome, OutcomeResult};
use model::plan::{Hold, Plan, Step};
use model::policy::Mode;
use model::snapshot::Gap;
use model::{
    AutoScalingGroupName, ClusterName, EventId, InstanceId, MessageId, ServiceKey, Timestamp,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::duty::Duty;
use crate::failure::Failure;

/// The version of the record's form.
pub const VERSION: u32 = 1;

/// What the field `record` says, so that a query finds the records among other log lines.
pub const KIND: &str = "ballast.decision";

/// The most event ids that a record lists.
pub const EVENT_IDS_SHOWN_MAX: usize = 20;

/// One invocation's record. The fields are in the order in which a reader wants them, and long lists come last: CloudWatch Logs Insights
/// finds the first 200 fields of an event by itself, list items included, and no others
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html>).
///
/// The steps and holds are spot-fallback's where nothing else is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Record<S: PlannedStep = Step, H: PlannedHold = Hold> {
    /// Always [`KIND`].
    pub record: String,
    /// The version of the form: [`VERSION`].
    pub version: u32,
    /// The function's name.
    pub function: String,
    /// Whether it may write.
    pub mode: Mode,
    /// Lambda's request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What went wrong, in the order of precedence: the first is the function's error. Empty when all is well.
    #[serde(default)]
    pub failures: Vec<RecordedFailure>,
    /// Why it looked.
    pub triggers: Triggers,
    /// What it saw. `None` when nothing was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Look>,
    /// The further looks at what another invocation had changed in the ledger meanwhile, or whose announced write did not show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looked_again: Vec<Look>,
    /// How many steps came to which result. Complete even where `outcomes` was cut.
    #[serde(default)]
    pub outcomes_by_result: BTreeMap<String, usize>,
    /// How many gaps have which cause. Complete even where `gaps` was cut.
    #[serde(default)]
    pub gaps_by_cause: BTreeMap<String, usize>,
    /// What was remembered.
    pub ledger: LedgerUse,
    /// Where the time went, in milliseconds.
    pub durations_ms: Durations,
    /// What became of each step, by the step's index in `plan.steps`.
    pub outcomes: Vec<RecordedOutcome<S>>,
    /// What it decided.
    pub plan: RecordedPlan<S, H>,
    /// What could not be observed, read or remembered.
    pub gaps: Vec<Gap>,
    /// How many requests were sent to AWS, repetitions included, by operation.
    #[serde(default)]
    pub calls: BTreeMap<String, u64>,
    /// What was left out to stay within the size of a log event, by kind, with the number of items. Empty: nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cut: BTreeMap<String, usize>,
    /// For an SQS batch only, unless the whole batch must go back: the messages that the queue is to keep, and in the end to move to
    /// its dead-letter queue. They cannot be read, or something went wrong with what they name.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>
    #[serde(
        default,
        rename = "batchItemFailures",
        skip_serializing_if = "Option::is_none"
    )]
    pub batch_item_failures: Option<Vec<BatchItemFailure>>,
}

/// A failure, as the record and the console name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedFailure {
    /// One of [`Failure::NAMES`].
    #[serde(rename = "type")]
    pub error_type: String,
    /// One line.
    pub message: String,
}

impl From<&Failure> for RecordedFailure {
    fn from(failure: &Failure) -> Self {
        Self {
            error_type: failure.as_str().to_owned(),
            message: failure.to_string(),
        }
    }
}

/// The triggers of an invocation, joined. What a function does not look at is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triggers {
    /// How many events arrived.
    pub received: u32,
    /// Whether one of them was the schedule's, so that everything in scope was to be looked at.
    #[serde(default)]
    pub is_sweep: bool,
    /// How many of them could be read, by kind.
    pub kinds: BTreeMap<String, u32>,
    /// How many of those lead to no look, by why.
    #[serde(default)]
    pub ignored: BTreeMap<String, u32>,
    /// How many could not be read.
    #[serde(default)]
    pub faults_count: u32,
    /// How many services the events name. `None` where services are not what the function looks at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services_count: Option<usize>,
    /// How old the oldest event was when AWS last answered, in seconds of AWS's time; negative for an event from the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_event_age_secs: Option<i64>,
    /// The first twenty of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Vec<ServiceKey>>,
    /// How many clusters are looked at because of events.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clusters_count: usize,
    /// The first twenty of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<ClusterName>,
    /// How many EC2 instances are looked at because of events.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub instances_count: usize,
    /// The first twenty of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<InstanceId>,
    /// The first twenty Auto Scaling groups that the events name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<AutoScalingGroupName>,
    /// The ids of up to [`EVENT_IDS_SHOWN_MAX`] events.
    #[serde(default)]
    pub event_ids: Vec<EventId>,
    /// The first ten that could not be read.
    #[serde(default)]
    pub faults: Vec<TriggerFault>,
}

/// An event that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerFault {
    /// The message that it came in, for an SQS batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The kind of fault, a stable name.
    pub kind: String,
    /// What is wrong, one line.
    pub error: String,
}

/// A message that an SQS batch's queue is to keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchItemFailure {
    /// The message's id.
    #[serde(rename = "itemIdentifier")]
    pub item_identifier: MessageId,
}

/// One look, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// AWS's own time at the look.
    pub taken_at: Timestamp,
    /// The SHA-256 of the snapshot's JSON, in hexadecimal: equal digests are equal snapshots.
    pub digest: String,
    /// How much was seen.
    #[serde(flatten)]
    pub seen: Seen,
    /// How many things could not be seen.
    pub gaps: usize,
}

/// How much one look saw. What a function does not look after is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// How many pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<usize>,
    /// How many services that are to follow their metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<usize>,
    /// How many capacity providers that are looked after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub providers: Option<usize>,
    /// How many Auto Scaling groups, and clusters for their instances in no group, whose instances are looked after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<usize>,
    /// How many instances in the groups; of a look at single instances only those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<usize>,
    /// How many of them AWS itself shows to be on their way out: their group terminates them, or they are DRAINING, by whoever's hand.
    /// What events warned of is not counted here: that is in steps, holds and the numbers of groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminating_or_draining: Option<usize>,
    /// How many tasks that were read: those that run, start or wait in the clusters of providers; those on instances that leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<usize>,
    /// How many services, providers, or instances that are not looked after.
    pub passed_over: usize,
}

impl Look {
    /// A snapshot, in short.
    #[must_use]
    pub fn of<D: Duty>(snapshot: &D::Snapshot, gaps: usize) -> Self {
        // A snapshot holds ordered maps with text keys: it can always be written, and always in the same way.
        let canonical = serde_json::to_vec(snapshot).unwrap_or_default();
        let digest: String = Sha256::digest(&canonical)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            taken_at: D::taken_at(snapshot),
            digest,
            seen: D::seen(snapshot),
            gaps,
        }
    }
}

/// The plan, with a line of text for each step and hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RecordedPlan<S: PlannedStep = Step, H: PlannedHold = Hold> {
    /// How many steps there are, by reason. Complete even where `steps` was cut.
    pub steps_by_reason: BTreeMap<String, usize>,
    /// How many holds there are, by reason. Complete even where `holds` was cut.
    pub holds_by_reason: BTreeMap<String, usize>,
    /// How many of the holds are of pairs that asked for protection, providers that asked to be sized, or instances that asked to be
    /// drained, and have none, or not enough.
    #[serde(default)]
    pub unprotected: usize,
    /// What to change.
    pub steps: Vec<RecordedStep<S>>,
    /// What is left alone.
    pub holds: Vec<RecordedHold<H>>,
}

impl<S: PlannedStep, H: PlannedHold> Default for RecordedPlan<S, H> {
    fn default() -> Self {
        Self {
            steps_by_reason: BTreeMap::new(),
            holds_by_reason: BTreeMap::new(),
            unprotected: 0,
            steps: Vec::new(),
            holds: Vec::new(),
        }
    }
}

/// A step and its line of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RecordedStep<S: PlannedStep = Step> {
    /// What an operator reads.
    pub text: String,
    /// The step.
    #[serde(flatten)]
    pub step: S,
}

/// A hold and its line of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RecordedHold<H: PlannedHold = Hold> {
    /// What an operator reads.
    pub text: String,
    /// The hold.
    #[serde(flatten)]
    pub hold: H,
}

impl<S: PlannedStep, H: PlannedHold> From<Plan<S, H>> for RecordedPlan<S, H> {
    fn from(plan: Plan<S, H>) -> Self {
        let Plan { steps, holds } = plan;
        let mut recorded = Self::default();
        for step in steps {
            count(&mut recorded.steps_by_reason, step.reason_name());
            recorded.steps.push(RecordedStep {
                text: step.to_string(),
                step,
            });
        }
        for hold in holds {
            count(&mut recorded.holds_by_reason, hold.reason_name());
            recorded.unprotected += usize::from(hold.leaves_unprotected());
            recorded.holds.push(RecordedHold {
                text: hold.to_string(),
                hold,
            });
        }
        recorded
    }
}

/// Serde asks by reference.
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn count(counts: &mut BTreeMap<String, usize>, name: &str) {
    *counts.entry(name.to_owned()).or_default() += 1;
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RecordedOutcome<S: PlannedStep = Step> {
    /// The step's index in `plan.steps`.
    pub step: usize,
    /// What the step is about.
    #[serde(flatten)]
    pub target: S::Target,
    /// What became of it.
    #[serde(flatten)]
    pub result: OutcomeResult,
}

impl<S: PlannedStep> RecordedOutcome<S> {
    /// An outcome of the step at this index.
    #[must_use]
    pub fn new(step: usize, outcome: &Outcome<S>) -> Self {
        Self {
            step,
            target: outcome.step.target(),
            result: outcome.result.clone(),
        }
    }
}

/// What an invocation did to the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerUse {
    /// How many subjects' memories were read.
    pub recalled: usize,
    /// How many were written because they changed.
    pub remembered: usize,
    /// How many writes were lost to another invocation that had written meanwhile.
    pub conflicts: usize,
    /// How many carried-out steps were confirmed.
    pub confirmed: usize,
}

/// Where the time went, in milliseconds of this host's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    /// Reading the events.
    pub parse: u64,
    /// Looking.
    pub observe: u64,
    /// Reading the ledger.
    pub recall: u64,
    /// Deciding, and the audit.
    pub decide: u64,
    /// Writing the ledger, before and after acting.
    pub remember: u64,
    /// Acting.
    pub act: u64,
    /// Everything.
    pub total: u64,
}

impl<S: PlannedStep, H: PlannedHold> Record<S, H> {
    /// The record of an invocation that has done nothing yet.
    #[must_use]
    pub fn new(function: &str, mode: Mode, request_id: Option<String>) -> Self {
        Self {
            record: KIND.to_owned(),
            version: VERSION,
            function: function.to_owned(),
            mode,
            request_id,
            failures: Vec::new(),
            triggers: Triggers::default(),
            snapshot: None,
            looked_again: Vec::new(),
            plan: RecordedPlan::default(),
            outcomes_by_result: BTreeMap::new(),
            outcomes: Vec::new(),
            gaps_by_cause: BTreeMap::new(),
            gaps: Vec::new(),
            ledger: LedgerUse::default(),
            calls: BTreeMap::new(),
            durations_ms: Durations::default(),
            cut: BTreeMap::new(),
            batch_item_failures: None,
        }
    }

    /// Enters what was decided, what became of it, and what could not be seen.
    pub(crate) fn enter(&mut self, outcomes: Vec<Outcome<S>>, holds: Vec<H>, gaps: Vec<Gap>) {
        for (index, outcome) in outcomes.iter().enumerate() {
            count(&mut self.outcomes_by_result, outcome.result.as_str());
            self.outcomes.push(RecordedOutcome::new(index, outcome));
        }
        for gap in &gaps {
            count(&mut self.gaps_by_cause, gap.cause.as_str());
        }
        self.gaps = gaps;
        self.plan = RecordedPlan::from(Plan {
            steps: outcomes.into_iter().map(|it| it.step).collect(),
            holds,
        });
    }
}

#[cfg(test)]
mod tests {
    use model::capacity::{
        CapacityAction, CapacityHold, CapacityHoldReason, CapacityStep, CapacityStepReason,
        CapacitySubject, ProviderNumbers,
    };

    use super::*;

    /// A provider's subject is flattened into steps, holds and outcomes beside their own fields: no name may stand for two things.
    #[test]
    fn a_record_of_capacity_reads_back_as_it_was() {
        let provider = || CapacitySubject::Provider {
            provider: "demo/large".parse().unwrap(),
        };
        let instances = CapacitySubject::Instances {
            provider: "demo/large".parse().unwrap(),
            instances: vec!["i-0123456789abcdef0".parse().unwrap()],
        };
        let step = CapacityStep {
            subject: provider(),
            action: CapacityAction::SetDesiredCapacity {
                group: "large".parse().unwrap(),
                from: 2,
                to: 5,
            },
            reason: CapacityStepReason::Learn {
                numbers: ProviderNumbers::default(),
                types: "t3.small".to_owned(),
            },
        };
        let result = OutcomeResult::Failed {
            operation: "autoscaling:SetDesiredCapacity".to_owned(),
            cause: model::snapshot::GapCause::Throttled,
            detail: "Rate exceeded".to_owned(),
        };
        let hold = |subject, reason, numbers| CapacityHold {
            subject,
            reason,
            numbers,
            unplaced: Vec::new(),
            until: Some(Timestamp::UNIX_EPOCH),
        };
        let holds = vec![
            hold(instances, CapacityHoldReason::InUse, None),
            hold(
                provider(),
                CapacityHoldReason::Launching,
                Some(ProviderNumbers::default()),
            ),
        ];
        let mut record = Record::new("cluster-scaler", Mode::Act, None);
        record.enter(vec![Outcome { step, result }], holds, Vec::new());
        let line = record.line();
        let read: Record<CapacityStep, CapacityHold> = serde_json::from_str(&line).unwrap();
        assert_eq!(read, record);
        let outcome = r#""outcomes":[{"step":0,"subject":"provider","provider":"demo/large","result":"failed","#;
        assert!(line.contains(outcome), "{line}");
    }
}
