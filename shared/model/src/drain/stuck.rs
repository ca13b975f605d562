//! Tasks that ECS will not move off an instance in time, and why.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::units::{Counted, Seconds};

/// Tasks of one service, or of one family, that will not be moved in time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StuckTasks {
    /// `service/<name>`, or `family/<name>` for standalone tasks.
    pub whose: String,
    /// How many.
    pub tasks: u32,
    /// Why.
    #[serde(flatten)]
    pub why: StuckReason,
}

/// Why tasks are not moved in time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum StuckReason {
    /// A standalone task: ECS neither stops nor replaces it when an instance drains.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html>
    Standalone,
    /// The service may neither stop a task before its replacement runs nor start one before a task stops.
    NoSurge {
        /// In percent of the desired count; rounds up.
        minimum_healthy_percent: u32,
        /// In percent of the desired count; rounds down.
        maximum_percent: u32,
    },
    /// The replacements must run first, and the other instances have no room for them.
    NoRoom {
        /// How many replacements find room.
        room_tasks: u32,
    },
    /// The replacements must run first, only so many at a time, and they are too many for the time that is left.
    TooSlow {
        /// How many ECS starts beyond the desired count; at least one.
        surge: u32,
        /// How long a replacement takes to run.
        #[serde(rename = "start_up_secs")]
        start_up: Seconds,
        /// How often that fits into what is left.
        rounds: u32,
        /// When the instance goes.
        deadline: Timestamp,
    },
    /// The stop timeout is longer than what is left: it is cut short when the instance goes.
    StopTooLong {
        /// The longest stop timeout of its containers.
        #[serde(rename = "stop_timeout_secs")]
        stop_timeout: Seconds,
        /// When the instance goes.
        deadline: Timestamp,
    },
    /// The instance's agent is disconnected: ECS cannot tell it to stop a task.
    AgentDisconnected,
    /// ECS could have stopped it since the instance is DRAINING, and has not.
    NotMoved {
        /// Since when the instance is DRAINING.
        draining_since: Timestamp,
    },
}

impl StuckReason {
    /// Every stable name.
    pub const NAMES: [&'static str; 7] = [
        "standalone",
        "no_surge",
        "no_room",
        "too_slow",
        "stop_too_long",
        "agent_disconnected",
        "not_moved",
    ];

    /// A stable name, for records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::NoSurge { .. } => "no_surge",
            Self::NoRoom { .. } => "no_room",
            Self::TooSlow { .. } => "too_slow",
            Self::StopTooLong { .. } => "stop_too_long",
            Self::AgentDisconnected => "agent_disconnected",
            Self::NotMoved { .. } => "not_moved",
        }
    }
}

impl fmt::Display for StuckTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whose, tasks, why } = self;
        write!(f, "{} of `{whose}`: {why}", Counted(*tasks, "task"))
    }
}

impl fmt::Display for StuckReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standalone => f.write_str("standalone, ECS does not move them"),
            Self::NoSurge {
                minimum_healthy_percent,
                maximum_percent,
            } => write!(
                f,
                "minimum healthy {minimum_healthy_percent} % and maximum {maximum_percent} % let ECS neither stop one first nor \
                 start one first"
            ),
            Self::NoRoom { room_tasks } => write!(
                f,
                "their replacements must run first, and there is room for {room_tasks}"
            ),
            Self::TooSlow {
                surge,
                start_up,
                rounds,
                deadline,
            } => write!(
                f,
                "their replacements must run first, {surge} at a time, and {start_up} each time: until {deadline:.0} there is time for {}",
                Counted(*rounds, "round")
            ),
            Self::StopTooLong {
                stop_timeout,
                deadline,
            } => write!(
                f,
                "the stop timeout of {stop_timeout} ends after {deadline:.0}, when the instance goes"
            ),
            Self::AgentDisconnected => {
                f.write_str("the agent is disconnected and cannot stop them")
            }
            Self::NotMoved { draining_since } => write!(
                f,
                "ECS could move them, and has not since {draining_since:.0}"
            ),
        }
    }
}
