//! Writes several subjects' memories, a few at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use calls::Deadline;
use ledger::{Ledger, LedgerError, Version};
use model::Timestamp;
use model::duty::SubjectKey;
use model::snapshot::{Gap, GapCause};
use tokio::task::JoinSet;

/// The most ledger writes that are under way at once.
const WRITES_AT_ONCE_MAX: usize = 16;

/// A memory to write, on condition that the ledger still has the version that was read.
#[derive(Debug, Clone)]
pub(crate) struct Writing<K: SubjectKey> {
    pub(crate) key: K,
    pub(crate) memory: K::Memory,
    pub(crate) expected: Version,
}

/// Writes them all; every key has its answer.
pub(crate) async fn remember_all<K: SubjectKey>(
    ledger: &Arc<Ledger>,
    writings: Vec<Writing<K>>,
    now: Timestamp,
    deadline: Deadline,
) -> BTreeMap<K, Result<Version, LedgerError<K>>> {
    let mut answers: BTreeMap<K, Result<Version, LedgerError<K>>> = writings
        .iter()
        .map(|it| (it.key.clone(), Err(unfinished(&it.key))))
        .collect();
    let mut under_way = JoinSet::new();
    let mut waiting = writings.into_iter();
    loop {
        while under_way.len() < WRITES_AT_ONCE_MAX {
            let Some(writing) = waiting.next() else { break };
            let ledger = Arc::clone(ledger);
            under_way.spawn(async move {
                let Writing {
                    key,
                    memory,
                    expected,
                } = writing;
                let answer = ledger
                    .remember(&key, &memory, expected, now, deadline)
                    .await;
                (key, answer)
            });
        }
        match under_way.join_next().await {
            Some(Ok((key, answer))) => {
                answers.insert(key, answer);
            }
            // The write panicked: its answer stays what it was at first.
            Some(Err(_panicked)) => {}
            None => return answers,
        }
    }
}

fn unfinished<K: SubjectKey>(key: &K) -> LedgerError<K> {
    LedgerError::Unavailable(Gap {
        operation: "dynamodb:PutItem".to_owned(),
        resource: key.to_string(),
        cause: GapCause::Other,
        detail: "the write did not come to its end".to_owned(),
    })
}
