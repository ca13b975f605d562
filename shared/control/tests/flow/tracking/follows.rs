//! The desired count follows the load: by an alarm, by the schedule alone, and back.

use model::policy::Mode;

use super::stage::{Scene, Stage};
use crate::stage::{acted, batch, held, well_done};

/// So many minutes pass with the schedule's sweep in each. Gives the desired count after each.
async fn swept(stage: &Stage, minutes: u32) -> Vec<u32> {
    let mut desired = Vec::new();
    for _ in 0..minutes {
        let handled = stage.sweep_for(1).await;
        assert_eq!(handled.failure, None, "{:#?}", handled.record);
        desired.push(stage.desired().0);
    }
    desired
}

/// What the load of twelve tasks comes to: tasks that start are busy too, and once they are not any more, the tolerance keeps what they made
/// necessary.
const TWELVE: [u32; 2] = [12, 13];

/// Twice the load is 120 % of what six tasks can do: CPU shows at most 100 %, ten tasks at 60 %; those then show the twelve.
#[tokio::test]
async fn the_schedule_alone_follows_a_load_that_doubles() {
    let scene = Scene {
        is_silent: true,
        ..Scene::default()
    };
    let stage = scene.open().await;
    let desired = swept(&stage, 15).await;
    assert_eq!(desired.first(), Some(&6));
    assert!(TWELVE.contains(desired.last().unwrap()), "{desired:?}");
    assert!(desired.is_sorted(), "{desired:?}");
    assert!(desired.contains(&10), "{desired:?}");
    // The standby is spot-fallback's.
    assert_eq!(stage.desired(), (stage.serving(), 0));
}

/// Between the schedule's looks an alarm asks for one: as an event by a rule, in a batch of the queue, and as the alarm's own call.
#[tokio::test]
async fn an_alarm_raises_before_the_schedule_comes() {
    for form in ["rule", "queue", "call"] {
        let stage = Scene::default().open().await;
        let mut event = None;
        for _ in 0..400 {
            stage.advance_secs(1);
            let (rules, calls) = stage.told_by_alarms();
            let (rule, call) = (rules.into_iter().next_back(), calls.into_iter().next_back());
            event = match form {
                "rule" => rule,
                "queue" => rule.map(|it| batch([it.to_string()])),
                _ => call,
            };
            if event.is_some() {
                break;
            }
        }
        let handled = stage.handle(Mode::Act, &event.unwrap()).await;
        assert_eq!(well_done(&handled), 1, "{form}: {:#?}", handled.record);
        let triggers = &handled.record.triggers;
        assert!(!triggers.is_sweep);
        let services = triggers.services.as_ref().unwrap();
        assert_eq!(services.len(), 1, "{form}: {triggers:?}");
        assert_eq!(services[0], stage.cast.primary, "{form}");
        assert_eq!(stage.desired(), (10, 0), "{form}");
        // What the schedule finds afterwards is the same as without an alarm.
        let desired = swept(&stage, 15).await;
        assert!(
            TWELVE.contains(desired.last().unwrap()),
            "{form}: {desired:?}"
        );
    }
}

/// An alarm that persists tells nothing twice; the schedule goes on where it left off.
#[tokio::test]
async fn an_alarm_that_persists_is_told_once() {
    let stage = Scene::default().open().await;
    stage.advance_secs(300);
    let (rules, calls) = stage.told_by_alarms();
    assert_eq!((rules.len(), calls.len()), (1, 1));
    stage.advance_secs(600);
    assert_eq!(stage.told_by_alarms(), (vec![], vec![]));
    let desired = swept(&stage, 15).await;
    assert!(TWELVE.contains(desired.last().unwrap()), "{desired:?}");
}

/// Half the load: for five minutes no more was needed than what is asked for then, and no task that the load needs is stopped.
#[tokio::test]
async fn a_load_that_falls_is_followed_after_the_window() {
    let stage = Scene::falling_to(3).open().await;
    let desired = swept(&stage, 20).await;
    assert_eq!(desired.first(), Some(&6));
    let lowered_after = desired.iter().position(|it| *it < 6).unwrap();
    assert!((5..=10).contains(&lowered_after), "{desired:?}");
    let last = *desired.last().unwrap();
    assert!((3..=4).contains(&last), "{desired:?}");
    assert!(desired.is_sorted_by(|a, b| a >= b), "{desired:?}");
    assert_eq!(stage.over_limit_requests(), 0, "{desired:?}");
}

#[tokio::test]
async fn a_load_that_stays_changes_nothing() {
    let stage = Scene::steady(6).open().await;
    assert_eq!(stage.acted_in(30).await, [""; 0]);
    let handled = stage.sweep_for(1).await;
    assert_eq!(held(&handled, "on_target"), 1, "{:#?}", handled.record.plan);
    assert_eq!(stage.writes().len(), 0);
}

#[tokio::test]
async fn the_bounds_hold() {
    let stage = Scene::default().tag("ballast:max-tasks", "8").open().await;
    assert_eq!(swept(&stage, 10).await.last(), Some(&8));
    let handled = stage.sweep_for(1).await;
    assert_eq!(
        held(&handled, "at_maximum"),
        1,
        "{:#?}",
        handled.record.plan
    );

    let stage = Scene::falling_to(1)
        .tag("ballast:min-tasks", "4")
        .open()
        .await;
    assert_eq!(swept(&stage, 20).await.last(), Some(&4));

    let stage = Scene::steady(6).tag("ballast:min-tasks", "9").open().await;
    assert_eq!(swept(&stage, 1).await, [9]);
}

/// What was decided leaves nothing to decide a moment later, with the same metrics.
#[tokio::test]
async fn a_second_look_at_once_changes_nothing() {
    let stage = Scene::default().open().await;
    while stage.desired().0 == 6 {
        stage.sweep_for(1).await;
    }
    let writes = stage.writes();
    for _ in 0..3 {
        let handled = stage.sweep().await;
        assert_eq!(acted(&handled), [""; 0]);
    }
    assert_eq!(stage.writes(), writes);
}
