//! The duty of cluster-scaler: the Auto Scaling group capacity providers of clusters.

mod events;
mod seen;

use std::collections::BTreeSet;

use act::CapacityActor;
use calls::Deadline;
use model::Timestamp;
use model::capacity::{
    CapacityAction, CapacityHold, CapacityHoldReason, CapacityPlan, CapacitySnapshot, CapacityStep,
    CapacityWrite, ProviderKey, ProviderMemory,
};
use model::outcome::Outcome;
use model::policy::{Installation, Mode};
use model::snapshot::{Gap, Scope};
use model::trigger::Hints;
use observe::{Blind, CapacityObserver};
use placement::audit::Violation;

use crate::controller::RecordOf;
use crate::duty::{Decide, Duty, RecallsOf};
use crate::record::Seen;
use crate::trouble::Trouble;

/// The reason of a hold of a provider that could not be sized for what was not seen.
const SNAPSHOT_INCOMPLETE: &str = "snapshot_incomplete";

/// Looks after capacity providers.
#[derive(Debug)]
pub struct Capacity {
    /// Looks.
    pub observer: CapacityObserver,
    /// Acts. Its mode is the invocation's mode.
    pub actor: CapacityActor,
}

impl Duty for Capacity {
    type Key = ProviderKey;
    type Snapshot = CapacitySnapshot;
    type Step = CapacityStep;
    type Hold = CapacityHold;

    const SUBJECT: &'static str = "capacity provider";
    const NOT_WITHOUT_LEDGER: &'static str = "nothing is removed";
    const DECIDE: Decide<Self> = placement::capacity::decide;

    fn scope_again(keys: BTreeSet<ProviderKey>) -> Scope {
        Scope::Clusters(seen::clusters_of(&keys).into_iter().collect())
    }

    fn mode(&self) -> Mode {
        self.actor.mode()
    }

    async fn look(&self, scope: &Scope, deadline: Deadline) -> Result<CapacitySnapshot, Blind> {
        self.observer.look(scope, deadline).await
    }

    fn taken_at(snapshot: &CapacitySnapshot) -> Timestamp {
        snapshot.taken_at
    }

    fn keys(snapshot: &CapacitySnapshot) -> BTreeSet<ProviderKey> {
        seen::keys(snapshot)
    }

    fn gaps(snapshot: &CapacitySnapshot) -> BTreeSet<Gap> {
        seen::gaps(snapshot)
    }

    /// Groups are raised for what was seen, and the errors' alarm tells of the gaps. Where nothing could be sized, nothing was done.
    fn completes_with_gaps(record: &RecordOf<Self>) -> bool {
        let providers = record.snapshot.as_ref().and_then(|it| it.seen.providers);
        let unsized_count = record.plan.holds_by_reason.get(SNAPSHOT_INCOMPLETE);
        providers.unwrap_or(0) > unsized_count.copied().unwrap_or(0)
    }

    fn seen(snapshot: &CapacitySnapshot) -> Seen {
        seen::counted(snapshot)
    }

    fn audit(
        plan: &CapacityPlan,
        snapshot: &CapacitySnapshot,
        installation: &Installation,
        memories: &RecallsOf<Self>,
        _hints: &Hints,
        now: Timestamp,
    ) -> Vec<Violation> {
        placement::capacity::audit::audit(plan, snapshot, installation, memories, now)
    }

    async fn act(
        &self,
        steps: Vec<CapacityStep>,
        deadline: Deadline,
    ) -> Vec<Outcome<CapacityStep>> {
        self.actor.act(steps, deadline).await
    }

    /// A desired capacity only ever rises by a step of its own, and an instance that is ACTIVE again takes tasks: neither takes capacity
    /// away.
    fn needs_ledger(step: &CapacityStep) -> bool {
        match step.action {
            CapacityAction::SetDesiredCapacity { .. } | CapacityAction::Activate { .. } => false,
            CapacityAction::Drain { .. } | CapacityAction::Terminate { .. } => true,
        }
    }

    /// A large scale-in has more steps than one invocation has time and calls for, by as much as the disruption budget allows.
    fn must_be_in_time(step: &CapacityStep) -> bool {
        !Self::needs_ledger(step)
    }

