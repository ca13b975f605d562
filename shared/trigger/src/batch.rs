//! The messages of an SQS queue, as its event source mapping hands them to a function.
//!
//! Only a message's id and body are read. A body is an event, or a notification of SNS whose `Message` is one.
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>,
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>

use model::MessageId;
use model::trigger::Trigger;
use serde_json::{Map, Value};

use crate::envelope;
use crate::error::{Problem, TriggerError};
use crate::{Invocation, Item};

/// The most messages of one batch that are read. An event source mapping sends at most so many from a standard queue; each message
/// beyond it is an error of its own, so that it is delivered again.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>
pub const RECORDS_MAX: usize = 10_000;

/// The records, when the payload is a batch and not an event.
pub(crate) fn records_of(payload: &Value) -> Option<&[Value]> {
    let fields = payload.as_object()?;
    if fields.contains_key("source") {
        return None;
    }
    fields.get("Records")?.as_array().map(Vec::as_slice)
}

/// Reads each record on its own.
pub(crate) fn read(records: &[Value]) -> Invocation {
    Invocation {
        items: records
            .iter()
            .enumerate()
            .map(|(index, record)| Item {
                message: message_id(record),
                read: if index < RECORDS_MAX {
                    event_of(index, record)
                } else {
                    Err(TriggerError::TooManyRecords { index })
                },
            })
            .collect(),
        is_batch: records.iter().all(is_from_sqs),
    }
}

/// A record of SNS, S3 or a stream names another source: such a batch does not fail message by message.
fn is_from_sqs(record: &Value) -> bool {
    ["eventSource", "EventSource"]
        .iter()
        .filter_map(|field| record.get(*field)?.as_str())
        .all(|source| source == "aws:sqs")
}

fn message_id(record: &Value) -> Option<MessageId> {
    record.get("messageId")?.as_str()?.parse().ok()
}

/// The event in a record's body.
fn event_of(index: usize, record: &Value) -> Result<Trigger, TriggerError> {
    let Value::Object(fields) = record else {
        let problem = Problem::with(Some(record), "an object");
        return Err(TriggerError::Record {
            index,
            field: "record",
            problem,
        });
    };
    let body = json(index, "body", fields.get("body"))?;
    match notification(&body) {
        Some(fields) => notified(index, fields),
        None => envelope::read(&body),
    }
}

/// The fields of a notification of SNS.
fn notification(body: &Value) -> Option<&Map<String, Value>> {
    let fields = body.as_object()?;
    (fields.contains_key("Message") && !fields.contains_key("source")).then_some(fields)
}

/// The event in a notification's message.
fn notified(index: usize, fields: &Map<String, Value>) -> Result<Trigger, TriggerError> {
    envelope::read(&json(index, "body.Message", fields.get("Message"))?)
}

/// The JSON in a text. A byte order mark in front is skipped.
fn json(index: usize, field: &'static str, value: Option<&Value>) -> Result<Value, TriggerError> {
    let Some(Value::String(text)) = value else {
        return Err(TriggerError::Record {
            index,
            field,
            problem: Problem::with(value, "a text"),
        });
    };
    serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|source| {
        TriggerError::RecordNotJson {
            index,
            field,
            source,
        }
    })
}
