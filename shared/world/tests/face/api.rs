//! The AWS API: protocols, errors, the virtual clock in `Date`, and what is counted.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use serde_json::{Value, json};
use world::face::{Face, FaceOptions, serve};
use world::{Config, Fault, FaultRule, Operation, World};

use crate::http::{Answer, send};

const ECS: &str = "AmazonEC2ContainerServiceV20141113";
const APPLICATION_AUTO_SCALING: &str = "AnyScaleFrontendService";

async fn face_of(config: Config) -> Face {
    serve(World::new(config), FaceOptions::default())
        .await
        .unwrap()
}

async fn json_call(address: SocketAddr, target: &str, input: &str) -> Answer {
    let headers = [
        ("X-Amz-Target", target),
        ("Content-Type", "application/x-amz-json-1.1"),
    ];
    send(address, "POST /", &headers, input.as_bytes()).await
}

async fn ecs(face: &Face, operation: &str, input: Value) -> Answer {
    json_call(
        face.address(),
        &format!("{ECS}.{operation}"),
        &input.to_string(),
    )
    .await
}

async fn form(face: &Face, body: &str) -> Answer {
    let headers = [(
        "Content-Type",
        "application/x-www-form-urlencoded; charset=utf-8",
    )];
    send(face.address(), "POST /", &headers, body.as_bytes()).await
}

/// Asserts an error of JSON 1.1, in all the places where SDKs look.
fn check_error(answer: &Answer, status: u16, code: &str, words: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.headers["x-amzn-errortype"], code);
    let body = answer.json();
    assert_eq!(body["__type"], code);
    let message = body["message"].as_str().unwrap();
    assert!(message.contains(words), "`{message}` lacks `{words}`");
}

#[tokio::test]
async fn an_answer_has_its_headers_and_the_virtual_time() {
    let mut config = Config::new(1);
    config.start = "2026-03-01T23:59:10Z".parse().unwrap();
    config.api_latency_ms = 30_000;
    let face = face_of(config).await;
    let first = ecs(
        &face,
        "CreateCluster",
        json!({"clusterName": "container-demo"}),
    )
    .await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.json()["cluster"]["clusterName"], "container-demo");
    assert_eq!(first.headers["content-type"], "application/x-amz-json-1.1");
    assert_eq!(first.headers["date"], "Sun, 01 Mar 2026 23:59:40 GMT");
    assert_eq!(
        first.headers["x-amzn-requestid"],
        "00000000-0000-4000-9000-000000000001"
    );

    let second = ecs(&face, "ListClusters", json!({})).await;
    assert_eq!(second.headers["date"], "Mon, 02 Mar 2026 00:00:10 GMT");
    assert_eq!(
        second.headers["x-amzn-requestid"],
        "00000000-0000-4000-9000-000000000002"
    );

    face.with_world(|world| world.advance_secs(3_600));
    let third = form(&face, "Action=GetCallerIdentity&Version=2011-06-15").await;
    assert_eq!(third.headers["date"], "Mon, 02 Mar 2026 01:00:40 GMT");
}

#[tokio::test]
async fn errors_have_the_shape_of_json_1_1() {
    let face = face_of(Config::new(1)).await;
    let answer = ecs(&face, "ListServices", json!({"cluster": "nowhere"})).await;
    check_error(
        &answer,
        400,
        "ClusterNotFoundException",
        "Cluster not found.",
    );

    face.with_world(|world| {
        world.config_mut().faults.rules = vec![
            FaultRule::times(Operation::ListClusters, Fault::Throttle, 1),
            FaultRule::times(Operation::ListClusters, Fault::ServerError, 1),
            FaultRule::times(Operation::ListClusters, Fault::AccessDenied, 1),
        ];
    });
    let answer = ecs(&face, "ListClusters", json!({})).await;
    check_error(&answer, 400, "ThrottlingException", "Rate exceeded");
    let answer = ecs(&face, "ListClusters", json!({})).await;
    check_error(&answer, 500, "ServerException", "try again");
    let answer = ecs(&face, "ListClusters", json!({})).await;
    check_error(&answer, 400, "AccessDeniedException", "ecs:ListClusters");
    assert_eq!(ecs(&face, "ListClusters", json!({})).await.status, 200);
}

