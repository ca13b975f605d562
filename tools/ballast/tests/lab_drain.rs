//! The lab's instances that go away, from end to end: the real functions, through the command line, over loopback.
//!
//! The functions' binaries are built by `cargo test --workspace` or `make build`, and are found beside `ballast`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use expect_test::{Expect, expect};
use serde_json::Value;

fn ballast(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ballast"))
        .arg("lab")
        .args(arguments)
        .env_remove("AWS_ENDPOINT_URL")
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION")
        .output()
        .unwrap()
}

/// Plays the scenario to its good end; returns what it printed and its decision records.
fn play(scenario: &str, more: &[&str]) -> (String, Vec<Value>) {
    let name = format!("{scenario}-{}.jsonl", more.join(""));
    let records = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut arguments = vec![scenario, "--records", records.to_str().unwrap()];
    arguments.extend(more);
    let output = ballast(&arguments);
    let shown = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}\n{said}");
    let lines = std::fs::read_to_string(&records).unwrap();
    let records = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (shown, records.collect())
}

/// The same scenario twice, side by side: what one comes to, the other must.
fn play_twice(scenario: &str, more: &[&str]) -> (String, Vec<Value>) {
    let again: Vec<&str> = more.iter().copied().chain(["--mode", "act"]).collect();
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| play(scenario, &again));
        (play(scenario, more), second.join().unwrap())
    });
    assert_eq!(first.0, second.0);
    first
}

/// A row of every table that has it, in order, without its first cell.
fn rows<'a>(shown: &'a str, row: &str) -> Vec<Vec<&'a str>> {
    let cells = shown
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim));
    let found: Vec<Vec<&str>> = cells
        .filter_map(|mut cells| cells.next()?.contains(row).then(|| cells.collect()))
        .collect();
    assert!(!found.is_empty(), "no `{row}` in\n{shown}");
    found
}

/// The numbers of a row: Ballast's, ECS's own and nobody's, chapter by chapter. `None` for what did not come.
fn milestones(shown: &str, row: &str) -> Vec<[Option<u64>; 3]> {
    let numbers = |cells: Vec<&str>| {
        let numbers: Vec<Option<u64>> = cells.iter().map(|it| it.parse().ok()).collect();
        <[Option<u64>; 3]>::try_from(numbers).unwrap_or_else(|_| panic!("{cells:?}"))
    };
    rows(shown, row).into_iter().map(numbers).collect()
}

/// Every step, in order: the function, the reason, and what it is about, without the ids of instances.
fn steps(records: &[Value]) -> String {
    let mut text = String::new();
    for record in records {
        let function = record.get("function").and_then(Value::as_str).unwrap();
        let steps = record.pointer("/plan/steps").and_then(Value::as_array);
        for step in steps.into_iter().flatten() {
            let told = step.get("text").and_then(Value::as_str).unwrap();
            let (about, rest) = told.split_once(": ").unwrap();
            let (action, _) = rest.split_once(", because").unwrap();
            let line = format!("{function}: {about}: {action}");
            let line: Vec<&str> = line
                .split('`')
                .map(|it| if it.starts_with("i-") { "i-..." } else { it })
                .collect();
            writeln!(text, "{}", line.join("`")).unwrap();
        }
    }
    text
}

fn no_failures(records: &[Value]) {
    for record in records {
        assert_eq!(record.pointer("/failures/0"), None, "{record}");
    }
}

fn check(found: &str, want: Expect) {
    want.assert_eq(found);
}

