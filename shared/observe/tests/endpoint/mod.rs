//! An endpoint on loopback that answers ECS's JSON, EC2 Auto Scaling's XML and CloudWatch's CBOR as a test says, clients of it, and
//! observers over it (`eye`).

mod cbor;
pub(crate) mod eye;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Answers calls by operation and input. An object with `__type` is an error.
type Script = dyn Fn(&str, &Value) -> Value + Send + Sync;

/// What was asked, in order: operations and their inputs.
#[derive(Clone, Default)]
pub(crate) struct Asked(Arc<Mutex<Vec<(String, Value)>>>);

impl Asked {
    /// What was asked since the last time.
    pub(crate) fn take(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// How often each operation was asked for since the last time, in words.
    pub(crate) fn counts(&self) -> String {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (operation, _) in self.take() {
            *counts.entry(operation).or_default() += 1;
        }
        let mut text = String::new();
        for (operation, count) in counts {
            writeln!(text, "{count} {operation}").unwrap();
        }
        text
    }
}

/// A client of an endpoint, that tells the clock the time.
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

pub(crate) use client;

/// Serves what the script answers. The answer is where.
pub(crate) async fn serve(
    script: impl Fn(&str, &Value) -> Value + Send + Sync + 'static,
    asked: &Asked,
) -> String {
    let (script, asked): (Arc<Script>, _) = (Arc::new(script), asked.clone());
    let answer = Arc::new(move |operation: &str, input: Value| {
        let answer = script(operation, &input);
        let mut asked = asked.0.lock().unwrap();
        asked.push((operation.to_owned(), input));
        answer
    });
    let answer_cbor = Arc::clone(&answer);
    let route = post(move |headers: HeaderMap, body: Bytes| async move {
        let (operation, input, is_xml) = request(&headers, &body);
        respond(&operation, &answer(&operation, input), is_xml)
    });
    let of_cbor = post(
        move |Path((_, operation)): Path<(String, String)>, body: Bytes| async move {
            let answer = answer_cbor(&operation, cbor::read(&body));
            cbor::respond(status(&answer), DATE, &answer)
        },
    );
    let router = Router::new()
        .route("/", route)
        .route("/service/{service}/operation/{operation}", of_cbor);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
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

/// AWS's time.
const DATE: &str = "Mon, 02 Mar 2026 09:00:00 GMT";

fn status(answer: &Value) -> StatusCode {
    match answer.get("__type") {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    }
}

fn respond(operation: &str, answer: &Value, is_xml: bool) -> Response {
    let (date, status) = ([(header::DATE, DATE)], status(answer));
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
