//! Heartbeats of many waits at once, and of waits of which nobody tells since when.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::drain::{DrainAction, DrainMemory, DrainStep};
use model::memory::Recall;
use model::outcome::{Outcome, OutcomeResult};
use model::{InstanceId, Seconds};
use placement::drain::settle;

use crate::scene::{Scene, hook, key};

const INTERVAL_SECS: i64 = 60;
/// 2.5 calls a second in the 22 s of an invocation that are left for writing.
const WRITES_A_LOOK: usize = 55;

/// So many instances that their group terminates at once, DRAINING, with a task each that nobody moves. How many actions time out with
/// tasks left, where the look of this number is missed?
fn time_out(instances: u32, heartbeat_timeout_secs: i64, missed: u32) -> usize {
    let (mut scene, ids) = Scene::web(instances);
    let own = hook("ballast-instance-drain", heartbeat_timeout_secs);
    scene.group("spot").hooks = [(own.name.clone(), own)].into();
    scene.policy().departure_timeout = Seconds(7_200);
    // The seventh look after this one comes a second before half of 900 s is over.
    for id in &ids {
        scene.terminating(id, 29);
        scene.draining(id, 20);
    }
    let since = scene.ago(29);
    let mut waits: BTreeMap<InstanceId, Timestamp> = BTreeMap::new();
    waits.extend(ids.into_iter().map(|id| (id, since)));
    let mut over = 0;
    for look in 0..30 {
        let before = waits.len();
        waits.retain(|_, at| scene.now < Seconds(heartbeat_timeout_secs).after(*at));
        over += before - waits.len();
        if look != missed {
            write(&mut scene, &mut waits);
        }
        scene.later(INTERVAL_SECS);
    }
    over
}

/// The first steps of the plan, as many as there is time for.
fn write(scene: &mut Scene, waits: &mut BTreeMap<InstanceId, Timestamp>) {
    let decision = scene.decide();
    let mut outcomes: Vec<Outcome<DrainStep>> = Vec::new();
    for (number, step) in decision.plan.steps.iter().enumerate() {
        let in_time = number < WRITES_A_LOOK;
        if let (true, DrainAction::RecordHeartbeat { instance, .. }) = (in_time, &step.action)
            && let Some(at) = waits.get_mut(instance)
        {
            *at = scene.now;
        }
        outcomes.push(Outcome {
            step: step.clone(),
            result: if in_time {
                OutcomeResult::Done
            } else {
                OutcomeResult::OutOfTime
            },
        });
    }
    let before: DrainMemory = scene.memory().clone();
    let planned = &decision.memories[&key("spot")];
    *scene.memory() = settle(&before, planned, &outcomes, scene.now);
}

/// Half of 900 s has time for 6 looks of 55 writes, and one that is missed.
#[test]
fn three_hundred_waits_outlast_a_look_that_is_missed() {
    for missed in 8..=14 {
        assert_eq!(time_out(300, 900, missed), 0, "look {missed}");
    }
    assert!(
        time_out(300, 600, 6) > 0,
        "a shorter timeout has no time for it"
    );
}

/// At half of the timeout, or, where the hook is short, while two more looks are to come.
#[test]
fn it_is_due_at_half_of_the_timeout() {
    for (timeout_secs, due_secs) in [(900, 450), (300, 150), (200, 50)] {
        let (mut scene, ids) = Scene::web(2);
        let own = hook("ballast-instance-drain", timeout_secs);
        scene.group("spot").hooks = [(own.name.clone(), own)].into();
        scene.terminating(&ids[0], due_secs - 1);
        scene.draining(&ids[0], due_secs - 1);
        assert!(scene.decide().plan.steps.is_empty(), "{timeout_secs}");
        scene.later(1);
        assert_eq!(reasons(&scene), ["tasks_left"], "{timeout_secs}");
    }
}

fn reasons(scene: &Scene) -> Vec<&'static str> {
    let plan = scene.decide().plan;
    plan.steps.iter().map(|it| it.reason.as_str()).collect()
}

/// The ledger knows nothing of it, no activity and no event does: it may have waited long before it was first seen.
#[test]
fn a_wait_that_nobody_told_of_is_prolonged_at_first_sight() {
    let (mut scene, ids) = Scene::web(2);
    scene.terminating(&ids[0], 0);
    scene.member(&ids[0]).terminating_since = None;
    scene.draining(&ids[0], 0);
    // The heartbeat was lost, and what was seen is remembered: it is a guess still.
    let decision = scene.decide();
    assert_eq!(reasons(&scene), ["tasks_left"]);
    let memory = Recall::Known(decision.memories[&key("spot")].clone());
    scene.memories.insert(key("spot"), memory);
    scene.later(60);
    assert_eq!(reasons(&scene), ["tasks_left"]);
    // From the first heartbeat on it is known.
    scene.act();
    scene.later(60);
    assert!(reasons(&scene).is_empty());
    // The activity tells more.
    scene.member(&ids[0]).terminating_since = Some(scene.ago(900));
    assert_eq!(reasons(&scene), ["deadline_reached"]);
}

/// Whoever was completed lately and shows otherwise comes after whoever was not.
#[test]
fn what_is_completed_again_comes_last() {
    let (mut scene, ids) = Scene::web(3);
    for id in &ids[..2] {
        scene.terminating(id, 600);
        scene.draining(id, 600);
        scene.empty(id);
    }
    let at = scene.ago(299);
    scene.departure(&ids[0]).completed_at = Some(at);
    assert_eq!(completed(&scene), ["i-2"]);
    scene.later(1);
    assert_eq!(completed(&scene), ["i-2", "i-1"]);
}

fn completed(scene: &Scene) -> Vec<String> {
    let plan = scene.decide().plan;
    let mut instances = Vec::new();
    for step in plan.steps {
        if let DrainAction::CompleteLifecycleAction { instance, .. } = step.action {
            instances.push(instance.to_string());
        }
    }
    instances
}
