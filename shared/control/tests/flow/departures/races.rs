//! Several invocations of instance-drain at once.

use model::InstanceId;
use model::policy::Mode;

use super::stage::{Handled, Scene, Stage, acted};
use crate::races::poll_times;
use crate::stage::{invoked, schedule};

/// An instance is warned and its group lets it go: it is to be drained.
async fn warned() -> (Stage, InstanceId) {
    let stage = Scene::default().open().await;
    let leaving = stage.in_service().swap_remove(0);
    stage.terminate(&leaving);
    (stage, leaving)
}

/// Its tasks are gone: the action is to be completed.
async fn drained() -> (Stage, InstanceId) {
    let (stage, leaving) = warned().await;
    stage.sweep().await;
    stage.advance_secs(60);
    (stage, leaving)
}

/// A drain for a warning that came to nothing: it is to be taken back.
async fn spared() -> (Stage, InstanceId) {
    let stage = Scene::default().open().await;
    let spared = stage.in_service().swap_remove(0);
    stage.handle(Mode::Act, &stage.warning(&spared)).await;
    stage.advance_secs(400);
    (stage, spared)
}

/// None fails, and nothing but this was done, once; where both had planned it, the other found it done.
fn check(all: &[Handled], want: &str) {
    let acts: Vec<String> = all.iter().flat_map(acted).collect();
    for handled in all {
        assert_eq!(handled.failure, None, "{acts:#?}");
    }
    let became = |result: &str| {
        let is_so = |it: &&String| it.starts_with(want) && it.ends_with(result);
        acts.iter().filter(is_so).count()
    };
    let done = became(": done");
    assert!((1..=all.len()).contains(&done), "{acts:#?}");
    assert_eq!(done + became(": already so"), acts.len(), "{acts:#?}");
}

/// The first invocation is stopped at each of its waits in turn, while the second runs from its begin to its end.
async fn check_everywhere<F: Future<Output = (Stage, InstanceId)>>(
    open: impl Fn() -> F,
    want: &str,
) {
    let invoked = invoked();
    for times in 0..1_000 {
        let (stage, named) = open().await;
        let (event, sweep) = (
            stage.warning_at(&named, model::Seconds(400).before(stage.now())),
            schedule(),
        );
        let (a, b) = (stage.controller(Mode::Act), stage.controller(Mode::Act));
        let mut first = Box::pin(a.handle(&event, &invoked));
        let early = poll_times(&mut first, times).await;
        let is_over = early.is_some();
        let second = b.handle(&sweep, &invoked).await;
        let first = match early {
            Some(handled) => handled,
            None => first.await,
        };
        check(&[first, second], want);
        if is_over {
            assert!(times > 10, "it waited only {times} times");
            return;
        }
    }
    panic!("the first invocation did not end");
}

#[tokio::test]
async fn wherever_one_invocation_waits_while_another_runs_the_instance_is_drained() {
    check_everywhere(warned, "set `").await;
}

#[tokio::test]
async fn wherever_one_invocation_waits_while_another_runs_the_action_is_completed() {
    check_everywhere(drained, "let `").await;
}

#[tokio::test]
async fn wherever_one_invocation_waits_while_another_runs_the_drain_is_taken_back() {
    check_everywhere(spared, "set `").await;
}