    fn is_waiting(hold: &CapacityHold) -> bool {
        matches!(hold.reason, CapacityHoldReason::OwnWriteNotVisible { .. })
    }

    fn settle(
        before: &ProviderMemory,
        planned: &ProviderMemory,
        outcomes: &[Outcome<CapacityStep>],
        now: Timestamp,
    ) -> ProviderMemory {
        placement::capacity::settle(before, planned, outcomes, now)
    }

    fn settle_late(
        found: &ProviderMemory,
        outcomes: &[Outcome<CapacityStep>],
        now: Timestamp,
    ) -> Option<ProviderMemory> {
        settle_late(found, outcomes, now)
    }

    fn trouble(
        snapshot: &CapacitySnapshot,
        subjects: &BTreeSet<ProviderKey>,
    ) -> Trouble<model::ClusterName> {
        seen::trouble(snapshot, subjects)
    }

    fn trouble_blind(scope: &Scope) -> Trouble<model::ClusterName> {
        seen::trouble_blind(scope)
    }
}

/// Only what adds capacity is carried out without an announcement. What certainly was not leaves what was found as it is.
fn settle_late(
    found: &ProviderMemory,
    outcomes: &[Outcome<CapacityStep>],
    now: Timestamp,
) -> Option<ProviderMemory> {
    let perhaps: Vec<Outcome<CapacityStep>> = outcomes
        .iter()
        .filter(|it| it.took_effect() != Some(false))
        .cloned()
        .collect();
    // Another invocation that has looked since knows better.
    let is_newer = |wrote: CapacityWrite| {
        let tells_the_same = perhaps.iter().any(|it| match it.step.action {
            CapacityAction::SetDesiredCapacity { to, .. } => wrote.explains(to),
            CapacityAction::Drain { .. }
            | CapacityAction::Activate { .. }
            | CapacityAction::Terminate { .. } => false,
        });
        wrote.at > now || (wrote.at == now && tells_the_same)
    };
    if found.wrote.is_some_and(is_newer) {
        return None;
    }
    let memory = placement::capacity::settle(found, found, &perhaps, now);
    Some(memory).filter(|it| it != found)
}

