//! `ballast replay`: what event files mean, and what would follow.

use std::collections::BTreeSet;
use std::path::Path;

use model::trigger::Trigger;
use serde::{Serialize, Serializer};
use serde_json::Value;
use trigger::TriggerError;

use crate::aws::Aws;
use crate::cli::{Output, ReplayArgs};
use crate::commands::describe::describe;
use crate::commands::looks_at::{looking, looks_at};
use crate::commands::plan::{Planned, plans};
use crate::error::{CliError, one_line};
use crate::lab::function::Name;
use crate::output::{Screen, Tone};
use crate::progress::spinner;

/// One file, and what it holds.
#[derive(Debug, Serialize)]
struct Replayed {
    file: String,
    triggers: Vec<Read>,
    /// What cannot be used of it, one line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<String>,
    /// The plan of each function, where plans were asked for; empty where no function looks because of the file.
    #[serde(
        rename = "records",
        serialize_with = "records_of",
        skip_serializing_if = "Option::is_none"
    )]
    plans: Option<Vec<Planned>>,
    #[serde(skip)]
    payload: Value,
}

#[derive(Debug, Serialize)]
struct Read {
    #[serde(flatten)]
    trigger: Trigger,
    looks_at: String,
}

/// Runs the command.
pub(crate) async fn run(args: &ReplayArgs, screen: &Screen) -> Result<(), CliError> {
    let mut replayed: Vec<Replayed> = args.events.iter().map(|file| read_file(file)).collect();
    let is_asked = args.plan || args.endpoint.endpoint_url.is_some() || !args.functions.is_empty();
    // Where nothing could be read there is nothing to plan for.
    if is_asked && replayed.iter().any(|one| !one.triggers.is_empty()) {
        plan(args, &mut replayed).await?;
    }
    match args.output {
        Output::Table => {
            for one in replayed.iter().filter(|one| !one.triggers.is_empty()) {
                screen.print(&text(one, *screen))?;
            }
        }
        Output::Json => screen.print_json(&replayed)?,
    }
    let unusable = replayed.iter().filter(|one| !one.faults.is_empty()).count();
    if unusable > 0 {
        return Err(CliError::Events {
            files: replayed.len(),
            unusable,
            faults: replayed.iter().flat_map(faults_of).collect(),
        });
    }
    let is_failed = |one: &&Replayed| one.plans.iter().flatten().any(|plan| plan.is_failed);
    match replayed.iter().filter(is_failed).count() {
        0 => Ok(()),
        failed => Err(CliError::Plans(failed)),
    }
}

/// Plans for each file of which something could be read.
async fn plan(args: &ReplayArgs, replayed: &mut [Replayed]) -> Result<(), CliError> {
    // All plans together keep to one share of AWS's rates.
    let aws = Aws::connect(&args.endpoint)?;
    let waiting = spinner("looking");
    for one in replayed.iter_mut().filter(|one| !one.triggers.is_empty()) {
        let functions = functions(args, one);
        one.plans = Some(plans(&aws, &functions, &one.payload).await);
    }
    waiting.finish_and_clear();
    Ok(())
}

/// The functions that plan for a file: those that were asked for, else those that look because of it.
fn functions(args: &ReplayArgs, one: &Replayed) -> BTreeSet<Name> {
    if args.functions.is_empty() {
        looking(one.triggers.iter().map(|read| &read.trigger.kind))
    } else {
        args.functions.iter().copied().collect()
    }
}

/// The decision records alone, as the functions write them.
fn records_of<S: Serializer>(
    plans: &Option<Vec<Planned>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(plans.iter().flatten().map(|plan| &plan.record))
}

/// The faults with the file's name in front.
fn faults_of(one: &Replayed) -> impl Iterator<Item = String> {
    one.faults
        .iter()
        .map(|fault| format!("{}: {fault}", one.file))
}

/// Reads a file: its triggers, and every fault.
fn read_file(file: &Path) -> Replayed {
    let mut one = Replayed {
        file: file.display().to_string(),
        triggers: Vec::new(),
        faults: Vec::new(),
        plans: None,
        payload: Value::Null,
    };
    if let Err(fault) = read_into(file, &mut one) {
        one.faults.push(fault);
    }
    one
}

fn read_into(file: &Path, one: &mut Replayed) -> Result<(), String> {
    let bytes = std::fs::read(file).map_err(|error| one_line(&error))?;
    let invocation = trigger::parse_bytes(&bytes).map_err(|error| one_line(&error))?;
    let json = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    one.payload = serde_json::from_slice(json).map_err(|error| one_line(&error))?;
    let is_batch = invocation.is_batch;
    for (index, item) in invocation.items.into_iter().enumerate() {
        match item.read {
            Ok(trigger) => one.triggers.push(Read {
                looks_at: looks_at(&trigger.kind),
                trigger,
            }),
            Err(error) => one.faults.push(fault(is_batch.then_some(index), &error)),
        }
    }
    Ok(())
}

