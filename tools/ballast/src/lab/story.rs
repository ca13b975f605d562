//! The decisions, as they are told: one line where something changed.

use std::collections::BTreeMap;
use std::fmt::Write;

use control::Record;

use crate::lab::driver::Invoked;
use crate::lab::tables::clock;
use crate::output::{Screen, Tone};
use crate::record::lines_of;

/// Tells the invocations, and remembers the last hold, so that the same hold minute after minute is told once.
#[derive(Debug, Default)]
pub(crate) struct Story {
    last: String,
    silent: u32,
}

impl Story {
    /// The invocations since the last call, as lines.
    pub(crate) fn tell(&mut self, invoked: &[Invoked], screen: Screen) -> String {
        let mut text = String::new();
        for one in invoked {
            let (subject, tone, lines) = match &one.answer {
                Err(error) => (
                    String::new(),
                    Tone::Bad,
                    vec![format!("the function failed: {error}")],
                ),
                Ok(answer) => (
                    kind(&answer.record),
                    tone(&answer.record),
                    lines_of(&answer.record),
                ),
            };
            if !subject.is_empty() && subject == self.last {
                self.silent += 1;
                continue;
            }
            self.tell_silence(&mut text);
            self.last = subject;
            let why = one
                .answer
                .as_ref()
                .map_or_else(|_| String::new(), |answer| triggers(&answer.record));
            let mut lines = lines.into_iter();
            let first = lines
                .next()
                .unwrap_or_else(|| "nothing was looked at".to_owned());
            let _ = writeln!(
                text,
                "{}  {why:<22}  {}",
                clock(one.at),
                screen.paint(tone, &first)
            );
            for line in lines {
                let _ = writeln!(text, "{:>8}  {:<22}  {}", "", "", screen.paint(tone, &line));
            }
        }
        self.tell_silence(&mut text);
        text
    }

    fn tell_silence(&mut self, text: &mut String) {
        if self.silent > 0 {
            let _ = writeln!(
                text,
                "{:>8}  {} more looks with the same result",
                "", self.silent
            );
            self.silent = 0;
        }
    }
}

/// Why the function looked: the kinds of its triggers, with their numbers.
fn triggers(record: &Record) -> String {
    let short: BTreeMap<&str, &str> = BTreeMap::from([
        ("task_interrupted", "interrupted"),
        ("placement_failed", "not placed"),
        ("service_steady", "steady"),
        ("service_changed", "changed"),
        ("scheduled", "schedule"),
    ]);
    let parts: Vec<String> = record
        .triggers
        .kinds
        .iter()
        .map(|(kind, count)| {
            let word = short.get(kind.as_str()).copied().unwrap_or(kind);
            if *count > 1 {
                format!("{count} {word}")
            } else {
                word.to_owned()
            }
        })
        .collect();
    parts.join(", ")
}

/// What makes two records the same to a reader: their holds, by subject and reason. A record with a step is always told.
fn kind(record: &Record) -> String {
    if !record.plan.steps.is_empty() || !record.failures.is_empty() {
        return String::new();
    }
    let holds = record
        .plan
        .holds
        .iter()
        .map(|it| format!("{} {}", it.hold.subject, it.hold.reason.as_str()));
    holds.collect::<Vec<_>>().join("; ")
}

fn tone(record: &Record) -> Tone {
    if !record.failures.is_empty() {
        Tone::Bad
    } else if record.plan.steps.is_empty() {
        Tone::Plain
    } else {
        Tone::Good
    }
}
