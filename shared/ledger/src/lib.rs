//! What is remembered of each pair between invocations.
//!
//! Guaranteed: every write is conditional on the version that was read, so that of several writers that read the same version
//! exactly one succeeds; the others get [`LedgerError::Conflict`] and must read again. One pair's trouble never hides another's.
//!
//! Assumed: the table has the partition key `pair` (a string) and nothing else is stored in it.
//!
//! Absent: what is remembered (`model::memory`) and what follows from it (`placement`).
//!
//! # An item that cannot be read
//! An item whose memory is corrupt, or was written by a newer version with another schema, is [`Recalled::gaps`]: the pair's memory
//! is unknown, so that nothing is given back. Its version is still told, where it can be read. A later [`Ledger::remember`] with that
//! version replaces the item: the gap has been recorded by then, and the pair heals by itself, also after a return to an older
//! version of Ballast. An item whose version cannot be
//! read either has no version to be conditional on: it is never overwritten by Ballast, and the gap's detail says to delete it.

mod dynamo_db;
mod memory;

use std::collections::{BTreeMap, BTreeSet};

use calls::Deadline;
use model::ServiceKey;
use model::Timestamp;
use model::memory::PairMemory;
use model::snapshot::Gap;
use serde::{Deserialize, Serialize};

pub use dynamo_db::{ATTRIBUTE_EXPIRES_AT, ATTRIBUTE_PAIR, DynamoDbLedger, EXPIRY_SECS};
pub use memory::MemoryLedger;

/// How often a pair's memory was written. Zero: never.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Version(u64);

impl Version {
    /// The version of a pair that was never written.
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

/// What was recalled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recalled {
    /// The pairs whose memory is known. A pair that was never written has the empty memory and [`Version::NONE`].
    pub known: BTreeMap<ServiceKey, (PairMemory, Version)>,
    /// The pairs whose memory is not known, and why.
    pub gaps: BTreeMap<ServiceKey, Gap>,
    /// The versions of those pairs in `gaps` whose item was found and could not be understood: what a later write must expect.
    pub unreadable: BTreeMap<ServiceKey, Version>,
}

impl Recalled {
    /// The version that a write of this pair must expect. `None` where it is not known: nothing can be written then.
    #[must_use]
    pub fn version(&self, key: &ServiceKey) -> Option<Version> {
        let known = self.known.get(key).map(|(_, version)| *version);
        known.or_else(|| self.unreadable.get(key).copied())
    }
}

/// Why something was not remembered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Somebody else wrote since.
    #[error("the memory of `{key}` was written by somebody else since version {}: read it again", expected.0)]
    Conflict {
        /// The pair.
        key: ServiceKey,
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
    /// What is remembered of these pairs. Every key is in exactly one of the answer's `known` and `gaps`.
    pub async fn recall(&self, keys: &BTreeSet<ServiceKey>, deadline: Deadline) -> Recalled {
        match self {
            Self::Memory(ledger) => ledger.recall(keys),
            Self::DynamoDb(ledger) => ledger.recall(keys, deadline).await,
        }
    }

    /// Remembers this of a pair, if its memory still has the version that was read; `now` is AWS's own time, noted beside it.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] when it does not, [`LedgerError::Unavailable`] when the ledger did not answer.
    pub async fn remember(
        &self,
        key: &ServiceKey,
        memory: &PairMemory,
        expected: Version,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Version, LedgerError> {
        match self {
            Self::Memory(ledger) => ledger.remember(key, memory, expected),
            Self::DynamoDb(ledger) => ledger.remember(key, memory, expected, now, deadline).await,
        }
    }
}
