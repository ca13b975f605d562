//! The ledger of one process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::duty::SubjectKey;
use model::snapshot::{Gap, GapCause};

use crate::content::{decode, encode};
use crate::{LedgerError, Recalled, RecalledOf, Version};

/// Keeps the memories in this process, as the text that a table would keep. They last as long as it does, and no other process sees
/// them.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    items: Mutex<BTreeMap<String, (String, Version)>>,
}

impl MemoryLedger {
    /// A ledger without memories.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn recall<K: SubjectKey>(&self, keys: &BTreeSet<K>) -> RecalledOf<K> {
        let items = self.items();
        let mut recalled = Recalled::default();
        for key in keys {
            let Some((text, version)) = items.get(&key.ledger_key()) else {
                let fresh = (K::Memory::default(), Version::NONE);
                recalled.known.insert(key.clone(), fresh);
                continue;
            };
            match decode(text) {
                Ok(memory) => _ = recalled.known.insert(key.clone(), (memory, *version)),
                Err(fault) => {
                    let detail = format!("the memory cannot be understood: {fault}");
                    recalled.gaps.insert(key.clone(), gap(key, detail));
                    recalled.unreadable.insert(key.clone(), *version);
                }
            }
        }
        recalled
    }

    pub(crate) fn remember<K: SubjectKey>(
        &self,
        key: &K,
        memory: &K::Memory,
        expected: Version,
    ) -> Result<Version, LedgerError<K>> {
        let text = encode(memory).map_err(|detail| LedgerError::Unavailable(gap(key, detail)))?;
        let mut items = self.items();
        let found = items
            .get(&key.ledger_key())
            .map_or(Version::NONE, |(_, version)| *version);
        if found != expected {
            return Err(LedgerError::Conflict {
                key: key.clone(),
                expected,
            });
        }
        let next = expected.next();
        items.insert(key.ledger_key(), (text, next));
        Ok(next)
    }

    /// Every write is one insertion: a panic elsewhere cannot have left half of one.
    fn items(&self) -> MutexGuard<'_, BTreeMap<String, (String, Version)>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gap<K: SubjectKey>(key: &K, detail: String) -> Gap {
    Gap {
        operation: "ledger in memory".to_owned(),
        resource: key.to_string(),
        cause: GapCause::Other,
        detail,
    }
}
