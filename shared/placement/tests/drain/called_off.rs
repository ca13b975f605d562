//! Maintenance that AWS Health calls off before its instance registers.

use model::drain::{Departure, DepartureCause, DrainMemory, MaintenanceKey};
use model::memory::Recall;
use model::trigger::{Hints, MachineState, Notice};

use crate::elsewhere::{alone, reasons, registers, unregistered};
use crate::random::groupless;
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
                health_event: None,
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
        health_event: None,
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
            health_event: None,
            starts_at: Some(scene.ago(-1_000)),
            is_over: false,
        };
        scene.said(&id, 20, word);
    }
    let state = MachineState::Terminated;
    scene.said(&id, 10, Notice::StateChanged { state });
    assert_eq!(scene.decide().memories[&alone(&id)], DrainMemory::default());
}

/// Two events of AWS Health announced maintenance of one code. What one of them says is over ends nothing that the other announced, in whatever order
/// they come.
#[test]
fn what_one_event_calls_off_another_one_still_announces() {
    let word = |scene: &Scene, (secs_ago, event, begins_in_secs): (i64, &str, Option<i64>)| {
        let notice = Notice::Maintenance {
            code: "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED".to_owned(),
            health_event: Some(event.to_owned()).filter(|it| !it.is_empty()),
            starts_at: begins_in_secs.map(|it| scene.ago(-it)),
            is_over: begins_in_secs.is_none(),
        };
        (secs_ago, notice)
    };
    for (words, want) in [
        // The first one is said again, because of another of its instances.
        (
            vec![(900, "1", None), (600, "2", Some(300)), (300, "1", None)],
            true,
        ),
        (vec![(900, "1", Some(400)), (600, "2", Some(300))], true),
        (
            vec![
                (900, "1", Some(300)),
                (600, "2", Some(400)),
                (300, "2", None),
            ],
            true,
        ),
        (
            vec![
                (900, "1", Some(300)),
                (600, "2", Some(400)),
                (300, "2", None),
                (200, "1", None),
            ],
            false,
        ),
        (vec![(600, "2", Some(300)), (300, "2", None)], false),
        // Which event says so is not known.
        (vec![(600, "2", Some(300)), (300, "", None)], false),
        (vec![(600, "", Some(300)), (300, "2", None)], false),
    ] {
        for is_reordered in [false, true] {
            let (mut scene, ids) = Scene::web(2);
            let mut notices: Vec<(i64, Notice)> =
                words.iter().map(|it| word(&scene, *it)).collect();
            if is_reordered {
                notices.reverse();
            }
            for (secs_ago, notice) in notices {
                scene.hints = Hints::default();
                scene.said(&ids[0], secs_ago, notice);
                let memories = scene.decide().memories;
                scene.memories = memories
                    .into_iter()
                    .map(|(key, it)| (key, Recall::Known(it)))
                    .collect();
            }
            scene.hints = Hints::default();
            let found = !reasons(&scene).is_empty();
            assert_eq!(found, want, "{words:?} {is_reordered}");
        }
    }
}

/// What no announcement of would be believed takes no row of the ledger when it is called off.
#[test]
fn of_other_maintenance_nothing_is_remembered() {
    for (code, rows) in [
        ("AWS_EC2_INSTANCE_NETWORK_MAINTENANCE_SCHEDULED", 0),
        ("AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED", 1),
        // It is about every kind.
        ("", 1),
    ] {
        let (mut scene, id) = unregistered();
        let over = Notice::Maintenance {
            code: code.to_owned(),
            health_event: None,
            starts_at: None,
            is_over: true,
        };
        scene.said(&id, 0, over);
        let memory = &scene.decide().memories[&alone(&id)];
        assert_eq!(memory.departures.len(), rows, "{code}");
    }
}

/// The cluster remembers an announcement, and the instance's own item that it was called off; or the other way round. The later word counts.
#[test]
fn of_two_places_the_later_word_counts() {
    let key = MaintenanceKey::new("AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED", Some("1"));
    for (announced_secs_ago, over_secs_ago, is_announced_here, want) in [
        (500, 100, true, false),
        (100, 500, true, true),
        (500, 100, false, false),
        (100, 500, false, true),
        // Of one moment the one counts that says that it is over.
        (100, 100, false, false),
        // After a day nothing tells any more which was later: what was announced counts.
        (260_000, 200_000, true, true),
    ] {
        let (mut scene, id) = unregistered();
        registers(&mut scene, &id);
        let why = DepartureCause::Maintenance {
            code: key.code.clone(),
            health_event: key.health_event.clone(),
            starts_at: scene.ago(-300),
        };
        let said = |secs_ago| [(key.clone(), scene.ago(secs_ago))].into();
        let announced = Departure {
            causes: vec![why],
            maintenance_said: said(announced_secs_ago),
            ..Departure::default()
        };
        let over = Departure {
            maintenance_said: said(over_secs_ago),
            ..Departure::default()
        };
        let places = if is_announced_here {
            [groupless(), alone(&id)]
        } else {
            [alone(&id), groupless()]
        };
        for (place, departure) in places.into_iter().zip([announced, over]) {
            let departures = [(id.clone(), departure)].into();
            let memory = DrainMemory {
                departures,
                ..DrainMemory::default()
            };
            scene.memories.insert(place, Recall::Known(memory));
        }
        let found = !reasons(&scene).is_empty();
        let of = (announced_secs_ago, over_secs_ago, is_announced_here);
        assert_eq!(found, want, "{of:?}");
    }
}
