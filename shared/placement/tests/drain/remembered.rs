//! What is remembered, and what is not; and what settles it after acting.

use model::drain::{
    CauseKind, Departure, DepartureCause, DrainMemory, MaintenanceKey, OwnDrain, Reversal,
};
use model::memory::Recall;
use model::outcome::{Outcome, OutcomeResult};
use model::snapshot::GapCause;
use model::trigger::Notice;
use model::{InstanceId, Seconds};
use placement::drain::memory::{DEPARTURES_MAX, MEMORY_BYTES_MAX, REVERSALS_MAX};
use placement::drain::settle;
use proptest::prelude::*;

use crate::scene::{Scene, gap, key};

fn planned(scene: &Scene) -> DrainMemory {
    scene.decide().memories.remove(&key("spot")).unwrap()
}

fn id(number: usize) -> InstanceId {
    format!("i-f{number:05}").parse().unwrap()
}

/// A departure for a warning so long ago.
fn warned(scene: &Scene, secs: i64) -> Departure {
    Departure {
        causes: vec![DepartureCause::SpotInterruption {
            warned_at: scene.ago(secs),
            action: "terminate".to_owned(),
        }],
        ..Departure::default()
    }
}

#[test]
fn what_was_not_looked_at_stays_for_a_day() {
    let (mut scene, _) = Scene::web(1);
    scene.snapshot.is_full = false;
    let day = 86_400;
    for (number, secs) in [(1, day + 119), (2, day + 120)] {
        let departure = warned(&scene, secs);
        scene.memory().departures.insert(id(number), departure);
    }
    let kept: Vec<InstanceId> = planned(&scene).departures.into_keys().collect();
    assert_eq!(kept, [id(1)]);
}

#[test]
fn a_look_at_everything_forgets_what_is_nowhere() {
    let (mut scene, ids) = Scene::web(1);
    let departure = warned(&scene, 30);
    scene.memory().departures.insert(id(1), departure.clone());
    scene.memory().departures.insert(ids[0].clone(), departure);
    let mut with_gap = scene.clone();
    with_gap.snapshot.gaps = vec![gap("ecs:ListContainerInstances")];
    assert_eq!(planned(&with_gap).departures.len(), 2);
    let kept: Vec<InstanceId> = planned(&scene).departures.into_keys().collect();
    assert_eq!(kept, ids);
}

#[test]
fn a_group_at_rest_has_the_empty_memory() {
    let (mut scene, ids) = Scene::web(2);
    assert!(planned(&scene).is_empty());
    scene.warned(&ids[0], 10);
    scene.act();
    assert!(!planned(&scene).is_empty());
    scene.later(300);
    scene.act();
    assert!(planned(&scene).departures.is_empty());
    scene.later(21_600);
    assert!(planned(&scene).is_empty(), "the reversal is forgotten too");
}

#[test]
fn what_is_remembered_is_bounded_and_the_least_urgent_goes() {
    let (mut scene, _) = Scene::web(0);
    scene.snapshot.is_full = false;
    let urgent = warned(&scene, 30);
    let rebalance = |secs| Departure {
        causes: vec![DepartureCause::Rebalance {
            at: scene.ago(secs),
        }],
        ..Departure::default()
    };
    let (young, old) = (rebalance(10), rebalance(20));
    let drained = Departure {
        own_drain: Some(OwnDrain {
            at: scene.ago(3_000),
            cause: CauseKind::Rebalance,
            confirmed: true,
        }),
        ..old.clone()
    };
    let reversed_at = |number: usize| Reversal {
        at: scene.ago(i64::try_from(number).unwrap()),
        cause: CauseKind::Rebalance,
    };
    let reversals: Vec<_> = (0..REVERSALS_MAX + 1)
        .map(|it| (id(it), reversed_at(it)))
        .collect();
    let memory = scene.memory();
    memory.departures.insert(id(0), old);
    memory.departures.insert(id(1), young);
    memory.departures.insert(id(2), drained);
    for number in 3..=DEPARTURES_MAX {
        memory.departures.insert(id(number), urgent.clone());
    }
    memory.reversed.extend(reversals);
    let kept = planned(&scene);
    assert_eq!(kept.departures.len(), DEPARTURES_MAX);
    assert!(
        !kept.departures.contains_key(&id(0)),
        "the oldest of the least urgent"
    );
    assert_eq!(kept.reversed.len(), REVERSALS_MAX);
    assert!(
        !kept.reversed.contains_key(&id(REVERSALS_MAX)),
        "the oldest"
    );
}

