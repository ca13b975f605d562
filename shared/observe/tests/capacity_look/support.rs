//! An endpoint on loopback that answers ECS's JSON and EC2 Auto Scaling's XML as a test says.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use calls::{AwsClock, Budget, Deadline};
use model::capacity::CapacitySnapshot;
use model::snapshot::Scope;
use observe::{Blind, CapacityObserver};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Answers calls by operation and input. An object with `__type` is an error.
type Script = dyn Fn(&str, &Value) -> Value + Send + Sync;

/// An observer of scripted answers, and what it asked.
pub(crate) struct Eye {
    observer: CapacityObserver,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

macro_rules! client {
    ($sdk:ident, $url:expr, $clock:expr) => {{
        use $sdk::config::retry::RetryConfig;
        use $sdk::config::{BehaviorVersion, Credentials, Region};
        let config = $sdk::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-west-2"))
            .credentials_provider(Credentials::new("id", "key", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url($url)
            .interceptor($clock.clone())
            .build();
        $sdk::Client::from_conf(config)
    }};
}

impl Eye {
    /// An observer of what the script answers.
    pub(crate) async fn on(script: impl Fn(&str, &Value) -> Value + Send + Sync + 'static) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (script, for_route): (Arc<Script>, _) = (Arc::new(script), asked.clone());
        let route = post(move |headers: HeaderMap, body: Bytes| async move {
            let (operation, input, is_xml) = request(&headers, &body);
            let answer = script(&operation, &input);
            for_route.lock().unwrap().push((operation.clone(), input));
            respond(&operation, &answer, is_xml)
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", route)).await });
        Self {
            asked,
            ..Self::at(&url)
        }
    }

    /// An observer of this endpoint. What it asks is not kept.
    pub(crate) fn at(url: &str) -> Self {
        let clock = AwsClock::new();
        let observer = CapacityObserver::new(
            client!(aws_sdk_ecs, url, clock),
            client!(aws_sdk_autoscaling, url, clock),
            Arc::new(Budget::new(100)),
            clock,
        );
        let asked = Arc::default();
        Self { observer, asked }
    }

    /// The eye, where Ballast looks after these clusters alone.
    pub(crate) fn of_clusters(self, names: &[&str]) -> Self {
        let names = names.iter().map(|name| name.parse().unwrap());
        Self {
            observer: self.observer.of_clusters(names),
            asked: self.asked,
        }
    }

    pub(crate) async fn try_look(
        &self,
        scope: &Scope,
        within: Duration,
    ) -> Result<CapacitySnapshot, Blind> {
        self.observer.look(scope, Deadline::after(within)).await
    }

    pub(crate) async fn look(&self, scope: &Scope) -> CapacitySnapshot {
        let within = Duration::from_secs(120);
        self.try_look(scope, within).await.unwrap()
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// How often each operation was asked for since the last time, in words.
    pub(crate) fn counts(&self) -> String {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (operation, _) in self.asked() {
            *counts.entry(operation).or_default() += 1;
        }
        let mut text = String::new();
        for (operation, count) in counts {
            writeln!(text, "{count} {operation}").unwrap();
        }
        text
    }
}

/// The scope of these clusters.
pub(crate) fn clusters(names: &[&str]) -> Scope {
    Scope::Clusters(names.iter().map(|name| name.parse().unwrap()).collect())
}

/// An error answer.
pub(crate) fn error(code: &str, message: &str) -> Value {
    json!({"__type": code, "message": message})
}

fn request(headers: &HeaderMap, body: &[u8]) -> (String, Value, bool) {
    let target = headers.get("x-amz-target").and_then(|it| it.to_str().ok());
    if let Some(target) = target {
        let operation = target.rsplit('.').next().unwrap().to_owned();
        return (operation, serde_json::from_slice(body).unwrap(), false);
    }
    let mut input = serde_json::Map::new();
    for pair in std::str::from_utf8(body).unwrap().split('&') {
        let (name, value) = pair.split_once('=').unwrap();
        input.insert(unescape(name), Value::String(unescape(value)));
    }
    let operation = input.remove("Action").unwrap();
    input.remove("Version").unwrap();
    (
        operation.as_str().unwrap().to_owned(),
        Value::Object(input),
        true,
    )
}

/// A part of a form, without its percent signs.
fn unescape(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(out).unwrap()
}

fn respond(operation: &str, answer: &Value, is_xml: bool) -> Response {
    let date = [(header::DATE, "Mon, 02 Mar 2026 09:00:00 GMT")];
    let status = match answer.get("__type") {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    if !is_xml {
        return (status, date, answer.to_string()).into_response();
    }
    let mut text = String::new();
    match answer.get("__type") {
        Some(code) => {
            let error = json!({"Type": "Sender", "Code": code, "Message": answer["message"]});
            element(
                &mut text,
                "ErrorResponse",
                &json!({"Error": error, "RequestId": "1"}),
            );
        }
        None => {
            let result = format!("{operation}Result");
            element(
                &mut text,
                &format!("{operation}Response"),
                &json!({result: answer}),
            );
        }
    }
    (status, date, text).into_response()
}

/// A value as XML: the lines of a list are called `member`.
fn element(text: &mut String, name: &str, value: &Value) {
    write!(text, "<{name}>").unwrap();
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, it)| element(text, name, it)),
        Value::Array(lines) => lines.iter().for_each(|it| element(text, "member", it)),
        Value::String(it) => {
            let it = it.replace('&', "&amp;").replace('<', "&lt;");
            text.push_str(&it.replace('"', "&quot;"));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => write!(text, "{value}").unwrap(),
    }
    write!(text, "</{name}>").unwrap();
}
