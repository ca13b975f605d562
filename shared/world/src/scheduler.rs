//! The service scheduler: as many tasks as desired, on the providers that the strategy says, and on no others.
//!
//! A look compares what runs with what is wanted, and starts and stops tasks. A task that cannot be placed waits: the wait begins at
//! [`crate::SchedulerTimes::retry_first_secs`], doubles with each failure in a row up to
//! [`crate::SchedulerTimes::retry_max_secs`], holds for that provider only, and ends at once when the service is updated. Returning
//! capacity does not wake the scheduler: the next retry finds it. AWS documents that it retries, not how often.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::ServiceKey;
use model::snapshot::{Controller, Health, Scheduling, TaskStatus};
use model::strategy::StrategyItem;
use serde_json::{Map, Value, json};

use crate::life::Placement;
use crate::pool::{Bucket, PoolKey, later};
use crate::split;
use crate::state::{Backoff, Capacity, Deployment, Service, Task};
use crate::world::{Happening, World};

/// The reason that ECS gives for a task that it stops itself.
const SCHEDULER_CODE: &str = "ServiceSchedulerInitiated";

/// What a look sees.
#[derive(Debug)]
struct View {
    desired: u32,
    serving_min: u32,
    live_max: u32,
    /// The live tasks of the primary deployment.
    new: Vec<Seen>,
    /// The live tasks of older deployments.
    old: Vec<Seen>,
}

/// What a look sees of a task.
#[derive(Debug, Clone)]
struct Seen {
    id: String,
    provider: String,
    zone: String,
    running: bool,
    unhealthy: bool,
    created_at: Timestamp,
}

impl Seen {
    fn of(task: &Task) -> Self {
        Self {
            id: task.id().to_owned(),
            provider: provider_of(task).to_owned(),
            zone: task.zone.clone(),
            running: task.last_status == TaskStatus::Running,
            unhealthy: task.health == Health::Unhealthy,
            created_at: task.created_at,
        }
    }

    const fn ready(&self) -> bool {
        self.running && !self.unhealthy
    }
}

impl View {
    fn of(service: &Service, tasks: &[&Task]) -> Self {
        let desired = service.desired_count;
        let primary = service.deployments.first().map_or("", |it| it.id.as_str());
        let (new, old): (Vec<_>, Vec<_>) = tasks
            .iter()
            .filter(|it| it.is_live())
            .partition(|it| it.deployment == primary);
        // The minimum rounds up and the maximum rounds down.
        // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
        let percent = |percent: u32| u64::from(desired) * u64::from(percent);
        let count = |it: u64| u32::try_from(it).unwrap_or(u32::MAX);
        Self {
            desired,
            serving_min: count(percent(service.minimum_healthy_percent).div_ceil(100)),
            live_max: count(percent(service.maximum_percent) / 100),
            new: new.into_iter().map(Seen::of).collect(),
            old: old.into_iter().map(Seen::of).collect(),
        }
    }

    fn live(&self) -> u32 {
        count(self.new.len() + self.old.len())
    }

    fn ready(&self) -> u32 {
        count(
            self.new
                .iter()
                .chain(&self.old)
                .filter(|it| it.ready())
                .count(),
        )
    }

    /// Tasks beyond the desired count that may be started to replace unhealthy ones before they are stopped.
    fn spare(&self) -> u32 {
        let unhealthy = count(self.new.iter().filter(|it| it.unhealthy).count());
        unhealthy.min(self.live_max.saturating_sub(self.desired))
    }

    /// How many tasks of the primary deployment to start.
    fn to_start(&self) -> u32 {
        let wanted = self.desired + self.spare();
        let missing = wanted.saturating_sub(count(self.new.len()));
        if self.old.is_empty() {
            missing
        } else {
            missing.min(self.live_max.saturating_sub(self.live()))
        }
    }

    /// Which tasks to stop, and why.
    fn to_stop(&self, items: &[StrategyItem]) -> Vec<(String, &'static str)> {
        let mut stops = self.old_to_stop();
        let unhealthy: Vec<&Seen> = self.new.iter().filter(|it| it.unhealthy).collect();
        let replaced = self.ready() >= self.desired;
        if replaced || self.spare() == 0 {
            stops.extend(
                unhealthy
                    .iter()
                    .map(|it| (it.id.clone(), "Task failed container health checks")),
            );
        }
        let gone = if replaced || self.spare() == 0 {
            unhealthy.len()
        } else {
            0
        };
        let kept: Vec<&Seen> = self
            .new
            .iter()
            .filter(|it| gone == 0 || !it.unhealthy)
            .collect();
        let wanted = if gone == 0 {
            self.desired + self.spare()
        } else {
            self.desired
        };
        let excess = count(kept.len()).saturating_sub(wanted);
        stops.extend(
            scale_in(kept, excess, items)
                .into_iter()
                .map(|id| (id, "Scaling activity initiated by the service scheduler")),
        );
        stops
    }

