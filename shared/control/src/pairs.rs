//! The duty of spot-fallback: pairs of a primary and its standby.

use std::collections::BTreeSet;

use act::Actor;
use calls::Deadline;
use model::memory::{PairMemory, Write};
use model::outcome::Outcome;
use model::plan::{Action, Hold, HoldReason, Plan, Step};
use model::policy::{Installation, Mode};
use model::snapshot::{Gap, Scope, Snapshot};
use model::trigger::{Hints, TriggerKind};
use model::{ClusterName, ServiceKey, Timestamp};
use observe::{Blind, Observer};
use placement::audit::Violation;

use crate::duty::{About, Concern, Decide, Duty, Interest, OTHER_FUNCTION, RecallsOf};
use crate::record::{Seen, Triggers};
use crate::services::{self, Whole, explains};
use crate::trouble::Trouble;

/// Why a task's event leads to no look.
const STANDALONE_TASK: &str = "standalone_task";

/// The planner of spot-fallback.
pub const DECIDE: Decide<Pairs> = placement::decide;

/// Looks after pairs.
#[derive(Debug)]
pub struct Pairs {
    /// Looks.
    pub observer: Observer,
    /// Acts. Its mode is the invocation's mode.
    pub actor: Actor,
}

impl Interest for Pairs {
    type Named = ServiceKey;

    fn concern(kind: &TriggerKind) -> Concern<ServiceKey> {
        let service = match kind {
            TriggerKind::Ignored(why) => return Concern::Nothing(why.as_str()),
            TriggerKind::Scheduled => return Concern::Look(About::Everything),
            TriggerKind::TaskInterrupted(task) | TriggerKind::TaskStopped(task) => {
                let Some(service) = &task.service else {
                    return Concern::Nothing(STANDALONE_TASK);
                };
                service
            }
            TriggerKind::PlacementFailed(failure) => &failure.service,
            TriggerKind::ServiceSteady(change) | TriggerKind::ServiceChanged(change) => {
                &change.service
            }
            TriggerKind::InstanceChanged(_)
            | TriggerKind::LaunchSucceeded(_)
            | TriggerKind::LaunchFailed(_)
            | TriggerKind::InstanceTerminated(_)
            | TriggerKind::InstanceNoticed(_)
            | TriggerKind::InstanceTerminating(_)
            | TriggerKind::AlarmChanged(_) => return Concern::Nothing(OTHER_FUNCTION),
        };
        Concern::Look(About::one(service.clone()))
    }

    fn is_hint(_kind: &TriggerKind) -> bool {
        true
    }

    fn scope(
        named: BTreeSet<ServiceKey>,
        everything: bool,
        installed: &[ClusterName],
    ) -> Option<Scope> {
        services::scope(named, everything, installed)
    }

    fn enter(triggers: &mut Triggers, named: &BTreeSet<ServiceKey>) {
        services::enter(triggers, named);
    }
}

impl Duty for Pairs {
    type Key = ServiceKey;
    type Snapshot = Snapshot;
    type Step = Step;
    type Hold = Hold;

    const SUBJECT: &'static str = "pair";
    const NOT_WITHOUT_LEDGER: &'static str = "nothing is given back";
    const DECIDE: Decide<Self> = DECIDE;

    fn scope_again(keys: BTreeSet<ServiceKey>) -> Scope {
        Scope::Services(keys)
    }

    fn mode(&self) -> Mode {
        self.actor.mode()
    }

    async fn look(&self, scope: &Scope, deadline: Deadline) -> Result<Snapshot, Blind> {
        self.observer.look(scope, deadline).await
    }

    fn taken_at(snapshot: &Snapshot) -> Timestamp {
        snapshot.taken_at
    }

    fn keys(snapshot: &Snapshot) -> BTreeSet<ServiceKey> {
        snapshot.pairs.keys().cloned().collect()
    }

    fn gaps(snapshot: &Snapshot) -> BTreeSet<Gap> {
        let of_pairs = snapshot.pairs.values().flat_map(|pair| &pair.gaps);
        services::gaps(&snapshot.gaps, of_pairs, &snapshot.passed_over)
    }

    fn seen(snapshot: &Snapshot) -> Seen {
        Seen {
            pairs: Some(snapshot.pairs.len()),
            passed_over: snapshot.passed_over.len(),
            ..Seen::default()
        }
    }

    fn audit(
        plan: &Plan,
        snapshot: &Snapshot,
        installation: &Installation,
        memories: &RecallsOf<Self>,
        _hints: &Hints,
        now: Timestamp,
    ) -> Vec<Violation> {
        placement::audit::audit(plan, snapshot, installation, memories, now)
    }

    async fn act(&self, steps: Vec<Step>, deadline: Deadline) -> Vec<Outcome> {
        self.actor.act(steps, deadline).await
    }

    /// Raising needs no ledger; giving back does.
    fn needs_ledger(step: &Step) -> bool {
        let Action::SetDesiredCount { from, to, .. } = &step.action;
        to <= from
    }

    fn is_waiting(hold: &Hold) -> bool {
        matches!(hold.reason, HoldReason::OwnWriteNotVisible { .. })
    }

    /// What is remembered as Ballast's last write explains the standby's desired count as far as this invocation knows it. Otherwise
    /// the next look would take Ballast's own write, or a count that it has already accepted, for somebody else's change, and leave
    /// the pair alone for the policy's time. What may be so stays announced.
    fn settle(
        before: &PairMemory,
        planned: &PairMemory,
        outcomes: &[Outcome],
        now: Timestamp,
    ) -> PairMemory {
        let mut memory = planned.clone();
        for outcome in outcomes {
            let Action::SetDesiredCount { from, .. } = outcome.step.action;
            memory.wrote = match outcome.took_effect() {
                Some(false) => not_carried_out(before.wrote, from, now),
                Some(true) | None => Some(write_of(outcome, now)),
            };
        }
        memory
    }

