//! The deterministic simulated AWS: a seeded discrete-event model of Amazon ECS on Fargate and EC2, of EC2 Auto Scaling, CloudWatch,
//! the Spot markets, and their events.
//!
//! # Guaranteed
//! - The same [`Config`] and the same calls give the same world: same ids, same events, same times. Every random choice is drawn
//!   from the seed, a purpose, a subject and a number, so that one more service, task or event changes nothing about the others.
//! - The clock is virtual. It moves when [`World::advance_to`] says so, and by [`Config::api_latency_ms`] with each [`World::call`].
//!   Nothing sleeps, and nothing reads a clock of the computer's.
//! - What can be read and what is true are different things: [`World::call`] has rate buckets, faults and stale answers;
//!   [`World::state`], [`World::snapshot`] and [`World::account`] are the truth.
//! - Nothing in an event is from Ballast. The accounts alone know its tag `ballast:standby`, to count a pair as one.
//!
//! # Modelled
//! - Clusters with capacity providers and a default strategy; PutClusterCapacityProviders replaces all of it.
//! - Services: desired count, strategy or launch type, minimum and maximum percent, deployments with their rollout state, tags,
//!   target groups, scheduling strategy, deployment controller.
//! - Tasks: every status of their life-cycle, with drawn times, versions, stop codes, health; readable for an hour after their stop.
//! - Pools: how many tasks a provider holds in a zone, over time. Where a Spot pool shrinks below its use, tasks are chosen and
//!   interrupted: event and SIGTERM at once, the end after the notice or the stop timeout, whichever is shorter.
//! - The service scheduler: base first, then weights; zones spread; retries with growing waits; never another provider than the
//!   strategy's; launch rates of Fargate; replacement of unhealthy tasks; deployments within minimum and maximum percent.
//! - Events: task state changes, placement failures, steady states (again and again), deployments. They may come twice, late, in
//!   another order, or from best-effort sources never.
//! - EC2 Auto Scaling groups: see [`autoscaling`]. EC2 instances: pools by type, zone and market over time, launch, boot,
//!   interruption with its warning, shut-down, quotas of vCPUs, state changes as events ([`Ec2Times`]).
//! - CloudWatch: metrics of a minute each, alarms M out of N with their events, and scaling policies as their actions ([`Alarm`],
//!   [`TargetTracking`]).
//! - Container instances: registration, attributes, remaining resources, draining; placement strategies and constraints; daemon
//!   services, standalone tasks, task protection; ECS's managed scaling, termination protection and draining. A provider that was
//!   declared with [`World::declare_group`] is a pool of task slots instead.
//! - Application Auto Scaling as far as it can be read: that a service is a scalable target.
//!
//! # Assumed
//! AWS does not document how a strategy's ratio is rounded (here: see [`split()`]), how often the scheduler retries
//! ([`SchedulerTimes`]), how long starts and stops take ([`StartUp`], [`Stop`]), which task a scale-in takes (here: what does not
//! run yet, then the fullest zone, then the instance with the most of them, then the newest, and the strategy's base is kept) and the rates of the Auto Scaling APIs
//! ([`Category`]), how long instances take ([`Ec2Times`]), how far back an alarm looks for missing data, and what [`autoscaling`]
//! names. On container instances: room that appears wakes the scheduler; a draining instance's tasks are replaced as an older
//! deployment's are; a placement failure names at most 100 instances and the reason that most of them have; which memory a type
//! registers ([`shapes()`]); a task stops waiting in PROVISIONING after 10 to 30 minutes; the texts of stops that ECS does not document.
//! An interrupted task serves until it is killed: its container makes full use of its stop timeout.
//!
//! # Absent
//! The newer daemon resources of ECS (CreateDaemon and its like; services with the DAEMON strategy are there), ECS Managed Instances,
//! StartTask, external instances, tags of tasks, capacity providers and container instances but at their making.
//! Task sets (an EXTERNAL service gets no tasks), circuit breakers and rollbacks, Availability Zone rebalancing of services, load
//! balancers' health, service quotas other than the desired count, image pulls that fail and tasks that crash, IAM, prices of what
//! runs. What [`autoscaling`] names. Metric math, composite and anomaly alarms, resolutions below a minute, percentiles, alarm actions
//! other than scaling policies, and the metrics that AWS itself publishes, but for those of managed scaling. Regions: one world is one
//! Region, and the Region of a request is not checked. Refusing a task definition that nobody registered: CreateService and
//! UpdateService register it themselves, where AWS answers `ClientException`.

mod account;
mod api;
pub mod autoscaling;
mod cloudwatch;
mod config;
mod delivery;
mod dice;
mod ec2;
mod ecs;
mod ecs_hooks;
mod error;
mod events;
pub mod face;
mod faults;
mod instance_account;
mod life;
mod operation;
pub mod pattern;
mod pool;
mod scheduler;
mod spec;
mod split;
mod state;
mod timeline;
mod truth;
mod workshop_ec2;
mod world;

pub use account::{Account, Accounts};
pub use api::*;
pub use autoscaling::GroupSpec;
pub use config::{AgentFlaps, Config, Delivery, RangeMs, SchedulerTimes, StartUp, Stop};
pub use delivery::{Delivered, GUARANTEED_SOURCES, Message};
pub use ec2::{
    BillKey, Ec2Times, HealthNotice, HealthStatus, InstancePool, InstancePoolKey,
    InterruptionAction, SpotSignals,
};
pub use ecs::{
    BinpackBy, Constraint, InstanceShape, Lack, MANAGED_DRAINING_HOOK, Needs,
    PROTECTION_MINUTES_DEFAULT, PlaceStrategy, PlacementError, Resources, shapes,
};
pub use error::ApiError;
pub use faults::{Fault, FaultRule, Faults};
pub use instance_account::InstanceAccount;
pub use operation::{Api, Category, Operation};
pub use pool::{Pool, PoolKey};
pub use spec::{ServiceSpec, line};
pub use split::split;
pub use state::{
    ACTIVITIES_MAX, Activity, ActivityStatus, Adjustment, Alarm, AlarmState, Allocation, Capacity,
    CapacityProvider, Cluster, Comparison, ContainerInstance, ContainerInstanceStatus,
    DEREGISTRATION_DELAY_DEFAULT_SECS, Datapoint, Deployment, Distribution,
    GLOBAL_TIMEOUT_MAX_SECS, Group, GroupProvider, GroupTag, HEALTH_CHECK_INTERVAL_DEFAULT_SECS,
    HEALTHY_THRESHOLD_DEFAULT, HEARTBEAT_TIMEOUT_DEFAULT_SECS, HEARTBEAT_TIMEOUT_SECS, Hook,
    HookResult, Instance, LaunchOverride, LaunchSpec, LaunchTemplate, Lifecycle, LoadBalancer,
    MachineState, ManagedScaling, MetricKey, MissingData, MixedInstances, NetworkMode, Policy,
    PolicyKind, Process, STOP_TIMEOUT_DEFAULT_SECS, STOP_TIMEOUT_MAX_SECS, ScalableTarget,
    ScheduledAction, Service, SimpleScaling, State, Statistic, Step, StepScaling, Target,
    TargetGroup, TargetState, TargetTracking, Task, TaskDefinition, Transition,
    UNHEALTHY_THRESHOLD_DEFAULT,
};
pub use timeline::{Entry, Timeline};
pub use workshop_ec2::{SPOT_TYPES, ScaledBy, WorkshopEc2};
pub use world::World;
