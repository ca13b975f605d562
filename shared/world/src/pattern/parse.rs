//! The reading of a pattern: everything that EventBridge would refuse is refused here, with its path.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::wildcard::Wildcard;
use super::{
    Comparison, Field, Fields, NUMERIC_MAX, NUMERIC_MIN, PatternError, PatternFault, Test, lower,
};

/// Where in the pattern the reader is.
#[derive(Debug, Clone, Default)]
pub(super) struct Path(Vec<String>);

impl Path {
    fn field(&self, name: &str) -> Self {
        let mut names = self.0.clone();
        names.push(name.to_owned());
        Self(names)
    }

    pub(super) fn fault(&self, fault: PatternFault) -> PatternError {
        let path = if self.0.is_empty() {
            "$".to_owned()
        } else {
            self.0.join(".")
        };
        PatternError { path, fault }
    }
}

pub(super) fn parse_fields(object: &Map<String, Value>, at: &Path) -> Result<Fields, PatternError> {
    if object.is_empty() {
        return Err(at.fault(PatternFault::EmptyObject));
    }
    let mut named = BTreeMap::new();
    let mut any_of = Vec::new();
    for (name, value) in object {
        let at = at.field(name);
        match value {
            _ if name == "$or" => any_of = parse_or(value, &at)?,
            Value::Object(object) => {
                named.insert(name.clone(), Field::Object(parse_fields(object, &at)?));
            }
            Value::Array(values) => {
                named.insert(name.clone(), Field::Leaf(parse_tests(values, &at)?));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(at.fault(PatternFault::BareValue));
            }
        }
    }
    Ok(Fields { named, any_of })
}

fn parse_or(value: &Value, at: &Path) -> Result<Vec<Fields>, PatternError> {
    let branches = value
        .as_array()
        .filter(|branches| branches.len() >= 2)
        .ok_or_else(|| at.fault(PatternFault::Or))?;
    branches
        .iter()
        .enumerate()
        .map(|(index, branch)| {
            let object = branch
                .as_object()
                .ok_or_else(|| at.fault(PatternFault::Or))?;
            parse_fields(object, &at.field(&index.to_string()))
        })
        .collect()
}

fn parse_tests(values: &[Value], at: &Path) -> Result<Vec<Test>, PatternError> {
    if values.is_empty() {
        return Err(at.fault(PatternFault::EmptyArray));
    }
    values
        .iter()
        .map(|value| match value {
            Value::Array(_) => Err(at.fault(PatternFault::NestedArray)),
            Value::Object(filter) => {
                let (name, value) = only_key(filter, at)?;
                parse_filter(name, value, at)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Ok(Test::Is(value.clone()))
            }
        })
        .collect()
}

fn only_key<'a>(
    filter: &'a Map<String, Value>,
    at: &Path,
) -> Result<(&'a str, &'a Value), PatternError> {
    let mut entries = filter.iter();
    match (entries.next(), entries.next()) {
        (Some((name, value)), None) => Ok((name.as_str(), value)),
        (None | Some(_), _) => Err(at.fault(PatternFault::FilterKeys { keys: filter.len() })),
    }
}

fn parse_filter(name: &str, value: &Value, at: &Path) -> Result<Test, PatternError> {
    match name {
        "exists" => match value {
            Value::Bool(wanted) => Ok(Test::Exists(*wanted)),
            Value::Null
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => Err(wrong("exists", "true or false", at)),
        },
        "numeric" => parse_numeric(value, at),
        "anything-but" => parse_anything_but(value, at),
        "prefix" | "suffix" | "equals-ignore-case" | "wildcard" => {
            parse_text_filter(name, value, at)
        }
        "cidr" => Err(at.fault(PatternFault::UnsupportedFilter {
            filter: name.to_owned(),
        })),
        unknown => Err(at.fault(PatternFault::UnknownFilter {
            filter: unknown.to_owned(),
        })),
    }
}

fn wrong(filter: &'static str, wanted: &'static str, at: &Path) -> PatternError {
    at.fault(PatternFault::FilterValue { filter, wanted })
}

