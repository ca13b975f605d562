//! One round of the flow: look, recall, decide, audit, remember, act, confirm.
//!
//! Guaranteed: a step is carried out only after the audit let it pass and, where the pair's memory could be read, after the ledger
//! took the memory that announces it. Of several invocations that read the same memory, one announces its step; the others look
//! again. One that reads an announcement leaves the pair alone until it is carried out, taken back or too old. So no two invocations
//! carry out the same step.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use calls::Deadline;
use ledger::{LedgerError, Recalled, Version};
use model::memory::{PairMemory, Recall};
use model::outcome::{Outcome, OutcomeResult};
use model::plan::{Action, Hold, HoldReason, Plan, Step};
use model::policy::Mode;
use model::snapshot::{Gap, GapCause, PassedOver, Scope, Snapshot};
use model::trigger::Hints;
use model::{ServiceKey, Timestamp};
use observe::Blind;
use placement::Decision;
use placement::audit::audit;
use tokio::time::Instant;

use crate::controller::Controller;
use crate::record::{Durations, LedgerUse, Look};
use crate::remember::{Writing, remember_all};
use crate::settle::not_carried_out;
use crate::trouble::Trouble;

/// What is kept of the time for confirming in the ledger what was done.
const CONFIRM_RESERVE: Duration = Duration::from_secs(1);

/// The least time that must be left for another look at pairs that are waited for: the wait, the look, and the write.
const LOOK_AGAIN_TIME_MIN: Duration = Duration::from_secs(10);

/// What one round came to.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// The look, in short. `None`: AWS gave no answer.
    pub(crate) look: Option<Look>,
    /// What is left alone, without the pairs that are looked at again.
    pub(crate) holds: Vec<Hold>,
    /// The steps and what became of them, without the pairs that are looked at again.
    pub(crate) outcomes: Vec<Outcome>,
    /// The steps that the audit took out, as indexes into `outcomes`.
    pub(crate) audit_refused: BTreeSet<usize>,
    /// What could not be observed.
    pub(crate) gaps: BTreeSet<Gap>,
    /// What could not be recalled or remembered.
    pub(crate) ledger_gaps: BTreeSet<Gap>,
    /// What the pairs that are looked at again came to so far: what stands if the next look does not see them.
    pub(crate) provisional: Vec<Provisional>,
    /// The pairs that another invocation changed in the ledger meanwhile, and that must be looked at again.
    pub(crate) again: BTreeSet<ServiceKey>,
    /// The pairs of which a write was announced that does not show yet, and that are to be looked at again after a short wait.
    pub(crate) waiting: BTreeSet<ServiceKey>,
    /// What something went wrong with.
    pub(crate) trouble: Trouble,
    /// What was done to the ledger.
    pub(crate) ledger: LedgerUse,
}

/// What a pair came to that is looked at again.
#[derive(Debug, Clone)]
pub(crate) enum Provisional {
    /// It was held.
    Hold(Hold),
    /// It had a step, which was not taken.
    Step(Step),
}

impl Provisional {
    /// The pair's primary.
    pub(crate) const fn subject(&self) -> &ServiceKey {
        match self {
            Self::Hold(hold) => &hold.subject,
            Self::Step(step) => &step.subject,
        }
    }
}

impl Round {
    /// The round in which AWS gave no answer: nothing is known, not even the time, and nothing is decided.
    fn blind(blind: Blind, scope: &Scope) -> Self {
        let mut gaps: BTreeSet<Gap> = blind.gaps.into_iter().collect();
        if gaps.is_empty() {
            gaps.insert(Gap {
                operation: "look".to_owned(),
                resource: "*".to_owned(),
                cause: GapCause::Other,
                detail: "no call was answered".to_owned(),
            });
        }
        Self {
            gaps,
            trouble: Trouble::blind(scope),
            ..Self::default()
        }
    }

    /// Takes the holds in: those of pairs that are looked at again stand only until then.
    fn hold(&mut self, holds: Vec<Hold>) {
        for hold in holds {
            if self.again.contains(&hold.subject) {
                self.provisional.push(Provisional::Hold(hold));
            } else {
                self.holds.push(hold);
            }
        }
    }

    /// Leaves the pairs whose announced write does not show yet for the next round.
    fn wait(&mut self) {
        let (waiting, holds) = std::mem::take(&mut self.holds)
            .into_iter()
            .partition(|it| matches!(it.reason, HoldReason::OwnWriteNotVisible { .. }));
        self.holds = holds;
        let waiting: Vec<Hold> = waiting;
        self.waiting = waiting.iter().map(|it| it.subject.clone()).collect();
        self.provisional
            .extend(waiting.into_iter().map(Provisional::Hold));
    }
}

