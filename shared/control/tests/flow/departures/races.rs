//! Several invocations of instance-drain at once.

use model::drain::Departure;
use model::policy::Mode;
use model::{InstanceId, Seconds};

use super::stage::{Handled, Scene, Stage};
use crate::races::{check_everywhere, poll_times};
use crate::stage::{acted, batch, done, invoked};

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

/// The first invocation hears of a warning that is long over, so that the schedule has the same to do.
async fn check_two<F: Future<Output = (Stage, InstanceId)>>(open: impl Fn() -> F, want: &str) {
    let open = || async {
        let (stage, named) = open().await;
        let event = stage.warning_at(&named, Seconds(400).before(stage.now()));
        (stage, event)
    };
    check_everywhere(open, |_, all| check(all, want)).await;
}

#[tokio::test]
async fn wherever_one_invocation_waits_while_another_runs_the_instance_is_drained() {
    check_two(warned, "set `").await;
}

#[tokio::test]
async fn wherever_one_invocation_waits_while_another_runs_the_action_is_completed() {
    check_two(drained, "let `").await;
}

#[tokio::test]
async fn wherever_one_invocation_waits_while_another_runs_the_drain_is_taken_back() {
    check_two(spared, "set `").await;
}

/// A third invocation remembers something of the group, which has nothing to do with the instances of the first two.
async fn remember_something(stage: &Stage, number: usize) {
    let (known, version) = stage.recall().await;
    let mut memory = known.unwrap_or_default();
    let (other, now) = (format!("i-{number:017x}").parse().unwrap(), stage.now());
    let departure = Departure {
        heartbeat_at: Some(now),
        ..Departure::default()
    };
    memory.departures.insert(other, departure);
    stage.remember(&memory, version).await;
}

/// Wherever a third writer changes the group's memory, whether once or at every wait, the two instances that are warned are drained by the
/// invocation that knows of them, and at once. What could not be remembered has its message come again.
async fn check_third_writer(at: impl Fn(usize) -> bool) -> Vec<Handled> {
    let stage = Box::pin(Scene::default().open()).await;
    let mut named = stage.in_service();
    let (one, other) = (named.swap_remove(0), named.swap_remove(0));
    let (a, b) = (stage.controller(Mode::Act), stage.controller(Mode::Act));
    let payloads = [&one, &other].map(|it| batch([stage.warning(it).to_string()]));
    let invoked = invoked();
    let mut first = Box::pin(a.handle(&payloads[0], &invoked));
    let mut second = Box::pin(b.handle(&payloads[1], &invoked));
    let (mut of_first, mut of_second) = (None, None);
    for times in 0..100_000 {
        if of_first.is_none() {
            of_first = poll_times(&mut first, 1).await;
        }
        if of_second.is_none() {
            of_second = poll_times(&mut second, 1).await;
        }
        if of_first.is_some() && of_second.is_some() {
            break;
        }
        if at(times) {
            Box::pin(remember_something(&stage, times % 100)).await;
        }
        tokio::task::yield_now().await;
    }
    let both = vec![of_first.unwrap(), of_second.unwrap()];
    for (handled, instance) in both.iter().zip([&one, &other]) {
        let text = format!("set `{instance}` to DRAINING: done");
        assert_eq!(acted(handled), [text]);
        let steps = handled.record.plan.steps.len();
        assert_eq!((done(handled), steps), (1, 1));
    }
    assert_eq!(stage.draining(), [one.clone(), other.clone()].into());
    let memory = Box::pin(stage.memory()).await;
    for (handled, instance) in both.iter().zip([one, other]) {
        let departure = memory.departures.get(&instance);
        // Whether it is confirmed the next look sees.
        let is_remembered =
            departure.is_some_and(|it| it.own_drain.is_some() && it.causes.len() == 1);
        let comes_again = handled.record.batch_item_failures.as_ref().unwrap().len();
        assert!(is_remembered || comes_again == 1, "{departure:?}");
        assert_eq!(handled.failure.is_some(), comes_again == 1);
    }
    both
}

#[tokio::test]
async fn wherever_a_third_writer_comes_between_both_instances_are_drained_at_once() {
    for moment in 0..60 {
        for handled in Box::pin(check_third_writer(|times| times == moment)).await {
            assert_eq!(handled.failure, None, "{moment}");
        }
    }
}

#[tokio::test]
async fn with_a_third_writer_that_never_rests_both_instances_are_drained_and_nothing_is_forgotten()
{
    for handled in Box::pin(check_third_writer(|_| true)).await {
        assert!(handled.record.ledger.conflicts >= 1);
    }
}
