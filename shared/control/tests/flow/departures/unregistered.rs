//! An instance in no group that is warned before it registers.

use model::InstanceId;
use model::policy::Mode;
use serde_json::json;
use world::{ContainerInstanceStatus, Operation};

use super::stage::{GROUP, Scene, Stage};
use crate::stage::{acted, held};

/// A cluster that is opted in for its instances in no group, and an instance in none that was launched a moment ago.
async fn with_a_new_instance() -> (Stage, InstanceId) {
    let scene = Scene {
        tags: vec![],
        hook_secs: None,
        ..Scene::default()
    };
    let stage = scene.open().await;
    let id = stage.face.with_world(|world| {
        let arn = world.cluster_arn(&stage.cast.cluster);
        let tags = json!([{"key": "ballast:instance-drain", "value": "act"}]);
        let input = json!({"resourceArn": arn, "tags": tags});
        world.call(Operation::TagResource, input).unwrap();
        let before = world.state().groups[GROUP].instances.clone();
        world.set_desired_capacity(GROUP, 4).unwrap();
        loop {
            world.advance_secs(1);
            let members = world.state().groups[GROUP].instances.clone();
            let new = members.into_iter().find(|it| !before.contains(it));
            if let Some(new) = new
                && world.detach_instance(&new, true).is_ok()
            {
                return new;
            }
        }
    });
    (stage, id.parse().unwrap())
}

#[tokio::test]
async fn a_warning_that_comes_before_the_instance_registers_is_remembered_and_the_schedule_drains_it()
 {
    let (stage, new) = with_a_new_instance().await;
    assert_eq!(stage.status(&new), None);
    let handled = stage.handle(Mode::Act, &stage.warning(&new)).await;
    assert_eq!(handled.failure, None);
    assert_eq!(held(&handled, "not_registered"), 1, "{handled:#?}");
    let mut waited = 0;
    while stage.status(&new) != Some(ContainerInstanceStatus::Active) {
        stage.advance_secs(1);
        waited += 1;
    }
    assert!((1..110).contains(&waited), "{waited}");
    let handled = stage.sweep().await;
    assert_eq!(handled.failure, None);
    assert_eq!(acted(&handled), [format!("set `{new}` to DRAINING: done")]);
    let draining = Some(ContainerInstanceStatus::Draining);
    assert_eq!(stage.status(&new), draining);
    assert_eq!(stage.acted_in(1).await, [""; 0]);
}

/// Nobody warned of it: it stays, and nothing is remembered of it.
#[tokio::test]
async fn an_instance_that_registers_without_a_warning_stays() {
    let (stage, new) = with_a_new_instance().await;
    stage.advance_secs(60);
    assert_eq!(stage.acted_in(3).await, [""; 0]);
    assert_eq!(stage.status(&new), Some(ContainerInstanceStatus::Active));
}
