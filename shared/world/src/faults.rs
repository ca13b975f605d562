//! What goes wrong in the API, on purpose.

use jiff::Timestamp;

use crate::config::RangeMs;
use crate::operation::Operation;

/// The faults of a world. The default has none.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The rules. The first that applies to a call is the one that happens.
    pub rules: Vec<FaultRule>,
    /// How many of a thousand reads are answered from the past.
    pub stale_per_mille: u32,
    /// How old those answers are.
    pub stale_age: Option<RangeMs>,
}

/// One fault of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultRule {
    /// The operation; `None` is every operation.
    pub operation: Option<Operation>,
    /// Only calls whose input, as JSON text, holds this text; `None` is every call.
    pub about: Option<String>,
    /// What happens.
    pub fault: Fault,
    /// How many of a thousand calls it happens to.
    pub per_mille: u32,
    /// How often it may still happen, counted down by the world; `None` has no end.
    pub times: Option<u32>,
    /// From when on, and until when (not included).
    pub during: Option<(Timestamp, Timestamp)>,
}

impl FaultRule {
    /// A fault that happens to every call of an operation.
    #[must_use]
    pub const fn always(operation: Operation, fault: Fault) -> Self {
        Self {
            operation: Some(operation),
            about: None,
            fault,
            per_mille: 1_000,
            times: None,
            during: None,
        }
    }

    /// The same, but only so many times.
    #[must_use]
    pub fn times(operation: Operation, fault: Fault, times: u32) -> Self {
        Self {
            times: Some(times),
            ..Self::always(operation, fault)
        }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `ThrottlingException`; nothing is applied.
    Throttle,
    /// `ServerException`, HTTP 500; nothing is applied.
    ServerError,
    /// `AccessDeniedException`; nothing is applied.
    AccessDenied,
    /// Applied, but the answer is lost: HTTP 500 with [`crate::ApiError::response_lost`].
    ResponseLost,
    /// A describe operation answers 200, but the last item asked for is in `failures[]`, with reason `MISSING`, instead of in the answer.
    PartialFailure,
}
