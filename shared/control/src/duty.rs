//! What tells one function's loop from another's.
//!
//! The loop is the same for every function: [`Controller`](crate::Controller). A duty says which events concern it, how it looks, what
//! decides, who checks, how it acts, and what a step leaves to remember. Everything that makes two invocations safe beside each other
//! is the loop's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;

use calls::Deadline;
use model::duty::{PlannedHold, PlannedStep, SubjectKey};
use model::memory::Recall;
use model::outcome::Outcome;
use model::plan::Plan;
use model::policy::{Installation, Mode};
use model::snapshot::{Gap, Scope};
use model::trigger::{Hints, TriggerKind};
use model::{ClusterName, Seconds, Timestamp};
use observe::Blind;
use placement::Decision;
use placement::audit::Violation;
use serde::Serialize;

use crate::controller::RecordOf;
use crate::record::{Seen, Triggers};
use crate::trouble::Trouble;

/// What is remembered of a duty's subject.
pub type MemoryOf<D> = <<D as Duty>::Key as SubjectKey>::Memory;

/// A duty's plan.
pub type PlanOf<D> = Plan<<D as Duty>::Step, <D as Duty>::Hold>;

/// What a duty's planner decides.
pub type DecisionOf<D> =
    Decision<<D as Duty>::Step, <D as Duty>::Hold, <D as Duty>::Key, MemoryOf<D>>;

/// What could be recalled of a duty's subjects.
pub type RecallsOf<D> = BTreeMap<<D as Duty>::Key, Recall<MemoryOf<D>>>;

/// What decides. It can be replaced so that a test can show that the audit stops a planner that is wrong.
pub type Decide<D> =
    fn(&<D as Duty>::Snapshot, &Installation, &RecallsOf<D>, &Hints, Timestamp) -> DecisionOf<D>;

/// What an event asks of a duty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concern<N> {
    /// A look at what it is about.
    Look(About<N>),
    /// Nothing; why is a stable name, for records and metrics.
    Nothing(&'static str),
}

/// What an event asks to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About<N> {
    /// What it names; never empty.
    Named(BTreeSet<N>),
    /// Everything in scope.
    Everything,
}

impl<N: Ord> About<N> {
    /// One thing that it names.
    pub(crate) fn one(name: N) -> Self {
        Self::Named(BTreeSet::from([name]))
    }
}

/// Why an event leads to no look: it is of a kind that another function is for.
pub const OTHER_FUNCTION: &str = "other_function";

/// Which events concern a function, and what is looked at because of them.
pub trait Interest {
    /// What an event can name.
    type Named: Clone + Ord + fmt::Debug + Send + Sync + 'static;

    /// What an event asks for. A closed match: a new kind of trigger does not compile until every duty has an answer.
    fn concern(kind: &TriggerKind) -> Concern<Self::Named>;

    /// How long after a look at everything, in AWS's time, an event that names nothing leads to no other one by the same process: what it
    /// tells has been seen then, or is seen by the schedule's next look. `None`: every event leads to its look.
    const LOOKS_APART: Option<Seconds> = None;

    /// Whether what an event reports is a hint for the planner, beside a reason to look.
    fn is_hint(kind: &TriggerKind) -> bool;

    /// What is looked at for these; `everything` where an event asked for it. `installed` are the clusters that the installation is
    /// for; none means every cluster. `None`: nothing was asked for.
    fn scope(
        named: BTreeSet<Self::Named>,
        everything: bool,
        installed: &[ClusterName],
    ) -> Option<Scope>;

    /// Whether what an event names is looked at only where something waits for it: such an event tells of a state that lasts, and comes so
    /// often that a whole look for each would hold up the others.
    #[must_use]
    fn is_slight(_kind: &TriggerKind) -> bool {
        false
    }

    /// As [`Self::scope`], with what slight events alone named ([`Self::is_slight`]).
    fn scope_with_slight(
        mut named: BTreeSet<Self::Named>,
        slight: BTreeSet<Self::Named>,
        everything: bool,
        installed: &[ClusterName],
    ) -> Option<Scope> {
        named.extend(slight);
        Self::scope(named, everything, installed)
    }

    /// Enters what the events named into the record.
    fn enter(triggers: &mut Triggers, named: &BTreeSet<Self::Named>);
}

