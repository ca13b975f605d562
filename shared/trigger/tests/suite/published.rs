//! Samples that AWS and others published, beside the checkout: each yields the kind that is right for it, and none panics.
//!
//! They are read where they are. Without them the test is skipped and says so.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::{render, samples};

/// The samples that several publishers have in common.
const INSTANCE: &str = "instance_changed default container_instance=b54a2a04-046f-4331-9d74-3f6d7f6ca315 ec2=i-f3a8506b status=\"ACTIVE\" agent_connected=true version=14801";
const SUPPRESSED: &str = "alarm_changed \"ServiceAggregatedAlarm\" alarm was=ok composite cluster=- provider=- group=- service=- metrics=[]";
const LAUNCHED: &str = "launch_succeeded group=\"my-auto-scaling-group\" instance=i-1234567890abcdef0 zone=us-west-2b activity=87654321 at=1970-01-01T00:00:00Z status_message=\"\" cause=\"description-text\"";
const NOT_LAUNCHED: &str = "launch_failed group=\"my-auto-scaling-group\" instance=i-1234567890abcdef0 zone=us-west-2b activity=87654321 at=1970-01-01T00:00:00Z status_message=\"message-text\" cause=\"description-text\"";
const TERMINATED: &str = "instance_terminated group=\"my-auto-scaling-group\" instance=i-1234567890abcdef0 zone=us-west-2b activity=87654321 at=1970-01-01T00:00:00Z status_message=\"\" cause=\"description-text\"";
const NOT_TERMINATED: &str = "instance_terminated group=\"my-auto-scaling-group\" instance=i-1234567890abcdef0 zone=us-west-2b activity=87654321 at=1970-01-01T00:00:00Z status_message=\"message-text\" cause=\"description-text\"";

const LAUNCHING: &str = "ignored launch_lifecycle_action";
const TERMINATING: &str = "instance_terminating i-1234567890abcdef0 group=\"my-asg\" hook=my-lifecycle-hook token=87654321 origin=- destination=-";
const PENDING: &str = "instance_noticed i-abcd1111 state_changed state=pending";

