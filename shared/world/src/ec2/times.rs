//! How long instances take, how many there may be, and how Spot speaks of those that it will take.

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
    /// From the warning to DRAINING, where the ECS agent drains its own instance. The agent asks for the warning every second; the
    /// default is at once.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/spot-instance-draining-linux-container.html>
    pub agent_drains_after: RangeMs,
    /// What Spot says before it takes an instance, and what it does not say.
    pub signals: SpotSignals,
}

/// What becomes of Spot's warnings and recommendations, apart from the faults that all events have ([`crate::Delivery`]). Each is
/// drawn from the seed for each instance. The default warns of each interruption once and at once, and recommends nothing.
///
/// Whatever becomes of a warning, Spot takes the instance in time. AWS sends both signals on a best-effort basis, and a
/// recommendation before the warning, together with it, or never.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpotSignals {
    /// How many of a thousand interruptions EventBridge, and with it ECS's managed draining, never hears of. The agent asks the
    /// machine itself, and is always told.
    pub warnings_lost_per_mille: u32,
    /// How many of a thousand warnings come late to EventBridge.
    pub warnings_late_per_mille: u32,
    /// By how much a late warning is late, in addition to what every event takes. Its `time` stays the true one.
    pub warning_lateness: RangeMs,
    /// How many of a thousand interruptions a rebalance recommendation comes before.
    pub recommendations_per_mille: u32,
    /// How long before the warning that recommendation comes. The warning waits for it: what is interrupted now is recommended
    /// for rebalancing now, and warned so much later.
    pub recommendation_before: RangeMs,
    /// How many of a thousand Spot instances are recommended for rebalancing, and stay.
    pub false_recommendations_per_mille: u32,
    /// How long after the machine runs that recommendation comes.
    pub false_recommendation_after: RangeMs,
}

impl Default for SpotSignals {
    fn default() -> Self {
        Self {
            warnings_lost_per_mille: 0,
            warnings_late_per_mille: 0,
            warning_lateness: RangeMs::new(5_000, 90_000),
            recommendations_per_mille: 0,
            recommendation_before: RangeMs::new(0, 300_000),
            false_recommendations_per_mille: 0,
            false_recommendation_after: RangeMs::new(300_000, 3_600_000),
        }
    }
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
            agent_drains_after: RangeMs::new(0, 0),
            signals: SpotSignals::default(),
        }
    }
}