/// What a function does, as far as it differs from the others.
pub trait Duty: Interest + fmt::Debug + Send + Sync + Sized + 'static {
    /// What identifies a subject: what is remembered, decided about and looked at again.
    type Key: SubjectKey;
    /// What is seen.
    type Snapshot: Serialize + Send + Sync;
    /// A step of its plans.
    type Step: PlannedStep<Key = Self::Key>;
    /// A hold of its plans.
    type Hold: PlannedHold<Key = Self::Key>;

    /// What a subject is called in a text: `pair`.
    const SUBJECT: &'static str;

    /// What is not done to a subject without the ledger, as the beginning of a sentence: `nothing is given back`.
    const NOT_WITHOUT_LEDGER: &'static str;

    /// Its planner.
    const DECIDE: Decide<Self>;

    /// The least that shows these subjects again. What else such a look shows stays as it was decided before.
    fn scope_again(keys: BTreeSet<Self::Key>) -> Scope;

    /// Whether it writes.
    fn mode(&self) -> Mode;

    /// Looks.
    ///
    /// # Errors
    /// [`Blind`] when AWS gave no answer.
    fn look(
        &self,
        scope: &Scope,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Self::Snapshot, Blind>> + Send;

    /// AWS's time at this process's last look at everything, where the duty keeps its looks apart ([`Interest::LOOKS_APART`]).
    fn looked_at(&self) -> Option<Timestamp> {
        None
    }

    /// AWS's own time at the look.
    fn taken_at(snapshot: &Self::Snapshot) -> Timestamp;

    /// The subjects of which something is remembered.
    fn keys(snapshot: &Self::Snapshot) -> BTreeSet<Self::Key>;

    /// Everything that could not be observed, each once.
    fn gaps(snapshot: &Self::Snapshot) -> BTreeSet<Gap>;

    /// Whether a look at everything that left gaps, and failed in nothing else, did what the function is for all the same, so that it
    /// counts as its heartbeat.
    #[must_use]
    fn completes_with_gaps(_record: &RecordOf<Self>) -> bool {
        false
    }

    /// How much was seen, for the record.
    fn seen(snapshot: &Self::Snapshot) -> Seen;

    /// A second opinion: the safety laws that steps would break. The hints are there for duties whose evidence they are; a law that
    /// needs none of them does not read them.
    fn audit(
        plan: &PlanOf<Self>,
        snapshot: &Self::Snapshot,
        installation: &Installation,
        memories: &RecallsOf<Self>,
        hints: &Hints,
        now: Timestamp,
    ) -> Vec<Violation>;

    /// Carries out steps; gives each its outcome, in their order.
    fn act(
        &self,
        steps: Vec<Self::Step>,
        deadline: Deadline,
    ) -> impl Future<Output = Vec<Outcome<Self::Step>>> + Send;

    /// Whether the ledger must have taken the announcement of a step before it is carried out. Adding capacity needs no ledger:
    /// absolute values make doing it twice harmless. Taking capacity away needs it.
    fn needs_ledger(step: &Self::Step) -> bool;

    /// Whether a step is carried out although another invocation has just changed what is remembered of its subject, and is remembered
    /// afterwards. Else the subject is looked at again first. For steps that have a deadline and that do no harm when they are done twice.
    #[must_use]
    fn goes_on_in_conflict(_step: &Self::Step) -> bool {
        false
    }

    /// Whether what events said is remembered because nobody can read it again, so that an event whose subject's memory could not be
    /// written is to come again.
    const REMEMBERS_EVENTS: bool = false;

    /// Those of [`Self::keys`] that never have a step, and whose memory no step needs: what is remembered of them is read and written beside
    /// acting. There may be many of them, and nothing is to wait for them.
    #[must_use]
    fn keys_beside(_snapshot: &Self::Snapshot) -> BTreeSet<Self::Key> {
        BTreeSet::new()
    }

    /// The subjects that events told something of that must be remembered, or that waits, and that this look did not show. They are looked at by
    /// name in the next round, which says what they come to.
    #[must_use]
    fn unseen(_snapshot: &Self::Snapshot, _hints: &Hints) -> BTreeSet<Self::Key> {
        BTreeSet::new()
    }

    /// Whether the invocation fails where this step was not started for lack of time. What only takes capacity away may wait for the next
    /// look, which plans it anew: until then there is more than is needed, and the record tells of it.
    fn must_be_in_time(step: &Self::Step) -> bool {
        let _ = step;
        true
    }

    /// Whether a hold waits for a write of Ballast's own that was announced and does not show yet.
    fn is_waiting(hold: &Self::Hold) -> bool;

    /// The memory to store of a subject, given what was recalled, what the planner made of it, and what became of each of its steps.
    /// While even one of them is still to be carried out, `planned` is stored as it is.
    fn settle(
        before: &MemoryOf<Self>,
        planned: &MemoryOf<Self>,
        outcomes: &[Outcome<Self::Step>],
        now: Timestamp,
    ) -> MemoryOf<Self>;

    /// The memory to store of a subject whose steps could not be announced before they were carried out, given what was found in the
    /// ledger afterwards. `None`: what was found knows better.
    fn settle_late(
        found: &MemoryOf<Self>,
        outcomes: &[Outcome<Self::Step>],
        now: Timestamp,
    ) -> Option<MemoryOf<Self>>;

    /// What a step that failed is about, as events name it, where that is less than its whole subject.
    #[must_use]
    fn concerned_by(_step: &Self::Step) -> Option<Self::Named> {
        None
    }

    /// What a look left open, and these subjects, as the things that events can name.
    fn trouble(snapshot: &Self::Snapshot, subjects: &BTreeSet<Self::Key>) -> Trouble<Self::Named>;

    /// Nothing was seen of what was asked for.
    fn trouble_blind(scope: &Scope) -> Trouble<Self::Named>;
}
