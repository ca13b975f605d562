//! What can be read through the API: clusters, services, tasks, groups.
//!
//! It is one value that can be cloned, so that a stale read is a read of an older value.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use model::snapshot::{Controller, Health, Scheduling, TaskStatus};
use model::strategy::{Market, StrategyItem};
use model::{ClusterName, ServiceKey};

mod alarm;
mod capacity_provider;
mod container_instance;
mod group;
mod hook;
mod instance;
mod metric;
mod policy;
mod series;
mod target;
mod task_definition;
mod warm_pool;

pub use alarm::{
    Alarm, AlarmActions, AlarmState, AlarmStatus, Comparison, CompositeAlarm, MissingData, Watched,
};
pub use capacity_provider::{CapacityProvider, ManagedScaling};
pub use container_instance::{ContainerInstance, ContainerInstanceStatus};
pub use group::{
    ACTIVITIES_MAX, Activity, ActivityStatus, Allocation, Distribution, Group, GroupTag,
    LaunchOverride, LaunchSpec, MixedInstances, Process,
};
pub(crate) use hook::HookWait;
pub use hook::{
    GLOBAL_TIMEOUT_MAX_SECS, HEARTBEAT_TIMEOUT_DEFAULT_SECS, HEARTBEAT_TIMEOUT_SECS, Hook,
    HookResult, Transition,
};
pub use instance::{Instance, LaunchTemplate, Lifecycle, MachineState};
pub use metric::{Datapoint, MetricKey, MetricQuery, MetricStat, QuerySource, Stat, Statistic};
pub use policy::{
    Adjustment, Policy, PolicyKind, ScheduledAction, SimpleScaling, Step, StepScaling,
    TargetTracking,
};
pub(crate) use series::Sample;
pub use series::{
    FIVE_MINUTES_KEPT_SECS, HOURS_KEPT_SECS, MINUTES_KEPT_SECS, SECONDS_KEPT_SECS, Series,
};
pub use target::{
    DEREGISTRATION_DELAY_DEFAULT_SECS, HEALTH_CHECK_INTERVAL_DEFAULT_SECS,
    HEALTHY_THRESHOLD_DEFAULT, LoadBalancer, Target, TargetGroup, TargetState,
    UNHEALTHY_THRESHOLD_DEFAULT,
};
pub use task_definition::{
    NetworkMode, STOP_TIMEOUT_DEFAULT_SECS, STOP_TIMEOUT_MAX_SECS, TaskDefinition,
};
pub use warm_pool::{WarmPool, WarmPoolState};

use crate::ecs::{Constraint, Needs, PlaceStrategy};

/// The readable state of the world.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The clusters, by name.
    pub clusters: BTreeMap<ClusterName, Cluster>,
    /// The services, deleted ones included.
    pub services: BTreeMap<ServiceKey, Service>,
    /// The tasks, by id (the last part of the ARN), until an hour after they stopped.
    pub tasks: BTreeMap<String, Task>,
    /// The task definitions, by ARN.
    pub task_definitions: BTreeMap<String, TaskDefinition>,
    /// The declared capacity providers that are pools of task slots, by name.
    pub providers: BTreeMap<String, GroupProvider>,
    /// The capacity providers over Auto Scaling groups, by name.
    pub group_providers: BTreeMap<String, CapacityProvider>,
    /// The container instances, by id (the last part of the ARN). A deregistered one is gone.
    pub container_instances: BTreeMap<String, ContainerInstance>,
    /// The id of the container instance of each EC2 instance that has one.
    pub container_instance_of: BTreeMap<String, String>,
    /// The container instances that left, by id, each with when: they can be described for an hour.
    pub(crate) departed: BTreeMap<String, (Timestamp, ContainerInstance)>,
    /// The scalable targets of the namespace `ecs`, by resource id (`service/<cluster>/<service>`).
    pub scalable_targets: BTreeMap<String, ScalableTarget>,
    /// The declared target groups, by ARN.
    pub target_groups: BTreeMap<String, TargetGroup>,
    /// The launch templates, by name.
    pub launch_templates: BTreeMap<String, LaunchTemplate>,
    /// The Auto Scaling groups, by name.
    pub groups: BTreeMap<String, Group>,
    /// The EC2 instances, by id, until an hour after they were terminated.
    pub instances: BTreeMap<String, Instance>,
    /// The metrics: their datapoints.
    pub metrics: BTreeMap<MetricKey, Series>,
    /// The alarms on metrics, by name.
    pub alarms: BTreeMap<String, Alarm>,
    /// The composite alarms, by name.
    pub composite_alarms: BTreeMap<String, CompositeAlarm>,
}

