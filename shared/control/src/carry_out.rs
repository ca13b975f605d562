//! Announces the steps of a plan in the ledger, and carries them out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use calls::Deadline;
use ledger::{LedgerError, RecalledOf};
use model::Timestamp;
use model::duty::PlannedStep;
use model::outcome::{Outcome, OutcomeResult};
use model::policy::Mode;
use model::snapshot::{Gap, GapCause};

use crate::controller::Controller;
use crate::duty::{DecisionOf, Duty, MemoryOf};
use crate::remember::{Writing, remember_all};
use crate::round::{Announced, Announcement, Provisional, Round, Task};

/// What is kept of the time for confirming in the ledger what was done.
pub(crate) const CONFIRM_RESERVE: Duration = Duration::from_secs(1);

/// Why the audit refuses a step, by the step's index.
type Refused = BTreeMap<usize, String>;

impl<D: Duty> Controller<D> {
    /// The memories to write: those that differ from what was recalled, those that announce a step, and those that were not written for so
    /// long that they would be lost. Where no step will be carried out, the memory must not say that one was.
    pub(crate) fn announcements(
        &self,
        task: &Task<'_, D>,
        decision: &DecisionOf<D>,
        refused: &Refused,
        recalled: &RecalledOf<D::Key>,
        now: Timestamp,
    ) -> Vec<Announcement<D>> {
        let mut steps: BTreeMap<&D::Key, Vec<(usize, &D::Step)>> = BTreeMap::new();
        for (index, step) in decision.plan.steps.iter().enumerate() {
            steps.entry(step.subject()).or_default().push((index, step));
        }
        let mut announcements = Vec::new();
        for (key, (before, version)) in &recalled.known {
            if !task.concerns(key) {
                continue;
            }
            // Of what is not decided about, what was recalled stays.
            let planned = decision.memories.get(key).unwrap_or(before);
            let steps = steps.get(key).map(Vec::as_slice).unwrap_or_default();
            let left_out: Vec<Outcome<D::Step>> = steps
                .iter()
                .filter_map(|(index, step)| {
                    Some(Outcome {
                        step: (*step).clone(),
                        result: self.not_taken(refused.get(index))?,
                    })
                })
                .collect();
            let announces = left_out.len() < steps.len();
            // What is not carried out of several steps is taken back together with what fails of the others.
            let memory = if announces || left_out.is_empty() {
                planned.clone()
            } else {
                D::settle(before, planned, &left_out, now)
            };
            let is_due = recalled.is_due(key, now) && memory != MemoryOf::<D>::default();
            if announces || is_due || memory != *before {
                announcements.push(Announcement {
                    before: before.clone(),
                    planned: planned.clone(),
                    writing: Writing {
                        key: key.clone(),
                        memory,
                        expected: *version,
                    },
                });
            }
        }
        // A memory that cannot be understood is recorded as a gap, and then begins anew: as a subject never seen, of which nothing is
        // given back before it was watched for its whole hold-down.
        let unreadable = recalled
            .unreadable
            .iter()
            .filter(|(key, _)| task.concerns(key));
        announcements.extend(unreadable.map(|(key, version)| Announcement {
            before: MemoryOf::<D>::default(),
            planned: MemoryOf::<D>::default(),
            writing: Writing {
                key: key.clone(),
                memory: MemoryOf::<D>::default(),
                expected: *version,
            },
        }));
        announcements
    }

    /// Why a step will not be taken, whatever the ledger says.
    fn not_taken(&self, refused: Option<&String>) -> Option<OutcomeResult> {
        if let Some(detail) = refused {
            let detail = detail.clone();
            return Some(OutcomeResult::Refused { detail });
        }
        match self.duty.mode() {
            Mode::Observe => Some(OutcomeResult::NotWritten),
            Mode::Act => None,
        }
    }

