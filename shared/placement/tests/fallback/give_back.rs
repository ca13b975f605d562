//! The standby is larger than what is missing: when it is given back, and how far.

use expect_test::expect;
use model::snapshot::Service;

use crate::scene::{Scene, check, deployment};

/// The primary is complete again; five standby tasks were last needed so many seconds ago.
fn recovered(secs_ago: i64) -> Scene {
    Scene::desired(10)
        .ready(10)
        .standby(5)
        .wrote(0, 5, 1_000)
        .watched(1_000, 60)
        .needed(5, secs_ago)
        .needed(0, 60)
}

fn rolling(service: &mut Service) {
    service.deployments.push(deployment("2", true));
}

#[test]
fn the_hold_down_counts_to_the_second() {
    check(
        recovered(599),
        expect![[r#"
        hold `container-demo/web` waiting_for_hold_down until 2026-03-01T12:00:01Z: standby tasks are given back once unneeded for 600 s without a break; lately up to 5 were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
        remembered: watched -1000 s to now; needed 5 at -599 s, 0 at now; wrote 0 to 5 at -1000 s
    "#]],
    );
    check(
        recovered(600),
        expect![[r#"
        step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 5 to 0, because for 600 s no more than 0 standby tasks were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
        remembered: watched -600 s to now; needed 0 at now; may write 5 to 0 at now
    "#]],
    );
    check(
        recovered(119).tag("ballast:hold-down-secs", "120"),
        expect![[r#"
            hold `container-demo/web` waiting_for_hold_down until 2026-03-01T12:00:01Z: standby tasks are given back once unneeded for 120 s without a break; lately up to 5 were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
            remembered: watched -1000 s to now; needed 5 at -119 s, 0 at now; wrote 0 to 5 at -1000 s
        "#]],
    );
    check(
        recovered(120).tag("ballast:hold-down-secs", "120"),
        expect![[r#"
            step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 5 to 0, because for 120 s no more than 0 standby tasks were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
            remembered: watched -120 s to now; needed 0 at now; may write 5 to 0 at now
        "#]],
    );
}

#[test]
fn the_watch_itself_must_be_as_long() {
    let scene = |since| {
        Scene::desired(2)
            .ready(2)
            .standby(1)
            .watched(since, 60)
            .needed(0, 60)
    };
    check(
        scene(599),
        expect![[r#"
            hold `container-demo/web` waiting_for_hold_down until 2026-03-01T12:00:01Z: standby tasks are given back once unneeded for 600 s without a break; the pair has been watched only since 2026-03-01T11:50:01Z, and up to 0 were needed (desired 2, ready 2, starting 0, leaving 0, deficit 0; standby 1, of which ready 1)
            remembered: watched -599 s to now; needed 0 at now
        "#]],
    );
    check(
        scene(600),
        expect![[r#"
        step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 1 to 0, because for 600 s no more than 0 standby tasks were needed (desired 2, ready 2, starting 0, leaving 0, deficit 0; standby 1, of which ready 1)
        remembered: watched -600 s to now; needed 0 at now; may write 1 to 0 at now
    "#]],
    );
    check(
        Scene::desired(2).ready(2).standby(1),
        expect![[r#"
            hold `container-demo/web` waiting_for_hold_down until 2026-03-01T12:10:00Z: standby tasks are given back once unneeded for 600 s without a break; the pair has been watched only since 2026-03-01T12:00:00Z, and up to 0 were needed (desired 2, ready 2, starting 0, leaving 0, deficit 0; standby 1, of which ready 1)
            remembered: watched now to now; needed 0 at now
        "#]],
    );
}

#[test]
fn a_broken_watch_starts_the_hold_down_anew() {
    let scene = |until| {
        Scene::desired(2)
            .ready(2)
            .standby(1)
            .watched(900, until)
            .needed(0, until)
    };
    check(
        scene(180),
        expect![[r#"
        step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 1 to 0, because for 600 s no more than 0 standby tasks were needed (desired 2, ready 2, starting 0, leaving 0, deficit 0; standby 1, of which ready 1)
        remembered: watched -900 s to now; needed 0 at now; may write 1 to 0 at now
    "#]],
    );
    check(
        scene(181),
        expect![[r#"
            hold `container-demo/web` waiting_for_hold_down until 2026-03-01T12:10:00Z: standby tasks are given back once unneeded for 600 s without a break; the pair has been watched only since 2026-03-01T12:00:00Z, and up to 0 were needed (desired 2, ready 2, starting 0, leaving 0, deficit 0; standby 1, of which ready 1)
            remembered: watched now to now; needed 0 at now
        "#]],
    );
}

#[test]
fn only_what_was_never_needed_is_given_back() {
    let scene = recovered(700).needed(3, 500);
    check(
        scene,
        expect![[r#"
        step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 5 to 3, because for 600 s no more than 3 standby tasks were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
        remembered: watched -700 s to now; needed 3 at -500 s, 0 at now; may write 5 to 3 at now
    "#]],
    );
    let ordered = Scene::desired(10).ready(10).standby(5).watched(1_000, 60);
    check(
        ordered.needed(5, 700).needed(3, 500).needed(0, 60),
        expect![[r#"
            step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 5 to 3, because for 600 s no more than 3 standby tasks were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
            remembered: watched -700 s to now; needed 3 at -500 s, 0 at now; may write 5 to 3 at now
        "#]],
    );
}

/// Five were needed 100 s ago and are forgotten, because the hold-down was 60 s. It is now 600 s.
#[test]
fn a_longer_hold_down_counts_from_what_is_still_remembered() {
    let short = Scene::desired(10).ready(10).standby(5).watched(1_000, 40);
    let short = short
        .needed(5, 100)
        .needed(0, 40)
        .tag("ballast:hold-down-secs", "60");
    let short = short.pair_gap("ecs:DescribeTasks", "container-demo/web");
    check(
        short.clone(),
        expect![[r#"
            hold `container-demo/web` snapshot_incomplete: something could not be observed: nothing is given back, and only what is missing for certain is covered (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5): `ecs:DescribeTasks` for `container-demo/web`: throttled (ThrottlingException: Rate exceeded)
            remembered: watched -100 s to now; needed 0 at now
        "#]],
    );
    let mut later = short.carried_out();
    later.pair.gaps.clear();
    check(
        later.tag("ballast:hold-down-secs", "600"),
        expect![[r#"
            hold `container-demo/web` waiting_for_hold_down until 2026-03-01T12:08:20Z: standby tasks are given back once unneeded for 600 s without a break; the pair has been watched only since 2026-03-01T11:58:20Z, and up to 0 were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
            remembered: watched -100 s to now; needed 0 at now
        "#]],
    );
}

#[test]
fn raising_again_cancels_it() {
    check(
        Scene::desired(10)
            .ready(4)
            .taken(6, 20)
            .standby(5)
            .watched(1_000, 60)
            .needed(0, 60),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 5 to 6, because Spot took 6 tasks that are still missing (desired 10, ready 4, starting 0, leaving 0, deficit 6; standby 5, of which ready 5)
            remembered: watched -1000 s to now; missing 6 at now; needed 6 at now; may write 5 to 6 at now
        "#]],
    );
}

#[test]
fn nothing_is_given_back_without_the_ledger() {
    check(
        Scene::desired(10).ready(10).standby(5).ledger_unknown(),
        expect![[r#"
            hold `container-demo/web` memory_unavailable: the ledger cannot be read: nothing is given back, and only evidence of a Spot shortage raises the standby (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
            not remembered
        "#]],
    );
}

#[test]
fn a_gap_of_the_pair_or_of_its_cluster_or_of_everything_keeps_it() {
    let unneeded = || recovered(600);
    check(
        unneeded().pair_gap("ecs:DescribeTasks", "container-demo/web-standby"),
        expect![[r#"
            hold `container-demo/web` snapshot_incomplete: something could not be observed: nothing is given back, and only what is missing for certain is covered (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5): `ecs:DescribeTasks` for `container-demo/web-standby`: throttled (ThrottlingException: Rate exceeded)
            remembered: watched -600 s to now; needed 0 at now; wrote 0 to 5 at -1000 s
        "#]],
    );
    check(
        unneeded().shared_gap("ecs:ListServices", "container-demo"),
        expect![[r#"
            hold `container-demo/web` snapshot_incomplete: something could not be observed: nothing is given back, and only what is missing for certain is covered (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5): `ecs:ListServices` for `container-demo`: throttled (ThrottlingException: Rate exceeded)
            remembered: watched -600 s to now; needed 0 at now; wrote 0 to 5 at -1000 s
        "#]],
    );
    check(
        unneeded().shared_gap("ecs:ListClusters", "*"),
        expect![[r#"
            hold `container-demo/web` snapshot_incomplete: something could not be observed: nothing is given back, and only what is missing for certain is covered (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5): `ecs:ListClusters` for `*`: throttled (ThrottlingException: Rate exceeded)
            remembered: watched -600 s to now; needed 0 at now; wrote 0 to 5 at -1000 s
        "#]],
    );
    check(
        unneeded().shared_gap(
            "application-autoscaling:DescribeScalableTargets",
            "container-demo/web-standby",
        ),
        expect![[r#"
            hold `container-demo/web` snapshot_incomplete: something could not be observed: nothing is given back, and only what is missing for certain is covered (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5): `application-autoscaling:DescribeScalableTargets` for `container-demo/web-standby`: throttled (ThrottlingException: Rate exceeded)
            remembered: watched -600 s to now; needed 0 at now; wrote 0 to 5 at -1000 s
        "#]],
    );
    check(
        unneeded().shared_gap("ecs:DescribeTasks", "container-demo/web"),
        expect![[r#"
            hold `container-demo/web` snapshot_incomplete: something could not be observed: nothing is given back, and only what is missing for certain is covered (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5): `ecs:DescribeTasks` for `container-demo/web`: throttled (ThrottlingException: Rate exceeded)
            remembered: watched -600 s to now; needed 0 at now; wrote 0 to 5 at -1000 s
        "#]],
    );
    check(
        unneeded().shared_gap("ecs:ListServices", "other"),
        expect![[r#"
            step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 5 to 0, because for 600 s no more than 0 standby tasks were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
            remembered: watched -600 s to now; needed 0 at now; may write 5 to 0 at now
        "#]],
    );
}

#[test]
fn a_deployment_on_either_side_keeps_it() {
    check(
        recovered(600).primary(rolling),
        expect![[r#"
        hold `container-demo/web` deployment_running: a deployment of the primary is running (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
        remembered: watched -600 s to now; needed 0 at now; wrote 0 to 5 at -1000 s
    "#]],
    );
    check(
        recovered(600).on_standby(rolling),
        expect![[r#"
        hold `container-demo/web` deployment_running: a deployment of the standby is running (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
        remembered: watched -600 s to now; needed 0 at now; wrote 0 to 5 at -1000 s
    "#]],
    );
    check(
        recovered(600).primary(|primary| primary.deployments = vec![deployment("1", true)]),
        expect![[r#"
            hold `container-demo/web` deployment_running: a deployment of the primary is running (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
            remembered: watched -600 s to now; needed 0 at now; wrote 0 to 5 at -1000 s
        "#]],
    );
    check(
        recovered(600).primary(|primary| primary.deployments.push(deployment("2", false))),
        expect![[r#"
            hold `container-demo/web` deployment_running: a deployment of the primary is running (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
            remembered: watched -600 s to now; needed 0 at now; wrote 0 to 5 at -1000 s
        "#]],
    );
}

/// One primary task still starts: only as many are given back as may go, whichever ECS stops.
#[test]
fn ready_tasks_stay_at_the_desired_count() {
    let scene = |ready, standby_ready| {
        Scene::desired(10)
            .ready(ready)
            .starting(10 - ready, 10)
            .standby_with(5, standby_ready)
            .standby_starting(5 - standby_ready)
            .watched(1_000, 60)
            .needed(0, 60)
    };
    check(
        scene(9, 5),
        expect![[r#"
        step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 5 to 1, because for 600 s no more than 1 standby tasks were needed (desired 10, ready 9, starting 1, leaving 0, deficit 0; standby 5, of which ready 5)
        remembered: watched -1000 s to now; needed 1 at now; may write 5 to 1 at now
    "#]],
    );
    check(
        scene(9, 3),
        expect![[r#"
        step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 5 to 3, because for 600 s no more than 1 standby tasks were needed (desired 10, ready 9, starting 1, leaving 0, deficit 0; standby 5, of which ready 3)
        remembered: watched -1000 s to now; needed 1 at now; may write 5 to 3 at now
    "#]],
    );
    check(
        scene(9, 1),
        expect![[r#"
        hold `container-demo/web` nothing_to_spare: lowering the standby now could stop ready tasks that are needed (desired 10, ready 9, starting 1, leaving 0, deficit 0; standby 5, of which ready 1)
        remembered: watched -1000 s to now; needed 1 at now
    "#]],
    );
    check(
        scene(5, 5),
        expect![[r#"
        hold `container-demo/web` waiting_for_hold_down until 2026-03-01T12:10:00Z: standby tasks are given back once unneeded for 600 s without a break; lately up to 5 were needed (desired 10, ready 5, starting 5, leaving 0, deficit 0; standby 5, of which ready 5)
        remembered: watched -1000 s to now; needed 5 at now
    "#]],
    );
    check(
        scene(10, 0),
        expect![[r#"
        step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 5 to 0, because for 600 s no more than 0 standby tasks were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 0)
        remembered: watched -1000 s to now; needed 0 at now; may write 5 to 0 at now
    "#]],
    );
}

/// With a deficit of 1 and a cap of 2 below the standby's 5, the four that are needed stay.
#[test]
fn a_lowered_cap_gives_back_no_ready_task_that_is_needed() {
    let scene = |ready| {
        let scene = Scene::desired(10)
            .ready(ready)
            .standby(5)
            .watched(1_000, 60);
        scene.needed(2, 60).tag("ballast:standby-max", "2")
    };
    check(
        scene(6),
        expect![[r#"
        step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 5 to 4, because for 600 s no more than 2 standby tasks were needed (desired 10, ready 6, starting 0, leaving 0, deficit 4; standby 5, of which ready 5)
        remembered: watched -1000 s to now; missing 4 at now; needed 2 at now; may write 5 to 4 at now
    "#]],
    );
    check(
        scene(5),
        expect![[r#"
        hold `container-demo/web` nothing_to_spare: lowering the standby now could stop ready tasks that are needed (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 5, of which ready 5)
        remembered: watched -1000 s to now; missing 5 at now; needed 2 at now
    "#]],
    );
    let unneeded_since = Scene::desired(10).ready(6).standby(5).watched(1_000, 60);
    check(
        unneeded_since.needed(2, 60).tag("ballast:standby-max", "5"),
        expect![[r#"
            step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 5 to 4, because for 600 s no more than 4 standby tasks were needed (desired 10, ready 6, starting 0, leaving 0, deficit 4; standby 5, of which ready 5)
            remembered: watched -1000 s to now; missing 4 at now; needed 4 at now; may write 5 to 4 at now
        "#]],
    );
}

#[test]
fn while_ecs_still_stops_tasks_the_next_one_waits() {
    let scene = |to_run| {
        Scene::desired(10)
            .ready(10)
            .standby_with(5, to_run)
            .watched(1_000, 60)
    };
    check(
        scene(7).needed(0, 60),
        expect![[r#"
        hold `container-demo/web` standby_settling: an earlier give-back settles: 7 standby tasks are not told to stop (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 7)
        remembered: watched -1000 s to now; needed 0 at now
    "#]],
    );
    check(
        scene(5).needed(0, 60),
        expect![[r#"
        step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 5 to 0, because for 600 s no more than 0 standby tasks were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
        remembered: watched -1000 s to now; needed 0 at now; may write 5 to 0 at now
    "#]],
    );
}

#[test]
fn right_after_a_give_back_the_next_one_waits() {
    let scene = |secs| {
        let scene = Scene::desired(10).ready(10).standby(3).watched(1_000, 60);
        scene.needed(0, 60).wrote(5, 3, secs)
    };
    check(
        scene(29),
        expect![[r#"
        hold `container-demo/web` standby_settling until 2026-03-01T12:00:01Z: an earlier give-back settles: 3 standby tasks are not told to stop (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 3, of which ready 3)
        remembered: watched -1000 s to now; needed 0 at now; wrote 5 to 3 at -29 s
    "#]],
    );
    check(
        scene(30),
        expect![[r#"
        step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 3 to 0, because for 600 s no more than 0 standby tasks were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 3, of which ready 3)
        remembered: watched -1000 s to now; needed 0 at now; may write 3 to 0 at now
    "#]],
    );
    // A raise a moment ago is no reason to wait: the hold-down is.
    let raised = Scene::desired(10).ready(10).standby(3).watched(1_000, 60);
    check(
        raised.needed(0, 60).wrote(2, 3, 5),
        expect![[r#"
        step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 3 to 0, because for 600 s no more than 0 standby tasks were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 3, of which ready 3)
        remembered: watched -1000 s to now; needed 0 at now; may write 3 to 0 at now
    "#]],
    );
}

#[test]
fn an_older_look_after_a_newer_one_does_not_break_the_watch() {
    let scene = |until_secs_ago| {
        Scene::desired(10)
            .ready(10)
            .standby(5)
            .wrote(0, 5, 1_000)
            .watched(1_000, until_secs_ago)
            .needed(5, 900)
            .needed(0, until_secs_ago)
    };
    check(
        scene(-30),
        expect![[r#"
            step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 5 to 0, because for 600 s no more than 0 standby tasks were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
            remembered: watched -900 s to +30 s; needed 0 at +30 s; may write 5 to 0 at now
        "#]],
    );
    check(
        scene(-31),
        expect![[r#"
            hold `container-demo/web` waiting_for_hold_down until 2026-03-01T12:10:00Z: standby tasks are given back once unneeded for 600 s without a break; the pair has been watched only since 2026-03-01T12:00:00Z, and up to 0 were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 5, of which ready 5)
            remembered: watched now to now; needed 0 at now; wrote 0 to 5 at -1000 s
        "#]],
    );
}
