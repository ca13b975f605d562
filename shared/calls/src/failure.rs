//! What went wrong with a call: classified once, in one line.

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use model::snapshot::{Gap, GapCause};

use crate::budget::BudgetSpent;
use crate::deadline::DeadlineOver;

/// The longest detail that is kept, in characters. AWS's own messages are far shorter; a proxy's error page is not.
const DETAIL_CHARACTERS_MAX: usize = 500;

/// The codes by which AWS says that a role may not do this, or that it does not know who asks.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html>
const ACCESS_DENIED_CODES: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];

/// The codes by which AWS asks to slow down. ECS's is not in the SDK's model of its errors, hence the text.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
const THROTTLED_CODES: &[&str] = &[
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// The codes by which AWS says that what was asked for is not, or no longer, there.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html#API_UpdateService_Errors>
const NOT_FOUND_CODES: &[&str] = &[
    "ClusterNotFoundException",
    "ObjectNotFoundException",
    "ResourceNotFoundException",
    "ServiceNotActiveException",
    "ServiceNotFoundException",
];

/// The SDK's error of an operation, with what is needed to classify it.
pub type FailureSource = Box<dyn Error + Send + Sync + 'static>;

/// An error of the SDK that [`Failure`] can be made of: the error of any operation of any client.
pub trait SdkFailure: Error + Send + Sync + 'static {
    /// What kind of failure it is.
    fn gap_cause(&self) -> GapCause;
    /// The service's own error code, where the service answered with one.
    fn service_code(&self) -> Option<&str>;
    /// One line: code and message, or the chain of sources.
    fn detail(&self) -> String;
}

impl<E> SdkFailure for SdkError<E, HttpResponse>
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    fn gap_cause(&self) -> GapCause {
        match self {
            Self::ServiceError(answer) => {
                of_answer(answer.err().code(), answer.raw().status().as_u16())
            }
            Self::TimeoutError(_) | Self::DispatchFailure(_) => GapCause::Unreachable,
            Self::ResponseError(answer) => of_unreadable_answer(answer.raw().status().as_u16()),
            Self::ConstructionFailure(_) => GapCause::Other,
            _ => GapCause::Other,
        }
    }

    fn service_code(&self) -> Option<&str> {
        self.as_service_error().and_then(ProvideErrorMetadata::code)
    }

    fn detail(&self) -> String {
        if let Self::ServiceError(answer) = self {
            let error = answer.err();
            let code = error.code().map_or_else(
                || format!("HTTP status {}", answer.raw().status().as_u16()),
                str::to_owned,
            );
            return match error.message() {
                Some(message) => one_line(&format!("{code}: {message}")),
                None => one_line(&code),
            };
        }
        one_line(&chain(self))
    }
}

/// An answer that cannot be read tells what its status tells, and else is as good as none.
fn of_unreadable_answer(status: u16) -> GapCause {
    match status {
        401 | 403 => GapCause::AccessDenied,
        429 => GapCause::Throttled,
        _ => GapCause::Unreachable,
    }
}

/// Classifies an error answer: by its code, else by its HTTP status.
fn of_answer(code: Option<&str>, status: u16) -> GapCause {
    let is_one_of = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    if is_one_of(ACCESS_DENIED_CODES) {
        GapCause::AccessDenied
    } else if is_one_of(THROTTLED_CODES) {
        GapCause::Throttled
    } else if is_one_of(NOT_FOUND_CODES) {
        GapCause::NotFound
    } else if code.is_some() {
        GapCause::Other
    } else {
        match status {
            401 | 403 => GapCause::AccessDenied,
            404 => GapCause::NotFound,
            429 => GapCause::Throttled,
            502..=504 => GapCause::Unreachable,
            _ => GapCause::Other,
        }
    }
}

/// A call that gave no answer, or an error.
#[derive(Debug)]
pub struct Failure {
    /// The failure as the record shows it.
    pub gap: Gap,
    /// Whether the request may have reached AWS. `false`: nothing was sent, because the budget or the time was used up.
    pub sent: bool,
    /// The service's own error code, where the service answered with one.
    pub code: Option<String>,
    /// The error that it was made of.
    source: FailureSource,
}

impl Failure {
    /// The failure of a call that AWS or the network failed.
    pub(crate) fn of_sdk(operation: &'static str, resource: &str, error: impl SdkFailure) -> Self {
        Self {
            gap: gap(operation, resource, &error),
            sent: true,
            code: error.service_code().map(one_line),
            source: Box::new(error),
        }
    }

    /// The failure of a call for which there was no token.
    pub(crate) fn budget_spent(
        operation: &'static str,
        resource: &str,
        spent: BudgetSpent,
    ) -> Self {
        Self {
            gap: Gap {
                operation: operation.to_owned(),
                resource: resource.to_owned(),
                cause: GapCause::BudgetSpent,
                detail: one_line(&spent.to_string()),
            },
            sent: false,
            code: None,
            source: Box::new(spent),
        }
    }

    /// The failure of a call for which there was no time, or no time to wait for the answer.
    pub(crate) fn out_of_time(operation: &'static str, resource: &str, sent: bool) -> Self {
        let detail = if sent {
            "no answer before the invocation's time ran out"
        } else {
            "not sent: the invocation's time ran out"
        };
        Self {
            gap: Gap {
                operation: operation.to_owned(),
                resource: resource.to_owned(),
                cause: GapCause::OutOfTime,
                detail: detail.to_owned(),
            },
            sent,
            code: None,
            source: Box::new(DeadlineOver),
        }
    }
}

impl fmt::Display for Failure {
    /// Without the source: whoever prints the chain prints it next.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Gap {
            operation,
            resource,
            cause,
            detail: _,
        } = &self.gap;
        write!(
            f,
            "`{operation}` for `{resource}` failed: {}",
            cause.as_str()
        )
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

impl From<Failure> for Gap {
    fn from(failure: Failure) -> Self {
        failure.gap
    }
}

/// What kind of failure an error of the SDK is.
#[must_use]
pub fn gap_cause(error: &impl SdkFailure) -> GapCause {
    error.gap_cause()
}

/// The gap that a failed call leaves.
#[must_use]
pub fn gap(operation: &'static str, resource: &str, error: &impl SdkFailure) -> Gap {
    Gap {
        operation: operation.to_owned(),
        resource: resource.to_owned(),
        cause: error.gap_cause(),
        detail: error.detail(),
    }
}

/// An error and its sources, joined by colons. A source that repeats what was just said is left out.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut last = text.clone();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if next != last {
            text.push_str(": ");
            text.push_str(&next);
        }
        last = next;
        source = error.source();
    }
    text
}

/// A foreign text as one line of bounded length: control characters become spaces.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .take(DETAIL_CHARACTERS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(DETAIL_CHARACTERS_MAX).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests;
