//! One round of the flow: look, recall, decide, audit, remember, act, confirm.
//!
//! Guaranteed: a step is carried out only after the audit let it pass and, where its subject's memory could be read, after the ledger
//! took the memory that announces it. Of several invocations that read the same memory, one announces its steps; the others look
//! again. One that reads an announcement leaves the subject alone until it is carried out, taken back or too old. So no two
//! invocations carry out the same step, but for steps with a deadline that do no harm when they are done twice
//! ([`Duty::goes_on_in_conflict`]): these are carried out at once, and remembered afterwards. What is remembered of subjects that have no
//! steps at all ([`Duty::keys_beside`]) is read and written while the steps are carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use calls::Deadline;
use ledger::{RecalledOf, Version};
use model::duty::{PlannedHold, PlannedStep};
use model::memory::Recall;
use model::outcome::{Outcome, OutcomeResult};
use model::plan::Plan;
use model::policy::Mode;
use model::snapshot::{Gap, GapCause, Scope};
use model::trigger::Hints;
use observe::Blind;
use placement::audit::Violation;
use tokio::time::Instant;

use crate::carry_out::contention;
use crate::controller::Controller;
use crate::duty::{Duty, MemoryOf, RecallsOf};
use crate::record::{Durations, LedgerUse, Look};
use crate::remember::Writing;
use crate::trouble::Trouble;

/// The least time that must be left for another look at subjects that are waited for: the wait, the look, and the write.
const LOOK_AGAIN_TIME_MIN: Duration = Duration::from_secs(10);

/// What a round is for.
#[derive(Debug)]
pub(crate) struct Task<'a, D: Duty> {
    /// What to look at.
    pub(crate) scope: &'a Scope,
    /// What to decide about; `None`: everything that is seen. What else is seen was decided in an earlier round.
    pub(crate) asked: Option<&'a BTreeSet<D::Key>>,
    /// How soon.
    pub(crate) hints: &'a Hints,
    /// The moment by which the record must be ready.
    pub(crate) deadline: Deadline,
    /// What tells this invocation from others that run at the same time.
    pub(crate) seed: u64,
    /// Whether no round follows: a subject that another invocation keeps changing is not looked at again, its steps are refused.
    pub(crate) is_last: bool,
}

impl<D: Duty> Task<'_, D> {
    /// Whether this subject is decided about.
    pub(crate) fn concerns(&self, key: &D::Key) -> bool {
        self.asked.is_none_or(|asked| asked.contains(key))
    }
}

/// What one round came to.
#[derive(Debug)]
pub(crate) struct Round<D: Duty> {
    /// The look, in short. `None`: AWS gave no answer.
    pub(crate) look: Option<Look>,
    /// What is left alone, without the subjects that are looked at again.
    pub(crate) holds: Vec<D::Hold>,
    /// The steps and what became of them, without the subjects that are looked at again.
    pub(crate) outcomes: Vec<Outcome<D::Step>>,
    /// The steps that the audit took out, as indexes into `outcomes`.
    pub(crate) audit_refused: BTreeSet<usize>,
    /// What could not be observed.
    pub(crate) gaps: BTreeSet<Gap>,
    /// What could not be recalled or remembered.
    pub(crate) ledger_gaps: BTreeSet<Gap>,
    /// What the subjects that are looked at again came to so far: what stands if the next look does not see them.
    pub(crate) provisional: Vec<Provisional<D>>,
    /// The subjects that another invocation changed in the ledger meanwhile, and that must be looked at again.
    pub(crate) again: BTreeSet<D::Key>,
    /// The subjects of which a write was announced that does not show yet, and that are to be looked at again after a short wait.
    pub(crate) waiting: BTreeSet<D::Key>,
    /// What something went wrong with.
    pub(crate) trouble: Trouble<D::Named>,
    /// What was done to the ledger.
    pub(crate) ledger: LedgerUse,
}

impl<D: Duty> Default for Round<D> {
    fn default() -> Self {
        Self {
            look: None,
            holds: Vec::new(),
            outcomes: Vec::new(),
            audit_refused: BTreeSet::new(),
            gaps: BTreeSet::new(),
            ledger_gaps: BTreeSet::new(),
            provisional: Vec::new(),
            again: BTreeSet::new(),
            waiting: BTreeSet::new(),
            trouble: Trouble::default(),
            ledger: LedgerUse::default(),
        }
    }
}