/// The samples that are for us, or that we must refuse. Every other one is somebody else's event: `ignored not_ours`.
const CLAIMS: [(&str, &str); 62] = [
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
    // Alarms, as events and as direct calls. The last one is an event with the field of a direct call.
    (
        "awsdocs-cloudwatch/cloudwatch-and-eventbridge.01.json",
        "alarm_changed \"ServerCpuTooHigh\" alarm was=ok cluster=- provider=- group=- service=- metrics=[AWS/EC2/CPUUtilization{InstanceId=i-12345678901234567}]",
    ),
    (
        "awsdocs-cloudwatch/cloudwatch-and-eventbridge.02.json",
        "alarm_changed \"TotalNetworkTrafficTooHigh\" alarm was=insufficient_data cluster=- provider=- group=- service=- metrics=[AWS/EC2/NetworkIn{InstanceId=i-12345678901234567} AWS/EC2/NetworkOut{InstanceId=i-12345678901234567}]",
    ),
    (
        "awsdocs-cloudwatch/cloudwatch-and-eventbridge.03.json",
        "alarm_changed \"EC2 CPU Utilization Anomaly\" alarm was=ok cluster=- provider=- group=- service=- metrics=[AWS/EC2/CPUUtilization{InstanceId=i-12345678901234567}]",
    ),
    (
        "awsdocs-cloudwatch/cloudwatch-and-eventbridge.04.json",
        SUPPRESSED,
    ),
    (
        "aws-lambda-rust-runtime/example-cloudwatch-alarm-metric.json",
        "alarm_changed \"lambda-demo-metric-alarm\" alarm was=insufficient_data cluster=- provider=- group=- service=- metrics=[AWS/Logs/CallCount{InstanceId=i-12345678}]",
    ),
    (
        "aws-lambda-rust-runtime/example-cloudwatch-alarm-composite.json",
        "alarm_changed \"CompositeDemo.Main\" alarm was=alarm composite cluster=- provider=- group=- service=- metrics=[]",
    ),
    (
        "aws-lambda-rust-runtime/example-cloudwatch-alarm-composite-with-suppressor-alarm.json",
        SUPPRESSED,
    ),
    // Instances of a cluster.
    ("awsdocs-ecs/ecs_cwe_events.01.json", INSTANCE),
    (
        "aws-lambda-go/ecs-container-instance-state-change.json",
        INSTANCE,
    ),
    // What Auto Scaling groups did. The documentation has placeholders for the times.
    (
        "awsdocs-autoscaling/ec2-auto-scaling-event-reference.02.json",
        "launch_succeeded group=\"my-auto-scaling-group\" instance=i-1234567890abcdef0 zone=us-west-2b activity=87654321 at=- status_message=\"\" cause=\"description-text\"",
    ),
    (
        "awsdocs-autoscaling/ec2-auto-scaling-event-reference.03.json",
        "launch_failed group=\"my-auto-scaling-group\" instance=i-1234567890abcdef0 zone=us-west-2b activity=87654321 at=- status_message=\"message-text\" cause=\"description-text\"",
    ),
    (
        "awsdocs-autoscaling/ec2-auto-scaling-event-reference.05.json",
        "instance_terminated group=\"my-auto-scaling-group\" instance=i-1234567890abcdef0 zone=us-west-2b activity=87654321 at=- status_message=\"\" cause=\"description-text\"",
    ),
    (
        "awsdocs-autoscaling/ec2-auto-scaling-event-reference.06.json",
        "instance_terminated group=\"my-auto-scaling-group\" instance=i-1234567890abcdef0 zone=us-west-2b activity=87654321 at=- status_message=\"message-text\" cause=\"description-text\"",
    ),
    (
        "aws-lambda-go/autoscaling-event-launch-successful.json",
        LAUNCHED,
    ),
    (
        "aws-lambda-go/autoscaling-event-launch-unsuccessful.json",
        NOT_LAUNCHED,
    ),
    (
        "aws-lambda-go/autoscaling-event-terminate-successful.json",
        TERMINATED,
    ),
    (
        "aws-lambda-go/autoscaling-event-terminate-unsuccessful.json",
        NOT_TERMINATED,
    ),
    (
        "aws-lambda-rust-runtime/example-autoscaling-event-launch-successful.json",
        LAUNCHED,
    ),
    (
        "aws-lambda-rust-runtime/example-autoscaling-event-launch-unsuccessful.json",
        NOT_LAUNCHED,
    ),
    (
        "aws-lambda-rust-runtime/example-autoscaling-event-terminate-successful.json",
        TERMINATED,
    ),
    (
        "aws-lambda-rust-runtime/example-autoscaling-event-terminate-unsuccessful.json",
        NOT_TERMINATED,
    ),
    // Instances that wait in a lifecycle hook. One on its way in needs no look.
    (
        "awsdocs-autoscaling/ec2-auto-scaling-event-reference.01.json",
        LAUNCHING,
    ),
    (
        "awsdocs-autoscaling/warm-pools-eventbridge-events.01.json",
        LAUNCHING,
    ),
    (
        "awsdocs-autoscaling/warm-pools-eventbridge-events.02.json",
        LAUNCHING,
    ),
    (
        "awsdocs-autoscaling/warm-pools-eventbridge-events.03.json",
        LAUNCHING,
    ),
    (
        "aws-lambda-go/autoscaling-event-lifecycle-action.json",
        LAUNCHING,
    ),
    (
        "aws-lambda-rust-runtime/example-autoscaling-event-lifecycle-action.json",
        LAUNCHING,
    ),
    (
        "awsdocs-autoscaling/ec2-auto-scaling-event-reference.04.json",
        TERMINATING,
    ),
    (
        "aws-lambda-go/autoscaling-event-terminate-action.json",
        TERMINATING,
    ),
    (
        "aws-lambda-rust-runtime/example-autoscaling-event-terminate-action.json",
        TERMINATING,
    ),
    (
        "awsdocs-autoscaling/warm-pools-eventbridge-events.04.json",
        "instance_terminating i-1234567890abcdef0 group=\"my-asg\" hook=my-termination-lifecycle-hook token=42694b3d origin=AutoScalingGroup destination=WarmPool",
    ),
    // Notices about instances. The documentation has a placeholder for the action.
    (
        "awsdocs-ec2/spot-instance-termination-notices.01.json",
        "instance_noticed i-1234567890abcdef0 spot_interruption action=\"action\"",
    ),
    (
        "awsdocs-ec2/rebalance-recommendations.01.json",
        "instance_noticed i-1234567890abcdef0 rebalance",
    ),
    (
        "awsdocs-ec2/monitoring-instance-state-changes.01.json",
        PENDING,
    ),
    (
        "aws-lambda-rust-runtime/example-eventbridge-event-obj.json",
        PENDING,
    ),
    // AWS Health about Capacity Reservations that lie idle.
    (
        "awsdocs-ec2/cr-eventbridge.01.json",
        "ignored not_a_scheduled_change",
    ),
    (
        "awsdocs-ec2/cr-eventbridge.02.json",
        "ignored not_a_scheduled_change",
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
