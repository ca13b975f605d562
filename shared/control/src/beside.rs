//! Beside acting: what is remembered of subjects that have no steps ([`Duty::is_remembered_beside`]).
//!
//! Guaranteed: no step of its round waits for it, and it waits for no step. What another invocation has remembered of such a subject meanwhile is read once
//! more and decided about again, on the same look; what still differs is written again. So two invocations that were told different
//! things of one subject remember both.

use std::collections::BTreeMap;

use model::Timestamp;
use model::snapshot::Gap;

use crate::controller::Controller;
use crate::duty::Duty;
use crate::round::{Announced, Announcement, Round, Task, known_or_not, unremembered};

/// What became of what was written beside acting.
pub(crate) struct Noted<D: Duty> {
    /// What was written first, without what was contended.
    first: Announced<D>,
    /// How many of these another invocation changed meanwhile.
    contended: usize,
    /// What became of the contended.
    second: Option<Announced<D>>,
}

impl<D: Duty> Controller<D> {
    /// Writes what nothing waits for.
    pub(crate) async fn note(
        &self,
        task: &Task<'_, D>,
        snapshot: &D::Snapshot,
        notes: Vec<Announcement<D>>,
        now: Timestamp,
    ) -> Noted<D> {
        let deadline = task.deadline;
        let mut first = self.announce(notes, now, deadline).await;
        let contended = std::mem::take(&mut first.conflicts);
        if contended.is_empty() {
            return Noted {
                first,
                contended: 0,
                second: None,
            };
        }
        let recalled = Box::pin(self.ledger.recall(&contended, deadline)).await;
        let memories = known_or_not::<D>(&recalled);
        let decision = (self.decide)(snapshot, &self.installation, &memories, task.hints, now);
        let differing = self.announcements(task, &decision, &BTreeMap::new(), &recalled, now);
        let mut second = self.announce(differing, now, deadline).await;
        second.unavailable.extend(recalled.gaps);
        Noted {
            first,
            contended: contended.len(),
            second: Some(second),
        }
    }
}

impl<D: Duty> Round<D> {
    /// Takes in what was written beside acting. The answer is what could not be remembered.
    pub(crate) fn take_noted(
        &mut self,
        task: &Task<'_, D>,
        noted: Noted<D>,
    ) -> BTreeMap<D::Key, Gap> {
        self.ledger.conflicts += noted.contended;
        let mut gaps: BTreeMap<D::Key, Gap> = BTreeMap::new();
        for announced in [Some(noted.first), noted.second].into_iter().flatten() {
            self.ledger.remembered += announced.written.len();
            self.ledger.conflicts += announced.conflicts.len();
            if task.is_last {
                gaps.extend(unremembered::<D>(&announced));
            } else {
                self.again.extend(announced.conflicts);
            }
            gaps.extend(announced.unavailable);
        }
        self.ledger_gaps.extend(gaps.values().cloned());
        gaps
    }
}
