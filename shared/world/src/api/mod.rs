//! The API: one door for every operation, with its rate bucket, its faults and its stale reads.

mod clusters;
mod describe;
mod groups;
mod limits;
mod services;
mod tags;
mod targets;
mod task_definitions;
mod tasks;
mod wire;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ApiError;
use crate::faults::{Fault, FaultRule};
use crate::operation::{Category, Operation};
use crate::pool::{Bucket, later};
use crate::state::State;
use crate::world::World;

pub use limits::*;

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

    fn read_from(
        &self,
        state: &State,
        operation: Operation,
        input: Value,
    ) -> Result<Value, ApiError> {
        match operation {
            Operation::DescribeClusters => self.describe_clusters(state, &take(input)?),
            Operation::ListClusters => self.list_clusters(state, &take(input)?),
            Operation::DescribeTaskDefinition => {
                self.describe_task_definition(state, &take(input)?)
            }
            Operation::DescribeCapacityProviders => {
                self.describe_capacity_providers(state, &take(input)?)
            }
            Operation::ListServices => self.list_services(state, &take(input)?),
            Operation::DescribeServices => self.describe_services(state, &take(input)?),
            Operation::ListTasks => self.list_tasks(state, &take(input)?),
            Operation::DescribeTasks => self.describe_tasks(state, &take(input)?),
            Operation::ListTagsForResource => self.list_tags(state, &take(input)?),
            Operation::DescribeScalableTargets => self.describe_targets(state, &take(input)?),
            Operation::DescribeAutoScalingGroups => self.describe_groups(state, &take(input)?),
            Operation::CreateCluster
            | Operation::PutClusterCapacityProviders
            | Operation::RegisterTaskDefinition
            | Operation::CreateService
            | Operation::UpdateService
            | Operation::DeleteService
            | Operation::StopTask
            | Operation::TagResource
            | Operation::UntagResource
            | Operation::RegisterScalableTarget => Err(ApiError::server()),
        }
    }

    fn write(&mut self, operation: Operation, input: Value) -> Result<Value, ApiError> {
        match operation {
            Operation::CreateCluster => self.create_cluster(take(input)?),
            Operation::PutClusterCapacityProviders => self.put_providers(take(input)?),
            Operation::RegisterTaskDefinition => self.register_task_definition(&take(input)?),
            Operation::CreateService => self.create_service(take(input)?),
            Operation::UpdateService => self.update_service(take(input)?),
            Operation::DeleteService => self.delete_service(&take(input)?),
            Operation::StopTask => self.stop_task_call(&take(input)?),
            Operation::TagResource => self.tag_resource(take(input)?),
            Operation::UntagResource => self.untag_resource(&take(input)?),
            Operation::RegisterScalableTarget => self.register_target(&take(input)?),
            Operation::DescribeClusters
            | Operation::ListClusters
            | Operation::DescribeTaskDefinition
            | Operation::DescribeCapacityProviders
            | Operation::ListServices
            | Operation::DescribeServices
            | Operation::ListTasks
            | Operation::DescribeTasks
            | Operation::ListTagsForResource
            | Operation::DescribeScalableTargets
            | Operation::DescribeAutoScalingGroups => Err(ApiError::server()),
        }
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
