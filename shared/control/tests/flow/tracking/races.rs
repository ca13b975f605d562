//! Several invocations of service-scaler at once.

use super::stage::{Handled, Scene, Stage};
use crate::races::{check_everywhere, three_at_once};
use crate::stage::{done, schedule};

/// The load has doubled, and the metrics tell: ten tasks are needed.
async fn busy() -> Stage {
    let stage = Scene::default().open().await;
    stage.sweep_for(1).await;
    stage.advance_secs(180);
    assert_eq!(stage.desired(), (6, 0));
    stage
}

/// Half of the load has been gone for longer than the window.
async fn idle() -> Stage {
    let stage = Scene::falling_to(3).open().await;
    stage.sweep_for(1).await;
    stage.advance_secs(600);
    assert_eq!(stage.desired(), (6, 0));
    stage
}

/// None fails, one acts, and the state is as after one alone.
fn check(stage: &Stage, all: &[Handled], want: u32) {
    for handled in all {
        assert_eq!(handled.failure, None);
    }
    assert_eq!(all.iter().map(done).sum::<usize>(), 1, "{all:#?}");
    assert_eq!(stage.desired(), (want, 0), "{all:#?}");
}

/// What one invocation comes to.
async fn alone<F: Future<Output = Stage>>(open: impl Fn() -> F) -> u32 {
    let stage = open().await;
    let handled = stage.sweep().await;
    assert_eq!((handled.failure.as_ref(), done(&handled)), (None, 1));
    stage.desired().0
}

#[tokio::test]
async fn wherever_one_invocation_waits_while_another_runs_one_of_them_raises() {
    let want = alone(busy).await;
    assert_eq!(want, 10);
    let open = || async { (busy().await, schedule()) };
    check_everywhere(open, |stage, all| check(stage, all, want)).await;
}

#[tokio::test]
async fn wherever_one_invocation_waits_while_another_runs_one_of_them_lowers() {
    let want = alone(idle).await;
    assert!(want < 6);
    let open = || async { (idle().await, schedule()) };
    check_everywhere(open, |stage, all| check(stage, all, want)).await;
}

#[tokio::test]
async fn of_three_interleaved_invocations_one_acts() {
    for (stage, want) in [
        (busy().await, alone(busy).await),
        (idle().await, alone(idle).await),
    ] {
        let all = three_at_once(&stage, &schedule()).await;
        check(&stage, &all, want);
    }
}
