//! A task that stops within a minute is counted in it, and serves less than its share.

use expect_test::expect;
use model::memory::{Level, Recall};
use model::snapshot::Standby;
use model::tracking::{Measures, Part, TargetName, There};
use model::{Seconds, Timestamp};

use super::scene::{Scene, check, deployment, key, target};

/// Thirty tasks ran at 20 %, a load of ten. Twelve are asked for and run since the middle of the newest minute, which counts thirty, at the
/// mean of both.
fn lowered() -> Scene {
    let mut scene = Scene::cpu(12, 20);
    scene.count(Part::Primary, 30);
    scene.newest(TargetName::Cpu, Part::Primary, &[28_000]);
    scene.wrote(30, 12, 75, true);
    scene.memory().there = Some(There {
        tasks: 30,
        fell: None,
    });
    scene
}

#[test]
fn tasks_that_stop_within_a_minute_raise_nothing() {
    let mut scene = lowered();
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 12, running 12, pending 0; standby running 0; cpu 6 (load 5.600 tasks at 2026-03-01T11:59:00Z, 14.000 with tasks that just started or stopped, at most 14 in the window); allowed 1 to 40)
    "#]],
    );
    // The next minute shows what there is.
    scene.later(60);
    scene.counts(Part::Primary).last_mut().unwrap().value_milli = 12_000;
    scene.newest(TargetName::Cpu, Part::Primary, &[50_000]);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 12, running 12, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T12:00:00Z, at most 14 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_load_that_comes_with_a_lowering_is_followed_a_minute_later() {
    let mut scene = lowered();
    scene.newest(TargetName::Cpu, Part::Primary, &[56_000]);
    assert_eq!(scene.decide().plan.steps, [], "{}", scene.decide().plan);
    scene.later(60);
    scene.counts(Part::Primary).last_mut().unwrap().value_milli = 12_000;
    scene.newest(TargetName::Cpu, Part::Primary, &[100_000]);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 12 to 20, because `cpu` needs 20 (desired 12, running 12, pending 0; standby running 0; cpu 20 (load 20.000 tasks at 2026-03-01T12:00:00Z, at most 28 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_raise_in_the_minute_of_a_lowering_shows_no_more_in_it() {
    // 12 x 90 / 60 = 18: when 18 are asked for, still 12 of the thirty were left in that minute.
    let mut scene = lowered();
    let at = scene.ago(30);
    scene.memory().there = fell_to(12, at);
    scene.newest(TargetName::Cpu, Part::Primary, &[90_000]);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 12 to 18, because `cpu` needs 18 (desired 12, running 12, pending 0; standby running 0; cpu 18 (load 18.000 tasks at 2026-03-01T11:59:00Z, 45.000 with tasks that just started or stopped, at most 45 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn tasks_that_are_told_to_stop_and_go_on_hide_no_load() {
    // Twelve have been asked for since five minutes ago; the load balancer lets the others go, which are idle and counted. Twelve at 80 % and
    // eighteen at none are 32 % of thirty: a load of 16.
    let mut scene = lowered();
    let at = scene.ago(300);
    scene.memory().there = fell_to(12, at);
    scene.newest(TargetName::Cpu, Part::Primary, &[32_000, 32_000]);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 12 to 16, because `cpu` needs 16 (desired 12, running 12, pending 0; standby running 0; cpu 16 (load 16.000 tasks at 2026-03-01T11:59:00Z, at most 16 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_minute_that_ended_before_a_lowering_counts_whole() {
    // CloudWatch is two minutes late: the newest minute is of before.
    let mut scene = lowered();
    scene.later(120);
    let newest = scene.minute(2);
    scene.counts(Part::Primary).retain(|it| it.at <= newest);
    let values = scene.points(TargetName::Cpu, Part::Primary);
    values.retain(|it| it.at <= newest);
    values.last_mut().unwrap().value_milli = 40_000;
    let at = scene.ago(0);
    scene.memory().there = fell_to(12, at);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 12 to 20, because `cpu` needs 20 (desired 12, running 12, pending 0; standby running 0; cpu 20 (load 20.000 tasks at 2026-03-01T11:59:00Z, at most 20 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn tasks_that_end_under_load_make_it_no_less() {
    // Ten are asked for. Four of them ended in the newest minute, out of memory, and ECS starts others.
    let mut scene = Scene::cpu(10, 90);
    scene.primary().running_count = 6;
    scene.primary().pending_count = 4;
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 15, because `cpu` needs 15 (desired 10, running 6, pending 4; standby running 0; cpu 15 (load 15.000 tasks at 2026-03-01T11:59:00Z, at most 15 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_standby_that_is_given_back_adds_no_load() {
    // A load of nine. Ten run on Spot again, and ten on demand stopped within the newest minute.
    let mut scene = Scene::pair(10, 10, 27);
    scene.standby().desired_count = 0;
    scene.standby().running_count = 0;
    scene.newest(TargetName::Cpu, Part::Primary, &[40_500]);
    scene.memory().standby_there = Some(There {
        tasks: 10,
        fell: None,
    });
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 0; cpu 7 (load 6.750 tasks at 2026-03-01T11:59:00Z, 11.250 with tasks that just started or stopped, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
    // What the standby runs is not known: all that was counted raises.
    scene.fleet().standby = Some(Standby::Unknown);
    assert_eq!(scene.decide().plan.steps.len(), 1);
}

#[test]
fn a_peak_of_an_hour_ago_keeps_its_tasks() {
    // Thirty served a peak half an hour ago; twelve run since.
    let mut scene = Scene::cpu(12, 60);
    scene.pace().forecast = true;
    scene.pace().forecast_peak = Seconds(3_600);
    scene.wrote(30, 12, 1_500, true);
    let until = scene.minute(30);
    let counts = scene.counts(Part::Primary).iter_mut();
    let before = counts.filter(|it| it.at <= until);
    before.for_each(|it| it.value_milli = 30_000);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 12 to 24, because the forecast of `cpu` needs 30, and one step goes no further (desired 12, running 12, pending 0; standby running 0; cpu 12 (load 12.000 tasks at 2026-03-01T11:59:00Z, at most 12 in the window, forecast 30 (peak 30.000 tasks at 2026-03-01T11:28:00Z, no day tells)); allowed 1 to 40)
    "#]],
    );
}

/// So many tasks are there, since they became fewer.
fn fell_to(tasks: u32, at: Timestamp) -> Option<There> {
    let fell = Some(Level { tasks, at });
    Some(There { tasks, fell })
}

/// How many tasks were asked for, since so many seconds ago.
fn levels<const N: usize>(scene: &Scene, levels: [(u32, i64); N]) -> Vec<Level> {
    let level = |(tasks, secs)| Level {
        tasks,
        at: scene.ago(secs),
    };
    levels.map(level).into()
}

/// Ten tasks of which each is asked 100 requests a minute, the target, and a deployment that runs ten more, which never get healthy: the
/// value is over the ten.
fn deployed() -> Scene {
    let mut scene = Scene::new(10);
    scene.track(TargetName::Requests, target(100, Measures::PerTask));
    scene.flat(TargetName::Requests, Part::Fleet, 100_000);
    scene.count(Part::Primary, 20);
    scene.primary().running_count = 20;
    scene.primary().deployments = vec![deployment(1, false, false), deployment(2, true, true)];
    scene.memory().levels = levels(&scene, [(10, 3_600)]);
    scene
}

#[test]
fn tasks_that_never_get_healthy_are_no_load() {
    let mut scene = deployed();
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 20, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, 20.000 with tasks that just started or stopped, at most 20 in the window); allowed 1 to 40)
    "#]],
    );
    // It was given up a moment ago: what was counted while it ran is no more than before.
    scene.primary().running_count = 10;
    scene.primary().deployments.remove(1);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, 20.000 with tasks that just started or stopped, at most 20 in the window); allowed 1 to 40)
    "#]],
    );
    scene.pace().forecast = true;
    scene.pace().forecast_peak = Seconds(600);
    assert_eq!(scene.decide().plan.steps, [], "{}", scene.decide().plan);
}

#[test]
fn a_deployment_is_seen_by_the_first_look_and_without_the_ledger() {
    let mut scene = deployed();
    scene.memory().levels.clear();
    assert_eq!(scene.decide().plan.steps, [], "{}", scene.decide().plan);
    scene.memories.insert(key(), Recall::Unknown);
    assert_eq!(scene.decide().plan.steps, [], "{}", scene.decide().plan);
}

#[test]
fn an_alarm_is_over_all_the_tasks() {
    let mut scene = deployed();
    scene.policy().targets.clear();
    scene.track(TargetName::Alarm, target(100, Measures::PerTask));
    scene.flat(TargetName::Alarm, Part::Fleet, 95_000);
    assert_eq!(scene.decide().plan.steps[0].counts(), (10, 19));
}

#[test]
fn a_load_that_rises_in_a_deployment_is_followed() {
    let mut scene = deployed();
    scene.newest(TargetName::Requests, Part::Fleet, &[150_000]);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 15, because `requests` needs 15 (desired 10, running 20, pending 0; standby running 0; requests 15 (load 15.000 tasks at 2026-03-01T11:59:00Z, 30.000 with tasks that just started or stopped, at most 30 in the window); allowed 1 to 40)
    "#]],
    );
    // CPU is over all the tasks that run.
    let mut scene = Scene::cpu(10, 45);
    scene.count(Part::Primary, 20);
    scene.primary().running_count = 20;
    scene.primary().deployments = deployed().primary().deployments.clone();
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 15, because `cpu` needs 15 (desired 10, running 20, pending 0; standby running 0; cpu 15 (load 15.000 tasks at 2026-03-01T11:59:00Z, at most 15 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn tasks_that_a_load_balancer_lets_go_get_no_requests() {
    // Eighteen of thirty were let go five minutes ago, and run on: twelve are asked all of the 1,000 requests.
    let mut scene = Scene::new(12);
    scene.track(TargetName::Requests, target(100, Measures::PerTask));
    scene.flat(TargetName::Requests, Part::Fleet, 83_300);
    scene.count(Part::Primary, 30);
    scene.wrote(30, 12, 300, true);
    let at = scene.ago(300);
    scene.memory().there = fell_to(12, at);
    scene.memory().levels = levels(&scene, [(30, 7_200), (12, 300)]);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 12, running 12, pending 0; standby running 0; requests 10 (load 9.996 tasks at 2026-03-01T11:59:00Z, 24.990 with tasks that just started or stopped, at most 25 in the window); allowed 1 to 40)
    "#]],
    );
    // A standby that was given back goes on as long.
    let mut scene = Scene::pair(10, 6, 60);
    scene.policy().targets.clear();
    scene.track(TargetName::Requests, target(100, Measures::PerTask));
    scene.flat(TargetName::Requests, Part::Fleet, 100_000);
    scene.standby().desired_count = 0;
    scene.standby().running_count = 0;
    scene.memory().standby_there = fell_to(0, at);
    scene.memory().standby_levels = levels(&scene, [(6, 7_200), (0, 300)]);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 0; requests 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, 16.000 with tasks that just started or stopped, at most 16 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn when_tasks_became_fewer_is_remembered() {
    let mut scene = Scene::pair(12, 3, 60);
    let remembered = |scene: &Scene| {
        let memory = scene.decide().memories.remove(&key()).unwrap();
        [memory.there, memory.standby_there].map(|it| {
            let it = it.unwrap();
            (it.tasks, it.fell.map(|it| (it.tasks, it.at)))
        })
    };
    let now = scene.now;
    assert_eq!(remembered(&scene), [(12, None), (3, None)], "nothing fell");
    let at = scene.ago(600);
    scene.memory().there = fell_to(10, at);
    scene.memory().standby_there = fell_to(4, at);
    let of_primary = (12, Some((10, at)));
    assert_eq!(remembered(&scene), [of_primary, (3, Some((3, now)))]);
    // What is not read is as it was. Tasks that are asked for are there, and those that somebody else took away.
    scene.fleet().standby = Some(Standby::Unknown);
    scene.primary().running_count = 3;
    assert_eq!(remembered(&scene), [of_primary, (4, Some((4, at)))]);
    scene.primary().desired_count = 2;
    scene.wrote(14, 10, 3_600, true);
    assert_eq!(
        remembered(&scene),
        [(10, Some((10, at))), (4, Some((4, at)))]
    );
    // After a rise a second fall is one as well.
    scene.memory().there = Some(There {
        tasks: 26,
        fell: fell_to(13, at).unwrap().fell,
    });
    scene.primary().desired_count = 13;
    scene.primary().running_count = 13;
    scene.wrote(26, 13, 60, true);
    assert_eq!(
        remembered(&scene),
        [(13, Some((13, now))), (4, Some((4, at)))]
    );
}
