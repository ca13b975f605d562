//! A write whose answer is lost on the way, so that the SDK repeats it. The judge is moto's DynamoDB.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use calls::Deadline;
use ledger::{DynamoDbLedger, Ledger, LedgerError, Version};
use model::memory::{PairMemory, Write};
use model::{ServiceKey, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::judge::{client, moto};

/// Passes connections on to `url`. Of the first, the answer is not passed back.
async fn losing_the_first_answer(url: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own_url = format!("http://{}", listener.local_addr().unwrap());
    let moto = url.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        let mut is_first = true;
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut judge = TcpStream::connect(&moto).await.unwrap();
            if std::mem::take(&mut is_first) {
                let mut bytes = Vec::new();
                while !bytes.ends_with(b"}") {
                    assert!(socket.read_buf(&mut bytes).await.unwrap() > 0);
                }
                judge.write_all(&bytes).await.unwrap();
                assert!(judge.read(&mut [0; 4_096]).await.unwrap() > 0);
            } else {
                tokio::spawn(async move {
                    // Either side may end it.
                    let _ended = copy_bidirectional(&mut socket, &mut judge).await;
                });
            }
        }
    });
    own_url
}

#[tokio::test]
async fn a_repeated_write_of_ones_own_is_no_conflict() {
    let Some(moto) = moto() else { return };
    let (table, other) = moto.table().await;
    let config = client(&losing_the_first_answer(moto.url()).await)
        .config()
        .to_builder()
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(2)
                .with_initial_backoff(Duration::from_millis(1)),
        )
        .build();
    let ledger = Ledger::DynamoDb(DynamoDbLedger::new(Client::from_conf(config), table));
    let web: ServiceKey = "demo/web".parse().unwrap();
    let now: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    let deadline = Deadline::after(Duration::from_secs(60));
    let memory = PairMemory {
        wrote: Some(Write {
            from: 0,
            to: 3,
            at: now,
            confirmed: false,
        }),
        ..PairMemory::default()
    };
    let first = ledger
        .remember(&web, &memory, Version::NONE, now, deadline)
        .await;
    assert_eq!(first.as_ref().map(|it| it.number()), Ok(1), "{first:?}");
    let recalled = other.recall(&BTreeSet::from([web.clone()]), deadline).await;
    assert_eq!(recalled.known[&web], (memory.clone(), first.unwrap()));

    // The same content at the same moment, but written by somebody else.
    let second = other
        .remember(&web, &memory, Version::NONE, now, deadline)
        .await;
    assert!(
        matches!(second, Err(LedgerError::Conflict { .. })),
        "{second:?}"
    );
}
