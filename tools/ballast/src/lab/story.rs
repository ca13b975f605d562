//! What happened in the world and what was decided about it, in order: one line where something changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use model::Timestamp;
use world::Entry;

use crate::lab::driver::Invoked;
use crate::lab::function::Name;
use crate::lab::tables::clock;
use crate::output::{Screen, Tone};

/// The width of the column that says why.
const WHY_WIDTH: usize = 20;
/// The same, where it also says which function looked.
const WHY_WIDTH_NAMED: usize = 40;

/// The kind of trigger that is always told: that the warnings reach the function is what the lab is there to show.
const ALWAYS_TOLD: &str = "task_interrupted";

/// Tells what happened, and remembers each function's last plan, so that the same plan minute after minute is told once for each
/// kind of trigger.
#[derive(Debug, Default)]
pub(crate) struct Story {
    last: BTreeMap<Name, Last>,
    /// Whether every line of a function's says which it is.
    names_functions: bool,
    silent: u32,
    silent_until: Option<Timestamp>,
}

/// What was told last of a function.
#[derive(Debug, Default)]
struct Last {
    same_as: String,
    /// The kinds of triggers that were shown with it.
    shown: BTreeSet<String>,
}

impl Story {
    /// A story of these functions. Where there are several, each line says whose it is.
    pub(crate) fn of(functions: &[Name]) -> Self {
        Self {
            names_functions: functions.len() > 1,
            ..Self::default()
        }
    }

    const fn width(&self) -> usize {
        if self.names_functions {
            WHY_WIDTH_NAMED
        } else {
            WHY_WIDTH
        }
    }

    /// The world's own lines and the invocations since the last call, by time.
    pub(crate) fn tell(&mut self, world: &[Entry], invoked: &[Invoked], screen: Screen) -> String {
        let mut text = String::new();
        let mut rest = world;
        for one in invoked {
            let before = rest.partition_point(|entry| entry.at <= one.at);
            let (entries, later) = rest.split_at(before);
            self.tell_entries(entries, &mut text, screen);
            self.tell_invoked(one, &mut text, screen);
            rest = later;
        }
        self.tell_entries(rest, &mut text, screen);
        self.tell_silence(&mut text);
        text
    }

    /// Where a service's serving tasks rise, or fall, line after line, the last of these lines says it.
    fn tell_entries(&mut self, entries: &[Entry], text: &mut String, screen: Screen) {
        let mut told: Option<(&str, u32)> = None;
        for (index, entry) in entries.iter().enumerate() {
            let here = serving(entry);
            let next = entries.get(index + 1).and_then(serving);
            let goes_on = matches!((told, here, next), (Some(before), Some(here), Some(next))
                if before.0 == here.0 && here.0 == next.0 && before.1.cmp(&here.1) == here.1.cmp(&next.1));
            told = here;
            if goes_on {
                continue;
            }
            // A market that changes everywhere is one line.
            let is_alike = |other: &&Entry| {
                let change = pool_change(entry);
                change.is_some() && other.at == entry.at && pool_change(other) == change
            };
            let (before, after) = entries.split_at(index);
            if before
                .iter()
                .rev()
                .take_while(|it| it.at == entry.at)
                .any(|it| is_alike(&it))
            {
                continue;
            }
            match after.iter().filter(is_alike).count() {
                0 | 1 => self.tell_entry(entry, text, screen),
                pools => {
                    let more = format!("{}, and that of {} more pools", entry.text, pools - 1);
                    let entry = Entry {
                        at: entry.at,
                        text: more,
                    };
                    self.tell_entry(&entry, text, screen);
                }
            }
        }
    }

    fn tell_entry(&mut self, entry: &Entry, text: &mut String, screen: Screen) {
        self.tell_silence(text);
        let line = screen.paint(Tone::Notice, &entry.text);
        let width = self.width();
        let _ = writeln!(text, "{}  {:<width$}  {line}", clock(entry.at), "the world");
    }

    fn tell_invoked(&mut self, one: &Invoked, text: &mut String, screen: Screen) {
        let telling = one.told.as_ref().map(|it| &it.telling);
        let mut lines = telling.map(|it| it.lines.clone()).unwrap_or_default();
        // A record names its failures itself.
        let is_named = telling.is_some_and(|it| it.names_failure);
        if let Some(failure) = one.failure.as_ref().filter(|_| !is_named) {
            lines.push(format!("the function failed: {failure}"));
        }
        let same_as = telling.map_or("", |it| it.same_as.as_str());
        let no_kinds = BTreeSet::new();
        let kinds = telling.map_or(&no_kinds, |it| &it.kinds);
        let last = self.last.entry(one.function).or_default();
        let is_same = !same_as.is_empty() && same_as == last.same_as && one.failure.is_none();
        if !is_same {
            last.shown.clear();
        }
        if is_same && !kinds.contains(ALWAYS_TOLD) && kinds.is_subset(&last.shown) {
            self.silent += 1;
            self.silent_until = Some(one.at);
            return;
        }
        same_as.clone_into(&mut last.same_as);
        last.shown.extend(kinds.iter().cloned());
        self.tell_silence(text);
        let mut lines = lines.into_iter();
        let first = lines
            .next()
            .unwrap_or_else(|| "nothing was looked at".to_owned());
        let at = clock(one.at);
        let why = telling.map_or("", |it| it.why.as_str());
        let why = if self.names_functions {
            format!("{}: {why}", one.function.as_str())
        } else {
            why.to_owned()
        };
        let tone = telling.map_or(Tone::Bad, |it| it.tone);
        let width = self.width();
        let _ = writeln!(text, "{at}  {why:<width$}  {}", screen.paint(tone, &first));
        for line in lines {
            let _ = writeln!(
                text,
                "{:>8}  {:<width$}  {}",
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
            let width = self.width();
            let _ = writeln!(
                text,
                "{}  {:<width$}  the same after {count} more {looks}",
                clock(until),
                ""
            );
        }
    }
}

/// What the capacity of a pool became, in a line about one.
fn pool_change(entry: &Entry) -> Option<&str> {
    let pool = entry.text.strip_prefix("capacity of ")?;
    pool.split_once(" becomes ").map(|(_, change)| change)
}

/// The service and its serving tasks, in a line about them.
fn serving(entry: &Entry) -> Option<(&str, u32)> {
    let (service, rest) = entry.text.split_once(" serves with ")?;
    let (count, _) = rest.split_once(' ')?;
    Some((service, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use control::Record;
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::lab::driver::Told;
    use crate::lab::telling::Telling;

    /// A look at the second of an hour, with its triggers.
    fn look(secs: i64, kinds: &[(&str, u32)], failure: Option<&str>) -> Invoked {
        let at = Timestamp::from_second(secs).unwrap();
        let mut record: Record = Record::new("spot-fallback", model::policy::Mode::Act, None);
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
            function: Name::SpotFallback,
            at,
            told: Some(Told {
                line: String::new(),
                telling: Telling::of(&record),
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
