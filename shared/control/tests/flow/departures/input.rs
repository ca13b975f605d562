//! Events that come twice, late, in another order, too early, or from somewhere else.

use model::policy::Mode;
use model::{InstanceId, Seconds};
use serde_json::Value;
use world::{ContainerInstanceStatus, Lifecycle, Operation};

use super::stage::{DRAINS, GROUP, HOOK, REBALANCE, Scene, Stage, TERMINATE_ACTION, about};
use crate::stage::{acted, batch, held, invoked, sample, well_done};

const DAY: Seconds = Seconds(86_400);
const STATE_CHANGE: &str = "EC2 Instance State-change Notification";

/// What one invocation makes of these events as one batch: none fails, and none goes back to the queue.
async fn check_batch(stage: &Stage, events: &[Value], want: &[String]) {
    let bodies = events.iter().map(ToString::to_string);
    let handled = stage.handle(Mode::Act, &batch(bodies)).await;
    assert_eq!(handled.failure, None);
    assert_eq!(acted(&handled), want, "{events:#?}");
    assert_eq!(handled.record.batch_item_failures, Some(vec![]));
}

#[tokio::test]
async fn duplicates_and_older_events_in_any_order_lead_to_one_drain() {
    let orders: [[usize; 5]; 4] = [
        [0, 1, 2, 3, 4],
        [4, 3, 2, 1, 0],
        [2, 4, 0, 3, 1],
        [1, 0, 4, 2, 3],
    ];
    for order in orders {
        let stage = Scene::default().open().await;
        let leaving = stage.in_service().swap_remove(0);
        let before = |secs| Seconds(secs).before(stage.now());
        let events = [
            stage.warning(&leaving),
            stage.warning(&leaving),
            stage.warning_at(&leaving, DAY.before(stage.now())),
            about(REBALANCE, &leaving, before(30)),
            about(REBALANCE, &leaving, DAY.before(stage.now())),
        ];
        let events = order.map(|index| events[index].clone());
        let drained = format!("set `{leaving}` to DRAINING: done");
        check_batch(&stage, &events, &[drained]).await;
        let memory = stage.memory().await;
        let departure = &memory.departures[&leaving];
        let times: Vec<_> = departure.causes.iter().map(|it| it.at()).collect();
        let want = [stage.now(), before(30)];
        let near = |(a, b): (&_, &_)| Seconds::between(*a, *b).0.abs() <= 5;
        assert_eq!(times.len(), 2, "{memory:?}");
        assert!(times.iter().zip(&want).all(near), "{times:?} {want:?}");
        // Each of them again, by itself.
        for event in &events {
            check_batch(&stage, std::slice::from_ref(event), &[]).await;
        }
    }
}

/// Its notice is long over, and it runs: whatever the event meant, it came to nothing.
#[tokio::test]
async fn a_warning_of_yesterday_drains_nothing_and_is_handled_once() {
    let stage = Scene::default().open().await;
    let named = stage.in_service().swap_remove(0);
    let late = stage.warning_at(&named, DAY.before(stage.now()));
    check_batch(&stage, &[late], &[]).await;
    assert_eq!(stage.acted_in(2).await, [""; 0]);
    assert_eq!(stage.writes().len(), 0);
}

#[tokio::test]
async fn events_from_elsewhere_are_counted_and_cost_nothing() {
    for (pointer, value, why) in [
        ("account", "999988887777", "other_account"),
        ("region", "eu-west-1", "other_region"),
    ] {
        let stage = Scene::default().open().await;
        let named = stage.in_service().swap_remove(0);
        let mut event = stage.warning(&named);
        event[pointer] = value.into();
        let handled = stage.handle(Mode::Act, &event).await;
        assert_eq!(handled.failure, None);
        assert_eq!(handled.record.triggers.ignored.get(why), Some(&1), "{why}");
        assert_eq!(stage.total_calls(), 0, "{why}");
    }
    let stage = Scene::default().open().await;
    let mut controller = stage.controller(Mode::Act);
    controller.clusters = vec!["another".parse().unwrap()];
    let event = sample("aws.ecs--ecs-container-instance-state-change--draining.json");
    let handled = controller.handle(&event, &invoked()).await;
    let ignored = &handled.record.triggers.ignored;
    assert_eq!(ignored.get("other_cluster"), Some(&1));
    assert_eq!(stage.total_calls(), 0);
}

/// An instance that is nobody's, and one whose group is not opted in: one look, success, and nothing is remembered.
#[tokio::test]
async fn an_instance_that_is_not_looked_after_is_named_and_left_alone() {
    let stage = Scene::default().open().await;
    let unknown: InstanceId = "i-0ffffffffffffffff".parse().unwrap();
    let handled = stage.handle(Mode::Act, &stage.warning(&unknown)).await;
    assert_eq!(handled.failure, None);
    assert_eq!(held(&handled, "not_found"), 1);
    assert_eq!(handled.record.snapshot.unwrap().seen.passed_over, 1);
    assert_eq!(handled.record.ledger.remembered, 0);

    let scene = Scene {
        tags: vec![],
        ..Scene::default()
    };
    let stage = scene.open().await;
    let named = stage.in_service().swap_remove(0);
    stage.terminate(&named);
    stage.advance_secs(5);
    let mut events = stage.events(TERMINATE_ACTION);
    events.push(stage.warning(&named));
    for event in &events {
        let handled = stage.handle(Mode::Act, event).await;
        assert_eq!(handled.failure, None);
        assert_eq!(held(&handled, "not_opted_in"), 1);
        assert_eq!(handled.record.ledger.remembered, 0);
    }
    assert_eq!(stage.acted_in(2).await, [""; 0]);
    assert_eq!(stage.writes().len(), 0);
}

