//! Samples that AWS and others published, beside the checkout: each yields the kind that is right for it, and none panics.
//!
//! They are read where they are. Without them the test is skipped and says so.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::{render, samples};

/// The samples that are for us, or that we must refuse. Every other one is somebody else's event: `ignored not_ours`.
const CLAIMS: [(&str, &str); 29] = [
    // A task that became RUNNING.
    (
        "awsdocs-ecs/ecs_cwe_events.02.json",
        "ignored task_not_stopping",
    ),
    (
        "awsdocs-ecs/ecs_cwe_events.03.json",
        "service_steady default/servicetest SERVICE_STEADY_STATE",
    ),
    (
        "awsdocs-ecs/ecs_cwe_events.04.json",
        "service_changed default/servicetest CAPACITY_PROVIDER_STEADY_STATE",
    ),
    (
        "awsdocs-ecs/ecs_cwe_events.05.json",
        "service_changed default/servicetest SERVICE_TASK_START_IMPAIRED",
    ),
    (
        "awsdocs-ecs/ecs_cwe_events.06.json",
        "placement_failed default/servicetest providers=[FARGATE_SPOT] reason=\"RESOURCE:FARGATE\"",
    ),
    (
        "awsdocs-ecs/ecs_cwe_events.07.json",
        "placement_failed default/servicetest providers=[] reason=\"RESOURCE:CPU\"",
    ),
    (
        "awsdocs-ecs/ecs_cwe_events.08.json",
        "service_changed default/servicetest SERVICE_DEPLOYMENT_IN_PROGRESS",
    ),
    (
        "awsdocs-ecs/ecs_cwe_events.09.json",
        "service_changed default/servicetest SERVICE_DEPLOYMENT_IN_PROGRESS",
    ),
    (
        "awsdocs-ecs/ecs_cwe_events.10.json",
        "service_changed default/servicetest SERVICE_DEPLOYMENT_COMPLETED",
    ),
    (
        "awsdocs-ecs/ecs_cwe_events.11.json",
        "service_changed default/servicetest SERVICE_DEPLOYMENT_FAILED",
    ),
    // A Python program, and an event with three dots in it.
    ("awsdocs-ecs/ecs_cwet_handling.01.json", "error not_json"),
    (
        "awsdocs-ecs/fargate-capacity-providers.01.json",
        "error not_json",
    ),
    (
        "aws-lambda-rust-runtime/example-eventbridge-schedule.json",
        "scheduled",
    ),
    // Batches of queues with texts that are no events, and notifications straight from a topic.
    (
        "aws-lambda-go/sqs-event.json",
        "batch: error record_not_json",
    ),
    (
        "aws-lambda-rust-runtime/example-sqs-event.json",
        "batch: error record_not_json",
    ),
    (
        "aws-lambda-rust-runtime/example-sqs-event-obj.json",
        "batch: error not_an_event",
    ),
    (
        "aws-lambda-rust-runtime/example-sqs-api-event-obj.json",
        "error not_an_event",
    ),
    ("aws-lambda-go/sns-event.json", "error record_unusable"),
    (
        "aws-lambda-rust-runtime/example-sns-event.json",
        "error record_unusable",
    ),
    (
        "aws-lambda-rust-runtime/example-sns-event-obj.json",
        "error record_unusable",
    ),
    (
        "aws-lambda-rust-runtime/example-sns-event-pascal-case.json",
        "error record_unusable",
    ),
    (
        "aws-lambda-go/cloudwatch-alarm-sns-payload-single-metric.json",
        "error record_unusable",
    ),
    (
        "aws-lambda-go/cloudwatch-alarm-sns-payload-multiple-metrics.json",
        "error record_unusable",
    ),
    (
        "aws-lambda-rust-runtime/example-cloudwatch-alarm-sns-payload-single-metric.json",
        "error record_unusable",
    ),
    (
        "aws-lambda-rust-runtime/example-cloudwatch-alarm-sns-payload-multiple-metrics.json",
        "error record_unusable",
    ),
    // Alarms that call a function directly have a source and no detail-type.
    (
        "aws-lambda-rust-runtime/example-cloudwatch-alarm-metric.json",
        "ignored not_ours",
    ),
    (
        "aws-lambda-rust-runtime/example-cloudwatch-alarm-composite.json",
        "ignored not_ours",
    ),
    // Instances of a cluster.
    ("awsdocs-ecs/ecs_cwe_events.01.json", "ignored not_ours"),
    (
        "aws-lambda-go/ecs-container-instance-state-change.json",
        "ignored not_ours",
    ),
];

#[expect(
    clippy::disallowed_methods,
    reason = "where the samples are is a setting of the test, not of the crate"
)]
fn folder() -> PathBuf {
    std::env::var_os("BALLAST_SHARED")
        .map_or_else(|| samples::root().join("../shared"), PathBuf::from)
        .join("fixtures/events")
}

/// What was read, without the envelope.
fn summary(bytes: &[u8]) -> String {
    let read = trigger::parse_bytes(bytes);
    let batch = if render::kind(&read) == "batch" {
        "batch: "
    } else {
        ""
    };
    let line = match &read {
        Err(failure) => render::error(failure),
        Ok(invocation) => {
            let lines = invocation.items.len();
            let text = render::invocation(&read);
            let line = text.lines().last().unwrap().trim();
            assert!(
                lines == 1 || line.starts_with("error"),
                "each usable sample holds one event"
            );
            match line
                .strip_prefix("message ")
                .and_then(|rest| rest.split_once(": "))
            {
                Some((_, line)) => line.to_owned(),
                None => line.to_owned(),
            }
        }
    };
    let short = match line.strip_prefix("error ") {
        Some(rest) => format!("error {}", rest.split(':').next().unwrap()),
        None => line.split(" | ").next().unwrap().to_owned(),
    };
    format!("{batch}{short}")
}

#[test]
fn published_samples_yield_what_is_right_for_them() {
    let folder = folder();
    let Ok(provenance) = std::fs::read_to_string(folder.join("PROVENANCE.tsv")) else {
        println!(
            "skipped: there is no PROVENANCE.tsv in {}",
            folder.display()
        );
        return;
    };
    let mut claims: BTreeMap<_, _> = CLAIMS.into_iter().collect();
    assert_eq!(claims.len(), CLAIMS.len(), "a sample is claimed twice");
    let mut wrong = Vec::new();
    for line in provenance.lines().skip(1).filter(|line| !line.is_empty()) {
        let file = line.split('\t').next().unwrap();
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let want = claims.remove(file).unwrap_or("ignored not_ours");
        let got = summary(&bytes);
        if got != want {
            wrong.push(format!("{file}: {got}, wanted {want}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(claims.is_empty(), "claimed and not there: {claims:?}");
}
