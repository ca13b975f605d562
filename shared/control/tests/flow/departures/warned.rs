//! From a warning, or the group's own decision, to the instance's end.

use model::InstanceId;
use model::outcome::OutcomeResult;
use model::policy::Mode;
use world::{ContainerInstanceStatus, Lifecycle};

use super::stage::{DRAINS, Scene, Stage, TERMINATE_ACTION, WARNING, group_key};
use crate::stage::{acted, done, held, schedule, well_done};

/// EC2 warns of an instance, and its group lets it go at the same time, as it does with Capacity Rebalancing.
fn let_go(stage: &Stage, leaving: &InstanceId) {
    stage.interrupt(leaving);
    stage.terminate(leaving);
}

/// The instance has left its group's hook, its tasks serve elsewhere, and each of these writes was sent once.
fn check_end(stage: &Stage, leaving: &InstanceId, tasks: u32, writes: &[&str]) {
    let lifecycle = stage.lifecycle(leaving);
    let waits = [Some(Lifecycle::TerminatingWait), Some(Lifecycle::InService)];
    assert!(!waits.contains(&lifecycle), "{lifecycle:?}");
    assert_eq!(stage.serving(), tasks);
    let want = writes.iter().map(|it| ((*it).to_owned(), 1)).collect();
    assert_eq!(stage.writes(), want);
}

const COMPLETIONS: &str = "autoscaling:CompleteLifecycleAction";

#[tokio::test]
async fn a_warning_drains_at_once_and_the_hook_goes_on_when_the_tasks_are_gone() {
    let stage = Scene::default().open().await;
    let leaving = stage.in_service().swap_remove(0);
    let_go(&stage, &leaving);
    stage.advance_secs(5);
    let warnings = stage.events(WARNING);
    assert_eq!(warnings.len(), 1);
    let handled = stage.handle(Mode::Act, &warnings[0]).await;
    assert_eq!(handled.failure, None);
    let drained = format!("set `{leaving}` to DRAINING: done");
    assert_eq!(acted(&handled), [drained]);
    assert_eq!(
        stage.status(&leaving),
        Some(ContainerInstanceStatus::Draining)
    );
    assert_eq!(stage.lifecycle(&leaving), Some(Lifecycle::TerminatingWait));

    // Nothing is left to do until ECS has moved the tasks.
    let handled = stage.handle(Mode::Act, &warnings[0]).await;
    assert_eq!(acted(&handled), [""; 0]);
    assert_eq!(held(&handled, "waiting_for_tasks"), 1, "{handled:#?}");
    stage.advance_secs(50);
    assert_eq!((stage.tasks_on(&leaving), stage.serving()), (0, 6));
    let handled = stage.sweep().await;
    let completed =
        format!("let `{leaving}` go on from the hook `ballast-instance-drain` (CONTINUE): done");
    assert_eq!(acted(&handled), [completed]);
    assert_eq!(stage.acted_in(3).await, [""; 0]);
    check_end(&stage, &leaving, 6, &[DRAINS, COMPLETIONS]);
}

#[tokio::test]
async fn the_groups_own_event_alone_reaches_the_same() {
    let stage = Scene::default().open().await;
    let leaving = stage.in_service().swap_remove(0);
    stage.terminate(&leaving);
    stage.advance_secs(5);
    let actions = stage.events(TERMINATE_ACTION);
    assert_eq!(actions.len(), 1);
    let handled = stage.handle(Mode::Act, &actions[0]).await;
    assert_eq!(well_done(&handled), 1);
    assert_eq!(stage.draining(), [leaving.clone()].into());
    stage.advance_secs(50);
    let handled = stage.handle(Mode::Act, &actions[0]).await;
    assert_eq!(well_done(&handled), 1);
    stage.advance_secs(120);
    check_end(&stage, &leaving, 6, &[DRAINS, COMPLETIONS]);
}

#[tokio::test]
async fn the_schedule_alone_reaches_the_same() {
    let scene = Scene {
        is_silent: true,
        ..Scene::default()
    };
    let stage = scene.open().await;
    let leaving = stage.in_service().swap_remove(0);
    stage.terminate(&leaving);
    assert_eq!(stage.acted_in(6).await.len(), 2);
    check_end(&stage, &leaving, 6, &[DRAINS, COMPLETIONS]);
}

