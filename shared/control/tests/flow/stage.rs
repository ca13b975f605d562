//! A world behind its HTTP face, and processes of a function over it: the same for every duty.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region};
use calls::{AwsClock, Budget, CallCount, Deadline};
use control::{Controller, Duty, Handled, HandledOf, Invoked, MemoryOf};
use ledger::{Ledger, MemoryLedger, Version};
use model::duty::{PlannedHold, PlannedStep};
use model::outcome::OutcomeResult;
use model::policy::{Installation, Mode};
use model::{ServiceKey, Timestamp};
use serde_json::{Value, json};
use world::face::{Face, FaceOptions, serve};
use world::{FaultRule, Operation, World};

/// A client of `$sdk` that talks to `$url` and to nothing else, and waits for nothing.
macro_rules! client {
    ($sdk:ident, $url:expr, $clock:expr, $calls:expr) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version(BehaviorVersion::v2026_01_12())
                .region(Region::new("us-west-2"))
                .credentials_provider(Credentials::new("id", "key", None, None, "test"))
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .retry_config(
                    RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)),
                )
                .endpoint_url($url)
                .interceptor($clock.clone())
                .interceptor($calls.clone())
                .build(),
        )
    };
}

/// What a process of a function is made of.
pub(crate) struct Process {
    url: String,
    calls: CallCount,
    pub(crate) clock: AwsClock,
    pub(crate) budget: Arc<Budget>,
    pub(crate) mode: Mode,
}

impl Process {
    pub(crate) fn ecs(&self) -> aws_sdk_ecs::Client {
        client!(aws_sdk_ecs, &self.url, self.clock, self.calls)
    }

    pub(crate) fn autoscaling(&self) -> aws_sdk_autoscaling::Client {
        client!(aws_sdk_autoscaling, &self.url, self.clock, self.calls)
    }

    pub(crate) fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        client!(aws_sdk_cloudwatch, &self.url, self.clock, self.calls)
    }

    pub(crate) fn applicationautoscaling(&self) -> aws_sdk_applicationautoscaling::Client {
        client!(
            aws_sdk_applicationautoscaling,
            &self.url,
            self.clock,
            self.calls
        )
    }
}

/// What a stage must know of a duty.
pub(crate) trait Staged: Duty {
    /// The function's name.
    const FUNCTION: &'static str;

    /// Every write that the function can send.
    const WRITES: &'static [&'static str];

    /// What is on the stage, by name.
    type Cast;

    /// The subject that the tests are about.
    fn subject(cast: &Self::Cast) -> Self::Key;

    /// The service whose tasks are at stake.
    fn service(cast: &Self::Cast) -> &ServiceKey;

    /// The duty in a process of its own.
    fn in_process(process: &Process) -> Self;
}

/// A world with what one duty looks after.
pub(crate) struct Stage<D: Staged> {
    pub(crate) face: Face,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) cast: D::Cast,
}

impl<D: Staged> Stage<D> {
    pub(crate) async fn over(world: World, cast: D::Cast) -> Self {
        Self {
            face: serve(world, FaceOptions::default()).await.unwrap(),
            ledger: Arc::new(Ledger::Memory(MemoryLedger::new())),
            cast,
        }
    }

    /// Another process of the function; all share the stage's ledger.
    pub(crate) fn controller(&self, mode: Mode) -> Controller<D> {
        self.controller_of(mode)
    }

    /// A process of any function, beside those of the stage's own.
    pub(crate) fn controller_of<E: Staged>(&self, mode: Mode) -> Controller<E> {
        let process = Process {
            url: self.face.url(),
            calls: CallCount::new(),
            clock: AwsClock::new(),
            budget: Arc::new(Budget::new(100)),
            mode,
        };
        Controller {
            function: E::FUNCTION,
            region: Some("us-west-2".parse().unwrap()),
            clusters: Vec::new(),
            installation: Installation::default(),
            duty: E::in_process(&process),
            decide: E::DECIDE,
            ledger: Arc::clone(&self.ledger),
            clock: process.clock,
            calls: process.calls,
            look_again_after: Duration::ZERO,
        }
    }

    /// What one fresh process of the function makes of a payload.
    pub(crate) async fn handle(&self, mode: Mode, payload: &Value) -> HandledOf<D> {
        self.controller(mode).handle(payload, &invoked()).await
    }

    /// What one fresh process of the function makes of the schedule's event.
    pub(crate) async fn sweep(&self) -> HandledOf<D> {
        self.handle(Mode::Act, &schedule()).await
    }

    /// So many minutes pass, with a sweep at the end of each. Gives the last; none before it fails.
    pub(crate) async fn sweep_for(&self, minutes: u32) -> HandledOf<D> {
        for _ in 1..minutes {
            self.advance_secs(60);
            let handled = self.sweep().await;
            assert_eq!(handled.failure, None);
        }
        self.advance_secs(60);
        self.sweep().await
    }

    /// So many minutes pass, with a sweep at the end of each, none of which fails. Gives the steps that were carried out.
    pub(crate) async fn acted_in(&self, minutes: u32) -> Vec<String> {
        let mut acts = Vec::new();
        for _ in 0..minutes {
            let handled = self.sweep_for(1).await;
            assert_eq!(handled.failure, None);
            acts.extend(acted(&handled));
        }
        acts
    }

