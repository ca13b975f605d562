//! The ledger of one process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::ServiceKey;
use model::memory::PairMemory;

use crate::{LedgerError, Recalled, Version};

/// Keeps the memories in this process. They last as long as it does, and no other process sees them.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    items: Mutex<BTreeMap<ServiceKey, (PairMemory, Version)>>,
}

impl MemoryLedger {
    /// A ledger without memories.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn recall(&self, keys: &BTreeSet<ServiceKey>) -> Recalled {
        let items = self.items();
        Recalled {
            known: keys
                .iter()
                .map(|key| (key.clone(), items.get(key).cloned().unwrap_or_default()))
                .collect(),
            ..Recalled::default()
        }
    }

    pub(crate) fn remember(
        &self,
        key: &ServiceKey,
        memory: &PairMemory,
        expected: Version,
    ) -> Result<Version, LedgerError> {
        let mut items = self.items();
        let found = items
            .get(key)
            .map_or(Version::NONE, |(_, version)| *version);
        if found != expected {
            return Err(LedgerError::Conflict {
                key: key.clone(),
                expected,
            });
        }
        let next = expected.next();
        items.insert(key.clone(), (memory.clone(), next));
        Ok(next)
    }

    /// Every write is one insertion: a panic elsewhere cannot have left half of one.
    fn items(&self) -> MutexGuard<'_, BTreeMap<ServiceKey, (PairMemory, Version)>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
