//! What must outlive an invocation and cannot be observed from AWS.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is remembered of one pair. The empty memory is that of a pair at rest, or never seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairMemory {
    /// The stretch of time in which the pair was looked at again and again without a longer break. `None` at rest.
    #[serde(default)]
    pub watched: Option<Watch>,
    /// How long how much has been missing: "at least `tasks` since `at`", both strictly rising. Bounded: see `placement`.
    #[serde(default)]
    pub deficits: Vec<Level>,
    /// How lately how much was needed: "`tasks` standby tasks as late as `at`", `tasks` strictly falling and `at` strictly rising.
    /// Bounded: see `placement`.
    #[serde(default)]
    pub needs: Vec<Level>,
    /// The last desired count that Ballast wrote to the standby.
    #[serde(default)]
    pub wrote: Option<Write>,
    /// A change of the standby's desired count by somebody else, while it is left alone.
    #[serde(default)]
    pub foreign: Option<ForeignEdit>,
    /// When ECS last reported that Spot has no capacity for the primary.
    #[serde(default)]
    pub spot_shortage_at: Option<Timestamp>,
    /// So many tasks are on Spot instances that drain, and since then ECS has started no task in the place of any of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_replaced: Option<Level>,
}

impl PairMemory {
    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A stretch of time without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The first look, or the end of what was forgotten since.
    pub since: Timestamp,
    /// The last look.
    pub until: Timestamp,
}

/// A number of tasks and the time that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// How many tasks.
    pub tasks: u32,
    /// Since when, or as late as when.
    pub at: Timestamp,
}

/// A desired count that Ballast wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// The desired count that was seen before.
    pub from: u32,
    /// The desired count that was asked for.
    pub to: u32,
    /// When.
    pub at: Timestamp,
    /// Whether ECS accepted it. While this is `false` the write was planned, and may or may not have happened.
    pub confirmed: bool,
}

/// Somebody else changed the standby's desired count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignEdit {
    /// The desired count that was found.
    pub found: u32,
    /// The desired count that Ballast had written.
    pub wrote: u32,
    /// When it was noticed.
    pub noticed_at: Timestamp,
}

/// What could be recalled of a subject: of a pair where nothing else is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "recall", content = "memory", rename_all = "snake_case")]
pub enum Recall<M = PairMemory> {
    /// The ledger answered. A subject that was never written has the empty memory.
    Known(M),
    /// The ledger did not answer: no capacity is given back.
    Unknown,
}

impl<M> Recall<M> {
    /// What is remembered, where the ledger answered.
    pub const fn known(&self) -> Option<&M> {
        match self {
            Self::Known(memory) => Some(memory),
            Self::Unknown => None,
        }
    }
}