/// Without room ECS moves nothing: the action is kept waiting until its longest time is over, and then goes on.
#[tokio::test]
async fn what_cannot_be_moved_is_waited_for_as_long_as_the_tag_says_and_no_longer() {
    let scene = Scene {
        tasks: 9,
        hook_secs: Some(150),
        is_silent: true,
        ..Scene::default()
    };
    let scene = scene.tag("ballast:departure-timeout-secs", "600");
    let stage = scene.open().await;
    let leaving = stage.in_service().swap_remove(0);
    // Nothing is launched in its place.
    stage.call(
        world::Operation::SuspendProcesses,
        &serde_json::json!({"AutoScalingGroupName": super::stage::GROUP, "ScalingProcesses": ["Launch"]}),
    );
    stage.terminate(&leaving);
    let handled = stage.sweep().await;
    assert_eq!(acted(&handled).len(), 2, "{:#?}", acted(&handled));
    let handled = stage.sweep().await;
    assert_eq!(held(&handled, "waiting_for_tasks"), 1);
    assert!(handled.record.plan.unprotected > 0);
    let mut acts = Vec::new();
    for minute in 1..12 {
        acts.extend(stage.acted_in(1).await);
        let waits = stage.lifecycle(&leaving) == Some(Lifecycle::TerminatingWait);
        assert_eq!(waits, minute < 10, "minute {minute}");
    }
    let (last, beats) = acts.split_last().unwrap();
    assert!(last.contains("CONTINUE"), "{last}");
    assert!((4..=9).contains(&beats.len()), "{beats:#?}");
    let kept = format!("keep `{leaving}` waiting in the hook `ballast-instance-drain`: done");
    assert!(beats.iter().all(|it| *it == kept), "{beats:#?}");
}

#[tokio::test]
async fn a_rebalance_recommendation_alone_is_recorded_and_drains_nothing() {
    let stage = Scene::default().open().await;
    let named = stage.in_service().swap_remove(0);
    let event = super::stage::about(super::stage::REBALANCE, &named, stage.now());
    let handled = stage.handle(Mode::Act, &event).await;
    assert_eq!(well_done(&handled), 0);
    assert_eq!(held(&handled, "rebalance_not_asked"), 1);
    assert_eq!(stage.acted_in(3).await, [""; 0]);
    assert_eq!(stage.writes().len(), 0);
}

/// With the tag it is decided in a look at everything; where nothing comes of the recommendation, the drain is taken back.
#[tokio::test]
async fn with_the_tag_it_drains_and_the_drain_is_taken_back_where_nothing_comes_of_it() {
    let scene = Scene::default().tag("ballast:drain-on-rebalance", "true");
    let scene = scene.tag("ballast:disruption-percent", "50");
    let stage = scene.open().await;
    let named = stage.in_service().swap_remove(0);
    let event = super::stage::about(super::stage::REBALANCE, &named, stage.now());
    let handled = stage.handle(Mode::Act, &event).await;
    assert_eq!(well_done(&handled), 0);
    assert_eq!(held(&handled, "waits_for_full_look"), 1);
    let handled = stage.sweep().await;
    assert_eq!(done(&handled), 1, "{handled:#?}");
    assert_eq!(stage.draining(), [named.clone()].into());
    let acts = stage.acted_in(62).await;
    assert_eq!(acts, [format!("set `{named}` to ACTIVE again: done")]);
    assert_eq!(stage.draining(), [].into());
    // A second recommendation soon after does not begin it anew.
    let event = super::stage::about(super::stage::REBALANCE, &named, stage.now());
    stage.handle(Mode::Act, &event).await;
    assert_eq!(stage.acted_in(3).await, [""; 0]);
    assert!(stage.memory().await.reversed.contains_key(&named));
}

#[tokio::test]
async fn observe_plans_and_writes_nothing_and_remembers_no_drain() {
    let stage = Scene::default().open().await;
    let leaving = stage.in_service().swap_remove(0);
    stage.terminate(&leaving);
    for payload in [stage.warning(&leaving), schedule()] {
        let handled = stage.handle(Mode::Observe, &payload).await;
        assert_eq!(handled.failure, None);
        let results = handled.record.outcomes.iter().map(|it| &it.result);
        let results: Vec<&OutcomeResult> = results.collect();
        assert_eq!(results, [&OutcomeResult::NotWritten]);
    }
    assert_eq!(stage.writes().len(), 0);
    let memory = stage.memory().await;
    assert_eq!(memory.departures[&leaving].own_drain, None, "{memory:?}");
    // Nothing that was not written stands in the way of the first real write.
    let handled = stage.sweep().await;
    assert_eq!(
        acted(&handled),
        [format!("set `{leaving}` to DRAINING: done")]
    );
}

#[tokio::test]
async fn advice_says_what_would_be_done_and_writes_nothing() {
    let scene = Scene::default().tag("ballast:instance-drain", "advise");
    let stage = scene.open().await;
    let leaving = stage.in_service().swap_remove(0);
    let handled = stage.handle(Mode::Act, &stage.warning(&leaving)).await;
    assert_eq!(well_done(&handled), 0);
    let holds = &handled.record.plan.holds;
    let group = holds
        .iter()
        .find(|it| it.hold.subject.key() == &group_key());
    let text = &group.unwrap().text;
    assert!(
        text.contains(&format!("set `{leaving}` to DRAINING")),
        "{text}"
    );
    assert_eq!(stage.writes().len(), 0);
}
