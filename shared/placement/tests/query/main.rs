//! The cluster query language: the published examples, the errors, the patterns, the verdicts and their laws.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod errors;
mod examples;
mod future;
mod laws;
mod patterns;
mod random;
mod verdicts;

use std::collections::BTreeMap;

use placement::query::{Facts, Unlisted, Verdict, matches, parse};

/// Attributes, as in `stack=prod gpu`; the second has no value.
fn attributes(text: &str) -> BTreeMap<String, Option<String>> {
    text.split_whitespace()
        .map(|word| match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word.to_owned(), None),
        })
        .collect()
}

/// An instance of which everything is known.
fn known(attributes: &BTreeMap<String, Option<String>>) -> Facts<'_> {
    Facts {
        attributes,
        unlisted: Unlisted::Absent,
        ec2_instance_id: Some("i-abcd1234"),
        agent_connected: Some(true),
        agent_version: Some("1.14.5"),
        registered_at: Some("2018-02-13T10:00:00Z".parse().unwrap()),
        running_tasks_count: Some(1),
    }
}

/// The verdict in a word, or the part that stands in the way.
fn verdict(text: &str, facts: &Facts<'_>) -> String {
    match matches(&parse(text).unwrap(), facts) {
        Verdict::Yes => "yes".to_owned(),
        Verdict::No => "no".to_owned(),
        Verdict::Unknown(part) => part.to_string(),
    }
}
