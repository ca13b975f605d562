//! Event JSON to [`Trigger`]: what a function was invoked with, read into a closed enum.
//!
//! # Guaranteed
//! - Nothing here does I/O, reads a clock or panics, whatever the payload.
//! - Only the fields that a trigger needs are read. `overrides`, `containers` and every other part of a task, which may hold
//!   secrets, are never copied, neither into a trigger nor into an error. Nor are an instance's attributes, an alarm's
//!   description and reasons.
//! - An event that no row of the table is for is [`Ignored`](model::trigger::TriggerKind::Ignored). One that is ours and cannot be
//!   used is a [`TriggerError`], so that it reaches the dead-letter queue.
//! - A message of a batch that cannot be read is an error of that message only.
//! - Work is bounded: at most [`RECORDS_MAX`] messages of a batch are read, and at most [`RESOURCES_MAX`] resources and
//!   [`PROVIDERS_MAX`] providers of an event, [`ALARM_METRICS_MAX`] metrics of an alarm and [`DIMENSIONS_MAX`] dimensions of each,
//!   [`ENTITIES_MAX`] entities of an event of AWS Health.
//!
//! # Assumed
//! The events of an `aws.*` source are from that service itself: EventBridge lets nobody else put such events on a bus.
//!
//! # Absent
//! Any judgement. An old event is read as it is, a duplicate is read twice, and what a placement failure proves is for
//! `placement` to say.

mod alarm;
mod arn;
mod batch;
mod container_instance;
mod deployment;
mod envelope;
mod error;
mod event;
mod group_activity;
mod health;
mod instance_notice;
mod lifecycle_action;
mod notification;
mod schedule;
mod service_action;
mod table;
mod task;
mod text;

use model::MessageId;
use model::trigger::Trigger;
use serde_json::Value;

pub use alarm::{ALARM_METRICS_MAX, DIMENSIONS_MAX};
pub use batch::RECORDS_MAX;
pub use error::{Problem, Subject, TriggerError};
pub use event::RESOURCES_MAX;
pub use health::ENTITIES_MAX;
pub use service_action::PROVIDERS_MAX;
pub use table::table;

/// What one invocation of a function was given: one event, or the messages of a batch.
#[derive(Debug)]
pub struct Invocation {
    /// One per event, in the order that they came in. Only an empty batch has none.
    pub items: Vec<Item>,
    /// Whether it came as the `Records` of an SQS queue, so that messages can fail one by one.
    pub is_batch: bool,
}

/// One event of an invocation.
#[derive(Debug)]
pub struct Item {
    /// The message's id in the batch. Absent for an event that did not come in a batch, and for a message without a usable id:
    /// such a message cannot fail alone, so its error must fail the invocation.
    pub message: Option<MessageId>,
    /// What was read.
    pub read: Result<Trigger, TriggerError>,
}

/// Reads the payload that Lambda hands to a function: an EventBridge event, a schedule's event, an alarm's own call, a
/// notification of a lifecycle hook, or an SQS batch of such.
#[must_use]
pub fn parse(payload: &Value) -> Invocation {
    match batch::records_of(payload) {
        Some(records) => batch::read(records),
        None => Invocation {
            items: vec![Item {
                message: None,
                read: envelope::read(payload),
            }],
            is_batch: false,
        },
    }
}

/// Reads a payload from bytes, such as a file's. A byte order mark in front is skipped.
///
/// # Errors
/// When the bytes are not JSON, or nested deeper than 128 levels, which is where `serde_json` stops.
pub fn parse_bytes(payload: &[u8]) -> Result<Invocation, TriggerError> {
    let json = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
    serde_json::from_slice(json)
        .map(|value| parse(&value))
        .map_err(|source| TriggerError::NotJson { source })
}
