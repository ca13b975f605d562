//! Every file in `events/` is claimed once, with the whole trigger that it must yield.

use std::collections::{BTreeMap, BTreeSet};

use aws_lambda_events::sqs::SqsEvent;
use expect_test::expect_file;
use serde_json::Value;

use crate::{render, samples};

/// `claims.txt` names each file and what it yields: a file that is not in it, and a claim without a file, both fail here.
#[test]
fn every_file_yields_what_is_claimed_for_it() {
    let mut text = String::new();
    for (name, bytes) in samples::all() {
        text.push_str(&name);
        text.push('\n');
        text.push_str(&render::invocation(&trigger::parse_bytes(&bytes)));
    }
    expect_file!["claims.txt"].assert_eq(&text);
}

/// The table of the README says by hand what kind each file yields.
#[test]
fn the_readme_lists_every_file_with_its_kind() {
    let readme = std::fs::read_to_string(samples::root().join("events/README.md")).unwrap();
    let mut listed = BTreeMap::new();
    for line in readme.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        let before = listed.insert(cells[1].to_owned(), cells[4].to_owned());
        assert_eq!(before, None, "{} is listed twice", cells[1]);
    }
    let read: BTreeMap<_, _> = samples::all()
        .into_iter()
        .map(|(name, bytes)| (name, render::kind(&trigger::parse_bytes(&bytes)).to_owned()))
        .collect();
    assert_eq!(listed, read);
}

/// A file's name says the source and the detail-type that it holds.
#[test]
fn names_say_what_is_in_the_files() {
    for (name, event) in samples::all_json() {
        if name.starts_with("aws.sqs--batch--") {
            assert!(event["Records"].is_array(), "{name}");
            continue;
        }
        let source = event["source"].as_str().unwrap_or("unknown").to_owned();
        let detail_type = event["detail-type"].as_str().unwrap_or("unknown");
        let (file_source, rest) = name.split_once("--").unwrap();
        let (file_detail_type, case) = rest.split_once("--").unwrap();
        if file_source != "unknown" {
            assert_eq!(file_source, source, "{name}");
            assert_eq!(
                file_detail_type,
                detail_type.to_lowercase().replace(' ', "-"),
                "{name}"
            );
        }
        assert!(!case.contains("--"), "{name}");
    }
}

/// Each row of the table has a sample.
#[test]
fn every_row_of_the_table_has_a_sample() {
    let sampled: BTreeSet<_> = samples::all_json()
        .into_values()
        .filter_map(|event| {
            Some((
                event["source"].as_str()?.to_owned(),
                event["detail-type"].as_str()?.to_owned(),
            ))
        })
        .collect();
    for (source, detail_type) in trigger::table() {
        assert!(
            sampled.contains(&(source.to_owned(), detail_type.to_owned())),
            "{source} {detail_type}"
        );
    }
}

/// The library's own type of a batch agrees with us on the messages' ids and on how many there are.
#[test]
fn batches_have_the_form_that_lambda_sends() {
    for (name, batch) in samples::all_json() {
        if !name.starts_with("aws.sqs--batch--") || name.contains("malformed-bodies") {
            continue;
        }
        let ours: Vec<_> = trigger::parse(&batch)
            .items
            .into_iter()
            .map(|item| item.message.map(String::from))
            .collect();
        let theirs: SqsEvent = serde_json::from_value(batch).unwrap();
        let theirs: Vec<_> = theirs
            .records
            .into_iter()
            .map(|record| record.message_id)
            .collect();
        assert_eq!(ours, theirs, "{name}");
    }
}

/// Why the library's type does not read the batches: one odd attribute of one message and no message is read.
#[test]
fn an_odd_attribute_does_not_cost_the_batch() {
    let batch = samples::one("aws.sqs--batch--malformed-bodies.json");
    let record = &batch["Records"][7];
    assert!(serde_json::from_value::<SqsEvent>(one_record(record)).is_err());
    let read = trigger::parse(&one_record(record));
    assert!(read.items[0].read.is_ok());
}

fn one_record(record: &Value) -> Value {
    serde_json::json!({ "Records": [record] })
}

/// A batch of another service does not fail message by message.
#[test]
fn only_a_queue_makes_a_batch() {
    let record =
        serde_json::json!({"EventSource": "aws:sns", "Sns": {"MessageId": "1", "Message": "{}"}});
    let read = trigger::parse(&one_record(&record));
    assert!(!read.is_batch);
    assert!(read.items[0].message.is_none());
    assert_eq!(
        read.items[0].read.as_ref().unwrap_err().as_str(),
        "record_unusable"
    );
}
