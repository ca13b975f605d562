//! Rules of the repository that are tests, so that nobody has to remember them: the documents say what the code says, and nothing
//! grows beyond its size.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use model::capacity::policy::{GROUP_TAGS, SERVICE_TAGS};
use model::capacity::{CapacityHoldReason, CapacityStepReason, PROVIDER_METRICS};
use model::plan::HoldReason;
use model::policy::TAGS;
use model::settings::Setting;
use placement::capacity::pools::LaunchCause;

/// The most lines of a Rust file.
const FILE_LINES_MAX: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("`{path}`: {error}"))
}

/// The text files of the repository, without what is built, installed or hidden.
fn files(endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "__pycache__" {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty());
    found.sort();
    found
}

/// The rows of the Markdown tables of a document, cell by cell; an escaped bar does not end a cell.
fn rows(document: &str) -> Vec<Vec<String>> {
    document
        .lines()
        .filter(|line| line.starts_with('|') && !line.starts_with("|---"))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

/// A part of a document: from the heading of this text to the next one of its level.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let marks = heading.split(' ').next().unwrap();
    let (_, rest) = document
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("there is no heading `{heading}`"));
    rest.split(&format!("\n{marks} ")).next().unwrap()
}

fn documented(document: &str, settings: &[&Setting], prefix: &str) {
    let rows = rows(document);
    for setting in settings {
        let want = [
            format!("`{}`", setting.name),
            setting.allowed.to_owned(),
            setting.default.to_owned(),
            setting.meaning.to_owned(),
        ];
        assert!(
            rows.iter().any(|row| row.as_slice() == want),
            "`docs/configuration.md` lacks the row | {} |",
            want.join(" | ")
        );
    }
    let known: BTreeSet<String> = settings.iter().map(|it| format!("`{}`", it.name)).collect();
    for row in &rows {
        if row[0].starts_with(prefix) {
            assert!(
                known.contains(&row[0]),
                "{} is documented and not known",
                row[0]
            );
        }
    }
}

#[test]
fn every_setting_is_documented_as_it_is() {
    let document = read("docs/configuration.md");
    let of_services: Vec<&Setting> = TAGS.into_iter().chain(SERVICE_TAGS).collect();
    let services = section(&document, "## Tags of services");
    documented(services, &of_services, "`ballast:");
    let groups = section(&document, "## Tags of Auto Scaling groups");
    documented(groups, &GROUP_TAGS, "`ballast:");
    documented(&document, &bootstrap::SETTINGS, "`BALLAST_");
}

#[test]
fn every_metric_is_documented_as_it_is() {
    let rows = rows(&read("docs/configuration.md"));
    for metric in bootstrap::METRICS {
        let dimension = metric
            .dimension
            .map_or(String::new(), |it| format!("`{it}`"));
        let want = [
            format!("`{}`", metric.name),
            dimension,
            metric.meaning.to_owned(),
        ];
        assert!(
            rows.iter().any(|row| row.as_slice() == want),
            "{want:?} is not documented"
        );
    }
    for metric in PROVIDER_METRICS {
        let want = [
            format!("`{}`", metric.name),
            metric.unit.as_str().to_owned(),
            metric.meaning.to_owned(),
        ];
        assert!(
            rows.iter().any(|row| row.as_slice() == want),
            "{want:?} is not documented"
        );
    }
    let bound = format!("at most {} providers", bootstrap::SUBJECTS_MEASURED_MAX);
    assert!(read("docs/configuration.md").contains(&bound), "{bound}");
}

/// Each of `names` begins a row of a table of the runbook.
fn in_the_runbook<'a>(names: impl IntoIterator<Item = &'a str>, what: &str) {
    begin_rows(&read("docs/runbook.md"), names, what);
}

/// Each of `names` begins a row of a table of the runbook's part of this heading.
fn in_the_part<'a>(heading: &str, names: impl IntoIterator<Item = &'a str>, what: &str) {
    let runbook = read("docs/runbook.md");
    begin_rows(section(&runbook, heading), names, what);
}

fn begin_rows<'a>(document: &str, names: impl IntoIterator<Item = &'a str>, what: &str) {
    let rows = rows(document);
    for name in names {
        let cell = format!("`{name}`");
        let count = rows.iter().filter(|row| row[0] == cell).count();
        assert!(count >= 1, "{what} {cell} has no row in the runbook");
    }
}