    /// Old tasks go as soon as the minimum is kept without them; those that do not serve go at once.
    fn old_to_stop(&self) -> Vec<(String, &'static str)> {
        const REASON: &str = "Scaling activity initiated by the deployment";
        let mut may_go = self.ready().saturating_sub(self.serving_min);
        let mut old: Vec<&Seen> = self.old.iter().collect();
        old.sort_by(|a, b| a.created_at.cmp(&b.created_at).then(a.id.cmp(&b.id)));
        let mut stops = Vec::new();
        for task in old {
            if task.ready() {
                if may_go == 0 {
                    continue;
                }
                may_go -= 1;
            }
            stops.push((task.id.clone(), REASON));
        }
        stops
    }
}

/// Which tasks go when there are too many: those that do not run yet, then those of the fullest zone, then the newest. The strategy's
/// base is kept, because it is the number of tasks "at a minimum" on its provider.
fn scale_in(mut kept: Vec<&Seen>, excess: u32, items: &[StrategyItem]) -> Vec<String> {
    let mut gone = Vec::new();
    for _ in 0..excess {
        let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
        let mut providers: BTreeMap<&str, u32> = BTreeMap::new();
        for task in &kept {
            *zones.entry(&task.zone).or_default() += 1;
            *providers.entry(&task.provider).or_default() += 1;
        }
        let is_base = |task: &Seen| {
            items.iter().any(|it| {
                it.provider.as_str() == task.provider
                    && providers.get(task.provider.as_str()).copied().unwrap_or(0) <= it.base
            })
        };
        let first = kept
            .iter()
            .enumerate()
            .min_by_key(|(_, task)| {
                let zone = zones.get(task.zone.as_str()).copied().unwrap_or(0);
                (
                    is_base(task),
                    task.running,
                    std::cmp::Reverse(zone),
                    std::cmp::Reverse(task.created_at),
                    task.id.clone(),
                )
            })
            .map(|(index, _)| index);
        let Some(index) = first else {
            break;
        };
        gone.push(kept.remove(index).id.clone());
    }
    gone
}

fn count(it: usize) -> u32 {
    u32::try_from(it).unwrap_or(u32::MAX)
}

fn provider_of(task: &Task) -> &str {
    task.provider.as_deref().unwrap_or(&task.launch_type)
}

/// A capacity as a strategy: a launch type is one line.
fn lines_of(capacity: &Capacity) -> Vec<StrategyItem> {
    match capacity {
        Capacity::Strategy(items) => items.clone(),
        Capacity::LaunchType(name) => name
            .parse()
            .map(|provider| StrategyItem {
                provider,
                base: 0,
                weight: 1,
            })
            .into_iter()
            .collect(),
    }
}

impl World {
    /// Has the scheduler look at a service after its reaction time, or earlier where a look is due anyway.
    pub(crate) fn look_soon(&mut self, key: &ServiceKey) {
        let at = later(self.now, i64::from(self.config.scheduler.reaction_ms));
        self.look_at(key, at);
    }

    fn look_at(&mut self, key: &ServiceKey, at: Timestamp) {
        let Some(service) = self.state.services.get_mut(key) else {
            return;
        };
        if service.look_at.is_some_and(|due| due <= at) {
            return;
        }
        service.look_at = Some(at);
        self.plan(
            at,
            Happening::Look {
                service: key.clone(),
            },
        );
    }

    /// One look of the scheduler at a service.
    pub(crate) fn look(&mut self, key: &ServiceKey) {
        let now = self.now;
        let Some(service) = self.state.services.get_mut(key) else {
            return;
        };
        // An earlier look has done the work of this one.
        if service.look_at != Some(now) {
            return;
        }
        service.look_at = None;
        if service.status == "DRAINING" {
            self.drain(key);
            return;
        }
        if service.status != "ACTIVE"
            || service.scheduling == Scheduling::Daemon
            || service.controller == Controller::External
        {
            return;
        }
        let Some((view, deployment)) = self.view(key) else {
            return;
        };
        let items = lines_of(&deployment.capacity);
        let stops = view.to_stop(&items);
        if !stops.is_empty() {
            self.log_service(key, &format!("has stopped {} running tasks.", stops.len()));
        }
        for (id, reason) in stops {
            self.stop_task(&id, SCHEDULER_CODE, format!("{reason} {}", deployment.id));
        }
        let start = view.to_start();
        if start > 0 {
            self.place(key, &deployment, &items, &view, start);
        }
        self.finish_deployment(key);
        self.check_steady(key);
    }

