//! The promises, each held against both ledgers.

use std::collections::BTreeSet;
use std::time::Duration;

use calls::Deadline;
use ledger::{Ledger, LedgerError, MemoryLedger, RENEWAL_SECS, Version};
use model::duty::{Memory, SubjectKey};
use model::memory::{Level, PairMemory, Write};
use model::{ServiceKey, Timestamp};
use serde::{Deserialize, Serialize};

use crate::judge::moto;

fn key(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-03-02T09:00:00.25Z")
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

/// A memory that differs with `tasks`.
fn memory(tasks: u32) -> PairMemory {
    PairMemory {
        deficits: vec![Level { tasks, at: now() }],
        wrote: Some(Write {
            from: 0,
            to: tasks,
            at: now(),
            confirmed: false,
        }),
        ..PairMemory::default()
    }
}

async fn recall(ledger: &Ledger, text: &str) -> (PairMemory, Version) {
    let recalled = ledger.recall(&BTreeSet::from([key(text)]), soon()).await;
    assert!(recalled.gaps.is_empty(), "{:?}", recalled.gaps);
    recalled.known[&key(text)].clone()
}

async fn remember(
    ledger: &Ledger,
    text: &str,
    tasks: u32,
    expected: Version,
) -> Result<Version, LedgerError> {
    ledger
        .remember(&key(text), &memory(tasks), expected, now(), soon())
        .await
}

async fn what_was_remembered_is_recalled(ledger: &Ledger) {
    assert_eq!(
        recall(ledger, "demo/web").await,
        (PairMemory::default(), Version::NONE),
        "a pair that was never written has the empty memory"
    );
    let first = remember(ledger, "demo/web", 1, Version::NONE)
        .await
        .unwrap();
    assert_eq!(recall(ledger, "demo/web").await, (memory(1), first));
    let second = remember(ledger, "demo/web", 2, first).await.unwrap();
    assert!(second > first);
    assert_eq!(recall(ledger, "demo/web").await, (memory(2), second));
    assert_eq!(
        recall(ledger, "demo/other").await,
        (PairMemory::default(), Version::NONE),
        "pairs do not share a memory"
    );
}

async fn a_stale_version_changes_nothing(ledger: &Ledger) {
    let first = remember(ledger, "demo/web", 1, Version::NONE)
        .await
        .unwrap();
    let second = remember(ledger, "demo/web", 2, first).await.unwrap();
    for stale in [Version::NONE, first] {
        let conflict = remember(ledger, "demo/web", 9, stale).await.unwrap_err();
        assert_eq!(
            conflict,
            LedgerError::Conflict {
                key: key("demo/web"),
                expected: stale
            }
        );
    }
    // A version that never was is as wrong as an old one, also for a pair that was never written.
    for text in ["demo/web", "demo/never"] {
        let never = if text == "demo/web" { first } else { second };
        assert!(matches!(
            remember(ledger, text, 9, never).await,
            Err(LedgerError::Conflict { .. })
        ));
    }
    assert_eq!(recall(ledger, "demo/web").await, (memory(2), second));
    assert_eq!(recall(ledger, "demo/never").await.1, Version::NONE);
}

/// Every order in which writers that read the same version can write: each version is won by exactly one.
async fn of_several_writers_exactly_one_wins(ledger: &Ledger) {
    for (pair, writers) in [("demo/two", 2), ("demo/three", 3)] {
        let mut wins = 0;
        for round in 0..4_u32 {
            let (_, read) = recall(ledger, pair).await;
            let mut winner = None;
            for turn in 0..writers {
                // Each round another writer comes first.
                let writer = (turn + round) % writers;
                match remember(ledger, pair, 10 * round + writer, read).await {
                    Ok(_) => {
                        assert_eq!(winner.replace(writer), None, "one winner in round {round}")
                    }
                    Err(LedgerError::Conflict { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            let winner = winner.expect("a winner");
            assert_eq!(recall(ledger, pair).await.0, memory(10 * round + winner));
            wins += 1;
        }
        assert_eq!(recall(ledger, pair).await.1.number(), wins);
    }
}

/// The same, with requests that are on their way at the same time.
async fn writers_at_the_same_time_do_not_both_win(ledger: &Ledger) {
    for round in 0..10_u32 {
        let (_, read) = recall(ledger, "demo/race").await;
        let (a, b, c) = tokio::join!(
            remember(ledger, "demo/race", 100 + round, read),
            remember(ledger, "demo/race", 200 + round, read),
            remember(ledger, "demo/race", 300 + round, read),
        );
        let won = [&a, &b, &c].into_iter().filter(|it| it.is_ok()).count();
        assert_eq!(won, 1, "round {round}: {a:?} {b:?} {c:?}");
    }
}

async fn many_pairs_are_recalled_at_once(ledger: &Ledger) {
    let keys: BTreeSet<ServiceKey> = (0..250).map(|it| key(&format!("demo/s{it}"))).collect();
    for index in (0..250).step_by(50) {
        remember(ledger, &format!("demo/s{index}"), index, Version::NONE)
            .await
            .unwrap();
    }
    let recalled = ledger.recall(&keys, soon()).await;
    assert!(recalled.gaps.is_empty());
    assert_eq!(
        recalled.known.keys().collect::<Vec<_>>(),
        keys.iter().collect::<Vec<_>>()
    );
    let written = recalled
        .known
        .values()
        .filter(|(_, version)| *version > Version::NONE);
    assert_eq!(written.count(), 5);
    assert_eq!(recalled.known[&key("demo/s200")].0, memory(200));
    assert_eq!(recalled.version(&key("demo/s201")), Some(Version::NONE));

    let none = ledger.recall(&BTreeSet::<ServiceKey>::new(), soon()).await;
    assert!(none.known.is_empty() && none.gaps.is_empty());
}

/// A memory is to be written again a week after its last write, changed or not; one that was never written is not.
async fn a_memory_that_was_not_written_for_a_week_is_due(ledger: &Ledger) {
    let pair = key("demo/old");
    let after = |secs| model::Seconds(secs).after(now());
    let keys = BTreeSet::from([pair.clone()]);
    let recalled = ledger.recall(&keys, soon()).await;
    assert!(!recalled.is_due(&pair, after(RENEWAL_SECS)));
    let first = remember(ledger, "demo/old", 1, Version::NONE)
        .await
        .unwrap();
    let recalled = ledger.recall(&keys, soon()).await;
    assert_eq!(recalled.written_at, [(pair.clone(), now())].into());
    for (secs, is_due) in [(0, false), (RENEWAL_SECS - 1, false), (RENEWAL_SECS, true)] {
        assert_eq!(recalled.is_due(&pair, after(secs)), is_due, "{secs}");
    }
    let written_at = after(RENEWAL_SECS);
    let same = memory(1);
    let again = ledger.remember(&pair, &same, first, written_at, soon());
    again.await.unwrap();
    let recalled = ledger.recall(&keys, soon()).await;
    assert!(!recalled.is_due(&pair, after(2 * RENEWAL_SECS - 1)));
}

/// A subject of another function, with the same name as a pair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct OtherKey(String);

impl std::fmt::Display for OtherKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl SubjectKey for OtherKey {
    type Memory = OtherMemory;

    fn ledger_key(&self) -> String {
        format!("other:{}", self.0)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct OtherMemory {
    lost: Vec<(String, Timestamp)>,
}

impl Memory for OtherMemory {}

async fn functions_that_share_a_ledger_do_not_share_a_memory(ledger: &Ledger) {
    let (pair, other) = ("demo/web", OtherKey("demo/web".to_owned()));
    let lost = OtherMemory {
        lost: vec![("zone".to_owned(), now())],
    };
    let first = remember(ledger, pair, 1, Version::NONE).await.unwrap();
    let theirs = ledger
        .remember(&other, &lost, Version::NONE, now(), soon())
        .await
        .unwrap();
    assert_eq!(recall(ledger, pair).await, (memory(1), first));
    let recalled = ledger
        .recall(&BTreeSet::from([other.clone()]), soon())
        .await;
    assert_eq!(recalled.known[&other], (lost.clone(), theirs));
    let stale = ledger.remember(&other, &lost, Version::NONE, now(), soon());
    let conflict = stale.await.unwrap_err();
    assert_eq!(
        conflict.to_string(),
        "the memory of `demo/web` was written by somebody else since version 0: read it again"
    );
}

/// Every promise, each on an empty ledger.
macro_rules! promises {
    ($($promise:ident)+) => {
        mod in_memory {
            use super::*;
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(&Ledger::Memory(MemoryLedger::new())).await;
            })+
        }

        #[tokio::test]
        async fn in_dynamo_db() {
            let Some(moto) = moto() else { return };
            $(
                let (_, ledger) = moto.table().await;
                $promise(&ledger).await;
            )+
        }
    };
}

promises! {
    what_was_remembered_is_recalled
    a_stale_version_changes_nothing
    of_several_writers_exactly_one_wins
    writers_at_the_same_time_do_not_both_win
    many_pairs_are_recalled_at_once
    a_memory_that_was_not_written_for_a_week_is_due
    functions_that_share_a_ledger_do_not_share_a_memory
}
