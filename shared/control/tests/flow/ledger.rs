//! What happens without the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::ledger::{DynamoDbLedger, Ledger, Version};
use model::Seconds;
use model::memory::{ForeignEdit, PairMemory, Write};
use model::outcome::OutcomeResult;
use model::policy::Mode;
use model::snapshot::GapCause;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use world::{Fault, FaultRule, Operation};

use crate::stage::{Stage, Staged, dynamodb, interruption, schedule};
use crate::workshop::{self, dry_out, in_drought, with};

/// A DynamoDB that refuses its first requests and then keeps items, without looking at conditions.
pub(crate) async fn away_for(refused: usize) -> String {
    const NOT_FOUND: &str = "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException";
    let away = move |requests, _| (requests <= refused).then_some(NOT_FOUND);
    refusing(away, Refused::Forgotten).await
}

const CONFLICT: &str = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";

/// A DynamoDB that says of the first so many writes that somebody else came before, and then keeps items.
pub(crate) async fn contended_for(conflicts: usize) -> String {
    let contended = move |_, writes| (1..=conflicts).contains(&writes).then_some(CONFLICT);
    refusing(contended, Refused::Forgotten).await
}

/// The same for the first write; the one that came before wrote just that.
pub(crate) async fn outrun() -> String {
    let outrun = |_, writes| (writes == 1).then_some(CONFLICT);
    refusing(outrun, Refused::Kept).await
}

/// What becomes of an item that is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refused {
    Forgotten,
    /// Somebody else has written it.
    Kept,
}

/// A DynamoDB that keeps items, without looking at conditions. `refuses` is asked with the number of the request, and with that of the
/// write where it is one, else 0; it gives the error's name.
async fn refusing(
    refuses: impl Fn(usize, usize) -> Option<&'static str> + Send + 'static,
    refused: Refused,
) -> String {
    let (listener, url) = listen().await;
    let is_kept = refused == Refused::Kept;
    tokio::spawn(async move {
        let answers = move |request, write, _: &str| refuses(request, write);
        keep_items(&listener, answers, is_kept, |_| true).await;
    });
    url
}

/// Where a DynamoDB of these tests listens, and its address.
pub(crate) async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Keeps items, without looking at conditions. `refuses` is asked with the number of the request, that of the write, and its key; it gives the
/// error's name. What is refused is kept all the same where that is said. No request is answered until `may_answer` says so, given the key
/// of a write. Of a read the key is those that it asks for, one after the other.
pub(crate) async fn keep_items(
    listener: &TcpListener,
    refuses: impl Fn(usize, usize, &str) -> Option<&'static str>,
    is_kept: bool,
    may_answer: impl Fn(&str) -> bool,
) {
    let mut kept: BTreeMap<String, Value> = BTreeMap::new();
    let (mut requests, mut writes) = (0, 0);
    while let Ok((mut socket, _)) = listener.accept().await {
        let (head, body) = read_request(&mut socket).await;
        let is_read = head.contains("BatchGetItem");
        requests += 1;
        writes += usize::from(!is_read);
        let write = if is_read { 0 } else { writes };
        let item = body["Item"].clone();
        let asked = body["RequestItems"]["pairs"]["Keys"].as_array();
        let asked = asked.into_iter().flatten();
        let pairs = asked
            .chain([&item])
            .filter_map(|it| it["pair"]["S"].as_str());
        let pair = pairs.collect::<Vec<_>>().join(" ");
        let code = refuses(requests, write, &pair);
        while !may_answer(&pair) {
            tokio::task::yield_now().await;
        }
        if write > 0 && (code.is_none() || is_kept) {
            kept.insert(pair, item);
        }
        let (status, answer) = if let Some(code) = code {
            ("400 Bad Request", json!({"__type": code}))
        } else if is_read {
            let keys = body["RequestItems"]["pairs"]["Keys"].as_array().unwrap();
            let items: Vec<&Value> = keys
                .iter()
                .filter_map(|key| kept.get(key["pair"]["S"].as_str().unwrap()))
                .collect();
            let answer = json!({"Responses": {"pairs": items}, "UnprocessedKeys": {}});
            ("200 OK", answer)
        } else {
            ("200 OK", json!({}))
        };
        let body = answer.to_string();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = socket.write_all(answer.as_bytes()).await;
    }
}

/// A request's head in lower case but for its values, and its body.
async fn read_request(socket: &mut TcpStream) -> (String, Value) {
    let mut bytes = Vec::new();
    loop {
        let mut more = [0; 65_536];
        let count = socket.read(&mut more).await.unwrap();
        bytes.extend_from_slice(&more[..count]);
        let text = String::from_utf8(bytes.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            return (head.to_owned(), body);
        }
        assert!(count > 0, "the request does not end: {text}");
    }
}

