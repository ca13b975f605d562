//! What is remembered of steps that could not be announced before they were carried out.
//!
//! Guaranteed: why an instance leaves is remembered with the drain that was made for it, because a Spot warning cannot be read from AWS
//! again; what another invocation has remembered since stays.

use model::Timestamp;
use model::drain::{
    CauseKind, Departure, DepartureCause, DrainAction, DrainMemory, DrainStep, DrainStepReason,
    OwnDrain,
};
use model::outcome::{Outcome, OutcomeResult};

/// The memory to store, given what was found in the ledger afterwards. `None`: nothing is to be added to it.
pub(super) fn settle_late(
    found: &DrainMemory,
    outcomes: &[Outcome<DrainStep>],
    now: Timestamp,
) -> Option<DrainMemory> {
    let mut memory = found.clone();
    for outcome in outcomes {
        let Some(is_certain) = may_be_so(outcome) else {
            continue;
        };
        match &outcome.step.action {
            DrainAction::Drain {
                cluster, instance, ..
            } => {
                let Some(why) = why(&outcome.step.reason) else {
                    continue;
                };
                let departure = memory.departures.entry(instance.clone()).or_default();
                remember_cause(departure, why);
                // What was not there any more, or was DRAINING already, is not Ballast's drain.
                if outcome.result != OutcomeResult::AlreadySo {
                    departure.drained_in.get_or_insert_with(|| cluster.clone());
                    departure.own_drain.get_or_insert(OwnDrain {
                        at: now,
                        cause: why.kind(),
                        confirmed: is_certain,
                    });
                }
            }
            DrainAction::RecordHeartbeat { instance, .. } => {
                let departure = memory.departures.entry(instance.clone()).or_default();
                departure.heartbeat_at = departure.heartbeat_at.max(Some(now));
            }
            DrainAction::CompleteLifecycleAction { instance, .. } => {
                let departure = memory.departures.entry(instance.clone()).or_default();
                departure.completed_at = departure.completed_at.max(Some(now));
            }
            // Neither leaves anything to remember: a task that stops is seen, and nothing is activated without the ledger.
            DrainAction::StopTask { .. } | DrainAction::Activate { .. } => {}
        }
    }
    (memory != *found).then_some(memory)
}

/// Whether the step's write took effect, where it may have; `false` where that is not certain.
fn may_be_so(outcome: &Outcome<DrainStep>) -> Option<bool> {
    match outcome.took_effect() {
        Some(true) => Some(true),
        Some(false) => None,
        None => Some(false),
    }
}

/// What an instance was drained for.
const fn why(reason: &DrainStepReason) -> Option<&DepartureCause> {
    match reason {
        DrainStepReason::Leaving { why, .. } | DrainStepReason::Selective { why, .. } => Some(why),
        DrainStepReason::CauseGone { .. }
        | DrainStepReason::LastMoment { .. }
        | DrainStepReason::TasksLeft { .. }
        | DrainStepReason::Drained { .. }
        | DrainStepReason::DeadlineReached { .. }
        | DrainStepReason::NothingToWaitFor { .. } => None,
    }
}

