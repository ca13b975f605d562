//! What the function sees: the paths of the Runtime API.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};

use super::super::server::Stopping;
use super::{FunctionError, InvocationResult, RESPONSE_BYTES_MAX};

/// What the driver's side and the function's side share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) function_arn: String,
    pub(super) timeout: Duration,
    pub(super) desk: Mutex<Desk>,
    /// Something to hand out has come, for the poll that waits.
    pub(super) offered: Notify,
    /// A poll has come, or none will: for whoever waits until the function is ready.
    pub(super) polled: Notify,
}

/// What lies between the driver and the function.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) count: u64,
    /// Polls of the process that runs now.
    pub(super) polls: u64,
    /// The number of the last poll of any process.
    pub(super) newest_poll: u64,
    pub(super) offered: Option<Invocation>,
    pub(super) running: Option<Running>,
    pub(super) init_error: Option<FunctionError>,
    pub(super) exited: Option<String>,
}

#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) id: String,
    pub(super) number: u64,
    pub(super) payload: String,
    pub(super) taken: oneshot::Sender<()>,
    pub(super) answer: oneshot::Sender<InvocationResult>,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: String,
    pub(super) answer: oneshot::Sender<InvocationResult>,
}

impl Shared {
    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        // The desk is whole after each statement that changes it, so a panic elsewhere does not spoil it.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn routes(shared: Arc<Shared>, stopping: Stopping) -> Router {
    let poll = move |State(shared): State<Arc<Shared>>| next(shared, stopping.clone());
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(poll))
        .route(
            "/2018-06-01/runtime/invocation/{id}/response",
            post(response),
        )
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .fallback(|| async {
            fault(
                StatusCode::NOT_FOUND,
                "NotFound",
                "the runtime API of this world has no such path",
            )
        })
        .layer(DefaultBodyLimit::max(RESPONSE_BYTES_MAX))
        .with_state(shared)
}

/// `GET /runtime/invocation/next`.
async fn next(shared: Arc<Shared>, mut stopping: Stopping) -> Response {
    let turn;
    {
        let mut desk = shared.desk();
        desk.polls += 1;
        desk.newest_poll += 1;
        turn = desk.newest_poll;
        desk.exited = None;
        desk.init_error = None;
        if let Some(running) = desk.running.take() {
            let _unheard = running.answer.send(InvocationResult::Exited {
                detail: format!(
                    "the function polled again without an answer to `{}`",
                    running.id
                ),
            });
        }
    }
    shared.polled.notify_waiters();
    loop {
        // A process that was replaced may have left its poll behind: only the newest one is served.
        if shared.desk().newest_poll != turn {
            shared.offered.notify_one();
            return fault(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Runtime.ExitError",
                "a newer poll has taken the place of this one",
            );
        }
        // Looking and taking happen under one lock, so that a poll whose connection is gone takes nothing with it.
        if let Some(answer) = hand_out(&shared) {
            return answer;
        }
        tokio::select! {
            () = shared.offered.notified() => {}
            () = stopping.wait() => {
                return fault(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "Runtime.ExitError",
                    "the world is shutting down, the runtime should exit",
                );
            }
        }
    }
}

