//! EC2: pools of capacity, and the instances that are launched from them.
//!
//! A pool is an instance type in a zone, bought on-demand or as Spot. A pool that nobody declared has no bound. What each pool holds
//! over time is set from outside ([`World::set_instance_capacity`](crate::World::set_instance_capacity)); where a Spot pool shrinks below its use, instances are chosen
//! and interrupted: the warning at once, the end two minutes later.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>

mod pools;
mod times;

pub(crate) use pools::InstancePools;
pub use pools::{InstancePool, InstancePoolKey};
pub use times::Ec2Times;
