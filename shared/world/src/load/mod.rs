//! Load on services, over time: how many requests come, who serves them, how busy that makes the tasks, and which metrics tell.
//!
//! # Modelled
//! - A fleet ([`Fleet`]): one service, or several that share the load, such as a primary and its standby behind one target group. Its
//!   requests per minute are a [`LoadCurve`]; the ready tasks of all its services share them evenly.
//! - No queues: utilisation is the load over what the ready tasks can serve. What is above 100 % is counted as excess
//!   ([`LoadMinute::excess_requests`]), and so are the requests that come while the utilisation is above a limit
//!   ([`LoadMinute::over_limit_requests`]).
//! - ECS's `CPUUtilization` and `MemoryUtilization` by `ClusterName` and `ServiceName`, with one sample for each RUNNING task, so that
//!   `SampleCount` is their number; nothing where none runs.
//!   <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html>
//! - The load balancer's `RequestCountPerTarget` by `TargetGroup`, and by `LoadBalancer` and `TargetGroup`, and its `RequestCount` by
//!   both: the requests of the target group over its healthy targets, or over all that are registered while none is healthy. A minute
//!   without requests is 0 while the load balancer has requests for others ([`Fleet::shares_load_balancer`]), and has no datapoint
//!   otherwise; nor has one in which no target was registered.
//!   <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>
//! - Metrics of one's own ([`CustomMetric`]), which take as long to publish as those of AWS's services.
//! - A history that was there before the world began ([`History`]).
//! - Publishing that takes its time, and that leaves points out, brings them late or twice ([`Publishing`]).
//!
//! # Assumed
//! The load and the tasks are looked at three times a minute, as ECS collects its data, and a task's sample of a minute is the mean
//! of its looks. A service whose metric has a resolution of 20 s gets one sample of each task for each look, so that `SampleCount`
//! over a minute is three times the number of tasks. A task takes load as soon as it serves ([`crate::Task::serves`]), at full speed.
//! How long metrics take until they can be read is unpublished.
//!
//! # Absent
//! Requests that take longer when tasks are busy, retries, answers of unhealthy targets, zones, the cluster's own metrics and
//! reservations, and Container Insights. Requests that a load balancer sends to unhealthy targets, because there are no others, count
//! in its metrics, and nobody serves them.

mod curve;
mod history;
mod publish;
mod tick;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use model::ServiceKey;

pub use curve::{CurveError, LoadCurve};
pub use history::History;
pub(crate) use publish::Publication;

use crate::config::RangeMs;
use crate::state::{MetricKey, State};
use crate::world::World;

/// The namespace of ECS's metrics.
pub const ECS_NAMESPACE: &str = "AWS/ECS";
/// The namespace of the metrics of Application Load Balancers.
pub const ELB_NAMESPACE: &str = "AWS/ApplicationELB";

/// A service, or several services that share a load, and the load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    /// The services; the first is the primary.
    pub services: Vec<ServiceKey>,
    /// The requests per minute.
    pub curve: LoadCurve,
    /// When the curve's minute 0 is. Before it there are no requests.
    pub starts_at: Timestamp,
    /// How many requests per minute make one task 100 % busy.
    pub requests_per_task_min: u64,
    /// Requests that come while the utilisation is above this are counted, in percent.
    pub limit_percent: u32,
    /// The CPU utilisation of a task that runs and takes no load yet, in thousandths of a percent.
    pub starting_cpu_milli_percent: u32,
    /// The CPU utilisation of a ready task without load, in thousandths of a percent; the load comes on top.
    pub idle_cpu_milli_percent: u32,
    /// A task's CPU utilisation is never reported above this, in percent. A task on an instance may use more than it reserves.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_utilization.html>
    pub cpu_cap_percent: u32,
    /// The memory utilisation of a task without load, in thousandths of a percent.
    pub idle_memory_milli_percent: u32,
    /// The memory utilisation of a task that is 100 % busy, in thousandths of a percent.
    pub busy_memory_milli_percent: u32,
    /// The ARN of the target group that the requests come through.
    pub target_group: Option<String>,
    /// The load balancer before it, as its metrics call it: `app/<name>/<id>`.
    pub load_balancer: Option<String>,
    /// Whether the load balancer always has requests for other target groups: it then tells of a minute in which this one has none.
    pub shares_load_balancer: bool,
}

