//! The primary's tasks could not be read, or not all of them: what was not read is not missing.

use expect_test::expect;

use crate::scene::{Scene, check};

/// Ten tasks are wanted; ECS counts so many running and on their way; none of them was read.
fn unread(running: u32, pending: u32) -> Scene {
    Scene::desired(10)
        .pair_gap("ecs:ListTasks", "container-demo/web")
        .primary(|primary| {
            primary.all_to_run_read = false;
            primary.running_count = running;
            primary.pending_count = pending;
        })
}

#[test]
fn unread_tasks_are_not_missing_even_when_spot_is_short() {
    check(
        unread(10, 0).spot_failed(5),
        expect![[r#"
            hold `container-demo/web` snapshot_incomplete: something could not be observed: nothing is given back, and only what is missing for certain is covered (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 0, of which ready 0): `ecs:ListTasks` for `container-demo/web`: throttled (ThrottlingException: Rate exceeded)
            remembered: Spot short at -5 s
        "#]],
    );
    check(
        unread(7, 3).spot_failed(5),
        expect![[r#"
            hold `container-demo/web` snapshot_incomplete: something could not be observed: nothing is given back, and only what is missing for certain is covered (desired 10, ready 7, starting 3, leaving 0, deficit 0; standby 0, of which ready 0): `ecs:ListTasks` for `container-demo/web`: throttled (ThrottlingException: Rate exceeded)
            remembered: Spot short at -5 s
        "#]],
    );
}

#[test]
fn what_is_missing_by_ecs_own_count_is_covered() {
    check(
        unread(3, 1).spot_failed(5),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 6, because ECS found no Spot capacity at 2026-03-01T11:59:55Z (desired 10, ready 3, starting 1, leaving 0, deficit 6; standby 0, of which ready 0)
            remembered: may write 0 to 6 at now; Spot short at -5 s
        "#]],
    );
}

#[test]
fn what_was_read_and_does_not_serve_is_not_counted_as_running() {
    // ECS counts ten running tasks; four of them were read, and two of those are unhealthy.
    check(
        unread(10, 0).ready(2).unhealthy(2).spot_failed(5),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 2, because ECS found no Spot capacity at 2026-03-01T11:59:55Z (desired 10, ready 8, starting 0, leaving 0, deficit 2; standby 0, of which ready 0)
            remembered: may write 0 to 2 at now; Spot short at -5 s
        "#]],
    );
}

#[test]
fn an_unread_look_is_no_watch() {
    // The hold-down has passed, but this look shows nothing; the next complete one is needed.
    check(
        unread(10, 0)
            .standby(5)
            .wrote(0, 5, 1_000)
            .watched(1_000, 60)
            .needed(5, 900)
            .needed(0, 60),
        expect![[r#"
            hold `container-demo/web` snapshot_incomplete: something could not be observed: nothing is given back, and only what is missing for certain is covered (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5): `ecs:ListTasks` for `container-demo/web`: throttled (ThrottlingException: Rate exceeded)
            remembered: watched -1000 s to -60 s; needed 5 at -900 s, 0 at -60 s; wrote 0 to 5 at -1000 s
        "#]],
    );
    // Too many such looks in a row break the watch.
    check(
        unread(10, 0)
            .standby(5)
            .wrote(0, 5, 1_000)
            .watched(1_000, 181)
            .needed(0, 181),
        expect![[r#"
            hold `container-demo/web` snapshot_incomplete: something could not be observed: nothing is given back, and only what is missing for certain is covered (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5): `ecs:ListTasks` for `container-demo/web`: throttled (ThrottlingException: Rate exceeded)
            remembered: wrote 0 to 5 at -1000 s
        "#]],
    );
}

#[test]
fn what_lasted_before_goes_on_lasting() {
    check(
        unread(7, 0).missing_since(3, 120).watched(120, 60),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 3, because the deficit has lasted since 2026-03-01T11:58:00Z, longer than 120 s (desired 10, ready 7, starting 0, leaving 0, deficit 3; standby 0, of which ready 0)
            remembered: watched -120 s to -60 s; missing 3 at -120 s; needed 3 at now; may write 0 to 3 at now
        "#]],
    );
}

/// A raise for what is missing for certain is not taken back at the next look, however long the watch before it was.
#[test]
fn what_is_needed_for_certain_holds_the_next_give_back() {
    let scene = unread(4, 0)
        .standby(1)
        .watched(1_000, 60)
        .needed(0, 60)
        .spot_failed(5);
    check(
        scene.clone(),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 1 to 6, because ECS found no Spot capacity at 2026-03-01T11:59:55Z (desired 10, ready 4, starting 0, leaving 0, deficit 6; standby 1, of which ready 1)
        remembered: watched -1000 s to -60 s; needed 6 at now; may write 1 to 6 at now; Spot short at -5 s
    "#]],
    );
    let mut later = scene.carried_out().primary(|primary| {
        primary.all_to_run_read = true;
        crate::scene::add(primary, 10, |_| {});
    });
    later.pair.gaps.clear();
    check(
        later,
        expect![[r#"
        hold `container-demo/web` waiting_for_hold_down until 2026-03-01T12:10:00Z: standby tasks are given back once unneeded for 600 s without a break; lately up to 6 were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 6, of which ready 1)
        remembered: watched -1000 s to now; needed 6 at now; wrote 1 to 6 at now
    "#]],
    );
}

#[test]
fn an_unread_standby_is_not_given_back() {
    let unneeded = Scene::desired(10)
        .ready(10)
        .standby(5)
        .watched(1_000, 60)
        .needed(0, 60);
    let unread = |it: &mut model::snapshot::Service| it.all_to_run_read = false;
    check(
        unneeded.on_standby(unread),
        expect![[r#"
        hold `container-demo/web` snapshot_incomplete: something could not be observed: nothing is given back, and only what is missing for certain is covered (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5): 
        remembered: watched -1000 s to now; needed 0 at now
    "#]],
    );
}

/// Without a settle time, what is missing for certain is covered at once, whatever lasted before and whatever is remembered.
#[test]
fn without_a_settle_time_nothing_needs_to_be_remembered() {
    let scene = unread(4, 0).tag("ballast:settle-secs", "0");
    check(
        scene.clone().watched(200, 60).missing_since(2, 200),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 6, because the deficit has lasted since 2026-03-01T12:00:00Z, longer than 0 s (desired 10, ready 4, starting 0, leaving 0, deficit 6; standby 0, of which ready 0)
            remembered: watched -200 s to -60 s; missing 2 at -200 s; needed 6 at now; may write 0 to 6 at now
        "#]],
    );
    check(
        scene.ledger_unknown(),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 6, because the deficit has lasted since 2026-03-01T12:00:00Z, longer than 0 s (desired 10, ready 4, starting 0, leaving 0, deficit 6; standby 0, of which ready 0)
        not remembered
    "#]],
    );
}

/// Whether nothing is missing is not known: what lasted is not forgotten.
#[test]
fn a_pair_that_was_not_read_is_not_at_rest() {
    let scene = unread(10, 0).watched(100, 60).missing_since(3, 100);
    check(
        scene.needed(3, 60),
        expect![[r#"
        hold `container-demo/web` snapshot_incomplete: something could not be observed: nothing is given back, and only what is missing for certain is covered (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 0, of which ready 0): `ecs:ListTasks` for `container-demo/web`: throttled (ThrottlingException: Rate exceeded)
        remembered: watched -100 s to -60 s; missing 3 at -100 s; needed 3 at -60 s
    "#]],
    );
}

/// Five were needed 100 s ago; with a hold-down of 60 s that is forgotten, and the watch counts from there.
#[test]
fn what_an_unread_look_forgets_shortens_the_watch() {
    let scene = unread(8, 0).standby(5).watched(1_000, 60).needed(5, 100);
    check(
        scene.tag("ballast:hold-down-secs", "60"),
        expect![[r#"
        hold `container-demo/web` snapshot_incomplete: something could not be observed: nothing is given back, and only what is missing for certain is covered (desired 10, ready 8, starting 0, leaving 0, deficit 2; standby 5, of which ready 5): `ecs:ListTasks` for `container-demo/web`: throttled (ThrottlingException: Rate exceeded)
        remembered: watched -100 s to -60 s; needed 2 at now
    "#]],
    );
}
