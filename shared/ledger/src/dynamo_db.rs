//! The ledger in a DynamoDB table.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnValuesOnConditionCheckFailure,
};
use calls::{Deadline, Failure, call_unmetered, one_line};
use model::duty::{Memory, SubjectKey};
use model::snapshot::{Gap, GapCause};
use model::{Seconds, Timestamp};

use crate::content::{decode, encode};
use crate::{LedgerError, Recalled, RecalledOf, Version};

/// The partition key, a string: the subject's [`SubjectKey::ledger_key`]. It has the name of the first subject there was, a pair, whose
/// key is its primary's `cluster/service`; tables that are in use have it, and a key cannot be renamed.
pub const ATTRIBUTE_PAIR: &str = "pair";
/// How often the item was written, a number.
const ATTRIBUTE_VERSION: &str = "version";
/// The memory, JSON in a string.
const ATTRIBUTE_MEMORY: &str = "memory";
/// When it was written, RFC 3339 in a string.
const ATTRIBUTE_UPDATED_AT: &str = "updated_at";
/// What tells this write from every other, also from one of the same content: a random number in a string.
const ATTRIBUTE_WRITE: &str = "write";
/// When DynamoDB may delete it, seconds since 1970: the table's TTL attribute.
pub const ATTRIBUTE_EXPIRES_AT: &str = "expires_at";

/// How long a memory is kept after its last write, in seconds (30 days). What is looked after is written at least every
/// [`RENEWAL_SECS`](crate::RENEWAL_SECS); of what is gone, no tag's hold-down is longer than a day, and no foreign edit is respected for
/// longer than a week.
pub const EXPIRY_SECS: i64 = 30 * 24 * 3_600;

/// The most keys of one BatchGetItem.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>
const BATCH_GET_KEYS_MAX: usize = 100;
/// How often the keys that a BatchGetItem left unprocessed are asked for, the first time included.
const BATCH_GET_ATTEMPTS_MAX: u32 = 5;
/// The wait before the second attempt, in milliseconds; it doubles with each further one, as the API reference advises.
const BATCH_GET_WAIT_MS: u64 = 50;

type Item = HashMap<String, AttributeValue>;

/// Keeps the memories in a DynamoDB table.
#[derive(Debug)]
pub struct DynamoDbLedger {
    client: Client,
    table: String,
}

