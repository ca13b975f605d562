//! After acting: the ledger is told what became of the steps.
//!
//! Guaranteed: what is remembered as Ballast's last write explains the standby's desired count as far as this invocation knows it.
//! Otherwise the next look would take Ballast's own write, or a count that it has already accepted, for somebody else's change, and
//! leave the pair alone for the policy's time.

use std::collections::{BTreeMap, BTreeSet};

use calls::Deadline;
use ledger::{LedgerError, Recalled};
use model::memory::Write;
use model::outcome::OutcomeResult;
use model::plan::Action;
use model::snapshot::GapCause;
use model::{ServiceKey, Timestamp};

use crate::controller::Controller;
use crate::remember::{Writing, remember_all};
use crate::round::{Announced, Round};

impl Controller {
    /// Notes in the ledger that what was announced is so, and takes back what certainly is not. What may be so stays announced. What
    /// was written without an announcement is remembered now. Returns the pairs that the ledger was not there for.
    pub(crate) async fn settle(
        &self,
        round: &mut Round,
        recalled: &Recalled,
        mut announced: Announced,
        now: Timestamp,
        deadline: Deadline,
    ) -> BTreeSet<ServiceKey> {
        let mut troubled: BTreeSet<ServiceKey> = announced.unavailable.into_keys().collect();
        let mut writings = Vec::new();
        let mut unannounced = BTreeMap::new();
        let mut confirmations = BTreeSet::new();
        for outcome in &round.outcomes {
            let key = &outcome.step.subject;
            let Action::SetDesiredCount { from, to, .. } = outcome.step.action;
            let applied = is_applied(&outcome.result);
            let write = Write {
                from,
                to,
                at: now,
                confirmed: applied == Some(true),
            };
            if applied == Some(true) {
                confirmations.insert(key.clone());
            }
            let Some((mut memory, expected)) = announced.written.remove(key) else {
                if applied != Some(false) {
                    unannounced.insert(key.clone(), write);
                }
                continue;
            };
            let announcement = memory.wrote;
            memory.wrote = match applied {
                Some(false) => {
                    let before = recalled.known.get(key).and_then(|it| it.0.wrote);
                    not_carried_out(before, from, now)
                }
                Some(true) | None => Some(write),
            };
            if memory.wrote != announcement {
                writings.push(Writing {
                    key: key.clone(),
                    memory,
                    expected,
                });
            }
        }
        if !unannounced.is_empty() {
            writings.extend(self.belated(round, unannounced, deadline).await);
        }
        for (key, answer) in remember_all(&self.ledger, writings, now, deadline).await {
            match answer {
                Ok(_version) => round.ledger.confirmed += usize::from(confirmations.contains(&key)),
                // Another invocation has seen the announced write and gone on from it: its memory is newer.
                Err(LedgerError::Conflict { .. }) => round.ledger.conflicts += 1,
                Err(LedgerError::Unavailable(gap)) => {
                    round.ledger_gaps.insert(gap);
                    troubled.insert(key);
                }
            }
        }
        troubled
    }

    /// Reads the ledger once more for the writes that could not be announced in it, and says what to write there. What cannot be read
    /// now either is a gap.
    async fn belated(
        &self,
        round: &mut Round,
        writes: BTreeMap<ServiceKey, Write>,
        deadline: Deadline,
    ) -> Vec<Writing> {
        let keys: BTreeSet<ServiceKey> = writes.keys().cloned().collect();
        let recalled = Box::pin(self.ledger.recall(&keys, deadline)).await;
        round.ledger_gaps.extend(recalled.gaps.values().cloned());
        let mut writings = Vec::new();
        for (key, write) in writes {
            let Some(expected) = recalled.version(&key) else {
                continue;
            };
            let known = recalled.known.get(&key);
            let mut memory = known.map(|(memory, _)| memory.clone()).unwrap_or_default();
            // Another invocation that has looked since knows better.
            let is_newer =
                |it: Write| it.at > write.at || (it.at == write.at && explains(it, write.to));
            if memory.wrote.is_some_and(is_newer) {
                continue;
            }
            memory.wrote = Some(write);
            writings.push(Writing {
                key,
                memory,
                expected,
            });
        }
        writings
    }
}

/// Whether a desired count can come of this write: the write happened, or perhaps did not.
const fn explains(write: Write, found: u32) -> bool {
    write.to == found || (!write.confirmed && write.from == found)
}

/// The last write as it is to be remembered where a step from `from` was not carried out. The one that was recalled, unless it does
/// not explain `from`: then the decision has just accepted somebody else's change, and must not have to do so again.
pub(crate) fn not_carried_out(recalled: Option<Write>, from: u32, now: Timestamp) -> Option<Write> {
    recalled.map(|before| {
        if explains(before, from) {
            before
        } else {
            Write {
                from,
                to: from,
                at: now,
                confirmed: true,
            }
        }
    })
}

/// Whether a step's write took effect; `None` where that is not certain.
fn is_applied(result: &OutcomeResult) -> Option<bool> {
    match result {
        OutcomeResult::Done | OutcomeResult::AlreadySo => Some(true),
        OutcomeResult::NotWritten
        | OutcomeResult::PreconditionFailed { .. }
        | OutcomeResult::Refused { .. }
        | OutcomeResult::OutOfTime => Some(false),
        // The service could not be read again before the write, which was then never sent.
        OutcomeResult::Failed { operation, .. } if operation != act::UPDATE_SERVICE => Some(false),
        OutcomeResult::Failed { cause, .. } => match cause {
            GapCause::AccessDenied => Some(false),
            // The last attempt's error does not tell what became of the attempts before it.
            GapCause::Throttled
            | GapCause::NotFound
            | GapCause::BudgetSpent
            | GapCause::OutOfTime
            | GapCause::Unreachable
            | GapCause::Other => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_write_that_was_sent_may_have_been_applied() {
        let failed = |operation: &str, cause| OutcomeResult::Failed {
            operation: operation.to_owned(),
            cause,
            detail: "no answer".to_owned(),
        };
        let lost = failed("ecs:UpdateService", GapCause::Unreachable);
        assert_eq!(is_applied(&lost), None);
        let never_sent = failed("ecs:DescribeServices", GapCause::Unreachable);
        assert_eq!(is_applied(&never_sent), Some(false));
        let denied = failed("ecs:UpdateService", GapCause::AccessDenied);
        assert_eq!(is_applied(&denied), Some(false));
        assert_eq!(is_applied(&OutcomeResult::AlreadySo), Some(true));
    }
}