/// A cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The associated capacity providers.
    pub providers: Vec<String>,
    /// The default strategy.
    pub default_strategy: Vec<StrategyItem>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A capacity provider over a declared Auto Scaling group: here a pool of task slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupProvider {
    /// The group's name.
    pub group: String,
    /// How its capacity is bought: on-demand only, or Spot.
    pub market: Market,
    /// The instance types of the mixed-instances policy.
    pub instance_types: Vec<String>,
}

/// How a service's tasks get their capacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capacity {
    /// A capacity provider strategy.
    Strategy(Vec<StrategyItem>),
    /// A launch type: `FARGATE` or `EC2`.
    LaunchType(String),
}

impl Capacity {
    /// Whether it is a strategy, and not a launch type.
    #[must_use]
    pub const fn is_strategy(&self) -> bool {
        matches!(self, Self::Strategy(_))
    }
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: &'static str,
    /// When it was made.
    pub created_at: Timestamp,
    /// The tasks asked for.
    pub desired_count: u32,
    /// `REPLICA` or `DAEMON`.
    pub scheduling: Scheduling,
    /// Who deploys it.
    pub controller: Controller,
    /// In percent of the desired count; rounds up. The default is 100.
    pub minimum_healthy_percent: u32,
    /// In percent of the desired count; rounds down. The default is 200.
    pub maximum_percent: u32,
    /// What is in front of it.
    pub load_balancers: Vec<LoadBalancer>,
    /// For how long after a task's start the scheduler ignores that its health checks fail, in seconds; `None` is AWS's default of 0.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>
    pub health_check_grace_period_secs: Option<u32>,
    /// Where its tasks may be placed, beside what the task definition says.
    pub placement_constraints: Vec<Constraint>,
    /// Where its tasks are rather placed, in order. None means spread over zones, then over instances.
    pub placement_strategy: Vec<PlaceStrategy>,
    /// At which resolution ECS publishes its metrics, where not by the minute.
    pub monitoring: Vec<MetricConfiguration>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The deployments, newest first; the first is the primary one.
    pub deployments: Vec<Deployment>,
    /// The ids of its tasks, stopped ones included while they are kept.
    pub tasks: BTreeSet<String>,
    /// What the service's own log says, newest first; at most 100.
    pub events: VecDeque<(Timestamp, String, String)>,
    /// How many tasks it ever had.
    pub(crate) tasks_made: u64,
    /// How many deployments and log lines it ever had.
    pub(crate) entries_made: u64,
    /// The last lines of its log that count something: when they were written, and what they count.
    pub(crate) counted: BTreeMap<(String, String), (Timestamp, u32)>,
    /// Where placing failed lately, by provider or launch type.
    pub(crate) backoff: BTreeMap<String, Backoff>,
    /// Whether it is in its steady state, and since when it said so.
    pub(crate) steady_since: Option<Timestamp>,
    /// Whether a look by the scheduler is due, and when.
    pub(crate) look_at: Option<Timestamp>,
}

impl Service {
    /// The ARNs of its target groups.
    pub fn target_groups(&self) -> impl Iterator<Item = &str> {
        let balancers = self.load_balancers.iter();
        balancers.filter_map(|it| it.target_group_arn.as_deref())
    }
}

/// At which resolution ECS publishes some of a service's metrics.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_MetricConfiguration.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricConfiguration {
    /// `CPUUtilization`, `MemoryUtilization`, or both.
    pub metric_names: Vec<String>,
    /// 20 or 60.
    pub resolution_secs: u32,
}

impl Service {
    /// At which resolution ECS publishes a metric of it, in seconds.
    #[must_use]
    pub fn resolution_secs(&self, metric: &str) -> u32 {
        let mut configurations = self.monitoring.iter();
        configurations
            .find(|it| it.metric_names.iter().any(|name| name == metric))
            .map_or(60, |it| it.resolution_secs)
    }
}