    fn view(&self, key: &ServiceKey) -> Option<(View, Deployment)> {
        let service = self.state.services.get(key)?;
        let tasks: Vec<&Task> = self.state.tasks_of(key).collect();
        let deployment = service.deployments.first()?.clone();
        Some((View::of(service, &tasks), deployment))
    }

    fn drain(&mut self, key: &ServiceKey) {
        for id in self.live_tasks(key) {
            self.stop_task(&id, SCHEDULER_CODE, "Service was deleted".to_owned());
        }
        let up = self
            .state
            .tasks_of(key)
            .any(|it| it.last_status != TaskStatus::Stopped);
        if let Some(service) = self.state.services.get_mut(key).filter(|_| !up) {
            service.status = "INACTIVE";
        }
    }

    /// Starts tasks where the strategy wants them and there is room, and notes where there is none.
    fn place(
        &mut self,
        key: &ServiceKey,
        deployment: &Deployment,
        items: &[StrategyItem],
        view: &View,
        start: u32,
    ) {
        let mut counts: Vec<u32> = items
            .iter()
            .map(|item| {
                let provider = item.provider.as_str();
                count(view.new.iter().filter(|it| it.provider == provider).count())
            })
            .collect();
        let mut zones: BTreeMap<String, u32> = BTreeMap::new();
        for task in view.new.iter().chain(&view.old) {
            *zones.entry(task.zone.clone()).or_default() += 1;
        }
        let (mut placed, mut refused) = (BTreeMap::new(), BTreeMap::new());
        for _ in 0..start {
            let Some(index) = split::next(items, &counts) else {
                break;
            };
            if let Some(count) = counts.get_mut(index) {
                *count += 1;
            }
            let Some(item) = items.get(index) else {
                break;
            };
            let provider = item.provider.as_str();
            // The strategy has spoken: where its provider has no room, no other takes the task.
            if refused.contains_key(provider) {
                continue;
            }
            if let Some(retry_at) = self.waits_until(key, provider) {
                self.look_at(key, retry_at);
                continue;
            }
            match self.room(provider, &zones) {
                Room::Here(zone) => {
                    *zones.entry(zone.clone()).or_default() += 1;
                    *placed.entry(provider.to_owned()).or_insert(0_u32) += 1;
                    self.launch(key, deployment, provider, &zone);
                }
                Room::Later => {
                    self.look_at(key, later(self.now, 1_000));
                }
                Room::None => {
                    refused.insert(provider.to_owned(), ());
                }
            }
        }
        for (provider, number) in placed {
            self.log_service(key, &format!("has started {number} tasks."));
            if let Some(service) = self.state.services.get_mut(key)
                && !refused.contains_key(&provider)
            {
                service.backoff.remove(&provider);
            }
        }
        for provider in refused.into_keys() {
            self.placement_failed(key, &provider);
        }
    }

    /// When the wait after a failure is over, if it is not.
    fn waits_until(&self, key: &ServiceKey, provider: &str) -> Option<Timestamp> {
        let backoff = self.state.services.get(key)?.backoff.get(provider)?;
        Some(backoff.retry_at).filter(|at| *at > self.now)
    }

    /// The zone for the next task: the one with the fewest tasks of the service among those with room.
    fn room(&mut self, provider: &str, zones: &BTreeMap<String, u32>) -> Room {
        let best = self
            .config
            .zones
            .iter()
            .map(|it| it.as_str())
            .filter(|zone| {
                self.pools
                    .get(&PoolKey::new(provider, zone))
                    .is_none_or(crate::pool::Pool::has_room)
            })
            .min_by_key(|zone| zones.get(*zone).copied().unwrap_or(0))
            .map(str::to_owned);
        let Some(zone) = best else {
            return Room::None;
        };
        if !provider.starts_with("FARGATE") {
            return Room::Here(zone);
        }
        let times = self.config.scheduler;
        let now = self.now;
        let launches = self
            .launches
            .entry(provider.to_owned())
            .or_insert_with(|| Bucket::full(times.launch_burst, times.launch_refill_per_sec, now));
        if launches.take(now) {
            Room::Here(zone)
        } else {
            Room::Later
        }
    }

    fn launch(&mut self, key: &ServiceKey, deployment: &Deployment, provider: &str, zone: &str) {
        let launch_type = if provider.starts_with("FARGATE") {
            "FARGATE"
        } else {
            "EC2"
        };
        let by_strategy = match deployment.capacity {
            Capacity::Strategy(_) => Some(provider.to_owned()),
            Capacity::LaunchType(_) => None,
        };
        self.start_task(Placement {
            service: key.clone(),
            deployment: deployment.id.clone(),
            task_definition: deployment.task_definition.clone(),
            provider: by_strategy,
            launch_type: launch_type.to_owned(),
            pool: PoolKey::new(provider, zone),
        });
    }

