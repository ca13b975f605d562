//! What is remembered of each subject between invocations: of each pair, each capacity provider.
//!
//! Guaranteed: every write is conditional on the version that was read, so that of several writers that read the same version
//! exactly one succeeds; the others get [`LedgerError::Conflict`] and must read again. One subject's trouble never hides another's.
//!
//! Assumed: the table has the partition key `pair` (a string) and nothing but Ballast's memories is stored in it. Functions may share it:
//! no two subjects have the same [`SubjectKey::ledger_key`].
//!
//! A memory is kept for [`EXPIRY_SECS`] after its last write. What tells that one is to be written again although nothing has changed is
//! [`Recalled::is_due`].
//!
//! Absent: what is remembered (`model::memory`) and what follows from it (`placement`).
//!
//! # An item that cannot be read
//! An item whose memory is corrupt, or was written by a newer version with another schema, is [`Recalled::gaps`]: the subject's memory
//! is unknown, so that nothing is given back. Its version is still told, where it can be read. A later [`Ledger::remember`] with that
//! version replaces the item: the gap has been recorded by then, and the subject heals by itself, also after a return to an older
//! version of Ballast. An item whose version cannot be
//! read either has no version to be conditional on: it is never overwritten by Ballast, and the gap's detail says to delete it.

mod content;
mod dynamo_db;
mod memory;

use std::collections::{BTreeMap, BTreeSet};

use calls::Deadline;
use model::duty::SubjectKey;
use model::memory::PairMemory;
use model::snapshot::Gap;
use model::{Seconds, ServiceKey, Timestamp};
use serde::{Deserialize, Serialize};

pub use dynamo_db::{ATTRIBUTE_EXPIRES_AT, ATTRIBUTE_PAIR, DynamoDbLedger, EXPIRY_SECS};
pub use memory::MemoryLedger;

/// How often a subject's memory was written. Zero: never.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Version(u64);

impl Version {
    /// The version of a subject that was never written.
    pub const NONE: Self = Self(0);

    /// The number, as it is stored.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The version after this one.
    #[must_use]
    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// After how long a memory is written again that has not changed, in seconds (7 days): DynamoDB deletes an item [`EXPIRY_SECS`] after its
/// last write, and what is looked after is remembered for as long as that lasts. A quarter of the time leaves three weeks for an
/// installation that was stopped, or whose table could not be written.
pub const RENEWAL_SECS: i64 = 7 * 24 * 3_600;

/// What was recalled: of pairs where nothing else is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled<K = ServiceKey, M = PairMemory> {
    /// The subjects whose memory is known. A subject that was never written has the empty memory and [`Version::NONE`].
    pub known: BTreeMap<K, (M, Version)>,
    /// When the memories in `known` were last written, in AWS's time, where that can be read.
    pub written_at: BTreeMap<K, Timestamp>,
    /// The subjects whose memory is not known, and why.
    pub gaps: BTreeMap<K, Gap>,
    /// The versions of those subjects in `gaps` whose item was found and could not be understood: what a later write must expect.
    pub unreadable: BTreeMap<K, Version>,
}

/// What was recalled of subjects with such keys.
pub type RecalledOf<K> = Recalled<K, <K as SubjectKey>::Memory>;

impl<K, M> Default for Recalled<K, M> {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            written_at: BTreeMap::new(),
            gaps: BTreeMap::new(),
            unreadable: BTreeMap::new(),
        }
    }
}

impl<K: Ord, M> Recalled<K, M> {
    /// The version that a write of this subject must expect. `None` where it is not known: nothing can be written then.
    #[must_use]
    pub fn version(&self, key: &K) -> Option<Version> {
        let known = self.known.get(key).map(|(_, version)| *version);
        known.or_else(|| self.unreadable.get(key).copied())
    }

    /// Whether this subject's memory was written so long ago ([`RENEWAL_SECS`]) that it is to be written again, changed or not, before it
    /// is lost. An item that does not tell when it was written is.
    #[must_use]
    pub fn is_due(&self, key: &K, now: Timestamp) -> bool {
        let is_written = self.known.get(key).is_some_and(|it| it.1 > Version::NONE);
        let is_old = |at: &Timestamp| Seconds::between(*at, now).0 >= RENEWAL_SECS;
        is_written && self.written_at.get(key).is_none_or(is_old)
    }
}

/// Why something was not remembered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError<K: SubjectKey = ServiceKey> {
    /// Somebody else wrote since.
    #[error("the memory of `{key}` was written by somebody else since version {}: read it again", expected.0)]
    Conflict {
        /// The subject.
        key: K,
        /// The version that was expected.
        expected: Version,
    },
    /// The ledger did not take it, or did not say whether it did.
    #[error("the ledger is not available: {0}")]
    Unavailable(Gap),
}

/// Where the memories are kept.
#[derive(Debug)]
pub enum Ledger {
    /// In this process: for tests, the lab, and an installation without a table.
    Memory(MemoryLedger),
    /// In a DynamoDB table.
    DynamoDb(DynamoDbLedger),
}

impl Ledger {
    /// What is remembered of these subjects. Every key is in exactly one of the answer's `known` and `gaps`.
    pub async fn recall<K: SubjectKey>(
        &self,
        keys: &BTreeSet<K>,
        deadline: Deadline,
    ) -> RecalledOf<K> {
        match self {
            Self::Memory(ledger) => ledger.recall(keys),
            Self::DynamoDb(ledger) => ledger.recall(keys, deadline).await,
        }
    }

    /// Remembers this of a subject, if its memory still has the version that was read; `now` is AWS's own time, noted beside it.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] when it does not, [`LedgerError::Unavailable`] when the ledger did not answer.
    pub async fn remember<K: SubjectKey>(
        &self,
        key: &K,
        memory: &K::Memory,
        expected: Version,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Version, LedgerError<K>> {
        match self {
            Self::Memory(ledger) => ledger.remember(key, memory, expected, now),
            Self::DynamoDb(ledger) => ledger.remember(key, memory, expected, now, deadline).await,
        }
    }
}
