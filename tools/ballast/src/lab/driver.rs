//! The driver: it alone moves the world's clock, from one happening to the next, and hands events to the functions.
//!
//! Assumed: where two functions are due at the same time, one runs after the other. Lambda would run them side by side.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use control::Record;
use jiff::SignedDuration;
use model::Timestamp;
use model::capacity::{CapacityHold, CapacityStep};
use model::drain::{DrainHold, DrainStep};
use model::tracking::{TrackingHold, TrackingStep};
use serde_json::Value;
use world::World;
use world::face::InvocationResult;
use world::queue::{Queue, QueuedEvent, batch_payload, failed_ids, schedule_payload};

use crate::error::CliError;
use crate::lab::function::{Ended, Function, Name, describe};
use crate::lab::rules::{Rules, queue_settings};
use crate::lab::telling::Telling;

/// The schedule of `infra/template.yaml`, in seconds.
pub(crate) const SCHEDULE_INTERVAL_SECS: i64 = 60;
/// How often Lambda repeats an invocation of the schedule's that failed, by `infra/template.yaml`: not at all, and it leaves no dead
/// letter. The next minute brings the next look.
pub(crate) const SCHEDULE_RETRIES_MAX: u32 = 0;

/// One invocation of a function.
#[derive(Debug)]
pub(crate) struct Invoked {
    pub(crate) function: Name,
    /// The time in the world when it began.
    pub(crate) at: Timestamp,
    /// Its decision record. `None` where it ended without one.
    pub(crate) told: Option<Told>,
    /// How it failed.
    pub(crate) failure: Option<String>,
}

/// A decision record, as it was written and as it was read.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) line: String,
    pub(crate) telling: Telling,
}

/// A world and, unless it runs without Ballast, its functions.
#[derive(Debug)]
pub(crate) struct Driver {
    world: Arc<Mutex<World>>,
    rules: Rules,
    lanes: Vec<Lane>,
    /// The invocations since they were last taken.
    pub(crate) invoked: Vec<Invoked>,
    /// How many events the world delivered, duplicates included.
    pub(crate) delivered: u64,
    /// How many messages the rules made of them for these functions.
    pub(crate) matched: u64,
}

/// A function with its queue and its schedule.
#[derive(Debug)]
struct Lane {
    function: Function,
    queue: Queue,
    /// What alarms have called the function with, in order.
    calls: VecDeque<Value>,
    schedule_at: Timestamp,
    schedules: u64,
}

impl Driver {
    /// A driver of a world in which everything exists already. Without functions the world goes its own way.
    pub(crate) fn new(
        world: Arc<Mutex<World>>,
        functions: Vec<Function>,
    ) -> Result<Self, CliError> {
        let rules = Rules::of_the_template()?;
        let schedule_at = later(lock(&world).now(), SCHEDULE_INTERVAL_SECS);
        let lanes = functions.into_iter().map(|function| Lane {
            queue: Queue::new(queue_settings(function.name())),
            calls: VecDeque::new(),
            function,
            schedule_at,
            schedules: 0,
        });
        Ok(Self {
            world,
            rules,
            lanes: lanes.collect(),
            invoked: Vec::new(),
            delivered: 0,
            matched: 0,
        })
    }

    /// From so many seconds after now on, a function's schedule comes once a minute. Without this it comes a minute from now on.
    pub(crate) fn schedule_from(&mut self, name: Name, secs: i64) {
        let at = later(self.world().now(), secs);
        let lanes = self.lanes.iter_mut();
        for lane in lanes.filter(|it| it.function.name() == name) {
            lane.schedule_at = at;
        }
    }

    /// The world, for a look. The lock must not be held for long.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// The functions.
    pub(crate) fn functions(&self) -> Vec<Name> {
        self.lanes.iter().map(|it| it.function.name()).collect()
    }

    /// Messages that a function could not handle as often as its queue offers them.
    pub(crate) fn dead_letters(&self) -> u64 {
        self.lanes
            .iter()
            .map(|it| it.queue.dead_letter_count())
            .sum()
    }

    /// Lets time pass until `until`, or until `done` says so; returns whether it did. `done` sees the world whenever something happened.
    pub(crate) async fn run_until(
        &mut self,
        until: Timestamp,
        mut done: impl FnMut(&World) -> bool,
    ) -> Result<bool, CliError> {
        loop {
            self.collect();
            if done(&self.world()) {
                return Ok(true);
            }
            let now = self.world().now();
            if self.invoke_what_is_due(now).await? {
                continue;
            }
            if now >= until {
                return Ok(false);
            }
            let next = self.next_at().map_or(until, |next| next.min(until));
            self.world().advance_to(next.max(now));
        }
    }

    /// Invokes one function, by an alarm's own call and its queue before its schedule. Returns whether one was due.
    async fn invoke_what_is_due(&mut self, now: Timestamp) -> Result<bool, CliError> {
        for index in 0..self.lanes.len() {
            let called = self
                .lanes
                .get_mut(index)
                .and_then(|it| it.calls.pop_front());
            if let Some(payload) = called {
                // Lambda would repeat a call that fails; the schedule looks within a minute all the same.
                let _answered = self.invoke(index, &payload).await?;
                return Ok(true);
            }
            let batch = self.lanes.get_mut(index).map(|it| it.queue.receive(now));
            let batch = batch.unwrap_or_default();
            if !batch.is_empty() {
                self.invoke_with_batch(index, batch).await?;
                return Ok(true);
            }
        }
        let due = self.lanes.iter().position(|it| it.schedule_at <= now);
        if let Some(index) = due {
            self.invoke_by_schedule(index, now).await?;
        }
        Ok(due.is_some())
    }

