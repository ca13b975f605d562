//! The real function over a world, with the queue and the schedule of `infra/template.yaml`, in simulated time.
//!
//! While the function works, the world's clock goes as the host's does, so that whatever the function waits for, its budget of calls
//! above all, counts as simulated time; and each call takes the world's own latency on top, one call after the other. Between two
//! invocations the clock leaps, and the host waits only as long as the budget takes to fill, at most as long as the leap.
//!
//! One invocation runs at a time. Lambda would run two side by side.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::process::{Child, Command};
use world::World;
use world::face::{Face, FaceOptions, InvocationResult, RuntimeFace, RuntimeOptions, serve};
use world::queue::{Queue, QueuedEvent, batch_payload, failed_ids, schedule_payload};

use super::later;
use super::rules::{QUEUE, Rules};
use crate::Failure;

/// The function's name.
const FUNCTION: &str = "instance-drain";
/// Its share of ECS's documented rates in the template, in percent.
const SHARE_PERCENT: u64 = 20;
/// Its timeout in the template.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The schedule's interval in the template, in seconds.
pub(super) const SCHEDULE_INTERVAL_SECS: i64 = 60;
/// How often the world's clock catches up with the host's.
const PACE_EVERY: Duration = Duration::from_millis(10);
/// How much of ECS's reads, of ECS's writes and of EC2 Auto Scaling's calls flows in, in calls in ten seconds: of each bucket its share of
/// ECS's documented rates, and of EC2 Auto Scaling what every function takes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>
const REFILL_READS: u64 = 10 * 20 * SHARE_PERCENT / 100;
const REFILL_WRITES: u64 = 10 * 40 * SHARE_PERCENT / 100;
const REFILL_AUTO_SCALING: u64 = 25;

/// One invocation.
#[derive(Debug)]
pub(super) struct Invocation {
    /// When it began, in the world.
    pub(super) began_at: Timestamp,
    /// When it had ended.
    pub(super) ended_at: Timestamp,
    /// The messages of its batch that came to their end in it; none for one of the schedule's.
    pub(super) messages: Vec<QueuedEvent>,
    /// How many messages went back to the queue.
    pub(super) returned: usize,
    /// Its decision record, and `Null` where it ended in an error.
    pub(super) record: Value,
    /// How it failed.
    pub(super) failure: Option<String>,
}

impl Invocation {
    /// Whether the schedule started it.
    pub(super) const fn is_sweep(&self) -> bool {
        self.messages.is_empty() && self.returned == 0
    }

    /// The requests that it sent, by operation.
    pub(super) fn calls(&self) -> BTreeMap<String, u64> {
        let calls = self.record.get("calls").and_then(Value::as_object);
        calls
            .into_iter()
            .flatten()
            .filter_map(|(operation, count)| Some((operation.clone(), count.as_u64()?)))
            .collect()
    }
}

/// The function, the world and what is between them.
pub(super) struct Driver {
    face: Face,
    runtime: RuntimeFace,
    child: Child,
    rules: Rules,
    pub(super) queue: Queue,
    /// How many copies of each event come into the queue: as many as this, each so many seconds after the one before.
    copies: (usize, i64),
    /// How many messages the queue takes; what comes later is not sent.
    messages_max: usize,
    pub(super) messages: usize,
    schedule_at: Timestamp,
    idle: Idle,
    pub(super) invocations: Vec<Invocation>,
}

/// Since when the function does nothing, and how long its budget then takes to fill.
#[derive(Debug, Clone, Copy)]
struct Idle {
    since: Timestamp,
    since_host: Instant,
    fills_in: Duration,
}

