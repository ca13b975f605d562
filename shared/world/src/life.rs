//! A task's life, step by step.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html>

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::snapshot::{Health, TaskStatus};
use model::strategy::Market;
use model::{ClusterName, ServiceKey};
use serde_json::Value;

use crate::config::{RangeMs, StartUp};
use crate::ecs::Needs;
use crate::pool::PoolKey;
use crate::state::{STOP_TIMEOUT_DEFAULT_SECS, STOP_TIMEOUT_MAX_SECS, Task, TaskDefinition};
use crate::world::{Happening, World};

/// ECS's own words for a task that Spot takes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html>
pub(crate) const SPOT_STOP_CODE: &str = "SpotInterruption";
/// The reason that goes with [`SPOT_STOP_CODE`].
pub(crate) const SPOT_STOPPED_REASON: &str = "Your Spot Task was interrupted.";

/// From the order to stop to the first step of the stop.
const STOP_BEGINS: RangeMs = RangeMs::new(100, 100);

/// What a new task is made from.
#[derive(Debug, Clone)]
pub(crate) struct Placement {
    pub(crate) cluster: ClusterName,
    /// The service; `None` for a task of RunTask.
    pub(crate) service: Option<ServiceKey>,
    pub(crate) group: String,
    /// The deployment's id, or what RunTask was given.
    pub(crate) started_by: String,
    pub(crate) task_definition: String,
    /// The provider, or with a launch type nothing.
    pub(crate) provider: Option<String>,
    pub(crate) launch_type: String,
    pub(crate) place: Place,
    pub(crate) needs: Needs,
    pub(crate) daemon: bool,
    pub(crate) overrides: Option<Value>,
}

/// Where a new task goes.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A slot of a pool.
    Slot(PoolKey),
    /// A container instance, by id.
    Instance(String),
    /// It waits for an instance of a provider.
    Later(String),
}

impl World {
    /// The pool that a task's slot is from.
    pub(crate) fn pool_of(&self, task: &Task) -> PoolKey {
        let provider = task.provider.as_deref().unwrap_or(&task.launch_type);
        PoolKey::new(provider, &task.zone)
    }

    /// Makes a task where there is room, or has it wait for some. Gives its id.
    pub(crate) fn start_task(&mut self, placement: Placement) -> String {
        let id = self.new_task_id(&placement);
        let (market, zone) = self.market_and_zone(&placement.place);
        let waits = matches!(placement.place, Place::Later(_));
        let task = Task {
            arn: format!(
                "arn:aws:ecs:{}:{}:task/{}/{id}",
                self.config.region, self.config.account, placement.cluster
            ),
            market,
            cluster: placement.cluster,
            service: placement.service,
            group: placement.group,
            deployment: placement.started_by,
            daemon: placement.daemon,
            needs: placement.needs,
            container_instance: match &placement.place {
                Place::Instance(instance) => Some(instance.clone()),
                Place::Slot(_) | Place::Later(_) => None,
            },
            waits_for_instance: waits,
            protected_until: None,
            overrides: placement.overrides,
            task_definition: placement.task_definition,
            provider: placement.provider,
            launch_type: placement.launch_type,
            zone,
            version: 0,
            last_status: TaskStatus::Provisioning,
            desired_running: true,
            health: Health::Unknown,
            created_at: self.now,
            started_at: None,
            stopping_at: None,
            stopped_at: None,
            stop_code: None,
            stopped_reason: None,
            targets: BTreeMap::new(),
            step: 0,
            holds_slot: !waits,
            reclaimed: false,
        };
        self.state.tasks.insert(id.clone(), task);
        match placement.place {
            Place::Slot(key) => {
                let pool = self.pools.entry(key).or_default();
                pool.kept.insert(id.clone());
            }
            Place::Instance(instance) => self.occupy(&id, &instance),
            Place::Later(_) => self.begin_waiting(&id),
        }
        self.task_changed(&id);
        self.plan_step(&id);
        id
    }

    fn new_task_id(&mut self, placement: &Placement) -> String {
        let service = placement.service.as_ref();
        let known = service.and_then(|it| self.state.services.get_mut(it));
        let (Some(key), Some(service)) = (service, known) else {
            self.runs_made += 1;
            let cluster = placement.cluster.as_str();
            return self.dice.hex(32, "run task", cluster, self.runs_made);
        };
        service.tasks_made += 1;
        let id = self
            .dice
            .hex(32, "task", &key.to_string(), service.tasks_made);
        service.tasks.insert(id.clone());
        id
    }

    fn market_and_zone(&self, place: &Place) -> (Market, String) {
        match place {
            Place::Slot(key) => (self.market_of(&key.provider), key.zone.clone()),
            Place::Later(provider) => (self.market_of(provider), String::new()),
            Place::Instance(id) => {
                let Some(instance) = self.state.container_instances.get(id) else {
                    return (Market::Unknown, String::new());
                };
                let machine = self.state.instances.get(&instance.ec2_instance_id);
                let market = machine.map_or(Market::Unknown, |it| it.market);
                (market, instance.zone.clone())
            }
        }
    }

