//! The world's own truth as a snapshot, for property tests and the simulator: what a perfect observer would see.

use std::collections::{BTreeMap, BTreeSet};

use model::policy::{PairPolicy, TAG_STANDBY, TAG_STANDBY_OF};
use model::settings::Setting;
use model::snapshot::{
    Deployment, NotPlaced, Pair, PassedOver, PrimaryFault, ProviderShare, Service, ServiceStatus,
    Snapshot, Standby, Task,
};
use model::strategy::{Market, StrategyItem};
use model::{CapacityProviderName, ClusterName, IdError, Seconds, ServiceKey};

use crate::account::Account;
use crate::life::SPOT_STOP_CODE;
use crate::state::{
    Alarm, Capacity, ContainerInstanceStatus, Service as WorldService, Task as WorldTask,
};
use crate::timeline::Timeline;
use crate::world::World;

impl World {
    /// A service.
    #[must_use]
    pub fn service(&self, key: &ServiceKey) -> Option<&WorldService> {
        self.state.services.get(key)
    }

    /// An alarm on metrics.
    #[must_use]
    pub fn alarm(&self, name: &str) -> Option<&Alarm> {
        self.state.alarms.get(name)
    }

    /// The tasks of a service, stopped ones included while they are kept.
    #[must_use]
    pub fn tasks_of(&self, key: &ServiceKey) -> Vec<&WorldTask> {
        self.state.tasks_of(key).collect()
    }

    /// What happened so far.
    #[must_use]
    pub const fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// What happened so far, to take lines out or to add one's own.
    pub const fn timeline_mut(&mut self) -> &mut Timeline {
        &mut self.timeline
    }

    /// Every service's account, until now.
    #[must_use]
    pub fn accounts(&self) -> BTreeMap<ServiceKey, Account> {
        self.state
            .services
            .keys()
            .filter_map(|key| Some((key.clone(), self.account(key)?)))
            .collect()
    }

    /// A complete snapshot of these clusters; an empty list means all of them. Services without any of Ballast's tags are left out, as
    /// in a look at whole clusters.
    ///
    /// # Errors
    /// When a name in the world is not a valid id; the API refuses such names.
    pub fn snapshot(&self, clusters: &[ClusterName]) -> Result<Snapshot, IdError> {
        let subjects: Vec<(&ServiceKey, &WorldService)> = self
            .state
            .services
            .iter()
            .filter(|(key, service)| {
                (clusters.is_empty() || clusters.contains(&key.cluster))
                    && service.status != "INACTIVE"
            })
            .collect();
        let mut pairs = BTreeMap::new();
        let mut accounted = BTreeSet::new();
        for (key, service) in &subjects {
            if let Some(pair) = self.pair(key, service)? {
                accounted.insert((*key).clone());
                accounted.extend(named(key, &service.tags, &TAG_STANDBY));
                pairs.insert((*key).clone(), pair);
            }
        }
        let passed_over = subjects
            .into_iter()
            .filter(|(key, _)| !accounted.contains(*key))
            .filter_map(|(key, service)| Some((key.clone(), self.lonely_standby(key, service)?)))
            .collect();
        Ok(Snapshot {
            taken_at: self.now,
            pairs,
            passed_over,
            gaps: Vec::new(),
        })
    }

    fn pair(&self, key: &ServiceKey, service: &WorldService) -> Result<Option<Pair>, IdError> {
        let Some(policy) = PairPolicy::from_tags(&service.tags) else {
            return Ok(None);
        };
        let standby = match named(key, &service.tags, &TAG_STANDBY) {
            None => Standby::Unknown,
            Some(standby) => match self.observed(&standby)? {
                None => Standby::Missing,
                // The stop timeout is of interest for the primary only.
                Some(standby) => Standby::Present(Box::new(Service {
                    stop_timeout: None,
                    ..standby
                })),
            },
        };
        Ok(self.observed(key)?.map(|primary| Pair {
            primary,
            standby,
            policy,
            gaps: Vec::new(),
        }))
    }

    /// What is wrong with a service that is opted in as a standby and is in no pair.
    fn lonely_standby(&self, key: &ServiceKey, service: &WorldService) -> Option<PassedOver> {
        let text = service.tags.get(TAG_STANDBY_OF.name)?;
        let fault = match named(key, &service.tags, &TAG_STANDBY_OF) {
            None => PrimaryFault::UnusableName,
            Some(primary) => match self.state.services.get(&primary) {
                None => PrimaryFault::NotFound,
                Some(primary) => match primary.tags.get(TAG_STANDBY.name) {
                    None => PrimaryFault::NotOptedIn,
                    Some(standby) => PrimaryFault::NamesAnother {
                        standby: standby.chars().take(256).collect(),
                    },
                },
            },
        };
        Some(PassedOver::StandbyWithoutPrimary {
            primary: text.chars().take(256).collect(),
            fault,
        })
    }

