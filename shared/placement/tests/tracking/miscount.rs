//! `ballast:metric-resolution-secs` says something else than what ECS does.

use expect_test::expect;
use model::Seconds;
use model::memory::{ForeignEdit, Recall};
use model::tracking::{Measures, Miscount, Part, TargetName, TrackingHold};

use super::scene::{Scene, check, deployment, key, target};

/// Ten tasks at 60 %, of which CloudWatch has three samples a minute each.
fn tripled() -> Scene {
    let mut scene = Scene::cpu(10, 60);
    scene.count(Part::Primary, 30);
    scene
}

#[test]
fn three_samples_of_each_task_are_not_three_tasks() {
    check(
        &tripled(),
        &expect![[r#"
        hold `demo/web` unfollowed: `cpu`: CloudWatch counts 30 tasks of `demo/web`, of which no more than 10 can have run: does `ballast:metric-resolution-secs` say how often ECS publishes? (desired 10, running 10, pending 0; standby running 0; allowed 1 to 40)
    "#]],
    );
    // A load that would let it be lowered is not known either.
    let mut scene = tripled();
    scene.flat(TargetName::Cpu, Part::Primary, 5_000);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` unfollowed: `cpu`: CloudWatch counts 30 tasks of `demo/web`, of which no more than 10 can have run: does `ballast:metric-resolution-secs` say how often ECS publishes? (desired 10, running 10, pending 0; standby running 0; allowed 1 to 40)
    "#]],
    );
    let hold = scene.decide().plan.holds.remove(0);
    assert!(hold.reason.leaves_unprotected());
}

#[test]
fn what_does_not_go_by_tasks_still_raises() {
    let mut scene = tripled();
    scene.track(TargetName::Alarm, target(100, Measures::Total));
    scene.flat(TargetName::Alarm, Part::Fleet, 1_200_000);
    check(
        &scene,
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 12, because `alarm` needs 12 (desired 10, running 10, pending 0; standby running 0; alarm 12 (load 12.000 tasks at 2026-03-01T11:59:00Z, at most 12 in the window); allowed 1 to 40)
    "#]],
    );
}

/// The service is followed, whatever it comes to.
#[track_caller]
fn followed(scene: &Scene) {
    let plan = scene.decide().plan;
    let is_left = |it: &TrackingHold| it.reason.as_str() == "unfollowed";
    assert!(!plan.holds.iter().any(is_left), "{plan}");
}

#[test]
fn a_deployment_may_run_twice_as_many() {
    let mut scene = Scene::cpu(1, 60);
    scene.primary().running_count = 2;
    scene.primary().deployments = vec![deployment(1, false, false), deployment(2, true, true)];
    scene.count(Part::Primary, 2);
    followed(&scene);
    // It ended a moment ago, and its counts are still seen.
    scene.primary().running_count = 1;
    scene.primary().deployments.remove(0);
    followed(&scene);
}

#[test]
fn the_counts_of_before_a_scale_in_are_no_miscount() {
    let mut scene = tripled();
    scene.wrote(30, 10, 90, true);
    followed(&scene);
    let mut scene = tripled();
    scene.wrote(29, 30, 3_600, true);
    let noticed_at = scene.ago(60);
    scene.memory().foreign = Some(ForeignEdit {
        found: 10,
        wrote: 30,
        noticed_at,
    });
    followed(&scene);
}

#[test]
fn the_counts_of_before_two_changes_are_no_miscount() {
    // Forty for nothing, then six, and a minute later the load is back: 12, and the counts of forty are still seen.
    let mut scene = Scene::cpu(40, 5);
    scene.pace().turn_hold = Seconds::ZERO;
    let plan = scene.decide();
    let lowered = plan.plan.steps.first().unwrap().counts();
    assert_eq!(lowered.0, 40, "{}", plan.plan);
    let mut scene = Scene::cpu(6, 60);
    scene
        .memories
        .insert(key(), Recall::Known(plan.memories[&key()].clone()));
    scene.memory().wrote.as_mut().unwrap().to = 6;
    scene.later(60);
    scene.newest(TargetName::Cpu, Part::Primary, &[100_000]);
    let plan = scene.decide();
    let raised = plan.plan.steps.first().unwrap().counts();
    assert_eq!(raised.0, 6, "{}", plan.plan);
    let (from, to) = raised;
    scene
        .memories
        .insert(key(), Recall::Known(plan.memories[&key()].clone()));
    let levels = scene.memory().levels.iter().map(|it| it.tasks);
    assert_eq!(levels.collect::<Vec<_>>(), [40, from]);
    scene.primary().desired_count = to;
    scene.primary().running_count = to;
    scene.later(60);
    scene.count(Part::Primary, 40);
    followed(&scene);
    // Seventy minutes after forty were asked for it would be one; a load balancer may let tasks go for an hour.
    let a_while_ago = scene.ago(4_199);
    scene.memory().levels[1].at = a_while_ago;
    followed(&scene);
    let long_ago = scene.ago(4_200);
    scene.memory().levels[1].at = long_ago;
    let hold = scene.decide().plan.holds.remove(0);
    assert_eq!(hold.reason.as_str(), "unfollowed");
}

#[test]
fn a_period_that_is_odd_is_no_miscount() {
    // The newest one is not settled, so that four of the newest count for three.
    for back in 1..=3 {
        let mut scene = tripled();
        let at = scene.minute(back);
        for point in scene.counts(Part::Primary) {
            if point.at == at {
                point.value_milli = 24_000;
            }
        }
        followed(&scene);
    }
}

#[test]
fn without_the_ledger_nothing_is_said() {
    let mut scene = tripled();
    scene.memories.insert(key(), Recall::Unknown);
    followed(&scene);
}

#[test]
fn a_standby_that_stands_in_for_all_is_counted_too() {
    let mut scene = Scene::pair(10, 10, 60);
    scene.primary().running_count = 0;
    scene
        .fleet()
        .task_counts
        .retain(|it| it.part == Part::Standby);
    scene
        .recent(TargetName::Cpu)
        .retain(|it| it.part == Part::Standby);
    followed(&scene);
    scene.count(Part::Standby, 30);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` unfollowed: `cpu`: CloudWatch counts 30 tasks of `demo/web-standby`, of which no more than 10 can have run: does `ballast:metric-resolution-secs` say how often ECS publishes? (desired 10, running 0, pending 0; standby running 10; allowed 1 to 40)
    "#]],
    );
    // One that was given back a moment ago is not known to have run less.
    scene.standby().desired_count = 2;
    scene.standby().running_count = 2;
    scene.count(Part::Standby, 10);
    followed(&scene);
}

#[test]
fn a_value_each_minute_where_three_are_to_be_lowers_nothing_and_says_so() {
    let mut scene = Scene::cpu(20, 30);
    scene.fleet().resolution = Seconds(20);
    scene.policy().metric_resolution = Seconds(20);
    scene.recent(TargetName::Cpu)[0].period = Seconds(20);
    scene.fleet().task_counts[0].period = Seconds(20);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` window_incomplete: the load needs fewer now, but not every period of the last 300 s is known of: cpu, of which `ballast:metric-resolution-secs` says that there is one every 20 s (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn a_miscount_is_remembered_while_tasks_are_added_and_until_the_tag_is_changed() {
    // The minimum rises to 25, for which 30 counted tasks are not too many.
    let mut scene = tripled();
    scene.bounds(25, 100);
    scene.act();
    assert_eq!(scene.primary().desired_count, 25);
    scene.later(60);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` unfollowed: `cpu`: CloudWatch counts 30 tasks of `demo/web`, of which no more than 10 can have run: does `ballast:metric-resolution-secs` say how often ECS publishes? (desired 25, running 25, pending 0; standby running 0; allowed 25 to 100)
    "#]],
    );
    let mut mended = scene.clone();
    mended.fleet().resolution = Seconds(20);
    followed(&mended);
    scene.later(539);
    assert!(scene.memory().miscount.is_some());
    let holds = scene.decide().plan.holds;
    assert_eq!(holds[0].reason.as_str(), "unfollowed");
    // Then it is over, but the newest minute began before.
    scene.later(90);
    let holds = scene.decide().plan.holds;
    assert_eq!(holds[0].reason.as_str(), "unfollowed");
    scene.later(1);
    followed(&scene);
}

