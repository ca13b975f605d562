//! What AWS does with a plan, by an own reading of its steps: ECS, Auto Scaling and the ledger.

use std::collections::BTreeMap;

use model::capacity::ContainerInstanceStatus;
use model::drain::{DrainAction, DrainMemory, DrainStep};
use model::memory::Recall;
use model::outcome::{Outcome, OutcomeResult};
use placement::drain::{DrainDecision, settle};

use crate::scene::Scene;

fn carry_out(scene: &mut Scene, step: &DrainStep) {
    let mut status = |cluster, arn, to| {
        let cluster = scene.snapshot.clusters.get_mut(cluster).unwrap();
        cluster.capacity.instances.get_mut(arn).unwrap().status = to;
    };
    match &step.action {
        DrainAction::Drain {
            cluster,
            container_instance,
            ..
        } => {
            status(
                cluster,
                container_instance,
                ContainerInstanceStatus::Draining,
            );
            // A look reads the tasks of what is DRAINING.
            let cluster = scene.snapshot.clusters.get_mut(cluster).unwrap();
            cluster.tasks_read.insert(container_instance.clone());
        }
        DrainAction::Activate {
            cluster,
            container_instance,
            ..
        } => status(cluster, container_instance, ContainerInstanceStatus::Active),
        DrainAction::StopTask { cluster, task, .. } => {
            let cluster = scene.snapshot.clusters.get_mut(cluster).unwrap();
            let mut tasks = cluster.capacity.tasks.iter_mut();
            tasks.find(|it| it.arn == *task).unwrap().desired_running = false;
        }
        DrainAction::RecordHeartbeat { .. } => {}
        DrainAction::CompleteLifecycleAction { instance, .. } => {
            scene.member(instance).waits_in_hook = false;
        }
    }
}

/// The memories after the plan, where every step came to `result`.
pub(crate) fn settled(
    scene: &Scene,
    decision: &DrainDecision,
    result: &OutcomeResult,
) -> BTreeMap<model::drain::DrainKey, Recall<DrainMemory>> {
    let mut memories = scene.memories.clone();
    for (key, planned) in &decision.memories {
        let steps = decision.plan.steps.iter().filter(|it| it.key() == key);
        let outcomes: Vec<Outcome<DrainStep>> = steps
            .map(|step| Outcome {
                step: step.clone(),
                result: result.clone(),
            })
            .collect();
        let first = DrainMemory::default();
        let before = match scene.memories.get(key) {
            Some(Recall::Known(memory)) => memory,
            Some(Recall::Unknown) | None => &first,
        };
        let memory = settle(before, planned, &outcomes, scene.now);
        memories.insert(key.clone(), Recall::Known(memory));
    }
    memories
}

/// The state after the plan was carried out, every write confirmed.
pub(crate) fn carried_out(before: &Scene, decision: &DrainDecision) -> Scene {
    let mut after = before.clone();
    for step in &decision.plan.steps {
        carry_out(&mut after, step);
    }
    after.memories = settled(before, decision, &OutcomeResult::Done);
    after
}
