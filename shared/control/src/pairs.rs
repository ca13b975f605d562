//! The duty of spot-fallback: pairs of a primary and its standby.

use std::collections::BTreeSet;

use act::Actor;
use calls::Deadline;
use model::memory::{PairMemory, Write};
use model::outcome::Outcome;
use model::plan::{Action, Hold, HoldReason, Plan, Step};
use model::policy::{Installation, Mode, TAG_STANDBY};
use model::snapshot::{Gap, PassedOver, Scope, Snapshot, Standby};
use model::trigger::{Hints, TriggerKind};
use model::{ClusterName, ServiceKey, Timestamp};
use observe::{Blind, Observer};
use placement::audit::Violation;

use crate::coalesce::NAMES_SHOWN_MAX;
use crate::duty::{About, Concern, Decide, Duty, Interest, OTHER_FUNCTION, RecallsOf};
use crate::record::{Seen, Triggers};
use crate::trouble::Trouble;

/// The most services that one look names singly. With more, their clusters are looked at whole, which costs fewer calls: a named
/// service costs two `ListTasks` calls either way, and a sweep finds the services by `ListServices` pages of 100
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html>) instead of by name.
pub const SERVICES_PER_LOOK_MAX: usize = 200;

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
        if everything {
            Some(Scope::Clusters(installed.to_vec()))
        } else if named.is_empty() {
            None
        } else if named.len() > SERVICES_PER_LOOK_MAX {
            let clusters: BTreeSet<ClusterName> =
                named.into_iter().map(|service| service.cluster).collect();
            Some(Scope::Clusters(clusters.into_iter().collect()))
        } else {
            Some(Scope::Services(named))
        }
    }

    fn enter(triggers: &mut Triggers, named: &BTreeSet<ServiceKey>) {
        triggers.services_count = Some(named.len());
        triggers.services = Some(named.iter().take(NAMES_SHOWN_MAX).cloned().collect());
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
        let mut trouble = Trouble {
            beyond: !snapshot.gaps.is_empty(),
            ..Trouble::default()
        };
        for (key, pair) in &snapshot.pairs {
            let both = || {
                let standby = match &pair.standby {
                    Standby::Present(standby) => Some(standby.key.clone()),
                    Standby::Missing | Standby::Unknown => {
                        let named = pair.primary.tags.get(TAG_STANDBY.name);
                        let name = named.and_then(|name| name.parse().ok());
                        name.map(|name| ServiceKey::new(key.cluster.clone(), name))
                    }
                };
                [Some(key.clone()), standby].into_iter().flatten()
            };
            trouble.seen.extend(both());
            let belongs = both().map(|service| (service, key.clone()));
            trouble.belongs_to.extend(belongs);
            if !pair.gaps.is_empty() || subjects.contains(key) {
                trouble.concerned.extend(both());
            }
        }
        for (key, why) in &snapshot.passed_over {
            trouble.seen.insert(key.clone());
            match why {
                PassedOver::Unread { .. } => _ = trouble.concerned.insert(key.clone()),
                PassedOver::NotOptedIn
                | PassedOver::NotFound
                | PassedOver::StandbyWithoutPrimary { .. } => {}
            }
        }
        trouble
    }

    fn trouble_blind(scope: &Scope) -> Trouble<ServiceKey> {
        match scope {
            Scope::Services(keys) => Trouble {
                concerned: keys.clone(),
                ..Trouble::default()
            },
            Scope::Clusters(_) | Scope::Departures { .. } => Trouble {
                beyond: true,
                ..Trouble::default()
            },
        }
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

/// Whether a desired count can come of this write: the write happened, or perhaps did not.
const fn explains(write: Write, found: u32) -> bool {
    write.to == found || (!write.confirmed && write.from == found)
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
