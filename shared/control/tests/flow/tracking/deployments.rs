//! Requests, counted by the load balancer, while a rolling deployment runs beside the old tasks.

use model::ServiceKey;
use model::snapshot::TaskStatus;
use serde_json::json;
use world::{Operation, World};

use super::stage::{Scene, Stage};

/// Six tasks, each asked as many requests as it is to be.
fn by_requests() -> Scene {
    let mut scene = Scene::steady(6).tag("ballast:target-requests-per-task-minute", "60");
    scene.tags.retain(|it| it.0 != "ballast:target-cpu-percent");
    scene
}

/// A new task definition, which ECS rolls out.
fn deploy(stage: &Stage) {
    let update = json!({"cluster": "demo", "service": "web", "taskDefinition": "web:2"});
    stage.call(Operation::UpdateService, &update);
}

/// The newest deployment's tasks answer no health check.
fn answer_nothing(world: &mut World, key: &ServiceKey) {
    let newest = world.service(key).unwrap().deployments[0].id.clone();
    let tasks = world.tasks_of(key).into_iter();
    let tasks = tasks.filter(|it| it.deployment == newest);
    let ids: Vec<String> = tasks.map(|it| it.id().to_owned()).collect();
    for id in ids {
        world.set_target_answers(&id, false);
    }
}

/// How many of the service's tasks are RUNNING, healthy or not.
fn running_tasks(stage: &Stage) -> usize {
    stage.face.with_world(|world| {
        let tasks = world.tasks_of(&stage.cast.primary).into_iter();
        let running = tasks.filter(|it| it.last_status == TaskStatus::Running);
        running.count()
    })
}

/// The requests for each healthy task stay what they are, and twice as many tasks run for half an hour. ECS never rolls the deployment back.
#[tokio::test]
async fn a_deployment_whose_tasks_never_get_healthy_does_not_climb() {
    for second in [0, 25] {
        let stage = by_requests().open().await;
        stage.advance_secs(second);
        stage.sweep_for(3).await;
        deploy(&stage);
        let (mut desired, mut running) = (Vec::new(), Vec::new());
        for _ in 0..30 {
            for _ in 0..12 {
                stage.advance_secs(5);
                stage.face.with_world(|world| {
                    answer_nothing(world, &stage.cast.primary);
                });
            }
            let handled = stage.sweep().await;
            assert_eq!(handled.failure, None, "{:#?}", handled.record);
            desired.push(stage.desired().0);
            running.push(running_tasks(&stage));
        }
        let what = format!("second {second}: {desired:?} {running:?}");
        assert!(desired.iter().all(|it| *it == 6), "{what}");
        assert!(running.iter().any(|it| *it >= 10), "{what}");
        assert_eq!(stage.over_limit_requests(), 0, "{what}");
    }
}

/// A deployment that gets through ends with as many tasks as before.
#[tokio::test]
async fn a_deployment_that_is_rolled_out_changes_nothing() {
    for second in [0, 25] {
        let stage = by_requests().open().await;
        stage.advance_secs(second);
        stage.sweep_for(3).await;
        deploy(&stage);
        assert_eq!(stage.acted_in(20).await, [""; 0], "second {second}");
        let is_over = |world: &mut World| {
            let deployments = &world.service(&stage.cast.primary).unwrap().deployments;
            deployments.len() == 1 && deployments[0].completed
        };
        assert!(stage.face.with_world(is_over), "second {second}");
    }
}