impl DynamoDbLedger {
    /// A ledger in this table.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
        }
    }

    /// The table's name.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    pub(crate) async fn recall<K: SubjectKey>(
        &self,
        keys: &BTreeSet<K>,
        deadline: Deadline,
    ) -> RecalledOf<K> {
        let mut recalled = Recalled::default();
        let all: Vec<&K> = keys.iter().collect();
        for batch in all.chunks(BATCH_GET_KEYS_MAX) {
            self.recall_batch(batch, deadline, &mut recalled).await;
        }
        recalled
    }

    async fn recall_batch<K: SubjectKey>(
        &self,
        batch: &[&K],
        deadline: Deadline,
        recalled: &mut RecalledOf<K>,
    ) {
        let mut open: BTreeMap<String, &K> =
            batch.iter().map(|key| (key.ledger_key(), *key)).collect();
        let mut wait = Duration::from_millis(BATCH_GET_WAIT_MS);
        for attempt in 1..=BATCH_GET_ATTEMPTS_MAX {
            let answer = match self.get(open.keys(), deadline).await {
                Ok(answer) => answer,
                Err(failure) => {
                    leave_gaps(&open, &failure.gap, recalled);
                    return;
                }
            };
            let found = answer.items.into_iter().filter_map(|item| {
                let pair = item.get(ATTRIBUTE_PAIR)?.as_s().ok()?;
                Some((open.remove(pair)?, item))
            });
            for (key, item) in found.collect::<Vec<_>>() {
                self.keep(key, &item, recalled);
            }
            // A key that was neither answered nor left unprocessed has no item.
            let unwritten = open
                .extract_if(.., |pair, _| !answer.unprocessed.contains(pair))
                .map(|(_, key)| (key.clone(), (K::Memory::default(), Version::NONE)));
            recalled.known.extend(unwritten);
            if open.is_empty() {
                return;
            }
            if attempt < BATCH_GET_ATTEMPTS_MAX {
                // The next attempt notices when the deadline is over.
                let _over = deadline.within(tokio::time::sleep(wait)).await;
                wait = wait.saturating_mul(2);
            }
        }
        let gap = Gap {
            operation: "dynamodb:BatchGetItem".to_owned(),
            resource: self.table.clone(),
            cause: GapCause::Throttled,
            detail: format!("still unprocessed after {BATCH_GET_ATTEMPTS_MAX} attempts"),
        };
        leave_gaps(&open, &gap, recalled);
    }

    async fn get<'a>(
        &self,
        pairs: impl Iterator<Item = &'a String>,
        deadline: Deadline,
    ) -> Result<Answer, Failure> {
        let operation = "dynamodb:BatchGetItem";
        let keys = pairs
            .map(|pair| {
                HashMap::from([(ATTRIBUTE_PAIR.to_owned(), AttributeValue::S(pair.clone()))])
            })
            .collect();
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            // What another invocation has just written must be seen.
            .consistent_read(true)
            .build();
        // The builder fails only without keys.
        let Ok(wanted) = wanted else {
            return Ok(Answer::default());
        };
        let request = self
            .client
            .batch_get_item()
            .request_items(self.table.clone(), wanted)
            .send();
        let answer = call_unmetered(deadline, operation, &self.table, request).await?;
        // The table may be given by ARN, and then be named by its name in the answer: only one table was asked for.
        let items = answer.responses.unwrap_or_default().into_values().flatten();
        let unprocessed = answer.unprocessed_keys.unwrap_or_default().into_values();
        Ok(Answer {
            items: items.collect(),
            unprocessed: unprocessed
                .flat_map(|keys| keys.keys)
                .filter_map(|mut key| match key.remove(ATTRIBUTE_PAIR) {
                    Some(AttributeValue::S(pair)) => Some(pair),
                    _ => None,
                })
                .collect(),
        })
    }

    /// Reads an item into what was recalled.
    fn keep<K: SubjectKey>(&self, key: &K, item: &Item, recalled: &mut RecalledOf<K>) {
        let gap = |detail: String| Gap {
            operation: "dynamodb:BatchGetItem".to_owned(),
            resource: key.to_string(),
            cause: GapCause::Other,
            detail: one_line(&detail),
        };
        let version = match item.get(ATTRIBUTE_VERSION).map(AttributeValue::as_n) {
            Some(Ok(number)) => number.parse::<u64>().ok(),
            Some(Err(_)) | None => None,
        };
        let Some(version) = version.filter(|number| *number > 0).map(Version) else {
            let gap = gap(format!(
                "the item in table `{}` has no usable `{ATTRIBUTE_VERSION}`: delete it",
                self.table
            ));
            recalled.gaps.insert(key.clone(), gap);
            return;
        };
        match read_memory(item) {
            Ok(memory) => {
                recalled.known.insert(key.clone(), (memory, version));
                let written_at = item.get(ATTRIBUTE_UPDATED_AT);
                let written_at = written_at.and_then(|it| it.as_s().ok()?.parse().ok());
                recalled
                    .written_at
                    .extend(written_at.map(|at| (key.clone(), at)));
            }
            Err(fault) => {
                let gap = gap(format!(
                    "the item in table `{}` cannot be understood and will be replaced: {fault}",
                    self.table
                ));
                recalled.gaps.insert(key.clone(), gap);
                recalled.unreadable.insert(key.clone(), version);
            }
        }
    }

    pub(crate) async fn remember<K: SubjectKey>(
        &self,
        key: &K,
        memory: &K::Memory,
        expected: Version,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Version, LedgerError<K>> {
        let operation = "dynamodb:PutItem";
        let text = encode(memory).map_err(|detail| {
            LedgerError::Unavailable(Gap {
                operation: operation.to_owned(),
                resource: key.to_string(),
                cause: GapCause::Other,
                detail,
            })
        })?;
        let next = expected.next();
        let expires_at = Seconds(EXPIRY_SECS).after(now).as_second();
        let item = Item::from(
            [
                (ATTRIBUTE_PAIR, AttributeValue::S(key.ledger_key())),
                (
                    ATTRIBUTE_VERSION,
                    AttributeValue::N(next.number().to_string()),
                ),
                (ATTRIBUTE_MEMORY, AttributeValue::S(text)),
                (ATTRIBUTE_WRITE, AttributeValue::S(random())),
                (ATTRIBUTE_UPDATED_AT, AttributeValue::S(now.to_string())),
                (
                    ATTRIBUTE_EXPIRES_AT,
                    AttributeValue::N(expires_at.to_string()),
                ),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item.clone()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let request = if expected == Version::NONE {
            request
                .condition_expression("attribute_not_exists(#pair)")
                .expression_attribute_names("#pair", ATTRIBUTE_PAIR)
        } else {
            let expected = AttributeValue::N(expected.number().to_string());
            request
                .condition_expression("#version = :expected")
                .expression_attribute_names("#version", ATTRIBUTE_VERSION)
                .expression_attribute_values(":expected", expected)
        };
        let resource = format!("{} in {}", key, self.table);
        match call_unmetered(deadline, operation, &resource, request.send()).await {
            Ok(_) => Ok(next),
            // The SDK repeats a write whose answer was lost; its own first attempt then looks like somebody else's.
            Err(failure) if item_found(&failure) == Some(&item) => Ok(next),
            Err(failure) if failure.code.as_deref() == Some("ConditionalCheckFailedException") => {
                Err(LedgerError::Conflict {
                    key: key.clone(),
                    expected,
                })
            }
            Err(failure) => Err(LedgerError::Unavailable(failure.into())),
        }
    }
}

/// The item that stood in the way of a conditional write.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html#DDB-PutItem-request-ReturnValuesOnConditionCheckFailure>
fn item_found(failure: &Failure) -> Option<&Item> {
    let error: &SdkError<PutItemError> = failure.source()?.downcast_ref()?;
    let PutItemError::ConditionalCheckFailedException(refusal) = error.as_service_error()? else {
        return None;
    };
    refusal.item()
}

/// A number that no other write has. `RandomState` has keys of its own for each value, from the operating system's random numbers.
fn random() -> String {
    format!("{:016x}", RandomState::new().hash_one(()))
}

/// An answer of BatchGetItem.
#[derive(Debug, Default)]
struct Answer {
    items: Vec<Item>,
    unprocessed: BTreeSet<String>,
}

fn leave_gaps<K: SubjectKey>(open: &BTreeMap<String, &K>, gap: &Gap, recalled: &mut RecalledOf<K>) {
    for key in open.values() {
        recalled.gaps.insert((*key).clone(), gap.clone());
    }
}

/// Reads the memory attribute; the error says what is wrong with it.
fn read_memory<M: Memory>(item: &Item) -> Result<M, String> {
    match item.get(ATTRIBUTE_MEMORY).map(AttributeValue::as_s) {
        Some(Ok(text)) => decode(text),
        Some(Err(_)) | None => Err(format!("`{ATTRIBUTE_MEMORY}` is no string")),
    }
}