/// When each milestone came, chapter by chapter.
#[track_caller]
fn came_in_time(shown: &str) {
    let within = |row: &str, chapter: usize, least: u64, most: u64| {
        let found = milestones(shown, row);
        let [ballast, ..] = *found.get(chapter).unwrap();
        let secs = ballast.unwrap_or_else(|| panic!("`{row}` did not come in\n{shown}"));
        assert!((least..=most).contains(&secs), "{row}: {secs} s\n{shown}");
    };
    for chapter in 0..4 {
        within("the instance is DRAINING", chapter, 0, 5);
    }
    // Headroom and 50 %: three targets drain and three replacements are placed at once, RUNNING after some 13 s, healthy after two
    // checks, the old targets gone after 90 s, steady before the instance goes.
    within("its first target drains", 0, 1, 6);
    within("3 replacements are started", 0, 1, 6);
    within("9 tasks are RUNNING elsewhere", 0, 8, 22);
    within("9 tasks are in service elsewhere", 0, 65, 85);
    within("the old targets are gone", 0, 90, 97);
    within("the service says it is steady", 0, 90, 119);
    // 100 %: the old targets drain only when their replacements are healthy, and longer than the notice.
    within("3 replacements are started", 1, 1, 6);
    within("its first target drains", 1, 60, 90);
    within("the old targets are gone", 1, 120, 121);
    // No headroom: nothing is placed until an on-demand instance is there.
    within("3 replacements are started", 2, 30, 119);
    within("9 tasks are in service elsewhere", 2, 90, 240);
    // Spot has instances: the room is bought, and the replacements run, before the instance goes.
    within("a group is asked for an instance more", 3, 3, 10);
    within("a new instance registers", 3, 30, 110);
    within("9 tasks are RUNNING elsewhere", 3, 40, 119);
    within("the instance goes", 3, 120, 121);
    within("9 tasks are in service elsewhere", 3, 90, 180);
}

/// What was missing, and what the instance took with it, chapter by chapter.
#[track_caller]
fn lost_no_more(shown: &str) {
    let all = |row| milestones(shown, row);
    let [n0, n3, n6, n9] = [Some(0), Some(3), Some(6), Some(9)];
    assert_eq!(
        all("lowest number of tasks in service"),
        [[n6, n6, n6], [n9, n9, n6], [n6, n6, n6], [n6, n6, n6]],
        "{shown}"
    );
    assert_eq!(
        all("cut off while they served"),
        [[n0, n0, n3], [n0, n0, n3], [n3, n3, n3], [n3, n3, n3]],
        "{shown}"
    );
    assert_eq!(
        all("cut off on their way out"),
        [[n0, n0, n0], [n3, n3, n0], [n0, n0, n0], [n0, n0, n0]],
        "{shown}"
    );
    for [below, managed, _] in all("tasks below desired").into_iter().skip(2) {
        assert!(below < managed, "{shown}");
    }
    // What was bought beside the group's own replacement goes again.
    assert!(
        shown.contains("The group was back at its 3 instances"),
        "{shown}"
    );
}

