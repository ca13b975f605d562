//! Several invocations at once.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use ::ledger::Version;
use control::{Handled, HandledOf};
use model::memory::{PairMemory, Write};
use model::policy::Mode;
use serde_json::Value;

use crate::stage::{Stage, Staged, done, interruption, invoked, schedule};
use crate::workshop::{self, in_drought};

/// One of them acts, none fails, and the state is as after one alone.
fn check(stage: &workshop::Stage, all: &[Handled]) {
    for handled in all {
        assert_eq!(handled.failure, None);
    }
    assert_eq!(all.iter().map(done).sum::<usize>(), 1, "{all:#?}");
    assert_eq!(stage.updates(), 1);
    assert_eq!(stage.desired(&stage.cast.standby), 7);
}

/// Polls a future so many times. `None`: it is not done yet.
pub(crate) async fn poll_times<F: Future + Unpin>(
    future: &mut F,
    times: usize,
) -> Option<F::Output> {
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        Pin::new(&mut *future).poll(context).map(Some)
    })
    .await
}

/// The first invocation, of what is opened's payload, is stopped at each of its waits in turn, while the second, of the schedule, runs
/// from its begin to its end. Every pair of invocations is checked.
pub(crate) async fn check_everywhere<D: Staged, F: Future<Output = (Stage<D>, Value)>>(
    open: impl Fn() -> F,
    check: impl Fn(&Stage<D>, &[HandledOf<D>]),
) {
    let (sweep, invoked) = (schedule(), invoked());
    for times in 0..1_000 {
        let (stage, event) = open().await;
        let (a, b) = (stage.controller(Mode::Act), stage.controller(Mode::Act));
        let mut first = Box::pin(a.handle(&event, &invoked));
        let early = poll_times(&mut first, times).await;
        let is_over = early.is_some();
        let second = b.handle(&sweep, &invoked).await;
        let first = match early {
            Some(handled) => handled,
            None => first.await,
        };
        check(&stage, &[first, second]);
        if is_over {
            assert!(times > 10, "it waited only {times} times");
            return;
        }
    }
    panic!("the first invocation did not end");
}

/// Three invocations at once: two of this payload, one of the schedule.
pub(crate) async fn three_at_once<D: Staged>(stage: &Stage<D>, event: &Value) -> [HandledOf<D>; 3] {
    let controllers = [0, 1, 2].map(|_| stage.controller(Mode::Act));
    let (sweep, invoked) = (schedule(), invoked());
    let [a, b, c] = &controllers;
    let (a, b, c) = tokio::join!(
        a.handle(event, &invoked),
        b.handle(event, &invoked),
        c.handle(&sweep, &invoked)
    );
    [a, b, c]
}

#[tokio::test]
async fn wherever_one_invocation_waits_while_another_runs_one_of_them_acts() {
    check_everywhere(|| async { (in_drought().await, interruption()) }, check).await;
}

#[tokio::test]
async fn of_two_interleaved_invocations_one_acts() {
    let stage = in_drought().await;
    let (a, b) = (stage.controller(Mode::Act), stage.controller(Mode::Act));
    let (event, sweep, invoked) = (interruption(), schedule(), invoked());
    let (a, b) = tokio::join!(a.handle(&event, &invoked), b.handle(&sweep, &invoked));
    check(&stage, &[a, b]);
}

#[tokio::test]
async fn of_three_interleaved_invocations_one_acts() {
    let stage = in_drought().await;
    check(&stage, &three_at_once(&stage, &interruption()).await);
}

#[tokio::test]
async fn invocations_of_one_controller_do_not_disturb_each_other() {
    let stage = in_drought().await;
    let controller = stage.controller(Mode::Act);
    let (event, invoked) = (interruption(), invoked());
    let (a, b) = tokio::join!(
        controller.handle(&event, &invoked),
        controller.handle(&event, &invoked)
    );
    check(&stage, &[a, b]);
}

thread_local! {
    /// The stage on which another invocation's write lands after the next decision.
    static LANDS_ON: RefCell<Option<Rc<workshop::Stage>>> = const { RefCell::new(None) };
}

/// Another invocation has announced to raise the standby to 2 and writes it after this one has looked.
#[tokio::test]
async fn an_announced_write_is_waited_for_within_the_invocation() {
    let stage = Rc::new(in_drought().await);
    let now = stage.face.with_world(|world| world.now());
    let memory = PairMemory {
        wrote: Some(Write {
            from: 0,
            to: 2,
            at: now,
            confirmed: false,
        }),
        ..PairMemory::default()
    };
    stage.remember(&memory, Version::NONE).await;

    let mut controller = stage.controller(Mode::Act);
    controller.decide = |snapshot, installation, memories, hints, now| {
        let decision = (control::DECIDE)(snapshot, installation, memories, hints, now);
        if let Some(stage) = LANDS_ON.take() {
            let key = stage.cast.standby.clone();
            let write = |world: &mut world::World| world.set_desired_count(&key, 2);
            stage.face.with_world(write).unwrap();
        }
        decision
    };
    LANDS_ON.set(Some(Rc::clone(&stage)));
    let handled = controller.handle(&interruption(), &invoked()).await;
    assert_eq!(handled.failure, None);
    assert_eq!(stage.desired(&stage.cast.standby), 7);
    assert_eq!(handled.record.looked_again.len(), 1);
    assert!(handled.record.plan.holds_by_reason.is_empty());
}

/// In the mode `observe`, and when little time is left, what is held stays held.
#[tokio::test]
async fn an_announced_write_is_not_waited_for_in_vain() {
    for (mode, secs, looks) in [
        (Mode::Act, 60, 3),
        (Mode::Observe, 60, 1),
        (Mode::Act, 9, 1),
    ] {
        let stage = in_drought().await;
        let now = stage.face.with_world(|world| world.now());
        let memory = PairMemory {
            wrote: Some(Write {
                from: 0,
                to: 2,
                at: now,
                confirmed: false,
            }),
            ..PairMemory::default()
        };
        let mut invoked = invoked();
        stage.remember(&memory, Version::NONE).await;
        invoked.deadline = calls::Deadline::after(std::time::Duration::from_secs(secs));
        let handled = stage
            .controller(mode)
            .handle(&interruption(), &invoked)
            .await;
        let holds = &handled.record.plan.holds_by_reason;
        assert_eq!(holds.get("own_write_not_visible"), Some(&1), "{holds:?}");
        assert_eq!(
            handled.record.looked_again.len() + 1,
            looks,
            "{mode:?} {secs}"
        );
    }
}
