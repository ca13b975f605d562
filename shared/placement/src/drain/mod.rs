//! EC2 instances that go away: their tasks are somewhere else before they do.
//!
//! The rules, in the order in which they are asked:
//!
//! 1. [`causes`]: why does each instance leave, or may it? What is remembered, here or `elsewhere`, what events [`said`], what the state
//!    shows. Is it gone?
//! 2. `room` and `stuck`: which tasks on instances that leave will not be moved in time, and why not?
//! 3. [`stop`]: which of these are stopped now, where their owner asked for it?
//! 4. Each instance: [`reversal`] (is a drain of Ballast's taken back?), then [`ladder`] (what certainly leaves is drained, unless
//!    [`neighbours`] do), then [`choice`] (what may leave is drained, where its owner asked for it and there is room).
//! 5. Each wait in a lifecycle hook: [`action`].
//! 6. The group itself: [`standing`]. One whose tags cannot be used, or that is paused, is left alone as a whole; one that asks for
//!    advice gets its steps as text.
//! 7. [`memory`]: what is remembered; after acting [`settle`](settle()).
//!
//! Guaranteed: every group, every instance that was looked at and every wait in a hook is in exactly one step or one hold, and so is
//! every instance that an event named and that is not looked after; what is certain needs neither a complete look nor a memory; what is
//! a choice, and what takes back, needs both; a plan that worked leaves nothing to do.
//!
//! Assumed: what ECS moves where is its own affair. That tasks are stuck is a prediction.
//!
//! Absent: launching, terminating, and any change of a service. What is missing elsewhere is seen by the functions whose affair it is.

pub mod action;
pub mod audit;
mod case;
pub mod causes;
pub mod choice;
mod elsewhere;
pub mod ladder;
mod launchable;
pub mod memory;
pub mod neighbours;
mod numbers;
pub mod reversal;
mod room;
pub mod said;
pub mod settle;
pub mod standing;
pub mod stop;
mod stuck;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::TaskArn;
use model::drain::{
    DrainAction, DrainHold, DrainHoldReason, DrainKey, DrainMemory, DrainPlan, DrainSnapshot,
    DrainStep, DrainStepReason,
};
use model::memory::Recall;
use model::policy::Installation;
use model::trigger::Hints;

pub use settle::settle;

use crate::Decision;
use case::{GroupCase, Look, Standing};
use standing::Decided;

/// What is decided about departures, and what to remember of them.
pub type DrainDecision = Decision<DrainStep, DrainHold, DrainKey, DrainMemory>;

/// What one instance, or one wait in a hook, comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A change, why, and by what it comes before others of its kind.
    Step(DrainAction, DrainStepReason, Timestamp),
    /// Left alone, why, and until when.
    Hold(DrainHoldReason, Option<Timestamp>),
}

impl Verdict {
    /// Left alone until something changes.
    pub(crate) const fn hold(reason: DrainHoldReason) -> Self {
        Self::Hold(reason, None)
    }
}