#[tokio::test]
async fn application_auto_scaling_answers_on_the_same_listener() {
    let face = face_of(Config::new(1)).await;
    let target = format!("{APPLICATION_AUTO_SCALING}.DescribeScalableTargets");
    let answer = json_call(face.address(), &target, r#"{"ServiceNamespace": "ecs"}"#).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"ScalableTargets": []}))
    );
    // The operation of one service is not the operation of another.
    let crossed = format!("{ECS}.DescribeScalableTargets");
    let answer = json_call(face.address(), &crossed, "{}").await;
    check_error(&answer, 400, "UnknownOperationException", &crossed);
}

#[tokio::test]
async fn odd_requests_are_refused_and_end_nothing() {
    let face = face_of(Config::new(1)).await;
    let address = face.address();
    let list = format!("{ECS}.ListClusters");
    for target in [
        format!("{ECS}.ListTaskDefinitions"),
        "DynamoDB_20120810.PutItem".to_owned(),
        "ListClusters".to_owned(),
    ] {
        let answer = json_call(address, &target, "{}").await;
        check_error(
            &answer,
            400,
            "UnknownOperationException",
            &format!("`{target}`"),
        );
    }
    for input in [
        "{",
        "[]",
        "5",
        "\"x\"",
        "{\"maxResults\": \"many\"}",
        "\u{feff}{}",
    ] {
        let answer = json_call(address, &list, input).await;
        check_error(&answer, 400, "SerializationException", "");
    }
    let headers = [
        ("X-Amz-Target", list.as_str()),
        ("Content-Type", "application/cbor"),
    ];
    let answer = send(address, "POST /", &headers, b"{}").await;
    check_error(&answer, 400, "SerializationException", "application/cbor");
    let answer = send(address, "GET /", &[], b"").await;
    check_error(
        &answer,
        400,
        "UnknownOperationException",
        "names no operation",
    );
    let answer = json_call(address, &list, &" ".repeat(1024 * 1024 + 1)).await;
    check_error(
        &answer,
        413,
        "RequestEntityTooLargeException",
        "1048576 bytes",
    );

    assert_eq!(json_call(address, &list, "").await.status, 200);
    // Three operations, five unreadable inputs, a content type, no operation at all, and a size.
    assert_eq!(face.calls()["unknown"], 11);
    assert_eq!(face.calls()["ecs:ListClusters"], 2);
}

#[tokio::test]
async fn the_query_protocol_answers_in_xml() {
    let face = face_of(Config::new(1)).await;
    let groups = "Action=DescribeAutoScalingGroups&Version=2011-01-01";
    let answer = form(&face, groups).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "text/xml");
    assert!(
        answer
            .body
            .contains("<AutoScalingGroups></AutoScalingGroups>"),
        "{}",
        answer.body
    );
    let id = &answer.headers["x-amzn-requestid"];
    assert!(
        answer
            .body
            .contains(&format!("<RequestId>{id}</RequestId>"))
    );

    let answer = form(&face, "Action=GetCallerIdentity&Version=2011-06-15").await;
    assert!(
        answer.body.contains("<Account>111122223333</Account>"),
        "{}",
        answer.body
    );
    assert!(
        answer
            .body
            .contains("https://sts.amazonaws.com/doc/2011-06-15/")
    );

    for (body, status, words) in [
        (
            "Action=DetachInstances&Version=2011-01-01",
            400,
            "<Code>InvalidAction</Code>",
        ),
        (
            "Action=GetCallerIdentity&Version=2011-01-01",
            400,
            "`GetCallerIdentity`",
        ),
        (
            "Action=DescribeAutoScalingGroups&Version=1",
            400,
            "of version `1`",
        ),
        ("", 400, "InvalidAction"),
        (
            &format!("{groups}&MaxRecords=x"),
            400,
            "<Code>MalformedQueryString</Code>",
        ),
        (
            &format!("{groups}&MaxRecords=1000"),
            400,
            "<Code>ValidationError</Code>",
        ),
    ] {
        let answer = form(&face, body).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert!(answer.body.contains(words), "{body}: {}", answer.body);
        assert!(answer.body.contains("<Type>Sender</Type>"));
    }
}