#[cfg(test)]
pub(crate) mod tests {
    use model::Timestamp;
    use model::capacity::{CapacityStepReason, CapacitySubject, ProviderNumbers};
    use model::duty::PlannedStep;
    use model::outcome::OutcomeResult;
    use model::snapshot::GapCause;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_772_442_000 + second).unwrap()
    }

    fn raised(result: OutcomeResult) -> Outcome<CapacityStep> {
        let provider: ProviderKey = "demo/large".parse().unwrap();
        let step = CapacityStep {
            subject: CapacitySubject::Provider { provider },
            action: CapacityAction::SetDesiredCapacity {
                group: "large".parse().unwrap(),
                from: 2,
                to: 5,
            },
            reason: CapacityStepReason::Learn {
                numbers: ProviderNumbers::default(),
                types: String::new(),
            },
        };
        Outcome { step, result }
    }

    #[test]
    fn a_look_by_which_no_group_could_be_sized_is_no_heartbeat() {
        for (providers, held, want) in [(2, 0, true), (2, 1, true), (2, 2, false), (0, 0, false)] {
            let mut record: RecordOf<Capacity> =
                crate::record::Record::new("cluster-scaler", Mode::Act, None);
            record.snapshot = Some(crate::record::Look {
                taken_at: at(0),
                digest: String::new(),
                seen: Seen {
                    providers: Some(providers),
                    ..Seen::default()
                },
                gaps: 1,
            });
            let reason = CapacityHoldReason::SnapshotIncomplete { gaps: Vec::new() };
            assert_eq!(reason.as_str(), SNAPSHOT_INCOMPLETE);
            let holds = &mut record.plan.holds_by_reason;
            holds.insert(SNAPSHOT_INCOMPLETE.to_owned(), held);
            let completes = Capacity::completes_with_gaps(&record);
            assert_eq!(completes, want, "{held} of {providers}");
        }
    }

    fn wrote(from: u32, to: u32, second: i64, confirmed: bool) -> Option<CapacityWrite> {
        Some(CapacityWrite {
            from,
            to,
            at: at(second),
            confirmed,
        })
    }

    /// What is remembered of a raise from 2 to 5 at second 100 that could not be announced. `None`: what was found stays.
    fn check(
        found: Option<CapacityWrite>,
        result: OutcomeResult,
        want: Option<Option<CapacityWrite>>,
    ) {
        let found = ProviderMemory {
            wrote: found,
            ..ProviderMemory::default()
        };
        let memory = settle_late(&found, &[raised(result.clone())], at(100));
        assert_eq!(memory.map(|it| it.wrote), want, "{found:?} {result}");
    }

    #[test]
    fn a_raise_without_the_ledger_is_remembered_unless_a_newer_one_is() {
        let lost = || OutcomeResult::Failed {
            operation: "autoscaling:SetDesiredCapacity".to_owned(),
            cause: GapCause::Unreachable,
            detail: "no answer".to_owned(),
        };
        check(None, OutcomeResult::Done, Some(wrote(2, 5, 100, true)));
        check(None, lost(), Some(wrote(2, 5, 100, false)));
        check(None, OutcomeResult::OutOfTime, None);
        let old = wrote(1, 2, 40, true);
        check(old, OutcomeResult::Done, Some(wrote(2, 5, 100, true)));
        check(wrote(5, 7, 101, true), OutcomeResult::Done, None);
        check(wrote(2, 5, 100, true), OutcomeResult::Done, None);
    }

    /// A step of each kind, the name of its write, and whether it is left out while the ledger is away.
    pub(crate) fn every_step() -> [(CapacityStep, &'static str, bool); 4] {
        let raise = raised(OutcomeResult::Done).step;
        let step = |action| CapacityStep {
            action,
            ..raise.clone()
        };
        let cluster = || "demo".parse().unwrap();
        let container_instance = || {
            "arn:aws:ecs:us-west-2:111122223333:container-instance/demo/0123456789abcdef0123456789abcdef"
                .parse()
                .unwrap()
        };
        let instance = || "i-0123456789abcdef0".parse().unwrap();
        let drain = step(CapacityAction::Drain {
            cluster: cluster(),
            container_instance: container_instance(),
            instance: instance(),
            tasks: 0,
        });
        let activate = step(CapacityAction::Activate {
            cluster: cluster(),
            container_instance: container_instance(),
            instance: instance(),
        });
        let terminate = step(CapacityAction::Terminate {
            cluster: cluster(),
            group: "large".parse().unwrap(),
            container_instance: container_instance(),
            instance: instance(),
            desired_capacity: 3,
        });
        [
            (raise, act::capacity::SET_DESIRED_CAPACITY, false),
            (drain, act::capacity::UPDATE_CONTAINER_INSTANCES_STATE, true),
            (
                activate,
                act::capacity::UPDATE_CONTAINER_INSTANCES_STATE,
                false,
            ),
            (terminate, act::capacity::TERMINATE_INSTANCE, true),
        ]
    }

    #[test]
    fn only_what_takes_capacity_away_needs_the_ledger() {
        for (step, _, needs_ledger) in every_step() {
            assert_eq!(Capacity::needs_ledger(&step), needs_ledger, "{step}");
        }
    }

    #[test]
    fn a_write_is_told_by_the_name_that_the_actor_gives_it() {
        for (step, write, _) in every_step() {
            assert_eq!(step.operation(), write, "{step}");
            // A write that failed without an answer may have taken effect; a read that failed did not write.
            let failed = |operation: &str| Outcome {
                step: step.clone(),
                result: OutcomeResult::Failed {
                    operation: operation.to_owned(),
                    cause: GapCause::Unreachable,
                    detail: "no answer".to_owned(),
                },
            };
            assert_eq!(failed(write).took_effect(), None, "{step}");
            let read = failed("autoscaling:DescribeAutoScalingGroups");
            assert_eq!(read.took_effect(), Some(false), "{step}");
        }
    }
}
