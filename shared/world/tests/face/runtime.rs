//! The Lambda Runtime API, with a function of a few lines that lives in the test.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use world::face::{
    FunctionError, InvocationResult, RESPONSE_BYTES_MAX, RuntimeFace, RuntimeOptions,
};

use crate::http::{Answer, finish, send, start};

const NEXT: &str = "GET /2018-06-01/runtime/invocation/next";

fn options() -> RuntimeOptions {
    RuntimeOptions::new(
        "spot-fallback",
        "111122223333".parse().unwrap(),
        "us-west-2".parse().unwrap(),
    )
}

async fn face() -> RuntimeFace {
    RuntimeFace::serve(options()).await.unwrap()
}

async fn next(face: &RuntimeFace) -> Answer {
    send(face.address(), NEXT, &[], b"").await
}

async fn post(face: &RuntimeFace, id: &str, what: &str, body: &[u8]) -> Answer {
    let path = format!("POST /2018-06-01/runtime/invocation/{id}/{what}");
    send(face.address(), &path, &[], body).await
}

fn id_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.headers["lambda-runtime-aws-request-id"].clone()
}

/// Polls once and posts an answer; returns what was posted to and how it was received.
async fn serve_one(face: &RuntimeFace, what: &str, body: &[u8]) -> (Answer, Answer) {
    let event = next(face).await;
    let received = post(face, &id_of(&event), what, body).await;
    (event, received)
}

/// Invokes with a payload while the function answers as told.
async fn invoke_with(what: &str, body: &[u8]) -> (InvocationResult, Answer) {
    let face = face().await;
    let payload = json!({});
    let (result, (_event, received)) =
        tokio::join!(face.invoke(&payload), serve_one(&face, what, body));
    (result, received)
}

fn error(error_type: &str, error_message: &str) -> InvocationResult {
    InvocationResult::Err(FunctionError {
        error_type: error_type.to_owned(),
        error_message: error_message.to_owned(),
        stack_trace: Vec::new(),
    })
}