#[tokio::test]
async fn the_query_protocol_has_its_own_names_for_common_errors() {
    let face = face_of(Config::new(1)).await;
    let operation = Operation::DescribeAutoScalingGroups;
    for (fault, status, code) in [
        (Fault::Throttle, 400, "Throttling"),
        (Fault::AccessDenied, 403, "AccessDenied"),
        (Fault::ServerError, 500, "InternalFailure"),
    ] {
        face.with_world(|world| {
            world.config_mut().faults.rules = vec![FaultRule::always(operation, fault)];
        });
        let answer = form(&face, "Action=DescribeAutoScalingGroups&Version=2011-01-01").await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(
            answer.body.contains(&format!("<Code>{code}</Code>")),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn calls_and_errors_are_counted() {
    let face = face_of(Config::new(1)).await;
    ecs(&face, "ListClusters", json!({})).await;
    ecs(&face, "ListClusters", json!({})).await;
    ecs(&face, "ListTasks", json!({"cluster": "nowhere"})).await;
    form(&face, "Action=GetCallerIdentity&Version=2011-06-15").await;
    ecs(&face, "ListTaskDefinitions", json!({})).await;
    let pairs = |counts: std::collections::BTreeMap<String, u64>| -> Vec<String> {
        counts
            .iter()
            .map(|(name, count)| format!("{name}={count}"))
            .collect()
    };
    assert_eq!(
        pairs(face.calls()),
        [
            "ecs:ListClusters=2",
            "ecs:ListTasks=1",
            "sts:GetCallerIdentity=1",
            "unknown=1"
        ]
    );
    assert_eq!(
        pairs(face.errors()),
        [
            "ecs:ListTasks ClusterNotFoundException=1",
            "unknown UnknownOperationException=1"
        ]
    );
}

#[tokio::test]
async fn an_answer_that_is_lost_is_a_server_error_whose_write_happened() {
    let face = face_of(Config::new(1)).await;
    face.with_world(|world| {
        let rule = FaultRule::times(Operation::CreateCluster, Fault::ResponseLost, 1);
        world.config_mut().faults.rules = vec![rule];
    });
    let lost = ecs(
        &face,
        "CreateCluster",
        json!({"clusterName": "container-demo"}),
    )
    .await;
    assert_eq!(lost.status, 500);
    let listed = ecs(&face, "ListClusters", json!({})).await;
    assert_eq!(listed.json()["clusterArns"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_world_outlives_its_face() {
    let face = face_of(Config::new(1)).await;
    let address = face.address();
    let before = face.with_world(|world| world.now());
    ecs(&face, "ListClusters", json!({})).await;
    let world = face.shutdown().await.unwrap();
    let after = world.lock().unwrap().now();
    assert_eq!(after.duration_since(before).as_millis(), 30);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn time_runs_by_itself_where_asked_to() {
    let mut config = Config::new(1);
    config.api_latency_ms = 0;
    let start = config.start;
    let options = FaceOptions {
        pace: NonZeroU32::new(100_000),
        ..FaceOptions::default()
    };
    let face = serve(World::new(config), options).await.unwrap();
    // Ends as soon as time has run; nothing is asserted about how soon.
    while face.with_world(|world| world.now()) == start {
        tokio::task::yield_now().await;
    }
    let answer = ecs(&face, "ListClusters", json!({})).await;
    assert_ne!(answer.headers["date"], "Mon, 02 Mar 2026 09:00:00 GMT");
}
