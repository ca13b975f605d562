//! What happened in the world and what was decided about it, in order: one line where something changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use control::Record;
use model::Timestamp;
use model::outcome::OutcomeResult;
use world::Entry;

use crate::lab::driver::Invoked;
use crate::lab::tables::clock;
use crate::output::{Screen, Tone};
use crate::record::lines_of;

/// The width of the column that says why.
const WHY_WIDTH: usize = 20;

/// The kind of trigger that is always told: that the warnings reach the function is what the lab is there to show.
const ALWAYS_TOLD: &str = "task_interrupted";

/// Tells what happened, and remembers the last plan, so that the same plan minute after minute is told once for each kind of trigger.
#[derive(Debug, Default)]
pub(crate) struct Story {
    last: String,
    /// The kinds of triggers that were shown with the last plan.
    shown: BTreeSet<String>,
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
        let (subject, kinds, why, tone, mut lines) = match &one.told {
            None => (
                String::new(),
                BTreeSet::new(),
                String::new(),
                Tone::Bad,
                Vec::new(),
            ),
            Some(told) => (
                subject(&told.record),
                told.record.triggers.kinds.keys().cloned().collect(),
                triggers(&told.record),
                tone(&told.record),
                lines_of(&told.record),
            ),
        };
        if let Some(failure) = &one.failure {
            // A record names its failures itself.
            let is_named = one
                .told
                .as_ref()
                .is_some_and(|it| !it.record.failures.is_empty());
            if !is_named {
                lines.push(format!("the function failed: {failure}"));
            }
        }
        let is_same = !subject.is_empty() && subject == self.last && one.failure.is_none();
        if !is_same {
            self.shown.clear();
        }
        if is_same && !kinds.contains(ALWAYS_TOLD) && kinds.is_subset(&self.shown) {
            self.silent += 1;
            self.silent_until = Some(one.at);
            return;
        }
        self.tell_silence(text);
        self.last = subject;
        self.shown.extend(kinds);
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

/// What makes two records the same to a reader: their steps and holds, by subject and reason. Empty for a record that is always
/// told: something failed, or something was written.
fn subject(record: &Record) -> String {
    let is_unwritten = |it: &control::RecordedOutcome| it.result == OutcomeResult::NotWritten;
    if !record.failures.is_empty() || !record.outcomes.iter().all(is_unwritten) {
        return String::new();
    }
    let steps = record.plan.steps.iter().map(|it| {
        let step = &it.step;
        format!("{} {} {}", step.subject, step.reason.as_str(), step.action)
    });
    let holds = record
        .plan
        .holds
        .iter()
        .map(|it| format!("{} {}", it.hold.subject, it.hold.reason.as_str()));
    steps.chain(holds).collect::<Vec<_>>().join("; ")
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::lab::driver::Told;

    /// A look at the second of an hour, with its triggers.
    fn look(secs: i64, kinds: &[(&str, u32)], failure: Option<&str>) -> Invoked {
        let at = Timestamp::from_second(secs).unwrap();
        let mut record = Record::new("spot-fallback", model::policy::Mode::Act, None);
        record.triggers.kinds = kinds
            .iter()
            .map(|(kind, n)| ((*kind).to_owned(), *n))
            .collect();
        let hold = json!({"text": "hold `demo/web` paused: it is", "subject": "demo/web", "reason": {"reason": "paused"}});
        record.plan.holds = vec![serde_json::from_value(hold).unwrap()];
        if let Some(failure) = failure {
            record.failures = vec![control::RecordedFailure {
                error_type: "LookIncomplete".to_owned(),
                message: failure.to_owned(),
            }];
        }
        Invoked {
            at,
            told: Some(Told {
                line: String::new(),
                record,
            }),
            failure: failure.map(|it| format!("LookIncomplete: {it}")),
        }
    }

    fn check(invoked: &[Invoked], want: Expect) {
        let told = Story::default().tell(&[], invoked, Screen::plain());
        let lines: Vec<&str> = told.lines().map(str::trim_end).collect();
        want.assert_eq(&format!("{}\n", lines.join("\n")));
    }

    #[test]
    fn the_same_plan_is_told_once_for_each_kind_of_trigger_and_for_every_interruption() {
        check(
            &[
                look(0, &[("scheduled", 1)], None),
                look(60, &[("scheduled", 1)], None),
                look(61, &[("task_interrupted", 7)], None),
                look(62, &[("service_steady", 1)], None),
                look(63, &[("service_steady", 2)], None),
                look(64, &[("task_interrupted", 1)], None),
                look(120, &[("scheduled", 1)], None),
            ],
            expect![[r#"
                00:00:00  schedule              hold `demo/web` paused: it is
                00:01:00                        the same after 1 more look
                00:01:01  7 interrupted         hold `demo/web` paused: it is
                00:01:02  steady                hold `demo/web` paused: it is
                00:01:03                        the same after 1 more look
                00:01:04  interrupted           hold `demo/web` paused: it is
                00:02:00                        the same after 1 more look
            "#]],
        );
    }

    #[test]
    fn a_failed_look_is_told_with_its_triggers_its_holds_and_its_failure() {
        let mut without_record = look(61, &[], Some("x"));
        without_record.told = None;
        without_record.failure = Some("no answer within 30 s".to_owned());
        check(
            &[
                look(0, &[("scheduled", 1)], None),
                look(
                    60,
                    &[("scheduled", 1)],
                    Some("gaps in what was observed: 1"),
                ),
                without_record,
                look(120, &[("scheduled", 1)], None),
            ],
            expect![[r#"
                00:00:00  schedule              hold `demo/web` paused: it is
                00:01:00  schedule              hold `demo/web` paused: it is
                                                failure LookIncomplete: gaps in what was observed: 1
                00:01:01                        the function failed: no answer within 30 s
                00:02:00  schedule              hold `demo/web` paused: it is
            "#]],
        );
    }
}