/// A DynamoDB in which there is no table: every request gets this answer.
pub(crate) async fn without_table() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = vec![0; 65_536];
            // The requests of these tests fit into one read or two; the answer is the same for any.
            if socket.read(&mut request).await.is_err() {
                continue;
            }
            let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found"}"#;
            let answer = format!(
                "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.0\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    url
}

/// Takes the ledger's table away; gives the ledger that was there.
pub(crate) async fn lose<D: Staged>(stage: &mut Stage<D>) -> Arc<Ledger> {
    let client = dynamodb(&without_table().await);
    let lost = DynamoDbLedger::new(client, "no-such-table");
    std::mem::replace(&mut stage.ledger, Arc::new(Ledger::DynamoDb(lost)))
}

#[tokio::test]
async fn without_its_table_evident_shortage_is_covered_and_the_invocation_fails() {
    let mut stage = in_drought().await;
    lose(&mut stage).await;
    let handled = stage.handle(Mode::Act, &interruption()).await;
    let failure = handled.failure.unwrap();
    assert_eq!(failure.as_str(), "LedgerUnavailable");
    assert!(
        failure.to_string().contains("ResourceNotFoundException"),
        "{failure}"
    );
    let gap = &handled.record.gaps[0];
    assert_eq!(gap.cause, GapCause::NotFound);
    assert!(gap.operation.starts_with("dynamodb:"), "{gap}");
    assert_eq!(handled.record.outcomes[0].result, OutcomeResult::Done);
    assert_eq!(stage.desired(&stage.cast.standby), 7);
}

#[tokio::test]
async fn without_its_table_nothing_is_given_back() {
    let mut stage = in_drought().await;
    stage.handle(Mode::Act, &interruption()).await;
    assert_eq!(stage.desired(&stage.cast.standby), 7);
    stage.face.with_world(|world| {
        let now = world.now();
        world.set_capacity_everywhere("FARGATE_SPOT", now, 100);
    });
    lose(&mut stage).await;
    for _ in 0..20 {
        stage.advance_secs(60);
        let handled = stage.handle(Mode::Act, &schedule()).await;
        assert_eq!(handled.failure.unwrap().as_str(), "LedgerUnavailable");
        assert_eq!(handled.record.plan.steps, []);
    }
    assert_eq!(stage.desired(&stage.cast.standby), 7);
}

#[tokio::test]
async fn with_its_ledger_everything_is_given_back_and_then_rests() {
    let stage = in_drought().await;
    stage.handle(Mode::Act, &interruption()).await;
    stage.face.with_world(|world| {
        let now = world.now();
        world.set_capacity_everywhere("FARGATE_SPOT", now, 100);
    });
    for _ in 0..30 {
        stage.advance_secs(60);
        // Each time a fresh process: what is needed is in the ledger.
        let handled = stage.handle(Mode::Act, &schedule()).await;
        assert_eq!(handled.failure, None);
        let serving = stage.face.with_world(|world| {
            let serving = |key| world.account(key).unwrap().serving;
            serving(&stage.cast.primary) + serving(&stage.cast.standby)
        });
        assert!(serving >= 10, "{serving} tasks serve");
    }
    assert_eq!(stage.desired(&stage.cast.standby), 0);
    let last = stage.handle(Mode::Act, &schedule()).await;
    assert_eq!(last.record.plan.steps, []);
    assert!(last.record.plan.holds_by_reason.contains_key("at_rest"));
}

#[tokio::test]
async fn a_write_that_certainly_failed_is_tried_again_at_once() {
    let stage = in_drought().await;
    stage.fault(FaultRule::always(
        Operation::UpdateService,
        Fault::AccessDenied,
    ));
    let handled = stage.handle(Mode::Act, &interruption()).await;
    assert_eq!(handled.failure.unwrap().as_str(), "StepFailed");
    stage.clear_faults();
    let handled = stage.handle(Mode::Act, &interruption()).await;
    assert_eq!(handled.failure, None);
    assert_eq!(handled.record.outcomes[0].result, OutcomeResult::Done);
}

#[tokio::test]
async fn a_write_that_may_be_under_way_is_waited_for_and_then_tried_again() {
    let stage = in_drought().await;
    // The SDK attempts three times.
    let fault = FaultRule::times(Operation::UpdateService, Fault::Throttle, 3);
    stage.fault(fault);
    let handled = stage.handle(Mode::Act, &interruption()).await;
    assert_eq!(handled.failure.unwrap().as_str(), "StepFailed");
    let handled = stage.handle(Mode::Act, &interruption()).await;
    assert_eq!(handled.failure, None);
    let holds = &handled.record.plan.holds_by_reason;
    assert_eq!(holds.get("own_write_not_visible"), Some(&1), "{holds:?}");
    stage.advance_secs(30);
    let handled = stage.handle(Mode::Act, &schedule()).await;
    assert_eq!(handled.failure, None);
    assert_eq!(handled.record.outcomes[0].result, OutcomeResult::Done);
}

