//! What was observed of tracked services.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AutoScalingGroupName, CapacityProviderName, ServiceKey};
use crate::settings::SettingFault;
use crate::snapshot::{Gap, PassedOver, Service, Standby};
use crate::tracking::key::TrackingKey;
use crate::tracking::policy::TrackingPolicy;
use crate::tracking::readings::{Reading, Series};
use crate::tracking::target::TargetName;
use crate::units::Seconds;

/// One consistent-as-possible look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackingSnapshot {
    /// The latest time that AWS's own answers gave.
    pub taken_at: Timestamp,
    /// The tracked services, each with its standby.
    pub fleets: BTreeMap<TrackingKey, Fleet>,
    /// The services that were looked at and are not tracked. A standby is not tracked: its primary is.
    pub passed_over: BTreeMap<ServiceKey, PassedOver>,
    /// What could not be observed and belongs to no single service.
    pub gaps: Vec<Gap>,
}

/// A tracked service, and the standby that serves beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    /// The tracked service. Its tasks are not listed: ECS's own counts are enough to track a metric, and cost two calls less.
    pub primary: Service,
    /// The standby that its tag `ballast:standby` names; `None` where it has no such tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby: Option<Standby>,
    /// Its tags, read; or everything that is wrong with them.
    pub policy: Result<TrackingPolicy, Vec<SettingFault>>,
    /// What was measured, for each target of the policy.
    pub readings: BTreeMap<TargetName, Reading>,
    /// How many tasks ran, over time: the sample count of each service's `CPUUtilization`, in thousandths of a task.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/viewing-cloudwatch-metrics.html>
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task_counts: Vec<Series>,
    /// The same, of the days before, where a forecast is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub season_task_counts: Vec<Series>,
    /// How often ECS publishes the services' metrics: what the policy says, 60 seconds where it has faults.
    #[serde(rename = "resolution_secs")]
    pub resolution: Seconds,
    /// The Auto Scaling groups under it, by the provider that places its tasks there. Read only where tasks are missing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<CapacityProviderName, GroupLimit>,
    /// What could not be observed about this service. While this is not empty, the desired count is not lowered.
    pub gaps: Vec<Gap>,
}

/// How far an Auto Scaling group is from its maximum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupLimit {
    /// The group.
    pub group: AutoScalingGroupName,
    /// Its desired capacity.
    pub desired_capacity: u32,
    /// Its maximum size.
    pub max_size: u32,
}
