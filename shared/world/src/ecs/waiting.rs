//! Tasks that wait in PROVISIONING for an instance: only where the provider's managed scaling is on does ECS make tasks that it cannot
//! place yet.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-scaling-behavior.html>

use std::collections::BTreeMap;

use model::ClusterName;

use super::placement::{Asked, Search};
use crate::state::Task;
use crate::world::{Happening, World};

/// Tasks of one cluster that may wait in PROVISIONING.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html>
const PROVISIONING_MAX: usize = 500;

/// What tasks have in common that can share a search.
type Alike = (String, String, Option<String>);

impl World {
    /// Whether a provider's tasks may wait for an instance in a cluster.
    pub(crate) fn may_wait(&self, cluster: &ClusterName, provider: &str) -> bool {
        let scaled = self
            .state
            .group_providers
            .get(provider)
            .is_some_and(|it| it.managed_scaling.enabled);
        scaled
            && self
                .waiting
                .get(cluster)
                .is_none_or(|it| it.len() < PROVISIONING_MAX)
    }

    /// A task begins to wait.
    pub(crate) fn begin_waiting(&mut self, id: &str) {
        let Some(task) = self.state.tasks.get(id) else {
            return;
        };
        let place = (task.created_at, id.to_owned());
        let cluster = task.cluster.clone();
        self.waiting.entry(cluster).or_default().insert(place);
        let range = self.config.scheduler.provisioning_timeout;
        let wait = self.dice.millis(range, "provisioning timeout", id, 0);
        self.plan_in(wait, Happening::WaitEnds { id: id.to_owned() });
    }

    /// A task waits no longer, whatever the reason.
    pub(crate) fn end_waiting(&mut self, id: &str) {
        let Some(task) = self.state.tasks.get_mut(id) else {
            return;
        };
        task.waits_for_instance = false;
        let place = (task.created_at, id.to_owned());
        if let Some(waiting) = self.waiting.get_mut(&task.cluster) {
            waiting.remove(&place);
        }
    }

    /// A task has waited for too long.
    pub(crate) fn wait_ends(&mut self, id: &str) {
        let waits = self
            .state
            .tasks
            .get(id)
            .is_some_and(|it| it.waits_for_instance);
        if waits {
            let reason = "Timeout waiting for capacity to place the task.".to_owned();
            self.stop_task(id, "TaskFailedToStart", reason);
        }
    }

    /// What a waiting task asks for.
    pub(crate) fn asked_by_task(&self, id: &str, task: &Task) -> Option<Asked> {
        let provider = task.provider.as_deref()?;
        if let Some(key) = &task.service {
            let service = self.state.services.get(key)?;
            let mut deployments = service.deployments.iter();
            let deployment = deployments.find(|it| it.id == task.deployment)?;
            return Some(Self::asked_by(
                &self.state,
                key,
                service,
                deployment,
                provider,
            ));
        }
        self.run_specs.get(id).cloned()
    }

    /// Gives the waiting tasks of a cluster a place, the oldest first, as far as there is room.
    pub(crate) fn place_waiting(&mut self, cluster: &ClusterName) {
        let Some(waiting) = self.waiting.get(cluster) else {
            return;
        };
        let ids: Vec<String> = waiting.iter().map(|(_, id)| id.clone()).collect();
        let mut searches: BTreeMap<Alike, Search> = BTreeMap::new();
        for id in ids {
            let Some(task) = self.state.tasks.get(&id) else {
                continue;
            };
            let alike = (
                task.group.clone(),
                task.deployment.clone(),
                task.provider.clone(),
            );
            if !searches.contains_key(&alike) {
                let Some(asked) = self.asked_by_task(&id, task) else {
                    continue;
                };
                searches.insert(alike.clone(), Search::new(&self.state, &asked, self.dice));
            }
            let Some(search) = searches.get_mut(&alike) else {
                continue;
            };
            if let Some(instance) = self.take_seat(search, &id) {
                self.seat_waiting(&id, &instance);
            }
        }
    }

    /// The best instance of a search that has room in truth: other searches may have filled some since this one began.
    fn take_seat(&self, search: &mut Search, task_id: &str) -> Option<String> {
        let needs = &self.state.tasks.get(task_id)?.needs;
        loop {
            let id = search.take()?;
            let instance = self.state.container_instances.get(&id)?;
            if instance.remaining.lack(needs).is_none() {
                return Some(id);
            }
            search.forget(&id);
        }
    }

    fn seat_waiting(&mut self, id: &str, instance_id: &str) {
        self.end_waiting(id);
        let Some(instance) = self.state.container_instances.get(instance_id) else {
            return;
        };
        let market = self
            .state
            .instances
            .get(&instance.ec2_instance_id)
            .map(|it| it.market);
        if let Some(task) = self.state.tasks.get_mut(id) {
            task.zone.clone_from(&instance.zone);
            task.container_instance = Some(instance_id.to_owned());
            task.market = market.unwrap_or(task.market);
            task.holds_slot = true;
            task.step += 1;
        }
        self.occupy(id, instance_id);
        self.task_changed(id);
        self.plan_step(id);
    }
}
