//! Scaling policies and scheduled actions of a group.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scale-based-on-demand.html>

use jiff::Timestamp;

use super::group::words;
use super::metric::{MetricKey, Statistic};

/// A scaling policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its ARN.
    pub arn: String,
    /// Whether it acts.
    pub enabled: bool,
    /// What it does.
    pub kind: PolicyKind,
}

/// What a scaling policy does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyKind {
    /// It keeps a metric at a target, with alarms of its own.
    TargetTracking(TargetTracking),
    /// It changes the capacity by the distance between a metric and its alarm's threshold.
    Step(StepScaling),
    /// It changes the capacity once, and waits for its cooldown.
    Simple(SimpleScaling),
}

/// A target tracking policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetTracking {
    /// What is tracked.
    pub metric: MetricKey,
    /// AWS's word for a predefined metric, which is shown instead of the metric itself.
    pub predefined: Option<String>,
    /// How datapoints of a minute are put together.
    pub statistic: Statistic,
    /// The value that the metric is to have, in thousandths.
    pub target_milli: i64,
    /// Whether it never scales in.
    pub disable_scale_in: bool,
    /// How long a new instance counts as warming up, in seconds. While one does, its group is not scaled in.
    pub instance_warmup_secs: u32,
    /// The alarm that scales out: how many minutes.
    pub high_minutes: u32,
    /// The alarm that scales in: how many minutes.
    pub low_minutes: u32,
    /// How far below the target the low alarm's threshold is, in percent of the target.
    pub low_threshold_percent: u32,
    /// The most that one step takes away, in percent of the capacity; at least one instance always goes.
    pub scale_in_max_percent: u32,
    /// How long the policy does not scale in after it scaled out, in seconds.
    pub scale_in_wait_secs: u32,
    /// Whether a warming instance stops a second scale-out altogether, as ECS managed scaling does.
    pub warmup_blocks_scale_out: bool,
    /// The names of the alarms that the policy made, high and low.
    pub alarms: Vec<String>,
}

words! {
    /// How an adjustment is meant.
    Adjustment {
        /// By so many.
        ChangeInCapacity = "ChangeInCapacity",
        /// To so many.
        ExactCapacity = "ExactCapacity",
        /// By so many percent.
        PercentChangeInCapacity = "PercentChangeInCapacity",
    }
}

/// A step scaling policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepScaling {
    /// How the adjustments are meant.
    pub adjustment: Adjustment,
    /// The steps.
    pub steps: Vec<Step>,
    /// How long a new instance counts as warming up, in seconds.
    pub instance_warmup_secs: u32,
}

/// A step: between two distances from the alarm's threshold, in thousandths of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// From here; `None` has no lower end.
    pub from_milli: Option<i64>,
    /// To here; `None` has no upper end.
    pub to_milli: Option<i64>,
    /// How much.
    pub by: i32,
}

/// A simple scaling policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimpleScaling {
    /// How the adjustment is meant.
    pub adjustment: Adjustment,
    /// How much.
    pub by: i32,
    /// How long nothing more happens, in seconds; `None` takes the group's default.
    pub cooldown_secs: Option<u32>,
}

/// A scheduled action.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScheduledAction {
    /// When it happens next.
    pub start_at: Option<Timestamp>,
    /// How it recurs, as a cron expression. It is only shown: an action of the world happens once.
    pub recurrence: Option<String>,
    /// The new minimum.
    pub min_size: Option<u32>,
    /// The new maximum.
    pub max_size: Option<u32>,
    /// The new desired capacity.
    pub desired_capacity: Option<u32>,
}
