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
//!   load balancers, health check grace period, scheduling strategy, deployment controller.
//! - Target groups that were declared with [`World::declare_target_group`]: a task is registered when it runs, counts as healthy when
//!   its target is (the first check one interval after the registration), is replaced when its target fails after the grace period,
//!   and is deregistered before it stops: DEACTIVATING for the deregistration delay, then SIGTERM, then up to the longest stop timeout
//!   of its containers. A machine that goes takes what is left with it, whatever it waits for.
//! - Agents that lose their connection ([`AgentFlaps`], [`World::set_agent_connected`]): starts and stops on their instance wait until
//!   they are back, and nothing is told meanwhile.
//! - Tasks: every status of their life-cycle, with drawn times, versions, stop codes, health; readable for an hour after their stop.
//! - Pools: how many tasks a provider holds in a zone, over time. Where a Spot pool shrinks below its use, tasks are chosen and
//!   interrupted: event and SIGTERM at once, the end after the notice or the stop timeout, whichever is shorter.
//! - The service scheduler: base first, then weights; zones spread; retries with growing waits; never another provider than the
//!   strategy's; launch rates of Fargate; replacement of unhealthy tasks; deployments within minimum and maximum percent.
//! - Events: task state changes, placement failures, steady states (again and again), deployments. They may come twice, late, in
//!   another order, or from best-effort sources never.
//! - EC2 Auto Scaling groups: see [`autoscaling`]. EC2 instances: pools by type, zone and market over time, launch, boot,
//!   interruption with its warning, shut-down, stop and start, quotas of vCPUs, state changes as events ([`Ec2Times`]).
//! - What is said of instances that go away: Spot's warnings, which may be lost or late, and its rebalance recommendations, with or
//!   without an interruption ([`SpotSignals`]); storms ([`World::interrupt_group`]); warnings of capacity reservations, and
//!   retirements by AWS Health ([`World::retire_instances`]). Whatever is said, or heard, EC2 takes what it takes on time.
//! - Who drains them: the agent where its launch template says so ([`World::set_spot_instance_draining`]), and managed draining as soon
//!   as it hears of the warning, or of its lifecycle hook. On a recommendation alone ECS does nothing.
//! - CloudWatch: metrics with the resolutions and the retention that it has, metric math, pages and percentiles of GetMetricData; alarms
//!   M out of N on a metric or an expression, composite alarms, their events, and functions and scaling policies as their actions
//!   ([`Alarm`], [`CompositeAlarm`], [`TargetTracking`]).
//! - What lies between a rule and a function, for whoever drives the world: see [`queue`].
//! - Load on services over time, who serves it, and what the metrics of ECS and of load balancers tell of it: see [`load`].
//! - Container instances: registration, attributes, remaining resources, draining; placement strategies and constraints; daemon
//!   services, standalone tasks, task protection; ECS's managed scaling, termination protection and draining. One that left can be
//!   described for an hour, as INACTIVE; one whose machine is stopped stays registered, without its agent. A provider that was
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
//! An interrupted task serves until it is killed: its container makes full use of its stop timeout. A task with a declared target
//! group serves while its target is healthy; a new target is healthy after as many good checks as the healthy threshold says, and an
//! interrupted Fargate task is deregistered when it is killed. How often agents lose their connection, and for how long, is unpublished.
//! An agent always learns of a warning from its machine, also one that comes up after it; a warning that EventBridge never hears of
//! never reaches managed draining. UpdateContainerInstancesState answers `INACTIVE` for what is neither ACTIVE nor DRAINING.
//!
//! # Absent
//! The newer daemon resources of ECS (CreateDaemon and its like; services with the DAEMON strategy are there), ECS Managed Instances,
//! StartTask, external instances, tags of tasks, capacity providers and container instances but at their making.
//! Task sets (an EXTERNAL service gets no tasks), circuit breakers and rollbacks, Availability Zone rebalancing of services, requests
//! that load balancers wait for (a target drains for the whole delay), health checks of target groups that nobody declared (a task has no target
//! there, and its DEACTIVATING is [`Stop::deactivating_with_targets`]), Classic Load Balancers, service quotas other than the desired count, image pulls that fail and tasks that crash, IAM, prices of what
//! runs. What [`autoscaling`] and [`load`] name. Anomaly alarms, Metrics Insights, the rarer functions of metric math, units, alarm actions
//! other than functions and scaling policies, and the metrics that AWS itself publishes, but for those of managed scaling and of load.
//! DescribeServiceRevisions, which alone shows a service's monitoring configuration. Regions: one world is one Region, and the Region of a request is not checked. Refusing a task definition that nobody registered: CreateService and
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
pub mod load;
mod operation;
pub mod pattern;
mod pool;
pub mod queue;
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
    ACTIVITIES_MAX, Activity, ActivityStatus, Adjustment, Alarm, AlarmActions, AlarmState,
    AlarmStatus, Allocation, Capacity, CapacityProvider, Cluster, Comparison, CompositeAlarm,
    ContainerInstance, ContainerInstanceStatus, DEREGISTRATION_DELAY_DEFAULT_SECS, Datapoint,
    Deployment, Distribution, FIVE_MINUTES_KEPT_SECS, GLOBAL_TIMEOUT_MAX_SECS, Group,
    GroupProvider, GroupTag, HEALTH_CHECK_INTERVAL_DEFAULT_SECS, HEALTHY_THRESHOLD_DEFAULT,
    HEARTBEAT_TIMEOUT_DEFAULT_SECS, HEARTBEAT_TIMEOUT_SECS, HOURS_KEPT_SECS, Hook, HookResult,
    Instance, LaunchOverride, LaunchSpec, LaunchTemplate, Lifecycle, LoadBalancer,
    MINUTES_KEPT_SECS, MachineState, ManagedScaling, MetricConfiguration, MetricKey, MetricQuery,
    MetricStat, MissingData, MixedInstances, NetworkMode, Policy, PolicyKind, Process, QuerySource,
    SECONDS_KEPT_SECS, STOP_TIMEOUT_DEFAULT_SECS, STOP_TIMEOUT_MAX_SECS, ScalableTarget,
    ScheduledAction, Series, Service, SimpleScaling, Stat, State, Statistic, Step, StepScaling,
    Target, TargetGroup, TargetState, TargetTracking, Task, TaskDefinition, Transition,
    UNHEALTHY_THRESHOLD_DEFAULT, WarmPool, WarmPoolState, Watched,
};
pub use timeline::{Entry, Timeline};
pub use workshop_ec2::{SPOT_TYPES, ScaledBy, WorkshopEc2};
pub use world::World;
