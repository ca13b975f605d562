//! What lies in the table, and what happens when it is not what it should be.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use calls::Deadline;
use expect_test::expect;
use ledger::{
    ATTRIBUTE_EXPIRES_AT, ATTRIBUTE_PAIR, DynamoDbLedger, EXPIRY_SECS, Ledger, LedgerError, Version,
};
use model::memory::PairMemory;
use model::snapshot::GapCause;
use model::{ServiceKey, Timestamp};

use crate::judge::{Moto, client, moto};

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

fn now() -> Timestamp {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

fn keys(texts: &[&str]) -> BTreeSet<ServiceKey> {
    texts.iter().map(|it| it.parse().unwrap()).collect()
}

/// Puts an item that Ballast did not write.
async fn put(moto: &Moto, table: &str, pair: &str, more: &[(&str, AttributeValue)]) {
    let mut item = HashMap::from([(
        ATTRIBUTE_PAIR.to_owned(),
        AttributeValue::S(pair.to_owned()),
    )]);
    item.extend(
        more.iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone())),
    );
    moto.client()
        .put_item()
        .table_name(table)
        .set_item(Some(item))
        .send()
        .await
        .unwrap();
}

fn n(number: &str) -> AttributeValue {
    AttributeValue::N(number.to_owned())
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

#[tokio::test]
async fn the_item_is_what_an_operator_can_read() {
    let Some(moto) = moto() else { return };
    let (table, ledger) = moto.table().await;
    let key: ServiceKey = "demo/web".parse().unwrap();
    ledger
        .remember(&key, &PairMemory::default(), Version::NONE, now(), soon())
        .await
        .unwrap();
    let answer = moto
        .client()
        .get_item()
        .table_name(&table)
        .key(ATTRIBUTE_PAIR, s("demo/web"))
        .send()
        .await
        .unwrap();
    let mut item: BTreeMap<_, _> = answer.item.unwrap().into_iter().collect();
    let write = item
        .insert("write".to_owned(), s("a random number"))
        .unwrap();
    assert_eq!(write.as_s().unwrap().len(), 16);
    let lines: Vec<String> = item
        .iter()
        .map(|(name, value)| format!("{name}: {value:?}\n"))
        .collect();
    expect![[r#"
        expires_at: N("1775034000")
        memory: S("{\"schema\":1,\"memory\":{\"watched\":null,\"deficits\":[],\"needs\":[],\"wrote\":null,\"foreign\":null,\"spot_shortage_at\":null}}")
        pair: S("demo/web")
        updated_at: S("2026-03-02T09:00:00Z")
        version: N("1")
        write: S("a random number")
    "#]].assert_eq(&lines.concat());
    let expires_at: i64 = item[ATTRIBUTE_EXPIRES_AT].as_n().unwrap().parse().unwrap();
    assert_eq!(expires_at - now().as_second(), EXPIRY_SECS);
}

/// A ledger whose table holds items that Ballast did not write.
async fn with_odd_items(moto: &Moto) -> (String, Ledger) {
    let (table, ledger) = moto.table().await;
    let good = r#"{"schema":1,"memory":{}}"#;
    for (pair, item) in [
        ("demo/good", vec![("version", n("3")), ("memory", s(good))]),
        (
            "demo/corrupt",
            vec![("version", n("4")), ("memory", s("{\"schema\":1,\"mem"))],
        ),
        (
            "demo/newer",
            vec![
                ("version", n("5")),
                ("memory", s(r#"{"schema":2,"memory":[]}"#)),
            ],
        ),
        ("demo/no-memory", vec![("version", n("6"))]),
        ("demo/no-version", vec![("memory", s(good))]),
        (
            "demo/odd-version",
            vec![("version", s("three")), ("memory", s(good))],
        ),
        (
            "demo/zero-version",
            vec![("version", n("0")), ("memory", s(good))],
        ),
    ] {
        put(moto, &table, pair, &item).await;
    }
    (table, ledger)
}

#[tokio::test]
async fn an_item_that_cannot_be_read_is_named() {
    let Some(moto) = moto() else { return };
    let (table, ledger) = with_odd_items(&moto).await;
    let all = keys(&[
        "demo/good",
        "demo/corrupt",
        "demo/newer",
        "demo/no-memory",
        "demo/no-version",
        "demo/odd-version",
        "demo/zero-version",
        "demo/never",
    ]);
    let recalled = ledger.recall(&all, soon()).await;
    let mut lines = String::new();
    for key in &all {
        let version = recalled.version(key).map(Version::number);
        let gap = recalled
            .gaps
            .get(key)
            .map(|gap| gap.detail.replace(&table, "ledger"));
        assert!(
            recalled.known.contains_key(key) != gap.is_some(),
            "{key} is in one of the two"
        );
        lines.push_str(&format!(
            "{key}: version {version:?}, {}\n",
            gap.as_deref().unwrap_or("known")
        ));
    }
    expect![[r#"
        demo/corrupt: version Some(4), the item in table `ledger` cannot be understood and will be replaced: EOF while parsing a string at line 1 column 16
        demo/good: version Some(3), known
        demo/never: version Some(0), known
        demo/newer: version Some(5), the item in table `ledger` cannot be understood and will be replaced: its schema is 2, this version understands 1
        demo/no-memory: version Some(6), the item in table `ledger` cannot be understood and will be replaced: `memory` is no string
        demo/no-version: version None, the item in table `ledger` has no usable `version`: delete it
        demo/odd-version: version None, the item in table `ledger` has no usable `version`: delete it
        demo/zero-version: version None, the item in table `ledger` has no usable `version`: delete it
    "#]].assert_eq(&lines);
    // What does not tell when it was written is written again, once.
    let due: Vec<&ServiceKey> = all
        .iter()
        .filter(|key| recalled.is_due(key, now()))
        .collect();
    let good: ServiceKey = "demo/good".parse().unwrap();
    assert_eq!(due, [&good]);
}

#[tokio::test]
async fn an_item_that_cannot_be_read_heals() {
    let Some(moto) = moto() else { return };
    let (_, ledger) = with_odd_items(&moto).await;
    // With the version that was told, the next write replaces what could not be understood.
    let odd = keys(&["demo/corrupt", "demo/newer", "demo/no-memory"]);
    let recalled = ledger.recall(&odd, soon()).await;
    for key in odd {
        let version = recalled.version(&key).unwrap();
        ledger
            .remember(&key, &PairMemory::default(), version, now(), soon())
            .await
            .unwrap();
        let healed = ledger.recall(&BTreeSet::from([key.clone()]), soon()).await;
        assert!(healed.known[&key].1 > version);
    }
    // An item without a version is never overwritten.
    let key: ServiceKey = "demo/no-version".parse().unwrap();
    let refused = ledger
        .remember(&key, &PairMemory::default(), Version::NONE, now(), soon())
        .await;
    assert!(
        matches!(refused, Err(LedgerError::Conflict { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_table_that_does_not_exist_is_not_available() {
    let Some(moto) = moto() else { return };
    let ledger = Ledger::DynamoDb(DynamoDbLedger::new(moto.client(), "no-such-table"));
    let all = keys(&["demo/web", "demo/other"]);
    let recalled = ledger.recall(&all, soon()).await;
    assert!(recalled.known.is_empty());
    for key in &all {
        assert_eq!(recalled.gaps[key].cause, GapCause::NotFound);
        assert_eq!(recalled.version(key), None, "nothing can be written");
    }
    let web: ServiceKey = "demo/web".parse().unwrap();
    let refused = ledger
        .remember(&web, &PairMemory::default(), Version::NONE, now(), soon())
        .await
        .unwrap_err();
    expect!["the ledger is not available: `dynamodb:PutItem` for `demo/web in no-such-table`: not_found (ResourceNotFoundException: Requested resource not found)"].assert_eq(&refused.to_string());
}

#[tokio::test]
async fn without_an_answer_or_time_it_is_not_available() {
    // Port 9 of this host is not listened on by anything that speaks HTTP.
    let ledger = Ledger::DynamoDb(DynamoDbLedger::new(client("http://127.0.0.1:9"), "ledger"));
    let all = keys(&["demo/web"]);
    let web: ServiceKey = "demo/web".parse().unwrap();
    for (deadline, cause) in [
        (soon(), GapCause::Unreachable),
        (Deadline::after(Duration::ZERO), GapCause::OutOfTime),
    ] {
        let recalled = ledger.recall(&all, deadline).await;
        assert_eq!(recalled.gaps[&web].cause, cause);
        let refused = ledger
            .remember(&web, &PairMemory::default(), Version::NONE, now(), deadline)
            .await
            .unwrap_err();
        let LedgerError::Unavailable(gap) = refused else {
            panic!("{refused}");
        };
        assert_eq!(gap.cause, cause);
        assert_eq!(gap.operation, "dynamodb:PutItem");
    }
}