impl Fleet {
    /// One service without a load balancer, whose curve begins at a time: a limit of 80 %, tasks that use 5 % of their CPU while they
    /// start and none when idle, at most 100 %, and 20 to 60 % of their memory.
    #[must_use]
    pub fn new(
        service: ServiceKey,
        curve: LoadCurve,
        starts_at: Timestamp,
        requests_per_task_min: u64,
    ) -> Self {
        Self {
            services: vec![service],
            curve,
            starts_at,
            requests_per_task_min,
            limit_percent: 80,
            starting_cpu_milli_percent: 5_000,
            idle_cpu_milli_percent: 0,
            cpu_cap_percent: 100,
            idle_memory_milli_percent: 20_000,
            busy_memory_milli_percent: 60_000,
            target_group: None,
            load_balancer: None,
            shares_load_balancer: false,
        }
    }

    /// The same, with one more service that shares the load.
    #[must_use]
    pub fn with(mut self, service: ServiceKey) -> Self {
        self.services.push(service);
        self
    }

    /// The same, behind a target group, by ARN, of the load balancer `app/<name>/0123456789abcdef`.
    #[must_use]
    pub fn behind(mut self, target_group_arn: &str, load_balancer_name: &str) -> Self {
        self.target_group = Some(target_group_arn.to_owned());
        self.load_balancer = Some(format!("app/{load_balancer_name}/0123456789abcdef"));
        self
    }

    /// The requests of the minute of a time.
    #[must_use]
    pub fn requests_at(&self, at: Timestamp) -> u64 {
        let passed = at.as_second() - self.starts_at.as_second();
        usize::try_from(passed.div_euclid(60)).map_or(0, |minute| self.curve.at(minute))
    }
}

/// How metrics get from AWS's services, and from [`CustomMetric`]s, to where they can be read. What callers put in themselves can be
/// read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publishing {
    /// From the end of a minute to its datapoint. AWS publishes no number; by default 50 s, so that a look at a full minute sees what
    /// ended a minute before it.
    pub delay: RangeMs,
    /// From the end of 20 s to their datapoint, where a service's metric has that resolution; by default 10 s.
    pub high_resolution_delay: RangeMs,
    /// How many of a thousand datapoints never come.
    pub gap_per_mille: u32,
    /// How many of a thousand datapoints come late.
    pub late_per_mille: u32,
    /// By how much a late datapoint is late, in addition.
    pub late: RangeMs,
    /// How many of a thousand datapoints come twice: the samples of that time double.
    pub duplicate_per_mille: u32,
}

impl Default for Publishing {
    fn default() -> Self {
        Self {
            delay: RangeMs::new(50_000, 50_000),
            high_resolution_delay: RangeMs::new(10_000, 10_000),
            gap_per_mille: 0,
            late_per_mille: 0,
            late: RangeMs::new(60_000, 300_000),
            duplicate_per_mille: 0,
        }
    }
}

/// What was so in one minute of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadMinute {
    /// When it began.
    pub at: Timestamp,
    /// The requests that came.
    pub requests: u64,
    /// Of them, those that were more than all ready tasks could serve at 100 %.
    pub excess_requests: u64,
    /// Of them, those that came while the utilisation was above the fleet's limit, or while nothing was ready.
    pub over_limit_requests: u64,
    /// The desired count of the primary, at the minute's end.
    pub desired: u32,
    /// The desired counts of all services, at the minute's end.
    pub desired_all: u32,
    /// The tasks of all services that ran, at the minute's end.
    pub running: u32,
    /// The tasks that were ready on Spot capacity, at the minute's end.
    pub ready_spot: u32,
    /// The tasks that were ready on on-demand capacity, at the minute's end.
    pub ready_on_demand: u32,
    /// The mean utilisation of the ready tasks, not capped, in thousandths of a percent; `None` where nothing was ready.
    pub utilisation_milli_percent: Option<u64>,
    /// The ready tasks, as the sum of three looks: a third of it is the mean.
    pub ready_looks: u32,
}

impl LoadMinute {
    /// The ready tasks at the minute's end.
    #[must_use]
    pub const fn ready(&self) -> u32 {
        self.ready_spot + self.ready_on_demand
    }

    /// The fewest ready tasks that keep a load within a limit; at least one.
    #[must_use]
    pub fn required_tasks(&self, fleet: &Fleet) -> u64 {
        let capacity = u128::from(fleet.requests_per_task_min) * u128::from(fleet.limit_percent);
        let required = (u128::from(self.requests) * 100).div_ceil(capacity.max(1));
        u64::try_from(required.max(1)).unwrap_or(u64::MAX)
    }
}

/// The sums over the minutes of a fleet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadAccount {
    /// How many minutes there were.
    pub minutes: u64,
    /// The requests that came.
    pub requests: u64,
    /// Of them, those that were more than all ready tasks could serve at 100 %.
    pub excess_requests: u64,
    /// Of them, those that came while the utilisation was above the fleet's limit, or while nothing was ready.
    pub over_limit_requests: u64,
    /// The ready tasks over time, in thirds of a task-minute.
    pub ready_looks: u64,
    /// The tasks that the load required within the limit, in task-minutes.
    pub required_task_mins: u64,
}

