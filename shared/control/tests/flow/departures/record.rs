//! The decision record of instance-drain, as an operator reads it.

use expect_test::expect_file;
use model::policy::Mode;

use super::stage::Scene;
use crate::record::check;
use crate::stage::schedule;

#[tokio::test]
async fn a_warning() {
    let stage = Scene::default().open().await;
    let leaving = stage.in_service().swap_remove(0);
    let handled = stage.handle(Mode::Act, &stage.warning(&leaving)).await;
    check(
        &handled.record,
        &expect_file!["../golden/departures/warning.json"],
    );
}

/// One instance waits for tasks that have no room, another is warned; the third stays.
#[tokio::test]
async fn a_sweep() {
    let scene = Scene {
        tasks: 9,
        ..Scene::default()
    };
    let stage = scene.open().await;
    let all = stage.in_service();
    stage.terminate(&all[0]);
    stage.sweep().await;
    stage.handle(Mode::Act, &stage.warning(&all[1])).await;
    let handled = stage.sweep().await;
    check(
        &handled.record,
        &expect_file!["../golden/departures/sweep.json"],
    );
}

#[tokio::test]
async fn equal_looks_have_equal_digests_and_a_record_is_read_back_as_it_was_written() {
    let mut digests = Vec::new();
    for tasks in [6, 6, 7] {
        let scene = Scene {
            tasks,
            ..Scene::default()
        };
        let stage = scene.open().await;
        let leaving = stage.in_service().swap_remove(0);
        stage.terminate(&leaving);
        let handled = stage.handle(Mode::Observe, &schedule()).await;
        let line = handled.record.line();
        let read: control::RecordOf<control::Departures> = serde_json::from_str(&line).unwrap();
        assert_eq!(read, handled.record);
        digests.push(handled.record.snapshot.unwrap().digest);
    }
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);
}