/// A filter on strings: `prefix`, `suffix`, `equals-ignore-case` or `wildcard`.
fn parse_text_filter(name: &str, value: &Value, at: &Path) -> Result<Test, PatternError> {
    /// The text of `{"equals-ignore-case": text}`, which `prefix` and `suffix` take instead of a text.
    fn ignoring_case(value: &Value) -> Option<String> {
        let filter = value.as_object().filter(|filter| filter.len() == 1)?;
        filter.get("equals-ignore-case")?.as_str().map(lower)
    }
    const EDGE: &str = "a string, or `{\"equals-ignore-case\": string}`";
    match (name, value.as_str()) {
        ("prefix", Some(text)) => Ok(Test::Prefix(text.to_owned())),
        ("prefix", None) => ignoring_case(value)
            .map(Test::PrefixIgnoringCase)
            .ok_or_else(|| wrong("prefix", EDGE, at)),
        ("suffix", Some(text)) => Ok(Test::Suffix(text.to_owned())),
        ("suffix", None) => ignoring_case(value)
            .map(Test::SuffixIgnoringCase)
            .ok_or_else(|| wrong("suffix", EDGE, at)),
        ("equals-ignore-case", Some(text)) => Ok(Test::EqualsIgnoringCase(lower(text))),
        ("equals-ignore-case", None) => Err(wrong("equals-ignore-case", "a string", at)),
        (_, Some(text)) => Wildcard::parse(text)
            .map(Test::Wildcard)
            .map_err(|wanted| wrong("wildcard", wanted, at)),
        (_, None) => Err(wrong("wildcard", "a string", at)),
    }
}

fn parse_anything_but(value: &Value, at: &Path) -> Result<Test, PatternError> {
    const WANTED: &str = "a string, a number, an array of only strings or only numbers, or one of the filters `prefix`, `suffix`, `equals-ignore-case` and `wildcard`";
    match value {
        Value::String(_) | Value::Number(_) => Ok(Test::AnythingBut(vec![Test::Is(value.clone())])),
        Value::Array(values) => {
            let uniform =
                values.iter().all(Value::is_string) || values.iter().all(Value::is_number);
            if values.is_empty() || !uniform {
                return Err(wrong("anything-but", WANTED, at));
            }
            Ok(Test::AnythingBut(
                values.iter().cloned().map(Test::Is).collect(),
            ))
        }
        Value::Object(filter) => {
            let (name, value) = only_key(filter, at)?;
            if !matches!(
                name,
                "prefix" | "suffix" | "equals-ignore-case" | "wildcard"
            ) {
                return Err(wrong("anything-but", WANTED, at));
            }
            let single = std::slice::from_ref(value);
            let texts = value.as_array().map_or(single, Vec::as_slice);
            if texts.is_empty() {
                return Err(wrong("anything-but", WANTED, at));
            }
            let refused: Result<Vec<_>, _> = texts
                .iter()
                .map(|text| parse_text_filter(name, text, at))
                .collect();
            Ok(Test::AnythingBut(refused?))
        }
        Value::Null | Value::Bool(_) => Err(wrong("anything-but", WANTED, at)),
    }
}

fn parse_numeric(value: &Value, at: &Path) -> Result<Test, PatternError> {
    const WANTED: &str = "`[operator, number]`, or a lower and an upper bound, `[\">\" or \">=\", number, \"<\" or \"<=\", number]`, with numbers from -5.0e9 to 5.0e9 and the lower bound below the upper";
    let refused = || wrong("numeric", WANTED, at);
    let bound = |operator: &Value, number: &Value| -> Option<(Comparison, f64)> {
        let comparison = match operator.as_str()? {
            "=" => Comparison::Equal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        let number = number
            .as_f64()
            .filter(|number| (NUMERIC_MIN..=NUMERIC_MAX).contains(number))?;
        Some((comparison, number))
    };
    match value.as_array().map(Vec::as_slice) {
        Some([operator, number]) => {
            let only = bound(operator, number).ok_or_else(refused)?;
            Ok(Test::Numeric(vec![only]))
        }
        Some([low_operator, low, high_operator, high]) => {
            let low = bound(low_operator, low).ok_or_else(refused)?;
            let high = bound(high_operator, high).ok_or_else(refused)?;
            let lower_first = matches!(low.0, Comparison::Greater | Comparison::GreaterOrEqual)
                && matches!(high.0, Comparison::Less | Comparison::LessOrEqual);
            if !lower_first || low.1 >= high.1 {
                return Err(refused());
            }
            Ok(Test::Numeric(vec![low, high]))
        }
        Some(_) | None => Err(refused()),
    }
}
