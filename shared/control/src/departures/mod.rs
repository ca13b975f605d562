//! The duty of instance-drain: EC2 instances that are going away, and the tasks on them.

mod events;
mod seen;

use std::collections::BTreeSet;

use act::DrainActor;
use calls::Deadline;
use model::Timestamp;
use model::drain::{
    DrainAction, DrainHold, DrainKey, DrainMemory, DrainPlan, DrainSnapshot, DrainStep,
};
use model::outcome::Outcome;
use model::policy::{Installation, Mode};
use model::snapshot::{Gap, Scope};
use model::trigger::Hints;
use observe::{Blind, DrainObserver};
use placement::audit::Violation;

use crate::controller::RecordOf;
use crate::duty::{Decide, Duty, RecallsOf};
use crate::record::Seen;
use crate::trouble::Trouble;

/// The reason of a hold of a group of which not everything was seen.
const SNAPSHOT_INCOMPLETE: &str = "snapshot_incomplete";

/// Looks after instances that are going away.
#[derive(Debug)]
pub struct Departures {
    /// Looks.
    pub observer: DrainObserver,
    /// Acts. Its mode is the invocation's mode.
    pub actor: DrainActor,
}

impl Duty for Departures {
    type Key = DrainKey;
    type Snapshot = DrainSnapshot;
    type Step = DrainStep;
    type Hold = DrainHold;

    const SUBJECT: &'static str = "group";
    const NOT_WITHOUT_LEDGER: &'static str = "nothing is drained by choice or taken back";
    const DECIDE: Decide<Self> = placement::drain::decide;

    fn scope_again(keys: BTreeSet<DrainKey>) -> Scope {
        events::scope_of(keys)
    }

    fn mode(&self) -> Mode {
        self.actor.mode()
    }

    async fn look(&self, scope: &Scope, deadline: Deadline) -> Result<DrainSnapshot, Blind> {
        self.observer.look(scope, deadline).await
    }

    fn taken_at(snapshot: &DrainSnapshot) -> Timestamp {
        snapshot.taken_at
    }

    fn keys(snapshot: &DrainSnapshot) -> BTreeSet<DrainKey> {
        seen::keys(snapshot)
    }

    fn gaps(snapshot: &DrainSnapshot) -> BTreeSet<Gap> {
        seen::gaps(snapshot)
    }

    /// What is certain is drained with what was seen, and the errors' alarm tells of the gaps. Where no group was seen whole, perhaps
    /// nothing was done.
    fn completes_with_gaps(record: &RecordOf<Self>) -> bool {
        let groups = record.snapshot.as_ref().and_then(|it| it.seen.groups);
        let incomplete = record.plan.holds_by_reason.get(SNAPSHOT_INCOMPLETE);
        groups.unwrap_or(0) > incomplete.copied().unwrap_or(0)
    }

    fn seen(snapshot: &DrainSnapshot) -> Seen {
        seen::counted(snapshot)
    }

    fn audit(
        plan: &DrainPlan,
        snapshot: &DrainSnapshot,
        installation: &Installation,
        memories: &RecallsOf<Self>,
        hints: &Hints,
        now: Timestamp,
    ) -> Vec<Violation> {
        placement::drain::audit::audit(plan, snapshot, installation, memories, hints, now)
    }

    async fn act(&self, steps: Vec<DrainStep>, deadline: Deadline) -> Vec<Outcome<DrainStep>> {
        self.actor.act(steps, deadline).await
    }

    /// An instance that leaves shortly is drained whatever is remembered. What is done by choice, or as the disruption budget allows, and what
    /// takes a drain back, needs to know what was done before.
    fn needs_ledger(step: &DrainStep) -> bool {
        step.needs_ledger()
    }

    /// A notice is two minutes, and instances of one group are warned by the hundred: what leaves anyway does not wait until their
    /// invocations agree.
    fn goes_on_in_conflict(step: &DrainStep) -> bool {
        !Self::needs_ledger(step)
    }

    /// A Spot warning cannot be read from AWS.
    const REMEMBERS_EVENTS: bool = true;

    /// In a storm there are many that are registered nowhere.
    fn keys_beside(snapshot: &DrainSnapshot) -> BTreeSet<DrainKey> {
        seen::keys_beside(snapshot)
    }

    fn unseen(snapshot: &DrainSnapshot, hints: &Hints) -> BTreeSet<DrainKey> {
        seen::unseen(snapshot, hints)
    }

    /// What is done by choice, and what takes a drain back, may wait for the next look.
    fn must_be_in_time(step: &DrainStep) -> bool {
        !Self::needs_ledger(step)
    }

    /// No hold waits for a write to show: doing again what was announced changes nothing.
    fn is_waiting(_hold: &DrainHold) -> bool {
        false
    }

    fn settle(
        before: &DrainMemory,
        planned: &DrainMemory,
        outcomes: &[Outcome<DrainStep>],
        now: Timestamp,
    ) -> DrainMemory {
        placement::drain::settle(before, planned, outcomes, now)
    }

    fn settle_late(
        found: &DrainMemory,
        outcomes: &[Outcome<DrainStep>],
        now: Timestamp,
    ) -> Option<DrainMemory> {
        let memory = Self::settle(found, found, outcomes, now);
        (memory != *found).then_some(memory)
    }

    /// One instance whose drain failed does not have the events about the others of its group handled again.
    fn concerned_by(step: &DrainStep) -> Option<DrainKey> {
        let instance = match &step.action {
            DrainAction::Drain { instance, .. }
            | DrainAction::Activate { instance, .. }
            | DrainAction::StopTask { instance, .. }
            | DrainAction::RecordHeartbeat { instance, .. }
            | DrainAction::CompleteLifecycleAction { instance, .. } => instance,
        };
        Some(events::named(instance.clone()))
    }

    fn trouble(snapshot: &DrainSnapshot, subjects: &BTreeSet<DrainKey>) -> Trouble<DrainKey> {
        seen::trouble(snapshot, subjects)
    }

    fn trouble_blind(scope: &Scope) -> Trouble<DrainKey> {
        seen::trouble_blind(scope)
    }
}

#[cfg(test)]
mod tests {
    use model::drain::DrainHoldReason;

    use super::*;
    use crate::record::{Look, Record};

    #[test]
    fn a_look_by_which_no_group_was_seen_whole_is_no_heartbeat() {
        for (groups, held, want) in [(2, 0, true), (2, 1, true), (2, 2, false), (0, 0, false)] {
            let mut record: RecordOf<Departures> = Record::new("instance-drain", Mode::Act, None);
            record.snapshot = Some(Look {
                taken_at: Timestamp::UNIX_EPOCH,
                digest: String::new(),
                seen: Seen {
                    groups: Some(groups),
                    ..Seen::default()
                },
                gaps: 1,
            });
            let reason = DrainHoldReason::SnapshotIncomplete { gaps: Vec::new() };
            let holds = &mut record.plan.holds_by_reason;
            holds.insert(reason.as_str().to_owned(), held);
            let completes = Departures::completes_with_gaps(&record);
            assert_eq!(completes, want, "{held} of {groups}");
        }
    }
}
