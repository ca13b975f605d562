//! How long instances take, and how many there may be.

use crate::config::RangeMs;

/// How long the steps of an instance's life take, and the quotas. AWS publishes no times but the notice of an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ec2Times {
    /// From a change of a group to its reaction, in milliseconds.
    pub reaction_ms: u32,
    /// From the launch to a machine that runs.
    pub launch: RangeMs,
    /// From a machine that runs to an ECS agent that registers.
    pub boot: RangeMs,
    /// From the order to terminate to the end.
    pub shut_down: RangeMs,
    /// From the warning to the end of an interrupted Spot instance, in seconds.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>
    pub notice_secs: u32,
    /// How many of a thousand machines never boot: they run, and no agent registers.
    pub boot_failures_per_mille: u32,
    /// The first wait after a launch that failed, in seconds. Each further failure doubles it.
    pub retry_first_secs: u32,
    /// The longest wait, in seconds.
    pub retry_max_secs: u32,
    /// How long after its end a group takes notice that an instance is gone, in seconds.
    pub health_check_secs: u32,
    /// How long a terminated instance can still be read, in seconds.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html>
    pub kept_secs: u32,
    /// The vCPUs of all Spot instances together; `None` has no bound.
    pub spot_vcpus_max: Option<u32>,
    /// The vCPUs of all on-demand instances together; `None` has no bound.
    pub on_demand_vcpus_max: Option<u32>,
}

impl Default for Ec2Times {
    fn default() -> Self {
        Self {
            reaction_ms: 2_000,
            launch: RangeMs::new(12_000, 30_000),
            boot: RangeMs::new(25_000, 60_000),
            shut_down: RangeMs::new(20_000, 60_000),
            notice_secs: 120,
            boot_failures_per_mille: 0,
            retry_first_secs: 30,
            retry_max_secs: 300,
            health_check_secs: 30,
            kept_secs: 3_600,
            spot_vcpus_max: None,
            on_demand_vcpus_max: None,
        }
    }
}
