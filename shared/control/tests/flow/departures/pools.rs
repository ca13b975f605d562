//! Warm pools: no list of groups shows their instances, and the schedule alone looks after them all the same.

use std::collections::BTreeMap;

use model::InstanceId;
use model::policy::Mode;
use serde_json::{Value, json};
use world::{
    ContainerInstanceStatus, Fault, FaultRule, GroupSpec, LaunchSpec, Lifecycle, Operation,
    WarmPoolState,
};

use super::multitudes::{BY_ID, maintenance};
use super::stage::{DRAINS, GROUP, Handled, Scene, Stage, TERMINATE_ACTION};
use super::unregistered::{foreign, opt_in, remembered};
use crate::stage::{acted, batch, held};

const COMPLETIONS: &str = "autoscaling:CompleteLifecycleAction";
const HEARTBEATS: &str = "autoscaling:RecordLifecycleActionHeartbeat";
const POOLS: &str = "autoscaling:DescribeWarmPool";

/// A group of one with a pool of so many beside it.
fn pooled(size: u32, state: WarmPoolState) -> Scene {
    Scene {
        tasks: if state == WarmPoolState::Running {
            6
        } else {
            3
        },
        instances: 1,
        pool: Some((size, state)),
        ..Scene::default()
    }
}

/// The same, where no event is sent.
fn silent(size: u32, state: WarmPoolState) -> Scene {
    Scene {
        is_silent: true,
        ..pooled(size, state)
    }
}

/// The instances of the pool.
fn pool(stage: &Stage) -> Vec<InstanceId> {
    stage.face.with_world(|world| {
        let pool = world.state().groups[GROUP].warm_pool.as_ref();
        let ids = pool.into_iter().flat_map(|it| &it.instances);
        ids.map(|it| it.parse().unwrap()).collect()
    })
}

fn lifecycle(stage: &Stage, instance: &InstanceId) -> Lifecycle {
    let of = |world: &mut world::World| world.state().instances[instance.as_str()].lifecycle_state;
    stage.face.with_world(of)
}

/// The pool is to have so many from now on. The answer is what waits in the hook for it.
fn shrink(stage: &Stage, size: u32, state: WarmPoolState) -> InstanceId {
    let put = |world: &mut world::World| world.put_warm_pool(GROUP, size, state);
    stage.face.with_world(put).unwrap();
    let waits = |it: &InstanceId| lifecycle(stage, it) == Lifecycle::WarmedTerminatingWait;
    let mut waiting = pool(stage).into_iter().filter(waits);
    let leaving = waiting.next().unwrap();
    assert_eq!(waiting.next(), None);
    leaving
}

fn writes(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    let of = of.iter().map(|(name, count)| ((*name).to_owned(), *count));
    of.collect()
}

/// It is gone, its tasks serve elsewhere, and it was drained, and let go, once.
fn check_end(stage: &Stage, leaving: &InstanceId) {
    assert_eq!(lifecycle(stage, leaving), Lifecycle::Terminated);
    assert_eq!(stage.serving(), 6);
    assert_eq!(stage.writes(), writes(&[(DRAINS, 1), (COMPLETIONS, 1)]));
    assert!(!pool(stage).contains(leaving));
}

/// An instance of a pool may run tasks: its agent registers it.
#[tokio::test]
async fn the_schedule_alone_empties_what_leaves_a_pool_and_lets_it_go() {
    let running = WarmPoolState::Running;
    let stage = silent(2, running).open().await;
    // Every instance is full once, so that each keeps some of its tasks.
    for tasks in [9, 6] {
        let input = json!({"cluster": "container-demo", "service": "web", "desiredCount": tasks});
        stage.call(Operation::UpdateService, &input);
        stage.advance_secs(300);
    }
    let leaving = shrink(&stage, 1, running);
    assert!(stage.tasks_on(&leaving) > 0);
    let handled = stage.sweep().await;
    let drained = format!("set `{leaving}` to DRAINING: done");
    assert_eq!(acted(&handled), [drained]);
    assert_eq!(held(&handled, "waiting_for_tasks"), 1);
    let completed =
        format!("let `{leaving}` go on from the hook `ballast-instance-drain` (CONTINUE): done");
    assert_eq!(stage.acted_in(2).await, [completed]);
    assert_eq!(stage.acted_in(3).await, [""; 0]);
    check_end(&stage, &leaving);
    assert_eq!(stage.face.calls().get(BY_ID), None);
}

