//! What was observed, at one time, with its gaps named.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::capacity::ContainerInstanceStatus;
use crate::drain::key::DrainKey;
use crate::ids::{
    AvailabilityZone, CapacityProviderName, ClusterName, ContainerInstanceArn, DeploymentId,
    InstanceId, ServiceKey, TaskArn, TaskDefinitionArn,
};
use crate::policy::PairPolicy;
use crate::settings::SettingFault;
use crate::strategy::{Market, StrategyItem};
use crate::units::Seconds;

/// One consistent-as-possible look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The latest time that AWS's own answers gave.
    pub taken_at: Timestamp,
    /// The pairs, by their primary.
    pub pairs: BTreeMap<ServiceKey, Pair>,
    /// The services that were looked at and are not part of a pair.
    pub passed_over: BTreeMap<ServiceKey, PassedOver>,
    /// What could not be observed and belongs to no single pair. While this is not empty, some pairs may be missing.
    pub gaps: Vec<Gap>,
}

/// Why a service that was looked at is not looked after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum PassedOver {
    /// It carries none of Ballast's tags.
    NotOptedIn,
    /// AWS says that it does not exist.
    NotFound,
    /// It could not be read, so that it is not known whether it is opted in.
    Unread {
        /// What failed.
        gap: Gap,
    },
    /// It carries `ballast:standby-of`, and the primary that the tag names does not make it its standby.
    StandbyWithoutPrimary {
        /// What its tag says, cut at 256 characters.
        primary: String,
        /// What is wrong with that primary.
        fault: PrimaryFault,
    },
}

impl PassedOver {
    /// What failed, where it could not be read.
    #[must_use]
    pub const fn gap(&self) -> Option<&Gap> {
        match self {
            Self::Unread { gap } => Some(gap),
            Self::NotOptedIn | Self::NotFound | Self::StandbyWithoutPrimary { .. } => None,
        }
    }
}

/// Why a standby's tag leads to no pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum PrimaryFault {
    /// The tag's value is no service's name.
    UnusableName,
    /// AWS says that there is no such service.
    NotFound,
    /// The service does not carry `ballast:standby`.
    NotOptedIn,
    /// The service's tag `ballast:standby` names another service.
    NamesAnother {
        /// What the tag says, cut at 256 characters.
        standby: String,
    },
}

impl std::fmt::Display for PrimaryFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnusableName => f.write_str("which is no service's name"),
            Self::NotFound => f.write_str("which does not exist"),
            Self::NotOptedIn => f.write_str("which does not carry the tag `ballast:standby`"),
            Self::NamesAnother { standby } => {
                write!(f, "whose tag `ballast:standby` names `{standby}`")
            }
        }
    }
}

/// A primary and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The primary.
    pub primary: Service,
    /// The standby that its tag names.
    pub standby: Standby,
    /// The primary's tags, read; or everything that is wrong with them.
    pub policy: Result<PairPolicy, Vec<SettingFault>>,
    /// What could not be observed about this pair. While this is not empty, nothing is given back.
    pub gaps: Vec<Gap>,
}

/// The standby of a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Standby {
    /// It was read.
    Present(Box<Service>),
    /// AWS says that there is no such service.
    Missing,
    /// It could not be read (a gap of the pair says why), or the tag that names it is unusable.
    Unknown,
}

/// How long a container may take to stop where its definition does not say.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>
pub const STOP_TIMEOUT_DEFAULT: Seconds = Seconds(30);

/// A service. <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Cluster and name.
    pub key: ServiceKey,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: ServiceStatus,
    /// When it was made, in whole milliseconds. A service that is deleted and made again keeps its name, and not this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// The number of tasks asked for.
    pub desired_count: u32,
    /// ECS's own count of RUNNING tasks. An interrupted task counts until it leaves RUNNING, so this proves nothing.
    pub running_count: u32,
    /// ECS's own count of tasks on their way.
    pub pending_count: u32,
    /// The task definition of the primary deployment.
    pub task_definition: TaskDefinitionArn,
    /// Where its tasks may run.
    pub capacity: Vec<ProviderShare>,
    /// `REPLICA` or `DAEMON`.
    pub scheduling: Scheduling,
    /// Who deploys it.
    pub controller: Controller,
    /// The deployments that ECS keeps.
    pub deployments: Vec<Deployment>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its tasks: those that are to run, and those that were told to stop and that ECS still lists.
    pub tasks: Vec<Task>,
    /// Whether every task that is to run is among `tasks`. While this is `false` (a gap of the pair says why), tasks that were not read
    /// are not taken for missing: ECS's own counts stand in for them.
    pub all_to_run_read: bool,
    /// How long its containers may take to stop after SIGTERM: the smallest `stopTimeout` of the task definition's essential
    /// containers, 30 seconds where a container sets none
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>). `None` where the task definition
    /// was not read; then 30 seconds are assumed. Read for the primary only (`ecs:DescribeTaskDefinition`; a revision never
    /// changes, so it may be kept between invocations).
    pub stop_timeout: Option<Seconds>,
    /// Whether Application Auto Scaling scales it. `None` where that could not be found out.
    pub scaled_by_application_auto_scaling: Option<bool>,
    /// What its own log says since its last steady state about tasks that no container instance took, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_placed: Vec<NotPlaced>,
}

/// A line of a service's own log: no container instance met all the requirements of a task.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotPlaced {
    /// When it was written, in whole milliseconds.
    pub at: Timestamp,
    /// What ECS says of the closest instance; cut at 256 characters, without control characters. What it is evidence of is decided in
    /// `placement`.
    pub text: String,
}

/// One place where a service's tasks may run: a line of its strategy, or its launch type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderShare {
    /// The strategy's line. For a launch type: base 0, weight 1 and the launch type's name as the provider's.
    pub item: StrategyItem,
    /// How that provider's capacity is bought.
    pub market: Market,
}

