//! Target groups of load balancers, and their targets as the service scheduler sees them.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html>

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::group::words;

/// How long a deregistered target drains where a target group does not say, in seconds.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html>
pub const DEREGISTRATION_DELAY_DEFAULT_SECS: u32 = 300;
/// From one health check of a target to the next where a target group does not say, in seconds.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
pub const HEALTH_CHECK_INTERVAL_DEFAULT_SECS: u32 = 30;
/// Good health checks in a row that make a target healthy where a target group does not say.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
pub const HEALTHY_THRESHOLD_DEFAULT: u32 = 5;
/// Failed health checks in a row that make a target unhealthy where a target group does not say.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
pub const UNHEALTHY_THRESHOLD_DEFAULT: u32 = 2;

words! {
    /// What a load balancer says of a target.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
    TargetState {
        /// It is registered, and has not passed its first health checks.
        Initial = "initial",
        /// It gets requests.
        Healthy = "healthy",
        /// It has failed its health checks.
        Unhealthy = "unhealthy",
        /// It is deregistered: it gets no new requests, and those in flight may end.
        Draining = "draining",
        /// It is no longer in its target group.
        Gone = "gone",
    }
}

/// A target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its name.
    pub name: String,
    /// How long a deregistered target drains, in seconds (`deregistration_delay.timeout_seconds`).
    pub deregistration_delay_secs: u32,
    /// From one health check of a target to the next, in seconds. The first comes so long after the registration.
    pub health_check_interval_secs: u32,
    /// Good health checks in a row that make a target healthy.
    pub healthy_threshold: u32,
    /// Failed health checks in a row that make a target unhealthy.
    pub unhealthy_threshold: u32,
}

impl TargetGroup {
    /// A target group with the defaults of an Application Load Balancer.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            deregistration_delay_secs: DEREGISTRATION_DELAY_DEFAULT_SECS,
            health_check_interval_secs: HEALTH_CHECK_INTERVAL_DEFAULT_SECS,
            healthy_threshold: HEALTHY_THRESHOLD_DEFAULT,
            unhealthy_threshold: UNHEALTHY_THRESHOLD_DEFAULT,
        }
    }

    /// The same, with another deregistration delay, in seconds.
    #[must_use]
    pub const fn with_deregistration_delay_secs(mut self, secs: u32) -> Self {
        self.deregistration_delay_secs = secs;
        self
    }

    /// The same, with targets that are healthy after so many good checks in a row.
    #[must_use]
    pub const fn healthy_after(mut self, checks: u32) -> Self {
        self.healthy_threshold = checks;
        self
    }
}

/// A task's place in one target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What the load balancer says of it.
    pub state: TargetState,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// Since when its state is what it is.
    pub since: Timestamp,
    /// When it is gone, once it drains.
    pub drains_until: Option<Timestamp>,
    /// Whether it answers its health checks.
    pub(crate) answers: bool,
    /// Counts what decides its next state; a judgement that was planned for an older count does not happen.
    pub(crate) change: u64,
}

/// A load balancer of a service, as CreateService has it.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LoadBalancer.html>
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancer {
    /// The target group's ARN, with an Application or a Network Load Balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_group_arn: Option<String>,
    /// The name of a Classic Load Balancer. The world has none: it is only shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer_name: Option<String>,
    /// The container that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_name: Option<String>,
    /// The port that it answers on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_port: Option<u16>,
}

impl LoadBalancer {
    /// A target group in front of port 80 of the container `app`.
    #[must_use]
    pub fn over(target_group_arn: &str) -> Self {
        Self {
            target_group_arn: Some(target_group_arn.to_owned()),
            load_balancer_name: None,
            container_name: Some("app".to_owned()),
            container_port: Some(80),
        }
    }
}
