//! What is remembered of steps that could not be announced before they were carried out, beside what was found in the ledger afterwards.

use jiff::Timestamp;
use model::drain::{
    CauseKind, Departure, DepartureCause, DrainAction, DrainKey, DrainMemory, DrainStep,
    DrainStepReason, DrainSubject, OwnDrain,
};
use model::duty::PlannedStep;
use model::outcome::{Outcome, OutcomeResult};
use model::snapshot::GapCause;
use placement::drain::settle;

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
    let late = settle(found, found, std::slice::from_ref(&outcome), at(100));
    let want = want.map_or_else(|| found.clone(), memory);
    assert_eq!(late, want, "{found:?} {outcome:?}");
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
    let certain = memory(drained(vec![warning(90)], 95, true));
    check(&certain, drain(), lost(&drain()), None);
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
        draining_since: Some(at(100)),
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
