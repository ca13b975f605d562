//! Steps carried out in the simulated AWS.

use std::sync::Arc;
use std::time::Duration;

use act::DrainActor;
use calls::{Budget, Deadline};
use model::drain::{DrainAction, DrainStep};
use model::policy::Mode;
use world::face::{Face, FaceOptions, serve};
use world::{Config, Fault, FaultRule, Hook, Operation, ScaledBy, Transition, World};

use crate::small_aws::{autoscaling, ecs};
use crate::support::{step, stop};

const HOOK: &str = "ballast-instance-drain";

/// The workshop's EC2 chapters with their first instances, two of each group, of which one of `EC2` has a task.
async fn workshop() -> Face {
    let mut world = World::new(Config::new(7));
    world.add_workshop_ec2(ScaledBy::Ballast).unwrap();
    world
        .put_lifecycle_hook("EC2Spot", HOOK, Hook::new(Transition::Terminating))
        .unwrap();
    world.advance_secs(600);
    serve(world, FaceOptions::default()).await.unwrap()
}

async fn act(face: &Face, steps: Vec<DrainStep>) -> Vec<String> {
    let url = face.url();
    let budget = Arc::new(Budget::new(100));
    let actor = DrainActor::new(ecs(&url), autoscaling(&url), budget, Mode::Act);
    let deadline = Deadline::after(Duration::from_secs(60));
    let outcomes = actor.act(steps, deadline).await;
    outcomes.iter().map(|it| it.result.to_string()).collect()
}

/// A step on each container instance of a provider.
fn each(
    face: &Face,
    provider: &str,
    action: impl Fn(&Registered) -> DrainAction,
) -> Vec<DrainStep> {
    face.with_world(|world| {
        let instances = world.state().container_instances.values();
        instances
            .filter(|it| it.provider.as_deref() == Some(provider))
            .map(|it| {
                let registered = Registered {
                    cluster: it.cluster.clone(),
                    arn: it.arn.parse().unwrap(),
                    instance: it.ec2_instance_id.parse().unwrap(),
                };
                step(&it.ec2_instance_id, action(&registered))
            })
            .collect()
    })
}

/// A container instance of the world.
struct Registered {
    cluster: model::ClusterName,
    arn: model::ContainerInstanceArn,
    instance: model::InstanceId,
}

fn drain(it: &Registered) -> DrainAction {
    DrainAction::Drain {
        cluster: it.cluster.clone(),
        container_instance: it.arn.clone(),
        instance: it.instance.clone(),
    }
}

fn activate(it: &Registered) -> DrainAction {
    DrainAction::Activate {
        cluster: it.cluster.clone(),
        container_instance: it.arn.clone(),
        instance: it.instance.clone(),
    }
}

fn heartbeat(it: &Registered) -> DrainAction {
    DrainAction::RecordHeartbeat {
        group: "EC2Spot".parse().unwrap(),
        hook: HOOK.parse().unwrap(),
        instance: it.instance.clone(),
    }
}

fn complete(it: &Registered) -> DrainAction {
    DrainAction::CompleteLifecycleAction {
        group: "EC2Spot".parse().unwrap(),
        hook: HOOK.parse().unwrap(),
        instance: it.instance.clone(),
        empty: Some((it.cluster.clone(), it.arn.clone())),
    }
}

fn statuses(face: &Face) -> Vec<String> {
    face.with_world(|world| {
        let instances = world.state().container_instances.values();
        let spot = instances.filter(|it| it.provider.as_deref() == Some("EC2Spot"));
        spot.map(|it| it.status.as_str().to_owned()).collect()
    })
}

#[tokio::test]
async fn instances_are_drained_once_and_made_active_again() {
    let face = workshop().await;
    let drains = each(&face, "EC2Spot", drain);
    assert_eq!(act(&face, drains.clone()).await, ["done", "done"]);
    assert_eq!(statuses(&face), ["DRAINING", "DRAINING"]);
    // What is DRAINING is set to DRAINING again: nothing changes, and nothing fails.
    assert_eq!(act(&face, drains).await, ["done", "done"]);
    let activations = each(&face, "EC2Spot", activate);
    assert_eq!(act(&face, activations.clone()).await, ["done", "done"]);
    assert_eq!(act(&face, activations).await, ["already so", "already so"]);
    assert_eq!(statuses(&face), ["ACTIVE", "ACTIVE"]);
}