#[test]
fn the_workshops_milestones_come_with_headroom_and_without() {
    let (shown, records) = play_twice("workshop-interruption", &["--minutes", "5"]);
    no_failures(&records);
    came_in_time(&shown);
    lost_no_more(&shown);
    let predicted: Vec<&str> = shown
        .lines()
        .filter_map(|line| {
            line.strip_prefix("The record predicted, when it set the instance to DRAINING: ")
        })
        .collect();
    check(
        &format!("{}\n", predicted.join("\n")),
        expect![[r#"
            nothing that ECS would not move in time.
            nothing that ECS would not move in time.
            3 tasks of `service/web`: their replacements must run first, and there is room for 0.
            3 tasks of `service/web`: their replacements must run first, and there is room for 0.
        "#]],
    );
    check(
        &steps(&records),
        expect![[r#"
            instance-drain: step `group EC2Spot` `i-...` leaving: set `i-...` to DRAINING
            instance-drain: step `group EC2Spot` `i-...` leaving: set `i-...` to DRAINING
            instance-drain: step `group EC2Spot` `i-...` leaving: set `i-...` to DRAINING
            cluster-scaler: step `container-demo/EC2Spot` scale_out: set the desired capacity of `EC2Spot` from 3 to 4
            spot-fallback: step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 3
            cluster-scaler: step `container-demo/EC2` scale_out: set the desired capacity of `EC2` from 0 to 1
            cluster-scaler: step `container-demo/EC2Spot` `i-...` scale_in: set `i-...` with its 3 tasks to DRAINING
            cluster-scaler: step `container-demo/EC2Spot` `i-...` drained: terminate `i-...` and lower the desired capacity of `EC2Spot` by it
            instance-drain: step `group EC2Spot` `i-...` hook `ballast-instance-drain` drained: let `i-...` go on from the hook `ballast-instance-drain` (CONTINUE)
            spot-fallback: step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 3 to 0
            cluster-scaler: step `container-demo/EC2` `i-...` scale_in: set `i-...`, which is empty, to DRAINING
            cluster-scaler: step `container-demo/EC2` `i-...` drained: terminate `i-...` and lower the desired capacity of `EC2` by it
            instance-drain: step `group EC2` `i-...` hook `ballast-instance-drain` drained: let `i-...` go on from the hook `ballast-instance-drain` (CONTINUE)
            instance-drain: step `group EC2Spot` `i-...` leaving: set `i-...` to DRAINING
            cluster-scaler: step `container-demo/EC2Spot` scale_out: set the desired capacity of `EC2Spot` from 3 to 4
            cluster-scaler: step `container-demo/EC2Spot` `i-...` scale_in: set `i-...` with its 3 tasks to DRAINING
            cluster-scaler: step `container-demo/EC2Spot` `i-...` drained: terminate `i-...` and lower the desired capacity of `EC2Spot` by it
            instance-drain: step `group EC2Spot` `i-...` hook `ballast-instance-drain` drained: let `i-...` go on from the hook `ballast-instance-drain` (CONTINUE)
        "#]],
    );
}

#[test]
fn in_mode_observe_nothing_is_drained() {
    let more = ["--minutes", "5", "--mode", "observe"];
    let (shown, records) = play("workshop-interruption", &more);
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
    for [ballast, _, _] in milestones(&shown, "the instance is DRAINING") {
        assert_eq!(ballast, None, "{shown}");
    }
    for [ballast, _, nobody] in milestones(&shown, "cut off while they served") {
        assert_eq!((ballast, nobody), (Some(3), Some(3)), "{shown}");
    }
    assert!(shown.ends_with("The mode was observe: nothing was written.\n"));
}

/// A storm small enough for a test.
const SMALL: [&str; 6] = ["--instances", "60", "--warned", "20", "--terminated", "6"];

#[test]
fn in_a_storm_every_warned_instance_is_drained_and_every_action_completed() {
    let (shown, records) = play_twice("interruption-storm", &SMALL);
    no_failures(&records);
    let all = |row| rows(&shown, row);
    assert_eq!(
        all("before they were DRAINING"),
        [["0 of 20", "20 of 20"]],
        "{shown}"
    );
    assert_eq!(
        all("instances that went with tasks on them"),
        [["0 of 26", "26 of 26"]],
        "{shown}"
    );
    assert_eq!(
        all("lifecycle actions completed")[0][0],
        "6 of 6",
        "{shown}"
    );
    assert_eq!(all("tasks below desired")[0][0], "0", "{shown}");
    let ages = all("event age at action")[0][0];
    let longest = ages.rsplit(" / ").next().unwrap();
    assert!(longest.parse::<f64>().unwrap() < 30.0, "{ages}");
    // All at once, in one look and in batches of ten.
    let drains = |record: &Value| {
        let reasons = record.pointer("/plan/steps_by_reason/leaving")?;
        reasons.as_u64()
    };
    let drains: Vec<u64> = records.iter().filter_map(drains).collect();
    assert!(drains.iter().sum::<u64>() >= 26, "{drains:?}\n{shown}");
    assert!(drains.len() <= 4, "{drains:?}\n{shown}");
}

#[test]
fn a_storm_whose_warnings_are_lost_or_late_ends_without_an_error() {
    let mut more = SMALL.to_vec();
    more.extend(["--lost-per-mille", "300", "--late-per-mille", "400"]);
    let (shown, records) = play("interruption-storm", &more);
    no_failures(&records);
    let too_late = rows(&shown, "before they were DRAINING")[0][0];
    let (too_late, _) = too_late.split_once(" of ").unwrap();
    let too_late = too_late.parse::<u32>().unwrap();
    assert!((1..20).contains(&too_late), "{shown}");
    let named = shown
        .lines()
        .filter(|it| it.contains(": never DRAINING, went at "));
    assert_eq!(named.count(), usize::try_from(too_late).unwrap(), "{shown}");
    let counts = shown.lines().find(|it| it.contains("dead-letter queue"));
    assert!(
        counts
            .unwrap()
            .ends_with("0 messages in the dead-letter queue"),
        "{shown}"
    );
}

#[test]
fn a_storm_cannot_warn_more_instances_than_there_are() {
    let output = ballast(&["interruption-storm", "--instances", "5", "--warned", "6"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("`--warned 6` is more than `--instances 5`"),
        "{said}"
    );
}
