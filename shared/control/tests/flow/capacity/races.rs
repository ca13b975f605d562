//! Several invocations of cluster-scaler at once.

use std::collections::BTreeMap;

use model::capacity::CapacityWrite;

use super::stage::{Handled, Scene, Stage};
use crate::races::{check_everywhere, three_at_once};
use crate::stage::{done, sample};

/// A task has no room: the group is to be raised.
async fn short() -> Stage {
    let stage = Scene::default().open().await;
    stage.sweep_for(2).await;
    stage.set_tasks(7);
    stage
}

/// Both instances have been empty for the whole delay: one is to be drained.
async fn idle() -> Stage {
    let scene = Scene::default().tag("ballast:scale-in-delay-secs", "0");
    let stage = scene.open().await;
    stage.sweep_for(2).await;
    stage.set_tasks(0);
    stage.advance_secs(60);
    stage
}

/// One of two instances drains and is empty: it is to be terminated, and not the other one.
async fn drained() -> Stage {
    let stage = idle().await;
    stage.sweep().await;
    assert_eq!(stage.statuses(), (1, 1));
    stage.advance_secs(60);
    stage
}

/// What the group came to: its desired capacity, the instances by status, and the writes that were sent.
type State = (u32, (usize, usize), BTreeMap<String, u64>);

fn state(stage: &Stage) -> State {
    (stage.desired(), stage.statuses(), stage.writes())
}

/// None fails, no step is carried out twice, and the state is one that as many invocations, one after the other, come to.
fn check(stage: &Stage, all: &[Handled], want: &[State]) {
    for handled in all {
        assert_eq!(handled.failure, None);
    }
    let done = all.iter().map(done).sum::<usize>();
    assert!((1..=all.len()).contains(&done), "{all:#?}");
    let (state, want) = (state(stage), &want[..all.len()]);
    assert!(want.contains(&state), "{state:#?} {want:#?} {all:#?}");
}

/// What one, two and three invocations come to, one after the other.
async fn one_after_the_other<F: Future<Output = Stage>>(open: impl Fn() -> F) -> Vec<State> {
    let stage = open().await;
    let mut states = Vec::new();
    for _ in 0..3 {
        let handled = stage.sweep().await;
        assert_eq!(handled.failure, None);
        states.push(state(&stage));
    }
    states
}

async fn check_two<F: Future<Output = Stage>>(open: impl Fn() -> F) {
    let want = one_after_the_other(&open).await;
    let open = || async { (open().await, sample(EVENT)) };
    check_everywhere(open, |stage, all| check(stage, all, &want)).await;
}

async fn check_three<F: Future<Output = Stage>>(open: impl Fn() -> F) {
    let want = one_after_the_other(&open).await;
    let stage = open().await;
    let all = three_at_once(&stage, &sample(EVENT)).await;
    check(&stage, &all, &want);
}

const EVENT: &str = "aws.ecs--ecs-service-action--placement-failure-memory.json";

#[tokio::test]
async fn wherever_one_invocation_waits_while_another_runs_one_of_them_raises() {
    check_two(short).await;
}

#[tokio::test]
async fn wherever_one_invocation_waits_while_another_runs_one_of_them_drains() {
    check_two(idle).await;
}

#[tokio::test]
async fn wherever_one_invocation_waits_while_another_runs_one_of_them_terminates() {
    check_two(drained).await;
}

#[tokio::test]
async fn of_three_interleaved_invocations_none_repeats_a_step() {
    check_three(short).await;
    check_three(idle).await;
    check_three(drained).await;
}

/// Another invocation has announced to raise the group, and its write does not show yet.
#[tokio::test]
async fn an_announced_raise_is_waited_for_and_not_made_twice() {
    let stage = short().await;
    let (memory, version) = stage.recall().await;
    let mut memory = memory.unwrap();
    memory.wrote = Some(CapacityWrite {
        from: 2,
        to: 3,
        at: stage.now(),
        confirmed: false,
    });
    stage.remember(&memory, version).await;
    let handled = stage.sweep().await;
    assert_eq!(handled.failure, None);
    assert_eq!(handled.record.looked_again.len(), 2);
    let holds = &handled.record.plan.holds_by_reason;
    assert_eq!(holds.get("own_write_not_visible"), Some(&1), "{holds:?}");
    assert_eq!(stage.writes().len(), 0);
    // It never came: after a while it is made after all.
    stage.advance_secs(60);
    let handled = stage.sweep().await;
    assert_eq!(done(&handled), 1);
    assert_eq!(stage.desired(), 3);
}
