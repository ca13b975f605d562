//! What is wrong with a payload, said without its content.
//!
//! A message holds AWS's own names for fields, ids that look like ids, and what kind of value was found; never the value. The
//! errors of `serde_json` that are kept as sources come from reading a free-form value: they hold a line, a column and a fixed text.

use std::fmt;

use model::trigger::Envelope;
use model::{EventId, IdError};
use serde_json::Value;

use crate::batch::RECORDS_MAX;

/// Why there is no trigger.
#[derive(Debug, thiserror::Error)]
pub enum TriggerError {
    /// The payload is not JSON at all.
    #[error("the payload is not JSON; check what invokes this function")]
    NotJson {
        /// Where reading stopped.
        #[source]
        source: serde_json::Error,
    },
    /// The payload is JSON, but nothing that EventBridge, a schedule or a queue sends.
    #[error("the payload is not an event: `{field}` {problem}; check what sends it")]
    NotAnEvent {
        /// The field that an event would have; `payload` is the whole.
        field: &'static str,
        /// What is wrong with it.
        problem: Problem,
    },
    /// An event of ours without a usable field that it cannot do without.
    #[error("{subject}: `{field}` {problem}; the schedule's next look needs no event")]
    Field {
        /// Which event.
        subject: Box<Subject>,
        /// The field, with its path.
        field: &'static str,
        /// What is wrong with it.
        problem: Problem,
    },
    /// An event of ours with an ARN that is not of the kind that its field is for.
    #[error("{subject}: `{field}` is the wrong ARN; the schedule's next look needs no event")]
    Id {
        /// Which event.
        subject: Box<Subject>,
        /// The field, with its path.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: IdError,
    },
    /// A message of a batch that holds no event.
    #[error("message {index} of the batch: `{field}` {problem}; check what writes to the queue")]
    Record {
        /// The message's place in the batch, from 0.
        index: usize,
        /// The field, with its path.
        field: &'static str,
        /// What is wrong with it.
        problem: Problem,
    },
    /// A message of a batch whose text is not JSON.
    #[error("message {index} of the batch: `{field}` is not JSON; check what writes to the queue")]
    RecordNotJson {
        /// The message's place in the batch, from 0.
        index: usize,
        /// The field, with its path.
        field: &'static str,
        /// Where reading stopped.
        #[source]
        source: serde_json::Error,
    },
    /// A message beyond the bound on the messages of one batch. It was not looked at.
    #[error(
        "message {index} of the batch: at most {RECORDS_MAX} are read at once; lower the batch size of the queue's event source mapping"
    )]
    TooManyRecords {
        /// The message's place in the batch, from 0.
        index: usize,
    },
}

impl TriggerError {
    /// A stable name, for metrics and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NotJson { .. } => "not_json",
            Self::NotAnEvent { .. } => "not_an_event",
            Self::Field { .. } => "field_unusable",
            Self::Id { .. } => "id_unusable",
            Self::Record { .. } => "record_unusable",
            Self::RecordNotJson { .. } => "record_not_json",
            Self::TooManyRecords { .. } => "too_many_records",
        }
    }
}

/// Which event an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The event's `source`.
    pub event_source: String,
    /// The event's `detail-type`; empty where it has none.
    pub detail_type: String,
    /// The event's id, where it has one.
    pub id: Option<EventId>,
}

impl From<&Envelope> for Subject {
    fn from(envelope: &Envelope) -> Self {
        Self {
            event_source: envelope.source.clone(),
            detail_type: envelope.detail_type.clone(),
            id: envelope.id.clone(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            event_source,
            detail_type,
            id,
        } = self;
        match id {
            Some(id) => write!(f, "event `{id}`")?,
            None => f.write_str("an event without id")?,
        }
        write!(f, " from `{event_source}`")?;
        if detail_type.is_empty() {
            f.write_str(" without detail-type")
        } else {
            write!(f, ", `{detail_type}`")
        }
    }
}

/// What is wrong with a field. Never its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The field is not there, or is null.
    Absent,
    /// The field is of another JSON type.
    WrongType {
        /// The type that it should be.
        wanted: &'static str,
        /// The type that it is.
        found: &'static str,
    },
    /// The text is no name that ECS allows: letters, digits, `-` and `_`, at most 255.
    NotAName,
    /// The text cannot be the name of an alarm or of an Auto Scaling group: 1 to 255 characters on one line.
    NotAPlainName,
    /// The text cannot be the name of a lifecycle hook: 1 to 255 letters, digits, `-`, `_` and `/`.
    NotAHookName,
    /// The text is not the id of an EC2 instance.
    NotAnInstanceId,
    /// The text is not the ARN of a container instance.
    NotAContainerInstanceArn,
    /// The text is not the ARN of a task.
    NotATaskArn,
    /// None of the resources is the ARN of a service.
    NoServiceArn,
}

impl Problem {
    /// What is wrong with `value` when a `wanted` was looked for and not found.
    pub(crate) fn with(value: Option<&Value>, wanted: &'static str) -> Self {
        let found = match value {
            None | Some(Value::Null) => return Self::Absent,
            Some(Value::Bool(_)) => "a boolean",
            Some(Value::Number(_)) => "a number",
            Some(Value::String(_)) => "a text",
            Some(Value::Array(_)) => "a list",
            Some(Value::Object(_)) => "an object",
        };
        Self::WrongType { wanted, found }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("is absent"),
            Self::WrongType { wanted, found } => write!(f, "is {found}, wanted {wanted}"),
            Self::NotAName => f.write_str(
                "holds no name that ECS allows (1 to 255 letters, digits, hyphens and underscores)",
            ),
            Self::NotAPlainName => {
                f.write_str("holds no usable name (1 to 255 characters on one line)")
            }
            Self::NotAHookName => f.write_str(
                "holds no name of a lifecycle hook (1 to 255 letters, digits, `-`, `_` and `/`)",
            ),
            Self::NotAnInstanceId => f.write_str("is not the id of an EC2 instance (`i-…`)"),
            Self::NotAContainerInstanceArn => f.write_str("is not the ARN of a container instance"),
            Self::NotATaskArn => f.write_str("is not the ARN of a task"),
            Self::NoServiceArn => f.write_str("holds no ARN of a service"),
        }
    }
}
