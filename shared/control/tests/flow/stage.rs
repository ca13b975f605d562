//! A world in a Spot drought, and controllers over it.

use std::sync::Arc;
use std::time::Duration;

use act::Actor;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region};
use calls::{AwsClock, Budget, CallCount, Deadline};
use control::{Controller, Handled, Invoked, Pairs};
use ledger::{Ledger, MemoryLedger};
use model::ServiceKey;
use model::policy::{Installation, Mode};
use observe::Observer;
use serde_json::{Value, json};
use world::face::{Face, FaceOptions, serve};
use world::{Config, FaultRule, World};

/// How long the drought has lasted when a stage opens: long enough that a standby task started later would be late.
const DROUGHT_SECS: u32 = 75;

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

pub(crate) struct Stage {
    pub(crate) face: Face,
    pub(crate) primary: ServiceKey,
    pub(crate) standby: ServiceKey,
    pub(crate) ledger: Arc<Ledger>,
}

/// The workshop at rest: ten tasks run, the standby has none.
pub(crate) async fn at_rest() -> Stage {
    with(|_| {}).await
}

/// The workshop in a drought: seven interrupted tasks end in less than a minute.
pub(crate) async fn in_drought() -> Stage {
    with(dry_out).await
}

/// Takes all Spot capacity away and lets the drought last.
pub(crate) fn dry_out(world: &mut World) {
    let now = world.now();
    world.set_capacity_everywhere("FARGATE_SPOT", now, 0);
    world.advance_secs(DROUGHT_SECS);
}

/// The workshop, after `work` was done to it.
pub(crate) async fn with(work: impl FnOnce(&mut World)) -> Stage {
    let mut world = World::new(Config::new(7));
    let (primary, standby) = world.add_workshop().unwrap();
    world.advance_secs(180);
    work(&mut world);
    let face = serve(world, FaceOptions::default()).await.unwrap();
    Stage {
        face,
        primary,
        standby,
        ledger: Arc::new(Ledger::Memory(MemoryLedger::new())),
    }
}

impl Stage {
    /// Another process of the function; all share the stage's ledger.
    pub(crate) fn controller(&self, mode: Mode) -> Controller {
        let (clock, calls) = (AwsClock::new(), CallCount::new());
        let url = self.face.url();
        let ecs = client!(aws_sdk_ecs, &url, clock, calls);
        let budget = Arc::new(Budget::new(100));
        Controller {
            function: "spot-fallback",
            region: Some("us-west-2".parse().unwrap()),
            clusters: Vec::new(),
            installation: Installation::default(),
            duty: Pairs {
                observer: Observer::new(
                    ecs.clone(),
                    client!(aws_sdk_applicationautoscaling, &url, clock, calls),
                    client!(aws_sdk_autoscaling, &url, clock, calls),
                    Arc::clone(&budget),
                    clock.clone(),
                ),
                actor: Actor::new(ecs, budget, mode),
            },
            decide: control::DECIDE,
            ledger: Arc::clone(&self.ledger),
            clock,
            calls,
            look_again_after: Duration::ZERO,
        }
    }

    /// What one fresh process of the function makes of a payload.
    pub(crate) async fn handle(&self, mode: Mode, payload: &Value) -> Handled {
        self.controller(mode).handle(payload, &invoked()).await
    }

    pub(crate) fn fault(&self, rule: FaultRule) {
        self.face
            .with_world(|world| world.config_mut().faults.rules.push(rule));
    }

    /// The desired count of a service, in truth.
    pub(crate) fn desired(&self, key: &ServiceKey) -> u32 {
        self.face
            .with_world(|world| world.service(key).map(|it| it.desired_count))
            .unwrap()
    }

    /// How many times ECS was asked to update a service.
    pub(crate) fn updates(&self) -> u64 {
        let calls = self.face.calls();
        calls.get("ecs:UpdateService").copied().unwrap_or(0)
    }

    pub(crate) fn total_calls(&self) -> u64 {
        self.face.calls().values().sum()
    }
}

/// An ECS client for this endpoint.
pub(crate) fn ecs(url: &str, clock: &AwsClock, calls: &CallCount) -> aws_sdk_ecs::Client {
    client!(aws_sdk_ecs, url, clock, calls)
}

/// An EC2 Auto Scaling client for this endpoint.
pub(crate) fn autoscaling(
    url: &str,
    clock: &AwsClock,
    calls: &CallCount,
) -> aws_sdk_autoscaling::Client {
    client!(aws_sdk_autoscaling, url, clock, calls)
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
