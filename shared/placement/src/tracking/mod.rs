//! Target tracking: the desired count of a service follows its metrics.
//!
//! The rules, in the order in which they are asked:
//!
//! 1. [`refusal`]: may this service be touched at all?
//! 2. [`foreign`]: who set the desired count: Ballast, or somebody else?
//! 3. [`miscount`]: are more tasks counted than can have run, so that no metric of each task can be followed?
//! 4. [`load`]: how many tasks would have served each target's load exactly at the target, period by period?
//! 5. [`pace`] and [`forecast`]: how many tasks does that need, now, within the window and soon, and does the desired count follow?
//! 6. [`placeable`]: are tasks that were asked for before placed at all?
//! 7. [`scale_out`] and [`scale_in`]: what the bounds and the vetoes leave of it.
//! 8. [`advice`]: where Ballast may only say what it would do, it says so.
//!
//! What is remembered is kept by [`memory`]; after acting by [`settle`](settle()).
//!
//! Guaranteed: every tracked service, and every service that was passed over, is in exactly one step or one hold; a step sets the desired
//! count of the tracked service itself, as an absolute value; missing data, an unread gap and a ledger that does not answer may keep the
//! desired count from being lowered, never from being raised (but for a service at 0, of which it must be known that Ballast set it so);
//! a plan that worked leaves nothing to do.
//!
//! Assumed: the tasks of a service and of its standby do the same work, and a metric for each task falls as tasks are added.
//!
//! Absent: the standby. Its desired count is spot-fallback's; here its tasks only count as serving the same load.

pub mod advice;
pub mod audit;
mod case;
pub mod forecast;
pub mod foreign;
mod levels;
pub mod load;
pub mod memory;
pub mod miscount;
pub mod pace;
pub mod placeable;
pub mod refusal;
pub mod scale_in;
pub mod scale_out;
mod serving;
pub mod settle;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use model::memory::Recall;
use model::plan::Action;
use model::policy::Installation;
use model::tracking::{
    Fleet, TrackingHold, TrackingHoldReason, TrackingKey, TrackingMemory, TrackingNumbers,
    TrackingPlan, TrackingSnapshot, TrackingStep, TrackingStepReason,
};
use model::trigger::Hints;

pub use settle::settle;

use crate::Decision;
use case::Case;

/// What is decided about tracked services, and what to remember of them.
pub type TrackingDecision = Decision<TrackingStep, TrackingHold, TrackingKey, TrackingMemory>;

/// What one service comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The desired count becomes this, and why.
    Step(u32, TrackingStepReason),
    /// Left as it is, why, and until when.
    Hold(TrackingHoldReason, Option<Timestamp>),
}

impl Verdict {
    /// Left as it is until something changes.
    pub(crate) const fn hold(reason: TrackingHoldReason) -> Self {
        Self::Hold(reason, None)
    }
}

/// Decides about everything in the snapshot.
///
/// `now` is AWS's own time, normally [`TrackingSnapshot::taken_at`]. A service without an entry in `memories` counts as never seen. What
/// events reported, and what the installation adds, changes nothing here: the numbers come from CloudWatch.
#[must_use]
pub fn decide(
    snapshot: &TrackingSnapshot,
    _installation: &Installation,
    memories: &BTreeMap<TrackingKey, Recall<TrackingMemory>>,
    _hints: &Hints,
    now: Timestamp,
) -> TrackingDecision {
    let mut plan = TrackingPlan::default();
    let mut remembered = BTreeMap::new();
    for (key, fleet) in &snapshot.fleets {
        let recalled = match memories.get(key) {
            None => Some(TrackingMemory::default()),
            Some(Recall::Known(memory)) => Some(memory.clone()),
            Some(Recall::Unknown) => None,
        };
        let (verdict, numbers, mut memory) = of_fleet(snapshot, fleet, recalled, now);
        match verdict {
            Verdict::Step(to, reason) => {
                let step = TrackingStep {
                    subject: key.clone(),
                    action: set(fleet, to),
                    reason,
                    numbers: numbers.unwrap_or_default(),
                };
                if let Some(memory) = memory.as_mut() {
                    memory::announce(memory, &step, now);
                }
                plan.steps.push(step);
            }
            Verdict::Hold(reason, until) => plan.holds.push(TrackingHold {
                subject: key.clone(),
                reason,
                numbers,
                until,
            }),
        }
        if let Some(memory) = memory {
            remembered.insert(key.clone(), memory);
        }
    }
    let passed_over = snapshot.passed_over.iter();
    plan.holds
        .extend(passed_over.map(|(key, why)| TrackingHold {
            subject: TrackingKey(key.clone()),
            reason: refusal::passed_over(why),
            numbers: None,
            until: None,
        }));
    order(&mut plan);
    Decision {
        plan,
        memories: remembered,
    }
}

/// One tracked service: what is done, with which numbers, and what is remembered of it.
fn of_fleet(
    snapshot: &TrackingSnapshot,
    fleet: &Fleet,
    recalled: Option<TrackingMemory>,
    now: Timestamp,
) -> (Verdict, Option<TrackingNumbers>, Option<TrackingMemory>) {
    let policy = match refusal::touchable(fleet) {
        Ok(policy) => policy,
        Err(reason) => return (Verdict::hold(reason), None, recalled),
    };
    let advice = advice::only(fleet, policy, recalled.as_ref());
    let mut case = Case::new(snapshot, fleet, policy, recalled, now);
    if let Some(memory) = case.memory.as_mut() {
        advice::note(memory, fleet);
    }
    if policy.paused {
        let verdict = Verdict::hold(TrackingHoldReason::Paused);
        return (verdict, Some(case.numbers), case.memory);
    }
    let is_others = advice.is_some_and(advice::leaves_to_others);
    if let Some(memory) = case.memory.as_mut().filter(|_| is_others) {
        memory::forget_writes(memory, fleet.primary.desired_count);
    }
    let verdict = foreign::check(&mut case).unwrap_or_else(|| {
        placeable::note(&mut case);
        choose(&case)
    });
    let verdict = match advice {
        None => verdict,
        Some(why) => {
            if let Some(memory) = case.memory.as_mut().filter(|_| is_others) {
                memory::forget_writes(memory, fleet.primary.desired_count);
            }
            advice::given(why, fleet, &verdict)
        }
    };
    (verdict, Some(case.numbers), case.memory)
}

/// Up, down, or neither.
fn choose(case: &Case<'_>) -> Verdict {
    scale_out::below_minimum(case)
        .or_else(|| scale_out::decide(case))
        .or_else(|| scale_in::above_maximum(case))
        .unwrap_or_else(|| scale_in::decide(case))
}

fn set(fleet: &Fleet, to: u32) -> Action {
    Action::SetDesiredCount {
        service: fleet.primary.key.clone(),
        from: fleet.primary.desired_count,
        to,
    }
}

/// The order of a plan: raising before lowering, the largest raise first, ties by the subject; holds by the subject.
fn order(plan: &mut TrackingPlan) {
    plan.steps.sort_by_cached_key(|step| {
        let (from, to) = step.counts();
        (
            Reverse(i64::from(to) - i64::from(from)),
            step.subject.clone(),
        )
    });
    plan.holds.sort_by(|a, b| a.subject.cmp(&b.subject));
}
