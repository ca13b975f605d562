//! Who holds what on a container instance, and who is told when something becomes free.

use std::collections::BTreeSet;

use model::{ClusterName, ServiceKey};

use super::placement::Asked;
use crate::pool::later;
use crate::state::{Deployment, Service, State};
use crate::world::{Happening, World};

impl World {
    /// Whether tasks of a provider (or launch type) go to container instances here, and not to a declared pool of slots.
    /// A provider may have the launch type's name.
    pub(crate) fn uses_instances(
        &self,
        cluster: &ClusterName,
        provider: &str,
        by_strategy: bool,
    ) -> bool {
        if by_strategy {
            return self.state.group_providers.contains_key(provider);
        }
        if provider != "EC2" {
            return false;
        }
        let has_provider = self.state.clusters.get(cluster).is_some_and(|it| {
            let mut names = it.providers.iter();
            names.any(|name| self.state.group_providers.contains_key(name))
        });
        has_provider || self.group_clusters.values().any(|it| it == cluster)
    }

    /// What the tasks of a deployment ask for, on a provider (or launch type).
    pub(crate) fn asked_by(
        state: &State,
        key: &ServiceKey,
        service: &Service,
        deployment: &Deployment,
        provider: &str,
    ) -> Asked {
        let by_strategy = deployment.capacity.is_strategy();
        let definition = state.task_definitions.get(&deployment.task_definition);
        let asked = Asked {
            cluster: key.cluster.clone(),
            provider: by_strategy.then(|| provider.to_owned()),
            group: format!("service:{}", key.service),
            needs: definition.map(|it| it.needs.clone()).unwrap_or_default(),
            constraints: service.placement_constraints.clone(),
            required_attributes: Vec::new(),
            strategy: service.placement_strategy.clone(),
        };
        match definition {
            Some(definition) => asked.with_definition(definition),
            None => asked,
        }
    }

    /// A task takes what it needs on its instance.
    pub(crate) fn occupy(&mut self, task_id: &str, instance_id: &str) {
        let Some(task) = self.state.tasks.get(task_id) else {
            return;
        };
        if let Some(instance) = self.state.container_instances.get_mut(instance_id) {
            instance.remaining.take(&task.needs);
            instance.tasks.insert(task_id.to_owned());
        }
        self.container_instance_changed(instance_id);
        self.protect_instance(instance_id);
    }

    /// A task gives back what it held on its instance.
    pub(crate) fn vacate(&mut self, task_id: &str) {
        let Some(task) = self.state.tasks.get(task_id) else {
            return;
        };
        let Some(instance_id) = task.container_instance.clone() else {
            return;
        };
        let Some(instance) = self.state.container_instances.get_mut(&instance_id) else {
            return;
        };
        if !instance.tasks.remove(task_id) {
            return;
        }
        instance.remaining.give_back(&task.needs);
        let cluster = instance.cluster.clone();
        self.container_instance_changed(&instance_id);
        self.protect_instance(&instance_id);
        self.drained_further(&instance_id);
        self.seats_soon(&cluster);
    }

    /// Something became free: whoever waits is looked at after the scheduler's reaction time.
    pub(crate) fn seats_soon(&mut self, cluster: &ClusterName) {
        if !self.seats_due.insert(cluster.clone()) {
            return;
        }
        let at = later(self.now, i64::from(self.config.scheduler.reaction_ms));
        self.plan(
            at,
            Happening::Seats {
                cluster: cluster.clone(),
            },
        );
    }

    /// Places the tasks that wait, and has the scheduler look at the services that could not place one.
    pub(crate) fn seats(&mut self, cluster: &ClusterName) {
        self.seats_due.remove(cluster);
        self.place_waiting(cluster);
        let now = self.now;
        let mut hopeful: BTreeSet<ServiceKey> = BTreeSet::new();
        let known = &self.state.group_providers;
        let in_cluster = self.state.services.iter_mut();
        for (key, service) in in_cluster.filter(|(key, _)| key.cluster == *cluster) {
            for (provider, backoff) in &mut service.backoff {
                if (known.contains_key(provider) || provider == "EC2") && backoff.retry_at > now {
                    backoff.retry_at = now;
                    hopeful.insert(key.clone());
                }
            }
        }
        for key in hopeful {
            self.look_soon(&key);
        }
    }
}