    pub(crate) fn advance_secs(&self, secs: u32) {
        self.face.with_world(|world| world.advance_secs(secs));
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.face.with_world(|world| world.now())
    }

    /// A call of somebody else's.
    pub(crate) fn call(&self, operation: Operation, input: &Value) {
        let called = self
            .face
            .with_world(|world| world.call(operation, input.clone()));
        called.unwrap();
    }

    /// The events of this type that have come since this was last asked.
    pub(crate) fn events(&self, detail_type: &str) -> Vec<Value> {
        let events = self.face.with_world(World::take_due_events);
        let mut envelopes: Vec<Value> = events.into_iter().map(|it| it.envelope).collect();
        envelopes.retain(|it| it["detail-type"] == detail_type);
        envelopes
    }

    pub(crate) fn fault(&self, rule: FaultRule) {
        self.face
            .with_world(|world| world.config_mut().faults.rules.push(rule));
    }

    pub(crate) fn clear_faults(&self) {
        self.face
            .with_world(|world| world.config_mut().faults.rules.clear());
    }

    /// How many tasks of the service serve.
    pub(crate) fn serving(&self) -> u32 {
        let service = D::service(&self.cast);
        self.face
            .with_world(|world| world.account(service).unwrap().serving)
    }

    /// How many writes of the function's kinds AWS was asked for, by operation.
    pub(crate) fn writes(&self) -> BTreeMap<String, u64> {
        let mut calls = self.face.calls();
        calls.retain(|operation, _| D::WRITES.contains(&operation.as_str()));
        calls
    }

    pub(crate) fn total_calls(&self) -> u64 {
        self.face.calls().values().sum()
    }

    /// What is remembered of the subject, with its version. `None`: nothing is.
    pub(crate) async fn recall(&self) -> (Option<MemoryOf<D>>, Version) {
        let key = D::subject(&self.cast);
        let keys = [key.clone()].into();
        let mut recalled = self.ledger.recall(&keys, invoked().deadline).await;
        let version = recalled.version(&key).unwrap();
        let known = recalled.known.remove(&key);
        (known.map(|it| it.0), version)
    }

    /// What is remembered of the subject.
    pub(crate) async fn memory(&self) -> MemoryOf<D> {
        self.recall().await.0.unwrap()
    }

    /// Makes this what is remembered of the subject.
    pub(crate) async fn remember(&self, memory: &MemoryOf<D>, version: Version) {
        let deadline = invoked().deadline;
        let (key, now) = (D::subject(&self.cast), self.now());
        let written = self.ledger.remember(&key, memory, version, now, deadline);
        written.await.unwrap();
    }
}

/// The steps of a plan and what became of them, one line each.
pub(crate) fn acted<S: PlannedStep, H: PlannedHold>(handled: &Handled<S, H>) -> Vec<String> {
    let record = &handled.record;
    assert_eq!(record.plan.steps.len(), record.outcomes.len());
    record
        .outcomes
        .iter()
        .map(|it| {
            let text = record.plan.steps[it.step].step.action_text();
            format!("{text}: {}", it.result)
        })
        .collect()
}

/// How many steps were carried out.
pub(crate) fn done<S: PlannedStep, H: PlannedHold>(handled: &Handled<S, H>) -> usize {
    let outcomes = handled.record.outcomes.iter();
    outcomes
        .filter(|it| it.result == OutcomeResult::Done)
        .count()
}

/// How many steps were carried out, in an invocation that did not fail.
pub(crate) fn well_done<S: PlannedStep, H: PlannedHold>(handled: &Handled<S, H>) -> usize {
    assert_eq!(handled.failure, None);
    done(handled)
}

/// How many holds have this reason.
pub(crate) fn held<S: PlannedStep, H: PlannedHold>(handled: &Handled<S, H>, reason: &str) -> usize {
    let holds = &handled.record.plan.holds_by_reason;
    holds.get(reason).copied().unwrap_or(0)
}

/// A DynamoDB client for this endpoint.
pub(crate) fn dynamodb(url: &str) -> aws_sdk_dynamodb::Client {
    let (clock, calls) = (AwsClock::new(), CallCount::new());
    client!(aws_sdk_dynamodb, url, clock, calls)
}

pub(crate) fn invoked() -> Invoked {
    Invoked {
        request_id: Some("11111111-2222-3333-4444-555555555555".to_owned()),
        account: Some("111122223333".parse().unwrap()),
        deadline: Deadline::after(Duration::from_secs(60)),
    }
}

/// A sample event.
pub(crate) fn sample(name: &str) -> Value {
    let path = format!("{}/../../events/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub(crate) fn interruption() -> Value {
    sample("aws.ecs--ecs-task-state-change--spot-interruption.json")
}

pub(crate) fn schedule() -> Value {
    sample("aws.events--scheduled-event--every-minute.json")
}

/// These events as the messages of an SQS batch, with the ids `message-0` and so on.
pub(crate) fn batch(events: impl IntoIterator<Item = String>) -> Value {
    let records: Vec<Value> = events
        .into_iter()
        .enumerate()
        .map(|(index, body)| {
            json!({
                "messageId": format!("message-{index}"),
                "eventSource": "aws:sqs",
                "body": body,
            })
        })
        .collect();
    json!({ "Records": records })
}
