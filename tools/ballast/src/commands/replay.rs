//! `ballast replay`: what event files mean, and what would follow.

use std::path::Path;
use std::time::Duration;

use calls::Deadline;
use control::{Invoked, Record};
use model::trigger::{Trigger, TriggerKind};
use serde::Serialize;
use serde_json::Value;

use crate::aws::Aws;
use crate::cli::{Output, ReplayArgs};
use crate::error::{CliError, one_line};
use crate::lab::function::FUNCTION;
use crate::output::{Screen, Tone};
use crate::progress::spinner;
use crate::record::lines_of;

/// How long one event may take, as the function's timeout has it.
const EVENT_SECS_MAX: u64 = 30;

/// One file, and what it holds.
#[derive(Debug, Serialize)]
struct Replayed {
    file: String,
    triggers: Vec<Read>,
    /// The decision record of an invocation with this file, in mode observe.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Record>,
}

#[derive(Debug, Serialize)]
struct Read {
    #[serde(flatten)]
    trigger: Trigger,
    looks_at: String,
}

/// Runs the command.
pub(crate) async fn run(args: &ReplayArgs, screen: &Screen) -> Result<(), CliError> {
    let mut faults = Vec::new();
    let mut replayed = Vec::new();
    let mut payloads = Vec::new();
    for file in &args.events {
        match read_file(file) {
            Ok((payload, one)) => {
                payloads.push(payload);
                replayed.push(one);
            }
            Err(mut own) => faults.append(&mut own),
        }
    }
    if args.plan || args.endpoint.endpoint_url.is_some() {
        let waiting = spinner("looking");
        for (payload, one) in payloads.iter().zip(&mut replayed) {
            one.record = Some(plan(args, payload).await?);
        }
        waiting.finish_and_clear();
    }
    match args.output {
        Output::Table => {
            for one in &replayed {
                screen.print(&text(one, *screen))?;
            }
        }
        Output::Json => screen.print_json(&replayed)?,
    }
    let records = replayed.iter().filter_map(|one| one.record.as_ref());
    let failed = records.filter(|record| !record.failures.is_empty()).count();
    if faults.is_empty() && failed > 0 {
        Err(CliError::Plans(failed))
    } else if faults.is_empty() {
        Ok(())
    } else {
        Err(CliError::Events {
            files: args.events.len(),
            faults,
        })
    }
}

/// Reads a file: its payload and its triggers, or every fault with the file's name in front.
fn read_file(file: &Path) -> Result<(Value, Replayed), Vec<String>> {
    let name = file.display().to_string();
    let fault = |error: &dyn std::error::Error| vec![format!("{name}: {}", one_line(error))];
    let bytes = std::fs::read(file).map_err(|error| fault(&error))?;
    let invocation = trigger::parse_bytes(&bytes).map_err(|error| fault(&error))?;
    let json = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let payload = serde_json::from_slice(json).map_err(|error| fault(&error))?;
    let mut triggers = Vec::new();
    let mut faults = Vec::new();
    for item in invocation.items {
        match item.read {
            Ok(trigger) => triggers.push(Read {
                looks_at: looks_at(&trigger.kind),
                trigger,
            }),
            Err(error) => faults.extend(fault(&error)),
        }
    }
    if faults.is_empty() {
        Ok((
            payload,
            Replayed {
                file: name,
                triggers,
                record: None,
            },
        ))
    } else {
        Err(faults)
    }
}

fn looks_at(kind: &TriggerKind) -> String {
    match (kind, kind.service(), kind.cluster()) {
        (TriggerKind::Ignored(why), _, _) => format!("nothing ({})", why.as_str()),
        (TriggerKind::Scheduled, _, _) => "every service that is opted in".to_owned(),
        (_, Some(service), _) => format!("the pair that `{service}` belongs to"),
        (_, None, Some(cluster)) => {
            format!("nothing: a task in `{cluster}` that belongs to no service")
        }
        (_, None, None) => "nothing".to_owned(),
    }
}

/// What a function would do with this payload: the controller itself, in mode observe, with an empty memory of its own.
async fn plan(args: &ReplayArgs, payload: &Value) -> Result<Record, CliError> {
    let aws = Aws::connect(&args.endpoint)?;
    let invoked = Invoked {
        request_id: None,
        // The account of a sample event is nobody's.
        account: None,
        deadline: Deadline::after(Duration::from_secs(EVENT_SECS_MAX)),
    };
    let handled = aws.controller(FUNCTION).handle(payload, &invoked).await;
    Ok(handled.record)
}

fn text(one: &Replayed, screen: Screen) -> String {
    let mut lines = vec![screen.paint(Tone::Strong, &one.file)];
    for read in &one.triggers {
        lines.push(format!("  trigger  {}", describe(&read.trigger)));
        lines.push(format!("  looks at {}", read.looks_at));
    }
    if let Some(record) = &one.record {
        lines.extend(lines_of(record).into_iter().map(|line| format!("  {line}")));
    }
    lines.join("\n")
}

/// One line: what happened, to what, and when.
fn describe(trigger: &Trigger) -> String {
    let what = match &trigger.kind {
        TriggerKind::TaskInterrupted(task) | TriggerKind::TaskStopped(task) => {
            let on = task
                .provider
                .as_ref()
                .map(|it| format!(" on {it}"))
                .unwrap_or_default();
            let of = task
                .service
                .as_ref()
                .map(|it| format!(" of `{it}`"))
                .unwrap_or_default();
            format!("task `{}`{of}{on}", task.task.id())
        }
        TriggerKind::PlacementFailed(failure) => {
            let providers: Vec<&str> = failure.providers.iter().map(|it| it.as_str()).collect();
            format!(
                "`{}`: {} {}",
                failure.service,
                failure.reason,
                providers.join(", ")
            )
        }
        TriggerKind::ServiceSteady(change) | TriggerKind::ServiceChanged(change) => {
            format!("`{}`: {}", change.service, change.event_name)
        }
        TriggerKind::Scheduled => "the schedule".to_owned(),
        TriggerKind::Ignored(why) => {
            format!(
                "{} from {}: {}",
                trigger.envelope.detail_type,
                trigger.envelope.source,
                why.as_str()
            )
        }
    };
    let at = trigger
        .envelope
        .time
        .map(|time| format!(" at {time}"))
        .unwrap_or_default();
    format!("{} {}{at}", trigger.kind.as_str(), what.trim_end())
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
        let shown = match read_file(&file) {
            Ok((_, one)) => text(&one, Screen::plain()),
            Err(faults) => faults.join("\n"),
        };
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
              looks at the pair that `container-demo/web` belongs to
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
                  looks at every service that is opted in
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