fn hand_out(shared: &Shared) -> Option<Response> {
    let mut desk = shared.desk();
    let Invocation {
        id,
        number,
        payload,
        taken,
        answer,
    } = desk.offered.take()?;
    let _unheard = taken.send(());
    desk.running = Some(Running {
        id: id.clone(),
        answer,
    });
    drop(desk);
    let headers = [
        ("Lambda-Runtime-Aws-Request-Id", id),
        (
            "Lambda-Runtime-Deadline-Ms",
            deadline_ms(shared.timeout).to_string(),
        ),
        (
            "Lambda-Runtime-Invoked-Function-Arn",
            shared.function_arn.clone(),
        ),
        (
            "Lambda-Runtime-Trace-Id",
            format!("Root=1-00000000-{number:024x};Parent={number:016x};Sampled=0"),
        ),
        (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
    ];
    Some((headers, payload).into_response())
}

/// The end of an invocation that is handed out now, in milliseconds since 1970 of the host's clock.
fn deadline_ms(timeout: Duration) -> u128 {
    SystemTime::now()
        .checked_add(timeout)
        .and_then(|end| end.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_millis())
}

/// `POST /runtime/invocation/{id}/response`.
async fn response(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(answer) = take_running(&shared, &id) else {
        return unknown_id(&id);
    };
    let (result, reply) = match body {
        Err(_too_large) => {
            let error = FunctionError {
                error_type: "Function.ResponseSizeTooLarge".to_owned(),
                error_message: format!(
                    "the answer is larger than {RESPONSE_BYTES_MAX} bytes, or was cut off"
                ),
                stack_trace: Vec::new(),
            };
            let reply = fault(
                StatusCode::PAYLOAD_TOO_LARGE,
                "Function.ResponseSizeTooLarge",
                &error.error_message,
            );
            (InvocationResult::Err(error), reply)
        }
        Ok(body) if body.is_empty() => (InvocationResult::Ok(Value::Null), accepted()),
        Ok(body) => match serde_json::from_slice(&body) {
            Ok(value) => (InvocationResult::Ok(value), accepted()),
            Err(cause) => {
                let error = FunctionError {
                    error_type: "Runtime.MalformedResponse".to_owned(),
                    error_message: format!("the answer is not JSON: {cause}"),
                    stack_trace: Vec::new(),
                };
                (InvocationResult::Err(error), accepted())
            }
        },
    };
    let _unheard = answer.send(result);
    reply
}

/// `POST /runtime/invocation/{id}/error`.
async fn error(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(answer) = take_running(&shared, &id) else {
        return unknown_id(&id);
    };
    let _unheard = answer.send(InvocationResult::Err(reported(&headers, body)));
    accepted()
}

/// `POST /runtime/init/error`.
async fn init_error(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let error = reported(&headers, body);
    let mut desk = shared.desk();
    if let Some(invocation) = desk.offered.take() {
        let _unheard = invocation.answer.send(InvocationResult::Err(error.clone()));
    }
    desk.init_error = Some(error);
    drop(desk);
    shared.polled.notify_waiters();
    accepted()
}

/// The error in a body; the header names its kind where the body does not.
fn reported(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> FunctionError {
    let named = headers
        .get("Lambda-Runtime-Function-Error-Type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("Runtime.UnknownReason");
    let mut error = body
        .ok()
        .and_then(|body| serde_json::from_slice::<FunctionError>(&body).ok())
        .unwrap_or_else(|| FunctionError {
            error_type: String::new(),
            error_message: "the error's body could not be read".to_owned(),
            stack_trace: Vec::new(),
        });
    if error.error_type.is_empty() {
        error.error_type = named.to_owned();
    }
    error
}

fn take_running(shared: &Shared, id: &str) -> Option<oneshot::Sender<InvocationResult>> {
    let mut desk = shared.desk();
    let running = desk.running.take_if(|running| running.id == id)?;
    Some(running.answer)
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, axum_json(&json!({"status": "OK"}))).into_response()
}

fn unknown_id(id: &str) -> Response {
    fault(
        StatusCode::BAD_REQUEST,
        "InvalidRequestID",
        &format!("no invocation `{id}` waits for an answer"),
    )
}

fn fault(status: StatusCode, error_type: &str, message: &str) -> Response {
    let body = json!({"errorType": error_type, "errorMessage": message});
    (status, axum_json(&body)).into_response()
}

/// JSON with its content type; axum's own `Json` belongs to a feature that is off.
fn axum_json(body: &Value) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        body.to_string(),
    )
}

/// Request ids are UUIDs that count, so that records of equal runs are equal.
pub(super) fn request_id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}
