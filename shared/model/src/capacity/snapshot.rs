//! What was observed of EC2 capacity, at one time, with its gaps named.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::capacity::key::ProviderKey;
use crate::capacity::policy::GroupPolicy;
use crate::capacity::resources::{HostPort, Resources};
use crate::ids::{
    AutoScalingGroupName, AvailabilityZone, CapacityProviderName, ClusterName,
    ContainerInstanceArn, DeploymentId, InstanceId, InstanceType, ServiceName, TaskArn,
    TaskDefinitionArn,
};
use crate::settings::SettingFault;
use crate::snapshot::{Gap, Scheduling, ServiceStatus, TaskStatus};
use crate::strategy::{Market, StrategyItem};
use crate::units::Seconds;

/// One consistent-as-possible look at the EC2 capacity of clusters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacitySnapshot {
    /// The time of AWS's first answer: everything seen is at least as young.
    pub taken_at: Timestamp,
    /// The clusters that hold an opted-in provider.
    pub clusters: BTreeMap<ClusterName, ClusterCapacity>,
    /// The Auto Scaling group and Managed Instances providers that were looked at and are not looked after. Fargate's are not listed.
    pub passed_over: BTreeMap<ProviderKey, ProviderPassedOver>,
    /// What could not be observed and belongs to no single cluster. While this is not empty, some clusters may be missing.
    pub gaps: Vec<Gap>,
}

impl CapacitySnapshot {
    /// The opted-in providers, with the cluster that each is in, in the order of their keys.
    pub fn providers(&self) -> impl Iterator<Item = (&ClusterCapacity, &Provider)> {
        self.clusters.values().flat_map(|cluster| {
            cluster
                .providers
                .values()
                .map(move |provider| (cluster, provider))
        })
    }
}

/// Why a provider that was looked at is not looked after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum ProviderPassedOver {
    /// Its group does not carry `ballast:cluster-scaler`.
    NotOptedIn,
    /// It is over ECS Managed Instances, which AWS sizes itself.
    ManagedInstances,
    /// AWS says that its group does not exist.
    GroupNotFound {
        /// The group that the provider names.
        group: String,
    },
    /// It, or its group, could not be read, so that it is not known whether it is opted in.
    Unread {
        /// What failed.
        gap: Gap,
    },
}

impl ProviderPassedOver {
    /// What failed, where it could not be read.
    #[must_use]
    pub const fn gap(&self) -> Option<&Gap> {
        match self {
            Self::Unread { gap } => Some(gap),
            Self::NotOptedIn | Self::ManagedInstances | Self::GroupNotFound { .. } => None,
        }
    }
}

/// A cluster, as far as its EC2 capacity is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterCapacity {
    /// Its name.
    pub cluster: ClusterName,
    /// The strategy of services and tasks that name none.
    pub default_strategy: Vec<StrategyItem>,
    /// The opted-in providers.
    pub providers: BTreeMap<CapacityProviderName, Provider>,
    /// Every container instance, those of other providers and of none included.
    pub instances: BTreeMap<ContainerInstanceArn, ContainerInstance>,
    /// Every task that is on one of the instances, or waits for one; in the order of their ARNs. Tasks on Fargate are left out.
    pub tasks: Vec<InstanceTask>,
    /// Every service whose tasks may run on EC2.
    pub services: BTreeMap<ServiceName, CapacityService>,
    /// What the tasks and services above run.
    pub task_definitions: BTreeMap<TaskDefinitionArn, TaskShape>,
    /// What could not be observed in this cluster. While this is not empty, nothing is removed in it.
    pub gaps: Vec<Gap>,
}

