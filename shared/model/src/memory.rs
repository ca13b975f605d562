//! What must outlive an invocation and cannot be observed from AWS.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is remembered of one pair. The empty memory is that of a pair at rest, or never seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairMemory {
    /// What the pair lacked and needed lately, oldest first, without overlaps. Bounded: see `placement`.
    #[serde(default)]
    pub history: Vec<Sample>,
    /// The last desired count that Ballast wrote to the standby.
    #[serde(default)]
    pub wrote: Option<Write>,
    /// A change of the standby's desired count by somebody else, while it is left alone.
    #[serde(default)]
    pub foreign: Option<ForeignEdit>,
    /// When ECS last reported that Spot has no capacity for the primary.
    #[serde(default)]
    pub spot_shortage_at: Option<Timestamp>,
}

impl PairMemory {
    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One stretch of time, and what was seen in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The first look of the stretch.
    pub from: Timestamp,
    /// The last look of the stretch.
    pub to: Timestamp,
    /// The smallest deficit seen, in tasks.
    pub deficit_min: u32,
    /// The largest number of standby tasks that were needed, in tasks.
    pub need_max: u32,
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

/// What could be recalled of a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "recall", content = "memory", rename_all = "snake_case")]
pub enum Recall {
    /// The ledger answered. A pair that was never written has the empty memory.
    Known(PairMemory),
    /// The ledger did not answer: nothing is given back.
    Unknown,
}
