//! The service scheduler: as many tasks as desired, on the providers that the strategy says, and on no others.
//!
//! A look compares what runs with what is wanted, and starts and stops tasks. A task that cannot be placed waits: the wait begins at
//! [`crate::SchedulerTimes::retry_first_secs`], doubles with each failure in a row up to
//! [`crate::SchedulerTimes::retry_max_secs`], holds for that provider only, and ends at once when the service is updated. Returning
//! capacity does not wake the scheduler: the next retry finds it. AWS documents that it retries, not how often.

mod place;
mod view;

use jiff::Timestamp;
use model::ServiceKey;
use model::snapshot::{Controller, Scheduling, TaskStatus};
use model::strategy::StrategyItem;
use serde_json::Map;

use crate::ecs::{BinpackBy, PlaceStrategy, grace_until};
use crate::pool::later;
use crate::state::{Capacity, Deployment, Task};
use crate::world::{Happening, World};
use view::{Seen, Standing, View, count};

/// The reason that ECS gives for a task that it stops itself.
pub(crate) const SCHEDULER_CODE: &str = "ServiceSchedulerInitiated";

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

    pub(crate) fn look_at(&mut self, key: &ServiceKey, at: Timestamp) {
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
        if service.status != "ACTIVE" || service.controller == Controller::External {
            return;
        }
        if service.scheduling == Scheduling::Daemon {
            self.look_at_daemon(key);
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
            self.stop_task(&id, SCHEDULER_CODE, reason.text(&deployment.id));
        }
        let start = view.to_start();
        if start > 0 {
            self.place(key, &deployment, &items, &view, start);
        }
        // Health checks that fail are ignored for a while, and looked at again then.
        if let Some(at) = view.graces_end_at() {
            self.look_at(key, at);
        }
        self.finish_deployment(key);
        self.check_steady(key);
    }

    fn view(&self, key: &ServiceKey) -> Option<(View, Deployment)> {
        let service = self.state.services.get(key)?;
        let tasks: Vec<&Task> = self.state.tasks_of(key).collect();
        let deployment = service.deployments.first()?.clone();
        let view = View::of(service, &tasks, |task| Standing {
            on_draining: self.is_on_draining(task),
            is_protected: task.is_protected(self.now),
            instance_left: self.left_on_instance(key, task),
            grace_until: grace_until(service, task, self.now),
        });
        Some((view, deployment))
    }

    /// What is left of the resource that a packing service packs by, on a task's instance.
    fn left_on_instance(&self, key: &ServiceKey, task: &Task) -> u32 {
        let service = self.state.services.get(key);
        let first = service.and_then(|it| it.placement_strategy.first());
        let instance = task
            .container_instance
            .as_ref()
            .and_then(|it| self.state.container_instances.get(it));
        match (first, instance) {
            (Some(PlaceStrategy::Binpack(BinpackBy::Cpu)), Some(it)) => it.remaining.cpu_units,
            (Some(PlaceStrategy::Binpack(BinpackBy::Memory)), Some(it)) => it.remaining.memory_mib,
            (Some(_) | None, _) => 0,
        }
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

    /// A deployment is done when all its tasks run and no older task is left.
    pub(crate) fn finish_deployment(&mut self, key: &ServiceKey) {
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

    /// A service is steady when its one deployment is done, exactly the desired tasks run and are healthy, their targets too, and no
    /// target is still being deregistered.
    pub(crate) fn check_steady(&mut self, key: &ServiceKey) {
        let now = self.now;
        let Some((view, primary)) = self.view(key) else {
            return;
        };
        let deregistering = self.state.tasks_of(key).any(Task::is_deregistering);
        let Some(service) = self.state.services.get_mut(key) else {
            return;
        };
        let steady = primary.completed
            && !deregistering
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
