//! What must outlive an invocation about departures and cannot be observed from AWS.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::drain::cause::{CauseKind, DepartureCause};
use crate::drain::maintenance::MaintenanceKey;
use crate::ids::{ClusterName, InstanceId};

/// What is remembered of the instances of one group, or of those of a cluster that are in no group. The empty memory is that of a group
/// of which no instance leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainMemory {
    /// The instances that are going away, or may be. Bounded.
    #[serde(default)]
    pub departures: BTreeMap<InstanceId, Departure>,
    /// The instances whose drain Ballast took back, and when: they are not drained again for a mere recommendation for a while.
    /// Bounded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reversed: BTreeMap<InstanceId, Reversal>,
}

impl DrainMemory {
    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is remembered of one instance that is going away, or may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// Why: each kind of cause at most once, in the order of urgency.
    #[serde(default)]
    pub causes: Vec<DepartureCause>,
    /// That Ballast set it to DRAINING, or announced it. `None` where somebody else did, or nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_drain: Option<OwnDrain>,
    /// In which cluster Ballast drained it. Where an earlier version did not write it, it is the one in which a look shows the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained_in: Option<ClusterName>,
    /// Since when it has been seen to have left its group, without a break, while Ballast's drain lasts: it is in no group, or in service in one
    /// that is not opted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_at: Option<Timestamp>,
    /// Since when it has been seen DRAINING, by whoever's hand, without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining_since: Option<Timestamp>,
    /// Whether nothing has told since when its group has been terminating it: what its cause says is when it was first seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_since_guessed: bool,
    /// When Ballast last extended its lifecycle action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_at: Option<Timestamp>,
    /// When Ballast completed its lifecycle action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// When EC2 said that it ends: `shutting-down` or `terminated`. It never comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When EC2 said that it stops, while its agent was still connected: believed once that is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_said_at: Option<Timestamp>,
    /// When AWS Health last spoke of each maintenance, also that it is over: what was said of it before that changes nothing. Bounded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub maintenance_said: BTreeMap<MaintenanceKey, Timestamp>,
    /// Other maintenance than its cause that AWS Health announced as well: when it begins. Bounded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other_maintenance: BTreeMap<MaintenanceKey, Timestamp>,
    /// That somebody else set it to ACTIVE again after Ballast's drain, when that was seen, and for which cause it had been drained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated: Option<Reversal>,
    /// Since when its agent has been seen disconnected, without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected_since: Option<Timestamp>,
}

impl Departure {
    /// Ballast's drain of it has ended, or never was.
    pub fn end_own_drain(&mut self) {
        self.own_drain = None;
        self.drained_in = None;
        self.left_at = None;
    }

    /// Its cause of this kind.
    #[must_use]
    pub fn cause(&self, kind: CauseKind) -> Option<&DepartureCause> {
        self.causes.iter().find(|it| it.kind() == kind)
    }
}

/// A drain by Ballast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnDrain {
    /// When it was announced.
    pub at: Timestamp,
    /// For which cause. Where that is gone and no other certain one has come, the drain is taken back.
    pub cause: CauseKind,
    /// Whether ECS accepted it. While this is `false` it was announced, and may or may not have happened.
    pub confirmed: bool,
}

/// A drain that was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversal {
    /// When.
    pub at: Timestamp,
    /// For which cause it had been drained.
    pub cause: CauseKind,
}
