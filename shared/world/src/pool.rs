//! Pools of capacity: how many tasks a provider can hold in a zone, and who holds them.
//!
//! A slot that Spot takes back belongs to its task until the notice ends, but no longer to the pool: what is free is the capacity
//! less the tasks that stay.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};

/// A pool: a provider (or launch type) in a zone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoolKey {
    /// `FARGATE`, `FARGATE_SPOT`, `EC2` (the launch type) or a declared provider's name.
    pub provider: String,
    /// The zone's name.
    pub zone: String,
}

impl PoolKey {
    /// Joins the two names.
    #[must_use]
    pub fn new(provider: &str, zone: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            zone: zone.to_owned(),
        }
    }
}

impl fmt::Display for PoolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.provider, self.zone)
    }
}

/// One pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pool {
    /// How many tasks it can hold; `None` has no bound.
    pub capacity: Option<u32>,
    /// The ids of the tasks that hold a slot and keep it.
    pub kept: BTreeSet<String>,
    /// The ids of the tasks whose slot was taken back and whose notice is not over.
    pub reclaimed: BTreeSet<String>,
}

impl Pool {
    /// Whether one more task fits.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.capacity
            .is_none_or(|it| self.kept.len() < usize::try_from(it).unwrap_or(usize::MAX))
    }

    /// How many tasks must go.
    pub(crate) fn excess(&self) -> usize {
        self.capacity.map_or(0, |it| {
            self.kept
                .len()
                .saturating_sub(usize::try_from(it).unwrap_or(usize::MAX))
        })
    }
}

/// The pools, by key. A pool that nobody declared has no bound.
pub(crate) type Pools = BTreeMap<PoolKey, Pool>;

/// A token bucket on the virtual clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    burst: u32,
    refill_per_sec: u32,
    /// Thousandths of a token: a refill of `n` per second is `n` of them in each millisecond.
    level: i64,
    at: Timestamp,
}

impl Bucket {
    pub(crate) fn full(burst: u32, refill_per_sec: u32, at: Timestamp) -> Self {
        Self {
            burst,
            refill_per_sec,
            level: i64::from(burst) * 1_000,
            at,
        }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        let elapsed = now
            .as_millisecond()
            .saturating_sub(self.at.as_millisecond());
        let refilled = elapsed.saturating_mul(i64::from(self.refill_per_sec));
        self.level = self
            .level
            .saturating_add(refilled)
            .min(i64::from(self.burst) * 1_000);
        self.at = now;
        if self.level < 1_000 {
            return false;
        }
        self.level -= 1_000;
        true
    }
}

/// `at`, so many milliseconds later.
pub(crate) fn later(at: Timestamp, millis: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_millis(millis))
        .unwrap_or(Timestamp::MAX)
}