#[test]
fn nothing_is_remembered_where_nothing_was_recalled() {
    let (mut scene, ids) = Scene::web(1);
    scene.warned(&ids[0], 5);
    scene.memories.insert(key("spot"), Recall::Unknown);
    let decision = scene.decide();
    assert_eq!(decision.plan.steps.len(), 1);
    assert!(decision.memories.is_empty());
}

fn failed(operation: &str, cause: GapCause) -> OutcomeResult {
    OutcomeResult::Failed {
        operation: operation.to_owned(),
        cause,
        detail: "no answer".to_owned(),
    }
}

const UPDATE: &str = "ecs:UpdateContainerInstancesState";

/// The memory before the look, the one that announces the only step, and the one after the step came to this.
fn settled(scene: &mut Scene, result: OutcomeResult) -> (DrainMemory, DrainMemory, DrainMemory) {
    let mut decision = scene.decide();
    assert_eq!(decision.plan.steps.len(), 1);
    let before = scene.memory().clone();
    let planned = decision.memories.remove(&key("spot")).unwrap();
    let step = decision.plan.steps.remove(0);
    let outcome = Outcome { step, result };
    let after = settle(&before, &planned, &[outcome], Seconds(2).after(scene.now));
    (before, planned, after)
}

#[test]
fn a_drain_is_announced_confirmed_and_taken_back() {
    let id = id(0);
    for (result, own) in [
        (OutcomeResult::Done, Some(true)),
        (OutcomeResult::AlreadySo, None),
        (OutcomeResult::NotWritten, None),
        (OutcomeResult::OutOfTime, None),
        (failed(UPDATE, GapCause::AccessDenied), None),
        (failed(UPDATE, GapCause::Unreachable), Some(false)),
    ] {
        let (mut scene, ids) = Scene::web(1);
        scene.warned(&ids[0], 5);
        let now = scene.now;
        let (_, planned, after) = settled(&mut scene, result.clone());
        let announced = OwnDrain {
            at: now,
            cause: CauseKind::SpotInterruption,
            confirmed: false,
        };
        assert_eq!(planned.departures[&ids[0]].own_drain, Some(announced));
        let of_after = &after.departures[&ids[0]];
        let confirmed = of_after.own_drain.map(|it| it.confirmed);
        assert_eq!(confirmed, own, "{result}");
        assert_eq!(of_after.causes.len(), 1, "why it leaves is remembered");
        let shows = result == OutcomeResult::AlreadySo;
        assert_eq!(of_after.draining_since.is_some(), shows);
    }
    let (mut scene, ids) = Scene::web(1);
    scene.warned(&ids[0], 5);
    let step = scene.decide().plan.steps.remove(0);
    let found = DrainMemory::default();
    let outcome = Outcome {
        step,
        result: OutcomeResult::Done,
    };
    let late = settle(&found, &found, &[outcome], scene.now);
    let departure = &late.departures[&ids[0]];
    assert!(departure.own_drain.is_some_and(|it| it.confirmed));
    assert_eq!(departure.causes.len(), 1, "without an announcement as well");
    assert!(!late.departures.contains_key(&id));
}

#[test]
fn a_drain_that_is_taken_back_is_forgotten_when_it_certainly_is() {
    for (result, drains, reversed) in [
        (OutcomeResult::Done, false, true),
        (OutcomeResult::AlreadySo, false, true),
        (OutcomeResult::OutOfTime, true, false),
        (failed(UPDATE, GapCause::Throttled), true, true),
    ] {
        let (mut scene, ids) = Scene::web(1);
        scene.warned(&ids[0], 0);
        scene.act();
        scene.later(300);
        let (_, planned, after) = settled(&mut scene, result.clone());
        assert!(planned.departures[&ids[0]].own_drain.is_some());
        let own = after.departures.get(&ids[0]).and_then(|it| it.own_drain);
        assert_eq!(own.is_some(), drains, "{result}");
        assert_eq!(after.reversed.contains_key(&ids[0]), reversed, "{result}");
    }
}

