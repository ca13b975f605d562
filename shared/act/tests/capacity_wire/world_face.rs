//! Steps carried out in the simulated AWS.

use std::sync::Arc;
use std::time::Duration;

use act::CapacityActor;
use calls::{Budget, Deadline};
use model::capacity::{CapacityAction, CapacityStep};
use model::policy::Mode;
use world::face::{Face, FaceOptions, serve};
use world::{Config, ScaledBy, World};

use crate::small_aws::{autoscaling, ecs};
use crate::support::step;

/// The workshop's EC2 chapters with their first instances, two of each group, of which all but one of `EC2` are empty.
async fn workshop() -> Face {
    let mut world = World::new(Config::new(7));
    world.add_workshop_ec2(ScaledBy::Ballast).unwrap();
    world.advance_secs(600);
    serve(world, FaceOptions::default()).await.unwrap()
}

async fn act(face: &Face, steps: Vec<CapacityStep>) -> Vec<String> {
    let url = face.url();
    let budget = Arc::new(Budget::new(100));
    let actor = CapacityActor::new(ecs(&url), autoscaling(&url), budget, Mode::Act);
    let deadline = Deadline::after(Duration::from_secs(60));
    let outcomes = actor.act(steps, deadline).await;
    outcomes.iter().map(|it| it.result.to_string()).collect()
}

/// The steps on each container instance of a provider: drain, terminate, activate.
fn steps(face: &Face, provider: &str) -> [Vec<CapacityStep>; 3] {
    face.with_world(|world| {
        let desired_capacity = world.state().groups[provider].desired_capacity;
        let mut all = [Vec::new(), Vec::new(), Vec::new()];
        let instances = world.state().container_instances.values();
        for it in instances.filter(|it| it.provider.as_deref() == Some(provider)) {
            let cluster = || it.cluster.clone();
            let container_instance = || it.arn.parse().unwrap();
            let instance = || it.ec2_instance_id.parse().unwrap();
            let [drains, terminations, activations] = &mut all;
            drains.push(step(CapacityAction::Drain {
                cluster: cluster(),
                container_instance: container_instance(),
                instance: instance(),
                tasks: 0,
            }));
            terminations.push(step(CapacityAction::Terminate {
                cluster: cluster(),
                group: provider.parse().unwrap(),
                container_instance: container_instance(),
                instance: instance(),
                desired_capacity,
            }));
            activations.push(step(CapacityAction::Activate {
                cluster: cluster(),
                container_instance: container_instance(),
                instance: instance(),
            }));
        }
        all
    })
}

#[tokio::test]
async fn empty_instances_are_drained_and_terminated() {
    let face = workshop().await;
    let [drains, terminations, activations] = steps(&face, "EC2Spot");
    let not_drained = "precondition failed: found status ACTIVE";
    assert_eq!(act(&face, terminations.clone()).await, [not_drained; 2]);
    assert_eq!(act(&face, drains.clone()).await, ["done", "done"]);
    assert_eq!(act(&face, activations).await, ["done", "done"]);
    assert_eq!(act(&face, drains).await, ["done", "done"]);
    assert_eq!(act(&face, terminations).await, ["done", "done"]);
    face.with_world(|world| {
        assert_eq!(world.state().groups["EC2Spot"].desired_capacity, 0);
        world.advance_secs(300);
        let left = world.state().container_instances.values();
        let left = left.filter(|it| it.provider.as_deref() == Some("EC2Spot"));
        assert_eq!(left.count(), 0);
    });
}

#[tokio::test]
async fn an_instance_with_a_task_is_no_empty_one() {
    let face = workshop().await;
    let [drains, ..] = steps(&face, "EC2");
    let mut results = act(&face, drains).await;
    results.sort();
    assert_eq!(results[0], "done");
    assert!(
        results[1].starts_with("precondition failed: found task `"),
        "{results:?}"
    );
}

#[tokio::test]
async fn a_group_is_raised_once() {
    let face = workshop().await;
    let raise = |from, to| {
        step(CapacityAction::SetDesiredCapacity {
            group: "EC2".parse().unwrap(),
            from,
            to,
        })
    };
    let steps = vec![raise(2, 5)];
    assert_eq!(act(&face, steps.clone()).await, ["done"]);
    assert_eq!(act(&face, steps).await, ["already so"]);
    let results = act(&face, vec![raise(5, 11)]).await;
    assert_eq!(results, ["precondition failed: found maximum size 10"]);
}
