//! When EC2's recommendation to rebalance an instance must lead to a drain, and when it must not: as [`oracle`](crate::oracle), for the choice.

use model::InstanceId;
use model::capacity::{ContainerInstanceStatus, InstanceTask, Lifecycle, Resources};
use model::drain::{Departure, LookedInstance};
use model::memory::Recall;
use model::trigger::{Hints, Notice};

use crate::oracle::{Subject, Want};
use crate::scene::Scene;

/// The most of a service that its percentages let ECS do without: whether it may stop one first, and start one first.
struct Play {
    may_stop: bool,
    may_start: bool,
    keeps_all: bool,
}

impl<'a> Subject<'a> {
    pub(crate) fn wants_choice(&self) -> Want {
        let may = self.acts()
            && self.policy.drain_on_rebalance
            && self.scene.snapshot.is_full
            && !self.has_gaps()
            && self.remembers
            && self.is(ContainerInstanceStatus::Active);
        if !may {
            return Want::MustNot;
        }
        let is_empty = self.looked.tasks_counted == Some(0) && self.tasks_left() == Some(0);
        let must = is_empty && self.every_instance_is_read() && self.is_only_recommended();
        // Where all may drain at a time, each takes the place of one at most.
        let in_budget = self.policy.disruption_percent == 100 && self.all_in_service()
            || self.others().all(|it| self.is_at_rest(it));
        let must = must && in_budget;
        Want::of(must, !is_empty && !self.has_somewhere())
    }

    fn every_instance_is_read(&self) -> bool {
        let mut clusters = self.scene.snapshot.clusters.values();
        clusters.all(|it| it.has_every_instance)
    }

    fn others(&self) -> impl Iterator<Item = &'a LookedInstance> {
        let all = self.group.instances.values();
        all.filter(|it| it.id != self.looked.id)
    }

    fn all_in_service(&self) -> bool {
        let mut all = self.group.instances.values();
        all.all(|it| {
            let lifecycle = it.member.as_ref().map(|it| it.lifecycle);
            lifecycle == Some(Lifecycle::InService)
        })
    }

    /// Nothing but the recommendation is known of it.
    fn is_only_recommended(&self) -> bool {
        let all: Vec<_> = self.notices().collect();
        let is_fresh = all
            .iter()
            .all(|(at, it)| **it == Notice::Rebalance && self.age(*at) < 3_600_000);
        let member = self.looked.member.as_ref();
        let in_service =
            member.is_none_or(|it| it.lifecycle == Lifecycle::InService && it.is_healthy);
        let was_taken_back = match self.scene.memories.get(&self.group.key) {
            Some(Recall::Known(memory)) => memory.reversed.contains_key(&self.looked.id),
            Some(Recall::Unknown) | None => false,
        };
        !all.is_empty()
            && is_fresh
            && in_service
            && !was_taken_back
            && self.departure == Departure::default()
    }

    /// It is in service, and nothing is known of it.
    fn is_at_rest(&self, looked: &'a LookedInstance) -> bool {
        let Some(other) = Self::of(self.scene, &self.group.key, self.group, looked) else {
            return false;
        };
        let member = looked.member.as_ref();
        other.is(ContainerInstanceStatus::Active)
            && other.is_connected()
            && member.is_none_or(|it| it.lifecycle == Lifecycle::InService && it.is_healthy)
            && other.notices().next().is_none()
            && other.departure == Departure::default()
            && !other.is_of_several
    }

    /// Whether its tasks may have anywhere to go, and all of them go.
    fn has_somewhere(&self) -> bool {
        let Some(tasks) = self.scene.snapshot.tasks(self.looked) else {
            return false;
        };
        let tasks: Vec<&InstanceTask> = tasks
            .into_iter()
            .filter(|it| it.desired_running && !it.is_daemon)
            .collect();
        let plays: Option<Vec<Play>> = tasks.iter().map(|it| self.play(it)).collect();
        let Some(plays) = plays else {
            return false;
        };
        let group = self.group.group.as_ref();
        let is_raised = group.is_some_and(|it| {
            let is_act = it.tags.get("ballast:cluster-scaler").map(String::as_str) == Some("act");
            let launches = !it.suspended_processes.contains("Launch");
            (is_act || self.group.managed_scaling) && launches && it.desired_capacity < it.max_size
        });
        let launched = is_raised && plays.iter().all(|it| it.keeps_all && it.may_start);
        let moved = plays.iter().all(|it| it.may_stop || it.may_start);
        moved && (launched || tasks.iter().all(|it| self.fits_elsewhere(&it.needs)))
    }

    /// What the task's service lets ECS do. `None`: ECS moves none that has no service.
    fn play(&self, task: &InstanceTask) -> Option<Play> {
        let name = task.service.as_ref()?;
        let mut clusters = self.scene.snapshot.clusters.values();
        let service = clusters.find_map(|it| it.capacity.services.get(name))?;
        let desired = service.desired_count;
        // By counting: the fewest that are so many percent, and one that the most are not yet.
        let is_part = |tasks: u32, percent: u32| tasks * 100 >= desired * percent;
        let least = (0..).find(|tasks| is_part(*tasks, service.minimum_healthy_percent))?;
        Some(Play {
            may_stop: service.running_count + service.pending_count > least,
            may_start: desired * service.maximum_percent >= (desired + 1) * 100,
            keeps_all: least >= desired,
        })
    }

    /// Whether an instance of another pool has room for so much.
    fn fits_elsewhere(&self, needs: &Resources) -> bool {
        let clusters = self.scene.snapshot.clusters.values();
        let mut instances = clusters.flat_map(|it| it.capacity.instances.values());
        instances.any(|it| {
            it.status == ContainerInstanceStatus::Active
                && (&it.instance_type, &it.zone) != (&self.looked.instance_type, &self.looked.zone)
                && needs.fits(&it.remaining)
        })
    }
}

/// The same state, of which everything is known, every owner asks for drains by choice, and EC2 has said nothing but that every other instance be
/// rebalanced.
pub(crate) fn recommended(scene: &Scene) -> Scene {
    let mut scene = scene.clone();
    scene.snapshot.is_full = true;
    scene.snapshot.gaps.clear();
    scene.memories.clear();
    scene.hints = Hints::default();
    for cluster in scene.snapshot.clusters.values_mut() {
        cluster.capacity.gaps.clear();
        let all = cluster.capacity.instances.keys();
        cluster.tasks_read = all.cloned().collect();
    }
    let mut ids: Vec<InstanceId> = Vec::new();
    for group in scene.snapshot.groups.values_mut() {
        group.gaps.clear();
        if let Ok(policy) = &mut group.policy {
            policy.drain_on_rebalance = true;
        }
        ids.extend(group.instances.keys().cloned());
    }
    for id in ids.iter().step_by(2) {
        scene.said(id, 40, Notice::Rebalance);
    }
    scene
}
