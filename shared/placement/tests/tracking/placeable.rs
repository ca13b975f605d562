//! A raise that nothing can place is said, and not made.

use expect_test::expect;
use model::memory::Level;
use model::snapshot::NotPlaced;
use model::strategy::Market;
use model::tracking::{GroupLimit, Part};

use super::scene::{Scene, check, share};

/// Six of ten tasks are missing for three minutes, and the four that run are at 100 %.
fn short() -> Scene {
    let mut scene = Scene::cpu(10, 100);
    scene.primary().running_count = 4;
    scene.count(Part::Primary, 7);
    let at = scene.ago(180);
    scene.memory().missing = Some(Level { tasks: 6, at });
    scene
}

#[test]
fn spot_alone_that_is_out_gives_no_more() {
    check(
        &short(),
        &expect![[r#"
        hold `demo/web` nowhere_to_place: the load needs 12, but 6 tasks that were asked for have not been placed since 2026-03-01T11:57:30Z: the service is on Spot alone (FARGATE_SPOT), with 0 tasks of a standby running (desired 10, running 4, pending 0; standby running 0; cpu 12 (load 11.667 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn two_minutes_say_nothing_yet() {
    let mut scene = short();
    let at = scene.ago(120);
    scene.memory().missing = Some(Level { tasks: 6, at });
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 12, because `cpu` needs 12 (desired 10, running 4, pending 0; standby running 0; cpu 12 (load 11.667 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
    scene.memory().missing = None;
    scene.act();
    let since = scene.memory().missing.unwrap();
    assert_eq!((since.tasks, since.at), (6, scene.now));
}

/// One that ends again and again, and that ECS starts less and less often, says nothing of the room for others.
#[test]
fn one_of_ten_that_is_missing_stops_no_raise() {
    let mut scene = short();
    scene.primary().running_count = 9;
    scene.memory().missing.as_mut().unwrap().tasks = 1;
    let of_ten = scene.decide();
    assert_eq!(of_ten.plan.steps.len(), 1, "{}", of_ten.plan);
    scene.primary().running_count = 8;
    scene.memory().missing.as_mut().unwrap().tasks = 2;
    let of_eight = scene.decide();
    assert_eq!(of_eight.plan.steps.len(), 0, "{}", of_eight.plan);
}

#[test]
fn on_demand_capacity_beside_spot_may_have_room() {
    let mut scene = short();
    scene
        .primary()
        .capacity
        .push(share("FARGATE", Market::OnDemand));
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 12, because `cpu` needs 12 (desired 10, running 4, pending 0; standby running 0; cpu 12 (load 11.667 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
}

/// The service is on the provider `spot` over the group `web-spot`.
fn on_instances(market: Market, desired_capacity: u32, max_size: u32) -> Scene {
    let mut scene = short();
    scene.primary().capacity = vec![share("spot", market)];
    let group = GroupLimit {
        group: "web-spot".parse().unwrap(),
        desired_capacity,
        max_size,
    };
    scene.fleet().groups.insert("spot".parse().unwrap(), group);
    scene
}

#[test]
fn a_group_at_its_maximum_gives_no_more() {
    check(
        &on_instances(Market::OnDemand, 5, 5),
        &expect![[r#"
        hold `demo/web` nowhere_to_place: the load needs 12, but 6 tasks that were asked for have not been placed since 2026-03-01T11:57:30Z: the group `web-spot` of the provider `spot` is at its maximum of 5 (desired 10, running 4, pending 0; standby running 0; cpu 12 (load 11.667 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_group_that_may_grow_is_asked() {
    check(
        &on_instances(Market::OnDemand, 4, 5),
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 12, because `cpu` needs 12 (desired 10, running 4, pending 0; standby running 0; cpu 12 (load 11.667 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn an_instance_that_had_no_room_is_evidence_for_five_minutes() {
    let mut scene = on_instances(Market::OnDemand, 4, 5);
    scene.primary().pending_count = 6;
    scene.primary().not_placed = vec![NotPlaced {
        at: scene.ago(299),
        text: "the closest matching container-instance has insufficient memory available"
            .to_owned(),
    }];
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` nowhere_to_place: the load needs 12, but 6 tasks that were asked for have not been placed since 2026-03-01T11:57:30Z: no container instance had room at 2026-03-01T11:55:31Z (desired 10, running 4, pending 6; standby running 0; cpu 12 (load 11.667 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
    scene.primary().not_placed[0].at = scene.ago(300);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 12, because `cpu` needs 12 (desired 10, running 4, pending 6; standby running 0; cpu 12 (load 11.667 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn what_the_standby_starts_is_not_missing() {
    let mut scene = Scene::pair(10, 0, 100);
    scene.primary().running_count = 4;
    scene.count(Part::Primary, 7);
    let at = scene.ago(180);
    scene.memory().missing = Some(Level { tasks: 6, at });
    scene.standby().desired_count = 6;
    scene.standby().running_count = 2;
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` nowhere_to_place: the load needs 12, but 4 tasks that were asked for have not been placed since 2026-03-01T11:57:30Z: the service is on Spot alone (FARGATE_SPOT), with 2 tasks of a standby running (desired 10, running 4, pending 0; standby running 2; cpu 12 (load 11.667 tasks at 2026-03-01T11:59:00Z); allowed 1 to 40)
    "#]],
    );
    scene.standby().pending_count = 4;
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 12, because `cpu` needs 12 (desired 10, running 4, pending 0; standby running 2; cpu 12 (load 11.667 tasks at 2026-03-01T11:59:00Z); allowed 1 to 40)
    "#]],
    );
}
