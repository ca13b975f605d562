//! More is missing than the standby covers: what is evidence enough, and how far it reaches.

use expect_test::expect;

use crate::scene::{Scene, ago, check, deployment};

#[test]
fn nothing_is_missing() {
    check(
        Scene::desired(10).ready(10),
        expect![[r#"
        hold `container-demo/web` at_rest: nothing is missing and nothing is lent (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 0, of which ready 0)
        remembered: nothing
    "#]],
    );
}

#[test]
fn the_standby_covers_what_is_missing() {
    check(
        Scene::desired(10).ready(7).standby(3),
        expect![[r#"
        hold `container-demo/web` covered: the standby covers what is missing (desired 10, ready 7, starting 0, leaving 0, deficit 3; standby 3, of which ready 3)
        remembered: watched now to now; missing 3 at now; needed 3 at now
    "#]],
    );
}

#[test]
fn what_is_missing_is_on_its_way() {
    check(
        Scene::desired(10).ready(7).starting(3, 20),
        expect![[r#"
            hold `container-demo/web` starting: what is missing is on its way (desired 10, ready 7, starting 3, leaving 0, deficit 0; standby 0, of which ready 0)
            remembered: watched now to now; needed 3 at now
        "#]],
    );
}

#[test]
fn the_standby_is_raised_far_enough_and_not_ready() {
    check(
        Scene::desired(10)
            .ready(7)
            .standby_with(3, 1)
            .standby_starting(2),
        expect![[r#"
            hold `container-demo/web` covering: the standby was raised far enough; 2 of its tasks are not ready yet (desired 10, ready 7, starting 0, leaving 0, deficit 3; standby 3, of which ready 1)
            remembered: watched now to now; missing 3 at now; needed 3 at now
        "#]],
    );
}

#[test]
fn unhealthy_tasks_and_tasks_beyond_the_start_grace_are_missing() {
    check(
        Scene::desired(10)
            .ready(6)
            .unhealthy(1)
            .starting(1, 179)
            .starting(2, 180),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 2, because 2 tasks did not start within 180 s (desired 10, ready 6, starting 1, leaving 0, deficit 3; standby 0, of which ready 0)
            remembered: watched now to now; missing 3 at now; needed 4 at now; may write 0 to 2 at now
        "#]],
    );
}

#[test]
fn a_starting_task_without_an_age_is_missing() {
    let scene = Scene::desired(1).starting(1, 0);
    check(
        scene.primary(|primary| primary.tasks[0].created_at = None),
        expect![[r#"
            hold `container-demo/web` waiting_to_settle until 2026-03-01T12:02:00Z: a deficit without sign of a Spot shortage must last 120 s (desired 1, ready 0, starting 0, leaving 0, deficit 1; standby 0, of which ready 0)
            remembered: watched now to now; missing 1 at now; needed 1 at now
        "#]],
    );
}

#[test]
fn a_placement_failure_for_spot_ends_the_wait() {
    let waits = || Scene::desired(10).ready_started_in(3, 20).interrupted(7, 5);
    check(
        waits().spot_failed(2),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because ECS found no Spot capacity at 2026-03-01T11:59:58Z (desired 10, ready 3, starting 0, leaving 7, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now; Spot short at -2 s
    "#]],
    );
    check(
        waits().shortage_remembered(899),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because ECS found no Spot capacity at 2026-03-01T11:45:01Z (desired 10, ready 3, starting 0, leaving 7, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now; Spot short at -899 s
    "#]],
    );
    check(
        waits().shortage_remembered(900),
        expect![[r#"
        hold `container-demo/web` waiting_for_deadline until 2026-03-01T12:00:25Z: interrupted tasks serve until 2026-03-01T12:01:55Z and a task starts in 20 s: raising now gains nothing (desired 10, ready 3, starting 0, leaving 7, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now
    "#]],
    );
    check(
        waits().spot_failed(900),
        expect![[r#"
        hold `container-demo/web` waiting_for_deadline until 2026-03-01T12:00:25Z: interrupted tasks serve until 2026-03-01T12:01:55Z and a task starts in 20 s: raising now gains nothing (desired 10, ready 3, starting 0, leaving 7, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now
    "#]],
    );
    check(
        waits().spot_failed(899),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because ECS found no Spot capacity at 2026-03-01T11:45:01Z (desired 10, ready 3, starting 0, leaving 7, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now; Spot short at -899 s
    "#]],
    );
}

#[test]
fn a_report_without_a_time_or_from_the_future_is_of_now() {
    let short = || Scene::desired(2).ready(1);
    check(
        short().spot_failed(-90),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because ECS found no Spot capacity at 2026-03-01T12:00:00Z (desired 2, ready 1, starting 0, leaving 0, deficit 1; standby 0, of which ready 0)
        remembered: watched now to now; missing 1 at now; needed 1 at now; may write 0 to 1 at now; Spot short at now
    "#]],
    );
    check(
        short().reported(
            "container-demo/web",
            &["FARGATE_SPOT"],
            "RESOURCE:FARGATE",
            None,
        ),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because ECS found no Spot capacity at 2026-03-01T12:00:00Z (desired 2, ready 1, starting 0, leaving 0, deficit 1; standby 0, of which ready 0)
            remembered: watched now to now; missing 1 at now; needed 1 at now; may write 0 to 1 at now; Spot short at now
        "#]],
    );
}

#[test]
fn a_report_about_another_service_or_cause_does_not_end_the_wait() {
    let short = || Scene::desired(2).ready(1);
    let reason = "RESOURCE:FARGATE";
    for (service, providers, reason) in [
        ("container-demo/api", ["FARGATE_SPOT"], reason),
        ("other/web", ["FARGATE_SPOT"], reason),
        ("container-demo/web-standby", ["FARGATE_SPOT"], reason),
        ("container-demo/web", ["FARGATE"], reason),
        ("container-demo/web", ["FARGATE_SPOT"], "RESOURCE:CPU"),
    ] {
        let decision = short()
            .reported(service, &providers, reason, Some(1))
            .decide();
        assert_eq!(
            decision,
            short().decide(),
            "{service} {providers:?} {reason}"
        );
    }
    check(
        short(),
        expect![[r#"
        hold `container-demo/web` waiting_to_settle until 2026-03-01T12:02:00Z: a deficit without sign of a Spot shortage must last 120 s (desired 2, ready 1, starting 0, leaving 0, deficit 1; standby 0, of which ready 0)
        remembered: watched now to now; missing 1 at now; needed 1 at now
    "#]],
    );
}

#[test]
fn a_report_is_forgotten_as_soon_as_everything_is_ready() {
    // ECS tries again, and the new tasks may fail to find capacity as the last ones did.
    check(
        Scene::desired(3)
            .ready(2)
            .starting(1, 20)
            .shortage_remembered(60)
            .spot_failed(1),
        expect![[r#"
            hold `container-demo/web` starting: what is missing is on its way (desired 3, ready 2, starting 1, leaving 0, deficit 0; standby 0, of which ready 0)
            remembered: watched now to now; needed 1 at now; Spot short at -1 s
        "#]],
    );
    check(
        Scene::desired(3)
            .ready(3)
            .standby(1)
            .shortage_remembered(60)
            .spot_failed(1),
        expect![[r#"
            hold `container-demo/web` waiting_for_hold_down until 2026-03-01T12:10:00Z: standby tasks are given back once unneeded for 600 s without a break; the pair has been watched only since 2026-03-01T12:00:00Z, and up to 0 were needed (desired 3, ready 3, starting 0, leaving 0, deficit 0; standby 1, of which ready 1)
            remembered: watched now to now; needed 0 at now
        "#]],
    );
    check(
        Scene::desired(3).ready(2).shortage_remembered(60),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because ECS found no Spot capacity at 2026-03-01T11:59:00Z (desired 3, ready 2, starting 0, leaving 0, deficit 1; standby 0, of which ready 0)
            remembered: watched now to now; missing 1 at now; needed 1 at now; may write 0 to 1 at now; Spot short at -60 s
        "#]],
    );
}

#[test]
fn late_reports_raise_nothing_without_a_ledger_either() {
    let short = || Scene::desired(2).ready(1).ledger_unknown();
    check(
        short().spot_failed(899),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because ECS found no Spot capacity at 2026-03-01T11:45:01Z (desired 2, ready 1, starting 0, leaving 0, deficit 1; standby 0, of which ready 0)
        not remembered
    "#]],
    );
    check(
        short().spot_failed(900),
        expect![[r#"
        hold `container-demo/web` memory_unavailable: the ledger cannot be read: nothing is given back, and only evidence of a Spot shortage raises the standby (desired 2, ready 1, starting 0, leaving 0, deficit 1; standby 0, of which ready 0)
        not remembered
    "#]],
    );
    check(
        short().spot_failed(86_400),
        expect![[r#"
        hold `container-demo/web` memory_unavailable: the ledger cannot be read: nothing is given back, and only evidence of a Spot shortage raises the standby (desired 2, ready 1, starting 0, leaving 0, deficit 1; standby 0, of which ready 0)
        not remembered
    "#]],
    );
}

#[test]
fn what_spot_took_lately_is_covered_and_no_more() {
    check(
        Scene::desired(10).ready(5).taken(3, 130),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 3, because Spot took 3 tasks that are still missing (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
        remembered: watched now to now; missing 5 at now; needed 5 at now; may write 0 to 3 at now
    "#]],
    );
    check(
        Scene::desired(10).ready(5).taken(3, 299),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 3, because Spot took 3 tasks that are still missing (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
        remembered: watched now to now; missing 5 at now; needed 5 at now; may write 0 to 3 at now
    "#]],
    );
    check(
        Scene::desired(10).ready(5).taken(3, 300),
        expect![[r#"
        hold `container-demo/web` waiting_to_settle until 2026-03-01T12:02:00Z: a deficit without sign of a Spot shortage must last 120 s (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
        remembered: watched now to now; missing 5 at now; needed 5 at now
    "#]],
    );
    check(
        Scene::desired(10).ready(9).taken(3, 130),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because Spot took 1 tasks that are still missing (desired 10, ready 9, starting 0, leaving 0, deficit 1; standby 0, of which ready 0)
        remembered: watched now to now; missing 1 at now; needed 1 at now; may write 0 to 1 at now
    "#]],
    );
    let only_stopped_at = |task: &mut model::snapshot::Task| {
        task.stopping_at = None;
        task.stopped_at = Some(ago(10));
    };
    check(
        Scene::desired(2)
            .ready(1)
            .taken(1, 0)
            .primary(|it| only_stopped_at(&mut it.tasks[1])),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because Spot took 1 tasks that are still missing (desired 2, ready 1, starting 0, leaving 0, deficit 1; standby 0, of which ready 0)
            remembered: watched now to now; missing 1 at now; needed 1 at now; may write 0 to 1 at now
        "#]],
    );
}

#[test]
fn a_deficit_without_evidence_must_settle_to_the_second() {
    check(
        Scene::desired(10).ready(8),
        expect![[r#"
        hold `container-demo/web` waiting_to_settle until 2026-03-01T12:02:00Z: a deficit without sign of a Spot shortage must last 120 s (desired 10, ready 8, starting 0, leaving 0, deficit 2; standby 0, of which ready 0)
        remembered: watched now to now; missing 2 at now; needed 2 at now
    "#]],
    );
    let since = |secs| {
        let scene = Scene::desired(10).ready(8);
        scene.watched(secs, 59).missing_since(2, secs).needed(2, 59)
    };
    check(
        since(119),
        expect![[r#"
        hold `container-demo/web` waiting_to_settle until 2026-03-01T12:00:01Z: a deficit without sign of a Spot shortage must last 120 s (desired 10, ready 8, starting 0, leaving 0, deficit 2; standby 0, of which ready 0)
        remembered: watched -119 s to now; missing 2 at -119 s; needed 2 at now
    "#]],
    );
    check(
        since(120),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 2, because the deficit has lasted since 2026-03-01T11:58:00Z, longer than 120 s (desired 10, ready 8, starting 0, leaving 0, deficit 2; standby 0, of which ready 0)
        remembered: watched -120 s to now; missing 2 at -120 s; needed 2 at now; may write 0 to 2 at now
    "#]],
    );
    check(
        Scene::desired(10).ready(8).tag("ballast:settle-secs", "0"),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 2, because the deficit has lasted since 2026-03-01T12:00:00Z, longer than 0 s (desired 10, ready 8, starting 0, leaving 0, deficit 2; standby 0, of which ready 0)
            remembered: watched now to now; missing 2 at now; needed 2 at now; may write 0 to 2 at now
        "#]],
    );
}

#[test]
fn only_what_has_lasted_is_covered() {
    let scene = Scene::desired(10).ready(4).watched(300, 30);
    let scene = scene
        .missing_since(2, 300)
        .missing_since(3, 120)
        .missing_since(5, 100);
    check(
        scene.clone().needed(5, 30),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 3, because the deficit has lasted since 2026-03-01T11:58:00Z, longer than 120 s (desired 10, ready 4, starting 0, leaving 0, deficit 6; standby 0, of which ready 0)
        remembered: watched -300 s to now; missing 2 at -300 s, 3 at -120 s, 5 at -100 s, 6 at now; needed 6 at now; may write 0 to 3 at now
    "#]],
    );
    check(
        scene.needed(5, 30).standby(3),
        expect![[r#"
        hold `container-demo/web` waiting_to_settle until 2026-03-01T12:00:20Z: a deficit without sign of a Spot shortage must last 120 s (desired 10, ready 4, starting 0, leaving 0, deficit 6; standby 3, of which ready 3)
        remembered: watched -300 s to now; missing 2 at -300 s, 3 at -120 s, 5 at -100 s, 6 at now; needed 6 at now
    "#]],
    );
}

#[test]
fn a_broken_watch_starts_to_settle_anew() {
    let watched = |until| {
        let scene = Scene::desired(10).ready(8);
        scene
            .watched(500, until)
            .missing_since(2, 500)
            .needed(2, until)
    };
    check(
        watched(180),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 2, because the deficit has lasted since 2026-03-01T11:51:40Z, longer than 120 s (desired 10, ready 8, starting 0, leaving 0, deficit 2; standby 0, of which ready 0)
        remembered: watched -500 s to now; missing 2 at -500 s; needed 2 at now; may write 0 to 2 at now
    "#]],
    );
    check(
        watched(181),
        expect![[r#"
        hold `container-demo/web` waiting_to_settle until 2026-03-01T12:02:00Z: a deficit without sign of a Spot shortage must last 120 s (desired 10, ready 8, starting 0, leaving 0, deficit 2; standby 0, of which ready 0)
        remembered: watched now to now; missing 2 at now; needed 2 at now
    "#]],
    );
    // A look that is older than the last one.
    check(
        watched(-1),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 2, because the deficit has lasted since 2026-03-01T11:51:40Z, longer than 120 s (desired 10, ready 8, starting 0, leaving 0, deficit 2; standby 0, of which ready 0)
            remembered: watched -500 s to +1 s; missing 2 at -500 s; needed 2 at +1 s; may write 0 to 2 at now
        "#]],
    );
}

#[test]
fn the_cap_is_the_tag_or_the_desired_count() {
    let short = |max: Option<&str>| {
        let scene = Scene::desired(5).spot_failed(1);
        max.map_or(scene.clone(), |max| scene.tag("ballast:standby-max", max))
    };
    check(
        short(None),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 5, because ECS found no Spot capacity at 2026-03-01T11:59:59Z (desired 5, ready 0, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
        remembered: watched now to now; missing 5 at now; needed 5 at now; may write 0 to 5 at now; Spot short at -1 s
    "#]],
    );
    check(
        short(Some("3")),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 3, because ECS found no Spot capacity at 2026-03-01T11:59:59Z (desired 5, ready 0, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
        remembered: watched now to now; missing 5 at now; needed 3 at now; may write 0 to 3 at now; Spot short at -1 s
    "#]],
    );
    check(
        short(Some("9")),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 5, because ECS found no Spot capacity at 2026-03-01T11:59:59Z (desired 5, ready 0, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
        remembered: watched now to now; missing 5 at now; needed 5 at now; may write 0 to 5 at now; Spot short at -1 s
    "#]],
    );
    check(
        short(Some("3")).standby(3),
        expect![[r#"
        hold `container-demo/web` at_cap: the standby is at its cap of 3 (desired 5, ready 0, starting 0, leaving 0, deficit 5; standby 3, of which ready 3)
        remembered: watched now to now; missing 5 at now; needed 3 at now; Spot short at -1 s
    "#]],
    );
    check(
        short(Some("0")),
        expect![[r#"
            hold `container-demo/web` at_cap: the standby is at its cap of 0 (desired 5, ready 0, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
            remembered: watched now to now; missing 5 at now; needed 0 at now; Spot short at -1 s
        "#]],
    );
}

#[test]
fn raising_needs_neither_a_ledger_nor_a_complete_snapshot_nor_the_end_of_a_deployment() {
    let short = || Scene::desired(10).ready(3).taken(7, 60);
    check(
        short().ledger_unknown(),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because Spot took 7 tasks that are still missing (desired 10, ready 3, starting 0, leaving 0, deficit 7; standby 0, of which ready 0)
        not remembered
    "#]],
    );
    check(
        short()
            .pair_gap("ecs:DescribeTasks", "container-demo/web")
            .shared_gap("ecs:ListServices", "*"),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because Spot took 7 tasks that are still missing (desired 10, ready 3, starting 0, leaving 0, deficit 7; standby 0, of which ready 0)
            remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now
        "#]],
    );
    let rolls = |it: &mut model::snapshot::Service| it.deployments.push(deployment("2", true));
    check(
        short().primary(rolls).on_standby(rolls),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because Spot took 7 tasks that are still missing (desired 10, ready 3, starting 0, leaving 0, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now
    "#]],
    );
}

#[test]
fn without_a_ledger_a_deficit_cannot_be_seen_to_last() {
    check(
        Scene::desired(10).ready(8).ledger_unknown(),
        expect![[r#"
        hold `container-demo/web` memory_unavailable: the ledger cannot be read: nothing is given back, and only evidence of a Spot shortage raises the standby (desired 10, ready 8, starting 0, leaving 0, deficit 2; standby 0, of which ready 0)
        not remembered
    "#]],
    );
    // An interruption's deadline needs no ledger.
    check(
        Scene::desired(10)
            .ready_started_in(8, 20)
            .interrupted(2, 5)
            .ledger_unknown(),
        expect![[r#"
            hold `container-demo/web` waiting_for_deadline until 2026-03-01T12:00:25Z: interrupted tasks serve until 2026-03-01T12:01:55Z and a task starts in 20 s: raising now gains nothing (desired 10, ready 8, starting 0, leaving 2, deficit 2; standby 0, of which ready 0)
            not remembered
        "#]],
    );
}

/// Spot took three a while ago, two of which were replaced; three more still serve.
#[test]
fn replaced_tasks_that_spot_took_are_not_covered_again() {
    let scene = Scene::desired(10).ready_started_in(6, 20).taken(3, 200);
    check(
        scene.interrupted(3, 10),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because Spot took 1 tasks that are still missing (desired 10, ready 6, starting 0, leaving 3, deficit 4; standby 0, of which ready 0)
        remembered: watched now to now; missing 4 at now; needed 4 at now; may write 0 to 1 at now
    "#]],
    );
}
