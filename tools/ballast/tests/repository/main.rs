//! Rules of the repository that are tests, so that nobody has to remember them: the documents say what the code says, and nothing
//! grows beyond its size.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod runbook;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use model::capacity::PROVIDER_METRICS;
use model::capacity::policy::{GROUP_TAGS, SERVICE_TAGS};
use model::drain::DEPARTURE_METRICS;
use model::drain::policy::{DRAIN_TAGS, TAG_MAINTENANCE_LEAD_SECS};
use model::duty::MeasuredUnit;
use model::policy::TAGS;
use model::settings::Setting;
use model::tracking::TRACKING_METRICS;
use model::tracking::policy::TRACKING_TAGS;

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

/// A part of a document: from the heading of this text to the next one of its level, or of a higher one.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let level = heading.split(' ').next().unwrap().len();
    let (_, rest) = document
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("there is no heading `{heading}`"));
    let ends = (1..=level).filter_map(|it| rest.find(&format!("\n{} ", "#".repeat(it))));
    rest.split_at(ends.min().unwrap_or(rest.len())).0
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
    let departures = section(&document, "## Tags for departures");
    documented(departures, &DRAIN_TAGS, "`ballast:");
    let tracking = section(&document, "## Tags for target tracking");
    documented(tracking, &TRACKING_TAGS, "`ballast:");
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
    let of_providers = PROVIDER_METRICS.map(|it| (it.name, it.unit, it.meaning));
    let of_departures = DEPARTURE_METRICS.map(|it| (it.name, it.unit, it.meaning));
    let of_services = TRACKING_METRICS.map(|it| (it.name, MeasuredUnit::Count, it.meaning));
    let all = of_providers
        .into_iter()
        .chain(of_departures)
        .chain(of_services);
    for (name, unit, meaning) in all {
        let want = [
            format!("`{name}`"),
            unit.as_str().to_owned(),
            meaning.to_owned(),
        ];
        assert!(
            rows.iter().any(|row| row.as_slice() == want),
            "{want:?} is not documented"
        );
    }
    let bound = format!("at most {} providers", bootstrap::SUBJECTS_MEASURED_MAX);
    assert!(read("docs/configuration.md").contains(&bound), "{bound}");
}

/// The tag names the words that the rules look for in a code of AWS Health's.
#[test]
fn what_counts_as_maintenance_is_said_where_the_tag_is() {
    let rules = read("shared/placement/src/drain/said.rs");
    let (_, rest) = rules.split_once("const MAINTENANCE_WORDS").unwrap();
    let list = rest.split(';').nth(1).unwrap();
    let words: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    assert!(words.contains(&"RETIREMENT"), "{words:?}");
    let meaning = TAG_MAINTENANCE_LEAD_SECS.meaning;
    let said: Vec<&str> = meaning.split('`').skip(1).step_by(2).collect();
    assert_eq!(said, words);
}

#[test]
fn every_function_can_be_invoked_as_the_readme_says() {
    let readme = read("README.md");
    let makefile = read("Makefile");
    for entry in std::fs::read_dir(root().join("functions")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let help = makefile
            .lines()
            .find(|it| it.starts_with("invoke:"))
            .unwrap();
        assert!(help.contains(&name), "`{name}` is not in `make help`");
        let (_, rest) = readme.split_once(&format!("FN={name} EVENT=")).unwrap();
        let event = rest.split(['\n', '`', ' ']).next().unwrap();
        assert!(root().join(event).exists(), "`{event}` is not there");
    }
}

/// What the README shows of records is what the rules make of the workshop, and of a tracked service.
#[test]
fn the_readmes_examples_are_outcomes_of_tests() {
    let readme = read("README.md");
    let examples = readme.split("```text\nstep ").skip(1);
    let examples: Vec<String> = examples
        .map(|it| it.split("\n```").next().unwrap().replace('\n', " "))
        .collect();
    let [group, service] = examples.as_slice() else {
        panic!("{examples:#?}");
    };
    let group = group
        .replace("container-demo/EC2", "demo/ec2")
        .replace("container-demo-EC2", "ec2");
    let service = service.replace("container-demo/web", "demo/web");
    for (example, tests) in [
        (group, "capacity/workshop.rs"),
        (service, "tracking/left_alone.rs"),
    ] {
        let outcomes = read(&format!("shared/placement/tests/{tests}"));
        let is_outcome = outcomes.contains(&format!("step {example}"));
        assert!(is_outcome, "{example} is not in `{tests}`");
    }
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
