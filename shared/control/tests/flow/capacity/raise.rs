//! Tasks that have no room: the group is raised, once, and rests when they run.

use model::policy::Mode;
use serde_json::Value;
use world::{ScaledBy, World};

use super::stage::{Scene, Stage};
use crate::stage::{acted, held};

/// The placement failures that ECS has told of since the last time.
fn placement_failures(stage: &Stage) -> Vec<Value> {
    let events = stage.face.with_world(World::take_due_events);
    events
        .into_iter()
        .map(|it| it.envelope)
        .filter(|it| it["detail"]["eventName"] == "SERVICE_TASK_PLACEMENT_FAILURE")
        .collect()
}

#[tokio::test]
async fn one_task_too_many_is_one_more_instance() {
    let stage = Scene::default().open().await;
    stage.set_tasks(7);
    let event = placement_failures(&stage).remove(0);
    let handled = stage.handle(Mode::Act, &event).await;
    assert_eq!(handled.failure, None);
    let raise = "set the desired capacity of `workers` from 2 to 3: done";
    assert_eq!(acted(&handled), [raise]);
    assert_eq!(stage.desired(), 3);

    // While the instance is on its way nothing more is bought, whatever else is told.
    for _ in 0..6 {
        stage.advance_secs(10);
        for event in placement_failures(&stage) {
            let handled = stage.handle(Mode::Act, &event).await;
            assert_eq!(handled.failure, None);
            assert_eq!(acted(&handled), [""; 0]);
        }
    }
    stage.advance_secs(180);
    assert_eq!(stage.serving(), 7);
    // A plan that worked leaves nothing to do.
    let handled = stage.sweep().await;
    assert_eq!(acted(&handled), [""; 0]);
    assert_eq!(held(&handled, "right_size"), 1);
    assert_eq!(stage.writes().values().sum::<u64>(), 1);
}

#[tokio::test]
async fn the_schedule_alone_comes_to_the_same() {
    let stage = Scene::default().open().await;
    stage.set_tasks(7);
    let handled = stage.sweep_for(8).await;
    assert_eq!(acted(&handled), [""; 0]);
    assert_eq!(held(&handled, "right_size"), 1);
    assert_eq!((stage.desired(), stage.serving()), (3, 7));
    assert_eq!(stage.writes().values().sum::<u64>(), 1);
}

/// The workshop on two groups: 1 task, then 40, then 1.
#[tokio::test]
async fn both_groups_of_the_workshop_grow_and_shrink_as_its_tables_say() {
    let mut world = World::new(world::Config::new(3));
    let names = world.add_workshop_ec2(ScaledBy::Ballast).unwrap();
    world.advance_secs(900);
    let stage = Stage::under(world, names.service, names.on_demand).await;
    let sizes = || {
        let capacity = |name| stage.face.with_world(|world| world.group_capacity(name));
        [capacity(names.on_demand), capacity(names.spot)]
    };
    stage.sweep_for(3).await;
    assert_eq!(sizes(), [2, 2]);
    stage.set_tasks(40);
    let first = stage.sweep().await;
    let raises = [
        "set the desired capacity of `EC2Spot` from 2 to 5: done",
        "set the desired capacity of `EC2` from 2 to 4: done",
    ];
    assert_eq!(acted(&first), raises);
    let handled = stage.sweep_for(8).await;
    assert_eq!(acted(&handled), [""; 0]);
    assert_eq!(held(&handled, "right_size"), 2);
    assert_eq!((sizes(), stage.serving()), ([4, 5], 40));
    stage.set_tasks(1);
    let handled = stage.sweep_for(40).await;
    assert_eq!(acted(&handled), [""; 0]);
    assert_eq!(held(&handled, "right_size"), 2);
    assert_eq!((sizes(), stage.serving()), ([2, 2], 1));
}
