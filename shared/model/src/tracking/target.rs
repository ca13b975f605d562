//! What is tracked: metrics and their targets.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::AlarmName;

/// Which of a service's targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetName {
    /// `AWS/ECS` `CPUUtilization`, in percent of what the tasks reserve.
    Cpu,
    /// `AWS/ECS` `MemoryUtilization`, in percent of what the tasks reserve.
    Memory,
    /// `AWS/ApplicationELB` `RequestCountPerTarget` of the service's target group: requests of a minute for each task. The one count of
    /// requests that AWS documents by target group alone; the load balancer's name is not known from the service.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>
    Requests,
    /// The metric, or metric math expression, that a CloudWatch alarm watches.
    Alarm,
}

impl TargetName {
    /// A stable name, for records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Requests => "requests",
            Self::Alarm => "alarm",
        }
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the value of a metric stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measures {
    /// Each task, on average: with more tasks the value falls. What AWS's target tracking asks of a metric.
    PerTask,
    /// The whole fleet: the value does not depend on the number of tasks, such as the length of a queue. The target is what one task is
    /// there for.
    Total,
}

/// A metric's target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The value that each task is to have, in thousandths of the metric's unit; more than 0.
    pub value_milli: i64,
    /// What the metric's value stands for.
    pub measures: Measures,
    /// The alarm that says which metric it is, for [`TargetName::Alarm`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<AlarmName>,
}
