//! Instances that left their group and have several container instances: an agent that lost its state registers its instance anew, and what it
//! was before stays for a while.

use model::InstanceId;
use model::capacity::ContainerInstanceStatus;

use crate::elsewhere::{detach, drained, reasons};
use crate::scene::{Scene, arn};

/// Ballast drained `i-1`, which is in no group now and has been for ten minutes.
fn left() -> (Scene, InstanceId) {
    let (mut scene, ids) = Scene::web(2);
    drained(&mut scene, &ids[0]);
    detach(&mut scene, &ids[0]);
    scene.container(&ids[0]).registered_at = Some(scene.ago(5_000));
    scene.act();
    scene.later(600);
    assert_eq!(reasons(&scene), ["cause_gone"]);
    (scene, ids[0].clone())
}

/// What it was registered as before, or anew, with its agent connected to this one or not.
fn second(
    scene: &mut Scene,
    id: &InstanceId,
    status: ContainerInstanceStatus,
    age_secs: i64,
    agent_connected: bool,
) {
    let mut container = scene.container(id).clone();
    // Of the two ARNs the second is the last.
    container.arn = arn(&"i-9".parse().unwrap());
    container.status = status;
    container.registered_at = Some(scene.ago(age_secs));
    container.agent_connected = agent_connected;
    let instances = &mut scene.capacity().instances;
    instances.insert(container.arn.clone(), container);
}

#[test]
fn an_old_registration_that_is_active_does_not_end_a_drain_while_no_agent_is_connected() {
    let check = |status, age_secs: i64, is_connected: bool, is_kept: bool| {
        let (mut scene, id) = left();
        second(&mut scene, &id, status, age_secs, is_connected);
        scene.container(&id).agent_connected = false;
        scene.act();
        let text = format!("{status:?}, {age_secs} s, {is_connected}");
        let memory = scene.memory();
        let own = memory.departures.get(&id).and_then(|it| it.own_drain);
        assert_eq!(own.is_some(), is_kept, "{text}");
        scene.later(60);
        scene.container(&id).agent_connected = !is_connected;
        let wanted: &[&str] = if is_kept { &["cause_gone"] } else { &[] };
        assert_eq!(reasons(&scene), wanted, "{text}");
    };
    let active = ContainerInstanceStatus::Active;
    check(active, 2_000_000, false, true);
    check(active, 100, false, true);
    // It takes tasks: the drain has ended with what it was.
    check(active, 100, true, false);
}

/// Only what is ACTIVE was set so.
#[test]
fn what_registers_or_is_deregistered_is_not_taken_for_set_to_active() {
    for status in [
        ContainerInstanceStatus::Registering,
        ContainerInstanceStatus::Deregistering,
        ContainerInstanceStatus::Inactive,
        ContainerInstanceStatus::Unknown,
    ] {
        let (mut scene, id) = left();
        scene.container(&id).status = status;
        assert!(reasons(&scene).is_empty(), "{status:?}");
        scene.act();
        let memory = scene.memory();
        let own = memory.departures.get(&id).and_then(|it| it.own_drain);
        assert!(own.is_some(), "{status:?}");
    }
}
