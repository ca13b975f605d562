//! A count of tasks that has come in part: samples of some tasks come later than those of others. What is not known of it holds no raise back.

use model::Seconds;
use model::memory::Recall;
use model::snapshot::Standby;
use model::tracking::{Measures, Part, Point, TargetName};

use super::scene::{Scene, key, series, target};

/// How many are asked for after a look.
fn after(scene: &Scene) -> u32 {
    let steps = scene.decide().plan.steps;
    let to = steps.first().map(|it| it.counts().1);
    to.unwrap_or(scene.snapshot.fleets[&key()].primary.desired_count)
}

/// The newest minute has counted so many tasks of a part yet.
fn counted(scene: &mut Scene, part: Part, tasks: i64) {
    scene.counts(part).last_mut().unwrap().value_milli = tasks * 1_000;
}

/// So many tasks have been counted in the minute that goes on.
fn counted_by_now(scene: &mut Scene, part: Part, tasks: i64) {
    let point = Point {
        at: scene.minute(-1),
        value_milli: tasks * 1_000,
    };
    scene.counts(part).push(point);
}

/// Ten tasks at 90 % of CPU, with a target of 60 %, or with as many requests, which need fifteen; or fifteen of a pair, which need 23 and get as many as one
/// step adds.
fn scenes() -> [(Scene, u32); 3] {
    let mut requests = Scene::new(10);
    requests.track(TargetName::Requests, target(100, Measures::PerTask));
    requests.flat(TargetName::Requests, Part::Fleet, 150_000);
    requests.memory();
    [
        (Scene::cpu(10, 90), 15),
        (requests, 15),
        (Scene::pair(10, 5, 90), 20),
    ]
}

#[test]
fn a_raise_does_not_wait_for_the_last_sample() {
    for (scene, expected) in scenes() {
        for tasks in 0..=10 {
            let mut newest = scene.clone();
            counted(&mut newest, Part::Primary, tasks);
            assert_eq!(after(&newest), expected, "{tasks} counted");
            // Nor does what the minute that goes on shows make stopped tasks of those that were counted before.
            let mut by_now = scene.clone();
            counted_by_now(&mut by_now, Part::Primary, tasks);
            assert_eq!(after(&by_now), expected, "{tasks} counted by now");
        }
    }
}

/// What runs of the standby was not read: its last settled count stands for it.
#[test]
fn a_part_of_an_unread_standby_is_a_part_as_well() {
    for tasks in [2, 10] {
        let mut scene = Scene::pair(10, 10, 90);
        scene.bounds(1, 100);
        scene.fleet().standby = Some(Standby::Unknown);
        counted(&mut scene, Part::Standby, tasks);
        assert_eq!(after(&scene), 20, "{tasks} counted");
    }
}

/// An alarm's periods may be shorter than the minute of a count.
#[test]
fn the_count_of_a_longer_period_may_come_in_part() {
    for period in [10, 30, 60] {
        let mut scene = Scene::new(10);
        scene.track(TargetName::Alarm, target(60, Measures::PerTask));
        let now = scene.now.as_second();
        let end = Seconds(now.rem_euclid(period)).before(scene.now);
        let begins = (1..=3_600 / period).rev();
        let points = begins.map(|number| Point {
            at: Seconds(number * period).before(end),
            value_milli: 90_000,
        });
        let mut of_fleet = series(Part::Fleet, points.collect());
        of_fleet.period = Seconds(period);
        scene.recent(TargetName::Alarm).push(of_fleet);
        counted(&mut scene, Part::Primary, 2);
        counted_by_now(&mut scene, Part::Primary, 2);
        assert_eq!(after(&scene), 15, "{period}");
    }
}

/// Twenty of thirty tasks were let go a minute ago. As many are counted as run, and that is all there are.
#[test]
fn a_count_of_all_that_run_is_whole() {
    let mut scene = Scene::cpu(10, 60);
    scene.count(Part::Primary, 30);
    scene.flat(TargetName::Cpu, Part::Primary, 20_000);
    scene.newest(TargetName::Cpu, Part::Primary, &[60_000]);
    scene.wrote(30, 10, 90, true);
    counted(&mut scene, Part::Primary, 10);
    assert_eq!(after(&scene), 10);
    // One that is missing makes the minute before it count too, which needs no more.
    counted(&mut scene, Part::Primary, 9);
    assert_eq!(after(&scene), 10);
}

/// Two tasks have just been added, and are not counted yet: the newest minute is whole, and the busier one before it is past.
#[test]
fn a_count_without_those_that_just_started_is_whole() {
    let mut scene = Scene::cpu(12, 60);
    scene.count(Part::Primary, 10);
    scene.newest(TargetName::Cpu, Part::Primary, &[90_000, 66_000]);
    assert_eq!(after(&scene), 12);
}

/// A template gave the tags, and set forty tasks to two. Forty were counted, each at its target, and still run: a first look knows no more
/// of what was asked for before than one without an answer of the ledger.
#[test]
fn what_the_first_look_of_all_finds_says_nothing_of_before() {
    let mut scene = Scene::new(40);
    scene.bounds(1, 100);
    scene.track(TargetName::Requests, target(100, Measures::PerTask));
    scene.flat(TargetName::Requests, Part::Fleet, 100_000);
    scene.primary().desired_count = 2;
    assert_eq!(after(&scene), 6, "as far as a step goes");
    scene.memories.insert(key(), Recall::Unknown);
    assert_eq!(after(&scene), 6, "without a ledger");
}
