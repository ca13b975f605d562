//! The envelope that all events of EventBridge share, and what comes without one: an alarm's own call of a function, and a
//! notification of Auto Scaling.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/aws-events.html>

use model::Timestamp;
use model::trigger::{Envelope, Ignored, Trigger, TriggerKind};
use serde_json::{Map, Value};

use crate::error::{Problem, Subject, TriggerError};
use crate::event::Event;
use crate::text::{TYPE_CHARS_MAX, cut};
use crate::{alarm, notification, table};

/// The longest text that is tried as a time. RFC 3339 with nanoseconds and an offset has 35 characters.
const TIME_CHARS_MAX: usize = 64;

/// Reads one event.
pub(crate) fn read(payload: &Value) -> Result<Trigger, TriggerError> {
    let Value::Object(fields) = payload else {
        return Err(TriggerError::NotAnEvent {
            field: "payload",
            problem: Problem::with(Some(payload), "an object"),
        });
    };
    if let Some(notified) = notification::read(fields) {
        return notified;
    }
    let Some(Value::String(source)) = fields.get("source") else {
        return Err(TriggerError::NotAnEvent {
            field: "source",
            problem: Problem::with(fields.get("source"), "a text"),
        });
    };
    let is_call = alarm::is_call(source, fields);
    let detail_type = if is_call {
        Some(alarm::DETAIL_TYPE)
    } else {
        fields.get("detail-type").and_then(Value::as_str)
    };
    let envelope = Envelope {
        source: cut(source, TYPE_CHARS_MAX),
        detail_type: cut(detail_type.unwrap_or_default(), TYPE_CHARS_MAX),
        id: id(fields, "id"),
        account: id(fields, if is_call { "accountId" } else { "account" }),
        region: id(fields, "region"),
        time: fields.get("time").and_then(time),
    };
    let kind = match detail_type {
        Some(detail_type) => match table::row(source, detail_type) {
            Some(read) => read(&Event {
                envelope: &envelope,
                fields,
            })?,
            None => TriggerKind::Ignored(Ignored::NotOurs),
        },
        None if table::has_source(source) => {
            return Err(TriggerError::Field {
                subject: Box::new(Subject::from(&envelope)),
                field: "detail-type",
                problem: Problem::with(fields.get("detail-type"), "a text"),
            });
        }
        None => TriggerKind::Ignored(Ignored::NotOurs),
    };
    Ok(Trigger { envelope, kind })
}

/// An id of the envelope; nothing when it is absent or no id.
fn id<T: std::str::FromStr>(fields: &Map<String, Value>, field: &str) -> Option<T> {
    fields.get(field)?.as_str()?.parse().ok()
}

/// A time; nothing when it is a placeholder or otherwise unreadable. An offset without a colon, as CloudWatch writes it, is read.
pub(crate) fn time(value: &Value) -> Option<Timestamp> {
    let text = value.as_str()?;
    if text.len() > TIME_CHARS_MAX {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_that_aws_writes() {
        let want: Timestamp = "2019-10-02T17:04:40.989Z".parse().unwrap();
        for text in [
            "2019-10-02T17:04:40.989Z",
            "2019-10-02T17:04:40.989+0000",
            "2019-10-02T17:04:40.989+00:00",
            "2019-10-02T19:04:40.989+0200",
        ] {
            assert_eq!(time(&Value::from(text)), Some(want), "{text}");
        }
    }

    #[test]
    fn placeholder_times_are_none() {
        for value in [
            Value::from("yyyy-mm-ddThh:mm:ssZ"),
            Value::from("2023-08-04T12: 36: 15.490+0000"),
            Value::from(""),
            Value::from("1".repeat(1_000_000)),
            Value::from(1_570_035_880),
            Value::Null,
        ] {
            assert_eq!(time(&value), None);
        }
    }
}
