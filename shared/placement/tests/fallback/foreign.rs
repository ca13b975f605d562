//! Our own last write, and other writers of the standby's desired count.

use expect_test::expect;
use model::memory::Recall;

use crate::scene::{Scene, check};

/// Five are missing; Spot took them a minute ago.
fn short(standby: u32) -> Scene {
    Scene::desired(10).ready(5).taken(5, 60).standby(standby)
}

#[test]
fn an_own_write_that_does_not_show_yet_is_awaited_to_the_second() {
    check(
        short(0).wrote(0, 5, 29),
        expect![[r#"
        hold `container-demo/web` own_write_not_visible until 2026-03-01T12:00:01Z: the standby's desired count was set to 5 a moment ago and still reads 0
        remembered: watched now to now; missing 5 at now; needed 5 at now; wrote 0 to 5 at -29 s
    "#]],
    );
    check(
        short(0).wrote(0, 5, 30),
        expect![[r#"
        hold `container-demo/web` foreign_edit until 2026-03-01T13:00:00Z: somebody else set the standby's desired count to 0 (Ballast had written 5), noticed at 2026-03-01T12:00:00Z
        remembered: watched now to now; missing 5 at now; needed 5 at now; wrote 0 to 5 at -30 s; foreign 0 noticed at now
    "#]],
    );
}

/// Another invocation may have announced it and not written yet; after 30 s it cannot write any more.
#[test]
fn a_write_that_was_never_confirmed_is_awaited_and_then_planned_again() {
    check(
        short(0).wrote_unconfirmed(0, 5, 29),
        expect![[r#"
        hold `container-demo/web` own_write_not_visible until 2026-03-01T12:00:01Z: the standby's desired count was set to 5 a moment ago and still reads 0
        remembered: watched now to now; missing 5 at now; needed 5 at now; may write 0 to 5 at -29 s
    "#]],
    );
    check(
        short(0).wrote_unconfirmed(0, 5, 30),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 5, because Spot took 5 tasks that are still missing (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
        remembered: watched now to now; missing 5 at now; needed 5 at now; may write 0 to 5 at now
    "#]],
    );
}

#[test]
fn a_write_that_was_never_confirmed_may_have_happened() {
    check(
        short(5).wrote_unconfirmed(0, 5, 1),
        expect![[r#"
            hold `container-demo/web` covered: the standby covers what is missing (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 5, of which ready 5)
            remembered: watched now to now; missing 5 at now; needed 5 at now; wrote 0 to 5 at -1 s
        "#]],
    );
}

#[test]
fn a_foreign_edit_is_left_alone() {
    // Seen for the first time.
    check(
        short(3).wrote(0, 5, 300),
        expect![[r#"
        hold `container-demo/web` foreign_edit until 2026-03-01T13:00:00Z: somebody else set the standby's desired count to 3 (Ballast had written 5), noticed at 2026-03-01T12:00:00Z
        remembered: watched now to now; missing 5 at now; needed 5 at now; wrote 0 to 5 at -300 s; foreign 3 noticed at now
    "#]],
    );
    check(
        short(3).wrote_unconfirmed(0, 5, 300),
        expect![[r#"
        hold `container-demo/web` foreign_edit until 2026-03-01T13:00:00Z: somebody else set the standby's desired count to 3 (Ballast had written 5), noticed at 2026-03-01T12:00:00Z
        remembered: watched now to now; missing 5 at now; needed 5 at now; may write 0 to 5 at -300 s; foreign 3 noticed at now
    "#]],
    );
    // Reset to what it was before the raise, as a deployment tool does.
    check(
        short(0).wrote(0, 5, 300),
        expect![[r#"
        hold `container-demo/web` foreign_edit until 2026-03-01T13:00:00Z: somebody else set the standby's desired count to 0 (Ballast had written 5), noticed at 2026-03-01T12:00:00Z
        remembered: watched now to now; missing 5 at now; needed 5 at now; wrote 0 to 5 at -300 s; foreign 0 noticed at now
    "#]],
    );
    // Raised by hand beyond what is missing.
    check(
        Scene::desired(10).ready(10).standby(8).wrote(5, 0, 300),
        expect![[r#"
            hold `container-demo/web` foreign_edit until 2026-03-01T13:00:00Z: somebody else set the standby's desired count to 8 (Ballast had written 0), noticed at 2026-03-01T12:00:00Z
            remembered: watched now to now; needed 0 at now; wrote 5 to 0 at -300 s; foreign 8 noticed at now
        "#]],
    );
}

#[test]
fn the_time_of_a_foreign_edit_is_that_of_the_first_look() {
    check(
        short(3).wrote(0, 5, 4_000).foreign(3, 5, 3_599),
        expect![[r#"
            hold `container-demo/web` foreign_edit until 2026-03-01T12:00:01Z: somebody else set the standby's desired count to 3 (Ballast had written 5), noticed at 2026-03-01T11:00:01Z
            remembered: watched now to now; missing 5 at now; needed 5 at now; wrote 0 to 5 at -4000 s; foreign 3 noticed at -3599 s
        "#]],
    );
    check(
        short(3).wrote(0, 5, 4_000).foreign(3, 5, 3_600),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 3 to 5, because Spot took 5 tasks that are still missing (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 3, of which ready 3)
            remembered: watched now to now; missing 5 at now; needed 5 at now; may write 3 to 5 at now
        "#]],
    );
    check(
        short(3)
            .wrote(0, 5, 4_000)
            .foreign(3, 5, 60)
            .tag("ballast:foreign-hold-secs", "60"),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 3 to 5, because Spot took 5 tasks that are still missing (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 3, of which ready 3)
            remembered: watched now to now; missing 5 at now; needed 5 at now; may write 3 to 5 at now
        "#]],
    );
}

#[test]
fn another_foreign_edit_starts_the_time_anew() {
    check(
        short(2).wrote(0, 5, 4_000).foreign(3, 5, 3_600),
        expect![[r#"
            hold `container-demo/web` foreign_edit until 2026-03-01T13:00:00Z: somebody else set the standby's desired count to 2 (Ballast had written 5), noticed at 2026-03-01T12:00:00Z
            remembered: watched now to now; missing 5 at now; needed 5 at now; wrote 0 to 5 at -4000 s; foreign 2 noticed at now
        "#]],
    );
}

#[test]
fn setting_it_back_ends_the_hold_at_once() {
    check(
        short(5).wrote(0, 5, 4_000).foreign(3, 5, 100),
        expect![[r#"
            hold `container-demo/web` covered: the standby covers what is missing (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 5, of which ready 5)
            remembered: watched now to now; missing 5 at now; needed 5 at now; wrote 0 to 5 at -4000 s
        "#]],
    );
}

/// The hold-down of an adopted count starts with its adoption, whatever was watched before.
#[test]
fn an_adopted_count_is_watched_anew() {
    let scene = Scene::desired(10).ready(10).standby(8).wrote(5, 0, 9_000);
    let scene = scene.foreign(8, 0, 3_600).watched(9_000, 60).needed(0, 60);
    check(
        scene,
        expect![[r#"
            hold `container-demo/web` waiting_for_hold_down until 2026-03-01T12:10:00Z: standby tasks are given back once unneeded for 600 s without a break; the pair has been watched only since 2026-03-01T12:00:00Z, and up to 0 were needed (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 8, of which ready 8)
            remembered: watched now to now; needed 0 at now; wrote 8 to 8 at now
        "#]],
    );
}

/// What is needed while the standby is left alone is remembered: it is not given back when the hold ends.
#[test]
fn looks_are_remembered_while_the_standby_is_left_alone() {
    let scene = Scene::desired(10)
        .ready(5)
        .taken(5, 10)
        .standby(3)
        .wrote(0, 5, 4_000);
    let scene = scene.watched(1_000, 60).needed(0, 60);
    check(
        scene,
        expect![[r#"
        hold `container-demo/web` foreign_edit until 2026-03-01T13:00:00Z: somebody else set the standby's desired count to 3 (Ballast had written 5), noticed at 2026-03-01T12:00:00Z
        remembered: watched -1000 s to now; missing 5 at now; needed 5 at now; wrote 0 to 5 at -4000 s; foreign 3 noticed at now
    "#]],
    );
}

#[test]
fn without_a_last_write_every_count_is_taken_as_given() {
    check(
        short(3),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 3 to 5, because Spot took 5 tasks that are still missing (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 3, of which ready 3)
        remembered: watched now to now; missing 5 at now; needed 5 at now; may write 3 to 5 at now
    "#]],
    );
}

/// Seen once, a write is known to have happened: whoever sets the old count back then is somebody else.
#[test]
fn a_write_that_shows_is_confirmed() {
    let mut seen = short(5).wrote_unconfirmed(0, 5, 40);
    let remembered = seen.decide().memories.remove(&seen.pair.primary.key);
    seen.recall = Recall::Known(remembered.unwrap());
    check(
        seen.on_standby(|it| it.desired_count = 0),
        expect![[r#"
            hold `container-demo/web` foreign_edit until 2026-03-01T13:00:00Z: somebody else set the standby's desired count to 0 (Ballast had written 5), noticed at 2026-03-01T12:00:00Z
            remembered: watched now to now; missing 5 at now; needed 5 at now; wrote 0 to 5 at -40 s; foreign 0 noticed at now
        "#]],
    );
}

fn made(secs_ago: i64) -> impl Fn(&mut model::snapshot::Service) {
    move |standby| standby.created_at = Some(crate::scene::ago(secs_ago))
}

/// The service was deleted and made again under its name: nobody wrote to it yet.
#[test]
fn a_standby_that_is_younger_than_the_last_write_is_new() {
    let scene = || short(0).wrote(0, 5, 600).foreign(0, 5, 60);
    check(
        scene().on_standby(made(569)),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 5, because Spot took 5 tasks that are still missing (desired 10, ready 5, starting 0, leaving 0, deficit 5; standby 0, of which ready 0)
            remembered: watched now to now; missing 5 at now; needed 5 at now; may write 0 to 5 at now
        "#]],
    );
    // 30 s after it was announced, the write may still have reached it.
    check(
        scene().on_standby(made(570)),
        expect![[r#"
            hold `container-demo/web` foreign_edit until 2026-03-01T12:59:00Z: somebody else set the standby's desired count to 0 (Ballast had written 5), noticed at 2026-03-01T11:59:00Z
            remembered: watched now to now; missing 5 at now; needed 5 at now; wrote 0 to 5 at -600 s; foreign 0 noticed at -60 s
        "#]],
    );
    check(
        scene().on_standby(|it| it.created_at = None),
        expect![[r#"
            hold `container-demo/web` foreign_edit until 2026-03-01T12:59:00Z: somebody else set the standby's desired count to 0 (Ballast had written 5), noticed at 2026-03-01T11:59:00Z
            remembered: watched now to now; missing 5 at now; needed 5 at now; wrote 0 to 5 at -600 s; foreign 0 noticed at -60 s
        "#]],
    );
}
