//! The lab's chapters on EC2, from end to end: the real cluster-scaler, through the command line, over loopback.
//!
//! The functions' binaries are built by `cargo test --workspace` or `make build`, and are found beside `ballast`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use expect_test::{Expect, expect};
use serde_json::Value;

/// Plays the scenario to its good end; returns what it printed and its decision records.
fn play(scenario: &str, seed: &str, more: &[&str]) -> (String, Vec<Value>) {
    let name = format!("{scenario}-{seed}-{}.jsonl", more.join(""));
    let records = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let output = Command::new(env!("CARGO_BIN_EXE_ballast"))
        .args(["lab", scenario, "--seed", seed, "--minutes", "8"])
        .args(["--records", records.to_str().unwrap()])
        .args(more)
        .env_remove("AWS_ENDPOINT_URL")
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION")
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}\n{said}");
    let lines = std::fs::read_to_string(&records).unwrap();
    let records = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (shown, records.collect())
}

/// The cells of every row of the tables, in order.
fn rows(shown: &str) -> impl Iterator<Item = Vec<&str>> {
    shown
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}

/// The figures of both chapters in a row: Ballast's and managed scaling's.
fn figures(shown: &str, row: &str) -> Vec<(u64, u64)> {
    let number = |cell: &str| cell.replace('.', "").parse::<u64>().unwrap();
    let found: Vec<(u64, u64)> = rows(shown)
        .filter(|cells| cells.first().is_some_and(|it| it.contains(row)))
        .map(|cells| match cells.as_slice() {
            [_, with, managed] => (number(with), number(managed)),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(found.len(), 2, "`{row}` in\n{shown}");
    found
}

/// The workshop's two tables at each milestone: tasks by provider, and each provider's instances by their running tasks.
fn workshop_tables(shown: &str) -> String {
    let mut text = String::new();
    for line in shown.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        match cells.as_slice() {
            [line] if line.starts_with("With ") => {
                let (title, _) = line.split_once(',').unwrap();
                write!(text, "\n{title}:").unwrap();
            }
            [
                "service:ecsdemo-capacityproviders-ec2",
                provider,
                running,
                "0",
                "0",
            ] => {
                write!(text, " {provider} {running} tasks;").unwrap();
            }
            [provider, instance, running, "ACTIVE"] if instance.starts_with("i-") => {
                write!(text, " {provider} {running}").unwrap();
            }
            _ => {}
        }
    }
    text.push('\n');
    text
}

/// Every write, without the ids of instances.
fn writes(records: &[Value]) -> String {
    let mut text = String::new();
    for record in records {
        let at = record.pointer("/snapshot/taken_at").and_then(Value::as_str);
        let steps = record.pointer("/plan/steps").and_then(Value::as_array);
        for step in steps.unwrap() {
            let action = step.get("action").unwrap();
            let provider = step.get("provider").and_then(Value::as_str).unwrap();
            let kind = action.get("action").and_then(Value::as_str).unwrap();
            let number = |name: &str| action.get(name).map_or_else(String::new, Value::to_string);
            let (from, to) = (number("from"), number("to"));
            let minute = at.unwrap().get(11..16).unwrap();
            writeln!(text, "{minute} {provider} {kind} {from} {to}").unwrap();
        }
    }
    text
}

fn check(found: &str, want: Expect) {
    let lines: Vec<&str> = found.lines().map(str::trim_end).collect();
    want.assert_eq(&format!("{}\n", lines.join("\n")));
}

#[test]
fn the_workshops_tables_come_out_and_beside_them_managed_scaling() {
    let (shown, records) = play("workshop-ec2", "1", &[]);
    check(
        &workshop_tables(&shown),
        expect![[r#"

        With one task: EC2 1 tasks; EC2 0 EC2 1
        With 10 tasks: EC2 10 tasks; EC2 1 EC2 3 EC2 0 EC2 3 EC2 3
        With one task again: EC2 1 tasks; EC2 0 EC2 1
        With one task: EC2 1 tasks; EC2 0 EC2 1 EC2Spot 0 EC2Spot 0
        With 40 tasks: EC2 9 tasks; EC2Spot 31 tasks; EC2 3 EC2 0 EC2 3 EC2 3 EC2Spot 0 EC2Spot 8 EC2Spot 7 EC2Spot 8 EC2Spot 8
        With one task again: EC2 1 tasks; EC2 0 EC2 1 EC2Spot 0 EC2Spot 0
    "#]],
    );
    check(
        &writes(&records),
        expect![[r#"
        09:12 container-demo/EC2 set_desired_capacity 2 5
        09:25 container-demo/EC2 drain
        09:25 container-demo/EC2 terminate
        09:25 container-demo/EC2 drain
        09:25 container-demo/EC2 terminate
        09:25 container-demo/EC2 drain
        09:25 container-demo/EC2 terminate
        09:12 container-demo/EC2Spot set_desired_capacity 2 5
        09:12 container-demo/EC2 set_desired_capacity 2 4
        09:25 container-demo/EC2 drain
        09:25 container-demo/EC2Spot drain
        09:25 container-demo/EC2 terminate
        09:25 container-demo/EC2Spot terminate
        09:25 container-demo/EC2 drain
        09:25 container-demo/EC2Spot drain
        09:25 container-demo/EC2 terminate
        09:25 container-demo/EC2Spot terminate
        09:25 container-demo/EC2Spot drain
        09:25 container-demo/EC2Spot terminate
    "#]],
    );
    for record in &records {
        assert_eq!(record.pointer("/failures/0"), None, "{record}");
        assert_eq!(record.get("function").unwrap(), "cluster-scaler");
    }
    // The last task runs as soon as instances boot, and not after a minute of a metric.
    for (with, managed) in figures(&shown, "seconds until the last of") {
        assert!(with + 60 <= managed, "{with} s and {managed} s\n{shown}");
    }
    for (with, managed) in figures(&shown, "tasks below desired") {
        assert!(with < managed, "{with} and {managed}\n{shown}");
    }
    for (with, managed) in figures(&shown, "seconds until scaled back") {
        assert!((300..420).contains(&with), "{with} s\n{shown}");
        assert!(managed >= 900, "{managed} s\n{shown}");
    }
    assert_eq!(
        figures(&shown, "instances, at most"),
        [(5, 5), (9, 9)],
        "{shown}"
    );
    let launched = figures(&shown, "instances launched");
    assert_eq!(
        launched.iter().map(|it| it.0).collect::<Vec<_>>(),
        [3, 5],
        "{shown}"
    );

    let (same, _) = play("workshop-ec2", "1", &["--mode", "act"]);
    assert_eq!(shown, same);
}

#[test]
fn in_mode_observe_nothing_is_written_and_tasks_wait() {
    let (shown, records) = play("workshop-ec2", "2", &["--mode", "observe"]);
    let results = records
        .iter()
        .filter_map(|record| record.get("outcomes")?.as_array())
        .flatten();
    let mut count = 0;
    for outcome in results {
        assert_eq!(outcome.get("result").unwrap(), "not_written");
        count += 1;
    }
    assert!(count > 0, "it planned");
    let waits = |line: &&str| line.contains("until the last of") && line.contains("| -       |");
    assert_eq!(shown.lines().filter(waits).count(), 2, "{shown}");
    assert!(shown.ends_with("The mode was observe: nothing was written.\n"));
}

/// Spot has no instances: the plan says so, spot-fallback raises the standby, and cluster-scaler the on-demand group for it, each in its
/// next look.
#[test]
fn on_ec2_a_standby_is_lent_and_its_instances_are_bought() {
    let (shown, records) = play("ec2-drought", "1", &[]);
    let of = |record: &Value| {
        let at = record.pointer("/snapshot/taken_at").and_then(Value::as_str);
        let function = record.get("function").and_then(Value::as_str).unwrap();
        (at.unwrap_or_default().to_owned(), function.to_owned())
    };
    let holds = |record: &&Value| {
        record
            .pointer("/plan/holds_by_reason/no_pool_left")
            .is_some()
    };
    assert!(records.iter().any(|it| holds(&it)), "{shown}");
    let step = |function: &str, reason: &str, subject: &str| {
        let found = records.iter().find(|record| {
            let steps = record.pointer("/plan/steps").and_then(Value::as_array);
            let mut texts = steps.into_iter().flatten().filter_map(|it| it.get("text"));
            let begins = format!("step `container-demo/{subject}` {reason}:");
            of(record).1 == function
                && texts.any(|it| it.as_str().is_some_and(|it| it.starts_with(&begins)))
        });
        let found = found.unwrap_or_else(|| panic!("no {reason} of {subject} in\n{shown}"));
        of(found).0.parse::<model::Timestamp>().unwrap()
    };
    let lent = step("spot-fallback", "cover", "web");
    let bought = step("cluster-scaler", "scale_out", "EC2");
    let took = bought.duration_since(lent).as_secs();
    assert!((0..=60).contains(&took), "{took} s\n{shown}");
    let row = |name: &str| {
        let row = rows(&shown).find(|cells| cells.first().is_some_and(|it| it.contains(name)));
        let row = row.unwrap_or_else(|| panic!("no `{name}` in\n{shown}"));
        row.get(1..)
            .unwrap()
            .iter()
            .map(|it| it.parse::<u64>().ok())
            .collect::<Vec<_>>()
    };
    let below = row("tasks below desired");
    assert!(below.first() < below.get(1), "{below:?}\n{shown}");
    // The instances drain from the warning on: the standby serves before they end.
    assert_eq!(
        row("lowest running tasks").first(),
        Some(&Some(20)),
        "{shown}"
    );
    assert!(
        row("seconds from a warning to cover")
            .first()
            .unwrap()
            .is_some()
    );
    assert_eq!(row("tasks that Spot took"), [Some(15), Some(15)], "{shown}");
}