/// What is to be written to the ledger, and what became of it.
#[derive(Default)]
pub(crate) struct Announced {
    /// The memories as they were sent, with the version that they have now.
    pub(crate) written: BTreeMap<ServiceKey, (PairMemory, Version)>,
    conflicts: BTreeSet<ServiceKey>,
    pub(crate) unavailable: BTreeMap<ServiceKey, Gap>,
}

impl Controller {
    /// One round. In the last one, a pair that another invocation keeps changing is not looked at again: its step is refused.
    pub(crate) async fn round(
        &self,
        scope: &Scope,
        hints: &Hints,
        deadline: Deadline,
        is_last: bool,
        durations: &mut Durations,
    ) -> Round {
        // A look may take two thirds of the time that is left: raising on an incomplete look beats not raising.
        let look_by = deadline.with_reserve(deadline.remaining() / 3);
        // On the heap, as below: the futures of SDK calls are large.
        let looking = Box::pin(self.observer.look(scope, look_by));
        let snapshot = match timed(&mut durations.observe, looking).await {
            Ok(snapshot) => snapshot,
            Err(blind) => return Round::blind(blind, scope),
        };
        let recalled = timed(
            &mut durations.recall,
            Box::pin(self.recall(&snapshot, deadline)),
        )
        .await;
        let started = Instant::now();
        let memories = known_or_not(&recalled);
        let now = snapshot.taken_at;
        let decision = (self.decide)(&snapshot, &self.installation, &memories, hints, now);
        let refused = violations(&audit(
            &decision.plan,
            &snapshot,
            &self.installation,
            &memories,
            now,
        ));
        durations.decide += millis(started);

        let writings = self.writings(&decision, &refused, &recalled, now);
        let announced = timed(
            &mut durations.remember,
            self.announce(writings, now, deadline),
        )
        .await;

        let gaps = gaps_of(&snapshot);
        let look = Look::of(&snapshot, gaps.len());
        let mut round = Round {
            look: Some(look),
            gaps,
            ledger_gaps: recalled.gaps.values().cloned().collect(),
            ledger: LedgerUse {
                recalled: recalled.known.len(),
                remembered: announced.written.len(),
                conflicts: announced.conflicts.len(),
                confirmed: 0,
            },
            ..Round::default()
        };
        round
            .ledger_gaps
            .extend(announced.unavailable.values().cloned());
        if !is_last {
            round.again.clone_from(&announced.conflicts);
        }
        let Plan { steps, holds } = decision.plan;
        round.hold(holds);
        let acting = self.carry_out(&mut round, steps, &refused, &recalled, &announced, deadline);
        timed(&mut durations.act, Box::pin(acting)).await;
        let settling = self.settle(&mut round, &recalled, announced, now, deadline);
        let mut troubled = timed(&mut durations.remember, Box::pin(settling)).await;
        troubled.extend(recalled.gaps.into_keys());
        let failed = round.outcomes.iter().filter(|it| it.result.is_failure());
        troubled.extend(failed.map(|it| it.step.subject.clone()));
        round.trouble = Trouble::of(&snapshot, &troubled);
        let has_time = deadline.remaining() > LOOK_AGAIN_TIME_MIN;
        if !is_last && has_time && self.actor.mode() == Mode::Act {
            round.wait();
        }
        round
    }

    async fn recall(&self, snapshot: &Snapshot, deadline: Deadline) -> Recalled {
        let keys: BTreeSet<ServiceKey> = snapshot.pairs.keys().cloned().collect();
        if keys.is_empty() {
            return Recalled::default();
        }
        self.ledger.recall(&keys, deadline).await
    }

    /// The memories to write: those that differ from what was recalled, and those that announce a step. Where no step will be
    /// carried out, the memory must not say that one was.
    fn writings(
        &self,
        decision: &Decision,
        refused: &BTreeMap<usize, String>,
        recalled: &Recalled,
        now: Timestamp,
    ) -> Vec<Writing> {
        let steps: BTreeMap<&ServiceKey, (bool, u32)> = decision
            .plan
            .steps
            .iter()
            .enumerate()
            .map(|(index, step)| {
                let writes = self.actor.mode() == Mode::Act && !refused.contains_key(&index);
                let Action::SetDesiredCount { from, .. } = &step.action;
                (&step.subject, (writes, *from))
            })
            .collect();
        let mut writings = Vec::new();
        for (key, memory) in &decision.memories {
            let Some((before, version)) = recalled.known.get(key) else {
                continue;
            };
            let mut memory = memory.clone();
            let step = steps.get(key).copied();
            if let Some((false, from)) = step {
                memory.wrote = not_carried_out(before.wrote, from, now);
            }
            if matches!(step, Some((true, _))) || memory != *before {
                writings.push(Writing {
                    key: key.clone(),
                    memory,
                    expected: *version,
                });
            }
        }
        // A memory that cannot be understood is recorded as a gap, and then begins anew: as a pair never seen, which gives nothing
        // back before it was watched for its whole hold-down.
        for (key, version) in &recalled.unreadable {
            writings.push(Writing {
                key: key.clone(),
                memory: PairMemory::default(),
                expected: *version,
            });
        }
        writings
    }

