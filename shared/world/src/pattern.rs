//! EventBridge event patterns: which events a rule lets through.
//!
//! Guaranteed: pure, and every pattern that is accepted is compared as EventBridge documents it
//! (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-content-based-filtering.html>). A pattern that
//! cannot be used is an error that names the path of the fault; nothing is ever skipped in silence.
//!
//! - A field of the pattern is a nested object, or an array of tests of which one must hold.
//! - A field of the event that is an array matches when one of its elements does. Several fields asked of an array of objects
//!   must hold in the same element.
//! - `exists` sees leaves only: an object or an empty array is not there, `null` is.
//!
//! Assumed: numbers are compared exactly as they are written, as EventBridge does (`300` is not `300.0`), except that `300.0`
//! and `3.0e2` are one number here, because the JSON reader keeps no spelling.
//!
//! Absent: the filter `cidr`, which is refused by name, and the limit on the pattern's size in characters.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

mod parse;
mod wildcard;

use parse::{Path, parse_fields};
use wildcard::Wildcard;

/// The most combinations that the `$or` arrays of a pattern may ask for.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-content-based-filtering.html#eb-filtering-complex-example-or>
pub const OR_COMBINATIONS_MAX: usize = 1_000;

/// Numbers in the filter `numeric` lie between [`NUMERIC_MIN`] and this.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-content-based-filtering.html#eb-filtering-numeric-matching>
pub const NUMERIC_MAX: f64 = 5.0e9;

/// The other end of [`NUMERIC_MAX`].
pub const NUMERIC_MIN: f64 = -5.0e9;

/// Why a pattern cannot be used, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event pattern is not valid at `{path}`: {fault}")]
pub struct PatternError {
    /// The field, as a path of names with dots; `$` is the pattern itself.
    pub path: String,
    /// What is wrong there.
    pub fault: PatternFault,
}

/// What is wrong with a field of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternFault {
    /// The pattern is not an object.
    #[error("a pattern must be a JSON object")]
    NotAnObject,
    /// An object without fields.
    #[error("an object must have a field")]
    EmptyObject,
    /// An array without tests.
    #[error("an array must have a value")]
    EmptyArray,
    /// A field that is neither an object nor an array: exact values are written in an array too.
    #[error("a field must be an object or an array of values")]
    BareValue,
    /// An array within an array of tests.
    #[error("a value must be a string, a number, true, false, null or a content filter")]
    NestedArray,
    /// A content filter with no or several keys.
    #[error("a content filter has exactly one key, this one has {keys}")]
    FilterKeys {
        /// How many it has.
        keys: usize,
    },
    /// A content filter that EventBridge has, and that is not modelled here.
    #[error("the content filter `{filter}` is not supported by this world")]
    UnsupportedFilter {
        /// Its name.
        filter: String,
    },
    /// A content filter that EventBridge does not have.
    #[error("there is no content filter `{filter}`")]
    UnknownFilter {
        /// Its name.
        filter: String,
    },
    /// A content filter with a value that it does not take.
    #[error("the content filter `{filter}` takes {wanted}")]
    FilterValue {
        /// Its name.
        filter: &'static str,
        /// What it takes.
        wanted: &'static str,
    },
    /// A `$or` that is not an array of two or more objects.
    #[error("`$or` takes an array of two or more objects")]
    Or,
    /// The `$or` arrays ask for more than [`OR_COMBINATIONS_MAX`].
    #[error(
        "the `$or` arrays make {combinations} combinations, at most {OR_COMBINATIONS_MAX} are allowed"
    )]
    OrCombinations {
        /// How many there are.
        combinations: usize,
    },
}

/// A pattern, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    fields: Fields,
}

impl Pattern {
    /// Reads a pattern, as a rule's `EventPattern` gives it.
    ///
    /// # Errors
    /// When EventBridge would refuse the pattern, or when it asks for `cidr`.
    pub fn parse(pattern: &Value) -> Result<Self, PatternError> {
        let at = Path::default();
        let object = pattern
            .as_object()
            .ok_or_else(|| at.fault(PatternFault::NotAnObject))?;
        let fields = parse_fields(object, &at)?;
        let combinations = fields.combinations();
        if combinations > OR_COMBINATIONS_MAX {
            return Err(at.fault(PatternFault::OrCombinations { combinations }));
        }
        Ok(Self { fields })
    }

    /// Whether the event, a whole envelope, is let through.
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        self.fields.match_value(Some(event))
    }
}

