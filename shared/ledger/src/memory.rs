//! The ledger of one process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::Timestamp;
use model::duty::SubjectKey;
use model::snapshot::{Gap, GapCause};

use crate::content::{decode, encode};
use crate::{LedgerError, Recalled, RecalledOf, Version};

/// Keeps the memories in this process, as the text that a table would keep. They last as long as it does, and no other process sees
/// them.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    items: Mutex<BTreeMap<String, Item>>,
}

/// A memory as text.
#[derive(Debug)]
struct Item {
    text: String,
    version: Version,
    written_at: Timestamp,
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
            let Some(item) = items.get(&key.ledger_key()) else {
                let fresh = (K::Memory::default(), Version::NONE);
                recalled.known.insert(key.clone(), fresh);
                continue;
            };
            match decode(&item.text) {
                Ok(memory) => {
                    recalled.known.insert(key.clone(), (memory, item.version));
                    recalled.written_at.insert(key.clone(), item.written_at);
                }
                Err(fault) => {
                    let detail = format!("the memory cannot be understood: {fault}");
                    recalled.gaps.insert(key.clone(), gap(key, detail));
                    recalled.unreadable.insert(key.clone(), item.version);
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
        now: Timestamp,
    ) -> Result<Version, LedgerError<K>> {
        let text = encode(memory).map_err(|detail| LedgerError::Unavailable(gap(key, detail)))?;
        let mut items = self.items();
        let found = items
            .get(&key.ledger_key())
            .map_or(Version::NONE, |it| it.version);
        if found != expected {
            return Err(LedgerError::Conflict {
                key: key.clone(),
                expected,
            });
        }
        let version = expected.next();
        let item = Item {
            text,
            version,
            written_at: now,
        };
        items.insert(key.ledger_key(), item);
        Ok(version)
    }

    /// Every write is one insertion: a panic elsewhere cannot have left half of one.
    fn items(&self) -> MutexGuard<'_, BTreeMap<String, Item>> {
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
