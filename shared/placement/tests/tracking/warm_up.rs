//! A task that runs does not serve its share at once: it is capacity, and no load.

use expect_test::expect;
use model::Seconds;
use model::snapshot::Standby;
use model::tracking::{Measures, Part, Span, TargetName};

use super::scene::{Scene, check, key, service, target};

/// 1,500 requests a minute with 100 for each task. Ten tasks served them at 150 each; five more run since the newest minute, and are not
/// healthy yet, so that they do not count in the average of 150.
fn five_that_start() -> Scene {
    let mut scene = Scene::new(15);
    scene.track(TargetName::Requests, target(100, Measures::PerTask));
    scene.flat(TargetName::Requests, Part::Fleet, 150_000);
    scene.count(Part::Primary, 10);
    scene.counts(Part::Primary).last_mut().unwrap().value_milli = 15_000;
    scene
}

#[test]
fn tasks_that_start_are_capacity_and_no_load() {
    check(
        &five_that_start(),
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 15, running 15, pending 0; standby running 0; requests 15 (load 15.000 tasks at 2026-03-01T11:59:00Z, 22.500 with tasks that just started or stopped, at most 23 in the window); allowed 1 to 40)
    "#]],
    );
    let mut scene = five_that_start();
    scene.pace().warm_up = Seconds::ZERO;
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 15 to 23, because `requests` needs 23 (desired 15, running 15, pending 0; standby running 0; requests 23 (load 22.500 tasks at 2026-03-01T11:59:00Z, at most 23 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn what_is_shown_after_the_warm_up_is_followed() {
    // The five may have started in the last second of the minute that counted them first, so that the next one says nothing yet.
    let mut scene = five_that_start();
    scene.later(60);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 15, running 15, pending 0; standby running 0; requests 15 (load 15.000 tasks at 2026-03-01T12:00:00Z, 22.500 with tasks that just started or stopped, at most 23 in the window); allowed 1 to 40)
    "#]],
    );
    // The one after that shows as much for each of the 15: that is load.
    scene.later(60);
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_out: set the desired count of `demo/web` from 15 to 23, because `requests` needs 23 (desired 15, running 15, pending 0; standby running 0; requests 23 (load 22.500 tasks at 2026-03-01T12:01:00Z, at most 23 in the window); allowed 1 to 40)
        "#]],
    );
    // Or it shows that they serve: 1,500 requests are 100 for each.
    scene.newest(TargetName::Requests, Part::Fleet, &[100_000]);
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 15, running 15, pending 0; standby running 0; requests 15 (load 15.000 tasks at 2026-03-01T12:01:00Z, at most 23 in the window); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn a_longer_warm_up_is_waited_for() {
    let mut scene = five_that_start();
    scene.pace().warm_up = Seconds(180);
    scene.later(180);
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 15, running 15, pending 0; standby running 0; requests 15 (load 15.000 tasks at 2026-03-01T12:02:00Z, 22.500 with tasks that just started or stopped, at most 23 in the window); allowed 1 to 40)
        "#]],
    );
    scene.later(60);
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_out: set the desired count of `demo/web` from 15 to 23, because `requests` needs 23 (desired 15, running 15, pending 0; standby running 0; requests 23 (load 22.500 tasks at 2026-03-01T12:03:00Z, at most 23 in the window); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn tasks_that_start_keep_from_lowering() {
    // Sixteen, of which six start, at 30 %: 5 tasks of load, or 8 if the six serve too. 8 with the tolerance are 9.
    let mut scene = Scene::cpu(16, 30);
    scene.count(Part::Primary, 10);
    scene.counts(Part::Primary).last_mut().unwrap().value_milli = 16_000;
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_in: set the desired count of `demo/web` from 16 to 9, because for 300 s no target needed more than 8, and the tolerance above it is kept (desired 16, running 16, pending 0; standby running 0; cpu 5 (load 5.000 tasks at 2026-03-01T11:59:00Z, 8.000 with tasks that just started or stopped, at most 8 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_standby_that_starts_adds_no_load() {
    // Six of ten run on Spot at 60 %; the four of the standby boot at 100 %, and were not there a minute ago.
    let mut scene = Scene::pair(10, 4, 60);
    scene.primary().running_count = 6;
    scene.count(Part::Primary, 6);
    scene.flat(TargetName::Cpu, Part::Standby, 100_000);
    let newest = scene.minute(0);
    scene.counts(Part::Standby).retain(|it| it.at == newest);
    let values = scene.points(TargetName::Cpu, Part::Standby);
    values.retain(|it| it.at == newest);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 6, pending 0; standby running 4; cpu 6 (load 6.000 tasks at 2026-03-01T11:59:00Z, 12.667 with tasks that just started or stopped); allowed 1 to 40)
    "#]],
    );
    scene.later(120);
    check(
        &scene,
        &expect![[r#"
            step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 13, because `cpu` needs 13 (desired 10, running 6, pending 0; standby running 4; cpu 13 (load 12.667 tasks at 2026-03-01T12:01:00Z); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn a_count_of_before_that_is_not_known_keeps_nothing_from_raising() {
    let mut scene = five_that_start();
    let newest = scene.minute(0);
    scene.counts(Part::Primary).retain(|it| it.at == newest);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 15 to 23, because `requests` needs 23 (desired 15, running 15, pending 0; standby running 0; requests 23 (load 22.500 tasks at 2026-03-01T11:59:00Z); allowed 1 to 40)
    "#]],
    );
}

/// Nothing ran until a moment ago, as a look says that so many seconds ago found the first task again. Now ten tasks boot at 100 %, and their
/// first minute is counted.
fn from_none(until_secs: i64) -> Scene {
    let mut scene = Scene::cpu(10, 100);
    let newest = scene.minute(0);
    scene.counts(Part::Primary).retain(|it| it.at == newest);
    let values = scene.points(TargetName::Cpu, Part::Primary);
    values.retain(|it| it.at == newest);
    let (since, until) = (scene.ago(7_200), scene.ago(until_secs));
    scene.memory().empty = Some(Span {
        since,
        until: Some(until),
    });
    scene
}

#[test]
fn a_service_that_comes_back_from_no_task_adds_no_load_while_it_starts() {
    let mut scene = from_none(30);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 0; cpu 1 (load 0.000 tasks at 2026-03-01T11:59:00Z, 16.667 with tasks that just started or stopped); allowed 1 to 40)
    "#]],
    );
    // The minute after says as little: the tasks may have started in the last second of the first.
    scene.later(60);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 0; cpu 1 (load 0.000 tasks at 2026-03-01T12:00:00Z, 16.667 with tasks that just started or stopped); allowed 1 to 40)
    "#]],
    );
    // Then they show that they are busy.
    scene.later(60);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 17, because `cpu` needs 17 (desired 10, running 10, pending 0; standby running 0; cpu 17 (load 16.667 tasks at 2026-03-01T12:01:00Z); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn what_no_look_found_without_a_task_counts_as_there() {
    // Nothing is counted of before, and for two hours each look has found tasks: CloudWatch lost the counts.
    check(
        &from_none(600),
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 17, because `cpu` needs 17 (desired 10, running 10, pending 0; standby running 0; cpu 17 (load 16.667 tasks at 2026-03-01T11:59:00Z); allowed 1 to 40)
    "#]],
    );
    // So it is where nothing is remembered.
    let mut scene = from_none(30);
    scene.memory().empty = None;
    assert_eq!(scene.decide().plan.steps.len(), 1);
    // And where counts show tasks all the time, whatever looks found in between.
    let mut scene = Scene::cpu(10, 100);
    scene.memory().empty = from_none(30).memory().empty;
    assert_eq!(scene.decide().plan.steps.len(), 1);
}

#[test]
fn what_looks_find_is_remembered() {
    let remembered = |scene: &Scene| {
        let memory = scene.decide().memories.remove(&key()).unwrap();
        memory.empty.map(|it| (it.since, it.until))
    };
    let mut scene = Scene::cpu(10, 60);
    assert_eq!(remembered(&scene), None);
    scene.primary().running_count = 0;
    let first = scene.now;
    assert_eq!(remembered(&scene), Some((first, None)));
    // It is not renewed: a service that is switched off for weeks has nothing written.
    scene.memory().empty = Some(Span {
        since: first,
        until: None,
    });
    scene.later(60);
    assert_eq!(remembered(&scene), Some((first, None)));
    // The standby runs for it.
    scene.fleet().standby = Some(Standby::Present(Box::new(service("web-standby", 1))));
    assert_eq!(remembered(&scene), Some((first, Some(scene.now))));
    // What the standby runs is not known.
    scene.fleet().standby = Some(Standby::Unknown);
    assert_eq!(remembered(&scene), Some((first, None)));
    scene.memory().empty = None;
    assert_eq!(remembered(&scene), None);
    // One task is there again; later it is gone once more.
    scene.primary().running_count = 1;
    scene.fleet().standby = None;
    let until = scene.now;
    let over = Span {
        since: first,
        until: None,
    };
    scene.memory().empty = Some(over);
    assert_eq!(remembered(&scene), Some((first, Some(until))));
    scene.memory().empty = Some(Span {
        until: Some(until),
        ..over
    });
    scene.later(60);
    assert_eq!(remembered(&scene), Some((first, Some(until))));
    scene.primary().running_count = 0;
    assert_eq!(remembered(&scene), Some((scene.now, None)));
}

#[test]
fn a_primary_that_comes_back_adds_no_load_while_it_starts() {
    // Spot was gone for an hour, and the ten of the standby served at 60 %. Now ten boot on Spot at 100 %.
    let mut scene = Scene::pair(10, 10, 60);
    let newest = scene.minute(0);
    scene.counts(Part::Primary).retain(|it| it.at == newest);
    let values = scene.points(TargetName::Cpu, Part::Primary);
    values.retain(|it| it.at == newest);
    values.last_mut().unwrap().value_milli = 100_000;
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 10; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, 26.667 with tasks that just started or stopped); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn what_comes_in_other_seconds_was_there_all_the_same() {
    // ECS publishes once a minute where the tag says every 20 seconds, and of the two services not in the same 20 seconds.
    let mut scene = Scene::pair(2, 18, 90);
    scene.fleet().resolution = Seconds(20);
    scene.policy().metric_resolution = Seconds(20);
    for (part, third) in [(Part::Primary, 0), (Part::Standby, 1)] {
        for series in &mut scene.fleet().task_counts {
            series.period = Seconds(20);
        }
        for series in scene.recent(TargetName::Cpu) {
            series.period = Seconds(20);
        }
        let counts = scene.counts(part).iter_mut();
        for point in counts {
            point.at = Seconds(20 * third).after(point.at);
        }
        for point in scene.points(TargetName::Cpu, part) {
            point.at = Seconds(20 * third).after(point.at);
        }
    }
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 2 to 6, because `cpu` needs 27, and one step goes no further (desired 2, running 2, pending 0; standby running 18; cpu 27 (load 27.000 tasks at 2026-03-01T11:59:20Z); allowed 1 to 40)
    "#]],
    );
}
