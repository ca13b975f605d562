//! What must be remembered of a tracked service between invocations.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::ServiceKey;
use crate::memory::{ForeignEdit, Level, Write};
use crate::units::Seconds;

/// What is remembered of one tracked service. The empty memory is that of a service that was never set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackingMemory {
    /// The last desired count that Ballast wrote to the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrote: Option<Write>,
    /// A change of the desired count by somebody else, while it is not lowered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign: Option<ForeignEdit>,
    /// The last change of the desired count that Ballast made, and its direction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// From how many tasks the latest raises began, and when: together they go no further than one step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised: Option<Level>,
    /// The desired counts of the last hour or so, whoever set them, oldest first, and when a look found each of them first. The last one is
    /// the present one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Level>,
    /// The same of its standby.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standby_levels: Vec<Level>,
    /// So many tasks are asked for and are not placed, the standby's in their place left out, and since when there have been any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Level>,
    /// Since when tasks of the service have been on their way without one more running, and how many ran at the last look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Level>,
    /// The same of its standby.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby_pending: Option<Level>,
    /// Whether Application Auto Scaling scales the service, by its last answer; `None` where it never gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaled_by_application_auto_scaling: Option<bool>,
    /// That more tasks were counted than can have run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub miscount: Option<Miscount>,
    /// When neither the service nor its standby ran a task last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty: Option<Span>,
    /// The tasks that run or are asked for, whichever are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub there: Option<There>,
    /// The same of its standby.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby_there: Option<There>,
}

/// How many tasks there are, by the looks at a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct There {
    /// As many as the last look found.
    pub tasks: u32,
    /// When a look found fewer than the one before, and how many, the last time; `None` where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fell: Option<Level>,
}

/// How long something was so, by the looks at a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first look that found it so.
    pub since: Timestamp,
    /// The first look that found it so no more; `None` where there is none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Span {
    /// The same, ended by a look.
    #[must_use]
    pub const fn until_at(self, now: Timestamp) -> Self {
        Self {
            since: self.since,
            until: Some(now),
        }
    }
}

/// More tasks were counted than can have run: how often the metrics are published is not what the policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Miscount {
    /// When that was seen last, or some minutes before.
    pub at: Timestamp,
    /// How often they are published by the policy of that time.
    #[serde(rename = "metric_resolution_secs")]
    pub resolution: Seconds,
    /// The service whose tasks were counted.
    pub service: ServiceKey,
    /// How many were, throughout the last settled periods.
    pub counted: u32,
    /// How many can have run.
    pub at_most: u32,
}

/// Up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Scale-out.
    Out,
    /// Scale-in.
    In,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Out => "out",
            Self::In => "in",
        })
    }
}

/// The last change of the desired count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Its direction.
    pub direction: Direction,
    /// The first change in this direction since the last one in the other.
    pub since: Timestamp,
    /// The latest change.
    pub at: Timestamp,
}