/// An Auto Scaling group capacity provider that is opted in.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProvider.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Cluster and name.
    pub key: ProviderKey,
    /// ECS's own managed scaling, as the provider sets it. `None` where the answer says nothing.
    pub managed_scaling: Option<ManagedScaling>,
    /// Whether ECS sets scale-in protection on instances with tasks.
    pub managed_termination_protection: bool,
    /// Whether ECS drains instances that are going away.
    pub managed_draining: bool,
    /// The other clusters that Ballast looks after and that the provider is associated with as well, those out of the scope included.
    pub other_clusters: BTreeSet<ClusterName>,
    /// Its group.
    pub group: Group,
    /// The group's tags, read; or everything that is wrong with them.
    pub policy: Result<GroupPolicy, Vec<SettingFault>>,
    /// What could not be observed about this provider and its group. While this is not empty, nothing is removed.
    pub gaps: Vec<Gap>,
}

/// What a provider says about ECS's own managed scaling.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ManagedScaling.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedScaling {
    /// Whether it is ENABLED.
    pub enabled: bool,
    /// The target, in percent.
    pub target_capacity_percent: Option<u32>,
    /// The fewest instances of one step.
    pub minimum_scaling_step_size: Option<u32>,
    /// The most instances of one step.
    pub maximum_scaling_step_size: Option<u32>,
    /// How long a new instance is warming up.
    #[serde(rename = "instance_warmup_period_secs")]
    pub instance_warmup_period: Option<Seconds>,
}

/// An Auto Scaling group. <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AutoScalingGroup.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: AutoScalingGroupName,
    /// The fewest instances.
    pub min_size: u32,
    /// The most instances.
    pub max_size: u32,
    /// The instances asked for, unless [`Self::desired_capacity_type`] says otherwise.
    pub desired_capacity: u32,
    /// What the desired capacity, the minimum and the maximum count.
    #[serde(default, skip_serializing_if = "DesiredCapacityType::counts_instances")]
    pub desired_capacity_type: DesiredCapacityType,
    /// The zones that it launches in.
    pub zones: BTreeSet<AvailabilityZone>,
    /// The types that it may launch.
    pub types: GroupTypes,
    /// How its capacity is bought. `Unknown`: a part of each, or it could not be found out.
    pub market: Market,
    /// Its instances, those on their way in and out included.
    pub instances: BTreeMap<InstanceId, GroupInstance>,
    /// The suspended processes, such as `Launch` or `Terminate`.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html>
    pub suspended_processes: BTreeSet<String>,
    /// Whether new instances are protected from scale-in.
    pub new_instances_protected: bool,
    /// The dynamic and predictive scaling policies that are switched on, by name.
    pub scaling_policies: BTreeSet<String>,
    /// The scheduled actions, by name.
    pub scheduled_actions: BTreeSet<String>,
    /// Whether it keeps a warm pool.
    pub has_warm_pool: bool,
    /// Whether it is being deleted.
    pub is_deleting: bool,
    /// What it did lately: launches that are under way or failed, newest first. Bounded by `observe`.
    pub activities: Vec<Activity>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What a group's desired capacity counts. Only a group that asks for attributes may count anything but instances.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AutoScalingGroup.html>
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DesiredCapacityType {
    /// `units`, which is also what none means: instances, or the units of their weights.
    #[default]
    Units,
    /// `vcpu`, `memory-mib`, or a word that this version does not know: anything but instances.
    Other {
        /// AWS's word.
        name: String,
    },
}

impl DesiredCapacityType {
    /// Whether it counts instances, as long as none has a weight.
    #[must_use]
    pub const fn counts_instances(&self) -> bool {
        match self {
            Self::Units => true,
            Self::Other { .. } => false,
        }
    }
}

/// The instance types that a group may launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "types", rename_all = "snake_case")]
pub enum GroupTypes {
    /// The overrides of its mixed-instances policy, in their order; or the type of its launch configuration; or what its tag
    /// `ballast:instance-types` names.
    Listed {
        /// The types.
        choices: Vec<TypeChoice>,
    },
    /// Its launch template names the type, which only EC2 can tell: the types of its instances, so far as there are any.
    InLaunchTemplate,
    /// It asks for attributes instead of naming types.
    ByRequirements,
}

/// One type that a group may launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeChoice {
    /// The type.
    pub instance_type: InstanceType,
    /// How many units of the desired capacity such an instance counts, where the group uses weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighted_capacity: Option<u32>,
}

