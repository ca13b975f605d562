//! Plans that are carried out: what comes of them, and what is remembered.

use model::InstanceId;
use model::capacity::ContainerInstanceStatus;
use model::drain::{DrainAction, DrainMemory, DrainStep};
use model::memory::Recall;
use model::outcome::{Outcome, OutcomeResult};
use model::trigger::{Hints, LifecycleAction};
use placement::drain::settle;

use crate::scene::Scene;
use crate::shown::text;

impl Scene {
    /// Carries the plan out: every step is done, remembered, and shows. What events said is used up. Returns the plan.
    pub(crate) fn act(&mut self) -> String {
        let decision = self.decide();
        let shown = text(&decision);
        self.hints = Hints::default();
        for (key, planned) in decision.memories {
            let nothing = DrainMemory::default();
            let before = match self.memories.get(&key) {
                Some(Recall::Known(memory)) => memory,
                Some(Recall::Unknown) | None => &nothing,
            };
            let steps = decision.plan.steps.iter().filter(|it| *it.key() == key);
            let done: Vec<Outcome<DrainStep>> = steps
                .map(|step| Outcome {
                    step: step.clone(),
                    result: OutcomeResult::Done,
                })
                .collect();
            let memory = settle(before, &planned, &done, self.now);
            self.memories.insert(key, Recall::Known(memory));
        }
        for step in decision.plan.steps {
            self.show(&step.action);
        }
        shown
    }

    fn show(&mut self, action: &DrainAction) {
        match action {
            DrainAction::Drain { instance, .. } => {
                self.container(instance).status = ContainerInstanceStatus::Draining;
            }
            DrainAction::Activate { instance, .. } => {
                self.container(instance).status = ContainerInstanceStatus::Active;
            }
            DrainAction::StopTask { task, .. } => {
                let mut tasks = self.capacity().tasks.iter_mut();
                tasks.find(|it| it.arn == *task).unwrap().desired_running = false;
            }
            DrainAction::RecordHeartbeat { .. } => {}
            DrainAction::CompleteLifecycleAction { instance, .. } => {
                self.member(instance).waits_in_hook = false;
            }
        }
    }

    /// An event said so long ago that the instance waits in a hook of the group `spot`.
    pub(crate) fn said_to_wait(&mut self, id: &InstanceId, secs: i64) {
        let at = Some(self.ago(secs));
        let action = LifecycleAction {
            group: "spot".parse().unwrap(),
            hook: "ballast-instance-drain".parse().unwrap(),
            instance: id.clone(),
            token: None,
            origin: None,
            destination: None,
        };
        self.hints.lifecycle_actions.push((at, action));
    }
}
