//! Beside acting: what is remembered of subjects that have no steps ([`Duty::keys_beside`]).
//!
//! Guaranteed: no step of its round waits for it, not for what is read either, and it waits for no step. What another invocation has remembered
//! of such a subject meanwhile is read once more and decided about again, on the same look; what still differs is written again. So two
//! invocations that were told different things of one subject remember both.

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;
use model::duty::PlannedHold;
use model::snapshot::Gap;

use crate::controller::Controller;
use crate::duty::Duty;
use crate::round::{Announced, Round, Task, known_or_not, unremembered};

/// How often such a subject is read, decided about and written: once more where another invocation came before.
const TRIES_MAX: u32 = 2;

/// What became of what was read and written beside acting.
pub(crate) struct Noted<D: Duty> {
    /// What these subjects come to.
    holds: Vec<D::Hold>,
    /// Of how many of them it is known what was remembered.
    recalled: usize,
    /// What became of each try.
    tries: Vec<Announced<D>>,
}

impl<D: Duty> Controller<D> {
    /// Reads, decides about and writes what nothing waits for.
    pub(crate) async fn note(
        &self,
        task: &Task<'_, D>,
        snapshot: &D::Snapshot,
        beside: BTreeSet<D::Key>,
        now: Timestamp,
    ) -> Noted<D> {
        let deadline = task.deadline;
        let mut noted = Noted {
            holds: Vec::new(),
            recalled: 0,
            tries: Vec::new(),
        };
        let mut open = beside;
        for number in 0..TRIES_MAX {
            if open.is_empty() {
                break;
            }
            let recalled = Box::pin(self.ledger.recall(&open, deadline)).await;
            let memories = known_or_not::<D>(&recalled);
            let decision = (self.decide)(snapshot, &self.installation, &memories, task.hints, now);
            let writings = self.announcements(task, &decision, &BTreeMap::new(), &recalled, now);
            if number == 0 {
                noted.recalled = recalled.known.len();
            }
            let is_open = |it: &D::Hold| open.contains(it.subject());
            noted.holds.retain(|it| !is_open(it));
            let newer = decision.plan.holds.into_iter();
            noted.holds.extend(newer.filter(is_open));
            let mut announced = Box::pin(self.announce(writings, now, deadline)).await;
            announced.unavailable.extend(recalled.gaps);
            open.clone_from(&announced.conflicts);
            noted.tries.push(announced);
        }
        noted
    }
}

impl<D: Duty> Round<D> {
    /// Takes in what was read and written beside acting. The answer is what could not be recalled or remembered.
    pub(crate) fn take_noted(
        &mut self,
        task: &Task<'_, D>,
        noted: Noted<D>,
    ) -> BTreeMap<D::Key, Gap> {
        let Noted {
            holds,
            recalled,
            mut tries,
        } = noted;
        self.ledger.recalled += recalled;
        let mut gaps: BTreeMap<D::Key, Gap> = BTreeMap::new();
        for announced in &tries {
            self.ledger.remembered += announced.written.len();
            self.ledger.conflicts += announced.conflicts.len();
            gaps.extend(announced.unavailable.clone());
        }
        if let Some(last) = tries.pop() {
            if task.is_last {
                gaps.extend(unremembered::<D>(&last));
            } else {
                self.again.extend(last.conflicts);
            }
        }
        self.ledger_gaps.extend(gaps.values().cloned());
        self.hold(holds, task);
        gaps
    }
}