#[tokio::test]
async fn an_event_is_handed_out_and_its_answer_comes_back() {
    let face = face().await;
    let payload = json!({"source": "aws.ecs", "detail": {"text": "ä\u{0}"}});
    let earliest = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let (result, (event, received)) = tokio::join!(
        face.invoke(&payload),
        serve_one(&face, "response", br#"{"plan": []}"#)
    );
    let latest = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();

    assert_eq!(result, InvocationResult::Ok(json!({"plan": []})));
    assert_eq!(received.status, 202);
    assert_eq!(event.json(), payload);
    assert_eq!(event.headers["content-type"], "application/json");
    assert_eq!(
        event.headers["lambda-runtime-invoked-function-arn"],
        "arn:aws:lambda:us-west-2:111122223333:function:spot-fallback"
    );
    assert!(event.headers["lambda-runtime-trace-id"].starts_with("Root=1-"));
    let deadline: u128 = event.headers["lambda-runtime-deadline-ms"].parse().unwrap();
    let limit = Duration::from_secs(60);
    assert!(deadline >= (earliest + limit).as_millis());
    assert!(deadline <= (latest + limit).as_millis());
}

#[tokio::test]
async fn answers_of_every_kind_end_the_invocation() {
    let (result, received) = invoke_with("response", b"").await;
    assert_eq!(
        (result, received.status),
        (InvocationResult::Ok(Value::Null), 202)
    );

    let (result, received) = invoke_with("response", b"not json").await;
    let InvocationResult::Err(malformed) = result else {
        panic!("{result:?}");
    };
    assert_eq!(malformed.error_type, "Runtime.MalformedResponse");
    assert_eq!(received.status, 202);

    let body =
        br#"{"errorType": "LedgerUnavailable", "errorMessage": "no table", "stackTrace": ["a"]}"#;
    let (result, received) = invoke_with("error", body).await;
    let want = InvocationResult::Err(FunctionError {
        error_type: "LedgerUnavailable".to_owned(),
        error_message: "no table".to_owned(),
        stack_trace: vec!["a".to_owned()],
    });
    assert_eq!((result, received.status), (want, 202));

    let (result, _) = invoke_with("error", b"{}").await;
    assert_eq!(result, error("Runtime.UnknownReason", ""));
    let (result, _) = invoke_with("error", b"\xff").await;
    assert_eq!(
        result,
        error(
            "Runtime.UnknownReason",
            "the error's body could not be read"
        )
    );
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_an_error() {
    let body = vec![b' '; RESPONSE_BYTES_MAX + 1];
    let (result, received) = invoke_with("response", &body).await;
    assert_eq!(received.status, 413);
    assert_eq!(
        received.json()["errorType"],
        "Function.ResponseSizeTooLarge"
    );
    let InvocationResult::Err(too_large) = result else {
        panic!("{result:?}");
    };
    assert_eq!(too_large.error_type, "Function.ResponseSizeTooLarge");
}

#[tokio::test]
async fn the_header_names_an_error_whose_body_does_not() {
    let face = face().await;
    let payload = json!({});
    let function = async {
        let id = id_of(&next(&face).await);
        let path = format!("POST /2018-06-01/runtime/invocation/{id}/error");
        let headers = [("Lambda-Runtime-Function-Error-Type", "Runtime.Panic")];
        send(
            face.address(),
            &path,
            &headers,
            br#"{"errorMessage": "boom"}"#,
        )
        .await
    };
    let (result, received) = tokio::join!(face.invoke(&payload), function);
    assert_eq!(
        (result, received.status),
        (error("Runtime.Panic", "boom"), 202)
    );
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_refused() {
    let face = RuntimeFace::serve(RuntimeOptions {
        timeout: Duration::ZERO,
        ..options()
    })
    .await
    .unwrap();
    let payload = json!({});
    let (result, event) = tokio::join!(face.invoke(&payload), next(&face));
    let after = Duration::ZERO;
    assert_eq!(result, InvocationResult::TimedOut { after });
    let late = post(&face, &id_of(&event), "response", b"{}").await;
    assert_eq!(late.status, 400);
    assert_eq!(late.json()["errorType"], "InvalidRequestID");
}

#[tokio::test]
async fn an_event_that_nobody_polls_for_expires() {
    let face = RuntimeFace::serve(RuntimeOptions {
        poll_limit: Duration::ZERO,
        ..options()
    })
    .await
    .unwrap();
    let expired = face.invoke(&json!({"number": 1})).await;
    let after = Duration::ZERO;
    assert_eq!(expired, InvocationResult::TimedOut { after });
    // The poll that comes now waits, and the listener's end is all that it gets.
    let poll = start(face.address(), NEXT, &[], b"").await;
    face.ready().await.unwrap();
    face.shutdown().await.unwrap();
    assert_eq!(finish(poll).await.status, 500);
}

#[tokio::test]
async fn invocations_take_turns() {
    let face = face().await;
    let (first, second) = (json!({"number": 1}), json!({"number": 2}));
    let function = async {
        for _ in 0..2 {
            let event = next(&face).await;
            let body = event.body.clone();
            post(&face, &id_of(&event), "response", body.as_bytes()).await;
        }
    };
    let (one, two, ()) = tokio::join!(face.invoke(&first), face.invoke(&second), function);
    assert_eq!(one, InvocationResult::Ok(first.clone()));
    assert_eq!(two, InvocationResult::Ok(second.clone()));
    assert_eq!(face.polls(), 2);
}

#[tokio::test]
async fn a_process_that_ends_ends_its_invocation() {
    let face = face().await;
    let payload = json!({});
    let exited = InvocationResult::Exited {
        detail: "exit status 101".to_owned(),
    };
    let function = async {
        next(&face).await;
        face.exited("exit status 101");
    };
    let (result, ()) = tokio::join!(face.invoke(&payload), function);
    assert_eq!(result, exited);
    assert_eq!(face.invoke(&payload).await, exited);
    assert_eq!(face.ready().await, Err(exited));

    face.restarting();
    let (result, _) = tokio::join!(face.invoke(&payload), serve_one(&face, "response", b"1"));
    assert_eq!(result, InvocationResult::Ok(json!(1)));
}

#[tokio::test]
async fn a_process_that_ends_before_it_polls_ends_the_invocation_too() {
    let face = face().await;
    let payload = json!({});
    let (result, ()) = tokio::join!(face.invoke(&payload), async { face.exited("gone") });
    assert_eq!(
        result,
        InvocationResult::Exited {
            detail: "gone".to_owned()
        }
    );
}

#[tokio::test]
async fn polling_again_without_an_answer_ends_the_invocation() {
    let face = face().await;
    let payload = json!({});
    let function = async {
        next(&face).await;
        start(face.address(), NEXT, &[], b"").await
    };
    let (result, _poll) = tokio::join!(face.invoke(&payload), function);
    let InvocationResult::Exited { detail } = result else {
        panic!("{result:?}");
    };
    assert!(
        detail.contains("polled again without an answer"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_poll_that_was_left_behind_takes_no_event() {
    let face = face().await;
    let left_behind = start(face.address(), NEXT, &[], b"").await;
    face.ready().await.unwrap();
    let newer = start(face.address(), NEXT, &[], b"").await;
    while face.polls() < 2 {
        tokio::task::yield_now().await;
    }
    let payload = json!({"number": 1});
    let function = async {
        let event = finish(newer).await;
        post(&face, &id_of(&event), "response", b"true").await
    };
    let (result, _) = tokio::join!(face.invoke(&payload), function);
    assert_eq!(result, InvocationResult::Ok(json!(true)));
    drop(left_behind);
}

#[tokio::test]
async fn a_function_that_fails_to_start_says_why() {
    let face = face().await;
    let payload = json!({});
    let function = async {
        let path = "POST /2018-06-01/runtime/init/error";
        let body = br#"{"errorType": "SettingsFault", "errorMessage": "`BALLAST_MODE` is odd"}"#;
        send(face.address(), path, &[], body).await
    };
    let (result, received) = tokio::join!(face.invoke(&payload), function);
    let want = error("SettingsFault", "`BALLAST_MODE` is odd");
    assert_eq!((result, received.status), (want.clone(), 202));
    assert_eq!(face.ready().await, Err(want));
}

#[tokio::test]
async fn other_requests_are_refused() {
    let face = face().await;
    assert_eq!(post(&face, "nobody", "response", b"{}").await.status, 400);
    assert_eq!(post(&face, "nobody", "error", b"{}").await.status, 400);
    let odd = send(
        face.address(),
        "GET /2018-06-01/runtime/restore/next",
        &[],
        b"",
    )
    .await;
    assert_eq!(odd.status, 404);
    let wrong_method = send(face.address(), &NEXT.replace("GET", "POST"), &[], b"").await;
    assert_eq!(wrong_method.status, 405);
}

#[tokio::test]
async fn the_environment_is_what_a_runtime_needs() {
    let face = face().await;
    let environment = face.environment();
    assert_eq!(
        environment["AWS_LAMBDA_RUNTIME_API"],
        face.address().to_string()
    );
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_NAME"], "spot-fallback");
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "128");
    assert_eq!(environment["AWS_REGION"], "us-west-2");
}
