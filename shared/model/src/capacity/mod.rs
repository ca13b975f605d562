//! The nouns of EC2 capacity: Auto Scaling group capacity providers, their instances, what runs on them and what is decided about them.
//!
//! Guaranteed: as everywhere in this crate, nothing here does I/O, and every map is ordered.
//!
//! Assumed: an Auto Scaling group belongs to one capacity provider, and a capacity provider that Ballast manages to one cluster
//! (`placement` refuses the others).
//!
//! Absent: decisions. What counts as used, needed or removable is `placement::capacity`'s.

pub mod duty;
pub mod hold;
mod hold_text;
pub mod key;
pub mod memory;
pub mod plan;
pub mod policy;
pub mod resources;
pub mod snapshot;
pub mod unplaced;

pub use duty::{PROVIDER_METRICS, ProviderMetric};
pub use hold::{CapacityHold, CapacityHoldReason};
pub use key::{CapacitySubject, ProviderKey};
pub use memory::{
    CapacityWrite, Drain, DrainReason, LearnedType, PoolFailure, ProviderMemory, Sought, Stall,
};
pub use plan::{CapacityAction, CapacityPlan, CapacityStep, CapacityStepReason, ProviderNumbers};
pub use policy::{Consent, GroupPolicy};
pub use resources::{HostPort, Protocol, Resources};
pub use snapshot::{
    Activity, CapacityService, CapacitySnapshot, ClusterCapacity, Constraint, ContainerInstance,
    ContainerInstanceStatus, DeploymentTarget, DesiredCapacityType, Group, GroupInstance,
    GroupTypes, InstanceTask, Lifecycle, ManagedScaling, Placement, Provider, ProviderPassedOver,
    TaskShape, TypeChoice,
};
pub use unplaced::{Unplaceable, Unplaced};