/// Each kind of cause is remembered once, in the order of urgency. Of two announcements the later counts; of what lasts, its begin.
fn remember_cause(departure: &mut Departure, why: &DepartureCause) {
    let found = departure
        .causes
        .iter_mut()
        .find(|it| it.kind() == why.kind());
    match (found, why.kind()) {
        (Some(_), CauseKind::Terminating | CauseKind::AgentLost) => {}
        (
            Some(found),
            CauseKind::SpotInterruption
            | CauseKind::CapacityReservationInterruption
            | CauseKind::Stopping
            | CauseKind::Maintenance
            | CauseKind::Rebalance,
        ) => {
            if why.at() > found.at() {
                *found = why.clone();
            }
        }
        (None, _) => {
            departure.causes.push(why.clone());
            departure.causes.sort_by_key(DepartureCause::kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use model::drain::{DrainKey, DrainSubject};
    use model::duty::PlannedStep;
    use model::snapshot::GapCause;

    use super::*;

    const INSTANCE: &str = "i-0123456789abcdef0";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_772_442_000 + second).unwrap()
    }

    fn warning(second: i64) -> DepartureCause {
        DepartureCause::SpotInterruption {
            warned_at: at(second),
            action: "terminate".to_owned(),
        }
    }

    fn step(action: DrainAction, reason: DrainStepReason) -> DrainStep {
        let key = DrainKey::Group {
            group: "workers".parse().unwrap(),
        };
        DrainStep {
            subject: DrainSubject::Instances {
                key,
                instances: vec![INSTANCE.parse().unwrap()],
            },
            action,
            reason,
        }
    }

    fn drain() -> DrainStep {
        let arn = "arn:aws:ecs:us-west-2:111122223333:container-instance/demo/0123456789abcdef0123456789abcdef";
        let action = DrainAction::Drain {
            cluster: "demo".parse().unwrap(),
            container_instance: arn.parse().unwrap(),
            instance: INSTANCE.parse().unwrap(),
        };
        let reason = DrainStepReason::Leaving {
            why: warning(90),
            deadline: Some(at(210)),
            tasks: None,
            stuck: vec![],
            budget_left: None,
        };
        step(action, reason)
    }

    fn complete() -> DrainStep {
        let action = DrainAction::CompleteLifecycleAction {
            group: "workers".parse().unwrap(),
            hook: "ballast-instance-drain".parse().unwrap(),
            instance: INSTANCE.parse().unwrap(),
            empty: None,
        };
        let shown_by = String::new();
        step(action, DrainStepReason::NothingToWaitFor { shown_by })
    }

    fn memory(departure: Departure) -> DrainMemory {
        let departures = [(INSTANCE.parse().unwrap(), departure)].into();
        DrainMemory {
            departures,
            ..DrainMemory::default()
        }
    }

    fn drained(causes: Vec<DepartureCause>, second: i64, confirmed: bool) -> Departure {
        Departure {
            causes,
            own_drain: Some(OwnDrain {
                at: at(second),
                cause: CauseKind::SpotInterruption,
                confirmed,
            }),
            drained_in: Some("demo".parse().unwrap()),
            ..Departure::default()
        }
    }

    /// What is remembered of a step at second 100. `None`: what was found stays.
    fn check(found: &DrainMemory, step: DrainStep, result: OutcomeResult, want: Option<Departure>) {
        let outcome = Outcome { step, result };
        let late = settle_late(found, std::slice::from_ref(&outcome), at(100));
        assert_eq!(late, want.map(memory), "{found:?} {outcome:?}");
    }

    fn lost(step: &DrainStep) -> OutcomeResult {
        OutcomeResult::Failed {
            operation: step.operation().to_owned(),
            cause: GapCause::Unreachable,
            detail: "no answer".to_owned(),
        }
    }

    #[test]
    fn a_drain_without_the_ledger_is_remembered_with_its_cause() {
        let fresh = DrainMemory::default();
        let done = || OutcomeResult::Done;
        let want = drained(vec![warning(90)], 100, true);
        check(&fresh, drain(), done(), Some(want));
        let perhaps = drained(vec![warning(90)], 100, false);
        check(&fresh, drain(), lost(&drain()), Some(perhaps));
        check(&fresh, drain(), OutcomeResult::OutOfTime, None);
        check(&fresh, drain(), OutcomeResult::NotWritten, None);
        // What another invocation remembers stays; a cause that it does not know is added, the more urgent one first.
        let known = memory(drained(vec![warning(90)], 95, true));
        check(&known, drain(), done(), None);
        let older = memory(drained(vec![warning(-80_000)], 95, true));
        let want = drained(vec![warning(90)], 95, true);
        check(&older, drain(), done(), Some(want));
        let gone = Departure {
            causes: vec![warning(90)],
            ..Departure::default()
        };
        check(&fresh, drain(), OutcomeResult::AlreadySo, Some(gone));
        let rebalance = DepartureCause::Rebalance { at: at(1) };
        let known = Departure {
            causes: vec![rebalance.clone()],
            ..Departure::default()
        };
        let want = drained(vec![warning(90), rebalance], 100, true);
        check(&memory(known), drain(), done(), Some(want));
    }

    #[test]
    fn a_completion_without_the_ledger_is_remembered_and_never_earlier_than_it_was() {
        let completed = |second| Departure {
            completed_at: Some(at(second)),
            ..Departure::default()
        };
        let fresh = DrainMemory::default();
        check(
            &fresh,
            complete(),
            OutcomeResult::Done,
            Some(completed(100)),
        );
        let older = memory(completed(40));
        check(
            &older,
            complete(),
            OutcomeResult::AlreadySo,
            Some(completed(100)),
        );
        let newer = memory(completed(140));
        check(&newer, complete(), OutcomeResult::Done, None);
    }
}