    /// Writes the announcements.
    pub(crate) async fn announce(
        &self,
        announcements: Vec<Announcement<D>>,
        now: Timestamp,
        deadline: Deadline,
    ) -> Announced<D> {
        let writings = announcements.iter().map(|it| it.writing.clone()).collect();
        let mut sent: BTreeMap<D::Key, Announcement<D>> = announcements
            .into_iter()
            .map(|it| (it.writing.key.clone(), it))
            .collect();
        let mut announced = Announced {
            written: BTreeMap::new(),
            conflicts: BTreeSet::new(),
            unavailable: BTreeMap::new(),
        };
        for (key, answer) in remember_all(&self.ledger, writings, now, deadline).await {
            match answer {
                Ok(version) => {
                    let announcement = sent.remove(&key);
                    announced
                        .written
                        .extend(announcement.map(|it| (key, (it, version))));
                }
                Err(LedgerError::Conflict { .. }) => {
                    announced.conflicts.insert(key);
                }
                Err(LedgerError::Unavailable(gap)) => {
                    announced.unavailable.insert(key, gap);
                }
            }
        }
        announced
    }

    /// Carries out the steps that may be; every step gets its outcome, but those that wait until their
    /// subject is looked at again.
    pub(crate) async fn carry_out(
        &self,
        task: &Task<'_, D>,
        round: &mut Round<D>,
        steps: Vec<D::Step>,
        refused: &Refused,
        recalled: &RecalledOf<D::Key>,
        announced: &Announced<D>,
    ) {
        let mut verdicts: Vec<(D::Step, Option<OutcomeResult>)> = Vec::new();
        for (index, step) in steps.into_iter().enumerate() {
            let goes_on = !refused.contains_key(&index) && self.goes_on_in_conflict(&step);
            if round.again.contains(step.subject()) && !goes_on {
                // It is decided anew.
                round.provisional.push(Provisional::Step(step));
                continue;
            }
            if !task.concerns(step.subject()) {
                continue;
            }
            if let Some(detail) = refused.get(&index) {
                round.audit_refused.insert(verdicts.len());
                let detail = detail.clone();
                verdicts.push((step, Some(OutcomeResult::Refused { detail })));
            } else {
                let refusal = self.without_ledger(&step, recalled, announced);
                verdicts.push((step, refusal));
            }
        }
        let allowed: Vec<D::Step> = verdicts
            .iter()
            .filter(|(_, refusal)| refusal.is_none())
            .map(|(step, _)| step.clone())
            .collect();
        let act_by = task.deadline.with_reserve(CONFIRM_RESERVE);
        let mut done = self.duty.act(allowed, act_by).await.into_iter();
        for (step, refusal) in verdicts {
            let outcome = match refusal {
                Some(result) => Outcome { step, result },
                None => done.next().unwrap_or(Outcome {
                    step,
                    result: OutcomeResult::OutOfTime,
                }),
            };
            round.outcomes.push(outcome);
        }
    }

    /// Whether a step is carried out whoever else has changed what is remembered of its subject.
    fn goes_on_in_conflict(&self, step: &D::Step) -> bool {
        match self.duty.mode() {
            Mode::Observe => false,
            Mode::Act => D::goes_on_in_conflict(step),
        }
    }

    /// Why a step may not be taken as the ledger stands. Adding capacity needs no ledger; taking it away does.
    fn without_ledger(
        &self,
        step: &D::Step,
        recalled: &RecalledOf<D::Key>,
        announced: &Announced<D>,
    ) -> Option<OutcomeResult> {
        let key = step.subject();
        if announced.conflicts.contains(key) && !self.goes_on_in_conflict(step) {
            return Some(OutcomeResult::Refused {
                detail: contended::<D>(),
            });
        }
        if !D::needs_ledger(step) {
            return None;
        }
        let gap = announced
            .unavailable
            .get(key)
            .or_else(|| recalled.gaps.get(key))?;
        Some(OutcomeResult::Refused {
            detail: format!("ledger: {} without it: {gap}", D::NOT_WITHOUT_LEDGER),
        })
    }
}

/// The gap that a subject leaves whose memory other invocations kept changing.
pub(crate) fn contention<D: Duty>(key: &D::Key) -> Gap {
    Gap {
        operation: "dynamodb:PutItem".to_owned(),
        resource: key.to_string(),
        cause: GapCause::Other,
        detail: contended::<D>(),
    }
}

/// What is told of a subject that could not be agreed on.
fn contended<D: Duty>() -> String {
    format!(
        "ledger: other invocations kept changing what is remembered of this {}",
        D::SUBJECT
    )
}
