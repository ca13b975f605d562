//! The look at the load, three times a minute.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::ServiceKey;
use model::snapshot::TaskStatus;
use model::strategy::Market;

use super::{Fleet, LoadMinute, Moment, Publication};
use crate::state::{Sample, TargetState, Task};
use crate::world::{Happening, World};

/// From one look to the next, in seconds: as often as ECS collects the metrics of a task.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_utilization.html>
pub(super) const LOOK_EVERY_SECS: i64 = 20;

/// Looks in a minute.
const LOOKS: u64 = 3;

/// 100 %, in thousandths of a percent.
const FULL_MILLI_PERCENT: u64 = 100_000;

/// A fleet and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct FleetState {
    pub(crate) fleet: Fleet,
    pub(crate) minutes: Vec<LoadMinute>,
    /// The minute that goes on.
    now: Minute,
}

/// What the looks of a minute have found so far.
#[derive(Debug, Clone, Default)]
struct Minute {
    looks: u64,
    requests: u64,
    excess_requests: u64,
    over_limit_requests: u64,
    ready_looks: u32,
    /// The utilisations of the looks at which anything was ready.
    utilisations: Vec<u64>,
    /// The samples of each task of each service.
    tasks: BTreeMap<(ServiceKey, String), Samples>,
    /// The requests for which the load balancer had a target, and those targets.
    received: Received,
}

/// What a load balancer counts, added up over the looks of a minute at which it had a target.
#[derive(Debug, Clone, Copy, Default)]
struct Received {
    requests: u64,
    /// The targets that requests went to: the healthy ones, or all that were registered while none was healthy.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
    targets: u64,
    looks: u64,
}

/// The utilisations of one task at the looks of a minute, added up.
#[derive(Debug, Clone, Copy, Default)]
struct Samples {
    looks: u64,
    cpu_milli: u64,
    memory_milli: u64,
}

/// A task of a fleet at a look.
#[derive(Debug, Clone)]
struct Seen {
    service: ServiceKey,
    id: String,
    ready: bool,
    /// Whether it is registered with the fleet's target group, and no deregistration is under way.
    registered: bool,
    market: Market,
}

/// What a task uses, in thousandths of a percent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    pub(super) cpu_milli: u64,
    pub(super) memory_milli: u64,
}

/// The samples of a service, over a time.
#[derive(Debug, Clone, Default)]
pub(super) struct ServiceSamples {
    pub(super) cpu: Option<Sample>,
    pub(super) memory: Option<Sample>,
}

/// The requests of a minute, as a load balancer counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Requests {
    pub(super) received: u64,
    pub(super) per_target_milli: i64,
}

impl FleetState {
    pub(crate) fn new(fleet: Fleet) -> Self {
        Self {
            fleet,
            minutes: Vec::new(),
            now: Minute::default(),
        }
    }
}

fn is_ready(fleet: &Fleet, task: &Task) -> bool {
    let in_group = fleet
        .target_group
        .as_ref()
        .is_none_or(|it| task.targets.is_empty() || task.targets.contains_key(it));
    task.serves() && in_group
}

fn is_registered(fleet: &Fleet, task: &Task) -> bool {
    let group = fleet.target_group.as_ref();
    let target = group.and_then(|it| task.targets.get(it));
    target.is_some_and(|it| match it.state {
        TargetState::Initial | TargetState::Healthy | TargetState::Unhealthy => true,
        TargetState::Draining | TargetState::Gone => false,
    })
}

impl Fleet {
    pub(super) fn usage(&self, ready: bool, utilisation_milli: u64) -> Usage {
        let idle = u64::from(self.idle_memory_milli_percent);
        let busy = u64::from(self.busy_memory_milli_percent);
        if !ready {
            return Usage {
                cpu_milli: u64::from(self.starting_cpu_milli_percent),
                memory_milli: idle,
            };
        }
        let cap = u64::from(self.cpu_cap_percent) * 1_000;
        let load = utilisation_milli.min(FULL_MILLI_PERCENT);
        let idle_cpu = u64::from(self.idle_cpu_milli_percent);
        Usage {
            cpu_milli: utilisation_milli.saturating_add(idle_cpu).min(cap),
            memory_milli: idle + busy.saturating_sub(idle) * load / FULL_MILLI_PERCENT,
        }
    }

    /// How busy so many ready tasks are with a load, in thousandths of a percent; `None` where there are none.
    pub(super) fn utilisation_milli(&self, requests_per_min: u64, ready: u64) -> Option<u64> {
        let capacity = u128::from(self.requests_per_task_min) * u128::from(ready);
        let load = u128::from(requests_per_min) * u128::from(FULL_MILLI_PERCENT);
        let utilisation = load.checked_div(capacity)?;
        Some(u64::try_from(utilisation).unwrap_or(u64::MAX))
    }
}

