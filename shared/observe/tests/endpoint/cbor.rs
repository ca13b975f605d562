//! Bodies in CBOR, which is what the SDK speaks with CloudWatch, as JSON and back.
//!
//! In an answer `{"$time": 1772442000}` is a time, and `{"$float": "NaN"}` what JSON has no number for.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value, json};

/// A request's body. Times are their seconds.
pub(crate) fn read(body: &[u8]) -> Value {
    to_json(ciborium::from_reader(body).unwrap())
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a value of another kind is none that CloudWatch is asked with"
)]
fn to_json(value: Cbor) -> Value {
    match value {
        Cbor::Integer(it) => json!(i64::try_from(it).unwrap()),
        Cbor::Float(it) => Number::from_f64(it).map_or(Value::Null, Value::Number),
        Cbor::Text(it) => Value::String(it),
        Cbor::Bool(it) => Value::Bool(it),
        Cbor::Tag(_, it) => to_json(*it),
        Cbor::Array(items) => items.into_iter().map(to_json).collect(),
        Cbor::Map(fields) => {
            let fields = fields
                .into_iter()
                .map(|(name, it)| (name.into_text().unwrap(), to_json(it)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Cbor::Null => Value::Null,
        other => panic!("{other:?}"),
    }
}

fn of_json(value: &Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(it) => Cbor::Bool(*it),
        Value::Number(it) => match it.as_i64() {
            Some(whole) => Cbor::Integer(whole.into()),
            None => Cbor::Float(it.as_f64().unwrap()),
        },
        Value::String(it) => Cbor::Text(it.clone()),
        Value::Array(items) => Cbor::Array(items.iter().map(of_json).collect()),
        Value::Object(fields) => {
            if let Some(time) = fields.get("$time") {
                return Cbor::Tag(1, Box::new(of_json(time)));
            }
            if let Some(float) = fields.get("$float") {
                return Cbor::Float(float.as_str().unwrap().parse().unwrap());
            }
            let fields = fields
                .iter()
                .map(|(name, it)| (Cbor::Text(name.clone()), of_json(it)));
            Cbor::Map(fields.collect())
        }
    }
}

/// An answer.
pub(crate) fn respond(status: StatusCode, date: &'static str, answer: &Value) -> Response {
    let mut body = Vec::new();
    ciborium::into_writer(&of_json(answer), &mut body).unwrap();
    let headers = [
        (header::DATE, date),
        (header::CONTENT_TYPE, "application/cbor"),
        (
            header::HeaderName::from_static("smithy-protocol"),
            "rpc-v2-cbor",
        ),
    ];
    (status, headers, body).into_response()
}