impl ProviderShare {
    /// Whether any task can go there: a line of base 0 and weight 0 places nothing.
    #[must_use]
    pub const fn places_tasks(&self) -> bool {
        self.item.base > 0 || self.item.weight > 0
    }
}

/// A service's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceStatus {
    /// It works.
    Active,
    /// It is being deleted.
    Draining,
    /// It was deleted.
    Inactive,
    /// A status that this version does not know.
    Other(String),
}

impl ServiceStatus {
    /// The word that AWS uses.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive => "INACTIVE",
            Self::Other(text) => text,
        }
    }
}

/// A service's scheduling strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Scheduling {
    /// As many tasks as the desired count says.
    Replica,
    /// One task on each instance.
    Daemon,
}

/// A service's deployment controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Controller {
    /// ECS's own deployments.
    Ecs,
    /// AWS CodeDeploy.
    CodeDeploy,
    /// Task sets, made by somebody else.
    External,
    /// A controller that this version does not know.
    Other(String),
}

impl Controller {
    /// The word that AWS uses.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ecs => "ECS",
            Self::CodeDeploy => "CODE_DEPLOY",
            Self::External => "EXTERNAL",
            Self::Other(text) => text,
        }
    }
}

/// A deployment of a service. <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Whether this is the newest one (`PRIMARY`).
    pub is_primary: bool,
    /// Whether ECS is still rolling it out.
    pub in_progress: bool,
}

impl Service {
    /// Whether a deployment is running: an older one is still there, or the newest is not rolled out.
    #[must_use]
    pub fn deployment_running(&self) -> bool {
        self.deployments.len() > 1 || self.deployments.iter().any(|it| it.in_progress)
    }
}

/// A task. <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its ARN.
    pub arn: TaskArn,
    /// Where it is in its life.
    pub last_status: TaskStatus,
    /// Whether it is to run (`true`) or to stop (`false`).
    pub desired_running: bool,
    /// What its container health checks say.
    pub health: Health,
    /// The provider that it runs on; `None` with a launch type.
    pub provider: Option<CapacityProviderName>,
    /// The task definition that it runs.
    pub task_definition: TaskDefinitionArn,
    /// Its zone, once known.
    pub zone: Option<AvailabilityZone>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it became RUNNING.
    pub started_at: Option<Timestamp>,
    /// When it was told to stop.
    pub stopping_at: Option<Timestamp>,
    /// When it was gone.
    pub stopped_at: Option<Timestamp>,
    /// Whether Spot took it (stop code `SpotInterruption` or `TerminationNotice`, or the reason says so).
    pub interrupted: bool,
    /// The container instance that it is on; none on Fargate, and before ECS has put it anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<ContainerInstanceArn>,
    /// That instance's status. Read of a primary's tasks on Spot instances only; `None` where it was not, or could not be, read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_status: Option<ContainerInstanceStatus>,
}

/// A task's last status, in the order of its life.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskStatus {
    /// Steps before the task can be launched.
    Provisioning,
    /// Waiting for resources or the agent.
    Pending,
    /// Steps between launch and running.
    Activating,
    /// Running.
    Running,
    /// Steps before it is stopped, such as leaving the load balancer.
    Deactivating,
    /// Its containers are being stopped.
    Stopping,
    /// Steps after it was stopped.
    Deprovisioning,
    /// Stopped.
    Stopped,
    /// A status that this version does not know.
    Unknown,
}

impl TaskStatus {
    /// The word that AWS uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What a task's health checks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Health {
    /// The checks pass.
    Healthy,
    /// The checks fail.
    Unhealthy,
    /// There are no checks, or no answer yet.
    Unknown,
}

/// Something that could not be observed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// The call that failed, such as `ecs:DescribeServices`.
    pub operation: String,
    /// What it was about: a service's key, a cluster's name, or `*`.
    pub resource: String,
    /// What kind of failure it was.
    pub cause: GapCause,
    /// The error as AWS or the network gave it, one line.
    pub detail: String,
}

/// What kind of failure left a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// The role lacks the permission.
    AccessDenied,
    /// AWS asked us to slow down, and went on asking.
    Throttled,
    /// There is no such cluster, table or group.
    NotFound,
    /// Our own budget of calls, or a bound on what one look takes, was used up.
    BudgetSpent,
    /// The invocation's time ran out.
    OutOfTime,
    /// No answer, or no readable one.
    Unreachable,
    /// Anything else.
    Other,
}

impl GapCause {
    /// A stable name, for metrics and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::Throttled => "throttled",
            Self::NotFound => "not_found",
            Self::BudgetSpent => "budget_spent",
            Self::OutOfTime => "out_of_time",
            Self::Unreachable => "unreachable",
            Self::Other => "other",
        }
    }
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            operation,
            resource,
            cause,
            detail,
        } = self;
        write!(
            f,
            "`{operation}` for `{resource}`: {} ({detail})",
            cause.as_str()
        )
    }
}

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every opted-in service of these clusters; an empty list means every cluster of the account and Region.
    Clusters(Vec<ClusterName>),
    /// Just the pairs that these services belong to, as primary or as standby.
    Services(std::collections::BTreeSet<ServiceKey>),
    /// Just these EC2 instances, and every instance of these groups.
    Departures {
        /// The instances.
        instances: std::collections::BTreeSet<InstanceId>,
        /// Instances of which ECS says that they drain or are gone, and nothing else is said: they are looked at where something waits for
        /// them, and else left to the schedule's look.
        draining: std::collections::BTreeSet<InstanceId>,
        /// The groups.
        groups: std::collections::BTreeSet<DrainKey>,
    },
}
