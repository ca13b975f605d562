//! An expression that was read, and how it is written.

use std::fmt;

use jiff::Timestamp;

use super::argument::{Comparison, Literal, Version};
use super::pattern::Pattern;

/// An expression of the cluster query language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// A subject, an operator and an argument.
    Condition(Condition),
    /// `not`.
    Not(Box<Expression>),
    /// Two or more expressions, joined with `and`.
    And(Vec<Expression>),
    /// Two or more expressions, joined with `or`.
    Or(Vec<Expression>),
}

/// A subject, an operator and an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `attribute:` and a name.
    Attribute {
        /// The attribute's name, such as `ecs.instance-type`.
        name: String,
        /// What is asked of its value.
        test: TextTest,
    },
    /// `agentConnected`: equality, lists and patterns over `true` and `false`.
    AgentConnected(TextTest),
    /// `agentVersion`.
    AgentVersion(Comparison, Version),
    /// `ec2InstanceId`: equality, lists and patterns.
    Ec2InstanceId(TextTest),
    /// `registeredAt`.
    RegisteredAt(Comparison, Timestamp),
    /// `runningTasksCount`.
    RunningTasksCount(Comparison, u32),
    /// `task:group`. It is read, and never decided.
    TaskGroup(TextTest),
}

/// What is asked of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextTest {
    /// How it compares.
    Compare(Comparison, Literal),
    /// `exists`.
    Exists,
    /// `!exists`.
    NotExists,
    /// `in` a list.
    In(Vec<Literal>),
    /// `!in` a list.
    NotIn(Vec<Literal>),
    /// `=~`.
    Matches(Pattern),
    /// `!~`.
    NotMatches(Pattern),
}

impl Expression {
    /// Its conditions, from left to right.
    #[must_use]
    pub fn conditions(&self) -> Vec<&Condition> {
        match self {
            Self::Condition(condition) => vec![condition],
            Self::Not(inner) => inner.conditions(),
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::conditions).collect(),
        }
    }
}

impl fmt::Display for Expression {
    /// With parentheses only where they are needed to read it back as the same expression.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Condition(condition) => write!(f, "{condition}"),
            Self::Not(inner) => {
                f.write_str("not ")?;
                inner.within(f, matches!(**inner, Self::And(_) | Self::Or(_)))
            }
            Self::And(parts) => joined(parts, " and ", f, |part| {
                matches!(part, Self::And(_) | Self::Or(_))
            }),
            Self::Or(parts) => joined(parts, " or ", f, |part| matches!(part, Self::Or(_))),
        }
    }
}

impl Expression {
    fn within(&self, f: &mut fmt::Formatter<'_>, needs_parentheses: bool) -> fmt::Result {
        if needs_parentheses {
            write!(f, "({self})")
        } else {
            write!(f, "{self}")
        }
    }
}

fn joined(
    parts: &[Expression],
    word: &str,
    f: &mut fmt::Formatter<'_>,
    needs_parentheses: impl Fn(&Expression) -> bool,
) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(word)?;
        }
        part.within(f, needs_parentheses(part))?;
    }
    Ok(())
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute { name, test } => write!(f, "attribute:{name} {test}"),
            Self::AgentConnected(test) => write!(f, "agentConnected {test}"),
            Self::AgentVersion(comparison, version) => {
                write!(f, "agentVersion {comparison} {version}")
            }
            Self::Ec2InstanceId(test) => write!(f, "ec2InstanceId {test}"),
            Self::RegisteredAt(comparison, at) => write!(f, "registeredAt {comparison} {at}"),
            Self::RunningTasksCount(comparison, count) => {
                write!(f, "runningTasksCount {comparison} {count}")
            }
            Self::TaskGroup(test) => write!(f, "task:group {test}"),
        }
    }
}

impl fmt::Display for TextTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare(comparison, literal) => write!(f, "{comparison} {literal}"),
            Self::Exists => f.write_str("exists"),
            Self::NotExists => f.write_str("!exists"),
            Self::In(list) => listed("in", list, f),
            Self::NotIn(list) => listed("!in", list, f),
            Self::Matches(pattern) => write!(f, "=~ {pattern}"),
            Self::NotMatches(pattern) => write!(f, "!~ {pattern}"),
        }
    }
}

fn listed(operator: &str, list: &[Literal], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{operator} [")?;
    for (at, literal) in list.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        write!(f, "{comma}{literal}")?;
    }
    f.write_str("]")
}
