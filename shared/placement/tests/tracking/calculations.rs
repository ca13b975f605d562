//! The examples of `docs/calculations.md`, section "Target tracking": the same numbers.

use expect_test::expect;
use model::Seconds;
use model::tracking::{Direction, Measures, Part, TargetName, Turn};
use placement::tracking::load::Load;
use placement::tracking::pace::{History, Loads, Lower, need};

use super::scene::{Scene, check, start, target};

#[test]
fn out_in_proportion() {
    // 8 tasks at 75 % with a target of 60 %: 8 x 75 / 60 = 10.
    check(
        &Scene::cpu(8, 75),
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 8 to 10, because `cpu` needs 10 (desired 8, running 8, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
    // 8 x 76 / 60 = 10.134, rounded up 11.
    check(
        &Scene::cpu(8, 76),
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 8 to 11, because `cpu` needs 11 (desired 8, running 8, pending 0; standby running 0; cpu 11 (load 10.134 tasks at 2026-03-01T11:59:00Z, at most 11 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn in_by_the_window() {
    // 25 tasks; within 300 s the highest was 36 %: 25 x 36 / 60 = 15; 15 x 1.12 = 16.8: 17. 17 is not above 25 x 0.88 = 22.
    let mut scene = Scene::cpu(25, 24);
    scene.newest(TargetName::Cpu, Part::Primary, &[36_000, 30_000, 24_000]);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 25 to 17, because for 300 s no target needed more than 15, and the tolerance above it is kept (desired 25, running 25, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 15 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_direction_is_kept() {
    // Ten tasks, the last change was a scale-in. 10 x 1.12 = 11.2: 11.2 tasks of load turn nothing, 11.3 do.
    let mut scene = Scene::cpu(10, 60);
    let at = scene.ago(3_600);
    scene.memory().turn = Some(Turn {
        direction: Direction::In,
        since: at,
        at,
    });
    scene.flat(TargetName::Cpu, Part::Primary, 67_200);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 0; cpu 12 (load 11.200 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
    scene.flat(TargetName::Cpu, Part::Primary, 67_800);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 12, because `cpu` needs 12 (desired 10, running 10, pending 0; standby running 0; cpu 12 (load 11.300 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
}

/// 12 tasks: the CPU at 40 % of 60 % needs 8, the memory at 50 % of 80 % needs 7.5, the queue of 900 with 100 for each task needs 9.
fn several() -> Scene {
    let mut scene = Scene::cpu(12, 40);
    scene.track(TargetName::Memory, target(80, Measures::PerTask));
    scene.flat(TargetName::Memory, Part::Primary, 50_000);
    scene.track(TargetName::Alarm, target(100, Measures::Total));
    scene.flat(TargetName::Alarm, Part::Fleet, 900_000);
    scene
}

#[test]
fn several_metrics() {
    // 9 x 1.12 = 10.08: 11. 11 is above 12 x 0.88 = 10.56: nothing.
    check(
        &several(),
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 12, running 12, pending 0; standby running 0; cpu 8 (load 8.000 tasks at 2026-03-01T11:59:00Z, at most 8 in the window); memory 8 (load 7.500 tasks at 2026-03-01T11:59:00Z, at most 8 in the window); alarm 9 (load 9.000 tasks at 2026-03-01T11:59:00Z, at most 9 in the window); allowed 1 to 40)
    "#]],
    );
    // A queue of 800: 8 x 1.12 = 8.96: 9.
    let mut scene = several();
    scene.flat(TargetName::Alarm, Part::Fleet, 800_000);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 12 to 9, because for 300 s no target needed more than 8, and the tolerance above it is kept (desired 12, running 12, pending 0; standby running 0; cpu 8 (load 8.000 tasks at 2026-03-01T11:59:00Z, at most 8 in the window); memory 8 (load 7.500 tasks at 2026-03-01T11:59:00Z, at most 8 in the window); alarm 8 (load 8.000 tasks at 2026-03-01T11:59:00Z, at most 8 in the window); allowed 1 to 40)
    "#]],
    );
    // A queue of 1,450: 14.5, rounded up 15, whatever the others say.
    scene.flat(TargetName::Alarm, Part::Fleet, 1_450_000);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 12 to 15, because `alarm` needs 15 (desired 12, running 12, pending 0; standby running 0; cpu 8 (load 8.000 tasks at 2026-03-01T11:59:00Z, at most 8 in the window); memory 8 (load 7.500 tasks at 2026-03-01T11:59:00Z, at most 8 in the window); alarm 15 (load 14.500 tasks at 2026-03-01T11:59:00Z, at most 15 in the window); allowed 1 to 40)
    "#]],
    );
    // No value of the memory's: the others may raise, and lower nothing.
    scene.points(TargetName::Memory, Part::Primary).clear();
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 12 to 15, because `alarm` needs 15 (desired 12, running 12, pending 0; standby running 0; cpu 8 (load 8.000 tasks at 2026-03-01T11:59:00Z, at most 8 in the window); memory unknown (no value that is new enough); alarm 15 (load 14.500 tasks at 2026-03-01T11:59:00Z, at most 15 in the window); allowed 1 to 40)
    "#]],
    );
    scene.flat(TargetName::Alarm, Part::Fleet, 800_000);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` targets_unknown: what is known needs no more, but no value is new enough of: memory (desired 12, running 12, pending 0; standby running 0; cpu 8 (load 8.000 tasks at 2026-03-01T11:59:00Z, at most 8 in the window); memory unknown (no value that is new enough); alarm 8 (load 8.000 tasks at 2026-03-01T11:59:00Z, at most 8 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_pair_is_one_fleet() {
    // Ten asked for, 4 on Spot at 66 % and 6 of the standby at 61 %: (4 x 66 + 6 x 61) / 60 = 10.5, rounded up 11.
    let mut scene = Scene::pair(10, 6, 61);
    scene.primary().running_count = 4;
    scene.count(Part::Primary, 4);
    scene.flat(TargetName::Cpu, Part::Primary, 66_000);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 11, because `cpu` needs 11 (desired 10, running 4, pending 0; standby running 6; cpu 11 (load 10.500 tasks at 2026-03-01T11:59:00Z, at most 11 in the window); allowed 1 to 40)
    "#]],
    );
    // Spot is back, and the standby not yet given back: the same load at 16 tasks is (10 x 39 + 6 x 40) / 60 = 10.5.
    scene.primary().running_count = 10;
    scene.count(Part::Primary, 10);
    scene.flat(TargetName::Cpu, Part::Primary, 39_000);
    scene.flat(TargetName::Cpu, Part::Standby, 40_000);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 11, because `cpu` needs 11 (desired 10, running 10, pending 0; standby running 6; cpu 11 (load 10.500 tasks at 2026-03-01T11:59:00Z, at most 11 in the window); allowed 1 to 40)
    "#]],
    );
}

/// One load a minute, the newest a minute ago.
fn loads(milli_tasks: &[i64]) -> Vec<Load> {
    let end = start();
    let minutes = (1..).zip(milli_tasks.iter().rev());
    let mut loads: Vec<Load> = minutes
        .map(|(back, load)| Load {
            at: Seconds(60 * back).before(end),
            milli_tasks: *load,
            serving_milli_tasks: *load,
            is_complete: true,
        })
        .collect();
    loads.reverse();
    loads
}

#[test]
fn the_core_needs_no_service() {
    let nothing = Loads {
        period: Seconds(60),
        loads: &[],
    };
    let pace = model::tracking::Pace::default();
    let of = |loads: &[Load]| {
        let recent = Loads {
            period: Seconds(60),
            loads,
        };
        let history = History {
            recent,
            season: nothing,
            tasks_min: 1,
            peaks_from: None,
        };
        need(&history, &pace, start()).unwrap()
    };
    let turned = |direction| {
        Some(Turn {
            direction,
            since: start(),
            at: start(),
        })
    };
    let (out, back) = (turned(Direction::Out), turned(Direction::In));
    let rising = of(&loads(&[10_400; 10]));
    assert_eq!(rising.raise(10, out, &pace), Some(11));
    assert_eq!(rising.raise(10, back, &pace), None);
    assert_eq!(of(&loads(&[11_300; 10])).raise(10, back, &pace), Some(12));
    // 15.5 x 1.12 = 17.36: 18, and 18 is above 20 x 0.88 = 17.6. 15 x 1.12 = 16.8: 17.
    assert_eq!(of(&loads(&[15_500; 10])).lower(20, out, &pace), Lower::No);
    let falling = of(&loads(&[15_000; 10]));
    assert_eq!(falling.lower(20, out, &pace), Lower::To(17));
    // Going on down: 14 x 1.12 = 15.68: 16 of 17.
    let further = of(&loads(&[14_000; 10]));
    assert_eq!(further.lower(17, back, &pace), Lower::To(16));
    assert_eq!(further.lower(17, out, &pace), Lower::No);
}
