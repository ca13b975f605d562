//! Whether an instance, or one that does not exist yet, is a member.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use super::argument::{self, Comparison, Literal, Version};
use super::expression::{Condition, Expression, TextTest};
use super::pattern::Pattern;

/// What is known of an instance. A field without a value is not known, and whatever depends on it is [`Verdict::Unknown`].
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Its attributes, the built-in ones included. An attribute may have no value.
    pub attributes: &'a BTreeMap<String, Option<String>>,
    /// What it means that an attribute is not among them.
    pub unlisted: Unlisted<'a>,
    /// Its EC2 instance id.
    pub ec2_instance_id: Option<&'a str>,
    /// Whether its agent is connected.
    pub agent_connected: Option<bool>,
    /// Its agent's version, such as `1.14.5`.
    pub agent_version: Option<&'a str>,
    /// When it registered.
    pub registered_at: Option<Timestamp>,
    /// How many tasks run on it. Leave it out where tasks are still to be placed on the instance.
    pub running_tasks_count: Option<u32>,
}

/// What it means that an attribute is not listed.
#[derive(Debug, Clone, Copy)]
pub enum Unlisted<'a> {
    /// The instance does not have it.
    Absent,
    /// The instance does not have it, except for these, of which nothing is known.
    AbsentExcept(&'a BTreeSet<String>),
    /// Nothing is known of it.
    Unknown,
}

/// Whether an instance is a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// It cannot be decided. The first part that stands in the way.
    Unknown(Unsupported),
}

/// A part of an expression that cannot be decided, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{part}` cannot be decided: {cause}")]
pub struct Unsupported {
    /// The part, as it is written.
    pub part: String,
    /// Why it cannot be decided.
    pub cause: Cause,
}

/// Why a part cannot be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It depends on which tasks are placed with one another.
    TaskGroup,
    /// The pattern goes beyond what is understood of Java's syntax.
    Pattern {
        /// The part of the pattern.
        part: String,
    },
    /// A time is to be equal to the time of registration; to what precision, AWS does not document.
    EqualTimes,
    /// As numbers and as texts the two values compare differently; which of the two AWS means is not documented.
    NumbersOrTexts,
    /// It is not known of this instance.
    NotKnown,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TaskGroup => {
                f.write_str("which tasks share an instance changes with each task that is placed")
            }
            Self::Pattern { part } => write!(f, "`{part}` in a pattern is not supported"),
            Self::EqualTimes => f.write_str("AWS does not document how exact two equal times are"),
            Self::NumbersOrTexts => {
                f.write_str("AWS does not document whether numbers are compared as texts")
            }
            Self::NotKnown => f.write_str("it is not known of this instance"),
        }
    }
}

impl Expression {
    /// The parts that can be decided of no instance whatever, from left to right.
    #[must_use]
    pub fn unsupported(&self) -> Vec<Unsupported> {
        self.conditions()
            .into_iter()
            .filter_map(|condition| {
                let cause = never_decided(condition)?;
                Some(unsupported(condition, cause))
            })
            .collect()
    }
}

/// Whether an instance with these facts is a member.
///
/// A part that cannot be decided matters only where the rest leaves it open: `no and unknown` is no, `yes or unknown` is yes.
#[must_use]
pub fn matches(expression: &Expression, facts: &Facts<'_>) -> Verdict {
    match expression {
        Expression::Condition(condition) => decide(condition, facts),
        Expression::Not(inner) => match matches(inner, facts) {
            Verdict::Yes => Verdict::No,
            Verdict::No => Verdict::Yes,
            Verdict::Unknown(part) => Verdict::Unknown(part),
        },
        Expression::And(parts) => joined(parts, facts, &Verdict::No, Verdict::Yes),
        Expression::Or(parts) => joined(parts, facts, &Verdict::Yes, Verdict::No),
    }
}

/// The settling verdict as soon as one part has it; otherwise the first unknown part; otherwise the neutral verdict.
fn joined(
    parts: &[Expression],
    facts: &Facts<'_>,
    settling: &Verdict,
    neutral: Verdict,
) -> Verdict {
    let mut verdict = neutral;
    for part in parts {
        let of_part = matches(part, facts);
        if of_part == *settling {
            return of_part;
        }
        if matches!(of_part, Verdict::Unknown(_)) && !matches!(verdict, Verdict::Unknown(_)) {
            verdict = of_part;
        }
    }
    verdict
}

fn decide(condition: &Condition, facts: &Facts<'_>) -> Verdict {
    let decided = match never_decided(condition) {
        Some(cause) => Err(cause),
        None => answer(condition, facts),
    };
    match decided {
        Ok(true) => Verdict::Yes,
        Ok(false) => Verdict::No,
        Err(cause) => Verdict::Unknown(unsupported(condition, cause)),
    }
}

fn unsupported(condition: &Condition, cause: Cause) -> Unsupported {
    Unsupported {
        part: condition.to_string(),
        cause,
    }
}

