//! The numbers of `docs/calculations.md`, in its order. The split of a strategy is in `tests/strategy.rs`.

use jiff::Timestamp;
use model::memory::PairMemory;
use model::plan::{Action, HoldReason, Plan};
use model::snapshot::Standby;
use model::{Seconds, ServiceKey};
use placement::fallback::start_up::start_up;
use placement::{Decision, decide};

use crate::scene::{Scene, add, now};

/// Today at this time; [`now`] is 12:00.
fn at(clock: &str) -> Timestamp {
    format!("2026-03-01T{clock}Z").parse().unwrap()
}

fn decided(scene: &Scene, at: Timestamp) -> Decision {
    let snapshot = scene.snapshot();
    let memories = scene.memories();
    decide(&snapshot, &scene.installation, &memories, &scene.hints, at)
}

/// What a plan about one pair sets its standby to, if it does.
fn set_to(plan: &Plan) -> Option<u32> {
    let step = plan.steps.first()?;
    let Action::SetDesiredCount { to, .. } = step.action;
    Some(to)
}

fn standby_of(scene: &Scene) -> u32 {
    let Standby::Present(standby) = &scene.pair.standby else {
        panic!("the scene has no standby");
    };
    standby.desired_count
}

/// The workshop: 10 are wanted, 3 are ready, and 7 got their warning at 12:00:00.
fn interrupted(stop_timeout_secs: i64, start_up_secs: i64) -> Scene {
    Scene::desired(10)
        .tag("ballast:start-up-secs", &start_up_secs.to_string())
        .ready(3)
        .interrupted(7, 0)
        .primary(|it| it.stop_timeout = Some(Seconds(stop_timeout_secs)))
}

#[test]
fn the_deficit() {
    let decision = decided(&interrupted(120, 35), now());
    let HoldReason::WaitingForDeadline { counts, .. } = decision.plan.holds[0].reason else {
        panic!("the seven serve: {}", decision.plan);
    };
    assert_eq!((counts.ready, counts.starting, counts.leaving), (3, 0, 7));
    assert_eq!(counts.deficit, 7);
}

/// Whether the standby is raised just before, and at, a moment.
#[test]
fn the_latest_moment() {
    for (stop_timeout_secs, start_up_secs, latest) in [
        (120, 35, "12:00:15"),
        (120, 60, "11:59:50"),
        (30, 35, "11:58:45"),
    ] {
        let scene = interrupted(stop_timeout_secs, start_up_secs);
        let latest = at(latest);
        let just_before = Seconds(1).before(latest);
        let waits = decided(&scene, just_before).plan;
        assert_eq!(set_to(&waits), None, "{waits}");
        assert_eq!(waits.holds[0].reason.as_str(), "waiting_for_deadline");
        assert_eq!(waits.holds[0].until, Some(latest), "{waits}");
        assert_eq!(set_to(&decided(&scene, latest).plan), Some(7));
    }
    // Where the moment has passed when the warning comes, the standby is raised at once.
    let at_once = |scene: Scene| set_to(&decided(&scene, now()).plan);
    assert_eq!(at_once(interrupted(120, 60)), Some(7));
    assert_eq!(at_once(interrupted(30, 35)), Some(7));
}

#[test]
fn the_start_up_time() {
    let took = [90, 20, 27, 21, 26, 22, 25, 23, 24, 35];
    let each = took.into_iter();
    let scene = each.fold(Scene::desired(10), |scene, secs| {
        scene.ready_started_in(1, secs)
    });
    let pair = &scene.pair;
    let policy = pair.policy.as_ref().unwrap();
    let Standby::Present(standby) = &pair.standby else {
        panic!("the scene has no standby");
    };
    assert_eq!(start_up(&pair.primary, standby, policy), Seconds(35));
}

#[test]
fn a_report_of_a_shortage_ends_the_wait() {
    let scene = interrupted(120, 35).spot_failed(0);
    assert_eq!(set_to(&decided(&scene, now()).plan), Some(7));
}