/// What is asked of an object: every field, and one branch of each `$or`.
#[derive(Debug, Clone, PartialEq)]
struct Fields {
    named: BTreeMap<String, Field>,
    any_of: Vec<Fields>,
}

#[derive(Debug, Clone, PartialEq)]
enum Field {
    Object(Fields),
    Leaf(Vec<Test>),
}

/// One entry of an array of tests.
#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// The very value.
    Is(Value),
    Exists(bool),
    AnythingBut(Vec<Test>),
    Prefix(String),
    PrefixIgnoringCase(String),
    Suffix(String),
    SuffixIgnoringCase(String),
    EqualsIgnoringCase(String),
    Wildcard(Wildcard),
    Numeric(Vec<(Comparison, f64)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Fields {
    fn match_value(&self, value: Option<&Value>) -> bool {
        match value {
            Some(Value::Object(object)) => self.match_object(object),
            // What is absent is absent from every element; what is present is present in one.
            Some(Value::Array(elements)) if self.asks_for_absence_only() => elements
                .iter()
                .all(|element| self.match_value(Some(element))),
            Some(Value::Array(elements)) => elements
                .iter()
                .any(|element| self.match_value(Some(element))),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {
                self.match_object(&Map::new())
            }
        }
    }

    fn match_object(&self, object: &Map<String, Value>) -> bool {
        let named = self.named.iter().all(|(name, field)| match field {
            Field::Object(fields) => fields.match_value(object.get(name)),
            Field::Leaf(tests) => match_leaf(tests, object.get(name)),
        });
        named
            && (self.any_of.is_empty()
                || self.any_of.iter().any(|branch| branch.match_object(object)))
    }

    fn asks_for_absence_only(&self) -> bool {
        let named = self.named.values().all(|field| match field {
            Field::Object(fields) => fields.asks_for_absence_only(),
            Field::Leaf(tests) => tests.iter().all(|test| *test == Test::Exists(false)),
        });
        named && self.any_of.iter().all(Self::asks_for_absence_only)
    }

    fn combinations(&self) -> usize {
        let branches = if self.any_of.is_empty() {
            1
        } else {
            self.any_of
                .iter()
                .map(Self::combinations)
                .fold(0, usize::saturating_add)
        };
        self.named.values().fold(branches, |product, field| {
            product.saturating_mul(match field {
                Field::Object(fields) => fields.combinations(),
                Field::Leaf(_) => 1,
            })
        })
    }
}

fn match_leaf(tests: &[Test], value: Option<&Value>) -> bool {
    let mut leaves = Vec::new();
    if let Some(value) = value {
        collect_leaves(value, &mut leaves);
    }
    if leaves.is_empty() {
        return tests.contains(&Test::Exists(false));
    }
    tests
        .iter()
        .any(|test| leaves.iter().any(|leaf| test.holds_for(leaf)))
}

fn collect_leaves<'a>(value: &'a Value, leaves: &mut Vec<&'a Value>) {
    match value {
        Value::Array(elements) => {
            for element in elements {
                collect_leaves(element, leaves);
            }
        }
        Value::Object(_) => {}
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => leaves.push(value),
    }
}

impl Test {
    /// Whether a leaf that is there passes.
    fn holds_for(&self, leaf: &Value) -> bool {
        let text = leaf.as_str();
        match self {
            Self::Is(wanted) => wanted == leaf,
            Self::Exists(wanted) => *wanted,
            Self::AnythingBut(refused) => !refused.iter().any(|test| test.holds_for(leaf)),
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
            Self::PrefixIgnoringCase(prefix) => {
                text.is_some_and(|text| lower(text).starts_with(prefix))
            }
            Self::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
            Self::SuffixIgnoringCase(suffix) => {
                text.is_some_and(|text| lower(text).ends_with(suffix))
            }
            Self::EqualsIgnoringCase(wanted) => text.is_some_and(|text| lower(text) == *wanted),
            Self::Wildcard(wildcard) => text.is_some_and(|text| wildcard.matches(text)),
            Self::Numeric(comparisons) => leaf.as_f64().is_some_and(|number| {
                comparisons
                    .iter()
                    .all(|(comparison, bound)| comparison.holds_for(number, *bound))
            }),
        }
    }
}

impl Comparison {
    fn holds_for(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Equal => number == bound,
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Greater => number > bound,
            Self::GreaterOrEqual => number >= bound,
        }
    }
}

fn lower(text: &str) -> String {
    text.to_lowercase()
}

#[cfg(test)]
mod tests;