/// What a subject came to that is looked at again.
#[derive(Debug, Clone)]
pub(crate) enum Provisional<D: Duty> {
    /// Something of it was held.
    Hold(D::Hold),
    /// It had a step, which was not taken.
    Step(D::Step),
}

impl<D: Duty> Provisional<D> {
    /// The subject.
    pub(crate) fn subject(&self) -> &D::Key {
        match self {
            Self::Hold(hold) => hold.subject(),
            Self::Step(step) => step.subject(),
        }
    }
}

impl<D: Duty> Round<D> {
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
            trouble: D::trouble_blind(scope),
            ..Self::default()
        }
    }

    /// What was seen, recalled and announced, before anything is done; and what could not be remembered.
    fn begun(
        task: &Task<'_, D>,
        snapshot: &D::Snapshot,
        recalled: &RecalledOf<D::Key>,
        announced: &Announced<D>,
    ) -> (Self, BTreeMap<D::Key, Gap>) {
        let gaps = D::gaps(snapshot);
        let look = Look::of::<D>(snapshot, gaps.len());
        let mut round = Self {
            look: Some(look),
            gaps,
            ledger_gaps: recalled.gaps.values().cloned().collect(),
            ledger: LedgerUse {
                recalled: recalled.known.len(),
                remembered: announced.written.len(),
                conflicts: announced.conflicts.len(),
                confirmed: 0,
            },
            ..Self::default()
        };
        round
            .ledger_gaps
            .extend(announced.unavailable.values().cloned());
        let unremembered = if task.is_last {
            unremembered::<D>(announced)
        } else {
            round.again.clone_from(&announced.conflicts);
            BTreeMap::new()
        };
        round.ledger_gaps.extend(unremembered.values().cloned());
        (round, unremembered)
    }

    /// Takes the holds in: those of subjects that are looked at again stand only until then.
    pub(crate) fn hold(&mut self, holds: Vec<D::Hold>, task: &Task<'_, D>) {
        for hold in holds {
            if self.again.contains(hold.subject()) {
                self.provisional.push(Provisional::Hold(hold));
            } else if task.concerns(hold.subject()) {
                self.holds.push(hold);
            }
        }
    }

    /// What the steps that failed are about: single things that events name, else their whole subjects.
    fn concerned(&self, troubled: &mut BTreeSet<D::Key>) -> BTreeSet<D::Named> {
        let failed = self.outcomes.iter().filter(|it| {
            let may_wait = it.result == OutcomeResult::OutOfTime && !D::must_be_in_time(&it.step);
            it.result.is_failure() && !may_wait
        });
        let mut concerned = BTreeSet::new();
        for outcome in failed {
            match D::concerned_by(&outcome.step) {
                Some(named) => _ = concerned.insert(named),
                None => _ = troubled.insert(outcome.step.subject().clone()),
            }
        }
        concerned
    }

    /// Leaves the subjects whose announced write does not show yet for the next round.
    fn wait(&mut self) {
        let waiting = self.holds.iter().filter(|it| D::is_waiting(it));
        self.waiting = waiting.map(|it| it.subject().clone()).collect();
        let (waiting, holds): (Vec<D::Hold>, Vec<D::Hold>) = std::mem::take(&mut self.holds)
            .into_iter()
            .partition(|it| self.waiting.contains(it.subject()));
        self.holds = holds;
        self.provisional
            .extend(waiting.into_iter().map(Provisional::Hold));
    }
}

/// A memory on its way to the ledger, before its subject's steps are carried out.
#[derive(Debug, Clone)]
pub(crate) struct Announcement<D: Duty> {
    /// What was recalled.
    pub(crate) before: MemoryOf<D>,
    /// What the planner made of it.
    pub(crate) planned: MemoryOf<D>,
    /// What is written.
    pub(crate) writing: Writing<D::Key>,
}

/// What became of the announcements.
pub(crate) struct Announced<D: Duty> {
    /// Those that the ledger took, with the version that the memory has now.
    pub(crate) written: BTreeMap<D::Key, (Announcement<D>, Version)>,
    /// The subjects that another invocation has changed meanwhile.
    pub(crate) conflicts: BTreeSet<D::Key>,
    /// The subjects that the ledger was not there for.
    pub(crate) unavailable: BTreeMap<D::Key, Gap>,
}