    /// A service as a perfect observer sees it.
    ///
    /// # Errors
    /// When a name in the world is not a valid id.
    pub fn observed(&self, key: &ServiceKey) -> Result<Option<Service>, IdError> {
        let Some(service) = self.state.services.get(key) else {
            return Ok(None);
        };
        let Some(primary) = service.deployments.first() else {
            return Ok(None);
        };
        let tasks: Vec<Task> = self
            .state
            .tasks_of(key)
            .map(|task| self.observed_task(task))
            .collect::<Result<_, _>>()?;
        let count = |statuses: &[model::snapshot::TaskStatus]| {
            let number = tasks
                .iter()
                .filter(|it| statuses.contains(&it.last_status))
                .count();
            u32::try_from(number).unwrap_or(u32::MAX)
        };
        use model::snapshot::TaskStatus::{Activating, Pending, Provisioning, Running};
        Ok(Some(Service {
            key: key.clone(),
            status: match service.status {
                "ACTIVE" => ServiceStatus::Active,
                "DRAINING" => ServiceStatus::Draining,
                _ => ServiceStatus::Inactive,
            },
            created_at: Some(service.created_at),
            desired_count: service.desired_count,
            running_count: count(&[Running]),
            pending_count: count(&[Provisioning, Pending, Activating]),
            task_definition: primary.task_definition.parse()?,
            capacity: self.shares(&primary.capacity)?,
            scheduling: service.scheduling,
            controller: service.controller.clone(),
            deployments: service
                .deployments
                .iter()
                .enumerate()
                .map(|(index, it)| {
                    Ok(Deployment {
                        id: it.id.parse()?,
                        is_primary: index == 0,
                        in_progress: !it.completed,
                    })
                })
                .collect::<Result<_, IdError>>()?,
            tags: service.tags.clone(),
            tasks,
            all_to_run_read: true,
            stop_timeout: self
                .state
                .task_definitions
                .get(&primary.task_definition)
                .map(|it| Seconds(i64::from(it.stop_timeout_secs()))),
            scaled_by_application_auto_scaling: Some(
                self.state
                    .scalable_targets
                    .contains_key(&format!("service/{key}")),
            ),
            not_placed: not_placed(service),
        }))
    }

    fn observed_task(&self, task: &WorldTask) -> Result<Task, IdError> {
        let instance = self.container_instance_arn(task);
        let is_spot = |name: &String| {
            name != model::strategy::FARGATE_SPOT && self.market_of(name) == Market::Spot
        };
        let on_spot = task.provider.as_ref().is_some_and(is_spot);
        let on_spot = on_spot && task.desired_running;
        let id = task.container_instance.as_ref().filter(|_| on_spot);
        let container = id.and_then(|id| self.state.container_instances.get(id));
        Ok(Task {
            instance: instance.map(|arn| arn.parse()).transpose()?,
            instance_status: container.map(|it| status_of(it.status)),
            ..observed_task(task)?
        })
    }

    fn shares(&self, capacity: &Capacity) -> Result<Vec<ProviderShare>, IdError> {
        match capacity {
            Capacity::Strategy(items) => Ok(items
                .iter()
                .map(|item| ProviderShare {
                    item: item.clone(),
                    market: self.market_of(item.provider.as_str()),
                })
                .collect()),
            Capacity::LaunchType(name) => Ok(vec![ProviderShare {
                item: StrategyItem {
                    provider: name.parse::<CapacityProviderName>()?,
                    base: 0,
                    weight: 1,
                },
                market: if name == "FARGATE" {
                    Market::OnDemand
                } else {
                    Market::Unknown
                },
            }]),
        }
    }
}

/// The service in the same cluster that a tag names.
fn named(key: &ServiceKey, tags: &BTreeMap<String, String>, tag: &Setting) -> Option<ServiceKey> {
    let name = tags.get(tag.name)?.parse().ok()?;
    Some(ServiceKey::new(key.cluster.clone(), name))
}

fn status_of(status: ContainerInstanceStatus) -> model::capacity::ContainerInstanceStatus {
    use model::capacity::ContainerInstanceStatus as Observed;
    match status {
        ContainerInstanceStatus::Registering => Observed::Registering,
        ContainerInstanceStatus::Deregistering => Observed::Deregistering,
        ContainerInstanceStatus::Active => Observed::Active,
        ContainerInstanceStatus::Draining => Observed::Draining,
        ContainerInstanceStatus::Inactive => Observed::Inactive,
    }
}

/// The lines of a service's log since its last steady state about tasks that no instance took, oldest first, without what all of them say.
fn not_placed(service: &WorldService) -> Vec<NotPlaced> {
    let recent = service.events.iter();
    let recent = recent.take_while(|(_, _, line)| !line.contains("has reached a steady state"));
    let of_instances = recent.filter(|(_, _, line)| line.contains("no container instance met"));
    let mut lines: Vec<NotPlaced> = of_instances
        .map(|(at, _, line)| NotPlaced {
            at: *at,
            text: line
                .split_once("all of its requirements.")
                .map_or("", |(_, why)| why.trim())
                .to_owned(),
        })
        .collect();
    lines.sort_unstable();
    lines
}

fn observed_task(task: &WorldTask) -> Result<Task, IdError> {
    Ok(Task {
        arn: task.arn.parse()?,
        last_status: task.last_status,
        desired_running: task.desired_running,
        health: task.health,
        provider: task.provider.as_deref().map(str::parse).transpose()?,
        task_definition: task.task_definition.parse()?,
        zone: if task.zone.is_empty() {
            None
        } else {
            Some(task.zone.parse()?)
        },
        created_at: Some(task.created_at),
        started_at: task.started_at,
        stopping_at: task.stopping_at,
        stopped_at: task.stopped_at,
        interrupted: task.stop_code == Some(SPOT_STOP_CODE),
        instance: None,
        instance_status: None,
    })
}