impl Minute {
    /// One look: the requests of the third of a minute that ends now.
    fn look(&mut self, fleet: &Fleet, requests_per_min: u64, tasks: &[Seen]) {
        let number = self.looks.min(LOOKS - 1);
        self.looks += 1;
        // The thirds of a count add up to it.
        let requests = requests_per_min * (number + 1) / LOOKS - requests_per_min * number / LOOKS;
        let ready = tasks.iter().filter(|it| it.ready).count();
        let ready = u64::try_from(ready).unwrap_or(u64::MAX);
        let utilisation = fleet.utilisation_milli(requests_per_min, ready);
        self.requests += requests;
        self.ready_looks += u32::try_from(ready).unwrap_or(u32::MAX);
        let limit = u64::from(fleet.limit_percent) * 1_000;
        if utilisation.is_none_or(|it| it > limit) {
            self.over_limit_requests += requests;
        }
        match utilisation {
            Some(busy) => {
                self.utilisations.push(busy);
                let full = u128::from(FULL_MILLI_PERCENT);
                let (all, busy) = (u128::from(requests) * full, u128::from(busy));
                // Rounded to the nearest.
                let served = (all + busy / 2).checked_div(busy).unwrap_or(u128::MAX);
                let served = u64::try_from(served).unwrap_or(u64::MAX);
                self.excess_requests += requests.saturating_sub(served);
            }
            None => self.excess_requests += requests,
        }
        let registered = tasks.iter().filter(|it| it.registered).count();
        let registered = u64::try_from(registered).unwrap_or(u64::MAX);
        let targets = if ready > 0 { ready } else { registered };
        if targets > 0 {
            self.received.requests += requests;
            self.received.targets += targets;
            self.received.looks += 1;
        }
        for task in tasks {
            let usage = fleet.usage(task.ready, utilisation.unwrap_or(0));
            let key = (task.service.clone(), task.id.clone());
            let samples = self.tasks.entry(key).or_default();
            samples.looks += 1;
            samples.cpu_milli += usage.cpu_milli;
            samples.memory_milli += usage.memory_milli;
        }
    }

    /// One sample for each task of a service: the mean of its looks.
    fn samples_of(&self, service: &ServiceKey) -> ServiceSamples {
        let mine = || {
            let from = (service.clone(), String::new());
            let all = self.tasks.range(from..);
            all.take_while(|((of, _), _)| of == service).map(|it| it.1)
        };
        let mean = |sum: u64, it: &Samples| {
            i64::try_from(sum.checked_div(it.looks).unwrap_or(0)).unwrap_or(i64::MAX)
        };
        ServiceSamples {
            cpu: Sample::of_all(mine().map(|it| mean(it.cpu_milli, it))),
            memory: Sample::of_all(mine().map(|it| mean(it.memory_milli, it))),
        }
    }

    /// What the load balancer tells of the minute, if it does.
    fn requests(&self, fleet: &Fleet) -> Option<Requests> {
        // Requests per target: those of the minute over the mean number of targets.
        let Received {
            requests,
            targets,
            looks,
        } = self.received;
        let scaled = u128::from(requests) * 1_000 * u128::from(looks);
        let per_target = scaled.checked_div(u128::from(targets))?;
        let told = Requests {
            received: requests,
            per_target_milli: i64::try_from(per_target).unwrap_or(i64::MAX),
        };
        (requests > 0 || fleet.shares_load_balancer).then_some(told)
    }

    fn utilisation_milli(&self) -> Option<u64> {
        let count = u64::try_from(self.utilisations.len()).unwrap_or(u64::MAX);
        let sum = self
            .utilisations
            .iter()
            .fold(0_u64, |sum, it| sum.saturating_add(*it));
        sum.checked_div(count)
    }
}

impl World {
    /// The load is looked at when the next third of a minute is over, and from then on, as long as there is any.
    pub(super) fn plan_load_look(&mut self) {
        if self.loads.look_at.is_some_and(|it| it > self.now) {
            return;
        }
        let third = self.now.as_second().div_euclid(LOOK_EVERY_SECS) + 1;
        let at = Timestamp::from_second(third.saturating_mul(LOOK_EVERY_SECS));
        let at = at.unwrap_or(Timestamp::MAX);
        self.loads.look_at = Some(at);
        self.plan(at, Happening::LoadLook);
    }

