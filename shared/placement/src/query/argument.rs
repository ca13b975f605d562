//! What stands behind an operator.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::token;

/// A comparison of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`, `equals`.
    Equal,
    /// `!=`, `not_equals`.
    NotEqual,
    /// `>`, `greater_than`.
    Greater,
    /// `>=`, `greater_than_equal`.
    GreaterEqual,
    /// `<`, `less_than`.
    Less,
    /// `<=`, `less_than_equal`.
    LessEqual,
}

impl Comparison {
    /// The operator, as a sign.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Less => "<",
            Self::LessEqual => "<=",
        }
    }

    /// Whether two values that are ordered like this pass.
    #[must_use]
    pub const fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text behind an operator, without its quotation marks. It never holds both kinds of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Literal(String);

impl Literal {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if token::is_bare(&self.0) {
            f.write_str(&self.0)
        } else {
            quoted(&self.0, f)
        }
    }
}

/// The text in quotation marks of the kind that it does not hold.
pub(super) fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mark = if text.contains('\'') { '"' } else { '\'' };
    write!(f, "{mark}{text}{mark}")
}

/// The container agent's version: whole numbers between periods. A number that is left out is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(Vec<u32>);

/// The most numbers of a version.
const VERSION_NUMBERS_MAX: usize = 4;

impl Version {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let numbers: Option<Vec<u32>> = text.split('.').map(number).collect();
        numbers
            .filter(|numbers| numbers.len() <= VERSION_NUMBERS_MAX)
            .map(Self)
    }

    /// How this version is ordered against another one.
    #[must_use]
    pub fn order(&self, other: &Self) -> std::cmp::Ordering {
        let padded = |version: &Self| {
            let mut numbers = version.0.clone();
            numbers.resize(VERSION_NUMBERS_MAX, 0);
            numbers
        };
        padded(self).cmp(&padded(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, number) in self.0.iter().enumerate() {
            let point = if at == 0 { "" } else { "." };
            write!(f, "{point}{number}")?;
        }
        Ok(())
    }
}

/// A whole number in digits only; `str::parse` would also take a sign.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits_only = text.bytes().all(|byte| byte.is_ascii_digit());
    digits_only.then(|| text.parse().ok()).flatten()
}

/// A time in one of the four documented forms: `2018-06-18T22:28:28+00:00`, `2018-06-18T22:28:28Z`, `2018-06-18T22:28:28` and
/// `2018-06-18`.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let utc = |at: DateTime| at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
    match text.len() {
        10 => utc(text
            .parse::<Date>()
            .ok()?
            .to_datetime(jiff::civil::Time::midnight())),
        19 => utc(text.parse().ok()?),
        20 | 25 => text.parse().ok(),
        _ => None,
    }
}