    /// When something happens next: in the world, in a queue, or by the schedule.
    fn next_at(&self) -> Option<Timestamp> {
        let of_the_world = self.world().next_event_at();
        let lanes = self.lanes.iter();
        lanes
            .flat_map(|it| [Some(it.schedule_at), it.queue.next_at()])
            .chain([of_the_world])
            .flatten()
            .min()
    }

    /// Puts the events that have arrived through the rules into the queues.
    fn collect(&mut self) {
        let events = self.world().take_due_events();
        for event in events {
            self.delivered += 1;
            if let Some(called) = &event.called {
                let is_called = |it: &&mut Lane| calls_function(called, it.function.name());
                if let Some(lane) = self.lanes.iter_mut().find(is_called) {
                    self.matched += 1;
                    lane.calls.push_back(event.envelope);
                }
                continue;
            }
            for name in self.rules.matching(&event.envelope) {
                let of_name = |it: &&mut Lane| it.function.name() == name;
                if let Some(lane) = self.lanes.iter_mut().find(of_name) {
                    self.matched += 1;
                    lane.queue.send(&event.envelope, event.at);
                }
            }
        }
    }

    async fn invoke_with_batch(
        &mut self,
        index: usize,
        batch: Vec<QueuedEvent>,
    ) -> Result<(), CliError> {
        let (region, account) = self.place();
        let Some(lane) = self.lanes.get(index) else {
            return Ok(());
        };
        let payload = batch_payload(&batch, lane.function.name().as_str(), &region, &account);
        let failed = match self.invoke(index, &payload).await? {
            Ok(answer) => {
                let ids = failed_ids(&answer);
                batch
                    .into_iter()
                    .filter(|message| ids.contains(&message.id.as_str()))
                    .collect()
            }
            // An invocation that fails fails with its whole batch.
            Err(()) => batch,
        };
        let now = self.world().now();
        if let Some(lane) = self.lanes.get_mut(index) {
            lane.queue.put_back(failed, now);
        }
        Ok(())
    }

    async fn invoke_by_schedule(&mut self, index: usize, now: Timestamp) -> Result<(), CliError> {
        let (region, account) = self.place();
        let Some(lane) = self.lanes.get_mut(index) else {
            return Ok(());
        };
        lane.schedules += 1;
        lane.schedule_at = later(lane.schedule_at, SCHEDULE_INTERVAL_SECS);
        let payload = schedule_payload(lane.schedules, now, &region, &account);
        for _ in 0..=SCHEDULE_RETRIES_MAX {
            if self.invoke(index, &payload).await?.is_ok() {
                break;
            }
        }
        Ok(())
    }

    async fn invoke(
        &mut self,
        index: usize,
        payload: &Value,
    ) -> Result<Result<Value, ()>, CliError> {
        let at = self.world().now();
        let Some(lane) = self.lanes.get_mut(index) else {
            return Ok(Err(()));
        };
        let function = &mut lane.function;
        let name = function.name();
        let Ended { result, line } = function.invoke(payload).await?;
        let told = match line {
            None => None,
            Some(line) => match read(name, &line) {
                Ok(telling) => Some(Told { line, telling }),
                Err(error) => {
                    return Err(function.failure(&format!(
                        "the function's decision record cannot be read: {error}"
                    )));
                }
            },
        };
        let (outcome, failure) = match result {
            InvocationResult::Ok(_) if told.is_none() => {
                return Err(function.failure("the function answered and wrote no decision record"));
            }
            InvocationResult::Ok(answer) => (Ok(answer), None),
            InvocationResult::Err(_)
            | InvocationResult::TimedOut { .. }
            | InvocationResult::Exited { .. } => (Err(()), Some(describe(&result))),
        };
        self.invoked.push(Invoked {
            function: name,
            at,
            told,
            failure,
        });
        Ok(outcome)
    }

    fn place(&self) -> (String, String) {
        let world = self.world();
        (
            world.config().region.to_string(),
            world.config().account.to_string(),
        )
    }
}

/// Reads a record of this function's.
fn read(name: Name, line: &str) -> Result<Telling, serde_json::Error> {
    match name {
        Name::SpotFallback => {
            let record: Record = serde_json::from_str(line)?;
            Ok(Telling::of(&record))
        }
        Name::ClusterScaler => {
            let record: Record<CapacityStep, CapacityHold> = serde_json::from_str(line)?;
            Ok(Telling::of(&record))
        }
        Name::InstanceDrain => {
            let record: Record<DrainStep, DrainHold> = serde_json::from_str(line)?;
            Ok(Telling::of_departures(&record))
        }
        Name::ServiceScaler => {
            let record: Record<TrackingStep, TrackingHold> = serde_json::from_str(line)?;
            Ok(Telling::of(&record))
        }
    }
}

/// Whether an ARN is that of a function, or of its version or alias.
fn calls_function(arn: &str, name: Name) -> bool {
    arn.split(':').nth(6) == Some(name.as_str())
}

fn later(at: Timestamp, secs: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(secs))
        .unwrap_or(Timestamp::MAX)
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}
