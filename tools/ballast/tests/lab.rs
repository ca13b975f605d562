//! The lab, from end to end: the real binaries, through the command line, over loopback.
//!
//! The functions' binaries are built by `cargo test --workspace` or `make build`, and are found beside `ballast`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// `ballast` with these arguments, without anything of this process's environment that could change what it does.
fn ballast(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ballast"))
        .args(arguments)
        .env_remove("AWS_ENDPOINT_URL")
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A file of this test's own.
fn own_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Plays a scenario to its good end; returns what it printed and its decision records.
fn play(scenario: &str, seed: &str, more: &[&str]) -> (String, Vec<Value>) {
    let (shown, lines) = play_lines(scenario, seed, more);
    let records = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (shown, records)
}

/// The same, with the records as they were written.
fn play_lines(scenario: &str, seed: &str, more: &[&str]) -> (String, String) {
    let records = own_file(&format!("{scenario}-{seed}-{}.jsonl", more.join("")));
    let mut arguments = vec!["lab", scenario, "--seed", seed, "--minutes", "8"];
    arguments.extend(["--records", records.to_str().unwrap()]);
    arguments.extend(more);
    let output = ballast(&arguments);
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{shown}\n{said}");
    let lines = std::fs::read_to_string(&records).unwrap();
    (shown, lines)
}

/// The numbers of a row of the table of figures: with Ballast, and without.
fn figures(shown: &str, row: &str) -> (String, String) {
    let line = shown
        .lines()
        .find(|line| line.contains(row))
        .unwrap_or_else(|| panic!("no `{row}` in\n{shown}"));
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    match cells.as_slice() {
        [_, _, with, without, _] => ((*with).to_owned(), (*without).to_owned()),
        other => panic!("{other:?}"),
    }
}

/// The rows of the counted tables, in order: group, provider, running.
fn running(shown: &str, group: &str, provider: &str) -> Vec<String> {
    let rows = shown
        .lines()
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    rows.filter_map(|cells| match cells.as_slice() {
        [_, of, on, running, _, _, _] if *of == group && *on == provider => {
            Some((*running).to_owned())
        }
        _ => None,
    })
    .collect()
}

/// Every write of the standby's desired count, in order.
fn writes(records: &[Value]) -> Vec<(u64, u64)> {
    let steps = records
        .iter()
        .filter_map(|record| record.pointer("/plan/steps")?.as_array())
        .flatten();
    steps
        .map(|step| {
            let number = |name: &str| {
                step.pointer(&format!("/action/{name}"))
                    .and_then(Value::as_u64)
            };
            (number("from").unwrap(), number("to").unwrap())
        })
        .collect()
}

#[test]
fn the_workshop_never_falls_below_ten_and_the_standby_goes_back_to_0() {
    let (shown, records) = play("workshop", "1", &[]);
    assert_eq!(
        running(&shown, "service:web", "FARGATE"),
        ["3", "3", "3"],
        "before, during and after\n{shown}"
    );
    assert_eq!(
        running(&shown, "service:web", "FARGATE_SPOT"),
        ["7", "7"],
        "before and after\n{shown}"
    );
    assert_eq!(
        running(&shown, "service:web-standby", "FARGATE"),
        ["7"],
        "during\n{shown}"
    );
    assert_eq!(
        figures(&shown, "lowest running tasks"),
        ("10".to_owned(), "3".to_owned())
    );
    assert_eq!(figures(&shown, "tasks below desired").0, "0");
    assert_ne!(figures(&shown, "tasks below desired").1, "0");
    assert_eq!(
        figures(&shown, "tasks that Spot took"),
        ("7".to_owned(), "7".to_owned())
    );
    assert_eq!(writes(&records), [(0, 7), (7, 0)]);
    // The seven interruptions came through the rules and the queue.
    let interrupted: u64 = records
        .iter()
        .filter_map(|record| record.pointer("/triggers/kinds/task_interrupted")?.as_u64())
        .sum();
    assert!(
        interrupted >= 7,
        "{interrupted} interruptions reached the function"
    );
    // And the reader sees them do so.
    let warned = |line: &&str| {
        line.split_once("  ")
            .is_some_and(|(_, why)| why.starts_with("7 interrupted"))
    };
    assert!(shown.lines().any(|line| warned(&line)), "{shown}");
    let mut titles_since_tables = 0;
    for line in shown.lines() {
        match line {
            "Services" => titles_since_tables = 0,
            "What happened, and the decisions" => titles_since_tables += 1,
            _ => {}
        }
        assert!(titles_since_tables <= 1, "a title without a table\n{shown}");
    }
}

/// Throttled calls leave gaps, and a look with a gap ends in an error. Two seeds, so that one that is spared is no harm.
#[test]
fn a_throttled_api_fails_invocations_whose_records_are_kept() {
    let mut failed_records = 0;
    for seed in ["3", "5"] {
        let (shown, lines) = play_lines("throttled", seed, &[]);
        assert_eq!(figures(&shown, "lowest running tasks").0, "10", "{shown}");
        let records: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let counts = shown
            .lines()
            .find(|line| line.contains(" invocations, "))
            .unwrap();
        let number = |before: &str| {
            let (text, _) = counts.split_once(before).unwrap();
            text.rsplit(' ').next().unwrap().parse::<usize>().unwrap()
        };
        let failed: Vec<&Value> = records
            .iter()
            .filter(|it| it.pointer("/failures/0").is_some())
            .collect();
        assert_eq!(
            (records.len(), failed.len()),
            (number(" invocations"), number(" with failures")),
            "{counts}"
        );
        assert!(number(" ended in an error") <= failed.len(), "{counts}");
        for record in failed {
            let kind = record.pointer("/failures/0/type").and_then(Value::as_str);
            let gaps = record.pointer("/gaps").and_then(Value::as_array).unwrap();
            let results = record.pointer("/outcomes_by_result").unwrap();
            let is_named = match kind.unwrap() {
                "LookIncomplete" => {
                    gaps.iter().all(|gap| {
                        ["operation", "resource", "cause"]
                            .iter()
                            .all(|it| gap.get(it).is_some())
                    }) && !gaps.is_empty()
                }
                "StepFailed" => results.get("failed").is_some(),
                "OutOfTime" => results.get("out_of_time").is_some(),
                other => panic!("{other}: {record}"),
            };
            assert!(is_named, "{record}");
            // The story has the failure, and why the function looked.
            let message = record
                .pointer("/failures/0/message")
                .and_then(Value::as_str);
            let line = format!("failure {}: {}", kind.unwrap(), message.unwrap());
            assert!(shown.contains(&line), "no `{line}` in\n{shown}");
            failed_records += 1;
        }
    }
    assert!(failed_records > 0, "no invocation failed");
}

#[test]
fn a_record_is_the_functions_own_line() {
    let (_, lines) = play_lines("workshop", "2", &[]);
    for line in lines.lines() {
        // The function's order of fields, not that of a map.
        let record: control::Record = serde_json::from_str(line).unwrap();
        assert_eq!(line, serde_json::to_string(&record).unwrap());
        assert!(
            line.starts_with(r#"{"record":"ballast.decision""#),
            "{line}"
        );
    }
}

#[test]
fn the_same_seed_tells_the_same_story_and_another_seed_another() {
    let (one, _) = play("workshop", "7", &[]);
    let (same, _) = play("workshop", "7", &["--mode", "act"]);
    let (other, _) = play("workshop", "8", &[]);
    assert_eq!(one, same);
    assert_ne!(one, other);
}

#[test]
fn neither_a_flapping_market_nor_lost_events_bring_it_below_ten() {
    for scenario in ["drought-flap", "lossy"] {
        let (shown, _) = play(scenario, "3", &[]);
        assert_eq!(
            figures(&shown, "lowest running tasks").0,
            "10",
            "{scenario}\n{shown}"
        );
    }
}

#[test]
fn in_mode_observe_nothing_is_written_and_the_service_suffers() {
    let (shown, records) = play("workshop", "1", &["--mode", "observe"]);
    let (with, without) = figures(&shown, "tasks below desired");
    assert_eq!(
        (
            with.as_str(),
            figures(&shown, "lowest running tasks").0.as_str()
        ),
        (without.as_str(), "3")
    );
    assert!(!writes(&records).is_empty(), "it planned");
    let results = records
        .iter()
        .filter_map(|record| record.get("outcomes")?.as_array())
        .flatten();
    for outcome in results {
        assert_eq!(outcome.get("result").unwrap(), "not_written");
    }
    assert!(running(&shown, "service:web-standby", "FARGATE").is_empty());
    let told = shown
        .lines()
        .filter(|line| line.contains("not written: the mode is") && line.contains("  schedule  "));
    assert_eq!(told.count(), 1, "equal plans are told once\n{shown}");
}

#[test]
fn without_the_functions_binaries_it_says_how_to_build_them() {
    let folder = own_file("no-binaries");
    std::fs::create_dir_all(&folder).unwrap();
    let output = ballast(&["lab", "--binaries", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("cargo build --workspace --bins") && said.contains("spot-fallback"),
        "{said}"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn a_function_that_does_not_start_is_shown_with_its_last_words() {
    let folder = own_file("broken-binaries");
    std::fs::create_dir_all(&folder).unwrap();
    let script = folder.join("spot-fallback");
    std::fs::write(&script, "#!/bin/sh\necho 'the disk is full' >&2\nexit 3\n").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let output = ballast(&["lab", "--binaries", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("did not start") && said.contains("the disk is full"),
        "{said}"
    );
}
