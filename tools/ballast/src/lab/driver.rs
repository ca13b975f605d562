//! The driver: it alone moves the world's clock, from one happening to the next, and hands events to the function.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use control::Record;
use jiff::SignedDuration;
use model::{ServiceKey, Timestamp};
use serde_json::Value;
use world::World;
use world::face::InvocationResult;

use crate::error::CliError;
use crate::lab::function::{Ended, Function, describe};
use crate::lab::meter::{Figures, Meter, Seen};
use crate::lab::rules::{Message, Queue, Rules, batch_payload, failed_ids, schedule_payload};

/// The schedule of `infra/template.yaml`, in seconds.
pub(crate) const SCHEDULE_INTERVAL_SECS: i64 = 60;
/// How often Lambda repeats an invocation of the schedule's that failed, by `infra/template.yaml`: not at all, and it leaves no dead
/// letter. The next minute brings the next look.
pub(crate) const SCHEDULE_RETRIES_MAX: u32 = 0;

/// One invocation of the function.
#[derive(Debug)]
pub(crate) struct Invoked {
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
    pub(crate) record: Record,
}

/// A world, its figures and, unless it runs without Ballast, the function.
#[derive(Debug)]
pub(crate) struct Driver {
    world: Arc<Mutex<World>>,
    pub(crate) meter: Meter,
    rules: Rules,
    queue: Queue,
    function: Option<Function>,
    schedule_at: Timestamp,
    schedules: u64,
    /// The invocations since they were last taken.
    pub(crate) invoked: Vec<Invoked>,
    /// How many events the world delivered, duplicates included.
    pub(crate) delivered: u64,
    /// How many of them a rule let through.
    pub(crate) matched: u64,
}

impl Driver {
    /// A driver of a world in which both services exist. Without a function the same world goes its own way.
    pub(crate) fn new(
        world: Arc<Mutex<World>>,
        primary: ServiceKey,
        standby: ServiceKey,
        function: Option<Function>,
    ) -> Result<Self, CliError> {
        let rules = Rules::of_the_template()?;
        let meter = Meter::new(primary, standby);
        let now = lock(&world).now();
        Ok(Self {
            world,
            meter,
            rules,
            queue: Queue::default(),
            function,
            schedule_at: later(now, SCHEDULE_INTERVAL_SECS),
            schedules: 0,
            invoked: Vec::new(),
            delivered: 0,
            matched: 0,
        })
    }

    /// The figures until now.
    pub(crate) fn figures(&self) -> Figures {
        self.meter.figures(&self.world())
    }

    /// The world, for a look. The lock must not be held for long.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Messages that the function could not handle three times.
    pub(crate) const fn dead_letters(&self) -> u64 {
        self.queue.dead
    }

    /// Lets time pass until `until`, or until `done` says so; returns whether it did.
    pub(crate) async fn run_until(
        &mut self,
        until: Timestamp,
        mut done: impl FnMut(&World, Seen) -> bool,
    ) -> Result<bool, CliError> {
        loop {
            let seen = self.collect();
            if done(&self.world(), seen) {
                return Ok(true);
            }
            let now = self.world().now();
            if self.function.is_some() {
                let batch = self.queue.receive(now);
                if !batch.is_empty() {
                    self.invoke_with_batch(batch).await?;
                    continue;
                }
                if self.schedule_at <= now {
                    self.invoke_by_schedule(now).await?;
                    continue;
                }
            }
            if now >= until {
                return Ok(false);
            }
            let next = self.next_at().map_or(until, |next| next.min(until));
            self.world().advance_to(next.max(now));
        }
    }

    /// When something happens next: in the world, in the queue, or by the schedule.
    fn next_at(&self) -> Option<Timestamp> {
        let of_the_world = self.world().next_event_at();
        let of_the_function = self.function.as_ref().map(|_| self.schedule_at);
        let of_the_queue = self.queue.next_at().filter(|_| self.function.is_some());
        [of_the_world, of_the_function, of_the_queue]
            .into_iter()
            .flatten()
            .min()
    }

    /// Looks at the pair, and puts the events that have arrived through the rules into the queue.
    fn collect(&mut self) -> Seen {
        let (seen, events) = {
            let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
            (self.meter.look(&world), world.take_due_events())
        };
        for event in events {
            self.delivered += 1;
            for _ in 0..self.rules.matching(&event.envelope) {
                self.matched += 1;
                if self.function.is_some() {
                    self.queue.send(&event.envelope, event.at);
                }
            }
        }
        seen
    }

    async fn invoke_with_batch(&mut self, batch: Vec<Message>) -> Result<(), CliError> {
        let (region, account) = self.place();
        let payload = batch_payload(&batch, &region, &account);
        let failed = match self.invoke(&payload).await? {
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
        self.queue.put_back(failed, now);
        Ok(())
    }

    async fn invoke_by_schedule(&mut self, now: Timestamp) -> Result<(), CliError> {
        let (region, account) = self.place();
        self.schedules += 1;
        self.schedule_at = later(self.schedule_at, SCHEDULE_INTERVAL_SECS);
        let payload = schedule_payload(self.schedules, now, &region, &account);
        for _ in 0..=SCHEDULE_RETRIES_MAX {
            if self.invoke(&payload).await?.is_ok() {
                break;
            }
        }
        Ok(())
    }

    async fn invoke(&mut self, payload: &Value) -> Result<Result<Value, ()>, CliError> {
        let at = self.world().now();
        let Some(function) = self.function.as_mut() else {
            return Ok(Err(()));
        };
        let Ended { result, line } = function.invoke(payload).await?;
        let told = match line {
            None => None,
            Some(line) => match serde_json::from_str(&line) {
                Ok(record) => Some(Told { line, record }),
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
        self.invoked.push(Invoked { at, told, failure });
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

fn later(at: Timestamp, secs: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(secs))
        .unwrap_or(Timestamp::MAX)
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}
