//! Events change when Ballast looks, never what is right: the failure of a well-known fallback function, played in every order.
//!
//! There, a placement failure gave the standby the whole desired count, and a steady state took all of it away at once
//! (<https://github.com/wheatstalk/fargate-spot-fallback/issues/186>).

use expect_test::expect;
use model::plan::Action;
use model::snapshot::Standby;

use crate::scene::{Scene, ago, check};

/// What may arrive. A steady state is no hint: it only makes Ballast look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    PlacementFailure,
    SteadyState,
    Interruption,
}

const EVENTS: [Event; 3] = [
    Event::PlacementFailure,
    Event::SteadyState,
    Event::Interruption,
];

/// Every order of up to `length` events, duplicates included.
fn orders(length: usize) -> Vec<Vec<Event>> {
    let mut orders = vec![Vec::new()];
    for _ in 0..length {
        let longer = orders.iter().flat_map(|order: &Vec<Event>| {
            EVENTS.iter().map(move |event| {
                let mut order = order.clone();
                order.push(*event);
                order
            })
        });
        orders = longer.collect();
    }
    orders
}

fn standby_of(scene: &Scene) -> u32 {
    let Standby::Present(standby) = &scene.pair.standby else {
        panic!("the scene has no standby");
    };
    standby.desired_count
}

#[test]
fn three_of_four_running_give_a_standby_of_one() {
    check(
        Scene::desired(4).ready(3).taken(1, 20).spot_failed(1),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because ECS found no Spot capacity at 2026-03-01T11:59:59Z (desired 4, ready 3, starting 0, leaving 0, deficit 1; standby 0, of which ready 0)
            remembered: watched now to now; missing 1 at now; needed 1 at now; may write 0 to 1 at now; Spot short at -1 s
        "#]],
    );
}

/// Four tasks, one interrupted at some point. After every event Ballast looks; whatever the order, the standby ends at the deficit
/// and running tasks that are needed are never taken away.
#[test]
fn every_order_of_events_ends_at_the_deficit() {
    for order in orders(5) {
        let mut scene = Scene::desired(4).ready(4);
        for event in &order {
            match event {
                Event::Interruption => {
                    let all_up = scene.pair.primary.tasks.iter().all(|it| it.desired_running);
                    if all_up {
                        scene.pair.primary.tasks.pop();
                        scene = scene.taken(1, 0);
                    }
                }
                Event::PlacementFailure => scene = scene.spot_failed(0),
                Event::SteadyState => {}
            }
            let up = scene
                .pair
                .primary
                .tasks
                .iter()
                .filter(|it| it.desired_running)
                .count();
            let missing = 4 - u32::try_from(up).unwrap();
            for step in scene.decide().plan.steps {
                let Action::SetDesiredCount { to, .. } = step.action;
                assert!(to <= missing, "{order:?}: {step}");
            }
            let before = standby_of(&scene);
            scene = scene.carried_out();
            assert!(standby_of(&scene) >= before, "{order:?} gave back");
            assert_eq!(standby_of(&scene), missing, "{order:?}");
        }
    }
}

/// A steady state with the standby in use takes nothing away before the hold-down is over.
#[test]
fn a_steady_state_is_no_proof() {
    let scene = Scene::desired(4).ready(4).standby(1).watched(900, 30);
    check(
        scene.needed(1, 30),
        expect![[r#"
        hold `container-demo/web` waiting_for_hold_down until 2026-03-01T12:09:30Z: standby tasks are given back once unneeded for 600 s without a break; lately up to 1 were needed (desired 4, ready 4, starting 0, leaving 0, deficit 0; standby 1, of which ready 1)
        remembered: watched -900 s to now; needed 1 at -30 s, 0 at now
    "#]],
    );
}

#[test]
fn the_same_event_a_hundred_times_is_the_event_once() {
    let once = Scene::desired(10).ready(6).taken(4, 30).spot_failed(5);
    let mut often = once.clone();
    for secs in 0..100 {
        often = often.spot_failed(5 + secs);
    }
    assert_eq!(once.decide(), often.decide());
    let reported = often.hints.placement_failures.iter().map(|it| it.0);
    assert_eq!(reported.max(), Some(Some(ago(5))));
}