#[test]
fn everything_that_a_record_can_say_is_in_the_runbook() {
    in_the_runbook(HoldReason::NAMES, "the hold");
    in_the_runbook(control::Failure::NAMES, "the error type");
    in_the_runbook(["cover", "give_back"], "the step");
    in_the_runbook(
        [
            "spot_shortage",
            "deadline_near",
            "spot_instances_short",
            "spot_instances_draining",
            "spot_took_tasks",
            "overdue",
            "persisted",
        ],
        "the evidence",
    );
    in_the_runbook(
        [
            "done",
            "already_so",
            "not_written",
            "precondition_failed",
            "refused",
            "failed",
            "out_of_time",
        ],
        "the outcome",
    );
    in_the_runbook(
        [
            "access_denied",
            "throttled",
            "not_found",
            "budget_spent",
            "out_of_time",
            "unreachable",
            "other",
        ],
        "the gap's cause",
    );
    in_the_runbook(
        [
            "not_ours",
            "task_not_stopping",
            "service_event_without_meaning",
            "test_notification",
            "other_account",
            "other_region",
            "other_cluster",
            "standalone_task",
            "other_function",
        ],
        "the ignored event's reason",
    );
    let runbook = read("docs/runbook.md");
    let laws = section(&runbook, "## The audit's laws");
    for law in placement::audit::LAWS
        .iter()
        .chain(&placement::capacity::audit::LAWS)
    {
        assert!(
            laws.contains(&format!("`{law}`")),
            "the law `{law}` is not in the runbook"
        );
    }
}

#[test]
fn everything_that_a_record_of_capacity_can_say_is_in_the_runbook() {
    let part = "## EC2 capacity: cluster-scaler";
    in_the_part(part, CapacityHoldReason::NAMES, "the hold");
    in_the_part(
        "### Steps about capacity",
        CapacityStepReason::NAMES,
        "the step",
    );
    in_the_part(
        "### Why tasks fit nowhere",
        [
            "too_large",
            "constraint_not_met",
            "constraint_unsupported",
            "types_unknown",
            "no_pool_left",
            "host_port_taken",
            "group_at_maximum",
        ],
        "the reason why a task fits nowhere",
    );
    in_the_part(
        "### Why launches fail",
        LaunchCause::NAMES,
        "the cause of a failed launch",
    );
    in_the_part(
        "### Vetoes",
        [
            "minimum_size",
            "headroom_unknown",
            "suspended_process",
            "deployment",
            "unhealthy",
            "incomplete",
            "memory_unavailable",
            "tasks_without_room",
            "launching",
        ],
        "the veto",
    );
    in_the_part(
        "### Neighbours",
        [
            "managed_scaling",
            "managed_termination_protection",
            "scaling_policy",
            "scheduled_action",
            "warm_pool",
            "other_cluster",
        ],
        "the neighbour",
    );
}

/// What the README shows of a record is what the rules make of the workshop.
#[test]
fn the_readmes_example_is_a_tests_outcome() {
    let readme = read("README.md");
    let (_, rest) = readme.split_once("```text\nstep ").unwrap();
    let example = rest.split("\n```").next().unwrap();
    let example = example
        .replace('\n', " ")
        .replace("container-demo/EC2", "demo/ec2")
        .replace("container-demo-EC2", "ec2");
    let outcomes = read("shared/placement/tests/capacity/workshop.rs");
    assert!(outcomes.contains(&format!("step {example}")), "{example}");
}

#[test]
fn every_alarm_of_the_template_is_in_the_runbook() {
    let template = read("infra/template.yaml");
    let lines: Vec<&str> = template.lines().collect();
    let alarms: Vec<&str> = lines
        .windows(2)
        .filter(|pair| pair[1] == "    Type: AWS::CloudWatch::Alarm")
        .map(|pair| pair[0].trim().trim_end_matches(':'))
        .collect();
    assert!(alarms.len() >= 12, "{alarms:?}");
    in_the_runbook(alarms, "the alarm");
}

#[test]
fn no_rust_file_is_too_long() {
    for path in files(&[".rs"]) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(
            lines <= FILE_LINES_MAX,
            "`{}` has {lines} lines, at most {FILE_LINES_MAX} are allowed: is there a room missing?",
            path.display()
        );
    }
}

#[test]
fn lints_are_expected_with_a_reason_and_nothing_is_unfinished() {
    // Put together, so that this file does not find itself.
    let marks = [
        concat!("#[", "allow("),
        concat!("#![", "allow("),
        concat!("#[", "ignore"),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ];
    for path in files(&[".rs", ".py", ".yaml", ".md", "Makefile"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        for mark in marks {
            assert!(
                !text.contains(mark),
                "`{}` contains `{mark}`",
                path.display()
            );
        }
    }
}

#[test]
fn every_decision_is_in_the_list_and_every_link_leads_somewhere() {
    let list = read("docs/decisions/README.md");
    for path in files(&[".md"]) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.parent().unwrap().ends_with("decisions") && name != "README.md" {
            assert!(
                list.contains(&format!("({name})")),
                "`{name}` is not in the list"
            );
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = link.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") || file.contains(' ') {
                continue;
            }
            assert!(
                path.parent().unwrap().join(file).exists(),
                "`{}` links to `{link}`, which is not there",
                path.display()
            );
        }
    }
}

#[test]
fn a_function_is_its_folder() {
    for entry in std::fs::read_dir(root().join("functions")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("name = \"{name}\"")), "`{name}`");
        assert!(
            !manifest.contains("[[bin]]"),
            "`{name}` has a binary of another name"
        );
        let lines = std::fs::read_to_string(folder.join("src/main.rs"))
            .unwrap()
            .lines()
            .count();
        assert!(lines <= 60, "`{name}`: main.rs has {lines} lines");
        assert!(
            read("infra/template.yaml").contains(&name),
            "`{name}` is not in the template"
        );
    }
}
