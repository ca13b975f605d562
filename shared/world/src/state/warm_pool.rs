//! Warm pools: instances beside a group, ready to come into service.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-warm-pools.html>

use std::collections::BTreeSet;

use super::group::words;

words! {
    /// What the instances of a warm pool do while they wait.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_WarmPoolConfiguration.html>
    WarmPoolState {
        /// They are off.
        Stopped = "Stopped",
        /// They run, and register with ECS: agents do so unless `ECS_WARM_POOLS_CHECK` is set.
        /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-warm-pool.html>
        Running = "Running",
    }
}

/// The warm pool of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmPool {
    /// How many instances it is to have.
    pub min_size: u32,
    /// What they do while they wait.
    pub state: WarmPoolState,
    /// Whether it is being deleted: it is gone with its last instance.
    pub deleting: bool,
    /// The ids of its instances, until they are terminated.
    pub instances: BTreeSet<String>,
}