    fn placement_failed(&mut self, key: &ServiceKey, provider: &str) {
        let (now, times) = (self.now, self.config.scheduler);
        let Some(service) = self.state.services.get_mut(key) else {
            return;
        };
        let before = service.backoff.get(provider).copied();
        let failures = before.map_or(0, |it| it.failures) + 1;
        let doubled = 1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX);
        let wait = times
            .retry_first_secs
            .saturating_mul(doubled)
            .min(times.retry_max_secs)
            .max(1);
        let retry_at = later(now, i64::from(wait) * 1_000);
        let quiet = i64::from(times.placement_failure_every_secs) * 1_000;
        let event_due = before
            .and_then(|it| it.event_at)
            .is_none_or(|at| later(at, quiet) <= now);
        let event_at = if event_due {
            Some(now)
        } else {
            before.and_then(|it| it.event_at)
        };
        service.backoff.insert(
            provider.to_owned(),
            Backoff {
                failures,
                retry_at,
                event_at,
            },
        );
        self.look_at(key, retry_at);
        if event_due {
            self.report_placement_failure(key, provider);
        }
        if failures == 1 {
            self.timeline.note(
                now,
                format!("{key} cannot place a task on {provider}: no capacity"),
            );
        }
    }

    fn report_placement_failure(&mut self, key: &ServiceKey, provider: &str) {
        let fargate = provider.starts_with("FARGATE");
        let text = if fargate {
            "was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different \
             availability zone."
        } else {
            "was unable to place a task because no container instance met all of its requirements."
        };
        self.log_service(key, text);
        let mut extra = Map::new();
        extra.insert(
            "capacityProviderArns".to_owned(),
            json!([self.provider_arn(provider)]),
        );
        let reason = if fargate {
            "RESOURCE:FARGATE"
        } else {
            "RESOURCE:CPU"
        };
        extra.insert("reason".to_owned(), Value::String(reason.to_owned()));
        self.send_service_action(key, "ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", extra);
    }

    /// A deployment is done when all its tasks run and no older task is left.
    fn finish_deployment(&mut self, key: &ServiceKey) {
        let now = self.now;
        let Some((view, primary)) = self.view(key) else {
            return;
        };
        let running = count(view.new.iter().filter(|it| it.ready()).count());
        let Some(service) = self.state.services.get_mut(key) else {
            return;
        };
        let done = running >= view.desired && view.old.is_empty();
        if !done || (primary.completed && service.deployments.len() == 1) {
            return;
        }
        service.deployments.truncate(1);
        for deployment in &mut service.deployments {
            deployment.completed = true;
            deployment.updated_at = now;
        }
        self.send_deployment_event(
            key,
            &primary.id,
            "SERVICE_DEPLOYMENT_COMPLETED",
            &format!("ECS deployment {} completed.", primary.id),
        );
        self.log_service(key, &format!("deployment {} completed.", primary.id));
    }

    /// A service is steady when its one deployment is done and exactly the desired tasks run.
    fn check_steady(&mut self, key: &ServiceKey) {
        let now = self.now;
        let Some((view, primary)) = self.view(key) else {
            return;
        };
        let Some(service) = self.state.services.get_mut(key) else {
            return;
        };
        let steady = primary.completed
            && service.deployments.len() == 1
            && view.old.is_empty()
            && count(view.new.len()) == view.desired
            && view.new.iter().all(Seen::ready);
        match (steady, service.steady_since) {
            (true, None) => {
                service.steady_since = Some(now);
                self.timeline
                    .note(now, format!("{key} is steady at {} tasks", view.desired));
                self.steady_again(key, now);
            }
            (false, Some(_)) => service.steady_since = None,
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Says that a service is steady, now and again as long as it stays so.
    pub(crate) fn steady_again(&mut self, key: &ServiceKey, since: Timestamp) {
        let still = self
            .state
            .services
            .get(key)
            .is_some_and(|it| it.steady_since == Some(since) && it.status == "ACTIVE");
        if !still {
            return;
        }
        self.log_service(key, "has reached a steady state.");
        self.send_service_action(key, "INFO", "SERVICE_STEADY_STATE", Map::new());
        let every = i64::from(self.config.scheduler.steady_state_every_secs.max(1)) * 1_000;
        self.plan_in(
            every,
            Happening::SteadyAgain {
                service: key.clone(),
                since,
            },
        );
    }
}

/// Whether the next task has a place.
enum Room {
    Here(String),
    Later,
    None,
}