/// Why the condition can be decided of no instance, if that is so.
fn never_decided(condition: &Condition) -> Option<Cause> {
    match condition {
        Condition::TaskGroup(_) => Some(Cause::TaskGroup),
        Condition::RegisteredAt(Comparison::Equal | Comparison::NotEqual, _) => {
            Some(Cause::EqualTimes)
        }
        Condition::RegisteredAt(
            Comparison::Greater
            | Comparison::GreaterEqual
            | Comparison::Less
            | Comparison::LessEqual,
            _,
        )
        | Condition::AgentVersion(..)
        | Condition::RunningTasksCount(..) => None,
        Condition::Attribute { test, .. }
        | Condition::AgentConnected(test)
        | Condition::Ec2InstanceId(test) => match test {
            TextTest::Matches(pattern) | TextTest::NotMatches(pattern) => refused(pattern),
            TextTest::Compare(..)
            | TextTest::Exists
            | TextTest::NotExists
            | TextTest::In(_)
            | TextTest::NotIn(_) => None,
        },
    }
}

fn refused(pattern: &Pattern) -> Option<Cause> {
    let part = pattern.refused()?.to_owned();
    Some(Cause::Pattern { part })
}

fn answer(condition: &Condition, facts: &Facts<'_>) -> Result<bool, Cause> {
    match condition {
        Condition::Attribute { name, test } => match attribute(name, facts) {
            Some(value) => value_passes(value, test),
            None => Err(Cause::NotKnown),
        },
        Condition::AgentConnected(test) => {
            let connected = facts.agent_connected.ok_or(Cause::NotKnown)?;
            value_passes(Found::Value(if connected { "true" } else { "false" }), test)
        }
        Condition::Ec2InstanceId(test) => value_passes(
            Found::Value(facts.ec2_instance_id.ok_or(Cause::NotKnown)?),
            test,
        ),
        Condition::AgentVersion(comparison, version) => {
            let own = facts.agent_version.and_then(Version::parse);
            let order = own.ok_or(Cause::NotKnown)?.order(version);
            Ok(comparison.holds(order))
        }
        Condition::RegisteredAt(comparison, at) => {
            let order = facts.registered_at.ok_or(Cause::NotKnown)?.cmp(at);
            Ok(comparison.holds(order))
        }
        Condition::RunningTasksCount(comparison, count) => {
            let order = facts.running_tasks_count.ok_or(Cause::NotKnown)?.cmp(count);
            Ok(comparison.holds(order))
        }
        Condition::TaskGroup(_) => Err(Cause::TaskGroup),
    }
}

/// What an instance has under an attribute's name.
#[derive(Clone, Copy)]
enum Found<'a> {
    Value(&'a str),
    WithoutValue,
    Absent,
}

/// None: it is not known.
fn attribute<'a>(name: &str, facts: &Facts<'a>) -> Option<Found<'a>> {
    match facts.attributes.get(name) {
        Some(Some(value)) => Some(Found::Value(value)),
        Some(None) => Some(Found::WithoutValue),
        None => match facts.unlisted {
            Unlisted::Absent => Some(Found::Absent),
            Unlisted::AbsentExcept(names) => (!names.contains(name)).then_some(Found::Absent),
            Unlisted::Unknown => None,
        },
    }
}

/// Without a value nothing passes but the tests of existence: also `!=` selects only among values.
fn value_passes(found: Found<'_>, test: &TextTest) -> Result<bool, Cause> {
    let value = match found {
        Found::Value(value) => Some(value),
        Found::WithoutValue | Found::Absent => None,
    };
    let of_value = |passes: &dyn Fn(&str) -> Result<bool, Cause>| value.map_or(Ok(false), passes);
    let listed =
        |list: &[Literal], value: &str| list.iter().any(|literal| literal.as_str() == value);
    let fits = |pattern: &Pattern, value: &str| {
        pattern.matches(value).ok_or_else(|| Cause::Pattern {
            part: pattern.refused().unwrap_or_default().to_owned(),
        })
    };
    match test {
        TextTest::Exists => Ok(!matches!(found, Found::Absent)),
        TextTest::NotExists => Ok(matches!(found, Found::Absent)),
        TextTest::Compare(comparison, literal) => {
            of_value(&|value| compared(value, *comparison, literal.as_str()))
        }
        TextTest::In(list) => of_value(&|value| Ok(listed(list, value))),
        TextTest::NotIn(list) => of_value(&|value| Ok(!listed(list, value))),
        TextTest::Matches(pattern) => of_value(&|value| fits(pattern, value)),
        TextTest::NotMatches(pattern) => of_value(&|value| fits(pattern, value).map(|fits| !fits)),
    }
}

/// Equality is that of texts. Of two whole numbers the order counts only where it is the same as numbers and as texts.
fn compared(value: &str, comparison: Comparison, literal: &str) -> Result<bool, Cause> {
    let as_texts = comparison.holds(value.cmp(literal));
    match comparison {
        Comparison::Equal | Comparison::NotEqual => Ok(as_texts),
        Comparison::Greater
        | Comparison::GreaterEqual
        | Comparison::Less
        | Comparison::LessEqual => {
            let numbers = argument::number(value).zip(argument::number(literal));
            match numbers {
                Some((value, literal)) if comparison.holds(value.cmp(&literal)) != as_texts => {
                    Err(Cause::NumbersOrTexts)
                }
                Some(_) | None => Ok(as_texts),
            }
        }
    }
}