#[test]
fn a_long_period_is_not_followed_that_began_while_too_many_were_counted() {
    // An alarm of each task with a value every five minutes: the newest period began eleven minutes after the miscount was seen last.
    let mut scene = Scene::new(10);
    scene.track(TargetName::Alarm, target(100, Measures::PerTask));
    scene.flat(TargetName::Alarm, Part::Fleet, 100_000);
    let series = &mut scene.recent(TargetName::Alarm)[0];
    series.period = Seconds(300);
    series.points.retain(|it| it.at.as_second() % 300 == 0);
    scene.wrote(10, 10, 86_400, true);
    let newest = *scene.points(TargetName::Alarm, Part::Fleet).last().unwrap();
    let mut seen = Miscount {
        at: Seconds(660).before(newest.at),
        resolution: Seconds(60),
        service: "demo/web".parse().unwrap(),
        counted: 30,
        at_most: 10,
    };
    scene.memory().miscount = Some(seen.clone());
    followed(&scene);
    // It began nine minutes after it, when as many as were counted may not have run.
    seen.at = Seconds(540).before(newest.at);
    scene.memory().miscount = Some(seen.clone());
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` unfollowed: `alarm`: CloudWatch counts 30 tasks of `demo/web`, of which no more than 10 can have run: does `ballast:metric-resolution-secs` say how often ECS publishes? (desired 10, running 10, pending 0; standby running 0; allowed 1 to 40)
    "#]],
    );
    // A metric of the whole fleet goes by no count.
    let targets = &mut scene.policy().targets;
    targets.insert(TargetName::Alarm, target(100, Measures::Total));
    followed(&scene);
    // By another tag what was counted is read anew.
    let targets = &mut scene.policy().targets;
    targets.insert(TargetName::Alarm, target(100, Measures::PerTask));
    seen.resolution = Seconds(20);
    scene.memory().miscount = Some(seen);
    followed(&scene);
}

/// Ten tasks at the target that were counted thrice until so many minutes ago, and a forecast from the peak of an hour.
fn over(minutes: i64) -> Scene {
    let mut scene = Scene::cpu(10, 60);
    scene.bounds(1, 100);
    scene.pace().forecast = true;
    scene.pace().forecast_peak = Seconds(3_600);
    scene.wrote(10, 10, 86_400, true);
    let until = scene.minute(minutes);
    let counts = scene.counts(Part::Primary).iter_mut();
    let wrong = counts.filter(|it| it.at <= until);
    wrong.for_each(|it| it.value_milli = 30_000);
    scene
}

#[test]
fn what_was_counted_wrong_is_no_peak_when_it_is_over() {
    // For the last thirteen minutes the counts are right. The miscount was seen in the second of them.
    let mut scene = over(13);
    let at = scene.ago(690);
    let seen = |at| Miscount {
        at,
        resolution: Seconds(60),
        service: "demo/web".parse().unwrap(),
        counted: 30,
        at_most: 10,
    };
    scene.memory().miscount = Some(seen(at));
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window, forecast 10 (no day tells)); allowed 1 to 100)
        "#]],
    );
    // It is remembered for as long as such a peak is looked for.
    let memory = scene.decide().memories.remove(&key()).unwrap();
    assert_eq!(memory.miscount, Some(seen(at)));
    // The tag was changed: the metric is followed at once, and what was counted by the other is no peak.
    scene.memory().miscount = Some(seen(scene.ago(60)));
    scene.memory().miscount.as_mut().unwrap().resolution = Seconds(20);
    assert_eq!(scene.decide().plan.steps, [], "{}", scene.decide().plan);
    // Nothing is known of it: ten tasks have the peak of thirty.
    scene.memory().miscount = None;
    assert_eq!(scene.decide().plan.steps[0].counts().0, 10);
    // So it is while no peak is asked for: somebody may ask for one.
    scene.pace().forecast_peak = Seconds::ZERO;
    let is_remembered = |scene: &mut Scene, ago_secs| {
        scene.memory().miscount = Some(seen(scene.ago(ago_secs)));
        let memory = scene.decide().memories.remove(&key()).unwrap();
        memory.miscount.is_some()
    };
    assert!(is_remembered(&mut scene, 600 + 21_599));
    assert!(!is_remembered(&mut scene, 600 + 21_600));
}
