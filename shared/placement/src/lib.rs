//! Every decision of Ballast's: snapshot, policy, memory and time in; a plan out.
//!
//! Guaranteed: the same inputs give the same plan; nothing here reads a clock, the environment or AWS; every service that was
//! looked at is the subject of exactly one step or one hold; a plan that worked leaves nothing to do.
//!
//! Assumed: the snapshot is what `observe` makes of AWS's answers, possibly stale and incomplete, with its gaps named.
//!
//! Absent: logging. The plan is the log.

pub mod audit;
pub mod capacity;
pub mod drain;
pub mod fallback;
pub mod packing;
pub mod query;
mod staircase;
pub mod strategy;
pub mod tracking;

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::ServiceKey;
use model::memory::{PairMemory, Recall};
use model::plan::{Hold, HoldReason, Plan, Step};
use model::policy::Installation;
use model::snapshot::{PassedOver, Snapshot};
use model::trigger::Hints;

/// What was decided, and what to remember of it: of pairs where nothing else is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<S = Step, H = Hold, K = ServiceKey, M = PairMemory> {
    /// The steps and the holds.
    pub plan: Plan<S, H>,
    /// What each subject's memory becomes. A subject whose memory could not be recalled is not in it: what cannot be read is not
    /// written over.
    pub memories: BTreeMap<K, M>,
}

/// What one pair comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A change.
    Step(Step),
    /// Left alone.
    Hold(Hold),
}

/// Decides about everything in the snapshot.
///
/// `now` is AWS's own time, normally [`Snapshot::taken_at`]. A pair without an entry in `memories` counts as never seen.
#[must_use]
pub fn decide(
    snapshot: &Snapshot,
    installation: &Installation,
    memories: &BTreeMap<ServiceKey, Recall>,
    hints: &Hints,
    now: Timestamp,
) -> Decision {
    let mut plan = Plan::default();
    let mut remembered = BTreeMap::new();
    for (key, pair) in &snapshot.pairs {
        let fresh = Recall::Known(PairMemory::default());
        let look = fallback::Look {
            snapshot,
            pair,
            installation,
            recall: memories.get(key).unwrap_or(&fresh),
            hints,
            now,
        };
        let (verdict, memory) = fallback::decide_pair(&look);
        match verdict {
            Verdict::Step(step) => plan.steps.push(step),
            Verdict::Hold(hold) => plan.holds.push(hold),
        }
        if let Some(memory) = memory {
            remembered.insert(key.clone(), memory);
        }
    }
    for (key, why) in &snapshot.passed_over {
        plan.holds.push(Hold {
            subject: key.clone(),
            reason: match why {
                PassedOver::NotOptedIn => HoldReason::NotOptedIn,
                PassedOver::NotFound => HoldReason::NotFound,
                PassedOver::StandbyWithoutPrimary { primary, fault } => {
                    HoldReason::StandbyWithoutPrimary {
                        primary: primary.clone(),
                        fault: fault.clone(),
                    }
                }
                PassedOver::Unread { gap } => HoldReason::Unread { gap: gap.clone() },
            },
            until: None,
        });
    }
    order(&mut plan);
    Decision {
        plan,
        memories: remembered,
    }
}

/// The order of a plan: raising before giving back, the largest raise first, ties by the subject; holds by the subject.
fn order(plan: &mut Plan) {
    plan.steps.sort_by(|a, b| {
        let urgency = |step: &Step| {
            let model::plan::Action::SetDesiredCount { from, to, .. } = &step.action;
            std::cmp::Reverse(i64::from(*to) - i64::from(*from))
        };
        urgency(a)
            .cmp(&urgency(b))
            .then_with(|| a.subject.cmp(&b.subject))
    });
    plan.holds.sort_by(|a, b| a.subject.cmp(&b.subject));
}
