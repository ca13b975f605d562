//! A cluster as large as AWS allows: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html>.

use std::collections::BTreeMap;

use model::capacity::CapacitySubject;

use super::stage::{Handled, Scene};
use crate::stage::{done, held};

const INSTANCES: u32 = 5_000;
const TASKS: u32 = 1_000;

/// How many calls of the bucket of cluster resource reads a look may take: two thirds of 30 seconds, half of a bucket of 100 that 20 a
/// second flow into. `docs/calculations.md` works it out.
const LOOK_CALLS_MAX: u64 = 50 + 10 * 20;

/// How many instances are in a step or a hold.
fn accounted(handled: &Handled) -> usize {
    let plan = &handled.record.plan;
    let steps = plan.steps.iter().map(|it| &it.step.subject);
    let holds = plan.holds.iter().map(|it| &it.hold.subject);
    let instances = |subject: &CapacitySubject| match subject {
        CapacitySubject::Provider { .. } => 0,
        CapacitySubject::Instances { instances, .. } => instances.len(),
    };
    steps.chain(holds).map(instances).sum()
}

#[tokio::test]
async fn five_thousand_instances_are_seen_and_drained_within_the_documented_rates() {
    let scene = Scene {
        instances: INSTANCES,
        max_size: INSTANCES,
        tasks: TASKS,
        is_silent: true,
        // No faster than AWS refills its buckets.
        api_latency_ms: 60,
        ..Scene::default()
    };
    let scene = scene.tag("ballast:scale-in-delay-secs", "0");
    let stage = scene.tag("ballast:disruption-percent", "1").open().await;
    // Each instance that is to drain is read again before, ten in a call.
    let handled = stage.sweep().await;
    assert_eq!(handled.failure, None);
    let want: BTreeMap<String, u64> = [
        ("ecs:ListContainerInstances", 50),
        ("ecs:DescribeContainerInstances", 50 + 5),
        ("ecs:ListTasks", 10),
        ("ecs:DescribeTasks", 10),
        (act::capacity::UPDATE_CONTAINER_INSTANCES_STATE, 5),
    ]
    .map(|(name, calls)| (name.to_owned(), calls))
    .into();
    let mut calls = stage.face.calls();
    let others = calls.values().sum::<u64>() - want.values().sum::<u64>();
    calls.retain(|operation, _| want.contains_key(operation));
    assert_eq!(calls, want);
    assert!(calls.values().sum::<u64>() <= LOOK_CALLS_MAX);
    assert!(others <= 12, "{others} other calls");
    assert_eq!((done(&handled), stage.statuses()), (50, (4_950, 50)));
    assert_eq!(accounted(&handled), 5_000);
    assert_eq!(held(&handled, "scaling_in"), 1);
    assert!(handled.record.line().len() <= control::LINE_BYTES_MAX);
}
