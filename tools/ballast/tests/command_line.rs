//! The command line from outside: exit codes, and what goes to which stream.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::{Command, Output};

use expect_test::{Expect, expect};

fn ballast(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ballast"))
        .args(arguments)
        .env_remove("AWS_ENDPOINT_URL")
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION")
        .output()
        .unwrap()
}

/// Runs it, and shows its exit code and both streams.
fn check(arguments: &[&str], want: Expect) {
    let output = ballast(arguments);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code().unwrap();
    want.assert_eq(&format!(
        "exit {code}\n{}{}",
        text(&output.stdout),
        text(&output.stderr)
    ));
}

#[test]
fn a_split_as_a_table_and_as_json() {
    check(
        &["split", "FARGATE=1/1", "FARGATE_SPOT=0/4", "--tasks", "10"],
        expect![[r#"
            exit 0
            10 tasks
            +------------------+------+--------+-------+
            | CapacityProvider | Base | Weight | Tasks |
            +==========================================+
            | FARGATE          | 1    | 1      | 3     |
            | FARGATE_SPOT     | 0    | 4      | 7     |
            +------------------+------+--------+-------+
        "#]],
    );
    check(
        &[
            "split",
            "EC2=1/1",
            "EC2Spot=0/4",
            "--tasks",
            "40",
            "--output",
            "json",
        ],
        expect![[r#"
            exit 0
            {
              "tasks": 40,
              "strategy": [
                {
                  "provider": "EC2",
                  "base": 1,
                  "weight": 1,
                  "tasks": 9
                },
                {
                  "provider": "EC2Spot",
                  "base": 0,
                  "weight": 4,
                  "tasks": 31
                }
              ]
            }
        "#]],
    );
}

#[test]
fn an_invalid_strategy_exits_with_2_and_names_every_broken_rule() {
    check(
        &["split", "FARGATE=1/0", "EC2=2/0", "--tasks", "10"],
        expect![[r#"
            exit 2
            ballast: the strategy breaks 3 of ECS's rules
            ballast: `FARGATE`, `EC2` have a base: at most one capacity provider may have one above 0
            ballast: no capacity provider has a weight above 0: give at least one a weight (without one, the API takes 0)
            ballast: `FARGATE` (Fargate) and `EC2` (other) cannot be in one strategy: it takes capacity providers of one family
        "#]],
    );
}

#[test]
fn a_good_event_is_shown_although_another_file_is_missing() {
    let event = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../events/aws.ecs--ecs-task-state-change--spot-interruption.json"
    );
    let output = ballast(&["replay", event, "no-such-file.json"]);
    assert_eq!(output.status.code(), Some(2));
    let shown = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(shown.contains("task_interrupted"), "{shown}");
    assert!(
        said.contains("1 of 2 event files") && said.contains("no-such-file.json"),
        "{said}"
    );
}

#[test]
fn what_nobody_answers_is_an_error_of_one_line() {
    // Port 9 of loopback discards, where anything listens at all.
    let output = Command::new(env!("CARGO_BIN_EXE_ballast"))
        .args([
            "status",
            "--cluster",
            "container-demo",
            "--endpoint-url",
            "http://127.0.0.1:9",
        ])
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION")
        .env("AWS_ACCESS_KEY_ID", "none")
        .env("AWS_SECRET_ACCESS_KEY", "none")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("ecs:DescribeClusters") && said.contains("container-demo"),
        "{said}"
    );
}

#[test]
fn without_a_region_aws_cannot_be_asked() {
    for arguments in [
        &["status", "--cluster", "container-demo"][..],
        &[
            "replay",
            "--plan",
            concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../events/aws.events--scheduled-event--bare.json"
            ),
        ],
    ] {
        check(
            arguments,
            expect![[r#"
                exit 2
                ballast: no Region: set `AWS_REGION` or `AWS_DEFAULT_REGION`, or give `--region`
            "#]],
        );
    }
}

#[test]
fn without_credentials_a_lab_says_that_any_will_do() {
    for (url, is_lab) in [
        ("http://127.0.0.1:9", true),
        ("https://ecs.us-west-2.example.com", false),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_ballast"))
            .args(["status", "--cluster", "container-demo"])
            .args(["--endpoint-url", url])
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("ballast: no AWS credentials"), "{said}");
        let any = "any values do: `AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x`";
        assert_eq!(said.contains(any), is_lab, "{said}");
    }
}

#[test]
fn a_batch_with_one_bad_message_counts_as_one_file() {
    let batch = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../events/aws.sqs--batch--mixed.json"
    );
    let output = ballast(&["replay", batch]);
    assert_eq!(output.status.code(), Some(2));
    let shown = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(shown.contains("task_interrupted"), "{shown}");
    let mut lines = said.lines();
    assert_eq!(
        lines.next(),
        Some("ballast: 1 of 1 event files cannot be used in full")
    );
    let faults: Vec<&str> = lines.collect();
    assert_eq!(faults.len(), 2, "{said}");
    for fault in faults {
        let (_, about) = fault.split_once(".json: ").unwrap();
        assert!(about.starts_with("message "), "{fault}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_is_no_success() {
    for arguments in [
        &["--version"][..],
        &["--help"],
        &["split", "FARGATE=0/1", "--tasks", "1"],
    ] {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let status = Command::new(env!("CARGO_BIN_EXE_ballast"))
            .args(arguments)
            .stdout(full)
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(1), "{arguments:?}");
    }
}
