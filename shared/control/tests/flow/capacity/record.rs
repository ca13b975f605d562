//! The decision record of cluster-scaler, as an operator reads it.

use expect_test::expect_file;
use model::policy::Mode;

use super::stage::Scene;
use crate::record::check;
use crate::stage::schedule;

#[tokio::test]
async fn a_raise() {
    let stage = Scene::default().open().await;
    stage.set_tasks(7);
    let handled = stage.sweep().await;
    check(
        &handled.record,
        &expect_file!["../golden/capacity/scale_out.json"],
    );
}

#[tokio::test]
async fn a_removal() {
    let stage = Scene::default().open().await;
    stage.set_tasks(0);
    let handled = loop {
        stage.advance_secs(60);
        let handled = stage.sweep().await;
        if !handled.record.plan.steps.is_empty() {
            break handled;
        }
    };
    check(
        &handled.record,
        &expect_file!["../golden/capacity/scale_in.json"],
    );
}

#[tokio::test]
async fn advice() {
    let scene = Scene::default().tag("ballast:cluster-scaler", "advise");
    let stage = scene.open().await;
    stage.set_tasks(7);
    let handled = stage.sweep().await;
    check(
        &handled.record,
        &expect_file!["../golden/capacity/advice.json"],
    );
}

#[tokio::test]
async fn equal_looks_have_equal_digests_and_a_record_is_read_back_as_it_was_written() {
    let mut digests = Vec::new();
    for tasks in [7, 7, 8] {
        let stage = Scene::default().open().await;
        stage.set_tasks(tasks);
        let handled = stage.handle(Mode::Observe, &schedule()).await;
        let line = handled.record.line();
        let read: control::RecordOf<control::Capacity> = serde_json::from_str(&line).unwrap();
        assert_eq!(read, handled.record);
        digests.push(handled.record.snapshot.unwrap().digest);
    }
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);
}
