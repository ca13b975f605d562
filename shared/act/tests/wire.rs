//! What goes over the wire, to the letter.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where its scenario is not what it says"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use act::{Actor, SERVICES_PER_READ_MAX};
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region};
use calls::{Budget, Deadline};
use model::Timestamp;
use model::outcome::{Outcome, OutcomeResult};
use model::plan::{Action, Counts, Evidence, Step, StepReason};
use model::policy::Mode;
use model::tracking::{TargetName, TrackingKey, TrackingNumbers, TrackingStep, TrackingStepReason};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// An ECS that describes every service as a standby, or as tracked, at 0 tasks, accepts every update, and keeps what it was sent.
#[derive(Clone, Default)]
struct Ecs {
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Ecs {
    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let ecs = self.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(ecs.clone().serve(socket));
            }
        });
        url
    }

    /// Answers the requests of one connection.
    async fn serve(self, socket: TcpStream) {
        let mut socket = BufReader::new(socket);
        loop {
            let (mut operation, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if socket.read_line(&mut line).await.unwrap_or(0) == 0 {
                    return;
                }
                let Some((name, value)) = line.trim_end().split_once(": ") else {
                    if line.trim_end().is_empty() {
                        break;
                    }
                    continue;
                };
                match name.to_ascii_lowercase().as_str() {
                    "x-amz-target" => operation = value.rsplit('.').next().unwrap().to_owned(),
                    "content-length" => length = value.parse().unwrap(),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            socket.read_exact(&mut body).await.unwrap();
            let input: Value = serde_json::from_slice(&body).unwrap();
            let answer = answer(&operation, &input).to_string();
            self.requests.lock().unwrap().push((operation, input));
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            socket.write_all(head.as_bytes()).await.unwrap();
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    fn take(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

fn answer(operation: &str, input: &Value) -> Value {
    match operation {
        "DescribeServices" => {
            let describe = |name: &Value| {
                let tag = match name.as_str().unwrap().strip_suffix("-standby") {
                    Some(primary) => json!({"key": "ballast:standby-of", "value": primary}),
                    None => json!({"key": "ballast:service-scaler", "value": "act"}),
                };
                json!({"serviceName": name, "status": "ACTIVE", "desiredCount": 0, "tags": [tag]})
            };
            let names = input["services"].as_array().unwrap();
            json!({"services": names.iter().map(describe).collect::<Vec<_>>(), "failures": []})
        }
        "UpdateService" => json!({"service": {"desiredCount": input["desiredCount"]}}),
        other => panic!("nobody asks for {other}"),
    }
}

fn step(cluster: &str, primary: &str, to: u32) -> Step {
    Step {
        subject: format!("{cluster}/{primary}").parse().unwrap(),
        action: Action::SetDesiredCount {
            service: format!("{cluster}/{primary}-standby").parse().unwrap(),
            from: 0,
            to,
        },
        reason: StepReason::Cover {
            counts: Counts::default(),
            evidence: Evidence::SpotShortage {
                reported_at: Timestamp::UNIX_EPOCH,
            },
        },
    }
}

async fn client(ecs: &Ecs) -> aws_sdk_ecs::Client {
    aws_sdk_ecs::Client::from_conf(
        aws_sdk_ecs::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-west-2"))
            .credentials_provider(Credentials::new("id", "key", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .endpoint_url(ecs.listen().await)
            .build(),
    )
}

async fn act(
    ecs: &Ecs,
    mode: Mode,
    share_percent: u32,
    steps: Vec<Step>,
    secs: u64,
) -> Vec<Outcome> {
    Actor::new(
        client(ecs).await,
        Arc::new(Budget::new(share_percent)),
        mode,
    )
    .act(steps, Deadline::after(Duration::from_secs(secs)))
    .await
}

#[tokio::test]
async fn a_write_holds_a_cluster_a_service_and_a_desired_count_and_nothing_else() {
    let ecs = Ecs::default();
    let outcomes = act(&ecs, Mode::Act, 100, vec![step("demo", "web", 3)], 30).await;
    assert_eq!(outcomes[0].result, OutcomeResult::Done);
    assert_eq!(
        ecs.take(),
        [
            (
                "DescribeServices".to_owned(),
                json!({"cluster": "demo", "services": ["web-standby"], "include": ["TAGS"]})
            ),
            (
                "UpdateService".to_owned(),
                json!({"cluster": "demo", "service": "web-standby", "desiredCount": 3})
            ),
        ]
    );
}

#[tokio::test]
async fn services_are_read_in_batches_right_before_they_are_written() {
    let ecs = Ecs::default();
    let steps: Vec<Step> = (0..23)
        .map(|n| step(["a", "b"][usize::from(n >= 15)], &format!("web-{n}"), n + 1))
        .collect();
    let outcomes = act(&ecs, Mode::Act, 100, steps.clone(), 30).await;
    let taken: Vec<Step> = outcomes.iter().map(|it| it.step.clone()).collect();
    assert_eq!(taken, steps, "one outcome per step, in their order");
    assert!(outcomes.iter().all(|it| it.result == OutcomeResult::Done));
    let mut since_read = 0;
    let mut reads = 0;
    for (operation, input) in ecs.take() {
        if operation == "UpdateService" {
            since_read += 1;
            assert!(since_read <= SERVICES_PER_READ_MAX);
        } else {
            assert!(input["services"].as_array().unwrap().len() <= SERVICES_PER_READ_MAX);
            (reads, since_read) = (reads + 1, 0);
        }
    }
    // Ten of `a`; five of `a` and five of `b`; three of `b`.
    assert_eq!(reads, 4);
}

#[tokio::test]
async fn observe_sends_nothing_at_all() {
    let ecs = Ecs::default();
    let outcomes = act(&ecs, Mode::Observe, 100, vec![step("demo", "web", 3)], 30).await;
    assert_eq!(outcomes[0].result, OutcomeResult::NotWritten);
    assert_eq!(ecs.take(), []);
}

#[tokio::test]
async fn without_time_or_budget_no_step_is_started() {
    let ecs = Ecs::default();
    let steps = || vec![step("demo", "web", 3), step("demo", "api", 3)];
    for outcome in act(&ecs, Mode::Act, 100, steps(), 0).await {
        assert_eq!(outcome.result, OutcomeResult::OutOfTime);
    }
    assert_eq!(ecs.take(), []);

    // One percent of ECS's bucket for writes is one write, and the next twenty seconds later.
    let outcomes = act(&ecs, Mode::Act, 1, steps(), 5).await;
    let results: Vec<&OutcomeResult> = outcomes.iter().map(|it| &it.result).collect();
    assert_eq!(results, [&OutcomeResult::Done, &OutcomeResult::OutOfTime]);
    let writes = ecs
        .take()
        .iter()
        .filter(|it| it.0 == "UpdateService")
        .count();
    assert_eq!(writes, 1);
}

/// Everything that is sent for one step of a tracked service, by an actor of this mode.
async fn sent_for_a_tracked_service(mode: Mode, service: &str) -> Vec<(String, Value)> {
    let ecs = Ecs::default();
    let key: model::ServiceKey = format!("demo/{service}").parse().unwrap();
    let step = TrackingStep {
        subject: TrackingKey(key.clone()),
        action: Action::SetDesiredCount {
            service: key,
            from: 0,
            to: 3,
        },
        reason: TrackingStepReason::ScaleOut {
            target: TargetName::Cpu,
            needed: 3,
            is_forecast: false,
            capped_by: None,
        },
        numbers: TrackingNumbers::default(),
    };
    let actor = Actor::new(client(&ecs).await, Arc::new(Budget::new(100)), mode);
    let deadline = Deadline::after(Duration::from_secs(30));
    let outcomes = actor.act(vec![step], deadline).await;
    assert_eq!(outcomes.len(), 1);
    ecs.take()
}

#[tokio::test]
async fn a_tracked_service_is_written_as_a_standby_is_and_only_where_it_is_tracked() {
    let read = |name: &str| {
        let input = json!({"cluster": "demo", "services": [name], "include": ["TAGS"]});
        ("DescribeServices".to_owned(), input)
    };
    assert_eq!(
        sent_for_a_tracked_service(Mode::Act, "web").await,
        [
            read("web"),
            (
                "UpdateService".to_owned(),
                json!({"cluster": "demo", "service": "web", "desiredCount": 3})
            ),
        ]
    );
    // A standby is another function's, whatever the step says.
    assert_eq!(
        sent_for_a_tracked_service(Mode::Act, "web-standby").await,
        [read("web-standby")]
    );
    assert_eq!(sent_for_a_tracked_service(Mode::Observe, "web").await, []);
}