#[tokio::test]
async fn the_event_and_the_schedule_reach_the_same() {
    let running = WarmPoolState::Running;
    let stage = pooled(2, running).open().await;
    let leaving = shrink(&stage, 1, running);
    stage.advance_secs(5);
    let actions = stage.events(TERMINATE_ACTION);
    assert_eq!(actions[0]["detail"]["Origin"], "WarmPool");
    let handled = stage.handle(Mode::Act, &actions[0]).await;
    let drained = format!("set `{leaving}` to DRAINING: done");
    assert_eq!(acted(&handled), [drained]);
    assert_eq!(stage.acted_in(5).await.len(), 1);
    check_end(&stage, &leaving);
}

/// What is stopped in a pool registers nowhere: it is kept waiting for as long as one may take to register, and no longer.
#[tokio::test]
async fn what_is_registered_nowhere_is_let_go_when_it_would_have_registered() {
    let stopped = WarmPoolState::Stopped;
    let scene = Scene {
        hook_secs: Some(150),
        ..silent(2, stopped)
    };
    let stage = scene.open().await;
    let leaving = shrink(&stage, 1, stopped);
    for minute in 1..8 {
        stage.acted_in(1).await;
        let waits = lifecycle(&stage, &leaving) == Lifecycle::WarmedTerminatingWait;
        assert_eq!(waits, minute < 5, "minute {minute}");
    }
    let sent = stage.writes();
    assert_eq!((sent.get(DRAINS), sent.get(COMPLETIONS)), (None, Some(&1)));
    assert!(sent[HEARTBEATS] >= 2, "{sent:?}");
}

/// What a sweep says, and how many calls it takes, with so many stopped instances in the pool.
async fn quiet(size: u32) -> (BTreeMap<String, usize>, u64, bool) {
    let stage = silent(size, WarmPoolState::Stopped).open().await;
    assert_eq!(pool(&stage).len(), usize::try_from(size).unwrap());
    stage.sweep().await;
    let before = stage.total_calls();
    let handled = stage.sweep().await;
    assert_eq!(handled.failure, None);
    assert_eq!(acted(&handled), [""; 0]);
    let is_remembered = stage.recall().await.0.is_some_and(|it| !it.is_empty());
    let holds = handled.record.plan.holds_by_reason.clone();
    let seen = handled.record.snapshot.as_ref().unwrap().seen.instances;
    assert_eq!(seen, Some(1));
    (holds, stage.total_calls() - before, is_remembered)
}

#[tokio::test]
async fn a_quiet_pool_adds_no_hold_and_no_memory() {
    let (holds, calls, is_remembered) = quiet(1).await;
    assert!(!is_remembered);
    assert_eq!(quiet(500).await, (holds, calls + 9, false));
}

/// The pool cannot be read: nothing is done by choice, and the group says why.
#[tokio::test]
async fn a_pool_that_cannot_be_read_is_told_of() {
    let running = WarmPoolState::Running;
    let stage = silent(2, running).open().await;
    let leaving = shrink(&stage, 1, running);
    stage.fault(FaultRule::always(
        Operation::DescribeWarmPool,
        Fault::AccessDenied,
    ));
    let handled = stage.sweep().await;
    assert!(handled.failure.is_some(), "the errors' alarm rings");
    assert_eq!(held(&handled, "snapshot_incomplete"), 1);
    assert_eq!(acted(&handled), [""; 0]);
    let told = |it: &model::snapshot::Gap| it.operation == POOLS && it.resource == GROUP;
    assert!(handled.record.gaps.iter().any(told));
    // What is in the group itself is drained all the same.
    let other = stage.in_service().swap_remove(0);
    stage.terminate(&other);
    let handled = stage.sweep().await;
    assert_eq!(acted(&handled).len(), 1, "{:?}", acted(&handled));
    assert_eq!(stage.draining(), [other].into());
    stage.clear_faults();
    assert!(stage.acted_in(3).await.len() >= 2);
    assert_eq!(lifecycle(&stage, &leaving), Lifecycle::Terminated);
}