    /// Tells a task to stop. A task that was told before is left alone.
    pub(crate) fn stop_task(&mut self, id: &str, code: &'static str, reason: String) {
        let now = self.now;
        let Some(task) = self.state.tasks.get_mut(id).filter(|it| it.is_live()) else {
            return;
        };
        let waited = task.waits_for_instance;
        task.desired_running = false;
        task.stopping_at = Some(now);
        task.stop_code = Some(code);
        task.stopped_reason = Some(reason);
        task.step += 1;
        let spot_takes_it = code == SPOT_STOP_CODE && task.last_status == TaskStatus::Running;
        let service = task.service.clone();
        if waited {
            self.end_waiting(id);
        }
        self.task_changed(id);
        // A running task that Spot takes goes on until its notice ends.
        if !spot_takes_it {
            self.plan_step(id);
        }
        if let Some(service) = service {
            self.look_soon(&service);
        }
    }

    /// Takes a Spot task's slot back: the warning now, the end after the notice.
    pub(crate) fn reclaim(&mut self, pool: &PoolKey, id: &str) {
        let Some(task) = self.state.tasks.get_mut(id) else {
            return;
        };
        task.reclaimed = true;
        let stop_timeout = self
            .state
            .task_definitions
            .get(&task.task_definition)
            .map_or(STOP_TIMEOUT_DEFAULT_SECS, TaskDefinition::stop_timeout_secs);
        if let Some(pool) = self.pools.get_mut(pool) {
            pool.kept.remove(id);
            pool.reclaimed.insert(id.to_owned());
        }
        self.stop_task(id, SPOT_STOP_CODE, SPOT_STOPPED_REASON.to_owned());
        // SIGTERM comes with the warning, and SIGKILL after the stop timeout: no task outlives it.
        let notice = i64::from(self.config.stop.notice_secs.min(stop_timeout)) * 1_000;
        self.plan_in(notice, Happening::NoticeEnds { id: id.to_owned() });
    }

    pub(crate) fn notice_ends(&mut self, id: &str) {
        self.release_slot(id);
        let Some(task) = self.state.tasks.get(id) else {
            return;
        };
        if task.last_status == TaskStatus::Running && task.stop_code == Some(SPOT_STOP_CODE) {
            let step = task.step;
            self.task_step(id, step);
        }
    }

    fn release_slot(&mut self, id: &str) {
        let Some(task) = self.state.tasks.get_mut(id).filter(|it| it.holds_slot) else {
            return;
        };
        task.holds_slot = false;
        if task.container_instance.is_some() {
            self.vacate(id);
            return;
        }
        let key = PoolKey::new(
            task.provider.as_deref().unwrap_or(&task.launch_type),
            &task.zone,
        );
        if let Some(pool) = self.pools.get_mut(&key) {
            pool.kept.remove(id);
            pool.reclaimed.remove(id);
        }
    }

    /// Plans the next step of a task's life.
    pub(crate) fn plan_step(&mut self, id: &str) {
        let Some(task) = self.state.tasks.get(id) else {
            return;
        };
        // A task that waits for an instance goes on when it has one.
        if task.waits_for_instance && task.desired_running {
            return;
        }
        let stuck = self.start_up_of(task).stuck_per_mille;
        if task.last_status == TaskStatus::Pending
            && task.desired_running
            && self.dice.happens(stuck, "stuck", id, 0)
        {
            return;
        }
        let (range, purpose) = self.time_in(task);
        let millis = self.dice.millis(range, purpose, id, 0);
        let step = task.step;
        self.plan_in(
            millis,
            Happening::TaskStep {
                id: id.to_owned(),
                step,
            },
        );
    }

    const fn start_up_of(&self, task: &Task) -> StartUp {
        if task.container_instance.is_some() {
            self.config.start_up_on_instance
        } else {
            self.config.start_up
        }
    }

    /// How long a task stays in the status that it has.
    fn time_in(&self, task: &Task) -> (RangeMs, &'static str) {
        let (start, stop) = (self.start_up_of(task), self.config.stop);
        match task.last_status {
            TaskStatus::Provisioning if task.desired_running => {
                (start.provisioning, "provisioning")
            }
            TaskStatus::Pending if task.desired_running => (start.pending, "pending"),
            TaskStatus::Activating if task.desired_running => (start.activating, "activating"),
            TaskStatus::Provisioning
            | TaskStatus::Pending
            | TaskStatus::Activating
            | TaskStatus::Running => (STOP_BEGINS, "stop begins"),
            TaskStatus::Deactivating => {
                // SIGTERM comes after the deregistration delay.
                if let Some(millis) = self.drains_for_ms(task).filter(|it| *it > 0)
                    && !task.reclaimed
                {
                    return (RangeMs::new(millis, millis), "deactivating");
                }
                let service = task.service.as_ref();
                let has_targets = service
                    .and_then(|it| self.state.services.get(it))
                    .is_some_and(|it| it.target_groups().next().is_some())
                    && task.targets.is_empty();
                // Nobody waits for the targets of a machine that is taken away.
                let range = if has_targets && !task.reclaimed {
                    stop.deactivating_with_targets
                } else {
                    stop.deactivating
                };
                (range, "deactivating")
            }
            // SIGTERM came with the warning: what is left is the end.
            TaskStatus::Stopping if task.reclaimed => (RangeMs::new(100, 100), "stopping"),
            TaskStatus::Stopping => (self.stopping_of(task), "stopping"),
            TaskStatus::Deprovisioning | TaskStatus::Stopped | TaskStatus::Unknown => {
                (stop.deprovisioning, "deprovisioning")
            }
        }
    }

