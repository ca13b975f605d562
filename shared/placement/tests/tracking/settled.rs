//! After acting: what is remembered of a write.

use model::memory::{ForeignEdit, Write};
use model::outcome::{Outcome, OutcomeResult};
use model::snapshot::GapCause;
use model::tracking::{Direction, TrackingMemory};
use placement::tracking::settle;

use super::scene::{Scene, key, start};

/// A raise from 10 to 14, before and as planned.
fn planned() -> (Scene, TrackingMemory, TrackingMemory) {
    let mut scene = Scene::cpu(10, 80);
    scene.wrote(9, 10, 3_600, true);
    let before = scene.memory().clone();
    let planned = scene.decide().memories[&key()].clone();
    (scene, before, planned)
}

fn settled(result: OutcomeResult) -> (TrackingMemory, TrackingMemory) {
    let (scene, before, planned) = planned();
    let step = scene.decide().plan.steps.remove(0);
    let outcomes = [Outcome { step, result }];
    let after = settle(&before, &planned, &outcomes, start());
    (before, after)
}

fn failed(cause: GapCause) -> OutcomeResult {
    OutcomeResult::Failed {
        operation: "ecs:UpdateService".to_owned(),
        cause,
        detail: "no answer".to_owned(),
    }
}

const fn raise(confirmed: bool) -> Write {
    Write {
        from: 10,
        to: 14,
        at: start(),
        confirmed,
    }
}

#[test]
fn what_was_done_is_confirmed() {
    for result in [OutcomeResult::Done, OutcomeResult::AlreadySo] {
        let (_, after) = settled(result);
        assert_eq!(after.wrote, Some(raise(true)));
        assert_eq!(after.turn.unwrap().direction, Direction::Out);
    }
}

#[test]
fn what_was_certainly_not_written_leaves_what_was_before() {
    for result in [
        OutcomeResult::NotWritten,
        OutcomeResult::OutOfTime,
        failed(GapCause::AccessDenied),
        OutcomeResult::PreconditionFailed {
            found: "desired count 12".to_owned(),
        },
    ] {
        let (before, after) = settled(result);
        assert_eq!((after.wrote, after.turn), (before.wrote, before.turn));
    }
}

#[test]
fn what_is_not_certain_stays_announced() {
    let (_, after) = settled(failed(GapCause::Unreachable));
    assert_eq!(after.wrote, Some(raise(false)));
    assert_eq!(after.turn.unwrap().at, start());
}

#[test]
fn what_was_done_without_an_announcement_is_remembered() {
    let (scene, before, _) = planned();
    let step = scene.decide().plan.steps.remove(0);
    let outcomes = [Outcome {
        step,
        result: OutcomeResult::Done,
    }];
    let after = settle(&before, &before, &outcomes, start());
    assert_eq!(after.wrote, Some(raise(true)));
    assert_eq!(after.turn.unwrap().at, start());
}

#[test]
fn a_change_that_was_waited_out_stays_so_where_the_step_fails() {
    let mut scene = Scene::cpu(10, 80);
    scene.wrote(9, 12, 7_200, true);
    let noticed_at = scene.ago(3_600);
    scene.memory().foreign = Some(ForeignEdit {
        found: 10,
        wrote: 12,
        noticed_at,
    });
    let before = scene.memory().clone();
    let decision = scene.decide();
    let planned = &decision.memories[&key()];
    assert_eq!(planned.foreign, None);
    let outcomes = [Outcome {
        step: decision.plan.steps[0].clone(),
        result: OutcomeResult::NotWritten,
    }];
    let after = settle(&before, planned, &outcomes, scene.now);
    let wrote = after.wrote.unwrap();
    assert_eq!((wrote.from, wrote.to, wrote.confirmed), (10, 10, true));
    assert_eq!(after.foreign, None);
}

#[test]
fn bounds_that_move_have_no_direction() {
    let mut scene = Scene::cpu(2, 40);
    scene.bounds(6, 40);
    assert_eq!(scene.decide().memories[&key()].turn, None);
    // More than the minimum, for the load.
    let mut scene = Scene::cpu(4, 100);
    scene.bounds(5, 40);
    let turn = scene.decide().memories[&key()].turn.unwrap();
    assert_eq!(turn.direction, Direction::Out);
    let mut scene = Scene::cpu(20, 90);
    scene.bounds(1, 15);
    assert_eq!(scene.decide().memories[&key()].turn, None);
}

#[test]
fn a_direction_is_remembered_since_its_first_change() {
    let mut scene = Scene::cpu(20, 30);
    scene.act();
    let first = scene.memory().turn.unwrap();
    assert_eq!((first.direction, first.since), (Direction::In, scene.now));
    scene.later(60);
    scene.count(model::tracking::Part::Primary, 18);
    scene.act();
    let second = scene.memory().turn.unwrap();
    assert_eq!((second.since, second.at), (first.since, scene.now));
}
