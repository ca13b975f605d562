//! The API: one door for every operation, with its rate bucket, its faults and its stale reads.

mod autoscaling;
mod capacity_providers;
mod cloudwatch;
mod clusters;
mod container_instances;
mod describe;
mod dispatch;
mod limits;
mod run_task;
mod services;
mod tags;
mod targets;
mod task_definitions;
mod task_protection;
mod tasks;
mod wire;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ApiError;
use crate::faults::{Fault, FaultRule};
use crate::operation::{Category, Operation};
use crate::pool::{Bucket, later};
use crate::world::World;

pub(crate) use cloudwatch::Milli;
pub use limits::*;
pub(crate) use wire::epoch;

/// What stands between a caller and the operations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    buckets: BTreeMap<Category, Bucket>,
    calls: BTreeMap<Operation, CallCount>,
}

/// How often an operation was called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallCount {
    /// Every call, refused ones included.
    pub calls: u64,
    /// The calls that got an error.
    pub errors: u64,
}

impl World {
    /// Calls an operation, the way a client does: time passes ([`crate::Config::api_latency_ms`]), a rate bucket is drawn from,
    /// faults happen.
    ///
    /// Input and output are the JSON of AWS's wire: camelCase for ECS with times as seconds since 1970, PascalCase for Application
    /// Auto Scaling and EC2 Auto Scaling.
    ///
    /// # Errors
    /// With AWS's own codes.
    pub fn call(&mut self, operation: Operation, input: Value) -> Result<Value, ApiError> {
        self.advance_to(later(self.now, i64::from(self.config.api_latency_ms)));
        let number = {
            let count = self.gate.calls.entry(operation).or_default();
            count.calls += 1;
            count.calls
        };
        let answer = self.pass(operation, number, input);
        if answer.is_err() {
            self.gate.calls.entry(operation).or_default().errors += 1;
        }
        answer
    }

    /// How often each operation was called through [`World::call`].
    #[must_use]
    pub const fn calls(&self) -> &BTreeMap<Operation, CallCount> {
        &self.gate.calls
    }

    fn pass(&mut self, operation: Operation, number: u64, input: Value) -> Result<Value, ApiError> {
        if !self.take_rate(operation.category()) {
            return Err(ApiError::throttling());
        }
        let fault = self.fault_of(operation, number, &input);
        match fault {
            Some(Fault::Throttle) => Err(ApiError::throttling()),
            Some(Fault::ServerError) => Err(ApiError::server()),
            Some(Fault::AccessDenied) => Err(ApiError::access_denied(
                &operation.action(),
                self.config.account.as_str(),
            )),
            Some(Fault::ResponseLost) => {
                self.answer(operation, number, input)?;
                Err(ApiError {
                    response_lost: true,
                    ..ApiError::server()
                })
            }
            Some(Fault::PartialFailure) => Ok(describe::with_last_item_missing(
                operation,
                &input,
                self.answer(operation, number, input.clone())?,
            )),
            None => self.answer(operation, number, input),
        }
    }

    fn take_rate(&mut self, category: Category) -> bool {
        let (burst, refill) = self
            .config
            .rates
            .get(&category)
            .copied()
            .unwrap_or((category.burst(), category.refill_per_sec()));
        let now = self.now;
        self.gate
            .buckets
            .entry(category)
            .or_insert_with(|| Bucket::full(burst, refill, now))
            .take(now)
    }

    fn fault_of(&mut self, operation: Operation, number: u64, input: &Value) -> Option<Fault> {
        let (now, dice) = (self.now, self.dice);
        let text = input.to_string();
        let applies = |(index, rule): (u64, &&mut FaultRule)| {
            rule.operation.is_none_or(|it| it == operation)
                && rule.times != Some(0)
                && rule
                    .during
                    .is_none_or(|(from, until)| from <= now && now < until)
                && rule
                    .about
                    .as_ref()
                    .is_none_or(|it| text.contains(it.as_str()))
                && dice.happens(
                    rule.per_mille,
                    "api fault",
                    operation.name(),
                    number.wrapping_mul(1_000).wrapping_add(index),
                )
        };
        let rules = self.config.faults.rules.iter_mut();
        let (_, rule) = (0_u64..)
            .zip(rules)
            .find(|(index, rule)| applies((*index, rule)))?;
        if let Some(times) = &mut rule.times {
            *times -= 1;
        }
        Some(rule.fault)
    }

    fn answer(
        &mut self,
        operation: Operation,
        number: u64,
        input: Value,
    ) -> Result<Value, ApiError> {
        if operation.is_read() {
            self.read(operation, number, input)
        } else {
            self.write(operation, input)
        }
    }

    /// Reads may be answered from the past.
    fn read(&self, operation: Operation, number: u64, input: Value) -> Result<Value, ApiError> {
        let faults = &self.config.faults;
        let stale = faults.stale_age.filter(|_| {
            self.dice.happens(
                faults.stale_per_mille,
                "stale read",
                operation.name(),
                number,
            )
        });
        let state = match stale {
            Some(age) => {
                let age = self.dice.millis(age, "stale age", operation.name(), number);
                self.state_at(later(self.now, -age))
            }
            None => &self.state,
        };
        self.read_from(state, operation, input)
    }
}

/// The input of an operation. An absent input is an empty one; unknown fields are ignored, as AWS does.
fn take<T: DeserializeOwned>(input: Value) -> Result<T, ApiError> {
    let input = if input.is_null() {
        Value::Object(serde_json::Map::new())
    } else {
        input
    };
    serde_json::from_value(input).map_err(ApiError::serialization)
}