impl LoadAccount {
    /// The share of the requests that came above the limit, in millionths; rounded up.
    #[must_use]
    pub fn over_limit_ppm(&self) -> u64 {
        let share = u128::from(self.over_limit_requests) * 1_000_000;
        u64::try_from(share.div_ceil(u128::from(self.requests.max(1)))).unwrap_or(u64::MAX)
    }

    /// The ready task-minutes over the required ones, in thousandths; rounded up.
    #[must_use]
    pub fn cost_milli(&self) -> u64 {
        let ready = u128::from(self.ready_looks) * 1_000;
        let required = u128::from(self.required_task_mins.max(1)) * 3;
        u64::try_from(ready.div_ceil(required)).unwrap_or(u64::MAX)
    }
}

/// What a metric of one's own is made from, each minute.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The end of the minute.
    pub at: Timestamp,
    /// How many minutes the metric has had, from 0.
    pub minute: usize,
    /// The world as it is.
    pub state: &'a State,
}

type Measure = Arc<dyn Fn(&Moment<'_>) -> Option<i64> + Send + Sync>;

/// A metric of one's own with a value for each minute, such as the backlog of a queue. It is published as those of AWS's services are
/// ([`Publishing`]): its newest minute has no value for a while.
#[derive(Clone)]
pub struct CustomMetric {
    /// The metric.
    pub key: MetricKey,
    measure: Measure,
}

impl CustomMetric {
    /// A metric whose value is measured at the end of each minute, in thousandths; `None` leaves the minute out.
    pub fn measured(
        key: MetricKey,
        measure: impl Fn(&Moment<'_>) -> Option<i64> + Send + Sync + 'static,
    ) -> Self {
        Self {
            key,
            measure: Arc::new(measure),
        }
    }

    /// A metric with these values, in thousandths, minute by minute, and no value after them.
    #[must_use]
    pub fn of_values(key: MetricKey, values_milli: Vec<Option<i64>>) -> Self {
        Self::measured(key, move |moment| {
            values_milli.get(moment.minute).copied().flatten()
        })
    }
}

impl fmt::Debug for CustomMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomMetric")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// The loads of a world.
#[derive(Debug, Clone, Default)]
pub(crate) struct Loads {
    pub(crate) fleets: BTreeMap<String, tick::FleetState>,
    pub(crate) custom: Vec<(CustomMetric, usize)>,
    /// When the next look is; there is none before the first fleet or metric.
    pub(crate) look_at: Option<Timestamp>,
}

impl World {
    /// Puts a load on services, from now on; one of the same name is replaced, with its minutes.
    pub fn put_load(&mut self, name: &str, fleet: Fleet) {
        let state = tick::FleetState::new(fleet);
        self.loads.fleets.insert(name.to_owned(), state);
        self.plan_load_look();
    }

    /// Takes a load away. Whether there was one is the answer.
    pub fn remove_load(&mut self, name: &str) -> bool {
        self.loads.fleets.remove(name).is_some()
    }

    /// A fleet, by its name.
    #[must_use]
    pub fn fleet(&self, name: &str) -> Option<&Fleet> {
        self.loads.fleets.get(name).map(|it| &it.fleet)
    }

    /// A fleet's load may be changed while it runs: its minutes stay.
    pub fn fleet_mut(&mut self, name: &str) -> Option<&mut Fleet> {
        self.loads.fleets.get_mut(name).map(|it| &mut it.fleet)
    }

    /// What was so in each full minute since the load was put, oldest first.
    #[must_use]
    pub fn load_minutes(&self, name: &str) -> &[LoadMinute] {
        self.loads
            .fleets
            .get(name)
            .map_or(&[], |it| it.minutes.as_slice())
    }

    /// The sums over a fleet's minutes from a time on.
    #[must_use]
    pub fn load_account(&self, name: &str, from: Timestamp) -> LoadAccount {
        let mut account = LoadAccount::default();
        let Some(state) = self.loads.fleets.get(name) else {
            return account;
        };
        for minute in state.minutes.iter().filter(|it| it.at >= from) {
            account.minutes += 1;
            account.requests += minute.requests;
            account.excess_requests += minute.excess_requests;
            account.over_limit_requests += minute.over_limit_requests;
            account.ready_looks += u64::from(minute.ready_looks);
            account.required_task_mins += minute.required_tasks(&state.fleet);
        }
        account
    }

    /// Adds a metric of one's own, from now on.
    pub fn put_custom_metric(&mut self, metric: CustomMetric) {
        self.loads.custom.push((metric, 0));
        self.plan_load_look();
    }
}
