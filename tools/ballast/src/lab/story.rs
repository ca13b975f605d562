//! What happened in the world and what was decided about it, in order: one line where something changed.

use std::collections::BTreeMap;
use std::fmt::Write;

use control::Record;
use model::Timestamp;
use world::Entry;

use crate::lab::driver::Invoked;
use crate::lab::tables::clock;
use crate::output::{Screen, Tone};
use crate::record::lines_of;

/// The width of the column that says why.
const WHY_WIDTH: usize = 20;

/// Tells what happened, and remembers the last hold, so that the same hold minute after minute is told once.
#[derive(Debug, Default)]
pub(crate) struct Story {
    last: String,
    silent: u32,
    silent_until: Option<Timestamp>,
}

impl Story {
    /// The world's own lines and the invocations since the last call, by time.
    pub(crate) fn tell(&mut self, world: &[Entry], invoked: &[Invoked], screen: Screen) -> String {
        let mut text = String::new();
        let mut entries = world.iter().peekable();
        for one in invoked {
            while let Some(entry) = entries.next_if(|entry| entry.at <= one.at) {
                self.tell_entry(entry, &mut text, screen);
            }
            self.tell_invoked(one, &mut text, screen);
        }
        for entry in entries {
            self.tell_entry(entry, &mut text, screen);
        }
        self.tell_silence(&mut text);
        text
    }

    fn tell_entry(&mut self, entry: &Entry, text: &mut String, screen: Screen) {
        self.tell_silence(text);
        let line = screen.paint(Tone::Notice, &entry.text);
        let _ = writeln!(
            text,
            "{}  {:<WHY_WIDTH$}  {line}",
            clock(entry.at),
            "the world"
        );
    }

    fn tell_invoked(&mut self, one: &Invoked, text: &mut String, screen: Screen) {
        let (subject, why, tone, lines) = match &one.answer {
            Err(error) => {
                let line = format!("the function failed: {error}");
                (String::new(), String::new(), Tone::Bad, vec![line])
            }
            Ok(answer) => {
                let record = &answer.record;
                (
                    kind(record),
                    triggers(record),
                    tone(record),
                    lines_of(record),
                )
            }
        };
        if !subject.is_empty() && subject == self.last {
            self.silent += 1;
            self.silent_until = Some(one.at);
            return;
        }
        self.tell_silence(text);
        self.last = subject;
        let mut lines = lines.into_iter();
        let first = lines
            .next()
            .unwrap_or_else(|| "nothing was looked at".to_owned());
        let at = clock(one.at);
        let _ = writeln!(
            text,
            "{at}  {why:<WHY_WIDTH$}  {}",
            screen.paint(tone, &first)
        );
        for line in lines {
            let _ = writeln!(
                text,
                "{:>8}  {:<WHY_WIDTH$}  {}",
                "",
                "",
                screen.paint(tone, &line)
            );
        }
    }

    fn tell_silence(&mut self, text: &mut String) {
        if let Some(until) = self.silent_until.take() {
            let looks = if self.silent == 1 { "look" } else { "looks" };
            let count = std::mem::take(&mut self.silent);
            let _ = writeln!(
                text,
                "{}  {:<WHY_WIDTH$}  the same after {count} more {looks}",
                clock(until),
                ""
            );
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
