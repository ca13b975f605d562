//! The decision record of service-scaler, as an operator reads it.

use control::{RecordOf, Tracking};
use expect_test::expect_file;

use super::stage::Scene;
use crate::record::check;

#[tokio::test]
async fn a_scale_out() {
    let stage = Scene::default().open().await;
    stage.sweep_for(1).await;
    stage.advance_secs(180);
    let handled = stage.sweep().await;
    check(
        &handled.record,
        &expect_file!["../golden/tracking/scale_out.json"],
    );
}

#[tokio::test]
async fn a_scale_in() {
    let stage = Scene::falling_to(3).open().await;
    stage.sweep_for(1).await;
    stage.advance_secs(600);
    let handled = stage.sweep().await;
    check(
        &handled.record,
        &expect_file!["../golden/tracking/scale_in.json"],
    );
}

#[tokio::test]
async fn equal_looks_have_equal_digests_and_a_record_is_read_back_as_it_was_written() {
    let mut digests = Vec::new();
    for tasks in [3, 3, 4] {
        let stage = Scene::falling_to(tasks).open().await;
        stage.advance_secs(300);
        let handled = stage.sweep().await;
        let line = handled.record.line();
        let read: RecordOf<Tracking> = serde_json::from_str(&line).unwrap();
        assert_eq!(read, handled.record);
        digests.push(handled.record.snapshot.unwrap().digest);
    }
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);
}

/// The numbers of the service are metrics of its own.
#[tokio::test]
async fn the_services_numbers_are_measured() {
    let stage = Scene::default().open().await;
    stage.sweep_for(1).await;
    let handled = stage.sweep_for(3).await;
    let [measured] = handled.measured.as_slice() else {
        panic!("{:?}", handled.measured);
    };
    let values: Vec<(&str, u64)> = measured
        .values
        .iter()
        .map(|it| (it.name, it.value))
        .collect();
    assert!(values.contains(&("TasksDesired", 6)), "{values:?}");
    assert!(values.contains(&("TasksNeeded", 10)), "{values:?}");
}
