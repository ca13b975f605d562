//! ECS on EC2: container instances, what tasks reserve on them, and who places tasks where.
//!
//! An instance whose agent is up registers with its cluster: the one that [`World::join_cluster`](crate::World::join_cluster) names for
//! its group, as user data do, or else the one that has a capacity provider over its group. Daemons are placed first, then tasks that
//! wait in PROVISIONING, then what services lack.
//!
//! What can be placed is decided here from the documentation alone; nothing is shared with the crates that are tested against it.

mod agents;
mod daemons;
mod draining;
mod instances;
mod leaving;
mod managed;
mod placement;
mod protection;
mod query;
mod resources;
mod seats;
mod shapes;
mod standalone;
mod stopped;
mod targets;
mod waiting;

pub(crate) use instances::Facts;
pub use managed::MANAGED_DRAINING_HOOK;
pub(crate) use placement::{Asked, Search, lacks};
pub use placement::{BinpackBy, Constraint, PlaceStrategy, PlacementError};
pub use protection::PROTECTION_MINUTES_DEFAULT;
pub(crate) use query::Query;
pub use resources::{Lack, Needs, Resources};
pub use shapes::{InstanceShape, shapes};
pub(crate) use standalone::RunSpec;
pub(crate) use stopped::departed;
pub(crate) use targets::{fails_checks, grace_until, unhealthy_target_group};