/// The warning comes while the instance boots. It is remembered, and the drain follows the registration.
#[tokio::test]
async fn a_warning_before_the_registration_is_kept_until_there_is_something_to_drain() {
    let stage = Scene::default().open_after(5).await;
    let mut secs = 0;
    let booting = loop {
        let all = stage.face.with_world(|world| {
            let all = world.state().instances.values();
            let running = all.filter(|it| it.running_at.is_some());
            running
                .map(|it| it.id.parse().unwrap())
                .collect::<Vec<InstanceId>>()
        });
        if let Some(first) = all.into_iter().next() {
            break first;
        }
        stage.advance_secs(5);
        secs += 5;
        assert!(secs < 300, "no instance runs");
    };
    assert_eq!(stage.status(&booting), None);
    let handled = stage.handle(Mode::Act, &stage.warning(&booting)).await;
    assert_eq!(well_done(&handled), 0);
    assert_eq!(held(&handled, "not_registered"), 1, "{handled:#?}");
    // ECS reports the registration; a look before it changes nothing.
    stage.sweep().await;
    let registered = loop {
        stage.advance_secs(5);
        secs += 5;
        assert!(secs < 300, "it does not register");
        let changes = stage.events("ECS Container Instance State Change");
        let of_instance = |it: &Value| it["detail"]["ec2InstanceId"] == booting.as_str();
        if let Some(change) = changes.into_iter().find(of_instance) {
            break change;
        }
    };
    assert_eq!(
        stage.status(&booting),
        Some(ContainerInstanceStatus::Active)
    );
    let handled = stage.handle(Mode::Act, &registered).await;
    assert_eq!(handled.failure, None);
    assert_eq!(
        acted(&handled),
        [format!("set `{booting}` to DRAINING: done")]
    );
}

/// Somebody else completed the action, the instance is gone, and the events still come: each is a success that writes nothing.
#[tokio::test]
async fn an_action_that_is_over_is_success_however_often_it_is_told() {
    let stage = Scene::default().open().await;
    let leaving = stage.in_service().swap_remove(0);
    stage.terminate(&leaving);
    stage.advance_secs(5);
    let mut events = stage.events(TERMINATE_ACTION);
    assert_eq!(events.len(), 1);
    let input = serde_json::json!({
        "AutoScalingGroupName": GROUP,
        "LifecycleHookName": HOOK,
        "InstanceId": leaving,
        "LifecycleActionResult": "CONTINUE",
    });
    stage.call(Operation::CompleteLifecycleAction, &input);
    events.push(stage.warning(&leaving));
    let mut gone = about(STATE_CHANGE, &leaving, stage.now());
    gone["detail"] = serde_json::json!({"instance-id": leaving, "state": "terminated"});
    events.push(gone);
    for _ in 0..4 {
        stage.advance_secs(60);
        for event in &events {
            let handled = stage.handle(Mode::Act, event).await;
            assert_eq!(well_done(&handled), 0);
        }
        assert_eq!(stage.sweep().await.failure, None);
    }
    assert_ne!(stage.lifecycle(&leaving), Some(Lifecycle::TerminatingWait));
    let mut writes = stage.writes();
    writes.remove("autoscaling:CompleteLifecycleAction");
    assert_eq!(writes.len(), 0, "{writes:?}");
}

/// The action ends between the look and the write: the answer that there is none is what was wanted.
#[tokio::test]
async fn an_action_that_ends_before_the_write_is_success() {
    let stage = Scene::default().open().await;
    let leaving = stage.in_service().swap_remove(0);
    stage.terminate(&leaving);
    stage.sweep().await;
    stage.advance_secs(60);
    // Two copies of one plan: the second finds that the action is over.
    let (first, second) = (stage.controller(Mode::Act), stage.controller(Mode::Act));
    let (event, invoked) = (stage.warning(&leaving), invoked());
    let mut late = Box::pin(first.handle(&event, &invoked));
    let mut polls = 0;
    while !stage
        .face
        .calls()
        .contains_key("autoscaling:CompleteLifecycleAction")
    {
        assert!(crate::races::poll_times(&mut late, 1).await.is_none());
        tokio::task::yield_now().await;
        polls += 1;
        assert!(polls < 10_000);
    }
    let early = second.handle(&event, &invoked).await;
    let late = late.await;
    assert_eq!((early.failure, late.failure), (None, None));
    assert_eq!(stage.writes().get(DRAINS), Some(&1));
}