/// A fault, with the message's place in the batch where the error does not have it.
fn fault(index: Option<usize>, error: &TriggerError) -> String {
    let line = one_line(error);
    let has_place = match error {
        TriggerError::NotJson { .. }
        | TriggerError::NotAnEvent { .. }
        | TriggerError::Field { .. }
        | TriggerError::Id { .. } => false,
        TriggerError::Record { .. }
        | TriggerError::RecordNotJson { .. }
        | TriggerError::TooManyRecords { .. } => true,
    };
    match index {
        Some(index) if !has_place => format!("message {index} of the batch: {line}"),
        Some(_) | None => line,
    }
}

fn text(one: &Replayed, screen: Screen) -> String {
    let mut lines = vec![screen.paint(Tone::Strong, &one.file)];
    for read in &one.triggers {
        lines.push(format!("  trigger  {}", describe(&read.trigger)));
        lines.push(format!("  looks at {}", read.looks_at));
    }
    if let Some(plans) = &one.plans {
        if plans.is_empty() {
            lines.push("  planned nothing: no function looks because of it".to_owned());
        }
        for plan in plans {
            lines.push(format!(
                "  {}, planned with an empty ledger, in mode observe:",
                plan.function.as_str()
            ));
            lines.extend(plan.lines.iter().map(|line| format!("    {line}")));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use expect_test::{Expect, expect};

    use super::*;

    /// Writes the text to a file of its own, and shows what is made of it.
    fn check(name: &str, content: &str, want: Expect) {
        let folder = std::env::temp_dir().join(format!("ballast-replay-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file: PathBuf = folder.join(name);
        fs::write(&file, content).unwrap();
        let one = read_file(&file);
        let mut lines = Vec::new();
        if !one.triggers.is_empty() {
            lines.push(text(&one, Screen::plain()));
        }
        lines.extend(faults_of(&one));
        let shown = lines.join("\n");
        fs::remove_file(&file).unwrap();
        let place = format!("{}/", folder.display());
        want.assert_eq(&format!("{}\n", shown.replace(&place, "")));
    }

    const INTERRUPTED: &str = r#"{"version":"0","id":"a1","detail-type":"ECS Task State Change","source":"aws.ecs",
        "account":"111122223333","time":"2026-03-02T09:10:00Z","region":"us-west-2","resources":[],
        "detail":{"clusterArn":"arn:aws:ecs:us-west-2:111122223333:cluster/container-demo","desiredStatus":"STOPPED",
        "lastStatus":"RUNNING","stoppedReason":"Your Spot Task was interrupted.","stopCode":"SpotInterruption",
        "group":"service:web","capacityProviderName":"FARGATE_SPOT","version":4,
        "taskArn":"arn:aws:ecs:us-west-2:111122223333:task/container-demo/0f4c"}}"#;

    #[test]
    fn an_interruption() {
        check(
            "interrupted.json",
            INTERRUPTED,
            expect![[r#"
                interrupted.json
                  trigger  task_interrupted task `0f4c` of `container-demo/web` on FARGATE_SPOT at 2026-03-02T09:10:00Z
                  looks at the pair that `container-demo/web` belongs to (spot-fallback)
            "#]],
        );
    }

    #[test]
    fn a_schedule_and_a_stranger() {
        let envelope = |source: &str, kind: &str| {
            format!(
                r#"{{"source":"{source}","detail-type":"{kind}","time":"2026-03-02T09:10:00Z","detail":{{}}}}"#
            )
        };
        check(
            "schedule.json",
            &envelope("aws.events", "Scheduled Event"),
            expect![[r#"
                schedule.json
                  trigger  scheduled the schedule at 2026-03-02T09:10:00Z
                  looks at every service that is opted in (spot-fallback); every group that is opted in (cluster-scaler); every instance that is opted in (instance-drain); every tracked service (service-scaler)
            "#]],
        );
        check(
            "stranger.json",
            &envelope("aws.s3", "Object Created"),
            expect![[r#"
                stranger.json
                  trigger  ignored Object Created from aws.s3: not_ours at 2026-03-02T09:10:00Z
                  looks at nothing (not_ours)
            "#]],
        );
    }

    #[test]
    fn events_that_lack_what_most_have() {
        check(
            "no-group.json",
            &INTERRUPTED.replace(r#""group":"service:web","#, ""),
            expect![[r#"
                no-group.json
                  trigger  task_interrupted task `0f4c` (service not known) on FARGATE_SPOT at 2026-03-02T09:10:00Z
                  looks at nothing: the event names no service for the task in `container-demo`
            "#]],
        );
        check(
            "no-detail-type.json",
            r#"{"source":"aws.s3","time":"2026-03-02T09:10:00Z"}"#,
            expect![[r#"
                no-detail-type.json
                  trigger  ignored an event without detail-type from aws.s3: not_ours at 2026-03-02T09:10:00Z
                  looks at nothing (not_ours)
            "#]],
        );
        let failure = |more: &str| {
            format!(
                r#"{{"source":"aws.ecs","detail-type":"ECS Service Action","time":"2026-03-02T09:10:00Z",
                "resources":["arn:aws:ecs:us-west-2:111122223333:service/container-demo/web"],
                "detail":{{"eventName":"SERVICE_TASK_PLACEMENT_FAILURE",{more}
                "clusterArn":"arn:aws:ecs:us-west-2:111122223333:cluster/container-demo"}}}}"#
            )
        };
        let spot = "arn:aws:ecs:us-west-2:111122223333:capacity-provider/FARGATE_SPOT";
        check(
            "placement.json",
            &failure(&format!(
                r#""reason":"RESOURCE:FARGATE","capacityProviderArns":["{spot}"],"#
            )),
            expect![[r#"
                placement.json
                  trigger  placement_failed `container-demo/web`: RESOURCE:FARGATE on FARGATE_SPOT at 2026-03-02T09:10:00Z
                  looks at the pair that `container-demo/web` belongs to (spot-fallback)
            "#]],
        );
        check(
            "bare-placement.json",
            &failure(""),
            expect![[r#"
                bare-placement.json
                  trigger  placement_failed `container-demo/web`: no reason given at 2026-03-02T09:10:00Z
                  looks at the pair that `container-demo/web` belongs to (spot-fallback); the groups under `container-demo` (cluster-scaler)
            "#]],
        );
    }

    #[test]
    fn instances_groups_and_alarms() {
        let events = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events");
        let sample = |name: &str| fs::read_to_string(events.join(name)).unwrap();
        check(
            "instance.json",
            &sample("aws.ecs--ecs-container-instance-state-change--agent-disconnected.json"),
            expect![[r#"
                instance.json
                  trigger  instance_changed `effcfc5170d92dc43cd0498468f69e90` (i-099e5b32162bf9576) in `container-demo`: ACTIVE, agent not connected at 2026-03-14T09:26:53Z
                  looks at the groups under `container-demo` (cluster-scaler)
            "#]],
        );
        check(
            "launch.json",
            &sample(
                "aws.autoscaling--ec2-instance-launch-unsuccessful--max-spot-instance-count-exceeded.json",
            ),
            expect![[r#"
                launch.json
                  trigger  launch_failed `container-demo-EC2Spot` in us-west-2b: Could not launch Spot Instances. MaxSpotInstanceCountExceeded - Max spot instance count exceeded. Launching EC2 instance failed. at 2026-03-14T09:26:53Z
                  looks at every group that is opted in (cluster-scaler)
            "#]],
        );
        check(
            "drained.json",
            &sample("aws.ecs--ecs-container-instance-state-change--draining.json"),
            expect![[r#"
                drained.json
                  trigger  instance_changed `a59c4535b70b62c82281d74f823059f2` (i-4740ae6347b0172c0) in `container-demo`: DRAINING at 2026-03-14T09:26:53Z
                  looks at the groups under `container-demo` (cluster-scaler); the instance `i-4740ae6347b0172c0` (instance-drain)
            "#]],
        );
        check(
            "alarm.json",
            &sample("aws.cloudwatch--unknown--alarm-direct-reservation.json"),
            expect![[r#"
                alarm.json
                  trigger  alarm_changed `container-demo-EC2-reservation-high`: alarm, was ok at 2026-03-14T09:26:53.49Z
                  looks at the groups under `container-demo` (cluster-scaler)
            "#]],
        );
    }

    /// What an alarm on a metric of a service, on metric math of a pair, and on other alarms makes service-scaler look at.
    #[test]
    fn alarms_of_services() {
        let events = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events");
        let sample = |name: &str| fs::read_to_string(events.join(name)).unwrap();
        for (name, want) in [
            (
                "aws.cloudwatch--cloudwatch-alarm-state-change--tracked-cpu-ok.json",
                expect![[r#"
                    alarm-of-service.json
                      trigger  alarm_changed `ballast-track-container-demo-web-cpu`: ok, was alarm at 2026-03-14T09:26:53Z
                      looks at the groups under `container-demo` (cluster-scaler); the tracked service `container-demo/web` (service-scaler)
                "#]],
            ),
            (
                "aws.cloudwatch--unknown--alarm-direct-tracked-cpu-of-pair.json",
                expect![[r#"
                    alarm-of-service.json
                      trigger  alarm_changed `ballast-track-container-demo-web-cpu-of-pair`: alarm, was insufficient_data at 2026-03-14T09:26:53.49Z
                      looks at the groups under `container-demo` (cluster-scaler); the tracked service `container-demo/web`, the tracked service `container-demo/web-standby` (service-scaler)
                "#]],
            ),
            (
                "aws.cloudwatch--unknown--alarm-direct-tracked-composite.json",
                expect![[r#"
                    alarm-of-service.json
                      trigger  alarm_changed `ballast-track-container-demo-web`: alarm, was ok at 2026-03-14T09:26:53.49Z
                      looks at every group that is opted in (cluster-scaler); every tracked service (service-scaler)
                "#]],
            ),
        ] {
            check("alarm-of-service.json", &sample(name), want);
        }
    }

    #[test]
    fn instances_that_go_away() {
        let events = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events");
        let sample = |name: &str| fs::read_to_string(events.join(name)).unwrap();
        check(
            "warning.json",
            &sample("aws.ec2--ec2-spot-instance-interruption-warning--arn-as-documented.json"),
            expect![[r#"
                warning.json
                  trigger  instance_noticed i-07d199fab9b4c34a2: spot_interruption (terminate) at 2026-03-14T09:26:53Z
                  looks at the instance `i-07d199fab9b4c34a2` (instance-drain)
            "#]],
        );
        check(
            "rebalance.json",
            &sample("aws.ec2--ec2-instance-rebalance-recommendation--spot.json"),
            expect![[r#"
                rebalance.json
                  trigger  instance_noticed i-035e352419a8085b6: rebalance at 2026-03-14T09:26:53Z
                  looks at the instance `i-035e352419a8085b6` (instance-drain)
            "#]],
        );
        check(
            "running.json",
            &sample("aws.ec2--ec2-instance-state-change-notification--running.json"),
            expect![[r#"
                running.json
                  trigger  instance_noticed i-080395aa64c17d10e: state_changed (running) at 2026-03-14T09:26:53Z
                  looks at nothing (instance_not_leaving)
            "#]],
        );
        check(
            "terminating.json",
            &sample("aws.autoscaling--ec2-instance-terminate-lifecycle-action--wait.json"),
            expect![[r#"
                terminating.json
                  trigger  instance_terminating i-0ffefe18b61121c77 of `container-demo-EC2Spot` waits in hook `drain`, to EC2 at 2026-03-14T09:26:53Z
                  looks at the instance `i-0ffefe18b61121c77` (instance-drain)
            "#]],
        );
        check(
            "retirement.json",
            &sample("aws.health--aws-health-event--several-entities.json"),
            expect![[r#"
                retirement.json
                  trigger  instance_noticed i-003eca7a4146f661d, i-0d1ed5a6a44f25630, i-f3a8506b: maintenance (AWS_EC2_INSTANCE_STOP_SCHEDULED from 2026-03-28T15:10:09Z) at 2026-03-14T09:26:53Z
                  looks at the instance `i-003eca7a4146f661d`, the instance `i-0d1ed5a6a44f25630`, the instance `i-f3a8506b` (instance-drain)
            "#]],
        );
    }

    #[test]
    fn a_batch_with_bad_messages_shows_the_good_ones_and_numbers_the_bad() {
        let message = |id: &str, body: &str| serde_json::json!({"messageId": id, "eventSource": "aws:sqs", "body": body});
        let records = [
            message("m0", INTERRUPTED),
            message("m1", "{"),
            message("m2", &INTERRUPTED.replace("taskArn", "task")),
        ];
        check(
            "batch.json",
            &serde_json::json!({ "Records": records }).to_string(),
            expect![[r#"
                batch.json
                  trigger  task_interrupted task `0f4c` of `container-demo/web` on FARGATE_SPOT at 2026-03-02T09:10:00Z
                  looks at the pair that `container-demo/web` belongs to (spot-fallback)
                batch.json: message 1 of the batch: `body` is not JSON; check what writes to the queue: EOF while parsing an object at line 1 column 1
                batch.json: message 2 of the batch: event `a1` from `aws.ecs`, `ECS Task State Change`: `detail.taskArn` is absent; the schedule's next look needs no event
            "#]],
        );
    }

    #[test]
    fn what_cannot_be_used() {
        check(
            "broken.json",
            "{",
            expect![[r#"
            broken.json: the payload is not JSON; check what invokes this function: EOF while parsing an object at line 1 column 1
        "#]],
        );
        check(
            "half.json",
            &INTERRUPTED.replace("taskArn", "task"),
            expect![[r#"
                half.json: event `a1` from `aws.ecs`, `ECS Task State Change`: `detail.taskArn` is absent; the schedule's next look needs no event
            "#]],
        );
    }
}
