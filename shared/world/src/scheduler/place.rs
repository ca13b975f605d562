//! Placing tasks: where the strategy wants them and there is room, and nowhere else.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::ServiceKey;
use model::strategy::StrategyItem;
use serde_json::{Map, Value, json};

use super::view::{View, count};
use crate::ecs::{Lack, Needs, Search, lacks};
use crate::life::{Place, Placement};
use crate::pool::{Bucket, Pool, PoolKey, later};
use crate::split;
use crate::state::{Backoff, Capacity, Deployment};
use crate::world::World;

/// What each container instance lacks, by ARN; nothing where the place is not a container instance.
type Why = Option<Vec<(String, Lack)>>;

/// Container instances that a placement failure names.
const NAMED_INSTANCES_MAX: usize = 100;

/// The reason where there is no container instance to lack anything.
const NO_INSTANCES: &str = "RESOURCE:CPU";

impl World {
    /// Starts tasks where the strategy wants them and there is room, and notes where there is none.
    pub(super) fn place(
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
                // What is to be replaced does not count: its replacement belongs where it was, above all in the base.
                let stays = view.new.iter().filter(|it| !it.unhealthy);
                count(stays.filter(|it| it.provider == provider).count())
            })
            .collect();
        let mut zones: BTreeMap<String, u32> = BTreeMap::new();
        for task in view.new.iter().chain(&view.old) {
            *zones.entry(task.zone.clone()).or_default() += 1;
        }
        let (mut placed, mut refused) = (BTreeMap::new(), BTreeMap::new());
        let by_strategy = deployment.capacity.is_strategy();
        let mut searches: BTreeMap<String, Search> = BTreeMap::new();
        // Providers that this look asks no further: they have said no, or not now.
        let mut closed: BTreeSet<String> = BTreeSet::new();
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
            if closed.contains(provider) {
                continue;
            }
            if let Some(retry_at) = self.waits_until(key, provider) {
                closed.insert(provider.to_owned());
                self.look_at(key, retry_at);
                continue;
            }
            let room = if self.uses_instances(&key.cluster, provider, by_strategy) {
                self.seat(key, deployment, provider, &mut searches)
            } else {
                self.room(provider, &zones)
            };
            match room {
                Room::Here(place) => {
                    if let Place::Slot(pool) = &place {
                        *zones.entry(pool.zone.clone()).or_default() += 1;
                    }
                    *placed.entry(provider.to_owned()).or_insert(0_u32) += 1;
                    self.launch(key, deployment, provider, place);
                }
                Room::Later => {
                    closed.insert(provider.to_owned());
                    self.look_at(key, later(self.now, 1_000));
                }
                Room::None(why) => {
                    closed.insert(provider.to_owned());
                    refused.insert(provider.to_owned(), why);
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
        for (provider, why) in refused {
            self.placement_failed(key, &provider, by_strategy, why);
        }
    }

    /// The instance for the next task; where there is none and managed scaling will make one, the task waits.
    fn seat(
        &self,
        key: &ServiceKey,
        deployment: &Deployment,
        provider: &str,
        searches: &mut BTreeMap<String, Search>,
    ) -> Room {
        let Some(service) = self.state.services.get(key) else {
            return Room::Later;
        };
        let asked = || Self::asked_by(&self.state, key, service, deployment, provider);
        let search = searches
            .entry(provider.to_owned())
            .or_insert_with(|| Search::new(&self.state, &asked(), self.dice));
        while let Some(id) = search.take() {
            let needs = self.needs_of(&deployment.task_definition);
            let instance = self.state.container_instances.get(&id);
            // Two lines of one strategy may share instances.
            if instance.is_some_and(|it| it.remaining.lack(&needs).is_none()) {
                return Room::Here(Place::Instance(id));
            }
            search.forget(&id);
        }
        if deployment.capacity.is_strategy() && self.may_wait(&key.cluster, provider) {
            return Room::Here(Place::Later(provider.to_owned()));
        }
        Room::None(Some(lacks(&self.state, &asked())))
    }

    fn needs_of(&self, task_definition: &str) -> Needs {
        let definition = self.state.task_definitions.get(task_definition);
        definition.map(|it| it.needs.clone()).unwrap_or_default()
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
                    .is_none_or(Pool::has_room)
            })
            .min_by_key(|zone| zones.get(*zone).copied().unwrap_or(0))
            .map(str::to_owned);
        let Some(zone) = best else {
            return Room::None(None);
        };
        let place = Place::Slot(PoolKey::new(provider, &zone));
        if !provider.starts_with("FARGATE") {
            return Room::Here(place);
        }
        let times = self.config.scheduler;
        let now = self.now;
        let launches = self
            .launches
            .entry(provider.to_owned())
            .or_insert_with(|| Bucket::full(times.launch_burst, times.launch_refill_per_sec, now));
        if launches.take(now) {
            Room::Here(place)
        } else {
            Room::Later
        }
    }

    fn launch(&mut self, key: &ServiceKey, deployment: &Deployment, provider: &str, place: Place) {
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
            cluster: key.cluster.clone(),
            service: Some(key.clone()),
            group: format!("service:{}", key.service),
            started_by: deployment.id.clone(),
            needs: self.needs_of(&deployment.task_definition),
            task_definition: deployment.task_definition.clone(),
            provider: by_strategy,
            launch_type: launch_type.to_owned(),
            place,
            daemon: false,
            overrides: None,
        });
    }

    /// A provider had no room: the scheduler waits, and says so. `why` names what each container instance lacks.
    pub(crate) fn placement_failed(
        &mut self,
        key: &ServiceKey,
        provider: &str,
        by_strategy: bool,
        why: Why,
    ) {
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
            self.report_placement_failure(key, provider, by_strategy, why);
        }
        if failures == 1 {
            self.timeline.note(
                now,
                format!("{key} cannot place a task on {provider}: no capacity"),
            );
        }
    }

    fn report_placement_failure(
        &mut self,
        key: &ServiceKey,
        provider: &str,
        by_strategy: bool,
        why: Why,
    ) {
        let fargate = provider.starts_with("FARGATE");
        let text = if fargate {
            "was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different \
             availability zone."
        } else {
            "was unable to place a task because no container instance met all of its requirements."
        };
        self.log_service(key, text);
        let mut extra = Map::new();
        if by_strategy || why.is_none() {
            extra.insert(
                "capacityProviderArns".to_owned(),
                json!([self.provider_arn(provider)]),
            );
        }
        let reason = match why {
            None if fargate => "RESOURCE:FARGATE",
            None => "RESOURCE:CPU",
            Some(lacks) => {
                let mut counts: BTreeMap<Lack, usize> = BTreeMap::new();
                for (_, lack) in &lacks {
                    *counts.entry(*lack).or_default() += 1;
                }
                let arns: Vec<String> = lacks
                    .into_iter()
                    .map(|(arn, _)| arn)
                    .take(NAMED_INSTANCES_MAX)
                    .collect();
                extra.insert("containerInstanceArns".to_owned(), json!(arns));
                let most = counts
                    .into_iter()
                    .max_by_key(|(lack, count)| (*count, Reverse(*lack)));
                most.map_or(NO_INSTANCES, |(lack, _)| lack.reason())
            }
        };
        extra.insert("reason".to_owned(), Value::String(reason.to_owned()));
        self.send_service_action(key, "ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", extra);
    }
}

/// Whether the next task has a place.
enum Room {
    Here(Place),
    Later,
    None(Why),
}