#[tokio::test]
async fn an_instance_that_has_left_needs_no_drain() {
    let face = workshop().await;
    let drains = each(&face, "EC2Spot", drain);
    let stays = drains.len() - 1;
    face.with_world(|world| {
        let all = world.state().container_instances.values();
        let mut spot = all.filter(|it| it.provider.as_deref() == Some("EC2Spot"));
        let id = spot.next().unwrap().ec2_instance_id.clone();
        assert!(world.end_instance(&id));
        world.advance_secs(120);
    });
    let mut results = act(&face, drains).await;
    results.sort();
    let mut want = vec!["already so"];
    want.extend(vec!["done"; stays]);
    assert_eq!(results, want);
}

#[tokio::test]
async fn a_terminating_instance_waits_and_is_let_go() {
    let face = workshop().await;
    let (drains, heartbeats, completions) = (
        each(&face, "EC2Spot", drain),
        each(&face, "EC2Spot", heartbeat),
        each(&face, "EC2Spot", complete),
    );
    // Nobody waits yet.
    assert_eq!(act(&face, heartbeats.clone()).await, ["already so"; 2]);
    assert_eq!(act(&face, completions.clone()).await, ["already so"; 2]);
    face.with_world(|world| world.set_desired_capacity("EC2Spot", 0).unwrap());
    face.with_world(|world| world.advance_secs(60));
    assert_eq!(act(&face, drains).await, ["done", "done"]);
    assert_eq!(act(&face, heartbeats.clone()).await, ["done", "done"]);
    assert_eq!(act(&face, completions.clone()).await, ["done", "done"]);
    face.with_world(|world| world.advance_secs(600));
    assert!(statuses(&face).is_empty());
    // Over, and the instances are gone: a second time is none.
    assert_eq!(act(&face, completions).await, ["already so"; 2]);
    assert_eq!(act(&face, heartbeats).await, ["already so"; 2]);
}

/// The steps that stop each task of the world.
fn stops(face: &Face) -> Vec<DrainStep> {
    let places: Vec<(String, String, String)> = face.with_world(|world| {
        let tasks = world.state().tasks.values();
        tasks
            .filter_map(|it| {
                let id = it.container_instance.as_ref()?;
                let on = &world.state().container_instances[id];
                Some((it.arn.clone(), on.arn.clone(), on.ec2_instance_id.clone()))
            })
            .collect()
    });
    places
        .into_iter()
        .map(|(task, container_instance, instance)| DrainStep {
            action: DrainAction::StopTask {
                cluster: "container-demo".parse().unwrap(),
                task: task.parse().unwrap(),
                container_instance: container_instance.parse().unwrap(),
                instance: instance.parse().unwrap(),
            },
            ..stop("t-0")
        })
        .collect()
}

#[tokio::test]
async fn a_task_is_stopped_once_and_says_by_whom() {
    let face = workshop().await;
    let steps = stops(&face);
    assert_eq!(steps.len(), 1);
    assert_eq!(act(&face, steps.clone()).await, ["done"]);
    assert_eq!(act(&face, steps.clone()).await, ["already so"]);
    face.with_world(|world| {
        let reasons = world.state().tasks.values();
        let said = reasons.filter(|it| {
            let reason = it.stopped_reason.as_deref();
            reason.is_some_and(|it| it.starts_with("Ballast instance-drain: `i-"))
        });
        assert_eq!(said.count(), 1);
        world.advance_secs(7_200);
    });
    // Forgotten by now.
    assert_eq!(act(&face, steps).await, ["already so"]);
}

#[tokio::test]
async fn a_lost_answer_is_looked_for() {
    let face = workshop().await;
    let (drains, stops) = (each(&face, "EC2Spot", drain), stops(&face));
    face.with_world(|world| {
        for operation in [
            Operation::UpdateContainerInstancesState,
            Operation::StopTask,
        ] {
            let rule = FaultRule::times(operation, Fault::ResponseLost, 1);
            world.config_mut().faults.rules.push(rule);
        }
    });
    // What the call that was not answered drained can be taken back.
    assert_eq!(act(&face, drains).await, ["done", "done"]);
    assert_eq!(act(&face, stops).await, ["already so"]);
}
