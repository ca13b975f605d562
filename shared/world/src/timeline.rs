//! What happened that is worth telling, in order.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use model::ServiceKey;

use crate::state::TargetState;

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What, as a sentence's fragment.
    pub text: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at, self.text)
    }
}

/// The timeline: what happened, oldest first. It grows with the world; a long simulation may take its lines out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    entries: Vec<Entry>,
    serving: BTreeMap<ServiceKey, u32>,
    /// How many targets of a service's target group came into a state in the last moment that any did.
    targets: BTreeMap<(ServiceKey, String, TargetState), u32>,
    targets_at: Option<Timestamp>,
    /// Whose serving tasks the last line is about, and how many there were before it.
    last: Option<(ServiceKey, u32)>,
}

impl Timeline {
    /// The lines, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Adds a line.
    pub fn note(&mut self, at: Timestamp, text: String) {
        self.entries.push(Entry { at, text });
        self.last = None;
    }

    /// Notes a change of the serving tasks of a pair.
    pub(crate) fn serving(
        &mut self,
        at: Timestamp,
        primary: &ServiceKey,
        serving: u32,
        desired: u32,
    ) {
        let mut before = self.serving.insert(primary.clone(), serving).unwrap_or(0);
        // Several changes of one moment are one line.
        if let Some((_, first)) = self.last.take_if(|(last, _)| last == primary)
            && let Some(line) = self.entries.pop_if(|it| it.at == at)
        {
            before = first;
            drop(line);
        }
        if before == serving || (before.min(serving) >= desired) {
            return;
        }
        self.note(
            at,
            format!("{primary} serves with {serving} of {desired} tasks"),
        );
        self.last = Some((primary.clone(), before));
    }

    /// Notes what a target of a service has become. Several of one moment are one line.
    pub(crate) fn target(
        &mut self,
        at: Timestamp,
        service: &ServiceKey,
        group: &str,
        state: TargetState,
    ) {
        if self.targets_at != Some(at) {
            self.targets.clear();
            self.targets_at = Some(at);
        }
        let subject = (service.clone(), group.to_owned(), state);
        let count = self.targets.entry(subject).or_insert(0);
        *count += 1;
        let count = *count;
        let word = state.as_str();
        let text = |count: u32| match count {
            1 => format!("{service}: 1 target in {group} is {word}"),
            _ => format!("{service}: {count} targets in {group} are {word}"),
        };
        let before = text(count - 1);
        let mut of_now = self.entries.iter_mut().rev().take_while(|it| it.at == at);
        if let Some(line) = of_now.find(|it| count > 1 && it.text == before) {
            line.text = text(count);
            return;
        }
        let entry = Entry {
            at,
            text: text(count),
        };
        // A line of this moment about who serves stays the last one, for it may still change.
        let may_change = self.last.is_some();
        let serving = self.entries.pop_if(|it| may_change && it.at == at);
        if serving.is_none() {
            self.last = None;
        }
        self.entries.push(entry);
        self.entries.extend(serving);
    }

    /// Takes the lines out.
    pub fn take(&mut self) -> Vec<Entry> {
        self.last = None;
        std::mem::take(&mut self.entries)
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.iter().try_for_each(|it| writeln!(f, "{it}"))
    }
}
