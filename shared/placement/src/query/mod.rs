//! The cluster query language: which container instances a placement constraint `memberOf` allows.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html>
//!
//! Guaranteed: [`parse`] reads every text without a panic, in bounded time and depth, and says where a fault is and what was
//! expected there. An expression's `Display` is read back as the same expression. [`matches()`] never guesses: what cannot be decided
//! is [`Verdict::Unknown`], with the part of the expression and the reason.
//!
//! Assumed, because AWS does not document it:
//! - `not` binds tighter than `and`, and `and` tighter than `or`; words are lower case, as in every example of AWS's.
//! - A pattern must match the whole value, as `java.util.regex.Pattern.matches` does. See [`pattern`] for what is understood of it.
//! - An instance without the attribute fails every test of its value, the negative ones too: `attribute:stack != prod` selects
//!   instances with another value only (observed in <https://github.com/aws/containers-roadmap/issues/486>).
//! - A quoted text has no escapes; `registeredAt` without an offset is UTC.
//!
//! Absent: `task:group`. Which tasks share an instance changes with each task that is placed, so it is refused by name, as is a
//! pattern beyond the safe part of Java's syntax, and a time that should be equal to `registeredAt`.

mod argument;
mod error;
mod evaluate;
mod expression;
mod future;
mod parse;
pub mod pattern;
mod token;

pub use argument::{Comparison, Literal, Version};
pub use error::QueryError;
pub use evaluate::{Cause, Facts, Unlisted, Unsupported, Verdict, matches};
pub use expression::{Condition, Expression, TextTest};
pub use future::{FutureInstance, GroupAttributes, OS_TYPE_LINUX};
pub use parse::parse;

/// The longest expression, in characters.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PlacementConstraint.html>
pub const EXPRESSION_LENGTH_MAX: usize = 2_000;

/// How deep parentheses and `not` may be nested. AWS names no limit; the longest published expression has two.
pub const DEPTH_MAX: usize = 32;