/// A raise that the ledger was not there for is no foreign edit to the next look.
#[tokio::test]
async fn a_raise_that_could_not_be_announced_is_remembered_afterwards() {
    let mut stage = in_drought().await;
    let client = dynamodb(&away_for(1).await);
    stage.ledger = Arc::new(Ledger::DynamoDb(DynamoDbLedger::new(client, "pairs")));
    let handled = stage.handle(Mode::Act, &interruption()).await;
    assert_eq!(handled.failure.unwrap().as_str(), "LedgerUnavailable");
    assert_eq!(handled.record.outcomes[0].result, OutcomeResult::Done);
    assert_eq!(handled.record.ledger.confirmed, 1);
    let wrote = stage.memory().await.wrote.unwrap();
    assert_eq!((wrote.from, wrote.to, wrote.confirmed), (0, 7, true));
}

/// Somebody else set the standby to 2 more than an hour ago; Ballast had written 1 before.
async fn with_an_expired_foreign_edit() -> workshop::Stage {
    let stage = with(|world| {
        // The standby is older than what was written to it.
        world.advance_secs(10_000);
        dry_out(world);
    })
    .await;
    let now = stage.face.with_world(|world| {
        world.set_desired_count(&stage.cast.standby, 2).unwrap();
        world.now()
    });
    let memory = PairMemory {
        wrote: Some(Write {
            from: 0,
            to: 1,
            at: Seconds(-8_000).after(now),
            confirmed: true,
        }),
        foreign: Some(ForeignEdit {
            found: 2,
            wrote: 1,
            noticed_at: Seconds(-7_000).after(now),
        }),
        ..PairMemory::default()
    };
    stage.remember(&memory, Version::NONE).await;
    stage
}

#[tokio::test]
async fn an_accepted_foreign_count_stays_accepted_when_the_step_fails() {
    let stage = with_an_expired_foreign_edit().await;
    stage.fault(FaultRule::always(
        Operation::UpdateService,
        Fault::AccessDenied,
    ));
    let handled = stage.handle(Mode::Act, &interruption()).await;
    assert_eq!(handled.failure.unwrap().as_str(), "StepFailed");
    stage.clear_faults();
    let handled = stage.handle(Mode::Act, &interruption()).await;
    let plan = &handled.record.plan;
    assert_eq!(plan.steps.len(), 1, "{:?}", plan.holds_by_reason);
    assert_eq!(handled.record.outcomes[0].result, OutcomeResult::Done);
}

#[tokio::test]
async fn an_accepted_foreign_count_stays_accepted_where_nothing_is_written() {
    let stage = with_an_expired_foreign_edit().await;
    for _ in 0..2 {
        let handled = stage.handle(Mode::Observe, &interruption()).await;
        let plan = &handled.record.plan;
        assert_eq!(plan.steps.len(), 1, "{:?}", plan.holds_by_reason);
        assert_eq!(handled.record.outcomes[0].result, OutcomeResult::NotWritten);
    }
}

/// Of three rounds each finds that another invocation has changed the memory meanwhile. The step is not taken, and the invocation says so.
#[tokio::test]
async fn a_pair_that_others_change_in_every_round_is_left_alone_and_the_invocation_fails() {
    let mut stage = in_drought().await;
    let client = dynamodb(&contended_for(3).await);
    stage.ledger = Arc::new(Ledger::DynamoDb(DynamoDbLedger::new(client, "pairs")));
    let handled = stage.handle(Mode::Act, &interruption()).await;
    assert_eq!(handled.failure.unwrap().as_str(), "StepFailed");
    assert_eq!(handled.record.ledger.conflicts, 3);
    let refused = "ledger: other invocations kept changing what is remembered of this pair";
    let detail = refused.to_owned();
    assert_eq!(handled.record.outcomes.len(), 1);
    assert_eq!(
        handled.record.outcomes[0].result,
        OutcomeResult::Refused { detail }
    );
    assert_eq!(stage.desired(&stage.cast.standby), 0);
    // With one conflict less the last round takes it.
    let client = dynamodb(&contended_for(2).await);
    stage.ledger = Arc::new(Ledger::DynamoDb(DynamoDbLedger::new(client, "pairs")));
    let handled = stage.handle(Mode::Act, &interruption()).await;
    assert_eq!(handled.failure, None);
    assert_eq!(handled.record.outcomes[0].result, OutcomeResult::Done);
    assert_eq!(stage.desired(&stage.cast.standby), 7);
}
