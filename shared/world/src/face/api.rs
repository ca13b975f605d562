//! The AWS API over HTTP, as SDKs and the AWS CLI speak it.
//!
//! Guaranteed: every answer carries the world's virtual time as `Date`, taken after the call, and an `x-amzn-RequestId`. An
//! error is in the shape of its protocol, so that SDKs read its code. No request, whatever it holds, ends the server.
//!
//! - ECS and Application Auto Scaling: JSON 1.1, <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>
//! - EC2 Auto Scaling and the one action of STS: Query, <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>
//!
//! Absent: signatures and endpoints of other services and Regions (any credentials and any host name will do), and compressed
//! bodies.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{Api, ApiError, Operation, World};

mod query;

use query::Form;

/// The largest request that is read, in bytes. ECS takes at most 64 KiB in most of its inputs; a body of this size is a mistake.
pub(super) const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// The content type of JSON 1.1.
const JSON_1_1: &str = "application/x-amz-json-1.1";

/// EC2 Auto Scaling's version and XML namespace.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/Welcome.html>
const AUTO_SCALING_VERSION: &str = "2011-01-01";
const AUTO_SCALING_NAMESPACE: &str = "http://autoscaling.amazonaws.com/doc/2011-01-01/";

/// The security token service's version and XML namespace.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
const STS_VERSION: &str = "2011-06-15";
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// What counts the calls that name no operation of this world.
pub(super) const UNKNOWN: &str = "unknown";

/// What the requests share.
#[derive(Debug)]
pub(super) struct Shared {
    world: Arc<Mutex<World>>,
    requests: AtomicU64,
    calls: Mutex<BTreeMap<String, u64>>,
    errors: Mutex<BTreeMap<String, u64>>,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Json,
    Query { namespace: &'static str },
}

/// What a request asks for.
#[derive(Debug)]
enum Asked {
    Operation(Operation),
    CallerIdentity,
}

/// A request, understood.
#[derive(Debug)]
struct Call {
    protocol: Protocol,
    asked: Asked,
    input: Value,
}

/// A request, not understood.
#[derive(Debug)]
struct Refusal {
    protocol: Protocol,
    error: ApiError,
}

impl Shared {
    pub(super) fn new(world: Arc<Mutex<World>>) -> Self {
        Self {
            world,
            requests: AtomicU64::new(0),
            calls: Mutex::default(),
            errors: Mutex::default(),
        }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(super) fn calls(&self) -> BTreeMap<String, u64> {
        lock(&self.calls).clone()
    }

    pub(super) fn errors(&self) -> BTreeMap<String, u64> {
        lock(&self.errors).clone()
    }

    fn count(&self, name: &str, error: Option<&ApiError>) {
        *lock(&self.calls).entry(name.to_owned()).or_insert(0) += 1;
        if let Some(error) = error {
            let name = format!("{name} {}", error.code);
            *lock(&self.errors).entry(name).or_insert(0) += 1;
        }
    }
}

/// What a panic of another holder left behind is still the best there is to answer from.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .fallback(handle)
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(shared)
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let number = shared.requests.fetch_add(1, Ordering::Relaxed) + 1;
    // A UUID that counts: equal runs have equal ids.
    let request_id = format!("00000000-0000-4000-9000-{number:012x}");
    let (protocol, action, result) = match understand(&headers, body) {
        Ok(call) => {
            let name = call.asked.action();
            let (result, at) = call.answer(&shared);
            shared.count(&name, result.as_ref().err());
            tracing::debug!(operation = name, error = ?result.as_ref().err(), "answered");
            (call.protocol, call.asked.name(), (result, at))
        }
        Err(Refusal { protocol, error }) => {
            shared.count(UNKNOWN, Some(&error));
            tracing::debug!(%error, "refused");
            let at = shared.world().now();
            (protocol, UNKNOWN, (Err(error), at))
        }
    };
    let (result, at) = result;
    respond(protocol, action, result, at, request_id)
}

impl Asked {
    const fn name(&self) -> &'static str {
        match self {
            Self::Operation(operation) => operation.name(),
            Self::CallerIdentity => "GetCallerIdentity",
        }
    }

    fn action(&self) -> String {
        match self {
            Self::Operation(operation) => operation.action(),
            Self::CallerIdentity => "sts:GetCallerIdentity".to_owned(),
        }
    }
}

impl Call {
    /// The answer, and the time in the world when it is given.
    fn answer(&self, shared: &Shared) -> (Result<Value, ApiError>, Timestamp) {
        let mut world = shared.world();
        let result = match self.asked {
            Asked::Operation(operation) => world.call(operation, self.input.clone()),
            Asked::CallerIdentity => Ok(caller_identity(&mut world)),
        };
        (result, world.now())
    }
}

/// The caller is always the same: the world knows one account and no users.
fn caller_identity(world: &mut World) -> Value {
    let latency = SignedDuration::from_millis(i64::from(world.config().api_latency_ms));
    let answered_at = world
        .now()
        .saturating_add(latency)
        .unwrap_or(Timestamp::MAX);
    world.advance_to(answered_at);
    let account = &world.config().account;
    json!({
        "Arn": format!("arn:aws:sts::{account}:assumed-role/world/ballast"),
        "UserId": "AROAEXAMPLEWORLDROLE0:ballast",
        "Account": account,
    })
}

