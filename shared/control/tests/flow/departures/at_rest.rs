//! Groups of which no instance leaves.

use super::stage::Scene;
use crate::stage::{acted, held};

/// Whether the minute's look says that a service with 100 % and 100 % could not be moved, and whether it read the tasks.
async fn check(drains_on_rebalance: &'static str, is_said: bool) {
    let scene = Scene {
        maximum_percent: 100,
        ..Scene::default()
    };
    let scene = scene.tag("ballast:drain-on-rebalance", drains_on_rebalance);
    let stage = scene.open().await;
    let handled = stage.sweep().await;
    assert_eq!(handled.failure, None);
    assert_eq!(acted(&handled), [""; 0]);
    assert_eq!(held(&handled, "watching"), 1);
    let said = "; if one did, ECS could not move 6 tasks of `service/web`: minimum healthy 100 % and maximum 100 % let ECS neither";
    let holds = &handled.record.plan.holds;
    assert_eq!(holds.iter().any(|it| it.text.contains(said)), is_said);
    assert!(!holds.iter().any(|it| it.hold.reason.leaves_unprotected()));
    assert_eq!(
        stage.face.calls().contains_key("ecs:DescribeTasks"),
        is_said
    );
}

#[tokio::test]
async fn what_no_drain_could_move_is_said_before_anything_leaves() {
    check("true", true).await;
}

/// No call is made for it.
#[tokio::test]
async fn where_no_task_is_read_nothing_is_said_of_it() {
    check("false", false).await;
}
