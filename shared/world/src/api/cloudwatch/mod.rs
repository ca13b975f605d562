//! CloudWatch's operations on metrics and alarms.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Operations.html>
//!
//! Input and output are JSON with the names of AWS's own shapes, lists as arrays and times as ISO 8601. Values are kept in
//! thousandths; what is finer is cut off.

mod alarms;
mod composite;
mod data;
mod describe;
mod get;
mod queries;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::error::ApiError;

/// A number in thousandths, from a number or a text of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Milli(pub(crate) i64);

impl Milli {
    /// Reads a decimal, such as `80`, `-0.5` or `1e3`. What is finer than a thousandth is cut off.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (sign, digits) = match mantissa.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let all = format!("{whole}{fraction}");
        if !all.bytes().all(|it| it.is_ascii_digit()) {
            return None;
        }
        // The place of the point in `all`, after the move into thousandths.
        let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)? + 3;
        let Ok(point) = usize::try_from(point) else {
            return Some(Self(0));
        };
        if point > 18 && all.bytes().any(|it| it != b'0') {
            return None;
        }
        let kept: String = all
            .chars()
            .chain(std::iter::repeat('0'))
            .take(point.min(18))
            .collect();
        let value = if kept.is_empty() {
            0
        } else {
            kept.parse::<i64>().ok()?
        };
        Some(Self(sign * value))
    }
}

impl<'de> Deserialize<'de> for Milli {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text,
            other @ (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                return Err(serde::de::Error::custom(format!("{other} is not a number")));
            }
        };
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a number")))
    }
}

/// A dimension of a metric.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireDimension {
    name: String,
    value: String,
}

pub(super) fn dimensions_of(dimensions: &[WireDimension]) -> BTreeMap<String, String> {
    dimensions
        .iter()
        .map(|it| (it.name.clone(), it.value.clone()))
        .collect()
}

pub(super) fn dimensions_json(dimensions: &BTreeMap<String, String>) -> Value {
    dimensions
        .iter()
        .map(|(name, value)| json!({ "Name": name, "Value": value }))
        .collect()
}

/// `ValidationError`, the word of CloudWatch for input that it does not take.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CommonErrors.html>
fn invalid(message: impl std::fmt::Display) -> ApiError {
    ApiError::new("ValidationError", message, 400)
}

/// One of AWS's words.
pub(super) fn word_of<T>(
    word: &str,
    field: &str,
    parse: fn(&str) -> Option<T>,
) -> Result<T, ApiError> {
    parse(word).ok_or_else(|| {
        invalid(format!(
            "Value '{word}' at '{field}' failed to satisfy constraint: this world does not know it"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_become_thousandths() {
        for (text, wanted) in [
            ("80", Some(80_000)),
            ("80.0", Some(80_000)),
            ("-0.5", Some(-500)),
            ("1e3", Some(1_000_000)),
            ("2.5E-1", Some(250)),
            ("0.0001", Some(0)),
            ("1e-9", Some(0)),
            ("1.23456", Some(1_234)),
            ("99999999999999999999", None),
            ("", None),
            ("-", None),
            ("x", None),
            ("1.2.3", None),
        ] {
            assert_eq!(Milli::parse(text).map(|it| it.0), wanted, "{text:?}");
        }
    }
}
