//! What happened that is worth telling, in order.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use model::ServiceKey;

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

    /// Takes the lines out.
    pub fn take(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.iter().try_for_each(|it| writeln!(f, "{it}"))
    }
}
