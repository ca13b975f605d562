//! Units that must not be mixed up with plain numbers.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A whole number of seconds. Differences of times may be negative.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seconds(pub i64);

impl Seconds {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From `earlier` to `later`, rounded towards zero; negative when they are the other way round.
    #[must_use]
    pub fn between(earlier: Timestamp, later: Timestamp) -> Self {
        Self(later.duration_since(earlier).as_secs())
    }

    /// `at` moved later by this much; at the ends of time it stays there.
    #[must_use]
    pub fn after(self, at: Timestamp) -> Timestamp {
        at.saturating_add(SignedDuration::from_secs(self.0))
            .unwrap_or(Timestamp::MAX)
    }

    /// `at` moved earlier by this much; at the ends of time it stays there.
    #[must_use]
    pub fn before(self, at: Timestamp) -> Timestamp {
        at.saturating_sub(SignedDuration::from_secs(self.0))
            .unwrap_or(Timestamp::MIN)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

/// So many things, in a text: `1 task`, `3 tasks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted(pub u32, pub &'static str);

impl Counted {
    /// With the verb: `1 task is`, `3 tasks are`.
    #[must_use]
    pub fn are(self) -> String {
        let verb = if self.0 == 1 { "is" } else { "are" };
        format!("{self} {verb}")
    }

    /// With the verb: `1 task was`, `3 tasks were`.
    #[must_use]
    pub fn were(self) -> String {
        let verb = if self.0 == 1 { "was" } else { "were" };
        format!("{self} {verb}")
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, thing) = self;
        let plural = if *count == 1 { "" } else { "s" };
        write!(f, "{count} {thing}{plural}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_one_thing() {
        let texts = [0, 1, 2].map(|it| {
            let counted = Counted(it, "task");
            format!("{counted}, {}, {}", counted.are(), counted.were())
        });
        assert_eq!(
            texts,
            [
                "0 tasks, 0 tasks are, 0 tasks were",
                "1 task, 1 task is, 1 task was",
                "2 tasks, 2 tasks are, 2 tasks were"
            ]
        );
    }
}
