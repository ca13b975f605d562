//! The nouns of departures: EC2 instances that are going away, why, until when, what runs on them and what is decided about them.
//!
//! Guaranteed: as everywhere in this crate, nothing here does I/O, and every map is ordered.
//!
//! Assumed: an instance is in at most one Auto Scaling group and registered in at most one cluster that Ballast looks after.
//!
//! Absent: decisions. What is drained, stopped or finished, and when, is `placement::drain`'s.

pub mod cause;
pub mod duty;
pub mod hold;
mod hold_text;
pub mod key;
pub mod maintenance;
pub mod memory;
pub mod numbers;
pub mod plan;
mod plan_text;
pub mod policy;
pub mod snapshot;
pub mod stuck;

pub use cause::{CauseKind, DepartureCause};
pub use duty::{DEPARTURE_METRICS, DepartureMetric};
pub use hold::{DrainHold, DrainHoldReason};
pub use key::{DrainKey, DrainSubject};
pub use maintenance::MaintenanceKey;
pub use memory::{Departure, DrainMemory, OwnDrain, Reversal};
pub use numbers::{DepartureNumbers, TaskCounts};
pub use plan::{DrainAction, DrainPlan, DrainStep, DrainStepReason, GroupRaiser, PoolRoom};
pub use policy::DrainPolicy;
pub use snapshot::{
    DrainCluster, DrainGroup, DrainSnapshot, HookResult, InstancePassedOver, LifecycleHook,
    LookedInstance, Membership, Whereabouts,
};
pub use stuck::{StuckReason, StuckTasks};
