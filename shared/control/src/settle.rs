//! After acting: the ledger is told what became of the steps.
//!
//! Guaranteed: what was announced and is so is confirmed, what certainly is not is taken back, and what may be so stays announced. What
//! that means for a memory is the duty's ([`Duty::settle`]).

use std::collections::{BTreeMap, BTreeSet};

use calls::Deadline;
use ledger::LedgerError;
use model::Timestamp;
use model::duty::PlannedStep;
use model::outcome::Outcome;

use crate::controller::Controller;
use crate::duty::Duty;
use crate::remember::{Writing, remember_all};
use crate::round::{Announced, Announcement, Round};

/// How often what could not be announced is written, each time to what another invocation has remembered meanwhile.
const LATE_WRITES_MAX: u32 = 3;

/// What became of the steps of each subject.
type BySubject<D> = BTreeMap<<D as Duty>::Key, Vec<Outcome<<D as Duty>::Step>>>;

impl<D: Duty> Controller<D> {
    /// Notes in the ledger what became of what was announced. What was written without an announcement is remembered now. Returns the
    /// subjects that the ledger was not there for.
    pub(crate) async fn settle(
        &self,
        round: &mut Round<D>,
        mut announced: Announced<D>,
        now: Timestamp,
        deadline: Deadline,
    ) -> BTreeSet<D::Key> {
        let mut troubled: BTreeSet<D::Key> = announced.unavailable.into_keys().collect();
        let mut outcomes: BySubject<D> = BTreeMap::new();
        for outcome in &round.outcomes {
            let key = outcome.step.subject().clone();
            outcomes.entry(key).or_default().push(outcome.clone());
        }
        let is_done = |it: &&Outcome<D::Step>| it.took_effect() == Some(true);
        let done: BTreeMap<D::Key, usize> = outcomes
            .iter()
            .map(|(key, outcomes)| (key.clone(), outcomes.iter().filter(is_done).count()))
            .collect();
        let mut writings = Vec::new();
        let mut unannounced: BySubject<D> = BTreeMap::new();
        for (key, outcomes) in outcomes {
            let Some((announcement, version)) = announced.written.remove(&key) else {
                if outcomes.iter().any(|it| it.took_effect() != Some(false)) {
                    unannounced.insert(key, outcomes);
                }
                continue;
            };
            let Announcement {
                before,
                planned,
                writing,
            } = announcement;
            let memory = D::settle(&before, &planned, &outcomes, now);
            if memory != writing.memory {
                writings.push(Writing {
                    key,
                    memory,
                    expected: version,
                });
            }
        }
        for _ in 0..LATE_WRITES_MAX {
            writings.extend(
                self.belated(round, &unannounced, &mut troubled, now, deadline)
                    .await,
            );
            if writings.is_empty() {
                break;
            }
            let mut contended = BySubject::<D>::new();
            let writings = std::mem::take(&mut writings);
            for (key, answer) in remember_all(&self.ledger, writings, now, deadline).await {
                match answer {
                    Ok(_version) => {
                        round.ledger.confirmed += done.get(&key).copied().unwrap_or(0);
                    }
                    // Of an announced write, another invocation has seen it and gone on from it: its memory is newer. What could not be
                    // announced is added to whatever that one remembers.
                    Err(LedgerError::Conflict { .. }) => {
                        round.ledger.conflicts += 1;
                        contended.extend(unannounced.remove_entry(&key));
                    }
                    Err(LedgerError::Unavailable(gap)) => {
                        round.ledger_gaps.insert(gap);
                        troubled.insert(key);
                    }
                }
            }
            unannounced = contended;
        }
        troubled
    }

    /// Reads the ledger once more for the writes that could not be announced in it, and says what to write there. What cannot be read
    /// now either is a gap.
    async fn belated(
        &self,
        round: &mut Round<D>,
        unannounced: &BySubject<D>,
        troubled: &mut BTreeSet<D::Key>,
        now: Timestamp,
        deadline: Deadline,
    ) -> Vec<Writing<D::Key>> {
        if unannounced.is_empty() {
            return Vec::new();
        }
        let keys: BTreeSet<D::Key> = unannounced.keys().cloned().collect();
        let recalled = Box::pin(self.ledger.recall(&keys, deadline)).await;
        round.ledger_gaps.extend(recalled.gaps.values().cloned());
        troubled.extend(recalled.gaps.keys().cloned());
        let mut writings = Vec::new();
        for (key, outcomes) in unannounced {
            let Some(expected) = recalled.version(key) else {
                continue;
            };
            let found = recalled.known.get(key).map(|(memory, _)| memory.clone());
            let found = found.unwrap_or_default();
            if let Some(memory) = D::settle_late(&found, outcomes, now) {
                writings.push(Writing {
                    key: key.clone(),
                    memory,
                    expected,
                });
            }
        }
        writings
    }
}
