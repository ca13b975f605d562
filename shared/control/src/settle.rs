//! After acting: the ledger is told what became of the steps.
//!
//! Guaranteed: what was announced and is so is confirmed, what certainly is not is taken back, and what may be so stays announced. What
//! that means for a memory is the duty's ([`Duty::settle`]). What was done without an announcement and could not be remembered in
//! [`LATE_WRITES_MAX`] tries either leaves a gap, and its events come again.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use calls::Deadline;
use ledger::LedgerError;
use model::Timestamp;
use model::duty::PlannedStep;
use model::outcome::Outcome;

use crate::carry_out::contention;
use crate::controller::Controller;
use crate::duty::Duty;
use crate::remember::{Writing, remember_all};
use crate::round::{Announced, Announcement, Round, Task};

/// How often what could not be announced is written, each time to what another invocation has remembered meanwhile.
const LATE_WRITES_MAX: u32 = 3;

/// Into how many parts [`Controller::look_again_after`] is cut: one of them is the longest pause before the second late write, two before
/// the third. An announcement takes some hundredths of a second, and [`CONFIRM_RESERVE`](crate::carry_out::CONFIRM_RESERVE) a second.
const PAUSE_PARTS: u32 = 5;

/// What became of the steps of each subject.
type BySubject<D> = BTreeMap<<D as Duty>::Key, Vec<Outcome<<D as Duty>::Step>>>;

/// What is to be remembered after acting.
struct Late<D: Duty> {
    /// What became of what was announced.
    writings: Vec<Writing<D::Key>>,
    /// What was done without an announcement.
    unannounced: BySubject<D>,
    /// How many steps of each subject were done.
    done: BTreeMap<D::Key, usize>,
    /// The subjects that the ledger was not there for so far.
    troubled: BTreeSet<D::Key>,
}

impl<D: Duty> Controller<D> {
    /// Notes in the ledger what became of what was announced. What was written without an announcement is remembered now. Returns the
    /// subjects that the ledger was not there for.
    pub(crate) async fn settle(
        &self,
        task: &Task<'_, D>,
        round: &mut Round<D>,
        mut announced: Announced<D>,
        now: Timestamp,
    ) -> BTreeSet<D::Key> {
        let troubled: BTreeSet<D::Key> = announced.unavailable.into_keys().collect();
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
        let late = Late {
            writings,
            unannounced,
            done,
            troubled,
        };
        self.remember_late(task, round, late, now).await
    }

    /// Writes what is to be remembered now; what could not be announced several times, while others come before. Returns the subjects of
    /// which it could not be written.
    async fn remember_late(
        &self,
        task: &Task<'_, D>,
        round: &mut Round<D>,
        late: Late<D>,
        now: Timestamp,
    ) -> BTreeSet<D::Key> {
        let Late {
            mut writings,
            mut unannounced,
            done,
            mut troubled,
        } = late;
        let deadline = task.deadline;
        for number in 0..LATE_WRITES_MAX {
            if number > 0 && !unannounced.is_empty() {
                let longest = self.look_again_after / PAUSE_PARTS * number;
                let pause = pause(longest, task.seed, number);
                tokio::time::sleep(pause.min(deadline.remaining())).await;
            }
            writings.extend(
                self.belated(round, &unannounced, &mut troubled, now, deadline)
                    .await,
            );
            if writings.is_empty() {
                // What others remember says it already, or is told as a gap.
                unannounced.clear();
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
        for key in unannounced.into_keys() {
            round.ledger_gaps.insert(contention::<D>(&key));
            troubled.insert(key);
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

/// How long to wait before the next late write: anything up to `longest`, so that invocations which met once do not meet again and again.
/// What tells them apart is the seed, which is the invocation's own.
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
fn pause(longest: Duration, seed: u64, number: u32) -> Duration {
    let mut hasher = DefaultHasher::new();
    (seed, number).hash(&mut hasher);
    let millis = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(hasher.finish() % millis.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn invocations_pause_differently_and_none_longer_than_it_may() {
        let longest = Duration::from_millis(200);
        let pauses: BTreeSet<Duration> = (0..1_000).map(|seed| pause(longest, seed, 1)).collect();
        assert!(pauses.iter().all(|it| *it <= longest), "{pauses:?}");
        assert!(pauses.len() > 150, "{}", pauses.len());
        assert_eq!(pause(longest, 7, 1), pause(longest, 7, 1));
        assert_eq!(pause(Duration::ZERO, 7, 1), Duration::ZERO);
    }
}