    fn settle_late(found: &PairMemory, outcomes: &[Outcome], now: Timestamp) -> Option<PairMemory> {
        let carried_out = outcomes.iter().rfind(|it| it.took_effect() != Some(false));
        let write = write_of(carried_out?, now);
        // Another invocation that has looked since knows better.
        let is_newer =
            |it: Write| it.at > write.at || (it.at == write.at && explains(it, write.to));
        if found.wrote.is_some_and(is_newer) {
            return None;
        }
        Some(PairMemory {
            wrote: Some(write),
            ..found.clone()
        })
    }

    fn trouble(snapshot: &Snapshot, subjects: &BTreeSet<ServiceKey>) -> Trouble<ServiceKey> {
        let wholes = snapshot.pairs.iter().map(|(key, pair)| Whole {
            primary: &pair.primary,
            standby: Some(&pair.standby),
            gaps: &pair.gaps,
            is_concerned: subjects.contains(key),
        });
        services::trouble(&snapshot.gaps, wholes, &snapshot.passed_over)
    }

    fn trouble_blind(scope: &Scope) -> Trouble<ServiceKey> {
        services::trouble_blind(scope)
    }
}

/// A step's write, as it is remembered.
fn write_of(outcome: &Outcome, now: Timestamp) -> Write {
    let Action::SetDesiredCount { from, to, .. } = outcome.step.action;
    Write {
        from,
        to,
        at: now,
        confirmed: outcome.took_effect() == Some(true),
    }
}

/// The last write as it is to be remembered where a step from `from` was not carried out. The one that was recalled, unless it does
/// not explain `from`: then the decision has just accepted somebody else's change, and must not have to do so again.
fn not_carried_out(recalled: Option<Write>, from: u32, now: Timestamp) -> Option<Write> {
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

#[cfg(test)]
mod tests {
    use model::Seconds;
    use model::duty::PlannedStep;
    use model::outcome::OutcomeResult;
    use model::plan::{Counts, StepReason};
    use model::snapshot::GapCause;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_772_442_000 + second).unwrap()
    }

    fn memory(from: u32, to: u32, second: i64, confirmed: bool) -> PairMemory {
        PairMemory {
            wrote: Some(Write {
                from,
                to,
                at: at(second),
                confirmed,
            }),
            ..PairMemory::default()
        }
    }

    fn outcome(result: OutcomeResult) -> Outcome {
        let step = Step {
            subject: "demo/web".parse().unwrap(),
            action: Action::SetDesiredCount {
                service: "demo/web-standby".parse().unwrap(),
                from: 2,
                to: 5,
            },
            reason: StepReason::GiveBack {
                counts: Counts::default(),
                needed_max: 0,
                hold_down: Seconds(600),
            },
        };
        Outcome { step, result }
    }

    fn lost() -> OutcomeResult {
        OutcomeResult::Failed {
            operation: act::UPDATE_SERVICE.to_owned(),
            cause: GapCause::Unreachable,
            detail: "no answer".to_owned(),
        }
    }

    #[test]
    fn the_write_is_told_by_the_name_that_the_actor_gives_it() {
        let outcome = outcome(lost());
        assert_eq!(outcome.step.operation(), act::UPDATE_SERVICE);
        assert_eq!(outcome.took_effect(), None);
    }

    #[test]
    fn what_is_remembered_explains_the_desired_count() {
        // 2 was written before; a step from 2 to 5 is announced at second 100.
        let (before, planned) = (memory(0, 2, 40, true), memory(2, 5, 100, false));
        let check = |before: &PairMemory, result: OutcomeResult, want: PairMemory| {
            let settled = Pairs::settle(before, &planned, &[outcome(result.clone())], at(100));
            assert_eq!(settled, want, "{result}");
        };
        check(&before, OutcomeResult::Done, memory(2, 5, 100, true));
        check(&before, OutcomeResult::AlreadySo, memory(2, 5, 100, true));
        check(&before, lost(), memory(2, 5, 100, false));
        check(&before, OutcomeResult::NotWritten, before.clone());
        check(&before, OutcomeResult::OutOfTime, before.clone());
        // Somebody else had changed it to 2, which has just been accepted.
        let foreign = memory(0, 3, 40, true);
        check(&foreign, OutcomeResult::OutOfTime, memory(2, 2, 100, true));
        // Nothing was remembered of a pair that was never seen.
        let fresh = PairMemory::default();
        check(&fresh, OutcomeResult::NotWritten, fresh.clone());
    }

    #[test]
    fn what_another_invocation_wrote_since_stands() {
        let check = |found: PairMemory, result: OutcomeResult, want: Option<PairMemory>| {
            let late = Pairs::settle_late(&found, &[outcome(result)], at(100));
            assert_eq!(late, want, "{found:?}");
        };
        let done = || OutcomeResult::Done;
        check(PairMemory::default(), done(), Some(memory(2, 5, 100, true)));
        check(PairMemory::default(), OutcomeResult::OutOfTime, None);
        check(
            memory(0, 2, 40, true),
            lost(),
            Some(memory(2, 5, 100, false)),
        );
        check(memory(5, 7, 101, true), done(), None);
        check(memory(2, 5, 100, true), done(), None);
        check(
            memory(0, 2, 100, true),
            done(),
            Some(memory(2, 5, 100, true)),
        );
    }
}
