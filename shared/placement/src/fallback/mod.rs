//! Covering a primary's deficit with its standby, and giving back.
//!
//! The rules, in the order in which they are asked. The first one that speaks decides:
//!
//! 1. [`refusal`]: may this pair be touched at all?
//! 2. [`foreign`]: has somebody else, or our own last write, changed the standby's desired count?
//! 3. [`raise`]: is more missing than the standby covers, and is there a reason not to wait?
//! 4. [`give_back`]: has the standby been larger than needed for the whole hold-down, and is it safe to shrink it?
//! 5. Otherwise the pair is at rest or covered, or soon will be.
//!
//! What each rule counts is in [`count`]; how long a task takes to start is in [`start_up`]; what a placement failure proves is in
//! [`cause`]; which tasks leave with their instances, and what shows that Spot instances are short, in [`instances`]; what is remembered
//! between looks is kept by [`history`].
//!
//! Guaranteed: only the standby's desired count is ever planned, as an absolute value between 0 and the primary's desired count
//! (and the cap, where the tag sets one). Placement failures change *when* the standby is raised, never how far.
//!
//! Assumed: the standby, once raised, keeps its own tasks running; a standby whose on-demand capacity is short is not helped.
//!
//! Absent: any change of a strategy, a task definition or the primary.

pub mod cause;
pub mod count;
pub mod foreign;
pub mod give_back;
pub mod history;
pub mod instances;
pub mod raise;
pub mod refusal;
pub mod start_up;

use jiff::Timestamp;
use model::memory::{PairMemory, Recall, Write};
use model::plan::{Action, Counts, Hold, HoldReason, Step, StepReason};
use model::policy::{Installation, PairPolicy};
use model::snapshot::{Pair, Service, Snapshot};
use model::trigger::Hints;

use crate::Verdict;

/// Everything that a decision about one pair may depend on.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The whole snapshot, for the gaps that concern more than one pair. No other pair is looked at.
    pub snapshot: &'a Snapshot,
    /// The pair.
    pub pair: &'a Pair,
    /// What the installation adds.
    pub installation: &'a Installation,
    /// What could be recalled of the pair.
    pub recall: &'a Recall,
    /// What the triggers reported.
    pub hints: &'a Hints,
    /// AWS's own time.
    pub now: Timestamp,
}

/// A pair that may be touched, with its numbers.
pub(crate) struct Case<'a> {
    pub(crate) look: &'a Look<'a>,
    pub(crate) policy: &'a PairPolicy,
    pub(crate) standby: &'a Service,
    pub(crate) counts: Counts,
    /// The most tasks that the standby may be given now.
    pub(crate) cap: u32,
    /// The smallest number of standby tasks that brings ready tasks up to the desired count: starting tasks do not count.
    pub(crate) need: u32,
}

/// Decides about one pair. The memory is `None` where none could be recalled.
pub(crate) fn decide_pair(look: &Look<'_>) -> (Verdict, Option<PairMemory>) {
    let recalled = look.recall.known().cloned();
    let (policy, standby) = match refusal::touchable(look) {
        Ok(pair) => pair,
        Err(reason) => return (hold(look, reason, None), recalled),
    };
    let mut memory = recalled;
    let not_ours = memory
        .as_mut()
        .and_then(|memory| foreign::check(memory, standby, policy, look.now));
    let counts = count::counts(look.pair, standby, policy, look.now);
    let cap = counts.desired.min(policy.standby_max.unwrap_or(u32::MAX));
    let case = Case {
        look,
        policy,
        standby,
        counts,
        cap,
        need: counts.desired.saturating_sub(counts.ready).min(cap),
    };
    if let Some(memory) = memory.as_mut() {
        // What a look shows is remembered whether or not the standby may be touched at this moment.
        history::note(memory, &case);
    }
    if let Some((reason, until)) = not_ours {
        return (hold(look, reason, Some(until)), memory);
    }
    let verdict = choose(&case, memory.as_ref());
    if let (Verdict::Step(step), Some(memory)) = (&verdict, memory.as_mut()) {
        let Action::SetDesiredCount { from, to, .. } = step.action;
        memory.wrote = Some(Write {
            from,
            to,
            at: look.now,
            confirmed: false,
        });
    }
    (verdict, memory)
}

fn choose(case: &Case<'_>, memory: Option<&PairMemory>) -> Verdict {
    let Counts {
        deficit,
        standby_desired,
        ..
    } = case.counts;
    let target = deficit.min(case.cap);
    if target > standby_desired {
        return raise::decide(case, target, memory);
    }
    if target < standby_desired {
        return give_back::decide(case, memory);
    }
    let counts = case.counts;
    let reason = if !case.look.pair.primary.all_to_run_read {
        // Nothing is missing for certain; whether nothing is missing is not known.
        HoldReason::SnapshotIncomplete {
            counts,
            gaps: give_back::gaps(case),
        }
    } else if deficit > case.cap {
        HoldReason::AtCap {
            counts,
            cap: case.cap,
        }
    } else if standby_desired == 0 && counts.ready < counts.desired {
        HoldReason::Starting { counts }
    } else if standby_desired == 0 {
        HoldReason::AtRest { counts }
    } else if counts.standby_ready < deficit {
        HoldReason::Covering { counts }
    } else {
        HoldReason::Covered { counts }
    };
    hold(case.look, reason, None)
}

pub(crate) fn hold(look: &Look<'_>, reason: HoldReason, until: Option<Timestamp>) -> Verdict {
    Verdict::Hold(Hold {
        subject: look.pair.primary.key.clone(),
        reason,
        until,
    })
}

pub(crate) fn step(case: &Case<'_>, to: u32, reason: StepReason) -> Verdict {
    Verdict::Step(Step {
        subject: case.look.pair.primary.key.clone(),
        action: Action::SetDesiredCount {
            service: case.standby.key.clone(),
            from: case.standby.desired_count,
            to,
        },
        reason,
    })
}
