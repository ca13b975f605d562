//! A raise that nothing can place is said, and not made.

use std::fmt::Write as _;

use expect_test::expect;
use model::Seconds;
use model::memory::Level;
use model::snapshot::NotPlaced;
use model::strategy::Market;
use model::tracking::{GroupLimit, Part, TargetName};

use super::scene::{Scene, check, key, share};

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
            hold `demo/web` nowhere_to_place: 12 are needed, but 6 tasks that were asked for have not been placed since 2026-03-01T11:57:30Z: the service is on Spot alone (FARGATE_SPOT), with 0 tasks of a standby running (desired 10, running 4, pending 0; standby running 0; cpu 12 (load 11.667 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
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
            hold `demo/web` nowhere_to_place: 12 are needed, but 6 tasks that were asked for have not been placed since 2026-03-01T11:57:30Z: the group `web-spot` of the provider `spot` is at its maximum of 5 (desired 10, running 4, pending 0; standby running 0; cpu 12 (load 11.667 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
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
            hold `demo/web` nowhere_to_place: 12 are needed, but 6 tasks that were asked for have not been placed since 2026-03-01T11:57:30Z: no container instance had room at 2026-03-01T11:55:31Z (desired 10, running 4, pending 6; standby running 0; cpu 12 (load 11.667 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
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
            hold `demo/web` nowhere_to_place: 12 are needed, but 4 tasks that were asked for have not been placed since 2026-03-01T11:57:30Z: the service is on Spot alone (FARGATE_SPOT), with 2 tasks of a standby running (desired 10, running 4, pending 0; standby running 2; cpu 12 (load 11.667 tasks at 2026-03-01T11:59:00Z); allowed 1 to 40)
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

/// Twenty are asked for, twelve run at 30 %, and eight have been PROVISIONING for so long: their group is at its maximum.
fn provisioning(secs: i64) -> Scene {
    let mut scene = Scene::cpu(20, 30);
    scene.primary().capacity = vec![share("ec2", Market::OnDemand)];
    let group = GroupLimit {
        group: "web-ec2".parse().unwrap(),
        desired_capacity: 5,
        max_size: 5,
    };
    scene.fleet().groups.insert("ec2".parse().unwrap(), group);
    scene.primary().running_count = 12;
    scene.primary().pending_count = 8;
    scene.count(Part::Primary, 12);
    let at = scene.ago(secs);
    scene.memory().pending = Some(Level { tasks: 12, at });
    scene
}

#[test]
fn tasks_that_are_pending_for_long_keep_nothing_from_being_lowered() {
    check(
        &provisioning(299),
        &expect![[r#"
        hold `demo/web` tasks_starting: the load needs fewer, and tasks are still on their way (desired 20, running 12, pending 8; standby running 0; cpu 6 (load 6.000 tasks at 2026-03-01T11:59:00Z, at most 6 in the window); allowed 1 to 40)
    "#]],
    );
    check(
        &provisioning(300),
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 20 to 7, because for 300 s no target needed more than 6, and the tolerance above it is kept (desired 20, running 12, pending 8; standby running 0; cpu 6 (load 6.000 tasks at 2026-03-01T11:59:00Z, at most 6 in the window); allowed 1 to 40)
    "#]],
    );
    // One more than at the last look runs: they come.
    let mut scene = provisioning(900);
    scene.memory().pending.as_mut().unwrap().tasks = 11;
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` tasks_starting: the load needs fewer, and tasks are still on their way (desired 20, running 12, pending 8; standby running 0; cpu 6 (load 6.000 tasks at 2026-03-01T11:59:00Z, at most 6 in the window); allowed 1 to 40)
    "#]],
    );
    assert_eq!(
        scene.decide().memories[&key()].pending,
        Some(Level {
            tasks: 12,
            at: scene.now
        })
    );
    // Tasks that take ten minutes to start are not late after five.
    let mut scene = provisioning(599);
    scene.pace().start_up = Seconds(600);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` tasks_starting: the load needs fewer, and tasks are still on their way (desired 20, running 12, pending 8; standby running 0; cpu 6 (load 6.000 tasks at 2026-03-01T11:59:00Z, at most 6 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn tasks_that_are_pending_for_long_are_not_placed() {
    let mut scene = provisioning(300);
    scene.flat(TargetName::Cpu, Part::Primary, 110_000);
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` nowhere_to_place: 22 are needed, but 8 tasks that were asked for have not been placed since 2026-03-01T11:55:30Z: the group `web-ec2` of the provider `ec2` is at its maximum of 5 (desired 20, running 12, pending 8; standby running 0; cpu 22 (load 22.000 tasks at 2026-03-01T11:59:00Z, at most 22 in the window); allowed 1 to 40)
        "#]],
    );
    let mut scene = provisioning(299);
    scene.flat(TargetName::Cpu, Part::Primary, 110_000);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 20 to 22, because `cpu` needs 22 (desired 20, running 12, pending 8; standby running 0; cpu 22 (load 22.000 tasks at 2026-03-01T11:59:00Z, at most 22 in the window); allowed 1 to 40)
    "#]],
    );
}

/// Nothing in the service's log says that a task waits for an instance: the group is the only evidence, look after look.
#[test]
fn a_group_at_its_maximum_is_named_once_tasks_wait_for_five_minutes() {
    let mut scene = provisioning(0);
    scene.memory().pending = None;
    scene.flat(TargetName::Cpu, Part::Primary, 110_000);
    let mut said = String::new();
    for minute in 0..7 {
        scene.newest(TargetName::Cpu, Part::Primary, &[110_000 + 15_000 * minute]);
        let plan = scene.decide().plan;
        for step in &plan.steps {
            writeln!(said, "{minute} min: {:?}", step.counts()).unwrap();
        }
        for hold in &plan.holds {
            writeln!(said, "{minute} min: {}", hold.reason).unwrap();
        }
        scene.act();
        // Whatever is asked for, twelve run, and the rest stays PROVISIONING.
        let asked = scene.primary().desired_count;
        scene.primary().running_count = 12;
        scene.primary().pending_count = asked - 12;
        scene.later(60);
    }
    expect![[r#"
        0 min: (20, 22)
        1 min: (22, 25)
        2 min: (25, 28)
        3 min: (28, 31)
        4 min: (31, 34)
        5 min: 37 are needed, but 22 tasks that were asked for have not been placed since 2026-03-01T12:00:30Z: the group `web-ec2` of the provider `ec2` is at its maximum of 5
        6 min: 40 are needed, but 22 tasks that were asked for have not been placed since 2026-03-01T12:00:30Z: the group `web-ec2` of the provider `ec2` is at its maximum of 5
    "#]].assert_eq(&said);
}

#[test]
fn since_when_tasks_are_pending_is_remembered() {
    let mut scene = provisioning(0);
    scene.memory().pending = None;
    scene.act();
    let since = scene.now;
    scene.later(120);
    scene.primary().running_count = 11;
    scene.act();
    assert_eq!(
        scene.memory().pending,
        Some(Level {
            tasks: 11,
            at: since
        })
    );
    scene.primary().pending_count = 0;
    scene.act();
    assert_eq!(scene.memory().pending, None);
}
