//! Maintenance that AWS Health calls off before its instance registers.

use model::drain::DrainMemory;
use model::trigger::{MachineState, Notice};

use crate::elsewhere::{alone, reasons, registers, unregistered};
use crate::scene::Scene;

/// That it is called off is told by an event that comes after the announcement, or before it: in another batch, also when the instance has
/// registered meanwhile.
#[test]
fn maintenance_that_was_called_off_before_the_instance_registered_does_not_come_back() {
    let code = "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED".to_owned();
    for is_reordered in [false, true] {
        for registers_between in [false, true] {
            let (mut scene, id) = unregistered();
            let starts_at = Some(scene.ago(-1_000));
            let word = |is_over| Notice::Maintenance {
                code: code.clone(),
                starts_at,
                is_over,
            };
            let mut words = [(400, false), (100, true)];
            if is_reordered {
                words.reverse();
            }
            for (number, (secs_ago, is_over)) in words.into_iter().enumerate() {
                if number == 1 && registers_between {
                    registers(&mut scene, &id);
                }
                scene.said(
                    &id,
                    secs_ago + i64::try_from(number).unwrap(),
                    word(is_over),
                );
                let is_due = number == 0 && !is_over;
                let departures = |it: &DrainMemory| it.departures.get(&id).cloned();
                let memory = scene.decide().memories.get(&alone(&id)).cloned();
                if let Some(departure) = memory.as_ref().and_then(departures) {
                    assert_eq!(!departure.causes.is_empty(), is_due);
                }
                scene.act();
                scene.later(1);
            }
            if !registers_between {
                registers(&mut scene, &id);
            }
            assert!(
                reasons(&scene).is_empty(),
                "{is_reordered} {registers_between}"
            );
        }
    }
}

/// A word that is a day old tells nothing apart any more.
#[test]
fn that_maintenance_was_called_off_is_remembered_for_a_day() {
    let (mut scene, id) = unregistered();
    let over = Notice::Maintenance {
        code: "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED".to_owned(),
        starts_at: None,
        is_over: true,
    };
    scene.said(&id, 0, over.clone());
    scene.act();
    let remembered = |scene: &Scene| scene.decide().memories[&alone(&id)].clone();
    scene.later(86_399);
    assert_eq!(remembered(&scene).departures.len(), 1);
    scene.later(1);
    assert_eq!(remembered(&scene), DrainMemory::default());
    scene.said(&id, 86_400, over);
    assert_eq!(remembered(&scene), DrainMemory::default());
}

/// What ended does not register any more, whatever else was announced of it.
#[test]
fn of_an_instance_that_ended_nothing_is_remembered() {
    let (mut scene, id) = unregistered();
    for code in [
        "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED",
        "AWS_EC2_INSTANCE_STOP_SCHEDULED",
    ] {
        let word = Notice::Maintenance {
            code: code.to_owned(),
            starts_at: Some(scene.ago(-1_000)),
            is_over: false,
        };
        scene.said(&id, 20, word);
    }
    let state = MachineState::Terminated;
    scene.said(&id, 10, Notice::StateChanged { state });
    assert_eq!(scene.decide().memories[&alone(&id)], DrainMemory::default());
}
