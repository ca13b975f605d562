//! The event patterns of `infra/`, the sample events and the table that joins them, held against one another.
//!
//! The patterns are read from `infra/patterns.json`, which a test in `infra/` holds against the template.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where its files are not what they should be"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use world::pattern::Pattern;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn patterns() -> BTreeMap<String, Pattern> {
    let text = std::fs::read_to_string(root().join("infra/patterns.json")).unwrap();
    let rules: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    rules
        .into_iter()
        .map(|(rule, pattern)| match Pattern::parse(&pattern) {
            Ok(pattern) => (rule, pattern),
            Err(error) => panic!("{rule}: {error}"),
        })
        .collect()
}

/// The sample events by file name. `None` stands for what is not JSON: no bus could carry it.
fn samples() -> BTreeMap<String, Option<Value>> {
    std::fs::read_dir(root().join("events"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_str(text).ok())
        })
        .collect()
}

/// The table of `events/README.md`: the rule that each file is for. `None` is the dash: no rule lets it through.
fn table() -> BTreeMap<String, Option<String>> {
    let text = std::fs::read_to_string(root().join("events/README.md")).unwrap();
    text.lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let file = cells.next()?.strip_suffix('`')?;
            let rule = cells.next()?;
            let rule = (rule != "–").then(|| rule.trim_matches('`').to_owned());
            file.ends_with(".json").then(|| (file.to_owned(), rule))
        })
        .collect()
}

#[test]
fn each_sample_is_let_through_by_the_rule_of_the_table_and_by_no_other() {
    let patterns = patterns();
    let table = table();
    let samples = samples();
    assert_eq!(
        table.keys().collect::<BTreeSet<_>>(),
        samples.keys().collect::<BTreeSet<_>>(),
        "the table names every file, and no other"
    );
    let mut wrong = Vec::new();
    for (file, event) in &samples {
        let matched: Vec<&str> = patterns
            .iter()
            .filter(|(_, pattern)| event.as_ref().is_some_and(|event| pattern.matches(event)))
            .map(|(rule, _)| rule.as_str())
            .collect();
        // The schedule has no pattern: EventBridge makes its events itself.
        let wanted: Vec<&str> = table[file]
            .iter()
            .map(String::as_str)
            .filter(|rule| *rule != "ScheduleRule")
            .collect();
        if matched != wanted {
            wrong.push(format!(
                "{file}: let through by {matched:?}, the table says {wanted:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_rule_has_samples_and_each_rule_of_the_table_exists() {
    let in_table: BTreeSet<String> = table().into_values().flatten().collect();
    let mut rules: BTreeSet<String> = patterns().into_keys().collect();
    rules.insert("ScheduleRule".to_owned());
    assert_eq!(in_table, rules);
}

/// A rule that let everything of its source through would pass the test above if no sample were kept out by its filter alone.
#[test]
fn each_rule_keeps_out_samples_of_its_own_detail_types() {
    let text = std::fs::read_to_string(root().join("infra/patterns.json")).unwrap();
    let rules: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    for (rule, pattern) in rules {
        let filter = Pattern::parse(&pattern).unwrap();
        let sources = pattern["source"].as_array().unwrap();
        let detail_types = pattern["detail-type"].as_array().unwrap();
        let kept_out = samples()
            .into_values()
            .flatten()
            .filter(|event| {
                sources.contains(&event["source"])
                    && detail_types.contains(&event["detail-type"])
                    && event["detail"].is_object()
            })
            .filter(|event| !filter.matches(event))
            .count();
        assert!(kept_out > 0, "{rule} filters nothing");
    }
}