#[test]
fn a_heartbeat_and_a_completion_are_remembered_when_they_are_accepted() {
    let complete = "autoscaling:CompleteLifecycleAction";
    for (is_empty, result, at) in [
        (false, OutcomeResult::Done, true),
        (false, OutcomeResult::AlreadySo, false),
        (false, OutcomeResult::OutOfTime, false),
        (true, OutcomeResult::Done, true),
        (true, OutcomeResult::AlreadySo, true),
        (true, failed(complete, GapCause::Unreachable), false),
    ] {
        let (mut scene, ids) = Scene::web(1);
        scene.terminating(&ids[0], 250);
        scene.draining(&ids[0], 240);
        if is_empty {
            scene.empty(&ids[0]);
        }
        let (_, planned, after) = settled(&mut scene, result.clone());
        let of = |memory: &DrainMemory| {
            let departure = memory.departures[&ids[0]].clone();
            (departure.heartbeat_at, departure.completed_at)
        };
        assert_eq!(of(&planned), (None, None), "nothing is announced");
        let then = at.then(|| Seconds(2).after(scene.now));
        let want = if is_empty { (None, then) } else { (then, None) };
        assert_eq!(of(&after), want, "{result}");
    }
}

/// What is by choice is announced for its cause.
#[test]
fn a_drain_by_choice_is_remembered_with_its_cause() {
    let (mut scene, ids) = Scene::web(2);
    scene.policy().drain_on_rebalance = true;
    scene.said(&ids[0], 10, Notice::Rebalance);
    let (before, planned, after) = settled(&mut scene, OutcomeResult::OutOfTime);
    let own = planned.departures[&ids[0]].own_drain;
    assert_eq!(own.map(|it| it.cause), Some(CauseKind::Rebalance));
    assert_eq!(before, DrainMemory::default());
    assert_eq!(after.departures[&ids[0]].own_drain, None);
}

/// An event that is over for thousands of instances pushes out no maintenance that is weeks ahead, nor any other cause.
#[test]
fn what_has_no_cause_goes_first() {
    let key = MaintenanceKey::new("AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED", None);
    let why = |scene: &Scene| {
        [
            DepartureCause::Maintenance {
                code: key.code.clone(),
                health_event: None,
                starts_at: scene.ago(-1_209_600),
            },
            DepartureCause::Rebalance { at: scene.ago(10) },
            DepartureCause::AgentLost { since: scene.now },
        ]
    };
    let (mut scene, _) = Scene::web(0);
    scene.snapshot.is_full = false;
    let called_off = Departure {
        maintenance_said: [(key.clone(), scene.now)].into(),
        disconnected_since: Some(scene.now),
        ..Departure::default()
    };
    let causes = why(&scene);
    let memory = scene.memory();
    for number in 0..DEPARTURES_MAX {
        memory.departures.insert(id(number), called_off.clone());
    }
    for (number, cause) in causes.iter().enumerate() {
        let departure = Departure {
            causes: vec![cause.clone()],
            ..Departure::default()
        };
        memory
            .departures
            .insert(id(DEPARTURES_MAX + number), departure);
    }
    let kept = planned(&scene).departures;
    assert!(kept.len() <= DEPARTURES_MAX);
    for (number, cause) in causes.iter().enumerate() {
        assert!(kept.contains_key(&id(DEPARTURES_MAX + number)), "{cause}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// However much is known of each of as many instances as there can be: an item of the ledger holds it.
    #[test]
    fn the_fullest_memory_fits(codes in 0..5_usize, length in 0..200_usize, warned in 1..2_000_usize) {
        let (mut scene, _) = Scene::web(0);
        scene.snapshot.is_full = false;
        let said = (0..codes).map(|it| (MaintenanceKey::new(&"A".repeat(length), Some(&it.to_string())), scene.now));
        let cause = CauseKind::Rebalance;
        let full = Departure {
            causes: vec![
                DepartureCause::Rebalance { at: scene.now },
                DepartureCause::AgentLost { since: scene.now },
            ],
            own_drain: None,
            draining_since: Some(scene.now),
            maintenance_said: said.collect(),
            disconnected_since: Some(scene.now),
            ..Departure::default()
        };
        let urgent = super::remembered::warned(&scene, 30);
        let now = scene.now;
        let memory = scene.memory();
        for number in 0..3_000 {
            let departure = if number < warned { urgent.clone() } else { full.clone() };
            memory.departures.insert(id(number), departure);
            memory.reversed.insert(id(number), Reversal { at: now, cause });
        }
        let kept = planned(&scene);
        let bytes = serde_json::to_string(&kept).unwrap().len();
        prop_assert!(bytes <= MEMORY_BYTES_MAX + 100, "{}", bytes);
        let is_kept = (0..warned).all(|it| kept.departures.contains_key(&id(it)));
        prop_assert!(is_kept || kept.departures.values().all(|it| *it == urgent));
        prop_assert!(bytes > MEMORY_BYTES_MAX / 2 || kept.departures.len() == DEPARTURES_MAX);
    }
}