impl<D: Duty> Controller<D> {
    /// One round.
    pub(crate) async fn round(&self, task: &Task<'_, D>, durations: &mut Durations) -> Round<D> {
        let deadline = task.deadline;
        // A look may take two thirds of the time that is left: raising on an incomplete look beats not raising.
        let look_by = deadline.with_reserve(deadline.remaining() / 3);
        // On the heap, as below: the futures of SDK calls are large.
        let looking = Box::pin(self.duty.look(task.scope, look_by));
        let snapshot = match timed(&mut durations.observe, looking).await {
            Ok(snapshot) => snapshot,
            Err(blind) => return Round::blind(blind, task.scope),
        };
        let beside = D::keys_beside(&snapshot);
        let recalled = timed(
            &mut durations.recall,
            Box::pin(self.recall(&snapshot, &beside, deadline)),
        )
        .await;
        let started = Instant::now();
        let memories = known_or_not::<D>(&recalled);
        let now = D::taken_at(&snapshot);
        let decision = (self.decide)(&snapshot, &self.installation, &memories, task.hints, now);
        let refused = violations(&D::audit(
            &decision.plan,
            &snapshot,
            &self.installation,
            &memories,
            task.hints,
            now,
        ));
        durations.decide += millis(started);

        let announcements = self.announcements(task, &decision, &refused, &recalled, now);
        let announcing = self.announce(announcements, now, deadline);
        let announced = timed(&mut durations.remember, announcing).await;

        let (mut round, unremembered) = Round::begun(task, &snapshot, &recalled, &announced);
        let Plan { steps, mut holds } = decision.plan;
        // What these come to is decided with what is remembered of them.
        holds.retain(|it| !beside.contains(it.subject()));
        round.hold(holds, task);
        let begun = Instant::now();
        let acting = Box::pin(async {
            let acting = self.carry_out(task, &mut round, steps, &refused, &recalled, &announced);
            timed(&mut durations.act, Box::pin(acting)).await;
            let settling = self.settle(task, &mut round, announced, now);
            let troubled = timed(&mut durations.remember, Box::pin(settling)).await;
            (troubled, millis(begun))
        });
        let noting = Box::pin(self.note(task, &snapshot, beside, now));
        let ((mut troubled, acted_millis), noted) = tokio::join!(acting, noting);
        // What was noted beside acting took time of its own only where it took longer.
        durations.remember += millis(begun).saturating_sub(acted_millis);
        troubled.extend(recalled.gaps.into_keys());
        troubled.extend(unremembered.into_keys());
        troubled.extend(round.take_noted(task, noted).into_keys());
        if !task.is_last {
            let unseen = D::unseen(&snapshot, task.hints);
            round.holds.retain(|it| !unseen.contains(it.subject()));
            round.again.extend(unseen);
        }
        let concerned = round.concerned(&mut troubled);
        round.trouble = D::trouble(&snapshot, &troubled);
        round.trouble.concerned.extend(concerned);
        let has_time = deadline.remaining() > LOOK_AGAIN_TIME_MIN;
        if !task.is_last && has_time && self.duty.mode() == Mode::Act {
            round.wait();
        }
        round
    }

    async fn recall(
        &self,
        snapshot: &D::Snapshot,
        beside: &BTreeSet<D::Key>,
        deadline: Deadline,
    ) -> RecalledOf<D::Key> {
        let mut keys = D::keys(snapshot);
        keys.retain(|it| !beside.contains(it));
        if keys.is_empty() {
            return RecalledOf::<D::Key>::default();
        }
        self.ledger.recall(&keys, deadline).await
    }
}

/// What events said of these subjects was not remembered, because other invocations kept changing what is.
pub(crate) fn unremembered<D: Duty>(announced: &Announced<D>) -> BTreeMap<D::Key, Gap> {
    let conflicts = announced.conflicts.iter().filter(|_| D::REMEMBERS_EVENTS);
    conflicts
        .map(|key| (key.clone(), contention::<D>(key)))
        .collect()
}

/// Every law that a step would break, by the step's index.
fn violations(found: &[Violation]) -> BTreeMap<usize, String> {
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

pub(crate) fn known_or_not<D: Duty>(recalled: &RecalledOf<D::Key>) -> RecallsOf<D> {
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

async fn timed<F: Future>(total: &mut u64, work: F) -> F::Output {
    let started = Instant::now();
    let output = work.await;
    *total += millis(started);
    output
}

pub(crate) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
