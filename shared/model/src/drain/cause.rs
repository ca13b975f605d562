//! Why an instance is going away, and until when.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::units::Seconds;

/// How long EC2 leaves between its warning of a Spot interruption and the interruption.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>
pub const SPOT_NOTICE: Seconds = Seconds(120);

/// Why an instance is going away, or may be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum DepartureCause {
    /// EC2 interrupts the Spot instance.
    SpotInterruption {
        /// When EC2 warned.
        warned_at: Timestamp,
        /// `terminate`, `stop` or `hibernate`.
        action: String,
    },
    /// EC2 takes back an instance in an interruptible Capacity Reservation.
    CapacityReservationInterruption {
        /// When EC2 warned.
        warned_at: Timestamp,
    },
    /// Its group terminates it: scale-in, instance refresh, maximum lifetime, health check, or by hand.
    Terminating {
        /// When the group began to.
        since: Timestamp,
    },
    /// EC2 stops it, or has stopped it, and its agent is gone.
    Stopping {
        /// When EC2 said so.
        at: Timestamp,
    },
    /// AWS Health announced that it will be stopped, rebooted or retired.
    Maintenance {
        /// AWS's own code, such as `AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED`.
        code: String,
        /// The event that announced it, as [`Notice::Maintenance`](crate::trigger::Notice::Maintenance) names it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        health_event: Option<String>,
        /// When.
        starts_at: Timestamp,
    },
    /// EC2 recommends to rebalance: the risk of an interruption is elevated. It may never come.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html>
    Rebalance {
        /// When EC2 said so.
        at: Timestamp,
    },
    /// Its agent has been disconnected for longer than the grace: ECS can neither start nor stop tasks there.
    AgentLost {
        /// Since when.
        since: Timestamp,
    },
}

/// The kinds of [`DepartureCause`], the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseKind {
    /// [`DepartureCause::SpotInterruption`].
    SpotInterruption,
    /// [`DepartureCause::CapacityReservationInterruption`].
    CapacityReservationInterruption,
    /// [`DepartureCause::Terminating`].
    Terminating,
    /// [`DepartureCause::Stopping`].
    Stopping,
    /// [`DepartureCause::Maintenance`].
    Maintenance,
    /// [`DepartureCause::Rebalance`].
    Rebalance,
    /// [`DepartureCause::AgentLost`].
    AgentLost,
}

impl CauseKind {
    /// Whether the instance leaves whatever Ballast does. With the others it may stay, and draining it is a choice.
    #[must_use]
    pub const fn is_certain(self) -> bool {
        match self {
            Self::SpotInterruption
            | Self::CapacityReservationInterruption
            | Self::Terminating
            | Self::Stopping
            | Self::Maintenance => true,
            Self::Rebalance | Self::AgentLost => false,
        }
    }

    /// A stable name, for records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SpotInterruption => "spot_interruption",
            Self::CapacityReservationInterruption => "capacity_reservation_interruption",
            Self::Terminating => "terminating",
            Self::Stopping => "stopping",
            Self::Maintenance => "maintenance",
            Self::Rebalance => "rebalance",
            Self::AgentLost => "agent_lost",
        }
    }
}

impl DepartureCause {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> CauseKind {
        match self {
            Self::SpotInterruption { .. } => CauseKind::SpotInterruption,
            Self::CapacityReservationInterruption { .. } => {
                CauseKind::CapacityReservationInterruption
            }
            Self::Terminating { .. } => CauseKind::Terminating,
            Self::Stopping { .. } => CauseKind::Stopping,
            Self::Maintenance { .. } => CauseKind::Maintenance,
            Self::Rebalance { .. } => CauseKind::Rebalance,
            Self::AgentLost { .. } => CauseKind::AgentLost,
        }
    }

    /// When it began, as far as it is known.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::SpotInterruption { warned_at, .. }
            | Self::CapacityReservationInterruption { warned_at } => *warned_at,
            Self::Terminating { since } | Self::AgentLost { since } => *since,
            Self::Stopping { at } | Self::Rebalance { at } => *at,
            Self::Maintenance { starts_at, .. } => *starts_at,
        }
    }

    /// When EC2 takes the instance away, where the cause itself tells it: 120 s after a warning, and when maintenance begins. The end of a
    /// lifecycle action is its hook's.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        match self {
            // <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/hibernate-spot-instances.html>: hibernation begins at once.
            Self::SpotInterruption { warned_at, action } if action == "hibernate" => {
                Some(*warned_at)
            }
            Self::SpotInterruption { warned_at, .. }
            | Self::CapacityReservationInterruption { warned_at } => {
                Some(SPOT_NOTICE.after(*warned_at))
            }
            Self::Maintenance { starts_at, .. } => Some(*starts_at),
            // What stops is gone at once, and comes back perhaps: ECS replaces its tasks whenever it is drained.
            Self::Terminating { .. }
            | Self::Stopping { .. }
            | Self::Rebalance { .. }
            | Self::AgentLost { .. } => None,
        }
    }
}

impl fmt::Display for DepartureCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpotInterruption { warned_at, action } => {
                write!(
                    f,
                    "EC2 warned at {warned_at:.0} of its Spot interruption (`{action}`)"
                )
            }
            Self::CapacityReservationInterruption { warned_at } => write!(
                f,
                "EC2 warned at {warned_at:.0} that its Capacity Reservation takes it back"
            ),
            Self::Terminating { since } => {
                write!(f, "its group has been terminating it since {since:.0}")
            }
            Self::Stopping { at } => write!(f, "EC2 said at {at:.0} that it stops"),
            Self::Maintenance {
                code, starts_at, ..
            } => {
                write!(f, "AWS Health announced `{code}` for {starts_at:.0}")
            }
            Self::Rebalance { at } => write!(f, "EC2 recommended at {at:.0} to rebalance it"),
            Self::AgentLost { since } => {
                write!(f, "its agent has been disconnected since {since:.0}")
            }
        }
    }
}
