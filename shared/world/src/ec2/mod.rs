//! EC2: pools of capacity, and the instances that are launched from them.
//!
//! A pool is an instance type in a zone, bought on-demand or as Spot. A pool that nobody declared has no bound. What each pool
//! holds over time is set from outside ([`World::set_instance_capacity`]); where a Spot pool shrinks below its use, instances are
//! chosen and interrupted: the warning at once, the end two minutes later.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>

mod bill;
mod life;
mod pools;
mod quota;
mod times;

pub use bill::BillKey;
pub(crate) use pools::InstancePools;
pub use pools::{InstancePool, InstancePoolKey};
pub(crate) use quota::vcpus_of;
pub use times::Ec2Times;

use crate::world::World;

/// Something of an instance that will happen at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ec2Due {
    /// A machine takes the next step of its life, if it has not taken another one since.
    Step { id: String, step: u64 },
    /// What runs on a machine is up.
    Boot { id: String },
    /// The notice of an interrupted instance ends.
    NoticeEnds { id: String },
    /// A terminated instance can no longer be read.
    Forget { id: String },
    /// A pool's capacity changes.
    Capacity {
        pool: InstancePoolKey,
        capacity: u32,
    },
}

impl World {
    pub(crate) fn ec2_happens(&mut self, due: Ec2Due) {
        match due {
            Ec2Due::Step { id, step } => self.machine_step(&id, step),
            Ec2Due::Boot { id } => self.machine_boots(&id),
            Ec2Due::NoticeEnds { id } => self.instance_notice_ends(&id),
            Ec2Due::Forget { id } => self.forget_instance(&id),
            Ec2Due::Capacity { pool, capacity } => self.change_instance_capacity(&pool, capacity),
        }
    }
}
