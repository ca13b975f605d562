//! Services with the DAEMON scheduling strategy: one task on each instance that meets their constraints, before any other task.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_daemon.html>

use std::collections::BTreeSet;

use model::snapshot::Scheduling;
use model::{ClusterName, ServiceKey};

use super::placement::{Search, lacks};
use crate::life::{Place, Placement};
use crate::state::{Capacity, ContainerInstanceStatus, Deployment};
use crate::world::World;

impl World {
    /// Looks at all daemons of a cluster, now.
    pub(crate) fn look_at_daemons(&mut self, cluster: &ClusterName) {
        let daemons: Vec<ServiceKey> = self
            .state
            .services
            .iter()
            .filter(|(key, it)| {
                key.cluster == *cluster
                    && it.scheduling == Scheduling::Daemon
                    && it.status == "ACTIVE"
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in daemons {
            self.look_at_daemon(&key);
        }
    }

    /// One look at a daemon: a task on each instance that has none, and none of an older deployment.
    pub(crate) fn look_at_daemon(&mut self, key: &ServiceKey) {
        let Some(service) = self.state.services.get(key) else {
            return;
        };
        let Some(deployment) = service.deployments.first().cloned() else {
            return;
        };
        self.stop_old_daemons(key, &deployment);
        let providers: Vec<String> = match &deployment.capacity {
            Capacity::LaunchType(name) => vec![name.clone()],
            Capacity::Strategy(items) => items.iter().map(|it| it.provider.to_string()).collect(),
        };
        for provider in providers {
            let by_strategy = deployment.capacity.is_strategy();
            if self.uses_instances(&key.cluster, &provider, by_strategy) {
                self.place_daemons(key, &deployment, &provider);
            }
        }
        self.count_daemons(key);
        self.finish_deployment(key);
        self.check_steady(key);
    }

    fn stop_old_daemons(&mut self, key: &ServiceKey, deployment: &Deployment) {
        let old: Vec<String> = self
            .state
            .tasks_of(key)
            .filter(|it| it.is_live() && it.deployment != deployment.id)
            .map(|it| it.id().to_owned())
            .collect();
        for id in old {
            let reason = format!(
                "Scaling activity initiated by the deployment {}",
                deployment.id
            );
            self.stop_task(&id, crate::scheduler::SCHEDULER_CODE, reason);
        }
    }

    fn place_daemons(&mut self, key: &ServiceKey, deployment: &Deployment, provider: &str) {
        let Some(service) = self.state.services.get(key) else {
            return;
        };
        let mut asked = Self::asked_by(&self.state, key, service, deployment, provider);
        // One task on each instance is what makes it a daemon.
        asked.constraints.push(super::Constraint::DistinctInstance);
        asked.strategy.clear();
        let refused: Vec<_> = lacks(&self.state, &asked)
            .into_iter()
            .filter(|(_, lack)| lack.is_resource())
            .collect();
        let mut search = Search::new(&self.state, &asked, self.dice);
        while let Some(instance) = search.take() {
            let by_strategy = match deployment.capacity {
                Capacity::Strategy(_) => Some(provider.to_owned()),
                Capacity::LaunchType(_) => None,
            };
            self.start_task(Placement {
                cluster: key.cluster.clone(),
                service: Some(key.clone()),
                group: asked.group.clone(),
                started_by: deployment.id.clone(),
                task_definition: deployment.task_definition.clone(),
                provider: by_strategy,
                launch_type: "EC2".to_owned(),
                place: Place::Instance(instance),
                needs: asked.needs.clone(),
                daemon: true,
                overrides: None,
            });
        }
        if !refused.is_empty() {
            let by_strategy = deployment.capacity.is_strategy();
            self.placement_failed(key, provider, by_strategy, Some(refused));
        }
    }

    /// The desired count of a daemon is the number of instances that it belongs on.
    fn count_daemons(&mut self, key: &ServiceKey) {
        let on: BTreeSet<&str> = self
            .state
            .tasks_of(key)
            .filter(|it| it.is_live())
            .filter_map(|it| it.container_instance.as_deref())
            .collect();
        let desired = u32::try_from(on.len()).unwrap_or(u32::MAX);
        let service = self.state.services.get_mut(key);
        if let Some(service) = service.filter(|it| it.desired_count != desired) {
            service.desired_count = desired;
            self.account_service(key);
        }
    }

    /// Daemons are the last to go: they stop when a draining instance has no other task left.
    pub(crate) fn stop_daemons_of_drained(&mut self, instance_id: &str) {
        let Some(instance) = self.state.container_instances.get(instance_id) else {
            return;
        };
        if instance.status != ContainerInstanceStatus::Draining
            || instance.work_in(&self.state).next().is_some()
        {
            return;
        }
        let daemons: Vec<String> = instance
            .tasks_in(&self.state)
            .filter(|it| it.daemon && it.desired_running)
            .map(|it| it.id().to_owned())
            .collect();
        for id in daemons {
            let reason =
                "The container instance is DRAINING and has no other task left.".to_owned();
            self.stop_task(&id, crate::scheduler::SCHEDULER_CODE, reason);
        }
    }
}