/// What becomes of AWS Health's event about these, and of the look that it leads to.
async fn announce(stage: &Stage, ids: &[String]) -> (Handled, Vec<String>) {
    let payload = batch([maintenance(stage, ids).to_string()]);
    let handled = stage.handle(Mode::Act, &payload).await;
    assert!(handled.record.looked_again.is_empty(), "one look is enough");
    let failures = handled.record.batch_item_failures.iter().flatten();
    let failures = failures.map(|it| it.item_identifier.to_string()).collect();
    (handled, failures)
}

fn ids_of(events: &[Value]) -> Vec<String> {
    let ids = events.iter().map(|it| &it["detail"]["instance-id"]);
    ids.map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// What AWS will do to an instance that waits in a pool is its group's to remember, and no look forgets it while it is there.
#[tokio::test]
async fn of_very_many_instances_what_is_said_of_one_in_a_pool_is_its_groups_to_remember() {
    let stage = pooled(2, WarmPoolState::Stopped).open().await;
    opt_in(&stage);
    let warnings = foreign(&stage, 1_500);
    let mut ids = ids_of(&warnings);
    let waiting = pool(&stage).swap_remove(0);
    ids.push(waiting.to_string());
    let (_, failures) = announce(&stage, &ids).await;
    assert_eq!(failures, [""; 0]);
    assert_eq!(remembered(&stage, &warnings).await, 1_500);
    let knows = async || stage.memory().await.departures.contains_key(&waiting);
    assert!(knows().await);
    stage.sweep_for(2).await;
    assert!(knows().await);
    let put = |world: &mut world::World| world.delete_warm_pool(GROUP);
    stage.face.with_world(put).unwrap();
    // It is let go from its hook, and nothing is left to remember.
    stage.sweep_for(20).await;
    assert_eq!(pool(&stage), []);
    assert!(!knows().await);

    // Where the pool cannot be read, it may be any of them.
    stage.fault(FaultRule::always(
        Operation::DescribeWarmPool,
        Fault::AccessDenied,
    ));
    let put = |world: &mut world::World| world.put_warm_pool(GROUP, 1, WarmPoolState::Stopped);
    stage.face.with_world(put).unwrap();
    let (handled, failures) = announce(&stage, &ids_of(&foreign(&stage, 1_500))).await;
    assert_eq!(failures, ["message-0"]);
    assert_eq!(held(&handled, "unread"), 1_500);
}

/// More than a thousand instances of a cluster that are in no group, where somebody's group has a pool: one event about them all is done.
#[tokio::test]
async fn an_event_about_very_many_instances_of_a_cluster_is_done_where_there_is_a_pool() {
    const MANY: u32 = 1_100;
    let scene = Scene {
        instances: MANY,
        hook_secs: None,
        tags: vec![],
        ..Scene::default()
    };
    let stage = scene.open().await;
    opt_in(&stage);
    let ids: Vec<String> = stage.in_service().iter().map(ToString::to_string).collect();
    stage.face.with_world(|world| {
        for id in &ids {
            world.detach_instance(id, true).unwrap();
        }
        world.declare_launch_template("spare", "t3.small", model::strategy::Market::OnDemand);
        let launch = LaunchSpec::template("spare");
        world.declare_auto_scaling_group(GroupSpec::new("spare", launch, 0, 0, 10));
        let put = world.put_warm_pool("spare", 3, WarmPoolState::Stopped);
        put.unwrap();
        world.advance_secs(300);
    });
    let (handled, failures) = announce(&stage, &ids).await;
    assert_eq!(failures, [""; 0]);
    assert_eq!(held(&handled, "unread"), 0);
    let calls = stage.face.calls();
    assert_eq!((calls.get(BY_ID), calls.get(POOLS)), (None, Some(&1)));
    let first = stage.status(&ids[0].parse().unwrap());
    assert_eq!(first, Some(ContainerInstanceStatus::Draining));
}
