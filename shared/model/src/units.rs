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
