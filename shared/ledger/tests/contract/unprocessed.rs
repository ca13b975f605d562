//! BatchGetItem may answer a part and leave the rest unprocessed. moto never does: the answers are scripted.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use calls::Deadline;
use ledger::{DynamoDbLedger, Ledger, Recalled, Version};
use model::ServiceKey;
use model::snapshot::GapCause;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::judge::client;

/// Recalls these pairs from a table of which every call answers at most `at_once` items and leaves the rest; the second value is
/// how many keys each call asked for.
async fn recall(pairs: u32, at_once: usize) -> (Recalled, Vec<usize>) {
    let asked: Arc<Mutex<Vec<usize>>> = Arc::default();
    let for_route = asked.clone();
    let route = post(move |body: Bytes| async move {
        let input: Value = serde_json::from_slice(&body).unwrap();
        let wanted = input["RequestItems"]["ledger"]["Keys"]
            .as_array()
            .unwrap()
            .clone();
        for_route.lock().unwrap().push(wanted.len());
        let (now, later) = wanted.split_at(at_once.min(wanted.len()));
        let items: Vec<Value> = now
            .iter()
            .map(|key| {
                let memory = r#"{"schema":1,"memory":{}}"#;
                json!({"pair": key["pair"], "version": {"N": "7"}, "memory": {"S": memory}})
            })
            .collect();
        let unprocessed = if later.is_empty() {
            json!({})
        } else {
            json!({"ledger": {"Keys": later, "ConsistentRead": true}})
        };
        json!({"Responses": {"ledger": items}, "UnprocessedKeys": unprocessed}).to_string()
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", route)).await });

    let keys: BTreeSet<ServiceKey> = (0..pairs)
        .map(|it| format!("demo/s{it:03}").parse().unwrap())
        .collect();
    let ledger = Ledger::DynamoDb(DynamoDbLedger::new(client(&url), "ledger"));
    let recalled = ledger
        .recall(&keys, Deadline::after(Duration::from_secs(60)))
        .await;
    assert_eq!(recalled.known.len() + recalled.gaps.len(), keys.len());
    let asked = asked.lock().unwrap().clone();
    (recalled, asked)
}

#[tokio::test]
async fn what_is_left_unprocessed_is_asked_for_again() {
    let (recalled, asked) = recall(130, 70).await;
    assert_eq!(
        asked,
        [100, 30, 30],
        "batches of a hundred, and the rest of the first"
    );
    assert!(recalled.gaps.is_empty());
    assert!(
        recalled
            .known
            .values()
            .all(|(_, version)| *version > Version::NONE)
    );
}

#[tokio::test]
async fn what_is_never_processed_is_a_gap() {
    let (recalled, asked) = recall(2, 0).await;
    assert_eq!(asked, [2; 5], "the attempts have an end");
    assert!(
        recalled.known.is_empty(),
        "an unprocessed key is not an unwritten one"
    );
    assert!(
        recalled
            .gaps
            .values()
            .all(|gap| gap.cause == GapCause::Throttled)
    );
}