impl Driver {
    /// Starts the function over this world.
    pub(super) async fn start(binaries: &Path, world: World) -> Result<Self, Failure> {
        let (account, region) = (
            world.config().account.clone(),
            world.config().region.clone(),
        );
        let now = world.now();
        let face = serve(world, FaceOptions::default())
            .await
            .map_err(Failure::Io)?;
        let mut options = RuntimeOptions::new(FUNCTION, account, region);
        options.timeout = TIMEOUT;
        let runtime = RuntimeFace::serve(options).await.map_err(Failure::Io)?;
        let binary = binaries.join(FUNCTION);
        let child = Command::new(&binary)
            .env_clear()
            .envs(face.environment())
            .envs(runtime.environment())
            .env("BALLAST_MODE", "act")
            .env("BALLAST_ECS_RATE_SHARE_PERCENT", SHARE_PERCENT.to_string())
            .env(
                "BALLAST_SCHEDULE_INTERVAL_SECS",
                SCHEDULE_INTERVAL_SECS.to_string(),
            )
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| Failure::Start { binary, source })?;
        Ok(Self {
            face,
            runtime,
            child,
            rules: Rules::of_the_template()?,
            queue: Queue::new(QUEUE),
            copies: (1, 0),
            messages_max: usize::MAX,
            messages: 0,
            schedule_at: later(now, SCHEDULE_INTERVAL_SECS),
            idle: Idle {
                since: now,
                since_host: Instant::now(),
                fills_in: Duration::ZERO,
            },
            invocations: Vec::new(),
        })
    }

    /// From now on each event comes so many times, each copy so many seconds after the one before, until the queue has got so many
    /// messages in all.
    pub(super) fn copy_events(&mut self, copies: usize, secs_apart: i64, messages_max: usize) {
        self.copies = (copies, secs_apart);
        self.messages_max = messages_max;
    }

    /// The world, for a look or a change.
    pub(super) fn with_world<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        self.face.with_world(work)
    }

    /// The time in the world.
    pub(super) fn now(&self) -> Timestamp {
        self.with_world(|world| world.now())
    }

    /// The world's Region and account.
    fn place(&self) -> (String, String) {
        self.with_world(|world| {
            let config = world.config();
            (config.region.to_string(), config.account.to_string())
        })
    }

    /// Lets time pass until `until`, at least; an invocation that runs then comes to its end.
    pub(super) async fn run_until(&mut self, until: Timestamp) -> Result<(), Failure> {
        loop {
            self.collect();
            let now = self.now();
            let batch = self.queue.receive(now);
            if !batch.is_empty() {
                let (region, account) = self.place();
                let payload = batch_payload(&batch, FUNCTION, &region, &account);
                self.invoke(&payload, batch).await?;
                continue;
            }
            if self.schedule_at <= now {
                self.schedule_at = later(self.schedule_at, SCHEDULE_INTERVAL_SECS);
                let (region, account) = self.place();
                let payload = schedule_payload(1, now, &region, &account);
                self.invoke(&payload, Vec::new()).await?;
                continue;
            }
            if now >= until {
                return Ok(());
            }
            let of_the_world = self.with_world(|world| world.next_event_at());
            let next = [of_the_world, self.queue.next_at(), Some(self.schedule_at)];
            let next = next.into_iter().flatten().min().unwrap_or(until);
            self.with_world(|world| world.advance_to(next.min(until).max(now)));
        }
    }

    /// Ends the function.
    pub(super) async fn end(mut self) -> Result<Vec<Invocation>, Failure> {
        self.child.kill().await.map_err(Failure::Io)?;
        Ok(self.invocations)
    }

    /// Puts the events that have arrived through the rules into the queue.
    fn collect(&mut self) {
        let (copies, secs_apart) = self.copies;
        for event in self.with_world(World::take_due_events) {
            if !self.rules.let_through(&event.envelope) {
                continue;
            }
            let mut at = event.at;
            for _ in 0..copies {
                if self.messages < self.messages_max {
                    self.messages += 1;
                    self.queue.send(&event.envelope, at);
                    at = later(at, secs_apart);
                }
            }
        }
    }

    async fn invoke(&mut self, payload: &Value, batch: Vec<QueuedEvent>) -> Result<(), Failure> {
        let began_at = self.now();
        self.wait_for_the_budget(began_at).await;
        let result = self.paced(payload).await;
        let ended_at = self.now();
        let (record, failure) = match result {
            InvocationResult::Ok(record) => (record, None),
            result @ InvocationResult::Err(_) => (Value::Null, Some(format!("{result:?}"))),
            // Nothing of this function takes so long, and nothing ends its process.
            result @ (InvocationResult::TimedOut { .. } | InvocationResult::Exited { .. }) => {
                return Err(Failure::Answer(format!("{result:?}")));
            }
        };
        let (failed, messages): (Vec<QueuedEvent>, Vec<QueuedEvent>) = batch
            .into_iter()
            .partition(|it| failure.is_some() || failed_ids(&record).contains(&it.id.as_str()));
        let invocation = Invocation {
            began_at,
            ended_at,
            messages,
            returned: failed.len(),
            record,
            failure,
        };
        self.queue.put_back(failed, ended_at);
        self.idle = Idle {
            since: ended_at,
            since_host: Instant::now(),
            fills_in: fills_in(&invocation.calls()),
        };
        self.invocations.push(invocation);
        Ok(())
    }

    /// Hands a payload over; the world's clock goes as the host's does until the answer is there.
    async fn paced(&self, payload: &Value) -> InvocationResult {
        let answer = self.runtime.invoke(payload);
        tokio::pin!(answer);
        let mut ticks = tokio::time::interval(PACE_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            let answered = tokio::select! {
                biased;
                answer = &mut answer => Some(answer),
                _ = ticks.tick() => None,
            };
            let passed = SignedDuration::try_from(last.elapsed()).unwrap_or_default();
            last = Instant::now();
            self.with_world(|world| {
                let until = world.now().saturating_add(passed);
                world.advance_to(until.unwrap_or(Timestamp::MAX));
            });
            if let Some(answer) = answered {
                return answer;
            }
        }
    }

    /// The budget goes by the host's clock: what flowed into it while the world's clock leapt is waited for.
    async fn wait_for_the_budget(&self, now: Timestamp) {
        let Idle {
            since,
            since_host,
            fills_in,
        } = self.idle;
        let idle = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        let wait = idle.min(fills_in).saturating_sub(since_host.elapsed());
        tokio::time::sleep(wait).await;
    }
}

/// How long the buckets take to fill after these calls, at most.
fn fills_in(calls: &BTreeMap<String, u64>) -> Duration {
    let mut buckets: BTreeMap<(&str, u64), u64> = BTreeMap::new();
    for (operation, count) in calls {
        let (service, action) = operation.split_once(':').unwrap_or(("", operation));
        let bucket = match action {
            _ if service != "ECS" => (service, REFILL_AUTO_SCALING),
            "UpdateContainerInstancesState" | "StopTask" => ("modify", REFILL_WRITES),
            "DescribeClusters" | "ListClusters" => ("clusters", REFILL_READS),
            "DescribeServices" | "ListServices" => ("services", REFILL_READS),
            "DescribeCapacityProviders" => ("providers", REFILL_READS),
            "DescribeTaskDefinition" => ("task definitions", REFILL_READS),
            _ => ("resources", REFILL_READS),
        };
        *buckets.entry(bucket).or_insert(0) += count;
    }
    let millis = buckets
        .into_iter()
        .map(|((_, refill), calls)| calls * 10_000 / refill);
    Duration::from_millis(millis.max().unwrap_or(0))
}
