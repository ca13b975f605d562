//! What the tests of the wire share: a small AWS on loopback that keeps what it was asked, and the real clients that ask it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// It is answered with this error, and changes nothing.
    Error(&'static str, &'static str),
    /// It is carried out, and its answer is lost.
    LostAfter,
    /// It is carried out, its answer is lost, and it is answered with this error when it is sent again.
    RefusedAfter(&'static str, &'static str),
    /// It is lost before it is carried out.
    LostBefore,
}

/// What was asked, and what is to go wrong.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    /// Faults by operation, the next one first.
    pub(crate) faults: BTreeMap<&'static str, Vec<Fault>>,
    asked: Vec<(String, Value)>,
}

/// The state of a small AWS.
pub(crate) trait Small: Send + 'static {
    fn talk(&mut self) -> &mut Talk;
    /// Carries an operation out. An answer with `__type` is an error.
    fn answer(&mut self, operation: &str, input: &Value) -> Value;
}

/// A handle on a small AWS.
pub(crate) struct Aws<W>(Arc<Mutex<W>>);

impl<W> Clone for Aws<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: Small> Aws<W> {
    pub(crate) fn of(world: W) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// Changes the state.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut W) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    /// What becomes of the next calls of an operation.
    pub(crate) fn fails(&self, operation: &'static str, faults: Vec<Fault>) {
        self.change(|world| world.talk().faults.insert(operation, faults));
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<(String, Value)> {
        self.change(|world| std::mem::take(&mut world.talk().asked))
    }

    /// The names of what was asked since the last time.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.asked().into_iter().map(|it| it.0).collect()
    }

    /// Where it listens from now on.
    pub(crate) async fn listen(&self) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/", post(serve::<W>))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }
}

macro_rules! client {
    ($name:ident, $sdk:ident) => {
        pub(crate) fn $name(url: &str) -> $sdk::Client {
            use $sdk::config::retry::RetryConfig;
            use $sdk::config::{BehaviorVersion, Credentials, Region};
            $sdk::Client::from_conf(
                $sdk::Config::builder()
                    .behavior_version(BehaviorVersion::v2026_01_12())
                    .region(Region::new("us-west-2"))
                    .credentials_provider(Credentials::new("id", "key", None, None, "test"))
                    .http_client(aws_smithy_http_client::Builder::new().build_http())
                    .retry_config(RetryConfig::disabled())
                    .endpoint_url(url)
                    .build(),
            )
        }
    };
}
client!(ecs, aws_sdk_ecs);
client!(autoscaling, aws_sdk_autoscaling);

pub(crate) fn arn(instance: &str) -> String {
    format!("arn:aws:ecs:us-west-2:111122223333:container-instance/demo/{instance}")
}

pub(crate) fn task_arn(id: &str) -> String {
    format!("arn:aws:ecs:us-west-2:111122223333:task/demo/{id}")
}

async fn serve<W: Small>(State(aws): State<Aws<W>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|it| it.to_str().ok());
    let (operation, input) = match target {
        Some(target) => {
            let operation = target.rsplit('.').next().unwrap().to_owned();
            (operation, serde_json::from_slice(&body).unwrap())
        }
        None => form(std::str::from_utf8(&body).unwrap()),
    };
    let mut world = aws.0.lock().unwrap();
    world.talk().asked.push((operation.clone(), input.clone()));
    let faults = world.talk().faults.get_mut(operation.as_str());
    let fault = faults.and_then(|it| (!it.is_empty()).then(|| it.remove(0)));
    let answer = match fault {
        Some(Fault::Error(code, message)) => json!({"__type": code, "message": message}),
        Some(Fault::RefusedAfter(code, message)) => {
            world.answer(&operation, &input);
            json!({"__type": code, "message": message})
        }
        Some(Fault::LostBefore) => return StatusCode::BAD_GATEWAY.into_response(),
        Some(Fault::LostAfter) => {
            world.answer(&operation, &input);
            return StatusCode::BAD_GATEWAY.into_response();
        }
        None => world.answer(&operation, &input),
    };
    let status = match answer.get("__type") {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    if target.is_some() {
        return (status, answer.to_string()).into_response();
    }
    let mut text = String::new();
    match answer.get("__type") {
        Some(code) => {
            let error = json!({"Code": code, "Message": answer["message"]});
            element(&mut text, "ErrorResponse", &json!({"Error": error}));
        }
        None => {
            let (outer, inner) = (format!("{operation}Response"), format!("{operation}Result"));
            element(&mut text, &outer, &json!({inner: answer}));
        }
    }
    (status, text).into_response()
}

/// The fields of a form, without the version.
fn form(body: &str) -> (String, Value) {
    let fields = body.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        (
            name.to_owned(),
            json!(value.replace("%20", " ").replace('+', " ")),
        )
    });
    let mut fields: serde_json::Map<String, Value> = fields.collect();
    fields.remove("Version").unwrap();
    let operation = fields.remove("Action").unwrap();
    (
        operation.as_str().unwrap().to_owned(),
        Value::Object(fields),
    )
}

/// A value as XML: the lines of a list are called `member`.
fn element(text: &mut String, name: &str, value: &Value) {
    write!(text, "<{name}>").unwrap();
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, it)| element(text, name, it)),
        Value::Array(lines) => lines.iter().for_each(|it| element(text, "member", it)),
        Value::String(it) => text.push_str(it),
        Value::Null | Value::Bool(_) | Value::Number(_) => write!(text, "{value}").unwrap(),
    }
    write!(text, "</{name}>").unwrap();
}

/// The ids of a list of ARNs.
pub(crate) fn ids(input: &Value, list: &str) -> Vec<String> {
    let arns = input[list].as_array().unwrap().iter();
    arns.map(|arn| arn.as_str().unwrap().rsplit('/').next().unwrap().to_owned())
        .collect()
}
