//! EC2: pools of capacity, and the instances that are launched from them.
//!
//! A pool is an instance type in a zone, bought on-demand or as Spot. A pool that nobody declared has no bound. What each pool
//! holds over time is set from outside ([`World::set_instance_capacity`]); where a Spot pool shrinks below its use, instances are
//! chosen and interrupted: the warning at once, the end two minutes later.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>
//!
//! A person, too, can have an instance interrupted, stopped, started or ended, many at one instant, and can have EC2 and AWS Health
//! announce what is planned for it. What Spot says, when, and whether it is heard is in [`SpotSignals`].

mod bill;
mod health;
mod life;
mod pools;
mod power;
mod quota;
mod reclaim;
mod signals;
mod times;

pub use bill::BillKey;
pub use health::{HealthNotice, HealthStatus};
pub(crate) use pools::InstancePools;
pub use pools::{InstancePool, InstancePoolKey};
pub(crate) use quota::vcpus_of;
pub use reclaim::InterruptionAction;
pub use times::{Ec2Times, SpotSignals};

use crate::world::World;

/// Something of an instance that will happen at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ec2Due {
    /// A machine takes the next step of its life, if it has not taken another one since.
    Step { id: String, step: u64 },
    /// What runs on a machine is up.
    Boot { id: String },
    /// An instance that Spot takes back is warned.
    Warn { id: String },
    /// Spot recommends to replace an instance, and leaves it alone.
    Recommend { id: String },
    /// The notice of an interrupted instance ends.
    NoticeEnds { id: String },
    /// Spot takes back so many instances of a group at once.
    Storm { group: String, count: usize },
    /// An instance's ECS agent has seen the warning.
    AgentDrains { id: String },
    /// ECS's managed draining has heard of the warning.
    ManagedDrains { id: String },
    /// The host of an instance is retired.
    Retire { id: String },
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
            Ec2Due::Warn { id } => self.warn_instance(&id),
            Ec2Due::Recommend { id } => {
                // An instance that is gone by then gets no recommendation.
                let _is_there = self.recommend_rebalance(&id);
            }
            Ec2Due::NoticeEnds { id } => self.instance_notice_ends(&id),
            Ec2Due::Storm { group, count } => {
                let _ids = self.interrupt_group(&group, count);
            }
            Ec2Due::AgentDrains { id } => self.ecs_agent_drains(&id),
            Ec2Due::ManagedDrains { id } => self.ecs_managed_drains(&id),
            Ec2Due::Retire { id } => self.instance_retired(&id),
            Ec2Due::Forget { id } => self.forget_instance(&id),
            Ec2Due::Capacity { pool, capacity } => self.change_instance_capacity(&pool, capacity),
        }
    }
}
