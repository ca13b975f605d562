//! Tasks that fit nowhere, and why.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::units::Counted;

/// Tasks that fit nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unplaced {
    /// `service/<name>`, or `family/<name>` for standalone tasks.
    pub whose: String,
    /// How many tasks.
    pub tasks: u32,
    /// Why.
    #[serde(flatten)]
    pub why: Unplaceable,
}

/// Why tasks fit nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Unplaceable {
    /// One task is larger than every type that the group may launch.
    TooLarge {
        /// Which resource, such as `memory_mib`.
        resource: String,
        /// What one task needs of it.
        needs: u32,
        /// The most that a type offers after daemons.
        largest: u32,
        /// The type that offers it.
        instance_type: String,
    },
    /// No instance that the group can have meets a constraint.
    ConstraintNotMet {
        /// The constraint, or the attribute that is required.
        constraint: String,
    },
    /// A constraint cannot be decided.
    ConstraintUnsupported {
        /// The constraint.
        constraint: String,
        /// Which part of it.
        part: String,
    },
    /// What the types of the group offer is not known.
    TypesUnknown {
        /// The types' names, as far as they are known.
        types: String,
    },
    /// Launches from every pool that would do lately failed.
    NoPoolLeft {
        /// When the first of them is tried again.
        retry_at: Timestamp,
    },
    /// A host port that it needs is taken on every instance by a daemon.
    HostPortTaken {
        /// The port.
        port: String,
    },
    /// The group may not grow any further.
    GroupAtMaximum {
        /// The maximum.
        max: u32,
    },
}

impl Unplaceable {
    /// A stable name, for metrics and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::ConstraintNotMet { .. } => "constraint_not_met",
            Self::ConstraintUnsupported { .. } => "constraint_unsupported",
            Self::TypesUnknown { .. } => "types_unknown",
            Self::NoPoolLeft { .. } => "no_pool_left",
            Self::HostPortTaken { .. } => "host_port_taken",
            Self::GroupAtMaximum { .. } => "group_at_maximum",
        }
    }
}

impl fmt::Display for Unplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whose, tasks, why } = self;
        let tasks = Counted(*tasks, "task");
        write!(f, "there is no room for {tasks} of `{whose}`: ")?;
        match why {
            Unplaceable::TooLarge {
                resource,
                needs,
                largest,
                instance_type,
            } => write!(
                f,
                "one needs {needs} {}, and the most that there is is {largest}, on `{instance_type}`",
                amount(resource)
            ),
            Unplaceable::ConstraintNotMet { constraint } => {
                write!(f, "no instance meets `{constraint}`")
            }
            Unplaceable::ConstraintUnsupported { constraint, part } => {
                write!(f, "`{constraint}` cannot be decided because of `{part}`")
            }
            Unplaceable::TypesUnknown { types } => {
                write!(f, "what the types offer is not known ({types})")
            }
            Unplaceable::NoPoolLeft { retry_at } => {
                write!(
                    f,
                    "launches from every pool failed lately, the first is tried again at {retry_at:.0}"
                )
            }
            Unplaceable::HostPortTaken { port } => {
                write!(f, "a daemon takes port {port} on every instance")
            }
            Unplaceable::GroupAtMaximum { max } => {
                write!(f, "the group is at its maximum of {max}")
            }
        }
    }
}

/// The words for a resource after its amount.
fn amount(resource: &str) -> &str {
    match resource {
        "cpu_units" => "CPU units",
        "memory_mib" => "MiB of memory",
        "gpus" => "GPUs",
        "network_interfaces" => "network interfaces",
        other => other,
    }
}
