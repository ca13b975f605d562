//! Interrupted tasks still serve: the latest responsible moment, to the second.

use expect_test::expect;
use model::Seconds;
use model::snapshot::{Health, TaskStatus};

use crate::scene::{Scene, ago, check};

#[test]
fn with_the_defaults_an_interruption_is_covered_at_once() {
    check(
        Scene::desired(10).ready(3).interrupted(7, 0),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because interrupted tasks end from 2026-03-01T12:02:00Z on and a task starts in 60 s, so that 2026-03-01T11:59:50Z was the latest moment to wait for (desired 10, ready 3, starting 0, leaving 7, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now
    "#]],
    );
}

#[test]
fn one_second_before_the_latest_moment_it_waits() {
    check(
        Scene::desired(10)
            .ready_started_in(3, 20)
            .interrupted(7, 29),
        expect![[r#"
            hold `container-demo/web` waiting_for_deadline until 2026-03-01T12:00:01Z: interrupted tasks serve until 2026-03-01T12:01:31Z and a task starts in 20 s: raising now gains nothing (desired 10, ready 3, starting 0, leaving 7, deficit 7; standby 0, of which ready 0)
            remembered: watched now to now; missing 7 at now; needed 7 at now
        "#]],
    );
}

#[test]
fn at_the_latest_moment_it_raises() {
    check(
        Scene::desired(10)
            .ready_started_in(3, 20)
            .interrupted(7, 30),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because interrupted tasks end from 2026-03-01T12:01:30Z on and a task starts in 20 s, so that 2026-03-01T12:00:00Z was the latest moment to wait for (desired 10, ready 3, starting 0, leaving 7, deficit 7; standby 0, of which ready 0)
            remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now
        "#]],
    );
}

#[test]
fn the_interval_and_the_margin_count() {
    let scene = |told| {
        let mut scene = Scene::desired(10).ready_started_in(3, 20);
        scene = scene.interrupted(7, told).tag("ballast:margin-secs", "0");
        scene.installation.schedule_interval = Seconds(70);
        scene
    };
    check(
        scene(29),
        expect![[r#"
        hold `container-demo/web` waiting_for_deadline until 2026-03-01T12:00:01Z: interrupted tasks serve until 2026-03-01T12:01:31Z and a task starts in 20 s: raising now gains nothing (desired 10, ready 3, starting 0, leaving 7, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now
    "#]],
    );
    check(
        scene(30),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because interrupted tasks end from 2026-03-01T12:01:30Z on and a task starts in 20 s, so that 2026-03-01T12:00:00Z was the latest moment to wait for (desired 10, ready 3, starting 0, leaving 7, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now
    "#]],
    );
}

#[test]
fn a_short_stop_timeout_brings_the_moment_forward() {
    let scene = |stop_timeout, told| {
        Scene::desired(10)
            .ready_started_in(3, 5)
            .interrupted(7, told)
            .tag("ballast:margin-secs", "0")
            .primary(|primary| primary.stop_timeout = stop_timeout)
    };
    // 30 − 5 − 60 − 0 s after the warning is long past.
    check(
        scene(Some(Seconds(30)), 0),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because interrupted tasks end from 2026-03-01T12:00:30Z on and a task starts in 5 s, so that 2026-03-01T11:59:25Z was the latest moment to wait for (desired 10, ready 3, starting 0, leaving 7, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now
    "#]],
    );
    // Not read: 30 s are assumed.
    check(
        scene(None, 0),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because interrupted tasks end from 2026-03-01T12:00:30Z on and a task starts in 5 s, so that 2026-03-01T11:59:25Z was the latest moment to wait for (desired 10, ready 3, starting 0, leaving 7, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now
    "#]],
    );
    // Longer than the notice: Spot does not wait.
    check(
        scene(Some(Seconds(600)), 54),
        expect![[r#"
        hold `container-demo/web` waiting_for_deadline until 2026-03-01T12:00:01Z: interrupted tasks serve until 2026-03-01T12:01:06Z and a task starts in 5 s: raising now gains nothing (desired 10, ready 3, starting 0, leaving 7, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now
    "#]],
    );
    check(
        scene(Some(Seconds(600)), 55),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because interrupted tasks end from 2026-03-01T12:01:05Z on and a task starts in 5 s, so that 2026-03-01T12:00:00Z was the latest moment to wait for (desired 10, ready 3, starting 0, leaving 7, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now
    "#]],
    );
}

#[test]
fn the_start_up_time_is_a_high_percentile_of_both_services_within_bounds() {
    let waits = |scene: Scene| scene.interrupted(1, 10);
    check(
        waits(
            Scene::desired(11)
                .ready_started_in(9, 12)
                .ready_started_in(1, 500),
        ),
        expect![[r#"
            hold `container-demo/web` waiting_for_deadline until 2026-03-01T12:00:28Z: interrupted tasks serve until 2026-03-01T12:01:50Z and a task starts in 12 s: raising now gains nothing (desired 11, ready 10, starting 0, leaving 1, deficit 1; standby 0, of which ready 0)
            remembered: watched now to now; missing 1 at now; needed 1 at now
        "#]],
    );
    check(
        waits(
            Scene::desired(11)
                .ready_started_in(8, 12)
                .ready_started_in(2, 500),
        ),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because interrupted tasks end from 2026-03-01T12:01:50Z on and a task starts in 500 s, so that 2026-03-01T11:52:20Z was the latest moment to wait for (desired 11, ready 10, starting 0, leaving 1, deficit 1; standby 0, of which ready 0)
            remembered: watched now to now; missing 1 at now; needed 1 at now; may write 0 to 1 at now
        "#]],
    );
    let standby_tells = Scene::desired(2).ready(1).on_standby(|standby| {
        crate::scene::add(standby, 1, |task| task.started_at = Some(ago(3_570)));
    });
    check(
        waits(standby_tells),
        expect![[r#"
        hold `container-demo/web` waiting_for_deadline until 2026-03-01T12:00:10Z: interrupted tasks serve until 2026-03-01T12:01:50Z and a task starts in 30 s: raising now gains nothing (desired 2, ready 1, starting 0, leaving 1, deficit 1; standby 0, of which ready 1)
        remembered: watched now to now; missing 1 at now; needed 1 at now
    "#]],
    );
    check(
        waits(Scene::desired(2).ready_started_in(1, 0)),
        expect![[r#"
            hold `container-demo/web` waiting_for_deadline until 2026-03-01T12:00:35Z: interrupted tasks serve until 2026-03-01T12:01:50Z and a task starts in 5 s: raising now gains nothing (desired 2, ready 1, starting 0, leaving 1, deficit 1; standby 0, of which ready 0)
            remembered: watched now to now; missing 1 at now; needed 1 at now
        "#]],
    );
    check(
        waits(Scene::desired(2).ready_started_in(1, -5)),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because interrupted tasks end from 2026-03-01T12:01:50Z on and a task starts in 60 s, so that 2026-03-01T11:59:40Z was the latest moment to wait for (desired 2, ready 1, starting 0, leaving 1, deficit 1; standby 0, of which ready 0)
            remembered: watched now to now; missing 1 at now; needed 1 at now; may write 0 to 1 at now
        "#]],
    );
    check(
        waits(
            Scene::desired(2)
                .ready(1)
                .tag("ballast:start-up-secs", "15"),
        ),
        expect![[r#"
            hold `container-demo/web` waiting_for_deadline until 2026-03-01T12:00:25Z: interrupted tasks serve until 2026-03-01T12:01:50Z and a task starts in 15 s: raising now gains nothing (desired 2, ready 1, starting 0, leaving 1, deficit 1; standby 0, of which ready 0)
            remembered: watched now to now; missing 1 at now; needed 1 at now
        "#]],
    );
    check(
        waits(Scene::desired(2).ready_started_in(1, 3_000)),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because interrupted tasks end from 2026-03-01T12:01:50Z on and a task starts in 600 s, so that 2026-03-01T11:50:40Z was the latest moment to wait for (desired 2, ready 1, starting 0, leaving 1, deficit 1; standby 0, of which ready 0)
            remembered: watched now to now; missing 1 at now; needed 1 at now; may write 0 to 1 at now
        "#]],
    );
}

#[test]
fn what_still_serves_does_not_count_as_having_lasted() {
    let scene = Scene::desired(10)
        .ready_started_in(3, 20)
        .interrupted(7, 29);
    check(
        scene.tag("ballast:settle-secs", "0"),
        expect![[r#"
        hold `container-demo/web` waiting_for_deadline until 2026-03-01T12:00:01Z: interrupted tasks serve until 2026-03-01T12:01:31Z and a task starts in 20 s: raising now gains nothing (desired 10, ready 3, starting 0, leaving 7, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now
    "#]],
    );
}

#[test]
fn an_interrupted_task_counts_as_serving_only_while_it_does() {
    let scene = |change: fn(&mut model::snapshot::Task)| {
        let scene = Scene::desired(4).ready_started_in(3, 20).interrupted(1, 10);
        scene.primary(|primary| change(&mut primary.tasks[3]))
    };
    check(
        scene(|task| task.last_status = TaskStatus::Deactivating),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because Spot took 1 tasks that are still missing (desired 4, ready 3, starting 0, leaving 0, deficit 1; standby 0, of which ready 0)
            remembered: watched now to now; missing 1 at now; needed 1 at now; may write 0 to 1 at now
        "#]],
    );
    check(
        scene(|task| task.health = Health::Unhealthy),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because Spot took 1 tasks that are still missing (desired 4, ready 3, starting 0, leaving 0, deficit 1; standby 0, of which ready 0)
        remembered: watched now to now; missing 1 at now; needed 1 at now; may write 0 to 1 at now
    "#]],
    );
    check(
        scene(|task| task.stopping_at = None),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because Spot took 1 tasks that are still missing (desired 4, ready 3, starting 0, leaving 0, deficit 1; standby 0, of which ready 0)
            remembered: watched now to now; missing 1 at now; needed 1 at now; may write 0 to 1 at now
        "#]],
    );
    check(
        scene(|task| task.stopping_at = Some(ago(120))),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because Spot took 1 tasks that are still missing (desired 4, ready 3, starting 0, leaving 0, deficit 1; standby 0, of which ready 0)
            remembered: watched now to now; missing 1 at now; needed 1 at now; may write 0 to 1 at now
        "#]],
    );
    check(
        scene(|task| task.stopping_at = Some(ago(119))),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because interrupted tasks end from 2026-03-01T12:00:01Z on and a task starts in 20 s, so that 2026-03-01T11:58:31Z was the latest moment to wait for (desired 4, ready 3, starting 0, leaving 1, deficit 1; standby 0, of which ready 0)
            remembered: watched now to now; missing 1 at now; needed 1 at now; may write 0 to 1 at now
        "#]],
    );
}

#[test]
fn a_deployment_with_one_interruption_waits_for_the_earlier_of_the_two() {
    let scene = Scene::desired(10).ready_started_in(5, 20).interrupted(2, 5);
    check(
        scene.clone(),
        expect![[r#"
        hold `container-demo/web` waiting_to_settle until 2026-03-01T12:00:25Z: a deficit without sign of a Spot shortage must last 120 s (desired 10, ready 5, starting 0, leaving 2, deficit 5; standby 0, of which ready 0)
        remembered: watched now to now; missing 5 at now; needed 5 at now
    "#]],
    );
    check(
        scene.watched(100, 50).missing_since(3, 100).needed(3, 50),
        expect![[r#"
            hold `container-demo/web` waiting_to_settle until 2026-03-01T12:00:20Z: a deficit without sign of a Spot shortage must last 120 s (desired 10, ready 5, starting 0, leaving 2, deficit 5; standby 0, of which ready 0)
            remembered: watched -100 s to now; missing 3 at -100 s, 5 at now; needed 5 at now
        "#]],
    );
}

#[test]
fn the_first_deadline_of_several_counts() {
    let scene = Scene::desired(10).ready_started_in(7, 20);
    let scene = scene
        .interrupted(1, 10)
        .interrupted(1, 25)
        .interrupted(1, 15);
    check(
        scene,
        expect![[r#"
        hold `container-demo/web` waiting_for_deadline until 2026-03-01T12:00:05Z: interrupted tasks serve until 2026-03-01T12:01:35Z and a task starts in 20 s: raising now gains nothing (desired 10, ready 7, starting 0, leaving 3, deficit 3; standby 0, of which ready 0)
        remembered: watched now to now; missing 3 at now; needed 3 at now
    "#]],
    );
    // The one that has gone is covered: the next deadline counts.
    let covered = Scene::desired(10).ready_started_in(7, 20).standby(1);
    check(
        covered.interrupted(2, 10).taken(1, 200),
        expect![[r#"
        hold `container-demo/web` waiting_for_deadline until 2026-03-01T12:00:20Z: interrupted tasks serve until 2026-03-01T12:01:50Z and a task starts in 20 s: raising now gains nothing (desired 10, ready 7, starting 0, leaving 2, deficit 3; standby 1, of which ready 1)
        remembered: watched now to now; missing 3 at now; needed 3 at now
    "#]],
    );
}

/// A fraction of a second counts as a whole one.
#[test]
fn the_start_up_time_is_rounded_up() {
    let scene = Scene::desired(2).ready_started_in(1, 20).interrupted(1, 10);
    let later = jiff::SignedDuration::from_millis(1);
    let scene = scene.primary(|it| it.tasks[0].started_at = Some(ago(3_580) + later));
    check(
        scene,
        expect![[r#"
        hold `container-demo/web` waiting_for_deadline until 2026-03-01T12:00:19Z: interrupted tasks serve until 2026-03-01T12:01:50Z and a task starts in 21 s: raising now gains nothing (desired 2, ready 1, starting 0, leaving 1, deficit 1; standby 0, of which ready 0)
        remembered: watched now to now; missing 1 at now; needed 1 at now
    "#]],
    );
}