/// The table of "Spot instances that drain": what a look at that time sees, and to what the standby is set, if at all.
#[test]
fn spot_instances_that_drain() {
    let seen = |ready, starting, draining| {
        let scene = Scene::desired(20).on_instances().ready(ready);
        scene.starting(starting, 0).draining(draining, "EC2Spot")
    };
    let no_room = |scene: Scene| scene.not_placed("", &[-1]);
    let full = |scene: Scene, clock| set_to(&decided(&scene, at(clock)).plan);
    assert_eq!(full(no_room(seen(5, 0, 15)), "12:00:02"), Some(15));
    assert_eq!(full(no_room(seen(5, 4, 15)), "12:00:04"), Some(11));

    // Minimum and maximum percent are 100.
    let stuck = decided(&seen(5, 0, 15), at("12:00:20"));
    assert_eq!(stuck.plan.holds[0].until, Some(at("12:00:50")));
    let looked = look(seen(5, 0, 15), at("12:00:20"));
    assert_eq!(standby_of(&looked), 0);
    assert_eq!(standby_of(&look(looked, at("12:01:20"))), 15);

    // A drain for scale-in, all at once and two at a time.
    let begun = look(seen(5, 0, 15), at("12:00:01"));
    assert_eq!(standby_of(&begun), 0);
    for (replaced, clock) in [(seen(5, 15, 15), "12:00:03"), (seen(7, 2, 13), "12:01:01")] {
        let mut next = replaced;
        next.recall = begun.recall.clone();
        let decision = decided(&next, at(clock));
        assert_eq!(set_to(&decision.plan), None, "{}", decision.plan);
        let memory = decision.memories.values().next().unwrap();
        assert_eq!(memory.not_replaced, None);
    }
}

/// Looks once: the memory and the standby become what the decision makes of them.
fn look(scene: Scene, at: Timestamp) -> Scene {
    let decision = decided(&scene, at);
    let key: &ServiceKey = &scene.pair.primary.key.clone();
    let mut memory: PairMemory = decision.memories[key].clone();
    if let Some(wrote) = &mut memory.wrote {
        wrote.confirmed = true;
    }
    let to = set_to(&decision.plan).unwrap_or_else(|| standby_of(&scene));
    let mut scene = scene.on_standby(|standby| {
        standby.tasks.truncate(to as usize);
        let missing = to - u32::try_from(standby.tasks.len()).unwrap();
        standby.desired_count = to;
        add(standby, missing, |_| {});
    });
    scene.recall = model::memory::Recall::Known(memory);
    scene
}

#[test]
fn the_settle_time() {
    let mut scene = Scene::desired(10).ready(9);
    let mut covered = Vec::new();
    for clock in ["12:00:00", "12:01:00", "12:02:00", "12:03:00"] {
        if clock == "12:01:00" {
            scene = scene.primary(|it| it.desired_count = 20);
        }
        scene = look(scene, at(clock));
        covered.push(standby_of(&scene));
    }
    assert_eq!(covered, [0, 0, 1, 11]);
}

#[test]
fn what_adds_up() {
    let covered = Scene::desired(10)
        .ready(2)
        .standby(3)
        .watched(1_800, 60)
        .missing_since(3, 1_800)
        .needed(3, 60);
    let spot_took = covered.clone().taken(5, 10);
    assert_eq!(set_to(&decided(&spot_took, now()).plan), Some(8));
    assert_eq!(set_to(&decided(&covered, now()).plan), None);
}

#[test]
fn giving_back() {
    let mut scene = Scene::desired(10).ready(3).standby(7);
    let mut given_back = Vec::new();
    for minute in 0..40 {
        // The need falls to 2 at 12:10 and to 0 at 12:15.
        let ready = match minute {
            0..10 => 3,
            10..15 => 8,
            _ => 10,
        };
        scene = scene.primary(|primary| {
            primary.tasks.clear();
            add(primary, ready, |_| {});
        });
        let before = standby_of(&scene);
        scene = look(scene, at(&format!("12:{minute:02}:00")));
        let after = standby_of(&scene);
        if after != before {
            given_back.push((minute, before, after));
        }
    }
    assert_eq!(given_back, [(19, 7, 2), (24, 2, 0)]);
}

/// 9 + 7 − 10 = 6 may go, though fewer than 7 have been needed all the while.
#[test]
fn no_ready_task_is_lost() {
    let scene = Scene::desired(10)
        .ready(9)
        .standby(7)
        .watched(1_000, 60)
        .needed(1, 60);
    assert_eq!(set_to(&decided(&scene, now()).plan), Some(1));
}
