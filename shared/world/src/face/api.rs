//! The AWS API over HTTP, as SDKs and the AWS CLI speak it.
//!
//! Guaranteed: every answer carries the world's virtual time as `Date`, taken after the call, and an `x-amzn-RequestId`. An
//! error is in the shape of its protocol, so that SDKs read its code. No request, whatever it holds, ends the server.
//!
//! - ECS and Application Auto Scaling: JSON 1.1, <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>
//! - EC2 Auto Scaling and the one action of STS: Query, <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>
//! - CloudWatch: RPC v2 CBOR, <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>, JSON 1.0 and Query
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
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{Api, ApiError, Operation, World};

mod answer;
mod cbor;
mod query;
mod times;

use answer::respond;
use query::Form;

/// The largest request that is read, in bytes. ECS takes at most 64 KiB in most of its inputs; a body of this size is a mistake.
pub(super) const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// The content type of JSON 1.1.
const JSON_1_1: &str = "application/x-amz-json-1.1";

/// The content type of JSON 1.0, which CloudWatch speaks.
const JSON_1_0: &str = "application/x-amz-json-1.0";

/// What CloudWatch calls itself in paths and targets.
/// <https://github.com/boto/botocore/blob/develop/botocore/data/cloudwatch/2010-08-01/service-2.json>
const CLOUDWATCH_SERVICE: &str = "GraniteServiceVersion20100801";

/// CloudWatch's version and XML namespace.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/making-api-requests.html>
const CLOUDWATCH_VERSION: &str = "2010-08-01";
const CLOUDWATCH_NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";

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
    /// JSON 1.1.
    Json,
    /// JSON 1.0, of CloudWatch.
    OldJson,
    Query {
        namespace: &'static str,
    },
    Cbor,
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
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let number = shared.requests.fetch_add(1, Ordering::Relaxed) + 1;
    // A UUID that counts: equal runs have equal ids.
    let request_id = format!("00000000-0000-4000-9000-{number:012x}");
    let (protocol, action, result) = match understand(&uri, &headers, body) {
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

fn understand(
    uri: &Uri,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Call, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let target = text("x-amz-target");
    let content_type = text(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let is_form = content_type.starts_with("application/x-www-form-urlencoded");
    let is_cbor = text("smithy-protocol") == Some(cbor::PROTOCOL);
    let protocol = match target {
        None if is_cbor => Protocol::Cbor,
        None if is_form => Protocol::Query {
            namespace: AUTO_SCALING_NAMESPACE,
        },
        Some(target) if target.starts_with(CLOUDWATCH_SERVICE) => Protocol::OldJson,
        Some(_) | None => Protocol::Json,
    };
    let refusal = |error| Refusal { protocol, error };
    let body = body.map_err(|rejection| refusal(unread(&rejection)))?;
    match target {
        Some(target) => read_json(protocol, target, content_type, &body).map_err(refusal),
        None if is_cbor => read_cbor(uri.path(), &body).map_err(refusal),
        None if is_form => read_form(&body),
        None => Err(refusal(unknown_operation(
            "the request names no operation: it has neither an `X-Amz-Target` header nor a form with `Action`",
        ))),
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

fn not_answered(operation: &str) -> ApiError {
    let shown: String = operation.chars().take(200).collect();
    unknown_operation(&format!(
        "this world does not answer the operation `{shown}`"
    ))
}

fn read_cbor(path: &str, body: &[u8]) -> Result<Call, ApiError> {
    let operation = cbor::operation_of(path)
        .filter(|(service, _)| *service == CLOUDWATCH_SERVICE)
        .and_then(|(_, name)| Operation::find(Api::CloudWatch, name))
        .ok_or_else(|| not_answered(path))?;
    Ok(Call {
        protocol: Protocol::Cbor,
        asked: Asked::Operation(operation),
        input: cbor::read(body)?,
    })
}

fn read_json(
    protocol: Protocol,
    target: &str,
    content_type: &str,
    body: &[u8],
) -> Result<Call, ApiError> {
    let operation = Operation::from_target(target).ok_or_else(|| not_answered(target))?;
    let wanted = if protocol == Protocol::OldJson {
        JSON_1_0
    } else {
        JSON_1_1
    };
    if !content_type.starts_with(wanted) {
        let shown: String = content_type.chars().take(100).collect();
        return Err(ApiError::serialization(format!(
            "the content type is {shown:?}, it must be `{wanted}`"
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
        protocol,
        asked: Asked::Operation(operation),
        input: if protocol == Protocol::OldJson {
            times::read(input)
        } else {
            input
        },
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
        CLOUDWATCH_VERSION => (
            CLOUDWATCH_NAMESPACE,
            Operation::find(Api::CloudWatch, &action).map(Asked::Operation),
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