    pub(crate) fn look_at_load(&mut self) {
        if self.loads.look_at != Some(self.now) {
            return;
        }
        if self.loads.fleets.is_empty() && self.loads.custom.is_empty() {
            self.loads.look_at = None;
            return;
        }
        let names: Vec<String> = self.loads.fleets.keys().cloned().collect();
        let end_secs = self.now.as_second();
        let ends_minute = end_secs.rem_euclid(60) == 0;
        for name in &names {
            self.look_at_fleet(name);
            if ends_minute {
                self.end_minute(name);
            }
        }
        if ends_minute {
            self.measure_custom();
        }
        self.plan_load_look();
    }

    fn tasks_seen(&self, fleet: &Fleet) -> Vec<Seen> {
        let mut seen = Vec::new();
        for service in &fleet.services {
            let running = self
                .state
                .tasks_of(service)
                .filter(|it| it.last_status == TaskStatus::Running);
            seen.extend(running.map(|it| Seen {
                service: service.clone(),
                id: it.id().to_owned(),
                ready: is_ready(fleet, it),
                registered: is_registered(fleet, it),
                market: it.market,
            }));
        }
        seen
    }

    fn look_at_fleet(&mut self, name: &str) {
        let Some(state) = self.loads.fleets.get(name) else {
            return;
        };
        let tasks = self.tasks_seen(&state.fleet);
        let begins = self.now.as_second() - LOOK_EVERY_SECS;
        let begins = Timestamp::from_second(begins).unwrap_or(Timestamp::MIN);
        let requests = state.fleet.requests_at(begins);
        let Some(state) = self.loads.fleets.get_mut(name) else {
            return;
        };
        state.now.look(&state.fleet, requests, &tasks);
        let fleet = state.fleet.clone();
        // What these twenty seconds alone were like.
        let mut third = Minute::default();
        third.look(&fleet, requests, &tasks);
        for service in &fleet.services {
            let samples = third.samples_of(service);
            self.publish_service(service, begins, LOOK_EVERY_SECS, samples);
        }
    }

    /// A minute is over: it is kept, and told.
    fn end_minute(&mut self, name: &str) {
        let begins = Timestamp::from_second(self.now.as_second() - 60).unwrap_or(Timestamp::MIN);
        let Some(state) = self.loads.fleets.get_mut(name) else {
            return;
        };
        let minute = std::mem::take(&mut state.now);
        let fleet = state.fleet.clone();
        let tasks = self.tasks_seen(&fleet);
        let ready_on = |market: Market| {
            let ready = tasks.iter().filter(|it| it.ready);
            let count = ready.filter(|it| (it.market == Market::Spot) == (market == Market::Spot));
            u32::try_from(count.count()).unwrap_or(u32::MAX)
        };
        let desired_of =
            |it: &ServiceKey| self.state.services.get(it).map_or(0, |it| it.desired_count);
        let kept = LoadMinute {
            at: begins,
            requests: minute.requests,
            excess_requests: minute.excess_requests,
            over_limit_requests: minute.over_limit_requests,
            desired: fleet.services.first().map_or(0, desired_of),
            desired_all: fleet.services.iter().map(desired_of).sum(),
            running: u32::try_from(tasks.len()).unwrap_or(u32::MAX),
            ready_spot: ready_on(Market::Spot),
            ready_on_demand: ready_on(Market::OnDemand),
            utilisation_milli_percent: minute.utilisation_milli(),
            ready_looks: minute.ready_looks,
        };
        // A load that came in the middle of a minute has its first full one afterwards.
        if minute.looks >= LOOKS
            && let Some(state) = self.loads.fleets.get_mut(name)
        {
            state.minutes.push(kept);
        }
        for service in &fleet.services {
            self.publish_service(service, begins, 60, minute.samples_of(service));
        }
        if let Some(requests) = minute.requests(&fleet) {
            self.publish_requests(&fleet, begins, requests);
        }
    }

    fn measure_custom(&mut self) {
        let begins = self.now.as_second() - 60;
        let mut custom = std::mem::take(&mut self.loads.custom);
        for (metric, minute) in &mut custom {
            let moment = Moment {
                at: self.now,
                minute: *minute,
                state: &self.state,
            };
            let value = (metric.measure)(&moment);
            *minute += 1;
            if let Some(value) = value {
                self.publish(Publication {
                    key: metric.key.clone(),
                    at_secs: begins,
                    is_high_resolution: false,
                    sample: Sample::of(value, 1),
                });
            }
        }
        self.loads.custom = custom;
    }
}