    /// From SIGTERM to the end of a task's containers: SIGKILL ends what has not ended by the longest of their stop timeouts.
    fn stopping_of(&self, task: &Task) -> RangeMs {
        let definition = self.state.task_definitions.get(&task.task_definition);
        let longest = definition.map_or(
            STOP_TIMEOUT_DEFAULT_SECS,
            TaskDefinition::longest_stop_timeout_secs,
        );
        let longest = if task.launch_type == "FARGATE" {
            longest.min(STOP_TIMEOUT_MAX_SECS)
        } else {
            longest
        };
        let range = self.config.stop.stopping;
        let killed_after = longest.saturating_mul(1_000);
        RangeMs::new(range.min.min(killed_after), range.max.min(killed_after))
    }

    /// A task takes the next step of its life, unless it has taken another one since this one was planned, or the agent that would
    /// take it is not connected.
    pub(crate) fn task_step(&mut self, id: &str, step: u64) {
        let now = self.now;
        let is_due = self.state.tasks.get(id).is_some_and(|it| it.step == step);
        if !is_due || self.hold_step(id, step) {
            return;
        }
        let Some(task) = self.state.tasks.get_mut(id) else {
            return;
        };
        let Some(next) = next_status(task.last_status, task.desired_running) else {
            return;
        };
        task.last_status = next;
        task.step += 1;
        if next == TaskStatus::Running {
            task.started_at = Some(now);
        }
        if next == TaskStatus::Stopped {
            task.stopped_at = Some(now);
        }
        let service = task.service.clone();
        let reclaimed = task.reclaimed;
        if next == TaskStatus::Deprovisioning || (reclaimed && next == TaskStatus::Deactivating) {
            self.release_slot(id);
        }
        self.move_targets(id, next);
        self.task_changed(id);
        if next == TaskStatus::Stopped {
            let kept = i64::from(self.config.stop.kept_secs) * 1_000;
            self.plan_in(kept, Happening::Forget { id: id.to_owned() });
        } else if next != TaskStatus::Running {
            self.plan_step(id);
        }
        if let Some(service) = service
            && matches!(next, TaskStatus::Running | TaskStatus::Stopped)
        {
            self.look_soon(&service);
        }
    }

    /// A task's targets follow its life.
    fn move_targets(&mut self, id: &str, status: TaskStatus) {
        match status {
            TaskStatus::Running => self.register_targets(id),
            TaskStatus::Deactivating => self.deregister_targets(id),
            TaskStatus::Stopping | TaskStatus::Deprovisioning | TaskStatus::Stopped => {
                self.end_targets(id);
            }
            TaskStatus::Provisioning
            | TaskStatus::Pending
            | TaskStatus::Activating
            | TaskStatus::Unknown => {}
        }
    }

    /// After every change of a task: its version grows, an event goes out, the account is kept.
    pub(crate) fn task_changed(&mut self, id: &str) {
        let Some(task) = self.state.tasks.get_mut(id) else {
            return;
        };
        task.version += 1;
        self.send_task_event(id);
        self.account_task(id);
    }
}

/// What follows a status; `None` at the end, and for a task that runs and is to run.
const fn next_status(status: TaskStatus, desired_running: bool) -> Option<TaskStatus> {
    match (status, desired_running) {
        (TaskStatus::Provisioning, true) => Some(TaskStatus::Pending),
        (TaskStatus::Pending, true) => Some(TaskStatus::Activating),
        (TaskStatus::Activating, true) => Some(TaskStatus::Running),
        (TaskStatus::Running, true) | (TaskStatus::Stopped | TaskStatus::Unknown, _) => None,
        (TaskStatus::Running, false) => Some(TaskStatus::Deactivating),
        (TaskStatus::Deactivating, _) => Some(TaskStatus::Stopping),
        (TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating, false)
        | (TaskStatus::Stopping, _) => Some(TaskStatus::Deprovisioning),
        (TaskStatus::Deprovisioning, _) => Some(TaskStatus::Stopped),
    }
}

/// The first digits of a task's id, as consoles show it.
pub(crate) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// Whether a market is billed as on-demand.
pub(crate) const fn is_on_demand(market: Market) -> bool {
    match market {
        Market::OnDemand | Market::Unknown => true,
        Market::Spot => false,
    }
}

/// The age of a task in milliseconds.
pub(crate) fn since(at: Timestamp, now: Timestamp) -> i64 {
    now.as_millisecond().saturating_sub(at.as_millisecond())
}
