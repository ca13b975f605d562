//! RPC v2 CBOR, which SDKs and the AWS CLI speak with CloudWatch.
//! <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>
//!
//! The world's input and output are JSON; this file translates both ways. Times are ISO 8601 there, and seconds since 1970 with the
//! tag 1 here.

use ciborium::value::{Integer, Value as Cbor};
use serde_json::{Map, Number, Value};

use super::times::{self, is_time};
use crate::ApiError;

/// The value of the header `smithy-protocol`, of requests and answers.
pub(super) const PROTOCOL: &str = "rpc-v2-cbor";

/// The content type.
pub(super) const CONTENT_TYPE: &str = "application/cbor";

/// CBOR's tag of seconds since 1970. <https://www.rfc-editor.org/rfc/rfc8949#section-3.4.2>
const TAG_EPOCH: u64 = 1;

/// The deepest nesting that is read.
const DEPTH_MAX: usize = 32;

/// The operation that a path names: `/service/<name>/operation/<name>`.
pub(super) fn operation_of(path: &str) -> Option<(&str, &str)> {
    let rest = path.split_once("/service/")?.1;
    let (service, operation) = rest.split_once("/operation/")?;
    Some((service, operation.trim_end_matches('/')))
}

/// Reads an input. No body at all is an empty one.
pub(super) fn read(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let value: Cbor = ciborium::de::from_reader_with_recursion_limit(body, DEPTH_MAX)
        .map_err(|error| ApiError::serialization(format!("the body is not CBOR: {error}")))?;
    let value = to_json(value)?;
    if value.is_object() {
        return Ok(value);
    }
    Err(ApiError::serialization("the input is not a CBOR map"))
}

fn to_json(value: Cbor) -> Result<Value, ApiError> {
    let strange = || ApiError::serialization("the body holds a CBOR value of an unknown kind");
    match value {
        Cbor::Null => Ok(Value::Null),
        Cbor::Bool(flag) => Ok(Value::Bool(flag)),
        Cbor::Text(text) => Ok(Value::String(text)),
        Cbor::Integer(number) => integer(number).ok_or_else(strange),
        // JSON has no such numbers; Smithy's JSON has these words for them.
        Cbor::Float(number) => Ok(Number::from_f64(number).map_or_else(
            || {
                let word = match (number.is_nan(), number.is_sign_negative()) {
                    (true, _) => "NaN",
                    (false, false) => "Infinity",
                    (false, true) => "-Infinity",
                };
                Value::String(word.to_owned())
            },
            Value::Number,
        )),
        Cbor::Tag(TAG_EPOCH, inner) => times::from_epoch(&to_json(*inner)?).ok_or_else(strange),
        Cbor::Array(items) => items
            .into_iter()
            .map(to_json)
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        Cbor::Map(entries) => entries
            .into_iter()
            .map(|(name, value)| {
                let name = name.into_text().map_err(|_not_a_text| {
                    ApiError::serialization("a name in the body is not a text")
                })?;
                Ok((name, to_json(value)?))
            })
            .collect::<Result<Map<_, _>, _>>()
            .map(Value::Object),
        // The type may gain kinds of its own.
        Cbor::Bytes(_) | Cbor::Tag(..) | _ => Err(strange()),
    }
}

fn integer(number: Integer) -> Option<Value> {
    i64::try_from(number)
        .map(Value::from)
        .or_else(|_| u64::try_from(number).map(Value::from))
        .ok()
}

/// Writes an answer.
pub(super) fn write(answer: &Value) -> Vec<u8> {
    let mut body = Vec::new();
    // Writing to memory cannot fail.
    let _written = ciborium::into_writer(&to_cbor("", answer), &mut body);
    body
}

/// A value under a name, which says whether it is a time.
fn to_cbor(name: &str, value: &Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(flag) => Cbor::Bool(*flag),
        Value::Number(number) => number_of(number),
        Value::String(text) => match times::to_epoch(text).filter(|_| is_time(name)) {
            Some(Value::Number(number)) => Cbor::Tag(TAG_EPOCH, Box::new(number_of(&number))),
            Some(_) | None => Cbor::Text(text.clone()),
        },
        Value::Array(items) => Cbor::Array(items.iter().map(|it| to_cbor(name, it)).collect()),
        Value::Object(fields) => Cbor::Map(
            fields
                .iter()
                // What is not there has no entry.
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (Cbor::Text(name.clone()), to_cbor(name, value)))
                .collect(),
        ),
    }
}

fn number_of(number: &Number) -> Cbor {
    number
        .as_i64()
        .map(|it| Cbor::Integer(it.into()))
        .or_else(|| number.as_f64().map(Cbor::Float))
        .unwrap_or(Cbor::Null)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let answer = json!({
            "Timestamps": ["2026-03-02T09:00:00Z", "2026-03-02T09:00:00.25Z"],
            "Values": [1.5, 2.0],
            "Id": "2026-03-02T09:00:00Z",
            "Period": 60,
            "Flag": true,
            "Nothing": null,
        });
        let read = read(&write(&answer)).unwrap();
        let mut wanted = answer;
        wanted.as_object_mut().unwrap().remove("Nothing");
        assert_eq!(read, wanted);
    }

    #[test]
    fn times_have_their_tag() {
        let body = write(&json!({"StartTime": "1970-01-01T00:00:01Z"}));
        let value: Cbor = ciborium::from_reader(body.as_slice()).unwrap();
        let seconds = Cbor::Tag(1, Box::new(Cbor::Float(1.0)));
        assert_eq!(
            value,
            Cbor::Map(vec![(Cbor::Text("StartTime".to_owned()), seconds)])
        );
        // Whole seconds may come as integers.
        let whole = Cbor::Map(vec![(
            Cbor::Text("StartTime".to_owned()),
            Cbor::Tag(1, Box::new(Cbor::Integer(1.into()))),
        )]);
        let mut body = Vec::new();
        ciborium::into_writer(&whole, &mut body).unwrap();
        assert_eq!(
            read(&body).unwrap(),
            json!({"StartTime": "1970-01-01T00:00:01Z"})
        );
    }

    #[test]
    fn odd_bodies_are_refused() {
        assert_eq!(read(b"").unwrap(), json!({}));
        let deep = [vec![0x81; 10_000], vec![0x01]].concat();
        for body in [
            b"\xff".as_slice(),
            b"\x01",
            b"\xa1\x01\x02",
            b"\xa1",
            &deep,
            b"\xf9\x7e\x00",
        ] {
            let error = read(body).unwrap_err();
            assert_eq!(error.code, "SerializationException", "{body:?}");
        }
    }

    #[test]
    fn paths_name_operations() {
        assert_eq!(
            operation_of("/service/GraniteServiceVersion20100801/operation/DescribeAlarms"),
            Some(("GraniteServiceVersion20100801", "DescribeAlarms"))
        );
        assert_eq!(operation_of("/"), None);
        assert_eq!(operation_of("/service/x"), None);
    }
}
