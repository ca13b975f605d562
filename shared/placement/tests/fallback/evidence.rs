//! Evidence adds up, each missing task once, and a task that is being replaced is no evidence.

use expect_test::expect;
use model::snapshot::TaskStatus;

use crate::scene::{Scene, ago, check};

impl Scene {
    /// Interrupted, on the way out, and silent about since when.
    fn silent(self, tasks: u32, status: TaskStatus) -> Self {
        self.primary(|primary| {
            crate::scene::add(primary, tasks, |task| {
                task.last_status = status;
                task.desired_running = false;
                task.interrupted = true;
            });
        })
    }

    /// Three have been missing for long, and the standby covers them.
    fn three_covered(self) -> Self {
        self.standby(3)
            .wrote(0, 3, 2_000)
            .watched(2_000, 30)
            .missing_since(3, 2_000)
            .needed(3, 30)
    }
}

#[test]
fn what_spot_takes_now_comes_on_top_of_what_has_lasted() {
    check(
        Scene::desired(10).ready(5).taken(2, 10).three_covered(),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 3 to 5, because Spot took 2 tasks that are still missing and 3 more have been missing for long enough (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 3, of which ready 3)
            remembered: watched -2000 s to now; missing 3 at -2000 s, 5 at now; needed 5 at now; may write 3 to 5 at now
        "#]],
    );
    check(
        Scene::desired(10).ready(2).taken(5, 10).three_covered(),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 3 to 8, because Spot took 5 tasks that are still missing and 3 more have been missing for long enough (desired 10, ready 2, starting 0, leaving 0, deficit 8; standby 3, of which ready 3)
            remembered: watched -2000 s to now; missing 3 at -2000 s, 8 at now; needed 8 at now; may write 3 to 8 at now
        "#]],
    );
    // Taken 120 s ago: these may be among those that have lasted.
    check(
        Scene::desired(10).ready(5).taken(2, 120).three_covered(),
        expect![[r#"
            hold `container-demo/web` waiting_to_settle until 2026-03-01T12:02:00Z: a deficit without sign of a Spot shortage must last 120 s (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 3, of which ready 3)
            remembered: watched -2000 s to now; missing 3 at -2000 s, 5 at now; needed 5 at now; wrote 0 to 3 at -2000 s
        "#]],
    );
}

#[test]
fn tasks_that_do_not_start_come_on_top_too() {
    check(
        Scene::desired(10).ready(5).starting(2, 180).three_covered(),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 3 to 5, because 2 tasks did not start within 180 s and 3 more have been missing for long enough (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 3, of which ready 3)
            remembered: watched -2000 s to now; missing 3 at -2000 s, 5 at now; needed 5 at now; may write 3 to 5 at now
        "#]],
    );
    check(
        Scene::desired(10)
            .ready(4)
            .starting(2, 180)
            .taken(1, 10)
            .three_covered(),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 3 to 6, because Spot took 1 tasks that are still missing and 5 more have been missing for long enough (desired 10, ready 4, starting 0, leaving 0, deficit 6; standby 3, of which ready 3)
            remembered: watched -2000 s to now; missing 3 at -2000 s, 6 at now; needed 6 at now; may write 3 to 6 at now
        "#]],
    );
    // Missing for the settle time since the grace: among those that have lasted.
    check(
        Scene::desired(10).ready(7).starting(3, 300).three_covered(),
        expect![[r#"
            hold `container-demo/web` covered: the standby covers what is missing (desired 10, ready 7, starting 0, leaving 0, deficit 3; standby 3, of which ready 3)
            remembered: watched -2000 s to now; missing 3 at -2000 s; needed 3 at now; wrote 0 to 3 at -2000 s
        "#]],
    );
}

#[test]
fn what_is_gone_has_lasted_while_the_rest_still_serves() {
    let scene = Scene::desired(10)
        .ready_started_in(5, 20)
        .interrupted(3, 10);
    check(
        scene
            .watched(200, 60)
            .missing_since(2, 130)
            .missing_since(5, 60)
            .needed(5, 60),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 2, because the deficit has lasted since 2026-03-01T11:57:50Z, longer than 120 s (desired 10, ready 5, starting 0, leaving 3, deficit 5; standby 0, of which ready 0)
            remembered: watched -200 s to now; missing 2 at -130 s, 5 at -60 s; needed 5 at now; may write 0 to 2 at now
        "#]],
    );
}

/// Instances for the replacements do not come: their tasks wait in PROVISIONING for the whole grace, and not a settle time more.
#[test]
fn replacements_that_never_start_are_covered_after_the_grace() {
    let waits = |age| Scene::desired(10).ready(5).taken(5, age).starting(5, age);
    check(
        waits(179),
        expect![[r#"
            hold `container-demo/web` starting: what is missing is on its way (desired 10, ready 5, starting 5, leaving 0, deficit 0; standby 0, of which ready 0)
            remembered: watched now to now; needed 5 at now
        "#]],
    );
    check(
        waits(180),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 5, because 5 tasks did not start within 180 s (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
            remembered: watched now to now; missing 5 at now; needed 5 at now; may write 0 to 5 at now
        "#]],
    );
    // A longer settle time must have passed as well; the hold says when it will have.
    check(
        waits(180).tag("ballast:settle-secs", "240"),
        expect![[r#"
            hold `container-demo/web` waiting_to_settle until 2026-03-01T12:01:00Z: a deficit without sign of a Spot shortage must last 240 s (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
            remembered: watched now to now; missing 5 at now; needed 5 at now
        "#]],
    );
    check(
        waits(240).tag("ballast:settle-secs", "240"),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 5, because 5 tasks did not start within 180 s (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
            remembered: watched now to now; missing 5 at now; needed 5 at now; may write 0 to 5 at now
        "#]],
    );
}

/// Three were taken and long replaced; then somebody asks for five more.
#[test]
fn tasks_that_were_replaced_are_no_evidence() {
    let replaced = Scene::desired(15)
        .ready(7)
        .taken(3, 240)
        .primary(|it| crate::scene::add(it, 3, |task| task.created_at = Some(ago(239))));
    check(
        replaced.clone(),
        expect![[r#"
            hold `container-demo/web` waiting_to_settle until 2026-03-01T12:02:00Z: a deficit without sign of a Spot shortage must last 120 s (desired 15, ready 10, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
            remembered: watched now to now; missing 5 at now; needed 5 at now
        "#]],
    );
    check(
        replaced.taken(1, 10),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 1, because Spot took 1 tasks that are still missing (desired 15, ready 10, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
            remembered: watched now to now; missing 5 at now; needed 5 at now; may write 0 to 1 at now
        "#]],
    );
}

#[test]
fn a_leaving_task_whose_replacement_starts_hides_nothing() {
    // Three went 200 s ago and five leave, of which each is being replaced.
    check(
        Scene::desired(10)
            .ready_started_in(2, 20)
            .interrupted(5, 5)
            .starting(5, 3)
            .taken(3, 200),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 3, because Spot took 3 tasks that are still missing (desired 10, ready 2, starting 5, leaving 5, deficit 3; standby 0, of which ready 0)
            remembered: watched now to now; missing 3 at now; needed 8 at now; may write 0 to 3 at now
        "#]],
    );
    check(
        Scene::desired(10)
            .ready_started_in(2, 20)
            .interrupted(5, 5)
            .starting(5, 3)
            .watched(130, 30)
            .missing_since(3, 130)
            .needed(3, 30),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 3, because the deficit has lasted since 2026-03-01T11:57:50Z, longer than 120 s (desired 10, ready 2, starting 5, leaving 5, deficit 3; standby 0, of which ready 0)
            remembered: watched -130 s to now; missing 3 at -130 s; needed 8 at now; may write 0 to 3 at now
        "#]],
    );
}

/// Two leave for a minute and are being replaced; one that went at once is being replaced as well, and the crash of another is not.
#[test]
fn each_replacement_counts_once() {
    let scene = Scene::desired(10)
        .ready_started_in(6, 20)
        .interrupted(2, 20)
        .starting(2, 18)
        .taken(1, 10);
    let taken = |scene: &Scene| scene.decide().plan.steps.len();
    assert_eq!(taken(&scene), 1);
    assert_eq!(taken(&scene.starting(1, 5)), 0);
}

#[test]
fn an_interrupted_task_that_does_not_say_since_when_is_taken_now() {
    for status in [TaskStatus::Running, TaskStatus::Deactivating] {
        let scene = Scene::desired(10).ready(5).silent(5, status);
        let plan = scene.decide().plan;
        assert_eq!(plan.steps.len(), 1, "{status:?}: {plan}");
    }
    check(
        Scene::desired(10)
            .ready(5)
            .silent(5, TaskStatus::Deactivating),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 5, because Spot took 5 tasks that are still missing (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
            remembered: watched now to now; missing 5 at now; needed 5 at now; may write 0 to 5 at now
        "#]],
    );
    // One that has stopped may have done so at any time.
    check(
        Scene::desired(10).ready(5).silent(5, TaskStatus::Stopped),
        expect![[r#"
            hold `container-demo/web` waiting_to_settle until 2026-03-01T12:02:00Z: a deficit without sign of a Spot shortage must last 120 s (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
            remembered: watched now to now; missing 5 at now; needed 5 at now
        "#]],
    );
}

#[test]
fn a_sum_that_was_covered_leaves_nothing_to_do() {
    let sums = [
        Scene::desired(10).ready(2).taken(5, 10).three_covered(),
        Scene::desired(10)
            .ready(4)
            .starting(2, 180)
            .taken(1, 10)
            .three_covered(),
    ];
    for scene in sums {
        assert_eq!(scene.decide().plan.steps.len(), 1);
        let again = scene.carried_out().decide().plan;
        assert_eq!(again.steps, [], "{again}");
    }
}