/// An instance in a group.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Instance.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupInstance {
    /// Its id.
    pub id: InstanceId,
    /// Its type, where the answer tells it.
    pub instance_type: Option<InstanceType>,
    /// Its zone.
    pub zone: AvailabilityZone,
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
    /// Whether the group takes it for healthy.
    pub is_healthy: bool,
    /// Whether it is protected from scale-in.
    pub protected_from_scale_in: bool,
    /// When the group began to launch it, where an activity tells it.
    pub launched_at: Option<Timestamp>,
}

/// Where an instance is in its life in the group.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// `Pending`, `Pending:Wait`, `Pending:Proceed`: on its way in.
    Pending,
    /// `InService`.
    InService,
    /// `EnteringStandby`, `Standby`: it counts for nothing until somebody puts it back.
    Standby,
    /// `Terminating`, `Terminating:Wait`, `Terminating:Proceed`, `Terminated`: on its way out.
    Terminating,
    /// `Detaching`, `Detached`: no longer the group's.
    Detaching,
    /// In the warm pool (`Warmed:…`): it counts for nothing.
    Warmed,
    /// A state that this version does not know.
    Unknown,
}

/// A scaling activity: a launch that is under way, or one that failed.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Activity.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Its id.
    pub id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// AWS's own word for its status, such as `Failed`.
    pub status: String,
    /// AWS's own words for what went wrong; cut at 512 characters. Empty when nothing did.
    pub status_message: String,
    /// What it did, such as `Launching a new EC2 instance`; cut at 256 characters.
    pub description: String,
    /// The zone, where it names one.
    pub zone: Option<AvailabilityZone>,
}

/// A container instance.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerInstance.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerInstance {
    /// Its ARN.
    pub arn: ContainerInstanceArn,
    /// The EC2 instance; an external instance has none.
    pub ec2_instance: Option<InstanceId>,
    /// The provider that it belongs to.
    pub provider: Option<CapacityProviderName>,
    /// Its status.
    pub status: ContainerInstanceStatus,
    /// Whether its agent is connected. It disconnects and connects again several times an hour.
    pub agent_connected: bool,
    /// The version of its agent, such as `1.82.0`, where ECS tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<String>,
    /// When it registered.
    pub registered_at: Option<Timestamp>,
    /// What it registered. The network interfaces are those that tasks may use; 0 where its type is not known.
    pub registered: Resources,
    /// What is left of that, by ECS's own account.
    pub remaining: Resources,
    /// The host ports that are taken.
    pub host_ports: BTreeSet<HostPort>,
    /// Its attributes, built-in ones included; an attribute may have no value.
    pub attributes: BTreeMap<String, Option<String>>,
    /// Its type, from its attributes.
    pub instance_type: Option<InstanceType>,
    /// Its zone, from its attributes.
    pub zone: Option<AvailabilityZone>,
    /// Whether ECS reports its health as IMPAIRED.
    pub is_impaired: bool,
}

/// A container instance's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ContainerInstanceStatus {
    /// It is being registered.
    Registering,
    /// It takes tasks.
    Active,
    /// It takes no more tasks.
    Draining,
    /// It is being deregistered.
    Deregistering,
    /// It could not be registered.
    RegistrationFailed,
    /// It is gone.
    Inactive,
    /// A status that this version does not know.
    Unknown,
}

/// A task on an instance, or waiting for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceTask {
    /// Its ARN.
    pub arn: TaskArn,
    /// The instance that it is on; a task that waits for one has none.
    pub instance: Option<ContainerInstanceArn>,
    /// The provider that it was given; `None` with a launch type: it occupies capacity and moves none.
    pub provider: Option<CapacityProviderName>,
    /// The service that it belongs to; a standalone task has none.
    pub service: Option<ServiceName>,
    /// Whether it is a daemon's: of a service with DAEMON scheduling, or of a daemon resource. Reserved on every instance.
    pub is_daemon: bool,
    /// Where it is in its life.
    pub last_status: TaskStatus,
    /// Whether it is to run (`true`) or to stop (`false`).
    pub desired_running: bool,
    /// What it runs.
    pub task_definition: TaskDefinitionArn,
    /// What it takes, overrides included.
    pub needs: Resources,
    /// Until when it is protected from scale-in. `Some(None)`: it is not. `None`: not known; it was not asked for, or not answered.
    pub protected_until: Option<Option<Timestamp>>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it became RUNNING.
    pub started_at: Option<Timestamp>,
}