fn understand(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Call, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let target = text("x-amz-target");
    let content_type = text(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let is_form = content_type.starts_with("application/x-www-form-urlencoded");
    let protocol = if target.is_none() && is_form {
        Protocol::Query {
            namespace: AUTO_SCALING_NAMESPACE,
        }
    } else {
        Protocol::Json
    };
    let body = body.map_err(|rejection| Refusal {
        protocol,
        error: unread(&rejection),
    })?;
    match target {
        Some(target) => read_json(target, content_type, &body).map_err(|error| Refusal {
            protocol: Protocol::Json,
            error,
        }),
        None if is_form => read_form(&body),
        None => Err(Refusal {
            protocol,
            error: unknown_operation(
                "the request names no operation: it has neither an `X-Amz-Target` header nor a form with `Action`",
            ),
        }),
    }
}

fn unread(rejection: &BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let message = format!("the request is larger than {REQUEST_BYTES_MAX} bytes");
        return ApiError::new("RequestEntityTooLargeException", message, 413);
    }
    ApiError::serialization("the request ended before its body did")
}

fn unknown_operation(message: &str) -> ApiError {
    ApiError::new("UnknownOperationException", message, 400)
}

fn read_json(target: &str, content_type: &str, body: &[u8]) -> Result<Call, ApiError> {
    let operation = Operation::from_target(target).ok_or_else(|| {
        let shown: String = target.chars().take(200).collect();
        unknown_operation(&format!(
            "this world does not answer the operation `{shown}`"
        ))
    })?;
    if !content_type.starts_with(JSON_1_1) {
        let shown: String = content_type.chars().take(100).collect();
        return Err(ApiError::serialization(format!(
            "the content type is {shown:?}, it must be `{JSON_1_1}`"
        )));
    }
    let input = if body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(body).map_err(ApiError::serialization)?
    };
    if !input.is_object() {
        return Err(ApiError::serialization("the input is not a JSON object"));
    }
    Ok(Call {
        protocol: Protocol::Json,
        asked: Asked::Operation(operation),
        input,
    })
}

fn read_form(body: &[u8]) -> Result<Call, Refusal> {
    let refuse = |namespace, error| Refusal {
        protocol: Protocol::Query { namespace },
        error,
    };
    let Form {
        action,
        version,
        input,
    } = Form::parse(body).map_err(|error| refuse(AUTO_SCALING_NAMESPACE, error))?;
    let (namespace, asked) = match version.as_str() {
        AUTO_SCALING_VERSION => (
            AUTO_SCALING_NAMESPACE,
            Operation::find(Api::AutoScaling, &action).map(Asked::Operation),
        ),
        STS_VERSION => (
            STS_NAMESPACE,
            (action == "GetCallerIdentity").then_some(Asked::CallerIdentity),
        ),
        _ => (AUTO_SCALING_NAMESPACE, None),
    };
    let Some(asked) = asked else {
        let shown: String = action.chars().take(200).collect();
        let version: String = version.chars().take(20).collect();
        let message =
            format!("this world does not answer the action `{shown}` of version `{version}`");
        return Err(refuse(
            namespace,
            ApiError::new("InvalidAction", message, 400),
        ));
    };
    Ok(Call {
        protocol: Protocol::Query { namespace },
        asked,
        input,
    })
}

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

fn respond(
    protocol: Protocol,
    action: &str,
    result: Result<Value, ApiError>,
    at: Timestamp,
    request_id: String,
) -> Response {
    let status_of = |error: &ApiError| {
        StatusCode::from_u16(error.http_status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    };
    let (status, content_type, body, error_type) = match (protocol, result) {
        (Protocol::Json, Ok(output)) => (StatusCode::OK, JSON_1_1, output.to_string(), None),
        (Protocol::Json, Err(error)) => {
            let body = json!({"__type": error.code, "message": error.message});
            let status = status_of(&error);
            (status, JSON_1_1, body.to_string(), Some(error.code))
        }
        (Protocol::Query { namespace }, Ok(output)) => {
            let body = query::answer(action, namespace, &output, &request_id);
            (StatusCode::OK, "text/xml", body, None)
        }
        (Protocol::Query { namespace }, Err(error)) => {
            let error = in_query_terms(error);
            let body = query::error(&error, namespace, &request_id);
            (status_of(&error), "text/xml", body, None)
        }
    };
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::DATE, http_date(at)),
        (HeaderName::from_static("x-amzn-requestid"), request_id),
    ];
    let error_type = error_type.map(|code| [(HeaderName::from_static("x-amzn-errortype"), code)]);
    match error_type {
        Some(error_type) => (status, headers, error_type, body).into_response(),
        None => (status, headers, body).into_response(),
    }
}

/// <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7>, in whole seconds, rounded down.
fn http_date(at: Timestamp) -> String {
    // Only years outside 0 to 9999 cannot be written, and a world does not live that long.
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .unwrap_or_default()
}
