//! Why a text is no expression of the cluster query language.

use super::{DEPTH_MAX, EXPRESSION_LENGTH_MAX};

/// Why a text is no expression. Positions count characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// There is nothing but white space.
    #[error("the expression is empty")]
    Empty,
    /// It is longer than [`EXPRESSION_LENGTH_MAX`].
    #[error("the expression has {length} characters, at most {EXPRESSION_LENGTH_MAX} are allowed")]
    TooLong {
        /// How long it is, in characters.
        length: usize,
    },
    /// It is nested deeper than [`DEPTH_MAX`].
    #[error("character {position}: parentheses and `not` are nested deeper than {DEPTH_MAX}")]
    TooDeep {
        /// Where it becomes too deep.
        position: usize,
    },
    /// Something else was expected.
    #[error("character {position}: expected {expected}, found {found}")]
    Unexpected {
        /// Where.
        position: usize,
        /// What was expected.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A quotation mark without its partner.
    #[error("character {position}: the quotation mark has no partner")]
    Unterminated {
        /// Where it stands.
        position: usize,
    },
    /// The subject cannot be asked that.
    #[error("character {position}: `{subject}` does not take `{operator}`: use {allowed}")]
    OperatorNotAllowed {
        /// Where the operator stands.
        position: usize,
        /// The subject.
        subject: &'static str,
        /// The operator, as it was written.
        operator: String,
        /// The operators that it takes.
        allowed: &'static str,
    },
    /// The subject cannot be compared with that.
    #[error("character {position}: `{subject}` is not compared with {found}: use {allowed}")]
    BadArgument {
        /// Where the argument stands.
        position: usize,
        /// The subject.
        subject: &'static str,
        /// The argument, as it was written.
        found: String,
        /// What it is compared with.
        allowed: &'static str,
    },
}
