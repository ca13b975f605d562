//! What is remembered of steps that could not be announced before they were carried out, beside what was found in the ledger afterwards.

use jiff::Timestamp;
use model::drain::{
    CauseKind, Departure, DepartureCause, DrainAction, DrainKey, DrainMemory, DrainStep,
    DrainStepReason, DrainSubject, MaintenanceKey, OwnDrain,
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
    drain_for(warning(90))
}

fn drain_for(why: DepartureCause) -> DrainStep {
    let arn = "arn:aws:ecs:us-west-2:111122223333:container-instance/demo/0123456789abcdef0123456789abcdef";
    let action = DrainAction::Drain {
        cluster: "demo".parse().unwrap(),
        container_instance: arn.parse().unwrap(),
        instance: INSTANCE.parse().unwrap(),
    };
    let reason = DrainStepReason::Leaving {
        deadline: why.deadline(),
        why,
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

fn maintenance(event: &str, second: i64) -> DepartureCause {
    DepartureCause::Maintenance {
        code: "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED".to_owned(),
        health_event: Some(event.to_owned()),
        starts_at: at(second),
    }
}

fn key(event: &str) -> MaintenanceKey {
    MaintenanceKey::new("AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED", Some(event))
}

/// What is remembered of a drain at second 100 for maintenance `X` that begins at second 580, where this was found.
fn check_maintenance(found: &Departure, want: &Departure) {
    let own_drain = Some(OwnDrain {
        at: at(100),
        cause: CauseKind::Maintenance,
        confirmed: true,
    });
    let want = Departure {
        own_drain,
        drained_in: Some("demo".parse().unwrap()),
        ..want.clone()
    };
    let drain = drain_for(maintenance("X", 580));
    check(
        &memory(found.clone()),
        drain,
        OutcomeResult::Done,
        Some(want),
    );
}

#[test]
fn maintenance_that_another_invocation_knows_stays_beside_what_was_drained_for() {
    let others = |event: &str, second| [(key(event), at(second))].into();
    let of = |causes: Vec<DepartureCause>| Departure {
        causes,
        ..Departure::default()
    };
    let drained_for = of(vec![maintenance("X", 580)]);
    check_maintenance(&Departure::default(), &drained_for);
    check_maintenance(&drained_for, &drained_for);
    // The next one counts.
    let later = of(vec![maintenance("Y", 172_800)]);
    let want = Departure {
        other_maintenance: others("Y", 172_800),
        ..drained_for.clone()
    };
    check_maintenance(&later, &want);
    check_maintenance(&want, &want);
    let sooner = of(vec![maintenance("Y", 300)]);
    let want = Departure {
        other_maintenance: others("X", 580),
        ..sooner.clone()
    };
    check_maintenance(&sooner, &want);
    // Of two announcements of the same the later counts.
    let moved = of(vec![maintenance("X", 172_800)]);
    check_maintenance(&moved, &moved);
}

#[test]
fn maintenance_that_was_called_off_meanwhile_does_not_come_back() {
    let said = |event: &str| Departure {
        maintenance_said: [(key(event), at(95))].into(),
        ..Departure::default()
    };
    check_maintenance(&said("X"), &said("X"));
    let other = Departure {
        causes: vec![maintenance("X", 580)],
        ..said("Y")
    };
    check_maintenance(&said("Y"), &other);
    let announced = Departure {
        causes: vec![maintenance("X", 580)],
        ..said("X")
    };
    check_maintenance(&announced, &announced);
}

/// The instance took tasks again when it was drained now.
#[test]
fn a_drain_of_long_ago_is_another_one() {
    for (second, is_confirmed, result, want) in [
        (69, true, OutcomeResult::Done, (100, true)),
        (69, false, OutcomeResult::Done, (100, true)),
        (69, true, lost(&drain()), (100, false)),
        // This may be the same one still.
        (70, false, OutcomeResult::Done, (70, true)),
        (70, true, lost(&drain()), (70, true)),
        // What was not written changes nothing.
        (69, true, OutcomeResult::NotWritten, (69, true)),
    ] {
        let found = memory(drained(vec![warning(90)], second, is_confirmed));
        let (second, is_confirmed) = want;
        let want = drained(vec![warning(90)], second, is_confirmed);
        check(&found, drain(), result, Some(want));
    }
}
