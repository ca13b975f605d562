//! The one error of the simulated AWS API.

use std::fmt;

/// An error answer, as AWS gives it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// AWS's error code, such as `ClusterNotFoundException`.
    pub code: &'static str,
    /// The text that goes with it.
    pub message: String,
    /// The HTTP status of the answer.
    pub http_status: u16,
    /// The call *was* applied and only its answer is lost: a face that speaks HTTP should cut the connection or answer with
    /// [`ApiError::http_status`].
    pub response_lost: bool,
}

impl ApiError {
    /// An error with the given status.
    #[must_use]
    pub fn new(code: &'static str, message: impl fmt::Display, http_status: u16) -> Self {
        Self {
            code,
            message: message.to_string(),
            http_status,
            response_lost: false,
        }
    }

    /// `InvalidParameterException`. <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html>
    #[must_use]
    pub fn invalid_parameter(message: impl fmt::Display) -> Self {
        Self::new("InvalidParameterException", message, 400)
    }

    /// `ClientException`: a name that is not there, where no error of its own exists.
    #[must_use]
    pub fn client(message: impl fmt::Display) -> Self {
        Self::new("ClientException", message, 400)
    }

    /// `ClusterNotFoundException`, with AWS's own text.
    #[must_use]
    pub fn cluster_not_found() -> Self {
        Self::new("ClusterNotFoundException", "Cluster not found.", 400)
    }

    /// `ServiceNotFoundException`, with AWS's own text.
    #[must_use]
    pub fn service_not_found() -> Self {
        Self::new("ServiceNotFoundException", "Service not found.", 400)
    }

    /// `ServiceNotActiveException`, with AWS's own text.
    #[must_use]
    pub fn service_not_active() -> Self {
        Self::new("ServiceNotActiveException", "Service was not ACTIVE.", 400)
    }

    /// `TargetNotFoundException`: the container instance of an attribute is not there.
    #[must_use]
    pub fn target_not_found() -> Self {
        Self::new(
            "TargetNotFoundException",
            "The specified target wasn't found.",
            400,
        )
    }

    /// `ThrottlingException`, which the SDK does not model.
    #[must_use]
    pub fn throttling() -> Self {
        Self::new("ThrottlingException", "Rate exceeded", 400)
    }

    /// `ServerException`.
    #[must_use]
    pub fn server() -> Self {
        Self::new(
            "ServerException",
            "Service Unavailable. Please try again later.",
            500,
        )
    }

    /// `SerializationException`: the input is not what the operation takes.
    #[must_use]
    pub fn serialization(message: impl fmt::Display) -> Self {
        Self::new("SerializationException", message, 400)
    }

    /// `AccessDeniedException`, naming the action as AWS does.
    #[must_use]
    pub fn access_denied(action: &str, account: &str) -> Self {
        Self::new(
            "AccessDeniedException",
            format!(
                "User: arn:aws:sts::{account}:assumed-role/function/world is not authorized to perform: {action} because no \
                 identity-based policy allows the {action} action"
            ),
            400,
        )
    }
}