/// A service whose tasks may run on EC2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityService {
    /// Its name.
    pub name: ServiceName,
    /// Its status.
    pub status: ServiceStatus,
    /// REPLICA or DAEMON.
    pub scheduling: Scheduling,
    /// The tasks asked for; of no meaning for a daemon.
    pub desired_count: u32,
    /// ECS's own count of RUNNING tasks.
    pub running_count: u32,
    /// ECS's own count of tasks on their way.
    pub pending_count: u32,
    /// Its capacity provider strategy; empty with a launch type.
    pub strategy: Vec<StrategyItem>,
    /// Its deployments, the primary one first.
    pub deployments: Vec<DeploymentTarget>,
    /// Its placement constraints; those of the task definition come on top.
    pub constraints: Vec<Constraint>,
    /// Its placement strategies, in their order.
    pub placement: Vec<Placement>,
    /// In percent of the desired count; rounds up.
    pub minimum_healthy_percent: u32,
    /// In percent of the desired count; rounds down.
    pub maximum_percent: u32,
    /// How many tasks more than it has must find room at any time (tag `ballast:headroom-tasks`), or what is wrong with the tag.
    pub headroom_tasks: Result<u32, Vec<SettingFault>>,
    /// When ECS last could not place one of its tasks for lack of resources on instances, by the service's own log.
    pub placement_failed_at: Option<Timestamp>,
}

impl CapacityService {
    /// Whether a deployment is running: an older one is still there, or the newest is not rolled out.
    #[must_use]
    pub fn deployment_running(&self) -> bool {
        self.deployments.len() > 1 || self.deployments.iter().any(|it| it.in_progress)
    }
}

/// A deployment of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentTarget {
    /// Its id.
    pub id: DeploymentId,
    /// Whether this is the newest one (`PRIMARY`).
    pub is_primary: bool,
    /// Whether ECS is still rolling it out.
    pub in_progress: bool,
    /// What its tasks run.
    pub task_definition: TaskDefinitionArn,
    /// The tasks that it is to have.
    pub desired_count: u32,
    /// Its strategy; empty with a launch type.
    pub strategy: Vec<StrategyItem>,
}

/// What a task definition asks of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskShape {
    /// What one task takes. With the network mode `awsvpc` one network interface.
    pub needs: Resources,
    /// The host ports that one task takes. With the network mode `awsvpc` none.
    pub host_ports: BTreeSet<HostPort>,
    /// Its placement constraints.
    pub constraints: Vec<Constraint>,
    /// The attributes that an instance must have (`requiresAttributes`), with the value where one is required.
    pub required_attributes: BTreeMap<String, Option<String>>,
}

/// A placement constraint.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Constraint {
    /// Each task of the service on another instance.
    DistinctInstance,
    /// Only on instances that the expression, in the cluster query language, holds for.
    MemberOf {
        /// The expression, as it was given.
        expression: String,
    },
    /// A constraint that this version does not know.
    Other {
        /// AWS's name for it.
        name: String,
    },
}

/// A placement strategy.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-strategies.html>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Placement {
    /// Evenly over the values of a field, such as `attribute:ecs.availability-zone` or `instanceId`.
    Spread {
        /// The field.
        field: String,
    },
    /// Onto the instance with the least of a resource left.
    Binpack {
        /// `cpu` or `memory`.
        field: String,
    },
    /// Anywhere.
    Random,
    /// A strategy that this version does not know.
    Other {
        /// AWS's name for it.
        name: String,
    },
}