/// Decides about everything in the snapshot.
///
/// `now` is AWS's own time, normally [`DrainSnapshot::taken_at`]. A group without an entry in `memories` counts as never seen.
#[must_use]
pub fn decide(
    snapshot: &DrainSnapshot,
    installation: &Installation,
    memories: &BTreeMap<DrainKey, Recall<DrainMemory>>,
    hints: &Hints,
    now: Timestamp,
) -> DrainDecision {
    let look = Look {
        snapshot,
        installation,
        now,
    };
    let said = said::Said::new(hints, now);
    let indexes = case::indexes(snapshot);
    let elsewhere = elsewhere::Elsewhere::new(snapshot, memories);
    let nothing = DrainMemory::default();
    let mut groups: Vec<GroupCase<'_>> = Vec::with_capacity(snapshot.groups.len());
    for (key, group) in &snapshot.groups {
        let recall = memories.get(key);
        let case = GroupCase::new(look, group, recall, &said, &indexes, &nothing, &elsewhere);
        groups.push(case);
    }
    let mut rooms = room::of_clusters(&snapshot.clusters, &groups, &indexes);
    stuck::predict(&mut groups, &mut rooms, &indexes, now);
    let mut stops = stop::choose(&groups);
    let mut ranked: Vec<(Rank, DrainStep)> = Vec::new();
    let mut plan = DrainPlan::default();
    let mut remembered = BTreeMap::new();
    let mut in_turn: Vec<(usize, &GroupCase<'_>)> = groups.iter().enumerate().collect();
    // What would only be done takes room from nothing that is done.
    in_turn.sort_by_key(|(_, group)| group.standing);
    for (number, group) in in_turn {
        let stops = stops.remove(&number).unwrap_or_default();
        let stopped: BTreeSet<&TaskArn> = stop::arns(&stops);
        let verdicts = of_instances(group, &stopped, &mut rooms, &indexes);
        let Decided { steps, holds } = standing::decide(group, verdicts, &stops);
        if let Some(memory) = memory::planned(group, steps.iter().map(|(_, it)| it)) {
            remembered.insert(group.of.key.clone(), memory);
        }
        ranked.extend(steps);
        plan.holds.extend(holds);
    }
    ranked.sort_by(before);
    plan.steps = ranked.into_iter().map(|(_, step)| step).collect();
    for (instance, why) in &snapshot.passed_over {
        let key = DrainKey::Instance {
            instance: instance.clone(),
        };
        let recall = memories.get(&key);
        let (hold, memory) = elsewhere::unregistered(instance, why, recall, &said, now);
        plan.holds.push(hold);
        remembered.extend(memory.map(|it| (key, it)));
    }
    plan.holds.sort_by(|a, b| a.subject.cmp(&b.subject));
    Decision {
        plan,
        memories: remembered,
    }
}

/// By what a step comes before another: its kind, then how urgent it is.
pub(crate) type Rank = (u8, Timestamp);

/// The order of a plan: drains of what certainly leaves, tasks to stop, heartbeats, completions, drains that are taken back, drains by
/// choice and those that keep to the disruption budget.
pub(crate) fn rank(action: &DrainAction, reason: &DrainStepReason, urgency: Timestamp) -> Rank {
    let kind = match action {
        DrainAction::Drain { .. } => match reason {
            DrainStepReason::Selective { .. }
            | DrainStepReason::Leaving {
                budget_left: Some(_),
                ..
            } => 5,
            DrainStepReason::Leaving {
                budget_left: None, ..
            }
            | DrainStepReason::CauseGone { .. }
            | DrainStepReason::LastMoment { .. }
            | DrainStepReason::TasksLeft { .. }
            | DrainStepReason::Drained { .. }
            | DrainStepReason::DeadlineReached { .. }
            | DrainStepReason::NothingToWaitFor { .. } => 0,
        },
        DrainAction::StopTask { .. } => 1,
        DrainAction::RecordHeartbeat { .. } => 2,
        DrainAction::CompleteLifecycleAction { .. } => 3,
        DrainAction::Activate { .. } => 4,
    };
    (kind, urgency)
}

/// By rank, ties by the instance, then by the subject.
pub(crate) fn before(a: &(Rank, DrainStep), b: &(Rank, DrainStep)) -> Ordering {
    let of = |it: &DrainStep| match &it.action {
        DrainAction::Drain { instance, .. }
        | DrainAction::Activate { instance, .. }
        | DrainAction::StopTask { instance, .. }
        | DrainAction::RecordHeartbeat { instance, .. }
        | DrainAction::CompleteLifecycleAction { instance, .. } => instance.clone(),
    };
    (a.0, of(&a.1), &a.1.subject).cmp(&(b.0, of(&b.1), &b.1.subject))
}

/// What each instance of a group comes to, in the order of its cases.
fn of_instances<'a>(
    group: &GroupCase<'a>,
    stopped: &BTreeSet<&TaskArn>,
    rooms: &mut BTreeMap<&'a model::ClusterName, room::Room<'a>>,
    indexes: &case::Indexes<'a>,
) -> Vec<Verdict> {
    let first = group.cases.iter().map(|case| {
        reversal::verdict(group, case).or_else(|| ladder::verdict(group, case, stopped))
    });
    let first: Vec<Option<Verdict>> = first.collect();
    let undecided: Vec<usize> = first
        .iter()
        .enumerate()
        .filter(|(_, it)| it.is_none())
        .map(|(number, _)| number)
        .collect();
    let mut chosen = choice::verdicts(group, &undecided, rooms, indexes);
    let verdicts = first.into_iter().enumerate().map(|(number, verdict)| {
        verdict
            .or_else(|| chosen.remove(&number))
            .unwrap_or(Verdict::hold(DrainHoldReason::Staying))
    });
    verdicts.collect()
}

/// Whether the standing lets anything be done.
pub(crate) const fn acts(standing: Standing) -> bool {
    match standing {
        Standing::Act => true,
        Standing::Advise | Standing::Held => false,
    }
}
