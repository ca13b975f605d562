//! How an answer is written, in each of the protocols.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Value, json};

use super::{JSON_1_0, JSON_1_1, Protocol, cbor, query, times};
use crate::ApiError;

/// The Query services have names of their own for the errors that every AWS service has.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>
fn in_query_terms(error: ApiError) -> ApiError {
    let code = match error.code {
        "ThrottlingException" => "Throttling",
        "AccessDeniedException" => "AccessDenied",
        "ServerException" => "InternalFailure",
        "InvalidParameterException" | "SerializationException" => "ValidationError",
        other => other,
    };
    let http_status = if code == "AccessDenied" {
        403
    } else {
        error.http_status
    };
    ApiError {
        code,
        http_status,
        ..error
    }
}

/// A body, and the headers that go with it.
struct Written {
    status: StatusCode,
    content_type: &'static str,
    body: Vec<u8>,
    /// The header that tells of an error, and what it says.
    error_header: Option<(&'static str, String)>,
}

impl Written {
    fn new(status: StatusCode, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type,
            body: body.into(),
            error_header: None,
        }
    }
}

fn status_of(error: &ApiError) -> StatusCode {
    StatusCode::from_u16(error.http_status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn written(
    protocol: Protocol,
    action: &str,
    result: Result<Value, ApiError>,
    request_id: &str,
) -> Written {
    match (protocol, result) {
        (Protocol::Json, Ok(output)) => Written::new(StatusCode::OK, JSON_1_1, output.to_string()),
        (Protocol::OldJson, Ok(output)) => {
            let body = times::write(output).to_string();
            Written::new(StatusCode::OK, JSON_1_0, body)
        }
        (Protocol::Cbor, Ok(output)) => {
            Written::new(StatusCode::OK, cbor::CONTENT_TYPE, cbor::write(&output))
        }
        (Protocol::Query { namespace }, Ok(output)) => {
            let body = query::answer(action, namespace, &output, request_id);
            Written::new(StatusCode::OK, "text/xml", body)
        }
        (Protocol::Json, Err(error)) => {
            let body = json!({"__type": error.code, "message": error.message}).to_string();
            Written {
                error_header: Some(("x-amzn-errortype", error.code.to_owned())),
                ..Written::new(status_of(&error), JSON_1_1, body)
            }
        }
        (Protocol::OldJson | Protocol::Cbor, Err(error)) => {
            let error = in_query_terms(error);
            let body = json!({"__type": error.code, "message": error.message});
            let (content_type, body) = if protocol == Protocol::Cbor {
                (cbor::CONTENT_TYPE, cbor::write(&body))
            } else {
                (JSON_1_0, body.to_string().into_bytes())
            };
            // For callers that know the codes of the Query protocol.
            // <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait>
            let said = format!("{};{}", error.code, query::kind_of(&error));
            Written {
                error_header: Some(("x-amzn-query-error", said)),
                ..Written::new(status_of(&error), content_type, body)
            }
        }
        (Protocol::Query { namespace }, Err(error)) => {
            let error = in_query_terms(error);
            let body = query::error(&error, namespace, request_id);
            Written::new(status_of(&error), "text/xml", body)
        }
    }
}

pub(super) fn respond(
    protocol: Protocol,
    action: &str,
    result: Result<Value, ApiError>,
    at: Timestamp,
    request_id: String,
) -> Response {
    let written = written(protocol, action, result, &request_id);
    let headers = [
        (header::CONTENT_TYPE, written.content_type.to_owned()),
        (header::DATE, http_date(at)),
        (HeaderName::from_static("x-amzn-requestid"), request_id),
    ];
    let marker = (protocol == Protocol::Cbor)
        .then_some([(HeaderName::from_static("smithy-protocol"), cbor::PROTOCOL)]);
    let error = written
        .error_header
        .map(|(name, said)| [(HeaderName::from_static(name), said)]);
    let mut response = (written.status, headers, written.body).into_response();
    for (name, value) in marker
        .into_iter()
        .flatten()
        .map(|(name, value)| (name, value.to_owned()))
        .chain(error.into_iter().flatten())
    {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7>, in whole seconds, rounded down.
fn http_date(at: Timestamp) -> String {
    // Only years outside 0 to 9999 cannot be written, and a world does not live that long.
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .unwrap_or_default()
}