    async fn announce(
        &self,
        writings: Vec<Writing>,
        now: Timestamp,
        deadline: Deadline,
    ) -> Announced {
        let mut sent: BTreeMap<ServiceKey, PairMemory> = writings
            .iter()
            .map(|it| (it.key.clone(), it.memory.clone()))
            .collect();
        let mut announced = Announced::default();
        for (key, answer) in remember_all(&self.ledger, writings, now, deadline).await {
            match answer {
                Ok(version) => {
                    let memory = sent.remove(&key).unwrap_or_default();
                    announced.written.insert(key, (memory, version));
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

    /// Carries out the steps that may be; every step but those of pairs that are looked at again gets its outcome.
    async fn carry_out(
        &self,
        round: &mut Round,
        steps: Vec<Step>,
        refused: &BTreeMap<usize, String>,
        recalled: &Recalled,
        announced: &Announced,
        deadline: Deadline,
    ) {
        let mut verdicts: Vec<(Step, Option<OutcomeResult>)> = Vec::new();
        for (index, step) in steps.into_iter().enumerate() {
            if round.again.contains(&step.subject) {
                // It is decided anew.
                round.provisional.push(Provisional::Step(step));
                continue;
            }
            if let Some(detail) = refused.get(&index) {
                round.audit_refused.insert(verdicts.len());
                let detail = detail.clone();
                verdicts.push((step, Some(OutcomeResult::Refused { detail })));
            } else {
                let refusal = without_ledger(&step, recalled, announced);
                verdicts.push((step, refusal));
            }
        }
        let allowed: Vec<Step> = verdicts
            .iter()
            .filter(|(_, refusal)| refusal.is_none())
            .map(|(step, _)| step.clone())
            .collect();
        let mut done = self
            .actor
            .act(allowed, deadline.with_reserve(CONFIRM_RESERVE))
            .await
            .into_iter();
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
}

/// Why a step may not be taken as the ledger stands. Raising needs no ledger; giving back does.
fn without_ledger(
    step: &Step,
    recalled: &Recalled,
    announced: &Announced,
) -> Option<OutcomeResult> {
    let key = &step.subject;
    if announced.conflicts.contains(key) {
        return Some(OutcomeResult::Refused {
            detail: "ledger: other invocations kept changing what is remembered of this pair"
                .to_owned(),
        });
    }
    let Action::SetDesiredCount { from, to, .. } = &step.action;
    if to > from {
        return None;
    }
    let gap = announced
        .unavailable
        .get(key)
        .or_else(|| recalled.gaps.get(key))?;
    Some(OutcomeResult::Refused {
        detail: format!("ledger: nothing is given back without it: {gap}"),
    })
}

/// Every law that a step would break, by the step's index.
fn violations(found: &[placement::audit::Violation]) -> BTreeMap<usize, String> {
    let mut by_step: BTreeMap<usize, String> = BTreeMap::new();
    for violation in found {
        let text = format!("law `{}`: {}", violation.law, violation.detail);
        by_step
            .entry(violation.step)
            .and_modify(|all| {
                all.push_str("; ");
                all.push_str(&text);
            })
            .or_insert_with(|| format!("audit: {text}"));
    }
    by_step
}

fn known_or_not(recalled: &Recalled) -> BTreeMap<ServiceKey, Recall> {
    let known = recalled
        .known
        .iter()
        .map(|(key, (memory, _))| (key.clone(), Recall::Known(memory.clone())));
    let unknown = recalled
        .gaps
        .keys()
        .map(|key| (key.clone(), Recall::Unknown));
    known.chain(unknown).collect()
}

/// Everything that could not be observed, each once.
fn gaps_of(snapshot: &Snapshot) -> BTreeSet<Gap> {
    let of_pairs = snapshot.pairs.values().flat_map(|pair| &pair.gaps);
    let unread = snapshot.passed_over.values().filter_map(|it| match it {
        PassedOver::Unread { gap } => Some(gap),
        PassedOver::NotOptedIn
        | PassedOver::NotFound
        | PassedOver::StandbyWithoutPrimary { .. } => None,
    });
    snapshot
        .gaps
        .iter()
        .chain(of_pairs)
        .chain(unread)
        .cloned()
        .collect()
}

async fn timed<F: Future>(total: &mut u64, work: F) -> F::Output {
    let started = Instant::now();
    let output = work.await;
    *total += millis(started);
    output
}

pub(crate) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
