//! A storm: 300 of 1,000 instances are warned at once.

use model::drain::DrainSubject;
use model::policy::Mode;

use super::stage::{DRAINS, GROUP, Handled, Scene, WARNING};
use crate::stage::{batch, held, well_done};

const INSTANCES: u32 = 1_000;
const WARNED: usize = 300;

/// How many of its instances are in a step or a hold of their own.
fn accounted(handled: &Handled) -> usize {
    let plan = &handled.record.plan;
    let steps = plan.steps.iter().map(|it| &it.step.subject);
    let holds = plan.holds.iter().map(|it| &it.hold.subject);
    let instances = |subject: &DrainSubject| match subject {
        DrainSubject::Instances { instances, .. } => instances.len(),
        DrainSubject::Group { .. }
        | DrainSubject::LifecycleAction { .. }
        | DrainSubject::Task { .. } => 0,
    };
    steps.chain(holds).map(instances).sum()
}

#[tokio::test]
async fn three_hundred_of_a_thousand_are_drained_by_one_invocation() {
    let scene = Scene {
        instances: INSTANCES,
        tasks: 600,
        // No faster than AWS refills its buckets.
        api_latency_ms: 60,
        ..Scene::default()
    };
    let stage = scene.open().await;
    let taken = stage
        .face
        .with_world(|world| world.interrupt_group(GROUP, WARNED));
    assert_eq!(taken.len(), WARNED);
    stage.advance_secs(5);
    let warnings = stage.events(WARNING);
    assert!(warnings.len() >= WARNED);
    let calls_before = stage.total_calls();
    let began = stage.now();
    let bodies = warnings.iter().map(ToString::to_string);
    let handled = stage.handle(Mode::Act, &batch(bodies)).await;
    assert_eq!(handled.failure, None);
    // The record leaves out some; its counts are of all.
    let by_result = &handled.record.outcomes_by_result;
    assert_eq!(by_result.get("done"), Some(&WARNED), "{by_result:?}");
    let warned = taken.iter().map(|it| it.parse().unwrap()).collect();
    assert_eq!(stage.draining(), warned);
    let cut = |what: &str| handled.record.cut.get(what).copied().unwrap_or(0);
    assert_eq!(accounted(&handled) + cut("steps"), WARNED);
    assert_eq!((held(&handled, "departing"), cut("holds")), (1, 0));
    assert_eq!(stage.writes()[DRAINS], 30);
    let triggers = &handled.record.triggers;
    assert_eq!(
        (triggers.instances_count, triggers.instances.len()),
        (WARNED, 20)
    );
    let calls = stage.total_calls() - calls_before;
    println!(
        "{calls} calls {:?}; {} s",
        stage.face.calls(),
        model::Seconds::between(began, stage.now())
    );
    assert!(calls <= 150, "{calls} calls: {:?}", stage.face.calls());
    let line = handled.record.line();
    println!("{} bytes", line.len());
    assert!(line.len() <= control::LINE_BYTES_MAX);
    let result = serde_json::to_value(handled.answer().unwrap()).unwrap();
    assert_eq!(result["batchItemFailures"], serde_json::json!([]));
    // The schedule finds nothing left to do, and has room in its record for all.
    let handled = stage.sweep().await;
    assert_eq!(well_done(&handled), 0);
    assert_eq!(
        handled
            .record
            .snapshot
            .as_ref()
            .unwrap()
            .seen
            .terminating_or_draining,
        Some(WARNED)
    );
    assert!(handled.record.line().len() <= control::LINE_BYTES_MAX);
}
