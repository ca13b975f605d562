//! A decision record of whichever function, as far as the lab tells it.

use std::collections::{BTreeMap, BTreeSet};

use control::Record;
use model::drain::{DrainHold, DrainStep, DrainStepReason};
use model::duty::{PlannedHold, PlannedStep};
use model::outcome::OutcomeResult;

use crate::output::Tone;
use crate::record::lines_of;

/// What is told of a decision record.
#[derive(Debug, Clone)]
pub(crate) struct Telling {
    /// What makes two records the same to a reader: their steps and holds, by subject and reason. Empty for a record that is always
    /// told: something failed, or something was written.
    pub(crate) same_as: String,
    /// The kinds of its triggers.
    pub(crate) kinds: BTreeSet<String>,
    /// Why the function looked: the kinds of its triggers, with their numbers.
    pub(crate) why: String,
    pub(crate) tone: Tone,
    pub(crate) lines: Vec<String>,
    /// Whether it names a failure.
    pub(crate) names_failure: bool,
    /// What it predicts of tasks on instances that leave: those that will not be moved in time. Empty with other functions.
    pub(crate) predicted: Vec<String>,
}

impl Telling {
    pub(crate) fn of<S: PlannedStep, H: PlannedHold<Key = S::Key>>(record: &Record<S, H>) -> Self {
        Self {
            same_as: same_as(record),
            kinds: record.triggers.kinds.keys().cloned().collect(),
            why: triggers(record),
            tone: tone(record),
            lines: lines_of(record, &quiet(record)),
            names_failure: !record.failures.is_empty(),
            predicted: Vec::new(),
        }
    }

    /// The same of a record of instance-drain.
    pub(crate) fn of_departures(record: &Record<DrainStep, DrainHold>) -> Self {
        let steps = record.plan.steps.iter();
        let stuck = steps.filter_map(|it| match &it.step.reason {
            DrainStepReason::Leaving { stuck, .. } => Some(stuck),
            DrainStepReason::Selective { .. }
            | DrainStepReason::CauseGone { .. }
            | DrainStepReason::LastMoment { .. }
            | DrainStepReason::TasksLeft { .. }
            | DrainStepReason::Drained { .. }
            | DrainStepReason::DeadlineReached { .. }
            | DrainStepReason::NothingToWaitFor { .. } => None,
        });
        Self {
            predicted: stuck.flatten().map(ToString::to_string).collect(),
            ..Self::of(record)
        }
    }
}

/// The holds, by their places, that say that all is well with a part of a subject that another line is about already.
fn quiet<S: PlannedStep, H: PlannedHold<Key = S::Key>>(record: &Record<S, H>) -> BTreeSet<usize> {
    let steps = record.plan.steps.iter();
    let mut told: BTreeSet<S::Key> = steps.map(|it| it.step.subject().clone()).collect();
    let holds = record.plan.holds.iter().enumerate();
    holds
        .filter(|(_, it)| {
            let is_first = told.insert(it.hold.subject().clone());
            !is_first && H::QUIET.contains(&it.hold.reason_name())
        })
        .map(|(index, _)| index)
        .collect()
}

fn triggers<S: PlannedStep, H: PlannedHold>(record: &Record<S, H>) -> String {
    let short: BTreeMap<&str, &str> = BTreeMap::from([
        ("task_interrupted", "interrupted"),
        ("placement_failed", "not placed"),
        ("service_steady", "steady"),
        ("service_changed", "changed"),
        ("instance_changed", "instance"),
        ("launch_succeeded", "launched"),
        ("launch_failed", "not launched"),
        ("instance_terminated", "terminated"),
        ("instance_noticed", "noticed"),
        ("instance_terminating", "terminating"),
        ("alarm_changed", "alarm"),
        ("scheduled", "schedule"),
    ]);
    let parts: Vec<String> = record
        .triggers
        .kinds
        .iter()
        .map(|(kind, count)| {
            let word = short.get(kind.as_str()).copied().unwrap_or(kind);
            if *count > 1 {
                format!("{count} {word}")
            } else {
                word.to_owned()
            }
        })
        .collect();
    parts.join(", ")
}

fn same_as<S: PlannedStep, H: PlannedHold<Key = S::Key>>(record: &Record<S, H>) -> String {
    let is_unwritten = |it: &control::RecordedOutcome<S>| it.result == OutcomeResult::NotWritten;
    if !record.failures.is_empty() || !record.outcomes.iter().all(is_unwritten) {
        return String::new();
    }
    let steps = record.plan.steps.iter().map(|it| {
        let step = &it.step;
        let action = step.action_text();
        format!("{} {} {action}", step.subject(), step.reason_name())
    });
    let quiet = quiet(record);
    let holds = record.plan.holds.iter().enumerate();
    let holds = holds
        .filter(|(index, _)| !quiet.contains(index))
        .map(|(_, it)| format!("{} {}", it.hold.subject(), it.hold.reason_name()));
    steps.chain(holds).collect::<Vec<_>>().join("; ")
}

fn tone<S: PlannedStep, H: PlannedHold>(record: &Record<S, H>) -> Tone {
    if !record.failures.is_empty() {
        Tone::Bad
    } else if record.plan.steps.is_empty() {
        Tone::Plain
    } else {
        Tone::Good
    }
}
