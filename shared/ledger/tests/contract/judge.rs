//! moto's DynamoDB on loopback, and tables in it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use ledger::{ATTRIBUTE_PAIR, DynamoDbLedger, Ledger};

/// A running moto. It ends with its owner.
pub(crate) struct Moto {
    process: Child,
    url: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// Starts moto. `None` where it is not installed: the test says so and is skipped, unless judges are required.
pub(crate) fn moto() -> Option<Moto> {
    let program = venv().join("bin/moto_server");
    if !program.exists() {
        let why = format!(
            "`{}` is not there: `make setup` installs it",
            program.display()
        );
        assert!(!judges_are_required(), "{why}");
        println!("skipped: {why}");
        return None;
    }
    let mut process = Command::new(program)
        .args(["-H", "127.0.0.1", "-p", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It says where it listens once it does.
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let url = loop {
        let line = lines
            .next()
            .expect("moto ended before it listened")
            .unwrap();
        if let Some((_, address)) = line.split_once("Running on ") {
            break address.trim().to_owned();
        }
    };
    // What it goes on to say is read, so that it is never blocked by it.
    std::thread::spawn(move || lines.for_each(drop));
    Some(Moto { process, url })
}

fn venv() -> PathBuf {
    let workspace = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::var_os("BALLAST_VENV").map_or_else(|| workspace().join(".venv"), PathBuf::from)
}

fn judges_are_required() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty())
        || std::env::var("BALLAST_REQUIRE_JUDGES").is_ok_and(|value| value == "1")
}

/// A client of DynamoDB at this address.
pub(crate) fn client(url: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-west-2"))
        .credentials_provider(Credentials::new(
            "AKIAIOSFODNN7EXAMPLE",
            "not-a-secret",
            None,
            None,
            "test",
        ))
        .retry_config(RetryConfig::standard().with_max_attempts(1))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(url)
        .build();
    Client::from_conf(config)
}

impl Moto {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn client(&self) -> Client {
        client(&self.url)
    }

    /// An empty table, and a ledger in it.
    pub(crate) async fn table(&self) -> (String, Ledger) {
        static TABLES: AtomicU32 = AtomicU32::new(0);
        let name = format!("ledger-{}", TABLES.fetch_add(1, Ordering::Relaxed));
        let key = KeySchemaElement::builder()
            .attribute_name(ATTRIBUTE_PAIR)
            .key_type(KeyType::Hash)
            .build()
            .unwrap();
        let attribute = AttributeDefinition::builder()
            .attribute_name(ATTRIBUTE_PAIR)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .unwrap();
        self.client()
            .create_table()
            .table_name(&name)
            .key_schema(key)
            .attribute_definitions(attribute)
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await
            .unwrap();
        let ledger = Ledger::DynamoDb(DynamoDbLedger::new(self.client(), name.clone()));
        (name, ledger)
    }
}