/// Failures to place in a row, at one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// How many.
    pub(crate) failures: u32,
    /// Before this time the scheduler does not try there again.
    pub(crate) retry_at: Timestamp,
    /// When the last event about it was sent.
    pub(crate) event_at: Option<Timestamp>,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// `ecs-svc/` and nineteen digits.
    pub id: String,
    /// The task definition's ARN.
    pub task_definition: String,
    /// Where its tasks run.
    pub capacity: Capacity,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Whether it is rolled out.
    pub completed: bool,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its ARN.
    pub arn: String,
    /// The cluster that it runs in.
    pub cluster: ClusterName,
    /// The service that it belongs to; `None` for a task of RunTask.
    pub service: Option<ServiceKey>,
    /// `service:` and the service's name, `family:` and the family's, or what RunTask was given.
    pub group: String,
    /// The id of the deployment that made it, or what RunTask was given as `startedBy`.
    pub deployment: String,
    /// Whether it is the task of a service with the DAEMON scheduling strategy.
    pub daemon: bool,
    /// What it reserves on its container instance.
    pub needs: Needs,
    /// The id of its container instance; `None` on Fargate, in a declared pool, and while it waits for an instance.
    pub container_instance: Option<String>,
    /// Whether it waits in PROVISIONING for an instance.
    pub waits_for_instance: bool,
    /// Until when it is protected from scale-in and deployments.
    pub protected_until: Option<Timestamp>,
    /// The overrides of RunTask, as they were given.
    pub overrides: Option<serde_json::Value>,
    /// The task definition's ARN.
    pub task_definition: String,
    /// The provider; `None` with a launch type.
    pub provider: Option<String>,
    /// `FARGATE` or `EC2`.
    pub launch_type: String,
    /// How its capacity is bought.
    pub market: Market,
    /// Its zone; empty while it waits for an instance.
    pub zone: String,
    /// Grows by one with every change.
    pub version: u64,
    /// Where it is in its life.
    pub last_status: TaskStatus,
    /// Whether it is to run.
    pub desired_running: bool,
    /// What its health checks say.
    pub health: Health,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it became RUNNING.
    pub started_at: Option<Timestamp>,
    /// When it was told to stop.
    pub stopping_at: Option<Timestamp>,
    /// When it was gone.
    pub stopped_at: Option<Timestamp>,
    /// Why it stops, as a code.
    pub stop_code: Option<&'static str>,
    /// Why it stops, as a text.
    pub stopped_reason: Option<String>,
    /// Its targets, by the ARN of their declared target group; empty before it runs.
    pub targets: BTreeMap<String, Target>,
    /// Counts the steps of its life; a step that was planned for an older count does not happen.
    pub(crate) step: u64,
    /// Whether it still takes a slot of its pool.
    pub(crate) holds_slot: bool,
    /// Whether Spot takes its slot back.
    pub(crate) reclaimed: bool,
}

impl Task {
    /// The id: the last part of the ARN.
    #[must_use]
    pub fn id(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or(&self.arn)
    }

    /// RUNNING, to run, and not UNHEALTHY, or RUNNING and about to be taken by Spot, and healthy in each declared target group: it
    /// serves.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.last_status == TaskStatus::Running
            && self.health != Health::Unhealthy
            && self.is_in_service()
    }

    /// Whether its targets in all declared target groups are healthy. A task without any is.
    #[must_use]
    pub fn is_in_service(&self) -> bool {
        let mut targets = self.targets.values();
        targets.all(|it| it.state == TargetState::Healthy)
    }

    /// Whether a deregistration of its targets is under way.
    #[must_use]
    pub fn is_deregistering(&self) -> bool {
        let mut targets = self.targets.values();
        targets.any(|it| it.state == TargetState::Draining)
    }

    /// Whether it is protected from scale-in and deployments at a time.
    #[must_use]
    pub fn is_protected(&self, at: Timestamp) -> bool {
        self.protected_until.is_some_and(|until| at < until)
    }

    /// Whether it is to run, or is on its way there.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.desired_running && self.last_status != TaskStatus::Stopped
    }
}

/// A scalable target of Application Auto Scaling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalableTarget {
    /// The smallest desired count.
    pub min_capacity: u32,
    /// The largest desired count.
    pub max_capacity: u32,
    /// When it was registered.
    pub created_at: Timestamp,
}

impl State {
    /// The tasks of a service, in the order of their ids.
    pub fn tasks_of(&self, key: &ServiceKey) -> impl Iterator<Item = &Task> {
        self.services
            .get(key)
            .into_iter()
            .flat_map(|it| it.tasks.iter())
            .filter_map(|id| self.tasks.get(id))
    }
}
