//! What a group's tags leave to the provider: its own settings for ECS's managed scaling, also while that is DISABLED.

use model::Seconds;
use model::capacity::policy::WARM_UP_BOUNDS;
use model::capacity::{GroupPolicy, ManagedScaling, Provider};

/// The target where neither the tag nor the provider names one.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ManagedScaling.html>
pub const TARGET_PERCENT_DEFAULT: u32 = 100;
/// The fewest and the most instances of a scale-out where neither the tags nor the provider say.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ManagedScaling.html>
pub const STEP_DEFAULT: (u32, u32) = (1, 10_000);
/// The warm-up where neither the tag nor the provider names one.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ManagedScaling.html>
pub const WARM_UP_DEFAULT: Seconds = Seconds(300);

/// What of the policy follows the provider's own settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The reservation to keep, in percent.
    pub(crate) target_percent: u32,
    /// The fewest instances of one scale-out.
    pub(crate) step_min: u32,
    /// The most instances of one scale-out.
    pub(crate) step_max: u32,
    /// How long an instance may take to register.
    pub(crate) warm_up: Seconds,
}

impl Settings {
    pub(crate) fn new(policy: &GroupPolicy, provider: &Provider) -> Self {
        let own = provider.managed_scaling;
        let target = policy
            .target_capacity_percent
            .or_else(|| own?.target_capacity_percent)
            .unwrap_or(TARGET_PERCENT_DEFAULT);
        let step_max = policy
            .step_max
            .or_else(|| own?.maximum_scaling_step_size)
            .unwrap_or(STEP_DEFAULT.1)
            .max(1);
        let step_min = policy
            .step_min
            .or_else(|| own?.minimum_scaling_step_size)
            .unwrap_or(STEP_DEFAULT.0);
        Self {
            target_percent: target.clamp(1, 100),
            step_min: step_min.clamp(1, step_max),
            step_max,
            warm_up: policy.warm_up.unwrap_or_else(|| warm_up(own)),
        }
    }
}

/// The provider's own warm-up. ECS allows 0 to 10,000 seconds; an instance that may not even start would be bought twice.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ManagedScaling.html>
fn warm_up(own: Option<ManagedScaling>) -> Seconds {
    let own = own.and_then(|it| it.instance_warmup_period);
    let secs = own.unwrap_or(WARM_UP_DEFAULT).0;
    Seconds(secs.clamp(*WARM_UP_BOUNDS.start(), *WARM_UP_BOUNDS.end()))
}
